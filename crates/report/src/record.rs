//! What is there to report of a rollout, whole? Its events added up for whoever looks back: shares, counts, alarms, hooks and
//! decisions over time.
//!
//! The live view needs the last state of each; a report needs all of them. How any of it looks is not said here.

use std::time::Duration;

use rollout::comparison::{AnalysisVerdict, Numbers};
use rollout::event::{Difference, Event, EventKind, HookPhase, RolloutSummary};
use rollout::health::{AlarmState, clock};
use rollout::{Time, Weight};

use crate::alarm_reason::in_figures;
use crate::ending::Block;
use crate::format::{short, version};
use crate::messages::{LogLine, sentences};
use crate::rollout_state::Story;
use crate::safe::{clean_lines, one_line};

/// One alias' rollout, whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) story: Story,
    pub(crate) began: Time,
    pub(crate) last: Time,
    /// The candidate's share from each moment on.
    pub(crate) shares: Vec<(Time, Weight)>,
    pub(crate) counts: Vec<Count>,
    pub(crate) alarms: Vec<Alarm>,
    pub(crate) hooks: Vec<Hook>,
    /// What the candidate has otherwise than stable.
    pub(crate) differs: Vec<Difference>,
    pub(crate) decisions: Vec<Decision>,
    /// When nothing could be told: from then, until then.
    pub(crate) blind: Vec<(Time, Option<Time>)>,
    pub(crate) warnings: Vec<String>,
    /// When the way back was decided, and why.
    pub(crate) rollback_target: Option<(Time, String)>,
    pub(crate) log: Vec<(Time, LogLine)>,
    pub(crate) ending: Option<RolloutSummary>,
}

/// What one count of the calls said.
#[derive(Clone, Debug)]
pub(crate) struct Count {
    pub(crate) at: Time,
    pub(crate) opinion: AnalysisVerdict,
    pub(crate) why: String,
    pub(crate) numbers: Numbers,
}

/// What was told of one alarm.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    pub(crate) name: String,
    pub(crate) states: Vec<Seen>,
}

/// A state of an alarm.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) state: AlarmState,
    pub(crate) since: Time,
    pub(crate) reason: String,
}

/// A hook that was asked.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    pub(crate) phase: HookPhase,
    pub(crate) name: String,
    pub(crate) asked: Time,
    /// Whether all was well, what was said, and the end of the hook's log.
    pub(crate) answer: Option<Answer>,
}

/// A hook's answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) good: bool,
    pub(crate) took: Duration,
    pub(crate) lines: Vec<String>,
}

/// Something that was decided, and what on.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) at: Time,
    pub(crate) what: String,
    pub(crate) because: String,
    /// The numbers of that moment, where calls were counted.
    pub(crate) numbers: Option<Numbers>,
}

/// Adds events up: a record for every rollout in them, in the order they began.
pub(crate) fn records(events: &[Event]) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    // The end of several functions is none of one.
    for event in events.iter().filter(|event| !matches!(event.what, EventKind::GroupOutcome(_))) {
        let same = |record: &&mut Record| {
            record.ending.is_none() && record.story.function == event.function && record.story.alias == event.alias
        };
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
    /// The end as its lines say it.
    pub(crate) fn block(&self) -> Block {
        self.ending.as_ref().map_or_else(|| Block::unfinished(&self.story), |ending| Block::of(&self.story, ending))
    }

    /// The share of the candidate at a moment.
    pub(crate) fn share_at(&self, at: Time) -> Weight {
        self.shares.iter().rfind(|(since, _)| *since <= at).map_or(Weight::ZERO, |(_, weight)| *weight)
    }

    /// Whether any call was counted.
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

    #[expect(clippy::wildcard_enum_match_arm, reason = "a fold takes what it adds up and lets the rest pass")]
    fn add(&mut self, event: &Event) {
        self.story.add(event);
        let at = event.at;
        self.last = self.last.max(at);
        self.log.extend(sentences(&self.story, event).into_iter().map(|told| (at, told)));
        match &event.what {
            EventKind::Started(started) => self.shares.extend(started.stands.map(|stands| (at, stands.weight))),
            EventKind::Warning { text, transient: false } => self.warnings.push(one_line(text)),
            EventKind::VersionReady { differs, .. } if !differs.is_empty() => self.differs.clone_from(differs),
            EventKind::WeightShifted { to, because, .. } => {
                self.shares.push((at, *to));
                self.decide(at, format!("{to} to {}", version(self.story.candidate)), because);
            }
            EventKind::AliasCreated { version } => {
                self.shares.push((at, Weight::FULL));
                self.decide(at, format!("created on {version}"), "a first version has nothing to share with");
            }
            EventKind::Heartbeat { weight, .. } if self.share_at(at) != *weight => self.shares.push((at, *weight)),
            EventKind::AlarmChanged { name, state, since, reason } => self.alarm(name, *state, *since, reason),
            EventKind::Compared { opinion, why, numbers } => {
                let (why, numbers) = (one_line(why), (**numbers).clone());
                self.counts.push(Count { at, opinion: *opinion, why, numbers });
            }
            EventKind::MonitoringLost { why } => {
                self.blind.push((at, None));
                self.decide(at, "held: blind".to_owned(), why);
            }
            EventKind::MonitoringRestored => self.sees_again(at),
            EventKind::Paused { until, .. } => {
                self.decide(at, "held".to_owned(), &format!("paused by hand until {}", clock(*until)))
            }
            EventKind::HoldingStep { why } => self.hold(at, why),
            EventKind::HookStarted { hook, name, .. } => {
                self.hooks.push(Hook { phase: *hook, name: short(name).to_owned(), asked: at, answer: None });
            }
            EventKind::HookSucceeded { took_ms, .. } => self.answered(true, Duration::from_millis(*took_ms), ""),
            EventKind::HookFailed { hook, name, reason } => {
                if self.hooks.last().is_none_or(|asked| asked.answer.is_some()) {
                    self.hooks.push(Hook { phase: *hook, name: short(name).to_owned(), asked: at, answer: None });
                }
                let took = self.hooks.last().map_or(Duration::ZERO, |asked| at.since(asked.asked));
                self.answered(false, took, reason);
            }
            EventKind::RollbackStarted { why, .. } => {
                let why = in_figures(clean_lines(why).first().map_or("", String::as_str));
                let goal = self.story.stable().map_or_else(|| "ended".to_owned(), |stable| format!("back to {stable}"));
                self.decide(at, goal, &why);
                self.rollback_target = Some((at, why));
            }
            EventKind::Restored { .. } => self.shares.push((at, Weight::ZERO)),
            EventKind::Promoted { version } => {
                self.shares.push((at, Weight::FULL));
                self.decide(at, format!("promoted {version}"), "the schedule is through and nothing spoke against it");
            }
            EventKind::Outcome(ending) => self.ending = Some((**ending).clone()),
            _ => {}
        }
    }

    fn decide(&mut self, at: Time, what: String, because: &str) {
        let numbers = self.counts.last().filter(|count| count.numbers.counted_to.is_some()).map(|count| count.numbers.clone());
        self.decisions.push(Decision { at, what, because: one_line(because), numbers });
    }

    /// What the loss of sight has told is not told again.
    fn hold(&mut self, at: Time, why: &str) {
        if self.story.blind.as_ref().is_none_or(|(_, blind)| blind != why) {
            self.decide(at, "held".to_owned(), why);
        }
    }

    fn alarm(&mut self, name: &str, state: AlarmState, since: Time, reason: &str) {
        let seen = Seen { state, since, reason: in_figures(&one_line(reason)) };
        match self.alarms.iter_mut().find(|alarm| alarm.name == name) {
            Some(alarm) => alarm.states.push(seen),
            None => self.alarms.push(Alarm { name: name.to_owned(), states: vec![seen] }),
        }
    }

    fn sees_again(&mut self, at: Time) {
        if let Some((_, until)) = self.blind.last_mut() {
            *until = Some(at);
        }
    }

    fn answered(&mut self, good: bool, took: Duration, said: &str) {
        if let Some(hook) = self.hooks.last_mut() {
            hook.answer = Some(Answer { good, took, lines: clean_lines(said) });
        }
    }
}
