//! In which words is a request refused? Those that the service's model has for all constraints, under its own names of errors.

use serde_json::Value;

use crate::value::Fault;

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault { status: 400, code: "ValidationException".into(), message: message.into() }
}

pub(super) fn conflict(message: String) -> Fault {
    Fault { status: 409, code: "ConflictException".into(), message }
}

pub(super) fn missing(message: String) -> Fault {
    Fault { status: 404, code: "ResourceNotFoundException".into(), message }
}

pub(super) fn too_many(message: &str) -> Fault {
    Fault { status: 402, code: "ServiceQuotaExceededException".into(), message: message.to_owned() }
}

pub(super) fn constraint(member: &str, value: &str, constraint: &str) -> Fault {
    invalid(Fault::constraint(member, value, constraint).message)
}

/// A text that must be there.
pub(super) fn text<'v>(body: &'v Value, member: &str) -> Result<&'v str, Fault> {
    named(body, member, member)
}

/// The same, under the name by which a refusal calls it.
pub(super) fn named<'v>(body: &'v Value, member: &str, called: &str) -> Result<&'v str, Fault> {
    body[member].as_str().ok_or_else(|| constraint(called, "null", "Member must not be null"))
}

/// A text of so many characters, and not empty.
pub(super) fn checked<'v>(text: &'v str, called: &str, most: usize) -> Result<&'v str, Fault> {
    if text.is_empty() {
        return Err(constraint(called, text, "Member must have length greater than or equal to 1"));
    }
    if text.chars().count() > most {
        return Err(constraint(called, text, &format!("Member must have length less than or equal to {most}")));
    }
    Ok(text)
}

/// The name of a schedule or a group.
pub(super) fn name<'v>(text: &'v str, called: &str) -> Result<&'v str, Fault> {
    let text = checked(text, called, 64)?;
    if text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter)) {
        return Ok(text);
    }
    Err(constraint(called, text, "Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$"))
}

/// A token by which the same request is known again.
pub(super) fn token(body: &Value) -> Result<(), Fault> {
    let Some(said) = body["ClientToken"].as_str() else { return Ok(()) };
    let said = checked(said, "clientToken", 64)?;
    if said.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter)) {
        return Ok(());
    }
    Err(constraint("clientToken", said, "Member must satisfy regular expression pattern: ^[a-zA-Z0-9-_]+$"))
}

/// One of these words; without a default it must be there.
pub(super) fn one_of<'v>(value: &'v Value, called: &str, words: &[&str], default: Option<&'v str>) -> Result<&'v str, Fault> {
    let said = value.as_str().or(default).ok_or_else(|| constraint(called, "null", "Member must not be null"))?;
    if words.contains(&said) {
        return Ok(said);
    }
    Err(constraint(called, said, &format!("Member must satisfy enum value set: [{}]", words.join(", "))))
}

/// A whole number from the least to the most, if it is there.
pub(super) fn number(value: &Value, called: &str, (least, most): (u64, u64)) -> Result<Option<u64>, Fault> {
    if value.is_null() {
        return Ok(None);
    }
    let said = value.to_string();
    match value.as_u64() {
        Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
        Some(number) if number > most => {
            Err(constraint(called, &said, &format!("Member must have value less than or equal to {most}")))
        }
        _ => Err(constraint(called, &said, &format!("Member must have value greater than or equal to {least}"))),
    }
}
