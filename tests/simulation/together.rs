//! Did several functions keep together? Each check reads the world's write log and the alarms' transitions, and nothing else. One
//! function alone keeps together with itself.
//!
//! What persons and consoles took into their hands is theirs.

use std::time::Duration;

use sim::Time;

use crate::checks::{Finding, claimed_for, ensure};
use crate::note::Note;
use crate::record::{Alarm, Change, Record, Role};
use crate::stage::name;
use crate::story::{Act, Deed, Trouble};

/// Since when a function has been in the hands of a person or of something else: whatever it comes to is theirs.
pub(crate) fn taken(writes: &[Change<'_>], member: usize) -> Option<Time> {
    let theirs = |write: &&Change<'_>| {
        let (before, after) = (write.before, write.after);
        let same = (&before.version, &before.weights) == (&after.version, &after.weights);
        // A pause is the group's to keep.
        let harmless = write.by(Role::Order) && same;
        write.member == member && !write.by(Role::Rollout) && write.changed() && !harmless
    };
    writes.iter().find(theirs).map(|write| write.call.at)
}

pub(crate) fn nothing_new(record: &Record, member: usize) -> bool {
    record.story.trouble(member) == Some(Trouble::Nothing)
}

/// The moments at which an alarm of a function went off since then.
fn reddened(record: &Record, member: usize, since: Time) -> impl Iterator<Item = Time> {
    record.alarms[member].iter().flat_map(move |alarm: &Alarm| alarm.reddened(since))
}

/// The notes of all members, as they stand before each write.
struct Notes(Vec<Option<Note>>);

impl Notes {
    fn none(record: &Record) -> Self {
        Self(vec![None; record.story.many])
    }

    fn take(&mut self, write: &Change<'_>) {
        self.0[write.member].clone_from(&write.noted);
    }
}

/// The other members that the group answers for at a moment.
fn others<'r>(record: &'r Record, writes: &'r [Change<'_>], write: &'r Change<'_>) -> impl Iterator<Item = usize> {
    (0..record.story.many).filter(move |member| {
        *member != write.member && !nothing_new(record, *member) && taken(writes, *member).is_none_or(|since| since > write.sent)
    })
}

/// Writes of rollouts that gave a candidate more.
fn raises<'r>(writes: &'r [Change<'r>]) -> impl Iterator<Item = &'r Change<'r>> {
    writes.iter().filter(|write| write.by(Role::Rollout) && write.raised() && !write.promoted())
}

/// Whether a group made a version final by this write.
fn final_by_group(write: &Change<'_>) -> bool {
    write.by(Role::Rollout) && write.promoted()
}

/// The write that committed a rollout, if any did.
pub(crate) fn committed<'w, 'r>(writes: &'w [Change<'r>], id: &str) -> Option<&'w Change<'r>> {
    writes.iter().find(|write| final_by_group(write) && write.of_rollout(id).is_some())
}

pub(crate) fn claims(record: &Record, writes: &[Change<'_>]) -> Finding {
    let mut notes = Notes::none(record);
    for write in writes {
        let claim = write.noted.as_ref().filter(|note| write.by(Role::Rollout) && note.phase == "claim");
        let new = claim.filter(|_| write.noted_before.as_ref().is_none_or(|note| !note.is_live()));
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

pub(crate) fn in_step(record: &Record, writes: &[Change<'_>]) -> Finding {
    let mut notes = Notes::none(record);
    for write in writes {
        if let Some(note) = raises(std::slice::from_ref(write)).next().and_then(|write| write.noted.as_ref()) {
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

pub(crate) fn after_back(record: &Record, writes: &[Change<'_>]) -> Finding {
    for write in raises(writes) {
        let Some(id) = write.id() else { continue };
        let own = |other: &Change<'_>| other.call.caller == write.call.caller;
        let back = writes.iter().find(|other| {
            let lag = if own(other) { queue(record) } else { until_known(record) };
            other.of_rollout(id).is_some()
                && other.back()
                && !nothing_new(record, other.member)
                && other.call.at + lag < write.sent
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

pub(crate) fn after_alarm(record: &Record, writes: &[Change<'_>]) -> Finding {
    for write in raises(writes).chain(first_of_each(writes)) {
        let Some(id) = write.id() else { continue };
        // After the commit a re-run may have to give a last one its way to the end.
        if committed(writes, id).is_some_and(|first| first.call.seq < write.call.seq) {
            continue;
        }
        for member in others(record, writes, write).chain([write.member]) {
            let Some(claimed) = claimed_for(writes, member, id) else { continue };
            let red = reddened(record, member, claimed + Duration::from_secs(1)).find(|red| *red + visible(record) < write.sent);
            ensure(red.is_none(), || format!("{} is red: {}", name(member), record.shown(write)))?;
        }
    }
    Ok(())
}

/// The last write to a member up to a moment.
pub(crate) fn standing<'w, 'r>(writes: &'w [Change<'r>], member: usize, until: Time) -> Option<&'w Change<'r>> {
    writes.iter().rfind(|write| write.member == member && write.call.at <= until)
}

/// Since when a member has had all of its traffic on the candidate, at a moment.
fn full_since(writes: &[Change<'_>], member: usize, until: Time) -> Option<Time> {
    let mut full = None;
    for write in writes.iter().filter(|write| write.member == member && write.call.at <= until) {
        let whole = write.after.share("42") > 1.0 - 1e-6;
        full = if whole { full.or(Some(write.call.at)) } else { None };
    }
    full
}

pub(crate) fn commit(record: &Record, writes: &[Change<'_>]) -> Finding {
    let early = record.story.asked.tolerance() + Duration::from_secs(1);
    for write in first_of_each(writes) {
        let (id, sent) = (write.id().unwrap_or_default(), write.sent);
        for other in others(record, writes, write) {
            let note = standing(writes, other, sent).and_then(|standing| standing.of_rollout(id));
            let last = if record.story.scene.post_hook.is_some() { "post" } else { "bake" };
            let passed = note.is_some_and(|note| note.phase == last);
            let baked = full_since(writes, other, sent).is_some_and(|since| since + record.story.asked.bake <= sent + early);
            ensure(passed && baked, || format!("{} stands at {note:?}: {}", name(other), record.shown(write)))?;
        }
    }
    Ok(())
}

fn first_of_each<'w, 'r>(writes: &'w [Change<'r>]) -> impl Iterator<Item = &'w Change<'r>> {
    let first = |write: &&Change<'_>| {
        let commit = write.id().and_then(|id| committed(writes, id));
        commit.is_some_and(|commit| commit.call.seq == write.call.seq)
    };
    writes.iter().filter(move |write| first(write))
}

pub(crate) fn leader(record: &Record, writes: &[Change<'_>]) -> Finding {
    for write in first_of_each(writes) {
        let before = others(record, writes, write).find(|other| *other < write.member);
        ensure(before.is_none(), || format!("{before:?} comes before: {}", record.shown(write)))?;
    }
    Ok(())
}

pub(crate) fn forward(record: &Record, writes: &[Change<'_>]) -> Finding {
    for commit in first_of_each(writes) {
        let id = commit.id().unwrap_or_default();
        let at = commit.call.at;
        let after =
            |write: &&Change<'_>| write.by(Role::Rollout) && write.of_rollout(id).is_some() && write.back() && write.sent > at;
        let Some(back) = writes.iter().find(after) else { continue };
        // Whoever had decided before it could know of the commit takes all of them back, the final one too.
        let unaware = at + if record.story.weather.is_empty() { Duration::from_secs(1) } else { Duration::from_mins(1) };
        let red = (0..record.story.many).any(|member| {
            let claimed = claimed_for(writes, member, id).unwrap_or(at);
            reddened(record, member, claimed).any(|red| red <= unaware)
        });
        let acts = |fits: &dyn Fn(&Act) -> bool| {
            record.story.acts.iter().any(|(when, act)| record.opened + *when <= unaware && fits(act))
        };
        let signalled = acts(&|act| matches!(act, Act::Signal(_)));
        let by_hand = (0..record.story.many).any(|member| taken(writes, member).is_some_and(|since| since <= back.sent));
        let paused = record.story.acts.iter().any(|(_, act)| matches!(act, Act::Order(_, Deed::Pause(..))));
        let blind = !record.story.weather.is_empty() && back.call.at <= unaware;
        ensure(red || signalled || by_hand || paused || blind, || {
            format!("{}\ncommitted by {}", record.shown(back), record.shown(commit))
        })?;
    }
    Ok(())
}

/// Where nothing else goes wrong: within a poll it is seen, and with the next write of each everything is back.
pub(crate) fn prompt(record: &Record, writes: &[Change<'_>]) -> Finding {
    if !record.story.undisturbed() {
        return Ok(());
    }
    let alarms = record.alarms.iter().enumerate().flat_map(|(member, alarms)| alarms.iter().map(move |alarm| (member, alarm)));
    for (member, alarm) in alarms {
        for red in alarm.reddened(record.opened) {
            let green = alarm.transitions.iter().find(|(at, _)| *at > red).map_or(red + Duration::from_hours(9), |(at, _)| *at);
            let until = red + visible(record) + record.story.between_turns();
            let begun = |write: &&Change<'_>| write.member == member && write.call.at + Duration::from_secs(1) < red;
            let Some(standing) = writes.iter().rfind(begun) else { continue };
            let Some(note) = standing.noted.as_ref().filter(|note| note.is_live()) else { continue };
            // Before anything has moved, preparing it has its turn first.
            let moved = |other| self::standing(writes, other, red).is_some_and(|write| write.away().1 > 1e-6);
            if !(0..record.story.many).any(moved) {
                continue;
            }
            let over = committed(writes, &note.id).is_some_and(|commit| commit.call.at <= until);
            if over || green <= until {
                continue;
            }
            let until = until + queue(record);
            for other in 0..record.story.many {
                let still =
                    self::standing(writes, other, until).and_then(|last| last.of_rollout(&note.id)).is_some_and(Note::is_live);
                ensure(!still, || format!("{} is still under way {until:?}", name(other)))?;
            }
        }
    }
    Ok(())
}
