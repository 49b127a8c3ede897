//! What time is it for this command? The machine's, or its simulation's.

use std::future::Future;
use std::time::{Duration, SystemTime};

use controller::port::Clock;
use rollout::Time;
use sim::SimClock;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum RuntimeClock {
    #[default]
    Real,
    Simulated(SimClock),
}

impl Clock for RuntimeClock {
    async fn sleep(&self, span: Duration) {
        match self {
            Self::Real => tokio::time::sleep(span).await,
            Self::Simulated(clock) => clock.sleep(span).await,
        }
    }
}

impl RuntimeClock {
    pub(crate) fn now(self) -> Time {
        time(match self {
            Self::Real => SystemTime::now(),
            Self::Simulated(clock) => clock.now(),
        })
    }

    /// The time for a display that is drawn between two events, too.
    pub(crate) fn shown(self) -> Time {
        time(match self {
            Self::Real => SystemTime::now(),
            Self::Simulated(clock) => clock.shown(),
        })
    }

    /// Runs a command by this clock.
    pub(crate) async fn run<T>(self, command: impl Future<Output = T>) -> T {
        match self {
            Self::Real => command.await,
            Self::Simulated(clock) => clock.play(command).await,
        }
    }

    /// The result of `work`, or `None` when the limit has passed.
    pub(crate) async fn within<T>(self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.sleep(limit) => None,
        }
    }
}

fn time(at: SystemTime) -> Time {
    let since_epoch = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
