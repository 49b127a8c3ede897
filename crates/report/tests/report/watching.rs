//! The rollout of another process, from its alias alone: every change once, in its order, and an end that is the last event.

use std::time::Duration;

use report::{LiveState, Watch};
use rollout::alias::Alias;
use rollout::event::{Event, EventKind};
use rollout::health::{AlarmSeen, AlarmState};
use rollout::note::{AfterPause, HookAttempt, Note, Owner, Pause, Phase, RolloutId};
use rollout::{Cause, Time, Version, Weight};

use crate::fixtures::{self, at, known, log, shown, subject};

/// 14:02:13.
const BEGUN: Time = Time::from_secs(1_795_442_533);

fn percent(percent: u16) -> Weight {
    fixtures::weight(percent * 100)
}

fn shift(weight: u16, step: u16) -> Phase {
    Phase::Shift { weight: percent(weight), step, steps: 3 }
}

/// The alias as its owner has it, `seconds` after the rollout began.
fn alias(phase: Phase, seconds: u64, change: impl FnOnce(&mut Note)) -> Alias {
    let mut note = Note::new(RolloutId(7), Owner::from_random(1), phase, at(seconds));
    (note.started_at, note.lease) = (BEGUN, Some(at(3600)));
    (note.stable, note.candidate) = (Version::new(41), Version::new(42));
    note.due = Some(at(seconds + 60));
    change(&mut note);
    let share = phase.share();
    let canary = Some((42, share)).filter(|_| !share.is_zero());
    fixtures::alias(if phase == Phase::Promoted { 42 } else { 41 }, canary, &note.to_string())
}

/// The log of a rollout whose alias was read so, and the events themselves.
fn watched(reads: &[(u64, Option<Alias>)]) -> (String, Vec<Event>) {
    let (first, rest) = reads.split_first().unwrap();
    let (mut watch, mut events) = Watch::begin(&subject(), first.1.as_ref().unwrap(), &[], at(first.0)).unwrap();
    for (seconds, alias) in rest {
        events.extend(watch.look(alias.as_ref(), at(*seconds)));
    }
    (log(&events), events)
}

#[test]
fn a_whole_rollout() {
    let hook = HookAttempt { number: 1, deadline: at(600), passed: false };
    let pause = Pause { until: at(600), then: AfterPause::Resume, gate: false };
    let first = alias(shift(10, 1), 8, |_| {});
    let reads = [
        (1, Some(alias(Phase::Claim, 0, |note| note.candidate = None))),
        (4, Some(alias(Phase::Pre, 3, |note| note.hook = Some(hook)))),
        (9, Some(first.clone())),
        (14, Some(first)),
        (19, Some(alias(shift(10, 1), 8, |note| note.pause = Some(pause)))),
        (29, Some(alias(shift(10, 1), 8, |note| note.due = Some(at(90))))),
        (91, Some(alias(shift(50, 2), 90, |_| {}))),
        (96, Some(alias(shift(50, 2), 90, |note| note.blind = Some(at(95))))),
        (101, Some(alias(shift(50, 2), 90, |_| {}))),
        (151, Some(alias(Phase::Bake, 150, |_| {}))),
        (211, Some(alias(Phase::Promoted, 210, |_| {}))),
    ];
    let (log, events) = watched(&reads);
    let started = "14:02:13  hello:live  started   41 → new version, rollout 00000007, driven by another process\n";
    assert!(log.starts_with(started), "{log}");
    let lines = [
        "42 published",
        "42 is ready",
        "the hook invoked (pre-traffic)",
        "the hook succeeded in 6s",
        "10% of traffic to version 42 (step 1 of 3)",
        "manually until 14:12:13",
        "resumed   manually",
        "50% of traffic to version 42 (step 2 of 3)",
        "unavailable: the rollout's process cannot read CloudWatch; holding 50%",
        "resumed   monitoring restored",
        "100% of traffic to version 42 (the last step)",
        "42 is now the alias' version",
        "✔ PROMOTED   hello:live is on 42",
    ];
    let mut from = 0;
    for line in lines {
        assert_eq!(log.matches(line).count(), 1, "{line}: {log}");
        let place = log.find(line).unwrap();
        assert!(place > from, "{line} comes too early: {log}");
        from = place;
    }
    let ends: Vec<usize> = (0..events.len()).filter(|index| matches!(events[*index].what, EventKind::Outcome(_))).collect();
    assert_eq!(ends, [events.len() - 1]);
    assert_eq!(events.last().unwrap().ending().unwrap().exit_code, 0);
}

#[test]
fn a_late_watcher_sees_the_current_state_and_nothing_made_up() {
    let running = alias(shift(10, 1), 60, |_| {});
    let alarms = ["errors".to_owned()];
    let (mut watch, mut events) = Watch::begin(&subject(), &running, &alarms, at(78)).unwrap();
    let errors = AlarmSeen {
        name: "errors".to_owned(),
        state: AlarmState::Ok,
        since: BEGUN - Duration::from_secs(42),
        in_alarm: None,
        reason: "below".to_owned(),
        metric: None,
        fires_after: None,
        unevaluated: None,
    };
    events.extend(watch.look_at_alarms(std::slice::from_ref(&errors), at(78)));
    assert_eq!(watch.look_at_alarms(&[errors], at(83)), []);
    let expected = "\
hello:live   41 ▸ 42   driven by another process                 00000007  01:18
  ✔ preflight   ✔ version 42
  step 1 of 3  ██████████····················
  traffic   set 10%   next step in 0:42
  alarms    ✔ errors OK 2m
  14:03:13  version   42 is ready
  14:03:13  shifted   10% of traffic to version 42 (step 1 of 3)
  to roll back:  canaryctl rollback hello";
    assert_eq!(shown(&known(LiveState::default(), &events), at(78), 80), expected);
}

#[test]
fn a_rollback_and_another_owner_end_it_too() {
    let (log, events) =
        watched(&[(9, Some(alias(shift(10, 1), 8, |_| {}))), (20, Some(alias(Phase::Back(Cause::Alarm), 19, |_| {})))]);
    assert_eq!(events.last().unwrap().ending().unwrap().exit_code, 10);
    assert!(log.contains("✖ ROLLED BACK   hello:live stays on 41") && log.contains("100% on 41, confirmed"), "{log}");
    // One stale read, or two, are not believed.
    let foreign = || Some(Alias { description: String::new(), ..alias(shift(10, 1), 8, |_| {}) });
    let again = || Some(alias(shift(10, 1), 8, |_| {}));
    let (_, events) = watched(&[(9, again()), (14, foreign()), (19, None), (24, again()), (29, foreign()), (34, foreign())]);
    assert!(events.iter().all(|event| event.ending().is_none()));
    let (log, events) = watched(&[(9, again()), (14, foreign()), (19, foreign()), (24, foreign())]);
    assert_eq!(events.last().unwrap().ending().unwrap().exit_code, 21, "{log}");
}

#[test]
fn an_abandoned_rollout_and_manually_set_traffic_are_reported_once() {
    let orphan = || Some(alias(shift(10, 1), 8, |note| note.lease = Some(at(10))));
    let by_hand = || {
        let mut alias = alias(shift(10, 1), 8, |_| {});
        alias.weights[0].1 = percent(5);
        Some(alias)
    };
    let (log, _) = watched(&[(9, orphan()), (14, orphan()), (19, orphan())]);
    assert_eq!(log.matches("no process drives this rollout").count(), 1, "{log}");
    let (log, _) = watched(&[(9, Some(alias(shift(10, 1), 8, |_| {}))), (50, by_hand()), (55, by_hand())]);
    assert_eq!(log.matches("5% of traffic on 42").count(), 1, "{log}");
    assert!(Watch::begin(&subject(), &alias(Phase::Promoted, 8, |_| {}), &[], at(9)).is_none());
}
