//! Whom does it concern what a member of a group shows? Added up whenever one of them shows something: a thousand that wait for each other are
//! not all to look at all others whenever one of them moves.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Left, Member, Stage};

/// What all members show, by their places.
#[derive(Clone, Debug)]
pub struct Tally {
    members: Vec<Member>,
    /// How far each is.
    at: Stages,
    /// The same of those that have not ended.
    live: Stages,
    /// How far each is or may go.
    ready: Stages,
    /// Who is taken over.
    taken_over: BTreeSet<usize>,
    /// How many roll back, are lost, are final by this plan, and may still become so.
    counts: [usize; 4],
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

/// The places of members, by a stage of each.
#[derive(Clone, Debug, Default)]
struct Stages(BTreeMap<Stage, BTreeSet<usize>>);

impl Stages {
    fn add(&mut self, stage: Stage, place: usize) {
        self.0.entry(stage).or_default().insert(place);
    }

    fn take(&mut self, stage: Stage, place: usize) {
        if let Some(places) = self.0.get_mut(&stage)
            && places.remove(&place)
            && places.is_empty()
        {
            self.0.remove(&stage);
        }
    }

    fn first(&self, stage: Stage) -> Option<usize> {
        self.0.get(&stage)?.first().copied()
    }

    /// The least stage that each of them sees of the others: where one is alone, that one sees the next.
    fn least(&self) -> Vec<(Stage, Option<usize>)> {
        let mut least = Vec::new();
        for (stage, places) in &self.0 {
            let single = places.first().copied().filter(|_| places.len() == 1);
            least.push((*stage, single));
            if single.is_none() {
                break;
            }
        }
        least.truncate(2);
        least
    }
}

impl Tally {
    /// Of so many members, of which nothing is known yet.
    pub fn new(many: usize) -> Self {
        let members = vec![Member::UNKNOWN; many];
        let (at, live, ready) = (Stages::default(), Stages::default(), Stages::default());
        let mut tally = Self { members, at, live, ready, taken_over: BTreeSet::new(), counts: [0; 4] };
        (0..many).for_each(|place| tally.enter(place, Member::UNKNOWN));
        tally
    }

    /// Takes over what the member at `place` shows, and gives whom that concerns. What was shown before and has grown old since is no news when it
    /// is shown again.
    pub fn show(&mut self, place: usize, member: Member) -> News {
        let Some(shown) = self.members.get_mut(place) else { return News::Nobodys };
        let before = std::mem::replace(shown, member);
        if before == member {
            return News::Nobodys;
        }
        let (seen, fronts) = (self.seen_by_all(), self.fronts(before.at, member.at));
        self.leave(place, before);
        self.enter(place, member);
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

    fn enter(&mut self, place: usize, member: Member) {
        self.at.add(member.at, place);
        self.ready.add(member.ready.max(member.at), place);
        if !member.ended {
            self.live.add(member.at, place);
        }
        if member.left == Some(Left::TakenOver) {
            self.taken_over.insert(place);
        }
        self.counts = std::array::from_fn(|one| self.counts[one] + usize::from(counted(member)[one]));
    }

    fn leave(&mut self, place: usize, member: Member) {
        self.at.take(member.at, place);
        self.ready.take(member.ready.max(member.at), place);
        self.live.take(member.at, place);
        self.taken_over.remove(&place);
        self.counts = std::array::from_fn(|one| self.counts[one] - usize::from(counted(member)[one]));
    }

    /// The first of those that have not ended, and the first of all, at these stages.
    fn fronts(&self, one: Stage, other: Stage) -> [Option<usize>; 4] {
        [self.live.first(one), self.live.first(other), self.at.first(one), self.at.first(other)]
    }

    /// All that matters to any member but whether those before it are where it waits for them.
    fn seen_by_all(&self) -> impl PartialEq + use<> {
        // One or none may be the one who looks.
        let counts = self.counts.map(|count| count.min(2));
        let taken_over = (self.taken_over.first().copied(), self.taken_over.last().copied());
        (counts, taken_over, self.at.least(), self.ready.least())
    }
}

fn counted(member: Member) -> [bool; 4] {
    let back = matches!(member.left, Some(Left::Back(_)));
    [back, member.left == Some(Left::Lost), member.committed, !member.ended && member.at < Stage::Final]
}
