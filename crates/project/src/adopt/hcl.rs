//! Where in a Terraform file are blocks and attributes? Reads as much of HCL as it takes to find them, and refuses what it does not
//! understand.
//!
//! What an expression says is not read, only where it ends: strings with templates in them, heredocs, comments and brackets are.

use std::ops::Range;

/// A block, such as `resource "aws_lambda_alias" "live" { … }`.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) kind: String,
    pub(super) labels: Vec<String>,
    /// From its first letter to its closing bracket, which is included.
    pub(super) range: Range<usize>,
    /// Between its brackets.
    pub(super) inside: Range<usize>,
    pub(super) body: Body,
}

#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) attributes: Vec<Attribute>,
    pub(super) blocks: Vec<Block>,
}

/// An attribute, such as `name = "live"`.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: String,
    /// Where its name begins.
    pub(super) start: usize,
    /// Its value, without a comment behind it.
    pub(super) value: Range<usize>,
}

/// The blocks of a file; where it is not understood, the line.
pub(super) fn read(text: &str) -> Result<Body, usize> {
    let mut scanner = Scanner { text, at: if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 } };
    let body = scanner.body(0);
    match body {
        Some(body) if scanner.at == text.len() => Ok(body),
        _ => Err(text.get(..scanner.at).unwrap_or_default().matches('\n').count() + 1),
    }
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

/// What an expression is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Bracket(char),
    Quotes,
    /// `${…}` or `%{…}` in quotes.
    Template,
}

impl<'t> Scanner<'t> {
    /// To the end of the text, or to the bracket that closes the block, which is left.
    fn body(&mut self, depth: usize) -> Option<Body> {
        if depth > DEEPEST {
            return None;
        }
        let mut body = Body::default();
        loop {
            self.blank(true)?;
            if self.at == self.text.len() || self.rest().starts_with('}') {
                return Some(body);
            }
            let start = self.at;
            let name = self.word()?;
            self.blank(false)?;
            if self.rest().starts_with('=') && !self.rest().starts_with("==") {
                self.at += 1;
                let value = self.expression()?;
                body.attributes.push(Attribute { name, start, value });
            } else {
                body.blocks.push(self.block(name, start, depth)?);
            }
        }
    }

    fn block(&mut self, kind: String, start: usize, depth: usize) -> Option<Block> {
        let mut labels = Vec::new();
        while !self.rest().starts_with('{') {
            labels.push(if self.rest().starts_with('"') { self.label()? } else { self.word()? });
            self.blank(false)?;
        }
        self.at += 1;
        let open = self.at;
        let body = self.body(depth + 1)?;
        let close = self.at;
        self.rest().starts_with('}').then_some(())?;
        self.at += 1;
        Some(Block { kind, labels, range: start..self.at, inside: open..close, body })
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Skips spaces and comments, and with `lines` the ends of lines.
    fn blank(&mut self, lines: bool) -> Option<()> {
        loop {
            let rest = self.rest();
            match rest.chars().next() {
                Some(' ' | '\t') => self.at += 1,
                Some('\n' | '\r') if lines => self.at += 1,
                Some('\r') if rest.starts_with("\r\n") => return Some(()),
                _ if self.comment()? => {}
                _ => return Some(()),
            }
        }
    }

    /// Skips the comment that begins here; of one to the end of the line, not the end itself.
    fn comment(&mut self) -> Option<bool> {
        let rest = self.rest();
        if rest.starts_with('#') || rest.starts_with("//") {
            self.at += rest.find('\n').unwrap_or(rest.len());
            return Some(true);
        }
        if let Some(inside) = rest.strip_prefix("/*") {
            self.at += inside.find("*/")? + 4;
            return Some(true);
        }
        Some(false)
    }

    fn word(&mut self) -> Option<String> {
        let rest = self.rest();
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '-').unwrap_or(rest.len());
        let word = rest.get(..end).filter(|word| !word.is_empty())?.to_owned();
        self.at += end;
        Some(word)
    }

    /// A label in quotes, which has no templates.
    fn label(&mut self) -> Option<String> {
        let inside = self.rest().strip_prefix('"')?;
        let end = inside.find(['"', '\\', '\n'])?;
        inside[end..].starts_with('"').then_some(())?;
        let label = inside[..end].to_owned();
        self.at += end + 2;
        Some(label)
    }

    /// To the end of an expression: the end of its line, or the bracket that closes its block.
    fn expression(&mut self) -> Option<Range<usize>> {
        self.blank(false)?;
        let start = self.at;
        let mut end = start;
        let mut inside: Vec<Inside> = Vec::new();
        loop {
            let rest = self.rest();
            let Some(letter) = rest.chars().next() else { return inside.is_empty().then_some(start..end) };
            if inside.last() == Some(&Inside::Quotes) {
                self.quoted(letter, &mut inside)?;
                end = self.at;
                continue;
            }
            match letter {
                '\n' | '}' if inside.is_empty() => return (end > start).then_some(start..end),
                '#' | '/' if self.comment()? => continue,
                '<' if rest.starts_with("<<") => self.heredoc()?,
                '"' => {
                    inside.push(Inside::Quotes);
                    self.at += 1;
                }
                '(' => self.open(Inside::Bracket(')'), &mut inside)?,
                '[' => self.open(Inside::Bracket(']'), &mut inside)?,
                '{' => self.open(Inside::Bracket('}'), &mut inside)?,
                ')' | ']' | '}' => {
                    let closed = inside.pop()?;
                    (closed == Inside::Bracket(letter) || closed == Inside::Template && letter == '}').then_some(())?;
                    self.at += 1;
                }
                _ => self.at += letter.len_utf8(),
            }
            if !letter.is_whitespace() {
                end = self.at;
            }
        }
    }

    fn open(&mut self, what: Inside, inside: &mut Vec<Inside>) -> Option<()> {
        inside.push(what);
        self.at += 1;
        (inside.len() <= DEEPEST).then_some(())
    }

    /// The next letter of a text in quotes.
    fn quoted(&mut self, letter: char, inside: &mut Vec<Inside>) -> Option<()> {
        let rest = self.rest();
        match letter {
            '\\' => {
                let next = rest.chars().nth(1)?;
                self.at += 1 + next.len_utf8();
            }
            '"' => {
                inside.pop();
                self.at += 1;
            }
            '\n' => return None,
            // Twice the sign is the sign itself.
            '$' | '%' if rest.starts_with("$${") || rest.starts_with("%%{") => self.at += 3,
            '$' | '%' if rest[1..].starts_with('{') => {
                inside.push(Inside::Template);
                self.at += 2;
                return (inside.len() <= DEEPEST).then_some(());
            }
            _ => self.at += letter.len_utf8(),
        }
        Some(())
    }

    /// `<<EOT` or `<<-EOT`, to the line that has nothing but its word.
    fn heredoc(&mut self) -> Option<()> {
        let rest = self.rest();
        let first = rest.split('\n').next()?;
        let word = first.trim_start_matches("<<").trim_start_matches('-').trim();
        let is_word = !word.is_empty() && word.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '-');
        if !is_word {
            return None;
        }
        let mut at = first.len() + 1;
        loop {
            let line = rest.get(at..).filter(|rest| !rest.is_empty())?.split('\n').next()?;
            if line.trim() == word {
                self.at += at + line.trim_end().len();
                return Some(());
            }
            at += line.len() + 1;
        }
    }
}

/// Deeper nesting is in no file that a person wrote.
const DEEPEST: usize = 100;
