//! How much evidence do all buckets hold together? Gathers minutes into buckets and bets on them. Decides nothing.

use crate::factor;
use crate::minute::{MOST_CALLS, Minute};
use crate::parameters::Parameters;

/// What the buckets weigh so far, the open one as if it closed now. Logarithms are natural.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// The evidence `E`, as `ln E`. 0 before the first informative bucket.
    pub ln_e: f64,
    /// What each alternative adds to `E`, as logarithms: the ratios in their order, then the outage. −∞ before the first bucket.
    pub components: Vec<f64>,
    /// What is kept back for trouble that begins later, as a logarithm.
    pub ln_rest: f64,
    /// Informative buckets that have closed.
    pub buckets: u64,
    /// Invocations of both versions in the open bucket.
    pub open_calls: f64,
}

/// The evidence, minute by minute. Folding a minute takes the same time whatever came before.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    parameters: Parameters,
    closed: Bets,
    open: Minute,
    now: Bets,
    matched: Matched,
    open_matched: Matched,
}

/// What was put on each alternative, and what became of it.
#[derive(Clone, Debug)]
struct Bets {
    components: Vec<f64>,
    buckets: u64,
}

/// What the canary's invocations would have come to with stable's rate, bucket by bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Matched {
    /// Invocations of the canary in buckets in which stable had invocations too.
    calls: f64,
    /// As many of them as would have been bad.
    bad: f64,
}

impl Evidence {
    /// No minute yet. The parameters have been checked.
    pub(crate) fn new(parameters: &Parameters) -> Self {
        let none = Bets { components: vec![f64::NEG_INFINITY; parameters.bets().into()], buckets: 0 };
        Self {
            parameters: parameters.clone(),
            closed: none.clone(),
            open: Minute::default(),
            now: none,
            matched: Matched::default(),
            open_matched: Matched::default(),
        }
    }

    /// Adds the next minute.
    pub(crate) fn fold(&mut self, minute: &Minute) {
        self.open = self.open.plus(minute);
        self.now = self.closed.with(&self.parameters, &self.open);
        self.open_matched = self.matched.with(&self.open);
        if self.open.calls() >= self.parameters.bucket_min {
            self.open = Minute::default();
            self.closed = self.now.clone();
            self.matched = self.open_matched;
        }
    }

    /// `ln E`, the open bucket as if it closed now.
    pub(crate) fn ln_e(&self) -> f64 {
        let rest = self.now.ln_rest(self.parameters.start);
        ln_sum(self.now.components.iter().copied().chain([rest]))
    }

    /// The whole of it.
    pub(crate) fn weighed(&self) -> Weighed {
        Weighed {
            ln_e: self.ln_e(),
            components: self.now.components.clone(),
            ln_rest: self.now.ln_rest(self.parameters.start),
            buckets: self.closed.buckets,
            open_calls: self.open.calls(),
        }
    }

    /// The most that `ln E` may rise with a bad invocation of the canary, when stable has so many invocations in the meantime, all good.
    ///
    /// The factors of a bucket are products over its invocations at a given split, good invocations alone never raise one, and a mean of bets
    /// gains no more than the best of them.
    pub(crate) fn worth_at_most(&self, stable_calls: f64) -> f64 {
        let call = Minute::new([1.0, 1.0, stable_calls.min(MOST_CALLS), 0.0]).unwrap_or_default();
        factors(&self.parameters, &call).fold(0.0, f64::max)
    }

    /// How many of the canary's invocations would have been bad with stable's rate, given how many invocations it had in all and
    /// stable's rate over the whole time: what stands in where the canary was alone.
    pub(crate) fn bad_as_stable(&self, canary_calls: f64, stable_rate: f64) -> f64 {
        self.open_matched.bad + (canary_calls - self.open_matched.calls).max(0.0) * stable_rate
    }
}

impl Bets {
    /// What they become with one more bucket. One without invocations of either version tells nothing, and costs nothing.
    fn with(&self, parameters: &Parameters, bucket: &Minute) -> Self {
        if !bucket.is_informative() {
            return self.clone();
        }
        let buckets = self.buckets + 1;
        let begins_now = ln_begins(parameters.start, buckets) - f64::from(parameters.bets()).ln();
        let bets = self.components.iter().zip(factors(parameters, bucket));
        Self { components: bets.map(|(so_far, factor)| ln_sum([*so_far, begins_now]) + factor).collect(), buckets }
    }

    /// The logarithm of what is kept back for buckets to come.
    fn ln_rest(&self, start: f64) -> f64 {
        if self.buckets == 0 { 0.0 } else { (1.0 - start).ln() - count(self.buckets).ln() }
    }
}

/// What a bucket says for each alternative, in their order.
fn factors(parameters: &Parameters, bucket: &Minute) -> impl Iterator<Item = f64> {
    let (ratio, margin) = (parameters.ratio, parameters.margin);
    let ratios = parameters.alternatives.iter().map(move |times| factor::ratio(bucket, ratio * times, ratio, margin));
    ratios.chain(parameters.outage.iter().map(move |outage| factor::outage(bucket, *outage, ratio, margin)))
}

impl Matched {
    fn with(self, bucket: &Minute) -> Self {
        if !bucket.is_informative() {
            return self;
        }
        let rate = bucket.stable_bad() / bucket.stable_calls();
        Self { calls: self.calls + bucket.canary_calls(), bad: self.bad + bucket.canary_calls() * rate }
    }
}

/// The logarithm of how much of the bet says that the trouble begins with informative bucket `bucket`, counted from 1.
fn ln_begins(start: f64, bucket: u64) -> f64 {
    if bucket <= 1 {
        return start.ln();
    }
    let bucket = count(bucket);
    (1.0 - start).ln() - bucket.ln() - (bucket - 1.0).ln()
}

/// The logarithm of a sum of which the logarithms are given; −∞ where there is nothing to add.
pub(crate) fn ln_sum(terms: impl IntoIterator<Item = f64, IntoIter: Clone>) -> f64 {
    let terms = terms.into_iter();
    let largest = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if largest.is_infinite() {
        return largest;
    }
    largest + terms.map(|term| (term - largest).exp()).sum::<f64>().ln()
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2⁵³ buckets")]
fn count(number: u64) -> f64 {
    number as f64
}
