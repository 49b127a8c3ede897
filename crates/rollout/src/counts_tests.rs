//! The decision where calls are counted, enumerated: every opinion, age, budget and policy that can come together, against the rules.

#![expect(clippy::wildcard_enum_match_arm, reason = "the rules name the few actions they speak of")]

use std::time::Duration;

use crate::alias::alias_state;
use crate::comparison::{AnalysisResult, AnalysisVerdict, Calls, Comparison, Numbers, Probe, Thousandths, Unseen};
use crate::decide::{Action, decide};
use crate::decide_tests::{BEGUN, healths, my_note, nothing_but, plan, points, version};
use crate::group_tests::{as_noted, note as noted};
use crate::health::Health;
use crate::note::{HookAttempt, Note, Phase};
use crate::observation::{Certainty, Hook, Observation};
use crate::plan::{Analysis, Mode, OnLowTraffic, Plan};
use crate::policy::Policy;
use crate::timeline_tests::played;
use crate::write::desired;
use crate::{Cause, Outcome, Time};

const LIMIT: Duration = Duration::from_mins(10);
const PATIENCE: Duration = Duration::from_mins(5);

pub(crate) fn found(opinion: AnalysisVerdict, step_calls: u64, at: Time) -> Comparison {
    let errors_percent = [Thousandths(0), Thousandths(100_000)];
    let calls = |number| Calls { version: version(number), calls: step_calls, errors: 0, errors_percent };
    let numbers = Numbers {
        stable: calls(41),
        candidate: calls(42),
        ln_evidence: Thousandths(0),
        ln_threshold: Thousandths(4605),
        missing_errors: None,
        extra_failures: Thousandths(0),
        seen_percent: None,
        counted_to: None,
        slow: None,
        signals: Vec::new(),
        errors_ln_evidence: None,
        strongest: None,
    };
    let finding =
        AnalysisResult { opinion, why: "as counted".into(), happened: None, step_calls, unseen: None, together: None, numbers };
    Comparison::Read { at, finding: Box::new(finding), failing: None }
}

fn plans() -> Vec<Plan> {
    let (roll_back, promote, probe) = (OnLowTraffic::RollBack, OnLowTraffic::Promote, OnLowTraffic::Probe(3));
    let waits = [(0, roll_back), (100, roll_back), (100, promote), (100, probe)];
    let modes = [Mode::On, Mode::Observe, Mode::Off].into_iter();
    let policies = modes.flat_map(|mode| waits.map(|(requests, then)| comparing(mode, requests, then)));
    let hooked = |policy| [None, Some("post".to_owned())].map(|post_hook| Plan { policy, post_hook, ..plan() });
    policies.flat_map(hooked).collect()
}

fn comparing(mode: Mode, min_requests: u64, on_low_traffic: OnLowTraffic) -> Policy {
    let analysis = Analysis { mode, min_requests, max_hold: PATIENCE, on_low_traffic, ..Analysis::default() };
    Policy { analysis, ..Policy::default() }
}

fn notes(plan: &Plan) -> Vec<Note> {
    let due = Some(BEGUN + Duration::from_mins(1));
    let note = |phase| Note { due, plan: None, ..noted(plan, phase) };
    let hook = Some(HookAttempt::new(1, BEGUN + Duration::from_mins(16)));
    let phases = [
        note(Phase::Pre),
        note(Phase::Shift { weight: points(1000), step: 1, steps: 10 }),
        note(Phase::Bake),
        Note { due: None, hook, ..note(Phase::Post) },
    ];
    let budgets = [Duration::ZERO, Duration::from_mins(4), PATIENCE, LIMIT];
    let spent = || budgets.into_iter().flat_map(|held| budgets.map(|waited| (held, waited)));
    phases.iter().flat_map(|note| spent().map(|(held, waited)| Note { held, waited, ..note.clone() })).collect()
}

fn comparisons(now: Time) -> Vec<Comparison> {
    let mut all = vec![Comparison::uncounted()];
    for (opinion, calls) in AnalysisVerdict::ALL.into_iter().flat_map(|opinion| [0, 99, 100].map(|calls| (opinion, calls))) {
        all.extend([0, 60, 80].map(|age| found(opinion, calls, now - Duration::from_secs(age))));
    }
    all
}

fn each_observation(plan: &Plan, mut check: impl FnMut(&Observation, &Note)) {
    for note in notes(plan) {
        let alias = Some(as_noted(&note));
        for now in [BEGUN + Duration::from_secs(30), BEGUN + Duration::from_secs(61)] {
            for comparison in comparisons(now) {
                for health in [healths(now).swap_remove(0), healths(now).swap_remove(2), Health::Unwatched] {
                    for probe in [Probe::NotSent, Probe::Running, Probe::Passed(3), Probe::Failed("2 of 3 failed".into())] {
                        let (health, comparison) = (health.clone(), comparison.clone());
                        let known =
                            Observation { certainty: Certainty::Written, hook: Hook::Succeeded, ..nothing_but(alias.clone()) };
                        check(&Observation { now, health, comparison, probe, ..known }, &note);
                    }
                }
            }
        }
    }
}

fn in_alarm(seen: &Observation) -> bool {
    matches!(&seen.health, Health::Read { alarms, .. } if alarms.iter().any(|alarm| alarm.state == crate::health::AlarmState::Alarm))
}

/// Whether the counts are reason enough to go on, from the rules.
fn counts_allow(plan: &Plan, seen: &Observation, note: &Note) -> bool {
    let Comparison::Read { at, finding, .. } = &seen.comparison else { return false };
    let recent = seen.now.since(*at) <= Duration::from_secs(70);
    let fair = match finding.opinion {
        AnalysisVerdict::Pass | AnalysisVerdict::LowPower => true,
        AnalysisVerdict::Hold => note.held >= LIMIT,
        AnalysisVerdict::RollBack | AnalysisVerdict::NoData => false,
    };
    let waited = note.waited >= PATIENCE;
    let many = finding.step_calls >= plan.analysis.min_requests
        || matches!(seen.probe, Probe::Passed(_))
        || (plan.analysis.on_low_traffic == OnLowTraffic::Promote && waited);
    // What a step waits for is no matter once there is none.
    recent && fair && (many || note.phase == Phase::Post)
}

fn check(plan: &Plan, seen: &Observation, note: &Note) {
    let action = decide(plan, seen);
    let described = || format!("{action:?}\nby {:?}\non {seen:#?}", plan.analysis);
    let share = note.phase.share();
    if plan.analysis.mode != Mode::On {
        let off = Plan { policy: Policy { analysis: Analysis::default(), ..plan.policy }, ..plan.clone() };
        assert_eq!(action, decide(&off, seen), "what only watches decides nothing: {}", described());
        return;
    }
    let judged = !share.is_zero();
    let worse = matches!(&seen.comparison, Comparison::Read { finding, .. } if finding.opinion == AnalysisVerdict::RollBack);
    let failed = worse || matches!(seen.probe, Probe::Failed(_));
    if judged && failed && !in_alarm(seen) {
        assert_eq!(action, Action::RollBack(Cause::Analysis), "{}", described());
    }
    match &action {
        Action::Shift { .. } | Action::Promote(_) if judged => assert!(counts_allow(plan, seen, note), "{}", described()),
        Action::AnnouncePostHook => assert!(counts_allow(plan, seen, note), "{}", described()),
        Action::Extend { until, .. } => {
            assert!(judged && note.due.is_none_or(|due| seen.now >= due) && *until > seen.now, "{}", described());
            let written = desired(plan, seen, &action).unwrap();
            let after = alias_state(&written).note().unwrap().clone();
            assert_eq!((after.due, after.since, after.phase), (Some(*until), note.since, note.phase));
            // A step ends on a full minute.
            let minute = Duration::from_mins(1);
            assert!(after.held <= LIMIT.max(note.held) + minute && after.waited <= PATIENCE.max(note.waited) + minute);
            assert!(after.held > note.held || after.waited > note.waited, "nothing is held for nothing: {}", described());
            assert!(after.lease > Some(seen.now));
        }
        Action::Probe => {
            let wanted = matches!(plan.analysis.on_low_traffic, OnLowTraffic::Probe(_));
            assert!(wanted && note.waited >= PATIENCE && seen.probe == Probe::NotSent, "{}", described());
        }
        Action::RollBack(Cause::LowTraffic) => {
            let wanted = plan.analysis.on_low_traffic == OnLowTraffic::RollBack;
            assert!(judged && wanted && note.waited >= PATIENCE, "{}", described());
        }
        Action::RollBack(Cause::NoData) => assert!(judged && note.waited >= PATIENCE, "{}", described()),
        _ => {}
    }
}

#[test]
fn counts_are_a_reason_of_their_own_and_never_the_only_permission() {
    let mut count = 0_u32;
    for plan in plans() {
        each_observation(&plan, |seen, note| {
            count += 1;
            check(&plan, seen, note);
            assert!(my_note(&plan, seen).is_some());
        });
    }
    println!("{count} observations");
    assert!(count > 1_500_000, "the world shrank to {count}");
}

/// Runs a rollout whose counts always say the same; gives how long it took, in seconds, and how it ended.
fn always(plan: &Plan, opinion: AnalysisVerdict, step_calls: u64) -> (u64, Outcome) {
    // A full minute, on which weights change.
    let opened = plan.next_change(BEGUN);
    let (_, took, outcome) = played(plan, opened, |seen| seen.comparison = found(opinion, step_calls, seen.now));
    (took, outcome)
}

#[test]
fn no_doubt_lasts_for_ever() {
    let with = |min_requests, on_low_traffic| Plan { policy: comparing(Mode::On, min_requests, on_low_traffic), ..plan() };
    let (roll_back, promote, probe) = (OnLowTraffic::RollBack, OnLowTraffic::Promote, OnLowTraffic::Probe(3));
    // Nine minutes of steps and three of bake.
    assert_eq!(always(&with(0, roll_back), AnalysisVerdict::Pass, 0), (720, Outcome::Promoted));
    assert_eq!(always(&with(100, roll_back), AnalysisVerdict::Pass, 100), (720, Outcome::Promoted));
    // A suspicion that never grows costs ten minutes, once.
    assert_eq!(always(&with(0, roll_back), AnalysisVerdict::Hold, 1_000), (720 + 600, Outcome::Promoted));
    // One minute of the first step, and then as long as was said.
    assert_eq!(always(&with(0, roll_back), AnalysisVerdict::NoData, 0), (60 + 300, Outcome::RolledBack(Cause::NoData)));
    assert_eq!(always(&with(100, roll_back), AnalysisVerdict::LowPower, 99), (60 + 300, Outcome::RolledBack(Cause::LowTraffic)));
    // Every one of the ten steps, the one at 100% among them, waits for its calls.
    assert_eq!(always(&with(100, promote), AnalysisVerdict::LowPower, 99), (720 + 10 * 300, Outcome::Promoted));
    // The test events are sent once, and stand in for the calls from then on.
    assert_eq!(always(&with(100, probe), AnalysisVerdict::LowPower, 0), (720 + 300, Outcome::Promoted));
}

/// No count is not a good one: a canary without a single invocation where there should be some is neither raised nor promoted.
#[test]
fn a_canary_that_nobody_saw_is_not_promoted() {
    let plan = Plan { policy: comparing(Mode::On, 0, OnLowTraffic::RollBack), ..plan() };
    let bake = |promoted_manually| Note { promoted_manually, due: Some(BEGUN), ..noted(&plan, Phase::Bake) };
    let decided = |note: &Note, unseen| {
        let mut seen = nothing_but(Some(as_noted(note)));
        seen.comparison = found(AnalysisVerdict::Pass, 0, seen.now);
        if let Comparison::Read { finding, .. } = &mut seen.comparison {
            finding.unseen = unseen;
        }
        decide(&plan, &seen)
    };
    assert!(matches!(decided(&bake(false), None), Action::Promote(_)));
    for unseen in [Unseen::Early, Unseen::Late] {
        assert!(matches!(decided(&bake(false), Some(unseen)), Action::Extend { .. }), "{unseen:?}");
    }
    assert_eq!(decided(&bake(false), Some(Unseen::Missing)), Action::RollBack(Cause::NoData));
    // A person who promoted it has decided that.
    for unseen in [Unseen::Early, Unseen::Late, Unseen::Missing] {
        assert!(matches!(decided(&bake(true), Some(unseen)), Action::Promote(_)), "{unseen:?}");
    }
    let steps = u16::try_from(plan.schedule.len()).unwrap();
    let first = Note { due: Some(BEGUN), ..noted(&plan, Phase::Shift { weight: points(1000), step: 1, steps }) };
    // As long as they may not have been counted yet, the schedule goes on.
    assert!(!matches!(decided(&first, Some(Unseen::Early)), Action::Extend { .. }));
    assert!(matches!(decided(&first, Some(Unseen::Late)), Action::Extend { .. }));
    assert_eq!(decided(&first, Some(Unseen::Missing)), Action::RollBack(Cause::NoData));
}
