//! Which functions run code of whoever uses this simulation, and which of their invocations are outstanding? Remembered here; `hosted` acts on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::function::{Qualified, Routed};
use crate::time::Time;

/// An invocation of a function whose code is not this simulation's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// By which it is ended.
    pub id: u64,
    /// The function's name.
    pub function: String,
    /// The version that runs: digits, or `$LATEST`.
    pub version: String,
    /// The function's ARN as it was invoked, with the qualifier if there was one.
    pub arn: String,
    /// The request id, which Lambda's own attempts share.
    pub request_id: String,
    /// What it is given.
    pub event: Bytes,
    /// Which of Lambda's own attempts this is, from 1.
    pub attempt: u32,
    /// When it began.
    pub began: Time,
    /// When it has timed out.
    pub deadline: Time,
}

/// How the code of a function ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Its answer; an error's text, if it failed.
    pub answer: Result<Bytes, String>,
    /// What it has written into its log, line by line; one that times out has written nothing here.
    pub lines: Vec<String>,
}

/// The functions whose code is somebody else's, and what is going on with them.
#[derive(Debug, Default)]
pub(crate) struct Hosted {
    pub(super) functions: BTreeSet<String>,
    outstanding: BTreeMap<u64, Outstanding>,
    /// Not yet taken.
    waiting: VecDeque<Invocation>,
    /// What callers are to be answered that have not asked yet.
    answers: BTreeMap<u64, Answered>,
    agenda: BTreeMap<(Time, u64), Due>,
    last: u64,
    /// Whether something has changed since this was last asked.
    news: bool,
}

#[derive(Debug)]
pub(super) enum Due {
    /// The time of this invocation is up.
    Deadline(u64),
    /// The next attempt of an asynchronous one.
    Again(Box<Outstanding>),
}

/// An invocation that is to be begun, or that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Outstanding {
    pub(super) name: String,
    pub(super) qualified: Qualified,
    pub(super) routed: Routed,
    pub(super) request_id: String,
    pub(super) event: Bytes,
    pub(super) began: Time,
    pub(super) timeout: Duration,
    pub(super) attempt: u32,
    pub(super) then: Then,
}

/// What comes of how an invocation ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    /// Its caller is answered, perhaps with the end of its log, too.
    Answer { tail: bool },
    /// It is repeated if it fails. When it was accepted.
    Repeat { accepted: Time },
}

/// What the caller of an invocation gets.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) request_id: String,
    pub(super) version: String,
    pub(super) failed: bool,
    pub(super) payload: Bytes,
    pub(super) tail: Option<String>,
}

impl Hosted {
    /// Begins an invocation of this version, which this ARN means; gives its id.
    pub(super) fn begin(&mut self, one: Outstanding, version: String, arn: String) -> u64 {
        self.last += 1;
        let (id, deadline) = (self.last, one.began + one.timeout);
        self.waiting.push_back(Invocation {
            id,
            function: one.name.clone(),
            version,
            arn,
            request_id: one.request_id.clone(),
            event: one.event.clone(),
            attempt: one.attempt,
            began: one.began,
            deadline,
        });
        self.agenda.insert((deadline, id), Due::Deadline(id));
        self.outstanding.insert(id, one);
        self.news = true;
        id
    }

    /// The next invocation of this function that nobody has taken.
    pub(crate) fn take(&mut self, function: &str) -> Option<Invocation> {
        let place = self.waiting.iter().position(|one| one.function == function)?;
        self.waiting.remove(place)
    }

    /// One that has not ended, which ends now.
    pub(super) fn end(&mut self, id: u64) -> Option<Outstanding> {
        let one = self.outstanding.remove(&id)?;
        self.agenda.remove(&(one.began + one.timeout, id));
        self.waiting.retain(|waiting| waiting.id != id);
        Some(one)
    }

    pub(super) fn plan(&mut self, at: Time, one: Outstanding) {
        self.last += 1;
        self.agenda.insert((at, self.last), Due::Again(Box::new(one)));
        self.news = true;
    }

    /// When something happens next without a call.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn next(&mut self) -> Option<Due> {
        self.agenda.pop_first().map(|(_, due)| due)
    }

    pub(super) fn keep(&mut self, id: u64, answered: Answered) {
        self.answers.insert(id, answered);
        self.news = true;
    }

    pub(super) fn answer(&mut self, id: u64) -> Option<Answered> {
        self.answers.remove(&id)
    }

    /// Whether something has changed since this was last asked.
    pub(crate) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }
}
