//! Did it end well? Exit code, terminal note and alias must agree, everything must end, and whoever was refused must have done nothing.
//!
//! Single writes are judged in `checks`.

use std::collections::BTreeMap;
use std::time::Duration;

use sim::{AliasState, CallRecord, Delivery, Effect, Time};

use crate::checks::{CANDIDATES, Finding, ensure};
use crate::note::{Note, split};
use crate::record::{Change, Ended, Record, Role, Run};
use crate::stage::{ALIAS, name};
use crate::story::{Act, Edit, Manner, Trouble};
use crate::together::{committed, nothing_new, standing, taken};

/// The exit code that each cause of a way back stands for.
fn code_of(cause: &str) -> Option<u8> {
    Some(match cause {
        "unchanged" => 0,
        "failed" => 1,
        "rejected" => 3,
        "alarm" | "analysis" | "group" => 10,
        "pre_hook" | "step_hook" | "post_hook" => 11,
        "blind" | "no_data" | "low_traffic" => 12,
        "hand" | "abort" | "signal" | "abandoned" => 13,
        "superseded" => 21,
        _ => return None,
    })
}

/// The alias as it stood from a moment on: every state it had between two moments.
fn states<'r>(changes: &'r [Change<'r>], from: Time, until: Time) -> impl Iterator<Item = &'r Change<'r>> {
    let standing = changes.iter().rposition(|change| change.call.at <= from).unwrap_or(0);
    changes.iter().skip(standing).take_while(move |change| change.call.at <= until)
}

/// What a process had in view when it ended: the states since some moments before it last looked at an alias, or wrote one. After that it
/// searches a log, and may be suspended meanwhile.
fn in_view<'r>(record: &Record, run: &Run, changes: &'r [Change<'r>], at: Time) -> Vec<&'r Change<'r>> {
    states(changes, last_look(record, run, at) - Duration::from_secs(30) - record.story.poll(), at).collect()
}

/// When a process last looked at an alias, or wrote one.
fn last_look(record: &Record, run: &Run, at: Time) -> Time {
    let of_alias = |call: &&CallRecord| {
        call.caller == run.caller
            && call.at <= at
            && ["GetAlias", "UpdateAlias", "CreateAlias"].contains(&call.operation.as_str())
    };
    record.log.iter().rfind(of_alias).map_or(at, |call| call.at)
}

fn ended(record: &Record, role: Role) -> impl Iterator<Item = (&Run, &Ended)> {
    record.runs.iter().filter(move |run| run.role == role).filter_map(|run| Some((run, run.ended.as_ref()?)))
}

/// The rollouts that ended, when, and with which exit code for this function.
fn ended_of(record: &Record, member: usize) -> impl Iterator<Item = (&Run, Time, u8)> {
    ended(record, Role::Rollout)
        .map(move |(run, ended)| (run, ended.at, ended.left.get(member).map_or(ended.code, |left| left.code)))
}

/// The functions that a rollout answers for at a moment.
fn answered_for<'r>(record: &'r Record, writes: &'r [Change<'_>], until: Time) -> impl Iterator<Item = usize> {
    let free = move |member: &usize| taken(writes, *member).is_none_or(|since| since > until);
    (0..record.story.many).filter(move |member| !nothing_new(record, *member) && free(member))
}

fn wrote<'r>(changes: &'r [Change<'r>], run: &Run) -> Vec<&'r Change<'r>> {
    changes.iter().filter(|change| change.call.caller == run.caller).collect()
}

pub(crate) fn exit_codes(record: &Record, member: usize, changes: &[Change<'_>]) -> Finding {
    for (run, at, code) in ended_of(record, member) {
        let mine = wrote(changes, run);
        let ids: Vec<&str> = mine.iter().filter_map(|change| Some(change.noted.as_ref()?.id.as_str())).collect();
        // Who waited for somebody else's rollout, and never came to write, has seen how that one ended.
        let about = |note: &&Note| ids.contains(&note.id.as_str()) || ids.is_empty();
        let described = |what: &str| format!("{} ended with {code} at {:.3}: {what}", run.caller, record.seconds(at));
        let seen: Vec<&Change<'_>> = in_view(record, run, changes, at);
        // One of several may end long before the others, and then anybody writes its alias.
        let own = mine.last().filter(|_| record.story.many > 1);
        let ending = |fits: &dyn Fn(&Change<'_>, &Note) -> bool| {
            seen.iter().chain(own).any(|change| change.noted.as_ref().filter(about).is_some_and(|note| fits(change, note)))
        };
        // A stack deploy may have moved it on after it was brought back.
        let stack = changes.iter().any(|change| change.call.at <= at && change.call.caller == "STACK");
        let back = |change: &Change<'_>, note: &Note| {
            // A first version has nothing to go back to.
            let safe = change.after.version == note.stable
                || note.stable == "-" && change.after.version == note.candidate
                || stack && change.after.version != note.candidate;
            code_of(&note.cause) == Some(code) && safe && change.after.weights.is_empty()
        };
        // A rollback without room for its note is one all the same, and leaves none.
        let unnoted = seen.last().is_some_and(|last| {
            last.noted.is_none() && last.after.version == "41" && last.after.weights.is_empty() && !has_room(last)
        });
        // What one of several never moved it may give back as it found it, with the note that was there before.
        let given_back =
            |change: &&Change<'_>| change.after.weights.is_empty() && change.noted.as_ref().is_none_or(|note| !note.is_live());
        let given_back = record.story.many > 1 && code == 10 && seen.iter().any(given_back);
        // A first deployment that fails before it has made the alias.
        let looked = last_look(record, run, at);
        let unmade = record.story.scene.first && !changes.iter().any(|change| change.call.at <= looked);
        // A claim that AWS did not take for so long has moved nothing, whether it lands or not.
        let claimed_only = mine.iter().all(|change| change.after.weights.is_empty());
        let unclaimed = code == 1 && claimed_only && refused_for_long(record, member, run, at);
        let right = match code {
            1 | 10..=13 if unmade => true,
            1 if unclaimed => true,
            0 => {
                ending(&|change, note| note.phase == "promoted" && change.after.version == note.candidate || back(change, note))
                    || nothing_to_do(changes, run, at)
            }
            1 | 10..=13 => ending(&back) || given_back || unnoted || stopped_forward(record, run, code),
            3 => true,
            // Nothing more than a call for help is left when the credentials have ended, or AWS has refused everything for so long.
            20 => {
                run.expires.is_some_and(|end| at > end)
                    || refused_for_long(record, member, run, at)
                    || record.story.many > 1 && never_let_in(record, member, run, at)
            }
            21 => another_wrote(record, run, seen.last().copied(), at),
            // What AWS still moves is left as a weight is.
            30 => {
                let moves = |change: &Change<'_>| looked < change.call.at + record.story.scene.provisioning;
                record.story.asked.hold_on_interrupt && ending(&|_, note| note.is_live())
                    // A first version has nothing to go back to: with the alias made, a signal leaves it to the same command.
                    || ending(&|_, note| note.is_live() && note.stable == "-")
                    || ending(&|change, note| !note.is_live() && moves(change))
                    || set_manually(record)
            }
            _ => false,
        };
        ensure(right, || described(&seen.last().map(|change| record.shown(change)).unwrap_or_default()))?;
    }
    Ok(())
}

/// Whether the shortest note fits behind the user's own text.
fn has_room(change: &Change<'_>) -> bool {
    const SHORTEST: usize = "[canaryctl/1 7f3ac2e1 k4q9 back 41>42 blind t=towpnp s=towpr0]".len();
    change.after.description.encode_utf16().count() + 1 + SHORTEST <= 256
}

/// Whether for a quarter of an hour, but for a poll, no write of this process to this alias was taken, up to its end.
fn refused_for_long(record: &Record, member: usize, run: &Run, at: Time) -> bool {
    let alias = format!("{}:{ALIAS}", name(member));
    let tried = || {
        let mine = |call: &&CallRecord| call.caller == run.caller && call.operation == "UpdateAlias" && call.resource == alias;
        record.log.iter().filter(mine)
    };
    let long = at - Duration::from_mins(13);
    // One that lands late was sent before, and its sender never heard of it.
    let taken = |call: &CallRecord| call.succeeded() && !matches!(call.delivery, Delivery::Late(_));
    tried().any(|call| call.at <= long) && !tried().any(|call| call.at > long && taken(call))
}

/// Whether this process could not take this member of a group over, though it tried for a minute: another owner's weight stayed there.
fn never_let_in(record: &Record, member: usize, run: &Run, at: Time) -> bool {
    let alias = format!("{}:{ALIAS}", name(member));
    let entering = |call: &&CallRecord| {
        call.caller == run.caller && call.operation == "UpdateAlias" && call.resource == alias && call.at >= run.began
    };
    // The permission probe of the preflight is refused by its revision.
    let mut refused = record.log.iter().filter(entering).filter(|call| call.status != 412);
    let first = refused.next();
    first.is_some_and(|first| !first.succeeded() && at >= first.at + Duration::from_mins(1))
        && refused.all(|call| !call.succeeded())
}

/// All that nobody took into their hands end on one version, and none is under way.
pub(crate) fn all_or_none(record: &Record, changes: &[Change<'_>]) -> Finding {
    let members: Vec<usize> = answered_for(record, changes, record.opened + Duration::from_hours(99)).collect();
    let on = |alias: &AliasState, versions: &[&str]| versions.contains(&alias.version.as_str()) && alias.weights.is_empty();
    // Where a first version failed before there was an alias, there is none.
    let all = |versions: &[&str]| members.iter().all(|member| on(&record.last[*member], versions));
    let described = || members.iter().map(|member| format!("{}: {:?}", name(*member), record.last[*member])).collect::<Vec<_>>();
    ensure(all(&["41", ""]) || all(&CANDIDATES), || format!("{:#?}", described()))?;
    let live = |member: &&usize| split(&record.last[**member].description).1.is_some_and(|note| note.is_live());
    ensure(!members.iter().any(|member| live(&member)), || format!("under way: {:#?}", described()))
}

/// A process that ends of its own accord leaves no live note of its own, unless it says so.
pub(crate) fn released(record: &Record, changes: &[Change<'_>]) -> Finding {
    for (run, Ended { at, code, .. }) in ended(record, Role::Rollout).filter(|(_, ended)| ![20, 21, 30].contains(&ended.code)) {
        for member in answered_for(record, changes, *at) {
            let Some(last) = standing(changes, member, *at).filter(|last| !last.late()) else { continue };
            // Writing another owner's note once more, to make sure that a claim of its own can no longer land, leaves nothing of its own.
            let owner = |change: &Change<'_>| change.noted.as_ref().map(|note| note.owner.clone());
            let first = changes.iter().find(|change| owner(change).is_some() && owner(change) == owner(last));
            let its_own = first.is_some_and(|first| first.call.caller == run.caller);
            let live = its_own && last.call.caller == run.caller && last.noted.as_ref().is_some_and(Note::is_live);
            let forward = *code == 1 && last.id().is_some_and(|id| committed(changes, id).is_some());
            ensure(!live || forward, || format!("{} ended with {code} and left {}", run.caller, record.shown(last)))?;
        }
    }
    Ok(())
}

/// The exit code of several says what the worst of them does, and fits what all of them are on.
pub(crate) fn exit_codes_of_all(record: &Record, changes: &[Change<'_>]) -> Finding {
    for (run, ended) in ended(record, Role::Rollout)
        .filter(|(_, ended)| ended.left.iter().all(|left| !left.said.is_empty()) && !ended.left.is_empty())
    {
        let (at, code, left) = (ended.at, ended.code, &ended.left);
        let described = || format!("{} ended with {code} at {:.3}: {left:?}", run.caller, record.seconds(at));
        let codes: Vec<u8> = left.iter().map(|left| left.code).collect();
        let worst = [20, 21].into_iter().find(|worst| codes.contains(worst));
        ensure(worst.is_none_or(|worst| worst == code) && (worst.is_some() || ![20, 21].contains(&code)), described)?;
        // What is not nothing is never reported as nothing; and nothing else is reported than what one of them says.
        ensure((code == 0) == codes.iter().all(|code| *code == 0) && (codes.contains(&code) || code == 10), described)?;
        ensure(record.story.many == 1 || fits_all(record, changes, run, ended), described)?;
    }
    Ok(())
}

/// Whether the exit code of several says what they are on and why.
fn fits_all(record: &Record, changes: &[Change<'_>], run: &Run, ended: &Ended) -> bool {
    let Ended { at, code, left, .. } = ended;
    let earlier = || changes.iter().filter(|change| change.call.at <= *at);
    let whole_at = |version: &str, at: Time| {
        answered_for(record, changes, at).all(|member| {
            standing(changes, member, at)
                .map_or(version == "41", |change| change.after.version == version && change.after.weights.is_empty())
        })
    };
    // While it tells people of it, another rollout may begin.
    let whole = |version: &str| whole_at(version, *at) || whole_at(version, last_look(record, run, *at));
    // The rollouts that it had a part in: those it wrote of.
    let ids: Vec<&str> = earlier().filter(|change| change.call.caller == run.caller).filter_map(Change::id).collect();
    let cause = earlier().any(|change| {
        let of = change.id().is_some_and(|id| ids.contains(&id)) || ids.is_empty();
        let back = change.noted.as_ref().filter(|note| note.phase == "back");
        of && back.is_some_and(|note| code_of(&note.cause) == Some(*code))
    });
    // While no process watched, too.
    let taken_out = earlier().any(|change| {
        !change.by(Role::Rollout) && change.noted.as_ref().is_some_and(Note::is_live) && change.after.weights.is_empty()
    });
    let forward = ids.iter().any(|id| committed(changes, id).is_some());
    let unmoved = !changes.iter().any(|change| change.call.caller == run.caller && change.raised());
    // AWS did not take the claim of one of them for so long.
    let unclaimed = || unmoved && whole("41") && (0..record.story.many).any(|member| refused_for_long(record, member, run, *at));
    let with_all = left.iter().all(|left| ["group", "unchanged"].contains(&left.kind.as_str()));
    match code {
        0 => whole("42"),
        // What went back before it moved anything is where it was. Whom a person took back after the commit, a poll before the last
        // became final, is not seen by all of them.
        10..=13 => {
            let there = whole("41") || whole("42") && (unmoved || *code == 13 && forward);
            there && (cause || *code == 13 && taken_out || with_all)
        }
        1 => cause && whole("41") || unclaimed() || forward && !record.story.weather.is_empty(),
        3 => true,
        20 => !record.story.weather.is_empty(),
        21 => earlier().any(|change| change.call.caller != run.caller),
        30 => {
            let signalled = record.story.acts.iter().any(|(_, act)| matches!(act, Act::Signal(_)));
            signalled && (record.story.asked.hold_on_interrupt || !record.story.scene.provisioning.is_zero())
                || set_manually(record)
        }
        _ => false,
    }
}

/// Whether somebody set a weight, which is left as it is after a while.
fn set_manually(record: &Record) -> bool {
    record.story.acts.iter().any(|(_, act)| matches!(act, Act::Edit(_, Edit::Weight(_))))
}

/// Whether this process stopped in the middle of making a group final: from its commit on nothing goes back, and AWS took no more.
fn stopped_forward(record: &Record, run: &Run, code: u8) -> bool {
    let changes = record.changes();
    let of_run = changes.iter().filter(|change| change.call.caller == run.caller).filter_map(Change::id);
    record.story.many > 1 && code == 1 && of_run.into_iter().any(|id| committed(&changes, id).is_some())
}

/// Whether somebody else wrote the alias last. Several are taken over together, though not with one write.
fn another_wrote(record: &Record, run: &Run, last: Option<&Change<'_>>, until: Time) -> bool {
    let other = |change: &Change<'_>| change.call.caller != run.caller;
    last.is_some_and(other)
        || record.story.many > 1 && record.changes().iter().any(|change| change.call.at <= until && other(change))
}

/// Whether a process found the alias on the candidate already, and wrote nothing.
fn nothing_to_do(changes: &[Change<'_>], run: &Run, until: Time) -> bool {
    wrote(changes, run).is_empty()
        && states(changes, run.began, until).any(|change| CANDIDATES.contains(&change.after.version.as_str()))
}

/// Where all traffic is on one version, that is what was said, and with that very version.
pub(crate) fn said(record: &Record, member: usize, changes: &[Change<'_>]) -> Finding {
    for (run, Ended { at, left, .. }) in ended(record, Role::Rollout) {
        let (at, Some(left)) = (*at, left.get(member)) else { continue };
        // What is told by the note alone says nothing of the traffic.
        if !matches!(left.code, 0 | 1 | 10..=13) || left.said.is_empty() {
            continue;
        }
        let mut seen: Vec<&Change<'_>> = in_view(record, run, changes, at);
        // One of several may have ended long before the others, and then anybody writes its alias.
        seen.extend(wrote(changes, run).last().filter(|_| record.story.many > 1));
        let whole =
            |change: &&&Change<'_>| change.after.weights.is_empty() && left.said == format!("100% on {}", change.after.version);
        let looked = last_look(record, run, at);
        let unmade = !changes.iter().any(|change| change.call.at <= looked);
        let right = unmade || seen.iter().any(|change| whole(&change)) || stopped_forward(record, run, left.code);
        ensure(right, || format!("{} ended at {:.3} and said {left:?}", run.caller, record.seconds(at)))?;
    }
    Ok(())
}

pub(crate) fn refused(record: &Record, changes: &[Change<'_>]) -> Finding {
    for (run, ended) in ended(record, Role::Rollout).filter(|(_, ended)| ended.code == 3) {
        let at = ended.at;
        if record.story.many > 1 {
            // Those that could begin were claimed, and released when another could not.
            let mine = |change: &&Change<'_>| change.call.caller == run.caller && change.call.at <= at;
            let moved = changes.iter().filter(mine).find(|change| change.raised());
            let moved = moved.map(|moved| record.shown(moved));
            ensure(moved.is_none(), || format!("{} was refused: {}", run.caller, moved.unwrap_or_default()))?;
            continue;
        }
        // A write that nobody answered, and that lands when its sender has given up or that is written over before its sender looks
        // again, is beyond anybody's power.
        if wrote(changes, run).iter().all(|change| change.call.delivery != Delivery::Answered) {
            continue;
        }
        // One that changes nothing but the revision makes sure that no late claim lands.
        let mine: Vec<_> = wrote(changes, run).into_iter().filter(|change| change.call.at <= at && change.changed()).collect();
        // A claim that found a rejected version was taken back again: then nothing is left of it.
        let others_since = |last: &Change<'_>| {
            changes.iter().any(|change| change.call.caller != run.caller && (last.call.at..=at).contains(&change.call.at))
        };
        let undone = mine.last().is_none_or(|last| last.noted.as_ref().is_some_and(|note| !note.is_live()) || others_since(last));
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

/// With provisioned concurrency AWS keeps all traffic where it was for a while: until then nobody says that it is done.
pub(crate) fn moved(record: &Record, member: usize, changes: &[Change<'_>]) -> Finding {
    let takes = record.story.scene.provisioning;
    let done = record.runs.iter().filter_map(|run| Some((run, run.ended.as_ref()?))).filter(|(_, ended)| ended.code == 0);
    for (run, ended) in done {
        let moves: Vec<&Change<'_>> =
            changes.iter().filter(|change| change.call.at <= ended.at && change.before.version != change.after.version).collect();
        let Some(last) = moves.last().filter(|last| last.call.caller == run.caller && !last.created()) else { continue };
        // On the way to somewhere else, what is gone back to has the traffic still.
        let under_way = moves.iter().rev().nth(1).is_some_and(|before| before.call.at + takes > last.call.at);
        ensure(under_way || ended.at >= last.call.at + takes, || {
            format!("{} ended at {:.3}, function {member}: {}", run.caller, record.seconds(ended.at), record.shown(last))
        })?;
    }
    Ok(())
}

/// A version that Lambda refuses to run is noticed by what is not counted, long before it is final.
pub(crate) fn ran(record: &Record, _: usize, changes: &[Change<'_>]) -> Finding {
    let (scene, asked) = (&record.story.scene, &record.story.asked);
    if !scene.refused || !asked.compares {
        return Ok(());
    }
    let (mut expected, mut counted) = (BTreeMap::<&str, f64>::new(), BTreeMap::<&str, Time>::new());
    for (before, change) in changes.iter().zip(changes.iter().skip(1)) {
        for version in CANDIDATES {
            let share = before.after.share(version);
            if share <= 0.0 {
                continue;
            }
            // What the first minute has may be an earlier rollout's, and is not counted.
            let whole = Time::from_millis((before.call.at.as_millis().div_euclid(60_000) + 1) * 60_000);
            let span = change.call.at.since(before.call.at.max(*counted.entry(version).or_insert(whole)));
            // Alone, it is expected to have what the alias had in as long a time before, of which the story has three minutes.
            let span = if share < 1.0 { span } else { span.min(Duration::from_mins(3)) };
            let made = share * scene.traffic * span.as_secs_f64();
            *expected.entry(version).or_default() += made;
        }
        let due = expected.get(change.after.version.as_str()).copied().unwrap_or_default();
        // A person who promoted it has seen as much.
        let by_hand = change.noted.as_ref().is_some_and(|note| note.fields.contains_key("m"));
        let ours = change.promoted() && change.by(Role::Rollout) && !by_hand;
        ensure(!ours || due < 40.0, || format!("some {due:.0} invocations: {}", record.shown(change)))?;
    }
    Ok(())
}

/// Whether every answer that this process got at first had the same wrong date. Then it is the machine's clock that it takes to be wrong, and no
/// later date moves it: one that jumps must not. What another process has written down as due is due by that clock: late, and not unsafe.
fn misled(record: &Record, run: &Run) -> bool {
    let began = run.began.since(record.opened);
    record.story.weather.iter().any(|weather| {
        let wrong = matches!(weather.effect, Effect::Dated(seconds) if seconds < 0);
        wrong && weather.chance >= 1.0 && (weather.from..weather.until).contains(&began)
    })
}

pub(crate) fn in_time(record: &Record, _: &[Change<'_>]) -> Finding {
    let late = record.runs.iter().filter(|run| run.overdue && !misled(record, run));
    let overdue: Vec<&str> = late.map(|run| run.caller.as_str()).collect();
    ensure(overdue.is_empty(), || format!("still running: {}", overdue.join(", ")))
}

pub(crate) fn terminal(record: &Record, member: usize, changes: &[Change<'_>]) -> Finding {
    let last = &record.last[member];
    let Some(note) = split(&last.description).1.filter(Note::is_live) else { return Ok(()) };
    // What somebody else made of the alias, so that it does not fit the note any more, is theirs to clear up.
    let whole = if note.stable == "-" { &note.candidate } else { &note.stable };
    let unfit = last.version != *whole || last.weights.keys().any(|version| *version != note.candidate);
    let theirs = unfit && changes.iter().rfind(|change| change.changed()).is_some_and(|change| !change.ours());
    // A weight that somebody set is left after a while, and nobody came back to it.
    let held = record.runs.iter().filter_map(Run::code).next_back() == Some(30) && set_manually(record);
    ensure(theirs || held, || format!("left: {last:?}"))
}

pub(crate) fn rolled_back(record: &Record, member: usize, changes: &[Change<'_>]) -> Finding {
    for (run, Ended { at, code, .. }) in ended(record, Role::RollBack).filter(|(run, _)| run.member == Some(member)) {
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
        ensure(right, || format!("{} ended with {code} at {:.3}", run.caller, record.seconds(*at)))?;
    }
    Ok(())
}

/// The same command run again finishes what a death or a pause left, unless something keeps any rollout from going on.
pub(crate) fn finished(record: &Record, member: usize, changes: &[Change<'_>]) -> Finding {
    // Several may take more than one run, and end as all or none.
    let Some(finisher) = record.finishers.first().filter(|_| record.story.many == 1) else { return Ok(()) };
    let Some(finisher) = record.run(finisher) else { return Ok(()) };
    let kept =
        |call: &CallRecord| call.operation == "DeleteAlarms" || ["STACK", "CONSOLE", "AWS"].contains(&call.caller.as_str());
    let red = record.alarms[member].iter().any(|alarm| alarm.at(finisher.began).is_some_and(|(_, state)| state == "ALARM"));
    let other = record.story.acts.iter().any(|(_, act)| *act == Act::NewCode);
    // A person who rolls back meanwhile takes what was left, and rejects the version.
    let taken = changes.iter().any(|change| change.by(Role::RollBack) && change.call.at >= finisher.began);
    let free = !red && !other && !taken && !record.log.iter().any(kept);
    let done = wrote(changes, finisher).last().is_some_and(|change| change.noted.as_ref().is_some_and(|note| !note.is_live()));
    ensure(done || !free, || format!("{} ended with {:?}", finisher.caller, finisher.code()))
}

/// Where nobody interferes, healthy versions are promoted, and one that a hook refuses is not, nor any that goes with it.
pub(crate) fn deserved(record: &Record, _: &[Change<'_>]) -> Finding {
    let (story, scene) = (&record.story, &record.story.scene);
    if !story.undisturbed() {
        return Ok(());
    }
    let refuses = |hook: Option<Manner>| hook.is_some_and(|manner| manner != Manner::Succeeds);
    let red =
        record.alarms.iter().flatten().any(|alarm| alarm.reddened(record.opened - Duration::from_millis(1)).next().is_some());
    let code = record.rollouts().next().and_then(Run::code).ok_or("it never ended")?;
    // A version that fails more often may be noticed by its calls alone.
    let worse = story.asked.compares && scene.error_rate > 0.0 && code == 10;
    let unseen = story.asked.compares && scene.refused && code == 12;
    let hooks = (0..story.many).map(|member| story.hooks(member).map(|(_, manner)| refuses(manner)));
    let [pre, post] = hooks.fold([false, false], |[pre, post], [also_pre, also_post]| [pre || also_pre, post || also_post]);
    let right = match (story.bad.map(|(_, trouble)| trouble), pre, post, red) {
        (Some(Trouble::Unfit), ..) => code == 1,
        (Some(Trouble::Rejected), ..) => code == 3,
        (_, true, _, false) | (_, false, true, false) => code == 11,
        (_, false, false, false) => code == 0,
        // An alarm turns red when all is over, too.
        (Some(_), pre, post, true) => matches!(code, 0 | 3 | 10) || code == 11 && (pre || post),
        (None, _, _, true) => matches!(code, 0 | 3 | 10 | 11),
    };
    ensure(worse || unseen || right, || format!("it ended with {code}"))?;
    ensure(story.many == 1 || record.finishers.is_empty(), || "it did not end by itself".to_owned())
}
