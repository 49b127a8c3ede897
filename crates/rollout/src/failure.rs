//! Why did a call to AWS fail? By what can be done about it, whatever it was that was called.

/// Why a call failed, by what can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// There is no such thing.
    NotFound,
    /// The revision is not the current one: look again.
    Outdated,
    /// Something else is in progress on it, or it exists already: wait, or look again.
    Conflict,
    /// Too many calls: wait.
    Throttled,
    /// Not permitted.
    Denied,
    /// The credentials have expired, and nothing has renewed them.
    Expired,
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

impl Failure {
    /// Whether AWS has refused: the same request will be refused again.
    pub fn is_refusal(self) -> bool {
        match self {
            Self::NotFound | Self::Denied | Self::Expired | Self::Invalid => true,
            Self::Outdated
            | Self::Conflict
            | Self::Throttled
            | Self::Unanswered
            | Self::Unsent
            | Self::Unsigned
            | Self::NotExecuted => false,
        }
    }
}
