//! How is an operator's order carried out? From any machine, whoever drives the rollout.

use std::time::Duration;

use rollout::alias::{Audience, alias_state};
use rollout::operate::{Aim, Operation, OperatorDecision, rule};
use rollout::target::Subject;
use rollout::timing::{ORDER_LIMIT, ROLLBACK_LIMIT};
use rollout::{Alias, Time, Weight};

use crate::backoff::Backoff;
use crate::identity::Identity;
use crate::port::{AliasSnapshot, Clock, Cloud, CloudError, Failure};
use crate::swap::{Change, Step, swap};

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// It is done: the alias as it was written, and what that did.
    Done(Alias, String),
    /// It was so already.
    Already(String),
    /// There is nothing that it may act on: why, and what to do.
    Refused(String, String),
    /// It could not be carried out, or nobody knows whether it was: why, and for an abort the command to run manually.
    Unconfirmed(String, Option<String>),
}

/// Carries out an order on the alias.
pub async fn operate<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    subject: &Subject,
    (operation, aim): (Operation, Aim),
    identity: Identity,
    tell: &mut dyn FnMut(Time, String),
) -> Ordered {
    let given = Given { subject, operation, aim, identity, does: String::new(), almost: false };
    let limit = if operation == Operation::Abort { ROLLBACK_LIMIT } else { ORDER_LIMIT };
    swap((cloud, clock), subject, limit, given, tell).await
}

struct Given<'a> {
    subject: &'a Subject,
    operation: Operation,
    aim: Aim,
    identity: Identity,
    /// What the write in hand does, in words.
    does: String,
    /// Whether AWS refused a weight of exactly 1.
    almost: bool,
}

impl Change for Given<'_> {
    type End = Ordered;

    const PAUSES: Backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(2) };

    fn rule(&mut self, now: Time, held: Option<&AliasSnapshot>, sent: Option<&Alias>) -> Step<Ordered> {
        let Some(held) = held else { return Step::End(missing(format!("{} does not exist", self.subject))) };
        match rule(self.operation, self.aim, &held.alias, now, self.identity.owner) {
            // What was promoted or aborted by this order is on its way.
            OperatorDecision::Refused { .. } if sent.is_some() && held.alias.is_moving() => {
                Step::Wait(alias_state(&held.alias).describe(Audience::Reader))
            }
            OperatorDecision::Done(why) => Step::End(Ordered::Already(why)),
            // Our own write, its answer lost, has ended what the order was about.
            OperatorDecision::Refused { .. } if sent == Some(&held.alias) => {
                Step::End(Ordered::Done(held.alias.clone(), "done".to_owned()))
            }
            OperatorDecision::Refused { why, hint } => Step::Refuse(Ordered::Refused(why, hint)),
            OperatorDecision::Write { mut alias, does } => {
                for (_, weight) in alias.weights.iter_mut().filter(|(_, weight)| self.almost && *weight == Weight::FULL) {
                    *weight = Weight::ALMOST_FULL;
                }
                self.does = does;
                Step::Write(held.revision.clone(), alias)
            }
        }
    }

    fn written(&mut self, alias: Alias, _: bool) -> Ordered {
        Ordered::Done(alias, std::mem::take(&mut self.does))
    }

    fn failed(&mut self, error: &CloudError, writing: bool) -> Option<Ordered> {
        // Nobody has seen AWS take a user's weight of exactly 1.
        self.almost |= writing && self.operation == Operation::Promote && error.failure == Failure::Invalid;
        (error.failure == Failure::NotFound && !writing).then(|| missing(error.to_string()))
    }

    fn gave_up(&self, why: String, command: Option<String>) -> Ordered {
        Ordered::Unconfirmed(why, command.filter(|_| self.operation == Operation::Abort))
    }
}

fn missing(why: String) -> Ordered {
    Ordered::Refused(why, "is this the right Region and account?".to_owned())
}
