//! Is the promise kept, and is trouble noticed when it should be? A small simulation; the benchmark of the same name is the large one.

#![expect(clippy::unwrap_used, reason = "the traffic is made here")]

mod traffic;

use analysis::expected::{Step, Traffic, notice, sights};
use analysis::{Minute, Parameters};
use traffic::healthy::HEALTHY;
use traffic::rules::{CASES, Fates, RULES};
use traffic::streams::{DEPENDENCES, Dependence, Streams, median};
use traffic::{ALPHAS, Chance, Row, Tally, count};

/// The least number of hits that `tries`, each with this probability, have at most `rarely` often.
fn beyond_chance(tries: u32, probability: f64, rarely: f64) -> u32 {
    let mut term = (1.0 - probability).powf(f64::from(tries));
    let (mut hits, mut beyond) = (0, 1.0 - term);
    while beyond > rarely {
        term *= f64::from(tries - hits) / f64::from(hits + 1) * probability / (1.0 - probability);
        hits += 1;
        beyond -= term;
    }
    hits + 1
}

#[test]
fn traffic_is_what_it_says() {
    let mut chance = Chance::new(1);
    for mean in [0.0, 0.3, 5.0, 29.0, 31.0, 400.0, 60_000.0] {
        let drawn: Vec<f64> = (0..20_000).map(|_| chance.poisson(mean)).collect();
        let average = drawn.iter().sum::<f64>() / 20_000.0;
        let variance = drawn.iter().map(|it| (it - average).powi(2)).sum::<f64>() / 20_000.0;
        assert!((average - mean).abs() <= 5.0 * (mean / 20_000.0).sqrt(), "{mean}: {average}");
        assert!(
            (variance - mean).abs() <= 5.0 * mean * (2.0 / 20_000.0 + 1.0 / (20_000.0 * mean.max(1e-9))).sqrt(),
            "{mean}: {variance}"
        );
        let within = count(drawn.iter().filter(|it| (**it - mean).abs() <= mean.sqrt()).count()) / 20_000.0;
        assert!(mean < 100.0 || (within - 0.683).abs() < 0.02 + 0.4 / mean.sqrt(), "{mean}: {within}");
    }
    assert_eq!((beyond_chance(2000, 0.01, 1e-6), beyond_chance(10, 0.5, 1e-6)), (45, 11));
}

#[test]
fn known_answers_are_met() {
    let rows = Row::all();
    assert_eq!(rows.len(), 56);
    let (mut complaints, mut outside) = (Vec::new(), 0);
    for (seed, row) in (1..).zip(&rows) {
        for (tally, alpha) in row.play(300, seed).iter().zip(ALPHAS) {
            complaints.extend(row.complaints(alpha, tally));
            outside += usize::from(row.distance(alpha, tally) > 1.96);
            let (low, high) = row.interval(alpha);
            assert!((low..=high).contains(&row.answer(alpha, "detect").unwrap()), "{}", row.name);
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
    // One in twenty is outside its 95% interval by chance; both bounds of a row see the same traffic, and are so together.
    assert!(outside <= 18, "{outside} of {} are outside their 95% intervals", 2 * rows.len());
}

#[test]
fn good_canaries_are_left_alone() {
    // Once in a million runs of the suite: each kind and bound has its part of that.
    let rarely = 1e-6 / count(HEALTHY.len() * ALPHAS.len());
    for (seed, healthy) in (1..).zip(&HEALTHY) {
        for (alpha, rollouts) in ALPHAS.into_iter().zip([1000, 400]) {
            let found = healthy.false_rollbacks(rollouts, seed, alpha);
            let most = beyond_chance(rollouts, alpha, rarely);
            assert!(found < most, "{} at {alpha}: {found} of {rollouts} rolled back", healthy.name);
        }
    }
}

/// Several streams keep one promise, whether they fail together or not, and whether or not some are seen later.
#[test]
fn any_number_of_streams_keeps_the_promise() {
    let parameters = Parameters::default();
    for (seed, dependence) in (1..).zip(DEPENDENCES) {
        for number in [1, 2, 5] {
            let healthy = Streams { number, dependence, canary_rate: 0.01, stable_rate: 0.01 };
            let found = healthy.noticed(500, seed, &parameters).iter().flatten().count();
            // By what is promised, 1%, as many as that come less than once in 10⁷.
            assert!(count(found) < f64::from(beyond_chance(500, 0.01, 1e-7)), "{number} {dependence:?}: {found} of 500");
        }
    }
}

/// What joining costs: 1% against 5% in one stream, beside others that are healthy.
#[test]
fn a_second_stream_costs_a_minute_at_most() {
    let noticed = |number| {
        let worse = Streams { number, dependence: Dependence::None, canary_rate: 0.05, stable_rate: 0.01 };
        worse.noticed(400, 5, &Parameters::default())
    };
    let [one, two, five] = [1, 2, 5].map(noticed);
    assert!(median(&two) <= median(&one) + 1.0 && median(&five) <= median(&one) + 2.0);
    for noticed in [one, two, five] {
        assert!(noticed.iter().flatten().count() >= 390, "{noticed:?}");
    }
}

/// The README's table, in small: what separates the rules is so large that 200 rollouts show it.
#[test]
fn every_rule_meets_the_same_calls() {
    let noticed = |rule: &str, case: &str| {
        let case = CASES.iter().find(|it| it.name == case).unwrap();
        let rule = RULES.iter().find(|it| it.name == rule).unwrap();
        let ends = (0..200).map(|seed| Fates::new(case, seed).under(rule));
        let (minutes, failed): (Vec<Option<usize>>, Vec<f64>) = ends.map(|end| (end.noticed, end.failed)).unzip();
        (minutes.iter().flatten().count(), failed.iter().sum::<f64>() / 200.0)
    };
    assert_eq!(noticed("errors of the alias > 0, two minutes running", "both 0.5%").0, 200);
    assert_eq!(noticed("canary's errors > 1%, four minutes in all", "both 20% for five minutes").0, 200);
    // As good as stable: at most 1% by what is promised, and 13 of 200 then come less than once in 10⁶.
    for case in CASES.iter().filter(|case| case.good) {
        assert!(count(noticed("canaryctl", case.name).0) < f64::from(beyond_chance(200, 0.01, 1e-6)), "{}", case.name);
    }
    // Nine minutes with 10 to 90% of 600 calls, and three with all of them: 4,500 calls, of which one in twenty fails. The mean
    // of 200 such counts scatters by √(225 / 200).
    let (found, failed) = noticed("nothing", "5% against 0.1%");
    assert!(found == 0 && (failed - 225.0).abs() < 6.0 * (225.0_f64 / 200.0).sqrt(), "{failed}");
    let (found, failed) = noticed("canaryctl", "5% against 0.1%");
    assert!(found == 200 && failed < 10.0, "{found}, {failed}");
}

#[test]
fn what_is_foretold_is_what_happens() {
    // The smallest regression is noticed about as often as is said, in simulated rollouts.
    for (every, calls, stable_rate) in [(1.0, 600.0, 0.001), (1.0, 6000.0, 0.01), (10.0, 60.0, 0.01), (1.0, 6.0, 0.0)] {
        let steps: Vec<Step> = (1..=9_u8).map(|step| Step::new(f64::from(step) / 10.0, every).unwrap()).collect();
        let seen = sights(&Parameters::default(), &steps, &Traffic::new(calls, stable_rate).unwrap()).unwrap();
        let smallest = seen.last().unwrap().smallest.unwrap();
        let (mut chance, mut tally) = (Chance::new(7), Tally::default());
        for _ in 0..1000 {
            let weights = (1..=9_u8).flat_map(|step| vec![f64::from(step) / 10.0; if every > 1.0 { 10 } else { 1 }]);
            let minutes: Vec<Minute> = weights.map(|weight| chance.minute(calls, weight, smallest, stable_rate)).collect();
            tally.judge(&Parameters::default(), &minutes);
        }
        assert!((0.92..0.99).contains(&tally.rate()), "{every} {calls} {stable_rate}: {smallest} seen in {}", tally.rate());
    }
}

#[test]
fn the_typical_case_is_the_median() {
    for row in Row::all().iter().filter(|row| !row.healthy) {
        let Some(known) = row.answer(ALPHAS[0], "minute_median") else { continue };
        let steps: Vec<Step> = row.schedule.iter().map(|weight| Step::new(*weight, 1.0).unwrap()).collect();
        let traffic = Traffic::new(row.calls_per_minute, row.stable_rate).unwrap();
        let described = notice(&Parameters::default(), &steps, &traffic, row.canary_rate).unwrap();
        let minutes = described.minutes.unwrap();
        assert!((minutes - known).abs() <= 1.0 + 0.2 * known, "{}: {minutes}, known {known}", row.name);
    }
}
