//! How does the Query protocol write a value? Forms to tree, tree to XML.
//!
//! Forms have no types: every value is text until it is read as a number.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, header};
use quick_xml::escape::escape;
use serde_json::{Value, json};

use crate::calendar;
use crate::value::{Fault, from_seconds, is_time};

/// No member of the API lies deeper than eleven names; deeper names are an attack.
const DEPTH: usize = 24;

/// The one member of an answer whose keys are data: only XML tells a map from a structure.
const MAP: &str = "ExtendedStatistics";

pub(crate) struct Dialect {
    /// What a request's `Version` says.
    pub(crate) version: &'static str,
    pub(crate) namespace: &'static str,
}

/// The operation that a request asks for in this dialect.
pub(crate) fn recognise(dialect: &Dialect, request: &Request<Bytes>) -> Option<String> {
    let form = form(request)?;
    (field(form, "Version")? == dialect.version).then_some(())?;
    field(form, "Action")
}

/// The fields of a request: the body of a POST, the question of a GET.
pub(crate) fn form(request: &Request<Bytes>) -> Option<&[u8]> {
    if request.method() == Method::GET {
        return request.uri().query().map(str::as_bytes);
    }
    let kind = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    kind.starts_with("application/x-www-form-urlencoded").then(|| request.body().as_ref())
}

/// A form's fields, by the dots in their names.
#[derive(Default)]
struct Node {
    text: Option<String>,
    below: BTreeMap<String, Self>,
}

/// The value of `name` in a form, if it is there.
fn field(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Reads a form, leaving out what only says which operation it is.
pub(crate) fn decode(form: &[u8]) -> Result<Value, Fault> {
    let mut root = Node::default();
    for (key, text) in form_urlencoded::parse(form) {
        if key == "Action" || key == "Version" {
            continue;
        }
        if key.split('.').count() > DEPTH {
            return Err(Fault::malformed(format!("The parameter {key} is nested too deeply.")));
        }
        let leaf = key.split('.').fold(&mut root, |node, name| node.below.entry(name.to_owned()).or_default());
        leaf.text = Some(text.into_owned());
    }
    Ok(tree(root).unwrap_or_else(|| json!({})))
}

fn tree(mut node: Node) -> Option<Value> {
    if node.below.is_empty() {
        return node.text.map(Value::String);
    }
    if let Some(items) = node.below.remove("member") {
        return Some(Value::Array(in_order(items).filter_map(tree).collect()));
    }
    Some(Value::Object(node.below.into_iter().filter_map(|(name, below)| Some((name, tree(below)?))).collect()))
}

/// The items of a list by their number: `10` comes after `9`.
fn in_order(items: Node) -> impl Iterator<Item = Node> {
    let mut numbered: Vec<_> = items.below.into_iter().map(|(name, item)| (name.parse().unwrap_or(u64::MAX), item)).collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, item)| item)
}

/// Writes an answer; an operation without an output has no result element.
pub(crate) fn answer(dialect: &Dialect, operation: &str, result: Option<&Value>, request_id: &str) -> String {
    let mut out = format!("<{operation}Response xmlns=\"{}\">", dialect.namespace);
    if let Some(result) = result {
        element(&format!("{operation}Result"), result, &mut out);
    }
    element("ResponseMetadata", &json!({ "RequestId": request_id }), &mut out);
    tag("/", &format!("{operation}Response"), &mut out);
    out
}

pub(crate) fn refusal(dialect: &Dialect, fault: &Fault, request_id: &str) -> String {
    let Dialect { namespace, .. } = dialect;
    let kind = fault.blame();
    let (code, message, id) = (escape(fault.code.as_ref()), escape(fault.message.as_str()), escape(request_id));
    let message = if message.is_empty() { String::new() } else { format!("<Message>{message}</Message>") };
    format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{code}</Code>{message}</Error>\
         <RequestId>{id}</RequestId></ErrorResponse>"
    )
}

fn element(name: &str, value: &Value, out: &mut String) {
    tag("", name, out);
    inside(name, value, out);
    tag("/", name, out);
}

/// What stands in an element; the items of a list are written as their list is.
fn inside(name: &str, value: &Value, out: &mut String) {
    match value {
        Value::Null => {}
        Value::Number(seconds) if is_time(name) => {
            out.push_str(&calendar::iso(from_seconds(seconds.as_f64().unwrap_or_default())));
        }
        // A whole double without its fraction.
        Value::Number(number) if number.is_f64() => out.push_str(&number.as_f64().unwrap_or_default().to_string()),
        Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
        Value::String(text) => out.push_str(&escape(text.as_str())),
        Value::Array(items) => {
            for item in items {
                out.push_str("<member>");
                inside(name, item, out);
                out.push_str("</member>");
            }
        }
        Value::Object(entries) if name == MAP => {
            for (key, value) in entries {
                out.push_str("<entry>");
                element("key", &json!(key), out);
                element("value", value, out);
                out.push_str("</entry>");
            }
        }
        Value::Object(members) => members.iter().for_each(|(key, value)| element(key, value, out)),
    }
}

fn tag(slash: &str, name: &str, out: &mut String) {
    out.extend(["<", slash, name, ">"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_become_a_tree() {
        let form = b"Action=X&Version=2010-08-01&A.member.10.N=ten&A.member.2.N=two&A.member.2.V=a%20b&B=&C=7";
        assert_eq!(decode(form), Ok(json!({"A": [{"N": "two", "V": "a b"}, {"N": "ten"}], "B": "", "C": "7"})));
    }

    #[test]
    fn a_bottomless_name_is_refused() {
        let form = format!("{}=1", vec!["a"; 10_000].join("."));
        assert_eq!(decode(form.as_bytes()).unwrap_err().code, "SerializationException");
    }

    #[test]
    fn answers_are_escaped() {
        let value = json!({"L": ["<&>"], "Time": 1_795_442_580, "ExtendedStatistics": {"p90": 1.5}});
        assert_eq!(
            answer(&Dialect { version: "1", namespace: "urn:n" }, "Op", Some(&value), "id"),
            "<OpResponse xmlns=\"urn:n\"><OpResult>\
             <ExtendedStatistics><entry><key>p90</key><value>1.5</value></entry></ExtendedStatistics>\
             <L><member>&lt;&amp;&gt;</member></L><Time>2026-11-23T14:03:00.000Z</Time></OpResult>\
             <ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></OpResponse>"
        );
    }
}
