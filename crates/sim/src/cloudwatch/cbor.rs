//! How does Smithy's RPC v2 CBOR write a value? Bytes to tree and back.
//!
//! Written by hand on the way out, so that a double always stays eight bytes wide as the service sends it.

use ciborium::Value as Cbor;
use serde_json::{Map, Value, json};

use crate::value::{Fault, is_time};

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
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
        return Ok(json!({}));
    }
    let parsed: Cbor = ciborium::from_reader(body).map_err(|_| Fault::malformed("The body is not valid CBOR."))?;
    let Cbor::Map(_) = parsed else { return Err(Fault::malformed("The body is not a CBOR map.")) };
    tree(parsed)
}

fn tree(value: Cbor) -> Result<Value, Fault> {
    Ok(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(flag) => flag.into(),
        Cbor::Integer(number) => i64::try_from(number).map_err(|_| Fault::malformed("A number is out of range."))?.into(),
        // JSON has no number for these.
        Cbor::Float(number) if !number.is_finite() => number.to_string().into(),
        Cbor::Float(number) => number.into(),
        Cbor::Text(text) => text.into(),
        Cbor::Array(items) => Value::Array(items.into_iter().map(tree).collect::<Result<_, _>>()?),
        Cbor::Map(members) => Value::Object(members.into_iter().map(member).collect::<Result<Map<_, _>, _>>()?),
        Cbor::Tag(EPOCH, seconds) => {
            let seconds = Some(tree(*seconds)?).filter(Value::is_number);
            seconds.ok_or_else(|| Fault::malformed("A timestamp is not a number."))?
        }
        Cbor::Bytes(_) | Cbor::Tag(..) | _ => return Err(Fault::malformed("A CBOR item has a type that no member has.")),
    })
}

fn member((key, value): (Cbor, Cbor)) -> Result<(String, Value), Fault> {
    let Cbor::Text(key) = key else { return Err(Fault::malformed("A map key is not text.")) };
    Ok((key, tree(value)?))
}

pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    put("", value, &mut out);
    out
}

/// Writes a member's value; the items of a list are written as their list's member is.
fn put(name: &str, value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(flag) => out.push(if *flag { 0xf5 } else { 0xf4 }),
        Value::Number(number) => {
            if is_time(name) {
                head(TAG, EPOCH, out);
            }
            match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(positive), ..) => head(UNSIGNED, positive, out),
                (None, Some(negative), _) => head(NEGATIVE, (-1 - negative).unsigned_abs(), out),
                // Readers cut off what is smaller than a millisecond: from the nearest double below, they would lose one.
                (None, None, Some(seconds)) if is_time(name) => float(seconds.next_up(), out),
                (None, None, number) => float(number.unwrap_or(f64::NAN), out),
            }
        }
        Value::String(text) => string(text, out),
        Value::Array(items) => {
            head(ARRAY, length(items.len()), out);
            for item in items {
                put(name, item, out);
            }
        }
        Value::Object(members) => {
            head(MAP, length(members.len()), out);
            for (key, value) in members {
                string(key, out);
                put(key, value, out);
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
    use crate::time::Time;
    use crate::value::from_seconds;

    #[test]
    fn what_is_written_is_read_again() {
        let value = json!({
            "Name": "é".repeat(200),
            "Many": (0..300).map(|n: i64| n * n * n * 997 - 5_000_000_000).collect::<Vec<_>>(),
            "Share": 0.1,
            "WholeTime": 1_795_442_580,
            "Long": "x".repeat(70_000),
            "Yes": true,
            "Nothing": null,
        });
        assert_eq!(decode(&encode(&value)), Ok(value));
    }

    #[test]
    fn times_keep_their_milliseconds() {
        for millis in 0..1_000 {
            let at = Time::from_millis(1_795_442_580_000 + millis);
            let written = encode(&json!({ "Time": at }));
            assert_eq!(decode(&written).unwrap()["Time"].as_f64().map(from_seconds), Some(at));
            if millis > 0 {
                // The map's head, its member's name, the tag and the double's head are eight bytes; many readers truncate the double.
                let seconds = f64::from_be_bytes(written[8..].try_into().unwrap());
                assert_eq!(format!("{:03}", (seconds.fract() * 1_000.0).trunc()), format!("{millis:03}"));
            }
            assert_eq!(from_seconds(at.as_secs()), at);
        }
    }

    #[test]
    fn bodies_of_indefinite_length_and_empty_ones_are_read() {
        let body = [0xbf, 0x61, b'A', 0x9f, 0x01, 0x20, 0xff, 0x61, b'B', 0xf9, 0x3c, 0x00, 0xff];
        assert_eq!(decode(&body), Ok(json!({"A": [1, -1], "B": 1.0})));
        assert_eq!(decode(&[0xa1, 0x61, b'N', 0xf9, 0x7e, 0x00]), Ok(json!({"N": "NaN"})));
        assert_eq!(decode(&[]), Ok(json!({})));
        assert_eq!(decode(&[0xa0]), Ok(json!({})));
    }

    #[test]
    fn what_is_not_a_map_is_refused() {
        for body in [&[0x01][..], &[0xbf, 0x61], &[0xff, 0xff], &[0xa1, 0x01, 0x01]] {
            assert_eq!(decode(body).unwrap_err().code, "SerializationException", "{body:?}");
        }
    }
}
