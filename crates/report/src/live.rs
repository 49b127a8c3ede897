//! How does the live view update in place? It draws frames over each other and keeps everything above them.
//!
//! What a frame shows is not decided here. It reads no keys and changes no terminal mode, so there is nothing to restore.

use std::io::{self, Write};

use crossterm::cursor::MoveUp;
use crossterm::terminal;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate};
use rollout::Time;
use rollout::event::{Event, EventKind};

use crate::Reporter;
use crate::ending::Block;
use crate::live_frame::{LiveState, ROWS, rows as rows_of};
use crate::plain::Lines;
use crate::prompt::Prompt;
use crate::safe::{Out, Safe};

/// How large the terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// As large as the terminal says at every drawing.
    Asked,
    /// This many columns and rows.
    Fixed(u16, u16),
}

/// In a smaller terminal plain lines are easier to read.
const LEAST_COLUMNS: usize = 60;
const LEAST_ROWS: usize = 10;

/// Draws one block and redraws it in place; in a terminal that is too small it writes plain lines.
#[derive(Debug)]
pub struct Live<W> {
    out: Out<W>,
    size: Size,
    color: bool,
    state: LiveState,
    lines: Lines,
    /// The width of every line of the frame that is on the screen.
    drawn: Vec<usize>,
    now: Time,
    of_a_group: bool,
    ended: bool,
}

impl<W: Write> Live<W> {
    /// A live view on the terminal behind `out`. Without `color` it makes the same sense.
    pub fn new(out: W, size: Size, color: bool) -> Self {
        let (state, lines, drawn) = (LiveState::default(), Lines::default(), Vec::new());
        Self { out: Out::new(out), size, color, state, lines, drawn, now: Time::default(), of_a_group: false, ended: false }
    }

    /// The same of several functions at a time.
    pub fn of_a_group(out: W, size: Size, color: bool) -> Self {
        Self { state: LiveState::of_a_group(), lines: Lines::of_a_group(), of_a_group: true, ..Self::new(out, size, color) }
    }

    fn size(&self) -> (usize, usize) {
        let (columns, rows) = match self.size {
            Size::Fixed(columns, rows) => (columns, rows),
            // The default size, if the terminal does not say.
            Size::Asked => terminal::size().ok().filter(|(columns, rows)| *columns > 0 && *rows > 0).unwrap_or((80, 24)),
        };
        (usize::from(columns), usize::from(rows))
    }

    fn is_small((columns, rows): (usize, usize)) -> bool {
        columns < LEAST_COLUMNS || rows < LEAST_ROWS
    }

    /// Queues the move to where the frame began.
    fn rise(&mut self, buffer: &mut Safe, columns: usize) -> usize {
        // After a change of size the terminal has wrapped the lines that became too long.
        let rows: usize = self.drawn.drain(..).map(|width| width.max(1).div_ceil(columns.max(1))).sum();
        if rows > 0 {
            buffer.command(MoveUp(u16::try_from(rows).unwrap_or(u16::MAX)));
        }
        buffer.carriage_return();
        rows
    }

    fn draw(&mut self, above: &[Safe]) -> io::Result<()> {
        let size = self.size();
        let (columns, rows) = size;
        let mut buffer = Safe::default();
        buffer.command(BeginSynchronizedUpdate);
        let was_high = self.rise(&mut buffer, columns) > 0;
        // Written over line by line: a screen that is cleared whole goes into the scrollback of some terminals, again and again.
        for line in above {
            put(&mut buffer, line);
        }
        if !self.ended && !Self::is_small(size) {
            // The last column stays free: some terminals wrap as soon as it is written.
            let width = columns - 1;
            // Where a terminal is narrower than it says, or letters are wider, a line is cut and stays one row.
            buffer.command(DisableLineWrap);
            for line in rows_of(&self.state, self.now, width).fitted(ROWS.min(rows - 1)) {
                put(&mut buffer, &line.render(width, self.color));
                self.drawn.push(line.width().min(width));
            }
            buffer.command(EnableLineWrap);
        }
        if above.is_empty() && self.drawn.is_empty() && was_high {
            put(&mut buffer, &Safe::default());
            buffer.command(Clear(ClearType::FromCursorDown));
            buffer.command(MoveUp(1));
        } else {
            buffer.command(Clear(ClearType::FromCursorDown));
        }
        buffer.command(EndSynchronizedUpdate);
        // One write a frame: half a frame is never seen.
        self.out.put(&buffer)
    }

    /// The lines that stay above the frame, because they must not be lost.
    fn lasting(&self, event: &Event, lines: Vec<Safe>, size: (usize, usize)) -> Vec<Safe> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "every other event can be lost")]
        let block = match &event.what {
            EventKind::GroupOutcome(outcome) => Block::of_a_group(outcome),
            EventKind::Outcome(ending) if !self.of_a_group => Block::of(&self.state.story, ending),
            // In a group the line is enough.
            EventKind::Outcome(_) | EventKind::Warning { .. } | EventKind::HookFailed { .. } => return lines,
            _ => return if Self::is_small(size) { lines } else { Vec::new() },
        };
        let block = block.styled(Some(size.0)).into_iter().map(|line| line.render(usize::MAX, self.color));
        [Safe::default()].into_iter().chain(block).collect()
    }
}

/// Queues one line over the old one.
fn put(buffer: &mut Safe, line: &Safe) {
    // The whole line, so that the terminal forgets that it went on in the next one.
    buffer.command(Clear(ClearType::CurrentLine));
    buffer.push(line);
    // Of a long one that goes on in the next row, its rest.
    buffer.command(Clear(ClearType::UntilNewLine));
    // A carriage return too: reading keys may have switched the terminal to raw mode.
    buffer.end_line(true);
}

impl<W: Write> Reporter for Live<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.now = self.now.max(event.at);
        self.state.add(event);
        let lines = self.lines.tell(event);
        let above = self.lasting(event, lines, self.size());
        self.ended |= if self.of_a_group { matches!(event.what, EventKind::GroupOutcome(_)) } else { event.ending().is_some() };
        self.draw(&above)
    }

    fn tick(&mut self, now: Time) -> io::Result<()> {
        self.now = self.now.max(now);
        if self.ended || self.state.is_blank() { Ok(()) } else { self.draw(&[]) }
    }

    fn prompt(&mut self, prompt: &Prompt) -> io::Result<()> {
        if self.ended || self.state.prompt == *prompt {
            return Ok(());
        }
        self.state.prompt = prompt.clone();
        let line = prompt.line(&self.state.story).filter(|_| prompt.lasts() && Self::is_small(self.size()));
        let above: Vec<Safe> = line.iter().map(|line| line.render(usize::MAX, self.color)).collect();
        if self.state.is_blank() && above.is_empty() { Ok(()) } else { self.draw(&above) }
    }

    fn anew(&mut self) -> io::Result<()> {
        self.drawn.clear();
        Ok(())
    }
}
