//! What does the controller say to AWS, and what does AWS answer? The values of the port.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rollout::alias::Revision;
use rollout::candidate::{Facts, State, Update};
use rollout::target::Subject;
use rollout::{Alias, Signal, Time, Version};
use serde::{Deserialize, Serialize};

use super::calls::Call;

/// The key of the tag that says whose an alarm is.
pub const TAG: &str = "canaryctl";

/// The provisioned concurrency of an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provisioned {
    /// It has none.
    None,
    /// It is where it is to be, or AWS has given up bringing it there.
    There,
    /// AWS allocates it: when the alias' version has changed, with weights of its own until that is done.
    Moving,
}

/// What a function, or a version of it, is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The whole ARN, qualifier included where it has one.
    pub arn: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// The hash of the code, base 64 of its SHA-256.
    pub code_sha256: String,
    /// The revision of the configuration.
    pub revision: Revision,
    /// Whether it can be invoked.
    pub state: State,
    /// How its last update is doing.
    pub update: Update,
    /// The execution role's ARN.
    pub role: String,
    /// The dead-letter queue or topic.
    pub dead_letter: Option<String>,
    /// The log group that it was given; without one it writes to `/aws/lambda/` and its name.
    pub log_group: Option<String>,
    /// Everything else that makes one version another than the next: environment, memory, layers and the like.
    pub frozen: FunctionConfigSnapshot,
}

impl Configuration {
    /// The log group that it writes to.
    pub fn log_group(&self) -> String {
        let name = || self.arn.split(':').nth(6).unwrap_or_default();
        self.log_group.clone().unwrap_or_else(|| default_log_group(name()))
    }

    /// What decides whether it can take traffic.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            version: &self.version,
            code: &self.code_sha256,
            state: &self.state,
            update: &self.update,
            role: &self.role,
            dead_letter: self.dead_letter.as_deref(),
        }
    }
}

/// What a version freezes beside its code, its role and its dead-letter queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionConfigSnapshot {
    /// What runs it: `nodejs22.x`.
    pub runtime: Option<String>,
    /// What of its code is called.
    pub handler: Option<String>,
    /// In megabytes.
    pub memory: Option<i32>,
    /// In seconds.
    pub timeout: Option<i32>,
    /// Its own disk, in megabytes.
    pub storage: Option<i32>,
    /// `x86_64` or `arm64`.
    pub architectures: Vec<String>,
    /// `Zip` or `Image`.
    pub package: Option<String>,
    /// Whether calls are traced: `Active` or `PassThrough`.
    pub tracing: Option<String>,
    /// Whether it starts from a snapshot: `PublishedVersions` or `None`.
    pub snap_start: Option<String>,
    /// The layers' ARNs, in order.
    pub layers: Vec<String>,
    /// The subnets that it runs in, in order.
    pub subnets: Vec<String>,
    /// The security groups that it runs in, in order.
    pub security_groups: Vec<String>,
    /// The names of its variables, with a hash of each one's value: values may be secrets. `None` where they cannot be decrypted.
    pub environment: Option<BTreeMap<String, u32>>,
    /// Whether it is a durable function: an execution stays on the version that it began on, however often it is resumed.
    pub durable: bool,
    /// How it isolates tenants, where it does: `PER_TENANT`.
    pub tenants: Option<String>,
    /// The ARN of the capacity provider whose instances it runs on, where it runs on Lambda Managed Instances.
    pub capacity_provider: Option<String>,
}

/// The log group of a function that was given none.
pub fn default_log_group(function: &str) -> String {
    format!("/aws/lambda/{function}")
}

/// Code to put into `$LATEST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// The bytes of a deployment package.
    Zip(Vec<u8>),
    /// The URI of a container image.
    Image(String),
}

/// The two versions of a rollout, whose calls are to be counted.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionPair {
    /// The alias that both are called through.
    pub subject: Subject,
    /// The stable version.
    pub stable: Version,
    /// The candidate.
    pub candidate: Version,
    /// From which minute on.
    pub from: Time,
    /// What counts as slow, where that is to be counted.
    pub limits: Option<Limits>,
    /// The signals whose metrics are counted too; those in logs are not.
    pub signals: Vec<Signal>,
}

/// What was counted of a pair.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairCounts {
    /// Minute by minute, those left out in which neither version has data.
    pub minutes: Vec<MinuteCounts>,
    /// The same of each signal, in their order.
    pub signals: Vec<Vec<SignalMinute>>,
}

/// One minute of a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignalMinute {
    /// When it began.
    pub start: Time,
    /// What stable counted.
    pub stable: SignalCounts,
    /// What the candidate counted.
    pub candidate: SignalCounts,
}

/// What a signal counted of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SignalCounts {
    /// The requests; 0 where it has no metric for them, and the invocations stand for them.
    pub requests: f64,
    /// Those that failed, or more where two series are out of step.
    pub failures: f64,
}

impl SignalCounts {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: &Self) -> Self {
        Self { requests: self.requests + other.requests, failures: self.failures + other.failures }
    }
}

/// A metric that exists: its namespace and the names and values of its dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownMetric {
    /// The namespace.
    pub namespace: String,
    /// The dimensions.
    pub dimensions: BTreeMap<String, String>,
}

/// What counts as slow, in milliseconds: what 90, and 99, of 100 of stable's calls took at most before the rollout, and a little more
/// for the candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// At the 90th percentile.
    pub p90: Limit,
    /// At the 99th, where there were calls enough to know it.
    pub p99: Option<Limit>,
    /// Whether slow calls decide: then not knowing them is not knowing enough.
    pub decide: bool,
}

/// What counts as slow, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// For stable.
    pub stable: f64,
    /// For the candidate.
    pub candidate: f64,
}

/// An answer, and when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated<T> {
    /// When: what happened later is not in it.
    pub at: Time,
    /// What was answered.
    pub answer: T,
}

/// One minute of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MinuteCounts {
    /// When it began.
    pub start: Time,
    /// Stable's calls.
    pub stable: VersionCounts,
    /// The candidate's.
    pub candidate: VersionCounts,
}

/// The calls of one version that began in a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VersionCounts {
    /// All of them.
    pub calls: f64,
    /// Those that threw or timed out.
    pub errors: f64,
    /// The longest, in milliseconds.
    pub longest: f64,
    /// Those whose duration is known.
    pub timed: f64,
    /// Percent of these within the limit at the 90th percentile, and at the 99th, where that was asked for.
    pub within: [Option<f64>; 2],
}

/// What the calls of an alias were like in a part of the past.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline {
    /// When it began.
    pub start: Time,
    /// How many calls there were.
    pub calls: f64,
    /// When each minute with calls began, in order, and how many they were.
    pub minutes: Vec<(Time, f64)>,
    /// How many failed.
    pub errors: f64,
    /// How many durations are known.
    pub timed: f64,
    /// What 90 of 100 took at most, in milliseconds.
    pub p90: Option<f64>,
    /// What 99 of 100 took at most, in milliseconds.
    pub p99: Option<f64>,
}

/// A write that a rollout will have to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write<'a> {
    /// An update of the alias, which is this at the moment: should every condition be ignored, nothing but this is written. It may
    /// also not exist yet.
    Alias(Option<&'a Alias>),
    /// The creation of the alias.
    NewAlias,
    /// A new version.
    Version,
    /// New code for `$LATEST`.
    Code,
}

impl Write<'_> {
    /// The call that makes it.
    pub fn call(&self) -> Call {
        match self {
            Self::Alias(_) => Call::UpdateAlias,
            Self::NewAlias => Call::CreateAlias,
            Self::Version => Call::PublishVersion,
            Self::Code => Call::UpdateFunctionCode,
        }
    }
}

/// What an invocation came back with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvocationResult {
    /// The answer, as the function gave it.
    pub payload: Vec<u8>,
    /// `Handled` or `Unhandled` where the function threw or timed out.
    pub function_error: Option<String>,
    /// The last 4 KB of its log.
    pub log: String,
}

/// What a URL answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpHookResponse {
    /// The status.
    pub status: u16,
    /// Where it would rather be asked.
    pub location: Option<String>,
    /// What it said, as far as it was read: 64 KB.
    pub body: Vec<u8>,
}

/// What an alarm on one metric looks at, and when it is in ALARM. Words are AWS' own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmRule {
    /// Its name.
    pub name: String,
    /// The metric's namespace.
    pub namespace: String,
    /// The metric.
    pub metric: String,
    /// `Sum`, `Average` and the like, or a percentile such as `p99`.
    pub statistic: String,
    /// What the statistic is compared with.
    pub threshold: f64,
    /// How: `GreaterThanThreshold` and the like.
    pub comparison: String,
    /// The span of one data point.
    pub period: Duration,
    /// How many data points are looked at.
    pub evaluation_periods: u32,
    /// How many of them have to be bad.
    pub datapoints: u32,
    /// What to make of those that are missing: `notBreaching` and the like.
    pub missing_data: String,
    /// The metric's dimensions; none stand for the candidate's own.
    pub dimensions: BTreeMap<String, String>,
}

/// Everything but the name.
impl fmt::Display for AlarmRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, metric, statistic, threshold, comparison, evaluation_periods, datapoints, .. } = self;
        let (period, missing) = (rollout::format::exact(self.period), &self.missing_data);
        let count = if datapoints == evaluation_periods { String::new() } else { format!("{datapoints} of ") };
        write!(
            f,
            "{statistic} of {namespace} {metric} {comparison} {threshold}, {count}{evaluation_periods} × {period}, {missing}"
        )?;
        self.dimensions.iter().try_for_each(|(name, value)| write!(f, ", {name}={value}"))
    }
}

/// An alarm of that name, as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedAlarm {
    /// What it looks at; `None` where that is more than a rule can say.
    pub rule: Option<AlarmRule>,
    /// What its tag says: the function and alias that it is kept for.
    pub owner: Option<String>,
    /// Whether it is in ALARM.
    pub in_alarm: bool,
}

/// What feeds a queue or a stream to a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSource {
    /// The mapping's UUID.
    pub id: String,
    /// The ARN of the queue or stream, where it has one.
    pub source: Option<String>,
    /// The ARN of what it calls, qualified where it names an alias or a version.
    pub function: String,
    /// Whether it calls, or is about to.
    pub active: bool,
}

/// An address of a function's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionUrl {
    /// The address.
    pub url: String,
    /// The ARN of what it calls, qualified where it names an alias.
    pub function: String,
    /// `NONE` or `AWS_IAM`.
    pub auth: String,
}

/// What an alarm looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    /// Its name.
    pub name: String,
    /// The metrics; none where it is composite, or looks at something that cannot be told.
    pub series: Vec<Series>,
    /// The alarms that a composite one looks at.
    pub children: Vec<String>,
    /// The log groups that a log alarm's query reads.
    pub log_groups: Vec<String>,
    /// How long its condition must hold before it fires, where it says so.
    pub fires_after: Option<Duration>,
}

/// One metric, as an alarm looks at it. Words are AWS' own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The namespace.
    pub namespace: String,
    /// The metric.
    pub metric: String,
    /// `Sum`, `Minimum` and the like, or a percentile.
    pub statistic: String,
    /// The dimensions.
    pub dimensions: BTreeMap<String, String>,
}

/// A stack, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackResources {
    /// Its name.
    pub name: String,
    /// Its id, an ARN.
    pub id: String,
    /// What is in it: the first hundred.
    pub resources: Vec<StackResource>,
}

/// One thing of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackResource {
    /// Its name in the template.
    pub logical_id: String,
    /// Its name or ARN in the account; `None` while it is being made.
    pub physical_id: Option<String>,
    /// When the stack last changed it.
    pub changed: Option<Time>,
}

/// One execution of a guard, as the service names it and what it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardExecution {
    /// The state machine's ARN.
    pub machine: String,
    /// Its name: the rollout's id and the owner's token, so that the same start twice is one.
    pub name: String,
    /// Its input, as JSON.
    pub input: String,
}

/// An execution of a guard, as the service tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSeen {
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED` …
    pub status: String,
    /// When it began.
    pub started_at: Time,
}

/// A message for a topic of SNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMessage {
    /// The topic's ARN.
    pub topic: String,
    /// At most 100 printable letters of ASCII.
    pub subject: String,
    /// At most 256 KB with the subject.
    pub body: String,
}

/// An event for a bus of `EventBridge`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusEvent {
    /// The bus' name or ARN.
    pub bus: String,
    /// Who sends it; never `aws.` and more.
    pub source: String,
    /// What kind it is.
    pub detail_type: String,
    /// A JSON object, as text.
    pub detail: String,
    /// When it happened.
    pub at: Time,
}
