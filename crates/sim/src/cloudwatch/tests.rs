//! Does the whole hold together? Stories of alarms over time, and the same requests in all three protocols.

use std::ops::RangeInclusive;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cloudwatch::alarm::{Actions, Condition, MissingData, Watch};
use crate::cloudwatch::rule::Rule;
use crate::value::merged;

const ERRORS: (&str, &str) = ("AWS/Lambda", "Errors");
const DIMENSIONS: [(&str, &str); 2] = [("FunctionName", "hello"), ("Resource", "hello:live")];
/// 2026-11-23T14:00:00Z.
const NOON: i64 = 1_795_442_400;

pub(super) fn at(seconds: i64) -> Time {
    Time::from_millis((NOON + seconds) * 1_000)
}

pub(super) fn cloud(lag: RangeInclusive<u64>) -> CloudWatch {
    let settings = Settings {
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        metric_lag: Duration::from_secs(*lag.start())..=Duration::from_secs(*lag.end()),
        evaluation_delay: Duration::from_secs(10),
        ..Settings::served()
    };
    CloudWatch::new(&settings, 42)
}

pub(super) fn on_errors(name: &str) -> Alarm {
    Alarm::on_sum(name, ERRORS.0, ERRORS.1, &DIMENSIONS, 1.0)
}

fn watching(name: &str, change: impl FnOnce(&mut Watch)) -> Alarm {
    let mut alarm = on_errors(name);
    if let Condition::Metric(watch) = &mut alarm.condition {
        change(watch);
    }
    alarm
}

pub(super) fn watch(wanted: u32, periods: u32, missing_data: Option<MissingData>) -> Watch {
    let Condition::Metric(watch) = on_errors("a").condition else { unreachable!() };
    Watch { datapoints_to_alarm: Some(wanted), evaluation_periods: periods, missing_data, ..watch }
}

/// A `PutMetricAlarm` that is in order, but for the members of `instead`; a null leaves a member out.
pub(super) fn alarm_with(instead: Value) -> Value {
    let plain = json!({
        "AlarmName": "a",
        "Namespace": "N",
        "MetricName": "M",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 3,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
    });
    merged(plain, instead)
}

pub(super) fn composite(name: &str, rule: &str) -> Alarm {
    Alarm { condition: Condition::Composite(Rule::parse(rule).unwrap()), ..on_errors(name) }
}

fn fail(cloud: &mut CloudWatch, when: i64) {
    let series = cloud.series(ERRORS.0, ERRORS.1, &DIMENSIONS);
    cloud.record_run(at(when), Duration::ZERO, &[(series, 1.0)]);
}

#[expect(clippy::needless_pass_by_value, reason = "the request is written for this question and used up by it")]
pub(super) fn ask(cloud: &mut CloudWatch, when: i64, operation: &str, request: Value) -> Result<Value, Fault> {
    cloud.perform(at(when), operation, &request).map(|answer| answer.unwrap_or_else(|| json!({})))
}

/// The changes of an alarm's state, as second and state.
fn changes(cloud: &CloudWatch, name: &str) -> Vec<(i64, String)> {
    let updates = cloud.history(name).filter(|item| item.kind == ItemKind::StateUpdate);
    updates.map(|item| (item.at.as_millis() / 1_000 - NOON, item.summary.rsplit(' ').next().unwrap().to_owned())).collect()
}

#[test]
fn an_alarm_fires_by_itself_when_the_errors_can_be_seen_and_recovers_when_they_are_gone() {
    let mut cloud = cloud(90..=90);
    cloud.put_alarm(at(0), on_errors("errors")).unwrap();
    assert_eq!(cloud.alarm_state("errors"), Some(AlarmState::InsufficientData));
    cloud.advance(at(130));
    // Given at 130, seen from 220; the evaluation at 250 is the first that sees it.
    fail(&mut cloud, 130);
    for second in 131..700 {
        cloud.advance(at(second));
    }
    let expected = [(10, "OK"), (250, "ALARM"), (370, "OK")].map(|(second, state)| (second, state.to_owned()));
    assert_eq!(changes(&cloud, "errors"), expected);
}

#[test]
fn one_leap_evaluates_as_many_small_steps_do() {
    let run = |step: usize| {
        let mut cloud = cloud(60..=180);
        cloud.put_alarm(at(0), on_errors("errors")).unwrap();
        for second in [30, 31, 400, 900, 901, 902] {
            fail(&mut cloud, second);
        }
        (0..2_000).step_by(step).for_each(|second| cloud.advance(at(second)));
        cloud.advance(at(2_000));
        changes(&cloud, "errors")
    };
    assert_eq!(run(1), run(2_000));
    assert!(run(7).len() >= 4);
}

#[test]
fn the_moment_of_transition_moves_only_with_the_state() {
    let mut cloud = cloud(0..=0);
    cloud.put_alarm(at(0), on_errors("errors")).unwrap();
    let alarm = &ask(&mut cloud, 400, "DescribeAlarms", json!({})).unwrap()["MetricAlarms"][0];
    assert_eq!(alarm["StateTransitionedTimestamp"], json!(at(10)));
    assert_eq!(alarm["StateUpdatedTimestamp"], json!(at(370)));
    assert_eq!(alarm["AlarmConfigurationUpdatedTimestamp"], json!(at(0)));
}

#[test]
fn a_state_set_by_hand_lasts_until_the_next_evaluation_unless_missing_data_are_ignored() {
    let mut cloud = cloud(0..=0);
    cloud.put_alarm(at(0), on_errors("errors")).unwrap();
    cloud.put_alarm(at(0), watching("ignoring", |watch| watch.missing_data = Some(MissingData::Ignore))).unwrap();
    cloud.advance(at(100));
    for name in ["errors", "ignoring"] {
        cloud.set_alarm_state(at(100), name, AlarmState::Alarm, "a drill").unwrap();
        assert_eq!(cloud.alarm_state(name), Some(AlarmState::Alarm));
    }
    cloud.advance(at(131));
    assert_eq!(cloud.alarm_state("errors"), Some(AlarmState::Ok));
    assert_eq!(cloud.alarm_state("ignoring"), Some(AlarmState::Alarm));
    assert_eq!(cloud.set_alarm_state(at(131), "none", AlarmState::Ok, "").unwrap_err().code, "ResourceNotFound");
}

#[test]
fn an_update_keeps_the_state_and_is_evaluated_soon() {
    let mut cloud = cloud(0..=0);
    fail(&mut cloud, -30);
    cloud.put_alarm(at(0), on_errors("errors")).unwrap();
    cloud.advance(at(15));
    assert_eq!(cloud.alarm_state("errors"), Some(AlarmState::Alarm));
    cloud.put_alarm(at(20), watching("errors", |watch| watch.threshold = 2.0)).unwrap();
    assert_eq!(cloud.alarm_state("errors"), Some(AlarmState::Alarm));
    cloud.advance(at(30));
    assert_eq!(cloud.alarm_state("errors"), Some(AlarmState::Ok));
    let verdict: Vec<_> = cloud.history("errors").map(|item| item.summary.as_str()).collect();
    assert_eq!(
        verdict,
        [
            "Alarm \"errors\" created",
            "Alarm updated from INSUFFICIENT_DATA to ALARM",
            "Alarm \"errors\" updated",
            "Alarm updated from ALARM to OK"
        ]
    );
}

#[test]
fn long_periods_slide_and_short_ones_hurry() {
    let mut cloud = cloud(0..=0);
    cloud.put_alarm(at(0), watching("long", |watch| watch.period = 300)).unwrap();
    cloud.put_alarm(at(0), watching("short", |watch| watch.period = 10)).unwrap();
    cloud.advance(at(100));
    fail(&mut cloud, 100);
    let data = json!([{"MetricName": "Custom", "Value": 5.0, "StorageResolution": 1}]);
    let give = json!({"Namespace": "Mine", "MetricData": data});
    ask(&mut cloud, 103, "PutMetricData", give).unwrap();
    let custom = watching("fast", |watch| {
        (watch.namespace, watch.metric, watch.dimensions) = ("Mine".to_owned(), "Custom".to_owned(), Vec::new());
        watch.period = 10;
    });
    cloud.put_alarm(at(104), custom).unwrap();
    cloud.advance(at(2_000));
    // The minute from 60 lies in the windows that end at 120 to 960: three periods of 300 are retrieved.
    assert_eq!(changes(&cloud, "long")[1], (130, "ALARM".to_owned()));
    assert_eq!(changes(&cloud, "long")[2], (1_030, "OK".to_owned()));
    assert_eq!(changes(&cloud, "fast"), [(114, "ALARM".to_owned()), (140, "OK".to_owned())]);
}

#[test]
fn composite_alarms_follow_their_children_at_once_and_in_the_history() {
    let mut cloud = cloud(0..=0);
    for name in ["a", "b"] {
        cloud.put_alarm(at(0), on_errors(name)).unwrap();
    }
    cloud.put_alarm(at(0), composite("both", "ALARM(a) AND ALARM(b)")).unwrap();
    cloud.put_alarm(at(0), composite("top", "OK(both) OR FALSE")).unwrap();
    cloud.advance(at(20));
    assert_eq!((cloud.alarm_state("both"), cloud.alarm_state("top")), (Some(AlarmState::Ok), Some(AlarmState::Alarm)));
    cloud.set_alarm_state(at(21), "a", AlarmState::Alarm, "by hand").unwrap();
    assert_eq!(cloud.alarm_state("both"), Some(AlarmState::Ok));
    cloud.set_alarm_state(at(22), "b", AlarmState::Alarm, "by hand").unwrap();
    assert_eq!((cloud.alarm_state("both"), cloud.alarm_state("top")), (Some(AlarmState::Alarm), Some(AlarmState::Ok)));
    let answer = ask(&mut cloud, 22, "DescribeAlarms", json!({"AlarmTypes": ["CompositeAlarm"]})).unwrap();
    let reason =
        "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:b transitioned to ALARM at Monday 23 November, 2026 14:00:22 UTC";
    assert_eq!(answer["CompositeAlarms"][0]["StateReason"], reason);
    cloud.advance(at(100));
    assert_eq!(cloud.alarm_state("both"), Some(AlarmState::Ok));
    assert_eq!(cloud.history("both").filter(|item| item.kind == ItemKind::StateUpdate).count(), 3);
}

#[test]
fn composite_alarms_neither_dangle_nor_bite_their_tails() {
    let mut cloud = cloud(0..=0);
    cloud.put_alarm(at(0), on_errors("a")).unwrap();
    let message = |fault: Fault| fault.message;
    assert!(message(cloud.put_alarm(at(0), composite("c", "OK(nobody)")).unwrap_err()).contains("[nobody]"));
    cloud.put_alarm(at(0), composite("c", "OK(a)")).unwrap();
    cloud.put_alarm(at(0), composite("d", "OK(c)")).unwrap();
    assert!(message(cloud.put_alarm(at(0), composite("c", "OK(a) OR OK(d)")).unwrap_err()).contains("itself"));
    let delete =
        |cloud: &mut CloudWatch, names: &[&str]| ask(cloud, 1, "DeleteAlarms", json!({ "AlarmNames": names })).map_err(message);
    assert!(delete(&mut cloud, &["a"]).unwrap_err().contains("depending on it: c"));
    assert!(delete(&mut cloud, &["c", "d"]).unwrap_err().contains("At most one composite"));
    delete(&mut cloud, &["d"]).unwrap();
    delete(&mut cloud, &["a", "c"]).unwrap();
    assert!(delete(&mut cloud, &["a"]).unwrap_err().contains("do not exist: a"));
    assert_eq!(cloud.history("a").last().unwrap().summary, "Alarm \"a\" deleted");
}

#[test]
fn actions_are_told_of_unless_they_are_disabled() {
    let mut cloud = cloud(0..=0);
    let topic = "arn:aws:sns:eu-west-1:123456789012:pager".to_owned();
    let alarm = Alarm { actions: Actions { alarm: vec![topic], ..Actions::default() }, ..on_errors("errors") };
    cloud.put_alarm(at(0), alarm).unwrap();
    cloud.set_alarm_state(at(1), "errors", AlarmState::Alarm, "").unwrap();
    ask(&mut cloud, 20, "DisableAlarmActions", json!({"AlarmNames": ["errors"]})).unwrap();
    cloud.set_alarm_state(at(21), "errors", AlarmState::Alarm, "").unwrap();
    let actions: Vec<_> = cloud.history("errors").filter(|item| item.kind == ItemKind::Action).collect();
    assert_eq!(actions.len(), 1);
    assert_eq!(actions[0].summary, "Successfully executed action arn:aws:sns:eu-west-1:123456789012:pager");
}

/// Values that somebody might send for anything, sound or not.
fn anything() -> impl Strategy<Value = Value> {
    let words = "a||NaN|ALARM|Sum|p90|OK(a)|AlarmName|page-1|N|Count|GreaterThanThreshold|2026-11-23T14:00:00Z";
    let leaf = prop_oneof![
        proptest::sample::select(words.split('|').collect::<Vec<_>>()).prop_map(Value::from),
        prop_oneof![Just(0), Just(1), Just(60), Just(NOON), any::<i64>()].prop_map(Value::from),
        prop_oneof![Just(1.0), any::<f64>()].prop_map(Value::from),
        any::<i64>().prop_map(|millis| json!(Time::from_millis(millis))),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = proptest::sample::select(MEMBERS.split(' ').map(str::to_owned).collect::<Vec<_>>());
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            proptest::collection::vec((name, inner), 0..8).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

const OPERATIONS: &str = "PutMetricAlarm PutCompositeAlarm DeleteAlarms SetAlarmState EnableAlarmActions DisableAlarmActions TagResource \
    UntagResource ListTagsForResource DescribeAlarms DescribeAlarmsForMetric DescribeAlarmHistory PutMetricData \
    ListMetrics GetMetricData GetMetricStatistics";
const MEMBERS: &str = "AlarmName AlarmNames AlarmRule StateValue StateReason Namespace MetricName Dimensions Name Value Statistic \
    ExtendedStatistic Period EvaluationPeriods DatapointsToAlarm Threshold ComparisonOperator TreatMissingData MetricData \
    Values Counts StatisticValues Timestamp StorageResolution MetricDataQueries Id MetricStat Metric Stat StartTime \
    EndTime MaxDatapoints NextToken ScanBy";

proptest! {
    #[test]
    fn no_request_makes_it_panic(requests in proptest::collection::vec((proptest::sample::select(OPERATIONS.split(' ').collect::<Vec<_>>()), anything()), 1..6)) {
        let mut cloud = cloud(0..=0);
        cloud.put_alarm(at(0), on_errors("a")).unwrap();
        for (operation, request) in requests {
            if let Err(fault) = cloud.perform(at(60), operation, &request) {
                prop_assert!((400..500).contains(&fault.status) && !fault.message.is_empty(), "{:?}", fault);
            }
        }
        prop_assert!(cloud.history("a").count() >= 1);
    }

    #[test]
    fn no_bytes_make_a_codec_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        for decoded in [cbor::decode(&bytes), protocol::object(&bytes), crate::query::decode(&bytes)].into_iter().flatten() {
            prop_assert!(decoded.is_object(), "{}", decoded);
        }
    }
}
