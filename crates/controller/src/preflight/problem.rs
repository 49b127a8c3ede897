//! What did the preflight find? What keeps a rollout from beginning, and all that is known once it may.

use std::fmt;

use rollout::Alias;
use rollout::note::Note;
use rollout::plan::Plan;

use super::callers::Callers;
use crate::alias_stack::OwningStack;
use crate::expectation::SignalPast;
use crate::port::{Baseline, CloudError, Configuration, Failure, Revision};

/// Something that keeps a rollout from beginning, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
    /// A command that does it.
    pub command: Option<String>,
}

impl Problem {
    /// Something wrong.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None, command: None }
    }

    /// The hint that a permission is needed, where that is what was wrong.
    pub(crate) fn if_denied(self, error: &CloudError, hint: impl Into<String>) -> Self {
        if error.failure == Failure::Denied { self.hint(hint) } else { self }
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(crate) fn command(self, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n  hint: {hint}"))?;
        self.command.as_ref().map_or(Ok(()), |command| write!(f, ": `{command}`"))
    }
}

pub(crate) fn unreadable(error: &CloudError) -> Problem {
    let problem = Problem::new(error.to_string());
    match error.failure {
        Failure::NotFound => problem.hint("is this the right Region and account?"),
        Failure::Denied => problem.hint("`canaryctl` needs lambda:GetAlias and lambda:UpdateAlias on this function"),
        Failure::Expired => problem.hint("get new credentials, then run this again"),
        Failure::Unsent => problem.hint("can this machine reach AWS, or the configured endpoint?"),
        // The message says what to do.
        Failure::Unsigned => problem,
        Failure::Outdated
        | Failure::Conflict
        | Failure::Throttled
        | Failure::Invalid
        | Failure::Unanswered
        | Failure::NotExecuted => problem,
    }
}

/// What the preflight found.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of what was found")]
pub struct Preflight {
    /// The plan for what was found.
    pub plan: Plan,
    /// What keeps it from beginning; nothing where it may.
    pub problems: Vec<Problem>,
    /// What is worth knowing and stops nothing; who else moves traffic is kept apart from it.
    pub warnings: Vec<String>,
    /// Who calls the function without going through the alias, and what could not be looked at.
    pub callers: Callers,
    /// The stack that the function belongs to.
    pub stack: Option<OwningStack>,
    /// Alarms that are in ALARM and that the request says to wait for.
    pub in_alarm: Vec<String>,
    /// The alias as it was read.
    pub alias: Option<Alias>,
    /// Its revision then.
    pub(crate) revision: Option<Revision>,
    /// Whether it is on `$LATEST`, and is pinned before a rollout begins: until then no version is stable.
    pub pins: bool,
    /// Whether it could be read.
    pub read: bool,
    /// What the stable version is, where there is one; of an alias that is pinned first, what `$LATEST` is.
    pub stable: Option<Configuration>,
    /// Whether the version asked for is the stable one already.
    pub nothing_to_do: bool,
    /// The note of the rollout that is resumed, where one is.
    pub resumes: Option<Note>,
    /// What the alias was used to in the hour before the rollout, where that could be read and is to be compared with.
    pub baseline: Option<Baseline>,
    /// What the signals counted of the stable version in that hour, where it could be read.
    pub(crate) signal_past: SignalPast,
    /// The note of a rollout whose owner may still be there: nothing else was looked at.
    pub lease_holder: Option<Note>,
    /// The ARN of the function that goes on with it once it is detached, where one does.
    pub(crate) controller: Option<String>,
    /// Whether it is to begin as a member of a group whose rollout is in progress.
    pub(crate) joins: bool,
    /// That failures which the function handles itself cannot be seen, where that is so.
    pub(crate) handled_unseen: Option<String>,
}
