//! What the SDK really sends for each call that is made: method, path, headers that matter, body.
//!
//! The requests pass a recorder on their way to a simulated account, which answers them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails while a test is set up fails the test")]

#[path = "harness/machine.rs"]
mod machine;
#[expect(dead_code, reason = "what others cut off passes here")]
#[path = "harness/tap.rs"]
mod tap;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use aws::Aws;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use controller::port::{Cloud, Code, Provisioned, Revision, Write};
use rollout::alias::Target;
use rollout::{Alias, Subject, Version, Weight};
use sim::{Account, Effect, Fault, SimClock, World};

use crate::machine::Part;
use crate::tap::{Answered, Meddler, Onward, tapped};

/// Everything that was sent.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<HttpRequest>>);

impl Meddler for Recorder {
    fn carry(self: Arc<Self>, request: http::Request<Bytes>, onward: Onward) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        self.0.lock().unwrap().push(HttpRequest::try_from(request.clone().map(SdkBody::from)).unwrap());
        Box::pin(async move { onward.send(request).await })
    }
}

/// A function `hello` with two versions and the alias `live` on the first, and the record of what is sent to it.
struct Wire {
    aws: Aws,
    account: Account,
    sent: Arc<Recorder>,
}

impl Wire {
    async fn new() -> Self {
        let clock = SimClock::new(UNIX_EPOCH + Duration::from_hours(490_000));
        let mut world = World::new(sim::Settings::served(), 1, clock.now().into());
        world.create_function("hello", &[]).unwrap();
        world.publish("hello", 1).unwrap();
        world.publish("hello", 2).unwrap();
        world.set_alias("hello", "live", "1", None).unwrap();
        let account = Account::new(world, clock);
        let sent: Arc<Recorder> = Arc::default();
        let http = tapped(account.http_client(), Arc::clone(&sent) as Arc<dyn Meddler>);
        let part = Part { http, ..Part::of(&account, "AKIDEXAMPLE") };
        Self { aws: part.connect(clock).await, account, sent }
    }

    /// What was sent since the last look, one text a request.
    fn sent(&self) -> Vec<String> {
        self.sent.0.lock().unwrap().drain(..).map(|request| show(&request)).collect()
    }

    fn revision(&self) -> Revision {
        Revision(self.account.with(|world| world.alias("hello", "live").unwrap().revision.clone()))
    }
}

/// The request in a few lines, with a host only where it is not Lambda's, and a CBOR body as JSON.
fn show(request: &HttpRequest) -> String {
    let uri = request.uri().strip_prefix("https://lambda.us-east-1.amazonaws.com").unwrap_or(request.uri());
    let mut lines = vec![format!("{} {uri}", request.method())];
    for name in SHOWN {
        lines.extend(request.headers().get(name).map(|value| format!("{name}: {value}")));
    }
    let body = request.body().bytes().unwrap();
    if request.headers().get("content-type") == Some("application/cbor") {
        // A time is a tag, which JSON has no word for.
        let json = ciborium::from_reader::<serde_json::Value, _>(body).map(|body| body.to_string());
        lines.push(json.unwrap_or_else(|_| format!("{:?}", ciborium::from_reader::<ciborium::Value, _>(body).unwrap())));
    } else if !body.is_empty() {
        lines.push(String::from_utf8(body.to_vec()).unwrap());
    }
    lines.join("\n")
}

/// The headers that say something about the call itself; `amz-sdk-request` tells how often it may be tried.
const SHOWN: [&str; 6] =
    ["amz-sdk-request", "content-type", "smithy-protocol", "accept", "x-amz-invocation-type", "x-amz-log-type"];

fn live() -> Subject {
    Subject::parse("hello:live", None).unwrap()
}

fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

fn alias(target: u64, weights: &[(u64, u16)], description: &str) -> Alias {
    Alias {
        target: Target::Version(version(target)),
        weights: weights.iter().map(|(number, points)| (version(*number), Weight::from_basis_points(*points).unwrap())).collect(),
        description: description.to_owned(),
    }
}

/// What a read from Lambda sends: a path, and that it may be tried three times.
fn read(path: &str) -> String {
    format!("GET {path}\namz-sdk-request: attempt=1; max=3")
}

/// How a write to the function begins: that it may be tried so many times, and that it has JSON.
fn write(method: &str, path: &str, tries: u8) -> String {
    let head = format!("{method} /2015-03-31/functions/hello/{path}");
    format!("{head}\namz-sdk-request: attempt=1; max={tries}\ncontent-type: application/json")
}

#[tokio::test(start_paused = true)]
async fn reads_of_a_function() {
    let wire = Wire::new().await;
    let function = live().function;
    wire.aws.alias(&live()).await.unwrap();
    assert_eq!(wire.sent(), [read("/2015-03-31/functions/hello/aliases/live")]);
    // An ARN is sent as one.
    let arn = "arn:aws:lambda:us-east-1:111111111111:function:hello";
    assert!(wire.aws.alias(&Subject::parse(&format!("{arn}:live"), None).unwrap()).await.unwrap().is_some());
    let escaped = arn.replace(':', "%3A");
    assert_eq!(wire.sent(), [read(&format!("/2015-03-31/functions/{escaped}/aliases/live"))]);
    assert_eq!(wire.aws.alias_names(&function).await.unwrap(), ["live"]);
    assert_eq!(wire.sent(), [read("/2015-03-31/functions/hello/aliases")]);
    wire.aws.configuration(&function, None).await.unwrap();
    wire.aws.configuration(&function, Some(version(2))).await.unwrap();
    let path = "/2015-03-31/functions/hello/configuration";
    assert_eq!(wire.sent(), [read(path), read(&format!("{path}?Qualifier=2"))]);
    assert_eq!(wire.aws.provisioned(&live()).await, Ok(Provisioned::None));
    assert_eq!(wire.sent(), [read("/2019-09-30/functions/hello/provisioned-concurrency?Qualifier=live")]);
    wire.aws.tags(arn).await.unwrap();
    let sent = wire.sent();
    assert!(sent.len() == 1 && sent[0].starts_with(&format!("GET /2017-03-31/tags/{escaped}")), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn update_alias() {
    let wire = Wire::new().await;
    let Revision(revision) = wire.revision();
    wire.aws.update_alias(&live(), &alias(1, &[(2, 1_000)], "mine [note]"), &wire.revision()).await.unwrap();
    let head = write("PUT", "aliases/live", 1);
    let body = |description: &str, version: &str, revision: &str, weights: &str| {
        let routing = format!(r#""RoutingConfig":{{"AdditionalVersionWeights":{weights}}}"#);
        format!(r#"{{"Description":"{description}","FunctionVersion":"{version}","RevisionId":"{revision}",{routing}}}"#)
    };
    assert_eq!(wire.sent(), [format!("{head}\n{}", body("mine [note]", "1", &revision, r#"{"2":0.1}"#))]);

    // No weights and no words are sent as such: what is left out stays as it was.
    let Revision(revision) = wire.revision();
    wire.aws.update_alias(&live(), &alias(2, &[], ""), &wire.revision()).await.unwrap();
    assert_eq!(wire.sent(), [format!("{head}\n{}", body("", "2", &revision, "{}"))]);
}

#[tokio::test(start_paused = true)]
async fn weights_go_out_as_short_fractions() {
    let wire = Wire::new().await;
    for (points, text) in [(1, "0.0001"), (250, "0.025"), (3_333, "0.3333"), (7_000, "0.7"), (10_000, "1.0")] {
        wire.aws.update_alias(&live(), &alias(1, &[(2, points)], ""), &wire.revision()).await.unwrap();
        let sent = wire.sent().concat();
        assert!(sent.ends_with(&format!(r#""AdditionalVersionWeights":{{"2":{text}}}}}}}"#)), "{sent}");
    }
}

#[tokio::test(start_paused = true)]
async fn create_alias() {
    let wire = Wire::new().await;
    let subject = Subject::parse("hello:fresh", None).unwrap();
    wire.aws.create_alias(&subject, &alias(1, &[], "[note]")).await.unwrap();
    let body = r#"{"Description":"[note]","FunctionVersion":"1","Name":"fresh","RoutingConfig":{"AdditionalVersionWeights":{}}}"#;
    assert_eq!(wire.sent(), [format!("{}\n{body}", write("POST", "aliases", 1))]);
}

#[tokio::test(start_paused = true)]
async fn publish_version() {
    let wire = Wire::new().await;
    let seen = wire.aws.configuration(&live().function, None).await.unwrap();
    wire.sent();
    wire.aws.publish(&live().function, &seen, None).await.unwrap();
    let again = wire.aws.configuration(&live().function, None).await.unwrap();
    wire.aws.publish(&live().function, &again, Some("words")).await.unwrap();
    let head = write("POST", "versions", 1);
    let (hash, Revision(revision)) = (&seen.code_sha256, &seen.revision);
    let sent = wire.sent();
    assert_eq!(sent[0], format!("{head}\n{{\"CodeSha256\":\"{hash}\",\"RevisionId\":\"{revision}\"}}"));
    let described = format!("{head}\n{{\"CodeSha256\":\"{hash}\",\"Description\":\"words\",\"RevisionId\":\"");
    assert!(sent[2].starts_with(&described), "{}", sent[2]);
}

#[tokio::test(start_paused = true)]
async fn update_function_code() {
    let wire = Wire::new().await;
    wire.aws.update_code(&live().function, &Code::Zip(b"PK\x03\x04".to_vec())).await.unwrap();
    // The simulated function has no image; what was sent for one is recorded all the same.
    let uri = "111111111111.dkr.ecr.us-east-1.amazonaws.com/hello:2";
    let _ = wire.aws.update_code(&live().function, &Code::Image(uri.to_owned())).await;
    let head = write("PUT", "code", 1);
    assert_eq!(wire.sent(), [format!("{head}\n{{\"ZipFile\":\"UEsDBA==\"}}"), format!("{head}\n{{\"ImageUri\":\"{uri}\"}}")]);
}

/// None of these can take place: the revision is nobody's, and without it nothing would change, or the rest is impossible too.
#[tokio::test(start_paused = true)]
async fn writes_as_a_question() {
    let wire = Wire::new().await;
    let before = wire.revision();
    let standing = alias(1, &[(2, 1_000)], "mine");
    for write in [Write::Alias(Some(&standing)), Write::Alias(None), Write::NewAlias, Write::Version, Write::Code] {
        let subject = if write == Write::NewAlias { Subject::parse("hello:fresh", None).unwrap() } else { live() };
        wire.aws.may_write(&subject, &write).await.unwrap();
    }
    let revision = r#""RevisionId":"00000000-0000-0000-0000-000000000000""#;
    let weights = r#""RoutingConfig":{"AdditionalVersionWeights":{"2":0.1}}"#;
    let nowhere = r#""RoutingConfig":{"AdditionalVersionWeights":{"2147483646":0.5}}"#;
    let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let expected = [
        ("PUT", "aliases/live", format!(r#""Description":"mine","FunctionVersion":"1",{revision},{weights}"#)),
        ("PUT", "aliases/live", format!(r#""FunctionVersion":"2147483647",{revision}"#)),
        ("POST", "aliases", format!(r#""FunctionVersion":"2147483647","Name":"fresh",{nowhere}"#)),
        ("POST", "versions", format!(r#""CodeSha256":"{hash}",{revision}"#)),
        ("PUT", "code", format!(r#""DryRun":true,{revision},"ZipFile":"bm9uZQ==""#)),
    ];
    let expected = expected.map(|(method, path, body)| format!("{}\n{{{body}}}", write(method, path, 3)));
    assert_eq!(wire.sent(), expected);
    assert_eq!(wire.revision(), before);
    let done = wire.account.with(|world| world.log().iter().filter(|call| call.succeeded()).count());
    assert_eq!(done, 0);
}

#[tokio::test(start_paused = true)]
async fn invoke() {
    let wire = Wire::new().await;
    let hook = "hello:live".parse().unwrap();
    wire.aws.invoke(&hook, br#"{"a":1}"#, Duration::from_secs(30)).await.unwrap();
    let unqualified = "hello".parse().unwrap();
    wire.aws.invoke(&unqualified, b"{}", Duration::from_secs(30)).await.unwrap();
    let headers = "amz-sdk-request: attempt=1; max=1\ncontent-type: application/octet-stream\n\
                   x-amz-invocation-type: RequestResponse\nx-amz-log-type: Tail";
    let sent = |qualifier, body| format!("POST /2015-03-31/functions/hello/invocations{qualifier}\n{headers}\n{body}");
    assert_eq!(wire.sent(), [sent("?Qualifier=live", r#"{"a":1}"#), sent("", "{}")]);
}

#[tokio::test(start_paused = true)]
async fn invoke_as_a_question() {
    let wire = Wire::new().await;
    wire.aws.invocable(&"hello:2".parse().unwrap()).await.unwrap();
    let headers = "amz-sdk-request: attempt=1; max=3\ncontent-type: application/octet-stream\nx-amz-invocation-type: DryRun";
    assert_eq!(wire.sent(), [format!("POST /2015-03-31/functions/hello/invocations?Qualifier=2\n{headers}")]);
}

#[tokio::test(start_paused = true)]
async fn describe_alarms() {
    let wire = Wire::new().await;
    let names = ["b", "a", "arn:aws:cloudwatch:us-east-1:111111111111:alarm:c", "a"].map(str::to_owned);
    wire.aws.alarms(&names, rollout::Time::default()).await.unwrap();
    let expected = "POST https://monitoring.us-east-1.amazonaws.com/service/GraniteServiceVersion20100801/operation/DescribeAlarms\n\
                    amz-sdk-request: attempt=1; max=3\ncontent-type: application/cbor\nsmithy-protocol: rpc-v2-cbor\n\
                    accept: application/cbor\n\
                    {\"AlarmNames\":[\"a\",\"b\",\"c\"],\"AlarmTypes\":[\"MetricAlarm\",\"CompositeAlarm\",\"LogAlarm\"],\"MaxRecords\":100}";
    assert_eq!(wire.sent(), [expected]);
    wire.aws.alarm_names("Hel").await.unwrap();
    let body = "{\"AlarmNamePrefix\":\"Hel\",\"AlarmTypes\":[\"MetricAlarm\",\"CompositeAlarm\",\"LogAlarm\"]}";
    let sent = wire.sent();
    assert!(sent.len() == 1 && sent[0].ends_with(body), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn describe_alarm_history() {
    let wire = Wire::new().await;
    wire.account.with(|world| world.create_errors_alarm("a", "hello", 1.0)).unwrap();
    let since = rollout::Time::from_millis(1_764_000_000_500);
    assert_eq!(wire.aws.last_red("a", since).await.unwrap(), None);
    let sent = wire.sent();
    assert_eq!(sent.len(), 1);
    let expected =
        "POST https://monitoring.us-east-1.amazonaws.com/service/GraniteServiceVersion20100801/operation/DescribeAlarmHistory\n";
    assert!(sent[0].starts_with(expected), "{sent:?}");
    let types = r#"(Text("AlarmTypes"), Array([Text("MetricAlarm"), Text("CompositeAlarm"), Text("LogAlarm")]))"#;
    let start = r#"(Text("StartDate"), Tag(1, Float(1764000000.5)))"#;
    for part in [r#"(Text("AlarmName"), Text("a"))"#, types, r#"(Text("HistoryItemType"), Text("StateUpdate"))"#, start] {
        assert!(sent[0].contains(part), "no {part} in {sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_around_a_function() {
    let wire = Wire::new().await;
    let function = live().function;
    for named in ["hello", "hello:1"] {
        wire.aws.event_sources(&named.parse().unwrap()).await.unwrap();
    }
    wire.aws.function_urls(&function).await.unwrap();
    assert_eq!(wire.aws.policy(&rollout::target::Qualified { function: function.clone(), qualifier: None }).await.unwrap(), None);
    let expected = [
        "/2015-03-31/event-source-mappings?FunctionName=hello",
        "/2015-03-31/event-source-mappings?FunctionName=hello%3A1",
        "/2021-10-31/functions/hello/urls",
        "/2015-03-31/functions/hello/policy",
    ];
    assert_eq!(wire.sent(), expected.map(read));
    let now = rollout::Time::from_secs(1_764_000_000);
    let counted = wire.aws.calls(&function, &[None, Some("hello:live".to_owned())], now - Duration::from_hours(24), now).await;
    assert_eq!(counted.unwrap(), [0.0, 0.0]);
    let sent = wire.sent();
    let named = |name: &str| format!(r#"(Text("Value"), Text("{name}"))"#);
    assert_eq!((sent.len(), sent[0].matches(&named("hello")).count(), sent[0].matches(&named("hello:live")).count()), (1, 2, 1));
    assert!(sent[0].contains(r#"(Text("MetricName"), Text("Invocations"))"#), "{sent:?}");
}

/// What alarms look at: a metric, or other alarms.
#[tokio::test(start_paused = true)]
async fn what_alarms_watch() {
    let wire = Wire::new().await;
    wire.account.with(|world| {
        world.create_errors_alarm("plain", "hello", 1.0).unwrap();
        world.create_errors_alarm("the other", "hello", 1.0).unwrap();
        world.put_alarm(&serde_json::json!({"AlarmName": "both", "AlarmRule": "ALARM(plain) OR OK(\"the other\")"})).unwrap();
    });
    let watches = wire.aws.watches(&["plain", "both", "none"].map(str::to_owned)).await.unwrap();
    let [plain, both] = watches.as_slice() else { panic!("{watches:?}") };
    let series = &plain.series[0];
    assert_eq!((plain.series.len(), series.metric.as_str(), series.statistic.as_str()), (1, "Errors", "Sum"));
    assert_eq!((series.namespace.as_str(), series.dimensions["FunctionName"].as_str()), ("AWS/Lambda", "hello"));
    assert_eq!(plain.fires_after, Some(Duration::from_mins(1)));
    assert_eq!((both.series.len(), both.children.as_slice()), (0, &["plain".to_owned(), "the other".to_owned()][..]));
}

#[tokio::test(start_paused = true)]
async fn every_request_is_signed_and_says_who_sends_it() {
    let wire = Wire::new().await;
    wire.aws.alias(&live()).await.unwrap();
    wire.aws.alarms(&["a".to_owned()], rollout::Time::default()).await.unwrap();
    let sent = wire.sent.0.lock().unwrap();
    assert_eq!(sent.len(), 2);
    for (request, service) in sent.iter().zip(["lambda", "monitoring"]) {
        let header = |name| request.headers().get(name).unwrap_or_default();
        let scope = format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20251124/us-east-1/{service}/aws4_request, SignedHeaders=");
        assert!(header("authorization").starts_with(&scope), "{}", header("authorization"));
        assert_eq!(header("x-amz-date"), "20251124T160000Z");
        assert!(header("user-agent").contains("app/canaryctl"), "{}", header("user-agent"));
    }
    assert_eq!(sent[1].headers().get("x-amzn-query-mode"), Some("true"));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_tried_again_says_so() {
    let wire = Wire::new().await;
    wire.account.with(|world| world.add_fault(Fault::on("GetAlias", Effect::Throttle).nth(1)));
    wire.aws.alias(&live()).await.unwrap();
    let attempts: Vec<String> = wire.sent().iter().map(|sent| sent.lines().nth(1).unwrap_or_default().to_owned()).collect();
    assert_eq!(attempts.len(), 2);
    assert!(attempts[0].ends_with("attempt=1; max=3") && attempts[1].ends_with("attempt=2; max=3"), "{attempts:?}");
}
