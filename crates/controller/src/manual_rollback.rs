//! How is a rollback ordered by a person done? With two calls if all goes well; with retries if not.

use std::time::Duration;

use rollout::alias::{AliasState, Audience, Target, alias_state};
use rollout::target::Subject;
use rollout::write::{RollbackTarget, rollback_target};
use rollout::{Alias, Time, Version, Weight};

use crate::backoff::Backoff;
use crate::identity::Identity;
use crate::port::{AliasSnapshot, Clock, Cloud, CloudError, Failure};
use crate::swap::{Change, Step, swap};

/// How a manual rollback ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rollback {
    /// All traffic is where it should be; established by a write.
    Done {
        /// The alias as written.
        alias: Alias,
        /// The version that gets no more traffic.
        from: Option<Version>,
        /// Whether anything had to change.
        changed: bool,
        /// Whether no note said which version is stable, and the alias' own version was taken for it.
        assumed: bool,
    },
    /// There is nothing to roll back from, or nowhere to go: why.
    Nothing(String),
    /// There is no such function or alias.
    Missing(String),
    /// Where the traffic is, is not known.
    Unconfirmed {
        /// Why.
        why: String,
        /// The command to run manually, once it is known what should stand there.
        command: Option<String>,
    },
}

/// What to roll back, and for how long to try.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which alias of which function.
    pub subject: Subject,
    /// Go to this version, whatever the note says.
    pub to: Option<Version>,
    /// How long to keep trying.
    pub limit: Duration,
    /// The token that the note will carry, so that no other process takes it for its own.
    pub identity: Identity,
}

/// Brings the alias back, by compare and swap, until a write establishes it or the limit passes. `tell` hears of every trouble.
///
/// Which version is to get no traffic, and which all of it, is fixed at the first read: should the alias have moved on by the time of
/// a later one, so that the version gets none any more, nothing else is touched.
pub async fn rollback<C: Cloud, K: Clock>(cloud: &C, clock: &K, order: &Order, tell: &mut dyn FnMut(Time, String)) -> Rollback {
    swap((cloud, clock), &order.subject, order.limit, Back::new(order), tell).await
}

/// A version to roll back to that no longer exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// The version.
    pub version: Version,
    /// The alias as it is.
    pub alias: Alias,
    /// The versions that there are.
    pub existing: Vec<Version>,
}

/// Whether the version to roll back to was deleted: AWS' refusal does not say which version it misses. Nothing is changed.
pub async fn pruned<C: Cloud>(cloud: &C, order: &Order) -> Option<Pruned> {
    let Order { subject, to, identity: Identity { id, owner }, .. } = order;
    let alias = cloud.alias(subject).await.ok()??.alias;
    let RollbackTarget::Write { alias: wanted, .. } = rollback_target(cloud.time(), &alias, *owner, *id, *to) else {
        return None;
    };
    let (version, existing) = (wanted.target.version()?, cloud.versions(&subject.function).await.ok()?);
    (!existing.contains(&version)).then_some(Pruned { version, alias, existing })
}

struct Back<'a> {
    order: &'a Order,
    /// The version that is to get no traffic, and the one that is to get it: fixed at the first read.
    fixed: Option<(Option<Version>, Target)>,
    /// Whether the write in hand changes anything.
    changes: bool,
    /// Whether the version to go to is the alias' own for want of a note.
    assumed: bool,
    /// Whether AWS may be moving provisioned concurrency.
    may_move: bool,
}

impl<'a> Back<'a> {
    fn new(order: &'a Order) -> Self {
        Self { order, fixed: None, changes: false, assumed: false, may_move: true }
    }
}

impl Change for Back<'_> {
    type End = Rollback;

    const PAUSES: Backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(3) };

    fn rule(&mut self, now: Time, held: Option<&AliasSnapshot>, _: Option<&Alias>) -> Step<Rollback> {
        let Order { subject, to, identity: Identity { id, owner }, .. } = self.order;
        let Some(held) = held else { return Step::Refuse(Rollback::Missing(format!("{subject} does not exist"))) };
        self.assumed |= to.is_none() && matches!(alias_state(&held.alias), AliasState::Foreign { .. });
        let mut way = rollback_target(now, &held.alias, *owner, *id, *to);
        if let Some((Some(leaving), target)) = self.fixed.filter(|_| !matches!(way, RollbackTarget::Moving(_))) {
            let found = alias_state(&held.alias);
            // The shape in which AWS keeps an alias while it moves provisioned concurrency, here for another's deploy: written, it would stay.
            let moves = matches!(&found, AliasState::Foreign { weight, .. } if *weight == Weight::FULL);
            if self.may_move && held.alias.share_of(leaving).is_zero() && (moves || held.alias.is_moving()) {
                return Step::Wait(found.describe(Audience::Reader));
            }
            if held.alias.share_of(leaving).is_zero() {
                // It was done in the meantime, by whomever: establish it, whatever else the alias has become.
                way = RollbackTarget::Write { alias: held.alias.clone(), from: Some(leaving), changes: false };
            } else if !matches!(&way, RollbackTarget::Write { from: Some(from), .. } if *from == leaving) {
                way = rollback_target(now, &held.alias, *owner, *id, target.version());
            }
        }
        match way {
            RollbackTarget::Moving(why) if self.may_move => Step::Wait(why),
            // The note and the alias' own version say where the traffic goes; the weight is somebody else's.
            RollbackTarget::Moving(_) => {
                self.may_move = true;
                let (from, alias) = (held.alias.canary(), Alias { weights: Vec::new(), ..held.alias.clone() });
                self.fixed.get_or_insert((from.map(|(version, _)| version), alias.target));
                self.changes = true;
                Step::Write(held.revision.clone(), alias)
            }
            RollbackTarget::Nothing(why) => Step::Refuse(Rollback::Nothing(why)),
            RollbackTarget::Write { alias, from, changes } => {
                self.fixed.get_or_insert((from, alias.target));
                self.changes = changes;
                Step::Write(held.revision.clone(), alias)
            }
        }
    }

    fn nothing_moves(&mut self) -> bool {
        self.may_move = false;
        true
    }

    fn written(&mut self, alias: Alias, again: bool) -> Rollback {
        let from = self.fixed.and_then(|(leaving, _)| leaving);
        // What an earlier try of ours changed, its answer lost, was changed all the same.
        Rollback::Done { alias, from, changed: self.changes || again, assumed: self.assumed }
    }

    fn failed(&mut self, error: &CloudError, writing: bool) -> Option<Rollback> {
        match (error.failure, writing) {
            (Failure::NotFound, false) => Some(Rollback::Missing(error.to_string())),
            // A plain no, and nothing has changed by it.
            (Failure::NotFound | Failure::Invalid, true) => Some(Rollback::Nothing(error.to_string())),
            _ => None,
        }
    }

    fn gave_up(&self, why: String, command: Option<String>) -> Rollback {
        Rollback::Unconfirmed { why, command }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Revision;
    use rollout::note::{Owner, RolloutId};

    #[test]
    fn what_aws_keeps_while_it_moves_anothers_deploy_is_never_written_again() {
        let version = |number| Version::new(number).unwrap();
        let order = Order {
            subject: Subject::parse("hello", None).unwrap(),
            to: None,
            limit: Duration::from_mins(1),
            identity: Identity { id: RolloutId(7), owner: Owner::from_random(7) },
        };
        let held = |weight: Weight| AliasSnapshot {
            alias: Alias {
                target: Target::Version(version(40)),
                weights: vec![(version(41), weight)],
                description: String::new(),
            },
            revision: Revision("r".to_owned()),
        };
        let fixed = Some((Some(version(42)), Target::Version(version(41))));
        let mut back = Back { fixed, ..Back::new(&order) };
        assert!(matches!(back.rule(Time::default(), Some(&held(Weight::FULL)), None), Step::Wait(_)));
        let half = held(Weight::from_fraction(0.5).unwrap());
        assert!(matches!(back.rule(Time::default(), Some(&half), None), Step::Write(_, alias) if alias == half.alias));
    }
}
