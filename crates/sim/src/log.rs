//! Which calls were made, by whom, and what did they change? The record that tests judge a rollout by.
//!
//! It only remembers; nothing in the world reads it.

use std::collections::BTreeMap;

use crate::time::Time;

/// One call, in the order of arrival.
#[derive(Clone, Debug, PartialEq)]
pub struct CallRecord {
    /// Counts all calls of this world from 0.
    pub seq: u64,
    /// When it was applied, or, if it never was, when it was sent.
    pub at: Time,
    /// The access key id that signed it, or `anonymous`.
    pub caller: String,
    /// The operation's name as AWS spells it, such as `UpdateAlias`.
    pub operation: String,
    /// The function, `function:qualifier`, stack or ARN it names; empty for calls without one.
    pub resource: String,
    /// The HTTP status of the answer; 0 where there was none.
    pub status: u16,
    /// The error's code.
    pub error: Option<String>,
    /// What the caller saw of it.
    pub delivery: Delivery,
    /// The `RevisionId` that was sent along.
    pub revision_sent: Option<String>,
    /// For `CreateAlias`, `UpdateAlias` and `DeleteAlias` that were applied or refused: the alias before and after.
    pub alias: Option<Box<AliasChange>>,
}

impl CallRecord {
    /// Whether it was answered with success (even if that answer was lost on its way).
    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it is a successful write to `alias` of `function`.
    pub fn wrote(&self, function: &str, alias: &str) -> bool {
        self.succeeded() && self.alias.as_ref().is_some_and(|change| change.function == function && change.alias == alias)
    }

    /// The alias as this call left it.
    pub fn after(&self) -> Option<&AliasState> {
        self.alias.as_ref()?.after.as_ref()
    }

    /// The alias as this call found it.
    pub fn before(&self) -> Option<&AliasState> {
        self.alias.as_ref()?.before.as_ref()
    }
}

/// What the caller saw of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It got the answer.
    Answered,
    /// It was applied, and the connection failed before the answer.
    Lost,
    /// It got no answer; the call is applied at this later time, with its own record.
    Held(Time),
    /// The late application of a call that was sent at this time; its answer was lost.
    Late(Time),
    /// The connection failed before anything had arrived, or something in between answered.
    Refused,
}

/// What a call did to an alias.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasChange {
    /// The function's name.
    pub function: String,
    /// The alias' name.
    pub alias: String,
    /// As it was before, if it was there.
    pub before: Option<AliasState>,
    /// As it was afterwards, if it was still there.
    pub after: Option<AliasState>,
}

/// Everything an alias says.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasState {
    /// The primary version: digits, or `$LATEST`.
    pub version: String,
    /// The additional versions' weights (at most one).
    pub weights: BTreeMap<String, f64>,
    /// The description, whole.
    pub description: String,
    /// Changes with every successful write.
    pub revision: String,
}

impl AliasState {
    /// The weight of `version`, 0 to 1.
    pub fn share(&self, version: &str) -> f64 {
        match self.weights.get(version) {
            Some(weight) => *weight,
            None if self.version == version => 1.0 - self.weights.values().sum::<f64>(),
            None => 0.0,
        }
    }
}

/// How often one version was invoked through one qualifier, with which results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Invocations that ran, including failed ones.
    pub invocations: u64,
    /// Invocations that failed or timed out.
    pub errors: u64,
    /// Invocations that did not run: the version was not Active, or they were refused before.
    pub refused: u64,
}
