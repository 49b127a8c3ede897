//! A version that is stable already, or was rejected before, moves nothing, and costs nothing that a later rollback needs.

use controller::{Request, Rollback};
use rollout::policy::Policy;

use crate::stage::{play_on, request, short};

#[test]
fn nothing_to_roll_out_leaves_the_way_back_as_it_was() {
    play_on("hello", async |stage| {
        assert_eq!(stage.rollout(&short()).await.ending.exit_code, 0);
        stage.assert_ended("42", "promoted");
        let told = stage.rollout(&request()).await;
        assert_eq!((told.ending.exit_code, told.ending.outcome.word()), (0, "unchanged"), "{}", told.log);
        stage.assert_ended("42", "promoted");
        let told = stage.rollout(&Request { policy: Policy { require_change: true, ..Policy::default() }, ..request() }).await;
        assert_eq!((told.ending.exit_code, told.ending.outcome.word()), (3, "refused"), "{}", told.log);
        // The rollback still knows what 42 replaced.
        assert!(matches!(stage.rollback(None).await, Rollback::Done { changed: true, .. }));
        stage.assert_ended("41", "back");
    });
}

#[test]
fn the_stable_version_by_its_number_is_nothing_to_roll_out() {
    play_on("hello", async |stage| {
        let told = stage.rollout(&Request { version: rollout::Version::new(41), ..request() }).await;
        assert_eq!((told.ending.exit_code, told.ending.outcome.word()), (0, "unchanged"), "{}", told.log);
        assert_eq!(stage.writes().len(), 0);
    });
}

#[test]
fn a_rejected_version_is_refused_until_asked_for_again() {
    play_on("hello-errors", async |stage| {
        assert_eq!(stage.rollout(&request()).await.ending.exit_code, 10);
        let wait = async || {
            while stage.with(|world| world.alarm_state("HelloFooAlarm")) != Some("OK") {
                stage.sleep(30).await;
            }
        };
        wait().await;
        // Publishing the same code gives 42 again, which was taken back.
        let told = stage.rollout(&request()).await;
        assert_eq!((told.ending.exit_code, told.ending.outcome.word()), (3, "refused"), "{}", told.log);
        assert!(told.log.contains("42"), "{}", told.log);
        stage.assert_ended("41", "back");
        assert!(stage.alias().await.description.contains(" x=42a"));
        let by_number = Request { version: rollout::Version::new(42), ..request() };
        let told = stage.rollout(&by_number).await;
        assert_eq!(told.ending.exit_code, 3);
        assert!(told.log.contains("--again"), "{}", told.log);
        wait().await;
        let told = stage.rollout(&Request { alarms: vec![], policy: Policy { again: true, ..short().policy }, ..short() }).await;
        assert_eq!(told.ending.exit_code, 0, "{}", told.log);
        stage.assert_ended("42", "promoted");
        assert!(!stage.alias().await.description.contains(" x="));
    });
}

#[test]
fn a_fixed_version_follows_a_rejected_one() {
    play_on("hello-errors", async |stage| {
        assert_eq!(stage.rollout(&request()).await.ending.exit_code, 10);
        stage.with(|world| world.set_environment("hello", &[("SIM_ERROR_RATE", "0")])).unwrap();
        while stage.with(|world| world.alarm_state("HelloFooAlarm")) != Some("OK") {
            stage.sleep(30).await;
        }
        let told = stage.rollout(&short()).await;
        assert_eq!(told.ending.exit_code, 0, "{}", told.log);
        stage.assert_ended("43", "promoted");
        assert!(stage.alias().await.description.contains(" x=42a"));
    });
}
