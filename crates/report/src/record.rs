//! What is there to report of a whole rollout? Its events added up: weights, counts, alarms, hooks and decisions over time.
//!
//! The live view needs the last state of each; a report needs all of them. Nothing is laid out here.

use rollout::comparison::Numbers;
use rollout::difference::Difference;
use rollout::event::{Event, EventKind, HookPhase, RolloutSummary};
use rollout::health::{AlarmState, clock};
use rollout::{OutcomeKind, Time, Weight};
use serde::Serialize;

use crate::alarm_reason::in_figures;
use crate::ending::Block;
use crate::format::{short, version};
use crate::messages::{LogLine, sentences};
use crate::rollout_state::{Count, Resumed, Story};
use crate::safe::{clean_lines, one_line};

#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) story: Story,
    pub(crate) began: Time,
    pub(crate) last: Time,
    /// The candidate's weight from each moment on.
    pub(crate) shares: Vec<(Time, Weight)>,
    pub(crate) counts: Vec<Count>,
    pub(crate) alarms: Vec<Alarm>,
    pub(crate) hooks: Vec<Hook>,
    /// How the candidate differs from stable.
    pub(crate) differs: Vec<Difference>,
    pub(crate) decisions: Vec<Decision>,
    /// When monitoring was unavailable: from, until.
    pub(crate) unmonitored: Vec<(Time, Option<Time>)>,
    pub(crate) warnings: Vec<String>,
    /// When the rollback was decided, and why.
    pub(crate) rollback: Option<(Time, String)>,
    pub(crate) log: Vec<(Time, LogLine)>,
    pub(crate) ending: Option<RolloutSummary>,
}

/// A state of an alarm.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Alarm {
    pub(crate) name: String,
    pub(crate) state: AlarmState,
    pub(crate) since: Time,
    pub(crate) reason: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Hook {
    pub(crate) phase: HookPhase,
    pub(crate) name: String,
    #[serde(rename = "started_at")]
    pub(crate) invoked: Time,
    /// `None` without an answer.
    pub(crate) succeeded: Option<bool>,
    pub(crate) took_ms: Option<u64>,
    /// The end of its log.
    pub(crate) log: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Decision {
    pub(crate) at: Time,
    pub(crate) what: String,
    #[serde(rename = "reason")]
    pub(crate) because: String,
    /// The counts at that moment, if there were any.
    #[serde(skip)]
    pub(crate) numbers: Option<Numbers>,
}

/// Adds events up: a record for every rollout in them, in the order they began.
pub(crate) fn records(events: &[Event]) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    // The end of a group is not the end of one function.
    for event in events.iter().filter(|event| !matches!(event.what, EventKind::GroupOutcome(_))) {
        let same = |record: &&mut Record| record.story.is_about(event) && (record.ending.is_none() || record.is_continued(event));
        if let Some(record) = records.iter_mut().find(same) {
            record.add(event);
        } else {
            let mut record = Record { began: event.at, ..Record::default() };
            record.add(event);
            records.push(record);
        }
    }
    records
}

impl Record {
    pub(crate) fn block(&self) -> Block {
        self.ending.as_ref().map_or_else(|| Block::unfinished(&self.story), |ending| Block::of(&self.story, ending))
    }

    /// Whether this begins a turn of the rollout that a process left to turns: their events may follow its own.
    fn is_continued(&self, event: &Event) -> bool {
        let left = self.ending.as_ref().filter(|ending| ending.outcome == OutcomeKind::Detached);
        let id = left.map(|ending| ending.rollout_id.as_str());
        matches!(&event.what, EventKind::Started(started) if id == Some(started.rollout_id.as_str()))
    }

    pub(crate) fn share_at(&self, at: Time) -> Weight {
        self.shares.iter().rfind(|(since, _)| *since <= at).map_or(Weight::ZERO, |(_, weight)| *weight)
    }

    pub(crate) fn compared(&self) -> bool {
        self.counts.iter().any(|count| count.numbers.counted_to.is_some())
    }

    /// The counts with another minute in them than the one before.
    pub(crate) fn minutes(&self) -> Vec<&Count> {
        let mut kept: Vec<&Count> = Vec::new();
        for count in self.counts.iter().filter(|count| count.numbers.counted_to.is_some()) {
            // A later look at the same minutes knows more of them.
            kept.pop_if(|known| known.numbers.counted_to == count.numbers.counted_to);
            kept.push(count);
        }
        kept
    }

    fn paused(&mut self, at: Time, until: Time, by_itself: bool, gate: Option<Weight>) {
        let why = match gate {
            Some(weight) => format!("gate at {weight}: waiting for an approval"),
            None if by_itself => "paused because its record was removed".to_owned(),
            None => "paused manually".to_owned(),
        };
        self.decide(at, "hold".to_owned(), &format!("{why} until {}", clock(until)));
    }

    fn resumed(&mut self, at: Time) {
        // An approval says so itself.
        if let Some(how) = self.story.resumed.filter(|how| *how != Resumed::Approved) {
            self.decide(at, "continue".to_owned(), how.words());
        }
    }

    fn loses_sight(&mut self, at: Time, why: &str) {
        self.unmonitored.push((at, None));
        self.decide(at, "hold: monitoring unavailable".to_owned(), why);
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a fold takes what it adds up and lets the rest pass")]
    fn add(&mut self, event: &Event) {
        self.story.add(event);
        let at = event.at;
        self.last = self.last.max(at);
        self.log.extend(sentences(&self.story, event).into_iter().map(|line| (at, line)));
        match &event.what {
            EventKind::Started(started) => {
                self.ending = None;
                self.shares.extend(started.stands.map(|stands| (at, stands.weight)));
            }
            EventKind::Warning { text, transient: false } => self.warnings.push(one_line(text)),
            EventKind::VersionReady { differs, .. } if !differs.is_empty() => self.differs.clone_from(differs),
            EventKind::WeightShifted { to, because, .. } => {
                self.shares.push((at, *to));
                self.decide(at, format!("{to} of traffic to {}", version(self.story.candidate)), because);
            }
            EventKind::AliasCreated { version } => {
                self.shares.push((at, Weight::FULL));
                self.decide(at, format!("create the alias on {version}"), "the first version gets all traffic");
            }
            EventKind::Heartbeat { weight, .. } if self.share_at(at) != *weight => self.shares.push((at, *weight)),
            EventKind::AlarmChanged { name, state, since, reason } => {
                let reason = in_figures(&one_line(reason));
                self.alarms.push(Alarm { name: name.clone(), state: *state, since: *since, reason });
            }
            EventKind::Compared { .. } => self.counts.extend(self.story.count.clone()),
            EventKind::MonitoringLost { why } => self.loses_sight(at, why),
            EventKind::MonitoringRestored => {
                if let Some((_, until)) = self.unmonitored.last_mut() {
                    *until = Some(at);
                }
            }
            EventKind::Paused { until, by_itself, gate, .. } => self.paused(at, *until, *by_itself, *gate),
            EventKind::GateApproved(approval) => {
                let by = approval.by.as_deref().map_or_else(|| "a person".to_owned(), one_line);
                self.decide(at, "continue".to_owned(), &format!("gate approved by {by}"));
            }
            EventKind::Resumed => self.resumed(at),
            // Not again with the reason of the lost monitoring.
            EventKind::HoldingStep { why } if self.story.unmonitored.as_ref().is_none_or(|(_, blind)| blind != why) => {
                self.decide(at, "hold".to_owned(), why);
            }
            EventKind::HookStarted { hook, name, .. } => self.invoked(at, *hook, name),
            EventKind::HookSucceeded { took_ms, .. } => self.answered(true, *took_ms, ""),
            EventKind::HookFailed { hook, name, reason } => {
                if self.hooks.last().is_none_or(|invoked| invoked.succeeded.is_some()) {
                    self.invoked(at, *hook, name);
                }
                let took = self.hooks.last().map_or(0, |invoked| at.since(invoked.invoked).as_millis());
                self.answered(false, u64::try_from(took).unwrap_or(u64::MAX), reason);
            }
            EventKind::RollbackStarted { why, .. } => {
                let why = in_figures(clean_lines(why).first().map_or("", String::as_str));
                let goal = self.story.stable().map_or_else(|| "end".to_owned(), |stable| format!("roll back to {stable}"));
                self.decide(at, goal, &why);
                self.rollback = Some((at, why));
            }
            EventKind::Restored { .. } => self.shares.push((at, Weight::ZERO)),
            EventKind::Promoted { version, manually } => {
                self.shares.push((at, Weight::FULL));
                let why = if *manually { "promoted manually" } else { "all steps completed" };
                self.decide(at, format!("promote {version}"), why);
            }
            EventKind::Outcome(ending) => self.ending = Some((**ending).clone()),
            _ => {}
        }
    }

    fn decide(&mut self, at: Time, what: String, because: &str) {
        let numbers = self.counts.last().filter(|count| count.numbers.counted_to.is_some()).map(|count| count.numbers.clone());
        self.decisions.push(Decision { at, what, because: one_line(because), numbers });
    }

    fn invoked(&mut self, at: Time, phase: HookPhase, name: &str) {
        let name = short(name).to_owned();
        self.hooks.push(Hook { phase, name, invoked: at, succeeded: None, took_ms: None, log: Vec::new() });
    }

    fn answered(&mut self, succeeded: bool, took_ms: u64, said: &str) {
        if let Some(hook) = self.hooks.last_mut() {
            (hook.succeeded, hook.took_ms, hook.log) = (Some(succeeded), Some(took_ms), clean_lines(said));
        }
    }
}
