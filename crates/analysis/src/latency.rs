//! Is the canary slower than stable? The same test on slow invocations, at one limit or two. Does not read or choose the limits.

use crate::evidence::ln_sum;
use crate::minute::Minute;
use crate::parameters::{ParameterError, Parameters};
use crate::test::{Latch, Outlook, Test, Verdict};

/// Slow invocations of one minute, counted at each limit: bad is slow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowMinute {
    /// Against stable's 90th percentile.
    pub p90: Minute,
    /// Against its 99th; `None` where the hour before had fewer than 1,000 calls to take it from.
    pub p99: Option<Minute>,
}

/// The test of a rollout's latency: the mean of the evidence at its limits.
///
/// The first [`LatencyTest::GRACE`] minutes in which the canary has invocations are left out: cold starts. That looks at totals only,
/// so that the promise stands. Runtimes that warm up over many invocations *are* slower at first, and are told to be.
#[derive(Clone, Debug)]
pub struct LatencyTest {
    at_p90: Test,
    at_p99: Option<Test>,
    left_out: u32,
    latch: Latch,
}

impl LatencyTest {
    /// Minutes with invocations of the canary that are left out.
    pub const GRACE: u32 = 2;

    /// The margin at the 90th percentile, as a fraction of invocations.
    pub const MARGIN_P90: f64 = 0.02;

    /// The margin at the 99th percentile, as a fraction of invocations.
    pub const MARGIN_P99: f64 = 0.01;

    /// A test that has seen nothing, at the 90th percentile and, where `with_p99`, the 99th.
    ///
    /// # Errors
    /// A bound on false rollbacks that is not above 0 and below 1.
    pub fn new(alpha: f64, with_p99: bool) -> Result<Self, ParameterError> {
        let at = |margin| Parameters { alpha, ..Parameters::latency(margin) };
        let at_p90 = Test::new(&at(Self::MARGIN_P90))?;
        let at_p99 = if with_p99 { Some(Test::new(&at(Self::MARGIN_P99))?) } else { None };
        Ok(Self { latch: Latch::new(at_p90.parameters()), at_p90, at_p99, left_out: 0 })
    }

    /// Adds the next minute. Where this test has the 99th percentile and the minute does not, it had no invocations there.
    pub fn fold(&mut self, minute: &SlowMinute) {
        if self.left_out < Self::GRACE {
            self.left_out += u32::from(minute.p90.canary_calls() > 0.0);
            return;
        }
        self.at_p90.fold(&minute.p90);
        if let Some(test) = &mut self.at_p99 {
            test.fold(&minute.p99.unwrap_or_default());
        }
        self.latch.see(self.ln_e(), self.slow());
    }

    /// The logarithm of the mean evidence.
    pub fn ln_e(&self) -> f64 {
        match &self.at_p99 {
            None => self.at_p90.ln_e(),
            Some(at_p99) => ln_sum([self.at_p90.ln_e(), at_p99.ln_e()]) - std::f64::consts::LN_2,
        }
    }

    /// The tests at the limits: the 90th percentile's, then the 99th's where there is one. Their own verdicts do not count.
    pub fn tests(&self) -> impl Iterator<Item = &Test> {
        std::iter::once(&self.at_p90).chain(&self.at_p99)
    }

    /// Whether any minute so far ended with enough evidence to roll back. Latched.
    pub const fn rolls_back(&self) -> bool {
        self.latch.ever
    }

    /// What all of it says, in a word. Minutes left out have no invocations here: a canary is without data only after them.
    pub fn verdict(&self, outlook: &Outlook) -> Verdict {
        self.latch.verdict(self.ln_e(), self.at_p90.totals().canary_calls(), outlook)
    }

    /// Slow invocations of the canary: those beyond the lower limit, which the higher one's are among.
    fn slow(&self) -> f64 {
        self.tests().map(|test| test.totals().canary_bad()).fold(0.0, f64::max)
    }
}
