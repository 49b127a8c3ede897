//! A file that is handed over: how it is looked at.

use project::File;
use project::adopt::{Answer, Handover, diff, of_file};

pub(crate) fn handover(name: &str, text: &str) -> Handover {
    of_file(File { name, bytes: text.as_bytes() }).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

pub(crate) fn edited(name: &str, text: &str) -> String {
    let found = handover(name, text);
    let Answer::Edited(after) = found.answer else { panic!("{found:?}\n{text}") };
    after
}

/// The file becomes exactly this, and then there is nothing to change.
pub(crate) fn becomes(name: &str, before: &str, after: &str) {
    let found = edited(name, before);
    assert_eq!(found, after, "{}", diff(name, after, &found));
    assert_eq!(handover(name, &found).answer, Answer::HandedOver, "{found}");
    // Line ends are the file's own, and so is a last line without one.
    let windows = |text: &str| text.replace('\n', "\r\n");
    assert_eq!(edited(name, &windows(before)), windows(after));
    assert_eq!(handover(name, &windows(after)).answer, Answer::HandedOver);
    assert_eq!(edited(name, before.trim_end()), after.trim_end());
    if name != "main.tf" {
        assert_eq!(edited(name, &format!("\u{feff}{before}")), format!("\u{feff}{after}"));
    }
}

/// What a person has to write, as `place: line`, and why.
pub(crate) fn unsafe_lines(name: &str, text: &str) -> (Vec<String>, String) {
    let found = handover(name, text);
    let Answer::Unsafe(lines) = found.answer else { panic!("{found:?}\n{text}") };
    let all = lines.iter().flat_map(|lines| lines.lines.iter().map(move |line| format!("{}: {line}", lines.place)));
    (all.collect(), lines.iter().map(|lines| lines.why.clone()).collect::<Vec<_>>().join("; "))
}
