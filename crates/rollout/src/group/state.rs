//! What does a member of a group know of the others? How far each of them is, and how it left, as they show it to each other.

use serde::{Deserialize, Serialize};

use crate::{Cause, Time};

/// How far a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Its alias is not claimed.
    #[serde(rename = "outside")]
    Outside,
    /// Its alias is claimed; nothing has moved.
    #[serde(rename = "acquired")]
    Claimed,
    /// This step is in force, from 1.
    #[serde(rename = "step")]
    Step(usize),
    /// Its version is final, or there is nothing to roll out.
    #[serde(rename = "final")]
    Final,
}

impl Stage {
    /// The stage after this one, of those that a weight reaches.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Outside | Self::Claimed => Self::Step(1),
            Self::Step(step) => Self::Step(step + 1),
            Self::Final => Self::Final,
        }
    }

    fn phrase(self) -> String {
        match self {
            Self::Outside => "to start".to_owned(),
            Self::Claimed => "to acquire its alias".to_owned(),
            Self::Step(step) => format!("to be ready for step {step}"),
            Self::Final => "to pass every check".to_owned(),
        }
    }
}

/// How a member left the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Left {
    /// It rolls back, or is back.
    Back(Cause),
    /// It was refused, lost to another owner, or cannot go on.
    Lost,
    /// Another process resumes this group.
    TakenOver,
}

/// How far a member is with the gate of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AtGate {
    /// A person may approve it.
    Open(usize),
    /// A person approved it.
    Approved(usize),
}

/// What a member shows the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// How far it is, by its alias.
    pub at: Stage,
    /// How far it may go, by what it decided a moment ago.
    pub ready: Stage,
    /// How it left, if it did.
    pub left: Option<Left>,
    /// Whether its version became final by this plan: the commit, or a part of it.
    pub committed: bool,
    /// Whether it does nothing any more.
    pub ended: bool,
    /// Whether it leaves its weight as it is, for another process.
    pub holds: bool,
    /// The gate at which it is, if it is at one.
    pub gate: Option<AtGate>,
}

impl Member {
    /// A member of which nothing is known yet.
    pub const UNKNOWN: Self =
        Self { at: Stage::Outside, ready: Stage::Outside, left: None, committed: false, ended: false, holds: false, gate: None };

    /// A member that ended before it began: with nothing to do, or lost.
    pub fn ended(left: Option<Left>) -> Self {
        let at = if left.is_none() { Stage::Final } else { Stage::Outside };
        Self { at, ready: at, left, committed: false, ended: true, holds: false, gate: None }
    }
}

/// Why everybody comes back.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RollbackTrigger {
    /// The member that rolls back.
    pub by: String,
    /// Why; `None` where it is lost.
    pub cause: Option<Cause>,
}

impl RollbackTrigger {
    /// Why everybody comes back, in words.
    pub fn phrase(&self) -> String {
        match self.cause {
            Some(Cause::Group) => format!("{} rolled back with its group", self.by),
            Some(cause) => format!("{} rolls back: {}", self.by, cause.phrase()),
            None => format!("{} could not start, or another owner has it", self.by),
        }
    }
}

/// What the others of a group are doing, as one member sees them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, and any combination is possible")]
pub struct Others {
    /// Who calls everybody back, if anybody does.
    #[serde(rename = "rollback_trigger")]
    pub called: Option<RollbackTrigger>,
    /// Whether another process resumes this group.
    pub taken_over: bool,
    /// Whether one of them is final by this plan.
    pub committed: bool,
    /// Whether all before this one are final: then this one makes the commit.
    #[serde(rename = "commits")]
    pub leads: bool,
    /// Whether any of them has traffic.
    pub moved: bool,
    /// Whether any of them is in this process' hands, or was.
    #[serde(rename = "lease_holder")]
    pub owned: bool,
    /// Whether any of them that is not final may still become so.
    pub under_way: bool,
    /// Whether any of them may still roll back: it neither is over nor holds what it has.
    pub open: bool,
    /// How far all before this one are that go on.
    pub before: Stage,
    /// How far all of them are.
    pub at: Stage,
    /// How far all of them are or may go.
    pub ready: Stage,
    /// Which of them is furthest from that.
    pub last: Option<String>,
    /// At which step one of them has a gate that a person approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate_approved: Option<usize>,
    /// At which step one of them has a gate that a person may still approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate_open: Option<usize>,
    /// When the one of them that goes on, and was looked at first, was looked at; `None` where the plan has no gates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Time>,
}

impl Others {
    /// Whether this is news for a member that has seen them like `known` and waits for all of them to be at `awaited`.
    pub fn matter(&self, known: &Self, awaited: Option<Stage>) -> bool {
        let orders = |others: &Self| {
            (others.called.is_some(), others.taken_over, others.committed, others.under_way, others.gate_approved)
        };
        let reached = |others: &Self| {
            awaited.map(|stage| (others.before >= stage, others.at >= stage, others.ready >= stage, others.leads))
        };
        orders(self) != orders(known) || reached(self) != reached(known)
    }
}

pub(crate) fn waits_for(stage: Stage, last: Option<&str>) -> String {
    format!("{} {}", last.unwrap_or("the others"), stage.phrase())
}
