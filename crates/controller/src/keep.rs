//! Are the alarms that canaryctl keeps as they should be? They are made, or changed, once the candidate is known and before it gets a
//! share, because each watches that version alone.
//!
//! An alarm of the same name without canaryctl's tag for this alias is somebody else's, and never touched.

use std::time::Duration;

use rollout::event::What;
use rollout::health::Health;
use rollout::observation::Candidate;
use rollout::subject::Subject;
use rollout::{Alias, Version};

use crate::driver::Driver;
use crate::port::{AlarmRule, Clock, Cloud, CloudError, Failure};
use crate::preflight::alarms::{PERMISSIONS, foreign};

/// How long to wait before it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

impl AlarmRule {
    /// The same on the candidate's own metrics, where it is about these.
    fn on(&self, subject: &Subject, candidate: Version) -> Self {
        if !self.dimensions.is_empty() {
            return self.clone();
        }
        let dimensions = [
            ("FunctionName", subject.function.name.clone()),
            ("Resource", subject.to_string()),
            ("ExecutedVersion", candidate.to_string()),
        ];
        let dimensions = dimensions.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { dimensions, ..self.clone() }
    }
}

/// What became of an alarm.
struct Done {
    name: String,
    text: String,
}

/// Makes an alarm what it is to be. Where it is that already, nothing is written; where it is red about another version, that is
/// cleared.
async fn keep<C: Cloud>(
    cloud: &C,
    subject: &Subject,
    rule: &AlarmRule,
    candidate: Version,
    moved: bool,
) -> Result<Done, CloudError> {
    let wanted = rule.on(subject, candidate);
    let found = cloud.kept_alarm(&rule.name).await?;
    if let Some(problem) = found.as_ref().and_then(|found| foreign(&rule.name, found, subject)) {
        return Err(CloudError { failure: Failure::Denied, operation: "PutMetricAlarm", message: problem.text, code: None });
    }
    let equal = found.as_ref().is_some_and(|found| found.rule.as_ref() == Some(&wanted));
    if !equal {
        cloud.put_alarm(&wanted, &subject.to_string()).await?;
    }
    // A share that is there may be what it is red about.
    let about_another = !equal || (rule.dimensions.is_empty() && !moved);
    if found.as_ref().is_some_and(|found| found.red) && about_another {
        cloud.reset_alarm(&rule.name).await?;
    }
    let what = match (equal, found.is_some()) {
        (true, _) => "stands",
        (false, true) => "changed",
        (false, false) => "made",
    };
    Ok(Done { name: wanted.name.clone(), text: format!("{what}: {wanted}") })
}

impl<C: Cloud, K: Clock> Driver<'_, C, K> {
    /// Sees to the alarms of the candidate; from then on they are watched.
    pub(crate) async fn keep_alarms(&mut self) {
        let candidate = match &self.candidate {
            Candidate::Published(version, _) => Some(*version),
            Candidate::Unknown | Candidate::Settling | Candidate::Outdated | Candidate::Ready | Candidate::Failed(_) => None,
        };
        let Some(candidate) = candidate.or_else(|| self.note().and_then(|note| note.candidate)) else { return };
        let (cloud, request) = (self.cloud, self.request);
        let moved = self.held.as_ref().is_some_and(|held| Alias::canary(&held.alias).is_some());
        for rule in &request.kept {
            match keep(cloud, &request.subject, rule, candidate, moved).await {
                Ok(Done { name, text }) => self.announce(What::AlarmKept { name, text }),
                Err(error) => return self.not_kept(&rule.name, &error).await,
            }
        }
        self.kept = true;
        if !moved {
            self.kept_at = self.cloud.time();
        }
        self.fresh = false;
        self.alarms_tried = None;
        self.health = Health::Unread { why: "the alarms that are kept were not read yet".to_owned() };
    }

    /// What AWS refuses for good is given up at once, everything else after the time that nothing can be read.
    async fn not_kept(&mut self, name: &str, error: &CloudError) {
        let mut why = format!("alarm `{name}` could not be kept: {error}");
        let now = self.cloud.time();
        let since = *self.keeping_since.get_or_insert(now);
        let denied = error.failure == Failure::Denied && error.code.is_some();
        if denied {
            why = format!("{why}\n  hint: {PERMISSIONS}");
        }
        self.fresh = false;
        if denied || matches!(error.failure, Failure::Denied | Failure::Invalid) || now.since(since) >= self.plan.blind_limit {
            self.stuck = Some(why);
            return;
        }
        self.trouble(why);
        self.pause(AGAIN.min(self.plan.poll)).await;
    }

    /// Whether what was read of an alarm is older than its being kept, and so about another version.
    pub(crate) fn before_kept(&self, name: &str, at: rollout::Time) -> bool {
        at < self.kept_at && self.request.kept.iter().any(|rule| rule.name == name)
    }

    /// The alarms to look at now: those that are kept only once they are about the candidate.
    pub(crate) fn watching(&self) -> Vec<String> {
        let ready = |name: &&String| self.kept || !self.request.kept.iter().any(|rule| rule.name == **name);
        self.plan.alarms.iter().filter(ready).cloned().collect()
    }
}
