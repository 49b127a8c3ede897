//! Which parts of a rollout are folded in a CI system's log, and what are they called?

use rollout::Weight;

/// A part of a rollout that is folded as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Prepare,
    Shift,
    Bake,
}

impl Part {
    /// Its name for the CI system, and its title.
    pub(crate) fn words(self) -> (&'static str, String) {
        match self {
            Self::Prepare => ("prepare", "Preparing".to_owned()),
            Self::Shift => ("shift", "Shifting".to_owned()),
            Self::Bake => ("bake", format!("Baking at {}", Weight::FULL)),
        }
    }
}
