//! Which alarms do the settings of a function in a `serverless.yml` name? Logical ids, names, and definitions of the plugin's forks.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::alarm::{Alarm, Comparison, MissingData};
use crate::alerts::{AlarmKeys, Preset};
use crate::finding::{NoteKind, Reading, shown};
use crate::keys::MOST_IN_A_LIST;
use crate::place::At;
use crate::serverless::{Reader, Word};
use crate::settings::{FunctionRef, FunctionSettings};
use crate::tree::{Map, Node};

impl<'a> Reader<'a> {
    pub(crate) fn alarms(&mut self, node: &'a Node) -> Vec<At<Alarm>> {
        self.listed(node).iter().filter_map(|node| self.alarm(node)).collect()
    }

    /// The alarms of a list.
    fn listed(&mut self, node: &'a Node) -> &'a [Node] {
        let node = self.variables.node(node);
        let list = match self.resolved(node) {
            Some(Cow::Borrowed(node)) if node.list().is_some() => node.list().unwrap_or_default(),
            Some(node) if !node.is_null() => {
                let message = format!("expected a list of alarms, found {}", crate::keys::found_text(&node));
                self.found.problem(&node.place, message);
                &[]
            }
            Some(_) | None => &[],
        };
        if list.len() > MOST_IN_A_LIST
            && let Some(first) = list.first()
        {
            self.found.problem(&first.place, format!("expected at most {MOST_IN_A_LIST} alarms, found {}", list.len()));
            return &[];
        }
        list
    }

    /// An alarm: a text is a logical id, an object has the name; in either, `Ref` has a logical id.
    fn alarm(&mut self, node: &'a Node) -> Option<At<Alarm>> {
        let inside = match self.variables.node(node) {
            Ok(Cow::Borrowed(node)) => node,
            Ok(Cow::Owned(_)) | Err(_) => node,
        };
        let by_id = |word| match word {
            Word::Text(id) | Word::Resource(id) => id.map(Alarm::LogicalId),
        };
        let name = inside.map().map(|map| map.get("name"));
        match name {
            Some(None) if inside.get("Ref").is_none() => {
                self.found.problem(&inside.place, "expected an alarm's logical id, or `name: …`");
                None
            }
            Some(Some(name)) => match self.word(name, "the alarm's name")? {
                Word::Text(name) => Some(name.map(Alarm::Name)),
                Word::Resource(id) => Some(id.map(Alarm::LogicalId)),
            },
            Some(None) | None => self.word(node, "an alarm's logical id, or `name: …`").map(by_id),
        }
    }

    /// The alarms that a fork of the plugin creates for the new version: canaryctl manages the same.
    pub(crate) fn canary_alarms(&mut self, node: &'a Node, settings: &FunctionSettings) -> Vec<At<Alarm>> {
        let base = match &settings.function.value {
            FunctionRef::Named(named) => named.function.name.clone(),
            FunctionRef::LogicalId(_) => settings.key.value.clone(),
        };
        let mut names = BTreeSet::new();
        let mut alarms = Vec::new();
        for node in self.listed(node) {
            let (map, text) = match self.variables.node(node) {
                Ok(Cow::Borrowed(node)) => (node.map(), node.text().map(str::to_owned)),
                Ok(Cow::Owned(node)) => (None, node.text().map(str::to_owned)),
                Err(_) => (None, None),
            };
            let keys = AlarmKeys { variables: &self.variables, layers: [map, None] };
            let preset = text.or_else(|| keys.text("preset")).or_else(|| keys.text("type"));
            let errors = preset.as_deref() == Some("errors");
            let fork = Preset {
                metric: if errors { "Errors" } else { "" },
                threshold: errors.then_some(1000.0),
                datapoints: Some(1),
                comparison: Comparison::Above,
                missing_data: MissingData::NotBreaching,
                chosen_by: "type",
                ..Preset::default()
            };
            let unknown = preset.is_some() && !errors;
            let Some(mut definition) = keys.definition(&base, &fork).ok().filter(|_| !unknown) else {
                let message = "this alarm of `canaryAlarms` is not watched: it is not a metric alarm that can be read";
                let hint = "define it under `alarms` in a `canary.yml`, with `name`, `metric` and `threshold`";
                self.found.note(NoteKind::Warning, &node.place, message, Some(hint));
                continue;
            };
            let name = format!("{base}-canary-{}", definition.metric.to_lowercase());
            let mut numbered = (2_u32..).map(|number| format!("{name}-{number}"));
            definition.name =
                if names.contains(&name) { numbered.find(|name| !names.contains(name)).unwrap_or(name) } else { name };
            names.insert(definition.name.clone());
            definition.doubt(&node.place, &mut self.found);
            alarms.push(At { value: Alarm::Definition(Box::new(definition)), place: node.place.clone() });
        }
        alarms
    }

    /// Warns of logical ids that nothing in this file creates.
    pub(crate) fn check_alarms<'d>(
        &mut self,
        settings: &[FunctionSettings],
        defined: impl Iterator<Item = &'d str>,
        compiled: Option<&'d Map>,
    ) where
        'a: 'd,
    {
        // A part that cannot be resolved may create any alarm.
        let Some(own) = self.resources() else { return };
        let ids: BTreeSet<&str> = defined.chain(own.into_iter().chain(compiled).flat_map(Map::keys)).collect();
        for (alarm, key) in settings.iter().flat_map(|it| it.alarms.iter().map(move |alarm| (alarm, &it.key.value))) {
            let Alarm::LogicalId(id) = &alarm.value else { continue };
            if ids.contains(id.as_str()) {
                continue;
            }
            let hint = self.found.did_you_mean(id, ids.iter().copied());
            let message = format!("nothing in this file creates the alarm `{}`", shown(id));
            self.found.in_function(key, |found| found.note(NoteKind::Warning, &alarm.place, message, hint.as_deref()));
        }
    }

    /// The resources of the file: one map of them, or several; nothing where one cannot be resolved.
    fn resources(&self) -> Option<Vec<&'a Map>> {
        let Some(node) = self.variables.path(&["resources"]).ok()? else { return Some(Vec::new()) };
        let Cow::Borrowed(node) = node else { return None };
        let mut maps = Vec::new();
        for part in node.list().unwrap_or(std::slice::from_ref(node)) {
            let Ok(Cow::Borrowed(part)) = self.variables.node(part) else { return None };
            let Some(resources) = part.get("Resources") else { continue };
            let Ok(Cow::Borrowed(resources)) = self.variables.node(resources) else { return None };
            maps.extend(resources.map());
        }
        Some(maps)
    }
}
