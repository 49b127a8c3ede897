//! What can a schedule detect? A few rows of a plan with numbers to compare.

use std::time::Duration;

use rollout::comparison::Thousandths;
use rollout::forecast::{Better, Cost, Forecast, LogCost, Part, SignalForecast};
use rollout::format::{duration, grouped, percent};
use rollout::health::clock;

/// From what on the times of two days would be shown as nearly the same.
const NEARLY_A_DAY: Duration = Duration::from_hours(20);

/// The rows, first the traffic that they assume.
pub(crate) fn rows(forecast: &Forecast) -> Vec<String> {
    let Forecast { from, to, calls_a_minute, errors_percent, parts, costs, better, signals, log } = forecast;
    let since = if to.since(*from) > NEARLY_A_DAY {
        "the last 24 hours".to_owned()
    } else {
        let [from, to] = [from, to].map(|at| clock(*at).chars().take(5).collect::<String>());
        format!("yesterday from {from} to {to}")
    };
    let (calls, errors) = (figure(*calls_a_minute), percent(figure(*errors_percent)));
    let mut rows = vec![format!("based on {since}: {calls} invocations a minute, {errors} of them fail")];
    if parts.is_empty() {
        rows.push("the versions never have invocations at the same time: only total failure can be detected".to_owned());
        return rows;
    }
    rows.extend(parts.iter().map(part));
    rows.extend(costs.iter().map(|of| cost(of, "errors", "invocations")));
    rows.extend(signals.iter().map(signal));
    rows.extend(log.as_ref().map(log_cost));
    rows.extend(better.as_ref().map(named));
    rows.push(format!(
        "CloudWatch's usual delay of 2m is included; above {} of traffic the old version has few invocations to compare with",
        percent(50)
    ));
    rows
}

fn part(part: &Part) -> String {
    let steps = match part.steps {
        [one, other] if one == other => format!("step {one}"),
        [first, last] => format!("steps {first} to {last}"),
    };
    let calls = match part.canary_calls {
        1 => "1 invocation".to_owned(),
        calls => format!("{} invocations", grouped(calls)),
    };
    match part.smallest_percent {
        Some(smallest) => {
            format!(
                "{steps}: {calls} of the new version; detects an error rate of {} or more by its end",
                percent(figure(smallest))
            )
        }
        None => format!("{steps}: {calls} of the new version, too few to detect anything reliably"),
    }
}

fn cost(cost: &Cost, bad: &str, all: &str) -> String {
    let after = |minutes: Thousandths| duration(Duration::from_secs_f64(minutes.to_f64().max(0.0) * 60.0));
    let found = cost.minutes.map_or_else(|| "not detected".to_owned(), |of| format!("detected after about {}", after(of)));
    let (percent, failed) = (percent(cost.fails_percent), grouped(cost.failed_calls));
    format!("a version with {percent} {bad}: {found}, about {failed} failed {all}")
}

fn signal(signal: &SignalForecast) -> String {
    let SignalForecast { name, requests_a_minute, failures_percent, smallest_percent, cost: of } = signal;
    let (requests, failures) = (figure(*requests_a_minute), percent(figure(*failures_percent)));
    let smallest = smallest_percent.map_or_else(
        || "too few to detect anything reliably".to_owned(),
        |smallest| format!("detects {} failures by the end", percent(figure(smallest))),
    );
    let five = cost(of, "failures", "requests");
    format!("{name}: {requests} requests a minute, {failures} of them fail; {smallest}; {five}")
}

fn log_cost(log: &LogCost) -> String {
    let LogCost { group, queries_an_hour, bytes_an_hour } = log;
    let charged = format!("CloudWatch charges ${} for each GB in most Regions", LogCost::A_GIGABYTE);
    let price = match (log.an_hour(), bytes_an_hour) {
        (Some(price), Some(bytes)) => {
            let read = grouped(bytes.div_ceil(1_000_000));
            format!("about {read} MB read and ${} an hour; {charged}", dollars(price))
        }
        _ => charged,
    };
    format!("signals in {group}: {} queries an hour, {price}", grouped(*queries_an_hour))
}

/// With the digits that such a price is worth.
fn dollars(price: f64) -> String {
    match price {
        ..0.0001 => "0.0001".to_owned(),
        ..0.01 => format!("{price:.4}"),
        _ => format!("{price:.2}"),
    }
}

fn named(better: &Better) -> String {
    let detects = |smallest| format!("detects {} errors, ", percent(figure(smallest)));
    let detects = better.smallest_percent.map_or_else(String::new, detects);
    let (schedule, failed, percent) = (&better.schedule, grouped(better.failed_calls), percent(5));
    format!("better in the same time: {schedule} {detects}about {failed} failed invocations with {percent} errors")
}

fn figure(of: Thousandths) -> String {
    match of.to_f64() {
        0.0 => "0".to_owned(),
        number if number < 1.0 => format!("{number:.2}"),
        number if number < 10.0 => format!("{number:.1}"),
        number => format!("{number:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_price_of_a_log_is_that_of_what_is_read() {
        let read =
            |bytes_an_hour| log_cost(&LogCost { group: "/aws/lambda/hello".to_owned(), queries_an_hour: 120, bytes_an_hour });
        let charged = "CloudWatch charges $0.005 for each GB in most Regions";
        assert_eq!(read(None), format!("signals in /aws/lambda/hello: 120 queries an hour, {charged}"));
        for (bytes, price) in [
            (40_000_000_000, "40,000 MB read and $0.20"),
            (1_000_000_000, "1,000 MB read and $0.0050"),
            (1, "1 MB read and $0.0001"),
        ] {
            let text = format!("signals in /aws/lambda/hello: 120 queries an hour, about {price} an hour; {charged}");
            assert_eq!(read(Some(bytes)), text);
        }
    }
}
