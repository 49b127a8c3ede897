//! What is remembered, at its edges: when a rollback is given up, when refusals are AWS' last word, what is believed of the alias, and
//! what is to be looked at when.

use std::time::Duration;

use crate::action::{Action, Reason};
use crate::agenda::{next_alarms, next_counts, rest};
use crate::alarms::Alarms;
use crate::alias::{Alias, AliasSnapshot, Revision};
use crate::candidate::{Facts, State, Update, given_up, unreadable};
use crate::comparison::{AnalysisVerdict, Comparison};
use crate::counts_tests::found;
use crate::decide::decide;
use crate::decide_tests::{BEGUN, alarm, healths, plan, points, version};
use crate::failure::Failure;
use crate::group::{Others, RollbackTrigger};
use crate::group_tests::{alias, as_noted, group_plan, note, others, shift};
use crate::health::{AlarmState, Health, ReadError};
use crate::memory::{GivingUp, Memory};
use crate::note::{AfterPause, Note, Owner, Pause, Phase};
use crate::observation::{Candidate, Certainty, Observation, Readiness};
use crate::plan::{Analysis, Mode, OnInterrupt, Plan};
use crate::policy::Policy;
use crate::timing::ROLLBACK_LIMIT;
use crate::{Cause, Outcome, Schedule, Time, Weight};

const MINUTE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);

fn held(alias: Alias, revision: &str) -> AliasSnapshot {
    AliasSnapshot { alias, revision: Revision(revision.to_owned()) }
}

/// What the process of a rollout remembers that has read its alias once, with this note.
fn reading(plan: &Plan, note: &Note) -> Memory {
    let mut memory = Memory::default();
    memory.on_read(plan, Some(held(as_noted(note), "1")), BEGUN);
    memory
}

/// The same at the first step.
fn owning(plan: &Plan) -> Memory {
    reading(plan, &shift(plan))
}

/// The same plan, with the invocations of both versions compared.
fn comparing(plan: Plan) -> Plan {
    let analysis = Analysis { mode: Mode::On, ..Analysis::default() };
    Plan { policy: Policy { analysis, ..plan.policy }, ..plan }
}

fn seen_at(now: Time) -> Observation {
    Memory::default().observation(now, false)
}

fn called() -> Others {
    let called = Some(RollbackTrigger { by: "b".into(), cause: Some(Cause::Alarm) });
    Others { called, ..others(&[], 0, &plan(), BEGUN) }
}

#[test]
fn a_way_back_is_given_up_after_its_quarter_of_an_hour_and_no_sooner() {
    let wait = Action::Wait { until: BEGUN, why: Reason::NotDue };
    let back = Action::RollBack(Cause::Alarm);
    for (action, others, outcome) in [
        (back.clone(), None, Some(Outcome::RollbackUnconfirmed)),
        (Action::Confirm, None, Some(Outcome::RollbackUnconfirmed)),
        (Action::Release, None, Some(Outcome::LeftInProgress)),
        (Action::TakeOver, Some(called()), Some(Outcome::RollbackUnconfirmed)),
        (Action::TakeOver, None, None),
        (Action::Renew, None, None),
        (wait.clone(), None, None),
    ] {
        let mut giving_up = GivingUp::default();
        let mut end = |action: &Action, after| {
            giving_up.end(&Observation { others: others.clone(), claimed: true, ..seen_at(BEGUN + after) }, action)
        };
        for after in [Duration::ZERO, Duration::from_millis(15 * 60 * 1000 - 1)] {
            assert_eq!(end(&action, after), None, "{action:?}");
        }
        for after in [ROLLBACK_LIMIT, ROLLBACK_LIMIT + MINUTE] {
            assert_eq!(end(&action, after), outcome, "{action:?}");
        }
        // One kind of it after another is one; anything else in between begins it again.
        assert_eq!(end(&back, ROLLBACK_LIMIT), outcome.clone().map(|_| Outcome::RollbackUnconfirmed), "{action:?}");
        assert_eq!(end(&wait, ROLLBACK_LIMIT), None);
        assert_eq!(end(&action, ROLLBACK_LIMIT * 2), None, "{action:?}");
        assert_eq!(end(&Action::Finish(Outcome::Promoted), Duration::ZERO), Some(Outcome::Promoted));
    }
}

#[test]
fn whoever_insists_ends_a_way_back_only_when_a_write_has_failed() {
    let plan = plan();
    let back = Action::RollBack(Cause::Signal);
    for (at_once, fails) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut memory = owning(&plan);
        if fails {
            memory.on_write_failed(&plan, &back, Failure::Unanswered, "no answer", BEGUN);
        }
        let seen = memory.observation(BEGUN + SECOND, at_once);
        let ended = memory.on_decided(&plan, &seen, &back);
        assert_eq!(ended, (at_once && fails).then_some(Outcome::RollbackUnconfirmed), "{at_once} {fails}");
        // What could be written by then does not fail.
        memory.on_written(&plan, &back, held(alias(41, 0, None), "2"), BEGUN + SECOND);
        assert!(!memory.observation(BEGUN + SECOND, at_once).stop_now);
    }
}

#[test]
fn refusals_are_the_last_word_after_a_minute_and_of_a_claim_at_once() {
    let plan = plan();
    let refusals = [Failure::Denied, Failure::Invalid, Failure::NotFound];
    let others = [Failure::Throttled, Failure::Conflict, Failure::Outdated, Failure::Unanswered, Failure::Unsent];
    for failure in refusals.into_iter().chain(others) {
        for action in [Action::Claim, Action::Renew, Action::Confirm, Action::RollBack(Cause::Alarm)] {
            let mut memory = owning(&plan);
            let mut refused = |after| {
                memory.on_write_failed(&plan, &action, failure, "no", BEGUN + after);
                memory.observation(BEGUN + after, false).write_blocked.is_some()
            };
            let counts = refusals.contains(&failure) && matches!(action, Action::Claim | Action::Renew);
            let at_once = counts && action == Action::Claim;
            assert_eq!(refused(Duration::ZERO), at_once, "{failure:?} {action:?}");
            assert_eq!(refused(Duration::from_millis(59_999)), at_once, "{failure:?} {action:?}");
            assert_eq!(refused(MINUTE), counts, "{failure:?} {action:?}");
        }
    }
    // A write that is taken in between begins the minute again.
    let mut memory = Memory::default();
    memory.on_write_failed(&plan, &Action::Renew, Failure::Denied, "no", BEGUN);
    memory.on_written(&plan, &Action::Renew, held(as_noted(&shift(&plan)), "2"), BEGUN + SECOND);
    memory.on_write_failed(&plan, &Action::Renew, Failure::Denied, "no", BEGUN + MINUTE);
    assert_eq!(memory.observation(BEGUN + MINUTE, false).write_blocked, None);
}

#[test]
fn a_full_weight_is_refused_once_without_counting() {
    let plan = Plan { schedule: Schedule::steps(&[points(1000)], MINUTE).unwrap(), ..plan() };
    let pass = healths(BEGUN)[0].verdict(&plan, BEGUN, BEGUN);
    let crate::health::Verdict::Pass(pass) = pass else { panic!("{pass:?}") };
    for (step, failure, known) in
        [(1, Failure::Invalid, false), (2, Failure::Denied, false), (2, Failure::Invalid, true), (2, Failure::Throttled, false)]
    {
        let action = Action::Shift { step, since: BEGUN, pass: pass.clone() };
        assert_eq!(plan.schedule.weight(step) == Weight::FULL, step == 2);
        let mut memory = Memory::default();
        memory.on_write_failed(&plan, &action, failure, "no", BEGUN);
        let seen = memory.observation(BEGUN, false);
        assert_eq!((seen.full_weight_refused, seen.write_blocked), (known, None), "{step} {failure:?}");
        // The second time it is a refusal like every other.
        for after in [MINUTE, MINUTE * 2] {
            memory.on_write_failed(&plan, &action, failure, "no", BEGUN + after);
        }
        assert_eq!(memory.observation(BEGUN, false).write_blocked.is_some(), failure != Failure::Throttled, "{step} {failure:?}");
    }
}

#[test]
fn a_read_that_is_older_than_a_write_is_no_news() {
    let plan = plan();
    let (before, after) = (as_noted(&note(&plan, Phase::Claim)), as_noted(&shift(&plan)));
    let mut memory = reading(&plan, &note(&plan, Phase::Claim));
    memory.on_written(&plan, &Action::Renew, held(after.clone(), "2"), BEGUN + SECOND);
    memory.on_waited();
    memory.on_read(&plan, Some(held(before.clone(), "1")), BEGUN + SECOND * 2);
    let seen = memory.observation(BEGUN + SECOND * 2, false);
    // As if nothing had been read.
    assert_eq!((seen.alias.as_ref(), memory.age(BEGUN + SECOND * 2)), (Some(&after), Some(SECOND)));
    // The same words by another write are news.
    memory.on_read(&plan, Some(held(before.clone(), "3")), BEGUN + SECOND * 3);
    assert_eq!(memory.alias(), Some(&before));
}

#[test]
fn what_was_read_once_is_certain_when_it_was_read_again_a_second_later() {
    let plan = plan();
    let found = || Some(held(as_noted(&shift(&plan)), "1"));
    for alias in [found(), None] {
        let mut memory = Memory::default();
        let mut reads = |alias: &Option<AliasSnapshot>, after| {
            memory.on_read(&plan, alias.clone(), BEGUN + after);
            memory.observation(BEGUN + after, false).certainty
        };
        assert_eq!(reads(&alias, Duration::ZERO), Certainty::Read);
        assert_eq!(reads(&alias, Duration::from_millis(999)), Certainty::Read);
        assert_eq!(reads(&alias, SECOND), Certainty::ReadTwice);
        assert_eq!(reads(&Some(held(as_noted(&shift(&plan)), "2")), SECOND * 2), Certainty::Read, "another revision");
        assert_eq!(reads(&alias, SECOND * 3), Certainty::Read, "as it was before");
    }
    let mut memory = Memory::default();
    memory.on_written(&plan, &Action::Claim, held(as_noted(&shift(&plan)), "1"), BEGUN);
    assert_eq!(memory.observation(BEGUN, false).certainty, Certainty::Written);
    memory.on_waited();
    assert_eq!(memory.observation(BEGUN, false).certainty, Certainty::Read);
    memory.on_read(&plan, found(), BEGUN + SECOND);
    assert_eq!(memory.observation(BEGUN + SECOND, false).certainty, Certainty::ReadTwice);
}

#[test]
fn whoever_cannot_read_the_alias_is_as_blind_as_without_alarms() {
    let plan = plan();
    let limit = plan.freshness();
    let [green, _, in_alarm, _, _, _] = healths(BEGUN + MINUTE).try_into().unwrap();
    let mut memory = Memory::default();
    assert!(matches!(memory.health(&plan, &green, BEGUN), Health::Unread { .. }), "never read");
    memory.on_read(&plan, Some(held(as_noted(&shift(&plan)), "1")), BEGUN);
    assert_eq!(memory.health(&plan, &green, BEGUN + limit), green);
    for failure in [Failure::Throttled, Failure::Unsent] {
        memory.on_read_failed(&plan, failure, "no answer", BEGUN);
        let now = BEGUN + limit + Duration::from_millis(1);
        let Health::Read { at, alarms, failing, .. } = memory.health(&plan, &in_alarm, now) else {
            panic!("what is red stays so")
        };
        assert_eq!((at, alarms[0].state), (BEGUN, AlarmState::Alarm), "no newer than the alias");
        let why = "the alias cannot be read".to_owned();
        assert_eq!(failing, Some(ReadError { why, throttled: failure == Failure::Throttled }));
        assert!(matches!(memory.health(&plan, &Health::Unwatched, now), Health::Unread { .. }));
    }
}

#[test]
fn a_note_that_is_gone_is_remembered_and_one_that_ended_is_not() {
    let plan = plan();
    let live = shift(&plan);
    let theirs = Note { owner: Owner::from_random(2), ..live.clone() };
    for (later, remembered) in [
        (alias(41, 1000, None), Some(live.clone())),
        (as_noted(&note(&plan, Phase::Back(Cause::Alarm))), None),
        (as_noted(&theirs), None),
    ] {
        let mut memory = owning(&plan);
        memory.on_read(&plan, Some(held(later, "2")), BEGUN);
        let seen = memory.observation(BEGUN, false);
        assert_eq!((seen.remembered, seen.claimed), (remembered, true));
    }
}

#[test]
fn a_first_cause_is_kept_and_nothing_is_watched_after_it() {
    let plan = comparing(plan());
    let mut memory = owning(&plan);
    let alarms = Alarms::new(&plan, Vec::new(), None);
    let looks = |memory: &Memory| {
        let counts = next_counts(&plan, memory, &Comparison::uncounted(), None);
        (next_alarms(&plan, memory, &alarms).is_some(), counts.is_some())
    };
    assert_eq!(looks(&memory), (true, true));
    for cause in [Cause::Alarm, Cause::Signal] {
        memory.on_decided(&plan, &seen_at(BEGUN), &Action::RollBack(cause));
    }
    assert_eq!(memory.failed(), Some(Cause::Alarm));
    assert_eq!(looks(&memory), (false, false));
}

/// Once a minute; a poll after a failure; and just before a weight that rises by itself.
#[test]
fn calls_are_counted_when_there_is_more_to_know() {
    let plan = comparing(group_plan(OnInterrupt::RollBack));
    let minute = Time::from_secs(BEGUN.as_secs() / 60 * 60 + 60);
    let read = |failing| match found(AnalysisVerdict::Pass, 0, minute) {
        Comparison::Read { at, finding, .. } => Comparison::Read { at, finding, failing },
        Comparison::Unread { .. } => panic!("it was counted"),
    };
    let failing = ReadError { why: "no".into(), throttled: false };
    let pause = Some(Pause { until: minute + MINUTE * 9, then: AfterPause::Resume, gate: false });
    let due = |at| Note { due: Some(at), ..shift(&plan) };
    let tried = minute + SECOND * 5;
    for (note, known, tried, expected) in [
        (due(minute + MINUTE * 9), read(None), None, Some(Time::default())),
        (due(minute + MINUTE * 9), read(None), Some(tried), Some(minute + MINUTE)),
        (due(minute + MINUTE * 9), read(Some(failing.clone())), Some(tried), Some(tried + plan.poll)),
        (due(minute + MINUTE * 9), Comparison::uncounted(), Some(tried), Some(tried + plan.poll)),
        (due(minute + SECOND * 30), read(None), Some(tried), Some(minute + SECOND * 30)),
        (due(minute + SECOND * 6), read(None), Some(tried), Some(tried + plan.poll)),
        (Note { pause, ..due(minute + SECOND * 30) }, read(None), Some(tried), Some(minute + MINUTE)),
        (crate::group_tests::note(&plan, Phase::Claim), read(None), Some(tried), None),
    ] {
        let memory = reading(&plan, &note);
        assert_eq!(next_counts(&plan, &memory, &known, tried), expected, "{note:?}");
    }
}

#[test]
fn a_rest_is_a_poll_at_the_most_and_ends_with_the_next_look() {
    let plan = plan();
    let (poll, long) = (plan.poll, BEGUN + MINUTE);
    assert_eq!(rest(&plan, long, &Reason::NotDue, None, BEGUN), poll);
    assert_eq!(rest(&plan, long, &Reason::LookingAgain, None, BEGUN), SECOND);
    assert_eq!(rest(&plan, BEGUN + SECOND, &Reason::NotDue, None, BEGUN), SECOND);
    assert_eq!(rest(&plan, long, &Reason::NotDue, Some(BEGUN + SECOND), BEGUN), SECOND);
    assert_eq!(rest(&plan, BEGUN, &Reason::NotDue, Some(BEGUN), BEGUN), Duration::from_millis(1));
}

#[test]
fn an_alarm_that_changed_since_the_last_look_is_looked_up() {
    let plan = plan();
    let mut alarms = Alarms::new(&plan, Vec::new(), None);
    let mut look = |state, since, at, history: Option<Time>, failing: Option<ReadError>| {
        let mut read = vec![alarm(state, since, "")];
        let unsure = alarms.unsure(&mut read);
        if let Some(in_alarm) = history {
            alarms.on_history("errors", in_alarm);
        }
        alarms.on_read(&plan, at, read, failing);
        let Health::Read { at, alarms, .. } = alarms.health() else { panic!() };
        (unsure.len(), *at, alarms[0].in_alarm)
    };
    let (ok, in_alarm) = (AlarmState::Ok, AlarmState::Alarm);
    let at = |seconds| BEGUN + Duration::from_secs(seconds);
    assert_eq!(look(ok, BEGUN - MINUTE, at(10), None, None), (0, at(10), None));
    // Two services' clocks may differ by 5 seconds.
    assert_eq!(look(ok, at(5), at(20), None, None), (1, at(20), None));
    assert_eq!(look(ok, at(14), at(30), None, None), (0, at(30), None));
    assert_eq!(look(in_alarm, at(29), at(40), None, None), (0, at(40), Some(at(29))));
    assert_eq!(look(ok, at(38), at(50), Some(at(36)), None), (1, at(50), Some(at(36))));
    // Without the history nothing may rest on it, and the next look asks for it again.
    let failing = Some(ReadError { why: "denied".into(), throttled: false });
    assert_eq!(look(ok, at(55), at(60), None, failing), (1, at(50), Some(at(36))));
    assert_eq!(look(ok, at(55), at(70), None, None), (1, at(70), Some(at(36))));
}

#[test]
fn a_managed_alarm_says_nothing_from_before_it_was_about_the_candidate() {
    let plan = plan();
    for has_share in [false, true] {
        let mut alarms = Alarms::new(&plan, vec!["errors".into()], None);
        assert_eq!((alarms.ready(), alarms.health(), alarms.watching(&plan).len()), (false, &Health::Unwatched, 0));
        alarms.on_managed(has_share, BEGUN + MINUTE);
        assert_eq!((alarms.ready(), alarms.watching(&plan).len()), (true, 1));
        let mut read = vec![alarm(AlarmState::Alarm, BEGUN, "")];
        alarms.unsure(&mut read);
        assert_eq!(read[0].state == AlarmState::Alarm, has_share);
    }
}

#[test]
fn only_what_is_active_and_of_one_role_and_queue_takes_traffic() {
    let (active, done) = (State::Active, Update::Successful);
    let facts = |version, role, dead_letter| Facts { version, code: "c", state: &active, update: &done, role, dead_letter };
    let stable = facts("41", "r", None);
    let unfit = |candidate: Facts<'_>| match candidate.readiness(Some(&stable)) {
        Readiness::Unfit(why) => Some(why),
        Readiness::Pending | Readiness::Ready => None,
    };
    assert_eq!(unfit(facts("42", "r", None)), None);
    assert!(unfit(facts("42", "s", None)).unwrap().starts_with("42 has a different execution role than 41 (s instead of r)"));
    assert!(unfit(facts("42", "r", Some("q"))).unwrap().contains("dead-letter queue than 41 (q instead of none)"));
    assert_eq!(Facts { state: &State::Pending, ..facts("42", "s", None) }.readiness(Some(&stable)), Readiness::Pending);
    assert!(unfit(Facts { state: &State::Inactive, ..facts("42", "r", None) }).unwrap().contains("is Inactive"));
    assert!(unfit(Facts { state: &State::Failed("x".into()), ..facts("42", "r", None) }).unwrap().contains("Failed: x"));
    let pending = Facts { update: &Update::InProgress, ..stable };
    assert_eq!(pending.latest(true, Some("d")), Candidate::Settling, "whatever it will be");
    assert_eq!(stable.latest(true, Some("d")), Candidate::Outdated);
    assert!(matches!(stable.latest(false, Some("d")), Candidate::Failed(why) if why.contains("something else")));
    assert_eq!((stable.latest(false, Some("c")), stable.latest(false, None)), (Candidate::Ready, Candidate::Ready));
    assert_eq!(version(42).to_string(), "42");
}

#[test]
fn what_fails_for_ever_is_given_up() {
    let plan = plan();
    let (shift, back) = (Action::Renew, Action::RollBack(Cause::Alarm));
    let after = |action: &Action, failure, span: Duration| {
        let mut memory = owning(&plan);
        for at in [BEGUN, BEGUN + span] {
            memory.on_write_failed(&plan, action, failure, "why", at);
        }
        let seen = memory.observation(BEGUN + span, false);
        (seen.write_blocked, seen.stop_now)
    };
    let almost = plan.blind_limit.saturating_sub(SECOND);
    // Errors of AWS' own and changes of others pass, but not for ever.
    for failure in [Failure::Unanswered, Failure::Conflict, Failure::Unsent] {
        assert_eq!(after(&shift, failure, almost), (None, false), "{failure:?}");
        assert!(after(&shift, failure, plan.blind_limit).0.unwrap().contains("why"), "{failure:?}");
        // The way back has a limit of its own.
        assert_eq!(after(&back, failure, plan.blind_limit), (None, false), "{failure:?}");
    }
    assert_eq!(after(&shift, Failure::Throttled, plan.blind_limit), (None, false));
    // With expired credentials nothing will ever succeed: somebody is called at once.
    for action in [&shift, &back] {
        assert_eq!(after(action, Failure::Expired, 4 * SECOND), (None, false));
        let (blocked, stops) = after(action, Failure::Expired, 5 * SECOND);
        assert!(blocked.unwrap().contains("expired") && stops);
    }
}

#[test]
fn an_alias_that_was_never_read_is_not_waited_for_without_end() {
    let plan = plan();
    for (failure, limit) in [(Failure::Unanswered, plan.blind_limit), (Failure::Denied, MINUTE), (Failure::Expired, 5 * SECOND)] {
        let mut memory = Memory::default();
        memory.on_read_failed(&plan, failure, "why", BEGUN);
        memory.on_read_failed(&plan, failure, "why", BEGUN + limit - SECOND);
        assert_eq!(memory.observation(BEGUN, false).write_blocked, None, "{failure:?}");
        memory.on_read_failed(&plan, failure, "why", BEGUN + limit);
        let seen = memory.observation(BEGUN + limit, false);
        assert_eq!(decide(&plan, &seen), Action::Finish(Outcome::Refused), "{failure:?}");
    }
}

#[test]
fn a_version_that_never_gets_ready_is_given_up() {
    let pending = Candidate::Published(version(42), Readiness::Pending);
    let minutes = |minutes| Duration::from_mins(minutes);
    assert_eq!(given_up(&pending, minutes(14), None), None);
    let unfit = |unread| match given_up(&pending, minutes(15), unread) {
        Some(Candidate::Published(_, Readiness::Unfit(why))) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(unfit(None), "42 has been Pending for 15m");
    assert_eq!(unfit(Some("no answer")), "42 could not be read for 15m: no answer");
    for (known, unread) in [(Candidate::Settling, None), (Candidate::Unknown, Some("no answer"))] {
        assert!(matches!(given_up(&known, minutes(15), unread), Some(Candidate::Failed(_))), "{known:?}");
    }
    assert_eq!(given_up(&Candidate::Published(version(42), Readiness::Ready), minutes(99), None), None);
    // What AWS refuses to show is not asked for again.
    assert_eq!(unreadable(&pending, Failure::Unanswered, "why"), None);
    assert!(matches!(unreadable(&pending, Failure::Denied, "why"), Some(Candidate::Published(_, Readiness::Unfit(_)))));
}

#[test]
fn after_the_commit_of_its_group_nobody_is_called_back_for_a_write_that_fails() {
    let committed = |cause| {
        let trigger = Some(RollbackTrigger { by: "b".into(), cause });
        Observation { others: Some(Others { called: trigger, committed: true, ..called() }), ..seen_at(BEGUN) }
    };
    for (action, cause, outcome) in [
        (Action::TakeOver, None, Outcome::Failed),
        (Action::Confirm, None, Outcome::Failed),
        (Action::TakeOver, Some(Cause::Hand), Outcome::RollbackUnconfirmed),
        (Action::RollBack(Cause::Hand), None, Outcome::RollbackUnconfirmed),
    ] {
        let (mut giving_up, seen) = (GivingUp::default(), committed(cause));
        assert_eq!(giving_up.end(&seen, &action), None);
        let late = Observation { now: BEGUN + ROLLBACK_LIMIT, ..seen };
        assert_eq!(giving_up.end(&late, &action), Some(outcome), "{action:?}");
    }
}

#[test]
fn a_claim_that_is_never_taken_is_no_call_for_help_unless_it_found_traffic_moved() {
    for (found, claimed, outcome) in [
        (None, false, Outcome::Failed),
        (None, true, Outcome::RollbackUnconfirmed),
        (Some(alias(41, 1000, None)), false, Outcome::RollbackUnconfirmed),
    ] {
        let mut giving_up = GivingUp::default();
        let at = |now| Observation { alias: found.clone(), claimed, ..seen_at(now) };
        assert_eq!(giving_up.end(&at(BEGUN), &Action::Confirm), None);
        assert_eq!(giving_up.end(&at(BEGUN + ROLLBACK_LIMIT), &Action::Confirm), Some(outcome));
    }
}

#[test]
fn a_way_back_on_which_a_write_was_answered_begins_anew() {
    let mut giving_up = GivingUp::default();
    let others = Some(called());
    assert_eq!(giving_up.end(&Observation { others: others.clone(), ..seen_at(BEGUN) }, &Action::TakeOver), None);
    let now = BEGUN + ROLLBACK_LIMIT;
    let taken = Observation { others, certainty: Certainty::Written, ..seen_at(now) };
    assert_eq!(giving_up.end(&taken, &Action::RollBack(Cause::Group)), None);
    let late = Observation { now: now + ROLLBACK_LIMIT, certainty: Certainty::ReadTwice, ..taken };
    assert_eq!(giving_up.end(&late, &Action::RollBack(Cause::Group)), Some(Outcome::RollbackUnconfirmed));
}
