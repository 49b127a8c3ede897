//! What does GitHub Actions take? Its commands in the log, and the values that later steps read.

use rollout::event::Ending;

use crate::ci::Part;
use crate::ending::Block;
use crate::paint::Tone;
use crate::words::{clean_lines, one_line};

pub(crate) const GROUP_END: &str = "::endgroup::\n";

pub(crate) fn group(part: Part, subject: &str) -> String {
    format!("::group::{}\n", data(&one_line(&format!("{} {subject}", part.words().1))))
}

/// A line that stands at the top of the run, too.
pub(crate) fn annotation(kind: &str, title: &str, text: &str) -> String {
    format!("::{kind} title={}::{}\n", property(title), data(text))
}

/// The end, at the top of the run.
pub(crate) fn verdict(block: &Block, subject: &str) -> String {
    let kind = match block.verdict.tone {
        Tone::Good => "notice",
        Tone::Warn => "warning",
        Tone::Bad | Tone::Plain | Tone::Strong | Tone::Dim => "error",
    };
    let why = block.why.first().map_or("", String::as_str);
    let next = block.next.first().map_or("", String::as_str);
    let text = format!("{}\nwhy: {why}\nnow: {}\nnext: {next}", block.verdict.sentence, block.now);
    annotation(kind, &format!("{} {subject}", block.verdict.word), &text)
}

/// The text of a command: what would end the line, or begin an escape, is escaped, and the older form of a command is broken.
fn data(text: &str) -> String {
    let lines = clean_lines(text).join("\n").replace("##[", "## [");
    lines.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command, which colons and commas would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// What a rollout came to, by name.
pub(crate) fn values(ending: &Ending) -> Vec<(&'static str, String)> {
    let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let version = |version: Option<rollout::Version>| version.map_or_else(String::new, |version| version.to_string());
    vec![
        ("outcome", ending.outcome.word().to_owned()),
        ("exit_code", ending.exit_code.to_string()),
        ("reason", ending.reason.kind.word().to_owned()),
        ("detail", ending.reason.detail.clone()),
        ("stable", version(ending.stable)),
        ("candidate", version(ending.candidate)),
        ("rollout_id", ending.rollout_id.clone()),
        ("traffic", ending.traffic.clone()),
        ("took_ms", ending.took_ms.to_string()),
        ("exposed", number(ending.exposed)),
        ("next", ending.next.join("\n")),
    ]
}

/// The lines of `$GITHUB_OUTPUT`: the outputs of the step.
pub fn github_outputs(ending: &Ending) -> String {
    values(ending).into_iter().map(|(name, value)| output(name, &value)).collect()
}

/// One output. Its end is marked by a word that the value does not hold: others have written parts of it.
fn output(name: &str, value: &str) -> String {
    if !value.contains(['\n', '\r']) {
        return format!("{name}={value}\n");
    }
    let mut mark = "END".to_owned();
    while value.contains(&mark) {
        mark.push('_');
    }
    format!("{name}<<{mark}\n{value}\n{mark}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_stays_one_line_and_one_command() {
        assert_eq!(
            annotation("error", "a:b, 5 %", "5 %\r\n::set-output name=x::y"),
            "::error title=a%3Ab%2C 5 %25::5 %25%0A::set-output name=x::y\n"
        );
    }

    #[test]
    fn a_value_cannot_end_itself() {
        assert_eq!(output("a", "b=c"), "a=b=c\n");
        assert_eq!(output("a", "b\nEND\nevil=1"), "a<<END_\nb\nEND\nevil=1\nEND_\n");
        assert_eq!(output("a", "b\rc"), "a<<END\nb\rc\nEND\n");
    }
}
