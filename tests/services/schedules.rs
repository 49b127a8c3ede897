//! What the SDK makes of schedules: they are made once by their token, in a group, and invoke late, twice, again, but never early.

use std::time::Duration;

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_scheduler::operation::create_schedule::builders::CreateScheduleFluentBuilder;
use aws_sdk_scheduler::primitives::DateTime;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, ScheduleGroupState, ScheduleState, Target,
};
use sim::{Account, Effect, Fault, Settings, SimClock, Time, World};

use crate::sdk::client;

const FUNCTION: &str = "arn:aws:lambda:us-east-1:111111111111:function:f";
const ROLE: &str = "arn:aws:iam::111111111111:role/scheduler";
const MINUTE: Duration = Duration::from_mins(1);

fn furnished(settings: Settings) -> (Account, Client) {
    let clock = SimClock::new(std::time::UNIX_EPOCH + Duration::from_hours(490_000));
    let mut world = World::new(settings, 1, Time::from(clock.now()));
    world.create_function("f", &[]).unwrap();
    world.create_schedule_group("canaryctl");
    let account = Account::new(world, clock);
    let client = client!(aws_sdk_scheduler, account);
    (account, client)
}

fn target() -> Target {
    Target::builder().arn(FUNCTION).role_arn(ROLE).input(r#"{"rollout":"7f3ac2e1"}"#).build().unwrap()
}

fn in_seconds(account: &Account, seconds: i64) -> DateTime {
    DateTime::from_secs(Time::from(account.clock().now()).as_millis() / 1_000 + seconds)
}

/// A schedule of every minute in the group, which starts in half a minute and ends after five and a half.
fn create(account: &Account, client: &Client, name: &str) -> CreateScheduleFluentBuilder {
    let off = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().unwrap();
    let request =
        client.create_schedule().name(name).group_name("canaryctl").client_token(name).schedule_expression("rate(1 minute)");
    request.flexible_time_window(off).target(target()).start_date(in_seconds(account, 30)).end_date(in_seconds(account, 330))
}

fn code<E: ProvideErrorMetadata + std::fmt::Debug>(error: &SdkError<E>) -> (u16, String, String) {
    let meta = error.meta();
    let status = error.raw_response().unwrap().status().as_u16();
    (status, meta.code().unwrap().to_owned(), meta.message().unwrap_or_default().to_owned())
}

/// Seconds from the opening at which `f` was invoked.
fn invoked(account: &Account, opened: Time) -> Vec<f64> {
    account.with(|world| {
        let calls = world.log().iter().filter(|call| call.operation == "Invoke" && call.caller == "SCHEDULER");
        calls.map(|call| call.at.since(opened).as_secs_f64()).collect()
    })
}

#[tokio::test(start_paused = true)]
async fn a_schedule_is_made_once_shown_changed_listed_and_deleted() {
    let (account, client) = furnished(Settings::served());
    let start = in_seconds(&account, 30);
    let request = create(&account, &client, "one");
    let first = request.clone().send().await.unwrap();
    assert_eq!(first.schedule_arn(), "arn:aws:scheduler:us-east-1:111111111111:schedule/canaryctl/one");
    let second = request.clone().send().await.unwrap();
    assert_eq!(first.schedule_arn(), second.schedule_arn(), "the same token and the same content");
    for other in [request.clone().client_token("other"), request.clone().description("another one")] {
        let refused = code(&other.send().await.unwrap_err());
        assert_eq!(refused, (409, "ConflictException".to_owned(), "Schedule one already exists.".to_owned()));
    }
    let shown = client.get_schedule().name("one").group_name("canaryctl").send().await.unwrap();
    let retry = shown.target().unwrap().retry_policy().unwrap();
    assert_eq!((shown.start_date(), shown.state()), (Some(&start), Some(&ScheduleState::Enabled)));
    assert_eq!((retry.maximum_event_age_in_seconds(), retry.maximum_retry_attempts()), (Some(86_400), Some(185)));
    assert_eq!(shown.action_after_completion(), Some(&ActionAfterCompletion::None));
    assert_eq!(shown.schedule_expression_timezone(), Some("UTC"));
    // Whoever updates says everything again.
    let off = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().unwrap();
    let update = client.update_schedule().name("one").group_name("canaryctl").schedule_expression("rate(2 hours)");
    update.flexible_time_window(off).target(target()).state(ScheduleState::Disabled).send().await.unwrap();
    let shown = client.get_schedule().name("one").group_name("canaryctl").send().await.unwrap();
    assert_eq!((shown.start_date(), shown.state()), (None, Some(&ScheduleState::Disabled)));
    create(&account, &client, "two").send().await.unwrap();
    let list = client.list_schedules().group_name("canaryctl").name_prefix("o").send().await.unwrap();
    assert_eq!(list.schedules().iter().filter_map(|one| one.name()).collect::<Vec<_>>(), ["one"]);
    let page = client.list_schedules().max_results(1).send().await.unwrap();
    let rest = client.list_schedules().max_results(1).set_next_token(page.next_token().map(str::to_owned)).send().await.unwrap();
    assert_eq!((page.schedules().len(), rest.schedules().len(), rest.next_token()), (1, 1, None));
    client.delete_schedule().name("one").group_name("canaryctl").send().await.unwrap();
    let missing = code(&client.delete_schedule().name("one").group_name("canaryctl").send().await.unwrap_err());
    assert_eq!(missing, (404, "ResourceNotFoundException".to_owned(), "Schedule one does not exist.".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused() {
    let (account, client) = furnished(Settings::served());
    let good = || create(&account, &client, "one");
    let window =
        FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Flexible).maximum_window_in_minutes(0).build().unwrap();
    let target = |arn: &str, role: &str, input: &str| Target::builder().arn(arn).role_arn(role).input(input).build().unwrap();
    let retry = RetryPolicy::builder().maximum_event_age_in_seconds(59).build();
    let impatient = Target::builder().arn(FUNCTION).role_arn(ROLE).retry_policy(retry).build().unwrap();
    let rows = vec![
        (good().name("o ne"), "regular expression pattern: ^[0-9a-zA-Z-_.]+$"),
        (good().name("o".repeat(65)), "less than or equal to 64"),
        (good().client_token("a.b"), "regular expression pattern: ^[a-zA-Z0-9-_]+$"),
        (good().schedule_expression("rate(30 seconds)"), "Invalid Schedule Expression rate(30 seconds)."),
        (good().schedule_expression("rate(0 minutes)"), "Invalid Schedule Expression"),
        (good().start_date(in_seconds(&account, -301)), "cannot be earlier than 5 minutes ago"),
        (good().end_date(in_seconds(&account, 30)), "before the EndDate"),
        (good().set_start_date(None).end_date(in_seconds(&account, 0)), "in the future"),
        (good().flexible_time_window(window), "greater than or equal to 1"),
        (good().target(target("f", ROLE, "{}")), "not in correct format"),
        (good().target(target("arn:aws:sqs:us-east-1:111111111111:q", ROLE, "{}")), "no targets but functions"),
        (good().target(target(FUNCTION, "scheduler", "{}")), "target.roleArn"),
        (good().target(target(FUNCTION, ROLE, "{")), "well-formed JSON"),
        (good().target(impatient), "greater than or equal to 60"),
    ];
    for (request, said) in rows {
        let (status, code, message) = code(&request.send().await.unwrap_err());
        assert_eq!((status, code.as_str()), (400, "ValidationException"), "{said}");
        assert!(message.contains(said), "{said}: {message}");
    }
    assert!(account.with(|world| world.schedules().is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_group_must_be_there_and_takes_its_schedules_with_it() {
    let (account, client) = furnished(Settings::served());
    let missing = code(&create(&account, &client, "one").group_name("other").send().await.unwrap_err());
    assert_eq!(missing, (404, "ResourceNotFoundException".to_owned(), "Schedule group other does not exist.".to_owned()));
    let made = client.create_schedule_group().name("other").send().await.unwrap();
    assert_eq!(made.schedule_group_arn(), "arn:aws:scheduler:us-east-1:111111111111:schedule-group/other");
    let again = code(&client.create_schedule_group().name("other").send().await.unwrap_err());
    assert_eq!((again.0, again.1.as_str()), (409, "ConflictException"));
    create(&account, &client, "one").group_name("other").send().await.unwrap();
    client.delete_schedule_group().name("other").send().await.unwrap();
    let going = client.get_schedule_group().name("other").send().await.unwrap();
    assert_eq!(going.state(), Some(&ScheduleGroupState::Deleting));
    let late = code(&create(&account, &client, "two").group_name("other").send().await.unwrap_err());
    assert_eq!((late.0, late.1.as_str()), (409, "ConflictException"));
    account.clock().sleep(Duration::from_secs(1)).await;
    let gone = code(&client.get_schedule_group().name("other").send().await.unwrap_err());
    assert_eq!((gone.0, gone.1.as_str()), (404, "ResourceNotFoundException"));
    assert!(account.with(|world| world.schedules().is_empty()));
    let default = client.get_schedule_group().name("default").send().await.unwrap();
    assert_eq!(default.state(), Some(&ScheduleGroupState::Active));
}

#[tokio::test(start_paused = true)]
async fn it_invokes_from_its_start_on_and_never_at_its_end_and_goes_if_it_is_to() {
    let (account, client) = furnished(Settings::served());
    let opened = Time::from(account.clock().now());
    create(&account, &client, "one").action_after_completion(ActionAfterCompletion::Delete).send().await.unwrap();
    create(&account, &client, "two").state(ScheduleState::Disabled).send().await.unwrap();
    account.clock().sleep(30 * MINUTE).await;
    assert_eq!(invoked(&account, opened), [30.0, 90.0, 150.0, 210.0, 270.0]);
    assert_eq!(account.with(|world| world.schedules().len()), 1, "the other stays");
    // One without a start begins at once; deleted, it invokes no more.
    let now = Time::from(account.clock().now());
    create(&account, &client, "three").set_start_date(None).set_end_date(None).send().await.unwrap();
    account.clock().sleep(3 * MINUTE).await;
    client.delete_schedule().name("three").group_name("canaryctl").send().await.unwrap();
    account.clock().sleep(10 * MINUTE).await;
    assert_eq!(invoked(&account, now).split_off(5), [0.0, 60.0, 120.0, 180.0]);
}

#[tokio::test(start_paused = true)]
async fn it_is_late_and_comes_twice_where_the_account_is_so_and_is_never_early() {
    let settings =
        Settings { schedule_delay: Duration::ZERO..=Duration::from_secs(59), schedule_doubles: 0.5, ..Settings::served() };
    let (account, client) = furnished(settings);
    let opened = Time::from(account.clock().now());
    create(&account, &client, "one").set_start_date(None).end_date(in_seconds(&account, 36_000)).send().await.unwrap();
    account.clock().sleep(Duration::from_hours(12)).await;
    let times = invoked(&account, opened);
    assert!((850..950).contains(&times.len()), "600, half of them twice: {}", times.len());
    assert!(times.iter().all(|at| *at < 36_000.0), "none at its end or later");
    for minute in 0..599 {
        let due = f64::from(minute) * 60.0;
        assert!(times.iter().any(|at| (due..due + 60.0).contains(at)), "none in minute {minute}");
    }
    let late = times.iter().filter(|at| **at % 60.0 > 30.0).count();
    assert!(late > 300, "{late} came after half of their minute");
}

#[tokio::test(start_paused = true)]
async fn what_lambda_did_not_accept_is_tried_again_and_what_was_lost_comes_twice() {
    let (account, client) = furnished(Settings::served());
    let opened = Time::from(account.clock().now());
    let retry = RetryPolicy::builder().maximum_event_age_in_seconds(60).maximum_retry_attempts(2).build();
    let target = Target::builder().arn(FUNCTION).role_arn(ROLE).retry_policy(retry).build().unwrap();
    account.with(|world| {
        world.add_fault(Fault::on("Invoke", Effect::Throttle).nth(1));
        world.add_fault(Fault::on("Invoke", Effect::LostAnswer).nth(3));
        world.add_fault(Fault::on("Invoke", Effect::ServerError(500)).calls(5..=7));
    });
    let three = create(&account, &client, "one").target(target).end_date(in_seconds(&account, 210));
    three.send().await.unwrap();
    account.clock().sleep(10 * MINUTE).await;
    assert_eq!(invoked(&account, opened), [30.0, 32.0, 90.0, 92.0, 150.0, 152.0, 156.0]);
    // The first was refused and came, the second came twice, the third never.
    assert_eq!(account.with(|world| world.tally("f", "", "$LATEST").invocations), 3);
}

#[tokio::test(start_paused = true)]
async fn what_a_function_is_given_says_what_the_schedule_knows() {
    let (account, client) = furnished(Settings::served());
    account.with(|world| world.host("f"));
    let input =
        r#"{"at":"<aws.scheduler.scheduled-time>","of":"<aws.scheduler.schedule-arn>","try":"<aws.scheduler.attempt-number>"}"#;
    let own = Target::builder().arn(FUNCTION).role_arn(ROLE).input(input).build().unwrap();
    let silent = Target::builder().arn(FUNCTION).role_arn(ROLE).build().unwrap();
    let at = |name: &str, expression: &str| create(&account, &client, name).schedule_expression(expression);
    at("one", "at(2025-11-24T16:01:00)").target(own).send().await.unwrap();
    at("two", "at(2025-11-24T16:02:00)").target(silent).send().await.unwrap();
    let first = account.invocation("f").await;
    let wanted =
        r#"{"at":"2025-11-24T16:01:00Z","of":"arn:aws:scheduler:us-east-1:111111111111:schedule/canaryctl/one","try":"1"}"#;
    assert_eq!((first.event.as_ref(), first.arn.as_str()), (wanted.as_bytes(), FUNCTION));
    let second = account.invocation("f").await;
    let notice: serde_json::Value = serde_json::from_slice(&second.event).unwrap();
    assert_eq!((&notice["source"], &notice["time"]), (&"aws.scheduler".into(), &"2025-11-24T16:02:00Z".into()));
}

#[tokio::test(start_paused = true)]
async fn who_may_not_make_one_is_told_so() {
    let (account, client) = furnished(Settings::served());
    account.with(|world| world.add_fault(Fault::on("CreateSchedule", Effect::Deny)));
    let (status, code, said) = code(&create(&account, &client, "one").send().await.unwrap_err());
    assert_eq!((status, code.as_str()), (403, "AccessDeniedException"));
    let on = "scheduler:CreateSchedule on resource: arn:aws:scheduler:us-east-1:111111111111:schedule/canaryctl/one";
    assert!(said.contains(on), "{said}");
}
