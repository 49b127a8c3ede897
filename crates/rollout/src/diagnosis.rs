//! What did the doctor find? Symptoms with their fixes, and what could not be seen. Nothing is looked at here.

use serde::Serialize;

use crate::words::words;

words! {
    /// How much a symptom matters, the worst first.
    pub enum Severity {
        /// A rollout would be refused, or could not be rolled back.
        Problem = "problem",
        /// A rollout goes through, and protects less than it seems to.
        Warning = "warning",
        /// Worth knowing before, and may be just what is meant.
        Note = "note",
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// How much it matters.
    pub severity: Severity,
    /// What was looked at, in a word for programs.
    pub check: &'static str,
    /// What is so.
    pub text: String,
    /// Why that matters.
    pub why: Option<String>,
    /// What to do.
    pub fix: Option<String>,
    /// The same as commands, to be run one after the other.
    pub commands: Vec<String>,
}

impl Diagnosis {
    /// A symptom that nothing more is known of.
    pub fn new(severity: Severity, check: &'static str, text: impl Into<String>) -> Self {
        Self { severity, check, text: text.into(), why: None, fix: None, commands: Vec::new() }
    }

    /// The same, with why it matters.
    #[must_use]
    pub fn why(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    /// The same, with what to do.
    #[must_use]
    pub fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }

    /// The same, with commands that do it.
    #[must_use]
    pub fn commands(self, commands: impl IntoIterator<Item = String>) -> Self {
        Self { commands: commands.into_iter().collect(), ..self }
    }
}

/// Something that was to be looked at and could not be: not known to be well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedCheck {
    /// What.
    pub what: String,
    /// Why not.
    pub why: String,
    /// The permission that is missing, where it is one.
    pub permission: Option<String>,
}

/// All that the doctor has to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoctorReport {
    /// What was found, the worst first.
    pub diagnoses: Vec<Diagnosis>,
    /// What could not be looked at.
    pub unseen: Vec<SkippedCheck>,
}

impl DoctorReport {
    /// How many symptoms there are of a kind.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnoses.iter().filter(|symptom| symptom.severity == severity).count()
    }

    /// 3 where there is something to fix; notes and skipped checks do not count.
    pub fn exit_code(&self) -> u8 {
        if self.diagnoses.iter().any(|symptom| symptom.severity < Severity::Note) { 3 } else { 0 }
    }
}
