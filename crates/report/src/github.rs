//! What does GitHub Actions read? Commands in the log, and values for later steps.

use rollout::event::RolloutSummary;

use crate::ci::part::Part;
use crate::ending::Block;
use crate::safe::{Safe, github_command, github_output, one_line};
use crate::styled::Tone;

pub(crate) fn group_end() -> Safe {
    github_command("endgroup", None, "")
}

pub(crate) fn group(part: Part, subject: &str) -> Safe {
    github_command("group", None, &one_line(&format!("{} {subject}", part.words().1)))
}

/// A line that is also shown at the top of the run.
pub(crate) fn annotation(kind: &str, title: &str, text: &str) -> Safe {
    github_command(kind, Some(title), text)
}

pub(crate) fn verdict(block: &Block, subject: &str) -> Safe {
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

pub(crate) fn values(ending: &RolloutSummary) -> Vec<(&'static str, String)> {
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
pub fn github_outputs(ending: &RolloutSummary) -> Safe {
    values(ending).into_iter().map(|(name, value)| github_output(name, &value)).collect()
}
