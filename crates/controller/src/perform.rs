//! How is an action carried out? One call each; refused, throttled or unanswered, nothing is guessed: the next round looks again.

use std::time::Duration;

use rollout::action::{Action, Reason};
use rollout::candidate::not_prepared;
use rollout::check::asked_now;
use rollout::comparison::Probe;
use rollout::event::{EventKind, HookPhase};
use rollout::guarded::{Guarded, Scheduled};
use rollout::hook::HookTarget;
use rollout::note::{Note, Phase};
use rollout::observation::{Candidate, Observation, Readiness};
use rollout::plan::{HookAnswer, OnLowTraffic};
use rollout::target::Qualified;
use rollout::timing::LATER_ANSWER;
use rollout::turn::Turn;
use rollout::write::{desired, handed_over};
use rollout::{Alias, Weight};

use crate::backoff::Backoff;
use crate::driver::Driver;
use crate::guard::{Guard, guarding, not_started};
use crate::hooks::{Question, ask, check};
use crate::interrupt::{Interrupt, wait_for_signal};
use crate::jobs::{Announced, announced};
use crate::managed_alarms::keep;
use crate::port::{AliasSnapshot, Clock, Cloud, CloudError, Failure, GuardExecution, ScheduleSpec};
use crate::preflight::alarms::PERMISSIONS;
use crate::probe::probe;

/// How long to wait before it is tried again to see to an alarm.
const AGAIN: Duration = Duration::from_secs(5);

const PAUSES: Backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(5) };

impl<C: Cloud, K: Clock> Driver<'_, C, K> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other action is one conditional write")]
    pub(crate) async fn perform(&mut self, action: &Action, seen: &Observation) {
        match action {
            Action::UpdateCode => self.update_code().await,
            Action::Publish => self.publish().await,
            // Boxed: rare, and large beside what every round needs on the stack.
            Action::ManageAlarms => Box::pin(self.keep_alarms()).await,
            Action::StartGuard => Box::pin(self.start_guard()).await,
            Action::InvokeHook => self.invoke_hook().await,
            Action::Probe => self.send_probes(),
            Action::Wait { .. } | Action::Finish(_) => {}
            Action::Create(_) => {
                if let Some(alias) = desired(&self.plan, seen, action) {
                    let answer = self.io.cloud.create_alias(&self.io.request.subject, &alias).await;
                    self.written(action, answer).await;
                }
            }
            _ => match desired(&self.plan, seen, action).zip(self.memory.held().cloned()) {
                Some((alias, held)) => self.write(action, &alias, &held).await,
                None => self.no_room(seen).await,
            },
        }
    }

    async fn write(&mut self, action: &Action, alias: &Alias, held: &AliasSnapshot) {
        // Whoever insists is told that nobody knows; nothing less cuts a write off.
        let answer = tokio::select! {
            biased;
            answer = self.io.cloud.update_alias(&self.io.request.subject, alias, &held.revision) => answer,
            () = wait_for_signal(self.io.interrupt.clone(), Interrupt::AtOnce) => Err(cut_off()),
        };
        let announces =
            matches!(action, Action::AnnouncePreHook | Action::AnnounceStepHook | Action::AnnouncePostHook | Action::TakeOver);
        // What AWS has refused is another turn's, if the alias announces the same.
        let may_stand = answer.as_ref().map_or_else(|error| error.failure == Failure::Unanswered, |_| true);
        if announces && may_stand {
            self.jobs.announced(alias.note().and_then(|note| note.hook));
        }
        self.written(action, answer).await;
    }

    /// Leaves the rollout to turns, in one write of its note; whether it was taken shows in the next look.
    pub(crate) async fn hand_over(&mut self, seen: &Observation) {
        match self.memory.held().cloned().and_then(|held| Some((handed_over(&self.plan, seen.now, &held.alias)?, held))) {
            Some((alias, held)) => self.write(&Action::Renew, &alias, &held).await,
            None => self.no_room(seen).await,
        }
    }

    async fn written(&mut self, action: &Action, answer: Result<AliasSnapshot, CloudError>) {
        match answer {
            Ok(held) => self.memory.on_written(&self.plan, action, held, self.io.now()),
            Err(error) => self.not_written(action, error).await,
        }
    }

    async fn not_written(&mut self, action: &Action, error: CloudError) {
        self.memory.on_write_failed(&self.plan, action, error.failure, &error.to_string(), self.io.now());
        match error.failure {
            // Somebody wrote in between, or our own lost write has landed: the next look tells which.
            Failure::Outdated => {}
            Failure::Unanswered if error.code.is_some() => {
                self.warn(format!("AWS failed to update the alias, checking whether it was applied: {error}"));
            }
            Failure::Unanswered => {
                self.warn(format!("no response to an update of the alias, checking whether it was applied: {error}"));
            }
            Failure::NotFound | Failure::Denied | Failure::Expired | Failure::Invalid => {
                self.warn(format!("AWS refused an update of the alias: {error}"));
            }
            Failure::Conflict | Failure::Throttled | Failure::Unsent | Failure::Unsigned | Failure::NotExecuted => {
                self.warn(format!("an update of the alias failed, retrying: {error}"));
            }
        }
        self.pause(PAUSES.after(self.memory.failures())).await;
        // What is to be done about it shows in the alias, whoever called meanwhile.
        self.group.woken = false;
    }

    /// The user's text grew in mid-rollout and leaves no room for the note: hold, keep watching. A rollback drops the note instead.
    async fn no_room(&mut self, seen: &Observation) {
        let why = "the alias' description has no room for what the rollout records: holding".to_owned();
        self.warn(why.clone());
        self.rest(seen.now + self.plan.poll, &Reason::Blind(why)).await;
    }

    async fn update_code(&mut self) {
        let Some(code) = &self.io.request.code else { return };
        match self.io.cloud.update_code(&self.io.request.subject.function, code).await {
            Ok(hash) => {
                self.prepared.on_updated(hash);
                self.announce(EventKind::CodeUpdated);
            }
            Err(error) => self.not_prepared("the code could not be updated", error).await,
        }
    }

    async fn publish(&mut self) {
        let Some(latest) = self.prepared.latest.clone() else { return };
        let request = self.io.request;
        match self.io.cloud.publish(&request.subject.function, &latest, request.description.as_deref()).await {
            Ok(version) => self.prepared.candidate = Candidate::Published(version, Readiness::Pending),
            Err(error) => self.not_prepared("the version could not be published", error).await,
        }
    }

    async fn not_prepared(&mut self, what: &str, error: CloudError) {
        let why = format!("{what}: {error}");
        self.prepared.candidate = not_prepared(error.failure, why.clone());
        if self.prepared.candidate == Candidate::Settling {
            self.warn(why);
            self.pause(PAUSES.longest.min(self.plan.poll)).await;
        }
    }

    /// Sees to the alarms of the candidate; from then on they are watched.
    async fn keep_alarms(&mut self) {
        let noted = || self.memory.note(&self.plan)?.candidate;
        let Some(candidate) = self.prepared.candidate.published().or_else(noted) else { return };
        let (cloud, request) = (self.io.cloud, self.io.request);
        let moved = self.memory.alias().is_some_and(|alias| alias.canary().is_some());
        for rule in &request.managed {
            match keep(cloud, &request.subject, rule, candidate, moved).await {
                Ok(text) => self.announce(EventKind::ManagedAlarm { name: rule.name.clone(), text }),
                Err(error) => return self.not_kept(&rule.name, &error).await,
            }
        }
        self.alarms.on_managed(moved, self.io.now());
        self.memory.on_waited();
    }

    async fn not_kept(&mut self, name: &str, error: &CloudError) {
        let mut why = format!("managed alarm `{name}` could not be created or updated: {error}");
        if error.failure == Failure::Denied && error.code.is_some() {
            why = format!("{why}\n  hint: {PERMISSIONS}");
        }
        self.memory.on_waited();
        if self.memory.on_not_managed(&self.plan, error.failure, &why, self.io.now()) {
            return;
        }
        self.warn(why);
        self.pause(AGAIN.min(self.plan.poll)).await;
    }

    /// Starts what guards the rollout once this process is gone, or what has it continue.
    async fn start_guard(&mut self) {
        if let Some(schedule) = self.schedule.clone() {
            return self.create_schedule(schedule).await;
        }
        let Some(guard) = &self.io.request.guard else { return };
        let started = self.guard_with(guard).await;
        self.memory.on_waited();
        match started {
            Ok(GuardExecution { machine, name, .. }) => {
                self.guarded = true;
                self.announce(EventKind::Guarded(Guarded { state_machine: machine, execution: name }));
            }
            Err(error) => self.not_guarded(guard, &error).await,
        }
    }

    async fn create_schedule(&mut self, spec: ScheduleSpec) {
        let cloud = self.io.cloud;
        let created = match cloud.create_schedule(&spec).await {
            // The one of a process that began this rollout before, by what it knew then.
            Err(error) if error.failure == Failure::Conflict => match cloud.delete_schedule(&spec.name).await {
                Ok(()) => cloud.create_schedule(&spec).await,
                Err(error) => Err(error),
            },
            created => created,
        };
        self.memory.on_waited();
        match created {
            Ok(()) => {
                self.schedule = None;
                self.announce(EventKind::Scheduled(Scheduled { schedule: spec.name, controller: spec.function }));
            }
            Err(error) => self.not_scheduled(&error).await,
        }
    }

    async fn not_scheduled(&mut self, error: &CloudError) {
        let hint = "`canaryctl controller template` prints what to deploy, and `iam-policy --detach` what is needed to use it";
        let why = format!("the schedule could not be created: {error}\n  hint: {hint}");
        if !self.memory.on_not_guarded(&self.plan, error.failure, &why, self.io.now()) {
            self.warn(why);
            self.pause(AGAIN.min(self.plan.poll)).await;
        }
    }

    async fn guard_with(&self, guard: &Guard) -> Result<GuardExecution, CloudError> {
        let (cloud, subject) = (self.io.cloud, &self.io.request.subject);
        let function = match self.prepared.stable_arn() {
            Some(arn) => arn,
            // What is resumed may begin without it.
            None => cloud.configuration(&subject.function, None).await?.arn,
        };
        let execution = guarding(&guard.machine, subject, &function, &self.plan)?;
        cloud.start_guard(&execution).await.map(|()| execution)
    }

    async fn not_guarded(&mut self, guard: &Guard, error: &CloudError) {
        let why = format!("the guard {} could not be started: {error}", guard.machine);
        if guard.optional {
            self.guarded = true;
            return self.warn(format!("{why}; the rollout continues without it (--guard-optional)"));
        }
        let why = format!("{why}\n  hint: {}", not_started(error, &guard.machine));
        if self.memory.on_not_guarded(&self.plan, error.failure, &why, self.io.now()) {
            return;
        }
        self.warn(why);
        self.pause(AGAIN.min(self.plan.poll)).await;
    }

    /// Sends the question off, before anything is looked at again; the answer is awaited while the loop rests.
    async fn invoke_hook(&mut self) {
        let Some((announced, question)) = self.announced_question() else { return };
        let (cloud, clock) = (self.io.cloud, self.io.clock);
        let report_to = question.report_to();
        self.jobs.ask(announced, report_to, cloud.time(), async move { ask(cloud, clock, &question).await }).await;
    }

    /// The hook that the alias announces, and what it is asked.
    pub(crate) fn announced_question(&self) -> Option<(Announced, Question)> {
        let announced @ (phase, attempt, _) = announced(&self.plan, &self.memory)?;
        let request = self.io.request;
        let hook = match phase {
            HookPhase::PreTraffic => &request.pre_hook,
            HookPhase::Step => &request.step_hook,
            HookPhase::PostTraffic => &request.post_hook,
            // Nothing announces a check.
            HookPhase::Check => &None,
        };
        let hook = hook.clone()?;
        let note = self.memory.note(&self.plan);
        let step = note.as_ref().and_then(|note| if let Phase::Shift { step, .. } = note.phase { Some(step) } else { None });
        Some((announced, self.question(hook, phase, attempt, step)))
    }

    /// Asks the checks that are due, while they are to be asked.
    pub(crate) fn ask_checks(&mut self) {
        let now = self.io.now();
        let Some(note) = self.checked() else { return };
        let (cloud, clock, request) = (self.io.cloud, self.io.clock, self.io.request);
        let minute = u16::try_from(now.since(note.started_at).as_secs() / 60).unwrap_or(u16::MAX);
        for hook in &request.checks {
            let name = hook.to_string();
            if self.checks.due(&name).is_some_and(|due| now >= due) {
                let question = self.question(hook.clone(), HookPhase::Check, 1, Some(minute));
                self.checks.ask(&name, now, async move { check(cloud, clock, &question).await });
            }
        }
    }

    /// The note of this rollout, while its checks are to be asked.
    pub(crate) fn checked(&self) -> Option<Note> {
        self.memory.note(&self.plan).filter(|note| asked_now(&self.plan, note) && self.memory.failed().is_none())
    }

    fn question(&self, hook: HookTarget, phase: HookPhase, attempt: u8, step: Option<u16>) -> Question {
        let request = self.io.request;
        let note = self.memory.note(&self.plan);
        Question {
            hook,
            phase,
            attempt,
            step,
            rollout_id: self.plan.id.to_string(),
            function: request.subject.function.name.clone(),
            alias: request.subject.alias.clone(),
            stable: self.plan.stable.zip(self.prepared.stable_arn()),
            candidate: self.prepared.candidate_arn(note.as_ref()),
            weight: self.memory.alias().and_then(Alias::canary).map_or(Weight::ZERO, |(_, weight)| weight),
            any_answer: request.hook_answer == HookAnswer::Any,
            stays: !Turn::is_tick(request.turn),
            look: self.plan.poll.max(LATER_ANSWER),
        }
    }

    /// Sends the test events off; their answers are awaited while the loop rests.
    fn send_probes(&mut self) {
        let candidate = self.memory.note(&self.plan).and_then(|note| note.candidate);
        let (Some(event), Some(version), OnLowTraffic::Probe(count)) =
            (self.io.request.probe_event.clone(), candidate, self.plan.analysis.on_low_traffic)
        else {
            self.jobs.probe = Probe::Unsent("there is no test event to send".to_owned());
            return;
        };
        let candidate = Qualified { function: self.io.request.subject.function.clone(), qualifier: Some(version.to_string()) };
        let (cloud, clock) = (self.io.cloud, self.io.clock);
        self.jobs.probe(async move { probe(cloud, clock, &candidate, &event, count).await });
    }
}

/// What a write came to that nobody waited for.
fn cut_off() -> CloudError {
    CloudError {
        failure: Failure::Unanswered,
        operation: "UpdateAlias",
        message: "interrupted before the response".to_owned(),
        code: None,
    }
}
