//! Did it end well? Exit code, terminal note and alias must agree, everything must end, and whoever was refused must have done nothing.
//!
//! Single writes are judged in `checks`.

use std::time::Duration;

use sim::{CallRecord, Delivery, Time};

use crate::checks::{CANDIDATES, Finding, ensure, shown};
use crate::note::{Note, split};
use crate::record::{Change, Record, Role, Run};
use crate::story::{Act, Manner};

/// The exit code that each cause of a way back stands for.
fn code_of(cause: &str) -> Option<u8> {
    Some(match cause {
        "unchanged" => 0,
        "failed" => 1,
        "rejected" => 3,
        "alarm" | "analysis" => 10,
        "pre_hook" | "step_hook" | "post_hook" => 11,
        "blind" | "no_data" | "low_traffic" => 12,
        "hand" | "abort" | "signal" => 13,
        "superseded" => 21,
        _ => return None,
    })
}

/// The alias as it stood from a moment on: every state it had between two moments.
fn states<'r>(changes: &'r [Change<'r>], from: Time, until: Time) -> impl Iterator<Item = &'r Change<'r>> {
    let standing = changes.iter().rposition(|change| change.call.at <= from).unwrap_or(0);
    changes.iter().skip(standing).take_while(move |change| change.call.at <= until)
}

fn ended(record: &Record, role: Role) -> impl Iterator<Item = (&Run, Time, u8)> {
    record.runs.iter().filter(move |run| run.role == role).filter_map(|run| run.ended.map(|(at, code)| (run, at, code)))
}

/// The notes a process wrote, by rollout.
fn wrote<'r>(changes: &'r [Change<'r>], run: &Run) -> Vec<&'r Change<'r>> {
    changes.iter().filter(|change| change.call.caller == run.caller).collect()
}

pub(crate) fn exit_codes(record: &Record, changes: &[Change<'_>]) -> Finding {
    for (run, at, code) in ended(record, Role::Rollout) {
        let mine = wrote(changes, run);
        let ids: Vec<&str> = mine.iter().filter_map(|change| Some(change.noted.as_ref()?.id.as_str())).collect();
        // Who waited for somebody else's rollout, and never came to write, has seen how that one ended.
        let about = |note: &&Note| ids.contains(&note.id.as_str()) || ids.is_empty();
        let told = |what: &str| format!("{} ended with {code} at {:.3}: {what}", run.caller, record.seconds(at));
        // What it had in view when it ended: the states since some moments before.
        let seen: Vec<&Change<'_>> = states(changes, at - Duration::from_secs(30) - record.story.asked.poll, at).collect();
        let ending = |fits: &dyn Fn(&Change<'_>, &Note) -> bool| {
            seen.iter().any(|change| change.noted.as_ref().filter(about).is_some_and(|note| fits(change, note)))
        };
        // A stack deploy may have moved it on after it was brought back.
        let stack = seen.iter().any(|change| change.call.caller == "STACK");
        let back = |change: &Change<'_>, note: &Note| {
            // A first version has nothing to go back to.
            let safe = change.after.version == note.stable
                || note.stable == "-" && change.after.version == note.candidate
                || stack && change.after.version != note.candidate;
            code_of(&note.cause) == Some(code) && safe && change.after.weights.is_empty()
        };
        // A first deployment that fails before it has made the alias.
        let unmade = record.story.scene.first && !changes.iter().any(|change| change.call.at <= at);
        let right = match code {
            1 | 10..=13 if unmade => true,
            0 => {
                ending(&|change, note| note.phase == "promoted" && change.after.version == note.candidate || back(change, note))
                    || nothing_to_do(changes, run, at)
            }
            1 | 10..=13 => ending(&back),
            3 => true,
            // Whoever sleeps until its credentials are over can do nothing more than call for help.
            20 => run.expires.is_some_and(|end| at > end),
            21 => seen.last().is_some_and(|change| change.call.caller != run.caller),
            30 => record.story.asked.hold_on_interrupt && ending(&|_, note| note.is_live()),
            _ => false,
        };
        ensure(right, || told(&seen.last().map(|change| shown(record, change)).unwrap_or_default()))?;
    }
    Ok(())
}

/// Whether a process found the alias on the candidate already, and wrote nothing.
fn nothing_to_do(changes: &[Change<'_>], run: &Run, until: Time) -> bool {
    wrote(changes, run).is_empty()
        && states(changes, run.began, until).any(|change| CANDIDATES.contains(&change.after.version.as_str()))
}

/// Where all traffic is on one version, that is what was said, and with that very version.
pub(crate) fn said(record: &Record, changes: &[Change<'_>]) -> Finding {
    for (run, at, code) in ended(record, Role::Rollout).filter(|(_, _, code)| matches!(code, 0 | 1 | 10..=13)) {
        let seen: Vec<&Change<'_>> = states(changes, at - Duration::from_secs(30) - record.story.asked.poll, at).collect();
        let whole = |change: &&&Change<'_>| {
            change.after.weights.is_empty() && run.said.as_deref() == Some(format!("100 % on {}", change.after.version).as_str())
        };
        let unmade = !changes.iter().any(|change| change.call.at <= at);
        let right = run.said.is_none() || unmade || seen.iter().any(|change| whole(&change));
        ensure(right, || format!("{} ended with {code} at {:.3} and said {:?}", run.caller, record.seconds(at), run.said))?;
    }
    Ok(())
}

pub(crate) fn refused(record: &Record, changes: &[Change<'_>]) -> Finding {
    for (run, at, _) in ended(record, Role::Rollout).filter(|(_, _, code)| *code == 3) {
        // A write that nobody answered, and that lands when its sender has given up or that is written over before its sender looks
        // again, is beyond anybody's power.
        if wrote(changes, run).iter().all(|change| change.call.delivery != Delivery::Answered) {
            continue;
        }
        // One that changes nothing but the revision makes sure that no late claim lands.
        let mine: Vec<_> = wrote(changes, run).into_iter().filter(|change| change.call.at <= at && change.changed()).collect();
        // A claim that found a rejected version was taken back again: then nothing is left of it.
        let undone = mine.last().is_none_or(|last| last.noted.as_ref().is_some_and(|note| !note.is_live()));
        let moved = mine.iter().any(|change| change.raised() || change.before.version != change.after.version);
        let asked = |call: &&CallRecord| call.caller == run.caller && call.operation == "Invoke" && call.status == 200;
        // Where there is no alias yet, nothing can be claimed before the hook is asked.
        let hooked = !record.story.scene.first && record.log.iter().any(|call| asked(&call));
        ensure(undone && !moved && !hooked, || {
            format!(
                "{} was refused at {:.3}, having written {} times, hook asked: {hooked}",
                run.caller,
                record.seconds(at),
                mine.len()
            )
        })?;
    }
    Ok(())
}

pub(crate) fn in_time(record: &Record, _: &[Change<'_>]) -> Finding {
    let overdue: Vec<&str> = record.runs.iter().filter(|run| run.overdue).map(|run| run.caller.as_str()).collect();
    ensure(overdue.is_empty(), || format!("still running: {}", overdue.join(", ")))
}

pub(crate) fn terminal(record: &Record, changes: &[Change<'_>]) -> Finding {
    let Some(note) = split(&record.last.description).1.filter(Note::is_live) else { return Ok(()) };
    // What somebody else made of the alias, so that it does not fit the note any more, is theirs to clear up.
    let whole = if note.stable == "-" { &note.candidate } else { &note.stable };
    let unfit = record.last.version != *whole || record.last.weights.keys().any(|version| *version != note.candidate);
    let theirs = unfit && changes.iter().rfind(|change| change.changed()).is_some_and(|change| !change.ours());
    ensure(theirs, || format!("left: {:?}", record.last))
}

pub(crate) fn rolled_back(record: &Record, changes: &[Change<'_>]) -> Finding {
    for (run, at, code) in ended(record, Role::RollBack) {
        let mine = wrote(changes, run);
        let first = states(changes, run.began, run.began).next();
        let back = |change: &Change<'_>| {
            // A rollout that was put aside meanwhile took with it what was to be left.
            let seen =
                if change.changed() { Some(change.noted_before.as_ref()) } else { first.map(|first| first.noted.as_ref()) };
            let left = seen.unwrap_or(change.noted_before.as_ref()).map_or("42", |note| note.candidate.as_str());
            change.after.share(left) < 1e-6 && (change.after.weights.is_empty() || !change.changed())
        };
        let right = match code {
            0 => mine.last().is_some_and(|change| back(change)),
            // What an unanswered write of its own changed may have been written over by somebody else since.
            3 => {
                mine.is_empty()
                    || changes
                        .iter()
                        .any(|change| !change.ours() && mine.last().is_some_and(|last| change.call.at >= last.call.at))
            }
            // It gives up where it is denied, or after a quarter of an hour.
            20 => !record.story.weather.is_empty(),
            _ => false,
        };
        ensure(right, || format!("{} ended with {code} at {:.3}", run.caller, record.seconds(at)))?;
    }
    Ok(())
}

/// The same command run again finishes what a death or a pause left, unless something keeps any rollout from going on.
pub(crate) fn finished(record: &Record, changes: &[Change<'_>]) -> Finding {
    let Some(finisher) = record.finisher.as_deref().and_then(|caller| record.run(caller)) else { return Ok(()) };
    let kept =
        |call: &CallRecord| call.operation == "DeleteAlarms" || ["STACK", "CONSOLE", "AWS"].contains(&call.caller.as_str());
    let red = record.alarms.iter().any(|(alarm, _)| record.red(alarm, finisher.began));
    let other = record.story.acts.iter().any(|(_, act)| *act == Act::NewCode);
    let free = !red && !other && !record.log.iter().any(kept);
    let done = wrote(changes, finisher).last().is_some_and(|change| change.noted.as_ref().is_some_and(|note| !note.is_live()));
    ensure(done || !free, || format!("{} ended with {:?}", finisher.caller, finisher.ended.map(|(_, code)| code)))
}

/// Where nobody interferes, a healthy version is promoted and one that a hook refuses is not.
pub(crate) fn deserved(record: &Record, _: &[Change<'_>]) -> Finding {
    let (story, scene) = (&record.story, &record.story.scene);
    if !story.undisturbed() {
        return Ok(());
    }
    let refuses = |hook: Option<Manner>| hook.is_some_and(|manner| manner != Manner::Succeeds);
    let red = record.alarms.iter().any(|(_, all)| all.iter().any(|(at, state)| state == "ALARM" && *at >= record.opened));
    let (_, _, code) = ended(record, Role::Rollout).next().ok_or("it never ended")?;
    // A version that fails more often may be noticed by its calls alone.
    let worse = story.asked.compares && scene.error_rate > 0.0 && code == 10;
    let right = worse
        || match (refuses(scene.pre_hook), refuses(scene.post_hook), red) {
            (true, _, false) | (false, true, false) => code == 11,
            (false, false, false) => code == 0,
            (_, _, true) => matches!(code, 0 | 3 | 10 | 11),
        };
    ensure(right, || format!("it ended with {code}"))
}
