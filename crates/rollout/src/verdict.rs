//! What do alarms, checks and counts say together? One verdict for a rollout as its note tells it.
//!
//! Whatever speaks against the candidate outweighs what could not be read, which outweighs a doubt, which outweighs a pass.

use crate::alias::{AliasState, alias_state};
use crate::check::{CheckAnswer, CheckSeen, CheckState, asked_now};
use crate::comparison::{AnalysisResult, AnalysisVerdict, Comparison, Probe, Unseen};
use crate::format::grouped;
use crate::health::{HoldReason, Pass, ReadError, Verdict, clock};
use crate::note::{Note, Phase};
use crate::observation::Observation;
use crate::plan::{Mode, OnLowTraffic, Plan};
use crate::timing::{CHECK_FRESH, SUSPICION_LIMIT};
use crate::{Cause, Time};

/// Judges everything that was read, for the rollout of this note.
pub(crate) fn verdict(plan: &Plan, seen: &Observation, note: &Note) -> Verdict {
    let alarms = seen.health.verdict(plan, note.started_at, seen.now);
    [checks(plan, seen, note), counts(plan, seen, note)].into_iter().flatten().fold(alarms, worse)
}

/// The one of two verdicts that outweighs the other; of equal ones the first.
fn worse(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (one @ Verdict::Fail { .. }, _) => one,
        (_, other @ Verdict::Fail { .. }) => other,
        (one @ (Verdict::Unreadable { .. } | Verdict::NoData { .. }), _) => one,
        (_, other @ (Verdict::Unreadable { .. } | Verdict::NoData { .. })) => other,
        (one @ Verdict::HoldReason { .. }, _) => one,
        (Verdict::Pass(one), Verdict::Pass(other)) => Verdict::Pass(one.and(other)),
        (Verdict::Pass(_), other @ Verdict::HoldReason { .. }) => other,
    }
}

/// When the next change of a rollout is due. A promotion manually does not know how long the plan bakes.
pub(crate) fn due(plan: &Plan, note: &Note) -> Time {
    note.due.unwrap_or(if note.phase == Phase::Bake { note.since + plan.dwell(note.phase) } else { note.since })
}

/// Whether the step in force has waited for invocations as long as it may.
pub(crate) fn waited_enough(plan: &Plan, seen: &Observation, note: &Note) -> bool {
    seen.now >= due(plan, note) && note.waited >= plan.analysis.max_hold
}

/// What the checks say of the rollout of this note; `None` where none is asked now.
///
/// One that failed speaks against the candidate, whatever follows. One that has not answered lately that all is well cannot be told from
/// one that would fail.
fn checks(plan: &Plan, seen: &Observation, note: &Note) -> Option<Verdict> {
    if !asked_now(plan, note) {
        let before = !plan.checks.is_empty() && note.phase.share().is_zero();
        return before.then(|| Verdict::Pass(Pass::compared("no check before its first invocations".to_owned())));
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

/// What the counts say; `None` where they are not to decide.
fn counts(plan: &Plan, seen: &Observation, note: &Note) -> Option<Verdict> {
    if plan.comparing() != Mode::On || note.stable.is_none() {
        return None;
    }
    if note.phase.share().is_zero() {
        return Some(Verdict::Pass(Pass::compared("nothing to compare before its first invocations".to_owned())));
    }
    if let Probe::Failed(why) = &seen.probe {
        return Some(Verdict::Fail { cause: Cause::Analysis, why: why.clone(), alarm: None });
    }
    let (at, finding, failing) = match &seen.comparison {
        Comparison::Unread { failing: ReadError { why, throttled } } => {
            return Some(Verdict::Unreadable { why: why.clone(), throttled: *throttled });
        }
        Comparison::Read { at, finding, failing } => (*at, finding, failing),
    };
    // What was found worse once is worse, however old the counts are.
    if finding.opinion == AnalysisVerdict::RollBack {
        return Some(Verdict::Fail { cause: Cause::Analysis, why: finding.why.clone(), alarm: None });
    }
    let on_schedule = seen.alias.as_ref().is_some_and(|alias| matches!(alias_state(alias), AliasState::Running(_)));
    // A weight that a person set says little about how many invocations there should be.
    if finding.unseen == Some(Unseen::Missing) && on_schedule && !note.promoted_manually {
        return Some(Verdict::Fail { cause: Cause::NoData, why: finding.why.clone(), alarm: None });
    }
    if seen.now.since(at) > plan.counts_freshness() {
        let old = || ReadError { why: "the last counts are too old".to_owned(), throttled: false };
        let ReadError { why, throttled } = failing.clone().unwrap_or_else(old);
        return Some(Verdict::Unreadable { why, throttled });
    }
    // A person who promoted it has seen as much: from then on only what is proven counts.
    if note.promoted_manually {
        return Some(Verdict::Pass(Pass::unseen(format!("promoted manually; {}", finding.why))));
    }
    let full = matches!(note.phase, Phase::Bake | Phase::Post);
    if finding.unseen.is_some_and(|unseen| full || unseen != Unseen::Early) {
        return Some(Verdict::HoldReason { doubt: HoldReason::NoCalls, why: finding.why.clone() });
    }
    Some(match finding.opinion {
        AnalysisVerdict::NoData => Verdict::HoldReason { doubt: HoldReason::NoCalls, why: finding.why.clone() },
        AnalysisVerdict::Hold if note.held < SUSPICION_LIMIT => {
            Verdict::HoldReason { doubt: HoldReason::Suspicious, why: finding.why.clone() }
        }
        AnalysisVerdict::Hold | AnalysisVerdict::Pass | AnalysisVerdict::LowPower | AnalysisVerdict::RollBack => {
            enough(plan, seen, note, finding)
        }
    })
}

/// Whether the canary has had the invocations that were asked for, or what stands in for them.
fn enough(plan: &Plan, seen: &Observation, note: &Note, finding: &AnalysisResult) -> Verdict {
    let (has, wants) = (finding.step_calls, plan.analysis.min_requests);
    // At the post-traffic hook no step is in force any more.
    if has >= wants || note.phase == Phase::Post {
        return Verdict::Pass(Pass::compared(finding.why.clone()));
    }
    if let Probe::Passed(count) = seen.probe {
        return Verdict::Pass(Pass::compared(format!("it answered {count} of {count} test events")));
    }
    if let Probe::Unsent(why) = &seen.probe {
        return Verdict::HoldReason { doubt: HoldReason::TooFew, why: why.clone() };
    }
    let few = format!("{} of the required {} invocations in this step", grouped(has), grouped(wants));
    if plan.analysis.on_low_traffic == OnLowTraffic::Promote && waited_enough(plan, seen, note) {
        return Verdict::Pass(Pass::unseen(format!("{few}: continuing as configured")));
    }
    Verdict::HoldReason { doubt: HoldReason::TooFew, why: few }
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
        super::checks(&plan, &seen, &Note::new(RolloutId(1), Owner::from_random(1), phase, at(0)))
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
