//! What is to be done? Everything that was chosen before the first write, so that nothing is left to choose later.

use std::ops::Deref;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::gate::Gate;
use crate::names::Names;
use crate::note::{Owner, Phase, PlanHash, RolloutId};
use crate::policy::Policy;
pub use crate::policy::{Analysis, HookAnswer, InsufficientData, Latency, Mode, OnInterrupt, OnLowTraffic, Preexisting};
use crate::timing::{COUNTS_EVERY, LEASE_GRACE, RENEWAL};
use crate::{Schedule, Signal, Time, Version};

/// Where the candidate comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// Publish what `$LATEST` is.
    #[serde(rename = "publish")]
    Publish,
    /// Put this code into `$LATEST` first, then publish: a fingerprint of what was given.
    #[serde(rename = "update")]
    Update(String),
    /// A version that exists.
    #[serde(rename = "version")]
    Version(Version),
}

/// How a process comes to its rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Entry {
    /// It claims an idle alias, or creates one.
    #[default]
    #[serde(rename = "fresh")]
    Fresh,
    /// It resumes the rollout of an owner that is gone.
    #[serde(rename = "take_over")]
    TakeOver {
        /// Whose token stands in the note.
        from: Owner,
        /// Whether that owner may still be there.
        forced: bool,
    },
    /// It supersedes another rollout, once its own version is fit for traffic.
    #[serde(rename = "supersede")]
    Supersede(RolloutId),
    /// It takes weights for its own that nobody noted: this version has them.
    #[serde(rename = "adopt")]
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
    #[serde(rename = "started_at")]
    pub began: Time,
    /// How this process comes to it.
    pub entry: Entry,
    /// The alias' version before; `None` where the alias does not exist yet.
    pub stable: Option<Version>,
    /// Where the candidate comes from.
    pub source: Source,
    /// Which weight when.
    pub schedule: Schedule,
    /// How long the candidate is watched at 100%.
    pub bake: Duration,
    /// The alarms that are watched.
    pub alarms: Vec<String>,
    /// Those of them that are made or changed for the candidate: name and rule, without its number.
    #[serde(rename = "managed_alarms")]
    pub managed: Vec<String>,
    /// What else counts as failed, beside Lambda's errors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Signal>,
    /// What was chosen about it.
    pub policy: Policy,
    /// Whether the invocations may be counted at all: not part of what was chosen.
    pub countable: bool,
    /// Whether the function is durable: what resumes an execution is not drawn by weight. Not part of what was chosen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub durable: bool,
    /// The function to ask before any traffic moves.
    pub pre_hook: Option<String>,
    /// The function to ask before every further weight.
    pub step_hook: Option<String>,
    /// The function to ask before promoting.
    pub post_hook: Option<String>,
    /// What is asked once a minute while the candidate has traffic.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// Where the schedule waits for a person, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// All functions that are rolled out as one, this one among them; empty where it is alone.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub group: Names,
}

impl Deref for Plan {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.policy
    }
}

impl Plan {
    /// Whether anything but the clock speaks for or against the candidate while it has traffic.
    pub fn watches(&self) -> bool {
        !self.alarms.is_empty() || self.comparing() == Mode::On || !self.checks.is_empty()
    }

    /// What becomes of the comparison: what was asked for, as far as it is permitted.
    pub fn comparing(&self) -> Mode {
        match self.analysis.mode {
            _ if !self.countable => Mode::Off,
            Mode::On if self.durable => Mode::Observe,
            Mode::On | Mode::Observe | Mode::Off => self.analysis.mode,
        }
    }

    /// Whether weights change on the full minute. Calls are counted by the minute, and a minute in which the weight changed tells trouble
    /// of both versions from trouble of one no better than a count of the whole rollout would. Steps of less than a minute cannot.
    pub fn changes_on_the_minute(&self) -> bool {
        let whole = self.schedule.every().as_secs().is_multiple_of(60) && self.schedule.every().subsec_nanos() == 0;
        self.comparing() == Mode::On && self.stable.is_some() && self.schedule.len() > 1 && whole
    }

    /// The moment itself; where weights change on the full minute, the next one.
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
        self.poll.saturating_mul(2).max(Duration::from_secs(5))
    }

    /// What a lease outlasts the next write by: [`LEASE_GRACE`], and at least four polls. Of very many rollouts of a process each is looked at, and
    /// written, that rarely.
    pub fn lease_grace(&self) -> Duration {
        self.poll.saturating_mul(4).max(LEASE_GRACE)
    }

    /// How long before its end a lease is renewed: [`RENEWAL`], and at least two polls.
    pub fn renewal(&self) -> Duration {
        self.poll.saturating_mul(2).max(RENEWAL)
    }

    /// By how much a write may be late without the schedule counting from its answer: one poll, and at least the second that a
    /// note is precise to.
    pub fn tolerance(&self) -> Duration {
        self.poll.max(Duration::from_secs(1))
    }

    /// How long the candidate keeps the weight of this phase when nothing holds it up, hooks not counted. Whatever counts by the
    /// schedule asks here, or for [`Plan::begins`].
    pub fn dwell(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Shift { .. } => self.schedule.every(),
            Phase::Bake => self.bake,
            Phase::Claim | Phase::Pre | Phase::Post | Phase::Promoted | Phase::Back(_) => Duration::ZERO,
        }
    }

    /// When this step, counted from 1, begins: how long after the first one.
    pub fn begins(&self, step: usize) -> Duration {
        self.schedule.every().saturating_mul(u32::try_from(step.saturating_sub(1)).unwrap_or(u32::MAX))
    }

    /// How long the rollout takes from its first shift when nothing holds it up, hooks not counted.
    pub fn duration(&self) -> Duration {
        self.begins(self.schedule.len()).saturating_add(self.dwell(Phase::Bake))
    }

    /// A hash of what was chosen, equal for equal choices in every process and every build of this format. Which version is meant
    /// is not part of it: that is compared by itself.
    pub fn hash(&self) -> PlanHash {
        PlanHash(hash32(self.rows().as_bytes()))
    }

    /// What is hashed: a row `name=value` for everything that was chosen. Durations are in milliseconds, and before each text stands
    /// how many bytes it has, so that two plans never have the same rows.
    ///
    /// Frozen: a rollout in progress is known by it. A row that comes later is written only where its option is chosen.
    pub(crate) fn rows(&self) -> String {
        #[rustfmt::skip]
        let Self {
            schedule, source, bake, alarms, managed, signals, policy, pre_hook, step_hook, post_hook, checks, group, gates,
            // Who does it, and when.
            id: _, owner: _, began: _, entry: _, stable: _, countable: _, durable: _,
        } = self;
        #[rustfmt::skip]
        let Policy {
            preexisting_alarm, insufficient_data, blind_limit, analysis,
            // What changes nothing for a rollout in progress; and how long to bake, which the plan says.
            poll: _, hook_answer: _, hook_limit: _, on_interrupt: _, again: _, create_alias: _, require_change: _, allow_provisioned: _, no_logs: _, bake: _,
        } = policy;
        let Analysis { mode, sensitive, latency, min_requests, max_hold, on_low_traffic } = analysis;
        let weights: Vec<String> = schedule.weights().iter().map(|weight| weight.basis_points().to_string()).collect();
        let code = if let Source::Update(code) = source { Some(code) } else { None };
        let on_low_traffic = match on_low_traffic {
            OnLowTraffic::RollBack => "rollback".to_owned(),
            OnLowTraffic::Promote => "promote".to_owned(),
            OnLowTraffic::Probe(count) => format!("probe {count}"),
        };
        let millis = |span: &Duration| span.as_millis().to_string();
        let signals: Vec<String> = signals.iter().map(|signal| texts(&signal.parts())).collect();
        let rows = [
            ("weights", weights.join(",")),
            ("every", millis(&schedule.every())),
            ("bake", millis(bake)),
            ("alarms", texts(alarms)),
            ("managed_alarms", texts(managed)),
            ("preexisting_alarm", preexisting_alarm.word().to_owned()),
            ("insufficient_data", insufficient_data.word().to_owned()),
            ("blind_limit", millis(blind_limit)),
            ("analysis", mode.word().to_owned()),
            ("sensitive", sensitive.to_string()),
            ("latency", latency.word().to_owned()),
            ("min_requests", min_requests.to_string()),
            ("max_hold", millis(max_hold)),
            ("on_low_traffic", on_low_traffic),
            ("pre_hook", texts(pre_hook)),
            ("step_hook", texts(step_hook)),
            ("post_hook", texts(post_hook)),
            ("code", texts(code)),
            ("group", texts(group.iter())),
        ];
        // What came later is no row where nothing was chosen.
        let signals = (!signals.is_empty()).then(|| ("signals", texts(&signals)));
        let checks = (!checks.is_empty()).then(|| ("checks", texts(checks)));
        let gate = |gate: &Gate| format!("{} {} {}", gate.weight.basis_points(), millis(&gate.lasts), gate.word());
        let gates = (!gates.is_empty()).then(|| ("gates", texts(&gates.iter().map(gate).collect::<Vec<_>>())));
        rows.into_iter()
            .chain(signals)
            .chain(checks)
            .chain(gates)
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect::<Vec<_>>()
            .concat()
    }
}

/// Texts so that none can be taken for several: `6:errors,7:latency,`.
fn texts<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    let mut whole = String::new();
    for text in texts {
        whole.extend([text.len().to_string().as_str(), ":", text, ","]);
    }
    whole
}

/// FNV-1a, 32 bits: the standard library's hashers promise nothing from one build to the next.
pub fn hash32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
