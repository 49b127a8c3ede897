//! What can a schedule see? What is foretold of it from yesterday's traffic, as a plan tells it. Nothing is computed here.

use crate::Time;
use crate::comparison::Thousandths;
use serde::Serialize;

/// What a schedule is expected to see and to cost, should the traffic be as yesterday.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// The beginning of yesterday's traffic that this is taken from.
    pub from: Time,
    /// Its end.
    pub to: Time,
    /// Invocations of the alias a minute.
    pub calls_a_minute: Thousandths,
    /// Percent of them that failed.
    pub errors_percent: Thousandths,
    /// Part by part of the schedule, while both versions have invocations.
    pub parts: Vec<Part>,
    /// What a new version that fails 5% of its invocations costs, and one that fails all of them.
    pub costs: Vec<Cost>,
    /// A schedule of the same length that sees more, or costs less.
    pub better: Option<Better>,
    /// What is seen of each signal whose past is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<SignalForecast>,
    /// What it costs to count in the log, where signals are in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogCost>,
}

/// What queries of a log cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogCost {
    /// The log group.
    pub group: String,
    /// How many queries an hour.
    pub queries_an_hour: u64,
    /// How many bytes of log they read an hour; `None` where it is not known how much is written.
    pub bytes_an_hour: Option<u64>,
}

impl LogCost {
    /// What AWS charges for a gigabyte that is read, in US dollars, in most Regions.
    pub const A_GIGABYTE: f64 = 0.005;

    /// The price of an hour, in US dollars.
    #[expect(clippy::cast_precision_loss, reason = "a price that is shown with two digits")]
    pub fn an_hour(&self) -> Option<f64> {
        self.bytes_an_hour.map(|bytes| bytes as f64 / 1e9 * Self::A_GIGABYTE)
    }
}

/// What is seen of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignalForecast {
    /// Which.
    pub name: String,
    /// Its requests a minute.
    pub requests_a_minute: Thousandths,
    /// Percent of them that failed.
    pub failures_percent: Thousandths,
    /// The smallest rate of failures, in percent, that is noticed by the end with 95% probability.
    pub smallest_percent: Option<Thousandths>,
    /// What a new version costs that fails 5% of them.
    pub cost: Cost,
}

/// A step, or a few of them together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its steps, counted from 1.
    pub steps: [usize; 2],
    /// Invocations of the canary in it.
    pub canary_calls: u64,
    /// The smallest rate of errors, in percent, that is noticed by its end with 95% probability; `None` where even a version that
    /// fails always may go unnoticed.
    pub smallest_percent: Option<Thousandths>,
}

/// What a bad version costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Percent of its invocations that fail.
    pub fails_percent: u64,
    /// Minutes until it is noticed, in a typical case, `CloudWatch` being two minutes late; `None` where it is not.
    pub minutes: Option<Thousandths>,
    /// Invocations that fail by then, or by the end of the schedule.
    pub failed_calls: u64,
}

/// Another schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Better {
    /// Its name.
    pub schedule: String,
    /// The smallest rate of errors that it notices, in percent.
    pub smallest_percent: Option<Thousandths>,
    /// What a version that fails 5% of its invocations costs there.
    pub failed_calls: u64,
}
