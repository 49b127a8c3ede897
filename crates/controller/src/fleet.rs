//! How does one invocation continue all detached rollouts? Which of them is next, so that no alarm waits and all together keep to AWS' limits.
//!
//! A few are driven side by side for as long as the invocation lasts. Of more than that each is looked at by itself, over and over again in the minutes,
//! while the alarms of all are read every few seconds: the next one is one whose alarm has changed, then one that is due, then the one that was not
//! looked at for longest. Nothing of that is stored: what a process remembers of its earlier invocations only saves calls.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use futures_util::stream::{self, FuturesUnordered, StreamExt};
use rollout::Time;
use rollout::event::Event;
use rollout::health::AlarmState;
use rollout::timing::DEFAULT_POLL;
use rollout::turn::{Turn, detached_owner};
use tokio::sync::watch;

use crate::detached::{Asked, Clocked, Detached, NotDetached};
use crate::group::Ticked;
use crate::identity::Identity;
use crate::interrupt::Interrupt;
use crate::port::{Clock, Cloud, CloudError, Dated, ScheduleListed};
use crate::rate_limit::{Budget, Budgeted};
use crate::request::{Notice, shortest_poll};
use crate::turns::{Continued, one_of};

/// How often the alarms of all are read: as often as a rollout looks that has nobody beside it, less what the answer takes.
const ALARMS_EVERY: Duration = Duration::from_secs(4);

/// The shortest time between two looks at a rollout, and the time until what had nothing to do is asked again.
const REST: Duration = Duration::from_secs(1);

/// How long after its time by the plan a step may come, where nothing is known but when the schedule was made: that is before its version was
/// ready and its pre-traffic hook had succeeded.
const BEHIND: Duration = Duration::from_mins(2);

/// When one is looked at again that could not be continued.
const REFUSED: Duration = Duration::from_secs(20);

/// How far apart looks begin: each reads its alias, which is a call.
const PACE: Duration = Duration::from_millis(170);

/// How many rollouts a minute are surely looked at in turn: with two calls for each in a process that is new, a write for some, and three of four
/// perhaps out of turn.
const A_MINUTE: u64 = 30;

/// How many schedules are read at a time.
const AT_A_TIME: usize = 10;

/// What the function's process keeps from one invocation to the next, and may lose at any time.
#[derive(Debug)]
pub struct Fleet {
    budget: Budget,
    known: BTreeMap<String, Rc<Known>>,
    /// The state of each alarm, and since when.
    alarms: RefCell<BTreeMap<String, (AlarmState, Time)>>,
}

/// A rollout, as its schedule has it.
#[derive(Debug)]
struct Known {
    schedule: String,
    changed_at: Time,
    ends: Option<Time>,
    detached: Detached,
    /// When it was looked at last.
    looked: Cell<Option<Time>>,
    /// When there is something to do, by that look.
    due: Cell<Option<Time>>,
    /// When it was found that one of its alarms had changed.
    alarmed: Cell<Option<Time>>,
    running: Cell<bool>,
    over: Cell<bool>,
}

/// What came of one invocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetTurns {
    /// How many rollouts there were.
    pub rollouts: usize,
    /// How many turns were taken.
    pub turns: usize,
    /// How many rollouts are over, and their schedules deleted.
    pub over: usize,
    /// What was left out, or went wrong, and why.
    pub problems: Vec<String>,
}

impl Default for Fleet {
    fn default() -> Self {
        Self { budget: Budget::of_fleet(), known: BTreeMap::new(), alarms: RefCell::default() }
    }
}

impl Known {
    /// What comes first of what may be looked at now: the lower, the sooner; with guesses where nothing is known of it. `None` where nothing is to
    /// be done.
    fn rank(&self, began: Time, now: Time, guesses: bool) -> Option<(u8, Option<Time>, Duration)> {
        let looked = self.looked.get();
        if self.running.get() || self.over.get() || looked.is_some_and(|at| now < at + REST) {
            return None;
        }
        let alarmed = self.alarmed.get().is_some_and(|at| looked.is_none_or(|looked| looked < at));
        let due = self.due.get().is_some_and(|due| due <= now);
        let waits = looked.is_none_or(|at| at < began);
        let guess = if guesses && looked.is_none() { self.due_by_plan(now) } else { None };
        let urgency = match guess {
            _ if alarmed => 0,
            _ if due => 1,
            Some(_) => 2,
            None => 3,
        };
        (alarmed || due || waits).then_some((urgency, looked, guess.unwrap_or_default()))
    }

    /// For how long there has been something to do by its plan. Where this process has not looked at it yet, nothing better is known: of many
    /// rollouts it would come to a step too late by as long as it takes to look at all of them.
    fn due_by_plan(&self, now: Time) -> Option<Duration> {
        let since = |after: Duration| Some(now.since(self.changed_at + after)).filter(|_| self.changed_at + after <= now);
        self.detached.changes().filter_map(since).min().filter(|since| *since < BEHIND)
    }

    /// Notes what came of a turn.
    fn take(&self, now: Time, continued: &Continued, out: &mut FleetTurns) {
        out.turns += 1;
        self.running.set(false);
        let next = continued
            .ticked
            .iter()
            .filter_map(|(_, ticked)| if let Ticked::Goes(next, _) = ticked { Some(next.until) } else { None });
        self.due.set(next.min().map(|until| until.max(now + DEFAULT_POLL)));
        for (subject, ticked) in &continued.ticked {
            if let Ticked::Refused(problems) = ticked {
                // What cannot be read now may be read then.
                self.due.set(Some(now + REFUSED));
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                out.problems.push(format!("{subject}: nothing was done; traffic unchanged: {}", problems.join("\n")));
            }
        }
        self.deleted(continued.deleted.as_ref(), out);
    }

    fn deleted(&self, deleted: Option<&Result<(), CloudError>>, out: &mut FleetTurns) {
        let Some(deleted) = deleted else { return };
        self.over.set(true);
        match deleted {
            Ok(()) => out.over += 1,
            Err(error) => {
                let name = &self.schedule;
                out.problems.push(format!("the schedule {name} could not be deleted; the next turn tries again: {error}"));
            }
        }
    }
}

/// Takes turns of all rollouts that the disabled schedules of this function tell of, for so long, or until the clock's next invocation: two of them
/// run at the same time only where one comes twice. What cannot be read is left out.
///
/// # Errors
/// The schedules cannot be listed: nothing was done.
pub async fn continue_all<C: Cloud, K: Clock>(
    (cloud, clock): (&C, &K),
    fleet: &mut Fleet,
    (clocked, lasts, notice): (&Clocked, Duration, Notice),
    interrupt: watch::Receiver<Interrupt>,
    tell: &mut dyn FnMut(&Event),
) -> Result<FleetTurns, CloudError> {
    let mut out = FleetTurns::default();
    let Fleet { budget, known, alarms } = fleet;
    let cloud = Budgeted::new(cloud, clock, budget);
    let mut listed = Box::pin(cloud.disabled_schedules()).await?;
    listed.retain(|one| one.function == clocked.function);
    // Only an answer tells what time it is.
    let began = cloud.time();
    Box::pin(read((&cloud, known), listed, &mut out)).await;
    let all = in_rotation(known, cloud.time());
    out.rollouts = all.len();
    let told = RefCell::new(tell);
    let ends = clocked.over().map_or(began + lasts, |over| over.min(began + lasts));
    let drive = Drive { cloud: &cloud, clock, alarms, began, ends, notice, interrupt, tell: &told };
    let functions = all.iter().map(|one| one.detached.len()).sum();
    if shortest_poll(functions) <= DEFAULT_POLL {
        drive.side_by_side(&all, functions, &mut out).await;
    } else {
        // Those in ALARM are not to wait behind the others.
        let read_at = Box::pin(drive.read_alarms(&all, Time::default())).await;
        tokio::select! {
            () = Box::pin(drive.one_after_the_other(&all, &mut out)) => {}
            never = Box::pin(drive.watch_alarms(&all, read_at)) => match never {},
        }
    }
    known.retain(|_, one| !one.over.get());
    Ok(out)
}

/// Reads what these schedules keep, as far as it is not known, and forgets all others.
async fn read<C: Cloud>(
    (cloud, known): (&C, &mut BTreeMap<String, Rc<Known>>),
    listed: Vec<ScheduleListed>,
    out: &mut FleetTurns,
) {
    let mut before = std::mem::take(known);
    let mut new = Vec::new();
    for one in listed {
        match before.remove(&one.name).filter(|known| known.changed_at == one.changed_at) {
            Some(same) => {
                // What a killed invocation left.
                same.running.set(false);
                known.insert(one.name, same);
            }
            None => new.push(one),
        }
    }
    let mut read = stream::iter(new).map(async |one| (cloud.schedule(&one.name).await, one)).buffer_unordered(AT_A_TIME);
    while let Some((found, one)) = read.next().await {
        let ScheduleListed { name, changed_at, .. } = one;
        let found = match found {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(error) => {
                out.problems.push(format!("the schedule {name} cannot be read; the next invocation tries again: {error}"));
                continue;
            }
        };
        match asked(&found.input) {
            Ok(Asked::Turn(detached)) => {
                let known_now = Known {
                    schedule: name.clone(),
                    changed_at,
                    ends: found.ends,
                    detached: *detached,
                    looked: Cell::default(),
                    due: Cell::default(),
                    alarmed: Cell::default(),
                    running: Cell::default(),
                    over: Cell::default(),
                };
                known.insert(name, Rc::new(known_now));
            }
            // A clock that a person has disabled.
            Ok(Asked::Turns(_)) => {}
            Err(error) => out.problems.push(format!("the schedule {name} is left out: {error}")),
        }
    }
}

/// What a schedule asks for, as far as this version can do it.
fn asked(input: &str) -> Result<Asked, NotDetached> {
    let asked = Asked::read(serde_json::from_str(input)?)?;
    if let Asked::Turn(detached) = &asked {
        detached.requests(Turn::Tick(Duration::ZERO))?;
    }
    Ok(asked)
}

/// All of them, in an order that begins further on each minute: where no process lasts, what one minute did not come to is first in another.
fn in_rotation(known: &BTreeMap<String, Rc<Known>>, now: Time) -> Vec<Rc<Known>> {
    let mut all: Vec<Rc<Known>> = known.values().cloned().collect();
    let many = u64::try_from(all.len()).unwrap_or(u64::MAX).max(1);
    let first = (now.as_secs() / 60).wrapping_mul(A_MINUTE) % many;
    all.rotate_left(usize::try_from(first).unwrap_or_default());
    all
}

/// What all turns of an invocation have in common.
struct Drive<'a, 'b, C, K> {
    cloud: &'a Budgeted<'a, C, K>,
    clock: &'a K,
    alarms: &'a RefCell<BTreeMap<String, (AlarmState, Time)>>,
    began: Time,
    /// When no more turns are begun.
    ends: Time,
    notice: Notice,
    interrupt: watch::Receiver<Interrupt>,
    tell: &'a RefCell<&'b mut dyn FnMut(&Event)>,
}

impl<C: Cloud, K: Clock> Drive<'_, '_, C, K> {
    /// A turn of one rollout. One whose time is up has its schedule deleted, as `EventBridge` Scheduler deletes one that is enabled.
    async fn turn(&self, one: Rc<Known>, at_a_time: usize, lasts: Duration) -> (Rc<Known>, Continued) {
        let now = self.cloud.time();
        one.looked.set(Some(now));
        one.running.set(true);
        if one.ends.is_some_and(|ends| ends <= now) {
            let deleted = Some(self.cloud.delete_schedule(&one.schedule).await);
            return (one, Continued { ticked: Vec::new(), deleted });
        }
        let id = one.detached.rollout_id;
        let identity = Identity { id, owner: detached_owner(id) };
        let mut tell = |event: &Event| (self.tell.borrow_mut())(event);
        let asked = (&one.detached, at_a_time);
        let turn = one_of(self.cloud, self.clock, asked, (lasts, self.notice), identity, self.interrupt.clone(), &mut tell);
        // It could be read before.
        let continued = Box::pin(turn).await.unwrap_or(Continued { ticked: Vec::new(), deleted: None });
        (one, continued)
    }

    /// A turn of each, as long as the invocation lasts.
    async fn side_by_side(&self, all: &[Rc<Known>], functions: usize, out: &mut FleetTurns) {
        let lasts = self.ends.since(self.cloud.time());
        let mut turns: FuturesUnordered<_> = all.iter().map(|one| Box::pin(self.turn(one.clone(), functions, lasts))).collect();
        while let Some((one, continued)) = turns.next().await {
            one.take(self.cloud.time(), &continued, out);
        }
    }

    /// A look at one after the other, those first that need it, until the invocation's time is over; what was begun is brought to its end.
    async fn one_after_the_other(&self, all: &[Rc<Known>], out: &mut FleetTurns) {
        let mut turns = FuturesUnordered::new();
        // One of four is no guess: in a process that is new each minute the others come round as well.
        let mut taken = 0_u32;
        loop {
            let now = self.cloud.time();
            if now >= self.ends || *self.interrupt.borrow() != Interrupt::None || all.iter().all(|one| one.over.get()) {
                break;
            }
            let busy = self.cloud.busy();
            let ranked = all.iter().filter_map(|one| Some((one.rank(self.began, now, taken % 4 != 3)?, one)));
            let next = ranked.min_by_key(|(rank, _)| *rank).map(|(_, one)| one);
            let pause = match next {
                Some(next) if busy.is_zero() => {
                    let functions = next.detached.len();
                    turns.push(Box::pin(self.turn(next.clone(), functions, Duration::ZERO)));
                    next.running.set(true);
                    taken = taken.wrapping_add(1);
                    PACE * u32::try_from(functions).unwrap_or(u32::MAX)
                }
                Some(_) => busy,
                None => REST,
            };
            let mut paused = std::pin::pin!(self.clock.sleep(pause));
            loop {
                tokio::select! {
                    Some((one, continued)) = turns.next(), if !turns.is_empty() => one.take(self.cloud.time(), &continued, out),
                    () = &mut paused => break,
                }
            }
        }
        while let Some((one, continued)) = turns.next().await {
            one.take(self.cloud.time(), &continued, out);
        }
    }

    /// Reads the alarms of all again and again.
    async fn watch_alarms(&self, all: &[Rc<Known>], mut read_at: Time) -> Infallible {
        loop {
            self.clock.sleep(ALARMS_EVERY.saturating_sub(self.cloud.time().since(read_at)).max(REST)).await;
            read_at = self.read_alarms(all, read_at).await;
        }
    }

    /// Reads the alarms of all, and notes whose have changed, or are in ALARM where nothing is known of before; when they were read. That they
    /// cannot be read is found by each rollout.
    async fn read_alarms(&self, all: &[Rc<Known>], before: Time) -> Time {
        let names: BTreeSet<&String> = all.iter().filter(|one| !one.over.get()).flat_map(|one| one.detached.alarms()).collect();
        let names: Vec<String> = names.into_iter().cloned().collect();
        if names.is_empty() {
            return self.cloud.time();
        }
        let Ok(Dated { at, answer }) = self.cloud.alarms(&names, before).await else { return self.cloud.time() };
        let mut known = self.alarms.borrow_mut();
        known.retain(|name, _| names.binary_search(name).is_ok());
        let mut changed = BTreeSet::new();
        for alarm in answer {
            let state = (alarm.state, alarm.since);
            let before = known.insert(alarm.name.clone(), state);
            if before.map_or(alarm.state == AlarmState::Alarm, |before| before != state) {
                changed.insert(alarm.name);
            }
        }
        let now = self.cloud.time();
        let concerns = |one: &&Rc<Known>| one.detached.alarms().any(|name| changed.contains(name));
        all.iter().filter(concerns).for_each(|one| one.alarmed.set(Some(now)));
        at
    }
}
