//! What does a member of a group see of the others, and whom does it concern what one of them shows? Added up whenever one of them shows
//! something: a thousand that wait for each other are not all to look at all others whenever one of them moves.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{AtGate, Left, Member, Others, RollbackTrigger, Stage};
use crate::plan::Plan;
use crate::{Cause, Time};

/// What all members show, by their places.
#[derive(Clone, Debug)]
pub struct Tally {
    /// What each is called, what it shows, and when it did so last.
    members: Vec<(String, Member, Time)>,
    /// How far each is.
    at: Places<Stage>,
    /// The same of those that have not ended.
    live: Places<Stage>,
    /// How far each is or may go.
    ready: Places<Stage>,
    /// Who left.
    left: Places<Leaver>,
    /// Who is at a gate.
    gates: Places<AtGate>,
    facts: Places<Fact>,
    /// Those that have not ended, who showed something longest ago first.
    shown: BTreeSet<(Time, usize)>,
}

/// Who may see something new in what a member shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Nobody.
    Nobodys,
    /// The members at these places.
    Places(std::ops::Range<usize>),
    /// Any of them.
    Everybodys,
}

/// How much it says of why everybody comes back that a member left so; what says most is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Leaver {
    /// It rolled back for a cause of its own.
    Cause,
    /// It came along.
    Group,
    Lost,
    TakenOver,
}

/// What is asked of the others: whether it is so for any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fact {
    Committed,
    Moved,
    Owned,
    UnderWay,
    Open,
}

/// The places of members, by what each is known for.
#[derive(Clone, Debug)]
struct Places<K>(BTreeMap<K, BTreeSet<usize>>);

impl<K: Copy + Ord> Places<K> {
    fn add(&mut self, key: K, place: usize) {
        self.0.entry(key).or_default().insert(place);
    }

    fn take(&mut self, key: K, place: usize) {
        if let Some(places) = self.0.get_mut(&key)
            && places.remove(&place)
            && places.is_empty()
        {
            self.0.remove(&key);
        }
    }

    fn first(&self, key: K) -> Option<usize> {
        self.0.get(&key)?.first().copied()
    }

    /// The first but this one.
    fn other(&self, key: K, place: usize) -> Option<usize> {
        other(self.0.get(&key)?, place)
    }

    /// All of others than this one, the least first: the first of each.
    fn others(&self, place: usize) -> impl DoubleEndedIterator<Item = (K, usize)> {
        self.0.iter().filter_map(move |(key, places)| Some((*key, other(places, place)?)))
    }

    /// The least of those before this one.
    fn before(&self, place: usize) -> Option<K> {
        self.0.iter().find(|(_, places)| places.first().is_some_and(|first| *first < place)).map(|(key, _)| *key)
    }

    /// The least that each sees of the others: where one is alone, that one sees the next.
    fn least(&self) -> Vec<(K, Option<usize>)> {
        let mut least = Vec::new();
        for (key, places) in &self.0 {
            let single = places.first().copied().filter(|_| places.len() == 1);
            least.push((*key, single));
            if single.is_none() {
                break;
            }
        }
        least.truncate(2);
        least
    }
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

fn other(places: &BTreeSet<usize>, place: usize) -> Option<usize> {
    places.iter().find(|other| **other != place).copied()
}

impl Tally {
    /// Of the members of these names, of which nothing is known yet.
    pub fn new(names: Vec<String>) -> Self {
        let members: Vec<_> = names.into_iter().map(|name| (name, Member::UNKNOWN, Time::default())).collect();
        let (at, live, ready) = (Places::default(), Places::default(), Places::default());
        let (left, gates, facts, shown) = (Places::default(), Places::default(), Places::default(), BTreeSet::new());
        let many = members.len();
        let mut tally = Self { members, at, live, ready, left, gates, facts, shown };
        (0..many).for_each(|place| tally.enter(place, Member::UNKNOWN, Time::default()));
        tally
    }

    /// Takes over what the member at `place` shows at `now`, and gives whom that concerns. What was shown before and has grown old since is no
    /// news when it is shown again.
    pub fn show(&mut self, place: usize, member: Member, now: Time) -> News {
        let Some((_, known, at)) = self.members.get_mut(place) else { return News::Nobodys };
        let before = std::mem::replace(known, member);
        let since = std::mem::replace(at, now);
        if before == member {
            if self.shown.remove(&(since, place)) {
                self.shown.insert((now, place));
            }
            return News::Nobodys;
        }
        let (seen, fronts) = (self.seen_by_all(), self.fronts(before.at, member.at));
        self.leave(place, before, since);
        self.enter(place, member, now);
        // A gate is one for all of them.
        if seen != self.seen_by_all() || before.gate != member.gate {
            return News::Everybodys;
        }
        // Those behind it that look past it now, or up to it.
        let moved = fronts.iter().zip(self.fronts(before.at, member.at)).filter(|(before, now)| *before != now);
        let end = self.members.len();
        let last = moved.flat_map(|(before, now)| [before.unwrap_or(end), now.unwrap_or(end)]).max();
        last.map_or(News::Nobodys, |last| News::Places(place + 1..end.min(last + 1)))
    }

    /// What the member at `place` sees of the others at `now`.
    pub fn others(&self, place: usize, plan: &Plan, now: Time) -> Others {
        let any = |fact: Fact| self.facts.other(fact, place).is_some();
        let (ready, last) = self.least_ready(place, plan, now);
        let step_of = |wanted: fn(AtGate) -> Option<usize>| self.gates.others(place).rev().find_map(|(gate, _)| wanted(gate));
        Others {
            called: self.called(place),
            // Whoever has the first of them has them all; a later one that another process still has is lost.
            taken_over: self.left.first(Leaver::TakenOver).is_some_and(|first| first < place),
            committed: any(Fact::Committed),
            leads: self.at.before(place).is_none_or(|least| least == Stage::Final),
            moved: any(Fact::Moved),
            owned: any(Fact::Owned),
            under_way: any(Fact::UnderWay),
            open: any(Fact::Open),
            // Nobody waits for a claim of one that has given up.
            before: self.live.before(place).unwrap_or(Stage::Final),
            at: self.at.others(place).next().map_or(Stage::Final, |(stage, _)| stage),
            ready,
            last: last.and_then(|last| self.members.get(last)).map(|(name, ..)| name.clone()),
            gate_approved: step_of(|gate| if let AtGate::Approved(step) = gate { Some(step) } else { None }),
            gate_open: step_of(|gate| if let AtGate::Open(step) = gate { Some(step) } else { None }),
            looked_at: self.shown.iter().find(|(_, other)| *other != place).filter(|_| !plan.gates.is_empty()).map(|(at, _)| *at),
        }
    }

    /// Who calls everybody back: who rolled back for a cause of its own says more than who came along.
    fn called(&self, place: usize) -> Option<RollbackTrigger> {
        let back = || self.left.other(Leaver::Cause, place).or_else(|| self.left.other(Leaver::Group, place));
        let behind = self.left.0.get(&Leaver::TakenOver).and_then(|places| places.range(place + 1..).next().copied());
        let lost = || self.left.other(Leaver::Lost, place).into_iter().chain(behind).min();
        let (name, member, _) = self.members.get(back().or_else(lost)?)?;
        let cause = if let Some(Left::Back(cause)) = member.left { Some(cause) } else { None };
        Some(RollbackTrigger { by: name.clone(), cause })
    }

    /// How far all others are or may go, and who keeps them from going further. What one decided rests on evidence that grows old.
    fn least_ready(&self, place: usize, plan: &Plan, now: Time) -> (Stage, Option<usize>) {
        let old = self.shown.iter().take_while(|(at, _)| now.since(*at) > plan.freshness()).map(|(_, other)| *other);
        let old = old.filter(|other| *other != place).filter_map(|other| Some((self.members.get(other)?.1.at, other)));
        let least = self.ready.others(place).next().into_iter().chain(old).min();
        let least = least.filter(|(stage, _)| *stage < Stage::Final);
        least.map_or((Stage::Final, None), |(stage, last)| (stage, Some(last)))
    }

    fn enter(&mut self, place: usize, member: Member, now: Time) {
        self.at.add(member.at, place);
        self.ready.add(member.ready.max(member.at), place);
        if !member.ended {
            self.live.add(member.at, place);
            self.shown.insert((now, place));
        }
        if let Some(leaver) = leaver(member) {
            self.left.add(leaver, place);
        }
        if let Some(gate) = member.gate {
            self.gates.add(gate, place);
        }
        facts(member).for_each(|fact| self.facts.add(fact, place));
    }

    fn leave(&mut self, place: usize, member: Member, shown: Time) {
        self.at.take(member.at, place);
        self.ready.take(member.ready.max(member.at), place);
        self.live.take(member.at, place);
        self.shown.remove(&(shown, place));
        if let Some(leaver) = leaver(member) {
            self.left.take(leaver, place);
        }
        if let Some(gate) = member.gate {
            self.gates.take(gate, place);
        }
        facts(member).for_each(|fact| self.facts.take(fact, place));
    }

    /// The first of those that have not ended, and the first of all, at these stages.
    fn fronts(&self, one: Stage, other: Stage) -> [Option<usize>; 4] {
        [self.live.first(one), self.live.first(other), self.at.first(one), self.at.first(other)]
    }

    /// All that matters to any member but whether those before it are where it waits for them.
    fn seen_by_all(&self) -> impl PartialEq + use<> {
        // One or none may be the one who looks.
        let count = |places: Option<&BTreeSet<usize>>| places.map_or(0, |places| places.len().min(2));
        let left = [Leaver::Cause, Leaver::Group, Leaver::Lost].map(|leaver| count(self.left.0.get(&leaver)));
        let facts = [Fact::Committed, Fact::UnderWay].map(|fact| count(self.facts.0.get(&fact)));
        let taken_over = self.left.0.get(&Leaver::TakenOver).map(|places| (places.first().copied(), places.last().copied()));
        (left, facts, taken_over, self.at.least(), self.ready.least())
    }
}

fn leaver(member: Member) -> Option<Leaver> {
    member.left.map(|left| match left {
        Left::Back(Cause::Group) => Leaver::Group,
        Left::Back(_) => Leaver::Cause,
        Left::Lost => Leaver::Lost,
        Left::TakenOver => Leaver::TakenOver,
    })
}

fn facts(member: Member) -> impl Iterator<Item = Fact> {
    let taken = |stage| matches!(stage, Stage::Claimed | Stage::Step(_));
    let under_way = !member.ended && member.at < Stage::Final;
    let facts = [
        (Fact::Committed, member.committed),
        (Fact::Moved, matches!(member.at, Stage::Step(_))),
        (Fact::Owned, taken(member.at) || taken(member.ready)),
        (Fact::UnderWay, under_way),
        (Fact::Open, under_way && !member.holds),
    ];
    facts.into_iter().filter_map(|(fact, holds)| holds.then_some(fact))
}
