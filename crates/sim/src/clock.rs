//! What time is it for a simulated account, and how does one wait in it? Tokio's time, from a chosen moment, at a chosen speed.
//!
//! Under tokio's paused time it is a test's virtual clock; unpaused it runs `speed` times as fast as the real one.

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
}

impl SimClock {
    /// A clock that shows `epoch` now and runs `speed` times as fast as tokio's. A speed that is not above 0 counts as 1.
    pub fn new(epoch: SystemTime, speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        Self { epoch, start: Instant::now(), speed }
    }

    /// The simulated time.
    pub fn now(&self) -> SystemTime {
        self.epoch + self.start.elapsed().mul_f64(self.speed)
    }

    /// Waits until `span` of simulated time has passed.
    pub async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span.div_f64(self.speed)).await;
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

    #[test]
    fn a_speed_that_makes_no_sense_is_one() {
        for speed in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            assert!((SimClock::new(UNIX_EPOCH, speed).speed - 1.0).abs() < f64::EPSILON, "{speed}");
        }
    }
}
