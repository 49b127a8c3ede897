//! Which parts of a rollout are folded in a CI system's log, and what are they called?

/// A part of a rollout that is folded as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Prepare,
    Shift,
    Bake,
}

impl Part {
    /// Its name, in letters that every system takes, and its title.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Prepare => ("prepare", "Preparing"),
            Self::Shift => ("shift", "Shifting"),
            Self::Bake => ("bake", "Watching at 100 %"),
        }
    }
}
