//! When may a rollout begin, or be resumed? Looks until that is settled: nothing is written here.

use std::time::Duration;

use rollout::admission::{owner_is_there, under_way};
use rollout::event::EventKind;
use rollout::note::Note;
use rollout::timing::RED_LIMIT;
use rollout::turn::Turn;
use rollout::{Outcome, Time};

use crate::event_sink::EventSink;
use crate::identity::Identity;
use crate::interrupt::Interrupt;
use crate::port::{Clock, Cloud};
use crate::preflight::{Preflight, Problem, preflight};
use crate::request::Request;

/// When the checks take so long that a person wonders why.
pub const SLOW: Duration = Duration::from_secs(15);

/// What a person is told then.
pub const SLOW_WHY: &str = "the checks take long: AWS answers late, or the account makes more calls than AWS takes; refused ones are made again \
                        for up to 5m";

/// Looks until there is a way in or none: waits for an alarm in ALARM where that was asked for, and for a lease that runs out. It `tells` where the
/// first look takes long.
pub(crate) async fn enter<C: Cloud, K: Clock>(
    (cloud, clock): (&C, &K),
    request: &Request,
    identity: Identity,
    sink: &mut EventSink<'_>,
    mut tells: bool,
) -> Preflight {
    let mut first: Option<Time> = None;
    let mut lease_holder: Option<Note> = None;
    loop {
        let mut looking = Box::pin(preflight(cloud, clock, request, identity.id, identity.owner));
        let mut found = tokio::select! {
            found = &mut looking => found,
            () = clock.sleep(SLOW), if tells && !Turn::is_tick(request.turn) => {
                sink.emit(cloud.time(), EventKind::HoldingStep { why: SLOW_WHY.to_owned() });
                looking.await
            }
        };
        tells = false;
        let now = cloud.time();
        // Only an answer tells what time it is.
        let began = *first.get_or_insert(now);
        if let Some(ended) =
            lease_holder.as_ref().filter(|_| found.read && found.lease_holder.is_none() && found.resumes.is_none())
        {
            let text = format!("rollout {} ended while this process waited to resume it", ended.id);
            found.problems.push(
                Problem::new(text).hint("`canaryctl status` shows how it ended; run this command again to start a new rollout"),
            );
            return found;
        }
        // A turn waits for nothing: the next one looks again. What is detached already is not detached again.
        if Turn::is_tick(request.turn) {
            return found;
        }
        if request.turn == Some(Turn::Begin)
            && let Some(note) = found.lease_holder.as_ref().filter(|_| found.is_detached())
        {
            // It is this one that goes on.
            (found.plan.id, found.plan.stable) = (note.id, note.stable);
            return found;
        }
        if let Some(note) = found.lease_holder.clone() {
            // Every write of an owner renews its lease; what others write on the note leaves it as it is.
            if lease_holder
                .as_ref()
                .is_some_and(|known| (known.id, known.owner, known.lease) != (note.id, note.owner, note.lease))
            {
                let (why, hint) = owner_is_there(&request.subject, &note);
                found.problems.push(Problem::new(why).hint(hint));
                return found;
            }
            let lease = note.lease.unwrap_or(now);
            if lease_holder.is_none() {
                let waits =
                    format!("{}: resuming then, unless it does; `--take-over` does not wait", under_way(&request.subject, &note));
                sink.emit(now, EventKind::HoldingStep { why: waits });
            }
            lease_holder = Some(note);
            clock.sleep(lease.since(now).clamp(Duration::from_millis(100), request.poll)).await;
        } else if found.problems.is_empty() && !found.in_alarm.is_empty() && now.since(began) < RED_LIMIT {
            let why = format!("waiting for {} to be OK before the rollout starts", found.in_alarm.join(", "));
            sink.emit(now, EventKind::HoldingStep { why });
            clock.sleep(request.poll.max(Duration::from_secs(15))).await;
        } else {
            return found;
        }
    }
}

/// The outcome of a rollout that does not begin, and why; `None` where it may.
pub(crate) fn ends_before_it_begins(found: &Preflight, interrupt: Interrupt, request: &Request) -> Option<(Outcome, String)> {
    let problems: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
    if !problems.is_empty() {
        return Some((Outcome::Refused, problems.join("\n")));
    }
    if request.turn == Some(Turn::Begin)
        && let Some(note) = found.lease_holder.as_ref().filter(|_| found.is_detached())
    {
        return Some((Outcome::Detached, format!("{}; it continues by turns", under_way(&request.subject, note))));
    }
    if interrupt != Interrupt::None {
        return Some((Outcome::Refused, "interrupted before the rollout started".to_owned()));
    }
    if !found.in_alarm.is_empty() {
        let limit = rollout::format::exact(RED_LIMIT);
        return Some((
            Outcome::Refused,
            format!("{} stayed in ALARM for {limit}, before the rollout started", found.in_alarm.join(", ")),
        ));
    }
    if found.pins {
        return Some((Outcome::Refused, "the alias is on `$LATEST` and was not pinned".to_owned()));
    }
    let outcome = if request.require_change { Outcome::Refused } else { Outcome::Unchanged };
    let stable = found.plan.stable?;
    found.nothing_to_do.then(|| (outcome, format!("nothing to roll out: {stable} is already stable")))
}
