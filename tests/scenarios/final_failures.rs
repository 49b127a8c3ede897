//! A failure is final, whatever is seen later and whatever else happens; nothing is left behind that nobody can end.

use std::time::Duration;

use controller::Request;
use sim::{Effect, Event, Fault};

use crate::stage::{Stage, play, play_on, request, short};

#[test]
fn an_alarm_that_turns_green_while_the_way_back_is_throttled_is_not_forgotten() {
    play_on("hello-idle", async |stage| {
        stage.alarm_in(95);
        stage.disturb(Fault::on("UpdateAlias", Effect::Throttle), 90..190);
        stage.rollout(request()).await.exits(10);
        stage.assert_ended("41", "back");
    });
}

#[test]
fn an_alarm_outranks_a_signal() {
    play_on("hello-idle", async |stage| {
        stage.alarm_in(95);
        stage.disturb(Fault::on("UpdateAlias", Effect::Throttle), 90..120);
        stage.rollout_until(request(), stage.sleep(110)).await.exits(10);
        assert!(stage.alias().await.description.contains(" x=42a"));
    });
}

#[test]
fn an_alarm_that_came_and_went_between_two_looks_is_found_in_its_history() {
    play_on("hello-idle", async |stage| {
        stage.alarm_in(80);
        stage.disturb(Fault::on("DescribeAlarms", Effect::ServerError(503)), 70..190);
        stage.rollout(request()).await.exits(10).says("and has left it since");
    });
}

#[test]
fn a_signal_is_heard_while_cloudwatch_hangs() {
    play_on("hello-idle", async |stage| {
        let now = stage.now();
        stage.disturb(Fault::on("DescribeAlarms", Effect::Latency(Duration::from_mins(1))), 70..1_800);
        stage.rollout_until(request(), stage.sleep(76)).await.exits(13);
        assert!(stage.now().since(now + Duration::from_secs(76)) < Duration::from_secs(5), "{:?}", stage.now().since(now));
        stage.assert_ended("41", "back");
    });
}

#[test]
fn a_claim_that_lands_late_is_not_left_behind() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.add_fault(Fault::on("UpdateAlias", Effect::LateWrite(Duration::from_secs(20))).nth(1)));
        let output = stage.rollout_until(request(), stage.sleep(3)).await;
        assert!([3, 13].contains(&output.ending.exit_code), "{}", output.log);
        stage.sleep(60).await;
        let alias = stage.alias().await;
        assert!(!alias.description.contains(" claim "), "{}", alias.description);
        stage.rollout(request()).await.exits(0);
    });
}

#[test]
fn a_weight_of_one_that_is_refused_costs_one_call_in_ten_thousand() {
    for schedule in ["AllAtOnce", "Canary10Percent5Minutes"] {
        play(async {
            let stage = Stage::story_with("hello-idle", |settings| settings.refuses_full_weight = true).await;
            let output = stage.rollout(Request { schedule: schedule.parse().unwrap(), ..request() }).await.exits(0);
            stage.assert_ended("42", "promoted");
            // Baked, and the post-traffic hook asked, as ever.
            output.says("postHook succeeded");
            let almost =
                stage.writes().into_iter().find(|write| (write.after().unwrap().share("42") - 0.9999).abs() < 1e-9).unwrap();
            assert!(stage.writes().last().unwrap().at.since(almost.at) >= Duration::from_mins(3));
        });
    }
}

#[test]
fn what_a_stack_tool_left_can_be_ended() {
    play_on("hello", async |stage| {
        let moved = async {
            stage.until(|| !stage.shares("42").is_empty()).await;
            let body = r#"{"FunctionVersion":"43","RoutingConfig":{"AdditionalVersionWeights":{}}}"#;
            let request = http::Request::put("/2015-03-31/functions/hello/aliases/Live").body(body.into()).unwrap();
            stage.with(|world| {
                world.publish("hello", 43).unwrap();
                world.schedule(world.now(), Event::Call { caller: "STACK".into(), request });
            });
        };
        stage.rollout_while(request(), moved).await.exits(21);
        stage.rollout(short()).await.says("rollback hello:Live --to");
        assert!(matches!(stage.rollback(Some(43)).await, controller::Rollback::Done { .. }));
        stage.assert_ended("43", "back");
    });
}

#[test]
fn a_rollback_during_a_claim_undoes_what_was_promoted_last() {
    play_on("hello", async |stage| {
        stage.rollout(short()).await.exits(0);
        // A new rollout claims and dies before it has published anything.
        let asked = stage.calls("PublishVersion");
        let dies = async {
            // The first one only asks whether it may.
            stage.until_looking_every(Duration::from_millis(5), || stage.calls("PublishVersion") > asked).await;
            stage.with(|world| world.add_fault(Fault::on("PublishVersion", Effect::Throttle)));
            stage.sleep(20).await;
        };
        stage.killed(short(), dies).await;
        assert!(stage.alias().await.description.contains(" claim 42>- "));
        assert!(matches!(stage.rollback(None).await, controller::Rollback::Done { changed: true, .. }));
        stage.assert_ended("41", "back");
    });
}

#[test]
fn a_rejected_version_says_why_it_is_refused() {
    play_on("hello-errors", async |stage| {
        stage.rollout(request()).await.exits(10);
        stage.until_alarm("HelloFooAlarm", "OK").await;
        stage.rollout(request()).await.exits(3).says("42 was rejected before: an alarm fired").says("--again");
    });
}

#[test]
fn an_alarm_is_red_though_another_ones_history_cannot_be_read() {
    play_on("hello-idle", async |stage| {
        let now = stage.now();
        stage.with(|world| {
            world.create_errors_alarm("Second", "hello", 1.0).unwrap();
            let silent = Event::SetAlarmState { alarm: "HelloFooAlarm".into(), state: "INSUFFICIENT_DATA".into() };
            world.schedule(now + Duration::from_secs(93), silent);
            world.schedule(now + Duration::from_secs(97), Event::SetAlarmState { alarm: "Second".into(), state: "ALARM".into() });
        });
        stage.sleep(60).await;
        let unread = async {
            stage.sleep(25).await;
            stage.with(|world| world.add_fault(Fault::on("DescribeAlarmHistory", Effect::ServerError(500))));
        };
        let output = stage
            .rollout_while(Request { alarms: vec!["HelloFooAlarm".into(), "Second".into()], ..request() }, unread)
            .await
            .exits(10);
        let red =
            stage.with(|world| world.alarm_transitions("Second")).into_iter().find(|(_, state)| state == "ALARM").unwrap().0;
        assert!(stage.writes().last().unwrap().at.since(red) < Duration::from_secs(30), "{}", output.log);
    });
}

/// It looks at no metric, and fires and is read as any other.
#[test]
fn an_alarm_on_logs_rolls_back_and_is_final_though_its_state_passes() {
    play_on("hello-idle", async |stage| {
        let query = serde_json::json!({"QueryString": "filter level = 'ERROR' | stats count(*)", "LogGroupIdentifiers": ["/aws/lambda/hello"]});
        let logged = serde_json::json!({
            "AlarmName": "logged", "ScheduledQueryConfiguration": query, "Threshold": 1.0, "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        });
        let at = |state: &str| sim::Event::SetAlarmState { alarm: "logged".into(), state: state.into() };
        stage.with(|world| {
            world.put_alarm(&logged).unwrap();
            world.set_alarm_state("logged", "OK").unwrap();
            world.schedule(world.now() + Duration::from_secs(95), at("ALARM"));
        });
        stage.sleep(5).await;
        let watched = Request { alarms: vec!["logged".into()], ..request() };
        let output = stage.rollout(&watched).await.exits(10).says("alarm `logged` went to ALARM");
        assert_eq!(output.ending.reason.kind.word(), "alarm");
        stage.assert_ended("41", "back");
        assert_eq!(stage.percents().last(), Some(&0));
        // Between two looks it is found in its history, as alarms on metrics are.
        stage.with(|world| {
            world.set_alarm_state("logged", "OK").unwrap();
            world.set_environment("hello", &[("SIM_BODY", "newer")]).unwrap();
            world.schedule(world.now() + Duration::from_secs(80), at("ALARM"));
            world.schedule(world.now() + Duration::from_secs(90), at("OK"));
        });
        stage.disturb(Fault::on("DescribeAlarms", Effect::ServerError(503)), 70..190);
        stage.rollout(&watched).await.exits(10).says("and has left it since");
    });
}

#[test]
fn a_note_that_has_no_room_any_more_hides_no_alarm() {
    play_on("hello-idle", async |stage| {
        let scribbled = async {
            stage.until(|| !stage.shares("42").is_empty()).await;
            stage.with(|world| world.describe_alias("hello", "Live", &"x".repeat(250))).unwrap();
            stage.sleep(30).await;
            stage.with(|world| world.set_alarm_state("HelloFooAlarm", "ALARM")).unwrap();
        };
        stage.rollout_while(request(), scribbled).await.exits(10);
        assert_eq!(stage.alias().await.traffic(), "100% on 41");
        assert_eq!(stage.alias().await.description, "x".repeat(250));
    });
}

#[test]
fn a_bad_version_below_a_rollout_that_never_moved_is_what_a_rollback_takes_back() {
    play_on("hello", async |stage| {
        stage.rollout(short()).await.exits(0);
        stage.with(|world| {
            world.set_environment("hello", &[("SIM_BODY", "newer")]).unwrap();
            world.set_environment("preHook", &[("SIM_HOOK", "Failed")]).unwrap();
        });
        stage.rollout(request()).await.exits(11);
        stage.assert_ended("42", "back");
        assert!(matches!(stage.rollback(None).await, controller::Rollback::Done { changed: true, .. }));
        stage.assert_ended("41", "back");
    });
}
