//! What is the alias to this rollout? The standing, seen by one process with its id, its token and its way in.

use crate::action::Action;
use crate::alias::{Alias, AliasState, alias_state};
use crate::note::{Note, NoteParse};
use crate::observation::Observation;
use crate::plan::{Entry, Plan};
use crate::{Version, Weight};

pub(crate) enum Position {
    /// Not ours yet; this is the write that makes it ours.
    Entering(Action),
    /// Another rollout's, to be superseded.
    Superseding(Note),
    /// Ours, as noted.
    Ours(Note),
    /// Ours, with a weight that a person set.
    SetByHand(Note, Weight),
    /// Ours, with its weight taken away by a person.
    ClearedByHand,
    /// Over: this rollout's terminal note.
    Ended(Note),
    /// Over, as this terminal note says, but AWS still keeps all traffic on this version.
    Moving(Note, Version),
    /// Ours but for its note, which somebody removed.
    Vanished,
    /// This rollout, in the hands of another process.
    TakenOver(Note),
    /// Another owner's.
    Lost,
}

pub(crate) fn position(plan: &Plan, seen: &Observation, alias: &Alias) -> Position {
    if vanished(seen, alias) {
        return Position::Vanished;
    }
    let unchanged = seen.planned_on.as_ref() == Some(alias);
    let mine = |note: &Note| note.id == plan.id && note.owner == plan.owner;
    // An id made from a CI run's may have stood here before: only an end since we began is ours.
    let ended =
        |note: &Note| note.id == plan.id && (seen.claimed || entered(plan) || (!unchanged && note.started_at >= plan.began));
    match alias_state(alias) {
        AliasState::Idle(Some(note)) if ended(&note) => Position::Ended(note),
        AliasState::Moving(note, version) if ended(&note) => Position::Moving(note, version),
        AliasState::Idle(_) => {
            let same = plan.stable.is_some() && alias.target.version() == plan.stable;
            // The plan is for the alias as it was: who loses the swap has lost, though the winner may be gone again by now.
            let fresh = plan.entry == Entry::Fresh && same && unchanged && !seen.claimed;
            if fresh { Position::Entering(Action::Claim) } else { Position::Lost }
        }
        AliasState::Claimed(note) | AliasState::Running(note) if mine(&note) => Position::Ours(note),
        AliasState::SetByHand(note, weight) if mine(&note) => Position::SetByHand(note, weight),
        AliasState::ClearedByHand(note) if mine(&note) => Position::ClearedByHand,
        AliasState::Claimed(note) | AliasState::Running(note) | AliasState::SetByHand(note, _) => others(plan, seen, note),
        AliasState::ClearedByHand(note) => {
            let found = others(plan, seen, note);
            if matches!(found, Position::Entering(_) | Position::Superseding(_)) { found } else { Position::Lost }
        }
        AliasState::Foreign { version, .. } => foreign(plan, seen, alias, version),
        AliasState::Moving(..) | AliasState::PromotedElsewhere(_) | AliasState::Contended { .. } => Position::Lost,
    }
}

/// Whether this process resumes a rollout that another one began.
fn entered(plan: &Plan) -> bool {
    matches!(plan.entry, Entry::TakeOver { .. })
}

/// A live rollout with another process' token.
fn others(plan: &Plan, seen: &Observation, note: Note) -> Position {
    match plan.entry {
        Entry::TakeOver { from, forced } if note.id == plan.id && note.owner == from && !seen.claimed => {
            let gone = forced || note.lease.is_none_or(|lease| seen.now >= lease);
            if gone { Position::Entering(Action::TakeOver) } else { Position::Lost }
        }
        Entry::Supersede(id) if note.id == id && !seen.claimed => Position::Superseding(note),
        Entry::TakeOver { .. } | Entry::Supersede(_) | Entry::Fresh | Entry::Adopt(_) => {
            if note.id == plan.id && seen.claimed {
                Position::TakenOver(note)
            } else {
                Position::Lost
            }
        }
    }
}

fn foreign(plan: &Plan, seen: &Observation, alias: &Alias, version: Version) -> Position {
    let ours_to_adopt = plan.entry == Entry::Adopt(version) && alias.target.version() == plan.stable && !seen.claimed;
    if ours_to_adopt { Position::Entering(Action::Adopt) } else { Position::Lost }
}

/// Whether nothing is gone from the alias but the note that this process last saw.
fn vanished(seen: &Observation, alias: &Alias) -> bool {
    let Some(note) = seen.remembered.as_ref().filter(|_| alias.noted() == NoteParse::Nothing) else { return false };
    let share = note.phase.share();
    let as_noted = match alias.canary() {
        Some((version, weight)) => note.candidate == Some(version) && weight.stands_for(share),
        None => share.is_zero() || note.stable.is_none(),
    };
    let target = note.stable.or(note.candidate);
    as_noted && target.is_some() && alias.target.version() == target
}
