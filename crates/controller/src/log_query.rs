//! What does a function's log say? One query of `CloudWatch` Logs Insights, from its beginning to its answer, within a limit.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use rollout::logged_error::LoggedError;
use rollout::{Time, Version};

use crate::error_lines::{Row, kinds};
use crate::port::{Answer, Clock, Cloud, LogQuery, LogRows, default_log_group};

/// How often to ask whether a query is through.
const EVERY: Duration = Duration::from_secs(1);

/// How long stopping a query may take: nothing depends on it.
const STOPPING: Duration = Duration::from_secs(1);

/// The answer to a query; `None` if it takes longer than `limit`: then it is stopped.
pub(crate) async fn ask(cloud: &impl Cloud, clock: &impl Clock, query: &LogQuery, limit: Duration) -> Option<Answer<LogRows>> {
    let begun: RefCell<Option<String>> = RefCell::new(None);
    let asked = async {
        let id = cloud.start_query(query).await?;
        *begun.borrow_mut() = Some(id.clone());
        loop {
            clock.sleep(EVERY).await;
            if let Some(rows) = cloud.query_results(&id).await? {
                return Ok(rows);
            }
        }
    };
    let found = tokio::select! {
        biased;
        found = asked => Some(found),
        () = clock.sleep(limit.saturating_sub(STOPPING)) => None,
    };
    let running = begun.take().filter(|_| found.is_none());
    if let Some(id) = running {
        tokio::select! {
            biased;
            stopped = cloud.stop_query(&id) => tracing::debug!(?stopped, "stopped a query"),
            () = clock.sleep(STOPPING) => {}
        }
    }
    found
}

/// Which log streams are of these versions of a function, as a condition of a query. A stream of a function's own group is named by date and
/// version, `2026/11/26/[42]8f3c…`; in a group that others write to, too, its function stands before the version.
pub(crate) fn streams(function: &str, group: &str, versions: impl IntoIterator<Item = Version>) -> String {
    let versions: BTreeSet<String> = versions.into_iter().map(|version| version.to_string()).collect();
    let versions = versions.into_iter().collect::<Vec<_>>().join("|");
    let named = if group == default_log_group(function) { String::new() } else { format!("({function})?") };
    format!(r"@logStream like /\/{named}\[({versions})\]/")
}

/// What is asked of a log about the failures of a version.
#[derive(Clone, Debug)]
pub struct LogSearch {
    /// The function's name.
    pub function: String,
    /// The log group.
    pub group: String,
    /// Whose failures.
    pub candidate: Version,
    /// The version beside which they stand.
    pub stable: Option<Version>,
    /// From then on,
    pub from: Time,
    /// to then.
    pub to: Time,
    /// Further lines that count as failures: conditions of a query.
    pub filters: Vec<String>,
}

/// The kinds of error lines that a version logged, in one query; `None` if its answer takes longer than `limit`.
///
/// # Errors
/// The log could not be read.
pub async fn error_lines(
    cloud: &impl Cloud,
    clock: &impl Clock,
    search: &LogSearch,
    limit: Duration,
) -> Option<Answer<Vec<LoggedError>>> {
    let query = LogQuery { group: search.group.clone(), text: search.text(), from: search.from, to: search.to, rows: ROWS };
    let found = ask(cloud, clock, &query, limit).await?;
    Some(found.map(|found| {
        let whole = found.rows.len() < usize::from(ROWS);
        let rows: Vec<Row> = found.rows.iter().filter_map(Row::of).collect();
        kinds(&rows, search.candidate, whole)
    }))
}

impl LogSearch {
    fn text(&self) -> String {
        let Self { function, group, candidate, stable, .. } = self;
        let streams = streams(function, group, [Some(*candidate), *stable].into_iter().flatten());
        let further = self.filters.iter().map(|filter| format!(" or ({filter})")).collect::<Vec<_>>().concat();
        // The candidate's lines first: beside a talkative stable they would be cut off.
        let first = if stable.is_some_and(|stable| stable > *candidate) { "asc" } else { "desc" };
        format!(
            "fields @timestamp, @message, @requestId, @logStream\n\
             | parse @logStream \"*[*]*\" as streamDay, streamVersion, streamId\n\
             | filter {streams}\n\
             | filter (@message like /{ERRORS}/ and @message not like /{FRAME}/ and @message not like /{NONE}/){further}\n\
             | sort streamVersion {first}, @timestamp asc"
        )
    }
}

/// What a line says that tells of an error, in the runtimes' own logs and in most others: errors by their level or their name, what Lambda
/// writes about an invocation that took too long, had too little memory or did not get through its start.
const ERRORS: &str = "(?i)\\berror|exception|traceback|\\bfatal\\b|\\bcritical\\b|\\bpanic|\\bfailed\\b|task timed out|out of memory|signal: killed|\
                      \"status\":\"(timeout|failure)\"|Status: timeout";

/// Lambda's own lines around every invocation. What went wrong stands in a line of its own, too.
const FRAME: &str = "^(START|END|REPORT) ";

/// A member for errors that says that there are none.
const NONE: &str = "(?i)\"(error|errors|exception)\" *: *(null|0|false|\\[\\]|\"\")";

/// As many lines tell the kinds of them; an answer stays well under a megabyte.
const ROWS: u16 = 1_000;
