//! What may a value be on the command line? Times, shares, names, each with what was expected in its error.

use std::time::Duration;

use rollout::note::RolloutId;
use rollout::{Arn, Weight};

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let span = humantime::parse_duration(text).map_err(|error| format!("{error}; such as `30s`, `5m`, `1h30m`"))?;
    let longest = Duration::from_hours(48);
    if span > longest { Err("48 hours are the longest".to_owned()) } else { Ok(span) }
}

pub(crate) fn poll(text: &str) -> Result<Duration, String> {
    let (span, shortest, longest) = (duration(text)?, Duration::from_millis(100), Duration::from_mins(1));
    if (shortest..=longest).contains(&span) { Ok(span) } else { Err("from 100ms to 1m".to_owned()) }
}

pub(crate) fn limit(text: &str) -> Result<Duration, String> {
    let span = duration(text)?;
    if span < Duration::from_secs(1) { Err("1s and more".to_owned()) } else { Ok(span) }
}

pub(crate) fn percent(text: &str) -> Result<Weight, String> {
    let weight = Weight::parse_percent(text.trim()).filter(|weight| !weight.is_zero());
    weight.ok_or_else(|| "a share lies above 0 and up to 100, with two decimals at most".to_owned())
}

pub(crate) fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "a number".to_owned())?;
    if (0.1..=100_000.0).contains(&speed) { Ok(speed) } else { Err("from 0.1 to 100000".to_owned()) }
}

pub(crate) fn image(text: &str) -> Result<String, String> {
    let sound = !text.is_empty() && text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if sound { Ok(text.to_owned()) } else { Err("the URI of an image, without blanks".to_owned()) }
}

pub(crate) fn rollout_id(text: &str) -> Result<RolloutId, String> {
    text.parse().map_err(|()| "eight hexadecimal digits, as `canaryctl status` shows them".to_owned())
}

/// AWS takes 256 characters.
pub(crate) fn version_description(text: &str) -> Result<String, String> {
    let length = rollout::note::length(text);
    if length <= 256 { Ok(text.to_owned()) } else { Err(format!("{length} characters; AWS takes 256")) }
}

/// An alarm, by name or by ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) name: String,
    /// Where its ARN says it is.
    pub(crate) region: Option<String>,
}

pub(crate) fn alarm(text: &str) -> Result<Alarm, String> {
    let (name, region) = match Arn::parse(text).and_then(|arn| Some((arn.alarm()?, arn.region))) {
        Some((name, region)) => (name, Some(region.to_owned())),
        None if Arn::is_meant(text) => {
            return Err("no ARN of an alarm, such as `arn:aws:cloudwatch:eu-west-1:123456789012:alarm:HelloErrors`".to_owned());
        }
        None => (text, None),
    };
    let sound = (1..=255).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if sound { Ok(Alarm { name: name.to_owned(), region }) } else { Err("1 to 255 characters".to_owned()) }
}
