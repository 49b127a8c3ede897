//! What would the test do on many rollouts? Seeded traffic, the known answers, and how near to them one came. Judges nothing else.

pub(crate) mod healthy;
pub(crate) mod rules;
pub(crate) mod streams;

use analysis::{Minute, Parameters, Test};
use serde_json::Value;

/// A seeded source of counts.
pub(crate) struct Chance(fastrand::Rng);

/// What happened to many rollouts of one kind.
#[derive(Default)]
pub(crate) struct Tally {
    /// The minute, from 1, in which each was rolled back; `None` where it was not.
    pub(crate) minutes: Vec<Option<usize>>,
    /// The canary's bad calls by then, or in all.
    pub(crate) bad: Vec<f64>,
}

/// A known answer, for both bounds that it is known for.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) schedule: Vec<f64>,
    pub(crate) calls_per_minute: f64,
    pub(crate) stable_rate: f64,
    pub(crate) canary_rate: f64,
    pub(crate) healthy: bool,
    pub(crate) rollouts: f64,
    answers: Value,
}

/// The bounds on false rollbacks that answers are known for.
pub(crate) const ALPHAS: [f64; 2] = [0.01, 0.05];

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A fraction from 0 to 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.0.f64()
    }

    /// How many events where `mean` are usual: by multiplication below 30, by transformed rejection (Hörmann 1993) above.
    pub(crate) fn poisson(&mut self, mean: f64) -> f64 {
        if mean < 30.0 {
            let (limit, mut product, mut events) = ((-mean).exp(), self.fraction(), 0.0);
            while product > limit {
                product *= self.fraction();
                events += 1.0;
            }
            return events;
        }
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.024_83 * b;
        let (inverse, squeeze) = (1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2.0));
        loop {
            let (u, v) = (self.fraction() - 0.5, self.fraction());
            let side = 0.5 - u.abs();
            let events = ((2.0 * a / side + b) * u + mean + 0.43).floor();
            if side >= 0.07 && v <= squeeze {
                return events;
            }
            if events < 0.0 || (side < 0.013 && v > side) {
                continue;
            }
            if (v * inverse / (a / (side * side) + b)).ln() <= events * mean.ln() - mean - ln_factorial(events) {
                return events;
            }
        }
    }

    /// A minute of Poisson traffic, routed and failing at random. Parts of a Poisson number are Poisson numbers of their own.
    pub(crate) fn minute(&mut self, calls: f64, weight: f64, canary_rate: f64, stable_rate: f64) -> Minute {
        let canary_bad = self.poisson(calls * weight * canary_rate);
        let canary_good = self.poisson(calls * weight * (1.0 - canary_rate));
        let stable_bad = self.poisson(calls * (1.0 - weight) * stable_rate);
        let stable_good = self.poisson(calls * (1.0 - weight) * (1.0 - stable_rate));
        Minute::new([canary_bad + canary_good, canary_bad, stable_bad + stable_good, stable_bad]).unwrap()
    }
}

/// Stirling's series; exact enough from 0 on, where it is shifted up first.
pub(crate) fn ln_factorial(number: f64) -> f64 {
    if number < 10.0 {
        return ln_factorial(number + 1.0) - (number + 1.0).ln();
    }
    let series = 1.0 / (12.0 * number) - 1.0 / (360.0 * number.powi(3)) + 1.0 / (1260.0 * number.powi(5));
    (number + 0.5) * number.ln() - number + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

impl Row {
    /// All known answers.
    pub(crate) fn all() -> Vec<Self> {
        let all: Value = serde_json::from_str(include_str!("../data/known-answers.json")).unwrap();
        all["rows"].as_array().unwrap().iter().map(Self::read).collect()
    }

    fn read(row: &Value) -> Self {
        let linear = |each: usize| (1..=9_u8).flat_map(|step| std::iter::repeat_n(f64::from(step) / 10.0, each)).collect();
        let number = |name: &str| row[name].as_f64().unwrap();
        let schedule = match row["schedule"].as_str().unwrap() {
            "L1" => linear(1),
            "L10" => linear(10),
            "C10" => vec![0.1; 10],
            "C30" => vec![0.1; 30],
            unknown => panic!("no schedule is called {unknown}"),
        };
        let (rps, stable_rate, canary_rate) =
            (number("requests_per_second"), number("stable_error_rate"), number("candidate_error_rate"));
        Self {
            name: format!(
                "{:>3} {rps:>6}/s {:>6.2}% {:>6.2}%",
                row["schedule"].as_str().unwrap(),
                stable_rate * 100.0,
                canary_rate * 100.0
            ),
            schedule,
            calls_per_minute: rps * 60.0,
            stable_rate,
            canary_rate,
            healthy: row["kind"].as_str().unwrap().starts_with("null"),
            rollouts: number("rollouts"),
            answers: row["alpha"].clone(),
        }
    }

    /// Plays rollouts, each judged with both bounds.
    pub(crate) fn play(&self, rollouts: u32, seed: u64) -> [Tally; 2] {
        let mut chance = Chance::new(seed);
        let mut tallies = [Tally::default(), Tally::default()];
        for _ in 0..rollouts {
            let minutes: Vec<Minute> = self
                .schedule
                .iter()
                .map(|weight| chance.minute(self.calls_per_minute, *weight, self.canary_rate, self.stable_rate))
                .collect();
            for (tally, alpha) in tallies.iter_mut().zip(ALPHAS) {
                tally.judge(&Parameters { alpha, ..Parameters::default() }, &minutes);
            }
        }
        tallies
    }

    /// What is known for this bound.
    pub(crate) fn answer(&self, alpha: f64, name: &str) -> Option<f64> {
        self.answers[&alpha.to_string()][name].as_f64()
    }

    /// Between which bounds the part that is noticed lies with 95% confidence, as far as is known.
    pub(crate) fn interval(&self, alpha: f64) -> (f64, f64) {
        let ends = &self.answers[&alpha.to_string()]["ci95"];
        (ends[0].as_f64().unwrap(), ends[1].as_f64().unwrap())
    }

    /// How far the part that was noticed is from what is known, in standard deviations of both simulations together.
    pub(crate) fn distance(&self, alpha: f64, tally: &Tally) -> f64 {
        let known = self.answer(alpha, "detect").unwrap();
        // Both together, and two of each kind more, so that no rate is taken to be impossible.
        let pooled = (known * self.rollouts + tally.detected() + 2.0) / (self.rollouts + tally.rollouts() + 4.0);
        (tally.rate() - known).abs() / (pooled * (1.0 - pooled) * self.sampling(tally)).sqrt()
    }

    fn sampling(&self, tally: &Tally) -> f64 {
        1.0 / tally.rollouts() + 1.0 / self.rollouts
    }

    /// How a tally differs from what is known, by more than five standard deviations of both simulations together.
    pub(crate) fn complaints(&self, alpha: f64, tally: &Tally) -> Vec<String> {
        let mut found = Vec::new();
        let sampling = self.sampling(tally);
        if self.distance(alpha, tally) > 5.0 {
            found.push(format!("{} at {alpha}: noticed in {}, known otherwise", self.name, tally.rate()));
        }
        for (name, part) in [("minute_q10", 0.1_f64), ("minute_median", 0.5), ("minute_q90", 0.9)] {
            let known = self.answer(alpha, name);
            let spread = 5.0 * (part * (1.0 - part) * sampling).sqrt();
            let reached = known.is_none_or(|minute| tally.by(minute) >= part - spread);
            let before = tally.by(known.map_or(f64::INFINITY, |minute| minute - 1.0));
            if !reached || before >= part + spread {
                found.push(format!("{} at {alpha}: {name} is not {known:?}", self.name));
            }
        }
        let (mean, deviation) = tally.mean_bad();
        let known = self.answer(alpha, "mean_bad").unwrap();
        if (mean - known).abs() > 5.0 * deviation * sampling.sqrt() {
            found.push(format!("{} at {alpha}: {mean} failed calls, known {known}", self.name));
        }
        found
    }
}

impl Tally {
    /// Goes through one rollout's minutes until it is rolled back.
    pub(crate) fn judge(&mut self, parameters: &Parameters, minutes: &[Minute]) {
        let mut test = Test::new(parameters).unwrap();
        let noticed = minutes.iter().position(|minute| {
            test.fold(minute);
            test.rolls_back()
        });
        self.minutes.push(noticed.map(|index| index + 1));
        self.bad.push(test.totals().canary_bad());
    }

    pub(crate) fn rollouts(&self) -> f64 {
        count(self.minutes.len())
    }

    pub(crate) fn detected(&self) -> f64 {
        count(self.minutes.iter().flatten().count())
    }

    pub(crate) fn rate(&self) -> f64 {
        self.detected() / self.rollouts()
    }

    /// The part that was rolled back by this minute.
    pub(crate) fn by(&self, minute: f64) -> f64 {
        count(self.minutes.iter().flatten().filter(|found| count(**found) <= minute).count()) / self.rollouts()
    }

    /// Bad calls: their mean and their standard deviation.
    pub(crate) fn mean_bad(&self) -> (f64, f64) {
        let mean = self.bad.iter().sum::<f64>() / self.rollouts();
        let square = self.bad.iter().map(|bad| (bad - mean).powi(2)).sum::<f64>() / self.rollouts();
        (mean, square.sqrt())
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2⁵³ rollouts")]
pub(crate) fn count(number: usize) -> f64 {
    number as f64
}
