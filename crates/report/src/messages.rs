//! How does one event read? Its word, its sentence, and what belongs under it. The end of a rollout is told elsewhere.

use std::time::Duration;

use rollout::comparison::AnalysisVerdict;
use rollout::event::{Difference, Event, EventKind, Started};
use rollout::format::duration;
use rollout::health::{AlarmState, clock};
use rollout::note::AfterPause;
use rollout::plan::Mode;
use rollout::{Cause, Time, Version, Weight};

use crate::alarm_reason::in_figures;
use crate::format::{schedule, short, total, version, versions};
use crate::rollout_state::{Mark, Story, Watched};
use crate::safe::{clean_lines, one_line};

/// One event, told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// What it is about, in a word of at most eight letters.
    pub(crate) word: &'static str,
    /// The sentence, in one line.
    pub(crate) text: String,
    /// What others said about it: the lines of a log.
    pub(crate) under: Vec<String>,
}

/// How many lines of a hook's log are worth reading in place; the last ones.
const LOG_LINES: usize = 20;

fn told(word: &'static str, text: impl Into<String>) -> Vec<LogLine> {
    vec![LogLine { word, text: text.into(), under: Vec::new() }]
}

/// Tells an event; `rollout_state` has it taken into account already. Nothing for an outcome.
pub(crate) fn sentences(story: &Story, event: &Event) -> Vec<LogLine> {
    match &event.what {
        EventKind::Started(started) => about_start(started),
        EventKind::Warning { text, transient } => told(if *transient { "trouble" } else { "warning" }, one_line(text)),
        EventKind::Acquired => told("claimed", "the alias is ours; no traffic has moved"),
        EventKind::CodeUpdated => told("code", "the given code is in $LATEST"),
        EventKind::Published { version } if story.stable() == Some(*version) => {
            told("version", format!("publishing gave {version}, which is stable already"))
        }
        EventKind::Published { version } => told("version", format!("{version} published")),
        EventKind::VersionReady { version, differs } => ready(story, *version, differs),
        EventKind::ManagedAlarm { name, text } => told("alarm", format!("{} {}", one_line(name), one_line(text))),
        EventKind::HookStarted { hook, name, attempt } => {
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            told("hook", format!("{} asked ({}{again})", short(name), hook.word()))
        }
        EventKind::HookSucceeded { name, took_ms, .. } => {
            told("hook", format!("{} succeeded in {}", short(name), duration(Duration::from_millis(*took_ms))))
        }
        EventKind::HookFailed { name, reason, .. } => failed("hook", Some(name), reason),
        EventKind::AliasCreated { version } => told("created", format!("on {version}: {} from the beginning", Weight::FULL)),
        EventKind::WeightShifted { to, next_at, because, by_configuration, .. } => {
            told("shifted", shift(story, *to, *next_at, because, *by_configuration))
        }
        // Green when it began, green now: nothing changed that a line would have to tell.
        EventKind::AlarmChanged { state: AlarmState::Ok, since, .. } if story.began_after(*since) => Vec::new(),
        EventKind::AlarmChanged { name, state, since, reason } => told("alarm", alarm(name, *state, *since, reason)),
        EventKind::Compared { opinion, why, .. } => compared(story, *opinion, why),
        EventKind::SharedDegradation { why, .. } => told("together", one_line(why)),
        EventKind::ProbeStarted { count } => {
            told("probe", format!("{} is sent a saved event {count} times, for want of calls", version(story.candidate)))
        }
        EventKind::ProbeSucceeded { count } => {
            told("probe", format!("{} answered every one of {count}", version(story.candidate)))
        }
        EventKind::ProbeFailed { reason } => failed("probe", None, reason),
        EventKind::MonitoringLost { why } => told("blind", blind(story, why)),
        EventKind::MonitoringRestored => told("blind", "no more: everything can be read again"),
        EventKind::Paused { until, then } => {
            let then = if *then == AfterPause::RollBack { "then all traffic goes back; " } else { "" };
            told("paused", format!("by hand until {}: {then}still watching", clock(*until)))
        }
        EventKind::Resumed => told("paused", "no more: it goes on"),
        EventKind::HoldingStep { why } => held(story, why),
        EventKind::Heartbeat { weight, waiting_for, .. } => told("waiting", heartbeat(story, event.at, *weight, waiting_for)),
        EventKind::RollbackStarted { cause, why, alarm, .. } => {
            told("rollback", rollback_target(story, *cause, why, alarm.as_deref()))
        }
        EventKind::Restored { version, moved } => told("restored", restored(story, event.at, *version, *moved)),
        EventKind::Promoted { version } => told("promoted", format!("{version} is the alias' version now")),
        EventKind::Outcome(_) | EventKind::GroupOutcome(_) | EventKind::Observed(_) | EventKind::Unknown => Vec::new(),
    }
}

fn ready(story: &Story, version: Version, differs: &[Difference]) -> Vec<LogLine> {
    let mut lines = told("version", format!("{version} can take traffic"));
    if let Some(stable) = story.stable().filter(|_| !differs.is_empty()) {
        let parts: Vec<String> = differs.iter().map(|difference| one_line(&difference.to_string())).collect();
        lines.extend(told("version", format!("{version} differs from {stable} in {}", parts.join(", "))));
    }
    lines
}

fn about_start(started: &Started) -> Vec<LogLine> {
    let Started { rollout_id, stable, candidate, alarms, bake_seconds, .. } = started;
    let alarms: Vec<String> = alarms.iter().map(|name| one_line(name)).collect();
    let compared = match started.analysis {
        Some(Mode::On) => Some("the calls of both versions".to_owned()),
        Some(Mode::Observe) => Some("the calls of both versions (reported only)".to_owned()),
        Some(Mode::Off) | None => None,
    };
    let alarms = Some(alarms.join(", ")).filter(|names| !names.is_empty());
    let hook = |word: &str, name: &Option<String>| name.as_ref().map(|name| format!("{word} hook {}", short(name)));
    let (pre, step) = (hook("pre-traffic", &started.pre_hook), hook("step", &started.step_hook));
    let post = hook("post-traffic", &started.post_hook);
    let (first, watched) = if started.is_elsewhere() {
        let arrow = versions(*stable, *candidate, "→");
        (format!("{arrow}, rollout {rollout_id}, which runs elsewhere"), [alarms, None, None, None, None])
    } else if stable.is_none() {
        // Without a version to share with, the schedule has nothing to do.
        let which = candidate.map_or_else(String::new, |version| format!(" of {version}"));
        (format!("first deployment{which}: {} at once, rollout {rollout_id}", Weight::FULL), [alarms, pre, None, None, post])
    } else {
        let name = if started.schedule.starts_with("steps ") { schedule(started) } else { started.schedule.clone() };
        let about = Some(total(started)).filter(|total| !total.is_zero());
        let about = about.map_or_else(String::new, |total| format!(", about {}", duration(total)));
        let unwatched = alarms.is_none() && started.analysis != Some(Mode::On);
        let alone = Some("nothing: the schedule alone moves traffic".to_owned()).filter(|_| unwatched);
        let watched = [alarms, alone, compared].into_iter().flatten().collect::<Vec<_>>().join("; ");
        let bake =
            Some(*bake_seconds).filter(|bake| *bake > 0).map(|bake| format!("bake {}", duration(Duration::from_secs(bake))));
        let arrow = versions(*stable, *candidate, "→");
        (format!("{arrow}, {name}{about}, rollout {rollout_id}"), [Some(watched), pre, step, bake, post])
    };
    let watched = watched.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let second = if watched.is_empty() { Vec::new() } else { told("watching", watched) };
    [told("started", first), second].concat()
}

/// Counts come once a minute and stand beside each shift; a line of their own they get where they begin to speak against something.
fn compared(story: &Story, opinion: AnalysisVerdict, why: &str) -> Vec<LogLine> {
    let turned = story.counts.as_ref().is_some_and(|counts| counts.turned);
    match opinion {
        AnalysisVerdict::Hold if turned => told("compared", format!("suspicious, not proven: {}", one_line(why))),
        AnalysisVerdict::NoData if turned => told("compared", one_line(why)),
        // The way back that follows says it.
        AnalysisVerdict::RollBack
        | AnalysisVerdict::Hold
        | AnalysisVerdict::NoData
        | AnalysisVerdict::Pass
        | AnalysisVerdict::LowPower => Vec::new(),
    }
}

/// What a function that failed said, the first line in the sentence and the rest under it.
fn failed(word: &'static str, name: Option<&str>, reason: &str) -> Vec<LogLine> {
    let mut lines = clean_lines(reason).into_iter();
    let first = lines.next().unwrap_or_else(|| "it did not say why".to_owned());
    let mut under: Vec<String> = lines.collect();
    if let Some(over @ 1..) = under.len().checked_sub(LOG_LINES) {
        under.splice(..=over, [format!("… {} lines left out", over + 1)]);
    }
    let text = name.map_or_else(|| first.clone(), |name| format!("{} failed: {first}", short(name)));
    vec![LogLine { word, text, under }]
}

fn shift(story: &Story, to: Weight, next_at: Option<Time>, because: &str, by_configuration: bool) -> String {
    let alone = if by_configuration { ", the schedule alone moves it" } else { "" };
    let because = format!("{}{alone}", one_line(because));
    let candidate = version(story.candidate);
    match next_at {
        Some(next) if to == Weight::FULL && bakes(story) => {
            format!("{to} to {candidate}: {because}; baking until {}", clock(next))
        }
        Some(_) | None => format!("{to} to {candidate}: {because}"),
    }
}

fn bakes(story: &Story) -> bool {
    story.started.as_ref().is_none_or(|(_, started)| started.bake_seconds > 0)
}

fn alarm(name: &str, state: AlarmState, since: Time, reason: &str) -> String {
    let (name, at) = (one_line(name), clock(since));
    match state {
        AlarmState::Alarm => format!("{name} went to ALARM at {at}: {}", in_figures(&one_line(reason))),
        AlarmState::Ok => format!("{name} is OK since {at}"),
        AlarmState::InsufficientData => format!("{name} has no data since {at}"),
    }
}

fn blind(story: &Story, why: &str) -> String {
    let why = one_line(why);
    match &story.share {
        Some(share) => format!("{why}; holding {}", share.weight),
        None => why,
    }
}

/// Nothing where the loss of sight that it rests on was told with the same reason.
fn held(story: &Story, why: &str) -> Vec<LogLine> {
    let why = one_line(why);
    let known = story.blind.as_ref().is_some_and(|(_, blind)| one_line(blind) == why);
    if known { Vec::new() } else { told("holding", why) }
}

fn heartbeat(story: &Story, at: Time, weight: Weight, waiting_for: &str) -> String {
    // What is held has no next change, whatever the schedule said.
    let held = story.blind.is_some() || story.by_hand.is_some();
    let next = story.share.and_then(|share| share.next_at).filter(|next| *next > at && !held);
    let due = next.map_or_else(String::new, |next| format!(", due at {}", clock(next)));
    let share = if weight.is_zero() { "no traffic".to_owned() } else { weight.to_string() };
    let counts = story.counts.as_ref().map_or_else(String::new, |counts| format!("; {}", one_line(&counts.why)));
    format!("for {}{due}; {share} on {}{counts}", one_line(waiting_for), version(story.candidate))
}

fn rollback_target(story: &Story, cause: Cause, why: &str, of: Option<&str>) -> String {
    let goal = match (story.stable(), &story.share) {
        (Some(stable), Some(_)) => format!("going back to {stable}"),
        (Some(stable), None) => format!("ending here, all traffic stays on {stable}"),
        (None, _) => "ending here".to_owned(),
    };
    // The line before has told an alarm or a hook with all its reasons.
    let red =
        |alarm: &Watched| alarm.told.is_some_and(|(state, _)| state == AlarmState::Alarm) && of == Some(alarm.name.as_str());
    let known = (cause == Cause::Alarm && story.alarms.iter().any(red))
        || (cause == Cause::PreHook && story.pre_hook == Mark::Failed)
        || (cause == Cause::StepHook && story.step_hook == Mark::Failed)
        || (cause == Cause::PostHook && story.post_hook == Mark::Failed);
    if known {
        return goal;
    }
    let why = in_figures(clean_lines(why).first().map_or("", String::as_str));
    format!("{goal}: {why}")
}

fn restored(story: &Story, at: Time, version: Option<Version>, moved: bool) -> String {
    let Some(version) = version else { return "nothing: there is no version before this one".to_owned() };
    if !moved {
        return format!("{} on {version}: no traffic had moved", Weight::FULL);
    }
    match &story.rollback_target {
        Some(rollback_target) => {
            let seen = match rollback_target.cause {
                Cause::Alarm => " the alarm was seen",
                Cause::Signal => " the signal",
                Cause::PostHook | Cause::PreHook | Cause::StepHook => " the hook's answer",
                Cause::Analysis | Cause::Blind | Cause::NoData | Cause::LowTraffic | Cause::Hand => " the decision",
                Cause::Group => " its group",
                Cause::Abort | Cause::Superseded | Cause::Failed | Cause::Unchanged | Cause::Rejected => " the decision",
            };
            format!("{} to {version}, {} after{seen}", Weight::FULL, duration(at.since(rollback_target.at)))
        }
        None => format!("{} to {version}", Weight::FULL),
    }
}
