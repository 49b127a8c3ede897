//! What functions write is found by reading and by queries, in CloudWatch Logs' own protocol.

use std::time::Duration;

use serde_json::{Value, json};
use sim::{Effect, Fault, Settings};

use crate::wire::{Client, Seen};

const GROUP: &str = "/aws/lambda/f";

fn ask(client: &mut Client, operation: &str, body: &Value) -> Seen {
    let mut request = Client::request("POST", "/", body.to_string().as_bytes());
    request.headers_mut().insert("x-amz-target", format!("Logs_20140328.{operation}").parse().unwrap());
    request.headers_mut().insert("content-type", "application/x-amz-json-1.1".parse().unwrap());
    client.send(&request)
}

/// Status, code and message of an error.
fn error(seen: &Seen) -> (u16, &str, &str) {
    (seen.status, seen.json["__type"].as_str().unwrap(), seen.json["message"].as_str().unwrap())
}

fn invoke(client: &mut Client, times: usize) {
    for _ in 0..times {
        client.post("/functions/f/invocations?Qualifier=live", &json!({}));
        client.wait(Duration::from_secs(1));
    }
}

fn start(client: &mut Client, query: &str) -> Seen {
    let now = client.now.as_millis() / 1_000;
    let body = json!({"logGroupName": GROUP, "startTime": now - 3_600, "endTime": now, "queryString": query});
    ask(client, "StartQuery", &body)
}

/// The rows of a query that ends at once, each as `field=value, …`, without `@ptr`.
fn rows(client: &mut Client, query: &str) -> Vec<String> {
    let started = start(client, query);
    assert_eq!(started.status, 200, "{query}: {}", started.json);
    let seen = ask(client, "GetQueryResults", &json!({"queryId": started.json["queryId"]}));
    assert_eq!(seen.json["status"], "Complete");
    let shown = |row: &Value| {
        let fields = row.as_array().unwrap().iter().filter(|field| field["field"] != "@ptr");
        let fields = fields.map(|field| format!("{}={}", field["field"].as_str().unwrap(), field["value"].as_str().unwrap()));
        fields.collect::<Vec<_>>().join(", ")
    };
    seen.json["results"].as_array().unwrap().iter().map(shown).collect()
}

fn writing(variables: &[(&str, &str)], then: &[(&str, &str)], weight: Option<f64>) -> Client {
    Client::behaving(Settings::served(), variables, then, weight)
}

#[test]
fn an_invocation_writes_its_lines_into_the_stream_of_its_version() {
    let mut client = writing(&[("SIM_LOG", "hello ${version} ${status}"), ("SIM_LATENCY_MS", "40")], &[], None);
    invoke(&mut client, 2);
    let seen = ask(&mut client, "FilterLogEvents", &json!({"logGroupName": GROUP}));
    let events = seen.json["events"].as_array().unwrap();
    let messages: Vec<&str> = events.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(messages.len(), 8, "{messages:?}");
    assert!(messages[0].starts_with("START RequestId: ") && messages[0].ends_with(" Version: 1\n"), "{messages:?}");
    assert!(messages[1].ends_with("\tINFO\thello 1 200\n"), "{messages:?}");
    assert!(messages[2].starts_with("END RequestId: "), "{messages:?}");
    assert!(messages[3].contains("\tDuration: 40.00 ms\tBilled Duration: 40 ms\tMemory Size: 128 MB\t"), "{messages:?}");
    let stream = events[0]["logStreamName"].as_str().unwrap();
    assert!(stream.starts_with("2025/11/24/[1]") && stream.len() == "2025/11/24/[1]".len() + 32, "{stream}");
    assert!(events.iter().all(|event| event["logStreamName"] == stream), "an idle environment is used again");
    let (at, start) = (events[1]["timestamp"].as_i64().unwrap(), events[0]["timestamp"].as_i64().unwrap());
    assert_eq!((at - start, events[1]["ingestionTime"].as_i64()), (40, Some(at)));

    let groups = ask(&mut client, "DescribeLogGroups", &json!({"logGroupNamePrefix": "/aws/lambda/"}));
    let group = &groups.json["logGroups"][0];
    assert_eq!((group["logGroupName"].as_str(), group["creationTime"].as_i64()), (Some(GROUP), Some(start)));
    assert_eq!(group["arn"], format!("arn:aws:logs:us-east-1:111111111111:log-group:{GROUP}:*"));
    let streams = ask(&mut client, "DescribeLogStreams", &json!({"logGroupIdentifier": group["logGroupArn"]}));
    assert_eq!(streams.json["logStreams"][0]["logStreamName"], stream);
    let page = |client: &mut Client, more: Value| {
        let mut body = json!({"logGroupName": GROUP, "logStreamName": stream, "limit": 3, "startFromHead": true});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let seen = ask(client, "GetLogEvents", &body);
        (seen.json["events"].as_array().unwrap().len(), seen.json["nextForwardToken"].clone())
    };
    let (first, token) = page(&mut client, json!({}));
    let (second, token) = page(&mut client, json!({"nextToken": token}));
    let (third, token) = page(&mut client, json!({"nextToken": token}));
    let end = page(&mut client, json!({"nextToken": token}));
    assert_eq!((first, second, third, end), (3, 3, 2, (0, token)));
}

#[test]
fn errors_and_timeouts_are_written_as_aws_writes_them() {
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[("SIM_ERROR_RATE", "1")], "ERROR\tInvoke Error\t{\"errorType\":\"Error\",\"errorMessage\":\"SIM_ERROR_RATE=1\""),
        (&[("SIM_LATENCY_MS", "4000"), ("SIM_LOG", "never")], " Task timed out after 3.00 seconds\n"),
        (&[("SIM_HTTP_ERROR_RATE", "1"), ("SIM_LOG_ON_ERROR", "lost ${number}\nand ${status}")], "\tERROR\tand 500\n"),
    ];
    for (variables, part) in cases {
        let mut client = writing(variables, &[], None);
        invoke(&mut client, 1);
        client.wait(Duration::from_secs(9));
        let seen = ask(&mut client, "FilterLogEvents", &json!({"logGroupName": GROUP}));
        let messages: Vec<&str> =
            seen.json["events"].as_array().unwrap().iter().map(|e| e["message"].as_str().unwrap()).collect();
        assert!(messages.iter().any(|message| message.contains(part)), "{messages:?}");
        assert!(!messages.iter().any(|message| message.contains("never")), "{messages:?}");
    }
}

#[test]
fn a_function_that_logs_json_writes_objects_into_its_own_group() {
    let mut client = Client::new();
    client.begin_function("f");
    client.settle();
    let logging = json!({"LogFormat": "JSON", "LogGroup": "/shop/f"});
    let environment =
        json!({"Variables": {"SIM_ERROR_RATE": "1", "SIM_LOG": "hi", "SIM_LOG_ON_ERROR": "{\"status\":${status}}"}});
    client.put("/functions/f/configuration", &json!({"LoggingConfig": logging, "Environment": environment, "Timeout": 3}));
    client.settle();
    client.post("/functions/f/invocations", &json!({}));
    client.wait(Duration::from_secs(1));
    let seen = ask(&mut client, "FilterLogEvents", &json!({"logGroupName": "/shop/f"}));
    let lines: Vec<Value> = seen.json["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| serde_json::from_str(event["message"].as_str().unwrap()).unwrap())
        .collect();
    let told: Vec<_> =
        ["type", "message", "status", "errorType", "type"].iter().zip(&lines).map(|(name, line)| &line[*name]).collect();
    assert_eq!(told, [&json!("platform.start"), &json!("hi"), &json!(500), &json!("Exception"), &json!("platform.report")]);
    assert_eq!((&lines[0]["record"]["version"], &lines[4]["record"]["status"]), (&json!("$LATEST"), &json!("error")));
    assert_eq!(lines[3]["errorMessage"], "SIM_ERROR_RATE=1");
    assert!(lines[3]["stackTrace"].is_array() && lines[4]["record"]["metrics"]["durationMs"].is_number());
}

#[test]
fn queries_filter_parse_count_and_sort() {
    let log = r#"{"status":${status},"level":"info","at":{"version":"${version}"}}"#;
    let mut client = writing(&[("SIM_LOG", log)], &[("SIM_HTTP_ERROR_RATE", "1")], Some(0.5));
    invoke(&mut client, 40);
    let failed = client.world.tally("f", "live", "2").invocations;
    assert!((10..30).contains(&failed) && client.world.tally("f", "live", "2").errors == 0);
    for (query, expected) in [
        ("filter status >= 500 | stats count(*) as n", vec![format!("n={failed}")]),
        ("filter status >= 500 and at.version = 1 | stats count(*) as n", vec![]),
        (
            "filter @type = 'REPORT' and @duration < 6 | stats count(*), count_distinct(@requestId) as requests",
            vec!["count(*)=40, requests=40".to_owned()],
        ),
        (
            "parse @logStream \"*[*]*\" as date, version, id | filter @message like /\"status\"/ | stats max(status) as worst by version | sort version desc",
            vec!["version=2, worst=500".to_owned(), "version=1, worst=200".to_owned()],
        ),
        (
            "parse @logStream /\\[(?<version>[^\\]]+)\\]/ | filter version in [\"2\", \"3\"] and ispresent(status) | display version, status, nothing | limit 1",
            vec!["version=2, status=500".to_owned()],
        ),
        (
            "stats count(*) as n by bin(1h), @type | filter n > 20 | sort @type | fields n | limit 2",
            vec![
                "bin(1h)=2025-11-24 16:00:00.000, @type=END, n=40".to_owned(),
                "bin(1h)=2025-11-24 16:00:00.000, @type=REPORT, n=40".to_owned(),
            ],
        ),
        ("filter not (status = 200 or @message like 'RequestId') | stats count() as n", vec![format!("n={failed}")]),
        ("filter level = \"info\" | stats pct(status, 1) as low, avg(status) > 1", vec!["wrong".to_owned()]),
    ] {
        if expected == ["wrong"] {
            assert_eq!(error(&start(&mut client, query)).1, "MalformedQueryException");
        } else {
            assert_eq!(rows(&mut client, query), expected, "{query}");
        }
    }
    let newest = rows(&mut client, "limit 2");
    assert!(newest[0].starts_with("@timestamp=2025-11-24 16:00:39.005, @message=REPORT "), "{newest:?}");
    assert_eq!(rows(&mut client, "fields @timestamp, status as code | sort @timestamp asc | filter code > 0").len(), 40);
}

#[test]
fn a_query_takes_its_time_and_sees_what_is_old_enough() {
    let mut client = Client::furnished(Settings::strict());
    client.settle();
    invoke(&mut client, 5);
    let seen = ask(&mut client, "FilterLogEvents", &json!({"logGroupName": GROUP}));
    assert_eq!(seen.json["events"].as_array().unwrap().len(), 7, "of the last three seconds there is nothing yet");
    client.wait(Duration::from_secs(7));
    let started = start(&mut client, "stats count(*) as n");
    let id = json!({"queryId": started.json["queryId"]});
    for (after, status, rows) in [(0, "Scheduled", 0), (400, "Running", 0), (1_100, "Complete", 1)] {
        client.wait(Duration::from_millis(after));
        let seen = ask(&mut client, "GetQueryResults", &id);
        assert_eq!((seen.json["status"].as_str(), seen.json["results"].as_array().map(Vec::len)), (Some(status), Some(rows)));
        let scanned = seen.json["statistics"]["recordsScanned"].as_f64().unwrap();
        assert_eq!(scanned > 0.0, rows > 0);
    }
    let seen = ask(&mut client, "GetQueryResults", &id);
    assert_eq!(seen.json["results"][0][0], json!({"field": "n", "value": "7"}), "of the last ten seconds there is nothing yet");
    assert_eq!(error(&ask(&mut client, "StopQuery", &id)).1, "InvalidParameterException");
    let started = start(&mut client, "fields @message");
    let id = json!({"queryId": started.json["queryId"]});
    assert_eq!(ask(&mut client, "StopQuery", &id).json, json!({"success": true}));
    assert_eq!(ask(&mut client, "GetQueryResults", &id).json["status"], "Cancelled");
}

#[test]
fn results_come_in_pages() {
    let mut client = writing(&[], &[], None);
    invoke(&mut client, 3);
    let started = start(&mut client, "fields @type | limit 7");
    let page = |client: &mut Client, token: Option<Value>| {
        let seen =
            ask(client, "GetQueryResults", &json!({"queryId": started.json["queryId"], "maxItems": 4, "nextToken": token}));
        (seen.json["results"].as_array().unwrap().len(), seen.json.get("nextToken").cloned())
    };
    let (first, token) = page(&mut client, None);
    assert_eq!((first, page(&mut client, token)), (4, (3, None)));
}

#[test]
fn what_is_wrong_is_refused_in_the_services_words() {
    let mut client = writing(&[], &[], None);
    let missing = start(&mut client, "fields @message");
    let (status, code, message) = error(&missing);
    assert_eq!((status, code), (400, "ResourceNotFoundException"), "nothing was invoked yet");
    assert!(message.starts_with("Log group '/aws/lambda/f' does not exist for account ID '111111111111'"), "{message}");
    let missing = ask(&mut client, "FilterLogEvents", &json!({"logGroupName": GROUP}));
    assert_eq!(error(&missing), (400, "ResourceNotFoundException", "The specified log group does not exist."));
    invoke(&mut client, 1);
    for query in
        ["", "count()", "fields @message | dance", "filter a = ", "filter a like /(/", "limit 0", "stats count(*", "fields a; b"]
    {
        let refused = start(&mut client, query);
        assert_eq!((refused.status, error(&refused).1), (400, "MalformedQueryException"), "{query}");
        assert!(refused.json["queryCompileError"]["location"]["startCharOffset"].is_u64(), "{}", refused.json);
    }
    let refused = start(&mut client, "fields @message | dance");
    let location = &refused.json["queryCompileError"]["location"];
    assert_eq!(*location, json!({"startCharOffset": 18, "endCharOffset": 23}));
    let now = client.now.as_millis() / 1_000;
    let whole = json!({"logGroupName": GROUP, "startTime": now - 60, "endTime": now, "queryString": "fields @message"});
    for (member, value, part) in [
        ("limit", json!(100_001), "less than or equal to 100000"),
        ("limit", json!(0), "greater than or equal to 1"),
        ("startTime", Value::Null, "'startTime'"),
        ("queryString", Value::Null, "'queryString'"),
        ("logGroupName", Value::Null, "Exactly one"),
        ("logGroupNames", json!([GROUP]), "Exactly one"),
        ("endTime", json!(now - 61), "after its end"),
    ] {
        let mut body = whole.clone();
        body[member] = value;
        let refused = ask(&mut client, "StartQuery", &body);
        assert!(error(&refused).1 == "InvalidParameterException" && error(&refused).2.contains(part), "{}", refused.json);
    }
    let mut before = whole.clone();
    (before["startTime"], before["endTime"]) = (json!(now - 7_200), json!(now - 3_600));
    let refused = ask(&mut client, "StartQuery", &before);
    assert!(error(&refused).1 == "MalformedQueryException" && error(&refused).2.contains("creation time"), "{}", refused.json);
    assert_eq!(error(&ask(&mut client, "GetQueryResults", &json!({"queryId": "x"}))).1, "ResourceNotFoundException");
    assert_eq!(error(&ask(&mut client, "PutDestination", &json!({}))).1, "UnknownOperationException");
}

#[test]
fn only_so_many_queries_run_at_once_and_who_may_not_ask_is_told_so() {
    let mut client = Client::with(Settings { log_query_time: Duration::from_mins(1), ..Settings::served() });
    client.world.create_function("f", &[]).unwrap();
    client.world.publish("f", 1).unwrap();
    client.world.set_alias("f", "live", "1", None).unwrap();
    invoke(&mut client, 1);
    let refused = (0..101).map(|_| start(&mut client, "fields @message")).find(|seen| seen.status != 200).unwrap();
    assert_eq!(error(&refused).1, "LimitExceededException");
    assert_eq!(client.world.log().iter().filter(|call| call.operation == "StartQuery" && call.succeeded()).count(), 100);
    for (effect, code) in [
        (Effect::Deny, "AccessDeniedException"),
        (Effect::Throttle, "ThrottlingException"),
        (Effect::ServerError(503), "ServiceUnavailableException"),
        (Effect::Expire, "ExpiredTokenException"),
    ] {
        client.world.clear_faults();
        client.world.add_fault(Fault::on("StartQuery", effect).about(GROUP));
        let refused = start(&mut client, "fields @message");
        assert_eq!(error(&refused).1, code);
        if effect == Effect::Deny {
            let on = "logs:StartQuery on resource: arn:aws:logs:us-east-1:111111111111:log-group:/aws/lambda/f:log-stream:";
            assert!(error(&refused).2.contains(on), "{}", refused.json);
        }
    }
}

#[test]
fn a_line_in_the_embedded_metric_format_becomes_metrics_by_version() {
    let mut client = writing(&[("SIM_EMF", "Shop")], &[("SIM_HTTP_ERROR_RATE", "1")], Some(0.5));
    invoke(&mut client, 40);
    let cloudwatch = |client: &mut Client, operation: &str, body: &Value| {
        let mut request = Client::request("POST", "/", body.to_string().as_bytes());
        request.headers_mut().insert("x-amz-target", format!("GraniteServiceVersion20100801.{operation}").parse().unwrap());
        client.send(&request).json
    };
    let listed = cloudwatch(&mut client, "ListMetrics", &json!({"Namespace": "Shop"}));
    assert_eq!(listed["Metrics"].as_array().unwrap().len(), 8, "{listed}");
    let sum = |client: &mut Client, metric: &str, version: &str| {
        let now = client.now.as_millis() / 1_000;
        let dimensions = json!([{"Name": "Version", "Value": version}]);
        let metric = json!({"Namespace": "Shop", "MetricName": metric, "Dimensions": dimensions});
        let stat = json!({"Metric": metric, "Period": 3_600, "Stat": "Sum"});
        let body =
            json!({"StartTime": now - 7_200, "EndTime": now + 3_600, "MetricDataQueries": [{"Id": "q", "MetricStat": stat}]});
        cloudwatch(client, "GetMetricData", &body)["MetricDataResults"][0]["Values"][0].as_f64().unwrap()
    };
    #[expect(clippy::cast_precision_loss, reason = "forty")]
    let [stable, candidate] = ["1", "2"].map(|version| client.world.tally("f", "live", version).invocations as f64);
    assert_eq!((sum(&mut client, "Requests", "1"), sum(&mut client, "Failures", "1")), (stable, 0.0));
    assert_eq!((sum(&mut client, "Requests", "2"), sum(&mut client, "Failures", "2")), (candidate, candidate));
}
