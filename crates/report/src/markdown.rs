//! What can be pasted into a ticket or shown at the top of a CI run? The same report in Markdown.

use std::fmt::Write as _;

use rollout::event::Event;
use rollout::health::clock;

use crate::ending::Block;
use crate::group;
use crate::record::records;
use crate::safe::{Safe, code, markdown_page, plain};
use crate::tables::{self, Cell, Table};

/// The most rows of a table: CI systems drop a summary that is too long.
const ROWS: usize = 100;

/// The report about the rollouts of these events, in Markdown.
pub fn markdown(events: &[Event]) -> Safe {
    let mut page = String::new();
    if let Some(outcome) = group::outcome(events) {
        verdict(&mut page, &Block::of_a_group(outcome), &[]);
        table(&mut page, &tables::members(outcome));
        page.push('\n');
    }
    for record in &records(events) {
        verdict(&mut page, &record.block(), &record.warnings);
        let settings = tables::settings(record).into_iter().map(|(name, value)| [name.to_owned(), value].map(Cell::Text));
        for shown in [
            tables::streams(record),
            tables::decisions(record),
            tables::hooks(record),
            tables::alarms(record),
            Table::new("Settings", "", &["Setting", "Value"], settings),
            tables::differences(record),
            tables::log(record),
        ] {
            table(&mut page, &shown);
        }
    }
    markdown_page(if page.is_empty() { "There are no events.\n" } else { &page })
}

fn verdict(page: &mut String, block: &Block, warnings: &[String]) {
    let verdict = &block.verdict;
    let _ = writeln!(page, "## {} {}: {}\n\n| | |\n|---|---|", verdict.mark(), plain(verdict.word), plain(&verdict.sentence));
    let each = |lines: &[String], show: fn(&str) -> String| lines.iter().map(|line| show(line)).collect::<Vec<_>>().join("<br>");
    let mut rows = vec![("why", each(&block.why, plain))];
    rows.extend(Some(&block.logged).filter(|logged| !logged.is_empty()).map(|logged| ("logs", each(logged, plain))));
    rows.extend(block.exposed.iter().map(|exposed| ("exposed", plain(exposed))));
    rows.extend([("now", plain(&block.now)), ("next", each(&block.next, code))]);
    rows.extend(Some(&block.spent).filter(|spent| !spent.is_empty()).map(|spent| ("time", plain(spent))));
    rows.extend(warnings.iter().map(|warning| ("warning", plain(warning))));
    for (word, text) in rows {
        let _ = writeln!(page, "| {word} | {text} |");
    }
}

fn table(page: &mut String, Table { title, head, rows, .. }: &Table) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n### {title}\n\n| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()));
    // The last ones show the end.
    let skipped = rows.len().saturating_sub(ROWS);
    if skipped > 0 {
        let _ = writeln!(page, "| … | {skipped} earlier rows left out |{}", " |".repeat(head.len().saturating_sub(2)));
    }
    for row in rows.iter().skip(skipped) {
        let _ = writeln!(page, "| {} |", row.iter().map(show).collect::<Vec<_>>().join(" | "));
    }
}

fn show(cell: &Cell) -> String {
    match cell {
        Cell::Time(at) => clock(*at),
        Cell::Text(text) | Cell::Prose(text) | Cell::Log(text, _) => plain(text),
    }
}
