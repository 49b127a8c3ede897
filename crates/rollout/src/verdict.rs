//! What do alarms, checks and counts say together? One verdict for a rollout as its note tells it.
//!
//! Whatever speaks against the candidate outweighs what could not be read, which outweighs a doubt, which outweighs a pass.

use crate::alias::{AliasState, alias_state};
use crate::check;
use crate::comparison::{AnalysisResult, AnalysisVerdict, Comparison, Probe, Unseen};
use crate::format::grouped;
use crate::health::{HoldReason, Pass, ReadError, Verdict};
use crate::note::{Note, Phase};
use crate::observation::Observation;
use crate::plan::{Mode, OnLowTraffic, Plan};
use crate::timing::SUSPICION_LIMIT;
use crate::{Cause, Time};

/// Judges everything that was read, for the rollout of this note.
pub(crate) fn verdict(plan: &Plan, seen: &Observation, note: &Note) -> Verdict {
    let alarms = seen.health.verdict(plan, note.started_at, seen.now);
    [check::verdict(plan, seen, note), counts(plan, seen, note)].into_iter().flatten().fold(alarms, worse)
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
