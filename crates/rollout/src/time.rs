//! When is it, in the pure core? A moment as AWS counts it; nobody here reads a clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment in AWS' time, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The moment `secs` seconds after the Unix epoch; the far end of time where that does not fit.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// The next whole second, or this one. What a note can hold without making a wait shorter.
    #[must_use]
    pub const fn ceil_to_second(self) -> Self {
        Self::from_secs(self.0.div_ceil(1000))
    }

    /// The time from `earlier` to this moment; zero where `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// RFC 3339 in UTC with milliseconds, as in `2026-11-23T14:02:13.250Z`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The formatter covers the years up to 9999; a time beyond them can only come from a forged note.
        let latest = Duration::from_secs(253_402_300_799);
        let since_epoch = Duration::from_millis(self.0).min(latest);
        write!(f, "{}", humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since_epoch))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = humantime::parse_rfc3339(&text).map_err(de::Error::custom)?;
        let since_epoch = at.duration_since(std::time::UNIX_EPOCH).map_err(de::Error::custom)?;
        Ok(Self(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_prints() {
        let at = Time::from_millis(1_795_435_333_250);
        assert_eq!(at.to_string(), "2026-11-23T12:02:13.250Z");
        let json = serde_json::to_string(&at).unwrap();
        assert_eq!(serde_json::from_str::<Time>(&json).unwrap(), at);
    }

    #[test]
    fn rounds_up_to_the_second() {
        assert_eq!(Time::from_millis(1001).ceil_to_second(), Time::from_secs(2));
        assert_eq!(Time::from_millis(2000).ceil_to_second(), Time::from_secs(2));
    }

    #[test]
    fn never_overflows() {
        let end = Time::from_millis(u64::MAX);
        assert_eq!(end + Duration::MAX, end);
        assert_eq!(Time::default() - Duration::MAX, Time::default());
        assert!(!end.to_string().is_empty());
    }
}
