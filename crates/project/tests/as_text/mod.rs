//! A project as text, as the golden files have it.

use std::fmt::Write as _;

use project::{Alarm, Analysis, At, FunctionRef, FunctionSettings, Hook, Project};
use rollout::policy::Value;
use rollout::target::Qualified;

/// Everything that was read. With `places`, each value says where it stands.
pub(crate) fn as_text(project: &Project, places: bool) -> String {
    let mut out = String::new();
    let writer = Writer { places };
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            writeln!(out, "{name}: {value}").unwrap();
        }
    };
    line("stage", project.stage.as_ref().map(|at| writer.at(at, Clone::clone)));
    line("stack", project.stack.as_ref().map(|at| writer.at(at, Clone::clone)));
    line("region", project.region.as_ref().map(|at| writer.at(at, Clone::clone)));
    for function in &project.functions {
        out.push_str(&writer.function(function));
    }
    out
}

struct Writer {
    places: bool,
}

impl Writer {
    fn at<T>(&self, at: &At<T>, tell: impl FnOnce(&T) -> String) -> String {
        let text = tell(&at.value);
        if self.places { format!("{text} @ {}", at.place) } else { text }
    }

    fn function(&self, settings: &FunctionSettings) -> String {
        let mut out = format!("\nfunction {}\n", self.at(&settings.key, Clone::clone));
        let mut line = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                writeln!(out, "  {name}: {value}").unwrap();
            }
        };
        line("in AWS", Some(self.at(&settings.function, function)));
        line("alias", settings.alias.as_ref().map(|at| self.at(at, Clone::clone)));
        let steps = |schedule: &rollout::Schedule| {
            let shares: Vec<String> = schedule.weights().iter().map(|weight| weight.percent()).collect();
            format!("{} every {}s", shares.join(","), schedule.every().as_secs())
        };
        line("schedule", settings.schedule.as_ref().map(|at| self.at(at, steps)));
        for at in &settings.alarms {
            line("alarm", Some(self.at(at, alarm)));
        }
        for at in &settings.signals {
            line("signal", Some(self.at(at, ToString::to_string)));
        }
        line("pre hook", settings.pre_hook.as_ref().map(|at| self.at(at, hook)));
        line("post hook", settings.post_hook.as_ref().map(|at| self.at(at, hook)));
        line("step hook", settings.step_hook.as_ref().map(|at| self.at(at, hook)));
        for at in &settings.gates {
            line("gate", Some(self.at(at, ToString::to_string)));
        }
        line("keep previous", settings.keep_previous.as_ref().map(|at| self.at(at, Clone::clone)));
        for at in &settings.notify {
            line("notify", Some(self.at(at, |notify| format!("{} {:?} {:?}", notify.to, notify.on, notify.trigger))));
        }
        for (key, at) in settings.options.iter() {
            let spaced = |letter: char| if letter.is_uppercase() { format!(" {}", letter.to_lowercase()) } else { letter.into() };
            line(&key.chars().map(spaced).collect::<String>(), Some(self.at(at, option)));
        }
        line("version", settings.version.as_ref().map(|at| self.at(at, ToString::to_string)));
        line("current version", settings.current_version.as_ref().map(|at| self.at(at, ToString::to_string)));
        let analysis = self.analysis(&settings.analysis);
        line("analysis", (!analysis.is_empty()).then_some(analysis));
        out
    }

    fn analysis(&self, analysis: &Analysis) -> String {
        let Analysis { mode, latency, alpha, min_requests, max_hold, on_low_traffic, probe_event, probe_count } = analysis;
        let parts = [
            mode.as_ref().map(|at| format!("mode {}", self.at(at, |it| it.word().to_owned()))),
            latency.as_ref().map(|at| format!("latency {}", self.at(at, |it| it.word().to_owned()))),
            alpha.as_ref().map(|at| format!("alpha {}", self.at(at, ToString::to_string))),
            min_requests.as_ref().map(|at| format!("min requests {}", self.at(at, ToString::to_string))),
            max_hold.as_ref().map(|at| format!("max hold {}", self.at(at, |hold| format!("{hold:?}")))),
            on_low_traffic.as_ref().map(|at| format!("on low traffic {}", self.at(at, |it| it.word().to_owned()))),
            probe_event.as_ref().map(|at| format!("probe event {}", self.at(at, ToString::to_string))),
            probe_count.as_ref().map(|at| format!("probe count {}", self.at(at, ToString::to_string))),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

fn qualified(function: &Qualified) -> String {
    let qualifier = function.qualifier.as_deref().map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
    format!("{}{qualifier}", function.reference())
}

fn function(function: &FunctionRef) -> String {
    match function {
        FunctionRef::Named(function) => qualified(function),
        FunctionRef::LogicalId(id) => format!("logical id {id}"),
    }
}

fn hook(hook: &Hook) -> String {
    match hook {
        Hook::Function(function) => qualified(function),
        Hook::LogicalId(id) => format!("logical id {id}"),
        Hook::Url(url) => url.secret().to_owned(),
    }
}

fn alarm(alarm: &Alarm) -> String {
    match alarm {
        Alarm::Name(name) => name.clone(),
        Alarm::LogicalId(id) => format!("logical id {id}"),
        Alarm::Definition(definition) => {
            let datapoints = definition.datapoints.map(|count| format!(", {count} bad")).unwrap_or_default();
            let missing = definition.missing_data.word();
            let dimensions = format!("{:?}", definition.dimensions);
            format!("kept {}: {definition}{datapoints}, missing is {missing}, {dimensions}", definition.name)
        }
    }
}

fn option(value: &Value) -> String {
    match value {
        Value::Time(span) => format!("{span:?}"),
        Value::Word(_) | Value::Switch(_) => value.to_string(),
    }
}
