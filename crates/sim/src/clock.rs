//! What time is it for a simulated account, and how does one wait in it? Tokio's time, from a chosen moment, at a chosen speed.
//!
//! Under tokio's paused time it is a test's virtual clock; unpaused it runs `speed` times as fast as the real one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use tokio::time::Instant;

use crate::time::Time;

/// A clock that starts at a chosen moment and runs at a chosen speed; its clones agree.
#[derive(Clone, Copy, Debug)]
pub struct SimClock {
    epoch: SystemTime,
    start: Instant,
    speed: f64,
    /// For how many nanoseconds of real time the account has been at work, during which its time stands still.
    ///
    /// Leaked, so that a clock is a value like any other: eight bytes for each that is made.
    busy: &'static AtomicU64,
}

impl SimClock {
    /// A clock that shows `epoch` now and runs `speed` times as fast as tokio's. A speed that is not above 0 counts as 1.
    pub fn new(epoch: SystemTime, speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        Self { epoch, start: Instant::now(), speed, busy: Box::leak(Box::default()) }
    }

    /// The simulated time.
    pub fn now(&self) -> SystemTime {
        let busy = Duration::from_nanos(self.busy.load(Ordering::Relaxed));
        self.epoch + self.start.elapsed().saturating_sub(busy).mul_f64(self.speed)
    }

    /// Does what takes this machine's time and none of the account's: at a high speed it would never catch up with itself.
    pub(crate) fn standing_still<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        // At the real speed an account keeps up, and the time of day.
        if self.speed > 1.0 {
            let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.busy.fetch_add(took, Ordering::Relaxed);
        }
        done
    }

    /// Waits until `span` of simulated time has passed.
    pub async fn sleep(&self, span: Duration) {
        let until = self.now() + span;
        let mut left = span;
        loop {
            tokio::time::sleep(left.div_f64(self.speed)).await;
            // It may have stood still in the meantime. What is less than the timer can tell apart is over.
            left = until.duration_since(self.now()).unwrap_or_default();
            if left.div_f64(self.speed) < Duration::from_millis(1) {
                return;
            }
        }
    }

    pub(crate) fn time(&self) -> Time {
        self.now().into()
    }
}

impl TimeSource for SimClock {
    fn now(&self) -> SystemTime {
        Self::now(self)
    }
}

impl AsyncSleep for SimClock {
    fn sleep(&self, span: Duration) -> Sleep {
        let clock = *self;
        Sleep::new(async move { Self::sleep(&clock, span).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[tokio::test(start_paused = true)]
    async fn paused_time_passes_only_by_waiting_and_speed_multiplies_it() {
        let epoch = UNIX_EPOCH + Duration::from_secs(1_000);
        let (slow, fast) = (SimClock::new(epoch, 1.0), SimClock::new(epoch, 60.0));
        assert_eq!(slow.now(), epoch);
        fast.sleep(Duration::from_mins(2)).await;
        assert_eq!(slow.now(), epoch + Duration::from_secs(2));
        assert_eq!(fast.now(), epoch + Duration::from_mins(2));
    }

    #[tokio::test]
    async fn work_takes_none_of_the_accounts_time() {
        let clock = SimClock::new(UNIX_EPOCH, 1_000.0);
        let sleeps = clock.sleep(Duration::from_secs(20));
        clock.standing_still(|| std::thread::sleep(Duration::from_millis(100)));
        let before = clock.now();
        assert!(before < UNIX_EPOCH + Duration::from_secs(90), "{before:?}");
        sleeps.await;
        assert!(clock.now() >= before + Duration::from_secs(19));
    }

    #[test]
    fn a_speed_that_makes_no_sense_is_one() {
        for speed in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            assert!((SimClock::new(UNIX_EPOCH, speed).speed - 1.0).abs() < f64::EPSILON, "{speed}");
        }
    }
}
