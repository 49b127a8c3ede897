//! How many calls may this process make? One budget for every rollout in it, because AWS has one for the whole account.
//!
//! Lambda allows 15 control calls a second in an account and Region, whoever makes them. Reads of aliases keep to a part of that, and
//! a write that clears an alias' weights goes before everything else.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use rollout::health::AlarmSeen;
use rollout::hook::HookUrl;
use rollout::plan::COUNTS_EVERY;
use rollout::subject::{FunctionName, Qualified, Subject};
use rollout::{Alias, Time, Version};
use tokio::sync::Mutex;

use crate::cloud::{
    Clock, Cloud, CloudError, Code, Configuration, Counted, Dated, EventSource, FunctionUrl, Held, Page, Pair, Reply, Revision,
    Usual, Watch, Write,
};
use crate::gather::Gatherer;
use crate::keep::{AlarmRule, KeptAlarm};

/// Control calls a second: AWS' limit for the account.
const CALLS: f64 = 15.0;

/// Reads of aliases a second, of all rollouts together.
const ALIAS_READS: f64 = 5.0;

/// What is kept for writes that take traffic off a canary.
const RESERVED: f64 = 3.0;

/// How long counts serve others. A hundred rollouts come round in 20 seconds, with the five reads of aliases a second that they
/// share; `CloudWatch` itself is one to three minutes late.
const COUNTS_SERVE: Duration = Duration::from_secs(20);

/// A bucket, and the queue before it: whoever came first is served first, so that nobody's look grows old while others overtake.
#[derive(Debug)]
struct Queue {
    bucket: RefCell<Bucket>,
    turn: Mutex<()>,
}

impl Queue {
    const fn new(rate: f64) -> Self {
        Self { bucket: RefCell::new(Bucket::new(rate)), turn: Mutex::const_new(()) }
    }
}

/// Calls that were not used, and refill by the second.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    left: f64,
    at: Option<Time>,
}

impl Bucket {
    const fn new(rate: f64) -> Self {
        Self { rate, left: rate, at: None }
    }

    /// Takes one call and leaves `reserved`; or says how long to wait for it.
    fn take(&mut self, now: Time, reserved: f64) -> Result<(), Duration> {
        if let Some(at) = self.at {
            self.left = (self.left + now.since(at).as_secs_f64() * self.rate).min(self.rate);
        }
        self.at = Some(now);
        let missing = 1.0 + reserved - self.left;
        if missing <= 0.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64(missing / self.rate).max(Duration::from_millis(1)))
    }
}

/// The calls that all rollouts of a process share.
#[derive(Debug)]
pub struct Budget {
    calls: Queue,
    alias_reads: Queue,
    counts: Gatherer<Pair, Vec<Counted>>,
    alarms: Gatherer<String, Option<AlarmSeen>>,
}

impl Default for Budget {
    /// For rollouts that look every five seconds, as they do where nothing else is said.
    fn default() -> Self {
        Self::looking_every(Duration::from_secs(5))
    }
}

impl Budget {
    /// For rollouts that look so often.
    pub fn looking_every(poll: Duration) -> Self {
        let (calls, alias_reads) = (Queue::new(CALLS), Queue::new(ALIAS_READS));
        Self { calls, alias_reads, counts: Gatherer::new(COUNTS_EVERY, COUNTS_SERVE), alarms: Gatherer::new(poll, poll) }
    }
}

/// A cloud whose calls keep to a budget.
#[derive(Debug)]
pub struct Budgeted<'a, C, K> {
    cloud: &'a C,
    clock: &'a K,
    budget: &'a Budget,
}

impl<'a, C: Cloud, K: Clock> Budgeted<'a, C, K> {
    /// The same cloud, within this budget.
    pub fn new(cloud: &'a C, clock: &'a K, budget: &'a Budget) -> Self {
        Self { cloud, clock, budget }
    }

    async fn take(&self, queue: &Queue, reserved: f64) {
        // A way back does not queue.
        let _turn = if reserved > 0.0 { Some(queue.turn.lock().await) } else { None };
        loop {
            let taken = queue.bucket.borrow_mut().take(self.cloud.time(), reserved);
            match taken {
                Ok(()) => return,
                Err(wait) => self.clock.sleep(wait).await,
            }
        }
    }

    async fn call(&self) {
        self.take(&self.budget.calls, RESERVED).await;
    }
}

impl<C: Cloud, K: Clock> Cloud for Budgeted<'_, C, K> {
    fn time(&self) -> Time {
        self.cloud.time()
    }

    fn region(&self) -> &str {
        self.cloud.region()
    }

    fn expiry(&self) -> Option<Time> {
        self.cloud.expiry()
    }

    async fn alias(&self, subject: &Subject) -> Result<Option<Held>, CloudError> {
        let turn = self.budget.alias_reads.turn.lock().await;
        self.take(&self.budget.alias_reads, 0.0).await;
        drop(turn);
        self.call().await;
        self.cloud.alias(subject).await
    }

    async fn update_alias(&self, subject: &Subject, desired: &Alias, revision: &Revision) -> Result<Held, CloudError> {
        // A way back, or a promotion; in either case the last write that matters.
        let reserved = if desired.canary().is_none() { 0.0 } else { RESERVED };
        self.take(&self.budget.calls, reserved).await;
        self.cloud.update_alias(subject, desired, revision).await
    }

    async fn create_alias(&self, subject: &Subject, desired: &Alias) -> Result<Held, CloudError> {
        self.call().await;
        self.cloud.create_alias(subject, desired).await
    }

    async fn alias_names(&self, function: &FunctionName) -> Result<Vec<String>, CloudError> {
        self.call().await;
        self.cloud.alias_names(function).await
    }

    async fn configuration(&self, function: &FunctionName, version: Option<Version>) -> Result<Configuration, CloudError> {
        self.call().await;
        self.cloud.configuration(function, version).await
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, CloudError> {
        self.call().await;
        self.cloud.tags(arn).await
    }

    async fn tag(&self, arn: &str, key: &str, value: &str) -> Result<(), CloudError> {
        self.call().await;
        self.cloud.tag(arn, key, value).await
    }

    async fn untag(&self, arn: &str, key: &str) -> Result<(), CloudError> {
        self.call().await;
        self.cloud.untag(arn, key).await
    }

    async fn publish(
        &self,
        function: &FunctionName,
        seen: &Configuration,
        description: Option<&str>,
    ) -> Result<Version, CloudError> {
        self.call().await;
        self.cloud.publish(function, seen, description).await
    }

    async fn update_code(&self, function: &FunctionName, code: &Code) -> Result<String, CloudError> {
        self.call().await;
        self.cloud.update_code(function, code).await
    }

    async fn provisioned(&self, subject: &Subject) -> Result<bool, CloudError> {
        self.call().await;
        self.cloud.provisioned(subject).await
    }

    async fn may_write(&self, subject: &Subject, write: &Write<'_>) -> Result<(), CloudError> {
        self.call().await;
        self.cloud.may_write(subject, write).await
    }

    async fn event_sources(&self, function: &Qualified) -> Result<Vec<EventSource>, CloudError> {
        self.call().await;
        self.cloud.event_sources(function).await
    }

    async fn function_urls(&self, function: &FunctionName) -> Result<Vec<FunctionUrl>, CloudError> {
        self.call().await;
        self.cloud.function_urls(function).await
    }

    async fn policy(&self, function: &FunctionName) -> Result<Option<String>, CloudError> {
        self.call().await;
        self.cloud.policy(function).await
    }

    // CloudFormation, CloudWatch, invocations and hooks' URLs have limits of their own, far from what a rollout uses.

    async fn resource(&self, stack: &str, logical_id: &str) -> Result<Option<String>, CloudError> {
        self.cloud.resource(stack, logical_id).await
    }

    async fn alarms(&self, names: &[String], known: Time) -> Result<Dated<Vec<AlarmSeen>>, CloudError> {
        let send = async |names: Vec<String>| match self.cloud.alarms(&names, known).await {
            Ok(Dated { answer, .. }) => {
                names.iter().map(|name| Ok(answer.iter().find(|alarm| alarm.name == *name).cloned())).collect()
            }
            Err(error) => vec![Err(error); names.len()],
        };
        let Dated { at, answer } = self.budget.alarms.ask((self.cloud, self.clock), names, known, send).await;
        let alarms = answer.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Dated { at, answer: alarms.into_iter().flatten().collect() })
    }

    async fn last_red(&self, name: &str, since: Time) -> Result<Option<Time>, CloudError> {
        self.cloud.last_red(name, since).await
    }

    async fn counts(&self, pairs: &[Pair]) -> Dated<Vec<Result<Vec<Counted>, CloudError>>> {
        let send = async |pairs: Vec<Pair>| self.cloud.counts(&pairs).await.answer;
        self.budget.counts.ask((self.cloud, self.clock), pairs, Time::default(), send).await
    }

    async fn usual(&self, subject: &Subject, from: Time, to: Time, every: Duration) -> Result<Vec<Usual>, CloudError> {
        self.cloud.usual(subject, from, to, every).await
    }

    async fn kept_alarm(&self, name: &str) -> Result<Option<KeptAlarm>, CloudError> {
        self.cloud.kept_alarm(name).await
    }

    async fn put_alarm(&self, rule: &AlarmRule, owner: &str) -> Result<(), CloudError> {
        self.cloud.put_alarm(rule, owner).await
    }

    async fn reset_alarm(&self, name: &str) -> Result<(), CloudError> {
        self.cloud.reset_alarm(name).await
    }

    async fn alarm_names(&self, prefix: &str) -> Result<Vec<String>, CloudError> {
        self.cloud.alarm_names(prefix).await
    }

    async fn calls(&self, function: &FunctionName, by: &[Option<String>], from: Time, to: Time) -> Result<Vec<f64>, CloudError> {
        self.cloud.calls(function, by, from, to).await
    }

    async fn watches(&self, names: &[String]) -> Result<Vec<Watch>, CloudError> {
        self.cloud.watches(names).await
    }

    async fn invoke(&self, function: &Qualified, payload: &[u8], limit: Duration) -> Result<Reply, CloudError> {
        self.cloud.invoke(function, payload, limit).await
    }

    async fn post(&self, url: &HookUrl, payload: &[u8], limit: Duration) -> Result<Page, CloudError> {
        self.cloud.post(url, payload, limit).await
    }

    async fn invocable(&self, function: &Qualified) -> Result<(), CloudError> {
        self.cloud.invocable(function).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_the_rate_and_a_reserve_for_the_way_back() {
        let mut bucket = Bucket::new(CALLS);
        let mut now = Time::from_secs(1_795_000_000);
        let opened = now;
        let mut taken = 0;
        while now.since(opened) < Duration::from_secs(10) {
            match bucket.take(now, RESERVED) {
                Ok(()) => taken += 1,
                Err(wait) => now = now + wait,
            }
        }
        // What was there, less the reserve, and the refill of ten seconds.
        assert!((158..=163).contains(&taken), "{taken}");
        // The way back need not wait when everything else has to.
        while bucket.take(now, RESERVED).is_ok() {}
        assert_eq!(bucket.take(now, 0.0), Ok(()));
        assert_eq!(bucket.take(now, 0.0), Ok(()));
    }

    #[test]
    fn a_clock_that_steps_back_costs_nothing_but_the_refill() {
        let mut bucket = Bucket::new(1.0);
        assert_eq!(bucket.take(Time::from_secs(100), 0.0), Ok(()));
        assert!(bucket.take(Time::from_secs(50), 0.0).is_err());
        assert_eq!(bucket.take(Time::from_secs(51), 0.0), Ok(()));
    }
}
