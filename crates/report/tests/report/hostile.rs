//! No record makes a reporter panic, steer a terminal or command a CI system, whatever its fields say.
//!
//! Every field of every kind of event is replaced, one at a time, by values at the ends of its type and by texts that attack.

use std::collections::BTreeSet;

use report::{
    Ci, Json, LiveState, Plain, Reporter, Saved, System, explanation, explanation_json, frame, html, markdown, page, read, verify,
};
use rollout::event::Event;
use serde_json::{Value, json};

use crate::fixtures::{rendered, text};

/// The records: together they have every kind of event.
const RECORDS: [&str; 5] = ["recorded/analysis", "first_deployment", "failed_pre_hook", "held", "other_kinds"];

const ATTACK: &str = "a\u{1b}]0;pwned\u{7}\u{1b}[2J\r\n::error::pwned\n##[command]x ##vso[task]y\u{202e}\u{200b}";

/// What a number becomes.
fn numbers() -> Vec<Value> {
    vec![json!(0), json!(u64::MAX), json!(-1), json!(1e308)]
}

/// What a text becomes.
fn texts() -> Vec<Value> {
    ["9999-12-31T23:59:59.999Z", ATTACK, "18446744073709551615"]
        .map(Value::from)
        .into_iter()
        .chain([Value::from("x".repeat(70_000))])
        .collect()
}

/// The paths of all values in a line that are no objects, and of all arrays.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, inner)| leaves(inner, &format!("{path}/{name}"), found)),
        Value::Array(items) => {
            found.push(path.to_owned());
            items.iter().take(1).for_each(|inner| leaves(inner, &format!("{path}/0"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(path.to_owned()),
    }
}

/// The first line of each kind in the record, with one value replaced, for every value.
fn mutants(record: &str) -> Vec<String> {
    let mut kinds = BTreeSet::new();
    let mut lines: Vec<Value> = record.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    lines.retain(|line| kinds.insert(line["type"].to_string()));
    let mut made = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let mut paths = Vec::new();
        leaves(line, "", &mut paths);
        for path in paths {
            let known = line.pointer(&path).unwrap();
            let values = match known {
                Value::Number(_) => numbers(),
                Value::String(_) => texts(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    vec![Value::Null, json!([]), json!(0), json!(ATTACK)]
                }
            };
            for value in values {
                let mut changed = lines.clone();
                *changed[index].pointer_mut(&path).unwrap() = value;
                made.push(changed.iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect());
            }
        }
    }
    made
}

/// Everything that people read of these events, in a log of CI or on a terminal.
fn shown(saved: &Saved) -> String {
    let events: &[Event] = &saved.events;
    let mut state = LiveState::default();
    let mut frames = Vec::new();
    for event in events {
        state.add(event);
    }
    if let Some(last) = events.last() {
        for width in [0, 20, 120] {
            frames.extend(frame(&state, last.at, width, false));
        }
    }
    let logs = [
        rendered(events, |out| Box::new(Plain::new(out)) as Box<dyn Reporter>),
        rendered(events, |out| Box::new(Plain::of_a_group(out)) as Box<dyn Reporter>),
        page(&explanation(events)).to_string(),
        page(&saved.unfinished()).to_string(),
        frames.join("\n"),
    ];
    logs.join("\n")
}

fn assert_harmless(text: &str, of: &str) {
    let steers = |letter: char| letter != '\n' && (letter.is_control() || matches!(letter, '\u{202e}' | '\u{200b}'));
    let found = text.chars().find(|letter| steers(*letter));
    assert_eq!(found, None, "{of} lets it through in {}", &text[..text.len().min(4_000)]);
    for line in text.lines() {
        let command = line.trim_start().starts_with("::") || line.contains("##[") || line.contains("##vso[");
        assert!(!command, "{of}: {line:?}");
    }
}

/// A kind that is in none of the records would be written by reporters that nobody tried it on.
#[test]
fn the_records_have_every_kind_of_event() {
    let source = include_str!("../../../rollout/src/event.rs");
    let variants = source.split("pub enum EventKind {").nth(1).unwrap().split("\n}").next().unwrap();
    let named = |line: &'static str| line.strip_prefix("    #[serde(rename = \"")?.strip_suffix("\")]");
    let kinds: BTreeSet<String> = variants.lines().filter_map(named).map(str::to_owned).collect();
    let kind = |line: &str| serde_json::from_str::<Value>(line).unwrap()["type"].as_str().unwrap().to_owned();
    let records = RECORDS.map(|name| text(&format!("{name}.jsonl")));
    let tried = records.iter().flat_map(|record| record.lines()).map(kind).collect();
    assert_eq!(kinds.difference(&tried).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(kinds.len() > 25, "{kinds:?}");
}

#[test]
fn no_field_of_a_record_makes_anything_of_it_harmful() {
    let mut read_well = 0;
    for name in RECORDS {
        for record in mutants(&text(&format!("{name}.jsonl"))) {
            let Ok(saved) = read(&record) else { continue };
            read_well += 1;
            assert_harmless(&shown(&saved), name);
            let events = &saved.events;
            for (system, first) in [(System::GitHub, "::"), (System::GitLab, "\u{1b}[0Ksection")] {
                let log = rendered(events, |out| Box::new(Ci::new(out, system)) as Box<dyn Reporter>);
                let foreign: String = log.lines().filter(|line| !line.starts_with(first)).flat_map(|line| [line, "\n"]).collect();
                assert_harmless(&foreign, name);
                assert!(!log.contains("\n::error::pwned"), "{name}");
            }
            let json = rendered(events, |out| Box::new(Json::new(out)) as Box<dyn Reporter>) + &explanation_json(events);
            assert!(!rendered(events, |out| Box::new(Json::new(out)) as Box<dyn Reporter>).contains("##vso["), "{name}");
            json.lines().for_each(|line| drop(serde_json::from_str::<Value>(line).unwrap()));
            let _ = (markdown(events), html(events));
        }
    }
    assert!(read_well > 500, "only {read_well} of them could be read");
}

#[test]
fn no_field_of_a_record_makes_checking_it_panic() {
    let record = text("recorded/success.jsonl");
    for changed in mutants(&record) {
        if let Ok(verified) = verify(&changed) {
            assert!(verified.decisions > 0 || verified.fault.is_some());
        }
    }
}
