//! What does GitLab read? Sections in the log, and a dotenv file for later jobs.

use rollout::Time;
use rollout::event::RolloutSummary;

use crate::ci::part::Part;
use crate::github::values;
use crate::safe::{Safe, gitlab_section, variable};

pub(crate) fn section_start(part: Part, subject: &str, at: Time) -> Safe {
    let (name, title) = part.words();
    gitlab_section("start", at, name, &format!("{title} {subject}"))
}

pub(crate) fn section_end(part: Part, at: Time) -> Safe {
    gitlab_section("end", at, part.words().0, "")
}

/// The lines of a dotenv file: `CANARYCTL_OUTCOME=promoted` and the like.
pub fn dotenv(ending: &RolloutSummary) -> Safe {
    let line = |(name, value): (&str, String)| variable(&format!("CANARYCTL_{}", name.to_uppercase()), &value);
    values(ending).into_iter().map(line).collect()
}
