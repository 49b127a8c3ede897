//! Why did it end this way, and what would have changed the outcome? From the events alone, with the numbers of the last decision.
//!
//! It applies the rules to other facts; it does not predict how the version would have behaved.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rollout::comparison::{AnalysisVerdict, Calls, ERRORS, StreamNumbers, Thousandths};
use rollout::event::{Event, FORMAT};
use rollout::format::{duration, grouped};
use rollout::health::{AlarmState, clock};
use rollout::plan::Mode;
use rollout::{Cause, OutcomeKind, Time, Weight};
use serde_json::json;

use crate::counts::figure;
use crate::format::{joined, version};
use crate::record::{Record, records};
use crate::rollout_state::{Count, Share};
use crate::safe::one_line;
use crate::tables::verdict_word;

/// The explanation of every rollout in these events, for people.
pub fn explanation(events: &[Event]) -> String {
    let mut text = Vec::new();
    for record in &records(events) {
        let mut page = record.block().lines();
        let otherwise = ("What would have changed the outcome", otherwise(record));
        for (title, rows) in [("What the decision was based on", grounds(record)), otherwise] {
            if !rows.is_empty() {
                page.extend([String::new(), title.to_owned()]);
                page.extend(rows.iter().map(|row| format!("  {row}")));
            }
        }
        text.push(joined(&page));
    }
    if text.is_empty() { "There are no events to explain.\n".to_owned() } else { text.join("\n") }
}

/// The same as lines of JSON, one a rollout.
pub fn explanation_json(events: &[Event]) -> String {
    let line = |record: &Record| {
        let story = &record.story;
        let mut line = json!({
            "v": FORMAT, "type": "explanation", "at": record.last, "function": story.function, "alias": story.alias,
            "outcome": record.ending.as_ref().map(|ending| &ending.outcome), "why": record.block().why,
            "grounds": grounds(record), "otherwise": otherwise(record),
        });
        if let Some(ending) = record.ending.as_ref().filter(|ending| !ending.evidence.is_empty()) {
            line["evidence"] = json!(ending.evidence);
        }
        format!("{line}\n")
    };
    records(events).iter().map(line).collect()
}

fn grounds(record: &Record) -> Vec<String> {
    let Some((_, started)) = &record.story.started else { return Vec::new() };
    let at = record.rollback.as_ref().map_or(record.last, |(at, _)| *at);
    let mut rows = Vec::new();
    let candidate = version(record.story.candidate);
    match record.story.share.filter(|_| started.stable.is_some()) {
        Some(Share { weight, step, steps, since, .. }) => {
            let (since, decided) = (clock(since), clock(at));
            rows.push(format!("traffic   {weight} on {candidate} since {since} (step {step} of {steps}), decided at {decided}"));
        }
        None if started.stable.is_some() => rows.push(format!("traffic   {candidate} had none")),
        None => rows.push(format!("traffic   there was no version before {candidate}")),
    }
    if let Some(count) = record.counts.iter().rfind(|count| count.at <= at) {
        rows.push(format!("counts    {}, counted at {}", count.why, clock(count.at)));
        rows.push(format!("evidence  {}", evidence(count)));
        rows.extend(count.numbers.streams().iter().map(signal));
    }
    let last: BTreeMap<_, _> =
        record.alarms.iter().filter(|alarm| alarm.since <= at).map(|alarm| (one_line(&alarm.name), alarm)).collect();
    for (name, alarm) in last {
        let reason = if alarm.state == AlarmState::Alarm { format!(": {}", alarm.reason) } else { String::new() };
        rows.push(format!("alarm     {name} {} since {}{reason}", alarm.state.word().replace('_', " "), clock(alarm.since)));
    }
    if started.alarms.is_empty() && started.analysis != Some(Mode::On) {
        rows.push("watched   nothing: only the schedule moved traffic".to_owned());
    }
    rows
}

/// What a signal, or the errors among them, counted and weighed.
fn signal(stream: &StreamNumbers<'_>) -> String {
    let StreamNumbers { name, stable, candidate, ln_evidence, opinion, log_lag_seconds, .. } = stream;
    let failed = |calls: &Calls| format!("{} ({}/{})", calls.rate(), grouped(calls.errors), grouped(calls.calls));
    let alone = opinion.map_or_else(String::new, |opinion| format!(", {} alone", verdict_word(opinion)));
    let lag = log_lag_seconds.map_or_else(String::new, |lag| format!(", its log {} late", duration(Duration::from_secs(lag))));
    let (name, worse, better) = (one_line(name), failed(candidate), failed(stable));
    format!("signal    {name} {worse} vs {better} on {}, evidence {}{alone}{lag}", stable.version, figure(*ln_evidence))
}

/// How far the evidence was from its threshold.
fn evidence(count: &Count) -> String {
    let (ln, threshold) = (count.numbers.ln_evidence, figure(count.numbers.ln_threshold));
    let missing = match count.numbers.missing_errors {
        Some(missing) if count.opinion != AnalysisVerdict::RollBack => {
            format!("; {} more errors of {} would have been enough", grouped(missing), count.numbers.candidate.version)
        }
        Some(_) | None => String::new(),
    };
    format!("{} of the {threshold} that a rollback requires{missing}", figure(ln))
}

fn onwards(record: &Record) -> String {
    let Some((_, started)) = &record.story.started else { return "the rollout would have continued".to_owned() };
    let candidate = version(record.story.candidate);
    let Some(share) = record.story.share else {
        let first = started.weights.first().copied().unwrap_or(Weight::FULL);
        return format!("{candidate} would have received its first traffic, {first}");
    };
    let due = share.next_at.map_or_else(String::new, |at| format!(" at {}", clock(at)));
    if share.weight == Weight::FULL {
        let then = if started.post_hook.is_some() {
            "the post-traffic hook would have been invoked"
        } else {
            "the new version would have been promoted"
        };
        return format!("{then}{due}");
    }
    let next = started.weights.get(usize::from(share.step)).copied().unwrap_or(Weight::FULL);
    format!("the next step would have been {next}{due}")
}

fn otherwise(record: &Record) -> Vec<String> {
    let Some(ending) = &record.ending else {
        return vec!["nothing: the rollout was in progress at the last event".to_owned()];
    };
    match ending.outcome {
        OutcomeKind::RolledBack | OutcomeKind::RollbackUnconfirmed => {
            let mut rows = rolled_back(record);
            if ending.outcome == OutcomeKind::RollbackUnconfirmed {
                rows.push("an answer of AWS to a write of the alias would have confirmed the rollback".to_owned());
            }
            rows
        }
        OutcomeKind::Promoted => promoted(record),
        OutcomeKind::Refused => vec!["traffic unchanged: without the problems above the rollout would have started".to_owned()],
        OutcomeKind::Superseded => {
            vec![format!("without the change by another owner {}", onwards(record))]
        }
        OutcomeKind::Unchanged => {
            vec!["changed code or settings in `$LATEST`: publishing would have created a new version".to_owned()]
        }
        OutcomeKind::LeftInProgress => vec![
            format!("without the signal {}", onwards(record)),
            "with `--on-interrupt rollback`, the default, the signal would have rolled back".to_owned(),
        ],
        OutcomeKind::Detached => vec!["it is not over: `canaryctl status` shows where it is".to_owned()],
        OutcomeKind::Failed | OutcomeKind::Unknown(_) => {
            vec![format!("without this failure {}", onwards(record))]
        }
    }
}

fn rolled_back(record: &Record) -> Vec<String> {
    let Some((at, cause)) = record.story.rollback else { return Vec::new() };
    let onwards = onwards(record);
    match cause {
        Cause::Alarm => alarmed(record, at, &onwards),
        Cause::Analysis => analysed(record, at, &onwards),
        Cause::PreHook | Cause::PostHook | Cause::StepHook => {
            let name = record.hooks.last().map_or_else(|| "the hook".to_owned(), |hook| format!("hook `{}`", hook.name));
            let promoted = format!("{} would have been promoted", version(record.story.candidate));
            let then = if cause == Cause::PostHook { promoted } else { onwards };
            vec![format!("if {name} had answered {{\"status\":\"Succeeded\"}}, {then}")]
        }
        Cause::Check => vec![format!("if every check had answered {{\"status\":\"Succeeded\"}}, {onwards}")],
        Cause::Blind | Cause::NoData => {
            let since = record.unmonitored.last().map(|(since, _)| *since);
            let waited = since.map_or_else(String::new, |since| {
                format!(", {} after it became unavailable at {}", duration(at.since(since)), clock(since))
            });
            vec![
                format!("if monitoring had been restored before {}{waited}, {onwards}", clock(at)),
                "a longer `--blind-limit` would have held the traffic for longer".to_owned(),
            ]
        }
        Cause::LowTraffic => vec![
            format!("with enough invocations of {} in this step {onwards}", version(record.story.candidate)),
            "a longer `--max-hold`, a lower `--min-requests` or another `--on-low-traffic` could have changed it".to_owned(),
        ],
        Cause::Signal => vec![
            format!("without the signal {onwards}"),
            "with `--on-interrupt hold` the traffic would have stayed, and another process could have resumed".to_owned(),
        ],
        Cause::Hand | Cause::Abort => vec![format!("without the manual rollback {onwards}")],
        Cause::Group => vec![format!("without the rollback of its group {onwards}")],
        Cause::Abandoned => vec![
            format!("if its process had not stopped, {onwards}"),
            "nothing was found against the version: the same command starts a new rollout".to_owned(),
        ],
        Cause::Superseded => vec![format!("without the other rollout {onwards}")],
        Cause::Failed | Cause::Unchanged | Cause::Rejected => vec![format!("without this failure {onwards}")],
    }
}

fn alarmed(record: &Record, at: Time, onwards: &str) -> Vec<String> {
    let fired = record.alarms.iter().filter(|alarm| alarm.state == AlarmState::Alarm && alarm.since <= at);
    let names: BTreeSet<String> = fired.map(|alarm| format!("`{}`", one_line(&alarm.name))).collect();
    let names = Vec::from_iter(names);
    let names = if names.is_empty() { "the alarm".to_owned() } else { format!("alarm {}", names.join(" and ")) };
    let mut rows = vec![format!("without {names} {onwards}")];
    let count = record.counts.iter().rfind(|count| count.at <= at);
    rows.extend(count.map(|count| format!("the comparison alone would not have rolled back by then: {}", evidence(count))));
    rows
}

fn analysed(record: &Record, at: Time, onwards: &str) -> Vec<String> {
    let mut known = record.counts.iter().filter(|count| count.at <= at).rev();
    let Some(last) = known.next() else { return vec![format!("with successful answers to the test events {onwards}")] };
    let threshold = figure(last.numbers.ln_threshold);
    let mut rows = vec![format!("with evidence below {threshold} {onwards}; it was {}", figure(last.numbers.ln_evidence))];
    if let Some(before) = known.next().filter(|before| before.opinion != AnalysisVerdict::RollBack) {
        let (at, evidence) = (clock(before.at), figure(before.numbers.ln_evidence));
        rows.push(format!("at {at}, one count earlier, it was {evidence}: {}", before.why));
    }
    let extra = last.numbers.extra_failures.to_f64().round();
    if let Some(name) = last.numbers.strongest.as_ref().filter(|name| *name != ERRORS) {
        rows.push(format!("without the signal `{name}` {}", without(last.numbers.errors_ln_evidence, &threshold)));
    } else if extra >= 1.0 {
        let (candidate, stable) = (last.numbers.candidate, last.numbers.stable.version);
        rows.push(format!(
            "{} of {} invocations of {} failed; at the error rate of {stable} about {:.0} would have failed",
            grouped(candidate.errors),
            grouped(candidate.calls),
            candidate.version,
            (f64::from(u32::try_from(candidate.errors).unwrap_or(u32::MAX)) - extra).max(0.0)
        ));
    }
    rows
}

/// What errors alone come to.
fn without(errors: Option<Thousandths>, threshold: &str) -> String {
    format!("the errors' own evidence was {} of {threshold}", figure(errors.unwrap_or_default()))
}

fn promoted(record: &Record) -> Vec<String> {
    let Some((_, started)) = &record.story.started else { return Vec::new() };
    let mut rows = Vec::new();
    let until = clock(record.last);
    if !started.alarms.is_empty() {
        let alarms: Vec<String> = started.alarms.iter().map(|name| format!("`{}`", one_line(name))).collect();
        rows.push(format!("{} in ALARM before {until} would have rolled back", alarms.join(" or ")));
    }
    let highest = record.minutes().into_iter().max_by_key(|count| count.numbers.ln_evidence);
    if let Some(count) = highest.filter(|_| started.analysis == Some(Mode::On)) {
        let (threshold, highest) = (figure(count.numbers.ln_threshold), figure(count.numbers.ln_evidence));
        rows.push(format!("evidence of {threshold} would have rolled back; the highest was {highest} at {}", clock(count.at)));
    }
    if started.post_hook.is_some() || started.pre_hook.is_some() {
        rows.push("any other answer of a hook would have rolled back".to_owned());
    }
    let longest = record.unmonitored.iter().map(|(since, until)| until.unwrap_or(record.last).since(*since)).max();
    if let Some(longest) = longest.filter(|longest| *longest > Duration::ZERO) {
        let most = duration(longest);
        rows.push(format!("monitoring was unavailable for at most {most}; longer than `--blind-limit` would have rolled back"));
    }
    if rows.is_empty() {
        rows.push("only a person or a signal: nothing was watched".to_owned());
    }
    rows
}
