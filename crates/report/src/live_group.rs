//! What does the live view show of several functions? A row for each on one screen, those with problems first.

use std::collections::BTreeMap;

use rollout::health::{AlarmState, clock};
use rollout::{Time, Weight};

use crate::format::{countdown, elapsed, schedule, total, versions, wrapped};
use crate::live_layout::{Rows, TEXT_AT, happened};
use crate::rollout_state::Story;
use crate::safe::one_line;
use crate::styled::{Line, Tone};

/// The functions of one process, each with what is known of it.
pub(crate) type Stories = BTreeMap<(String, String), Story>;

const FUNCTIONS: usize = 16;

const NAME: usize = 32;

/// The rows of several functions; `recent` is what happened last in any of them.
pub(crate) fn rows<'a>(
    stories: &Stories,
    recent: impl Iterator<Item = &'a (Time, &'static str, String)>,
    now: Time,
    width: usize,
) -> Rows {
    let mut sorted: Vec<&Story> = stories.values().collect();
    sorted.sort_by_key(|story| rank(story));
    let name = sorted.iter().map(|story| story.subject().chars().count()).max().unwrap_or(0).min(NAME);
    let mut body = vec![header(stories, now)];
    body.extend(sorted.iter().take(FUNCTIONS).map(|story| function(story, name, now)));
    if sorted.len() > FUNCTIONS {
        body.push(Line::of(Tone::Dim, format!("  and {} more", sorted.len() - FUNCTIONS)));
    }
    let mut shown = Vec::new();
    for (at, word, text) in recent {
        let text = wrapped(text, width.saturating_sub(TEXT_AT)).into_iter().next().unwrap_or_default();
        shown.push(happened(*at, word, &text));
    }
    let foot = Line::of(Tone::Dim, "  to roll back:  ").with(Tone::Plain, "canaryctl rollback");
    Rows { body, recent: shown, foot: vec![foot] }
}

fn header(stories: &Stories, now: Time) -> Line {
    let line = Line::of(Tone::Strong, format!("{} functions", stories.len()));
    let Some((at, started)) = stories.values().find_map(|story| story.started.as_ref()) else { return line };
    let took = format!("   {} of about {}", elapsed(now.since(*at)), elapsed(total(started)));
    line.with(Tone::Plain, format!("   {}", schedule(started))).with(Tone::Dim, took)
}

/// Its place among the others: problems first.
fn rank(story: &Story) -> u8 {
    let alarmed = story.alarms.iter().any(|alarm| matches!(alarm.last, Some((AlarmState::Alarm, _))));
    match (
        story.rollback.is_some() || alarmed,
        story.set_manually.is_some() || story.unmonitored.is_some() || story.paused.is_some(),
    ) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    }
}

fn function(story: &Story, name: usize, now: Time) -> Line {
    let subject: String = one_line(&story.subject()).chars().take(name).collect();
    let versions = versions(story.stable(), story.candidate, "▸");
    let line = Line::of(Tone::Plain, format!("  {subject:<name$}  {versions:<9}  "));
    let share = story.share.map_or(Weight::ZERO, |share| share.weight);
    let line = line.with(Tone::Strong, format!("{:<6}  ", share.to_string()));
    let line = line.joined(alarms(story));
    let (tone, text) = state(story, now);
    line.with(tone, text)
}

fn alarms(story: &Story) -> Line {
    let Some((_, started)) = story.started.as_ref().filter(|(_, started)| !started.alarms.is_empty()) else {
        return Line::of(Tone::Dim, "no alarms  ");
    };
    let fired = story.alarms.iter().filter(|alarm| matches!(alarm.last, Some((AlarmState::Alarm, _)))).count();
    if fired > 0 {
        return Line::of(Tone::Bad, format!("✖ {fired} in ALARM  "));
    }
    let known = story.claimed && story.unmonitored.is_none();
    let (tone, mark) = if known { (Tone::Good, '✔') } else { (Tone::Dim, '·') };
    Line::of(tone, mark).with(Tone::Plain, format!(" {:<8}  ", format!("alarms {}", started.alarms.len())))
}

fn state(story: &Story, now: Time) -> (Tone, String) {
    if let Some(rollback) = &story.rollback {
        let word = if story.restored.is_some() { "rolled back" } else { "rolling back" };
        return (Tone::Bad, format!("{word}: {}", rollback.cause.phrase()));
    }
    if story.promoted {
        return (Tone::Good, "promoted".to_owned());
    }
    if let Some((since, _)) = &story.unmonitored {
        return (Tone::Warn, format!("monitoring unavailable since {}", clock(*since)));
    }
    if let Some(until) = story.paused {
        return (Tone::Warn, format!("paused until {}", clock(until)));
    }
    if let Some(weight) = story.set_manually {
        return (Tone::Warn, format!("{weight} set manually"));
    }
    let next = story.share.and_then(|share| Some((share, share.next_at?)));
    match (next, story.claimed, story.ready) {
        (Some((share, at)), _, _) => {
            let what = if share.weight == Weight::FULL { "promotion" } else { "next step" };
            (
                Tone::Plain,
                if at > now {
                    format!("{what} in {}", countdown(at.since(now)))
                } else {
                    format!("{what}: waiting for the others")
                },
            )
        }
        (None, _, true) => (Tone::Plain, "ready".to_owned()),
        (None, true, false) => (Tone::Plain, "acquired".to_owned()),
        (None, false, false) => (Tone::Dim, "preflight".to_owned()),
    }
}
