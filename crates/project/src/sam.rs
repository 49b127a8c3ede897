//! What does a SAM template roll out? Functions with `AutoPublishAlias` and a `DeploymentPreference`, their own or in `Globals`.
//!
//! Names that only the stack knows are left as logical ids. The stack's name and the Region come from `samconfig.toml`.

use std::borrow::Cow;

use rollout::Schedule;
use rollout::target::Qualified;

use crate::alarm::Alarm;
use crate::finding::{Findings, NoteKind, Problems, Unresolved};
use crate::intrinsics::{Known, Template};
use crate::keys::{LONGEST_TEXT, MOST_IN_A_LIST, MOST_NAMED, alias_at, found_text, parse_at, shown};
use crate::place::{At, Place};
use crate::samconfig::{self, SamConfig};
use crate::settings::{FunctionRef, FunctionSettings, Hook, Project};
use crate::tree::{Key, Map, Node};
use crate::{File, Format, Lookup, yaml};

/// Reads a template, with the `samconfig.toml` beside it, where there is one.
pub(crate) fn read(file: File<'_>, beside: Option<File<'_>>, lookup: &Lookup) -> Result<Project, Problems> {
    let tree = yaml::parse(file.name, file.bytes)?;
    let mut found = Findings::default();
    let config = match beside {
        Some(beside) => samconfig::read(beside, lookup, &mut found)?,
        None => SamConfig::default(),
    };
    let stack = At::given(lookup.stack.as_ref(), "--stack").or(config.stack);
    let region = At::given(lookup.region.as_ref(), "--region").or(config.region);
    let mut given = config.parameters;
    given.extend(lookup.parameters.iter().filter_map(|(name, value)| Some((name.clone(), At::given(Some(value), "--param")?))));
    let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
    let template = Template::new(&tree, given, text(&stack), text(&region));
    let mut reader = Reader { template, found, warned: false };
    let functions = reader.all(&tree);
    if let (None, Some((id, place))) = (&stack, functions.iter().find_map(|settings| settings.logical_ids().next())) {
        let message = format!("`{}` is a logical id, and no stack is given", shown(id));
        reader.found.hinted(place, message, "name the stack with `stack_name` in `samconfig.toml`, or with `--stack`");
    }
    let stage = At::given(lookup.stage.as_ref(), "--stage");
    Project { stage, stack, region, functions, ..Project::empty(Format::Sam, file.name) }.finish(reader.found)
}

struct Reader<'a> {
    template: Template<'a>,
    found: Findings,
    warned: bool,
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

impl<'a> Reader<'a> {
    fn all(&mut self, tree: &'a Node) -> Vec<FunctionSettings> {
        let globals = tree.get("Globals").and_then(|globals| globals.get("Function"));
        let Some(resources) = self.template.section("Resources") else {
            self.found.problem(&tree.place, "the template has no `Resources`");
            return Vec::new();
        };
        let kind = |node: &'a Node| node.get("Type").and_then(Node::text);
        let functions = resources.iter().filter(|(_, node)| kind(node) == Some("AWS::Serverless::Function"));
        let mut all = Vec::new();
        for (key, node) in functions.take(MOST_NAMED) {
            self.found.function = Some(key.text.clone());
            all.extend(self.function(key, node, globals));
            self.found.function = None;
        }
        all
    }

    fn function(&mut self, key: &'a Key, node: &'a Node, globals: Option<&'a Node>) -> Option<FunctionSettings> {
        let properties = node.get("Properties");
        let own = |key: &str| properties.and_then(|properties| properties.get(key));
        let global = |key: &str| globals.and_then(|globals| globals.get(key));
        let preferences = [own("DeploymentPreference"), global("DeploymentPreference")];
        if let (None, Some(_)) =
            (preferences.iter().flatten().next(), own("AutoPublishAlias").or_else(|| global("AutoPublishAlias")))
        {
            self.chosen(key, "is not rolled out: it has an alias but no `DeploymentPreference`");
        }
        let preference = self.preference(preferences)?;
        if let Some(condition) = node.get("Condition").and_then(Node::text_with_place) {
            let there = self.template.condition(&condition.value, &condition.place);
            if !self.resolved(there)? {
                self.chosen(key, "is not rolled out: its condition is false");
                return None;
            }
        }
        if !self.enabled(preference)? {
            self.chosen(key, "is not rolled out: its `DeploymentPreference` is disabled");
            return None;
        }
        let Some(alias) = own("AutoPublishAlias").or_else(|| global("AutoPublishAlias")) else {
            let message = format!("`{}` has a `DeploymentPreference` but no `AutoPublishAlias`", shown(&key.text));
            self.found.hinted(&key.place, message, "add `AutoPublishAlias: live`");
            return None;
        };
        self.warn(alias);
        let alias = self.alias(alias);
        let name = own("FunctionName");
        let key = key.at();
        let function = self.named(&key, name)?;
        let mut settings = FunctionSettings { alias, ..FunctionSettings::new(key, function) };
        settings.schedule = preference.get("Type").and_then(|node| self.schedule(node));
        settings.alarms = self.alarms(preference);
        (settings.pre_hook, settings.post_hook) = self.hooks(preference);
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

    fn schedule(&mut self, node: &'a Node) -> Option<At<Schedule>> {
        if let Ok(Known::Resource(id)) = self.template.evaluate(node) {
            let message = format!("`{}` is a deployment configuration of CodeDeploy and cannot be read", shown(&id.value));
            self.found.hinted(&id.place, message, "write its steps as `steps` and `every` in a `canary.yml`");
            return None;
        }
        let text = self.template.text(node);
        parse_at(&self.resolved(text)?, &mut self.found)
    }

    /// The alarms of `Globals` and then the function's own: lists are put together.
    fn alarms(&mut self, preference: Preference<'a>) -> Vec<At<Alarm>> {
        let mut alarms = Vec::new();
        for map in [preference.global, preference.own].into_iter().flatten() {
            let Some(node) = map.get("Alarms").filter(|node| !node.is_null()) else { continue };
            let known = self.template.evaluate(node);
            let list = match self.resolved(known) {
                Some(Known::Value(Cow::Borrowed(node))) if node.list().is_some() => node.list().unwrap_or_default(),
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
        let maps = [preference.own, preference.global].map(|map| map.and_then(|map| map.get("Hooks")));
        let hooks: Vec<&'a Map> =
            maps.into_iter().flatten().filter(|node| !node.is_null()).filter_map(|node| self.map(node)).collect();
        let first = |key: &str| hooks.iter().find_map(|map| map.get(key)).filter(|node| !node.is_null());
        for (key, _) in hooks.iter().flat_map(|map| map.iter()).filter(|(key, _)| !HOOKS.contains(&key.text.as_str())) {
            self.found.misspelt(&key.place, format!("`{}` is not a hook", shown(&key.text)), &key.text, HOOKS);
        }
        let [before, after] = HOOKS.map(first);
        (before.and_then(|node| self.hook(node)), after.and_then(|node| self.hook(node)))
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
        let name = self.template.text(name).ok().map(|name| name.value)?;
        Some(name).filter(|name| name.len() <= LONGEST_TEXT)
    }

    /// The function's name, where the template has one that can be resolved; else its logical id.
    fn named(&mut self, key: &At<String>, name: Option<&'a Node>) -> Option<At<FunctionRef>> {
        let by_id = |place: &Place| At { value: FunctionRef::LogicalId(key.value.clone()), place: place.clone() };
        let Some(name) = name else { return Some(by_id(&key.place)) };
        match self.template.evaluate(name) {
            Ok(Known::Nothing) => Some(by_id(&key.place)),
            Ok(Known::Value(value)) => {
                let name = At { value: value.text().unwrap_or_default().to_owned(), place: value.place.clone() };
                crate::canary::function(&name, &mut self.found)
            }
            Ok(Known::Resource(_)) => Some(by_id(&name.place)),
            Err(missing) => {
                self.found.unresolved(&missing, "the function is looked up in its stack", None);
                Some(by_id(&missing.place))
            }
        }
    }

    fn ignored_keys(&mut self, preference: Preference<'a>) {
        for (key, _) in [preference.own, preference.global].into_iter().flatten().flat_map(Map::iter) {
            let (message, hint) = match key.text.as_str() {
                known if KEYS.contains(&known) => continue,
                "Role" => ("`Role`: canaryctl does not use CodeDeploy; it uses your credentials".to_owned(), None),
                "TriggerConfigurations" => {
                    let hint = "use its exit code or `--output json`".to_owned();
                    ("`TriggerConfigurations`: canaryctl does not send SNS messages".to_owned(), Some(hint))
                }
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
        let hint = "let canaryctl deploy the code with `canaryctl rollout … --zip`, or use an alias outside the stack";
        self.found.note(NoteKind::Warning, &alias.place, message, Some(hint));
        self.found.function = function;
    }

    fn chosen(&mut self, key: &Key, message: &str) {
        self.found.note(NoteKind::Chosen, &key.place, format!("`{}` {message}", shown(&key.text)), None);
    }

    /// The value, or a problem that names the unresolved variable.
    fn resolved<T>(&mut self, value: Result<T, Unresolved>) -> Option<T> {
        value.map_err(|missing| self.unresolved(&missing)).ok()
    }

    fn unresolved(&mut self, missing: &Unresolved) {
        let name = &missing.variable;
        let is_parameter = self.template.section("Parameters").is_some_and(|parameters| parameters.get(name).is_some());
        let hint = if is_parameter {
            format!("set it with `--param {name}=…`, or with `parameter_overrides` in `samconfig.toml`")
        } else {
            "only the stack has it: write the value in a `canary.yml`".to_owned()
        };
        self.found.hinted(&missing.place, format!("`{name}` cannot be resolved"), hint);
    }
}

const HOOKS: [&str; 2] = ["PreTraffic", "PostTraffic"];
const KEYS: [&str; 4] = ["Enabled", "Type", "Alarms", "Hooks"];
