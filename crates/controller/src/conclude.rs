//! What is said at the end? The reason and where the traffic is, where the events alone do not show them.

use rollout::alias::{AliasState, Audience, alias_state};
use rollout::event::RolloutSummary;
use rollout::health::Health;
use rollout::logged_error::LoggedError;
use rollout::observation::{Candidate, Observation, Readiness};
use rollout::plan::Entry;
use rollout::signal::Signal;
use rollout::timing::LOG_LIMIT;
use rollout::turn::Turn;
use rollout::{Cause, Outcome};

use crate::driver::Driver;
use crate::event_sink::{traffic, unread};
use crate::log_query::{LogSearch, error_lines};
use crate::manual_command;
use crate::port::{Clock, Cloud};
use crate::preflight::versions::rejected_before;

impl<C: Cloud, K: Clock> Driver<'_, C, K> {
    /// What the candidate logged when it failed. All traffic is back by then, and no call that fails or takes long changes anything.
    pub(crate) async fn evidence(&self, outcome: &Outcome) -> Vec<LoggedError> {
        let Outcome::RolledBack(
            Cause::Alarm | Cause::Analysis | Cause::PreHook | Cause::StepHook | Cause::PostHook | Cause::Check,
        ) = outcome
        else {
            return Vec::new();
        };
        let Some((candidate, group)) = self.prepared.log_group().filter(|_| !self.plan.no_logs) else { return Vec::new() };
        let search = LogSearch {
            function: self.io.request.subject.function.name.clone(),
            group,
            candidate,
            stable: self.plan.stable,
            from: self.plan.began,
            to: self.io.now(),
            filters: self.plan.signals.iter().filter_map(Signal::filter).map(str::to_owned).collect(),
        };
        let found = tokio::select! {
            biased;
            () = self.io.signalled() => None,
            found = error_lines(self.io.cloud, self.io.clock, &search, LOG_LIMIT) => found,
        };
        found.unwrap_or_else(|| Ok(Vec::new())).unwrap_or_else(|error| {
            tracing::debug!(%error, "no error lines");
            Vec::new()
        })
    }

    /// What came of it where it goes on without this process. A rollout that begins tells so; a turn in its midst tells nothing.
    pub(crate) fn leave(&mut self, seen: &Observation) -> RolloutSummary {
        let traffic = traffic(seen.alias.as_ref());
        match self.io.request.turn {
            Some(Turn::Begin) => self.sink.end(seen.now, &Outcome::Detached, None, traffic, None),
            Some(Turn::Tick(_)) | None => self.sink.so_far(seen.now, &Outcome::Detached, None, traffic),
        }
    }

    pub(crate) fn end(&mut self, outcome: &Outcome, seen: &Observation, evidence: Vec<LoggedError>) -> RolloutSummary {
        let alias = seen.alias.as_ref();
        let (detail, command) = match outcome {
            Outcome::RollbackUnconfirmed => {
                let cause = self.memory.failed().unwrap_or(Cause::Hand);
                let region = self.io.cloud.region();
                let command =
                    alias.map(|alias| manual_command::command(&self.plan, &self.io.request.subject, region, alias, seen, cause));
                let unconfirmed = || "the alias could not be updated, or no response confirmed the update".to_owned();
                (Some(self.memory.refused().cloned().unwrap_or_else(unconfirmed)), command)
            }
            Outcome::Superseded | Outcome::Refused => (Some(self.whose(seen)), None),
            Outcome::Failed => (why_failed(seen), None),
            Outcome::LeftInProgress => (self.left_as_set(seen), None),
            Outcome::Promoted | Outcome::Unchanged | Outcome::RolledBack(_) | Outcome::Detached => (None, None),
        };
        // Not having seen the alias for too long is not knowing that there is none.
        let traffic = match (alias, unseen(seen)) {
            (None, Some(_)) => unread(outcome),
            (alias, _) => traffic(alias),
        };
        self.sink.logged(evidence);
        self.sink.end(seen.now, outcome, detail, traffic, command)
    }

    fn left_as_set(&self, seen: &Observation) -> Option<String> {
        let AliasState::SetByHand(_, weight) = alias_state(seen.alias.as_ref()?) else { return None };
        let limit = rollout::format::exact(self.plan.analysis.max_hold);
        (!seen.interrupted)
            .then(|| format!("traffic was set manually to {weight} and left so for {limit}; no process watches it now"))
    }

    /// Why this rollout was refused, or who has the alias now.
    fn whose(&self, seen: &Observation) -> String {
        if let Some(refusal) = self.memory.refused() {
            return refusal.clone();
        }
        if let Some(why) = unseen(seen).filter(|_| seen.alias.is_none() && !self.memory.claimed()) {
            let limit = rollout::format::exact(self.plan.blind_limit);
            return format!("nothing could be watched for {limit} (--blind-limit), before the alias was acquired: {why}");
        }
        let found = seen.alias.as_ref().map(alias_state);
        let ended_here =
            found.as_ref().and_then(AliasState::note).filter(|note| note.id == self.plan.id && note.phase.is_terminal());
        match (&seen.candidate, ended_here.is_some() || matches!(self.plan.entry, Entry::Supersede(_)), found) {
            (Candidate::Published(version, _), true, _) if Some(*version) == self.plan.stable => {
                format!("nothing to roll out: publishing returned {version}, which is already stable")
            }
            (Candidate::Published(version, Readiness::Unfit(why)), true, _) => format!("{version} cannot be rolled out: {why}"),
            (Candidate::Published(version, _), true, found) => {
                let rejected = found.as_ref().and_then(AliasState::note).into_iter().flat_map(|note| &note.rejected);
                let cause = rejected.into_iter().find(|rejected| rejected.version == *version).map(|rejected| rejected.cause);
                match cause {
                    Some(cause) => rejected_before(*version, cause).to_string(),
                    None => format!("{version} is the version that the other rollout rolls out"),
                }
            }
            (Candidate::Failed(why), true, _) => why.clone(),
            (_, _, Some(AliasState::Idle(_))) if seen.interrupted && !self.memory.claimed() => {
                "interrupted before the alias was acquired".to_owned()
            }
            (_, _, Some(found)) => found.describe(Audience::Loser),
            (_, _, None) => "the alias no longer exists".to_owned(),
        }
    }
}

/// Why nothing could be seen at the end, if nothing could.
fn unseen(seen: &Observation) -> Option<String> {
    match &seen.health {
        Health::Unread { why } => Some(why.clone()),
        Health::Read { failing, .. } => failing.as_ref().map(|failing| failing.why.clone()),
        Health::Unwatched => None,
    }
}

fn why_failed(seen: &Observation) -> Option<String> {
    if let Some(moving) = seen.alias.as_ref().filter(|alias| alias.is_moving()) {
        return Some(alias_state(moving).describe(Audience::Reader));
    }
    match &seen.candidate {
        _ if seen.write_blocked.is_some() => seen.write_blocked.clone(),
        Candidate::Failed(why) | Candidate::Published(_, Readiness::Unfit(why)) => Some(why.clone()),
        Candidate::Unknown | Candidate::Settling | Candidate::Outdated | Candidate::Ready | Candidate::Published(..) => None,
    }
}
