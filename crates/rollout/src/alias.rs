//! What is this alias? Its state as AWS has it, and the one table that says what that state means.
//!
//! `decide`, `status`, `rollback` and the preflight all read this table and nothing else. The direction of a rollout comes from its
//! note, never from the shape of the weights.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::note::{self, Note, NoteParse, Owner, Phase, RolloutId};
use crate::{Version, Weight};

/// What an alias points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Target {
    /// A published version.
    #[serde(rename = "version")]
    Version(Version),
    /// The code that is not published; such an alias cannot have weights.
    #[serde(rename = "latest")]
    Latest,
}

impl Target {
    /// The version, where it is one.
    pub fn version(self) -> Option<Version> {
        match self {
            Self::Version(version) => Some(version),
            Self::Latest => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => version.fmt(f),
            Self::Latest => f.write_str("$LATEST"),
        }
    }
}

/// An alias as it was read or written, and the revision to write on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasSnapshot {
    /// The alias.
    pub alias: Alias,
    /// Its revision.
    pub revision: Revision,
}

/// The token that a write is conditional on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revision(pub String);

/// An alias, whole, as it was read or is to be written: a write never leaves a part to AWS' defaults.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Alias {
    /// The version that gets what the weights leave.
    pub target: Target,
    /// Additional versions with their weights. AWS allows one; weights of 0 mean nothing.
    pub weights: Vec<(Version, Weight)>,
    /// The description: the user's text, and our note at its end.
    pub description: String,
}

impl Alias {
    /// The user's own part of the description.
    pub fn text(&self) -> &str {
        note::read_description(&self.description).0
    }

    /// What is noted at the end of the description.
    pub fn noted(&self) -> NoteParse {
        note::read_description(&self.description).1
    }

    /// The note in its description, where it can be read; whether the alias stands as it says is not asked.
    pub fn note(&self) -> Option<Note> {
        if let NoteParse::Note(note) = self.noted() { Some(*note) } else { None }
    }

    /// Whether AWS has not moved the traffic yet to where a terminal note and the alias say that it goes.
    pub fn is_moving(&self) -> bool {
        matches!(alias_state(self), AliasState::Moving(..))
    }

    /// The additional version that has traffic, with that weight.
    pub fn canary(&self) -> Option<(Version, Weight)> {
        self.weights.iter().copied().find(|(_, weight)| !weight.is_zero())
    }

    /// The weight of `version` in this alias' invocations.
    pub fn share_of(&self, version: Version) -> Weight {
        match self.canary() {
            Some((canary, weight)) if canary == version => weight,
            Some((_, weight)) if self.target == Target::Version(version) => weight.rest(),
            None if self.target == Target::Version(version) => Weight::FULL,
            Some(_) | None => Weight::ZERO,
        }
    }

    /// Where the traffic is, in words: `90% on 41, 10% on 42`.
    pub fn traffic(&self) -> String {
        match self.canary() {
            Some((version, weight)) if weight == Weight::FULL => format!("{weight} on {version}"),
            Some((version, weight)) => format!("{} on {}, {weight} on {version}", weight.rest(), self.target),
            None => format!("{} on {}", Weight::FULL, self.target),
        }
    }
}

/// Why an alias is contended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contention {
    /// Versions or weights that no write of this rollout can have made.
    Changed,
    /// The note is of a later format.
    NewerFormat,
}

/// What an alias is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AliasState {
    /// No rollout is in progress; it may be claimed. With the terminal note of the last one.
    Idle(Option<Note>),
    /// Weights that nobody here wrote: another owner's rollout, or AWS moving provisioned concurrency. To be left alone.
    Foreign {
        /// The version that has the weight.
        version: Version,
        /// Its share.
        weight: Weight,
    },
    /// A rollout ended here, and AWS has not moved the traffic yet: until the alias' version has its provisioned concurrency, all of it
    /// stays on this other version of the terminal note.
    Moving(Note, Version),
    /// A rollout is in progress and nothing has moved yet.
    Claimed(Note),
    /// A rollout is in progress and its canary has the weight that is noted.
    Running(Note),
    /// A rollout is in progress and a person gave its canary another weight.
    SetByHand(Note, Weight),
    /// A rollout was in progress and a person took the weight away: final.
    ClearedByHand(Note),
    /// A rollout was in progress and another owner made its candidate the alias' version: final.
    PromotedElsewhere(Note),
    /// The note and the alias cannot be brought together. To be left alone.
    Contended {
        /// Which rollout the note is of.
        id: RolloutId,
        /// Whose.
        owner: Owner,
        /// Why.
        why: Contention,
    },
}

impl AliasState {
    /// The note of the rollout in progress, if one is and the alias stands as it says or as a person set it.
    pub fn live(&self) -> Option<&Note> {
        match self {
            Self::Claimed(note) | Self::Running(note) | Self::SetByHand(note, _) => Some(note),
            Self::Idle(_)
            | Self::Foreign { .. }
            | Self::Moving(..)
            | Self::ClearedByHand(_)
            | Self::PromotedElsewhere(_)
            | Self::Contended { .. } => None,
        }
    }

    /// The note, whatever it says.
    pub fn note(&self) -> Option<&Note> {
        match self {
            Self::Claimed(note) | Self::Running(note) | Self::SetByHand(note, _) => Some(note),
            Self::ClearedByHand(note) | Self::PromotedElsewhere(note) | Self::Moving(note, _) => Some(note),
            Self::Idle(note) => note.as_ref(),
            Self::Foreign { .. } | Self::Contended { .. } => None,
        }
    }
}

/// To whom it is said what an alias is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Anybody who looks at it.
    Reader,
    /// A rollout that had it, and leaves it alone from now on.
    Loser,
}

impl AliasState {
    /// What the alias is, in a sentence. How far a rollout in progress is, is not said here.
    pub fn describe(&self, audience: Audience) -> String {
        let named =
            |version: Option<Version>| version.map_or_else(|| "the new version".to_owned(), |version| version.to_string());
        match (self, audience) {
            (Self::Idle(_), Audience::Loser) => "something else ended the rollout or changed the alias".to_owned(),
            (Self::Idle(None), Audience::Reader) => "no rollout is in progress, and no earlier one is recorded".to_owned(),
            (Self::Idle(Some(_)), Audience::Reader) => "no rollout is in progress".to_owned(),
            (Self::Foreign { version, weight }, _) => {
                format!("{version} has {weight} of the traffic, and no rollout is recorded")
            }
            (Self::Moving(note, version), _) => {
                let to = named(if note.phase == Phase::Promoted { note.candidate } else { note.stable });
                format!("AWS is moving provisioned concurrency to {to}: until that is done, all traffic is on {version}")
            }
            (Self::Claimed(note) | Self::Running(note) | Self::SetByHand(note, _), _) => {
                format!("rollout {} of owner {} has the alias", note.id, note.owner)
            }
            (Self::ClearedByHand(note), _) => {
                let version = named(note.candidate);
                format!("cleared manually: the traffic of {version} was removed, which ends rollout {}", note.id)
            }
            (Self::PromotedElsewhere(note), _) => {
                let version = named(note.candidate);
                format!("something else made {version} the alias' version during rollout {}", note.id)
            }
            (Self::Contended { id, why: Contention::NewerFormat, .. }, _) => {
                format!("a newer canaryctl controls the alias, and this one cannot read what it recorded (rollout {id})")
            }
            (Self::Contended { why: Contention::Changed, .. }, Audience::Loser) => {
                "something else changed the alias' versions during the rollout".to_owned()
            }
            (Self::Contended { id, why: Contention::Changed, .. }, Audience::Reader) => {
                format!("something else changed the alias during rollout {id}: it no longer matches what the rollout recorded")
            }
        }
    }
}

/// Says what an alias is.
///
/// | note | weights | version | it is |
/// |---|---|---|---|
/// | none or terminal | none or 0 | any | idle |
/// | terminal | 100% on the note's other version | as noted | moving |
/// | none or terminal | above 0 | any | foreign |
/// | live, no weight yet | none | stable | claimed |
/// | live | candidate, as noted | stable | running |
/// | live | candidate, another weight | stable | set manually |
/// | live, had traffic | none or 0 | stable | cleared manually |
/// | live | none | candidate | promoted elsewhere |
/// | live | anything else | anything | contended |
///
/// A first deployment has no stable version: its alias points at the candidate from the beginning, and that is running.
pub fn alias_state(alias: &Alias) -> AliasState {
    let note = match alias.noted() {
        NoteParse::Nothing => None,
        NoteParse::Note(note) => Some(*note),
        NoteParse::Newer { id, owner } => return AliasState::Contended { id, owner, why: Contention::NewerFormat },
    };
    let canary = alias.canary();
    let note = match (note, canary) {
        (None, Some((version, weight))) => return AliasState::Foreign { version, weight },
        (Some(note), Some((version, weight))) if note.phase.is_terminal() => {
            debug_assert!(note.phase.share().is_zero());
            let (here, other) =
                if note.phase == Phase::Promoted { (note.candidate, note.stable) } else { (note.stable, note.candidate) };
            if weight == Weight::FULL && here.is_some() && alias.target.version() == here && other == Some(version) {
                return AliasState::Moving(note, version);
            }
            return AliasState::Foreign { version, weight };
        }
        (None, None) => return AliasState::Idle(None),
        (Some(note), None) if note.phase.is_terminal() => return AliasState::Idle(Some(note)),
        (Some(note), _) => note,
    };
    let on_stable = note.stable.is_some() && alias.target.version() == note.stable;
    let on_candidate = note.candidate.is_some() && alias.target.version() == note.candidate;
    let share = note.phase.share();
    match canary {
        Some((version, weight)) if on_stable && note.candidate == Some(version) => {
            if weight.stands_for(share) {
                AliasState::Running(note)
            } else {
                AliasState::SetByHand(note, weight)
            }
        }
        None if on_stable && share.is_zero() => AliasState::Claimed(note),
        None if on_stable => AliasState::ClearedByHand(note),
        None if on_candidate && note.stable.is_none() => AliasState::Running(note),
        None if on_candidate => AliasState::PromotedElsewhere(note),
        Some(_) | None => AliasState::Contended { id: note.id, owner: note.owner, why: Contention::Changed },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(target: u64, canary: Option<(u64, u16)>, note: &str) -> Alias {
        Alias {
            target: Version::new(target).map_or(Target::Latest, Target::Version),
            weights: canary
                .into_iter()
                .map(|(version, points)| (Version::new(version).unwrap(), Weight::from_basis_points(points).unwrap()))
                .collect(),
            description: if note.is_empty() {
                String::new()
            } else {
                format!("[canaryctl/1 7f3ac2e1 k4q9 {note} t=towpnp s=towpr0]")
            },
        }
    }

    /// The table, row by row: note, version, weights, and the name of what it is.
    #[test]
    #[expect(clippy::type_complexity, reason = "a table, read row by row")]
    fn the_table() {
        let rows: [(&str, u64, Option<(u64, u16)>, &str); 30] = [
            ("", 41, None, "Idle"),
            ("", 0, None, "Idle"),
            ("", 41, Some((42, 0)), "Idle"),
            ("promoted 41>42", 42, None, "Idle"),
            ("promoted 41>42", 7, None, "Idle"),
            ("back 41>42 alarm", 41, None, "Idle"),
            ("back 41>42 alarm", 41, Some((42, 0)), "Idle"),
            ("", 41, Some((42, 1000)), "Foreign"),
            ("back 41>42 alarm", 41, Some((42, 1000)), "Foreign"),
            ("promoted 41>42", 41, Some((42, 10_000)), "Foreign"),
            ("promoted 41>42", 42, Some((41, 10_000)), "Moving"),
            ("back 41>42 hand", 41, Some((42, 10_000)), "Moving"),
            ("promoted 41>42", 42, Some((41, 9999)), "Foreign"),
            ("back 41>42 hand", 41, Some((43, 10_000)), "Foreign"),
            ("claim 41>-", 41, None, "Claimed"),
            ("pre 41>42", 41, Some((42, 0)), "Claimed"),
            ("shift 41>42 10% 1/10", 41, Some((42, 1000)), "Running"),
            ("bake 41>42", 41, Some((42, 10_000)), "Running"),
            ("post 41>42", 41, Some((42, 10_000)), "Running"),
            ("post ->42", 42, None, "Running"),
            ("shift 41>42 10% 1/10", 41, Some((42, 4000)), "SetByHand"),
            ("pre 41>42", 41, Some((42, 4000)), "SetByHand"),
            ("bake 41>42", 41, Some((42, 4000)), "SetByHand"),
            ("shift 41>42 10% 1/10", 41, None, "ClearedByHand"),
            ("bake 41>42", 41, Some((42, 0)), "ClearedByHand"),
            ("bake 41>42", 42, None, "PromotedElsewhere"),
            ("shift 41>42 10% 1/10", 41, Some((43, 1000)), "Contended"),
            ("shift 41>42 10% 1/10", 43, None, "Contended"),
            ("shift 41>42 10% 1/10", 42, Some((41, 1000)), "Contended"),
            ("claim 41>-", 0, None, "Contended"),
        ];
        for (note, target, canary, expected) in rows {
            let alias = alias(target, canary, note);
            let found = format!("{:?}", alias_state(&alias));
            assert!(found.starts_with(expected), "{note} at {target} with {canary:?}: {found}");
        }
    }

    #[test]
    fn a_newer_note_is_nobodys_to_touch() {
        let mut newer = alias(41, Some((42, 1000)), "");
        newer.description = "[canaryctl/9 7f3ac2e1 k4q9 new things]".to_owned();
        assert!(matches!(alias_state(&newer), AliasState::Contended { why: Contention::NewerFormat, .. }));
    }

    #[test]
    fn tells_where_traffic_is() {
        assert_eq!(alias(41, Some((42, 250)), "").traffic(), "97.5% on 41, 2.5% on 42");
        assert_eq!(alias(41, Some((42, 10_000)), "").traffic(), "100% on 42");
        assert_eq!(alias(41, Some((42, 0)), "").traffic(), "100% on 41");
        assert_eq!(alias(0, None, "").traffic(), "100% on $LATEST");
        let running = alias(41, Some((42, 250)), "");
        let total: u32 =
            [41, 42, 43].map(|number| u32::from(running.share_of(Version::new(number).unwrap()).basis_points())).iter().sum();
        assert_eq!(total, 10_000);
    }
}
