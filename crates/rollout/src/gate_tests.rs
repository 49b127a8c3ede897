//! What holds of a gate, at every step and at every moment around its end.

use std::time::Duration;

use crate::action::{Action, Reason};
use crate::decide::decide;
use crate::decide_tests::{BEGUN, alarm, nothing_but, plan, points, version};
use crate::gate::{Gate, in_order};
use crate::group::{AtGate, Others, member};
use crate::group_tests::{as_noted, others, shift};
use crate::health::{AlarmState, Health};
use crate::note::{AfterPause, Note, Owner, Pause, Phase};
use crate::observation::{Certainty, Observation};
use crate::operate::{Aim, Operation, OperatorDecision, rule};
use crate::plan::Plan;
use crate::write::desired;
use crate::{Alias, Cause, Schedule, Time};

const LASTS: Duration = Duration::from_hours(2);

fn gated(then: AfterPause) -> Plan {
    Plan {
        gates: vec![Gate { weight: points(1000), lasts: LASTS, then }, Gate { weight: points(10_000), lasts: LASTS, then }],
        ..plan()
    }
}

fn health(state: AlarmState, now: Time) -> Health {
    Health::Read { at: now, alarms: vec![alarm(state, now, "7 > 5")], missing: Vec::new(), failing: None }
}

fn seen(alias: Alias, now: Time, state: AlarmState) -> Observation {
    let health = health(state, now);
    Observation { now, claimed: true, certainty: Certainty::Read, health, managed: true, ..nothing_but(Some(alias)) }
}

/// At a gate since [`BEGUN`].
fn waiting(plan: &Plan) -> Note {
    let pause = Some(Pause { until: BEGUN + LASTS, then: plan.gates[0].then, gate: true });
    Note { pause, since: BEGUN, lease: Some(BEGUN + Duration::from_hours(24)), ..shift(plan) }
}

#[test]
fn the_write_that_gives_a_weight_sets_its_gate_and_no_other_does() {
    for then in [AfterPause::Resume, AfterPause::RollBack] {
        let plan = gated(then);
        for step in 1..=plan.schedule.len() {
            let before = Note { lease: Some(BEGUN + LASTS), ..Note::new(plan.id, plan.owner, Phase::Claim, BEGUN) };
            let before = Note { stable: Some(version(41)), candidate: Some(version(42)), ..before };
            let now = BEGUN + Duration::from_millis(300);
            let seen = seen(as_noted(&before), now, AlarmState::Ok);
            let Action::Shift { pass, .. } = decide(&Plan { pre_hook: None, ..plan.clone() }, &seen_ready(&seen)) else {
                panic!()
            };
            let action = Action::Shift { step, since: BEGUN, pass };
            let note = desired(&plan, &seen, &action).unwrap().note().unwrap();
            let gate = plan.gates.iter().find(|gate| gate.weight == plan.schedule.weight(step));
            assert_eq!(note.pause, gate.map(|_| Pause { until: BEGUN + LASTS, then, gate: true }), "{step}");
        }
    }
}

fn seen_ready(seen: &Observation) -> Observation {
    let candidate = crate::observation::Candidate::Published(version(42), crate::observation::Readiness::Ready);
    Observation { candidate, ..seen.clone() }
}

#[test]
fn nothing_but_a_failure_ends_a_gate_before_its_time() {
    for then in [AfterPause::Resume, AfterPause::RollBack] {
        let plan = gated(then);
        for minutes in 0..180 {
            let now = BEGUN + Duration::from_mins(minutes);
            let action = decide(&plan, &seen(as_noted(&waiting(&plan)), now, AlarmState::Ok));
            let over = now >= BEGUN + LASTS;
            match (over, then) {
                (false, _) => assert!(
                    matches!(action, Action::Wait { why: Reason::Paused(until), .. } if until == BEGUN + LASTS),
                    "{minutes}: {action:?}"
                ),
                (true, AfterPause::Resume) => assert_eq!(action, Action::Resume, "{minutes}"),
                (true, AfterPause::RollBack) => assert_eq!(action, Action::RollBack(Cause::Hand), "{minutes}"),
            }
            // Watched throughout.
            let red = decide(&plan, &seen(as_noted(&waiting(&plan)), now, AlarmState::Alarm));
            assert_eq!(red, Action::RollBack(Cause::Alarm), "{minutes}");
        }
    }
}

#[test]
fn the_first_of_two_approvals_counts_and_the_second_finds_it_done() {
    let plan = gated(AfterPause::RollBack);
    let approve = |alias: &Alias, now: Time| rule(Operation::Approve, Aim::default(), alias, now, Owner::from_random(9));
    let at_gate = as_noted(&waiting(&plan));
    let OperatorDecision::Write { alias, .. } = approve(&at_gate, BEGUN + LASTS / 2) else { panic!() };
    assert_eq!((alias.note().unwrap().pause, &alias.weights), (None, &at_gate.weights));
    assert!(alias.note().unwrap().approved);
    assert!(matches!(approve(&alias, BEGUN + LASTS / 2), OperatorDecision::Done(_)));
    // Over: the rollout's process acts on it, and nobody else.
    assert!(matches!(approve(&at_gate, BEGUN + LASTS), OperatorDecision::Refused { .. }));
    // A person's own pause is not a gate.
    let pause = Pause { gate: false, ..waiting(&plan).pause.unwrap() };
    let paused = as_noted(&Note { pause: Some(pause), ..waiting(&plan) });
    assert!(matches!(approve(&paused, BEGUN), OperatorDecision::Refused { .. }));
}

/// What one of a group does at its gate, by what the others show of theirs, at every moment around its end.
#[test]
fn a_gate_is_one_for_all_of_a_group() {
    let plan = Plan { group: vec!["a".into(), "b".into()].into(), ..gated(AfterPause::RollBack) };
    let end = BEGUN + LASTS;
    let (before, after) = (end - Duration::from_secs(1), end + Duration::from_secs(1));
    let rolls_back = Action::RollBack(Cause::Hand);
    for (now, approved, open, looked_at, expected) in [
        (before, None, Some(1), before, None),
        (before, Some(1), None, before, Some(Action::Resume)),
        // At another step it is another gate.
        (before, Some(2), None, before, None),
        (end, None, Some(1), end, None),
        (end, None, None, before, None),
        (end, None, None, end, Some(rolls_back.clone())),
        (end, None, Some(2), end, Some(rolls_back.clone())),
        (after, Some(1), None, end, Some(Action::Resume)),
        (after, Some(1), Some(1), before, Some(Action::Resume)),
    ] {
        let company = others(&[], 0, &plan, now);
        let company = Others { gate_approved: approved, gate_open: open, looked_at: Some(looked_at), ..company };
        let at = |state| Observation { others: Some(company.clone()), ..seen(as_noted(&waiting(&plan)), now, state) };
        let action = decide(&plan, &at(AlarmState::Ok));
        match expected {
            Some(expected) => assert_eq!(action, expected, "{now:?} {approved:?} {open:?} {looked_at:?}"),
            None => assert!(matches!(action, Action::Wait { why: Reason::Paused(_), .. }), "{action:?} {now:?} {open:?}"),
        }
        assert_eq!(decide(&plan, &at(AlarmState::Alarm)), Action::RollBack(Cause::Alarm));
    }
}

/// What a member shows of its gate is in its note: the next process shows the same, before the alias is its own.
#[test]
fn a_member_shows_its_gate_by_its_note() {
    let plan = Plan { group: vec!["a".into(), "b".into()].into(), ..gated(AfterPause::RollBack) };
    let shown = |note: &Note, now| {
        let seen = seen(as_noted(note), now, AlarmState::Ok);
        member(&plan, &seen, &decide(&plan, &seen)).gate
    };
    let end = BEGUN + LASTS;
    let approved = Note { pause: None, approved: true, ..waiting(&plan) };
    let theirs = Note { owner: Owner::from_random(77), ..approved.clone() };
    let manual = Note { pause: waiting(&plan).pause.map(|pause| Pause { gate: false, ..pause }), ..waiting(&plan) };
    for (note, now, gate) in [
        (&waiting(&plan), BEGUN, Some(AtGate::Open(1))),
        (&waiting(&plan), end, None),
        (&approved, BEGUN, Some(AtGate::Approved(1))),
        (&approved, end, Some(AtGate::Approved(1))),
        (&theirs, end, Some(AtGate::Approved(1))),
        (&manual, BEGUN, None),
    ] {
        assert_eq!(shown(note, now), gate, "{note:?}");
    }
}

#[test]
fn gates_stand_at_steps_once_each_in_their_order() {
    let schedule = Schedule::steps(&[points(1000), points(5000)], Duration::from_mins(1)).unwrap();
    let gate = |weight| Gate { weight: points(weight), lasts: LASTS, then: AfterPause::Resume };
    let weights = |gates| in_order(gates, &schedule).map(|gates| gates.iter().map(|gate| gate.weight).collect::<Vec<_>>());
    assert_eq!(weights(vec![gate(10_000), gate(1000)]), Ok(vec![points(1000), points(10_000)]));
    assert_eq!(weights(vec![gate(2000)]), Err("no step has 20%: the steps are 10%, 50%, 100%".to_owned()));
    assert_eq!(weights(vec![gate(1000), gate(1000)]), Err("there are two gates at 10%".to_owned()));
    for (seconds, sound) in [(0, false), (1, true), (48 * 3600, true), (48 * 3600 + 1, false)] {
        assert_eq!(Gate { lasts: Duration::from_secs(seconds), ..gate(1000) }.checked().is_ok(), sound, "{seconds}");
    }
}
