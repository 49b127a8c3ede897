//! What happened? The typed events of a rollout, in the order they happened; the last one is always the outcome.
//!
//! As JSON an event is one flat object: `v`, `type`, `at`, `function`, `alias`, and the fields of its kind. Its words are written out
//! here, so that no renaming changes them. Readers skip types, fields and words that they do not know.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use crate::action::Action;
use crate::check::CheckState;
use crate::comparison::{AnalysisVerdict, Numbers, SharedDegradation, Thousandths};
use crate::difference::Difference;
use crate::health::AlarmState;
use crate::logged_error::LoggedError;
use crate::note::AfterPause;
use crate::observation::Observation;
use crate::outcome::{OutcomeKind, ReasonKind};
use crate::plan::{Mode, Plan};
pub use crate::resumed::{Adopted, ResumesAt};
use crate::words::words;
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
    pub what: EventKind,
}

words! {
    /// Which hook.
    pub enum HookPhase {
        /// Before the first weight.
        PreTraffic = "pre-traffic",
        /// Before every further weight.
        Step = "step",
        /// Before promoting.
        PostTraffic = "post-traffic",
        /// Once a minute while the candidate has traffic.
        Check = "check",
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "the largest begins a rollout, once")]
#[serde(tag = "type")]
pub enum EventKind {
    /// The rollout was planned and checked; nothing is written yet.
    #[serde(rename = "started")]
    Started(Started),
    /// Something to know that stops nothing.
    #[serde(rename = "warning")]
    Warning {
        /// In a sentence.
        text: String,
        /// Whether it is of the moment: a call that failed, and is made again where that is safe.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        transient: bool,
    },
    /// The alias was on `$LATEST`, and is on a published version of the same code now: before a rollout begins.
    #[serde(rename = "pinned")]
    Pinned {
        /// That version.
        version: Version,
    },
    /// The alias is claimed.
    #[serde(rename = "acquired")]
    Acquired {
        /// The weight that the candidate already had, where the rollout was begun by something else and is adopted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        adopted: Option<Adopted>,
    },
    /// The given code is in `$LATEST`.
    #[serde(rename = "code_updated")]
    CodeUpdated,
    /// The candidate exists.
    #[serde(rename = "published")]
    Published {
        /// Its number.
        version: Version,
    },
    /// The candidate can take traffic.
    #[serde(rename = "version_ready")]
    VersionReady {
        /// Its number.
        version: Version,
        /// What it has otherwise than stable, as far as that is known.
        #[serde(rename = "differences", default, skip_serializing_if = "Vec::is_empty")]
        differs: Vec<Difference>,
    },
    /// A managed alarm is about the candidate now.
    #[serde(rename = "managed_alarm")]
    ManagedAlarm {
        /// Its name.
        name: String,
        /// What became of it, and its rule.
        text: String,
    },
    /// A guard rolls back from now on if the process stops.
    #[serde(rename = "guarded")]
    Guarded(crate::guarded::Guarded),
    /// A schedule has the rollout continue from now on, with or without this process.
    #[serde(rename = "scheduled")]
    Scheduled(crate::guarded::Scheduled),
    /// A hook was invoked.
    #[serde(rename = "hook_started")]
    HookStarted {
        /// Which.
        hook: HookPhase,
        /// The function that is asked.
        name: String,
        /// Which attempt, from 1.
        attempt: u8,
    },
    /// A hook said that all is well.
    #[serde(rename = "hook_succeeded")]
    HookSucceeded {
        /// Which.
        hook: HookPhase,
        /// The function that was asked.
        name: String,
        /// How long it took.
        took_ms: u64,
    },
    /// A hook said otherwise, or nothing.
    #[serde(rename = "hook_failed")]
    HookFailed {
        /// Which.
        hook: HookPhase,
        /// The function that was asked.
        name: String,
        /// Why, with the last lines of its log.
        reason: String,
    },
    /// The alias was created on its first version.
    #[serde(rename = "alias_created")]
    AliasCreated {
        /// That version.
        version: Version,
    },
    /// The candidate has another weight.
    #[serde(rename = "weight_shifted")]
    WeightShifted {
        /// The weight before.
        from: Weight,
        /// The weight now.
        to: Weight,
        /// Which step this is, from 1.
        step: usize,
        /// How many there are.
        steps: usize,
        /// When the next change is due.
        next_at: Option<Time>,
        /// What allowed it, as half a sentence.
        #[serde(rename = "reason")]
        because: String,
        /// Whether nothing is watched, so that the schedule alone allowed it.
        by_configuration: bool,
        /// Whether a person gave it all traffic, ahead of the schedule.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        manually: bool,
    },
    /// An alarm has another state, or was seen for the first time.
    #[serde(rename = "alarm_changed")]
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
    /// The answer of a check comes to something else than the one before.
    #[serde(rename = "check")]
    Check {
        /// The function or the URL that was asked.
        name: String,
        /// What its answer comes to.
        state: CheckState,
        /// In words; empty where all is well.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    /// The invocations of both versions were counted again.
    #[serde(rename = "compared")]
    Compared {
        /// What that says.
        #[serde(rename = "verdict")]
        opinion: AnalysisVerdict,
        /// In half a sentence, with the arithmetic.
        why: String,
        /// The numbers.
        numbers: Box<Numbers>,
    },
    /// Both versions got worse together: not the release.
    #[serde(rename = "shared_degradation")]
    SharedDegradation {
        /// Since when.
        since: Time,
        /// With times and rates.
        why: String,
    },
    /// The candidate is being sent test events, for lack of invocations.
    #[serde(rename = "probe_started")]
    ProbeStarted {
        /// How many.
        count: u32,
    },
    /// It answered every one of them.
    #[serde(rename = "probe_succeeded")]
    ProbeSucceeded {
        /// How many.
        count: u32,
    },
    /// It did not.
    #[serde(rename = "probe_failed")]
    ProbeFailed {
        /// Which, and why.
        reason: String,
    },
    /// What is watched cannot be read any more, or has no data.
    #[serde(rename = "monitoring_lost")]
    MonitoringLost {
        /// Why.
        why: String,
    },
    /// It can be read again.
    #[serde(rename = "monitoring_restored")]
    MonitoringRestored,
    /// A person holds the weight where it is; it stays watched.
    #[serde(rename = "paused")]
    Paused {
        /// Until when.
        until: Time,
        /// What happens then.
        then: AfterPause,
        /// Whether nobody asked for it: the rollout's record had vanished from the alias.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        by_itself: bool,
        /// The weight at which the schedule waits for an approval, where it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gate: Option<Weight>,
    },
    /// A person approved a gate of the schedule.
    #[serde(rename = "gate_approved")]
    GateApproved(crate::gate::Approval),
    /// The pause is over.
    #[serde(rename = "resumed")]
    Resumed,
    /// The weight stays where it is: why.
    #[serde(rename = "holding")]
    HoldingStep {
        /// In words.
        why: String,
    },
    /// Still here, once a minute.
    #[serde(rename = "heartbeat")]
    Heartbeat {
        /// The candidate's weight.
        weight: Weight,
        /// When the next change is due.
        next_at: Option<Time>,
        /// What is waited for.
        waiting_for: String,
    },
    /// Reason to roll back was found, and the rollback begins.
    #[serde(rename = "rollback_started")]
    RollbackStarted {
        /// The cause, in one word.
        cause: crate::Cause,
        /// In words, with the arithmetic.
        why: String,
        /// When what it rests on happened, where that is known.
        #[serde(rename = "happened_at")]
        happened: Option<Time>,
        /// The alarm that it rests on, where it rests on one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alarm: Option<String>,
    },
    /// All traffic is on stable.
    #[serde(rename = "restored")]
    Restored {
        /// The stable version; `None` where there was none before.
        version: Option<Version>,
        /// Whether the candidate had traffic that was rolled back.
        moved: bool,
    },
    /// The candidate is the alias' version.
    #[serde(rename = "promoted")]
    Promoted {
        /// Its number.
        version: Version,
        /// Whether a person made it so, ahead of the schedule.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        manually: bool,
    },
    /// What a decision rested on, for whoever wants to check it. Told only where that was asked for, and kept in a form of its own.
    #[serde(skip)]
    Observed(Box<Observed>),
    /// It is over. Always the last event, and exactly one.
    #[serde(rename = "outcome")]
    Outcome(Box<RolloutSummary>),
    /// Several functions have ended, rolled out as one or beside each other: the last event of all, of no function in particular.
    #[serde(rename = "group_outcome")]
    GroupOutcome(Box<GroupOutcome>),
    /// Something of a later version: no more is known of it.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// One decision, with everything that it rested on.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// What was chosen beforehand.
    pub plan: Plan,
    /// What was seen.
    pub seen: Observation,
    /// What was decided on it.
    pub action: Action,
}

/// What a rollout starts from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The rollout's id.
    pub rollout_id: String,
    /// The stable version; `None` in a first deployment.
    pub stable: Option<Version>,
    /// The candidate, where it exists already.
    pub candidate: Option<Version>,
    /// The schedule's name; empty where only the alias of a rollout that runs elsewhere is known, and no schedule.
    pub schedule: String,
    /// The weight of every step.
    pub weights: Vec<Weight>,
    /// The seconds between two steps.
    pub every_seconds: u64,
    /// The seconds at 100%.
    pub bake_seconds: u64,
    /// The alarms that are watched.
    pub alarms: Vec<String>,
    /// Whether the invocations of both versions are compared; `None` where that is not known.
    #[serde(default, deserialize_with = "known")]
    pub analysis: Option<Mode>,
    /// The names of the signals that are compared beside errors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<String>,
    /// The pre-traffic hook.
    pub pre_hook: Option<String>,
    /// The hook before every further weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_hook: Option<String>,
    /// The post-traffic hook.
    pub post_hook: Option<String>,
    /// The checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// Where it stands already, where another process began it.
    #[serde(rename = "resumes_at", default, skip_serializing_if = "Option::is_none")]
    pub stands: Option<ResumesAt>,
}

/// A word that is known here, or none.
fn known<'de, D: Deserializer<'de>, T: Deserialize<'de>>(reader: D) -> Result<Option<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Word<T> {
        Known(T),
        Other(IgnoredAny),
    }
    Ok(match Option::deserialize(reader)? {
        Some(Word::Known(word)) => Some(word),
        Some(Word::Other(_)) | None => None,
    })
}

impl Started {
    /// Whether only the alias is known, because the rollout runs elsewhere.
    pub fn is_elsewhere(&self) -> bool {
        self.schedule.is_empty()
    }
}

/// Why it ended so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndReason {
    /// In one word, for programs.
    pub kind: ReasonKind,
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
    pub ending: RolloutSummary,
}

/// The end of a rollout, and what it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolloutSummary {
    /// How it ended.
    pub outcome: OutcomeKind,
    /// The exit code that says so.
    pub exit_code: u8,
    /// Why.
    pub reason: EndReason,
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
    /// How many invocations the candidate had while both had some, as far as they were counted; `None` where nobody counted.
    #[serde(default)]
    pub exposed: Option<u64>,
    /// How many invocations there were in all, meanwhile.
    #[serde(default)]
    pub requests: Option<u64>,
    /// How many more of the candidate's invocations failed than stable would have failed.
    #[serde(default)]
    pub extra_failures: Option<Thousandths>,
    /// How many invocations of the candidate a promotion rests on, where both versions' were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_invocations: Option<u64>,
    /// Trouble that both versions had alike, whatever decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_degradation: Option<SharedDegradation>,
    /// The kinds of error lines that the candidate logged before it was rolled back, most telling first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<LoggedError>,
    /// Whether executions that started on the candidate may still run on it: the function is durable, and it was rolled back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executions_stay: bool,
    /// Commands to run next, most useful first.
    pub next: Vec<String>,
}

impl Event {
    /// The ending, where this is the last event.
    pub fn ending(&self) -> Option<&RolloutSummary> {
        if let EventKind::Outcome(ending) = &self.what { Some(ending) } else { None }
    }
}

impl RolloutSummary {
    /// Whether this is what was wanted.
    pub fn is_good(&self) -> bool {
        self.exit_code == Outcome::Promoted.exit_code()
    }
}
