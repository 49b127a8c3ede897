//! How signals are written, what is refused, and what they are filled in with.

use crate::signal::{Signal, SignalSource, check_together};
use crate::{Subject, Version};

const CHECKOUT: &str = "checkout=Shop/CheckoutFailed{Version=${version}}/Shop/Checkout{Version=${version}}";

fn signal(text: &str) -> Signal {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    text.parse::<Signal>().expect_err(text).to_string()
}

#[test]
fn what_is_written_is_read_and_written_again() {
    for text in [
        CHECKOUT,
        "5xx=logs:status >= 500",
        "a=Shop/Failed{Version=${version}}",
        "a=My/Shop/Failed{Function=${function},Version=v-${version}}",
        "a=My/Shop/Failed{Version=${alias}/${version}}/Other/Shop/All{Version=${version}}",
        r#"a=logs:@message like /a|b\/#)/ and x = "|(" "#.trim(),
        "a=logs:(status / 100) >= 5 or level in ['error', 'fatal']",
    ] {
        let read = signal(text);
        assert_eq!(read.to_string(), text);
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Signal>(&json).unwrap(), read);
    }
    let json = serde_json::to_string(&signal("5xx=logs: status >= 500")).unwrap();
    assert_eq!(json, r#"{"name":"5xx","logs":{"filter":"status >= 500"}}"#);
    let json = serde_json::to_string(&signal("a=Shop/Failed{Version=${version}}")).unwrap();
    assert_eq!(
        json,
        r#"{"name":"a","metrics":{"failures":{"namespace":"Shop","metric":"Failed","dimensions":{"Version":"${version}"}}}}"#
    );
}

#[test]
fn a_metric_is_filled_in_for_each_version() {
    let signal = signal("a=Shop/Failed{By=${function}:${alias},Version=${version}}");
    let SignalSource::Metrics { failures, requests: None } = signal.source else { panic!("{signal:?}") };
    let subject = Subject::parse("hello:live", None).unwrap();
    let filled = failures.of(&subject, Version::new(42).unwrap());
    assert_eq!(filled.to_string(), "Shop/Failed{By=hello:live,Version=42}");
}

#[test]
fn what_is_wrong_is_said_with_what_is_right() {
    for (text, words) in [
        ("checkout", "has no name: expected `NAME=NAMESPACE/FAILURES{Version=${version}}`"),
        ("Shop/Failed{Version=${version}}", "has no name"),
        ("a b=logs:x", "`a b` is not a signal name: use letters, digits, `-` and `_`, at most 40"),
        ("=logs:x", "is not a signal name"),
        ("errors=logs:x", "`errors` is always compared: give the signal another name"),
        ("latency=logs:x", "`latency` is always compared"),
        ("a=Failed{Version=${version}}", "`Failed{Version=${version}}` is not a metric: expected"),
        ("a=Shop/Failed", "is not a metric"),
        ("a=Shop/Failed{Version=${version}", "is not a metric"),
        ("a=Shop/Failed{Version}", "is not a metric"),
        ("a=Shop/Failed{Version=${version}}/Shop/All{Version=${version}}/x", "`/x` is left over"),
        (
            "a=Shop/Failed{}",
            "metric `Failed` in `Shop` cannot tell the versions apart\n  hint: add a dimension such as `Version=${version}`",
        ),
        ("a=Shop/Failed{Version=${version}}/Shop/All{Stage=prod}", "AWS_LAMBDA_FUNCTION_VERSION"),
        (
            "a=Shop/Failed{Version=${versoin}}",
            "signal `a`: `${versoin}` is not filled in: use `${version}`, `${function}` or `${alias}`",
        ),
        ("a=:Shop/Failed{Version=${version}}", "is not a namespace"),
        ("a=Shop/Fäiled{Version=${version}}", "is not a metric name"),
        ("a=logs:", "write one filter expression"),
        ("a=logs:x = 1\n| limit 1", "write it on one line"),
        ("a=logs:x = 1 | limit 1", "without `|` and `#` outside quotes"),
        ("a=logs:x = 1 # | limit 1", "without `|` and `#` outside quotes"),
        ("a=logs:x = 1) or (1 = 1", "closes a parenthesis that it does not open"),
        ("a=logs:(x = 1", "opens a parenthesis that it does not close"),
        ("a=logs:x = \"1", "opens a \" that it does not close"),
        ("a=logs:x like /a", "opens a / that it does not close"),
    ] {
        let said = refused(text);
        assert!(said.contains(words), "{text}: {said}");
    }
    assert!(refused(&format!("{}=logs:x", "a".repeat(41))).contains("at most 40"));
    assert!(refused(&format!("a=logs:{}", "x".repeat(2001))).contains("2001 bytes: at most 2000"));
    let dimensions: Vec<String> = (0..31).map(|number| format!("D{number}=${{version}}")).collect();
    assert!(
        refused(&format!("a=Shop/Failed{{{}}}", dimensions.join(","))).contains("31 dimensions: CloudWatch accepts at most 30")
    );
}

#[test]
fn names_are_each_there_once_and_not_too_many() {
    let named = |name: &str| signal(&format!("{name}=logs:x"));
    assert_eq!(check_together(&[named("a"), named("b")]), Ok(()));
    let twice = check_together(&[named("a"), named("b"), named("a")]).unwrap_err().to_string();
    assert_eq!(twice, "there are two signals `a`: give each its own name");
    let many: Vec<Signal> = (0..11).map(|number| named(&format!("s{number}"))).collect();
    assert_eq!(check_together(&many).unwrap_err().to_string(), "11 signals: at most 10 can be compared");
}

#[test]
fn no_two_signals_are_known_by_the_same() {
    let texts = [
        CHECKOUT,
        "checkout=Shop/CheckoutFailed{Version=${version}}",
        "checkout=Shop/Checkout{Version=${version}}/Shop/CheckoutFailed{Version=${version}}",
        "checkout=Shop/CheckoutFailed{A=x,Version=${version}}",
        "checkout=logs:Shop",
        "other=logs:Shop",
    ];
    for (index, text) in texts.iter().enumerate() {
        assert!(texts[..index].iter().all(|other| signal(other).parts() != signal(text).parts()), "{text}");
    }
}
