//! What will the comparison see of this rollout? Foretold from yesterday's traffic at this time of day, before anything is changed.

use std::time::Duration;

use analysis::expected::{Step, Traffic, notice, sights};
use analysis::{ParameterError, Parameters};
use rollout::comparison::Thousandths;
use rollout::forecast::{Better, Cost, Forecast, Part};
use rollout::plan::{Latency, Mode, Plan};
use rollout::target::Subject;
use rollout::timing::CLOUDWATCH_LAG;
use rollout::{Schedule, Time, Weight};

use crate::expectation::whole;
use crate::port::{Baseline, Cloud, CloudError};

const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);

/// How fine yesterday is looked at.
const EVERY: Duration = Duration::from_mins(5);

/// How late `CloudWatch` is, in minutes: one to three.
const LAG: f64 = CLOUDWATCH_LAG.as_secs_f64() / 60.0;

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
    Ok(window(plan, &parts, now).and_then(|baseline| described(plan, &baseline).ok()))
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
    over(start, start + plan.duration().max(HOUR)).or_else(|| over(start, now))
}

fn described(plan: &Plan, baseline: &Window) -> Result<Forecast, ParameterError> {
    let minutes = (baseline.to.since(baseline.from).as_secs_f64() / 60.0).max(1.0);
    let traffic = Traffic::new(baseline.calls / minutes, (baseline.errors / baseline.calls).clamp(0.0, 1.0))?;
    let enforced = plan.analysis.latency == Latency::Enforce;
    let share = if enforced { Parameters::ERRORS_SHARE } else { 1.0 };
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
    let cost = |schedule: &Schedule, steps: &[Step], rate: f64| {
        notice(&parameters, steps, &traffic, rate).map(|notice| {
            // It goes on failing until CloudWatch shows what there is to notice.
            let late = notice.minutes.map_or(0.0, |minutes| calls_within(schedule, minutes, LAG, a_minute) * rate);
            Cost {
                fails_percent: whole(rate * 100.0),
                minutes: notice.minutes.map(|minutes| Thousandths::from_f64(minutes + LAG)),
                failed_calls: whole(notice.canary_bad + late),
            }
        })
    };
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
