//! What did the candidate write to its log when it failed? Error lines of one kind, counted, as they are told after a rollback.

use serde::{Deserialize, Serialize};

use crate::Time;

/// Error lines of one kind: alike but for numbers, ids, addresses and quoted values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedError {
    /// The first of them, as it was logged: its first line, at most 300 characters of it.
    pub line: String,
    /// How many of them the candidate logged.
    pub count: u64,
    /// When it logged the first one.
    pub first_at: Time,
    /// The request that the first one is of, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// How many of the same kind stable logged meanwhile; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_stable: Option<u64>,
}
