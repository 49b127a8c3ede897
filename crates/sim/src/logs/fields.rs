//! Which fields does a log event have? Those of every event, those of Lambda's own lines, and those of JSON in it.
//!
//! As documented under "Supported logs and discovered fields". Guesses: a line in Lambda's format JSON has its own members only, none of
//! the fields with an `@` that are read from text; `true` is 1 and `false` 0.

use std::cell::OnceCell;

use serde_json::{Deserializer, Map, Value as Json};

use super::group::Event;
use crate::calendar;
use crate::time::Time;

/// A value in a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(f64),
    Moment(Time),
}

impl Value {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Moment(at) => calendar::spaced(*at),
        }
    }

    /// As a number, if it is one or reads like one; a moment is in milliseconds since 1970.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            Self::Number(number) => Some(*number),
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of any date with four digits fit 53 bits")]
            Self::Moment(at) => Some(at.as_millis() as f64),
        }
    }
}

/// An event with what a query finds in it.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) event: Event<'a>,
    /// `account:group`.
    pub(super) log: &'a str,
    /// When it could be found.
    pub(super) ingested: Time,
    /// Its place among all events of the query.
    pub(super) number: usize,
    json: OnceCell<Option<Map<String, Json>>>,
}

impl<'a> Found<'a> {
    pub(super) fn new(event: Event<'a>, log: &'a str, ingested: Time, number: usize) -> Self {
        Self { event, log, ingested, number, json: OnceCell::new() }
    }

    pub(super) fn field(&self, name: &str) -> Option<Value> {
        let message = self.event.message.as_str();
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        match name {
            "@timestamp" => Some(Value::Moment(self.event.at)),
            "@ingestionTime" => Some(Value::Moment(self.ingested)),
            "@message" => text(message),
            "@logStream" => text(self.event.stream),
            "@log" => text(self.log),
            "@type" => kind(message).and_then(text),
            "@requestId" => request_id(message).and_then(text),
            "@duration" => reported(message, "Duration: "),
            "@billedDuration" => reported(message, "Billed Duration: "),
            "@memorySize" => reported(message, "Memory Size: ").map(in_bytes),
            "@maxMemoryUsed" => reported(message, "Max Memory Used: ").map(in_bytes),
            _ => member(self.json()?, name),
        }
    }

    /// What identifies the event; opaque.
    pub(super) fn pointer(&self) -> String {
        format!("{:032x}{:08x}", self.event.at.as_millis(), self.number)
    }

    /// The first JSON object in it.
    fn json(&self) -> Option<&Map<String, Json>> {
        let read = || {
            let start = self.event.message.find('{')?;
            Deserializer::from_str(&self.event.message[start..]).into_iter().next()?.ok()
        };
        self.json.get_or_init(read).as_ref()
    }
}

/// The member `a.b` or the one called so; an element of a list by its place, from 0.
fn member(object: &Map<String, Json>, path: &str) -> Option<Value> {
    if let Some(value) = object.get(path).and_then(plain) {
        return Some(value);
    }
    let below = path.match_indices('.').find_map(|(dot, _)| Some((object.get(&path[..dot])?, &path[dot + 1..])));
    let (value, rest) = below?;
    within(value, rest)
}

fn within(value: &Json, path: &str) -> Option<Value> {
    match value {
        Json::Object(members) => member(members, path),
        Json::Array(items) => {
            let (place, rest) = path.split_once('.').map_or((path, None), |(place, rest)| (place, Some(rest)));
            let item = items.get(place.parse::<usize>().ok()?)?;
            rest.map_or_else(|| plain(item), |rest| within(item, rest))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
    }
}

fn plain(value: &Json) -> Option<Value> {
    match value {
        Json::String(text) => Some(Value::Text(text.clone())),
        Json::Number(number) => number.as_f64().map(Value::Number),
        Json::Bool(yes) => Some(Value::Number(f64::from(u8::from(*yes)))),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

fn kind(message: &str) -> Option<&'static str> {
    ["START", "END", "REPORT"]
        .into_iter()
        .find(|kind| message.strip_prefix(kind).is_some_and(|rest| rest.starts_with(" RequestId: ")))
}

/// After `RequestId: `, or between the first two tabs of a line of the runtime, or after the time of a timeout.
fn request_id(message: &str) -> Option<&str> {
    let is_id = |word: &&str| word.len() == 36 && word.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let named = message.split_once("RequestId: ").and_then(|(_, rest)| rest.split_whitespace().next());
    named.or_else(|| message.split_whitespace().nth(1)).filter(is_id)
}

fn reported(message: &str, name: &str) -> Option<Value> {
    if kind(message) != Some("REPORT") {
        return None;
    }
    let column = message.split('\t').find_map(|column| column.strip_prefix(name))?;
    column.split_whitespace().next()?.parse().ok().map(Value::Number)
}

/// Memory is shown in bytes, and a megabyte has a million of them: as in AWS' own queries, which divide by 1000 twice.
fn in_bytes(megabytes: Value) -> Value {
    megabytes.number().map_or(megabytes, |number| Value::Number(number * 1_000_000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(message: &str, name: &str) -> Option<String> {
        let event = Event { at: Time::from_millis(1_795_442_580_007), stream: "s", message: message.to_owned() };
        Found::new(event, "1:g", Time::from_millis(0), 0).field(name).map(|value| value.text())
    }

    const ID: &str = "d5e0c870-5357-4fdb-91f1-72e8fb43d986";

    #[test]
    fn lambdas_lines_have_fields_of_their_own() {
        let report = format!(
            "REPORT RequestId: {ID}\tDuration: 5.25 ms\tBilled Duration: 6 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\t\n"
        );
        let fields = ["@type", "@requestId", "@duration", "@billedDuration", "@memorySize", "@maxMemoryUsed", "@timestamp"];
        let found = fields.map(|name| field(&report, name).unwrap());
        assert_eq!(found, ["REPORT", ID, "5.25", "6", "128000000", "64000000", "2026-11-23 14:03:00.007"]);
        assert_eq!(field(&format!("2026-11-23T14:03:00.007Z\t{ID}\tINFO\thi\n"), "@requestId").as_deref(), Some(ID));
        assert_eq!(field(&format!("2026-11-23T14:03:00.007Z {ID} Task timed out\n"), "@requestId").as_deref(), Some(ID));
        assert_eq!((field("hello you there", "@requestId"), field("hello", "@type")), (None, None));
    }

    #[test]
    fn json_is_found_anywhere_in_a_line_and_deep_in_itself() {
        let line = r#"10:00 INFO {"status":500,"a":{"b":"c","d.e":1.5},"l":[{"x":1},2],"ok":true,"n":null} {"status":1}"#;
        for (name, value) in [("status", "500"), ("a.b", "c"), ("a.d.e", "1.5"), ("l.0.x", "1"), ("l.1", "2"), ("ok", "1")] {
            assert_eq!(field(line, name).as_deref(), Some(value), "{name}");
        }
        for name in ["a", "n", "a.x", "l.2", "l.x", "status.x"] {
            assert_eq!(field(line, name), None, "{name}");
        }
    }
}
