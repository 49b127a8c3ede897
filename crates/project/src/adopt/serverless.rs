//! The Serverless Framework: which plugin owns the aliases?

use serde_json::Value;

use super::cloudformation;
use super::edit::{Change, Scalar, edited};
use super::handover::{Answer, Handover, Lines, Tool};
use super::plan::Plan;
use crate::finding::shown;

/// What replaces the canary plugin and its forks, with the same `deploymentSettings`.
const PLUGIN: &str = "serverless-canaryctl";

/// The change of a `serverless.yml`; `None` where it is none.
pub(super) fn handover(name: &str, text: &str, root: &Value) -> Option<Handover> {
    let known = ["service", "provider", "functions"].into_iter().filter(|key| !root[key].is_null()).count();
    // A packaged state has more in its `service`.
    if known < 2 || root["service"]["provider"].is_object() {
        return None;
    }
    let mut notes = notes(root);
    let own = own(root);
    let mut aliases: Vec<String> =
        functions(root).filter(|(_, function)| !function["deploymentSettings"].is_null()).map(|(key, _)| shown(key)).collect();
    let mut answer = answer(text, root);
    // Functions may be in other files.
    let known = root["functions"].is_object() || root["functions"].is_null();
    let no_settings = aliases.is_empty() && known && root["custom"]["deploymentSettings"].is_null();
    if no_settings && matches!(answer, Answer::Unsafe(_)) && !own.aliases.is_empty() {
        (answer, notes) = (Answer::HandedOver, Vec::new());
    } else if no_settings && matches!(answer, Answer::Unsafe(_)) {
        answer = Answer::NoAlias;
        notes = vec![format!(
            "the plugin `{PLUGIN}` makes an alias for each function that has `deploymentSettings: {{type: Linear10PercentEvery1Minute, \
             alias: live}}`"
        )];
    }
    if !own.lines.is_empty() {
        let plugin = match answer {
            Answer::Unsafe(lines) => lines,
            Answer::Edited(_) => vec![lines("it takes the place of the canary plugin")],
            Answer::HandedOver | Answer::NoAlias | Answer::Program(_) => Vec::new(),
        };
        answer = Answer::Unsafe(plugin.into_iter().chain(own.lines).collect());
    }
    aliases.extend(own.aliases);
    notes.extend(own.notes);
    Some(Handover { tool: Tool::Serverless, file: name.to_owned(), aliases, answer, notes })
}

/// The aliases that people wrote under `resources`, and what has to be constant in those that a deploy moves.
fn own(root: &Value) -> Plan {
    let mut plan = Plan::default();
    let parts = root["resources"].as_array().map_or(std::slice::from_ref(&root["resources"]), Vec::as_slice);
    for part in parts {
        for id in cloudformation::aliases(part) {
            plan.aliases.push(shown(id));
            cloudformation::left(&mut part.clone(), id, &mut plan);
        }
    }
    for lines in &mut plan.lines {
        lines.place = format!("resources.{}", lines.place);
    }
    plan
}

fn answer(text: &str, root: &Value) -> Answer {
    let by_hand = |why: &str| Answer::Unsafe(vec![lines(why)]);
    let in_modules = root["plugins"].is_object();
    let (path, plugins) =
        if in_modules { (vec!["plugins", "modules"], &root["plugins"]["modules"]) } else { (vec!["plugins"], &root["plugins"]) };
    let Some(list) = plugins.as_array() else {
        return by_hand(if plugins.is_null() { "" } else { "the list of plugins is not in this file" });
    };
    let named = |test: &dyn Fn(&str) -> bool| -> Vec<usize> {
        list.iter().enumerate().filter(|(_, plugin)| plugin.as_str().is_some_and(test)).map(|(index, _)| index).collect()
    };
    let old = named(&|plugin| plugin.contains("canary-deployments"));
    let new = named(&|plugin| plugin.rsplit('/').next().is_some_and(|name| name.starts_with(PLUGIN)));
    let (first, further) = match (new.as_slice(), old.as_slice()) {
        ([], []) => return by_hand(""),
        ([_, ..], []) => return Answer::HandedOver,
        ([], [first, further @ ..]) => (Some(*first), further),
        ([_, ..], further) => (None, further),
    };
    let set = first.map(|index| Change::set(&path, &index.to_string(), Scalar::Word(PLUGIN), ""));
    // From the last one, so that the numbers of the others stay.
    let removed = further.iter().rev().map(|index| Change::remove(&path, &index.to_string()));
    let changes: Vec<Change> = set.into_iter().chain(removed).collect();
    edited(text, &changes).map_or_else(|| by_hand("the list of plugins cannot be changed safely"), Answer::Edited)
}

pub(super) fn lines(why: &str) -> Lines {
    let lines = vec![format!("- {PLUGIN}")];
    let why = if why.is_empty() { "it has no canary plugin to replace" } else { why };
    Lines { place: "plugins".to_owned(), lines, why: why.to_owned() }
}

/// What has to be done besides, and what the plugin refuses.
fn notes(root: &Value) -> Vec<String> {
    let mut notes = vec![
        format!("`{PLUGIN}` reads the same `deploymentSettings`; nothing else in the file changes"),
        format!(
            "install it before the next deploy: `npm install --save-dev {PLUGIN}`, and `npm uninstall serverless-plugin-canary-deployments`"
        ),
    ];
    for (key, function) in functions(root).filter(|(_, function)| !function["deploymentSettings"].is_null()) {
        let key = shown(key);
        for setting in ["provisionedConcurrency", "durableConfig"].into_iter().filter(|setting| !function[*setting].is_null()) {
            notes.push(format!("`{key}` has `{setting}`: the plugin refuses it, because no alias with it can have weights"));
        }
        if !function["url"].is_null() && function["url"] != false {
            notes.push(format!("`{key}` has a function URL: it moves to the alias, and gets another address in this deploy"));
        }
        let events = function["events"].as_array().into_iter().flatten();
        if events.filter_map(Value::as_object).any(|event| event.contains_key("cloudFront")) {
            notes.push(format!("`{key}` runs at the edge (`cloudFront`), where aliases are not possible: the plugin refuses it"));
        }
    }
    if root["plugins"].to_string().contains("prune") || !root["custom"]["prune"].is_null() {
        notes.push(
            "pruning looks at no alias' weights, and can delete the version that a rollback needs: keep several versions"
                .to_owned(),
        );
    }
    notes
}

fn functions(root: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let maps = root["functions"].as_array().map_or(std::slice::from_ref(&root["functions"]), Vec::as_slice);
    maps.iter().filter_map(Value::as_object).flatten().map(|(key, function)| (key.as_str(), function))
}
