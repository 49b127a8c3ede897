//! Is a request about metrics in order, what does it give, and which metrics are there?
//!
//! Also reads what requests about alarms say of metrics: dimensions and units. Numbers are computed elsewhere.

use std::time::Duration;

use serde_json::{Value, json};

use super::metrics::{Datum, Metric, Metrics};
use super::parameters::Parameters;
use super::statistic::Summary;
use crate::time::Time;
use crate::value::Fault;

const UNITS: &str = "Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Gigabytes Terabytes Bits Kilobits Megabits Gigabits \
    Terabits Percent Count Bytes/Second Kilobytes/Second Megabytes/Second Gigabytes/Second Terabytes/Second Bits/Second \
    Kilobits/Second Megabits/Second Gigabits/Second Terabits/Second Count/Second None";
const DIMENSIONS: usize = 30;
const DATA: usize = 1_000;
const VALUES: usize = 150;
const LISTED: u32 = 500;
const HOUR: Duration = Duration::from_hours(1);
const TWO_WEEKS: Duration = Duration::from_hours(14 * 24);

pub(super) fn dimensions(request: Parameters<'_>) -> Result<Vec<(String, String)>, Fault> {
    let named = request.structures("Dimensions")?;
    if named.len() > DIMENSIONS {
        return Err(Fault::parameter(format!("The collection Dimensions must not have a size greater than {DIMENSIONS}.")));
    }
    let mut dimensions: Vec<(String, String)> = Vec::with_capacity(named.len());
    for dimension in named {
        let (name, value) = (dimension.required_text("Name", 255)?, dimension.required_text("Value", 1_024)?);
        if dimensions.iter().any(|(known, _)| known == name) {
            return Err(Fault::parameter(format!("The dimension {name} is given twice.")));
        }
        dimensions.push((name.to_owned(), value.to_owned()));
    }
    Ok(dimensions)
}

pub(super) fn shown_dimensions(dimensions: &[(String, String)]) -> Value {
    dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect()
}

pub(super) fn unit(request: Parameters<'_>) -> Result<Option<&str>, Fault> {
    request.word("Unit", &UNITS.split(' ').collect::<Vec<_>>())
}

struct Given<'a> {
    name: &'a str,
    dimensions: Vec<(String, String)>,
    unit: &'a str,
    stamp: Time,
    resolution: i64,
    data: Vec<Datum>,
}

pub(super) fn put_metric_data(metrics: &mut Metrics, now: Time, request: Parameters<'_>) -> Result<(), Fault> {
    let namespace = request.required_text("Namespace", 255)?;
    if namespace.starts_with("AWS/") || namespace.starts_with(':') {
        return Err(Fault::parameter(format!("The value {namespace} for parameter Namespace is invalid.")));
    }
    if request.has("EntityMetricData") {
        return Err(Fault::parameter("EntityMetricData is not supported by this simulation."));
    }
    let data = request.structures("MetricData")?;
    if data.len() == 0 {
        return request.required("MetricData", None);
    }
    if data.len() > DATA {
        return Err(Fault::parameter(format!("The collection MetricData must not have a size greater than {DATA}.")));
    }
    // All or nothing: one bad datum refuses them all.
    let given: Vec<_> = (1..).zip(data).map(|(number, datum)| read(now, number, datum)).collect::<Result<_, _>>()?;
    let lag = metrics.draw_lag();
    for Given { name, dimensions, unit, stamp, resolution, data } in given {
        let series = metrics.series(namespace, name, &dimensions, unit);
        metrics.give(now, stamp, lag, resolution, data.into_iter().map(|datum| (series, datum)));
    }
    Ok(())
}

fn read(now: Time, number: usize, datum: Parameters<'_>) -> Result<Given<'_>, Fault> {
    let place = format!("MetricData.member.{number}");
    let stamp = datum.time("Timestamp")?.unwrap_or(now);
    if stamp < now - TWO_WEEKS || stamp > now + HOUR * 2 {
        let limit = if stamp < now { "two weeks in the past" } else { "two hours in the future" };
        return Err(Fault::parameter(format!("The parameter {place}.Timestamp must specify a time no more than {limit}.")));
    }
    let resolution = match datum.integer("StorageResolution")? {
        None | Some(60) => 60,
        Some(1) => 1,
        Some(_) => return Err(Fault::parameter(format!("The parameter {place}.StorageResolution must be 1 or 60."))),
    };
    Ok(Given {
        name: datum.required_text("MetricName", 255)?,
        dimensions: dimensions(datum)?,
        unit: unit(datum)?.unwrap_or("None"),
        stamp,
        resolution,
        data: samples(&place, datum)?,
    })
}

fn samples(place: &str, datum: Parameters<'_>) -> Result<Vec<Datum>, Fault> {
    let finite = |name: &str, value: f64| {
        let in_range = value.is_finite() && value.abs() < 2_f64.powi(360);
        if in_range {
            Ok(value)
        } else {
            Err(Fault::parameter(format!("The value {value:?} for parameter {place}.{name} is invalid.")))
        }
    };
    let set = datum.structure("StatisticValues");
    // Of values and a set the service takes the values.
    let set = set.filter(|_| !datum.has("Values") || datum.has("Value"));
    match (datum.number("Value")?, set, datum.has("Values")) {
        (Some(value), None, false) => Ok(vec![Datum::Value { value: finite("Value", value)?, count: 1.0 }]),
        (None, Some(set), false) => {
            let part = |name| set.required(name, set.number(name)?).and_then(|value| finite(name, value));
            let (count, sum) = (part("SampleCount")?, part("Sum")?);
            let (minimum, maximum) = (part("Minimum")?, part("Maximum")?);
            if count <= 0.0 || minimum > maximum {
                return Err(Fault::parameter(format!("The parameter {place}.StatisticValues is inconsistent.")));
            }
            Ok(vec![Datum::Set(Box::new(Summary { count, sum, minimum, maximum }))])
        }
        (None, None, true) => {
            let (values, mut counts) = (datum.numbers("Values")?, datum.numbers("Counts")?);
            if !datum.has("Counts") {
                counts = vec![1.0; values.len()];
            }
            if values.len() != counts.len() {
                return Err(Fault::parameter(format!(
                    "The parameters {place}.Values and {place}.Counts must be of the same size."
                )));
            }
            if values.len() > VALUES || values.is_empty() {
                return Err(Fault::parameter(format!("The collection {place}.Values must have 1 to {VALUES} members.")));
            }
            if let Some(count) = counts.iter().find(|count| !(count.is_finite() && **count > 0.0)) {
                return Err(Fault::parameter(format!("The value {count:?} for parameter {place}.Counts is invalid.")));
            }
            let pairs = values.into_iter().zip(counts);
            pairs.map(|(value, count)| Ok(Datum::Value { value: finite("Values", value)?, count })).collect()
        }
        (None, None, false) => {
            let message =
                format!("At least one of the parameters {place}.Value, {place}.Values and {place}.StatisticValues is required.");
            Err(Fault { message, ..Fault::missing("Value") })
        }
        (Some(_), _, values) => {
            let other = if values { "Values" } else { "StatisticValues" };
            Err(Fault::combination(format!(
                "The parameters {place}.Value and {place}.{other} are mutually exclusive and you have specified both."
            )))
        }
        (None, Some(_), true) => Err(Fault::combination(format!("The parameters of {place} contradict each other."))),
    }
}

pub(super) fn list_metrics(metrics: &Metrics, now: Time, request: Parameters<'_>) -> Result<Value, Fault> {
    let page = request.page(LISTED)?;
    let (namespace, name) = (request.short_text("Namespace", 255)?, request.short_text("MetricName", 255)?);
    let mut filters = Vec::new();
    for filter in request.structures("Dimensions")? {
        filters.push((filter.required_text("Name", 255)?, filter.short_text("Value", 1_024)?));
    }
    let recent = match request.text("RecentlyActive")? {
        None => TWO_WEEKS,
        Some("PT3H") => HOUR * 3,
        Some(other) => return Err(Fault::parameter(format!("The value {other} for parameter RecentlyActive is invalid."))),
    };
    let wanted = |metric: &&Metric| {
        let has = |&(key, value): &(&str, Option<&str>)| {
            metric.dimensions.iter().any(|(k, v)| k == key && value.is_none_or(|value| v == value))
        };
        namespace.is_none_or(|namespace| metric.namespace == namespace)
            && name.is_none_or(|name| metric.name == name)
            && filters.iter().all(has)
            && metric.latest.is_some_and(|latest| latest + recent >= now)
    };
    let found: Vec<_> = metrics.visible().filter(wanted).collect();
    let (shown, next) = page.of(&found)?;
    let shown: Vec<_> = shown
        .iter()
        .map(|Metric { namespace, name, dimensions, .. }| {
            json!({"Namespace": namespace, "MetricName": name, "Dimensions": shown_dimensions(dimensions)})
        })
        .collect();
    Ok(json!({"Metrics": shown, "NextToken": next}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::tests::{ask, at, cloud};
    use crate::value::merged;

    fn put(data: impl IntoIterator<Item = Value>) -> Value {
        json!({"Namespace": "Mine", "MetricData": data.into_iter().collect::<Value>()})
    }

    fn datum(more: Value) -> Value {
        merged(json!({"MetricName": "M", "Value": 1.0}), more)
    }

    #[test]
    fn data_that_make_no_sense_are_refused_with_all_that_came_with_them() {
        let named = |more: Value| merged(json!({"MetricName": "M"}), more);
        let set = json!({"SampleCount": 0.0, "Sum": 1.0, "Minimum": 1.0, "Maximum": 1.0});
        for (wrong, code, part) in [
            (named(json!({})), "MissingParameter", "MetricData.member.2.Value"),
            (json!({"Value": 1.0}), "MissingParameter", "MetricName"),
            (datum(json!({"Value": "NaN"})), "InvalidParameterValue", "MetricData.member.2.Value"),
            (datum(json!({"Value": 1e200})), "InvalidParameterValue", "invalid"),
            (datum(json!({"Values": [1.0]})), "InvalidParameterCombination", "mutually exclusive"),
            (named(json!({"Values": [1.0], "Counts": [1.0, 2.0]})), "InvalidParameterValue", "same size"),
            (named(json!({"Values": [1.0], "Counts": [0.0]})), "InvalidParameterValue", "Counts"),
            (named(json!({"Values": vec![1.0; 151]})), "InvalidParameterValue", "1 to 150"),
            (named(json!({ "StatisticValues": set })), "InvalidParameterValue", "inconsistent"),
            (named(json!({"StatisticValues": {"Sum": 1.0}})), "MissingParameter", "SampleCount"),
            (datum(json!({"StorageResolution": 5})), "InvalidParameterValue", "must be 1 or 60"),
            (datum(json!({"Unit": "Ells"})), "ValidationError", "enum value set"),
            (datum(json!({"Timestamp": at(-15 * 86_400)})), "InvalidParameterValue", "two weeks in the past"),
            (datum(json!({"Timestamp": at(3 * 3_600)})), "InvalidParameterValue", "two hours in the future"),
            (datum(json!({"Dimensions": [{"Name": "n"}]})), "MissingParameter", "Value"),
        ] {
            let mut cloud = cloud(0..=0);
            let fault = ask(&mut cloud, 0, "PutMetricData", put([datum(json!({})), wrong])).unwrap_err();
            assert!(fault.code == code && fault.message.contains(part), "{part}: {fault:?}");
            assert_eq!(ask(&mut cloud, 0, "ListMetrics", json!({})), Ok(json!({"Metrics": []})));
        }
        let one = || datum(json!({}));
        for (request, code) in [
            (put([]), "MissingParameter"),
            (json!({"MetricData": [one()]}), "MissingParameter"),
            (put((0..1_001).map(|_| one())), "InvalidParameterValue"),
            (json!({"Namespace": "AWS/Lambda", "MetricData": [one()]}), "InvalidParameterValue"),
        ] {
            assert_eq!(ask(&mut cloud(0..=0), 0, "PutMetricData", request).unwrap_err().code, code);
        }
    }

    #[test]
    fn metrics_are_listed_once_they_can_be_seen() {
        let mut cloud = cloud(60..=60);
        let with =
            |name: &str, value: &str| json!({"MetricName": name, "Value": 1.0, "Dimensions": [{"Name": "F", "Value": value}]});
        ask(&mut cloud, 0, "PutMetricData", put([with("M", "f"), with("M", "g"), with("N", "f")])).unwrap();
        for (when, request, count) in [
            (59, json!({}), 0),
            (60, json!({}), 3),
            (60, json!({"MetricName": "M"}), 2),
            (60, json!({"Namespace": "Other"}), 0),
            (60, json!({"Dimensions": [{"Name": "F"}]}), 3),
            (60, json!({"Dimensions": [{"Name": "F", "Value": "g"}]}), 1),
            (10_000, json!({"RecentlyActive": "PT3H"}), 3),
            (12_000, json!({"RecentlyActive": "PT3H"}), 0),
            (12_000, json!({}), 3),
            (15 * 86_400, json!({}), 0),
        ] {
            let answer = ask(&mut cloud, when, "ListMetrics", request.clone()).unwrap();
            assert_eq!(answer["Metrics"].as_array().map(Vec::len), Some(count), "{request} at {when}");
        }
    }
}
