//! A check is asked once a minute while the candidate has traffic; only its yes lets the weight rise, and its no brings the traffic back.

use std::time::Duration;

use controller::Request;
use sim::{Time, WebPage};

use crate::stage::{Stage, play_on, request, short, with};

const PAGE: &str = "https://monitor.example/hello";
const GOOD: &str = r#"{"status":"Succeeded"}"#;

/// The rollout of the story by ten percent a minute, with this check and nothing else.
fn checked_by(check: &str) -> Request {
    let request = with(request(), |policy| policy.blind_limit = Duration::from_mins(3));
    Request { alarms: Vec::new(), pre_hook: None, post_hook: None, checks: vec![check.parse().unwrap()], ..request }
}

fn page(stage: &Stage, status: u16, body: &str) {
    stage.with(|world| world.put_page(PAGE, WebPage::new(status, body)));
}

/// When the check was asked.
fn asked(stage: &Stage) -> Vec<Time> {
    stage.with(|world| world.visits().iter().map(|visit| visit.at).collect())
}

/// Until the candidate has had this weight, in percent, for ten seconds.
async fn stands_at(stage: &Stage, percent: u64) {
    stage.until(|| stage.shares("42").last().is_some_and(|last| last.1 >= percent)).await;
    stage.sleep(10).await;
}

#[test]
fn a_check_is_asked_every_minute_of_traffic_and_of_the_bake() {
    play_on("hello-idle", async |stage| {
        page(&stage, 200, GOOD);
        let output =
            stage.rollout(checked_by(PAGE)).await.exits(0).says("1 check OK").says("check https://monitor.example/hello");
        assert_eq!(stage.percents(), (1..=10).map(|ten| ten * 10).collect::<Vec<_>>(), "{}", output.log);
        let (asked, writes) = (asked(&stage), stage.writes());
        let first = writes.iter().find(|write| write.after().unwrap().share("42") > 0.0).unwrap().at;
        assert!(asked.iter().all(|at| *at > first && *at < writes.last().unwrap().at));
        // Nine minutes of steps and three of bake.
        assert!((12..=13).contains(&asked.len()), "{}", output.log);
        assert!(output.ending.reason.detail.contains("no check failed"), "{}", output.log);
        assert!(asked.windows(2).all(|pair| pair[1].since(pair[0]) >= Duration::from_secs(58)), "{asked:?}");
        let sent: Vec<serde_json::Value> =
            stage.with(|world| world.visits().iter().map(|visit| serde_json::from_slice(&visit.body).unwrap()).collect());
        let event = &sent[2]["canaryctl"];
        assert_eq!((&event["phase"], &event["candidate_version"]), (&"check".into(), &"42".into()));
        // It is asked as the next step is due: before it, or after.
        assert!([0.2, 0.3].iter().any(|weight| (event["weight"].as_f64().unwrap() - weight).abs() < 1e-9), "{event}");
        assert_ne!(sent[0]["canaryctl"]["execution_id"], sent[1]["canaryctl"]["execution_id"]);
    });
}

#[test]
fn a_check_that_fails_brings_the_traffic_back_and_is_remembered() {
    play_on("hello-idle", async |stage| {
        page(&stage, 200, GOOD);
        let fails = async {
            stands_at(&stage, 30).await;
            page(&stage, 200, r#"{"status":"Failed","reason":"checkout dropped by half"}"#);
        };
        let request = checked_by(PAGE);
        let (output, ()) = tokio::join!(stage.rollout(&request), fails);
        output.golden("a_check_that_fails").exits_for(11, "check").because("checkout dropped by half");
        stage.assert_ended("41", "back");
        assert!(stage.alias().await.description.contains("x=42c"), "it is remembered");
        let last = *asked(&stage).last().unwrap();
        assert!(stage.writes().last().unwrap().at.since(last) < Duration::from_secs(5), "at once");
    });
}

/// What says neither is no pass: the weight stays, and when it goes on for too long the traffic goes back.
#[test]
fn no_yes_is_no_pass() {
    for (status, body, word) in
        [(200, r#"{"status":"InProgress"}"#, "InProgress"), (503, "down for maintenance", "HTTP status 503")]
    {
        play_on("hello-idle", async |stage| {
            page(&stage, 200, GOOD);
            let goes_silent = async {
                stands_at(&stage, 30).await;
                page(&stage, status, body);
            };
            let request = checked_by(PAGE);
            let (output, ()) = tokio::join!(stage.rollout(&request), goes_silent);
            output.exits_for(12, "blind").because(word);
            stage.assert_ended("41", "back");
            // The last yes was a minute old when the next step came, and no step came after it.
            assert!(stage.shares("42").iter().all(|share| share.1 <= 40), "{:?}", stage.shares("42"));
            assert!(!stage.alias().await.description.contains("x=42"), "nothing speaks against the version");
        });
    }
    play_on("hello-idle", async |stage| {
        page(&stage, 503, "");
        let recovers = async {
            stands_at(&stage, 10).await;
            stage.sleep(120).await;
            page(&stage, 200, GOOD);
        };
        let request = checked_by(PAGE);
        let (output, ()) = tokio::join!(stage.rollout(&request), recovers);
        output.exits(0).says("monitoring restored");
        stage.assert_ended("42", "promoted");
    });
}

/// A question that hangs is given up after a minute, is never asked twice at once, and keeps nobody from rolling back.
#[test]
fn a_check_that_hangs_is_asked_again_a_minute_later() {
    play_on("hello", async |stage| {
        stage.with(|world| world.put_page(PAGE, WebPage::silent()));
        let request = Request { alarms: request().alarms, ..checked_by(PAGE) };
        stage.rollout(&request).await.exits_for(12, "blind").because("check `https://monitor.example/hello` has not succeeded");
        let asked = asked(&stage);
        assert!(asked.windows(2).all(|pair| pair[1].since(pair[0]) >= Duration::from_secs(58)), "{asked:?}");
        stage.assert_ended("41", "back");
    });
}

#[test]
fn whoever_goes_on_asks_at_once_and_two_checks_have_to_agree() {
    play_on("hello-idle", async |stage| {
        page(&stage, 200, GOOD);
        let request = Request { checks: vec![PAGE.parse().unwrap(), "preHook".parse().unwrap()], ..short() };
        let reached = stands_at(&stage, 10);
        stage.killed(&request, reached).await;
        stage.with(|world| world.set_environment("preHook", &[("SIM_HOOK", "Failed")])).unwrap();
        let before = asked(&stage).len();
        let output = stage.as_caller("SECOND").await.rollout(&request).await.exits_for(11, "check");
        assert_eq!(asked(&stage).len(), before + 1, "{}", output.log);
        stage.assert_ended("41", "back");
    });
}
