//! GitHub shows a rollout as one deployment: beside it, in the order of what happened, and whoever goes on with it finds the deployment.

use std::time::Duration;

use controller::Request;
use rollout::notify::NoticeKind;
use serde_json::{Value, json};
use sim::{Effect, Fault, WebPage};

use crate::groups;
use crate::notifications::{DEPLOYMENTS, REPOSITORY, restored, told, told_of, visits};
use crate::stage::{Stage, play, play_on, request, short, with};

fn host(stage: &Stage) {
    stage.with(|world| world.host_repository(REPOSITORY));
}

/// What was asked for each deployment, and the states that it was given.
fn shown(stage: &Stage) -> Vec<(Value, Vec<String>)> {
    let states = |deployment: &sim::Deployment| {
        deployment.statuses.iter().map(|(_, status)| status["state"].as_str().unwrap().to_owned()).collect()
    };
    stage.with(|world| world.deployments().iter().map(|one| (one.asked.clone(), states(one))).collect())
}

/// The states of the only deployment.
fn states(stage: &Stage) -> Vec<String> {
    let shown = shown(stage);
    assert_eq!(shown.len(), 1, "{shown:?} {:?}", visits(stage));
    shown[0].1.clone()
}

#[test]
fn a_rollout_is_one_deployment() {
    play_on("hello-idle", async |stage| {
        host(&stage);
        let output = stage.rollout(told(short(), &["github:eu staging"])).await.exits(0);
        let [(asked, states)] = shown(&stage).try_into().unwrap();
        assert_eq!(states, ["in_progress", "success"]);
        let id = &output.ending.rollout_id;
        let expected = json!({
            "ref": "abc123", "task": format!("deploy:{id}"), "auto_merge": false, "required_contexts": [],
            "environment": "eu staging", "description": format!("canaryctl {id}: hello:Live"), "payload": {"canaryctl": id},
        });
        assert_eq!(asked, expected);
        let ended = stage.with(|world| world.deployments()[0].statuses[1].1.clone());
        assert_eq!(ended["log_url"], "https://github.com/acme/shop/actions/runs/77");
        assert!(ended["description"].as_str().unwrap().starts_with("✔ PROMOTED   hello:Live is on 42"), "{ended}");
        output.lacks("hush");
    });
}

#[test]
fn a_rollback_is_a_failure_once_it_is_confirmed() {
    play_on("hello-idle", async |stage| {
        host(&stage);
        stage.alarm_in(100);
        stage.rollout(told_of(request(), &["github"], &NoticeKind::ALL)).await.exits(10);
        let statuses = stage.with(|world| world.deployments()[0].statuses.clone());
        let (at, last) = statuses.last().unwrap();
        assert_eq!((last["state"].as_str().unwrap(), *at >= restored(&stage)), ("failure", true));
        assert!(statuses.iter().rev().skip(1).all(|(_, status)| status["state"] == "in_progress"), "{statuses:?}");
        let said = last["description"].as_str().unwrap();
        assert!(said.contains("ROLLED BACK   hello:Live stays on 41: alarm `HelloFooAlarm`"), "{said}");
    });
}

/// A rollback that cannot be confirmed is an error, and so is what another owner took.
#[test]
fn what_needs_a_person_is_an_error() {
    play_on("hello-idle", async |stage| {
        host(&stage);
        stage.alarm_in(100);
        stage.disturb(Fault::on("UpdateAlias", Effect::Deny), 99..10_000);
        stage.rollout(told(request(), &["github"])).await.exits(20);
        assert_eq!(states(&stage), ["in_progress", "error"]);
    });
}

/// The process that began it is gone; the next one has nothing but the rollout's id.
#[test]
fn whoever_goes_on_with_a_rollout_finds_its_deployment() {
    play_on("hello-idle", async |stage| {
        host(&stage);
        let request = told(short(), &["github"]);
        stage.killed(&request, stage.until(|| !stage.shares("42").is_empty())).await;
        assert_eq!(states(&stage), ["in_progress"]);
        stage.sleep(900).await;
        stage.rollout(&request).await.exits(0);
        assert_eq!(states(&stage), ["in_progress", "success"]);
    });
}

#[test]
fn a_group_is_one_deployment() {
    play(async {
        let stage = groups::stage(3).await;
        host(&stage);
        let requests: Vec<Request> = groups::requests(3).into_iter().map(|one| told(one, &["github"])).collect();
        groups::run(&stage, &requests, 7).await.exits(0);
        let [(asked, states)] = shown(&stage).try_into().unwrap();
        assert_eq!(states, ["in_progress", "success"]);
        assert_eq!(asked["description"], "canaryctl 00000007: function00:live, function01:live, function02:live");
    });
}

/// GitHub shows the status that came last: one that is tried again is not sent after a newer one.
#[test]
fn what_is_outdated_is_not_sent() {
    play_on("hello-idle", async |stage| {
        host(&stage);
        stage.with(|world| world.add_fault(Fault::on("Visit", Effect::Stall).calls(1..=1)));
        let quick = with(short(), |policy| policy.bake = Some(Duration::ZERO));
        let quick = Request { schedule: "AllAtOnce".parse().unwrap(), alarms: Vec::new(), ..quick };
        stage.rollout(told(quick, &["github"])).await.exits(0);
        assert_eq!(states(&stage), ["success"]);
    });
}

/// A lost answer to the request that makes the deployment makes no second one.
#[test]
fn a_deployment_whose_answer_was_lost_is_found() {
    play_on("hello-idle", async |stage| {
        host(&stage);
        stage.with(|world| world.add_fault(Fault::on("Visit", Effect::LostAnswer).calls(2..=2)));
        stage.rollout(told(short(), &["github"])).await.exits(0).lacks("could not be sent");
        assert_eq!(states(&stage), ["in_progress", "success"]);
    });
}

#[test]
fn github_that_fails_for_a_moment_is_told() {
    play_on("hello-idle", async |stage| {
        host(&stage);
        stage.with(|world| world.put_page(DEPLOYMENTS, WebPage::new(500, "{}")));
        let recovers = async {
            stage.sleep(20).await;
            stage.with(|world| world.remove_page(DEPLOYMENTS));
        };
        stage.rollout_while(told(short(), &["github"]), recovers).await.exits(0).lacks("could not be sent");
        assert_eq!(states(&stage), ["in_progress", "success"]);
    });
}

/// What is missing is the job's permission: said with what to write.
#[test]
fn a_token_without_the_permission_is_a_warning() {
    play_on("hello-idle", async |stage| {
        let refusal = r#"{"message":"Resource not accessible by integration","documentation_url":"https://docs.github.com"}"#;
        stage.with(|world| world.put_page(DEPLOYMENTS, WebPage::new(403, refusal)));
        let output = stage.rollout(told(short(), &["github"])).await.exits(0);
        output.golden("github_refuses").lacks("hush");
        assert_eq!(visits(&stage).len(), 2, "refused for good: each is tried once");
    });
}
