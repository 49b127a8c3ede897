//! What is in progress beside the loop? A hook's invocation, the candidate's answers to test events, and the question why nobody invokes it:
//! all awaited while it rests.

use std::pin::Pin;
use std::task::Poll;

use rollout::Time;
use rollout::comparison::Probe;
use rollout::event::HookPhase;
use rollout::gate::Approval;
use rollout::memory::Memory;
use rollout::note::{HookAttempt, Phase};
use rollout::observation::Hook;
use rollout::plan::Plan;

/// What became of a hook that was asked.
pub(crate) enum Heard {
    /// It succeeded.
    Succeeded,
    /// It reports later, and this process does not wait for that.
    Later,
}

type Job<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// One asking of one hook: which, which attempt, and since when its phase or step is in force.
pub(crate) type Announced = (HookPhase, u8, Time);

pub(crate) struct Jobs<'a> {
    /// The hook that was last asked, as far as this process knows.
    asked: Option<Announced>,
    hook: Hook,
    asking: Option<Job<'a, Result<Heard, String>>>,
    /// The attempts that this process has announced, or may have: its write was not answered.
    announced: Vec<HookAttempt>,
    /// The resource and the tag in which the hook that was last asked may report.
    report_to: Option<(String, String)>,
    pub(crate) probe: Probe,
    probing: Option<Job<'a, Probe>>,
    /// What AWS says of why no invocation of the candidate is counted, once it has said something.
    pub(crate) reason: Option<String>,
    inquiry: Option<Job<'a, Option<String>>>,
    /// Who approved a gate, once that was looked for.
    pub(crate) approved: Option<Approval>,
    approval: Option<Job<'a, Option<Approval>>>,
}

impl<'a> Jobs<'a> {
    pub(crate) fn new() -> Self {
        Self {
            asked: None,
            hook: Hook::NotInvoked,
            asking: None,
            announced: Vec::new(),
            report_to: None,
            probe: Probe::NotSent,
            probing: None,
            reason: None,
            inquiry: None,
            approved: None,
            approval: None,
        }
    }

    /// How the hook is doing that the alias announces.
    pub(crate) fn hook(&self, plan: &Plan, memory: &Memory) -> Hook {
        match memory.note(plan).and_then(|note| note.hook) {
            Some(HookAttempt { passed: true, .. }) => Hook::Succeeded,
            _ if self.asked == announced(plan, memory) => self.hook.clone(),
            _ => Hook::NotInvoked,
        }
    }

    /// Notes which attempt this process has announced, or may have.
    pub(crate) fn announced(&mut self, attempt: Option<HookAttempt>) {
        self.announced.extend(attempt);
    }

    /// Whether an attempt that the alias announces is for another process to hear of, or for none: this one neither announced it nor
    /// waits for its answer.
    pub(crate) fn is_unheard(&self, which: Announced, attempt: Option<HookAttempt>) -> bool {
        if attempt.is_some_and(|attempt| attempt.passed) {
            false
        } else if self.asked == Some(which) {
            self.asking.is_none() && matches!(self.hook, Hook::Running(_))
        } else {
            attempt.is_some_and(|attempt| !self.announced.contains(&attempt))
        }
    }

    /// Takes over what was reported on an attempt that another process asked, or that nothing was yet.
    pub(crate) fn collected(&mut self, which: Announced, report: Option<Result<(), String>>, now: Time) {
        let since = if let (Some(_), Hook::Running(since)) = (self.asked.filter(|asked| *asked == which), &self.hook) {
            *since
        } else {
            now
        };
        self.asked = Some(which);
        self.hook = match report {
            None => Hook::Running(since),
            Some(Ok(())) => Hook::Succeeded,
            Some(Err(why)) => Hook::Failed(why),
        };
    }

    /// Whether an answer is awaited that only this process can hear.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.asking.is_some() || self.probing.is_some() || self.approval.is_some()
    }

    /// Where a hook may still report that has not answered.
    pub(crate) fn unheard(&self) -> Option<(String, String)> {
        self.report_to.clone().filter(|_| self.asking.is_some())
    }

    /// Sends a hook's question off, before anything is looked at again.
    pub(crate) async fn ask(
        &mut self,
        which: Announced,
        report_to: Option<(String, String)>,
        now: Time,
        asking: impl Future<Output = Result<Heard, String>> + 'a,
    ) {
        (self.asked, self.report_to) = (Some(which), report_to);
        self.hook = Hook::Running(now);
        let mut asking: Job<'a, _> = Box::pin(asking);
        match std::future::poll_fn(|context| Poll::Ready(asking.as_mut().poll(context))).await {
            Poll::Ready(answer) => self.hook = answered(answer, now),
            Poll::Pending => self.asking = Some(asking),
        }
    }

    pub(crate) fn probe(&mut self, probing: impl Future<Output = Probe> + 'a) {
        self.probe = Probe::Running;
        self.probing = Some(Box::pin(probing));
    }

    /// Asks why no invocation of the candidate is counted, unless that is known, or asked already.
    pub(crate) fn inquire(&mut self, inquiry: impl Future<Output = Option<String>> + 'a) {
        if self.reason.is_none() && self.inquiry.is_none() {
            self.inquiry = Some(Box::pin(inquiry));
        }
    }

    /// Looks for who approved a gate.
    pub(crate) fn look_for_approval(&mut self, looking: impl Future<Output = Option<Approval>> + 'a) {
        self.approval = Some(Box::pin(looking));
    }

    /// Ends once something has answered; never where nothing is in progress.
    pub(crate) async fn answered(&mut self) {
        tokio::select! {
            biased;
            answer = or_never(&mut self.asking) => {
                let asked = if let Hook::Running(asked) = self.hook { asked } else { Time::default() };
                (self.hook, self.asking) = (answered(answer, asked), None);
            }
            answer = or_never(&mut self.probing) => (self.probe, self.probing) = (answer, None),
            who = or_never(&mut self.approval) => (self.approved, self.approval) = (who, None),
            answer = or_never(&mut self.inquiry) => (self.reason, self.inquiry) = (answer, None),
        }
    }
}

async fn or_never<T>(job: &mut Option<Job<'_, T>>) -> T {
    match job.as_mut() {
        Some(job) => job.await,
        None => std::future::pending().await,
    }
}

fn answered(answer: Result<Heard, String>, asked: Time) -> Hook {
    match answer {
        Ok(Heard::Succeeded) => Hook::Succeeded,
        Ok(Heard::Later) => Hook::Running(asked),
        Err(why) => Hook::Failed(why),
    }
}

/// Which hook and which attempt the alias announces, and since when its phase or step is in force; without an alias, a first
/// deployment's pre-traffic hook.
pub(crate) fn announced(plan: &Plan, memory: &Memory) -> Option<Announced> {
    if memory.alias().is_none() {
        return Some((HookPhase::PreTraffic, 1, Time::default()));
    }
    let note = memory.note(plan)?;
    let attempt = note.hook?.number;
    let phase = match note.phase {
        Phase::Pre => HookPhase::PreTraffic,
        Phase::Post => HookPhase::PostTraffic,
        Phase::Shift { .. } => HookPhase::Step,
        Phase::Claim | Phase::Bake | Phase::Promoted | Phase::Back(_) => return None,
    };
    Some((phase, attempt, note.since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whichever_announcement_of_its_own_has_landed_is_its_own() {
        let which = (HookPhase::PostTraffic, 1, Time::from_secs(1_000));
        let attempt = |deadline| Some(HookAttempt { number: 1, deadline: Time::from_secs(deadline), passed: false });
        let mut jobs = Jobs::new();
        assert!(jobs.is_unheard(which, attempt(4_600)), "another turn's");
        // Neither was answered.
        jobs.announced(attempt(4_600));
        jobs.announced(attempt(4_601));
        assert!(!jobs.is_unheard(which, attempt(4_600)));
        assert!(!jobs.is_unheard(which, attempt(4_601)));
        assert!(jobs.is_unheard(which, attempt(4_602)));
    }
}
