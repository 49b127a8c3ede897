//! Which numbers answer a question about metrics?
//!
//! Single metrics only: expressions are refused, not guessed at.

use std::time::Duration;

use super::metric_requests::{dimensions, unit};
use super::metrics::{Metrics, Reading};
use super::parameters::{Parameters, page_start, page_token};
use super::shortfall::{MetricFault, Shortfall};
use super::statistic::Statistic;
use crate::time::Time;
use crate::value::{Fault, Record, Value};

const QUERIES: usize = 500;
const DATAPOINTS: u32 = 100_800;
const STATISTICS_DATAPOINTS: i64 = 1_440;
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

struct Query<'a> {
    id: &'a str,
    label: &'a str,
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
    let (mut results, mut before) = (Vec::new(), 0);
    for Series { query, points, shortfall } in series {
        let within = |place: usize| place.saturating_sub(before).min(points.len());
        let shown = points.get(within(start)..within(end)).unwrap_or_default();
        let cut = if before + points.len() <= end { "Complete" } else { "PartialData" };
        let status = shortfall.map_or(cut, Shortfall::name);
        let messages =
            shortfall.iter().map(|shortfall| Record::new().with("Code", shortfall.name()).with("Value", shortfall.message()));
        before += points.len();
        results.push(
            Record::new()
                .with("Id", query.id)
                .with("Label", query.label)
                .with("Timestamps", Value::list(shown.iter().map(|(at, _)| *at)))
                .with("Values", Value::list(shown.iter().map(|(_, value)| *value)))
                .with("StatusCode", status)
                .with("Messages", Value::list(messages)),
        );
    }
    let answer = Record::new().with("MetricDataResults", Value::list(results)).with("Messages", Value::List(Vec::new()));
    Ok(answer.maybe("NextToken", page_token(end, all)).into())
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
        label: request.text("Label")?.unwrap_or(name),
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
    let dimensions: Vec<_> = query.dimensions.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let reading =
        Reading { namespace: query.namespace, name: query.name, dimensions: &dimensions, unit: query.unit, period: query.period };
    let mut points = Vec::new();
    for start in starts(from, to, query.period, i64::from(DATAPOINTS))? {
        points.extend(metrics.point(&reading, start, &query.statistic).map(|point| (start, point.value)));
    }
    if !ascending {
        points.reverse();
    }
    Ok(points)
}

/// The starts of the periods in `from..to`, unless they are more than `most`.
fn starts(from: Time, to: Time, period: Duration, most: i64) -> Result<impl Iterator<Item = Time>, Fault> {
    let length = i64::try_from(period.as_millis()).unwrap_or(i64::MAX).max(1);
    let span = to.as_millis().saturating_sub(from.as_millis()).max(0);
    let count = span / length + i64::from(span % length > 0);
    if count > most {
        return Err(Fault::combination(format!(
            "You have requested up to {count} datapoints, which exceeds the limit of {most}. You may reduce the datapoints requested \
             by increasing Period, or decreasing the time range."
        )));
    }
    Ok((0..count).map(move |number| Time::from_millis(from.as_millis() + number * length)))
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
    let dimensions: Vec<_> = dimensions.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let unit = unit(request)?;
    let mut units = metrics.units(namespace, name, &dimensions);
    units.retain(|known| unit.is_none_or(|unit| unit == *known));
    let from = from.floor(period.min(MINUTE));
    let mut datapoints = Vec::new();
    for start in starts(from, to, period, STATISTICS_DATAPOINTS)? {
        for unit in &units {
            let reading = Reading { namespace, name, dimensions: &dimensions, unit: Some(unit), period };
            if let Some((_, values)) = metrics.period(&reading, start, &statistics) {
                datapoints.push(datapoint(start, unit, &statistics, &values));
            }
        }
    }
    Ok(Record::new().with("Label", name).with("Datapoints", Value::list(datapoints)).into())
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

fn datapoint(start: Time, unit: &str, statistics: &[&Statistic], values: &[Option<f64>]) -> Record {
    let mut datapoint = Record::new().with("Timestamp", start);
    let mut extended = Vec::new();
    for (statistic, value) in statistics.iter().zip(values) {
        match statistic.plain_name() {
            Some(name) => datapoint = datapoint.maybe(name, *value),
            None => extended.extend(value.map(|value| (statistic.name().to_owned().into(), Value::Float(value)))),
        }
    }
    let datapoint = datapoint.with("Unit", unit);
    if extended.is_empty() { datapoint } else { datapoint.with("ExtendedStatistics", Value::Entries(extended)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::CloudWatch;
    use crate::cloudwatch::tests::{ask, at, cloud};

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

    fn query(id: &str, stat: &str, period: i64) -> Record {
        let dimension = Record::new().with("Name", "F").with("Value", "f");
        let metric = Record::new()
            .with("Namespace", "AWS/Lambda")
            .with("MetricName", "Duration")
            .with("Dimensions", Value::list([dimension]));
        let stat = Record::new().with("Metric", metric).with("Period", period).with("Stat", stat);
        Record::new().with("Id", id).with("MetricStat", stat)
    }

    fn window(queries: Vec<Record>) -> Record {
        Record::new().with("MetricDataQueries", Value::list(queries)).with("StartTime", at(-50)).with("EndTime", at(200))
    }

    /// Ids, seconds, values and status of a page's results.
    fn results(answer: &Value) -> Vec<(String, Vec<i64>, Vec<f64>, String)> {
        let Some(Value::List(results)) = answer.member("MetricDataResults") else { panic!("{answer:?}") };
        let text = |result: &Value, name| if let Some(Value::Text(text)) = result.member(name) { text.clone() } else { panic!() };
        let list = |result: &Value, name| if let Some(Value::List(list)) = result.member(name) { list.clone() } else { panic!() };
        let second =
            |value| if let Value::Time(time) = value { (time - Duration::ZERO).since(at(0)).as_secs() } else { panic!() };
        let number = |value| if let Value::Float(number) = value { number } else { panic!() };
        let row = |result: &Value| {
            let seconds = list(result, "Timestamps").into_iter().map(|at| i64::try_from(second(at)).unwrap()).collect();
            (text(result, "Id"), seconds, list(result, "Values").into_iter().map(number).collect(), text(result, "StatusCode"))
        };
        results.iter().map(row).collect()
    }

    fn row(id: &str, seconds: &[i64], values: &[f64], status: &str) -> (String, Vec<i64>, Vec<f64>, String) {
        (id.to_owned(), seconds.to_vec(), values.to_vec(), status.to_owned())
    }

    #[test]
    fn numbers_come_latest_first_in_whole_periods() {
        let mut cloud = measured();
        let hidden = query("hidden", "Sum", 60).with("ReturnData", false);
        let asked = vec![query("sum", "Sum", 60), query("p90", "p90", 120), query("rank", "PR(:25)", 300), hidden];
        let answer = ask(&mut cloud, 200, "GetMetricData", window(asked)).unwrap();
        let expected = [
            row("sum", &[180, 60, 0], &[90.0, 40.0, 10.0], "Complete"),
            row("p90", &[120, 0], &[30.0, 20.0], "Complete"),
            row("rank", &[0], &[50.0], "Complete"),
        ];
        assert_eq!(results(&answer), expected);
        let ascending = window(vec![query("sum", "Sum", 60)]).with("ScanBy", "TimestampAscending");
        let answer = ask(&mut cloud, 200, "GetMetricData", ascending).unwrap();
        assert_eq!(results(&answer), [row("sum", &[0, 60, 180], &[10.0, 40.0, 90.0], "Complete")]);
    }

    #[test]
    fn a_page_that_breaks_off_says_so_and_the_next_goes_on() {
        let mut cloud = measured();
        let request = || window(vec![query("a", "Sum", 60), query("b", "SampleCount", 60)]).with("MaxDatapoints", 4_i64);
        let first = ask(&mut cloud, 200, "GetMetricData", request()).unwrap();
        let expected = [row("a", &[180, 60, 0], &[90.0, 40.0, 10.0], "Complete"), row("b", &[180], &[3.0], "PartialData")];
        assert_eq!(results(&first), expected);
        let token = first.member("NextToken").cloned();
        let second = ask(&mut cloud, 200, "GetMetricData", request().maybe("NextToken", token)).unwrap();
        assert_eq!(results(&second), [row("a", &[], &[], "Complete"), row("b", &[60, 0], &[2.0, 1.0], "Complete")]);
        assert_eq!(second.member("NextToken"), None);
        assert_eq!(ask(&mut cloud, 200, "GetMetricData", request().with("NextToken", "page-99")), Err(Fault::token()));
    }

    #[test]
    fn questions_that_make_no_sense_are_refused() {
        let sum = || query("sum", "Sum", 60);
        for (request, part) in [
            (window(vec![]), "Value null at 'metricDataQueries'"),
            (window((0..501).map(|n| query(&format!("q{n}"), "Sum", 60)).collect()), "greater than 500"),
            (window(vec![sum(), sum()]), "must be unique"),
            (window(vec![query("Sum", "Sum", 60)]), "must match"),
            (window(vec![query("sum", "sum", 60)]), "not supported"),
            (window(vec![query("sum", "Sum", 61)]), "multiple of 60"),
            (window(vec![sum().with("ReturnData", false)]), "must return data"),
            (window(vec![Record::new().with("Id", "e").with("Expression", "a + b")]), "Expressions are not supported"),
            (window(vec![Record::new().with("Id", "e")]), "Value null at 'metricStat'"),
            (window(vec![sum()]).with("ScanBy", "Fast"), "enum value set"),
            (Record::new().with("MetricDataQueries", Value::list([sum()])).with("StartTime", at(0)), "'endTime'"),
        ] {
            let fault = ask(&mut measured(), 200, "GetMetricData", request).unwrap_err();
            assert!(fault.status == 400 && fault.message.contains(part), "{part}: {fault:?}");
        }
    }

    #[test]
    fn statistics_come_with_their_units() {
        let request = |period: i64| {
            let dimension = Record::new().with("Name", "F").with("Value", "f");
            let named = Record::new().with("Namespace", "AWS/Lambda").with("MetricName", "Duration");
            let window = named.with("StartTime", at(0)).with("EndTime", at(240)).with("Period", period);
            window.with("Dimensions", Value::list([dimension]))
        };
        let asked =
            request(120).with("Statistics", Value::list(["Sum", "SampleCount"])).with("ExtendedStatistics", Value::list(["p50"]));
        let answer = ask(&mut measured(), 240, "GetMetricStatistics", asked).unwrap();
        let point = |start, sum: f64, count: f64, median: f64| {
            let extended = Value::Entries(vec![("p50".into(), Value::Float(median))]);
            let point = Record::new().with("Timestamp", at(start)).with("Sum", sum).with("SampleCount", count);
            point.with("Unit", "Milliseconds").with("ExtendedStatistics", extended)
        };
        assert_eq!(answer.member("Datapoints"), Some(&Value::list([point(0, 50.0, 3.0, 20.0), point(120, 90.0, 3.0, 30.0)])));
        for (request, code) in [
            (request(60), "MissingParameter"),
            (request(60).with("Statistics", Value::list(["Median"])), "InvalidParameterValue"),
            (request(7).with("Statistics", Value::list(["Sum"])), "InvalidParameterValue"),
            (Record::new().with("Namespace", "N"), "MissingParameter"),
            (request(1).with("Statistics", Value::list(["Sum"])).with("Unit", "Ells"), "ValidationError"),
        ] {
            assert_eq!(ask(&mut measured(), 240, "GetMetricStatistics", request).unwrap_err().code, code);
        }
    }
}
