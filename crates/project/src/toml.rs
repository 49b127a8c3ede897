//! How does TOML become a tree? As YAML does, with the place of each value.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::finding::{Problem, Problems};
use crate::place::Place;
use crate::tree::{Key, Map, Node, Value};
use crate::yaml;

/// The largest file that is read. People write these files themselves.
const MOST_BYTES: usize = 1024 * 1024;
/// From here on in a line, columns are counted in bytes: counting letters from the line's beginning would take too long.
const LONG_LINE: usize = 1000;

pub(crate) fn parse(file: &str, bytes: &[u8]) -> Result<Node, Problems> {
    if bytes.len() > MOST_BYTES {
        return Err(Problems::one(Problem::new(Place::whole(file), "the file is larger than 1 MB")));
    }
    let text = yaml::text(file, bytes)?;
    let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(index, _)| index + 1)).collect();
    let places = Places { file: file.into(), text, lines };
    match DeTable::parse(text) {
        Ok(table) => Ok(places.table(table.get_ref(), 0)),
        Err(error) => {
            let place = places.place(error.span().map_or(0, |span| span.start));
            let message = format!("invalid TOML: {}", error.message().to_lowercase());
            Err(Problems::one(Problem::new(place, message)))
        }
    }
}

struct Places<'a> {
    file: Arc<str>,
    text: &'a str,
    lines: Vec<usize>,
}

impl Places<'_> {
    fn place(&self, byte: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= byte);
        let start = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or_default();
        let before = self.text.get(start..byte).unwrap_or_default();
        let column = if before.len() > LONG_LINE { before.len() } else { before.chars().count() };
        let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Place { file: Arc::clone(&self.file), line: short(line), column: short(column + 1) }
    }

    fn table(&self, table: &DeTable<'_>, byte: usize) -> Node {
        let entries = table.iter().map(|(key, value)| {
            let place = self.place(key.span().start);
            (Key { text: key.get_ref().as_ref().to_owned(), place }, self.value(value))
        });
        // The TOML parser refuses duplicate keys.
        let (map, _) = Map::new(entries.collect());
        Node { place: self.place(byte), tag: None, value: Value::Map(map) }
    }

    fn value(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let byte = value.span().start;
        let scalar = |text: &str, plain| Value::Scalar { text: text.to_owned(), plain };
        let value = match value.get_ref() {
            DeValue::Table(table) => return self.table(table, byte),
            DeValue::Array(values) => Value::List(values.iter().map(|value| self.value(value)).collect()),
            DeValue::String(text) => scalar(text, false),
            DeValue::Integer(number) => scalar(number.as_str(), true),
            DeValue::Float(number) => scalar(number.as_str(), true),
            DeValue::Boolean(truth) => scalar(if *truth { "true" } else { "false" }, true),
            DeValue::Datetime(time) => scalar(&time.to_string(), true),
        };
        Node { place: self.place(byte), tag: None, value }
    }
}
