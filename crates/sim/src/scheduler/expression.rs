//! When does a schedule come round? What its expression says, of `rate` and `at`; `cron` is not known to this simulation.

use std::time::Duration;

use crate::calendar;
use crate::time::Time;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// Again and again.
    Rate(Duration),
    /// Once.
    At(Time),
}

impl Expression {
    /// `rate(5 minutes)` or `at(2026-11-23T14:03:00)`, spelt exactly so.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, said) = text.strip_suffix(')')?.split_once('(')?;
        match kind {
            "rate" => {
                let (number, unit) = said.split_once(' ')?;
                let number: u32 = number.parse().ok().filter(|number| *number > 0)?;
                // The documentation has the singular for 1 and the plural for all others; whether the service insists is a guess.
                let unit = match unit.strip_suffix('s').unwrap_or(unit) {
                    "minute" => Duration::from_mins(1),
                    "hour" => Duration::from_hours(1),
                    "day" => Duration::from_hours(24),
                    _ => return None,
                };
                Some(Self::Rate(unit * number))
            }
            "at" if said.len() == "2026-11-23T14:03:00".len() && said.contains('T') => calendar::parse(said).map(Self::At),
            _ => None,
        }
    }

    /// The first time at or after `from` that it comes round, counted from `start`.
    pub(super) fn first(self, start: Time, from: Time) -> Option<Time> {
        match self {
            Self::At(at) => (at >= from).then_some(at),
            Self::Rate(every) => {
                let every_millis = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
                let passed = (from.as_millis() - start.as_millis()).max(0);
                let rounds = passed.div_euclid(every_millis) + i64::from(passed.rem_euclid(every_millis) > 0);
                Some(Time::from_millis(start.as_millis().saturating_add(rounds.saturating_mul(every_millis))))
            }
        }
    }

    /// The time after this one.
    pub(super) fn next(self, at: Time) -> Option<Time> {
        match self {
            Self::At(_) => None,
            Self::Rate(every) => Some(at + every),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_spelt_exactly() {
        assert_eq!(Expression::parse("rate(1 minute)"), Some(Expression::Rate(Duration::from_mins(1))));
        assert_eq!(Expression::parse("rate(12 hours)"), Some(Expression::Rate(Duration::from_hours(12))));
        assert_eq!(Expression::parse("rate(2 days)"), Some(Expression::Rate(Duration::from_hours(48))));
        let at = Expression::At(Time::from_millis(1_795_442_580_000));
        assert_eq!(Expression::parse("at(2026-11-23T14:03:00)"), Some(at));
        // As AWS was recorded to refuse them.
        for text in [
            "rate(10 seconds)",
            "rate(10 years)",
            "rate()",
            "rate(10)",
            "rate(10 minutess)",
            "rate(foo minutes)",
            "rate(0 minutes)",
            "rate(-10 minutes)",
            "rate( 10 minutes )",
            " rate(10 minutes)",
            "at(2021-12-31T23:59:59Z)",
            "at(2021-12-31)",
        ] {
            assert_eq!(Expression::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_rate_keeps_to_its_start() {
        let minute = Expression::Rate(Duration::from_mins(1));
        let at = Time::from_millis;
        for (from, first) in [(0, 7_000), (7_000, 7_000), (7_001, 67_000), (67_000, 67_000), (600_000, 607_000)] {
            assert_eq!(minute.first(at(7_000), at(from)), Some(at(first)), "{from}");
        }
        assert_eq!(Expression::At(at(5)).first(at(0), at(6)), None);
    }
}
