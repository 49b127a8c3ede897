//! Why is a request to CloudWatch Logs refused? Its codes and its words.
//!
//! Which errors an operation has is in the service's model; a sentence that is a guess says so.

use serde_json::{Value, json};

use crate::value::{Fault, merged};

/// A refusal; one of a query also says where in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    message: String,
    /// From which to which character.
    place: Option<(usize, usize)>,
}

impl Refusal {
    fn client(code: &str, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.to_owned(), message: message.into(), place: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::client("InvalidParameterException", message)
    }

    /// A member that breaks a constraint of the model, in the words that all services have for it.
    pub(super) fn constraint(member: &str, value: &str, constraint: &str) -> Self {
        let value = if value == "null" { value.to_owned() } else { format!("'{value}'") };
        Self::invalid(format!(
            "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {constraint}"
        ))
    }

    pub(super) fn missing(member: &str) -> Self {
        Self::constraint(member, "null", "Member must not be null")
    }

    pub(super) fn body() -> Self {
        Self::client("SerializationException", "The body is not an object of this operation.")
    }

    pub(super) fn no_group() -> Self {
        Self::client("ResourceNotFoundException", "The specified log group does not exist.")
    }

    pub(super) fn no_stream() -> Self {
        Self::client("ResourceNotFoundException", "The specified log stream does not exist.")
    }

    /// As `StartQuery` says it, which is another part of the service.
    pub(super) fn no_group_to_query(group: &str, account: &str) -> Self {
        let code = "ResourceNotFoundException";
        Self::client(code, passed_on(&format!("Log group '{group}' does not exist for account ID '{account}'"), code))
    }

    /// The sentence is a guess.
    pub(super) fn no_query(id: &str) -> Self {
        Self::client("ResourceNotFoundException", format!("Query {id} does not exist"))
    }

    pub(super) fn too_many_queries(most: usize) -> Self {
        let code = "LimitExceededException";
        Self::client(code, passed_on(&format!("Account maximum query concurrency limit of [{most}] reached."), code))
    }

    /// A query that is wrong at this place (characters from 0); the place is recorded nowhere, so what it holds is a guess.
    pub(super) fn malformed(message: &str, place: (usize, usize)) -> Self {
        let code = "MalformedQueryException";
        Self { place: Some(place), ..Self::client(code, passed_on(message, code)) }
    }

    pub(super) fn unknown_operation(operation: &str) -> Self {
        Self::client("UnknownOperationException", format!("The operation {operation} is unknown to this simulation."))
    }

    /// A refusal of the account's, in this service's words.
    pub(super) fn of_account(fault: &Fault) -> Self {
        let (status, code) = match fault.code.as_ref() {
            "Throttling" => (400, "ThrottlingException"),
            "ServiceUnavailable" => (503, "ServiceUnavailableException"),
            "ConcurrentModificationException" => (400, "OperationAbortedException"),
            "AccessDenied" => (400, "AccessDeniedException"),
            "ExpiredToken" => (400, "ExpiredTokenException"),
            _ => (fault.status, "InternalFailure"),
        };
        Self { status, ..Self::client(code, fault.message.clone()) }
    }

    pub(super) fn json(&self) -> Value {
        let plain = json!({"__type": self.code, "message": self.message});
        let Some((start, end)) = self.place else { return plain };
        let location = json!({"startCharOffset": start, "endCharOffset": end});
        merged(plain, json!({"queryCompileError": {"location": location, "message": self.message}}))
    }
}

/// What the query service behind the API says, as the API passes it on; there is a request id in it too.
fn passed_on(message: &str, code: &str) -> String {
    format!("{message} (Service: AWSLogs; Status Code: 400; Error Code: {code}; Proxy: null)")
}
