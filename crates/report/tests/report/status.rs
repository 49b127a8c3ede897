//! `status` explains every alias there can be, in one screen, and says what to type next.

use report::{no_alias_text, status_json, status_text};
use rollout::Time;
use rollout::alias::Alias;
use serde_json::{Value, json};

use crate::fixtures::{self, at, subject, weight};

/// 18 seconds after the step of the notes below began.
fn now() -> Time {
    at(38)
}

/// An alias with a note that began at 14:00:33 and is in force since 14:02:33; `{}` in it is a lease.
fn alias(target: u64, canary: Option<(u64, u16)>, note: &str) -> Alias {
    let note = if note.is_empty() { String::new() } else { format!("[canaryctl/1 7f3ac2e1 k4q9 {note}]") };
    fixtures::alias(target, canary.map(|(version, points)| (version, weight(points))), &note)
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    while number > 0 {
        digits.push(char::from_digit(u32::try_from(number % 36).unwrap(), 36).unwrap());
        number /= 36;
    }
    digits.into_iter().rev().collect()
}

/// The times of a note, in seconds from now.
fn times(begun: i64, since: i64, due: Option<i64>, lease: Option<i64>) -> String {
    let at = |offset: i64| base36(now().as_secs().checked_add_signed(offset).unwrap());
    let field = |key: &str, offset: Option<i64>| offset.map_or_else(String::new, |offset| format!(" {key}={}", at(offset)));
    format!("t={} s={}{}{}", at(begun), at(since), field("d", due), field("l", lease))
}

fn text(alias: &Alias) -> String {
    status_text(&subject(), alias, None, None, now())
}

fn json(alias: &Alias) -> Value {
    status_json(&subject(), Some(alias), now())
}

fn running(lease: Option<i64>) -> Alias {
    alias(41, Some((42, 3000)), &format!("shift 41>42 30% 3/10 {} x=39h", times(-138, -18, Some(42), lease)))
}

#[test]
fn a_rollout_in_progress() {
    let expected = "\
hello:live   41 ▸ 42   rollout 7f3ac2e1
  traffic   70% on 41, 30% on 42
  state     step 3 of 10, 30% of traffic since 14:02:33 (18s); next step at 14:03:33 (in 42s)
  owner     process k4q9; another rollout must wait until 14:04:33 (its lease)
  rejected  39 (rolled back manually); refused unless you use --again
  next      canaryctl rollback hello   puts all traffic on 41
";
    assert_eq!(text(&running(Some(102))), expected);
    let expected = json!({
        "v": 1, "type": "status", "at": "2026-11-23T14:02:51.000Z", "function": "hello", "alias": "live",
        "alias_state": "running", "traffic": "70% on 41, 30% on 42", "stable": "41", "candidate": "42", "weight": 0.3,
        "phase": "shift", "step": 3, "steps": 10, "rollout_id": "7f3ac2e1", "owner": "k4q9", "detached": false, "orphaned": false,
        "next_step_at": "2026-11-23T14:03:33.000Z", "paused": false, "last_outcome": null, "last_cause": null, "rejected": ["39"],
    });
    assert_eq!(json(&running(Some(102))), expected);
}

#[test]
fn an_owner_that_died_or_left() {
    let dead = text(&running(Some(-100)));
    let owner = "  owner     none: the lease of k4q9 expired at 14:01:11, 1m 40s ago; abandoned: no process drives it\n";
    assert!(dead.contains(owner), "{dead}");
    assert_eq!(json(&running(Some(-100)))["orphaned"], true);
    let left = text(&running(None));
    assert!(left.contains("  owner     none: k4q9 left it in progress; abandoned: no process drives it\n"), "{left}");
    assert_eq!(json(&running(None))["orphaned"], true);
}

#[test]
fn paused_and_unmonitored_and_running_a_hook() {
    let times = times(-138, -18, Some(42), Some(102));
    let [pause, blind, hook] = [600, -5, 900].map(|offset| base36(now().as_secs().checked_add_signed(offset).unwrap()));
    let alias = alias(41, Some((42, 10_000)), &format!("post 41>42 {times} u={pause}.b b={blind} k=2.{hook}"));
    let expected = "\
hello:live   41 ▸ 42   rollout 7f3ac2e1
  traffic   100% on 42
  state     post-traffic hook running since 14:02:33 (18s)
  paused    until 14:12:51, then it rolls back
  warning   monitoring unavailable since 14:02:46 (5s): CloudWatch cannot be read
  hook      attempt 2, fails if there is no answer by 14:17:51
  owner     process k4q9; another rollout must wait until 14:04:33 (its lease)
  next      canaryctl resume hello     ends the pause
            canaryctl rollback hello   puts all traffic on 41
";
    assert_eq!(text(&alias), expected);
    assert_eq!(json(&alias)["paused"], true);
}

/// A row of the table: an alias, the word for programs, what people read, and the command.
type Row = (Alias, &'static str, &'static str, &'static str);

const ROLLOUT: &str = "canaryctl rollout hello ";
const ROLLBACK: &str = "canaryctl rollback hello ";
const TO_41: &str = "canaryctl rollback hello --to 41 ";

fn check(rows: impl IntoIterator<Item = Row>) {
    for (alias, word, said, command) in rows {
        let text = text(&alias);
        assert_eq!(json(&alias)["alias_state"], word, "{text}");
        assert!(text.contains(said), "{said}: {text}");
        let next = format!("\n  next      {command}");
        assert!(text.contains(&next), "{command}: {text}");
        assert!(text.lines().count() <= 12, "{text}");
        assert!(!text.lines().any(str::is_empty), "{text}");
    }
}

#[test]
fn every_idle_alias_has_its_words_and_its_command() {
    let over = times(-138, -18, None, None);
    let at = |target, canary, phase: &str| alias(target, canary, &format!("{phase} {over}"));
    check([
        (alias(41, None, ""), "idle", "no earlier one is recorded", ROLLOUT),
        (alias(41, Some((42, 0)), ""), "idle", "42 has a weight of 0", ROLLOUT),
        (alias(0, None, ""), "idle", "on $LATEST", "canaryctl pin hello"),
        (at(42, None, "promoted 41>42"), "idle", "promoted 42 at 14:02:33, replacing 41", ROLLBACK),
        (at(1, None, "promoted ->1"), "idle", "14:02:33, the first version", ROLLOUT),
        (at(7, None, "promoted 41>42"), "idle", "something else has moved the alias to 7 since", ROLLOUT),
        (at(41, None, "back 41>42 alarm"), "idle", "the last rollout, of 42, ended at 14:02:33: an alarm fired", ROLLOUT),
        (at(41, None, "back 41>42 signal"), "idle", "interrupted (SIGINT or SIGTERM)", ROLLOUT),
        (at(41, None, "back 41>41 unchanged"), "idle", "nothing to roll out", ROLLOUT),
    ]);
}

#[test]
fn every_other_standing_has_its_words_and_its_command() {
    let live = times(-138, -18, Some(42), Some(102));
    let at = |target, canary, phase: &str| alias(target, canary, &format!("{phase} {live}"));
    let baked = |due| alias(41, Some((42, 10_000)), &format!("bake 41>42 {}", times(-138, -18, due, Some(102))));
    let newer = Alias { description: "[canaryctl/2 7f3ac2e1 k4q9 new]".to_owned(), ..alias(41, None, "") };
    check([
        (alias(41, Some((42, 1000)), ""), "foreign", "another tool is rolling out", TO_41),
        (at(41, None, "claim 41>-"), "acquired", "traffic unchanged", ROLLBACK),
        (at(41, None, "pre 41>42"), "acquired", "pre-traffic hook running", ROLLBACK),
        (at(41, Some((42, 10_000)), "bake 41>42"), "running", "the bake ends at 14:03:33 (in 42s)", ROLLBACK),
        (baked(Some(-1)), "running", "(18s); the bake is over", ROLLBACK),
        // Promoted manually.
        (baked(None), "running", "(18s); the owner will end the bake", ROLLBACK),
        (at(1, None, "post ->1"), "running", "post-traffic hook running", "canaryctl status hello "),
        (at(41, Some((42, 500)), "bake 41>42"), "set_by_hand", "5% of traffic, the rollout had set 100%", ROLLBACK),
        (at(41, None, "bake 41>42"), "cleared_by_hand", "the traffic of 42 was removed", ROLLBACK),
        (at(42, None, "bake 41>42"), "promoted_elsewhere", "something else made 42 the alias' version", TO_41),
        (at(43, None, "bake 41>42"), "contended", "no longer matches what the rollout recorded", TO_41),
        (newer, "newer_format", "a newer canaryctl", "canaryctl status hello "),
    ]);
}

#[test]
fn weights_without_a_note_are_told_apart_where_that_is_possible() {
    let foreign = alias(42, Some((41, 10_000)), "");
    let shown = |provisioned| status_text(&subject(), &foreign, provisioned, None, now());
    let expected = "\
hello:live   42
  traffic   100% on 41
  state     41 has 100% of the traffic, and no rollout is recorded; canaryctl does not change it:
            AWS is moving this alias' provisioned concurrency, or another tool is rolling out
  next      canaryctl status hello             again in a few minutes: AWS removes the weights when it is done
            canaryctl rollback hello --to 42   puts all traffic on 42
";
    assert_eq!(shown(Some(true)), expected);
    let other = shown(Some(false));
    assert!(!other.contains("provisioned") && other.contains("  next      canaryctl rollback hello --to 42 "), "{other}");
}

/// Where something else has moved the alias, both ways out are shown: either ends the rollout whose note still stands.
#[test]
fn a_rollout_that_was_overtaken_can_be_ended_either_way() {
    let live = times(-138, -18, Some(42), Some(102));
    for target in [42, 43] {
        let text = text(&alias(target, None, &format!("bake 41>42 {live}")));
        for version in [41, target] {
            assert!(text.contains(&format!(" canaryctl rollback hello --to {version} ")), "{text}");
        }
    }
}

#[test]
fn an_alias_that_does_not_exist() {
    let text = no_alias_text(&subject(), None);
    assert!(text.starts_with("hello:live   does not exist\n"), "{text}");
    assert!(text.ends_with("  next      canaryctl rollout hello --type <SCHEDULE>   creates it on a new version\n"), "{text}");
    let text = no_alias_text(&subject(), Some(("hello has no alias `live`; it has `Live`", "hello:Live")));
    assert!(
        text.contains("it has `Live`\n") && text.contains("canaryctl status hello:Live ") && !text.contains("creates"),
        "{text}"
    );
    let json: Value = status_json(&subject(), None, now());
    assert_eq!((&json["alias_state"], &json["stable"], &json["weight"]), (&json!("missing"), &Value::Null, &json!(0.0)));
}

#[test]
fn the_last_outcome_for_programs() {
    let over = times(-138, -18, None, None);
    let rows = [
        (42, "promoted 41>42", json!("promoted"), json!(null)),
        (41, "back 41>42 alarm", json!("rolled_back"), json!("alarm")),
        (41, "back 41>41 unchanged", json!("unchanged"), json!("unchanged")),
        (41, "back 41>42 rejected", json!("refused"), json!("rejected")),
        (41, "back 41>42 failed", json!("failed"), json!("failed")),
    ];
    for (target, note, outcome, cause) in rows {
        let json = json(&alias(target, None, &format!("{note} {over}")));
        assert_eq!((&json["last_outcome"], &json["last_cause"]), (&outcome, &cause), "{note}");
        assert_eq!((&json["candidate"], &json["stable"]), (&Value::Null, &json!(target.to_string())), "{note}");
    }
}

/// What others wrote into the description cannot steer the terminal that shows it.
#[test]
fn the_users_text_is_shown_without_its_escapes() {
    let alias = Alias { description: "shop \u{1b}[2Jcheckout\u{7}".to_owned(), ..alias(41, None, "") };
    assert!(text(&alias).contains("  text      shop checkout\n"));
}

#[test]
fn held_up_by_what_the_calls_say() {
    let note = |fields: &str| {
        alias(41, Some((42, 3000)), &format!("shift 41>42 30% 3/10 {}{fields}", times(-138, -18, Some(42), Some(300))))
    };
    let held = text(&note(" a=3c w=8c"));
    assert!(held.contains("  held      this step is extended by 5m so far: too few invocations\n"), "{held}");
    assert!(held.contains("2m in total so far: the new version was possibly worse"), "{held}");
    assert!(!text(&note("")).contains("held"));
}
