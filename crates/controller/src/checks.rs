//! Which checks are asked, and what did they answer? Each once a minute while the candidate has traffic, beside the loop.
//!
//! None is asked twice at once, and an answer that comes after its minute is not waited for. Nothing is written before a question, as a check only looks:
//! asking it once more after a death changes nothing.

use std::pin::Pin;

use rollout::Time;
use rollout::check::{CheckAnswer, CheckSeen, CheckState};
use rollout::timing::CHECK_EVERY;

type Job<'a> = Pin<Box<dyn Future<Output = CheckAnswer> + 'a>>;

#[derive(Default)]
pub(crate) struct Checks<'a> {
    asked: Vec<Asked<'a>>,
}

struct Asked<'a> {
    seen: CheckSeen,
    begun: Time,
    asking: Option<Job<'a>>,
}

impl<'a> Checks<'a> {
    /// What they say, as far as they were asked.
    pub(crate) fn seen(&self) -> Vec<CheckSeen> {
        self.asked.iter().map(|asked| asked.seen.clone()).collect()
    }

    /// When the check of this name is to be asked next; `None` while it is being asked, or has failed.
    pub(crate) fn due(&self, name: &str) -> Option<Time> {
        let Some(known) = self.asked.iter().find(|asked| asked.seen.name == name) else { return Some(Time::default()) };
        let failed = known.seen.last.as_ref().is_some_and(|answer| answer.state == CheckState::Failed);
        (known.asking.is_none() && !failed).then(|| known.begun + CHECK_EVERY)
    }

    /// Asks the check of this name.
    pub(crate) fn ask(&mut self, name: &str, now: Time, asking: impl Future<Output = CheckAnswer> + 'a) {
        let asking: Option<Job<'a>> = Some(Box::pin(asking));
        if let Some(known) = self.asked.iter_mut().find(|asked| asked.seen.name == name) {
            (known.begun, known.asking) = (now, asking);
        } else {
            let seen = CheckSeen { name: name.to_owned(), first_asked: now, passed: None, last: None };
            self.asked.push(Asked { seen, begun: now, asking });
        }
    }

    /// Whether the answer of one is awaited.
    pub(crate) fn await_answer(&self) -> bool {
        self.asked.iter().any(|asked| asked.asking.is_some())
    }

    /// Ends once one of them has answered; never where none is being asked.
    pub(crate) async fn answered(&mut self) {
        let asking = self.asked.iter_mut().enumerate();
        let jobs: Vec<_> = asking
            .filter_map(|(place, asked)| {
                let job = asked.asking.as_mut()?;
                Some(Box::pin(async move { (place, job.await) }))
            })
            .collect();
        if jobs.is_empty() {
            return std::future::pending().await;
        }
        let ((place, answer), _, _) = futures_util::future::select_all(jobs).await;
        if let Some(asked) = self.asked.get_mut(place) {
            asked.asking = None;
            if answer.state == CheckState::Passed {
                asked.seen.passed = Some(asked.begun);
            }
            asked.seen.last = Some(answer);
        }
    }
}
