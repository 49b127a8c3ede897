//! Do the metrics of the signals exist, and what did they count before? A name that is misspelt would never show a failure.

use std::collections::BTreeSet;

use rollout::Time;
use rollout::plan::{Mode, Plan};
use rollout::signal::{SignalMetric, SignalSource};

use super::problem::Problem;
use crate::expectation::{PAST, Reference, SignalPast};
use crate::port::{Cloud, Failure, KnownMetric, SignalCounts};
use crate::request::Request;

#[derive(Default)]
pub(crate) struct Signals {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<String>,
    pub(crate) past: SignalPast,
}

/// What keeps the signals from being compared, and what they counted of stable in the hour before `start`.
pub(crate) async fn signals<C: Cloud>(cloud: &C, request: &Request, plan: &Plan, baseline: &Reference, start: Time) -> Signals {
    let mut out = Signals::default();
    let Some(stable) = plan.stable.filter(|_| !plan.signals.is_empty() && plan.comparing() != Mode::Off) else { return out };
    for signal in &plan.signals {
        let SignalSource::Metrics { failures, requests } = &signal.source else {
            continue;
        };
        for metric in [Some(failures), requests.as_ref()].into_iter().flatten() {
            match cloud.known_metrics(Some(metric), &metric.metric).await {
                Ok(known) if known.iter().any(|known| has_these(known, metric)) => {}
                Ok(_) => out.problems.push(unknown(cloud, &signal.name, metric).await),
                Err(error) => {
                    let needed = if error.failure == Failure::Denied { " (cloudwatch:ListMetrics is needed)" } else { "" };
                    let name = &signal.name;
                    out.warnings
                        .push(format!("whether the metrics of signal `{name}` exist could not be checked{needed}: {error}"));
                }
            }
        }
    }
    match cloud.signal_past((&request.subject, stable), &plan.signals, (start - PAST, start, PAST)).await {
        Ok(parts) => {
            let signals = parts.iter().map(|parts| parts.iter().fold(SignalCounts::default(), |sum, (_, part)| sum.plus(part)));
            if let Some(baseline) = baseline {
                out.past = SignalPast { signals: signals.collect(), calls: baseline.calls };
            }
        }
        Err(error) => out.warnings.push(format!("the past of the signals could not be read: {error}")),
    }
    out
}

/// That the log in which signals are counted does not exist.
pub(crate) async fn log_of_signals<C: Cloud>(cloud: &C, plan: &Plan, group: &str) -> Option<Problem> {
    let signal = plan.signals.iter().find(|signal| signal.is_in_logs()).filter(|_| plan.comparing() != Mode::Off)?;
    let name = &signal.name;
    match cloud.has_log_group(group).await {
        Ok(true) => None,
        Ok(false) => {
            let problem = Problem::new(format!("signal `{name}`: there is no log group `{group}`"));
            Some(problem.hint("the function has never written to it: check its role's permissions and its logging configuration"))
        }
        Err(error) => {
            let problem =
                Problem::new(format!("signal `{name}`: whether the log group `{group}` exists cannot be read: {error}"));
            Some(problem.if_denied(&error, "logs:DescribeLogGroups is needed; `canaryctl iam-policy` prints all permissions"))
        }
    }
}

fn has_these(known: &KnownMetric, metric: &SignalMetric) -> bool {
    known.dimensions.keys().eq(metric.dimensions.keys())
}

/// That a metric had no data in two weeks, and what is near.
async fn unknown<C: Cloud>(cloud: &C, signal: &str, metric: &SignalMetric) -> Problem {
    let SignalMetric { namespace, metric: name, dimensions } = metric;
    let names = |dimensions: &mut dyn Iterator<Item = &String>| dimensions.map(String::as_str).collect::<Vec<_>>().join(", ");
    let wanted = names(&mut dimensions.keys());
    let problem = Problem::new(format!(
        "signal `{signal}`: metric `{name}` in `{namespace}` with the dimensions {wanted} had no data in the last two weeks"
    ));
    let near = cloud.known_metrics(None, name).await.unwrap_or_default();
    let here: BTreeSet<String> = near
        .iter()
        .filter(|known| known.namespace == *namespace)
        .map(|known| names(&mut known.dimensions.keys()))
        .map(|names| if names.is_empty() { "no dimensions".to_owned() } else { names })
        .collect();
    let elsewhere: BTreeSet<&String> = near.iter().map(|known| &known.namespace).filter(|known| *known != namespace).collect();
    let same = elsewhere.iter().find(|known| known.eq_ignore_ascii_case(namespace));
    let listed = |all: Vec<String>| all.into_iter().take(SHOWN).collect::<Vec<_>>().join("; ");
    match (here.is_empty(), same) {
        (false, _) => problem.hint(format!("there it has {}", listed(here.into_iter().collect()))),
        (true, Some(known)) => problem.hint(format!("did you mean the namespace `{known}`?")),
        (true, None) if !elsewhere.is_empty() => {
            let known = elsewhere.into_iter().map(|known| format!("`{known}`")).collect();
            problem.hint(format!("a metric of this name is in {}", listed(known)))
        }
        (true, None) => problem.hint("check its name; a function that writes it only when something fails can write 0 once"),
    }
}

const SHOWN: usize = 3;
