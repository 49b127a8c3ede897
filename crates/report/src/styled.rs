//! How does a line look? Its parts with their tones, cut to a width, in colour or without.

use unicode_width::UnicodeWidthChar;

use crate::safe::{Safe, painted, shown};

/// What a part of a line means; colour only ever repeats what the words say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Dim,
    Good,
    Warn,
    Bad,
}

impl Tone {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Dim => Some("2"),
            Self::Good => Some("32"),
            Self::Warn => Some("33"),
            Self::Bad => Some("1;31"),
        }
    }
}

/// One line, not yet cut and not yet coloured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub(crate) struct Line {
    parts: Vec<(Tone, String)>,
}

impl Line {
    pub(crate) fn of(tone: Tone, text: impl Into<String>) -> Self {
        Self::default().with(tone, text)
    }

    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::of(Tone::Plain, text)
    }

    pub(crate) fn with(mut self, tone: Tone, text: impl Into<String>) -> Self {
        // Whatever it says, and whoever wrote it.
        self.parts.push((tone, shown(&text.into())));
        self
    }

    /// The same line with everything of `other` behind it.
    pub(crate) fn joined(mut self, other: Self) -> Self {
        self.parts.extend(other.parts);
        self
    }

    /// The same line with blanks up to `width`, if it is shorter.
    pub(crate) fn padded(self, width: usize) -> Self {
        let missing = width.saturating_sub(self.width());
        self.with(Tone::Plain, " ".repeat(missing))
    }

    pub(crate) fn width(&self) -> usize {
        self.parts.iter().flat_map(|(_, text)| text.chars()).map(columns).sum()
    }

    /// The line in at most `width` columns, cut with `…` where it is longer, without blanks at its end.
    pub(crate) fn render(&self, width: usize, color: bool) -> Safe {
        let fits = self.width() <= width;
        let mut room = if fits { width } else { width.saturating_sub(1) };
        let mut parts = Vec::new();
        let last = self.parts.iter().rposition(|(_, text)| !text.trim_end().is_empty());
        let shown = last.map_or(0, |last| last + 1);
        for (index, (tone, text)) in self.parts.iter().enumerate().take(shown) {
            let text = if index + 1 == shown { text.trim_end() } else { text.as_str() };
            let kept = cut(text, &mut room);
            parts.push((tone.code().filter(|_| color && !kept.trim().is_empty()), kept));
            if kept.len() < text.len() {
                break;
            }
        }
        painted(parts, if !fits && width > 0 { "…" } else { "" })
    }
}

/// The beginning of a row: its word, and room for the longest of them.
pub(crate) fn row(word: &str) -> Line {
    Line::of(Tone::Dim, format!("  {word:<10}"))
}

/// As much of a text as there is room for; the room is used up.
fn cut<'a>(text: &'a str, room: &mut usize) -> &'a str {
    for (at, letter) in text.char_indices() {
        let Some(left) = room.checked_sub(columns(letter)) else { return text.get(..at).unwrap_or_default() };
        *room = left;
    }
    text
}

fn columns(letter: char) -> usize {
    letter.width().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_by_columns_not_by_letters() {
        let line = Line::plain("ab").with(Tone::Bad, "配置").with(Tone::Plain, "c");
        assert_eq!(line.width(), 7);
        assert_eq!(&*line.render(7, false), "ab配置c");
        assert_eq!(&*line.render(6, false), "ab配…");
        assert_eq!(&*line.render(4, false), "ab…");
        assert_eq!(&*line.render(1, false), "…");
        assert_eq!(&*line.render(0, false), "");
    }

    #[test]
    fn colour_changes_no_letter_and_no_width() {
        let line = Line::of(Tone::Good, "✔").with(Tone::Plain, " fine").with(Tone::Dim, "   ");
        assert_eq!(&*line.render(80, false), "✔ fine");
        assert_eq!(&*line.render(80, true), "\u{1b}[32m✔\u{1b}[0m fine");
        assert_eq!(&*line.render(4, true), "\u{1b}[32m✔\u{1b}[0m f…");
    }

    #[test]
    fn pads_and_joins() {
        let line = Line::plain("a").padded(3).joined(Line::plain("b"));
        assert_eq!(&*line.render(80, false), "a  b");
    }
}
