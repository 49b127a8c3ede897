//! How does an action become an alias? The whole desired alias for every action that writes, and for a rollback manually.
//!
//! One action is one write: weights and note change together or not at all.

use std::time::Duration;

use crate::action::Action;
use crate::alias::{Alias, AliasState, Audience, Target, alias_state};
use crate::decide::unnamed;
use crate::health::HoldReason;
use crate::note::{self, AfterPause, HookAttempt, Note, NoteParse, Owner, Pause, Phase, REJECTED_KEPT, Rejected, RolloutId};
use crate::observation::{Hook, Observation};
use crate::plan::{Plan, Source};
use crate::timing::{LANDED, LEASE, PAUSE};
use crate::turn::detached_owner;
use crate::{Cause, Time, Version, Weight};

/// The alias that `action` wants, or `None` where the action writes none: it waits, publishes, or there is no room for the note.
pub fn desired(plan: &Plan, seen: &Observation, action: &Action) -> Option<Alias> {
    let Some(alias) = &seen.alias else { return create(plan, seen, action) };
    let found = alias_state(alias);
    // These find no note of a live rollout.
    if *action == Action::Claim {
        return claim(plan, seen, alias, &found);
    }
    if *action == Action::Adopt {
        return adopt(plan, seen, alias);
    }
    if *action == Action::WriteAgain {
        return write_again(plan, seen, alias);
    }
    if *action == Action::Confirm {
        return Some(alias.clone());
    }
    let vanished = seen.remembered.as_ref().filter(|_| matches!(action, Action::RollBack(_)));
    let note = found.note().or(vanished)?.clone();
    let candidate = note.candidate.or(seen.candidate.published());
    match action {
        Action::AnnouncePreHook => announce(plan, seen, alias, &Note { phase: Phase::Pre, candidate, ..note }),
        Action::AnnouncePostHook => announce(plan, seen, alias, &Note { phase: Phase::Post, ..note }),
        Action::AnnounceStepHook => {
            let number = note.hook.map_or(1, |hook| hook.number.saturating_add(1));
            renoted(plan, seen, alias, Note { hook: Some(HookAttempt::new(number, hook_deadline(plan, seen.now))), ..note })
        }
        Action::Shift { step, since, .. } => shift(plan, seen, alias, note, *step, *since),
        Action::Postpone(since) => {
            let due = note.due.map(|due| plan.next_change(*since + due.since(note.since)));
            renoted(plan, seen, alias, Note { since: *since, due, ..note })
        }
        Action::Extend { until, doubt, .. } => {
            let from = note.due.filter(|due| seen.now <= *due + plan.tolerance()).unwrap_or(seen.now.ceil_to_second());
            let (longer, due) = (until.since(from), Some(*until));
            let note = match doubt {
                HoldReason::Suspicious => Note { due, held: note.held + longer, ..note },
                HoldReason::NoCalls | HoldReason::TooFew | HoldReason::Unanswered => {
                    Note { due, waited: note.waited + longer, ..note }
                }
            };
            renoted(plan, seen, alias, note)
        }
        Action::Resume => renoted(plan, seen, alias, Note { pause: None, ..note }),
        Action::TakeOver => take_over(plan, seen, alias, note),
        Action::Supersede => claim_over(plan, seen, alias, &note),
        Action::GoBlind => renoted(plan, seen, alias, Note { blind: Some(seen.now), ..note }),
        Action::SeeAgain => renoted(plan, seen, alias, Note { blind: None, ..note }),
        Action::Renew => {
            let hook = note.hook.map(|hook| HookAttempt { passed: hook.passed || seen.hook == Hook::Succeeded, ..hook });
            renoted(plan, seen, alias, named(plan, seen, Note { hook, ..note }))
        }
        Action::Release => with_note(alias, &Note { lease: None, ..note }),
        Action::Promote(_) => promote(plan, seen, alias, &note),
        Action::RollBack(cause) => Some(back(seen.now, alias, &note, plan.owner, candidate, *cause)),
        Action::Adopt | Action::WriteAgain | Action::Confirm => None,
        Action::Claim | Action::Create(_) | Action::UpdateCode | Action::Publish | Action::InvokeHook | Action::Probe => None,
        Action::Wait { .. } | Action::ManageAlarms | Action::StartGuard | Action::Finish(_) => None,
    }
}

/// The same note, with the version that was published where it does not say which.
fn named(plan: &Plan, seen: &Observation, note: Note) -> Note {
    let Some((version, _)) = unnamed(plan, seen, &note) else { return note };
    let note = Note { candidate: Some(version), ..note };
    Note { rejected: without_candidate(plan, &note), ..note }
}

/// The alias with its live note in the hands of whoever runs a turn of it; `None` where there is no such note, or no room for it.
pub fn handed_over(plan: &Plan, now: Time, alias: &Alias) -> Option<Alias> {
    let note = alias.note().filter(|note| !note.phase.is_terminal())?;
    with_note(alias, &Note { owner: detached_owner(note.id), lease: Some(lease(plan, now, note.due)), ..note })
}

fn lease(plan: &Plan, now: Time, due: Option<Time>) -> Time {
    let next = due.map_or(LEASE, |due| due.since(now).min(LEASE));
    (now + next + plan.lease_grace()).ceil_to_second()
}

fn with_note(alias: &Alias, note: &Note) -> Option<Alias> {
    Some(Alias { description: note::write_description(alias.text(), note)?, ..alias.clone() })
}

/// The same alias with another note and a new lease.
fn renoted(plan: &Plan, seen: &Observation, alias: &Alias, note: Note) -> Option<Alias> {
    with_note(alias, &Note { lease: Some(lease(plan, seen.now, note.due)), ..note })
}

fn fresh(plan: &Plan, now: Time, phase: Phase, candidate: Option<Version>) -> Note {
    let at = now.ceil_to_second();
    let (lease, hash) = (Some(lease(plan, now, None)), Some(plan.hash()));
    Note { stable: plan.stable, candidate, lease, plan: hash, ..Note::new(plan.id, plan.owner, phase, at) }
}

fn claim(plan: &Plan, seen: &Observation, alias: &Alias, found: &AliasState) -> Option<Alias> {
    let AliasState::Idle(last) = found else { return None };
    let last = last.as_ref();
    let candidate = match plan.source {
        Source::Version(version) => Some(version),
        Source::Publish | Source::Update(_) => None,
    };
    // What stable replaced is what a rollback would roll back to: not to be lost should nothing come of this rollout.
    let previous = last.and_then(|last| match last.phase {
        Phase::Promoted if last.candidate == plan.stable => last.stable,
        Phase::Back(_) if last.stable == plan.stable => last.previous,
        Phase::Promoted | Phase::Back(_) | Phase::Claim | Phase::Pre | Phase::Shift { .. } | Phase::Bake | Phase::Post => None,
    });
    let rejected = last.map(|last| last.rejected.clone()).unwrap_or_default();
    let note = Note { previous, rejected, ..fresh(plan, seen.now, Phase::Claim, candidate) };
    // Weights of 0 may be left over from another owner; the claim clears them.
    with_note(&Alias { weights: Vec::new(), ..alias.clone() }, &note)
}

/// The same rollout in new hands. A hook that was announced may have run and its answer be lost: it is announced once more.
fn take_over(plan: &Plan, seen: &Observation, alias: &Alias, note: Note) -> Option<Alias> {
    let again = |hook: HookAttempt| HookAttempt::new(hook.number.saturating_add(1), hook_deadline(plan, seen.now));
    let replanned = note.plan != Some(plan.hash());
    // By another plan it may be another hook.
    let hook = note.hook.map(|hook| if hook.passed && !replanned { hook } else { again(hook) });
    // Its write may have landed late, and nobody is left who saw that: longer than planned, never shorter.
    let began = (note.since + LANDED).min(seen.now.ceil_to_second()).max(note.since);
    let (phase, due) = match note.phase {
        // Another plan has other steps.
        Phase::Shift { weight, .. } if replanned => {
            let phase = phase_at(plan, weight, reached(plan, weight))?;
            (phase, Some(plan.next_change(began + plan.dwell(phase))))
        }
        phase @ Phase::Shift { .. } => (phase, note.due.map(|due| due.max(plan.next_change(began + plan.dwell(phase))))),
        phase @ Phase::Bake => (phase, Some(began + plan.dwell(phase))),
        phase @ (Phase::Claim | Phase::Pre | Phase::Post | Phase::Promoted | Phase::Back(_)) => (phase, note.due),
    };
    renoted(plan, seen, alias, Note { owner: plan.owner, plan: Some(plan.hash()), phase, due, hook, ..note })
}

/// Our claim in place of another rollout's note, its canary's weight gone. What it knew of rejected versions stays known.
fn claim_over(plan: &Plan, seen: &Observation, alias: &Alias, theirs: &Note) -> Option<Alias> {
    let note = Note {
        rejected: theirs.rejected.clone(),
        previous: theirs.previous,
        ..fresh(plan, seen.now, Phase::Claim, seen.candidate.published())
    };
    with_note(&Alias { weights: Vec::new(), ..alias.clone() }, &note)
}

/// A note beside weights that have none: as if this rollout had set them just now.
fn adopt(plan: &Plan, seen: &Observation, alias: &Alias) -> Option<Alias> {
    let (candidate, weight) = alias.canary()?;
    let since = seen.now.ceil_to_second();
    let phase = phase_at(plan, weight, reached(plan, weight))?;
    // The last rollout's note may still stand beside them.
    let known = if let NoteParse::Note(last) = alias.noted() { last.rejected } else { Vec::new() };
    let due = Some(plan.next_change(since + plan.dwell(phase)));
    let note = Note { due, rejected: known, ..fresh(plan, seen.now, phase, Some(candidate)) };
    let rejected = without_candidate(plan, &note);
    renoted(plan, seen, alias, Note { rejected, ..note })
}

/// The note that vanished, with a pause that a person has to end or that runs out.
fn write_again(plan: &Plan, seen: &Observation, alias: &Alias) -> Option<Alias> {
    let note = seen.remembered.clone()?;
    let pause = note.pause.or(Some(Pause { until: (seen.now + PAUSE).ceil_to_second(), then: AfterPause::Resume, gate: false }));
    renoted(plan, seen, alias, Note { pause, ..note })
}

fn create(plan: &Plan, seen: &Observation, action: &Action) -> Option<Alias> {
    let Action::Create(_) = action else { return None };
    let candidate = seen.candidate.published()?;
    let phase = if plan.post_hook.is_some() { Phase::Post } else { Phase::Promoted };
    let mut note = fresh(plan, seen.now, phase, Some(candidate));
    if phase == Phase::Promoted {
        note = terminal(note, seen.now);
    } else {
        note.hook = Some(HookAttempt::new(1, hook_deadline(plan, seen.now)));
    }
    let alias = Alias { target: Target::Version(candidate), weights: Vec::new(), description: String::new() };
    with_note(&alias, &note)
}

fn hook_deadline(plan: &Plan, now: Time) -> Time {
    (now + plan.hook_limit).ceil_to_second()
}

fn announce(plan: &Plan, seen: &Observation, alias: &Alias, note: &Note) -> Option<Alias> {
    let number = match note.hook {
        Some(hook) if alias_state(alias).note().is_some_and(|noted| noted.phase == note.phase) => hook.number.saturating_add(1),
        Some(_) | None => 1,
    };
    let hook = Some(HookAttempt::new(number, hook_deadline(plan, seen.now)));
    let since = seen.now.ceil_to_second();
    let (rejected, waited) = (without_candidate(plan, note), Duration::ZERO);
    renoted(plan, seen, alias, Note { since, due: None, waited, hook, rejected, ..note.clone() })
}

/// A version that is rolled out again is not a rejected one any more.
fn without_candidate(plan: &Plan, note: &Note) -> Vec<Rejected> {
    note.rejected.iter().copied().filter(|rejected| !plan.again || Some(rejected.version) != note.candidate).collect()
}

fn shift(plan: &Plan, seen: &Observation, alias: &Alias, note: Note, step: usize, since: Time) -> Option<Alias> {
    let candidate = note.candidate.or(seen.candidate.published())?;
    let note = Note { candidate: Some(candidate), ..note };
    let weight = plan.schedule.weight(step);
    let phase = phase_at(plan, weight, step)?;
    let rejected = without_candidate(plan, &note);
    let (due, waited) = (Some(since + plan.dwell(phase)), Duration::ZERO);
    let pause = plan.gates.iter().find(|gate| gate.weight == weight).map(|gate| gate.pause(since)).or(note.pause);
    let note = Note { phase, since, due, waited, pause, approved: false, hook: None, rejected, ..note };
    let refused = weight == Weight::FULL && seen.full_weight_refused;
    let written = if refused { Weight::ALMOST_FULL } else { weight };
    renoted(plan, seen, &Alias { weights: vec![(candidate, written)], ..alias.clone() }, note)
}

/// What a candidate with this weight is in, at this step.
fn phase_at(plan: &Plan, weight: Weight, step: usize) -> Option<Phase> {
    if weight == Weight::FULL {
        return Some(Phase::Bake);
    }
    Some(Phase::Shift { weight, step: u16::try_from(step).ok()?, steps: u16::try_from(plan.schedule.len()).ok()? })
}

/// The last step that is not above a weight.
fn reached(plan: &Plan, weight: Weight) -> usize {
    plan.schedule.weights().iter().filter(|step| **step <= weight).count()
}

/// A note after which nothing follows: what only a live rollout needs is dropped.
fn terminal(note: Note, now: Time) -> Note {
    let since = now.ceil_to_second();
    let (due, lease, pause, blind, hook) = (None, None, None, None, None);
    Note { since, due, lease, pause, approved: false, blind, hook, held: Duration::ZERO, waited: Duration::ZERO, ..note }
}

fn promote(plan: &Plan, seen: &Observation, alias: &Alias, note: &Note) -> Option<Alias> {
    let candidate = note.candidate?;
    let rejected = without_candidate(plan, note);
    let note = terminal(Note { phase: Phase::Promoted, rejected, previous: None, ..note.clone() }, seen.now);
    with_note(&Alias { target: Target::Version(candidate), weights: Vec::new(), ..alias.clone() }, &note)
}

/// The alias with all traffic on stable and a terminal note that says why; never refused for lack of room.
///
/// A first deployment has no stable version: its alias stays where it is.
pub fn back(now: Time, alias: &Alias, note: &Note, owner: Owner, published: Option<Version>, cause: Cause) -> Alias {
    let candidate = note.candidate.or(published);
    let unmoved = matches!(note.phase, Phase::Claim | Phase::Pre);
    let nothing_came = matches!(cause, Cause::Unchanged | Cause::Rejected) || (cause == Cause::Group && unmoved);
    let target = note.stable.map_or(alias.target, Target::Version);
    let ended = match note.previous.filter(|_| nothing_came) {
        // What stood there before the claim: a later rollback must still find its way.
        Some(previous) => {
            let restored = Note { stable: Some(previous), candidate: note.stable, previous: None, ..note.clone() };
            // It is not this plan that made it final.
            Note { phase: Phase::Promoted, plan: None, ..restored }
        }
        None => Note { phase: Phase::Back(cause), candidate, rejected: rejected_too(note, candidate, cause), ..note.clone() },
    };
    let note = terminal(Note { owner, ..ended }, now);
    let description = note::write_description_at_all_costs(alias.text(), &note);
    Alias { target, weights: Vec::new(), description }
}

fn rejected_too(note: &Note, candidate: Option<Version>, cause: Cause) -> Vec<Rejected> {
    // An alarm that went off before the candidate had any traffic says nothing about the candidate.
    let guilty = cause.rejects()
        && (!note.phase.share().is_zero() || matches!(cause, Cause::Hand | Cause::Abort) || note.phase == Phase::Promoted);
    let fresh = candidate.filter(|_| guilty).map(|version| Rejected { version, cause });
    let rest = note.rejected.iter().copied().filter(|rejected| fresh.is_none_or(|fresh| fresh.version != rejected.version));
    fresh.into_iter().chain(rest).take(REJECTED_KEPT).collect()
}

/// What a rollback manually does to an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollbackTarget {
    /// This is to be written: all traffic on the version it points at.
    Write {
        /// The alias to write.
        alias: Alias,
        /// The version that gets no more traffic.
        from: Option<Version>,
        /// Whether this changes anything, or only establishes what stands there.
        changes: bool,
    },
    /// It is written, and AWS has not moved the traffic yet: what it does.
    Moving(String),
    /// There is nothing to roll back from: why, and what can be done.
    Nothing(String),
}

/// Where a rollback manually leads: from the live candidate to stable; else to what the last promoted note replaced; else to `to`.
///
/// The version that is left gets no traffic. Never a guess: without a note only `to` leads anywhere.
pub fn rollback_target(now: Time, alias: &Alias, owner: Owner, id: RolloutId, to: Option<Version>) -> RollbackTarget {
    let found = alias_state(alias);
    if alias.is_moving()
        && to.map_or_else(
            || found.note().is_some_and(|note| note.phase != Phase::Promoted),
            |to| alias.target == Target::Version(to),
        )
    {
        return RollbackTarget::Moving(found.describe(Audience::Reader));
    }
    if let Some(to) = to {
        return way_to(now, alias, &found, owner, id, to);
    }
    let promoted = |note: &Note| note.phase == Phase::Promoted && note.candidate == alias.target.version();
    let write = |note: &Note| {
        let (from, written) = (note.candidate, back(now, alias, note, owner, None, Cause::Hand));
        RollbackTarget::Write { alias: written, from, changes: true }
    };
    match &found {
        // Nothing of the new rollout exists yet: what has the traffic is what the last one promoted.
        AliasState::Claimed(note) if note.candidate.is_none() && note.previous.is_some() => write(&undone(note)),
        AliasState::Claimed(note)
        | AliasState::Running(note)
        | AliasState::SetByHand(note, _)
        | AliasState::ClearedByHand(note) => {
            if note.stable.is_none() {
                return RollbackTarget::Nothing("this is a first deployment: there is no version to roll back to".to_owned());
            }
            write(note)
        }
        AliasState::Moving(note, _) => write(note),
        AliasState::Idle(Some(note)) if promoted(note) && note.stable.is_some() => write(note),
        // The last rollout never moved anything: what has the traffic is what the one before it promoted.
        AliasState::Idle(Some(note)) if never_moved(note) && note.previous.is_some() && note.stable == alias.target.version() => {
            write(&undone(note))
        }
        // What publishing gave was stable itself.
        AliasState::Idle(Some(note)) if note.candidate.is_some() && note.candidate == note.stable => RollbackTarget::Nothing(
            format!("the last rollout found nothing new, and no earlier rollout of {} is recorded", alias.target),
        ),
        AliasState::Idle(Some(note)) if matches!(note.phase, Phase::Back(_)) && note.stable == alias.target.version() => {
            RollbackTarget::Write { alias: alias.clone(), from: note.candidate, changes: false }
        }
        AliasState::Idle(Some(note)) if note.stable.is_none() && note.candidate == alias.target.version() => {
            RollbackTarget::Nothing(format!("{} was the first deployment: there is no version to roll back to", alias.target))
        }
        AliasState::Idle(Some(_)) => {
            RollbackTarget::Nothing(format!("something else moved the alias to {} after the last rollout", alias.target))
        }
        AliasState::Idle(None) | AliasState::PromotedElsewhere(_) => RollbackTarget::Nothing(found.describe(Audience::Reader)),
        AliasState::Foreign { version, weight } if *weight == Weight::FULL => RollbackTarget::Nothing(format!(
            "all traffic is on {version} by its weight, and no rollout is recorded: AWS may be moving provisioned concurrency to {}",
            alias.target
        )),
        // Every tool that shifts traffic keeps the stable version as the alias' version.
        AliasState::Foreign { .. } => match alias.target.version() {
            Some(stable) => way_to(now, alias, &found, owner, id, stable),
            None => RollbackTarget::Nothing(found.describe(Audience::Reader)),
        },
        // Whatever was done to the weights, the note says which version is stable, and it still is the alias' version.
        AliasState::Contended { .. } => match contended_on_stable(alias) {
            Some(note) => write(&note),
            None => RollbackTarget::Nothing(found.describe(Audience::Reader)),
        },
    }
}

/// The note of the rollout before, which made this one's stable version final.
fn undone(note: &Note) -> Note {
    Note { stable: note.previous, candidate: note.stable, previous: None, phase: Phase::Promoted, ..note.clone() }
}

/// Whether a rollout ended before its candidate had any traffic, by what its terminal note says.
fn never_moved(note: &Note) -> bool {
    matches!(note.phase, Phase::Back(Cause::PreHook | Cause::Failed | Cause::Unchanged | Cause::Rejected))
}

/// The live note of an alias that has weights which no write of its rollout made, where it still points at the note's stable version.
fn contended_on_stable(alias: &Alias) -> Option<Note> {
    let NoteParse::Note(note) = alias.noted() else { return None };
    let (canary, _) = alias.canary()?;
    let on_stable = note.stable.is_some() && note.stable == alias.target.version();
    on_stable.then_some(Note { candidate: note.candidate.or(Some(canary)), ..*note })
}

fn way_to(now: Time, alias: &Alias, found: &AliasState, owner: Owner, id: RolloutId, to: Version) -> RollbackTarget {
    let (target, weights) = (Target::Version(to), Vec::new());
    if alias.target == target && alias.canary().is_none() && matches!(found, AliasState::Idle(_)) {
        return RollbackTarget::Write { alias: alias.clone(), from: None, changes: false };
    }
    let from = alias.canary().map(|(version, _)| version).filter(|version| *version != to).or(alias.target.version());
    let from = from.filter(|version| *version != to);
    let base = found.note().cloned().unwrap_or_else(|| Note::new(id, owner, Phase::Claim, now));
    // Whoever goes to a version manually does not hold it for a bad one.
    let rejected = base.rejected.iter().copied().filter(|rejected| rejected.version != to).collect();
    let base = Note { stable: Some(to), candidate: from, previous: None, rejected, ..base };
    let note = Note { owner, phase: Phase::Back(Cause::Hand), rejected: rejected_too(&base, from, Cause::Hand), ..base };
    let description = note::write_description_at_all_costs(alias.text(), &terminal(note, now));
    RollbackTarget::Write { alias: Alias { target, weights, description }, from, changes: true }
}
