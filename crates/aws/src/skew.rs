//! How far is AWS' clock from this machine's? Bounds on the difference, from the dates of the answers.
//!
//! It reads no clock itself, and what the SDK signs requests with is the SDK's own business.

/// What the answers so far say about AWS' clock minus this machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skew {
    bounds: Option<Bounds>,
}

/// The difference lies within these, both included, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    least: i64,
    most: i64,
}

impl Skew {
    /// Learns from one answer: when its request left and when it came in, by this machine's clock, and its `Date`.
    ///
    /// All three are milliseconds since the Unix epoch; `date` is a whole second, as HTTP has it.
    pub(crate) fn learn(&mut self, sent: i64, received: i64, date: i64) {
        // AWS read its clock between the two moments, and cut what it read to the second.
        let newest = Bounds { least: date.saturating_sub(received), most: date.saturating_add(SECOND).saturating_sub(sent) };
        if newest.least > newest.most {
            // This machine's clock was set back in the meantime: such an answer says nothing.
            return;
        }
        self.bounds = match self.bounds.map(|known| known.intersect(newest)) {
            Some(Some(both)) => Some(both),
            // Either clock was set since the earlier answers: they say nothing about now.
            Some(None) | None => Some(newest),
        };
    }

    /// The correction to add to this machine's clock, in milliseconds: the smallest that agrees with the answers.
    ///
    /// A clock that may be right is not corrected, so that a rollout's times do not wander with every answer.
    pub(crate) fn offset(self) -> i64 {
        self.bounds.map_or(0, |Bounds { least, most }| 0.clamp(least, most))
    }
}

impl Bounds {
    fn intersect(self, other: Self) -> Option<Self> {
        let both = Self { least: self.least.max(other.least), most: self.most.min(other.most) };
        (both.least <= both.most).then_some(both)
    }
}

const SECOND: i64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An answer of an AWS whose clock is `ahead` of ours, stamped `stamped` ms and received `took` ms after it was asked for.
    fn answer(skew: &mut Skew, sent: i64, stamped: i64, took: i64, ahead: i64) {
        let date = (sent + stamped + ahead).div_euclid(SECOND) * SECOND;
        skew.learn(sent, sent + took, date);
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
            answer(&mut skew, 1_764_000_000_500, 10, 20, ahead);
            assert_eq!(skew.offset(), 0, "{ahead} ms ahead");
        }
    }

    #[test]
    fn corrects_a_clock_by_no_more_than_is_certain() {
        let mut skew = Skew::default();
        skew.learn(10_200, 10_300, 25_000);
        assert_eq!(skew.offset(), 14_700);
        // A later answer that is stamped at the end of its second tells more.
        skew.learn(11_900, 12_000, 26_000);
        assert_eq!(skew.offset(), 14_700);
        skew.learn(12_050, 12_100, 27_000);
        assert_eq!(skew.offset(), 14_900);

        let mut behind = Skew::default();
        behind.learn(25_200, 25_300, 10_000);
        assert_eq!(behind.offset(), -14_200);
    }

    #[test]
    fn starts_over_when_a_clock_was_set() {
        let mut skew = Skew::default();
        answer(&mut skew, 50_500, 10, 20, 0);
        assert_eq!(skew.offset(), 0);
        answer(&mut skew, 60_500, 10, 20, 30_000);
        assert!((29_000..=30_000).contains(&skew.offset()), "{}", skew.offset());
        answer(&mut skew, 70_500, 10, 20, 0);
        assert_eq!(skew.offset(), 0);
    }

    #[test]
    fn ignores_an_answer_during_which_our_clock_was_set_back() {
        let mut skew = Skew::default();
        answer(&mut skew, 50_500, 10, 20, 30_000);
        let before = skew;
        skew.learn(60_000, 50_000, 90_000);
        assert_eq!(skew, before);
    }

    proptest! {
        /// Whatever the answers, the correction errs towards 0, and by less than a second and the quickest answer's time.
        #[test]
        fn never_corrects_too_much_nor_much_too_little(
            ahead in -100_000_000_i64..100_000_000,
            answers in prop::collection::vec((0_i64..3_600_000, 0_i64..5_000, 0_i64..5_000), 1..20),
        ) {
            let mut skew = Skew::default();
            let mut quickest = i64::MAX;
            for (at, before, after) in answers {
                answer(&mut skew, 1_764_000_000_000 + at, before, before + after, ahead);
                quickest = quickest.min(before + after);
                let offset = skew.offset();
                prop_assert!(offset.abs() <= ahead.abs());
                prop_assert!(offset == 0 || offset.signum() == ahead.signum());
                prop_assert!((ahead - offset).abs() <= SECOND + quickest, "{offset} for {ahead}");
            }
        }

        /// No date, however mad, overflows.
        #[test]
        fn takes_any_numbers(calls in prop::collection::vec(any::<(i64, i64, i64)>(), 0..8)) {
            let mut skew = Skew::default();
            for (sent, received, date) in calls {
                skew.learn(sent, received, date);
            }
            let _ = skew.offset();
        }
    }
}
