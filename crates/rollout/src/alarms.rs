//! What is known of the alarms so far? A fold over what was read of them and of their history.
//!
//! Whether it speaks against the candidate is not said here.

use crate::timing::CLOCKS_APART;
use std::collections::BTreeMap;

use crate::Time;
use crate::health::{AlarmSeen, AlarmState, Health, ReadError};
use crate::note::{Note, Phase};
use crate::plan::Plan;

/// What is known of the alarms.
#[derive(Clone, Debug)]
pub struct Alarms {
    health: Health,
    /// Up to when they are known, history included; at first since the rollout began.
    known_to: Time,
    /// When it was last tried to read them.
    tried: Option<Time>,
    /// When each was last in ALARM.
    last_alarm_at: BTreeMap<String, Time>,
    /// Those that canaryctl makes for the candidate, and since when they are about it.
    managed: Vec<String>,
    managed_since: Option<Time>,
}

impl Alarms {
    /// Those of a plan, `managed` among them, none read yet.
    pub fn new(plan: &Plan, managed: Vec<String>, resumes: Option<&Note>) -> Self {
        // Whoever went on from the claim, by the same plan, had seen to them.
        let past_claim = resumes.filter(|note| note.phase != Phase::Claim && note.plan == Some(plan.hash()));
        let managed_since = (managed.is_empty() || past_claim.is_some()).then(Time::default);
        let watches = plan.alarms.len() > if managed_since.is_some() { 0 } else { managed.len() };
        let health = if watches { unread("the alarms have not been read yet") } else { Health::Unwatched };
        let known_to = resumes.map_or(plan.began, |note| note.started_at);
        Self { health, known_to, tried: None, last_alarm_at: BTreeMap::new(), managed, managed_since }
    }

    /// What they say.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Whether those that are managed are about the candidate; so too where there are none.
    pub fn ready(&self) -> bool {
        self.managed_since.is_some()
    }

    /// The alarms to look at now: those that are managed only once they are about the candidate.
    pub fn watching(&self, plan: &Plan) -> Vec<String> {
        plan.alarms.iter().filter(|name| self.ready() || !self.managed.contains(name)).cloned().collect()
    }

    /// When they were last read.
    pub fn read_at(&self) -> Time {
        if let Health::Read { at, .. } = &self.health { *at } else { Time::default() }
    }

    /// When they are to be looked at again, as long as they have something to say: a poll after the last attempt, whatever else was
    /// done since.
    pub fn due(&self, plan: &Plan) -> Option<Time> {
        (self.health != Health::Unwatched).then(|| self.tried.map_or_else(Time::default, |tried| tried + plan.poll))
    }

    /// Whether this one, as it was read in between two looks, is in ALARM and was not at the last.
    pub fn is_news(&self, read: &AlarmSeen) -> bool {
        let known = |alarm: &AlarmSeen| alarm.name == read.name && alarm.state == AlarmState::Alarm;
        let is_known = matches!(&self.health, Health::Read { alarms, .. } if alarms.iter().any(known));
        read.state == AlarmState::Alarm && !is_known && !self.about_another(&read.name, read.since)
    }

    /// Notes that it is tried to read them.
    pub fn on_tried(&mut self, at: Time) {
        self.tried = Some(at);
    }

    /// From when on their history is to be read. `CloudWatch`'s clock is not Lambda's.
    pub fn history_from(&self) -> Time {
        self.known_to - CLOCKS_APART
    }

    /// Notes which alarms are in ALARM, and gives those whose history is to be read: one that changed its state since the last look may
    /// have been in ALARM in between. A managed one that changed before it was about the candidate has nothing to say of it.
    pub fn unsure(&mut self, alarms: &mut [AlarmSeen]) -> Vec<String> {
        let from = self.history_from();
        let mut unsure = Vec::new();
        for alarm in alarms {
            if self.about_another(&alarm.name, alarm.since) {
                alarm.state = AlarmState::InsufficientData;
            }
            if alarm.state == AlarmState::Alarm {
                self.last_alarm_at.insert(alarm.name.clone(), alarm.since);
            } else if alarm.since >= from {
                unsure.push(alarm.name.clone());
            }
        }
        unsure
    }

    /// Notes when an alarm was last in ALARM, by its history.
    pub fn on_history(&mut self, name: &str, at: Time) {
        if !self.about_another(name, at) {
            self.last_alarm_at.insert(name.to_owned(), at);
        }
    }

    /// Takes over what was read of them at that time, and whether their history could be read. Without it, it is no look that anything
    /// may rest on; but what is in ALARM in it is in ALARM.
    pub fn on_read(&mut self, plan: &Plan, at: Time, mut alarms: Vec<AlarmSeen>, failing: Option<ReadError>) {
        for alarm in &mut alarms {
            alarm.in_alarm = self.last_alarm_at.get(&alarm.name).copied();
        }
        let exists = |name: &String| alarms.iter().any(|alarm| alarm.name == *name);
        let missing = self.watching(plan).into_iter().filter(|name| !exists(name)).collect();
        let at = if failing.is_none() { at } else { self.read_at() };
        if failing.is_none() {
            self.known_to = at;
        }
        self.health = Health::Read { at, alarms, missing, failing };
    }

    /// Notes that they could not be read.
    pub fn on_read_failed(&mut self, new: ReadError) {
        match &mut self.health {
            Health::Read { failing, .. } => *failing = Some(new),
            Health::Unread { why } => *why = new.why,
            Health::Unwatched => {}
        }
    }

    /// Notes that those that are managed are about the candidate now. Where it has traffic already, what they say may be about that.
    pub fn on_managed(&mut self, has_share: bool, now: Time) {
        self.managed_since = Some(if has_share { Time::default() } else { now });
        self.tried = None;
        self.health = unread("the managed alarms have not been read yet");
    }

    /// Whether what was read of an alarm is from before it was about the candidate, and so about another version.
    fn about_another(&self, name: &str, at: Time) -> bool {
        self.managed_since.is_some_and(|since| at < since) && self.managed.iter().any(|managed| managed == name)
    }
}

fn unread(why: &str) -> Health {
    Health::Unread { why: why.to_owned() }
}
