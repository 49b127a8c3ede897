//! How do the invocations of both versions look in the live view? A small table, what is still missing, and how fresh it is.

use rollout::comparison::{AnalysisVerdict, Calls, Numbers, Slow, StreamNumbers, Thousandths};
use rollout::format::{duration, grouped, percent};
use rollout::health::clock;
use rollout::{Time, Weight};

use crate::rollout_state::{Count, Story};
use crate::safe::one_line;
use crate::styled::{Line, Tone, row};

/// The rows about the invocations; none before the first count.
pub(crate) fn counts(story: &Story, now: Time) -> Vec<Line> {
    let Some(Count { opinion, why, numbers, .. }) = &story.count else { return Vec::new() };
    let Numbers { stable, candidate, .. } = numbers;
    let [of_stable, of_candidate] = [stable, candidate].map(|calls| calls.version.to_string());
    let mut lines = vec![
        cells("", &of_stable, &of_candidate, &format!("{of_candidate} vs {of_stable}"), Tone::Dim),
        cells("invoked", &grouped(stable.calls), &grouped(candidate.calls), &missing(numbers, *opinion), Tone::Plain),
    ];
    if numbers.signals.is_empty() {
        lines.push(errors(numbers, *opinion));
    } else {
        lines.extend(numbers.streams().iter().map(|stream| signal(stream, numbers.ln_threshold)));
        lines.push(together(numbers, *opinion));
    }
    let intervals = [interval(stable), interval(candidate)];
    if intervals.iter().any(|interval| !interval.is_empty()) {
        lines.push(cells("", &intervals[0], &intervals[1], "", Tone::Dim));
    }
    lines.extend(numbers.slow.as_ref().map(slow));
    lines.push(verdict(*opinion, why, numbers, now));
    lines
}

/// How near the observed traffic is to the weight that was set.
pub(crate) fn seen(story: &Story, set: Weight) -> Line {
    let seen = story.count.as_ref().and_then(|count| count.numbers.seen_percent);
    let Some(seen) = seen.filter(|_| set < Weight::FULL && story.set_manually.is_none()) else { return Line::default() };
    let set = set.fraction() * 100.0;
    // A fifth of the weight plus one percentage point: more is hardly chance.
    let near = (seen.to_f64() - set).abs() <= set / 5.0 + 1.0;
    let (tone, mark) = if near { (Tone::Good, '✔') } else { (Tone::Warn, '!') };
    Line::plain(format!("   seen {} ", seen.percent())).with(tone, mark)
}

fn cells(word: &str, stable: &str, candidate: &str, beside: &str, tone: Tone) -> Line {
    row(word).with(tone, format!("{stable:<13}{candidate:<13}{beside}"))
}

fn errors(numbers: &Numbers, opinion: AnalysisVerdict) -> Line {
    let Numbers { stable, candidate, ln_evidence, ln_threshold, .. } = numbers;
    let beside = format!("{:<7}evidence ", times(stable, candidate));
    let threshold = ln_threshold.to_f64().exp();
    cells("errors", &stable.rate(), &candidate.rate(), &beside, Tone::Plain)
        .with(tone(opinion), bar(*ln_evidence, *ln_threshold))
        .with(Tone::Plain, format!(" {} of {threshold:.0}", figure(*ln_evidence)))
}

/// The evidence of all of them.
fn together(numbers: &Numbers, opinion: AnalysisVerdict) -> Line {
    let threshold = numbers.ln_threshold.to_f64().exp();
    let line = cells("together", "", "", "       evidence ", Tone::Plain);
    line.with(tone(opinion), bar(numbers.ln_evidence, numbers.ln_threshold))
        .with(Tone::Plain, format!(" {} of {threshold:.0}", figure(numbers.ln_evidence)))
}

fn tone(opinion: AnalysisVerdict) -> Tone {
    match opinion {
        AnalysisVerdict::RollBack => Tone::Bad,
        AnalysisVerdict::Hold => Tone::Warn,
        AnalysisVerdict::Pass | AnalysisVerdict::NoData | AnalysisVerdict::LowPower => Tone::Good,
    }
}

/// A signal, or the errors among them.
fn signal(stream: &StreamNumbers<'_>, threshold: Thousandths) -> Line {
    let StreamNumbers { name, stable, candidate, ln_evidence, opinion, .. } = stream;
    let tone = match opinion {
        Some(AnalysisVerdict::RollBack | AnalysisVerdict::NoData) => Tone::Bad,
        Some(AnalysisVerdict::Hold) => Tone::Warn,
        Some(AnalysisVerdict::Pass | AnalysisVerdict::LowPower) | None => Tone::Good,
    };
    let beside = format!("{:<7}evidence ", times(stable, candidate));
    cells(&short(&one_line(name)), &stable.rate(), &candidate.rate(), &beside, Tone::Plain)
        .with(tone, bar(*ln_evidence, threshold))
        .with(Tone::Plain, format!(" {}", figure(*ln_evidence)))
}

/// As much of a name as its column has room for.
fn short(name: &str) -> String {
    const ROOM: usize = 9;
    if name.chars().count() <= ROOM { name.to_owned() } else { name.chars().take(ROOM - 1).chain(['…']).collect() }
}

fn times(stable: &Calls, candidate: &Calls) -> String {
    match (ratio(stable.errors, stable.calls), ratio(candidate.errors, candidate.calls)) {
        (Some(stable), Some(candidate)) if stable > 0.0 => format!("{:.1}×", candidate / stable),
        _ => "·".to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio that is shown with one decimal")]
pub(crate) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Evidence on a logarithmic scale: empty at 1 and below, full at what a rollback takes.
fn bar(evidence: Thousandths, threshold: Thousandths) -> String {
    const CELLS: i64 = 12;
    let full = threshold.0.max(1);
    let filled = usize::try_from(evidence.0.clamp(0, full).saturating_mul(CELLS) / full).unwrap_or_default();
    format!("{:·<12}", "█".repeat(filled))
}

/// A number whose logarithm is known, short.
pub(crate) fn figure(ln: Thousandths) -> String {
    let number = ln.to_f64().exp();
    match number {
        ..0.05 => "0.0".to_owned(),
        ..10.0 => format!("{number:.1}"),
        ..1e6 => format!("{number:.0}"),
        _ => "over a million".to_owned(),
    }
}

fn interval(calls: &Calls) -> String {
    if calls.calls == 0 {
        return String::new();
    }
    let [low, high] = calls.errors_percent.map(Thousandths::to_f64);
    percent(format_args!("{low:.2}–{high:.2}"))
}

fn missing(numbers: &Numbers, opinion: AnalysisVerdict) -> String {
    match (opinion, numbers.missing_errors) {
        (AnalysisVerdict::RollBack, _) | (_, None) => String::new(),
        (_, Some(1)) => "rolls back after at least 1 more error".to_owned(),
        (_, Some(count)) => format!("rolls back after at least {} more errors", grouped(count)),
    }
}

fn slow(slow: &Slow) -> Line {
    let beside = if slow.enforced { format!("evidence {}", figure(slow.ln_evidence)) } else { "report only".to_owned() };
    let word = format!("over {:.0} ms", slow.stable_limit_ms.to_f64());
    let tone = if slow.enforced && slow.opinion == AnalysisVerdict::RollBack { Tone::Bad } else { Tone::Plain };
    row(&word).with(tone, format!("{:<13}{:<13}{beside}", slow.stable_percent.percent(), slow.candidate_percent.percent()))
}

fn verdict(opinion: AnalysisVerdict, why: &str, numbers: &Numbers, now: Time) -> Line {
    let fresh = numbers.counted_to.map_or_else(
        || "no invocation counted yet (CloudWatch is 1m to 3m late)".to_owned(),
        |to| format!("metrics up to {} ({} old)", clock(to), duration(now.since(to))),
    );
    let line = row("");
    let line = match opinion {
        AnalysisVerdict::Pass if numbers.counted_to.is_none() => return line.with(Tone::Dim, fresh),
        AnalysisVerdict::Pass => line.with(Tone::Good, "healthy"),
        AnalysisVerdict::LowPower if numbers.counted_to.is_none() => return line.with(Tone::Dim, fresh),
        AnalysisVerdict::LowPower => line.with(Tone::Warn, "too few invocations: only near-total failure would show"),
        AnalysisVerdict::Hold => line.with(Tone::Warn, "possibly worse: traffic is not increased"),
        AnalysisVerdict::NoData | AnalysisVerdict::RollBack => line.with(Tone::Bad, why),
    };
    line.with(Tone::Dim, format!("   {fresh}"))
}
