//! Was every single write of a group right? Each check reads the world's write log and the alarms' transitions, and nothing else.
//!
//! How it all ended is judged in `endings`. What persons and consoles took into their hands is theirs.

use std::time::Duration;

use sim::{Delivery, Time};

use super::endings;
use super::record::{Record, Write, taken};
use super::story::{Act, name};
use crate::checks::{Finding, ensure};
use crate::note::{Note, split};
use crate::story::Deed;

type Check = fn(&Record, &[Write<'_>]) -> Finding;

/// Every check, by what it promises.
const CHECKS: [(&str, Check); 18] = [
    ("every write carries a revision", conditional),
    ("only stable and candidate get traffic, as noted", versions),
    ("the user's words are kept", words),
    ("nobody writes over another's rollout", own_rollout),
    ("claims are made in order", claims),
    ("nothing moves before all are claimed, and nobody is more than a step ahead", together),
    ("nothing rises once somebody is back", after_back),
    ("nothing rises once any alarm was visible", after_alarm),
    ("no version is final before all have passed everything", commit),
    ("only the first of them makes the commit", leader),
    ("after the commit nothing automatic goes back", forward),
    ("a visible alarm brings all back at once", prompt),
    ("all or none", endings::all_or_none),
    ("exit codes say what happened", endings::exit_codes),
    ("who is refused has moved nothing", endings::refused),
    ("who ends leaves nothing behind", endings::released),
    ("everything ends in time", endings::in_time),
    ("an undisturbed group ends as its functions deserve", endings::deserved),
];

/// Everything that is wrong with a story, each with the promise it breaks.
pub(crate) fn judge(record: &Record) -> Vec<(&'static str, String)> {
    let writes = record.writes();
    let findings = CHECKS.iter().map(|(promise, check)| (*promise, check(record, &writes)));
    findings.filter_map(|(promise, finding)| Some((promise, finding.err()?))).collect()
}

/// The notes of all members, as they stand before each write.
pub(crate) struct Notes(pub(crate) Vec<Option<Note>>);

impl Notes {
    pub(crate) fn none(record: &Record) -> Self {
        Self(vec![None; record.story.many])
    }

    pub(crate) fn take(&mut self, write: &Write<'_>) {
        self.0[write.member].clone_from(&write.change.noted);
    }
}

/// The other members that the group answers for at a moment.
fn others<'r>(record: &'r Record, writes: &'r [Write<'_>], write: &'r Write<'_>) -> impl Iterator<Item = usize> {
    (0..record.story.many).filter(move |member| {
        *member != write.member
            && !record.nothing_new(*member)
            && taken(writes, *member).is_none_or(|since| since > write.change.sent)
    })
}

/// Writes of rollouts that gave a candidate more.
fn raises<'r>(writes: &'r [Write<'r>]) -> impl Iterator<Item = &'r Write<'r>> {
    writes.iter().filter(|write| write.by_group() && write.change.raised() && !write.change.promoted())
}

/// Whether a group made a version final by this write.
fn final_by_group(write: &Write<'_>) -> bool {
    write.by_group() && write.change.promoted()
}

/// The write that committed a rollout, if any did.
pub(crate) fn committed<'w, 'r>(writes: &'w [Write<'r>], id: &str) -> Option<&'w Write<'r>> {
    writes.iter().find(|write| final_by_group(write) && write.of(id).is_some())
}

/// When a member was claimed for a rollout.
fn claimed(writes: &[Write<'_>], member: usize, id: &str) -> Option<Time> {
    writes.iter().find(|write| write.member == member && write.of(id).is_some()).map(|write| write.change.call.at)
}

fn conditional(record: &Record, _: &[Write<'_>]) -> Finding {
    let bare = record.log.iter().find(|call| {
        let ours = record.runs.iter().any(|run| run.caller == call.caller);
        call.operation == "UpdateAlias" && ours && call.revision_sent.as_ref().is_none_or(String::is_empty)
    });
    bare.map_or(Ok(()), |call| Err(format!("{call:?}")))
}

fn versions(record: &Record, writes: &[Write<'_>]) -> Finding {
    let ours = |write: &&Write<'_>| taken(writes, write.member).is_none_or(|since| since > write.change.sent);
    for write in writes.iter().filter(|write| write.by_group() && write.change.changed()).filter(ours) {
        let (before, after) = (write.change.before, write.change.after);
        let share = after.weights.values().sum::<f64>();
        let known = ["41", "42"].contains(&after.version.as_str()) && after.weights.keys().all(|version| version == "42");
        let same = (share - before.weights.values().sum::<f64>()).abs() < 1e-6;
        let noted = write.change.noted.as_ref().is_some_and(|note| note.is_live() && (note.share - share).abs() < 1e-6 || same);
        let whole = before.version == after.version || before.share("42") > 1.0 - 1e-6;
        let back = after.version == "41" && write.back();
        ensure(known && (share == 0.0 || noted) && (whole || back), || record.shown(write))?;
    }
    Ok(())
}

fn words(record: &Record, writes: &[Write<'_>]) -> Finding {
    for write in writes.iter().filter(|write| write.change.ours()) {
        let kept = split(&write.change.before.description).0 == split(&write.change.after.description).0;
        ensure(kept, || record.shown(write))?;
    }
    Ok(())
}

fn own_rollout(record: &Record, writes: &[Write<'_>]) -> Finding {
    for write in writes.iter().filter(|write| write.by_group() && write.change.changed()) {
        let theirs = write.change.noted_before.as_ref().filter(|note| note.is_live());
        let same = theirs.is_none_or(|note| write.of(&note.id).is_some());
        ensure(same, || record.shown(write))?;
    }
    Ok(())
}

fn claims(record: &Record, writes: &[Write<'_>]) -> Finding {
    let mut notes = Notes::none(record);
    for write in writes {
        let claim = write.change.noted.as_ref().filter(|note| write.by_group() && note.phase == "claim");
        let new = claim.filter(|_| write.change.noted_before.as_ref().is_none_or(|note| !note.is_live()));
        if let Some(claim) = new {
            let before = others(record, writes, write).filter(|other| *other < write.member);
            for other in before {
                let there = notes.0[other].as_ref().is_some_and(|note| note.id == claim.id);
                ensure(there, || format!("{} was not claimed: {}", name(other), record.shown(write)))?;
            }
        }
        notes.take(write);
    }
    Ok(())
}

fn together(record: &Record, writes: &[Write<'_>]) -> Finding {
    let mut notes = Notes::none(record);
    for write in writes {
        if let Some(note) = raises(std::slice::from_ref(write)).next().and_then(|write| write.change.noted.as_ref()) {
            let to = record.story.step(note.share);
            for other in others(record, writes, write) {
                let theirs = notes.0[other].as_ref().filter(|theirs| theirs.id == note.id);
                let at = theirs.map(|theirs| match theirs.phase.as_str() {
                    "promoted" => record.story.asked.steps.len(),
                    _ => record.story.step(theirs.share),
                });
                let back = theirs.is_some_and(|theirs| theirs.phase == "back");
                let near = back || at.is_some_and(|at| at + 1 >= to);
                ensure(near, || format!("{} is at {at:?}: {}", name(other), record.shown(write)))?;
            }
        }
        notes.take(write);
    }
    Ok(())
}

/// How long it may take until a process knows what another has written, and what it sent before is on its way no more.
fn until_known(record: &Record) -> Duration {
    let weather = if record.story.weather.is_empty() { Duration::from_secs(3) } else { Duration::from_secs(40) };
    record.story.poll() * 2 + weather
}

/// How long what was decided may wait for its turn, at twelve writes a second.
fn queue(record: &Record) -> Duration {
    Duration::from_millis(100) * u32::try_from(record.story.many).unwrap()
}

fn after_back(record: &Record, writes: &[Write<'_>]) -> Finding {
    for write in raises(writes) {
        let Some(id) = write.id() else { continue };
        let own = |other: &Write<'_>| other.change.call.caller == write.change.call.caller;
        let back = writes.iter().find(|other| {
            let lag = if own(other) { queue(record) } else { until_known(record) };
            other.of(id).is_some()
                && other.back()
                && !record.nothing_new(other.member)
                && other.change.call.at + lag < write.change.sent
        });
        ensure(back.is_none(), || {
            format!("{}\nafter {}", record.shown(write), back.map(|back| record.shown(back)).unwrap_or_default())
        })?;
    }
    Ok(())
}

/// How long after it went off an alarm has been seen by everybody, whatever the weather: what a member may do rests on evidence
/// that is this old at the most, and so does what it shows the others.
fn visible(record: &Record) -> Duration {
    let poll = record.story.poll();
    if record.story.undisturbed() {
        poll + Duration::from_secs(3)
    } else {
        (poll * 2).max(Duration::from_secs(5)) * 2 + Duration::from_secs(6)
    }
}

fn after_alarm(record: &Record, writes: &[Write<'_>]) -> Finding {
    for write in raises(writes).chain(first_of_each(writes)) {
        let Some(id) = write.id() else { continue };
        // After the commit a re-run may have to give a last one its way to the end.
        if committed(writes, id).is_some_and(|first| first.change.call.seq < write.change.call.seq) {
            continue;
        }
        for member in others(record, writes, write).chain([write.member]) {
            let Some(claimed) = claimed(writes, member, id) else { continue };
            let red =
                record.reddened(member, claimed + Duration::from_secs(1)).find(|red| *red + visible(record) < write.change.sent);
            ensure(red.is_none(), || format!("{} is red: {}", name(member), record.shown(write)))?;
        }
    }
    Ok(())
}

/// The last write to a member up to a moment.
pub(crate) fn standing<'w, 'r>(writes: &'w [Write<'r>], member: usize, until: Time) -> Option<&'w Write<'r>> {
    writes.iter().rfind(|write| write.member == member && write.change.call.at <= until)
}

/// Since when a member has had all of its traffic on the candidate, at a moment.
fn full_since(writes: &[Write<'_>], member: usize, until: Time) -> Option<Time> {
    let mut full = None;
    for write in writes.iter().filter(|write| write.member == member && write.change.call.at <= until) {
        let whole = write.change.after.share("42") > 1.0 - 1e-6;
        full = if whole { full.or(Some(write.change.call.at)) } else { None };
    }
    full
}

fn commit(record: &Record, writes: &[Write<'_>]) -> Finding {
    let early = record.story.asked.tolerance() + Duration::from_secs(1);
    for write in first_of_each(writes) {
        let (id, sent) = (write.id().unwrap_or_default(), write.change.sent);
        for other in others(record, writes, write) {
            let note = standing(writes, other, sent).and_then(|standing| standing.of(id));
            let last = if record.story.hooked { "post" } else { "bake" };
            let passed = note.is_some_and(|note| note.phase == last);
            let baked = full_since(writes, other, sent).is_some_and(|since| since + record.story.asked.bake <= sent + early);
            ensure(passed && baked, || format!("{} stands at {note:?}: {}", name(other), record.shown(write)))?;
        }
    }
    Ok(())
}

/// The commits of all rollouts.
fn first_of_each<'w, 'r>(writes: &'w [Write<'r>]) -> impl Iterator<Item = &'w Write<'r>> {
    let first = |write: &&Write<'_>| {
        let commit = write.id().and_then(|id| committed(writes, id));
        commit.is_some_and(|commit| commit.change.call.seq == write.change.call.seq)
    };
    writes.iter().filter(move |write| first(write))
}

fn leader(record: &Record, writes: &[Write<'_>]) -> Finding {
    for write in first_of_each(writes) {
        let before = others(record, writes, write).find(|other| *other < write.member);
        ensure(before.is_none(), || format!("{before:?} comes before: {}", record.shown(write)))?;
    }
    Ok(())
}

fn forward(record: &Record, writes: &[Write<'_>]) -> Finding {
    for commit in first_of_each(writes) {
        let id = commit.id().unwrap_or_default();
        let at = commit.change.call.at;
        let after = |write: &&Write<'_>| write.by_group() && write.of(id).is_some() && write.back() && write.change.sent > at;
        let Some(back) = writes.iter().find(after) else { continue };
        // Whoever had decided before it could know of the commit takes all of them back, the final one too.
        let unaware = at + if record.story.weather.is_empty() { Duration::from_secs(1) } else { Duration::from_mins(1) };
        let red = (0..record.story.many).any(|member| {
            let claimed = claimed(writes, member, id).unwrap_or(at);
            record.reddened(member, claimed).any(|red| red <= unaware)
        });
        let acts = |fits: &dyn Fn(&Act) -> bool| {
            record.story.acts.iter().any(|(when, act)| record.opened + *when <= unaware && fits(act))
        };
        let told = acts(&|act| matches!(act, Act::Signal(_)));
        let by_hand = (0..record.story.many).any(|member| taken(writes, member).is_some_and(|since| since <= back.change.sent));
        let paused = record.story.acts.iter().any(|(_, act)| matches!(act, Act::Order(_, Deed::Pause(..))));
        let blind = !record.story.weather.is_empty() && back.change.call.at <= unaware;
        ensure(red || told || by_hand || paused || blind, || {
            format!("{}\ncommitted by {}", record.shown(back), record.shown(commit))
        })?;
    }
    Ok(())
}

/// Where nothing else goes wrong: within a poll it is seen, and with the next write of each everything is back.
fn prompt(record: &Record, writes: &[Write<'_>]) -> Finding {
    if !record.story.undisturbed() {
        return Ok(());
    }
    for member in 0..record.story.many {
        for red in record.reddened(member, record.opened) {
            let green =
                record.alarms[member].iter().find(|(at, _)| *at > red).map_or(red + Duration::from_hours(9), |(at, _)| *at);
            let until = red + visible(record);
            let Some(standing) =
                writes.iter().rfind(|write| write.member == member && write.change.call.at + Duration::from_secs(1) < red)
            else {
                continue;
            };
            let Some(note) = standing.change.noted.as_ref().filter(|note| note.is_live()) else { continue };
            // Before anything has moved, preparing it has its turn first.
            let moved = |other| self::standing(writes, other, red).is_some_and(|write| write.change.away().1 > 1e-6);
            if !(0..record.story.many).any(moved) {
                continue;
            }
            let over = committed(writes, &note.id).is_some_and(|commit| commit.change.call.at <= until);
            if over || green <= until {
                continue;
            }
            let until = until + queue(record);
            for other in 0..record.story.many {
                let last = writes.iter().rfind(|write| write.member == other && write.change.call.at <= until);
                let still = last.and_then(|last| last.of(&note.id)).is_some_and(Note::is_live);
                ensure(!still, || format!("{} is still under way {until:?}", name(other)))?;
            }
        }
    }
    Ok(())
}

/// Whether a write was applied when nobody waited for it any more.
pub(crate) fn late(write: &Write<'_>) -> bool {
    matches!(write.change.call.delivery, Delivery::Late(_))
}
