//! How can a call to AWS fail? Told apart by what can be done about it.

use std::fmt;

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

/// Why a call failed, by what can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// There is no such thing.
    NotFound,
    /// The revision is not the current one: look again.
    Outdated,
    /// Something else is under way on it, or it exists already: wait, or look again.
    Conflict,
    /// Too many calls: wait.
    Throttled,
    /// Not permitted.
    Denied,
    /// The request is wrong, and will be as wrong the next time.
    Invalid,
    /// No answer, or one that does not say whether the request was carried out.
    Unanswered,
    /// It never left this machine: no connection, or a setting that makes no sense.
    Unsent,
    /// It never left this machine: there are no credentials to sign it with.
    Unsigned,
    /// An invocation that AWS says it did not make, this time.
    NotExecuted,
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
