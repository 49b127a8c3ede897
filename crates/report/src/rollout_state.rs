//! What is known so far? The events of one alias, added up for the log, the live view and the reports.

use rollout::check::CheckState;
use rollout::comparison::{AnalysisVerdict, Numbers};
use rollout::event::{Event, EventKind, HookPhase, ResumesAt, Started};
use rollout::health::AlarmState;
use rollout::plan::Mode;
use rollout::{Cause, Time, Version, Weight};
use serde::Serialize;

use crate::safe::one_line;

use crate::safe::name;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mark {
    #[default]
    Awaited,
    Running(Time),
    Succeeded(u64),
    Failed,
}

/// An alarm that is watched, and its last reported state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) last: Option<(AlarmState, Time)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) weight: Weight,
    pub(crate) step: u16,
    pub(crate) steps: u16,
    pub(crate) since: Time,
    pub(crate) next_at: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Count {
    pub(crate) at: Time,
    #[serde(rename = "verdict")]
    pub(crate) opinion: AnalysisVerdict,
    /// In one line.
    pub(crate) why: String,
    pub(crate) numbers: Numbers,
    /// Whether the verdict has changed.
    #[serde(skip)]
    pub(crate) turned: bool,
}

/// Everything that the events so far add up to.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that has happened or has not")]
pub(crate) struct Story {
    pub(crate) function: String,
    pub(crate) alias: String,
    pub(crate) started: Option<(Time, Started)>,
    pub(crate) claimed: bool,
    /// Whether a schedule continues it where no process does.
    pub(crate) scheduled: bool,
    pub(crate) candidate: Option<Version>,
    pub(crate) ready: bool,
    pub(crate) created: bool,
    pub(crate) pre_hook: Mark,
    pub(crate) step_hook: Mark,
    pub(crate) post_hook: Mark,
    pub(crate) share: Option<Share>,
    pub(crate) set_manually: Option<Weight>,
    pub(crate) alarms: Vec<Watched>,
    /// The checks that have answered, and what the last answer of each came to.
    pub(crate) checks: Vec<(String, CheckState)>,
    pub(crate) unmonitored: Option<(Time, String)>,
    /// Until when the rollout is paused, by a person or at a gate.
    pub(crate) paused: Option<Time>,
    /// Whether that pause, or the last one, is a gate.
    pub(crate) gate: bool,
    /// How the last pause ended.
    pub(crate) resumed: Option<Resumed>,
    /// The last count.
    pub(crate) count: Option<Count>,
    /// When a rollback was decided, and why.
    pub(crate) rollback: Option<(Time, Cause)>,
    /// When a rollback was confirmed, and the version that has the traffic again.
    pub(crate) restored: Option<(Time, Option<Version>)>,
    pub(crate) promoted: bool,
}

/// How does a pause end?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resumed {
    Manually,
    InTime,
    Approved,
    Unapproved,
}

impl Resumed {
    fn of(gate: bool, over: bool) -> Self {
        match (gate, over) {
            (false, false) => Self::Manually,
            (false, true) => Self::InTime,
            (true, false) => Self::Approved,
            (true, true) => Self::Unapproved,
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Manually => "manually",
            Self::InTime => "the pause is over",
            Self::Approved => "the gate was approved",
            Self::Unapproved => "the gate was not approved in time; it continues",
        }
    }
}

impl Story {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a fold takes what it adds up and lets the rest pass")]
    pub(crate) fn add(&mut self, event: &Event) {
        self.function = name(&event.function);
        self.alias = name(&event.alias);
        match &event.what {
            EventKind::Started(started) => self.start(event.at, started),
            EventKind::Acquired { .. } => self.claimed = true,
            EventKind::Scheduled(_) => self.scheduled = true,
            EventKind::Published { version } => self.candidate = Some(*version),
            EventKind::VersionReady { version, .. } => {
                self.candidate = Some(*version);
                self.ready = true;
            }
            EventKind::AliasCreated { version } => {
                self.candidate = Some(*version);
                (self.ready, self.created) = (true, true);
            }
            EventKind::HookStarted { hook, .. } => self.mark(*hook, Mark::Running(event.at)),
            EventKind::HookSucceeded { hook, took_ms, .. } => self.mark(*hook, Mark::Succeeded(*took_ms)),
            EventKind::HookFailed { hook, .. } => self.mark(*hook, Mark::Failed),
            EventKind::Check { name, state, .. } => self.check(name, *state),
            EventKind::WeightShifted { to, step, steps, next_at, .. } => {
                self.share =
                    Some(Share { weight: *to, step: bounded(*step), steps: bounded(*steps), since: event.at, next_at: *next_at });
                (self.set_manually, self.paused) = (None, None);
            }
            EventKind::AlarmChanged { name, state, since, .. } => self.alarm(name, *state, *since),
            EventKind::Compared { opinion, why, numbers } => {
                let turned = self.count.as_ref().is_none_or(|known| known.opinion != *opinion);
                let (why, numbers) = (one_line(why), (**numbers).clone());
                self.count = Some(Count { at: event.at, opinion: *opinion, why, numbers, turned });
            }
            EventKind::MonitoringLost { why } => self.unmonitored = Some((event.at, why.clone())),
            EventKind::MonitoringRestored => self.unmonitored = None,
            EventKind::Paused { until, gate, .. } => (self.paused, self.gate) = (Some(*until), gate.is_some()),
            EventKind::Resumed => self.resumed = self.paused.take().map(|until| Resumed::of(self.gate, event.at >= until)),
            EventKind::Heartbeat { weight, next_at, .. } => self.beat(*weight, *next_at),
            EventKind::RollbackStarted { cause, .. } => self.rollback = Some((event.at, *cause)),
            EventKind::Restored { version, .. } => self.restored = Some((event.at, *version)),
            EventKind::Promoted { .. } => self.promoted = true,
            _ => {}
        }
    }

    pub(crate) fn is_about(&self, event: &Event) -> bool {
        self.function == name(&event.function) && self.alias == name(&event.alias)
    }

    pub(crate) fn subject(&self) -> String {
        format!("{}:{}", self.function, self.alias)
    }

    /// The version that a rollback restores, if there is one.
    pub(crate) fn stable(&self) -> Option<Version> {
        self.started.as_ref().and_then(|(_, started)| started.stable)
    }

    /// Whether a first deployment has created its alias.
    pub(crate) fn exists(&self) -> bool {
        self.created || self.started.as_ref().is_some_and(|(_, started)| started.stands.is_some())
    }

    /// Whether the rollout began after that moment.
    pub(crate) fn began_after(&self, at: Time) -> bool {
        self.started.as_ref().is_some_and(|(began, _)| *began > at)
    }

    /// Whether another process drives the rollout, so that only its alias is known.
    pub(crate) fn elsewhere(&self) -> bool {
        self.started.as_ref().is_some_and(|(_, started)| started.is_elsewhere())
    }

    /// The traffic that the candidate has now, as far as it is known.
    pub(crate) fn weight(&self) -> Option<Weight> {
        self.set_manually.or(self.share.map(|share| share.weight)).filter(|_| self.restored.is_none())
    }

    /// Whether it is known that nothing is watched.
    pub(crate) fn unwatched(&self) -> bool {
        let known = |started: &Started| {
            started.alarms.is_empty()
                && started.checks.is_empty()
                && started.analysis != Some(Mode::On)
                && !started.is_elsewhere()
        };
        self.started.as_ref().is_some_and(|(_, started)| known(started))
    }

    fn start(&mut self, at: Time, started: &Started) {
        self.candidate = started.candidate;
        self.alarms = started.alarms.iter().map(|name| Watched { name: name.clone(), last: None }).collect();
        if let Some(ResumesAt { weight, step, next_at }) = started.stands {
            self.claimed = true;
            if !weight.is_zero() {
                self.ready = true;
                self.share =
                    Some(Share { weight, step: bounded(step), steps: bounded(started.weights.len()), since: at, next_at });
            }
        }
        self.started = Some((at, started.clone()));
    }

    fn mark(&mut self, hook: HookPhase, mark: Mark) {
        match hook {
            HookPhase::PreTraffic => self.pre_hook = mark,
            HookPhase::Step => self.step_hook = mark,
            HookPhase::PostTraffic => self.post_hook = mark,
            // A check has no phase that it begins or ends.
            HookPhase::Check => {}
        }
    }

    fn check(&mut self, name: &str, state: CheckState) {
        self.checks.retain(|(known, _)| known != name);
        self.checks.push((name.to_owned(), state));
    }

    fn alarm(&mut self, name: &str, state: AlarmState, since: Time) {
        let last = Some((state, since));
        match self.alarms.iter_mut().find(|alarm| alarm.name == name) {
            Some(alarm) => alarm.last = last,
            None => self.alarms.push(Watched { name: name.to_owned(), last }),
        }
    }

    fn beat(&mut self, weight: Weight, next_at: Option<Time>) {
        let Some(share) = &mut self.share else { return };
        self.set_manually = Some(weight).filter(|weight| *weight != share.weight);
        share.next_at = next_at.or(share.next_at);
    }
}

/// No schedule has so many steps; a record that says so is not to be reckoned with.
fn bounded(steps: usize) -> u16 {
    u16::try_from(steps).unwrap_or(u16::MAX)
}
