//! What is an alarm? Its configuration as a value, and as an answer shows it.
//!
//! When and how one changes state is decided elsewhere.

use std::time::Duration;

use serde_json::{Value, json};

use super::metric_requests::shown_dimensions;
use super::rule::Rule;
use super::state::AlarmState;
use super::statistic::Statistic;
use crate::value::{merged, present};
use crate::words::words;

words! {
    pub(crate) enum Comparison {
        GreaterOrEqual = "GreaterThanOrEqualToThreshold",
        Greater = "GreaterThanThreshold",
        Less = "LessThanThreshold",
        LessOrEqual = "LessThanOrEqualToThreshold",
    }
}

impl Comparison {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::GreaterOrEqual => "greater than or equal to",
            Self::Greater => "greater than",
            Self::Less => "less than",
            Self::LessOrEqual => "less than or equal to",
        }
    }

    pub(super) fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterOrEqual => value >= threshold,
            Self::Greater => value > threshold,
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
        }
    }
}

words! {
    /// What a period without data counts as.
    pub(crate) enum MissingData {
        /// As nothing: with no data at all, the state is `INSUFFICIENT_DATA`.
        Missing = "missing",
        /// As nothing: with no data at all, the state stays.
        Ignore = "ignore",
        /// As a period beyond the threshold.
        Breaching = "breaching",
        /// As a period within the threshold.
        NotBreaching = "notBreaching",
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alarm {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) actions: Actions,
    pub(crate) condition: Condition,
}

/// Who is notified of a change of state. No notification is sent; the history records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Actions {
    pub(crate) enabled: bool,
    pub(crate) ok: Vec<String>,
    pub(crate) alarm: Vec<String>,
    pub(crate) insufficient_data: Vec<String>,
}

impl Default for Actions {
    fn default() -> Self {
        Self { enabled: true, ok: Vec::new(), alarm: Vec::new(), insufficient_data: Vec::new() }
    }
}

impl Actions {
    /// Who is notified when an alarm changes to `state`.
    pub(super) fn on(&self, state: AlarmState) -> &[String] {
        match state {
            AlarmState::Ok => &self.ok,
            AlarmState::Alarm => &self.alarm,
            AlarmState::InsufficientData => &self.insufficient_data,
        }
    }
}

/// What an alarm watches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    Metric(Watch),
    Composite(Rule),
    /// What only `SetAlarmState` moves here: the kind, and what was configured.
    Kept(&'static str, Value),
}

/// A metric against a threshold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Watch {
    pub(crate) namespace: String,
    pub(crate) metric: String,
    pub(crate) dimensions: Vec<(String, String)>,
    pub(crate) statistic: Statistic,
    pub(crate) unit: Option<String>,
    /// In seconds: 10, 20, 30 or a multiple of 60.
    pub(crate) period: u32,
    /// How many periods are looked at: N of "M out of N".
    pub(crate) evaluation_periods: u32,
    /// How many of them must breach: M; all of them if it is not said.
    pub(crate) datapoints_to_alarm: Option<u32>,
    pub(crate) threshold: f64,
    pub(crate) comparison: Comparison,
    /// `None` is as good as `Missing`, but an answer does not show it.
    pub(crate) missing_data: Option<MissingData>,
    /// Whether periods with too few samples for the percentile leave the state as it is; `None` was not said.
    pub(crate) ignore_low_samples: Option<bool>,
}

impl Watch {
    pub(super) fn length(&self) -> Duration {
        Duration::from_secs(u64::from(self.period))
    }

    pub(super) fn wanted(&self) -> u32 {
        self.datapoints_to_alarm.unwrap_or(self.evaluation_periods)
    }

    /// How often it is evaluated: high-resolution alarms every ten seconds, those that look at more than a day every hour.
    pub(super) fn rhythm(&self) -> Duration {
        let looks_at = u64::from(self.period) * u64::from(self.evaluation_periods);
        Duration::from_secs(match (self.period < 60, looks_at > 86_400) {
            (true, _) => 10,
            (false, true) => 3_600,
            (false, false) => 60,
        })
    }
}

impl Alarm {
    /// An alarm on the sum of a metric in one minute: `Sum >= threshold`, one out of one, no data being no harm.
    pub(crate) fn on_sum(name: &str, namespace: &str, metric: &str, dimensions: &[(&str, &str)], threshold: f64) -> Self {
        let watch = Watch {
            namespace: namespace.to_owned(),
            metric: metric.to_owned(),
            dimensions: dimensions.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect(),
            statistic: Statistic::Sum,
            unit: None,
            period: 60,
            evaluation_periods: 1,
            datapoints_to_alarm: Some(1),
            threshold,
            comparison: Comparison::GreaterOrEqual,
            missing_data: Some(MissingData::NotBreaching),
            ignore_low_samples: None,
        };
        Self { name: name.to_owned(), description: None, actions: Actions::default(), condition: Condition::Metric(watch) }
    }

    pub(super) const fn watch(&self) -> Option<&Watch> {
        if let Condition::Metric(watch) = &self.condition { Some(watch) } else { None }
    }

    pub(super) const fn rule(&self) -> Option<&Rule> {
        if let Condition::Composite(rule) = &self.condition { Some(rule) } else { None }
    }

    pub(super) const fn kind(&self) -> &'static str {
        match &self.condition {
            Condition::Metric(_) => "MetricAlarm",
            Condition::Composite(_) => "CompositeAlarm",
            Condition::Kept(kind, _) => kind,
        }
    }

    /// What was configured, and `more` besides, as an answer shows it.
    pub(super) fn shown_with(&self, more: Value) -> Value {
        let Self { name, description, actions, condition } = self;
        let own = json!({
            "AlarmName": name,
            "AlarmDescription": description,
            "ActionsEnabled": actions.enabled,
            "OKActions": actions.ok,
            "AlarmActions": actions.alarm,
            "InsufficientDataActions": actions.insufficient_data,
        });
        let watched = match condition {
            Condition::Composite(rule) => json!({ "AlarmRule": rule.text() }),
            Condition::Kept(_, members) => members.clone(),
            Condition::Metric(watch) => json!({
                "MetricName": watch.metric,
                "Namespace": watch.namespace,
                "Statistic": watch.statistic.plain_name(),
                "ExtendedStatistic": Some(watch.statistic.name()).filter(|_| watch.statistic.needs_values()),
                "Dimensions": shown_dimensions(&watch.dimensions),
                "Period": watch.period,
                "Unit": watch.unit,
                "EvaluationPeriods": watch.evaluation_periods,
                "DatapointsToAlarm": watch.datapoints_to_alarm,
                "Threshold": watch.threshold,
                "ComparisonOperator": watch.comparison.name(),
                "TreatMissingData": watch.missing_data.map(MissingData::name),
                "EvaluateLowSampleCountPercentile": watch.ignore_low_samples.map(|ignore| if ignore { "ignore" } else { "evaluate" }),
            }),
        };
        present(merged(merged(own, watched), more))
    }
}
