//! What is an event source mapping, and how is it shown? The operations on it are in `mappings`.

use std::time::Duration;

use serde_json::{Value, json};

use super::name::Place;
use crate::time::Time;

#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) source: String,
    pub(crate) function: String,
    /// As its maker gave it: none is the unqualified function.
    pub(crate) qualifier: Option<String>,
    pub(crate) batch: i64,
    pub(crate) window: i64,
    pub(crate) start: Option<String>,
    pub(crate) wanted: Wanted,
    pub(crate) changed: Time,
}

/// What a mapping is becoming; it is that once the account's settling time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Enabled,
    Disabled,
    Deleted,
}

impl Mapping {
    /// Whether it has been deleted for as long as that takes.
    pub(crate) fn is_gone(&self, now: Time, settle: Duration) -> bool {
        self.wanted == Wanted::Deleted && now.since(self.changed) >= settle
    }

    pub(crate) fn show(&self, place: &Place, uuid: &str, now: Time, settle: Duration) -> Value {
        let settled = now.since(self.changed) >= settle;
        let state = match self.wanted {
            Wanted::Deleted => "Deleting",
            Wanted::Enabled | Wanted::Disabled if !settled => "Creating",
            Wanted::Enabled => "Enabled",
            Wanted::Disabled => "Disabled",
        };
        json!({
            "UUID": uuid,
            "BatchSize": self.batch,
            "MaximumBatchingWindowInSeconds": self.window,
            "EventSourceArn": self.source,
            "FunctionArn": place.arn_of(&self.function, self.qualifier.as_deref()),
            "LastModified": self.changed.as_secs(),
            "State": state,
            "StateTransitionReason": "USER_INITIATED",
            "FunctionResponseTypes": [],
            "EventSourceMappingArn": place.mapping_arn(uuid),
            "StartingPosition": self.start,
            "LastProcessingResult": self.start.as_ref().map(|_| "No records processed"),
        })
    }
}
