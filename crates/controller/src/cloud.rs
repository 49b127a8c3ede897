//! What does the controller need of AWS? The port, and how its calls can fail.
//!
//! One thing implements it: the AWS SDK. Tests put a simulated AWS below the SDK, never a double in place of this trait.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

pub use rollout::alias::{Held, Revision};
use rollout::candidate::Facts;
pub use rollout::candidate::{State, Update};
pub use rollout::failure::Failure;
use rollout::health::AlarmSeen;
use rollout::hook::HookUrl;
use rollout::subject::{FunctionName, Qualified, Subject};
use rollout::{Alias, Time, Version};

use crate::differences::Frozen;
use crate::keep::{AlarmRule, KeptAlarm};
pub use crate::surroundings::{EventSource, FunctionUrl, Series, Watch};

/// The cloud, as far as a rollout is concerned.
///
/// # Guarantees
/// - Reads are tried again within themselves where that is safe; [`Cloud::update_alias`], [`Cloud::create_alias`],
///   [`Cloud::invoke`] and [`Cloud::post`] are sent once.
/// - Every call ends: with an answer, or with an error within its own time-out.
/// - A failed call that may have had its effect all the same is [`Failure::Unanswered`], never anything else.
///
/// # Cancel safety
/// Reads may be dropped at any time. A write that is dropped may have had its effect: do not drop writes.
///
/// # Errors
/// Every call gives a [`CloudError`]; its [`Failure`] says what can be done about it.
pub trait Cloud {
    /// AWS' time: this machine's clock, corrected by the `Date` headers of the answers so far.
    fn time(&self) -> Time;

    /// The Region that is talked to.
    fn region(&self) -> &str;

    /// When the credentials end, where that is known and nothing will renew them.
    fn expiry(&self) -> Option<Time>;

    /// Reads the alias; `None` where it does not exist. A missing function is an error.
    fn alias(&self, subject: &Subject) -> impl Future<Output = Result<Option<Held>, CloudError>>;

    /// Writes the whole alias if it still has this revision.
    fn update_alias(
        &self,
        subject: &Subject,
        desired: &Alias,
        revision: &Revision,
    ) -> impl Future<Output = Result<Held, CloudError>>;

    /// Creates the alias; an existing one is [`Failure::Conflict`].
    fn create_alias(&self, subject: &Subject, desired: &Alias) -> impl Future<Output = Result<Held, CloudError>>;

    /// The names of a function's aliases.
    fn alias_names(&self, function: &FunctionName) -> impl Future<Output = Result<Vec<String>, CloudError>>;

    /// Reads what a function or one of its versions is. `None` is `$LATEST`.
    fn configuration(
        &self,
        function: &FunctionName,
        version: Option<Version>,
    ) -> impl Future<Output = Result<Configuration, CloudError>>;

    /// The tags of a function. `arn` is the function's, unqualified.
    fn tags(&self, arn: &str) -> impl Future<Output = Result<BTreeMap<String, String>, CloudError>>;

    /// Gives a function a tag, in place of one with this key.
    fn tag(&self, arn: &str, key: &str, value: &str) -> impl Future<Output = Result<(), CloudError>>;

    /// Takes a tag from a function, if it has one with this key.
    fn untag(&self, arn: &str, key: &str) -> impl Future<Output = Result<(), CloudError>>;

    /// The name or ARN of a stack's resource, by its logical id; `None` where it is still being made.
    fn resource(&self, stack: &str, logical_id: &str) -> impl Future<Output = Result<Option<String>, CloudError>>;

    /// Publishes `$LATEST` if it still is what was seen; gives the version that this made, or the existing one where nothing changed.
    fn publish(
        &self,
        function: &FunctionName,
        seen: &Configuration,
        description: Option<&str>,
    ) -> impl Future<Output = Result<Version, CloudError>>;

    /// Puts code into `$LATEST`; gives the hash of the code that is there now.
    fn update_code(&self, function: &FunctionName, code: &Code) -> impl Future<Output = Result<String, CloudError>>;

    /// Whether the alias has provisioned concurrency.
    fn provisioned(&self, subject: &Subject) -> impl Future<Output = Result<bool, CloudError>>;

    /// Reads the alarms of these names, composites too. Those that do not exist are left out. Whoever has read them at `known` is given
    /// a newer answer.
    fn alarms(&self, names: &[String], known: Time) -> impl Future<Output = Result<Dated<Vec<AlarmSeen>>, CloudError>>;

    /// When an alarm last went to ALARM since `since`, if it did: read from its history, composites too.
    fn last_red(&self, name: &str, since: Time) -> impl Future<Output = Result<Option<Time>, CloudError>>;

    /// Counts the calls of each pair's versions, minute by minute, in the pairs' order. Minutes in which neither has data are left
    /// out; what is given of one pair is whole, or an error.
    fn counts(&self, pairs: &[Pair]) -> impl Future<Output = Dated<Vec<Result<Vec<Counted>, CloudError>>>>;

    /// What the calls of an alias were like, whichever version answered, in parts of `every`. Parts without calls are left out.
    fn usual(
        &self,
        subject: &Subject,
        from: Time,
        to: Time,
        every: Duration,
    ) -> impl Future<Output = Result<Vec<Usual>, CloudError>>;

    /// What the alarm of this name is, and whose; `None` where there is none.
    fn kept_alarm(&self, name: &str) -> impl Future<Output = Result<Option<KeptAlarm>, CloudError>>;

    /// Makes an alarm, tagged as kept for `owner`, or changes it to this. Doing it twice does it once.
    fn put_alarm(&self, rule: &AlarmRule, owner: &str) -> impl Future<Output = Result<(), CloudError>>;

    /// Takes an alarm out of its state, until it is evaluated again.
    fn reset_alarm(&self, name: &str) -> impl Future<Output = Result<(), CloudError>>;

    /// The names of alarms that begin so, one page of them: for a person who mistyped one.
    fn alarm_names(&self, prefix: &str) -> impl Future<Output = Result<Vec<String>, CloudError>>;

    /// What feeds queues and streams to a function: at least to exactly what is named here; where no alias or version is named, AWS may
    /// list theirs, too.
    fn event_sources(&self, function: &Qualified) -> impl Future<Output = Result<Vec<EventSource>, CloudError>>;

    /// A function's own addresses, those of its aliases too; one page of them.
    fn function_urls(&self, function: &FunctionName) -> impl Future<Output = Result<Vec<FunctionUrl>, CloudError>>;

    /// The policy of the function itself, which says who else may call it, as JSON; `None` where it has none.
    fn policy(&self, function: &FunctionName) -> impl Future<Output = Result<Option<String>, CloudError>>;

    /// How often a function was called by each of these names (`hello`, `hello:live`), in their order; `None` stands for all calls.
    fn calls(
        &self,
        function: &FunctionName,
        by: &[Option<String>],
        from: Time,
        to: Time,
    ) -> impl Future<Output = Result<Vec<f64>, CloudError>>;

    /// What alarms look at, composites too. Those that do not exist are left out.
    fn watches(&self, names: &[String]) -> impl Future<Output = Result<Vec<Watch>, CloudError>>;

    /// Invokes a function once and waits for its answer. `limit` is how long to wait.
    fn invoke(&self, function: &Qualified, payload: &[u8], limit: Duration) -> impl Future<Output = Result<Reply, CloudError>>;

    /// Sends a hook's question to its URL once, signed by nobody, and waits for the answer. Redirects are not followed. One that says
    /// it was too much is [`Failure::Throttled`]; every other status is an answer.
    fn post(&self, url: &HookUrl, payload: &[u8], limit: Duration) -> impl Future<Output = Result<Page, CloudError>>;

    /// Whether a write would be permitted. It is asked for on conditions that nothing meets, so that nothing is written: neither
    /// the answer to that nor any other refusal but [`Failure::Denied`] speaks against it.
    fn may_write(&self, subject: &Subject, write: &Write<'_>) -> impl Future<Output = Result<(), CloudError>>;

    /// Whether a function could be invoked: it exists and permission is given. Does not run it.
    fn invocable(&self, function: &Qualified) -> impl Future<Output = Result<(), CloudError>>;
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
    /// Everything else that makes one version another than the next: environment, memory, layers and the like.
    pub frozen: Frozen,
}

impl Configuration {
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
pub struct Pair {
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
pub struct Counted {
    /// When it began.
    pub start: Time,
    /// Stable's calls.
    pub stable: Tally,
    /// The candidate's.
    pub candidate: Tally,
}

/// The calls of one version that began in a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// All of them.
    pub calls: f64,
    /// Those that threw or timed out.
    pub errors: f64,
    /// The longest, in milliseconds.
    pub longest: f64,
    /// Those whose duration is known.
    pub timed: f64,
    /// Per cent of these within the limit at the 90th percentile, and at the 99th, where that was asked for.
    pub within: [Option<f64>; 2],
}

/// What the calls of an alias were like in a part of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usual {
    /// When it began.
    pub start: Time,
    /// How many calls there were.
    pub calls: f64,
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

/// What an invocation came back with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The answer, as the function gave it.
    pub payload: Vec<u8>,
    /// `Handled` or `Unhandled` where the function threw or timed out.
    pub function_error: Option<String>,
    /// The last 4 KB of its log.
    pub log: String,
}

/// What a URL answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// Where it would rather be asked.
    pub location: Option<String>,
    /// What it said, as far as it was read: 64 KB.
    pub body: Vec<u8>,
}

/// A call that did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudError {
    /// What kind of failure, which decides what can be done about it.
    pub failure: Failure,
    /// The operation, as AWS calls it: `UpdateAlias`.
    pub operation: &'static str,
    /// What AWS or the client said.
    pub message: String,
    /// AWS' code for it, where there was an answer.
    pub code: Option<String>,
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, message, code, .. } = self;
        match code {
            Some(code) => write!(f, "{operation}: {code}: {message}"),
            None => write!(f, "{operation}: {message}"),
        }
    }
}

impl std::error::Error for CloudError {}

/// Waiting. Apart from it, the controller knows no clock but AWS'.
pub trait Clock {
    /// Ends after this span.
    fn sleep(&self, span: Duration) -> impl Future<Output = ()>;
}
