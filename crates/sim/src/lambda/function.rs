//! What is a function, a version, an alias? The state of this Lambda and how each part is shown; operations are elsewhere.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Fate};
use super::call::inputs;
use super::code::{Code, hex_of};
use super::name::Place;
use super::refusal::Refusal;
use crate::calendar::iso_with_offset;
use crate::log::AliasState;
use crate::logs::Output;
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
    /// By qualifier (empty for none): how asynchronous invocations are retried, and when that was said.
    pub(crate) invoke_configs: BTreeMap<String, (InvokeConfig, Time)>,
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

impl Qualified {
    /// As an ARN has it, except that `$LATEST` is mostly left out there.
    pub(crate) fn written(&self) -> String {
        match self {
            Self::Latest => "$LATEST".to_owned(),
            Self::Version(number) => number.to_string(),
            Self::Alias(alias) => alias.clone(),
        }
    }
}

/// Which version an invocation runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Routed {
    pub(crate) number: Option<u32>,
    /// Whether it was chosen by weights.
    pub(crate) weighted: bool,
}

impl Function {
    /// The version of this number; none is `$LATEST`.
    pub(crate) fn numbered(&self, number: Option<u32>) -> Option<&Version> {
        match number {
            None => Some(&self.latest),
            Some(number) => self.versions.get(&number),
        }
    }

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
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
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
    /// What the description of `$LATEST` was when this was published of it.
    pub(crate) described: Option<String>,
    /// Whether it was published with an upload: it gets another revision when that has finished.
    pub(crate) uploaded: bool,
    /// What an invocation runs: during an update, still the earlier code.
    pub(crate) serving: Behaviour,
}

impl Version {
    pub(crate) fn label(&self) -> String {
        self.number.map_or_else(|| "$LATEST".to_owned(), |number| number.to_string())
    }

    /// The state, with its reason and the code of that.
    pub(crate) fn state(&self) -> (&'static str, Option<(&'static str, &'static str)>) {
        let fate = self.number.and(self.serving.state);
        match (self.pending || fate == Some(Fate::Stays), fate, self.idle) {
            (true, ..) => ("Pending", Some(("The function is being created.", "Creating"))),
            (false, Some(Fate::Fails), _) => ("Failed", Some((INIT_FAILED, "FunctionError"))),
            (false, _, true) => ("Inactive", Some(("The function is idle.", "Idle"))),
            (false, _, false) => ("Active", None),
        }
    }

    /// How its last update stands, with the reason and the code of that; a version that is being made has had none.
    fn update(&self) -> (Option<&'static str>, Option<(&'static str, &'static str)>) {
        let fate = if self.number.is_none() { self.serving.update } else { None };
        match (self.updating || fate == Some(Fate::Stays), fate, self.state().0 == "Pending") {
            (true, ..) => (Some("InProgress"), Some(("The function is being created.", "Creating"))),
            (false, Some(_), _) => (Some("Failed"), Some((UPDATE_FAILED, "InternalError"))),
            (false, None, false) => (Some("Successful"), None),
            (false, None, true) => (None, None),
        }
    }

    /// Whether an update of it has not ended.
    pub(crate) fn is_updating(&self) -> bool {
        self.update().0 == Some("InProgress")
    }

    /// Whether publishing `self` again would make the same thing as `published`.
    pub(crate) fn is_same_release(&self, published: &Self) -> bool {
        let undescribed = Configuration { description: published.described.clone(), ..published.configuration.clone() };
        self.code == published.code && self.configuration == undescribed
    }

    pub(crate) fn show(&self, place: &Place, name: &str, qualifier: Option<&str>) -> Value {
        let ((state, state_why), (update, update_why)) = (self.state(), self.update());
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
                "StateReason": state_why.map(|(reason, _)| reason),
                "StateReasonCode": state_why.map(|(_, code)| code),
                "LastUpdateStatus": update,
                "LastUpdateStatusReason": update_why.map(|(reason, _)| reason),
                "LastUpdateStatusReasonCode": update_why.map(|(_, code)| code),
            }),
        )
    }

    /// As lists show it: without what it is doing.
    pub(crate) fn listed(&self, place: &Place, name: &str, qualifier: Option<&str>) -> Value {
        let mut shown = self.show(place, name, qualifier);
        if let Some(members) = shown.as_object_mut() {
            members.retain(|name, _| {
                !name.starts_with("State") && !name.starts_with("LastUpdate") && name != "RuntimeVersionConfig"
            });
        }
        shown
    }
}

inputs! {
    Configuration {
        description: String,
        role: String,
        handler: String,
        runtime: String,
        timeout: i64,
        memory_size: i64,
        environment: Environment,
        dead_letter_config: DeadLetter,
        architectures: Vec<String>,
        ephemeral_storage: Storage,
        tracing_config: Tracing,
        snap_start: SnapStart,
        layers: Vec<String>,
        vpc_config: Vpc,
        logging_config: Logging,
        #[serde(rename = "KMSKeyArn")]
        kms_key_arn: String,
        file_system_configs: Vec<FileSystem>,
        durable_config: Value,
        tenancy_config: Value,
        capacity_provider_config: Value,
    }
    FileSystem { arn: String, local_mount_path: String }
    Environment { variables: BTreeMap<String, String> }
    DeadLetter { target_arn: String }
    Storage { size: i64 }
    Tracing { mode: String }
    SnapStart { apply_on: String }
    Logging { log_format: String, log_group: String, application_log_level: String, system_log_level: String }
    InvokeConfig { maximum_retry_attempts: i64, maximum_event_age_in_seconds: i64, destination_config: Value }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Vpc {
    subnet_ids: Vec<String>,
    security_group_ids: Vec<String>,
}

impl Configuration {
    /// What a function has that is created without saying more.
    pub(crate) fn blank() -> Self {
        Self {
            description: Some(String::new()),
            timeout: Some(3),
            memory_size: Some(128),
            architectures: Some(vec!["x86_64".to_owned()]),
            ephemeral_storage: Some(Storage { size: Some(512) }),
            tracing_config: Some(Tracing { mode: Some("PassThrough".to_owned()) }),
            snap_start: Some(SnapStart { apply_on: Some("None".to_owned()) }),
            ..Self::default()
        }
    }

    /// Takes over what is given and leaves the rest as it is.
    pub(crate) fn apply(&mut self, mut given: Self) {
        macro_rules! take_over {
            ($($member:ident)*) => { $(self.$member = given.$member.or(self.$member.take());)* };
        }
        if let (Some(given), Some(own)) = (&mut given.logging_config, self.logging_config.take()) {
            given.complete(own);
        }
        given.ephemeral_storage.take_if(|storage| storage.size.is_none());
        given.tracing_config.take_if(|tracing| tracing.mode.is_none());
        given.snap_start.take_if(|snap_start| snap_start.apply_on.is_none());
        take_over! {
            description role handler runtime timeout memory_size environment dead_letter_config architectures
            ephemeral_storage tracing_config snap_start layers vpc_config logging_config kms_key_arn file_system_configs
            durable_config tenancy_config capacity_provider_config
        }
        // What is given empty is taken away.
        self.kms_key_arn.take_if(|key| key.is_empty());
        self.file_system_configs.take_if(|systems| systems.is_empty());
        if let Some(environment) = &mut self.environment {
            environment.variables.get_or_insert_default();
        }
        self.dead_letter_config.take_if(|letters| letters.target_arn.as_ref().is_none_or(String::is_empty));
        self.vpc_config.take_if(|vpc| *vpc == Vpc::default());
        self.layers.take_if(|layers| layers.is_empty());
        self.logging_config.take_if(|logging| *logging == Logging::default());
    }

    pub(crate) fn behaviour(&self) -> Result<Behaviour, Refusal> {
        let variables = self.environment.as_ref().and_then(|environment| environment.variables.clone());
        let timeout = self.timeout.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default();
        let mut behaviour = Behaviour::read(&variables.unwrap_or_default(), Duration::from_secs(timeout))?;
        let logging = self.logging_config.clone().unwrap_or_default();
        let output = Output {
            json: logging.log_format.as_deref() == Some("JSON"),
            group: logging.log_group,
            python: self.runtime.as_deref().is_some_and(|runtime| runtime.starts_with("python")),
            memory: self.memory_size.unwrap_or_default(),
            ..(*behaviour.output).clone()
        };
        behaviour.output = Arc::new(output);
        Ok(behaviour)
    }

    /// As an answer shows it, with other members besides.
    fn shown_with(&self, name: &str, members: Value) -> Value {
        let layers = self.layers.iter().flatten().map(|arn| json!({"Arn": arn, "CodeSize": 1_024}));
        let Logging { log_format, log_group, application_log_level, system_log_level } =
            self.logging_config.clone().unwrap_or_default();
        // Only what is written as JSON has levels.
        let leveled =
            |level: Option<String>| level.or_else(|| Some("INFO".to_owned())).filter(|_| log_format.as_deref() == Some("JSON"));
        let (application, system) = (leveled(application_log_level), leveled(system_log_level));
        let mut own = json!(self);
        own["Layers"] = self.layers.as_ref().map(|_| layers.collect::<Value>()).into();
        own["LoggingConfig"] = json!({
            "ApplicationLogLevel": application,
            "SystemLogLevel": system,
            "LogFormat": log_format.unwrap_or_else(|| "Text".to_owned()),
            "LogGroup": log_group.unwrap_or_else(|| format!("/aws/lambda/{name}")),
        });
        own["SnapStart"]["OptimizationStatus"] = "Off".into();
        if self.vpc_config.is_some() {
            own["VpcConfig"]["VpcId"] = "vpc-1".into();
        }
        merged(members, own)
    }
}

impl Logging {
    /// Takes from `own` what is not given.
    fn complete(&mut self, own: Self) {
        self.log_format = self.log_format.take().or(own.log_format);
        self.log_group = self.log_group.take().or(own.log_group);
        self.application_log_level = self.application_log_level.take().or(own.application_log_level);
        self.system_log_level = self.system_log_level.take().or(own.system_log_level);
    }
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
    /// The version that keeps all traffic until the alias' own version has its provisioned concurrency, and until when.
    pub(crate) moving: Option<(Time, u32)>,
}

impl Alias {
    /// The version that keeps all traffic for now.
    pub(crate) fn moving_from(&self, now: Time) -> Option<u32> {
        self.moving.filter(|(until, _)| now < *until).map(|(_, from)| from)
    }

    pub(crate) fn show(&self, now: Time, place: &Place, function: &str, name: &str) -> Value {
        let mut state = self.state.clone();
        if let Some(from) = self.moving_from(now) {
            state.weights = BTreeMap::from([(from.to_string(), 1.0)]);
        }
        show_alias(&state, place, function, name)
    }

    pub(crate) fn routing(&self, now: Time) -> Routing {
        if let Some(from) = self.moving_from(now) {
            return Routing { primary: self.routing.primary, additional: Some((from, 1.0)) };
        }
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

const INIT_FAILED: &str = "An error occurred during function initialization.";
const UPDATE_FAILED: &str = "An internal error occurred during the function update.";
