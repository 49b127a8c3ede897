//! Where does a schedule wait for a person? At a weight, for so long, and what happens where nobody approves.
//!
//! A gate is a pause that the schedule sets itself, in the write that gives the candidate the weight. All that holds of a pause holds of it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::format::exact;
use crate::note::{AfterPause, Pause};
use crate::timing::MAX_INTERVAL;
use crate::{Schedule, Time, Weight};

/// How long a gate waits where nothing is said.
pub const USUAL: Duration = Duration::from_hours(1);

/// The words for what happens where nobody approves.
pub const WORDS: [&str; 2] = ["rollback", "continue"];

/// What a word of [`WORDS`] stands for.
pub fn then(word: &str) -> Option<AfterPause> {
    match word {
        "rollback" => Some(AfterPause::RollBack),
        "continue" => Some(AfterPause::Resume),
        _ => None,
    }
}

/// A weight at which the schedule waits until a person approves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gate {
    /// The weight of a step.
    pub weight: Weight,
    /// How long it waits.
    #[serde(rename = "for")]
    pub lasts: Duration,
    /// What happens then.
    pub then: AfterPause,
}

/// That a person approved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The ARN of whoever did, as STS knows it; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Gate {
    /// What happens where nobody approves, in a word.
    pub fn word(&self) -> &'static str {
        if self.then == AfterPause::Resume { "continue" } else { "rollback" }
    }

    /// The pause that it sets where the step is in force since then.
    pub(crate) fn pause(&self, since: Time) -> Pause {
        Pause { until: (since + self.lasts).ceil_to_second(), then: self.then, gate: true }
    }

    /// The gate, where it lasts at least a second and at most two days.
    ///
    /// # Errors
    /// What is expected instead.
    pub fn checked(self) -> Result<Self, String> {
        let sound = self.lasts.subsec_nanos() == 0 && !self.lasts.is_zero() && self.lasts <= MAX_INTERVAL;
        if sound { Ok(self) } else { Err("a gate waits between 1 second and 48 hours".to_owned()) }
    }
}

/// For people: `10% for 2h, then rollback`.
impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}, then {}", self.weight, exact(self.lasts), self.word())
    }
}

/// Gates in the order of the schedule.
///
/// # Errors
/// A gate at a weight that no step has, or two at one.
pub fn in_order(mut gates: Vec<Gate>, schedule: &Schedule) -> Result<Vec<Gate>, String> {
    gates.sort_by_key(|gate| gate.weight);
    if let Some(pair) = gates.windows(2).find(|pair| pair[0].weight == pair[1].weight) {
        return Err(format!("there are two gates at {}", pair[0].weight));
    }
    match gates.iter().find(|gate| !schedule.weights().contains(&gate.weight)) {
        None => Ok(gates),
        Some(gate) => {
            let steps: Vec<String> = schedule.weights().iter().map(ToString::to_string).collect();
            Err(format!("no step has {}: the steps are {}", gate.weight, steps.join(", ")))
        }
    }
}
