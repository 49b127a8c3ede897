//! How is foreign text written safely? Always as text: on a terminal, in a page, in the log of a CI system and in the files that it reads.
//!
//! Hooks, alarms, functions and people can send any text. Each kind of output has its own function here; nothing else escapes. What they
//! make is [`Safe`], and what writes takes nothing else.

use std::fmt;
use std::io::{self, Write};
use std::ops::Deref;

use crossterm::Command;
use maud::{Markup, html};
use rollout::Time;

/// Text that may be written, because it has been through this file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Safe(String);

impl Safe {
    /// Writes all of it at once: a reader at the other end of a pipe never meets half of it.
    ///
    /// # Errors
    /// What the output gives.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.0.as_bytes())?;
        out.flush()
    }

    pub(crate) fn push(&mut self, more: &Self) {
        self.0.push_str(&more.0);
    }

    /// Its end in a file or a pipe; in a terminal that may be in raw mode, where it needs a carriage return too.
    pub(crate) fn end_line(&mut self, raw: bool) {
        self.0.push_str(if raw { "\r\n" } else { "\n" });
    }

    /// What moves the cursor or clears a line, of this program's own.
    pub(crate) fn command(&mut self, command: impl Command) {
        // Writing to a string does not fail.
        let _ = command.write_ansi(&mut self.0);
    }

    pub(crate) fn carriage_return(&mut self) {
        self.0.push('\r');
    }
}

impl Deref for Safe {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Safe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromIterator<Safe> for Safe {
    fn from_iter<T: IntoIterator<Item = Self>>(all: T) -> Self {
        Self(all.into_iter().map(|one| one.0).collect())
    }
}

/// An output that takes nothing else.
#[derive(Debug)]
pub(crate) struct Out<W>(W);

impl<W: Write> Out<W> {
    pub(crate) fn new(out: W) -> Self {
        Self(out)
    }

    pub(crate) fn put(&mut self, text: &Safe) -> io::Result<()> {
        text.write(&mut self.0)
    }
}

/// A foreign text's lines without anything that moves a cursor or a colour.
pub(crate) fn clean_lines(text: &str) -> Vec<String> {
    text.lines().map(clean).filter(|line| !line.is_empty()).collect()
}

pub(crate) fn one_line(text: &str) -> String {
    clean_lines(text).join(" ")
}

/// A name of something, on one line and no longer than any name that AWS takes: what is laid out by its width stays in its bounds.
pub(crate) fn name(text: &str) -> String {
    let mut name: String = one_line(text).chars().take(LONGEST_NAME + 1).collect();
    if name.chars().count() > LONGEST_NAME {
        name.pop();
        name.push('…');
    }
    name
}

pub(crate) fn clean(line: &str) -> String {
    strip(line).trim_end().to_owned()
}

/// The text without anything that moves a cursor or a colour, that is invisible, or that turns the direction of writing.
fn strip(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => {
                // A control sequence ends with the first byte from @ to ~ after its bracket; any other escape is two characters.
                if letters.next() == Some('[') {
                    let _ = letters.by_ref().find(|letter| ('@'..='~').contains(letter));
                }
            }
            '\t' => kept.push(' '),
            // Marks that turn the direction of writing can make a line read as something else.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            // What nobody sees can hide a difference, or end a line elsewhere.
            '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' => {}
            '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}' => {}
            letter if letter.is_control() => {}
            letter => kept.push(letter),
        }
    }
    kept
}

/// A line in a chat of Slack: what its text language takes for a link, a mention or a channel is only text.
pub(crate) fn chat(text: &str) -> String {
    one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A line in a card of Teams: what its text language takes for a link or an emphasis is only text.
pub(crate) fn card(text: &str) -> String {
    let mut line = String::new();
    for letter in one_line(text).chars() {
        if "\\[]*_#~".contains(letter) {
            line.push('\\');
        }
        line.push(letter);
    }
    line
}

/// A line of at most so many letters.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    let line = one_line(text);
    if line.chars().count() <= longest {
        return line;
    }
    let kept: String = line.chars().take(longest - 1).collect();
    format!("{}…", kept.trim_end())
}

/// The subject of a message as SNS takes it: printable ASCII, at most 100 letters.
pub(crate) fn subject_line(text: &str) -> String {
    one_line(text).chars().map(|letter| if matches!(letter, ' '..='~') { letter } else { '?' }).take(100).collect()
}

/// The text in HTML, with what stands between backticks as code.
pub(crate) fn prose(text: &str) -> Markup {
    let text = clean(text);
    let parts: Vec<&str> = text.split('`').collect();
    // Without a partner a backtick is only a letter.
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (index, part) in parts.iter().enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// The text in Markdown, also in a table: a backslash before everything with a meaning.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in clean(text).chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            // A name after it would be notified; this letter is invisible.
            '@' => out.push_str("@\u{2060}"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '!' | '>' => out.extend(['\\', letter]),
            letter => out.push(letter),
        }
    }
    out
}

/// The text as code in Markdown, which ends at no backtick of its own and at no border of a table.
pub(crate) fn code(text: &str) -> String {
    let text = clean(text).replace('|', "\\|");
    let runs = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(runs + 1);
    let blank = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

/// The line without anything that a CI system reads as a command.
pub(crate) fn inert(line: &str) -> Safe {
    Safe(broken(clean(line)))
}

/// The same of every line of a text, each with a line end.
pub fn note(text: &str) -> Safe {
    Safe(text.lines().map(|line| inert(line).0 + "\n").collect())
}

/// A diff of a foreign file: its lines as they are, tabs and indentation too, but for what does anything on a terminal or to a CI system.
pub fn diff(text: &str) -> Safe {
    let lines = text.lines().map(|line| line.split('\t').map(strip).collect::<Vec<_>>().join("\t"));
    Safe(lines.map(|line| broken(line) + "\n").collect())
}

/// Text for people, of which parts are foreign: no line of it is a command to a CI system, and nothing moves the cursor. Colours stay.
pub fn page(text: &str) -> Safe {
    Safe(still(text).split_inclusive('\n').map(|line| broken(line.to_owned())).collect())
}

/// The text without control characters, but for line ends, tabs and colours.
fn still(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let colour = rest.strip_prefix("\u{1b}[").and_then(|after| {
            let digits = after.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
            after.get(digits..)?.starts_with('m').then_some("\u{1b}[".len() + digits + 1)
        });
        let length = colour.unwrap_or(letter.len_utf8());
        let (piece, after) = rest.split_at(length);
        if colour.is_some() || !letter.is_control() || letter == '\n' || letter == '\t' {
            kept.push_str(piece);
        }
        rest = after;
    }
    kept
}

/// A document in JSON without what a CI system reads as a command, wherever it stands in a line. It means the same.
pub fn json_page(json: &str) -> Safe {
    // Only strings have this character in them.
    Safe(json.replace("##", "\\u0023#"))
}

/// A script of this program's own, of which no part is foreign.
pub fn script(text: &str) -> Safe {
    Safe(text.to_owned())
}

/// A page whose parts were escaped by [`prose`], or by what made the page.
pub(crate) fn html_page(page: Markup) -> Safe {
    Safe(page.into_string())
}

/// A page whose parts were escaped by [`plain`] and [`code`].
pub(crate) fn markdown_page(page: &str) -> Safe {
    Safe(still(page))
}

/// Parts of one line, each with its colour if it has one, and what stands at the end.
pub(crate) fn painted<'a>(parts: impl IntoIterator<Item = (Option<&'a str>, &'a str)>, end: &str) -> Safe {
    let mut line = String::new();
    for (colour, part) in parts {
        let part = shown(part);
        match colour {
            Some(colour) => line.extend(["\u{1b}[", colour, "m", &part, "\u{1b}[0m"]),
            None => line.push_str(&part),
        }
    }
    Safe(line + end)
}

/// The line with a space or a bar in everything that begins a command: of GitHub and Azure, also in the middle of a line, and of `TeamCity`.
fn broken(line: String) -> String {
    let line = unmarked(line);
    if line.trim_start().starts_with("::") { line.replacen("::", "| ::", 1) } else { line }
}

fn unmarked(line: String) -> String {
    if !line.contains("##") {
        return line;
    }
    COMMANDS.iter().fold(line, |line, word| line.replace(&format!("##{word}["), &format!("## {word}[")))
}

/// A part of a line that is shown: with nothing in it that does anything.
pub(crate) fn shown(text: &str) -> String {
    unmarked(strip(text))
}

/// What stands between `##` and `[` in a command.
const COMMANDS: [&str; 3] = ["", "vso", "teamcity"];

/// An ARN has at most 140 characters, an alarm's name 255.
const LONGEST_NAME: usize = 255;

/// A command to GitHub, on a line of its own.
pub(crate) fn github_command(kind: &str, title: Option<&str>, text: &str) -> Safe {
    let title = title.map(|title| format!(" title={}", github_property(title))).unwrap_or_default();
    Safe(format!("::{kind}{title}::{}\n", github_data(text)))
}

/// Begins or ends a section of GitLab's log; `title` is shown there.
pub(crate) fn gitlab_section(mark: &str, at: Time, name: &str, title: &str) -> Safe {
    Safe(format!("\u{1b}[0Ksection_{mark}:{}:canaryctl_{name}\r\u{1b}[0K{}\n", at.as_secs(), one_line(title)))
}

/// A line of a dotenv file: a value has one line, and no escapes.
pub(crate) fn variable(name: &str, value: &str) -> Safe {
    Safe(format!("{name}={}\n", one_line(value)))
}

/// The text of a command to GitHub: what would end the line, or begin an escape, is escaped, and the older form of a command is broken.
fn github_data(text: &str) -> String {
    let lines = clean_lines(text).join("\n").replace("##[", "## [");
    lines.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of such a command, which colons and commas would end.
fn github_property(text: &str) -> String {
    github_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// One of the outputs for later steps of GitHub. The end mark is a word that the value does not contain.
pub(crate) fn github_output(name: &str, value: &str) -> Safe {
    if !value.contains(['\n', '\r']) {
        return Safe(format!("{name}={value}\n"));
    }
    let mut mark = "END".to_owned();
    while value.contains(&mark) {
        mark.push('_');
    }
    Safe(format!("{name}<<{mark}\n{value}\n{mark}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_in_html_is_shown_as_code_and_nothing_is_left_to_mean_something() {
        let shown = |text| prose(text).into_string();
        assert_eq!(shown("alarm `A<b>` fired"), "alarm <code>A&lt;b&gt;</code> fired");
        assert_eq!(shown("a ` alone <"), "a ` alone &lt;");
        assert_eq!(shown("<script>\"1\" & 2</script>"), "&lt;script&gt;&quot;1&quot; &amp; 2&lt;/script&gt;");
    }

    #[test]
    fn nothing_in_markdown_is_left_to_mean_something() {
        assert_eq!(plain("a|b <img> **c** [d](e) `f` @g"), "a\\|b &lt;img\\> \\*\\*c\\*\\* \\[d\\](e) \\`f\\` @\u{2060}g");
        assert_eq!(code("a `b` | c"), "``a `b` \\| c``");
        assert_eq!(code("`b"), "`` `b ``");
        assert_eq!(code("plain"), "`plain`");
    }

    #[test]
    fn foreign_texts_cannot_steer_a_terminal() {
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m and\ttab\r\u{7}"), "red and tab");
        assert_eq!(clean("\u{1b}]0;title"), "0;title");
        assert_eq!(clean("a\u{202e}b\u{9b}c"), "abc");
        assert_eq!(clean("a\u{200b}\u{61c}\u{2028}\u{feff}b"), "ab");
        assert_eq!(clean_lines("one\n\n two \r\n"), ["one", " two"]);
        assert_eq!(name(&"x\n".repeat(70_000)).chars().count(), LONGEST_NAME + 1);
    }

    #[test]
    fn foreign_texts_cannot_command_a_ci_system() {
        let text = "error: no\n  ::error::x\n::set-output name=a::b\na ##[command]b ##vso[task]c ##teamcity[d] \u{1b}[1mbold\u{1b}[0m\n# ## a::b";
        assert_eq!(
            &*page(text),
            "error: no\n  | ::error::x\n| ::set-output name=a::b\na ## [command]b ## vso[task]c ## teamcity[d] \u{1b}[1mbold\u{1b}[0m\n# ## a::b"
        );
        assert_eq!(&*json_page(r####"{"a":"###[b] ##vso[c"}"####), r#"{"a":"\u0023##[b] \u0023#vso[c"}"#);
    }

    #[test]
    fn a_chat_is_sent_nothing_but_text() {
        assert_eq!(chat("a <!channel> & <http://x|y>\u{1b}[1m\nb"), "a &lt;!channel&gt; &amp; &lt;http://x|y&gt; b");
        assert_eq!(card("[y](http://x) *b* _c_\n\\"), "\\[y\\](http://x) \\*b\\* \\_c\\_ \\\\");
        assert_eq!(subject_line(&format!("\u{e4}\t{}", "x".repeat(200))), format!("? {}", "x".repeat(98)));
    }

    #[test]
    fn a_page_keeps_its_colours_and_moves_nothing() {
        let red = "\u{1b}[1;31mred\u{1b}[0m";
        assert_eq!(&*page(&format!("{red}\ta\u{1b}[2Jb\rc\u{1b}]0;t\u{7}\n\u{1b}[")), format!("{red}\ta[2Jbc]0;t\n["));
    }

    #[test]
    fn a_command_stays_one_line_and_one_command() {
        assert_eq!(
            &*github_command("error", Some("a:b, 5%"), "5%\r\n::set-output name=x::y"),
            "::error title=a%3Ab%2C 5%25::5%25%0A::set-output name=x::y\n"
        );
        assert_eq!(&*variable("A", "b\nC=d"), "A=b C=d\n");
    }

    #[test]
    fn a_value_cannot_end_itself() {
        assert_eq!(&*github_output("a", "b=c"), "a=b=c\n");
        assert_eq!(&*github_output("a", "b\nEND\nevil=1"), "a<<END_\nb\nEND\nevil=1\nEND_\n");
        assert_eq!(&*github_output("a", "b\rc"), "a<<END\nb\rc\nEND\n");
    }
}
