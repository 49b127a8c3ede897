//! No wait is without an end: what never becomes ready, is never taken or has expired ends the rollout, with the traffic on stable.

use std::time::Duration;

use rollout::plan::Analysis;
use sim::{Effect, Fault};

use crate::stage::{Stage, play_on, request, short, with};

/// Rolls out a version of this environment; gives how long it took, in seconds.
async fn unready(stage: &Stage, environment: &[(&str, &str)], code: u8, says: &str) -> u64 {
    stage.with(|world| world.set_environment("hello", environment).unwrap());
    let began = stage.now();
    stage.rollout(request()).await.exits(code).says(says);
    assert_eq!(stage.alias().await.traffic(), "100% on 41");
    assert!(stage.percents().is_empty());
    stage.now().since(began).as_secs()
}

#[test]
fn a_version_that_stays_pending_is_given_up_after_a_quarter_of_an_hour() {
    play_on("hello-idle", async |stage| {
        let took = unready(&stage, &[("SIM_STATE", "Pending")], 1, "42").await;
        assert!((895..930).contains(&took), "{took} s");
    });
}

#[test]
fn an_update_that_never_ends_is_given_up_after_a_quarter_of_an_hour() {
    play_on("hello-idle", async |stage| {
        let took = unready(&stage, &[("SIM_UPDATE", "InProgress")], 1, "`$LATEST`").await;
        assert!((895..930).contains(&took), "{took} s");
    });
}

#[test]
fn a_version_that_cannot_start_ends_at_once_and_the_second_run_says_what_must_change() {
    play_on("hello-idle", async |stage| {
        let took = unready(&stage, &[("SIM_STATE", "Failed")], 1, "An error occurred during function initialization").await;
        assert!(took < 60, "{took} s");
        stage.rollout(request()).await.exits(1).says("An error occurred during function initialization");
        stage.with(|world| world.set_environment("hello", &[("SIM_STATE", ""), ("SIM_BODY", "mended")]).unwrap());
        stage.rollout(short()).await.exits(0);
        stage.assert_ended("43", "promoted");
    });
}

#[test]
fn an_update_that_failed_is_not_published() {
    play_on("hello-idle", async |stage| {
        unready(&stage, &[("SIM_UPDATE", "Failed")], 3, "the last update of `$LATEST` failed").await;
        assert_eq!(stage.done("PublishVersion"), 0);
    });
}

/// Only what gives the candidate traffic: an emulator answered so.
#[test]
fn a_raise_that_is_answered_500_for_ever_is_given_up_after_the_blind_limit() {
    play_on("hello-idle", async |stage| {
        let failing = async {
            stage.until(|| !stage.shares("42").is_empty()).await;
            stage.with(|world| world.add_fault(Fault::on("UpdateAlias", Effect::ServerError(500)).calls(1..=60)));
            stage.now()
        };
        let request = with(request(), |policy| {
            policy.blind_limit = Duration::from_mins(2);
            policy.analysis = Analysis::default();
        });
        let (output, since) = tokio::join!(stage.rollout(request), failing);
        let output = output.exits(1);
        let (waited, log) = (stage.now().since(since), output.log);
        assert!((Duration::from_mins(2)..Duration::from_mins(12)).contains(&waited), "{waited:?}\n{log}");
        stage.assert_ended("41", "back");
    });
}

#[test]
fn writes_that_are_answered_500_for_ever_page_with_the_command() {
    play_on("hello-idle", async |stage| {
        let failing = async {
            stage.until(|| !stage.shares("42").is_empty()).await;
            stage.with(|world| world.add_fault(Fault::on("UpdateAlias", Effect::ServerError(500))));
            stage.now()
        };
        let request = with(request(), |policy| policy.blind_limit = Duration::from_mins(2));
        let (output, since) = tokio::join!(stage.rollout(request), failing);
        output.exits(20).says("rollback hello:Live");
        let waited = stage.now().since(since);
        assert!(waited < Duration::from_mins(25), "{waited:?}");
    });
}

/// No weight was ever sent: nobody has to be called.
#[test]
fn a_claim_that_is_answered_500_for_ever_ends_where_it_began() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.add_fault(Fault::on("UpdateAlias", Effect::ServerError(500))));
        let request = with(request(), |policy| policy.blind_limit = Duration::from_mins(2));
        stage.rollout(request).await.exits_as(1, "failed").says("the alias could not be changed for 2m").lacks("page");
        assert_eq!((stage.alias().await.traffic(), stage.percents()), ("100% on 41".to_owned(), Vec::new()));
    });
}

#[test]
fn a_claim_that_is_throttled_for_ever_is_interrupted_as_what_it_is() {
    play_on("hello-idle", async |stage| {
        let throttled = async {
            // The first one only asks whether it may.
            stage.until_looking_every(Duration::from_millis(5), || stage.calls("UpdateAlias") == 1).await;
            stage.with(|world| world.add_fault(Fault::on("UpdateAlias", Effect::Throttle)));
            stage.until(|| stage.calls("UpdateAlias") > 40).await;
        };
        let output = stage.rollout_until(request(), throttled).await;
        output.exits(3).says("interrupted before the alias was acquired");
        assert_eq!((stage.alias().await.traffic(), stage.percents()), ("100% on 41".to_owned(), Vec::new()));
    });
}

#[test]
fn credentials_that_expire_on_the_way_page_at_once_with_the_command() {
    play_on("hello-idle", async |stage| {
        let expiring = async {
            stage.until(|| stage.shares("42").len() == 2).await;
            stage.with(|world| world.add_fault(Fault::everywhere(Effect::Expire)));
            stage.now()
        };
        let (output, since) = tokio::join!(stage.rollout(request()), expiring);
        output.exits(20).says("expired").says("rollback hello:Live");
        let waited = stage.now().since(since);
        assert!(waited < Duration::from_secs(30), "{waited:?}");
    });
}

#[test]
fn one_stalled_call_is_not_waited_for() {
    for operation in ["GetAlias", "DescribeAlarms", "UpdateAlias"] {
        play_on("hello-idle", async |stage| {
            stage.with(|world| world.add_fault(Fault::on(operation, Effect::Stall).nth(8)));
            stage.rollout(request()).await.exits(0);
            stage.assert_ended("42", "promoted");
        });
    }
}
