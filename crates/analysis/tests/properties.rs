//! What holds for any counts whatever? The guarantees of the test, tried on inputs that nobody thought of.

#![expect(clippy::unwrap_used, reason = "the inputs are made here")]

use analysis::expected::{Step, Traffic, minutes_to_see, notice, sights};
use analysis::{LatencyTest, MOST_CALLS, Minute, Outage, Outlook, Parameters, SlowMinute, Test, Verdict, factor, shown_ratio};
use proptest::collection::vec;
use proptest::prelude::*;

/// A number of calls: none, a few, many, or a fraction of one.
fn calls() -> impl Strategy<Value = f64> {
    prop_oneof![
        2 => Just(0.0),
        4 => (0..40_u32).prop_map(f64::from),
        2 => (0..2_000_000_000_u32).prop_map(f64::from),
        2 => 0.0..5000.0_f64,
        1 => prop_oneof![Just(f64::MIN_POSITIVE), Just(5e-324), Just(1e-9), Just(1e9), Just(1e15)],
    ]
}

/// The part of calls that is bad: none, all, or some.
fn part() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0_f64, (0.0..=1.0_f64).prop_map(|part| part.powi(8))]
}

fn minutes() -> impl Strategy<Value = Vec<Minute>> {
    vec(minute(), 0..25)
}

fn minute() -> impl Strategy<Value = Minute> {
    (calls(), part(), calls(), part()).prop_map(|(n1, p1, n0, p0)| of([n1, n1 * p1, n0, n0 * p0]))
}

/// Whole calls, so that sums are exact in any order.
fn whole(most: u32) -> impl Strategy<Value = Minute> {
    let side = move || (0..=most).prop_flat_map(|calls| (Just(calls), 0..=calls));
    (side(), side()).prop_map(|((n1, k1), (n0, k0))| of([n1, k1, n0, k0].map(f64::from)))
}

fn of(counts: [f64; 4]) -> Minute {
    Minute::new(counts).unwrap()
}

/// Parameters that make sense, far from the defaults too.
fn parameters() -> impl Strategy<Value = Parameters> {
    let outage = prop_oneof![Just(None), (1e-6..0.04_f64, 0.5..0.999_f64).prop_map(Some)];
    (1e-9..0.5_f64, 1.0..8.0_f64, 0.0..0.1_f64, vec(1.01..1e5_f64, 1..6), outage, 0.01..0.99_f64, 1.0..1e4_f64).prop_map(
        |(alpha, ratio, margin, alternatives, outage, start, bucket_min)| Parameters {
            alpha,
            ratio,
            margin,
            alternatives,
            outage: outage.map(|(stable, canary)| Outage { stable, canary }),
            start,
            bucket_min,
            ..Parameters::default()
        },
    )
}

fn bits(test: &Test) -> (Vec<u64>, bool, bool) {
    let weighed = test.weighed();
    let numbers = weighed.components.iter().chain([&weighed.ln_e, &weighed.ln_rest, &weighed.open_calls]);
    (numbers.map(|it| it.to_bits()).chain([weighed.buckets]).collect(), test.rolls_back_now(), test.rolls_back())
}

/// At most, up to rounding.
fn at_most(less: f64, more: f64) -> bool {
    less <= more + 1e-9 * more.abs().max(less.abs()).max(1.0)
}

const OUTAGE: Outage = Outage { stable: 0.02, canary: 0.9 };

fn factors(bucket: &Minute) -> [f64; 3] {
    [
        factor::ratio(bucket, 1.25 * 1.5, 1.25, 0.0005),
        factor::ratio(bucket, 1250.0, 1.25, 0.0005),
        factor::outage(bucket, OUTAGE, 1.25, 0.0005),
    ]
}

proptest! {
    #[test]
    fn every_number_is_a_number(parameters in parameters(), minutes in minutes()) {
        let mut test = Test::new(&parameters).unwrap();
        for minute in &minutes {
            test.fold(minute);
            let (weighed, described) = (test.weighed(), test.explain());
            prop_assert!(weighed.ln_e.is_finite() && weighed.ln_rest.is_finite() && weighed.open_calls >= 0.0);
            prop_assert!(weighed.components.iter().all(|it| it.is_finite() || *it == f64::NEG_INFINITY));
            prop_assert!(described.evidence >= 0.0 && described.evidence.is_finite() && described.extra_bad.is_finite());
            prop_assert!(described.missing_bad.is_none_or(|missing| (0.0..=1e15).contains(&missing)));
            for rate in [described.canary, described.stable] {
                let (low, high) = rate.interval;
                prop_assert!(0.0 <= low && low <= high && high <= 1.0);
                prop_assert!(rate.rate.is_none_or(|rate| low <= rate && rate <= high));
            }
        }
    }

    #[test]
    fn a_restart_at_any_minute_changes_nothing(parameters in parameters(), minutes in minutes(), at in 0..25_usize) {
        let (before, after) = minutes.split_at(at.min(minutes.len()));
        let mut test = Test::of(&parameters, before).unwrap();
        let looked_at = (test.clone(), test.explain(), test.verdict(&Outlook::default()));
        for minute in after {
            test.fold(minute);
        }
        prop_assert_eq!(bits(&test), bits(&Test::of(&parameters, &minutes).unwrap()));
        prop_assert_eq!(bits(&looked_at.0), bits(&Test::of(&parameters, before).unwrap()));
    }

    #[test]
    fn order_within_a_bucket_is_irrelevant(
        before in vec(whole(400), 0..4), within in vec(whole(4), 2..12), seed in any::<u64>(),
        closing in whole(400), after in vec(whole(400), 0..4),
    ) {
        // All of `within` fits in one bucket together: only `closing` can close it.
        let parameters = Parameters { bucket_min: 100.0, ..Parameters::default() };
        let mut shuffled = within.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let whole = |within: &[Minute]| {
            let mut test = Test::of(&parameters, &before).unwrap();
            prop_assume!(test.weighed().open_calls == 0.0);
            for minute in within.iter().chain([&closing]).chain(&after) {
                test.fold(minute);
            }
            Ok((bits(&test).0, test.rolls_back_now()))
        };
        prop_assert_eq!(whole(&within)?, whole(&shuffled)?);
    }

    #[test]
    fn without_a_bad_call_of_the_canary_nothing_rises(
        parameters in parameters(), minutes in minutes(), quiet in vec((calls(), calls(), part()), 1..8),
    ) {
        let closing = parameters.bucket_min;
        let mut test = Test::of(&parameters, &minutes).unwrap();
        // A bucket that is open may hold bad calls of the canary's, which more good calls of stable's make more telling.
        test.fold(&of([0.0, 0.0, closing, 0.0]));
        for (canary, stable, bad) in quiet {
            let before = test.ln_e();
            let stable = (stable + closing).min(MOST_CALLS);
            test.fold(&of([canary, 0.0, stable, stable * bad]));
            prop_assert!(at_most(test.ln_e(), before), "{} after {before}", test.ln_e());
        }
    }

    #[test]
    fn stables_traffic_alone_changes_nothing(minutes in minutes(), alone in vec((calls(), part()), 1..8)) {
        let mut test = Test::of(&Parameters::default(), &minutes).unwrap();
        test.fold(&of([0.0, 0.0, 10.0, 0.0]));
        let before = test.ln_e();
        for (calls, bad) in alone {
            test.fold(&of([0.0, 0.0, calls, calls * bad]));
            prop_assert_eq!(test.ln_e().to_bits(), before.to_bits());
        }
    }

    #[test]
    fn a_bad_call_speaks_against_the_version_it_is_of(bucket in minute()) {
        let [n1, k1, n0, k0] = [bucket.canary_calls(), bucket.canary_bad(), bucket.stable_calls(), bucket.stable_bad()];
        let worse = factors(&of([n1, (k1 + 1.0).min(n1), n0, k0]));
        let shared = factors(&of([n1, k1, n0, (k0 + 1.0).min(n0)]));
        for (index, found) in factors(&bucket).into_iter().enumerate() {
            prop_assert!(at_most(found, worse[index]), "one more of the canary's: {} after {found}", worse[index]);
            prop_assert!(at_most(shared[index], found), "one more of stable's: {} after {found}", shared[index]);
        }
    }

    #[test]
    fn a_bad_call_is_worth_no_more_than_the_split_allows(bucket in minute()) {
        // 1/w, or any number where a version has no calls and nothing is said.
        let split = 1.0 + bucket.stable_calls() / bucket.canary_calls().max(f64::MIN_POSITIVE);
        let most = if split.is_finite() { bucket.canary_bad() * split.ln() } else { f64::INFINITY };
        for times in [1.875, 50.0, 1250.0] {
            let found = factor::ratio(&bucket, times, 1.25, 0.0005);
            prop_assert!(at_most(found, most), "{found} of at most {most}");
        }
    }

    #[test]
    fn no_fewer_bad_calls_than_are_missing_will_do(
        n1 in 1..500_u32, n0 in 1..500_u32, k0 in 0..20_u32, batches in vec(1..30_u32, 1..40),
    ) {
        // At one split throughout, whatever comes in whatever portions.
        let (n1, n0) = (f64::from(n1), f64::from(n0));
        let mut test = Test::of(&Parameters::default(), &[of([n1, 0.0, n0, f64::from(k0).min(n0)])]).unwrap();
        let missing = test.explain().missing_bad.unwrap();
        for bad in batches.into_iter().map(f64::from) {
            test.fold(&of([bad, bad, bad * n0 / n1, 0.0]));
            prop_assert!(!test.rolls_back() || test.totals().canary_bad() >= missing);
        }
    }

    #[test]
    fn a_failure_is_latched_and_outranks_everything(minutes in minutes(), due in calls(), in_all in calls()) {
        let outlook = Outlook { due: Some(due), in_all: Some(in_all) };
        let mut test = Test::new(&Parameters::default()).unwrap();
        let mut ever = false;
        for minute in &minutes {
            test.fold(minute);
            ever |= test.ln_e() >= 100.0_f64.ln() && test.totals().canary_bad() >= 3.0;
            prop_assert_eq!(test.rolls_back(), ever);
            prop_assert_eq!(test.verdict(&outlook) == Verdict::RollBack, ever);
        }
    }

    #[test]
    fn latency_is_a_test_too(minutes in vec((minute(), proptest::option::of(minute())), 0..25), with_p99 in any::<bool>()) {
        let mut test = LatencyTest::new(0.01, with_p99).unwrap();
        let mut ever = false;
        for (p90, p99) in minutes {
            test.fold(&SlowMinute { p90, p99 });
            prop_assert!(test.ln_e().is_finite());
            ever |= test.rolls_back();
            prop_assert_eq!(test.rolls_back(), ever);
        }
    }

    #[test]
    fn a_ratio_that_is_shown_is_at_least_what_rolls_back(minutes in minutes()) {
        let shown = shown_ratio(&Parameters::default(), &minutes).unwrap();
        let test = Test::of(&Parameters::default(), &minutes).unwrap();
        prop_assert!(!test.rolls_back() || shown.is_some_and(|ratio| ratio >= 1.25));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_schedule_can_be_foretold(
        steps in vec((part(), 0.0..5000.0_f64), 0..4), calls in 0.0..1e9_f64, stable_rate in part(), canary_rate in part(),
        times in 0.0..1e6_f64,
    ) {
        let parameters = Parameters::default();
        let steps: Vec<Step> = steps.into_iter().map(|(weight, minutes)| Step::new(weight, minutes).unwrap()).collect();
        let traffic = Traffic::new(calls, stable_rate).unwrap();
        for sight in sights(&parameters, &steps, &traffic).unwrap() {
            prop_assert!(sight.canary_calls.is_finite() && sight.smallest.is_none_or(|rate| rate > 0.0 && rate <= 1.0));
        }
        let described = notice(&parameters, &steps, &traffic, canary_rate).unwrap();
        prop_assert!(described.canary_bad <= described.canary_calls && described.minutes.is_none_or(|minutes| minutes > 0.0));
        prop_assert!(minutes_to_see(&parameters, &traffic, 0.1, times).is_none_or(|minutes| minutes > 0.0 && minutes.is_finite()));
    }
}
