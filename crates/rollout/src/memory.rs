//! What does a process remember of the rollout it drives, and what follows from that? A fold over what it read, wrote and decided.
//!
//! No clock and no call: times are arguments. All of it can be lost, because the alias says what matters. What is to be done next is
//! not said here: that is decided on the observation that this gives.

use crate::timing::{HOPELESS, REFUSED, ROLLBACK_LIMIT, SECOND_LOOK};
use std::time::Duration;

use crate::action::{Action, Reason};
use crate::alias::{AliasSnapshot, AliasState, Revision, alias_state};
use crate::comparison::{Comparison, Probe};
use crate::failure::Failure;
use crate::format::exact;
use crate::health::{Health, ReadError};
use crate::note::{Note, NoteParse};
use crate::observation::{Candidate, Certainty, Hook, Observation};
use crate::plan::Plan;
use crate::{Alias, Cause, Outcome, Time, Weight};

/// Everything that one process knows of the rollout it drives, apart from what is watched.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    sight: Sight,
    writes: Writes,
    giving_up: GivingUp,
    /// The alias that the plan was made for.
    planned_on: Option<Alias>,
    claimed: bool,
    /// The live note that was last seen as this process' own.
    remembered: Option<Note>,
    /// When the weight was last seen to rise.
    step_observed_at: Option<Time>,
    /// Why a rollback was decided, once one was; and for which cause a write of this process has brought the traffic back.
    failed: Option<Cause>,
    restored: Option<Cause>,
    /// Since when nothing can be told, in case the note has no room for it.
    blind: Option<Time>,
    /// Since when nothing but the full minute, or the others of a group after it, was waited for.
    ready: Option<Time>,
    /// Since when a weight that a person set is held.
    set_manually_since: Option<Time>,
    managed_alarms: Lack,
    guard: Lack,
}

/// Something beside the alias that a rollout needs before it moves: since when it cannot be had, and why that is given up.
#[derive(Clone, Debug, Default)]
struct Lack {
    since: Option<Time>,
    given_up: Option<String>,
}

impl Lack {
    /// Notes a failure, and whether that is given up: what AWS refuses for good at once, everything else after the time that nothing can
    /// be read.
    fn on_failed(&mut self, plan: &Plan, failure: Failure, why: &str, now: Time) -> bool {
        let since = *self.since.get_or_insert(now);
        let for_good = matches!(failure, Failure::Denied | Failure::Expired | Failure::Invalid | Failure::NotFound);
        let given_up = for_good || now.since(since) >= plan.blind_limit;
        if given_up {
            self.given_up = Some(why.to_owned());
        }
        given_up
    }
}

#[derive(Clone, Debug, Default)]
struct Sight {
    held: Option<AliasSnapshot>,
    unchanged_since: Option<Time>,
    /// When it was last read or written with success.
    last_read_at: Option<Time>,
    /// Whether `held` is the answer to a write, and nothing was waited for since.
    written: bool,
    /// Whether it could not be read for too many calls.
    throttled: bool,
    /// Since when every attempt to read it failed.
    unread_since: Option<Time>,
    /// Revisions that this process' writes have replaced: a read that gives one of them is stale.
    replaced: Vec<Revision>,
}

#[derive(Clone, Debug, Default)]
struct Writes {
    unanswered: Option<Time>,
    /// How many in a row failed.
    failures: u32,
    /// Since when those that move nothing back are refused, or fail in any way, and why that is given up.
    refused_since: Option<Time>,
    failing_since: Option<Time>,
    refused: Option<String>,
    /// Since when nothing but expired credentials is the answer.
    expired_since: Option<Time>,
    full_weight_refused: bool,
}

/// Since when a rollback is tried. It is not tried for ever, and not against a second signal.
#[derive(Clone, Copy, Debug, Default)]
pub struct GivingUp {
    since: Option<Time>,
}

impl GivingUp {
    /// How the rollout ends, if this decision ends it: as decided, or because the rollback is given up.
    pub fn end(&mut self, seen: &Observation, action: &Action) -> Option<Outcome> {
        if let Action::Finish(outcome) = action {
            return Some(outcome.clone());
        }
        // A weight of its group that it has to own before it can bring it back.
        let called = *action == Action::TakeOver && seen.others.as_ref().is_some_and(|others| others.called.is_some());
        if !matches!(action, Action::RollBack(_) | Action::Confirm | Action::Release) && !called {
            self.since = None;
            return None;
        }
        // A write that was answered a moment ago shows that it is worth trying again.
        if seen.certainty == Certainty::Written {
            self.since = None;
        }
        let since = *self.since.get_or_insert(seen.now);
        // After the commit of its group nothing rolls back that nobody called back: it stays where it is.
        let others = seen.others.as_ref().filter(|_| seen.failed.is_none());
        let committed =
            others.is_some_and(|others| others.committed && others.called.as_ref().is_none_or(|called| called.cause.is_none()));
        // A claim that was never taken has moved nothing, and none that still lands moves anything.
        let elsewhere = |alias: &Alias| alias.canary().is_some() || alias.is_moving();
        let unclaimed = *action == Action::Confirm && !seen.claimed && !seen.alias.as_ref().is_some_and(elsewhere);
        let outcome = if *action == Action::Release {
            Outcome::LeftInProgress
        } else if unclaimed || committed && !matches!(action, Action::RollBack(_)) {
            Outcome::Failed
        } else {
            Outcome::RollbackUnconfirmed
        };
        (seen.stop_now || seen.now.since(since) >= ROLLBACK_LIMIT).then_some(outcome)
    }
}

impl Memory {
    /// Nothing but the alias that the plan was made for.
    pub fn new(planned_on: Option<Alias>) -> Self {
        Self { planned_on, ..Self::default() }
    }

    /// The alias as last read or written, with its revision.
    pub fn held(&self) -> Option<&AliasSnapshot> {
        self.sight.held.as_ref()
    }

    /// The alias as last read or written.
    pub fn alias(&self) -> Option<&Alias> {
        self.held().map(|held| &held.alias)
    }

    /// The note on the alias, where it is this rollout's and this process'.
    pub fn note(&self, plan: &Plan) -> Option<Note> {
        let note = alias_state(self.alias()?).note()?.clone();
        (note.id == plan.id && note.owner == plan.owner).then_some(note)
    }

    /// Whether this process has ever seen its own note on the alias.
    pub fn claimed(&self) -> bool {
        self.claimed
    }

    /// Why a rollback was decided, once one was.
    pub fn failed(&self) -> Option<Cause> {
        self.failed
    }

    /// Why AWS' refusals of this process' writes are taken for its last word.
    pub fn refused(&self) -> Option<&String> {
        self.writes.refused.as_ref()
    }

    /// How many writes in a row failed.
    pub fn failures(&self) -> u32 {
        self.writes.failures
    }

    /// Why the rollout cannot go on, whatever is seen: AWS takes none of its writes, or it cannot have what it needs.
    fn blocked(&self) -> Option<String> {
        let Self { writes, managed_alarms, guard, .. } = self;
        writes.refused.iter().chain(&managed_alarms.given_up).chain(&guard.given_up).next().cloned()
    }

    /// Whether what this process wrote is so fresh that it need not be read.
    pub fn is_written(&self) -> bool {
        self.sight.written
    }

    /// Whether nothing but the others of a group keeps the weight from rising, or the clock.
    pub fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// How long ago the alias was last read or written; `None` where it never was.
    pub fn age(&self, now: Time) -> Option<Duration> {
        self.sight.last_read_at.map(|read| now.since(read))
    }

    /// Takes over what a read says, unless it is older than this process' own last write.
    pub fn on_read(&mut self, plan: &Plan, held: Option<AliasSnapshot>, now: Time) {
        let stale = held.as_ref().is_some_and(|held| self.sight.replaced.contains(&held.revision));
        if !stale {
            self.take(plan, held, now);
        }
    }

    /// Notes that the alias could not be read, and in AWS' words why. Without anything in hand that is not tried for ever; with expired
    /// credentials nothing is.
    pub fn on_read_failed(&mut self, plan: &Plan, failure: Failure, why: &str, now: Time) {
        self.sight.throttled = failure == Failure::Throttled;
        let since = *self.sight.unread_since.get_or_insert(now);
        self.on_credentials(failure, now);
        let limit = if failure.is_refusal() { REFUSED } else { plan.blind_limit };
        if self.credentials_expired(now) || self.sight.held.is_none() && now.since(since) >= limit {
            self.writes.refused = Some(format!("the alias cannot be read: {why}"));
        }
    }

    fn on_credentials(&mut self, failure: Failure, now: Time) {
        let since = &mut self.writes.expired_since;
        *since = if failure == Failure::Expired { since.or(Some(now)) } else { None };
    }

    /// Whether the credentials have expired for good: nothing that is tried again with them succeeds.
    fn credentials_expired(&self, now: Time) -> bool {
        self.writes.expired_since.is_some_and(|since| now.since(since) >= HOPELESS)
    }

    /// Takes over what the answer to a write says the alias is.
    pub fn on_written(&mut self, plan: &Plan, action: &Action, held: AliasSnapshot, now: Time) {
        if let Action::RollBack(cause) = action {
            self.restored = Some(*cause);
        }
        self.sight.replaced.extend(self.sight.held.as_ref().map(|before| before.revision.clone()));
        self.take(plan, Some(held), now);
        self.sight.written = true;
        let refused = self.writes.refused.take();
        let full_weight_refused = self.writes.full_weight_refused;
        self.writes = Writes { refused, full_weight_refused, ..Writes::default() };
    }

    /// Notes how a write failed, and in AWS' words why.
    pub fn on_write_failed(&mut self, plan: &Plan, action: &Action, failure: Failure, why: &str, now: Time) {
        self.sight.written = false;
        let writes = &mut self.writes;
        writes.failures += 1;
        if failure == Failure::Unanswered {
            writes.unanswered.get_or_insert(now);
        }
        let full = matches!(action, Action::Shift { step, .. } if plan.schedule.weight(*step) == Weight::FULL);
        if full && failure == Failure::Invalid && !writes.full_weight_refused {
            writes.full_weight_refused = true;
        } else if failure.is_refusal() && !matches!(action, Action::RollBack(_) | Action::Confirm) {
            let since = *writes.refused_since.get_or_insert(now);
            if *action == Action::Claim || now.since(since) >= REFUSED {
                writes.refused = Some(format!("AWS refuses to change the alias: {why}"));
            }
        } else if !matches!(failure, Failure::Outdated | Failure::Throttled)
            && !matches!(action, Action::RollBack(_) | Action::Confirm)
        {
            // No answer, an error of AWS' own, another change in progress: each may pass, but not for ever.
            let since = *writes.failing_since.get_or_insert(now);
            if now.since(since) >= plan.blind_limit {
                let limit = exact(plan.blind_limit);
                writes.refused = Some(format!("the alias could not be changed for {limit}: {why}"));
            }
        }
        self.on_credentials(failure, now);
        if self.credentials_expired(now) {
            self.writes.refused = Some(format!("the credentials have expired: {why}"));
        }
    }

    /// Notes that a managed alarm could not be seen to, and whether that is given up.
    pub fn on_not_managed(&mut self, plan: &Plan, failure: Failure, why: &str, now: Time) -> bool {
        self.managed_alarms.on_failed(plan, failure, why, now)
    }

    /// Notes that the guard could not be started, and whether that is given up.
    pub fn on_not_guarded(&mut self, plan: &Plan, failure: Failure, why: &str, now: Time) -> bool {
        self.guard.on_failed(plan, failure, why, now)
    }

    /// Notes that something was waited for: what was established by a write before that has to be read again.
    pub fn on_waited(&mut self) {
        self.sight.written = false;
    }

    /// Notes what was decided, and gives how the rollout ends, if it does.
    pub fn on_decided(&mut self, plan: &Plan, seen: &Observation, action: &Action) -> Option<Outcome> {
        if let Action::RollBack(cause) = action {
            self.failed.get_or_insert(*cause);
        }
        // Whoever waits for the others after the full minute has waited for that, and a lease that is renewed changes nothing.
        let waits = matches!(action, Action::Wait { why: Reason::FullMinute | Reason::SharedDegradation { .. }, .. });
        let still = self.ready.filter(|ready| plan.met(*ready, seen.now).is_some());
        let since = if waits { still.or(Some(seen.now)) } else { self.ready };
        self.ready = since.filter(|_| waits || *action == Action::Renew);
        let by_hand = seen.alias.as_ref().is_some_and(|alias| matches!(alias_state(alias), AliasState::SetByHand(..)));
        self.set_manually_since = if by_hand { self.set_manually_since.or(Some(seen.now)) } else { None };
        let unsaid = matches!(action, Action::GoBlind | Action::WriteAgain);
        self.blind = if unsaid { self.blind.or(Some(seen.now)) } else { None };
        self.giving_up.end(seen, action)
    }

    /// What is known of the rollout, with nothing of what is watched. `at_once` says that the process was told to stop at once.
    pub fn observation(&self, now: Time, at_once: bool) -> Observation {
        Observation {
            now,
            alias: self.alias().cloned(),
            certainty: self.certainty(),
            claimed: self.claimed,
            unanswered: self.writes.unanswered,
            failed: self.failed,
            restored: self.restored,
            blind: self.blind,
            step_observed_at: self.step_observed_at,
            full_weight_refused: self.writes.full_weight_refused,
            planned_on: self.planned_on.clone(),
            remembered: self.remembered.clone(),
            write_blocked: self.blocked(),
            candidate: Candidate::Unknown,
            managed: true,
            unguarded: false,
            hook: Hook::NotInvoked,
            ready: self.ready,
            health: Health::Unwatched,
            comparison: Comparison::uncounted(),
            probe: Probe::NotSent,
            checks: Vec::new(),
            interrupted: false,
            stop_now: at_once && self.alias().is_some_and(Alias::is_moving)
                || (at_once || self.credentials_expired(now)) && self.writes.failures > 0,
            set_manually_since: self.set_manually_since,
            others: None,
        }
    }

    /// What is known of the alarms, and no newer than what is known of the alias: not knowing it is as blind as not knowing them.
    pub fn health(&self, plan: &Plan, alarms: &Health, now: Time) -> Health {
        if self.age(now).is_some_and(|age| age <= plan.freshness()) {
            return alarms.clone();
        }
        let why = "the alias cannot be read".to_owned();
        match (alarms, self.sight.last_read_at) {
            (Health::Read { at, alarms, missing, .. }, Some(read)) => {
                let failing = Some(ReadError { why, throttled: self.sight.throttled });
                Health::Read { at: read.min(*at), alarms: alarms.clone(), missing: missing.clone(), failing }
            }
            (Health::Read { .. } | Health::Unwatched | Health::Unread { .. }, _) => Health::Unread { why },
        }
    }

    fn certainty(&self) -> Certainty {
        let Sight { unchanged_since, last_read_at, written, .. } = &self.sight;
        let apart = unchanged_since.zip(*last_read_at).is_some_and(|(since, read)| read.since(since) >= SECOND_LOOK);
        match (written, apart) {
            (true, _) => Certainty::Written,
            (false, true) => Certainty::ReadTwice,
            (false, false) => Certainty::Read,
        }
    }

    fn take(&mut self, plan: &Plan, held: Option<AliasSnapshot>, now: Time) {
        let same = self.sight.unchanged_since.is_some() && held == self.sight.held;
        if !same {
            self.sight.unchanged_since = Some(now);
        }
        let share = |held: &Option<AliasSnapshot>| alias_state(&held.as_ref()?.alias).live().map(|note| note.phase.share());
        let (before, after) = (share(&self.sight.held), share(&held));
        if after > before && before.is_some() {
            self.step_observed_at = Some(now);
        }
        (self.sight.last_read_at, self.sight.unread_since) = (Some(now), None);
        self.sight.held = held;
        let mine = self.note(plan);
        self.claimed |= mine.is_some();
        // A note that is gone is remembered as it was; one that is terminal, or another's, ends the memory.
        if mine.is_some() || self.alias().is_none_or(|alias| alias.noted() != NoteParse::Nothing) {
            self.remembered = mine.filter(|note| !note.phase.is_terminal());
        }
    }
}
