//! An alias on `$LATEST` is put on a version of the same code before anything else happens to it: one conditional write, and no invocation
//! is answered by other code than before.

use std::time::Duration;

use controller::{Interrupt, Pinned, Request};
use rollout::event::EventKind;
use rollout::{Subject, Version};
use serde_json::json;
use sim::{CallRecord, Effect, Fault, World};
use tokio::sync::watch;

use crate::groups;
use crate::stage::{Stage, play, play_on, short, subject, with};

/// Puts the alias of the story on `$LATEST`, as a stack does.
fn on_latest(world: &mut World) {
    world.set_alias("hello", "Live", "$LATEST", None).unwrap();
}

/// Pins the alias of the story, as a person does.
async fn pin(stage: &Stage) -> Pinned {
    pin_of(stage, &subject()).await
}

async fn pin_of(stage: &Stage, subject: &Subject) -> Pinned {
    let (_uninterrupted, interrupt) = watch::channel(Interrupt::None);
    Box::pin(controller::pin(&stage.aws, &stage.clock, subject, &interrupt, &mut |_, _| {})).await
}

fn refusal(pinned: Pinned) -> String {
    let Pinned::Refused(problem) = pinned else { panic!("{pinned:?}") };
    problem.to_string()
}

/// The code and the settings that answer an invocation of the alias.
fn answering(world: &World, alias: &str) -> String {
    let version = world.alias("hello", alias).unwrap().version.clone();
    world.code_of("hello", &version).unwrap()
}

/// Every write was made on the revision of the one before, and only the first changed the version: from `$LATEST` to this.
#[track_caller]
fn assert_pinned_once(writes: &[CallRecord], version: &str) {
    for write in writes {
        let (before, after) = (write.before().unwrap(), write.after().unwrap());
        assert_eq!(write.revision_sent.as_ref(), Some(&before.revision), "{write:?}");
        if before.version == "$LATEST" {
            assert_eq!((after.version.as_str(), after.weights.len(), &after.description), (version, 0, &before.description));
        }
    }
    let from_latest = writes.iter().filter(|write| write.before().unwrap().version == "$LATEST");
    assert_eq!(from_latest.count(), 1, "{writes:#?}");
}

#[test]
fn what_is_there_is_published_and_the_alias_put_on_it_by_one_write() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            on_latest(world);
            world
                .describe_alias("hello", "Live", "mine [canaryctl/1 7f3ac2e1 k4q9 promoted 40>41 t=towpnp s=towpr0 x=39a]")
                .unwrap();
        });
        let before = stage.with(|world| answering(world, "Live"));
        assert!(matches!(pin(&stage).await, Pinned::Done(_, version) if Version::new(42) == Some(version)));
        let writes = stage.writes();
        // Once more after 42 is ready: that gives 42 again, where nothing has changed.
        assert_eq!((writes.len(), stage.done("PublishVersion"), stage.calls("GetAlias")), (1, 2, 2));
        assert_pinned_once(&writes, "42");
        assert_eq!(stage.with(|world| answering(world, "Live")), before);
        // Twice changes nothing, and publishes nothing.
        assert!(matches!(pin(&stage).await, Pinned::Already(_, version) if Version::new(42) == Some(version)));
        assert_eq!((stage.writes().len(), stage.calls("PublishVersion"), stage.calls("GetAlias")), (1, 2, 3));
    });
}

#[test]
fn code_that_has_a_version_is_not_published_again() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            world.publish("hello", 42).unwrap();
            on_latest(world);
        });
        assert!(matches!(pin(&stage).await, Pinned::Done(_, version) if Version::new(42) == Some(version)));
        assert!(stage.with(|world| world.code_of("hello", "43").is_none()));
    });
}

#[test]
fn a_rollout_pins_by_itself_and_rolls_out_what_is_newer() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            world.publish("hello", 42).unwrap();
            world.set_environment("hello", &[("SIM_BODY", "what the alias answers now")]).unwrap();
            on_latest(world);
        });
        let newer = Request { code: Some(controller::port::Code::Zip(b"PK\x03\x04new".to_vec())), ..short() };
        let output = stage.rollout(&newer).await.exits_as(0, "promoted");
        let output = output.says("pinned    the alias to version 43, published from $LATEST: the same code; traffic unchanged");
        assert_eq!(output.ending.stable, Version::new(43));
        let writes = stage.writes();
        assert_pinned_once(&writes, "43");
        // The candidate's part of the traffic, step by step, as of any rollout.
        let share = |write: &CallRecord| (write.after().unwrap().share("44") * 100.0).round();
        let mut shares: Vec<_> = writes.iter().map(share).collect();
        shares.dedup();
        assert_eq!(shares, [0.0, 10.0, 50.0, 100.0]);
        stage.assert_ended("44", "promoted");
    });
}

#[test]
fn a_version_by_its_number_is_rolled_out_after_the_pin() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            world.publish("hello", 42).unwrap();
            world.set_environment("hello", &[("SIM_BODY", "newer still")]).unwrap();
            on_latest(world);
        });
        stage.rollout(Request { version: Version::new(42), ..short() }).await.exits_as(0, "promoted");
        assert_pinned_once(&stage.writes(), "43");
        stage.assert_ended("42", "promoted");
    });
}

#[test]
fn with_nothing_newer_there_is_nothing_to_roll_out() {
    play_on("hello-idle", async |stage| {
        stage.with(on_latest);
        stage
            .rollout(short())
            .await
            .exits_as(0, "unchanged")
            .says("pinned    the alias to version 42")
            .says("nothing to roll out");
        assert_pinned_once(&stage.writes(), "42");
        assert!(stage.writes().iter().all(|write| write.after().unwrap().weights.is_empty()));
        // And by its number, without another write.
        let writes = stage.writes().len();
        stage.rollout(Request { version: Version::new(42), ..short() }).await.exits_as(0, "unchanged");
        assert_eq!(stage.writes().len(), writes);
    });
    play_on("hello-idle", async |stage| {
        stage.with(on_latest);
        stage.rollout(with(short(), |policy| policy.require_change = true)).await.exits_as(3, "refused");
        assert_pinned_once(&stage.writes(), "42");
    });
}

#[test]
fn weights_and_a_rollout_in_progress_are_refused() {
    play_on("hello", async |stage| {
        stage.with(|world| {
            world.publish("hello", 42).unwrap();
            world.set_alias("hello", "Live", "41", Some(("42", 0.1))).unwrap();
        });
        let why = refusal(pin(&stage).await);
        assert!(why.contains("hello:Live has weights: 10% of its traffic is on 42"), "{why}");
        stage.with(|world| {
            on_latest(world);
            world.describe_alias("hello", "Live", "[canaryctl/1 7f3ac2e1 k4q9 claim 41>- t=towpnp s=towpr0]").unwrap();
        });
        let why = refusal(pin(&stage).await);
        assert!(why.contains("something else changed the alias during rollout 7f3ac2e1"), "{why}");
        stage.rollout(short()).await.exits(3);
        assert_eq!((stage.writes().len(), stage.done("PublishVersion")), (0, 0));
    });
}

#[test]
fn what_cannot_be_pinned_is_refused_with_the_reason() {
    let provider = json!({"CapacityProviderArn": "arn:aws:lambda:us-east-1:111111111111:capacity-provider:big"});
    for (settings, words) in [
        (json!({"DurableConfig": {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 7}}), "hello is a durable function"),
        (
            json!({"CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": provider}}),
            "hello runs on Lambda Managed Instances",
        ),
    ] {
        play_on("hello-idle", async |stage| {
            stage.with(|world| {
                world.arrange("PUT", "/2015-03-31/functions/hello/configuration", &settings).unwrap();
                on_latest(world);
            });
            let why = refusal(pin(&stage).await);
            assert!(why.contains(words) && why.contains("aws lambda update-alias --function-name hello --name Live"), "{why}");
            stage.rollout(short()).await.exits_as(3, "refused").says(words);
            assert_eq!((stage.writes().len(), stage.done("PublishVersion")), (0, 0));
        });
    }
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.force_alias("hello", "Live", "$LATEST.PUBLISHED")).unwrap();
        assert!(refusal(pin(&stage).await).contains("points at $LATEST.PUBLISHED"));
        let missing = Subject::parse("hello:nobody", None).unwrap();
        assert!(refusal(pin_of(&stage, &missing).await).contains("hello:nobody does not exist"));
        stage.with(|world| {
            on_latest(world);
            world.set_environment("hello", &[("SIM_STATE", "Failed")]).unwrap();
        });
        assert!(refusal(pin(&stage).await).contains("Failed"));
        assert_eq!(stage.writes().len(), 0);
    });
}

#[test]
fn a_refused_permission_is_named() {
    for operation in ["PublishVersion", "UpdateAlias"] {
        play_on("hello-idle", async |stage| {
            stage.with(|world| {
                on_latest(world);
                world.add_fault(Fault::on(operation, Effect::Deny));
            });
            let why = refusal(pin(&stage).await);
            assert!(why.contains(&format!("lambda:{operation} is needed")), "{why}");
            stage.rollout(short()).await.exits_as(3, "refused");
            assert_eq!(stage.writes().len(), 0);
        });
    }
}

#[test]
fn calls_that_fail_are_made_again_and_one_that_was_lost_has_pinned_it() {
    for effect in [Effect::Throttle, Effect::Conflict, Effect::ServerError(500), Effect::LostAnswer, Effect::Refuse] {
        for operation in ["GetAlias", "GetFunctionConfiguration", "PublishVersion", "UpdateAlias"] {
            play_on("hello-idle", async |stage| {
                stage.with(|world| {
                    on_latest(world);
                    world.add_fault(Fault::on(operation, effect).calls(1..=2));
                });
                let pinned = pin(&stage).await;
                assert!(
                    matches!(pinned, Pinned::Done(_, version) if Version::new(42) == Some(version)),
                    "{operation} {effect:?}: {pinned:?}"
                );
                assert_pinned_once(&stage.writes(), "42");
            });
        }
    }
}

#[test]
fn a_stale_look_writes_nothing() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            on_latest(world);
            world.add_fault(Fault::on("GetAlias", Effect::StaleRead(Duration::from_secs(3))));
        });
        stage.sleep(5).await;
        stage.rollout(short()).await.exits_as(0, "unchanged");
        assert_pinned_once(&stage.writes(), "42");
    });
}

#[test]
fn of_two_processes_one_writes_and_both_are_content() {
    play_on("hello-idle", async |stage| {
        stage.with(on_latest);
        let other = stage.as_caller("OTHER").await;
        let (one, two) = tokio::join!(pin(&stage), pin(&other));
        let done = |pinned: &Pinned| matches!(pinned, Pinned::Done(..));
        assert!(done(&one) != done(&two), "{one:?} {two:?}");
        assert_pinned_once(&stage.writes(), "42");
        assert_eq!(stage.writes().len(), 1);
    });
}

/// Whatever is the last call of a process, the next one finishes what it began, and no invocation gets other code.
#[test]
fn a_process_that_dies_at_any_call_is_finished_by_the_next() {
    let mut moments = 0;
    for calls in 1.. {
        let ended = play(async {
            let stage = Stage::story("hello-idle").await;
            stage.with(on_latest);
            let before = stage.with(|world| answering(world, "Live"));
            let made = |stage: &Stage| stage.with(|world| world.log().len());
            let killed = tokio::select! {
                biased;
                () = stage.until_looking_every(Duration::from_millis(1), || made(&stage) >= calls) => true,
                _ = pin(&stage) => false,
            };
            assert_eq!(stage.with(|world| answering(world, "Live")), before);
            let again = stage.as_caller("AGAIN").await;
            assert!(matches!(pin(&again).await, Pinned::Done(..) | Pinned::Already(..)));
            assert_eq!(stage.with(|world| answering(world, "Live")), before);
            assert_pinned_once(&stage.writes(), "42");
            !killed
        });
        if ended {
            break;
        }
        moments += 1;
    }
    assert!(moments >= 5, "{moments}");
}

/// The same of a whole rollout, as long as it has not acquired the alias.
#[test]
fn a_rollout_that_dies_while_it_pins_is_begun_again() {
    let newer = || Request { code: Some(controller::port::Code::Zip(b"PK\x03\x04new".to_vec())), ..short() };
    let mut moments = [0; 2];
    for calls in 1.. {
        let written = play(async {
            let stage = Stage::story("hello-idle").await;
            stage.with(on_latest);
            let made = |stage: &Stage| stage.with(|world| world.log().len());
            stage.killed(newer(), stage.until_looking_every(Duration::from_millis(1), || made(&stage) >= calls)).await;
            let written = stage.writes().len();
            if written < 2 {
                stage.as_caller("AGAIN").await.rollout(newer()).await.exits_as(0, "promoted");
                assert_pinned_once(&stage.writes(), "42");
                stage.assert_ended("43", "promoted");
            }
            written
        });
        let Some(moment) = moments.get_mut(written) else { break };
        *moment += 1;
    }
    assert!(moments.iter().all(|count| *count > 5), "{moments:?}");
}

#[test]
fn a_group_that_dies_with_one_of_its_aliases_pinned_is_begun_again() {
    play(async {
        let stage = groups::stage(3).await;
        stage.with(|world| {
            for index in 0..3 {
                world.set_alias(&groups::name(index), "live", "$LATEST", None).unwrap();
            }
            // One is ready at once, for what it is has a version.
            world.publish(&groups::name(1), 2).unwrap();
        });
        let pinned = |index| stage.with(|world| world.alias(&groups::name(index), "live").unwrap().version != "$LATEST");
        let requests = groups::requests(3);
        tokio::select! {
            output = groups::run(&stage, &requests, 7) => panic!("it ended: {:?}", output.ended),
            () = stage.until_looking_every(Duration::from_millis(1), || pinned(1)) => {}
        }
        assert_eq!([pinned(0), pinned(2)], [false; 2]);
        groups::run(&stage.as_caller("AGAIN").await, &requests, 8).await.exits(0);
        for index in 0..3 {
            let writes = stage.with(|world| world.alias_writes(&groups::name(index), "live").cloned().collect::<Vec<_>>());
            assert_pinned_once(&writes, "2");
        }
    });
}

#[test]
fn code_that_arrives_while_a_version_is_prepared_is_what_is_pinned() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            on_latest(world);
        });
        let deploy = async {
            stage.until(|| stage.done("PublishVersion") > 0).await;
            stage.with(|world| world.set_environment("hello", &[("SIM_BODY", "deployed meanwhile")]).unwrap());
        };
        let (pinned, ()) = tokio::join!(pin(&stage), deploy);
        assert!(matches!(pinned, Pinned::Done(..)), "{pinned:?}");
        let latest = stage.with(|world| world.code_of("hello", "$LATEST"));
        assert_eq!(Some(stage.with(|world| answering(world, "Live"))), latest);
        assert_pinned_once(&stage.writes(), "43");
    });
}

#[test]
fn something_that_undoes_it_again_and_again_ends_it() {
    play_on("hello-idle", async |stage| {
        stage.with(on_latest);
        let undo = async {
            let mut known = 0;
            loop {
                stage.until_looking_every(Duration::from_millis(1), || stage.writes().len() > known).await;
                known = stage.writes().len();
                stage.with(on_latest);
            }
        };
        let output = tokio::select! {
            output = stage.rollout(short()) => output,
            () = undo => unreachable!("it never ends"),
        };
        output.exits_as(3, "refused").says("something else keeps putting the alias on `$LATEST`");
    });
}

#[test]
fn a_group_is_pinned_whole_and_rolled_out_as_one() {
    play(async {
        let stage = groups::stage(3).await;
        stage.with(|world| {
            for index in [0, 2] {
                world.set_alias(&groups::name(index), "live", "$LATEST", None).unwrap();
            }
        });
        let output = groups::run(&stage, &groups::requests(3), 7).await.exits(0);
        for index in [0, 2] {
            let writes = stage.with(|world| world.alias_writes(&groups::name(index), "live").cloned().collect::<Vec<_>>());
            assert_pinned_once(&writes, "2");
        }
        let pinned = output.events.iter().filter(|event| matches!(event.what, EventKind::Pinned { .. })).count();
        assert_eq!(pinned, 2);
        // The one that has something newer gets it.
        let version = |index| stage.with(|world| world.alias(&groups::name(index), "live").unwrap().version.clone());
        assert_eq!([version(0), version(1), version(2)], ["2", "2", "2"]);
    });
}

#[test]
fn a_group_that_cannot_begin_pins_nothing() {
    play(async {
        let stage = groups::stage(2).await;
        stage.with(|world| world.set_alias(&groups::name(0), "live", "$LATEST", None).unwrap());
        let mut requests = groups::requests(2);
        let one = requests.iter_mut().find(|request| request.subject == groups::subject(1)).unwrap();
        one.alarms = vec!["Missing".to_owned()];
        groups::run(&stage, &requests, 7).await.exits(3);
        assert_eq!(stage.done("UpdateAlias") + stage.done("PublishVersion"), 0);
    });
}

#[test]
fn plan_and_doctor_say_so_and_change_nothing() {
    play_on("hello-idle", async |stage| {
        stage.with(on_latest);
        let identity = crate::harness::identity();
        let found = controller::preflight(&stage.aws, &stage.clock, &short(), identity.id, identity.owner).await;
        assert!(found.pins && found.problems.is_empty(), "{:?}", found.problems);
        let words = "hello:Live is on `$LATEST`: a rollout first publishes what is there";
        assert!(found.describe_warnings(&subject()).iter().any(|text| text.starts_with(words)));
        let plan = report::plan_text_of_latest(&subject(), &found.plan, None);
        assert!(plan.starts_with("hello:Live   $LATEST ▸ new version") && plan.contains("rolls back"), "{plan}");
        let report = controller::doctor(&stage.aws, &stage.clock, &short(), identity).await;
        let found = report.diagnoses.iter().find(|diagnosis| diagnosis.check == "alias").unwrap();
        assert_eq!(found.commands, ["canaryctl pin hello:Live"]);
        assert_eq!(stage.done("UpdateAlias") + stage.done("PublishVersion"), 0);
    });
}
