//! Why did it end so, and what would have had to differ? Told from the events alone, with the arithmetic of the last decision.
//!
//! It says what the rules make of other facts, never what would have come of the version.

use std::time::Duration;

use rollout::comparison::AnalysisVerdict;
use rollout::event::{Event, FORMAT};
use rollout::format::{duration, grouped};
use rollout::health::{AlarmState, clock};
use rollout::plan::Mode;
use rollout::{Cause, OutcomeKind, Time, Weight};
use serde_json::json;

use crate::counts::figure;
use crate::ending::lines;
use crate::format::{joined, version};
use crate::record::{Record, records};
use crate::safe::one_line;

/// The explanation of every rollout in these events, for people.
pub fn explanation(events: &[Event]) -> String {
    let mut text = Vec::new();
    for record in &records(events) {
        let mut told: Vec<String> = lines(&record.block(), None).iter().map(|line| line.render(usize::MAX, false)).collect();
        for (title, rows) in [("What it rested on", grounds(record)), ("What would have had to differ", otherwise(record))] {
            if !rows.is_empty() {
                told.extend([String::new(), title.to_owned()]);
                told.extend(rows.iter().map(|row| format!("  {row}")));
            }
        }
        text.push(joined(&told));
    }
    if text.is_empty() { "There are no events to explain.\n".to_owned() } else { text.join("\n") }
}

/// The same as lines of JSON, one a rollout.
///
/// # Errors
/// None that these values can cause.
pub fn explanation_json(events: &[Event]) -> serde_json::Result<String> {
    let mut text = String::new();
    for record in &records(events) {
        let (block, story) = (record.block(), &record.story);
        let line = json!({
            "v": FORMAT, "type": "explanation", "at": record.last, "function": story.function, "alias": story.alias,
            "outcome": record.ending.as_ref().map(|ending| &ending.outcome), "why": block.why,
            "grounds": grounds(record), "otherwise": otherwise(record),
        });
        text.push_str(&serde_json::to_string(&line)?);
        text.push('\n');
    }
    Ok(text)
}

/// When it was decided, and what was known then.
fn grounds(record: &Record) -> Vec<String> {
    let Some((_, started)) = &record.story.started else { return Vec::new() };
    let at = record.rollback_target.as_ref().map_or(record.last, |(at, _)| *at);
    let mut rows = Vec::new();
    let candidate = version(record.story.candidate);
    match record.story.share.filter(|_| started.stable.is_some()) {
        Some(share) => rows.push(format!(
            "share     {} on {candidate} since {} (step {} of {}), at {}",
            share.weight,
            clock(share.since),
            share.step,
            share.steps,
            clock(at)
        )),
        None if started.stable.is_some() => rows.push(format!("share     {candidate} never had one")),
        None => rows.push(format!("share     there was no version before {candidate}")),
    }
    if let Some(count) = record.counts.iter().rfind(|count| count.at <= at) {
        rows.push(format!("counts    {}, counted at {}", count.why, clock(count.at)));
        rows.push(format!("evidence  {}", evidence(record, at)));
    }
    for alarm in &record.alarms {
        if let Some(seen) = alarm.states.iter().rfind(|seen| seen.since <= at) {
            let reason = if seen.state == AlarmState::Alarm { format!(": {}", seen.reason) } else { String::new() };
            let word = seen.state.word().replace('_', " ");
            rows.push(format!("alarm     {} {word} since {}{reason}", one_line(&alarm.name), clock(seen.since)));
        }
    }
    if started.alarms.is_empty() && started.analysis != Some(Mode::On) {
        rows.push("watched   nothing: the schedule alone moved traffic".to_owned());
    }
    rows
}

/// How far the evidence was from its threshold at a moment.
fn evidence(record: &Record, at: Time) -> String {
    let Some(count) = record.counts.iter().rfind(|count| count.at <= at) else { return "nothing was counted".to_owned() };
    let (ln, threshold) = (count.numbers.ln_evidence, figure(count.numbers.ln_threshold));
    let missing = match count.numbers.missing_errors {
        Some(missing) if count.opinion != AnalysisVerdict::RollBack => {
            format!("; {} more errors of {} would have been proof", grouped(missing), count.numbers.candidate.version)
        }
        Some(_) | None => String::new(),
    };
    format!("{} of the {threshold} that a rollback takes{missing}", figure(ln))
}

/// What would have followed, had nothing spoken against it.
fn onwards(record: &Record) -> String {
    let Some((_, started)) = &record.story.started else { return "it would have gone on".to_owned() };
    let candidate = version(record.story.candidate);
    let Some(share) = record.story.share else {
        let first = started.weights.first().copied().unwrap_or(Weight::FULL);
        return format!("{candidate} would have been given its first share, {first}");
    };
    let due = share.next_at.map_or_else(String::new, |at| format!(", due at {}", clock(at)));
    if share.weight == Weight::FULL {
        let then = if started.post_hook.is_some() {
            "the post-traffic hook would have been asked"
        } else {
            "it would have been promoted"
        };
        return format!("{then} next{due}");
    }
    let next = started.weights.get(share.step).copied().unwrap_or(Weight::FULL);
    format!("it would have gone on to {next}{due}")
}

fn otherwise(record: &Record) -> Vec<String> {
    let Some(ending) = &record.ending else {
        return vec!["nothing ended it: as far as these events go, it was under way".to_owned()];
    };
    match ending.outcome {
        OutcomeKind::RolledBack | OutcomeKind::RollbackUnconfirmed => {
            let mut rows = taken_back(record);
            if ending.outcome == OutcomeKind::RollbackUnconfirmed {
                rows.push("an answer of AWS to one write of the alias would have confirmed the way back".to_owned());
            }
            rows
        }
        OutcomeKind::Promoted => promoted(record),
        OutcomeKind::Refused => vec!["nothing had moved: with each of the reasons above removed it would have begun".to_owned()],
        OutcomeKind::Superseded => {
            let rule = "the alias as this rollout left it: what somebody else changed is theirs, and is left alone";
            vec![rule.to_owned(), format!("then {}", onwards(record))]
        }
        OutcomeKind::Unchanged => {
            vec!["code or settings in `$LATEST` that stable does not have: publishing then gives a new version".to_owned()]
        }
        OutcomeKind::LeftInProgress => vec![
            format!("without the signal {}", onwards(record)),
            "with `--on-interrupt rollback`, the default, the signal would have taken all traffic back".to_owned(),
        ],
        OutcomeKind::Failed | OutcomeKind::Detached | OutcomeKind::Unknown(_) => {
            vec![format!("without that failure {}", onwards(record))]
        }
    }
}

fn taken_back(record: &Record) -> Vec<String> {
    let Some(rollback_target) = &record.story.rollback_target else { return Vec::new() };
    let onwards = onwards(record);
    match rollback_target.cause {
        Cause::Alarm => alarmed(record, rollback_target.at, &onwards),
        Cause::Analysis => analysed(record, rollback_target.at, &onwards),
        Cause::PreHook | Cause::PostHook | Cause::StepHook => {
            let name = record.hooks.last().map_or_else(|| "the hook".to_owned(), |hook| format!("hook `{}`", hook.name));
            let promoted = format!("{} would have been promoted", version(record.story.candidate));
            let then = if rollback_target.cause == Cause::PostHook { promoted } else { onwards };
            vec![format!("with {{\"status\":\"Succeeded\"}} from {name} {then}")]
        }
        Cause::Blind | Cause::NoData => {
            let since = record.blind.last().map(|(since, _)| *since);
            let waited = since.map_or_else(String::new, |since| {
                format!(", {} after it was lost at {}", duration(rollback_target.at.since(since)), clock(since))
            });
            vec![
                format!("sight again before {}{waited}; then {onwards}", clock(rollback_target.at)),
                "a longer `--blind-limit` would have held the share for longer".to_owned(),
            ]
        }
        Cause::LowTraffic => vec![
            format!("enough calls of {} in this step; then {onwards}", version(record.story.candidate)),
            "a longer `--max-hold`, fewer `--min-requests`, or another `--on-low-traffic`".to_owned(),
        ],
        Cause::Signal => vec![
            format!("without the signal {onwards}"),
            "with `--on-interrupt hold` the share would have stayed for another process to go on from".to_owned(),
        ],
        Cause::Hand | Cause::Abort => vec![format!("without that person's word {onwards}")],
        Cause::Group => vec![format!("had the others of its group gone on, {onwards}")],
        Cause::Superseded => vec![format!("without the other rollout {onwards}")],
        Cause::Failed | Cause::Unchanged | Cause::Rejected => vec![format!("without that failure {onwards}")],
    }
}

fn alarmed(record: &Record, at: Time, onwards: &str) -> Vec<String> {
    let red = |alarm: &&crate::record::Alarm| alarm.states.iter().any(|seen| seen.state == AlarmState::Alarm && seen.since <= at);
    let names: Vec<String> = record.alarms.iter().filter(red).map(|alarm| format!("`{}`", one_line(&alarm.name))).collect();
    let names = if names.is_empty() { "the alarm".to_owned() } else { format!("alarm {}", names.join(" and ")) };
    let mut rows = vec![format!("without {names} {onwards}")];
    if record.counts.iter().any(|count| count.at <= at) {
        rows.push(format!("the calls alone would not have taken it back by then: {}", evidence(record, at)));
    }
    rows
}

fn analysed(record: &Record, at: Time, onwards: &str) -> Vec<String> {
    let mut known = record.counts.iter().filter(|count| count.at <= at).rev();
    let Some(last) = known.next() else { return vec![format!("with answers to its saved events {onwards}")] };
    let threshold = figure(last.numbers.ln_threshold);
    let mut rows = vec![format!("with evidence below {threshold} {onwards}; it was {}", figure(last.numbers.ln_evidence))];
    if let Some(before) = known.next().filter(|before| before.opinion != AnalysisVerdict::RollBack) {
        let (at, evidence) = (clock(before.at), figure(before.numbers.ln_evidence));
        rows.push(format!("at the count before, {at}, it was {evidence}: {}", before.why));
    }
    let extra = last.numbers.extra_failures.to_f64().round();
    if extra >= 1.0 {
        let (candidate, stable) = (last.numbers.candidate, last.numbers.stable.version);
        rows.push(format!(
            "{} of {} calls of {} failed; at the rate of {stable} about {:.0} would have",
            grouped(candidate.errors),
            grouped(candidate.calls),
            candidate.version,
            (f64::from(u32::try_from(candidate.errors).unwrap_or(u32::MAX)) - extra).max(0.0)
        ));
    }
    rows
}

fn promoted(record: &Record) -> Vec<String> {
    let Some((_, started)) = &record.story.started else { return Vec::new() };
    let mut rows = Vec::new();
    let until = clock(record.last);
    if !started.alarms.is_empty() {
        let alarms: Vec<String> = started.alarms.iter().map(|name| format!("`{}`", one_line(name))).collect();
        rows.push(format!("{} in ALARM before {until} would have taken it back", alarms.join(" or ")));
    }
    let highest = record.minutes().into_iter().max_by_key(|count| count.numbers.ln_evidence);
    if let Some(count) = highest.filter(|_| started.analysis == Some(Mode::On)) {
        rows.push(format!(
            "evidence of {} would have taken it back; the most there was is {}, at {}",
            figure(count.numbers.ln_threshold),
            figure(count.numbers.ln_evidence),
            clock(count.at)
        ));
    }
    if started.post_hook.is_some() || started.pre_hook.is_some() {
        rows.push("any other answer of a hook would have taken it back".to_owned());
    }
    let longest = record.blind.iter().map(|(since, until)| until.unwrap_or(record.last).since(*since)).max();
    if let Some(longest) = longest.filter(|longest| *longest > Duration::ZERO) {
        rows.push(format!("it was blind for {} at most; `--blind-limit` would have ended it", duration(longest)));
    }
    if rows.is_empty() {
        rows.push("nothing but a person or a signal could have: nothing was watched".to_owned());
    }
    rows
}
