//! What time is it for AWS? The SDK's clock, corrected by the `Date` headers of the answers as they pass by.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::date_time::Format;
use rollout::Time;

use crate::skew::{Dated, Skew};

/// AWS' clock, as far as its answers tell; clones learn together.
#[derive(Clone, Debug)]
pub(crate) struct AwsClock {
    steady: Steady,
    /// The clock that a person would read, and may set.
    wall: SharedTimeSource,
    learned: Arc<Mutex<Learned>>,
}

#[derive(Debug, Default)]
struct Learned {
    skew: Skew,
    /// The latest time that was given out: once AWS' time is known, it does not go back.
    latest: i64,
}

/// A clock that nobody sets.
#[derive(Clone, Debug)]
enum Steady {
    /// This machine's: the time of day when it began, and what has passed since.
    Machine(SystemTime, Instant),
    /// One that is given, which is then the only one.
    Given(SharedTimeSource),
}

impl Steady {
    fn now(&self) -> SystemTime {
        match self {
            Self::Machine(began, since) => *began + since.elapsed(),
            Self::Given(clock) => clock.now(),
        }
    }
}

impl AwsClock {
    /// On this machine's clocks, or on the given one.
    pub(crate) fn new(given: Option<SharedTimeSource>) -> Self {
        let wall = given.clone().unwrap_or_default();
        let steady = given.map_or_else(|| Steady::Machine(wall.now(), Instant::now()), Steady::Given);
        Self { steady, wall, learned: Arc::default() }
    }

    pub(crate) fn now(&self) -> Time {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let now = millis(self.steady.now()).saturating_add(learned.skew.offset());
        learned.latest = if learned.skew.is_known() { learned.latest.max(now) } else { now };
        Time::from_millis(u64::try_from(learned.latest).unwrap_or_default())
    }

    fn learn(&self, sent: SystemTime, date: i64) {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, now) = (learned.skew.offset(), millis(self.steady.now()));
        let apart = millis(self.wall.now()).saturating_sub(now);
        if !learned.skew.is_known() {
            // What was given out on the word of the first answers binds nobody.
            learned.latest = 0;
        }
        learned.skew.learn(Dated { sent: millis(sent), received: now, date, set: apart });
        let offset = learned.skew.offset();
        if offset != before {
            tracing::debug!(offset_ms = offset, "this machine's clock differs from AWS'");
        }
    }
}

#[derive(Debug)]
struct Sent(SystemTime);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
}

impl Intercept for AwsClock {
    fn name(&self) -> &'static str {
        "AwsClock"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Sent(self.steady.now()));
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok()?.to_millis().ok());
        if let (Some(Sent(sent)), Some(date)) = (config.load::<Sent>(), date) {
            self.learn(*sent, date);
        }
        Ok(())
    }
}

fn millis(at: SystemTime) -> i64 {
    let since_epoch = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
