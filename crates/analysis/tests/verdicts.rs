//! What is said in which case? Verdicts, latency's grace, and what a schedule can see, on small examples.

#![expect(clippy::unwrap_used, reason = "the counts are written here")]

use analysis::expected::{Step, Traffic, minutes_to_see, notice, sights};
use analysis::{LatencyTest, Minute, Outlook, Parameters, SlowMinute, Test, Verdict};

fn minute(counts: [f64; 4]) -> Minute {
    Minute::new(counts).unwrap()
}

fn verdict(minutes: &[[f64; 4]], due: f64, in_all: f64) -> String {
    let minutes: Vec<Minute> = minutes.iter().copied().map(minute).collect();
    let test = Test::of(&Parameters::default(), &minutes).unwrap();
    test.verdict(&Outlook { due: Some(due), in_all: Some(in_all) }).to_string()
}

#[test]
fn each_verdict_has_its_case() {
    let healthy = [60.0, 0.0, 540.0, 1.0];
    assert_eq!(verdict(&[healthy], 60.0, 2700.0), "pass");
    assert_eq!(verdict(&[[60.0, 2.0, 540.0, 0.0]], 60.0, 2700.0), "hold");
    assert_eq!(verdict(&[[60.0, 4.0, 540.0, 0.0]], 60.0, 2700.0), "roll_back");
    assert_eq!(verdict(&[[0.0, 0.0, 600.0, 0.0]], 60.0, 2700.0), "no_data");
    assert_eq!(verdict(&[[2.0, 0.0, 18.0, 0.0]], 2.0, 20.0), "low_power");
    // Too early to miss anything.
    assert_eq!(verdict(&[], 0.0, 2700.0), "pass");
    assert_eq!(verdict(&[[0.0, 0.0, 90.0, 0.0]], 9.0, 2700.0), "pass");
    assert_eq!(verdict(&[[0.0, 0.0, 90.0, 0.0]], 10.0, 2700.0), "no_data");
    // More came than was expected.
    assert_eq!(verdict(&[[30.0, 0.0, 270.0, 0.0]], 2.0, 20.0), "pass");
    // Nothing takes a failure back.
    assert_eq!(verdict(&[[60.0, 4.0, 540.0, 0.0], [6e5, 0.0, 5.4e6, 9000.0]], 60.0, 20.0), "roll_back");
}

#[test]
fn without_a_forecast_the_counts_speak_for_themselves() {
    let said = |counts| Test::of(&Parameters::default(), &[minute(counts)]).unwrap().verdict(&Outlook::default());
    assert_eq!(said([0.0, 0.0, 9.0, 0.0]), Verdict::NoData);
    assert_eq!(said([29.0, 0.0, 261.0, 0.0]), Verdict::LowPower);
    assert_eq!(said([30.0, 0.0, 270.0, 0.0]), Verdict::Pass);
    assert_eq!(Test::new(&Parameters::default()).unwrap().verdict(&Outlook::default()), Verdict::NoData);
}

#[test]
fn two_bad_calls_roll_nothing_back() {
    // At 0.1% each is worth up to 6.9: far more than it takes, but two are an accident.
    let test = Test::of(&Parameters::default(), &[minute([10.0, 2.0, 9990.0, 0.0])]).unwrap();
    assert!(test.ln_e() > test.parameters().ln_threshold() && !test.rolls_back());
    assert_eq!(test.verdict(&Outlook::default()), Verdict::Hold);
}

#[test]
fn cold_starts_are_left_out_of_latency() {
    let at = |p90: [f64; 4], p99: [f64; 4]| SlowMinute { p90: minute(p90), p99: Some(minute(p99)) };
    let idle = at([0.0, 0.0, 600.0, 60.0], [0.0, 0.0, 600.0, 6.0]);
    let cold = at([60.0, 60.0, 540.0, 54.0], [60.0, 60.0, 540.0, 5.0]);
    let mut test = LatencyTest::new(0.01, true).unwrap();
    // Minutes before the canary's first call use up no grace.
    for minute in [idle, cold, idle, cold] {
        test.fold(&minute);
        assert!(test.ln_e() <= 0.0 && !test.rolls_back());
    }
    let mut warm = test.clone();
    for _ in 0..10 {
        warm.fold(&at([60.0, 6.0, 540.0, 54.0], [60.0, 0.5, 540.0, 5.5]));
    }
    assert_eq!((warm.rolls_back(), warm.verdict(&Outlook::default())), (false, Verdict::Pass));
    test.fold(&cold);
    assert_eq!((test.rolls_back(), test.verdict(&Outlook::default())), (true, Verdict::RollBack));
}

#[test]
fn latency_weighs_the_mean_of_its_limits() {
    let (p90, p99) = (minute([60.0, 12.0, 540.0, 54.0]), minute([60.0, 4.0, 540.0, 5.0]));
    let mut both = LatencyTest::new(0.01, true).unwrap();
    let mut one = LatencyTest::new(0.01, false).unwrap();
    for _ in 0..4 {
        both.fold(&SlowMinute { p90, p99: Some(p99) });
        one.fold(&SlowMinute { p90, p99: None });
    }
    let parts: Vec<f64> = both.tests().map(|test| test.ln_e().exp()).collect();
    assert_eq!(parts.len(), 2);
    assert!((both.ln_e().exp() - parts.iter().sum::<f64>() / 2.0).abs() < 1e-9 * parts.iter().sum::<f64>());
    assert_eq!(one.tests().count(), 1);
    assert!((one.ln_e().exp() - parts[0]).abs() < 1e-9 * parts[0]);
    // Fewer than five slow calls roll nothing back, whatever they weigh.
    let slow = |bad| minute([5.0, bad, 100_000.0, 0.0]);
    let mut few = LatencyTest::new(0.01, false).unwrap();
    for bad in [0.0, 0.0, 4.9] {
        few.fold(&SlowMinute { p90: slow(bad), p99: None });
    }
    assert!(few.ln_e() > 7.0 && !few.rolls_back());
    few.fold(&SlowMinute { p90: slow(0.1), p99: None });
    assert!(few.rolls_back());
    // A call beyond both limits is one slow call.
    let mut twice = LatencyTest::new(0.01, true).unwrap();
    for bad in [0.0, 0.0, 4.9] {
        twice.fold(&SlowMinute { p90: slow(bad), p99: Some(slow(bad)) });
    }
    assert!(twice.ln_e() > 7.0 && !twice.rolls_back());
}

fn linear(every: f64) -> Vec<Step> {
    (1..=9_u8).map(|step| Step::new(f64::from(step) / 10.0, every).unwrap()).collect()
}

#[test]
fn later_steps_see_more() {
    let steps = [linear(1.0), vec![Step::new(1.0, 3.0).unwrap()]].concat();
    let seen = sights(&Parameters::default(), &steps, &Traffic::new(600.0, 0.001).unwrap()).unwrap();
    let smallest: Vec<f64> = seen.iter().map(|sight| sight.smallest.unwrap()).collect();
    assert!(smallest.windows(2).all(|pair| pair[1] <= pair[0]), "{smallest:?}");
    assert!((smallest[8] - smallest[9]).abs() < 1e-12, "at 100% nothing is learnt");
    assert!((seen[2].canary_calls - 180.0).abs() < 1e-9);
    // A call a minute: one canary call or two, and nothing that they could tell.
    let seen = sights(&Parameters::default(), &linear(1.0)[..2], &Traffic::new(1.0, 0.0).unwrap()).unwrap();
    assert!(seen.iter().all(|sight| sight.smallest.is_none()));
}

#[test]
fn a_formula_says_about_the_same() {
    let traffic = Traffic::new(600.0, 0.01).unwrap();
    let about = minutes_to_see(&Parameters::default(), &traffic, 0.1, 5.0).unwrap();
    let exactly = notice(&Parameters::default(), &[Step::new(0.1, 60.0).unwrap()], &traffic, 0.05).unwrap().minutes.unwrap();
    assert!((0.5..2.0).contains(&(exactly / about)), "{exactly} and {about}");
    // By hand: ln(6 / 0.008) over 600 · 0.01 · 1.4 · KL(5/14 ‖ 0.1).
    let part: f64 = 5.0 / 14.0;
    let surprise = part * (part / 0.1).ln() + (1.0 - part) * ((1.0 - part) / 0.9).ln();
    assert!((about - 750.0_f64.ln() / (8.4 * surprise)).abs() < 1e-9);
    for (weight, times, rate) in [(0.0, 5.0, 0.01), (1.0, 5.0, 0.01), (0.1, 1.0, 0.01), (0.1, 5.0, 0.0)] {
        assert_eq!(minutes_to_see(&Parameters::default(), &Traffic::new(600.0, rate).unwrap(), weight, times), None);
    }
}

#[test]
fn nothing_is_foretold_from_nonsense() {
    let step = |weight, minutes| Step::new(weight, minutes).unwrap_err().to_string();
    let traffic = |calls| Traffic::new(calls, 0.0).unwrap_err().to_string();
    for (said, expected) in [
        (step(1.5, 1.0), "the weight is 1.5: it must be between 0 and 1"),
        (step(0.5, f64::NAN), "the time of a step in minutes is NaN: it must be between 0 and 100000"),
        (traffic(-1.0), "the number of invocations per minute is -1: it must be between 0 and 1000000000"),
    ] {
        assert_eq!(said, expected);
    }
    assert!(notice(&Parameters::default(), &[], &Traffic::new(1.0, 0.0).unwrap(), 2.0).is_err());
}
