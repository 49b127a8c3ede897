//! The decision, enumerated over a small world: every alias, note, reading and fact that can come together, with what must hold.
//!
//! The assertions are written from the rules, not from the code: they recompute what they need (is it ours? is it red? is it due?).

#![expect(clippy::wildcard_enum_match_arm, reason = "the rules name the few actions they speak of")]

use std::time::Duration;

use crate::alias::{Alias, AliasState, Target, alias_state};
use crate::check::{CheckAnswer, CheckSeen, CheckState, asked_now};
use crate::decide::{Action, Reason, decide};
use crate::gate::Gate;
use crate::group_tests::{as_noted, note as noted};
use crate::health::{AlarmSeen, AlarmState, Health};
use crate::memory::Memory;
use crate::names::Names;
use crate::note::{AfterPause, HookAttempt, Note, Owner, Pause, Phase, RolloutId, write_description};
use crate::observation::{Candidate, Certainty, Hook, Observation, Readiness};
use crate::plan::{Entry, InsufficientData, OnInterrupt, Plan, Source};
use crate::policy::Policy;
use crate::write::desired;
use crate::{Cause, Outcome, Schedule, Time, Version, Weight};

pub(crate) const BEGUN: Time = Time::from_secs(1_795_000_000);
pub(crate) const TEXT: &str = "checkout of the shop";

const READY: Candidate = Candidate::Published(Version::new(42).unwrap(), Readiness::Ready);

pub(crate) fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

pub(crate) fn points(points: u16) -> Weight {
    Weight::from_basis_points(points).unwrap()
}

pub(crate) fn plan() -> Plan {
    Plan {
        id: RolloutId(0x7f3a_c2e1),
        owner: Owner::from_random(1),
        began: BEGUN,
        entry: Entry::Fresh,
        stable: Some(version(41)),
        source: Source::Publish,
        schedule: "Linear10PercentEvery1Minute".parse().unwrap(),
        bake: Duration::from_mins(3),
        alarms: vec!["errors".into()],
        managed: Vec::new(),
        policy: Policy { hook_limit: Duration::from_mins(16), ..Policy::default() },
        countable: true,
        durable: false,
        pre_hook: None,
        step_hook: None,
        post_hook: None,
        checks: Vec::new(),
        group: Names::default(),
        signals: Vec::new(),
        gates: Vec::new(),
    }
}

fn plans() -> Vec<Plan> {
    let hooked = Plan {
        pre_hook: Some("pre".into()),
        post_hook: Some("post".into()),
        policy: Policy { on_interrupt: OnInterrupt::Hold, ..Policy::default() },
        ..plan()
    };
    let strict = Plan {
        policy: Policy { insufficient_data: InsufficientData::Hold, ..Policy::default() },
        schedule: Schedule::steps(&[points(1000), points(4000)], Duration::from_mins(1)).unwrap(),
        ..plan()
    };
    let step_observed_at = Plan { step_hook: Some("step".into()), ..plan() };
    let checked = Plan { checks: vec!["monitor".into()], ..plan() };
    let gate = |weight, then| Gate { weight: points(weight), lasts: Duration::from_mins(15), then };
    let gated = Plan { gates: vec![gate(1000, AfterPause::RollBack), gate(2000, AfterPause::Resume)], ..plan() };
    vec![plan(), hooked, strict, step_observed_at, checked, gated]
}

fn notes(plan: &Plan) -> Vec<Option<Note>> {
    let lease = Some(BEGUN + Duration::from_hours(1));
    let note = |phase, candidate| Note { candidate, lease, due: None, plan: None, ..noted(plan, phase) };
    let c = Some(version(42));
    let shift =
        |weight, step| Note { due: Some(BEGUN + Duration::from_mins(1)), ..note(Phase::Shift { weight, step, steps: 10 }, c) };
    let hook = Some(HookAttempt::new(1, BEGUN + Duration::from_mins(16)));
    let bake = Note { due: Some(BEGUN + Duration::from_mins(1)), ..note(Phase::Bake, c) };
    let pause = Pause { until: BEGUN + Duration::from_mins(16), then: AfterPause::Resume, gate: false };
    let mine = [
        note(Phase::Claim, None),
        note(Phase::Claim, c),
        Note { pause: Some(pause), ..note(Phase::Claim, None) },
        Note { hook, ..note(Phase::Pre, c) },
        shift(points(1000), 1),
        Note { blind: Some(BEGUN), ..shift(points(1000), 1) },
        Note { pause: Some(Pause { then: AfterPause::RollBack, gate: true, ..pause }), ..shift(points(1000), 1) },
        bake,
        Note { hook, ..note(Phase::Post, c) },
        note(Phase::Promoted, c),
        note(Phase::Back(Cause::Alarm), c),
    ];
    let other = Note { id: RolloutId(1), ..shift(points(1000), 1) };
    let others_end = Note { id: RolloutId(1), ..note(Phase::Back(Cause::Alarm), c) };
    let taken_over = Note { owner: Owner::from_random(2), ..shift(points(1000), 1) };
    mine.into_iter().chain([other, others_end, taken_over]).map(Some).chain([None]).collect()
}

fn aliases(plan: &Plan) -> Vec<Option<Alias>> {
    let mut all = vec![None];
    let weights = [vec![], vec![(42, 0)], vec![(42, 1000)], vec![(42, 4000)], vec![(42, 10_000)], vec![(43, 1000)]];
    for note in notes(plan) {
        let description = note.map_or_else(|| TEXT.to_owned(), |note| write_description(TEXT, &note).unwrap());
        for target in [Target::Version(version(41)), Target::Version(version(42)), Target::Version(version(43)), Target::Latest] {
            for weights in &weights {
                let weights = weights.iter().map(|(number, share)| (version(*number), points(*share))).collect();
                all.push(Some(Alias { target, weights, description: description.clone() }));
            }
        }
    }
    all
}

/// The alarm `errors`, in this state since then.
pub(crate) fn alarm(state: AlarmState, since: Time, reason: &str) -> AlarmSeen {
    let (name, reason) = ("errors".to_owned(), reason.to_owned());
    AlarmSeen { name, state, since, in_alarm: None, fires_after: None, metric: None, reason, unevaluated: None }
}

pub(crate) fn healths(now: Time) -> Vec<Health> {
    let alarm = |state, since| alarm(state, since, "7 >= 1");
    let read = |at, alarms, missing| Health::Read { at, alarms, missing, failing: None };
    let ok = alarm(AlarmState::Ok, BEGUN - Duration::from_hours(1));
    vec![
        read(now, vec![ok.clone()], vec![]),
        read(now - Duration::from_mins(1), vec![ok], vec![]),
        read(now, vec![alarm(AlarmState::Alarm, now)], vec![]),
        read(now, vec![alarm(AlarmState::InsufficientData, now)], vec![]),
        read(now, vec![], vec!["errors".into()]),
        Health::Unread { why: "throttled".into() },
    ]
}

fn candidates() -> Vec<Candidate> {
    vec![
        Candidate::Unknown,
        Candidate::Ready,
        READY,
        Candidate::Published(version(42), Readiness::Pending),
        Candidate::Published(version(41), Readiness::Ready),
        Candidate::Failed("no code".into()),
    ]
}

/// An alias that was read twice, in a rollout in progress, and nothing else known.
pub(crate) fn nothing_but(alias: Option<Alias>) -> Observation {
    let known = Memory::default().observation(BEGUN + Duration::from_mins(1), false);
    Observation { alias, certainty: Certainty::ReadTwice, claimed: true, ..known }
}

fn each_observation(plan: &Plan, mut check: impl FnMut(&Observation)) {
    let hooks = [Hook::NotInvoked, Hook::Running(BEGUN), Hook::Succeeded, Hook::Failed("no".into())];
    let nows = [BEGUN + Duration::from_secs(30), BEGUN + Duration::from_secs(61), BEGUN + Duration::from_mins(17)];
    for alias in aliases(plan) {
        for now in nows {
            for health in healths(now) {
                let (once, twice) = (Certainty::Read, Certainty::ReadTwice);
                for (certainty, claimed) in [(once, false), (once, true), (twice, true), (twice, false)] {
                    for interrupted in [false, true] {
                        let (planned_on, health) = (alias.clone(), health.clone());
                        let known = nothing_but(alias.clone());
                        let mut seen = Observation { now, certainty, claimed, planned_on, health, interrupted, ..known };
                        for candidate in candidates() {
                            seen.candidate = candidate;
                            check(&seen);
                        }
                        seen.candidate = READY;
                        for (hook, managed) in hooks.iter().flat_map(|hook| [(hook, true), (hook, false)]) {
                            seen = Observation { hook: hook.clone(), managed, ..seen };
                            check(&seen);
                        }
                        check(&Observation { unguarded: true, ..seen.clone() });
                        for checks in answers(plan, now) {
                            seen = Observation { checks, ..seen };
                            check(&seen);
                        }
                    }
                }
            }
        }
    }
}

/// What a check may have answered by then: nothing, yes, nothing lately, neither, no.
fn answers(plan: &Plan, now: Time) -> Vec<Vec<CheckSeen>> {
    let [Some(name), None] = [plan.checks.first(), plan.checks.get(1)] else { return Vec::new() };
    let long_ago = now - Duration::from_mins(3);
    let rows = [
        (now, Some(now), Some(CheckState::Passed)),
        (long_ago, Some(long_ago), Some(CheckState::Passed)),
        (long_ago, None, Some(CheckState::Unsure)),
        (now, None, None),
        (long_ago, Some(now), Some(CheckState::Failed)),
    ];
    let seen = |(first_asked, passed, state): (Time, Option<Time>, Option<CheckState>)| {
        let last = state.map(|state| CheckAnswer { state, why: String::new() });
        vec![CheckSeen { name: name.clone(), first_asked, passed, last }]
    };
    rows.into_iter().map(seen).collect()
}

/// Whether every check said yes a moment ago, where it is asked.
fn is_checked(plan: &Plan, seen: &Observation) -> bool {
    let asked = my_note(plan, seen).is_some_and(|note| asked_now(plan, &note));
    let fine = |check: &CheckSeen| {
        check.passed == Some(seen.now) && check.last.as_ref().is_some_and(|last| last.state == CheckState::Passed)
    };
    !asked || (seen.checks.len() == plan.checks.len() && seen.checks.iter().all(fine))
}

/// Whether the watched alarm was read in time and speaks for itself: the only ground to move away from stable.
fn is_green(plan: &Plan, seen: &Observation) -> bool {
    match &seen.health {
        Health::Read { at, alarms, missing, .. } => {
            let fine = |alarm: &AlarmSeen| match alarm.state {
                AlarmState::Ok => true,
                AlarmState::Alarm => false,
                AlarmState::InsufficientData => plan.insufficient_data == InsufficientData::Ok,
            };
            let read = missing.is_empty() && seen.now.since(*at) <= Duration::from_secs(10) && alarms.iter().all(fine);
            read && is_checked(plan, seen)
        }
        Health::Unwatched | Health::Unread { .. } => false,
    }
}

fn is_red(seen: &Observation) -> bool {
    let note = seen.alias.as_ref().and_then(Alias::note);
    let has_traffic = note.is_some_and(|note| matches!(note.phase, Phase::Shift { .. } | Phase::Bake));
    let said_no = |check: &CheckSeen| check.last.as_ref().is_some_and(|last| last.state == CheckState::Failed);
    if has_traffic && seen.checks.iter().any(said_no) {
        return true;
    }
    matches!(&seen.health, Health::Read { alarms, .. } if alarms.iter().any(|alarm| alarm.state == AlarmState::Alarm))
}

pub(crate) fn my_note(plan: &Plan, seen: &Observation) -> Option<Note> {
    seen.alias.as_ref()?.note().filter(|note| note.id == plan.id && note.owner == plan.owner)
}

/// The weight of the candidate that an alias gives, and the weight that goes to neither of the two versions.
fn shares(alias: &Alias) -> (u16, u16) {
    let share = |number| alias.share_of(version(number)).basis_points();
    (share(42), 10_000 - share(41) - share(42))
}

fn check(plan: &Plan, seen: &Observation) {
    let action = decide(plan, seen);
    let described = || format!("{action:?}\non {seen:#?}");
    let note = my_note(plan, seen);
    let found = seen.alias.as_ref().map(alias_state);
    let written = desired(plan, seen, &action);

    // Whatever is written keeps the user's text, and only stable and candidate ever get traffic by it.
    if let (Some(written), Some(alias)) = (&written, &seen.alias) {
        assert_eq!(written.text(), TEXT, "{}", described());
        let (before, foreign_before) = shares(alias);
        let (after, foreign) = shares(written);
        assert!(foreign <= foreign_before, "{}", described());
        if after > before {
            check_away(plan, seen, &action, note.as_ref(), after);
        }
        if after < before {
            assert!(matches!(action, Action::RollBack(_)), "{}", described());
        }
    }

    // No share, no hook and no promotion before the alarms are about this version.
    let away = matches!(action, Action::Shift { .. } | Action::Create(_) | Action::Promote(_));
    let asks = matches!(action, Action::AnnouncePreHook | Action::AnnouncePostHook | Action::InvokeHook);
    assert!(seen.managed || !(away || asks), "{}", described());
    assert!(!seen.managed || action != Action::ManageAlarms, "{}", described());
    // Nor before the guard is there, but where there is nothing to roll back to.
    let guardable = plan.stable.is_some();
    assert!(!(seen.unguarded && guardable) || !(away || asks), "{}", described());
    assert!((seen.unguarded && guardable) || action != Action::StartGuard, "{}", described());
    check_named(seen, &action, note.as_ref(), written.as_ref());
    check_standing(plan, seen, &action, note.as_ref(), written.is_some());
    let over = seen.claimed && matches!(found, Some(AliasState::Idle(_)));
    if let Some(note) = note.as_ref().filter(|note| over && note.phase.is_terminal()) {
        let expected = if note.phase == Phase::Promoted { Outcome::Promoted } else { Outcome::RolledBack(Cause::Alarm) };
        assert_eq!(action, Action::Finish(expected), "{}", described());
    }
    check_result(plan, seen, &action, written.as_ref());
}

/// Nobody waits on a claim that does not name what was published, and a name is never a guess nor written twice.
fn check_named(seen: &Observation, action: &Action, note: Option<&Note>, written: Option<&Alias>) {
    let described = || format!("{action:?}\non {seen:#?}\nwrote {written:#?}");
    let published = if let Candidate::Published(version, _) = seen.candidate { Some(version) } else { None };
    let new = published.filter(|published| *published != version(41));
    let Some(note) = note.filter(|note| note.phase == Phase::Claim) else { return };
    if matches!(seen.alias.as_ref().map(alias_state), Some(AliasState::Claimed(_))) && matches!(action, Action::Wait { .. }) {
        assert!(new.is_none() || note.candidate == new, "{}", described());
    }
    if *action == Action::Renew {
        let renewed = alias_state(written.unwrap()).note().unwrap().clone();
        let due = seen.now + Duration::from_secs(30) >= note.lease.unwrap() || note.candidate.is_none();
        assert_eq!(renewed.candidate, note.candidate.or(new), "{}", described());
        assert!(renewed.phase == Phase::Claim && renewed.lease > Some(seen.now) && due, "{}", described());
    }
}

/// What is ours is brought back when it must be; what is not ours is left alone.
fn check_standing(plan: &Plan, seen: &Observation, action: &Action, note: Option<&Note>, writes: bool) {
    let described = || format!("{action:?}\non {seen:#?}");
    let found = seen.alias.as_ref().map(alias_state);
    match (&found, note) {
        (Some(AliasState::Idle(_)), _) => {}
        // What is not ours is never written to.
        (Some(AliasState::Claimed(theirs) | AliasState::Running(theirs) | AliasState::SetByHand(theirs, _)), None)
            if theirs.id == plan.id && is_red(seen) && seen.claimed =>
        {
            // Ours until another process took it over: on an alarm in ALARM it may be brought back by whoever sees it.
            let fair = match action {
                Action::Wait { .. } => seen.certainty == Certainty::Read,
                Action::RollBack(Cause::Alarm | Cause::Check) => !theirs.phase.share().is_zero(),
                Action::Finish(Outcome::Superseded) => theirs.phase.share().is_zero(),
                _ => false,
            };
            assert!(fair, "{}", described());
        }
        // What AWS still moves is waited for, and nothing more is written.
        (Some(AliasState::Moving(..)), Some(_)) => {
            assert!(!writes && matches!(action, Action::Wait { .. } | Action::Finish(_)), "{}", described());
        }
        (Some(_), None)
        | (Some(AliasState::Contended { .. } | AliasState::PromotedElsewhere(_) | AliasState::Foreign { .. }), _) => {
            assert!(!writes, "{}", described());
            let told_apart = match action {
                Action::Wait { .. } => seen.certainty == Certainty::Read,
                Action::Finish(Outcome::Superseded) => seen.claimed && seen.certainty == Certainty::ReadTwice,
                Action::Finish(Outcome::Refused) => !seen.claimed && seen.certainty == Certainty::ReadTwice,
                _ => false,
            };
            assert!(told_apart, "{}", described());
        }
        // What a person took away is not given back.
        (Some(AliasState::ClearedByHand(_)), Some(_)) => assert_eq!(*action, Action::RollBack(Cause::Hand)),
        // A red alarm, or a signal, brings ours back; a weight set manually too.
        (Some(AliasState::Claimed(_) | AliasState::Running(_) | AliasState::SetByHand(..)), Some(note)) => {
            let hold = plan.on_interrupt == OnInterrupt::Hold && !note.phase.share().is_zero();
            match action {
                Action::RollBack(_) => {}
                Action::Release => assert!(seen.interrupted && hold && !is_red(seen), "{}", described()),
                _ => assert!(!is_red(seen) && !seen.interrupted, "{}", described()),
            }
            if matches!(found, Some(AliasState::SetByHand(..))) {
                let back_or_waits = matches!(action, Action::RollBack(_) | Action::Wait { .. });
                let notes = matches!(action, Action::GoBlind | Action::SeeAgain | Action::Renew | Action::Release);
                let starts = seen.unguarded && *action == Action::StartGuard;
                assert!(back_or_waits || notes || starts, "{}", described());
            }
        }
        (None, _) => {
            assert!(!writes && (!is_red(seen) || matches!(action, Action::Wait { .. } | Action::Finish(_))), "{}", described());
        }
    }
}

/// AWS answers with all traffic on the other version until provisioned concurrency has moved.
#[test]
fn nothing_is_confirmed_before_aws_has_moved_the_traffic() {
    let plan = plan();
    for (phase, target, other, in_the_end, late) in [
        (Phase::Promoted, 42, 41, Outcome::Promoted, Outcome::Failed),
        (Phase::Back(Cause::Alarm), 41, 42, Outcome::RolledBack(Cause::Alarm), Outcome::RollbackUnconfirmed),
    ] {
        let alias = as_noted(&noted(&plan, phase));
        assert_eq!((alias.target, alias.weights.len()), (Target::Version(version(target)), 0));
        let moving = nothing_but(Some(Alias { weights: vec![(version(other), points(10_000))], ..alias.clone() }));
        let at = |minutes| Observation { now: BEGUN + Duration::from_mins(minutes), ..moving.clone() };
        let until = BEGUN + Duration::from_mins(15);
        assert_eq!(decide(&plan, &at(1)), Action::Wait { until, why: Reason::Moving(version(other)) });
        assert_eq!(decide(&plan, &at(15)), Action::Finish(late));
        assert_eq!(decide(&plan, &nothing_but(Some(alias))), Action::Finish(in_the_end));
    }
}

/// A weight that rises needs a rollout of ours that stands as noted, green alarms, no signal, its time come and its hook passed.
fn check_away(plan: &Plan, seen: &Observation, action: &Action, note: Option<&Note>, after: u16) {
    let described = || format!("{action:?}\non {seen:#?}");
    let note = note.unwrap_or_else(|| panic!("moved what is not ours: {}", described()));
    let found = alias_state(seen.alias.as_ref().unwrap());
    assert!(matches!(found, AliasState::Claimed(_) | AliasState::Running(_)), "{}", described());
    assert!(is_green(plan, seen) && !seen.interrupted && note.blind.is_none(), "{}", described());
    let Action::Shift { step, .. } = action else { panic!("only a shift raises a share: {}", described()) };
    assert_eq!(plan.schedule.weight(*step).basis_points(), after, "{}", described());
    match note.phase {
        Phase::Claim => assert!(*step == 1 && plan.pre_hook.is_none() && seen.candidate == READY),
        Phase::Pre => assert!(*step == 1 && (seen.hook == Hook::Succeeded || plan.pre_hook.is_none()), "{}", described()),
        Phase::Shift { step: noted, .. } => {
            assert!(*step == usize::from(noted) + 1 && Some(seen.now) >= note.due, "{}", described());
            assert!(plan.step_hook.is_none() || seen.hook == Hook::Succeeded, "{}", described());
        }
        Phase::Bake | Phase::Post | Phase::Promoted | Phase::Back(_) => panic!("nothing is above 100%: {}", described()),
    }
}

/// What is written is what it is meant to be when it is read again.
fn check_result(plan: &Plan, seen: &Observation, action: &Action, written: Option<&Alias>) {
    let described = || format!("{action:?}\non {seen:#?}\nwrote {written:#?}");
    let result = written.map(alias_state);
    match action {
        Action::Claim => {
            assert!(!seen.claimed && !seen.interrupted, "{}", described());
            assert!(matches!(result, Some(AliasState::Claimed(note)) if note.owner == plan.owner), "{}", described());
        }
        Action::Shift { .. } => assert!(matches!(result, Some(AliasState::Running(_))), "{}", described()),
        Action::Promote(_) => {
            let note = my_note(plan, seen).unwrap();
            assert!(is_green(plan, seen) && !seen.interrupted, "{}", described());
            let ripe = match note.phase {
                Phase::Bake => plan.post_hook.is_none() && Some(seen.now) >= note.due,
                Phase::Post => seen.hook == Hook::Succeeded || plan.post_hook.is_none(),
                _ => false,
            };
            assert!(ripe && matches!(result, Some(AliasState::Idle(Some(_)))), "{}", described());
        }
        Action::RollBack(cause) => {
            let written = written.unwrap();
            assert_eq!(written.share_of(version(41)), Weight::FULL, "{}", described());
            let Some(AliasState::Idle(Some(note))) = result else { panic!("{}", described()) };
            assert_eq!(note.phase, Phase::Back(*cause));
            let given = |note: &Note| !note.phase.share().is_zero() || note.phase == Phase::Promoted;
            let had_share = alias_state(seen.alias.as_ref().unwrap()).note().is_some_and(given);
            let rejected = note.rejected.iter().any(|rejected| rejected.version == version(42));
            assert_eq!(rejected, cause.rejects() && had_share, "{}", described());
        }
        Action::GoBlind
        | Action::SeeAgain
        | Action::Renew
        | Action::Release
        | Action::Postpone(_)
        | Action::AnnouncePreHook
        | Action::AnnounceStepHook
        | Action::AnnouncePostHook => {
            let (before, after) = (seen.alias.as_ref().unwrap(), written.unwrap());
            assert_eq!((before.target, &before.weights), (after.target, &after.weights), "a note-only write: {}", described());
        }
        _ => {}
    }
}

#[test]
fn every_decision_in_a_small_world_keeps_the_rules() {
    let mut count = 0_u32;
    for plan in plans() {
        each_observation(&plan, |seen| {
            count += 1;
            check(&plan, seen);
        });
    }
    println!("{count} observations");
    assert!(count > 400_000, "the world shrank to {count}");
}

/// Every way to be promoted while this process is rolling back, for every cause: its own findings are final, orders are a person's.
#[test]
fn a_promotion_that_lands_after_a_failure_does_not_last() {
    let plan = plan();
    let mut undone = 0;
    let promoted = |note: Note| [41, 42, 43].map(|target| (Note { phase: Phase::Promoted, ..note.clone() }, target));
    for (note, target) in notes(&plan).into_iter().flatten().flat_map(promoted) {
        for cause in [Cause::Alarm, Cause::PostHook, Cause::Blind, Cause::Signal, Cause::Hand, Cause::Abort] {
            for mine in [false, true] {
                let owner = if mine { plan.owner } else { Owner::from_random(9) };
                let note = Note { owner, ..note.clone() };
                let description = write_description(TEXT, &note).unwrap();
                let alias = Alias { target: Target::Version(version(target)), weights: vec![], description };
                let seen = Observation { failed: Some(cause), ..nothing_but(Some(alias)) };
                let action = decide(&plan, &seen);
                let person = matches!(cause, Cause::Signal | Cause::Hand | Cause::Abort);
                let ours = note.id == plan.id;
                if ours && mine && !person && note.candidate == Some(version(target)) {
                    assert_eq!(action, Action::RollBack(cause), "{seen:#?}");
                    check_result(&plan, &seen, &action, desired(&plan, &seen, &action).as_ref());
                    undone += 1;
                } else {
                    assert!(!matches!(action, Action::RollBack(_)), "{action:?}\n{seen:#?}");
                }
            }
        }
    }
    assert!(undone >= 18, "{undone}");
}
