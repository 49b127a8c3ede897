//! How can a call to AWS fail? Told apart by what can be done about it.

use std::fmt;

use rollout::failure::Failure;

/// A call that did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudError {
    /// What kind of failure, which decides what can be done about it.
    pub failure: Failure,
    /// The operation, as AWS calls it: `UpdateAlias`.
    pub operation: &'static str,
    /// What AWS or the client said.
    pub message: String,
    /// AWS' code for it, where there was an answer.
    pub code: Option<String>,
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, message, code, .. } = self;
        match code {
            Some(code) => write!(f, "{operation}: {code}: {message}"),
            None => write!(f, "{operation}: {message}"),
        }
    }
}

impl std::error::Error for CloudError {}
