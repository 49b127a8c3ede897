//! What was found in a template so far: the changes, and what is said of them.

use super::edit::Change;
use super::handover::Lines;

/// What was found in a template so far.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    /// What only a person can change.
    pub(super) lines: Vec<Lines>,
    pub(super) notes: Vec<String>,
    pub(super) aliases: Vec<String>,
}

impl Plan {
    /// A sentence, once.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// A change, once.
    pub(super) fn change(&mut self, change: Change) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }
}
