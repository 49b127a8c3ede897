//! What does a hook's own background job report later, and of which function? A tag, as `SIM_HOOK_REPORT` says it.
//!
//! It says what is to be reported and when; the world makes the call.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::refusal::Refusal;
use crate::time::Time;

/// `after=90s key=… value=…`, and perhaps `function=…`. A `{/pointer}` in a word stands for a text in the hook's event, by its JSON
/// pointer: `key={/LifecycleEventHookExecutionId}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Counted from the hook's answer.
    after: Duration,
    key: String,
    value: String,
    /// None: the first text in the event that is called `function`.
    function: Option<String>,
}

/// A call that a function makes later.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) at: Time,
    pub(crate) caller: String,
    pub(crate) request: http::Request<Bytes>,
}

impl Report {
    pub(crate) fn read(text: &str) -> Result<Self, Refusal> {
        let refused = |why: String| Refusal::invalid(format!("SIM_HOOK_REPORT {why}: {text}"));
        let (mut after, mut key, mut value, mut function) = (None, None, None, None);
        for word in text.split_whitespace() {
            let (name, said) = word.split_once('=').ok_or_else(|| refused(format!("has a word without `=`, {word}")))?;
            let place = match name {
                "after" => {
                    let span =
                        humantime::parse_duration(said).map_err(|_| refused(format!("has no duration in after={said}")))?;
                    after = Some(span);
                    continue;
                }
                "key" => &mut key,
                "value" => &mut value,
                "function" => &mut function,
                other => return Err(refused(format!("knows no word {other}"))),
            };
            *place = Some(said.to_owned());
        }
        match (after, key, value) {
            (Some(after), Some(key), Some(value)) => Ok(Self { after, key, value, function }),
            _ => Err(refused("needs after=, key= and value=".to_owned())),
        }
    }

    /// When it is due for a hook that answers at `answered`, of which function it is, and the tag's key and value.
    /// None where the event does not name a function.
    pub(crate) fn of(&self, event: &[u8], answered: Time) -> Option<(Time, String, (String, String))> {
        let event: Value = serde_json::from_slice(event).unwrap_or_default();
        let function = match &self.function {
            Some(function) => filled(function, &event),
            None => called_function(&event)?.to_owned(),
        };
        Some((answered + self.after, function, (filled(&self.key, &event), filled(&self.value, &event))))
    }
}

impl Errand {
    /// Tags a function, as `caller`.
    pub(crate) fn tag(at: Time, caller: &str, arn: &str, (key, value): (String, String)) -> Option<Self> {
        let body = json!({"Tags": {key: value}}).to_string();
        let request = http::Request::post(format!("/2017-03-31/tags/{}", arn.replace(':', "%3A"))).body(body.into()).ok()?;
        Some(Self { at, caller: caller.to_owned(), request })
    }
}

/// A word with what its placeholders stand for; one that finds no text stays as it is.
fn filled(word: &str, event: &Value) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some((before, (pointer, after))) = rest.split_once('{').and_then(|(b, more)| Some((b, more.split_once('}')?))) {
        out.push_str(before);
        match event.pointer(pointer).and_then(Value::as_str) {
            Some(text) => out.push_str(text),
            None => out.extend(["{", pointer, "}"]),
        }
        rest = after;
    }
    out + rest
}

/// The first text called `function`, the outermost first.
fn called_function(event: &Value) -> Option<&str> {
    let members = event.as_object()?;
    members.get("function").and_then(Value::as_str).or_else(|| members.values().find_map(called_function))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_of_the_function_that_the_event_names() {
        let event = br#"{"DeploymentId":"d","x":{"phase":"pre","function":"hello"}}"#;
        let of = |text: &str| Report::read(text).unwrap().of(event, Time::from_millis(500));
        let told = |millis, function: &str, key: &str, value: &str| {
            Some((Time::from_millis(millis), function.to_owned(), (key.to_owned(), value.to_owned())))
        };
        assert_eq!(of("after=90s key=k value=Succeeded"), told(90_500, "hello", "k", "Succeeded"));
        assert_eq!(of("value={/x/phase}:{/DeploymentId}=a key={/no} after=1m function=g"), told(60_500, "g", "{/no}", "pre:d=a"));
        assert_eq!(of("after=0s key={x value=y}"), told(500, "hello", "{x", "y}"));
        assert_eq!(Report::read("after=1s key=k value=v").unwrap().of(b"{}", Time::from_millis(0)), None);
        assert_eq!(Report::read("after=1s key=k value=v").unwrap().of(b"", Time::from_millis(0)), None);
    }

    #[test]
    fn a_report_that_says_too_little_is_refused() {
        for text in ["", "after=1s key=k", "after=soon key=k value=v", "after=1s key=k value=v when=now", "after"] {
            let refusal = Report::read(text).unwrap_err();
            assert!(refusal.message.starts_with("SIM_HOOK_REPORT "), "{}", refusal.message);
        }
    }
}
