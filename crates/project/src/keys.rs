//! Which keys does `canary.yml` have? One declaration is the type, its reader, its layers and its JSON Schema.
//!
//! This module has the macros and the types of values. The keys are in [`crate::settings`].

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use rollout::plan::Mode;
use rollout::target::Qualified;
use rollout::{Schedule, Subject, Version, Weight};
use serde_json::json;

use crate::finding::Findings;
pub(crate) use crate::finding::shown;
use crate::place::At;
use crate::tree::Node;

pub(crate) trait Read: Sized {
    fn read(node: &Node, found: &mut Findings) -> Option<Self>;

    fn schema() -> serde_json::Value;

    /// Reads the value of a name that people choose.
    fn named(_key: &str, node: &Node, found: &mut Findings) -> Option<At<Self>> {
        read(node, found)
    }

    #[must_use]
    fn over(self, _farther: Self) -> Self {
        self
    }
}

pub(crate) fn read<T: Read>(node: &Node, found: &mut Findings) -> Option<At<T>> {
    T::read(node, found).map(|value| At { value, place: node.place.clone() })
}

pub(crate) fn over<T: Read>(nearer: Option<At<T>>, farther: Option<At<T>>) -> Option<At<T>> {
    match (nearer, farther) {
        (Some(nearer), Some(farther)) => Some(At { value: nearer.value.over(farther.value), place: nearer.place }),
        (nearer, farther) => nearer.or(farther),
    }
}

/// Declares a type of optional keys: its fields, and how it is read, laid over another one, and described; and what it is the settings of.
macro_rules! keys {
    ($(#[doc = $about:literal])* $visibility:vis struct $name:ident $(of $scope:ident)? {
        $($(#[doc = $doc:literal])+ $key:literal $field:ident: $type:ty,)+
        $(..$options:ident: $rest:ty,)?
    }) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, Default, PartialEq)]
        $visibility struct $name {
            $($(#[doc = $doc])+ $visibility $field: Option<$crate::place::At<$type>>,)+
            $($visibility $options: $rest,)?
        }

        impl $crate::keys::Read for $name {
            fn read(node: &$crate::tree::Node, found: &mut $crate::finding::Findings) -> Option<Self> {
                let mut read = Self::default();
                for (key, node) in $crate::keys::entries(node, found)? {
                    match key.text.as_str() {
                        // A key without a value is a key that was commented out below.
                        $($key if node.is_null() => {})+
                        $($key => read.$field = found.of($key, |found| $crate::keys::read(node, found)),)+
                        $(_ if read.$options.read(key, node, found) => {})?
                        _ => $crate::keys::unknown(key, [$($key),+].into_iter()$(.chain(<$rest>::keys()))?, found),
                    }
                }
                Some(read)
            }

            fn schema() -> serde_json::Value {
                let mut properties = serde_json::Map::new();
                $(properties.insert($key.to_owned(), $crate::keys::described(
                    <$type as $crate::keys::Read>::schema(), &[$($doc),+]
                ));)+
                $(<$rest>::describe(&mut properties);)?
                serde_json::json!({ "type": ["object", "null"], "additionalProperties": false, "properties": properties })
            }

            $(fn named(key: &str, node: &$crate::tree::Node, found: &mut $crate::finding::Findings) -> Option<$crate::place::At<Self>> {
                found.$scope(key, |found| $crate::keys::read(node, found))
            })?

            fn over(self, farther: Self) -> Self {
                Self { $($field: $crate::keys::over(self.$field, farther.$field),)+ $($options: self.$options.over(farther.$options))? }
            }
        }
    };
}

macro_rules! words {
    ($(#[doc = $about:literal])* pub enum $name:ident {
        $($(#[doc = $doc:literal])+ $word:literal $variant:ident,)+
    }) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $doc])+ $variant,)+ }

        impl $name {
            /// As it is written.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl $crate::keys::Read for $name {
            fn read(node: &$crate::tree::Node, found: &mut $crate::finding::Findings) -> Option<Self> {
                match node.text() {
                    $(Some($word) => Some(Self::$variant),)+
                    _ => $crate::keys::no_word(node, &[$($word),+], found),
                }
            }

            fn schema() -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),+] })
            }
        }
    };
}

pub(crate) use {keys, words};

/// The keys of a map; of nothing where it is left empty.
pub(crate) fn entries<'a>(
    node: &'a Node,
    found: &mut Findings,
) -> Option<impl Iterator<Item = &'a (crate::tree::Key, Node)> + use<'a>> {
    let map = node.map();
    if map.is_none() && !node.is_null() {
        found.problem(&node.place, format!("expected a map of keys, found {}", node.kind()));
        return None;
    }
    Some(map.into_iter().flat_map(crate::tree::Map::iter))
}

pub(crate) fn unknown(key: &crate::tree::Key, known: impl Iterator<Item = &'static str> + Clone, found: &mut Findings) {
    let strange = ELSEWHERE.iter().find(|(strange, _)| *strange == key.text).map(|(_, hint)| (*hint).to_owned());
    let hint = strange.or_else(|| found.did_you_mean(&key.text, known.clone()));
    let message = format!("unknown key `{}`", shown(&key.text));
    // A misspelt key without which the function is not known.
    let meant = OF_ITS_NAME.into_iter().find(|name| hint.as_ref().is_some_and(|hint| hint.contains(&format!("`{name}`"))));
    let hint = hint.unwrap_or_else(|| format!("the keys here are {}", listed(&known.collect::<Vec<_>>())));
    match meant {
        Some(name) => found.of(name, |found| found.hinted(&key.place, message, hint)),
        None => found.hinted(&key.place, message, hint),
    }
}

pub(crate) fn no_word<T>(node: &Node, words: &[&str], found: &mut Findings) -> Option<T> {
    let message = format!("expected {}, found {}", one_of(words), found_text(node));
    found.misspelt(&node.place, message, node.text().unwrap_or_default(), words.iter().copied());
    None
}

pub(crate) fn described(mut schema: serde_json::Value, lines: &[&str]) -> serde_json::Value {
    let text = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), text.into());
    }
    schema
}

pub(crate) fn found_text(node: &Node) -> String {
    node.text().map_or_else(|| node.kind().to_owned(), |text| format!("`{}`", shown(text)))
}

/// Whether a text waits for a build to fill it in: `{{NAME}}`, `<NAME>`, `${NAME}`, `__NAME__`, `%NAME%`, `@NAME@`, `#{NAME}#`.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let inside = PLACEHOLDERS.iter().find_map(|(open, close)| {
        let inside = text.strip_prefix(open)?.strip_suffix(close)?;
        inside.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-. ".contains(letter)).then_some(inside)
    });
    inside.is_some_and(|inside| inside != "LATEST" && inside.chars().any(|letter| letter.is_ascii_alphabetic()))
}

const PLACEHOLDERS: [(&str, &str); 9] =
    [("{{", "}}"), ("<", ">"), ("${", "}"), ("$(", ")"), ("#{", "}#"), ("#{", "}"), ("__", "__"), ("%", "%"), ("@", "@")];

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn one_of(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or `{last}`", listed(first)),
        words => listed(words),
    }
}

/// A scalar's text, or a problem that says what was expected.
pub(crate) fn scalar<'a>(node: &'a Node, expected: &str, found: &mut Findings) -> Option<&'a str> {
    let text = node.text();
    match text {
        None => found.problem(&node.place, format!("expected {expected}, found {}", node.kind())),
        Some(text) if text.len() > LONGEST_TEXT => {
            found.problem(&node.place, format!("expected at most {LONGEST_TEXT} bytes, found {}", text.len()));
        }
        Some(_) => {}
    }
    text.filter(|text| text.len() <= LONGEST_TEXT)
}

fn parsed<T>(node: &Node, expected: &str, found: &mut Findings, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let text = scalar(node, expected, found)?;
    let value = parse(text);
    if value.is_none() {
        found.problem(&node.place, format!("expected {expected}, found {}", found_text(node)));
    }
    value
}

pub(crate) fn parse_at<T: FromStr<Err: Display>>(text: &At<String>, found: &mut Findings) -> Option<At<T>> {
    let text = &filled(text.clone(), "fill it in first", found)?;
    let value = text.value.parse().map_err(|error: T::Err| found.problem(&text.place, error.to_string())).ok()?;
    Some(At { value, place: text.place.clone() })
}

/// A text that does not wait for a build to fill it in.
pub(crate) fn filled(text: At<String>, hint: &str, found: &mut Findings) -> Option<At<String>> {
    if is_placeholder(&text.value) {
        found.hinted(&text.place, format!("`{}` is a placeholder", shown(&text.value)), hint);
        return None;
    }
    Some(text)
}

/// The alias, or a problem where it is not an alias name.
pub(crate) fn alias_at(text: At<String>, found: &mut Findings) -> Option<At<String>> {
    let text = filled(text, "write the alias' name, or use `--alias NAME`", found)?;
    let parsed = Subject::parse("function", Some(&text.value));
    parsed.map_err(|error| found.problem(&text.place, error.to_string())).ok().map(|_| text)
}

fn parsed_or_explained<T: FromStr<Err: Display>>(node: &Node, expected: &str, found: &mut Findings) -> Option<T> {
    let text = scalar(node, expected, found)?;
    text.parse().map_err(|error: T::Err| found.problem(&node.place, error.to_string())).ok()
}

/// Scalars: what is expected, how it is parsed, and its schema.
macro_rules! scalars {
    ($($type:ty: $expected:literal, $parse:expr, $schema:expr;)+) => {
        $(impl Read for $type {
            fn read(node: &Node, found: &mut Findings) -> Option<Self> {
                parsed(node, $expected, found, $parse)
            }

            fn schema() -> serde_json::Value {
                $schema
            }
        })+
    };
}

scalars! {
    String: "a text", |text| (!text.is_empty()).then(|| text.to_owned()), json!({ "type": "string", "minLength": 1 });
    Duration: "a time such as `90s`, `3m` or `1h`",
        |text| if text == "0" { Some(Self::ZERO) } else { humantime::parse_duration(text).ok() },
        json!({ "anyOf": [{ "type": "string", "examples": ["90s", "3m", "1h"] }, { "const": 0 }] });
    Weight: "a percentage above 0 and at most 100", |text| Self::parse_percent(text).filter(|weight| !weight.is_zero()),
        json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 100 });
    Version: "the number of a published version", |text| text.parse().ok(), json!({ "type": ["integer", "string"], "minimum": 1 });
    u32: "a whole number, 1 or more", |text| text.parse().ok().filter(|number| *number > 0), json!({ "type": "integer", "minimum": 1 });
    u64: "a whole number, 0 or more", |text| text.parse().ok(), json!({ "type": "integer", "minimum": 0 });
    f64: "a number", |text| text.parse().ok().filter(|number: &f64| number.is_finite()), json!({ "type": "number" });
    bool: "`true` or `false`", |text| text.parse().ok(), json!({ "type": "boolean" });
}

impl Read for Schedule {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        parsed_or_explained(node, "a schedule such as `Canary10Percent5Minutes`", found)
    }

    fn schema() -> serde_json::Value {
        let open =
            "^(CodeDeployDefault\\.Lambda)?(Canary[0-9.]+Percent[0-9]+|Linear[0-9.]+PercentEvery[0-9]+)(Second|Minute|Hour)s?$";
        json!({ "anyOf": [{ "enum": rollout::schedule::NAMES }, { "type": "string", "pattern": open }] })
    }
}

impl Read for Mode {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        node.text().and_then(Self::named).or_else(|| no_word(node, Self::WORDS, found))
    }

    fn schema() -> serde_json::Value {
        json!({ "enum": Self::WORDS })
    }
}

impl Read for serde_json::Value {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        let value = node.json();
        let length = value.to_string().len();
        if length > LONGEST_EVENT {
            found.problem(&node.place, format!("expected an event of at most {LONGEST_EVENT} bytes, found {length}"));
        }
        Some(value).filter(|_| length <= LONGEST_EVENT)
    }

    fn schema() -> serde_json::Value {
        json!({})
    }
}

impl<T: Read> Read for Vec<At<T>> {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        let Some(nodes) = node.list() else {
            found.problem(&node.place, format!("expected a list, found {}", found_text(node)));
            return None;
        };
        if nodes.len() > MOST_IN_A_LIST {
            found.problem(&node.place, format!("expected at most {MOST_IN_A_LIST} values, found {}", nodes.len()));
            return None;
        }
        let read: Self = nodes.iter().filter_map(|node| read(node, found)).collect();
        (read.len() == nodes.len()).then_some(read)
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "array", "items": T::schema() })
    }
}

/// Names with their values, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named<T>(pub(crate) Vec<(At<String>, At<T>)>);

impl<T: Read> Read for Named<T> {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        let many = node.map().map_or(0, crate::tree::Map::len);
        if many > MOST_NAMED {
            found.problem(&node.place, format!("expected at most {MOST_NAMED} keys, found {many}"));
            return None;
        }
        let named = entries(node, found)?.filter_map(|(key, node)| Some((key.at(), T::named(&key.text, node, found)?)));
        Some(Self(named.collect()))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": ["object", "null"], "additionalProperties": T::schema() })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AliasName(pub(crate) String);

impl Read for AliasName {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        let text = scalar(node, "an alias name", found)?.to_owned();
        alias_at(At { value: text, place: node.place.clone() }, found).map(|alias| Self(alias.value))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "pattern": "^(?![0-9]+$)[a-zA-Z0-9_-]{1,128}$" })
    }
}

impl Read for Qualified {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        parsed_or_explained(node, "a function", found)
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "minLength": 1 })
    }
}

pub(crate) const LONGEST_TEXT: usize = 2048;
/// The longest test event, in bytes. Each function has one.
const LONGEST_EVENT: usize = 16 * 1024;
pub(crate) const MOST_IN_A_LIST: usize = 100;
pub(crate) const MOST_NAMED: usize = 1000;

/// The keys that say which alias of which function is meant.
const OF_ITS_NAME: [&str; 3] = ["name", "logicalId", "alias"];

const ELSEWHERE: [(&str, &str); 5] = [
    ("triggerConfigurations", "write `notify: [sns:TOPIC_ARN]`"),
    ("codeDeployRole", "canaryctl needs neither CodeDeploy nor a role: remove it"),
    ("schedule", "write the schedule under `type`, or under `steps` and `every`"),
    ("preHook", "did you mean `preTrafficHook`?"),
    ("postHook", "did you mean `postTrafficHook`?"),
];
