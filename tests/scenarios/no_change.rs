//! A version that is stable already, or was rejected before, moves nothing, and costs nothing that a later rollback needs.

use controller::port::Code;
use controller::{Request, Rollback};

use crate::stage::{play_on, request, short, with};

#[test]
fn nothing_to_roll_out_leaves_the_way_back_as_it_was() {
    play_on("hello", async |stage| {
        stage.rollout(short()).await.exits(0);
        stage.assert_ended("42", "promoted");
        stage.rollout(request()).await.exits_as(0, "unchanged");
        stage.assert_ended("42", "promoted");
        stage.rollout(with(request(), |policy| policy.require_change = true)).await.exits_as(3, "refused");
        // The rollback still knows what 42 replaced.
        assert!(matches!(stage.rollback(None).await, Rollback::Done { changed: true, .. }));
        stage.assert_ended("41", "back");
    });
}

#[test]
fn the_same_package_is_uploaded_and_published_once() {
    play_on("hello-idle", async |stage| {
        let request = Request { code: Some(Code::Zip(b"PK\x03\x04new".to_vec())), ..short() };
        stage.rollout(&request).await.exits(0);
        stage.assert_ended("42", "promoted");
        stage.rollout(&request).await.exits_as(0, "unchanged");
        assert_eq!(stage.done("UpdateFunctionCode"), 1);
    });
}

#[test]
fn the_stable_version_by_its_number_is_nothing_to_roll_out() {
    play_on("hello", async |stage| {
        stage.rollout(Request { version: rollout::Version::new(41), ..request() }).await.exits_as(0, "unchanged");
        assert_eq!(stage.writes().len(), 0);
    });
}

#[test]
fn a_rejected_version_is_refused_until_asked_for_again() {
    play_on("hello-errors", async |stage| {
        stage.rollout(request()).await.exits(10);
        stage.until_alarm("HelloFooAlarm", "OK").await;
        // Publishing the same code gives 42 again, which was taken back.
        stage.rollout(request()).await.exits_as(3, "refused").says("42");
        stage.assert_ended("41", "back");
        assert!(stage.alias().await.description.contains(" x=42a"));
        let by_number = Request { version: rollout::Version::new(42), ..request() };
        stage.rollout(&by_number).await.exits(3).says("--again");
        stage.until_alarm("HelloFooAlarm", "OK").await;
        stage.rollout(Request { alarms: vec![], ..with(short(), |policy| policy.again = true) }).await.exits(0);
        stage.assert_ended("42", "promoted");
        assert!(!stage.alias().await.description.contains(" x="));
    });
}

#[test]
fn a_fixed_version_follows_a_rejected_one() {
    play_on("hello-errors", async |stage| {
        stage.rollout(request()).await.exits(10);
        stage.with(|world| world.set_environment("hello", &[("SIM_ERROR_RATE", "0")])).unwrap();
        stage.until_alarm("HelloFooAlarm", "OK").await;
        stage.rollout(short()).await.exits(0);
        stage.assert_ended("43", "promoted");
        assert!(stage.alias().await.description.contains(" x=42a"));
    });
}
