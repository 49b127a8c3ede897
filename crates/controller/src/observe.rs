//! What is there to see? One look at the alias, the alarms and the candidate, gathered into an observation.

use std::time::Duration;

use rollout::timing::{COUNT_LIMIT, CREDENTIALS_END, LOOK_LIMIT, SECOND_LOOK};

use rollout::health::{AlarmSeen, AlarmState, ReadError};
use rollout::observation::{Candidate, Observation};
use rollout::target::Subject;
use rollout::turn::Turn;
use rollout::{Time, agenda, candidate};

use tokio::sync::Notify;

use crate::driver::Driver;
use crate::hooks::{report, unreadable};
use crate::interrupt::Interrupt;
use crate::port::{AliasSnapshot, Answer, Clock, Cloud, CloudError, Dated, Failure, PairCounts, VersionPair};
use crate::request::fingerprint;
use crate::uncounted::reason_of_none;

impl<C: Cloud, K: Clock> Driver<'_, C, K> {
    /// Looks once. What was established by our own write a moment ago is not read again, and a signal cuts a look short.
    pub(crate) async fn look(&mut self) -> Observation {
        self.ask_checks();
        let started = self.io.now();
        self.note_time(started);
        let (cloud, clock, request) = (self.io.cloud, self.io.clock, self.io.request);
        let alarmed = std::mem::take(&mut self.alarmed);
        let look_at_alarms = alarmed || self.next_alarms().is_some_and(|due| started >= due);
        let pair = self.metrics.pair(&self.plan, &self.memory, &request.subject, started);
        let only_counts = pair.is_some() && !look_at_alarms && self.counts_with_others(started);
        let in_hand = self.memory.held().is_some();
        // The way back does not queue for a read: the write finds out whether what is in hand still stands.
        let fresh = self.moves_with_others(started) || self.is_known(started) || only_counts || alarmed && in_hand;
        let (watching, known) = (self.alarms.watching(&self.plan), self.alarms.read_at());
        let (signalled, at_once) = (self.io.signalled(), self.io.interrupt() == Interrupt::AtOnce && in_hand);
        let first_red = Notify::new();
        let mut reads = Box::pin(async {
            let alias = async {
                if fresh { None } else { read_alias(cloud, clock, &request.subject, in_hand.then_some(&first_red)).await }
            };
            let alarms =
                async { if look_at_alarms { Some(read_alarms(cloud, &watching, known, &first_red).await) } else { None } };
            let counts = async { count(cloud, clock, pair.as_ref()?, started).await };
            if request.concurrent_rollouts > 1 {
                // The alias is queued for, and the alarms, which others may have read before, must not grow older over it.
                let alias = alias.await;
                let (alarms, counts) = tokio::join!(alarms, counts);
                (alias, alarms, counts)
            } else {
                tokio::join!(alias, alarms, counts)
            }
        });
        let cut = tokio::select! {
            biased;
            () = std::future::ready(()), if at_once => None,
            read = &mut reads => Some(read),
            () = signalled => None,
        };
        let (alias, alarms, counts) = match cut {
            Some(read) => read,
            // With an alias in hand there is something to act on; the write finds out whether it still stands.
            None if in_hand => (None, None, None),
            None => (&mut reads).await,
        };
        drop(reads); // Others may wait for what a look that was cut short had begun to ask.
        if let Some(read) = alias {
            self.take_alias(read);
        }
        if let Some(counts) = counts {
            self.take_counts(counts, pair, started);
        }
        let signalled = self.io.signalled();
        let more = async {
            if let Some(alarms) = alarms {
                self.alarms.on_tried(started);
                self.take_alarms(alarms).await;
            }
            self.look_at_candidate().await;
            self.collect_report().await;
        };
        // Reads only: they may be cut off anywhere.
        tokio::select! {
            () = more => {}
            () = signalled => {}
        }
        self.group.look(&self.plan, self.io.now());
        self.observation()
    }

    /// What the time since the last look makes of what is known.
    fn note_time(&mut self, now: Time) {
        // The first answers did not tell AWS' time, and this machine's was ahead of it: what is due by that would be due too late.
        if now < std::mem::replace(&mut self.looked, now) {
            self.alarms.on_tried(Time::default());
            self.metrics.on_tried(Time::default());
        }
        // Publishing and the like take their time; what was established before them is not fresh any more.
        if self.memory.age(now).is_none_or(|age| age >= self.plan.poll) {
            self.memory.on_waited();
        }
    }

    fn take_counts(&mut self, counts: Dated<Answer<PairCounts>>, pair: Option<VersionPair>, started: Time) {
        let (cloud, clock) = (self.io.cloud, self.io.clock);
        let why_none = (&self.logs, self.jobs.reason.as_deref());
        let taken = self.metrics.take((&self.plan, &self.memory), started, counts, why_none, self.io.now());
        taken.unwrap_or_else(|why| self.warn(why));
        let Some(pair) = pair else { return };
        self.logs.begin((cloud, clock), &pair, self.prepared.log_group_of_stable(&pair.subject.function));
        if self.metrics.is_overdue() {
            self.jobs.inquire(async move { reason_of_none(cloud, &pair).await });
        }
    }

    fn take_alias(&mut self, read: Result<Option<AliasSnapshot>, CloudError>) {
        match read {
            Ok(held) => self.memory.on_read(&self.plan, held, self.io.now()),
            // The function is gone, and its aliases with it.
            Err(error) if error.failure == Failure::NotFound => self.memory.on_read(&self.plan, None, self.io.now()),
            Err(error) => {
                self.memory.on_read_failed(&self.plan, error.failure, &error.to_string(), self.io.now());
                self.warn(format!("the alias could not be read: {error}"));
            }
        }
    }

    /// Whether the alias was written a moment ago, or read by a turn; after a write that failed it may be something else.
    fn is_known(&self, now: Time) -> bool {
        let untried = Turn::is_tick(self.io.request.turn) && self.memory.failures() == 0;
        self.memory.is_written() || untried && self.memory.age(now).is_some_and(|age| age < SECOND_LOOK)
    }

    /// Whether this look is about moving with the others of a group, who all move at the same moment: what is known well enough to move
    /// on is not read again for that.
    fn moves_with_others(&mut self, now: Time) -> bool {
        let called = std::mem::take(&mut self.group.woken) || (!self.group.is_alone() && self.memory.is_ready());
        called && agenda::moves_unread(&self.plan, &self.memory, now)
    }

    /// Whether a look is nothing but a count: all of a group count at the full minute, in a few calls, and nobody is to queue for its
    /// alias first. Not where somebody may approve a gate on one of a group: the others go by what each has seen of its own alias. A turn has read
    /// its alias anyway.
    fn counts_with_others(&self, now: Time) -> bool {
        let stays = !self.group.is_alone() && !Turn::is_tick(self.io.request.turn);
        stays && self.plan.gates.is_empty() && agenda::moves_unread(&self.plan, &self.memory, now)
    }

    pub(crate) fn next_alarms(&self) -> Option<Time> {
        agenda::next_alarms(&self.plan, &self.memory, &self.alarms)
    }

    async fn take_alarms(&mut self, read: Result<Dated<Vec<AlarmSeen>>, CloudError>) {
        match read {
            Ok(Dated { at, answer: mut alarms }) => {
                let failing = self.read_history(&mut alarms).await.err().map(|error| self.unread(&error));
                self.alarms.on_read(&self.plan, at, alarms, failing);
            }
            Err(error) => {
                let failing = self.unread(&error);
                self.alarms.on_read_failed(failing);
            }
        }
    }

    fn unread(&mut self, error: &CloudError) -> ReadError {
        let why = format!("the alarms cannot be read: {error}");
        self.warn(why.clone());
        ReadError { why, throttled: error.failure == Failure::Throttled }
    }

    /// Reads when those alarms were last red that may have been so since the last look. Where one is in ALARM, that does not wait for
    /// calls that stall.
    async fn read_history(&mut self, alarms: &mut [AlarmSeen]) -> Result<(), CloudError> {
        let unsure = self.alarms.unsure(alarms);
        let in_alarm = alarms.iter().any(|alarm| alarm.state == AlarmState::Alarm);
        let (cloud, clock, limit) = (self.io.cloud, self.io.clock, if in_alarm { SECOND_LOOK } else { LOOK_LIMIT });
        let histories = async {
            let mut unread = Ok(());
            for name in unsure {
                match cloud.last_red(&name, self.alarms.history_from()).await {
                    Ok(Some(in_alarm)) => self.alarms.on_history(&name, in_alarm),
                    Ok(None) => {}
                    Err(error) => unread = Err(error),
                }
            }
            unread
        };
        tokio::select! {
            biased;
            read = histories => read,
            () = clock.sleep(limit) => Err(late("DescribeAlarmHistory", limit)),
        }
    }

    async fn look_at_candidate(&mut self) {
        let Some(version) = candidate::to_look_at(&self.plan, &self.memory, &self.prepared.candidate) else { return };
        let request = self.io.request;
        match (self.io.cloud.configuration(&request.subject.function, version).await, version) {
            (Ok(configuration), Some(version)) => self.prepared.take_published(version, configuration),
            (Ok(configuration), None) => {
                // The same package is not uploaded twice: what is there already is published, or was.
                let code = request.code.as_ref();
                let updates = code.is_some_and(|code| fingerprint(code) != configuration.code_sha256);
                self.prepared.take_latest(updates, configuration);
            }
            (Err(error), Some(version)) if error.failure == Failure::NotFound => {
                self.prepared.candidate = Candidate::Failed(format!("{version} does not exist: {error}"));
            }
            (Err(error), _) => {
                if !self.prepared.on_unread(error.failure, error.to_string()) {
                    self.warn(format!("the version to roll out could not be read: {error}"));
                }
            }
        }
        self.prepared.on_looked(self.io.now());
    }

    fn observation(&self) -> Observation {
        let now = self.io.now();
        Observation {
            candidate: self.prepared.candidate.clone(),
            managed: self.alarms.ready(),
            unguarded: self.lacks_guard() || self.schedule.is_some(),
            hook: self.jobs.hook(&self.plan, &self.memory),
            health: self.memory.health(&self.plan, self.alarms.health(), now),
            comparison: self.metrics.comparison((&self.plan, &self.memory), &self.logs, now),
            probe: self.jobs.probe.clone(),
            checks: self.checks.seen(),
            interrupted: self.is_interrupted(now) && !Turn::is_tick(self.io.request.turn),
            others: self.group.others.clone(),
            ..self.memory.observation(now, self.io.interrupt() == Interrupt::AtOnce)
        }
    }

    /// Whether a guard is to be started: not by a turn, which comes after the process that began.
    fn lacks_guard(&self) -> bool {
        let request = self.io.request;
        request.guard.is_some() && !self.guarded && !Turn::is_tick(request.turn)
    }

    /// Whether this process is to go: it was told so, or its credentials are about to end.
    pub(crate) fn is_interrupted(&self, now: Time) -> bool {
        self.io.interrupt() != Interrupt::None || self.credentials_end(now)
    }

    /// Looks for the report of a hook that another turn asked. One that may not be read is a failure, as it is for whoever waits for it.
    async fn collect_report(&mut self) {
        let Some((which, question)) = self.announced_question().filter(|_| Turn::is_tick(self.io.request.turn)) else { return };
        let attempt = self.memory.note(&self.plan).and_then(|note| note.hook);
        if !self.jobs.is_unheard(which, attempt) {
            return;
        }
        let report = match report(self.io.cloud, &question, question.attempt).await {
            Ok(report) => report,
            Err(error) if error.failure == Failure::Denied => Some(Err(unreadable(&error))),
            Err(_) => None,
        };
        self.jobs.collected(which, report, self.io.now());
    }

    /// Whether the credentials are about to end and nothing will renew them: then what a signal would do is done now.
    fn credentials_end(&self, now: Time) -> bool {
        self.io.cloud.expiry().is_some_and(|end| now + CREDENTIALS_END >= end)
    }
}

/// Reads the alias. With one in hand an alarm does not wait for a call that stalls: what is known is enough to roll back on, and the
/// write finds out whether it still stands.
async fn read_alias<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    subject: &Subject,
    alarmed: Option<&Notify>,
) -> Option<Answer<Option<AliasSnapshot>>> {
    let alarm = async {
        match alarmed {
            Some(alarmed) => alarmed.notified().await,
            None => std::future::pending().await,
        }
        clock.sleep(SECOND_LOOK).await;
    };
    tokio::select! {
        biased;
        alias = cloud.alias(subject) => Some(alias),
        () = alarm => None,
    }
}

async fn read_alarms<C: Cloud>(cloud: &C, names: &[String], known: Time, alarmed: &Notify) -> Answer<Dated<Vec<AlarmSeen>>> {
    let read = cloud.alarms(names, known).await?;
    if read.answer.iter().any(|alarm| alarm.state == AlarmState::Alarm) {
        alarmed.notify_one();
    }
    Ok(read)
}

/// Counts the invocations. The alarms, read beside it, must not grow old over it.
async fn count<C: Cloud, K: Clock>(cloud: &C, clock: &K, pair: &VersionPair, started: Time) -> Option<Dated<Answer<PairCounts>>> {
    tokio::select! {
        biased;
        mut counts = cloud.counts(std::slice::from_ref(pair)) => counts.answer.pop().map(|answer| Dated { at: counts.at, answer }),
        () = clock.sleep(COUNT_LIMIT) => Some(Dated { at: started, answer: Err(late("GetMetricData", COUNT_LIMIT)) }),
    }
}

fn late(operation: &'static str, limit: Duration) -> CloudError {
    let message = format!("no response within {}", rollout::format::exact(limit));
    CloudError { failure: Failure::Unanswered, operation, message, code: None }
}
