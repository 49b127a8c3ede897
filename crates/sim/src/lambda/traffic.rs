//! When is the next synthetic invocation? Random arrivals at each alias and at the function itself; `invoke` runs them.

use std::collections::BTreeMap;

use super::behaviour::Behaviour;
use super::function::{Function, Qualified};
use crate::time::Time;

#[derive(Debug, Default)]
pub(crate) struct Traffic {
    streams: Vec<Stream>,
    disturbed: bool,
}

/// The callers of one alias, or of a function itself.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) function: String,
    pub(crate) through: Qualified,
    rate: f64,
    /// Microseconds since the epoch: fast callers come several times within a millisecond.
    next: i64,
}

impl Traffic {
    /// Says that aliases or rates may have changed.
    pub(crate) fn disturb(&mut self) {
        self.disturbed = true;
    }

    /// The time and place of the earliest call to come.
    pub(crate) fn next(
        &mut self,
        now: Time,
        functions: &BTreeMap<String, Function>,
        rng: &mut fastrand::Rng,
    ) -> Option<(Time, usize)> {
        if std::mem::take(&mut self.disturbed) {
            self.rebuild(now, functions, rng);
        }
        let (place, stream) = self.streams.iter().enumerate().min_by_key(|(_, stream)| stream.next)?;
        Some((Time::from_millis(stream.next.div_euclid(1_000)), place))
    }

    /// The stream that calls now; its next call is drawn.
    pub(crate) fn call(&mut self, place: usize, rng: &mut fastrand::Rng) -> Option<&Stream> {
        let stream = self.streams.get_mut(place)?;
        stream.next += gap(stream.rate, rng);
        Some(stream)
    }

    fn rebuild(&mut self, now: Time, functions: &BTreeMap<String, Function>, rng: &mut fastrand::Rng) {
        let mut before = std::mem::take(&mut self.streams);
        for function in functions.values() {
            let Behaviour { traffic, direct, .. } = &function.latest.serving;
            let aliases = function.aliases.keys().map(|alias| (Qualified::Alias(alias.clone()), *traffic));
            for (through, rate) in aliases.chain([(Qualified::Latest, *direct)]).filter(|(_, rate)| *rate > 0.0) {
                let same = |stream: &Stream| {
                    stream.function == function.name && stream.through == through && stream.rate.total_cmp(&rate).is_eq()
                };
                let stream = match before.iter().position(same) {
                    Some(place) => before.swap_remove(place),
                    None => {
                        Stream { function: function.name.clone(), through, rate, next: now.as_millis() * 1_000 + gap(rate, rng) }
                    }
                };
                self.streams.push(stream);
            }
        }
    }
}

/// The time to the next of many independent callers, in microseconds: exponentially distributed.
fn gap(rate: f64, rng: &mut fastrand::Rng) -> i64 {
    let micros = -(1.0 - rng.f64()).ln() / rate * 1_000_000.0;
    #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, and centuries are long enough")]
    let micros = micros as i64;
    micros.clamp(1, 1 << 50)
}
