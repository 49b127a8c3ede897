//! How are several functions rolled out as one? Each has a driver of its own, all on one thread, and a place at one board.
//!
//! What a member may do given the others is the pure core's; here they are brought together, and their endings counted.

use std::cell::RefCell;
use std::time::Duration;

use futures_util::future::join_all;
use rollout::Outcome;
use rollout::event::{Ending, Event};
use rollout::group::{Left, Member, ended_before, exit_code};
use rollout::note::RolloutId;
use rollout::plan::Entry;
use tokio::sync::watch;

use crate::board::Board;
use crate::cloud::{Clock, Cloud};
use crate::driver::{Identity, Interrupt, drive, told};
use crate::enter::{ends_before_it_begins, enter};
use crate::preflight::{Preflight, Problem};
use crate::request::Request;
use crate::teller::Teller;

/// The shortest poll of one of so many rollouts of a process. They share five reads of aliases a second, one of which is left to
/// whoever acts.
pub fn shortest_poll(many: usize) -> Duration {
    Duration::from_millis(250) * u32::try_from(many).unwrap_or(u32::MAX)
}

/// How a group ended.
#[derive(Clone, Debug)]
pub struct GroupEnding {
    /// Each member's ending, in the order of the aliases' names.
    pub endings: Vec<Ending>,
    /// The exit code for all of them: 20 wins, then 21, then the first cause.
    pub exit_code: u8,
}

/// Rolls out several functions as one, from the preflight of all of them to the end of the last; every event of each is told, its
/// ending last. The requests are of one schedule.
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
    let shared = RefCell::new(tell);
    let mut tells: Vec<_> = requests.iter().map(|_| |event: &Event| (shared.borrow_mut())(event)).collect();
    let mut tellers: Vec<_> = requests.iter().zip(&mut tells).map(|(request, tell)| Teller::new(request, tell)).collect();
    let entering = requests.iter().zip(&mut tellers).map(|(request, teller)| enter(cloud, clock, request, identity, teller));
    // Nothing is written here, so it may be cut off anywhere.
    let found = tokio::select! {
        found = Box::pin(join_all(entering)) => Some(found),
        () = told(interrupt.clone(), Interrupt::Stop) => None,
    };
    let Some(mut found) = found else {
        let detail = || Some("interrupted before anything began".to_owned());
        let end = |teller: &mut Teller<'_>| teller.end(cloud.time(), &Outcome::Refused, detail(), "as it was".to_owned(), None);
        return GroupEnding { endings: tellers.iter_mut().map(end).collect(), exit_code: Outcome::Refused.exit_code() };
    };
    let live = bring_together(&mut found);
    // Of one that is under way, whoever could not be seen may be final, and whoever has an owner may be about to be: then nobody is
    // touched. Else one that cannot be gone on with brings the others back.
    let stops = |found: &Preflight| if live { !found.read || found.owned.is_some() } else { !found.problems.is_empty() };
    let refused = requests.iter().zip(&found).find(|(_, found)| stops(found));
    let refused = refused.map(|(request, _)| request.subject.to_string());
    let board = Board::new(requests.iter().map(|request| request.subject.to_string()).collect());
    let drivers = requests.iter().zip(found).zip(tellers).enumerate().map(|(place, ((request, found), mut teller))| {
        let (seat, interrupt, refused) = (board.seat(place), interrupt.clone(), refused.as_ref());
        async move {
            let ends = ends_before_it_begins(&found, *interrupt.borrow(), request);
            let (goes, begin) = if live { ("gone on with", "be gone on with") } else { ("begun", "begin") };
            let held_up =
                refused.map(|first| (Outcome::Refused, format!("nothing was {goes}: {first} of its group cannot {begin}")));
            match ends.or(held_up) {
                Some((outcome, detail)) => {
                    let left = (outcome != Outcome::Unchanged).then_some(Left::Lost);
                    seat.show(Member::ended(left), cloud.time());
                    teller.end_before(cloud.time(), &found, &outcome, detail)
                }
                None => drive(cloud, clock, request, found, interrupt, teller, Some(seat)).await,
            }
        }
    });
    let endings = Box::pin(join_all(drivers)).await;
    let codes: Vec<(u8, &str)> = endings.iter().map(|ending| (ending.exit_code, ending.reason.kind.as_str())).collect();
    let nothing_new = strict && endings.iter().all(|ending| ending.outcome == Outcome::Unchanged.name());
    let exit_code = if nothing_new { Outcome::Refused.exit_code() } else { exit_code(&codes, &board.left()) };
    GroupEnding { endings, exit_code }
}

/// The requests of a group's members, in order.
fn members(requests: &[Request]) -> Vec<Request> {
    let mut requests = requests.to_vec();
    requests.sort_by_key(|request| request.subject.to_string());
    let names: Vec<String> = requests.iter().map(|request| request.subject.to_string()).collect();
    for request in &mut requests {
        request.group.clone_from(&names);
        // One of them without anything new is no reason to refuse the others.
        request.require_change = false;
        request.poll = request.poll.max(shortest_poll(names.len()));
    }
    requests
}

/// Makes one rollout of what was found: the one that some of the aliases are in the midst of, or a new one. Whether one is under way.
fn bring_together(found: &mut [Preflight]) -> bool {
    let live: Option<RolloutId> = found.iter().find_map(|found| found.goes_on.as_ref().map(|note| note.id));
    for found in found.iter_mut() {
        if found.read && found.alias.is_none() {
            let text = "there is no such alias yet: a first deployment has nothing to go back to when the others do";
            found.problems.push(Problem::new(text).hint("roll it out by itself first, under its name"));
        }
        let Some(id) = live else { continue };
        match &found.goes_on {
            Some(note) if note.id != id => {
                let text = format!("rollout {} is under way on it, and {id} on others of its group", note.id);
                found.problems.push(Problem::new(text).hint("`canaryctl status` of each says which is meant; end the other one"));
            }
            Some(_) => {}
            None => {
                found.plan.id = id;
                if let Some(note) = ended_before(found.alias.as_ref(), &found.plan) {
                    // It ended before the others did: what it came to decides what becomes of them.
                    found.plan.stable = note.stable;
                    found.plan.entry = Entry::TakeOver { from: note.owner, forced: false };
                    (found.nothing_to_do, found.goes_on) = (false, Some(note));
                    found.problems.clear();
                    found.red.clear();
                }
            }
        }
    }
    live.is_some()
}
