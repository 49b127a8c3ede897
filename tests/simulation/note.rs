//! What does a note say? Read here a second time, from its published format alone: a checker that borrowed the program's reader
//! would borrow its mistakes.

use std::collections::BTreeMap;

/// What the end of a description says, as far as the checkers care.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) phase: String,
    pub(crate) stable: String,
    pub(crate) candidate: String,
    /// The share that the candidate should have, 0 to 1.
    pub(crate) share: f64,
    pub(crate) cause: String,
    /// `t`, `s`, `d` and their like, unread.
    pub(crate) fields: BTreeMap<String, String>,
}

impl Note {
    pub(crate) fn is_live(&self) -> bool {
        self.phase != "promoted" && self.phase != "back"
    }

    /// A time in it, in seconds since the Unix epoch.
    pub(crate) fn time(&self, key: &str) -> Option<i64> {
        i64::from_str_radix(self.fields.get(key)?.split('.').next()?, 36).ok()
    }
}

/// The user's own text and the note behind it.
pub(crate) fn split(description: &str) -> (&str, Option<Note>) {
    let parted = description.rfind("[canaryctl/1 ").and_then(|at| Some((at, parse(description.get(at..)?)?)));
    match parted {
        Some((at, note)) => (description[..at].trim_end(), Some(note)),
        None => (description.trim_end(), None),
    }
}

fn parse(text: &str) -> Option<Note> {
    let mut words = text.strip_prefix("[canaryctl/1 ")?.strip_suffix(']')?.split(' ').peekable();
    let (id, owner, phase) = (words.next()?.to_owned(), words.next()?.to_owned(), words.next()?.to_owned());
    let (stable, candidate) = words.next()?.split_once('>')?;
    let mut plain = Vec::new();
    while let Some(word) = words.next_if(|word| !word.contains('=')) {
        plain.push(word);
    }
    let share = match phase.as_str() {
        "shift" => plain.first()?.strip_suffix('%')?.parse::<f64>().ok()? / 100.0,
        "bake" | "post" => 1.0,
        "claim" | "pre" | "promoted" | "back" => 0.0,
        _ => return None,
    };
    let fields = words.filter_map(|word| word.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let cause = if phase == "back" { plain.first()?.to_string() } else { String::new() };
    Some(Note { id, owner, stable: stable.to_owned(), candidate: candidate.to_owned(), share, cause, fields, phase })
}

#[test]
fn a_note_is_read_as_its_format_says() {
    let (text, note) = split("mine [too] [canaryctl/1 7f3ac2e1 k4q9 shift 41>42 30% 3/10 t=10 s=20 k=1.z]");
    let note = note.unwrap();
    assert_eq!((text, note.share, note.time("s"), note.time("k"), note.is_live()), ("mine [too]", 0.3, Some(72), Some(1), true));
    let (text, note) = split("[canaryctl/1 7f3ac2e1 k4q9 back 41>42 pre_hook t=10 s=20]");
    assert_eq!((text, note.map(|note| (note.cause.clone(), note.is_live()))), ("", Some(("pre_hook".to_owned(), false))));
    assert_eq!(split("half a note [canaryctl/1 7f3a"), ("half a note [canaryctl/1 7f3a", None));
}
