//! What happened? The typed events of a rollout, in the order they happened; the last one is always the outcome.
//!
//! As JSON an event is one flat object: `v`, `type`, `at`, `function`, `alias`, and the fields of its kind. Readers skip the types
//! they do not know.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::comparison::{Numbers, Opinion, Thousandths};
use crate::health::AlarmState;
use crate::observation::Observation;
use crate::plan::Plan;
use crate::{Outcome, Time, Version, Weight};

/// The version of the events' JSON form.
pub const FORMAT: u8 = 1;

/// Something that happened to one alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The version of this form: [`FORMAT`].
    pub v: u8,
    /// When, in AWS' time.
    pub at: Time,
    /// The function's name; empty at the end of several functions.
    pub function: String,
    /// The alias' name; empty at the end of several functions.
    pub alias: String,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// Which hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookPhase {
    /// Before the first share.
    PreTraffic,
    /// Before every further share.
    Step,
    /// Before promoting.
    PostTraffic,
}

impl HookPhase {
    /// The phase as a hook's own code reads it, and as people write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::PreTraffic => "pre-traffic",
            Self::Step => "step",
            Self::PostTraffic => "post-traffic",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    /// The rollout was planned and checked; nothing is written yet.
    Started(Started),
    /// Something to know that stops nothing.
    Warning {
        /// In a sentence.
        text: String,
    },
    /// The alias is claimed.
    Claimed,
    /// The given code is in `$LATEST`.
    CodeUpdated,
    /// The candidate exists.
    Published {
        /// Its number.
        version: Version,
    },
    /// The candidate can take traffic.
    VersionReady {
        /// Its number.
        version: Version,
        /// What it has otherwise than stable, as far as that is known.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        differs: Vec<Difference>,
    },
    /// An alarm that is kept is about the candidate now.
    AlarmKept {
        /// Its name.
        name: String,
        /// What became of it, and its rule.
        text: String,
    },
    /// A hook was invoked.
    HookStarted {
        /// Which.
        hook: HookPhase,
        /// The function that is asked.
        name: String,
        /// Which attempt, from 1.
        attempt: u8,
    },
    /// A hook said that all is well.
    HookSucceeded {
        /// Which.
        hook: HookPhase,
        /// The function that was asked.
        name: String,
        /// How long it took.
        took_ms: u64,
    },
    /// A hook said otherwise, or nothing.
    HookFailed {
        /// Which.
        hook: HookPhase,
        /// The function that was asked.
        name: String,
        /// Why, with the last lines of its log.
        reason: String,
    },
    /// The alias was created on its first version.
    AliasCreated {
        /// That version.
        version: Version,
    },
    /// The candidate has another share.
    WeightShifted {
        /// The share before.
        from: Weight,
        /// The share now.
        to: Weight,
        /// Which step this is, from 1.
        step: usize,
        /// How many there are.
        steps: usize,
        /// When the next change is due.
        next_at: Option<Time>,
        /// What allowed it, as half a sentence.
        because: String,
        /// Whether nothing is watched, so that the schedule alone allowed it.
        by_configuration: bool,
    },
    /// An alarm has another state, or was seen for the first time.
    AlarmChanged {
        /// Its name.
        name: String,
        /// Its state now.
        state: AlarmState,
        /// When it took it on.
        since: Time,
        /// Why, in the words of `CloudWatch`.
        reason: String,
    },
    /// The calls of both versions were counted anew.
    Compared {
        /// What that says.
        opinion: Opinion,
        /// In half a sentence, with the arithmetic.
        why: String,
        /// The numbers.
        numbers: Box<Numbers>,
    },
    /// Both versions got worse together: not the release.
    WorseTogether {
        /// Since when.
        since: Time,
        /// With times and rates.
        why: String,
    },
    /// The candidate is being sent saved events, for want of calls.
    ProbeStarted {
        /// How many.
        count: u32,
    },
    /// It answered every one of them.
    ProbeSucceeded {
        /// How many.
        count: u32,
    },
    /// It did not.
    ProbeFailed {
        /// Which, and why.
        reason: String,
    },
    /// What is watched cannot be read any more, or has no data.
    SightLost {
        /// Why.
        why: String,
    },
    /// It can be read again.
    SightRegained,
    /// A person holds the share where it is; it stays watched.
    Paused {
        /// Until when.
        until: Time,
        /// Whether all traffic goes back to stable then, instead of going on.
        then_back: bool,
    },
    /// The pause is over.
    Resumed,
    /// The share stays where it is: why.
    Held {
        /// In words.
        why: String,
    },
    /// A call did not do what it should; it is made again where that is safe.
    Trouble {
        /// In words.
        why: String,
    },
    /// Still here, once a minute.
    Heartbeat {
        /// The candidate's share.
        weight: Weight,
        /// When the next change is due.
        next_at: Option<Time>,
        /// What is waited for.
        waiting_for: String,
    },
    /// Reason to go back was found, and the way back begins.
    RollbackStarted {
        /// The cause, in one word.
        cause: crate::Cause,
        /// In words, with the arithmetic.
        why: String,
        /// When what it rests on happened, where that is known.
        happened: Option<Time>,
    },
    /// All traffic is on stable.
    Restored {
        /// The stable version; `None` where there was none before.
        version: Option<Version>,
        /// Whether the candidate had a share that was taken back.
        moved: bool,
    },
    /// The candidate is the alias' version.
    Promoted {
        /// Its number.
        version: Version,
    },
    /// What a decision rested on, for whoever wants to check it. Told only where that was asked for, and kept in a form of its own.
    #[serde(skip)]
    Observed(Box<Observed>),
    /// It is over. Always the last event, and exactly one.
    Outcome(Box<Ending>),
    /// Several functions have ended, rolled out as one or beside each other: the last event of all, of no function in particular.
    GroupOutcome(Box<GroupOutcome>),
}

/// One decision, with everything that it rested on.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// What was chosen beforehand.
    pub plan: Plan,
    /// What was seen.
    pub seen: Observation,
    /// What was decided on it, in the words of [`Action`](crate::decide::Action)'s debug form: no text can be made into a permission
    /// to move traffic.
    pub action: String,
}

/// What a rollout starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The rollout's id.
    pub rollout_id: String,
    /// The stable version; `None` in a first deployment.
    pub stable: Option<Version>,
    /// The candidate, where it exists already.
    pub candidate: Option<Version>,
    /// The schedule's name; empty where only the alias of a rollout that runs elsewhere is known, and no schedule.
    pub schedule: String,
    /// The share of every step.
    pub weights: Vec<Weight>,
    /// The seconds between two steps.
    pub every_seconds: u64,
    /// The seconds at 100 %.
    pub bake_seconds: u64,
    /// The alarms that are watched.
    pub alarms: Vec<String>,
    /// Whether the calls of both versions are compared: `on`, `observe` or `off`.
    #[serde(default)]
    pub analysis: String,
    /// The pre-traffic hook.
    pub pre_hook: Option<String>,
    /// The hook before every further share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_hook: Option<String>,
    /// The post-traffic hook.
    pub post_hook: Option<String>,
    /// Where it stands already, where another process began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands: Option<Stands>,
}

/// Where a rollout stands that is gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stands {
    /// The candidate's share.
    pub weight: Weight,
    /// Which step that is, from 1; 0 before the first.
    pub step: usize,
    /// When the next change is due.
    pub next_at: Option<Time>,
}

impl Started {
    /// Whether only the alias is known, because the rollout runs elsewhere.
    pub fn is_elsewhere(&self) -> bool {
        self.schedule.is_empty()
    }
}

/// Something that the candidate has otherwise than stable: two values, or names that came, went or mean something else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What: `memory`, `environment`.
    pub name: String,
    /// Stable's value, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<String>,
    /// The candidate's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// Names that only the candidate has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// Names that only stable has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Names that both have, with other values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        if self.stable.is_some() || self.candidate.is_some() {
            write!(f, " {} → {}", value(&self.stable), value(&self.candidate))?;
        }
        let added = self.added.iter().map(|name| format!("+{name}"));
        let removed = self.removed.iter().map(|name| format!("−{name}"));
        let names: Vec<String> = added.chain(removed).chain(self.changed.iter().map(|name| format!("{name} changed"))).collect();
        if names.is_empty() { Ok(()) } else { write!(f, " ({})", names.join(", ")) }
    }
}

/// Why it ended so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// In one word, for programs.
    pub kind: String,
    /// In a sentence, for people.
    pub detail: String,
}

/// The end of several functions' rollouts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupOutcome {
    /// The exit code for all of them: 20 wins, then 21, then the first cause.
    pub exit_code: u8,
    /// Whether they were rolled out as one, all or none; else each by itself.
    pub together: bool,
    /// Each of them.
    pub members: Vec<MemberEnding>,
}

/// One function's part in that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberEnding {
    /// The function's name.
    pub function: String,
    /// The alias' name.
    pub alias: String,
    /// How it ended.
    #[serde(flatten)]
    pub ending: Ending,
}

/// The end of a rollout, and what it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// How it ended: `promoted`, `unchanged`, `refused`, `rolled_back`, `superseded`, `held`, `detached`, `rollback_unconfirmed`, `failed`.
    pub outcome: String,
    /// The exit code that says so.
    pub exit_code: u8,
    /// Why.
    pub reason: Why,
    /// The stable version, where there is one.
    pub stable: Option<Version>,
    /// The candidate, where there is one.
    pub candidate: Option<Version>,
    /// The rollout's id.
    pub rollout_id: String,
    /// Where the traffic is now, in words.
    pub traffic: String,
    /// From the start to the end.
    pub took_ms: u64,
    /// From what happened to its being noticed.
    pub noticed_ms: Option<u64>,
    /// From being noticed to all traffic being on stable.
    pub reverted_ms: Option<u64>,
    /// How many calls the candidate had while both had some, as far as they were counted; `None` where nobody counted.
    #[serde(default)]
    pub exposed: Option<u64>,
    /// How many calls there were in all, meanwhile.
    #[serde(default)]
    pub requests: Option<u64>,
    /// How many more of the candidate's calls failed than stable would have failed.
    #[serde(default)]
    pub extra_failures: Option<Thousandths>,
    /// Commands to run next, most useful first.
    pub next: Vec<String>,
}

impl Event {
    /// The ending, where this is the last event.
    pub fn ending(&self) -> Option<&Ending> {
        if let What::Outcome(ending) = &self.what { Some(ending) } else { None }
    }
}

impl Ending {
    /// Whether this is what was wanted.
    pub fn is_good(&self) -> bool {
        self.exit_code == Outcome::Promoted.exit_code()
    }
}
