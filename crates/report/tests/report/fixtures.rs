//! The stories that are rendered again and again, and what comes of it.

use std::path::PathBuf;

use report::{LiveState, Plain, Reporter, frame, read};
use rollout::alias::{Alias, Target};
use rollout::event::Event;
use rollout::{Subject, Time, Version, Weight};

/// A text has all of these parts.
#[track_caller]
pub(crate) fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
}

/// A golden file; those of stories that were recorded lie in `recorded/`.
pub(crate) fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Compares a text with a golden file, which `BLESS=1` writes again.
pub(crate) fn golden(name: &str, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file(name), text).unwrap();
    }
    let known = std::fs::read_to_string(file(name)).unwrap_or_default();
    assert!(known == text, "{name} differs; BLESS=1 writes it again\n--- golden\n{known}\n--- now\n{text}");
}

/// A story's events.
pub(crate) fn events(name: &str) -> Vec<Event> {
    let saved = read(&text(&format!("{name}.jsonl"))).unwrap();
    assert_eq!((saved.unknown, saved.torn), (0, name == "recorded/killed"), "{name}");
    saved.events
}

/// 14:02:13 and some seconds: when the stories begin, and how far they are.
pub(crate) fn at(seconds: u64) -> Time {
    Time::from_secs(1_795_442_533 + seconds)
}

/// What a reporter makes of these events.
pub(crate) fn rendered<'a>(
    events: impl IntoIterator<Item = &'a Event>,
    make: impl FnOnce(&mut Vec<u8>) -> Box<dyn Reporter + '_>,
) -> String {
    let mut out = Vec::new();
    let mut reporter = make(&mut out);
    for event in events {
        reporter.event(event).unwrap();
    }
    reporter.finish().unwrap();
    drop(reporter);
    String::from_utf8(out).unwrap()
}

/// The plain log of these events.
pub(crate) fn log(events: &[Event]) -> String {
    rendered(events, |out| Box::new(Plain::new(out)))
}

/// What is known after these events.
pub(crate) fn known<'a>(mut state: LiveState, events: impl IntoIterator<Item = &'a Event>) -> LiveState {
    for event in events {
        state.add(event);
    }
    state
}

/// The live view in one text, without colour.
pub(crate) fn shown(state: &LiveState, now: Time, width: usize) -> String {
    frame(state, now, width, false).join("\n")
}

pub(crate) fn subject() -> Subject {
    Subject::parse("hello", None).unwrap()
}

pub(crate) fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

/// The share of so many basis points.
pub(crate) fn weight(points: u16) -> Weight {
    Weight::from_basis_points(points).unwrap()
}

/// An alias on this version, or on `$LATEST` for 0.
pub(crate) fn alias(target: u64, canary: Option<(u64, Weight)>, description: &str) -> Alias {
    Alias {
        target: Version::new(target).map_or(Target::Latest, Target::Version),
        weights: canary.into_iter().map(|(number, share)| (version(number), share)).collect(),
        description: description.to_owned(),
    }
}
