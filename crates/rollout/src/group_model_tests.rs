//! Whole groups, in a model of the aliases that takes every write: from every state that they can be in together, in several orders of
//! their rounds, with a signal or a refusal at every moment. They always end, all final or all back.

#![expect(clippy::wildcard_enum_match_arm, reason = "every other action is a write")]

use std::time::Duration;

use crate::alias::{Alias, AliasSnapshot, Revision, alias_state};
use crate::decide::{Action, decide};
use crate::decide_tests::{BEGUN, healths, version};
use crate::failure::Failure;
use crate::group::{Member, Others, member};
use crate::group_tests::{alias, as_noted, group_plan, note, others, shift};
use crate::memory::Memory;
use crate::note::{Note, Owner, Phase};
use crate::observation::{Candidate, Observation, Readiness};
use crate::plan::{Entry, OnInterrupt, Plan};
use crate::write::desired;
use crate::{Cause, Outcome, Time};

/// What goes wrong in a run, and when, counted in rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Disturbance {
    Nothing,
    /// This member's alarm is in ALARM from this round on.
    Red(usize, usize),
    /// All are asked to stop.
    Signal(usize),
    /// AWS refuses this member's writes from this round on.
    Refused(usize, usize),
}

/// A member: what it plans, its alias, what its process remembers of it, and what it shows.
struct Actor {
    plan: Plan,
    alias: AliasSnapshot,
    memory: Memory,
    shown: (Member, Time),
    ended: Option<Outcome>,
}

impl Actor {
    fn new(plan: &Plan, alias: Alias, now: Time) -> Self {
        let note = alias_state(&alias).note().filter(|note| note.id == plan.id).cloned();
        let entry = note.as_ref().map_or(Entry::Fresh, |note| Entry::TakeOver { from: note.owner, forced: true });
        let plan = Plan { entry, ..plan.clone() };
        let memory = Memory::new(Some(alias.clone()));
        let alias = AliasSnapshot { alias, revision: Revision(String::new()) };
        Self { plan, alias, memory, shown: (Member::UNKNOWN, now), ended: None }
    }

    /// One round of its process: whether anything but time goes on.
    fn round(&mut self, others: Others, (interrupted, is_red, refused): (bool, bool, bool), now: Time) -> bool {
        if !self.memory.is_written() {
            self.memory.on_read(&self.plan, Some(self.alias.clone()), now);
        }
        let [green, _, in_alarm, _, _, _] = healths(now).try_into().unwrap();
        let seen = Observation {
            candidate: Candidate::Published(version(42), Readiness::Ready),
            health: self.memory.health(&self.plan, if is_red { &in_alarm } else { &green }, now),
            interrupted,
            others: Some(others),
            ..self.memory.observation(now, false)
        };
        let action = decide(&self.plan, &seen);
        self.ended = self.memory.on_decided(&self.plan, &seen, &action);
        let shows = self.ended.clone().map_or(action.clone(), Action::Finish);
        self.shown = (member(&self.plan, &seen, &shows), now);
        match action {
            _ if self.ended.is_some() => return true,
            Action::Wait { .. } => self.memory.on_waited(),
            _ if refused => self.memory.on_write_failed(&self.plan, &action, Failure::Denied, "denied", now),
            _ => {
                let alias = desired(&self.plan, &seen, &action).unwrap_or_else(|| panic!("{action:?} writes nothing"));
                let revision = Revision(format!("{}'", self.alias.revision.0));
                self.alias = AliasSnapshot { alias, revision };
                self.memory.on_written(&self.plan, &action, self.alias.clone(), now);
                return true;
            }
        }
        false
    }

    fn version(&self) -> (Option<crate::Version>, bool) {
        (self.alias.alias.target.version(), self.alias.alias.canary().is_some())
    }
}

/// Runs a group until all have ended, each round in this order; gives up after very many.
fn run(plan: &Plan, aliases: &[Alias], order: &[usize], disturbance: Disturbance) -> Vec<Actor> {
    let mut now = BEGUN + Duration::from_secs(1);
    let mut all: Vec<Actor> = aliases.iter().map(|alias| Actor::new(plan, alias.clone(), now)).collect();
    for round in 0..1_000 {
        let mut moved = false;
        for place in order {
            if all[*place].ended.is_some() {
                continue;
            }
            let names = ["a", "b", "c"];
            let shown: Vec<_> = all.iter().zip(names).map(|(actor, name)| (name, actor.shown.0, actor.shown.1)).collect();
            let others = others(&shown, *place, &all[*place].plan, now);
            let is_red = matches!(disturbance, Disturbance::Red(at, of) if round >= at && of == *place);
            let refused = matches!(disturbance, Disturbance::Refused(at, of) if round >= at && of == *place);
            let interrupted = matches!(disturbance, Disturbance::Signal(at) if round >= at);
            moved |= all[*place].round(others, (interrupted, is_red, refused), now);
        }
        if all.iter().all(|actor| actor.ended.is_some()) {
            return all;
        }
        now = if moved { now } else { now + plan.poll };
    }
    all
}

/// How far a dead process had come with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Fresh,
    Claim,
    Shift,
    Bake,
    Final,
    Back(Cause),
}

const STARTS: [Start; 8] = [
    Start::Fresh,
    Start::Claim,
    Start::Shift,
    Start::Bake,
    Start::Final,
    Start::Back(Cause::Alarm),
    Start::Back(Cause::Group),
    Start::Back(Cause::Unchanged),
];

impl Start {
    fn alias(self, plan: &Plan) -> Alias {
        let theirs = |note: Note| as_noted(&Note { owner: Owner::from_random(2), ..note });
        match self {
            Self::Fresh => alias(41, 0, None),
            Self::Claim => theirs(note(plan, Phase::Claim)),
            Self::Shift => theirs(shift(plan)),
            Self::Bake => theirs(note(plan, Phase::Bake)),
            Self::Final => theirs(note(plan, Phase::Promoted)),
            Self::Back(cause) => theirs(note(plan, Phase::Back(cause))),
        }
    }

    /// How many steps it is away from stable; `None` where it takes no part.
    fn step(self) -> Option<usize> {
        match self {
            Self::Fresh | Self::Claim => Some(0),
            Self::Shift => Some(1),
            Self::Bake | Self::Final => Some(2),
            Self::Back(_) => None,
        }
    }

    fn is_live(self) -> bool {
        matches!(self, Self::Claim | Self::Shift | Self::Bake)
    }
}

/// Whether a group can be found like that: claims in order, nobody a step ahead of another, final only where all had everything, and
/// something still in progress or nothing begun.
fn reachable(starts: &[Start]) -> bool {
    let steps = || starts.iter().filter_map(|start| start.step());
    let near = steps().max().unwrap_or(0) <= steps().min().unwrap_or(0) + 1;
    let fresh = starts.iter().position(|start| *start == Start::Fresh);
    let in_order = fresh.is_none_or(|first| starts[first..].iter().all(|start| *start == Start::Fresh));
    let unmoved = fresh.is_none() || steps().all(|step| step == 0);
    let whole = !starts.contains(&Start::Final) || steps().all(|step| step == 2);
    let started_at = starts.iter().any(|start| start.is_live()) || starts.iter().all(|start| *start == Start::Fresh);
    near && in_order && unmoved && whole && started_at
}

fn starts(many: usize) -> Vec<Vec<Start>> {
    let mut all: Vec<Vec<Start>> = vec![Vec::new()];
    for _ in 0..many {
        let longer = |start: &Vec<Start>| STARTS.map(|next| [start.as_slice(), &[next]].concat());
        all = all.iter().flat_map(longer).collect();
    }
    all.retain(|starts| reachable(starts));
    all
}

fn disturbances(many: usize, rounds: &[usize]) -> Vec<Disturbance> {
    let each = |at: usize| {
        let one = move |member| [Disturbance::Red(at, member), Disturbance::Refused(at, member)];
        (0..many).flat_map(one).chain([Disturbance::Signal(at)])
    };
    [Disturbance::Nothing].into_iter().chain(rounds.iter().flat_map(|at| each(*at))).collect()
}

/// What became of a group, against what could have become of it.
fn check(starts: &[Start], before: &[Alias], all: &[Actor], disturbance: Disturbance, hold: bool) {
    let described = || {
        let ends: Vec<_> = all.iter().map(|actor| (&actor.ended, &actor.alias.alias.description)).collect();
        format!("{starts:?} {disturbance:?} hold: {hold}: {ends:#?}")
    };
    assert!(all.iter().all(|actor| actor.ended.is_some()), "it never ends: {}", described());
    let refused = |place: usize| matches!(disturbance, Disturbance::Refused(_, of) if of == place);
    let part = |place: &usize| starts[*place] != Start::Back(Cause::Unchanged) && !refused(*place);
    let places: Vec<usize> = (0..all.len()).filter(part).collect();
    let on = |number| places.iter().all(|place| all[*place].version() == (Some(version(number)), false));
    let left = all.iter().zip(before).all(|(actor, before)| actor.alias.alias == *before);
    let signalled = matches!(disturbance, Disturbance::Signal(_));
    // Asked to stop before it had anything in its hands, a process leaves it for the next one; what was final it may bring back.
    let as_found = |place: &usize| all[*place].alias.alias == before[*place];
    let back = |place: &usize| all[*place].version() == (Some(version(41)), false);
    let for_the_next = disturbance == Disturbance::Signal(0) && places.iter().all(|place| as_found(place) || back(place));
    let ended_so = |outcome: Outcome| all.iter().any(|actor| actor.ended.as_ref() == Some(&outcome));
    // Held on purpose is a whole group too: nobody of it rolls back, unless somebody was back before.
    let left_so = hold && signalled && ended_so(Outcome::LeftInProgress);
    let was_back = starts.iter().any(|start| matches!(start, Start::Back(cause) if *cause != Cause::Unchanged));
    let none_back = places.iter().all(|place| !matches!(all[*place].ended, Some(Outcome::RolledBack(_))));
    let whole = on(41) || on(42) || signalled && left || for_the_next || left_so && (was_back || none_back);
    assert!(whole, "{}", described());
    if disturbance == Disturbance::Nothing {
        assert_eq!(on(42) && !places.is_empty(), !was_back && !places.is_empty(), "{}", described());
    }
    // A weight that could not be taken off is never reported as anything else.
    if let Disturbance::Refused(_, of) = disturbance
        && all[of].version().1
        && on(41)
        && all.len() > 1
    {
        assert_eq!(all[of].ended, Some(Outcome::RollbackUnconfirmed), "{}", described());
    }
    let forward = starts.contains(&Start::Final) && !was_back;
    let excused = matches!(disturbance, Disturbance::Refused(..)) || (hold && signalled);
    if forward && !excused {
        assert!(on(42) || signalled && left, "nothing goes back after the commit: {}", described());
    }
}

fn play(many: usize, orders: &[&[usize]], rounds: &[usize]) -> usize {
    let mut count = 0;
    for on_interrupt in [OnInterrupt::RollBack, OnInterrupt::Hold] {
        let plan = group_plan(on_interrupt);
        let hold = on_interrupt == OnInterrupt::Hold;
        for starts in starts(many) {
            let aliases: Vec<Alias> = starts.iter().map(|start| start.alias(&plan)).collect();
            let signal = |disturbance: &Disturbance| !hold || matches!(disturbance, Disturbance::Signal(_));
            for disturbance in disturbances(many, rounds).into_iter().filter(signal) {
                for order in orders {
                    check(&starts, &aliases, &run(&plan, &aliases, order, disturbance), disturbance, hold);
                    count += 1;
                }
            }
        }
    }
    count
}

#[test]
fn two_end_together_whatever_they_are_found_at_and_whenever_it_befalls_them() {
    let count = play(2, &[&[0, 1], &[1, 0]], &[0, 1, 2, 3, 4, 5, 6, 18, 19, 33, 34, 35]);
    println!("{count} groups of two");
    assert!(count > 2_000, "{count}");
}

#[test]
fn three_end_together_too() {
    let count = play(3, &[&[0, 1, 2], &[2, 1, 0]], &[0, 1, 2, 3, 17, 33]);
    println!("{count} groups of three");
    assert!(count > 3_000, "{count}");
}
