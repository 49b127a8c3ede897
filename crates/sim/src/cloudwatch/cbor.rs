//! How does Smithy's RPC v2 CBOR write a value? Bytes to tree and back.
//!
//! Written by hand on the way out, so that a double always stays eight bytes wide as the service sends it.

use std::borrow::Cow;

use ciborium::Value as Cbor;

use super::parameters;
use crate::time::Time;
use crate::value::{Fault, Value};

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
/// How a head says that its argument follows, and how wide it is.
const ONE_BYTE: u8 = 0x18;
const TWO_BYTES: u8 = 0x19;
const FOUR_BYTES: u8 = 0x1a;
const EIGHT_BYTES: u8 = 0x1b;
/// The tag that says "seconds since 1970".
const EPOCH: u64 = 1;

/// Reads a body; an empty one is a request without members.
pub(super) fn decode(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(Value::nothing());
    }
    let parsed: Cbor = ciborium::from_reader(body).map_err(|_| Fault::malformed("The body is not valid CBOR."))?;
    let Cbor::Map(_) = parsed else { return Err(Fault::malformed("The body is not a CBOR map.")) };
    tree(parsed)
}

fn tree(value: Cbor) -> Result<Value, Fault> {
    Ok(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(flag) => Value::Bool(flag),
        Cbor::Integer(number) => Value::Int(i64::try_from(number).map_err(|_| Fault::malformed("A number is out of range."))?),
        Cbor::Float(number) => Value::Float(number),
        Cbor::Text(text) => Value::Text(text),
        Cbor::Bytes(bytes) => Value::Blob(bytes),
        Cbor::Array(items) => Value::List(items.into_iter().map(tree).collect::<Result<_, _>>()?),
        Cbor::Map(members) => Value::Record(members.into_iter().map(member).collect::<Result<_, _>>()?),
        Cbor::Tag(EPOCH, seconds) => Value::Time(timestamp(&seconds)?),
        Cbor::Tag(..) | _ => return Err(Fault::malformed("A CBOR item has a type that no member has.")),
    })
}

fn timestamp(seconds: &Cbor) -> Result<Time, Fault> {
    let whole = seconds.as_integer().and_then(|whole| i64::try_from(whole).ok());
    match (whole, seconds.as_float()) {
        (Some(whole), _) => Ok(Time::from_millis(whole.saturating_mul(1_000))),
        (None, Some(fraction)) => Ok(parameters::from_seconds(fraction)),
        (None, None) => Err(Fault::malformed("A timestamp is not a number.")),
    }
}

fn member((key, value): (Cbor, Cbor)) -> Result<(Cow<'static, str>, Value), Fault> {
    let Cbor::Text(key) = key else { return Err(Fault::malformed("A map key is not text.")) };
    Ok((Cow::Owned(key), tree(value)?))
}

pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    put(value, &mut out);
    out
}

fn put(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(flag) => out.push(if *flag { 0xf5 } else { 0xf4 }),
        Value::Int(number) => match u64::try_from(*number) {
            Ok(positive) => head(UNSIGNED, positive, out),
            Err(_) => head(NEGATIVE, (-1 - *number).unsigned_abs(), out),
        },
        Value::Float(number) => float(*number, out),
        Value::Text(text) => string(text, out),
        Value::Blob(bytes) => {
            head(BYTES, length(bytes.len()), out);
            out.extend_from_slice(bytes);
        }
        Value::Time(at) => {
            head(TAG, EPOCH, out);
            if at.as_millis() % 1_000 == 0 {
                put(&Value::Int(at.as_millis() / 1_000), out);
            } else {
                // Readers cut off what is smaller than a millisecond: from the nearest double below, they would lose one.
                float(at.as_secs().next_up(), out);
            }
        }
        Value::List(items) => {
            head(ARRAY, length(items.len()), out);
            for item in items {
                put(item, out);
            }
        }
        Value::Record(members) | Value::Entries(members) => {
            head(MAP, length(members.len()), out);
            for (key, value) in members {
                string(key, out);
                put(value, out);
            }
        }
    }
}

fn string(text: &str, out: &mut Vec<u8>) {
    head(TEXT, length(text.len()), out);
    out.extend_from_slice(text.as_bytes());
}

fn float(number: f64, out: &mut Vec<u8>) {
    out.push(0xfb);
    out.extend_from_slice(&number.to_be_bytes());
}

/// A data item's first bytes: its major type, and an argument in as few bytes as hold it.
fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let (inline, width) = match argument {
        0..24 => (u8::try_from(argument).unwrap_or(0), 0),
        24..=0xff => (ONE_BYTE, 1),
        0x100..=0xffff => (TWO_BYTES, 2),
        0x1_0000..=0xffff_ffff => (FOUR_BYTES, 4),
        _ => (EIGHT_BYTES, 8),
    };
    out.push((major << 5) | inline);
    out.extend_from_slice(&argument.to_be_bytes()[8 - width..]);
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Record;

    #[test]
    fn what_is_written_is_read_again() {
        let value: Value = Record::new()
            .with("Name", "é".repeat(200))
            .with("Many", Value::list((0..300).map(|n: i64| n * n * n * 997 - 5_000_000_000)))
            .with("Share", 0.1)
            .with("Whole", Time::from_millis(1_795_442_580_000))
            .with("Fraction", Time::from_millis(1_795_442_580_123))
            .with("Blob", Value::Blob(vec![0; 70_000]))
            .with("Yes", true)
            .with("Nothing", Value::Null)
            .into();
        assert_eq!(decode(&encode(&value)), Ok(value));
    }

    #[test]
    fn bodies_of_indefinite_length_and_empty_ones_are_read() {
        let body = [0xbf, 0x61, b'A', 0x9f, 0x01, 0x20, 0xff, 0x61, b'B', 0xf9, 0x3c, 0x00, 0xff];
        let expected: Value = Record::new().with("A", Value::list([1_i64, -1])).with("B", 1.0).into();
        assert_eq!(decode(&body), Ok(expected));
        assert_eq!(decode(&[]), Ok(Value::nothing()));
        assert_eq!(decode(&[0xa0]), Ok(Value::nothing()));
    }

    #[test]
    fn what_is_not_a_map_is_refused() {
        for body in [&[0x01][..], &[0xbf, 0x61], &[0xff, 0xff], &[0xa1, 0x01, 0x01]] {
            assert_eq!(decode(body).unwrap_err().code, "SerializationException", "{body:?}");
        }
    }
}
