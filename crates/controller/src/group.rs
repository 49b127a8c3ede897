//! How are functions rolled out, one by itself, several beside each other or several as one? Each has a driver of its own, all on one
//! thread, and as one also a place at one board.
//!
//! What a member may do given the others is the pure core's; here they are brought together, and their endings counted.

use std::cell::RefCell;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use rollout::admission::TakeoverOptions;
use rollout::event::{Event, EventKind, FORMAT, GroupOutcome, MemberEnding, RolloutSummary};
use rollout::group::{Joins, Left as MemberLeft, Member, exit_code, joins, taken_out, under_way};
use rollout::note::{Owner, RolloutId};
use rollout::plan::Entry;
use rollout::turn::{Next, Turn, detached_owner};
use rollout::{Alias, Names, Outcome, OutcomeKind, ReasonKind, Subject, Time};
use tokio::sync::watch;

use crate::admission::{ends_before_it_begins, enter};
use crate::detached::{has_clock, schedule};
use crate::driver::{Io, Left, drive};
use crate::event_sink::EventSink;
use crate::group_board::GroupBoard;
use crate::identity::Identity;
use crate::interrupt::{Interrupt, wait_for_signal};
use crate::notify::notifying;
use crate::pin::{Pinned, not_pinned, pin};
use crate::port::{Clock, Cloud, ScheduleSpec};
use crate::preflight::callers::PATIENCE;
use crate::preflight::versions::judge_stack;
use crate::preflight::{Preflight, Problem, preflight};
use crate::request::Request;

/// How several rollouts ended.
#[derive(Clone, Debug)]
pub struct GroupEnding {
    /// Each one's ending; of a group in the order of the aliases' names, else as they were asked for.
    pub endings: Vec<RolloutSummary>,
    /// The exit code for all of them: 20 wins, then 21, then the first cause.
    pub exit_code: u8,
}

impl GroupEnding {
    /// Reports the end of all of them, after which nothing follows.
    fn emit(self, at: Time, requests: &[Request], together: bool, tell: &mut dyn FnMut(&Event)) -> Self {
        let member = |(request, ending): (&Request, &RolloutSummary)| MemberEnding {
            function: request.subject.function.name.clone(),
            alias: request.subject.alias.clone(),
            ending: ending.clone(),
        };
        let members = requests.iter().zip(&self.endings).map(member).collect();
        let outcome = GroupOutcome { exit_code: self.exit_code, together, members };
        let (function, alias) = (String::new(), String::new());
        tell(&Event { v: FORMAT, at, function, alias, what: EventKind::GroupOutcome(Box::new(outcome)) });
        self
    }
}

/// Runs a rollout from its preflight to its end, and tells every event on the way; the ending is the last of them.
pub async fn rollout<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    request: &Request,
    identity: Identity,
    interrupt: watch::Receiver<Interrupt>,
    tell: &mut dyn FnMut(&Event),
) -> RolloutSummary {
    let requests = std::slice::from_ref(request);
    let run = async |tell: &mut dyn FnMut(&Event)| alone((cloud, clock), requests, identity, interrupt.clone(), tell).await;
    notifying((cloud, clock), requests, &interrupt, tell, run).await
}

async fn alone<C: Cloud, K: Clock>(
    (cloud, clock): (&C, &K),
    requests: &[Request],
    identity: Identity,
    interrupt: watch::Receiver<Interrupt>,
    tell: &mut dyn FnMut(&Event),
) -> RolloutSummary {
    let mut ended = Box::pin(run(cloud, clock, requests, identity, interrupt, tell)).await;
    ended.left.swap_remove(0).summary
}

/// Rolls out several functions beside each other, so many at a time; one that rolls back leaves the others alone. Every event of each
/// is told, and the end of all of them last.
pub async fn each<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    requests: &[(Request, Identity)],
    at_a_time: usize,
    interrupt: watch::Receiver<Interrupt>,
    tell: &mut dyn FnMut(&Event),
) -> GroupEnding {
    let (requests, identities): (Vec<Request>, Vec<Identity>) = requests.iter().cloned().unzip();
    let asked = (requests.as_slice(), identities.as_slice());
    let run = async |tell: &mut dyn FnMut(&Event)| beside((cloud, clock), asked, at_a_time, interrupt.clone(), tell).await;
    notifying((cloud, clock), &requests, &interrupt, tell, run).await
}

async fn beside<C: Cloud, K: Clock>(
    (cloud, clock): (&C, &K),
    (requests, identities): (&[Request], &[Identity]),
    at_a_time: usize,
    interrupt: watch::Receiver<Interrupt>,
    tell: &mut dyn FnMut(&Event),
) -> GroupEnding {
    let shared = RefCell::new(&mut *tell);
    let left = RefCell::new(Vec::new());
    let runs = requests.iter().zip(identities).enumerate().map(|(place, (request, identity))| {
        let (shared, left, interrupt) = (&shared, &left, interrupt.clone());
        // Boxed: a rollout is much for the stack of a thread, and here are many.
        Box::pin(async move {
            let mut tell = |event: &Event| (shared.borrow_mut())(event);
            let ending = alone((cloud, clock), std::slice::from_ref(request), *identity, interrupt, &mut tell).await;
            if !ending.is_good() {
                left.borrow_mut().push(place);
            }
            (place, ending)
        })
    });
    let mut endings: Vec<(usize, RolloutSummary)> = stream::iter(runs).buffer_unordered(at_a_time.max(1)).collect().await;
    endings.sort_by_key(|(place, _)| *place);
    let endings: Vec<RolloutSummary> = endings.into_iter().map(|(_, ending)| ending).collect();
    let exit_code = exit_code(&codes(&endings), &left.borrow());
    GroupEnding { endings, exit_code }.emit(cloud.time(), requests, false, tell)
}

fn codes(endings: &[RolloutSummary]) -> Vec<(u8, &ReasonKind)> {
    endings.iter().map(|ending| (ending.exit_code, &ending.reason.kind)).collect()
}

/// Rolls out several functions as one, from the preflight of all of them to the end of the last. Every event of each is told, and the
/// end of all of them last. The requests are of one schedule.
pub async fn group<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    requests: &[Request],
    identity: Identity,
    interrupt: watch::Receiver<Interrupt>,
    tell: &mut dyn FnMut(&Event),
) -> GroupEnding {
    let strict = requests.iter().any(|request| request.require_change);
    let requests = members(requests);
    let run = async |tell: &mut dyn FnMut(&Event)| {
        let ended = Box::pin(run(cloud, clock, &requests, identity, interrupt.clone(), tell)).await;
        let endings: Vec<RolloutSummary> = ended.left.into_iter().map(|left| left.summary).collect();
        let nothing_new = strict && endings.iter().all(|ending| ending.outcome == OutcomeKind::Unchanged);
        let exit_code = if nothing_new { Outcome::Refused.exit_code() } else { ended.exit_code };
        GroupEnding { endings, exit_code }.emit(cloud.time(), &requests, true, tell)
    };
    notifying((cloud, clock), &requests, &interrupt, tell, run).await
}

/// What became of a rollout in one turn of it.
#[derive(Clone, Debug)]
pub enum Ticked {
    /// It goes on: until when there is nothing to do, and where it stands.
    Goes(Next, RolloutSummary),
    /// It ended in this turn.
    Ended(RolloutSummary),
    /// No rollout is in progress on the alias as it was found, or there is no alias.
    Idle(Option<Alias>),
    /// Nothing was done.
    Refused(Vec<Problem>),
}

/// Runs one turn of each rollout in progress on these aliases, all of them as one where they were begun as one: does what is due, and
/// leaves. Where none is in progress, nothing is done. The requests' `turn` says how long a turn is.
pub async fn tick<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    requests: &[Request],
    identity: Identity,
    interrupt: watch::Receiver<Interrupt>,
    tell: &mut dyn FnMut(&Event),
) -> Vec<(Subject, Ticked)> {
    let requests = if requests.len() > 1 { members(requests) } else { requests.to_vec() };
    let run =
        async |tell: &mut dyn FnMut(&Event)| Box::pin(run(cloud, clock, &requests, identity, interrupt.clone(), tell)).await;
    let ran = notifying((cloud, clock), &requests, &interrupt, tell, run).await;
    requests.iter().zip(ran.left).map(|(request, left)| (request.subject.clone(), left.ticked())).collect()
}

impl Left {
    fn ticked(self) -> Ticked {
        match (self.next, self.found) {
            (Some(next), _) => Ticked::Goes(next, self.summary),
            (None, Some(found)) if !found.problems.is_empty() => Ticked::Refused(found.problems),
            (None, Some(found)) => Ticked::Idle(found.alias),
            (None, None) => Ticked::Ended(self.summary),
        }
    }
}

/// How several rollouts were left, and the exit code for all of them.
struct Ran {
    left: Vec<Left>,
    exit_code: u8,
}

/// Runs them to the end of the last: as one, or a single one that knows of no others.
async fn run<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    requests: &[Request],
    identity: Identity,
    interrupt: watch::Receiver<Interrupt>,
    tell: &mut dyn FnMut(&Event),
) -> Ran {
    let shared = RefCell::new(tell);
    let mut tells: Vec<_> = requests.iter().map(|_| |event: &Event| (shared.borrow_mut())(event)).collect();
    let mut tellers: Vec<_> = requests.iter().zip(&mut tells).map(|(request, tell)| EventSink::new(request, tell)).collect();
    let Some(mut met) = Box::pin(meet((cloud, clock), requests, identity, &interrupt, &mut tellers)).await else {
        let detail = || Some("interrupted before the rollout started".to_owned());
        let end = |sink: &mut EventSink<'_>| sink.end(cloud.time(), &Outcome::Refused, detail(), "unchanged".to_owned(), None);
        let left = tellers.iter_mut().map(end).map(Left::ended).collect();
        return Ran { left, exit_code: Outcome::Refused.exit_code() };
    };
    Box::pin(judge_stacks((cloud, clock), requests, &interrupt, &mut met.found)).await;
    let (as_one, live, refused) = (met.as_one, met.live, met.refused(requests));
    // A member that another process has is waited for by all.
    let busy = met.found.iter().find_map(|found| found.waits(cloud.time()));
    let schedule = Box::pin(scheduled(cloud, requests, &mut met.found)).await;
    let board = GroupBoard::new(requests.iter().map(|request| request.subject.to_string()).collect());
    let drivers = requests.iter().zip(met.found).zip(tellers).enumerate().map(|(place, ((request, found), mut sink))| {
        let (seat, refused, busy) = (as_one.then(|| board.seat(place)), refused.as_ref(), busy.clone());
        let schedule = schedule.clone();
        let io = Io { cloud, clock, request, interrupt: interrupt.clone() };
        async move {
            if Turn::is_tick(request.turn) && (refused.is_some() || busy.is_some() || !found.goes_on()) {
                let mut found = found;
                // What one of them cannot resume, none does.
                if let Some(first) = refused.filter(|_| found.problems.is_empty()) {
                    found.problems.push(Problem::new(format!("nothing was resumed: {first} of its group cannot be resumed")));
                }
                if let Some(seat) = seat {
                    seat.show(Member::ended(None), cloud.time());
                }
                return Left { next: busy, summary: sink.unchanged(cloud.time(), &found), found: Some(found) };
            }
            let ends = ends_before_it_begins(&found, io.interrupt(), request);
            let taken_out = refused.is_none() && live && found.alias.as_ref().is_some_and(taken_out);
            let ends = ends.map(|(outcome, detail)| (if taken_out { Outcome::Superseded } else { outcome }, detail));
            let (goes, begin) = if live { ("resumed", "be resumed") } else { ("started", "start") };
            let held_up =
                refused.map(|first| (Outcome::Refused, format!("nothing was {goes}: {first} of its group cannot {begin}")));
            if ends.is_none() && held_up.is_some() {
                sink.held_up();
            }
            let Some((outcome, detail)) = ends.or(held_up) else { return drive(io, found, sink, seat, schedule).await };
            if let Some(seat) = seat {
                seat.show(Member::ended((outcome != Outcome::Unchanged).then_some(MemberLeft::Lost)), cloud.time());
            }
            Left::ended(sink.end_before(cloud.time(), &found, &outcome, detail))
        }
    });
    let left = Box::pin(join_all(drivers)).await;
    let codes: Vec<(u8, &ReasonKind)> = left.iter().map(|left| (left.summary.exit_code, &left.summary.reason.kind)).collect();
    Ran { exit_code: exit_code(&codes, &board.left()), left }
}

/// All of them as they were found, before any of them begins.
struct Met {
    found: Vec<Preflight>,
    as_one: bool,
    /// Whether a rollout of all of them is in progress already.
    live: bool,
}

impl Met {
    /// The first one that keeps the others from beginning, where they are one. What one of them cannot resume, none does: as it would be
    /// left alone by itself. One that was taken out of the rollout in progress brings the others back, as it would have before the eyes
    /// of its process.
    fn refused(&self, requests: &[Request]) -> Option<String> {
        let taken_out = |found: &Preflight| self.live && found.alias.as_ref().is_some_and(taken_out);
        let stops = |found: &Preflight| self.as_one && !found.problems.is_empty() && !taken_out(found);
        let refused = requests.iter().zip(&self.found).find(|(_, found)| stops(found));
        refused.map(|(request, _)| request.subject.to_string())
    }
}

/// Looks at all of them until each has a way in or none, and pins aliases that are on `$LATEST`; those are looked at again. `None` where
/// it is interrupted.
async fn meet<C: Cloud, K: Clock>(
    (cloud, clock): (&C, &K),
    requests: &[Request],
    identity: Identity,
    interrupt: &watch::Receiver<Interrupt>,
    sinks: &mut [EventSink<'_>],
) -> Option<Met> {
    let as_one = requests.iter().any(|request| !request.group.is_empty());
    for round in 1.. {
        let entering = requests.iter().zip(&mut *sinks).enumerate();
        // One tells for all.
        let entering =
            entering.map(|(place, (request, sink))| enter((cloud, clock), request, identity, sink, round + place == 1));
        // Nothing is written here, so it may be cut off anywhere.
        let mut found = tokio::select! {
            found = Box::pin(join_all(entering)) => found,
            () = wait_for_signal(interrupt.clone(), Interrupt::Leave) => return None,
        };
        if as_one && found.iter().any(Preflight::is_detached) && !found.iter().all(Preflight::is_detached) {
            tokio::select! {
                () = Box::pin(take_back((cloud, clock), requests, identity, &mut found)) => {}
                () = wait_for_signal(interrupt.clone(), Interrupt::Leave) => return None,
            }
        }
        let live = as_one && bring_together(requests, &mut found);
        let mut met = Met { found, as_one, live };
        if Turn::is_tick(requests.first().and_then(|request| request.turn)) {
            return Some(met);
        }
        if met.refused(requests).is_some() || *interrupt.borrow() != Interrupt::None {
            return Some(met);
        }
        let pinning =
            requests.iter().zip(&mut met.found).zip(&mut *sinks).filter(|((_, found), _)| found.pins && found.may_begin());
        let pinning = pinning.map(async |((request, found), sink)| {
            let pinned = pin(cloud, clock, &request.subject, interrupt, &mut |at, why| sink.warn(at, why)).await;
            match &pinned {
                Pinned::Done(_, version) => sink.emit(cloud.time(), EventKind::Pinned { version: *version }),
                Pinned::Already(..) => {}
                Pinned::Refused(_) | Pinned::GaveUp(_) => return not_pinned(found, pinned),
            }
            if round == PIN_ROUNDS {
                not_pinned(found, pinned);
            }
        });
        let count = Box::pin(join_all(pinning)).await.len();
        if count == 0 || met.found.iter().any(|found| !found.problems.is_empty()) {
            return Some(met);
        }
    }
    None
}

/// Takes back what a process left to turns that died before it had left all of them: no turn drives a part of a group. The leases of the
/// others are over by now.
async fn take_back<C: Cloud, K: Clock>(
    (cloud, clock): (&C, &K),
    requests: &[Request],
    identity: Identity,
    found: &mut [Preflight],
) {
    for (request, found) in requests.iter().zip(found).filter(|(_, found)| found.is_detached()) {
        let takeover = TakeoverOptions { take_over: true, ..request.takeover };
        let forced = Request { takeover, ..request.clone() };
        *found = Box::pin(preflight(cloud, clock, &forced, identity.id, identity.owner)).await;
    }
}

/// Looks whether deploys of stacks move the aliases: of a few at a time, for `CloudFormation` takes few calls a second, and not for long:
/// what it does not answer is no reason to wait.
async fn judge_stacks<C: Cloud, K: Clock>(
    (cloud, clock): (&C, &K),
    requests: &[Request],
    interrupt: &watch::Receiver<Interrupt>,
    found: &mut [Preflight],
) {
    let begin = requests.iter().zip(found);
    let begin = begin.filter(|(request, found)| found.may_begin() && !found.nothing_to_do && !Turn::is_tick(request.turn));
    let judging = stream::iter(begin).for_each_concurrent(AT_A_TIME, async |(request, found)| {
        judge_stack(cloud, request, found, false).await;
    });
    tokio::select! {
        biased;
        () = judging => {}
        () = wait_for_signal(interrupt.clone(), Interrupt::Leave) => {}
        () = clock.sleep(PATIENCE) => {}
    }
}

/// How many stacks are looked at at a time.
const AT_A_TIME: usize = 5;

/// How often aliases are pinned before something else is known to undo it.
const PIN_ROUNDS: usize = 3;

/// The schedule that has them continue once they are detached, where a function is to do that.
async fn scheduled<C: Cloud>(cloud: &C, requests: &[Request], found: &mut [Preflight]) -> Option<ScheduleSpec> {
    let controller = found.iter().find_map(|found| found.controller.clone())?;
    let by_itself = !has_clock(cloud, &controller).await;
    let members = requests.iter().zip(found.iter().map(|found| &found.plan));
    let spec = schedule((&controller, by_itself), cloud.time(), members);
    spec.map_err(|error| found.iter_mut().for_each(|found| found.problems.push(Problem::new(error.to_string())))).ok()
}

/// Under which token a member is driven: a detached one's is the rollout's.
fn owner(request: &Request, id: RolloutId, own: Owner) -> Owner {
    if Turn::is_tick(request.turn) { detached_owner(id) } else { own }
}

fn members(requests: &[Request]) -> Vec<Request> {
    let mut requests = requests.to_vec();
    requests.sort_by_key(|request| request.subject.to_string());
    let names: Vec<String> = requests.iter().map(|request| request.subject.to_string()).collect();
    let count = names.len();
    let names = Names::from(names);
    for request in &mut requests {
        request.group = names.clone();
        // One of them without anything new is no reason to refuse the others.
        request.policy.require_change = false;
        request.concurrent_rollouts = count;
    }
    requests
}

/// Makes one rollout of what was found: the one that some of the aliases are in the midst of, or one whose rollback was cut short, or a
/// new one. Whether one is in progress.
fn bring_together(requests: &[Request], found: &mut [Preflight]) -> bool {
    let met = found.iter().map(|found| (found.alias.as_ref(), &found.plan, found.resumes.as_ref()));
    let live = under_way(met);
    for (request, found) in requests.iter().zip(found.iter_mut()) {
        if found.read && found.alias.is_none() {
            let text = "the alias does not exist yet: a first deployment cannot roll back with its group";
            found.problems.push(Problem::new(text).hint("roll it out alone first"));
        }
        let Some(live) = &live else { continue };
        let resumes = found.resumes.as_ref();
        match joins(found.alias.as_ref(), &found.plan, resumes, live, request.takeover.replan) {
            Joins::Other(id) => {
                let text = format!("rollout {id} is in progress on it, and {} on other functions of its group", live.id);
                found
                    .problems
                    .push(Problem::new(text).hint("check each with `canaryctl status`, and end the one that is not wanted"));
            }
            Joins::GoesOn => {}
            Joins::Begins => {
                found.plan.id = live.id;
                found.plan.owner = owner(request, live.id, found.plan.owner);
                found.joins = true;
            }
            Joins::Ended(note) => {
                // It ended before the others did: what it came to decides what becomes of them.
                found.plan.id = live.id;
                found.plan.owner = owner(request, live.id, found.plan.owner);
                found.plan.stable = note.stable;
                found.plan.entry = Entry::TakeOver { from: note.owner, forced: false };
                (found.nothing_to_do, found.resumes) = (false, Some(*note));
                found.problems.clear();
                found.in_alarm.clear();
            }
        }
    }
    live.is_some()
}
