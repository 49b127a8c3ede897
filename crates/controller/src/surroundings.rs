//! What is there around a function, beside the alias that is rolled out? Values of the port, for whoever looks for traps.

use std::collections::BTreeMap;
use std::time::Duration;

/// What feeds a queue or a stream to a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSource {
    /// The mapping's UUID.
    pub id: String,
    /// The ARN of the queue or stream, where it has one.
    pub source: Option<String>,
    /// The ARN of what it calls, qualified where it names an alias or a version.
    pub function: String,
    /// Whether it calls, or is about to.
    pub active: bool,
}

/// An address of a function's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionUrl {
    /// The address.
    pub url: String,
    /// The ARN of what it calls, qualified where it names an alias.
    pub function: String,
    /// `NONE` or `AWS_IAM`.
    pub auth: String,
}

/// What an alarm looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    /// Its name.
    pub name: String,
    /// The metrics; none where it is composite, or looks at something that cannot be told.
    pub series: Vec<Series>,
    /// The alarms that a composite one looks at.
    pub children: Vec<String>,
    /// How long its condition must hold before it fires, where it says so.
    pub fires_after: Option<Duration>,
}

/// One metric, as an alarm looks at it. Words are AWS' own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The namespace.
    pub namespace: String,
    /// The metric.
    pub metric: String,
    /// `Sum`, `Minimum` and the like, or a percentile.
    pub statistic: String,
    /// The dimensions.
    pub dimensions: BTreeMap<String, String>,
}
