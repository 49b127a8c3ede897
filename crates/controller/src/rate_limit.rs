//! How many calls may this process make? One budget for every rollout in it, because AWS has one for the whole account.
//!
//! Lambda allows 15 control calls a second in an account and Region, whoever makes them. Reads of aliases keep to a part of that, and
//! a write that clears an alias' weights goes before everything else.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use rollout::health::AlarmSeen;
use rollout::hook::HookUrl;
use rollout::signal::SignalMetric;
use rollout::target::{FunctionName, Qualified, Subject};
use rollout::timing::{COUNTS_EVERY, COUNTS_SERVE, DEFAULT_POLL};
use rollout::{Alias, Signal, Time, Version};

use crate::backoff::Backoff;
use crate::batch::Gatherer;
use crate::request::{shortest_alarm_poll, shortest_poll};

use crate::port::{
    AlarmRule, AliasSnapshot, Baseline, BusEvent, Call, CallLimit, Clock, Cloud, CloudError, Code, Configuration, Dated,
    EventSource, Failure, FunctionUrl, GitHubRequest, GuardExecution, GuardSeen, HttpHookResponse, InvocationResult, KnownMetric,
    LogLine, LogQuery, LogRows, LogSpan, ManagedAlarm, PairCounts, Provisioned, Revision, ScheduleListed, ScheduleSeen,
    ScheduleSpec, SignalCounts, StackResources, State, TopicMessage, VersionPair, Watch, Write,
};

/// Control calls a second, all together a little less than AWS' limit for the account: of these most are for anything,
const CALLS: f64 = 12.0;

/// and some are kept for writes that take traffic off a canary.
const WAYS_BACK: f64 = 2.5;

/// Reads of aliases a second, of all rollouts together.
const ALIAS_READS: f64 = 5.0;

/// Reads of alarms a second, of all rollouts together: CloudWatch answers nine, and other programs ask, too.
const ALARM_READS: f64 = 6.0;

/// Reads of schedules a second: `EventBridge` Scheduler answers 50 at least, by Region.
const SCHEDULE_READS: f64 = 40.0;

/// Control calls a second of the invocations that continue all detached rollouts of an account: of these two may run at the same time, one late or
/// invoked twice, and both together keep to AWS' limit.
const FLEET_CALLS: f64 = 6.0;

/// The same of their reads of alarms.
const FLEET_ALARM_READS: f64 = 3.0;

/// How long calls are made again that AWS refuses as too much, all of a preflight together, where nothing waits for the answers: others use up the
/// account's calls, often jobs that began at the same time.
const PATIENCE: Duration = Duration::from_mins(5);

/// The longest pauses before the next attempt; how long each is, chance decides, so that such jobs do not come again at the same time.
const AGAIN: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(10) };

/// One read of alarms has as many names.
const ALARMS_A_READ: usize = 100;

/// One read of counts has as many pairs of versions, in 500 queries; where durations are counted, too, it takes two.
const COUNTS_A_READ: usize = 83;

/// Calls that were not used, and refill by the second.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    /// How many can be made at once.
    most: f64,
    /// Below zero where calls are promised that have to wait.
    left: f64,
    at: Option<Time>,
}

impl Bucket {
    const fn new(rate: f64) -> Self {
        Self { rate, most: rate, left: rate, at: None }
    }

    /// One whose calls are made one after the other.
    const fn even(rate: f64) -> Self {
        Self { rate, most: 1.0, left: 1.0, at: None }
    }

    fn refill(&mut self, now: Time) {
        if let Some(at) = self.at {
            self.left = (self.left + now.since(at).as_secs_f64() * self.rate).min(self.most);
        }
        self.at = Some(now);
    }

    /// Promises one call, and says how long to wait for it. Whoever comes first is served first; nobody has to be there for the next
    /// one to be served, so that a call that is given up, or not asked about for a while, holds nobody up.
    fn promise(&mut self, now: Time) -> Duration {
        self.refill(now);
        self.left -= 1.0;
        if self.left >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.left / self.rate) }
    }

    /// How long until those that were promised have been made.
    fn debt(&mut self, now: Time) -> Duration {
        self.refill(now);
        Duration::from_secs_f64((-self.left / self.rate).max(0.0))
    }

    fn take(&mut self, now: Time) -> bool {
        self.refill(now);
        let taken = self.left >= 1.0;
        self.left -= if taken { 1.0 } else { 0.0 };
        taken
    }
}

/// The calls that all rollouts of a process share.
#[derive(Debug)]
pub struct Budget {
    calls: RefCell<Bucket>,
    ways_back: RefCell<Bucket>,
    alias_reads: RefCell<Bucket>,
    alarm_reads: RefCell<Bucket>,
    schedule_reads: RefCell<Bucket>,
    /// What was read of versions that are ready, where it is kept: it does not change.
    versions: Option<RefCell<BTreeMap<(FunctionName, Version), Configuration>>>,
    counts: Gatherer<VersionPair, PairCounts>,
    alarms: Gatherer<String, Option<AlarmSeen>>,
}

impl Default for Budget {
    /// For rollouts that look every five seconds, as they do where nothing else is said.
    fn default() -> Self {
        Self::looking_every(DEFAULT_POLL, 1)
    }
}

impl Budget {
    /// For so many rollouts that are to look so often.
    pub fn looking_every(poll: Duration, concurrent_rollouts: usize) -> Self {
        let [calls, ways_back, alias_reads, alarm_reads] =
            [CALLS, WAYS_BACK, ALIAS_READS, ALARM_READS].map(|rate| RefCell::new(Bucket::new(rate)));
        let counts = Gatherer::new((COUNTS_EVERY, COUNTS_EVERY), COUNTS_SERVE, COUNTS_A_READ);
        let alarm_poll = poll.max(shortest_alarm_poll(concurrent_rollouts));
        let poll = poll.max(shortest_poll(concurrent_rollouts));
        let alarms = Gatherer::new((alarm_poll, poll), alarm_poll, ALARMS_A_READ);
        let schedule_reads = RefCell::new(Bucket::new(SCHEDULE_READS));
        Self { calls, ways_back, alias_reads, alarm_reads, schedule_reads, versions: None, counts, alarms }
    }

    /// For all detached rollouts of an account, of which each is looked at by itself.
    pub(crate) fn of_fleet() -> Self {
        let [calls, alias_reads, alarm_reads] =
            [FLEET_CALLS, FLEET_CALLS, FLEET_ALARM_READS].map(|rate| RefCell::new(Bucket::even(rate)));
        // A rollback waits behind the few calls of those that were begun before it.
        let ways_back = RefCell::new(Bucket { most: 0.0, left: 0.0, ..Bucket::new(1.0) });
        let versions = Some(RefCell::default());
        Self { calls, ways_back, alias_reads, alarm_reads, versions, ..Self::default() }
    }
}

/// A cloud whose calls keep to a budget.
#[derive(Debug)]
pub struct Budgeted<'a, C, K> {
    cloud: &'a C,
    clock: &'a K,
    budget: &'a Budget,
    /// Of one that is patient: since when its calls are refused as too much, if any was.
    patient: Option<Cell<Option<Time>>>,
}

impl<'a, C: Cloud, K: Clock> Budgeted<'a, C, K> {
    /// The same cloud, within this budget.
    pub fn new(cloud: &'a C, clock: &'a K, budget: &'a Budget) -> Self {
        Self { cloud, clock, budget, patient: None }
    }

    /// Whether a call that failed like this, so often refused as too much before, is made again: then after a pause.
    async fn again(&self, refused: &mut u32, error: &CloudError) -> bool {
        let Some(since) = self.patient.as_ref().filter(|_| error.failure == Failure::Throttled) else { return false };
        let now = self.cloud.time();
        if now.since(since.get().unwrap_or(now)) >= PATIENCE {
            return false;
        }
        since.set(since.get().or(Some(now)));
        *refused += 1;
        self.clock.sleep(AGAIN.after(*refused).mul_f64(fastrand::f64())).await;
        true
    }

    async fn take(&self, bucket: &RefCell<Bucket>) {
        let wait = bucket.borrow_mut().promise(self.cloud.time());
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
    }

    /// How long until a call would be made at once.
    pub(crate) fn busy(&self) -> Duration {
        self.budget.calls.borrow_mut().debt(self.cloud.time())
    }

    async fn turn(&self, call: Call) {
        match call.limit() {
            CallLimit::Own => {}
            CallLimit::Control => self.take(&self.budget.calls).await,
            CallLimit::AliasRead => {
                self.take(&self.budget.alias_reads).await;
                self.take(&self.budget.calls).await;
            }
            CallLimit::AlarmRead => self.take(&self.budget.alarm_reads).await,
            CallLimit::ScheduleRead => self.take(&self.budget.schedule_reads).await,
        }
    }
}

/// Methods of the port that make this call once its turn has come.
macro_rules! in_turn {
    ($($call:ident: $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, CloudError> {
            let mut refused = 0;
            loop {
                self.turn(Call::$call).await;
                match self.cloud.$name($($argument),*).await {
                    Err(error) if self.again(&mut refused, &error).await => {}
                    answer => return answer,
                }
            }
        })*
    };
}

impl<C: Cloud, K: Clock> Cloud for Budgeted<'_, C, K> {
    fn time(&self) -> Time {
        self.cloud.time()
    }

    fn patient(&self) -> Option<Self> {
        Some(Self { patient: Some(Cell::default()), ..*self })
    }

    fn region(&self) -> &str {
        self.cloud.region()
    }

    fn expiry(&self) -> Option<Time> {
        self.cloud.expiry()
    }

    async fn ends_unannounced(&self) -> bool {
        self.cloud.ends_unannounced().await
    }

    in_turn! {
        GetAlias: alias(subject: &Subject) -> Option<AliasSnapshot>;
        CreateAlias: create_alias(subject: &Subject, desired: &Alias) -> AliasSnapshot;
        ListAliases: alias_names(function: &FunctionName) -> Vec<String>;
        GetFunction: code_in_s3(function: &FunctionName, version: Option<Version>) -> Option<String>;
        ListVersionsByFunction: versions(function: &FunctionName) -> Vec<Version>;
        GetProvisionedConcurrencyConfig: provisioned(subject: &Subject) -> Provisioned;
        GetFunctionConcurrency: reserved_concurrency(function: &FunctionName) -> Option<u32>;
        PublishVersion: publish(function: &FunctionName, seen: &Configuration, description: Option<&str>) -> Version;
        UpdateFunctionCode: update_code(function: &FunctionName, code: &Code) -> String;
        ListTags: tags(arn: &str) -> BTreeMap<String, String>;
        TagResource: tag(arn: &str, key: &str, value: &str) -> ();
        UntagResource: untag(arn: &str, key: &str) -> ();
        ListEventSourceMappings: event_sources(function: &Qualified) -> Vec<EventSource>;
        ListFunctionUrlConfigs: function_urls(function: &FunctionName) -> Vec<FunctionUrl>;
        GetPolicy: policy(function: &Qualified) -> Option<String>;
        Invoke: invoke(function: &Qualified, payload: &[u8], limit: Duration) -> InvocationResult;
        Invoke: invocable(function: &Qualified) -> ();
        DescribeAlarms: managed_alarm(name: &str) -> Option<ManagedAlarm>;
        DescribeAlarms: alarm_names(prefix: &str) -> Vec<String>;
        DescribeAlarms: watches(names: &[String]) -> Vec<Watch>;
        DescribeAlarmHistory: last_red(name: &str, since: Time) -> Option<Time>;
        PutMetricAlarm: put_alarm(rule: &AlarmRule, owner: &str) -> ();
        SetAlarmState: reset_alarm(name: &str) -> ();
        StartExecution: start_guard(execution: &GuardExecution) -> ();
        DescribeExecution: guard(execution: &str) -> Option<GuardSeen>;
        CreateSchedule: create_schedule(schedule: &ScheduleSpec) -> ();
        GetSchedule: schedule(name: &str) -> Option<ScheduleSeen>;
        ListSchedules: disabled_schedules() -> Vec<ScheduleListed>;
        DeleteSchedule: delete_schedule(name: &str) -> ();
        GetMetricData: baseline(subject: &Subject, from: Time, to: Time, every: Duration) -> Vec<Baseline>;
        GetMetricData: signal_past(of: (&Subject, Version), signals: &[Signal], past: (Time, Time, Duration)) -> Vec<Vec<(Time, SignalCounts)>>;
        ListMetrics: known_metrics(of: Option<&SignalMetric>, name: &str) -> Vec<KnownMetric>;
        GetMetricData: calls(function: &FunctionName, by: &[Option<String>], from: Time, to: Time) -> Vec<f64>;
        DescribeLogGroups: has_log_group(name: &str) -> bool;
        StartQuery: start_query(query: &LogQuery) -> String;
        GetQueryResults: query_results(id: &str) -> Option<LogRows>;
        StopQuery: stop_query(id: &str) -> ();
        FilterLogEvents: log_lines(span: &LogSpan) -> Vec<LogLine>;
        GetMetricData: throttles(subject: &Subject, version: Version, from: Time) -> (f64, f64);
        Publish: publish_message(message: &TopicMessage) -> ();
        PutEvents: put_on_bus(event: &BusEvent) -> ();
        GetCallerIdentity: caller() -> String;
        DescribeStackResource: resource(stack: &str, logical_id: &str) -> Option<String>;
        DescribeStackResources: stack_with(physical_id: &str) -> Option<StackResources>;
        DescribeStacks: root_stack(stack: &str) -> Option<String>;
        GetTemplate: template(stack: &str) -> Option<String>;
    }

    async fn configuration(&self, function: &FunctionName, version: Option<Version>) -> Result<Configuration, CloudError> {
        let kept = self.budget.versions.as_ref().zip(version).map(|(versions, version)| (versions, (function.clone(), version)));
        if let Some((versions, key)) = &kept
            && let Some(known) = versions.borrow().get(key)
        {
            return Ok(known.clone());
        }
        let mut refused = 0;
        let read = loop {
            self.turn(Call::GetFunctionConfiguration).await;
            match self.cloud.configuration(function, version).await {
                Err(error) if self.again(&mut refused, &error).await => {}
                answer => break answer?,
            }
        };
        if let Some((versions, key)) = kept.filter(|_| read.state == State::Active) {
            versions.borrow_mut().insert(key, read.clone());
        }
        Ok(read)
    }

    async fn update_alias(&self, subject: &Subject, desired: &Alias, revision: &Revision) -> Result<AliasSnapshot, CloudError> {
        // A rollback, or a promotion; in either case the last write that matters.
        let goes_first = desired.canary().is_none() && self.budget.ways_back.borrow_mut().take(self.cloud.time());
        if !goes_first {
            self.turn(Call::UpdateAlias).await;
        }
        self.cloud.update_alias(subject, desired, revision).await
    }

    async fn may_write(&self, subject: &Subject, write: &Write<'_>) -> Result<(), CloudError> {
        let mut refused = 0;
        loop {
            self.turn(write.call()).await;
            match self.cloud.may_write(subject, write).await {
                Err(error) if self.again(&mut refused, &error).await => {}
                answer => return answer,
            }
        }
    }

    async fn ask_github(&self, ask: &GitHubRequest<'_>, limit: Duration) -> Result<HttpHookResponse, CloudError> {
        self.cloud.ask_github(ask, limit).await
    }

    async fn post(&self, url: &HookUrl, payload: &[u8], limit: Duration) -> Result<HttpHookResponse, CloudError> {
        self.cloud.post(url, payload, limit).await
    }

    async fn alarms(&self, names: &[String], known: Time) -> Result<Dated<Vec<AlarmSeen>>, CloudError> {
        let turn = async || self.turn(Call::DescribeAlarms).await;
        let send = async |names: Vec<String>| {
            let mut found = BTreeMap::new();
            for (place, some) in names.chunks(ALARMS_A_READ).enumerate() {
                if place > 0 {
                    turn().await;
                }
                match self.cloud.alarms(some, known).await {
                    Ok(Dated { answer, .. }) => found.extend(answer.into_iter().map(|alarm| (alarm.name.clone(), alarm))),
                    Err(error) => return vec![Err(error); names.len()],
                }
            }
            names.iter().map(|name| Ok(found.get(name).cloned())).collect()
        };
        let mut refused = 0;
        loop {
            let Dated { at, answer } = self.budget.alarms.ask((self.cloud, self.clock), names, known, turn, send).await;
            match answer.into_iter().collect::<Result<Vec<_>, _>>() {
                Ok(alarms) => return Ok(Dated { at, answer: alarms.into_iter().flatten().collect() }),
                Err(error) if self.again(&mut refused, &error).await => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn counts(&self, pairs: &[VersionPair]) -> Dated<Vec<Result<PairCounts, CloudError>>> {
        let send = async |pairs: Vec<VersionPair>| self.cloud.counts(&pairs).await.answer;
        self.budget.counts.ask((self.cloud, self.clock), pairs, Time::default(), async || {}, send).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_the_rate_and_whoever_came_first_goes_first() {
        let mut bucket = Bucket::new(CALLS);
        let opened = Time::from_secs(1_795_000_000);
        // A hundred come at once: what is there is given at once, and the rest one after the other.
        let waits: Vec<Duration> = (0..100).map(|_| bucket.promise(opened)).collect();
        assert!(waits.is_sorted());
        assert_eq!(waits.iter().filter(|wait| wait.is_zero()).count(), 12);
        let last = waits.last().unwrap().as_secs_f64();
        assert!((last - 88.0 / CALLS).abs() < 0.01, "{last}");
        // Whoever comes later waits behind them, and no longer than that.
        let later = bucket.promise(opened + Duration::from_secs(7));
        assert!((later.as_secs_f64() - (89.0 / CALLS - 7.0)).abs() < 0.01, "{later:?}");
        assert_eq!(bucket.promise(opened + Duration::from_mins(1)), Duration::ZERO);
    }

    #[test]
    fn a_way_back_does_not_queue_while_any_are_kept() {
        let mut bucket = Bucket::new(WAYS_BACK);
        let now = Time::from_secs(1_795_000_000);
        assert_eq!((0..5).map(|_| bucket.take(now)).collect::<Vec<_>>(), [true, true, false, false, false]);
        assert!(bucket.take(now + Duration::from_secs(1)));
    }

    #[test]
    fn a_clock_that_steps_back_costs_nothing_but_the_refill() {
        let mut bucket = Bucket::new(1.0);
        assert_eq!(bucket.promise(Time::from_secs(100)), Duration::ZERO);
        assert_eq!(bucket.promise(Time::from_secs(50)), Duration::from_secs(1));
        assert_eq!(bucket.promise(Time::from_secs(52)), Duration::ZERO);
    }
}
