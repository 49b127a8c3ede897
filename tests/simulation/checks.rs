//! Was every single write right? Each check reads the world's write log and the alarms' transitions, and nothing the controller said.
//!
//! How it all ended is judged in `endings`.

use std::collections::BTreeMap;
use std::time::Duration;

use sim::{CallRecord, Delivery, Time};

use crate::endings;
use crate::note::{Note, split};
use crate::record::{Change, Record, Role, Run};
use crate::stage::{ALARMS, ALIAS, FUNCTION};
use crate::story::{Asked, Manner};

/// The versions that are rolled out: 42, and 43 where somebody wrote other code meanwhile.
pub(crate) const CANDIDATES: [&str; 2] = ["42", "43"];

/// What a check found wrong.
pub(crate) type Finding = Result<(), String>;

type Check = fn(&Record, &[Change<'_>]) -> Finding;

/// Every check, by what it promises.
const CHECKS: [(&str, Check); 24] = [
    ("every write carries a revision", conditional),
    ("only stable and candidate get traffic", versions),
    ("a share comes with a note that says so", noted),
    ("shares are the plan's, in order", planned),
    ("no step comes before it is due", due),
    ("nothing rises after a visible alarm", after_alarm),
    ("nothing rises unseen", unseen),
    ("nothing rises uncounted", uncounted),
    ("nothing rises while it is paused", paused),
    ("nothing rises on credentials that end", expiring),
    ("what a person took back stays back", taken_back),
    ("the user's words are kept", words),
    ("nobody writes over another's rollout", own_rollout),
    ("hooks are asked before, and obeyed", hooks),
    ("a hook is asked only after it was announced", announced),
    ("a visible alarm brings everything back at once", prompt),
    ("exit codes say what happened", endings::exit_codes),
    ("where the traffic is said to be, it is", endings::said),
    ("whoever is refused has done nothing", endings::refused),
    ("everything ends in time", endings::in_time),
    ("a claim ends in a terminal note", endings::terminal),
    ("the same command again finishes what was left", endings::finished),
    ("a failing rollback is not called done", endings::rolled_back),
    ("an undisturbed rollout ends as its function deserves", endings::deserved),
];

/// Everything that is wrong with a story, each with the promise it breaks.
pub(crate) fn judge(record: &Record) -> Vec<(&'static str, String)> {
    let changes = record.changes();
    let findings = CHECKS.iter().map(|(promise, check)| (*promise, check(record, &changes)));
    findings.filter_map(|(promise, finding)| Some((promise, finding.err()?))).collect()
}

/// A finding, unless something holds.
pub(crate) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Finding {
    if holds { Ok(()) } else { Err(what()) }
}

/// A write in words.
pub(crate) fn shown(record: &Record, change: &Change<'_>) -> String {
    format!(
        "{:.3} {}: {} {:?} -> {} {:?} {:?}",
        record.seconds(change.call.at),
        change.call.caller,
        change.before.version,
        change.before.weights,
        change.after.version,
        change.after.weights,
        change.after.description
    )
}

fn ours<'c>(changes: &'c [Change<'c>]) -> impl Iterator<Item = &'c Change<'c>> {
    // What changes nothing leaves to others what is theirs.
    changes.iter().filter(|change| change.ours() && change.changed())
}

/// Writes of rollouts that moved traffic away from stable. A person who orders it may do so at any time.
fn raises<'c>(changes: &'c [Change<'c>]) -> impl Iterator<Item = (&'c Change<'c>, &'c Run)> {
    changes
        .iter()
        .filter(|change| change.raised())
        .filter_map(|change| Some((change, change.by?)))
        .filter(|(_, run)| run.role == Role::Rollout)
}

/// Whether a person ordered it.
fn ordered(change: &Change<'_>) -> bool {
    change.by.is_some_and(|run| run.role == Role::Order)
}

fn conditional(record: &Record, _: &[Change<'_>]) -> Finding {
    let bare = record.log.iter().find(|call| {
        call.operation == "UpdateAlias"
            && record.run(&call.caller).is_some()
            && call.revision_sent.as_ref().is_none_or(String::is_empty)
    });
    bare.map_or(Ok(()), |call| Err(format!("{call:?}")))
}

fn versions(record: &Record, changes: &[Change<'_>]) -> Finding {
    for (index, change) in changes.iter().enumerate().filter(|(_, change)| change.ours() && change.changed()) {
        let allowed = |version: &String| {
            let noted = [&change.noted_before, &change.noted].into_iter().flatten();
            noted.clone().any(|note| note.stable == *version || note.candidate == *version) || *version == change.before.version
        };
        let canaries = change.after.weights.keys().all(|key| CANDIDATES.contains(&key.as_str()) && allowed(key));
        let candidate = canaries && !change.after.weights.contains_key(&change.after.version);
        ensure(candidate && allowed(&change.after.version), || shown(record, change))?;
        if change.created() {
            let rightly = record.story.scene.first && CANDIDATES.contains(&change.after.version.as_str());
            ensure(rightly, || shown(record, change))?;
            continue;
        }
        // The alias' version changes when the candidate has everything, and on a way back from a promoted one.
        if change.after.version != change.before.version {
            let whole = change.before.share(&change.after.version) > 1.0 - 1e-6;
            let promoted = change.promoted() && CANDIDATES.contains(&change.after.version.as_str()) && (whole || ordered(change));
            // An owner on its way back takes back what was promoted over its head, by an order or by a write of its own that was late.
            let earlier = changes[..index].iter().rfind(|earlier| earlier.changed());
            let overtaken = earlier.is_some_and(|earlier| ordered(earlier) || matches!(earlier.call.delivery, Delivery::Late(_)));
            let back = CANDIDATES.contains(&change.before.version.as_str())
                && change.by.is_some_and(|run| run.role == Role::RollBack || run.role == Role::Rollout && overtaken);
            ensure(promoted || back, || shown(record, change))?;
        }
    }
    Ok(())
}

/// The share beside the alias' version.
fn canary(change: &Change<'_>) -> (f64, f64) {
    let share = |weights: &BTreeMap<String, f64>| weights.values().sum::<f64>();
    (share(&change.before.weights), share(&change.after.weights))
}

fn noted(record: &Record, changes: &[Change<'_>]) -> Finding {
    for change in ours(changes) {
        let (before, after) = canary(change);
        if after > 0.0 {
            let fits = change
                .noted
                .as_ref()
                .is_some_and(|note| note.is_live() && ((note.share - after).abs() < 1e-6 || near(before, after)));
            ensure(fits, || shown(record, change))?;
        }
    }
    Ok(())
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-6
}

/// What the process that made a change was asked for.
fn asked<'r>(record: &'r Record, change: &'r Change<'_>) -> &'r Asked {
    change.by.and_then(|run| run.asked.as_ref()).unwrap_or(&record.story.asked)
}

fn planned(record: &Record, changes: &[Change<'_>]) -> Finding {
    for change in ours(changes) {
        let plan: Vec<f64> = asked(record, change).steps.iter().map(|step| f64::from(*step) / 100.0).collect();
        let (before, after) = canary(change);
        let promoted = change.promoted();
        if near(after, 0.0) && !promoted || near(before, after) {
            continue;
        }
        if ordered(change) {
            ensure(promoted || near(after, 1.0), || shown(record, change))?;
            continue;
        }
        // A share that a person set is nobody's step; one that was adopted is followed by the next higher.
        let as_noted = change.noted_before.as_ref().is_some_and(|note| near(note.share, before));
        let next = plan.iter().copied().find(|step| *step > before + 1e-6);
        let right = if promoted { near(before, 1.0) } else { next.is_some_and(|next| near(next, after)) };
        ensure(as_noted && right, || shown(record, change))?;
    }
    Ok(())
}

fn due(record: &Record, changes: &[Change<'_>]) -> Finding {
    // A step may come late by a tolerance without the next one being put off; notes are precise to a second.
    let slack = record.story.asked.tolerance() + Duration::from_secs(1);
    let mut began: Vec<(Time, f64)> = Vec::new();
    let mut rollout = String::new();
    let mut plan = None;
    for change in changes {
        if let Some(note) = &change.noted
            && note.id != rollout
        {
            rollout.clone_from(&note.id);
            began.clear();
        }
        let promoted = change.promoted();
        if !change.ours() || !(change.raised() || promoted) {
            continue;
        }
        let asked = asked(record, change);
        // By another plan than before, only the step in force counts.
        let same = |(steps, every): (&Vec<u16>, Duration)| (steps, every) == (&asked.steps, asked.every);
        if !plan.is_none_or(same) {
            began.drain(..began.len().saturating_sub(1));
        }
        plan = Some((&asked.steps, asked.every));
        if ordered(change) {
            began.clear();
        }
        for (back, (at, _)) in began.iter().rev().enumerate() {
            let steps = u32::try_from(back + 1).unwrap();
            let span = if promoted { asked.bake + asked.every * (steps - 1) } else { asked.every * steps };
            ensure(change.call.at + slack >= *at + span, || {
                format!("{span:?} after {}: {}", record.seconds(*at), shown(record, change))
            })?;
        }
        began.push((change.call.at, canary(change).1));
    }
    Ok(())
}

/// The looks at the alarms that a process had an answer to, in order.
pub(crate) fn looks<'r>(record: &'r Record, caller: &'r str) -> impl Iterator<Item = &'r CallRecord> {
    record.log.iter().filter(move |call| {
        call.caller == caller && call.operation == "DescribeAlarms" && call.succeeded() && call.delivery == Delivery::Answered
    })
}

/// When the rollout that a write belongs to wrote its claim.
pub(crate) fn claimed(changes: &[Change<'_>], change: &Change<'_>) -> Option<Time> {
    // Where there is no alias there is nothing to claim.
    if change.created() {
        return change.by.map(|run| run.began);
    }
    let id = &change.noted.as_ref().or(change.noted_before.as_ref())?.id;
    changes.iter().find(|other| other.noted.as_ref().is_some_and(|note| note.id == *id)).map(|claim| claim.call.at)
}

/// Whether a red alarm speaks against a rollout: one that was red before may have been allowed.
pub(crate) fn counts(record: &Record, alarm: &str, at: Time, claimed: Time) -> bool {
    let since = record.alarms.iter().find(|(name, _)| *name == alarm);
    let since = since.and_then(|(_, all)| all.iter().rev().find(|(since, _)| *since <= at)).map(|(since, _)| *since);
    // What happened in the very second of the claim may be taken either way.
    record.red(alarm, at)
        && (!record.story.asked.ignore_red || since.is_some_and(|since| since > claimed + Duration::from_secs(1)))
}

fn after_alarm(record: &Record, changes: &[Change<'_>]) -> Finding {
    for (change, run) in raises(changes) {
        let Some(claimed) = claimed(changes, change) else { continue };
        for look in looks(record, &run.caller).filter(|look| look.at < change.sent && look.at >= claimed) {
            for (alarm, transitions) in &record.alarms {
                ensure(!counts(record, alarm, look.at, claimed), || {
                    format!("{alarm} was seen red at {:.3}: {}", record.seconds(look.at), shown(record, change))
                })?;
                // Red and green again in between is told by the history, whoever looks.
                let between = |at: &Time| *at > claimed + Duration::from_secs(1) && *at <= look.at;
                let reddened = transitions.iter().find(|(at, state)| state == "ALARM" && between(at));
                ensure(reddened.is_none(), || {
                    format!("{alarm} was red since {:?}: {}", reddened.map(|(at, _)| record.seconds(*at)), shown(record, change))
                })?;
            }
        }
    }
    Ok(())
}

fn unseen(record: &Record, changes: &[Change<'_>]) -> Finding {
    let asked = &record.story.asked;
    let deleted = record.log.iter().find(|call| call.operation == "DeleteAlarms").map(|call| call.at);
    for (change, run) in raises(changes).filter(|_| asked.alarms > 0) {
        let last = looks(record, &run.caller).filter(|look| look.at <= change.sent).last();
        let fresh = last.is_some_and(|look| look.at + asked.freshness() + Duration::from_millis(100) >= change.sent);
        ensure(fresh, || format!("last look at {:?}: {}", last.map(|look| record.seconds(look.at)), shown(record, change)))?;
        let whole = deleted.is_none_or(|deleted| last.is_some_and(|look| look.at < deleted));
        ensure(whole, || format!("{} was deleted: {}", ALARMS[0], shown(record, change)))?;
    }
    Ok(())
}

/// The first share has no calls to count yet; every later one has.
fn uncounted(record: &Record, changes: &[Change<'_>]) -> Finding {
    let asked = &record.story.asked;
    for (change, run) in raises(changes).filter(|(change, _)| asked.compares && canary(change).0 > 0.0) {
        let counted = |call: &&CallRecord| {
            call.caller == run.caller
                && call.operation == "GetMetricData"
                && call.succeeded()
                && call.delivery == Delivery::Answered
                && call.at <= change.sent
        };
        let last = record.log.iter().rfind(counted).map(|call| call.at);
        let fresh = last.is_some_and(|last| last + asked.counts_freshness() + Duration::from_millis(100) >= change.sent);
        ensure(fresh, || format!("last count at {:?}: {}", last.map(|last| record.seconds(last)), shown(record, change)))?;
    }
    Ok(())
}

fn paused(record: &Record, changes: &[Change<'_>]) -> Finding {
    for (change, _) in raises(changes) {
        let until = change.noted_before.as_ref().and_then(|note| note.time("u")).map(|until| Time::from_millis(until * 1_000));
        ensure(until.is_none_or(|until| until <= change.sent), || shown(record, change))?;
    }
    Ok(())
}

/// Two minutes before they end, what a signal would do is done.
fn expiring(record: &Record, changes: &[Change<'_>]) -> Finding {
    for (change, run) in raises(changes) {
        // The dates of answers are precise to a second.
        let late = run.expires.is_some_and(|end| change.sent + Duration::from_secs(118) > end);
        ensure(!late, || shown(record, change))?;
    }
    Ok(())
}

/// A hand rollback, weights cleared in the console, or the alias moved by somebody else, while a rollout was under way.
fn takes_back(change: &Change<'_>) -> bool {
    let Some(note) = change.noted_before.as_ref().filter(|note| note.is_live()) else { return false };
    match change.by {
        Some(run) => run.role != Role::Rollout && change.noted.as_ref().is_some_and(|note| note.phase == "back"),
        None => {
            note.share > 0.0 && canary(change).0 > 0.0 && canary(change).1 == 0.0 || change.before.version != change.after.version
        }
    }
}

fn taken_back(record: &Record, changes: &[Change<'_>]) -> Finding {
    for (index, taken) in changes.iter().enumerate().filter(|(_, change)| takes_back(change)) {
        let Some(note) = &taken.noted_before else { continue };
        let moved = taken.before.version != taken.after.version;
        let later = changes.get(index + 1..).unwrap_or_default();
        // Who deletes the note deletes its memory of rejected versions.
        let forgotten = later.iter().find(|change| !change.ours() && change.noted_before.is_some() && change.noted.is_none());
        for (change, run) in raises(later) {
            let moved = moved || forgotten.is_some_and(|forgotten| forgotten.call.at < change.call.at);
            let same = change.noted.as_ref().is_some_and(|noted| noted.id == note.id);
            let known =
                note.candidate != "-" && !moved && change.noted.as_ref().is_some_and(|noted| noted.candidate == note.candidate);
            // Another rollout may have been started before, as long as it only looked, and claimed, after.
            let later = claimed(changes, change).is_some_and(|claimed| claimed > taken.call.at) || run.began > taken.call.at;
            ensure(!same && !known && later, || {
                format!("taken back by {}\nraised by {}", shown(record, taken), shown(record, change))
            })?;
        }
    }
    Ok(())
}

fn words(record: &Record, changes: &[Change<'_>]) -> Finding {
    for change in ours(changes) {
        let kept = split(&change.before.description).0 == split(&change.after.description).0;
        ensure(kept, || format!("{:?} before {}", change.before.description, shown(record, change)))?;
    }
    Ok(())
}

fn hooks(record: &Record, changes: &[Change<'_>]) -> Finding {
    let scene = &record.story.scene;
    let asked = |hook: &str, since: Time, until: Time| {
        record.log.iter().any(|call| {
            call.operation == "Invoke"
                && call.resource.contains(hook)
                && call.status == 200
                && since <= call.at
                && call.at <= until
        })
    };
    for change in ours(changes) {
        // The first version is asked about before it gets the alias, and once more before that is final.
        let first = change.noted.as_ref().is_some_and(|note| note.stable == "-" && note.phase == "promoted") && !change.created();
        let promoted = change.promoted() || first;
        if ordered(change) {
            continue;
        }
        let gate = match (change.raised(), promoted) {
            (_, true) => scene.post_hook.map(|manner| ("postHook", manner)),
            (true, false) => scene.pre_hook.map(|manner| ("preHook", manner)),
            (false, false) => None,
        };
        let (Some((hook, manner)), Some(claimed)) = (gate, claimed(changes, change)) else { continue };
        // A share that was adopted was there before anybody could be asked.
        let adopted = changes.iter().any(|first| first.call.at == claimed && canary(first).1 > 0.0);
        if adopted && hook == "preHook" {
            continue;
        }
        ensure(manner == Manner::Succeeds && asked(hook, claimed, change.sent), || {
            format!("{hook} {manner:?}: {}", shown(record, change))
        })?;
    }
    Ok(())
}

fn own_rollout(record: &Record, changes: &[Change<'_>]) -> Finding {
    for change in ours(changes).filter(|change| change.by.is_some_and(|run| run.role == Role::Rollout)) {
        let others = change
            .noted_before
            .as_ref()
            .filter(|note| note.is_live() && change.noted.as_ref().is_none_or(|noted| noted.id != note.id));
        let aside = change.by.is_some_and(|run| run.supersedes);
        ensure(others.is_none() || aside, || format!("over {:?}: {}", change.before.description, shown(record, change)))?;
    }
    Ok(())
}

fn announced(record: &Record, changes: &[Change<'_>]) -> Finding {
    // A dry run is answered 204 and runs nothing.
    for call in
        record.log.iter().filter(|call| call.operation == "Invoke" && call.status == 200 && call.delivery != Delivery::Refused)
    {
        let last = changes.iter().rfind(|change| change.call.caller == call.caller && change.sent <= call.at);
        // Where there is no alias yet, nobody can announce anything; whoever has seen one may not ask.
        let seen = |other: &&CallRecord| {
            other.caller == call.caller && other.operation == "GetAlias" && other.succeeded() && other.at <= call.at
        };
        let unmade = record.story.scene.first && record.log.iter().find(seen).is_none();
        if unmade && call.resource.contains("preHook") {
            continue;
        }
        let announced =
            last.and_then(|change| change.noted.as_ref()).is_some_and(|note| note.phase == "pre" || note.phase == "post");
        ensure(announced, || format!("{} asked {} at {:.3}", call.caller, call.resource, record.seconds(call.at)))?;
    }
    Ok(())
}

/// Where nothing else goes wrong: within a poll it is seen, and with the second call at the latest everything is back.
fn prompt(record: &Record, changes: &[Change<'_>]) -> Finding {
    if !record.story.undisturbed() {
        return Ok(());
    }
    // An answer takes 60 ms at the most, and a look at most one poll more.
    let patience = record.story.asked.poll + Duration::from_millis(200);
    for (alarm, transitions) in &record.alarms {
        for (index, (red, _)) in transitions.iter().enumerate().filter(|(_, (_, state))| state == "ALARM") {
            let green = transitions.get(index + 1).map_or(*red + Duration::from_hours(1), |(at, _)| *at);
            let standing = changes.iter().rev().find(|change| change.call.at <= *red);
            // A first version has nothing to go back to.
            let live = |note: &Note| note.is_live() && note.stable != "-";
            let Some(standing) = standing.filter(|change| change.away().1 > 1e-6 && change.noted.as_ref().is_some_and(live))
            else {
                continue;
            };
            let claimed = claimed(changes, standing).unwrap();
            // Promoted in the meantime, or green again before anybody could see it.
            if green <= *red + patience || !counts(record, alarm, *red, claimed) {
                continue;
            }
            let next = changes.iter().find(|change| change.call.at > *red && change.away().1 < 1e-6);
            let promoted =
                changes.iter().any(|change| change.call.at > *red && change.promoted() && change.call.at <= *red + patience);
            let back = next.is_some_and(|change| change.call.at <= *red + patience);
            ensure(back || promoted, || {
                format!("{alarm} went red at {:.3}, back {:?}", record.seconds(*red), next.map(|next| shown(record, next)))
            })?;
            let look = record.log.iter().find(|call| call.operation == "DescribeAlarms" && call.at >= *red).map(|call| call.seq);
            let calls = next.zip(look).map_or(0, |(next, look)| {
                record
                    .log
                    .iter()
                    .filter(|call| call.seq > look && call.seq <= next.call.seq && call.resource.contains(ALIAS))
                    .count()
            });
            ensure(promoted || calls <= 2, || format!("{calls} calls to {FUNCTION} until it was back"))?;
        }
    }
    Ok(())
}
