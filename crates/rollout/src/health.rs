//! Does anything speak against the candidate? What a verdict is, and the one on what was last read of the alarms.
//!
//! A verdict is one of six, and only a [`Pass`] moves traffic away from stable. A `Pass` can be made nowhere but here: what
//! was not read, or said nothing, cannot be taken for one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::{InsufficientData, Plan, Preexisting};
use crate::words::words;
use crate::{Cause, Time};

words! {
    /// The state of an alarm.
    pub enum AlarmState {
        /// Its condition does not hold.
        Ok = "OK",
        /// Its condition holds.
        Alarm = "ALARM",
        /// It has no data to tell.
        InsufficientData = "INSUFFICIENT_DATA",
    }
}

/// One alarm as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AlarmSeen {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: AlarmState,
    /// When it took on this state.
    pub since: Time,
    /// When it was last in ALARM since the rollout began, though it may be OK again; from its history.
    #[serde(rename = "last_alarm_at")]
    pub in_alarm: Option<Time>,
    /// How long its condition must hold before it fires, where it says so.
    pub fires_after: Option<Duration>,
    /// The metric it watches, where it watches just one.
    pub metric: Option<String>,
    /// Why, in the words of `CloudWatch`.
    pub reason: String,
    /// Why `CloudWatch` could not evaluate it, where it could not: then its state is an old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unevaluated: Option<String>,
}

impl AlarmSeen {
    /// The metric and the reason: what a person wants to read in brackets.
    pub fn described(&self) -> String {
        self.metric.iter().chain([&self.reason]).map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Why its state is not known, where `CloudWatch` could not evaluate it and does not have it in ALARM.
    pub fn unknown(&self) -> Option<String> {
        let why = self.unevaluated.as_ref().filter(|_| self.state != AlarmState::Alarm)?;
        Some(format!("alarm `{}` cannot be evaluated by CloudWatch: {why}", self.name))
    }
}

/// What is known of everything that is watched.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Health {
    /// Nothing is watched, by configuration.
    #[serde(rename = "unwatched")]
    Unwatched,
    /// The alarms as last read.
    #[serde(rename = "read")]
    Read {
        /// When they were asked for.
        at: Time,
        /// All that exist of those watched.
        alarms: Vec<AlarmSeen>,
        /// Those that do not exist.
        missing: Vec<String>,
        /// Why a later attempt to read them failed, if one did.
        #[serde(rename = "read_error")]
        failing: Option<ReadError>,
    },
    /// Never read in this process.
    #[serde(rename = "unread")]
    Unread {
        /// Why the attempt failed, if one was made.
        why: String,
    },
}

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReadError {
    /// In words.
    pub why: String,
    /// Whether it was one call too many for AWS: that says nothing about what would have been read, and passes.
    pub throttled: bool,
}

/// Permission to move traffic away from stable. It can be written, never read: no text is made into one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Pass(PassBasis);

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
enum PassBasis {
    #[serde(rename = "evidence")]
    Evidence {
        alarms: usize,
        /// Those in ALARM since before the rollout, where the configuration says that this is no matter.
        #[serde(skip_serializing_if = "is_none")]
        ignored: usize,
        compared: Option<String>,
        #[serde(skip_serializing_if = "is_none")]
        checks: usize,
    },
    #[serde(rename = "configuration")]
    Configuration { why: String },
}

impl Pass {
    /// Whether the pass rests on nothing but the configuration: nothing is watched, or too few invocations are to be no matter.
    pub fn by_configuration(&self) -> bool {
        matches!(self.0, PassBasis::Configuration { .. })
    }

    /// The pass as half a sentence.
    pub fn phrase(&self) -> String {
        let count = |count: usize, what: &str| match count {
            0 => None,
            1 => Some(format!("1 {what} OK")),
            count => Some(format!("{count} {what}s OK")),
        };
        match &self.0 {
            PassBasis::Evidence { alarms, ignored, compared, checks } => {
                let ignored = Some(format!("{ignored} in ALARM since before the rollout: ignored")).filter(|_| *ignored > 0);
                [count(*alarms, "alarm"), ignored, count(*checks, "check"), compared.clone()]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join("; ")
            }
            PassBasis::Configuration { why } => why.clone(),
        }
    }

    pub(crate) fn compared(phrase: String) -> Self {
        Self(PassBasis::Evidence { alarms: 0, ignored: 0, compared: Some(phrase), checks: 0 })
    }

    pub(crate) fn checked(checks: usize) -> Self {
        Self(PassBasis::Evidence { alarms: 0, ignored: 0, compared: None, checks })
    }

    /// What every member of a group has passed by the time that one of them is final.
    pub(crate) fn of_the_group() -> Self {
        Self::compared("all functions of its group had passed every check".to_owned())
    }

    /// A pass for lack of invocations, where the configuration says that this is no matter.
    pub(crate) fn unseen(why: String) -> Self {
        Self(PassBasis::Configuration { why })
    }

    pub(crate) fn and(self, other: Self) -> Self {
        match (self.0, other.0) {
            (PassBasis::Configuration { .. }, other) => Self(other),
            (
                PassBasis::Evidence { alarms, ignored, compared: one, checks },
                PassBasis::Evidence { alarms: more_alarms, ignored: more_ignored, compared: other, checks: more_checks },
            ) => Self(PassBasis::Evidence {
                alarms: alarms + more_alarms,
                ignored: ignored + more_ignored,
                compared: other.or(one),
                checks: checks + more_checks,
            }),
            (PassBasis::Evidence { alarms, ignored, checks, .. }, PassBasis::Configuration { why }) => {
                Self(PassBasis::Evidence { alarms, ignored, compared: Some(why), checks })
            }
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// What the watched things say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Nothing speaks against the candidate, and somebody was asked (or nobody is to be).
    Pass(Pass),
    /// Something does. Final.
    Fail {
        /// What it counts as.
        cause: Cause,
        /// In words, with the arithmetic.
        why: String,
        /// The alarm that speaks against it, where one does.
        alarm: Option<String>,
    },
    /// Not enough speaks for going on: the weight stays where it is, for a limited time.
    HoldReason {
        /// What kind of doubt.
        doubt: HoldReason,
        /// In words.
        why: String,
    },
    /// What is watched has no data, and the configuration says to hold.
    NoData {
        /// In words.
        why: String,
    },
    /// What is watched could not be read, or not recently enough.
    Unreadable {
        /// In words.
        why: String,
        /// Whether only because AWS throttled the call.
        throttled: bool,
    },
}

words! {
    /// Why a weight is better not raised, though nothing is proven.
    pub enum HoldReason {
        /// The canary seems to fail more often. Held for [`SUSPICION_LIMIT`] in all; what is not proven by then is let pass.
        Suspicious = "suspicious",
        /// The canary has no invocations although it should have.
        NoCalls = "no_invocations",
        /// The canary has fewer invocations in this step than were asked for.
        TooFew = "too_few_invocations",
        /// A check has not answered yet.
        Unanswered = "check_running",
    }
}

impl HoldReason {
    pub(crate) fn phrase(self) -> &'static str {
        match self {
            Self::Suspicious => "possibly worse, not yet certain: ",
            Self::NoCalls | Self::TooFew | Self::Unanswered => "",
        }
    }
}

impl Health {
    /// Judges the alarms as they were read, for a rollout that began at `started_at`.
    pub(crate) fn verdict(&self, plan: &Plan, started_at: Time, now: Time) -> Verdict {
        let (at, alarms, missing, failing) = match self {
            Self::Unwatched => {
                return Verdict::Pass(Pass(PassBasis::Configuration { why: "nothing is watched".to_owned() }));
            }
            Self::Unread { why } => return Verdict::Unreadable { why: why.clone(), throttled: false },
            Self::Read { at, alarms, missing, failing } => (*at, alarms, missing, failing),
        };
        // The beginning is noted in whole seconds, rounded up.
        let counts = |at: &Time| plan.preexisting_alarm != Preexisting::Ignore || *at + Duration::from_secs(1) > started_at;
        // What was seen in ALARM stays seen, however old the look is: it only ever moves traffic towards stable.
        for alarm in alarms {
            if alarm.state == AlarmState::Alarm && counts(&alarm.since) {
                let why = format!("alarm `{}` went to ALARM at {} ({})", alarm.name, clock(alarm.since), alarm.described());
                return Verdict::Fail { cause: Cause::Alarm, why, alarm: Some(alarm.name.clone()) };
            }
            // It came and went between two looks, or while nobody looked: a failure is final all the same.
            if let Some(in_alarm) = alarm.in_alarm.filter(|in_alarm| *in_alarm + Duration::from_secs(1) > started_at) {
                let why = format!("alarm `{}` went to ALARM at {} and has left it since", alarm.name, clock(in_alarm));
                return Verdict::Fail { cause: Cause::Alarm, why, alarm: Some(alarm.name.clone()) };
            }
        }
        if let Some(name) = missing.first() {
            return Verdict::Unreadable { why: format!("alarm `{name}` no longer exists"), throttled: false };
        }
        if now.since(at) > plan.freshness() {
            let old = || ReadError { why: "the last reading of the alarms is too old".to_owned(), throttled: false };
            let ReadError { why, throttled } = failing.clone().unwrap_or_else(old);
            return Verdict::Unreadable { why, throttled };
        }
        if let Some(why) = alarms.iter().find_map(AlarmSeen::unknown) {
            return Verdict::Unreadable { why, throttled: false };
        }
        let silent = alarms.iter().find(|alarm| alarm.state == AlarmState::InsufficientData);
        let Some(silent) = silent.filter(|_| plan.insufficient_data != InsufficientData::Ok) else {
            let ignored = alarms.iter().filter(|alarm| alarm.state == AlarmState::Alarm).count();
            let alarms = alarms.len() - ignored;
            return Verdict::Pass(Pass(PassBasis::Evidence { alarms, ignored, compared: None, checks: 0 }));
        };
        let why = format!("alarm `{}` has had no data since {}", silent.name, clock(silent.since));
        match plan.insufficient_data {
            InsufficientData::RollBack => Verdict::Fail { cause: Cause::NoData, why, alarm: Some(silent.name.clone()) },
            InsufficientData::Hold | InsufficientData::Ok => Verdict::NoData { why },
        }
    }
}

/// The time of day of a moment, in UTC: `14:03:58`.
pub fn clock(at: Time) -> String {
    let second = at.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}
