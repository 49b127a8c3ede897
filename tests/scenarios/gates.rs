//! A gate holds a rollout at a weight until a person approves it, watched throughout; where nobody does, it does what was said.

use std::time::Duration;

use controller::{Ordered, Request, sign_approval};
use rollout::Weight;
use rollout::event::EventKind;
use rollout::gate::Gate;
use rollout::note::AfterPause;
use rollout::operate::Operation;

use crate::groups;
use crate::stage::{Output, Stage, play, play_on, short, subject};

const LASTS: Duration = Duration::from_mins(20);

fn gated(request: Request, then: AfterPause) -> Request {
    let weight = Weight::from_basis_points(1000).unwrap();
    Request { gates: vec![Gate { weight, lasts: LASTS, then }], ..request }
}

async fn at_the_gate(stage: &Stage) {
    stage.until(|| !stage.shares("42").is_empty()).await;
}

/// Who approved, by the record.
fn approved_by(output: &Output) -> Vec<Option<String>> {
    let approval = |what: &EventKind| if let EventKind::GateApproved(approval) = what { Some(approval.by.clone()) } else { None };
    output.events.iter().filter_map(|event| approval(&event.what)).collect()
}

/// What `canaryctl resume --gate` does.
async fn approve(person: &Stage) -> Ordered {
    let ordered = person.order(&subject(), Operation::Approve).await;
    if let Ordered::Done(alias, _) = &ordered {
        sign_approval(&person.aws, &subject(), alias.note().unwrap().id).await.unwrap();
    }
    ordered
}

#[test]
fn a_gate_is_approved_by_a_person_and_the_record_says_who() {
    play_on("hello-idle", async |stage| {
        let person = stage.as_caller("KIM").await;
        let approving = async {
            at_the_gate(&stage).await;
            stage.sleep(600).await;
            assert_eq!(stage.percents(), [10]);
            assert!(matches!(approve(&person).await, Ordered::Done(..)));
        };
        let output = Box::pin(stage.rollout_while(gated(short(), AfterPause::RollBack), approving)).await.exits(0);
        assert_eq!(approved_by(&output), [Some("arn:aws:iam::111111111111:user/KIM".to_owned())]);
        output.golden("a_gate_is_approved");
        assert_eq!(stage.percents(), [10, 50, 100]);
        // The name is in the record, and no longer at the function.
        let left =
            stage.with(|world| world.log().iter().filter(|call| call.operation == "UntagResource" && call.succeeded()).count());
        assert_eq!(left, 1);
        stage.assert_conditional();
    });
}

#[test]
fn a_gate_that_nobody_approves_does_what_was_said() {
    play_on("hello-idle", async |stage| {
        let output = stage.rollout(gated(short(), AfterPause::RollBack)).await.exits_for(13, "hand");
        output.because("the gate at 10% was not approved in time").golden("nobody_approves_a_gate");
        assert_eq!(stage.percents(), [10, 0]);
        stage.assert_ended("41", "back");
    });
    play_on("hello-idle", async |stage| {
        let output = stage.rollout(gated(short(), AfterPause::Resume)).await.exits(0);
        assert_eq!(approved_by(&output), []);
        let shares = stage.shares("42");
        assert!(shares[1].0 >= LASTS.as_secs() && shares[1].0 < LASTS.as_secs() + 10, "{shares:?}");
    });
}

#[test]
fn an_alarm_at_a_gate_rolls_back_at_once() {
    play_on("hello-idle", async |stage| {
        stage.alarm_in(300);
        stage.rollout(gated(short(), AfterPause::Resume)).await.exits(10);
        assert_eq!(stage.percents(), [10, 0]);
    });
}

#[test]
fn of_two_people_at_once_one_approves_and_the_other_finds_it_done() {
    play_on("hello-idle", async |stage| {
        let (kim, lee) = (stage.as_caller("KIM").await, stage.as_caller("LEE").await);
        let approving = async {
            at_the_gate(&stage).await;
            stage.sleep(60).await;
            let (kims, lees) = tokio::join!(approve(&kim), approve(&lee));
            let done = [&kims, &lees].into_iter().filter(|ordered| matches!(ordered, Ordered::Done(..))).count();
            let already = [&kims, &lees].into_iter().filter(|ordered| matches!(ordered, Ordered::Already(_))).count();
            assert_eq!((done, already), (1, 1), "{kims:?} {lees:?}");
        };
        let output = Box::pin(stage.rollout_while(gated(short(), AfterPause::RollBack), approving)).await.exits(0);
        assert_eq!(approved_by(&output).len(), 1);
    });
}

#[test]
fn a_gate_that_ends_while_no_process_lives_is_acted_on_by_the_next() {
    for (then, code) in [(AfterPause::RollBack, 13), (AfterPause::Resume, 0)] {
        play_on("hello-idle", async |stage| {
            let request = gated(short(), then);
            stage.killed(&request, async { at_the_gate(&stage).await }).await;
            stage.sleep(LASTS.as_secs() + 60).await;
            // Nobody approves a gate that is over.
            assert!(matches!(approve(&stage).await, Ordered::Refused(..)));
            assert_eq!(stage.percents(), [10]);
            stage.rollout(&request).await.exits(code);
        });
    }
}

#[test]
fn a_gate_approved_while_no_process_lives_is_open() {
    play_on("hello-idle", async |stage| {
        let request = gated(short(), AfterPause::RollBack);
        stage.killed(&request, async { at_the_gate(&stage).await }).await;
        assert!(matches!(approve(&stage).await, Ordered::Done(..)));
        stage.sleep(LASTS.as_secs()).await;
        stage.rollout(&request).await.exits(0);
        assert_eq!(stage.percents(), [10, 50, 100]);
    });
}

/// The gates of a group end one by one, and all of it waits for the last.
#[test]
fn a_group_waits_as_one() {
    play(async {
        let stage = groups::stage(2).await;
        let requests: Vec<Request> = groups::requests(2).into_iter().map(|one| gated(one, AfterPause::RollBack)).collect();
        let share = |index: usize| stage.with(|world| world.alias(&groups::name(index), "live").unwrap().share("2"));
        let approving = async {
            stage.until(|| share(0) > 0.0 && share(1) > 0.0).await;
            stage.sleep(60).await;
            stage.order(&groups::subject(0), Operation::Approve).await;
            stage.sleep(300).await;
            assert!(share(0) < 0.2 && share(1) < 0.2);
            stage.order(&groups::subject(1), Operation::Approve).await;
        };
        let (output, ()) = tokio::join!(groups::run(&stage, &requests, 7), approving);
        output.exits(0);
    });
}
