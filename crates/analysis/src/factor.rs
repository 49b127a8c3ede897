//! What does one bucket say for one alternative? The logarithms of its factors. Does not add buckets up.
//!
//! With `n1, k1` the canary's invocations and bad invocations, `n0, k0` stable's, and `w = n1/(n1+n0)` the split that the bucket itself
//! shows, a factor has a mean of at most 1 wherever the canary's rate is at most `ratio · stable's + margin`.
//! - [`ratio`] looks at whose the bad invocations are, and holds however the rates drift, cluster and move together.
//! - [`outage`] also looks at how many invocations are good, and wants one rate per version within the bucket.
//!
//! What is guaranteed of both, for counts as they may be in a bucket:
//! - without a bad invocation of the canary the logarithm is at most 0, whatever stable did;
//! - one more bad invocation of stable's, among as many invocations, never raises it; one of the canary's never lowers it;
//! - for a ratio, one bad invocation of the canary is worth at most `ln(1/w)`. More *good* invocations of stable's make `w` smaller and with
//!   it a bad invocation of the canary's more telling, up to this limit, as they should. An outage may be worth more: there stable's
//!   good invocations count too, but never without a bad invocation of the canary.

use crate::minute::Minute;
use crate::parameters::Outage;

/// The logarithm of the factor for "the canary is `times` as bad as stable", `times > ratio ≥ 1`. 0 where a version has no invocations.
pub fn ratio(bucket: &Minute, times: f64, ratio: f64, margin: f64) -> f64 {
    if !bucket.is_informative() {
        return 0.0;
    }
    let (canary_part, stable_part) = parts(bucket);
    let den = 1.0 + canary_part * (times - 1.0);
    let gain = (times - ratio) * stable_part / (ratio * den);
    let loss = canary_part * (times - ratio) / (den * (1.0 + margin * gain));
    bucket.canary_bad() * gain.ln_1p() + bucket.stable_bad() * (-loss).ln_1p() - bucket.canary_calls() * (margin * gain).ln_1p()
}

/// The logarithm of the factor for an outage of the canary alone. 0 where a version has no invocations.
///
/// `outage` has to lie beyond what is tolerated (as [`crate::Parameters::check`] demands).
pub fn outage(bucket: &Minute, outage: Outage, ratio: f64, margin: f64) -> f64 {
    if !bucket.is_informative() {
        return 0.0;
    }
    let (canary_part, stable_part) = parts(bucket);
    let (canary_rate, stable_rate) = (outage.canary, outage.stable);
    // The tolerated pair of rates that is most like the alternative, stable's a `ratio` below the canary's, solves a quadratic
    // equation. Solved for its distance from either rate of the alternative: at a small or a large weight it lies so near to
    // one of them that a difference would be mere rounding, times a billion invocations.
    let slope = (1.0 - stable_rate) - (1.0 - canary_rate) / ratio;
    let from_stable = 1.0 / ratio - stable_rate + canary_part * slope;
    let from_canary = 1.0 - canary_rate / ratio - stable_part * slope;
    let gap = canary_rate / ratio - stable_rate;
    let below_canary = stable_part * (1.0 - canary_rate) * gap;
    let root = (from_canary * from_canary + 4.0 * below_canary / ratio).sqrt();
    let above = 2.0 * canary_part * (1.0 - stable_rate) * gap / (from_stable + root);
    let below = if from_canary > 0.0 { 2.0 * below_canary / (from_canary + root) } else { ratio * (root - from_canary) / 2.0 };
    let canary_bad = -(-below / canary_rate).ln_1p();
    let canary_good = -(below / (1.0 - canary_rate)).ln_1p();
    let stable_bad = -(above / stable_rate).ln_1p();
    let stable_good = -(-above / (1.0 - stable_rate)).ln_1p();
    let for_canary = canary_part * margin * (canary_bad.exp_m1() - canary_good.exp_m1());
    let for_stable = stable_part * (margin / ratio) * (stable_good.exp_m1() - stable_bad.exp_m1());
    bucket.canary_bad() * canary_bad
        + (bucket.canary_calls() - bucket.canary_bad()) * canary_good
        + bucket.stable_bad() * stable_bad
        + (bucket.stable_calls() - bucket.stable_bad()) * stable_good
        - bucket.calls() * for_canary.max(for_stable).ln_1p()
}

/// The canary's part of the invocations and stable's, each by its own division: 1 less a part near 1 would be rounded away.
fn parts(bucket: &Minute) -> (f64, f64) {
    (bucket.canary_calls() / bucket.calls(), bucket.stable_calls() / bucket.calls())
}
