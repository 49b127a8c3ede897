//! What happened? The world's log, the alarms' transitions and the exit codes: all that the checkers are given.
//!
//! Nothing the controller said of itself is in it but how it ended.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sim::{AliasState, CallRecord, Delivery, Time, World};

use crate::note::{Note, split};
use crate::stage::{ALARMS, ALIAS, FUNCTION};
use crate::story::{Asked, Story};

/// An alias that is not there.
static ABSENT: AliasState =
    AliasState { version: String::new(), weights: BTreeMap::new(), description: String::new(), revision: String::new() };

/// A story that was played.
pub(crate) struct Record {
    pub(crate) story: Story,
    pub(crate) opened: Time,
    pub(crate) log: Vec<CallRecord>,
    /// The watched alarms, each with its transitions, oldest first.
    pub(crate) alarms: Vec<(&'static str, Vec<(Time, String)>)>,
    pub(crate) runs: Vec<Run>,
    /// Who was started to finish what was left, if anything was.
    pub(crate) finisher: Option<String>,
    /// The alias at the end of it all.
    pub(crate) last: AliasState,
}

/// One process, from its start to its end.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) caller: String,
    pub(crate) role: Role,
    pub(crate) began: Time,
    /// When and with which exit code it ended; nothing where it was killed.
    pub(crate) ended: Option<(Time, u8)>,
    /// Where it said that the traffic is.
    pub(crate) said: Option<String>,
    /// Whether it was to put another rollout aside.
    pub(crate) supersedes: bool,
    /// When its credentials end.
    pub(crate) expires: Option<Time>,
    /// What it was asked for, where that is known; else the story's plan.
    pub(crate) asked: Option<Asked>,
    /// Whether it was still running when the story's time was over.
    pub(crate) overdue: bool,
}

/// How a process ended: when, with which exit code, and where it said that the traffic is, if it said so.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) at: Time,
    pub(crate) code: u8,
    pub(crate) said: Option<String>,
}

impl Run {
    /// A process that was started then, and ended so; one that was killed did not end.
    pub(crate) fn of(caller: &str, role: Role, began: Time, ended: Option<Ended>) -> Self {
        let said = ended.as_ref().and_then(|ended| ended.said.clone());
        let ended = ended.map(|ended| (ended.at, ended.code));
        let caller = caller.to_owned();
        Self { caller, role, began, ended, said, supersedes: false, expires: None, asked: None, overdue: false }
    }
}

/// What a process was started as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Rollout,
    RollBack,
    /// An order to a rollout under way.
    Order,
}

/// A write to the alias that took effect.
pub(crate) struct Change<'r> {
    pub(crate) call: &'r CallRecord,
    /// When it left its sender.
    pub(crate) sent: Time,
    pub(crate) before: &'r AliasState,
    pub(crate) after: &'r AliasState,
    pub(crate) noted_before: Option<Note>,
    pub(crate) noted: Option<Note>,
    /// The process that sent it; nothing where it was not one of ours.
    pub(crate) by: Option<&'r Run>,
}

impl Record {
    /// Gathers what is left when a story is over.
    pub(crate) fn of(story: &Story, opened: Time, world: &World, runs: Vec<Run>) -> Self {
        Self {
            story: story.clone(),
            opened,
            log: world.log().to_vec(),
            alarms: ALARMS.iter().take(story.asked.alarms).map(|name| (*name, world.alarm_transitions(name))).collect(),
            runs,
            finisher: None,
            last: world.alias(FUNCTION, ALIAS).unwrap_or(&ABSENT).clone(),
        }
    }

    /// Every change of the alias, in order.
    pub(crate) fn changes(&self) -> Vec<Change<'_>> {
        self.log.iter().filter(|call| call.wrote(FUNCTION, ALIAS)).filter_map(|call| Change::of(call, &self.runs)).collect()
    }

    /// The process that signed as `caller`.
    pub(crate) fn run(&self, caller: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.caller == caller)
    }

    /// Whether an alarm was in ALARM at a moment.
    pub(crate) fn red(&self, alarm: &str, at: Time) -> bool {
        let transitions = self.alarms.iter().find(|(name, _)| *name == alarm).map(|(_, transitions)| transitions);
        transitions.and_then(|all| all.iter().rev().find(|(since, _)| *since <= at)).is_some_and(|(_, state)| state == "ALARM")
    }

    /// How the story ended, in one word or two, for a histogram.
    pub(crate) fn verdict(&self) -> String {
        let codes: Vec<String> = self
            .runs
            .iter()
            .filter(|run| run.role == Role::Rollout)
            .map(|run| run.ended.map_or_else(|| "killed".to_owned(), |(_, code)| code.to_string()))
            .collect();
        codes.first().cloned().unwrap_or_default()
    }

    /// The log, one line a call, as it is printed and compared.
    pub(crate) fn told(&self) -> String {
        let mut told = format!("{:#?}\n", self.story);
        for call in &self.log {
            tell_call(&mut told, call, self.opened);
        }
        for (name, transitions) in &self.alarms {
            for (at, state) in transitions {
                let _ = writeln!(told, "alarm {name} {:9.3} {state}", self.seconds(*at));
            }
        }
        for run in &self.runs {
            let ended = run.ended.map(|(at, code)| (self.seconds(at), code));
            let _ = writeln!(told, "{} began {:.3}, ended {ended:?}", run.caller, self.seconds(run.began));
        }
        let _ = writeln!(told, "last: {:?}", self.last);
        told
    }

    /// Seconds since the opening.
    pub(crate) fn seconds(&self, at: Time) -> f64 {
        seconds(self.opened, at)
    }
}

/// Seconds since the opening.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of some hours")]
pub(crate) fn seconds(opened: Time, at: Time) -> f64 {
    (at.as_millis() - opened.as_millis()) as f64 / 1_000.0
}

/// Adds one call's line to what is told.
pub(crate) fn tell_call(told: &mut String, call: &CallRecord, opened: Time) {
    let _ = write!(
        told,
        "{:9.3} {:8} {} {} {}{}",
        seconds(opened, call.at),
        call.caller,
        call.operation,
        call.resource,
        call.status,
        call.error.as_deref().map_or_else(String::new, |error| format!(" {error}"))
    );
    match call.delivery {
        Delivery::Answered => {}
        Delivery::Lost => told.push_str(" (answer lost)"),
        Delivery::Held(until) => drop(write!(told, " (held until {:.3})", seconds(opened, until))),
        Delivery::Late(sent) => drop(write!(told, " (sent at {:.3})", seconds(opened, sent))),
        Delivery::Refused => told.push_str(" (refused)"),
    }
    if let Some(after) = call.after().filter(|_| call.succeeded()) {
        let _ = write!(told, " -> {} {:?} {:?}", after.version, after.weights, after.description);
    }
    told.push('\n');
}

impl<'r> Change<'r> {
    /// What a successful write to an alias changed; `runs` are the processes that may have sent it.
    pub(crate) fn of(call: &'r CallRecord, runs: &'r [Run]) -> Option<Self> {
        let (before, after) = (call.before().unwrap_or(&ABSENT), call.after()?);
        let sent = if let Delivery::Late(sent) = call.delivery { sent } else { call.at };
        let (noted_before, noted) = (split(&before.description).1, split(&after.description).1);
        let by = runs.iter().find(|run| run.caller == call.caller);
        Some(Self { call, sent, before, after, noted_before, noted, by })
    }
}

impl Change<'_> {
    /// The version that everything would go back to, by the note, else by the alias.
    pub(crate) fn stable(&self) -> &str {
        let noted = self.noted.as_ref().or(self.noted_before.as_ref());
        noted.map_or(self.before.version.as_str(), |note| note.stable.as_str())
    }

    /// Which part of the traffic was away from stable, and which part is now.
    pub(crate) fn away(&self) -> (f64, f64) {
        let stable = self.stable();
        let before = if self.created() { 0.0 } else { 1.0 - self.before.share(stable) };
        (before, 1.0 - self.after.share(stable))
    }

    /// Whether it made the alias.
    pub(crate) fn created(&self) -> bool {
        self.before.version.is_empty()
    }

    /// Whether it made the candidate of its rollout the alias' version.
    pub(crate) fn promoted(&self) -> bool {
        let candidate = self.noted.as_ref().or(self.noted_before.as_ref()).map(|note| note.candidate.as_str());
        !self.created() && self.after.version != self.before.version && candidate == Some(self.after.version.as_str())
    }

    /// Whether it moved traffic away from stable.
    pub(crate) fn raised(&self) -> bool {
        let (before, after) = self.away();
        after > before + 1e-6
    }

    /// Whether it changed anything but the revision.
    pub(crate) fn changed(&self) -> bool {
        let (before, after) = (self.before, self.after);
        (&before.version, &before.weights, &before.description) != (&after.version, &after.weights, &after.description)
    }

    /// Whether a process of ours sent it.
    pub(crate) fn ours(&self) -> bool {
        self.by.is_some()
    }
}
