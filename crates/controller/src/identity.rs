//! Which rollout is it, and which process drives it?

use rollout::note::{Owner, RolloutId};

/// The identity of a rollout and of the process that drives it.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Which rollout.
    pub id: RolloutId,
    /// Whose.
    pub owner: Owner,
}
