//! Which protocol does a request use, and how is the answer written in it?
//!
//! Routes to the three codecs. It does not know what any operation does.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};

use super::{cbor, json};
use crate::query::{self, Dialect};
use crate::value::{Fault, Record, Value};

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
        Protocol::Json => json::decode(request.body()),
        Protocol::Query => query::decode(query::form(request).unwrap_or_default()),
    }
}

/// An operation's answer as bytes; one without an output has no value.
pub(super) fn answer(protocol: Protocol, operation: &str, value: Option<&Value>, request_id: &str) -> Response<Bytes> {
    let nothing = Value::nothing();
    let body = match protocol {
        Protocol::Cbor => cbor::encode(value.unwrap_or(&nothing)),
        Protocol::Json => json::encode(value.unwrap_or(&nothing)),
        Protocol::Query => query::answer(&DIALECT, operation, value, request_id).into_bytes(),
    };
    response(protocol, StatusCode::OK, body, request_id)
}

pub(super) fn refusal(protocol: Protocol, request: &Request<Bytes>, fault: &Fault, request_id: &str) -> Response<Bytes> {
    let shape = fault.shape();
    let message = if shape == "InternalServiceFault" { "Message" } else { "message" };
    let kind = match protocol {
        Protocol::Cbor => format!("com.amazonaws.cloudwatch#{shape}"),
        Protocol::Json | Protocol::Query => shape.to_owned(),
    };
    let described: Value = Record::new().with("__type", kind).with(message, &fault.message).into();
    let body = match protocol {
        Protocol::Cbor => cbor::encode(&described),
        Protocol::Json => json::encode(&described),
        Protocol::Query => query::refusal(&DIALECT, fault, request_id).into_bytes(),
    };
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = response(protocol, status, body, request_id);
    let compatible = text_header(request, "x-amzn-query-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("true"));
    if compatible && protocol != Protocol::Query {
        let blame = if fault.status < 500 { "Sender" } else { "Receiver" };
        if let Ok(value) = HeaderValue::from_str(&format!("{};{blame}", fault.code)) {
            response.headers_mut().insert("x-amzn-query-error", value);
        }
    }
    response
}

fn response(protocol: Protocol, status: StatusCode, body: Vec<u8>, request_id: &str) -> Response<Bytes> {
    let kind = match protocol {
        Protocol::Cbor => "application/cbor",
        Protocol::Json => "application/x-amz-json-1.0",
        Protocol::Query => "text/xml",
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if protocol == Protocol::Cbor {
        headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cloudwatch::CloudWatch;
    use crate::settings::Settings;
    use crate::time::Time;

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
            Value::Record(members) => members.iter().for_each(|(key, value)| fields(&below(key), value, form)),
            Value::List(items) if items.is_empty() => form.push((name.to_owned(), String::new())),
            Value::List(items) => {
                (1..).zip(items).for_each(|(number, item)| fields(&below(&format!("member.{number}")), item, form));
            }
            Value::Time(at) => form.push((name.to_owned(), crate::calendar::iso(*at))),
            Value::Text(text) => form.push((name.to_owned(), text.clone())),
            Value::Int(number) => form.push((name.to_owned(), number.to_string())),
            Value::Float(number) => form.push((name.to_owned(), number.to_string())),
            Value::Bool(flag) => form.push((name.to_owned(), flag.to_string())),
            Value::Null | Value::Blob(_) | Value::Entries(_) => panic!("no request has {value:?}"),
        }
    }

    /// The same request as each protocol's clients send it.
    fn request(protocol: Protocol, operation: &str, value: &Value) -> Request<Bytes> {
        let request = Request::post("/").header("x-amzn-query-mode", "true");
        let (request, body) = match protocol {
            Protocol::Cbor => {
                (Request::post(format!("{CBOR_PREFIX}{operation}")).header("x-amzn-query-mode", "true"), cbor::encode(value))
            }
            Protocol::Json => (request.header("x-amz-target", format!("{TARGET_PREFIX}{operation}")), json::encode(value)),
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
        let dimension = || Value::list([Record::new().with("Name", "FunctionName").with("Value", "é&=+ <x>")]);
        let datum = Record::new()
            .with("MetricName", "E")
            .with("Dimensions", dimension())
            .with("Values", Value::list([0.5, 3.0]))
            .with("Counts", Value::list([2.0, 1.0]))
            .with("Timestamp", before)
            .with("Unit", "Count");
        let alarm = |name| {
            Record::new()
                .with("AlarmName", name)
                .with("Namespace", "N")
                .with("MetricName", "E")
                .with("Dimensions", dimension())
                .with("ExtendedStatistic", "p90")
                .with("Period", 60_i64)
                .with("EvaluationPeriods", 2_i64)
                .with("Threshold", 2.5)
                .with("ActionsEnabled", false)
                .with("OKActions", Value::List(Vec::new()))
                .with("ComparisonOperator", "GreaterThanThreshold")
        };
        let metric = Record::new().with("Namespace", "N").with("MetricName", "E").with("Dimensions", dimension());
        let stat = Record::new().with("Metric", metric).with("Period", 60_i64).with("Stat", "TM(0:5)");
        let window = || Record::new().with("StartTime", before - Duration::from_mins(3)).with("EndTime", NOW);
        let query = Record::new().with("Id", "q").with("MetricStat", stat).with("ReturnData", true);
        let statistics = window().with("Namespace", "N").with("MetricName", "E").with("Dimensions", dimension());
        let both = || Value::list(["MetricAlarm", "CompositeAlarm"]);
        vec![
            ("PutMetricData", Record::new().with("Namespace", "N").with("MetricData", Value::list([datum])).into()),
            ("ListMetrics", Value::nothing()),
            ("PutMetricAlarm", alarm("a").into()),
            ("PutMetricAlarm", alarm("broken").with("Unit", "Furlongs").into()),
            ("PutCompositeAlarm", Record::new().with("AlarmName", "c").with("AlarmRule", "NOT OK(a)").into()),
            ("GetMetricData", window().with("MetricDataQueries", Value::list([query])).into()),
            (
                "GetMetricStatistics",
                statistics
                    .with("Period", 60_i64)
                    .with("Statistics", Value::list(["Sum", "Maximum"]))
                    .with("ExtendedStatistics", Value::list(["p50"]))
                    .into(),
            ),
            ("DescribeAlarms", Record::new().with("AlarmTypes", both()).with("AlarmNames", Value::list(["a", "c", "x"])).into()),
            ("DescribeAlarmHistory", Record::new().with("StartDate", before).with("MaxRecords", 2_i64).into()),
            ("SetAlarmState", Record::new().with("AlarmName", "x").with("StateValue", "OK").with("StateReason", "").into()),
            ("DeleteAlarms", Record::new().with("AlarmNames", Value::list(["a", "c"])).into()),
            ("Dance", Value::nothing()),
        ]
    }

    /// An alarm that is made with a tag, tagged, untagged, put again and deleted.
    fn tagging() -> Vec<(&'static str, Value)> {
        let tag = |key: &str| Record::new().with("Key", key).with("Value", "é&=+ <x>");
        let arn = || Record::new().with("ResourceARN", "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:t");
        let alarm = || {
            Record::new()
                .with("AlarmName", "t")
                .with("Namespace", "N")
                .with("MetricName", "E")
                .with("Statistic", "Sum")
                .with("Period", 60_i64)
                .with("EvaluationPeriods", 1_i64)
                .with("Threshold", 1.0)
                .with("ComparisonOperator", "GreaterThanOrEqualToThreshold")
                .with("Tags", Value::list([tag("a"), tag("b")]))
        };
        vec![
            ("PutMetricAlarm", alarm().into()),
            ("TagResource", arn().with("Tags", Value::list([tag("c"), tag("a")])).into()),
            ("ListTagsForResource", arn().into()),
            ("UntagResource", arn().with("TagKeys", Value::list(["b", "c"])).into()),
            ("PutMetricAlarm", alarm().into()),
            ("ListTagsForResource", arn().into()),
            ("DescribeAlarmHistory", Record::new().with("AlarmName", "t").into()),
            ("DeleteAlarms", Record::new().with("AlarmNames", Value::list(["t"])).into()),
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
            let request = request(protocol, "DescribeAlarms", &Value::nothing());
            let response = CloudWatch::refuse(&request, 400, "LimitExceeded", "too <much>", "id-1");
            assert_eq!(response.status(), 400);
            assert_eq!(response.headers()["x-amzn-requestid"], "id-1");
            let compatible = response.headers().get("x-amzn-query-error").map(HeaderValue::as_bytes);
            let message = Some(&Value::from("too <much>"));
            match protocol {
                Protocol::Query => {
                    let text = String::from_utf8(response.body().to_vec()).unwrap();
                    assert_eq!(compatible, None);
                    assert!(text.contains("<Code>LimitExceeded</Code><Message>too &lt;much&gt;</Message>"), "{text}");
                }
                Protocol::Json => {
                    let body = json::decode(response.body()).unwrap();
                    assert_eq!(compatible, Some(&b"LimitExceeded;Sender"[..]));
                    assert_eq!((body.member("__type"), body.member("message")), (Some(&"LimitExceededFault".into()), message));
                }
                Protocol::Cbor => {
                    let body = cbor::decode(response.body()).unwrap();
                    assert_eq!(response.headers()["smithy-protocol"], "rpc-v2-cbor");
                    assert_eq!(body.member("__type"), Some(&"com.amazonaws.cloudwatch#LimitExceededFault".into()));
                    assert_eq!(body.member("message"), message);
                }
            }
        }
        let plain = request(Protocol::Json, "DescribeAlarms", &Value::nothing());
        let (mut parts, body) = plain.into_parts();
        parts.headers.remove("x-amzn-query-mode");
        let failed = CloudWatch::refuse(&Request::from_parts(parts, body), 500, "InternalServiceError", "ouch", "id-2");
        assert!(!failed.headers().contains_key("x-amzn-query-error"));
        assert_eq!(json::decode(failed.body()).unwrap().member("Message"), Some(&"ouch".into()));
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
    fn times_keep_their_milliseconds() {
        for millis in 0..1_000 {
            let at = Time::from_millis(1_795_442_580_000 + millis);
            let value: Value = Record::new().with("T", at).into();
            let written = cbor::encode(&value);
            assert_eq!(cbor::decode(&written), Ok(value));
            if millis > 0 {
                // A map of one member, its name, and the tag are five bytes, then a double that many readers truncate.
                let seconds = f64::from_be_bytes(written[5..].try_into().unwrap());
                assert_eq!(format!("{:03}", (seconds.fract() * 1_000.0).trunc()), format!("{millis:03}"));
            }
            assert_eq!(crate::cloudwatch::parameters::from_seconds(at.as_secs()), at);
        }
    }
}
