//! How long may a call take, and how often is it tried? Every call's limits, in one place.
//!
//! No read time-out is ever set: the limit of an attempt covers reading its answer too, and so a time-out of the connector
//! can only have passed while connecting. `error` relies on that to know that nothing was sent.

use std::time::Duration;

use aws_sdk_lambda::config::Builder;
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

/// The limits of a read: attempts short enough to be worth repeating, all together shorter than anybody's patience.
pub(crate) fn read() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).operation_timeout(READ).build()
}

pub(crate) fn read_retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(3)
}

/// Lets every read have its attempts. By itself the SDK counts the retries of a whole process, and after about a hundred there are no more: then
/// whoever looks at the same moment as too many others is refused at every look, for chance does not move its other attempts any more.
pub(crate) fn read_attempts() -> RetryPartition {
    RetryPartition::custom("canaryctl").token_bucket(TokenBucket::unlimited()).build()
}

/// One attempt, and no longer than one of a read: whether to write again is for whoever looks first at what is there.
pub(crate) fn write() -> Builder {
    once(ATTEMPT)
}

/// One attempt that can carry a whole deployment package: 50 MB, as base 64, at 2 Mbit/s.
pub(crate) fn upload() -> Builder {
    once(UPLOAD)
}

/// One attempt that outlasts an invocation of up to `limit`: sent twice it would run twice.
pub(crate) fn invocation(limit: Duration) -> Builder {
    once(limit.saturating_add(INVOCATION_MARGIN))
}

fn once(limit: Duration) -> Builder {
    let limits =
        TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(limit).operation_timeout(limit).build();
    Builder::new().retry_config(RetryConfig::disabled()).timeout_config(limits)
}

pub(crate) const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(5);
/// Three attempts of 5 s, and the pauses between them.
pub(crate) const READ: Duration = Duration::from_secs(20);
const UPLOAD: Duration = Duration::from_mins(5);
/// For the connection, a cold start and the rollback.
const INVOCATION_MARGIN: Duration = Duration::from_secs(10);
