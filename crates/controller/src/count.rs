//! When are calls counted, and what is kept of that? Once a minute, or just before the share would rise.

use rollout::comparison::Comparison;
use rollout::health::Failing;
use rollout::{Time, agenda};

use crate::cloud::{Clock, Cloud, CloudError, Counted, Dated, Failure, Pair};
use crate::compare::{Reference, find, limits, step_calls};
use crate::driver::Driver;

/// What is known of the calls of both versions.
pub(crate) struct Metrics {
    /// What the alias was used to before.
    usual: Reference,
    /// When calls were last tried to be counted.
    tried: Option<Time>,
    counted: Vec<Counted>,
    comparison: Comparison,
}

impl Metrics {
    pub(crate) fn new(usual: Reference) -> Self {
        Self { usual, tried: None, counted: Vec::new(), comparison: Comparison::uncounted() }
    }
}

impl<C: Cloud, K: Clock> Driver<'_, C, K> {
    pub(crate) fn next_counts(&self) -> Option<Time> {
        agenda::next_counts(&self.plan, &self.memory, &self.metrics.comparison, self.metrics.tried)
    }

    pub(crate) fn pair_to_count(&self, now: Time) -> Option<Pair> {
        self.next_counts().filter(|due| now >= *due)?;
        let note = agenda::compared(&self.plan, &self.memory)?;
        Some(Pair {
            subject: self.io.request.subject.clone(),
            stable: note.stable?,
            candidate: note.candidate?,
            // The minute in which it began may have calls of an earlier rollout of the same versions.
            from: Time::from_secs(note.begun.as_secs().div_ceil(60) * 60),
            limits: limits(&self.plan, &self.metrics.usual),
        })
    }

    pub(crate) fn take_counts(&mut self, tried: Time, counts: Dated<Result<Vec<Counted>, CloudError>>) {
        self.metrics.tried = Some(tried);
        let Dated { at, answer: counts } = counts;
        let Some(note) = agenda::compared(&self.plan, &self.memory) else { return };
        let failed = |why: String, throttled| Failing { why: format!("the calls cannot be counted: {why}"), throttled };
        let found = match counts {
            Ok(counted) => {
                let found = find(&self.plan, &note, &counted, &self.metrics.usual, self.io.now());
                self.metrics.counted = counted;
                found.map_err(|why| failed(why, false))
            }
            Err(error) => Err(failed(error.to_string(), error.failure == Failure::Throttled)),
        };
        match found {
            Ok(finding) => self.metrics.comparison = Comparison::Read { at, finding: Box::new(finding), failing: None },
            Err(failing) => {
                self.trouble(failing.why.clone());
                match &mut self.metrics.comparison {
                    Comparison::Read { failing: known, .. } => *known = Some(failing),
                    Comparison::Unread { failing: known } => *known = failing,
                }
            }
        }
    }

    /// What was found, with the calls of the step that is in force by now.
    pub(crate) fn comparison_now(&self) -> Comparison {
        let mut comparison = self.metrics.comparison.clone();
        if let (Comparison::Read { finding, .. }, Some(note)) = (&mut comparison, self.memory.note(&self.plan)) {
            finding.step_calls = step_calls(&note, &self.metrics.counted);
        }
        comparison
    }
}
