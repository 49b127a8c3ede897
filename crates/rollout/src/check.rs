//! What is a check, and when is it asked? A hook that is asked once a minute while the candidate has traffic. What its answers allow is in
//! `verdict`.

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::note::{Note, Phase};
use crate::plan::Plan;
use crate::words::words;

/// One check, as far as this process has asked it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CheckSeen {
    /// The function or the URL that is asked.
    pub name: String,
    /// When it was first asked.
    pub first_asked: Time,
    /// When it was asked to what it last answered that all is well.
    #[serde(rename = "passed_at")]
    pub passed: Option<Time>,
    /// What its last answer was; `None` before the first one.
    #[serde(rename = "answer")]
    pub last: Option<CheckAnswer>,
}

words! {
    /// What an answer to a check comes to.
    pub enum CheckState {
        /// All is well.
        Passed = "passed",
        /// Something is not. Final.
        Failed = "failed",
        /// It said neither, or nothing.
        Unsure = "unsure",
    }
}

/// An answer to a check.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CheckAnswer {
    /// What it comes to.
    pub state: CheckState,
    /// In words; empty where all is well.
    pub why: String,
}

/// Whether the checks are asked now: from the first weight to the end of the bake.
pub fn asked_now(plan: &Plan, note: &Note) -> bool {
    !plan.checks.is_empty() && !note.phase.share().is_zero() && matches!(note.phase, Phase::Shift { .. } | Phase::Bake)
}
