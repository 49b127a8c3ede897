//! How does a command fail before it starts? With a message and an exit code.

use controller::port::{self, CloudError};

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

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "errors are passed as `map_err` has them")]
    pub(crate) fn unexpected(message: impl ToString) -> Self {
        Self { code: 1, message: message.to_string() }
    }
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        if error.failure == port::Failure::NotFound {
            return Self::refused(format!("{error}\n  hint: is this the right Region and account?"));
        }
        Self { code: if error.failure == port::Failure::Unsigned { 2 } else { 1 }, message: error.to_string() }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::unexpected(error)
    }
}
