//! What do the counts so far say of the rollout? Folds minutes, latches a failure, gives the verdict. Acts on nothing.

use std::fmt;

use crate::evidence::{Evidence, Weighed};
use crate::minute::Minute;
use crate::parameters::{ParameterError, Parameters};

/// The test of one rollout, minute by minute.
///
/// # Guarantees
/// - A canary that is no worse than tolerated is rolled back with a probability of at most `α · share`, however often one looks.
/// - Folding minutes one by one is the same, to the last bit, as folding them all again from the first one.
/// - Once a minute has ended with enough evidence, [`Test::rolls_back`] stays true, whatever follows.
/// - Minutes in which the canary had no call change nothing that a closed bucket said, and a bucket without a bad invocation of the
///   canary never raises the evidence.
#[derive(Clone, Debug)]
pub struct Test {
    pub(crate) parameters: Parameters,
    pub(crate) evidence: Evidence,
    pub(crate) totals: Minute,
    latch: Latch,
}

/// Has there ever been enough to roll back? Shared by every kind of test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latch {
    ln_threshold: f64,
    min_canary_bad: f64,
    ln_hold: f64,
    now: bool,
    pub(crate) ever: bool,
}

/// What the counts say of the rollout, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Nothing speaks against the canary, and there was enough to see.
    Pass,
    /// Suspicious: do not raise the weight. How long that may go on, at most, is the caller's to count.
    Hold,
    /// The canary is worse than tolerated. Latched: it outranks every other verdict and no later minute takes it back.
    RollBack,
    /// The canary has no invocations although it should have: its share does not arrive, or is not counted. Never a pass.
    NoData,
    /// Too few calls to see anything but a dead canary.
    LowPower,
}

/// How many invocations the canary should have had, as far as the caller knows. The test itself needs neither.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outlook {
    /// Invocations due by now: the sum of weight × invocations of the alias over the finished minutes. `None` where no weight is known:
    /// then a canary without invocations is without data at once.
    pub due: Option<f64>,
    /// Invocations in the whole rollout, past and to come. `None` where that is not known: then those so far count.
    pub in_all: Option<f64>,
}

/// The invocations due from which a canary without any is without data.
const DUE: f64 = 10.0;

/// The invocations in a whole rollout below which only a dead canary can be seen.
const FEW: f64 = 30.0;

impl Test {
    /// A test that has seen nothing yet.
    ///
    /// # Errors
    /// Parameters that make no sense.
    pub fn new(parameters: &Parameters) -> Result<Self, ParameterError> {
        parameters.check()?;
        Ok(Self {
            parameters: parameters.clone(),
            evidence: Evidence::new(parameters),
            totals: Minute::default(),
            latch: Latch::new(parameters),
        })
    }

    /// A test that has seen these minutes, from the one in which the rollout began, in order; one without data is all zero.
    ///
    /// # Errors
    /// Parameters that make no sense.
    pub fn of(parameters: &Parameters, minutes: &[Minute]) -> Result<Self, ParameterError> {
        let mut test = Self::new(parameters)?;
        for minute in minutes {
            test.fold(minute);
        }
        Ok(test)
    }

    /// Adds the next minute. One that is not over yet may be added to a clone, and the test is as it stands now.
    pub fn fold(&mut self, minute: &Minute) {
        self.evidence.fold(minute);
        self.totals = self.totals.plus(minute);
        self.latch.see(self.evidence.ln_e(), self.totals.canary_bad());
    }

    /// `ln E`: the evidence against the canary, as a natural logarithm. 0 at first; below 0 it speaks for the canary.
    pub fn ln_e(&self) -> f64 {
        self.evidence.ln_e()
    }

    /// The evidence in its parts.
    pub fn weighed(&self) -> Weighed {
        self.evidence.weighed()
    }

    /// All minutes together.
    pub const fn totals(&self) -> &Minute {
        &self.totals
    }

    /// What the test was made with.
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Whether the last minute alone would roll back.
    pub const fn rolls_back_now(&self) -> bool {
        self.latch.now
    }

    /// Whether any minute so far ended with enough evidence to roll back. Latched.
    pub const fn rolls_back(&self) -> bool {
        self.latch.ever
    }

    /// What all of it says, in a word.
    pub fn verdict(&self, outlook: &Outlook) -> Verdict {
        self.latch.verdict(self.ln_e(), self.totals.canary_calls(), outlook)
    }
}

impl Latch {
    pub(crate) fn new(parameters: &Parameters) -> Self {
        Self {
            ln_threshold: parameters.ln_threshold(),
            min_canary_bad: parameters.min_canary_bad,
            ln_hold: parameters.hold_at.ln(),
            now: false,
            ever: false,
        }
    }

    /// A minute ended with this evidence, and this many bad invocations of the canary in all.
    pub(crate) fn see(&mut self, ln_e: f64, canary_bad: f64) {
        self.now = ln_e >= self.ln_threshold && canary_bad >= self.min_canary_bad;
        self.ever |= self.now;
    }

    pub(crate) fn verdict(&self, ln_e: f64, canary_calls: f64, outlook: &Outlook) -> Verdict {
        let silent = canary_calls <= 0.0 && outlook.due.is_none_or(|due| due >= DUE);
        let few = outlook.in_all.unwrap_or(0.0).max(canary_calls) < FEW;
        match (self.ever, ln_e >= self.ln_hold, silent, few) {
            (true, ..) => Verdict::RollBack,
            (false, true, ..) => Verdict::Hold,
            (false, false, true, _) => Verdict::NoData,
            (false, false, false, true) => Verdict::LowPower,
            (false, false, false, false) => Verdict::Pass,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Hold => "hold",
            Self::RollBack => "roll_back",
            Self::NoData => "no_data",
            Self::LowPower => "low_power",
        })
    }
}
