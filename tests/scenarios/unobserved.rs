//! A version that Lambda refuses to run is never promoted: no invocation of it is counted, and that is not health.

use std::time::Duration;

use controller::Request;
use rollout::plan::{Analysis, Mode};
use rollout::policy::Policy;

use crate::stage::{Output, Stage, play_on, request};

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
        refused(&stage, "Throttled", "Canary10Percent5Minutes").await.exits(12);
        stage.assert_ended("41", "back");
    });
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
