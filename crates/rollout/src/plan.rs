//! What is to be done? Everything that was chosen before the first write, so that nothing is left to choose later.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::note::{Owner, PlanHash, RolloutId};
pub use crate::timing::{BLIND_LIMIT, COUNTS_EVERY, DEFAULT_BAKE, HOOK_LIMIT, INVOCATION_LIMIT, MAX_HOLD};
use crate::{Schedule, Time, Version};

/// Where the candidate comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// Publish what `$LATEST` is.
    Publish,
    /// Put this code into `$LATEST` first, then publish: a fingerprint of what was given.
    Update(String),
    /// A version that exists.
    Version(Version),
}

/// What to do about an alarm that was red before the rollout began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Preexisting {
    /// Refuse to begin.
    #[default]
    Fail,
    /// Begin; only a fresh transition to ALARM counts.
    Ignore,
    /// Wait until it is green, an hour at most.
    Wait,
}

/// What to make of an alarm in state `INSUFFICIENT_DATA`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum InsufficientData {
    /// It does not complain, as `CodeDeploy` sees it.
    #[default]
    Ok,
    /// Hold the share, and go back when it lasts.
    Hold,
    /// Go back at once.
    RollBack,
}

/// Whether the calls of both versions are compared, and what comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Mode {
    /// It decides.
    On,
    /// It is reported and decides nothing.
    Observe,
    /// It is not made.
    #[default]
    Off,
}

impl Mode {
    /// The mode as it is asked for, and as JSON has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Observe => "observe",
            Self::Off => "off",
        }
    }
}

/// What is made of slow calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Latency {
    /// They are reported.
    #[default]
    Report,
    /// They decide.
    Enforce,
    /// Nothing.
    Ignore,
}

/// What to do about a step that has not had its calls when it has waited long enough for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum OnLowTraffic {
    /// Go back.
    #[default]
    RollBack,
    /// Go on without.
    Promote,
    /// Send the candidate so many saved events, and go on if it answers every one.
    Probe(u32),
}

/// How the calls of both versions are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Analysis {
    /// Whether it is.
    pub mode: Mode,
    /// Whether to notice sooner, at a chance of a false rollback of 5 % instead of 1 %.
    pub sensitive: bool,
    /// About slow calls.
    pub latency: Latency,
    /// The canary's calls without which no step ends; 0 asks for none.
    pub min_requests: u64,
    /// How much longer than planned a step may last for want of calls.
    pub max_hold: Duration,
    /// What then.
    pub on_low_traffic: OnLowTraffic,
}

impl Default for Analysis {
    /// No comparison.
    fn default() -> Self {
        Self {
            mode: Mode::Off,
            sensitive: false,
            latency: Latency::Report,
            min_requests: 0,
            max_hold: MAX_HOLD,
            on_low_traffic: OnLowTraffic::RollBack,
        }
    }
}

impl Analysis {
    /// The largest chance of a false rollback over a whole rollout.
    pub const fn alpha(&self) -> f64 {
        if self.sensitive { 0.05 } else { 0.01 }
    }
}

/// What a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum OnInterrupt {
    /// Bring the traffic back to stable.
    #[default]
    RollBack,
    /// Leave the share as it is, for another process to go on from.
    Hold,
}

/// How a process comes to its rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Entry {
    /// It claims an idle alias, or creates one.
    #[default]
    Fresh,
    /// It goes on with the rollout of an owner that is gone.
    TakeOver {
        /// Whose token stands in the note.
        from: Owner,
        /// Whether that owner may still be there.
        forced: bool,
    },
    /// It puts another rollout aside, once its own version is fit for traffic.
    Supersede(RolloutId),
    /// It takes weights for its own that nobody noted: this version has them.
    Adopt(Version),
}

/// A rollout, decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// Which rollout this is.
    pub id: RolloutId,
    /// The token of this process.
    pub owner: Owner,
    /// When this process began.
    pub began: Time,
    /// How this process comes to it.
    pub entry: Entry,
    /// The alias' version before; `None` where the alias does not exist yet.
    pub stable: Option<Version>,
    /// Where the candidate comes from.
    pub source: Source,
    /// Which share when.
    pub schedule: Schedule,
    /// How long the candidate is watched at 100 %.
    pub bake: Duration,
    /// How often to look, 100 ms and more.
    pub poll: Duration,
    /// The alarms that are watched.
    pub alarms: Vec<String>,
    /// Those of them that are made or changed for the candidate: name and rule, without its number.
    pub kept: Vec<String>,
    /// About alarms that were red before.
    pub preexisting: Preexisting,
    /// About alarms without data.
    pub insufficient: InsufficientData,
    /// How long to hold while nothing can be read.
    pub blind_limit: Duration,
    /// How the calls of both versions are compared.
    pub analysis: Analysis,
    /// Whether the calls may be counted at all: not part of what was chosen.
    pub countable: bool,
    /// The function to ask before any traffic moves.
    pub pre_hook: Option<String>,
    /// The function to ask before every further share.
    pub step_hook: Option<String>,
    /// The function to ask before promoting.
    pub post_hook: Option<String>,
    /// How long a hook may take, from the write that announces it.
    pub hook_limit: Duration,
    /// What a signal does.
    pub on_interrupt: OnInterrupt,
    /// Roll out a version that was rejected before.
    pub again: bool,
    /// Treat nothing to roll out as a refusal.
    pub require_change: bool,
    /// All functions that are rolled out as one, this one among them; empty where it is alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<String>,
}

impl Plan {
    /// Whether anything but the clock speaks for or against the candidate while it has a share.
    pub fn watches(&self) -> bool {
        !self.alarms.is_empty() || self.comparing() == Mode::On
    }

    /// What becomes of the comparison: what was asked for, as far as it is permitted.
    pub fn comparing(&self) -> Mode {
        if self.countable { self.analysis.mode } else { Mode::Off }
    }

    /// Whether shares change on the full minute. Calls are counted by the minute, and a minute in which the share changed tells trouble
    /// of both versions from trouble of one no better than a count of the whole rollout would. Steps of less than a minute cannot.
    pub fn changes_on_the_minute(&self) -> bool {
        let whole = self.schedule.every().as_secs().is_multiple_of(60) && self.schedule.every().subsec_nanos() == 0;
        self.comparing() == Mode::On && self.stable.is_some() && self.schedule.len() > 1 && whole
    }

    /// The moment itself; where shares change on the full minute, the next one.
    #[must_use]
    pub fn next_change(&self, at: Time) -> Time {
        if self.changes_on_the_minute() { Time::from_secs(at.ceil_to_second().as_secs().div_ceil(60) * 60) } else { at }
    }

    /// The full minute that was waited for since `ready`, while it is the one that is meant: half a minute later the next one is nearer.
    pub fn met(&self, ready: Time, now: Time) -> Option<Time> {
        let minute = self.next_change(ready);
        (now < minute + COUNTS_EVERY / 2).then_some(minute)
    }

    /// How old counts may be to move traffic away from stable: they are asked for once a minute, and again with every poll where
    /// that fails.
    pub fn counts_freshness(&self) -> Duration {
        COUNTS_EVERY + self.freshness()
    }

    /// How old evidence may be to move traffic away from stable: two polls, and at least the five seconds that one call may take,
    /// because a look can take longer than the shortest poll.
    pub fn freshness(&self) -> Duration {
        (self.poll * 2).max(Duration::from_secs(5))
    }

    /// By how much a write may be late without the schedule counting from its answer: one poll, and at least the second that a
    /// note is precise to.
    pub fn tolerance(&self) -> Duration {
        self.poll.max(Duration::from_secs(1))
    }

    /// How long the rollout takes from its first shift when nothing holds it up, hooks not counted.
    pub fn duration(&self) -> Duration {
        self.schedule.duration() + self.bake
    }

    /// A hash of what was chosen, equal for equal choices in every process and every build of this format. Which version is meant
    /// is not part of it: that is compared by itself.
    pub fn hash(&self) -> PlanHash {
        let Self {
            schedule, bake, alarms, preexisting, insufficient, blind_limit, pre_hook, post_hook, step_hook, source, ..
        } = self;
        let Analysis { mode, sensitive, latency, min_requests, max_hold, on_low_traffic } = self.analysis;
        let weights: Vec<u16> = schedule.weights().iter().map(|weight| weight.basis_points()).collect();
        let every = schedule.every();
        let code = if let Source::Update(code) = source { Some(code) } else { None };
        let parts = (weights, every, bake, alarms, preexisting, insufficient, blind_limit, pre_hook, post_hook, code);
        let analysis = (mode, sensitive, latency, min_requests, max_hold, on_low_traffic);
        // Plans without these keep the hash that they had before there were any.
        let kept = if self.kept.is_empty() { String::new() } else { format!(" {:?}", self.kept) };
        let group = if self.group.is_empty() { String::new() } else { format!(" {:?}", self.group) };
        PlanHash(hash32(format!("{parts:?} {analysis:?} {step_hook:?}{kept}{group}").as_bytes()))
    }
}

/// FNV-1a, 32 bits: the standard library's hashers promise nothing from one build to the next.
pub fn hash32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
