//! What can be shown to anyone after a rollout? One page: the verdict, a chart, and the tables behind it.
//!
//! One file without scripts, fonts or network. Long tables are folded, and stay folded on paper.

use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use rollout::comparison::Numbers;
use rollout::event::{Difference, Event, GroupOutcome, Started};
use rollout::format::{duration, grouped};
use rollout::health::clock;
use rollout::plan::Mode;
use rollout::{Time, Version, Weight};

use crate::chart::chart;
use crate::counts::figure;
use crate::ending::Block;
use crate::format::{schedule, short, version, versions};
use crate::group;
use crate::record::{Answer, Decision, Hook, Record, records};
use crate::safe::{clean, one_line, prose};
use crate::styled::Tone;

/// The page about the rollouts of these events, from their saved form or as they came.
pub fn html(events: &[Event]) -> String {
    let records = records(events);
    let several = group::outcome(events);
    let title = match (several, records.as_slice()) {
        (Some(outcome), _) => Block::of_a_group(outcome).verdict.sentence,
        (None, []) => "No rollout".to_owned(),
        (None, [record, ..]) => record.block().verdict.sentence,
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="color-scheme" content="light dark";
                title { (clean(&title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    @if records.is_empty() {
                        h1 { "No rollout" }
                        p { "There are no events." }
                    }
                    @if let Some(outcome) = several { (all(outcome)) }
                    @for (index, record) in records.iter().enumerate() { (article(record, index)) }
                }
            }
        }
    };
    page.into_string()
}

const STYLE: &str = include_str!("page.css");

/// How many rows of a table are open; the rest is folded, and left out on paper.
const OPEN_ROWS: usize = 14;

/// Lets a wide element scroll sideways, with the keyboard too.
fn wide(what: &Markup) -> Markup {
    html! { div.wide tabindex="0" { (what) } }
}

/// The outcome of several functions: for all of them, and each in a row.
fn all(outcome: &GroupOutcome) -> Markup {
    let block = Block::of_a_group(outcome);
    let rows: Vec<_> = outcome.members.iter().map(|member| group::row(member).map(|cell| prose(&cell)).to_vec()).collect();
    html! {
        article {
            (verdict(&block, &block.spent))
            h2 { "Functions" }
            (table("Outcome of each function", &["Function", "Outcome", "Why", "Now"], &rows))
        }
    }
}

fn article(record: &Record, index: usize) -> Markup {
    let block = record.block();
    html! {
        article {
            (verdict(&block, &spent(record, &block.spent)))
            @if let Some(svg) = chart(record, index) {
                h2 { "Over time" }
                figure {
                    (wide(&svg))
                    figcaption { (legend(record)) }
                }
                (counts(record))
            }
            (decisions(record))
            (hooks(record))
            (alarms(record))
            (warnings(record))
            (settings(record))
            (differences(record))
            h2 { "What to do next" }
            ul { @for command in &block.next { li { code { (clean(command)) } } } }
            (log(record))
        }
    }
}

fn verdict(block: &Block, spent: &str) -> Markup {
    let class = match block.verdict.tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Plain | Tone::Strong | Tone::Dim | Tone::Warn => "warn",
    };
    html! {
        header {
            p class={ "verdict " (class) } { span aria-hidden="true" { (block.verdict.mark) } " " (block.verdict.word) }
            h1 { (clean(&block.verdict.sentence)) }
            p.quiet { (clean(spent)) }
        }
        dl {
            dt { "Why" }
            dd { (lines(block.why.iter().map(|line| prose(line)))) }
            @if let Some(exposed) = &block.exposed {
                dt { "Exposed" }
                dd { (clean(exposed)) }
            }
            dt { "Now" }
            dd { (clean(&block.now)) }
            dt { "Next" }
            dd { (lines(block.next.iter().map(|command| html! { code { (clean(command)) } }))) }
        }
    }
}

fn lines(lines: impl Iterator<Item = Markup>) -> Markup {
    html! { @for (index, line) in lines.enumerate() { @if index > 0 { br; } (line) } }
}

/// When it was, and how long it took.
fn spent(record: &Record, spent: &str) -> String {
    let day = record.began.to_string();
    let times = format!("{}, {} to {} UTC", day.get(..10).unwrap_or(&day), clock(record.began), clock(record.last));
    [times.as_str(), spent].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn legend(record: &Record) -> Markup {
    let name = |version: Option<Version>| version.map_or_else(|| "?".to_owned(), |version| version.to_string());
    html! {
        span class="key key-candidate" {} " " (name(record.story.candidate)) ", the candidate"
        @if record.compared() {
            " · " span class="key key-stable" {} " " (name(record.story.stable())) ", stable"
            " · errors are at the time of the invocations, evidence at the time of the count"
        }
        @if record.counts.iter().any(|count| count.numbers.seen_percent.is_some()) { " · rings: observed traffic" }
        " · times are UTC"
    }
}

/// A table, with the earlier rows of a long one folded: the last ones show the end.
fn table(caption: &str, head: &[&str], rows: &[Vec<Markup>]) -> Markup {
    if rows.len() <= OPEN_ROWS {
        return whole(caption, head, rows);
    }
    let (earlier, last) = rows.split_at(rows.len() - OPEN_ROWS + 2);
    html! {
        details {
            summary { (caption) ": " (earlier.len()) " earlier rows" }
            (whole(caption, head, earlier))
        }
        (whole(&format!("{caption}, the last {}", last.len()), head, last))
    }
}

/// A table that is folded whole.
fn folded(caption: &str, head: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        details {
            summary { (caption) " (" (rows.len()) " rows)" }
            (whole(caption, head, rows))
        }
    }
}

fn whole(caption: &str, head: &[&str], rows: &[Vec<Markup>]) -> Markup {
    wide(&html! {
        table {
            caption { (clean(caption)) }
            thead { tr { @for cell in head { th scope="col" { (cell) } } } }
            tbody { @for row in rows { tr { @for cell in row { td { (cell) } } } } }
        }
    })
}

/// A table with a heading; nothing if it has no rows.
fn section(title: &str, caption: &str, head: &[&str], rows: &[Vec<Markup>]) -> Markup {
    html! {
        @if !rows.is_empty() {
            h2 { (title) }
            (table(caption, head, rows))
        }
    }
}

fn text(text: &str) -> Markup {
    html! { (clean(text)) }
}

fn time(at: Time) -> Markup {
    html! { time datetime=(at) { (clock(at)) } }
}

fn failed(calls: &rollout::comparison::Calls) -> String {
    format!("{} ({} of {})", calls.rate(), grouped(calls.errors), grouped(calls.calls))
}

fn against(numbers: &Numbers) -> String {
    format!("{} of {}", figure(numbers.ln_evidence), figure(numbers.ln_threshold))
}

/// The numbers of the chart.
fn counts(record: &Record) -> Markup {
    let minutes = record.minutes();
    let Some(last) = minutes.last() else { return Markup::default() };
    let row = |count: &&crate::record::Count| {
        let numbers = &count.numbers;
        let slow = numbers
            .slow
            .as_ref()
            .map_or_else(String::new, |slow| format!("{} · {}", slow.stable_percent.percent(), slow.candidate_percent.percent()));
        let share = record.share_at(count.at).to_string();
        let cells = [share, failed(&numbers.stable), failed(&numbers.candidate), slow, against(numbers)];
        [time(count.at)].into_iter().chain(cells.iter().map(|cell| text(cell))).collect()
    };
    let rows: Vec<Vec<Markup>> = minutes.iter().map(row).collect();
    let of_stable = format!("Failed of {}", last.numbers.stable.version);
    let of_candidate = format!("Failed of {}", last.numbers.candidate.version);
    let slow = match &last.numbers.slow {
        Some(slow) => format!("Over {:.0} ms", slow.stable_limit_ms.to_f64()),
        None => "Slow".to_owned(),
    };
    let head = ["Counted", "Traffic", of_stable.as_str(), of_candidate.as_str(), slow.as_str(), "Evidence"];
    folded("Invocations since the rollout started, in total", &head, &rows)
}

fn decisions(record: &Record) -> Markup {
    let compared = record.compared();
    let row = |decision: &Decision| {
        let evidence = decision.numbers.as_ref().map_or_else(|| "not counted yet".to_owned(), against);
        let cells = [time(decision.at), text(&decision.what), prose(&decision.because)];
        cells.into_iter().chain(compared.then(|| text(&evidence))).collect()
    };
    let rows: Vec<Vec<Markup>> = record.decisions.iter().map(row).collect();
    let head = ["Time", "Decision", "Because", "Evidence"];
    section("Decisions", "Decisions and their reasons", &head[..if compared { 4 } else { 3 }], &rows)
}

fn hooks(record: &Record) -> Markup {
    let row = |hook: &Hook| {
        let took = hook.answer.as_ref().map_or_else(String::new, |answer| duration(answer.took));
        vec![time(hook.asked), text(hook.phase.word()), text(&hook.name), answer(hook.answer.as_ref()), text(&took)]
    };
    let rows: Vec<Vec<Markup>> = record.hooks.iter().map(row).collect();
    section("Hooks", "Hooks and their answers", &["Invoked", "Phase", "Hook", "Answer", "Took"], &rows)
}

fn answer(answer: Option<&Answer>) -> Markup {
    let Some(Answer { good, lines, .. }) = answer else { return text("no answer") };
    html! {
        (if *good { "✔ succeeded" } else { "✖ failed" })
        @if let [first, log @ ..] = lines.as_slice() {
            ": " (clean(first))
            @if !log.is_empty() {
                details {
                    summary { "its log" }
                    pre { (verbatim(log)) }
                }
            }
        }
    }
}

fn verbatim(lines: &[String]) -> String {
    lines.iter().map(|line| clean(line)).collect::<Vec<_>>().join("\n")
}

fn alarms(record: &Record) -> Markup {
    let watched = record.story.started.as_ref().map(|(_, started)| started.alarms.as_slice()).unwrap_or_default();
    let mut rows = Vec::new();
    for alarm in &record.alarms {
        for state in &alarm.states {
            let word = state.state.word().replace('_', " ");
            rows.push(vec![text(&one_line(&alarm.name)), text(&word), time(state.since), text(&state.reason)]);
        }
    }
    let silent = watched.iter().filter(|name| record.alarms.iter().all(|alarm| alarm.name != **name));
    rows.extend(silent.map(|name| [one_line(name).as_str(), "OK", "", "throughout"].map(text).to_vec()));
    section("Alarms", "States of the alarms", &["Alarm", "State", "Since", "Reason"], &rows)
}

fn warnings(record: &Record) -> Markup {
    html! {
        @if !record.warnings.is_empty() {
            h2 { "Warnings" }
            ul { @for text in &record.warnings { li { (prose(text)) } } }
        }
    }
}

/// The plan in words: a name, and what was chosen.
pub(crate) fn chosen(record: &Record) -> Vec<(&'static str, String)> {
    let Some((_, started)) = &record.story.started else { return Vec::new() };
    let Started { rollout_id, stable, bake_seconds, alarms, analysis, pre_hook, step_hook, post_hook, .. } = started;
    let or_none = |text: Option<&String>| text.map_or_else(|| "none".to_owned(), |name| short(&one_line(name)).to_owned());
    let alarms: Vec<String> = alarms.iter().map(|name| one_line(name)).collect();
    let mut chosen = vec![
        ("Rollout", rollout_id.clone()),
        ("Versions", versions(*stable, record.story.candidate, "→")),
        ("Schedule", if stable.is_some() { schedule(started) } else { format!("first deployment: {} at once", Weight::FULL) }),
        ("Bake", duration(Duration::from_secs(*bake_seconds))),
        ("Alarms", if alarms.is_empty() { "none".to_owned() } else { alarms.join(", ") }),
        (
            "Comparison",
            match analysis {
                Some(Mode::On) => "invocations of both versions".to_owned(),
                Some(Mode::Observe) => "invocations of both versions, report only".to_owned(),
                Some(Mode::Off) | None => "off".to_owned(),
            },
        ),
        ("Pre-traffic hook", or_none(pre_hook.as_ref())),
    ];
    chosen.extend(step_hook.as_ref().map(|hook| ("Step hook", or_none(Some(hook)))));
    chosen.push(("Post-traffic hook", or_none(post_hook.as_ref())));
    chosen
}

fn settings(record: &Record) -> Markup {
    let chosen = chosen(record);
    html! {
        @if !chosen.is_empty() {
            h2 { "Settings" }
            dl.settings {
                @for (name, value) in chosen {
                    dt { (name) }
                    dd { (clean(&value)) }
                }
            }
        }
    }
}

/// How the versions differ: setting, stable's value, the candidate's value.
pub(crate) fn compared_versions(record: &Record) -> Vec<[String; 3]> {
    let names = |sign: &str, names: &[String]| names.iter().map(|name| format!("{sign}{}", one_line(name))).collect::<Vec<_>>();
    let row = |differs: &Difference| {
        let value = |value: &Option<String>| value.as_ref().map(|value| one_line(value));
        let [stable, candidate] = match (value(&differs.stable), value(&differs.candidate)) {
            (None, None) => {
                let changed: Vec<String> = differs.changed.iter().map(|name| format!("{} changed", one_line(name))).collect();
                [names("−", &differs.removed), [names("+", &differs.added), changed].concat()].map(|names| names.join(", "))
            }
            (stable, candidate) => [stable, candidate].map(|value| value.unwrap_or_else(|| "none".to_owned())),
        };
        [one_line(&differs.name), stable, candidate]
    };
    record.differs.iter().map(row).collect()
}

fn differences(record: &Record) -> Markup {
    let rows: Vec<_> = compared_versions(record).iter().map(|row| row.each_ref().map(|cell| text(cell)).to_vec()).collect();
    let (stable, candidate) = (version(record.story.stable()), version(record.story.candidate));
    section("Versions", &format!("Differences between {stable} and {candidate}"), &["", &stable, &candidate], &rows)
}

fn log(record: &Record) -> Markup {
    let row = |(at, told): &(Time, crate::messages::LogLine)| {
        let text = html! { (prose(&told.text)) @if !told.under.is_empty() { pre { (verbatim(&told.under)) } } };
        vec![time(*at), html! { (told.word) }, text]
    };
    let rows: Vec<Vec<Markup>> = record.log.iter().map(row).collect();
    folded("Full log", &["Time", "What", ""], &rows)
}
