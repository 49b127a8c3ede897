//! What is known right now? Everything that a decision may rest on, gathered in one value.
//!
//! No clock, no handle, no memory of its own: two equal observations get the same action.

use serde::{Deserialize, Serialize};

use crate::check::CheckSeen;
use crate::comparison::{Comparison, Probe};
use crate::group::state::Others;
use crate::health::Health;
use crate::note::Note;
use crate::words::words;
use crate::{Alias, Cause, Time, Version};

words! {
    /// How sure the alias' state is.
    pub enum Certainty {
        /// It is the answer to our own write: so it was established.
        Written = "written",
        /// It was read once. Reads can be stale.
        Read = "read",
        /// It was read twice, a second or more apart, and both agree.
        ReadTwice = "read_twice",
    }
}

/// What is known of the version to roll out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Candidate {
    /// Nobody has looked yet.
    #[serde(rename = "unknown")]
    Unknown,
    /// `$LATEST` is being created or updated: publishing would be refused.
    #[serde(rename = "settling")]
    Settling,
    /// The code that was given is to be put into `$LATEST`.
    #[serde(rename = "outdated")]
    Outdated,
    /// `$LATEST` is what is to be published.
    #[serde(rename = "ready")]
    Ready,
    /// It is published.
    #[serde(rename = "published")]
    Published(Version, Readiness),
    /// It cannot be had: why.
    #[serde(rename = "failed")]
    Failed(String),
}

impl Candidate {
    /// The version, once it is published.
    pub fn published(&self) -> Option<Version> {
        if let Self::Published(version, _) = self { Some(*version) } else { None }
    }
}

/// Whether a version can take traffic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Readiness {
    /// Not yet: AWS is preparing it.
    #[serde(rename = "pending")]
    Pending,
    /// It is Active and fits beside the stable version.
    #[serde(rename = "ready")]
    Ready,
    /// It never will: why.
    #[serde(rename = "unfit")]
    Unfit(String),
}

/// How the hook that the note announces is doing, in this process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Hook {
    /// This process has not invoked it.
    #[serde(rename = "not_invoked")]
    NotInvoked,
    /// It was invoked then and has not answered.
    #[serde(rename = "running")]
    Running(Time),
    /// It answered that all is well.
    #[serde(rename = "succeeded")]
    Succeeded,
    /// It answered otherwise, or not at all: why.
    #[serde(rename = "failed")]
    Failed(String),
}

/// Everything that is known right now.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, and any combination is possible")]
pub struct Observation {
    /// AWS' time.
    pub now: Time,
    /// The alias; `None` where there is none.
    pub alias: Option<Alias>,
    /// How sure that is.
    pub certainty: Certainty,
    /// Whether this process has ever seen its own note on the alias.
    #[serde(rename = "acquired")]
    pub claimed: bool,
    /// Since when a write of this process is unanswered, where nothing was established since.
    #[serde(rename = "unanswered_since")]
    pub unanswered: Option<Time>,
    /// Why this process decided to roll back, once it has: a failure is final, whatever is seen later.
    #[serde(rename = "rollback_cause")]
    pub failed: Option<Cause>,
    /// The cause for which this process has brought the traffic back, once a write of its own has done so.
    #[serde(rename = "restored_for")]
    pub restored: Option<Cause>,
    /// Since when this process can tell nothing, should the note have no room to say so.
    #[serde(rename = "monitoring_lost_at")]
    pub blind: Option<Time>,
    /// When this process first saw the step that is in force, where it saw it come.
    #[serde(rename = "step_observed_at")]
    pub step_observed_at: Option<Time>,
    /// Whether AWS has refused a weight of exactly 100%.
    #[serde(default)]
    pub full_weight_refused: bool,
    /// The alias as it was when the plan was made for it; `None` where there was none.
    pub planned_on: Option<Alias>,
    /// The live note that this process last wrote or read as its own.
    #[serde(rename = "remembered_note")]
    pub remembered: Option<Note>,
    /// Why AWS will not take this rollout's writes, where it has said so again and again.
    #[serde(rename = "write_blocked")]
    pub write_blocked: Option<String>,
    /// The version to roll out.
    pub candidate: Candidate,
    /// Whether the managed alarms are about that version; so too where there are none.
    #[serde(rename = "managed_alarms_current")]
    pub managed: bool,
    /// Whether a guard is asked for that was not started for this process yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unguarded: bool,
    /// The hook that the note announces.
    pub hook: Hook,
    /// Since when this process has waited for the full minute, if it has: nothing else keeps the weight from rising.
    #[serde(rename = "minute_awaited_since")]
    pub ready: Option<Time>,
    /// What the alarms say.
    pub health: Health,
    /// What the invocations of both versions say.
    pub comparison: Comparison,
    /// How the candidate answered test events, where it was sent some.
    pub probe: Probe,
    /// What the checks say, as far as they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckSeen>,
    /// Whether the process was told to stop.
    #[serde(default)]
    pub interrupted: bool,
    /// Whether it was told to stop at once while its writes fail.
    #[serde(default)]
    pub stop_now: bool,
    /// Since when this process holds a weight that a person set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_manually_since: Option<Time>,
    /// What the others of its group are doing; `None` where it is alone.
    #[serde(rename = "group", default, skip_serializing_if = "Option::is_none")]
    pub others: Option<Others>,
}
