//! Which alarms does the Alerts plugin of the Serverless Framework create? Their logical ids and their metrics.
//!
//! `HelloFooAlarm` is the alarm `foo` of the function `hello`. Only what can be shown is read: topics and dashboards are not.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::alarm::{Comparison, Definition, LAMBDA, MissingData, is_statistic};
use crate::finding::{Findings, NoteKind};
use crate::keys::{Read, shown};
use crate::place::At;
use crate::tree::{Key, Map, Node};
use crate::variables::Variables;

pub(crate) struct Alerts<'a, 'v> {
    variables: &'v Variables<'a>,
    functions: &'v [(&'a Key, &'a Node)],
    definitions: Option<&'a Map>,
    global: Vec<&'a Node>,
    enabled: bool,
}

impl<'a, 'v> Alerts<'a, 'v> {
    pub(crate) fn read(variables: &'v Variables<'a>, functions: &'v [(&'a Key, &'a Node)], stage: Option<&str>) -> Self {
        let under = |key: &str| match variables.path(&["custom", "alerts", key]) {
            Ok(Some(Cow::Borrowed(node))) => Some(node),
            Ok(_) | Err(_) => None,
        };
        let stages = under("stages").and_then(Node::list);
        let there = variables.path(&["custom", "alerts"]).is_ok_and(|node| node.is_some());
        Self {
            variables,
            functions,
            definitions: under("definitions").and_then(Node::map),
            global: ["alarms", "global", "function"].into_iter().filter_map(under).filter_map(Node::list).flatten().collect(),
            enabled: there && stages.is_none_or(|stages| stages.iter().any(|node| node.text() == stage)),
        }
    }

    /// Every alarm by its logical id, with its definition where it is known.
    pub(crate) fn definitions(&self, found: &mut Findings) -> BTreeMap<String, Option<At<Definition>>> {
        let mut all = BTreeMap::new();
        let mut seen = 0;
        if !self.enabled {
            return all;
        }
        for (key, node) in self.functions {
            let own = match node.get("alarms").map(|alarms| self.variables.node(alarms)) {
                Some(Ok(Cow::Borrowed(node))) => node.list().unwrap_or_default(),
                Some(Ok(Cow::Owned(_)) | Err(_)) | None => &[],
            };
            for alarm in self.global.iter().copied().chain(own) {
                // A stack has at most 500 resources.
                seen += 1;
                if seen > MOST {
                    let message = format!("more than {MOST} alarms: the others are not checked");
                    found.note(NoteKind::Ignored, &alarm.place, message, None);
                    return all;
                }
                if let Some((name, definition)) = self.alarm(alarm, found) {
                    all.insert(format!("{}{}Alarm", normalised(&key.text), normalised(&name)), definition);
                }
            }
        }
        all
    }

    /// An alarm by name, or a map that changes or defines one.
    fn alarm(&self, node: &'a Node, found: &mut Findings) -> Option<(String, Option<At<Definition>>)> {
        let map = node.map();
        let name = match self.variables.node(map.map_or(Some(node), |map| map.get("name"))?) {
            Ok(name) => name.text()?.to_owned(),
            Err(_) => return None,
        };
        let known = self.definitions.and_then(|definitions| definitions.get(&name)).and_then(Node::map);
        let built_in = BUILT_IN.iter().find(|(known, ..)| *known == name);
        if known.is_none() && built_in.is_none() && map.is_none() {
            found.note(NoteKind::Warning, &node.place, format!("there is no alarm definition `{}`", shown(&name)), None);
            return None;
        }
        let keys = AlarmKeys { variables: self.variables, layers: [map, known] };
        let (_, metric, statistic, threshold) = built_in.copied().unwrap_or((&name, "", "Sum", 1.0));
        let preset = Preset { metric, statistic, threshold: Some(threshold), ..Preset::default() };
        let definition = match keys.definition(&name, &preset) {
            Ok(definition) => definition,
            Err(unlike) => {
                let (kind, why) = match unlike {
                    Some(key) => (NoteKind::Ignored, format!("has `{key}`: it is watched, but its metric is not shown")),
                    None => (NoteKind::Warning, "has no metric or no valid statistic".to_owned()),
                };
                found.note(kind, &node.place, format!("alarm `{}` {why}", shown(&name)), None);
                return Some((name, None));
            }
        };
        definition.doubt(&node.place, found);
        let place = known.and_then(|map| map.iter().next()).map_or(&node.place, |(key, _)| &key.place);
        let place = if map.is_some() { node.place.clone() } else { place.clone() };
        Some((name, Some(At { value: definition, place })))
    }
}

/// What a plugin takes where an alarm does not say it.
pub(crate) struct Preset<'p> {
    pub(crate) metric: &'p str,
    pub(crate) statistic: &'p str,
    pub(crate) threshold: Option<f64>,
    pub(crate) datapoints: Option<u32>,
    pub(crate) comparison: Comparison,
    pub(crate) missing_data: MissingData,
    /// The key that chooses a preset, which is no kind of alarm.
    pub(crate) chosen_by: &'p str,
}

impl Default for Preset<'_> {
    fn default() -> Self {
        Self {
            metric: "",
            statistic: "Sum",
            threshold: None,
            datapoints: None,
            comparison: Comparison::AtLeast,
            missing_data: MissingData::Missing,
            chosen_by: "",
        }
    }
}

/// The keys of an alarm as plugins write them, the nearer map first.
pub(crate) struct AlarmKeys<'a, 'v> {
    pub(crate) variables: &'v Variables<'a>,
    pub(crate) layers: [Option<&'a Map>; 2],
}

impl<'a> AlarmKeys<'a, '_> {
    fn get(&self, key: &str) -> Option<Cow<'a, Node>> {
        let node = self.layers.into_iter().flatten().find_map(|map| map.get(key))?;
        self.variables.node(node).ok().filter(|node| !node.is_null())
    }

    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.get(key)?.text().map(str::to_owned)
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.get(key)?.text()?.parse().ok()
    }

    /// The definition, with the plugin's defaults. An error where it is not a plain metric alarm: the key that makes it another one, or
    /// nothing where it is not one at all.
    pub(crate) fn definition(&self, name: &str, preset: &Preset<'_>) -> Result<Definition, Option<&'static str>> {
        let unlike =
            |key: &&str| *key != preset.chosen_by && self.get(key).is_some() && self.text(key).as_deref() != Some("static");
        if let Some(key) = ["pattern", "metrics", "type"].into_iter().find(unlike) {
            return Err(Some(key));
        }
        let statistic = self.text("statistic").or_else(|| self.text("extendedStatistic"));
        let statistic = statistic.unwrap_or_else(|| preset.statistic.to_owned());
        let metric = self.text("metric").unwrap_or_else(|| preset.metric.to_owned());
        let threshold = self.number("threshold").filter(|number: &f64| number.is_finite()).or(preset.threshold);
        let threshold = threshold.filter(|_| !metric.is_empty() && is_statistic(&statistic)).ok_or(None)?;
        let mut left_out = Findings::default();
        let comparison = self.get("comparisonOperator").and_then(|it| Comparison::read(&it, &mut left_out));
        let missing_data = self.get("treatMissingData").and_then(|it| MissingData::read(&it, &mut left_out));
        Ok(Definition {
            name: name.to_owned(),
            namespace: self.text("namespace").unwrap_or_else(|| LAMBDA.to_owned()),
            metric,
            statistic,
            threshold,
            period: Duration::from_secs(self.number::<u32>("period").unwrap_or(60).into()),
            evaluation_periods: self.number("evaluationPeriods").unwrap_or(1),
            datapoints: self.number("datapointsToAlarm").or(preset.datapoints),
            comparison: comparison.unwrap_or(preset.comparison),
            missing_data: missing_data.unwrap_or(preset.missing_data),
            dimensions: BTreeMap::new(),
        })
    }
}

/// A name as the framework and its plugins write it into ids.
pub(crate) fn normalised(name: &str) -> String {
    let name = name.replace('-', "Dash").replace('_', "Underscore");
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}

/// The plugin's built-in definitions: name, metric, statistic, threshold.
const BUILT_IN: [(&str, &str, &str, f64); 4] = [
    ("functionInvocations", "Invocations", "Sum", 100.0),
    ("functionErrors", "Errors", "Sum", 1.0),
    ("functionDuration", "Duration", "Average", 500.0),
    ("functionThrottles", "Throttles", "Sum", 1.0),
];
const MOST: usize = 2000;
