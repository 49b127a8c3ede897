//! What do the counted invocations come to? From minutes to a finding, by the tests; nothing here waits or asks AWS.
//!
//! Everything is recomputed from the rollout's first minute each time, so that late and growing minutes, and a process that takes
//! over, need nothing of their own.

use std::time::Duration;

use analysis::{LatencyTest, Minute, Outlook, Parameters, SlowMinute, Verdict, dead, shown_ratio, together};
use rollout::comparison::{AnalysisResult, AnalysisVerdict, Numbers, SharedDegradation, Slow, Thousandths};
use rollout::format::{grouped, percent, rate};
use rollout::health::clock;
use rollout::note::Note;
use rollout::plan::{Latency, Plan};
use rollout::{Time, Version};

use crate::expectation::{Counted, MINUTE, Reference, due, expected_calls, none_although, silent, unknown, unseen, whole};
use crate::port::{Limit, Limits, MinuteCounts, VersionCounts};
use crate::signals_analysis::{Joined, Stream, calls};

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

/// The invocations of the canary in the minutes of the step in force; the minute in which it began counts whole.
pub(crate) fn step_calls(note: &Note, counted: &[MinuteCounts]) -> u64 {
    let of_step = counted.iter().filter(|minute| minute.start + MINUTE > note.since);
    whole(of_step.map(|minute| minute.candidate.calls).sum())
}

/// What the minutes counted so far say of a rollout, and what not even a sound answer of AWS may say.
pub(crate) fn find(of: &Counted<'_>) -> Result<AnalysisResult, String> {
    let Counted { plan, note, baseline, .. } = *of;
    let versions = note.stable.zip(note.candidate).ok_or("only one version is known: nothing can be compared")?;
    if plan.analysis.latency == Latency::Enforce && limits(plan, baseline).is_none() {
        return Err("the durations before the rollout are not known".to_owned());
    }
    let said = |error: &dyn std::fmt::Display| format!("the counts are not valid: {error}");
    let until = ended_by(of.minutes, baseline, of.now);
    let ended: Vec<MinuteCounts> =
        of.minutes.iter().filter(|it| until.is_none_or(|until| it.start + MINUTE <= until)).copied().collect();
    let minutes = ended.iter().map(errors_of).collect::<Result<Vec<Minute>, _>>().map_err(|error| said(&error))?;
    let slow = slowness(plan, &ended, baseline).map_err(|error| said(&error))?;
    let errors = Stream::errors(ended.iter().map(|it| it.start).zip(minutes.iter().copied()), until);
    let signals = Stream::signals(of, until).map_err(|error| said(&error))?;
    let parameters = parameters(plan, slow.as_ref().is_some_and(|slow| slow.enforced));
    let joined = Joined::new(&parameters, std::iter::once(errors).chain(signals).collect(), expected_calls(plan, baseline));
    let joined = joined.map_err(|error| said(&error))?;
    let mut finding = compare(of, versions, (&ended, &minutes), slow, &joined);
    joined.tell(&mut finding, plan.analysis.alpha());
    if finding.opinion != AnalysisVerdict::RollBack {
        if let Some(why) = unknown(of, &finding.numbers) {
            (finding.opinion, finding.why) = (AnalysisVerdict::NoData, why);
        }
        if let Some(why) = silent(of, &finding) {
            finding.why = why;
        }
        joined.tell_missing(&mut finding);
        let found = dead_from_the_start(versions, &minutes, baseline).or_else(|| joined.dead(versions, of.past));
        if let Some(why) = found {
            (finding.opinion, finding.why) = (AnalysisVerdict::RollBack, why);
        }
    }
    slower(&mut finding);
    Ok(finding)
}

/// What the test says, in the minutes whose invocations have ended.
fn compare(
    of: &Counted<'_>,
    versions: (Version, Version),
    (ended, minutes): (&[MinuteCounts], &[Minute]),
    slow: Option<Slow>,
    joined: &Joined,
) -> AnalysisResult {
    let (test, parameters) = (&joined.test, &joined.parameters);
    let described = test.explain(0);
    let numbers = Numbers {
        stable: calls(versions.0, &described.stable),
        candidate: calls(versions.1, &described.canary),
        ln_evidence: Thousandths::from_f64(test.ln_e()),
        ln_threshold: Thousandths::from_f64(parameters.ln_threshold()),
        missing_errors: described.missing_bad.map(whole),
        extra_failures: Thousandths::from_f64(described.extra_bad),
        seen_percent: seen(of.note, ended),
        counted_to: ended.last().map(|minute| minute.start + MINUTE),
        slow,
        signals: joined.signals(versions, opinion),
        errors_ln_evidence: joined.of_errors(),
        strongest: joined.strongest(),
    };
    let due = due(of, ended);
    let verdict = joined.verdict(&Outlook { due: Some(due), in_all: expected_calls(of.plan, of.baseline) });
    // What speaks against the canary is not explained away by trouble that stable has, too: it may be the canary's doing.
    let alone = matches!(verdict, Verdict::Hold | Verdict::RollBack);
    let failed = ended.iter().find(|minute| minute.candidate.errors > 0.0);
    let opinion = opinion(verdict);
    AnalysisResult {
        opinion,
        why: sentence(of.plan, (parameters, minutes), opinion, &numbers, due),
        happened: failed.map(|minute| minute.start.max(of.note.started_at)),
        step_calls: step_calls(of.note, of.minutes),
        unseen: unseen(of),
        together: both_worse(versions, ended, minutes, of.baseline).filter(|_| !alone),
        numbers,
    }
}

/// That the candidate has failed every invocation, where that is enough to say so and nothing that was so before.
fn dead_from_the_start((stable, candidate): (Version, Version), minutes: &[Minute], baseline: &Reference) -> Option<String> {
    let found = dead(minutes).filter(|_| !was_dead(baseline))?;
    let compared = match whole(found.stable_calls) {
        0 => String::new(),
        calls => format!(", while {stable} failed {} of {}", grouped(whole(found.stable_bad)), grouped(calls)),
    };
    Some(format!("{candidate} failed all of its {} invocations from the start{compared}", grouped(whole(found.canary_calls))))
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

fn errors_of(minute: &MinuteCounts) -> Result<Minute, analysis::CountError> {
    let MinuteCounts { stable, candidate, .. } = minute;
    Minute::new([candidate.calls, candidate.errors, stable.calls, stable.errors])
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

fn sentence(
    plan: &Plan,
    (parameters, minutes): (&Parameters, &[Minute]),
    opinion: AnalysisVerdict,
    numbers: &Numbers,
    due: f64,
) -> String {
    let Numbers { stable, candidate, .. } = numbers;
    let rates = format!(
        "errors {} ({}/{}) vs {} on {}",
        candidate.rate(),
        grouped(candidate.errors),
        grouped(candidate.calls),
        stable.rate(),
        stable.version
    );
    match opinion {
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
            let threshold = numbers.ln_threshold.to_f64().exp();
            format!("{rates}, evidence {} of {threshold:.0}", evidence(numbers.ln_evidence))
        }
        AnalysisVerdict::NoData => none_although(candidate.version, due, None),
        AnalysisVerdict::Pass | AnalysisVerdict::LowPower if candidate.calls == 0 => {
            format!("no invocation of {} counted yet", candidate.version)
        }
        AnalysisVerdict::LowPower => format!("{rates}; too few invocations to detect anything but near-total failure"),
        AnalysisVerdict::Pass => rates,
    }
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
