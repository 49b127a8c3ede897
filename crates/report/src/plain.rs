//! What does a log show? One line for each change, a heartbeat if nothing else was written, the end; no escape codes.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use rollout::event::{Event, EventKind, RolloutSummary};
use rollout::health::clock;
use rollout::{Cause, OutcomeKind, ReasonKind, Time};

use crate::Reporter;
use crate::ending::Block;
use crate::messages::{LogLine, sentences};
use crate::rollout_state::Story;
use crate::safe::{Out, Safe, inert};

/// Writes plain lines.
#[derive(Debug)]
pub struct Plain<W> {
    out: Out<W>,
    lines: Lines,
}

impl<W: Write> Plain<W> {
    /// A reporter that writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out: Out::new(out), lines: Lines::default() }
    }

    /// The same for several functions at a time: each one's end is a line, and the end of all of them a block.
    pub fn of_a_group(out: W) -> Self {
        Self { out: Out::new(out), lines: Lines::of_a_group() }
    }
}

impl<W: Write> Reporter for Plain<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let mut text = Safe::default();
        for line in self.lines.tell(event) {
            text.push(&line);
            text.end_line(false);
        }
        self.out.put(&text)
    }
}

/// A heartbeat this soon after another line is left out.
const QUIET: Duration = Duration::from_secs(30);

/// How wide the words before the sentences are.
const WORD: usize = 8;

/// The lines of events, for several reporters.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    stories: BTreeMap<(String, String), Story>,
    last: Option<Time>,
    of_a_group: bool,
}

impl Lines {
    /// The lines of several functions at a time.
    pub(crate) fn of_a_group() -> Self {
        Self { of_a_group: true, ..Self::default() }
    }

    /// Takes an event into account and gives its lines.
    pub(crate) fn tell(&mut self, event: &Event) -> Vec<Safe> {
        if let EventKind::GroupOutcome(outcome) = &event.what {
            return block(&Block::of_a_group(outcome)).iter().map(|line| inert(line)).collect();
        }
        self.stories.entry((event.function.clone(), event.alias.clone())).or_default().add(event);
        let Some(story) = self.story(event) else { return Vec::new() };
        let widest = self.stories.values().map(|story| story.subject().len()).max().unwrap_or(0);
        let written = |line: &LogLine| written(event.at, &story.subject(), widest, line);
        let lines = match event.ending() {
            Some(ending) if self.of_a_group => written(&ended(story, ending)),
            Some(ending) => block(&Block::of(story, ending)),
            None if self.is_quiet(event) => Vec::new(),
            None => sentences(story, event).iter().flat_map(written).collect(),
        };
        if !lines.is_empty() {
            self.last = Some(event.at);
        }
        lines.iter().map(|line| inert(line)).collect()
    }

    /// Whether it is a heartbeat soon after another line.
    fn is_quiet(&self, event: &Event) -> bool {
        let beat = matches!(event.what, EventKind::Heartbeat { .. });
        beat && self.last.is_some_and(|last| event.at.since(last) < QUIET)
    }

    pub(crate) fn story(&self, event: &Event) -> Option<&Story> {
        self.stories.get(&(event.function.clone(), event.alias.clone()))
    }

    pub(crate) fn subject(&self) -> String {
        let one = self.stories.values().next().filter(|_| !self.of_a_group);
        one.map_or_else(|| "all functions".to_owned(), Story::subject)
    }

    /// Whether this function's end gets an annotation: in a group only those with their own cause do.
    pub(crate) fn stands_out(&self, ending: &RolloutSummary) -> bool {
        !self.of_a_group || !(ending.is_good() || ending.reason.kind == ReasonKind::Cause(Cause::Group))
    }
}

/// One function's end in a group: a line, and the command if the rollback is not confirmed.
fn ended(story: &Story, ending: &RolloutSummary) -> LogLine {
    let Block { verdict, why, now, next, .. } = Block::of(story, ending);
    let why = why.first().map_or("", String::as_str);
    let text = format!("{} {}: {why}; {now}", verdict.mark(), verdict.word);
    let under = if ending.outcome == OutcomeKind::RollbackUnconfirmed { next } else { Vec::new() };
    LogLine { word: "ended", text, under }
}

fn written(at: Time, subject: &str, widest: usize, line: &LogLine) -> Vec<String> {
    let LogLine { word, text, under } = line;
    let first = format!("{}  {subject:<widest$}  {word:<WORD$}  {text}", clock(at));
    let indent = " ".repeat("14:02:13".len() + 2 + widest + 2 + WORD + 2);
    // The bar marks foreign text: it is no line or command of this log.
    let under = under.iter().map(|line| format!("{indent}| {line}"));
    [first].into_iter().chain(under).map(|text| text.trim_end().to_owned()).collect()
}

fn block(block: &Block) -> Vec<String> {
    [String::new()].into_iter().chain(block.lines()).collect()
}
