//! Why was a notification not taken, and does it help to try again?

use crate::port::{CloudError, Failure};

/// Why it was not taken.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) why: String,
    /// Whether it is of no use to try again.
    pub(crate) for_good: bool,
}

impl From<CloudError> for Refusal {
    fn from(error: CloudError) -> Self {
        let for_good = matches!(error.failure, Failure::Denied | Failure::Invalid | Failure::NotFound | Failure::Expired);
        Self { why: error.to_string(), for_good }
    }
}

impl Refusal {
    /// What the status of an answer means; `None` where it was taken. `more` is what is known besides.
    pub(crate) fn of_status(status: u16, more: &str) -> Option<Self> {
        let why = format!("HTTP status {status}{more}");
        match status {
            200..300 => None,
            // A time-out of its own, too much for now, or trouble of its own: another time it may take it.
            408 | 425 | 429 | 500.. => Some(Self { why, for_good: false }),
            _ => Some(Self { why, for_good: true }),
        }
    }
}
