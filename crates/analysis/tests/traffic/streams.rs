//! What would the joined test do with several streams of one rollout's calls? They may fail together, apart, or one within the other.

use analysis::{JoinedTest, Minute, Parameters};

use super::Chance;

/// How the streams' bad calls hang together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Dependence {
    /// Each stream fails by itself.
    None,
    /// A call that is bad in one stream is bad in all.
    Same,
    /// Each stream's bad calls are among those of the one before it, half of them.
    Nested,
    /// As alone, and all but the first are seen two minutes later.
    Lagging,
    /// The same bad calls in all streams, and all but the first are seen two minutes later.
    LaggingSame,
}

pub(crate) const DEPENDENCES: [Dependence; 5] =
    [Dependence::None, Dependence::Same, Dependence::Nested, Dependence::Lagging, Dependence::LaggingSame];

/// A rollout of ten calls a second in ten steps of a minute, judged by so many streams.
pub(crate) struct Streams {
    pub(crate) number: usize,
    pub(crate) dependence: Dependence,
    /// The canary's rate in the last stream; in the others, and stable's in all, `stable_rate`.
    pub(crate) canary_rate: f64,
    pub(crate) stable_rate: f64,
}

const LAG: usize = 2;

impl Streams {
    /// The minute from 1 at whose end each of so many rollouts is rolled back.
    pub(crate) fn noticed(&self, rollouts: u32, seed: u64, parameters: &Parameters) -> Vec<Option<usize>> {
        let mut chance = Chance::new(seed);
        (0..rollouts).map(|_| self.one(&mut chance, parameters)).collect()
    }

    fn one(&self, chance: &mut Chance, parameters: &Parameters) -> Option<usize> {
        let minutes: Vec<Vec<Minute>> = (1..=9_u8).map(|step| self.minute(chance, f64::from(step) / 10.0)).collect();
        let lag = if matches!(self.dependence, Dependence::Lagging | Dependence::LaggingSame) { LAG } else { 0 };
        let mut whole = JoinedTest::new(parameters, self.number).unwrap();
        let looks = (0..minutes.len() + lag).find(|now| {
            // What is counted in all streams by now, and in the first one beyond it.
            let rolled_back =
                now.checked_sub(lag).and_then(|at| minutes.get(at)).is_some_and(|row| fold(&mut whole, row, self.number));
            let mut look = whole.clone();
            let mut ahead = minutes.iter().take(now + 1).skip((now + 1).saturating_sub(lag));
            rolled_back || ahead.any(|row| fold(&mut look, row, 1))
        });
        looks.map(|at| at + 1)
    }

    /// The counts of all streams in a minute.
    fn minute(&self, chance: &mut Chance, weight: f64) -> Vec<Minute> {
        let mut streams: Vec<Minute> = Vec::new();
        for at in 0..self.number {
            let canary_rate = if at + 1 == self.number { self.canary_rate } else { self.stable_rate };
            let next = match (self.dependence, streams.last()) {
                (Dependence::Same | Dependence::LaggingSame, Some(first)) => *first,
                (Dependence::Nested, Some(outer)) => {
                    let half = |chance: &mut Chance, bad: f64| chance.binomial(bad, 0.5);
                    let (canary, stable) = (half(chance, outer.canary_bad()), half(chance, outer.stable_bad()));
                    Minute::new([outer.canary_calls(), canary, outer.stable_calls(), stable]).unwrap()
                }
                (Dependence::None | Dependence::Lagging, _) | (_, None) => {
                    chance.minute(600.0, weight, canary_rate, self.stable_rate)
                }
            };
            streams.push(next);
        }
        streams
    }
}

/// Adds a minute of as many streams as are counted so far; whether that rolls back.
fn fold(test: &mut JoinedTest, row: &[Minute], counted: usize) -> bool {
    let row: Vec<Option<Minute>> = row.iter().copied().map(Some).take(counted).collect();
    test.fold(&row);
    test.rolls_back()
}

/// The median of the minutes in which a rollback was noticed; infinite where that is in none of them.
pub(crate) fn median(noticed: &[Option<usize>]) -> f64 {
    let mut minutes: Vec<f64> = noticed.iter().map(|at| at.map_or(f64::INFINITY, super::count)).collect();
    minutes.sort_by(f64::total_cmp);
    minutes[minutes.len() / 2]
}
