//! Did a group end well? All final or none, exit codes that agree with the aliases, nothing left behind.
//!
//! Single writes are judged in `checks`.

use std::time::Duration;

use sim::{AliasState, Time};

use super::checks::{committed, late, standing};
use super::record::{Left, Record, Write, taken};
use super::story::{Act, Trouble, name};
use crate::checks::{Finding, ensure};
use crate::note::{Note, split};
use crate::record::{Role, Run};

/// The exit code that each cause of a way back stands for.
fn code_of(cause: &str) -> u8 {
    match cause {
        "failed" => 1,
        "rejected" => 3,
        "alarm" | "analysis" | "group" => 10,
        "pre_hook" | "step_hook" | "post_hook" => 11,
        "blind" | "no_data" | "low_traffic" => 12,
        "hand" | "abort" | "signal" => 13,
        _ => 0,
    }
}

/// The members that the group answers for at the end of a run.
fn answered_for<'r>(record: &'r Record, writes: &'r [Write<'_>], until: Time) -> impl Iterator<Item = usize> {
    let free = move |member: &usize| taken(writes, *member).is_none_or(|since| since > until);
    (0..record.story.many).filter(move |member| !record.nothing_new(*member) && free(member))
}

fn ended(record: &Record) -> impl Iterator<Item = (&Run, Time, u8, &[Left])> {
    record.groups().filter_map(|(run, left)| run.ended.map(|(at, code)| (run, at, code, left)))
}

pub(crate) fn all_or_none(record: &Record, writes: &[Write<'_>]) -> Finding {
    let members: Vec<usize> = answered_for(record, writes, record.opened + Duration::from_hours(99)).collect();
    let on = |alias: &AliasState, version: &str| alias.version == version && alias.weights.is_empty();
    let all = |version: &str| members.iter().all(|member| on(&record.last[*member], version));
    let told = || members.iter().map(|member| format!("{}: {:?}", name(*member), record.last[*member])).collect::<Vec<_>>();
    ensure(all("41") || all("42"), || format!("{:#?}", told()))?;
    let live = |member: &&usize| split(&record.last[**member].description).1.is_some_and(|note| note.is_live());
    ensure(!members.iter().any(|member| live(&member)), || format!("under way: {:#?}", told()))
}

pub(crate) fn exit_codes(record: &Record, writes: &[Write<'_>]) -> Finding {
    for (run, at, code, left) in ended(record) {
        let told = || format!("{} ended with {code} at {at:?}: {left:?}", run.caller);
        let codes: Vec<u8> = left.iter().map(|left| left.code).collect();
        let worst = [20, 21].into_iter().find(|worst| codes.contains(worst));
        ensure(worst.is_none_or(|worst| worst == code) && (worst.is_some() || ![20, 21].contains(&code)), told)?;
        // What is not nothing is never told as nothing; and nothing else is told than what one of them says.
        ensure((code == 0) == codes.iter().all(|code| *code == 0) && (codes.contains(&code) || code == 10), told)?;
        let whole = |version: &str| {
            answered_for(record, writes, at).all(|member| {
                standing(writes, member, at).map_or(version == "41", |write| {
                    write.change.after.version == version && write.change.after.weights.is_empty()
                })
            })
        };
        let ids = ids(writes, run, at);
        let cause = writes.iter().any(|write| {
            let of = write.id().is_some_and(|id| ids.contains(&id)) || ids.is_empty();
            of && write.change.call.at <= at
                && write.change.noted.as_ref().is_some_and(|note| note.phase == "back" && code_of(&note.cause) == code)
        });
        // While no process watched, too.
        let taken_out = writes.iter().any(|write| {
            let mine = record.groups().any(|(run, _)| run.caller == write.change.call.caller);
            !mine
                && write.change.call.at <= at
                && write.change.noted.as_ref().is_some_and(Note::is_live)
                && write.change.after.weights.is_empty()
        });
        let forward = ids.iter().any(|id| committed(writes, id).is_some());
        let unmoved = !writes.iter().any(|write| write.change.call.caller == run.caller && write.change.raised());
        let right = match code {
            0 => {
                whole("42")
                    || answered_for(record, writes, at).all(|member| record.story.trouble(member) == Some(Trouble::Nothing))
            }
            // What went back before it moved anything is where it was.
            10..=13 => {
                // Whom a person took back after the commit, a poll before the last became final, is not seen by all of them.
                (whole("41") || unmoved && whole("42") || code == 13 && forward && whole("42"))
                    && (cause
                        || code == 13 && taken_out
                        || left.iter().all(|left| ["group", "unchanged"].contains(&left.kind.as_str())))
            }
            1 => cause && whole("41") || forward && !record.story.weather.is_empty(),
            3 => true,
            20 => !record.story.weather.is_empty(),
            21 => writes.iter().any(|write| write.change.call.caller != run.caller && write.change.call.at <= at),
            30 => record.story.asked.hold_on_interrupt && record.story.acts.iter().any(|(_, act)| matches!(act, Act::Signal(_))),
            _ => false,
        };
        ensure(right, told)?;
    }
    Ok(())
}

/// The rollouts that a process had a part in: those it wrote of, and those that ended before its eyes.
fn ids<'w>(writes: &'w [Write<'_>], run: &Run, until: Time) -> Vec<&'w str> {
    let mine = writes.iter().filter(|write| write.change.call.caller == run.caller && write.change.call.at <= until);
    let mut ids: Vec<&str> = mine.filter_map(Write::id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

pub(crate) fn refused(record: &Record, writes: &[Write<'_>]) -> Finding {
    for (run, at, _, _) in ended(record).filter(|(_, _, code, _)| *code == 3) {
        let mine = |write: &&Write<'_>| write.change.call.caller == run.caller && write.change.call.at <= at;
        let moved = writes.iter().filter(mine).find(|write| write.change.raised());
        ensure(moved.is_none(), || {
            format!("{} was refused: {}", run.caller, moved.map(|moved| record.shown(moved)).unwrap_or_default())
        })?;
    }
    Ok(())
}

/// A process that ends of its own accord leaves no live note of its own, unless it says so.
pub(crate) fn released(record: &Record, writes: &[Write<'_>]) -> Finding {
    for (run, at, code, _) in ended(record).filter(|(_, _, code, _)| ![20, 21, 30].contains(code)) {
        for member in answered_for(record, writes, at) {
            let Some(last) = standing(writes, member, at).filter(|last| !late(last)) else { continue };
            let live = last.change.call.caller == run.caller && last.change.noted.as_ref().is_some_and(Note::is_live);
            let forward = code == 1 && last.id().is_some_and(|id| committed(writes, id).is_some());
            ensure(!live || forward, || format!("{} ended with {code} and left {}", run.caller, record.shown(last)))?;
        }
    }
    Ok(())
}

pub(crate) fn in_time(record: &Record, _: &[Write<'_>]) -> Finding {
    let overdue: Vec<&str> = record.runs.iter().filter(|run| run.overdue).map(|run| run.caller.as_str()).collect();
    ensure(overdue.is_empty(), || format!("still running: {}", overdue.join(", ")))
}

/// Where nobody interferes, a group of healthy versions is promoted, and one with a bad one in it is not.
pub(crate) fn deserved(record: &Record, _: &[Write<'_>]) -> Finding {
    if !record.story.undisturbed() {
        return Ok(());
    }
    let code = record.runs.iter().find(|run| run.role == Role::Rollout).and_then(|run| run.ended).ok_or("it never ended")?.1;
    let right = match record.story.bad.map(|(_, trouble)| trouble) {
        None | Some(Trouble::Nothing) => code == 0,
        Some(Trouble::PreHook | Trouble::PostHook) => code == 11,
        Some(Trouble::Unfit) => code == 1,
        Some(Trouble::Rejected) => code == 3,
        Some(Trouble::Alarm(..)) => matches!(code, 0 | 3 | 10),
    };
    ensure(right && record.finishers.is_empty(), || format!("it ended with {code}"))
}
