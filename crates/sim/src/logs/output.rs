//! What does an invocation write into its log? Lambda's own lines, those of the function, and errors; as text or as JSON.
//!
//! Nothing is written until somebody reads: a group keeps invocations, and their lines are made of them. The environment variables
//! are those of `lambda::behaviour`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::embedded::{Sample, samples};
use crate::calendar::iso;
use crate::time::Time;

/// What one configuration writes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Output {
    /// Whether the function's `LoggingConfig` says `JSON`.
    pub(crate) json: bool,
    /// The log group, where it is not the function's own.
    pub(crate) group: Option<String>,
    /// Whether the runtime is Python's: it writes errors in a form of its own, and prints lines as they are.
    pub(crate) python: bool,
    /// In MB.
    pub(crate) memory: i64,
    pub(crate) timeout: Duration,
    /// What an error says.
    pub(crate) reason: String,
    /// `SIM_LOG`.
    pub(crate) line: Option<String>,
    /// `SIM_LOG_ON_ERROR`, line by line.
    pub(crate) on_error: Vec<String>,
    /// `SIM_EMF`.
    pub(crate) embedded: Option<String>,
}

/// One invocation, as small as it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Invocation {
    pub(crate) at: Time,
    /// The request id's bits.
    pub(crate) id: u128,
    pub(crate) micros: u32,
    pub(crate) end: End,
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    /// With a 5xx answer of its own: no error for Lambda.
    AnsweredError,
    Threw,
    TimedOut,
}

impl End {
    /// Whether Lambda counts it as an error.
    pub(crate) fn is_error(self) -> bool {
        matches!(self, Self::Threw | Self::TimedOut)
    }

    fn status(self) -> u16 {
        if self == Self::Answered { 200 } else { 500 }
    }
}

/// Who runs: a function's name and a version's number or `$LATEST`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runner<'a> {
    pub(crate) function: &'a str,
    pub(crate) version: &'a str,
}

/// One line, with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) at: Time,
    /// Time and request id, which the tail of an answer to `Invoke` leaves out here.
    head: String,
    text: String,
}

impl Line {
    pub(crate) fn message(&self) -> String {
        format!("{}{}", self.head, self.text)
    }
}

impl Invocation {
    pub(crate) fn took(&self) -> Duration {
        Duration::from_micros(u64::from(self.micros))
    }

    fn request_id(&self) -> String {
        let hex = format!("{:032x}", self.id);
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl Output {
    /// All lines of an invocation, in order of time, with those that were written beside them.
    pub(crate) fn lines(&self, invocation: &Invocation, runner: Runner<'_>, beside: &[String]) -> Vec<Line> {
        let id = invocation.request_id();
        let ended = invocation.at + invocation.took();
        let mut lines = vec![self.platform(
            invocation.at,
            format!("START RequestId: {id} Version: {}\n", runner.version),
            || json!({"type": "platform.start", "record": {"requestId": id, "version": runner.version}}),
        )];
        lines.extend(self.own(invocation, runner, &id));
        lines.extend(beside.iter().map(|text| self.said(ended, "INFO", text.clone(), &id)));
        match invocation.end {
            End::Answered | End::AnsweredError => {}
            End::Threw => lines.push(self.error(ended, &id)),
            End::TimedOut => lines.push(Line {
                at: ended,
                head: format!("{} ", iso(ended)),
                text: format!("{id} Task timed out after {:.2} seconds\n", self.timeout.as_secs_f64()),
            }),
        }
        if !self.json {
            lines.push(plain(ended, format!("END RequestId: {id}\n")));
        }
        let took = invocation.took().as_secs_f64() * 1_000.0;
        let (memory, used) = (self.memory, self.memory.min(64));
        let report = format!(
            "REPORT RequestId: {id}\tDuration: {took:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {memory} MB\t\
             Max Memory Used: {used} MB\t\n",
            took.ceil(),
        );
        lines.push(self.platform(ended, report, || {
            let status = match invocation.end {
                End::Answered | End::AnsweredError => "success",
                End::Threw => "error",
                End::TimedOut => "timeout",
            };
            let rounded = (took * 1_000.0).round() / 1_000.0;
            let metrics =
                json!({"durationMs": rounded, "billedDurationMs": took.ceil(), "memorySizeMB": memory, "maxMemoryUsedMB": used});
            json!({"type": "platform.report", "record": {"requestId": id, "metrics": metrics, "status": status}})
        }));
        lines
    }

    /// The lines as the answer to `Invoke` has them.
    pub(crate) fn tail(&self, invocation: &Invocation, runner: Runner<'_>, beside: &[String]) -> String {
        let ends = |line: &Line| if line.text.ends_with('\n') { "" } else { "\n" };
        self.lines(invocation, runner, beside).iter().flat_map(|line| [line.text.as_str(), ends(line)]).collect()
    }

    /// Whether the function writes nothing itself.
    pub(super) fn is_silent(&self) -> bool {
        self.embedded.is_none() && self.line.is_none() && self.on_error.is_empty()
    }

    /// The metrics in the lines of an invocation.
    pub(super) fn samples(&self, invocation: &Invocation, runner: Runner<'_>) -> Vec<Sample> {
        if self.line.iter().chain(&self.on_error).any(|line| line.contains(EMBEDDED)) {
            return self.embedded_samples(invocation, runner);
        }
        let Some(namespace) = self.embedded.as_ref().filter(|_| invocation.end != End::TimedOut) else { return Vec::new() };
        // What the line of `metrics` holds, which need not be written and read for that.
        let at = invocation.at + invocation.took();
        let failed = f64::from(u8::from(invocation.end != End::Answered));
        let version = ("Version".to_owned(), runner.version.to_owned());
        let function = ("FunctionName".to_owned(), runner.function.to_owned());
        let sample = |dimensions: &[(String, String)], metric: &str, value| Sample {
            at,
            namespace: namespace.clone(),
            metric: metric.to_owned(),
            unit: "Count".to_owned(),
            resolution: 60,
            dimensions: dimensions.to_vec(),
            values: vec![value],
        };
        let sets = [vec![version.clone()], vec![function, version]];
        sets.iter().flat_map(|set| [sample(set, "Requests", 1.0), sample(set, "Failures", failed)]).collect()
    }

    fn embedded_samples(&self, invocation: &Invocation, runner: Runner<'_>) -> Vec<Sample> {
        let lines = self.own(invocation, runner, &invocation.request_id());
        lines.iter().flat_map(|line| samples(&line.message())).collect()
    }

    /// What the function writes itself, all of it when it ends; one that times out is stopped before.
    fn own(&self, invocation: &Invocation, runner: Runner<'_>, id: &str) -> Vec<Line> {
        if invocation.end == End::TimedOut {
            return Vec::new();
        }
        let (at, status) = (invocation.at + invocation.took(), invocation.end.status());
        // Some number that differs from invocation to invocation.
        let number = (invocation.id % 9_000) + 1_000;
        let filled = |template: &str| {
            template
                .replace("${status}", &status.to_string())
                .replace("${requestId}", id)
                .replace("${version}", runner.version)
                .replace("${number}", &number.to_string())
        };
        let failed = invocation.end != End::Answered;
        let said = self.line.iter().map(|line| self.said(at, "INFO", filled(line), id));
        let complained = self.on_error.iter().filter(|_| failed).map(|line| self.said(at, "ERROR", filled(line), id));
        let counted = self.embedded.as_ref().map(|namespace| plain(at, metrics(namespace, at, runner, id, failed)));
        said.chain(complained).chain(counted).collect()
    }

    /// A line of the function. One that is JSON already is written as it is, whatever the format (documented for the format JSON); any
    /// other one gets what the runtime puts around it.
    fn said(&self, at: Time, level: &str, text: String, id: &str) -> Line {
        if text.starts_with('{') && serde_json::from_str::<Map<String, Value>>(&text).is_ok() {
            return plain(at, text);
        }
        if self.json {
            let line = json!({"timestamp": iso(at), "level": level, "requestId": id, "message": text});
            return plain(at, line.to_string());
        }
        let head = if self.python { String::new() } else { format!("{}\t{id}\t{level}\t", iso(at)) };
        Line { at, head, text: format!("{text}\n") }
    }

    /// An error that nobody caught.
    fn error(&self, at: Time, id: &str) -> Line {
        let (kind, reason) = (if self.python { "Exception" } else { "Error" }, &self.reason);
        if self.json {
            let line = json!({
                "timestamp": iso(at), "level": "ERROR", "requestId": id, "errorType": kind, "errorMessage": reason,
                "stackTrace": [format!("{kind}: {reason}"), "    at Runtime.handler (file:///var/task/index.mjs:3:9)"],
            });
            return plain(at, line.to_string());
        }
        if self.python {
            let trace = "Traceback (most recent call last):\n\u{a0}\u{a0}File \"/var/task/index.py\", line 3, in handler";
            return plain(at, format!("[ERROR] {kind}: {reason}\n{trace}\n"));
        }
        let error = format!(r#"{{"errorType":"{kind}","errorMessage":"{reason}","stack":["{kind}: {reason}"]}}"#);
        Line { at, head: format!("{}\t{id}\t", iso(at)), text: format!("ERROR\tInvoke Error\t{error}\n") }
    }

    /// A line of Lambda itself: as text, or as JSON with its time in front.
    fn platform(&self, at: Time, text: String, object: impl FnOnce() -> Value) -> Line {
        if !self.json {
            return plain(at, text);
        }
        let Value::Object(members) = object() else { return plain(at, text) };
        let mut line = Map::from_iter([("time".to_owned(), iso(at).into())]);
        line.extend(members);
        plain(at, Value::Object(line).to_string())
    }
}

/// What every line in the embedded metric format has.
const EMBEDDED: &str = "\"_aws\"";

fn plain(at: Time, text: String) -> Line {
    Line { at, head: String::new(), text }
}

/// The metrics of an invocation in the embedded metric format: by version, and by function and version.
fn metrics(namespace: &str, at: Time, runner: Runner<'_>, id: &str, failed: bool) -> String {
    let count = |name: &str| json!({"Name": name, "Unit": "Count"});
    let directive = json!({
        "Namespace": namespace,
        "Dimensions": [["Version"], ["FunctionName", "Version"]],
        "Metrics": [count("Requests"), count("Failures")],
    });
    json!({
        "_aws": {"Timestamp": at.as_millis(), "CloudWatchMetrics": [directive]},
        "FunctionName": runner.function, "Version": runner.version, "requestId": id,
        "Requests": 1, "Failures": u8::from(failed),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_what_the_line_says() {
        let output = Output { embedded: Some("Shop".to_owned()), ..Output::default() };
        let runner = Runner { function: "f", version: "7" };
        for end in [End::Answered, End::AnsweredError, End::Threw, End::TimedOut] {
            let invocation = Invocation { at: Time::from_millis(5_000), id: 1, micros: 40_000, end };
            let found = output.samples(&invocation, runner);
            assert_eq!(found, output.embedded_samples(&invocation, runner));
            assert_eq!(found.len(), if end == End::TimedOut { 0 } else { 4 });
        }
    }
}
