//! What do several streams of counts say together? The mean of their evidence, under one promise. Knows nothing of where they come from.

use crate::evidence::ln_sum;
use crate::explain::Explanation;
use crate::minute::Minute;
use crate::parameters::{ParameterError, Parameters};
use crate::test::{Latch, Outlook, Test, Verdict};

/// The test of one rollout on several streams of counts: failed invocations, and what else counts as failed.
///
/// # Guarantees
/// A canary that is no worse than tolerated **in any stream** is rolled back with a probability of at most `α · share`, however many streams
/// there are, however they depend on each other, and however often one looks.
///
/// Why: as long as routing ignores the request, each stream's evidence `E_i` is a nonnegative supermartingale that begins at 1, for the joint
/// history of all streams: whatever they have shown so far, the canary's part of the next bucket's bad ones is a matter of the split. A mean of
/// such processes is one too, because expectations add up whether or not their terms depend on each other. So Ville's inequality
/// holds for the mean as it does for a single one: it ever reaches `1/(α · share)` with that probability at most. With one stream it is
/// [`Test`], to the last bit.
///
/// That holds for evidence of one and the same minute. A stream may lag behind the others: for a minute up to which it has not been counted
/// its evidence is taken to be 0. It is at least that, so that what is reached without it is reached with it too, and the event
/// that the promise is about stays the same. (Its evidence of an earlier minute would not do: what the others show of the minutes after may tell
/// what its own will be.)
///
/// # What it costs
/// Where `k` streams are joined and one of them sees trouble, its evidence has to be `k` times as large: `ln k` more, at most. That is a third of
/// what one failed invocation at 10% of the traffic is worth for two streams, and two thirds of it for five.
#[derive(Clone, Debug)]
pub struct JoinedTest {
    tests: Vec<Test>,
    /// Which streams have been counted up to the last minute.
    counted: Vec<bool>,
    latch: Latch,
    ln_now: f64,
    /// The largest evidence of a last minute of a stream that has fallen behind since.
    ln_behind: f64,
}

impl JoinedTest {
    /// A test of so many streams, at least one, that has seen nothing yet.
    ///
    /// # Errors
    /// Parameters that make no sense.
    pub fn new(parameters: &Parameters, streams: usize) -> Result<Self, ParameterError> {
        let test = Test::new(parameters)?;
        let streams = streams.max(1);
        Ok(Self {
            latch: Latch::new(parameters),
            ln_now: test.ln_e(),
            ln_behind: f64::NEG_INFINITY,
            tests: vec![test; streams],
            counted: vec![true; streams],
        })
    }

    /// Adds the next minute of every stream, in the streams' order. `None`, or nothing, stands for a stream that has not been counted so
    /// far: it stays so.
    pub fn fold(&mut self, minutes: &[Option<Minute>]) {
        let given = minutes.iter().copied().chain(std::iter::repeat(None));
        let lag = self.counted.iter().zip(given.clone()).any(|(counted, minute)| *counted && minute.is_none());
        if lag {
            self.ln_behind = self.ln_behind.max(self.ln_now);
        }
        for ((test, counted), minute) in self.tests.iter_mut().zip(&mut self.counted).zip(given) {
            *counted &= minute.is_some();
            if let Some(minute) = minute.filter(|_| *counted) {
                test.fold(&minute);
            }
        }
        let there = || self.tests.iter().zip(&self.counted).filter(|(_, counted)| **counted).map(|(test, _)| test);
        self.ln_now = ln_sum(there().map(Test::ln_e)) - count(self.tests.len()).ln();
        let strongest = there().max_by(|one, other| one.ln_e().total_cmp(&other.ln_e()));
        self.latch.see(self.ln_now, strongest.map_or(0.0, |test| test.totals().canary_bad()));
    }

    /// The logarithm of the mean evidence: of the last minute, or of the last one of a stream that is behind, where that is more.
    pub fn ln_e(&self) -> f64 {
        self.ln_behind.max(self.ln_now)
    }

    /// Whether any minute so far ended with enough evidence to roll back. Latched.
    pub const fn rolls_back(&self) -> bool {
        self.latch.ever
    }

    /// The tests of the streams, in their order.
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// The index of the stream with the most evidence, the first of several that have as much.
    pub fn strongest(&self) -> usize {
        let indexed = self.tests.iter().enumerate().rev();
        indexed.max_by(|(_, one), (_, other)| one.ln_e().total_cmp(&other.ln_e())).map_or(0, |(index, _)| index)
    }

    /// The numbers behind what a stream says, the last one where there are not so many. What is missing is what it takes if the others stay as
    /// they are.
    pub fn explain(&self, stream: usize) -> Explanation {
        let stream = stream.min(self.tests.len() - 1);
        let test = &self.tests[stream];
        let others = self.tests.iter().enumerate().filter(|(at, _)| *at != stream).map(|(_, test)| test.ln_e());
        let all = test.parameters().ln_threshold() + count(self.tests.len()).ln();
        // ln(k · threshold − the others' evidence); −∞ where that is enough by itself, as it may be while streams lag.
        let ln_needed = all + (1.0 - (ln_sum(others) - all).exp()).max(0.0).ln();
        test.explain_towards(ln_needed, self.rolls_back())
    }

    /// What a stream says by itself, in a word. Enough evidence for a rollback, were it alone, is a reason to hold.
    pub fn verdict_of(&self, stream: usize, outlook: &Outlook) -> Verdict {
        match self.tests.get(stream).map_or(Verdict::NoData, |test| test.verdict(outlook)) {
            Verdict::RollBack if !self.rolls_back() => Verdict::Hold,
            verdict @ (Verdict::RollBack | Verdict::Hold | Verdict::NoData | Verdict::Pass | Verdict::LowPower) => verdict,
        }
    }

    /// What all of it says, in a word: the streams' verdicts together, given an outlook for each.
    pub fn verdict(&self, outlooks: &[Outlook]) -> Verdict {
        let of = |stream: usize| self.verdict_of(stream, outlooks.get(stream).unwrap_or(&Outlook::default()));
        if self.rolls_back() { Verdict::RollBack } else { Verdict::together((0..self.tests.len()).map(of)) }
    }
}

impl Verdict {
    /// The worst of several streams' verdicts. A stream without data outweighs a doubt, which passes with time; a few calls of one stream do not make
    /// the others blind.
    pub fn together(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let worse = |verdict: &Self| match verdict {
            Self::RollBack => 4,
            Self::NoData => 3,
            Self::Hold => 2,
            Self::Pass => 1,
            Self::LowPower => 0,
        };
        verdicts.into_iter().max_by_key(worse).unwrap_or(Self::NoData)
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2⁵³ streams")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: [f64; 4] = [60.0, 0.0, 540.0, 0.0];
    const WORSE: [f64; 4] = [60.0, 3.0, 540.0, 0.0];

    #[expect(clippy::unnecessary_wraps, reason = "a stream has a minute or not")]
    fn minute(counts: [f64; 4]) -> Option<Minute> {
        Some(Minute::new(counts).unwrap())
    }

    fn joined(streams: usize, minutes: &[&[Option<Minute>]]) -> JoinedTest {
        let mut test = JoinedTest::new(&Parameters::default(), streams).unwrap();
        for minutes in minutes {
            test.fold(minutes);
        }
        test
    }

    #[test]
    fn one_stream_is_the_test_itself_to_the_last_bit() {
        let mut rng = fastrand::Rng::with_seed(3);
        let (mut one, mut test) =
            (JoinedTest::new(&Parameters::default(), 1).unwrap(), Test::new(&Parameters::default()).unwrap());
        for _ in 0..400 {
            let mut calls = || f64::from(rng.u32(0..40));
            let (canary, stable) = (calls(), calls());
            let bad = |of: f64| (of / 6.0).floor();
            let minute = Minute::new([canary, bad(canary), stable, bad(stable)]).unwrap();
            one.fold(&[Some(minute)]);
            test.fold(&minute);
            assert_eq!(one.ln_e().to_bits(), test.ln_e().to_bits());
            assert_eq!(one.rolls_back(), test.rolls_back());
            for outlook in [Outlook::default(), Outlook { due: Some(0.0), in_all: Some(5.0) }] {
                assert_eq!(one.verdict(&[outlook]), test.verdict(&outlook));
                assert_eq!(one.verdict_of(0, &outlook), test.verdict(&outlook));
            }
        }
    }

    #[test]
    fn the_mean_decides_and_the_strongest_is_known() {
        let (fine, worse) = (minute(FINE), minute(WORSE));
        let alone = joined(1, &[&[worse]]);
        let beside = joined(3, &[&[fine, worse, fine]]);
        assert_eq!(beside.strongest(), 1);
        let lost = alone.ln_e() - beside.ln_e();
        assert!((0.5..=3.0_f64.ln()).contains(&lost), "{lost}");
        assert!(alone.rolls_back() && !beside.rolls_back());
        assert_eq!(beside.verdict_of(1, &Outlook::default()), Verdict::Hold, "enough alone, and a reason to hold");
        assert_eq!(beside.verdict(&[Outlook::default(); 3]), Verdict::Hold);
        let later = joined(3, &[&[fine, worse, fine], &[fine, worse, fine], &[fine; 3]]);
        assert!(later.rolls_back());
        assert_eq!(later.verdict(&[Outlook::default(); 3]), Verdict::RollBack);
    }

    #[test]
    fn what_is_missing_is_what_the_mean_takes() {
        let (fine, worse) = (minute(FINE), minute(WORSE));
        let missing = |streams: usize, row: &[Option<Minute>], of| joined(streams, &[row]).explain(of).missing_bad;
        let alone = Test::of(&Parameters::default(), &[fine.unwrap()]).unwrap().explain();
        assert_eq!(joined(1, &[&[fine]]).explain(0), alone);
        assert!(missing(10, &[fine; 10], 0) >= alone.missing_bad);
        assert_eq!(missing(2, &[fine, minute([60.0, 9.0, 540.0, 0.0])], 0), Some(0.0), "it is rolled back");
        // Two that are suspicious need less of each.
        assert!(missing(2, &[worse, worse], 0) <= missing(2, &[worse, fine], 0));
    }

    #[test]
    fn a_stream_that_lags_is_worth_nothing_until_it_is_counted() {
        let (fine, worse) = (minute(FINE), minute(WORSE));
        let rows = [[worse, fine], [fine, fine], [fine, fine]];
        // The second stream decides: that it lags costs nothing of what its last minute says, whatever the first one adds.
        let lagging = joined(2, &[&[fine, worse], &[fine, worse], &[fine, None], &[fine, None]]);
        let whole = joined(2, &[&[fine, worse], &[fine, worse]]);
        assert!(lagging.rolls_back() && whole.rolls_back());
        assert_eq!(lagging.ln_e().to_bits(), whole.ln_e().to_bits());
        // The first one decides with its half of the mean alone, which the whole never is below.
        let mut alone = JoinedTest::new(&Parameters::default(), 2).unwrap();
        let mut both = alone.clone();
        for [first, second] in rows {
            alone.fold(&[first]);
            both.fold(&[first, second]);
            assert!(alone.ln_now <= both.ln_now);
        }
        // Once behind, for good.
        let back = joined(2, &[&[fine, None], &[fine, worse], &[fine, worse]]);
        assert_eq!(back.tests()[1].totals(), &Minute::default());
        assert!(!back.rolls_back());
    }

    #[test]
    fn a_stream_without_data_outweighs_a_doubt_and_few_calls_are_no_blindness() {
        use Verdict::{Hold, LowPower, NoData, Pass, RollBack};
        for (verdicts, expected) in [
            (vec![Pass, LowPower], Pass),
            (vec![LowPower, LowPower], LowPower),
            (vec![Pass, Hold, LowPower], Hold),
            (vec![Hold, NoData, Pass], NoData),
            (vec![NoData, RollBack], RollBack),
        ] {
            assert_eq!(Verdict::together(verdicts), expected);
        }
        let (fine, empty) = (minute(FINE), minute([0.0; 4]));
        let silent = joined(2, &[&[fine, empty]]);
        let none_due = Outlook { due: Some(0.0), in_all: None };
        assert_eq!(silent.verdict(&[none_due, Outlook::default()]), NoData);
        assert_eq!(silent.verdict(&[none_due, none_due]), Pass);
    }
}
