//! What can be shown to anyone after a rollout? One page: the verdict, a chart, and the tables behind it.
//!
//! One file without scripts, fonts or network. Long tables are folded, and stay folded on paper.

use std::slice::SliceIndex;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use rollout::Version;
use rollout::comparison::Calls;
use rollout::event::Event;
use rollout::format::grouped;
use rollout::health::clock;

use crate::chart::chart;
use crate::ending::Block;
use crate::group;
use crate::record::{Record, records};
use crate::safe::{Safe, clean, html_page, prose};
use crate::styled::Tone;
use crate::tables::{self, Cell, Table};

/// The page about the rollouts of these events, from their saved form or as they came.
pub fn html(events: &[Event]) -> Safe {
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
                    @if let Some(outcome) = several {
                        @let block = Block::of_a_group(outcome);
                        article { (verdict(&block, &block.spent)) (section(&tables::members(outcome))) }
                    }
                    @for (index, record) in records.iter().enumerate() { (article(record, index)) }
                }
            }
        }
    };
    html_page(page)
}

const STYLE: &str = include_str!("page.css");

/// How many rows of a table are open; the rest is folded, and left out on paper.
const OPEN_ROWS: usize = 14;

/// Lets a wide element scroll sideways, with the keyboard too.
fn wide(what: &Markup) -> Markup {
    html! { div.wide tabindex="0" { (what) } }
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
            @for table in [tables::streams(record), tables::decisions(record), tables::hooks(record), tables::alarms(record)] { (section(&table)) }
            @if !record.warnings.is_empty() {
                h2 { "Warnings" }
                ul { @for text in &record.warnings { li { (prose(text)) } } }
            }
            @let chosen = tables::settings(record);
            @if !chosen.is_empty() {
                h2 { "Settings" }
                dl.settings { @for (name, value) in chosen { dt { (name) } dd { (clean(&value)) } } }
            }
            (section(&tables::differences(record)))
            h2 { "What to do next" }
            ul { @for command in &block.next { li { code { (clean(command)) } } } }
            (folded(&tables::log(record)))
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
            p class={ "verdict " (class) } { span aria-hidden="true" { (block.verdict.mark()) } " " (block.verdict.word) }
            h1 { (clean(&block.verdict.sentence)) }
            p.quiet { (clean(spent)) }
        }
        dl {
            dt { "Why" }
            dd { (lines(block.why.iter().map(|line| prose(line)))) }
            @if !block.logged.is_empty() {
                dt { "Logs" }
                dd { (lines(block.logged.iter().map(|line| html! { (clean(line)) }))) }
            }
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

fn spent(record: &Record, spent: &str) -> String {
    let day = record.began.to_string();
    let times = format!("{}, {} to {} UTC", day.get(..10).unwrap_or(&day), clock(record.began), clock(record.last));
    [times.as_str(), spent].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn legend(record: &Record) -> Markup {
    let name = |version: Option<Version>| version.map_or_else(|| "?".to_owned(), |version| version.to_string());
    html! {
        span class="key key-candidate" {} " " (name(record.story.candidate)) ", the new version"
        @if record.compared() {
            " · " span class="key key-stable" {} " " (name(record.story.stable())) ", the old version"
            " · errors: when they were invoked, evidence: when it was counted"
        }
        @if record.counts.iter().any(|count| count.numbers.seen_percent.is_some()) { " · rings: measured traffic" }
        " · times are UTC"
    }
}

/// A table under a heading, with the earlier rows of a long one folded: the last ones show the end. Nothing without rows.
fn section(table: &Table) -> Markup {
    let Table { title, caption, rows, .. } = table;
    let earlier = if rows.len() <= OPEN_ROWS { 0 } else { rows.len() - OPEN_ROWS + 2 };
    html! {
        @if !rows.is_empty() { h2 { (title) } }
        @if earlier > 0 {
            details {
                summary { (caption) ": " (earlier) " earlier rows" }
                (whole(caption, table, ..earlier))
            }
            (whole(&format!("{caption}, the last {}", rows.len() - earlier), table, earlier..))
        } @else if !rows.is_empty() { (whole(caption, table, ..)) }
    }
}

fn folded(table: &Table) -> Markup {
    html! {
        details {
            summary { (table.caption) " (" (table.rows.len()) " rows)" }
            (whole(&table.caption, table, ..))
        }
    }
}

fn whole(caption: &str, table: &Table, rows: impl SliceIndex<[Vec<Cell>], Output = [Vec<Cell>]>) -> Markup {
    wide(&html! {
        table {
            caption { (clean(caption)) }
            thead { tr { @for cell in &table.head { th scope="col" { (clean(cell)) } } } }
            tbody { @for row in &table.rows[rows] { tr { @for cell in row { td { (show(cell)) } } } } }
        }
    })
}

fn show(cell: &Cell) -> Markup {
    match cell {
        Cell::Time(at) => html! { time datetime=(at) { (clock(*at)) } },
        Cell::Text(text) => html! { (clean(text)) },
        Cell::Prose(text) => prose(text),
        Cell::Log(text, log) => html! {
            (prose(text))
            @if !log.is_empty() {
                details {
                    summary { "its log" }
                    pre { (log.iter().map(|line| clean(line)).collect::<Vec<_>>().join("\n")) }
                }
            }
        },
    }
}

fn failed(calls: &Calls) -> String {
    format!("{} ({} of {})", calls.rate(), grouped(calls.errors), grouped(calls.calls))
}

fn counts(record: &Record) -> Markup {
    let minutes = record.minutes();
    let Some(last) = minutes.last() else { return Markup::default() };
    let rows = minutes.iter().map(|count| {
        let numbers = &count.numbers;
        let slow = numbers
            .slow
            .as_ref()
            .map_or_else(String::new, |slow| format!("{} · {}", slow.stable_percent.percent(), slow.candidate_percent.percent()));
        let traffic = record.share_at(count.at).to_string();
        let cells = [traffic, failed(&numbers.stable), failed(&numbers.candidate), slow, tables::evidence(numbers)];
        [Cell::Time(count.at)].into_iter().chain(cells.map(Cell::Text))
    });
    let of_stable = format!("Failed of {}", last.numbers.stable.version);
    let of_candidate = format!("Failed of {}", last.numbers.candidate.version);
    let slow = match &last.numbers.slow {
        Some(slow) => format!("Over {:.0} ms", slow.stable_limit_ms.to_f64()),
        None => "Slow".to_owned(),
    };
    let head = ["Counted", "Traffic", of_stable.as_str(), of_candidate.as_str(), slow.as_str(), "Evidence"];
    folded(&Table::new("", "Invocations since the rollout started, in total", &head, rows))
}
