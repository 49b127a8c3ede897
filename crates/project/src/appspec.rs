//! What does an `AppSpec` file roll out? `CodeDeploy`'s own format, for Lambda; it has no schedule and no alarms.

use rollout::target::Qualified;
use rollout::{Subject, Version};

use crate::finding::{Findings, NoteKind, Problems};
use crate::keys::{MOST_IN_A_LIST, found_text, read as read_value, shown};
use crate::place::At;
use crate::settings::{FunctionSettings, Hook, Project};
use crate::tree::{Key, Map, Node};
use crate::{File, Format, Lookup, canary, yaml};

pub(crate) fn read(file: File<'_>, lookup: &Lookup) -> Result<Project, Problems> {
    let tree = yaml::parse(file.name, file.bytes)?;
    let mut found = Findings::default();
    let mut functions = Vec::new();
    let hooks = hooks(&tree, &mut found);
    let resources = get(&tree, "Resources").and_then(Node::list);
    match resources {
        None => found.hinted(&tree.place, "expected a list of `Resources`", HINT),
        Some(many) if many.len() > MOST_IN_A_LIST => found.problem(&tree.place, format!("more than {MOST_IN_A_LIST} resources")),
        Some(resources) => {
            for node in resources.iter().filter(|node| node.map().is_none()) {
                found.problem(&node.place, format!("expected a map from a name to a resource, found {}", found_text(node)));
            }
            let single = resources.iter().filter_map(Node::map).flat_map(Map::iter).take(MOST_IN_A_LIST);
            functions.extend(single.filter_map(|(key, node)| function(key, node, &hooks, &mut found)));
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
        found.note(NoteKind::Ignored, &crate::Place::whole(file.name), message, Some(hint));
    }
    let stage = At::given(lookup.stage.as_ref(), "--stage");
    let region = At::given(lookup.region.as_ref(), "--region");
    Project { stage, region, functions, ..Project::empty(Format::AppSpec, file.name) }.finish(found)
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
            *hook = read_value::<Qualified>(node, found).map(|function| function.map(Hook::Function));
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
    let properties = get(node, "Properties").unwrap_or(node);
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
        found.problem(&key.place, format!("`{}` has no {}", shown(&key.text), missing.join(" and no ")));
    }
    let name = read_value::<String>(name?, found)?;
    let alias = alias.and_then(|node| read_value::<String>(node, found))?;
    if let Err(error) = Subject::parse("function", Some(&alias.value)) {
        found.problem(&alias.place, error.to_string());
    }
    let version = |key: &str, found: &mut Findings| {
        let node = get(properties, key).filter(|node| !node.is_null())?;
        read_value::<Version>(node, found)
    };
    Some(FunctionSettings {
        alias: Some(alias),
        pre_hook: hooks.0.clone(),
        post_hook: hooks.1.clone(),
        version: version("TargetVersion", found),
        current_version: version("CurrentVersion", found),
        ..FunctionSettings::new(key.at(), canary::function(&name, found)?)
    })
}

/// A key's value, however its letters are written: the documentation writes them in both ways.
fn get<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let map = node.map()?;
    map.get(key).or_else(|| map.iter().find(|(found, _)| found.text.eq_ignore_ascii_case(key)).map(|(_, node)| node))
}

const PROPERTIES: [&str; 4] = ["Name", "Alias", "CurrentVersion", "TargetVersion"];
const HINT: &str = "`Resources: [{hello: {Type: AWS::Lambda::Function, Properties: {Name: hello, Alias: live}}}]`";
