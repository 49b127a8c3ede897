//! How many invocations should there be by now, and what if there are none? From what stable has beside the candidate, and from what
//! the alias was used to.
//!
//! No count is not a good one. What was counted is compared elsewhere.

use std::time::Duration;

use rollout::comparison::{AnalysisResult, AnalysisVerdict, Numbers, Unseen};
use rollout::format::grouped;
use rollout::health::clock;
use rollout::note::{Note, Phase};
use rollout::plan::Plan;
use rollout::timing::{CLOUDWATCH_SETTLED, UNSEEN_LIMIT};
use rollout::{Time, Version, Weight};

use crate::log_signals::LogCounts;
use crate::port::{Baseline, MinuteCounts, SignalCounts, SignalMinute};

/// What the alias was used to in the hour before the rollout, from which limits and expectations are taken. Without it there are none.
pub(crate) type Reference = Option<Baseline>;

pub(crate) const PAST: Duration = Duration::from_hours(1);

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// What signals counted of stable in the hour before the rollout, in their order, and the invocations of the alias in it; empty where that is
/// not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SignalPast {
    pub(crate) signals: Vec<SignalCounts>,
    pub(crate) calls: f64,
}

/// What was counted of a rollout by now, and what it is held against.
#[derive(Clone, Copy)]
pub(crate) struct Counted<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) note: &'a Note,
    pub(crate) minutes: &'a [MinuteCounts],
    pub(crate) baseline: &'a Reference,
    /// What was counted of the signals, in the plan's order, and before the rollout.
    pub(crate) signals: &'a [Vec<SignalMinute>],
    pub(crate) past: &'a SignalPast,
    /// What was counted of the signals in the log.
    pub(crate) logs: &'a LogCounts,
    /// What AWS says of why no invocation of the candidate is counted, where it was asked.
    pub(crate) reason: Option<&'a str>,
    pub(crate) now: Time,
}

/// How many invocations the canary can be expected to have while stable has some too, if the traffic stays as it was.
pub(crate) fn expected_calls(plan: &Plan, baseline: &Reference) -> Option<f64> {
    let a_step = usual(baseline.as_ref()?, plan.schedule.every());
    let mixed = plan.schedule.weights().iter().filter(|weight| **weight < Weight::FULL);
    Some(mixed.fold(0.0, |sum, weight| sum + weight.fraction() * a_step))
}

/// How many invocations the alias is expected to have in so long a time: as many as in just that time before the rollout, or as in the
/// mean of the hour before, whichever is more.
///
/// Traffic that began lately counts for what it is, and for no longer than it lasted: that many came, and nothing says that they go on.
fn usual(baseline: &Baseline, span: Duration) -> f64 {
    let mean = baseline.calls / PAST.as_secs_f64() * span.as_secs_f64();
    let began = baseline.start + PAST;
    // In the minute in which it began, not all is of the time before.
    let whole = || baseline.minutes.iter().filter(|(minute, _)| *minute + MINUTE <= began);
    // The newest minutes may not be counted yet: then the time before the last that is.
    let counted = whole().next_back().map(|(minute, _)| *minute + MINUTE);
    let end = counted.filter(|end| *end + CLOUDWATCH_SETTLED >= began).unwrap_or(began);
    let lately = whole().map(|(minute, calls)| calls * part(*minute, end - span, end)).sum();
    mean.max(lately)
}

/// Which part of a minute lies between these, from 0 to 1.
fn part(minute: Time, from: Time, to: Time) -> f64 {
    to.min(minute + MINUTE).since(from.max(minute)).as_secs_f64() / MINUTE.as_secs_f64()
}

/// The invocations of both versions that cannot all be missing by chance.
const MANY: f64 = 100.0;

/// Why there is nothing to go by, though there should be: no count is not a good one.
pub(crate) fn unknown(of: &Counted<'_>, numbers: &Numbers) -> Option<String> {
    let candidate = numbers.candidate.version;
    let raw: f64 = of.minutes.iter().map(|minute| minute.candidate.calls).sum();
    if numbers.candidate.calls == 0 && raw > 0.0 {
        return Some(format!(
            "the invocations of {candidate} cannot be judged yet: some run so long that only the failed ones have ended"
        ));
    }
    let settled = of.now.since(first_weight(of)).saturating_sub(CLOUDWATCH_SETTLED);
    let expected = of.baseline.as_ref().map_or(0.0, |baseline| usual(baseline, settled));
    let silent = of.minutes.iter().all(|minute| minute.stable.calls + minute.candidate.calls <= 0.0);
    (silent && expected >= MANY).then(|| {
        let reason = of.reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let expected = grouped(whole(expected));
        format!("no invocation of either version was counted, although about {expected} were expected by now{reason}")
    })
}

/// By when the candidate had traffic, at the latest: the steps before the one in force took no less than planned.
fn first_weight(of: &Counted<'_>) -> Time {
    let Counted { plan, note, .. } = *of;
    let steps = if let Phase::Shift { step, .. } = note.phase { usize::from(step) } else { plan.schedule.len() };
    note.since - if note.promoted_manually { Duration::ZERO } else { plan.begins(steps) }
}

/// Invocations that the canary should have had by now, at the least: its weight hardly ever was below the first step's, or the one in force.
/// Taken from stable's invocations in minutes that are all there.
pub(crate) fn due(of: &Counted<'_>, ended: &[MinuteCounts]) -> f64 {
    let from = first_weight(of);
    let whole = ended.iter().filter(|minute| minute.start >= from && of.now.since(minute.start + MINUTE) >= CLOUDWATCH_SETTLED);
    least_weight(of) * whole.map(|minute| minute.stable.calls).sum::<f64>()
}

/// The weight that the candidate hardly ever was below: the first step's, or the one in force.
fn least_weight(of: &Counted<'_>) -> f64 {
    of.plan.schedule.weight(1).min(of.note.phase.share()).fraction()
}

/// So many invocations are not all missing by chance: less than once in 20,000 times.
const FEW: f64 = 10.0;

/// How sure it is that the candidate has no invocations, though it should have; `None` where it has some, or few are expected.
pub(crate) fn unseen(of: &Counted<'_>) -> Option<Unseen> {
    let absent = of.minutes.iter().all(|minute| minute.candidate.calls <= 0.0);
    let expected_by = |at: Time| absent && expected_of_candidate(of, at) >= FEW;
    let settled = of.now - CLOUDWATCH_SETTLED;
    match (expected_by(settled - UNSEEN_LIMIT), expected_by(settled), expected_by(of.now)) {
        (true, ..) => Some(Unseen::Missing),
        (false, true, _) => Some(Unseen::Late),
        (false, false, true) => Some(Unseen::Early),
        (false, false, false) => None,
    }
}

/// The invocations that the candidate should have had by `at`, at the least. Beside stable: its weight hardly ever was below the first
/// step's, or the one in force, of what stable had. With all traffic: what is usual for the alias in as long a time.
fn expected_of_candidate(of: &Counted<'_>, at: Time) -> f64 {
    let (weight, from) = (least_weight(of), first_weight(of));
    let beside = |minute: &MinuteCounts| {
        // Of a minute in part of which stable was alone, the candidate's part is smaller, and stable's greater.
        let share = weight * part(minute.start, from, at);
        share / (1.0 - share) * minute.stable.calls
    };
    let mixed: f64 = of.minutes.iter().filter(|_| weight < 1.0).map(beside).sum();
    // At the post-traffic hook, a bake without invocations is over, in which hardly any were expected.
    let alone = matches!(of.note.phase, Phase::Bake | Phase::Post).then(|| at.since(of.note.since));
    mixed + of.baseline.as_ref().zip(alone).map_or(0.0, |(baseline, alone)| usual(baseline, alone))
}

/// What is said in place of counts that say nothing of the step in force: there are none of the candidate, or none any more.
pub(crate) fn silent(of: &Counted<'_>, finding: &AnalysisResult) -> Option<String> {
    if matches!(finding.unseen, Some(Unseen::Late | Unseen::Missing)) {
        let expected = expected_of_candidate(of, of.now - CLOUDWATCH_SETTLED);
        return Some(none_although(finding.numbers.candidate.version, expected, of.reason));
    }
    let passes = matches!(finding.opinion, AnalysisVerdict::Pass | AnalysisVerdict::LowPower);
    let since = silent_since(of.minutes, of.now).filter(|_| passes)?;
    Some(format!("no invocations of either version since {}", clock(since)))
}

/// Since when neither version has had an invocation, where `CloudWatch` should have had those after it by now.
fn silent_since(all: &[MinuteCounts], now: Time) -> Option<Time> {
    let with_any = all.iter().filter(|minute| minute.stable.calls + minute.candidate.calls > 0.0);
    let last = with_any.map(|minute| minute.start + MINUTE).max()?;
    (now.since(last) >= CLOUDWATCH_SETTLED + MINUTE).then_some(last)
}

/// That there are none, and why: as AWS says, or what it can be.
pub(crate) fn none_although(candidate: Version, expected: f64, reason: Option<&str>) -> String {
    let expected = grouped(whole(expected));
    let guess = "its traffic does not arrive, is not counted, or is refused before it runs (KMS, network, concurrency)";
    let reason = reason.unwrap_or(guess);
    format!("{candidate} has no invocations, although about {expected} were expected by now: {reason}")
}

/// A count as a whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates; counts are not negative"
)]
pub(crate) fn whole(count: f64) -> u64 {
    count.round() as u64
}

#[cfg(test)]
mod tests {
    use rollout::note::{Owner, RolloutId};
    use rollout::{Schedule, Subject};

    use super::*;
    use crate::port::VersionCounts;
    use crate::request::Request;

    #[test]
    fn what_is_usual_is_the_mean_of_the_hour_or_what_came_lately() {
        let began = Time::from_secs(1_795_000_020);
        let baseline = |minutes: &[(u32, f64)]| Baseline {
            start: began - PAST,
            calls: minutes.iter().map(|(_, calls)| calls).sum(),
            minutes: minutes.iter().map(|(ago, calls)| (began - MINUTE * *ago, *calls)).collect(),
            ..Baseline::default()
        };
        let usual_in = |minutes: &[(u32, f64)], span: u64| whole(usual(&baseline(minutes), Duration::from_secs(span)));
        // It began five minutes ago, and the last two are not counted yet.
        let lately = [(5, 20.0), (4, 20.0), (3, 20.0)];
        assert_eq!([0, 30, 60, 150, 180, 600].map(|span| usual_in(&lately, span)), [0, 10, 20, 50, 60, 60]);
        // What is counted of the minute in which the rollout began is no measure.
        let growing = Baseline { minutes: vec![(began - MINUTE, 20.0), (began - MINUTE / 2, 1.0)], ..baseline(&[]) };
        assert_eq!(whole(usual(&growing, MINUTE)), 20);
        // Nobody says that it lasts: after an hour it is what the hour had.
        assert_eq!(usual_in(&lately, 2 * 3_600), 120);
        // It ended long ago: the mean is all that is known of it.
        assert_eq!([60, 600, 1_200, 1_500].map(|span| usual_in(&[(22, 30.0), (21, 30.0)], span)), [1, 10, 20, 60]);
        let steady: Vec<(u32, f64)> = (1..=60).rev().map(|ago| (ago, 6.0)).collect();
        assert_eq!([90, 3_600, 7_200].map(|span| usual_in(&steady, span)), [9, 360, 720]);
    }

    #[test]
    fn what_is_expected_beside_stable_is_its_part_of_each_minute() {
        let began = Time::from_secs(1_795_000_020);
        let of_stable = |start: Time, calls: f64| {
            let stable = VersionCounts { calls, ..VersionCounts::default() };
            MinuteCounts { start, stable, candidate: VersionCounts::default() }
        };
        // 60 a minute: of the first, the candidate has half of the last 20 seconds, and half of the second.
        let minutes = [of_stable(began, 50.0), of_stable(began + MINUTE, 30.0)];
        let expected = |percent: u16, seconds: u64| {
            let weight = Weight::from_basis_points(percent * 100).unwrap();
            let schedule = Schedule::steps(&[weight], Duration::from_mins(10)).unwrap();
            let subject = Subject::parse("hello:live", None).unwrap();
            let (id, owner) = (RolloutId(1), Owner::from_random(1));
            let plan = Request::new(subject, schedule).plan(id, owner, began, Version::new(41));
            let phase = Phase::Shift { weight, step: 1, steps: 2 };
            let note = Note { since: began + Duration::from_secs(40), ..Note::new(id, owner, phase, began) };
            let now = began + Duration::from_secs(seconds);
            let (baseline, past, logs) = (&None, &SignalPast::default(), &LogCounts::default());
            let of =
                Counted { plan: &plan, note: &note, minutes: &minutes, baseline, signals: &[], past, logs, reason: None, now };
            whole(expected_of_candidate(&of, now))
        };
        assert_eq!([40, 60, 120].map(|seconds| expected(50, seconds)), [0, 10, 40]);
        // A bound, where the share is not what stable's invocations come from.
        assert_eq!(expected(20, 120), 11);
    }
}
