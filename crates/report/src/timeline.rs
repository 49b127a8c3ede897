//! What would a rollout do, and when? The plan as a timeline, with everything that is watched and its rules.
//!
//! A plan changes nothing and checks nothing; the preflight reports problems separately.

use std::time::Duration;

use rollout::alias::Target;
use rollout::forecast::Forecast;
use rollout::format::{duration, grouped, percent};
use rollout::hook::HookUrl;
use rollout::plan::{InsufficientData, Latency, Mode, OnInterrupt, OnLowTraffic, Plan, Preexisting, Source};
use rollout::{Subject, Time, Weight};
use serde_json::{Value, json};

use crate::forecast;
use crate::format::{joined, operand, short};
use crate::json::object;
use crate::safe::one_line;

/// The timeline of a plan for people; every line is ended.
pub fn plan_text(subject: &Subject, plan: &Plan, forecast: Option<&Forecast>) -> String {
    text_of((subject, plan), plan.stable.map(Target::Version), forecast)
}

/// The same of an alias on `$LATEST`: what a rollout publishes first is stable then, and has no number yet.
pub fn plan_text_of_latest(subject: &Subject, plan: &Plan, forecast: Option<&Forecast>) -> String {
    text_of((subject, plan), Some(Target::Latest), forecast)
}

fn text_of((subject, plan): (&Subject, &Plan), stable: Option<Target>, forecast: Option<&Forecast>) -> String {
    let mut lines = vec![title(subject, plan, stable)];
    let mut row = |word: &str, text: String| lines.push(format!("  {word:<10}{text}"));
    if let Some(hook) = &plan.pre_hook {
        row("before", format!("pre-traffic hook {}: traffic moves only if it succeeds", hook_name(hook)));
    }
    if let Some(hook) = plan.step_hook.as_ref().filter(|_| stable.is_some()) {
        row("between", format!("step hook {}: the next step only if it succeeds", hook_name(hook)));
    }
    match stable {
        Some(stable) => {
            for (at, text) in steps(plan) {
                row(&at, text);
            }
            row(&after(plan.duration()), end(plan, stable));
        }
        None => row("t = 0", format!("the alias is created with {} of traffic on it", Weight::FULL)),
    }
    if let (None, Some(hook)) = (stable, &plan.post_hook) {
        row("after", format!("post-traffic hook {}; if it fails there is no earlier version to roll back to", hook_name(hook)));
    }
    for gate in plan.gates.iter().filter(|_| stable.is_some()) {
        let then = if gate.word() == "rollback" { "rolls back" } else { "continues" };
        let command = format!("canaryctl resume {} --gate", operand(&subject.function.name, &subject.alias));
        row("gate", format!("at {}: waits {} at most for `{command}`, then {then}", gate.weight, duration(gate.lasts)));
    }
    for check in &plan.checks {
        row("check", format!("{}: once a minute while the version has traffic", hook_name(check)));
    }
    for (at, text) in watched(plan).into_iter().enumerate() {
        row(if at == 0 { "watched" } else { "" }, text);
    }
    for (at, text) in forecast.map(forecast::rows).unwrap_or_default().into_iter().enumerate() {
        row(if at == 0 { "detects" } else { "" }, text);
    }
    row("interrupt", on_interrupt(plan, stable).to_owned());
    row("rollback", format!("canaryctl rollback {}", operand(&subject.function.name, &subject.alias)));
    if stable.is_none() {
        lines.pop();
    }
    joined(&lines)
}

/// The same for programs.
pub fn plan_json(subject: &Subject, plan: &Plan, forecast: Option<&Forecast>, now: Time) -> Value {
    let (source, candidate) = match &plan.source {
        Source::Publish => ("publish", None),
        Source::Update(_) => ("update", None),
        Source::Version(version) => ("version", Some(*version)),
    };
    let on_low_traffic = match plan.analysis.on_low_traffic {
        OnLowTraffic::RollBack => "rollback",
        OnLowTraffic::Promote => "promote",
        OnLowTraffic::Probe(_) => "probe",
    };
    let weights = plan.schedule.weights().iter().enumerate();
    let step = |(index, weight): (usize, &Weight)| json!({"after_seconds": plan.begins(index + 1).as_secs(), "weight": weight});
    // Keys are only ever added.
    let fields = json!({
        "stable": plan.stable, "candidate": candidate, "source": source, "schedule": plan.schedule.to_string(),
        "steps": weights.map(step).collect::<Vec<_>>(), "every_seconds": plan.schedule.every().as_secs(),
        "bake_seconds": plan.bake.as_secs(), "total_seconds": plan.duration().as_secs(), "pre_hook": plan.pre_hook,
        "step_hook": plan.step_hook, "post_hook": plan.post_hook, "checks": plan.checks, "watched": plan.watches(), "alarms": plan.alarms,
        "managed_alarms": plan.managed, "poll_ms": u64::try_from(plan.poll.as_millis()).unwrap_or(u64::MAX),
        "analysis": plan.comparing().word(), "sensitive": plan.analysis.sensitive,
        "latency": if plan.analysis.latency == Latency::Ignore { "off" } else { plan.analysis.latency.word() },
        "min_requests": plan.analysis.min_requests, "max_hold_seconds": plan.analysis.max_hold.as_secs(),
        "on_low_traffic": on_low_traffic, "insufficient_data": plan.insufficient_data.word(),
        "preexisting_alarm": plan.preexisting_alarm.word(), "blind_limit_seconds": plan.blind_limit.as_secs(),
        "on_interrupt": plan.on_interrupt.word(), "plan_hash": plan.hash().to_string(), "forecast": forecast,
    });
    let signals = (!plan.signals.is_empty()).then(|| ("signals".to_owned(), json!(plan.signals)));
    let mut fields = fields;
    if let (false, Some(object)) = (plan.gates.is_empty(), fields.as_object_mut()) {
        object.insert("gates".to_owned(), json!(plan.gates));
    }
    if let (Some((key, value)), Some(object)) = (signals, fields.as_object_mut()) {
        object.insert(key, value);
    }
    object("plan", now, subject, fields)
}

const ROWS: usize = 12;

/// How many of more steps than that are shown from the beginning, and from the end.
const FIRST: usize = 4;
const LAST: usize = 2;

fn title(subject: &Subject, plan: &Plan, stable: Option<Target>) -> String {
    let source = match &plan.source {
        Source::Publish => "new version".to_owned(),
        Source::Update(_) => "new version with the given code".to_owned(),
        Source::Version(version) => version.to_string(),
    };
    match stable {
        Some(stable) if plan.duration().is_zero() => format!("{subject}   {stable} ▸ {source}   {}", plan.schedule),
        Some(stable) => format!("{subject}   {stable} ▸ {source}   {}, about {}", plan.schedule, duration(plan.duration())),
        None => format!("{subject}   {source}   first deployment"),
    }
}

fn after(span: Duration) -> String {
    if span.is_zero() { "t = 0".to_owned() } else { duration(span) }
}

fn steps(plan: &Plan) -> Vec<(String, String)> {
    let weights = plan.schedule.weights();
    let shown = |index: usize| weights.len() <= ROWS || index < FIRST || index + LAST >= weights.len();
    let mut rows = Vec::new();
    for (index, weight) in weights.iter().enumerate() {
        if shown(index) {
            rows.push((after(plan.begins(index + 1)), text(plan, *weight)));
        } else if index == FIRST {
            let every = duration(plan.schedule.every());
            rows.push(("…".to_owned(), format!("{} more steps, one every {every}", weights.len() - FIRST - LAST)));
        }
    }
    rows
}

fn text(plan: &Plan, weight: Weight) -> String {
    if weight == Weight::FULL && !plan.bake.is_zero() {
        format!("{weight}, then bake for {}: still watched, a rollback is one write", duration(plan.bake))
    } else {
        weight.to_string()
    }
}

fn end(plan: &Plan, stable: Target) -> String {
    match &plan.post_hook {
        Some(hook) => format!("post-traffic hook {}, then promoted; rolls back to {stable} if it fails", hook_name(hook)),
        None => "promoted".to_owned(),
    }
}

/// A hook, and whether the preflight cannot check it: calling a URL could change something.
fn hook_name(hook: &str) -> String {
    let unknown = if HookUrl::is_meant(hook) { " (not checked before the rollout)" } else { "" };
    format!("{}{unknown}", short(hook))
}

fn watched(plan: &Plan) -> Vec<String> {
    if !plan.watches() {
        return vec!["nothing: only the schedule moves traffic".to_owned()];
    }
    let mut rows = compared(plan);
    let limit = duration(plan.blind_limit);
    let unread = match (plan.checks.is_empty(), plan.alarms.is_empty() && plan.comparing() != Mode::On) {
        (true, _) => "CloudWatch cannot be read",
        (false, true) => "a check does not answer",
        (false, false) => "CloudWatch cannot be read, or a check does not answer",
    };
    let blind = format!("if {unread}: holds, rolls back after {limit} (--blind-limit)");
    if plan.alarms.is_empty() {
        rows.push(blind);
        return rows;
    }
    let managed =
        |name: &&String| plan.managed.iter().any(|rule| rule.strip_prefix(*name).is_some_and(|rest| rest.starts_with(": ")));
    rows.extend(plan.alarms.iter().filter(|name| !managed(name)).map(|name| format!("alarm {}", one_line(name))));
    rows.extend(plan.managed.iter().map(|rule| format!("managed alarm {}", one_line(rule))));
    rows.push(format!("read every {}; an alarm in ALARM rolls back", duration(plan.poll)));
    let silent = match plan.insufficient_data {
        InsufficientData::Ok => "counts as OK".to_owned(),
        InsufficientData::Hold => format!("holds the traffic, for at most {limit}"),
        InsufficientData::RollBack => "rolls back".to_owned(),
    };
    rows.push(format!("no data {silent} (--insufficient-data {})", plan.insufficient_data.word()));
    let early = match plan.preexisting_alarm {
        Preexisting::Fail => "refused",
        Preexisting::Ignore => "only a new ALARM counts",
        Preexisting::Wait => "waits up to 1h for OK",
    };
    rows.push(format!("in ALARM before the start: {early} (--preexisting-alarm {})", plan.preexisting_alarm.word()));
    rows.push(blind);
    rows
}

/// How the invocations of both versions are compared.
fn compared(plan: &Plan) -> Vec<String> {
    let analysis = &plan.analysis;
    let acts = match plan.comparing() {
        Mode::Off => return Vec::new(),
        Mode::Observe => "report only (--analysis observe)".to_owned(),
        Mode::On => format!(
            "rolls back if the new version fails more often; falsely in at most {} of rollouts",
            percent(analysis.alpha() * 100.0)
        ),
    };
    let mut rows = vec![format!("invocations of both versions, every minute: {acts}")];
    rows.extend(plan.signals.iter().map(|signal| format!("signal {}", one_line(&signal.to_string()))));
    if analysis.latency == Latency::Enforce {
        rows.push("rolls back if the new version is slower (--analysis latency=enforce)".to_owned());
    }
    if analysis.min_requests > 0 {
        let then = match analysis.on_low_traffic {
            OnLowTraffic::RollBack => "rolls back".to_owned(),
            OnLowTraffic::Promote => "continues".to_owned(),
            OnLowTraffic::Probe(count) => format!("sends it {count} test events"),
        };
        let (least, most) = (grouped(analysis.min_requests), duration(analysis.max_hold));
        rows.push(format!(
            "each step waits for {least} invocations of the new version, at most {most}, then {then} (--on-low-traffic)"
        ));
    }
    rows
}

fn on_interrupt(plan: &Plan, stable: Option<Target>) -> &'static str {
    match (plan.on_interrupt, stable) {
        (OnInterrupt::RollBack, Some(_)) => "rolls back (--on-interrupt rollback)",
        (OnInterrupt::Hold, Some(_)) => "leaves traffic unchanged (--on-interrupt hold)",
        (OnInterrupt::RollBack | OnInterrupt::Hold, None) => "before the alias is created: the rollout ends",
    }
}
