//! What happened in a minute? The counts of both versions, checked once and for all. Does not know where they came from.

/// The invocations of both versions in one minute, or in several together, and how many of them were bad.
///
/// Counts may be fractional: a count of slow invocations is read off a percentile rank. Promises: every count is finite and lies
/// between 0 and [`MOST_CALLS`] a minute, and no version has more bad invocations than invocations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Minute {
    canary_calls: f64,
    canary_bad: f64,
    stable_calls: f64,
    stable_bad: f64,
}

/// The names of the counts, in their order.
pub const COLUMNS: [&str; 4] = ["canary_calls", "canary_errors", "stable_calls", "stable_errors"];

/// The most invocations of a version that a minute may have: 10¹⁵, below which a float still tells single invocations apart.
pub const MOST_CALLS: f64 = 1e15;

/// Why counts are no minute: the one that is wrong, as it is named in a file, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CountError(String);

impl Minute {
    /// A minute with these counts, each in invocations, in the order of [`COLUMNS`].
    ///
    /// # Errors
    /// A count that is negative, infinite, no number or above [`MOST_CALLS`]; more bad invocations than invocations.
    pub fn new(counts: [f64; 4]) -> Result<Self, CountError> {
        for (count, value) in COLUMNS.into_iter().zip(counts) {
            let wrong = match value {
                _ if !value.is_finite() => ", not a number of invocations".to_owned(),
                ..0.0 => ": a count is never negative".to_owned(),
                _ if value > MOST_CALLS => format!(": more than {MOST_CALLS} invocations in a minute cannot be counted exactly"),
                _ => continue,
            };
            return Err(CountError(format!("{count} is {value}{wrong}")));
        }
        let [canary_calls, canary_bad, stable_calls, stable_bad] = counts;
        for (count, bad, calls) in [("canary_errors", canary_bad, canary_calls), ("stable_errors", stable_bad, stable_calls)] {
            if bad > calls {
                return Err(CountError(format!("{count} is {bad}, more than the {calls} invocations in total")));
            }
        }
        Ok(Self { canary_calls, canary_bad, stable_calls, stable_bad })
    }

    /// Invocations that the canary answered, or failed to.
    pub const fn canary_calls(&self) -> f64 {
        self.canary_calls
    }

    /// Those of them that were bad.
    pub const fn canary_bad(&self) -> f64 {
        self.canary_bad
    }

    /// Invocations that stable answered, or failed to.
    pub const fn stable_calls(&self) -> f64 {
        self.stable_calls
    }

    /// Those of them that were bad.
    pub const fn stable_bad(&self) -> f64 {
        self.stable_bad
    }

    /// Invocations of both versions.
    pub fn calls(&self) -> f64 {
        self.canary_calls + self.stable_calls
    }

    /// Whether it can tell the versions apart: both have invocations.
    pub(crate) fn is_informative(&self) -> bool {
        self.canary_calls > 0.0 && self.stable_calls > 0.0
    }

    /// Both together. Rounding is monotone, so that bad invocations never come to exceed invocations.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            canary_calls: self.canary_calls + other.canary_calls,
            canary_bad: self.canary_bad + other.canary_bad,
            stable_calls: self.stable_calls + other.stable_calls,
            stable_bad: self.stable_bad + other.stable_bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_counted_is_refused_by_name() {
        let said = |counts| Minute::new(counts).unwrap_err().to_string();
        assert_eq!(said([-1.0, 0.0, 9.0, 0.0]), "canary_calls is -1: a count is never negative");
        assert_eq!(said([1.0, 2.0, 9.0, 0.0]), "canary_errors is 2, more than the 1 invocations in total");
        assert_eq!(said([1.0, 0.0, 9.0, 9.5]), "stable_errors is 9.5, more than the 9 invocations in total");
        assert_eq!(said([1.0, 0.0, f64::NAN, 0.0]), "stable_calls is NaN, not a number of invocations");
        assert_eq!(said([1.0, f64::INFINITY, 9.0, 0.0]), "canary_errors is inf, not a number of invocations");
        assert_eq!(
            said([2e15, 0.0, 9.0, 0.0]),
            "canary_calls is 2000000000000000: more than 1000000000000000 invocations in a minute cannot be counted exactly"
        );
    }
}
