//! What do a request and its answer say, whichever protocol carried them?
//!
//! One tree for all three protocols, which is JSON's, what its members' names add to it, and the fault that can stand in an
//! answer's place. It knows nothing of bytes.

use std::borrow::Cow;

use serde_json::Value;

use crate::time::Time;

/// Whether a member is a moment, or a list of them: the tree of an answer has seconds since 1970 there.
pub(crate) fn is_time(member: &str) -> bool {
    ["Time", "Timestamp", "Timestamps", "Date"].iter().any(|kind| member.ends_with(kind))
}

/// The moment that many seconds after 1970, to the millisecond.
#[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and such a time is refused as too far away")]
pub(crate) fn from_seconds(seconds: f64) -> Time {
    Time::from_millis((seconds * 1_000.0).round() as i64)
}

/// The members of both records.
pub(crate) fn merged(mut one: Value, mut other: Value) -> Value {
    if let (Some(one), Some(other)) = (one.as_object_mut(), other.as_object_mut()) {
        one.append(other);
    }
    one
}

/// The same without the members that have no value.
pub(crate) fn present(mut value: Value) -> Value {
    drop_absent(&mut value);
    value
}

fn drop_absent(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(drop_absent);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_absent),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Why a request was refused: a status, a code and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) status: u16,
    /// As the Query protocol spells it, and `x-amzn-query-error` in the others.
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: String,
}

macro_rules! faults {
    ($($name:ident: $code:literal,)*) => {
        $(pub(crate) fn $name(message: impl Into<String>) -> Self {
            Self::client($code, message)
        })*
    };
}

impl Fault {
    faults! {
        validation: "ValidationError",
        parameter: "InvalidParameterValue",
        combination: "InvalidParameterCombination",
        limit: "LimitExceeded",
        format: "InvalidFormat",
        malformed: "SerializationException",
    }

    fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code: Cow::Borrowed(code), message: message.into() }
    }

    /// A member that breaks a constraint of the service's model, in the words the service has for all of them.
    pub(crate) fn constraint(member: &str, value: &str, constraint: &str) -> Self {
        let mut letters = member.chars();
        let member: String = letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect();
        let value = if value == "null" { value.to_owned() } else { format!("'{value}'") };
        Self::validation(format!(
            "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {constraint}"
        ))
    }

    /// A member that is none of the words the service's model has for it.
    pub(crate) fn unknown_word(member: &str, value: &str, words: &[&str]) -> Self {
        Self::constraint(member, value, &format!("Member must satisfy enum value set: [{}]", words.join(", ")))
    }

    pub(crate) fn missing(member: &str) -> Self {
        Self::client("MissingParameter", format!("The parameter {member} is required."))
    }

    pub(crate) fn token() -> Self {
        Self::client("InvalidNextToken", "The next token specified is invalid.")
    }

    /// An operation that CloudWatch does not have, or this one does not.
    pub(crate) fn unknown_operation(operation: &str) -> Self {
        Self::client("UnknownOperationException", format!("The operation {operation} is unknown to this simulation."))
    }

    pub(crate) fn unknown_alarm(message: impl Into<String>) -> Self {
        Self { status: 404, ..Self::client("ResourceNotFound", message) }
    }

    /// A tagged resource that does not exist: another code than an alarm's own.
    pub(crate) fn unknown_resource(arn: &str) -> Self {
        Self { status: 404, ..Self::client("ResourceNotFoundException", format!("Unknown: {arn}")) }
    }

    /// Whose fault it is, as the Query protocol says it.
    pub(crate) const fn blame(&self) -> &'static str {
        if self.status < 500 { "Sender" } else { "Receiver" }
    }

    /// The name of this fault in the service's model, which the two protocols that are not Query put into the body.
    pub(crate) fn shape(&self) -> &str {
        match self.code.as_ref() {
            "ValidationError" if self.message.contains("validation error detected") => "ValidationException",
            "LimitExceeded" => "LimitExceededFault",
            "InvalidFormat" => "InvalidFormatFault",
            "InvalidParameterValue" => "InvalidParameterValueException",
            "InvalidParameterCombination" => "InvalidParameterCombinationException",
            "MissingParameter" => "MissingRequiredParameterException",
            "InternalServiceError" => "InternalServiceFault",
            other => other,
        }
    }
}
