//! How does a rollout go from its first look to its end? The loop, and nothing that could be decided elsewhere.
//!
//! One round observes, decides, narrates and performs. Waits can be cancelled, writes cannot: the one `select!` of the controller
//! covers the sleep.

use std::pin::Pin;
use std::time::Duration;

use rollout::Outcome;
use rollout::action::{Action, Reason};
use rollout::alarms::Alarms;
use rollout::decide::decide;
use rollout::event::{EventKind, RolloutSummary};
use rollout::health::{AlarmState, clock as clock_of};
use rollout::memory::Memory;
use rollout::narrate::{Round, narrate, observed, started};
use rollout::observation::Observation;
use rollout::plan::{OnInterrupt, Plan};
use rollout::turn::{Next, Turn, detached_owner};
use rollout::{Alias, Time, agenda};
use tokio::sync::watch;

use crate::checks::Checks;
use crate::event_sink::EventSink;
use crate::group_board::{Link, MemberHandle};
use crate::interrupt::{Interrupt, wait_for_new_signal};
use crate::jobs::Jobs;
use crate::log_signals::LogSignals;
use crate::metrics_poll::Metrics;
use crate::port::{AliasSnapshot, Clock, Cloud, ScheduleSpec};
use crate::preflight::Preflight;
use crate::prepared::Prepared;
use crate::request::Request;

pub(crate) struct Io<'a, C, K> {
    pub(crate) cloud: &'a C,
    pub(crate) clock: &'a K,
    pub(crate) request: &'a Request,
    pub(crate) interrupt: watch::Receiver<Interrupt>,
}

impl<C: Cloud, K> Io<'_, C, K> {
    pub(crate) fn now(&self) -> Time {
        self.cloud.time()
    }

    pub(crate) fn interrupt(&self) -> Interrupt {
        *self.interrupt.borrow()
    }

    /// Ends when a signal comes that was not heard before; a closed channel never signals.
    pub(crate) fn signalled(&self) -> impl Future<Output = ()> + use<C, K> {
        wait_for_new_signal(&self.interrupt)
    }
}

/// How a process left its rollout.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    /// What came of it so far.
    pub(crate) summary: RolloutSummary,
    /// What comes next, where it goes on.
    pub(crate) next: Option<Next>,
    /// What was found, where nothing of it was driven.
    pub(crate) found: Option<Preflight>,
}

impl Left {
    /// It ended.
    pub(crate) fn ended(summary: RolloutSummary) -> Self {
        Self { summary, next: None, found: None }
    }
}

/// Drives a rollout that may begin, or be resumed, to its end, or as far as the request says.
///
/// The future is boxed, and what it does beside waiting is boxed in it: of a thousand side by side nearly all wait at any moment.
pub(crate) fn drive<'a, C: Cloud, K: Clock>(
    io: Io<'a, C, K>,
    found: Preflight,
    mut sink: EventSink<'a>,
    seat: Option<MemberHandle<'a>>,
    schedule: Option<ScheduleSpec>,
) -> Pin<Box<impl Future<Output = Left> + use<'a, C, K>>> {
    let now = io.now();
    let began = started(&found.plan, found.resumes.as_ref());
    match found.resumes.as_ref().filter(|note| note.owner == found.plan.owner) {
        // Every turn goes on with what the first one told.
        Some(note) => sink.told_before(note.started_at, began),
        None => sink.emit(now, began),
    }
    if found.plan.durable {
        sink.durable();
    }
    if found.handled_unseen.is_some() {
        sink.cannot_see("failures that it handles itself could not be seen");
    }
    if let Some(end) = io.cloud.expiry() {
        let text = format!(
            "the credentials expire at {}; two minutes before that, the rollout is interrupted as if by a signal",
            clock_of(end)
        );
        sink.emit(io.now(), EventKind::Warning { text, transient: false });
    }
    for text in found.describe_warnings(&io.request.subject) {
        sink.emit(io.now(), EventKind::Warning { text, transient: false });
    }
    let mut driver = Driver { schedule, ..Driver::new(io, found, sink, Link::new(seat)) };
    Box::pin(async move { driver.run().await })
}

/// One process and the rollout it drives. All that it knows can be lost: the alias says what matters.
pub(crate) struct Driver<'a, C, K> {
    pub(crate) io: Io<'a, C, K>,
    pub(crate) plan: Plan,
    pub(crate) memory: Memory,
    pub(crate) alarms: Alarms,
    /// Whether one of them turned red since the last look.
    pub(crate) alarmed: bool,
    pub(crate) metrics: Metrics,
    pub(crate) prepared: Prepared,
    pub(crate) jobs: Jobs<'a>,
    pub(crate) logs: LogSignals<'a>,
    pub(crate) checks: Checks<'a>,
    pub(crate) group: Link<'a>,
    pub(crate) sink: EventSink<'a>,
    /// Whether this process has its guard, or does without.
    pub(crate) guarded: bool,
    /// The schedule to be made, which has the rollout continue without this process.
    pub(crate) schedule: Option<ScheduleSpec>,
    /// When this process began.
    pub(crate) began: Time,
    /// When it looked last.
    pub(crate) looked: Time,
}

impl<'a, C: Cloud, K: Clock> Driver<'a, C, K> {
    fn new(io: Io<'a, C, K>, found: Preflight, sink: EventSink<'a>, group: Link<'a>) -> Self {
        let began = io.now();
        let managed = io.request.managed.iter().map(|rule| rule.name.clone()).collect();
        let mut memory = Memory::new(found.alias.clone());
        // A turn goes by what it found a moment ago.
        let held = found.alias.zip(found.revision).map(|(alias, revision)| AliasSnapshot { alias, revision });
        if held.is_some() && Turn::is_tick(io.request.turn) {
            memory.on_read(&found.plan, held, began);
        }
        Self {
            memory,
            alarms: Alarms::new(&found.plan, managed, found.resumes.as_ref()),
            alarmed: false,
            metrics: Metrics::new(found.baseline, found.signal_past),
            prepared: Prepared::new(found.stable),
            plan: found.plan,
            jobs: Jobs::new(),
            logs: LogSignals::default(),
            checks: Checks::default(),
            io,
            group,
            sink,
            guarded: false,
            schedule: None,
            began,
            looked: began,
        }
    }

    async fn run(&mut self) -> Left {
        let mut before: Option<Round> = None;
        loop {
            let seen = Box::pin(self.look()).await;
            if self.is_handed_over(&seen) {
                return Left::ended(self.leave(&seen));
            }
            let (round, ended) = self.round(before.as_ref(), seen);
            if let Some(outcome) = ended {
                return Box::pin(self.finish(&outcome, &round.seen)).await;
            }
            if let Some(next) = self.turn_over(&round) {
                // What is final has nothing to be handed over: whoever drives the others sees it.
                let is_final = round.seen.alias.as_ref().and_then(Alias::note).is_some_and(|note| note.phase.is_terminal());
                if self.io.request.turn == Some(Turn::Begin) && !is_final {
                    Box::pin(self.hand_over(&round.seen)).await;
                    before = Some(round);
                    continue;
                }
                return Left { next: Some(next), ..Left::ended(self.leave(&round.seen)) };
            }
            if let Action::Wait { until, why } = &round.action {
                self.rest(*until, why).await;
            } else {
                Box::pin(self.perform(&round.action, &round.seen)).await;
            }
            before = Some(round);
        }
    }

    /// Does what is left to do once it is over.
    async fn finish(&mut self, outcome: &Outcome, seen: &Observation) -> Left {
        self.tell_approval();
        self.forget_report().await;
        self.keep_previous(outcome).await;
        let evidence = self.evidence(outcome).await;
        Left::ended(self.end(outcome, seen, evidence))
    }

    /// What comes next, where this process has nothing more to do for now and does not stay.
    fn turn_over(&mut self, round: &Round) -> Option<Next> {
        let turn = self.io.request.turn?;
        let told = Turn::is_tick(Some(turn)) && self.is_interrupted(round.seen.now);
        let turn = if told { Turn::Tick(Duration::ZERO) } else { turn };
        let over = turn.ends(&self.plan, &round.seen, &round.action, self.began);
        let next = over.filter(|_| !self.jobs.awaits_answer() && !self.checks.await_answer());
        self.group.leaves(next.is_some()).then_some(next)?
    }

    /// Whether turns drive from now on what this process began.
    fn is_handed_over(&self, seen: &Observation) -> bool {
        let noted =
            |alias: &Alias| alias.note().is_some_and(|note| note.id == self.plan.id && note.owner == detached_owner(note.id));
        self.io.request.turn == Some(Turn::Begin) && seen.claimed && seen.alias.as_ref().is_some_and(noted)
    }

    /// Takes the report of a hook away that nobody waits for any more, as far as it is there by now.
    async fn forget_report(&self) {
        if let Some((arn, key)) = self.jobs.unheard()
            && self.io.interrupt() != Interrupt::AtOnce
        {
            let _ = self.io.cloud.untag(&arn, &key).await;
        }
    }

    /// Decides on what was observed, and narrates; with how it ends, if it does.
    fn round(&mut self, before: Option<&Round>, seen: Observation) -> (Round, Option<Outcome>) {
        let leaves = self.io.interrupt() == Interrupt::Leave;
        self.plan.policy.on_interrupt = if leaves { OnInterrupt::Hold } else { self.io.request.on_interrupt };
        let round = Round { action: decide(&self.plan, &seen), seen };
        let ended = self.memory.on_decided(&self.plan, &round.seen, &round.action);
        let inputs = self.io.request.observations.then(|| observed(&self.plan, &round));
        // That all is well was told by an earlier turn; a record has it all the same.
        let resumes = before.is_none() && !self.io.request.observations && Turn::is_tick(self.io.request.turn);
        let known = |what: &EventKind| resumes && matches!(what, EventKind::AlarmChanged { state: AlarmState::Ok, .. });
        for what in inputs.into_iter().chain(narrate(&self.plan, before, &round)).filter(|what| !known(what)) {
            self.sink.emit(round.seen.now, self.prepared.in_full(what));
        }
        self.approvals(before, &round);
        tracing::debug!(action = ?round.action, "decided");
        self.group.show(&self.plan, &round, ended.as_ref());
        (round, ended)
    }

    /// Reports a warning, and one that repeats itself once a minute.
    pub(crate) fn warn(&mut self, why: String) {
        self.sink.warn(self.io.now(), why);
    }

    pub(crate) fn announce(&mut self, what: EventKind) {
        self.sink.emit(self.io.now(), what);
    }

    /// Waits until `until`, one poll at most, or until a signal comes or the hook answers.
    pub(crate) async fn rest(&mut self, until: Time, why: &Reason) {
        let check = self.checked().and_then(|_| self.plan.checks.iter().filter_map(|name| self.checks.due(name)).min());
        let looks = [self.next_alarms(), self.metrics.due(&self.plan, &self.memory), check];
        let next_look = looks.into_iter().flatten().min();
        self.pause(agenda::rest(&self.plan, until, why, next_look, self.io.now())).await;
        self.memory.on_waited();
    }

    /// The one wait of the controller.
    pub(crate) async fn pause(&mut self, span: Duration) {
        let watched = self.next_alarms().is_some();
        let Self { io, plan, alarms, jobs, logs, checks, group, .. } = self;
        let (mut called, mut red) = (false, false);
        tokio::select! {
            biased;
            () = io.signalled() => {}
            () = jobs.answered() => {}
            never = logs.proceed() => match never {},
            () = checks.answered() => {}
            () = group.called(plan, || io.now()) => called = true,
            () = turned_red(io, plan, alarms), if watched => red = true,
            () = io.clock.sleep(span) => {}
        }
        group.woken |= called;
        self.alarmed |= red;
    }
}

/// Ends once an alarm is in ALARM that was not when they were last looked at. Of many rollouts each alias' turn comes rarely; their alarms are
/// read in between, a hundred in one call.
///
/// # Cancel safety
/// Nothing is lost: what is in ALARM is seen by the next look.
async fn turned_red<C: Cloud, K: Clock>(io: &Io<'_, C, K>, plan: &Plan, alarms: &Alarms) {
    let every = io.request.alarm_poll();
    if every >= plan.poll {
        return std::future::pending().await;
    }
    let (names, mut known) = (alarms.watching(plan), alarms.read_at());
    loop {
        io.clock.sleep(every).await;
        // What cannot be read is told of by the next look.
        let Ok(read) = io.cloud.alarms(&names, known).await else { continue };
        if read.answer.iter().any(|alarm| alarms.is_news(alarm)) {
            return;
        }
        known = read.at;
    }
}
