//! Which members belong to one rollout, and to which? From their aliases as a new process finds them, before anything is written.

use crate::Cause;
use crate::alias::{Alias, AliasState, alias_state};
use crate::note::{Note, Phase, RolloutId};
use crate::plan::Plan;

/// How a member that was found belongs to the rollout in progress on its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Joins {
    /// It is in the midst of it.
    GoesOn,
    /// It is in the midst of this other one.
    Other(RolloutId),
    /// It ended within it, before the others did: this is its terminal note.
    Ended(Box<Note>),
    /// It has no part in it yet.
    Begins,
}

/// The rollout that some of these are in the midst of, or one whose rollback was cut short: each one's alias, plan, and the note that it
/// resumes. `None` where none is in progress.
pub fn under_way<'a>(found: impl Iterator<Item = (Option<&'a Alias>, &'a Plan, Option<&'a Note>)> + Clone) -> Option<Note> {
    found.clone().find_map(|(_, _, resumes)| resumes.cloned()).or_else(|| cut_short(found.map(|(alias, plan, _)| (alias, plan))))
}

/// How a member belongs to the rollout that `live` tells of; with `replanned` its end by any plan counts.
pub fn joins(alias: Option<&Alias>, plan: &Plan, resumes: Option<&Note>, live: &Note, replanned: bool) -> Joins {
    match resumes {
        Some(note) if note.id != live.id => Joins::Other(note.id),
        Some(_) => Joins::GoesOn,
        None => ended_within(alias, plan, live, replanned).map_or(Joins::Begins, |note| Joins::Ended(Box::new(note))),
    }
}

/// Whether another owner took this member out of its rollout while no process watched.
pub fn taken_out(alias: &Alias) -> bool {
    match alias_state(alias) {
        AliasState::PromotedElsewhere(_) | AliasState::Contended { .. } | AliasState::Foreign { .. } => true,
        AliasState::Idle(_)
        | AliasState::Moving(..)
        | AliasState::Claimed(_)
        | AliasState::Running(_)
        | AliasState::SetByHand(..)
        | AliasState::ClearedByHand(_) => false,
    }
}

/// The end of a member that is back, where another is final by the same rollout: nothing is in progress, and they do not belong so.
fn cut_short<'a>(found: impl Iterator<Item = (Option<&'a Alias>, &'a Plan)>) -> Option<Note> {
    let end = |(alias, plan): (Option<&Alias>, &Plan)| terminal(alias).filter(|note| note.plan == Some(plan.hash()));
    let ends: Vec<Note> = found.filter_map(end).collect();
    ends.iter().find(|back| ends.iter().any(|last| split(last, back))).cloned()
}

/// The terminal note on an alias that is idle, where it is an end within the rollout that `live` tells of, by a plan of this group: of
/// this one, or with `replanned` of any. An id that is made from a CI job's may have stood there before.
fn ended_within(alias: Option<&Alias>, plan: &Plan, live: &Note, replanned: bool) -> Option<Note> {
    let note = terminal(alias)?;
    let planned = note.plan == Some(plan.hash()) || (replanned && note.plan.is_some());
    (planned && note.id == live.id && note.since >= live.started_at).then_some(note)
}

/// The terminal note of an alias that is idle, where a plan has ended so.
fn terminal(alias: Option<&Alias>) -> Option<Note> {
    let Some(AliasState::Idle(Some(note))) = alias.map(alias_state) else { return None };
    note.plan.is_some().then_some(note)
}

/// Whether these two ends tell of one rollout that is final on one alias and back on another: a rollback that was cut short.
fn split(one: &Note, other: &Note) -> bool {
    let back = |note: &Note| matches!(note.phase, Phase::Back(cause) if !matches!(cause, Cause::Unchanged | Cause::Rejected));
    one.id == other.id
        && one.phase == Phase::Promoted
        && back(other)
        && one.since >= other.started_at
        && other.since >= one.started_at
}
