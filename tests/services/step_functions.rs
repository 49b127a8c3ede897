//! What the SDK makes of Step Functions: an execution is started once by its name, looked at, listed and stopped.

use std::time::Duration;

use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sfn::types::{ExecutionListItem, ExecutionStatus};
use bytes::Bytes;
use sim::{Account, Effect, Fault, Settings, Time, World};

use crate::sdk::{self, client};

const MACHINE: &str = "arn:aws:states:us-east-1:111111111111:stateMachine:guard";
const INPUT: &str = r#"{"function":"f","alias":"live","rollout":"7f3ac2e1","slack":120}"#;

fn furnished() -> (Account, Client) {
    let account = sdk::furnished(|world| {
        world.create_function("f", &[]).unwrap();
        world.publish("f", 1).unwrap();
        world.publish("f", 2).unwrap();
        world.set_alias("f", "live", "1", None).unwrap();
        assert_eq!(world.create_guard("guard"), MACHINE);
    });
    let client = client!(aws_sdk_sfn, account);
    (account, client)
}

fn code<E: ProvideErrorMetadata + std::fmt::Debug>(error: &SdkError<E>) -> (u16, String) {
    (error.raw_response().unwrap().status().as_u16(), error.meta().code().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_name_is_one_execution() {
    let (account, client) = furnished();
    let start = |name: &str, input: &str| client.start_execution().state_machine_arn(MACHINE).name(name).input(input).send();
    let first = start("one", INPUT).await.unwrap();
    assert_eq!(first.execution_arn(), "arn:aws:states:us-east-1:111111111111:execution:guard:one");
    account.clock().sleep(Duration::from_secs(5)).await;
    let second = start("one", INPUT).await.unwrap();
    assert_eq!((first.execution_arn(), first.start_date()), (second.execution_arn(), second.start_date()));
    let other = start("one", "{}").await.unwrap_err();
    assert_eq!(code(&other), (400, "ExecutionAlreadyExists".to_owned()));
    assert_eq!(code(&start("one two", INPUT).await.unwrap_err()), (400, "InvalidName".to_owned()));
    assert_eq!(code(&start("three", "{").await.unwrap_err()), (400, "InvalidExecutionInput".to_owned()));
    let nameless = [(); 2].map(|()| client.start_execution().state_machine_arn(MACHINE).input(INPUT).send());
    let [one, other] = nameless;
    assert_ne!(one.await.unwrap().execution_arn(), other.await.unwrap().execution_arn());
    let missing = client.start_execution().state_machine_arn(format!("{MACHINE}s")).name("one").send().await.unwrap_err();
    assert_eq!(code(&missing), (400, "StateMachineDoesNotExist".to_owned()));
    let missing = client.start_execution().state_machine_arn("guard").name("one").send().await.unwrap_err();
    assert_eq!(code(&missing), (400, "InvalidArn".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_execution_is_looked_at_listed_and_stopped() {
    let (account, client) = furnished();
    for name in ["one", "two", "three"] {
        client.start_execution().state_machine_arn(MACHINE).name(name).input(INPUT).send().await.unwrap();
    }
    let arn = "arn:aws:states:us-east-1:111111111111:execution:guard:two";
    let stopped = client.stop_execution().execution_arn(arn).error("Enough").cause("seen").send().await.unwrap();
    let shown = client.describe_execution().execution_arn(arn).send().await.unwrap();
    assert_eq!((shown.status(), shown.stop_date()), (&ExecutionStatus::Aborted, Some(stopped.stop_date())));
    assert_eq!((shown.error(), shown.cause()), (Some("Enough"), Some("seen")));
    assert_eq!((shown.input(), shown.name(), shown.state_machine_arn()), (Some(INPUT), Some("two"), MACHINE));
    let list = || client.list_executions().state_machine_arn(MACHINE);
    let running = list().status_filter(ExecutionStatus::Running).send().await.unwrap();
    let names: Vec<&str> = running.executions().iter().map(ExecutionListItem::name).collect();
    assert_eq!(names, ["three", "one"], "the newest first");
    let page = list().max_results(2).send().await.unwrap();
    let rest = list().max_results(2).set_next_token(page.next_token().map(str::to_owned)).send().await.unwrap();
    assert_eq!((page.executions().len(), rest.executions().len(), rest.next_token()), (2, 1, None));
    // There is no note of that rollout: it ends by itself.
    account.clock().sleep(Duration::from_mins(2)).await;
    let shown = client.describe_execution().execution_arn(arn.replace("two", "one")).send().await.unwrap();
    assert_eq!(shown.status(), &ExecutionStatus::Succeeded);
    let missing = client.describe_execution().execution_arn(arn.replace("two", "four")).send().await.unwrap_err();
    assert_eq!(code(&missing), (400, "ExecutionDoesNotExist".to_owned()));
    let missing = client.stop_execution().execution_arn(arn.replace("two", "four")).send().await.unwrap_err();
    assert_eq!(code(&missing), (400, "ExecutionDoesNotExist".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn who_may_not_start_one_is_told_so_in_the_service_s_words() {
    let (account, client) = furnished();
    account.with(|world| world.add_fault(Fault::on("StartExecution", Effect::Deny)));
    let denied = client.start_execution().state_machine_arn(MACHINE).name("one").input(INPUT).send().await.unwrap_err();
    assert_eq!(code(&denied), (400, "AccessDeniedException".to_owned()));
    let said = denied.meta().message().unwrap_or_default().to_owned();
    assert!(
        said.contains("states:StartExecution on resource: arn:aws:states:us-east-1:111111111111:stateMachine:guard"),
        "{said}"
    );
}

/// Events of a guard beside a living owner, who writes its note this often with leases of so many seconds, for two days.
fn events_of_two_days(every: u64, lease: u64) -> u32 {
    let start = Time::from_millis(1_795_442_400_000);
    let mut world = World::new(Settings::served(), 1, start);
    world.create_function("f", &[]).unwrap();
    world.publish("f", 1).unwrap();
    world.publish("f", 2).unwrap();
    world.set_alias("f", "live", "1", Some(("2", 0.1))).unwrap();
    world.create_guard("guard");
    let note = |world: &mut World, at: Time| {
        let ends = base36(u64::try_from(at.as_millis()).unwrap() / 1_000 + lease);
        let note = format!("[canaryctl/1 7f3ac2e1 k4q9 shift 1>2 10% 1/2 t=towpnp s=towpr0 l={ends}]");
        world.describe_alias("f", "live", &note).unwrap();
    };
    note(&mut world, start);
    let body = serde_json::json!({"stateMachineArn": MACHINE, "name": "one", "input": INPUT}).to_string();
    let request = http::Request::post("/").header("x-amz-target", "AWSStepFunctions.StartExecution").body(Bytes::from(body));
    let begun = world.answer(start, "ME", &request.unwrap()).answer.response().unwrap();
    assert_eq!(begun.status(), 200);
    let mut at = start;
    while at < start + Duration::from_hours(48) {
        at = at + Duration::from_secs(every);
        world.advance(at);
        note(&mut world, at);
    }
    let guards = world.guards();
    assert_eq!((guards.len(), guards[0].1), (1, "RUNNING"));
    guards[0].2
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    while number > 0 {
        digits.push(char::from_digit(u32::try_from(number % 36).unwrap(), 36).unwrap());
        number /= 36;
    }
    digits.into_iter().rev().collect()
}

/// An execution has room for 25,000 events. Leases of eleven minutes are renewed half a minute before their end, those of a rollout that
/// is paused beyond its next step, which are the shortest, every half minute.
#[test]
fn two_days_fit_twice_into_an_execution() {
    let (long, short) = (events_of_two_days(630, 660), events_of_two_days(30, 60));
    println!("{long} events of a long step, {short} of a pause");
    assert!((8_000..9_000).contains(&long) && (9_000..10_500).contains(&short), "{long} {short}");
}
