//! What does the live view show of several functions? A row for each on one screen, those with problems first.

use std::collections::{BTreeMap, VecDeque};

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
pub(crate) fn rows(stories: &Stories, recent: &VecDeque<(Time, &str, String)>, now: Time, width: usize) -> Rows {
    let mut sorted: Vec<&Story> = stories.values().collect();
    sorted.sort_by_key(|story| rank(story));
    let name = sorted.iter().map(|story| story.subject().chars().count()).max().unwrap_or(0).min(NAME);
    let mut body = vec![header(stories, now)];
    body.extend(sorted.iter().take(FUNCTIONS).map(|story| function(story, name, now)));
    if sorted.len() > FUNCTIONS {
        body.push(Line::of(Tone::Dim, format!("  and {} more", sorted.len() - FUNCTIONS)));
    }
    let first = |text: &str| wrapped(text, width.saturating_sub(TEXT_AT)).into_iter().next().unwrap_or_default();
    let recent = recent.iter().map(|(at, word, text)| happened(*at, word, &first(text))).collect();
    let foot = Line::of(Tone::Dim, "  to roll back:  ").with(Tone::Plain, "canaryctl rollback");
    Rows { body, recent, foot: vec![foot] }
}

fn header(stories: &Stories, now: Time) -> Line {
    let line = Line::of(Tone::Strong, format!("{} functions", stories.len()));
    let Some((at, started)) = stories.values().find_map(|story| story.started.as_ref()) else { return line };
    let took = format!("   {} of about {}", elapsed(now.since(*at)), elapsed(total(started)));
    line.with(Tone::Plain, format!("   {}", schedule(started))).with(Tone::Dim, took)
}

/// Its place among the others: problems first.
fn rank(story: &Story) -> u8 {
    if story.rollback.is_some() || in_alarm(story) > 0 {
        0
    } else if story.set_manually.is_some() || story.unmonitored.is_some() || story.paused.is_some() {
        1
    } else {
        2
    }
}

fn in_alarm(story: &Story) -> usize {
    story.alarms.iter().filter(|alarm| matches!(alarm.last, Some((AlarmState::Alarm, _)))).count()
}

fn function(story: &Story, name: usize, now: Time) -> Line {
    let subject: String = one_line(&story.subject()).chars().take(name).collect();
    let versions = versions(story.stable(), story.candidate, "▸");
    let share = story.share.map_or(Weight::ZERO, |share| share.weight);
    let line = Line::of(Tone::Plain, format!("  {subject:<name$}  {versions:<9}  "));
    let line = line.with(Tone::Strong, format!("{:<6}  ", share.to_string())).joined(alarms(story));
    let (tone, text) = state(story, now);
    line.with(tone, text)
}

fn alarms(story: &Story) -> Line {
    let Some((_, started)) = story.started.as_ref().filter(|(_, started)| !started.alarms.is_empty()) else {
        return Line::of(Tone::Dim, "no alarms  ");
    };
    let fired = in_alarm(story);
    if fired > 0 {
        return Line::of(Tone::Bad, format!("✖ {fired} in ALARM  "));
    }
    let known = story.claimed && story.unmonitored.is_none();
    let (tone, mark) = if known { (Tone::Good, '✔') } else { (Tone::Dim, '·') };
    Line::of(tone, mark).with(Tone::Plain, format!(" {:<8}  ", format!("alarms {}", started.alarms.len())))
}

fn state(story: &Story, now: Time) -> (Tone, String) {
    if let Some((_, cause)) = story.rollback {
        let word = if story.restored.is_some() { "rolled back" } else { "rolling back" };
        return (Tone::Bad, format!("{word}: {}", cause.phrase()));
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
            let when = if at > now { format!(" in {}", countdown(at.since(now))) } else { ": waiting for the others".to_owned() };
            (Tone::Plain, what.to_owned() + &when)
        }
        (None, _, true) => (Tone::Plain, "ready".to_owned()),
        (None, true, false) => (Tone::Plain, "acquired".to_owned()),
        (None, false, false) => (Tone::Dim, "preflight".to_owned()),
    }
}
