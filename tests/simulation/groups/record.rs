//! What happened to a group? The world's log, every alarm's transitions and every process' exit codes: all that the checks are given.

use std::fmt::Write as _;

use sim::{AliasState, CallRecord, Time, World};

use super::play::writes;
use super::story::{Story, Trouble, alarm, name};
use crate::note::Note;
use crate::record::{Change, Role, Run, seconds, tell_call};
use crate::stage::ALIAS;

/// How a member of a process' group ended, by the program's word.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    pub(crate) code: u8,
    pub(crate) kind: String,
}

/// A story that was played.
pub(crate) struct Record {
    pub(crate) story: Story,
    pub(crate) opened: Time,
    pub(crate) log: Vec<CallRecord>,
    /// Every function's alarm, its transitions, oldest first.
    pub(crate) alarms: Vec<Vec<(Time, String)>>,
    pub(crate) runs: Vec<Run>,
    /// How the members of each of them ended.
    pub(crate) left: Vec<Vec<Left>>,
    /// Who was started to finish what was left.
    pub(crate) finishers: Vec<String>,
    /// The aliases at the end of it all.
    pub(crate) last: Vec<AliasState>,
}

/// A write to one of the aliases that took effect.
pub(crate) struct Write<'r> {
    pub(crate) member: usize,
    pub(crate) change: Change<'r>,
}

impl Write<'_> {
    /// Whether a process that rolls the group out sent it.
    pub(crate) fn by_group(&self) -> bool {
        self.change.by.is_some_and(|run| run.role == Role::Rollout)
    }

    /// The rollout that it is of: by the note it wrote, else by the one it found.
    pub(crate) fn id(&self) -> Option<&str> {
        self.change.noted.as_ref().or(self.change.noted_before.as_ref()).map(|note| note.id.as_str())
    }

    /// The note it left, where that is of this rollout.
    pub(crate) fn of(&self, id: &str) -> Option<&Note> {
        self.change.noted.as_ref().filter(|note| note.id == id)
    }

    /// Whether it ended its rollout on stable.
    pub(crate) fn back(&self) -> bool {
        self.change.noted.as_ref().is_some_and(|note| note.phase == "back" && note.cause != "unchanged")
    }
}

/// Since when a member has been in the hands of a person or of something else: whatever it comes to is theirs.
pub(crate) fn taken(writes: &[Write<'_>], member: usize) -> Option<Time> {
    let theirs = |write: &&Write<'_>| {
        let (before, after) = (write.change.before, write.change.after);
        let same = (&before.version, &before.weights) == (&after.version, &after.weights);
        // A pause is the group's to keep.
        let harmless = write.change.by.is_some_and(|run| run.role == Role::Order) && same;
        write.member == member && !write.by_group() && write.change.changed() && !harmless
    };
    writes.iter().find(theirs).map(|write| write.change.call.at)
}

impl Record {
    pub(crate) fn of(
        story: &Story,
        opened: Time,
        world: &World,
        (runs, left, finishers): (Vec<Run>, Vec<Vec<Left>>, Vec<String>),
    ) -> Self {
        let last = |member| world.alias(&name(member), ALIAS).unwrap().clone();
        Self {
            story: story.clone(),
            opened,
            log: world.log().to_vec(),
            alarms: (0..story.many).map(|member| world.alarm_transitions(&alarm(member))).collect(),
            runs,
            left,
            finishers,
            last: (0..story.many).map(last).collect(),
        }
    }

    /// Every change of every alias, in order.
    pub(crate) fn writes(&self) -> Vec<Write<'_>> {
        let of = |member| writes(&self.log, member).filter_map(move |call| Some((member, Change::of(call, &self.runs)?)));
        let mut all: Vec<Write<'_>> =
            (0..self.story.many).flat_map(of).map(|(member, change)| Write { member, change }).collect();
        all.sort_by_key(|write| write.change.call.seq);
        all
    }

    /// The processes that rolled the group out, with how their members ended.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&Run, &[Left])> {
        let all = self.runs.iter().zip(&self.left);
        all.filter(|(run, _)| run.role == Role::Rollout).map(|(run, left)| (run, left.as_slice()))
    }

    /// Whether a member has nothing to roll out.
    pub(crate) fn nothing_new(&self, member: usize) -> bool {
        self.story.trouble(member) == Some(Trouble::Nothing)
    }

    /// The moments at which a member's alarm went off since then.
    pub(crate) fn reddened(&self, member: usize, since: Time) -> impl Iterator<Item = Time> {
        self.alarms[member].iter().filter(move |(at, state)| state == "ALARM" && *at > since).map(|(at, _)| *at)
    }

    /// How the story ended, in one word, for a histogram.
    pub(crate) fn verdict(&self) -> String {
        let codes = self.groups().map(|(run, _)| run.ended.map_or_else(|| "killed".to_owned(), |(_, code)| code.to_string()));
        codes.last().unwrap_or_default()
    }

    /// The log, one line a call.
    pub(crate) fn told(&self) -> String {
        let mut told = format!("{:#?}\n", self.story);
        for call in &self.log {
            tell_call(&mut told, call, self.opened);
        }
        for (member, transitions) in self.alarms.iter().enumerate() {
            for (at, state) in transitions {
                let _ = writeln!(told, "{} {:9.3} {state}", alarm(member), seconds(self.opened, *at));
            }
        }
        for (run, left) in self.runs.iter().zip(&self.left) {
            let ended = run.ended.map(|(at, code)| (seconds(self.opened, at), code));
            let left: Vec<String> = left.iter().map(|left| format!("{} {}", left.code, left.kind)).collect();
            let _ = writeln!(told, "{} began {:.3}, ended {ended:?} {left:?}", run.caller, seconds(self.opened, run.began));
        }
        for (member, last) in self.last.iter().enumerate() {
            let _ = writeln!(told, "last of {}: {last:?}", name(member));
        }
        told
    }

    /// A write in words.
    pub(crate) fn shown(&self, write: &Write<'_>) -> String {
        let Change { call, before, after, .. } = &write.change;
        format!(
            "{:.3} {}: {} {} {:?} -> {} {:?} {:?}",
            seconds(self.opened, call.at),
            call.caller,
            name(write.member),
            before.version,
            before.weights,
            after.version,
            after.weights,
            after.description
        )
    }
}
