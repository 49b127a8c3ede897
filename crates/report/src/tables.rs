//! Which tables does a report have? Their rows, the same for a page and for Markdown.

use std::time::Duration;

use rollout::comparison::{AnalysisVerdict, Calls, Numbers};
use rollout::difference::Difference;
use rollout::event::{GroupOutcome, Started};
use rollout::format::{duration, grouped};
use rollout::plan::Mode;
use rollout::{Time, Weight};

use crate::counts::figure;
use crate::format::{schedule, short, version, versions};
use crate::group;
use crate::record::{Hook, Record};
use crate::safe::one_line;

/// What a cell holds; the report escapes it.
pub(crate) enum Cell {
    Time(Time),
    Text(String),
    /// Text with code between backticks.
    Prose(String),
    /// A sentence and the log below it.
    Log(String, Vec<String>),
}

pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) caption: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn new<R: IntoIterator<Item = Cell>>(
        title: &'static str,
        caption: &str,
        head: &[&str],
        rows: impl IntoIterator<Item = R>,
    ) -> Self {
        let rows = rows.into_iter().map(|row| row.into_iter().collect()).collect();
        Self { title, caption: caption.to_owned(), head: head.iter().map(|&cell| cell.to_owned()).collect(), rows }
    }
}

pub(crate) fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

pub(crate) fn evidence(numbers: &Numbers) -> String {
    format!("{} of {}", figure(numbers.ln_evidence), figure(numbers.ln_threshold))
}

pub(crate) fn members(outcome: &GroupOutcome) -> Table {
    let rows = outcome.members.iter().map(|member| group::row(member).map(Cell::Prose));
    Table::new("Functions", "Outcome of each function", &["Function", "Outcome", "Why", "Now"], rows)
}

pub(crate) fn decisions(record: &Record) -> Table {
    let compared = record.compared();
    let rows = record.decisions.iter().map(|decision| {
        let evidence = decision.numbers.as_ref().map_or_else(|| "not counted yet".to_owned(), evidence);
        let cells = [Cell::Time(decision.at), text(decision.what.as_str()), Cell::Prose(decision.because.clone())];
        cells.into_iter().chain(compared.then(|| text(evidence)))
    });
    let head = ["Time", "Decision", "Because", "Evidence"];
    Table::new("Decisions", "Decisions and their reasons", &head[..if compared { 4 } else { 3 }], rows)
}

/// What decides, each for itself as last counted: errors and the signals, what has the most evidence first.
pub(crate) fn streams(record: &Record) -> Table {
    let streams = record.minutes().last().map(|count| count.numbers.streams()).unwrap_or_default();
    let rows = streams.iter().map(|stream| {
        let failed = |calls: &Calls| format!("{} ({} of {})", calls.rate(), grouped(calls.errors), grouped(calls.calls));
        let verdict = stream.opinion.map_or("", verdict_word);
        let counted = stream.counted_to.map_or_else(|| text(""), Cell::Time);
        let cells = [failed(stream.stable), failed(stream.candidate), figure(stream.ln_evidence), verdict.to_owned()];
        let lag = stream.log_lag_seconds.map(|lag| format!(" (log {} late)", duration(Duration::from_secs(lag))));
        [text(format!("{}{}", one_line(stream.name), lag.unwrap_or_default()))]
            .into_iter()
            .chain(cells.map(text))
            .chain([counted])
    });
    let (stable, candidate) = (version(record.story.stable()), version(record.story.candidate));
    let (stable, candidate) = (format!("Failed of {stable}"), format!("Failed of {candidate}"));
    let head = ["Signal", stable.as_str(), candidate.as_str(), "Evidence", "Alone", "Counted to"];
    Table::new("Signals", "Errors and signals, in total", &head, rows)
}

/// What a stream says alone.
pub(crate) fn verdict_word(opinion: AnalysisVerdict) -> &'static str {
    match opinion {
        AnalysisVerdict::Pass => "healthy",
        AnalysisVerdict::Hold => "possibly worse",
        AnalysisVerdict::RollBack => "worse",
        AnalysisVerdict::NoData => "no data",
        AnalysisVerdict::LowPower => "too few",
    }
}

pub(crate) fn hooks(record: &Record) -> Table {
    let rows = record.hooks.iter().map(|hook| {
        let took = hook.took_ms.map_or_else(String::new, |took| duration(Duration::from_millis(took)));
        [Cell::Time(hook.invoked), text(hook.phase.word()), text(hook.name.as_str()), answer(hook), text(took)]
    });
    Table::new("Hooks", "Hooks and their answers", &["Invoked", "Phase", "Hook", "Answer", "Took"], rows)
}

fn answer(hook: &Hook) -> Cell {
    let Some(succeeded) = hook.succeeded else { return text("no answer") };
    let word = if succeeded { "✔ succeeded" } else { "✖ failed" };
    match hook.log.as_slice() {
        [] => text(word),
        [first, log @ ..] => Cell::Log(format!("{word}: {first}"), log.to_vec()),
    }
}

pub(crate) fn alarms(record: &Record) -> Table {
    let watched = record.story.started.as_ref().map(|(_, started)| started.alarms.as_slice()).unwrap_or_default();
    let silent = watched.iter().filter(|name| record.alarms.iter().all(|alarm| alarm.name != **name));
    let silent = silent.map(|name| [one_line(name).as_str(), "OK", "", "throughout"].map(text));
    let states = record.alarms.iter().map(|alarm| {
        let word = alarm.state.word().replace('_', " ");
        [text(one_line(&alarm.name)), text(word), Cell::Time(alarm.since), text(alarm.reason.as_str())]
    });
    Table::new("Alarms", "States of the alarms", &["Alarm", "State", "Since", "Reason"], states.chain(silent))
}

/// How the versions differ: setting, stable's value, the candidate's value.
pub(crate) fn differences(record: &Record) -> Table {
    let names = |sign: &str, names: &[String]| names.iter().map(|name| format!("{sign}{}", one_line(name))).collect::<Vec<_>>();
    let rows = record.differs.iter().map(|differs: &Difference| {
        let value = |value: &Option<String>| value.as_ref().map(|value| one_line(value));
        let [stable, candidate] = match (value(&differs.stable), value(&differs.candidate)) {
            (None, None) => {
                let changed: Vec<String> = differs.changed.iter().map(|name| format!("{} changed", one_line(name))).collect();
                [names("−", &differs.removed), [names("+", &differs.added), changed].concat()].map(|names| names.join(", "))
            }
            (stable, candidate) => [stable, candidate].map(|value| value.unwrap_or_else(|| "none".to_owned())),
        };
        [one_line(&differs.name), stable, candidate].map(text)
    });
    let (stable, candidate) = (version(record.story.stable()), version(record.story.candidate));
    Table::new("Versions", &format!("Differences between {stable} and {candidate}"), &["", &stable, &candidate], rows)
}

pub(crate) fn log(record: &Record) -> Table {
    let rows =
        record.log.iter().map(|(at, line)| [Cell::Time(*at), text(line.word), Cell::Log(line.text.clone(), line.under.clone())]);
    Table::new("Log", "Full log", &["Time", "What", "Detail"], rows)
}

pub(crate) fn settings(record: &Record) -> Vec<(&'static str, String)> {
    let Some((_, started)) = &record.story.started else { return Vec::new() };
    let Started { rollout_id, stable, bake_seconds, alarms, analysis, pre_hook, step_hook, post_hook, checks, .. } = started;
    let or_none = |text: Option<&String>| text.map_or_else(|| "none".to_owned(), |name| short(&one_line(name)).to_owned());
    let alarms: Vec<String> = alarms.iter().map(|name| one_line(name)).collect();
    let signals: Vec<String> = started.signals.iter().map(|name| one_line(name)).collect();
    let compared = match analysis {
        Some(Mode::On) => "invocations of both versions",
        Some(Mode::Observe) => "invocations of both versions, report only",
        Some(Mode::Off) | None => "off",
    };
    let mut settings = vec![
        ("Rollout", rollout_id.clone()),
        ("Versions", versions(*stable, record.story.candidate, "→")),
        ("Schedule", if stable.is_some() { schedule(started) } else { format!("first deployment: {} at once", Weight::FULL) }),
        ("Bake", duration(Duration::from_secs(*bake_seconds))),
        ("Alarms", if alarms.is_empty() { "none".to_owned() } else { alarms.join(", ") }),
        ("Comparison", compared.to_owned()),
        ("Signals", signals.join(", ")),
        ("Pre-traffic hook", or_none(pre_hook.as_ref())),
    ];
    settings.retain(|(name, value)| *name != "Signals" || !value.is_empty());
    settings.extend(step_hook.as_ref().map(|hook| ("Step hook", or_none(Some(hook)))));
    settings.push(("Post-traffic hook", or_none(post_hook.as_ref())));
    let checks: Vec<String> = checks.iter().map(|check| short(&one_line(check)).to_owned()).collect();
    settings.extend((!checks.is_empty()).then(|| ("Checks", checks.join(", "))));
    settings
}
