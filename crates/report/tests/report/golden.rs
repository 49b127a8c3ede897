//! Whole rollouts as their readers see them: every story is a file of events and the log that it makes.
//!
//! The events are read, written again as JSON and told as plain lines: a saved file renders like the rollout did.

use std::time::Duration;

use report::{Json, Plain, Reporter, end_block};
use rollout::event::Event;
use rollout::report::Report;
use rollout::{Cause, Outcome};

use crate::fixtures::{alias, events, golden, log as plain, rendered, text};

#[test]
fn every_story_reads_as_it_is_kept() {
    let stories = [
        ("success", "a rollout that goes through"),
        ("alarm", "an alarm takes it back"),
        ("failed_pre_hook", "a failed pre-traffic hook with its log"),
        ("failed_post_hook", "a failed post-traffic hook where nothing is watched"),
        ("superseded", "somebody else changed the alias"),
        ("unconfirmed", "a rollback that nobody confirmed"),
        ("blind", "blind for too long"),
        ("set_by_hand", "another share set by hand, then rolled back by hand"),
        ("interrupted", "interrupted by a signal"),
        ("held", "left in progress on purpose"),
        ("nothing_to_roll_out", "nothing to roll out"),
        ("first_deployment", "a first deployment"),
        ("refused", "refused before anything moved"),
    ];
    for (name, story) in stories {
        let events = events(name);
        let log = plain(&events);
        golden(&format!("{name}.txt"), &log);
        assert_eq!(rendered(&events, |out| Box::new(Json::new(out))), text(&format!("{name}.jsonl")), "{story}");
        assert!(!log.contains('\u{1b}'), "{story}: no escape codes");
        // The block alone: verdict, why, where the traffic is, what to type, in the last ten lines.
        let last: Vec<&str> = log.lines().rev().take(10).collect();
        for word in ["  why  ", "  now  ", "  next  "] {
            assert!(last.iter().any(|line| line.starts_with(word)), "{story}: {word}");
        }
        assert!(last.iter().any(|line| line.starts_with(['✔', '✖', '▸'])), "{story}");
        let block = end_block(events.last().unwrap()).unwrap();
        // The last event alone does not have the weight.
        let words = |line: &str| line.replace("keeps 50% of traffic", "keeps its traffic").split_whitespace().collect::<String>();
        let verdict = log.lines().find(|line| line.starts_with(['✔', '✖', '▸']));
        assert_eq!(block.lines().next().map(words), verdict.map(words), "{story}");
    }
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
        let events = events(name);
        let (last, rest) = events.split_last().unwrap();
        let mut report = Report::default();
        for event in rest {
            report.add(event);
        }
        let traffic = alias(target, None, "").traffic();
        assert_eq!(Some(&report.ending("hello:live", &outcome, None, traffic, last.at)), last.ending(), "{name}");
    }
}

/// Heartbeats are for silence: one that comes soon after another line is left out, one that comes later is not.
#[test]
fn a_heartbeat_breaks_a_silence_and_nothing_else() {
    let events = events("alarm");
    let (heartbeat, shift) = (events[4].clone(), events[3].clone());
    let lines = |seconds: u64| {
        let late = Event { at: shift.at + Duration::from_secs(seconds), ..heartbeat.clone() };
        plain(&[events[0].clone(), shift.clone(), late]).lines().count()
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
    let mut plain = Plain::new(Closed);
    let mut live = report::Live::new(Closed, report::Size::Fixed(80, 24), true);
    for event in events("alarm") {
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
    let at = "2026-11-23T14:03:58.000Z";
    let red = |name| event(&format!(r#""type":"alarm_changed","name":"{name}","state":"ALARM","since":"{at}","reason":"7""#));
    let back = event(
        r#""type":"rollback_started","cause":"alarm","why":"alarm `errors-p99` went to ALARM at 14:03:58, and back since","happened_at":null,"alarm":"errors-p99""#,
    );
    let last = |events: &[Event]| plain(events).lines().last().unwrap().to_owned();
    let told = "ending the rollout: alarm `errors-p99` went to ALARM at 14:03:58, and back since";
    assert!(last(&[red("errors"), back.clone()]).ends_with(told));
    assert!(last(&[red("errors-p99"), back]).ends_with("ending the rollout"), "known already");
}
