//! What is said nearer goes before what is said farther off, option by option; and every row is one that can be read again.

use std::collections::BTreeSet;
use std::time::Duration;

use rollout::plan::{HookAnswer, InsufficientData, OnInterrupt, Preexisting};
use rollout::policy::{Choice, Kind, Layer, OPTIONS, Policy, Value};
use rollout::timing::BLIND_LIMIT;

#[test]
fn the_nearest_layer_that_says_it_has_its_way() {
    let typed = Layer::from([("bake", Value::Time(Duration::from_secs(1))), ("on_interrupt", Value::Word("hold"))]);
    let file = Layer::from([("bake", Value::Time(Duration::from_secs(2))), ("preexisting_alarm", Value::Word("wait"))]);
    let framework = Layer::from([("preexisting_alarm", Value::Word("ignore")), ("insufficient_data", Value::Word("rollback"))]);
    let expected = Policy {
        bake: Some(Duration::from_secs(1)),
        on_interrupt: OnInterrupt::Hold,
        preexisting_alarm: Preexisting::Wait,
        insufficient_data: InsufficientData::RollBack,
        ..Policy::default()
    };
    assert_eq!(Policy::of(&[typed, file, framework]), expected);
    assert_eq!(Policy::of(&[]), Policy::default());
    assert_eq!((Policy::default().blind_limit, Policy::default().hook_answer), (BLIND_LIMIT, HookAnswer::Status));
    let off = Layer::from([("again", Value::Switch(false))]);
    let on = Layer::from([("again", Value::Switch(true))]);
    assert!(!Policy::of(&[off.clone(), on.clone()]).again && Policy::of(&[on, off]).again);
}

/// Values that its kind takes: any two differ, so that one of them is not what is usual.
fn values(choice: &Choice) -> [Value; 2] {
    match choice.kind {
        Kind::Words(words) => [Value::Word(words[0]), Value::Word(words[1])],
        Kind::Time(least, _) => [Value::Time(least), Value::Time(least + Duration::from_secs(1))],
        Kind::Switch => [Value::Switch(false), Value::Switch(true)],
    }
}

#[test]
fn every_option_changes_the_policy_and_has_names_of_its_own() {
    let mut names = BTreeSet::new();
    for choice in OPTIONS {
        let policies = values(choice).map(|value| Policy::of(&[Layer::from([(choice.name, value)])]));
        assert_ne!(policies[0], policies[1], "{}", choice.name);
        assert!(names.insert(choice.flag.name), "{}", choice.flag.name);
        assert!(choice.key.is_none_or(|key| names.insert(key.name) || key.name == choice.flag.name), "{}", choice.name);
        assert!(!choice.flag.about.is_empty() && choice.key.is_none_or(|key| !key.about.is_empty()), "{}", choice.name);
    }
}
