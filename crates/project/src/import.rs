//! How does `canary.yml` express a project? Writes any project in canaryctl's own format, with a comment for each note.
//!
//! The written file means the same when it is read again. The stage is resolved, so the file is for one stage.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use rollout::format::exact;
use rollout::gate::Gate;
use rollout::signal::SignalSource;
use rollout::target::Qualified;
use rollout::{Schedule, Signal, Weight};

use crate::alarm::{Alarm, Comparison, Definition, LAMBDA, MissingData};
use crate::finding::{Note, NoteKind};
use crate::notify::{Addressee, Notify, written};
use crate::settings::{Analysis, FunctionRef, FunctionSettings, Hook, Project};

/// The `canary.yml` that is equal to a project.
pub fn canary_yml(project: &Project) -> String {
    let mut out = Lines::default();
    let stage = project.stage.as_ref().map(|stage| format!(", for stage {}", stage.value)).unwrap_or_default();
    out.comment(&format!("Made from {} ({}){stage}.", project.file, project.format));
    let of_function = |note: &Note, settings: &FunctionSettings| note.function.as_deref() == Some(settings.key.value.as_str());
    let at_home = |note: &Note| project.functions.iter().any(|settings| of_function(note, settings));
    for note in project.notes.iter().filter(|note| !at_home(note)) {
        out.note(note);
    }
    let tops = [("stage", &project.stage), ("stack", &project.stack), ("region", &project.region)];
    out.pairs(tops.map(|(key, value)| (key, value.as_ref().map(|at| text(&at.value)))));
    if let (None, Some(id)) = (&project.stack, project.logical_ids().first()) {
        out.comment(&format!("stack: …    # to be filled in: the stack that has `{id}`"));
    }
    if project.functions.is_empty() {
        out.pair("functions", "{}");
        return out.text;
    }
    out.open("functions");
    for settings in &project.functions {
        out.open(&text(&settings.key.value));
        for note in project.notes.iter().filter(|note| of_function(note, settings)) {
            out.note(note);
        }
        function(&mut out, settings);
        out.close();
    }
    out.text
}

#[derive(Default)]
struct Lines {
    text: String,
    depth: usize,
}

impl Lines {
    fn line(&mut self, line: fmt::Arguments<'_>) {
        let depth = self.depth * 2;
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "{:depth$}{line}", "");
    }

    fn pair(&mut self, key: &str, value: &str) {
        self.line(format_args!("{key}: {value}"));
    }

    /// The keys that have a value.
    fn pairs<const N: usize>(&mut self, pairs: [(&str, Option<String>); N]) {
        for (key, value) in pairs.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            self.pair(key, &value);
        }
    }

    fn open(&mut self, key: &str) {
        self.line(format_args!("{key}:"));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
    }

    /// A comment stays in its line, whatever is in it.
    fn comment(&mut self, text: &str) {
        let text: String = text.chars().map(|letter| if is_seen(letter) { letter } else { ' ' }).collect();
        self.line(format_args!("# {text}"));
    }

    fn note(&mut self, note: &Note) {
        let kind = if note.kind == NoteKind::Warning { "warning: " } else { "" };
        self.comment(&format!("{kind}{}: {}", note.place, note.message));
        if let Some(hint) = &note.hint {
            self.comment(&format!("  hint: {hint}"));
        }
    }
}

fn function(out: &mut Lines, settings: &FunctionSettings) {
    match &settings.function.value {
        FunctionRef::Named(function) if function.reference() == settings.key.value => {}
        FunctionRef::Named(function) => out.pair("name", &text(&function.reference())),
        FunctionRef::LogicalId(id) => out.pair("logicalId", &text(id)),
    }
    out.pairs([
        ("version", settings.version.as_ref().map(|version| version.value.to_string())),
        ("currentVersion", settings.current_version.as_ref().map(|version| version.value.to_string())),
        ("alias", settings.alias.as_ref().map(|alias| text(&alias.value))),
    ]);
    if let Some(at) = &settings.schedule {
        schedule(out, &at.value);
    }
    if !settings.alarms.is_empty() {
        out.open("alarms");
        settings.alarms.iter().for_each(|at| alarm(out, &at.value));
        out.close();
    }
    if !settings.signals.is_empty() {
        out.open("signals");
        settings.signals.iter().for_each(|at| signal(out, &at.value));
        out.close();
    }
    let hooks =
        [("preTrafficHook", &settings.pre_hook), ("postTrafficHook", &settings.post_hook), ("stepHook", &settings.step_hook)];
    let hook = |hook: &Hook| match hook {
        Hook::Function(function) => text(&qualified(function)),
        Hook::Url(url) => text(url.secret()),
        Hook::LogicalId(id) => format!("{{logicalId: {}}}", text(id)),
    };
    out.pairs(hooks.map(|(key, at)| (key, at.as_ref().map(|at| hook(&at.value)))));
    if !settings.checks.is_empty() {
        out.open("check");
        settings.checks.iter().for_each(|at| out.line(format_args!("- {}", hook(&at.value))));
        out.close();
    }
    if !settings.gates.is_empty() {
        out.open("gates");
        settings.gates.iter().for_each(|at| gate(out, &at.value));
        out.close();
    }
    out.pairs([("keepPrevious", settings.keep_previous.as_ref().map(|alias| text(&alias.value)))]);
    if !settings.notify.is_empty() {
        out.open("notify");
        settings.notify.iter().for_each(|at| notify(out, &at.value));
        out.close();
    }
    for (key, at) in settings.options.iter() {
        out.pair(key, &at.value.to_string());
    }
    analysis(out, &settings.analysis);
}

fn gate(out: &mut Lines, gate: &Gate) {
    out.line(format_args!("- at: {}", gate.weight.percent()));
    out.depth += 1;
    out.pairs([("for", Some(exact(gate.lasts))), ("then", Some(gate.word().to_owned()))]);
    out.depth -= 1;
}

fn notify(out: &mut Lines, notify: &Notify) {
    let to = &notify.to;
    let alone = notify.on.is_empty() && notify.trigger.is_none();
    let first = match to {
        Addressee::LogicalId(id) => format!("logicalId: {}", text(id)),
        Addressee::Known(_) | Addressee::Environment(_) if alone => return out.line(format_args!("- {}", text(&written(to)))),
        Addressee::Known(_) | Addressee::Environment(_) => format!("to: {}", text(&written(to))),
    };
    out.line(format_args!("- {first}"));
    out.depth += 1;
    let kinds: Vec<&str> = notify.on.iter().map(|kind| kind.word()).collect();
    out.pairs([
        ("on", (!kinds.is_empty()).then(|| format!("[{}]", kinds.join(", ")))),
        ("trigger", notify.trigger.as_ref().map(|name| text(name))),
    ]);
    out.depth -= 1;
}

/// A name, where the schedule has one; else its steps.
fn schedule(out: &mut Lines, schedule: &Schedule) {
    let name = schedule.to_string();
    if name.parse::<Schedule>().is_ok() {
        return out.pair("type", &name);
    }
    let weights = schedule.weights();
    let listed = weights.iter().filter(|weight| weights.len() == 1 || **weight != Weight::FULL);
    let listed: Vec<String> = listed.map(|weight| weight.percent()).collect();
    out.pair("steps", &format!("[{}]", listed.join(", ")));
    out.pair("every", &exact(schedule.every()));
}

fn alarm(out: &mut Lines, alarm: &Alarm) {
    match alarm {
        Alarm::Name(name) => out.line(format_args!("- {}", text(name))),
        Alarm::LogicalId(id) => out.line(format_args!("- logicalId: {}", text(id))),
        Alarm::Definition(definition) => {
            out.line(format_args!("- name: {}", text(&definition.name)));
            out.depth += 1;
            define(out, definition);
            out.depth -= 1;
        }
    }
}

fn signal(out: &mut Lines, signal: &Signal) {
    out.line(format_args!("- name: {}", text(&signal.name)));
    out.depth += 1;
    match &signal.source {
        SignalSource::Logs { filter } => {
            out.open("logs");
            out.pair("filter", &text(filter));
            out.close();
        }
        SignalSource::Metrics { failures, requests } => {
            for (key, metric) in [("failures", Some(failures)), ("requests", requests.as_ref())] {
                let Some(metric) = metric else { continue };
                out.open(key);
                out.pairs([("namespace", Some(text(&metric.namespace))), ("metric", Some(text(&metric.metric)))]);
                dimensions(out, &metric.dimensions);
                out.close();
            }
        }
    }
    out.depth -= 1;
}

fn dimensions(out: &mut Lines, dimensions: &BTreeMap<String, String>) {
    if !dimensions.is_empty() {
        out.open("dimensions");
        for (name, value) in dimensions {
            out.pair(&text(name), &text(value));
        }
        out.close();
    }
}

/// The keys that differ from their defaults.
fn define(out: &mut Lines, definition: &Definition) {
    let Definition { namespace, metric, statistic, threshold, period, evaluation_periods, datapoints, .. } = definition;
    let (comparison, missing_data) = (definition.comparison, definition.missing_data);
    out.pairs([
        ("namespace", (namespace != LAMBDA).then(|| text(namespace))),
        ("metric", Some(text(metric))),
        ("statistic", Some(text(statistic))),
        ("threshold", Some(threshold.to_string())),
        ("period", Some(exact(*period))),
        ("evaluationPeriods", Some(evaluation_periods.to_string())),
        ("datapointsToAlarm", datapoints.map(|datapoints| datapoints.to_string())),
        ("comparisonOperator", (comparison != Comparison::AtLeast).then(|| comparison.word().to_owned())),
        ("treatMissingData", (missing_data != MissingData::NotBreaching).then(|| missing_data.word().to_owned())),
    ]);
    dimensions(out, &definition.dimensions);
}

fn analysis(out: &mut Lines, analysis: &Analysis) {
    if *analysis == Analysis::default() {
        return;
    }
    let Analysis { mode, latency, alpha, min_requests, max_hold, on_low_traffic, probe_event, probe_count } = analysis;
    out.open("analysis");
    out.pairs([
        ("mode", mode.as_ref().map(|at| at.value.word().to_owned())),
        ("latency", latency.as_ref().map(|at| at.value.word().to_owned())),
        ("alpha", alpha.as_ref().map(|at| at.value.to_string())),
        ("minRequests", min_requests.as_ref().map(|at| at.value.to_string())),
        ("maxHold", max_hold.as_ref().map(|at| exact(at.value))),
        ("onLowTraffic", on_low_traffic.as_ref().map(|at| at.value.word().to_owned())),
        // JSON is YAML.
        ("probeEvent", probe_event.as_ref().map(|at| at.value.to_string())),
        ("probeCount", probe_count.as_ref().map(|at| at.value.to_string())),
    ]);
    out.close();
}

fn qualified(function: &Qualified) -> String {
    let qualifier = function.qualifier.as_deref().map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
    format!("{}{qualifier}", function.reference())
}

/// A text as YAML: in quotes, unless every reader takes it for a text without them.
fn text(text: &str) -> String {
    let begins = text.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].iter().any(|word| text.eq_ignore_ascii_case(word));
    if begins && text.chars().all(plain) && !word {
        return text.to_owned();
    }
    let quoted = serde_json::Value::from(text).to_string();
    quoted
        .replace("##", "\\u0023#")
        .chars()
        .map(|letter| if is_seen(letter) { letter.to_string() } else { escaped(letter) })
        .collect()
}

fn escaped(letter: char) -> String {
    format!("\\U{:08x}", u32::from(letter))
}

/// Whether a letter is to be seen and nothing else: no control, no mark that turns the direction of writing, nothing without width.
fn is_seen(letter: char) -> bool {
    let unseen = ['\u{ad}', '\u{34f}', '\u{61c}', '\u{180e}', '\u{feff}'];
    let marks = ['\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{2060}'..='\u{206f}', '\u{e0000}'..='\u{e007f}'];
    !letter.is_control() && !unseen.contains(&letter) && !marks.iter().any(|marks| marks.contains(&letter))
}
