//! Does a guard do what it is there for, and nothing else? It brings back what nobody owns any more, in time, and leaves alone what somebody does.

use std::time::Duration;

use sim::{GuardRun, Time};

use crate::checks::{Finding, ensure};
use crate::note::Note;
use crate::record::{Change, GUARD_CALLER, Record, Role};
use crate::story::Guarding;

/// Slack and turns of a guard after the end of a lease, as the program promises.
const PATIENCE: Duration = Duration::from_mins(3);

/// Its longest wait between two tries while AWS fails.
const RETRY: Duration = Duration::from_mins(1);

/// A rollout in progress that has something to go back to, and is on that, but for the weight of its candidate, which nobody has cleared.
fn in_progress<'c>(change: &'c Change<'_>) -> Option<&'c Note> {
    let note = change.noted.as_ref().filter(|note| note.is_live() && note.stable != "-")?;
    let alone = change.after.weights.iter().all(|(version, weight)| *version == note.candidate || *weight == 0.0);
    let weighted = change.after.weights.values().any(|weight| *weight > 0.0);
    (alone && change.after.version == note.stable && (weighted || note.share == 0.0)).then_some(note)
}

fn lease(note: &Note) -> Option<Time> {
    note.time("l").map(|lease| Time::from_millis(lease * 1_000))
}

/// Nothing rises without a guard that must have one, and nothing that a guard watches stays as nobody's for longer than three minutes after its lease,
/// from when AWS lets it act; a guard ends with what it watches, writes only after a lease, and only to stable.
pub(crate) fn restored(record: &Record, _: usize, changes: &[Change<'_>]) -> Finding {
    for change in changes.iter().filter(|change| change.call.caller == GUARD_CALLER) {
        rightly(record, change)?;
    }
    let required = changes.iter().filter(|_| record.story.guard == Guarding::Required);
    for change in required.filter(|change| change.raised() && change.by(Role::Rollout) && !change.created()) {
        let watches = |guard: &GuardRun| Some(guard.rollout.as_str()) == change.id() && guard.began <= change.sent;
        ensure(record.guards.iter().any(watches), || format!("unguarded: {}", record.shown(change)))?;
    }
    for guard in &record.guards {
        ends(record, changes, guard)?;
        for (place, change) in changes.iter().enumerate() {
            let Some(note) = in_progress(change).filter(|note| note.id == guard.rollout) else { continue };
            let Some(lease) = lease(note) else { continue };
            let from = let_act(record, lease.max(guard.began).max(change.call.at));
            let next = changes.get(place + 1).map_or(record.over, |next| next.call.at);
            // One that has ended before says so, and is judged for that.
            let watched = guard.ended.is_none_or(|ended| ended > from + PATIENCE);
            ensure(!watched || next <= from + PATIENCE, || {
                format!(
                    "its lease ended at {:.3}, and {:.3} is next: {}",
                    record.seconds(lease),
                    record.seconds(next),
                    record.shown(change)
                )
            })?;
        }
    }
    Ok(())
}

/// A write of a guard: after the lease of what it found, by as much as one of the guards of that rollout waits, and towards stable.
fn rightly(record: &Record, change: &Change<'_>) -> Finding {
    let found = change.noted_before.as_ref().filter(|note| note.is_live());
    let slack = |note: &Note| record.guards.iter().filter(|guard| guard.rollout == note.id).map(|guard| guard.slack).min();
    let due = found.and_then(|note| Some(lease(note)? + slack(note)?));
    let to_stable = found.is_some_and(|note| change.after.version == note.stable && change.before.version == note.stable);
    // Without room for its note it leaves none.
    let said = change.noted.as_ref().is_none_or(|note| note.phase == "back" && note.cause == "abandoned");
    ensure(due.is_some_and(|due| change.call.at >= due) && to_stable && change.after.weights.is_empty() && said, || {
        record.shown(change)
    })
}

/// When a guard can act that should at this time: AWS refuses no call then that it makes.
fn let_act(record: &Record, mut from: Time) -> Time {
    let mut weather: Vec<_> = record.story.weather.iter().collect();
    weather.sort_by_key(|weather| weather.from);
    for weather in weather.into_iter().filter(|weather| !matches!(weather.operation, Some(other) if !CALLS.contains(&other))) {
        let (begins, over) = (record.opened + weather.from, record.opened + weather.over());
        if begins <= from + PATIENCE && over > from {
            from = over + RETRY;
        }
    }
    from
}

/// The calls of a guard.
const CALLS: [&str; 2] = ["GetAlias", "UpdateAlias"];

/// A guard ends when what it watches has ended, or is no longer what it watches, or fails where AWS refuses it for good.
fn ends(record: &Record, changes: &[Change<'_>], guard: &GuardRun) -> Finding {
    let described =
        || format!("the guard of {} ended at {:?}: {}", guard.rollout, guard.ended.map(|at| record.seconds(at)), guard.status);
    let Some(ended) = guard.ended else {
        let left = changes.last().and_then(in_progress).is_some_and(|note| note.id == guard.rollout);
        // It looks every three minutes.
        let just_over = changes.last().is_none_or(|last| last.call.at + PATIENCE + RETRY > record.over);
        return ensure(left || just_over, described);
    };
    let refused = record.story.weather.iter().any(|weather| weather.operation.is_none_or(|operation| CALLS.contains(&operation)));
    if guard.status == "FAILED" {
        return ensure(refused, described);
    }
    // It looks twice, a minute apart, before it lets go.
    let since = ended - Duration::from_mins(3);
    let before = changes.iter().rposition(|change| change.call.at <= since).unwrap_or(0);
    let mut seen = changes.iter().skip(before).take_while(|change| change.call.at <= ended);
    // What was left without a lease was left on purpose, and is nothing to guard.
    let gone = seen.any(|change| in_progress(change).is_none_or(|note| note.id != guard.rollout || lease(note).is_none()));
    ensure(gone || changes.is_empty(), described)
}
