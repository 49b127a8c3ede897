//! What does a SAM template roll out? Functions with `AutoPublishAlias` and a `DeploymentPreference`, their own or in `Globals`.
//!
//! Names that only the stack knows are left as logical ids. The stack's name and the Region come from `samconfig.toml`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rollout::target::Qualified;

use crate::alarm::Alarm;
use crate::finding::{Findings, NoteKind, Problems, Reading, Unresolved};
use crate::intrinsics::{self, Known, Template};
use crate::keys::{LONGEST_TEXT, MOST_IN_A_LIST, MOST_NAMED, alias_at, found_text, parse_at, shown};
use crate::place::{At, Place};
use crate::samconfig::{self, SamConfig};
use crate::settings::{FunctionRef, FunctionSettings, Hook, Project};
use crate::tree::{Key, Map, Node};
use crate::{File, Format, Lookup, yaml};

/// Reads a template, with the `samconfig.toml` beside it, where there is one.
pub(crate) fn read(file: File<'_>, beside: Option<File<'_>>, lookup: &Lookup) -> Result<Project, Problems> {
    let document = yaml::document(file.name, file.bytes)?;
    let tree = &document.root;
    let mut found = Findings::default();
    let config = beside.map_or(Ok(SamConfig::default()), |beside| samconfig::read(beside, lookup, &mut found));
    let config = config.unwrap_or_else(|problems| {
        // Its parameters may be part of any name.
        found.of("name", |found| problems.iter().for_each(|problem| found.problem(&problem.place, problem.message.clone())));
        SamConfig::default()
    });
    let stack = At::given(lookup.stack.as_ref(), "--stack").or(config.stack);
    let region = At::given(lookup.region.as_ref(), "--region").or(config.region);
    let mut given = config.parameters;
    given.extend(lookup.parameters.iter().filter_map(|(name, value)| Some((name.clone(), At::given(Some(value), "--param")?))));
    let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
    // Where no file names a Region, the environment does.
    let around = || REGIONS.iter().find_map(|name| lookup.environment.get(*name)).filter(|region| !region.is_empty()).cloned();
    let template = Template::new(tree, given, text(&stack), text(&region).or_else(around));
    let mut reader = Reader { template, found, unnamed: BTreeMap::new(), warned: false };
    reader.typed_names(file.name, beside, lookup);
    reader.twice(tree, &document.twice);
    let functions = reader.all(tree);
    if stack.is_none() {
        let listed = config.stacks.iter().map(|name| format!("`--stage {}`", shown(name))).collect::<Vec<_>>().join(", ");
        let hint = match (beside, config.stacks.as_slice()) {
            (Some(beside), [_, ..]) => format!("{} names a stack for {listed}; or name it with `--stack`", beside.name),
            _ => "name the stack with `stack_name` in `samconfig.toml`, or with `--stack`".to_owned(),
        };
        for settings in &functions {
            let key = &settings.key.value;
            let unnamed = reader.unnamed.get(key);
            let message = |id: &str| match unnamed {
                Some(missing) => format!("{}: the function's name", missing.message),
                None => format!("`{}` is a logical id, and no stack is given", shown(id)),
            };
            let hint = unnamed.map_or_else(
                || hint.clone(),
                |missing| {
                    let or = if missing.hint.ends_with('?') { "  Or " } else { "; or " };
                    format!("{}{or}{hint}", missing.hint)
                },
            );
            reader.found.in_function(key, |found| settings.check_stack(message, &hint, found));
        }
    }
    let stage = At::given(lookup.stage.as_ref(), "--stage");
    let found = reader.found;
    Ok(Project { stage, stack, region, functions, ..Project::empty(Format::Sam, file.name) }.finish(found, document))
}

/// The `AutoPublishCodeSha256` that never changes: with it a deploy publishes no version, and leaves the alias to canaryctl.
pub(crate) const HANDED_OVER: &str = "canaryctl0";

pub(crate) struct Reader<'a> {
    pub(crate) template: Template<'a>,
    pub(crate) found: Findings,
    /// The functions whose names cannot be told, and why.
    unnamed: BTreeMap<String, Unresolved>,
    warned: bool,
}

impl Reading for Reader<'_> {
    fn found(&mut self) -> &mut Findings {
        &mut self.found
    }
}

/// The preference of a function: its own keys and those of `Globals`.
#[derive(Clone, Copy)]
struct Preference<'a> {
    own: Option<&'a Map>,
    global: Option<&'a Map>,
}

impl<'a> Preference<'a> {
    fn get(&self, key: &str) -> Option<&'a Node> {
        self.own.and_then(|own| own.get(key)).or_else(|| self.global?.get(key))
    }
}

/// Of a function's own value and the one of `Globals`, those that count: SAM lays two plain lists or maps together; an intrinsic function
/// in one of them is a whole value, and the function's own goes first.
fn layers<'a>(own: Option<&'a Node>, global: Option<&'a Node>) -> [Option<&'a Node>; 2] {
    let whole = |node: Option<&Node>| node.is_some_and(|node| intrinsics::function(node).is_some());
    let replaced = own.is_some() && (whole(own) || whole(global));
    [own, global.filter(|_| !replaced)]
}

impl<'a> Reader<'a> {
    /// Refuses what was typed and names nothing in the template.
    fn typed_names(&mut self, name: &str, beside: Option<File<'_>>, lookup: &Lookup) {
        let parameters: Vec<&str> = self.template.section("Parameters").into_iter().flat_map(Map::keys).collect();
        let why = format!("{name} has no such parameter");
        self.found.unknown_parameters(lookup.parameters.keys(), &why, Some(&parameters));
        if let (Some(stage), None) = (&lookup.stage, beside) {
            let like = |parameter: &&&str| STAGES.iter().any(|stage| parameter.to_lowercase().contains(stage));
            let hint = match parameters.iter().find(like) {
                Some(parameter) => format!("the template has a parameter for it: `--param {parameter}={}`", shown(stage)),
                None => "omit it, or add the environment to a `samconfig.toml`".to_owned(),
            };
            let message = format!("there is no environment `{}`: there is no `samconfig.toml` next to {name}", shown(stage));
            self.found.of("--stage", |found| found.hinted(&Place::whole("--stage"), message, hint));
        }
    }

    /// Keys that are there twice: SAM takes the last one. Of a rollout's own keys it is not clear which one is meant.
    fn twice(&mut self, tree: &Node, twice: &[(Key, u32)]) {
        for duplicate in twice.iter().take(MOST_NAMED) {
            let (key, above) = (&duplicate.0, tree.keys_above(&duplicate.0.place));
            let message = yaml::duplicate(duplicate).message;
            let resource = above.get(1).filter(|_| above.first().is_some_and(|key| key.text == "Resources"));
            let is_resource = resource.is_some_and(|resource| resource.place == key.place);
            self.found.function = resource.map(|resource| resource.text.clone());
            if is_resource || OF_A_ROLLOUT.contains(&key.text.as_str()) {
                self.found.hinted(&key.place, message, "remove one of them: SAM takes the last one");
            } else {
                self.found.note(NoteKind::Warning, &key.place, message, Some("SAM takes the last one"));
            }
            self.found.function = None;
        }
    }

    fn all(&mut self, tree: &'a Node) -> Vec<FunctionSettings> {
        let globals = tree.get("Globals").and_then(|globals| globals.get("Function"));
        let Some(resources) = self.template.section("Resources") else {
            let message = "a piece of a SAM template: `Resources` is missing";
            self.found
                .of("functions", |found| found.hinted(&tree.place, message, "name the whole template with `--config FILE`"));
            return Vec::new();
        };
        if let Some((key, _)) = resources.entry("Type").filter(|(_, node)| node.text().is_some()) {
            let message = "`Type` is next to the resources, not in one: it and `Properties` belong to the resource above";
            self.found.of("functions", |found| found.hinted(&key.place, message, "indent them"));
        }
        let mut all = Vec::new();
        let mut functions = 0;
        for (key, node) in resources.iter() {
            match node.get("Type").and_then(Node::text) {
                Some("AWS::Serverless::Function") => {
                    functions += 1;
                    if functions <= MOST_NAMED {
                        self.found.function = Some(key.text.clone());
                        all.extend(self.function(key, node, globals));
                        self.found.function = None;
                    }
                }
                kind => self.not_rolled_out(key, node, kind.unwrap_or_default()),
            }
        }
        all
    }

    /// Says what is not rolled out, although it looks as if it were.
    fn not_rolled_out(&mut self, key: &Key, node: &Node, kind: &str) {
        let has = |name: &str| node.get("Properties").is_some_and(|properties| properties.get(name).is_some());
        let name = shown(&key.text);
        if key.text.starts_with("Fn::") {
            let message = format!("`{name}` is not expanded: the functions that it creates are not rolled out");
            let hint = "write its functions as resources, or name them in a `canary.yml`";
            self.found.note(NoteKind::Warning, &key.place, message, Some(hint));
        } else if kind == "AWS::Serverless::StateMachine" && (has("DeploymentPreference") || has("AutoPublishAlias")) {
            self.skip(key, "it is a state machine, and canaryctl only rolls out functions");
        } else if kind == "AWS::Lambda::Alias" {
            let policy = node.get("UpdatePolicy").is_some_and(|policy| policy.get("CodeDeployLambdaAliasUpdate").is_some());
            let which = if policy { "with `CodeDeployLambdaAliasUpdate`" } else { "of its own" };
            self.skip(key, &format!("it is an alias {which}, and only an `AWS::Serverless::Function` is read"));
        } else if ["AWS::Serverless::Application", "AWS::CloudFormation::Stack"].contains(&kind) {
            self.chosen(key, "is another stack: its functions are not rolled out");
        }
    }

    fn function(&mut self, key: &'a Key, node: &'a Node, globals: Option<&'a Node>) -> Option<FunctionSettings> {
        let properties = node.get("Properties");
        let without = node.get("IgnoreGlobals");
        let ignores = |key: &str| {
            let listed = without.and_then(Node::list).unwrap_or(without.map(std::slice::from_ref).unwrap_or_default());
            listed.iter().filter_map(Node::text).any(|name| name == "*" || name == key)
        };
        let own = |key: &str| properties.and_then(|properties| properties.get(key));
        let global = |key: &str| globals.and_then(|globals| globals.get(key)).filter(|_| !ignores(key));
        let preferences = layers(own("DeploymentPreference"), global("DeploymentPreference"));
        let alias = own("AutoPublishAlias").or_else(|| global("AutoPublishAlias"));
        if let (None, Some(_)) = (preferences.iter().flatten().next(), alias) {
            self.skip(key, "it has an alias but no `DeploymentPreference`");
        }
        if alias.is_none() && preferences.iter().flatten().next().is_none() {
            self.found.skip(&key.text, "it has no `DeploymentPreference` and no `AutoPublishAlias`");
        }
        // What cannot be told may be a rollout.
        let preference = match self.preference(preferences) {
            None if self.found.wrong() => Preference { own: None, global: None },
            preference => preference?,
        };
        if let Some(condition) = node.get("Condition").and_then(Node::text_with_place) {
            let there = self.template.condition(&condition.value, &condition.place);
            if !self.resolved(there).unwrap_or(true) {
                self.skip(key, "its condition is false");
                return None;
            }
        }
        // What keeps the stack from moving the alias leaves it to canaryctl (`adopt`): there, CodeDeploy alone is off.
        let handed_over = own("AutoPublishCodeSha256").and_then(Node::text) == Some(HANDED_OVER);
        let left_to_us = handed_over && preference.get("Type").is_some();
        if !self.enabled(preference).unwrap_or(true) && !left_to_us {
            self.skip(key, "its `DeploymentPreference` is disabled");
            return None;
        }
        let known = alias.and_then(|node| self.about("alias", |reader| reader.alias(node)));
        if let Some(alias) = alias {
            if !handed_over {
                self.warn(alias);
            }
        } else {
            let message = format!("`{}` has a `DeploymentPreference` but no `AutoPublishAlias`", shown(&key.text));
            self.found.of("alias", |found| found.hinted(&key.place, message, "add `AutoPublishAlias: live`"));
        }
        let key = key.at();
        let function = self.named(&key, own("FunctionName"));
        let mut settings = FunctionSettings { alias: known, ..FunctionSettings::new(key, function) };
        settings.schedule = match preference.get("Type") {
            None if self.found.wrong() => None,
            Some(node) => self.about("type", |reader| reader.schedule(node)),
            None => {
                let message =
                    format!("`{}` has no `Type` in its `DeploymentPreference`: SAM refuses it", shown(&settings.key.value));
                let hint = "add one, or set the schedule with `--type`";
                self.found.note(NoteKind::Warning, &settings.key.place, message, Some(hint));
                None
            }
        };
        settings.alarms = self.about("alarms", |reader| reader.alarms(preference));
        (settings.pre_hook, settings.post_hook) = self.hooks(preference);
        let [own, global] = layered(preference, "TriggerConfigurations");
        let triggers = [global, own].into_iter().flatten();
        settings.notify = self.about("notify", |reader| triggers.flat_map(|node| reader.triggers(node)).collect());
        self.ignored_keys(preference);
        Some(settings)
    }

    /// The preference, where there is one; a preference that cannot be resolved is a problem.
    fn preference(&mut self, nodes: [Option<&'a Node>; 2]) -> Option<Preference<'a>> {
        let [own, global] = nodes.map(|node| self.map(node?));
        (own.is_some() || global.is_some()).then_some(Preference { own, global })
    }

    fn enabled(&mut self, preference: Preference<'a>) -> Option<bool> {
        let Some(node) = preference.get("Enabled") else { return Some(true) };
        let text = self.template.text(node);
        let text = self.resolved(text)?;
        match text.value.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => {
                self.found.problem(&text.place, format!("expected `true` or `false`, found `{}`", shown(&text.value)));
                None
            }
        }
    }

    fn alias(&mut self, node: &'a Node) -> Option<At<String>> {
        let text = self.template.text(node);
        alias_at(self.resolved(text)?, &mut self.found)
    }

    /// The alarms of `Globals` and then the function's own: lists are put together.
    fn alarms(&mut self, preference: Preference<'a>) -> Vec<At<Alarm>> {
        let mut alarms = Vec::new();
        let [own, global] = layered(preference, "Alarms");
        for node in [global, own].into_iter().flatten() {
            let known = self.template.evaluate(node);
            let list = match self.resolved(known) {
                Some(Known::Value(Cow::Borrowed(node))) if node.list().is_some() => node.list().unwrap_or_default(),
                // A list of texts that is one parameter.
                Some(Known::Value(Cow::Owned(node))) if node.list().is_some() => {
                    let texts = node.list().unwrap_or_default().iter().filter_map(Node::text_with_place);
                    alarms.extend(texts.take(MOST_IN_A_LIST).map(|name| name.map(Alarm::Name)));
                    &[]
                }
                Some(Known::Nothing) | None => &[],
                Some(Known::Value(_) | Known::Resource(_)) => {
                    self.found.problem(&node.place, format!("expected a list of alarms, found {}", found_text(node)));
                    &[]
                }
            };
            if list.len() > MOST_IN_A_LIST {
                self.found.problem(&node.place, format!("expected at most {MOST_IN_A_LIST} alarms, found {}", list.len()));
                continue;
            }
            alarms.extend(list.iter().filter_map(|node| self.alarm(node)));
        }
        alarms
    }

    fn alarm(&mut self, node: &'a Node) -> Option<At<Alarm>> {
        let known = self.template.evaluate(node);
        match self.resolved(known)? {
            Known::Nothing => None,
            Known::Resource(id) => {
                let named = self.physical(&id.value, "AlarmName").map(Alarm::Name);
                Some(id.map(|id| named.unwrap_or(Alarm::LogicalId(id))))
            }
            Known::Value(value) => {
                let text = value.text().filter(|text| text.len() <= LONGEST_TEXT);
                let alarm = text.map(|text| At { value: Alarm::Name(text.to_owned()), place: value.place.clone() });
                if alarm.is_none() {
                    self.found.problem(&value.place, format!("expected an alarm, found {}", value.kind()));
                }
                alarm
            }
        }
    }

    fn hooks(&mut self, preference: Preference<'a>) -> (Option<At<Hook>>, Option<At<Hook>>) {
        let maps = layered(preference, "Hooks");
        let hooks: Vec<&'a Map> = maps.into_iter().flatten().filter_map(|node| self.map(node)).collect();
        let first = |key: &str| hooks.iter().find_map(|map| map.get(key)).filter(|node| !node.is_null());
        for (key, _) in hooks.iter().flat_map(|map| map.iter()).filter(|(key, _)| !HOOKS.contains(&key.text.as_str())) {
            self.found.misspelt(&key.place, format!("`{}` is not a hook", shown(&key.text)), &key.text, HOOKS);
        }
        let [before, after] = HOOKS.map(first);
        (
            before.and_then(|node| self.about("preTrafficHook", |reader| reader.hook(node))),
            after.and_then(|node| self.about("postTrafficHook", |reader| reader.hook(node))),
        )
    }

    fn map(&mut self, node: &'a Node) -> Option<&'a Map> {
        let known = self.template.evaluate(node);
        match self.resolved(known)? {
            Known::Value(Cow::Borrowed(node)) if node.map().is_some() => node.map(),
            Known::Nothing => None,
            Known::Value(_) | Known::Resource(_) => {
                self.found.problem(&node.place, format!("expected a map of keys, found {}", found_text(node)));
                None
            }
        }
    }

    fn hook(&mut self, node: &'a Node) -> Option<At<Hook>> {
        let known = self.template.evaluate(node);
        let text = match self.resolved(known)? {
            Known::Nothing => return None,
            Known::Resource(id) => match self.physical(&id.value, "FunctionName") {
                Some(name) => At { value: name, place: id.place },
                None => return Some(id.map(Hook::LogicalId)),
            },
            Known::Value(value) => At { value: value.text().unwrap_or_default().to_owned(), place: value.place.clone() },
        };
        parse_at::<Qualified>(&text, &mut self.found).map(|hook| hook.map(Hook::Function))
    }

    /// The name of a resource in the template, where it can be resolved.
    fn physical(&self, id: &str, key: &str) -> Option<String> {
        let name = self.template.section("Resources")?.get(id)?.get("Properties")?.get(key)?;
        let name = self.template.text(name).ok()?.value;
        Some(name).filter(|name| name.len() <= LONGEST_TEXT)
    }

    /// The function's name, where the template has one that can be resolved; else its logical id.
    fn named(&mut self, key: &At<String>, name: Option<&'a Node>) -> At<FunctionRef> {
        let by_id = |place: &Place| At { value: FunctionRef::LogicalId(key.value.clone()), place: place.clone() };
        let Some(name) = name else { return by_id(&key.place) };
        match self.template.evaluate(name) {
            Ok(Known::Nothing) => by_id(&key.place),
            Ok(Known::Value(value)) => {
                let name = At { value: value.text().unwrap_or_default().to_owned(), place: value.place.clone() };
                crate::canary::function(&name, &key.value, &mut self.found)
            }
            Ok(Known::Resource(_)) => by_id(&name.place),
            Err(missing) => {
                self.found.unresolved(&missing, "the function is looked up in its stack", None);
                let place = missing.place.clone();
                self.unnamed.insert(key.value.clone(), missing);
                by_id(&place)
            }
        }
    }

    fn ignored_keys(&mut self, preference: Preference<'a>) {
        for (key, _) in [preference.own, preference.global].into_iter().flatten().flat_map(Map::iter) {
            let (message, hint) = match key.text.as_str() {
                known if KEYS.contains(&known) => continue,
                "Role" => ("`Role`: canaryctl does not use CodeDeploy; it uses your credentials".to_owned(), None),
                "PassthroughCondition" => ("`PassthroughCondition` only affects the stack".to_owned(), None),
                strange => {
                    let hint = self.found.did_you_mean(strange, KEYS);
                    (format!("`{}` is not a key of a `DeploymentPreference`", shown(strange)), hint)
                }
            };
            self.found.note(NoteKind::Ignored, &key.place, message, hint.as_deref());
        }
    }

    /// Warns that the stack still moves the alias at each deploy.
    fn warn(&mut self, alias: &Node) {
        if std::mem::replace(&mut self.warned, true) {
            return;
        }
        let function = self.found.function.take();
        let message = "while the template has `AutoPublishAlias`, `sam deploy` publishes a version and moves the alias itself";
        let hint = "`canaryctl adopt` shows the two lines that leave the alias to canaryctl";
        self.found.note(NoteKind::Warning, &alias.place, message, Some(hint));
        self.found.function = function;
    }

    fn skip(&mut self, key: &Key, why: &str) {
        self.found.skip(&key.text, why);
        self.chosen(key, &format!("is not rolled out: {why}"));
    }

    fn chosen(&mut self, key: &Key, message: &str) {
        self.found.note(NoteKind::Chosen, &key.place, format!("`{}` {message}", shown(&key.text)), None);
    }
}

/// Those of the two layers of a key that count.
fn layered<'a>(preference: Preference<'a>, key: &str) -> [Option<&'a Node>; 2] {
    let [own, global] =
        [preference.own, preference.global].map(|map| map.and_then(|map| map.get(key)).filter(|node| !node.is_null()));
    layers(own, global)
}

const HOOKS: [&str; 2] = ["PreTraffic", "PostTraffic"];
const KEYS: [&str; 5] = ["Enabled", "Type", "Alarms", "Hooks", "TriggerConfigurations"];
/// The variables in which AWS' tools look for a Region.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// What parameters are called that select a stage.
const STAGES: [&str; 2] = ["stage", "env"];
/// Keys of which one value counts, and it matters which.
const OF_A_ROLLOUT: [&str; 16] = [
    "Alarms",
    "AutoPublishAlias",
    "Condition",
    "Conditions",
    "DeploymentPreference",
    "Enabled",
    "Function",
    "FunctionName",
    "Globals",
    "Hooks",
    "Parameters",
    "PostTraffic",
    "PreTraffic",
    "Properties",
    "Resources",
    "Type",
];
