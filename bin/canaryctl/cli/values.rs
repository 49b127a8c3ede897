//! Which values are valid on the command line? Durations, percentages, names; each error says what was expected.

use std::time::Duration;

use rollout::note::RolloutId;
use rollout::notify::NoticeKind;
use rollout::policy::within;
use rollout::{Arn, Subject, Weight};

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let span = humantime::parse_duration(text).map_err(|error| format!("{error}; write `30s`, `5m` or `1h30m`"))?;
    if !span.subsec_nanos().is_multiple_of(1_000_000) {
        return Err("expected whole milliseconds".to_owned());
    }
    let longest = Duration::from_hours(48);
    if span > longest { Err("expected at most 48 hours".to_owned()) } else { Ok(span) }
}

pub(crate) fn between(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    within(duration(text)?, least, most)
}

pub(crate) fn poll(text: &str) -> Result<Duration, String> {
    between(text, Duration::from_millis(100), Duration::from_mins(1))
}

pub(crate) fn limit(text: &str) -> Result<Duration, String> {
    between(text, Duration::from_secs(1), Duration::MAX)
}

pub(crate) fn percent(text: &str) -> Result<Weight, String> {
    let weight = Weight::parse_percent(text.trim()).filter(|weight| !weight.is_zero());
    weight.ok_or_else(|| "expected a percentage above 0 and at most 100, with at most two decimals".to_owned())
}

pub(crate) fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.1..=100_000.0).contains(&speed) { Ok(speed) } else { Err("expected 0.1 to 100000".to_owned()) }
}

/// A speed, or infinity for `max`.
pub(crate) fn pace(text: &str) -> Result<f64, String> {
    if text == "max" { Ok(f64::INFINITY) } else { speed(text).map_err(|wrong| format!("{wrong}, or `max`")) }
}

pub(crate) fn image(text: &str) -> Result<String, String> {
    let sound = !text.is_empty() && text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if sound { Ok(text.to_owned()) } else { Err("expected the URI of an image, without spaces".to_owned()) }
}

/// A percentage, with its sign or without.
pub(crate) fn share(text: &str) -> Result<Weight, String> {
    percent(text.trim().trim_end_matches('%'))
}

pub(crate) fn alias_name(text: &str) -> Result<String, String> {
    Subject::parse("function", Some(text)).map(|subject| subject.alias).map_err(|error| error.to_string())
}

pub(crate) fn notice_kind(text: &str) -> Result<NoticeKind, String> {
    NoticeKind::named(text).ok_or_else(|| format!("the kinds are {}", NoticeKind::WORDS.join(", ")))
}

pub(crate) fn rollout_id(text: &str) -> Result<RolloutId, String> {
    text.parse().map_err(|()| "expected eight hexadecimal digits, as `canaryctl status` shows them".to_owned())
}

/// AWS accepts at most 256 characters.
pub(crate) fn version_description(text: &str) -> Result<String, String> {
    let length = rollout::note::length(text);
    if length <= 256 { Ok(text.to_owned()) } else { Err(format!("{length} characters; AWS accepts at most 256")) }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) name: String,
    /// The partition, Region and account of its ARN, where one was given.
    pub(crate) place: Option<[String; 3]>,
}

pub(crate) fn alarm(text: &str) -> Result<Alarm, String> {
    let (name, place) = match Arn::parse(text).and_then(|arn| Some((arn.alarm()?, arn))) {
        Some((name, arn)) => (name, Some([arn.partition, arn.region, arn.account].map(str::to_owned))),
        None if Arn::is_meant(text) => {
            return Err(
                "expected the ARN of an alarm, such as `arn:aws:cloudwatch:eu-west-1:123456789012:alarm:HelloErrors`".to_owned()
            );
        }
        None => (text, None),
    };
    let sound = (1..=255).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if sound { Ok(Alarm { name: name.to_owned(), place }) } else { Err("expected 1 to 255 characters".to_owned()) }
}
