//! What do the counted invocations come to? From minutes to a finding, by the tests; nothing here waits or asks AWS.
//!
//! Everything is recomputed from the rollout's first minute each time, so that late and growing minutes, and a process that takes
//! over, need nothing of their own.

use std::time::Duration;

use analysis::{LatencyTest, Minute, Outlook, Parameters, SlowMinute, Verdict, dead, shown_ratio, together};
use rollout::comparison::{AnalysisResult, AnalysisVerdict, Numbers, SharedDegradation, Slow, Thousandths, Unseen};
use rollout::format::{grouped, percent, rate};
use rollout::health::clock;
use rollout::note::{Note, Phase};
use rollout::plan::{Latency, Plan};
use rollout::timing::{CLOUDWATCH_SETTLED, UNSEEN_LIMIT};
use rollout::{Time, Version, Weight};

use crate::port::{Baseline, Limit, Limits, MinuteCounts, PairCounts, VersionCounts};
use crate::signals_analysis::{Joined, SignalPast, Stream, calls, whole};

/// What the alias was used to in the hour before the rollout, from which limits and expectations are taken. Without it there are none.
pub(crate) type Reference = Option<Baseline>;

pub(crate) const PAST: Duration = Duration::from_hours(1);

const MINUTE: Duration = Duration::from_mins(1);

/// The invocations of both versions that cannot all be missing by chance.
const MANY: f64 = 100.0;

/// From which duration on invocations that are still running are missing in the newest minutes, in milliseconds.
const LONG: f64 = 20_000.0;

/// What counts as slow, from what was usual: the 90th percentile of 100 invocations or more, the 99th of 1,000 or more.
///
/// The candidate's limits lie a quarter and 10 ms above stable's: by so much it may be slower.
pub(crate) fn limits(plan: &Plan, baseline: &Reference) -> Option<Limits> {
    let baseline = baseline.as_ref().filter(|_| plan.analysis.latency != Latency::Ignore)?;
    let limit = |at: f64| Limit { stable: at, candidate: 1.25 * at + 10.0 };
    let p90 = baseline.p90.filter(|at| baseline.timed >= 100.0 && *at > 0.0).map(limit)?;
    let p99 = baseline.p99.filter(|at| baseline.timed >= 1_000.0 && *at > 0.0).map(limit);
    Some(Limits { p90, p99, decide: plan.analysis.latency == Latency::Enforce })
}

/// How many invocations the canary can be expected to have while stable has some too, if the traffic stays as it was.
pub(crate) fn expected_calls(plan: &Plan, baseline: &Reference) -> Option<f64> {
    let a_minute = baseline.as_ref().map(|baseline| baseline.calls / (PAST.as_secs_f64() / 60.0))?;
    let minutes = plan.schedule.every().as_secs_f64() / 60.0;
    let mixed = plan.schedule.weights().iter().filter(|weight| **weight < Weight::FULL);
    Some(mixed.fold(0.0, |sum, weight| sum + weight.fraction() * minutes * a_minute))
}

/// The invocations of the canary in the minutes of the step in force; the minute in which it began counts whole.
pub(crate) fn step_calls(note: &Note, counted: &[MinuteCounts]) -> u64 {
    let of_step = counted.iter().filter(|minute| minute.start + MINUTE > note.since);
    whole(of_step.map(|minute| minute.candidate.calls).sum())
}

/// What the minutes counted so far say of a rollout, and what not even a sound answer of AWS may say.
pub(crate) fn find(
    plan: &Plan,
    note: &Note,
    counts: &PairCounts,
    (baseline, past): (&Reference, &SignalPast),
    now: Time,
) -> Result<AnalysisResult, String> {
    let all = counts.minutes.as_slice();
    let (stable, candidate) = note.stable.zip(note.candidate).ok_or("only one version is known: nothing can be compared")?;
    if plan.analysis.latency == Latency::Enforce && limits(plan, baseline).is_none() {
        return Err("the durations before the rollout are not known".to_owned());
    }
    let until = ended_by(all, baseline, now);
    let counted: Vec<MinuteCounts> =
        all.iter().filter(|it| until.is_none_or(|until| it.start + MINUTE <= until)).copied().collect();
    let said = |error: &dyn std::fmt::Display| format!("the counts are not valid: {error}");
    let minutes = counted.iter().map(errors_of).collect::<Result<Vec<Minute>, _>>().map_err(|error| said(&error))?;
    let slow = slowness(plan, &counted, baseline).map_err(|error| said(&error))?;
    let enforced = slow.as_ref().is_some_and(|slow| slow.enforced);
    let parameters = parameters(plan, enforced);
    let errors = Stream::errors(counted.iter().map(|it| it.start).zip(minutes.iter().copied()), until);
    let signals = Stream::signals(plan, counts, past, until, now).map_err(|error| said(&error))?;
    let in_all = expected_calls(plan, baseline);
    let joined = Joined::new(&parameters, std::iter::once(errors).chain(signals).collect(), in_all).map_err(|error| said(&error))?;
    let test = &joined.test;
    let described = test.explain(0).ok_or("there is nothing to compare")?;
    let versions = (stable, candidate);
    let numbers = Numbers {
        stable: calls(stable, &described.stable),
        candidate: calls(candidate, &described.canary),
        ln_evidence: Thousandths::from_f64(test.ln_e()),
        ln_threshold: Thousandths::from_f64(parameters.ln_threshold()),
        missing_errors: described.missing_bad.map(whole),
        extra_failures: Thousandths::from_f64(described.extra_bad),
        seen_percent: seen(note, &counted),
        counted_to: counted.last().map(|minute| minute.start + MINUTE),
        slow,
        signals: joined.signals(versions, opinion),
        errors_ln_evidence: joined.of_errors(),
        strongest: joined.strongest(),
    };
    let outlook = Outlook { due: Some(due(plan, note, &counted, now)), in_all };
    let verdict = joined.verdict(&outlook);
    // What speaks against the canary is not explained away by trouble that stable has, too: it may be the canary's doing.
    let alone = matches!(verdict, Verdict::Hold | Verdict::RollBack);
    let shared = both_worse(versions, &counted, &minutes, baseline).filter(|_| !alone);
    let mut finding = AnalysisResult {
        opinion: opinion(verdict),
        why: String::new(),
        happened: counted.iter().find(|minute| minute.candidate.errors > 0.0).map(|minute| minute.start.max(note.started_at)),
        step_calls: step_calls(note, all),
        unseen: unseen(plan, note, all, baseline, now),
        together: shared,
        numbers,
    };
    finding.why = sentence(plan, &parameters, &minutes, &finding, outlook.due.unwrap_or_default());
    if let Some(why) = silent(plan, note, all, baseline, &finding, now) {
        finding.why = why;
    }
    joined.tell(&mut finding, plan.analysis.alpha());
    if finding.opinion != AnalysisVerdict::RollBack
        && let Some(why) = unknown(plan, note, all, &finding.numbers, baseline, now)
    {
        (finding.opinion, finding.why) = (AnalysisVerdict::NoData, why);
    }
    if finding.opinion != AnalysisVerdict::RollBack
        && let Some(found) = dead(&minutes).filter(|_| !was_dead(baseline))
    {
        finding.opinion = AnalysisVerdict::RollBack;
        let compared = match whole(found.stable_calls) {
            0 => String::new(),
            calls => format!(", while {stable} failed {} of {}", grouped(whole(found.stable_bad)), grouped(calls)),
        };
        finding.why =
            format!("{candidate} failed all of its {} invocations from the start{compared}", grouped(whole(found.canary_calls)));
    }
    if finding.opinion != AnalysisVerdict::RollBack
        && let Some(why) = joined.dead(versions, past)
    {
        (finding.opinion, finding.why) = (AnalysisVerdict::RollBack, why);
    }
    slower(&mut finding);
    Ok(finding)
}

/// The canary's part of the invocations, where the step in force has whole minutes of invocations, and enough of them.
fn seen(note: &Note, counted: &[MinuteCounts]) -> Option<Thousandths> {
    let of_step = counted.iter().filter(|minute| minute.start >= note.since);
    let (canary, all) = of_step
        .fold((0.0, 0.0), |sum, minute| (sum.0 + minute.candidate.calls, sum.1 + minute.candidate.calls + minute.stable.calls));
    (all >= ENOUGH_TO_SEE).then(|| Thousandths::from_f64(100.0 * canary / all))
}

/// Of fewer invocations luck makes as much as what is to be noticed, a fifth of the share and a point: two standard deviations of a weight of
/// 10% are 3 points of 400 invocations.
const ENOUGH_TO_SEE: f64 = 400.0;

/// Whether more than half of all invocations failed before there was a candidate: then not answering is nothing new.
fn was_dead(baseline: &Reference) -> bool {
    baseline.as_ref().is_some_and(|baseline| baseline.errors * 2.0 > baseline.calls)
}

fn parameters(plan: &Plan, latency_enforced: bool) -> Parameters {
    let share = if latency_enforced { Parameters::ERRORS_SHARE } else { 1.0 };
    Parameters { alpha: plan.analysis.alpha(), share, ..Parameters::default() }
}

/// The end of the last minute whose invocations have all ended, as far as the longest call so far tells: a call is counted in the minute in
/// which it began, but only when it is over. `None` where none is long.
fn ended_by(counted: &[MinuteCounts], baseline: &Reference, now: Time) -> Option<Time> {
    // The first invocations that end are the short ones: what was usual before tells how long the others may take.
    let before = baseline.as_ref().and_then(|baseline| baseline.p99).unwrap_or_default();
    let longest = counted.iter().map(|minute| minute.stable.longest.max(minute.candidate.longest)).fold(before, f64::max);
    (longest >= LONG).then(|| now - Duration::from_secs_f64(1.6 * (longest / 1000.0).min(900.0)))
}

/// Why there is nothing to go by, though there should be: no count is not a good one.
fn unknown(plan: &Plan, note: &Note, all: &[MinuteCounts], numbers: &Numbers, baseline: &Reference, now: Time) -> Option<String> {
    let candidate = numbers.candidate.version;
    let raw: f64 = all.iter().map(|minute| minute.candidate.calls).sum();
    if numbers.candidate.calls == 0 && raw > 0.0 {
        return Some(format!(
            "the invocations of {candidate} cannot be judged yet: some run so long that only the failed ones have ended"
        ));
    }
    let settled = now.since(first_weight(plan, note)).saturating_sub(CLOUDWATCH_SETTLED).as_secs_f64() / 60.0;
    let expected = baseline.as_ref().map_or(0.0, |baseline| baseline.calls / 60.0) * settled;
    let silent = all.iter().all(|minute| minute.stable.calls + minute.candidate.calls <= 0.0);
    (silent && expected >= MANY).then(|| {
        format!("no invocation of either version was counted, although about {} were expected by now", grouped(whole(expected)))
    })
}

/// By when the candidate had traffic, at the latest: the steps before the one in force took no less than planned.
fn first_weight(plan: &Plan, note: &Note) -> Time {
    let steps = if let Phase::Shift { step, .. } = note.phase { usize::from(step) } else { plan.schedule.len() };
    let before = u32::try_from(steps.saturating_sub(1)).unwrap_or(u32::MAX);
    let planned = if note.promoted_manually { Duration::ZERO } else { plan.schedule.every().saturating_mul(before) };
    note.since - planned
}

fn errors_of(minute: &MinuteCounts) -> Result<Minute, analysis::CountError> {
    let MinuteCounts { stable, candidate, .. } = minute;
    Minute::new([candidate.calls, candidate.errors, stable.calls, stable.errors])
}

/// Invocations that the canary should have had by now, at the least: its weight hardly ever was below the first step's, or the one in force.
/// Taken from stable's invocations in minutes that are all there.
fn due(plan: &Plan, note: &Note, counted: &[MinuteCounts], now: Time) -> f64 {
    let from = first_weight(plan, note);
    let whole = counted.iter().filter(|minute| minute.start >= from && now.since(minute.start + MINUTE) >= CLOUDWATCH_SETTLED);
    let stable: f64 = whole.map(|minute| minute.stable.calls).sum();
    plan.schedule.weight(1).min(note.phase.share()).fraction() * stable
}

/// So many invocations are not all missing by chance: less than once in 20,000 times.
const FEW: f64 = 10.0;

/// How sure it is that the candidate has no invocations, though it should have; `None` where it has some, or few are expected.
fn unseen(plan: &Plan, note: &Note, all: &[MinuteCounts], baseline: &Reference, now: Time) -> Option<Unseen> {
    let absent = all.iter().all(|minute| minute.candidate.calls <= 0.0);
    let expected_by = |at: Time| absent && expected_of_candidate(plan, note, all, baseline, at) >= FEW;
    let settled = now - CLOUDWATCH_SETTLED;
    match (expected_by(settled - UNSEEN_LIMIT), expected_by(settled), expected_by(now)) {
        (true, ..) => Some(Unseen::Missing),
        (false, true, _) => Some(Unseen::Late),
        (false, false, true) => Some(Unseen::Early),
        (false, false, false) => None,
    }
}

/// The invocations that the candidate should have had by `at`, at the least. Beside stable: its weight hardly ever was below the first
/// step's, or the one in force, of what stable had. With all traffic: what the alias had an hour before, for as long as that.
fn expected_of_candidate(plan: &Plan, note: &Note, all: &[MinuteCounts], baseline: &Reference, at: Time) -> f64 {
    let from = first_weight(plan, note);
    let whole = all.iter().filter(|minute| minute.start >= from && minute.start + MINUTE <= at);
    let beside: f64 = whole.map(|minute| minute.stable.calls).sum();
    let weight = plan.schedule.weight(1).min(note.phase.share()).fraction();
    let beside = if weight < 1.0 { weight / (1.0 - weight) * beside } else { 0.0 };
    let alone = if note.phase == Phase::Bake { at.since(note.since).as_secs_f64() } else { 0.0 };
    beside + baseline.as_ref().map_or(0.0, |baseline| baseline.calls / PAST.as_secs_f64()) * alone
}

/// What is said in place of counts that say nothing of the step in force: there are none of the candidate, or none any more.
fn silent(
    plan: &Plan,
    note: &Note,
    all: &[MinuteCounts],
    baseline: &Reference,
    finding: &AnalysisResult,
    now: Time,
) -> Option<String> {
    if matches!(finding.unseen, Some(Unseen::Late | Unseen::Missing)) {
        let expected = expected_of_candidate(plan, note, all, baseline, now - CLOUDWATCH_SETTLED);
        return Some(none_although(finding.numbers.candidate.version, expected));
    }
    let passes = matches!(finding.opinion, AnalysisVerdict::Pass | AnalysisVerdict::LowPower);
    let since = silent_since(all, now).filter(|_| passes)?;
    Some(format!("no invocations of either version since {}", clock(since)))
}

/// Since when neither version has had an invocation, where `CloudWatch` should have had those after it by now.
fn silent_since(all: &[MinuteCounts], now: Time) -> Option<Time> {
    let with_any = all.iter().filter(|minute| minute.stable.calls + minute.candidate.calls > 0.0);
    let last = with_any.map(|minute| minute.start + MINUTE).max()?;
    (now.since(last) >= CLOUDWATCH_SETTLED + MINUTE).then_some(last)
}

fn opinion(verdict: Verdict) -> AnalysisVerdict {
    match verdict {
        Verdict::Pass => AnalysisVerdict::Pass,
        Verdict::Hold => AnalysisVerdict::Hold,
        Verdict::RollBack => AnalysisVerdict::RollBack,
        Verdict::NoData => AnalysisVerdict::NoData,
        Verdict::LowPower => AnalysisVerdict::LowPower,
    }
}

fn sentence(plan: &Plan, parameters: &Parameters, minutes: &[Minute], finding: &AnalysisResult, due: f64) -> String {
    let Numbers { stable, candidate, .. } = &finding.numbers;
    let rates = format!(
        "errors {} ({}/{}) vs {} on {}",
        candidate.rate(),
        grouped(candidate.errors),
        grouped(candidate.calls),
        stable.rate(),
        stable.version
    );
    match finding.opinion {
        AnalysisVerdict::RollBack => {
            let times = shown_ratio(parameters, minutes).ok().flatten();
            let bound = percent(plan.analysis.alpha() * 100.0);
            format!(
                "{} fails {} {}: {} of {} invocations vs {} of {}; a version that is no worse is rolled back in at most {bound} of rollouts",
                candidate.version,
                times.map_or_else(|| "more often than".to_owned(), |times| format!("at least {times} times as often as")),
                stable.version,
                grouped(candidate.errors),
                grouped(candidate.calls),
                grouped(stable.errors),
                grouped(stable.calls),
            )
        }
        AnalysisVerdict::Hold => {
            let evidence = |ln: Thousandths| format!("{:.1}", ln.to_f64().exp());
            let threshold = finding.numbers.ln_threshold.to_f64().exp();
            format!("{rates}, evidence {} of {threshold:.0}", evidence(finding.numbers.ln_evidence))
        }
        AnalysisVerdict::NoData => none_although(candidate.version, due),
        AnalysisVerdict::Pass | AnalysisVerdict::LowPower if candidate.calls == 0 => {
            format!("no invocation of {} counted yet", candidate.version)
        }
        AnalysisVerdict::LowPower => format!("{rates}; too few invocations to detect anything but near-total failure"),
        AnalysisVerdict::Pass => rates,
    }
}

fn none_although(candidate: Version, expected: f64) -> String {
    let expected = grouped(whole(expected));
    format!(
        "{candidate} has no invocations, although about {expected} were expected by now: its traffic does not arrive, is not counted, or is refused before it runs (KMS, network, concurrency)"
    )
}

fn both_worse(
    (stable, candidate): (Version, Version),
    counted: &[MinuteCounts],
    minutes: &[Minute],
    baseline: &Reference,
) -> Option<SharedDegradation> {
    let before = baseline.as_ref().map_or((0.0, 0.0), |baseline| (baseline.calls, baseline.errors));
    let found = together(before, minutes)?;
    let since = counted.get(found.since)?.start;
    // As parts of a million, so that they are told like every other rate.
    let described = |part: f64| rate(whole(part * 1e6), 1_000_000);
    let why = format!(
        "both versions got worse at {}: errors of {stable} rose from {} to {}, those of {candidate} to {}; the release is not the cause",
        clock(since),
        described(found.before),
        described(found.stable),
        described(found.canary)
    );
    Some(SharedDegradation { since, why })
}

/// Slow invocations, tested; `None` where nothing says what slow is, or no duration is known yet.
fn slowness(plan: &Plan, counted: &[MinuteCounts], baseline: &Reference) -> Result<Option<Slow>, analysis::CountError> {
    let Some(limits) = limits(plan, baseline) else { return Ok(None) };
    let Ok(mut test) = LatencyTest::new(plan.analysis.alpha(), limits.p99.is_some()) else { return Ok(None) };
    let mut slow = [(0.0, 0.0), (0.0, 0.0)];
    for minute in counted {
        let at = |place: usize| {
            let ((stable, all_stable), (candidate, all_candidate)) =
                (beyond(&minute.stable, place), beyond(&minute.candidate, place));
            Minute::new([all_candidate, candidate, all_stable, stable])
        };
        let p99 = if limits.p99.is_some() { Some(at(1)?) } else { None };
        test.fold(&SlowMinute { p90: at(0)?, p99 });
        for (sum, tally) in slow.iter_mut().zip([&minute.stable, &minute.candidate]) {
            let (bad, all) = beyond(tally, 0);
            *sum = (sum.0 + bad, sum.1 + all);
        }
    }
    let [stable, candidate] = slow.map(|(bad, all)| if all > 0.0 { 100.0 * bad / all } else { 0.0 });
    let threshold = test.tests().next().map_or(0.0, |test| test.parameters().ln_threshold());
    Ok(Some(Slow {
        enforced: plan.analysis.latency == Latency::Enforce,
        stable_limit_ms: Thousandths::from_f64(limits.p90.stable),
        candidate_limit_ms: Thousandths::from_f64(limits.p90.candidate),
        stable_percent: Thousandths::from_f64(stable),
        candidate_percent: Thousandths::from_f64(candidate),
        ln_evidence: Thousandths::from_f64(test.ln_e()),
        ln_threshold: Thousandths::from_f64(threshold),
        opinion: opinion(test.verdict(&Outlook { due: Some(0.0), in_all: None })),
    }))
}

/// The invocations of one version beyond a limit, and all those whose duration is known.
fn beyond(tally: &VersionCounts, place: usize) -> (f64, f64) {
    match tally.within.get(place).copied().flatten() {
        Some(percent) => (tally.timed * (1.0 - (percent / 100.0).clamp(0.0, 1.0)), tally.timed),
        // No rank is no data: such invocations are left out on both sides.
        None => (0.0, 0.0),
    }
}

/// Lets slow invocations count, where they are to: they roll back and hold like errors, and pass nothing.
fn slower(finding: &mut AnalysisResult) {
    let Some(slow) = finding.numbers.slow.as_ref().filter(|slow| slow.enforced) else { return };
    let Numbers { stable, candidate, .. } = &finding.numbers;
    let why = || {
        format!(
            "{} is slower than {}: {} of its invocations took more than {:.0} ms, compared with {} over {:.0} ms",
            candidate.version,
            stable.version,
            slow.candidate_percent.percent(),
            slow.candidate_limit_ms.to_f64(),
            slow.stable_percent.percent(),
            slow.stable_limit_ms.to_f64()
        )
    };
    match (finding.opinion, slow.opinion) {
        (AnalysisVerdict::RollBack, _) => {}
        (_, AnalysisVerdict::RollBack) => {
            (finding.opinion, finding.why, finding.happened) = (AnalysisVerdict::RollBack, why(), None);
        }
        (AnalysisVerdict::Pass | AnalysisVerdict::LowPower, AnalysisVerdict::Hold) => {
            (finding.opinion, finding.why) = (AnalysisVerdict::Hold, why());
        }
        (AnalysisVerdict::Pass | AnalysisVerdict::LowPower | AnalysisVerdict::Hold | AnalysisVerdict::NoData, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use rollout::note::{Owner, Phase, RolloutId};

    use super::*;

    #[test]
    fn a_share_is_seen_in_whole_minutes_of_its_step_and_in_enough_calls() {
        let since = Time::from_secs(1_795_000_020);
        let note = Note { since, ..Note::new(RolloutId(1), Owner::from_random(1), Phase::Claim, since) };
        let minute = |start: Time, stable: f64, candidate: f64| MinuteCounts {
            start,
            stable: VersionCounts { calls: stable, ..VersionCounts::default() },
            candidate: VersionCounts { calls: candidate, ..VersionCounts::default() },
        };
        let (before, first, second) = (since - MINUTE, since, since + MINUTE);
        assert_eq!(seen(&note, &[minute(before, 900.0, 100.0)]), None);
        // Two of five are no forty percent.
        assert_eq!(seen(&note, &[minute(first, 3.0, 2.0)]), None);
        let both = [minute(before, 0.0, 9_000.0), minute(first, 200.0, 20.0), minute(second, 160.0, 20.0)];
        assert_eq!(seen(&note, &both), Some(Thousandths::from_f64(10.0)));
    }
}
