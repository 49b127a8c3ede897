//! Which other rollouts need the same answer now? The reads of all rollouts of a process, in as few calls to AWS as possible.
//!
//! Whoever asks first asks for everybody who is about to ask as well, and what was answered a moment ago serves whoever asks next.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rollout::Time;
use tokio::sync::OnceCell;

use crate::port::{Clock, Cloud, CloudError, Dated, Failure};

/// How long a question waits for others to come along: rollouts that shift in step ask within a moment.
const TOGETHER: Duration = Duration::from_millis(50);

/// How long a failure serves others, so that a hundred rollouts do not make it worse; shorter than a poll, so that each tries again.
const FAILED: Duration = Duration::from_secs(2);

type Answers<A> = Vec<Result<A, CloudError>>;

#[derive(Debug)]
struct Gathering<Q, A> {
    questions: RefCell<Vec<Q>>,
    /// When it was sent; then nobody can join any more.
    sent: Cell<Option<Time>>,
    answers: OnceCell<Answers<A>>,
}

#[derive(Debug)]
pub(crate) struct Gatherer<Q, A> {
    /// How often everybody asks.
    every: Duration,
    /// How long an answer serves others.
    recent: Duration,
    /// The one that can still be joined, if there is one, and those that were sent a moment ago.
    gatherings: RefCell<Vec<Rc<Gathering<Q, A>>>>,
    /// Who asks, and when each did last.
    asking: RefCell<Vec<(Q, Time)>>,
}

impl<Q: Clone + PartialEq, A> Gathering<Q, A> {
    fn place(&self, question: &Q) -> Option<usize> {
        self.questions.borrow().iter().position(|known| known == question)
    }

    fn join(&self, question: &Q) {
        if self.place(question).is_none() {
            self.questions.borrow_mut().push(question.clone());
        }
    }

    /// Whether this was sent after `known`, and serves a question that is asked now.
    fn serves(&self, question: &Q, known: Time, now: Time, recent: Duration) -> bool {
        let Some((sent, place)) = self.sent.get().zip(self.place(question)) else { return false };
        let failed = self.answers.get().is_some_and(|answers| answers.get(place).is_none_or(Result::is_err));
        // A clock that was set back in the meantime makes nothing recent.
        sent > known && now >= sent && now.since(sent) < if failed { FAILED.min(recent) } else { recent }
    }
}

impl<Q: Clone + PartialEq, A: Clone> Gatherer<Q, A> {
    pub(crate) const fn new(every: Duration, recent: Duration) -> Self {
        Self { every, recent, gatherings: RefCell::new(Vec::new()), asking: RefCell::new(Vec::new()) }
    }

    /// Asks these questions, along with those of everybody else who is about to ask. Whoever knows an answer of the time `known` wants
    /// a newer one. Given with each is when it was asked.
    ///
    /// # Cancel safety
    /// Whoever is dropped while it waits leaves its question with the others, the first of whom goes on in its place.
    pub(crate) async fn ask<C: Cloud, K: Clock>(
        &self,
        (cloud, clock): (&C, &K),
        questions: &[Q],
        known: Time,
        send: impl AsyncFnOnce(Vec<Q>) -> Answers<A>,
    ) -> Dated<Answers<A>> {
        let gathering = self.gathering(cloud.time(), questions, known);
        let answers = gathering.answers.get_or_init(|| async {
            clock.sleep(TOGETHER).await;
            gathering.sent.set(Some(cloud.time()));
            let asked = gathering.questions.borrow().clone();
            send(asked).await
        });
        let answers = answers.await;
        let answer = |question: &Q| gathering.place(question).and_then(|place| answers.get(place)).cloned();
        let answer = questions.iter().map(|question| answer(question).unwrap_or_else(|| Err(left_out()))).collect();
        Dated { at: gathering.sent.get().unwrap_or_default(), answer }
    }

    fn gathering(&self, now: Time, questions: &[Q], known: Time) -> Rc<Gathering<Q, A>> {
        let mut asking = self.asking.borrow_mut();
        // Who has not asked for two rounds has ended.
        asking.retain(|(question, at)| now.since(*at) < 2 * self.every && !questions.contains(question));
        let mut gatherings = self.gatherings.borrow_mut();
        gatherings.retain(|known| known.sent.get().is_none_or(|sent| now >= sent && now.since(sent) < self.recent));
        let serves_all = |gathering: &&Rc<Gathering<Q, A>>| {
            questions.iter().all(|question| gathering.serves(question, known, now, self.recent))
        };
        let joined = gatherings.iter().find(serves_all).cloned().unwrap_or_else(|| {
            let open = gatherings.iter().position(|gathering| gathering.sent.get().is_none()).unwrap_or_else(|| {
                let gathering = Gathering { questions: RefCell::default(), sent: Cell::default(), answers: OnceCell::default() };
                gatherings.push(Rc::new(gathering));
                gatherings.len() - 1
            });
            let open = gatherings[open].clone();
            // Who would ask again while the answer is recent need not.
            let soon = asking.iter().filter(|(_, at)| now.since(*at) + self.recent >= self.every).map(|(question, _)| question);
            soon.chain(questions).for_each(|question| open.join(question));
            open
        });
        asking.extend(questions.iter().map(|question| (question.clone(), now)));
        joined
    }
}

fn left_out() -> CloudError {
    let message = "the response does not contain what was requested".to_owned();
    CloudError { failure: Failure::Unanswered, operation: "DescribeAlarms, GetMetricData", message, code: None }
}
