//! May this process drive a rollout on this alias, and how? Read from the alias alone, before anything is written.

use crate::alias::{AliasState, Audience, Contention};
use crate::health::clock;
use crate::note::{Note, PlanHash};
use crate::plan::Entry;
use crate::turn::detached_owner;
use crate::{Subject, Time};

/// What the user asked for, should a rollout be in progress already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent option of the user")]
pub struct TakeoverOptions {
    /// Go on with it although its owner may still be there.
    pub take_over: bool,
    /// Go on with it by another plan.
    pub replan: bool,
    /// Take weights that nobody noted for this rollout's own.
    pub adopt: bool,
    /// Supersede it.
    pub supersede: bool,
}

/// Whether and how there is a way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// This way; with the note of the rollout that is resumed or superseded.
    In(Entry, Option<Note>),
    /// Its owner may still be there; when this lease is over and nothing has shown that it is, it may be resumed.
    Wait {
        /// The note as it is now. Any other one with the same owner shows that the owner is there.
        note: Note,
        /// When the lease is over.
        until: Time,
    },
    /// None.
    No {
        /// Why.
        why: String,
        /// What to do.
        hint: String,
    },
}

/// Finds the way in.
pub fn admission(subject: &Subject, found: &AliasState, plan: PlanHash, takeover: TakeoverOptions, now: Time) -> Admission {
    let said = format!("{subject}: {}", found.describe(Audience::Reader));
    match found {
        AliasState::Idle(_) => Admission::In(Entry::Fresh, None),
        AliasState::Moving(..) => no(said, "run the same command again when AWS is done; it takes a few minutes".to_owned()),
        AliasState::Foreign { version, .. } if takeover.adopt => Admission::In(Entry::Adopt(*version), None),
        AliasState::Foreign { version, weight } => no(
            format!("{version} already has {weight} of the traffic of {subject}, and no rollout is recorded"),
            "another tool's rollout, or AWS moving provisioned concurrency: wait until it ends, clear the weights manually, or take them over with `--adopt`".to_owned(),
        ),
        // One that was cleared manually is resumed only to be ended: its owner may have died before it could.
        AliasState::Claimed(note) | AliasState::Running(note) | AliasState::SetByHand(note, _) | AliasState::ClearedByHand(note) => {
            live(subject, note, plan, takeover, now)
        }
        AliasState::PromotedElsewhere(note) => {
            let now = note.candidate.map_or_else(|| "<N>".to_owned(), |version| version.to_string());
            no(said, format!("`canaryctl rollback {subject} --to {now}` keeps this version and ends the rollout"))
        }
        AliasState::Contended { why: Contention::NewerFormat, .. } => no(said, "use that version of canaryctl or a later one".to_owned()),
        AliasState::Contended { why: Contention::Changed, .. } => no(
            said,
            format!("`canaryctl status {subject}` shows the details; `canaryctl rollback {subject} --to <N>` sends all traffic to version <N>"),
        ),
    }
}

fn no(why: String, hint: String) -> Admission {
    Admission::No { why, hint }
}

fn live(subject: &Subject, note: &Note, plan: PlanHash, takeover: TakeoverOptions, now: Time) -> Admission {
    if takeover.supersede && note.stable.is_none() {
        return no(
            format!(
                "{}, a first deployment: it cannot be superseded because there is no stable version",
                in_progress(subject, note, now)
            ),
            "run the same command again to finish it".to_owned(),
        );
    }
    if takeover.supersede {
        return Admission::In(Entry::Supersede(note.id), Some(note.clone()));
    }
    if note.plan != Some(plan) && !takeover.replan {
        return no(
            format!("{}, with a different plan", in_progress(subject, note, now)),
            format!(
                "run the original command again to resume it; `--replan` resumes it with this plan, `--supersede` starts a new rollout in its place, `canaryctl rollback {subject}` ends it"
            ),
        );
    }
    let way = Admission::In(Entry::TakeOver { from: note.owner, forced: takeover.take_over }, Some(note.clone()));
    match note.lease {
        Some(until) if now < until && !takeover.take_over => Admission::Wait { note: note.clone(), until },
        Some(_) | None => way,
    }
}

/// A rollout whose owner may be gone: who has the alias, or that nobody drives it.
fn in_progress(subject: &Subject, note: &Note, now: Time) -> String {
    match note.lease.filter(|lease| *lease <= now && note.owner != detached_owner(note.id)) {
        Some(lease) => {
            let unowned = Note { lease: None, ..note.clone() };
            format!(
                "{}: abandoned at {}, when the lease of process {} ended",
                under_way(subject, &unowned),
                clock(lease),
                note.owner
            )
        }
        None => under_way(subject, note),
    }
}

/// Who has the alias, since when: `rollout 7f3ac2e1 of 42 is under way on hello:live since 14:00:07, owner k4q9 until 14:11:07`.
pub fn under_way(subject: &Subject, note: &Note) -> String {
    let candidate = note.candidate.map_or_else(String::new, |version| format!(" of {version}"));
    let lease = note.lease.map_or_else(
        || ", without an owner".to_owned(),
        |lease| {
            if note.owner == detached_owner(note.id) {
                format!(", detached, with a turn due by {}", clock(lease))
            } else {
                format!(", driven by process {}, which has to report again by {}", note.owner, clock(lease))
            }
        },
    );
    format!("rollout {}{candidate} has been in progress on {subject} since {}{lease}", note.id, clock(note.started_at))
}

/// What to say where the owner turned out to be there.
pub fn owner_is_there(subject: &Subject, note: &Note) -> (String, String) {
    let hint = format!(
        "wait until it ends, take it over with `--take-over`, start a new one in its place with `--supersede`, or end it with `canaryctl rollback {subject}`"
    );
    (under_way(subject, note), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;
    use crate::note::{Owner, Phase, RolloutId};

    const NOW: Time = Time::from_secs(1_795_000_000);

    fn note(lease: Option<u64>, plan: u32) -> Note {
        Note {
            stable: Version::new(41),
            candidate: Version::new(42),
            lease: lease.map(Time::from_secs),
            plan: Some(PlanHash(plan)),
            ..Note::new(RolloutId(1), Owner::from_random(2), Phase::Claim, NOW)
        }
    }

    fn way(found: &AliasState, takeover: TakeoverOptions) -> Admission {
        admission(&Subject::parse("hello", None).unwrap(), found, PlanHash(1), takeover, NOW)
    }

    /// Every combination of lease, plan and wishes on a live rollout.
    #[test]
    fn an_owner_that_may_be_there_is_not_replaced_unasked() {
        for bits in 0..16_u8 {
            let wish = |bit: u8| bits & (1 << bit) != 0;
            let takeover = TakeoverOptions { take_over: wish(0), replan: wish(1), adopt: wish(2), supersede: wish(3) };
            for lease in [None, Some(NOW.as_secs() - 1), Some(NOW.as_secs()), Some(NOW.as_secs() + 60)] {
                for plan in [1, 2] {
                    let alive = lease.is_some_and(|lease| lease > NOW.as_secs());
                    let found = way(&AliasState::Running(note(lease, plan)), takeover);
                    let expected = match (takeover, plan) {
                        (TakeoverOptions { supersede: true, .. }, _) => "In(Supersede",
                        (TakeoverOptions { replan: false, .. }, 2) => "No",
                        (TakeoverOptions { take_over: false, .. }, _) if alive => "Wait",
                        _ => "In(TakeOver",
                    };
                    assert!(format!("{found:?}").starts_with(expected), "{takeover:?} {lease:?} {plan}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn a_rollout_whose_lease_has_ended_is_not_said_to_be_driven() {
        let words = |lease| {
            let found = way(&AliasState::Running(note(Some(lease), 2)), TakeoverOptions::default());
            let Admission::No { why, .. } = found else { panic!("{found:?}") };
            why
        };
        assert!(words(NOW.as_secs() + 60).contains("driven by process"));
        let gone = words(NOW.as_secs() - 60);
        assert!(gone.contains("abandoned at") && !gone.contains("driven by"), "{gone}");
    }

    #[test]
    fn weights_without_a_note_are_adopted_only_where_asked_for() {
        let foreign = AliasState::Foreign { version: Version::new(42).unwrap(), weight: crate::Weight::FULL };
        let others = TakeoverOptions { take_over: true, replan: true, supersede: true, adopt: false };
        assert!(matches!(way(&foreign, others), Admission::No { .. }));
        let adopt = TakeoverOptions { adopt: true, ..TakeoverOptions::default() };
        assert!(matches!(way(&foreign, adopt), Admission::In(Entry::Adopt(_), None)));
    }

    #[test]
    fn taking_over_where_there_is_nothing_to_take_over_is_harmless() {
        let all = TakeoverOptions { take_over: true, replan: true, adopt: true, supersede: true };
        assert_eq!(way(&AliasState::Idle(None), all), Admission::In(Entry::Fresh, None));
    }
}
