//! When is what to be looked at again? The alarms with every poll, invocations once a minute or just before the weight would rise.

use std::time::Duration;

use crate::Time;
use crate::action::Reason;
use crate::alarms::Alarms;
use crate::alias::{AliasState, alias_state};
use crate::comparison::Comparison;
use crate::memory::Memory;
use crate::note::Note;
use crate::plan::{Mode, Plan};
use crate::timing::{COUNTS_EVERY, SECOND_LOOK};

/// When the alarms are to be looked at again; once the rollback is decided they have nothing more to say.
pub fn next_alarms(plan: &Plan, memory: &Memory, alarms: &Alarms) -> Option<Time> {
    alarms.due(plan).filter(|_| memory.failed().is_none())
}

/// The note of this rollout while its candidate has traffic beside a stable version, and invocations are to be counted.
pub fn compared(plan: &Plan, memory: &Memory) -> Option<Note> {
    let wanted = plan.comparing() != Mode::Off && memory.failed().is_none();
    let note = memory.note(plan).filter(|_| wanted)?;
    let live = !note.phase.share().is_zero() && note.stable.is_some() && note.candidate.is_some();
    live.then_some(note)
}

/// When invocations are to be counted again, which was last tried at `tried`: at the next full minute, which is the same for all rollouts of a
/// process, or a poll after an attempt that failed; but just before a weight that is due to rise by then or a poll later, so that it does
/// not rise on counts of a minute ago.
pub fn next_counts(plan: &Plan, memory: &Memory, known: &Comparison, tried: Option<Time>) -> Option<Time> {
    let note = compared(plan, memory)?;
    let Some(tried) = tried else { return Some(Time::default()) };
    if matches!(known, Comparison::Unread { .. } | Comparison::Read { failing: Some(_), .. }) {
        return Some(tried + plan.poll);
    }
    // Somebody's pause, or somebody's share, can be overdue for long.
    let on_schedule = memory.alias().is_some_and(|alias| matches!(alias_state(alias), AliasState::Running(_)));
    let soon = tried + COUNTS_EVERY + plan.poll;
    let due = note.due.filter(|due| on_schedule && note.pause.is_none() && *due <= soon);
    let full_minute = Time::from_secs((tried.as_secs() / 60 + 1) * 60);
    Some(due.map_or(full_minute, |due| due.max(tried + plan.poll)))
}

/// Whether the alias is known so well that a move with the others of a group, who all move at the same moment, needs no other look: a
/// poll is left for what else is looked at.
pub fn moves_unread(plan: &Plan, memory: &Memory, now: Time) -> bool {
    memory.age(now).is_some_and(|age| age.saturating_add(plan.poll) < plan.freshness())
}

/// How long to rest where `until` is waited for: a poll at the most, and not beyond the next look.
pub fn rest(plan: &Plan, until: Time, why: &Reason, next_look: Option<Time>, now: Time) -> Duration {
    let longest = if *why == Reason::LookingAgain { SECOND_LOOK } else { plan.poll };
    // A shift in between does not put off the next look at the alarms.
    let until = next_look.map_or(until, |look| until.min(look));
    until.since(now).clamp(Duration::from_millis(1), longest)
}
