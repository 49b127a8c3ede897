//! What would CloudWatch say? Metrics that arrive late, alarms that evaluate themselves, and answers in three protocols.
//!
//! It has no clock, does no I/O and knows no other part of the simulation: every entry is given the time, and somebody
//! else brings the samples and the requests.

mod alarm;
mod alarm_answers;
mod alarm_requests;
mod alarms;
mod cbor;
mod evaluation;
mod history;
mod metric_answers;
mod metric_requests;
mod metrics;
mod parameters;
mod protocol;
mod reason;
mod rule;
mod shortfall;
mod state;
mod statistic;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

pub(crate) use self::alarm::Alarm;
use self::alarms::Alarms;
use self::history::Verdict;
pub(crate) use self::history::{HistoryItem, ItemKind};
pub(crate) use self::metrics::SeriesId;
use self::metrics::{Datum, Metrics};
use self::parameters::Parameters;
use self::protocol::Protocol;
pub use self::shortfall::{MetricFault, Shortfall};
pub(crate) use self::state::AlarmState;
use crate::logs::Sample;
use crate::settings::Settings;
use crate::time::Time;
use crate::value::{Fault, present};

#[derive(Debug)]
pub(crate) struct CloudWatch {
    metrics: Metrics,
    alarms: Alarms,
    faults: Vec<MetricFault>,
}

impl CloudWatch {
    /// One without metrics and alarms. The same seed gives the same lags.
    pub(crate) fn new(settings: &Settings, seed: u64) -> Self {
        let Settings { account, region, metric_lag, evaluation_delay, .. } = settings;
        let arn_prefix = format!("arn:aws:cloudwatch:{region}:{account}:alarm:");
        let (metrics, alarms) = (Metrics::new(metric_lag.clone(), seed), Alarms::new(arn_prefix, *evaluation_delay));
        Self { metrics, alarms, faults: Vec::new() }
    }

    /// A handle for recording samples of a metric: `Milliseconds` for durations, else `Count`.
    pub(crate) fn series(&mut self, namespace: &str, metric: &str, dimensions: &[(&str, &str)]) -> SeriesId {
        let unit = if metric.ends_with("Duration") { "Milliseconds" } else { "Count" };
        self.metrics.series(namespace, metric, dimensions, unit)
    }

    /// Records the samples of something that began `at` and lasted so long: stamped with its beginning, visible together one drawn
    /// lag after that, and not before it has ended.
    pub(crate) fn record_run(&mut self, at: Time, lasted: Duration, samples: &[(SeriesId, f64)]) {
        let lag = self.metrics.draw_lag().max(lasted);
        let data = samples.iter().map(|&(series, value)| (series, Datum::Value { value, count: 1.0 }));
        self.metrics.give(at, at, lag, 60, data);
    }

    /// Records what a log line holds that was written `lasted` after `at`: as visible as all that is measured.
    pub(crate) fn record_samples(&mut self, at: Time, lasted: Duration, samples: &[Sample]) {
        if samples.is_empty() {
            return;
        }
        let lag = self.metrics.draw_lag().max(lasted);
        for sample in samples {
            let series = self.metrics.series(&sample.namespace, &sample.metric, &sample.dimensions, &sample.unit);
            let data = sample.values.iter().map(|&value| (series, Datum::Value { value, count: 1.0 }));
            self.metrics.give(at, sample.at, lag, sample.resolution, data);
        }
    }

    /// Evaluates the alarms that are due up to `to`, in order of time, each on what can be seen at its time.
    pub(crate) fn advance(&mut self, to: Time) {
        while let Some(due) = self.alarms.next_due().filter(|due| *due <= to) {
            self.metrics.settle(due);
            self.alarms.evaluate(due, &self.metrics);
        }
    }

    /// The operation a request asks for, in any protocol; `None` if it is not for CloudWatch.
    pub(crate) fn operation(request: &Request<Bytes>) -> Option<String> {
        protocol::recognise(request).map(|(_, operation)| operation)
    }

    /// What comes back, and the code of the error if it is one.
    pub(crate) fn answer(&mut self, now: Time, request: &Request<Bytes>, id: &str) -> (Response<Bytes>, Option<String>) {
        let (protocol, operation) = protocol::recognise(request).unwrap_or((Protocol::Json, String::new()));
        let answer = protocol::decode(protocol, request).and_then(|parameters| self.perform(now, &operation, &parameters));
        match answer {
            Ok(value) => (protocol::answer(protocol, &operation, value.as_ref(), id), None),
            Err(fault) => (protocol::refusal(protocol, request, &fault, id), Some(fault.code.into_owned())),
        }
    }

    /// A refusal before CloudWatch handles the request, in its protocol: throttling, denial, failure.
    pub(crate) fn refuse(request: &Request<Bytes>, fault: &Fault, request_id: &str) -> Response<Bytes> {
        let protocol = protocol::recognise(request).map_or(Protocol::Json, |(protocol, _)| protocol);
        protocol::refusal(protocol, request, fault, request_id)
    }

    /// Does what is asked; an operation without an output answers `None`.
    pub(crate) fn perform(&mut self, now: Time, operation: &str, request: &Value) -> Result<Option<Value>, Fault> {
        self.advance(now);
        self.metrics.settle(now);
        let (of_alarms, of_metrics) = (Parameters::of_alarms(request), Parameters::of_metrics(request));
        let answer = match operation {
            "PutMetricAlarm" => alarm_requests::put_metric_alarm(&mut self.alarms, now, of_alarms).map(|()| None),
            "PutCompositeAlarm" => alarm_requests::put_composite_alarm(&mut self.alarms, now, of_alarms).map(|()| None),
            "PutLogAlarm" => alarm_requests::put_log_alarm(&mut self.alarms, now, of_alarms).map(|()| None),
            "DeleteAlarms" => alarm_requests::delete_alarms(&mut self.alarms, now, of_alarms).map(|()| None),
            "SetAlarmState" => alarm_requests::set_alarm_state(&mut self.alarms, now, of_alarms).map(|()| None),
            "EnableAlarmActions" => alarm_requests::enable_actions(&mut self.alarms, now, of_alarms, true).map(|()| None),
            "DisableAlarmActions" => alarm_requests::enable_actions(&mut self.alarms, now, of_alarms, false).map(|()| None),
            "TagResource" => alarm_requests::tag(&mut self.alarms, of_alarms).map(Some),
            "UntagResource" => alarm_requests::untag(&mut self.alarms, of_alarms).map(Some),
            "ListTagsForResource" => alarm_requests::list_tags(&mut self.alarms, of_alarms).map(Some),
            "DescribeAlarms" => alarm_answers::describe_alarms(&self.alarms, of_alarms).map(Some),
            "DescribeAlarmsForMetric" => alarm_answers::describe_alarms_for_metric(&self.alarms, of_alarms).map(Some),
            "DescribeAlarmHistory" => alarm_answers::describe_alarm_history(&self.alarms, of_alarms).map(Some),
            "PutMetricData" => metric_requests::put_metric_data(&mut self.metrics, now, of_metrics).map(|()| None),
            "ListMetrics" => metric_requests::list_metrics(&self.metrics, now, of_metrics).map(Some),
            "GetMetricData" => metric_answers::metric_data(&self.metrics, &self.faults, now, of_alarms).map(Some),
            "GetMetricStatistics" => metric_answers::metric_statistics(&self.metrics, of_metrics).map(Some),
            other => Err(Fault::unknown_operation(other)),
        };
        Ok(answer?.map(present))
    }

    pub(crate) fn add_fault(&mut self, fault: MetricFault) {
        self.faults.push(fault);
    }

    pub(crate) fn clear_faults(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn put_alarm(&mut self, now: Time, alarm: Alarm) -> Result<(), Fault> {
        self.alarms.put(now, alarm, Vec::new())
    }

    pub(crate) fn set_evaluation_state(&mut self, name: &str, state: Option<&str>) -> Option<()> {
        self.alarms.set_evaluation(name, state)
    }

    /// Sets an alarm's state until its next evaluation.
    pub(crate) fn set_alarm_state(&mut self, now: Time, name: &str, state: AlarmState, reason: &str) -> Result<(), Fault> {
        self.alarms.set_state(now, name, Verdict { state, reason: reason.to_owned(), reason_data: None })
    }

    pub(crate) fn alarm_state(&self, name: &str) -> Option<AlarmState> {
        self.alarms.find(name).map(|standing| standing.verdict.state)
    }

    /// What happened to an alarm, the oldest first; a deleted one has a history too.
    pub(crate) fn history<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a HistoryItem> {
        self.alarms.history().iter().filter(move |item| item.alarm == name)
    }
}
