//! How does a rollout look over time? One chart in SVG: traffic, below it errors, slow invocations and evidence on the same axis.
//!
//! Colour only repeats what a label, a dash or a dot says. The tables of the page contain the same numbers.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, html};
use rollout::comparison::{Calls, Numbers, Slow, Thousandths};
use rollout::format::percent;
use rollout::health::{AlarmState, clock};
use rollout::{Time, Version};

use crate::counts::{figure, ratio};
use crate::format::version;
use crate::record::Record;
use crate::rollout_state::Count;
use crate::safe::clean;

const WIDTH: f64 = 880.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 88.0;
/// Room for the labels of bands and of the decision.
const TOP: f64 = 44.0;
const GAP: f64 = 40.0;
const BOTTOM: f64 = 30.0;

/// The chart of a rollout; none if it took no time. `id` keeps its titles apart from others in the page.
pub(crate) fn chart(record: &Record, id: usize) -> Option<Markup> {
    let axis = Axis::of(record)?;
    let minutes = record.minutes();
    let last_slow = minutes.iter().rev().find_map(|count| count.numbers.slow.as_ref());
    let heights: &[f64] = match (minutes.is_empty(), last_slow) {
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
    let (title, desc) = (format!("chart-title-{id}"), format!("chart-desc-{id}"));
    Some(html! {
        svg viewBox={ "0 0 " (WIDTH) " " (whole) } role="img" aria-labelledby={ (title) " " (desc) } {
            title id=(title) { (clean(&format!("{} over time", record.story.subject()))) }
            desc id=(desc) { (clean(&described(record, &minutes))) }
            (bands(record, axis, end))
            (axis.draw(end))
            @if let [first, rest @ ..] = panels.as_slice() {
                (share(record, &minutes, axis, *first))
                @if let [second, third @ .., last] = rest {
                    (both("Failed invocations, at each count", &minutes, axis, *second, &pieces(record, &minutes, failed)))
                    @if let (Some(last), Some(third)) = (last_slow, third.first()) {
                        (both(&slow_heading(last), &minutes, axis, *third, &pieces(record, &minutes, slow)))
                    }
                    (evidence(&minutes, axis, *last))
                }
            }
            (decision(record, axis, end))
        }
    })
}

fn described(record: &Record, minutes: &[&Count]) -> String {
    let candidate = version(record.story.candidate);
    let highest = record.shares.iter().map(|(_, weight)| *weight).max();
    let mut text = match highest {
        Some(highest) => {
            format!("The traffic of {candidate} rose to {highest} between {} and {}.", clock(record.began), clock(record.last))
        }
        None => format!("{candidate} had no traffic between {} and {}.", clock(record.began), clock(record.last)),
    };
    if let Some(count) = minutes.last() {
        let (evidence, threshold) = (figure(count.numbers.ln_evidence), figure(count.numbers.ln_threshold));
        let _ = write!(text, " At the end: {}; evidence {evidence} of {threshold}.", count.why);
        if let Some(slow) = &count.numbers.slow {
            let percent = [slow.stable_percent, slow.candidate_percent].map(Thousandths::percent);
            let _ =
                write!(text, " {} of the old version's invocations and {} of the new one's were slow.", percent[0], percent[1]);
        }
    }
    if let Some((at, why)) = &record.rollback {
        let _ = write!(text, " At {} the rollback was decided: {why}.", clock(*at));
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

    /// Lines at round times, nine at most.
    fn draw(self, bottom: f64) -> Markup {
        const DAY: u64 = 86_400;
        const ROUND: [u64; 17] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200];
        let seconds = self.span.as_secs();
        let days = || DAY * seconds.div_ceil(DAY * 8);
        let step = ROUND.iter().copied().find(|step| seconds / step < 9).unwrap_or_else(days);
        let first = self.from.ceil_to_second().as_secs().next_multiple_of(step);
        html! {
            @for at in (first..=(self.from + self.span).as_secs()).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
                @let at = Time::from_secs(at);
                @let x = px(self.x(at));
                line.grid x1=(x) x2=(x) y1=(TOP) y2=(bottom) {}
                text x=(x) y=(px(bottom + 18.0)) text-anchor="middle" {
                    (if step < 60 { clock(at) } else { clock(at).chars().take(5).collect() })
                }
            }
        }
    }
}

fn px(place: f64) -> String {
    format!("{place:.1}")
}

#[derive(Clone, Copy)]
struct Panel {
    top: f64,
    height: f64,
}

impl Panel {
    /// The height of a value from 0 to 1.
    fn y(self, part: f64) -> f64 {
        self.top + self.height * (1.0 - part.clamp(0.0, 1.0))
    }

    fn heading(self, text: &str) -> Markup {
        html! { text.heading x=(LEFT) y=(px(self.top - 8.0)) { (clean(text)) } }
    }

    fn line(self, part: f64, text: &Markup) -> Markup {
        let y = self.y(part);
        html! {
            line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(px(y)) y2=(px(y)) {}
            text x=(px(LEFT - 8.0)) y=(px(y + 4.0)) text-anchor="end" { (text) }
        }
    }

    /// The lines of a scale that ends at `top` percent.
    fn scale(self, top: f64) -> Markup {
        html! { @for part in [0.0, 0.5, 1.0] { (self.line(part, &html! { (percent(top * part)) })) } }
    }
}

/// When an alarm was in ALARM, and when monitoring was unavailable.
fn bands(record: &Record, axis: Axis, bottom: f64) -> Markup {
    let band = |class: &str, from: Time, until: Time, label: &str| {
        let (left, right) = (axis.x(from), axis.x(until));
        html! {
            rect class=(class) x=(px(left)) y=(TOP) width=(px((right - left).max(2.0))) height=(bottom - TOP) {}
            (label_at(left, 14.0, class, label))
        }
    };
    html! {
        @for (from, until) in &record.unmonitored { (band("blind", *from, until.unwrap_or(record.last), "monitoring unavailable")) }
        @for (index, alarm) in record.alarms.iter().enumerate().filter(|(_, alarm)| alarm.state == AlarmState::Alarm) {
            @let next = record.alarms.iter().skip(index + 1).find(|next| next.name == alarm.name);
            (band("alarm", alarm.since, next.map_or(record.last, |next| next.since), &format!("{} in ALARM", alarm.name)))
        }
    }
}

/// A label that starts at a place, or ends there if it would leave the chart.
fn label_at(x: f64, y: f64, class: &str, label: &str) -> Markup {
    let anchor = if x > WIDTH * 0.6 { "end" } else { "start" };
    html! { text class={ (class) "-label" } x=(px(x)) y=(y) text-anchor=(anchor) { (clean(&shortened(label))) } }
}

fn shortened(text: &str) -> String {
    const ROOM: usize = 72;
    if text.chars().count() <= ROOM { text.to_owned() } else { text.chars().take(ROOM - 1).chain(['…']).collect() }
}

fn share(record: &Record, minutes: &[&Count], axis: Axis, panel: Panel) -> Markup {
    let mut path = format!("M{:.1} {:.1}", axis.x(record.began), panel.y(0.0));
    for (at, weight) in &record.shares {
        let _ = write!(path, "H{:.1}V{:.1}", axis.x(*at), panel.y(weight.fraction()));
    }
    let _ = write!(path, "H{:.1}", axis.x(record.last));
    html! {
        (panel.heading(&format!("Traffic of {}", version(record.story.candidate))))
        (panel.scale(100.0))
        path.area d={ (path) "V" (px(panel.y(0.0))) "H" (LEFT) "Z" } {}
        path.candidate d=(path) {}
        @for numbers in minutes.iter().map(|count| &count.numbers) {
            @if let Some((seen, to)) = numbers.seen_percent.zip(numbers.counted_to) {
                @let (x, y) = (axis.x(to - Duration::from_secs(30)), panel.y(seen.to_f64() / 100.0));
                circle.seen cx=(px(x)) cy=(px(y)) r="3" { title { (seen.percent()) " observed" } }
            }
        }
    }
}

/// The invocations of a time: from, until, percent that failed or were slow.
type Piece = (Time, Time, f64);

/// Pick a version's invocations.
const SIDES: [fn(&Numbers) -> &Calls; 2] = [|numbers| &numbers.stable, |numbers| &numbers.candidate];

/// The pieces of both versions, a piece for each count: stable's, the candidate's. `percent` is of a side, from this count and the one
/// before.
fn pieces(record: &Record, minutes: &[&Count], percent: fn(usize, &Numbers, Option<&Numbers>) -> Option<f64>) -> [Vec<Piece>; 2] {
    let mut from = record.shares.first().map_or(record.began, |(at, _)| *at);
    let mut last = None;
    let mut pieces = [Vec::new(), Vec::new()];
    for numbers in minutes.iter().map(|count| &count.numbers) {
        let Some(until) = numbers.counted_to else { continue };
        let before = last.replace(numbers);
        for (side, pieces) in pieces.iter_mut().enumerate() {
            pieces.extend(percent(side, numbers, before).map(|percent| (from.min(until), until, percent)));
        }
        from = until;
    }
    pieces
}

/// The errors since the count before.
fn failed(side: usize, now: &Numbers, before: Option<&Numbers>) -> Option<f64> {
    let (calls, errors) = before.map(SIDES[side]).map_or((0, 0), |known| (known.calls, known.errors));
    // A later count may be lower.
    let calls = SIDES[side](now).calls.saturating_sub(calls);
    let errors = SIDES[side](now).errors.saturating_sub(errors).min(calls);
    ratio(errors, calls).map(|part| part * 100.0)
}

/// The slow invocations of all that were counted until then.
fn slow(side: usize, now: &Numbers, _: Option<&Numbers>) -> Option<f64> {
    let slow = now.slow.as_ref().filter(|_| SIDES[side](now).calls > 0)?;
    Some([slow.stable_percent, slow.candidate_percent][side].to_f64())
}

/// The lines of both versions under their heading, and the scale that holds the highest of them.
fn both(heading: &str, minutes: &[&Count], axis: Axis, panel: Panel, [stable, candidate]: &[Vec<Piece>; 2]) -> Markup {
    let top = scale(stable.iter().chain(candidate).map(|piece| piece.2).fold(0.0, f64::max));
    let known = |of: fn(&Numbers) -> Version| version(minutes.last().map(|count| of(&count.numbers)));
    // Stable last: the other line is visible between its dashes.
    let lines = [
        ("candidate", candidate, known(|numbers| numbers.candidate.version)),
        ("stable", stable, known(|numbers| numbers.stable.version)),
    ];
    let ends = label_places(lines.iter().filter_map(|(_, pieces, _)| pieces.last()).map(|piece| panel.y(piece.2 / top) + 4.0));
    let mut ends = ends.into_iter();
    html! {
        (panel.heading(heading))
        (panel.scale(top))
        @for (class, pieces, label) in lines {
            path class=(class) d=(steps(pieces, axis, panel, top)) {}
            @if !pieces.is_empty() && let Some(y) = ends.next() {
                text class={ (class) "-label" } x=(px(WIDTH - RIGHT + 6.0)) y=(px(y)) { (label) }
            }
        }
    }
}

/// The line through the pieces, with gaps where nothing was counted.
fn steps(pieces: &[Piece], axis: Axis, panel: Panel, top: f64) -> String {
    let mut path = String::new();
    let mut end = None;
    for (from, until, percent) in pieces {
        let (x, y) = (axis.x(*from), panel.y(percent / top));
        let joins = end.replace(*until) == Some(*from);
        let _ = write!(path, "{}H{:.1}", if joins { format!("V{y:.1}") } else { format!("M{x:.1} {y:.1}") }, axis.x(*until));
    }
    path
}

/// The same heights, moved apart so that labels do not overlap.
fn label_places(wanted: impl Iterator<Item = f64>) -> Vec<f64> {
    wanted.fold(Vec::new(), |mut ends, mut y| {
        if ends.iter().any(|end: &f64| (end - y).abs() < 13.0) {
            y = ends.iter().fold(y, |y, end| if y <= *end { end - 13.0 } else { end + 13.0 });
        }
        ends.push(y);
        ends
    })
}

fn slow_heading(slow: &Slow) -> String {
    let (stable, candidate) = (slow.stable_limit_ms.to_f64().round(), slow.candidate_limit_ms.to_f64().round());
    let limits = if (stable - candidate).abs() < 1.0 {
        format!("over {stable:.0} ms")
    } else {
        format!("over {stable:.0} ms for the old version and {candidate:.0} ms for the new one")
    };
    let evidence = figure(slow.ln_evidence);
    let worth = if slow.enforced { format!("evidence {evidence}, rolls back like errors") } else { "report only".to_owned() };
    format!("Slow invocations, {limits}, of all counted so far ({worth})")
}

/// The round percentage at the top of a panel.
fn scale(most: f64) -> f64 {
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].into_iter().find(|top| most <= *top).unwrap_or(100.0)
}

/// Evidence below 1 means nothing and is drawn at 1.
fn evidence(minutes: &[&Count], axis: Axis, panel: Panel) -> Markup {
    let threshold = minutes.iter().map(|count| count.numbers.ln_threshold.to_f64()).fold(0.0, f64::max).max(0.1);
    let most = minutes.iter().map(|count| count.numbers.ln_evidence.to_f64()).fold(threshold, f64::max);
    // More than a million times the threshold makes no difference.
    let top = most.min(threshold + 14.0) * 1.1;
    let (y, right) = (panel.y(threshold / top), WIDTH - RIGHT);
    let place = |count: &Count| (axis.x(count.at), panel.y(count.numbers.ln_evidence.to_f64().max(0.0) / top));
    let path: Vec<String> = minutes.iter().map(|count| place(count)).map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    html! {
        (panel.heading("Evidence that it is worse than tolerated (logarithmic)"))
        @for ten in (0..9_u32).filter(|ten| f64::from(*ten) * std::f64::consts::LN_10 <= top) {
            @let text = html! { @if ten < 4 { (10_u64.pow(ten)) } @else { "10" tspan.power dy="-4" { (ten) } } };
            (panel.line(f64::from(ten) * std::f64::consts::LN_10 / top, &text))
        }
        line.threshold x1=(LEFT) x2=(right) y1=(px(y)) y2=(px(y)) {}
        text.alarm-label x=(px(right + 6.0)) y=(px(y + 4.0)) { (format!("rollback: {:.0}", threshold.exp())) }
        @for count in minutes {
            @let (x, y) = place(count);
            circle.dot cx=(px(x)) cy=(px(y)) r="3" { title { (clock(count.at)) ": " (figure(count.numbers.ln_evidence)) } }
        }
        path.candidate d=(format!("M{}", path.join("L"))) {}
    }
}

fn decision(record: &Record, axis: Axis, bottom: f64) -> Markup {
    let decided = record.rollback.as_ref().map(|(at, _)| (*at, "rollback decided"));
    let promoted = record.decisions.last().filter(|_| record.story.promoted).map(|last| (last.at, "promoted"));
    let Some((at, text)) = decided.or(promoted) else { return Markup::default() };
    let x = axis.x(at);
    html! {
        line.decision x1=(px(x)) x2=(px(x)) y1=(px(TOP - 10.0)) y2=(bottom) {}
        (label_at(x, 30.0, "decision", &format!("{} {text}", clock(at))))
    }
}
