//! Does every decision of a recorded rollout follow from its observations? Decides again, makes the events again, and compares.
//!
//! It shows that the record is consistent: these observations lead to these decisions, and both to these events and this end, also
//! where a rollback was given up. It cannot show that the observations were true.

use std::collections::{BTreeMap, VecDeque};

use rollout::decide::decide;
use rollout::event::{Event, EventKind};
use rollout::health::clock;
use rollout::memory::GivingUp;
use rollout::narrate::{Round, narrate};
use rollout::observation::Observation;
use rollout::plan::Plan;
use rollout::{Outcome, OutcomeKind};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::recording::{Known, OBSERVED};
use crate::safe::one_line;

/// The result of checking a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many decisions follow from their observations.
    pub decisions: usize,
    /// The first line that does not follow, and why.
    pub fault: Option<String>,
}

/// A line of either kind, as far as both are alike.
#[derive(Deserialize)]
struct Head {
    function: String,
    alias: String,
    #[serde(rename = "type")]
    kind: String,
}

/// The other parts of an observation's line.
#[derive(Deserialize)]
struct Line {
    plan: Option<Value>,
    seen: Map<String, Value>,
    action: Value,
}

/// One alias' rollout, as far as it was checked.
#[derive(Default)]
struct Thread {
    known: Known,
    before: Option<Round>,
    /// Since when a rollback is tried, and how the last decision ended the rollout, if it did.
    giving_up: GivingUp,
    ends: Option<Outcome>,
    /// The events that have to follow, and the line of the observation.
    due: VecDeque<Event>,
    said: usize,
}

/// Checks the text of a record.
///
/// # Errors
/// A line that cannot be read, and a record without observations.
pub fn verify(text: &str) -> Result<Verified, String> {
    let mut threads: BTreeMap<(String, String), Thread> = BTreeMap::new();
    let mut verified = Verified::default();
    let count = text.lines().count();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = index + 1;
        let head: Head = match serde_json::from_str(line) {
            Ok(head) => head,
            // A process that was killed leaves half a line.
            Err(error) if error.is_eof() && number == count && !text.ends_with('\n') => break,
            Err(error) => return Err(format!("line {number}: {error}")),
        };
        let unreadable = |error: serde_json::Error| format!("line {number}: {error}");
        let thread = threads.entry((head.function.clone(), head.alias.clone())).or_default();
        let fault = if head.kind == OBSERVED {
            let line = serde_json::from_str(line).map_err(unreadable)?;
            let fault = thread.decided(number, line, &head).map_err(unreadable)?;
            verified.decisions += usize::from(fault.is_none());
            fault
        } else {
            thread.event(number, &serde_json::from_str(line).map_err(unreadable)?)
        };
        if fault.is_some() {
            verified.fault = fault;
            return Ok(verified);
        }
    }
    verified.fault = threads.values().find_map(|thread| thread.missing(count));
    if verified.decisions == 0 && verified.fault.is_none() {
        return Err("it contains no observations".to_owned());
    }
    Ok(verified)
}

impl Thread {
    fn decided(&mut self, number: usize, line: Line, head: &Head) -> serde_json::Result<Option<String>> {
        if let Some(fault) = self.missing(number) {
            return Ok(Some(fault));
        }
        if let Some(outcome) = &self.ends {
            return Ok(Some(format!("line {number}: the rollout ended at line {}: {outcome}", self.said)));
        }
        if let Some(plan) = line.plan {
            self.known.plan = plan;
        }
        self.known.seen.extend(line.seen);
        self.known.seen.retain(|_, value| !value.is_null());
        let plan: Plan = serde_json::from_value(self.known.plan.clone())?;
        let seen: Observation = serde_json::from_value(Value::Object(self.known.seen.clone()))?;
        let at = seen.now;
        let action = decide(&plan, &seen);
        let follows = serde_json::to_value(&action)?;
        if follows != line.action {
            let recorded = one_line(&line.action.to_string());
            return Ok(Some(format!(
                "line {number}, {}: the recorded decision is {recorded}, but the observation leads to {follows}",
                clock(at)
            )));
        }
        self.ends = self.giving_up.end(&seen, &action);
        let round = Round { seen, action };
        let events = narrate(&plan, self.before.as_ref(), &round).into_iter();
        let event =
            |what| Event { v: rollout::event::FORMAT, at, function: head.function.clone(), alias: head.alias.clone(), what };
        self.due = events.map(event).collect();
        (self.said, self.before) = (number, Some(round));
        Ok(None)
    }

    fn event(&mut self, number: usize, event: &Event) -> Option<String> {
        if event.what == EventKind::Unknown {
            return None;
        }
        if let Some(due) = self.due.pop_front() {
            let differs = due != as_decided(event);
            return differs.then(|| format!("line {number}: from line {} follows {}", self.said, shown(&due)));
        }
        // Another process, with a plan and a memory of its own.
        if matches!(event.what, EventKind::Started(_)) {
            *self = Self::default();
        }
        let ending = event.ending()?;
        let resumes = self.before.take().is_some();
        let Some(outcome) = self.ends.take() else {
            // A refused process does not end the rollout of the killed one before it; but none gives up early.
            let gave_up = matches!(ending.outcome, OutcomeKind::RollbackUnconfirmed | OutcomeKind::LeftInProgress);
            return (resumes && gave_up)
                .then(|| format!("line {number}: the rollout ends here, but line {} continues it", self.said));
        };
        let differs = (ending.exit_code, &ending.outcome) != (outcome.exit_code(), &outcome.kind());
        differs.then(|| format!("line {number}: from line {} follows {outcome}, exit code {}", self.said, outcome.exit_code()))
    }

    /// An event that has to follow and does not, by this line.
    fn missing(&self, number: usize) -> Option<String> {
        self.due.front().map(|due| format!("line {number}: from line {} follows first {}", self.said, shown(due)))
    }
}

/// An event without the differences of two versions, which are not part of an observation.
fn as_decided(event: &Event) -> Event {
    let mut event = event.clone();
    if let EventKind::VersionReady { differs, .. } = &mut event.what {
        differs.clear();
    }
    event
}

fn shown(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_else(|_| "another event".to_owned())
}
