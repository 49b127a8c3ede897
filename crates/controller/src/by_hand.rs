//! How does a person bring the traffic back? Two calls where all goes well; as often as it takes where not.

use std::time::Duration;

use rollout::subject::Subject;
use rollout::write::{WayBack, way_back};
use rollout::{Alias, Time, Version};

use crate::cloud::{Clock, Cloud, CloudError, Failure};
use crate::driver::Identity;
use crate::last_resort::update_alias;

/// The shortest and the longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// How often a failure that will not pass by itself is met before giving up.
const HOPELESS: u32 = 3;

/// How a rollback by hand ended.
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
    },
    /// There is nothing to go back from: why.
    Nothing(String),
    /// Nobody knows where the traffic is.
    Unconfirmed {
        /// Why.
        why: String,
        /// The command to run by hand, once it is known what should stand there.
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

/// What is known of one attempt after another.
struct Attempts {
    began: Time,
    /// The version that is to get no traffic, fixed at the first read.
    leaving: Option<Version>,
    tries: u32,
    wanted: Option<Alias>,
    hopeless: u32,
    pause: Duration,
}

/// Brings the alias back, by compare and swap, until a write establishes it or the limit passes. `tell` hears of every trouble.
///
/// The version that is to get no traffic is fixed at the first read: should the alias have moved on by the time of a later one, so
/// that this version gets none any more, nothing else is touched.
pub async fn rollback<C: Cloud, K: Clock>(cloud: &C, clock: &K, order: &Order, tell: &mut dyn FnMut(Time, String)) -> Rollback {
    let mut attempts = Attempts { began: cloud.time(), leaving: None, tries: 0, wanted: None, hopeless: 0, pause: PAUSES.0 };
    let mut nothing: Option<String> = None;
    loop {
        let error = match cloud.alias(&order.subject).await {
            Ok(Some(held)) => match way_back(cloud.time(), &held.alias, order.identity.owner, order.identity.id, order.to) {
                // Reads can be stale: it takes two to say that there is nothing to do.
                WayBack::Nothing(why) if nothing.is_some() => return Rollback::Nothing(why),
                WayBack::Nothing(why) => {
                    nothing = Some(why);
                    clock.sleep(Duration::from_secs(1)).await;
                    continue;
                }
                WayBack::Write { alias, from, changes } => {
                    attempts.leaving = attempts.leaving.or(from);
                    attempts.tries += 1;
                    let leaving = attempts.leaving;
                    let moved_on = leaving != from && leaving.is_some_and(|version| held.alias.share_of(version).is_zero());
                    let wanted = if moved_on { held.alias.clone() } else { alias };
                    attempts.wanted = Some(wanted.clone());
                    match cloud.update_alias(&order.subject, &wanted, &held.revision).await {
                        // What an earlier try of ours changed, its answer lost, was changed all the same.
                        Ok(held) => {
                            return Rollback::Done { alias: held.alias, from: leaving, changed: changes || attempts.tries > 1 };
                        }
                        Err(error) => error,
                    }
                }
            },
            Ok(None) if nothing.is_some() => return Rollback::Nothing(format!("{} does not exist", order.subject)),
            Ok(None) => {
                nothing = Some(String::new());
                clock.sleep(Duration::from_secs(1)).await;
                continue;
            }
            Err(error) if error.failure == Failure::NotFound => return Rollback::Nothing(error.to_string()),
            Err(error) => error,
        };
        if let Some(end) = attempts.after(cloud.time(), order, &error) {
            return end;
        }
        if error.failure != Failure::Outdated {
            tell(cloud.time(), format!("trying again: {error}"));
        }
        clock.sleep(attempts.pause).await;
        attempts.pause = (attempts.pause * 2).min(PAUSES.1);
    }
}

impl Attempts {
    /// Whether to give up after this failure.
    fn after(&mut self, now: Time, order: &Order, error: &CloudError) -> Option<Rollback> {
        match error.failure {
            Failure::Denied | Failure::Invalid | Failure::Unsent | Failure::NotFound => self.hopeless += 1,
            Failure::Outdated | Failure::Conflict | Failure::Throttled | Failure::Unanswered | Failure::NotExecuted => {}
        }
        let over = self.hopeless >= HOPELESS || now.since(self.began) >= order.limit;
        let command = || self.wanted.as_ref().map(|wanted| update_alias(&order.subject, wanted));
        over.then(|| Rollback::Unconfirmed { why: error.to_string(), command: command() })
    }
}
