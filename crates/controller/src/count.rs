//! When are calls counted, and what is kept of that? Once a minute, or just before the share would rise.

use rollout::Time;
use rollout::alias::{Standing, standing};
use rollout::comparison::Comparison;
use rollout::health::Failing;
use rollout::note::Note;
use rollout::plan::Mode;
use rollout::timing::COUNTS_EVERY;

use crate::compare::{find, limits, step_calls};
use crate::driver::Driver;
use crate::port::{Clock, Cloud, CloudError, Counted, Dated, Failure, Pair};

impl<C: Cloud, K: Clock> Driver<'_, C, K> {
    /// The note of this rollout while its candidate has a share beside a stable version, and calls are to be counted.
    fn compares(&self) -> Option<Note> {
        let wanted = self.plan.comparing() != Mode::Off && self.failed.is_none();
        let note = self.note().filter(|_| wanted)?;
        let live = !note.phase.share().is_zero() && note.stable.is_some() && note.candidate.is_some();
        live.then_some(note)
    }

    /// When calls are to be counted again: at the next full minute, which is the same for all rollouts of a process, or a poll after
    /// an attempt that failed; but just before a share that is due to rise by then or a poll later, so that it does not rise on counts of a minute ago.
    pub(crate) fn next_counts(&self) -> Option<Time> {
        let note = self.compares()?;
        let Some(tried) = self.counts_tried else { return Some(Time::default()) };
        let failing = matches!(&self.comparison, Comparison::Unread { .. } | Comparison::Read { failing: Some(_), .. });
        if failing {
            return Some(tried + self.plan.poll);
        }
        // Somebody's pause, or somebody's share, can be overdue for long.
        let on_schedule = self.held.as_ref().is_some_and(|held| matches!(standing(&held.alias), Standing::Running(_)));
        let soon = tried + COUNTS_EVERY + self.plan.poll;
        let due = note.due.filter(|due| on_schedule && note.pause.is_none() && *due <= soon);
        Some(due.map_or_else(|| full_minute(tried), |due| due.max(tried + self.plan.poll)))
    }

    pub(crate) fn pair_to_count(&self, now: Time) -> Option<Pair> {
        let note = self.compares().filter(|_| self.next_counts().is_some_and(|due| now >= due))?;
        Some(Pair {
            subject: self.request.subject.clone(),
            stable: note.stable?,
            candidate: note.candidate?,
            // The minute in which it began may have calls of an earlier rollout of the same versions.
            from: Time::from_secs(note.begun.as_secs().div_ceil(60) * 60),
            limits: limits(&self.plan, &self.usual),
        })
    }

    pub(crate) fn take_counts(&mut self, tried: Time, counts: Dated<Result<Vec<Counted>, CloudError>>) {
        self.counts_tried = Some(tried);
        let Dated { at, answer: counts } = counts;
        let Some(note) = self.compares() else { return };
        let failed = |why: String, throttled| Failing { why: format!("the calls cannot be counted: {why}"), throttled };
        let found = match counts {
            Ok(counted) => {
                let found = find(&self.plan, &note, &counted, &self.usual, self.cloud.time());
                self.counted = counted;
                found.map_err(|why| failed(why, false))
            }
            Err(error) => Err(failed(error.to_string(), error.failure == Failure::Throttled)),
        };
        match found {
            Ok(finding) => self.comparison = Comparison::Read { at, finding: Box::new(finding), failing: None },
            Err(failing) => {
                self.trouble(failing.why.clone());
                match &mut self.comparison {
                    Comparison::Read { failing: known, .. } => *known = Some(failing),
                    Comparison::Unread { failing: known } => *known = failing,
                }
            }
        }
    }

    /// What was found, with the calls of the step that is in force by now.
    pub(crate) fn comparison_now(&self) -> Comparison {
        let mut comparison = self.comparison.clone();
        if let (Comparison::Read { finding, .. }, Some(note)) = (&mut comparison, self.note()) {
            finding.step_calls = step_calls(&note, &self.counted);
        }
        comparison
    }
}

/// The end of the minute.
fn full_minute(at: Time) -> Time {
    Time::from_secs((at.as_secs() / 60 + 1) * 60)
}
