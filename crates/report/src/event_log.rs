//! What does a saved file of events contain? Its lines, parsed.
//!
//! A later version may write more: unknown types are skipped. A killed process may have left half a line.

use rollout::event::{Event, EventKind, FORMAT};
use serde::Deserialize;

use crate::format::joined;
use crate::record::records;

/// The content of a saved file.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// The events, in their order.
    pub events: Vec<Event>,
    /// How many lines have an unknown type.
    pub unknown: usize,
    /// Whether the last line is only a part of one.
    pub torn: bool,
}

impl Saved {
    /// The block of every rollout whose end is not among the events: where it was when they stop.
    pub fn unfinished(&self) -> String {
        let open = records(&self.events).into_iter().filter(|record| record.ending.is_none());
        open.map(|record| joined(&record.block().lines())).collect()
    }
}

/// What every line has, of whichever form.
#[derive(Deserialize)]
struct Head {
    v: u8,
}

/// Reads the lines of a saved file.
///
/// # Errors
/// A line that is none of these: its number and what is wrong with it.
pub fn read(text: &str) -> Result<Saved, String> {
    let mut saved = Saved::default();
    let whole = text.ends_with('\n');
    let count = text.lines().count();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |error: serde_json::Error| format!("line {}: {error}", index + 1);
        match serde_json::from_str::<Head>(line) {
            Err(error) if error.is_eof() && index + 1 == count && !whole => saved.torn = true,
            Err(error) => return Err(wrong(error)),
            // Of a later form nothing is known.
            Ok(head) if head.v != FORMAT => saved.unknown += 1,
            Ok(_) => match serde_json::from_str::<Event>(line).map_err(wrong)? {
                Event { what: EventKind::Unknown, .. } => saved.unknown += 1,
                event => saved.events.push(event),
            },
        }
    }
    Ok(saved)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIMED: &str = r#"{"v":1,"at":"2026-11-23T14:02:13.400Z","function":"hello","alias":"live","type":"acquired"}"#;

    #[test]
    fn types_of_later_versions_are_skipped() {
        let later = r#"{"v":1,"at":"2026-11-23T14:02:13.400Z","function":"hello","alias":"live","type":"danced","how":"well"}"#;
        let saved = read(&format!("{CLAIMED}\n{later}\n\n{CLAIMED}\n")).unwrap();
        assert_eq!((saved.events.len(), saved.unknown, saved.torn), (2, 1, false));
    }

    #[test]
    fn half_a_line_at_the_end_is_a_process_that_was_killed() {
        let saved = read(&format!("{CLAIMED}\n{}", &CLAIMED[..60])).unwrap();
        assert_eq!((saved.events.len(), saved.torn), (1, true));
    }

    #[test]
    fn anything_else_is_told_with_its_line() {
        for (text, word) in [
            ("no json\n", "line 1: expected"),
            (&format!("{CLAIMED}\n{}\n", &CLAIMED[..60]), "line 2: EOF"),
            (&CLAIMED.replace("acquired", "published"), "line 1: missing field `version`"),
            ("{}", "line 1: missing field"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(word), "{error}");
        }
    }
}
