//! A person always wins: a manual rollback is two calls, final, and never undone; what was set or removed manually is respected.

use std::time::Duration;

use controller::{Request, Rollback};
use sim::{Effect, Event, Fault};

use crate::stage::{Stage, play_on, request, short, with};

/// Somebody's `UpdateAlias` without a revision, as the console sends it.
fn console(body: &str) -> Event {
    let request = http::Request::put("/2015-03-31/functions/hello/aliases/Live").body(body.to_owned().into()).unwrap();
    Event::Call { caller: "CONSOLE".to_owned(), request }
}

/// Waits until the candidate has a share.
async fn moving(stage: &Stage) {
    stage.until(|| !stage.shares("42").is_empty()).await;
    stage.sleep(20).await;
}

#[test]
fn a_rollback_in_mid_rollout_is_two_calls_and_final() {
    play_on("hello", async |stage| {
        let person = stage.as_caller("PERSON").await;
        let by_hand = async {
            moving(&stage).await;
            person.rollback(None).await
        };
        let (output, rolled_back) = tokio::join!(stage.rollout(request()), by_hand);
        assert!(matches!(rolled_back, Rollback::Done { changed: true, .. }), "{rolled_back:?}");
        output.golden("a_rollback_by_hand_in_mid_rollout").exits(13);
        let calls: Vec<String> = stage
            .with(|world| world.log().iter().filter(|call| call.caller == "PERSON").map(|call| call.operation.clone()).collect());
        assert_eq!(calls, ["GetAlias", "UpdateAlias"]);
        stage.assert_ended("41", "back");
        // The controller noticed within a poll and wrote nothing more.
        assert_eq!(stage.writes().last().unwrap().caller, "PERSON");
        assert!(stage.alias().await.description.contains(" x=42h"));
    });
}

#[test]
fn a_finished_rollout_is_undone_once() {
    play_on("hello", async |stage| {
        stage.rollout(short()).await.exits(0);
        let first = stage.rollback(None).await;
        assert!(matches!(&first, Rollback::Done { changed: true, from, .. } if *from == rollout::Version::new(42)), "{first:?}");
        stage.assert_ended("41", "back");
        let again = stage.rollback(None).await;
        assert!(matches!(&again, Rollback::Done { changed: false, .. }), "{again:?}");
        stage.assert_ended("41", "back");
    });
}

#[test]
fn without_a_note_only_a_named_version_leads_anywhere() {
    play_on("hello", async |stage| {
        assert!(matches!(stage.rollback(None).await, Rollback::Nothing(_)));
        stage.with(|world| {
            world.publish("hello", 42).unwrap();
            world.set_alias("hello", "Live", "41", Some(("42", 0.1))).unwrap();
        });
        // Whichever tool wrote them keeps the stable version as the alias' own; that this was assumed is said.
        assert!(matches!(stage.rollback(None).await, Rollback::Done { changed: true, assumed: true, .. }));
        stage.assert_ended("41", "back");
        // All traffic on the other version is how AWS moves provisioned concurrency.
        stage.with(|world| {
            world.set_alias("hello", "Live", "41", Some(("42", 1.0))).unwrap();
            world.describe_alias("hello", "Live", "").unwrap();
        });
        assert!(matches!(stage.rollback(None).await, Rollback::Nothing(why) if why.contains("provisioned concurrency")));
        assert!(matches!(stage.rollback(Some(41)).await, Rollback::Done { changed: true, assumed: false, .. }));
        stage.assert_ended("41", "back");
        // A version that does not exist is refused by AWS, and nothing moves.
        assert!(matches!(stage.rollback(Some(7)).await, Rollback::Unconfirmed { .. } | Rollback::Nothing(_)));
        stage.assert_ended("41", "back");
    });
}

#[test]
fn all_the_weight_that_a_person_gave_after_a_rollback_is_no_move_of_awss() {
    play_on("hello", async |stage| {
        stage.rollout(short()).await.exits(0);
        stage.rollback(None).await;
        stage.with(|world| world.set_alias("hello", "Live", "41", Some(("42", 1.0)))).unwrap();
        let began = stage.now();
        let back = stage.rollback(None).await;
        assert!(matches!(&back, Rollback::Done { changed: true, from, .. } if *from == rollout::Version::new(42)), "{back:?}");
        stage.assert_ended("41", "back");
        assert!(stage.now().since(began) < Duration::from_secs(1), "nothing was waited for");
        // Asked again, until there is an answer.
        stage.with(|world| {
            world.set_alias("hello", "Live", "41", Some(("42", 1.0))).unwrap();
            world.add_fault(Fault::on("GetProvisionedConcurrencyConfig", Effect::ServerError(500)).calls(1..=8));
        });
        assert!(matches!(stage.rollback(None).await, Rollback::Done { changed: true, .. }));
        assert!(stage.now().since(began) < Duration::from_mins(1), "{:?}", stage.now().since(began));
        // Where nobody may look whether AWS moves, that is waited for.
        stage.with(|world| {
            world.set_alias("hello", "Live", "41", Some(("42", 1.0))).unwrap();
            world.add_fault(Fault::on("GetProvisionedConcurrencyConfig", Effect::Deny));
        });
        assert!(matches!(stage.rollback(None).await, Rollback::Unconfirmed { .. }));
    });
}

#[test]
fn a_rollback_goes_through_bad_weather() {
    play_on("hello", async |stage| {
        stage.rollout(short()).await.exits(0);
        stage.with(|world| {
            world.add_fault(Fault::on("GetAlias", Effect::Throttle).calls(1..=8));
            world.add_fault(Fault::on("UpdateAlias", Effect::ServerError(503)).nth(1));
            world.add_fault(Fault::on("UpdateAlias", Effect::LostAnswer).nth(2));
            world.add_fault(Fault::on("UpdateAlias", Effect::Throttle).calls(3..=4));
        });
        let rolled_back = stage.rollback(None).await;
        assert!(matches!(&rolled_back, Rollback::Done { changed: true, .. }), "{rolled_back:?}");
        stage.assert_ended("41", "back");
    });
}

#[test]
fn a_rollback_that_cannot_be_confirmed_hands_over_the_command() {
    play_on("hello", async |stage| {
        stage.rollout(short()).await.exits(0);
        stage.with(|world| world.add_fault(Fault::on("UpdateAlias", Effect::ServerError(500))));
        let Rollback::Unconfirmed { command: Some(command), .. } = stage.rollback(None).await else {
            panic!("it was not confirmed")
        };
        let update = "aws lambda update-alias --function-name hello --name Live --function-version 41";
        assert!(command.starts_with(update) && command.contains("back 41>42 hand"), "{command}");
    });
}

#[test]
fn a_share_cleared_in_the_console_stays_cleared() {
    play_on("hello", async |stage| {
        let cleared = async {
            moving(&stage).await;
            stage.with(|world| world.schedule(world.now(), console(r#"{"RoutingConfig":{"AdditionalVersionWeights":{}}}"#)));
        };
        stage.rollout_while(request(), cleared).await.golden("a_share_cleared_in_the_console").exits(13);
        assert_eq!(stage.shares("42").last().unwrap().1, 0);
        stage.assert_ended("41", "back");
    });
}

#[test]
fn a_share_set_in_the_console_is_held_and_still_watched() {
    play_on("hello", async |stage| {
        let set = async {
            moving(&stage).await;
            stage.with(|world| {
                world.schedule(world.now(), console(r#"{"RoutingConfig":{"AdditionalVersionWeights":{"42":0.4}}}"#));
            });
            stage.sleep(600).await;
            assert_eq!(stage.shares("42").last().unwrap().1, 40);
            stage.with(|world| world.set_alarm_state("HelloFooAlarm", "ALARM")).unwrap();
        };
        stage.rollout_while(request(), set).await.exits(10).says("40%");
        stage.assert_ended("41", "back");
    });
}

/// Nobody may ever come back to a weight that was set manually: a CI job does not hang on it for ever.
#[test]
fn a_share_set_by_hand_is_left_after_a_while() {
    play_on("hello-idle", async |stage| {
        let set = async {
            moving(&stage).await;
            stage.with(|world| {
                world.schedule(world.now(), console(r#"{"RoutingConfig":{"AdditionalVersionWeights":{"42":0.4}}}"#));
            });
        };
        let patient = with(request(), |policy| policy.analysis.max_hold = Duration::from_mins(7));
        let output = stage.rollout_while(&patient, set).await;
        output.exits(30).says("holding it for 7m at most").says("left so for 7m");
        assert_eq!(stage.shares("42").last().unwrap().1, 40);
        // Reset, the same command resumes it at once.
        let stable = stage.shares("42").len();
        stage.with(|world| world.set_alias("hello", "Live", "41", Some(("42", 0.1))).unwrap());
        stage.as_caller("SECOND").await.rollout(&patient).await.exits(0);
        assert!(stage.shares("42").len() > stable);
    });
}

#[test]
fn an_alias_moved_by_a_stack_tool_is_left_alone() {
    play_on("hello", async |stage| {
        let deployed = async {
            moving(&stage).await;
            stage.with(|world| {
                world.publish("hello", 43).unwrap();
                world.schedule(
                    world.now(),
                    console(r#"{"FunctionVersion":"43","RoutingConfig":{"AdditionalVersionWeights":{}}}"#),
                );
            });
        };
        stage.rollout_while(request(), deployed).await.golden("an_alias_moved_by_a_stack_tool").exits(21);
        assert_eq!(stage.writes().last().unwrap().caller, "CONSOLE");
    });
}

#[test]
fn of_three_at_once_one_finishes_and_the_others_have_done_nothing() {
    play_on("hello", async |stage| {
        let (second, third) = (stage.as_caller("SECOND").await, stage.as_caller("THIRD").await);
        let short = Request { pre_hook: Some("preHook".parse().unwrap()), ..short() };
        let (first, second, third) = tokio::join!(stage.rollout(&short), second.rollout(&short), third.rollout(&short));
        let mut codes = [first.ending.exit_code, second.ending.exit_code, third.ending.exit_code];
        codes.sort_unstable();
        assert_eq!(codes, [0, 3, 3], "{}\n{}\n{}", first.log, second.log, third.log);
        let writers: std::collections::BTreeSet<String> = stage.writes().into_iter().map(|write| write.caller).collect();
        assert_eq!(writers.len(), 1);
        assert_eq!(stage.done("PublishVersion"), 1);
        stage.assert_ended("42", "promoted");
    });
}
