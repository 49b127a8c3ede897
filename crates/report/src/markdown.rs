//! What can be pasted into a ticket or shown at the top of a CI run? The same report in Markdown.

use std::fmt::Write as _;

use rollout::Time;
use rollout::comparison::Numbers;
use rollout::event::Event;
use rollout::format::duration;
use rollout::health::clock;

use crate::counts::figure;
use crate::ending::Block;
use crate::format::version;
use crate::group;
use crate::html::{chosen, compared_versions};
use crate::record::{Decision, Record, records};
use crate::safe::{code, one_line, plain};

/// The most rows of a table: CI systems drop a summary that is too long.
const ROWS: usize = 100;

/// The report about the rollouts of these events, in Markdown.
pub fn markdown(events: &[Event]) -> String {
    let mut page = String::new();
    if let Some(outcome) = group::outcome(events) {
        verdict(&mut page, &Block::of_a_group(outcome), &[]);
        let rows: Vec<Vec<String>> =
            outcome.members.iter().map(|member| group::row(member).map(|cell| plain(&cell)).to_vec()).collect();
        table(&mut page, "Functions", &["function", "outcome", "why", "now"], &rows);
        page.push('\n');
    }
    for record in &records(events) {
        verdict(&mut page, &record.block(), &record.warnings);
        decisions(&mut page, record);
        hooks(&mut page, record);
        alarms(&mut page, record);
        settings(&mut page, record);
        differences(&mut page, record);
        timeline(&mut page, record);
    }
    if page.is_empty() { "There are no events.\n".to_owned() } else { page }
}

fn verdict(page: &mut String, block: &Block, warnings: &[String]) {
    let verdict = &block.verdict;
    let _ = writeln!(page, "## {} {}: {}\n\n| | |\n|---|---|", verdict.mark, plain(verdict.word), plain(&verdict.sentence));
    let why: Vec<String> = block.why.iter().map(|line| plain(line)).collect();
    let _ = writeln!(page, "| why | {} |", why.join("<br>"));
    if let Some(exposed) = &block.exposed {
        let _ = writeln!(page, "| exposed | {} |", plain(exposed));
    }
    let _ = writeln!(page, "| now | {} |", plain(&block.now));
    let next: Vec<String> = block.next.iter().map(|command| code(command)).collect();
    let _ = writeln!(page, "| next | {} |", next.join("<br>"));
    if !block.spent.is_empty() {
        let _ = writeln!(page, "| time | {} |", plain(&block.spent));
    }
    for warning in warnings {
        let _ = writeln!(page, "| warning | {} |", plain(warning));
    }
}

fn table(page: &mut String, title: &str, head: &[&str], rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n### {title}\n\n| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()));
    // The last ones say how it ended.
    let skipped = rows.len().saturating_sub(ROWS);
    if skipped > 0 {
        let _ = writeln!(page, "| … | {skipped} earlier rows left out |{}", " |".repeat(head.len().saturating_sub(2)));
    }
    for row in rows.iter().skip(skipped) {
        let _ = writeln!(page, "| {} |", row.join(" | "));
    }
}

fn decisions(page: &mut String, record: &Record) {
    let compared = record.compared();
    let row = |decision: &Decision| {
        let mut row = vec![clock(decision.at), plain(&decision.what), plain(&decision.because)];
        let evidence = |numbers: &Numbers| format!("{} of {}", figure(numbers.ln_evidence), figure(numbers.ln_threshold));
        row.extend(compared.then(|| decision.numbers.as_ref().map_or_else(String::new, evidence)));
        row
    };
    let rows: Vec<Vec<String>> = record.decisions.iter().map(row).collect();
    let head = ["Time", "Decision", "Because", "Evidence"];
    table(page, "Decisions", &head[..if compared { 4 } else { 3 }], &rows);
}

fn hooks(page: &mut String, record: &Record) {
    let rows: Vec<Vec<String>> = record
        .hooks
        .iter()
        .map(|hook| {
            let (answer, took) = match &hook.answer {
                None => ("no answer".to_owned(), String::new()),
                Some(answer) => {
                    let first = answer.lines.first().map_or_else(String::new, |line| format!(": {}", plain(line)));
                    (format!("{}{first}", if answer.good { "✔ succeeded" } else { "✖ failed" }), duration(answer.took))
                }
            };
            vec![clock(hook.asked), hook.phase.word().to_owned(), plain(&hook.name), answer, took]
        })
        .collect();
    table(page, "Hooks", &["Invoked", "Phase", "Hook", "Answer", "Took"], &rows);
}

fn alarms(page: &mut String, record: &Record) {
    let mut rows = Vec::new();
    for alarm in &record.alarms {
        for state in &alarm.states {
            let word = state.state.word().replace('_', " ");
            rows.push(vec![plain(&one_line(&alarm.name)), word, clock(state.since), plain(&state.reason)]);
        }
    }
    table(page, "Alarms", &["Alarm", "State", "Since", "Reason"], &rows);
}

fn settings(page: &mut String, record: &Record) {
    let rows: Vec<Vec<String>> = chosen(record).into_iter().map(|(name, value)| vec![name.to_owned(), plain(&value)]).collect();
    table(page, "Settings", &["Setting", "Value"], &rows);
}

fn differences(page: &mut String, record: &Record) {
    let rows: Vec<Vec<String>> =
        compared_versions(record).iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    let (stable, candidate) = (version(record.story.stable()), version(record.story.candidate));
    table(page, "Versions", &["", &stable, &candidate], &rows);
}

fn timeline(page: &mut String, record: &Record) {
    let row = |(at, told): &(Time, crate::messages::LogLine)| vec![clock(*at), told.word.to_owned(), plain(&told.text)];
    let rows: Vec<Vec<String>> = record.log.iter().map(row).collect();
    table(page, "Timeline", &["Time", "What", "Detail"], &rows);
}
