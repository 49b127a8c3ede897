//! How is an alias on `$LATEST` put on a published version of the same code? Look, publish what is there, one conditional write.
//!
//! Every round begins with a look and may be the last thing that a process does: publishing the same twice gives the same version, and a
//! write on an earlier revision is refused. While a version is being prepared, `$LATEST` may get other code, so a round that has to wait
//! writes nothing, and the next one publishes again.

use std::time::Duration;

use rollout::alias::AliasSnapshot;
use rollout::observation::{Candidate, Readiness};
use rollout::pin::{PinDecision, pinned};
use rollout::target::Subject;
use rollout::timing::{DEFAULT_POLL, ORDER_LIMIT, PREPARING};
use rollout::{Alias, Time, Version};
use tokio::sync::watch;

use crate::backoff::Backoff;
use crate::interrupt::{Interrupt, wait_for_signal};
use crate::port::{Call, Clock, Cloud, CloudError, Failure};
use crate::preflight::features::unpinnable;
use crate::preflight::problem::unreadable;
use crate::preflight::{Preflight, Problem};

/// What became of an alias that was to be pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// It is on this version now, by a write of this process; the alias as it was written.
    Done(Alias, Version),
    /// It was on this version already: nothing was written.
    Already(Alias, Version),
    /// It is not, and the same order would be refused again: why.
    Refused(Problem),
    /// It is not, as far as is known, and the same order may do it the next time: why.
    GaveUp(String),
}

/// Pins an alias. `tell` hears of what is waited for and tried again. Ends by itself: 15 minutes after it began to wait for AWS, a minute
/// after the first of failures that pass, at once after one that does not.
pub async fn pin<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    subject: &Subject,
    interrupt: &watch::Receiver<Interrupt>,
    tell: &mut dyn FnMut(Time, String),
) -> Pinned {
    let mut sent = None;
    let (mut waits, mut fails, mut failures) = (None::<Time>, None::<Time>, 0);
    loop {
        let (why, pause) = match round(cloud, subject, &mut sent).await {
            Ok(Round::Ended(pinned)) => return pinned,
            Ok(Round::Waits(why)) => {
                (fails, failures) = (None, 0);
                let now = cloud.time();
                if now.since(*waits.get_or_insert(now)) >= PREPARING {
                    return Pinned::GaveUp(why);
                }
                (format!("waiting: {why}"), DEFAULT_POLL)
            }
            Err(error) if error.failure.is_refusal() || error.failure == Failure::Unsigned => {
                return Pinned::Refused(refused(&error));
            }
            Err(error) => {
                failures += 1;
                let now = cloud.time();
                if now.since(*fails.get_or_insert(now)) >= ORDER_LIMIT {
                    return Pinned::GaveUp(error.to_string());
                }
                (format!("retrying: {error}"), PAUSES.after(failures))
            }
        };
        tell(cloud.time(), why);
        // Calls are not cut off, waits are.
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = wait_for_signal(interrupt.clone(), Interrupt::Leave) => return Pinned::GaveUp("interrupted".to_owned()),
        }
    }
}

enum Round {
    Ended(Pinned),
    Waits(String),
}

/// One try. `sent` is the version that a write of this process may have put the alias on, its answer lost.
async fn round<C: Cloud>(cloud: &C, subject: &Subject, sent: &mut Option<Version>) -> Result<Round, CloudError> {
    let refused = |problem: Problem| Ok(Round::Ended(Pinned::Refused(problem)));
    let Some(AliasSnapshot { alias, revision }) = cloud.alias(subject).await? else {
        return refused(Problem::new(format!("{subject} does not exist")).hint("are Region, account and alias right?"));
    };
    match rollout::pin::pin(subject, &alias) {
        PinDecision::Already(version) if *sent == Some(version) => return Ok(Round::Ended(Pinned::Done(alias, version))),
        PinDecision::Already(version) => return Ok(Round::Ended(Pinned::Already(alias, version))),
        PinDecision::Refused { why, hint } => return refused(Problem::new(why).hint(hint)),
        PinDecision::Publish => {}
    }
    let latest = cloud.configuration(&subject.function, None).await?;
    if let Some(problem) = unpinnable(subject, &latest) {
        return refused(problem);
    }
    match latest.facts().latest(false, None) {
        Candidate::Ready => {}
        Candidate::Failed(why) => return refused(Problem::new(why).hint("deploy the function again")),
        Candidate::Settling | Candidate::Unknown | Candidate::Outdated | Candidate::Published(..) => {
            return Ok(Round::Waits("an update of `$LATEST` is in progress".to_owned()));
        }
    }
    let version = cloud.publish(&subject.function, &latest, None).await?;
    match cloud.configuration(&subject.function, Some(version)).await?.facts().readiness(None) {
        Readiness::Ready => {}
        Readiness::Pending => return Ok(Round::Waits(format!("{version}, published from `$LATEST`, is not ready"))),
        Readiness::Unfit(why) => return refused(Problem::new(format!("{why}; it is what `$LATEST` is"))),
    }
    *sent = Some(version);
    let written = cloud.update_alias(subject, &pinned(&alias, version), &revision).await?;
    Ok(Round::Ended(Pinned::Done(written.alias, version)))
}

/// Why a call was refused, with the permission that it takes where that is what was wrong.
fn refused(error: &CloudError) -> Problem {
    let denied = Call::ALL.iter().find(|call| error.failure == Failure::Denied && call.name() == error.operation);
    denied.map_or_else(
        || unreadable(error),
        |call| Problem::new(error.to_string()).hint(format!("{} is needed", call.permission())),
    )
}

/// What is to be known before a rollout of an alias that was to be pinned first: with what it could not be, where it could not.
pub(crate) fn not_pinned(found: &mut Preflight, pinned: Pinned) {
    found.problems.push(match pinned {
        Pinned::Refused(problem) => {
            Problem { text: format!("the alias is on `$LATEST` and cannot be pinned: {}", problem.text), ..problem }
        }
        Pinned::GaveUp(why) => {
            Problem::new(format!("the alias is on `$LATEST` and could not be pinned: {why}")).hint("run the same command again")
        }
        Pinned::Done(..) | Pinned::Already(..) => Problem::new("something else keeps putting the alias on `$LATEST`"),
    });
}

const PAUSES: Backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(3) };
