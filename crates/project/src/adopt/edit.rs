//! How does a YAML or JSON text become another one in which some keys are different, and nothing else is? Comments, order, line ends and
//! indentation stay.
//!
//! An edit is only used if the new text, read again, means what the changes say. So what the notation can do beyond what is understood
//! here, such as an anchor that another place shares, makes an edit fail instead of making it wrong.

use std::ops::Range;

use serde_json::Value;

use super::source::{Entry, Kind, Source};
use crate::template::plain;
use crate::yaml;

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The keys above it, from the outermost; numbers count the items of a list.
    pub(super) path: Vec<String>,
    pub(super) key: String,
    pub(super) act: Act,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Gives the key this value, whatever it has now. A key that is not there goes behind `after`, if that is there.
    Set { value: Scalar, after: &'static str },
    /// Removes the key, if it is there.
    Remove,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    /// A word that needs no quotes in YAML.
    Word(&'static str),
    /// Any text.
    Text(String),
    Bool(bool),
}

impl Change {
    pub(super) fn set(path: &[&str], key: &str, value: Scalar, after: &'static str) -> Self {
        Self { path: owned(path), key: key.to_owned(), act: Act::Set { value, after } }
    }

    pub(super) fn remove(path: &[&str], key: &str) -> Self {
        Self { path: owned(path), key: key.to_owned(), act: Act::Remove }
    }

    /// As a person would write it: where, and the line.
    pub(super) fn shown(&self) -> (String, String) {
        let line = match &self.act {
            Act::Set { value, .. } => format!("{}: {}", self.key, value.written(false, "")),
            Act::Remove => format!("(remove `{}`)", self.key),
        };
        (self.path.join("."), line)
    }
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|key| (*key).to_owned()).collect()
}

/// The text with all of these changes; `None` where it cannot be made safely.
pub(super) fn edited(text: &str, changes: &[Change]) -> Option<String> {
    let mut expected = meaning(text)?;
    changes.iter().try_for_each(|change| applied(&mut expected, change))?;
    let mut now = text.to_owned();
    let mut left: Vec<&Change> = changes.iter().collect();
    // Changes that touch each other wait for the next round.
    while !left.is_empty() {
        let source = Source::read(&now)?;
        let mut edits: Vec<Edit> = Vec::new();
        let mut waiting = Vec::new();
        for change in left {
            match change.edit(&source)? {
                Edit { range, text } if now.get(range.clone()) == Some(&*text) => {}
                edit if edits.iter().any(|other| other.touches(&edit)) => waiting.push(change),
                edit => edits.push(edit),
            }
        }
        edits.sort_by_key(|edit| edit.range.start);
        now = with(&now, edits.iter().map(|edit| (&edit.range, edit.text.as_str())));
        left = waiting;
    }
    // YAML takes more than JSON does.
    let as_strict = !is_json(text) || is_json(&now);
    (as_strict && meaning(&now)? == expected).then_some(now)
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok()
}

/// The text with other bytes in these places, which are in order and do not overlap.
pub(super) fn with<'e>(text: &str, edits: impl Iterator<Item = (&'e Range<usize>, &'e str)>) -> String {
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (range, new) in edits {
        out += text.get(at..range.start).unwrap_or_default();
        out += new;
        at = range.end;
    }
    out + text.get(at..).unwrap_or_default()
}

/// What a text says, in whatever notation.
fn meaning(text: &str) -> Option<Value> {
    yaml::parse("", text.as_bytes()).ok().as_ref().map(plain)
}

/// Makes the change in what a text says.
pub(super) fn applied(root: &mut Value, change: &Change) -> Option<()> {
    let inside = change.path.iter().try_fold(root, |value, key| match value {
        Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
        Value::Object(map) => map.get_mut(key),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })?;
    match (inside, &change.act) {
        (Value::Object(map), Act::Set { value, .. }) => drop(map.insert(change.key.clone(), value.json())),
        (Value::Object(map), Act::Remove) => drop(map.remove(&change.key)),
        (Value::Array(items), act) => {
            let index = change.key.parse::<usize>().ok().filter(|index| *index < items.len())?;
            match act {
                Act::Set { value, .. } => items[index] = value.json(),
                Act::Remove => drop(items.remove(index)),
            }
        }
        _ => return None,
    }
    Some(())
}

impl Scalar {
    fn json(&self) -> Value {
        match self {
            Self::Word(word) => (*word).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Bool(value) => (*value).into(),
        }
    }

    /// As it is written: in JSON, or in place of a value that is written so.
    fn written(&self, json: bool, instead_of: &str) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Word(word) if instead_of.starts_with('\'') => format!("'{word}'"),
            Self::Word(word) if !json && !instead_of.starts_with('"') => (*word).to_owned(),
            Self::Word(_) | Self::Text(_) => self.json().to_string(),
        }
    }
}

/// These bytes become this text.
struct Edit {
    range: Range<usize>,
    text: String,
}

impl Edit {
    fn touches(&self, other: &Self) -> bool {
        self.range.start <= other.range.end && other.range.start <= self.range.end
    }
}

impl Change {
    /// `None` where it cannot be made; the same text again where it is made already.
    fn edit(&self, source: &Source<'_>) -> Option<Edit> {
        let inside = source.find(&self.path)?;
        match (&source.part(inside).kind, &self.act) {
            (Kind::Map { flow, entries }, act) => {
                let at = entries.iter().rposition(|entry| entry.name == self.key);
                match (act, at) {
                    (Act::Set { value, .. }, Some(at)) => Some(replaced(source, &entries[at], *flow, value)),
                    (Act::Set { value, after }, None) => {
                        let line = |json: bool| (self.key.clone(), value.written(json, ""));
                        inserted(source, inside, *flow, entries, after, &line)
                    }
                    (Act::Remove, Some(at)) => {
                        let ranges: Vec<Range<usize>> =
                            entries.iter().map(|entry| entry.key.start..source.part(entry.value).range.end).collect();
                        removed(source, *flow, &ranges, at)
                    }
                    (Act::Remove, None) => Some(Edit { range: 0..0, text: String::new() }),
                }
            }
            (Kind::List { flow, items }, act) => {
                let at = self.key.parse::<usize>().ok().filter(|at| *at < items.len())?;
                let range = source.part(items[at]).range.clone();
                match act {
                    Act::Set { value, .. } => {
                        let text = value.written(false, source.text.get(range.clone())?);
                        Some(Edit { range, text })
                    }
                    Act::Remove => {
                        let ranges: Vec<Range<usize>> = items.iter().map(|item| source.part(*item).range.clone()).collect();
                        removed(source, *flow, &ranges, at)
                    }
                }
            }
            (Kind::Scalar | Kind::Alias(_), _) => None,
        }
    }
}

fn replaced(source: &Source<'_>, entry: &Entry, flow: bool, value: &Scalar) -> Edit {
    let part = source.part(entry.value);
    let text = |range: Range<usize>| source.text.get(range).unwrap_or_default();
    let (key, old) = (text(entry.key.clone()), text(part.range.clone()));
    let json = flow && key.starts_with('"');
    // Without a tag or an anchor between key and value.
    if matches!(part.kind, Kind::Scalar) && !old.is_empty() && text(entry.key.end..part.range.start).trim() == ":" {
        return Edit { range: part.range.clone(), text: value.written(json, old) };
    }
    Edit { range: entry.key.start..part.range.end, text: format!("{key}: {}", value.written(json, "")) }
}

fn inserted(
    source: &Source<'_>,
    inside: usize,
    flow: bool,
    entries: &[Entry],
    after: &str,
    line: &dyn Fn(bool) -> (String, String),
) -> Option<Edit> {
    let end = |entry: &Entry| source.part(entry.value).range.end;
    // A value on the line of its key, so that nothing has to be known of where a longer one ends.
    let short = |entry: &&Entry| {
        let whole = source.text.get(entry.key.start..end(entry)).unwrap_or_default();
        flow || !whole.contains('\n') && !is_block(source, entry)
    };
    let named = entries.iter().rfind(|entry| entry.name == after);
    let neighbour = named.filter(short).or_else(|| entries.iter().rfind(short));
    if !flow {
        let neighbour = neighbour.or(entries.first())?;
        let (key, value) = line(false);
        let indent: String = source.before(neighbour.key.start).chars().map(|_| ' ').collect();
        let line_end = source.line_end();
        if !short(&neighbour) {
            let place = neighbour.key.start;
            return Some(Edit { range: place..place, text: format!("{key}: {value}{line_end}{indent}") });
        }
        let place = end(neighbour) + source.after(end(neighbour)).len();
        return Some(Edit { range: place..place, text: format!("{line_end}{indent}{key}: {value}") });
    }
    let Some(neighbour) = neighbour else {
        let json = source.text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
        let (key, value) = line(json);
        let key = if json { format!("\"{key}\"") } else { key };
        let place = source.part(inside).range.start + 1;
        return Some(Edit { range: place..place, text: format!("{key}: {value}") });
    };
    let json = source.text.get(neighbour.key.clone()).is_some_and(|key| key.starts_with('"'));
    let (key, value) = line(json);
    let key = if json { format!("\"{key}\"") } else { key };
    let colon = source.text.get(neighbour.key.end..source.part(neighbour.value).range.start).unwrap_or_default();
    let colon = if json && colon.trim() == ":" && !colon.contains('\n') { colon } else { ": " };
    let before = source.before(neighbour.key.start);
    let own_line = !before.is_empty() && before.trim().is_empty();
    let place = end(neighbour);
    if own_line {
        let rest = source.after(place);
        let comment = rest.trim_start().strip_prefix(',').is_some_and(|rest| rest.trim_start().starts_with('#'));
        let line_end = source.line_end();
        return Some(if comment {
            let place = place + rest.len();
            Edit { range: place..place, text: format!("{line_end}{before}{key}{colon}{value},") }
        } else {
            Edit { range: place..place, text: format!(",{line_end}{before}{key}{colon}{value}") }
        });
    }
    let space = if colon.ends_with(' ') { " " } else { "" };
    Some(Edit { range: place..place, text: format!(",{space}{key}{colon}{value}") })
}

/// Whether a value goes on in the lines below its key, or may.
fn is_block(source: &Source<'_>, entry: &Entry) -> bool {
    let part = source.part(entry.value);
    let behind = source.after(entry.key.end);
    let on_its_line = part.range.start <= entry.key.end + behind.len();
    match part.kind {
        Kind::Map { flow, .. } | Kind::List { flow, .. } => !flow,
        // `|` and `>` are followed by the text's own lines.
        Kind::Scalar | Kind::Alias(_) => !on_its_line,
    }
}

/// Without one of several entries or items, which have these bytes.
fn removed(source: &Source<'_>, flow: bool, ranges: &[Range<usize>], at: usize) -> Option<Edit> {
    let this = ranges.get(at)?;
    if flow {
        let range = match (at.checked_sub(1).and_then(|before| ranges.get(before)), ranges.get(at + 1)) {
            (_, Some(next)) => this.start..next.start,
            (Some(before), None) => before.end..this.end,
            (None, None) => this.clone(),
        };
        return Some(Edit { range, text: String::new() });
    }
    // An item begins with its dash; a key that shares its line with one has no lines of its own.
    let before = source.before(this.start);
    if !before.trim().is_empty() && before.trim() != "-" {
        return None;
    }
    let start = this.start - before.len();
    let end = this.end + source.after(this.end).len();
    let rest = source.text.get(end..)?;
    let line_end = if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    // At the end of a text without a last line end, the one before goes.
    if line_end == 0 {
        let above = source.text.get(..start)?;
        let above = above.strip_suffix('\n').map_or(above, |above| above.strip_suffix('\r').unwrap_or(above));
        return Some(Edit { range: above.len()..end, text: String::new() });
    }
    Some(Edit { range: start..end + line_end, text: String::new() })
}
