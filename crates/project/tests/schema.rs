//! The schema that editors are given is the one that the types make, and it agrees with the reader about every fixture.

#![expect(clippy::unwrap_used, reason = "a schema that cannot be read has failed")]

use std::fs;
use std::path::Path;

use serde_json::Value;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/canary.schema.json");

#[test]
fn the_committed_schema_is_the_one_that_the_types_make() {
    let made = format!("{:#}\n", project::schema());
    if std::env::var_os("BLESS").is_some() {
        fs::write(FILE, &made).unwrap();
    }
    assert_eq!(fs::read_to_string(FILE).unwrap_or_default(), made, "BLESS=1 writes it anew");
}

/// Whether a value fits, by as much of JSON Schema as ours uses; patterns aside, which are for typing, not for judging.
fn fits(schema: &Value, value: &Value) -> bool {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec!["any"],
    };
    let kind = |name: &&str| match *name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        name => name == "any",
    };
    let number = |key: &str| Some((value.as_f64()?, schema[key].as_f64()?));
    let least = number("minimum").is_none_or(|(value, bound)| value >= bound)
        && number("exclusiveMinimum").is_none_or(|(value, bound)| value > bound)
        && number("maximum").is_none_or(|(value, bound)| value <= bound);
    let choice = schema["enum"].as_array().is_none_or(|words| words.contains(value))
        && schema.get("const").is_none_or(|constant| constant == value)
        && schema["anyOf"].as_array().is_none_or(|schemas| schemas.iter().any(|schema| fits(schema, value)));
    let items = value.as_array().is_none_or(|items| items.iter().all(|item| schema.get("items").is_none_or(|it| fits(it, item))));
    let keys = value.as_object().is_none_or(|object| {
        let required =
            schema["required"].as_array().is_none_or(|keys| keys.iter().all(|key| object.contains_key(key.as_str().unwrap())));
        required
            && object.iter().all(|(key, value)| match (schema["properties"].get(key), &schema["additionalProperties"]) {
                // A key left empty says nothing; editors are told of it all the same.
                (Some(_), _) if value.is_null() => true,
                (Some(schema), _) => fits(schema, value),
                (None, Value::Bool(open)) => *open,
                (None, Value::Null) => true,
                (None, schema) => fits(schema, value),
            })
    });
    types.iter().any(kind) && least && choice && items && keys
}

/// Plain files as JSON: those without anchors, tags and directives are read by the same rules.
fn fixtures() -> impl Iterator<Item = (String, Value, bool)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/canary");
    fs::read_dir(root).unwrap().filter_map(|entry| {
        let case = entry.unwrap().path();
        let bytes = fs::read(case.join("canary.yml")).or_else(|_| fs::read(case.join("canary.yaml"))).unwrap();
        let value = project::as_json("canary.yml", &bytes).ok()?;
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let used = !name.starts_with("error");
        Some((name, value, used))
    })
}

#[test]
fn what_can_be_used_fits_the_schema() {
    let schema = project::schema();
    let used: Vec<(String, bool)> =
        fixtures().filter(|(_, _, used)| *used).map(|(name, value, _)| (name, fits(&schema, &value))).collect();
    assert!(used.len() >= 12);
    let wrong: Vec<&String> = used.iter().filter(|(_, fits)| !fits).map(|(name, _)| name).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_schema_refuses_unknown_keys_and_wrong_words() {
    let schema = project::schema();
    for name in ["error_every_problem_at_once", "error_no_functions", "error_not_a_map", "error_empty"] {
        let (_, value, _) = fixtures().find(|(found, _, _)| found == name).unwrap();
        assert!(!fits(&schema, &value), "{name}");
    }
    for (value, right) in [
        (serde_json::json!({"functions": {"a": {"type": "AllAtOnce"}}}), true),
        (serde_json::json!({"functions": {"a": {"typ": "AllAtOnce"}}}), false),
        (serde_json::json!({"functions": {"a": {"analysis": "of"}}}), false),
        (serde_json::json!({"functions": {}, "defaults": {"name": "a"}}), false),
    ] {
        assert_eq!(fits(&schema, &value), right, "{value}");
    }
}

#[test]
fn the_file_that_a_project_begins_with_fits_the_schema() {
    let subjects = ["hello", "shop:Live"].map(|text| rollout::Subject::parse(text, None).unwrap());
    let value = project::as_json("canary.yml", project::starter(&subjects).as_bytes()).unwrap();
    assert!(fits(&project::schema(), &value), "{value}");
}
