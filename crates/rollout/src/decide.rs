//! What is the one next thing to do in this rollout? Pure: no clock, no network, no randomness, no memory.
//!
//! First what the alias is, then whether to stop, then the schedule. Moving towards stable needs a reason; moving away from it
//! needs a [`Pass`], which only the health's verdict can give. How an action becomes a write is not said here.

use std::time::Duration;

use crate::alias::{Standing, standing};
use crate::health::{Pass, Verdict};
use crate::note::{Note, Phase};
use crate::observation::{Candidate, Certainty, Hook, Observation, Readiness};
use crate::plan::{OnInterrupt, Plan};
use crate::{Cause, Outcome, Time, Weight};

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Write the claim: a note, no weights.
    Claim,
    /// Put the given code into `$LATEST`.
    UpdateCode,
    /// Publish `$LATEST`.
    Publish,
    /// Write that the pre-traffic hook is about to be invoked.
    AnnouncePreHook,
    /// Write that the post-traffic hook is about to be invoked.
    AnnouncePostHook,
    /// Invoke the hook that is announced.
    InvokeHook,
    /// Create the alias on the candidate: a first deployment.
    Create(Pass),
    /// Give the candidate the share of this step, counted from 1.
    Shift {
        /// Which step.
        step: usize,
        /// Since when the step counts as in force.
        since: Time,
        /// What allows it.
        pass: Pass,
    },
    /// Write that the step is in force only since then: its write was answered late.
    Postpone(Time),
    /// Write since when nothing can be read.
    GoBlind,
    /// Write that things can be read again.
    SeeAgain,
    /// Write a new lease.
    Renew,
    /// Make the candidate the alias' version, for good.
    Promote(Pass),
    /// Put all traffic on stable, and say why.
    RollBack(Cause),
    /// Write what stands there once more, to establish it.
    Confirm,
    /// Give the lease up, so that another process can go on at once.
    Release,
    /// Nothing until then, or until something happens.
    Wait {
        /// When to look at the latest.
        until: Time,
        /// What for.
        why: Reason,
    },
    /// It is over.
    Finish(Outcome),
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `$LATEST` is being updated.
    Settling,
    /// The version is being prepared.
    Preparing,
    /// A hook is running.
    HookRunning,
    /// The step is not due yet.
    NotDue,
    /// The bake is not over.
    Baking,
    /// A person set another share.
    SetByHand(Weight),
    /// What is watched cannot be read: why.
    Blind(String),
    /// What is watched has no data: why.
    NoData(String),
    /// Something foreign was read; it takes a second look to believe it.
    LookingAgain,
}

/// How long to wait before a second look at something foreign.
pub const SECOND_LOOK: Duration = Duration::from_secs(1);

/// How long before its end a lease is renewed.
const RENEWAL: Duration = Duration::from_secs(30);

/// What the alias is to this rollout.
enum Position {
    Unclaimed,
    Ours(Note),
    SetByHand(Note, Weight),
    ClearedByHand,
    Ended(Note),
    Lost,
}

/// Chooses the one next action in this rollout.
pub fn decide(plan: &Plan, seen: &Observation) -> Action {
    let Some(alias) = &seen.alias else { return without_alias(plan, seen) };
    let position = position(plan, seen, standing(alias));
    match position {
        Position::Ended(note) if seen.unanswered && matches!(note.phase, Phase::Back(_)) => Action::Confirm,
        Position::Ended(note) => Action::Finish(ended(plan, seen, &note)),
        // A share that a person took away stays away; the note is all that is left to write.
        Position::ClearedByHand => Action::RollBack(Cause::Hand),
        Position::Lost if seen.certainty == Certainty::Read => look_again(seen),
        Position::Lost if seen.claimed => Action::Finish(Outcome::Superseded),
        Position::Lost => Action::Finish(Outcome::Refused),
        Position::Unclaimed if seen.interrupted || seen.stuck.is_some() => Action::Finish(Outcome::Refused),
        Position::Unclaimed => Action::Claim,
        Position::Ours(note) => go_on(plan, seen, &note, None),
        Position::SetByHand(note, weight) => go_on(plan, seen, &note, Some(weight)),
    }
}

fn position(plan: &Plan, seen: &Observation, standing: Standing) -> Position {
    let ours = |note: &Note| note.id == plan.id && note.owner == plan.owner;
    match standing {
        Standing::Idle(Some(note)) if note.id == plan.id => Position::Ended(note),
        Standing::Idle(_) => {
            let same = plan.stable.is_some() && seen.alias.as_ref().is_some_and(|alias| alias.target.version() == plan.stable);
            if seen.claimed || !same { Position::Lost } else { Position::Unclaimed }
        }
        Standing::Claimed(note) | Standing::Running(note) if ours(&note) => Position::Ours(note),
        Standing::SetByHand(note, weight) if ours(&note) => Position::SetByHand(note, weight),
        Standing::ClearedByHand(note) if ours(&note) => Position::ClearedByHand,
        Standing::Claimed(_) | Standing::Running(_) | Standing::SetByHand(..) | Standing::ClearedByHand(_) => Position::Lost,
        Standing::Foreign { .. } | Standing::PromotedElsewhere(_) | Standing::Contended { .. } => Position::Lost,
    }
}

fn look_again(seen: &Observation) -> Action {
    Action::Wait { until: seen.now + SECOND_LOOK, why: Reason::LookingAgain }
}

/// What a terminal note of this rollout means for its exit code. The note decides, whoever wrote it.
fn ended(plan: &Plan, seen: &Observation, note: &Note) -> Outcome {
    let unchanged = if plan.require_change { Outcome::Refused } else { Outcome::Unchanged };
    match note.phase {
        Phase::Back(Cause::Unchanged) => unchanged,
        Phase::Back(Cause::Rejected) => Outcome::Refused,
        Phase::Back(Cause::Superseded) => Outcome::Superseded,
        Phase::Back(Cause::Failed) => Outcome::Failed,
        Phase::Back(cause) => Outcome::RolledBack(cause),
        // The claim was taken back: what stood there before was written again.
        Phase::Promoted if note.candidate == plan.stable => {
            let refused = matches!(seen.candidate, Candidate::Published(version, _) if Some(version) != plan.stable);
            if refused { Outcome::Refused } else { unchanged }
        }
        Phase::Promoted | Phase::Claim | Phase::Pre | Phase::Shift { .. } | Phase::Bake | Phase::Post => Outcome::Promoted,
    }
}

/// Goes on with a rollout that is ours; `by_hand` is the share that a person gave its canary.
fn go_on(plan: &Plan, seen: &Observation, note: &Note, by_hand: Option<Weight>) -> Action {
    let verdict = seen.health.verdict(plan, note.begun, seen.now);
    if let Some(cause) = reason_to_stop(plan, seen, note, &verdict) {
        return Action::RollBack(cause);
    }
    if seen.interrupted {
        return if note.lease.is_some() { Action::Release } else { Action::Finish(Outcome::Held) };
    }
    if let Some(action) = bookkeeping(plan, seen, note, &verdict) {
        return action;
    }
    match (by_hand, verdict) {
        (Some(weight), _) => wait(seen, seen.now + plan.poll, Reason::SetByHand(weight)),
        (None, verdict) => advance(plan, seen, note, verdict),
    }
}

fn reason_to_stop(plan: &Plan, seen: &Observation, note: &Note, verdict: &Verdict) -> Option<Cause> {
    let held = plan.on_interrupt == OnInterrupt::Hold && !note.phase.share().is_zero();
    if seen.interrupted && !held {
        return Some(Cause::Signal);
    }
    if let Verdict::Fail { cause, .. } = verdict {
        return Some(*cause);
    }
    if seen.stuck.is_some() {
        return Some(Cause::Failed);
    }
    let late = note.hook.is_some_and(|hook| seen.now >= hook.deadline) && seen.hook != Hook::Succeeded;
    match note.phase {
        Phase::Pre if late || matches!(seen.hook, Hook::Failed(_)) => return Some(Cause::PreHook),
        Phase::Post if late || matches!(seen.hook, Hook::Failed(_)) => return Some(Cause::PostHook),
        Phase::Claim if matches!(seen.candidate, Candidate::Failed(_) | Candidate::Published(_, Readiness::Unfit(_))) => {
            // What publishing gave may be stable itself, or a version that was refused before: no failure.
            return (gave_back(plan, note, seen)).or(Some(Cause::Failed));
        }
        Phase::Claim | Phase::Pre | Phase::Shift { .. } | Phase::Bake | Phase::Post | Phase::Promoted | Phase::Back(_) => {}
    }
    let used_up = note.blind.is_some_and(|blind| seen.now >= blind + plan.blind_limit);
    match verdict {
        Verdict::Unreadable { .. } if used_up => Some(Cause::Blind),
        Verdict::NoData { .. } if used_up => Some(Cause::NoData),
        Verdict::Unreadable { .. } | Verdict::NoData { .. } | Verdict::Pass(_) | Verdict::Fail { .. } => None,
    }
}

/// Notes that must be written before anything else goes on.
fn bookkeeping(plan: &Plan, seen: &Observation, note: &Note, verdict: &Verdict) -> Option<Action> {
    let blind = matches!(verdict, Verdict::Unreadable { .. } | Verdict::NoData { .. });
    match note.blind {
        None if blind => return Some(Action::GoBlind),
        Some(_) if !blind => return Some(Action::SeeAgain),
        None | Some(_) => {}
    }
    let has_share = !note.phase.share().is_zero() && note.phase != Phase::Post;
    if let Some(stepped) = seen.stepped.filter(|stepped| has_share && *stepped > note.since + plan.tolerance()) {
        return Some(Action::Postpone(stepped.ceil_to_second()));
    }
    let ends = note.lease.is_none_or(|lease| seen.now + RENEWAL >= lease);
    ends.then_some(Action::Renew)
}

fn advance(plan: &Plan, seen: &Observation, note: &Note, verdict: Verdict) -> Action {
    let pass = match verdict {
        Verdict::Pass(pass) => pass,
        Verdict::NoData { why } => return wait(seen, seen.now + plan.poll, Reason::NoData(why)),
        Verdict::Unreadable { why } | Verdict::Fail { why, .. } => return wait(seen, seen.now + plan.poll, Reason::Blind(why)),
    };
    let due = note.due.unwrap_or(note.since);
    match note.phase {
        Phase::Claim => prepare(plan, seen, note, pass),
        Phase::Pre | Phase::Post => match seen.hook {
            Hook::NotInvoked => Action::InvokeHook,
            Hook::Succeeded if note.phase == Phase::Pre => first_share(plan, seen, pass),
            Hook::Succeeded => Action::Promote(pass),
            Hook::Running(_) | Hook::Failed(_) => {
                wait(seen, note.hook.map_or(seen.now, |hook| hook.deadline), Reason::HookRunning)
            }
        },
        Phase::Shift { .. } if seen.now < due => wait(seen, due, Reason::NotDue),
        Phase::Shift { step, .. } => {
            let step = usize::from(step) + 1;
            if plan.schedule.weight(step) == Weight::FULL && seen.full_weight_refused {
                return finish_line(plan, pass);
            }
            let since = if seen.now <= due + plan.tolerance() { due } else { seen.now.ceil_to_second() };
            Action::Shift { step, since, pass }
        }
        Phase::Bake if seen.now < due => wait(seen, due, Reason::Baking),
        Phase::Bake | Phase::Promoted | Phase::Back(_) => finish_line(plan, pass),
    }
}

fn finish_line(plan: &Plan, pass: Pass) -> Action {
    if plan.post_hook.is_some() { Action::AnnouncePostHook } else { Action::Promote(pass) }
}

fn first_share(plan: &Plan, seen: &Observation, pass: Pass) -> Action {
    if plan.schedule.weight(1) == Weight::FULL && seen.full_weight_refused {
        return finish_line(plan, pass);
    }
    Action::Shift { step: 1, since: seen.now.ceil_to_second(), pass }
}

/// From the claim to the first share: code, version, pre-traffic hook.
fn prepare(plan: &Plan, seen: &Observation, note: &Note, pass: Pass) -> Action {
    if let Some(cause) = gave_back(plan, note, seen) {
        return Action::RollBack(cause);
    }
    match &seen.candidate {
        Candidate::Unknown | Candidate::Settling => wait(seen, seen.now + plan.poll, Reason::Settling),
        Candidate::Outdated => Action::UpdateCode,
        Candidate::Ready => Action::Publish,
        Candidate::Published(_, Readiness::Pending) => wait(seen, seen.now + plan.poll, Reason::Preparing),
        Candidate::Published(_, Readiness::Ready) if plan.pre_hook.is_some() => Action::AnnouncePreHook,
        Candidate::Published(_, Readiness::Ready) => first_share(plan, seen, pass),
        Candidate::Published(_, Readiness::Unfit(_)) | Candidate::Failed(_) => Action::RollBack(Cause::Failed),
    }
}

/// Whether publishing gave a version that is not to be rolled out: stable itself, or one that was rejected before.
fn gave_back(plan: &Plan, note: &Note, seen: &Observation) -> Option<Cause> {
    let Candidate::Published(version, _) = seen.candidate else { return None };
    if Some(version) == plan.stable {
        return Some(Cause::Unchanged);
    }
    let rejected = note.rejected.iter().any(|rejected| rejected.version == version);
    (rejected && !plan.again).then_some(Cause::Rejected)
}

/// A first deployment has no alias to claim: the claim is its creation. Anywhere else a missing alias is never made again.
fn without_alias(plan: &Plan, seen: &Observation) -> Action {
    if plan.stable.is_some() || seen.claimed {
        return match (seen.certainty, seen.claimed) {
            (Certainty::Read, _) => look_again(seen),
            (Certainty::Written | Certainty::ReadTwice, true) => Action::Finish(Outcome::Superseded),
            (Certainty::Written | Certainty::ReadTwice, false) => Action::Finish(Outcome::Refused),
        };
    }
    if seen.interrupted {
        return Action::Finish(Outcome::RolledBack(Cause::Signal));
    }
    if seen.stuck.is_some() {
        return Action::Finish(Outcome::Failed);
    }
    let pass = match seen.health.verdict(plan, seen.now, seen.now) {
        Verdict::Pass(pass) => pass,
        Verdict::Fail { cause, .. } => return Action::Finish(Outcome::RolledBack(cause)),
        Verdict::NoData { why } => return wait(seen, seen.now + plan.poll, Reason::NoData(why)),
        Verdict::Unreadable { why } => return wait(seen, seen.now + plan.poll, Reason::Blind(why)),
    };
    match &seen.candidate {
        Candidate::Unknown | Candidate::Settling => wait(seen, seen.now + plan.poll, Reason::Settling),
        Candidate::Outdated => Action::UpdateCode,
        Candidate::Ready => Action::Publish,
        Candidate::Failed(_) | Candidate::Published(_, Readiness::Unfit(_)) => Action::Finish(Outcome::Failed),
        Candidate::Published(_, Readiness::Pending) => wait(seen, seen.now + plan.poll, Reason::Preparing),
        Candidate::Published(_, Readiness::Ready) if plan.pre_hook.is_some() => match seen.hook {
            Hook::NotInvoked => Action::InvokeHook,
            Hook::Running(_) => wait(seen, seen.now + plan.poll, Reason::HookRunning),
            Hook::Succeeded => Action::Create(pass),
            Hook::Failed(_) => Action::Finish(Outcome::RolledBack(Cause::PreHook)),
        },
        Candidate::Published(_, Readiness::Ready) => Action::Create(pass),
    }
}

fn wait(seen: &Observation, until: Time, why: Reason) -> Action {
    Action::Wait { until: until.max(seen.now), why }
}
