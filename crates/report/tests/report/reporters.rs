//! The same recorded rollouts through every reporter: each story is a file of events from a simulated rollout, and what it makes.
//!
//! `RECORD=FOLDER cargo test --test scenarios` records the events of every story there is; `BLESS=1` writes these files anew.

use report::{Ci, Live, Size, System, document, dotenv, explanation, github_outputs, html, markdown, read};
use rollout::event::Event;

use crate::fixtures::{self, log, rendered};

const STORIES: [&str; 9] =
    ["success", "alarm", "analysis", "failed_hook", "lost_owner", "unconfirmed", "low_traffic", "refused", "killed"];

fn events(name: &str) -> Vec<Event> {
    fixtures::events(&format!("recorded/{name}"))
}

fn golden(file: &str, text: &str) {
    fixtures::golden(&format!("recorded/{file}"), text);
}

#[test]
fn the_log_and_what_ci_systems_get() {
    for name in STORIES {
        let events = events(name);
        golden(&format!("{name}.txt"), &log(&events));
        golden(&format!("{name}.github.txt"), &rendered(&events, |out| Box::new(Ci::new(out, System::GitHub))));
        golden(&format!("{name}.gitlab.txt"), &rendered(&events, |out| Box::new(Ci::new(out, System::GitLab))));
    }
}

/// Folding and annotations are all that a CI system's log has more: every line is there, and the end is not folded.
#[test]
fn a_ci_log_is_the_plain_log_with_marks() {
    for name in STORIES {
        let events = events(name);
        let plain = log(&events);
        let github = rendered(&events, |out| Box::new(Ci::new(out, System::GitHub)));
        let unmarked: Vec<&str> = github.lines().filter(|line| !line.starts_with("::")).collect();
        assert_eq!(unmarked, plain.lines().collect::<Vec<_>>(), "{name}");
        let opened = github.matches("::group::").count();
        let closed = github.matches("::endgroup::").count();
        assert_eq!(opened, closed + usize::from(name == "killed"), "{name}");
        let mut mark = plain.lines().filter(|line| line.starts_with(['✔', '✖', '▸']));
        let after = github.rsplit("::endgroup::").next().unwrap();
        assert!(mark.all(|mark| after.contains(mark)), "{name}: the end is folded");
    }
}

/// Drawn on a terminal the same story ends in the same words.
#[test]
fn the_live_view_ends_as_the_log_does() {
    for name in STORIES {
        let events = events(name);
        let plain = log(&events);
        let live = rendered(&events, |out| Box::new(Live::new(out, Size::Fixed(120, 30), false)));
        let rows = plain.lines().filter(|line| line.starts_with(['✔', '✖', '▸']) || line.starts_with("  now  "));
        for row in rows {
            let words = row.split("  took ").next().unwrap().trim_end();
            assert!(live.contains(words), "{name}: no `{words}` in {live}");
        }
        assert_eq!(live.matches("\u{1b}[?2026h").count(), events.len(), "{name}: one drawing an event");
    }
}

#[test]
fn reports_in_words() {
    for name in STORIES {
        let events = events(name);
        golden(&format!("{name}.md"), &markdown(&events));
        golden(&format!("{name}.explained.txt"), &explanation(&events));
    }
}

#[test]
fn values_for_later_steps() {
    let last = events("failed_hook").pop().unwrap();
    let ending = last.ending().unwrap();
    golden("failed_hook.output.txt", &github_outputs(ending));
    golden("failed_hook.env", &dotenv(ending));
    assert!(dotenv(ending).lines().all(|line| line.starts_with("CANARYCTL_")), "one line a value");
}

/// Without the stylesheet, which is the same in every page.
fn body(page: &str) -> String {
    let (head, rest) = page.split_once("<style>").unwrap();
    format!("{head}{}", rest.split_once("</style>").unwrap().1)
}

#[test]
fn pages() {
    for name in ["alarm", "analysis", "refused"] {
        // An element a line, to be read as a golden file.
        golden(&format!("{name}.html"), &(body(&html(&events(name))).replace("><", ">\n<") + "\n"));
    }
    for name in STORIES {
        let page = html(&events(name));
        for word in ["<script", "http://", "https://", "src=", "@import", "url(", "javascript:"] {
            assert!(!page.contains(word), "{name}: a page asks for nothing: {word}");
        }
        assert_eq!(page.matches("<svg").count(), page.matches("<desc").count(), "{name}: a picture in words, too");
        assert!(!body(&page).contains("NaN"), "{name}");
        balanced(&body(&page));
    }
}

/// Every element that is opened is closed, in order.
fn balanced(page: &str) {
    let mut open: Vec<String> = Vec::new();
    for tag in page.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed));
        } else if !tag.starts_with('!') && !tag.ends_with('/') && !["meta", "br"].contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

/// Hooks, alarms and functions may be called, and may say, what they like.
#[test]
fn foreign_text_stays_text_everywhere() {
    let evil = "<img src=x onerror=alert(1)>\"'`|**b**\u{202e}\u{1b}[31m ##[error]x";
    let text: String = fixtures::text("recorded/failed_hook.jsonl");
    let quoted = serde_json::to_string(evil).unwrap();
    let inside = quoted.trim_matches('"');
    let ready = r#""version_ready","version":"42""#;
    let differs = format!(r#""differences":[{{"name":{quoted},"added":[{quoted}],"changed":[{quoted}]}}]"#);
    let text = text
        .replace("SIM_HOOK=Failed", inside)
        .replace("  log: END RequestId", "::error::no command\\nEND RequestId")
        .replace("HelloFooAlarm", inside)
        .replace(ready, &format!("{ready},{differs}"))
        .replace("\"hello\"", &quoted);
    let events = read(&text).unwrap().events;
    let page = body(&html(&events));
    assert!(!page.contains("<img") && !page.contains('\u{202e}') && !page.contains('\u{1b}'), "{page}");
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;&quot;'"), "{page}");
    balanced(&page);
    let page = markdown(&events);
    assert!(!page.contains("<img") && !page.contains(" **b**"), "{page}");
    let widths = |table: &str| table.lines().filter(|line| line.starts_with('|')).map(bars).collect::<Vec<_>>();
    for table in page.split("\n\n") {
        assert!(widths(table).windows(2).all(|pair| pair[0] == pair[1]), "{table}");
    }
    let log = rendered(&events, |out| Box::new(Ci::new(out, System::GitHub)));
    assert!(!log.contains("##["), "{log}");
    let commands = log.lines().filter(|line| line.trim_start().starts_with("::"));
    let known = ["::group::", "::endgroup::", "::error title=", "::warning title="];
    for command in commands {
        assert!(known.iter().any(|known| command.starts_with(known)), "{command}");
    }
    assert!(log.contains("| ::error::no command"), "{log}");
}

/// The borders of cells in a line of a table: bars that no backslash stands before.
fn bars(line: &str) -> usize {
    line.replace("\\|", "").matches('|').count()
}

#[test]
fn a_document_holds_what_the_events_hold() {
    for name in STORIES {
        let events = events(name);
        let document: serde_json::Value = serde_json::from_str(&document(&events)).unwrap();
        let rollout = &document["rollouts"][0];
        assert_eq!(rollout["function"], "hello", "{name}");
        let ending = events.last().unwrap().ending();
        assert_eq!(rollout["ending"]["exit_code"].as_u64(), ending.map(|ending| u64::from(ending.exit_code)), "{name}");
        let shifts = events.iter().filter(|event| matches!(event.what, rollout::event::EventKind::WeightShifted { .. })).count();
        assert!(rollout["weights"].as_array().unwrap().len() >= shifts, "{name}");
    }
}

#[test]
fn nothing_is_told_of_no_events() {
    assert!(html(&[]).contains("There are no events."));
    assert!(markdown(&[]).contains("There are no events"));
    assert!(explanation(&[]).contains("There are no events"));
}
