//! What do the checks say? Hooks that are asked once a minute while the candidate has traffic, and what their answers allow.

use serde::{Deserialize, Serialize};

use crate::health::{HoldReason, Pass, Verdict, clock};
use crate::note::{Note, Phase};
use crate::observation::Observation;
use crate::plan::Plan;
use crate::timing::CHECK_FRESH;
use crate::words::words;
use crate::{Cause, Time};

/// One check, as far as this process has asked it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CheckSeen {
    /// The function or the URL that is asked.
    pub name: String,
    /// When it was first asked.
    pub first_asked: Time,
    /// When it was asked to what it last answered that all is well.
    #[serde(rename = "passed_at")]
    pub passed: Option<Time>,
    /// What its last answer was; `None` before the first one.
    #[serde(rename = "answer")]
    pub last: Option<CheckAnswer>,
}

words! {
    /// What an answer to a check comes to.
    pub enum CheckState {
        /// All is well.
        Passed = "passed",
        /// Something is not. Final.
        Failed = "failed",
        /// It said neither, or nothing.
        Unsure = "unsure",
    }
}

/// An answer to a check.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CheckAnswer {
    /// What it comes to.
    pub state: CheckState,
    /// In words; empty where all is well.
    pub why: String,
}

/// Whether the checks are asked now: from the first weight to the end of the bake.
pub fn asked_now(plan: &Plan, note: &Note) -> bool {
    !plan.checks.is_empty() && !note.phase.share().is_zero() && matches!(note.phase, Phase::Shift { .. } | Phase::Bake)
}

/// What the checks say of the rollout of this note; `None` where none is asked now.
///
/// One that failed speaks against the candidate, whatever follows. One that has not answered lately that all is well cannot be told from
/// one that would fail.
pub(crate) fn verdict(plan: &Plan, seen: &Observation, note: &Note) -> Option<Verdict> {
    if !asked_now(plan, note) {
        return None;
    }
    let failed = seen.checks.iter().find_map(|check| {
        let CheckAnswer { why, .. } = check.last.as_ref().filter(|answer| answer.state == CheckState::Failed)?;
        Some(format!("check `{}` failed: {why}", check.name))
    });
    if let Some(why) = failed {
        return Some(Verdict::Fail { cause: Cause::Check, why, alarm: None });
    }
    for name in &plan.checks {
        let known = seen.checks.iter().find(|check| check.name == *name);
        let Some(CheckSeen { first_asked, passed, last, .. }) = known else {
            return Some(awaited(name));
        };
        if seen.now.since(passed.unwrap_or(*first_asked)) > CHECK_FRESH {
            let last =
                last.as_ref().filter(|answer| answer.state == CheckState::Unsure).map_or("no answer", |answer| &answer.why);
            let since = passed.map_or_else(String::new, |passed| format!(" since {}", clock(passed)));
            return Some(Verdict::Unreadable {
                why: format!("check `{name}` has not succeeded{since}: {last}"),
                throttled: false,
            });
        }
        if passed.is_none() {
            return Some(awaited(name));
        }
    }
    let count = plan.checks.len();
    Some(Verdict::Pass(Pass::checked(count)))
}

fn awaited(name: &str) -> Verdict {
    Verdict::HoldReason { doubt: HoldReason::Unanswered, why: format!("check `{name}` has not answered yet") }
}
