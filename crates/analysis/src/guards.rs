//! What can be seen without a bet? Two plain looks beside the test: a canary that answers nothing, and trouble of both versions.
//!
//! They stand beside the test's promise, not under it. Each has its own reason for being rare in health, given with its numbers.

use crate::minute::Minute;

/// A canary none of whose invocations was answered well, from the first one on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dead {
    /// The canary's invocations, every one of them bad.
    pub canary_calls: f64,
    /// Stable's invocations in the same minutes.
    pub stable_calls: f64,
    /// The bad ones among them.
    pub stable_bad: f64,
}

/// Whether the canary has answered nothing well so far, and enough was asked of it, though stable fails less than half its invocations.
///
/// It needs no invocation of stable's, so that it sees at 100%, and where hardly anybody invocations, what the test cannot. A canary that is
/// as good as a stable which fails at every second call would look so in one rollout of a thousand; at one in ten, in one of 10¹⁰.
pub fn dead(minutes: &[Minute]) -> Option<Dead> {
    let all = minutes.iter().fold(Minute::default(), |sum, minute| sum.plus(minute));
    let with_canary = minutes.iter().filter(|minute| minute.canary_calls() > 0.0);
    let beside = with_canary.fold(Minute::default(), |sum, minute| sum.plus(minute));
    let dead = all.canary_calls() >= ENOUGH && all.canary_bad() >= all.canary_calls();
    let shared = beside.stable_bad() * 2.0 > beside.stable_calls();
    (dead && !shared).then_some(Dead {
        canary_calls: all.canary_calls(),
        stable_calls: beside.stable_calls(),
        stable_bad: beside.stable_bad(),
    })
}

/// Trouble that came over both versions at once. Rates are parts of invocations, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Together {
    /// The index of the minute from which on it is seen.
    pub since: usize,
    /// Stable's rate before it.
    pub before: f64,
    /// Stable's rate since.
    pub stable: f64,
    /// The canary's rate since.
    pub canary: f64,
}

/// Whether both versions got worse at the same time: then it is not the release.
///
/// Stable, whose code did not change, fails at least twice as often as before and one call in a hundred more, from some minute on, and
/// by more than chance gives; the canary shares in it, with at least half of stable's rate. `before` is what the alias was used to
/// before the first of these minutes: its invocations and the bad ones among them.
///
/// Over the split points of a rollout a quiet stable passes the bar of chance, a log-likelihood ratio of 12, less than once in 10⁴
/// rollouts; and nothing is decided on it.
pub fn together(before: (f64, f64), minutes: &[Minute]) -> Option<Together> {
    let total = minutes.iter().fold(Minute::default(), |sum, minute| sum.plus(minute));
    let (mut earlier, mut best) = (Minute::default(), None);
    for (since, minute) in minutes.iter().enumerate() {
        let calls_before = before.0 + earlier.stable_calls();
        let bad_before = before.1 + earlier.stable_bad();
        let calls = total.stable_calls() - earlier.stable_calls();
        let bad = total.stable_bad() - earlier.stable_bad();
        let canary_calls = total.canary_calls() - earlier.canary_calls();
        let canary_bad = total.canary_bad() - earlier.canary_bad();
        earlier = earlier.plus(minute);
        if calls_before < ENOUGH || calls < ENOUGH || canary_calls < ENOUGH {
            continue;
        }
        let (was, is, canary) = (bad_before / calls_before, bad / calls, canary_bad / canary_calls);
        let worse = is >= 2.0 * was + 0.01 && canary >= is / 2.0;
        let surprise = likelihood_ratio((calls_before, bad_before), (calls, bad));
        if worse && surprise >= SURPRISING && best.is_none_or(|(most, _)| surprise > most) {
            best = Some((surprise, Together { since, before: was, stable: is, canary }));
        }
    }
    best.map(|(_, found)| found)
}

/// How much better two rates explain the counts than one does, as a logarithm of likelihoods.
fn likelihood_ratio(one: (f64, f64), other: (f64, f64)) -> f64 {
    let part = |(calls, bad): (f64, f64), rate: f64| {
        let term = |count: f64, chance: f64| if count > 0.0 { count * chance.ln() } else { 0.0 };
        term(bad, rate) + term(calls - bad, 1.0 - rate)
    };
    let rate = |(calls, bad): (f64, f64)| bad / calls;
    let pooled = (one.1 + other.1) / (one.0 + other.0);
    part(one, rate(one)) + part(other, rate(other)) - part(one, pooled) - part(other, pooled)
}

/// The invocations below which nothing is said of a rate.
const ENOUGH: f64 = 10.0;

/// The log-likelihood ratio that chance does not give.
const SURPRISING: f64 = 12.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(rows: &[[f64; 4]]) -> Vec<Minute> {
        rows.iter().map(|row| Minute::new(*row).unwrap()).collect()
    }

    #[test]
    fn a_canary_that_answers_nothing_is_dead_unless_stable_is_too() {
        assert!(dead(&minutes(&[[5.0, 5.0, 50.0, 0.0]])).is_none(), "too few to tell");
        let found = dead(&minutes(&[[0.0, 0.0, 90.0, 90.0], [5.0, 5.0, 50.0, 1.0], [6.0, 6.0, 50.0, 0.0]])).unwrap();
        assert_eq!((found.canary_calls, found.stable_calls, found.stable_bad), (11.0, 100.0, 1.0));
        assert!(dead(&minutes(&[[5.0, 5.0, 50.0, 30.0], [6.0, 6.0, 50.0, 40.0]])).is_none(), "an outage of both");
        assert!(dead(&minutes(&[[10.0, 10.0, 0.0, 0.0]])).is_some(), "nobody to compare with");
        assert!(dead(&minutes(&[[100.0, 99.0, 900.0, 0.0]])).is_none(), "one call was answered: the test's business");
        assert!(dead(&[]).is_none());
    }

    #[test]
    fn trouble_of_both_is_told_from_trouble_of_one() {
        let quiet = [60.0, 0.0, 540.0, 1.0];
        let both = [60.0, 12.0, 540.0, 110.0];
        let found = together((6_000.0, 6.0), &minutes(&[quiet, quiet, both, both])).unwrap();
        assert_eq!(found.since, 2);
        assert!((found.stable - 220.0 / 1080.0).abs() < 1e-9 && (found.canary - 0.2).abs() < 1e-9, "{found:?}");
        assert!(found.before < 0.002);
        for alone in [[60.0, 12.0, 540.0, 1.0], [60.0, 0.0, 540.0, 110.0]] {
            assert_eq!(together((6_000.0, 6.0), &minutes(&[quiet, alone, alone])), None);
        }
        // From the first minute on, where the hour before tells what is usual.
        assert_eq!(together((6_000.0, 6.0), &minutes(&[both])).unwrap().since, 0);
        assert_eq!(together((0.0, 0.0), &minutes(&[both])), None);
        assert_eq!(together((6_000.0, 600.0), &minutes(&[both])), None, "it was as bad before");
    }

    /// Poisson errors at a steady rate, 400 rollouts of each kind: chance alone is hardly ever taken for trouble.
    #[test]
    fn a_quiet_hour_is_not_trouble() {
        let mut rng = fastrand::Rng::with_seed(5);
        let mut binomial = |calls: u32, rate: f64| f64::from((0..calls).filter(|_| rng.f64() < rate).map(|_| 1).sum::<u32>());
        let mut found = 0;
        for rate in [0.001, 0.01, 0.1] {
            for _ in 0..400 {
                let rows: Vec<[f64; 4]> = (0..10).map(|_| [60.0, binomial(60, rate), 540.0, binomial(540, rate)]).collect();
                found += usize::from(together((3_000.0, 3_000.0 * rate), &minutes(&rows)).is_some());
            }
        }
        assert_eq!(found, 0);
    }
}
