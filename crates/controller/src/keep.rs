//! Are the alarms that canaryctl keeps as they should be? They are made, or changed, once the candidate is known and before it gets a
//! share, because each watches that version alone.
//!
//! An alarm of the same name without canaryctl's tag for this alias is somebody else's, and never touched.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rollout::Version;
use rollout::subject::Subject;

use crate::cloud::{Cloud, CloudError, Failure};
use crate::preflight::Problem;
use crate::request::Request;

/// The key of the tag that says whose an alarm is.
pub const TAG: &str = "canaryctl";

/// What an alarm on one metric looks at, and when it is red. Words are AWS' own.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmRule {
    /// Its name.
    pub name: String,
    /// The metric's namespace.
    pub namespace: String,
    /// The metric.
    pub metric: String,
    /// `Sum`, `Average` and the like, or a percentile such as `p99`.
    pub statistic: String,
    /// What the statistic is compared with.
    pub threshold: f64,
    /// How: `GreaterThanThreshold` and the like.
    pub comparison: String,
    /// The span of one data point.
    pub period: Duration,
    /// How many data points are looked at.
    pub evaluation_periods: u32,
    /// How many of them have to be bad.
    pub datapoints: u32,
    /// What to make of those that are missing: `notBreaching` and the like.
    pub missing_data: String,
    /// The metric's dimensions; none stand for the candidate's own.
    pub dimensions: BTreeMap<String, String>,
}

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

/// Everything but the name.
impl fmt::Display for AlarmRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, metric, statistic, threshold, comparison, evaluation_periods, datapoints, .. } = self;
        let (period, missing) = (humantime::format_duration(self.period), &self.missing_data);
        let count = if datapoints == evaluation_periods { String::new() } else { format!("{datapoints} of ") };
        write!(
            f,
            "{statistic} of {namespace} {metric} {comparison} {threshold}, {count}{evaluation_periods} × {period}, {missing}"
        )?;
        self.dimensions.iter().try_for_each(|(name, value)| write!(f, ", {name}={value}"))
    }
}

/// An alarm of that name, as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptAlarm {
    /// What it looks at; `None` where that is more than a rule can say.
    pub rule: Option<AlarmRule>,
    /// What its tag says: the function and alias that it is kept for.
    pub owner: Option<String>,
    /// Whether it is in ALARM.
    pub red: bool,
}

/// What keeps an alarm from being made or changed, if anything does.
pub(crate) async fn about_kept<C: Cloud>(cloud: &C, request: &Request) -> Vec<Problem> {
    let mut problems = Vec::new();
    for rule in &request.kept {
        match cloud.kept_alarm(&rule.name).await {
            Ok(found) => problems.extend(found.and_then(|found| foreign(&rule.name, &found, &request.subject))),
            Err(error) => {
                let problem = Problem::new(format!("alarm `{}` is to be kept, and cannot be looked at: {error}", rule.name));
                problems.push(if error.failure == Failure::Denied { problem.hint(PERMISSIONS) } else { problem });
            }
        }
    }
    problems
}

fn foreign(name: &str, found: &KeptAlarm, subject: &Subject) -> Option<Problem> {
    let whose = match &found.owner {
        Some(owner) if *owner == subject.to_string() => return None,
        Some(owner) => format!("alarm `{name}` is kept for {owner}"),
        None => format!("alarm `{name}` exists, and does not carry the tag `{TAG}={subject}`: it is somebody else's"),
    };
    Some(Problem::new(whose).hint("give this one another name, or watch that one as it is, by its name alone"))
}

/// What became of an alarm.
pub(crate) struct Done {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Makes an alarm what it is to be. Where it is that already, nothing is written; where it is red about another version, that is
/// cleared.
pub(crate) async fn keep<C: Cloud>(
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

/// What has to be permitted.
pub(crate) const PERMISSIONS: &str = "to keep alarms, cloudwatch:DescribeAlarms, cloudwatch:ListTagsForResource, cloudwatch:PutMetricAlarm, \
                           cloudwatch:TagResource and cloudwatch:SetAlarmState are needed";
