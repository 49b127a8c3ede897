//! Was every single write right? Each check reads the world's write log and the alarms' transitions, and nothing the controller said.
//!
//! What several functions owe each other is judged in `together`, and how it all ended in `endings`.

use std::collections::BTreeMap;
use std::time::Duration;

use sim::{CallRecord, Delivery, Time};

use self::Check::{All, Each};
use crate::note::{Note, split};
use crate::record::{Alarm, Change, Record, Role, Run};
use crate::stage::{ALIAS, alarms, name};
use crate::story::{Asked, Manner};
use crate::{endings, gates, guarded, together};

/// The versions that are rolled out: 42, and 43 where somebody wrote other code meanwhile.
pub(crate) const CANDIDATES: [&str; 2] = ["42", "43"];

pub(crate) type Finding = Result<(), String>;

/// What a check is given to read.
enum Check {
    /// The writes to all aliases.
    All(fn(&Record, &[Change<'_>]) -> Finding),
    /// Each function, and the writes to its alias.
    Each(fn(&Record, usize, &[Change<'_>]) -> Finding),
}

/// Every check, by what it promises. A story of one function is judged by all of them, as one of several is.
const CHECKS: [(&str, Check); 39] = [
    ("every write carries a revision", All(conditional)),
    ("only stable and candidate get traffic", Each(versions)),
    ("a share comes with a note that says so", Each(noted)),
    ("shares are the plan's, in order", Each(planned)),
    ("no step comes before it is due", Each(due)),
    ("nothing rises after an alarm that was seen", Each(after_seen_alarm)),
    ("nothing rises unseen", Each(unseen)),
    ("nothing rises uncounted", Each(uncounted)),
    ("nothing rises while it is paused", Each(gates::paused)),
    ("a gate ends by a person's order on one of them, or by its time", All(gates::ended)),
    ("nothing rises on credentials that end", Each(expiring)),
    ("what a person took back stays back", Each(taken_back)),
    ("the user's words are kept", Each(words)),
    ("nobody writes over another's rollout", Each(own_rollout)),
    ("hooks are asked before, and obeyed", Each(hooks)),
    ("a hook is asked only after it was announced", Each(announced)),
    ("a visible alarm brings a function back at once", Each(prompt)),
    ("nothing rises unguarded, and what nobody owns is on stable soon after its lease", Each(guarded::restored)),
    ("claims are made in order", All(together::claims)),
    ("nothing moves before all are claimed, and nobody is more than a step ahead", All(together::in_step)),
    ("nothing rises once somebody is back", All(together::after_back)),
    ("nothing rises once any alarm was visible", All(together::after_alarm)),
    ("no version is final before all have passed everything", All(together::commit)),
    ("only the first of them makes the commit", All(together::leader)),
    ("after the commit nothing automatic goes back", All(together::forward)),
    ("a visible alarm brings all back at once", All(together::prompt)),
    ("exit codes say what happened", Each(endings::exit_codes)),
    ("the exit code of all is that of the worst of them", All(endings::exit_codes_of_all)),
    ("where the traffic is said to be, it is", Each(endings::said)),
    ("whoever is refused has done nothing", All(endings::refused)),
    ("nothing is done before AWS has moved the traffic", Each(endings::moved)),
    ("what nobody could invoke is not promoted", Each(endings::ran)),
    ("everything ends in time", All(endings::in_time)),
    ("a claim ends in a terminal note", Each(endings::terminal)),
    ("who ends leaves nothing behind", All(endings::released)),
    ("all or none", All(endings::all_or_none)),
    ("the same command again finishes what was left", Each(endings::finished)),
    ("a failing rollback is not called done", Each(endings::rolled_back)),
    ("an undisturbed rollout ends as its functions deserve", All(endings::deserved)),
];

/// Everything that is wrong with a story, each with the promise it breaks.
pub(crate) fn judge(record: &Record) -> Vec<(&'static str, String)> {
    let changes = record.changes();
    let of = |member| changes.iter().filter(|change| change.member == member).cloned().collect();
    let members: Vec<Vec<Change<'_>>> = (0..record.story.many).map(of).collect();
    let find = |check: &Check| match check {
        All(check) => check(record, &changes),
        Each(check) => members.iter().enumerate().try_for_each(|(member, changes)| check(record, member, changes)),
    };
    CHECKS.iter().filter_map(|(promise, check)| Some((*promise, find(check).err()?))).collect()
}

/// A finding, unless something holds.
pub(crate) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Finding {
    if holds { Ok(()) } else { Err(what()) }
}

fn ours<'c>(changes: &'c [Change<'c>]) -> impl Iterator<Item = &'c Change<'c>> {
    // What changes nothing leaves to others what is theirs.
    changes.iter().filter(|change| change.ours() && change.changed())
}

/// Writes of rollouts that moved traffic away from stable. A person who orders it may do so at any time.
pub(crate) fn raises<'c>(changes: &'c [Change<'c>]) -> impl Iterator<Item = (&'c Change<'c>, &'c Run)> {
    changes.iter().filter(|change| change.raised() && change.by(Role::Rollout)).filter_map(|change| Some((change, change.by?)))
}

fn ordered(change: &Change<'_>) -> bool {
    change.by(Role::Order)
}

fn conditional(record: &Record, _: &[Change<'_>]) -> Finding {
    let bare = record.log.iter().find(|call| {
        call.operation == "UpdateAlias"
            && record.run(&call.caller).is_some()
            && call.revision_sent.as_ref().is_none_or(String::is_empty)
    });
    bare.map_or(Ok(()), |call| Err(format!("{call:?}")))
}

fn versions(record: &Record, _: usize, changes: &[Change<'_>]) -> Finding {
    for (index, change) in changes.iter().enumerate().filter(|(_, change)| change.ours() && change.changed()) {
        let allowed = |version: &String| {
            let noted = [&change.noted_before, &change.noted].into_iter().flatten();
            noted.clone().any(|note| note.stable == *version || note.candidate == *version)
                || *version == change.before.version
                || before_it(change) == Some(version)
        };
        let canaries = change.after.weights.keys().all(|key| CANDIDATES.contains(&key.as_str()) && allowed(key));
        let candidate = canaries && !change.after.weights.contains_key(&change.after.version);
        ensure(candidate && allowed(&change.after.version), || record.shown(change))?;
        if change.created() {
            let rightly = record.story.scene.first && CANDIDATES.contains(&change.after.version.as_str());
            ensure(rightly, || record.shown(change))?;
            continue;
        }
        // The alias' version changes when the candidate has everything, and on a way back from a promoted one.
        if change.after.version != change.before.version {
            let whole = change.before.share(&change.after.version) > 1.0 - 1e-6;
            let promoted = change.promoted() && CANDIDATES.contains(&change.after.version.as_str()) && (whole || ordered(change));
            // An owner on its way back takes back what was promoted over its head, by an order or by a write of its own that was late.
            let earlier = changes[..index].iter().rfind(|earlier| earlier.changed());
            let overtaken = earlier.is_some_and(|earlier| ordered(earlier) || matches!(earlier.call.delivery, Delivery::Late(_)));
            let promoted_before = change.noted_before.as_ref().is_some_and(|note| note.candidate == change.before.version);
            let back = (promoted_before
                || before_it(change) == Some(&change.after.version)
                || CANDIDATES.contains(&change.before.version.as_str()))
                && change.by.is_some_and(|run| {
                    run.role == Role::RollBack || run.role == Role::Rollout && (overtaken || with_group(record, change))
                });
            ensure(promoted || back, || record.shown(change))?;
        }
    }
    Ok(())
}

/// Whether a final version of this rollout comes back because another member of its group is back: all of them or none.
fn with_group(record: &Record, change: &Change<'_>) -> bool {
    let back = |note: &Note| note.phase == "back" && Some(note.id.as_str()) == change.id();
    let other = |other: &Change<'_>| other.member != change.member && other.call.at <= change.call.at;
    change.noted.as_ref().is_some_and(|note| note.cause == "group")
        && record.changes().iter().any(|earlier| other(earlier) && earlier.noted.as_ref().is_some_and(back))
}

/// The version before stable, where the note keeps it: a person may go back to it.
fn before_it<'c>(change: &'c Change<'_>) -> Option<&'c String> {
    change.noted_before.as_ref().filter(|_| change.by(Role::RollBack))?.fields.get("p")
}

/// The share beside the alias' version.
fn canary(change: &Change<'_>) -> (f64, f64) {
    let share = |weights: &BTreeMap<String, f64>| weights.values().sum::<f64>();
    (share(&change.before.weights), share(&change.after.weights))
}

fn noted(record: &Record, _: usize, changes: &[Change<'_>]) -> Finding {
    for change in ours(changes) {
        let (before, after) = canary(change);
        if after > 0.0 {
            let fits = change
                .noted
                .as_ref()
                .is_some_and(|note| note.is_live() && ((note.share - after).abs() < 1e-6 || near(before, after)));
            ensure(fits, || record.shown(change))?;
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

fn planned(record: &Record, _: usize, changes: &[Change<'_>]) -> Finding {
    for change in ours(changes) {
        let plan: Vec<f64> = asked(record, change).steps.iter().map(|step| f64::from(*step) / 100.0).collect();
        let (before, after) = canary(change);
        let promoted = change.promoted();
        if near(after, 0.0) && !promoted || near(before, after) {
            continue;
        }
        if ordered(change) {
            ensure(promoted || near(after, 1.0), || record.shown(change))?;
            continue;
        }
        // A share that a person set is nobody's step; one that was adopted is followed by the next higher.
        let as_noted = change.noted_before.as_ref().is_some_and(|note| near(note.share, before));
        let next = plan.iter().copied().find(|step| *step > before + 1e-6);
        let right = if promoted { near(before, 1.0) } else { next.is_some_and(|next| near(next, after)) };
        ensure(as_noted && right, || record.shown(change))?;
    }
    Ok(())
}

fn due(record: &Record, _: usize, changes: &[Change<'_>]) -> Finding {
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
                format!("{span:?} after {}: {}", record.seconds(*at), record.shown(change))
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
fn claimed(changes: &[Change<'_>], change: &Change<'_>) -> Option<Time> {
    // Where there is no alias there is nothing to claim.
    if change.created() {
        return change.by.map(|run| run.began);
    }
    claimed_for(changes, change.member, change.id()?)
}

/// When a function was claimed for a rollout.
pub(crate) fn claimed_for(changes: &[Change<'_>], member: usize, id: &str) -> Option<Time> {
    let claim = changes.iter().find(|change| change.member == member && change.of_rollout(id).is_some());
    claim.map(|claim| claim.call.at)
}

/// Whether a red alarm speaks against a rollout: one that was red before may have been allowed.
fn counts(record: &Record, alarm: &Alarm, at: Time, claimed: Time) -> bool {
    // What happened in the very second of the claim may be taken either way.
    let new = |since: Time| !record.story.asked.ignore_red || since > claimed + Duration::from_secs(1);
    alarm.at(at).is_some_and(|(since, state)| state == "ALARM" && new(*since))
}

fn after_seen_alarm(record: &Record, member: usize, changes: &[Change<'_>]) -> Finding {
    // Which alarms a look was at is not in the log; several functions are looked at in turn.
    if record.story.many > 1 {
        return Ok(());
    }
    for (change, run) in raises(changes) {
        let Some(claimed) = claimed(changes, change) else { continue };
        for look in looks(record, &run.caller).filter(|look| look.at < change.sent && look.at >= claimed) {
            for alarm in &record.alarms[member] {
                ensure(!counts(record, alarm, look.at, claimed), || {
                    format!("{} was seen red at {:.3}: {}", alarm.name, record.seconds(look.at), record.shown(change))
                })?;
                // Red and green again in between is told by the history, whoever looks.
                let reddened = alarm.reddened(claimed + Duration::from_secs(1)).find(|at| *at <= look.at);
                ensure(reddened.is_none(), || {
                    format!("{} was red since {:?}: {}", alarm.name, reddened.map(|at| record.seconds(at)), record.shown(change))
                })?;
            }
        }
    }
    Ok(())
}

fn unseen(record: &Record, member: usize, changes: &[Change<'_>]) -> Finding {
    let asked = &record.story.asked;
    let deleted = record.log.iter().find(|call| call.operation == "DeleteAlarms").filter(|_| member == 0).map(|call| call.at);
    for (change, run) in raises(changes).filter(|_| asked.alarms > 0) {
        let last = looks(record, &run.caller).filter(|look| look.at <= change.sent).last();
        let fresh = last.is_some_and(|look| look.at + record.story.freshness() + Duration::from_millis(100) >= change.sent);
        ensure(fresh, || format!("last look at {:?}: {}", last.map(|look| record.seconds(look.at)), record.shown(change)))?;
        let whole = deleted.is_none_or(|deleted| last.is_some_and(|look| look.at < deleted));
        ensure(whole, || format!("{} was deleted: {}", alarms(member)[0], record.shown(change)))?;
    }
    Ok(())
}

/// The first share has no calls to count yet; every later one has.
fn uncounted(record: &Record, _: usize, changes: &[Change<'_>]) -> Finding {
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
        let fresh = last.is_some_and(|last| last + record.story.counts_freshness() + Duration::from_millis(100) >= change.sent);
        ensure(fresh, || format!("last count at {:?}: {}", last.map(|last| record.seconds(last)), record.shown(change)))?;
    }
    Ok(())
}

/// Two minutes before they end, what a signal would do is done.
fn expiring(record: &Record, _: usize, changes: &[Change<'_>]) -> Finding {
    for (change, run) in raises(changes) {
        // The dates of answers are precise to a second.
        let late = run.expires.is_some_and(|end| change.sent + Duration::from_secs(118) > end);
        ensure(!late, || record.shown(change))?;
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

fn taken_back(record: &Record, _: usize, changes: &[Change<'_>]) -> Finding {
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
                format!("taken back by {}\nraised by {}", record.shown(taken), record.shown(change))
            })?;
        }
    }
    Ok(())
}

fn words(record: &Record, _: usize, changes: &[Change<'_>]) -> Finding {
    for change in ours(changes) {
        let kept = split(&change.before.description).0 == split(&change.after.description).0;
        ensure(kept, || format!("{:?} before {}", change.before.description, record.shown(change)))?;
    }
    Ok(())
}

fn hooks(record: &Record, member: usize, changes: &[Change<'_>]) -> Finding {
    let [pre_hook, post_hook] = record.story.hooks(member);
    let asked = |hook: &str, since: Time, until: Time| {
        let calls = record.log.iter().filter(|call| call.operation == "Invoke" && call.status == 200);
        calls.filter(|call| since <= call.at && call.at <= until).any(|call| call.resource.contains(hook))
    };
    for change in ours(changes) {
        // The first version is asked about before it gets the alias, and once more before that is final.
        let first = change.noted.as_ref().is_some_and(|note| note.stable == "-" && note.phase == "promoted") && !change.created();
        let promoted = change.promoted() || first;
        if ordered(change) {
            continue;
        }
        let (hook, manner) = match (change.raised(), promoted) {
            (_, true) => &post_hook,
            (true, false) => &pre_hook,
            (false, false) => continue,
        };
        let (Some(manner), Some(claimed)) = (manner, claimed(changes, change)) else { continue };
        // A share that was adopted was there before anybody could be asked.
        let adopted = changes.iter().any(|first| first.call.at == claimed && canary(first).1 > 0.0);
        if adopted && !promoted {
            continue;
        }
        ensure(*manner == Manner::Succeeds && asked(hook, claimed, change.sent), || {
            format!("{hook} {manner:?}: {}", record.shown(change))
        })?;
    }
    Ok(())
}

fn own_rollout(record: &Record, _: usize, changes: &[Change<'_>]) -> Finding {
    for change in ours(changes).filter(|change| change.by(Role::Rollout)) {
        let others = change
            .noted_before
            .as_ref()
            .filter(|note| note.is_live() && change.noted.as_ref().is_none_or(|noted| noted.id != note.id));
        let aside = change.by.is_some_and(|run| run.supersedes);
        ensure(others.is_none() || aside, || format!("over {:?}: {}", change.before.description, record.shown(change)))?;
    }
    Ok(())
}

fn announced(record: &Record, member: usize, changes: &[Change<'_>]) -> Finding {
    let [(pre_hook, _), (post_hook, _)] = record.story.hooks(member);
    // A dry run is answered 204 and runs nothing.
    let invoked = |call: &&CallRecord| call.operation == "Invoke" && call.status == 200 && call.delivery != Delivery::Refused;
    let mine = |call: &&CallRecord| [&pre_hook, &post_hook].into_iter().any(|hook| call.resource.contains(hook));
    for call in record.log.iter().filter(invoked).filter(mine) {
        // What was written in the same millisecond may have been written before it or after it.
        let last = |same: bool| {
            let before = |change: &Change<'_>| change.sent < call.at || same && change.sent == call.at;
            changes.iter().rfind(|change| change.call.caller == call.caller && before(change))
        };
        // Where there is no alias yet, nobody can announce anything; whoever has seen one may not ask.
        let seen = |other: &CallRecord| other.caller == call.caller && other.operation == "GetAlias" && other.succeeded();
        // By the order of the log: a read may be answered in the same millisecond, but later.
        let mut before = record.log.iter().take_while(|other| !std::ptr::eq(*other, call));
        let unmade = record.story.scene.first && !before.any(seen);
        if unmade && call.resource.contains(&pre_hook) {
            continue;
        }
        let noted = [last(true), last(false)].into_iter().flatten().filter_map(|change| change.noted.as_ref());
        let announced = noted.into_iter().any(|note| note.phase == "pre" || note.phase == "post");
        ensure(announced, || format!("{} asked {} at {:.3}", call.caller, call.resource, record.seconds(call.at)))?;
    }
    Ok(())
}

/// Where nothing else goes wrong: within a poll it is seen, and with the second call at the latest everything is back.
fn prompt(record: &Record, member: usize, changes: &[Change<'_>]) -> Finding {
    if !record.story.undisturbed() || record.story.many > 1 {
        return Ok(());
    }
    // An answer takes 60 ms at the most, and a look at most one poll more; between two turns nobody looks.
    let alias = format!("{}:{ALIAS}", name(member));
    let patience = record.story.asked.poll + record.story.between_turns() + Duration::from_millis(200);
    for alarm in &record.alarms[member] {
        let transitions = &alarm.transitions;
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
                format!("{} went red at {:.3}, back {:?}", alarm.name, record.seconds(*red), next.map(|next| record.shown(next)))
            })?;
            let look = record.log.iter().find(|call| call.operation == "DescribeAlarms" && call.at >= *red).map(|call| call.seq);
            let calls = next.zip(look).map_or(0, |(next, look)| {
                record
                    .log
                    .iter()
                    .filter(|call| call.seq > look && call.seq <= next.call.seq && call.resource.contains(&alias))
                    .count()
            });
            ensure(promoted || calls <= 2, || format!("{calls} calls to {alias} until it was back"))?;
        }
    }
    Ok(())
}
