//! What do the members of a group show each other? A board in the memory of the one process that drives them all.
//!
//! What it says can be lost: a new process reads it off the aliases. What follows from it is the pure core's.

use std::cell::{Cell, RefCell};

use rollout::action::{Action, Reason};
use rollout::group::{Member, News, Others, Stage, Tally, member};
use rollout::narrate::Round;
use rollout::plan::Plan;
use rollout::{Outcome, Time};
use tokio::sync::Notify;

#[derive(Debug)]
pub(crate) struct GroupBoard {
    tally: RefCell<Tally>,
    /// Who left, in this order.
    left: RefCell<Vec<usize>>,
    /// Who is gone, or has nothing to do but wait, and would leave for now.
    leaving: Vec<Cell<bool>>,
    /// How many of them would not.
    staying: Cell<usize>,
    /// Calls the member at each place.
    calls: Vec<Notify>,
}

impl GroupBoard {
    pub(crate) fn new(names: Vec<String>) -> Self {
        let many = names.len();
        let leaving = vec![Cell::new(false); many];
        let calls = names.iter().map(|_| Notify::new()).collect();
        Self { tally: RefCell::new(Tally::new(names)), left: RefCell::default(), leaving, staying: Cell::new(many), calls }
    }

    pub(crate) fn seat(&self, place: usize) -> MemberHandle<'_> {
        MemberHandle { board: self, place }
    }

    pub(crate) fn left(&self) -> Vec<usize> {
        self.left.borrow().clone()
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct MemberHandle<'a> {
    board: &'a GroupBoard,
    place: usize,
}

impl MemberHandle<'_> {
    pub(crate) fn others(&self, plan: &Plan, now: Time) -> Others {
        self.board.tally.borrow().others(self.place, plan, now)
    }

    pub(crate) fn show(&self, member: Member, now: Time) {
        if member.ended {
            self.leaves(true);
        }
        let news = self.board.tally.borrow_mut().show(self.place, member, now);
        let mut left = self.board.left.borrow_mut();
        if member.left.is_some() && !left.contains(&self.place) {
            left.push(self.place);
        }
        let called = match news {
            News::Nobodys => &[],
            News::Places(places) => self.board.calls.get(places).unwrap_or_default(),
            News::Everybodys => self.board.calls.as_slice(),
        };
        called.iter().for_each(Notify::notify_waiters);
    }
}

impl MemberHandle<'_> {
    /// Says whether this one would leave for now, and gives whether all would. Then all are called: whoever stayed would go on alone.
    fn leaves(&self, would: bool) -> bool {
        if let Some(leaving) = self.board.leaving.get(self.place) {
            let staying = self.board.staying.get() + usize::from(leaving.replace(would));
            self.board.staying.set(staying - usize::from(would));
        }
        let all = self.all_leave();
        if all {
            self.board.calls.iter().for_each(Notify::notify_waiters);
        }
        all
    }

    fn all_leave(&self) -> bool {
        self.board.staying.get() == 0
    }
}

/// A driver's link to the others of its group, where it is not alone.
pub(crate) struct Link<'a> {
    seat: Option<MemberHandle<'a>>,
    /// What the others were last seen to do.
    pub(crate) others: Option<Others>,
    /// What they are waited for.
    awaited: Option<Stage>,
    /// Whether they ended a wait: then what was read a moment ago is not read again.
    pub(crate) woken: bool,
}

impl<'a> Link<'a> {
    pub(crate) fn new(seat: Option<MemberHandle<'a>>) -> Self {
        Self { seat, others: None, awaited: None, woken: false }
    }

    /// Whether this one may leave for now, if it would: of a group only all together, so that what one finds brings back the others at once.
    pub(crate) fn leaves(&self, would: bool) -> bool {
        self.seat.as_ref().map_or(would, |seat| seat.leaves(would))
    }

    pub(crate) fn is_alone(&self) -> bool {
        self.seat.is_none()
    }

    pub(crate) fn look(&mut self, plan: &Plan, now: Time) {
        self.others = self.seat.as_ref().map(|seat| seat.others(plan, now));
    }

    /// Shows the others what came of a round, and how it ended, if it did.
    pub(crate) fn show(&mut self, plan: &Plan, Round { seen, action }: &Round, ended: Option<&Outcome>) {
        self.awaited =
            if let Action::Wait { why: Reason::SharedDegradation { stage, .. }, .. } = action { Some(*stage) } else { None };
        let Some(seat) = &self.seat else { return };
        let shows = |action: &Action| seat.show(member(plan, seen, action), seen.now);
        match ended {
            Some(outcome) => shows(&Action::Finish(outcome.clone())),
            None => shows(action),
        }
    }

    /// Ends once the others do something that matters to this one; never where it is alone.
    ///
    /// # Cancel safety
    /// Nothing is lost: what matters is seen again.
    pub(crate) async fn called(&self, plan: &Plan, now: impl Fn() -> Time) {
        let (Some(seat), Some(known)) = (&self.seat, &self.others) else { return std::future::pending().await };
        let Some(calls) = seat.board.calls.get(seat.place) else { return std::future::pending().await };
        loop {
            let called = calls.notified();
            if seat.all_leave() || seat.others(plan, now()).matter(known, self.awaited) {
                return;
            }
            called.await;
        }
    }
}
