//! Who else wants calls counted right now? The questions of all rollouts of a process, in as few calls as AWS takes them in.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::cloud::{Clock, Cloud, CloudError, Counted, Failure, Pair};

/// How long a question waits for others to come along: rollouts that shift in step ask within a moment.
const TOGETHER: Duration = Duration::from_millis(50);

type Counts = Vec<Result<Vec<Counted>, CloudError>>;

/// Questions that are answered together.
#[derive(Debug, Default)]
struct Gathering {
    pairs: RefCell<Vec<Pair>>,
    answers: OnceCell<Counts>,
}

/// Where questions are gathered.
#[derive(Debug, Default)]
pub(crate) struct Gatherer {
    open: RefCell<Option<Rc<Gathering>>>,
}

impl Gatherer {
    /// Counts these pairs' calls, along with those of whoever asks within a moment.
    ///
    /// # Cancel safety
    /// Whoever is dropped while it waits leaves its question with the others, the first of whom goes on in its place.
    pub(crate) async fn counts<C: Cloud, K: Clock>(&self, cloud: &C, clock: &K, pairs: &[Pair]) -> Counts {
        let gathering = self.open.borrow_mut().get_or_insert_default().clone();
        let first = gathering.pairs.borrow().len();
        gathering.pairs.borrow_mut().extend_from_slice(pairs);
        let answers = gathering.answers.get_or_init(|| async {
            clock.sleep(TOGETHER).await;
            // Nobody can join any more once it is sent.
            self.close(&gathering);
            let asked = gathering.pairs.borrow().clone();
            cloud.counts(&asked).await
        });
        let answers = answers.await;
        let mine = first..first + pairs.len();
        answers.get(mine).map_or_else(|| pairs.iter().map(|_| Err(left_out())).collect(), <[_]>::to_vec)
    }

    fn close(&self, gathering: &Rc<Gathering>) {
        let mut open = self.open.borrow_mut();
        if open.as_ref().is_some_and(|open| Rc::ptr_eq(open, gathering)) {
            *open = None;
        }
    }
}

/// An answer that does not hold what was asked for.
fn left_out() -> CloudError {
    let message = "an answer to another question".to_owned();
    CloudError { failure: Failure::Unanswered, operation: "GetMetricData", message, code: None }
}
