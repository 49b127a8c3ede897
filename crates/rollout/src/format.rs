//! How are numbers written for people? Parts of a whole, counts and spans of time: decided here and nowhere else.

use std::fmt::Display;
use std::time::Duration;

/// A percentage with its sign: `10%`. How many digits it has is the caller's choice.
pub fn percent(number: impl Display) -> String {
    format!("{number}%")
}

/// A part of a whole, with as many digits as it is worth: `5.3%`, `0.12%`; `no data` where the whole is nothing.
pub fn rate(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "no data".to_owned();
    }
    // In parts of ten thousand, a hundredth of a percent.
    let parts = |of: u128| (u128::from(part) * of + u128::from(whole) / 2) / u128::from(whole);
    match (parts(10_000), parts(1_000)) {
        (0, _) => percent(0),
        (hundredths @ 1..100, _) => percent(format_args!("0.{hundredths:02}")),
        (_, tenths @ ..100) => percent(format_args!("{}.{}", tenths / 10, tenths % 10)),
        (_, _) => percent(parts(100)),
    }
}

/// A count: `1,530`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A span of time that was measured, as exact as it is worth: `0.3s`, `4s`, `3m`, `1m 49s`, `2h`, `1h 5m`.
pub fn duration(span: Duration) -> String {
    let tenths = span.as_millis().saturating_add(50) / 100;
    if tenths < 100 {
        return match (tenths / 10, tenths % 10) {
            (0, 0) if !span.is_zero() => "under 0.1s".to_owned(),
            (whole, 0) => format!("{whole}s"),
            (whole, part) => format!("{whole}.{part}s"),
        };
    }
    let seconds = span.as_millis().saturating_add(500) / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, 0, _) => format!("{hours}h"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

/// A span of time that was set, in the form in which an option takes it, nothing rounded: `10m`, `1h 30m`. Names of schedules and
/// rules have it, and plans are known by those: it stays as it is.
pub fn exact(span: Duration) -> String {
    humantime::format_duration(span).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_as_many_digits_as_it_is_worth() {
        for (part, whole, described) in [
            (0, 0, "no data"),
            (0, 1_530, "0%"),
            (1, 480, "0.21%"),
            (1, 1_000_000, "0%"),
            (9, 170, "5.3%"),
            (8, 1_530, "0.52%"),
            (99, 100, "99%"),
            (170, 170, "100%"),
            (u64::MAX, u64::MAX, "100%"),
        ] {
            assert_eq!(rate(part, whole), described, "{part} of {whole}");
        }
    }

    #[test]
    fn counts_are_grouped() {
        for (count, described) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(count), described);
        }
    }

    #[test]
    fn spans_read_as_people_say_them() {
        let rows = [
            (0, "0s"),
            (20, "under 0.1s"),
            (300, "0.3s"),
            (1_400, "1.4s"),
            (4_000, "4s"),
            (9_940, "9.9s"),
            (9_960, "10s"),
            (59_600, "1m"),
            (109_000, "1m 49s"),
            (180_000, "3m"),
            (3_600_000, "1h"),
            (3_900_000, "1h 5m"),
            (172_800_000, "48h"),
        ];
        for (millis, text) in rows {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
        assert!(!duration(Duration::MAX).is_empty());
    }
}
