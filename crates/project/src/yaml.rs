//! How does YAML become a tree? Anchors, aliases, merge keys and tags, within a budget. JSON is read as the YAML that it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::finding::{Findings, Problem, Problems, shown};
use crate::place::Place;
use crate::tree::{Key, Map, Node, Value};

/// The largest file that is read: the longest templates that AWS takes have 1 MB.
pub const MOST_BYTES: usize = 10 * 1024 * 1024;
/// The most values in a file, including repetitions by aliases.
const MOST_VALUES: usize = 500_000;
/// The most bytes of text, including repetitions by aliases.
const MOST_TEXT: usize = 4 * MOST_BYTES;
/// The deepest nesting. What is read by recursion must fit on any thread's stack.
pub(crate) const MOST_NESTED: usize = 100;

/// A file, as far as it can be read.
pub(crate) struct Document {
    /// What is in it, up to the problem.
    pub(crate) root: Node,
    /// Why the rest cannot be read.
    pub(crate) broken: Option<Problem>,
    /// The aliases that the rest names.
    pub(crate) unread_aliases: BTreeSet<String>,
    /// Keys that are there twice, with the line of the one before: the last one counts.
    pub(crate) twice: Vec<(Key, u32)>,
}

/// The whole of a file in which no key is there twice.
pub(crate) fn parse(file: &str, bytes: &[u8]) -> Result<Node, Problems> {
    let Document { root, broken, twice, .. } = document(file, bytes)?;
    let problem = broken.or_else(|| twice.first().map(duplicate));
    problem.map_or(Ok(root), |problem| Err(Problems::one(problem)))
}

/// As much of a file as can be read; an error only where that is nothing.
pub(crate) fn document(file: &str, bytes: &[u8]) -> Result<Document, Problems> {
    let text = text(file, bytes)?;
    let options = granit_parser::options! {
        flow_nesting_limit: MOST_NESTED,
        block_nesting_limit: MOST_NESTED,
    };
    let mut loader = Loader {
        file: file.into(),
        open: Vec::new(),
        anchors: BTreeMap::new(),
        size: Size::default(),
        document: None,
        twice: Vec::new(),
    };
    let broken = events(text, options).find_map(|event| match event {
        Ok((event, span)) => loader.event(event, span).err(),
        Err(error) => Some(loader.syntax(&error, text)),
    });
    while broken.is_some() && !loader.open.is_empty() {
        // What is wrong here follows from the problem before.
        let _ = loader.close();
    }
    let root = loader.document.unwrap_or_else(|| empty(&loader.file));
    let unread_aliases = broken.iter().flat_map(|broken| aliases_after(text, broken.place.line)).collect();
    Ok(Document { root, broken, unread_aliases, twice: loader.twice })
}

/// The values of all keys that end with `alias`, from a line on.
fn aliases_after(text: &str, line: u32) -> impl Iterator<Item = String> + use<'_> {
    let lines = text.lines().skip((line as usize).saturating_sub(1)).filter(|line| line.len() <= LONGEST_LINE);
    lines.take(MOST_LINES).flat_map(|line| {
        let words = line.split(['{', ',', '}']).filter_map(|part| part.split_once(':'));
        let plain = |text: &str| text.trim().trim_start_matches("- ").trim_matches(['"', '\'']).to_owned();
        let named = words.filter(move |(key, _)| plain(key).to_lowercase().ends_with("alias"));
        named.filter_map(move |(_, value)| Some(plain(value.split(" #").next()?)).filter(|value| !value.is_empty()))
    })
}

/// Refuses keys that are there twice: in a function, only for it.
pub(crate) fn refuse_duplicates(document: &Document, found: &mut Findings) {
    for key in document.twice.iter().take(MOST_DUPLICATES) {
        let above = document.root.keys_above(&key.0.place);
        let in_functions = above.first().is_some_and(|key| key.text == "functions");
        found.function = above.get(1).filter(|_| in_functions).map(|key| key.text.clone());
        found.problem(&key.0.place, duplicate(key).message);
        found.function = None;
    }
}

/// That a key is there twice.
pub(crate) fn duplicate((key, line): &(Key, u32)) -> Problem {
    Problem::new(key.place.clone(), format!("`{}` is a duplicate key, first used in line {line}", shown(&key.text)))
}

/// The text of a file that is not too long and is UTF-8.
pub(crate) fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, Problems> {
    if bytes.len() > MOST_BYTES {
        return Err(Problems::one(Problem::new(Place::whole(file), "the file is larger than 10 MB")));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
        Problems::one(Problem::new(end_of(file, &before), "this is not UTF-8"))
    })
}

pub(crate) fn end_of(file: &str, text: &str) -> Place {
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Place { file: file.into(), line: short(line), column: short(column) }
}

fn events(text: &str, options: Options) -> impl Iterator<Item = Result<(Event<'_>, Span), ScanError>> {
    Parser::new_from_str_with_options(text, options)
}

fn empty(file: &Arc<str>) -> Node {
    let place = Place { file: Arc::clone(file), line: 1, column: 1 };
    Node { place, tag: None, value: Value::Scalar { text: String::new(), plain: true } }
}

struct Loader {
    file: Arc<str>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    size: Size,
    document: Option<Node>,
    twice: Vec<(Key, u32)>,
}

#[derive(Clone, Copy, Default)]
struct Size {
    values: usize,
    text: usize,
}

struct Open {
    place: Place,
    tag: Option<Box<str>>,
    anchor: usize,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, merged: Vec<Node>, key: Option<Key> },
}

impl Loader {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the parser's events may become more")]
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let place = self.place(&span);
        match event {
            Event::DocumentStart(..) if self.document.is_some() => {
                Err(Problem::new(place, "expected one document, found a second one"))
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(&place, Size { values: 1, text: text.len() })?;
                let plain = style == ScalarStyle::Plain && !is_string(tag.as_deref());
                let value = Value::Scalar { text: text.into_owned(), plain };
                self.add(Node { place, tag: own(tag.as_deref()), value }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => self.open(place, anchor, tag.as_deref(), Inside::List(Vec::new())),
            Event::MappingStart(_, anchor, tag) => {
                self.open(place, anchor, tag.as_deref(), Inside::Map { entries: Vec::new(), merged: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, place),
            // The frame of the document, and events that were not requested.
            _ => Ok(()),
        }
    }

    fn open(&mut self, place: Place, anchor: usize, tag: Option<&Tag>, inside: Inside) -> Result<(), Problem> {
        if self.open.len() >= MOST_NESTED {
            return Err(Problem::new(place, format!("nested more than {MOST_NESTED} deep")));
        }
        self.count(&place, Size { values: 1, text: 0 })?;
        self.open.push(Open { place, tag: own(tag), anchor, inside });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let Some(Open { place, tag, anchor, inside }) = self.open.pop() else { return Ok(()) };
        let value = match inside {
            Inside::List(nodes) => Value::List(nodes),
            Inside::Map { entries, merged, .. } => Value::Map(self.map(entries, merged)?),
        };
        self.add(Node { place, tag, value }, anchor)
    }

    /// A copy of the anchor's node, with its place, which is where a value can be changed.
    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Problem> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Problem::new(place, "this alias refers to a node that contains it"));
        };
        // Counted before it is copied: the copies are what a chain of aliases makes grow without end.
        self.count(&place, size(node))?;
        self.anchors.get(&anchor).cloned().map_or(Ok(()), |copy| self.add(copy, 0))
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        if anchor != 0 {
            self.count(&node.place, size(&node))?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.inside) {
            None => self.document = Some(node),
            Some(Inside::List(nodes)) => nodes.push(node),
            Some(Inside::Map { entries, merged, key }) => match key.take() {
                None => *key = Some(as_key(node)?),
                Some(key) if key.text == "<<" => merged.push(node),
                Some(key) => entries.push((key, node)),
            },
        }
        Ok(())
    }

    fn count(&mut self, place: &Place, more: Size) -> Result<(), Problem> {
        self.size.values = self.size.values.saturating_add(more.values);
        self.size.text = self.size.text.saturating_add(more.text);
        if self.size.text > MOST_TEXT {
            let message = "more than 40 MB of text, including repetitions by aliases";
            return Err(Problem::new(place.clone(), message));
        }
        if self.size.values > MOST_VALUES {
            let message = format!("more than {MOST_VALUES} values, including repetitions by aliases");
            return Err(Problem::new(place.clone(), message));
        }
        Ok(())
    }

    fn place(&self, span: &Span) -> Place {
        let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Place { file: Arc::clone(&self.file), line: short(span.start.line()), column: short(span.start.col() + 1) }
    }

    fn syntax(&self, error: &ScanError, text: &str) -> Problem {
        let place = self.place(&Span::empty(*error.marker()));
        let hint = syntax_hint(text, place.line);
        Problem { hint, ..Problem::new(place, format!("invalid YAML: {}", error.kind())) }
    }

    /// The entries, then those of the merged maps; an earlier one goes first.
    fn map(&mut self, mut entries: Vec<(Key, Node)>, merged: Vec<Node>) -> Result<Map, Problem> {
        let mut known: BTreeSet<String> =
            entries.iter().filter(|_| !merged.is_empty()).map(|(key, _)| key.text.clone()).collect();
        for node in merged {
            let maps = if let Value::List(nodes) = node.value { nodes } else { vec![node] };
            for node in maps {
                let Value::Map(map) = node.value else {
                    return Err(Problem::new(node.place, "`<<` needs a map"));
                };
                entries.extend(map.into_entries().into_iter().filter(|(key, _)| known.insert(key.text.clone())));
            }
        }
        let (map, twice) = Map::new(entries);
        self.twice.extend(twice);
        Ok(map)
    }
}

/// What is probably wrong in a line that is not YAML, or in the one before it.
fn syntax_hint(text: &str, line: u32) -> Option<String> {
    let line = line as usize;
    let lines = text.lines().enumerate().skip(line.saturating_sub(2)).take(2).filter(|(_, text)| text.len() <= LONGEST_LINE);
    let mut hints = lines.filter_map(|(index, text)| {
        let (number, words) = (index + 1, text.trim_start().trim_start_matches("- "));
        let key = words.split(':').next().unwrap_or_default();
        let after = words.get(key.len() + 1..).unwrap_or_default();
        let is_key = !key.is_empty() && key.chars().all(|letter| letter.is_alphanumeric() || "_-.\"'".contains(letter));
        if ["{{", "${", "#{", "{%", "<%"].iter().any(|open| text.contains(open)) {
            return Some(format!(
                "line {number}: a placeholder such as `{{{{NAME}}}}` needs quotes, or has to be filled in first"
            ));
        }
        if is_key && !after.is_empty() && !after.starts_with([' ', '/', ':', '\t']) {
            return Some(format!("line {number}: a key and its value need `: `, with a space"));
        }
        if text.starts_with('\t') {
            return Some(format!("line {number}: indent with spaces"));
        }
        let value = after.trim_start();
        if is_key && (value.starts_with(['@', '%', '`']) || value.contains(": ") && !value.starts_with(['"', '\'', '{', '['])) {
            return Some(format!("line {number}: put the value in quotes"));
        }
        None
    });
    // The line itself goes before the one above it.
    let above = hints.next();
    hints.next().or(above)
}

/// How many keys are reported that are there twice.
const MOST_DUPLICATES: usize = 1000;
/// How many lines are searched for aliases.
const MOST_LINES: usize = 100_000;
/// Longer lines are not searched for what is wrong in them.
const LONGEST_LINE: usize = 1000;

fn as_key(node: Node) -> Result<Key, Problem> {
    match node.value {
        Value::Scalar { text, .. } => Ok(Key { text, place: node.place }),
        Value::List(_) | Value::Map(_) => {
            let hint = "a placeholder such as `{{NAME}}` needs quotes, or has to be filled in first";
            Err(Problem::new(node.place, "a list or map cannot be a key").hint(hint))
        }
    }
}

fn size(node: &Node) -> Size {
    let own = Size { values: 1, text: 0 };
    let more = |so_far: Size, inner: Size| Size { values: so_far.values + inner.values, text: so_far.text + inner.text };
    match &node.value {
        Value::Scalar { text, .. } => Size { values: 1, text: text.len() },
        Value::List(nodes) => nodes.iter().map(size).fold(own, more),
        Value::Map(map) => {
            map.iter().map(|(key, node)| more(size(node), Size { values: 1, text: key.text.len() })).fold(own, more)
        }
    }
}

/// A tag that is no type of YAML's own.
fn own(tag: Option<&Tag>) -> Option<Box<str>> {
    let tag = tag.filter(|tag| !tag.is_yaml_core_schema())?;
    Some(tag.suffix().into())
}

fn is_string(tag: Option<&Tag>) -> bool {
    tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str") || tag.handle() == "!" && tag.suffix().is_empty())
}
