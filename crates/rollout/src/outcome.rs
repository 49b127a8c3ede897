//! How did it end, and why? The causes of a rollback, the outcomes of a rollout, and the exit codes that are their contract.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why the traffic went back, or never moved, as a terminal note keeps it in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A watched alarm went to ALARM.
    Alarm,
    /// The analysis found the candidate worse than stable.
    Analysis,
    /// The pre-traffic hook failed: nothing had moved.
    PreHook,
    /// A hook between two steps failed.
    StepHook,
    /// The post-traffic hook failed.
    PostHook,
    /// Alarms or metrics could not be read for too long.
    Blind,
    /// What is watched had no data for too long.
    NoData,
    /// Too few calls to tell.
    LowTraffic,
    /// A person rolled back.
    Hand,
    /// A person, or a clean-up step, aborted this rollout.
    Abort,
    /// The process was told to stop.
    Signal,
    /// Another rollout took its place.
    Superseded,
    /// The version could not be made ready, or AWS would not take the rollout's writes.
    Failed,
    /// Publishing gave the stable version: nothing to roll out.
    Unchanged,
    /// Publishing gave a version that was rejected before: nothing had moved.
    Rejected,
    /// Another member of its group went back, or could not go on.
    Group,
}

const CAUSES: [(Cause, &str, Option<char>); 16] = [
    (Cause::Alarm, "alarm", Some('a')),
    (Cause::Analysis, "analysis", Some('n')),
    (Cause::PreHook, "pre_hook", None),
    (Cause::StepHook, "step_hook", Some('s')),
    (Cause::PostHook, "post_hook", Some('p')),
    (Cause::Blind, "blind", None),
    (Cause::NoData, "no_data", None),
    (Cause::LowTraffic, "low_traffic", None),
    (Cause::Hand, "hand", Some('h')),
    (Cause::Abort, "abort", Some('b')),
    (Cause::Signal, "signal", None),
    (Cause::Superseded, "superseded", None),
    (Cause::Failed, "failed", None),
    (Cause::Unchanged, "unchanged", None),
    (Cause::Rejected, "rejected", None),
    (Cause::Group, "group", None),
];

impl Cause {
    /// Every cause there is.
    pub fn all() -> impl Iterator<Item = Self> {
        CAUSES.iter().map(|row| row.0)
    }

    /// The word a terminal note keeps, and JSON shows.
    pub fn word(self) -> &'static str {
        CAUSES.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        CAUSES.iter().find(|row| row.1 == word).map(|row| row.0)
    }

    /// The letter behind a rejected version; `None` where the cause says nothing against the version itself.
    ///
    /// A cancelled job must be re-runnable, and so must one whose metrics could not be read.
    pub(crate) fn rejecting_letter(self) -> Option<char> {
        CAUSES.iter().find(|row| row.0 == self).and_then(|row| row.2)
    }

    pub(crate) fn from_rejecting_letter(letter: char) -> Option<Self> {
        CAUSES.iter().find(|row| row.2 == Some(letter)).map(|row| row.0)
    }

    /// Whether a version that ended so is refused the next time.
    pub fn rejects(self) -> bool {
        self.rejecting_letter().is_some()
    }

    /// How the cause reads behind "rolled back:".
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Alarm => "an alarm went off",
            Self::Analysis => "the new version is worse",
            Self::PreHook => "the pre-traffic hook failed",
            Self::StepHook => "a step hook failed",
            Self::PostHook => "the post-traffic hook failed",
            Self::Blind => "alarms or metrics could not be read",
            Self::NoData => "what is watched has no data",
            Self::LowTraffic => "too little traffic to tell",
            Self::Hand => "rolled back by hand",
            Self::Abort => "aborted",
            Self::Signal => "interrupted by a signal",
            Self::Superseded => "another rollout took its place",
            Self::Failed => "the rollout could not go on",
            Self::Unchanged => "nothing to roll out",
            Self::Rejected => "the version was rejected before",
            Self::Group => "another function of its group went back",
        }
    }
}

/// How a rollout ended. Exactly one, always last.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "cause", rename_all = "snake_case")]
pub enum Outcome {
    /// All traffic is on the candidate, for good.
    Promoted,
    /// Publishing gave the version that is stable already.
    Unchanged,
    /// Refused before anything moved.
    Refused,
    /// Traffic is on stable again, or never left it.
    RolledBack(Cause),
    /// Somebody else owns the alias, or changed it; left alone.
    Superseded,
    /// Left in progress on purpose: the canary keeps its share.
    Held,
    /// Left running under another owner.
    Detached,
    /// Traffic should be on stable, and nobody knows whether it is.
    RollbackUnconfirmed,
    /// Something unexpected.
    Failed,
}

impl Outcome {
    /// The process' exit code. A contract:
    ///
    /// 0 promoted or nothing to roll out · 1 unexpected · 2 wrong usage (decided before there is a rollout) · 3 refused before
    /// anything moved · 10 alarm or analysis · 11 hook · 12 no data, unreadable, low traffic · 13 a person or a signal ·
    /// 20 rollback not confirmed · 21 somebody else's · 30 left in progress on purpose.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Promoted | Self::Unchanged => 0,
            Self::Failed => 1,
            Self::Refused => 3,
            Self::RolledBack(cause) => match cause {
                // What the group itself exits with is the first cause of all.
                Cause::Alarm | Cause::Analysis | Cause::Group => 10,
                Cause::PreHook | Cause::StepHook | Cause::PostHook => 11,
                Cause::Blind | Cause::NoData | Cause::LowTraffic => 12,
                Cause::Hand | Cause::Abort | Cause::Signal => 13,
                Cause::Superseded => 21,
                Cause::Failed => 1,
                Cause::Unchanged => 0,
                Cause::Rejected => 3,
            },
            Self::RollbackUnconfirmed => 20,
            Self::Superseded => 21,
            Self::Held | Self::Detached => 30,
        }
    }

    /// The outcome's name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
            Self::RolledBack(_) => "rolled_back",
            Self::Superseded => "superseded",
            Self::Held => "held",
            Self::Detached => "detached",
            Self::RollbackUnconfirmed => "rollback_unconfirmed",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cause_has_a_word_of_its_own() {
        let words: BTreeSet<&str> = Cause::all().map(Cause::word).collect();
        assert_eq!(words.len(), CAUSES.len());
        for cause in Cause::all() {
            assert_eq!(Cause::from_word(cause.word()), Some(cause));
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.word());
            if let Some(letter) = cause.rejecting_letter() {
                assert_eq!(Cause::from_rejecting_letter(letter), Some(cause));
            }
        }
    }

    #[test]
    fn a_cancelled_or_blind_rollout_rejects_nothing() {
        let rejecting: Vec<Cause> = Cause::all().filter(|cause| cause.rejects()).collect();
        assert_eq!(rejecting, [Cause::Alarm, Cause::Analysis, Cause::StepHook, Cause::PostHook, Cause::Hand, Cause::Abort]);
    }
}
