//! When is a bounded turn of a rollout over? A turn does everything that is due, and leaves once there is nothing to do but wait.
//!
//! What is waited for for a moment only is waited for: another process would have to begin with it again, and never come to its end.

use std::time::Duration;

use crate::action::{Action, Reason};
use crate::narrate::waiting_for;
use crate::note::{Note, Owner, Phase, RolloutId};
use crate::observation::{Hook, Observation};
use crate::plan::{Plan, hash32};
use crate::{Cause, Outcome, Time};

/// How a process drives a rollout that it does not stay with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// From its beginning until the candidate has its first weight.
    Begin,
    /// One turn of a rollout in progress, of this length at least; it never begins one.
    Tick(Duration),
}

/// What comes next in a rollout that goes on without this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// When there is something to do at the latest, as far as it is known.
    pub until: Time,
    /// What it waits for until then.
    pub waits_for: String,
}

impl Turn {
    /// Whether this is a turn in the midst of a rollout: one that no signal rolls back, for others go on with it.
    pub const fn is_tick(turn: Option<Self>) -> bool {
        matches!(turn, Some(Self::Tick(_)))
    }

    /// What comes next, where the turn may end instead of waiting for it. `began` is when the turn did.
    pub fn ends(self, plan: &Plan, seen: &Observation, action: &Action, began: Time) -> Option<Next> {
        let Action::Wait { until, why } = action else { return None };
        let in_hand = match self {
            // What is final waits for the others of its group, who may have been left to turns already.
            Self::Begin => noted(plan, seen).is_some_and(|note| note.phase.is_terminal() || !note.phase.share().is_zero()),
            Self::Tick(lasts) => seen.now + plan.poll.min(until.since(seen.now)) > began + lasts,
        };
        // That a hook has succeeded is known to this process alone, until it acts on it, or the note says so.
        let said = noted(plan, seen).and_then(|note| note.hook).is_some_and(|hook| hook.passed);
        let knows = seen.hook == Hook::Succeeded && !said;
        (in_hand && !knows && !momentary(why)).then(|| Next { until: *until, waits_for: waiting_for(why) })
    }
}

/// How the rollout of this note ended; `None` while it is in progress.
pub fn outcome(note: &Note) -> Option<Outcome> {
    match note.phase {
        Phase::Promoted => Some(Outcome::Promoted),
        Phase::Back(Cause::Unchanged) => Some(Outcome::Unchanged),
        Phase::Back(Cause::Rejected) => Some(Outcome::Refused),
        Phase::Back(Cause::Superseded) => Some(Outcome::Superseded),
        Phase::Back(Cause::Failed) => Some(Outcome::Failed),
        Phase::Back(cause) => Some(Outcome::RolledBack(cause)),
        Phase::Claim | Phase::Pre | Phase::Shift { .. } | Phase::Bake | Phase::Post => None,
    }
}

/// The token under which a detached rollout is driven: by any process that runs a turn of it, so that each goes on as the same owner, and
/// what another process drives is told from it.
pub fn detached_owner(id: RolloutId) -> Owner {
    Owner::from_random(hash32(format!("detached {id}").as_bytes()))
}

/// The note of this rollout and this owner, where the alias has it.
fn noted(plan: &Plan, seen: &Observation) -> Option<Note> {
    seen.alias.as_ref()?.note().filter(|note| note.id == plan.id && note.owner == plan.owner)
}

/// Whether what is waited for comes within a minute, and is known to this process alone.
fn momentary(why: &Reason) -> bool {
    match why {
        Reason::LookingAgain | Reason::FullMinute | Reason::CheckRunning | Reason::Probing => true,
        Reason::Settling
        | Reason::Preparing
        | Reason::HookRunning
        | Reason::NotDue
        | Reason::Baking
        | Reason::Paused(_)
        | Reason::SetByHand(_)
        | Reason::Moving(_)
        | Reason::Blind(_)
        | Reason::NoData(_)
        | Reason::SharedDegradation { .. } => false,
    }
}
