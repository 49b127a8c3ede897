//! People are told of a group as of one rollout: once when it begins, once when it ends. Programs are told of each function.

use controller::Request;
use rollout::Weight;
use rollout::gate::Gate;
use rollout::note::AfterPause;
use rollout::notify::NoticeKind;
use rollout::operate::Operation;
use sim::WebPage;
use std::time::Duration;

use crate::detached::{deploy, detached, on, schedules};
use crate::groups::{self, furnish, run, subject};
use crate::notifications::{SLACK, TOPIC, json, sent, told, told_of, visits};
use crate::stage::{Stage, play};

async fn stage(many: usize) -> Stage {
    let stage = groups::stage(many).await;
    stage.with(|world| {
        world.put_page(SLACK, WebPage::new(200, "ok"));
        world.create_topic("deploys");
    });
    stage
}

fn requests(many: usize, to: &[&str]) -> Vec<Request> {
    groups::requests(many).into_iter().map(|one| told(one, to)).collect()
}

fn texts(stage: &Stage) -> Vec<String> {
    visits(stage).iter().map(|visit| json(&visit.body)["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_channel_gets_one_message_at_the_start_of_a_group_and_one_at_its_end() {
    play(async {
        let stage = stage(3).await;
        run(&stage, &requests(3, &[SLACK]), 7).await.exits(0);
        let texts = texts(&stage);
        let [began, ended] = texts.as_slice() else { panic!("{texts:#?}") };
        assert!(began.starts_with("*STARTED   3 functions, all or none*\n*function00:live*  1 → new version"), "{began}");
        for index in 0..3 {
            assert!(began.contains(&format!("\n*function0{index}:live*  1 → new version")), "{began}");
        }
        assert!(began.ends_with("\n`canaryctl watch function00:live`"), "{began}");
        assert!(ended.starts_with("*✔ PROMOTED   all 3 functions are on their new versions*\n"), "{ended}");
        assert!(ended.contains("\n*functions*  function00:live, function01:live, function02:live"), "{ended}");
        assert!(ended.ends_with("\n`canaryctl rollback function02:live`"), "{ended}");
    });
}

#[test]
fn the_end_of_a_group_says_which_function_failed_and_what_is_next() {
    play(async {
        let stage = stage(3).await;
        let requests = requests(3, &[SLACK]);
        let failing = async {
            stage.sleep(40).await;
            stage.with(|world| world.set_alarm_state("alarm01", "ALARM").unwrap());
        };
        let (output, ()) = tokio::join!(run(&stage, &requests, 7), failing);
        output.exits(10);
        let texts = texts(&stage);
        assert_eq!(texts.len(), 2, "{texts:#?}");
        let ended = &texts[1];
        assert!(ended.starts_with("*✖ ROLLED BACK   all 3 functions stay on their stable versions*\n"), "{ended}");
        assert!(ended.contains("\n*why*  function01:live: alarm `alarm01` went to ALARM"), "{ended}");
        assert!(ended.contains("\n`canaryctl "), "{ended}");
        let restored = (0..3).map(|index| groups::writes(&stage, index).last().unwrap().at).max().unwrap();
        assert!(visits(&stage)[1].at >= restored, "never before the way back of all is confirmed");
    });
}

/// What listens for CodeDeploy has one application in a message.
#[test]
fn a_topic_is_told_of_each_function_of_a_group() {
    play(async {
        let stage = stage(3).await;
        run(&stage, &requests(3, &[&format!("sns:{TOPIC}")]), 7).await.exits(0);
        let of = |status: &str| {
            let all = sent(&stage).into_iter().map(|sent| json(sent.body.as_bytes()));
            let mut names: Vec<String> =
                all.filter(|body| body["status"] == status).map(|body| body["applicationName"].to_string()).collect();
            names.sort();
            names
        };
        let each = ["\"function00\"", "\"function01\"", "\"function02\""];
        assert_eq!(
            (of("CREATED").as_slice(), of("SUCCEEDED").as_slice()),
            (each.map(String::from).as_slice(), each.map(String::from).as_slice())
        );
        assert_eq!(sent(&stage).len(), 6);
    });
}

#[test]
fn what_never_began_is_not_told_and_one_with_nothing_new_does_not_hold_up_the_others() {
    play(async {
        let stage = stage(2).await;
        stage.with(|world| world.set_alarm_state("alarm01", "ALARM").unwrap());
        run(&stage, &requests(2, &[SLACK]), 7).await.exits(3);
        assert_eq!(texts(&stage).len(), 0);
    });
    play(async {
        let stage = stage(3).await;
        stage.with(|world| world.set_environment(&groups::name(1), &[("SIM_BODY", "old")]).unwrap());
        run(&stage, &requests(3, &[SLACK]), 7).await.exits(0);
        let texts = texts(&stage);
        assert_eq!(texts.len(), 2, "{texts:#?}");
        assert!(texts[1].contains("PROMOTED   2 of 3 functions are on new versions"), "{}", texts[1]);
    });
}

/// Each step, and the gate, is one write for each function, and one message for all.
#[test]
fn steps_and_gates_of_a_group_are_told_once() {
    play(async {
        let stage = stage(3).await;
        let gate =
            Gate { weight: Weight::from_basis_points(1000).unwrap(), lasts: Duration::from_mins(20), then: AfterPause::RollBack };
        let requests: Vec<Request> = groups::requests(3)
            .into_iter()
            .map(|one| Request { gates: vec![gate], ..told_of(one, &[SLACK], &NoticeKind::ALL) })
            .collect();
        let person = async {
            stage.until(|| texts(&stage).iter().any(|text| text.contains("HELD"))).await;
            stage.sleep(60).await;
            stage.order(&subject(0), Operation::Approve).await;
        };
        let (output, ()) = tokio::join!(run(&stage, &requests, 7), person);
        output.exits(0);
        let texts = texts(&stage);
        let words: Vec<&str> = texts.iter().map(|text| text.trim_start_matches('*').split(' ').next().unwrap()).collect();
        assert_eq!(words, ["STARTED", "SHIFTED", "HELD", "SHIFTED", "SHIFTED", "✔"], "{texts:#?}");
        assert!(texts[2].starts_with("*HELD   function00:live and 2 more*\n"), "{}", texts[2]);
        assert!(texts[2].contains("\n*functions*  function00:live, function01:live, function02:live"), "{}", texts[2]);
        assert!(
            texts[2].ends_with("\n`canaryctl resume function00:live --gate`\n`canaryctl abort function00:live`"),
            "{}",
            texts[2]
        );
    });
}

/// The turn in which the last of them ends tells the end of all.
#[test]
fn a_detached_group_is_told_of_once_too() {
    for red in [false, true] {
        on("hello-idle", async |stage| {
            deploy(&stage);
            stage.with(|world| {
                furnish(world, 3);
                world.put_page(SLACK, WebPage::new(200, "ok"));
            });
            let requests: Vec<Request> = requests(3, &[SLACK]).into_iter().map(detached).collect();
            run(&stage, &requests, 7).await.exits(0);
            assert_eq!(texts(&stage).len(), 1);
            if red {
                stage.sleep(70).await;
                stage.with(|world| world.set_alarm_state("alarm01", "ALARM").unwrap());
            }
            stage.until_looking_every(Duration::from_secs(5), || schedules(&stage) == 0).await;
            let texts = texts(&stage);
            assert_eq!(texts.len(), 2, "{texts:#?}");
            let words = if red { "ROLLED BACK   all 3 functions" } else { "PROMOTED   all 3 functions" };
            assert!(texts[1].contains(words), "{}", texts[1]);
        });
    }
}
