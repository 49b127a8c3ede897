//! People and programs are told of a rollout: beside it, never before stable is confirmed, and it ends as if nobody had been told.

use std::time::Duration;

use controller::{Interrupt, Request};
use rollout::github::Repository;
use rollout::notify::{NoticeKind, Notification, Recipient};
use serde_json::Value;
use sim::{Effect, Fault, Sent, Time, Visit, WebPage};

use crate::stage::{Output, Stage, play, play_on, request, short, with};

pub(crate) const SLACK: &str = "https://hooks.slack.com/services/T0/B0/hush";
const PAGE: &str = "https://hooks.example/canary/hush";
const NOWHERE: &str = "https://nowhere.example/canary/hush";
pub(crate) const REPOSITORY: &str = "acme/shop";
pub(crate) const DEPLOYMENTS: &str = "https://api.github.com/repos/acme/shop/deployments";
pub(crate) const TOPIC: &str = "arn:aws:sns:us-east-1:111111111111:deploys";

/// What a job of GitHub Actions has in its environment.
fn job(name: &str) -> Option<String> {
    let value = match name {
        "GITHUB_TOKEN" => "ghs_hush",
        "GITHUB_REPOSITORY" => REPOSITORY,
        "GITHUB_SHA" => "abc123",
        "GITHUB_RUN_ID" => "77",
        _ => return None,
    };
    Some(value.to_owned())
}

fn recipient(text: &str) -> Recipient {
    let mut recipient = text.parse().unwrap();
    if let Recipient::GitHub(deployments) = &mut recipient {
        deployments.repository = Some(Box::new(Repository::of(job).unwrap()));
    }
    recipient
}

pub(crate) fn told(request: Request, to: &[&str]) -> Request {
    told_of(request, to, &NoticeKind::usual())
}

pub(crate) fn told_of(request: Request, to: &[&str], kinds: &[NoticeKind]) -> Request {
    let one = |to: &&str| Notification { recipient: recipient(to), kinds: kinds.to_vec(), trigger: None };
    Request { notify: to.iter().map(one).collect(), notice: report::notice, ..request }
}

pub(crate) fn visits(stage: &Stage) -> Vec<Visit> {
    stage.with(|world| world.visits().to_vec())
}

pub(crate) fn sent(stage: &Stage) -> Vec<Sent> {
    stage.with(|world| world.sent().to_vec())
}

pub(crate) fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

/// When stable had all traffic again.
pub(crate) fn restored(stage: &Stage) -> Time {
    stage.writes().last().unwrap().at
}

#[test]
fn a_channel_gets_one_message_at_the_start_and_one_at_the_end() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.put_page(SLACK, WebPage::new(200, "ok")));
        stage.alarm_in(100);
        let output = stage.rollout(told(request(), &[SLACK])).await.exits(10);
        let visits = visits(&stage);
        let texts: Vec<String> = visits.iter().map(|visit| json(&visit.body)["text"].as_str().unwrap().to_owned()).collect();
        let [began, ended] = texts.as_slice() else { panic!("{texts:?}") };
        assert!(began.starts_with("*STARTED   hello:Live*\n*started*  41 → new version, Linear10PercentEvery1Minute"), "{began}");
        assert!(
            ended.starts_with("*✖ ROLLED BACK   hello:Live stays on 41*\n*why*  alarm `HelloFooAlarm` went to ALARM"),
            "{ended}"
        );
        assert!(ended.contains("\n*now*  100% on 41") && ended.contains("\n`canaryctl "), "{ended}");
        // Never before the way back is confirmed.
        assert!(visits[1].at >= restored(&stage), "{visits:?}");
        assert!(!format!("{:?}", output.events).contains("hush"));
    });
}

#[test]
fn what_listens_to_the_triggers_of_a_deployment_group_goes_on_working() {
    let told_by_trigger = |request| {
        let mut request = told(request, &[&format!("sns:{TOPIC}")]);
        request.notify[0].trigger = Some("deploys-trigger".to_owned());
        request
    };
    play_on("hello-idle", async |stage| {
        assert_eq!(stage.with(|world| world.create_topic("deploys")), TOPIC);
        stage.rollout(told_by_trigger(request())).await.exits(0);
        let sent = sent(&stage);
        let subjects: Vec<&str> = sent.iter().filter_map(|sent| sent.subject.as_deref()).collect();
        let [created, succeeded] = subjects.as_slice() else { panic!("{sent:?}") };
        assert!(created.starts_with("CREATED: canaryctl ") && created.ends_with(" in us-east-1 to hello"), "{created}");
        assert!(succeeded.starts_with("SUCCEEDED: canaryctl "), "{succeeded}");
        let [began, ended] = [0, 1].map(|index: usize| json(sent[index].body.as_bytes()));
        for (field, value) in [
            ("region", "us-east-1"),
            ("accountId", "111111111111"),
            ("eventTriggerName", "deploys-trigger"),
            ("applicationName", "hello"),
            ("deploymentGroupName", "Live"),
        ] {
            assert_eq!((&began[field], &ended[field]), (&value.into(), &value.into()), "{field}");
        }
        assert_eq!((&began["status"], &began["completeTime"]), (&"CREATED".into(), &Value::Null));
        assert_eq!((&began["createTime"], &ended["createTime"]), (&"Mon Nov 23 14:00:00 UTC 2026".into(), &began["createTime"]));
        assert_eq!((&ended["status"], &began["deploymentId"]), (&"SUCCEEDED".into(), &ended["deploymentId"]));
        let overview = json(ended["deploymentOverview"].as_str().unwrap().as_bytes());
        assert_eq!(overview["Succeeded"], 1);
        assert_eq!(ended["canaryctl"]["type"], "outcome");
    });
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.create_topic("deploys"));
        stage.alarm_in(100);
        stage.rollout(told_by_trigger(request())).await.exits(10);
        let ended = json(sent(&stage)[1].body.as_bytes());
        assert_eq!(ended["status"], "STOPPED");
        let error = json(ended["errorInformation"].as_str().unwrap().as_bytes());
        assert_eq!(error["ErrorCode"], "ALARM_ACTIVE");
        assert!(error["ErrorMessage"].as_str().unwrap().contains("HelloFooAlarm"), "{error}");
    });
}

#[test]
fn a_bus_and_a_page_get_the_event_itself() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            world.create_bus("deploys");
            world.put_page(PAGE, WebPage::new(202, ""));
        });
        stage.rollout(told(short(), &["events:deploys", PAGE])).await.exits(0);
        let sent = sent(&stage);
        let [began, ended] = sent.as_slice() else { panic!("{sent:?}") };
        assert_eq!((began.source.as_deref(), began.to.as_str()), (Some("canaryctl"), "deploys"));
        assert_eq!(began.subject.as_deref(), Some("CodeDeploy Deployment State-change Notification"));
        let [began, ended] = [began, ended].map(|sent| json(sent.body.as_bytes()));
        assert_eq!((&began["state"], &ended["state"]), (&"START".into(), &"SUCCESS".into()));
        assert_eq!(
            (&ended["type"], &ended["application"], &ended["deploymentGroup"]),
            (&"outcome".into(), &"hello".into(), &"Live".into())
        );
        assert_eq!(began["deploymentId"], ended["deploymentId"]);
        let posted: Vec<Value> = visits(&stage).iter().map(|visit| json(&visit.body)["type"].clone()).collect();
        assert_eq!(posted, ["started", "outcome"]);
    });
}

#[test]
fn only_what_was_chosen_is_told() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.put_page(PAGE, WebPage::new(200, "")));
        let kinds = [NoticeKind::Shifted, NoticeKind::RolledBack];
        stage.rollout(told_of(short(), &[PAGE], &kinds)).await.exits(0);
        let posted: Vec<Value> = visits(&stage).iter().map(|visit| json(&visit.body)["type"].clone()).collect();
        assert_eq!(posted, ["weight_shifted", "weight_shifted", "weight_shifted"]);
    });
}

/// What never began has no end to be told of.
#[test]
fn a_rollout_that_is_refused_at_once_is_not_told() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            world.put_page(PAGE, WebPage::new(200, ""));
            world.set_alarm_state("HelloFooAlarm", "ALARM").unwrap();
        });
        stage.rollout(told(short(), &[PAGE])).await.exits(3);
        assert_eq!(visits(&stage), []);
    });
}

/// The writes to the alias: when, and which weights.
type Writes = Vec<(Time, String)>;

/// A rollout that an alarm rolls back, with these recipients, under this fault; the writes, and how long all of it took.
fn played(to: &[&str], page: Option<WebPage>, fault: Option<Fault>) -> (Writes, Duration, Output) {
    play(async {
        let stage = Stage::story_with("hello-idle", |settings| settings.latency = FIXED..=FIXED).await;
        stage.with(|world| {
            world.create_topic("deploys");
            world.host_repository(REPOSITORY);
            if let Some(page) = page {
                world.put_page(PAGE, page);
            }
            if let Some(fault) = fault {
                world.add_fault(fault);
            }
        });
        stage.alarm_in(100);
        let began = stage.now();
        let request = with(request(), |policy| policy.poll = Duration::from_secs(1));
        let output = stage.rollout(told(request, to)).await.exits(10);
        let writes = stage.writes().iter().map(|write| (write.at, format!("{:?}", write.after().unwrap().weights))).collect();
        (writes, stage.now().since(began), output)
    })
}

const FIXED: Duration = Duration::from_millis(40);

/// The same writes at the same milliseconds, whoever is told and however they take it; and after the end a minute at most.
#[test]
fn a_recipient_that_hangs_delays_no_write() {
    let (writes, alone, _) = played(&[], None, None);
    assert!(writes.len() > 4, "{writes:?}");
    let topic = format!("sns:{TOPIC}");
    let hangs = |call: &str| Some(Fault::on(call, Effect::Stall));
    for (to, page, fault, waits) in [
        (vec![PAGE], Some(WebPage::new(200, "")), None, false),
        (vec![PAGE], Some(WebPage::new(500, "")), None, true),
        (vec![PAGE], Some(WebPage::silent()), None, true),
        (vec![PAGE, PAGE, PAGE, PAGE], Some(WebPage::silent()), None, true),
        (vec![PAGE], Some(WebPage::new(404, "")), None, false),
        (vec![NOWHERE], None, None, true),
        (vec![topic.as_str()], None, hangs("Publish"), true),
        (vec!["events:default"], None, hangs("PutEvents"), true),
        (vec!["github"], None, None, false),
        (vec!["github"], None, hangs("Visit"), true),
        (vec!["github"], None, Some(Fault::on("Visit", Effect::Refuse)), true),
        (vec!["github", "github:other", PAGE], Some(WebPage::silent()), hangs("Visit"), true),
        (vec!["sns:arn:aws:sns:us-east-1:111111111111:none"], None, None, false),
    ] {
        let (seen, took, output) = played(&to, page.clone(), fault);
        assert_eq!(seen, writes, "{to:?} {page:?}");
        let after = took.saturating_sub(alone);
        assert!(after <= Duration::from_secs(61), "{to:?} {page:?}: {after:?}");
        assert_eq!(after > Duration::from_secs(30), waits, "{to:?} {page:?}: {after:?}");
        output.lacks("hush");
    }
}

#[test]
fn what_could_not_be_sent_is_a_warning_without_the_secret() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.put_page(PAGE, WebPage::new(403, "not with hush")));
        let output = stage.rollout(told(short(), &[PAGE])).await.exits(0);
        output.says("the notification `started` could not be sent to https://hooks.example/…: HTTP status 403").lacks("hush");
        assert_eq!(visits(&stage).len(), 2, "refused for good: each is tried once");
    });
    play_on("hello-idle", async |stage| {
        let output = stage.rollout(told(short(), &[NOWHERE])).await.exits(0);
        output.says("could not be sent to https://nowhere.example/…: POST: ").lacks("hush");
    });
}

#[test]
fn a_page_that_comes_back_within_a_minute_is_told() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            world.put_page(PAGE, WebPage::new(200, ""));
            world.add_fault(Fault::on("Visit", Effect::Refuse).calls(1..=3));
        });
        stage.rollout(told(short(), &[PAGE])).await.exits(0).lacks("could not be sent");
        assert_eq!(visits(&stage).len(), 2);
    });
}

/// A CI system kills soon after it has asked a job to end.
#[test]
fn after_a_signal_nothing_is_awaited_for_long() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.put_page(PAGE, WebPage::silent()));
        let signalled = async { stage.sleep(90).await };
        let request = told(short(), &[PAGE]);
        let output = stage.rollout_interrupted(&request, Interrupt::Stop, signalled).await.exits(13);
        let ended = output.events.last().unwrap().at;
        let waited = stage.now().since(Time::from_millis(i64::try_from(ended.as_millis()).unwrap()));
        assert!(waited <= Duration::from_secs(6), "{waited:?}");
    });
}

#[test]
fn a_pause_is_told_with_what_ends_it() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.put_page(SLACK, WebPage::new(200, "ok")));
        let person = async {
            stage.until(|| !stage.shares("42").is_empty()).await;
            let span = Duration::from_mins(2);
            let pause = rollout::operate::Operation::Pause { span, then: rollout::note::AfterPause::Resume };
            stage.order(&crate::stage::subject(), pause).await;
        };
        stage.rollout_while(told(short(), &[SLACK]), person).await.exits(0);
        let texts: Vec<String> =
            visits(&stage).iter().map(|visit| json(&visit.body)["text"].as_str().unwrap().to_owned()).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(texts[1].starts_with("*HELD   hello:Live*\n*paused*  manually until "), "{}", texts[1]);
        assert!(texts[1].ends_with("\n`canaryctl resume hello:Live`\n`canaryctl abort hello:Live`"), "{}", texts[1]);
    });
}
