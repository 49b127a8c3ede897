//! What is a function, a version, an alias? The state of this Lambda and how each part is shown; operations are elsewhere.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::behaviour::Behaviour;
use super::code::{Code, hex_of};
use super::name::Place;
use super::refusal::Refusal;
use crate::calendar::iso_with_offset;
use crate::log::AliasState;
use crate::time::Time;

/// A function with everything that belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) latest: Version,
    pub(crate) versions: BTreeMap<u32, Version>,
    /// The number that the next published version gets; numbers are never used twice.
    pub(crate) next_version: u32,
    pub(crate) aliases: BTreeMap<String, Alias>,
    /// From when until when which share of all calls fails, whatever version they reach.
    pub(crate) incidents: Vec<(Range<Time>, f64)>,
    /// How many times the share that an alias announces its additional version really gets.
    pub(crate) misrouting: f64,
    pub(crate) tags: BTreeMap<String, String>,
    /// By qualifier: executions asked for, and when.
    pub(crate) provisioned: BTreeMap<String, (u32, Time)>,
    /// Executions kept for this function alone.
    pub(crate) reserved: Option<u32>,
    /// By qualifier (empty for none): the statements of its resource policy.
    pub(crate) policies: BTreeMap<String, Vec<Value>>,
    /// By qualifier (empty for none): the kind of authentication, and when it was made.
    pub(crate) urls: BTreeMap<String, (String, Time)>,
    /// `$LATEST` as it was until that moment, for stale reads; none: there was no function.
    pub(crate) earlier: (Time, Option<Box<Version>>),
}

/// What a qualifier stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Qualified {
    Latest,
    Version(u32),
    Alias(String),
}

impl Function {
    /// Finds what a qualifier stands for, if it is there.
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

    /// The share of all calls that fails at this moment because of something outside.
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
    /// `Inactive`: put to sleep for want of calls, until the next one, which fails.
    pub(crate) idle: bool,
    /// Whether an update is in progress.
    pub(crate) updating: bool,
    /// What runs when it is called: during an update still what ran before it.
    pub(crate) serving: Behaviour,
}

impl Version {
    /// The version's number, or `$LATEST`.
    pub(crate) fn label(&self) -> String {
        self.number.map_or_else(|| "$LATEST".to_owned(), |number| number.to_string())
    }

    /// Whether publishing `self` again would make the same thing as `published`.
    pub(crate) fn is_same_release(&self, published: &Self) -> bool {
        let undescribed =
            Configuration { description: self.configuration.description.clone(), ..published.configuration.clone() };
        self.code == published.code && self.configuration == undescribed
    }

    pub(crate) fn show(&self, place: &Place, name: &str, qualifier: Option<&str>) -> Map<String, Value> {
        let mut shown = self.configuration.show(name);
        let mut put = |member: &str, value: Value| shown.insert(member.to_owned(), value);
        put("FunctionName", name.into());
        put("FunctionArn", place.arn_of(name, qualifier).into());
        put("Version", self.label().into());
        put("CodeSha256", self.code.sha256.clone().into());
        put("CodeSize", self.code.size.into());
        put("PackageType", if self.code.image.is_some() { "Image" } else { "Zip" }.into());
        put("LastModified", iso_with_offset(self.modified).into());
        put("RevisionId", self.revision.clone().into());
        if let Some(runtime) = &self.configuration.runtime {
            let arn = format!("arn:aws:lambda:{}::runtime:{}", place.region, hex_of(runtime));
            put("RuntimeVersionConfig", json!({"RuntimeVersionArn": arn}));
        }
        if self.pending {
            put("State", "Pending".into());
            put("StateReason", "The function is being created.".into());
            put("StateReasonCode", "Creating".into());
        } else if self.idle {
            put("State", "Inactive".into());
            put("StateReason", "The function is idle.".into());
            put("StateReasonCode", "Idle".into());
        } else {
            put("State", "Active".into());
        }
        if self.updating {
            put("LastUpdateStatus", "InProgress".into());
            put("LastUpdateStatusReason", "The function is being created.".into());
            put("LastUpdateStatusReasonCode", "Creating".into());
        } else if !self.pending {
            put("LastUpdateStatus", "Successful".into());
        }
        shown
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
    /// None: never set, and then not shown.
    pub(crate) environment: Option<BTreeMap<String, String>>,
    /// The ARN of the queue or topic.
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

    fn show(&self, name: &str) -> Map<String, Value> {
        let group = self.logging.log_group.clone().unwrap_or_else(|| format!("/aws/lambda/{name}"));
        let mut shown = Map::new();
        let mut put = |member: &str, value: Value| shown.insert(member.to_owned(), value);
        put("Architectures", json!(self.architectures));
        put("Description", self.description.clone().into());
        put("EphemeralStorage", json!({"Size": self.storage}));
        put("LoggingConfig", json!({"LogFormat": self.logging.log_format.as_deref().unwrap_or("Text"), "LogGroup": group}));
        put("MemorySize", self.memory.into());
        put("Role", self.role.clone().into());
        put("SnapStart", json!({"ApplyOn": self.snap_start, "OptimizationStatus": "Off"}));
        put("Timeout", self.timeout.into());
        put("TracingConfig", json!({"Mode": self.tracing}));
        if let Some(handler) = &self.handler {
            put("Handler", handler.clone().into());
        }
        if let Some(runtime) = &self.runtime {
            put("Runtime", runtime.clone().into());
        }
        if let Some(environment) = &self.environment {
            put("Environment", json!({"Variables": environment}));
        }
        if let Some(queue) = &self.dead_letter {
            put("DeadLetterConfig", json!({"TargetArn": queue}));
        }
        if let Some(Vpc { subnet_ids, security_group_ids }) = &self.vpc {
            put("VpcConfig", json!({"SubnetIds": subnet_ids, "SecurityGroupIds": security_group_ids, "VpcId": "vpc-1"}));
        }
        if !self.layers.is_empty() {
            put("Layers", self.layers.iter().map(|arn| json!({"Arn": arn, "CodeSize": 1_024})).collect());
        }
        shown
    }
}

/// The network that a function is in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Vpc {
    subnet_ids: Vec<String>,
    security_group_ids: Vec<String>,
}

/// Where and how a function logs.
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
    /// What callers are routed by; follows the state with the account's routing delay.
    pub(crate) routing: Routing,
    /// The routing until that moment.
    pub(crate) earlier_routing: Option<(Time, Routing)>,
    /// When it was last written, and what stood before.
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

/// How an alias sends its calls: numbers only, as it is asked for every call.
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

    /// Chooses for one call, with no memory of the one before; the additional version gets `factor` times its share.
    pub(crate) fn choose(self, factor: f64, rng: &mut fastrand::Rng) -> Option<u32> {
        match self.additional {
            Some((version, weight)) if rng.f64() < weight * factor => Some(version),
            Some(_) | None => self.primary,
        }
    }
}

pub(crate) fn show_alias(state: &AliasState, place: &Place, function: &str, name: &str) -> Value {
    let mut shown = json!({
        "AliasArn": place.qualified(function, name),
        "Description": state.description,
        "FunctionVersion": state.version,
        "Name": name,
        "RevisionId": state.revision,
    });
    if let (false, Some(members)) = (state.weights.is_empty(), shown.as_object_mut()) {
        members.insert("RoutingConfig".to_owned(), json!({"AdditionalVersionWeights": state.weights}));
    }
    shown
}
