//! What a person orders is written on the alias, from any machine; the process that drives the rollout obeys within a poll.

use std::time::Duration;

use controller::Ordered;
use rollout::note::AfterPause;
use rollout::operate::Operation;
use rollout::plan::Mode;
use sim::{Effect, Fault};

use crate::stage::{Output, Stage, play_on, request, short, subject, with};

async fn order(stage: &Stage, operation: Operation) -> Ordered {
    stage.order(&subject(), operation).await
}

/// Runs a rollout; at 20% a person, on another machine, does something.
async fn with_orders(stage: &Stage, orders: impl AsyncFnOnce(&Stage)) -> Output {
    let person = stage.as_caller("PERSON").await;
    let acting = async {
        stage.until(|| stage.shares("42").len() >= 2).await;
        stage.sleep(20).await;
        orders(&person).await;
    };
    Box::pin(stage.rollout_while(request(), acting)).await
}

fn share(stage: &Stage) -> u64 {
    stage.shares("42").last().unwrap().1
}

fn pause(minutes: u64, then: AfterPause) -> Operation {
    Operation::Pause { span: Duration::from_mins(minutes), then }
}

#[test]
fn a_paused_rollout_holds_its_share_and_goes_on_when_told() {
    play_on("hello", async |stage| {
        with_orders(&stage, async |person| {
            assert!(matches!(order(person, pause(60, AfterPause::Resume)).await, Ordered::Done(..)));
            person.sleep(1500).await;
            assert_eq!(share(person), 20);
            assert!(matches!(order(person, Operation::Resume).await, Ordered::Done(..)));
            assert!(matches!(order(person, Operation::Resume).await, Ordered::Already(_)));
        })
        .await
        .exits(0)
        .says("paused    manually until");
        stage.assert_ended("42", "promoted");
    });
}

#[test]
fn a_pause_that_runs_out_does_what_it_was_told_to() {
    for (then, code) in [(AfterPause::Resume, 0), (AfterPause::RollBack, 13)] {
        play_on("hello", async |stage| {
            with_orders(&stage, async |person| {
                order(person, pause(10, then)).await;
                person.sleep(590).await;
                assert_eq!(share(person), 20);
            })
            .await
            .exits(code);
        });
    }
}

#[test]
fn a_failure_brings_a_paused_rollout_back() {
    play_on("hello", async |stage| {
        with_orders(&stage, async |person| {
            order(person, pause(60, AfterPause::Resume)).await;
            person.sleep(300).await;
            person.with(|world| world.set_alarm_state("HelloFooAlarm", "ALARM")).unwrap();
        })
        .await
        .exits(10);
        stage.assert_ended("41", "back");
    });
}

#[test]
fn a_promotion_is_baked_by_the_owner() {
    play_on("hello", async |stage| {
        with_orders(&stage, async |person| {
            assert!(matches!(order(person, Operation::Promote).await, Ordered::Done(..)));
        })
        .await
        .exits(0);
        stage.assert_ended("42", "promoted");
        assert_eq!(stage.percents(), [10, 20, 100]);
        let promoted = stage.writes().last().unwrap().at;
        let full = stage.writes().iter().find(|write| write.after().unwrap().share("42") >= 1.0).unwrap().at;
        assert!(promoted.since(full) >= Duration::from_mins(3), "it was baked for {:?}", promoted.since(full));
    });
}

/// Too few invocations to compare hold the rollout; a person who promotes it all the same has decided that.
#[test]
fn a_promotion_is_not_overruled_by_too_few_invocations() {
    play_on("hello-idle", async |stage| {
        let few = with(short(), |policy| {
            (policy.analysis.mode, policy.analysis.min_requests) = (Mode::On, 5_000);
            policy.analysis.max_hold = Duration::from_mins(3);
        });
        let person = stage.as_caller("PERSON").await;
        let promoted = async {
            stage.until(|| !stage.shares("42").is_empty()).await;
            stage.sleep(90).await;
            assert!(matches!(order(&person, Operation::Promote).await, Ordered::Done(..)));
        };
        let output = stage.rollout_while(few, promoted).await.exits(0).says("(promoted manually)");
        assert!(output.ending.reason.detail.starts_with("promoted manually"), "{:?}", output.ending.reason);
        stage.assert_ended("42", "promoted");
    });
}

#[test]
fn a_promotion_now_is_final() {
    play_on("hello", async |stage| {
        with_orders(&stage, async |person| {
            assert!(matches!(order(person, Operation::PromoteNow).await, Ordered::Done(..)));
        })
        .await
        .exits(0)
        .says("promoted  42 is now the alias' version, promoted manually")
        .because("promoted manually, ahead of its schedule");
        stage.assert_ended("42", "promoted");
        assert_eq!(stage.writes().last().unwrap().caller, "PERSON");
        assert!(matches!(stage.rollback(None).await, controller::Rollback::Done { changed: true, .. }));
    });
}

#[test]
fn an_owner_on_its_way_back_is_not_stopped_by_a_promotion() {
    for promotion in [Operation::Promote, Operation::PromoteNow] {
        play_on("hello", async |stage| {
            // The alarm fires and the owner's rollback is throttled for a minute; meanwhile a person promotes.
            let output = with_orders(&stage, async |person| {
                person.disturb(Fault::on("UpdateAlias", Effect::Throttle).from_caller("CONTROLLER"), 0..60);
                person.with(|world| world.set_alarm_state("HelloFooAlarm", "ALARM")).unwrap();
                person.sleep(20).await;
                assert!(matches!(order(person, promotion).await, Ordered::Done(..)));
                // Nor does it help that the alarm is OK again by the time the owner may write.
                person.with(|world| world.set_alarm_state("HelloFooAlarm", "OK")).unwrap();
            })
            .await;
            assert_eq!((output.ending.exit_code, output.ending.traffic.as_str()), (10, "100% on 41"), "{}", output.log);
            output.says("restored  100% of traffic to 41");
            stage.assert_ended("41", "back");
            stage.assert_conditional();
            let description = stage.alias().await.description;
            assert!(description.contains(" back 41>42 alarm ") && description.contains(" x=42a"), "{description}");
            let last: Vec<String> = stage.writes().iter().rev().take(2).map(|write| write.caller.clone()).collect();
            assert_eq!(last, ["CONTROLLER", "PERSON"]);
        });
    }
}

#[test]
fn a_signal_does_not_undo_what_a_person_made_final() {
    play_on("hello", async |stage| {
        let person = stage.as_caller("PERSON").await;
        let promoted = async {
            stage.until(|| !stage.shares("42").is_empty()).await;
            stage.disturb(Fault::on("UpdateAlias", Effect::Throttle).from_caller("CONTROLLER"), 0..60);
        };
        let later = async {
            stage.until(|| !stage.shares("42").is_empty()).await;
            stage.sleep(20).await;
            assert!(matches!(order(&person, Operation::PromoteNow).await, Ordered::Done(..)));
        };
        tokio::join!(stage.rollout_until(request(), promoted), later).0.exits(0);
        stage.assert_ended("42", "promoted");
    });
}

#[test]
fn an_abort_ends_the_rollout_it_means_and_never_a_finished_one() {
    play_on("hello", async |stage| {
        with_orders(&stage, async |person| {
            assert!(matches!(order(person, Operation::Abort).await, Ordered::Done(..)));
        })
        .await
        .exits(13);
        stage.assert_ended("41", "back");
        assert!(stage.alias().await.description.contains(" x=42b"));
        assert!(matches!(order(&stage, Operation::Abort).await, Ordered::Refused(..)));
    });
}

#[test]
fn a_note_that_somebody_removed_is_written_again_and_paused() {
    play_on("hello", async |stage| {
        with_orders(&stage, async |person| {
            person.with(|world| world.describe_alias("hello", "Live", "mine now")).unwrap();
            person.sleep(1200).await;
            assert_eq!(share(person), 20);
            let description = person.alias().await.description;
            assert!(description.starts_with("mine now [canaryctl/1 ") && description.contains(" u="), "{description}");
            order(person, Operation::Resume).await;
        })
        .await
        .exits(0);
        assert!(stage.alias().await.description.starts_with("mine now [canaryctl/1 "));
    });
}
