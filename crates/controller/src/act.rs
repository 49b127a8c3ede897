//! How is an action carried out? One call each; refused, throttled or unanswered, nothing is guessed: the next round looks again.

use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use rollout::comparison::Probe;
use rollout::decide::{Action, Reason};
use rollout::event::{HookPhase, What};
use rollout::narrate::Round;
use rollout::note::Phase;
use rollout::observation::{Candidate, Hook, Observation, Readiness};
use rollout::plan::{HookAnswer, OnLowTraffic};
use rollout::subject::Qualified;
use rollout::write::desired;
use rollout::{Alias, Weight};

use crate::cloud::{Clock, Cloud, CloudError, Failure, Held};
use crate::driver::{Driver, Interrupt, told};
use crate::hooks::{Question, ask};
use crate::probe::probe;

/// How long AWS may refuse every write for good before the rollout is given up: long enough for credentials to be renewed.
const REFUSED: Duration = Duration::from_mins(1);

/// How often to look for a hook's later answer, at the most: it is one of the account's control calls.
const LATER: Duration = Duration::from_secs(5);

/// The shortest and the longest pause after a failed call.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

impl<C: Cloud, K: Clock> Driver<'_, C, K> {
    /// Carries out what was decided.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other action is one conditional write")]
    pub(crate) async fn perform(&mut self, round: &Round) {
        let Round { seen, action } = round;
        match action {
            Action::Wait { until, why } => self.rest(*until, why).await,
            Action::UpdateCode => self.update_code().await,
            Action::Publish => self.publish().await,
            // Boxed: rare, and large beside what every round needs on the stack.
            Action::KeepAlarms => Box::pin(self.keep_alarms()).await,
            Action::InvokeHook => self.invoke_hook().await,
            Action::Probe => self.send_probes(),
            Action::Finish(_) => {}
            Action::Create(_) => {
                if let Some(alias) = desired(&self.plan, seen, action) {
                    let answer = self.cloud.create_alias(&self.request.subject, &alias).await;
                    self.written(action, answer).await;
                }
            }
            _ => match desired(&self.plan, seen, action).zip(self.held.clone()) {
                Some((alias, held)) => self.write(action, &alias, &held).await,
                None => self.no_room(seen).await,
            },
        }
    }

    async fn write(&mut self, action: &Action, alias: &Alias, held: &Held) {
        // Whoever insists is told that nobody knows; nothing less cuts a write off.
        let answer = tokio::select! {
            biased;
            answer = self.cloud.update_alias(&self.request.subject, alias, &held.revision) => answer,
            () = told(self.interrupt.clone(), Interrupt::AtOnce) => Err(cut_off()),
        };
        if answer.is_ok() {
            self.replaced.push(held.revision.clone());
        }
        self.written(action, answer).await;
    }

    async fn written(&mut self, action: &Action, answer: Result<Held, CloudError>) {
        match answer {
            Ok(held) => {
                if let Action::RollBack(cause) = action {
                    self.restored = Some(*cause);
                }
                self.take_alias(Some(held));
                (self.fresh, self.unanswered) = (true, None);
                (self.failures, self.refused_since) = (0, None);
            }
            Err(error) => self.not_written(action, error).await,
        }
    }

    async fn not_written(&mut self, action: &Action, error: CloudError) {
        self.fresh = false;
        self.failures += 1;
        let back = matches!(action, Action::RollBack(_) | Action::Confirm);
        match error.failure {
            // Somebody wrote in between, or our own lost write has landed: the next look tells which.
            Failure::Outdated => {}
            Failure::Unanswered => {
                self.unanswered.get_or_insert(self.cloud.time());
                self.trouble(format!("no answer to a write, looking whether it landed: {error}"));
            }
            Failure::Conflict | Failure::Throttled | Failure::Unsent | Failure::Unsigned | Failure::NotExecuted => {
                self.trouble(format!("a write was not taken, trying again: {error}"));
            }
            Failure::NotFound | Failure::Denied | Failure::Invalid => {
                self.trouble(format!("a write was refused: {error}"));
                let full = matches!(action, Action::Shift { step, .. } if self.plan.schedule.weight(*step) == Weight::FULL);
                if full && error.failure == Failure::Invalid && !self.full_weight_refused {
                    self.full_weight_refused = true;
                } else if !back {
                    let now = self.cloud.time();
                    let claiming = *action == Action::Claim;
                    let since = *self.refused_since.get_or_insert(now);
                    if claiming || now.since(since) >= REFUSED {
                        self.stuck = Some(format!("AWS refuses to change the alias: {error}"));
                        self.refusal.clone_from(&self.stuck);
                    }
                }
            }
        }
        let (shortest, longest) = PAUSES;
        let pause = shortest.saturating_mul(1 << self.failures.min(6)).min(longest);
        self.pause(pause).await;
        // What is to be done about it shows in the alias, whoever called meanwhile.
        self.nudged = false;
    }

    /// The user's text grew in mid-rollout and leaves no room for the note: hold, keep watching. A rollback drops the note instead.
    async fn no_room(&mut self, seen: &Observation) {
        let why = "the alias' description leaves no room for the rollout's note: holding".to_owned();
        self.trouble(why.clone());
        self.rest(seen.now + self.plan.poll, &Reason::Blind(why)).await;
    }

    async fn update_code(&mut self) {
        let Some(code) = &self.request.code else { return };
        match self.cloud.update_code(&self.request.subject.function, code).await {
            Ok(hash) => {
                (self.code_updated, self.candidate, self.latest) = (Some(hash), Candidate::Settling, None);
                self.announce(What::CodeUpdated);
            }
            Err(error) => self.not_prepared("the code could not be updated", error).await,
        }
    }

    async fn publish(&mut self) {
        let Some(latest) = self.latest.clone() else { return };
        match self.cloud.publish(&self.request.subject.function, &latest, self.request.description.as_deref()).await {
            Ok(version) => self.candidate = Candidate::Published(version, Readiness::Pending),
            Err(error) => self.not_prepared("the version could not be published", error).await,
        }
    }

    /// Updating and publishing again is harmless, so anything that may pass is tried again.
    async fn not_prepared(&mut self, what: &str, error: CloudError) {
        let why = format!("{what}: {error}");
        match error.failure {
            Failure::NotFound | Failure::Denied | Failure::Invalid => self.candidate = Candidate::Failed(why),
            Failure::Outdated
            | Failure::Conflict
            | Failure::Throttled
            | Failure::Unanswered
            | Failure::Unsent
            | Failure::Unsigned
            | Failure::NotExecuted => {
                self.trouble(why);
                self.candidate = Candidate::Settling;
                self.pause(PAUSES.1.min(self.plan.poll)).await;
            }
        }
    }

    /// Sends the question off, before anything is looked at again; the answer is awaited while the loop rests.
    async fn invoke_hook(&mut self) {
        let Some(announced @ (phase, attempt, _)) = self.announced() else { return };
        let hook = match phase {
            HookPhase::PreTraffic => &self.request.pre_hook,
            HookPhase::Step => &self.request.step_hook,
            HookPhase::PostTraffic => &self.request.post_hook,
        };
        let Some(hook) = hook.clone() else { return };
        let alias = self.held.as_ref().map(|held| &held.alias);
        let question = Question {
            hook,
            phase,
            attempt,
            step: self.note().and_then(|note| if let Phase::Shift { step, .. } = note.phase { Some(step) } else { None }),
            rollout_id: self.plan.id.to_string(),
            function: self.request.subject.function.name.clone(),
            alias: self.request.subject.alias.clone(),
            stable: self.stable_arn(),
            candidate: self.candidate_arn(),
            weight: alias.and_then(Alias::canary).map_or(Weight::ZERO, |(_, weight)| weight),
            any_answer: self.request.hook_answer == HookAnswer::Any,
            look: self.plan.poll.max(LATER),
        };
        let (cloud, clock) = (self.cloud, self.clock);
        self.hook.which = Some(announced);
        let mut asking = Box::pin(async move { ask(cloud, clock, &question).await });
        self.hook.state = Hook::Running(cloud.time());
        match std::future::poll_fn(|context| Poll::Ready(asking.as_mut().poll(context))).await {
            Poll::Ready(answer) => self.hook.state = answer.map_or_else(Hook::Failed, |()| Hook::Succeeded),
            Poll::Pending => self.hook.asking = Some(asking),
        }
    }
}

impl<C: Cloud, K: Clock> Driver<'_, C, K> {
    /// Sends the saved events off; their answers are awaited while the loop rests.
    fn send_probes(&mut self) {
        let candidate = self.note().and_then(|note| note.candidate);
        let (Some(event), Some(version), OnLowTraffic::Probe(count)) =
            (self.request.probe_event.clone(), candidate, self.plan.analysis.on_low_traffic)
        else {
            self.probe = Probe::Unsent("there is no saved event to send".to_owned());
            return;
        };
        let candidate = Qualified { function: self.request.subject.function.clone(), qualifier: Some(version.to_string()) };
        let (cloud, clock) = (self.cloud, self.clock);
        self.probe = Probe::Running;
        self.probing = Some(Box::pin(async move { probe(cloud, clock, &candidate, &event, count).await }));
    }
}

/// What a write came to that nobody waited for.
fn cut_off() -> CloudError {
    CloudError { failure: Failure::Unanswered, operation: "UpdateAlias", message: "not waited for".to_owned(), code: None }
}
