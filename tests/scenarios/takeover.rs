//! A rollout survives its process: the alias says where it stood, and the same command goes on from there, or refuses and says why.

use std::time::Duration;

use controller::{Ordered, Request, Rollback};
use rollout::admission::TakeoverOptions;
use rollout::event::EventKind;
use rollout::operate::Operation;
use rollout::policy::Policy;

use crate::stage::{Stage, assert_golden, play, play_on, request, short, subject};

/// Runs a rollout until its candidate has this share in per cent, then kills its process.
async fn killed_at(stage: &Stage, request: &Request, share: u64) {
    let reached = async {
        stage.until(|| stage.shares("42").last().is_some_and(|last| last.1 >= share)).await;
        stage.sleep(10).await;
    };
    tokio::select! {
        told = stage.rollout(request) => panic!("it ended: {}", told.log),
        () = reached => {}
    }
}

#[test]
fn the_same_command_goes_on_where_a_killed_process_stood() {
    play_on("hello", async |stage| {
        killed_at(&stage, &request(), 30).await;
        let second = stage.as_caller("SECOND").await;
        let told = second.rollout(&request()).await;
        assert_golden("the_same_command_goes_on", &told.log);
        assert_eq!(told.ending.exit_code, 0);
        stage.assert_ended("42", "promoted");
        // Every share once, in order, and the pre-traffic hook was asked once.
        let shares: Vec<u64> = stage.shares("42").into_iter().map(|share| share.1).collect();
        assert_eq!(shares, (1..=10).map(|ten| ten * 10).collect::<Vec<_>>());
        assert!(!told.log.contains("preHook invoked"), "{}", told.log);
    });
}

#[test]
fn whoever_goes_on_hears_of_an_alarm_that_nobody_saw() {
    play_on("hello-idle", async |stage| {
        killed_at(&stage, &request(), 30).await;
        stage.with(|world| world.set_alarm_state("HelloFooAlarm", "ALARM")).unwrap();
        while stage.with(|world| world.alarm_state("HelloFooAlarm")) != Some("OK") {
            stage.sleep(5).await;
        }
        let told = stage.as_caller("SECOND").await.rollout(&request()).await;
        assert_eq!(told.ending.exit_code, 10, "{}", told.log);
        assert!(told.log.contains("and has left it since"), "{}", told.log);
        stage.assert_ended("41", "back");
        assert_eq!(stage.shares("42").iter().map(|share| share.1).max(), Some(30));
    });
}

#[test]
fn one_that_was_cleared_while_nobody_watched_is_ended_by_the_same_command() {
    play_on("hello", async |stage| {
        killed_at(&stage, &request(), 30).await;
        stage.with(|world| {
            let description = world.alias("hello", "Live").unwrap().description.clone();
            world.set_alias("hello", "Live", "41", None).unwrap();
            world.describe_alias("hello", "Live", &description).unwrap();
        });
        let told = stage.as_caller("SECOND").await.rollout(&request()).await;
        assert_eq!(told.ending.exit_code, 13, "{}", told.log);
        stage.assert_ended("41", "back");
        // What a person took away never comes back.
        assert_eq!(stage.shares("42").iter().map(|share| share.1).max(), Some(30));
    });
}

#[test]
fn an_owner_that_is_there_is_left_alone() {
    play_on("hello", async |stage| {
        let (first, late) = (request(), request());
        let second = stage.as_caller("SECOND").await;
        let later = async {
            stage.sleep(90).await;
            second.rollout(&late).await
        };
        let (told, refused) = tokio::join!(stage.rollout(&first), later);
        assert_eq!((told.ending.exit_code, refused.ending.exit_code), (0, 3), "{}\n{}", told.log, refused.log);
        assert!(
            refused.log.contains("has been in progress on hello:Live since 14:00") && refused.log.contains("--take-over"),
            "{}",
            refused.log
        );
        assert!(stage.writes().iter().all(|write| write.caller == "CONTROLLER"));
    });
}

#[test]
fn taking_over_does_not_wait_and_the_old_owner_lets_go() {
    play_on("hello", async |stage| {
        let (first, forced) =
            (request(), Request { takeover: TakeoverOptions { take_over: true, ..TakeoverOptions::default() }, ..request() });
        let second = stage.as_caller("SECOND").await;
        let later = async {
            stage.sleep(90).await;
            second.rollout(&forced).await
        };
        let (old, new) = tokio::join!(stage.rollout(&first), later);
        assert_eq!((old.ending.exit_code, new.ending.exit_code), (21, 0), "{}\n{}", old.log, new.log);
        let EventKind::Started(started) = &new.events[0].what else { panic!("{:?}", new.events[0]) };
        let stands = started.stands.unwrap();
        assert!(stands.step > 0 && usize::from(stands.weight.basis_points()) == 1000 * stands.step, "{stands:?}");
        stage.assert_ended("42", "promoted");
        // Where there is nothing to take over it is harmless.
        assert_eq!(stage.rollout(&forced).await.ending.outcome.word(), "unchanged");
    });
}

#[test]
fn another_plan_is_refused_unless_it_is_meant_to_replace_the_first() {
    play_on("hello", async |stage| {
        killed_at(&stage, &request(), 30).await;
        let other = Request { schedule: "Linear25PercentEvery1Minute".parse().unwrap(), ..request() };
        let refused = stage.rollout(&other).await;
        assert_eq!(refused.ending.exit_code, 3);
        assert!(refused.log.contains("with a different plan") && refused.log.contains("--replan"), "{}", refused.log);
        let takeover = TakeoverOptions { replan: true, take_over: true, ..TakeoverOptions::default() };
        let told = stage.rollout(&Request { takeover, ..other }).await;
        assert_eq!(told.ending.exit_code, 0, "{}", told.log);
        let shares: Vec<u64> = stage.shares("42").into_iter().map(|share| share.1).collect();
        assert_eq!(shares, [10, 20, 30, 50, 75, 100]);
    });
}

/// A version that takes two minutes to be ready, and its rollout up to when that version is being prepared.
async fn preparing(stage: &Stage, then: impl AsyncFnOnce(&Stage)) -> crate::stage::Told {
    let person = stage.as_caller("PERSON").await;
    let acting = async {
        stage.until(|| stage.done("PublishVersion") >= 1).await;
        stage.sleep(20).await;
        let note = stage.alias().await.description;
        assert!(note.contains(" claim 41>42 "), "{note}");
        then(&person).await;
    };
    let asked = short();
    tokio::join!(stage.rollout(&asked), acting).0
}

async fn slow() -> Stage {
    Stage::story_with("hello-idle", |settings| settings.version_settle = Duration::from_mins(2)).await
}

#[test]
fn a_version_that_is_taken_back_before_it_was_ready_is_known_to_be_bad() {
    for by_abort in [false, true] {
        play(async {
            let stage = slow().await;
            let told = preparing(&stage, async |person| {
                if by_abort {
                    assert!(matches!(person.order(&subject(), Operation::Abort).await, Ordered::Done(..)));
                } else {
                    assert!(matches!(person.rollback(None).await, Rollback::Done { changed: true, .. }));
                }
            })
            .await;
            assert_eq!(told.ending.exit_code, 13, "{}", told.log);
            stage.assert_ended("41", "back");
            assert!(stage.shares("42").is_empty());
            let again = stage.rollout(&short()).await;
            assert_eq!(again.ending.exit_code, 3, "{}", again.log);
            assert!(again.log.contains("42 was rejected before"), "{}", again.log);
            let meant = stage.rollout(&Request { policy: Policy { again: true, ..short().policy }, ..short() }).await;
            assert_eq!(meant.ending.exit_code, 0, "{}", meant.log);
        });
    }
}

#[test]
fn a_version_that_is_being_prepared_is_waited_for_and_not_published_again() {
    play(async {
        let stage = slow().await;
        let asked = short();
        let killed = async {
            stage.until(|| stage.done("PublishVersion") >= 1).await;
            stage.sleep(20).await;
        };
        tokio::select! {
            told = stage.rollout(&asked) => panic!("it ended: {}", told.log),
            () = killed => {}
        }
        let told = stage.as_caller("SECOND").await.rollout(&short()).await;
        assert_eq!(told.ending.exit_code, 0, "{}", told.log);
        assert_eq!(stage.done("PublishVersion"), 1);
        assert!(!told.log.contains("published"), "{}", told.log);
        // One write to say which version it is, and only one.
        let named = stage.writes().iter().filter(|write| write.after().unwrap().description.contains(" claim 41>42 ")).count();
        assert_eq!(named, 2, "one of each process");
    });
}

#[test]
fn a_version_that_is_ready_at_once_costs_no_write_more() {
    play(async {
        let stage = Stage::story_with("hello-idle", |settings| settings.version_settle = Duration::ZERO).await;
        assert_eq!(stage.rollout(&short()).await.ending.exit_code, 0);
        let claims = stage.writes().iter().filter(|write| write.after().unwrap().description.contains(" claim ")).count();
        assert_eq!(claims, 1);
    });
}

#[test]
fn a_rollout_of_other_code_is_another_rollout() {
    play_on("hello", async |stage| {
        killed_at(&stage, &request(), 20).await;
        let code = http::Request::put("/2015-03-31/functions/hello/code").body(r#"{"ZipFile":"UEsDBAo="}"#.into()).unwrap();
        assert!(stage.account.call("SOMEBODY", code).await.unwrap().status().is_success());
        let takeover = TakeoverOptions { take_over: true, ..TakeoverOptions::default() };
        let refused = stage.rollout(&Request { takeover, ..request() }).await;
        assert_eq!(refused.ending.exit_code, 3);
        assert!(refused.log.contains("`$LATEST` now has other code") && refused.log.contains("--supersede"), "{}", refused.log);
        // Put aside: the canary's share goes and the claim comes in one write, once 43 is ready.
        let takeover = TakeoverOptions { supersede: true, ..TakeoverOptions::default() };
        let told = stage.rollout(&Request { takeover, ..short() }).await;
        assert_eq!(told.ending.exit_code, 0, "{}", told.log);
        stage.assert_ended("43", "promoted");
        let taken = stage
            .writes()
            .into_iter()
            .find(|write| write.before().unwrap().share("42") > 0.0 && write.after().unwrap().share("42") == 0.0);
        assert!(taken.unwrap().after().unwrap().description.contains(" claim 41>43 "));
        assert!(stage.done("PublishVersion") == 2);
    });
}

#[test]
fn the_one_that_is_put_aside_lets_go() {
    play_on("hello", async |stage| {
        let (first, takeover) = (request(), TakeoverOptions { supersede: true, ..TakeoverOptions::default() });
        let newer = Request { takeover, ..short() };
        let second = stage.as_caller("SECOND").await;
        let later = async {
            stage.sleep(90).await;
            stage.with(|world| world.set_environment("hello", &[("SIM_BODY", "newer")])).unwrap();
            second.rollout(&newer).await
        };
        let (old, new) = tokio::join!(stage.rollout(&first), later);
        assert_eq!((old.ending.exit_code, new.ending.exit_code), (21, 0), "{}\n{}", old.log, new.log);
        stage.assert_ended("43", "promoted");
    });
}

#[test]
fn weights_that_nobody_noted_can_be_adopted() {
    play_on("hello", async |stage| {
        stage.with(|world| {
            world.publish("hello", 42).unwrap();
            world.set_alias("hello", "Live", "41", Some(("42", 0.15))).unwrap();
        });
        assert_eq!(stage.rollout(&short()).await.ending.exit_code, 3);
        let told =
            stage.rollout(&Request { takeover: TakeoverOptions { adopt: true, ..TakeoverOptions::default() }, ..short() }).await;
        assert_eq!(told.ending.exit_code, 0, "{}", told.log);
        stage.assert_ended("42", "promoted");
        assert!(matches!(stage.rollback(None).await, controller::Rollback::Done { changed: true, .. }));
        stage.assert_ended("41", "back");
    });
}

#[test]
fn a_first_deployment_is_finished_by_a_re_run() {
    play_on("hello-first", async |stage| {
        stage.with(|world| world.set_environment("postHook", &[("SIM_LATENCY_MS", "2900")])).unwrap();
        let created = async {
            while stage.with(|world| world.alias("hello", "Live").is_none()) {
                stage.clock.0.sleep(Duration::from_millis(100)).await;
            }
            stage.clock.0.sleep(Duration::from_millis(500)).await;
        };
        let asked = request();
        tokio::select! {
            told = stage.rollout(&asked) => panic!("it ended: {}", told.log),
            () = created => {}
        }
        let told = stage.as_caller("SECOND").await.rollout(&request()).await;
        assert_eq!(told.ending.exit_code, 0, "{}", told.log);
        stage.assert_ended("1", "promoted");
    });
}

#[test]
fn a_held_rollout_is_gone_on_with_at_once() {
    play_on("hello", async |stage| {
        let held =
            Request { policy: Policy { on_interrupt: rollout::plan::OnInterrupt::Hold, ..Policy::default() }, ..request() };
        let moving = async {
            stage.until(|| stage.shares("42").len() >= 2).await;
        };
        assert_eq!(stage.rollout_until(&held, moving).await.ending.exit_code, 30);
        let told = stage.as_caller("SECOND").await.rollout(&held).await;
        assert_eq!(told.ending.exit_code, 0, "{}", told.log);
        assert!(!told.log.contains("waiting to see whether"), "{}", told.log);
        stage.assert_ended("42", "promoted");
    });
}

#[test]
fn an_orphan_is_brought_back_though_its_alarms_cannot_be_read() {
    play_on("hello-idle", async |stage| {
        killed_at(&stage, &request(), 30).await;
        stage.with(|world| world.add_fault(sim::Fault::on("DescribeAlarms", sim::Effect::Deny)));
        let takeover = TakeoverOptions { take_over: true, ..TakeoverOptions::default() };
        let told = stage.as_caller("SECOND").await.rollout(&Request { takeover, ..request() }).await;
        assert_eq!(told.ending.exit_code, 12, "{}", told.log);
        stage.assert_ended("41", "back");
    });
}

#[test]
fn another_plan_may_have_no_hook_where_the_first_one_was_killed_in_it() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.set_environment("preHook", &[("SIM_LATENCY_MS", "2900")])).unwrap();
        let asked = request();
        let asking = async {
            while !stage.writes().iter().any(|write| write.after().unwrap().description.contains(" pre 41>42 ")) {
                stage.clock.0.sleep(Duration::from_millis(100)).await;
            }
            stage.clock.0.sleep(Duration::from_millis(500)).await;
        };
        tokio::select! {
            told = stage.rollout(&asked) => panic!("it ended: {}", told.log),
            () = asking => {}
        }
        let takeover = TakeoverOptions { take_over: true, replan: true, ..TakeoverOptions::default() };
        let told = stage.as_caller("SECOND").await.rollout(&Request { takeover, ..short() }).await;
        assert_eq!(told.ending.exit_code, 0, "{}", told.log);
        stage.assert_ended("42", "promoted");
    });
}

#[test]
fn another_plan_bakes_as_long_as_it_says() {
    play_on("hello-idle", async |stage| {
        killed_at(&stage, &short(), 100).await;
        let full = stage.writes().iter().find(|write| write.after().unwrap().share("42") >= 1.0).unwrap().at;
        let takeover = TakeoverOptions { take_over: true, replan: true, ..TakeoverOptions::default() };
        let longer = Request { takeover, policy: Policy { bake: Some(Duration::from_mins(20)), ..short().policy }, ..short() };
        assert_eq!(stage.rollout(&longer).await.ending.exit_code, 0);
        // The bake counts from when the step was due, the write was up to a poll later.
        let baked = stage.writes().last().unwrap().at.since(full);
        assert!(baked + Duration::from_secs(5) >= Duration::from_mins(20), "{baked:?}");
    });
}

#[test]
fn the_stable_version_is_no_reason_to_leave_a_canary_with_its_share() {
    play_on("hello-idle", async |stage| {
        killed_at(&stage, &request(), 20).await;
        for takeover in [
            TakeoverOptions { supersede: true, ..TakeoverOptions::default() },
            TakeoverOptions { take_over: true, ..TakeoverOptions::default() },
        ] {
            let told = stage.rollout(&Request { version: rollout::Version::new(41), takeover, ..request() }).await;
            assert_eq!((told.ending.exit_code, told.ending.outcome.word()), (3, "refused"), "{}", told.log);
        }
        assert_eq!(stage.alias().await.traffic(), "80% on 41, 20% on 42");
    });
}

#[test]
fn an_alias_that_cannot_be_read_while_waiting_is_not_said_to_have_ended() {
    play_on("hello-idle", async |stage| {
        killed_at(&stage, &request(), 20).await;
        let unread = async {
            stage.sleep(20).await;
            stage.with(|world| world.add_fault(sim::Fault::on("GetAlias", sim::Effect::Deny)));
        };
        let asked = request();
        let second = stage.as_caller("SECOND").await;
        let (told, ()) = tokio::join!(second.rollout(&asked), unread);
        assert_eq!(told.ending.exit_code, 3, "{}", told.log);
        assert!(told.log.contains("GetAlias: ") && !told.log.contains("ended while this process waited"), "{}", told.log);
        assert_eq!(told.ending.traffic, "unknown: the alias could not be read");
    });
}
