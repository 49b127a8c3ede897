//! What is watched? An alarm that exists, by its name or its id in a stack, or the definition of one.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::finding::{Findings, NoteKind};
use crate::keys::{Named, Read, keys, scalar, shown, words};
use crate::place::{At, Place};
use crate::tree::Node;
use rollout::format::exact;

/// An alarm.
#[derive(Clone, Debug, PartialEq)]
pub enum Alarm {
    /// One that exists, by name or ARN.
    Name(String),
    /// One that exists, by its id in the project's stack.
    LogicalId(String),
    /// One that canaryctl is to keep.
    Definition(Box<Definition>),
}

/// What an alarm looks at, and when it is red.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its name; for one of a stack, its name in the file.
    pub name: String,
    /// The metric's namespace.
    pub namespace: String,
    /// The metric.
    pub metric: String,
    /// `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount` or a percentile such as `p99`.
    pub statistic: String,
    /// What the statistic is compared with.
    pub threshold: f64,
    /// The span of one data point.
    pub period: Duration,
    /// How many data points are looked at.
    pub evaluation_periods: u32,
    /// How many of them have to be bad; all of them where it is left open.
    pub datapoints: Option<u32>,
    /// How it is compared.
    pub comparison: Comparison,
    /// What to make of data points that are missing.
    pub missing_data: MissingData,
    /// The metric's dimensions; where there are none, the candidate's own are meant.
    pub dimensions: BTreeMap<String, String>,
}

words! {
    /// How an alarm compares.
    pub enum Comparison {
        /// At or above is red.
        "GreaterThanOrEqualToThreshold" AtLeast,
        /// Above is red.
        "GreaterThanThreshold" Above,
        /// Below is red.
        "LessThanThreshold" Below,
        /// At or below is red.
        "LessThanOrEqualToThreshold" AtMost,
    }
}

words! {
    /// What an alarm makes of missing data.
    pub enum MissingData {
        /// The state is `INSUFFICIENT_DATA`.
        "missing" Missing,
        /// The state stays as it was.
        "ignore" Ignore,
        /// They are good.
        "notBreaching" NotBreaching,
        /// They are bad.
        "breaching" Breaching,
    }
}

impl Read for Alarm {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        if node.map().is_none() {
            return scalar(node, "an alarm's name or a map", found).map(|name| Self::Name(name.to_owned()));
        }
        AlarmKeys::read(node, found)?.alarm(&node.place, found)
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "anyOf": [{ "type": "string", "minLength": 1 }, AlarmKeys::schema()] })
    }
}

keys! {
    /// The keys of an alarm in `canary.yml`.
    pub(crate) struct AlarmKeys {
        /// The alarm's name. With nothing beside it, an alarm that exists.
        "name" name: String,
        /// The id of an alarm in the file's stack.
        "logicalId" logical_id: String,
        /// The metric's namespace; `AWS/Lambda` where it is left out.
        "namespace" namespace: String,
        /// The metric that canaryctl is to watch by an alarm of its own.
        "metric" metric: String,
        /// `Sum` (where it is left out), `Average`, `Minimum`, `Maximum`, `SampleCount` or a percentile such as `p99`.
        "statistic" statistic: String,
        /// What the statistic is compared with.
        "threshold" threshold: f64,
        /// The span of one data point; a minute where it is left out.
        "period" period: Duration,
        /// How many data points are looked at; 1 where it is left out.
        "evaluationPeriods" evaluation_periods: u32,
        /// How many of them have to be bad; all of them where it is left out.
        "datapointsToAlarm" datapoints: u32,
        /// How it is compared; `GreaterThanOrEqualToThreshold` where it is left out.
        "comparisonOperator" comparison: Comparison,
        /// What to make of missing data; `notBreaching` where it is left out.
        "treatMissingData" missing_data: MissingData,
        /// The metric's dimensions; the candidate's own where they are left out.
        "dimensions" dimensions: Named<String>,
    }
}

impl AlarmKeys {
    /// The alarm that these keys stand for.
    pub(crate) fn alarm(self, place: &Place, found: &mut Findings) -> Option<Alarm> {
        let plain = Self { name: None, logical_id: None, ..self.clone() } == Self::default();
        match (self.name, self.logical_id, self.metric) {
            (Some(name), None, None) if plain => Some(Alarm::Name(name.value)),
            (None, Some(id), None) if plain => Some(Alarm::LogicalId(id.value)),
            (Some(name), None, Some(metric)) => {
                let Some(threshold) = self.threshold else {
                    found.problem(place, format!("alarm `{}` needs a `threshold`", name.value));
                    return None;
                };
                let statistic = checked_statistic(self.statistic, found)?;
                let period = self.period.map_or(MINUTE, |period| period.value);
                if !matches!(period.as_secs(), 10 | 20 | 30) && (!period.as_secs().is_multiple_of(60) || period.is_zero()) {
                    found.problem(place, format!("alarm `{}`: its `period` is 10s, 20s, 30s or whole minutes", name.value));
                }
                let dimensions = self.dimensions.map(|named| named.value.0).unwrap_or_default();
                let definition = Definition {
                    name: name.value,
                    namespace: self.namespace.map_or_else(|| LAMBDA.to_owned(), |namespace| namespace.value),
                    metric: metric.value,
                    statistic,
                    threshold: threshold.value,
                    period,
                    evaluation_periods: self.evaluation_periods.map_or(1, |periods| periods.value),
                    datapoints: self.datapoints.map(|datapoints| datapoints.value),
                    comparison: self.comparison.map_or(Comparison::AtLeast, |comparison| comparison.value),
                    missing_data: self.missing_data.map_or(MissingData::NotBreaching, |missing| missing.value),
                    dimensions: dimensions.into_iter().map(|(name, value)| (name.value, value.value)).collect(),
                };
                definition.doubt(place, found);
                Some(Alarm::Definition(Box::new(definition)))
            }
            _ => {
                let hint = "`name: HelloErrors` for one that exists, `logicalId: HelloFooAlarm` for one in the stack, or `name`, `metric` and \
                            `threshold` for one that canaryctl keeps";
                found.hinted(place, "this names no alarm, or more than one", hint);
                None
            }
        }
    }
}

impl Definition {
    /// Says what is likely to be a mistake.
    pub(crate) fn doubt(&self, place: &Place, found: &mut Findings) {
        if self.statistic == "Minimum" && self.metric == "Errors" {
            let message = format!("alarm `{}`: `Minimum` of `Errors` is red only when every call of a period fails", self.name);
            found.note(NoteKind::Warning, place, message, Some("`Sum` is what is meant"));
        }
    }
}

impl fmt::Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, metric, statistic, threshold, evaluation_periods: periods, .. } = self;
        let sign = match self.comparison {
            Comparison::AtLeast => "≥",
            Comparison::Above => ">",
            Comparison::Below => "<",
            Comparison::AtMost => "≤",
        };
        let period = exact(self.period);
        write!(f, "{statistic} of {namespace} {metric} {sign} {threshold}, {periods} × {period}")
    }
}

fn checked_statistic(statistic: Option<At<String>>, found: &mut Findings) -> Option<String> {
    let Some(statistic) = statistic else { return Some("Sum".to_owned()) };
    if is_statistic(&statistic.value) {
        return Some(statistic.value);
    }
    let message = format!("expected a statistic such as `Sum`, `Average` or `p99`, found `{}`", shown(&statistic.value));
    found.misspelt(&statistic.place, message, &statistic.value, STATISTICS);
    None
}

/// Whether CloudWatch can compute it.
pub(crate) fn is_statistic(text: &str) -> bool {
    let percentile = |rest: &str| rest.parse::<f64>().is_ok_and(|number| (0.0..=100.0).contains(&number));
    STATISTICS.contains(&text) || text.strip_prefix('p').is_some_and(percentile)
}

const STATISTICS: [&str; 5] = ["Sum", "Average", "Minimum", "Maximum", "SampleCount"];
/// The namespace of Lambda's own metrics.
pub(crate) const LAMBDA: &str = "AWS/Lambda";
const MINUTE: Duration = Duration::from_mins(1);
