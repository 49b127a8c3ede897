//! What is to be rolled out, and how? What every format comes to, and the keys that `canary.yml` has for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rollout::hook::{HookError, HookUrl};
use rollout::plan::Mode;
use rollout::target::Qualified;
use rollout::{Arn, Schedule, Version, Weight};

use crate::Format;
use crate::alarm::{Alarm, Definition};
use crate::finding::{Findings, Note, Problems, did_you_mean};
use crate::keys::{AliasName, Read, keys, scalar, shown, words};
use crate::options::Options;
use crate::place::{At, Place};
use crate::tree::Node;

/// A project, as far as canaryctl is concerned.
#[derive(Clone, Debug)]
pub struct Project {
    /// The format that it was read from.
    pub format: Format,
    /// The name of the file.
    pub file: String,
    /// The stage that it was read for.
    pub stage: Option<At<String>>,
    /// The CloudFormation stack that logical ids belong to.
    pub stack: Option<At<String>>,
    /// The Region.
    pub region: Option<At<String>>,
    /// What is to be rolled out, in the order of the file.
    pub functions: Vec<FunctionSettings>,
    /// Alarms that the file makes, by their logical id: what they look at, for whoever shows it.
    pub definitions: BTreeMap<String, At<Definition>>,
    /// What is worth knowing.
    pub notes: Vec<Note>,
}

impl Project {
    /// The project with what is worth knowing, where nothing is wrong with it.
    pub(crate) fn finish(self, mut found: Findings) -> Result<Self, Problems> {
        self.check_names(&mut found);
        self.check_twice(&mut found);
        let (project, notes) = found.finish(self)?;
        Ok(Self { notes, ..project })
    }

    /// Refuses names that AWS would refuse, and those in which a variable is left over.
    fn check_names(&self, found: &mut Findings) {
        for stage in self.stage.iter().filter(|stage| !is_stage(&stage.value)) {
            let message = format!("`{}` is no stage: letters, digits, `-`, `_` and `.`, at most 128", shown(&stage.value));
            found.problem(&stage.place, message);
        }
        let letters = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
        let name = |text: &str| (1..=128).contains(&text.len()) && letters(text);
        let arn = |text: &str| Arn::is_meant(text) && text.len() <= 1024 && !text.contains("${");
        for stack in self.stack.iter().filter(|stack| !name(&stack.value) && !arn(&stack.value)) {
            found.problem(&stack.place, format!("`{}` is no stack: letters, digits and `-`, at most 128", shown(&stack.value)));
        }
        for region in self.region.iter().filter(|region| !(1..=32).contains(&region.value.len()) || !letters(&region.value)) {
            found.problem(&region.place, format!("`{}` is no Region", shown(&region.value)));
        }
        let alarms = self.functions.iter().flat_map(|settings| &settings.alarms);
        for (text, place) in alarms.filter_map(|alarm| match &alarm.value {
            Alarm::Name(text) | Alarm::LogicalId(text) => Some((text, &alarm.place)),
            Alarm::Definition(_) => None,
        }) {
            if text.contains("${") || text.chars().any(char::is_control) || text.is_empty() {
                found.problem(place, format!("`{}` names no alarm", shown(text)));
            }
        }
    }

    /// Refuses two rollouts of one alias, and two functions of one name.
    fn check_twice(&self, found: &mut Findings) {
        let mut keys = BTreeSet::new();
        let mut aliases = BTreeMap::new();
        for settings in &self.functions {
            let key = &settings.key;
            if !keys.insert(&key.value) {
                found.problem(&key.place, format!("there are two functions `{}`", shown(&key.value)));
            }
            let function = match &settings.function.value {
                FunctionRef::Named(function) => function.reference(),
                FunctionRef::LogicalId(id) => format!("logical id {id}"),
            };
            let alias = settings.alias.as_ref().map(|alias| alias.value.as_str());
            if let Some(other) = aliases.insert((function, alias), &key.value).filter(|other| **other != key.value) {
                let message = format!("`{}` and `{}` are the same function and alias", shown(other), shown(&key.value));
                found.hinted(&key.place, message, "roll it out once, or tell them apart with `name` or `alias`");
            }
        }
    }

    /// The settings of a function, by its key in the file or its name in AWS.
    pub fn function(&self, name: &str) -> Option<&FunctionSettings> {
        let named = |settings: &&FunctionSettings| match &settings.function.value {
            FunctionRef::Named(function) => function.function.name == name,
            FunctionRef::LogicalId(id) => id == name,
        };
        self.functions.iter().find(|settings| settings.key.value == name).or_else(|| self.functions.iter().find(named))
    }

    /// What there is instead of a function that the file does not have.
    pub fn nearest(&self, name: &str) -> Option<String> {
        did_you_mean(name, self.functions.iter().map(|settings| settings.key.value.as_str()))
    }

    /// Every logical id that has to be looked up in the stack before anything can begin.
    pub fn logical_ids(&self) -> BTreeSet<&str> {
        self.functions.iter().flat_map(FunctionSettings::logical_ids).map(|(id, _)| id).collect()
    }
}

/// Whether a text can be the name of a stage.
pub(crate) fn is_stage(text: &str) -> bool {
    let sound = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    (1..=128).contains(&text.len()) && text.chars().all(sound)
}

/// How one function is to be rolled out. What is `None` was left open.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionSettings {
    /// What the file calls it.
    pub key: At<String>,
    /// The function in AWS.
    pub function: At<FunctionRef>,
    /// Its alias.
    pub alias: Option<At<String>>,
    /// Which share when.
    pub schedule: Option<At<Schedule>>,
    /// What to watch.
    pub alarms: Vec<At<Alarm>>,
    /// What to ask before any traffic moves.
    pub pre_hook: Option<At<Hook>>,
    /// What to ask before the version is final.
    pub post_hook: Option<At<Hook>>,
    /// What to ask before each increase.
    pub step_hook: Option<At<Hook>>,
    /// What is chosen about its rollouts.
    pub options: Options,
    /// How to compare the versions.
    pub analysis: Analysis,
    /// The version to roll out, instead of publishing one.
    pub version: Option<At<Version>>,
    /// The version that the alias is expected to have before.
    pub current_version: Option<At<Version>>,
}

impl FunctionSettings {
    /// A function of which nothing is known yet but its name.
    pub(crate) fn new(key: At<String>, function: At<FunctionRef>) -> Self {
        Self {
            key,
            function,
            alias: None,
            schedule: None,
            alarms: Vec::new(),
            pre_hook: None,
            post_hook: None,
            step_hook: None,
            options: Options::default(),
            analysis: Analysis::default(),
            version: None,
            current_version: None,
        }
    }

    /// The ids that have to be looked up in the stack, and where they stand.
    pub fn logical_ids(&self) -> impl Iterator<Item = (&str, &Place)> {
        let function = match &self.function.value {
            FunctionRef::LogicalId(id) => Some((id.as_str(), &self.function.place)),
            FunctionRef::Named(_) => None,
        };
        let hooks = [&self.pre_hook, &self.post_hook, &self.step_hook].into_iter().flatten();
        let hooks = hooks.filter_map(|hook| match &hook.value {
            Hook::LogicalId(id) => Some((id.as_str(), &hook.place)),
            Hook::Function(_) | Hook::Url(_) => None,
        });
        let alarms = self.alarms.iter().filter_map(|alarm| match &alarm.value {
            Alarm::LogicalId(id) => Some((id.as_str(), &alarm.place)),
            Alarm::Name(_) | Alarm::Definition(_) => None,
        });
        function.into_iter().chain(hooks).chain(alarms)
    }
}

/// A function, by name or still to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionRef {
    /// Its name or ARN in AWS; never with a qualifier.
    Named(Qualified),
    /// Its id in the project's stack.
    LogicalId(String),
}

/// A hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A function, by name or ARN, and which version or alias of it.
    Function(Qualified),
    /// A function, by its id in the project's stack.
    LogicalId(String),
    /// Whatever answers to HTTP there.
    Url(HookUrl),
}

keys! {
    /// What a hook may be instead of a name.
    pub(crate) struct InStack {
        /// The id of a resource in the file's stack, which CloudFormation turns into its name.
        "logicalId" logical_id: String,
    }
}

impl Read for Hook {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        if node.map().is_some() {
            let id = InStack::read(node, found)?.logical_id;
            if id.is_none() {
                found.problem(&node.place, "expected a function, an `https://` URL or `logicalId: …`");
            }
            return id.map(|id| Self::LogicalId(id.value));
        }
        let text = scalar(node, "a function, an `https://` URL or `logicalId: …`", found)?;
        if HookUrl::is_meant(text) {
            // What is wrong with it is told without it: it may hold a token.
            return text.parse().map_err(|error: HookError| found.problem(&node.place, error.to_string())).ok().map(Self::Url);
        }
        Qualified::read(node, found).map(Self::Function)
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "anyOf": [{ "type": "string", "minLength": 1 }, InStack::schema()] })
    }
}

words! {
    /// What slow calls are worth.
    pub enum LatencyMode {
        /// They are told.
        "report" Report,
        /// They count like errors.
        "enforce" Enforce,
    }
}

words! {
    /// What to do when there was not enough traffic to tell.
    pub enum LowTraffic {
        /// Go back.
        "rollback" RollBack,
        /// Go on.
        "promote" Promote,
        /// Make traffic.
        "probe" Probe,
    }
}

keys! {
    /// How the versions are compared. What is `None` was left open.
    pub struct Analysis {
        /// Compare the versions' own metrics and act on it (`on`), only tell (`observe`), or neither (`off`).
        "mode" mode: Mode,
        /// Slow calls are told (`report`) or count like errors (`enforce`).
        "latency" latency: LatencyMode,
        /// The largest chance of a false rollback over a whole rollout: 0.01, or 0.05 to notice sooner.
        "alpha" alpha: f64,
        /// The calls of the candidate without which a step is extended.
        "minRequests" min_requests: u64,
        /// How long a step is extended at most.
        "maxHold" max_hold: Duration,
        /// What happens when there was not enough traffic even then.
        "onLowTraffic" on_low_traffic: LowTraffic,
        /// What the candidate is called with where traffic has to be made.
        "probeEvent" probe_event: serde_json::Value,
        /// How often.
        "probeCount" probe_count: u32,
    }
}

/// How `canary.yml` says [`Analysis`]: the keys, or a mode alone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AnalysisSetting(pub(crate) Analysis);

impl Read for AnalysisSetting {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        if node.text().is_some() {
            let mode = crate::keys::read(node, found)?;
            return Some(Self(Analysis { mode: Some(mode), ..Analysis::default() }));
        }
        let analysis = Analysis::read(node, found)?;
        let known = |alpha: f64| [0.01, 0.05].iter().any(|known| (alpha - known).abs() < f64::EPSILON);
        if let Some(alpha) = analysis.alpha.as_ref().filter(|alpha| !known(alpha.value)) {
            found.problem(&alpha.place, format!("`alpha` is {}: it is 0.01, or 0.05 to notice sooner", alpha.value));
        }
        Some(Self(analysis))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "anyOf": [Mode::schema(), Analysis::schema()] })
    }

    fn over(self, farther: Self) -> Self {
        Self(self.0.over(farther.0))
    }
}

keys! {
    /// What `canary.yml` says about a function, in one place.
    pub(crate) struct Keys {
        /// The function's name or ARN in AWS; its key where it is left out. `${stage}` stands for the stage.
        "name" name: String,
        /// The function's id in the file's stack, in place of its name.
        "logicalId" logical_id: String,
        /// The stages that the function is rolled out in; every one where it is left out.
        "stages" stages: Vec<At<String>>,
        /// The version to roll out, instead of publishing one.
        "version" version: Version,
        /// The version that the alias is expected to have before.
        "currentVersion" current_version: Version,
        /// The alias; `live` where it is left out.
        "alias" alias: AliasName,
        /// The schedule: one of CodeDeploy's names, or the same grammar opened up.
        "type" schedule: Schedule,
        /// The shares in per cent, one after the other, in place of `type`; 100 follows by itself.
        "steps" steps: Vec<At<Weight>>,
        /// The time between two steps.
        "every" every: Duration,
        /// The alarms to watch: a name, an ARN, `logicalId: …`, or the definition of an alarm that canaryctl keeps.
        "alarms" alarms: Vec<At<Alarm>>,
        /// What to ask before any traffic moves: a function, `logicalId: …`, or an `https://` URL.
        "preTrafficHook" pre_hook: Hook,
        /// What to ask before the version is final.
        "postTrafficHook" post_hook: Hook,
        /// What to ask before each increase.
        "stepHook" step_hook: Hook,
        /// How the versions are compared.
        "analysis" analysis: AnalysisSetting,
        ..options: Options,
    }
}

/// What makes sense for one function only.
const OF_ONE: [&str; 4] = ["name", "logicalId", "version", "currentVersion"];

/// What `canary.yml` says about all functions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Defaults(pub(crate) Keys);

impl Read for Defaults {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        for (key, _) in crate::keys::entries(node, found)?.filter(|(key, _)| OF_ONE.contains(&key.text.as_str())) {
            found.hinted(&key.place, format!("`{}` is for one function, not for all", key.text), "write it under `functions`");
        }
        Keys::read(node, found).map(Self)
    }

    fn schema() -> serde_json::Value {
        let mut schema = Keys::schema();
        if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
            properties.retain(|key, _| !OF_ONE.contains(&key.as_str()));
        }
        schema
    }
}
