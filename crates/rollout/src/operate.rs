//! What may a person do to a rollout in progress, and what does that make of its alias? Pure: the note is all there is to know.
//!
//! A pause and a promotion keep the owner, who goes on watching, and who takes even a final promotion back where a failure came
//! first; an abort ends the rollout and writes a token of its own.

use std::time::Duration;

use crate::alias::{Alias, AliasState, Target, alias_state};
use crate::note::{self, AfterPause, Note, Owner, Pause, Phase, RolloutId};
use crate::turn::detached_owner;
use crate::write::back;
use crate::{Cause, Time, Weight};

/// What a person wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Hold the weight for this long; it stays watched, and a failure still brings it back.
    Pause {
        /// How long.
        span: Duration,
        /// What happens then.
        then: AfterPause,
    },
    /// End the pause.
    Resume,
    /// Approve the gate of the schedule at which the rollout waits.
    Approve,
    /// Give the candidate 100% now; its owner bakes it and promotes it.
    Promote,
    /// Make the candidate the alias' version now, unwatched.
    PromoteNow,
    /// Bring the traffic back.
    Abort,
}

/// On which rollout, seen how far: an order for another one is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aim {
    /// Only this rollout.
    pub rollout: Option<RolloutId>,
    /// Only while this step is in force.
    pub step: Option<u16>,
}

/// What comes of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorDecision {
    /// This is to be written.
    Write {
        /// The alias.
        alias: Alias,
        /// What it does, in words.
        does: String,
    },
    /// It is so already.
    Done(String),
    /// It may not be: why, and what to do.
    Refused {
        /// Why.
        why: String,
        /// What to do instead.
        hint: String,
    },
}

/// Rules on an order.
pub fn rule(operation: Operation, aim: Aim, alias: &Alias, now: Time, owner: Owner) -> OperatorDecision {
    let found = alias_state(alias);
    let Some(note) = found.live() else { return over(operation, aim, &found) };
    if aim.rollout.is_some_and(|id| id != note.id) {
        return refused(
            format!("another rollout is in progress: {}", note.id),
            &format!("to change that rollout, use `--rollout {}`", note.id),
        );
    }
    let step = if let Phase::Shift { step, .. } = note.phase { Some(step) } else { None };
    if aim.step.is_some() && aim.step != step {
        let at = step.map_or_else(|| format!("in phase `{}`", note.phase.word()), |step| format!("at step {step}"));
        return refused(format!("the rollout is now {at}"), "check it with `canaryctl status`");
    }
    match operation {
        Operation::Abort => abort(alias, note, now, owner),
        Operation::Pause { span, then } => {
            let until = (now + span).ceil_to_second();
            let note = Note { pause: Some(Pause { until, then, gate: false }), ..note.clone() };
            noted(alias, &note, format!("paused until {}", crate::health::clock(until)))
        }
        Operation::Resume | Operation::Approve if note.pause.is_none() => OperatorDecision::Done("it is not paused".to_owned()),
        Operation::Approve => approve(alias, note, now),
        Operation::Resume => {
            let approved = note.approved || note.pause.is_some_and(|pause| pause.gate);
            noted(alias, &Note { pause: None, approved, ..note.clone() }, "resumed".to_owned())
        }
        Operation::Promote => promote(&found, alias, note, now),
        Operation::PromoteNow => promote_now(alias, note, now),
    }
}

fn refused(why: impl Into<String>, hint: &str) -> OperatorDecision {
    OperatorDecision::Refused { why: why.into(), hint: hint.to_owned() }
}

/// Where no rollout is in progress. One that this order aims at and that is back already is what was wanted.
fn over(operation: Operation, aim: Aim, found: &AliasState) -> OperatorDecision {
    let last = found.note().filter(|note| aim.rollout.is_none_or(|id| id == note.id));
    match (operation, last.map(|note| note.phase)) {
        (Operation::Abort, Some(Phase::Back(_))) if aim.rollout.is_some() => {
            OperatorDecision::Done("it is already rolled back".to_owned())
        }
        _ => refused(
            if aim.rollout.is_some() { "no such rollout is in progress" } else { "no rollout is in progress" },
            "`canaryctl status` shows the current one; `canaryctl rollback` undoes a finished one",
        ),
    }
}

fn noted(alias: &Alias, note: &Note, does: String) -> OperatorDecision {
    match note::write_description(alias.text(), note) {
        Some(description) => OperatorDecision::Write { alias: Alias { description, ..alias.clone() }, does },
        None => refused("the alias' description has no room for this change", "shorten your own text in it"),
    }
}

fn abort(alias: &Alias, note: &Note, now: Time, owner: Owner) -> OperatorDecision {
    let to = note.stable.map_or_else(
        || "ended; a first deployment has no version to roll back to".to_owned(),
        |stable| format!("{} of traffic to {stable}", Weight::FULL),
    );
    OperatorDecision::Write { alias: back(now, alias, note, owner, None, Cause::Abort), does: to }
}

/// A gate that is over is for the rollout's process to act on: nobody approves it any more.
fn approve(alias: &Alias, note: &Note, now: Time) -> OperatorDecision {
    match note.pause {
        Some(pause) if !pause.gate => {
            refused("it is paused manually, not at a gate", "`canaryctl resume`, without `--gate`, ends the pause")
        }
        Some(pause) if now >= pause.until => refused(
            format!("the gate was open for approval until {}", crate::health::clock(pause.until)),
            "`canaryctl status` shows what the rollout does now",
        ),
        Some(_) | None => {
            let at = note.phase.share();
            noted(alias, &Note { pause: None, approved: true, ..note.clone() }, format!("approved the gate at {at}"))
        }
    }
}

fn promote(found: &AliasState, alias: &Alias, note: &Note, now: Time) -> OperatorDecision {
    let hint = "`--now --reason …` promotes it at once, without watching it";
    let Some(candidate) = note.candidate.filter(|_| !matches!(note.phase, Phase::Claim | Phase::Pre)) else {
        return refused(
            "the new version has no traffic yet: its version is not ready, or its pre-traffic hook has not succeeded",
            "wait for the first step",
        );
    };
    if note.stable.is_none() || (note.phase.share() == Weight::FULL && matches!(found, AliasState::Running(_))) {
        return OperatorDecision::Done(format!("the new version already has {} of the traffic", Weight::FULL));
    }
    if note.blind.is_some() {
        return refused("monitoring is unavailable: a failure would not be noticed", hint);
    }
    if note.lease.is_none_or(|lease| now >= lease) {
        return refused("this rollout is abandoned: no process drives it, and its lease has expired", hint);
    }
    let since = now.ceil_to_second();
    let baking = Note {
        phase: Phase::Bake,
        since,
        due: None,
        pause: None,
        approved: false,
        waited: Duration::ZERO,
        promoted_manually: true,
        ..note.clone()
    };
    let alias = Alias { weights: vec![(candidate, Weight::FULL)], ..alias.clone() };
    let by =
        if note.owner == detached_owner(note.id) { "the next turns promote it" } else { "the rollout's process promotes it" };
    noted(&alias, &baking, format!("shifted {} of traffic to {candidate}; {by} after the bake", Weight::FULL))
}

fn promote_now(alias: &Alias, note: &Note, now: Time) -> OperatorDecision {
    // Nobody knows yet whether it can take traffic at all.
    let Some(candidate) = note.candidate.filter(|_| note.phase != Phase::Claim) else {
        return refused("the new version is not ready yet", "wait until it is published and ready");
    };
    let ended = Note {
        stable: note.stable,
        candidate: note.candidate,
        rejected: note.rejected.clone(),
        promoted_manually: true,
        ..Note::new(note.id, note.owner, Phase::Promoted, now.ceil_to_second())
    };
    // No plan made it final: a group that it belongs to is not.
    let ended = Note { started_at: note.started_at, ..ended };
    let alias = Alias { target: Target::Version(candidate), weights: Vec::new(), ..alias.clone() };
    noted(&alias, &ended, format!("{candidate} is now the alias' version"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;
    use crate::decide_tests::{BEGUN as NOW, plan, version};
    use crate::group_tests::{as_noted, shift};

    /// At the first step, with an owner that is there.
    fn running() -> Note {
        Note { id: RolloutId(7), lease: Some(NOW + Duration::from_mins(5)), ..shift(&plan()) }
    }

    fn at(phase: Phase) -> Note {
        Note { phase, ..running() }
    }

    fn ruled(operation: Operation, aim: Aim, note: &Note) -> OperatorDecision {
        rule(operation, aim, &as_noted(note), NOW, Owner::from_random(9))
    }

    fn is_refused(operation: Operation, aim: Aim, note: &Note) -> bool {
        matches!(ruled(operation, aim, note), OperatorDecision::Refused { .. })
    }

    fn written(ruling: &OperatorDecision) -> (Alias, Note) {
        let OperatorDecision::Write { alias, .. } = ruling else { panic!("{ruling:?}") };
        (alias.clone(), alias_state(alias).note().unwrap().clone())
    }

    #[test]
    fn a_pause_keeps_the_owner_and_the_share() {
        let (any, before) = (Aim::default(), running());
        let pause = Operation::Pause { span: Duration::from_mins(30), then: AfterPause::RollBack };
        let (after, note) = written(&ruled(pause, any, &before));
        assert_eq!((after.weights, note.owner), (as_noted(&before).weights, Owner::from_random(1)));
        assert_eq!(note.pause, Some(Pause { until: NOW + Duration::from_mins(30), then: AfterPause::RollBack, gate: false }));
        let paused = Note { pause: Some(Pause { until: NOW, then: AfterPause::Resume, gate: false }), ..running() };
        assert_eq!(written(&ruled(Operation::Resume, any, &paused)).1.pause, None);
        assert!(matches!(ruled(Operation::Resume, any, &before), OperatorDecision::Done(_)));
    }

    #[test]
    fn a_promotion_needs_somebody_who_watches() {
        let any = Aim::default();
        let (after, note) = written(&ruled(Operation::Promote, any, &running()));
        assert_eq!((after.share_of(version(42)), note.phase, note.owner), (Weight::FULL, Phase::Bake, Owner::from_random(1)));
        let said = |ruling: OperatorDecision| {
            if let OperatorDecision::Write { does, .. } = ruling { does } else { panic!("{ruling:?}") }
        };
        let does = said(ruled(Operation::Promote, any, &running()));
        assert!(does.contains("the rollout's process promotes it"), "{does}");
        let detached = Note { owner: detached_owner(RolloutId(7)), ..running() };
        assert!(said(ruled(Operation::Promote, any, &detached)).contains("the next turns promote it"));
        for unwatched in [Note { lease: Some(NOW), ..running() }, Note { blind: Some(NOW), ..running() }, at(Phase::Claim)] {
            assert!(is_refused(Operation::Promote, any, &unwatched));
        }
        // Not even by force before it is known to be ready.
        assert!(is_refused(Operation::PromoteNow, any, &at(Phase::Claim)));
        let (after, note) = written(&ruled(Operation::PromoteNow, any, &Note { lease: None, ..running() }));
        assert_eq!((after.target, after.weights.len(), note.phase), (Target::Version(version(42)), 0, Phase::Promoted));
        assert_eq!((note.stable, note.owner), (Version::new(41), Owner::from_random(1)));
    }

    #[test]
    fn an_abort_hits_the_rollout_it_is_meant_for_or_nothing() {
        let [mine, other] = [7, 8].map(|id| Aim { rollout: Some(RolloutId(id)), step: None });
        let (after, note) = written(&ruled(Operation::Abort, mine, &running()));
        assert_eq!((after.share_of(version(42)), note.phase), (Weight::ZERO, Phase::Back(Cause::Abort)));
        // Rejected although it never had any traffic: that is what was ordered.
        let named = written(&ruled(Operation::Abort, mine, &at(Phase::Claim))).1;
        assert_eq!(named.rejected, [note::Rejected { version: version(42), cause: Cause::Abort }]);
        assert!(is_refused(Operation::Abort, other, &running()));
        assert!(is_refused(Operation::Abort, mine, &at(Phase::Promoted)));
        let back = at(Phase::Back(Cause::Signal));
        assert!(matches!(ruled(Operation::Abort, mine, &back), OperatorDecision::Done(_)));
        assert!(is_refused(Operation::Abort, Aim::default(), &back));
    }

    #[test]
    fn a_step_that_has_passed_is_not_acted_on() {
        let at_step = |step| Aim { rollout: None, step: Some(step) };
        for (step, fits) in [(1, true), (2, false)] {
            let ruled = ruled(Operation::Abort, at_step(step), &running());
            assert_eq!(matches!(ruled, OperatorDecision::Write { .. }), fits);
        }
        assert!(is_refused(Operation::Promote, at_step(1), &at(Phase::Bake)));
    }
}
