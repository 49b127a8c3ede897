//! While AWS moves provisioned concurrency it keeps all traffic where it was: that is waited for, and only then anything is done.

use std::time::Duration;

use controller::{Request, Rollback};
use sim::World;

use crate::stage::{Stage, play, request, short, with};

/// A built-in account whose alias has provisioned concurrency that takes this long to move.
async fn provisioned(takes: Duration) -> Stage {
    let stage = Stage::story_with("hello", |settings| settings.provisioning = takes).await;
    stage.with(|world| world.provision("hello", "Live", 2)).unwrap();
    stage
}

fn allowed(request: Request) -> Request {
    with(request, |policy| policy.allow_provisioned = true)
}

/// The version that AWS keeps the traffic on.
fn moving(world: &mut World) -> Option<u32> {
    world.moving_from("hello", "Live")
}

/// When the alias' version changed last.
fn moved(stage: &Stage) -> sim::Time {
    let moves = |write: &sim::CallRecord| write.before().unwrap().version != write.after().unwrap().version;
    stage.writes().into_iter().rfind(moves).unwrap().at
}

#[test]
fn a_promotion_waits_until_the_traffic_has_moved() {
    play(async {
        let stage = provisioned(Duration::from_mins(4)).await;
        stage.rollout(allowed(short())).await.exits(0).says("AWS is moving provisioned concurrency");
        assert_eq!(stage.with(moving), None);
        assert!(stage.now().since(moved(&stage)) >= Duration::from_mins(4));
        stage.assert_ended("42", "promoted");
        stage.assert_conditional();
    });
}

#[test]
fn without_leave_nothing_begins_on_such_an_alias() {
    play(async {
        let stage = provisioned(Duration::from_mins(4)).await;
        stage.rollout(request()).await.exits(3).says("--allow-provisioned-concurrency");
    });
}

#[test]
fn an_alarm_in_the_middle_goes_back_at_once_for_the_stable_version_has_its_concurrency() {
    play(async {
        let stage = provisioned(Duration::from_mins(4)).await;
        stage.alarm_in(45);
        stage.rollout(allowed(short())).await.exits(10);
        assert_eq!(stage.with(moving), None);
        stage.assert_ended("41", "back");
    });
}

#[test]
fn a_manual_rollback_waits_and_a_second_one_waits_again() {
    play(async {
        let stage = provisioned(Duration::from_mins(4)).await;
        stage.rollout(allowed(short())).await.exits(0);
        let second = async {
            stage.sleep(60).await;
            assert_eq!(stage.with(moving), Some(42));
            let done = stage.rollback(None).await;
            (done, stage.with(moving))
        };
        let (first, (again, left)) = tokio::join!(stage.rollback(None), second);
        assert!(matches!(first, Rollback::Done { changed: true, .. }), "{first:?}");
        assert!(matches!(again, Rollback::Done { .. }), "{again:?}");
        assert_eq!(left, None);
        assert!(stage.now().since(moved(&stage)) >= Duration::from_mins(4));
        stage.assert_ended("41", "back");
    });
}

/// Beside the note of a rollback all weight on the other version looks like AWS' own while it moves. It is a person's, and nothing moves.
#[test]
fn a_weight_that_a_person_set_is_not_waited_for_while_nothing_moves() {
    play(async {
        let stage = provisioned(Duration::from_secs(30)).await;
        stage.rollout(allowed(short())).await.exits(0);
        stage.rollback(None).await;
        stage.with(|world| world.set_alias("hello", "Live", "41", Some(("42", 1.0)))).unwrap();
        let began = stage.now();
        let back = stage.rollback(None).await;
        assert!(matches!(back, Rollback::Done { changed: true, .. }), "{back:?}");
        stage.assert_ended("41", "back");
        assert!(stage.now().since(began) < Duration::from_secs(2), "{:?}", stage.now().since(began));
    });
}

#[test]
fn a_move_that_never_ends_is_not_called_done() {
    play(async {
        let stage = provisioned(Duration::from_hours(2)).await;
        let output = stage.rollout(allowed(short())).await;
        assert_ne!(output.ending.exit_code, 0, "{}", output.log);
        let waited = stage.now().since(moved(&stage));
        assert!(waited < Duration::from_mins(20), "{waited:?}");
    });
}
