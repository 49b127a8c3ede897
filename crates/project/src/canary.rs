//! What does `canary.yml` say? Merges its layers for one stage.

use std::collections::{BTreeMap, BTreeSet};

use rollout::signal::{PLACEHOLDERS, check_together};
use rollout::target::{DEFAULT_ALIAS, Qualified};
use rollout::{Schedule, Signal};
use serde_json::json;

use crate::finding::{Findings, Problems};
use crate::keys::{Named, Read, keys, parse_at, shown};
use crate::place::At;
use crate::settings::{Defaults, FunctionRef, FunctionSettings, Keys, Project, is_stage};
use crate::tree::{Map, Node, Value};
use crate::{File, Format, Lookup, signal, yaml};

keys! {
    struct Whole {
        /// The stage, unless `--stage` names another one.
        "stage" stage: String,
        /// The CloudFormation stack that contains the logical ids.
        "stack" stack: String,
        /// The Region.
        "region" region: String,
        /// Settings for all functions; a function's own settings go first.
        "defaults" defaults: Defaults,
        /// The functions. The key is a name of your choice; without `name`, it is the function's name in AWS.
        "functions" functions: Named<Keys>,
        /// Settings that differ in a stage.
        "stages" stages: Named<Stage>,
    }
}

keys! {
    struct Stage of in_stage {
        /// The CloudFormation stack that contains the logical ids.
        "stack" stack: String,
        /// The Region.
        "region" region: String,
        /// Settings for all functions; a function's own settings go first.
        "defaults" defaults: Defaults,
        /// Settings of single functions that differ in this stage.
        "functions" functions: Named<Keys>,
    }
}

/// The JSON Schema of `canary.yml`, for editors.
pub fn schema() -> serde_json::Value {
    let mut schema = Whole::schema();
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("title".to_owned(), json!("canary.yml"));
        object.insert("description".to_owned(), json!("The functions that canaryctl rolls out, and how."));
        object.insert("type".to_owned(), json!("object"));
        object.insert("required".to_owned(), json!(["functions"]));
    }
    schema
}

pub(crate) fn read(file: File<'_>, lookup: &Lookup) -> Result<Project, Problems> {
    let mut document = yaml::document(file.name, file.bytes)?;
    let mut found = Findings::default();
    yaml::refuse_duplicates(&document, &mut found);
    let tree = &mut document.root;
    let stage = stage(tree, lookup, &mut found);
    found.stage = stage.as_ref().map(|stage| stage.value.clone());
    let fills = fill_in(tree, Scope::File, stage.as_ref().map(|stage| stage.value.as_str()), &mut found);
    not_indented(tree, &mut found);
    let whole = Whole::read(tree, &mut found).unwrap_or_default();
    if whole.functions.is_none() {
        found.hinted(
            &tree.place,
            "there are no `functions`",
            "write for example `functions: {hello: {type: Canary10Percent5Minutes}}`",
        );
    }
    check_stages(&whole, stage.as_ref().filter(|_| lookup.stage.is_some()), fills, &mut found);
    found.unknown_parameters(lookup.parameters.keys(), "`canary.yml` has no parameters", None);
    let project = laid(file, stage, whole, lookup, &mut found);
    Ok(project.finish(found, document))
}

/// Refuses settings that were written next to the functions.
fn not_indented(tree: &mut Node, found: &mut Findings) {
    let Value::Map(map) = &mut tree.value else { return };
    let functions = map.values_mut().find(|(key, _)| *key == "functions").map(|(_, node)| &mut node.value);
    let Some(Value::Map(functions)) = functions else { return };
    for (key, node) in functions.values_mut().filter(|(key, node)| OF_A_FUNCTION.contains(key) && node.map().is_none()) {
        let message = format!("`{key}` is next to the functions, not in one");
        found.of("functions", |found| found.hinted(&node.place, message, "indent it"));
        node.value = Value::Map(Map::default());
    }
}

/// Settings that no function is called like.
const OF_A_FUNCTION: [&str; 6] = ["type", "alias", "alarms", "steps", "every", "bake"];

fn stage(tree: &Node, lookup: &Lookup, found: &mut Findings) -> Option<At<String>> {
    let here = tree.get("stage").and_then(Node::text_with_place);
    let asked = At::given(lookup.stage.as_ref(), "--stage");
    let stage = asked.or(here)?;
    if !is_stage(&stage.value) {
        let message =
            format!("`{}` is not a stage name: use letters, digits, `-`, `_` and `.`, at most 128", shown(&stage.value));
        found.of("stage", |found| found.problem(&stage.place, message));
        return None;
    }
    Some(stage)
}

/// What the keys of a map are.
#[derive(Clone, Copy)]
enum Scope {
    File,
    Functions,
    Stages,
    Settings,
    Value,
    /// A value in which the versions' own variables stay, to be filled in for each.
    Signals,
}

/// Puts the stage in the place of each `${stage}`, and says how many there are.
fn fill_in(node: &mut Node, scope: Scope, stage: Option<&str>, found: &mut Findings) -> usize {
    if let Some(tag) = &node.tag {
        found.problem(&node.place, format!("the tag `!{}` has no meaning here", shown(tag)));
    }
    match &mut node.value {
        Value::Scalar { text, .. } if unfilled(text, scope).contains("${") => {
            match (unfilled(text, scope).replace("${stage}", ""), stage) {
                (rest, _) if rest.contains("${") => {
                    let message = format!("`{}`: `${{stage}}` is the only variable here", shown(text));
                    found.hinted(&node.place, message, "write other differences between stages under `stages`");
                    1
                }
                (_, Some(stage)) => {
                    *text = text.replace("${stage}", stage);
                    1
                }
                (_, None) => {
                    let hint = "set it with `--stage`, or with `stage: dev` in the file";
                    found.hinted(&node.place, "`${stage}` has no value", hint);
                    1
                }
            }
        }
        Value::Scalar { .. } => 0,
        Value::List(nodes) => {
            let scope = if matches!(scope, Scope::Signals) { scope } else { Scope::Value };
            nodes.iter_mut().map(|node| fill_in(node, scope, stage, found)).sum()
        }
        Value::Map(map) => {
            // The text of an event is not canaryctl's.
            let values = map.values_mut().filter(|(key, _)| *key != "probeEvent");
            values
                .map(|(key, node)| match (scope, key) {
                    (Scope::File, "functions") => fill_in(node, Scope::Functions, stage, found),
                    (Scope::File, "stages") => fill_in(node, Scope::Stages, stage, found),
                    (Scope::File, "defaults") => fill_in(node, Scope::Settings, stage, found),
                    (Scope::Functions, key) => found.in_function(key, |found| fill_in(node, Scope::Settings, stage, found)),
                    (Scope::Stages, key) => found.in_stage(key, |found| fill_in(node, Scope::File, stage, found)),
                    (Scope::Settings, "signals") => found.of(key, |found| fill_in(node, Scope::Signals, stage, found)),
                    (Scope::Signals, key) => found.of(key, |found| fill_in(node, Scope::Signals, stage, found)),
                    (Scope::File | Scope::Settings | Scope::Value, key) => {
                        found.of(key, |found| fill_in(node, Scope::Value, stage, found))
                    }
                })
                .sum()
        }
    }
}

/// A text without the variables that are filled in later.
fn unfilled(text: &str, scope: Scope) -> String {
    let later: &[&str] = if matches!(scope, Scope::Signals) { &PLACEHOLDERS } else { &[] };
    later.iter().fold(text.to_owned(), |text, placeholder| text.replace(placeholder, ""))
}

/// Refuses a stage that the file does not have, and functions of stages that are not declared.
fn check_stages(whole: &Whole, stage: Option<&At<String>>, fills: usize, found: &mut Findings) {
    let functions = whole.functions.iter().flat_map(|functions| &functions.value.0);
    let declared: BTreeSet<&str> = functions.clone().map(|(name, _)| name.value.as_str()).collect();
    let stages = whole.stages.iter().flat_map(|stages| &stages.value.0);
    let defaults = whole.defaults.iter().map(|defaults| &defaults.value.0);
    let listing = functions.map(|(_, keys)| &keys.value).chain(defaults).filter_map(|keys| keys.stages.as_ref());
    let mut known: Vec<&str> = listing.flat_map(|list| &list.value).map(|stage| stage.value.as_str()).collect();
    known.extend(stages.clone().map(|(name, _)| name.value.as_str()));
    known.extend(whole.stage.as_ref().filter(|_| !known.is_empty()).map(|stage| stage.value.as_str()));
    if let Some(stage) = stage.filter(|stage| !known.is_empty() && !known.contains(&stage.value.as_str())) {
        known.sort_unstable();
        known.dedup();
        let listed = known.iter().take(20).map(|name| format!("`{}`", shown(name))).collect::<Vec<_>>().join(", ");
        let hint = found.did_you_mean(&stage.value, known.iter().copied()).unwrap_or(format!("the stages are {listed}"));
        let message = format!("the file has no stage `{}`", stage.value);
        found.of("--stage", |found| found.hinted(&stage.place, message, hint));
    } else if let Some(stage) = stage.filter(|_| known.is_empty() && fills == 0) {
        let message = format!("the file has no stages, so `{}` selects nothing", stage.value);
        let hint = "write what differs under `stages`, or use `${stage}` in a name; or omit `--stage`";
        found.of("--stage", |found| found.hinted(&stage.place, message, hint));
    }
    for (key, stage) in stages {
        let own = stage.value.functions.iter().flat_map(|functions| &functions.value.0);
        for (name, _) in own.clone().filter(|(name, _)| !declared.contains(name.value.as_str())) {
            let message = format!("there is no function `{}` under `functions`", shown(&name.value));
            found.in_stage(&key.value, |found| found.misspelt(&name.place, message, &name.value, declared.iter().copied()));
        }
        let defaults = stage.value.defaults.iter().map(|defaults| &defaults.value.0);
        for list in own.map(|(_, keys)| &keys.value).chain(defaults).filter_map(|keys| keys.stages.as_ref()) {
            found.in_stage(&key.value, |found| found.problem(&list.place, "`stages` is not allowed inside a stage"));
        }
    }
}

fn laid(file: File<'_>, stage: Option<At<String>>, whole: Whole, lookup: &Lookup, found: &mut Findings) -> Project {
    let named = stage.as_ref().map(|stage| stage.value.as_str());
    let stages = whole.stages.map(|stages| stages.value.0).unwrap_or_default();
    let nearer = stages.into_iter().find(|(name, _)| Some(name.value.as_str()) == named);
    let nearer = nearer.map(|(_, stage)| stage.value).unwrap_or_default();
    let asked = At::given(lookup.region.as_ref(), "--region");
    let stack = At::given(lookup.stack.as_ref(), "--stack").or(nearer.stack).or(whole.stack);
    let far = whole.defaults.map(|defaults| defaults.value.0).unwrap_or_default();
    let near = nearer.defaults.map(|defaults| defaults.value.0).unwrap_or_default();
    check_layer(&far, found);
    check_layer(&near, found);
    let defaults = over(near, far);
    let own = nearer.functions.map(|functions| functions.value.0).unwrap_or_default();
    let mut own: BTreeMap<String, Keys> = own.into_iter().map(|(name, keys)| (name.value, keys.value)).collect();
    let mut functions = Vec::new();
    for (key, keys) in whole.functions.map(|functions| functions.value.0).unwrap_or_default() {
        let nearest = own.remove(&key.value).unwrap_or_default();
        found.in_function(&key.value, |found| {
            check_layer(&keys.value, found);
            check_layer(&nearest, found);
        });
        let keys = over(nearest, over(keys.value, defaults.clone()));
        let counts = keys.stages.as_ref().is_none_or(|list| list.value.iter().any(|stage| Some(stage.value.as_str()) == named));
        if counts {
            functions.push(found.in_function(&key.value.clone(), |found| settings(key, keys, stack.as_ref(), found)));
        } else {
            let stage = named.map_or("without a stage".to_owned(), |stage| format!("in stage `{stage}`"));
            let message = format!("`{}` is not rolled out {stage}", shown(&key.value));
            found.skip(&key.value, &format!("it is not rolled out {stage}"));
            found.in_function(&key.value, |found| found.note(crate::NoteKind::Chosen, &key.place, message, None));
        }
    }
    let region = asked.or(nearer.region).or(whole.region);
    Project { stage, stack, region, functions, ..Project::empty(Format::Canary, file.name) }
}

/// Lays one layer over another. Of two keys for the same setting, only the nearer one counts.
fn over(nearer: Keys, mut farther: Keys) -> Keys {
    if nearer.schedule.is_some() {
        farther.steps = None;
        farther.every = None;
    }
    if nearer.steps.is_some() {
        farther.schedule = None;
    }
    if nearer.name.is_some() {
        farther.logical_id = None;
    }
    if nearer.logical_id.is_some() {
        farther.name = None;
    }
    nearer.over(farther)
}

/// Refuses two keys for the same setting in one layer.
fn check_layer(keys: &Keys, found: &mut Findings) {
    if let (Some(_), Some(steps)) = (&keys.schedule, &keys.steps) {
        found.of("type", |found| found.hinted(&steps.place, "both `type` and `steps` are given", "remove one of them"));
    }
    if let (Some(_), Some(id)) = (&keys.name, &keys.logical_id) {
        found.of("name", |found| found.hinted(&id.place, "both `name` and `logicalId` are given", "remove one of them"));
    }
}

fn settings(key: At<String>, keys: Keys, stack: Option<&At<String>>, found: &mut Findings) -> FunctionSettings {
    let schedule = found.of("type", |found| schedule(&keys, found));
    let function = match (keys.name, keys.logical_id) {
        (_, Some(id)) => id.map(FunctionRef::LogicalId),
        (Some(name), None) => function(&name, &key.value, found),
        // A name that cannot be read is not the key.
        (None, None) if found.lacks("name") || found.lacks("logicalId") => key.clone().map(FunctionRef::LogicalId),
        (None, None) => function(&key, &key.value, found),
    };
    let fallback = || Some(At { value: DEFAULT_ALIAS.to_owned(), place: key.place.clone() }).filter(|_| !found.lacks("alias"));
    let settings = FunctionSettings {
        // One that is misspelt goes before the default too.
        alias: keys.alias.map(|alias| alias.map(|alias| alias.0)).filter(|_| !found.lacks_own("alias")).or_else(fallback),
        schedule,
        alarms: keys.alarms.map(|alarms| alarms.value).unwrap_or_default(),
        signals: found.of("signals", |found| signals(keys.signals, found)),
        pre_hook: keys.pre_hook,
        post_hook: keys.post_hook,
        step_hook: keys.step_hook,
        checks: keys.checks.map(|checks| checks.value).unwrap_or_default(),
        keep_previous: keys.keep_previous.map(|alias| alias.map(|alias| alias.0)),
        gates: keys.gates.map(|gates| gates.value).unwrap_or_default(),
        notify: keys.notify.map(|notify| notify.value).unwrap_or_default(),
        options: keys.options,
        analysis: keys.analysis.map(|analysis| analysis.value.0).unwrap_or_default(),
        version: keys.version,
        current_version: keys.current_version,
        ..FunctionSettings::new(key, function)
    };
    if stack.is_none() {
        let message = |_: &str| "a `logicalId` needs a `stack`".to_owned();
        settings.check_stack(
            message,
            "name the CloudFormation stack with `stack: …` at the top of the file, or with `--stack`",
            found,
        );
    }
    settings
}

/// The signals, where they go together.
fn signals(signals: Option<At<Vec<At<Signal>>>>, found: &mut Findings) -> Vec<At<Signal>> {
    let Some(At { value: signals, place }) = signals else { return Vec::new() };
    if let Err(error) = check_together(signals.iter().map(|at| &at.value)) {
        signal::report(&error, &place, found);
    }
    signals
}

fn schedule(keys: &Keys, found: &mut Findings) -> Option<At<Schedule>> {
    match (&keys.steps, &keys.every) {
        (Some(steps), Some(every)) => {
            let weights: Vec<_> = steps.value.iter().map(|step| step.value).collect();
            let schedule = Schedule::steps(&weights, every.value);
            let schedule = schedule.map_err(|error| found.problem(&steps.place, error.to_string()));
            schedule.ok().map(|value| At { value, place: steps.place.clone() })
        }
        (Some(steps), None) => {
            found.hinted(&steps.place, "`steps` need `every`", "add the time between two steps, such as `every: 5m`");
            None
        }
        // Steps that could not be read are reported already.
        (None, Some(every)) if !found.lacks("steps") => {
            found.hinted(&every.place, "`every` needs `steps`", "with `type`, the time is part of the name");
            None
        }
        (None, _) => keys.schedule.clone(),
    }
}

/// A function's name in AWS, without a qualifier; where it cannot be used, its id in a stack.
pub(crate) fn function(name: &At<String>, id: &str, found: &mut Findings) -> At<FunctionRef> {
    let parsed = found.of("name", |found| {
        let function = parse_at::<Qualified>(name, found)?;
        if function.value.qualifier.is_some() {
            let message = format!("`{}` is more than a function name", shown(&name.value));
            found.hinted(&name.place, message, "write the alias under `alias`");
        }
        Some(function.value).filter(|function| function.qualifier.is_none())
    });
    let value = parsed.map_or_else(|| FunctionRef::LogicalId(id.to_owned()), FunctionRef::Named);
    At { value, place: name.place.clone() }
}
