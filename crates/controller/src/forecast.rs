//! What will the comparison see of this rollout? Foretold from yesterday's traffic at this time of day, before anything is changed.

use std::collections::BTreeMap;
use std::time::Duration;

use analysis::expected::{Step, Traffic, notice, sights};
use analysis::{ParameterError, Parameters};
use rollout::comparison::Thousandths;
use rollout::forecast::{Better, Cost, Forecast, LogCost, Part, SignalForecast};
use rollout::plan::{Latency, Mode, Plan};
use rollout::signal::{SignalMetric, SignalSource};
use rollout::target::Subject;
use rollout::timing::{CLOUDWATCH_LAG, CLOUDWATCH_SETTLED};
use rollout::{Schedule, Signal, Time, Weight};

use crate::expectation::whole;
use crate::port::{Baseline, Cloud, CloudError, SignalCounts, default_log_group};

const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);

/// How fine yesterday is looked at.
const EVERY: Duration = Duration::from_mins(5);

/// How late `CloudWatch` is, in minutes: one to three.
const LAG: f64 = CLOUDWATCH_LAG.as_secs_f64() / 60.0;

/// The minutes of a signal are used only once all is there.
const SIGNAL_LAG: f64 = CLOUDWATCH_SETTLED.as_secs_f64() / 60.0;

/// Of how many minutes a query reads the log: the one before it, and what was not all there the last time.
const READ_AGAIN: f64 = 2.0;

const PARTS: usize = 10;

/// From how much less on another schedule is worth naming, in the rate that it notices; and how much more it may cost.
const LESS: f64 = 0.8;
const MORE: f64 = 1.1;

/// Foretells what a plan sees; `None` where nothing is compared, or nobody called.
///
/// # Errors
/// Yesterday's traffic could not be read.
pub async fn forecast<C: Cloud>(cloud: &C, subject: &Subject, plan: &Plan) -> Result<Option<Forecast>, CloudError> {
    if plan.comparing() == Mode::Off || plan.stable.is_none() {
        return Ok(None);
    }
    let now = cloud.time();
    let parts = cloud.baseline(subject, now - DAY, now, EVERY).await?;
    let Some(window) = window(plan, &parts, now) else { return Ok(None) };
    let signals = signals(cloud, subject, plan, &window).await?;
    let log = log_cost(cloud, subject, plan, &window).await?;
    Ok(described(plan, &window, &signals).ok().map(|forecast| Forecast { log, ..forecast }))
}

/// What came in over some time of yesterday.
struct Window {
    from: Time,
    to: Time,
    calls: f64,
    errors: f64,
}

/// Yesterday's traffic where the rollout would lie today; all that there was since, where nobody called then.
fn window(plan: &Plan, parts: &[Baseline], now: Time) -> Option<Window> {
    let over = |from: Time, to: Time| {
        let within: Vec<&Baseline> = parts.iter().filter(|part| part.start + EVERY > from && part.start < to).collect();
        let calls: f64 = within.iter().map(|part| part.calls).sum();
        let errors = within.iter().map(|part| part.errors).sum();
        // An alias that is younger than that is not taken for one that nobody called.
        let older = parts.first().is_some_and(|part| part.start < from);
        let from = if older { from } else { within.first()?.start.max(from) };
        (calls > 0.0).then_some(Window { from, to, calls, errors })
    };
    let start = now - DAY;
    over(start, (start + plan.duration().max(HOUR)).min(now)).or_else(|| over(start, now))
}

/// What the signals counted of stable in that time, those in logs left out.
async fn signals<C: Cloud>(
    cloud: &C,
    subject: &Subject,
    plan: &Plan,
    window: &Window,
) -> Result<Vec<(String, SignalCounts)>, CloudError> {
    let Some(stable) = plan.stable.filter(|_| plan.signals.iter().any(|signal| !signal.is_in_logs())) else {
        return Ok(Vec::new());
    };
    let parts = cloud.signal_past((subject, stable), &plan.signals, (window.from, window.to, EVERY)).await?;
    let sum = |(signal, parts): (&Signal, Vec<(Time, SignalCounts)>)| {
        let mut counts = parts.iter().fold(SignalCounts::default(), |sum, (_, part)| sum.plus(part));
        if matches!(&signal.source, SignalSource::Metrics { requests: None, .. }) {
            counts.requests = window.calls;
        }
        (!signal.is_in_logs() && counts.requests > 0.0).then(|| (signal.name.clone(), counts))
    };
    Ok(plan.signals.iter().zip(parts).filter_map(sum).collect())
}

/// What it costs to count in the log: each query reads what was written since the last minute that was all there.
async fn log_cost<C: Cloud>(cloud: &C, subject: &Subject, plan: &Plan, window: &Window) -> Result<Option<LogCost>, CloudError> {
    let in_logs = plan.signals.iter().filter(|signal| signal.is_in_logs()).count() as u64;
    let Some(stable) = plan.stable.filter(|_| in_logs > 0) else { return Ok(None) };
    let group = default_log_group(&subject.function.name);
    // How much is written to a log is a metric like any other.
    let written = SignalMetric {
        namespace: "AWS/Logs".to_owned(),
        metric: "IncomingBytes".to_owned(),
        dimensions: BTreeMap::from([("LogGroupName".to_owned(), group.clone())]),
    };
    let written = Signal { name: "written".to_owned(), source: SignalSource::Metrics { failures: written, requests: None } };
    let parts = cloud.signal_past((subject, stable), &[written], (window.from, window.to, EVERY)).await?;
    let bytes: f64 = parts.iter().flatten().map(|(_, part)| part.failures).sum();
    let minutes = (window.to.since(window.from).as_secs_f64() / 60.0).max(1.0);
    // One for each signal, and one for whatever was written at all.
    let queries_an_hour = 60 * (in_logs + 1);
    let bytes_an_hour = (bytes > 0.0).then(|| whole(bytes / minutes * READ_AGAIN * exact(queries_an_hour)));
    Ok(Some(LogCost { group, queries_an_hour, bytes_an_hour }))
}

fn described(plan: &Plan, baseline: &Window, signals: &[(String, SignalCounts)]) -> Result<Forecast, ParameterError> {
    let minutes = (baseline.to.since(baseline.from).as_secs_f64() / 60.0).max(1.0);
    let traffic = Traffic::new(baseline.calls / minutes, (baseline.errors / baseline.calls).clamp(0.0, 1.0))?;
    let enforced = plan.analysis.latency == Latency::Enforce;
    // Of several streams that are joined, one needs as many times as much evidence.
    let share = if enforced { Parameters::ERRORS_SHARE } else { 1.0 } / exact(plan.signals.len() as u64 + 1);
    let parameters = Parameters { alpha: plan.analysis.alpha(), share, ..Parameters::default() };
    let parts = parts(&plan.schedule)?;
    let steps: Vec<Step> = parts.iter().map(|(_, step)| *step).collect();
    let seen = sights(&parameters, &steps, &traffic)?;
    let described = parts.iter().zip(&seen).map(|((steps, _), sight)| Part {
        steps: *steps,
        canary_calls: whole(sight.canary_calls),
        smallest_percent: sight.smallest.map(percent),
    });
    let a_minute = baseline.calls / minutes;
    let cost_of = |schedule: &Schedule, steps: &[Step], rate: f64, traffic: &Traffic, a_minute: f64, lag: f64| {
        notice(&parameters, steps, traffic, rate).map(|notice| {
            // It goes on failing until CloudWatch shows what there is to notice.
            let late = notice.minutes.map_or(0.0, |minutes| calls_within(schedule, minutes, lag, a_minute) * rate);
            Cost {
                fails_percent: whole(rate * 100.0),
                minutes: notice.minutes.map(|minutes| Thousandths::from_f64(minutes + lag)),
                failed_calls: whole(notice.canary_bad + late),
            }
        })
    };
    let cost = |schedule: &Schedule, steps: &[Step], rate: f64| cost_of(schedule, steps, rate, &traffic, a_minute, LAG);
    let signal = |(name, counts): &(String, SignalCounts)| -> Result<SignalForecast, ParameterError> {
        let (requests, rate) = (counts.requests / minutes, (counts.failures / counts.requests).clamp(0.0, 1.0));
        let traffic = Traffic::new(requests, rate)?;
        Ok(SignalForecast {
            name: name.clone(),
            requests_a_minute: Thousandths::from_f64(requests),
            failures_percent: percent(rate),
            smallest_percent: sights(&parameters, &steps, &traffic)?.last().and_then(|sight| sight.smallest).map(percent),
            cost: cost_of(&plan.schedule, &steps, 0.05, &traffic, requests, SIGNAL_LAG)?,
        })
    };
    let signals = signals.iter().map(signal).collect::<Result<Vec<_>, _>>()?;
    let costs = vec![cost(&plan.schedule, &steps, 0.05)?, cost(&plan.schedule, &steps, 1.0)?];
    let (known, spent) = (seen.last().and_then(|sight| sight.smallest), costs.first().map_or(0, |cost| cost.failed_calls));
    let mut better: Option<(f64, Better)> = None;
    for other in others(&plan.schedule) {
        let steps: Vec<Step> = self::parts(&other)?.into_iter().map(|(_, step)| step).collect();
        let smallest = sights(&parameters, &steps, &traffic)?.last().and_then(|sight| sight.smallest);
        let failed_calls = cost(&other, &steps, 0.05)?.failed_calls;
        let Some(smallest) = smallest else { continue };
        let sees_more = known.is_none_or(|known| smallest < known * LESS);
        let costs_more = failed_calls > spent.max(1) && exact(failed_calls) > exact(spent) * MORE;
        if sees_more && !costs_more && better.as_ref().is_none_or(|(best, _)| smallest < *best) {
            let found = Better { schedule: other.to_string(), smallest_percent: Some(percent(smallest)), failed_calls };
            better = Some((smallest, found));
        }
    }
    Ok(Forecast {
        from: baseline.from,
        to: baseline.to,
        calls_a_minute: Thousandths::from_f64(baseline.calls / minutes),
        errors_percent: percent(baseline.errors / baseline.calls),
        parts: described.collect(),
        costs,
        better: better.map(|(_, better)| better),
        signals,
        log: None,
    })
}

/// The canary's invocations in the `span` minutes from `from` minutes after the first weight on.
fn calls_within(schedule: &Schedule, from: f64, span: f64, a_minute: f64) -> f64 {
    let every = schedule.every().as_secs_f64() / 60.0;
    let steps = schedule.weights().iter().enumerate().map(|(index, weight)| {
        let begins = every * exact(index as u64);
        // The last step lasts.
        let ends = if *weight == Weight::FULL { f64::INFINITY } else { begins + every };
        (ends.min(from + span) - begins.max(from)).max(0.0) * weight.fraction()
    });
    steps.fold(0.0, |sum, part| sum + part) * a_minute
}

/// The schedule while both versions have invocations, in at most so many parts: long ones are told a few steps at a time.
fn parts(schedule: &Schedule) -> Result<Vec<([usize; 2], Step)>, ParameterError> {
    let mixed: Vec<Weight> = schedule.weights().iter().copied().filter(|weight| *weight < Weight::FULL).collect();
    let minutes = schedule.every().as_secs_f64() / 60.0;
    let size = mixed.len().div_ceil(PARTS).max(1);
    let part = |(index, weights): (usize, &[Weight])| {
        let count = exact(weights.len() as u64);
        let weight = weights.iter().map(|weight| weight.fraction()).sum::<f64>() / count;
        let first = index * size + 1;
        Step::new(weight, minutes * count).map(|step| ([first, first + weights.len() - 1], step))
    };
    mixed.chunks(size).enumerate().map(part).collect()
}

/// Schedules that last as long, and dwell where errors tell most.
fn others(schedule: &Schedule) -> Vec<Schedule> {
    let minutes = schedule.duration().as_secs() / 60;
    if minutes == 0 {
        return Vec::new();
    }
    let named = |share: u64| format!("Canary{share}Percent{minutes}Minutes").parse().ok();
    [5, 10, 20, 30].into_iter().filter_map(named).filter(|other| other != schedule).collect()
}

fn percent(rate: f64) -> Thousandths {
    Thousandths::from_f64(rate * 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "a number of invocations or steps, rounded")]
fn exact(count: u64) -> f64 {
    count as f64
}
