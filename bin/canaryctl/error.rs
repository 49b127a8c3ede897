//! How does a command fail before it starts? With a message and an exit code.

use controller::port::{self, CloudError};

/// Why a command failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    /// Wrong usage or configuration: nothing was sent.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        let code = match error.failure {
            port::Failure::NotFound => 3,
            port::Failure::Unsigned => 2,
            port::Failure::Unsent
            | port::Failure::Outdated
            | port::Failure::Conflict
            | port::Failure::Throttled
            | port::Failure::Denied => 1,
            port::Failure::Invalid | port::Failure::Unanswered | port::Failure::NotExecuted => 1,
        };
        let hint = if code == 3 { "\n  hint: is this the right Region and account?" } else { "" };
        Self { code, message: format!("{error}{hint}") }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self { code: 1, message: error.to_string() }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self { code: 1, message: format!("cannot write this as JSON: {error}") }
    }
}
