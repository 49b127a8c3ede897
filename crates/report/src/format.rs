//! How are times, names and foreign texts written for people?

use std::time::Duration;

use rollout::event::Started;
use rollout::format::{duration, percent};
use rollout::health::clock;
use rollout::hook::HookUrl;
use rollout::target::DEFAULT_ALIAS;
use rollout::{Time, Version};
use unicode_width::UnicodeWidthStr;

use crate::safe::clean;

/// The time that is left: `0:42`, `12:00`, `1:02:03`.
pub(crate) fn countdown(span: Duration) -> String {
    digits(span.as_millis().div_ceil(1000), 1)
}

/// The time that has passed: `02:18`, `1:02:03`.
pub(crate) fn elapsed(span: Duration) -> String {
    digits(span.as_secs().into(), 2)
}

/// A time as a clock shows it, the minutes of less than an hour in at least `least` digits.
fn digits(seconds: u128, least: usize) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes:0least$}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// How long a rollout takes without delays, hooks not counted.
pub(crate) fn total(started: &Started) -> Duration {
    let waits = u64::try_from(started.weights.len().saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_secs(started.every_seconds.saturating_mul(waits).saturating_add(started.bake_seconds))
}

/// A schedule in words: `Linear 10% every minute`, `Canary 10% for 5m`, `all at once`, `1, 5, 25, 50, 100% every 5m`.
pub(crate) fn schedule(started: &Started) -> String {
    let every = Duration::from_secs(started.every_seconds);
    let each = if every == Duration::from_mins(1) { "every minute".to_owned() } else { format!("every {}", duration(every)) };
    match started.weights.as_slice() {
        [] | [_] => "all at once".to_owned(),
        [first, ..] if started.schedule.starts_with("Linear") => format!("Linear {first} {each}"),
        [first, _] => format!("Canary {first} for {}", duration(every)),
        weights => {
            let percents: Vec<String> = weights.iter().map(|weight| weight.percent()).collect();
            format!("{} {each}", percent(percents.join(", ")))
        }
    }
}

/// Stable and candidate with something between them, as far as they are known.
pub(crate) fn versions(stable: Option<Version>, candidate: Option<Version>, between: &str) -> String {
    match (stable, candidate) {
        (Some(stable), Some(candidate)) => format!("{stable} {between} {candidate}"),
        (Some(stable), None) => format!("{stable} {between} new version"),
        (None, Some(candidate)) => format!("{candidate}, the first version"),
        (None, None) => "the first version".to_owned(),
    }
}

/// A version where a sentence names it alone: `version 42`.
pub(crate) fn numbered(version: Option<Version>) -> String {
    version.map_or_else(|| "the new version".to_owned(), |version| format!("version {version}"))
}

/// A version, or what to call one that is not known.
pub(crate) fn version(version: Option<Version>) -> String {
    version.map_or_else(|| "the new version".to_owned(), |version| version.to_string())
}

/// A moment near `now` as the time of day, any other with its date: `14:03:58`, `2026-11-20 14:03 UTC`.
pub(crate) fn when(at: Time, now: Time) -> String {
    if now.since(at).max(at.since(now)) < Duration::from_hours(12) {
        return clock(at);
    }
    let text = at.to_string();
    text.get(..16).map_or_else(|| text.clone(), |minute| format!("{} UTC", minute.replace('T', " ")))
}

/// Lines as one text, each with a line end and without trailing blanks.
pub(crate) fn joined(lines: &[String]) -> String {
    lines.iter().map(|line| clean(line) + "\n").collect()
}

/// A text in lines of at most `room` columns, broken between words; a longer word gets its own line.
pub(crate) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= room => line.extend([" ", word]),
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// How a command names an alias: only the function if the alias is the default.
pub(crate) fn operand(function: &str, alias: &str) -> String {
    if alias == DEFAULT_ALIAS { function.to_owned() } else { format!("{function}:{alias}") }
}

/// A function's name without its ARN; a URL is unchanged.
pub(crate) fn short(name: &str) -> &str {
    name.rsplit_once(":function:").filter(|_| !HookUrl::is_meant(name)).map_or(name, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_far_away_has_a_date() {
        let at = Time::from_millis(1_795_435_333_250);
        assert_eq!(when(at, at + Duration::from_hours(11)), "12:02:13");
        assert_eq!(when(at, at + Duration::from_hours(13)), "2026-11-23 12:02 UTC");
        assert_eq!(when(at, at - Duration::from_hours(13)), "2026-11-23 12:02 UTC");
    }

    #[test]
    fn clocks_never_show_nothing_while_something_is_left() {
        assert_eq!(countdown(Duration::from_millis(1)), "0:01");
        assert_eq!(countdown(Duration::from_secs(3723)), "1:02:03");
        assert_eq!(elapsed(Duration::from_millis(138_900)), "02:18");
    }

    #[test]
    fn long_texts_break_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("unbreakable", 4), ["unbreakable"]);
        assert_eq!(wrapped("", 4), [""]);
    }

    #[test]
    fn commands_name_the_usual_alias_by_its_function() {
        assert_eq!(operand("hello", "live"), "hello");
        assert_eq!(operand("hello", "Live"), "hello:Live");
        assert_eq!(short("arn:aws:lambda:eu-west-1:123456789012:function:preHook:2"), "preHook:2");
    }
}
