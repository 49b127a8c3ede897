//! What time is it for a simulated account, and how does one wait in it? Tokio's time from a chosen moment on, or a simulation's own.

use std::future::Future;
use std::time::{Duration, SystemTime};

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use tokio::time::Instant;

use crate::pace::Pace;
use crate::time::Time;

/// A clock that starts at a chosen moment; its clones agree.
#[derive(Clone, Copy, Debug)]
pub struct SimClock {
    epoch: SystemTime,
    passing: Passing,
}

#[derive(Clone, Copy, Debug)]
enum Passing {
    /// As tokio's time, since then.
    Tokio(Instant),
    /// Leaked, so that a clock is a value like any other: a few bytes for each simulation.
    Paced(&'static Pace),
}

impl SimClock {
    /// A clock that shows `epoch` now and goes by tokio's: the real time, or a test's virtual one.
    pub fn new(epoch: SystemTime) -> Self {
        Self { epoch, passing: Passing::Tokio(Instant::now()) }
    }

    /// A clock that shows `epoch` until [`SimClock::play`] lets its time pass, at most `speed` times as fast as the real time.
    ///
    /// An infinite speed is no limit; one that is not above 0 counts as 1.
    pub fn paced(epoch: SystemTime, speed: f64) -> Self {
        let speed = if speed > 0.0 { speed } else { 1.0 };
        Self { epoch, passing: Passing::Paced(Box::leak(Box::new(Pace::new(speed)))) }
    }

    /// Awaits `story`; on a paced clock time passes only while all of it waits for the time.
    ///
    /// Then what `story` does, and when, depends neither on the speed nor on the machine. It needs tokio's single-threaded runtime.
    pub async fn play<T>(&self, story: impl Future<Output = T>) -> T {
        match self.passing {
            Passing::Tokio(_) => story.await,
            Passing::Paced(pace) => pace.play(story).await,
        }
    }

    /// The simulated time.
    pub fn now(&self) -> SystemTime {
        self.epoch
            + match self.passing {
                Passing::Tokio(start) => start.elapsed(),
                Passing::Paced(pace) => pace.now(),
            }
    }

    /// The simulated time for a display: a paced clock jumps from one event to the next, and this goes evenly.
    pub fn shown(&self) -> SystemTime {
        match self.passing {
            Passing::Tokio(_) => self.now(),
            Passing::Paced(pace) => self.epoch + pace.shown(),
        }
    }

    /// Waits until `span` of simulated time has passed.
    pub async fn sleep(&self, span: Duration) {
        match self.passing {
            Passing::Tokio(_) => tokio::time::sleep(span).await,
            Passing::Paced(pace) => pace.sleep(span).await,
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
    async fn paused_time_passes_only_by_waiting() {
        let epoch = UNIX_EPOCH + Duration::from_secs(1_000);
        let clock = SimClock::new(epoch);
        assert_eq!(clock.now(), epoch);
        clock.sleep(Duration::from_mins(2)).await;
        assert_eq!(clock.now(), epoch + Duration::from_mins(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_speed_that_makes_no_sense_is_one() {
        for speed in [0.0, -3.0, f64::NAN] {
            let (clock, began) = (SimClock::paced(UNIX_EPOCH, speed), Instant::now());
            clock.play(clock.sleep(Duration::from_secs(3))).await;
            assert_eq!(began.elapsed().as_secs(), 3, "{speed}");
        }
    }
}
