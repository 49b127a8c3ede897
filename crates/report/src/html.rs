//! What can be shown to anybody after a rollout? One page: the verdict, a picture, and the tables behind it.
//!
//! One file that asks for nothing else: no script, no font, no network. Long tables are folded, and stay folded on paper.

use std::fmt::Write as _;
use std::time::Duration;

use rollout::comparison::{Numbers, grouped};
use rollout::event::{Difference, Event, GroupOutcome, Started};
use rollout::health::clock;
use rollout::plan::Mode;
use rollout::{Time, Version};

use crate::chart::chart;
use crate::counts::figure;
use crate::ending::Block;
use crate::group;
use crate::markup::{escaped, prose};
use crate::paint::Tone;
use crate::record::{Decision, Record, records};
use crate::words::{one_line, schedule, short, span, version, versions};

/// The page about the rollouts of these events, from their saved form or as they came.
pub fn html(events: &[Event]) -> String {
    let records = records(events);
    let several = group::outcome(events);
    let title = match (several, records.as_slice()) {
        (Some(outcome), _) => Block::of_a_group(outcome).verdict.sentence,
        (None, []) => "No rollout".to_owned(),
        (None, [record, ..]) => record.block().verdict.sentence,
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escaped(&title)
    );
    if records.is_empty() {
        page.push_str("<h1>No rollout</h1>\n<p>There are no events to tell of.</p>\n");
    }
    if let Some(outcome) = several {
        all(&mut page, outcome);
    }
    for (index, record) in records.iter().enumerate() {
        article(&mut page, record, index);
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

const STYLE: &str = include_str!("page.css");

/// What is too wide for a small screen is moved sideways, by keys too.
const WIDE: &str = "<div class=\"wide\" tabindex=\"0\">";

/// How many rows of a table stand open; the rest is folded, and on paper left out.
const OPEN_ROWS: usize = 14;

/// What became of several functions: for all of them, and each in a row.
fn all(page: &mut String, outcome: &GroupOutcome) {
    page.push_str("<article>\n");
    let block = Block::of_a_group(outcome);
    verdict(page, &block, &block.spent);
    page.push_str("<h2>Functions</h2>\n");
    let rows: Vec<Vec<String>> =
        outcome.members.iter().map(|member| group::row(member).map(|cell| prose(&cell)).to_vec()).collect();
    table(page, "What became of each", &["Function", "Outcome", "Why", "Now"], &rows, false);
    page.push_str("</article>\n");
}

fn article(page: &mut String, record: &Record, index: usize) {
    page.push_str("<article>\n");
    let block = record.block();
    verdict(page, &block, &spent(record, &block.spent));
    if let Some(svg) = chart(record, index) {
        let _ = write!(
            page,
            "<h2>Over time</h2>\n<figure>\n{WIDE}{svg}</div>\n<figcaption>{}</figcaption>\n</figure>\n",
            legend(record)
        );
        counts(page, record);
    }
    decisions(page, record);
    hooks(page, record);
    alarms(page, record);
    warnings(page, record);
    settings(page, record);
    differences(page, record);
    next(page, record);
    log(page, record);
    page.push_str("</article>\n");
}

fn verdict(page: &mut String, block: &Block, spent: &str) {
    let class = match block.verdict.tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Plain | Tone::Strong | Tone::Dim | Tone::Warn => "warn",
    };
    let _ = write!(
        page,
        "<header>\n<p class=\"verdict {class}\"><span aria-hidden=\"true\">{}</span> {}</p>\n<h1>{}</h1>\n",
        block.verdict.mark,
        escaped(block.verdict.word),
        escaped(&block.verdict.sentence)
    );
    let _ = writeln!(page, "<p class=\"quiet\">{}</p>\n</header>\n<dl>", escaped(spent));
    let lines: Vec<String> = block.why.iter().map(|line| prose(line)).collect();
    let _ = writeln!(page, "<dt>Why</dt><dd>{}</dd>", lines.join("<br>\n"));
    if let Some(exposed) = &block.exposed {
        let _ = writeln!(page, "<dt>Exposed</dt><dd>{}</dd>", escaped(exposed));
    }
    let _ = writeln!(page, "<dt>Now</dt><dd>{}</dd>", escaped(&block.now));
    let commands: Vec<String> = block.next.iter().map(|command| format!("<code>{}</code>", escaped(command))).collect();
    let _ = writeln!(page, "<dt>Next</dt><dd>{}</dd>\n</dl>", commands.join("<br>\n"));
}

/// When it was, and what it took.
fn spent(record: &Record, spent: &str) -> String {
    let day = record.began.to_string();
    let times = format!("{}, {} to {} UTC", day.get(..10).unwrap_or(&day), clock(record.began), clock(record.last));
    [times.as_str(), spent].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn legend(record: &Record) -> String {
    let (stable, candidate) = (record.story.stable(), record.story.candidate);
    let name = |version: Option<Version>| version.map_or_else(|| "?".to_owned(), |version| version.to_string());
    let mut parts = vec![format!("<span class=\"key key-candidate\"></span> {}, the candidate", name(candidate))];
    if record.compared() {
        parts.push(format!("<span class=\"key key-stable\"></span> {}, stable", name(stable)));
        parts.push("errors stand where the calls were, evidence where it was counted".to_owned());
    }
    if record.counts.iter().any(|count| count.numbers.seen_percent.is_some()) {
        parts.push("rings: the share that was seen".to_owned());
    }
    parts.push("times are UTC".to_owned());
    parts.join(" · ")
}

/// A table, with what does not fit folded; `fold` folds all of it.
fn table(page: &mut String, caption: &str, head: &[&str], rows: &[Vec<String>], fold: bool) {
    let part = |page: &mut String, caption: &str, rows: &[Vec<String>]| {
        let _ = write!(page, "{WIDE}<table>\n<caption>{}</caption>\n<thead><tr>", escaped(caption));
        for cell in head {
            page.extend(["<th scope=\"col\">", cell, "</th>"]);
        }
        page.push_str("</tr></thead>\n<tbody>\n");
        for row in rows {
            page.push_str("<tr>");
            for cell in row {
                page.extend(["<td>", cell, "</td>"]);
            }
            page.push_str("</tr>\n");
        }
        page.push_str("</tbody>\n</table></div>\n");
    };
    if fold {
        let _ = writeln!(page, "<details><summary>{} ({} rows)</summary>", escaped(caption), rows.len());
        part(page, caption, rows);
        page.push_str("</details>\n");
    } else if rows.len() > OPEN_ROWS {
        // The last ones say how it ended.
        let (earlier, last) = rows.split_at(rows.len() - OPEN_ROWS + 2);
        let _ = writeln!(page, "<details><summary>{}: {} earlier rows</summary>", escaped(caption), earlier.len());
        part(page, caption, earlier);
        page.push_str("</details>\n");
        part(page, &format!("{caption}, the last {}", last.len()), last);
    } else {
        part(page, caption, rows);
    }
}

fn time(at: Time) -> String {
    format!("<time datetime=\"{at}\">{}</time>", clock(at))
}

fn failed(calls: &rollout::comparison::Calls) -> String {
    format!("{} ({} of {})", calls.rate(), grouped(calls.errors), grouped(calls.calls))
}

fn against(numbers: &Numbers) -> String {
    format!("{} of {}", figure(numbers.ln_evidence), figure(numbers.ln_threshold))
}

/// The table of what the picture shows.
fn counts(page: &mut String, record: &Record) {
    let minutes = record.minutes();
    let Some(last) = minutes.last() else { return };
    let (stable, candidate) = (last.numbers.stable.version, last.numbers.candidate.version);
    let rows: Vec<Vec<String>> = minutes
        .iter()
        .map(|count| {
            let numbers = &count.numbers;
            let slow = numbers.slow.as_ref().map_or_else(String::new, |slow| {
                format!("{:.1} % · {:.1} %", slow.stable_percent.to_f64(), slow.candidate_percent.to_f64())
            });
            vec![
                time(count.at),
                record.share_at(count.at).to_string(),
                failed(&numbers.stable),
                failed(&numbers.candidate),
                slow,
                against(numbers),
            ]
        })
        .collect();
    let of_stable = format!("Failed of {stable}");
    let of_candidate = format!("Failed of {candidate}");
    let slow = match &last.numbers.slow {
        Some(slow) => format!("Over {:.0} ms", slow.stable_limit_ms.to_f64()),
        None => "Slow".to_owned(),
    };
    let head = ["Counted", "Share", of_stable.as_str(), of_candidate.as_str(), slow.as_str(), "Evidence"];
    table(page, "The calls, added up since the rollout began", &head, &rows, true);
}

fn decisions(page: &mut String, record: &Record) {
    if record.decisions.is_empty() {
        return;
    }
    page.push_str("<h2>Decisions</h2>\n");
    let compared = record.compared();
    let row = |decision: &Decision| {
        let mut row = vec![time(decision.at), escaped(&decision.what), prose(&decision.because)];
        let numbers = decision.numbers.as_ref();
        row.extend(compared.then(|| numbers.map_or_else(|| "not yet counted".to_owned(), against)));
        row
    };
    let rows: Vec<Vec<String>> = record.decisions.iter().map(row).collect();
    let head = ["Time", "Decision", "Because", "Evidence"];
    table(page, "What was decided, and on what", &head[..if compared { 4 } else { 3 }], &rows, false);
}

fn hooks(page: &mut String, record: &Record) {
    if record.hooks.is_empty() {
        return;
    }
    page.push_str("<h2>Hooks</h2>\n");
    let mut rows = Vec::new();
    for hook in &record.hooks {
        let (said, took) = match &hook.answer {
            None => ("no answer".to_owned(), String::new()),
            Some(answer) => {
                let mut said = if answer.good { "✔ succeeded".to_owned() } else { "✖ failed".to_owned() };
                if let [first, log @ ..] = answer.lines.as_slice() {
                    let _ = write!(said, ": {}", escaped(first));
                    let log: Vec<String> = log.iter().map(|line| escaped(line)).collect();
                    if !log.is_empty() {
                        let _ = write!(said, "<details><summary>its log</summary><pre>{}</pre></details>", log.join("\n"));
                    }
                }
                (said, span(answer.took))
            }
        };
        rows.push(vec![time(hook.asked), hook.phase.word().to_owned(), escaped(&hook.name), said, took]);
    }
    table(page, "Who was asked, and what they said", &["Asked", "Phase", "Hook", "Answer", "Took"], &rows, false);
}

fn alarms(page: &mut String, record: &Record) {
    let watched = record.story.started.as_ref().map(|(_, started)| started.alarms.as_slice()).unwrap_or_default();
    let mut rows = Vec::new();
    for alarm in &record.alarms {
        for state in &alarm.states {
            rows.push(vec![
                escaped(&one_line(&alarm.name)),
                state.state.word().replace('_', " "),
                time(state.since),
                escaped(&state.reason),
            ]);
        }
    }
    let silent = watched.iter().filter(|name| record.alarms.iter().all(|alarm| alarm.name != **name));
    rows.extend(silent.map(|name| vec![escaped(&one_line(name)), "OK".to_owned(), String::new(), "throughout".to_owned()]));
    if !rows.is_empty() {
        page.push_str("<h2>Alarms</h2>\n");
        table(page, "What the alarms said", &["Alarm", "State", "Since", "Reason"], &rows, false);
    }
}

fn warnings(page: &mut String, record: &Record) {
    if record.warnings.is_empty() {
        return;
    }
    page.push_str("<h2>Warnings</h2>\n<ul>\n");
    for text in &record.warnings {
        page.extend(["<li>", &prose(text), "</li>\n"]);
    }
    page.push_str("</ul>\n");
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
        ("Schedule", if stable.is_some() { schedule(started) } else { "first deployment: 100 % at once".to_owned() }),
        ("Bake", span(Duration::from_secs(*bake_seconds))),
        ("Alarms", if alarms.is_empty() { "none".to_owned() } else { alarms.join(", ") }),
        (
            "Calls of both versions",
            match analysis {
                Some(Mode::On) => "compared".to_owned(),
                Some(Mode::Observe) => "compared, reported only".to_owned(),
                Some(Mode::Off) | None => "not compared".to_owned(),
            },
        ),
        ("Pre-traffic hook", or_none(pre_hook.as_ref())),
    ];
    chosen.extend(step_hook.as_ref().map(|hook| ("Step hook", or_none(Some(hook)))));
    chosen.push(("Post-traffic hook", or_none(post_hook.as_ref())));
    chosen
}

fn settings(page: &mut String, record: &Record) {
    let chosen = chosen(record);
    if chosen.is_empty() {
        return;
    }
    page.push_str("<h2>Settings</h2>\n<dl class=\"settings\">\n");
    for (name, value) in chosen {
        let _ = writeln!(page, "<dt>{name}</dt><dd>{}</dd>", escaped(&value));
    }
    page.push_str("</dl>\n");
}

/// In what the versions differ: what of it, stable's, the candidate's.
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

fn differences(page: &mut String, record: &Record) {
    let rows: Vec<Vec<String>> =
        compared_versions(record).iter().map(|row| row.iter().map(|cell| escaped(cell)).collect()).collect();
    if rows.is_empty() {
        return;
    }
    page.push_str("<h2>Versions</h2>\n");
    let (stable, candidate) = (version(record.story.stable()), version(record.story.candidate));
    table(page, &format!("In what {candidate} differs from {stable}"), &["", &stable, &candidate], &rows, false);
}

fn next(page: &mut String, record: &Record) {
    page.push_str("<h2>What to do next</h2>\n<ul>\n");
    for command in record.block().next {
        let _ = writeln!(page, "<li><code>{}</code></li>", escaped(&command));
    }
    page.push_str("</ul>\n");
}

fn log(page: &mut String, record: &Record) {
    let mut rows = Vec::new();
    for (at, told) in &record.log {
        let mut text = prose(&told.text);
        if !told.under.is_empty() {
            let under: Vec<String> = told.under.iter().map(|line| escaped(line)).collect();
            let _ = write!(text, "<pre>{}</pre>", under.join("\n"));
        }
        rows.push(vec![time(*at), told.word.to_owned(), text]);
    }
    table(page, "The whole log", &["Time", "What", ""], &rows, true);
}
