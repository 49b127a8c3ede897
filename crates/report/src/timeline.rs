//! What would a rollout do, and when? The plan as a timeline, with what is watched and how every doubt is treated.
//!
//! A plan changes nothing and checks nothing; what the preflight finds is told beside it.

use std::time::Duration;

use rollout::event::FORMAT;
use rollout::forecast::Forecast;
use rollout::format::{duration, grouped, percent};
use rollout::hook::HookUrl;
use rollout::plan::{InsufficientData, Latency, Mode, OnInterrupt, OnLowTraffic, Plan, Preexisting, Source};
use rollout::{Subject, Time, Version, Weight};
use serde::Serialize;

use crate::forecast;
use crate::format::{joined, operand, short};
use crate::safe::one_line;

/// The timeline of a plan for people; every line is ended.
pub fn plan_text(subject: &Subject, plan: &Plan, forecast: Option<&Forecast>) -> String {
    let mut lines = vec![title(subject, plan)];
    let mut row = |word: &str, text: String| lines.push(format!("  {word:<10}{text}"));
    if let Some(hook) = &plan.pre_hook {
        row("before", format!("pre-traffic hook {} says whether any traffic moves", asked(hook)));
    }
    if let Some(hook) = plan.step_hook.as_ref().filter(|_| plan.stable.is_some()) {
        row("between", format!("step hook {} says whether the share rises further", asked(hook)));
    }
    match plan.stable {
        Some(stable) => {
            for (at, text) in steps(plan) {
                row(&at, text);
            }
            row(&after(plan.duration()), end(plan, stable));
        }
        None => row("t = 0", format!("the alias is created on it: {} at once, there is nothing to share with", Weight::FULL)),
    }
    if let (None, Some(hook)) = (plan.stable, &plan.post_hook) {
        row("after", format!("post-traffic hook {}; there is nothing to go back to should it fail", asked(hook)));
    }
    for (at, text) in watched(plan).into_iter().enumerate() {
        row(if at == 0 { "watched" } else { "" }, text);
    }
    for (at, text) in forecast.map(forecast::rows).unwrap_or_default().into_iter().enumerate() {
        row(if at == 0 { "sees" } else { "" }, text);
    }
    row("stopped", on_interrupt(plan).to_owned());
    row("go back", format!("canaryctl rollback {}", operand(&subject.function.name, &subject.alias)));
    if plan.stable.is_none() {
        lines.pop();
    }
    joined(&lines)
}

/// The plan as one line of JSON, without its end.
///
/// # Errors
/// None that these values can cause.
pub fn plan_json(subject: &Subject, plan: &Plan, forecast: Option<&Forecast>, now: Time) -> serde_json::Result<String> {
    serde_json::to_string(&Planned { forecast: forecast.cloned(), ..Planned::of(subject, plan, now) })
}

/// How many rows of steps are shown one by one.
const ROWS: usize = 12;

/// How many of more steps than that are shown from the beginning, and from the end.
const FIRST: usize = 4;
const LAST: usize = 2;

fn title(subject: &Subject, plan: &Plan) -> String {
    let source = match &plan.source {
        Source::Publish => "a new version".to_owned(),
        Source::Update(_) => "a new version with the given code".to_owned(),
        Source::Version(version) => version.to_string(),
    };
    match plan.stable {
        Some(stable) if plan.duration().is_zero() => format!("{subject}   {stable} ▸ {source}   {}", plan.schedule),
        Some(stable) => format!("{subject}   {stable} ▸ {source}   {}, about {}", plan.schedule, duration(plan.duration())),
        None => format!("{subject}   {source}   first deployment"),
    }
}

/// When step `index`, counted from 0, moves traffic, from the first share on.
fn moment(plan: &Plan, index: usize) -> Duration {
    plan.schedule.every().saturating_mul(u32::try_from(index).unwrap_or(u32::MAX))
}

fn after(span_: Duration) -> String {
    if span_.is_zero() { "t = 0".to_owned() } else { duration(span_) }
}

fn steps(plan: &Plan) -> Vec<(String, String)> {
    let weights = plan.schedule.weights();
    let shown = |index: usize| weights.len() <= ROWS || index < FIRST || index + LAST >= weights.len();
    let mut rows = Vec::new();
    for (index, weight) in weights.iter().enumerate() {
        if shown(index) {
            rows.push((after(moment(plan, index)), text(plan, *weight)));
        } else if index == FIRST {
            rows.push((
                "…".to_owned(),
                format!("{} more steps, one every {}", weights.len() - FIRST - LAST, duration(plan.schedule.every())),
            ));
        }
    }
    rows
}

fn text(plan: &Plan, weight: Weight) -> String {
    if weight == Weight::FULL && !plan.bake.is_zero() {
        format!("{weight}, then baked for {}: watched, and one write away from stable", duration(plan.bake))
    } else {
        weight.to_string()
    }
}

fn end(plan: &Plan, stable: Version) -> String {
    match &plan.post_hook {
        Some(hook) => format!("post-traffic hook {}, then promoted; back to {stable} should it fail", asked(hook)),
        None => "promoted".to_owned(),
    }
}

/// A hook, and that nothing is known of one at a URL: no question would change nothing there.
fn asked(hook: &str) -> String {
    let unknown = if HookUrl::is_meant(hook) { " (first asked when it counts)" } else { "" };
    format!("{}{unknown}", short(hook))
}

fn watched(plan: &Plan) -> Vec<String> {
    if !plan.watches() {
        return vec!["nothing is watched: the schedule alone moves traffic".to_owned()];
    }
    let mut rows = compared(plan);
    let limit = duration(plan.blind_limit);
    if plan.alarms.is_empty() {
        rows.push(format!("not readable: holds the share, goes back after {limit} (--blind-limit)"));
        return rows;
    }
    let managed =
        |name: &&String| plan.managed.iter().any(|rule| rule.strip_prefix(*name).is_some_and(|rest| rest.starts_with(": ")));
    rows.extend(plan.alarms.iter().filter(|name| !managed(name)).map(|name| format!("alarm {}", one_line(name))));
    rows.extend(plan.managed.iter().map(|rule| format!("keeps alarm {}", one_line(rule))));
    rows.push(format!("every {}; an alarm in ALARM takes all traffic back", duration(plan.poll)));
    rows.push(match plan.insufficient_data {
        InsufficientData::Ok => "no data counts as no complaint (--insufficient-data ok)".to_owned(),
        InsufficientData::Hold => format!("no data holds the share, for {limit} at most (--insufficient-data hold)"),
        InsufficientData::RollBack => "no data takes all traffic back (--insufficient-data rollback)".to_owned(),
    });
    rows.push(
        match plan.preexisting_alarm {
            Preexisting::Fail => "red before it begins: refused (--preexisting-alarm fail)",
            Preexisting::Ignore => "red before it begins: only going red again counts (--preexisting-alarm ignore)",
            Preexisting::Wait => "red before it begins: waits up to 1h for it (--preexisting-alarm wait)",
        }
        .to_owned(),
    );
    rows.push(format!("not readable: holds the share, goes back after {limit} (--blind-limit)"));
    rows
}

/// How the calls of both versions are compared.
fn compared(plan: &Plan) -> Vec<String> {
    let analysis = &plan.analysis;
    let acts = match plan.comparing() {
        Mode::Off => return Vec::new(),
        Mode::Observe => "reported, never acted on (--analysis observe)".to_owned(),
        Mode::On => format!(
            "one that fails more often takes all traffic back; one that does not, in {} of rollouts at most",
            percent(analysis.alpha() * 100.0)
        ),
    };
    let mut rows = vec![format!("the calls of both versions, every minute: {acts}")];
    if analysis.latency == Latency::Enforce {
        rows.push("a slower one takes all traffic back, too (--analysis latency=enforce)".to_owned());
    }
    if analysis.min_requests > 0 {
        let then = match analysis.on_low_traffic {
            OnLowTraffic::RollBack => "goes back".to_owned(),
            OnLowTraffic::Promote => "goes on all the same".to_owned(),
            OnLowTraffic::Probe(count) => format!("sends it a saved event {count} times"),
        };
        rows.push(format!(
            "each step waits for {} calls of the new version, {} at most, then {then} (--on-low-traffic)",
            grouped(analysis.min_requests),
            duration(analysis.max_hold)
        ));
    }
    rows
}

fn on_interrupt(plan: &Plan) -> &'static str {
    match (plan.on_interrupt, plan.stable) {
        (OnInterrupt::RollBack, Some(_)) => "a signal takes all traffic back (--on-interrupt rollback)",
        (OnInterrupt::Hold, Some(_)) => "a signal leaves the share as it is (--on-interrupt hold)",
        (OnInterrupt::RollBack | OnInterrupt::Hold, None) => "a signal before the alias exists creates none",
    }
}

/// A plan as programs read it. Keys are only ever added.
#[derive(Serialize)]
struct Planned {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    at: Time,
    function: String,
    alias: String,
    stable: Option<Version>,
    candidate: Option<Version>,
    source: &'static str,
    schedule: String,
    steps: Vec<Step>,
    every_seconds: u64,
    bake_seconds: u64,
    total_seconds: u64,
    pre_hook: Option<String>,
    step_hook: Option<String>,
    post_hook: Option<String>,
    watched: bool,
    alarms: Vec<String>,
    managed_alarms: Vec<String>,
    poll_ms: u64,
    analysis: &'static str,
    sensitive: bool,
    latency: &'static str,
    min_requests: u64,
    max_hold_seconds: u64,
    on_low_traffic: &'static str,
    insufficient_data: &'static str,
    preexisting_alarm: &'static str,
    blind_limit_seconds: u64,
    on_interrupt: &'static str,
    plan_hash: String,
    forecast: Option<Forecast>,
}

/// One step of a plan.
#[derive(Serialize)]
struct Step {
    /// From the first share on.
    after_seconds: u64,
    weight: Weight,
}

impl Planned {
    fn of(subject: &Subject, plan: &Plan, now: Time) -> Self {
        let (source, candidate) = match &plan.source {
            Source::Publish => ("publish", None),
            Source::Update(_) => ("update", None),
            Source::Version(version) => ("version", Some(*version)),
        };
        let weights = plan.schedule.weights().iter().enumerate();
        let steps = weights.map(|(index, weight)| Step { after_seconds: moment(plan, index).as_secs(), weight: *weight });
        Self {
            v: FORMAT,
            kind: "plan",
            at: now,
            function: subject.function.name.clone(),
            alias: subject.alias.clone(),
            stable: plan.stable,
            candidate,
            source,
            schedule: plan.schedule.to_string(),
            steps: steps.collect(),
            every_seconds: plan.schedule.every().as_secs(),
            bake_seconds: plan.bake.as_secs(),
            total_seconds: plan.duration().as_secs(),
            pre_hook: plan.pre_hook.clone(),
            step_hook: plan.step_hook.clone(),
            post_hook: plan.post_hook.clone(),
            watched: plan.watches(),
            alarms: plan.alarms.clone(),
            managed_alarms: plan.managed.clone(),
            poll_ms: u64::try_from(plan.poll.as_millis()).unwrap_or(u64::MAX),
            analysis: plan.comparing().word(),
            sensitive: plan.analysis.sensitive,
            latency: match plan.analysis.latency {
                Latency::Report => "report",
                Latency::Enforce => "enforce",
                Latency::Ignore => "off",
            },
            min_requests: plan.analysis.min_requests,
            max_hold_seconds: plan.analysis.max_hold.as_secs(),
            on_low_traffic: match plan.analysis.on_low_traffic {
                OnLowTraffic::RollBack => "rollback",
                OnLowTraffic::Promote => "promote",
                OnLowTraffic::Probe(_) => "probe",
            },
            insufficient_data: match plan.insufficient_data {
                InsufficientData::Ok => "ok",
                InsufficientData::Hold => "hold",
                InsufficientData::RollBack => "rollback",
            },
            preexisting_alarm: match plan.preexisting_alarm {
                Preexisting::Fail => "fail",
                Preexisting::Ignore => "ignore",
                Preexisting::Wait => "wait",
            },
            blind_limit_seconds: plan.blind_limit.as_secs(),
            on_interrupt: match plan.on_interrupt {
                OnInterrupt::RollBack => "rollback",
                OnInterrupt::Hold => "hold",
            },
            plan_hash: plan.hash().to_string(),
            forecast: None,
        }
    }
}
