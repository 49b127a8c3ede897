//! What may a member of a group do, given what the others are doing? Several rollouts as one: all step together, and either all
//! versions become final or none does.
//!
//! Each member's own alias decides first, as if it were alone; this only holds it back, calls it back, or sends it on. Who tells
//! the members of each other is not said here.
//!
//! The rules, in their order:
//! 1. A member that rolls back, or is back, calls all others back, a final one too. So does one that is lost before the commit.
//! 2. The first version that becomes final, after all members have passed everything, is the commit: one write to one alias. From
//!    then on nothing automatic rolls back, and whoever stands at 100% becomes final, unless a person holds it.
//! 3. A gate is one for all of them: whoever approves it on one approves it for the group, and it is over when it is over on all of them.
//! 4. Claims are made in order, so that of two processes one wins them all. No step is taken before all others may take it.

use super::state::{AtGate, Left, Member, Others, Stage};
use crate::action::{Action, Reason, look_again, wait};
use crate::alias::alias_state;
use crate::health::Pass;
use crate::note::{AfterPause, Note, Phase};
use crate::observation::{Certainty, Hook, Observation};
use crate::plan::{OnInterrupt, Plan};
use crate::position::{Position, position};
use crate::turn::detached_owner;
use crate::{Alias, Cause, Outcome, ReasonKind};

/// What this member shows the others after a round.
pub fn member(plan: &Plan, seen: &Observation, action: &Action) -> Member {
    let position = here(plan, seen);
    let committed = is_final(seen, position.as_ref());
    let at = match (action, &position) {
        (Action::Finish(Outcome::Promoted | Outcome::Unchanged), _) => Stage::Final,
        _ if committed => Stage::Final,
        (_, Some(Position::Ours(note) | Position::SetByHand(note, _))) => stage(plan, note),
        (_, _) => Stage::Outside,
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other action moves no traffic")]
    let ready = match action {
        // Seen before its write is answered: whoever is told to stop meanwhile counts with it.
        Action::Claim | Action::TakeOver => Stage::Claimed,
        Action::Shift { step, .. } => Stage::Step(*step),
        Action::Promote(_) => Stage::Final,
        Action::Wait { why: Reason::SharedDegradation { stage, .. }, .. } if *stage > Stage::Claimed => *stage,
        // Nothing but the clock keeps it from the next step.
        Action::Wait { why: Reason::FullMinute, .. } => at.next(),
        _ => at,
    };
    let ended = matches!(action, Action::Finish(_));
    let released = seen.interrupted && !leased(seen) && matches!(action, Action::Wait { .. });
    let holds = released || matches!(action, Action::Release | Action::Finish(Outcome::LeftInProgress));
    let gate = at_gate(plan, seen);
    Member { at, ready, left: left(plan, seen, action, position.as_ref()), committed, ended, holds, gate }
}

/// By the note alone, whoever has the alias: one that is still to be taken over may have been approved too.
fn at_gate(plan: &Plan, seen: &Observation) -> Option<AtGate> {
    let note = seen.alias.as_ref()?.note().filter(|note| note.id == plan.id)?;
    let Stage::Step(step) = stage(plan, &note) else { return None };
    let open = note.pause.is_some_and(|pause| pause.gate && seen.now < pause.until);
    if note.approved { Some(AtGate::Approved(step)) } else { open.then_some(AtGate::Open(step)) }
}

fn here(plan: &Plan, seen: &Observation) -> Option<Position> {
    seen.alias.as_ref().map(|alias| position(plan, seen, alias))
}

fn stage(plan: &Plan, note: &Note) -> Stage {
    match note.phase {
        Phase::Claim | Phase::Pre => Stage::Claimed,
        Phase::Shift { step, .. } => Stage::Step(usize::from(step)),
        Phase::Bake | Phase::Post => Stage::Step(plan.schedule.len()),
        Phase::Promoted | Phase::Back(_) => Stage::Outside,
    }
}

fn left(plan: &Plan, seen: &Observation, action: &Action, position: Option<&Position>) -> Option<Left> {
    let others_too = seen.others.as_ref().is_some_and(|others| others.taken_over);
    let elsewhere = |note: &Note| note.id == plan.id && note.owner != plan.owner;
    let live = seen.alias.as_ref().map(alias_state).is_some_and(|found| found.live().is_some_and(elsewhere));
    // One that is still to be taken over is in nobody's hands.
    let nobodys = matches!(position, Some(Position::Entering(_)));
    let taken_over = others_too || live && !nobodys || matches!(position, Some(Position::TakenOver(_)));
    // It is back as soon as AWS has moved the traffic.
    if let Some(Position::Moving(Note { phase: Phase::Back(cause), .. }, _)) = position {
        return Some(Left::Back(*cause));
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other action belongs to a rollout that continues")]
    match action {
        Action::RollBack(Cause::Unchanged) => None,
        Action::RollBack(cause) | Action::Finish(Outcome::RolledBack(cause)) => Some(Left::Back(*cause)),
        Action::Finish(Outcome::RollbackUnconfirmed) => Some(Left::Back(seen.failed.unwrap_or(Cause::Failed))),
        Action::Finish(Outcome::Superseded | Outcome::Refused) if taken_over => Some(Left::TakenOver),
        Action::Finish(Outcome::Refused | Outcome::Superseded | Outcome::Failed) => Some(Left::Lost),
        _ => None,
    }
}

/// Whether this alias' version became final by this plan. What a person made final, and what a claim wrote back, carries no plan.
fn is_final(seen: &Observation, position: Option<&Position>) -> bool {
    let Some(Position::Ended(note) | Position::Moving(note, _)) = position else { return false };
    let there = seen.alias.as_ref().is_some_and(|alias| alias.target.version() == note.candidate);
    note.phase == Phase::Promoted && note.plan.is_some() && there
}

/// The next thing to do for a member that by itself would do `action`.
pub(crate) fn together(plan: &Plan, seen: &Observation, action: Action) -> Action {
    let Some(others) = &seen.others else { return action };
    let position = here(plan, seen);
    let action = position.as_ref().and_then(|position| gate_of_all(plan, seen, others, position, &action)).unwrap_or(action);
    let final_here = is_final(seen, position.as_ref());
    let committed = (others.committed || final_here) && seen.failed.is_none();
    let called = others.called.as_ref().is_some_and(|called| called.cause.is_some() || !committed);
    if let Some(Position::Entering(Action::TakeOver)) = position
        && let Some(action) = take_over(plan, seen, others, called, &action)
    {
        return action;
    }
    if called {
        return call_back(seen, position.as_ref(), final_here, action);
    }
    if others.taken_over {
        return leave(seen, action);
    }
    if final_here {
        return end_with_the_others(plan, seen, others, action);
    }
    if committed && let Some(action) = go_final(seen, position.as_ref(), &action) {
        return action;
    }
    hold_back(plan, seen, others, action)
}

/// What becomes of a gate here that the others have too: it is approved where one of theirs is. It is over once none of them can be approved
/// any more, by what each saw of its own alias since then.
fn gate_of_all(plan: &Plan, seen: &Observation, others: &Others, position: &Position, action: &Action) -> Option<Action> {
    let (Position::Ours(note) | Position::SetByHand(note, _)) = position else { return None };
    let pause = note.pause.filter(|pause| pause.gate)?;
    let Stage::Step(step) = stage(plan, note) else { return None };
    let over = seen.now >= pause.until && pause.then == AfterPause::RollBack && seen.failed.is_none();
    let ends = over && *action == Action::RollBack(Cause::Hand);
    if !ends && !matches!(action, Action::Wait { why: Reason::Paused(_), .. }) {
        return None;
    }
    if others.gate_approved == Some(step) {
        return Some(Action::Resume);
    }
    let unknown = others.looked_at.is_some_and(|at| at < pause.until) || others.gate_open == Some(step);
    (ends && unknown).then(|| wait(seen, seen.now + plan.poll, Reason::Paused(pause.until)))
}

fn call_back(seen: &Observation, position: Option<&Position>, final_here: bool, action: Action) -> Action {
    use Position::{ClearedByHand, Ended, Entering, Lost, Moving, Ours, SetByHand, Superseding, TakenOver, Vanished};
    if matches!(action, Action::RollBack(_) | Action::Confirm | Action::Wait { why: Reason::LookingAgain, .. }) {
        return action;
    }
    match position {
        Some(Ours(_) | SetByHand(..) | ClearedByHand | Vanished) => Action::RollBack(Cause::Group),
        Some(Ended(_) | Moving(..)) if final_here => Action::RollBack(Cause::Group),
        // A claim may still be on its way.
        Some(Entering(_)) if seen.unanswered.is_some() => Action::Confirm,
        Some(Entering(_) | Superseding(_)) => Action::Finish(Outcome::Refused),
        Some(Ended(_) | Moving(..) | TakenOver(_) | Lost) | None => action,
    }
}

/// A weight that its owner left behind shares the others' fate: somebody has to own it for that, though all are told to stop by now.
/// Only where none of them is back or in this process' hands yet, everything is left as it was.
fn take_over(plan: &Plan, seen: &Observation, others: &Others, called: bool, action: &Action) -> Option<Action> {
    let goes_back = others.called.as_ref().is_some_and(|called| called.cause.is_some());
    if others.taken_over || seen.interrupted && !others.owned && !goes_back {
        return None;
    }
    // A write that was answered a moment ago shows that AWS takes them again.
    if seen.write_blocked.is_some() && seen.certainty != Certainty::Written {
        let moved = seen.alias.as_ref().is_some_and(|alias| alias.canary().is_some());
        let outcome = if others.committed && !called { Outcome::Failed } else { Outcome::RollbackUnconfirmed };
        return (moved && *action == Action::Finish(Outcome::Refused)).then_some(Action::Finish(outcome));
    }
    if called { Some(Action::TakeOver) } else { seen.interrupted.then(|| hold_back(plan, seen, others, Action::TakeOver)) }
}

/// Another process has the group: this one only finishes what it found itself.
fn leave(seen: &Observation, action: Action) -> Action {
    if matches!(action, Action::RollBack(_) | Action::Confirm | Action::Finish(_)) {
        return action;
    }
    // A write of ours may still land.
    if seen.unanswered.is_some() { Action::Confirm } else { Action::Finish(Outcome::Superseded) }
}

/// A final version ends its rollout when the others' are final too, or given up: until then one of them may be brought back manually.
fn end_with_the_others(plan: &Plan, seen: &Observation, others: &Others, action: Action) -> Action {
    let early = matches!(action, Action::Finish(_)) && others.under_way;
    if early { waiting(plan, seen, others, Stage::Final) } else { action }
}

/// After the commit whoever stands at 100% becomes final; what a person does to it comes first.
fn go_final(seen: &Observation, position: Option<&Position>, action: &Action) -> Option<Action> {
    let Some(Position::Ours(note)) = position else { return None };
    let full = matches!(note.phase, Phase::Bake | Phase::Post) && note.pause.is_none();
    if !full || seen.restored.is_some() || *action == Action::Confirm {
        return None;
    }
    Some(if seen.write_blocked.is_some() { Action::Finish(Outcome::Failed) } else { Action::Promote(Pass::of_the_group()) })
}

/// No claim out of order, no step before all others may take it, and no version final before all have passed everything.
fn hold_back(plan: &Plan, seen: &Observation, others: &Others, action: Action) -> Action {
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other action stays within the stage that is reached")]
    let (reached, needs) = match &action {
        Action::Claim | Action::TakeOver | Action::Supersede | Action::Adopt => (others.before, Stage::Claimed),
        // Whoever supersedes another rollout publishes first.
        Action::UpdateCode | Action::Publish | Action::ManageAlarms | Action::AnnouncePreHook if seen.claimed => {
            (others.at, Stage::Claimed)
        }
        Action::Shift { step, .. } => (others.ready, Stage::Step(*step)),
        Action::Promote(_) if others.leads || others.committed => (others.ready, Stage::Final),
        Action::Promote(_) => return waiting(plan, seen, others, Stage::Final),
        // What has moved is left as it is; what has not is left claimed, for the whole group to be resumed.
        Action::RollBack(Cause::Signal) if plan.on_interrupt == OnInterrupt::Hold && others.moved => {
            return release(seen, others);
        }
        Action::Finish(Outcome::LeftInProgress) => return release(seen, others),
        _ => return action,
    };
    if reached >= needs { action } else { waiting(plan, seen, others, needs) }
}

/// Gives the lease up, once, and holds until nobody of the others can roll back any more.
fn release(seen: &Observation, others: &Others) -> Action {
    match (leased(seen), others.open) {
        (true, _) => Action::Release,
        (false, true) => look_again(seen),
        (false, false) => Action::Finish(Outcome::LeftInProgress),
    }
}

fn leased(seen: &Observation) -> bool {
    seen.alias.as_ref().map(alias_state).is_some_and(|found| found.live().is_some_and(|note| note.lease.is_some()))
}

fn waiting(plan: &Plan, seen: &Observation, others: &Others, stage: Stage) -> Action {
    if heard_alone(plan, seen) {
        return Action::Renew;
    }
    let why = Reason::SharedDegradation { stage, last: others.last.clone() };
    wait(seen, seen.now + plan.poll, why)
}

/// Whether a hook has succeeded that the note does not say so of, of a group that turns drive: two of them at once would wait for each other.
fn heard_alone(plan: &Plan, seen: &Observation) -> bool {
    let note = seen.alias.as_ref().and_then(Alias::note);
    let by_turns = note.filter(|note| note.id == plan.id && note.owner == detached_owner(plan.id));
    by_turns.and_then(|note| note.hook).is_some_and(|hook| !hook.passed) && seen.hook == Hook::Succeeded
}

/// The exit code of a group, from each member's own and its reason's kind; `left` says who left, the first one first.
///
/// A rollback that is not confirmed is never hidden by the others: 20 wins, then 21. Else it is the first cause, where coming back
/// with the group is none, and a refusal only where nobody rolled back for a cause of its own.
pub fn exit_code(members: &[(u8, &ReasonKind)], left: &[usize]) -> u8 {
    let code = |place: &usize| members.get(*place).map_or(1, |member| member.0);
    let all = || (0..members.len()).collect::<Vec<_>>();
    if let Some(worst) = [20, 21].into_iter().find(|worst| all().iter().any(|place| code(place) == *worst)) {
        return worst;
    }
    let own =
        |place: &&usize| members.get(**place).is_some_and(|(code, kind)| *code != 0 && **kind != ReasonKind::Cause(Cause::Group));
    let refused = Outcome::Refused.exit_code();
    let first = left.iter().filter(own).find(|place| code(place) != refused).or_else(|| left.iter().find(own)).map(code);
    let any = || all().iter().map(code).find(|code| *code != 0);
    first.or_else(any).unwrap_or(0)
}
