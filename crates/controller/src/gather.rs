//! Who else wants calls counted right now? The questions of all rollouts of a process, in as few calls as AWS takes them in.
//!
//! Whoever asks first asks for everybody who is about to ask as well, and what was answered a moment ago serves whoever asks next.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rollout::Time;
use rollout::plan::COUNTS_EVERY;
use tokio::sync::OnceCell;

use crate::cloud::{Clock, Cloud, CloudError, Counted, Failure, Pair};

/// How long a question waits for others to come along: rollouts that shift in step ask within a moment.
const TOGETHER: Duration = Duration::from_millis(50);

/// How long an answer serves others. A hundred rollouts come round in 20 seconds, with the five reads of aliases a second that they
/// share; `CloudWatch` itself is one to three minutes late.
const RECENT: Duration = Duration::from_secs(20);

/// How long a failure serves others, so that a hundred rollouts do not make it worse; shorter than a poll, so that each tries again.
const FAILED: Duration = Duration::from_secs(2);

type Counts = Vec<Result<Vec<Counted>, CloudError>>;

/// Questions that are answered together.
#[derive(Debug, Default)]
struct Gathering {
    pairs: RefCell<Vec<Pair>>,
    /// When it was sent; then nobody can join any more.
    sent: Cell<Option<Time>>,
    answers: OnceCell<Counts>,
}

/// Where questions are gathered.
#[derive(Debug, Default)]
pub(crate) struct Gatherer {
    /// The one that can still be joined, if there is one, and those that were sent a moment ago.
    gatherings: RefCell<Vec<Rc<Gathering>>>,
    /// Who asks, and when each did last.
    asking: RefCell<Vec<(Pair, Time)>>,
}

impl Gathering {
    fn place(&self, pair: &Pair) -> Option<usize> {
        self.pairs.borrow().iter().position(|known| known == pair)
    }

    fn join(&self, pair: &Pair) {
        if self.place(pair).is_none() {
            self.pairs.borrow_mut().push(pair.clone());
        }
    }

    /// Whether this was sent, and serves a question that is asked now.
    fn serves(&self, pair: &Pair, now: Time) -> bool {
        let Some((sent, place)) = self.sent.get().zip(self.place(pair)) else { return false };
        let failed = self.answers.get().is_some_and(|answers| answers.get(place).is_none_or(Result::is_err));
        // A clock that was set back in the meantime makes nothing recent.
        now >= sent && now.since(sent) < if failed { FAILED } else { RECENT }
    }
}

impl Gatherer {
    /// Counts these pairs' calls, along with those of everybody else who is about to ask.
    ///
    /// # Cancel safety
    /// Whoever is dropped while it waits leaves its question with the others, the first of whom goes on in its place.
    pub(crate) async fn counts<C: Cloud, K: Clock>(&self, cloud: &C, clock: &K, pairs: &[Pair]) -> Counts {
        let gathering = self.gathering(cloud.time(), pairs);
        let answers = gathering.answers.get_or_init(|| async {
            clock.sleep(TOGETHER).await;
            gathering.sent.set(Some(cloud.time()));
            let asked = gathering.pairs.borrow().clone();
            cloud.counts(&asked).await
        });
        let answers = answers.await;
        let answer = |pair: &Pair| gathering.place(pair).and_then(|place| answers.get(place)).cloned();
        pairs.iter().map(|pair| answer(pair).unwrap_or_else(|| Err(left_out()))).collect()
    }

    /// The questions that these are among.
    fn gathering(&self, now: Time, pairs: &[Pair]) -> Rc<Gathering> {
        let mut asking = self.asking.borrow_mut();
        // Who has not asked for two rounds has ended.
        asking.retain(|(pair, at)| now.since(*at) < 2 * COUNTS_EVERY && !pairs.contains(pair));
        let mut gatherings = self.gatherings.borrow_mut();
        gatherings.retain(|known| known.sent.get().is_none_or(|sent| now >= sent && now.since(sent) < RECENT));
        let serves_all = |known: &&Rc<Gathering>| pairs.iter().all(|pair| known.serves(pair, now));
        let joined = gatherings.iter().find(serves_all).cloned().unwrap_or_else(|| {
            let open = gatherings.iter().position(|known| known.sent.get().is_none()).unwrap_or_else(|| {
                gatherings.push(Rc::default());
                gatherings.len() - 1
            });
            let open = gatherings[open].clone();
            // Who would ask again while the answer is recent need not.
            let soon = asking.iter().filter(|(_, at)| now.since(*at) + RECENT >= COUNTS_EVERY).map(|(pair, _)| pair);
            soon.chain(pairs).for_each(|pair| open.join(pair));
            open
        });
        asking.extend(pairs.iter().map(|pair| (pair.clone(), now)));
        joined
    }
}

/// An answer that does not hold what was asked for.
fn left_out() -> CloudError {
    let message = "an answer to another question".to_owned();
    CloudError { failure: Failure::Unanswered, operation: "GetMetricData", message, code: None }
}
