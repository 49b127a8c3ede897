//! Which numbers does a sentence about the verdict need? Rates, evidence, what is still missing. Writes no sentences.

use crate::minute::Minute;
use crate::parameters::{ParameterError, Parameters};
use crate::test::Test;

/// One version's invocations, and how surely its rate of bad ones is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// All invocations.
    pub calls: f64,
    /// Bad ones.
    pub bad: f64,
    /// Their part, 0 to 1; `None` without invocations.
    pub rate: Option<f64>,
    /// Where the rate lies with 95% confidence (Wilson's interval), for one look; from 0 to 1 without invocations.
    pub interval: (f64, f64),
}

/// The numbers behind a verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Explanation {
    /// The canary's invocations.
    pub canary: Rate,
    /// Stable's invocations.
    pub stable: Rate,
    /// The evidence `E`, 1 at first; at most the largest float.
    pub evidence: f64,
    /// What `E` has to reach: `1/(α · share)`.
    pub threshold: f64,
    /// Bad invocations of the canary that are still missing **at least**, at the split seen so far, with no more bad invocations of stable's.
    /// 0 where it is rolled back; `None` where one of the versions has no invocations.
    pub missing_bad: Option<f64>,
    /// Bad invocations of the canary beyond those that stable's rate would have made of the same invocations, bucket by bucket, so that
    /// trouble shared by both is not counted. Below 0 where it did better.
    pub extra_bad: f64,
}

/// How many times as often a canary can be said to fail, at least.
pub const RATIOS: [f64; 7] = [1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0];

/// The largest of [`RATIOS`] of which these minutes show, with certainty `1 − α`, that the canary fails at least so many times
/// as often as stable (and `margin` more); `None` where they show none.
///
/// Each is the same test with that ratio tolerated. Shown once is shown for good.
///
/// # Errors
/// Parameters that make no sense.
pub fn shown_ratio(parameters: &Parameters, minutes: &[Minute]) -> Result<Option<f64>, ParameterError> {
    parameters.check()?;
    for ratio in RATIOS.into_iter().rev() {
        let tolerating = Parameters { ratio, share: 1.0, min_canary_bad: 0.0, ..parameters.clone() };
        // An outage that this ratio would tolerate shows nothing: then the ratio is too large to be shown.
        let shown = tolerating.check().is_ok() && Test::of(&tolerating, minutes)?.rolls_back();
        if shown {
            return Ok(Some(ratio));
        }
    }
    Ok(None)
}

impl Rate {
    /// The rate of `bad` invocations among `calls`.
    fn new(calls: f64, bad: f64) -> Self {
        if calls <= 0.0 {
            return Self { calls, bad, rate: None, interval: (0.0, 1.0) };
        }
        let rate = bad / calls;
        let weight = NORMAL_95 * NORMAL_95 / calls;
        let spread = NORMAL_95 * ((rate * (1.0 - rate)).max(0.0) / calls + weight / (4.0 * calls)).sqrt();
        let at = |side: f64| ((rate + weight / 2.0 + side * spread) / (1.0 + weight)).clamp(0.0, 1.0);
        // Rounding must not push the ends past the rate itself where there is nothing, or everything, bad.
        Self { calls, bad, rate: Some(rate), interval: (at(-1.0).min(rate), at(1.0).max(rate)) }
    }
}

impl Test {
    /// The numbers behind the verdict.
    pub fn explain(&self) -> Explanation {
        self.explain_towards(self.parameters().ln_threshold(), self.rolls_back())
    }

    /// The same where `ln_needed` is what this test's evidence has to reach for a rollback.
    pub(crate) fn explain_towards(&self, ln_needed: f64, rolls_back: bool) -> Explanation {
        let totals = self.totals();
        let canary = Rate::new(totals.canary_calls(), totals.canary_bad());
        let stable = Rate::new(totals.stable_calls(), totals.stable_bad());
        Explanation {
            canary,
            stable,
            evidence: self.ln_e().exp().min(f64::MAX),
            threshold: self.parameters().ln_threshold().exp().min(f64::MAX),
            missing_bad: self.missing_bad(ln_needed, rolls_back),
            extra_bad: totals.canary_bad() - self.evidence.bad_as_stable(totals.canary_calls(), stable.rate.unwrap_or(0.0)),
        }
    }

    fn missing_bad(&self, ln_needed: f64, rolls_back: bool) -> Option<f64> {
        if rolls_back {
            return Some(0.0);
        }
        if !self.totals().is_informative() {
            return None;
        }
        let worth = self.evidence.worth_at_most(self.totals().stable_calls() / self.totals().canary_calls());
        let of_evidence = ((ln_needed - self.ln_e()) / worth).ceil();
        let of_number = (self.parameters().min_canary_bad - self.totals().canary_bad()).ceil();
        // However little a call is worth, the number stays one that can be told.
        Some(of_evidence.max(of_number).clamp(1.0, 1e15))
    }
}

/// 95% of a normal distribution lie within so many standard deviations.
const NORMAL_95: f64 = 1.959_963_984_540_054;

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(counts: [f64; 4]) -> Minute {
        Minute::new(counts).unwrap()
    }

    #[test]
    fn a_failure_is_told_with_its_numbers() {
        let minutes = [minute([57.0, 3.0, 513.0, 0.0]), minute([113.0, 6.0, 1017.0, 1.0])];
        let test = Test::of(&Parameters::default(), &minutes).unwrap();
        let described = test.explain();
        assert!(test.rolls_back());
        assert_eq!(
            (described.canary.calls, described.canary.bad, described.stable.calls, described.stable.bad),
            (170.0, 9.0, 1530.0, 1.0)
        );
        assert_eq!(described.missing_bad, Some(0.0));
        assert!(described.evidence > described.threshold && (described.threshold - 100.0).abs() < 1e-9);
        let (low, high) = described.canary.interval;
        assert!((low - 0.028_1).abs() < 1e-3 && (high - 0.097_6).abs() < 1e-3, "{low} {high}");
        assert!((described.extra_bad - (9.0 - 113.0 / 1017.0)).abs() < 1e-9);
        assert_eq!(shown_ratio(&Parameters::default(), &minutes), Ok(Some(5.0)));
    }

    #[test]
    fn what_is_missing_is_told() {
        let test = Test::of(&Parameters::default(), &[minute([60.0, 0.0, 540.0, 0.0])]).unwrap();
        let described = test.explain();
        // ln 100 = 4.6 and a little more, at no more than 2.7 a call: two would do, but fewer than three never roll back.
        assert_eq!(described.missing_bad, Some(3.0));
        assert_eq!(shown_ratio(&Parameters::default(), &[minute([60.0, 0.0, 540.0, 0.0])]), Ok(None));
        let at_90_percent = Test::of(&Parameters::default(), &[minute([540.0, 0.0, 60.0, 0.0])]).unwrap().explain();
        assert!((25.0..45.0).contains(&at_90_percent.missing_bad.unwrap()), "{at_90_percent:?}");
        let alone = Test::of(&Parameters::default(), &[minute([60.0, 5.0, 0.0, 0.0])]).unwrap().explain();
        assert_eq!((alone.missing_bad, alone.stable.rate, alone.stable.interval), (None, None, (0.0, 1.0)));
    }

    #[test]
    fn trouble_of_both_is_nobodys_extra() {
        // Simpson: both fail more while the canary's part grows. Pooled, the canary would seem to fail 40 invocations too many.
        let minutes = [minute([100.0, 1.0, 900.0, 9.0]), minute([900.0, 90.0, 100.0, 10.0])];
        let described = Test::of(&Parameters::default(), &minutes).unwrap().explain();
        assert!(described.extra_bad.abs() < 1e-9, "{}", described.extra_bad);
        // Alone at 100%, it is held against stable's rate so far.
        let minutes = [minute([10.0, 0.0, 90.0, 9.0]), minute([100.0, 30.0, 0.0, 0.0])];
        let described = Test::of(&Parameters::default(), &minutes).unwrap().explain();
        assert!((described.extra_bad - 19.0).abs() < 1e-9, "{}", described.extra_bad);
    }
}
