//! What happened? The world's log, the alarms' transitions and the exit codes: all that the checkers are given.
//!
//! Nothing the controller said of itself is in it but how it ended.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rollout::event::RolloutSummary;
use rollout::note::RolloutId;
use sim::{AliasState, CallRecord, Delivery, GuardRun, Time, World};

use crate::note::{Note, split};
use crate::stage::{ALIAS, alarms, name};
use crate::story::{Asked, Story};

static ABSENT: AliasState =
    AliasState { version: String::new(), weights: BTreeMap::new(), description: String::new(), revision: String::new() };

/// As whom guards make their calls.
pub(crate) const GUARD_CALLER: &str = "GUARD";

pub(crate) struct Record {
    pub(crate) story: Story,
    pub(crate) opened: Time,
    pub(crate) log: Vec<CallRecord>,
    pub(crate) alarms: Vec<Vec<Alarm>>,
    pub(crate) runs: Vec<Run>,
    /// Who was started to finish what was left.
    pub(crate) finishers: Vec<String>,
    pub(crate) last: Vec<AliasState>,
    /// Every execution of a guard.
    pub(crate) guards: Vec<GuardRun>,
    /// When the story was over.
    pub(crate) over: Time,
}

/// A watched alarm and its transitions, oldest first.
pub(crate) struct Alarm {
    pub(crate) name: String,
    pub(crate) transitions: Vec<(Time, String)>,
}

/// One process, from its start to its end.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) caller: String,
    pub(crate) role: Role,
    pub(crate) began: Time,
    /// The function that it is about, where it is about one alone.
    pub(crate) member: Option<usize>,
    /// How it ended; nothing where it was killed.
    pub(crate) ended: Option<Ended>,
    /// Whether it was to put another rollout aside.
    pub(crate) supersedes: bool,
    pub(crate) expires: Option<Time>,
    /// What it was asked for, where that is known; else the story's plan.
    pub(crate) asked: Option<Asked>,
    /// Whether it was still running when the story's time was over.
    pub(crate) overdue: bool,
}

/// How a process ended: when, with which exit code, and how it left each function.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) at: Time,
    pub(crate) code: u8,
    /// In the functions' order; nothing where it is not known.
    pub(crate) left: Vec<Left>,
    /// Which rollout it was, where it is known.
    pub(crate) rollout: Option<RolloutId>,
}

/// How a process left one function, by the program's word.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    pub(crate) code: u8,
    pub(crate) kind: String,
    /// Where it said that the traffic is.
    pub(crate) said: String,
}

impl From<RolloutSummary> for Left {
    fn from(ending: RolloutSummary) -> Self {
        Self { code: ending.exit_code, kind: ending.reason.kind.word().to_owned(), said: ending.traffic }
    }
}

impl Run {
    /// A process that was started then, and ended so; one that was killed did not end.
    pub(crate) fn of(caller: &str, role: Role, began: Time, ended: Option<Ended>) -> Self {
        let caller = caller.to_owned();
        Self { caller, role, began, member: None, ended, supersedes: false, expires: None, asked: None, overdue: false }
    }

    pub(crate) fn code(&self) -> Option<u8> {
        self.ended.as_ref().map(|ended| ended.code)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Rollout,
    RollBack,
    /// An order to a rollout under way.
    Order,
}

/// A write to one of the aliases that took effect.
#[derive(Clone)]
pub(crate) struct Change<'r> {
    pub(crate) member: usize,
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
        let alarm = |name: String| Alarm { transitions: world.alarm_transitions(&name), name };
        let watched = |member| alarms(member).into_iter().take(story.asked.alarms).map(alarm).collect();
        Self {
            story: story.clone(),
            opened,
            log: world.log().to_vec(),
            alarms: (0..story.many).map(watched).collect(),
            runs,
            finishers: Vec::new(),
            last: (0..story.many).map(|member| world.alias(&name(member), ALIAS).unwrap_or(&ABSENT).clone()).collect(),
            guards: world.guard_runs(),
            over: world.now(),
        }
    }

    pub(crate) fn changes(&self) -> Vec<Change<'_>> {
        let names: Vec<String> = (0..self.story.many).map(name).collect();
        let of = |call| {
            let member = names.iter().position(|name| CallRecord::wrote(call, name, ALIAS))?;
            Change::of(member, call, &self.runs)
        };
        self.log.iter().filter_map(of).collect()
    }

    pub(crate) fn run(&self, caller: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.caller == caller)
    }

    pub(crate) fn rollouts(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.runs.iter().filter(|run| run.role == Role::Rollout && run.caller != GUARD_CALLER)
    }

    /// How the first and the last process of the story ended, in a word each, for a histogram.
    pub(crate) fn verdict(&self) -> [String; 2] {
        let word = |run: Option<&Run>| run?.code().map(|code| code.to_string());
        [self.rollouts().next(), self.rollouts().next_back()].map(|run| word(run).unwrap_or_else(|| "killed".to_owned()))
    }

    /// Whether all of them are on this version.
    pub(crate) fn all_on(&self, version: &str) -> bool {
        self.last.iter().all(|alias| alias.version == version && alias.weights.is_empty())
    }

    /// The log, one line a call, as it is printed and compared.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{:#?}\n", self.story);
        for call in &self.log {
            self.write_call(&mut text, call);
        }
        for alarm in self.alarms.iter().flatten() {
            for (at, state) in &alarm.transitions {
                let _ = writeln!(text, "alarm {} {:9.3} {state}", alarm.name, self.seconds(*at));
            }
        }
        for run in &self.runs {
            let ended = run.ended.as_ref().map(|ended| (self.seconds(ended.at), ended.code, &ended.left));
            let _ = writeln!(text, "{} began {:.3}, ended {ended:?}", run.caller, self.seconds(run.began));
        }
        for guard in &self.guards {
            let (began, ended) = (self.seconds(guard.began), guard.ended.map(|ended| self.seconds(ended)));
            let _ = writeln!(text, "guard of {} began {began:.3}, ended {ended:?} {}", guard.rollout, guard.status);
        }
        for (member, last) in self.last.iter().enumerate() {
            let _ = writeln!(text, "last of {}: {last:?}", name(member));
        }
        text
    }

    pub(crate) fn shown(&self, change: &Change<'_>) -> String {
        let Change { call, before, after, .. } = change;
        format!(
            "{:.3} {}: {} {} {:?} -> {} {:?} {:?}",
            self.seconds(call.at),
            call.caller,
            name(change.member),
            before.version,
            before.weights,
            after.version,
            after.weights,
            after.description
        )
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of some hours")]
    pub(crate) fn seconds(&self, at: Time) -> f64 {
        (at.as_millis() - self.opened.as_millis()) as f64 / 1_000.0
    }

    fn write_call(&self, text: &mut String, call: &CallRecord) {
        let _ = write!(
            text,
            "{:9.3} {:8} {} {} {}{}",
            self.seconds(call.at),
            call.caller,
            call.operation,
            call.resource,
            call.status,
            call.error.as_deref().map_or_else(String::new, |error| format!(" {error}"))
        );
        match call.delivery {
            Delivery::Answered => {}
            Delivery::Lost => text.push_str(" (answer lost)"),
            Delivery::Held(until) => drop(write!(text, " (held until {:.3})", self.seconds(until))),
            Delivery::Late(sent) => drop(write!(text, " (sent at {:.3})", self.seconds(sent))),
            Delivery::Refused => text.push_str(" (refused)"),
        }
        if let Some(after) = call.after().filter(|_| call.succeeded()) {
            let _ = write!(text, " -> {} {:?} {:?}", after.version, after.weights, after.description);
        }
        text.push('\n');
    }
}

impl Alarm {
    /// Its state at a moment, and since when.
    pub(crate) fn at(&self, moment: Time) -> Option<&(Time, String)> {
        self.transitions.iter().rev().find(|(since, _)| *since <= moment)
    }

    /// The moments at which it went off since then.
    pub(crate) fn reddened(&self, since: Time) -> impl Iterator<Item = Time> {
        self.transitions.iter().filter(move |(at, state)| state == "ALARM" && *at > since).map(|(at, _)| *at)
    }
}

impl<'r> Change<'r> {
    /// What a successful write to an alias changed; `runs` are the processes that may have sent it.
    fn of(member: usize, call: &'r CallRecord, runs: &'r [Run]) -> Option<Self> {
        let (before, after) = (call.before().unwrap_or(&ABSENT), call.after()?);
        let sent = if let Delivery::Late(sent) = call.delivery { sent } else { call.at };
        let (noted_before, noted) = (split(&before.description).1, split(&after.description).1);
        let by = runs.iter().find(|run| run.caller == call.caller);
        Some(Self { member, call, sent, before, after, noted_before, noted, by })
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

    pub(crate) fn created(&self) -> bool {
        self.before.version.is_empty()
    }

    /// Whether it made the candidate of its rollout the alias' version.
    pub(crate) fn promoted(&self) -> bool {
        let candidate = self.noted.as_ref().or(self.noted_before.as_ref()).map(|note| note.candidate.as_str());
        !self.created() && self.after.version != self.before.version && candidate == Some(self.after.version.as_str())
    }

    pub(crate) fn raised(&self) -> bool {
        let (before, after) = self.away();
        after > before + 1e-6
    }

    pub(crate) fn changed(&self) -> bool {
        let (before, after) = (self.before, self.after);
        (&before.version, &before.weights, &before.description) != (&after.version, &after.weights, &after.description)
    }

    pub(crate) fn ours(&self) -> bool {
        self.by.is_some()
    }

    pub(crate) fn by(&self, role: Role) -> bool {
        self.by.is_some_and(|run| run.role == role)
    }

    /// Whether it was applied when nobody waited for it any more.
    pub(crate) fn late(&self) -> bool {
        matches!(self.call.delivery, Delivery::Late(_))
    }

    /// The rollout that it is of: by the note it wrote, else by the one it found.
    pub(crate) fn id(&self) -> Option<&str> {
        self.noted.as_ref().or(self.noted_before.as_ref()).map(|note| note.id.as_str())
    }

    /// The note it left, where that is of this rollout.
    pub(crate) fn of_rollout(&self, id: &str) -> Option<&Note> {
        self.noted.as_ref().filter(|note| note.id == id)
    }

    /// Whether it ended its rollout on stable.
    pub(crate) fn back(&self) -> bool {
        self.noted.as_ref().is_some_and(|note| note.phase == "back" && note.cause != "unchanged")
    }
}
