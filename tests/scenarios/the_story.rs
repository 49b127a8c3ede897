//! A version that is well gets all traffic when its schedule says, and one that fails gives it back by itself.

use crate::stage::{play_on, request};

#[test]
fn a_good_version_is_promoted() {
    play_on("hello", async |stage| {
        stage.rollout(request()).await.golden("a_good_version_is_promoted").exits(0);
        stage.assert_ended("42", "promoted");
        stage.assert_conditional();
        let expected: Vec<(u64, u64)> = (1..=10).map(|ten| ((ten - 1) * 60, ten * 10)).collect();
        let shares = stage.shares("42");
        assert_eq!(
            shares.iter().map(|share| share.1).collect::<Vec<_>>(),
            expected.iter().map(|share| share.1).collect::<Vec<_>>()
        );
        for (found, expected) in shares.iter().zip(&expected) {
            assert!(found.0.abs_diff(expected.0) <= 1, "{shares:?}");
        }
    });
}

#[test]
fn while_it_runs_callers_meet_both_answers_in_the_announced_proportion() {
    play_on("hello", async |stage| {
        let request = controller::Request { schedule: "Canary30Percent20Minutes".parse().unwrap(), ..request() };
        let tally = |version| stage.with(|world| world.tally("hello", "Live", version).invocations);
        let watch = async {
            stage.until(|| !stage.shares("42").is_empty()).await;
            stage.sleep(5).await;
            let before = (tally("41"), tally("42"));
            stage.sleep(1000).await;
            (tally("41") - before.0, tally("42") - before.1)
        };
        let (output, (old, new)) = tokio::join!(stage.rollout(&request), watch);
        output.exits(0);
        // About 10,000 calls at 30%: six standard deviations are 2.8 points.
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let share = new as f64 / (old + new) as f64;
        assert!(old + new > 9_000 && (share - 0.3).abs() < 0.028, "{new} of {}", old + new);
    });
}

/// What no alarm and no metric of Lambda shows: the version answers 500 by itself.
#[test]
fn a_version_that_handles_its_errors_is_promoted_today() {
    play_on("hello-handled-errors", async |stage| {
        stage.rollout(request()).await.exits(0);
        stage.assert_ended("42", "promoted");
        let tally = stage.with(|world| world.tally("hello", "Live", "42"));
        assert_eq!(tally.errors, 0);
    });
}

#[test]
fn a_version_that_fails_one_call_in_twenty_is_taken_back() {
    play_on("hello-errors", async |stage| {
        stage.rollout(request()).await.golden("a_version_that_fails_is_taken_back").exits(10);
        stage.assert_ended("41", "back");
        stage.assert_conditional();
        // From the alarm to stable: one poll to see it, one call to act on it.
        let red = stage.with(|world| world.alarm_transitions("HelloFooAlarm")).into_iter().filter(|(_, state)| state == "ALARM");
        let back = stage.writes().last().unwrap().at;
        let red = red.map(|(at, _)| at).find(|at| *at <= back && back.since(*at).as_secs() < 60).unwrap();
        assert!(back.since(red).as_millis() <= 5_500, "{:?}", back.since(red));
        // And nothing moves any more, however long one waits.
        stage.sleep(3600).await;
        assert_eq!(stage.writes().last().unwrap().at, back);
    });
}

#[test]
fn a_failing_pre_traffic_hook_lets_nothing_move() {
    play_on("hello-pre-hook-fails", async |stage| {
        stage.rollout(request()).await.golden("a_failing_pre_traffic_hook").exits(11);
        assert_eq!(stage.shares("42"), []);
        assert_eq!(stage.with(|world| world.tally("hello", "Live", "42").invocations), 0);
        stage.assert_ended("41", "back");
        // A failed check of the environment says nothing against the version: the same command may run again.
        assert!(!stage.alias().await.description.contains("x="));
    });
}

#[test]
fn a_failing_post_traffic_hook_brings_everything_back() {
    play_on("hello-post-hook-fails", async |stage| {
        stage.rollout(request()).await.golden("a_failing_post_traffic_hook").exits(11);
        stage.assert_ended("41", "back");
        assert!(stage.alias().await.description.contains(" x=42p"));
    });
}
