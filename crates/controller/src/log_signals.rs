//! What do the signals in the function's log count? Queries of its log, once a minute while the rollout rests, and what is kept of them.
//!
//! Each asks for the newest minutes only: what was all there before stays. A process that takes over asks from the first minute.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::time::{Duration, UNIX_EPOCH};

use rollout::signal::SignalSource;
use rollout::timing::{CLOUDWATCH_SETTLED, LOG_QUERY_LIMIT, LOGS_APART};
use rollout::{Signal, Time, Version};

use crate::log_query::{ask, streams};
use crate::port::{Clock, Cloud, LogQuery, LogRows, SignalCounts, SignalMinute, VersionPair};

/// What was counted in the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LogCounts {
    /// The minutes of each signal of the plan, none of those in metrics. Requests are those that left any line in the log.
    pub(crate) signals: Vec<BTreeMap<Time, SignalMinute>>,
    /// The end of the last minute that is all there.
    pub(crate) until: Option<Time>,
    /// How old the newest line was when it was asked for.
    pub(crate) lag: Option<Duration>,
}

/// An answer: what was counted from then on.
struct Counted {
    from: Time,
    counts: LogCounts,
}

type Job<'a> = Pin<Box<dyn Future<Output = Result<Counted, String>> + 'a>>;

#[derive(Default)]
pub(crate) struct LogSignals<'a> {
    counts: LogCounts,
    /// Since when no query has been answered, and what the last one failed of.
    unanswered_since: Option<Time>,
    failing: Option<String>,
    asking: Option<Job<'a>>,
}

impl<'a> LogSignals<'a> {
    /// Begins to ask for what is new, unless that is being asked already, or no signal is in the log.
    pub(crate) fn begin<C: Cloud, K: Clock>(&mut self, (cloud, clock): (&'a C, &'a K), pair: &VersionPair, group: String) {
        if self.asking.is_some() || !pair.signals.iter().any(Signal::is_in_logs) {
            return;
        }
        let to = cloud.time();
        self.unanswered_since.get_or_insert(to);
        let question = Question { group, pair: pair.clone(), from: self.counts.until.unwrap_or(pair.from), to };
        self.asking = Some(Box::pin(async move { question.ask(cloud, clock).await }));
    }

    /// Goes on with what is in progress, and keeps what comes of it; never ends: what was counted is used with the next count of the
    /// invocations, which are later than the log.
    pub(crate) async fn proceed(&mut self) -> Infallible {
        if let Some(job) = self.asking.as_mut() {
            let answer = job.await;
            self.asking = None;
            self.keep(answer);
        }
        std::future::pending().await
    }

    fn keep(&mut self, answer: Result<Counted, String>) {
        match answer {
            Ok(Counted { from, counts }) => {
                (self.unanswered_since, self.failing) = (None, None);
                let known = std::mem::take(&mut self.counts);
                let mut before = known.signals.into_iter();
                let signals = counts.signals.into_iter().map(|new| {
                    let mut minutes = before.next().unwrap_or_default();
                    minutes.retain(|start, _| *start < from);
                    minutes.extend(new);
                    minutes
                });
                self.counts = LogCounts { signals: signals.collect(), until: counts.until.max(known.until), lag: counts.lag };
            }
            Err(why) => self.failing = Some(why),
        }
    }

    pub(crate) fn counts(&self) -> &LogCounts {
        &self.counts
    }

    /// Why the log cannot be counted in, where it could not be for too long.
    pub(crate) fn unreadable(&self, now: Time) -> Option<String> {
        let since = self.unanswered_since.filter(|since| now.since(*since) >= CLOUDWATCH_SETTLED)?;
        let why = self.failing.as_deref().unwrap_or("no answer");
        Some(format!("the log could not be queried since {}: {why}", rollout::health::clock(since)))
    }
}

/// The minutes of the signals in the log of a past rollout, in their order; none of those in metrics.
///
/// # Errors
/// Why the log could not be queried.
pub async fn log_signal_minutes<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    pair: &VersionPair,
    group: String,
) -> Result<Vec<Vec<SignalMinute>>, String> {
    let question = Question { group, pair: pair.clone(), from: pair.from, to: cloud.time() };
    let counted = question.ask(cloud, clock).await?;
    Ok(counted.counts.signals.into_iter().map(|minutes| minutes.into_values().collect()).collect())
}

/// What is asked of the log: which versions wrote, and in which requests a line matches.
struct Question {
    group: String,
    pair: VersionPair,
    from: Time,
    to: Time,
}

/// A row: the requests of a version in a minute, and the newest of their lines.
struct Row {
    version: Version,
    start: Time,
    requests: f64,
    latest: Time,
}

impl Question {
    async fn ask<C: Cloud, K: Clock>(self, cloud: &C, clock: &K) -> Result<Counted, String> {
        let heard = self.rows(cloud, clock, None).await?;
        // What was not there yet when it was asked for is counted the next time; another container's lines may be a little later.
        let latest = heard.iter().map(|row| row.latest).max();
        let until = latest.map(|latest| Time::from_secs((latest - LOGS_APART).as_secs() / 60 * 60));
        let lag = latest.map(|latest| self.to.since(latest));
        let mut signals = Vec::new();
        for signal in &self.pair.signals {
            signals.push(match &signal.source {
                SignalSource::Logs { filter } => self.minutes(&heard, &self.rows(cloud, clock, Some(filter)).await?),
                SignalSource::Metrics { .. } => BTreeMap::new(),
            });
        }
        Ok(Counted { from: self.from, counts: LogCounts { signals, until, lag } })
    }

    fn minutes(&self, heard: &[Row], failed: &[Row]) -> BTreeMap<Time, SignalMinute> {
        let mut minutes: BTreeMap<Time, SignalMinute> = BTreeMap::new();
        for (rows, failures) in [(heard, false), (failed, true)] {
            for row in rows {
                let none = SignalCounts::default();
                let minute = minutes.entry(row.start).or_insert(SignalMinute { start: row.start, stable: none, candidate: none });
                let side = if row.version == self.pair.candidate { &mut minute.candidate } else { &mut minute.stable };
                *if failures { &mut side.failures } else { &mut side.requests } += row.requests;
            }
        }
        minutes
    }

    /// Requests by version and minute: those with a line that matches, or all that left one.
    async fn rows<C: Cloud, K: Clock>(&self, cloud: &C, clock: &K, filter: Option<&String>) -> Result<Vec<Row>, String> {
        let query = LogQuery { group: self.group.clone(), text: self.text(filter), from: self.from, to: self.to, rows: ROWS };
        let limit = rollout::format::exact(LOG_QUERY_LIMIT);
        let answer = ask(cloud, clock, &query, LOG_QUERY_LIMIT).await.ok_or_else(|| format!("no response within {limit}"))?;
        let LogRows { rows, .. } = answer.map_err(|error| error.to_string())?;
        if rows.len() >= usize::from(ROWS) {
            return Err(format!("more than {ROWS} rows"));
        }
        let read = rows.iter().map(Row::of).collect::<Option<Vec<Row>>>();
        read.ok_or_else(|| "a row without a version, a minute or a number".to_owned())
    }

    fn text(&self, filter: Option<&String>) -> String {
        let VersionPair { subject, stable, candidate, .. } = &self.pair;
        let streams = streams(&subject.function.name, &self.group, [*stable, *candidate]);
        let filter = filter.map_or_else(String::new, |filter| format!("| filter ({filter})\n"));
        format!(
            "filter {streams}\n{filter}\
             | parse @logStream \"*[*]*\" as streamDay, streamVersion, streamId\n\
             | stats count_distinct(@requestId) as requests, count(@requestId) as named, count(*) as found, max(@timestamp) as latest \
             by streamVersion, bin(1m) as minute"
        )
    }
}

impl Row {
    /// `None` where something is missing. Lines without a request's id count as a request each.
    fn of(fields: &BTreeMap<String, String>) -> Option<Self> {
        let number =
            |name: &str| fields.get(name)?.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
        let time = |name: &str| moment(fields.get(name)?);
        Some(Self {
            version: fields.get("streamVersion")?.parse().ok()?,
            start: time("minute")?,
            requests: number("requests")? + (number("found")? - number("named")?).max(0.0),
            latest: time("latest")?,
        })
    }
}

/// A time as a query gives it: `2026-11-26 21:05:00.000`, or the milliseconds since 1970.
fn moment(text: &str) -> Option<Time> {
    let text = text.trim();
    let since = match text.parse::<f64>() {
        Ok(millis) => Duration::try_from_secs_f64(millis / 1000.0).ok()?,
        Err(_) => humantime::parse_rfc3339_weak(text).ok()?.duration_since(UNIX_EPOCH).ok()?,
    };
    Some(Time::from_millis(u64::try_from(since.as_millis()).ok()?))
}

/// A row for each version and minute: more than three days of both.
const ROWS: u16 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_either_form() {
        let at = Time::from_millis(1_795_726_500_250);
        assert_eq!(moment("2026-11-26 20:55:00.250"), Some(at));
        assert_eq!(moment("1795726500250"), Some(at));
        assert_eq!(moment("1.79572650025E12"), Some(at));
        assert_eq!(moment("yesterday"), None);
        assert_eq!(moment("-5"), None);
    }

    #[test]
    fn lines_without_a_request_count_as_one_each() {
        let row = |pairs: &[(&str, &str)]| {
            Row::of(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let minute = ("minute", "2026-11-26 20:55:00.000");
        let latest = ("latest", "2026-11-26 20:55:59.000");
        let found = row(&[("streamVersion", "42"), minute, latest, ("requests", "3"), ("named", "7"), ("found", "9")]).unwrap();
        assert!((found.requests - 5.0).abs() < 1e-9);
        assert!(
            row(&[("streamVersion", "$LATEST"), minute, latest, ("requests", "3"), ("named", "7"), ("found", "9")]).is_none()
        );
        assert!(row(&[("streamVersion", "42"), minute, ("requests", "3"), ("named", "7"), ("found", "9")]).is_none());
    }
}
