//! How is a moment written? ISO 8601 for the Query protocol and the JSON inside answers, and the two forms in which
//! state reasons name a time.
//!
//! UTC only: the service never shows another zone.

use crate::time::Time;

const DAY_MS: i64 = 86_400_000;

/// A moment taken apart.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    milli: i64,
    weekday: usize,
}

fn civil(at: Time) -> Civil {
    let (days, rest) = (at.as_millis().div_euclid(DAY_MS), at.as_millis().rem_euclid(DAY_MS));
    // Days counted in eras of 400 years that begin on the first of March, so that a leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * from_march + 2) / 5 + 1,
        hour: rest / 3_600_000,
        minute: rest / 60_000 % 60,
        second: rest / 1_000 % 60,
        milli: rest % 1_000,
        // The first of January 1970 was a Thursday.
        weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
    }
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// `2026-11-23T14:03:00.000Z`.
pub(crate) fn iso(at: Time) -> String {
    let Civil { year, month, day, hour, minute, second, milli, .. } = civil(at);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// `2026-11-23T14:03:00.000+0000`, as the JSON of reasons and histories has it.
pub(crate) fn iso_with_offset(at: Time) -> String {
    let text = iso(at);
    format!("{}+0000", text.trim_end_matches('Z'))
}

/// `23/11/26 14:03:00`, as state reasons have it.
pub(crate) fn short(at: Time) -> String {
    let Civil { year, month, day, hour, minute, second, .. } = civil(at);
    format!("{day:02}/{month:02}/{:02} {hour:02}:{minute:02}:{second:02}", year.rem_euclid(100))
}

/// `Monday 23 November, 2026 14:03:00 UTC`, as the state reasons of composite alarms have it.
pub(crate) fn long(at: Time) -> String {
    const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let Civil { year, month, day, hour, minute, second, weekday, .. } = civil(at);
    let name = usize::try_from(month - 1).ok().and_then(|index| MONTHS.get(index)).copied().unwrap_or_default();
    let weekday = DAYS.get(weekday).copied().unwrap_or_default();
    format!("{weekday} {day:02} {name}, {year} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Reads `2026-11-23T14:03:00Z`, with or without fractions, seconds, a time of day or an offset.
pub(crate) fn parse(text: &str) -> Option<Time> {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
    let mut parts = date.splitn(3, '-').map(number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let (clock, offset) = match time.find(['Z', 'z', '+', '-']) {
        Some(place) => (time.get(..place)?, time.get(place..)?),
        None => (time, ""),
    };
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.splitn(3, ':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let milli = number(format!("{fraction:0<3}").get(..3)?)?;
    let valid = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !valid || hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let of_day = ((hour * 60 + minute - offset_minutes(offset)?) * 60 + second) * 1_000 + milli;
    Some(Time::from_millis(days_from_civil(year, month, day) * DAY_MS + of_day))
}

fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn offset_minutes(text: &str) -> Option<i64> {
    let digits = match text {
        "" | "Z" | "z" => return Some(0),
        signed => signed.get(1..)?.replace(':', ""),
    };
    let minutes = number(digits.get(..2)?)? * 60 + number(digits.get(2..).filter(|rest| !rest.is_empty()).unwrap_or("0"))?;
    Some(if text.starts_with('-') { -minutes } else { minutes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_four_spellings() {
        let at = Time::from_millis(1_795_442_580_007);
        assert_eq!(iso(at), "2026-11-23T14:03:00.007Z");
        assert_eq!(iso_with_offset(at), "2026-11-23T14:03:00.007+0000");
        assert_eq!(short(at), "23/11/26 14:03:00");
        assert_eq!(long(at), "Monday 23 November, 2026 14:03:00 UTC");
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
            let at = Time::from_millis(day * DAY_MS);
            if civil(at).year >= 1 && civil(at).year <= 9999 {
                assert_eq!(parse(&iso(at)), Some(at), "{}", iso(at));
            }
        }
        assert_eq!(parse("2024-02-29T00:00:00Z").map(iso).as_deref(), Some("2024-02-29T00:00:00.000Z"));
    }
}
