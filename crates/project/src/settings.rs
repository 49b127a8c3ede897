//! What is rolled out, and how? The type that every format is read into, and the keys of `canary.yml`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rollout::gate::Gate;
use rollout::hook::{HookError, HookUrl};
use rollout::plan::Mode;
use rollout::target::Qualified;
use rollout::{Arn, Schedule, Signal, Version, Weight};

use crate::Format;
use crate::alarm::{Alarm, Definition};
use crate::finding::{Findings, Note, Problem, Problems, did_you_mean};
use crate::keys::{AliasName, Read, keys, scalar, shown, words};
use crate::notify::{Addressee, Notify};
use crate::options::Options;
use crate::place::{At, Place};
use crate::tree::Node;
use crate::yaml::Document;

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
    /// The functions to roll out, in the order of the file.
    pub functions: Vec<FunctionSettings>,
    /// Alarms that the file creates, by their logical id, with their definitions.
    pub definitions: BTreeMap<String, At<Definition>>,
    /// What a deploy deletes of old versions, where the file says so.
    pub prunes: Option<At<String>>,
    /// Notes about the file.
    pub notes: Vec<Note>,
    /// The functions that the file has and that are not rolled out, with the reason.
    pub skipped: BTreeMap<String, String>,
    /// The aliases in the part of the file that cannot be read.
    pub unread_aliases: BTreeSet<String>,
    /// What cannot be read. A setting that is named in one is missing above; where the function's name is, a logical id is in its place.
    pub problems: Vec<Problem>,
}

impl Project {
    pub(crate) fn empty(format: Format, file: &str) -> Self {
        Self {
            format,
            file: file.to_owned(),
            stage: None,
            stack: None,
            region: None,
            functions: Vec::new(),
            definitions: BTreeMap::new(),
            prunes: None,
            notes: Vec::new(),
            skipped: BTreeMap::new(),
            unread_aliases: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    /// The project with its notes and its problems, without what AWS would refuse.
    pub(crate) fn finish(mut self, mut found: Findings, document: Document) -> Self {
        self.check_names(&mut found);
        self.check_twice(&mut found);
        let (problems, notes, skipped) = found.finish();
        let Document { broken, unread_aliases, .. } = document;
        // What is missing in a file that ends in the middle may be in the rest.
        let problems = broken.map_or(problems, |broken| vec![broken]);
        if !unread_aliases.is_empty() {
            for settings in &mut self.functions {
                settings.alias.take_if(|alias| alias.place == settings.key.place);
            }
        }
        Self { notes, skipped, unread_aliases, problems, ..self }
    }

    /// The project, where there is nothing wrong with it.
    ///
    /// # Errors
    /// Every problem.
    pub fn checked(mut self) -> Result<Self, Problems> {
        Problems::of(std::mem::take(&mut self.problems)).map_or(Ok(self), Err)
    }

    /// Takes out names that AWS would refuse, and names with unresolved variables.
    fn check_names(&mut self, found: &mut Findings) {
        let letters = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
        let name = |text: &str| (1..=128).contains(&text.len()) && letters(text);
        let arn = |text: &str| Arn::is_meant(text) && text.len() <= 1024 && !text.contains("${");
        let region = |text: &str| (1..=32).contains(&text.len()) && letters(text);
        let stack = |text: &str| name(text) || arn(text);
        let mut check = |at: &mut Option<At<String>>, setting: &str, sound: &dyn Fn(&str) -> bool, rule: &str| {
            if let Some(wrong) = at.take_if(|at| !sound(&at.value)) {
                found.of(setting, |found| found.problem(&wrong.place, format!("`{}` {rule}", shown(&wrong.value))));
            }
        };
        check(&mut self.stage, "stage", &is_stage, "is not a stage name: use letters, digits, `-`, `_` and `.`, at most 128");
        check(&mut self.stack, "stack", &stack, "is not a stack name: use letters, digits and `-`, at most 128");
        check(&mut self.region, "region", &region, "is not a Region");
        for settings in &mut self.functions {
            let key = settings.key.value.clone();
            settings.alarms.retain(|alarm| {
                let (Alarm::Name(text) | Alarm::LogicalId(text)) = &alarm.value else { return true };
                let sound = !text.contains("${") && !text.chars().any(char::is_control) && !text.is_empty();
                if !sound {
                    let message = format!("`{}` is not an alarm name", shown(text));
                    found.in_function(&key, |found| found.of("alarms", |found| found.problem(&alarm.place, message)));
                }
                sound
            });
        }
    }

    /// Refuses two rollouts of one alias, and two functions of one name.
    fn check_twice(&mut self, found: &mut Findings) {
        let mut keys = BTreeSet::new();
        self.functions.retain(|settings| {
            let key = &settings.key;
            let first = keys.insert(key.value.clone());
            if !first {
                let message = format!("there are two functions `{}`", shown(&key.value));
                found.in_function(&key.value, |found| found.problem(&key.place, message));
            }
            first
        });
        let mut aliases = BTreeMap::new();
        for settings in &self.functions {
            let key = &settings.key;
            let function = match &settings.function.value {
                FunctionRef::Named(function) => function.reference(),
                FunctionRef::LogicalId(id) => format!("logical id {id}"),
            };
            let alias = settings.alias.as_ref().map(|alias| alias.value.as_str());
            if let Some(other) = aliases.insert((function, alias), &key.value) {
                let message = format!("`{}` and `{}` are the same function and alias", shown(other), shown(&key.value));
                let hint = "remove one of them, or change its `name` or `alias`";
                found.in_function(&key.value, |found| found.hinted(&key.place, message, hint));
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

    /// The aliases that a function may have that is not found by its name: the one whose logical id is part of the name, as a stack
    /// makes it, else those of all functions.
    pub fn aliases_for(&self, name: &str) -> BTreeSet<&str> {
        let made_by_stack = |settings: &&FunctionSettings| match &settings.function.value {
            FunctionRef::Named(_) => false,
            FunctionRef::LogicalId(id) => name.contains(&format!("-{id}-")),
        };
        let all = self.functions.iter().filter_map(FunctionSettings::alias).chain(self.unread_aliases.iter().map(String::as_str));
        match self.functions.iter().find(made_by_stack).and_then(FunctionSettings::alias) {
            Some(alias) => [alias].into(),
            None => all.collect(),
        }
    }

    /// A similar function, where the file does not have this one.
    pub fn nearest(&self, name: &str) -> Option<String> {
        did_you_mean(name, self.functions.iter().map(|settings| settings.key.value.as_str()))
    }

    /// Every logical id to look up in the stack.
    pub fn logical_ids(&self) -> BTreeSet<&str> {
        self.functions.iter().flat_map(FunctionSettings::logical_ids).map(|(id, _)| id).collect()
    }
}

pub(crate) fn is_stage(text: &str) -> bool {
    let sound = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    (1..=128).contains(&text.len()) && text.chars().all(sound)
}

/// How one function is rolled out. `None` means not set.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionSettings {
    /// Its key in the file.
    pub key: At<String>,
    /// The function in AWS.
    pub function: At<FunctionRef>,
    /// Its alias.
    pub alias: Option<At<String>>,
    /// The traffic over time.
    pub schedule: Option<At<Schedule>>,
    /// The alarms to watch.
    pub alarms: Vec<At<Alarm>>,
    /// What else counts as failed, beside Lambda's errors.
    pub signals: Vec<At<Signal>>,
    /// The hook before the first traffic shift.
    pub pre_hook: Option<At<Hook>>,
    /// The hook before the version is promoted.
    pub post_hook: Option<At<Hook>>,
    /// The hook before each later traffic shift.
    pub step_hook: Option<At<Hook>>,
    /// What to ask once a minute while the version has traffic.
    pub checks: Vec<At<Hook>>,
    /// The alias that keeps the version before the last rollout.
    pub keep_previous: Option<At<String>>,
    /// Where the schedule waits for a person.
    pub gates: Vec<At<Gate>>,
    /// Who is told of its rollouts.
    pub notify: Vec<At<Notify>>,
    /// The options of its rollouts.
    pub options: Options,
    /// How to compare the versions.
    pub analysis: Analysis,
    /// The version to roll out, instead of publishing one.
    pub version: Option<At<Version>>,
    /// The version that the alias is expected to have now.
    pub current_version: Option<At<Version>>,
}

impl FunctionSettings {
    pub(crate) fn new(key: At<String>, function: At<FunctionRef>) -> Self {
        Self {
            key,
            function,
            alias: None,
            schedule: None,
            alarms: Vec::new(),
            signals: Vec::new(),
            pre_hook: None,
            post_hook: None,
            step_hook: None,
            checks: Vec::new(),
            keep_previous: None,
            gates: Vec::new(),
            notify: Vec::new(),
            options: Options::default(),
            analysis: Analysis::default(),
            version: None,
            current_version: None,
        }
    }

    /// Whether it has a setting, whatever else the file has for it.
    pub fn has(&self, setting: &str) -> bool {
        match setting {
            "type" | "steps" | "every" => self.schedule.is_some(),
            "alias" => self.alias.is_some(),
            "alarms" => !self.alarms.is_empty(),
            "signals" => !self.signals.is_empty(),
            "preTrafficHook" => self.pre_hook.is_some(),
            "stepHook" => self.step_hook.is_some(),
            "postTrafficHook" => self.post_hook.is_some(),
            "check" => !self.checks.is_empty(),
            "notify" => !self.notify.is_empty(),
            "gates" => !self.gates.is_empty(),
            "keepPrevious" => self.keep_previous.is_some(),
            option => self.options.iter().any(|(key, _)| key == option),
        }
    }

    fn alias(&self) -> Option<&str> {
        self.alias.as_ref().map(|alias| alias.value.as_str())
    }

    /// Says which logical id needs a stack, where none is known.
    pub(crate) fn check_stack(&self, message: impl FnOnce(&str) -> String, hint: &str, found: &mut Findings) {
        if let Some((id, place)) = self.logical_ids().next().filter(|_| !found.lacks("name")) {
            found.of("stack", |found| found.hinted(place, message(id), hint));
        }
    }

    /// The ids to look up in the stack, with their places.
    pub fn logical_ids(&self) -> impl Iterator<Item = (&str, &Place)> {
        let function = match &self.function.value {
            FunctionRef::LogicalId(id) => Some((id.as_str(), &self.function.place)),
            FunctionRef::Named(_) => None,
        };
        let hooks = [&self.pre_hook, &self.post_hook, &self.step_hook].into_iter().flatten().chain(&self.checks);
        let hooks = hooks.filter_map(|hook| match &hook.value {
            Hook::LogicalId(id) => Some((id.as_str(), &hook.place)),
            Hook::Function(_) | Hook::Url(_) => None,
        });
        let alarms = self.alarms.iter().filter_map(|alarm| match &alarm.value {
            Alarm::LogicalId(id) => Some((id.as_str(), &alarm.place)),
            Alarm::Name(_) | Alarm::Definition(_) => None,
        });
        let topics = self.notify.iter().filter_map(|at| match &at.value.to {
            Addressee::LogicalId(id) => Some((id.as_str(), &at.place)),
            Addressee::Known(_) | Addressee::Environment(_) => None,
        });
        function.into_iter().chain(hooks).chain(alarms).chain(topics)
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
    /// An HTTP endpoint.
    Url(HookUrl),
}

keys! {
    pub(crate) struct InStack {
        /// The logical id of a function in the stack.
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
            // The message does not show the URL: it may contain a token.
            return text.parse().map_err(|error: HookError| found.problem(&node.place, error.to_string())).ok().map(Self::Url);
        }
        Qualified::read(node, found).map(Self::Function)
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "anyOf": [{ "type": "string", "minLength": 1 }, InStack::schema()] })
    }
}

words! {
    /// How slow invocations count.
    pub enum LatencyMode {
        /// They are reported.
        "report" Report,
        /// They count like errors.
        "enforce" Enforce,
    }
}

words! {
    /// What to do after the extension if there were too few invocations.
    pub enum LowTraffic {
        /// Roll back.
        "rollback" RollBack,
        /// Continue.
        "promote" Promote,
        /// Send test events.
        "probe" Probe,
    }
}

keys! {
    /// How the versions are compared. `None` means not set.
    pub struct Analysis {
        /// Compare the errors of both versions: act on the result (`on`), only report it (`observe`), or do not compare (`off`).
        "mode" mode: Mode,
        /// Report slow invocations (`report`), or count them like errors (`enforce`).
        "latency" latency: LatencyMode,
        /// The highest probability of a false rollback over a whole rollout: 0.01, or 0.05 to detect sooner.
        "alpha" alpha: f64,
        /// The number of invocations that the new version needs in each step; with fewer, the step is extended.
        "minRequests" min_requests: u64,
        /// The longest extension of a step.
        "maxHold" max_hold: Duration,
        /// After the longest extension with too few invocations: roll back, continue (`promote`), or send test events (`probe`).
        "onLowTraffic" on_low_traffic: LowTraffic,
        /// The test event to invoke the new version with.
        "probeEvent" probe_event: serde_json::Value,
        /// How many times to send the test event.
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
            found.problem(&alpha.place, format!("expected 0.01 for `alpha`, or 0.05 to detect sooner, found {}", alpha.value));
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
    pub(crate) struct Keys of in_function {
        /// The function's name or ARN in AWS [default: its key]. `${stage}` is replaced by the stage.
        "name" name: String,
        /// The function's logical id in the stack, instead of its name.
        "logicalId" logical_id: String,
        /// The stages in which the function is rolled out [default: all].
        "stages" stages: Vec<At<String>>,
        /// The existing version to roll out, instead of publishing a new one.
        "version" version: Version,
        /// The version that the alias is expected to have now.
        "currentVersion" current_version: Version,
        /// The alias [default: `live`].
        "alias" alias: AliasName,
        /// The schedule: a CodeDeploy name, or any `Canary<P>Percent<N>Minutes` or `Linear<P>PercentEvery<N>Minutes`.
        "type" schedule: Schedule,
        /// The traffic of each step in percent, instead of `type`; 100 is added at the end.
        "steps" steps: Vec<At<Weight>>,
        /// The time between two steps.
        "every" every: Duration,
        /// The alarms to watch: a name, an ARN, `logicalId: …`, or the definition of a managed alarm.
        "alarms" alarms: Vec<At<Alarm>>,
        /// What else counts as failed, beside Lambda's errors: failures and requests by version, from metrics or the function's log.
        "signals" signals: Vec<At<Signal>>,
        /// The hook before the first traffic shift: a function, `logicalId: …`, or an `https://` URL.
        "preTrafficHook" pre_hook: Hook,
        /// The hook before the version is promoted.
        "postTrafficHook" post_hook: Hook,
        /// The hook before each later traffic shift.
        "stepHook" step_hook: Hook,
        /// The hooks that are asked once a minute while the version has traffic, for example whether a monitoring system has an alert.
        "check" checks: Vec<At<Hook>>,
        /// Where the schedule waits until a person approves: the traffic of a step in percent, how long, and what happens then.
        "gates" gates: Vec<At<Gate>>,
        /// The alias to put on the previous version after a promotion, so that a clean-up of old versions cannot delete it.
        "keepPrevious" keep_previous: AliasName,
        /// Who is told of the rollout: an `https://` URL, `sns:TOPIC_ARN`, `events:BUS`, `github:ENVIRONMENT`, `env:NAME`, or a map with `to` and `on`.
        "notify" notify: Vec<At<Notify>>,
        /// How the versions are compared.
        "analysis" analysis: AnalysisSetting,
        ..options: Options,
    }
}

const OF_ONE: [&str; 4] = ["name", "logicalId", "version", "currentVersion"];

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Defaults(pub(crate) Keys);

impl Read for Defaults {
    fn read(node: &Node, found: &mut Findings) -> Option<Self> {
        let outer = found.setting.take();
        for (key, _) in crate::keys::entries(node, found)?.filter(|(key, _)| OF_ONE.contains(&key.text.as_str())) {
            found.hinted(
                &key.place,
                format!("`{}` is a setting of one function, not of all", key.text),
                "write it under `functions`",
            );
        }
        let keys = Keys::read(node, found).map(Self);
        found.setting = outer;
        keys
    }

    fn schema() -> serde_json::Value {
        let mut schema = Keys::schema();
        if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
            properties.retain(|key, _| !OF_ONE.contains(&key.as_str()));
        }
        schema
    }
}
