//! A hook at a URL works as a function does, and nothing that its URL keeps secret is shown.

use std::time::Duration;

use controller::Request;
use controller::port::Cloud;
use sim::{Effect, Fault, WebPage};

use crate::stage::{Output, Stage, play, play_on, request, short, with};

const PAGE: &str = "https://hooks.example/canary";

/// The rollout of the story, with this page for a pre-traffic hook.
fn asking(url: &str) -> Request {
    let request = with(request(), |policy| policy.poll = Duration::from_secs(1));
    Request { pre_hook: Some(url.parse().unwrap()), post_hook: None, ..request }
}

async fn asked(page: WebPage, request: &Request) -> (Stage, Output) {
    let stage = Stage::story("hello-idle").await;
    stage.with(|world| world.put_page(PAGE, page));
    let output = stage.rollout(request).await;
    (stage, output)
}

fn visits(stage: &Stage) -> usize {
    stage.with(|world| world.visits().len())
}

#[test]
fn a_page_is_asked_what_a_function_is_and_its_query_stays_between_the_two() {
    play(async {
        let page = WebPage::new(200, r#"{"status":"Succeeded"}"#);
        let (stage, output) = asked(page, &asking(&format!("{PAGE}?token=hush"))).await;
        let output = output.exits(0).says("https://hooks.example/canary succeeded in ");
        let visits = stage.with(|world| world.visits().to_vec());
        assert_eq!(visits.iter().map(|visit| visit.address.as_str()).collect::<Vec<_>>(), [format!("{PAGE}?token=hush")]);
        let sent: serde_json::Value = serde_json::from_slice(&visits[0].body).unwrap();
        assert_eq!(sent["DeploymentId"], sent["canaryctl"]["rollout_id"]);
        assert_eq!(sent["LifecycleEventHookExecutionId"], sent["canaryctl"]["execution_id"]);
        assert_eq!((&sent["canaryctl"]["phase"], &sent["canaryctl"]["candidate_version"]), (&"pre-traffic".into(), &"42".into()));
        let events = format!("{:?}", output.events);
        assert!(events.contains(PAGE) && !events.contains("hush"), "{events}");
        assert!(!stage.alias().await.description.contains("hush"));
    });
}

#[test]
fn anything_but_succeeded_is_a_failure_with_a_hint() {
    let long = format!("{}\nsecond line", "x".repeat(200_000));
    for (page, words) in [
        (WebPage::new(200, r#"{"status":"Failed","reason":"no stock"}"#), vec!["no stock"]),
        (WebPage::new(200, r#"{"ok":true}"#), vec!["without a status", "--hook-answer any"]),
        (WebPage::new(200, &long), vec!["without a status"]),
        (WebPage::new(404, ""), vec!["HTTP status 404", "answer with status 200"]),
        (WebPage::new(500, "\n  it broke \nat line 7"), vec!["HTTP status 500: it broke", "answer with status 200"]),
        (WebPage::new(500, &long), vec!["HTTP status 500: xxx"]),
        (WebPage::new(500, r#"{"status":"Succeeded"}"#), vec!["HTTP status 500"]),
        (WebPage::redirect(302, "https://login.example/in?then=hush"), vec!["redirects to `login.example` (HTTP status 302)"]),
        (WebPage::redirect(307, "/in?then=hush"), vec!["redirects to another path (HTTP status 307)"]),
    ] {
        play(async {
            let (stage, output) = asked(page, &asking(PAGE)).await;
            let output = words.into_iter().fold(output.exits(11), Output::says);
            output.lacks("hush").lacks("second line");
            assert_eq!((stage.shares("42"), visits(&stage)), (vec![], 1));
            stage.assert_ended("41", "back");
        });
    }
}

#[test]
fn any_answer_but_an_error_passes_where_that_was_asked_for() {
    play(async {
        let lenient = with(asking(PAGE), |policy| policy.hook_answer = rollout::plan::HookAnswer::Any);
        let (_, output) = asked(WebPage::new(204, ""), &lenient).await;
        output.exits(0);
        let (_, output) = asked(WebPage::new(403, ""), &lenient).await;
        output.exits(11);
    });
}

/// Without an answer it may have run, and asking again could do its work twice.
#[test]
fn a_page_that_does_not_answer_is_not_asked_again() {
    let page = || WebPage::new(200, r#"{"status":"Succeeded"}"#);
    for (page, fault) in [
        (WebPage::silent(), None),
        (page().after(Duration::from_secs(61)), None),
        (page(), Some(Fault::on("Visit", Effect::LostAnswer))),
    ] {
        play_on("hello-idle", async |stage| {
            stage.with(|world| {
                world.put_page(PAGE, page);
                if let Some(fault) = fault {
                    world.add_fault(fault);
                }
            });
            let began = stage.now();
            stage.rollout(asking(PAGE)).await.exits(11).says("not known whether it ran").says("canaryctl hook report");
            assert_eq!(visits(&stage), 1);
            assert!(stage.now().since(began) < Duration::from_secs(75), "a minute, and the way there and back");
        });
    }
}

#[test]
fn a_page_that_is_not_there_yet_is_asked_until_it_is() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            world.put_page(PAGE, WebPage::new(200, r#"{"status":"Succeeded"}"#));
            world.add_fault(Fault::on("Visit", Effect::Refuse).calls(1..=3));
        });
        let output = stage.rollout(asking(PAGE)).await;
        assert_eq!((output.ending.exit_code, visits(&stage)), (0, 1), "{}", output.log);
    });
    play(async {
        Stage::story("hello-idle").await.rollout(asking("https://nowhere.example/")).await.exits(11).says("connection refused");
    });
    play(async {
        let (stage, output) = asked(WebPage::new(429, "slowly"), &asking(PAGE)).await;
        assert_eq!((output.ending.exit_code, visits(&stage)), (11, 5), "{}", output.log);
        output.says("HTTP status 429");
    });
}

#[test]
fn a_page_that_takes_its_time_answers_by_a_tag() {
    for (value, code) in [("Succeeded", 0), ("Failed: the smoke test found smoke", 11)] {
        play_on("hello-idle", async |stage| {
            stage.with(|world| world.put_page(PAGE, WebPage::new(202, r#"{"status":"InProgress"}"#)));
            let job = async {
                stage.until(|| visits(&stage) > 0).await;
                let sent = stage.with(|world| world.visits()[0].body.clone());
                let sent: serde_json::Value = serde_json::from_slice(&sent).unwrap();
                let to = &sent["canaryctl"]["report_to"];
                stage.sleep(90).await;
                let theirs = stage.as_caller("HOOK").await;
                theirs.aws.tag(to["resource"].as_str().unwrap(), to["tag"].as_str().unwrap(), value).await.unwrap();
            };
            let output = Box::pin(stage.rollout_while(asking(PAGE), job)).await;
            assert_eq!((output.ending.exit_code, visits(&stage)), (code, 1), "{}", output.log);
            assert!(code == 0 || output.log.contains("the smoke test found smoke"), "{}", output.log);
        });
    }
}

#[test]
fn an_alarm_does_not_wait_for_a_page() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.put_page(PAGE, WebPage::new(200, r#"{"status":"Succeeded"}"#).after(Duration::from_secs(50))));
        let red = async {
            stage.until(|| visits(&stage) > 0).await;
            stage.sleep(5).await;
            stage.with(|world| world.set_alarm_state("HelloFooAlarm", "ALARM")).unwrap();
        };
        let often = with(short(), |policy| policy.poll = Duration::from_secs(1));
        let hooked = Request { post_hook: Some(PAGE.parse().unwrap()), ..often };
        stage.rollout_while(&hooked, red).await.exits(10);
        stage.assert_ended("41", "back");
    });
}
