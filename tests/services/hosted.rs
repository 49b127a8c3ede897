//! A function whose code is the test's own: invoked by calls and by schedules, timed, repeated, counted and logged as every other one.

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{InvocationType, LogType};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sim::{Account, Ending, Invocation, Time};
use tokio::task::{LocalSet, spawn_local};

use crate::sdk::{self, client};

fn furnished() -> (Account, Client) {
    let account = sdk::furnished(|world| {
        world.create_function("f", &[]).unwrap();
        world.publish("f", 7).unwrap();
        world.set_alias("f", "live", "7", None).unwrap();
        world.host("f");
    });
    let client = client!(aws_sdk_lambda, account);
    (account, client)
}

/// Runs everything that comes for `f`: it sleeps as long as its event says, and then answers its event, or fails if the event says so.
async fn run_all(account: Account) {
    loop {
        let one = account.invocation("f").await;
        let account = account.clone();
        spawn_local(async move { account.run(&one, code(&account, &one)).await });
    }
}

async fn code(account: &Account, one: &Invocation) -> Ending {
    let event: serde_json::Value = serde_json::from_slice(&one.event).unwrap();
    account.clock().sleep(Duration::from_secs(event["sleep"].as_u64().unwrap_or(1))).await;
    let answer = if event["fails"] == true { Err("no luck".to_owned()) } else { Ok(one.event.clone()) };
    Ending { answer, lines: vec![r#"{"type":"shifted"}"#.to_owned(), "in words".to_owned()] }
}

async fn invoke(client: &Client, function: &str, event: &str) -> InvokeOutput {
    client.invoke().function_name(function).payload(Blob::new(event)).log_type(LogType::Tail).send().await.unwrap()
}

async fn set_out(client: &Client, event: &str) {
    let request = client.invoke().function_name("f").invocation_type(InvocationType::Event).payload(Blob::new(event));
    assert_eq!(request.send().await.unwrap().status_code(), 202);
}

fn text(blob: Option<&Blob>) -> String {
    String::from_utf8(blob.unwrap().as_ref().to_vec()).unwrap()
}

/// When `f` was begun, in seconds from the opening, and with which attempt: everything that was handed over in so long.
async fn begun(account: &Account, opened: Time, span: Duration, answer: &Result<&str, &str>) -> Vec<(u64, u32)> {
    let (mut seen, end) = (Vec::new(), account.clock().now() + span);
    loop {
        let left = end.duration_since(account.clock().now()).unwrap_or_default();
        let Ok(one) = tokio::time::timeout(left, account.invocation("f")).await else { return seen };
        seen.push((one.began.since(opened).as_secs(), one.attempt));
        let answer = answer.map(|text| text.to_owned().into()).map_err(str::to_owned);
        account.with(|world| world.end_invocation(one.id, Ending { answer, lines: Vec::new() }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_for_what_the_code_answers() {
    let (account, client) = furnished();
    let local = LocalSet::new();
    local.spawn_local(run_all(account.clone()));
    let body = Box::pin(async {
        let began = account.clock().now();
        let answer = invoke(&client, "f:live", r#"{"sleep":2}"#).await;
        assert_eq!((text(answer.payload()).as_str(), answer.executed_version()), (r#"{"sleep":2}"#, Some("7")));
        assert_eq!(account.clock().now().duration_since(began).unwrap(), Duration::from_secs(2));
        let log = String::from_utf8(STANDARD.decode(answer.log_result().unwrap()).unwrap()).unwrap();
        let (own, report) = (log.find(r#"{"type":"shifted"}"#).unwrap(), log.find("REPORT").unwrap());
        assert!(own < report && log.contains("in words") && log.contains("Duration: 2000.00 ms"), "{log}");
        let failed = invoke(&client, "f", r#"{"fails":true}"#).await;
        assert_eq!(failed.function_error(), Some("Unhandled"));
        assert_eq!(text(failed.payload()), r#"{"errorMessage":"no luck","errorType":"Error"}"#);
        // Three seconds are what a function has where nothing else is said.
        let late = invoke(&client, "f", r#"{"sleep":9}"#).await;
        assert!(text(late.payload()).contains("Task timed out after 3.00 seconds"), "{}", text(late.payload()));
        let tallies = account.with(|world| [world.tally("f", "live", "7"), world.tally("f", "", "$LATEST")]);
        assert_eq!(tallies.map(|tally| (tally.invocations, tally.errors)), [(1, 0), (2, 2)]);
    });
    local.run_until(body).await;
}

#[tokio::test(start_paused = true)]
async fn invocations_overlap() {
    let (account, client) = furnished();
    let local = LocalSet::new();
    local.spawn_local(run_all(account.clone()));
    let body = Box::pin(async {
        let began = account.clock().now();
        tokio::join!(invoke(&client, "f", r#"{"sleep":2}"#), invoke(&client, "f", r#"{"sleep":2}"#));
        assert_eq!(account.clock().now().duration_since(began).unwrap(), Duration::from_secs(2));
    });
    local.run_until(body).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_is_repeated_after_a_minute_and_after_two() {
    let (account, client) = furnished();
    let opened = Time::from(account.clock().now());
    set_out(&client, "{}").await;
    let hour = Duration::from_hours(1);
    assert_eq!(begun(&account, opened, hour, &Err("no")).await, [(0, 1), (60, 2), (180, 3)]);
    let opened = Time::from(account.clock().now());
    set_out(&client, "{}").await;
    assert_eq!(begun(&account, opened, hour, &Ok("{}")).await, [(0, 1)]);
    client.put_function_event_invoke_config().function_name("f").maximum_retry_attempts(0).send().await.unwrap();
    let opened = Time::from(account.clock().now());
    set_out(&client, "{}").await;
    assert_eq!(begun(&account, opened, hour, &Err("no")).await, [(0, 1)]);
}

#[tokio::test(start_paused = true)]
async fn one_that_nobody_ends_times_out_and_what_comes_later_counts_no_more() {
    let (account, client) = furnished();
    set_out(&client, "{}").await;
    let one = account.invocation("f").await;
    account.clock().sleep(Duration::from_secs(4)).await;
    account.with(|world| world.end_invocation(one.id, Ending { answer: Ok("{}".into()), lines: Vec::new() }));
    let tally = account.with(|world| world.tally("f", "", "$LATEST"));
    assert_eq!((tally.invocations, tally.errors), (1, 1));
    let second = account.invocation("f").await;
    assert_eq!((second.attempt, &second.request_id), (2, &one.request_id));
    assert_eq!(second.began.since(one.began), Duration::from_secs(63));
}

#[tokio::test(start_paused = true)]
async fn what_it_writes_can_be_read_from_its_log() {
    let (account, client) = furnished();
    let local = LocalSet::new();
    local.spawn_local(run_all(account.clone()));
    local.run_until(Box::pin(async { tokio::join!(invoke(&client, "f", r#"{"sleep":2}"#), invoke(&client, "f", "{}")) })).await;
    let lines = account.with(|world| {
        let body = r#"{"logGroupName":"/aws/lambda/f","filterPattern":"{ $.type = \"shifted\" }"}"#;
        let request = http::Request::post("/").header("x-amz-target", "Logs_20140328.FilterLogEvents").body(body.into()).unwrap();
        world.answer(world.now(), "ME", &request).answer.response().unwrap()
    });
    let found: serde_json::Value = serde_json::from_slice(lines.body()).unwrap();
    assert_eq!(found["events"].as_array().unwrap().len(), 2, "{found}");
}
