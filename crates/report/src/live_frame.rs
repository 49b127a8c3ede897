//! What does the live view show at one moment? A pure function from what is known, the time and the width to lines of text.
//!
//! It does not draw and does not know the terminal. What is not known is left out.

use std::collections::VecDeque;
use std::time::Duration;

use rollout::event::{Event, EventKind, Started};
use rollout::format::duration;
use rollout::health::{AlarmState, clock};
use rollout::{Time, Weight};

use crate::counts::{counts, seen};
use crate::format::{countdown, elapsed, schedule, total, version, versions, wrapped};
use crate::live_group::{self, Stories};
use crate::live_layout::{Rows, TEXT_AT, happened};
use crate::messages::sentences;
use crate::prompt::Prompt;
use crate::rollout_state::{Mark, Share, Story, Watched};
use crate::safe::one_line;
use crate::styled::{Line, Tone, row};

pub(crate) const ROWS: usize = 24;

const WIDEST: usize = 110;

const RECENT: usize = 3;

const ALARMS: usize = 6;

/// What the live view knows: a fold over the events of one alias, or of several at a time.
#[derive(Clone, Debug, Default)]
pub struct LiveState {
    pub(crate) story: Story,
    pub(crate) prompt: Prompt,
    /// The functions of a group; `None` for a single function.
    stories: Option<Stories>,
    recent: VecDeque<(Time, &'static str, String)>,
}

impl LiveState {
    /// A view of several functions.
    pub fn of_a_group() -> Self {
        Self { stories: Some(Stories::default()), ..Self::default() }
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.story.function.is_empty() && self.stories.as_ref().is_none_or(Stories::is_empty)
    }

    /// Takes one more event into account.
    pub fn add(&mut self, event: &Event) {
        if matches!(event.what, EventKind::GroupOutcome(_)) {
            return;
        }
        let (story, subject) = match &mut self.stories {
            Some(stories) => {
                let story = stories.entry((event.function.clone(), event.alias.clone())).or_default();
                (story, format!("{}: ", event.function))
            }
            None => (&mut self.story, String::new()),
        };
        story.add(event);
        if matches!(event.what, EventKind::Heartbeat { .. } | EventKind::Started(_)) {
            return;
        }
        let lines = sentences(story, event).into_iter();
        self.recent.extend(lines.map(|line| (event.at, line.word, format!("{subject}{}", line.text))));
        self.recent.drain(..self.recent.len().saturating_sub(RECENT));
    }
}

/// The live view at `now` in at most `width` columns and 24 rows. With `color`, escape codes for colours and no others.
pub fn frame(state: &LiveState, now: Time, width: usize, color: bool) -> Vec<String> {
    rows(state, now, width).fitted(ROWS).into_iter().map(|line| line.render(width, color).to_string()).collect()
}

/// The live view at `now`, made for `width` columns and not yet cut to them.
pub(crate) fn rows(state: &LiveState, now: Time, width: usize) -> Rows {
    if let Some(stories) = &state.stories {
        return live_group::rows(stories, &state.recent, now, width);
    }
    let story = &state.story;
    let mut lines = header(story, now, width);
    lines.push(ticks(story, now));
    lines.extend(rail(story, now, width));
    lines.push(row("traffic").joined(share(story, now, width)));
    if let Some((since, why)) = &story.unmonitored {
        let text = format!("since {}: {}", clock(*since), one_line(why));
        lines.push(row("warning").with(Tone::Warn, text));
    }
    if story.restored.is_none() {
        lines.extend(counts(story, now));
    }
    lines.extend(alarms(story, now));
    let mut recent = Vec::new();
    for (index, (at, word, text)) in state.recent.iter().enumerate() {
        // The last one explains the current state: it is shown whole.
        let last = index + 1 == state.recent.len();
        let mut parts = if last { wrapped(text, width.saturating_sub(TEXT_AT)) } else { vec![text.clone()] }.into_iter();
        recent.push(happened(*at, word, &parts.next().unwrap_or_default()));
        recent.extend(parts.take(2).map(|part| Line::plain(format!("{:TEXT_AT$}{part}", ""))));
    }
    Rows { body: lines, recent, foot: state.prompt.foot(story, width) }
}

fn header(story: &Story, now: Time, width: usize) -> Vec<Line> {
    let versions = versions(story.stable(), story.candidate, "▸");
    let left = Line::of(Tone::Strong, story.subject()).with(Tone::Plain, format!("   {versions}"));
    let Some((at, started)) = &story.started else { return vec![left] };
    let (words, whole) = match started.stable {
        _ if started.is_elsewhere() => ("driven by another process".to_owned(), String::new()),
        Some(_) => (schedule(started), format!(" of about {}", elapsed(total(started)))),
        None => ("first deployment".to_owned(), String::new()),
    };
    let right = Line::of(Tone::Dim, format!("{}  {}{whole}", started.rollout_id, elapsed(now.since(*at))));
    let width = width.min(WIDEST);
    let long = left.clone().with(Tone::Plain, format!("   {words}"));
    if long.width() + 1 + right.width() <= width {
        return vec![long.padded(width - right.width()).joined(right)];
    }
    let second = Line::plain(format!("  {words}")).padded(width.saturating_sub(right.width()).max(words.len() + 4));
    vec![left, second.joined(right)]
}

fn ticks(story: &Story, now: Time) -> Line {
    let Some((_, started)) = &story.started else { return Line::plain("  · preflight") };
    let mut line = Line::of(Tone::Good, "  ✔").with(Tone::Plain, " preflight");
    let number = version(story.candidate);
    line = match (story.ready, story.candidate) {
        (true, _) => line.with(Tone::Good, "   ✔").with(Tone::Plain, format!(" version {number}")),
        (false, Some(_)) => line.with(Tone::Warn, "   ▸").with(Tone::Plain, format!(" version {number} is being prepared")),
        (false, None) => line.with(Tone::Dim, "   · version"),
    };
    let hooks = [
        ("pre-traffic hook", started.pre_hook.is_some(), story.pre_hook),
        ("post-traffic hook", started.post_hook.is_some(), story.post_hook),
    ];
    for (word, configured, mark) in hooks {
        line = match mark {
            Mark::Awaited if configured => line.with(Tone::Dim, format!("   · {word}")),
            Mark::Awaited => line,
            Mark::Running(since) => {
                line.with(Tone::Warn, "   ▸").with(Tone::Plain, format!(" {word} {}", countdown(now.since(since))))
            }
            Mark::Succeeded(took) => {
                line.with(Tone::Good, "   ✔").with(Tone::Plain, format!(" {word} {}", duration(Duration::from_millis(took))))
            }
            Mark::Failed => line.with(Tone::Bad, "   ✖").with(Tone::Plain, format!(" {word}")),
        };
    }
    line
}

/// The steps in a row, or as a bar if there are too many. A first deployment has none.
fn rail(story: &Story, now: Time, width: usize) -> Option<Line> {
    let (_, started) = story.started.as_ref().filter(|(_, started)| started.stable.is_some())?;
    let at = story.share.map_or(0, |share| usize::from(share.step));
    if started.is_elsewhere() {
        let steps = story.share.map(|share| usize::from(share.steps)).filter(|steps| *steps > 0)?;
        return Some(progress(at, steps));
    }
    let tail = bake(story, started, now);
    let mut steps = Line::plain(" ");
    for (index, weight) in started.weights.iter().enumerate() {
        let (tone, blocks) = match (index + 1).cmp(&at) {
            std::cmp::Ordering::Less => (Tone::Good, "██"),
            std::cmp::Ordering::Equal => (Tone::Strong, "█░"),
            std::cmp::Ordering::Greater => (Tone::Dim, "··"),
        };
        let last = *weight == Weight::FULL;
        let blocks = if last { blocks.chars().take(1).collect() } else { blocks.to_owned() };
        steps = steps.with(Tone::Plain, format!(" {}", weight.percent())).with(tone, format!(" {blocks}"));
    }
    let steps = steps.joined(tail.clone());
    if steps.width() <= width {
        return Some(steps);
    }
    Some(progress(at, started.weights.len()).joined(tail))
}

fn progress(at: usize, count: usize) -> Line {
    let cells = 30;
    let filled = cells * at.min(count) / count.max(1);
    let bar = Line::plain(format!("  step {at} of {count}  "));
    bar.with(Tone::Good, "█".repeat(filled)).with(Tone::Dim, "·".repeat(cells - filled))
}

fn bake(story: &Story, started: &Started, now: Time) -> Line {
    let Some(bake) = Some(Duration::from_secs(started.bake_seconds)).filter(|bake| !bake.is_zero()) else {
        return Line::default();
    };
    let full = story.share.filter(|share| share.weight == Weight::FULL);
    let done = full.map(|share| format!("{} of ", countdown(now.since(share.since).min(bake))));
    let tone = if done.is_some() { Tone::Strong } else { Tone::Dim };
    Line::of(tone, format!("  bake {}{}", done.unwrap_or_default(), duration(bake)))
}

fn share(story: &Story, now: Time, width: usize) -> Line {
    let stable = story.stable();
    let on_stable = stable.map(|stable| format!("{} on {stable}", Weight::FULL));
    if story.restored.is_some() {
        return Line::of(Tone::Bad, on_stable.unwrap_or_else(|| "no earlier version".to_owned()));
    }
    if story.rollback.is_some() {
        let text =
            stable.map_or_else(|| "ending the rollout".to_owned(), |stable| format!("rolling back: all traffic to {stable}"));
        return Line::of(Tone::Bad, text);
    }
    let candidate = version(story.candidate);
    if story.promoted {
        return Line::of(Tone::Good, format!("{} on {candidate}, promoted", Weight::FULL));
    }
    let Some(share) = story.share else {
        let before = match (story.created, on_stable) {
            (true, _) => format!("{} on {candidate}", Weight::FULL),
            (false, Some(on_stable)) => on_stable,
            (false, None) => "none yet".to_owned(),
        };
        return Line::plain(before).with(Tone::Plain, first_step(story));
    };
    let line = Line::plain(format!("set {}", share.weight)).joined(seen(story, share.weight));
    if let Some(weight) = story.set_manually {
        return line.with(Tone::Warn, format!(", but {weight} was set manually: holding it"));
    }
    if story.unmonitored.is_some() {
        return line.with(Tone::Warn, ", holding: monitoring unavailable");
    }
    if let Some(until) = story.paused {
        return line.with(Tone::Warn, format!("   paused until {} (in {})", clock(until), countdown(until.since(now))));
    }
    let next = next(story, share, now);
    let long = line.clone().with(Tone::Plain, next.as_str());
    let fits = row("traffic").width() + long.width() <= width;
    if fits { long } else { line.with(Tone::Plain, next.replace(" about ", " ")) }
}

fn first_step(story: &Story) -> String {
    let Some((_, started)) = &story.started else { return String::new() };
    match started.weights.first() {
        Some(first) if started.stable.is_some() => format!("   first step {first} to {}", version(story.candidate)),
        Some(_) | None => String::new(),
    }
}

/// The next change, and the end, as far as the schedule says.
fn next(story: &Story, share: Share, now: Time) -> String {
    let (Some(next_at), Some((_, started))) = (share.next_at, &story.started) else { return String::new() };
    let within = if next_at > now { format!("in {}", countdown(next_at.since(now))) } else { "now".to_owned() };
    if started.is_elsewhere() {
        let what = if share.weight == Weight::FULL { "end of the bake" } else { "next step" };
        return format!("   {what} {within}");
    }
    if share.weight == Weight::FULL {
        let then = if started.post_hook.is_some() { "post-traffic hook" } else { "promoted" };
        return format!("   {then} {within}");
    }
    let after = started.weights.get(usize::from(share.step)).copied().unwrap_or(Weight::FULL);
    let steps_left = u64::from(share.steps.saturating_sub(share.step).saturating_sub(1));
    let left = started.every_seconds.saturating_mul(steps_left).saturating_add(started.bake_seconds);
    let done = next_at.max(now) + Duration::from_secs(left);
    let done = clock(done);
    format!("   next {after} {within}   done about {}", done.get(..5).unwrap_or(&done))
}

fn alarms(story: &Story, now: Time) -> Vec<Line> {
    if story.started.is_none() {
        return Vec::new();
    }
    if story.alarms.is_empty() && story.elsewhere() {
        return vec![row("alarms").with(Tone::Dim, "only the rollout's process knows them; `--alarm NAME` adds one")];
    }
    if story.alarms.is_empty() {
        let alone = if story.unwatched() && story.stable().is_some() { "none: only the schedule moves traffic" } else { "none" };
        return vec![row("alarms").with(Tone::Plain, alone)];
    }
    let mut sorted: Vec<&Watched> = story.alarms.iter().collect();
    sorted.sort_by_key(|alarm| alarm.last.is_none_or(|(state, _)| state == AlarmState::Ok));
    let mut lines = Vec::new();
    for (index, alarm) in sorted.iter().take(ALARMS).enumerate() {
        lines.push(row(if index == 0 { "alarms" } else { "" }).joined(alarm_line(story, alarm, now)));
    }
    let more = sorted.len().saturating_sub(ALARMS);
    if more > 0 {
        lines.push(row("").with(Tone::Dim, format!("and {more} more")));
    }
    lines
}

fn alarm_line(story: &Story, alarm: &Watched, now: Time) -> Line {
    let name = one_line(&alarm.name);
    let (tone, mark, said) = match alarm.last {
        Some((AlarmState::Alarm, since)) => (Tone::Bad, '✖', format!("ALARM {}", duration(now.since(since)))),
        Some((AlarmState::Ok, since)) => (Tone::Good, '✔', format!("OK {}", duration(now.since(since)))),
        Some((AlarmState::InsufficientData, since)) => (Tone::Warn, '?', format!("no data {}", duration(now.since(since)))),
        // An alarm that is OK at the first reading has no event, and the alias is acquired after that reading.
        None if story.claimed && !story.elsewhere() && story.unmonitored.is_none() => (Tone::Good, '✔', "OK".to_owned()),
        None => (Tone::Dim, '·', String::new()),
    };
    Line::of(tone, mark).with(Tone::Plain, format!(" {name} {said}"))
}
