//! What was the alias used to before, and can invocations be counted and tell anything?

use rollout::alias::alias_state;
use rollout::plan::{Latency, Mode, Plan};
use rollout::{Alias, Time};

use super::problem::Problem;
use crate::expectation::{PAST, Reference, expected_calls};
use crate::metrics_analysis::limits;
use crate::port::{Baseline, Cloud, Failure};
use crate::request::Request;

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<String>,
    pub(crate) baseline: Reference,
    /// Calls may not be counted, and nobody asked for it.
    pub(crate) denied: bool,
}

/// What the alias was used to in the hour before the rollout, and whether invocations may be counted at all.
pub(crate) async fn counts<C: Cloud>(cloud: &C, request: &Request, alias: Option<&Alias>, began: Time) -> Counts {
    let mut out = Counts::default();
    // A first deployment has nothing to compare with.
    let Some(alias) = alias.filter(|_| request.analysis.mode != Mode::Off) else { return out };
    let found = alias_state(alias);
    let start = found.live().map_or(began, |note| note.started_at);
    match cloud.baseline(&request.subject, start - PAST, start, PAST).await {
        // An hour that does not begin on the hour may come in two parts, of which the larger one's percentiles mean more.
        Ok(parts) => {
            let sum = |of: fn(&Baseline) -> f64| parts.iter().map(of).fold(0.0, |sum, part| sum + part);
            let (calls, errors) = (sum(|part| part.calls), sum(|part| part.errors));
            let minutes = parts.iter().flat_map(|part| part.minutes.iter().copied()).collect();
            let largest = parts.into_iter().max_by(|one, other| one.calls.total_cmp(&other.calls));
            out.baseline = Some(Baseline { start: start - PAST, calls, errors, minutes, ..largest.unwrap_or_default() });
        }
        Err(error) if error.failure == Failure::Denied && request.analysis_asked => {
            let problem = Problem::new(format!("the invocations of the versions cannot be counted: {error}"));
            out.problems.push(problem.hint("cloudwatch:GetMetricData is needed; `--analysis off` disables the comparison"));
        }
        Err(error) if error.failure == Failure::Denied => {
            out.denied = true;
            out.warnings.push(
                "the versions are not compared: cloudwatch:GetMetricData is not permitted; only alarms and hooks can detect a bad version"
                    .to_owned(),
            );
        }
        // It passes, or counting later shows that it does not.
        Err(error) => out.warnings.push(format!(
            "the past traffic of the alias could not be read, so the expected number of invocations is not known: {error}"
        )),
    }
    out
}

/// Slow invocations cannot be told without knowing what was slow before.
pub(crate) fn slowness(request: &Request, plan: &Plan, baseline: &Reference) -> Option<Problem> {
    let enforced = request.analysis.latency == Latency::Enforce && plan.comparing() != Mode::Off && plan.stable.is_some();
    if !enforced || limits(plan, baseline).is_some() {
        return None;
    }
    let calls = baseline
        .as_ref()
        .map_or_else(|| "could not be read".to_owned(), |baseline| format!("had {:.0} invocations", baseline.timed));
    let text = format!("latency cannot be compared: the hour before {calls}, and 100 are needed");
    Some(Problem::new(text).hint("`--analysis latency=report` continues and only reports latency"))
}

/// The warning that hardly anything can be seen, where that is known beforehand.
pub(crate) fn low_power(plan: &Plan, baseline: &Reference) -> Option<String> {
    let expected = expected_calls(plan, baseline).filter(|expected| *expected < FEW && plan.comparing() != Mode::Off)?;
    if plan.schedule.len() == 1 {
        let text = "both versions never have traffic at the same time, so the comparison can detect only total failure";
        return Some(format!("{}: {text}", plan.schedule));
    }
    let few = if expected < 1.0 { "almost no".to_owned() } else { format!("only about {expected:.0}") };
    Some(format!(
        "{few} invocations of the new version are expected: the comparison notices only a nearly total failure; \
         `--min-requests` waits for invocations, `--on-low-traffic probe` sends test events"
    ))
}

/// The invocations below which only a dead canary can be seen.
const FEW: f64 = 30.0;
