//! What does a project of the Serverless Framework's canary plugin roll out? Reads `serverless.yml`, or the packaged state.
//!
//! A function is rolled out if it has `deploymentSettings` of its own; those under `custom` are defaults. Strings among the alarms are
//! logical ids, hooks are keys of functions.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::SystemTime;

use rollout::target::Qualified;
use rollout::{Arn, Schedule};

use crate::alerts::Alerts;
use crate::finding::{Findings, NoteKind, Problem, Problems, Reading, Unresolved};
use crate::included::Included;
use crate::intrinsics::{self, Known, Template};
use crate::keys::{LONGEST_TEXT, MOST_NAMED, alias_at, found_text, parse_at, shown};
use crate::place::{At, Place};
use crate::settings::{FunctionRef, FunctionSettings, Hook, Project};
use crate::tree::{Key, Map, Node};
use crate::variables::Variables;
use crate::yaml::Document;
use crate::{File, Format, Lookup, yaml};

/// Reads a `serverless.yml`, or another notation of it.
pub(crate) fn read(file: File<'_>, lookup: &Lookup) -> Result<Project, Problems> {
    let included = Included::of(lookup.folder.as_ref());
    let document = yaml::document(file.name, file.bytes)?;
    let (project, found) = project(file, Format::Serverless, &document, &included, lookup);
    Ok(project.finish(found, document))
}

/// When the newest of the files was written that a `serverless.yml` includes.
pub(crate) fn newest_included(file: File<'_>, lookup: &Lookup) -> Option<SystemTime> {
    let included = Included::of(lookup.folder.as_ref());
    let document = yaml::document(file.name, file.bytes).ok()?;
    project(file, Format::Serverless, &document, &included, lookup);
    included.newest()
}

/// Reads `.serverless/serverless-state.json`, in which every variable is resolved.
pub(crate) fn read_state(file: File<'_>, lookup: &Lookup) -> Result<Project, Problems> {
    let document = yaml::document(file.name, file.bytes)?;
    if document.root.get("service").is_none_or(|service| service.map().is_none()) {
        let place = document.root.place;
        return Err(Problems::one(
            Problem::new(place, "this is not a state of the Serverless Framework").hint("run `serverless package`"),
        ));
    }
    let included = Included::default();
    let (project, found) = project(file, Format::ServerlessState, &document, &included, lookup);
    Ok(project.finish(found, document))
}

pub(crate) struct Reader<'a> {
    pub(crate) variables: Variables<'a>,
    pub(crate) found: Findings,
    pub(crate) root: &'a Node,
    pub(crate) service: Result<Option<String>, Unresolved>,
    pub(crate) stage: Option<At<String>>,
    pub(crate) stack: Option<At<String>>,
    pub(crate) region: Option<At<String>>,
    /// The functions, with what was included for them.
    pub(crate) functions: Vec<(&'a Key, &'a Node)>,
    pub(crate) global: Option<&'a Map>,
    /// Whether there are global settings that cannot be read.
    pub(crate) global_unread: bool,
    pub(crate) lookup: &'a Lookup,
}

impl Reading for Reader<'_> {
    fn found(&mut self) -> &mut Findings {
        &mut self.found
    }
}

/// What a value says: a text, or a resource of the stack.
pub(crate) enum Word {
    Text(At<String>),
    Resource(At<String>),
}

fn project<'a>(
    file: File<'_>,
    format: Format,
    document: &'a Document,
    included: &'a Included<'a>,
    lookup: &'a Lookup,
) -> (Project, Findings) {
    let packaged = (format == Format::ServerlessState).then_some(&document.root);
    let root = packaged.and_then(|state| state.get("service")).unwrap_or(&document.root);
    let compiled = ["provider", "compiledCloudFormationTemplate", "Resources"];
    let compiled = packaged.and_then(|_| compiled.into_iter().try_fold(root, |node, key| node.get(key))).and_then(Node::map);
    let mut reader = Reader {
        variables: Variables::new(root, lookup, included, packaged),
        found: Findings::default(),
        root,
        service: Ok(None),
        stage: None,
        stack: None,
        region: None,
        functions: Vec::new(),
        global: None,
        global_unread: false,
        lookup,
    };
    yaml::refuse_duplicates(document, &mut reader.found);
    reader.names(packaged.is_some());
    let settings = reader.all();
    reader.typed_parameters(packaged.is_some());
    let stage = reader.stage.as_ref().map(|stage| stage.value.as_str());
    let definitions = Alerts::read(&reader.variables, &reader.functions, stage).definitions(&mut reader.found);
    reader.check_alarms(&settings, definitions.keys().map(String::as_str), compiled);
    reader.warn_of_the_plugin(&settings);
    if reader.stack.is_none() {
        for settings in &settings {
            let message = |id: &str| format!("`{}` is a logical id, and the name of the stack is not known", shown(id));
            let hint = "set `provider.stackName`, name the stack with `--stack`, or run `serverless package`";
            reader.found.in_function(&settings.key.value, |found| settings.check_stack(message, hint, found));
        }
    }
    let definitions = definitions.into_iter().filter_map(|(id, definition)| Some((id, definition?))).collect();
    let prunes = reader.prunes();
    let Reader { stage, stack, region, found, .. } = reader;
    (Project { stage, stack, region, functions: settings, definitions, prunes, ..Project::empty(format, file.name) }, found)
}

impl<'a> Reader<'a> {
    /// What a deploy deletes of old versions: by `serverless-prune-plugin`, which later frameworks have built in. A value that cannot be resolved
    /// says nothing.
    fn prunes(&self) -> Option<At<String>> {
        let said = |key: &str| self.variables.text(&["custom", "prune", key]).ok().flatten();
        let automatic = said("automatic").filter(|at| at.value == "true")?;
        let newest = said("number").map_or_else(|| "the newest".to_owned(), |at| format!("the newest {}", shown(&at.value)));
        Some(At { value: format!("`custom.prune` deletes all versions but {newest} after each deploy"), place: automatic.place })
    }

    /// The functions: a map, or a list of maps.
    pub(crate) fn functions(&mut self) -> Vec<(&'a Key, &'a Node)> {
        let node = self.variables.path(&["functions"]);
        let Some(node) = self.resolved(node) else { return Vec::new() };
        let Some(Cow::Borrowed(node)) = node else {
            self.found.note(NoteKind::Chosen, &self.root.place, "there are no `functions`", None);
            return Vec::new();
        };
        let mut functions: Vec<(&'a Key, &'a Node)> = Vec::new();
        let mut known = BTreeSet::new();
        for part in node.list().unwrap_or(std::slice::from_ref(node)) {
            let part = self.variables.node(part);
            let Some(part) = self.resolved(part) else { continue };
            let Cow::Borrowed(part) = part else { continue };
            if part.map().is_none() && !part.is_null() {
                self.found.problem(&part.place, format!("expected a map of functions, found {}", part.kind()));
            }
            for (key, node) in part.map().into_iter().flat_map(Map::iter) {
                if OF_A_FUNCTION.contains(&key.text.as_str()) && node.get("handler").is_none() {
                    let message = format!("`{}` is next to the functions, not in one", shown(&key.text));
                    self.found.hinted(&key.place, message, "indent it");
                    continue;
                }
                if functions.len() == MOST_NAMED {
                    self.found.problem(&node.place, format!("expected at most {MOST_NAMED} functions"));
                    return functions;
                }
                let resolved = self.variables.node(node);
                let outer = (self.found.function.replace(key.text.clone()), self.found.setting.take());
                if !known.insert(key.text.as_str()) {
                    self.found.problem(&key.place, format!("function `{}` is defined twice", shown(&key.text)));
                } else if let Some(Cow::Borrowed(node)) = self.resolved(resolved) {
                    functions.push((key, node));
                }
                (self.found.function, self.found.setting) = outer;
            }
        }
        functions
    }

    /// Refuses parameters that nothing here refers to.
    fn typed_parameters(&mut self, packaged: bool) {
        let typed = || self.lookup.parameters.keys();
        let refers = |name: &str| ["}", ",", " "].iter().any(|end| self.root.mentions(&format!("param:{name}{end}")));
        let used = |name: &&String| refers(name) || self.root.mentions("${file(");
        let known: Vec<String> = typed().filter(|name| packaged || used(name)).cloned().collect();
        if packaged && typed().next().is_some() {
            let hint = "run `serverless package --param NAME=VALUE`";
            let message = "a packaged state has its parameters already";
            self.found.of("--param", |found| found.hinted(&Place::whole("--param"), message, hint));
        }
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let why = "no `${param:…}` in the file refers to it";
        self.found.unknown_parameters(self.lookup.parameters.keys(), why, Some(&known));
    }

    /// Every function that has settings of its own, where the stage is one of those that are enabled.
    fn all(&mut self) -> Vec<FunctionSettings> {
        let functions = self.functions.clone();
        if !self.stage_enabled() {
            for (key, _) in functions {
                self.found.skip(&key.text, "its stage is not in `stages`");
            }
            return Vec::new();
        }
        let (own, others): (Vec<_>, Vec<_>) =
            functions.into_iter().partition(|(_, node)| node.get("deploymentSettings").is_some());
        for (key, _) in others {
            let why = "it has no `deploymentSettings` of its own";
            self.found.skip(&key.text, why);
            if self.global.is_some() && own.is_empty() {
                let message = format!("`{}` is not rolled out: {why}; those under `custom` only fill in", shown(&key.text));
                self.found.note(NoteKind::Chosen, &key.place, message, Some("add `deploymentSettings: {}` to it"));
            }
        }
        let mut all = Vec::new();
        for (key, node) in own {
            self.found.function = Some(key.text.clone());
            all.extend(self.function(key, node));
            self.found.function = None;
        }
        all
    }

    /// Whether `custom.deploymentSettings.stages` has the stage, or is missing.
    fn stage_enabled(&mut self) -> bool {
        let Some(node) = self.global.and_then(|global| global.get("stages")) else { return true };
        let list = self.variables.node(node);
        let listed: Option<Vec<Cow<'_, Node>>> = self.resolved(list).and_then(|list| {
            let Cow::Borrowed(list) = list else { return Some(Vec::new()) };
            let stages: Vec<_> = list.list().unwrap_or_default().iter().map(|stage| self.variables.node(stage)).collect();
            stages.into_iter().map(|stage| self.resolved(stage)).collect()
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
        let function = self.named(&key.at(), node);
        let mut settings = FunctionSettings::new(key.at(), function);
        let own = self.variables.node(node.get("deploymentSettings")?);
        let own = match self.resolved(own) {
            Some(Cow::Borrowed(own)) if own.map().is_some() || own.is_null() => own.map(),
            Some(own) => {
                let message = format!("expected a map of keys for `deploymentSettings`, found {}", found_text(&own));
                self.found.problem(&own.place, message);
                return Some(settings);
            }
            None => return Some(settings),
        };
        for (key, node) in self.merged(own) {
            self.setting(key, node, &mut settings);
        }
        let name = shown(&settings.key.value);
        if settings.alias.is_none() && !self.found.lacks("alias") && !self.global_unread {
            let message = format!("function `{name}` has no `alias` in its `deploymentSettings`");
            self.found.of("alias", |found| found.hinted(&key.place, message, "add `alias: live`"));
        }
        if settings.schedule.is_none() && !self.found.lacks("type") && !self.global_unread {
            let message = format!("function `{name}` has no `type` in its `deploymentSettings`: `serverless deploy` refuses it");
            self.found.note(NoteKind::Warning, &key.place, message, Some("add one, or set the schedule with `--type`"));
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
            "type" => settings.schedule = self.about("type", |reader| reader.schedule(node)),
            "alias" => settings.alias = self.about("alias", |reader| reader.alias(node)),
            "preTrafficHook" => settings.pre_hook = self.about("preTrafficHook", |reader| reader.hook(node)),
            "postTrafficHook" => settings.post_hook = self.about("postTrafficHook", |reader| reader.hook(node)),
            "alarms" => settings.alarms.extend(self.about("alarms", |reader| reader.alarms(node))),
            "canaryAlarms" => {
                let alarms = self.about("alarms", |reader| reader.canary_alarms(node, settings));
                settings.alarms.extend(alarms);
            }
            "triggerConfigurations" => settings.notify = self.about("notify", |reader| reader.triggers(node)),
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

    /// A text; with an intrinsic function, as far as the file has its parts.
    pub(crate) fn word(&mut self, node: &'a Node, expected: &str) -> Option<Word> {
        let node = self.variables.node(node);
        let node = self.resolved(node)?;
        let text = match &node {
            Cow::Borrowed(node) if intrinsics::function(node).is_some() => return self.intrinsic(node),
            Cow::Borrowed(_) | Cow::Owned(_) => node.text_with_place().filter(|text| text.value.len() <= LONGEST_TEXT),
        };
        if text.is_none() {
            self.found.problem(&node.place, format!("expected {expected}, found {}", node.kind()));
        }
        text.map(Word::Text)
    }

    pub(crate) fn intrinsic(&mut self, node: &'a Node) -> Option<Word> {
        let word = self.evaluated(node);
        self.resolved(word)?
    }

    /// A text, or what a function makes of it; nothing where that cannot be resolved.
    pub(crate) fn quietly(&self, node: &'a Node) -> Option<Word> {
        match self.variables.node(node).ok()? {
            Cow::Borrowed(node) if intrinsics::function(node).is_some() => self.evaluated(node).ok()?,
            node @ (Cow::Borrowed(_) | Cow::Owned(_)) => {
                node.text_with_place().filter(|text| text.value.len() <= LONGEST_TEXT).map(Word::Text)
            }
        }
    }

    fn evaluated(&self, node: &'a Node) -> Result<Option<Word>, Unresolved> {
        let literal = self.variables.literal(node)?;
        let at = |value: &str| At { value: value.to_owned(), place: node.place.clone() };
        // What a `Ref` names may be created by a plugin.
        match intrinsics::function(&literal) {
            Some(("Ref", name)) if name.text().is_some_and(|name| !name.starts_with("AWS::")) => {
                return Ok(name.text_with_place().map(Word::Resource));
            }
            _ => {}
        }
        let given = self.lookup.parameters.iter().filter(|(name, _)| name.starts_with("AWS::"));
        let given = given.map(|(name, value)| (name.clone(), at(value))).collect();
        let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
        let root = self.root.get("resources").filter(|node| node.map().is_some()).unwrap_or(self.root);
        let template = Template::new(root, given, text(&self.stack), text(&self.region));
        Ok(match template.evaluate(&literal)? {
            Known::Resource(id) => Some(Word::Resource(id)),
            Known::Value(value) => Some(Word::Text(at(value.text().unwrap_or_default()))),
            Known::Nothing => None,
        })
    }

    fn needed(&mut self, node: &'a Node, expected: &str) -> Option<At<String>> {
        match self.word(node, expected)? {
            Word::Text(text) => Some(text),
            Word::Resource(id) => {
                self.found.problem(&id.place, format!("expected {expected}, found a `Ref` to `{}`", shown(&id.value)));
                None
            }
        }
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
        let Some((key, function)) = self.functions.iter().copied().find(|(key, _)| key.text == text.value) else {
            let keys: Vec<&str> = self.functions.iter().map(|(key, _)| key.text.as_str()).collect();
            let message = format!("hook `{}` is not the key of a function in this file", shown(&text.value));
            self.found.misspelt(&text.place, message, &text.value, keys);
            return None;
        };
        let named = self.named(&key.at(), function);
        let hook = match named.value {
            FunctionRef::Named(function) => Hook::Function(function),
            FunctionRef::LogicalId(id) => Hook::LogicalId(id),
        };
        Some(At { value: hook, place: text.place })
    }

    /// Warns that the plugin still moves the alias at each deploy.
    fn warn_of_the_plugin(&mut self, settings: &[FunctionSettings]) {
        let plugins = match self.variables.path(&["plugins"]) {
            Ok(Some(Cow::Borrowed(node))) => node.get("modules").unwrap_or(node).list().unwrap_or_default(),
            Ok(_) | Err(_) => return,
        };
        let is_one = |node: &&Node| node.text().is_some_and(|name| name.contains(PLUGIN));
        let Some(plugin) = plugins.iter().find(is_one).filter(|_| !settings.is_empty()) else { return };
        let name = shown(plugin.text().unwrap_or_default());
        let message = format!("`{name}`: while it is installed, `serverless deploy` moves the aliases with CodeDeploy");
        let hint =
            "put `serverless-canaryctl` in its place (`canaryctl guide serverless`): removing it alone deletes the aliases";
        self.found.note(NoteKind::Warning, &plugin.place, message, Some(hint));
    }
}

/// What the plugin and its forks have in their names.
const PLUGIN: &str = "canary-deployments";
const KEYS: [&str; 8] =
    ["type", "alias", "preTrafficHook", "postTrafficHook", "alarms", "canaryAlarms", "triggerConfigurations", "codeDeployRole"];
/// Keys that a function has, and no function is called.
const OF_A_FUNCTION: [&str; 6] = ["handler", "deploymentSettings", "runtime", "memorySize", "timeout", "events"];
