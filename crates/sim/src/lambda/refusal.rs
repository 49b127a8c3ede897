//! How does Lambda say no? Its errors with their status, header and body, each spelt as the service spells it.

use std::fmt;

use serde_json::{Value, json};

use crate::value::present;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    body: Body,
    /// Which limit a throttled call has met.
    reason: Option<&'static str>,
}

/// Which members the body has: its `Type`, if it has one, and how it spells `message`. The service is not consistent, and clients see it.
type Body = (Option<&'static str>, &'static str);

const LOWER: Body = (Some("User"), "message");
const UPPER: Body = (Some("User"), "Message");
const BARE: Body = (None, "message");
const BARE_UPPER: Body = (None, "Message");

macro_rules! refusals {
    ($($name:ident: $status:literal $code:literal $body:ident,)*) => {
        $(pub(crate) fn $name(message: impl Into<String>) -> Self {
            Self::of($status, $code, $body, message)
        })*
    };
}

impl Refusal {
    refusals! {
        not_found: 404 "ResourceNotFoundException" UPPER,
        conflict: 409 "ResourceConflictException" LOWER,
        in_use: 400 "ResourceInUseException" UPPER,
        invalid: 400 "InvalidParameterValueException" LOWER,
        unreadable: 400 "SerializationException" BARE_UPPER,
        payload: 400 "InvalidRequestContentException" LOWER,
        expired: 403 "ExpiredTokenException" BARE,
        denied: 403 "AccessDeniedException" BARE_UPPER,
    }

    fn of(status: u16, code: &'static str, body: Body, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), body, reason: None }
    }

    /// At the address of a function that is not there: like any that one may not call.
    pub(crate) fn no_such_address() -> Self {
        let more = "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html";
        Self::denied(format!("Forbidden. For troubleshooting Function URL authorization issues, see: {more}"))
    }

    pub(crate) fn function_not_found(arn: &str) -> Self {
        Self::not_found(format!("Function not found: {arn}"))
    }

    /// A policy, URL or mapping that is not there.
    pub(crate) fn no_resource() -> Self {
        Self::not_found("The resource you requested does not exist.")
    }

    pub(crate) fn no_alias(arn: &str) -> Self {
        Self::not_found(format!("Cannot find alias arn: {arn}"))
    }

    pub(crate) fn no_provisioned_concurrency() -> Self {
        let message = "No Provisioned Concurrency Config found for this function";
        Self::of(404, "ProvisionedConcurrencyConfigNotFoundException", LOWER, message)
    }

    pub(crate) fn busy(arn: &str) -> Self {
        Self::conflict(format!("{NOT_NOW} An update is in progress for resource: {arn}"))
    }

    pub(crate) fn pending() -> Self {
        Self::not_in("Pending")
    }

    /// It cannot be done in this state of the function.
    pub(crate) fn not_in(state: &str) -> Self {
        Self::conflict(format!("{NOT_NOW} The function is currently in the following state: {state}"))
    }

    /// The revision that was sent is not the one that `reader` gives.
    pub(crate) fn stale_revision(reader: &str) -> Self {
        let message = format!(
            "The Revision Id provided does not match the latest Revision Id. \
             Call the {reader} API to retrieve the latest Revision Id"
        );
        Self::of(412, "PreconditionFailedException", LOWER, message)
    }

    pub(crate) fn policy_too_long(size: usize, limit: usize) -> Self {
        let message = format!("The final policy size ({size}) is bigger than the limit ({limit}).");
        Self::of(400, "PolicyLengthExceededException", LOWER, message)
    }

    /// As `invalid`, without the `Type` that the service leaves out of some of these.
    pub(crate) fn invalid_bare(message: impl Into<String>) -> Self {
        Self { body: BARE, ..Self::invalid(message) }
    }

    pub(crate) fn too_large(size: usize, limit: usize) -> Self {
        let message = format!("Request must be smaller than {limit} bytes for the InvokeFunction operation ({size} bytes sent)");
        Self::of(413, "RequestTooLargeException", LOWER, message)
    }

    pub(crate) fn unknown_operation() -> Self {
        Self::of(404, "UnknownOperationException", BARE_UPPER, "no such operation")
    }

    pub(crate) fn throttled() -> Self {
        let refusal = Self::of(429, "TooManyRequestsException", LOWER, "Rate exceeded");
        Self { reason: Some("CallerRateLimitExceeded"), ..refusal }
    }

    /// An invocation that the function's reserved concurrency has no room for.
    pub(crate) fn no_concurrency() -> Self {
        let refusal = Self::of(429, "TooManyRequestsException", LOWER, "Rate Exceeded.");
        Self { reason: Some("ReservedFunctionConcurrentInvocationLimitExceeded"), ..refusal }
    }

    /// An invocation whose environment variables cannot be decrypted.
    pub(crate) fn kms(disabled: bool) -> Self {
        let (code, why, exception) = if disabled {
            ("KMSDisabledException", "the KMS key used is disabled", "DisabledException")
        } else {
            ("KMSAccessDeniedException", "KMS access was denied", "AccessDeniedException")
        };
        let message = format!(
            "Lambda was unable to decrypt the environment variables because {why}. Please check the function's KMS key settings. \
             KMS Exception: {exception}"
        );
        Self::of(502, code, UPPER, message)
    }

    pub(crate) fn code_storage_exceeded() -> Self {
        Self::of(400, "CodeStorageExceededException", LOWER, "Code storage limit exceeded.")
    }

    pub(crate) fn fault(status: u16) -> Self {
        let code = if status == 503 { "ServiceUnavailableException" } else { "ServiceException" };
        Self::of(status, code, (Some("Service"), "Message"), "An error occurred and the request cannot be processed.")
    }

    pub(crate) fn json(&self) -> Value {
        let (kind, spelling) = self.body;
        present(json!({ "Reason": self.reason, "Type": kind, spelling: self.message }))
    }
}

/// The constraints of the service model that one request breaks; the service reports them together.
#[derive(Debug, Default)]
pub(crate) struct Violations(Vec<String>);

impl Violations {
    /// Refuses if `find` notes anything.
    pub(crate) fn check(find: impl FnOnce(&mut Self)) -> Result<(), Refusal> {
        let mut broken = Self::default();
        find(&mut broken);
        if broken.0.is_empty() { Ok(()) } else { Err(broken.refusal()) }
    }

    /// The refusal of a single value.
    pub(crate) fn one(value: &str, member: &str, constraint: &str) -> Refusal {
        let mut broken = Self::default();
        broken.add(value, member, constraint);
        broken.refusal()
    }

    /// Notes that `value` at `member` breaks `constraint`, which follows "Member must".
    pub(crate) fn add(&mut self, value: &str, member: &str, constraint: &str) {
        self.verbatim(&format!("'{value}'"), member, &format!("Member must {constraint}"));
    }

    /// Notes `member` unless it was given.
    pub(crate) fn required<T>(&mut self, given: Option<&T>, member: &str) {
        if given.is_none() {
            self.verbatim("null", member, "Member must not be null");
        }
    }

    /// As `add`, with the value's quotes and the whole constraint given.
    pub(crate) fn verbatim(&mut self, value: &str, member: &str, constraint: &str) {
        self.0.push(format!("Value {value} at '{member}' failed to satisfy constraint: {constraint}"));
    }

    /// Notes a text whose number of characters is outside `min..=max`.
    pub(crate) fn length(&mut self, text: &str, member: &str, min: usize, max: usize) {
        self.within(text, member, "length", (text.chars().count(), min, max));
    }

    /// Notes a description, if one is given, that is too long.
    pub(crate) fn description(&mut self, given: Option<&String>) {
        self.length(given.map_or("", String::as_str), "description", 0, 256);
    }

    /// Notes a number outside `min..=max`.
    pub(crate) fn range(&mut self, number: Option<i64>, member: &str, min: i64, max: i64) {
        if let Some(number) = number {
            self.within(&number.to_string(), member, "value", (number, min, max));
        }
    }

    fn within<N: Ord + fmt::Display>(&mut self, shown: &str, member: &str, of: &str, (found, min, max): (N, N, N)) {
        if found > max {
            self.add(shown, member, &format!("have {of} less than or equal to {max}"));
        }
        if found < min {
            self.add(shown, member, &format!("have {of} greater than or equal to {min}"));
        }
    }

    pub(crate) fn refusal(self) -> Refusal {
        let noun = if self.0.len() == 1 { "error" } else { "errors" };
        let message = format!("{} validation {noun} detected: {}", self.0.len(), self.0.join("; "));
        Refusal::of(400, "ValidationException", BARE, message)
    }
}

const NOT_NOW: &str = "The operation cannot be performed at this time.";
