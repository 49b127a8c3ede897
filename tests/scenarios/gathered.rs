//! The events of a detached rollout are gathered from the log of the controller's function, and explained and reported as those of one that a
//! process stayed with.

use std::time::Duration;

use controller::Request;
use controller::port::{Cloud, LogSpan};
use report::{Wanted, gathered};
use rollout::event::{Event, EventKind};
use serde_json::Value;

use crate::detached::{CONTROLLER, deploy, detached, on};
use crate::stage::{Stage, request};

/// Everything that the controller's function wrote, as `canaryctl events` reads it.
async fn written(stage: &Stage, rollout_id: &str) -> Vec<Event> {
    // What was written a moment ago is not there yet.
    stage.sleep(60).await;
    let pattern = r#"{ $.function = "hello" && $.alias = "Live" }"#.to_owned();
    let group = format!("/aws/lambda/{CONTROLLER}");
    let now = stage.aws.time();
    let span = LogSpan { group, pattern, from: now - Duration::from_hours(2), to: now };
    let lines = stage.aws.log_lines(&span).await.unwrap();
    let wanted = Wanted { function: "hello", alias: "Live", rollout_id };
    gathered(lines.iter().map(|line| (line.stream.as_str(), line.text.as_str())), wanted)
}

/// Rolled out once by a process that stays and once without one, in the same story; the events of each, the latter with those of the process
/// that began it.
fn both(story: &str, late_doubled: bool, prepare: impl Fn(&Stage)) -> [Vec<Event>; 2] {
    let attached = on(story, async |stage| {
        prepare(&stage);
        stage.rollout(request()).await.events
    });
    let play = async |stage: Stage| {
        deploy(&stage);
        prepare(&stage);
        let begun = stage.rollout(detached(Request { ..request() })).await.exits_as(0, "detached");
        stage.until_looking_every(Duration::from_secs(5), || stage.with(|world| world.schedules().is_empty())).await;
        [begun.events, written(&stage, &begun.ending.rollout_id).await].concat()
    };
    let alone = if late_doubled { crate::detached::by(story, 59, 0.5, play) } else { on(story, play) };
    [attached, alone]
}

fn explained(events: &[Event]) -> Value {
    let lines = report::explanation_json(events);
    assert_eq!(lines.lines().count(), 1, "it is one rollout: {lines}");
    serde_json::from_str(&lines).unwrap()
}

/// When the candidate had which weight, to the minute, in the report.
fn weights(events: &[Event]) -> Vec<String> {
    let document: Value = serde_json::from_str(&report::document(events).to_string()).unwrap();
    let weights = document["rollouts"][0]["weights"].as_array().unwrap();
    let mut found: Vec<String> =
        weights.iter().map(|one| format!("{} {}", &one["since"].as_str().unwrap()[11..16], one["weight"])).collect();
    found.dedup_by_key(|one| one[6..].to_owned());
    found
}

#[test]
fn a_promoted_one_is_told_as_if_a_process_had_stayed() {
    for doubled in [false, true] {
        let [attached, alone] = both("hello", doubled, |_| {});
        let (one, other) = (explained(&attached), explained(&alone));
        assert_eq!((&one["outcome"], &one["why"]), (&other["outcome"], &other["why"]));
        assert_eq!(weights(&attached).len(), 10, "{:?}", weights(&attached));
        if !doubled {
            // Turns that come late shift later.
            assert_eq!((weights(&attached), &one["otherwise"]), (weights(&alone), &other["otherwise"]));
        }
        let count = |events: &[Event], is: fn(&EventKind) -> bool| events.iter().filter(|event| is(&event.what)).count();
        let begins = |events: &[Event]| count(events, |what| matches!(what, EventKind::Started(_)));
        assert_eq!((begins(&attached), begins(&alone)), (1, 2), "that of the process, and one for all turns");
        let shifts = |events: &[Event]| count(events, |what| matches!(what, EventKind::WeightShifted { .. }));
        assert_eq!((shifts(&attached), shifts(&alone)), (10, 10));
        assert!(alone.is_sorted_by_key(|event| event.at));
        assert!(alone.last().unwrap().ending().is_some());
    }
}

#[test]
fn one_that_an_alarm_rolled_back_is_told_as_if_a_process_had_stayed() {
    let [attached, alone] = both("hello-idle", false, |stage| stage.alarm_in(130));
    let (one, other) = (explained(&attached), explained(&alone));
    assert_eq!((&one["outcome"], &one["why"]), (&other["outcome"], &other["why"]));
    assert_eq!(weights(&attached), weights(&alone));
    // Without what the process wrote that began it, it is known where it stood.
    let turns = &alone[alone.iter().position(|event| event.ending().is_some()).unwrap() + 1..];
    assert_eq!(explained(turns)["outcome"], one["outcome"]);
}
