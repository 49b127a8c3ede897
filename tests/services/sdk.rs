//! What the SDK makes of alarms, tags and metrics in CBOR, and of what hangs on a function in JSON.

use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_cloudwatch::error::ProvideErrorMetadata;
use aws_sdk_cloudwatch::operation::put_metric_alarm::builders::PutMetricAlarmFluentBuilder;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    ComparisonOperator, HistoryItemType, Metric, MetricDataQuery, MetricStat, StateValue, Statistic, StatusCode, Tag,
};
use sim::{Account, MetricFault, Settings, Shortfall, SimClock, Time, World};

/// A client of one of the SDK's crates for this account.
macro_rules! client {
    ($sdk:ident, $account:expr) => {{
        let config = $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new("us-east-1"))
            .credentials_provider($sdk::config::Credentials::new("ME", "secret", None, None, "a test"))
            .retry_config($sdk::config::retry::RetryConfig::disabled())
            .time_source($account.clock())
            .sleep_impl($account.clock())
            .http_client($account.http_client())
            .build();
        $sdk::Client::from_conf(config)
    }};
}

pub(crate) use client;

/// An account furnished like this, at a full hour.
pub(crate) fn furnished(furnish: impl FnOnce(&mut World)) -> Account {
    let clock = SimClock::new(UNIX_EPOCH + Duration::from_hours(490_000));
    let mut world = World::new(Settings::served(), 1, Time::from(clock.now()));
    furnish(&mut world);
    Account::new(world, clock)
}

fn account() -> Account {
    furnished(|world| {
        world.create_function("f", &[]).unwrap();
        world.publish("f", 1).unwrap();
        world.set_alias("f", "live", "1", None).unwrap();
    })
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// An alarm on the errors of `f`.
fn alarm(client: &aws_sdk_cloudwatch::Client, threshold: f64) -> PutMetricAlarmFluentBuilder {
    let alarm = client.put_metric_alarm().alarm_name("a").namespace("AWS/Lambda").metric_name("Errors");
    let alarm = alarm.statistic(Statistic::Sum).period(60).evaluation_periods(1).threshold(threshold);
    alarm.comparison_operator(ComparisonOperator::GreaterThanOrEqualToThreshold).treat_missing_data("notBreaching")
}

#[tokio::test(start_paused = true)]
async fn an_alarm_is_put_tagged_put_again_and_deleted() {
    let account = account();
    let client = client!(aws_sdk_cloudwatch, account);
    alarm(&client, 1.0).tags(tag("a", "1")).tags(tag("b", "2")).send().await.unwrap();
    let described = client.describe_alarms().alarm_names("a").send().await.unwrap();
    let before = described.metric_alarms()[0].clone();
    let arn = before.alarm_arn().unwrap();
    client.tag_resource().resource_arn(arn).tags(tag("c", "")).send().await.unwrap();
    client.untag_resource().resource_arn(arn).tag_keys("a").send().await.unwrap();
    account.clock().sleep(Duration::from_secs(30)).await;
    alarm(&client, 7.0).tags(tag("ignored", "")).send().await.unwrap();

    let listed = client.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
    assert_eq!(listed.tags(), [tag("b", "2"), tag("c", "")]);
    let described = client.describe_alarms().alarm_names("a").send().await.unwrap();
    let after = &described.metric_alarms()[0];
    assert_eq!((after.state_value(), after.threshold()), (Some(&StateValue::Ok), Some(7.0)));
    assert_eq!(after.state_transitioned_timestamp(), before.state_transitioned_timestamp());
    let history = client.describe_alarm_history().alarm_name("a").history_item_type(HistoryItemType::ConfigurationUpdate);
    let history = history.send().await.unwrap();
    let told: Vec<_> = history.alarm_history_items().iter().map(|item| item.history_summary().unwrap()).collect();
    assert_eq!(told, ["Alarm \"a\" updated", "Alarm \"a\" created"]);

    client.delete_alarms().alarm_names("a").send().await.unwrap();
    assert!(client.list_tags_for_resource().resource_arn(arn).send().await.unwrap().tags().is_empty());
    let error = client.delete_alarms().alarm_names("a").send().await.unwrap_err();
    assert_eq!(error.as_service_error().unwrap().code(), Some("ResourceNotFound"));
}

#[tokio::test(start_paused = true)]
async fn a_query_that_falls_short_is_read_with_its_message() {
    let account = account();
    let client = client!(aws_sdk_cloudwatch, account);
    account.with(|world| world.add_metric_fault(MetricFault::on("Errors", Shortfall::InternalError)));
    let query = |id: &str, metric: &str| {
        let metric = Metric::builder().namespace("AWS/Lambda").metric_name(metric).build();
        let stat = MetricStat::builder().metric(metric).period(60).stat("Sum").build();
        MetricDataQuery::builder().id(id).metric_stat(stat).build()
    };
    let now = account.clock().now();
    let asked = client.get_metric_data().metric_data_queries(query("a", "Errors")).metric_data_queries(query("b", "Invocations"));
    let asked = asked.start_time(DateTime::from(now - Duration::from_mins(5))).end_time(DateTime::from(now));
    let answer = asked.send().await.unwrap();
    let [errors, invocations] = answer.metric_data_results() else { panic!("{answer:?}") };
    assert_eq!((errors.status_code(), errors.messages()[0].code()), (Some(&StatusCode::InternalError), Some("InternalError")));
    assert_eq!((invocations.status_code(), invocations.messages().len()), (Some(&StatusCode::Complete), 0));
}

#[tokio::test(start_paused = true)]
async fn what_hangs_on_a_function_is_read() {
    let account = account();
    let client = client!(aws_sdk_lambda, account);
    let queue = "arn:aws:sqs:us-east-1:111111111111:orders";
    let made = client.create_event_source_mapping().function_name("f:live").event_source_arn(queue).send().await.unwrap();
    assert_eq!(made.state(), Some("Creating"));
    account.clock().sleep(Duration::from_secs(1)).await;
    let listed = client.list_event_source_mappings().function_name("f").send().await.unwrap();
    let [mapping] = listed.event_source_mappings() else { panic!("{listed:?}") };
    let alias = "arn:aws:lambda:us-east-1:111111111111:function:f:live";
    assert_eq!((mapping.function_arn(), mapping.state(), mapping.uuid()), (Some(alias), Some("Enabled"), made.uuid()));
    assert_eq!(mapping.last_modified().unwrap().secs(), 490_000 * 3_600);

    let none = client.get_policy().function_name("f").qualifier("live").send().await.unwrap_err();
    assert!(none.as_service_error().unwrap().is_resource_not_found_exception(), "{none:?}");
    let permission = client.add_permission().function_name("f").qualifier("live").statement_id("s");
    permission.action("lambda:InvokeFunction").principal("events.amazonaws.com").send().await.unwrap();
    let policy = client.get_policy().function_name("f").qualifier("live").send().await.unwrap();
    assert!(policy.policy().unwrap().contains(alias), "{policy:?}");
    let urls = client.list_function_url_configs().function_name("f").send().await.unwrap();
    assert_eq!(urls.function_url_configs().len(), 0);
    let kept = client.get_function_concurrency().function_name("f").send().await.unwrap();
    assert_eq!(kept.reserved_concurrent_executions(), None);
}
