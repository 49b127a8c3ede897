//! Which rollouts must not be rolled back? Good canaries in bad weather.

use analysis::{Minute, Parameters, Test};

use super::Chance;

/// A kind of rollout whose canary is no worse than tolerated.
pub(crate) struct Healthy {
    pub(crate) name: &'static str,
    /// The share that the canary really gets in each minute.
    schedule: fn(&mut Chance) -> Vec<f64>,
    /// Calls of the alias in a minute.
    calls: fn(usize) -> f64,
    /// The canary's rate and stable's in a minute.
    rates: fn(usize, &mut Chance) -> (f64, f64),
    look: Look,
}

/// How the counts come to be seen.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    /// Minute by minute, complete.
    Complete,
    /// By a new process every minute.
    Restarted,
    /// A minute grows for two more, the canary's faster than stable's; every look starts from the first minute again.
    Late,
}

fn linear(_: &mut Chance) -> Vec<f64> {
    (1..=9_u8).map(|step| f64::from(step) / 10.0).collect()
}

fn flat(_: &mut Chance) -> Vec<f64> {
    vec![0.1; 30]
}

/// A split that nobody set: anything, a new one every minute.
fn wild(chance: &mut Chance) -> Vec<f64> {
    (0..10).map(|_| chance.fraction()).collect()
}

/// Ten calls a second in ten steps, one in a hundred of them bad, seen at once.
const USUAL: Healthy = Healthy { name: "", schedule: linear, calls: |_| 600.0, rates: |_, _| (0.01, 0.01), look: Look::Complete };

/// Good canaries of every kind.
pub(crate) const HEALTHY: [Healthy; 12] = [
    Healthy { name: "quiet, 10/s", rates: |_, _| (0.001, 0.001), ..USUAL },
    Healthy { name: "quiet, 1/s, 10% for 30 min", schedule: flat, calls: |_| 60.0, ..USUAL },
    Healthy { name: "quiet, 0.1/s, 5% bad", schedule: flat, calls: |_| 6.0, rates: |_, _| (0.05, 0.05), ..USUAL },
    Healthy { name: "as bad as is tolerated", calls: |_| 60.0, rates: |_, _| (0.013, 0.01), ..USUAL },
    Healthy { name: "ramp of errors with the weight", rates: |at, _| (ramp(at), ramp(at)), ..USUAL },
    Healthy {
        name: "ramp of traffic and errors",
        calls: |at| 6.0 * ramp(at) * 1000.0,
        rates: |at, _| (ramp(at), ramp(at)),
        ..USUAL
    },
    Healthy { name: "shared incident, 30% for 2 min", rates: |at, _| incident(at), ..USUAL },
    Healthy { name: "shared trouble, at random", schedule: flat, rates: |_, chance| stormy(chance), ..USUAL },
    Healthy { name: "wrong real split, in a ramp", schedule: wild, rates: |at, _| (ramp(at), ramp(at)), ..USUAL },
    Healthy { name: "restarted every minute", look: Look::Restarted, ..USUAL },
    Healthy { name: "late data, quiet", calls: |_| 60.0, look: Look::Late, ..USUAL },
    Healthy { name: "late data, shared incident", rates: |at, _| incident(at), look: Look::Late, ..USUAL },
];

fn ramp(at: usize) -> f64 {
    0.001 * 1.8_f64.powf(super::count(at))
}

fn incident(at: usize) -> (f64, f64) {
    let rate = if (3..5).contains(&at) { 0.3 } else { 0.001 };
    (rate, rate)
}

fn stormy(chance: &mut Chance) -> (f64, f64) {
    let rate = 0.5 * chance.fraction().powi(6);
    (rate, rate)
}

impl Healthy {
    /// How many of so many rollouts are rolled back all the same, where that is promised to happen in this part of them at most.
    pub(crate) fn false_rollbacks(&self, rollouts: u32, seed: u64, alpha: f64) -> u32 {
        let mut chance = Chance::new(seed);
        let parameters = Parameters { alpha, ..Parameters::default() };
        (0..rollouts).map(|_| u32::from(self.is_rolled_back(&mut chance, &parameters))).sum()
    }

    fn is_rolled_back(&self, chance: &mut Chance, parameters: &Parameters) -> bool {
        let schedule = (self.schedule)(chance);
        let mut arrivals = Vec::new();
        for (at, weight) in schedule.iter().enumerate() {
            let (canary_rate, stable_rate) = (self.rates)(at, chance);
            let calls = (self.calls)(at);
            // What is seen at once, a minute later, and after two minutes.
            let portions: &[(f64, f64)] =
                if self.look == Look::Late { &[(0.6, 0.4), (0.3, 0.4), (0.1, 0.2)] } else { &[(1.0, 1.0)] };
            let portion = |(canary, stable): &(f64, f64)| {
                let seen = calls * (weight * canary + (1.0 - weight) * stable);
                chance.minute(seen, calls * weight * canary / seen, canary_rate, stable_rate)
            };
            arrivals.push(portions.iter().map(portion).collect::<Vec<Minute>>());
        }
        if self.look == Look::Complete {
            let minutes: Vec<Minute> = arrivals.concat();
            return Test::of(parameters, &minutes).unwrap().rolls_back();
        }
        // A last look finds everything there.
        (0..schedule.len() + 2).any(|now| Test::of(parameters, &seen(&arrivals, now)).unwrap().rolls_back())
    }
}

/// The minutes as they look at the end of minute `now`.
fn seen(arrivals: &[Vec<Minute>], now: usize) -> Vec<Minute> {
    let arrived = |(at, portions): (usize, &Vec<Minute>)| {
        let seen = portions.iter().take(now + 1 - at);
        let sum = |of: fn(&Minute) -> f64| seen.clone().map(of).sum::<f64>();
        Minute::new([sum(Minute::canary_calls), sum(Minute::canary_bad), sum(Minute::stable_calls), sum(Minute::stable_bad)])
            .unwrap()
    };
    arrivals.iter().enumerate().take(now + 1).map(arrived).collect()
}
