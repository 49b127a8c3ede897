//! Which other rollouts need the same answer now? The reads of all rollouts of a process, in as few calls to AWS as possible.
//!
//! Whoever asks first asks for those who are about to ask as well, and what was answered a moment ago serves whoever asks next.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use rollout::Time;
use tokio::sync::OnceCell;

use crate::port::{Clock, Cloud, CloudError, Dated, Failure, VersionPair};

/// How long a question waits for others to come along: rollouts that shift in step ask within a moment.
const TOGETHER: Duration = Duration::from_millis(50);

/// How long a failure serves others, so that a hundred rollouts do not make it worse; shorter than a poll, so that each tries again.
const FAILED: Duration = Duration::from_secs(2);

type Answers<A> = Vec<Result<A, CloudError>>;

/// What is asked again and again, each time in the place of the time before.
pub(crate) trait Question: Clone + PartialEq {
    /// What it is about.
    fn about(&self) -> String;
}

/// An alarm's name.
impl Question for String {
    fn about(&self) -> String {
        self.clone()
    }
}

impl Question for VersionPair {
    fn about(&self) -> String {
        self.subject.to_string()
    }
}

#[derive(Debug)]
struct Gathering<Q, A> {
    questions: RefCell<Vec<Q>>,
    /// When it was sent; then nobody can join any more.
    sent: Cell<Option<Time>>,
    answers: OnceCell<Answers<A>>,
}

/// A gathering, and the place of a question in it.
type Joined<Q, A> = (Rc<Gathering<Q, A>>, usize);

#[derive(Debug)]
struct Asking<Q, A> {
    question: Q,
    /// When somebody asked it last.
    at: Time,
    /// The last one that it was sent with, or will be.
    joined: Joined<Q, A>,
}

#[derive(Debug)]
pub(crate) struct Gatherer<Q, A> {
    /// How often everybody asks who does not queue for something else meanwhile,
    every: Duration,
    /// and how often at least: who has not asked for twice as long has ended.
    at_least_every: Duration,
    /// How long an answer serves others.
    recent: Duration,
    /// How many questions one call has room for; where more go along, another call is made.
    room: usize,
    /// The one that can still be joined, if there is one.
    open: RefCell<Option<Rc<Gathering<Q, A>>>>,
    /// Who asks, by what the question is about.
    asking: RefCell<BTreeMap<String, Asking<Q, A>>>,
}

impl<Q: Question, A> Gathering<Q, A> {
    const fn new() -> Self {
        Self { questions: RefCell::new(Vec::new()), sent: Cell::new(None), answers: OnceCell::const_new() }
    }

    fn join(&self, question: Q) -> usize {
        let mut questions = self.questions.borrow_mut();
        questions.push(question);
        questions.len() - 1
    }

    fn len(&self) -> usize {
        self.questions.borrow().len()
    }
}

impl<Q: Question, A> Asking<Q, A> {
    /// Whether its answer is to come, or was sent for after `known`, and serves who asks now.
    fn serves(&self, question: &Q, known: Time, now: Time, recent: Duration) -> bool {
        let (gathering, place) = &self.joined;
        if self.question != *question {
            return false;
        }
        let Some(sent) = gathering.sent.get() else { return true };
        let failed = gathering.answers.get().is_some_and(|answers| answers.get(*place).is_none_or(Result::is_err));
        // A clock that was set back in the meantime makes nothing recent.
        sent > known && now >= sent && now.since(sent) < if failed { FAILED.min(recent) } else { recent }
    }
}

impl<Q: Question, A: Clone> Gatherer<Q, A> {
    pub(crate) const fn new((every, at_least_every): (Duration, Duration), recent: Duration, room: usize) -> Self {
        Self { every, at_least_every, recent, room, open: RefCell::new(None), asking: RefCell::new(BTreeMap::new()) }
    }

    /// Asks these questions, along with those of others who ask before its `turn` comes. Whoever knows an answer of the time `known` wants
    /// a newer one. Given with them is when the oldest of the answers was asked for.
    ///
    /// # Cancel safety
    /// Whoever is dropped while it waits leaves its question with the others, the first of whom goes on in its place.
    pub(crate) async fn ask<C: Cloud, K: Clock>(
        &self,
        (cloud, clock): (&C, &K),
        questions: &[Q],
        known: Time,
        turn: impl AsyncFn(),
        send: impl AsyncFn(Vec<Q>) -> Answers<A>,
    ) -> Dated<Answers<A>> {
        let joined = self.joined(cloud.time(), questions, known);
        let (mut at, mut answer) = (None, Vec::with_capacity(questions.len()));
        for (gathering, place) in joined {
            let answers = gathering.answers.get_or_init(|| async {
                clock.sleep(TOGETHER).await;
                // Whoever comes while it waits for its turn comes along: another call would wait behind it.
                turn().await;
                self.close(&gathering, cloud.time());
                let asked = gathering.questions.borrow().clone();
                // Boxed: one of all who wait here sends it.
                Box::pin(send(asked)).await
            });
            answer.push(answers.await.get(place).cloned().unwrap_or_else(|| Err(left_out())));
            at = at.into_iter().chain(gathering.sent.get()).min();
        }
        Dated { at: at.unwrap_or_default(), answer }
    }

    /// Where the answer to each of these is, or comes.
    fn joined(&self, now: Time, questions: &[Q], known: Time) -> Vec<Joined<Q, A>> {
        let mut asking = self.asking.borrow_mut();
        let mut joined = Vec::with_capacity(questions.len());
        for question in questions {
            let about = question.about();
            if let Some(one) = asking.get_mut(&about)
                && one.serves(question, known, now, self.recent)
            {
                one.at = now;
                joined.push(one.joined.clone());
                continue;
            }
            let mut open = self.open.borrow_mut();
            let gathering = open.get_or_insert_with(|| Rc::new(Gathering::new())).clone();
            let place = gathering.join(question.clone());
            let one = Asking { question: question.clone(), at: now, joined: (gathering, place) };
            joined.push(one.joined.clone());
            asking.insert(about, one);
        }
        joined
    }

    /// Sends a gathering off. Who would ask again while the answer is recent need not: where there is room they come along, those first
    /// whose answer is the oldest.
    fn close(&self, gathering: &Rc<Gathering<Q, A>>, now: Time) {
        if gathering.sent.replace(Some(now)).is_some() {
            return;
        }
        let is_open = self.open.borrow().as_ref().is_some_and(|open| Rc::ptr_eq(open, gathering));
        self.open.borrow_mut().take_if(|_| is_open);
        let mut asking = self.asking.borrow_mut();
        asking.retain(|_, one| now.since(one.at) < 2 * self.at_least_every);
        let room = (self.room - gathering.len() % self.room) % self.room;
        let soon =
            |one: &&mut Asking<Q, A>| now.since(one.at) + self.recent >= self.every && !Rc::ptr_eq(&one.joined.0, gathering);
        let mut soon: Vec<&mut Asking<Q, A>> = asking.values_mut().filter(soon).collect();
        soon.sort_by_key(|one| one.joined.0.sent.get());
        for one in soon.into_iter().take(room) {
            one.joined = (gathering.clone(), gathering.join(one.question.clone()));
        }
    }
}

fn left_out() -> CloudError {
    let message = "the response does not contain what was requested".to_owned();
    CloudError { failure: Failure::Unanswered, operation: "DescribeAlarms, GetMetricData", message, code: None }
}
