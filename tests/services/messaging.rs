//! What a client gets of SNS, `EventBridge` and STS: by the protocols of each, and kept as it was sent.

use bytes::Bytes;
use serde_json::{Value, json};
use sim::{Answer, Effect, Fault, Settings, Time, World};

const TOPIC: &str = "arn:aws:sns:us-east-1:111111111111:deploys";

fn world() -> World {
    let mut world = World::new(Settings::served(), 1, Time::from_millis(1_795_000_000_000));
    assert_eq!(world.create_topic("deploys"), TOPIC);
    world
}

fn send(world: &mut World, headers: &[(&str, &str)], body: String) -> (u16, String) {
    let mut request = http::Request::post("http://localhost/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Bytes::from(body)).unwrap();
    let Answer::Response(response) = world.answer(world.now(), "ME", &request).answer else { panic!("no answer") };
    (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
}

fn form(world: &mut World, fields: &[(&str, &str)]) -> (u16, String) {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    send(world, &[("content-type", "application/x-www-form-urlencoded")], body)
}

fn publish(world: &mut World, topic: &str, subject: &str, message: &str) -> (u16, String) {
    let fields =
        [("Action", "Publish"), ("Version", "2010-03-31"), ("TopicArn", topic), ("Subject", subject), ("Message", message)];
    form(world, &fields)
}

fn put(world: &mut World, entries: &Value) -> (u16, Value) {
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "AWSEvents.PutEvents")];
    let (status, body) = send(world, &headers, json!({ "Entries": entries }).to_string());
    (status, serde_json::from_str(&body).unwrap())
}

#[test]
fn a_topic_keeps_what_it_is_sent_and_takes_no_nonsense() {
    let mut world = world();
    let (status, body) = publish(&mut world, TOPIC, "a b", "{\"x\":1}");
    assert!(status == 200 && body.contains("<PublishResult><MessageId>"), "{body}");
    assert_eq!((world.sent()[0].subject.as_deref(), world.sent()[0].body.as_str()), (Some("a b"), "{\"x\":1}"));
    let long = "x".repeat(101);
    for (topic, subject, message, status, code) in [
        ("arn:aws:sns:us-east-1:111111111111:none", "a", "m", 404, "NotFound"),
        ("deploys", "a", "m", 400, "InvalidParameter"),
        (TOPIC, long.as_str(), "m", 400, "InvalidParameter"),
        (TOPIC, "a\nb", "m", 400, "InvalidParameter"),
        (TOPIC, "é", "m", 400, "InvalidParameter"),
        (TOPIC, "a", "", 400, "InvalidParameter"),
    ] {
        let (seen, body) = publish(&mut world, topic, subject, message);
        assert_eq!(seen, status, "{topic} {subject:?}");
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
    }
    assert_eq!(world.sent().len(), 1);
    world.add_fault(Fault::on("Publish", Effect::Deny));
    let (status, body) = publish(&mut world, TOPIC, "a", "m");
    assert_eq!(status, 403);
    assert!(body.contains("<Code>AuthorizationError</Code>") && body.contains("sns:Publish on resource: arn:aws:sns:"), "{body}");
}

#[test]
fn a_bus_says_of_each_event_what_is_wrong_with_it() {
    let mut world = world();
    let event = |change: &dyn Fn(&mut Value)| {
        let mut event = json!({"Source": "me", "DetailType": "t", "Detail": "{\"a\":1}"});
        change(&mut event);
        event
    };
    let entries = json!([
        event(&|_| {}),
        event(&|event| event["Detail"] = "[1]".into()),
        event(&|event| event["Source"] = "aws.codedeploy".into()),
        event(&|event| event["DetailType"] = Value::Null),
        event(&|event| event["EventBusName"] = "none".into()),
    ]);
    let (status, answer) = put(&mut world, &entries);
    assert_eq!((status, &answer["FailedEntryCount"]), (200, &3.into()));
    let codes: Vec<&str> =
        answer["Entries"].as_array().unwrap().iter().map(|entry| entry["ErrorCode"].as_str().unwrap_or("")).collect();
    assert_eq!(codes, ["", "MalformedDetail", "NotAuthorizedForSourceException", "InvalidArgument", ""]);
    let kept: Vec<&str> = world.sent().iter().map(|sent| sent.to.as_str()).collect();
    assert_eq!(kept, ["default"], "a bus that is not there loses what it is sent");
    assert_eq!(put(&mut world, &json!([])).0, 400);
}

#[test]
fn whoever_asks_is_told_who_they_are() {
    let mut world = world();
    let (status, body) = form(&mut world, &[("Action", "GetCallerIdentity"), ("Version", "2011-06-15")]);
    assert_eq!(status, 200);
    assert!(body.contains("<Arn>arn:aws:iam::111111111111:user/ME</Arn>"), "{body}");
}
