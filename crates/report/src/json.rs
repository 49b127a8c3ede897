//! What does a program read? One line of JSON for each event.

use std::io::{self, Write};

use rollout::event::{Event, EventKind, FORMAT};
use rollout::{Subject, Time};
use serde::Serialize;
use serde_json::{Value, json};

use crate::Reporter;
use crate::safe::{Out, json_page};

/// An object about an alias: what every one of them has, and `fields`.
pub fn object(kind: &str, at: Time, subject: &Subject, mut fields: Value) -> Value {
    fields["v"] = json!(FORMAT);
    fields["type"] = json!(kind);
    fields["at"] = json!(at);
    fields["function"] = json!(subject.function.name);
    fields["alias"] = json!(subject.alias);
    fields
}

/// Writes every event as one line of JSON.
#[derive(Debug)]
pub struct Json<W> {
    out: Out<W>,
}

impl<W: Write> Json<W> {
    /// A reporter that writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out: Out::new(out) }
    }

    pub(crate) fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        // Whole lines only: a reader at the other end of a pipe must never meet half of one.
        self.out.put(&json_page(&(serde_json::to_string(line)? + "\n")))
    }
}

impl<W: Write> Reporter for Json<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        // Only for the record, or not known here.
        if matches!(event.what, EventKind::Observed(_) | EventKind::Unknown) {
            return Ok(());
        }
        self.line(event)
    }
}
