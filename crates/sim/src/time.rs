//! When is it in the simulated world? Milliseconds since the Unix epoch, nothing more.
//!
//! The world never reads a clock: every entry is given the time.

use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// A moment in the simulated world, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of any date with four digits fit 53 bits")]
    pub(crate) fn as_secs(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// The start of the period of `period` that this moment lies in. A period below one millisecond counts as one.
    #[must_use]
    pub fn floor(self, period: Duration) -> Self {
        let period = millis(period).max(1);
        Self(self.0.div_euclid(period) * period)
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

/// Seconds since the Unix epoch, as a whole number if they are whole.
impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0 % 1_000 == 0 { to.serialize_i64(self.0 / 1_000) } else { to.serialize_f64(self.as_secs()) }
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }
}

impl From<SystemTime> for Time {
    fn from(at: SystemTime) -> Self {
        match at.duration_since(UNIX_EPOCH) {
            Ok(span) => Self(millis(span)),
            Err(before) => Self(-millis(before.duration())),
        }
    }
}

impl From<Time> for SystemTime {
    fn from(at: Time) -> Self {
        let span = Duration::from_millis(at.0.unsigned_abs());
        if at.0 < 0 { UNIX_EPOCH - span } else { UNIX_EPOCH + span }
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
