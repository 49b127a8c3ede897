//! Do hooks still report to `CodeDeploy`? Their logs tell, where the last invocation left such a line. Nothing is run.

use std::collections::BTreeMap;
use std::time::Duration;

use rollout::diagnosis::{Diagnosis, DoctorReport, Severity, SkippedCheck};

use crate::error_lines::{first_line, without_frame};
use crate::hooks::{ADAPTER, CODE_DEPLOY, functions};
use crate::log_query::ask;
use crate::port::{Call, Clock, Cloud, Failure, LogQuery, default_log_group};
use crate::preflight::callers::unseen;
use crate::request::Request;

const WHAT: &str = "whether hooks still report to CodeDeploy";

/// A hook runs with each rollout; one that has not run for so long is not in use.
const PAST: Duration = Duration::from_hours(30 * 24);

/// Such a log is short; a query that takes longer is stopped.
const LIMIT: Duration = Duration::from_secs(20);

/// The last invocation is among as many lines that begin one or name the call.
const ROWS: u16 = 50;

/// The lines that begin an invocation, in both forms of Lambda's log.
const BEGINS: [&str; 2] = ["START RequestId", "platform.start"];

pub(super) async fn look<C: Cloud, K: Clock>(cloud: &C, clock: &K, request: &Request, out: &mut DoctorReport) {
    if request.no_logs {
        return;
    }
    for hook in functions(request) {
        let now = cloud.time();
        let query = LogQuery { group: default_log_group(hook), text: text(), from: now - PAST, to: now, rows: ROWS };
        match ask(cloud, clock, &query, LIMIT).await {
            Some(Ok(found)) => out.diagnoses.extend(reports(&found.rows).map(|line| legacy(hook, line))),
            // It has never run, or writes into another group.
            Some(Err(error)) if error.failure == Failure::NotFound => {}
            Some(Err(error)) => {
                out.unseen.push(unseen(WHAT, Call::StartQuery, &error));
                return;
            }
            None => {
                let why = format!("the query of the log of `{hook}` took too long");
                out.unseen.push(SkippedCheck { what: WHAT.to_owned(), why, permission: None });
            }
        }
    }
}

fn text() -> String {
    let words: Vec<&str> = BEGINS.into_iter().chain(CODE_DEPLOY).collect();
    format!("fields @timestamp, @message | filter @message like /(?i){}/ | sort @timestamp desc", words.join("|"))
}

/// The line in which the last invocation names the call. Those before do not count: the hook may have been changed since.
fn reports(rows: &[BTreeMap<String, String>]) -> Option<&str> {
    let lines = || rows.iter().filter_map(|row| Some((row.get("@timestamp")?.as_str(), row.get("@message")?.as_str())));
    let begins = |line: &str| BEGINS.iter().any(|word| line.contains(word));
    let began = lines().filter(|(_, line)| begins(line)).map(|(at, _)| at).max();
    lines().find(|(at, line)| !begins(line) && Some(*at) >= began).map(|(_, line)| line)
}

fn legacy(hook: &str, line: &str) -> Diagnosis {
    let line: String = without_frame(first_line(line)).chars().take(200).collect();
    Diagnosis::new(
        Severity::Warning,
        "hook",
        format!("hook `{hook}` still reports to CodeDeploy: its last invocation logged `{line}`"),
    )
    .why("canaryctl reads the hook's answer and does not see that call: the hook fails, and the rollout ends with 11")
    .fix(ADAPTER)
    .commands(["canaryctl guide hook-adapter.js > hook-adapter.js".to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_invocation_counts() {
        let row = |(at, line): &(&str, &str)| {
            [("@timestamp", *at), ("@message", *line)].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
        };
        let denied = "AccessDeniedException: not authorized to perform: codedeploy:PutLifecycleEventHookExecutionStatus";
        let start = "START RequestId: 1 Version: $LATEST";
        for (lines, found) in [
            (&[("2", denied), ("1", start)][..], true),
            (&[("2", start), ("2", denied)], true),
            (&[("3", start), ("2", denied), ("1", start)], false),
            (&[("3", r#"{"type":"platform.start"}"#), ("2", denied)], false),
            (&[("1", start)], false),
            (&[], false),
        ] {
            let rows: Vec<BTreeMap<String, String>> = lines.iter().map(row).collect();
            assert_eq!(reports(&rows).is_some(), found, "{lines:?}");
        }
    }
}
