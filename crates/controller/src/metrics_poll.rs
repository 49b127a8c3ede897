//! When are invocations counted, and what is kept of that? Once a minute, or just before the weight would rise.

use rollout::comparison::{AnalysisVerdict, Comparison, Unseen};
use rollout::health::ReadError;
use rollout::memory::Memory;
use rollout::note::Note;
use rollout::plan::Plan;
use rollout::{Subject, Time, agenda};

use crate::expectation::{Counted, Reference, SignalPast, unseen};
use crate::log_signals::LogSignals;
use crate::metrics_analysis::{find, limits, step_calls};
use crate::port::{CloudError, Dated, Failure, PairCounts, VersionPair};

pub(crate) struct Metrics {
    /// What the alias was used to before.
    baseline: Reference,
    /// When invocations were last tried to be counted.
    tried: Option<Time>,
    counted: PairCounts,
    /// What the signals counted before.
    past: SignalPast,
    comparison: Comparison,
}

impl Metrics {
    pub(crate) fn new(baseline: Reference, past: SignalPast) -> Self {
        Self { baseline, tried: None, counted: PairCounts::default(), past, comparison: Comparison::uncounted() }
    }

    /// Notes when it was tried to count.
    pub(crate) fn on_tried(&mut self, at: Time) {
        self.tried = Some(at);
    }

    pub(crate) fn due(&self, plan: &Plan, memory: &Memory) -> Option<Time> {
        agenda::next_counts(plan, memory, &self.comparison, self.tried)
    }

    pub(crate) fn pair(&self, plan: &Plan, memory: &Memory, subject: &Subject, now: Time) -> Option<VersionPair> {
        self.due(plan, memory).filter(|due| now >= *due)?;
        let note = agenda::compared(plan, memory)?;
        Some(VersionPair {
            subject: subject.clone(),
            stable: note.stable?,
            candidate: note.candidate?,
            // The minute in which it began may have invocations of an earlier rollout of the same versions.
            from: Time::from_secs(note.started_at.as_secs().div_ceil(60) * 60),
            limits: limits(plan, &self.baseline),
            signals: plan.signals.clone(),
        })
    }

    /// Takes over what was counted on an attempt at `tried`. `reason` is what AWS says of why it is nothing.
    ///
    /// # Errors
    /// Nothing could be counted, or made of it: why.
    pub(crate) fn take(
        &mut self,
        (plan, memory): (&Plan, &Memory),
        tried: Time,
        counts: Dated<Result<PairCounts, CloudError>>,
        (logs, reason): (&LogSignals<'_>, Option<&str>),
        now: Time,
    ) -> Result<(), String> {
        self.tried = Some(tried);
        let Dated { at, answer: counts } = counts;
        let Some(note) = agenda::compared(plan, memory) else { return Ok(()) };
        let failed = |why: String, throttled| ReadError { why: format!("the invocations cannot be counted: {why}"), throttled };
        let found = match counts {
            Ok(counted) => {
                self.counted = counted;
                let unreadable = logs.unreadable(now).map_or(Ok(()), Err);
                let found = unreadable.and_then(|()| find(&self.held_against((plan, &note), logs, reason, now)));
                found.map_err(|why| failed(why, false))
            }
            Err(error) => Err(failed(error.to_string(), error.failure == Failure::Throttled)),
        };
        match found {
            Ok(finding) => self.comparison = Comparison::Read { at, finding: Box::new(finding), failing: None },
            Err(failing) => {
                let why = failing.why.clone();
                match &mut self.comparison {
                    Comparison::Read { failing: known, .. } => *known = Some(failing),
                    Comparison::Unread { failing: known } => *known = failing,
                }
                return Err(why);
            }
        }
        Ok(())
    }

    fn held_against<'a>(
        &'a self,
        (plan, note): (&'a Plan, &'a Note),
        logs: &'a LogSignals<'_>,
        reason: Option<&'a str>,
        now: Time,
    ) -> Counted<'a> {
        let (minutes, signals, logs) = (&self.counted.minutes, &self.counted.signals, logs.counts());
        Counted { plan, note, minutes, baseline: &self.baseline, signals, past: &self.past, logs, reason, now }
    }

    /// Whether no invocation of the candidate is counted, though `CloudWatch` should have had some by now, and nothing is decided yet.
    pub(crate) fn is_overdue(&self) -> bool {
        let Comparison::Read { finding, .. } = &self.comparison else { return false };
        finding.unseen == Some(Unseen::Late) || finding.opinion == AnalysisVerdict::NoData && finding.step_calls == 0
    }

    /// What was found, with the invocations of the step that is in force by now, and what of the candidate should be counted by now: a
    /// pause may have lasted since.
    pub(crate) fn comparison(&self, (plan, memory): (&Plan, &Memory), logs: &LogSignals<'_>, now: Time) -> Comparison {
        let mut comparison = self.comparison.clone();
        if let (Comparison::Read { finding, .. }, Some(note)) = (&mut comparison, memory.note(plan)) {
            finding.step_calls = step_calls(&note, &self.counted.minutes);
            let overdue = unseen(&self.held_against((plan, &note), logs, None, now));
            finding.unseen = finding.unseen.or_else(|| overdue.map(|_| Unseen::Early));
        }
        comparison
    }
}
