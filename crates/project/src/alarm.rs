//! Which alarm is watched? An existing one, by name or logical id, or the definition of a managed one.

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
    /// One that canaryctl creates and updates.
    Definition(Box<Definition>),
}

/// A managed alarm: its metric and when it fires.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its name; for an alarm of a stack, its name in the file.
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
    /// The number of data points to evaluate.
    pub evaluation_periods: u32,
    /// How many of them have to breach the threshold; `None` means all.
    pub datapoints: Option<u32>,
    /// How it is compared.
    pub comparison: Comparison,
    /// How to treat missing data points.
    pub missing_data: MissingData,
    /// The metric's dimensions; empty means those of the candidate.
    pub dimensions: BTreeMap<String, String>,
}

words! {
    /// How an alarm compares.
    pub enum Comparison {
        /// ALARM at or above.
        "GreaterThanOrEqualToThreshold" AtLeast,
        /// ALARM above.
        "GreaterThanThreshold" Above,
        /// ALARM below.
        "LessThanThreshold" Below,
        /// ALARM at or below.
        "LessThanOrEqualToThreshold" AtMost,
    }
}

words! {
    /// How an alarm treats missing data.
    pub enum MissingData {
        /// The state is `INSUFFICIENT_DATA`.
        "missing" Missing,
        /// The state does not change.
        "ignore" Ignore,
        /// They count as OK.
        "notBreaching" NotBreaching,
        /// They count as breaching.
        "breaching" Breaching,
    }
}

impl Read for Alarm {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        if node.map().is_none() {
            return scalar(node, "an alarm name or a map", found).map(|name| Self::Name(name.to_owned()));
        }
        AlarmKeys::read(node, found)?.alarm(&node.place, found)
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "anyOf": [{ "type": "string", "minLength": 1 }, AlarmKeys::schema()] })
    }
}

keys! {
    pub(crate) struct AlarmKeys {
        /// The alarm's name. With no other key, an existing alarm.
        "name" name: String,
        /// The logical id of an alarm in the stack.
        "logicalId" logical_id: String,
        /// The metric's namespace [default: `AWS/Lambda`].
        "namespace" namespace: String,
        /// The metric of a managed alarm, which canaryctl creates and updates, and never deletes.
        "metric" metric: String,
        /// `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount` or a percentile such as `p99` [default: `Sum`].
        "statistic" statistic: String,
        /// The value to compare the statistic with.
        "threshold" threshold: f64,
        /// The duration of one data point [default: 1m].
        "period" period: Duration,
        /// The number of data points to evaluate [default: 1].
        "evaluationPeriods" evaluation_periods: u32,
        /// How many of them must breach the threshold [default: all].
        "datapointsToAlarm" datapoints: u32,
        /// How to compare [default: `GreaterThanOrEqualToThreshold`].
        "comparisonOperator" comparison: Comparison,
        /// How to treat missing data [default: `notBreaching`].
        "treatMissingData" missing_data: MissingData,
        /// The metric's dimensions [default: those of the new version].
        "dimensions" dimensions: Named<String>,
    }
}

impl AlarmKeys {
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
                    found.problem(place, format!("alarm `{}`: `period` must be 10s, 20s, 30s or whole minutes", name.value));
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
                let hint = "write `name: HelloErrors` for an existing alarm, `logicalId: HelloFooAlarm` for one in the stack, or `name`, \
                            `metric` and `threshold` for a managed alarm";
                found.hinted(place, "expected the keys of exactly one alarm", hint);
                None
            }
        }
    }
}

impl Definition {
    pub(crate) fn doubt(&self, place: &Place, found: &mut Findings) {
        if self.statistic == "Minimum" && self.metric == "Errors" {
            let message =
                format!("alarm `{}`: `Minimum` of `Errors` fires only if every invocation of a period fails", self.name);
            found.note(NoteKind::Warning, place, message, Some("use `Sum`"));
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
pub(crate) const LAMBDA: &str = "AWS/Lambda";
const MINUTE: Duration = Duration::from_mins(1);
