//! What did a rollout find in the alias that it did not put there? Another process' weight of its own, or something else's.

use serde::{Deserialize, Serialize};

use crate::{Time, Version, Weight};

/// Where a rollout stands that is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumesAt {
    /// The candidate's weight.
    pub weight: Weight,
    /// Which step that is, from 1; 0 before the first.
    pub step: usize,
    /// When the next change is due.
    pub next_at: Option<Time>,
}

/// Traffic that something else had given a version before the rollout adopted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// The version.
    pub version: Version,
    /// Its weight.
    pub weight: Weight,
}
