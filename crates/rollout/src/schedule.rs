//! Which weight when? The names people write for it, and the steps they stand for.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Weight;
use crate::format::exact;
use crate::timing::MAX_INTERVAL;

/// The steps by which the candidate gets its traffic: the first at once, each next one `every` later, the last 100%.
///
/// Promises: at least one step, strictly rising, none of them 0, the last one 100%, at most [`MAX_STEPS`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Schedule {
    name: String,
    weights: Vec<Weight>,
    every: Duration,
}

/// A schedule as it was written down, with nothing promised yet.
#[derive(Deserialize)]
struct Stored {
    name: String,
    weights: Vec<Weight>,
    every: Duration,
}

impl TryFrom<Stored> for Schedule {
    type Error = ScheduleError;

    fn try_from(stored: Stored) -> Result<Self, ScheduleError> {
        let Stored { name, weights, every } = stored;
        Ok(Self { name, ..Self::steps(&weights, every)? })
    }
}

/// The most steps a schedule may have.
pub const MAX_STEPS: usize = 100;

/// The schedules that `CodeDeploy` has names for; each may carry the prefix `CodeDeployDefault.Lambda`.
pub const NAMES: [&str; 9] = [
    "AllAtOnce",
    "Canary10Percent5Minutes",
    "Canary10Percent10Minutes",
    "Canary10Percent15Minutes",
    "Canary10Percent30Minutes",
    "Linear10PercentEvery1Minute",
    "Linear10PercentEvery2Minutes",
    "Linear10PercentEvery3Minutes",
    "Linear10PercentEvery10Minutes",
];

const PREFIX: &str = "CodeDeployDefault.Lambda";

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Nothing that the grammar knows.
    #[error(
        "`{given}` is not a schedule\n  hint: did you mean `{nearest}`?  Also: `Canary<P>Percent<N>Minutes`, `Linear<P>PercentEvery<N>Minutes`"
    )]
    Unknown {
        /// What was written.
        given: String,
        /// The name that is written most alike.
        nearest: String,
    },
    /// A weight of 0 or of 100% and more.
    #[error(
        "`{0}`: the traffic of a step must be above {zero} and below {full}\n  hint: `AllAtOnce` shifts everything in one step",
        zero = Weight::ZERO,
        full = Weight::FULL
    )]
    Share(String),
    /// A wait of nothing, or of more than two days.
    #[error("`{0}`: the time between two steps must be between 1 second and 2,880 minutes")]
    Interval(String),
    /// Steps that do not rise.
    #[error("steps must rise: {before} is followed by {after}")]
    Order {
        /// The step before.
        before: Weight,
        /// The step that is not higher.
        after: Weight,
    },
    /// More steps than anybody can follow.
    #[error("`{given}` has {steps} steps; the maximum is {MAX_STEPS}\n  hint: shift more traffic in each step")]
    TooMany {
        /// What was written.
        given: String,
        /// How many steps that would be.
        steps: usize,
    },
}

impl Schedule {
    /// The schedule `AllAtOnce`.
    pub fn all_at_once() -> Self {
        Self { name: ALL_AT_ONCE.to_owned(), weights: vec![Weight::FULL], every: Duration::ZERO }
    }

    /// A schedule of steps given one by one, `every` apart. 100% is added where it is missing.
    ///
    /// # Errors
    /// Steps that do not rise, a weight of 0, too many of them, an interval out of range.
    pub fn steps(steps: &[Weight], every: Duration) -> Result<Self, ScheduleError> {
        let listed = || steps.iter().map(|step| step.percent()).collect::<Vec<_>>().join(",");
        let name = format!("steps {} every {}", listed(), exact(every));
        if steps.iter().any(|step| step.is_zero()) {
            return Err(ScheduleError::Share(listed()));
        }
        if let Some(pair) = steps.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(ScheduleError::Order { before: pair[0], after: pair[1] });
        }
        let mut weights = steps.to_vec();
        if weights.last() != Some(&Weight::FULL) {
            weights.push(Weight::FULL);
        }
        Self::checked(name, weights, every, &listed())
    }

    fn checked(name: String, weights: Vec<Weight>, every: Duration, given: &str) -> Result<Self, ScheduleError> {
        if weights.len() > MAX_STEPS {
            return Err(ScheduleError::TooMany { given: given.to_owned(), steps: weights.len() });
        }
        let whole_seconds = every.subsec_nanos() == 0 && !every.is_zero();
        if weights.len() > 1 && (!whole_seconds || every > MAX_INTERVAL) {
            return Err(ScheduleError::Interval(given.to_owned()));
        }
        Ok(Self { name, weights, every })
    }

    /// The weight of step `step`, counted from 1; beyond the last one, 100%.
    pub fn weight(&self, step: usize) -> Weight {
        step.checked_sub(1).and_then(|index| self.weights.get(index)).copied().unwrap_or(Weight::FULL)
    }

    /// Every step's weight, in order. The last one is 100%.
    pub fn weights(&self) -> &[Weight] {
        &self.weights
    }

    /// How many steps there are, the one to 100% included.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Never: a schedule has at least the step to 100%.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// The time from one step to the next.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// The time from the first step to the one to 100%.
    pub fn duration(&self) -> Duration {
        let waits = u32::try_from(self.weights.len().saturating_sub(1)).unwrap_or(u32::MAX);
        self.every.saturating_mul(waits)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let name = given.strip_prefix(PREFIX).unwrap_or(given);
        let unknown = || ScheduleError::Unknown { given: given.to_owned(), nearest: nearest(given) };
        if name == ALL_AT_ONCE {
            return Ok(Self::all_at_once());
        }
        let (linear, share, wait) = if let Some(rest) = name.strip_prefix("Canary") {
            rest.split_once("Percent").map(|(share, wait)| (false, share, wait))
        } else if let Some(rest) = name.strip_prefix("Linear") {
            rest.split_once("PercentEvery").map(|(share, wait)| (true, share, wait))
        } else {
            None
        }
        .ok_or_else(unknown)?;
        let numeric = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !numeric(share) {
            return Err(unknown());
        }
        let refused = || ScheduleError::Share(given.to_owned());
        let share =
            Weight::parse_percent(share).filter(|share| !share.is_zero() && *share != Weight::FULL).ok_or_else(refused)?;
        let (count, unit) = wait.split_at(wait.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(unknown)?);
        let seconds = match unit {
            "Second" | "Seconds" => 1,
            "Minute" | "Minutes" => 60,
            "Hour" | "Hours" => 3600,
            _ => return Err(unknown()),
        };
        if count.is_empty() {
            return Err(unknown());
        }
        // A count too long for a number is a wait that is too long.
        let count: u64 = count.parse().unwrap_or(u64::MAX);
        let every = Duration::from_secs(count.saturating_mul(seconds));
        let weights = if linear { rising(share) } else { vec![share, Weight::FULL] };
        Self::checked(name.to_owned(), weights, every, given)
    }
}

const ALL_AT_ONCE: &str = "AllAtOnce";

/// Multiples of `share` below 100%, then 100%.
fn rising(share: Weight) -> Vec<Weight> {
    let stride = usize::from(share.basis_points());
    let below = (share.basis_points()..Weight::FULL.basis_points()).step_by(stride.max(1));
    below.filter_map(Weight::from_basis_points).chain([Weight::FULL]).collect()
}

fn nearest(given: &str) -> String {
    let bare = given.strip_prefix(PREFIX).unwrap_or(given);
    // Somebody who began well is not sent elsewhere: `Linear10` is nearer to `AllAtOnce` by letters alone.
    let distance = |name: &&str| {
        let (bare, name) = (bare.to_lowercase(), name.to_lowercase());
        let alike = bare.chars().zip(name.chars()).take_while(|(left, right)| left == right).count();
        (Reverse(alike), strsim::damerau_levenshtein(&bare, &name))
    };
    // The list is never empty; the fallback only spares a panic.
    NAMES.iter().copied().min_by_key(distance).unwrap_or("AllAtOnce").to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn percents(text: &str) -> (Vec<String>, u64) {
        let schedule: Schedule = text.parse().unwrap();
        (schedule.weights().iter().map(|weight| weight.percent()).collect(), schedule.every().as_secs())
    }

    #[test]
    fn the_nine_names_give_code_deploys_weights_at_its_times() {
        let tens: Vec<String> = (1..=10).map(|ten| (ten * 10).to_string()).collect();
        let canary = vec!["10".to_owned(), "100".to_owned()];
        let expected = [
            ("AllAtOnce", vec!["100".to_owned()], 0),
            ("Canary10Percent5Minutes", canary.clone(), 300),
            ("Canary10Percent10Minutes", canary.clone(), 600),
            ("Canary10Percent15Minutes", canary.clone(), 900),
            ("Canary10Percent30Minutes", canary, 1800),
            ("Linear10PercentEvery1Minute", tens.clone(), 60),
            ("Linear10PercentEvery2Minutes", tens.clone(), 120),
            ("Linear10PercentEvery3Minutes", tens.clone(), 180),
            ("Linear10PercentEvery10Minutes", tens, 600),
        ];
        assert_eq!(expected.each_ref().map(|row| row.0), NAMES);
        for (name, weights, every) in expected {
            assert_eq!(percents(name), (weights.clone(), every));
            assert_eq!(percents(&format!("{PREFIX}{name}")), (weights, every));
        }
    }

    #[test]
    fn the_grammar_is_open() {
        assert_eq!(percents("Canary5Percent90Seconds"), (vec!["5".into(), "100".into()], 90));
        assert_eq!(percents("Canary2.5Percent1Hour").0[0], "2.5");
        assert_eq!(percents("Linear30PercentEvery2Hours"), (["30", "60", "90", "100"].map(String::from).to_vec(), 7200));
        assert_eq!(percents("Linear50PercentEvery1Minutes").0, ["50", "100"]);
        let steps = [1, 5, 25, 50].map(|percent| Weight::from_basis_points(percent * 100).unwrap());
        let schedule = Schedule::steps(&steps, Duration::from_mins(5)).unwrap();
        assert_eq!(schedule.len(), 5);
        assert_eq!(schedule.weight(5), Weight::FULL);
        assert_eq!(schedule.duration(), Duration::from_mins(20));
    }

    #[test]
    fn a_typo_names_the_nearest() {
        for (typo, meant) in [
            ("Linear10PercentEvery1Minuet", "Linear10PercentEvery1Minute"),
            ("allatonce", "AllAtOnce"),
            ("Canary10Percent5Minutos", "Canary10Percent5Minutes"),
            ("CodeDeployDefault.LambdaCanary10Procent30Minutes", "Canary10Percent30Minutes"),
            ("Linear10", "Linear10PercentEvery1Minute"),
            ("canary", "Canary10Percent5Minutes"),
            ("", "AllAtOnce"),
        ] {
            let error = typo.parse::<Schedule>().unwrap_err();
            assert_eq!(error, ScheduleError::Unknown { given: typo.into(), nearest: meant.into() });
        }
    }

    #[test]
    fn refuses_shares_and_waits_that_mean_nothing() {
        for given in [
            "Canary0Percent5Minutes",
            "Canary100Percent5Minutes",
            "Linear101PercentEvery1Minute",
            "Linear0.001PercentEvery1Minute",
        ] {
            assert!(matches!(given.parse::<Schedule>(), Err(ScheduleError::Share(_))), "{given}");
        }
        for given in ["Linear10PercentEvery0Minutes", "Canary10Percent2881Minutes", "Canary10Percent99999999999999999999Hours"] {
            assert!(matches!(given.parse::<Schedule>(), Err(ScheduleError::Interval(_))), "{given}");
        }
        assert!(matches!("Linear0.5PercentEvery1Minute".parse::<Schedule>(), Err(ScheduleError::TooMany { steps: 200, .. })));
    }

    #[test]
    fn refuses_steps_that_do_not_rise() {
        let weight = |percent: u16| Weight::from_basis_points(percent * 100).unwrap();
        let minute = Duration::from_mins(1);
        assert!(matches!(Schedule::steps(&[weight(5), weight(5)], minute), Err(ScheduleError::Order { .. })));
        assert!(matches!(Schedule::steps(&[weight(0), weight(5)], minute), Err(ScheduleError::Share(_))));
        assert!(matches!(Schedule::steps(&[weight(5)], Duration::ZERO), Err(ScheduleError::Interval(_))));
        assert!(matches!(Schedule::steps(&[weight(5)], Duration::from_millis(1500)), Err(ScheduleError::Interval(_))));
        assert_eq!(Schedule::steps(&[weight(5), weight(100)], minute).unwrap().len(), 2);
    }

    proptest! {
        #[test]
        fn never_panics_and_keeps_its_promises(text in "(Canary|Linear|AllAtOnce|CodeDeployDefault.Lambda)?[0-9.]{0,6}(Percent|PercentEvery)?[0-9]{0,22}(Minute|Hours|\\PC)?s?") {
            if let Ok(schedule) = text.parse::<Schedule>() {
                prop_assert!(schedule.weights().windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert!(!schedule.weights()[0].is_zero());
                prop_assert_eq!(schedule.weights().last(), Some(&Weight::FULL));
                prop_assert!(schedule.len() <= MAX_STEPS);
            }
        }

        #[test]
        fn never_panics_on_any_text(text in "\\PC*") {
            let _ = text.parse::<Schedule>();
        }
    }
}
