//! How does a rollout look over time? One picture in SVG: the share, below it errors, slow calls and evidence on the same axis.
//!
//! Colour only ever repeats what a label, a dash or a dot says. What the picture holds stands in tables beside it, too.

use std::fmt::Write as _;
use std::time::Duration;

use rollout::comparison::Slow;
use rollout::health::{AlarmState, clock};
use rollout::{Time, Version};

use crate::counts::figure;
use crate::markup::escaped;
use crate::record::{Count, Record};
use crate::words::version;

const WIDTH: f64 = 880.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 88.0;
/// Room for the labels of bands and of the decision.
const TOP: f64 = 44.0;
const GAP: f64 = 40.0;
const BOTTOM: f64 = 30.0;

/// The picture of a rollout; none of one in which nothing took any time. `id` makes its titles its own in a page with others.
pub(crate) fn chart(record: &Record, id: usize) -> Option<String> {
    let axis = Axis::of(record)?;
    let minutes = record.minutes();
    let slow = slow_pieces(record, &minutes);
    let heights: &[f64] = match (minutes.is_empty(), &slow) {
        (true, _) => &[170.0],
        (false, None) => &[150.0, 110.0, 100.0],
        (false, Some(_)) => &[140.0, 100.0, 70.0, 90.0],
    };
    let mut panels = Vec::new();
    let mut top = TOP;
    for height in heights {
        panels.push(Panel { top, height: *height });
        top += height + GAP;
    }
    let end = top - GAP;
    let whole = end + BOTTOM;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {whole}\" role=\"img\" aria-labelledby=\"chart-title-{id} chart-desc-{id}\">\n\
         <title id=\"chart-title-{id}\">{}</title>\n<desc id=\"chart-desc-{id}\">{}</desc>\n",
        escaped(&format!("{} over time", record.story.subject())),
        escaped(&described(record, &minutes)),
    );
    bands(&mut svg, record, axis, end);
    axis.draw(&mut svg, end);
    if let [first, rest @ ..] = panels.as_slice() {
        share(&mut svg, record, &minutes, axis, *first);
        if let [second, third @ .., last] = rest {
            errors(&mut svg, record, &minutes, axis, *second);
            if let (Some(slow), Some(third)) = (&slow, third.first()) {
                slow.draw(&mut svg, &minutes, axis, *third);
            }
            evidence(&mut svg, &minutes, axis, *last);
        }
    }
    decision(&mut svg, record, axis, end);
    svg.push_str("</svg>\n");
    Some(svg)
}

/// The picture in words.
fn described(record: &Record, minutes: &[&Count]) -> String {
    let candidate = version(record.story.candidate);
    let highest = record.shares.iter().map(|(_, weight)| *weight).max();
    let mut text = match highest {
        Some(highest) => {
            format!("The share of {candidate} rose to {highest} between {} and {}.", clock(record.began), clock(record.last))
        }
        None => format!("{candidate} had no share between {} and {}.", clock(record.began), clock(record.last)),
    };
    if let Some(count) = minutes.last() {
        let (evidence, threshold) = (figure(count.numbers.ln_evidence), figure(count.numbers.ln_threshold));
        let _ = write!(text, " At last {}; evidence {evidence} of {threshold}.", count.why);
        if let Some(slow) = &count.numbers.slow {
            let percent = [slow.stable_percent, slow.candidate_percent].map(|percent| format!("{:.1} %", percent.to_f64()));
            let _ = write!(text, " Slow were {} of stable's calls and {} of the candidate's.", percent[0], percent[1]);
        }
    }
    if let Some((at, why)) = &record.way_back {
        let _ = write!(text, " At {} the way back was decided: {why}.", clock(*at));
    }
    text
}

/// The time from left to right.
#[derive(Clone, Copy)]
struct Axis {
    from: Time,
    span: Duration,
}

impl Axis {
    fn of(record: &Record) -> Option<Self> {
        let span = record.last.since(record.began);
        (!span.is_zero() && record.story.started.is_some()).then_some(Self { from: record.began, span })
    }

    fn x(self, at: Time) -> f64 {
        let part = at.since(self.from).as_secs_f64() / self.span.as_secs_f64();
        LEFT + part.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn end(self) -> Time {
        self.from + self.span
    }

    /// Lines at round times, nine at most.
    fn draw(self, svg: &mut String, bottom: f64) {
        const ROUND: [u64; 17] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200];
        let seconds = self.span.as_secs();
        let step = ROUND.iter().copied().find(|step| seconds / step < 9).unwrap_or(86_400);
        let first = self.from.ceil_to_second().as_secs().next_multiple_of(step);
        for at in (first..=self.end().as_secs()).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            let (at, text) = (Time::from_secs(at), clock(Time::from_secs(at)));
            let text = if step < 60 { text.as_str() } else { text.get(..5).unwrap_or(&text) };
            let x = self.x(at);
            let _ = writeln!(svg, "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>");
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>", bottom + 18.0);
        }
    }
}

/// A part of the picture with a scale of its own.
#[derive(Clone, Copy)]
struct Panel {
    top: f64,
    height: f64,
}

impl Panel {
    /// Where a part of the whole height is, from below.
    fn y(self, part: f64) -> f64 {
        self.top + self.height * (1.0 - part.clamp(0.0, 1.0))
    }

    fn heading(self, svg: &mut String, text: &str) {
        let _ = writeln!(svg, "<text class=\"heading\" x=\"{LEFT}\" y=\"{:.1}\">{}</text>", self.top - 8.0, escaped(text));
    }

    fn line(self, svg: &mut String, part: f64, text: &str) {
        let (y, right) = (self.y(part), WIDTH - RIGHT);
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 8.0, y + 4.0);
    }
}

/// When an alarm was red, and when nothing could be told.
fn bands(svg: &mut String, record: &Record, axis: Axis, bottom: f64) {
    let mut band = |class: &str, from: Time, until: Time, label: &str| {
        let (left, right) = (axis.x(from), axis.x(until));
        let (width, height) = ((right - left).max(2.0), bottom - TOP);
        let _ = writeln!(svg, "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\"/>");
        label_at(svg, left, 14.0, class, label);
    };
    for (from, until) in &record.blind {
        band("blind", *from, until.unwrap_or(record.last), "blind");
    }
    for alarm in &record.alarms {
        for (index, state) in alarm.states.iter().enumerate().filter(|(_, state)| state.state == AlarmState::Alarm) {
            let until = alarm.states.get(index + 1).map_or(record.last, |next| next.since);
            band("alarm", state.since, until, &format!("{} in ALARM", alarm.name));
        }
    }
}

/// A label that starts at a place, or ends there where it would run out of the picture.
fn label_at(svg: &mut String, x: f64, y: f64, class: &str, text: &str) {
    let anchor = if x > WIDTH * 0.6 { "end" } else { "start" };
    let _ = writeln!(
        svg,
        "<text class=\"{class}-label\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>",
        escaped(&shortened(text))
    );
}

/// As much of a label as has room.
fn shortened(text: &str) -> String {
    const ROOM: usize = 72;
    if text.chars().count() <= ROOM { text.to_owned() } else { text.chars().take(ROOM - 1).chain(['…']).collect() }
}

fn share(svg: &mut String, record: &Record, minutes: &[&Count], axis: Axis, panel: Panel) {
    panel.heading(svg, &format!("Share of {}", version(record.story.candidate)));
    for (part, text) in [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")] {
        panel.line(svg, part, text);
    }
    let mut path = format!("M{:.1} {:.1}", axis.x(record.began), panel.y(0.0));
    for (at, weight) in &record.shares {
        let _ = write!(path, "H{:.1}V{:.1}", axis.x(*at), panel.y(weight.fraction()));
    }
    let _ = write!(path, "H{:.1}", axis.x(record.last));
    let _ = writeln!(svg, "<path class=\"area\" d=\"{path}V{0:.1}H{LEFT}Z\"/>", panel.y(0.0));
    let _ = writeln!(svg, "<path class=\"candidate\" d=\"{path}\"/>");
    for count in minutes {
        let Some((seen, to)) = count.numbers.seen_percent.zip(count.numbers.counted_to) else { continue };
        let (x, y) = (axis.x(to - Duration::from_secs(30)), panel.y(seen.to_f64() / 100.0));
        let _ = writeln!(
            svg,
            "<circle class=\"seen\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{seen:.1} % seen</title></circle>",
            seen = seen.to_f64()
        );
    }
}

/// What a version's calls of one count were beyond those of the count before: from, until, per cent failed.
type Piece = (Time, Time, f64);

/// The errors of both versions, piece by piece: stable's, the candidate's.
pub(crate) fn pieces(record: &Record, minutes: &[&Count]) -> (Vec<Piece>, Vec<Piece>) {
    let began = record.shares.first().map_or(record.began, |(at, _)| *at);
    let (mut stable, mut candidate) = (Vec::new(), Vec::new());
    let mut before: Option<&Count> = None;
    for count in minutes {
        let Some(until) = count.numbers.counted_to else { continue };
        let from = before.and_then(|before| before.numbers.counted_to).unwrap_or(began).min(until);
        let piece = |pieces: &mut Vec<Piece>, calls: u64, errors: u64, known: (u64, u64)| {
            // A later look may know fewer: what was counted twice is taken back.
            let (calls, errors) = (calls.saturating_sub(known.0), errors.saturating_sub(known.1));
            if calls > 0 {
                pieces.push((from, until, percent(errors.min(calls), calls)));
            }
        };
        let (now, then) = (&count.numbers, before.map(|before| &before.numbers));
        let known = then.map_or((0, 0), |then| (then.stable.calls, then.stable.errors));
        piece(&mut stable, now.stable.calls, now.stable.errors, known);
        let known = then.map_or((0, 0), |then| (then.candidate.calls, then.candidate.errors));
        piece(&mut candidate, now.candidate.calls, now.candidate.errors, known);
        before = Some(count);
    }
    (stable, candidate)
}

#[expect(clippy::cast_precision_loss, reason = "it is drawn, not counted")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64 * 100.0
}

fn errors(svg: &mut String, record: &Record, minutes: &[&Count], axis: Axis, panel: Panel) {
    let (stable, candidate) = pieces(record, minutes);
    let most = stable.iter().chain(&candidate).map(|piece| piece.2).fold(0.0, f64::max);
    let top = scale(most);
    panel.heading(svg, "Calls that failed, of those counted anew each time");
    for part in [0.0, 0.5, 1.0] {
        panel.line(svg, part, &format!("{} %", top * part));
    }
    both(svg, minutes, axis, panel, top, (&stable, &candidate));
}

/// The lines of both versions, of which the highest is at `top`.
fn both(svg: &mut String, minutes: &[&Count], axis: Axis, panel: Panel, top: f64, (stable, candidate): (&[Piece], &[Piece])) {
    let known: Option<(Version, Version)> =
        minutes.last().map(|count| (count.numbers.stable.version, count.numbers.candidate.version));
    // Stable last: its dashes let the other line be seen where both are one.
    let mut ends: Vec<f64> = Vec::new();
    for (class, pieces, label) in
        [("candidate", candidate, known.map(|known| known.1)), ("stable", stable, known.map(|known| known.0))]
    {
        let mut path = String::new();
        for (index, (from, until, percent)) in pieces.iter().enumerate() {
            let (x, y) = (axis.x(*from), panel.y(percent / top));
            let joins = index.checked_sub(1).and_then(|before| pieces.get(before)).is_some_and(|before| before.1 == *from);
            let _ = write!(path, "{}H{:.1}", if joins { format!("V{y:.1}") } else { format!("M{x:.1} {y:.1}") }, axis.x(*until));
        }
        let _ = writeln!(svg, "<path class=\"{class}\" d=\"{path}\"/>");
        let Some((_, _, percent)) = pieces.last() else { continue };
        let mut y = panel.y(percent / top) + 4.0;
        // Two labels on one place are none.
        if ends.iter().any(|end| (end - y).abs() < 13.0) {
            y = ends.iter().fold(y, |y, end| if y <= *end { end - 13.0 } else { end + 13.0 });
        }
        ends.push(y);
        let (x, label) = (WIDTH - RIGHT + 6.0, version(label));
        let _ = writeln!(svg, "<text class=\"{class}-label\" x=\"{x:.1}\" y=\"{y:.1}\">{label}</text>");
    }
}

/// The slow calls of both versions, of all that were counted until then.
struct SlowPieces {
    stable: Vec<Piece>,
    candidate: Vec<Piece>,
    last: Slow,
}

fn slow_pieces(record: &Record, minutes: &[&Count]) -> Option<SlowPieces> {
    let last = minutes.iter().rev().find_map(|count| count.numbers.slow.clone())?;
    let mut from = record.shares.first().map_or(record.began, |(at, _)| *at);
    let (mut stable, mut candidate) = (Vec::new(), Vec::new());
    for count in minutes {
        let (Some(until), numbers) = (count.numbers.counted_to, &count.numbers) else { continue };
        from = from.min(until);
        if let Some(slow) = &numbers.slow {
            stable.extend((numbers.stable.calls > 0).then(|| (from, until, slow.stable_percent.to_f64())));
            candidate.extend((numbers.candidate.calls > 0).then(|| (from, until, slow.candidate_percent.to_f64())));
        }
        from = until;
    }
    Some(SlowPieces { stable, candidate, last })
}

impl SlowPieces {
    fn draw(&self, svg: &mut String, minutes: &[&Count], axis: Axis, panel: Panel) {
        let (limits, evidence) = (self.limits(), figure(self.last.ln_evidence));
        let worth =
            if self.last.enforced { format!("evidence {evidence}, counts like errors") } else { "reported only".to_owned() };
        panel.heading(svg, &format!("Slow calls, {limits}, of all counted so far ({worth})"));
        let most = self.stable.iter().chain(&self.candidate).map(|piece| piece.2).fold(0.0, f64::max);
        let top = scale(most);
        for part in [0.0, 0.5, 1.0] {
            panel.line(svg, part, &format!("{} %", top * part));
        }
        both(svg, minutes, axis, panel, top, (&self.stable, &self.candidate));
    }

    /// Each version has a limit of its own.
    fn limits(&self) -> String {
        let (stable, candidate) = (self.last.stable_limit_ms.to_f64().round(), self.last.candidate_limit_ms.to_f64().round());
        if (stable - candidate).abs() < 1.0 {
            format!("over {stable:.0} ms")
        } else {
            format!("over {stable:.0} ms of stable and {candidate:.0} ms of the candidate")
        }
    }
}

/// The round number of per cent that a panel ends at.
fn scale(most: f64) -> f64 {
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].into_iter().find(|top| most <= *top).unwrap_or(100.0)
}

/// Evidence below 1 says nothing, and is drawn at 1.
fn evidence(svg: &mut String, minutes: &[&Count], axis: Axis, panel: Panel) {
    panel.heading(svg, "Evidence that it is worse than tolerated (each line ten times the one below)");
    let threshold = minutes.iter().map(|count| count.numbers.ln_threshold.to_f64()).fold(0.0, f64::max).max(0.1);
    let most = minutes.iter().map(|count| count.numbers.ln_evidence.to_f64()).fold(threshold, f64::max);
    // Beyond a million times the threshold it makes no difference.
    let top = most.min(threshold + 14.0) * 1.1;
    let tens: Vec<u32> = (0..9).filter(|ten| f64::from(*ten) * std::f64::consts::LN_10 <= top).collect();
    for ten in &tens {
        let number = 10_u64.pow(*ten);
        let text = if *ten < 4 { number.to_string() } else { format!("10<tspan class=\"power\" dy=\"-4\">{ten}</tspan>") };
        panel.line(svg, f64::from(*ten) * std::f64::consts::LN_10 / top, &text);
    }
    let (y, right) = (panel.y(threshold / top), WIDTH - RIGHT);
    let _ = writeln!(svg, "<line class=\"threshold\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
    let _ = writeln!(
        svg,
        "<text class=\"alarm-label\" x=\"{:.1}\" y=\"{:.1}\">back at {:.0}</text>",
        right + 6.0,
        y + 4.0,
        threshold.exp()
    );
    let mut path = String::new();
    for count in minutes {
        let (x, y) = (axis.x(count.at), panel.y(count.numbers.ln_evidence.to_f64().max(0.0) / top));
        let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
        let _ = writeln!(
            svg,
            "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{}: {}</title></circle>",
            clock(count.at),
            figure(count.numbers.ln_evidence)
        );
    }
    let _ = writeln!(svg, "<path class=\"candidate\" d=\"{path}\"/>");
}

/// The moment of decision, through the whole picture.
fn decision(svg: &mut String, record: &Record, axis: Axis, bottom: f64) {
    let decided = record.way_back.as_ref().map(|(at, _)| (*at, "the way back was decided"));
    let promoted = record.decisions.last().filter(|_| record.story.promoted).map(|last| (last.at, "promoted"));
    let Some((at, text)) = decided.or(promoted) else { return };
    let x = axis.x(at);
    let _ = writeln!(svg, "<line class=\"decision\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom}\"/>", TOP - 10.0);
    label_at(svg, x, 30.0, "decision", &format!("{} {text}", clock(at)));
}
