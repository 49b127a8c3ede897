//! What came of it? A fold over the events of one rollout, and the ending it adds up to.

use std::time::Duration;

use crate::comparison::{Numbers, Thousandths};
use crate::event::{EndReason, Event, EventKind, RolloutSummary};
use crate::hook::HookUrl;
use crate::note::RolloutId;
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
    counted: Option<Numbers>,
    held_up: bool,
}

impl Report {
    /// Takes one more event into account.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a fold takes what it adds up and lets the rest pass")]
    pub fn add(&mut self, event: &Event) {
        match &event.what {
            EventKind::Started(started) => {
                self.started = Some(event.at);
                self.rollout_id.clone_from(&started.rollout_id);
                self.stable = started.stable;
                self.candidate = started.candidate;
            }
            EventKind::Published { version } | EventKind::AliasCreated { version } => self.candidate = Some(*version),
            EventKind::RollbackStarted { cause, why, happened, .. } => {
                self.cause = Some((*cause, why.clone()));
                self.happened = *happened;
                self.noticed = Some(event.at);
            }
            EventKind::Compared { numbers, .. } => self.counted = Some((**numbers).clone()),
            EventKind::HookFailed { name, .. } => self.failed_hook = Some(name.clone()),
            EventKind::Restored { moved: true, .. } => self.reverted = self.noticed.map(|noticed| event.at.since(noticed)),
            _ => {}
        }
    }

    /// What is known of a rollout that ends before its first event.
    pub fn known(&mut self, id: RolloutId, stable: Option<Version>) {
        self.rollout_id = id.to_string();
        self.stable = stable;
    }

    /// Takes into account that others of its group could not begin, or go on: nothing else kept this one from it.
    pub fn held_up(&mut self) {
        self.held_up = true;
    }

    /// The ending that these events and this outcome add up to. `detail` is the reason where the events do not hold it, `traffic`
    /// where the traffic is.
    pub fn ending(&self, subject: &str, outcome: &Outcome, detail: Option<String>, traffic: String, now: Time) -> RolloutSummary {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let known = self.cause.as_ref().map(|(_, why)| why.clone());
        let traffic = if *outcome == Outcome::RollbackUnconfirmed { "unknown".to_owned() } else { traffic };
        RolloutSummary {
            outcome: outcome.kind(),
            exit_code: outcome.exit_code(),
            reason: EndReason {
                kind: if self.held_up { ReasonKind::HeldUp } else { outcome.reason() },
                detail: detail.or(known).unwrap_or_else(|| self.phrase(outcome).to_owned()),
            },
            stable: self.stable,
            candidate: self.candidate.filter(|candidate| Some(*candidate) != self.stable),
            rollout_id: self.rollout_id.clone(),
            traffic,
            took_ms: self.started.map_or(0, |started| millis(now.since(started))),
            noticed_ms: self.happened.zip(self.noticed).map(|(happened, noticed)| millis(noticed.since(happened))),
            reverted_ms: self.reverted.map(millis),
            exposed: self.counted.as_ref().map(|numbers| numbers.candidate.calls),
            requests: self.counted.as_ref().map(|numbers| numbers.candidate.calls + numbers.stable.calls),
            extra_failures: self.counted.as_ref().map(|numbers| numbers.extra_failures.max(Thousandths(0))),
            next: self.next(subject, outcome),
        }
    }

    fn phrase(&self, outcome: &Outcome) -> &'static str {
        match outcome {
            Outcome::Promoted if self.stable.is_none() => "the first version of this alias: every call goes to it",
            Outcome::Promoted => "the schedule is through and nothing spoke against it",
            Outcome::Unchanged => "nothing to roll out: publishing gave the version that is stable already",
            Outcome::Refused => "refused before anything moved",
            Outcome::RolledBack(cause) => cause.phrase(),
            Outcome::Superseded => "somebody else owns the alias or changed it; it was left alone",
            Outcome::LeftInProgress => "left in progress on purpose; the canary keeps its share",
            Outcome::Detached => "left to the process that owns it",
            Outcome::RollbackUnconfirmed => "the way back was not confirmed",
            Outcome::Failed => "something unexpected happened",
        }
    }

    /// What to type next.
    fn next(&self, subject: &str, outcome: &Outcome) -> Vec<String> {
        let function = subject.split_once(':').map_or(subject, |(function, _)| function);
        let elsewhere = self.failed_hook.as_deref().is_some_and(HookUrl::is_meant);
        let spoke = self.failed_hook.as_deref().map_or(function, |hook| hook.split_once(':').map_or(hook, |(hook, _)| hook));
        let logs = format!("aws logs tail /aws/lambda/{spoke} --since 15m");
        let status = format!("canaryctl status {subject}");
        let rollback = format!("canaryctl rollback {subject}");
        match outcome {
            Outcome::Promoted if self.stable.is_some() => vec![rollback],
            Outcome::Promoted | Outcome::Unchanged | Outcome::Refused => vec![status],
            Outcome::RolledBack(Cause::Alarm | Cause::Analysis | Cause::PreHook | Cause::StepHook | Cause::PostHook) => {
                // Where a URL's server keeps its logs is not known here.
                if elsewhere { vec![status] } else { vec![logs, status] }
            }
            Outcome::RolledBack(_) | Outcome::Failed | Outcome::Superseded | Outcome::Detached => vec![status],
            Outcome::LeftInProgress => vec![rollback, status],
            Outcome::RollbackUnconfirmed => vec![rollback],
        }
    }
}
