//! An alarm that canaryctl manages watches the candidate alone, from before its first weight on; no other alarm is touched.

use std::collections::BTreeMap;
use std::time::Duration;

use controller::port::Cloud;
use controller::{AlarmRule, Request};
use rollout::plan::{InsufficientData, OnInterrupt};
use sim::{Effect, Fault};

use crate::stage::{Stage, play_on, request, short, taking, with};

/// Any error of the candidate in a minute.
pub(crate) fn errors() -> AlarmRule {
    AlarmRule {
        name: "hello-canary-errors".to_owned(),
        namespace: "AWS/Lambda".to_owned(),
        metric: "Errors".to_owned(),
        statistic: "Sum".to_owned(),
        threshold: 1.0,
        comparison: "GreaterThanOrEqualToThreshold".to_owned(),
        period: Duration::from_mins(1),
        evaluation_periods: 1,
        datapoints: 1,
        missing_data: "notBreaching".to_owned(),
        dimensions: BTreeMap::new(),
    }
}

/// Nothing but that alarm is watched.
fn kept(request: Request) -> Request {
    Request { alarms: vec![errors().name], managed: vec![errors()], ..request }
}

/// The version that the alarm is about.
async fn about(stage: &Stage) -> String {
    let alarm = stage.aws.managed_alarm(&errors().name).await.unwrap().unwrap();
    assert_eq!(alarm.owner.as_deref(), Some("hello:Live"));
    let dimensions = alarm.rule.unwrap().dimensions;
    assert_eq!((dimensions["FunctionName"].as_str(), dimensions["Resource"].as_str()), ("hello", "hello:Live"));
    dimensions["ExecutedVersion"].clone()
}

#[test]
fn it_is_made_for_the_candidate_before_its_first_share_and_changed_for_the_next_one() {
    play_on("hello", async |stage| {
        stage.rollout(kept(request())).await.exits(0).says("hello-canary-errors created: Sum of AWS/Lambda Errors");
        assert_eq!((about(&stage).await.as_str(), stage.done("PutMetricAlarm")), ("42", 1));
        let first_share = stage.writes().iter().find(|write| write.after().unwrap().share("42") > 0.0).unwrap().seq;
        let put = stage.with(|world| world.log().iter().find(|call| call.operation == "PutMetricAlarm").unwrap().seq);
        let published = stage.with(|world| world.log().iter().rfind(|call| call.operation == "PublishVersion").unwrap().seq);
        assert!(published < put && put < first_share, "{published} {put} {first_share}");
        stage.with(|world| world.set_environment("hello", &[("SIM_BODY", "newer")])).unwrap();
        stage.rollout(kept(short())).await.exits(0).says("hello-canary-errors updated: ");
        assert_eq!((about(&stage).await.as_str(), stage.done("PutMetricAlarm")), ("43", 2));
        stage.assert_conditional();
    });
}

#[test]
fn it_brings_a_bad_version_back_and_holds_nothing_against_the_next_one() {
    play_on("hello-errors", async |stage| {
        stage.rollout(kept(request())).await.exits(10).says("alarm `hello-canary-errors` went to ALARM");
        stage.assert_ended("41", "back");
        // Still red about 42 when 43 is about to get its first share.
        assert_eq!(stage.with(|world| world.alarm_state("hello-canary-errors")), Some("ALARM"));
        stage.with(|world| world.set_environment("hello", &[("SIM_ERROR_RATE", ""), ("SIM_BODY", "fixed")])).unwrap();
        stage.rollout(kept(request())).await.exits(0);
        assert_eq!((stage.done("SetAlarmState"), about(&stage).await.as_str()), (1, "43"));
    });
}

#[test]
fn another_process_goes_on_with_it_and_writes_nothing() {
    play_on("hello", async |stage| {
        let held = with(kept(request()), |policy| policy.on_interrupt = OnInterrupt::Hold);
        stage.rollout_until(&held, stage.sleep(150)).await.exits(30);
        // The same plan.
        let taken_over = taking(kept(request()), |takeover| takeover.take_over = true);
        stage.rollout(&taken_over).await.exits(0);
        assert_eq!(stage.done("PutMetricAlarm"), 1);
        // Another threshold is another plan.
        stage.with(|world| world.set_environment("hello", &[("SIM_BODY", "newer")])).unwrap();
        stage.rollout_until(&held, stage.sleep(150)).await.exits(30);
        let mut other = taken_over;
        other.managed[0].threshold = 2.0;
        stage.rollout(&other).await.exits(3);
        stage.rollout(taking(other, |takeover| takeover.replan = true)).await.exits(0);
        let alarm = stage.aws.managed_alarm(&errors().name).await.unwrap().unwrap();
        assert!((alarm.rule.unwrap().threshold - 2.0).abs() < f64::EPSILON);
    });
}

#[test]
fn an_alarm_of_somebody_else_is_left_alone() {
    play_on("hello", async |stage| {
        stage.with(|world| world.create_errors_alarm("hello-canary-errors", "hello", 1.0)).unwrap();
        stage.rollout(kept(short())).await.exits(3).says("exists without the tag `canaryctl=hello:Live`");
        assert_eq!((stage.done("PutMetricAlarm"), stage.writes().len()), (0, 0));
    });
}

#[test]
fn without_it_no_share_moves() {
    play_on("hello", async |stage| {
        stage.with(|world| world.add_fault(Fault::on("PutMetricAlarm", Effect::Deny)));
        stage.rollout(kept(short())).await.exits(1).says("cloudwatch:PutMetricAlarm");
        assert_eq!(stage.shares("42"), []);
        stage.assert_ended("41", "back");

        let stage = Stage::story("hello").await;
        // What passes is waited for.
        stage.with(|world| world.add_fault(Fault::on("PutMetricAlarm", Effect::ServerError(500)).calls(1..=12)));
        stage.rollout(kept(short())).await.exits(0);
    });
}

#[test]
fn its_first_data_are_waited_for_where_none_are_a_doubt() {
    play_on("hello", async |stage| {
        stage.rollout(with(kept(short()), |policy| policy.insufficient_data = InsufficientData::Hold)).await.exits(0);
        let put = stage.with(|world| world.log().iter().find(|call| call.operation == "PutMetricAlarm").unwrap().at);
        let first = stage.writes().iter().find(|write| write.after().unwrap().share("42") > 0.0).unwrap().at;
        assert!(first.since(put) >= Duration::from_secs(5), "evaluated first: {:?}", first.since(put));
    });
}

#[test]
fn a_first_deployment_has_it_too() {
    play_on("hello-first", async |stage| {
        stage.rollout(kept(short())).await.exits(0);
        assert_eq!(about(&stage).await, "1");
    });
}
