//! Why is an alarm in its state? The sentences and the JSON that an alarm shows and its history keeps.
//!
//! Words only: what the state is has been decided before.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::alarm::{MissingData, Watch};
use super::evaluation::{Finding, speaking};
use super::metrics::Point;
use super::state::AlarmState;
use crate::calendar::{iso_with_offset, long, short};
use crate::time::Time;
use crate::value::present;

pub(super) const CREATED: &str = "Unchecked: Initial alarm creation";

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Why an evaluation led to `state`.
pub(super) fn of_metric(watch: &Watch, finding: &Finding, state: AlarmState) -> String {
    let treatment = match watch.missing_data {
        Some(MissingData::Breaching) => Some("Breaching"),
        Some(MissingData::NotBreaching) => Some("NonBreaching"),
        Some(MissingData::Missing | MissingData::Ignore) | None => None,
    };
    match treatment {
        _ if state == AlarmState::InsufficientData => {
            let were = if finding.filled == 1 { "was" } else { "were" };
            format!("Insufficient Data: {} {were} unknown.", counted(finding.filled, "datapoint"))
        }
        Some(treatment) if finding.filled > 0 => filled(watch, finding, treatment),
        Some(_) | None => crossed(watch, finding, state),
    }
}

fn filled(watch: &Watch, finding: &Finding, treatment: &str) -> String {
    let received = match finding.points.len() {
        0 => "no datapoints were".to_owned(),
        1 => "1 datapoint was".to_owned(),
        many => format!("{many} datapoints were"),
    };
    let periods = counted(usize::try_from(watch.evaluation_periods).unwrap_or(usize::MAX), "period");
    let (missing, were) = (counted(finding.filled, "missing datapoint"), if finding.filled == 1 { "was" } else { "were" });
    format!("Threshold Crossed: {received} received for {periods} and {missing} {were} treated as [{treatment}].")
}

fn crossed(watch: &Watch, finding: &Finding, state: AlarmState) -> String {
    let speaking = speaking(watch, &finding.points, state);
    let values: Vec<_> = speaking.iter().map(|point| format!("{:?} ({})", point.value, short(point.start))).collect();
    let (needed, wanted) = (watch.evaluation_periods, watch.wanted());
    let (not, least, change) = match state {
        AlarmState::Alarm => ("", wanted, "OK -> ALARM"),
        AlarmState::Ok | AlarmState::InsufficientData => ("not ", needed + 1 - wanted.min(needed), "ALARM -> OK"),
    };
    let were = if speaking.len() == 1 { "was" } else { "were" };
    if watch.datapoints_to_alarm.is_none() {
        let (count, values, words) = (counted(speaking.len(), "datapoint"), values.join(", "), watch.comparison.words());
        return format!("Threshold Crossed: {count} [{values}] {were} {not}{words} the threshold ({:?}).", watch.threshold);
    }
    format!(
        "Threshold Crossed: {} out of the last {} datapoints [{}] {were} {not}{} the threshold ({:?}) (minimum {} for {change} transition).",
        speaking.len(),
        finding.points.len(),
        values.join(", "),
        watch.comparison.words(),
        watch.threshold,
        counted(usize::try_from(least).unwrap_or(usize::MAX), "datapoint"),
    )
}

pub(super) fn data_of_metric(watch: &Watch, finding: &Finding, now: Time, window: Duration, end: Time) -> String {
    let recent: Vec<_> = finding.points.iter().rev().map(|point| point.value).collect();
    // Only missing data was judged, by the alarm's rule for it: no data begins anywhere.
    let nothing =
        finding.points.is_empty() && matches!(watch.missing_data, Some(MissingData::Breaching | MissingData::NotBreaching));
    let evaluated: Vec<Json> = if nothing {
        let missing = (1..=watch.evaluation_periods).map(|back| end - watch.length() * back);
        missing.map(|start| json!({ "timestamp": iso_with_offset(start) })).collect()
    } else {
        finding.points.iter().map(evaluated).collect()
    };
    let start = finding.points.last().map_or(end - window, |point| point.start);
    let mut data = json!({
        "version": "1.0",
        "queryDate": iso_with_offset(now),
        "startDate": Some(iso_with_offset(start)).filter(|_| !nothing),
        "statistic": watch.statistic.name(),
        "period": watch.period,
        "recentDatapoints": recent,
        "threshold": watch.threshold,
        "evaluatedDatapoints": evaluated,
    });
    if let Some(unit) = &watch.unit {
        data["unit"] = json!(unit);
    }
    present(data).to_string()
}

fn evaluated(point: &Point) -> Json {
    json!({ "timestamp": iso_with_offset(point.start), "sampleCount": point.samples, "value": point.value })
}

/// Why a composite alarm changed: the alarm whose change made it.
pub(super) fn of_composite(cause: &str, state: AlarmState, at: Time) -> String {
    format!("{cause} transitioned to {} at {}", state.name(), long(at))
}

pub(super) fn data_of_composite(cause: &str, state: AlarmState, at: Time) -> String {
    json!({ "triggeringAlarms": [{ "arn": cause, "state": { "value": state.name(), "timestamp": iso_with_offset(at) } }] })
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::tests::watch;

    fn point(minute: i64, value: f64) -> Point {
        Point { start: Time::from_millis(1_795_442_580_000 + minute * 60_000), value, samples: 3.0 }
    }

    #[test]
    fn the_sentences_are_the_services() {
        let one = Finding { state: Some(AlarmState::Alarm), points: vec![point(0, 7.0)], filled: 0 };
        assert_eq!(
            of_metric(&watch(1, 1, None), &one, AlarmState::Alarm),
            "Threshold Crossed: 1 out of the last 1 datapoints [7.0 (23/11/26 14:03:00)] was greater than or equal to the threshold \
             (1.0) (minimum 1 datapoint for OK -> ALARM transition)."
        );
        let good = Finding { points: vec![point(2, 0.0), point(1, 0.5), point(0, 9.0)], ..one.clone() };
        assert_eq!(
            of_metric(&watch(2, 3, None), &good, AlarmState::Ok),
            "Threshold Crossed: 2 out of the last 3 datapoints [0.0 (23/11/26 14:05:00), 0.5 (23/11/26 14:04:00)] were not greater \
             than or equal to the threshold (1.0) (minimum 2 datapoints for ALARM -> OK transition)."
        );
        let none = Finding { points: vec![], filled: 3, ..one.clone() };
        assert_eq!(
            of_metric(&watch(3, 3, Some(MissingData::Breaching)), &none, AlarmState::Alarm),
            "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as [Breaching]."
        );
        assert_eq!(
            of_metric(&watch(3, 3, None), &none, AlarmState::InsufficientData),
            "Insufficient Data: 3 datapoints were unknown."
        );
        let few = Finding { points: vec![point(0, 0.0)], filled: 1, ..one };
        assert_eq!(
            of_metric(&watch(1, 2, Some(MissingData::NotBreaching)), &few, AlarmState::Ok),
            "Threshold Crossed: 1 datapoint was received for 2 periods and 1 missing datapoint was treated as [NonBreaching]."
        );
    }

    #[test]
    fn the_data_of_periods_without_any_are_their_times() {
        let none = Finding { state: Some(AlarmState::Alarm), points: vec![], filled: 2 };
        let end = point(2, 0.0).start;
        let data = |missing| {
            let watch = watch(2, 2, missing);
            let told = data_of_metric(&watch, &none, end, watch.length() * 2, end);
            serde_json::from_str::<Json>(&told).unwrap()
        };
        let breaching = data(Some(MissingData::Breaching));
        let times = [point(1, 0.0), point(0, 0.0)].map(|point| json!({ "timestamp": iso_with_offset(point.start) }));
        assert_eq!((&breaching["evaluatedDatapoints"], breaching.get("startDate")), (&json!(times), None));
        let unknown = data(None);
        assert_eq!((&unknown["evaluatedDatapoints"], unknown["startDate"].is_string()), (&json!([]), true));
    }
}
