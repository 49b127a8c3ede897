//! What does a project of the Serverless Framework's canary plugin roll out? Reads `serverless.yml`, or the packaged state.
//!
//! A function is rolled out if it has `deploymentSettings` of its own; those under `custom` are defaults. Strings among the alarms are
//! logical ids, hooks are keys of functions.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rollout::target::Qualified;
use rollout::{Arn, Schedule};

use crate::alarm::Alarm;
use crate::alerts::{Alerts, normalised};
use crate::finding::{Findings, NoteKind, Problem, Problems, Unresolved};
use crate::keys::{LONGEST_TEXT, MOST_IN_A_LIST, MOST_NAMED, alias_at, found_text, parse_at, shown};
use crate::place::{At, Place};
use crate::settings::{FunctionRef, FunctionSettings, Hook, Project};
use crate::tree::{Key, Map, Node};
use crate::variables::Variables;
use crate::{File, Format, Lookup, canary, yaml};

/// Reads a `serverless.yml`, or another notation of it.
pub(crate) fn read(file: File<'_>, lookup: &Lookup) -> Result<Project, Problems> {
    let tree = yaml::parse(file.name, file.bytes)?;
    project(file, Format::Serverless, &tree, None, lookup)
}

/// Reads `.serverless/serverless-state.json`, in which every variable is resolved.
pub(crate) fn read_state(file: File<'_>, lookup: &Lookup) -> Result<Project, Problems> {
    let tree = yaml::parse(file.name, file.bytes)?;
    let Some(service) = tree.get("service").filter(|service| service.map().is_some()) else {
        let message = "this is not a state of the Serverless Framework".to_owned();
        let hint = Some("run `serverless package`".to_owned());
        return Err(Problems::one(Problem { place: tree.place, message, hint }));
    };
    let compiled = ["provider", "compiledCloudFormationTemplate", "Resources"];
    let resources = compiled.into_iter().try_fold(service, |node, key| node.get(key)).and_then(Node::map);
    project(file, Format::ServerlessState, service, resources, lookup)
}

struct Reader<'a> {
    variables: Variables<'a>,
    service: Option<String>,
    stage: Option<At<String>>,
    functions: &'a Map,
    global: Option<&'a Map>,
    found: Findings,
}

fn project(file: File<'_>, format: Format, root: &Node, compiled: Option<&Map>, lookup: &Lookup) -> Result<Project, Problems> {
    let mut found = Findings::default();
    // In a state, what looks like a variable is for CloudFormation.
    let variables = Variables::new(root, lookup, format == Format::Serverless);
    let stage = resolved(variables.stage(), &mut found);
    if let (Format::ServerlessState, Some(asked)) = (format, &lookup.stage) {
        packaged_for(root, asked, &mut found);
    }
    let service = service(root, &variables, &mut found);
    let empty = Map::default();
    let functions = functions(root, &variables, &mut found).unwrap_or(&empty);
    let global = match resolved(variables.path(&["custom", "deploymentSettings"]), &mut found) {
        Some(Some(Cow::Borrowed(node))) => node.map(),
        Some(_) | None => None,
    };
    let mut reader = Reader { variables, service, stage, functions, global, found };
    let settings = reader.all();
    let stack = At::given(lookup.stack.as_ref(), "--stack").or_else(|| reader.stack());
    let region = reader.region(lookup);
    let alerts = Alerts::read(&reader.variables, reader.functions, reader.stage.as_ref().map(|stage| stage.value.as_str()));
    let definitions = alerts.definitions(&mut reader.found);
    reader.check_alarms(&settings, definitions.keys().map(String::as_str), compiled);
    reader.warn_of_the_plugin(&settings);
    if let (None, Some((id, place))) = (&stack, settings.iter().find_map(|settings| settings.logical_ids().next())) {
        let message = format!("`{}` is a logical id, and the name of the stack is not known", shown(id));
        reader.found.hinted(place, message, "set `provider.stackName`, or run `serverless package`");
    }
    let definitions = definitions.into_iter().filter_map(|(id, definition)| Some((id, definition?))).collect();
    Project { stage: reader.stage, stack, region, functions: settings, definitions, ..Project::empty(format, file.name) }
        .finish(reader.found)
}

/// A needed value, or a problem where it cannot be resolved.
fn resolved<T>(value: Result<T, Unresolved>, found: &mut Findings) -> Option<T> {
    value.map_err(|missing| unresolved(&missing, found)).ok()
}

fn unresolved(missing: &Unresolved, found: &mut Findings) {
    let hint = match missing.variable.strip_prefix("${") {
        Some(env) if env.starts_with("env:") => "set the environment variable, or give the variable a default",
        Some(opt) if opt.starts_with("opt:") => {
            "only the options `--stage` and `--region` are supported; `--param NAME=VALUE` sets `${param:NAME}`"
        }
        _ => "run `serverless package`: the resolved state in `.serverless` is then read instead",
    };
    found.hinted(&missing.place, format!("`{}` cannot be resolved", missing.variable), hint);
}

fn packaged_for(root: &Node, asked: &str, found: &mut Findings) {
    let packaged = root.get("provider").and_then(|provider| provider.get("stage"));
    if let Some((stage, place)) = packaged.and_then(|node| Some((node.text()?, &node.place))).filter(|(stage, _)| *stage != asked)
    {
        let message = format!("this was packaged for stage `{}`, not for `{}`", shown(stage), shown(asked));
        found.hinted(place, message, format!("run `serverless package --stage {}`", shown(asked)));
    }
}

/// The service's name: a text, or the `name` of a map.
fn service(root: &Node, variables: &Variables<'_>, found: &mut Findings) -> Option<String> {
    let by_name = root.get("service").is_some_and(|service| service.map().is_some());
    let path: &[&str] = if by_name { &["service", "name"] } else { &["service"] };
    match variables.text(path) {
        Ok(service) => service.map(|service| service.value),
        Err(missing) => {
            found.unresolved(&missing, "the service's name", None);
            None
        }
    }
}

/// The functions: a map. A list of maps, which the framework accepts too, is a problem.
fn functions<'a>(root: &Node, variables: &Variables<'a>, found: &mut Findings) -> Option<&'a Map> {
    let Some(Cow::Borrowed(node)) = resolved(variables.path(&["functions"]), found)? else {
        found.note(NoteKind::Chosen, &root.place, "there are no `functions`", None);
        return None;
    };
    let map = node.map();
    if map.is_none() {
        let message = format!("expected a map of functions, found {}", node.kind());
        found.hinted(&node.place, message, "write one map instead of a list of maps, or run `serverless package`");
    }
    if map.is_some_and(|map| map.len() > MOST_NAMED) {
        found.problem(&node.place, format!("expected at most {MOST_NAMED} functions"));
    }
    map.filter(|map| map.len() <= MOST_NAMED)
}

impl<'a> Reader<'a> {
    /// Every function that has settings of its own, where the stage is one of those that are enabled.
    fn all(&mut self) -> Vec<FunctionSettings> {
        let mut all = Vec::new();
        let functions = self.functions;
        if !self.stage_enabled() {
            return all;
        }
        for (key, node) in functions.iter() {
            self.found.function = Some(key.text.clone());
            match self.variables.node(node) {
                Ok(Cow::Borrowed(node)) if node.map().is_some_and(|map| map.get("deploymentSettings").is_some()) => {
                    all.extend(self.function(key, node));
                }
                Ok(_) => {}
                Err(missing) => {
                    self.found.unresolved(&missing, &format!("function `{}`", shown(&key.text)), None);
                }
            }
            self.found.function = None;
        }
        all
    }

    /// Whether `custom.deploymentSettings.stages` has the stage, or is missing.
    fn stage_enabled(&mut self) -> bool {
        let Some(node) = self.global.and_then(|global| global.get("stages")) else { return true };
        let listed: Option<Vec<Cow<'_, Node>>> =
            resolved(self.variables.node(node), &mut self.found).and_then(|node| match node {
                Cow::Borrowed(node) => {
                    let stages = node.list().unwrap_or_default().iter();
                    stages.map(|stage| resolved(self.variables.node(stage), &mut self.found)).collect()
                }
                Cow::Owned(_) => Some(Vec::new()),
            });
        let stage = self.stage.as_ref().map(|stage| stage.value.as_str());
        let enabled = listed.is_none_or(|stages| stages.is_empty() || stages.iter().any(|node| node.text() == stage));
        if !enabled {
            let message = format!("`{}` is not in `stages`: nothing is rolled out", shown(stage.unwrap_or_default()));
            self.found.note(NoteKind::Chosen, &node.place, message, None);
        }
        enabled
    }

    fn function(&mut self, key: &Key, node: &'a Node) -> Option<FunctionSettings> {
        let own = match resolved(self.variables.node(node.get("deploymentSettings")?), &mut self.found)? {
            Cow::Borrowed(own) if own.map().is_some() || own.is_null() => own.map(),
            own @ (Cow::Borrowed(_) | Cow::Owned(_)) => {
                let message = format!("expected a map of keys for `deploymentSettings`, found {}", found_text(&own));
                self.found.problem(&own.place, message);
                return None;
            }
        };
        let merged = self.merged(own);
        let key = key.at();
        let function = self.named(&key, node)?;
        let mut settings = FunctionSettings::new(key, function);
        for (key, node) in merged {
            self.setting(key, node, &mut settings);
        }
        if settings.alias.is_none() && self.found.sound() {
            let message = format!("function `{}` has no `alias` in its `deploymentSettings`", shown(&settings.key.value));
            self.found.hinted(&settings.key.place, message, "add `alias: live`");
        }
        Some(settings)
    }

    /// The global settings with the function's own laid over them, key by key.
    fn merged(&mut self, own: Option<&'a Map>) -> Vec<(&'a Key, &'a Node)> {
        let own_key = |key: &Key| own.is_some_and(|own| own.get(&key.text).is_some());
        let global = self.global.into_iter().flat_map(Map::iter).filter(|(key, _)| !own_key(key));
        let own = own.into_iter().flat_map(Map::iter);
        global.filter(|(key, _)| key.text != "stages").chain(own).map(|(key, node)| (key, node)).collect()
    }

    fn setting(&mut self, key: &'a Key, node: &'a Node, settings: &mut FunctionSettings) {
        match key.text.as_str() {
            _ if node.is_null() => {}
            "type" => settings.schedule = self.schedule(node),
            "alias" => settings.alias = self.alias(node),
            "preTrafficHook" => settings.pre_hook = self.hook(node),
            "postTrafficHook" => settings.post_hook = self.hook(node),
            "alarms" => settings.alarms = self.alarms(node),
            "triggerConfigurations" => {
                let hint = "use its exit code or `--output json`";
                self.ignored(key, "`triggerConfigurations`: canaryctl does not send SNS messages", Some(hint));
            }
            "codeDeployRole" => {
                self.ignored(key, "`codeDeployRole`: canaryctl does not use CodeDeploy; it uses your credentials", None);
            }
            "stages" => self.ignored(key, "`stages` of a single function: the plugin only reads them under `custom`", None),
            unknown => {
                let hint = self.found.did_you_mean(unknown, KEYS);
                self.ignored(key, &format!("`{}` is not a setting of the plugin", shown(unknown)), hint.as_deref());
            }
        }
    }

    fn ignored(&mut self, key: &Key, message: &str, hint: Option<&str>) {
        self.found.note(NoteKind::Ignored, &key.place, message, hint);
    }

    fn needed(&mut self, node: &'a Node, expected: &str) -> Option<At<String>> {
        let node = resolved(self.variables.node(node), &mut self.found)?;
        let text = node.text_with_place().filter(|text| text.value.len() <= LONGEST_TEXT);
        if text.is_none() {
            self.found.problem(&node.place, format!("expected {expected}, found {}", node.kind()));
        }
        text
    }

    fn schedule(&mut self, node: &'a Node) -> Option<At<Schedule>> {
        parse_at(&self.needed(node, "a schedule such as `Canary10Percent5Minutes`")?, &mut self.found)
    }

    fn alias(&mut self, node: &'a Node) -> Option<At<String>> {
        alias_at(self.needed(node, "an alias name")?, &mut self.found)
    }

    /// A hook: the key of a function of this file, or an ARN.
    fn hook(&mut self, node: &'a Node) -> Option<At<Hook>> {
        let text = self.needed(node, "the key of a function")?;
        if Arn::is_meant(&text.value) {
            return parse_at::<Qualified>(&text, &mut self.found).map(|hook| hook.map(Hook::Function));
        }
        let Some((key, function)) = self.functions.entry(&text.value) else {
            let message = format!("hook `{}` is not the key of a function in this file", shown(&text.value));
            self.found.misspelt(&text.place, message, &text.value, self.functions.keys());
            return None;
        };
        let named = self.named(&key.at(), function)?;
        let hook = match named.value {
            FunctionRef::Named(function) => Hook::Function(function),
            FunctionRef::LogicalId(id) => Hook::LogicalId(id),
        };
        Some(At { value: hook, place: text.place })
    }

    fn alarms(&mut self, node: &'a Node) -> Vec<At<Alarm>> {
        let list = match resolved(self.variables.node(node), &mut self.found) {
            Some(Cow::Borrowed(node)) if node.list().is_some() => node.list().unwrap_or_default(),
            Some(node) if !node.is_null() => {
                self.found.problem(&node.place, format!("expected a list of alarms, found {}", found_text(&node)));
                &[]
            }
            Some(_) | None => &[],
        };
        if list.len() > MOST_IN_A_LIST {
            self.found.problem(&node.place, format!("expected at most {MOST_IN_A_LIST} alarms, found {}", list.len()));
            return Vec::new();
        }
        list.iter().filter_map(|node| self.alarm(node)).collect()
    }

    /// An alarm: a text is a logical id, an object has the name.
    fn alarm(&mut self, node: &'a Node) -> Option<At<Alarm>> {
        let inside = match self.variables.node(node) {
            Ok(Cow::Borrowed(node)) => node,
            Ok(Cow::Owned(_)) | Err(_) => node,
        };
        if inside.map().is_none() {
            return self.needed(node, "an alarm's logical id, or `name: …`").map(|id| id.map(Alarm::LogicalId));
        }
        match (inside.get("name"), inside.get("Ref")) {
            (Some(name), _) if name.map().is_none() => self.needed(name, "the alarm's name").map(|name| name.map(Alarm::Name)),
            (None, Some(id)) => self.needed(id, "the alarm's logical id").map(|id| id.map(Alarm::LogicalId)),
            (Some(name), _) if name.get("Ref").is_some() => {
                self.needed(name.get("Ref")?, "the alarm's logical id").map(|id| id.map(Alarm::LogicalId))
            }
            _ => {
                self.found.problem(&inside.place, "expected an alarm's logical id, or `name: …`");
                None
            }
        }
    }

    /// A function's name in AWS; where that cannot be resolved, its logical id.
    fn named(&mut self, key: &At<String>, node: &'a Node) -> Option<At<FunctionRef>> {
        let by_id = |place: &Place| At { value: FunctionRef::LogicalId(logical_id(&key.value)), place: place.clone() };
        let node = match self.variables.node(node) {
            Ok(Cow::Borrowed(node)) => node,
            Ok(Cow::Owned(_)) | Err(_) => return Some(by_id(&key.place)),
        };
        let name = match node.get("name").map(|name| self.variables.node(name)) {
            Some(Ok(name)) => name.text_with_place(),
            Some(Err(missing)) => {
                self.found.unresolved(&missing, "the function is looked up in its stack", None);
                return Some(by_id(&missing.place));
            }
            None => None,
        };
        let from_key = || {
            let (service, stage) = (self.service.as_ref()?, self.stage.as_ref()?);
            Some(At { value: format!("{service}-{}-{}", stage.value, key.value), place: key.place.clone() })
        };
        match name.or_else(from_key) {
            Some(name) => canary::function(&name, &mut self.found),
            None => Some(by_id(&key.place)),
        }
    }

    /// The stack: the provider's `stackName`, else service and stage.
    fn stack(&mut self) -> Option<At<String>> {
        match self.variables.text(&["provider", "stackName"]) {
            Ok(Some(name)) => return Some(name),
            Ok(None) => {}
            Err(missing) => {
                self.found.unresolved(&missing, "the stack's name", None);
                return None;
            }
        }
        let (service, stage) = (self.service.as_ref()?, self.stage.as_ref()?);
        Some(At { value: format!("{service}-{}", stage.value), place: stage.place.clone() })
    }

    fn region(&mut self, lookup: &Lookup) -> Option<At<String>> {
        if let Some(region) = At::given(lookup.region.as_ref(), "--region") {
            return Some(region);
        }
        self.variables.text(&["provider", "region"]).unwrap_or_else(|missing| {
            self.found.unresolved(&missing, "the Region", Some("set it with `--region`"));
            None
        })
    }

    /// Warns of logical ids that nothing in this file creates.
    fn check_alarms<'d>(
        &mut self,
        settings: &[FunctionSettings],
        defined: impl Iterator<Item = &'d str>,
        compiled: Option<&'d Map>,
    ) where
        'a: 'd,
    {
        let resources = self.variables.path(&["resources", "Resources"]);
        let own = match &resources {
            Ok(Some(Cow::Borrowed(node))) => node.map(),
            Ok(_) => None,
            // A part that cannot be resolved may create any alarm.
            Err(_) => return,
        };
        let several = self.variables.path(&["resources"]).is_ok_and(|node| node.is_some_and(|node| node.list().is_some()));
        let ids: BTreeSet<&str> = defined.chain([own, compiled].into_iter().flatten().flat_map(Map::keys)).collect();
        for (alarm, key) in settings.iter().flat_map(|it| it.alarms.iter().map(move |alarm| (alarm, &it.key.value))) {
            let Alarm::LogicalId(id) = &alarm.value else { continue };
            if several || ids.contains(id.as_str()) {
                continue;
            }
            self.found.function = Some(key.clone());
            let hint = self.found.did_you_mean(id, ids.iter().copied());
            let message = format!("nothing in this file creates the alarm `{}`", shown(id));
            self.found.note(NoteKind::Warning, &alarm.place, message, hint.as_deref());
            self.found.function = None;
        }
    }

    /// Warns that the plugin still moves the alias at each deploy.
    fn warn_of_the_plugin(&mut self, settings: &[FunctionSettings]) {
        let plugins = match self.variables.path(&["plugins"]) {
            Ok(Some(Cow::Borrowed(node))) => node.get("modules").unwrap_or(node).list().unwrap_or_default(),
            Ok(_) | Err(_) => return,
        };
        let plugin = plugins.iter().find(|node| node.text() == Some(PLUGIN));
        if let Some(plugin) = plugin.filter(|_| !settings.is_empty()) {
            let message = format!("`{PLUGIN}`: while it is installed, `serverless deploy` moves the aliases with CodeDeploy");
            let hint = "removing the plugin deletes the aliases from the stack: first set `DeletionPolicy: Retain` on them";
            self.found.note(NoteKind::Warning, &plugin.place, message, Some(hint));
        }
    }
}

/// The id that the framework gives a function in its stack.
fn logical_id(key: &str) -> String {
    format!("{}LambdaFunction", normalised(key))
}

const PLUGIN: &str = "serverless-plugin-canary-deployments";
const KEYS: [&str; 7] =
    ["type", "alias", "preTrafficHook", "postTrafficHook", "alarms", "triggerConfigurations", "codeDeployRole"];
