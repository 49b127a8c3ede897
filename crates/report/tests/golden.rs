//! Whole rollouts as their readers see them: every story is a file of events and the log that it makes.
//!
//! The events are read, written again as JSON and told as plain lines: a saved file renders like the rollout did.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to fail where it stands")]

use std::time::Duration;

use report::{Json, Plain, Reporter, end_block};
use rollout::alias::Target;
use rollout::event::Event;
use rollout::report::Report;
use rollout::{Alias, Cause, Outcome, Version};

/// A story's events, and its log.
fn story(name: &str) -> (String, String) {
    let read = |kind: &str| {
        let path = format!("{}/tests/golden/{name}.{kind}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    (read("jsonl"), read("txt"))
}

fn events(json: &str) -> Vec<Event> {
    json.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn told(make: impl FnOnce(&mut Vec<u8>) -> Box<dyn Reporter + '_>, events: &[Event]) -> String {
    let mut out = Vec::new();
    let mut reporter = make(&mut out);
    for event in events {
        reporter.event(event).unwrap();
    }
    reporter.finish().unwrap();
    drop(reporter);
    String::from_utf8(out).unwrap()
}

fn check(name: &str) {
    let (json, log) = story(name);
    let events = events(&json);
    assert_eq!(told(|out| Box::new(Json::new(out)), &events), json, "{name}");
    assert_eq!(told(|out| Box::new(Plain::new(out)), &events), log, "{name}");
    assert!(!log.contains('\u{1b}'), "{name}: no escape codes");
    // The block alone: verdict, why, where the traffic is, what to type, in the last ten lines.
    let last: Vec<&str> = log.lines().rev().take(10).collect();
    for word in ["  why  ", "  now  ", "  next  "] {
        assert!(last.iter().any(|line| line.starts_with(word)), "{name}: {word}");
    }
    assert!(last.iter().any(|line| line.starts_with(['✔', '✖', '▸'])), "{name}");
    let block = end_block(events.last().unwrap()).unwrap();
    assert_eq!(block.lines().next(), log.lines().find(|line| line.starts_with(['✔', '✖', '▸'])), "{name}");
}

#[test]
fn a_rollout_that_goes_through() {
    check("success");
}

#[test]
fn an_alarm_takes_it_back() {
    check("alarm");
}

#[test]
fn a_failed_pre_traffic_hook_with_its_log() {
    check("failed_pre_hook");
}

#[test]
fn a_failed_post_traffic_hook_where_nothing_is_watched() {
    check("failed_post_hook");
}

#[test]
fn somebody_else_changed_the_alias() {
    check("superseded");
}

#[test]
fn a_rollback_that_nobody_confirmed() {
    check("unconfirmed");
}

#[test]
fn blind_for_too_long() {
    check("blind");
}

#[test]
fn another_share_set_by_hand_then_rolled_back_by_hand() {
    check("set_by_hand");
}

#[test]
fn interrupted_by_a_signal() {
    check("interrupted");
}

#[test]
fn left_in_progress_on_purpose() {
    check("held");
}

#[test]
fn nothing_to_roll_out() {
    check("nothing_to_roll_out");
}

#[test]
fn a_first_deployment() {
    check("first_deployment");
}

#[test]
fn refused_before_anything_moved() {
    check("refused");
}

/// The files stay true: their endings are what the pure core makes of their events.
#[test]
fn the_endings_are_those_that_the_events_add_up_to() {
    let rows = [
        ("success", 42, Outcome::Promoted),
        ("alarm", 41, Outcome::RolledBack(Cause::Alarm)),
        ("failed_pre_hook", 41, Outcome::RolledBack(Cause::PreHook)),
        ("failed_post_hook", 41, Outcome::RolledBack(Cause::PostHook)),
        ("blind", 41, Outcome::RolledBack(Cause::Blind)),
        ("set_by_hand", 41, Outcome::RolledBack(Cause::Hand)),
        ("interrupted", 41, Outcome::RolledBack(Cause::Signal)),
        ("superseded", 43, Outcome::Superseded),
        ("nothing_to_roll_out", 41, Outcome::Unchanged),
    ];
    for (name, target, outcome) in rows {
        let events = events(&story(name).0);
        let (last, rest) = events.split_last().unwrap();
        let mut report = Report::default();
        for event in rest {
            report.add(event);
        }
        let target = Target::Version(Version::new(target).unwrap());
        let alias = Alias { target, weights: Vec::new(), description: String::new() };
        assert_eq!(Some(&report.ending("hello:live", &outcome, None, alias.traffic(), last.at)), last.ending(), "{name}");
    }
}

/// Heartbeats are for silence: one that comes soon after another line is left out, one that comes later is not.
#[test]
fn a_heartbeat_breaks_a_silence_and_nothing_else() {
    let events = events(&story("alarm").0);
    let (heartbeat, shift) = (events[4].clone(), events[3].clone());
    let lines = |seconds: u64| {
        let late = Event { at: shift.at + Duration::from_secs(seconds), ..heartbeat.clone() };
        told(|out| Box::new(Plain::new(out)), &[events[0].clone(), shift.clone(), late]).lines().count()
    };
    assert_eq!((lines(29), lines(30)), (3, 4));
}

/// A writer that is gone: the error comes back, and the next event finds the reporter in order.
#[test]
fn a_closed_pipe_is_an_error_and_nothing_more() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (json, _) = story("alarm");
    let mut plain = Plain::new(Closed);
    let mut live = report::Live::new(Closed, report::Size::Fixed(80, 24), true);
    for event in events(&json) {
        assert_eq!(plain.event(&event).unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
        assert!(live.event(&event).is_err());
    }
}

/// An alarm's name may be a part of another's: only the one that the way back rests on was told before.
#[test]
fn a_way_back_for_one_alarm_is_not_taken_for_another() {
    let event = |rest: &str| -> Event {
        let head = r#""v":1,"at":"2026-11-23T14:03:58.000Z","function":"hello","alias":"live""#;
        serde_json::from_str(&format!("{{{head},{rest}}}")).unwrap()
    };
    let red = |name: &str| {
        event(&format!(
            r#""type":"alarm_changed","name":"{name}","state":"ALARM","since":"2026-11-23T14:03:58.000Z","reason":"7""#
        ))
    };
    let back = event(
        r#""type":"rollback_started","cause":"alarm","why":"alarm `errors-p99` went to ALARM at 14:03:58, and back since","happened_at":null,"alarm":"errors-p99""#,
    );
    let last = |events: &[Event]| told(|out| Box::new(Plain::new(out)), events).lines().last().unwrap().to_owned();
    assert!(
        last(&[red("errors"), back.clone()])
            .ends_with("ending here: alarm `errors-p99` went to ALARM at 14:03:58, and back since")
    );
    assert!(last(&[red("errors-p99"), back]).ends_with("ending here"), "told already");
}
