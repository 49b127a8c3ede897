//! How is a log read line by line? With `FilterLogEvents`, page after page: many of them may be empty.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use controller::port::{Answer, Call, LogLine, LogSpan};
use rollout::Time;

use crate::connect::Aws;
use crate::error::{failed, unreadable};

impl Aws {
    pub(crate) async fn read_log(&self, span: &LogSpan) -> Answer<Vec<LogLine>> {
        let read = async {
            let (mut found, mut next) = (Vec::new(), None);
            for _ in 0..PAGES {
                let request = self
                    .logs()
                    .filter_log_events()
                    .log_group_name(&span.group)
                    .filter_pattern(&span.pattern)
                    .start_time(millis(span.from))
                    .end_time(millis(span.to))
                    .set_next_token(next.take());
                let page = request.send().await.map_err(failed(Call::FilterLogEvents))?;
                found.extend(page.events.unwrap_or_default().into_iter().map(line));
                next = page.next_token;
                if next.is_none() {
                    // Each page is in order, and so are all of them by the documentation; what is sorted already costs nothing.
                    found.sort_by_key(|line: &LogLine| line.at);
                    return Ok(found);
                }
            }
            Err(unreadable(Call::FilterLogEvents, format!("more than {PAGES} pages")))
        };
        self.within(Call::FilterLogEvents, LIMIT, read).await?
    }
}

fn line(event: FilteredLogEvent) -> LogLine {
    let at = event.timestamp.and_then(|at| u64::try_from(at).ok()).map(Time::from_millis).unwrap_or_default();
    LogLine { stream: event.log_stream_name.unwrap_or_default(), at, text: event.message.unwrap_or_default() }
}

fn millis(at: Time) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}

/// A page is a megabyte, or what AWS searched in a moment: 5 GB of log at most.
const PAGES: usize = 5_000;

/// How long all pages together may take: at five calls a second, which AWS allows everywhere, 3,000 of them.
const LIMIT: Duration = Duration::from_mins(10);
