//! Which state do these periods put an alarm into?
//!
//! A pure function of the periods, so that a table can check it. It neither reads metrics nor changes an alarm.

use super::alarm::{MissingData, Watch};
use super::metrics::Point;
use super::state::AlarmState;

/// How many periods an evaluation looks at beyond those it needs, for the case that some have no data. The documentation's worked
/// examples retrieve 5 for 3, and 3 for 1.
const EXTRA_PERIODS: u32 = 2;

pub(super) const fn range(watch: &Watch) -> u32 {
    watch.evaluation_periods.saturating_add(EXTRA_PERIODS)
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    /// `None`: the state stays.
    pub(super) state: Option<AlarmState>,
    /// The real data that were looked at, the latest first.
    pub(super) points: Vec<Point>,
    pub(super) filled: usize,
}

/// Judges the retrieved periods, the oldest first.
pub(super) fn evaluate(watch: &Watch, retrieved: &[Option<Point>]) -> Finding {
    let needed = usize::try_from(watch.evaluation_periods).unwrap_or(usize::MAX);
    let points: Vec<Point> = retrieved.iter().rev().filter_map(|point| *point).take(needed).collect();
    let filled = needed - points.len();
    let state = judge(watch, retrieved, &points, filled);
    Finding { state, points, filled }
}

fn judge(watch: &Watch, retrieved: &[Option<Point>], points: &[Point], filled: usize) -> Option<AlarmState> {
    let wanted = usize::try_from(watch.wanted()).unwrap_or(usize::MAX);
    if watch.ignore_low_samples == Some(true) && points.iter().any(|point| point.samples < watch.statistic.samples_wanted()) {
        return None;
    }
    let breaching = points.iter().filter(|point| breaches(watch, point)).count();
    let verdict = |breaching: usize| Some(if breaching >= wanted { AlarmState::Alarm } else { AlarmState::Ok });
    let treatment = watch.missing_data.unwrap_or(MissingData::Missing);
    if filled == 0 || breaching >= wanted {
        return verdict(breaching);
    }
    match treatment {
        MissingData::Breaching => verdict(breaching + filled),
        MissingData::NotBreaching => verdict(breaching),
        MissingData::Missing if points.is_empty() => Some(AlarmState::InsufficientData),
        MissingData::Ignore if breaching == points.len() => None,
        // Too few, but all real ones breach, and the oldest of them would have had time to be followed by a good one.
        MissingData::Missing if breaching == points.len() && oldest(retrieved) >= wanted => Some(AlarmState::Alarm),
        MissingData::Missing | MissingData::Ignore => Some(AlarmState::Ok),
    }
}

fn breaches(watch: &Watch, point: &Point) -> bool {
    watch.comparison.breaches(point.value, watch.threshold)
}

/// How many periods ago the oldest real one is; the latest is 1.
fn oldest(retrieved: &[Option<Point>]) -> usize {
    retrieved.iter().position(Option::is_some).map_or(0, |place| retrieved.len() - place)
}

/// The points of a finding that speak for its state.
pub(super) fn speaking(watch: &Watch, points: &[Point], state: AlarmState) -> Vec<Point> {
    points.iter().filter(|point| breaches(watch, point) == (state == AlarmState::Alarm)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::alarm::Comparison;
    use crate::cloudwatch::statistic::Statistic;
    use crate::cloudwatch::tests::watch;
    use crate::time::Time;

    /// `0` within the threshold, `X` beyond it, `-` missing; the latest on the right.
    fn periods(pattern: &str) -> Vec<Option<Point>> {
        let point = |(minute, sign): (i64, char)| {
            let value = match sign {
                '0' => 0.0,
                'X' => 5.0,
                _ => return None,
            };
            Some(Point { start: Time::from_millis(minute * 60_000), value, samples: 1.0 })
        };
        (0..).zip(pattern.chars()).map(point).collect()
    }

    fn letter(state: Option<AlarmState>) -> char {
        match state {
            Some(AlarmState::Ok) => 'O',
            Some(AlarmState::Alarm) => 'A',
            Some(AlarmState::InsufficientData) => 'I',
            None => '=',
        }
    }

    /// Checks rows of pattern, number of filled periods, and the state for missing, ignore, breaching and notBreaching.
    fn check(wanted: u32, periods_needed: u32, rows: &[(&str, usize, &str)]) {
        for (pattern, filled, states) in rows {
            let findings: Vec<_> = MissingData::ALL
                .iter()
                .map(|treatment| evaluate(&watch(wanted, periods_needed, Some(*treatment)), &periods(pattern)))
                .collect();
            let found: String = findings.iter().map(|finding| letter(finding.state)).collect();
            assert_eq!(found, *states, "{wanted} of {periods_needed} on {pattern}");
            assert!(findings.iter().all(|finding| finding.filled == *filled), "{pattern}: {findings:?}");
        }
    }

    #[test]
    fn the_documented_table_for_three_of_three() {
        check(
            3,
            3,
            &[
                ("0-X-X", 0, "OOOO"),
                ("0----", 2, "OOOO"),
                ("-----", 3, "I=AO"),
                ("0XX-X", 0, "AAAA"),
                ("--X--", 2, "A=AO"),
                // "Avoiding premature transitions": not at once, and not once a good one follows.
                ("----X", 2, "O=AO"),
                ("---X-", 2, "O=AO"),
                ("---X0", 1, "OOOO"),
                ("--X-0", 1, "OOOO"),
                ("XXXXX", 0, "AAAA"),
                ("XX0XX", 0, "OOOO"),
                ("XXX-X", 0, "AAAA"),
                ("-XX-X", 0, "AAAA"),
            ],
        );
    }

    #[test]
    fn the_documented_table_for_two_of_three() {
        check(
            2,
            3,
            &[
                ("0-X-X", 0, "AAAA"),
                ("00X0X", 0, "AAAA"),
                ("0-X--", 1, "OOAO"),
                ("----0", 2, "OOAO"),
                ("---X-", 2, "A=AO"),
                ("----X", 2, "O=AO"),
                ("-X--X", 1, "AAAA"),
                ("X000-", 0, "OOOO"),
                ("XX000", 0, "OOOO"),
            ],
        );
    }

    #[test]
    fn one_of_one_looks_two_further_back() {
        check(1, 1, &[("0X0", 0, "OOOO"), ("00X", 0, "AAAA"), ("X--", 0, "AAAA"), ("0--", 0, "OOOO"), ("---", 1, "I=AO")]);
    }

    #[test]
    fn every_pattern_obeys_what_every_treatment_promises() {
        for code in 0..3_usize.pow(5) {
            let pattern: String = (0..5).map(|place| ['0', 'X', '-'][code / 3_usize.pow(place) % 3]).collect();
            let real = pattern.chars().filter(|sign| *sign != '-').count();
            for wanted in 1..=3 {
                let state = |treatment| letter(evaluate(&watch(wanted, 3, Some(treatment)), &periods(&pattern)).state);
                let states: String = MissingData::ALL.iter().copied().map(state).collect();
                if real >= 3 {
                    assert!(["OOOO", "AAAA"].contains(&states.as_str()), "enough data: {pattern} {states}");
                }
                assert!("OA".contains(state(MissingData::Breaching)), "{pattern} {states}");
                assert!("OA".contains(state(MissingData::NotBreaching)), "{pattern} {states}");
                assert_eq!(state(MissingData::Missing) == 'I', real == 0, "{pattern} {states}");
                if !pattern.contains('X') {
                    assert!(!states.starts_with('A') && !states.ends_with('A'), "nothing breached: {pattern} {states}");
                }
            }
        }
    }

    #[test]
    fn every_comparison_has_its_edge() {
        for (comparison, below, equal, above) in [
            (Comparison::GreaterOrEqual, false, true, true),
            (Comparison::Greater, false, false, true),
            (Comparison::Less, true, false, false),
            (Comparison::LessOrEqual, true, true, false),
        ] {
            assert_eq!([0.5, 1.0, 1.5].map(|value| comparison.breaches(value, 1.0)), [below, equal, above]);
            assert_eq!(Comparison::parse(comparison.name()), Some(comparison));
        }
    }

    #[test]
    fn too_few_samples_for_a_percentile_change_nothing_if_asked() {
        let base = Watch { statistic: Statistic::parse("p90").unwrap(), ..watch(1, 1, Some(MissingData::Missing)) };
        let state = |ignore| evaluate(&Watch { ignore_low_samples: ignore, ..base.clone() }, &periods("00X")).state;
        assert_eq!(
            (state(None), state(Some(false)), state(Some(true))),
            (Some(AlarmState::Alarm), Some(AlarmState::Alarm), None)
        );
        let mut many = periods("00X");
        many.iter_mut().flatten().for_each(|point| point.samples = 100.0);
        let enough = evaluate(&Watch { ignore_low_samples: Some(true), ..base }, &many);
        assert_eq!(enough.state, Some(AlarmState::Alarm));
    }
}
