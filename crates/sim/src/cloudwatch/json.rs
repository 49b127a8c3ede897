//! How does AWS JSON 1.0 write a value? Text to tree and back.
//!
//! Times are seconds since 1970 as numbers; in a request they are numbers until they are read as times.

use std::borrow::Cow;

use serde_json::{Number, Value as Json};

use crate::value::{self, Fault, Value};

/// Reads a body; an empty one is a request without members.
pub(super) fn decode(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(Value::nothing());
    }
    match serde_json::from_slice(body) {
        Ok(object @ Json::Object(_)) => Ok(tree(object)),
        Ok(_) | Err(_) => Err(Fault::malformed("The body is not a JSON object.")),
    }
}

fn tree(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(flag),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(fraction)) => Value::Float(fraction),
            (None, None) => Value::Null,
        },
        Json::String(text) => Value::Text(text),
        Json::Array(items) => Value::List(items.into_iter().map(tree).collect()),
        Json::Object(members) => Value::Record(members.into_iter().map(|(key, value)| (Cow::Owned(key), tree(value))).collect()),
    }
}

pub(super) fn encode(value: &Value) -> Vec<u8> {
    json(value).to_string().into_bytes()
}

pub(super) fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) => Json::from(*number),
        // JSON has no word for these; the service writes them as text.
        Value::Float(number) => Number::from_f64(*number).map_or_else(|| Json::from(number.to_string()), Json::Number),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Blob(bytes) => Json::from(value::text_of(bytes)),
        Value::Time(at) if at.as_millis() % 1_000 == 0 => Json::from(at.as_millis() / 1_000),
        Value::Time(at) => Json::from(at.as_secs()),
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Record(members) | Value::Entries(members) => {
            Json::Object(members.iter().map(|(key, value)| (key.clone().into_owned(), json(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;
    use crate::value::Record;

    #[test]
    fn times_are_numbers() {
        let value: Value =
            Record::new().with("A", Time::from_millis(5_000)).with("B", Time::from_millis(5_250)).with("C", 1.0).into();
        assert_eq!(String::from_utf8(encode(&value)).unwrap(), r#"{"A":5,"B":5.25,"C":1.0}"#);
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for body in ["[]", "1", "{", "{\"a\":}"] {
            assert_eq!(decode(body.as_bytes()).unwrap_err().code, "SerializationException", "{body}");
        }
        assert_eq!(decode(b""), Ok(Value::nothing()));
    }
}
