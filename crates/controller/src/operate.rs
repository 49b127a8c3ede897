//! How is an operator's order carried out? Read, rule, write, by compare and swap, from any machine.

use std::time::Duration;

use rollout::memory::ROLLBACK_LIMIT;
use rollout::operate::{Aim, Operation, Ruling, rule};
use rollout::subject::Subject;
use rollout::{Alias, Time, Weight};

use crate::cloud::{Clock, Cloud, CloudError, Failure};
use crate::last_resort::update_alias;
use crate::request::Identity;

/// How long an order that moves traffic nowhere is tried.
const LIMIT: Duration = Duration::from_mins(1);

/// How long a failure that will not pass by itself is met before giving up.
const HOPELESS: Duration = Duration::from_secs(5);

/// The shortest and the longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// It is done: the alias as it was written, and what that did.
    Done(Alias, String),
    /// It was so already.
    Already(String),
    /// There is nothing that it may act on: why, and what to do.
    Refused(String, String),
    /// It could not be carried out, or nobody knows whether it was: why, and for an abort the command to run by hand.
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
    let limit = if operation == Operation::Abort { ROLLBACK_LIMIT } else { LIMIT };
    let mut began = None;
    let (mut pause, mut wanted, mut refused, mut almost) = (PAUSES.0, None, None, false);
    loop {
        let error: CloudError = match cloud.alias(subject).await {
            Ok(None) => {
                return Ordered::Refused(format!("{subject} does not exist"), "is this the right Region and account?".to_owned());
            }
            Ok(Some(held)) => match rule(operation, aim, &held.alias, cloud.time(), identity.owner) {
                Ruling::Done(why) => return Ordered::Already(why),
                // Our own write, its answer lost, has ended what the order was about.
                Ruling::Refused { .. } if wanted.as_ref() == Some(&held.alias) => {
                    return Ordered::Done(held.alias, "done".to_owned());
                }
                // Reads can be stale: it takes two to refuse.
                Ruling::Refused { why, hint } if refused.is_some() => return Ordered::Refused(why, hint),
                Ruling::Refused { .. } => {
                    refused = Some(());
                    clock.sleep(Duration::from_secs(1)).await;
                    continue;
                }
                Ruling::Write { mut alias, does } => {
                    for (_, weight) in &mut alias.weights {
                        if almost && *weight == Weight::FULL {
                            *weight = Weight::ALMOST_FULL;
                        }
                    }
                    match cloud.update_alias(subject, &alias, &held.revision).await {
                        Ok(held) => return Ordered::Done(held.alias, does),
                        Err(error) => {
                            // Nobody has seen AWS take a user's weight of exactly 1.
                            almost |= operation == Operation::Promote && error.failure == Failure::Invalid;
                            wanted = Some(alias);
                            error
                        }
                    }
                }
            },
            Err(error) if error.failure == Failure::NotFound => {
                return Ordered::Refused(error.to_string(), "is this the right Region and account?".to_owned());
            }
            Err(error) => error,
        };
        let now = cloud.time();
        let since = *began.get_or_insert(now);
        let hopeless = matches!(error.failure, Failure::Denied | Failure::Invalid | Failure::Unsigned);
        if now.since(since) >= if hopeless { HOPELESS } else { limit } {
            let by_hand =
                wanted.filter(|_| operation == Operation::Abort).map(|wanted| update_alias(subject, cloud.region(), &wanted));
            return Ordered::Unconfirmed(error.to_string(), by_hand);
        }
        if error.failure != Failure::Outdated {
            tell(now, format!("trying again: {error}"));
        }
        clock.sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}
