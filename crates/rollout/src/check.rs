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
        let before = !plan.checks.is_empty() && note.phase.share().is_zero();
        return before.then(|| Verdict::Pass(Pass::compared("no check is asked before its first invocations".to_owned())));
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Weight;
    use crate::memory::Memory;
    use crate::note::{Owner, RolloutId};
    use crate::timing::CHECK_EVERY;

    fn at(second: u64) -> Time {
        Time::from_secs(1_795_000_000 + second)
    }

    fn judged(checks: Vec<CheckSeen>, phase: Phase, now: u64) -> Option<Verdict> {
        let plan = Plan { checks: vec!["a".to_owned(), "b".to_owned()], ..crate::decide_tests::plan() };
        let seen = Observation { checks, ..Memory::new(None).observation(at(now), false) };
        verdict(&plan, &seen, &Note::new(RolloutId(1), Owner::from_random(1), phase, at(0)))
    }

    fn check(name: &str, passed: Option<u64>, last: Option<(CheckState, &str)>) -> CheckSeen {
        let last = last.map(|(state, why)| CheckAnswer { state, why: why.to_owned() });
        CheckSeen { name: name.to_owned(), first_asked: at(0), passed: passed.map(at), last }
    }

    #[test]
    fn only_a_fresh_yes_of_every_check_is_a_pass() {
        use CheckState::{Failed, Passed, Unsure};
        let shift = Phase::Shift { step: 1, steps: 3, weight: Weight::from_basis_points(1000).unwrap() };
        let fine = |name: &str| check(name, Some(100), Some((Passed, "")));
        let fresh = 100 + CHECK_FRESH.as_secs();
        let pass = Some(Verdict::Pass(Pass::checked(2)));
        assert_eq!(judged(vec![fine("a"), fine("b")], shift, fresh), pass);
        assert_eq!(judged(vec![fine("a"), fine("b")], Phase::Bake, fresh), pass);
        // One answer may be missing between two questions.
        assert_eq!(judged(vec![fine("a"), check("b", Some(100), Some((Unsure, "?")))], shift, fresh), pass);
        let nobody_asks = |phase| judged(vec![check("a", None, Some((Failed, "no")))], phase, 0);
        assert_eq!(nobody_asks(Phase::Post), None);
        for phase in [Phase::Claim, Phase::Pre] {
            assert!(matches!(nobody_asks(phase), Some(Verdict::Pass(_))));
        }
        for waiting in [
            vec![],
            vec![fine("a")],
            vec![fine("a"), check("b", None, None)],
            vec![check("a", None, Some((Unsure, "?"))), fine("b")],
        ] {
            let found = judged(waiting, shift, 110);
            assert!(matches!(found, Some(Verdict::HoldReason { doubt: HoldReason::Unanswered, .. })), "{found:?}");
        }
        for silent in [
            vec![fine("a"), fine("b")],
            vec![check("a", Some(100), Some((Unsure, "503"))), fine("b")],
            vec![check("a", None, None), fine("b")],
        ] {
            let found = judged(silent, shift, fresh + 1);
            assert!(matches!(found, Some(Verdict::Unreadable { throttled: false, .. })), "{found:?}");
        }
        for age in [0, 10 * CHECK_EVERY.as_secs()] {
            let found = judged(vec![fine("a"), check("b", Some(100), Some((Failed, "no stock")))], shift, 100 + age);
            let why = "check `b` failed: no stock".to_owned();
            assert_eq!(found, Some(Verdict::Fail { cause: Cause::Check, why, alarm: None }), "final");
        }
        assert!(CHECK_FRESH >= CHECK_EVERY + Duration::from_secs(1));
    }
}
