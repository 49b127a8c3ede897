//! A gate holds a rollout at a weight until a person approves it, watched throughout; where nobody does, it does what was said.

use std::time::Duration;

use controller::{Ordered, Request, Ticked, sign_approval};
use rollout::Weight;
use rollout::event::EventKind;
use rollout::gate::Gate;
use rollout::note::AfterPause;
use rollout::operate::Operation;
use rollout::turn::Turn;

use crate::groups;
use crate::stage::{Output, Stage, play, play_on, short, subject, with};

const LASTS: Duration = Duration::from_mins(20);

const KIM: &str = "arn:aws:iam::111111111111:user/KIM";

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
        assert_eq!(approved_by(&output), [Some(KIM.to_owned())]);
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
fn a_gate_approved_while_no_process_lives_is_open_and_the_next_one_says_who() {
    play_on("hello-idle", async |stage| {
        let person = stage.as_caller("KIM").await;
        let request = gated(short(), AfterPause::RollBack);
        stage.killed(&request, async { at_the_gate(&stage).await }).await;
        assert!(matches!(approve(&person).await, Ordered::Done(..)));
        stage.sleep(LASTS.as_secs()).await;
        let output = stage.rollout(&request).await.exits(0);
        assert_eq!(stage.percents(), [10, 50, 100]);
        assert_eq!(approved_by(&output), [Some(KIM.to_owned())]);
    });
}

/// Between two turns too: the first one to see it says who, and no later one says it again.
#[test]
fn a_gate_approved_between_two_turns_is_told_once_with_who_did() {
    for signed in [true, false] {
        play_on("hello-idle", async |stage| {
            let person = stage.as_caller("KIM").await;
            let request = gated(with(short(), |policy| policy.bake = Some(Duration::from_mins(2))), AfterPause::RollBack);
            let begin = Request { turn: Some(Turn::Begin), ..request.clone() };
            stage.rollout(&begin).await.exits_as(0, "detached");
            let mut told = Vec::new();
            for turn in 0..40 {
                let (ticked, lines) = stage.tick(&request, Duration::ZERO).await;
                told.extend(lines.lines().filter(|line| line.contains("approved")).map(ToOwned::to_owned));
                if matches!(ticked, Ticked::Ended(_)) {
                    break;
                }
                stage.sleep(30).await;
                if turn == 3 && signed {
                    assert!(matches!(approve(&person).await, Ordered::Done(..)));
                } else if turn == 3 {
                    assert!(matches!(stage.order(&subject(), Operation::Approve).await, Ordered::Done(..)));
                }
                stage.sleep(30).await;
            }
            stage.assert_ended("42", "promoted");
            assert_eq!(told.len(), usize::from(signed), "{told:#?}");
            assert!(told.iter().all(|line| line.contains(KIM)), "{told:#?}");
        });
    }
}

fn shares(stage: &Stage) -> [f64; 2] {
    [0, 1].map(|index| stage.with(|world| world.alias(&groups::name(index), "live").unwrap().share("2")))
}

fn gated_group(lasts: [Duration; 2], then: AfterPause) -> Vec<Request> {
    // The requests come in the order of a file: the last name first.
    let [first, second] = lasts;
    let each = groups::requests(2).into_iter().zip([second, first]);
    each.map(|(one, lasts)| {
        let mut request = gated(one, then);
        request.gates[0].lasts = lasts;
        request
    })
    .collect()
}

/// Whichever of them is approved, all of them are: one write to one alias.
#[test]
fn a_gate_of_a_group_is_approved_as_one() {
    for approved in 0..2 {
        play(async {
            let stage = groups::stage(2).await;
            let requests = gated_group([LASTS; 2], AfterPause::RollBack);
            let approving = async {
                stage.until(|| shares(&stage).iter().all(|share| *share > 0.0)).await;
                stage.sleep(360).await;
                assert!(shares(&stage).iter().all(|share| *share < 0.2), "{:?}", shares(&stage));
                stage.order(&groups::subject(approved), Operation::Approve).await;
            };
            let (output, ()) = tokio::join!(groups::run(&stage, &requests, 7), approving);
            let told = output.events.iter().filter(|event| matches!(event.what, EventKind::GateApproved(_)));
            let names: Vec<String> = told.map(|event| event.function.clone()).collect();
            assert_eq!(names, [groups::name(approved)], "of one of them, once");
            output.exits(0);
        });
    }
}

#[test]
fn a_gate_of_a_group_that_nobody_approves_brings_all_back() {
    play(async {
        let stage = groups::stage(2).await;
        groups::run(&stage, &gated_group([LASTS; 2], AfterPause::RollBack), 7).await.exits(13);
        for index in 0..2 {
            assert_eq!(groups::ended(&stage, index), ("1".to_owned(), false, "back".to_owned()));
        }
    });
}

/// Their gates end one after the other, and as long as one of them can be approved, none of them goes back.
#[test]
fn a_gate_of_a_group_is_over_when_it_is_over_on_all() {
    for (approves, code) in [(true, 0), (false, 13)] {
        play(async {
            let stage = groups::stage(2).await;
            let requests = gated_group([LASTS, LASTS * 2], AfterPause::RollBack);
            let later = async {
                stage.until(|| shares(&stage).iter().all(|share| *share > 0.0)).await;
                stage.sleep(LASTS.as_secs() + 300).await;
                assert!(shares(&stage).iter().all(|share| *share > 0.0), "{:?}", shares(&stage));
                if approves {
                    assert!(matches!(stage.order(&groups::subject(1), Operation::Approve).await, Ordered::Done(..)));
                }
            };
            let (output, ()) = tokio::join!(groups::run(&stage, &requests, 7), later);
            output.exits(code);
        });
    }
}

/// Approved while no process lived, and the end of the gate went by too: the note of the one is enough for all.
#[test]
fn a_group_approved_while_no_process_lives_goes_on() {
    for approved in 0..2 {
        play(async {
            let stage = groups::stage(2).await;
            let requests = gated_group([LASTS; 2], AfterPause::RollBack);
            let killed = groups::run(&stage, &requests, 7);
            tokio::select! {
                _ = killed => panic!("it ended"),
                () = stage.until(|| shares(&stage).iter().all(|share| *share > 0.0)) => {}
            }
            stage.sleep(60).await;
            assert!(matches!(stage.order(&groups::subject(approved), Operation::Approve).await, Ordered::Done(..)));
            stage.sleep(LASTS.as_secs()).await;
            groups::run(&stage, &requests, 7).await.exits(0);
        });
    }
}
