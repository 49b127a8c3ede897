//! Decisions one after the other: what a whole schedule comes to, and how late and lost answers bend it.

#![expect(clippy::wildcard_enum_match_arm, reason = "every other action is a write")]

use std::time::Duration;

use crate::comparison::Probe;
use crate::decide::{Action, decide};
use crate::decide_tests::{BEGUN, healths, my_note, nothing_but, plan, points, version};
use crate::group_tests::{alias, as_noted, note, shift};
use crate::note::{Note, Phase};
use crate::observation::{Candidate, Certainty, Hook, Observation, Readiness};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::write::desired;
use crate::{Alias, Cause, Outcome, Schedule, Time, Weight};

/// Runs the pure loop from then on against a model of the alias that takes every write, looking every `poll`: gives (seconds, weight) of
/// each change, how many seconds it took, and how it ended. `look` adds to what is seen.
pub(crate) fn played(plan: &Plan, opened: Time, look: impl Fn(&mut Observation)) -> (Vec<(u64, Weight)>, u64, Outcome) {
    let alias = alias(41, 0, None);
    let planned_on = Some(alias.clone());
    let candidate = Candidate::Published(version(42), Readiness::Ready);
    let known = Observation { planned_on, candidate, claimed: false, ..nothing_but(Some(alias)) };
    let mut seen = Observation { now: opened, certainty: Certainty::Written, hook: Hook::Succeeded, ..known };
    let mut changes = Vec::new();
    for _ in 0..200_000 {
        look(&mut seen);
        let after = seen.now.since(opened).as_secs();
        match decide(plan, &seen) {
            Action::Finish(outcome) => return (changes, after, outcome),
            Action::Wait { until, .. } => seen.now = until.min(seen.now + plan.poll).max(seen.now + Duration::from_millis(1)),
            Action::Probe => seen.probe = Probe::Passed(3),
            action => {
                let alias = desired(plan, &seen, &action).unwrap_or_else(|| panic!("{action:?} writes nothing"));
                let weight = alias.share_of(version(42));
                if weight != seen.alias.as_ref().unwrap().share_of(version(42)) {
                    changes.push((after, weight));
                }
                seen.alias = Some(alias);
                seen.claimed = true;
            }
        }
    }
    panic!("no end in sight");
}

/// The same, where nothing is compared: the changes and the end.
fn timeline(plan: &Plan) -> (Vec<(u64, Weight)>, Outcome) {
    let (changes, _, outcome) = played(plan, BEGUN, |_| {});
    (changes, outcome)
}

/// Of a thousand rollouts of a process each is looked at every four minutes.
#[test]
fn no_lease_ends_before_the_look_after_the_next() {
    for poll in [1, 5, 60, 250] {
        let poll = Duration::from_secs(poll);
        let schedule = Schedule::steps(&[points(5000)], Duration::from_hours(2)).unwrap();
        let plan = Plan { schedule, alarms: vec![], bake: Duration::ZERO, ..plan() };
        let plan = Plan { policy: Policy { poll, ..plan.policy }, ..plan };
        let looks = std::cell::Cell::new(0);
        let look = |seen: &mut Observation| {
            let Some(lease) = seen.alias.as_ref().and_then(Alias::note).and_then(|note| note.lease) else { return };
            assert!(lease >= seen.now + poll, "{poll:?}: {lease:?} at {:?}", seen.now);
            looks.set(looks.get() + 1);
        };
        assert_eq!(played(&plan, BEGUN, look).2, Outcome::Promoted);
        assert!(looks.get() > 25, "{looks:?}");
    }
}

#[test]
fn the_nine_names_shift_when_code_deploy_does() {
    // The last number in a name.
    let minutes = |name: &str| name.trim_end_matches(char::is_alphabetic).rsplit(char::is_alphabetic).next()?.parse::<u64>().ok();
    for name in crate::schedule::NAMES {
        let plan = Plan { schedule: name.parse().unwrap(), alarms: vec![], bake: Duration::ZERO, ..plan() };
        let (changes, outcome) = timeline(&plan);
        assert_eq!(outcome, Outcome::Promoted);
        let interval = minutes(name).unwrap_or(0) * 60;
        let expected: Vec<(u64, Weight)> = match name {
            "AllAtOnce" => vec![(0, Weight::FULL)],
            canary if canary.starts_with("Canary") => vec![(0, points(1000)), (interval, Weight::FULL)],
            _ => (1..=10).map(|ten| (u64::from(ten - 1) * interval, points(ten * 1000))).collect(),
        };
        assert_eq!(changes, expected, "{name}");
    }
}

#[test]
fn a_slow_poll_does_not_make_the_schedule_drift() {
    let plan = Plan {
        schedule: "Linear10PercentEvery7Seconds".parse().unwrap(),
        policy: Policy { poll: Duration::from_secs(3), ..Policy::default() },
        alarms: vec![],
        ..plan()
    };
    let (changes, _) = timeline(&plan);
    let at: Vec<u64> = changes.iter().map(|change| change.0).collect();
    assert_eq!(at, (0..10).map(|step| step * 7).collect::<Vec<_>>());
}

#[test]
fn a_late_answer_moves_the_step_it_set_and_never_makes_it_shorter() {
    let plan = plan();
    let alias = as_noted(&note(&plan, Phase::Shift { weight: points(1000), step: 1, steps: 10 }));
    let step_observed_at = BEGUN + Duration::from_millis(7_300);
    let health = healths(step_observed_at).remove(0);
    let known =
        Observation { now: step_observed_at, step_observed_at: Some(step_observed_at), health, ..nothing_but(Some(alias)) };
    let mut seen = Observation { certainty: Certainty::Written, ..known };
    let action = decide(&plan, &seen);
    assert_eq!(action, Action::Postpone(BEGUN + Duration::from_secs(8)));
    seen.alias = desired(&plan, &seen, &action);
    let due = my_note(&plan, &seen).unwrap().due.unwrap();
    assert_eq!(due, BEGUN + Duration::from_secs(68));
    assert!(matches!(decide(&plan, &seen), Action::Wait { until, .. } if until == due));
}

#[test]
fn a_lost_answer_to_a_rollback_is_written_once_more() {
    let plan = plan();
    let alias = as_noted(&note(&plan, Phase::Back(Cause::Alarm)));
    let known = Observation { now: BEGUN, unanswered: Some(BEGUN), ..nothing_but(Some(alias.clone())) };
    let mut seen = Observation { certainty: Certainty::Read, ..known };
    assert_eq!(decide(&plan, &seen), Action::Confirm);
    assert_eq!(desired(&plan, &seen, &Action::Confirm), Some(alias));
    // Where no write is answered, it is over once nothing that was sent before the rollback can land any more.
    for (age, action) in [(59, Action::Confirm), (60, Action::Finish(Outcome::RolledBack(Cause::Alarm)))] {
        let later = Observation { now: BEGUN + Duration::from_secs(age), ..seen.clone() };
        assert_eq!(decide(&plan, &later), action, "{age} s");
    }
    (seen.certainty, seen.unanswered) = (Certainty::Written, None);
    assert_eq!(decide(&plan, &seen), Action::Finish(Outcome::RolledBack(Cause::Alarm)));
}

/// The write of a step may have landed late, and the process that sent it is gone: who resumes gives the step the time that it may have
/// lost, at most a minute, and never less than the note says.
#[test]
fn whoever_goes_on_never_cuts_a_step_short() {
    let plan = plan();
    let every = plan.schedule.every();
    for (later, lost) in [(5, 5), (59, 59), (60, 60), (300, 60)] {
        let since = BEGUN + Duration::from_secs(30);
        let alias = as_noted(&Note { since, due: Some(since + every), ..shift(&plan) });
        let seen = Observation { now: since + Duration::from_secs(later), ..nothing_but(Some(alias)) };
        let taken = desired(&plan, &seen, &Action::TakeOver).unwrap();
        let taken = crate::alias::alias_state(&taken).live().unwrap().clone();
        assert_eq!((taken.since, taken.due), (since, Some(since + Duration::from_secs(lost) + every)), "{later}");
    }
}
