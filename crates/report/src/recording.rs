//! How is a rollout recorded so that its decisions can be checked? As its events, each after the observation behind it.
//!
//! An `observed` line has only what has changed since the one before.

use std::collections::BTreeMap;
use std::io::{self, Write};

use rollout::event::{Event, EventKind, Observed};
use serde_json::{Map, Value, json};

use crate::{Json, Reporter};

/// Writes every event as one line of JSON, observations too.
#[derive(Debug)]
pub struct Recording<W> {
    json: Json<W>,
    /// What was last written of each alias.
    known: BTreeMap<(String, String), Known>,
}

/// A plan and an observation as they were last written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) plan: Value,
    pub(crate) seen: Map<String, Value>,
}

pub(crate) const OBSERVED: &str = "observed";

impl<W: Write> Recording<W> {
    /// A reporter that writes to `out`.
    pub fn new(out: W) -> Self {
        Self { json: Json::new(out), known: BTreeMap::new() }
    }

    fn observed(&mut self, event: &Event, observed: &Observed) -> io::Result<()> {
        let known = self.known.entry((event.function.clone(), event.alias.clone())).or_default();
        let mut line = json!({
            "v": event.v, "at": event.at, "function": event.function, "alias": event.alias, "type": OBSERVED,
            "action": observed.action,
        });
        let plan = serde_json::to_value(&observed.plan)?;
        if plan != known.plan {
            line["plan"] = plan.clone();
            known.plan = plan;
        }
        let Value::Object(seen) = serde_json::to_value(&observed.seen)? else { return Ok(()) };
        let changed = seen.iter().filter(|(name, value)| known.seen.get(*name) != Some(value));
        // What is said only while it is so is taken back by saying nothing of it.
        let gone = known.seen.keys().filter(|name| !seen.contains_key(*name)).map(|name| (name.clone(), Value::Null));
        let changed = changed.map(|(name, value)| (name.clone(), value.clone()));
        line["seen"] = Value::Object(changed.chain(gone).collect());
        known.seen = seen;
        self.json.line(&line)
    }
}

impl<W: Write> Reporter for Recording<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let EventKind::Observed(observed) = &event.what { self.observed(event, observed) } else { self.json.event(event) }
    }
}
