//! Which metric queries return less than there is? Rules, as a test sets them.
//!
//! The call itself succeeds: what fails as a whole is a fault of the account's.

use std::ops::Range;

use crate::time::Time;

/// What comes back for one query of a `GetMetricData` instead of all its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// Only the first half of the data, in the order that was asked for.
    PartialData,
    /// Nothing, because something went wrong.
    InternalError,
    /// Nothing, because the caller may not see it.
    Forbidden,
}

impl Shortfall {
    /// The status of such a query, and what is said of it.
    pub(super) const fn verdict(self) -> (&'static str, &'static str) {
        match self {
            Self::PartialData => ("PartialData", "An incomplete set of data points was returned."),
            Self::InternalError => ("InternalError", "An internal error occurred. Please retry the request."),
            Self::Forbidden => ("Forbidden", "The caller is not authorized to read this metric."),
        }
    }

    pub(super) const fn shown(self, points: usize) -> usize {
        match self {
            Self::PartialData => points / 2,
            Self::InternalError | Self::Forbidden => 0,
        }
    }
}

/// A rule: queries that meet all of its conditions fall short.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct MetricFault {
    metric: String,
    dimensions: Vec<(String, String)>,
    during: Option<Range<Time>>,
    shortfall: Shortfall,
}

impl MetricFault {
    /// A rule for every query of one metric, such as `Errors`.
    pub fn on(metric: &str, shortfall: Shortfall) -> Self {
        Self { metric: metric.to_owned(), dimensions: Vec::new(), during: None, shortfall }
    }

    /// Only with this dimension, such as `ExecutedVersion` and `42`.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.dimensions.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Only in calls from `start` and before `end`.
    pub fn between(self, start: Time, end: Time) -> Self {
        Self { during: Some(start..end), ..self }
    }

    /// How a query at `now` falls short, if it does.
    pub(super) fn of(&self, now: Time, metric: &str, dimensions: &[(String, String)]) -> Option<Shortfall> {
        let meant = self.metric == metric
            && self.dimensions.iter().all(|dimension| dimensions.contains(dimension))
            && self.during.as_ref().is_none_or(|during| during.contains(&now));
        meant.then_some(self.shortfall)
    }
}
