//! How did it end, and why? The causes of a rollback, the outcomes of a rollout, and the exit codes that are their contract.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// Why the traffic rolled back, or never moved, as a terminal note keeps it in one word.
    pub enum Cause {
        /// A watched alarm went to ALARM.
        Alarm = "alarm",
        /// The analysis found the candidate worse than stable.
        Analysis = "analysis",
        /// The pre-traffic hook failed: nothing had moved.
        PreHook = "pre_hook",
        /// A hook between two steps failed.
        StepHook = "step_hook",
        /// The post-traffic hook failed.
        PostHook = "post_hook",
        /// A check failed.
        Check = "check",
        /// Alarms or metrics could not be read for too long.
        Blind = "blind",
        /// What is watched had no data for too long.
        NoData = "no_data",
        /// Too few calls to tell.
        LowTraffic = "low_traffic",
        /// A person rolled back.
        Hand = "hand",
        /// A person, or a clean-up step, aborted this rollout.
        Abort = "abort",
        /// The process was told to stop.
        Signal = "signal",
        /// Another rollout took its place.
        Superseded = "superseded",
        /// The version could not be made ready, or AWS would not take the rollout's writes.
        Failed = "failed",
        /// Publishing gave the stable version: nothing to roll out.
        Unchanged = "unchanged",
        /// Publishing gave a version that was rejected before: nothing had moved.
        Rejected = "rejected",
        /// Another member of its group rolled back, or could not go on.
        Group = "group",
        /// Its process stopped without ending it, and the guard rolled it back.
        Abandoned = "abandoned",
    }
}

impl Cause {
    /// The letter behind a rejected version; `None` where the cause says nothing against the version itself.
    ///
    /// A cancelled job must be re-runnable, and so must one whose metrics could not be read.
    pub(crate) fn rejecting_letter(self) -> Option<char> {
        match self {
            Self::Alarm => Some('a'),
            Self::Analysis => Some('n'),
            Self::StepHook => Some('s'),
            Self::PostHook => Some('p'),
            Self::Check => Some('c'),
            Self::Hand => Some('h'),
            Self::Abort => Some('b'),
            Self::PreHook | Self::Blind | Self::NoData | Self::LowTraffic | Self::Signal | Self::Superseded => None,
            Self::Failed | Self::Unchanged | Self::Rejected | Self::Group | Self::Abandoned => None,
        }
    }

    pub(crate) fn from_rejecting_letter(letter: char) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.rejecting_letter() == Some(letter))
    }

    /// Whether a version that ended so is refused the next time.
    pub fn rejects(self) -> bool {
        self.rejecting_letter().is_some()
    }

    /// How the cause reads behind "rolled back:".
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Alarm => "an alarm fired",
            Self::Analysis => "the new version is worse",
            Self::PreHook => "the pre-traffic hook failed",
            Self::StepHook => "a step hook failed",
            Self::PostHook => "the post-traffic hook failed",
            Self::Check => "a check failed",
            Self::Blind => "alarms or metrics could not be read",
            Self::NoData => "the alarms have no data",
            Self::LowTraffic => "too few invocations",
            Self::Hand => "rolled back manually",
            Self::Abort => "aborted",
            Self::Signal => "interrupted (SIGINT or SIGTERM)",
            Self::Superseded => "superseded by another rollout",
            Self::Failed => "the rollout could not continue",
            Self::Unchanged => "nothing to roll out",
            Self::Rejected => "the version was rejected before",
            Self::Group => "another function of its group rolled back",
            Self::Abandoned => "its process stopped; the guard rolled it back",
        }
    }
}

/// Declares how a rollout can end, what it ends with, and the word of each that JSON has.
macro_rules! outcomes {
    ($($(#[$doc:meta])+ $variant:ident $(($with:ty))? = $word:literal,)+) => {
        /// How a rollout ended. Exactly one, always last.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        pub enum Outcome { $($(#[$doc])+ #[serde(rename = $word)] $variant $(($with))?,)+ }

        /// How a rollout ended, as its last event says it.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum OutcomeKind {
            $($(#[$doc])+ #[serde(rename = $word)] $variant,)+
            /// A word of a later version.
            #[serde(untagged)]
            Unknown(String),
        }

        impl Outcome {
            /// The outcome in a word, as JSON has it.
            pub fn kind(&self) -> OutcomeKind {
                match self { $(Self::$variant { .. } => OutcomeKind::$variant,)+ }
            }
        }

        impl OutcomeKind {
            /// The word in JSON.
            pub fn word(&self) -> &str {
                match self { $(Self::$variant => $word,)+ Self::Unknown(word) => word }
            }
        }
    };
}

outcomes! {
    /// All traffic is on the candidate, for good.
    Promoted = "promoted",
    /// Publishing gave the version that is stable already.
    Unchanged = "unchanged",
    /// Refused before anything moved.
    Refused = "refused",
    /// Traffic is on stable again, or never left it.
    RolledBack(Cause) = "rolled_back",
    /// Another owner has the alias, or changed it; left alone.
    Superseded = "superseded",
    /// Left in progress on purpose: the canary keeps its weight.
    LeftInProgress = "held",
    /// Left in progress, to be driven by turns of other processes.
    Detached = "detached",
    /// Traffic should be on stable, and nobody knows whether it is.
    RollbackUnconfirmed = "rollback_unconfirmed",
    /// Something unexpected.
    Failed = "failed",
}

impl Outcome {
    /// The process' exit code. A contract:
    ///
    /// 0 promoted, nothing to roll out, or detached · 1 unexpected · 2 wrong usage (decided before there is a rollout) · 3 refused before
    /// anything moved · 10 alarm or analysis · 11 hook · 12 no data, unreadable, low traffic · 13 a person, a signal or the guard ·
    /// 20 rollback not confirmed · 21 another owner's · 30 left in progress on purpose.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Promoted | Self::Unchanged | Self::Detached => 0,
            Self::Failed => 1,
            Self::Refused => 3,
            Self::RolledBack(cause) => match cause {
                // What the group itself exits with is the first cause of all.
                Cause::Alarm | Cause::Analysis | Cause::Group => 10,
                Cause::PreHook | Cause::StepHook | Cause::PostHook | Cause::Check => 11,
                Cause::Blind | Cause::NoData | Cause::LowTraffic => 12,
                Cause::Hand | Cause::Abort | Cause::Signal | Cause::Abandoned => 13,
                Cause::Superseded => 21,
                Cause::Failed => 1,
                Cause::Unchanged => 0,
                Cause::Rejected => 3,
            },
            Self::RollbackUnconfirmed => 20,
            Self::Superseded => 21,
            Self::LeftInProgress => 30,
        }
    }

    /// Why it ended so, in a word: the cause where there is one.
    pub fn reason(&self) -> ReasonKind {
        match self {
            Self::RolledBack(cause) => ReasonKind::Cause(*cause),
            Self::Unchanged => ReasonKind::Cause(Cause::Unchanged),
            Self::Superseded => ReasonKind::Cause(Cause::Superseded),
            Self::Failed => ReasonKind::Cause(Cause::Failed),
            Self::Promoted | Self::Refused | Self::LeftInProgress | Self::Detached | Self::RollbackUnconfirmed => {
                ReasonKind::Outcome(self.kind())
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().word())
    }
}

/// Why a rollout ended as it did, in a word for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReasonKind {
    /// Others of its group could not begin, or go on; this one could have.
    #[serde(rename = "held_up")]
    HeldUp,
    /// A cause.
    #[serde(untagged)]
    Cause(Cause),
    /// No cause but the outcome itself, or a word of a later version.
    #[serde(untagged)]
    Outcome(OutcomeKind),
}

impl ReasonKind {
    /// The word in JSON.
    pub fn word(&self) -> &str {
        match self {
            Self::HeldUp => "held_up",
            Self::Cause(cause) => cause.word(),
            Self::Outcome(kind) => kind.word(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cause_has_a_word_of_its_own() {
        let words: BTreeSet<&str> = Cause::ALL.iter().map(|cause| cause.word()).collect();
        assert_eq!(words.len(), Cause::ALL.len());
        for cause in Cause::ALL.iter().copied() {
            assert_eq!(Cause::named(cause.word()), Some(cause));
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.word());
            if let Some(letter) = cause.rejecting_letter() {
                assert_eq!(Cause::from_rejecting_letter(letter), Some(cause));
            }
        }
    }

    #[test]
    fn a_cancelled_or_blind_rollout_rejects_nothing() {
        let rejecting: Vec<Cause> = Cause::ALL.iter().copied().filter(|cause| cause.rejects()).collect();
        assert_eq!(
            rejecting,
            [Cause::Alarm, Cause::Analysis, Cause::StepHook, Cause::PostHook, Cause::Check, Cause::Hand, Cause::Abort]
        );
    }
}
