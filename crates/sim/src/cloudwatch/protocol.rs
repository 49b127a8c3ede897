//! Which protocol does a request use, and how is the answer written in it?
//!
//! Routes to the three codecs. It does not know what any operation does.

use bytes::Bytes;
use http::{Request, Response, header};
use serde_json::{Value, json};

use super::cbor;
use crate::query::{self, Dialect};
use crate::response::{put, response};
use crate::value::{Fault, present};

const CBOR_PREFIX: &str = "/service/GraniteServiceVersion20100801/operation/";
const TARGET_PREFIX: &str = "GraniteServiceVersion20100801.";
const DIALECT: Dialect = Dialect { version: "2010-08-01", namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/" };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Cbor,
    Json,
    Query,
}

/// A request's protocol and operation; `None` if it is not for CloudWatch.
pub(super) fn recognise(request: &Request<Bytes>) -> Option<(Protocol, String)> {
    if let Some(operation) = request.uri().path().strip_prefix(CBOR_PREFIX) {
        return Some((Protocol::Cbor, operation.to_owned()));
    }
    if let Some(target) = text_header(request, "x-amz-target") {
        return target.strip_prefix(TARGET_PREFIX).map(|operation| (Protocol::Json, operation.to_owned()));
    }
    query::recognise(&DIALECT, request).map(|operation| (Protocol::Query, operation))
}

fn text_header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

pub(super) fn decode(protocol: Protocol, request: &Request<Bytes>) -> Result<Value, Fault> {
    if text_header(request, header::CONTENT_ENCODING.as_str()).is_some_and(|encoding| encoding != "identity") {
        return Err(Fault::validation("Compressed request bodies are not supported by this simulation."));
    }
    match protocol {
        Protocol::Cbor => cbor::decode(request.body()),
        Protocol::Json => object(request.body()),
        Protocol::Query => query::decode(query::form(request).unwrap_or_default()),
    }
}

/// Reads a body of AWS JSON 1.0; an empty one is a request without members.
pub(super) fn object(body: &[u8]) -> Result<Value, Fault> {
    let read = if body.is_empty() { Some(json!({})) } else { serde_json::from_slice(body).ok() };
    read.filter(Value::is_object).ok_or_else(|| Fault::malformed("The body is not a JSON object."))
}

/// An operation's answer; one without an output has no value.
pub(super) fn answer(protocol: Protocol, operation: &str, value: Option<&Value>, request_id: &str) -> Response<Bytes> {
    if protocol == Protocol::Query {
        return response(200, "text/xml", query::answer(&DIALECT, operation, value, request_id), request_id);
    }
    written(protocol, 200, value.unwrap_or(&json!({})), request_id)
}

pub(super) fn refusal(protocol: Protocol, request: &Request<Bytes>, fault: &Fault, request_id: &str) -> Response<Bytes> {
    let shape = fault.shape();
    let message = if shape == "InternalServiceFault" { "Message" } else { "message" };
    let kind = match protocol {
        Protocol::Cbor => format!("com.amazonaws.cloudwatch#{shape}"),
        Protocol::Json => shape.to_owned(),
        Protocol::Query => return response(fault.status, "text/xml", query::refusal(&DIALECT, fault, request_id), request_id),
    };
    let mut response = written(
        protocol,
        fault.status,
        &present(json!({ "__type": kind, message: Some(&fault.message).filter(|text| !text.is_empty()) })),
        request_id,
    );
    if text_header(request, "x-amzn-query-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("true")) {
        put(&mut response, "x-amzn-query-error", &format!("{};{}", fault.code, fault.blame()));
    }
    response
}

/// An answer in one of the two protocols that are not Query.
fn written(protocol: Protocol, status: u16, value: &Value, request_id: &str) -> Response<Bytes> {
    if protocol == Protocol::Json {
        return response(status, "application/x-amz-json-1.0", value.to_string(), request_id);
    }
    let mut response = response(status, "application/cbor", cbor::encode(value), request_id);
    put(&mut response, "smithy-protocol", "rpc-v2-cbor");
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::calendar::iso;
    use crate::cloudwatch::CloudWatch;
    use crate::cloudwatch::tests::alarm_with;
    use crate::settings::Settings;
    use crate::time::Time;
    use crate::value::{from_seconds, is_time, merged};

    const PROTOCOLS: [Protocol; 3] = [Protocol::Cbor, Protocol::Json, Protocol::Query];
    const NOW: Time = Time::from_millis(1_795_442_460_500);

    fn cloud() -> CloudWatch {
        let settings = Settings { account: "123456789012".to_owned(), region: "eu-west-1".to_owned(), ..Settings::served() };
        CloudWatch::new(&settings, 1)
    }

    /// The fields of a form, as a client of the Query protocol writes them.
    fn fields(name: &str, value: &Value, form: &mut Vec<(String, String)>) {
        let below = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
        match value {
            Value::Object(members) => members.iter().for_each(|(key, value)| fields(&below(key), value, form)),
            Value::Array(items) if items.is_empty() => form.push((name.to_owned(), String::new())),
            Value::Array(items) => {
                (1..).zip(items).for_each(|(number, item)| fields(&below(&format!("member.{number}")), item, form));
            }
            Value::String(text) => form.push((name.to_owned(), text.clone())),
            Value::Number(seconds) if is_time(name) => {
                form.push((name.to_owned(), iso(from_seconds(seconds.as_f64().unwrap()))));
            }
            Value::Bool(_) | Value::Number(_) => form.push((name.to_owned(), value.to_string())),
            Value::Null => {}
        }
    }

    /// The same request as each protocol's clients send it.
    fn request(protocol: Protocol, operation: &str, value: &Value) -> Request<Bytes> {
        let request = Request::post("/").header("x-amzn-query-mode", "true");
        let (request, body) = match protocol {
            Protocol::Cbor => {
                (Request::post(format!("{CBOR_PREFIX}{operation}")).header("x-amzn-query-mode", "true"), cbor::encode(value))
            }
            Protocol::Json => {
                (request.header("x-amz-target", format!("{TARGET_PREFIX}{operation}")), value.to_string().into_bytes())
            }
            Protocol::Query => {
                let mut form =
                    vec![("Action".to_owned(), operation.to_owned()), ("Version".to_owned(), DIALECT.version.to_owned())];
                fields("", value, &mut form);
                let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
                (request.header("content-type", "application/x-www-form-urlencoded; charset=utf-8"), body.into_bytes())
            }
        };
        request.body(Bytes::from(body)).unwrap()
    }

    fn story() -> Vec<(&'static str, Value)> {
        let before = Time::from_millis(1_795_442_400_000);
        let from = before - Duration::from_mins(3);
        let metric = json!({"Namespace": "N", "MetricName": "E", "Dimensions": [{"Name": "FunctionName", "Value": "é&=+ <x>"}]});
        let with = |more: Value| merged(metric.clone(), more);
        let datum = with(json!({"Values": [0.5, 3.0], "Counts": [2.0, 1.0], "Timestamp": before, "Unit": "Count"}));
        let alarm = |name: &str, unit: Option<&str>| {
            let percentile = json!({"AlarmName": name, "Statistic": null, "ExtendedStatistic": "p90", "Threshold": 2.5});
            let more = json!({"EvaluationPeriods": 2, "ActionsEnabled": false, "OKActions": [], "Unit": unit});
            alarm_with(merged(with(percentile), more))
        };
        let query = json!({"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "TM(0:5)"}, "ReturnData": true});
        let statistics = json!({
            "StartTime": from,
            "EndTime": NOW,
            "Period": 60,
            "Statistics": ["Sum", "Maximum"],
            "ExtendedStatistics": ["p50"],
        });
        vec![
            ("PutMetricData", json!({"Namespace": "N", "MetricData": [datum]})),
            ("ListMetrics", json!({})),
            ("PutMetricAlarm", alarm("a", None)),
            ("PutMetricAlarm", alarm("broken", Some("Furlongs"))),
            ("PutCompositeAlarm", json!({"AlarmName": "c", "AlarmRule": "NOT OK(a)"})),
            ("GetMetricData", json!({"StartTime": from, "EndTime": NOW, "MetricDataQueries": [query]})),
            ("GetMetricStatistics", with(statistics)),
            ("DescribeAlarms", json!({"AlarmTypes": ["MetricAlarm", "CompositeAlarm"], "AlarmNames": ["a", "c", "x"]})),
            ("DescribeAlarmHistory", json!({"StartDate": before, "MaxRecords": 2})),
            ("SetAlarmState", json!({"AlarmName": "x", "StateValue": "OK", "StateReason": ""})),
            ("DeleteAlarms", json!({"AlarmNames": ["a", "c"]})),
            ("Dance", json!({})),
        ]
    }

    /// An alarm that is made with a tag, tagged, untagged, put again and deleted.
    fn tagging() -> Vec<(&'static str, Value)> {
        let tag = |key: &str| json!({"Key": key, "Value": "é&=+ <x>"});
        let arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:t";
        let alarm = alarm_with(json!({"AlarmName": "t", "MetricName": "E", "Tags": [tag("a"), tag("b")]}));
        vec![
            ("PutMetricAlarm", alarm.clone()),
            ("TagResource", json!({"ResourceARN": arn, "Tags": [tag("c"), tag("a")]})),
            ("ListTagsForResource", json!({ "ResourceARN": arn })),
            ("UntagResource", json!({"ResourceARN": arn, "TagKeys": ["b", "c"]})),
            ("PutMetricAlarm", alarm),
            ("ListTagsForResource", json!({ "ResourceARN": arn })),
            ("DescribeAlarmHistory", json!({"AlarmName": "t"})),
            ("DeleteAlarms", json!({"AlarmNames": ["t"]})),
        ]
    }

    #[test]
    fn the_same_requests_get_the_same_answers_in_all_three_protocols() {
        let [mut first, mut second, mut third] = PROTOCOLS.map(|_| cloud());
        for (operation, value) in story().into_iter().chain(tagging()) {
            let mut answers = Vec::new();
            for (protocol, cloud) in PROTOCOLS.into_iter().zip([&mut first, &mut second, &mut third]) {
                let request = request(protocol, operation, &value);
                assert_eq!(recognise(&request), Some((protocol, operation.to_owned())));
                let decoded = decode(protocol, &request).unwrap();
                answers.push(cloud.perform(NOW, operation, &decoded));
            }
            assert_eq!(answers[0], answers[1], "{operation} in CBOR and JSON");
            assert_eq!(answers[0], answers[2], "{operation} in CBOR and Query");
            let refused = ["Dance", "SetAlarmState"].contains(&operation) || format!("{value:?}").contains("Furlongs");
            assert_eq!(answers[0].is_err(), refused, "{operation}: {:?}", answers[0]);
        }
    }

    #[test]
    fn a_refusal_speaks_the_callers_protocol() {
        for protocol in PROTOCOLS {
            let request = request(protocol, "DescribeAlarms", &json!({}));
            let response = CloudWatch::refuse(&request, &Fault::limit("too <much>"), "id-1");
            assert_eq!(response.status(), 400);
            assert_eq!(response.headers()["x-amzn-requestid"], "id-1");
            let compatible = response.headers().get("x-amzn-query-error").map(http::HeaderValue::as_bytes);
            let said = |kind: &str| json!({"__type": kind, "message": "too <much>"});
            match protocol {
                Protocol::Query => {
                    let text = String::from_utf8(response.body().to_vec()).unwrap();
                    assert_eq!(compatible, None);
                    assert!(text.contains("<Code>LimitExceeded</Code><Message>too &lt;much&gt;</Message>"), "{text}");
                }
                Protocol::Json => {
                    assert_eq!(compatible, Some(&b"LimitExceeded;Sender"[..]));
                    assert_eq!(object(response.body()), Ok(said("LimitExceededFault")));
                }
                Protocol::Cbor => {
                    assert_eq!(response.headers()["smithy-protocol"], "rpc-v2-cbor");
                    assert_eq!(cbor::decode(response.body()), Ok(said("com.amazonaws.cloudwatch#LimitExceededFault")));
                }
            }
        }
        // What breaks the model has another name in the body than in the Query protocol.
        let request_of = request(Protocol::Json, "SetAlarmState", &json!({}));
        let broken = CloudWatch::refuse(&request_of, &Fault::unknown_word("StateValue", "RED", &["OK"]), "id-3");
        assert_eq!(broken.headers()["x-amzn-query-error"], "ValidationError;Sender");
        assert_eq!(object(broken.body()).unwrap()["__type"], "ValidationException");
        let plain = request(Protocol::Json, "DescribeAlarms", &json!({}));
        let (mut parts, body) = plain.into_parts();
        parts.headers.remove("x-amzn-query-mode");
        let fault = Fault { status: 500, code: "InternalServiceError".into(), message: "ouch".to_owned() };
        let failed = CloudWatch::refuse(&Request::from_parts(parts, body), &fault, "id-2");
        assert!(!failed.headers().contains_key("x-amzn-query-error"));
        assert_eq!(object(failed.body()).unwrap()["Message"], "ouch");
    }

    #[test]
    fn other_services_requests_are_left_alone() {
        let invoke = Request::post("/2015-03-31/functions/f/invocations").body(Bytes::from_static(b"{}")).unwrap();
        let other = Request::post("/").header("x-amz-target", "DynamoDB_20120810.GetItem").body(Bytes::new()).unwrap();
        let sts = b"Action=GetCallerIdentity&Version=2011-06-15";
        let form =
            Request::post("/").header("content-type", "application/x-www-form-urlencoded").body(Bytes::from_static(sts)).unwrap();
        for request in [invoke, other, form] {
            assert_eq!(CloudWatch::operation(&request), None, "{request:?}");
        }
        let get = Request::get("/?Action=ListMetrics&Version=2010-08-01").body(Bytes::new()).unwrap();
        assert_eq!(CloudWatch::operation(&get).as_deref(), Some("ListMetrics"));
    }

    #[test]
    fn what_is_not_an_object_is_refused_and_times_are_numbers() {
        for body in ["[]", "1", "{", "{\"a\":}"] {
            assert_eq!(object(body.as_bytes()).unwrap_err().code, "SerializationException", "{body}");
        }
        assert_eq!(object(b""), Ok(json!({})));
        let times = json!({"A": Time::from_millis(5_000), "B": Time::from_millis(5_250), "C": 1.0});
        assert_eq!(times.to_string(), r#"{"A":5,"B":5.25,"C":1.0}"#);
    }
}
