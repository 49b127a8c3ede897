//! What has happened to the alarms? One item for every creation, update, deletion, change of state and action.
//!
//! Only what is put in is in it; when something happens is decided elsewhere.

use serde_json::{Value as Json, json};

use super::state::AlarmState;
use crate::time::Time;
use crate::words::words;

words! {
    pub(crate) enum ItemKind {
        ConfigurationUpdate = "ConfigurationUpdate",
        StateUpdate = "StateUpdate",
        /// A notification of a change of state.
        Action = "Action",
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HistoryItem {
    pub(crate) at: Time,
    pub(crate) alarm: String,
    pub(crate) alarm_type: &'static str,
    pub(crate) kind: ItemKind,
    pub(crate) summary: String,
    pub(crate) data: String,
}

/// A state with its reasons.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) state: AlarmState,
    pub(super) reason: String,
    pub(super) reason_data: Option<String>,
}

impl Verdict {
    fn json(&self) -> Json {
        let mut verdict = json!({ "stateValue": self.state.name(), "stateReason": self.reason });
        if let Some(data) = &self.reason_data {
            // What a person gave to SetAlarmState need not be JSON.
            verdict["stateReasonData"] = serde_json::from_str(data).unwrap_or_else(|_| Json::from(data.as_str()));
        }
        verdict
    }
}

/// Summary and data of a change of state.
pub(super) fn state_change(before: &Verdict, after: &Verdict) -> (String, String) {
    let data = json!({ "version": "1.0", "oldState": before.json(), "newState": after.json() });
    (format!("Alarm updated from {} to {}", before.state.name(), after.state.name()), data.to_string())
}

/// Its variants are the words that the history has for them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    Create,
    Update,
    Delete,
}

/// Summary and data of a change of configuration, with the configuration after it, or before a deletion.
pub(super) fn configuration_change(name: &str, edit: Edit, configuration: &Json) -> (String, String) {
    let kind = format!("{edit:?}");
    let verb = kind.to_ascii_lowercase() + "d";
    let data = json!({ "version": "1.0", "type": kind, format!("{verb}Alarm"): camel(configuration) });
    (format!("Alarm \"{name}\" {verb}"), data.to_string())
}

/// The history spells members with a small first letter; `OKActions` is `okactions` there.
fn camel(json: &Json) -> Json {
    match json {
        Json::Object(members) => Json::Object(members.iter().map(|(key, value)| (small(key), camel(value))).collect()),
        Json::Array(items) => Json::Array(items.iter().map(camel).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => json.clone(),
    }
}

fn small(key: &str) -> String {
    match key.split_at_checked(1) {
        Some(_) if key.starts_with("OK") => key.to_ascii_lowercase(),
        Some((first, rest)) => first.to_ascii_lowercase() + rest,
        None => String::new(),
    }
}

/// Summary and data of an action.
pub(super) fn action(resource: &str, changed: Time) -> (String, String) {
    let data = json!({
        "actionState": "Succeeded",
        "stateUpdateTimestamp": changed.as_millis(),
        "notificationResource": resource,
    });
    (format!("Successfully executed action {resource}"), data.to_string())
}
