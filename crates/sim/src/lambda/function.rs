//! What is a function, a version, an alias? The state of this Lambda and how each part is shown; operations are elsewhere.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::behaviour::Behaviour;
use super::code::{Code, hex_of};
use super::name::Place;
use super::refusal::Refusal;
use crate::calendar::iso_with_offset;
use crate::log::AliasState;
use crate::time::Time;
use crate::value::merged;

#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) latest: Version,
    pub(crate) versions: BTreeMap<u32, Version>,
    /// The number that the next published version gets; numbers are never used twice.
    pub(crate) next_version: u32,
    pub(crate) aliases: BTreeMap<String, Alias>,
    /// From when until when which part (0 to 1) of all invocations fails, on any version.
    pub(crate) incidents: Vec<(Range<Time>, f64)>,
    /// The additional version of an alias gets its weight times this.
    pub(crate) misrouting: f64,
    pub(crate) tags: BTreeMap<String, String>,
    /// By qualifier: executions asked for, and when.
    pub(crate) provisioned: BTreeMap<String, (u32, Time)>,
    /// Its reserved concurrency.
    pub(crate) reserved: Option<u32>,
    /// By qualifier (empty for none): the statements of its resource policy.
    pub(crate) policies: BTreeMap<String, Vec<Value>>,
    /// By qualifier (empty for none): the kind of authentication, and when it was made.
    pub(crate) urls: BTreeMap<String, (String, Time)>,
    /// `$LATEST` as it was until that moment, for stale reads; none: there was no function.
    pub(crate) earlier: (Time, Option<Box<Version>>),
}

/// What a qualifier refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Qualified {
    Latest,
    Version(u32),
    Alias(String),
}

impl Function {
    pub(crate) fn qualified(&self, qualifier: Option<&str>) -> Option<Qualified> {
        match qualifier {
            None | Some("$LATEST") => Some(Qualified::Latest),
            Some(text) => match text.parse::<u32>() {
                Ok(number) => self.versions.contains_key(&number).then_some(Qualified::Version(number)),
                Err(_) => self.aliases.contains_key(text).then(|| Qualified::Alias(text.to_owned())),
            },
        }
    }

    /// The version that a qualifier shows; of an alias, its primary one.
    pub(crate) fn version(&self, qualified: &Qualified) -> Option<&Version> {
        match qualified {
            Qualified::Latest => Some(&self.latest),
            Qualified::Version(number) => self.versions.get(number),
            Qualified::Alias(name) => self.version_named(&self.aliases.get(name)?.state.version),
        }
    }

    /// The part (0 to 1) of all invocations that fails now because of an incident.
    pub(crate) fn incident(&self, now: Time) -> f64 {
        let rates = self.incidents.iter().filter(|(during, _)| during.contains(&now)).map(|(_, rate)| *rate);
        rates.fold(0.0, f64::max)
    }

    /// A version by its number as text, or `$LATEST`.
    pub(crate) fn version_named(&self, name: &str) -> Option<&Version> {
        if name == "$LATEST" { Some(&self.latest) } else { self.versions.get(&name.parse().ok()?) }
    }
}

/// `$LATEST` or a published version.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// None for `$LATEST`.
    pub(crate) number: Option<u32>,
    pub(crate) configuration: Configuration,
    pub(crate) code: Code,
    pub(crate) revision: String,
    pub(crate) modified: Time,
    /// `Pending` until its creation has finished.
    pub(crate) pending: bool,
    /// `Inactive`: idle because it was not invoked; the next invocation fails and wakes it.
    pub(crate) idle: bool,
    pub(crate) updating: bool,
    /// What an invocation runs: during an update, still the earlier code.
    pub(crate) serving: Behaviour,
}

impl Version {
    pub(crate) fn label(&self) -> String {
        self.number.map_or_else(|| "$LATEST".to_owned(), |number| number.to_string())
    }

    /// Whether publishing `self` again would make the same thing as `published`.
    pub(crate) fn is_same_release(&self, published: &Self) -> bool {
        let undescribed =
            Configuration { description: self.configuration.description.clone(), ..published.configuration.clone() };
        self.code == published.code && self.configuration == undescribed
    }

    pub(crate) fn show(&self, place: &Place, name: &str, qualifier: Option<&str>) -> Value {
        let (state, state_reason, state_code) = match (self.pending, self.idle) {
            (true, _) => ("Pending", Some("The function is being created."), Some("Creating")),
            (false, true) => ("Inactive", Some("The function is idle."), Some("Idle")),
            (false, false) => ("Active", None, None),
        };
        let (update, update_reason, update_code) = match (self.updating, self.pending) {
            (true, _) => (Some("InProgress"), Some("The function is being created."), Some("Creating")),
            (false, false) => (Some("Successful"), None, None),
            (false, true) => (None, None, None),
        };
        let runtime = self.configuration.runtime.as_ref().map(|runtime| {
            let arn = format!("arn:aws:lambda:{}::runtime:{}", place.region, hex_of(runtime));
            json!({"RuntimeVersionArn": arn})
        });
        self.configuration.shown_with(
            name,
            json!({
                "FunctionName": name,
                "FunctionArn": place.arn_of(name, qualifier),
                "Version": self.label(),
                "CodeSha256": self.code.sha256,
                "CodeSize": self.code.size,
                "PackageType": if self.code.image.is_some() { "Image" } else { "Zip" },
                "LastModified": iso_with_offset(self.modified),
                "RevisionId": self.revision,
                "RuntimeVersionConfig": runtime,
                "State": state,
                "StateReason": state_reason,
                "StateReasonCode": state_code,
                "LastUpdateStatus": update,
                "LastUpdateStatusReason": update_reason,
                "LastUpdateStatusReasonCode": update_code,
            }),
        )
    }
}

/// The part of a version that `UpdateFunctionConfiguration` changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Configuration {
    pub(crate) description: String,
    pub(crate) role: String,
    pub(crate) handler: Option<String>,
    pub(crate) runtime: Option<String>,
    pub(crate) timeout: u32,
    pub(crate) memory: u32,
    pub(crate) environment: Option<BTreeMap<String, String>>,
    pub(crate) dead_letter: Option<String>,
    pub(crate) architectures: Vec<String>,
    pub(crate) storage: u32,
    pub(crate) tracing: String,
    pub(crate) snap_start: String,
    pub(crate) layers: Vec<String>,
    pub(crate) vpc: Option<Vpc>,
    pub(crate) logging: Logging,
}

impl Configuration {
    pub(crate) fn behaviour(&self) -> Result<Behaviour, Refusal> {
        let none = BTreeMap::new();
        Behaviour::read(self.environment.as_ref().unwrap_or(&none), Duration::from_secs(self.timeout.into()))
    }

    /// As an answer shows it, with other members besides.
    fn shown_with(&self, name: &str, members: Value) -> Value {
        let Logging { log_format, log_group } = &self.logging;
        let group = log_group.clone().unwrap_or_else(|| format!("/aws/lambda/{name}"));
        let vpc = |Vpc { subnet_ids, security_group_ids }: &Vpc| json!({"SubnetIds": subnet_ids, "SecurityGroupIds": security_group_ids, "VpcId": "vpc-1"});
        let layers: Vec<Value> = self.layers.iter().map(|arn| json!({"Arn": arn, "CodeSize": 1_024})).collect();
        let own = json!({
            "Architectures": self.architectures,
            "Description": self.description,
            "EphemeralStorage": {"Size": self.storage},
            "LoggingConfig": {"LogFormat": log_format.as_deref().unwrap_or("Text"), "LogGroup": group},
            "MemorySize": self.memory,
            "Role": self.role,
            "SnapStart": {"ApplyOn": self.snap_start, "OptimizationStatus": "Off"},
            "Timeout": self.timeout,
            "TracingConfig": {"Mode": self.tracing},
            "Handler": self.handler,
            "Runtime": self.runtime,
            "Environment": self.environment.as_ref().map(|variables| json!({"Variables": variables})),
            "DeadLetterConfig": self.dead_letter.as_ref().map(|queue| json!({"TargetArn": queue})),
            "VpcConfig": self.vpc.as_ref().map(vpc),
            "Layers": Some(layers).filter(|layers| !layers.is_empty()),
        });
        merged(members, own)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Vpc {
    subnet_ids: Vec<String>,
    security_group_ids: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Logging {
    log_format: Option<String>,
    log_group: Option<String>,
}

/// An alias, with what it was before its last write.
#[derive(Clone, Debug)]
pub(crate) struct Alias {
    pub(crate) state: AliasState,
    /// How invocations are routed; follows the state after the account's routing delay.
    pub(crate) routing: Routing,
    pub(crate) earlier_routing: Option<(Time, Routing)>,
    /// When it was last written, and its state before.
    pub(crate) earlier: (Time, Option<AliasState>),
}

impl Alias {
    pub(crate) fn show(&self, place: &Place, function: &str, name: &str) -> Value {
        show_alias(&self.state, place, function, name)
    }

    pub(crate) fn routing(&self, now: Time) -> Routing {
        match self.earlier_routing {
            Some((until, earlier)) if now < until => earlier,
            Some(_) | None => self.routing,
        }
    }
}

/// How an alias routes its invocations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Routing {
    /// None: `$LATEST`.
    pub(crate) primary: Option<u32>,
    pub(crate) additional: Option<(u32, f64)>,
}

impl Routing {
    pub(crate) fn of(state: &AliasState) -> Self {
        let additional = state.weights.iter().next();
        Self {
            primary: state.version.parse().ok(),
            additional: additional.and_then(|(version, weight)| Some((version.parse().ok()?, *weight))),
        }
    }

    /// Chooses for one invocation, independent of the others; the additional version gets `factor` times its weight.
    pub(crate) fn choose(self, factor: f64, rng: &mut fastrand::Rng) -> Option<u32> {
        match self.additional {
            Some((version, weight)) if rng.f64() < weight * factor => Some(version),
            Some(_) | None => self.primary,
        }
    }
}

pub(crate) fn show_alias(state: &AliasState, place: &Place, function: &str, name: &str) -> Value {
    let weights = Some(&state.weights).filter(|weights| !weights.is_empty());
    json!({
        "AliasArn": place.qualified(function, name),
        "Description": state.description,
        "FunctionVersion": state.version,
        "Name": name,
        "RevisionId": state.revision,
        "RoutingConfig": weights.map(|weights| json!({ "AdditionalVersionWeights": weights })),
    })
}
