//! Does the test compute what it says? Factors and whole sequences against values from 60-digit arithmetic.

#![expect(clippy::unwrap_used, reason = "a vector that cannot be read has failed")]

use analysis::{Minute, Outage, Parameters, Test, factor};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("data/vectors.json")).unwrap()
}

fn number(value: &Value) -> f64 {
    if value.is_null() { f64::NEG_INFINITY } else { value.as_f64().unwrap() }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn minute(value: &Value) -> Minute {
    Minute::new(numbers(value).try_into().unwrap()).unwrap()
}

fn rows<'a>(all: &'a Value, of: &str) -> &'a [Value] {
    all[of].as_array().unwrap()
}

#[track_caller]
fn assert_near(found: f64, expected: &Value, what: &str) {
    let expected = number(expected);
    let near = (found - expected).abs() <= 1e-9 * expected.abs().max(1.0);
    assert!(near || (expected.is_infinite() && found.total_cmp(&expected).is_eq()), "{what}: {found:e}, expected {expected:e}");
}

/// Sets what a sequence does not leave at its default.
fn overridden(overrides: &Value) -> Parameters {
    let mut parameters = Parameters::default();
    for (name, value) in overrides.as_object().unwrap() {
        match name.as_str() {
            "rho" => parameters.ratio = number(value),
            "delta" => parameters.margin = number(value),
            "alpha" => parameters.alpha = number(value),
            "alpha_share" => parameters.share = number(value),
            "min_canary_bad" => parameters.min_canary_bad = number(value),
            "ratio_mult" => parameters.alternatives = numbers(value),
            "outage" if value.as_array().unwrap().is_empty() => parameters.outage = None,
            unknown => panic!("the sequence sets {unknown}"),
        }
    }
    parameters
}

#[test]
fn ratio_factors_are_exact() {
    let all = vectors();
    for row in rows(&all, "ratio_factor") {
        let (ratio, margin) = (number(&row["rho"]), number(&row["delta"]));
        let found = factor::ratio(&minute(&row["bucket"]), ratio * number(&row["mult"]), ratio, margin);
        assert_near(found, &row["ln_e"], &row.to_string());
    }
    assert_eq!(rows(&all, "ratio_factor").len(), 33);
}

#[test]
fn outage_factors_are_exact() {
    let all = vectors();
    for row in rows(&all, "outage_factor") {
        let outage = Outage { stable: number(&row["p0"]), canary: number(&row["p1"]) };
        let found = factor::outage(&minute(&row["bucket"]), outage, number(&row["rho"]), number(&row["delta"]));
        assert_near(found, &row["ln_e"], &row.to_string());
    }
    assert_eq!(rows(&all, "outage_factor").len(), 16);
}

#[test]
fn sequences_are_exact_after_each_minute() {
    let all = vectors();
    let mut minutes = 0;
    for row in rows(&all, "sequences") {
        let parameters = overridden(&row["config_overrides"]);
        let name = row["name"].as_str().unwrap();
        assert_near(parameters.ln_threshold(), &row["ln_threshold"], name);
        let mut test = Test::new(&parameters).unwrap();
        assert_eq!(rows(row, "minutes").len(), rows(row, "expected_after_each_minute").len());
        for (index, (counts, expected)) in rows(row, "minutes").iter().zip(rows(row, "expected_after_each_minute")).enumerate() {
            let what = format!("{name}, minute {}", index + 1);
            test.fold(&minute(counts));
            let weighed = test.weighed();
            assert_near(test.ln_e(), &expected["ln_e"], &what);
            assert_near(weighed.ln_e, &expected["ln_e"], &what);
            assert_near(weighed.ln_rest, &expected["ln_rest"], &what);
            assert_near(weighed.open_calls, &expected["open_n"], &what);
            assert_near(test.totals().canary_bad(), &expected["canary_bad"], &what);
            let components = rows(expected, "ln_components");
            assert_eq!(weighed.components.len(), components.len(), "{what}");
            weighed.components.iter().zip(components).for_each(|(found, expected)| assert_near(*found, expected, &what));
            assert_eq!(Some(weighed.buckets), expected["buckets_closed"].as_u64(), "{what}");
            assert_eq!(Some(test.rolls_back_now()), expected["rollback_now"].as_bool(), "{what}");
            assert_eq!(Some(test.rolls_back()), expected["rollback"].as_bool(), "{what}");
            minutes += 1;
        }
    }
    assert_eq!((rows(&all, "sequences").len(), minutes), (16, 79));
}

#[test]
fn a_billion_calls_against_one_are_exact() {
    // (bucket; p0, p1, ρ, δ; the logarithm), from the definition in 60 digits: computed as it is written, it is off by up to 4·10⁻⁷ here.
    let rows = [
        ([1.0, 0.0, 999_999_999.0, 0.0], [0.02, 0.9, 1.25, 0.0005], -1.397_780_104_121_613),
        ([1.0, 0.0, 999_999_999.0, 0.0], [0.001, 0.999, 1.0, 0.01], -15.897_735_749_230_634),
        ([1.0, 1.0, 999_999_999.0, 5.0], [0.02, 0.9, 1.25, 0.0005], 4.463_005_849_883_378),
        ([1.0, 1.0, 999_999_999.0, 5.0], [0.001, 0.999, 1.0, 0.01], -2.084_232_185_924_534),
        ([999_999_999.0, 999_999_999.0, 1.0, 0.0], [0.02, 0.9, 1.25, 0.0005], 1.529_151_857_126_222),
        ([999_999_999.0, 999_999_999.0, 1.0, 0.0], [0.02, 0.9, 1.25, 0.0], 1.530_540_746_014_107),
        ([999_999_999.0, 999_999_999.0, 1.0, 0.0], [0.001, 0.999, 1.0, 0.01], -2.084_227_190_932_021),
        ([999_999_999.0, 12_345.0, 1.0, 1.0], [0.02, 0.9, 1.25, 0.0005], -6.084_873_536_024_503),
        ([999_999_999.0, 12_345.0, 1.0, 1.0], [0.001, 0.999, 1.0, 0.01], -1_014.883_903_111_565_8),
        ([1e9, 1e9, 1e9, 1e9], [0.02, 0.9, 1.25, 0.0005], -2_632_241_718.610_153),
        ([1e9, 0.0, 1e9, 0.0], [0.001, 0.999, 1.0, 0.01], -5_542_322_475.549_646),
        ([0.25, 0.125, 1e9, 3.5], [0.02, 0.9, 1.25, 0.0005], 0.383_153_210_967_894_5),
        ([0.25, 0.125, 1e9, 3.5], [0.001, 0.999, 1.0, 0.01], -2.247_748_026_814_45),
    ];
    for (counts, [stable, canary, ratio, margin], expected) in rows {
        let bucket = Minute::new(counts).unwrap();
        let found = factor::outage(&bucket, Outage { stable, canary }, ratio, margin);
        assert_near(found, &expected.into(), &format!("{bucket:?}"));
    }
    let rows = [
        ([1.0, 1.0, 999_999_999.0, 5.0], 6.502_618_563_528_124),
        ([999_999_999.0, 12_345.0, 1.0, 1.0], -6.908_145_011_659_73),
        ([1e9, 1e9, 1e9, 1e9], -5_534_090_850.538_149),
    ];
    for (counts, expected) in rows {
        let bucket = Minute::new(counts).unwrap();
        assert_near(factor::ratio(&bucket, 1250.0, 1.25, 0.0005), &expected.into(), &format!("{bucket:?}"));
    }
}

#[test]
fn thresholds_are_exact() {
    let thresholds = &vectors()["ln_threshold"];
    let at = |alpha, share| Parameters { alpha, share, ..Parameters::default() }.ln_threshold();
    assert_near(at(0.01, 1.0), &thresholds["alpha_0_01"], "default");
    assert_near(at(0.05, 1.0), &thresholds["alpha_0_05"], "sensitive");
    assert_near(at(0.01, Parameters::ERRORS_SHARE), &thresholds["errors_share_0_8"], "errors beside latency");
    assert_near(Parameters::latency(0.02).ln_threshold(), &thresholds["latency_share_0_2"], "latency");
}
