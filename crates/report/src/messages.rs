//! How does one event read? Its label, its sentence, and the lines below it. The end of a rollout is in `ending`.

use std::time::Duration;

use rollout::check::CheckState;
use rollout::comparison::AnalysisVerdict;
use rollout::difference::Difference;
use rollout::event::{Adopted, Event, EventKind, Started};
use rollout::format::duration;
use rollout::guarded::{Guarded, Scheduled};
use rollout::health::{AlarmState, clock};
use rollout::hook::HookUrl;
use rollout::note::AfterPause;
use rollout::plan::Mode;
use rollout::{Cause, Time, Version, Weight};

use crate::alarm_reason::in_figures;
use crate::format::{numbered, schedule, short, total, version, versions};
use crate::rollout_state::{Mark, Resumed, Story, Watched};
use crate::safe::{clean_lines, one_line};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// What it is about, in one word.
    pub(crate) word: &'static str,
    pub(crate) text: String,
    /// The log of a hook.
    pub(crate) under: Vec<String>,
}

/// How many lines of a hook's log are shown: the last ones.
const LOG_LINES: usize = 20;

fn line(word: &'static str, text: impl Into<String>) -> Vec<LogLine> {
    vec![LogLine { word, text: text.into(), under: Vec::new() }]
}

/// The lines of an event that `story` contains already; none for an outcome.
pub(crate) fn sentences(story: &Story, event: &Event) -> Vec<LogLine> {
    match &event.what {
        EventKind::Started(started) => about_start(started),
        EventKind::Warning { text, .. } => line("warning", one_line(text)),
        EventKind::Pinned { version } => pinned(*version),
        EventKind::Acquired { adopted: None } => line("acquired", "the alias; traffic unchanged"),
        EventKind::Acquired { adopted: Some(Adopted { version, weight }) } => {
            line("acquired", format!("the alias with {weight} of traffic on {version}, set by something else: adopted"))
        }
        EventKind::CodeUpdated => line("code", "$LATEST updated with the given code"),
        EventKind::Published { version } if story.stable() == Some(*version) => {
            line("version", format!("no new version: publishing returned {version}, which is already stable"))
        }
        EventKind::Published { version } => line("version", format!("{version} published")),
        EventKind::VersionReady { version, differs } => ready(story, *version, differs),
        EventKind::ManagedAlarm { name, text } => line("alarm", format!("{} {}", one_line(name), one_line(text))),
        EventKind::Guarded(guarded) => guard(guarded),
        EventKind::Scheduled(what) => scheduled(what),
        EventKind::HookStarted { hook, name, attempt } => {
            let again = if *attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
            let invoked = if HookUrl::is_meant(name) { "called" } else { "invoked" };
            line("hook", format!("{} {invoked} ({}{again})", short(name), hook.word()))
        }
        EventKind::HookSucceeded { name, took_ms, .. } => {
            line("hook", format!("{} succeeded in {}", short(name), duration(Duration::from_millis(*took_ms))))
        }
        EventKind::HookFailed { name, reason, .. } => failed("hook", Some(name), reason),
        EventKind::Check { name, state: CheckState::Passed, .. } => line("check", format!("{} succeeded", short(name))),
        EventKind::Check { name, state: CheckState::Failed, why } => failed("check", Some(name), why),
        EventKind::Check { name, state: CheckState::Unsure, why } => {
            line("check", format!("{} did not answer: {}", short(name), one_line(why)))
        }
        EventKind::AliasCreated { version } => {
            line("created", format!("the alias with {} of traffic on version {version}", Weight::FULL))
        }
        EventKind::WeightShifted { to, next_at, because, by_configuration, .. } => {
            line("shifted", shift(story, *to, *next_at, because, *by_configuration))
        }
        // OK when the rollout started and OK now: nothing changed.
        EventKind::AlarmChanged { state: AlarmState::Ok, since, .. } if story.began_after(*since) => Vec::new(),
        EventKind::AlarmChanged { name, state, since, reason } => line("alarm", alarm(name, *state, *since, reason)),
        EventKind::Compared { opinion, why, .. } => compared(story, *opinion, why),
        EventKind::SharedDegradation { why, .. } => line("compared", one_line(why)),
        EventKind::ProbeStarted { count } => {
            line("probe", format!("sending {count} test events to {}: it had too few invocations", numbered(story.candidate)))
        }
        EventKind::ProbeSucceeded { count } => {
            line("probe", format!("{} answered {count} of {count} test events", numbered(story.candidate)))
        }
        EventKind::ProbeFailed { reason } => failed("probe", None, reason),
        EventKind::MonitoringLost { why } => line("holding", monitoring_lost(story, why)),
        EventKind::MonitoringRestored => line("resumed", "monitoring restored"),
        EventKind::Paused { until, then, by_itself, gate } => paused(story, (*until, *then), *by_itself, *gate),
        EventKind::GateApproved(approval) => {
            line("gate", format!("approved by {}", approval.by.as_deref().map_or_else(|| "a person".to_owned(), one_line)))
        }
        EventKind::Resumed => line("resumed", story.resumed.map_or("after the pause", Resumed::words)),
        EventKind::HoldingStep { why } => held(story, why),
        EventKind::Heartbeat { weight, waiting_for, .. } => line("waiting", heartbeat(story, event.at, *weight, waiting_for)),
        EventKind::RollbackStarted { cause, why, alarm, .. } => line("rollback", rollback(story, *cause, why, alarm.as_deref())),
        EventKind::Restored { version, moved } => {
            line(if *moved && version.is_some() { "restored" } else { "ended" }, restored(story, event.at, *version, *moved))
        }
        EventKind::Promoted { version, manually } => {
            let manually = if *manually { ", promoted manually" } else { "" };
            line("promoted", format!("{version} is now the alias' version{manually}"))
        }
        EventKind::Outcome(_) | EventKind::GroupOutcome(_) | EventKind::Observed(_) | EventKind::Unknown => Vec::new(),
    }
}

fn paused(story: &Story, (until, then): (Time, AfterPause), by_itself: bool, gate: Option<Weight>) -> Vec<LogLine> {
    let until = clock(until);
    if let Some(weight) = gate {
        let (then, subject) = (if then == AfterPause::RollBack { "rolls back" } else { "continues" }, story.subject());
        let commands = format!("`canaryctl resume {subject} --gate` or `canaryctl abort {subject}`");
        return line(
            "gate",
            format!("waiting for an approval at {weight} until {until}, then {then}; still watching: {commands}"),
        );
    }
    let then = if then == AfterPause::RollBack { ", then rolls back" } else { "" };
    let why = if by_itself { "because its record was removed from the alias' description," } else { "manually" };
    line("paused", format!("{why} until {until}{then}; still watching"))
}

fn pinned(version: Version) -> Vec<LogLine> {
    line("pinned", format!("the alias to version {version}, published from $LATEST: the same code; traffic unchanged"))
}

fn ready(story: &Story, version: Version, differs: &[Difference]) -> Vec<LogLine> {
    let mut lines = line("version", format!("{version} is ready"));
    if let Some(stable) = story.stable().filter(|_| !differs.is_empty()) {
        let parts: Vec<String> = differs.iter().map(|difference| one_line(&difference.to_string())).collect();
        lines.extend(line("version", format!("{version} differs from {stable}: {}", parts.join(", "))));
    }
    lines
}

fn about_start(started: &Started) -> Vec<LogLine> {
    let Started { rollout_id, stable, candidate, alarms, bake_seconds, .. } = started;
    let alarms: Vec<String> = alarms.iter().map(|name| one_line(name)).collect();
    let compared = match started.analysis {
        Some(Mode::On) => Some("invocations of both versions".to_owned()),
        Some(Mode::Observe) => Some("invocations of both versions (report only)".to_owned()),
        Some(Mode::Off) | None => None,
    };
    let signals: Vec<String> = started.signals.iter().map(|name| one_line(name)).collect();
    let compared = compared.map(|text| if signals.is_empty() { text } else { format!("{text}; signals {}", signals.join(", ")) });
    let alarms = Some(alarms.join(", ")).filter(|names| !names.is_empty());
    let hook = |word: &str, name: &Option<String>| name.as_ref().map(|name| format!("{word} hook {}", short(name)));
    let (pre, step) = (hook("pre-traffic", &started.pre_hook), hook("step", &started.step_hook));
    let post = hook("post-traffic", &started.post_hook);
    let (first, watched) = if started.is_elsewhere() {
        let arrow = versions(*stable, *candidate, "→");
        (format!("{arrow}, rollout {rollout_id}, driven by another process"), [alarms, None, None, None, None])
    } else if stable.is_none() {
        // Without a stable version there are no steps.
        let which = candidate.map_or_else(String::new, |version| format!(" of {version}"));
        (format!("first deployment{which}: {} at once, rollout {rollout_id}", Weight::FULL), [alarms, pre, None, None, post])
    } else {
        let name = if started.schedule.starts_with("steps ") { schedule(started) } else { started.schedule.clone() };
        let about = Some(total(started)).filter(|total| !total.is_zero());
        let about = about.map_or_else(String::new, |total| format!(", about {}", duration(total)));
        let checks = (!started.checks.is_empty()).then(|| checks(&started.checks));
        let unwatched = alarms.is_none() && checks.is_none() && started.analysis != Some(Mode::On);
        let alone = Some("nothing: only the schedule moves traffic".to_owned()).filter(|_| unwatched);
        let watched = [alarms, alone, compared, checks].into_iter().flatten().collect::<Vec<_>>().join("; ");
        let bake =
            Some(*bake_seconds).filter(|bake| *bake > 0).map(|bake| format!("bake {}", duration(Duration::from_secs(bake))));
        let arrow = versions(*stable, *candidate, "→");
        (format!("{arrow}, {name}{about}, rollout {rollout_id}"), [Some(watched), pre, step, bake, post])
    };
    let watched = watched.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let second = if watched.is_empty() { Vec::new() } else { line("watching", watched) };
    [line("started", first), second].concat()
}

fn checks(names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(|name| short(name)).collect();
    format!("{} {} once a minute", if names.len() == 1 { "check" } else { "checks" }, names.join(", "))
}

/// Each shift shows the counts; they get their own line only when the verdict becomes worse.
fn compared(story: &Story, opinion: AnalysisVerdict, why: &str) -> Vec<LogLine> {
    match opinion {
        _ if story.count.as_ref().is_none_or(|count| !count.turned) => Vec::new(),
        AnalysisVerdict::Hold => line("compared", format!("possibly worse, not yet certain: {}", one_line(why))),
        AnalysisVerdict::NoData => line("compared", one_line(why)),
        // The rollback that follows has the reason.
        AnalysisVerdict::RollBack | AnalysisVerdict::Pass | AnalysisVerdict::LowPower => Vec::new(),
    }
}

/// The reason of a failed function: its first line in the sentence and the rest below.
fn failed(word: &'static str, name: Option<&str>, reason: &str) -> Vec<LogLine> {
    let mut lines = clean_lines(reason).into_iter();
    let first = lines.next().unwrap_or_else(|| "no reason given".to_owned());
    let mut under: Vec<String> = lines.collect();
    if let Some(over @ 1..) = under.len().checked_sub(LOG_LINES) {
        under.splice(..=over, [format!("… {} lines left out", over + 1)]);
    }
    let text = name.map_or_else(|| first.clone(), |name| format!("{} failed: {first}", short(name)));
    vec![LogLine { word, text, under }]
}

fn shift(story: &Story, to: Weight, next_at: Option<Time>, because: &str, by_configuration: bool) -> String {
    let alone = if by_configuration { "; only the schedule moves traffic" } else { "" };
    let bakes = to == Weight::FULL && story.started.as_ref().is_none_or(|(_, started)| started.bake_seconds > 0);
    let baking = next_at.filter(|_| bakes).map_or_else(String::new, |next| format!("; baking until {}", clock(next)));
    format!("{to} of traffic to {} ({}{alone}){baking}", numbered(story.candidate), one_line(because))
}

fn alarm(name: &str, state: AlarmState, since: Time, reason: &str) -> String {
    let (name, at) = (one_line(name), clock(since));
    match state {
        AlarmState::Alarm => format!("{name} went to ALARM at {at}: {}", in_figures(&one_line(reason))),
        AlarmState::Ok => format!("{name} went to OK at {at}"),
        AlarmState::InsufficientData => format!("{name} went to INSUFFICIENT_DATA at {at}"),
    }
}

fn monitoring_lost(story: &Story, why: &str) -> String {
    let holding = story.share.map_or_else(String::new, |share| format!("; holding {}", share.weight));
    format!("monitoring unavailable: {}{holding}", one_line(why))
}

/// Nothing if the line about the lost monitoring has the same reason.
fn held(story: &Story, why: &str) -> Vec<LogLine> {
    let why = one_line(why);
    let known = story.unmonitored.as_ref().is_some_and(|(_, blind)| one_line(blind) == why);
    // The line about the counts has the reason.
    let counted = story.count.as_ref().is_some_and(|count| count.turned && why.ends_with(&count.why));
    match story.share {
        _ if known => Vec::new(),
        Some(share) if counted => {
            line("holding", format!("{} of traffic on {} until more is counted", share.weight, version(story.candidate)))
        }
        Some(_) | None => line("holding", why),
    }
}

fn heartbeat(story: &Story, at: Time, weight: Weight, waiting_for: &str) -> String {
    // While traffic is held, the time of the next step is not known.
    let held = story.unmonitored.is_some() || story.set_manually.is_some();
    let next = story.share.and_then(|share| share.next_at).filter(|next| *next > at && !held);
    let due = next.map_or_else(String::new, |next| format!(" at {}", clock(next)));
    let traffic = if weight.is_zero() { "no traffic".to_owned() } else { format!("{weight} of traffic") };
    let counts = story.count.as_ref().map_or_else(String::new, |count| format!("; {}", count.why));
    format!("for {}{due}; {traffic} on {}{counts}", one_line(waiting_for), version(story.candidate))
}

fn rollback(story: &Story, cause: Cause, why: &str, of: Option<&str>) -> String {
    let goal = match (story.stable(), &story.share) {
        (Some(stable), Some(_)) => format!("rolling back to {stable}"),
        (Some(stable), None) => format!("ending the rollout; all traffic stays on {stable}"),
        (None, _) => "ending the rollout".to_owned(),
    };
    // The line before has the alarm or the hook with all its reasons.
    let in_alarm =
        |alarm: &Watched| alarm.last.is_some_and(|(state, _)| state == AlarmState::Alarm) && of == Some(alarm.name.as_str());
    let known = (cause == Cause::Alarm && story.alarms.iter().any(in_alarm))
        || (cause == Cause::PreHook && story.pre_hook == Mark::Failed)
        || (cause == Cause::StepHook && story.step_hook == Mark::Failed)
        || (cause == Cause::PostHook && story.post_hook == Mark::Failed)
        || (cause == Cause::Check && story.checks.iter().any(|(_, state)| *state == CheckState::Failed));
    if known {
        return goal;
    }
    let why = in_figures(clean_lines(why).first().map_or("", String::as_str));
    format!("{goal}: {why}")
}

fn restored(story: &Story, at: Time, version: Option<Version>, moved: bool) -> String {
    let Some(version) = version else {
        let kept = if story.created {
            format!("{} keeps all traffic", numbered(story.candidate))
        } else {
            "no traffic moved".to_owned()
        };
        return format!("{kept}: there is no earlier version");
    };
    if !moved {
        return format!("traffic unchanged: {} on {version}", Weight::FULL);
    }
    let back = format!("{} of traffic to {version}", Weight::FULL);
    let Some((decided, cause)) = story.rollback else { return back };
    #[expect(clippy::wildcard_enum_match_arm, reason = "any other cause is a decision of this process")]
    let seen = match cause {
        Cause::Alarm => "the alarm was seen",
        Cause::Signal => "the signal",
        Cause::PostHook | Cause::PreHook | Cause::StepHook => "the hook's answer",
        Cause::Check => "the check's answer",
        Cause::Group => "its group",
        _ => "the decision",
    };
    format!("{back}, {} after {seen}", duration(at.since(decided)))
}

fn scheduled(Scheduled { schedule, controller }: &Scheduled) -> Vec<LogLine> {
    let name = controller.rsplit(':').next().unwrap_or(controller);
    line("detached", format!("schedule {} invokes {} once a minute until the rollout ends", one_line(schedule), one_line(name)))
}

fn guard(Guarded { state_machine, execution }: &Guarded) -> Vec<LogLine> {
    let name = state_machine.rsplit(':').next().unwrap_or(state_machine);
    line("guard", format!("{} rolls back if this process stops (execution {})", one_line(name), one_line(execution)))
}
