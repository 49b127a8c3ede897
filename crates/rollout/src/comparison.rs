//! What do the invocations of both versions say? What was last counted of them, and what the test makes of it, as a decision sees it.
//!
//! The test itself is not here: whoever counts also tests, and puts what came of it in these words. Numbers are whole, so that two
//! equal findings are equal.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::format::{percent, rate};
use crate::health::ReadError;
use crate::words::words;
use crate::{Time, Version};

/// What is known of the comparison of the canary with stable.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Comparison {
    /// Not counted yet in this process: why, where an attempt failed.
    #[serde(rename = "unread")]
    Unread {
        /// Why.
        #[serde(rename = "read_error")]
        failing: ReadError,
    },
    /// As last counted.
    #[serde(rename = "read")]
    Read {
        /// When it was asked for.
        at: Time,
        /// What was found.
        #[serde(rename = "result")]
        finding: Box<AnalysisResult>,
        /// Why a later attempt to count failed, if one did.
        #[serde(rename = "read_error")]
        failing: Option<ReadError>,
    },
}

impl Comparison {
    /// Nothing yet.
    pub fn uncounted() -> Self {
        Self::Unread { failing: ReadError { why: "no invocations have been counted yet".to_owned(), throttled: false } }
    }
}

/// What the counts say, and the counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AnalysisResult {
    /// In a word.
    #[serde(rename = "verdict")]
    pub opinion: AnalysisVerdict,
    /// In a sentence, with the arithmetic.
    pub why: String,
    /// When what it rests on began, where that is known.
    #[serde(rename = "happened_at")]
    pub happened: Option<Time>,
    /// Invocations of the canary in the minutes of the step in force.
    #[serde(rename = "step_invocations")]
    pub step_calls: u64,
    /// How sure it is that the canary has none at all, where it should have some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Unseen>,
    /// Trouble that both versions have alike, where there is such.
    #[serde(rename = "shared_degradation")]
    pub together: Option<SharedDegradation>,
    /// The numbers.
    pub numbers: Numbers,
}

words! {
    /// A canary of which no invocation was counted, though at least ten should have been made by now. Lambda may refuse them before they run:
    /// then there are neither invocations nor errors.
    pub enum Unseen {
        /// `CloudWatch` may not have counted them yet: nothing is promoted on that.
        Early = "not_counted_yet",
        /// They should have been counted by now: the weight does not rise.
        Late = "overdue",
        /// They should have been counted [`UNSEEN_LIMIT`](crate::timing::UNSEEN_LIMIT) ago. Final.
        Missing = "missing",
    }
}

/// Both versions got worse together: it is not the release.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SharedDegradation {
    /// Since when.
    pub since: Time,
    /// With times and rates.
    pub why: String,
}

words! {
    /// What a test of counts says.
    pub enum AnalysisVerdict {
        /// Nothing speaks against the canary.
        Pass = "pass",
        /// Suspicious: not to be given more.
        Hold = "hold",
        /// Worse than tolerated. Final.
        RollBack = "rollback",
        /// The canary has no invocations although it should have.
        NoData = "no_data",
        /// Too few calls to see anything but a dead canary.
        LowPower = "low_power",
    }
}

/// The numbers behind an opinion.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Numbers {
    /// Stable's invocations.
    pub stable: Calls,
    /// The canary's.
    pub candidate: Calls,
    /// The natural logarithm of the evidence against the canary.
    pub ln_evidence: Thousandths,
    /// What that has to reach.
    pub ln_threshold: Thousandths,
    /// Errors of the canary that are still missing for a rollback, at least; `None` where that cannot be told.
    pub missing_errors: Option<u64>,
    /// Errors of the canary beyond those that stable would have had on the same invocations.
    pub extra_failures: Thousandths,
    /// The canary's part of the invocations in whole minutes of the step in force, in percent, where there were such.
    #[serde(rename = "observed_percent")]
    pub seen_percent: Option<Thousandths>,
    /// The end of the latest minute with invocations in it, where there is one.
    pub counted_to: Option<Time>,
    /// How many of the invocations were slow, where that is compared.
    pub slow: Option<Slow>,
    /// What the signals count. Where there are any, `ln_evidence` is that of the mean of all evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<SignalNumbers>,
    /// The natural logarithm of the evidence of the errors alone, where there are signals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors_ln_evidence: Option<Thousandths>,
    /// What has the most evidence, where there are signals: one of them, or [`ERRORS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strongest: Option<String>,
}

impl Numbers {
    /// Errors and signals, each for itself, what has the most evidence first; nothing without signals.
    pub fn streams(&self) -> Vec<StreamNumbers<'_>> {
        let errors = self.errors_ln_evidence.map(|ln_evidence| StreamNumbers {
            name: ERRORS,
            stable: &self.stable,
            candidate: &self.candidate,
            ln_evidence,
            opinion: None,
            counted_to: self.counted_to,
            log_lag_seconds: None,
        });
        let signals = self.signals.iter().map(|signal| StreamNumbers {
            name: &signal.name,
            stable: &signal.stable,
            candidate: &signal.candidate,
            ln_evidence: signal.ln_evidence,
            opinion: Some(signal.opinion),
            counted_to: signal.counted_to,
            log_lag_seconds: signal.log_lag_seconds,
        });
        let mut streams: Vec<StreamNumbers<'_>> = errors.into_iter().chain(signals).collect();
        streams.sort_by_key(|stream| self.strongest.as_deref() != Some(stream.name));
        streams
    }

    /// Failures of the canary beyond those that stable would have had: of whatever has the most of them, at least 0. One request may fail in
    /// several ways.
    pub fn most_extra_failures(&self) -> Thousandths {
        let signals = self.signals.iter().map(|signal| signal.extra_failures);
        signals.fold(self.extra_failures.max(Thousandths(0)), Ord::max)
    }
}

/// The numbers of errors, or of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamNumbers<'a> {
    /// [`ERRORS`], or the signal's name.
    pub name: &'a str,
    /// Stable's.
    pub stable: &'a Calls,
    /// The canary's.
    pub candidate: &'a Calls,
    /// The natural logarithm of its own evidence.
    pub ln_evidence: Thousandths,
    /// What a signal says by itself.
    pub opinion: Option<AnalysisVerdict>,
    /// The end of the latest minute that was used.
    pub counted_to: Option<Time>,
    /// How many seconds old the newest line of the log was, where it is counted there.
    pub log_lag_seconds: Option<u64>,
}

/// What Lambda's own errors are called among signals.
pub const ERRORS: &str = "errors";

/// The numbers of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SignalNumbers {
    /// Which.
    pub name: String,
    /// Stable's requests, and how many of them failed.
    pub stable: Calls,
    /// The canary's.
    pub candidate: Calls,
    /// The natural logarithm of its own evidence against the canary.
    pub ln_evidence: Thousandths,
    /// Failures of the canary beyond those that stable would have had on the same requests.
    pub extra_failures: Thousandths,
    /// What it says by itself.
    #[serde(rename = "verdict")]
    pub opinion: AnalysisVerdict,
    /// How sure it is that the canary has no requests any more, where it should have some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Unseen>,
    /// The end of the latest minute that was used.
    pub counted_to: Option<Time>,
    /// How many seconds old the newest line of the log was when it was asked for, where it is counted there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_lag_seconds: Option<u64>,
}

/// The invocations of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Calls {
    /// Which.
    pub version: Version,
    /// How many, since the rollout began.
    #[serde(rename = "invocations")]
    pub calls: u64,
    /// How many of them failed.
    pub errors: u64,
    /// Between which percentages the rate of errors lies, with 95% confidence; 0 to 100 without invocations.
    pub errors_percent: [Thousandths; 2],
}

impl Calls {
    /// The part that failed, in percent, with as many digits as such a number is worth: `0.12%`; `no data` without any.
    pub fn rate(&self) -> String {
        rate(self.errors, self.calls)
    }
}

/// Slow invocations: beyond a limit that stable's past hour set before the rollout.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slow {
    /// Whether it decides, or is only reported.
    pub enforced: bool,
    /// Stable's limit, in milliseconds: what 90 or 99 of 100 of its invocations took at most.
    pub stable_limit_ms: Thousandths,
    /// The canary's, which is a little above.
    pub candidate_limit_ms: Thousandths,
    /// Percent of stable's invocations beyond its limit.
    pub stable_percent: Thousandths,
    /// Percent of the canary's invocations beyond its own.
    pub candidate_percent: Thousandths,
    /// The natural logarithm of the evidence that the canary is slower.
    pub ln_evidence: Thousandths,
    /// What that has to reach.
    pub ln_threshold: Thousandths,
    /// What it says.
    #[serde(rename = "verdict")]
    pub opinion: AnalysisVerdict,
}

/// A number with three decimals: whole inside, a plain number in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thousandths(pub i64);

impl Thousandths {
    /// The nearest such number; the largest or smallest where it is beyond them, 0 for no number.
    #[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates, and makes no number 0")]
    pub fn from_f64(number: f64) -> Self {
        Self((number * 1000.0).round() as i64)
    }

    /// The number as a percentage with one decimal: `5.0%`.
    pub fn percent(self) -> String {
        percent(format_args!("{:.1}", self.to_f64()))
    }

    /// The number.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53 thousandths")]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl Serialize for Thousandths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.to_f64())
    }
}

impl<'de> Deserialize<'de> for Thousandths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::from_f64)
    }
}

/// How the candidate answered a test event that it was sent for lack of invocations.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Probe {
    /// This process has sent none.
    #[serde(rename = "not_sent")]
    NotSent,
    /// They are in progress.
    #[serde(rename = "running")]
    Running,
    /// Every one of so many was answered.
    #[serde(rename = "passed")]
    Passed(u32),
    /// One was answered with a failure: which, and why.
    #[serde(rename = "failed")]
    Failed(String),
    /// One could not be sent, or had no answer: why. That says nothing about the candidate.
    #[serde(rename = "unsent")]
    Unsent(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousandths_are_plain_numbers_in_json() {
        for (number, json) in [(0.0, "0.0"), (4.605_17, "4.605"), (-1.5, "-1.5")] {
            let kept = Thousandths::from_f64(number);
            let text = serde_json::to_string(&kept).unwrap();
            assert_eq!(text, json);
            assert_eq!(serde_json::from_str::<Thousandths>(&text).unwrap(), kept);
        }
        assert_eq!(Thousandths::from_f64(f64::NAN), Thousandths(0));
        assert_eq!(Thousandths::from_f64(f64::INFINITY), Thousandths(i64::MAX));
    }
}
