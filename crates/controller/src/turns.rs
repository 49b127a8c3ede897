//! What does the controller's function do when its schedule invokes it? One turn of the rollout that the event tells of; the last one deletes the
//! schedule.

use std::time::Duration;

use rollout::event::Event;
use rollout::timing::TURN;
use rollout::turn::Turn;
use rollout::{Subject, Time};
use tokio::sync::watch;

use crate::detached::{Detached, NotDetached};
use crate::group::{Ticked, tick};
use crate::identity::Identity;
use crate::interrupt::Interrupt;
use crate::port::{Clock, Cloud, CloudError};
use crate::request::Notice;

/// What came of one invocation.
#[derive(Clone, Debug)]
pub struct Continued {
    /// What became of each function.
    pub ticked: Vec<(Subject, Ticked)>,
    /// Whether the schedule is gone, where nothing is left to do; why not, where it could not be deleted. The next invocation tries again.
    pub deleted: Option<Result<(), CloudError>>,
}

/// Runs a turn of so long of a detached rollout, and deletes its schedule once it is over.
///
/// # Errors
/// The event is none that this version reads.
pub async fn continue_detached<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    (detached, lasts, notice): (&Detached, Duration, Notice),
    identity: Identity,
    interrupt: watch::Receiver<Interrupt>,
    tell: &mut dyn FnMut(&Event),
) -> Result<Continued, NotDetached> {
    one_of(cloud, clock, (detached, detached.len()), (lasts, notice), identity, interrupt, tell).await
}

/// The same where so many functions, these among them, are continued at a time.
pub(crate) async fn one_of<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    (detached, at_a_time): (&Detached, usize),
    (lasts, notice): (Duration, Notice),
    identity: Identity,
    interrupt: watch::Receiver<Interrupt>,
    tell: &mut dyn FnMut(&Event),
) -> Result<Continued, NotDetached> {
    let mut requests = detached.requests(Turn::Tick(lasts))?;
    for request in &mut requests {
        (request.concurrent_rollouts, request.notice) = (at_a_time, notice);
    }
    let ticked = Box::pin(tick(cloud, clock, &requests, identity, interrupt, tell)).await;
    let over = ticked.iter().all(|(_, ticked)| matches!(ticked, Ticked::Ended(_) | Ticked::Idle(_)));
    let deleted = if over { Some(cloud.delete_schedule(&detached.schedule).await) } else { None };
    Ok(Continued { ticked, deleted })
}

/// When an invocation's turn is over that has until then: a moment is left for its last write.
pub fn lasts(now: Time, deadline: Time) -> Duration {
    TURN.min(deadline.since(now).saturating_sub(Duration::from_secs(15)))
}
