//! Which options of a rollout can `canary.yml` set? Those of [`rollout::policy`] that have a key: reads, describes and merges them.

use std::collections::BTreeMap;
use std::time::Duration;

use rollout::format::exact;
use rollout::policy::{Choice, Kind, Layer, OPTIONS, Spelling, Value, within};
use serde_json::json;

use crate::finding::Findings;
use crate::keys::{self, Read};
use crate::place::At;
use crate::tree::{Key, Node};

/// The options that are set, by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options(BTreeMap<&'static str, At<Value>>);

impl Options {
    /// The options without their places.
    pub fn layer(&self) -> Layer {
        self.0.iter().map(|(name, at)| (*name, at.value)).collect()
    }

    /// The keys and their values, the times first, else in the order of the options.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &At<Value>)> {
        let is_time = |(choice, _): &(&Choice, &Spelling)| matches!(choice.kind, Kind::Time(..));
        let (times, others): (Vec<_>, Vec<_>) = with_keys().partition(is_time);
        times.into_iter().chain(others).filter_map(|(choice, key)| Some((key.name, self.0.get(choice.name)?)))
    }

    pub(crate) fn keys() -> impl Iterator<Item = &'static str> + Clone {
        with_keys().map(|(_, key)| key.name)
    }

    pub(crate) fn read(&mut self, key: &Key, node: &Node, found: &mut Findings) -> bool {
        let Some((choice, known)) = with_keys().find(|(_, known)| known.name == key.text) else { return false };
        // A key without a value is a key that was commented out below.
        if node.is_null() {
            return true;
        }
        let value = found.of(known.name, |found| value(choice, node, found));
        self.0.extend(value.map(|value| (choice.name, At { value, place: node.place.clone() })));
        true
    }

    pub(crate) fn describe(properties: &mut serde_json::Map<String, serde_json::Value>) {
        for (choice, key) in with_keys() {
            let schema = match choice.kind {
                Kind::Words(words) => json!({ "enum": words }),
                Kind::Time(..) => Duration::schema(),
                Kind::Switch => bool::schema(),
            };
            properties.insert(key.name.to_owned(), keys::described(schema, &[key.about]));
        }
    }

    #[must_use]
    pub(crate) fn over(self, mut farther: Self) -> Self {
        farther.0.extend(self.0);
        farther
    }
}

fn value(choice: &Choice, node: &Node, found: &mut Findings) -> Option<Value> {
    match choice.kind {
        Kind::Words(words) => {
            let word = words.iter().find(|word| node.text() == Some(**word));
            word.map(|word| Value::Word(word)).or_else(|| keys::no_word(node, words, found))
        }
        Kind::Time(least, most) => Duration::read(node, found).and_then(|span| match within(span, least, most) {
            Ok(span) => Some(Value::Time(span)),
            Err(expected) => {
                found.problem(&node.place, format!("{expected}, found {}", exact(span)));
                None
            }
        }),
        Kind::Switch => bool::read(node, found).map(Value::Switch),
    }
}

fn with_keys() -> impl Iterator<Item = (&'static Choice, &'static Spelling)> + Clone {
    OPTIONS.iter().filter_map(|choice| Some((choice, choice.key.as_ref()?)))
}
