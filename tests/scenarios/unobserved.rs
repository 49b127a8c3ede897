//! A version that Lambda refuses to run is never promoted: no invocation of it is counted, and that is not health.

use std::time::Duration;

use controller::{Ordered, Request};
use rollout::note::AfterPause;
use rollout::operate::Operation;
use rollout::plan::{Analysis, Mode};
use rollout::policy::Policy;
use serde_json::json;
use sim::{Effect, Fault};

use crate::stage::{Output, Stage, play_on, request, short, subject, with};

/// Rolls out a version every invocation of which is refused in this way, without alarms and hooks.
async fn refused(stage: &Stage, why: &str, schedule: &str) -> Output {
    stage.with(|world| world.set_environment("hello", &[("SIM_REFUSED", why)]).unwrap());
    let analysis = Analysis { mode: Mode::On, ..Analysis::default() };
    let policy = Policy { analysis, ..Policy::default() };
    let plain = Request { alarms: Vec::new(), pre_hook: None, post_hook: None, ..request() };
    stage.rollout(Request { schedule: schedule.parse().unwrap(), policy, ..plain }).await
}

#[test]
fn a_version_whose_key_is_denied_goes_back_under_every_schedule() {
    for (schedule, highest) in [
        ("Linear10PercentEvery1Minute", 60),
        ("Canary10Percent5Minutes", 10),
        ("AllAtOnce", 100),
        ("Canary10Percent10Minutes", 10),
    ] {
        play_on("hello", async |stage| {
            let output = refused(&stage, "KMSAccessDenied", schedule).await.exits(12);
            let output = output.because("is refused before it runs (KMS, network, concurrency)");
            stage.assert_ended("41", "back");
            let most = stage.percents().into_iter().max().unwrap();
            assert!(most <= highest, "{schedule}: {most}%\n{}", output.log);
            let tally = stage.with(|world| world.tally("hello", "Live", "42"));
            assert!(tally.invocations == 0 && tally.refused > 0, "{tally:?}");
        });
    }
}

#[test]
fn what_is_throttled_to_nothing_is_not_promoted_either() {
    play_on("hello", async |stage| {
        let output = refused(&stage, "Throttled", "Canary10Percent5Minutes").await.exits(12);
        output.because("42 has no invocations, although about ").because(" invocations of it were throttled");
        stage.assert_ended("41", "back");
    });
}

/// What AWS knows of it is said, and asking for that delays nothing.
#[test]
fn a_function_without_any_concurrency_is_named_as_the_reason() {
    let without_concurrency = |schedule, fault: Option<Fault>| {
        play_on("hello", async |stage| {
            let began = stage.with(|world| world.now());
            let none = json!({"ReservedConcurrentExecutions": 0});
            stage.with(|world| {
                world.arrange("PUT", "/2017-10-31/functions/hello/concurrency", &none).unwrap();
                if let Some(fault) = fault {
                    world.add_fault(fault);
                }
            });
            let output = refused(&stage, "", schedule).await.exits(12);
            stage.assert_ended("41", "back");
            (output.ending.reason.detail, stage.with(|world| world.now()).since(began))
        })
    };
    for schedule in ["AllAtOnce", "Canary10Percent5Minutes"] {
        let (why, took) = without_concurrency(schedule, None);
        assert!(why.contains(" invocations of it were throttled; the function's reserved concurrency is 0"), "{why}");
        for effect in [Effect::Deny, Effect::Stall] {
            let (why, later) = without_concurrency(schedule, Some(Fault::on("GetFunctionConcurrency", effect)));
            assert!(why.contains(" invocations of it were throttled") && !why.contains("reserved"), "{why}");
            assert_eq!(later.as_secs(), took.as_secs(), "{schedule}, {effect:?}");
        }
    }
}

#[test]
fn where_nobody_calls_the_stable_version_either_the_end_says_that_nothing_was_observed() {
    play_on("hello-idle", async |stage| {
        let output = refused(&stage, "KMSDisabled", "AllAtOnce").await.exits(0);
        output.says("nothing was verified");
        stage.sleep(Duration::from_mins(5).as_secs()).await;
        stage.assert_ended("42", "promoted");
    });
}

/// Changes how often the alias is invoked, and lets some minutes pass.
async fn invoked(stage: &Stage, a_second: &str, minutes: u64) {
    stage.with(|world| world.set_environment("hello", &[("SIM_TRAFFIC_RPS", a_second)]).unwrap());
    stage.sleep(minutes * 60).await;
}

#[test]
fn traffic_that_began_minutes_ago_is_expected_to_go_on() {
    play_on("hello-idle", async |stage| {
        // Of the mean of the hour, three invocations a minute, the time with all traffic has fewer than are waited for.
        invoked(&stage, "0.3", 4).await;
        refused(&stage, "KMSAccessDenied", "AllAtOnce").await.exits(12).because("no invocations, although about");
        stage.assert_ended("41", "back");
    });
}

#[test]
fn traffic_that_ended_long_ago_is_not_expected_again() {
    play_on("hello-idle", async |stage| {
        invoked(&stage, "0.3", 4).await;
        invoked(&stage, "0", 20).await;
        refused(&stage, "KMSAccessDenied", "AllAtOnce").await.exits(0).says("nothing was verified");
    });
}

/// The counts of the moment before a pause say nothing of the time that it lasted.
#[test]
fn a_bake_that_was_paused_is_not_over_before_its_invocations_are_counted() {
    play_on("hello", async |stage| {
        stage.with(|world| world.set_environment("hello", &[("SIM_REFUSED", "KMSAccessDenied")]).unwrap());
        let analysis = Analysis { mode: Mode::On, ..Analysis::default() };
        let policy = Policy { analysis, bake: Some(Duration::from_secs(20)), ..Policy::default() };
        let plain = Request { alarms: Vec::new(), pre_hook: None, post_hook: None, ..request() };
        let person = stage.as_caller("PERSON").await;
        let acting = async {
            stage.sleep(15).await;
            let pause = Operation::Pause { span: Duration::from_hours(1), then: AfterPause::Resume };
            assert!(matches!(person.order(&subject(), pause).await, Ordered::Done(..)));
            // The next full minute, at which invocations are counted again, is yet to come.
            stage.sleep(35).await;
            assert!(matches!(person.order(&subject(), Operation::Resume).await, Ordered::Done(..)));
        };
        let request = Request { schedule: "AllAtOnce".parse().unwrap(), policy, ..plain };
        stage.rollout_while(request, acting).await.exits(12);
        stage.assert_ended("41", "back");
    });
}

/// What a function answers with status 500 is no error to Lambda: where that is all that could be compared, it is said before and after.
#[test]
fn failures_that_nobody_can_see_are_said_to_be_so() {
    play_on("hello-handled-errors", async |stage| {
        stage.sleep(600).await;
        let compared = with(short(), |policy| policy.analysis.mode = Mode::On);
        let output = stage.rollout(&compared).await.exits(0).says("HANDLES ITSELF CANNOT BE SEEN: API Gateway calls hello:Live");
        assert!(output.ending.reason.detail.contains("failures that it handles itself could not be seen"), "{}", output.log);
        assert!(output.ending.observed_invocations.unwrap() > 0, "{}", output.log);
    });
    // Whoever has a check has somebody who sees.
    play_on("hello-handled-errors", async |stage| {
        stage.sleep(600).await;
        let checked =
            Request { checks: vec!["preHook".parse().unwrap()], ..with(short(), |policy| policy.analysis.mode = Mode::On) };
        stage.rollout(&checked).await.exits(0).lacks("CANNOT BE SEEN");
    });
    play_on("hello", async |stage| {
        stage.sleep(600).await;
        stage.rollout(with(short(), |policy| policy.analysis.mode = Mode::On)).await.exits(0).lacks("CANNOT BE SEEN");
    });
}
