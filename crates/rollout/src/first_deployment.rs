//! What is the next thing to do where there is no alias? A first deployment makes it; anywhere else it is never made again.

use crate::action::{Action, Reason, look_again, wait};
use crate::health::Verdict;
use crate::observation::{Candidate, Certainty, Hook, Observation, Readiness};
use crate::plan::Plan;
use crate::timing::UNANSWERED;
use crate::{Cause, Outcome, Version};

/// A first deployment has no alias to claim: the claim is its creation. Anywhere else a missing alias is never made again.
pub(crate) fn without_alias(plan: &Plan, seen: &Observation) -> Action {
    if plan.stable.is_some() || seen.claimed {
        return match (seen.certainty, seen.claimed) {
            // It was never read, and that is given up.
            (Certainty::Read, false) if seen.write_blocked.is_some() => Action::Finish(Outcome::Refused),
            (Certainty::Read, _) => look_again(seen),
            (Certainty::Written | Certainty::ReadTwice, true) => Action::Finish(Outcome::Superseded),
            (Certainty::Written | Certainty::ReadTwice, false) => Action::Finish(Outcome::Refused),
        };
    }
    // An alias that we meant to create may still come; it cannot be called back, but it can be found.
    let expected = seen.unanswered.is_some_and(|since| seen.now < since + UNANSWERED);
    let action = unmade(plan, seen);
    if expected && matches!(action, Action::Finish(_)) { look_again(seen) } else { action }
}

fn unmade(plan: &Plan, seen: &Observation) -> Action {
    if seen.interrupted {
        return Action::Finish(Outcome::RolledBack(Cause::Signal));
    }
    if seen.write_blocked.is_some() {
        return Action::Finish(Outcome::Failed);
    }
    // There is no note yet to count from.
    let used_up = seen.now >= plan.began + plan.blind_limit;
    let pass = match seen.health.verdict(plan, plan.began, seen.now) {
        Verdict::Pass(pass) => pass,
        Verdict::Fail { cause, .. } => return Action::Finish(Outcome::RolledBack(cause)),
        Verdict::NoData { .. } if used_up => return Action::Finish(Outcome::RolledBack(Cause::NoData)),
        // Whoever sees nothing cannot say that there is no alias by now; that nothing of its own has moved, it can.
        Verdict::Unreadable { .. } if used_up => return Action::Finish(Outcome::Refused),
        Verdict::NoData { why } => return wait(seen, seen.now + plan.poll, Reason::NoData(why)),
        Verdict::HoldReason { why, .. } | Verdict::Unreadable { why, .. } => {
            return wait(seen, seen.now + plan.poll, Reason::Blind(why));
        }
    };
    match ready(plan, seen, Action::Finish(Outcome::Failed)) {
        Err(action) => action,
        Ok(_) if !seen.managed => Action::ManageAlarms,
        Ok(_) if plan.pre_hook.is_some() => match seen.hook {
            Hook::NotInvoked => Action::InvokeHook,
            Hook::Running(_) => wait(seen, seen.now + plan.poll, Reason::HookRunning),
            Hook::Succeeded => Action::Create(pass),
            Hook::Failed(_) => Action::Finish(Outcome::RolledBack(Cause::PreHook)),
        },
        Ok(_) => Action::Create(pass),
    }
}

/// The version to roll out, once it can take traffic; until then the next thing to do for it, and `failed` where it never will.
pub(crate) fn ready(plan: &Plan, seen: &Observation, failed: Action) -> Result<Version, Action> {
    match &seen.candidate {
        Candidate::Published(version, Readiness::Ready) => Ok(*version),
        Candidate::Unknown | Candidate::Settling => Err(wait(seen, seen.now + plan.poll, Reason::Settling)),
        Candidate::Outdated => Err(Action::UpdateCode),
        Candidate::Ready => Err(Action::Publish),
        Candidate::Published(_, Readiness::Pending) => Err(wait(seen, seen.now + plan.poll, Reason::Preparing)),
        Candidate::Published(_, Readiness::Unfit(_)) | Candidate::Failed(_) => Err(failed),
    }
}
