//! What do the members of a group show each other? A board in the memory of the one process that drives them all.
//!
//! What it says can be lost: a new process reads it off the aliases. What follows from it is the pure core's.

use std::cell::RefCell;

use rollout::Time;
use rollout::group::{Member, Others, Stage, others};
use rollout::plan::Plan;
use tokio::sync::watch;

/// What every member shows.
#[derive(Debug)]
pub(crate) struct Board {
    names: Vec<String>,
    members: RefCell<Vec<(Member, Time)>>,
    /// Who left, in this order.
    left: RefCell<Vec<usize>>,
    changed: watch::Sender<()>,
}

impl Board {
    pub(crate) fn new(names: Vec<String>) -> Self {
        let members = RefCell::new(vec![(Member::UNKNOWN, Time::default()); names.len()]);
        Self { names, members, left: RefCell::default(), changed: watch::Sender::new(()) }
    }

    pub(crate) fn seat(&self, place: usize) -> Seat<'_> {
        Seat { board: self, place }
    }

    /// Who left, the first one first.
    pub(crate) fn left(&self) -> Vec<usize> {
        self.left.borrow().clone()
    }
}

/// One member's place at the board.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat<'a> {
    board: &'a Board,
    place: usize,
}

impl Seat<'_> {
    /// What the others are doing now.
    pub(crate) fn others(&self, plan: &Plan, now: Time) -> Others {
        let members = self.board.members.borrow();
        let shown = self.board.names.iter().zip(members.iter()).map(|(name, (member, at))| (name.as_str(), *member, *at));
        others(shown, self.place, plan, now)
    }

    /// Shows them what this one is doing.
    pub(crate) fn show(&self, member: Member, now: Time) {
        let before = std::mem::replace(&mut self.board.members.borrow_mut()[self.place], (member, now));
        let mut left = self.board.left.borrow_mut();
        if member.left.is_some() && !left.contains(&self.place) {
            left.push(self.place);
        }
        if before.0 != member {
            self.board.changed.send_replace(());
        }
    }

    /// Ends once the others do something that matters to whoever has seen them so and waits for this.
    ///
    /// # Cancel safety
    /// Nothing is lost: what matters is seen again.
    pub(crate) async fn called(&self, plan: &Plan, known: &Others, awaited: Option<Stage>, now: impl Fn() -> Time) {
        let mut changed = self.board.changed.subscribe();
        while !self.others(plan, now()).matter(known, awaited) {
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
