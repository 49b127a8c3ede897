//! What can a schedule see? Foretells, from yesterday's traffic, what the test would notice, and when. Looks at no rollout.
//!
//! Figures to plan by, not promises: traffic is taken to be even and errors to be independent. All of them are computed with
//! the test itself, on fractional counts that follow the schedule.

use crate::minute::Minute;
use crate::parameters::{ParameterError, Parameters, within};
use crate::test::Test;

/// A part of a schedule: a weight, and how long it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    weight: f64,
    minutes: f64,
}

/// What an alias is used to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traffic {
    calls_per_minute: f64,
    stable_rate: f64,
}

/// What has been seen by the end of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sight {
    /// Invocations that the canary gets in this step.
    pub canary_calls: f64,
    /// The smallest rate of bad invocations, 0 to 1, that is noticed with 95% probability from the first step to the end of this
    /// one; `None` where even a canary that answers nothing well may go unnoticed.
    pub smallest: Option<f64>,
}

/// What a bad canary costs before it is noticed, or until the schedule ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Notice {
    /// Minutes from the first share until it is noticed, as a typical case; `None` where it is not.
    pub minutes: Option<f64>,
    /// Invocations of the canary by then.
    pub canary_calls: f64,
    /// Bad ones among them.
    pub canary_bad: f64,
}

impl Step {
    /// A step with the canary's share as a fraction, for at most 100,000 minutes.
    ///
    /// # Errors
    /// A weight that is no fraction; a negative or endless time.
    pub fn new(weight: f64, minutes: f64) -> Result<Self, ParameterError> {
        up_to("weight", weight, 1.0)?;
        up_to("time of a step in minutes", minutes, 1e5)?;
        Ok(Self { weight, minutes })
    }
}

impl Traffic {
    /// Invocations of the alias a minute, at most 10⁹, and the part of them that is bad as things are.
    ///
    /// # Errors
    /// A negative number, too many invocations, a rate that is no fraction.
    pub fn new(calls_per_minute: f64, stable_rate: f64) -> Result<Self, ParameterError> {
        up_to("number of invocations per minute", calls_per_minute, 1e9)?;
        up_to("rate of failed invocations", stable_rate, 1.0)?;
        Ok(Self { calls_per_minute, stable_rate })
    }
}

/// Minutes at a weight until a canary that is `times` as bad as stable is noticed, roughly: the evidence that is missing over
/// what a minute brings. `None` where a minute brings nothing: no invocations, no bad ones, a weight of 0 or 1, `times` not above 1.
pub fn minutes_to_see(parameters: &Parameters, traffic: &Traffic, weight: f64, times: f64) -> Option<f64> {
    let (alone, others) = (weight, 1.0 - weight);
    let bad_a_minute = traffic.calls_per_minute * traffic.stable_rate * (others + alone * times);
    // Of the bad invocations, the part that is the canary's.
    let part = alone * times / (others + alone * times);
    let surprise = part * (part / alone).ln() + (1.0 - part) * ((1.0 - part) / others).ln();
    let gained = bad_a_minute * surprise;
    let first_bet = f64::from(parameters.bets()) / parameters.start;
    (times > 1.0 && gained > 0.0 && gained.is_finite()).then(|| (first_bet.ln() + parameters.ln_threshold()) / gained)
}

/// What is seen by the end of each step.
///
/// # Errors
/// Parameters that make no sense.
pub fn sights(parameters: &Parameters, steps: &[Step], traffic: &Traffic) -> Result<Vec<Sight>, ParameterError> {
    let test = Test::new(parameters)?;
    let sight = |index: usize, step: &Step| {
        let path = Path::of(steps.get(..=index).unwrap_or_default(), traffic, COARSE);
        Sight { canary_calls: traffic.calls_per_minute * step.weight * step.minutes, smallest: path.smallest(&test, traffic) }
    };
    Ok(steps.iter().enumerate().map(|(index, step)| sight(index, step)).collect())
}

/// When a canary with this rate of bad invocations, a fraction, is noticed, and what that costs.
///
/// # Errors
/// Parameters that make no sense; a rate that is no fraction.
pub fn notice(parameters: &Parameters, steps: &[Step], traffic: &Traffic, canary_rate: f64) -> Result<Notice, ParameterError> {
    up_to("canary's rate of failed invocations", canary_rate, 1.0)?;
    let mut test = Test::new(parameters)?;
    let path = Path::of(steps, traffic, FINE);
    let mut passed = 0.0;
    for piece in &path.pieces {
        passed += piece.minutes;
        test.fold(&piece.minute(canary_rate, traffic.stable_rate));
        if test.rolls_back() {
            break;
        }
    }
    let (canary_calls, canary_bad) = (test.totals().canary_calls(), test.totals().canary_bad());
    Ok(Notice { minutes: test.rolls_back().then_some(passed), canary_calls, canary_bad })
}

/// The invocations of a schedule, piece by piece.
struct Path {
    pieces: Vec<Piece>,
}

struct Piece {
    minutes: f64,
    canary_calls: f64,
    stable_calls: f64,
}

impl Path {
    /// Every step in pieces of a minute, or in as many longer ones as may be.
    fn of(steps: &[Step], traffic: &Traffic, most_pieces: u16) -> Self {
        let mut pieces = Vec::new();
        for step in steps.iter().filter(|step| step.minutes > 0.0) {
            let number = (1..most_pieces).find(|number| f64::from(*number) >= step.minutes).unwrap_or(most_pieces);
            let minutes = step.minutes / f64::from(number);
            let calls = traffic.calls_per_minute * minutes;
            let (canary_calls, stable_calls) = (calls * step.weight, calls * (1.0 - step.weight));
            pieces.extend((0..number).map(|_| Piece { minutes, canary_calls, stable_calls }));
        }
        Self { pieces }
    }

    /// The smallest rate of the canary's that is noticed often enough.
    fn smallest(&self, test: &Test, traffic: &Traffic) -> Option<f64> {
        let (canary_calls, stable_calls) = self.informative();
        let needed: Vec<f64> = (0..QUANTILES)
            .filter_map(|index| {
                let quantile = (f64::from(index) + 0.5) / f64::from(QUANTILES);
                let stable_bad = poisson_quantile(stable_calls * traffic.stable_rate, quantile).min(stable_calls);
                self.bad_to_notice(test, canary_calls, stable_bad / stable_calls)
            })
            .collect();
        let alike = self.alike();
        let noticed = |rate: f64| {
            let chances = needed.iter().map(|bad| poisson_at_least(canary_calls * rate * alike, bad * alike));
            chances.sum::<f64>() / f64::from(QUANTILES) >= OFTEN_ENOUGH
        };
        if !noticed(1.0) {
            return None;
        }
        // Halves the logarithm of the range, which spans twelve powers of ten.
        let (mut below, mut above) = (1e-12_f64, 1.0_f64);
        for _ in 0..20 {
            let middle = (below * above).sqrt();
            if noticed(middle) { above = middle } else { below = middle }
        }
        Some(above)
    }

    /// The canary's and stable's invocations where both have some: elsewhere nothing is learnt.
    fn informative(&self) -> (f64, f64) {
        let both = self.pieces.iter().filter(|piece| piece.is_informative());
        both.fold((0.0, 0.0), |sum, piece| (sum.0 + piece.canary_calls, sum.1 + piece.stable_calls))
    }

    /// How much fewer bad invocations would be as much a matter of luck if all weighed alike, 0 to 1.
    ///
    /// A bad call at a small weight tells more than one at a large weight, so that it matters where the few of them fall. The
    /// mean of what they weigh, squared, over the mean of the squares; a call weighs about `ln(1/w)`.
    fn alike(&self) -> f64 {
        let (mut calls, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for piece in self.pieces.iter().filter(|piece| piece.is_informative()) {
            let worth = (piece.stable_calls / piece.canary_calls).ln_1p();
            calls += piece.canary_calls;
            sum += piece.canary_calls * worth;
            squares += piece.canary_calls * worth * worth;
        }
        if squares > 0.0 { (sum * sum / (calls * squares)).min(1.0) } else { 1.0 }
    }

    /// The least whole number of bad invocations, spread evenly over the canary's, that rolls back; `None` where none does.
    fn bad_to_notice(&self, test: &Test, canary_calls: f64, stable_rate: f64) -> Option<f64> {
        let rolls_back = |bad: f64| {
            let mut test = test.clone();
            // Where more invocations came than usual, all of them bad, the invocations are the bad ones.
            let more = (bad / canary_calls).max(1.0);
            let informative = self.pieces.iter().filter(|piece| piece.is_informative());
            informative
                .map(|piece| piece.more(more))
                .for_each(|it| test.fold(&it.minute(bad / canary_calls / more, stable_rate)));
            test.rolls_back()
        };
        let (mut below, mut above) = (0.0, (canary_calls + 10.0 * canary_calls.sqrt() + 10.0).ceil());
        if canary_calls <= 0.0 || !rolls_back(above) {
            return None;
        }
        while above - below > 1.0 {
            let middle = f64::midpoint(below, above).floor();
            if rolls_back(middle) { above = middle } else { below = middle }
        }
        Some(above)
    }
}

impl Piece {
    fn is_informative(&self) -> bool {
        self.canary_calls > 0.0 && self.stable_calls > 0.0
    }

    /// The same with so many times as many invocations of the canary.
    fn more(&self, times: f64) -> Self {
        Self { minutes: self.minutes, canary_calls: self.canary_calls * times, stable_calls: self.stable_calls }
    }

    /// Its counts with these rates.
    fn minute(&self, canary_rate: f64, stable_rate: f64) -> Minute {
        let bad = |calls: f64, rate: f64| (calls * rate).min(calls);
        let (canary_bad, stable_bad) = (bad(self.canary_calls, canary_rate), bad(self.stable_calls, stable_rate));
        // Calls and rates were checked one by one; a product of them is a count.
        Minute::new([self.canary_calls, canary_bad, self.stable_calls, stable_bad]).unwrap_or_default()
    }
}

fn up_to(name: &str, value: f64, most: f64) -> Result<(), ParameterError> {
    within(name, value, |it| (0.0..=most).contains(&it), &format!("between 0 and {most}"))
}

/// The chance of `count` events or more where `mean` are usual. Between whole numbers, what lies between their chances.
fn poisson_at_least(mean: f64, count: f64) -> f64 {
    let (whole, part) = (count.floor(), count.fract());
    let chance = whole_at_least(mean, whole);
    if part > 0.0 { chance + part * (whole_at_least(mean, whole + 1.0) - chance) } else { chance }
}

fn whole_at_least(mean: f64, count: f64) -> f64 {
    if count <= 0.0 {
        return 1.0;
    }
    if mean > 500.0 {
        // Wilson and Hilferty: the cube root of a gamma variable is almost normal.
        return normal_below(3.0 * count.sqrt() * ((mean / count).cbrt() - 1.0 + 1.0 / (9.0 * count)));
    }
    let (mut term, mut fewer, mut events) = ((-mean).exp(), 0.0, 0.0);
    while events < count && (events <= mean || term > 1e-18) {
        fewer += term;
        events += 1.0;
        term *= mean / events;
    }
    (1.0 - fewer).clamp(0.0, 1.0)
}

/// The least number of events that is reached or stayed below with this probability.
fn poisson_quantile(mean: f64, probability: f64) -> f64 {
    let (mut below, mut above) = (-1.0, (mean + 10.0 * mean.sqrt() + 10.0).ceil());
    while above - below > 1.0 {
        let middle = f64::midpoint(below, above).floor();
        if 1.0 - poisson_at_least(mean, middle + 1.0) >= probability { above = middle } else { below = middle }
    }
    above
}

/// The part of a standard normal distribution below `at`, to about 10⁻⁷: Abramowitz and Stegun, 26.2.17.
fn normal_below(at: f64) -> f64 {
    let near = 1.0 / (1.0 + 0.231_641_9 * at.abs());
    let series = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530];
    let sum = series.iter().fold(0.0, |sum, factor| (sum + factor) * near);
    let beyond = (-at * at / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum;
    if at > 0.0 { 1.0 - beyond } else { beyond }
}

/// How probably a regression has to be noticed for a schedule to be said to see it.
const OFTEN_ENOUGH: f64 = 0.95;

/// Stable's bad invocations are taken at so many quantiles: its luck matters less than the canary's.
const QUANTILES: u8 = 7;

/// Pieces of a step where a schedule is gone through hundreds of times.
const COARSE: u16 = 10;

/// Pieces of a step where it is gone through once: minutes, up to two days of them.
const FINE: u16 = 2880;
