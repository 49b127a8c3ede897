//! How far is AWS' clock from this machine's? Bounds on the difference, from the dates of the answers.
//!
//! The rule. This machine counts time by a clock that nobody sets, and so does AWS: the difference between the two is found once, and
//! then it stays. It is found when three answers agree on it, and more agree than disagree; before that, a small one is taken from
//! answers of which none disagrees. Later answers make it more exact. One that disagrees moves nothing, however far it is off,
//! however many there are of them and whatever service they come from, but for two things that happen to clocks:
//! - they drift: what is known widens by a thousandth of the time since it was learned;
//! - this machine sleeps, and the clock that nobody sets with it: then AWS' dates and the clock that a person would read have moved
//!   forward by the same span, and that is taken over.
//!
//! It reads no clock itself, and what the SDK signs requests with is the SDK's own business.

/// What the answers so far say about AWS' clock minus this machine's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skew {
    known: Option<Known>,
    /// What the first answers said, until enough of them agree.
    first: Vec<Bounds>,
}

/// The difference that enough answers have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    bounds: Bounds,
    /// When either bound was learned, by the clock that nobody sets.
    least_at: i64,
    most_at: i64,
    /// How far the clock that a person would read was ahead of that one.
    set: i64,
}

/// The difference lies within these, both included, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    least: i64,
    most: i64,
}

/// One answer: when its request left and when it came in, by the clock that nobody sets, and its `Date`, which is a whole second, as
/// HTTP has it. All are milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dated {
    pub(crate) sent: i64,
    pub(crate) received: i64,
    pub(crate) date: i64,
    /// How far the clock that a person would read is ahead of the one that nobody sets.
    pub(crate) set: i64,
}

impl Skew {
    /// Learns from one answer.
    pub(crate) fn learn(&mut self, answer: Dated) {
        let Dated { sent, received, date, set } = answer;
        // AWS read its clock between the two moments, and cut what it read to the second.
        let newest = Bounds { least: date.saturating_sub(received), most: date.saturating_add(SECOND).saturating_sub(sent) };
        if newest.least > newest.most || !POSSIBLE.contains(&date) {
            return;
        }
        if let Some(known) = &mut self.known {
            return known.learn(newest, received, set);
        }
        self.first.push(newest);
        self.known = agreed(&self.first).map(|bounds| Known { bounds, least_at: received, most_at: received, set });
        if self.known.is_some() {
            self.first.clear();
        } else if self.first.len() == CANDIDATES {
            self.first.remove(0);
        }
    }

    /// Whether enough answers have agreed: from then on time moves forward only.
    pub(crate) fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// The correction to add to this machine's clock, in milliseconds: the smallest that agrees with the answers.
    ///
    /// A clock that may be right is not corrected, so that a rollout's times do not wander with every answer.
    pub(crate) fn offset(&self) -> i64 {
        let bounds = self.known.map(|known| known.bounds).or_else(|| {
            let (first, others) = self.first.split_first()?;
            let all = others.iter().try_fold(*first, |all, one| all.intersect(*one))?;
            // AWS would have refused what a clock further off has signed: so far it is the date that is to be doubted.
            Some(all).filter(|all| all.nearest().abs() <= SIGNED)
        });
        bounds.map_or(0, Bounds::nearest)
    }
}

impl Known {
    fn learn(&mut self, newest: Bounds, at: i64, set: i64) {
        let slept = set.saturating_sub(self.set);
        let moved = Bounds { least: self.bounds.least.saturating_add(slept), most: self.bounds.most.saturating_add(slept) };
        if let Some(both) = self.bounds.intersect(newest).or_else(|| self.drifted(at).intersect(newest)) {
            let least_at = if both.least == newest.least { at } else { self.least_at };
            let most_at = if both.most == newest.most { at } else { self.most_at };
            *self = Self { bounds: both, least_at, most_at, set };
        } else if slept > SECOND && moved.widened(SECOND, SECOND).intersect(newest).is_some() {
            *self = Self { bounds: newest, least_at: at, most_at: at, set };
        }
    }

    /// What may have become of the bounds since each was learned.
    fn drifted(&self, at: i64) -> Bounds {
        let drift = |since: i64| at.saturating_sub(since).max(0) / DRIFT;
        self.bounds.widened(drift(self.least_at), drift(self.most_at))
    }
}

impl Bounds {
    fn intersect(self, other: Self) -> Option<Self> {
        let both = Self { least: self.least.max(other.least), most: self.most.min(other.most) };
        (both.least <= both.most).then_some(both)
    }

    fn widened(self, below: i64, above: i64) -> Self {
        Self { least: self.least.saturating_sub(below), most: self.most.saturating_add(above) }
    }

    fn nearest(self) -> i64 {
        0.clamp(self.least, self.most)
    }
}

/// What most of these agree on, if enough do.
fn agreed(answers: &[Bounds]) -> Option<Bounds> {
    // Those that agree on anything agree on the highest of their lower bounds.
    let at = |point: i64| answers.iter().filter(move |one| (one.least..=one.most).contains(&point));
    let point = answers.iter().map(|one| one.least).max_by_key(|point| at(*point).count())?;
    let together = at(point).count();
    if together < ENOUGH || together * 2 <= answers.len() {
        return None;
    }
    let widest = Bounds { least: i64::MIN, most: i64::MAX };
    at(point).try_fold(widest, |all, one| all.intersect(*one))
}

const SECOND: i64 = 1000;

/// How many answers have to agree before anything rests on them.
const ENOUGH: usize = 3;

/// Of how many answers, the newest, most have to agree.
const CANDIDATES: usize = 8;

/// A clock that gains or loses more than one in a thousand is broken; a poor one has one in ten thousand.
const DRIFT: i64 = 1000;

/// How far a clock may be off for AWS to take what it signs: five minutes with most of its services, fifteen at the most.
const SIGNED: i64 = 15 * 60 * SECOND;

/// 2020 to 2100: no date of AWS' is out of this.
const POSSIBLE: std::ops::Range<i64> = 1_577_836_800_000..4_102_444_800_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_764_000_000_000;
    const HOUR: i64 = 3_600_000;

    /// An answer of an AWS whose clock is `ahead` of ours, stamped `stamped` ms and received `took` ms after it was asked for.
    fn answer(skew: &mut Skew, sent: i64, stamped: i64, took: i64, ahead: i64) {
        let date = (sent + stamped + ahead).div_euclid(SECOND) * SECOND;
        skew.learn(Dated { sent, received: sent + took, date, set: 0 });
    }

    /// One that has agreed with AWS for as long as three answers take.
    fn known(ahead: i64) -> Skew {
        let mut skew = Skew::default();
        for at in 0..3 {
            answer(&mut skew, NOW + at * 1_000 + 500, 10, 20, ahead);
        }
        assert!(skew.is_known());
        skew
    }

    #[test]
    fn knows_nothing_without_an_answer() {
        assert_eq!(Skew::default().offset(), 0);
    }

    #[test]
    fn leaves_a_clock_alone_that_may_be_right() {
        for ahead in [-40, 0, 40] {
            let mut skew = Skew::default();
            // Half a second past a full one, so that neither bound comes near 0.
            answer(&mut skew, NOW + 500, 10, 20, ahead);
            assert_eq!(skew.offset(), 0, "{ahead} ms ahead");
        }
    }

    #[test]
    fn corrects_a_clock_by_no_more_than_is_certain() {
        let learn = |skew: &mut Skew, sent, received, date| {
            skew.learn(Dated { sent: NOW + sent, received: NOW + received, date: NOW + date, set: 0 });
            skew.offset()
        };
        let mut skew = Skew::default();
        assert_eq!(learn(&mut skew, 10_200, 10_300, 25_000), 14_700);
        // A later answer that is stamped at the end of its second tells more.
        assert_eq!(learn(&mut skew, 11_900, 12_000, 26_000), 14_700);
        assert_eq!(learn(&mut skew, 12_050, 12_100, 27_000), 14_900);
        assert_eq!(learn(&mut Skew::default(), 25_200, 25_300, 10_000), -14_200);
    }

    #[test]
    fn a_date_that_jumps_moves_nothing() {
        for ahead in [-90_000, 0, 90_000] {
            for jump in [-8_766 * HOUR, -HOUR, -2_500, 2_500, 60_000, HOUR, 8_766 * HOUR] {
                let mut skew = known(ahead);
                let before = skew.offset();
                // On one answer, on every second one, on all of them for ten minutes.
                for (at, jumps) in [(5, true), (6, false), (7, true), (8, false)].into_iter().chain((9..609).map(|at| (at, true)))
                {
                    answer(&mut skew, NOW + at * 1_000 + 500, 10, 20, ahead + if jumps { jump } else { 0 });
                    assert!((skew.offset() - before).abs() <= at, "{jump} ms at {at} s: {} after {before}", skew.offset());
                }
            }
        }
    }

    #[test]
    fn the_first_answers_count_once_most_of_them_agree() {
        let mut skew = Skew::default();
        // The very first one is wrong by less than would be refused: the second one shows that something is.
        answer(&mut skew, NOW + 500, 10, 20, -60_000);
        assert!((-60_000..=-59_000).contains(&skew.offset()));
        answer(&mut skew, NOW + 1_500, 10, 20, 0);
        assert_eq!((skew.offset(), skew.is_known()), (0, false));
        for at in 2..5 {
            answer(&mut skew, NOW + at * 1_000 + 500, 10, 20, 20_000);
        }
        assert!(skew.is_known() && (19_000..=20_000).contains(&skew.offset()), "{}", skew.offset());

        // One that is wrong by an hour is not believed alone; where all say so, it is the clock that is wrong.
        let mut skew = Skew::default();
        answer(&mut skew, NOW + 500, 10, 20, HOUR);
        assert_eq!(skew.offset(), 0);
        let skew = known(HOUR);
        assert!((HOUR - 1_000..=HOUR).contains(&skew.offset()));
    }

    #[test]
    fn dates_at_random_are_never_believed() {
        let mut skew = Skew::default();
        for at in 0..1_000 {
            answer(&mut skew, NOW + at * 1_000, 10, 20, (at * 7_919 % 1_999 - 1_000) * 86_400);
            assert!(at == 0 || skew.offset() == 0, "{at}");
        }
    }

    #[test]
    fn drift_is_followed_and_no_more() {
        const DRIFT_OF_A_MINUTE: i64 = 60_000 / DRIFT;
        let mut skew = known(0);
        // A clock that loses one second in an hour: 280 in a million.
        for minute in 1..=600 {
            answer(&mut skew, NOW + minute * 60_000, 0, 1, minute * 1_000 / 60);
            let off = skew.offset() - minute * 1_000 / 60;
            assert!(off.abs() <= 1_000 + DRIFT_OF_A_MINUTE, "{off} ms after {minute} minutes");
        }
    }

    #[test]
    fn a_machine_that_has_slept_is_told_by_both_clocks_at_once() {
        let slept = |set: i64, ahead: i64| {
            let mut skew = known(0);
            let sent = NOW + 10_500;
            skew.learn(Dated { sent, received: sent + 20, date: (sent + ahead) / SECOND * SECOND, set });
            skew.offset()
        };
        assert!((HOUR - 1_000..=HOUR).contains(&slept(HOUR, HOUR)));
        // Only somebody who sets a clock, only a date that jumps, or one of them backwards: nothing has slept.
        for (set, ahead) in [(HOUR, 0), (0, HOUR), (-HOUR, -HOUR), (HOUR, 2 * HOUR)] {
            assert_eq!(slept(set, ahead), 0, "{set} {ahead}");
        }
    }

    #[test]
    fn ignores_what_cannot_be() {
        let mut skew = known(30_000);
        let before = skew.clone();
        // Our clock was set back in the meantime.
        skew.learn(Dated { sent: NOW + 60_000, received: NOW + 50_000, date: NOW + 90_000, set: 0 });
        // The year 1, and the year 9999.
        for date in [-62_135_596_800_000, 253_402_300_799_000] {
            skew.learn(Dated { sent: NOW, received: NOW + 1, date, set: 0 });
        }
        assert_eq!(skew, before);
    }

    proptest! {
        /// Whatever the answers, the correction errs towards 0, and by less than a second and the quickest answer's time; a large one
        /// waits for the third answer.
        #[test]
        fn never_corrects_too_much_nor_much_too_little(
            ahead in -100_000_000_i64..100_000_000,
            answers in prop::collection::vec((0_i64..3_600_000, 0_i64..5_000, 0_i64..5_000), 1..20),
        ) {
            let mut skew = Skew::default();
            let mut quickest = i64::MAX;
            for (number, (at, before, after)) in answers.into_iter().enumerate() {
                answer(&mut skew, NOW + at, before, before + after, ahead);
                quickest = quickest.min(before + after);
                let offset = skew.offset();
                prop_assert!(offset.abs() <= ahead.abs());
                prop_assert!(offset == 0 || offset.signum() == ahead.signum());
                let waits = number < 2 && ahead.abs() > SIGNED && offset == 0;
                prop_assert!(waits || (ahead - offset).abs() <= SECOND + quickest, "{offset} for {ahead}");
            }
        }

        /// No date, however mad, overflows.
        #[test]
        fn takes_any_numbers(calls in prop::collection::vec(any::<(i64, i64, i64, i64)>(), 0..8), dates in any::<[i64; 8]>()) {
            let mut skew = Skew::default();
            for ((sent, received, date, set), possible) in calls.into_iter().zip(dates) {
                skew.learn(Dated { sent, received, date, set });
                let date = POSSIBLE.start + possible.rem_euclid(POSSIBLE.end - POSSIBLE.start);
                skew.learn(Dated { sent, received, date, set });
            }
            let _ = skew.offset();
        }
    }
}
