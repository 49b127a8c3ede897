//! Did everybody wait where a person or the schedule had them wait? Each check reads the write log, and nothing else.

use std::time::Duration;

use sim::{Effect, Time};

use crate::checks::{Finding, ensure, raises};
use crate::note::Note;
use crate::record::{Change, Record, Role};

/// How far the clock of a process may be ahead of AWS', which tells its time in whole seconds.
const OFF: Duration = Duration::from_secs(2);

fn until(note: &Note) -> Option<Time> {
    note.time("u").map(|until| Time::from_millis(until * 1_000))
}

/// When the gate of a live note ends: a pause with a zero before its time.
fn gate(note: &Note) -> Option<Time> {
    let is_gate = note.is_live() && note.fields.get("u").is_some_and(|until| until.starts_with('0'));
    until(note).filter(|_| is_gate)
}

pub(crate) fn paused(record: &Record, _: usize, changes: &[Change<'_>]) -> Finding {
    for (change, _) in raises(changes) {
        let until = change.noted_before.as_ref().and_then(until);
        ensure(until.is_none_or(|until| until <= change.sent), || record.shown(change))?;
    }
    Ok(())
}

/// A rollout opens a gate before its end only where a person did so on one of its functions, and at the same weight. None is closed for want
/// of an approval where one was approved before the last of them ended.
pub(crate) fn ended(record: &Record, changes: &[Change<'_>]) -> Finding {
    let mut approved: Vec<(&str, f64)> = Vec::new();
    let misdated = record.story.weather.iter().any(|weather| matches!(weather.effect, Effect::Dated(_)));
    for change in changes {
        let (Some(before), Some(after)) = (&change.noted_before, &change.noted) else { continue };
        let Some(end) = gate(before).filter(|_| before.id == after.id) else { continue };
        let here = (before.id.as_str(), before.share);
        if change.by(Role::Order) {
            if after.is_live() && (after.share - before.share).abs() < 1e-6 && !after.fields.contains_key("u") {
                approved.push(here);
            }
            // Whoever ends it on one of them takes the approval away.
            if !after.is_live() {
                approved.retain(|(id, _)| *id != before.id);
            }
            continue;
        }
        let opened = after.is_live() && gate(after).is_none();
        // A process whose first answers all had the same wrong date goes on by that.
        let in_time = change.sent + OFF >= end || misdated;
        ensure(!opened || in_time || approved.contains(&here), || record.shown(change))?;
        // Weights that somebody cleared are back without an approval too.
        let unapproved = after.phase == "back" && after.cause == "hand" && change.by(Role::Rollout) && change.away().0 > 0.0;
        ensure(!unapproved || !approved.contains(&here), || record.shown(change))?;
    }
    Ok(())
}
