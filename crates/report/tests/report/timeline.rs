//! `plan` shows every step, everything that is watched, and the rules.

use std::time::Duration;

use report::{plan_json, plan_text};
use rollout::note::{Owner, RolloutId};
use rollout::plan::{InsufficientData, OnInterrupt, Plan, Preexisting, Source};
use rollout::policy::Policy;
use rollout::{Time, Version};
use serde_json::json;

use crate::fixtures::{assert_has, at, subject};

fn plan(schedule: &str) -> Plan {
    Plan {
        began: Time::default(),
        entry: rollout::plan::Entry::Fresh,
        id: RolloutId(0x7f3a_c2e1),
        owner: Owner::from_random(1),
        stable: Version::new(41),
        source: Source::Publish,
        schedule: schedule.parse().unwrap(),
        bake: Duration::from_mins(3),
        alarms: vec!["HelloFooAlarm".to_owned()],
        managed: Vec::new(),
        policy: Policy::default(),
        countable: true,
        durable: false,
        pre_hook: Some("preHook".to_owned()),
        post_hook: Some("arn:aws:lambda:eu-west-1:123456789012:function:postHook".to_owned()),
        step_hook: None,
        group: rollout::Names::default(),
        gates: Vec::new(),
        signals: Vec::new(),
        checks: Vec::new(),
    }
}

#[test]
fn a_timeline_with_everything_in_it() {
    let expected = "\
hello:live   41 ▸ new version   Linear30PercentEvery1Minute, about 6m
  before    pre-traffic hook preHook: traffic moves only if it succeeds
  t = 0     30%
  1m        60%
  2m        90%
  3m        100%, then bake for 3m: still watched, a rollback is one write
  6m        post-traffic hook postHook, then promoted; rolls back to 41 if it fails
  watched   alarm HelloFooAlarm
            read every 5s; an alarm in ALARM rolls back
            no data counts as OK (--insufficient-data ok)
            in ALARM before the start: refused (--preexisting-alarm fail)
            if CloudWatch cannot be read: holds, rolls back after 10m (--blind-limit)
  interrupt rolls back (--on-interrupt rollback)
  rollback  canaryctl rollback hello
";
    assert_eq!(plan_text(&subject(), &plan("Linear30PercentEvery1Minute"), None), expected);
}

#[test]
fn nothing_watched_is_said_plainly() {
    let plan = Plan {
        alarms: Vec::new(),
        bake: Duration::ZERO,
        pre_hook: None,
        post_hook: None,
        source: Source::Version(Version::new(42).unwrap()),
        policy: Policy { on_interrupt: OnInterrupt::Hold, ..Policy::default() },
        ..plan("AllAtOnce")
    };
    let expected = "\
hello:live   41 ▸ 42   AllAtOnce
  t = 0     100%
  t = 0     promoted
  watched   nothing: only the schedule moves traffic
  interrupt leaves traffic unchanged (--on-interrupt hold)
  rollback  canaryctl rollback hello
";
    assert_eq!(plan_text(&subject(), &plan, None), expected);
}

#[test]
fn a_long_timeline_is_shortened() {
    let text = plan_text(&subject(), &plan("Linear1PercentEvery1Minute"), None);
    assert_has(&text, &["  3m        4%\n  …         94 more steps, one every 1m\n  1h 38m    99%\n  1h 39m    100%,"]);
    assert!(text.lines().count() <= 20, "{text}");
}

#[test]
fn every_policy_is_named() {
    let text = |policy: Policy| plan_text(&subject(), &Plan { policy, ..plan("AllAtOnce") }, None);
    let (insufficient_data, preexisting_alarm) = (InsufficientData::Hold, Preexisting::Wait);
    let shown = text(Policy { insufficient_data, preexisting_alarm, ..Policy::default() });
    assert_has(&shown, &["no data holds the traffic, for at most 10m", "waits up to 1h"]);
    let (insufficient_data, preexisting_alarm) = (InsufficientData::RollBack, Preexisting::Ignore);
    let shown = text(Policy { insufficient_data, preexisting_alarm, ..Policy::default() });
    assert_has(&shown, &["no data rolls back", "only a new ALARM counts"]);
}

#[test]
fn a_first_deployment_has_no_steps_and_no_way_back() {
    let text = plan_text(&subject(), &Plan { stable: None, alarms: Vec::new(), ..plan("Linear10PercentEvery1Minute") }, None);
    assert_has(&text, &["first deployment", "  t = 0     the alias is created with 100% of traffic on it"]);
    assert!(!text.contains("10%") && !text.contains("rollback hello"), "{text}");
}

#[test]
fn the_plan_for_programs() {
    let mut found = plan_json(&subject(), &plan("Canary10Percent5Minutes"), None, at(38));
    assert_eq!(found["plan_hash"].as_str().map(str::len), Some(8));
    found.as_object_mut().unwrap().remove("plan_hash");
    let expected = json!({
        "v": 1, "type": "plan", "at": "2026-11-23T14:02:51.000Z", "function": "hello", "alias": "live",
        "stable": "41", "candidate": null, "source": "publish", "schedule": "Canary10Percent5Minutes",
        "steps": [{"after_seconds": 0, "weight": 0.1}, {"after_seconds": 300, "weight": 1.0}],
        "every_seconds": 300, "bake_seconds": 180, "total_seconds": 480,
        "pre_hook": "preHook", "step_hook": null, "post_hook": "arn:aws:lambda:eu-west-1:123456789012:function:postHook",
        "checks": [], "watched": true, "alarms": ["HelloFooAlarm"], "managed_alarms": [], "poll_ms": 5000, "analysis": "off",
        "sensitive": false, "latency": "report", "min_requests": 0, "max_hold_seconds": 1800, "on_low_traffic": "rollback", "insufficient_data": "ok", "preexisting_alarm": "fail",
        "blind_limit_seconds": 600, "on_interrupt": "rollback", "forecast": null,
    });
    assert_eq!(found, expected);
}
