//! Every invocation is measured, under the dimensions that the real service measures it under.

#![expect(clippy::unwrap_used, reason = "what fails while a test is set up fails the test")]

#[expect(dead_code, reason = "each test file uses its own part of the client")]
mod wire;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use sim::Settings;
use wire::Client;

fn ask(client: &mut Client, operation: &str, body: &Value) -> Value {
    let request = http::Request::post("/")
        .header("x-amz-target", format!("GraniteServiceVersion20100801.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .body(body.to_string().into())
        .unwrap();
    let seen = client.send(&request);
    assert_eq!(seen.status, 200, "{}", seen.json);
    seen.json
}

/// The sum over ten minutes of a metric with these dimensions.
fn sum(client: &mut Client, metric: &str, dimensions: &[(&str, &str)]) -> f64 {
    let dimensions: Vec<Value> = dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    let now = client.now.as_millis() / 1_000;
    let metric = json!({"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions});
    let query = json!({"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}});
    let asked = json!({"StartTime": now - 600, "EndTime": now + 60, "MetricDataQueries": [query]});
    let seen = ask(client, "GetMetricData", &asked);
    seen["MetricDataResults"][0]["Values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_f64().unwrap())
        .fold(0.0, |sum, value| sum + value)
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-6
}

fn furnished(settings: Settings) -> Client {
    let mut client = Client::with(settings);
    client.world.create_function("f", &[("SIM_LATENCY_MS", "7")]).unwrap();
    client.world.publish("f", 1).unwrap();
    client.world.set_environment("f", &[("SIM_ERROR_RATE", "1")]).unwrap();
    client.world.publish("f", 2).unwrap();
    client.world.set_alias("f", "live", "1", None).unwrap();
    client
}

fn call(client: &mut Client, times: usize) {
    for _ in 0..times {
        client.post("/functions/f:live/invocations", &json!({}));
    }
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
