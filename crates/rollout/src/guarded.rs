//! What is there for a rollout once its process is gone? The execution of a state machine that guards it, or the schedule that has it
//! continue, as the events of their starts have them.

use serde::{Deserialize, Serialize};

/// A schedule that has the rollout continue without a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// The schedule, by its name in its group.
    pub schedule: String,
    /// The function that it invokes, by its ARN.
    pub controller: String,
}

/// A guard that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guarded {
    /// The state machine, by its ARN.
    pub state_machine: String,
    /// The name of its execution.
    pub execution: String,
}
