//! Where in a YAML or JSON text is each key, and where does its value end? In bytes, so that it can be changed and nothing else.
//!
//! Only for texts that [`yaml::parse`](crate::yaml::parse) could read: what is wrong with a text is said there.

use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StructureStyle};

use crate::yaml::MOST_NESTED;

/// A text, and what is where in it.
pub(super) struct Source<'t> {
    pub(super) text: &'t str,
    parts: Vec<Part>,
}

/// A value.
pub(super) struct Part {
    /// Its bytes, without its tag and anchor; of a block, to the end of its last value.
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Scalar,
    List {
        flow: bool,
        items: Vec<usize>,
    },
    Map {
        flow: bool,
        entries: Vec<Entry>,
    },
    /// The same value as another one.
    Alias(usize),
}

/// A key with its value.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) key: Range<usize>,
    pub(super) value: usize,
}

impl<'t> Source<'t> {
    /// `None` where the text cannot be read.
    pub(super) fn read(text: &'t str) -> Option<Self> {
        let options = granit_parser::options! {
            flow_nesting_limit: MOST_NESTED,
            block_nesting_limit: MOST_NESTED,
        };
        let mut reader =
            Reader { source: Self { text, parts: Vec::new() }, open: Vec::new(), anchors: BTreeMap::new(), done: false };
        for event in events(text, options) {
            let (event, span) = event.ok()?;
            reader.event(&event, span)?;
        }
        Some(reader.source).filter(|source| !source.parts.is_empty())
    }

    pub(super) fn part(&self, part: usize) -> &Part {
        &self.parts[part]
    }

    /// The value itself, where another one is named.
    pub(super) fn resolved(&self, mut part: usize) -> usize {
        // An alias names what is before it, so this ends.
        while let Kind::Alias(of) = self.parts[part].kind {
            part = of;
        }
        part
    }

    /// The value under these keys, with merged maps; numbers count the items of a list.
    pub(super) fn find(&self, path: &[String]) -> Option<usize> {
        path.iter().try_fold(0, |part, key| self.child(part, key, 0)).map(|part| self.resolved(part))
    }

    /// The value of a key of this map, or of one merged into it, or an item of this list.
    fn child(&self, part: usize, key: &str, depth: usize) -> Option<usize> {
        match &self.parts[self.resolved(part)].kind {
            Kind::List { items, .. } => items.get(key.parse::<usize>().ok()?).copied(),
            Kind::Map { entries, .. } if depth <= MOST_NESTED => {
                let own = entries.iter().rfind(|entry| entry.name == key).map(|entry| entry.value);
                own.or_else(|| {
                    let merged = entries.iter().filter(|entry| entry.name == "<<");
                    let mut maps = merged.flat_map(|entry| match &self.parts[self.resolved(entry.value)].kind {
                        Kind::List { items, .. } => items.clone(),
                        Kind::Scalar | Kind::Map { .. } | Kind::Alias(_) => vec![entry.value],
                    });
                    maps.find_map(|map| self.child(map, key, depth + 1))
                })
            }
            Kind::Scalar | Kind::Map { .. } | Kind::Alias(_) => None,
        }
    }

    /// From the start of the line to this place.
    pub(super) fn before(&self, place: usize) -> &'t str {
        let text = &self.text[..place];
        &text[text.rfind('\n').map_or(0, |end| end + 1)..]
    }

    /// From this place to the end of the line, without its end.
    pub(super) fn after(&self, place: usize) -> &'t str {
        let line = self.text[place..].split('\n').next().unwrap_or_default();
        line.strip_suffix('\r').unwrap_or(line)
    }

    /// How lines end, as the first one does.
    pub(super) fn line_end(&self) -> &'static str {
        let end = self.text.find('\n');
        if end.is_some_and(|end| self.text[..end].ends_with('\r')) { "\r\n" } else { "\n" }
    }
}

fn events(text: &str, options: Options) -> impl Iterator<Item = Result<(Event<'_>, Span), granit_parser::ScanError>> {
    Parser::new_from_str_with_options(text, options)
}

struct Reader<'t> {
    source: Source<'t>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, usize>,
    done: bool,
}

struct Open {
    part: usize,
    key: Option<(String, Range<usize>)>,
}

impl Reader<'_> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the parser's events may become more")]
    fn event(&mut self, event: &Event<'_>, span: Span) -> Option<()> {
        let range = span.start.byte_offset()?..span.end.byte_offset()?;
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let range = self.scalar(range, *style);
                let key = self.key_wanted().then(|| (text.to_string(), range.clone()));
                self.add(range, Kind::Scalar, *anchor, key)
            }
            Event::SequenceStart(style, anchor, _) => {
                let flow = *style == StructureStyle::Flow;
                self.start(range, Kind::List { flow, items: Vec::new() }, *anchor)
            }
            Event::MappingStart(style, anchor, _) => {
                let flow = *style == StructureStyle::Flow;
                self.start(range, Kind::Map { flow, entries: Vec::new() }, *anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(range),
            Event::Alias(anchor) => {
                let kind = Kind::Alias(*self.anchors.get(anchor)?);
                self.add(range, kind, 0, None)
            }
            _ => Some(()),
        }
    }

    /// The bytes of a scalar: of one that is left empty, the place behind its key's colon; of a block, without the lines after it.
    fn scalar(&self, range: Range<usize>, style: ScalarStyle) -> Range<usize> {
        let text = self.source.text;
        match style {
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let whole = text.get(range.clone()).unwrap_or_default();
                range.start..range.start + whole.trim_end().len()
            }
            ScalarStyle::Plain if range.is_empty() => {
                let key = self.open.last().and_then(|open| open.key.as_ref());
                let colon = key.and_then(|(_, key)| Some(key.end + text.get(key.end..)?.find(':')? + 1));
                let end = colon.unwrap_or(range.end);
                end..end
            }
            ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => range,
        }
    }

    fn key_wanted(&self) -> bool {
        self.open.last().is_some_and(|open| open.key.is_none() && matches!(self.source.parts[open.part].kind, Kind::Map { .. }))
    }

    /// Adds a value to what is open, or a key.
    fn add(&mut self, range: Range<usize>, kind: Kind, anchor: usize, key: Option<(String, Range<usize>)>) -> Option<()> {
        let part = self.source.parts.len();
        let end = range.end;
        self.source.parts.push(Part { range, kind });
        if anchor != 0 {
            self.anchors.insert(anchor, part);
        }
        let Some(open) = self.open.last_mut() else { return self.document() };
        if key.is_some() {
            open.key = key;
            return Some(());
        }
        let parent = &mut self.source.parts[open.part];
        match &mut parent.kind {
            Kind::List { items, .. } => items.push(part),
            Kind::Map { entries, .. } => {
                // A list or map is no key.
                let (name, key) = open.key.take()?;
                entries.push(Entry { name, key, value: part });
            }
            Kind::Scalar | Kind::Alias(_) => return None,
        }
        parent.range.end = parent.range.end.max(end);
        Some(())
    }

    /// There is one document in a file.
    fn document(&mut self) -> Option<()> {
        (!std::mem::replace(&mut self.done, true)).then_some(())
    }

    fn start(&mut self, range: Range<usize>, kind: Kind, anchor: usize) -> Option<()> {
        self.add(range, kind, anchor, None)?;
        self.open.push(Open { part: self.source.parts.len() - 1, key: None });
        Some(())
    }

    fn end(&mut self, range: Range<usize>) -> Option<()> {
        let part = self.open.pop()?.part;
        let closed = &mut self.source.parts[part];
        if matches!(closed.kind, Kind::List { flow: true, .. } | Kind::Map { flow: true, .. }) {
            closed.range.end = range.end;
        }
        let end = closed.range.end;
        if let Some(parent) = self.open.last() {
            let parent = &mut self.source.parts[parent.part];
            parent.range.end = parent.range.end.max(end);
        }
        Some(())
    }
}
