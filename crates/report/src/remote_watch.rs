//! What can be seen of the rollout of another process? The events that follow from its alias alone, from one read to the next.
//!
//! The note has the step, the hook, the pause and the times, but no schedule, no hook's name and no counts: those are left out.
//! This module reads and writes nothing itself, and decides nothing.

use std::collections::BTreeMap;

use rollout::alias::{Alias, AliasState, Contention, alias_state};
use rollout::comparison::AnalysisResult;
use rollout::event::{Event, EventKind, FORMAT, HookPhase, Started};
use rollout::health::{AlarmSeen, AlarmState};
use rollout::narrate::{self, about_end, about_holding, alarm_changed};
use rollout::note::{Note, Phase};
use rollout::report::Report;
use rollout::{Cause, Outcome, Subject, Time, Weight};

/// How many reads in a row must show another owner: reads can be stale, and an owner repairs its note.
const BELIEVED: u8 = 3;

/// A rollout that is watched.
#[derive(Debug)]
pub struct Watch {
    subject: Subject,
    report: Report,
    /// The note as last read.
    known: Note,
    /// The weight of the last event, and the one on the alias, which a person may have set.
    share: Weight,
    stood: Weight,
    steps: usize,
    orphaned: bool,
    alarms: BTreeMap<String, AlarmState>,
    foreign: u8,
}

impl Watch {
    /// Starts to watch, if a rollout is in progress, with the events that describe it so far. `alarms` are the names of the alarms
    /// that are read.
    pub fn begin(subject: &Subject, alias: &Alias, alarms: &[String], now: Time) -> Option<(Self, Vec<Event>)> {
        let note = alias_state(alias).live()?.clone();
        let mut watch = Self {
            subject: subject.clone(),
            report: Report::default(),
            known: Note { phase: Phase::Claim, pause: None, blind: None, hook: None, ..note.clone() },
            share: Weight::ZERO,
            stood: Weight::ZERO,
            steps: 0,
            orphaned: false,
            alarms: BTreeMap::new(),
            foreign: 0,
        };
        let started = EventKind::Started(Started {
            rollout_id: note.id.to_string(),
            stable: note.stable,
            candidate: note.candidate,
            alarms: alarms.to_vec(),
            ..Started::default()
        });
        let mut events = vec![watch.event(note.started_at.min(now), started)];
        events.extend(watch.look(Some(alias), now));
        Some((watch, events))
    }

    /// The events of another read. Nothing follows an outcome.
    pub fn look(&mut self, alias: Option<&Alias>, now: Time) -> Vec<Event> {
        let found = alias.map(alias_state);
        let ours = found.as_ref().and_then(AliasState::note).filter(|note| note.id == self.known.id).cloned();
        let (Some(note), Some(alias), Some(found)) = (ours, alias, found) else {
            return self.foreign(alias, now);
        };
        if matches!(found, AliasState::PromotedElsewhere(_) | AliasState::Contended { why: Contention::Changed, .. }) {
            return self.foreign(Some(alias), now);
        }
        self.foreign = 0;
        let mut kinds = self.about_version(&note);
        kinds.extend(self.about_hook(&note, now));
        kinds.extend(self.about_share(&note));
        kinds.extend(self.about_holding(&note, &found, now));
        let ended = note.phase.is_terminal();
        kinds.extend(about_end(&note, !self.share.is_zero()));
        self.known = note;
        let since = self.known.since.min(now);
        // A step has its own time, however late it was read.
        let step = |what: &EventKind| {
            matches!(what, EventKind::VersionReady { .. } | EventKind::WeightShifted { .. } | EventKind::Restored { .. })
        };
        let mut events: Vec<Event> =
            kinds.into_iter().map(|what| self.event(if step(&what) { since } else { now }, what)).collect();
        if ended {
            events.push(self.end(&outcome(self.known.phase), alias.traffic(), since));
        }
        events
    }

    /// The events of a read of the alarms.
    pub fn look_at_alarms(&mut self, alarms: &[AlarmSeen], now: Time) -> Vec<Event> {
        let changed = alarms.iter().filter(|alarm| self.alarms.insert(alarm.name.clone(), alarm.state) != Some(alarm.state));
        let kinds: Vec<EventKind> = changed.map(alarm_changed).collect();
        kinds.into_iter().map(|what| self.event(now, what)).collect()
    }

    /// The event of another count of the invocations.
    pub fn compared(&mut self, finding: &AnalysisResult, now: Time) -> Event {
        self.event(now, narrate::compared(finding))
    }

    /// The note as last read.
    pub fn note(&self) -> &Note {
        &self.known
    }

    /// Says that something could not be read.
    pub fn trouble(&mut self, why: String, now: Time) -> Event {
        self.event(now, EventKind::Warning { text: why, transient: true })
    }

    fn event(&mut self, at: Time, what: EventKind) -> Event {
        let (function, alias) = (self.subject.function.name.clone(), self.subject.alias.clone());
        let event = Event { v: FORMAT, at, function, alias, what };
        self.report.add(&event);
        event
    }

    fn end(&mut self, outcome: &Outcome, traffic: String, at: Time) -> Event {
        let ending = self.report.ending(&self.subject.to_string(), outcome, None, traffic, at);
        self.event(at, EventKind::Outcome(Box::new(ending)))
    }

    /// Another rollout's note, none, or one that does not fit its alias.
    fn foreign(&mut self, alias: Option<&Alias>, now: Time) -> Vec<Event> {
        self.foreign += 1;
        if self.foreign < BELIEVED {
            return Vec::new();
        }
        let traffic = alias.map_or_else(|| "the alias does not exist".to_owned(), Alias::traffic);
        vec![self.end(&Outcome::Superseded, traffic, now)]
    }

    fn about_version(&self, note: &Note) -> Vec<EventKind> {
        let Some(version) = note.candidate else { return Vec::new() };
        let prepares = |phase: Phase| matches!(phase, Phase::Claim | Phase::Back(_));
        let mut kinds = Vec::new();
        if self.known.candidate.is_none() {
            kinds.push(EventKind::Published { version });
        }
        if prepares(self.known.phase) && !prepares(note.phase) {
            kinds.push(EventKind::VersionReady { version, differs: Vec::new() });
        }
        kinds
    }

    fn about_hook(&self, note: &Note, now: Time) -> Vec<EventKind> {
        let hook = |phase: Phase| match phase {
            Phase::Pre => Some(HookPhase::PreTraffic),
            Phase::Shift { .. } => Some(HookPhase::Step),
            Phase::Post => Some(HookPhase::PostTraffic),
            Phase::Claim | Phase::Bake | Phase::Promoted | Phase::Back(_) => None,
        };
        let mut kinds = Vec::new();
        let moved = self.known.phase != note.phase;
        // How long a step's hook took is not in the note.
        let ran = hook(self.known.phase).filter(|hook| self.known.hook.is_some() && *hook != HookPhase::Step);
        if let Some(hook) = ran.filter(|_| moved && !matches!(note.phase, Phase::Back(_))) {
            let took_ms = u64::try_from(now.since(self.known.since).as_millis()).unwrap_or(u64::MAX);
            kinds.push(EventKind::HookSucceeded { hook, name: "the hook".to_owned(), took_ms });
        }
        if let (Some(hook), Some(attempt)) = (hook(note.phase), note.hook)
            && (moved || self.known.hook != note.hook)
        {
            kinds.push(EventKind::HookStarted { hook, name: "the hook".to_owned(), attempt: attempt.number });
        }
        kinds
    }

    fn about_share(&mut self, note: &Note) -> Option<EventKind> {
        let (from, to) = (self.share, note.phase.share());
        let (step, because) = if let Phase::Shift { step, steps, .. } = note.phase {
            self.steps = usize::from(steps);
            (usize::from(step), format!("step {step} of {steps}"))
        } else {
            (self.steps, "the last step".to_owned())
        };
        if to.is_zero() || to == from || note.stable.is_none() {
            return None;
        }
        (self.share, self.stood) = (to, to);
        let steps = self.steps;
        Some(EventKind::WeightShifted {
            from,
            to,
            step,
            steps,
            next_at: note.due,
            because,
            by_configuration: false,
            manually: note.promoted_manually,
        })
    }

    /// Everything that holds the traffic, and its end.
    fn about_holding(&mut self, note: &Note, found: &AliasState, now: Time) -> Vec<EventKind> {
        if note.phase.is_terminal() {
            return Vec::new();
        }
        let known = &self.known;
        let mut kinds = about_holding(Some(known), note, false, || "the rollout's process cannot read CloudWatch".to_owned());
        if note.waited > known.waited && known.waited.is_zero() {
            kinds.push(EventKind::HoldingStep { why: "step extended: too few invocations of the new version".to_owned() });
        }
        if note.held > known.held {
            kinds.push(EventKind::HoldingStep {
                why: "step extended: the new version is possibly worse, not yet certain".to_owned(),
            });
        }
        let orphaned = note.lease.is_none_or(|lease| lease <= now);
        if orphaned && !self.orphaned {
            kinds.push(EventKind::Warning {
                text: "no process drives this rollout: the lease of its owner has expired".to_owned(),
                transient: false,
            });
        }
        self.orphaned = orphaned;
        let (weight, waiting_for) = match found {
            AliasState::SetByHand(_, weight) => (*weight, "the manually set traffic to be reset, or the rollout to be ended"),
            AliasState::ClearedByHand(_) => (Weight::ZERO, "the owner to end the rollout: traffic was cleared manually"),
            AliasState::Moving(..) => (note.phase.share(), "AWS to move provisioned concurrency"),
            AliasState::Idle(_) | AliasState::Foreign { .. } | AliasState::Claimed(_) | AliasState::Running(_) => {
                (note.phase.share(), "the next step")
            }
            AliasState::PromotedElsewhere(_) | AliasState::Contended { .. } => return kinds,
        };
        let put_off = known.due != note.due && known.phase == note.phase;
        if put_off || weight != self.stood {
            self.stood = weight;
            kinds.push(EventKind::Heartbeat { weight, next_at: note.due, waiting_for: waiting_for.to_owned() });
        }
        kinds
    }
}

pub(crate) fn outcome(phase: Phase) -> Outcome {
    match phase {
        Phase::Back(Cause::Unchanged) => Outcome::Unchanged,
        Phase::Back(Cause::Rejected) => Outcome::Refused,
        Phase::Back(Cause::Superseded) => Outcome::Superseded,
        Phase::Back(Cause::Failed) => Outcome::Failed,
        Phase::Back(cause) => Outcome::RolledBack(cause),
        Phase::Promoted | Phase::Claim | Phase::Pre | Phase::Shift { .. } | Phase::Bake | Phase::Post => Outcome::Promoted,
    }
}
