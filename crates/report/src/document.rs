//! What does a program read of a whole rollout? One JSON document: the end, and everything over time.
//!
//! For each event as it happens there are the JSON lines.

use rollout::event::{Difference, Event, FORMAT, HookPhase, RolloutSummary, Started};
use rollout::health::AlarmState;
use rollout::{Time, Version, Weight};
use serde::Serialize;

use crate::group;
use crate::record::{Count, Decision, Record, records};

/// The report about the rollouts of these events, as one JSON document. Keys are only ever added.
///
/// # Errors
/// None that these values can cause.
pub fn document(events: &[Event]) -> serde_json::Result<String> {
    let records = records(events);
    let rollouts = records.iter().map(Rollout::of).collect();
    let several = group::outcome(events).map(|outcome| Several { exit_code: outcome.exit_code, together: outcome.together });
    Ok(serde_json::to_string_pretty(&Document { v: FORMAT, kind: "report", several, rollouts })? + "\n")
}

#[derive(Serialize)]
struct Document<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    several: Option<Several>,
    rollouts: Vec<Rollout<'a>>,
}

/// The result of a group.
#[derive(Serialize)]
struct Several {
    exit_code: u8,
    together: bool,
}

/// One rollout.
#[derive(Serialize)]
struct Rollout<'a> {
    function: &'a str,
    alias: &'a str,
    verdict: String,
    #[serde(rename = "started_at")]
    began: Time,
    #[serde(rename = "last_event_at")]
    last: Time,
    candidate: Option<Version>,
    started: Option<&'a Started>,
    ending: Option<&'a RolloutSummary>,
    #[serde(rename = "weights")]
    shares: Vec<Share>,
    counts: &'a [Count],
    decisions: &'a [Decision],
    hooks: Vec<Hook<'a>>,
    alarms: Vec<Alarm<'a>>,
    #[serde(rename = "differences", skip_serializing_if = "<[Difference]>::is_empty")]
    differs: &'a [Difference],
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Share {
    since: Time,
    weight: Weight,
}

#[derive(Serialize)]
struct Hook<'a> {
    phase: HookPhase,
    name: &'a str,
    #[serde(rename = "started_at")]
    asked: Time,
    succeeded: Option<bool>,
    took_ms: Option<u64>,
    log: &'a [String],
}

#[derive(Serialize)]
struct Alarm<'a> {
    name: &'a str,
    state: AlarmState,
    since: Time,
    reason: &'a str,
}

impl<'a> Rollout<'a> {
    fn of(record: &'a Record) -> Self {
        let verdict = record.block().verdict;
        let alarms = record.alarms.iter().flat_map(|alarm| {
            alarm.states.iter().map(|seen| Alarm {
                name: &alarm.name,
                state: seen.state,
                since: seen.since,
                reason: &seen.reason,
            })
        });
        let hooks = record.hooks.iter().map(|hook| Hook {
            phase: hook.phase,
            name: &hook.name,
            asked: hook.asked,
            succeeded: hook.answer.as_ref().map(|answer| answer.good),
            took_ms: hook.answer.as_ref().map(|answer| u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX)),
            log: hook.answer.as_ref().map(|answer| answer.lines.as_slice()).unwrap_or_default(),
        });
        Self {
            function: &record.story.function,
            alias: &record.story.alias,
            verdict: format!("{}: {}", verdict.word, verdict.sentence),
            began: record.began,
            last: record.last,
            candidate: record.story.candidate,
            started: record.story.started.as_ref().map(|(_, started)| started),
            ending: record.ending.as_ref(),
            shares: record.shares.iter().map(|(since, weight)| Share { since: *since, weight: *weight }).collect(),
            counts: &record.counts,
            decisions: &record.decisions,
            hooks: hooks.collect(),
            alarms: alarms.collect(),
            differs: &record.differs,
            warnings: &record.warnings,
        }
    }
}
