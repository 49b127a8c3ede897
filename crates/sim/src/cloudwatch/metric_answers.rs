//! Which numbers answer a question about metrics?
//!
//! Single metrics only: expressions are refused, not guessed at.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::metric_requests::{dimensions, unit};
use super::metrics::{Metrics, Reading};
use super::parameters::{Parameters, page_start, page_token};
use super::shortfall::{MetricFault, Shortfall};
use super::statistic::Statistic;
use crate::time::Time;
use crate::value::Fault;

const QUERIES: usize = 500;
const DATAPOINTS: u32 = 100_800;
const STATISTICS_DATAPOINTS: i64 = 1_440;
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

struct Query<'a> {
    id: &'a str,
    label: Option<&'a str>,
    namespace: &'a str,
    name: &'a str,
    dimensions: Vec<(String, String)>,
    statistic: Statistic,
    unit: Option<&'a str>,
    period: Duration,
    returned: bool,
}

struct Series<'a> {
    query: Query<'a>,
    points: Vec<(Time, f64)>,
    shortfall: Option<Shortfall>,
}

pub(super) fn metric_data(metrics: &Metrics, faults: &[MetricFault], now: Time, request: Parameters<'_>) -> Result<Value, Fault> {
    let asked = request.structures("MetricDataQueries")?;
    if asked.len() == 0 {
        return request.required("MetricDataQueries", None);
    }
    if asked.len() > QUERIES {
        return Err(Fault::validation(format!("The collection MetricDataQueries must not have a size greater than {QUERIES}.")));
    }
    let from = request.required("StartTime", request.time("StartTime")?)?;
    let to = request.required("EndTime", request.time("EndTime")?)?;
    if from >= to {
        return Err(Fault::validation("The parameter StartTime must be less than the parameter EndTime."));
    }
    let queries: Vec<_> = asked.map(query).collect::<Result<_, _>>()?;
    if let Some(twice) = (1..queries.len()).find(|&place| queries[..place].iter().any(|other| other.id == queries[place].id)) {
        return Err(Fault::validation(format!("The values for parameter id must be unique: {} is not.", queries[twice].id)));
    }
    if !queries.iter().any(|query| query.returned) {
        return Err(Fault::validation("At least one of the metric data queries must return data."));
    }
    let ascending = request.ascending()?;
    let most = request.integer_within("MaxDatapoints", 1, DATAPOINTS)?.unwrap_or(DATAPOINTS);
    let mut series = Vec::new();
    for query in queries.into_iter().filter(|query| query.returned) {
        let mut points = points(metrics, now, &query, from, to, ascending)?;
        let shortfall = faults.iter().find_map(|fault| fault.of(now, query.name, &query.dimensions));
        if let Some(shortfall) = shortfall {
            points.truncate(shortfall.shown(points.len()));
        }
        series.push(Series { query, points, shortfall });
    }
    paged(&series, page_start(request.text("NextToken")?)?, usize::try_from(most).unwrap_or(usize::MAX))
}

/// A page counts the data of all queries together; a query that continues on the next page is partial.
fn paged(series: &[Series<'_>], start: usize, most: usize) -> Result<Value, Fault> {
    let all = series.iter().map(|series| series.points.len()).sum();
    if start > all || (start == all && start > 0) {
        return Err(Fault::token());
    }
    let end = start.saturating_add(most).min(all);
    let labels = labels(series);
    let (mut results, mut before) = (Vec::new(), 0);
    for (Series { query, points, shortfall }, label) in series.iter().zip(labels) {
        let within = |place: usize| place.saturating_sub(before).min(points.len());
        let shown = points.get(within(start)..within(end)).unwrap_or_default();
        let cut = if before + points.len() <= end { "Complete" } else { "PartialData" };
        let verdict = shortfall.map(Shortfall::verdict);
        before += points.len();
        results.push(json!({
            "Id": query.id,
            "Label": label,
            "Timestamps": shown.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            "Values": shown.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
            "StatusCode": verdict.map_or(cut, |(status, _)| status),
            "Messages": verdict.map(|(code, message)| json!([{"Code": code, "Value": message}])),
        }));
    }
    Ok(json!({"MetricDataResults": results, "Messages": [], "NextToken": page_token(end, all)}))
}

/// What each result is called: the metric, with the statistic and the period where the queries differ in those.
fn labels(series: &[Series<'_>]) -> Vec<String> {
    let differ = |of: &dyn Fn(&Query<'_>) -> String| series.iter().any(|other| of(&other.query) != of(&series[0].query));
    let named = differ(&|query| format!("{} {} {:?}", query.namespace, query.name, query.dimensions));
    let (statistics, periods) =
        (differ(&|query| query.statistic.name().to_owned()), differ(&|query| format!("{:?}", query.period)));
    let label = |query: &Query<'_>| {
        let mut words = vec![query.name.to_owned()];
        words.extend((statistics && !named).then(|| query.statistic.name().to_owned()));
        words.extend((periods && !named).then(|| query.period.as_secs().to_string()));
        query.label.map_or_else(|| words.join(" "), str::to_owned)
    };
    series.iter().map(|series| label(&series.query)).collect()
}

fn query(request: Parameters<'_>) -> Result<Query<'_>, Fault> {
    let id = request.required_text("Id", 255)?;
    let plain = id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if !plain || !id.starts_with(|letter: char| letter.is_ascii_lowercase()) {
        return Err(Fault::validation(format!("Invalid metrics list: the id {id} must match ^[a-z][a-zA-Z0-9_]*$")));
    }
    if request.has("Expression") {
        return Err(Fault::validation(format!("Expressions are not supported by this simulation: {id} has one")));
    }
    if request.has("AccountId") {
        return Err(Fault::validation("AccountId is not supported by this simulation"));
    }
    let stat = request.required("MetricStat", request.structure("MetricStat"))?;
    let metric = stat.required("Metric", stat.structure("Metric"))?;
    let named = stat.required_text("Stat", 255)?;
    let statistic = Statistic::parse(named)
        .ok_or_else(|| Fault::validation(format!("The value {named} for parameter Stat is not supported.")))?;
    let name = metric.required_text("MetricName", 255)?;
    Ok(Query {
        id,
        label: request.text("Label")?,
        namespace: metric.required_text("Namespace", 255)?,
        name,
        dimensions: dimensions(metric)?,
        statistic,
        unit: unit(stat)?,
        period: period(stat)?,
        returned: request.boolean("ReturnData")?.unwrap_or(true),
    })
}

fn period(request: Parameters<'_>) -> Result<Duration, Fault> {
    let seconds = request.required("Period", request.integer_within("Period", 1, 86_400 * 365)?)?;
    if ![1, 5, 10, 20, 30].contains(&seconds) && seconds % 60 != 0 {
        return Err(Fault::parameter("Period must be 1, 5, 10, 20, 30 or a multiple of 60"));
    }
    Ok(Duration::from_secs(u64::from(seconds)))
}

/// Data older than 15 days are only kept in periods of five minutes, older than 63 days of an hour: times round down to those.
fn rounded(at: Time, now: Time) -> Time {
    let age = now.since(at);
    at.floor(if age < DAY * 15 {
        MINUTE
    } else if age < DAY * 63 {
        MINUTE * 5
    } else {
        MINUTE * 60
    })
}

fn points(
    metrics: &Metrics,
    now: Time,
    query: &Query<'_>,
    from: Time,
    to: Time,
    ascending: bool,
) -> Result<Vec<(Time, f64)>, Fault> {
    let from = if query.period < MINUTE { from } else { rounded(from, now) }.floor(query.period);
    let Query { namespace, name, dimensions, unit, period, .. } = query;
    let reading = Reading { namespace, name, dimensions, unit: *unit, period: *period };
    let mut points = Vec::new();
    check_count(from, to, query.period, i64::from(DATAPOINTS))?;
    for start in starts(from, to, query.period) {
        points.extend(metrics.point(&reading, start, &query.statistic).map(|point| (start, point.value)));
    }
    if !ascending {
        points.reverse();
    }
    Ok(points)
}

/// How many periods of this length, in milliseconds, there are in `from..to`, and the length.
fn periods(from: Time, to: Time, period: Duration) -> (i64, i64) {
    let length = i64::try_from(period.as_millis()).unwrap_or(i64::MAX).max(1);
    let span = to.as_millis().saturating_sub(from.as_millis()).max(0);
    (span / length + i64::from(span % length > 0), length)
}

/// Refuses more periods than `most`, counted in the times as they were given.
fn check_count(from: Time, to: Time, period: Duration, most: i64) -> Result<(), Fault> {
    let (count, _) = periods(from, to, period);
    if count > most {
        return Err(Fault::combination(format!(
            "You have requested up to {count} datapoints, which exceeds the limit of {most}. You may reduce the datapoints requested \
             by increasing Period, or decreasing the time range."
        )));
    }
    Ok(())
}

/// The starts of the periods in `from..to`.
fn starts(from: Time, to: Time, period: Duration) -> impl Iterator<Item = Time> {
    let (count, length) = periods(from, to, period);
    (0..count).map(move |number| Time::from_millis(from.as_millis() + number * length))
}

pub(super) fn metric_statistics(metrics: &Metrics, request: Parameters<'_>) -> Result<Value, Fault> {
    let namespace = request.required_text("Namespace", 255)?;
    let name = request.required_text("MetricName", 255)?;
    let from = request.required("StartTime", request.time("StartTime")?)?;
    let to = request.required("EndTime", request.time("EndTime")?)?;
    if from >= to {
        return Err(Fault::parameter("The parameter StartTime must be less than the parameter EndTime."));
    }
    let period = period(request)?;
    let statistics = statistics(request)?;
    let statistics: Vec<&Statistic> = statistics.iter().collect();
    let dimensions = dimensions(request)?;
    let unit = unit(request)?;
    let mut units = metrics.units(namespace, name, &dimensions);
    units.retain(|known| unit.is_none_or(|unit| unit == *known));
    check_count(from, to, period, STATISTICS_DATAPOINTS)?;
    let from = from.floor(period.min(MINUTE));
    let mut datapoints = Vec::new();
    for start in starts(from, to, period) {
        for unit in &units {
            let reading = Reading { namespace, name, dimensions: &dimensions, unit: Some(unit), period };
            if let Some((_, values)) = metrics.period(&reading, start, &statistics) {
                datapoints.push(datapoint(start, unit, &statistics, &values));
            }
        }
    }
    Ok(json!({"Label": name, "Datapoints": datapoints}))
}

fn statistics(request: Parameters<'_>) -> Result<Vec<Statistic>, Fault> {
    let (plain, extended) = (request.texts("Statistics")?, request.texts("ExtendedStatistics")?);
    if plain.is_empty() && extended.is_empty() {
        return Err(Fault {
            message: "At least one of Statistics and ExtendedStatistics is required.".into(),
            ..Fault::missing("")
        });
    }
    let unknown = |name: &str| Fault::parameter(format!("The value {name} is not a statistic that can be asked for here."));
    let plain = plain.into_iter().map(|name| Statistic::plain(name).ok_or_else(|| unknown(name)));
    let extended = extended.into_iter().map(|name| Statistic::extended(name).ok_or_else(|| unknown(name)));
    plain.chain(extended).collect()
}

fn datapoint(start: Time, unit: &str, statistics: &[&Statistic], values: &[Option<f64>]) -> Value {
    let mut datapoint = json!({"Timestamp": start, "Unit": unit});
    let mut extended = Map::new();
    for (statistic, value) in statistics.iter().zip(values) {
        match statistic.plain_name() {
            Some(name) => datapoint[name] = json!(value),
            None => extended.extend(value.map(|value| (statistic.name().to_owned(), json!(value)))),
        }
    }
    if !extended.is_empty() {
        datapoint["ExtendedStatistics"] = extended.into();
    }
    datapoint
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::CloudWatch;
    use crate::cloudwatch::tests::{ask, at, cloud};
    use crate::value::merged;

    /// Three minutes of durations: one of 10, two of 20, three of 30.
    fn measured() -> CloudWatch {
        let mut cloud = cloud(0..=0);
        let series = cloud.series("AWS/Lambda", "Duration", &[("F", "f")]);
        for (minute, times) in [(0, 1), (1, 2), (3, 3)] {
            for second in 0..times {
                cloud.record_run(
                    at(minute * 60 + second),
                    Duration::ZERO,
                    &[(series, f64::from(u32::try_from(times).unwrap() * 10))],
                );
            }
        }
        cloud
    }

    fn query(id: &str, stat: &str, period: i64) -> Value {
        let dimensions = json!([{"Name": "F", "Value": "f"}]);
        let metric = json!({"Namespace": "AWS/Lambda", "MetricName": "Duration", "Dimensions": dimensions});
        json!({"Id": id, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}})
    }

    /// A question for these queries, with `more` members.
    fn window(queries: &[Value], more: Value) -> Value {
        merged(json!({"MetricDataQueries": queries, "StartTime": at(-50), "EndTime": at(200)}), more)
    }

    /// Ids, seconds, values and status of a page's results.
    fn results(answer: &Value) -> Value {
        let results = answer["MetricDataResults"].as_array().unwrap().iter();
        let row = |result: &Value| {
            let stamps = result["Timestamps"].as_array().unwrap().iter();
            let seconds: Vec<_> = stamps.map(|stamp| stamp.as_i64().unwrap() - at(0).as_millis() / 1_000).collect();
            json!([result["Id"], seconds, result["Values"], result["StatusCode"]])
        };
        results.map(row).collect()
    }

    #[test]
    fn numbers_come_latest_first_in_whole_periods() {
        let mut cloud = measured();
        let hidden = merged(query("hidden", "Sum", 60), json!({"ReturnData": false}));
        let asked = [query("sum", "Sum", 60), query("p90", "p90", 120), query("rank", "PR(:25)", 300), hidden];
        let answer = ask(&mut cloud, 200, "GetMetricData", window(&asked, json!({}))).unwrap();
        let expected = json!([
            ["sum", [180, 60, 0], [90.0, 40.0, 10.0], "Complete"],
            ["p90", [120, 0], [30.0, 20.0], "Complete"],
            ["rank", [0], [50.0], "Complete"],
        ]);
        assert_eq!(results(&answer), expected);
        let ascending = window(&[query("sum", "Sum", 60)], json!({"ScanBy": "TimestampAscending"}));
        let answer = ask(&mut cloud, 200, "GetMetricData", ascending).unwrap();
        assert_eq!(results(&answer), json!([["sum", [0, 60, 180], [10.0, 40.0, 90.0], "Complete"]]));
    }

    #[test]
    fn a_page_that_breaks_off_says_so_and_the_next_goes_on() {
        let mut cloud = measured();
        let queries = [query("a", "Sum", 60), query("b", "SampleCount", 60)];
        let mut page = |token: &Value| {
            ask(&mut cloud, 200, "GetMetricData", window(&queries, json!({"MaxDatapoints": 4, "NextToken": token})))
        };
        let first = page(&json!(null)).unwrap();
        let expected = json!([["a", [180, 60, 0], [90.0, 40.0, 10.0], "Complete"], ["b", [180], [3.0], "PartialData"]]);
        assert_eq!(results(&first), expected);
        let second = page(&first["NextToken"]).unwrap();
        assert_eq!(results(&second), json!([["a", [], [], "Complete"], ["b", [60, 0], [2.0, 1.0], "Complete"]]));
        assert_eq!(second.get("NextToken"), None);
        assert_eq!(page(&json!("page-99")), Err(Fault::token()));
    }

    #[test]
    fn questions_that_make_no_sense_are_refused() {
        let of = |queries: &[Value]| window(queries, json!({}));
        let sum = query("sum", "Sum", 60);
        for (request, part) in [
            (of(&[]), "Value null at 'metricDataQueries'"),
            (of(&(0..501).map(|n| query(&format!("q{n}"), "Sum", 60)).collect::<Vec<_>>()), "greater than 500"),
            (of(&[sum.clone(), sum.clone()]), "must be unique"),
            (of(&[query("Sum", "Sum", 60)]), "must match"),
            (of(&[query("sum", "sum", 60)]), "not supported"),
            (of(&[query("sum", "Sum", 61)]), "multiple of 60"),
            (of(&[merged(sum.clone(), json!({"ReturnData": false}))]), "must return data"),
            (of(&[json!({"Id": "e", "Expression": "a + b"})]), "Expressions are not supported"),
            (of(&[json!({"Id": "e"})]), "Value null at 'metricStat'"),
            (window(std::slice::from_ref(&sum), json!({"ScanBy": "Fast"})), "enum value set"),
            (json!({"MetricDataQueries": [sum], "StartTime": at(0)}), "'endTime'"),
        ] {
            let fault = ask(&mut measured(), 200, "GetMetricData", request).unwrap_err();
            assert!(fault.status == 400 && fault.message.contains(part), "{part}: {fault:?}");
        }
    }

    #[test]
    fn statistics_come_with_their_units() {
        let request = |period: i64, more: Value| {
            let dimensions = json!([{"Name": "F", "Value": "f"}]);
            let metric = json!({"Namespace": "AWS/Lambda", "MetricName": "Duration", "Dimensions": dimensions});
            merged(merged(metric, json!({"StartTime": at(0), "EndTime": at(240), "Period": period})), more)
        };
        let asked = request(120, json!({"Statistics": ["Sum", "SampleCount"], "ExtendedStatistics": ["p50"]}));
        let answer = ask(&mut measured(), 240, "GetMetricStatistics", asked).unwrap();
        let point = |start, sum: f64, count: f64, median: f64| {
            let extended = json!({ "p50": median });
            json!({"Timestamp": at(start), "Sum": sum, "SampleCount": count, "Unit": "Milliseconds", "ExtendedStatistics": extended})
        };
        assert_eq!(answer["Datapoints"], json!([point(0, 50.0, 3.0, 20.0), point(120, 90.0, 3.0, 30.0)]));
        for (request, code) in [
            (request(60, json!({})), "MissingParameter"),
            (request(60, json!({"Statistics": ["Median"]})), "InvalidParameterValue"),
            (request(7, json!({"Statistics": ["Sum"]})), "InvalidParameterValue"),
            (json!({"Namespace": "N"}), "MissingParameter"),
            (request(1, json!({"Statistics": ["Sum"], "Unit": "Ells"})), "ValidationError"),
        ] {
            assert_eq!(ask(&mut measured(), 240, "GetMetricStatistics", request).unwrap_err().code, code);
        }
    }
}
