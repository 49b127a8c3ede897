//! What came of it? A fold over the events of one rollout, and the ending it adds up to.

use std::time::Duration;

use crate::check::CheckState;
use crate::comparison::{AnalysisVerdict, Numbers, SharedDegradation};
use crate::event::{EndReason, Event, EventKind, RolloutSummary};
use crate::format::grouped;
use crate::health::AlarmState;
use crate::hook::HookUrl;
use crate::logged_error::LoggedError;
use crate::note::RolloutId;
use crate::plan::Mode;
use crate::{Cause, Outcome, ReasonKind, Time, Version};

/// What the events of one rollout add up to so far.
#[derive(Clone, Debug, Default)]
pub struct Report {
    started: Option<Time>,
    rollout_id: String,
    stable: Option<Version>,
    candidate: Option<Version>,
    cause: Option<(Cause, String)>,
    happened: Option<Time>,
    noticed: Option<Time>,
    reverted: Option<Duration>,
    failed_hook: Option<String>,
    /// How many checks are asked.
    checks: usize,
    /// Whether alarms are watched, and whether one was seen in ALARM.
    alarms: (bool, bool),
    analysis: Option<Mode>,
    counted: Option<(AnalysisVerdict, Numbers)>,
    /// How many test events the candidate answered.
    probed: Option<u32>,
    held_up: bool,
    evidence: Vec<LoggedError>,
    /// What a promotion does not rest on.
    unseen: Option<&'static str>,
    /// Trouble that both versions had alike.
    together: Option<SharedDegradation>,
    /// Whether the function is durable, and whether the candidate had traffic that was taken from it.
    durable: (bool, bool),
    /// Whether a person gave the candidate all traffic.
    promoted_manually: bool,
}

impl Report {
    /// Takes one more event into account.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a fold takes what it adds up and ignores the rest")]
    pub fn add(&mut self, event: &Event) {
        match &event.what {
            EventKind::Started(started) => {
                self.started = Some(event.at);
                self.rollout_id.clone_from(&started.rollout_id);
                self.stable = started.stable;
                self.candidate = started.candidate;
                self.alarms.0 = !started.alarms.is_empty();
                self.analysis = started.analysis;
                self.checks = started.checks.len();
            }
            EventKind::Published { version } | EventKind::AliasCreated { version } => self.candidate = Some(*version),
            EventKind::RollbackStarted { cause, why, happened, .. } => {
                self.cause = Some((*cause, why.clone()));
                self.happened = *happened;
                self.noticed = Some(event.at);
            }
            EventKind::AlarmChanged { state: AlarmState::Alarm, .. } => self.alarms.1 = true,
            EventKind::WeightShifted { manually: true, .. } | EventKind::Promoted { manually: true, .. } => {
                self.promoted_manually = true;
            }
            EventKind::Compared { opinion, numbers, .. } => self.counted = Some((*opinion, (**numbers).clone())),
            EventKind::SharedDegradation { since, why } => {
                self.together = Some(SharedDegradation { since: *since, why: why.clone() });
            }
            EventKind::ProbeSucceeded { count } => self.probed = Some(*count),
            EventKind::HookFailed { name, .. } | EventKind::Check { name, state: CheckState::Failed, .. } => {
                self.failed_hook = Some(name.clone());
            }
            EventKind::Restored { version, moved: true } => {
                self.durable.1 = true;
                // A first deployment has nothing to go back to.
                self.reverted = self.noticed.filter(|_| version.is_some()).map(|noticed| event.at.since(noticed));
            }
            _ => {}
        }
    }

    /// What is known of a rollout that ends before its first event.
    pub fn known(&mut self, id: RolloutId, stable: Option<Version>) {
        self.rollout_id = id.to_string();
        self.stable = stable;
    }

    /// Takes into account that others of its group could not begin, or go on: nothing else prevented this one.
    pub fn held_up(&mut self) {
        self.held_up = true;
    }

    /// Takes into account what the candidate logged when it failed.
    pub fn logged(&mut self, evidence: Vec<LoggedError>) {
        self.evidence = evidence;
    }

    /// Takes into account that something could not be seen: what a promotion then does not rest on.
    pub fn cannot_see(&mut self, what: &'static str) {
        self.unseen = Some(what);
    }

    /// Takes into account that the function is durable: what began on a version stays there.
    pub fn durable(&mut self) {
        self.durable.0 = true;
    }

    fn executions_stay(&self, outcome: &Outcome) -> bool {
        self.durable == (true, true) && matches!(outcome, Outcome::RolledBack(_))
    }

    /// The ending that these events and this outcome add up to. `detail` is the reason where the events do not hold it, `traffic`
    /// where the traffic is.
    pub fn ending(&self, subject: &str, outcome: &Outcome, detail: Option<String>, traffic: String, now: Time) -> RolloutSummary {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let known = self.cause.as_ref().map(|(_, why)| why.clone());
        let numbers = self.counted.as_ref().map(|(_, numbers)| numbers);
        let traffic = if *outcome == Outcome::RollbackUnconfirmed { "unknown".to_owned() } else { traffic };
        RolloutSummary {
            outcome: outcome.kind(),
            exit_code: outcome.exit_code(),
            reason: EndReason {
                kind: if self.held_up { ReasonKind::HeldUp } else { outcome.reason() },
                detail: detail.or(known).unwrap_or_else(|| self.phrase(outcome)),
            },
            stable: self.stable,
            candidate: self.candidate.filter(|candidate| Some(*candidate) != self.stable),
            rollout_id: self.rollout_id.clone(),
            traffic,
            took_ms: self.started.map_or(0, |started| millis(now.since(started))),
            noticed_ms: self.happened.zip(self.noticed).map(|(happened, noticed)| millis(noticed.since(happened))),
            reverted_ms: self.reverted.map(millis),
            exposed: numbers.map(|numbers| numbers.candidate.calls),
            requests: numbers.map(|numbers| numbers.candidate.calls + numbers.stable.calls),
            extra_failures: numbers.map(Numbers::most_extra_failures),
            observed_invocations: self.observed(outcome),
            shared_degradation: self.together.clone(),
            evidence: self.evidence.clone(),
            executions_stay: self.executions_stay(outcome),
            next: self.next(subject, outcome),
        }
    }

    /// The candidate's invocations that a promotion rests on, where both versions' were compared.
    fn observed(&self, outcome: &Outcome) -> Option<u64> {
        let compared = matches!(self.analysis, Some(Mode::On | Mode::Observe)) && self.stable.is_some();
        let counted = || self.counted.as_ref().map_or(0, |(_, numbers)| numbers.candidate.calls);
        (*outcome == Outcome::Promoted && compared).then(counted)
    }

    fn phrase(&self, outcome: &Outcome) -> String {
        let text = match outcome {
            Outcome::Promoted => return self.verified(),
            Outcome::Unchanged => "nothing to roll out: publishing returned the version that is already stable",
            Outcome::Refused => "refused; traffic unchanged",
            Outcome::RolledBack(cause) => cause.phrase(),
            Outcome::Superseded => "another owner has the alias, or something else changed it; it was not changed again",
            Outcome::LeftInProgress => "on purpose: no process watches it now; run the same command again to resume",
            Outcome::Detached => "detached, as requested: the rollout continues by turns",
            Outcome::RollbackUnconfirmed => "the rollback was not confirmed",
            Outcome::Failed => "something unexpected happened",
        };
        text.to_owned()
    }

    /// What a promotion rests on: only what was watched, and what it showed.
    fn verified(&self) -> String {
        let Some(stable) = self.stable else { return "first version of this alias: it gets all traffic".to_owned() };
        let named = self.candidate.map_or_else(|| "the new version".to_owned(), |version| version.to_string());
        let (watched, fired) = self.alarms;
        let began = if self.promoted_manually { "promoted manually, ahead of its schedule" } else { "all steps completed" };
        let mut parts = vec![began.to_owned()];
        parts.extend((watched && !fired).then(|| "no alarm fired".to_owned()));
        parts.extend((self.checks > 0).then(|| "no check failed".to_owned()));
        parts.extend(self.probed.map(|count| format!("{named} answered {count} of {count} test events")));
        if matches!(self.analysis, Some(Mode::On | Mode::Observe)) {
            let counted = self.counted.as_ref().filter(|(_, numbers)| numbers.candidate.calls > 0);
            let over = |numbers: &Numbers| format!("{} invocations", grouped(numbers.candidate.calls));
            match counted {
                None if self.probed.is_none() => {
                    let manually = if self.promoted_manually { "promoted manually; " } else { "" };
                    return format!("{manually}no invocation of {named} was observed: nothing was verified");
                }
                Some((AnalysisVerdict::Pass, numbers)) => {
                    parts.push(format!("{named} no worse than {stable} over {}", over(numbers)));
                }
                Some((AnalysisVerdict::LowPower, numbers)) => {
                    parts.push(format!("{named} had only {}, too few to compare", over(numbers)));
                }
                // What was not certain by the end is not claimed.
                Some((AnalysisVerdict::Hold | AnalysisVerdict::NoData | AnalysisVerdict::RollBack, _)) | None => {}
            }
        }
        parts.extend(self.counted.as_ref().and_then(|(_, numbers)| numbers.slower()));
        parts.extend(self.unseen.map(str::to_owned));
        let nothing = !watched && self.checks == 0 && self.analysis == Some(Mode::Off) && self.probed.is_none();
        if nothing { format!("{began}; nothing was watched") } else { parts.join(", ") }
    }

    fn next(&self, subject: &str, outcome: &Outcome) -> Vec<String> {
        let function = subject.split_once(':').map_or(subject, |(function, _)| function);
        let elsewhere = self.failed_hook.as_deref().is_some_and(HookUrl::is_meant);
        let spoke = self.failed_hook.as_deref().map_or(function, |hook| hook.split_once(':').map_or(hook, |(hook, _)| hook));
        let logs = format!("aws logs tail /aws/lambda/{spoke} --since 15m");
        let status = format!("canaryctl status {subject}");
        let rollback = format!("canaryctl rollback {subject}");
        let mut next = match outcome {
            Outcome::Promoted if self.stable.is_some() => vec![rollback],
            Outcome::Promoted | Outcome::Unchanged | Outcome::Refused => vec![status],
            Outcome::RolledBack(
                Cause::Alarm | Cause::Analysis | Cause::PreHook | Cause::StepHook | Cause::PostHook | Cause::Check,
            ) => {
                // Where a URL's server keeps its logs is not known here.
                if elsewhere { vec![status] } else { vec![logs, status] }
            }
            Outcome::RolledBack(_) | Outcome::Failed | Outcome::Superseded => vec![status],
            Outcome::Detached => vec![format!("{status} --watch"), format!("canaryctl pause {subject}"), rollback],
            Outcome::LeftInProgress => vec![rollback, status],
            Outcome::RollbackUnconfirmed => vec![rollback],
        };
        let left = self.candidate.filter(|_| self.executions_stay(outcome));
        next.extend(left.map(|left| {
            let list = "aws lambda list-durable-executions-by-function --statuses RUNNING";
            format!("{list} --function-name {function} --qualifier {left}")
        }));
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::Comparison;
    use crate::counts_tests::found;
    use crate::decide_tests::{plan, version};
    use crate::event::FORMAT;
    use crate::narrate;
    use crate::plan::{Analysis, Plan, Source};
    use crate::policy::Policy;

    fn compared(opinion: AnalysisVerdict, calls: u64) -> EventKind {
        let Comparison::Read { finding, .. } = found(opinion, calls, Time::default()) else { panic!("nothing found") };
        narrate::compared(&finding)
    }

    fn alarm(state: AlarmState) -> EventKind {
        EventKind::AlarmChanged { name: "errors".to_owned(), state, since: Time::default(), reason: String::new() }
    }

    /// The reason of a promotion that was watched like this and saw these events.
    fn reason(stable: Option<u64>, alarms: usize, mode: Mode, events: Vec<EventKind>) -> String {
        let policy = Policy { analysis: Analysis { mode, ..Analysis::default() }, ..Policy::default() };
        let (stable, source) = (stable.map(version), Source::Version(version(42)));
        let plan = Plan { stable, source, alarms: vec!["errors".to_owned(); alarms], policy, ..plan() };
        let started = narrate::started(&plan, None);
        let mut report = Report::default();
        for what in [started].into_iter().chain(events) {
            let (function, alias) = ("hello".to_owned(), "live".to_owned());
            report.add(&Event { v: FORMAT, at: Time::default(), function, alias, what });
        }
        let ending = report.ending("hello:live", &Outcome::Promoted, None, String::new(), Time::default());
        assert_eq!(ending.exit_code, 0);
        ending.reason.detail
    }

    #[test]
    fn a_promotion_claims_only_what_was_watched() {
        let (on, off) = (Mode::On, Mode::Off);
        let (pass, low) = (|| compared(AnalysisVerdict::Pass, 2_393), |calls| compared(AnalysisVerdict::LowPower, calls));
        let probed = EventKind::ProbeSucceeded { count: 3 };
        for (alarms, analysis, events, expected) in [
            (1, on, vec![pass()], "all steps completed, no alarm fired, 42 no worse than 41 over 2,393 invocations"),
            (0, on, vec![pass()], "all steps completed, 42 no worse than 41 over 2,393 invocations"),
            (0, Mode::Observe, vec![pass()], "all steps completed, 42 no worse than 41 over 2,393 invocations"),
            (2, off, vec![alarm(AlarmState::Ok)], "all steps completed, no alarm fired"),
            (2, off, vec![alarm(AlarmState::Alarm), alarm(AlarmState::Ok)], "all steps completed"),
            (0, off, vec![], "all steps completed; nothing was watched"),
            (0, on, vec![], "no invocation of 42 was observed: nothing was verified"),
            (1, on, vec![low(0)], "no invocation of 42 was observed: nothing was verified"),
            (0, on, vec![low(12)], "all steps completed, 42 had only 12 invocations, too few to compare"),
            (1, on, vec![compared(AnalysisVerdict::Hold, 900)], "all steps completed, no alarm fired"),
            (0, on, vec![probed], "all steps completed, 42 answered 3 of 3 test events"),
        ] {
            assert_eq!(reason(Some(41), alarms, analysis, events), expected);
        }
        assert_eq!(reason(None, 1, on, vec![]), "first version of this alias: it gets all traffic");
    }
}
