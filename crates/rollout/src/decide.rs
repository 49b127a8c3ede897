//! What is the one next thing to do in this rollout? Pure: no clock, no network, no randomness, no memory.
//!
//! First what the alias is, then whether to stop, then the schedule. Moving towards stable needs a reason; moving away from it
//! needs a [`Pass`], which only the health's verdict can give. How an action becomes a write is not said here.

use std::time::Duration;

pub use crate::action::{Action, Reason};
use crate::action::{look_again, wait};
use crate::alias::{AliasState, alias_state};
use crate::comparison::Probe;
use crate::first_deployment::{ready, without_alias};
use crate::group::rules::together;
use crate::health::{HoldReason, Pass, Verdict};
use crate::note::{AfterPause, Note, NoteParse, Pause, Phase};
use crate::observation::{Candidate, Certainty, Hook, Observation, Readiness};
use crate::plan::{OnInterrupt, OnLowTraffic, Plan};
use crate::position::{Position, position};
use crate::timing::{COUNTS_EVERY, LANDED, MOVING, SUSPICION_LIMIT};
use crate::verdict::{due, verdict, waited_enough};
use crate::{Alias, Cause, Outcome, Time, Version, Weight};

/// How many times as long as blindness a throttle is put up with: it comes from this account's own calls, and it passes.
const THROTTLED: u32 = 3;

/// Chooses the one next action in this rollout.
pub fn decide(plan: &Plan, seen: &Observation) -> Action {
    together(plan, seen, decide_alone(plan, seen))
}

/// The same for a rollout of its own: a group's member by its own alias.
fn decide_alone(plan: &Plan, seen: &Observation) -> Action {
    let Some(alias) = &seen.alias else { return without_alias(plan, seen) };
    // A rollback that had no room for its note is one all the same.
    if let Some(cause) = seen.restored.filter(|_| seen.certainty == Certainty::Written && alias.noted() == NoteParse::Nothing) {
        return Action::Finish(Outcome::RolledBack(cause));
    }
    match position(plan, seen, alias) {
        // A write that moves traffic, and that nobody answered, may still land: it does not once it is older than any request.
        Position::Ended(note)
            if seen.unanswered.is_some() && matches!(note.phase, Phase::Back(_)) && seen.now < note.since + LANDED =>
        {
            Action::Confirm
        }
        Position::Ended(note) => promoted_after_all(plan, seen, alias, &note)
            .map_or_else(|| Action::Finish(ended(plan, seen, &note)), Action::RollBack),
        Position::Moving(note, version) => moving(seen, &note, version),
        // A weight that a person took away stays away; the note is all that is left to write.
        Position::ClearedByHand => Action::RollBack(Cause::Hand),
        Position::Lost | Position::TakenOver(_) | Position::Vanished if seen.certainty == Certainty::Read => look_again(seen),
        Position::TakenOver(note) => taken_over(plan, seen, &note),
        Position::Vanished => vanished(plan, seen),
        Position::Lost if seen.claimed => Action::Finish(Outcome::Superseded),
        Position::Lost => Action::Finish(Outcome::Refused),
        // Our claim may still be on its way; a write in between takes its revision away.
        Position::Entering(_) if (seen.interrupted || seen.write_blocked.is_some()) && seen.unanswered.is_some() => {
            Action::Confirm
        }
        Position::Entering(_) | Position::Superseding(_) if seen.interrupted || seen.write_blocked.is_some() => {
            Action::Finish(Outcome::Refused)
        }
        Position::Entering(action) => action,
        Position::Superseding(theirs) => supersede(plan, seen, &theirs),
        Position::Ours(note) => continue_rollout(plan, seen, &note, None),
        Position::SetByHand(note, weight) => continue_rollout(plan, seen, &note, Some(weight)),
    }
}

/// It is over, and AWS has not moved the traffic yet: nothing is confirmed before it has.
fn moving(seen: &Observation, note: &Note, version: Version) -> Action {
    let until = note.since + MOVING;
    let back = matches!(note.phase, Phase::Back(_));
    match (back, seen.now >= until || seen.stop_now) {
        (true, true) => Action::Finish(Outcome::RollbackUnconfirmed),
        (false, true) => Action::Finish(Outcome::Failed),
        (false, false) if seen.interrupted => Action::Finish(Outcome::LeftInProgress),
        (true | false, false) => wait(seen, until, Reason::Moving(version)),
    }
}

/// The note is gone and nothing else: a reason to stop is one all the same; else it is written again.
fn vanished(plan: &Plan, seen: &Observation) -> Action {
    let Some(note) = &seen.remembered else { return Action::WriteAgain };
    let verdict = verdict(plan, seen, note);
    // Without room for the note nobody else can tell what goes on here: not for ever.
    let too_long = seen.blind.is_some_and(|blind| seen.now >= blind + plan.blind_limit);
    let cause = reason_to_stop(plan, seen, note, &verdict).or(too_long.then_some(Cause::Blind));
    cause.map_or(Action::WriteAgain, Action::RollBack)
}

/// What this process found against the candidate, once it has decided to roll back for it; not what a person wanted.
fn found(seen: &Observation) -> Option<Cause> {
    seen.failed.filter(|cause| !matches!(cause, Cause::Signal | Cause::Hand | Cause::Abort))
}

/// Why a promotion that landed while this owner was rolling back does not last: a failure is final. By its token it is no other
/// owner's, who may have seen more.
fn promoted_after_all(plan: &Plan, seen: &Observation, alias: &Alias, note: &Note) -> Option<Cause> {
    let promoted = note.phase == Phase::Promoted && note.stable.is_some() && note.candidate != plan.stable;
    let there = note.candidate == alias.target.version();
    found(seen).filter(|_| promoted && there && note.owner == plan.owner)
}

/// An owner that lost the rollout to another may still bring it back on a failure that it holds; never the other way.
fn taken_over(plan: &Plan, seen: &Observation, note: &Note) -> Action {
    let moved = !note.phase.share().is_zero();
    if let Some(cause) = found(seen).filter(|_| moved) {
        return Action::RollBack(cause);
    }
    match verdict(plan, seen, note) {
        Verdict::Fail { cause, .. } if moved => Action::RollBack(cause),
        Verdict::Fail { .. }
        | Verdict::Pass(_)
        | Verdict::HoldReason { .. }
        | Verdict::NoData { .. }
        | Verdict::Unreadable { .. } => Action::Finish(Outcome::Superseded),
    }
}

/// Another rollout is superseded only for a version that can take traffic; until that is certain, it is left alone.
fn supersede(plan: &Plan, seen: &Observation, theirs: &Note) -> Action {
    let version = match ready(plan, seen, Action::Finish(Outcome::Refused)) {
        Ok(version) => version,
        Err(action) => return action,
    };
    let known = [plan.stable, theirs.candidate].contains(&Some(version));
    let rejected = theirs.rejected.iter().any(|rejected| rejected.version == version) && !plan.again;
    if known || rejected { Action::Finish(Outcome::Refused) } else { Action::Supersede }
}

/// What a terminal note of this rollout means for its exit code. The note decides, whoever wrote it.
fn ended(plan: &Plan, seen: &Observation, note: &Note) -> Outcome {
    let unchanged = if plan.require_change { Outcome::Refused } else { Outcome::Unchanged };
    match note.phase {
        // What stood there before the claim was written again.
        Phase::Promoted if note.candidate == plan.stable && seen.failed == Some(Cause::Group) => {
            Outcome::RolledBack(Cause::Group)
        }
        Phase::Back(Cause::Unchanged) => unchanged,
        Phase::Back(Cause::Rejected) => Outcome::Refused,
        Phase::Back(Cause::Superseded) => Outcome::Superseded,
        Phase::Back(Cause::Failed) => Outcome::Failed,
        Phase::Back(cause) => Outcome::RolledBack(cause),
        // The claim was rolled back: what stood there before was written again.
        Phase::Promoted if note.candidate == plan.stable => {
            let refused = matches!(seen.candidate, Candidate::Published(version, _) if Some(version) != plan.stable);
            // Another process claimed it, and why it gave it back is not known here: its group is not to go on without it.
            let taken = seen.others.is_some() && !seen.claimed && note.owner != plan.owner;
            if refused || taken { Outcome::Refused } else { unchanged }
        }
        Phase::Promoted | Phase::Claim | Phase::Pre | Phase::Shift { .. } | Phase::Bake | Phase::Post => Outcome::Promoted,
    }
}

/// Resumes a rollout that is ours; `by_hand` is the weight that a person gave its canary.
fn continue_rollout(plan: &Plan, seen: &Observation, note: &Note, by_hand: Option<Weight>) -> Action {
    let verdict = verdict(plan, seen, note);
    if let Some(cause) = reason_to_stop(plan, seen, note, &verdict) {
        return Action::RollBack(cause);
    }
    // Nobody may ever come back to a weight that was set manually: then it is left as it is, for the same command to resume.
    let left = by_hand.is_some()
        && note.pause.is_none()
        && seen.set_manually_since.is_some_and(|since| seen.now >= since + plan.analysis.max_hold);
    if seen.interrupted || left {
        return if note.lease.is_some() { Action::Release } else { Action::Finish(Outcome::LeftInProgress) };
    }
    if let Some(action) = bookkeeping(plan, seen, note, &verdict) {
        return action;
    }
    // A first deployment has nothing that a guard could roll back to.
    if seen.unguarded && note.stable.is_some() {
        return Action::StartGuard;
    }
    if let Some(Pause { until, .. }) = note.pause {
        return if seen.now >= until { Action::Resume } else { wait(seen, until, Reason::Paused(until)) };
    }
    match (by_hand, verdict) {
        (Some(weight), _) => wait(seen, seen.now + plan.poll, Reason::SetByHand(weight)),
        (None, verdict) => advance(plan, seen, note, verdict),
    }
}

fn reason_to_stop(plan: &Plan, seen: &Observation, note: &Note, verdict: &Verdict) -> Option<Cause> {
    if seen.failed.is_some() {
        return seen.failed;
    }
    if let Verdict::Fail { cause, .. } = verdict {
        return Some(*cause);
    }
    // A first deployment has nothing to roll back to: it is left for a re-run to finish.
    let held = (plan.on_interrupt == OnInterrupt::Hold || note.stable.is_none()) && (!note.phase.share().is_zero());
    if seen.interrupted && !held {
        return Some(Cause::Signal);
    }
    if seen.write_blocked.is_some() {
        return Some(Cause::Failed);
    }
    let late = note.hook.is_some_and(|hook| seen.now >= hook.deadline) && matches!(seen.hook, Hook::Running(_));
    match note.phase {
        Phase::Pre if late || matches!(seen.hook, Hook::Failed(_)) => return Some(Cause::PreHook),
        Phase::Shift { .. } if late || matches!(seen.hook, Hook::Failed(_)) => return Some(Cause::StepHook),
        Phase::Post if late || matches!(seen.hook, Hook::Failed(_)) => return Some(Cause::PostHook),
        Phase::Claim if matches!(seen.candidate, Candidate::Failed(_) | Candidate::Published(_, Readiness::Unfit(_))) => {
            // What publishing gave may be stable itself, or a version that was refused before: no failure.
            return (gave_back(plan, note, seen)).or(Some(Cause::Failed));
        }
        Phase::Claim | Phase::Pre | Phase::Shift { .. } | Phase::Bake | Phase::Post | Phase::Promoted | Phase::Back(_) => {}
    }
    if note.pause.is_some_and(|pause| pause.then == AfterPause::RollBack && seen.now >= pause.until) {
        return Some(Cause::Hand);
    }
    let patience = if matches!(verdict, Verdict::Unreadable { throttled: true, .. }) {
        plan.blind_limit * THROTTLED
    } else {
        plan.blind_limit
    };
    let used_up = note.blind.or(seen.blind).is_some_and(|blind| seen.now >= blind + patience);
    match verdict {
        Verdict::Unreadable { .. } if used_up => Some(Cause::Blind),
        Verdict::NoData { .. } if used_up => Some(Cause::NoData),
        Verdict::HoldReason { doubt: HoldReason::NoCalls, .. } if waited_in_vain(plan, seen, note) => Some(Cause::NoData),
        Verdict::HoldReason { doubt: HoldReason::TooFew, .. } if waited_in_vain(plan, seen, note) => {
            let unsent = matches!(seen.probe, Probe::Unsent(_));
            let give_up_outcome = plan.analysis.on_low_traffic == OnLowTraffic::RollBack || unsent;
            give_up_outcome.then_some(Cause::LowTraffic)
        }
        Verdict::Unreadable { .. }
        | Verdict::NoData { .. }
        | Verdict::HoldReason { .. }
        | Verdict::Pass(_)
        | Verdict::Fail { .. } => None,
    }
}

/// Whether a step that was to rise by itself has waited for invocations as long as it may. What a person holds is not waiting.
fn waited_in_vain(plan: &Plan, seen: &Observation, note: &Note) -> bool {
    let on_schedule = seen.alias.as_ref().is_some_and(|alias| matches!(alias_state(alias), AliasState::Running(_)));
    on_schedule && note.pause.is_none() && waited_enough(plan, seen, note)
}

/// Notes that must be written before anything else goes on.
fn bookkeeping(plan: &Plan, seen: &Observation, note: &Note, verdict: &Verdict) -> Option<Action> {
    // First of all: whoever takes over knows no other time than the note's.
    let has_share = !note.phase.share().is_zero() && note.phase != Phase::Post;
    if let Some(step_observed_at) =
        seen.step_observed_at.filter(|step_observed_at| has_share && *step_observed_at > note.since + plan.tolerance())
    {
        return Some(Action::Postpone(step_observed_at.ceil_to_second()));
    }
    let blind = matches!(verdict, Verdict::Unreadable { .. } | Verdict::NoData { .. });
    match note.blind {
        None if blind => return Some(Action::GoBlind),
        Some(_) if !blind => return Some(Action::SeeAgain),
        None | Some(_) => {}
    }
    let ends = note.lease.is_none_or(|lease| seen.now + plan.renewal() >= lease);
    // Where the next step comes at once, it names the candidate too.
    let waits = |readiness: &Readiness| blind || note.pause.is_some() || *readiness == Readiness::Pending;
    let unnamed = unnamed(plan, seen, note).is_some_and(|(_, readiness)| waits(readiness));
    (ends || unnamed).then_some(Action::Renew)
}

/// The version that this rollout published and is to roll out, where its claim does not name it yet: whoever ends the rollout
/// meanwhile could not know that it is bad.
pub(crate) fn unnamed<'a>(plan: &Plan, seen: &'a Observation, note: &Note) -> Option<(Version, &'a Readiness)> {
    let claimed = note.phase == Phase::Claim && note.candidate.is_none();
    match &seen.candidate {
        Candidate::Published(version, readiness) if claimed && gave_back(plan, note, seen).is_none() => {
            Some((*version, readiness))
        }
        Candidate::Published(..) | Candidate::Failed(_) => None,
        Candidate::Unknown | Candidate::Settling | Candidate::Outdated | Candidate::Ready => None,
    }
}

fn advance(plan: &Plan, seen: &Observation, note: &Note, verdict: Verdict) -> Action {
    let due = due(plan, note);
    let pass = match verdict {
        Verdict::Pass(pass) => pass,
        Verdict::HoldReason { .. } if seen.now < due => return not_due(seen, note, due),
        Verdict::HoldReason { doubt: HoldReason::Unanswered, .. } => {
            return wait(seen, seen.now + plan.poll, Reason::CheckRunning);
        }
        Verdict::HoldReason { doubt, why } => return doubtful(plan, seen, note, doubt, why),
        Verdict::NoData { why } => return wait(seen, seen.now + plan.poll, Reason::NoData(why)),
        Verdict::Unreadable { why, .. } | Verdict::Fail { why, .. } => {
            return wait(seen, seen.now + plan.poll, Reason::Blind(why));
        }
    };
    if !seen.managed && note.phase != Phase::Claim {
        return Action::ManageAlarms;
    }
    match note.phase {
        Phase::Claim => prepare(plan, seen, note, pass),
        // Another plan may have no such hook any more.
        Phase::Pre if plan.pre_hook.is_none() => first_share(plan, seen, pass),
        Phase::Pre => asked(seen, note, Action::AnnouncePreHook).unwrap_or_else(|| first_share(plan, seen, pass)),
        Phase::Post if plan.post_hook.is_none() => Action::Promote(pass),
        Phase::Post => asked(seen, note, Action::AnnouncePostHook).unwrap_or(Action::Promote(pass)),
        Phase::Shift { .. } | Phase::Bake if seen.now < due => not_due(seen, note, due),
        Phase::Shift { step, .. } => {
            let asking = plan.step_hook.as_ref().and_then(|_| asked(seen, note, Action::AnnounceStepHook));
            asking.unwrap_or_else(|| shift(plan, seen, usize::from(step) + 1, Some(due), pass))
        }
        Phase::Bake => finish_line(plan, pass),
        // A terminal note is no position to go on from.
        Phase::Promoted | Phase::Back(_) => wait(seen, seen.now + plan.poll, Reason::LookingAgain),
    }
}

/// What is to be done about a hook that has to succeed first; `None` once it has.
fn asked(seen: &Observation, note: &Note, announce: Action) -> Option<Action> {
    match seen.hook {
        // A pause, or a process that died, may have used the time up before anybody was asked.
        Hook::NotInvoked if note.hook.is_none_or(|hook| seen.now >= hook.deadline) => Some(announce),
        Hook::NotInvoked => Some(Action::InvokeHook),
        Hook::Succeeded => None,
        Hook::Running(_) | Hook::Failed(_) => {
            Some(wait(seen, note.hook.map_or(seen.now, |hook| hook.deadline), Reason::HookRunning))
        }
    }
}

fn not_due(seen: &Observation, note: &Note, due: Time) -> Action {
    wait(seen, due, if matches!(note.phase, Phase::Shift { .. }) { Reason::NotDue } else { Reason::Baking })
}

/// A step that is due, and not enough to resume: it is made longer a minute at a time, which is how often there is more to
/// know. The note keeps how long that has gone on; when it has gone on too long there is no such doubt, or a reason to stop.
fn doubtful(plan: &Plan, seen: &Observation, note: &Note, doubt: HoldReason, why: String) -> Action {
    if matches!(plan.analysis.on_low_traffic, OnLowTraffic::Probe(_))
        && doubt == HoldReason::TooFew
        && waited_enough(plan, seen, note)
    {
        return match seen.probe {
            Probe::NotSent => Action::Probe,
            Probe::Running | Probe::Passed(_) | Probe::Failed(_) | Probe::Unsent(_) => {
                wait(seen, seen.now + plan.poll, Reason::Probing)
            }
        };
    }
    let left = match doubt {
        HoldReason::Suspicious => SUSPICION_LIMIT.saturating_sub(note.held),
        HoldReason::NoCalls | HoldReason::TooFew | HoldReason::Unanswered => plan.analysis.max_hold.saturating_sub(note.waited),
    };
    let longer = left.clamp(Duration::from_secs(1), COUNTS_EVERY);
    let due = due(plan, note);
    let from = if seen.now <= due + plan.tolerance() { due } else { seen.now };
    Action::Extend {
        until: plan.next_change((from + longer).ceil_to_second()).max(seen.now + Duration::from_secs(1)),
        doubt,
        why,
    }
}

fn finish_line(plan: &Plan, pass: Pass) -> Action {
    if plan.post_hook.is_some() { Action::AnnouncePostHook } else { Action::Promote(pass) }
}

fn first_share(plan: &Plan, seen: &Observation, pass: Pass) -> Action {
    shift(plan, seen, 1, None, pass)
}

/// A weight that may rise now: it does, or on the full minute. Whoever has waited for that once does not wait again: where a look takes
/// its time, no full minute might ever be met.
fn shift(plan: &Plan, seen: &Observation, step: usize, due: Option<Time>, pass: Pass) -> Action {
    let met = seen.ready.and_then(|ready| plan.met(ready, seen.now)).filter(|minute| seen.now >= *minute);
    let meant = [due, met].into_iter().flatten().find(|meant| seen.now <= *meant + plan.tolerance());
    let since = meant.unwrap_or_else(|| seen.now.ceil_to_second());
    let minute = plan.next_change(since);
    if plan.changes_on_the_minute() && meant.is_none() && met.is_none() && minute > seen.now {
        return wait(seen, minute, Reason::FullMinute);
    }
    Action::Shift { step, since, pass }
}

/// From the claim to the first weight: code, version, pre-traffic hook.
fn prepare(plan: &Plan, seen: &Observation, note: &Note, pass: Pass) -> Action {
    if let Some(cause) = gave_back(plan, note, seen) {
        return Action::RollBack(cause);
    }
    match ready(plan, seen, Action::RollBack(Cause::Failed)) {
        Ok(_) if !seen.managed => Action::ManageAlarms,
        Ok(_) if plan.pre_hook.is_some() => Action::AnnouncePreHook,
        Ok(_) => first_share(plan, seen, pass),
        Err(action) => action,
    }
}

/// Whether publishing gave a version that is not to be rolled out: stable itself, or one that was rejected before.
fn gave_back(plan: &Plan, note: &Note, seen: &Observation) -> Option<Cause> {
    let Candidate::Published(version, _) = seen.candidate else { return None };
    // A first version that failed its post-traffic hook is both: rejected says more.
    let rejected = note.rejected.iter().any(|rejected| rejected.version == version);
    if rejected && !plan.again {
        return Some(Cause::Rejected);
    }
    (Some(version) == plan.stable).then_some(Cause::Unchanged)
}
