//! How does a person bring the traffic back? Two calls where all goes well; as often as it takes where not.

use std::time::Duration;

use rollout::alias::Target;
use rollout::subject::Subject;
use rollout::write::{WayBack, way_back};
use rollout::{Alias, Time, Version};

use crate::cloud::{Clock, Cloud, CloudError, Failure, Held, Revision};
use crate::last_resort::update_alias;
use crate::request::Identity;

/// The shortest and the longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// How long a failure that will not pass by itself, such as a denied permission, is met before giving up.
const HOPELESS: Duration = Duration::from_secs(5);

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
    /// There is nothing to go back from, or nowhere to go: why.
    Nothing(String),
    /// There is no such function or alias.
    Missing(String),
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
#[derive(Default)]
struct Attempts {
    /// When AWS first answered, or failed to.
    began: Option<Time>,
    /// The version that is to get no traffic, and the one that is to get it: fixed at the first read.
    fixed: Option<(Option<Version>, Target)>,
    tries: u32,
    wanted: Option<Alias>,
    /// Since when nothing but failures that will not pass by themselves was met.
    hopeless: Option<Time>,
    pause: Duration,
}

/// Brings the alias back, by compare and swap, until a write establishes it or the limit passes. `tell` hears of every trouble.
///
/// Which version is to get no traffic, and which all of it, is fixed at the first read: should the alias have moved on by the time of
/// a later one, so that the version gets none any more, nothing else is touched.
pub async fn rollback<C: Cloud, K: Clock>(cloud: &C, clock: &K, order: &Order, tell: &mut dyn FnMut(Time, String)) -> Rollback {
    let mut attempts = Attempts { pause: PAUSES.0, ..Attempts::default() };
    let mut nothing = false;
    loop {
        let error = match cloud.alias(&order.subject).await {
            Ok(held) => match attempts.aim(cloud.time(), order, held.as_ref()) {
                // Reads can be stale: it takes two to say that there is nothing to do.
                Err(found) if nothing => return found,
                Err(_) => {
                    nothing = true;
                    clock.sleep(Duration::from_secs(1)).await;
                    continue;
                }
                Ok((revision, wanted, changes)) => match cloud.update_alias(&order.subject, &wanted, &revision).await {
                    Ok(held) => {
                        let from = attempts.fixed.and_then(|(leaving, _)| leaving);
                        // What an earlier try of ours changed, its answer lost, was changed all the same.
                        return Rollback::Done { alias: held.alias, from, changed: changes || attempts.tries > 1 };
                    }
                    // A plain no, and nothing has changed by it.
                    Err(error) if matches!(error.failure, Failure::NotFound | Failure::Invalid) => {
                        return Rollback::Nothing(error.to_string());
                    }
                    Err(error) => error,
                },
            },
            Err(error) if error.failure == Failure::NotFound => return Rollback::Missing(error.to_string()),
            Err(error) => error,
        };
        if let Some(end) = attempts.after(cloud, order, &error) {
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
    /// What to write on what was read, and whether it changes anything; or what there is to say where nothing is to be written.
    fn aim(&mut self, now: Time, order: &Order, held: Option<&Held>) -> Result<(Revision, Alias, bool), Rollback> {
        let Some(held) = held else { return Err(Rollback::Missing(format!("{} does not exist", order.subject))) };
        let Identity { id, owner } = order.identity;
        let mut way = way_back(now, &held.alias, owner, id, order.to);
        if let Some((Some(leaving), target)) = self.fixed {
            if held.alias.share_of(leaving).is_zero() {
                // It was done in the meantime, by whomever: establish it, whatever else the alias has become.
                way = WayBack::Write { alias: held.alias.clone(), from: Some(leaving), changes: false };
            } else if !matches!(&way, WayBack::Write { from: Some(from), .. } if *from == leaving) {
                way = way_back(now, &held.alias, owner, id, target.version());
            }
        }
        match way {
            WayBack::Nothing(why) => Err(Rollback::Nothing(why)),
            WayBack::Write { alias, from, changes } => {
                self.fixed.get_or_insert((from, alias.target));
                self.tries += 1;
                self.wanted = Some(alias.clone());
                Ok((held.revision.clone(), alias, changes))
            }
        }
    }

    /// Whether to give up after this failure.
    fn after<C: Cloud>(&mut self, cloud: &C, order: &Order, error: &CloudError) -> Option<Rollback> {
        let now = cloud.time();
        let began = *self.began.get_or_insert(now);
        if matches!(error.failure, Failure::Denied | Failure::Invalid | Failure::Unsigned) {
            self.hopeless.get_or_insert(now);
        } else {
            self.hopeless = None;
        }
        let hopeless = self.hopeless.is_some_and(|since| now.since(since) >= HOPELESS);
        let over = hopeless || now.since(began) >= order.limit;
        let command = || self.wanted.as_ref().map(|wanted| update_alias(&order.subject, cloud.region(), wanted));
        over.then(|| Rollback::Unconfirmed { why: error.to_string(), command: command() })
    }
}
