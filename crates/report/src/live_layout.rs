//! How are the rows of the live view laid out, for one function or several? What is cut on a low screen, and where texts begin.

use rollout::Time;
use rollout::health::clock;

use crate::styled::{Line, Tone};

/// The column where the sentences of the last events begin: after time and label.
pub(crate) const TEXT_AT: usize = 22;

/// The rows of the live view; a low screen cuts the first parts first.
pub(crate) struct Rows {
    pub(crate) body: Vec<Line>,
    /// What happened last, oldest first.
    pub(crate) recent: Vec<Line>,
    /// How to roll back, and the keys: never cut.
    pub(crate) foot: Vec<Line>,
}

impl Rows {
    pub(crate) fn fitted(self, rows: usize) -> Vec<Line> {
        let Self { mut body, mut recent, foot } = self;
        let room = rows.saturating_sub(foot.len());
        body.truncate(room.saturating_sub(recent.len().min(1)));
        recent.drain(..(body.len() + recent.len()).saturating_sub(room).min(recent.len()));
        body.into_iter().chain(recent).chain(foot).take(rows).collect()
    }
}

pub(crate) fn happened(at: Time, word: &str, text: &str) -> Line {
    Line::of(Tone::Dim, format!("  {}  ", clock(at))).with(Tone::Plain, format!("{word:<8}  {text}"))
}
