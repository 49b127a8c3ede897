//! A member's decision, enumerated over every alias, every company and every flag that can come together; and a model of whole groups.
//!
//! The assertions are written from the rules of the group, not from the code.

#![expect(clippy::wildcard_enum_match_arm, reason = "the rules name the few actions they speak of")]

use std::time::Duration;

use crate::alias::{Alias, AliasState, Target, alias_state};
use crate::decide::{Action, Reason, decide};
use crate::decide_tests::{BEGUN, TEXT, healths, nothing_but, plan, points, version};
use crate::group::{Left, Member, Others, RollbackTrigger, Stage, Tally, member};
use crate::note::{AfterPause, HookAttempt, Note, Owner, Pause, Phase, write_description};
use crate::observation::{Candidate, Hook, Observation, Readiness};
use crate::plan::{Entry, OnInterrupt, Plan};
use crate::policy::Policy;
use crate::turn::{Turn, detached_owner};
use crate::write::desired;
use crate::{Cause, Outcome, Schedule, Time};

/// Two steps, and a minute to each.
pub(crate) fn group_plan(on_interrupt: OnInterrupt) -> Plan {
    let schedule = Schedule::steps(&[points(1000)], Duration::from_mins(1)).unwrap();
    Plan {
        schedule,
        bake: Duration::from_mins(1),
        policy: Policy { on_interrupt, ..Policy::default() },
        group: vec!["a".into(), "b".into()].into(),
        ..plan()
    }
}

const FULL: Stage = Stage::Step(2);

pub(crate) fn note(plan: &Plan, phase: Phase) -> Note {
    let bare = Note::new(plan.id, plan.owner, phase, BEGUN);
    let due = (!phase.share().is_zero()).then_some(BEGUN + Duration::from_mins(1));
    let lease = (!phase.is_terminal()).then_some(BEGUN + Duration::from_hours(1));
    Note { stable: Some(version(41)), candidate: Some(version(42)), due, lease, plan: Some(plan.hash()), ..bare }
}

pub(crate) fn shift(plan: &Plan) -> Note {
    note(plan, Phase::Shift { weight: points(1000), step: 1, steps: 2 })
}

pub(crate) fn alias(target: u64, share: u16, note: Option<&Note>) -> Alias {
    let description = note.map_or_else(|| TEXT.to_owned(), |note| write_description(TEXT, note).unwrap());
    let weights = if share == 0 { Vec::new() } else { vec![(version(42), points(share))] };
    Alias { target: Target::Version(version(target)), weights, description }
}

/// The alias that a note is right about.
pub(crate) fn as_noted(note: &Note) -> Alias {
    let target = if note.phase == Phase::Promoted { note.candidate } else { note.stable };
    Alias { target: Target::Version(target.unwrap()), ..alias(41, note.phase.share().basis_points(), Some(note)) }
}

/// Every kind of alias: ours in each phase, in other hands, ended, taken by somebody.
fn aliases(plan: &Plan) -> Vec<Alias> {
    let claim = Note { candidate: None, ..note(plan, Phase::Claim) };
    let (bake, end) = (note(plan, Phase::Bake), note(plan, Phase::Promoted));
    let pause = Some(Pause { until: BEGUN + Duration::from_mins(16), then: AfterPause::Resume, gate: false });
    let other = |note: &Note| Note { owner: Owner::from_random(2), ..note.clone() };
    let paused = [shift(plan), bake.clone()].map(|note| Note { pause, ..note });
    let others = [&claim, &shift(plan), &bake].map(other);
    let backs = [Cause::Alarm, Cause::Group, Cause::Unchanged].map(Phase::Back);
    let phases = [Phase::Claim, Phase::Pre, Phase::Post].into_iter().chain(backs).map(|phase| note(plan, phase));
    let mine = [claim, shift(plan), bake.clone(), end.clone(), Note { plan: None, ..end }];
    let noted: Vec<Note> = mine.into_iter().chain(phases).chain(paused).chain(others).collect();
    let odd = [
        alias(41, 0, None),
        alias(41, 1000, None),
        alias(41, 4000, Some(&shift(plan))),
        alias(41, 4000, Some(&bake)),
        alias(41, 0, Some(&bake)),
        alias(42, 0, Some(&bake)),
        alias(43, 0, Some(&shift(plan))),
    ];
    noted.iter().map(as_noted).chain(odd).collect()
}

fn companies() -> Vec<Others> {
    let called = |cause| Some(RollbackTrigger { by: "b".into(), cause });
    // Nobody has begun, or each is where it is, ready for no more or for the next.
    let stages = [Stage::Claimed, Stage::Step(1), FULL, Stage::Final];
    let nexts = stages.windows(2).map(|pair| (pair[0], pair[1]));
    let places: Vec<_> = [Stage::Outside].into_iter().chain(stages).map(|at| (at, at)).chain(nexts).collect();
    assert_eq!(places.len(), 8);
    let orders = [
        [false, false, false, false],
        [true, false, false, false],
        [false, true, false, false],
        [true, true, false, false],
        [false, false, true, false],
        [false, false, true, true],
        [false, true, true, true],
    ];
    let mut all = Vec::new();
    for called in [None, called(None), called(Some(Cause::Alarm))] {
        for [taken_over, committed, moved, under_way] in orders {
            for ((at, ready), leads) in places.iter().flat_map(|place| [(*place, false), (*place, true)]) {
                let before = if leads { Stage::Final } else { at };
                let (called, last, owned, open) = (called.clone(), None, moved, under_way);
                let flags = Others {
                    called,
                    taken_over,
                    committed,
                    leads,
                    moved,
                    owned,
                    under_way,
                    open,
                    before,
                    at,
                    ready,
                    last,
                    gate_approved: None,
                    gate_open: None,
                    looked_at: None,
                };
                all.push(flags);
            }
        }
    }
    all
}

fn each_observation(plan: &Plan, mut check: impl FnMut(&Observation)) {
    let now = BEGUN + Duration::from_secs(90);
    let company = companies();
    let [green, _, in_alarm, _, _, unread] = healths(now).try_into().unwrap();
    let flags = [(None, None, false), (Some(Cause::Alarm), None, false), (None, Some("denied"), false), (None, None, true)];
    for alias in aliases(plan) {
        for claimed in [true, false] {
            for health in [&green, &in_alarm, &unread] {
                for (failed, write_blocked, interrupted) in flags {
                    let known = nothing_but(Some(alias.clone()));
                    let planned_on = (!claimed).then(|| alias.clone());
                    let remembered = claimed.then(|| shift(plan));
                    let candidate = Candidate::Published(version(42), Readiness::Ready);
                    let (health, write_blocked) = (health.clone(), write_blocked.map(ToOwned::to_owned));
                    let mut seen = Observation { now, claimed, planned_on, remembered, candidate, health, ..known };
                    seen = Observation { failed, write_blocked, interrupted, ..seen };
                    for others in &company {
                        seen.others = Some(others.clone());
                        check(&seen);
                    }
                }
            }
        }
    }
}

/// Whether this plan made the alias' version final.
fn is_final(seen: &Observation) -> bool {
    let alias = seen.alias.as_ref().unwrap();
    let terminal =
        matches!(alias_state(alias), AliasState::Idle(Some(note)) if note.phase == Phase::Promoted && note.plan.is_some());
    terminal && alias.target == Target::Version(version(42))
}

fn check(plan: &Plan, seen: &Observation) {
    let (action, others) = (decide(plan, seen), seen.others.clone().unwrap());
    let alone = decide(plan, &Observation { others: None, ..seen.clone() });
    let described = || format!("{action:?}, alone {alone:?}\non {seen:#?}");
    let found = alias_state(seen.alias.as_ref().unwrap());
    let mine = found.live().is_some_and(|note| note.owner == plan.owner);
    let may_act = seen.claimed || plan.entry != Entry::Fresh;
    let ends_here = is_final(seen) && may_act;
    let committed = others.committed || ends_here;
    let goes_back = matches!(action, Action::RollBack(_) | Action::Confirm);
    let looks_again = matches!(action, Action::Wait { why: Reason::LookingAgain, .. });
    let called = others.called.as_ref().is_some_and(|called| called.cause.is_some() || !committed || seen.failed.is_some());
    if called {
        // Never away from stable, nothing new, and whatever is ours, or final by this plan, comes back.
        let back = goes_back || looks_again || matches!(action, Action::TakeOver | Action::Finish(_));
        assert!(back, "{}", described());
        if mine || ends_here {
            assert!(goes_back, "{}", described());
        }
        if let Action::Finish(Outcome::Promoted) = action {
            assert!(!ends_here, "{}", described());
        }
    }
    if let Action::Shift { step, .. } = action {
        assert!(!called && !others.taken_over && others.ready >= Stage::Step(step) && action == alone, "{}", described());
    }
    if let Action::Promote(_) = action {
        let full = matches!(&found, AliasState::Running(note) if matches!(note.phase, Phase::Bake | Phase::Post));
        assert!(!called && !others.taken_over && full, "{}", described());
        let leads = others.leads && others.ready == Stage::Final && matches!(alone, Action::Promote(_));
        assert!(committed || leads, "{}", described());
    }
    if let (Action::Claim, Stage::Outside) = (&action, others.before) {
        panic!("{}", described());
    }
    // Nobody is done with holding while another may still roll back.
    assert!(action != Action::Finish(Outcome::LeftInProgress) || !others.open, "{}", described());
    // Of its own, the group adds no rollback but one that it was called to.
    if let Action::RollBack(cause) = action {
        assert!(action == alone || cause == Cause::Group && called, "{}", described());
    }
    after_the_commit(seen, &others, &action, &found, called || others.taken_over);
    without_company(plan, seen, &others, &action, &alone);
    shows(plan, seen, &action);
}

/// At 100% and held by nobody, it becomes final, whatever is in ALARM; one that is final waits only for those who still go on.
fn after_the_commit(seen: &Observation, others: &Others, action: &Action, found: &AliasState, otherwise: bool) {
    let described = || format!("{action:?}\non {seen:#?}");
    if otherwise {
        return;
    }
    if let (true, None, AliasState::Running(note)) = (others.committed, seen.failed, found)
        && matches!(note.phase, Phase::Bake | Phase::Post)
        && note.pause.is_none()
        && note.owner == plan().owner
    {
        let forward =
            matches!(action, Action::Promote(_)) || seen.write_blocked.is_some() && *action == Action::Finish(Outcome::Failed);
        assert!(forward, "{}", described());
    }
    if is_final(seen) && seen.claimed && seen.failed.is_none() {
        let waits = matches!(action, Action::Wait { why: Reason::SharedDegradation { stage: Stage::Final, .. }, .. });
        let ends = *action == Action::Finish(Outcome::Promoted);
        assert!(if others.under_way { waits || ends && others.at == Stage::Final } else { ends }, "{}", described());
    }
}

/// Whoever has nobody to wait for, and is not called, does what it would do alone.
fn without_company(plan: &Plan, seen: &Observation, others: &Others, action: &Action, alone: &Action) {
    let free = others.called.is_none() && !others.taken_over && !others.committed && !others.moved;
    let ahead = others.at == Stage::Final && others.leads && !others.under_way;
    // A weight that cannot be taken over is worse here: the others come back without it.
    let left_behind = *action == Action::Finish(Outcome::RollbackUnconfirmed) && seen.write_blocked.is_some();
    if free && ahead && !is_final(seen) && !left_behind && plan.on_interrupt == OnInterrupt::RollBack {
        assert_eq!(action, alone, "{seen:#?}");
    }
}

/// What is shown is what is: no more than was reached, ready for no less, and rolled back when it rolls back.
fn shows(plan: &Plan, seen: &Observation, action: &Action) {
    let described = || format!("{action:?}\non {seen:#?}");
    let shown = member(plan, seen, action);
    assert!(shown.ready >= shown.at, "{shown:?} {}", described());
    let back = match action {
        Action::RollBack(cause) => *cause != Cause::Unchanged,
        Action::Finish(Outcome::RolledBack(_) | Outcome::RollbackUnconfirmed) => true,
        _ => false,
    };
    assert_eq!(matches!(shown.left, Some(Left::Back(_))), back, "{shown:?} {}", described());
    assert_eq!(shown.ended, matches!(action, Action::Finish(_)), "{shown:?} {}", described());
    if shown.committed {
        assert!(is_final(seen), "{shown:?} {}", described());
    }
    if let Action::Shift { step, .. } = action {
        assert_eq!(shown.ready, Stage::Step(*step), "{}", described());
    }
    // Whoever has finished in good order, or holds what it has, has not left.
    let stays =
        matches!(action, Action::Finish(Outcome::Promoted | Outcome::Unchanged | Outcome::LeftInProgress) | Action::Release);
    assert!(!stays || shown.left.is_none(), "{shown:?} {}", described());
}

#[test]
fn every_decision_in_company_keeps_the_rules() {
    let mut count = 0_u32;
    let fresh = group_plan(OnInterrupt::RollBack);
    let taking = Plan { entry: Entry::TakeOver { from: Owner::from_random(2), forced: true }, ..fresh.clone() };
    for plan in [fresh, taking, group_plan(OnInterrupt::Hold)] {
        each_observation(&plan, |seen| {
            count += 1;
            check(&plan, seen);
        });
    }
    println!("{count} observations in company");
    assert!(count > 500_000, "the world shrank to {count}");
}

/// What the one at `place` sees of the others: their names, what they show, and since when.
pub(crate) fn others(all: &[(&str, Member, Time)], place: usize, plan: &Plan, now: Time) -> Others {
    let mut tally = Tally::new(all.iter().map(|(name, ..)| (*name).to_owned()).collect());
    for (index, (_, member, shown)) in all.iter().enumerate() {
        tally.show(index, *member, *shown);
    }
    tally.others(place, plan, now)
}

/// What a member shows after any round is seen by the others as it is meant, wherever it sits.
#[test]
fn the_others_are_the_least_of_all() {
    let plan = group_plan(OnInterrupt::RollBack);
    let stages = [Stage::Outside, Stage::Claimed, Stage::Step(1), FULL, Stage::Final];
    let shown = |at: Stage, ready: Stage| Member { at, ready: ready.max(at), ..Member::UNKNOWN };
    for (one, two) in stages.iter().flat_map(|one| stages.iter().map(move |two| (*one, *two))) {
        for age in [0, 10, 11] {
            let now = BEGUN + Duration::from_secs(age);
            let all = [("a", shown(one, Stage::Final), BEGUN), ("b", shown(two, two), now), ("c", Member::UNKNOWN, now)];
            let seen = others(&all, 2, &plan, now);
            // What was decided longer ago than evidence may be old is not counted on.
            let ready = if age <= 10 { Stage::Final } else { one };
            assert_eq!((seen.at, seen.before, seen.ready), (one.min(two), one.min(two), ready.max(one).min(two)));
            assert_eq!(seen.leads, (one, two) == (Stage::Final, Stage::Final));
            let first = others(&all, 0, &plan, now);
            assert!(first.leads && first.before == Stage::Final && first.at == Stage::Outside);
        }
    }
}

/// Of two processes at once: what one of them claimed and gave back is not "nothing new" to the other.
#[test]
fn what_another_process_gave_back_is_lost_to_a_group() {
    let plan = group_plan(OnInterrupt::RollBack);
    let last = Note { stable: Some(version(40)), candidate: plan.stable, plan: None, ..note(&plan, Phase::Promoted) };
    let ended = |note: &Note, claimed: bool, company: bool| {
        let others = company.then(|| others(&[], 0, &plan, BEGUN));
        decide(&plan, &Observation { claimed, others, planned_on: None, ..nothing_but(Some(as_noted(note))) })
    };
    let theirs = Note { owner: Owner::from_random(2), ..last.clone() };
    assert_eq!(ended(&theirs, false, true), Action::Finish(Outcome::Refused));
    for (note, claimed, company) in [(&theirs, false, false), (&theirs, true, true), (&last, true, true)] {
        assert_eq!(ended(note, claimed, company), Action::Finish(Outcome::Unchanged), "{claimed} {company}");
    }
}

/// Of two turns at once each may have heard of other members' hooks, and both would wait for an hour. So what is heard is written down, once,
/// and then no process has to stay for it.
#[test]
fn a_hook_that_has_succeeded_is_written_down_where_turns_wait_for_the_others() {
    let plan = Plan { post_hook: Some("post".to_owned()), ..group_plan(OnInterrupt::RollBack) };
    let detached = Plan { owner: detached_owner(plan.id), ..plan.clone() };
    let (health, now) = (healths(BEGUN + Duration::from_secs(90)).remove(0), BEGUN + Duration::from_secs(90));
    let waits = |plan: &Plan, attempt: HookAttempt, hook: Hook| {
        let alias = as_noted(&Note { hook: Some(attempt), due: None, ..note(plan, Phase::Post) });
        let company = [("a", Member::UNKNOWN, now), ("b", Member { at: FULL, ready: FULL, ..Member::UNKNOWN }, now)];
        let others = Some(others(&company, 0, plan, now));
        let (health, known) = (health.clone(), nothing_but(Some(alias)));
        Observation { now, hook, health, others, ..known }
    };
    let asked = HookAttempt::new(1, BEGUN + Duration::from_hours(1));
    let passed = HookAttempt { passed: true, ..asked };
    let is_wait = |action: &Action| matches!(action, Action::Wait { why: Reason::SharedDegradation { .. }, .. });

    let heard = waits(&detached, asked, Hook::Succeeded);
    assert_eq!(decide(&detached, &heard), Action::Renew);
    let written = desired(&detached, &heard, &Action::Renew).unwrap();
    assert_eq!(written.note().unwrap().hook, Some(passed));
    // Any other turn reads it, and nobody writes it again or stays for it.
    let read = waits(&detached, passed, Hook::Succeeded);
    let action = decide(&detached, &read);
    assert!(is_wait(&action), "{action:?}");
    assert!(Turn::Tick(Duration::ZERO).ends(&detached, &read, &action, now).is_some());
    assert_eq!(Turn::Tick(Duration::ZERO).ends(&detached, &heard, &action, now), None, "it stays while only it knows");
    // A process that stays asks all of them itself.
    assert!(is_wait(&decide(&plan, &waits(&plan, asked, Hook::Succeeded))));
    // Whoever takes it over need not ask again.
    let theirs = waits(&plan, passed, Hook::NotInvoked);
    let taken = desired(&Plan { owner: Owner::from_random(3), ..plan.clone() }, &theirs, &Action::TakeOver).unwrap();
    assert_eq!(taken.note().unwrap().hook, Some(passed));
    // By another plan it is asked again.
    let replanned = Plan { post_hook: Some("another".to_owned()), owner: Owner::from_random(3), ..plan.clone() };
    let taken = desired(&replanned, &theirs, &Action::TakeOver).unwrap();
    assert_eq!(taken.note().unwrap().hook.map(|hook| (hook.number, hook.passed)), Some((2, false)));
}

/// The one of a group that was final before the others were left to turns leaves as they do.
#[test]
fn what_is_final_does_not_stay_for_those_that_turns_drive() {
    let plan = group_plan(OnInterrupt::RollBack);
    let end = as_noted(&note(&plan, Phase::Promoted));
    let company = [("a", Member::UNKNOWN, BEGUN), ("b", Member { at: FULL, ready: Stage::Final, ..Member::UNKNOWN }, BEGUN)];
    let seen = Observation { others: Some(others(&company, 0, &plan, BEGUN)), ..nothing_but(Some(end)) };
    let action = decide(&plan, &seen);
    assert!(matches!(action, Action::Wait { .. }), "{action:?}");
    assert!(Turn::Begin.ends(&plan, &seen, &action, BEGUN).is_some());
}

/// Its cause, not the one it passed on, and the process that lost a claim only where nobody rolled back.
#[test]
fn who_has_a_cause_of_its_own_is_named() {
    let plan = group_plan(OnInterrupt::RollBack);
    let left = |left| Member { left, ..Member::UNKNOWN };
    let kinds = [None, Some(Left::Lost), Some(Left::Back(Cause::Group)), Some(Left::Back(Cause::Alarm)), Some(Left::TakenOver)];
    for (one, two) in kinds.iter().flat_map(|one| kinds.iter().map(move |two| (*one, *two))) {
        let all = [("a", left(one), BEGUN), ("b", left(two), BEGUN), ("c", Member::UNKNOWN, BEGUN)];
        let seen = others(&all, 2, &plan, BEGUN);
        let has = |kind: Left| [one, two].contains(&Some(kind));
        let cause = seen.called.as_ref().map(|called| called.cause);
        let expected = if has(Left::Back(Cause::Alarm)) {
            Some(Some(Cause::Alarm))
        } else if has(Left::Back(Cause::Group)) {
            Some(Some(Cause::Group))
        } else {
            has(Left::Lost).then_some(None)
        };
        assert_eq!((cause, seen.taken_over), (expected, has(Left::TakenOver)), "{one:?} {two:?}");
    }
}
