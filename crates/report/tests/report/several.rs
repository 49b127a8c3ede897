//! Several functions at a time: a row for each in the live view, a line for each end, and one end for all that says it in ten lines.

use report::{Ci, Live, LiveState, Plain, Size, System, document, frame, html, markdown};
use rollout::event::{Event, EventKind, GroupOutcome, MemberEnding, RolloutSummary};

use crate::fixtures::{self, at, events, known, rendered};

/// The story in which an alarm goes off, as it befell this function.
fn story(function: &str) -> Vec<Event> {
    events("alarm").into_iter().map(|event| Event { function: function.to_owned(), ..event }).collect()
}

/// Three functions side by side; the second has the alarm, and the others see nothing of it by then.
fn group() -> Vec<Event> {
    let quiet = |function| story(function).into_iter().filter(|event| event.at <= at(79));
    let mut events: Vec<Event> = quiet("bills").chain(story("mails")).chain(quiet("orders")).collect();
    events.sort_by_key(|event| event.at);
    events
}

fn ending(function: &str, outcome: &str, exit_code: u8, kind: &str, detail: &str) -> MemberEnding {
    let of_mails = story("mails").iter().find_map(Event::ending).unwrap().clone();
    let reason = rollout::event::EndReason { kind: serde_json::from_value(kind.into()).unwrap(), detail: detail.to_owned() };
    let ending = RolloutSummary { outcome: serde_json::from_value(outcome.into()).unwrap(), exit_code, reason, ..of_mails };
    MemberEnding { function: function.to_owned(), alias: "live".to_owned(), ending }
}

fn end(exit_code: u8, members: Vec<MemberEnding>) -> Event {
    let outcome = GroupOutcome { exit_code, together: true, members };
    let what = EventKind::GroupOutcome(Box::new(outcome));
    Event { v: 1, at: at(120), function: String::new(), alias: String::new(), what }
}

/// The last lines of a log that ends so.
fn last_lines(event: &Event) -> String {
    rendered([event], |out| Box::new(Plain::of_a_group(out))).trim().to_owned()
}

#[test]
fn a_row_for_each_and_problems_first() {
    let state = known(LiveState::of_a_group(), &group());
    let shown = fixtures::shown(&state, at(110), 100);
    let expected = "\
3 functions   Linear 10% every minute   01:50 of about 12:00
  mails:live   41 ▸ 42    20%     ✖ 1 in ALARM  rolled back: an alarm fired
  bills:live   41 ▸ 42    20%     ✔ alarms 1  next step in 0:11
  orders:live  41 ▸ 42    20%     ✔ alarms 1  next step in 0:11";
    assert!(shown.starts_with(expected), "{shown}");
    assert!(shown.ends_with("  to roll back:  canaryctl rollback"), "{shown}");
    for width in [60, 80, 200] {
        for line in frame(&state, at(110), width, false) {
            assert!(unicode_width::UnicodeWidthStr::width(line.as_str()) <= width, "{line}");
        }
    }
}

#[test]
fn a_hundred_functions_keep_to_one_screen() {
    let stories = (0..100).flat_map(|index| story(&format!("function{index:02}"))).filter(|event| event.at <= at(79));
    let lines = frame(&known(LiveState::of_a_group(), &stories.collect::<Vec<_>>()), at(80), 100, true);
    assert!(lines.len() <= 24, "{}", lines.len());
    assert!(lines.iter().any(|line| line.contains("and 84 more")), "{lines:#?}");
}

#[test]
fn the_view_ends_with_all_of_them() {
    let mut events = group();
    events.push(end(10, vec![ending("mails", "rolled_back", 10, "alarm", "alarm `HelloFooAlarm` went off")]));
    let text = rendered(&events, |out| Box::new(Live::of_a_group(out, Size::Fixed(100, 30), false)));
    let (before, after) = text.rsplit_once("✖ ROLLED BACK   all 1 function stay").unwrap();
    assert!(before.contains("mails:live  ended     ✖ ROLLED BACK") || before.contains("mails:live"), "{before}");
    assert!(!after.contains("to roll back:"), "the view is gone: {after}");
}

#[test]
fn the_end_names_who_decided_it() {
    let mails = || ending("mails", "rolled_back", 10, "alarm", "alarm `m` went to ALARM at 14:03:58 (Errors 7 ≥ 1)");
    let along = |function| ending(function, "rolled_back", 10, "group", "mails:live rolls back: an alarm fired");
    let log = last_lines(&end(10, vec![along("bills"), mails(), along("orders")]));
    assert!(log.starts_with("✖ ROLLED BACK   all 3 functions stay on their stable versions"), "{log}");
    assert!(log.contains("why       mails:live: alarm `m` went to ALARM"), "{log}");
    assert!(log.contains("now       all 3 on stable") && log.lines().count() <= 10, "{log}");
    let lost = ending("orders", "rollback_unconfirmed", 20, "rollback_unconfirmed", "the alias could not be written");
    let log = last_lines(&end(20, vec![along("bills"), mails(), lost]));
    assert!(log.starts_with("✖ ROLLBACK NOT CONFIRMED   1 of 3 functions: page someone"), "{log}");
    assert!(log.contains("now       bills:live, mails:live on stable; orders:live NOT CONFIRMED"), "{log}");
    let done = |function, outcome| ending(function, outcome, 0, outcome, "");
    let log = last_lines(&end(0, vec![done("bills", "promoted"), done("mails", "unchanged"), done("orders", "promoted")]));
    assert!(log.starts_with("✔ PROMOTED   2 of 3 functions are on new versions; the others had nothing new"), "{log}");
    // Whoever could have begun, or gone on, is not why nothing was.
    for nothing in ["nothing was begun", "nothing was gone on with"] {
        let held_up = ending("bills", "refused", 3, "held_up", &format!("{nothing}: mails:live of its group cannot"));
        let refused = ending("mails", "refused", 3, "refused", "alarm `m` does not exist");
        let log = last_lines(&end(3, vec![held_up, refused]));
        assert!(log.contains("REFUSED   2 functions: traffic unchanged"), "{log}");
        assert!(log.contains("mails:live: alarm `m` does not") && !log.contains("bills:live"), "{log}");
    }
}

/// Whether the second stands after the first.
fn in_turn(text: &str, first: &str, second: &str) -> bool {
    text.split_once(first).is_some_and(|(_, rest)| rest.contains(second))
}

#[test]
fn a_report_begins_with_all_of_them() {
    let mails = ending("mails", "rolled_back", 10, "alarm", "alarm `m` went off");
    let along = ending("bills", "rolled_back", 10, "group", "mails:live rolls back: an alarm fired");
    let mut events = group();
    events.push(end(10, vec![along, mails]));
    let page = html(&events);
    assert!(page.contains("<title>all 2 functions stay on their stable versions</title>"), "{page}");
    assert!(page.contains("<td>bills:live</td><td>✖ ROLLED BACK</td><td>mails:live rolls back: an alarm fired</td>"), "{page}");
    assert!(in_turn(&page, "all 2 functions stay on their stable versions</h1>", "mails:live stays on 41</h1>"), "{page}");
    let text = markdown(&events);
    assert!(text.starts_with("## ✖ ROLLED BACK: all 2 functions stay on their stable versions\n"), "{text}");
    assert!(text.contains("| bills:live | ✖ ROLLED BACK | mails:live rolls back: an alarm fired |"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&document(&events)).unwrap();
    assert_eq!((json["several"]["exit_code"].as_u64(), json["rollouts"].as_array().map(Vec::len)), (Some(10), Some(3)));
    let one: serde_json::Value = serde_json::from_str(&document(&story("mails"))).unwrap();
    assert!(one.get("several").is_none(), "of one function there are not several");
}

#[test]
fn github_is_told_of_the_one_that_failed_and_of_all_once() {
    let mut events = group();
    events.push(end(10, vec![ending("mails", "rolled_back", 10, "alarm", "alarm `m` went off")]));
    let text = rendered(&events, |out| Box::new(Ci::of_a_group(out, System::GitHub)));
    assert_eq!(text.matches("::error title=").count(), 2, "{text}");
    assert_eq!(text.matches("::group::").count(), text.matches("::endgroup::").count(), "{text}");
}
