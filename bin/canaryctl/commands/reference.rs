//! The reference of every command, option and configuration key, made from what defines them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use clap::{Arg, Command};
use serde_json::Value;

/// The page, in Markdown.
pub(crate) fn reference(mut command: Command) -> String {
    command.build();
    let commands: Vec<(String, &Command)> = named("canaryctl", &command);
    let shared = shared(&commands);
    let mut page = "# Reference\n\nEvery option of every command, and every key of `canary.yml`.\n".to_owned();
    let rollout: Vec<String> = described_of(&commands, "canaryctl rollout");
    for (name, command) in &commands {
        // Writing to a string does not fail.
        let _ = write!(page, "\n## {name}\n\n{}\n", about(command));
        let shown = command.get_arguments().filter(|arg| is_shown(arg));
        let (mut own, mut common): (Vec<&Arg>, Vec<&Arg>) = shown.partition(|arg| !shared.contains(&option(arg)));
        if common.len() <= FEW {
            own.append(&mut common);
        }
        let mut rows: Vec<String> = own.into_iter().map(described).collect();
        // `plan` and others take what `rollout` takes: its list is enough.
        let options = |rows: &[String]| rows.iter().filter(|row| row.starts_with("- `--") && rollout.contains(row)).count();
        let same = name != "canaryctl rollout" && options(&rows) > MANY;
        if same {
            rows.retain(|row| !rollout.contains(row));
        }
        if !rows.is_empty() {
            let _ = write!(page, "\n{}", rows.concat());
        }
        if same {
            page.push_str("\nTakes the options of `canaryctl rollout`.\n");
        } else if !common.is_empty() {
            page.push_str("\nAnd the options of every command that talks to AWS.\n");
        }
    }
    page.push_str("\n## Options of every command that talks to AWS\n\n");
    let mut left = shared.clone();
    for arg in commands.iter().flat_map(|(_, command)| command.get_arguments()) {
        if left.remove(&option(arg)) {
            page.push_str(&described(arg));
        }
    }
    page.push_str("\n## Keys of canary.yml\n\n");
    page.push_str(&keys());
    page
}

fn described_of(commands: &[(String, &Command)], name: &str) -> Vec<String> {
    let found = commands.iter().find(|(known, _)| known == name);
    found.into_iter().flat_map(|(_, command)| command.get_arguments()).filter(|arg| is_shown(arg)).map(described).collect()
}

/// The commands that do something, with their full names.
fn named<'c>(name: &str, command: &'c Command) -> Vec<(String, &'c Command)> {
    let below = command.get_subcommands().filter(|command| command.get_name() != "help");
    let all = below.flat_map(|command| {
        let name = format!("{name} {}", command.get_name());
        if command.has_subcommands() { named(&name, command) } else { vec![(name, command)] }
    });
    all.collect()
}

/// The options that nearly every command has.
fn shared(commands: &[(String, &Command)]) -> BTreeSet<String> {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for arg in commands.iter().flat_map(|(_, command)| command.get_arguments()).filter(|arg| is_shown(arg)) {
        *count.entry(option(arg)).or_default() += 1;
    }
    count
        .into_iter()
        .filter(|(name, count)| name.starts_with("--") && *count > commands.len() / 3)
        .map(|(name, _)| name)
        .collect()
}

fn is_shown(arg: &Arg) -> bool {
    !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str())
}

/// How it is typed: `--type <SCHEDULE>`, or `FUNCTION[:ALIAS]`.
fn option(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    match arg.get_long() {
        Some(long) if arg.is_require_equals_set() => format!("--{long}[=<{names}>]"),
        Some(long) if arg.get_action().takes_values() => format!("--{long} <{names}>"),
        Some(long) => format!("--{long}"),
        None => names,
    }
}

fn described(arg: &Arg) -> String {
    let help = arg.get_help().map(|help| help.to_string().replace('\n', " ")).unwrap_or_default();
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    let values = if values.is_empty() || !arg.get_action().takes_values() {
        String::new()
    } else {
        format!("; one of {}", values.join(", "))
    };
    let defaults: Vec<String> = arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    let is_told = arg.get_action().takes_values()
        && arg.get_default_values().iter().any(|value| !value.is_empty())
        && !help.contains("[default");
    let default = if is_told { format!(" [default: {}]", defaults.join(", ")) } else { String::new() };
    format!("- `{}`: {help}{values}{default}\n", option(arg))
}

fn about(command: &Command) -> String {
    command.get_about().map(|about| format!("{about}.")).unwrap_or_default()
}

/// The keys, each with what it means, as a tree; those of `defaults` are those of a function.
fn keys() -> String {
    let schema = project::schema();
    let mut text = String::new();
    below(&schema, 0, &mut text);
    text
}

fn below(schema: &Value, depth: usize, text: &mut String) {
    let Some(properties) = found(schema) else { return };
    for (name, key) in properties {
        let about = key["description"].as_str().unwrap_or_default();
        let values = key["enum"].as_array().map(|values| {
            values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
        });
        let values = values.map(|values| format!(" One of {values}.")).unwrap_or_default();
        let _ = writeln!(text, "{}- `{name}`: {about}{values}", "  ".repeat(depth));
        if depth > 0 || !["defaults", "stages"].contains(&name.as_str()) {
            below(key, depth + 1, text);
        }
    }
}

/// The properties of an object, of what a list holds, of what stands under any name, or of one of several forms.
fn found(schema: &Value) -> Option<&serde_json::Map<String, Value>> {
    let own = schema["properties"].as_object();
    let forms = ["anyOf", "oneOf"].into_iter().filter_map(|word| schema[word].as_array()).flatten();
    let mut inside =
        [&schema["items"], &schema["additionalProperties"]].into_iter().chain(forms).filter(|inside| inside.is_object());
    own.or_else(|| inside.find_map(found))
}

/// Options that a command shares with others without talking to AWS.
const FEW: usize = 3;

/// More options than anybody reads twice.
const MANY: usize = 10;
