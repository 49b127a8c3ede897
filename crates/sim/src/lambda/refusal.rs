//! How does Lambda say no? Its errors with their status, header and body, each spelt as the service spells it.

use serde_json::{Map, Value};

/// An error answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    body: Body,
}

/// Which members the body has: the service is not consistent, and clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// `Type` and `message`.
    Lower,
    /// `Type` and `Message`.
    Upper,
    /// `message` alone.
    Bare,
    /// `Message` alone.
    BareUpper,
    /// `Reason`, `Type` and `message`.
    Throttled,
    /// `Type` is `Service`, and `Message`.
    Fault,
}

impl Refusal {
    pub(crate) fn not_found(message: String) -> Self {
        Self { status: 404, code: "ResourceNotFoundException", message, body: Body::Upper }
    }

    pub(crate) fn function_not_found(arn: &str) -> Self {
        Self::not_found(format!("Function not found: {arn}"))
    }

    /// Something that hangs on a function, and is not there.
    pub(crate) fn no_resource() -> Self {
        Self::not_found("The resource you requested does not exist.".to_owned())
    }

    pub(crate) fn no_provisioned_concurrency() -> Self {
        let message = "No Provisioned Concurrency Config found for this function".to_owned();
        Self { status: 404, code: "ProvisionedConcurrencyConfigNotFoundException", message, body: Body::Lower }
    }

    pub(crate) fn conflict(message: String) -> Self {
        Self { status: 409, code: "ResourceConflictException", message, body: Body::Lower }
    }

    pub(crate) fn busy(arn: &str) -> Self {
        Self::conflict(format!("{NOT_NOW} An update is in progress for resource: {arn}"))
    }

    pub(crate) fn pending() -> Self {
        Self::conflict(format!("{NOT_NOW} The function is currently in the following state: Pending"))
    }

    pub(crate) fn stale_revision() -> Self {
        let message = "The Revision Id provided does not match the latest Revision Id. \
                       Call the GetFunction/GetAlias API to retrieve the latest Revision Id";
        Self { status: 412, code: "PreconditionFailedException", message: message.to_owned(), body: Body::Lower }
    }

    pub(crate) fn stale_policy_revision() -> Self {
        let message = "The Revision Id provided does not match the latest Revision Id. \
                       Call the GetPolicy API to retrieve the latest Revision Id";
        Self { message: message.to_owned(), ..Self::stale_revision() }
    }

    pub(crate) fn policy_too_long(size: usize, limit: usize) -> Self {
        let message = format!("The final policy size ({size}) is bigger than the limit ({limit}).");
        Self { status: 400, code: "PolicyLengthExceededException", message, body: Body::Lower }
    }

    /// Something that is being made or deleted.
    pub(crate) fn in_use(message: String) -> Self {
        Self { status: 400, code: "ResourceInUseException", message, body: Body::Upper }
    }

    pub(crate) fn invalid(message: String) -> Self {
        Self { status: 400, code: "InvalidParameterValueException", message, body: Body::Lower }
    }

    /// As `invalid`, without the `Type` that the service leaves out of some of these.
    pub(crate) fn invalid_bare(message: &str) -> Self {
        Self { status: 400, code: "InvalidParameterValueException", message: message.to_owned(), body: Body::Bare }
    }

    pub(crate) fn constraints(message: String) -> Self {
        Self { status: 400, code: "ValidationException", message, body: Body::Bare }
    }

    pub(crate) fn unreadable(message: String) -> Self {
        Self { status: 400, code: "SerializationException", message, body: Body::BareUpper }
    }

    pub(crate) fn payload(message: String) -> Self {
        Self { status: 400, code: "InvalidRequestContentException", message, body: Body::Lower }
    }

    pub(crate) fn too_large(size: usize, limit: usize) -> Self {
        let message = format!("Request must be smaller than {limit} bytes for the InvokeFunction operation ({size} bytes sent)");
        Self { status: 413, code: "RequestTooLargeException", message, body: Body::Lower }
    }

    pub(crate) fn unknown_operation() -> Self {
        Self { status: 404, code: "UnknownOperationException", message: "no such operation".to_owned(), body: Body::BareUpper }
    }

    pub(crate) fn throttled() -> Self {
        Self { status: 429, code: "TooManyRequestsException", message: "Rate exceeded".to_owned(), body: Body::Throttled }
    }

    pub(crate) fn denied(message: String) -> Self {
        Self { status: 403, code: "AccessDeniedException", message, body: Body::BareUpper }
    }

    pub(crate) fn fault(status: u16) -> Self {
        let code = if status == 503 { "ServiceUnavailableException" } else { "ServiceException" };
        Self { status, code, message: "An error occurred and the request cannot be processed.".to_owned(), body: Body::Fault }
    }

    pub(crate) fn json(&self) -> Value {
        let (kind, spelling) = match self.body {
            Body::Lower | Body::Throttled => (Some("User"), "message"),
            Body::Upper => (Some("User"), "Message"),
            Body::Bare => (None, "message"),
            Body::BareUpper => (None, "Message"),
            Body::Fault => (Some("Service"), "Message"),
        };
        let mut members = Map::new();
        if self.body == Body::Throttled {
            members.insert("Reason".to_owned(), "CallerRateLimitExceeded".into());
        }
        if let Some(kind) = kind {
            members.insert("Type".to_owned(), kind.into());
        }
        members.insert(spelling.to_owned(), self.message.clone().into());
        Value::Object(members)
    }
}

/// The constraints of the service model that one request breaks; the service reports them together.
#[derive(Debug, Default)]
pub(crate) struct Violations(Vec<String>);

impl Violations {
    /// Notes that `value` at `member` breaks `constraint`, which goes on from "Member must".
    pub(crate) fn add(&mut self, value: &str, member: &str, constraint: &str) {
        self.verbatim(&format!("'{value}'"), member, &format!("Member must {constraint}"));
    }

    /// Notes that `member` is missing.
    pub(crate) fn missing(&mut self, member: &str) {
        self.verbatim("null", member, "Member must not be null");
    }

    /// As `add`, with the value's quotes and the whole constraint given.
    pub(crate) fn verbatim(&mut self, value: &str, member: &str, constraint: &str) {
        self.0.push(format!("Value {value} at '{member}' failed to satisfy constraint: {constraint}"));
    }

    /// Notes a text whose number of characters lies outside `min..=max`.
    pub(crate) fn length(&mut self, text: &str, member: &str, min: usize, max: usize) {
        let length = text.chars().count();
        if length > max {
            self.add(text, member, &format!("have length less than or equal to {max}"));
        }
        if length < min {
            self.add(text, member, &format!("have length greater than or equal to {min}"));
        }
    }

    /// Notes a number outside `min..=max`.
    pub(crate) fn range(&mut self, number: Option<i64>, member: &str, min: i64, max: i64) {
        match number {
            Some(number) if number > max => {
                self.add(&number.to_string(), member, &format!("have value less than or equal to {max}"));
            }
            Some(number) if number < min => {
                self.add(&number.to_string(), member, &format!("have value greater than or equal to {min}"));
            }
            Some(_) | None => {}
        }
    }

    /// Refuses if anything was noted.
    pub(crate) fn check(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(self.refusal()) }
    }

    /// The refusal that reports everything noted.
    pub(crate) fn refusal(self) -> Refusal {
        let noun = if self.0.len() == 1 { "error" } else { "errors" };
        Refusal::constraints(format!("{} validation {noun} detected: {}", self.0.len(), self.0.join("; ")))
    }
}

const NOT_NOW: &str = "The operation cannot be performed at this time.";
