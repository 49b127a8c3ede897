//! Are the alarms that canaryctl manages as they should be? They are made, or changed, once the candidate is known and before it gets a
//! share, because each watches that version alone.
//!
//! An alarm of the same name without canaryctl's tag for this alias is another owner's, and never touched.

use rollout::Version;
use rollout::target::Subject;

use crate::port::{AlarmRule, Cloud, CloudError, Failure};
use crate::preflight::alarms::foreign;

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

/// Makes an alarm what it is to be. Where it is that already, nothing is written; where it is in ALARM about another version, that is
/// cleared. Gives what became of it, and its rule.
pub(crate) async fn keep<C: Cloud>(
    cloud: &C,
    subject: &Subject,
    rule: &AlarmRule,
    candidate: Version,
    moved: bool,
) -> Result<String, CloudError> {
    let wanted = rule.on(subject, candidate);
    let found = cloud.managed_alarm(&rule.name).await?;
    if let Some(problem) = found.as_ref().and_then(|found| foreign(&rule.name, found, subject)) {
        return Err(CloudError { failure: Failure::Denied, operation: "PutMetricAlarm", message: problem.text, code: None });
    }
    let equal = found.as_ref().is_some_and(|found| found.rule.as_ref() == Some(&wanted));
    if !equal {
        cloud.put_alarm(&wanted, &subject.to_string()).await?;
    }
    // A weight that is there may be what it is in ALARM about.
    let about_another = !equal || (rule.dimensions.is_empty() && !moved);
    if found.as_ref().is_some_and(|found| found.in_alarm) && about_another {
        cloud.reset_alarm(&rule.name).await?;
    }
    let what = match (equal, found.is_some()) {
        (true, _) => "unchanged",
        (false, true) => "updated",
        (false, false) => "created",
    };
    Ok(format!("{what}: {wanted}"))
}
