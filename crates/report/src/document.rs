//! What does a program read of a whole rollout? One JSON document: the end, and everything over time.
//!
//! For each event as it happens there are the JSON lines.

use rollout::event::{Event, FORMAT};
use serde_json::{Value, json};

use crate::group;
use crate::record::{Record, records};
use crate::safe::{Safe, json_page};

/// The report about the rollouts of these events, as one JSON document. Keys are only ever added.
pub fn document(events: &[Event]) -> Safe {
    let rollouts: Vec<Value> = records(events).iter().map(rollout).collect();
    let mut document = json!({ "v": FORMAT, "type": "report", "rollouts": rollouts });
    if let Some(outcome) = group::outcome(events) {
        document["several"] = json!({ "exit_code": outcome.exit_code, "together": outcome.together });
    }
    json_page(&format!("{document:#}\n"))
}

fn rollout(record: &Record) -> Value {
    let verdict = record.block().verdict;
    let mut rollout = json!({
        "function": record.story.function, "alias": record.story.alias,
        "verdict": format!("{}: {}", verdict.word, verdict.sentence),
        "started_at": record.began, "last_event_at": record.last, "candidate": record.story.candidate,
        "started": record.story.started.as_ref().map(|(_, started)| started), "ending": record.ending,
        "weights": record.shares.iter().map(|(since, weight)| json!({ "since": since, "weight": weight })).collect::<Vec<_>>(),
        "counts": record.counts, "decisions": record.decisions, "hooks": record.hooks,
        "alarms": record.alarms, "warnings": record.warnings,
    });
    if !record.differs.is_empty() {
        rollout["differences"] = json!(record.differs);
    }
    rollout
}
