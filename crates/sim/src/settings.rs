//! How harsh and how slow is this AWS? The knobs of one account in one Region; it decides nothing by itself.

use std::ops::RangeInclusive;
use std::time::Duration;

/// What one simulated account in one Region is like.
#[derive(Clone, Debug)]
#[must_use]
pub struct Settings {
    /// The twelve digits in every ARN.
    pub account: String,
    /// The Region in every ARN.
    pub region: String,
    /// How long a creation or an update of `$LATEST` takes to finish.
    pub settle: Duration,
    /// How long a version made by `PublishVersion` stays `Pending`.
    pub version_settle: Duration,
    /// How long an alias with provisioned concurrency keeps all traffic on its earlier version after its version has changed.
    pub provisioning: Duration,
    /// How many bytes of code all versions of all functions may have together.
    pub code_storage: u64,
    /// How long invocations follow the earlier routing of an alias after a change.
    pub routing_delay: Duration,
    /// How long an API call takes to answer (an invocation's own duration comes on top).
    pub latency: RangeInclusive<Duration>,
    /// How long after the start of an invocation its metrics become visible; never before it has ended.
    pub metric_lag: RangeInclusive<Duration>,
    /// How long after the end of a period an alarm on it is evaluated.
    pub evaluation_delay: Duration,
    /// How old a log line is before it can be read. AWS names no number; lines are usually there within seconds.
    pub log_delay: Duration,
    /// How old a log line is before a query finds it. AWS names no number.
    pub log_query_delay: Duration,
    /// How long a query of logs runs. AWS names no number; small ones usually take a second or two.
    pub log_query_time: Duration,
    /// Whether a weight of exactly 1 is refused: no record shows a user's being taken.
    pub refuses_full_weight: bool,
    /// Whether a function's plain name lists only the event source mappings of the unqualified function: it is not documented
    /// whether those of its versions and aliases are among them.
    pub lists_mappings_exactly: bool,
    /// Whether the service's request quotas are enforced.
    pub quotas: bool,
    /// How late a schedule invokes: AWS' precision is a minute.
    pub schedule_delay: RangeInclusive<Duration>,
    /// Which part (0 to 1) of the invocations of schedules comes twice: AWS delivers at least once, and names no number.
    pub schedule_doubles: f64,
    /// How far the `Date` header is ahead of the world's time (negative: behind), in milliseconds.
    pub clock_skew_millis: i64,
}

impl Settings {
    /// A lenient account for other clients: no quotas, no lag, states that settle within 300 ms.
    pub fn served() -> Self {
        Self {
            account: "111111111111".to_owned(),
            region: DEFAULT_REGION.to_owned(),
            settle: Duration::from_millis(300),
            version_settle: Duration::ZERO,
            provisioning: Duration::ZERO,
            code_storage: 75 << 30,
            routing_delay: Duration::ZERO,
            latency: Duration::ZERO..=Duration::ZERO,
            metric_lag: Duration::ZERO..=Duration::ZERO,
            evaluation_delay: Duration::ZERO,
            log_delay: Duration::ZERO,
            log_query_delay: Duration::ZERO,
            log_query_time: Duration::ZERO,
            refuses_full_weight: false,
            lists_mappings_exactly: false,
            quotas: false,
            schedule_delay: Duration::ZERO..=Duration::ZERO,
            schedule_doubles: 0.0,
            clock_skew_millis: 0,
        }
    }

    /// An account as slow and as strict as the real one: quotas, late metrics, versions that are `Pending` for a while.
    pub fn strict() -> Self {
        Self {
            settle: Duration::from_millis(1_500),
            version_settle: Duration::from_millis(1_500),
            // "A minute or two" of the documentation.
            provisioning: Duration::from_mins(2),
            routing_delay: Duration::from_millis(400),
            latency: Duration::from_millis(20)..=Duration::from_millis(60),
            metric_lag: Duration::from_mins(1)..=Duration::from_mins(2),
            // Late in the minute that follows: metrics come 60 to 120 s after a call, so that by then an alarm has seen some
            // four tenths of the minute it judges, and it judges every minute only once.
            evaluation_delay: Duration::from_secs(55),
            log_delay: Duration::from_secs(3),
            log_query_delay: Duration::from_secs(10),
            log_query_time: Duration::from_millis(1_500),
            quotas: true,
            schedule_delay: Duration::ZERO..=Duration::from_secs(59),
            schedule_doubles: 0.01,
            ..Self::served()
        }
    }

    /// The same in another Region.
    pub fn in_region(self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self }
    }
}

/// The Region of requests that do not name one.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";
