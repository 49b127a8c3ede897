//! What does a log show? One line a change, a heartbeat where nothing else was written, the end; no escape codes.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use rollout::Time;
use rollout::event::{Ending, Event, What};
use rollout::health::clock;

use crate::Reporter;
use crate::ending::{self, Block};
use crate::sentence::{Told, sentences};
use crate::story::Story;
use crate::words::clean;

/// Writes plain lines.
#[derive(Debug)]
pub struct Plain<W> {
    out: W,
    lines: Lines,
}

impl<W: Write> Plain<W> {
    /// A reporter that writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, lines: Lines::default() }
    }
}

impl<W: Write> Reporter for Plain<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let text: String = self.lines.tell(event).into_iter().map(|line| line + "\n").collect();
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A heartbeat this soon after another line says nothing that is not known.
const QUIET: Duration = Duration::from_secs(30);

/// How wide the words before the sentences are.
const WORD: usize = 8;

/// The lines that events make, for whoever writes them.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    stories: BTreeMap<(String, String), Story>,
    last: Option<Time>,
}

impl Lines {
    /// Takes an event into account and gives its lines.
    pub(crate) fn tell(&mut self, event: &Event) -> Vec<String> {
        let story = self.stories.entry((event.function.clone(), event.alias.clone())).or_default();
        story.add(event);
        let lines = match event.ending() {
            Some(ending) => end(story, ending),
            None => self.change(event),
        };
        if !lines.is_empty() {
            self.last = Some(event.at);
        }
        lines.iter().map(|line| inert(line)).collect()
    }

    fn change(&self, event: &Event) -> Vec<String> {
        let beat = matches!(event.what, What::Heartbeat { .. });
        if beat && self.last.is_some_and(|last| event.at.since(last) < QUIET) {
            return Vec::new();
        }
        let Some(story) = self.stories.get(&(event.function.clone(), event.alias.clone())) else { return Vec::new() };
        let widest = self.stories.values().map(|story| story.subject().len()).max().unwrap_or(0);
        let told = sentences(story, event);
        told.iter().flat_map(|told| written(event.at, &story.subject(), widest, told)).collect()
    }
}

/// The line as no CI system takes it for a command: others' words may stand at its beginning, or anywhere in it.
fn inert(line: &str) -> String {
    let line = clean(line);
    let begins = line.trim_start().starts_with("::");
    if !begins && !line.contains("##[") && !line.contains("##vso[") {
        return line;
    }
    let line = line.replace("##[", "## [").replace("##vso[", "## vso[");
    if begins { line.replacen("::", "| ::", 1) } else { line }
}

fn written(at: Time, subject: &str, widest: usize, told: &Told) -> Vec<String> {
    let Told { word, text, under } = told;
    let first = format!("{}  {subject:<widest$}  {word:<WORD$}  {text}", clock(at));
    let indent = " ".repeat("14:02:13".len() + 2 + widest + 2 + WORD + 2);
    // The bar keeps a log's own text from being taken for a line, or a command, of the log that it stands in.
    let under = under.iter().map(|line| format!("{indent}| {line}"));
    [first].into_iter().chain(under).map(|line| line.trim_end().to_owned()).collect()
}

fn end(story: &Story, ending: &Ending) -> Vec<String> {
    let block = ending::lines(&Block::of(story, ending), None);
    [String::new()].into_iter().chain(block.iter().map(|line| line.render(usize::MAX, false))).collect()
}
