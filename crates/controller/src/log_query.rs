//! What does a function's log say? One query of `CloudWatch` Logs Insights, from its beginning to its answer, within a limit.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use rollout::Version;

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
