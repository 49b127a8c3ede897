//! What do a request and its answer say, whichever protocol carried them?
//!
//! One tree for all three protocols, and the fault that can stand in an answer's place. It knows nothing of bytes.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::time::Time;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Blob(Vec<u8>),
    Time(Time),
    List(Vec<Self>),
    /// A structure: its names come from the API.
    Record(Vec<(Cow<'static, str>, Self)>),
    /// A map: its keys are data. Only XML tells it from a structure.
    Entries(Vec<(Cow<'static, str>, Self)>),
}

impl Value {
    /// The member `name` of a record, unless it is absent or null.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Record(members) = self else { return None };
        let (_, value) = members.iter().find(|(key, _)| key == name)?;
        (*value != Self::Null).then_some(value)
    }

    pub(crate) const fn nothing() -> Self {
        Self::Record(Vec::new())
    }

    /// A list of anything that is a value.
    pub(crate) fn list<V: Into<Self>>(items: impl IntoIterator<Item = V>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

/// Bytes as the protocols that are text write them.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

macro_rules! values {
    ($($name:ident: $type:ty => $value:expr),* $(,)?) => {
        $(impl From<$type> for Value {
            fn from($name: $type) -> Self {
                $value
            }
        })*
    };
}

values! {
    flag: bool => Self::Bool(flag),
    number: i64 => Self::Int(number),
    number: u32 => Self::Int(i64::from(number)),
    number: f64 => Self::Float(number),
    text: &str => Self::Text(text.to_owned()),
    text: &String => Self::Text(text.clone()),
    text: String => Self::Text(text),
    at: Time => Self::Time(at),
    record: Record => Self::Record(record.0),
}

#[derive(Default)]
pub(crate) struct Record(Vec<(Cow<'static, str>, Value)>);

impl Record {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((Cow::Borrowed(name), value.into()));
        self
    }

    pub(crate) fn maybe(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
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

    /// The name of this fault in the service's model, which the two protocols that are not Query put into the body.
    pub(crate) fn shape(&self) -> &str {
        match self.code.as_ref() {
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
