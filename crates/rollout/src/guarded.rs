//! What guards a rollout once its process is gone? The execution of a state machine, as the event of its start has it.

use serde::{Deserialize, Serialize};

/// A guard that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guarded {
    /// The state machine, by its ARN.
    pub state_machine: String,
    /// The name of its execution.
    pub execution: String,
}
