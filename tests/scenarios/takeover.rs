//! A rollout survives its process: the alias says how far it came, and the same command resumes there, or refuses and says why.

use std::time::Duration;

use controller::{Ordered, Request, Rollback};
use rollout::event::EventKind;
use rollout::operate::Operation;

use crate::stage::{Output, Stage, play, play_on, request, short, subject, taking, with};

/// The rollout of the story and, a minute and a half later, this one of another process; both end with these exit codes.
async fn and_later(stage: &Stage, other: &Request, codes: [u8; 2]) -> [Output; 2] {
    let second = stage.as_caller("SECOND").await;
    let later = async {
        stage.sleep(90).await;
        second.rollout(other).await
    };
    let (first, second) = tokio::join!(stage.rollout(request()), later);
    assert_eq!([first.ending.exit_code, second.ending.exit_code], codes, "{}\n{}", first.log, second.log);
    [first, second]
}

/// The same request, by another plan than the one in progress.
fn replanned(request: Request) -> Request {
    taking(request, |takeover| (takeover.take_over, takeover.replan) = (true, true))
}

/// Runs a rollout until its candidate has this weight in percent, then kills its process.
async fn killed_at(stage: &Stage, request: &Request, share: u64) {
    let reached = async {
        stage.until(|| stage.shares("42").last().is_some_and(|last| last.1 >= share)).await;
        stage.sleep(10).await;
    };
    stage.killed(request, reached).await;
}

#[test]
fn the_same_command_goes_on_where_a_killed_process_stood() {
    play_on("hello", async |stage| {
        killed_at(&stage, &request(), 30).await;
        let second = stage.as_caller("SECOND").await;
        let output = second.rollout(request()).await.golden("the_same_command_goes_on").exits(0);
        stage.assert_ended("42", "promoted");
        // Every weight once, in order, and the pre-traffic hook was invoked once.
        assert_eq!(stage.percents(), (1..=10).map(|ten| ten * 10).collect::<Vec<_>>());
        output.lacks("preHook invoked");
    });
}

#[test]
fn whoever_goes_on_hears_of_an_alarm_that_nobody_saw() {
    play_on("hello-idle", async |stage| {
        killed_at(&stage, &request(), 30).await;
        stage.with(|world| world.set_alarm_state("HelloFooAlarm", "ALARM")).unwrap();
        stage.until_alarm("HelloFooAlarm", "OK").await;
        stage.as_caller("SECOND").await.rollout(request()).await.exits(10).says("and has left it since");
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
        stage.as_caller("SECOND").await.rollout(request()).await.exits(13);
        stage.assert_ended("41", "back");
        // What a person took away never comes back.
        assert_eq!(stage.shares("42").iter().map(|share| share.1).max(), Some(30));
    });
}

#[test]
fn an_owner_that_is_there_is_left_alone() {
    play_on("hello", async |stage| {
        let [_, refused] = and_later(&stage, &request(), [0, 3]).await;
        refused.says("has been in progress on hello:Live since 14:00").says("--take-over");
        assert!(stage.writes().iter().all(|write| write.caller == "CONTROLLER"));
    });
}

#[test]
fn taking_over_does_not_wait_and_the_old_owner_lets_go() {
    play_on("hello", async |stage| {
        let forced = taking(request(), |takeover| takeover.take_over = true);
        let [_, new] = and_later(&stage, &forced, [21, 0]).await;
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
        stage.rollout(&other).await.exits(3).says("with a different plan").says("--replan");
        stage.rollout(replanned(other)).await.exits(0);
        assert_eq!(stage.percents(), [10, 20, 30, 50, 75, 100]);
    });
}

/// A version that takes two minutes to be ready, and its rollout up to when that version is being prepared.
async fn preparing(stage: &Stage, then: impl AsyncFnOnce(&Stage)) -> Output {
    let person = stage.as_caller("PERSON").await;
    let acting = async {
        stage.until(|| stage.done("PublishVersion") >= 1).await;
        stage.sleep(20).await;
        let note = stage.alias().await.description;
        assert!(note.contains(" claim 41>42 "), "{note}");
        then(&person).await;
    };
    Box::pin(stage.rollout_while(short(), acting)).await
}

async fn slow() -> Stage {
    Stage::story_with("hello-idle", |settings| settings.version_settle = Duration::from_mins(2)).await
}

#[test]
fn a_version_that_is_taken_back_before_it_was_ready_is_known_to_be_bad() {
    for by_abort in [false, true] {
        play(async {
            let stage = slow().await;
            let output = preparing(&stage, async |person| {
                if by_abort {
                    assert!(matches!(person.order(&subject(), Operation::Abort).await, Ordered::Done(..)));
                } else {
                    assert!(matches!(person.rollback(None).await, Rollback::Done { changed: true, .. }));
                }
            })
            .await;
            output.exits(13);
            stage.assert_ended("41", "back");
            assert!(stage.shares("42").is_empty());
            stage.rollout(short()).await.exits(3).says("42 was rejected before");
            stage.rollout(with(short(), |policy| policy.again = true)).await.exits(0);
        });
    }
}

#[test]
fn a_version_that_is_being_prepared_is_waited_for_and_not_published_again() {
    play(async {
        let stage = slow().await;
        let killed = async {
            stage.until(|| stage.done("PublishVersion") >= 1).await;
            stage.sleep(20).await;
        };
        stage.killed(short(), killed).await;
        let output = stage.as_caller("SECOND").await.rollout(short()).await.exits(0);
        assert_eq!(stage.done("PublishVersion"), 1);
        output.lacks("published");
        // One write to say which version it is, and only one.
        let named = stage.writes().iter().filter(|write| write.after().unwrap().description.contains(" claim 41>42 ")).count();
        assert_eq!(named, 2, "one of each process");
    });
}

#[test]
fn a_version_that_is_ready_at_once_costs_no_write_more() {
    play(async {
        let stage = Stage::story_with("hello-idle", |settings| settings.version_settle = Duration::ZERO).await;
        stage.rollout(short()).await.exits(0);
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
        let output = stage.rollout(taking(request(), |takeover| takeover.take_over = true)).await.exits(3);
        output.says("`$LATEST` now has other code").says("--supersede");
        // Superseded: the canary's weight goes and the claim comes in one write, once 43 is ready.
        stage.rollout(taking(short(), |takeover| takeover.supersede = true)).await.exits(0);
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
        let newer = taking(short(), |takeover| takeover.supersede = true);
        let change = async {
            stage.sleep(80).await;
            stage.with(|world| world.set_environment("hello", &[("SIM_BODY", "newer")])).unwrap();
        };
        tokio::join!(and_later(&stage, &newer, [21, 0]), change);
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
        stage.rollout(short()).await.exits(3);
        let adopted = stage.rollout(taking(short(), |takeover| takeover.adopt = true)).await.exits(0);
        adopted
            .says("started   41 → 42")
            .says("acquired  the alias with 15% of traffic on 42, set by something else: adopted")
            .lacks("traffic unchanged");
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
            let made = || stage.with(|world| world.alias("hello", "Live").is_some());
            stage.until_looking_every(Duration::from_millis(100), made).await;
            stage.clock.0.sleep(Duration::from_millis(500)).await;
        };
        stage.killed(request(), created).await;
        stage.as_caller("SECOND").await.rollout(request()).await.exits(0);
        stage.assert_ended("1", "promoted");
    });
}

#[test]
fn a_held_rollout_is_gone_on_with_at_once() {
    play_on("hello", async |stage| {
        let held = with(request(), |policy| policy.on_interrupt = rollout::plan::OnInterrupt::Hold);
        stage.rollout_until(&held, stage.until(|| stage.shares("42").len() >= 2)).await.exits(30);
        stage.as_caller("SECOND").await.rollout(&held).await.exits(0).lacks("resuming then");
        stage.assert_ended("42", "promoted");
    });
}

#[test]
fn an_orphan_is_brought_back_though_its_alarms_cannot_be_read() {
    play_on("hello-idle", async |stage| {
        killed_at(&stage, &request(), 30).await;
        stage.with(|world| world.add_fault(sim::Fault::on("DescribeAlarms", sim::Effect::Deny)));
        stage.as_caller("SECOND").await.rollout(taking(request(), |takeover| takeover.take_over = true)).await.exits(12);
        stage.assert_ended("41", "back");
    });
}

#[test]
fn another_plan_may_have_no_hook_where_the_first_one_was_killed_in_it() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.set_environment("preHook", &[("SIM_LATENCY_MS", "2900")])).unwrap();
        let asking = async {
            let noted = |write: &sim::CallRecord| write.after().unwrap().description.contains(" pre 41>42 ");
            stage.until_looking_every(Duration::from_millis(100), || stage.writes().iter().any(noted)).await;
            stage.clock.0.sleep(Duration::from_millis(500)).await;
        };
        stage.killed(request(), asking).await;
        stage.as_caller("SECOND").await.rollout(replanned(short())).await.exits(0);
        stage.assert_ended("42", "promoted");
    });
}

#[test]
fn another_plan_bakes_as_long_as_it_says() {
    play_on("hello-idle", async |stage| {
        killed_at(&stage, &short(), 100).await;
        let full = stage.writes().iter().find(|write| write.after().unwrap().share("42") >= 1.0).unwrap().at;
        let longer = with(short(), |policy| policy.bake = Some(Duration::from_mins(20)));
        stage.rollout(replanned(longer)).await.exits(0);
        // The bake counts from when the step was due, the write was up to a poll later.
        let baked = stage.writes().last().unwrap().at.since(full);
        assert!(baked + Duration::from_secs(5) >= Duration::from_mins(20), "{baked:?}");
    });
}

#[test]
fn the_stable_version_is_no_reason_to_leave_a_canary_with_its_share() {
    play_on("hello-idle", async |stage| {
        killed_at(&stage, &request(), 20).await;
        let stable = || Request { version: rollout::Version::new(41), ..request() };
        stage.rollout(taking(stable(), |takeover| takeover.supersede = true)).await.exits_as(3, "refused");
        stage.rollout(taking(stable(), |takeover| takeover.take_over = true)).await.exits_as(3, "refused");
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
        let second = stage.as_caller("SECOND").await;
        let output = second.rollout_while(request(), unread).await.exits(3);
        let output = output.says("GetAlias: ").lacks("ended while this process waited");
        assert_eq!(output.ending.traffic, "not changed by this run: the alias could not be read");
    });
}
