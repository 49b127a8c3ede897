//! What does the controller need of AWS? The port, and how its calls can fail.
//!
//! One thing implements it: the AWS SDK. Tests put a simulated AWS below the SDK, never a double in place of this trait.

mod calls;
mod error;
mod github;
mod logs;
mod schedules;
mod types;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use rollout::health::AlarmSeen;
use rollout::hook::HookUrl;
use rollout::signal::SignalMetric;
use rollout::target::{FunctionName, Qualified, Subject};
use rollout::{Alias, Signal, Time, Version};

pub use calls::{Call, CallLimit};
pub use error::CloudError;
pub use github::GitHubRequest;
pub use logs::*;
pub use rollout::alias::{AliasSnapshot, Revision};
pub use rollout::candidate::{State, Update};
pub use rollout::failure::Failure;
pub use schedules::*;
pub use types::*;

/// What a call gives.
pub type Answer<T> = Result<T, CloudError>;

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

    /// The same for whoever has time, where there is such a one: what AWS refuses as too much is asked again for minutes.
    fn patient(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// The Region that is talked to.
    fn region(&self) -> &str;

    /// When the credentials end, where that is known and nothing will renew them.
    fn expiry(&self) -> Option<Time>;

    /// Whether the credentials end at a time that nothing says: a session's, given as they are.
    fn ends_unannounced(&self) -> impl Future<Output = bool>;

    /// Reads the alias; `None` where it does not exist. A missing function is an error.
    fn alias(&self, subject: &Subject) -> impl Future<Output = Answer<Option<AliasSnapshot>>>;

    /// Writes the whole alias if it still has this revision.
    fn update_alias(
        &self,
        subject: &Subject,
        desired: &Alias,
        revision: &Revision,
    ) -> impl Future<Output = Answer<AliasSnapshot>>;

    /// Creates the alias; an existing one is [`Failure::Conflict`].
    fn create_alias(&self, subject: &Subject, desired: &Alias) -> impl Future<Output = Answer<AliasSnapshot>>;

    /// The names of a function's aliases.
    fn alias_names(&self, function: &FunctionName) -> impl Future<Output = Answer<Vec<String>>>;

    /// Reads what a function or one of its versions is. `None` is `$LATEST`.
    fn configuration(&self, function: &FunctionName, version: Option<Version>) -> impl Future<Output = Answer<Configuration>>;

    /// The object in S3 that a version's code is read from, where Lambda keeps no copy of it. `None` for `version` is `$LATEST`.
    fn code_in_s3(&self, function: &FunctionName, version: Option<Version>) -> impl Future<Output = Answer<Option<String>>>;

    /// The numbers of a function's published versions, in order.
    fn versions(&self, function: &FunctionName) -> impl Future<Output = Answer<Vec<Version>>>;

    /// The tags of a function. `arn` is the function's, unqualified.
    fn tags(&self, arn: &str) -> impl Future<Output = Answer<BTreeMap<String, String>>>;

    /// Gives a function a tag, in place of one with this key.
    fn tag(&self, arn: &str, key: &str, value: &str) -> impl Future<Output = Answer<()>>;

    /// Takes a tag from a function, if it has one with this key.
    fn untag(&self, arn: &str, key: &str) -> impl Future<Output = Answer<()>>;

    /// The name or ARN of a stack's resource, by its logical id; `None` where it is still being made.
    fn resource(&self, stack: &str, logical_id: &str) -> impl Future<Output = Answer<Option<String>>>;

    /// The stack that has this resource, by the resource's name or ARN, with the first hundred of its resources; `None` where none has it.
    fn stack_with(&self, physical_id: &str) -> impl Future<Output = Answer<Option<StackResources>>>;

    /// The name of the stack that a nested one belongs to in the end; `None` where it is not nested.
    fn root_stack(&self, stack: &str) -> impl Future<Output = Answer<Option<String>>>;

    /// A stack's template with everything that macros made of it, in JSON or YAML; `None` where there is no such stack.
    fn template(&self, stack: &str) -> impl Future<Output = Answer<Option<String>>>;

    /// Publishes `$LATEST` if it still is what was seen; gives the version that this made, or the existing one where nothing changed.
    fn publish(
        &self,
        function: &FunctionName,
        seen: &Configuration,
        description: Option<&str>,
    ) -> impl Future<Output = Answer<Version>>;

    /// Puts code into `$LATEST`; gives the hash of the code that is there now.
    fn update_code(&self, function: &FunctionName, code: &Code) -> impl Future<Output = Answer<String>>;

    /// Whether the alias has provisioned concurrency, and whether it is where it is to be.
    fn provisioned(&self, subject: &Subject) -> impl Future<Output = Answer<Provisioned>>;

    /// The concurrency that is reserved for the function, and is all that it can have; `None` where none is.
    fn reserved_concurrency(&self, function: &FunctionName) -> impl Future<Output = Answer<Option<u32>>>;

    /// Reads the alarms of these names, composites too. Those that do not exist are left out. Whoever has read them at `known` is given
    /// a newer answer.
    fn alarms(&self, names: &[String], known: Time) -> impl Future<Output = Answer<Dated<Vec<AlarmSeen>>>>;

    /// When an alarm last went to ALARM since `since`, if it did: read from its history, composites too.
    fn last_red(&self, name: &str, since: Time) -> impl Future<Output = Answer<Option<Time>>>;

    /// Counts the calls of each pair's versions, minute by minute, in the pairs' order, and what their signals' metrics count. What is given of
    /// one pair is whole, or an error.
    fn counts(&self, pairs: &[VersionPair]) -> impl Future<Output = Dated<Vec<Answer<PairCounts>>>>;

    /// What the metrics of signals counted of a version in the past, in their order, from then to then in parts of a span. Parts without data
    /// are left out.
    fn signal_past(
        &self,
        of: (&Subject, Version),
        signals: &[Signal],
        past: (Time, Time, Duration),
    ) -> impl Future<Output = Answer<Vec<Vec<(Time, SignalCounts)>>>>;

    /// The metrics of this name that had data in the last two weeks: those of a namespace with these dimensions, whatever their values; without
    /// a namespace one page of all.
    fn known_metrics(&self, of: Option<&SignalMetric>, name: &str) -> impl Future<Output = Answer<Vec<KnownMetric>>>;

    /// What the calls of an alias were like, whichever version answered, in parts of `every`. Parts without calls are left out.
    fn baseline(&self, subject: &Subject, from: Time, to: Time, every: Duration) -> impl Future<Output = Answer<Vec<Baseline>>>;

    /// How many calls of an alias Lambda refused since then for want of concurrency: those that this version was to answer, and all.
    fn throttles(&self, subject: &Subject, version: Version, from: Time) -> impl Future<Output = Answer<(f64, f64)>>;

    /// What the alarm of this name is, and whose; `None` where there is none.
    fn managed_alarm(&self, name: &str) -> impl Future<Output = Answer<Option<ManagedAlarm>>>;

    /// Makes an alarm, tagged as kept for `owner`, or changes it to this. Doing it twice does it once.
    fn put_alarm(&self, rule: &AlarmRule, owner: &str) -> impl Future<Output = Answer<()>>;

    /// Takes an alarm out of its state, until it is evaluated again.
    fn reset_alarm(&self, name: &str) -> impl Future<Output = Answer<()>>;

    /// The names of alarms that begin so, one page of them: for a person who mistyped one.
    fn alarm_names(&self, prefix: &str) -> impl Future<Output = Answer<Vec<String>>>;

    /// Starts one execution of a state machine. Doing it twice while it runs does it once; a name that has ended is refused.
    fn start_guard(&self, execution: &GuardExecution) -> impl Future<Output = Answer<()>>;

    /// How an execution is doing, by its ARN; `None` where there is none.
    fn guard(&self, execution: &str) -> impl Future<Output = Answer<Option<GuardSeen>>>;

    /// Makes a schedule. One that is there already and is the same is success; another one of this name is [`Failure::Conflict`], and a missing
    /// group [`Failure::NotFound`].
    fn create_schedule(&self, schedule: &ScheduleSpec) -> impl Future<Output = Answer<()>>;

    /// The schedule of this name; `None` where there is none, or no group.
    fn schedule(&self, name: &str) -> impl Future<Output = Answer<Option<ScheduleSeen>>>;

    /// All schedules that are disabled.
    fn disabled_schedules(&self) -> impl Future<Output = Answer<Vec<ScheduleListed>>>;

    /// Deletes the schedule of this name. One that is gone already is success.
    fn delete_schedule(&self, name: &str) -> impl Future<Output = Answer<()>>;

    /// What feeds queues and streams to a function: at least to exactly what is named here; where no alias or version is named, AWS may
    /// list theirs, too.
    fn event_sources(&self, function: &Qualified) -> impl Future<Output = Answer<Vec<EventSource>>>;

    /// A function's own addresses, those of its aliases too; one page of them.
    fn function_urls(&self, function: &FunctionName) -> impl Future<Output = Answer<Vec<FunctionUrl>>>;

    /// The policy of a function, or of its alias or version, which says who else may call it, as JSON; `None` where it has none.
    fn policy(&self, function: &Qualified) -> impl Future<Output = Answer<Option<String>>>;

    /// How often a function was called by each of these names (`hello`, `hello:live`), in their order; `None` stands for all calls.
    fn calls(
        &self,
        function: &FunctionName,
        by: &[Option<String>],
        from: Time,
        to: Time,
    ) -> impl Future<Output = Answer<Vec<f64>>>;

    /// What alarms look at, composites too. Those that do not exist are left out.
    fn watches(&self, names: &[String]) -> impl Future<Output = Answer<Vec<Watch>>>;

    /// Whether there is a log group of this name.
    fn has_log_group(&self, name: &str) -> impl Future<Output = Answer<bool>>;

    /// Begins a query of `CloudWatch` Logs Insights; gives the id by which its answer is asked for.
    fn start_query(&self, query: &LogQuery) -> impl Future<Output = Answer<String>>;

    /// The answer to a query; `None` while it is running. One that failed, or was stopped, is [`Failure::Invalid`].
    fn query_results(&self, id: &str) -> impl Future<Output = Answer<Option<LogRows>>>;

    /// Stops a query, so that it costs no more.
    fn stop_query(&self, id: &str) -> impl Future<Output = Answer<()>>;

    /// The lines of a log group in a span, the oldest first; of each stream in the order in which they were written. All of them, or an error.
    fn log_lines(&self, span: &LogSpan) -> impl Future<Output = Answer<Vec<LogLine>>>;

    /// Invokes a function once and waits for its answer. `limit` is how long to wait.
    fn invoke(&self, function: &Qualified, payload: &[u8], limit: Duration) -> impl Future<Output = Answer<InvocationResult>>;

    /// Sends a hook's question to its URL once, signed by nobody, and waits for the answer. Redirects are not followed. One that says
    /// it was too much is [`Failure::Throttled`]; every other status is an answer.
    fn post(&self, url: &HookUrl, payload: &[u8], limit: Duration) -> impl Future<Output = Answer<HttpHookResponse>>;

    /// Asks GitHub once, and waits for the answer; every status is one.
    fn ask_github(&self, ask: &GitHubRequest<'_>, limit: Duration) -> impl Future<Output = Answer<HttpHookResponse>>;

    /// Publishes a message to a topic of SNS, in the topic's own Region. Once: whoever may do it twice tries again.
    fn publish_message(&self, message: &TopicMessage) -> impl Future<Output = Answer<()>>;

    /// Puts an event on a bus of `EventBridge`. Once. A bus that does not exist takes it and loses it.
    fn put_on_bus(&self, event: &BusEvent) -> impl Future<Output = Answer<()>>;

    /// The ARN of whoever asks, as STS knows it. It takes no permission.
    fn caller(&self) -> impl Future<Output = Answer<String>>;

    /// Whether a write would be permitted. It is asked for on conditions that nothing meets, so that nothing is written: neither
    /// the answer to that nor any other refusal but [`Failure::Denied`] speaks against it.
    fn may_write(&self, subject: &Subject, write: &Write<'_>) -> impl Future<Output = Answer<()>>;

    /// Whether a function could be invoked: it exists and permission is given. Does not run it.
    fn invocable(&self, function: &Qualified) -> impl Future<Output = Answer<()>>;
}

/// Waiting. Apart from it, the controller knows no clock but AWS'.
pub trait Clock {
    /// Ends after this span.
    fn sleep(&self, span: Duration) -> impl Future<Output = ()>;
}
