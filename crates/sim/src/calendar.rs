//! How is a moment written? ISO 8601 for the Query protocol and the JSON inside answers, the two forms in which state
//! reasons name a time, and HTTP's own.
//!
//! UTC only: the service never shows another zone.

use ::time::parsing::Parsed;
use ::time::{OffsetDateTime, format_description};

use crate::time::Time;

/// A moment as date and time. Requests with a year of more than four digits are refused before.
fn civil(at: Time) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_millis()) * NANOS).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// `14:03:00`.
fn clock(at: OffsetDateTime) -> String {
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

/// `2026-11-23T14:03:00.000`, to which a zone is to be added.
fn local(at: Time) -> String {
    let at = civil(at);
    format!("{}T{}.{:03}", at.date(), clock(at), at.millisecond())
}

/// `2026/11/23`, as the names of log streams have it.
pub(crate) fn day(at: Time) -> String {
    let at = civil(at);
    format!("{:04}/{:02}/{:02}", at.year(), u8::from(at.month()), at.day())
}

/// `2026-11-23 14:03:00.000`, as the results of queries of logs have it.
pub(crate) fn spaced(at: Time) -> String {
    local(at).replacen('T', " ", 1)
}

/// `2026-11-23T14:03:00.000Z`.
pub(crate) fn iso(at: Time) -> String {
    local(at) + "Z"
}

/// `2026-11-23T14:03:00.000+0000`, as Lambda and the JSON of reasons and histories have it.
pub(crate) fn iso_with_offset(at: Time) -> String {
    local(at) + "+0000"
}

/// `23/11/26 14:03:00`, as state reasons have it.
pub(crate) fn short(at: Time) -> String {
    let at = civil(at);
    format!("{:02}/{:02}/{:02} {}", at.day(), u8::from(at.month()), at.year().rem_euclid(100), clock(at))
}

/// `Monday 23 November, 2026 14:03:00 UTC`, as the state reasons of composite alarms have it.
pub(crate) fn long(at: Time) -> String {
    let at = civil(at);
    format!("{} {:02} {}, {} {} UTC", at.weekday(), at.day(), at.month(), at.year(), clock(at))
}

/// `Mon, 23 Nov 2026 14:03:00 GMT`, as HTTP has it.
pub(crate) fn http(at: Time) -> String {
    let at = civil(at);
    format!("{:.3}, {:02} {:.3} {:04} {} GMT", at.weekday(), at.day(), at.month(), at.year(), clock(at))
}

/// Reads `2026-11-23T14:03:00Z`, with or without fractions, seconds, a time of day or an offset.
pub(crate) fn parse(text: &str) -> Option<Time> {
    let spellings = format_description::parse_owned::<2>(SPELLINGS).ok()?;
    let mut parsed = Parsed::new();
    // What may be left out: the time of day and the offset.
    parsed.set_hour_24(0)?;
    parsed.set_minute(0)?;
    parsed.set_offset_hour(0)?;
    let rest = parsed.parse_item(text.as_bytes(), &spellings).ok()?;
    let at = OffsetDateTime::try_from(parsed).ok().filter(|_| rest.is_empty())?;
    i64::try_from(at.unix_timestamp_nanos().div_euclid(NANOS)).ok().map(Time::from_millis)
}

const NANOS: i128 = 1_000_000;
const SPELLINGS: &str = "[year]-[month]-[day]\
    [optional [[first [T] [ ]][hour]:[minute][optional [:[second][optional [.[subsecond]]]]]\
    [optional [[first [Z] [z] [[offset_hour sign:mandatory][optional [:]][optional [[offset_minute]]]]]]]]]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_five_spellings() {
        let at = Time::from_millis(1_795_442_580_007);
        assert_eq!(iso(at), "2026-11-23T14:03:00.007Z");
        assert_eq!(iso_with_offset(at), "2026-11-23T14:03:00.007+0000");
        assert_eq!(short(at), "23/11/26 14:03:00");
        assert_eq!(long(at), "Monday 23 November, 2026 14:03:00 UTC");
        assert_eq!(http(at), "Mon, 23 Nov 2026 14:03:00 GMT");
    }

    #[test]
    fn every_spelling_of_iso_8601_is_read() {
        let at = Some(Time::from_millis(1_795_442_580_000));
        for text in ["2026-11-23T14:03:00Z", "2026-11-23T14:03Z", "2026-11-23T15:03:00.000+01:00", "2026-11-23 14:03:00"] {
            assert_eq!(parse(text), at, "{text}");
        }
        for text in ["", "tomorrow", "2026-13-01T00:00:00Z", "2026-11-23T", "2026-11-23T1:é", "2026-11-23T00:00:00+é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn leap_days_survive() {
        for day in (-800_000..800_000).step_by(37) {
            let at = Time::from_millis(day * 86_400_000);
            if (1..=9999).contains(&civil(at).year()) {
                assert_eq!(parse(&iso(at)), Some(at), "{}", iso(at));
            }
        }
        assert_eq!(parse("2024-02-29T00:00:00Z").map(iso).as_deref(), Some("2024-02-29T00:00:00.000Z"));
    }
}
