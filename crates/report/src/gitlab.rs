//! What does GitLab read? Sections in the log, and a dotenv file for later jobs.

use rollout::Time;
use rollout::event::RolloutSummary;

use crate::ci::part::Part;
use crate::github::values;
use crate::safe::one_line;

pub(crate) fn section_start(part: Part, subject: &str, at: Time) -> String {
    let (name, title) = part.words();
    format!("\u{1b}[0Ksection_start:{}:canaryctl_{name}\r\u{1b}[0K{} {}\n", at.as_secs(), title, one_line(subject))
}

pub(crate) fn section_end(part: Part, at: Time) -> String {
    format!("\u{1b}[0Ksection_end:{}:canaryctl_{}\r\u{1b}[0K\n", at.as_secs(), part.words().0)
}

/// The lines of a dotenv file: `CANARYCTL_OUTCOME=promoted` and the like. A value there has one line, and no escapes.
pub fn dotenv(ending: &RolloutSummary) -> String {
    let line = |(name, value): (&str, String)| format!("CANARYCTL_{}={}\n", name.to_uppercase(), one_line(&value));
    values(ending).into_iter().map(line).collect()
}
