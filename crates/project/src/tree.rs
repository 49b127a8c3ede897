//! What is in a file, independent of its notation? A tree of texts, lists and maps, each with its place.

use std::collections::BTreeSet;

use crate::place::{At, Place};

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    /// Its own YAML tag, without the `!`.
    pub(crate) tag: Option<Box<str>>,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A text, a number, a boolean or nothing: `plain` where it was written without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Map),
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) place: Place,
}

impl Key {
    pub(crate) fn at(&self) -> At<String> {
        At { value: self.text.clone(), place: self.place.clone() }
    }
}

/// Keys and their values, in the order of the file. No key is duplicate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Map {
    entries: Vec<(Key, Node)>,
    /// The entries' numbers in the order of their keys.
    sorted: Vec<u32>,
}

impl Map {
    /// A map of these entries. Of equal keys the last one counts; each is returned with the line of the one before.
    pub(crate) fn new(entries: Vec<(Key, Node)>) -> (Self, Vec<(Key, u32)>) {
        let mut sorted: Vec<u32> = (0..).take(entries.len()).collect();
        let key = |index: u32| &entries[index as usize].0;
        sorted.sort_by(|one, other| key(*one).text.cmp(&key(*other).text));
        let pairs = || sorted.windows(2).filter(|pair| key(pair[0]).text == key(pair[1]).text);
        let twice: Vec<(Key, u32)> = pairs().map(|pair| (key(pair[1]).clone(), key(pair[0]).place.line)).collect();
        if twice.is_empty() {
            return (Self { entries, sorted }, twice);
        }
        let replaced: BTreeSet<usize> = pairs().map(|pair| pair[0] as usize).collect();
        let kept = entries.into_iter().enumerate().filter(|(index, _)| !replaced.contains(index)).map(|(_, entry)| entry);
        (Self::new(kept.collect()).0, twice)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&(Key, Node)> {
        let found = self.sorted.binary_search_by(|index| self.entries[*index as usize].0.text.as_str().cmp(key)).ok()?;
        self.entries.get(self.sorted[found] as usize)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Key, Node)> {
        self.entries.iter()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = (&str, &mut Node)> {
        self.entries.iter_mut().map(|(key, node)| (key.text.as_str(), node))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(key, _)| key.text.as_str())
    }

    pub(crate) fn into_entries(self) -> Vec<(Key, Node)> {
        self.entries
    }
}

impl Node {
    pub(crate) fn text_at(text: impl Into<String>, place: &Place) -> Self {
        Self { place: place.clone(), tag: None, value: Value::Scalar { text: text.into(), plain: false } }
    }

    /// Whether it is left empty, or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text, of a number or boolean too; nothing where it is left empty.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } if !self.is_null() => Some(text),
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) => None,
        }
    }

    pub(crate) fn text_with_place(&self) -> Option<At<String>> {
        Some(At { value: self.text()?.to_owned(), place: self.place.clone() })
    }

    pub(crate) fn list(&self) -> Option<&[Node]> {
        if let Value::List(nodes) = &self.value { Some(nodes) } else { None }
    }

    pub(crate) fn map(&self) -> Option<&Map> {
        if let Value::Map(map) = &self.value { Some(map) } else { None }
    }

    /// The value of a map's key; `None` where it is not a map or has no such key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.map()?.get(key)
    }

    /// The keys under which a place is, from the outermost.
    pub(crate) fn keys_above(&self, place: &Place) -> Vec<&Key> {
        let mut keys = Vec::new();
        let mut here = Some(self);
        while let Some(map) = here.and_then(Self::map) {
            let above = map.iter().filter(|(key, _)| key.place.file == place.file && key.place <= *place).last();
            keys.extend(above.map(|(key, _)| key));
            here = above.map(|(_, node)| node);
        }
        keys
    }

    /// Whether a text in it has these words.
    pub(crate) fn mentions(&self, words: &str) -> bool {
        match &self.value {
            Value::Scalar { text, .. } => text.contains(words),
            Value::List(nodes) => nodes.iter().any(|node| node.mentions(words)),
            Value::Map(map) => map.iter().any(|(_, node)| node.mentions(words)),
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            _ if self.is_null() => "nothing",
            Value::Scalar { .. } => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map of keys",
        }
    }

    /// As JSON: what a plain scalar means is taken from YAML's core schema.
    pub(crate) fn json(&self) -> serde_json::Value {
        match &self.value {
            _ if self.is_null() => serde_json::Value::Null,
            Value::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => true.into(),
                "false" | "False" | "FALSE" => false.into(),
                _ => text.parse::<serde_json::Number>().map_or_else(|_| text.as_str().into(), serde_json::Value::Number),
            },
            Value::Scalar { text, plain: false } => text.as_str().into(),
            Value::List(nodes) => nodes.iter().map(Node::json).collect(),
            Value::Map(map) => map.iter().map(|(key, node)| (key.text.clone(), node.json())).collect(),
        }
    }
}
