//! What time is it for AWS? The SDK's clock, corrected by the `Date` headers of the answers as they pass by.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

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

use crate::skew::Skew;

/// AWS' clock, as far as its answers tell; clones learn together.
#[derive(Clone, Debug)]
pub(crate) struct AwsClock {
    local: SharedTimeSource,
    skew: Arc<Mutex<Skew>>,
}

impl AwsClock {
    pub(crate) fn new(local: SharedTimeSource) -> Self {
        Self { local, skew: Arc::default() }
    }

    pub(crate) fn now(&self) -> Time {
        let skew = *self.skew.lock().unwrap_or_else(PoisonError::into_inner);
        let millis = millis(self.local.now()).saturating_add(skew.offset());
        Time::from_millis(u64::try_from(millis).unwrap_or_default())
    }

    fn learn(&self, sent: SystemTime, date: i64) {
        let mut skew = self.skew.lock().unwrap_or_else(PoisonError::into_inner);
        let before = skew.offset();
        skew.learn(millis(sent), millis(self.local.now()), date);
        let offset = skew.offset();
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
        config.interceptor_state().store_put(Sent(self.local.now()));
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
