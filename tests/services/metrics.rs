//! Every invocation is measured, under the dimensions that the real service measures it under.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::wire::{Client, Seen};
use serde_json::{Value, json};
use sim::{MetricFault, Settings, Shortfall};

/// Asks `GetMetricData`.
fn send(client: &mut Client, body: &Value) -> Seen {
    let request = http::Request::post("/")
        .header("x-amz-target", "GraniteServiceVersion20100801.GetMetricData")
        .header("x-amzn-query-mode", "true")
        .header("content-type", "application/x-amz-json-1.0")
        .body(body.to_string().into());
    client.send(&request.unwrap())
}

fn ask(client: &mut Client, body: &Value) -> Value {
    let seen = send(client, body);
    assert_eq!(seen.status, 200, "{}", seen.json);
    seen.json
}

/// A query of `GetMetricData` for one metric in periods of a minute.
fn query(id: &str, metric: &str, stat: &str, dimensions: &[(&str, &str)]) -> Value {
    let dimensions: Vec<Value> = dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    let metric = json!({"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions});
    json!({"Id": id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}})
}

/// The last ten minutes, the earliest first.
fn window(client: &Client, queries: &[Value]) -> Value {
    let now = client.now.as_millis() / 1_000;
    json!({"StartTime": now - 600, "EndTime": now + 60, "MetricDataQueries": queries, "ScanBy": "TimestampAscending"})
}

/// Minutes and values of one metric over the last ten minutes.
fn values(client: &mut Client, metric: &str, stat: &str, dimensions: &[(&str, &str)]) -> Vec<(i64, f64)> {
    let asked = window(client, &[query("a", metric, stat, dimensions)]);
    let seen = ask(client, &asked)["MetricDataResults"][0].clone();
    let stamps = seen["Timestamps"].as_array().unwrap().iter().map(|at| at.as_i64().unwrap() / 60);
    stamps.zip(seen["Values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap())).collect()
}

/// The sum over ten minutes of a metric with these dimensions.
fn sum(client: &mut Client, metric: &str, dimensions: &[(&str, &str)]) -> f64 {
    values(client, metric, "Sum", dimensions).into_iter().fold(0.0, |sum, (_, value)| sum + value)
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-6
}

fn furnished(settings: Settings) -> Client {
    Client::behaving(settings, &[("SIM_LATENCY_MS", "7")], &[("SIM_ERROR_RATE", "1")], None)
}

fn call(client: &mut Client, times: usize) {
    for _ in 0..times {
        client.post("/functions/f:live/invocations", &json!({}));
    }
    // What runs is measured when it has ended.
    client.wait(Duration::from_secs(1));
}

#[test]
fn versions_are_told_apart_only_behind_an_alias_with_weights() {
    let mut client = furnished(Settings::served());
    call(&mut client, 10);
    let alias = [("FunctionName", "f"), ("Resource", "f:live")];
    let version = |number| [alias[0], alias[1], ("ExecutedVersion", number)];
    assert!(close(sum(&mut client, "Invocations", &version("1")), 0.0));

    client.world.set_alias("f", "live", "1", Some(("2", 0.5))).unwrap();
    call(&mut client, 40);
    let (one, two) = (client.world.tally("f", "live", "1").invocations, client.world.tally("f", "live", "2").invocations);
    assert_eq!(one + two, 50);
    let counted = [sum(&mut client, "Invocations", &version("1")), sum(&mut client, "Invocations", &version("2"))];
    assert_eq!(counted.map(|count| count.to_string()), [(one - 10).to_string(), two.to_string()]);
    let failed = [sum(&mut client, "Errors", &version("1")), sum(&mut client, "Errors", &version("2"))];
    assert_eq!(failed.map(|count| count.to_string()), ["0".to_owned(), two.to_string()]);

    for dimensions in [&alias[..], &alias[..1], &[]] {
        assert!(close(sum(&mut client, "Invocations", dimensions), 50.0), "{dimensions:?}");
        assert!(close(sum(&mut client, "Throttles", dimensions), 0.0), "{dimensions:?}");
        assert!(close(sum(&mut client, "Duration", dimensions), 350.0), "{dimensions:?}");
    }
    client.post("/functions/f/invocations", &json!({}));
    client.wait(Duration::from_secs(1));
    assert!(close(sum(&mut client, "Invocations", &alias), 50.0), "a call past the alias is not the alias'");
    assert!(close(sum(&mut client, "Invocations", &alias[..1]), 51.0));
}

#[test]
fn metrics_are_late_where_they_are_late() {
    let minute = Duration::from_mins(1);
    let mut client = furnished(Settings { metric_lag: minute..=minute * 2, ..Settings::served() });
    call(&mut client, 100);
    let seen: BTreeSet<String> = (0..=12)
        .map(|_| {
            let seen = sum(&mut client, "Invocations", &[("FunctionName", "f")]);
            client.wait(Duration::from_secs(10));
            format!("{seen:03}")
        })
        .collect();
    assert_eq!(seen.first().map(String::as_str), Some("000"));
    assert_eq!(seen.last().map(String::as_str), Some("100"));
    assert!(seen.len() > 3, "they come one after the other: {seen:?}");
}

/// Two versions behind one alias that halves its calls, ten a second, of which 2 fails a fifth and is slow in a tenth.
fn live(settings: Settings) -> Client {
    let second = [("SIM_ERROR_RATE", "0.2"), ("SIM_SLOW_SHARE", "0.1"), ("SIM_SLOW_MS", "900")];
    Client::behaving(settings, &[("SIM_LATENCY_MS", "40"), ("SIM_TRAFFIC_RPS", "10")], &second, Some(0.5))
}

const MINUTE: Duration = Duration::from_mins(1);
const OF_ONE: [(&str, &str); 3] = [("FunctionName", "f"), ("Resource", "f:live"), ("ExecutedVersion", "1")];
const OF_TWO: [(&str, &str); 3] = [("FunctionName", "f"), ("Resource", "f:live"), ("ExecutedVersion", "2")];

#[test]
fn every_invocation_is_one_sample_of_each_metric_of_its_version() {
    let mut client = live(Settings::served());
    client.wait(MINUTE * 8);
    for (dimensions, version) in [(OF_ONE, "1"), (OF_TWO, "2")] {
        let tally = client.world.tally("f", "live", version);
        let invocations = values(&mut client, "Invocations", "Sum", &dimensions);
        assert!(close(sum(&mut client, "Invocations", &dimensions), f64::from(u32::try_from(tally.invocations).unwrap())));
        assert!(close(sum(&mut client, "Errors", &dimensions), f64::from(u32::try_from(tally.errors).unwrap())));
        for metric in ["Invocations", "Errors", "Throttles", "Duration"] {
            assert_eq!(values(&mut client, metric, "SampleCount", &dimensions), invocations, "{metric} of {version}");
        }
        for (statistic, value) in [("Minimum", 0.0), ("Maximum", f64::from(u8::from(version == "2")))] {
            let extremes = values(&mut client, "Errors", statistic, &dimensions);
            assert!(extremes.iter().all(|(_, found)| close(*found, value)), "{statistic} of {version}: {extremes:?}");
        }
    }
}

#[test]
fn the_share_of_calls_within_a_duration_tells_a_slow_version() {
    let mut client = live(Settings::served());
    client.wait(MINUTE * 9);
    let mean = |values: Vec<(i64, f64)>| {
        let count = u32::try_from(values.len()).unwrap();
        values.into_iter().fold(0.0, |sum, (_, value)| sum + value) / f64::from(count)
    };
    let mut rank = |of: &[(&str, &str)], limit: &str| mean(values(&mut client, "Duration", &format!("PR(:{limit})"), of));
    assert!(close(rank(&OF_ONE, "40"), 100.0) && close(rank(&OF_ONE, "39"), 0.0), "up to and with the limit");
    let fast = rank(&OF_TWO, "500");
    assert!((87.0..93.0).contains(&fast), "{fast}% at 90%");
    assert!(close(rank(&OF_TWO, "900"), 100.0));
    assert!(values(&mut client, "Duration", "p50", &OF_TWO).iter().all(|(_, value)| close(*value, 40.0)));
    assert!(values(&mut client, "Duration", "p99", &OF_TWO).iter().all(|(_, value)| close(*value, 900.0)));
}

#[test]
fn a_run_is_stamped_with_its_start_and_seen_only_after_its_end() {
    let mut client = Client::new();
    client.world.create_function("f", &[("SIM_LATENCY_MS", "600000")]).unwrap();
    client.put("/functions/f/configuration", &json!({"Timeout": 900}));
    client.settle();
    let started = client.now.as_millis() / 60_000;
    client.post("/functions/f/invocations", &json!({}));
    client.wait(MINUTE * 9 + Duration::from_secs(59));
    assert_eq!(values(&mut client, "Invocations", "Sum", &[("FunctionName", "f")]), []);
    client.wait(Duration::from_secs(1));
    assert_eq!(values(&mut client, "Invocations", "Sum", &[("FunctionName", "f")]), [(started, 1.0)]);
}

#[test]
fn a_minute_that_was_seen_goes_on_growing() {
    let mut client = live(Settings { metric_lag: MINUTE..=MINUTE * 3, ..Settings::served() });
    let first = client.now.as_millis() / 60_000;
    let mut grown = Vec::new();
    for _ in 0..5 {
        client.wait(MINUTE);
        let seen = values(&mut client, "Invocations", "Sum", &OF_ONE);
        grown.push(seen.iter().find(|(minute, _)| *minute == first).map_or(0.0, |(_, value)| *value));
    }
    assert!(close(grown[0], 0.0) && grown[1] > 0.0 && grown[1] < grown[2] && grown[2] < grown[3], "{grown:?}");
    assert!(close(grown[3], grown[4]), "complete after a minute and three more: {grown:?}");
}

#[test]
fn an_incident_hits_both_versions_between_its_two_times() {
    let mut client = live(Settings::served());
    let start = client.now;
    client.world.add_incident("f", start + MINUTE * 3, start + MINUTE * 5, 0.4).unwrap();
    client.wait(MINUTE * 8);
    let first = start.as_millis() / 60_000;
    for (dimensions, calm, during) in [(OF_ONE, 0.0..0.001, 0.3..0.5), (OF_TWO, 0.12..0.28, 0.42..0.62)] {
        for (minute, rate) in values(&mut client, "Errors", "Average", &dimensions) {
            let expected = if (3..5).contains(&(minute - first)) { &during } else { &calm };
            assert!(expected.contains(&rate), "{dimensions:?}: {rate} in minute {}", minute - first);
        }
    }
    assert!(client.world.add_incident("g", start, start, 0.1).is_err());
}

#[test]
fn a_misrouted_alias_gives_its_version_another_share_than_it_says() {
    let mut client = live(Settings::served());
    client.world.misroute("f", 0.4).unwrap();
    client.wait(MINUTE * 9);
    let (one, two) = (client.world.tally("f", "live", "1").invocations, client.world.tally("f", "live", "2").invocations);
    let share = f64::from(u32::try_from(two).unwrap()) / f64::from(u32::try_from(one + two).unwrap());
    assert!((0.18..0.22).contains(&share), "{share} where 0.5 is announced");
    assert_eq!(client.get("/functions/f/aliases/live").json["RoutingConfig"], json!({"AdditionalVersionWeights": {"2": 0.5}}));
}

#[test]
fn a_query_that_falls_short_says_so_beside_others_that_do_not() {
    let mut client = live(Settings::served());
    client.wait(MINUTE * 8);
    let end = client.now + MINUTE;
    client.world.add_metric_fault(MetricFault::on("Errors", Shortfall::PartialData).with("ExecutedVersion", "2"));
    client.world.add_metric_fault(MetricFault::on("Duration", Shortfall::InternalError).between(client.now, end));
    client.world.add_metric_fault(MetricFault::on("Throttles", Shortfall::Forbidden));
    let queries = [
        query("whole", "Errors", "Sum", &OF_ONE),
        query("part", "Errors", "Sum", &OF_TWO),
        query("broken", "Duration", "p50", &OF_TWO),
        query("closed", "Throttles", "Sum", &OF_ONE),
    ];
    let told = |client: &mut Client| {
        let asked = window(client, &queries);
        let seen = ask(client, &asked);
        assert_eq!((&seen["Messages"], seen.get("NextToken")), (&json!([]), None));
        let results = seen["MetricDataResults"].as_array().unwrap().clone();
        let row = |result: &Value| {
            let message = result["Messages"][0]["Code"].as_str().unwrap_or("none").to_owned();
            let count = result["Values"].as_array().unwrap().len();
            (result["StatusCode"].as_str().unwrap().to_owned(), count, message)
        };
        results.iter().map(row).collect::<Vec<_>>()
    };
    let row = |status: &str, count, message: &str| (status.to_owned(), count, message.to_owned());
    let whole = told(&mut client)[0].1;
    assert!(whole >= 8);
    let short = [
        row("PartialData", whole / 2, "PartialData"),
        row("InternalError", 0, "InternalError"),
        row("Forbidden", 0, "Forbidden"),
    ];
    assert_eq!(told(&mut client), [&[row("Complete", whole, "none")][..], &short].concat());
    client.wait(MINUTE);
    assert_eq!(told(&mut client)[2].0, "Complete", "its time is over");
    client.world.clear_faults();
    assert!(told(&mut client).iter().all(|(status, count, _)| status == "Complete" && *count >= whole));
}

#[test]
fn five_hundred_queries_are_answered_in_pages_and_one_more_is_refused() {
    let mut client = live(Settings::served());
    client.wait(MINUTE * 8);
    let queries: Vec<Value> = (0..501).map(|number| query(&format!("q{number}"), "Invocations", "Sum", &OF_ONE)).collect();
    let request = window(&client, &queries);
    let refused = send(&mut client, &request);
    assert_eq!((refused.status, refused.header("x-amzn-query-error")), (400, Some("ValidationError;Sender")));
    assert_eq!(refused.json["message"], "The collection MetricDataQueries must not have a size greater than 500.");

    let mut asked = window(&client, &queries[..500]);
    asked["MaxDatapoints"] = 1_000.into();
    let (mut pages, mut counts) = (0, vec![0; 500]);
    loop {
        let seen = ask(&mut client, &asked);
        let results = seen["MetricDataResults"].as_array().unwrap();
        for (count, result) in counts.iter_mut().zip(results) {
            *count += result["Values"].as_array().unwrap().len();
        }
        pages += 1;
        let Some(token) = seen.get("NextToken") else { break };
        asked["NextToken"] = token.clone();
    }
    assert_eq!((pages, counts.iter().all(|count| *count == counts[0])), ((counts[0] * 500).div_ceil(1_000), true));
}
