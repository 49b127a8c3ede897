//! What is asked of logs, and what do they answer?

use std::collections::BTreeMap;

use rollout::Time;

/// A question to the log of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// The name of the log group.
    pub group: String,
    /// In the language of `CloudWatch` Logs Insights.
    pub text: String,
    /// Lines from then on,
    pub from: Time,
    /// to then, in whole seconds.
    pub to: Time,
    /// The most rows that are given, 1 to 10,000.
    pub rows: u16,
}

/// The answer to a query: the fields of each row by their names, and what it cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRows {
    /// The rows. A field that a row does not have is left out.
    pub rows: Vec<BTreeMap<String, String>>,
    /// How many bytes of log were read for it: they are what AWS charges for.
    pub scanned: u64,
}

/// What is read of a log, line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSpan {
    /// The name of the log group.
    pub group: String,
    /// Which lines: a pattern of `FilterLogEvents`.
    pub pattern: String,
    /// Lines from then on,
    pub from: Time,
    /// to then.
    pub to: Time,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The log stream, into which one execution environment writes, one line after the other.
    pub stream: String,
    /// When it was written.
    pub at: Time,
    /// What it says.
    pub text: String,
}
