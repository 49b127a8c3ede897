//! After a kill the same command goes on with all functions of a group: forward together, or back together, whatever befell meanwhile.

use std::time::Duration;

use controller::{Interrupt, Request};
use sim::Effect;
use tokio::sync::watch;

use crate::groups::{about, all_are, ended, name, requests, run, run_heard, stage, subject};
use crate::stage::{Stage, play};

/// A group whose process was killed a moment after a member first got this weight or, with none, became final.
async fn killed(many: usize, share: Option<f64>) -> Stage {
    let stage = stage(many).await;
    let reached = || {
        stage.with(|world| {
            let alias = world.alias(&name(0), "live").unwrap();
            share.map_or(alias.version == "2", |share| alias.share("2") >= share)
        })
    };
    kill(&stage, &requests(many), 7, reached).await;
    stage
}

/// Kills a group's process as soon as something is so.
async fn kill(stage: &Stage, requests: &[Request], id: u32, is_so: impl Fn() -> bool) {
    tokio::select! {
        output = run(stage, requests, id) => panic!("{:#?}", output.ended.endings),
        () = stage.until_looking_every(Duration::from_millis(1), is_so) => {}
    }
}

#[test]
fn after_a_kill_the_same_command_goes_on_with_all_of_them() {
    for share in [Some(0.1), Some(0.5), Some(1.0), None] {
        play(async move {
            let stage = killed(4, share).await;
            run(&stage, &requests(4), 8).await.exits(0);
            all_are(&stage, 4, "2", "promoted");
        });
    }
}

#[test]
fn who_is_held_up_by_another_is_not_the_reason() {
    play(async {
        let stage = killed(3, Some(0.1)).await;
        let mut again = requests(3);
        again[1].alarms = vec!["missing".to_owned()];
        let output = run(&stage, &again, 8).await.exits_for(3, &["held_up", "refused", "held_up"]);
        let last = output.events.last().unwrap();
        let deciding = report::last_ending(std::slice::from_ref(last)).unwrap();
        assert!(deciding.reason.detail.starts_with("function01:live: "), "{deciding:#?}");
    });
}

#[test]
fn after_the_commit_a_new_process_only_goes_forward() {
    play(async {
        let stage = killed(4, None).await;
        assert_eq!(ended(&stage, 0).2, "promoted");
        assert_eq!(ended(&stage, 3).2, "bake", "it was killed between the first and the last");
        stage.with(|world| world.set_alarm_state("alarm03", "ALARM")).unwrap();
        run(&stage, &requests(4), 8).await.exits(0);
        all_are(&stage, 4, "2", "promoted");
    });
}

#[test]
fn a_failure_while_nobody_watched_brings_all_back_after_a_kill() {
    play(async {
        let stage = killed(4, Some(0.5)).await;
        stage.with(|world| world.set_alarm_state("alarm02", "ALARM")).unwrap();
        stage.sleep(1).await;
        stage.with(|world| world.set_alarm_state("alarm02", "OK")).unwrap();
        run(&stage, &requests(4), 8).await.exits(10);
        all_are(&stage, 4, "1", "back");
    });
}

#[test]
fn one_that_was_brought_back_meanwhile_brings_the_final_ones_back_too() {
    play(async {
        let stage = killed(4, None).await;
        stage.rollback_of(subject(3), None).await;
        run(&stage, &requests(4), 8).await.exits(13);
        all_are(&stage, 4, "1", "back");
    });
}

#[test]
fn whoever_cannot_see_all_of_a_group_under_way_touches_nothing() {
    play(async {
        let stage = killed(4, None).await;
        let until = stage.now() + Duration::from_mins(1);
        let unreadable = about(0, "GetAlias", Effect::ServerError(500));
        stage.with(|world| world.add_fault(unreadable.between(stage.now(), until)));
        let before: Vec<_> = (0..4).map(|index| ended(&stage, index)).collect();
        // The one that it cannot read is final: to bring the others back would leave half of them final.
        run(&stage, &requests(4), 8).await.exits(3).says(3, "function00:live");
        assert_eq!((0..4).map(|index| ended(&stage, index)).collect::<Vec<_>>(), before);

        stage.sleep(60).await;
        run(&stage, &requests(4), 9).await.exits(0);
        all_are(&stage, 4, "2", "promoted");
    });
}

#[test]
fn after_the_commit_nobody_waits_for_one_that_cannot_be_written() {
    play(async {
        let stage = killed(3, None).await;
        let denied = about(2, "UpdateAlias", Effect::Deny);
        let until = stage.now() + Duration::from_mins(5);
        stage.with(|world| world.add_fault(denied.between(stage.now(), until)));
        run(&stage, &requests(3), 8).await.exits_each(1, &[0, 0, 1]);
        stage.sleep(300).await;
        run(&stage, &requests(3), 9).await.exits(0);
        all_are(&stage, 3, "2", "promoted");
    });
}

#[test]
fn a_share_that_cannot_be_taken_over_is_told_of_while_the_others_come_back() {
    play(async {
        let stage = killed(3, Some(0.5)).await;
        let denied = about(1, "UpdateAlias", Effect::Deny);
        stage.with(|world| world.add_fault(denied));
        let output = run(&stage, &requests(3), 8).await.exits_each(20, &[10, 20, 10]);
        assert!(output.ended.endings[1].next.iter().any(|next| next.contains("update-alias")), "{:#?}", output.ended.endings[1]);
        assert_eq!((ended(&stage, 0).2.as_str(), ended(&stage, 2).2.as_str()), ("back", "back"));
    });
}

#[test]
fn a_share_that_cannot_be_taken_over_is_not_tried_for_ever_against_a_second_signal() {
    play(async {
        let stage = killed(3, Some(0.5)).await;
        let throttled = about(1, "UpdateAlias", Effect::Throttle);
        stage.with(|world| {
            world.add_fault(throttled);
            world.set_alarm_state("alarm00", "ALARM").unwrap();
        });
        let (stop, heard) = watch::channel(Interrupt::None);
        let signal = async {
            // The dead owner's lease is over by then.
            stage.sleep(300).await;
            stop.send(Interrupt::AtOnce).unwrap();
            stage.now()
        };
        let requests = requests(3);
        let (output, at) = tokio::join!(run_heard(&stage, &requests, 8, heard), signal);
        assert_eq!(output.ended.exit_code, 20, "{:#?}", output.ended.endings);
        assert!(stage.now().since(at) < Duration::from_secs(15), "{:?}", stage.now().since(at));
    });
}

/// A second deployment: every alias remembers what the last one replaced.
async fn with_history(many: usize) -> Stage {
    let stage = stage(many).await;
    run(&stage, &requests(many), 1).await.exits(0);
    for index in 0..many {
        stage.with(|world| world.set_environment(&name(index), &[("SIM_BODY", "newer")]).unwrap());
    }
    stage
}

#[test]
fn who_comes_back_before_anything_moved_says_so() {
    play(async {
        let stage = with_history(3).await;
        stage.with(|world| world.create_function("fails", &[("SIM_HOOK", "Failed")])).unwrap();
        let mut requests = requests(3);
        requests[1].pre_hook = Some("fails".parse().unwrap());
        run(&stage, &requests, 7).await.exits_for(11, &["group", "pre_hook", "group"]);
        // What the last rollout replaced is remembered: a rollback by hand still finds its way.
        assert_eq!((ended(&stage, 0), ended(&stage, 1).0), (("2".to_owned(), false, "promoted".to_owned()), "2".to_owned()));
    });
}

#[test]
fn an_id_that_comes_again_is_another_rollout() {
    play(async {
        // A CI job that is run again has the same id: the first attempt has ended well.
        let stage = with_history(3).await;
        kill(&stage, &requests(3), 1, || ended(&stage, 0).2 == "claim").await;
        assert_eq!(ended(&stage, 2).2, "promoted", "the second attempt was killed before it came to the last one");
        let red = async {
            stage.until(|| stage.with(|world| world.alias(&name(0), "live").unwrap().share("3")) >= 1.0).await;
            stage.with(|world| world.set_alarm_state("alarm00", "ALARM")).unwrap();
        };
        let requests = requests(3);
        let (output, ()) = tokio::join!(run(&stage, &requests, 1), red);
        // All three are rolled out again, and all three roll back to what the first attempt made final.
        assert_eq!(output.ended.exit_code, 10, "{:#?}", output.ended.endings);
        all_are(&stage, 3, "2", "back");
    });
}

#[test]
fn what_one_cannot_go_on_with_none_does() {
    play(async {
        let stage = killed(3, Some(0.5)).await;
        stage.with(|world| world.create_errors_alarm("another", &name(1), 1.0)).unwrap();
        let mut changed = requests(3);
        changed[1].alarms = vec!["another".to_owned()];
        let before: Vec<_> = (0..3).map(|index| ended(&stage, index)).collect();
        run(&stage, &changed, 8).await.exits(3).says(1, "with a different plan");

        assert_eq!((0..3).map(|index| ended(&stage, index)).collect::<Vec<_>>(), before, "a share that is left is left for all");
        for request in &mut changed {
            request.takeover.replan = true;
        }
        run(&stage, &changed, 9).await.exits(0);
        all_are(&stage, 3, "2", "promoted");
    });
}

#[test]
fn another_plan_after_the_commit_still_only_goes_forward() {
    play(async {
        let stage = killed(4, None).await;
        let mut changed = requests(4);
        for request in &mut changed {
            (request.policy.bake, request.takeover.replan) = (Some(Duration::from_mins(1)), true);
        }
        stage.with(|world| world.set_alarm_state("alarm03", "ALARM")).unwrap();
        run(&stage, &changed, 8).await.exits(0);
        all_are(&stage, 4, "2", "promoted");
    });
}

#[test]
fn a_way_back_that_was_cut_short_is_gone_on_with() {
    play(async {
        let stage = killed(3, None).await;
        // A person takes the others back by hand, and the process that would have brought the final one back is gone.
        for index in [1, 2] {
            stage.rollback_of(subject(index), None).await;
        }
        assert_eq!((0..3).map(|index| ended(&stage, index).2).collect::<Vec<_>>(), ["promoted", "back", "back"]);
        run(&stage, &requests(3), 8).await.exits(13);
        all_are(&stage, 3, "1", "back");
    });
}

#[test]
fn one_that_was_taken_out_while_nobody_watched_brings_the_others_back() {
    play(async {
        let stage = killed(3, Some(0.5)).await;
        let description = stage.with(|world| world.alias(&name(1), "live").unwrap().description.clone());
        stage.with(|world| {
            world.set_alias(&name(1), "live", "1", None).unwrap();
            world.describe_alias(&name(1), "live", &description).unwrap();
        });
        run(&stage, &requests(3), 8).await.exits(13);
        // That member's rollout has an end too, so that nothing refuses the next one.
        all_are(&stage, 3, "1", "back");
    });
}
