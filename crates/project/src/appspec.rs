//! What does an `AppSpec` file roll out? `CodeDeploy`'s own format, for Lambda; it has no schedule and no alarms.

use rollout::Version;
use rollout::target::Qualified;

use crate::finding::{Findings, NoteKind, Problems};
use crate::keys::{MOST_IN_A_LIST, alias_at, filled, found_text, read as read_value, shown};
use crate::place::{At, Place};
use crate::settings::{FunctionRef, FunctionSettings, Hook, Project};
use crate::tree::{Key, Map, Node};
use crate::{File, Format, Lookup, canary, yaml};

pub(crate) fn read(file: File<'_>, lookup: &Lookup) -> Result<Project, Problems> {
    let document = yaml::document(file.name, file.bytes)?;
    let tree = &document.root;
    let mut found = Findings::default();
    yaml::refuse_duplicates(&document, &mut found);
    let mut functions = Vec::new();
    let hooks = hooks(tree, &mut found);
    let resources = get(tree, "Resources").and_then(Node::list);
    let of_servers: Vec<String> =
        ["os", "files"].into_iter().filter(|key| get(tree, key).is_some()).map(|key| format!("`{key}`")).collect();
    match resources {
        None if !of_servers.is_empty() => {
            let message = format!("this AppSpec is for servers ({}): nothing in it is for Lambda", of_servers.join(", "));
            found.problem(&tree.place, message);
        }
        None => {
            let place = get(tree, "Resources").map_or(&tree.place, |node| &node.place);
            found.hinted(place, "expected a list of `Resources`", HINT);
        }
        Some(many) if many.len() > MOST_IN_A_LIST => found.problem(&tree.place, format!("more than {MOST_IN_A_LIST} resources")),
        Some(resources) => {
            for node in resources.iter().filter(|node| node.map().is_none()) {
                found.problem(&node.place, format!("expected a map from a name to a resource, found {}", found_text(node)));
            }
            let mut left = MOST_IN_A_LIST;
            for map in resources.iter().filter_map(Node::map) {
                if let Some(key) = not_indented(map) {
                    let message = format!("`Type` and `Properties` are next to `{}`, not in it", shown(&key.text));
                    found.hinted(&key.place, message, "indent them");
                    continue;
                }
                let single = map.iter().take(left);
                functions.extend(
                    single.filter_map(|(key, node)| found.in_function(&key.text, |found| function(key, node, &hooks, found))),
                );
                left = left.saturating_sub(map.len());
            }
        }
    }
    for (key, _) in tree.map().into_iter().flat_map(Map::iter) {
        if !["version", "resources", "hooks"].contains(&key.text.to_lowercase().as_str()) {
            found.note(NoteKind::Ignored, &key.place, format!("`{}` has no meaning for Lambda", shown(&key.text)), None);
        }
    }
    if !functions.is_empty() {
        let message = "the schedule and the alarms are in CodeDeploy's deployment group, not in this file";
        let hint = "set them with `--type` and `--alarm`, or in a `canary.yml`";
        found.note(NoteKind::Ignored, &Place::whole(file.name), message, Some(hint));
    }
    if let Some(stage) = &lookup.stage {
        let message = format!("an AppSpec has no stages, so `{}` selects nothing", shown(stage));
        found.of("--stage", |found| found.hinted(&Place::whole("--stage"), message, "omit `--stage`"));
    }
    found.unknown_parameters(lookup.parameters.keys(), "an AppSpec has no parameters", None);
    let region = At::given(lookup.region.as_ref(), "--region");
    Ok(Project { region, functions, ..Project::empty(Format::AppSpec, file.name) }.finish(found, document))
}

/// The resource whose keys were written next to its name.
fn not_indented(map: &Map) -> Option<&Key> {
    let known = |key: &&Key| ["type", "properties"].contains(&key.text.to_lowercase().as_str());
    map.iter().map(|(key, _)| key).find(known)?;
    map.iter().map(|(key, _)| key).find(|key| !known(key))
}

/// The hooks before and after traffic.
type Hooks = (Option<At<Hook>>, Option<At<Hook>>);

fn hooks(tree: &Node, found: &mut Findings) -> Hooks {
    let mut hooks = (None, None);
    let listed = get(tree, "Hooks");
    // A list of maps with one event each; a map of all is read too.
    let maps = listed.map(|node| node.list().unwrap_or(std::slice::from_ref(node))).unwrap_or_default();
    for (event, node) in maps.iter().take(MOST_IN_A_LIST).filter_map(Node::map).flat_map(Map::iter).take(MOST_IN_A_LIST) {
        let hook = match event.text.to_lowercase().as_str() {
            "beforeallowtraffic" => &mut hooks.0,
            "afterallowtraffic" => &mut hooks.1,
            _ => {
                let message = format!("`{}` is not an event of a Lambda deployment", shown(&event.text));
                found.misspelt(&event.place, message, &event.text, ["BeforeAllowTraffic", "AfterAllowTraffic"]);
                continue;
            }
        };
        if !node.is_null() {
            let setting = if event.text.to_lowercase().starts_with("before") { "preTrafficHook" } else { "postTrafficHook" };
            let read = found.of(setting, |found| read_value::<Qualified>(node, found));
            *hook = read.map(|function| function.map(Hook::Function));
        }
    }
    hooks
}

fn function(key: &Key, node: &Node, hooks: &Hooks, found: &mut Findings) -> Option<FunctionSettings> {
    let kind = get(node, "Type").and_then(Node::text);
    if kind != Some("AWS::Lambda::Function") {
        let message = format!("`{}` is not an `AWS::Lambda::Function`", shown(&key.text));
        found.hinted(get(node, "Type").map_or(&key.place, |kind| &kind.place), message, HINT);
        return None;
    }
    // Properties that are not indented are read too.
    let properties = get(node, "Properties").filter(|node| !node.is_null()).unwrap_or(node);
    for (key, _) in properties.map().into_iter().flat_map(Map::iter) {
        let known = PROPERTIES.iter().any(|known| known.eq_ignore_ascii_case(&key.text));
        if !known && properties.place != node.place {
            let hint = found.did_you_mean(&key.text, PROPERTIES);
            found.note(NoteKind::Ignored, &key.place, format!("`{}` is not a property of it", shown(&key.text)), hint.as_deref());
        }
    }
    let (name, alias) = (get(properties, "Name"), get(properties, "Alias"));
    let missing: Vec<&str> =
        [("`Name`", name), ("`Alias`", alias)].iter().filter_map(|(key, node)| node.is_none().then_some(*key)).collect();
    if !missing.is_empty() {
        let message = format!("`{}` has no {}", shown(&key.text), missing.join(" and no "));
        found.of(if name.is_none() { "name" } else { "alias" }, |found| found.problem(&key.place, message));
    }
    let name = name.and_then(|node| found.of("name", |found| given(node, "write the function's name", found)));
    let function = match name {
        Some(name) => canary::function(&name, &key.text, found),
        None => key.at().map(FunctionRef::LogicalId),
    };
    let alias = alias.and_then(|node| {
        found.of("alias", |found| alias_at(given(node, "write the alias' name, or use `--alias NAME`", found)?, found))
    });
    let mut version = |property: &str, setting: &str| {
        let node = get(properties, property).filter(|node| !node.is_null())?;
        found.of(setting, |found| {
            let hint = "leave `CurrentVersion` and `TargetVersion` out, or use `--version N`";
            given(node, hint, found).and_then(|text| filled(text, hint, found)).and_then(|_| read_value::<Version>(node, found))
        })
    };
    Some(FunctionSettings {
        alias,
        pre_hook: hooks.0.clone(),
        post_hook: hooks.1.clone(),
        version: version("TargetVersion", "version"),
        current_version: version("CurrentVersion", "currentVersion"),
        ..FunctionSettings::new(key.at(), function)
    })
}

/// A text in which something is.
fn given(node: &Node, hint: &str, found: &mut Findings) -> Option<At<String>> {
    if node.text() == Some("") {
        found.hinted(&node.place, "this is empty", hint);
        return None;
    }
    read_value::<String>(node, found)
}

/// A key's value, however its letters are written: the documentation writes them in both ways.
fn get<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let map = node.map()?;
    map.get(key).or_else(|| map.iter().find(|(found, _)| found.text.eq_ignore_ascii_case(key)).map(|(_, node)| node))
}

const PROPERTIES: [&str; 4] = ["Name", "Alias", "CurrentVersion", "TargetVersion"];
const HINT: &str = "`Resources: [{hello: {Type: AWS::Lambda::Function, Properties: {Name: hello, Alias: live}}}]`";
