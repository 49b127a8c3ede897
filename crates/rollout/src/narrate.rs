//! What happened? The events between two rounds, made from what was seen and from nothing else.
//!
//! Events follow the world, not the intentions: a shift is reported when the alias shows it, no matter who made the write, and an answer that
//! was lost loses no event.

use crate::action::{Action, Reason};
use crate::alias::{Alias, alias_state};
use crate::comparison::{AnalysisResult, AnalysisVerdict, Comparison, Probe};
use crate::event::{Adopted, EventKind, HookPhase, Observed, ResumesAt, Started};
use crate::format::exact;
use crate::group::state::waits_for;
use crate::health::{AlarmSeen, AlarmState, Health, HoldReason, Verdict};
use crate::note::{Note, Phase};
use crate::observation::{Candidate, Hook, Observation, Readiness};
use crate::plan::{Entry, OnLowTraffic, Plan, Source};
use crate::timing::{MOVING, PREPARING};
use crate::verdict::verdict;
use crate::{Cause, Time, Version, Weight};

/// One look, and what was decided on it.
#[derive(Clone, Debug)]
pub struct Round {
    /// What was seen.
    pub seen: Observation,
    /// What was decided.
    pub action: Action,
}

/// The first event of a rollout, or of one that is resumed.
pub fn started(plan: &Plan, resumes: Option<&Note>) -> EventKind {
    let planned = match (plan.entry, &plan.source) {
        (Entry::Adopt(version), _) | (_, &Source::Version(version)) => Some(version),
        (_, Source::Publish | Source::Update(_)) => None,
    };
    let candidate = resumes.and_then(|note| note.candidate).or(planned);
    EventKind::Started(Started {
        rollout_id: plan.id.to_string(),
        stable: plan.stable,
        candidate,
        schedule: plan.schedule.to_string(),
        weights: plan.schedule.weights().to_vec(),
        every_seconds: plan.schedule.every().as_secs(),
        bake_seconds: plan.bake.as_secs(),
        alarms: plan.alarms.clone(),
        analysis: Some(plan.comparing()),
        signals: plan.signals.iter().map(|signal| signal.name.clone()).collect(),
        pre_hook: plan.pre_hook.clone(),
        step_hook: plan.step_hook.clone(),
        checks: plan.checks.clone(),
        post_hook: plan.post_hook.clone(),
        stands: resumes.map(|note| stands(plan, note)),
    })
}

fn stands(plan: &Plan, note: &Note) -> ResumesAt {
    ResumesAt { weight: note.phase.share(), step: step(plan, note.phase), next_at: note.due }
}

/// Which step a phase belongs to; 0 before the first.
fn step(plan: &Plan, phase: Phase) -> usize {
    match phase {
        Phase::Shift { step, .. } => usize::from(step),
        Phase::Claim | Phase::Pre => 0,
        Phase::Bake | Phase::Post | Phase::Promoted | Phase::Back(_) => plan.schedule.len(),
    }
}

/// What a round's decision rested on.
pub fn observed(plan: &Plan, round: &Round) -> EventKind {
    let (plan, seen, action) = (plan.clone(), round.seen.clone(), round.action.clone());
    EventKind::Observed(Box::new(Observed { plan, seen, action }))
}

/// Reports what happened between two rounds.
pub fn narrate(plan: &Plan, before: Option<&Round>, now: &Round) -> Vec<EventKind> {
    let mut events = Vec::new();
    let earlier = before.map(|round| &round.seen);
    events.extend(about_alarms(earlier, &now.seen));
    events.extend(about_counts(earlier, &now.seen));
    events.extend(about_probe(plan, earlier, &now.seen));
    events.extend(about_candidate(plan, earlier, &now.seen));
    events.extend(about_hook(plan, earlier, &now.seen));
    events.extend(about_checks(earlier, &now.seen));
    events.extend(about_alias(plan, before, now));
    events.extend(about_action(plan, before, now));
    events.extend(heartbeat(plan, before, now));
    events
}

fn note_of(plan: &Plan, seen: &Observation) -> Option<Note> {
    // What AWS has not done yet is not told as done.
    let alias = seen.alias.as_ref().filter(|_| !is_moving(seen))?;
    alias.note().filter(|note| note.id == plan.id)
}

fn is_moving(seen: &Observation) -> bool {
    seen.alias.as_ref().is_some_and(Alias::is_moving)
}

fn alarms(seen: &Observation) -> &[AlarmSeen] {
    match &seen.health {
        Health::Read { alarms, .. } => alarms,
        Health::Unwatched | Health::Unread { .. } => &[],
    }
}

fn about_alarms(earlier: Option<&Observation>, now: &Observation) -> Vec<EventKind> {
    let known = earlier.map(alarms).unwrap_or_default();
    let changed = |alarm: &&AlarmSeen| match known.iter().find(|known| known.name == alarm.name) {
        Some(known) => known.state != alarm.state,
        None => true,
    };
    alarms(now).iter().filter(changed).map(alarm_changed).collect()
}

/// An alarm whose state is another one than before.
pub fn alarm_changed(alarm: &AlarmSeen) -> EventKind {
    EventKind::AlarmChanged { name: alarm.name.clone(), state: alarm.state, since: alarm.since, reason: alarm.described() }
}

fn counted(seen: &Observation) -> Option<(Time, &AnalysisResult)> {
    match &seen.comparison {
        Comparison::Read { at, finding, .. } => Some((*at, finding)),
        Comparison::Unread { .. } => None,
    }
}

fn about_counts(earlier: Option<&Observation>, now: &Observation) -> Vec<EventKind> {
    let Some((at, finding)) = counted(now) else { return Vec::new() };
    let known = earlier.and_then(counted);
    if known.is_some_and(|known| known.0 == at) {
        return Vec::new();
    }
    let mut events = vec![compared(finding)];
    // Told once: how long it goes on is seen in the counts.
    if let Some(together) = &finding.together
        && known.is_none_or(|known| known.1.together.is_none())
    {
        events.push(EventKind::SharedDegradation { since: together.since, why: together.why.clone() });
    }
    events
}

/// What a count of the calls says.
pub fn compared(finding: &AnalysisResult) -> EventKind {
    let AnalysisResult { opinion, why, numbers, .. } = finding;
    EventKind::Compared { opinion: *opinion, why: why.clone(), numbers: Box::new(numbers.clone()) }
}

fn about_probe(plan: &Plan, earlier: Option<&Observation>, now: &Observation) -> Option<EventKind> {
    if earlier.is_some_and(|earlier| earlier.probe == now.probe) {
        return None;
    }
    match (&now.probe, plan.analysis.on_low_traffic) {
        (Probe::NotSent, _) => None,
        (Probe::Running, OnLowTraffic::Probe(count)) => Some(EventKind::ProbeStarted { count }),
        (Probe::Running, OnLowTraffic::RollBack | OnLowTraffic::Promote) => None,
        (Probe::Passed(count), _) => Some(EventKind::ProbeSucceeded { count: *count }),
        (Probe::Failed(reason) | Probe::Unsent(reason), _) => Some(EventKind::ProbeFailed { reason: reason.clone() }),
    }
}

fn about_candidate(plan: &Plan, earlier: Option<&Observation>, now: &Observation) -> Vec<EventKind> {
    let Candidate::Published(version, readiness) = &now.candidate else { return Vec::new() };
    let earlier = earlier.map(|earlier| &earlier.candidate);
    let known = earlier.and_then(Candidate::published).is_some();
    let ready = matches!(earlier, Some(Candidate::Published(_, Readiness::Ready)));
    let mut events = Vec::new();
    // A note that names it comes from a process that has told it.
    let named = note_of(plan, now).is_some_and(|note| note.candidate.is_some());
    if !known && !named && !matches!(plan.source, Source::Version(_)) {
        events.push(EventKind::Published { version: *version });
    }
    if !ready && *readiness == Readiness::Ready {
        events.push(EventKind::VersionReady { version: *version, differs: Vec::new() });
    }
    events
}

/// Why a hook that is still running counts as failed, if it does.
fn not_answered(plan: &Plan, note: Option<&Note>, seen: &Observation) -> Option<String> {
    let late = note?.hook.is_some_and(|hook| seen.now >= hook.deadline) && matches!(seen.hook, Hook::Running(_));
    late.then(|| format!("it did not answer before its deadline ({})", exact(plan.hook_limit)))
}

fn about_hook(plan: &Plan, earlier: Option<&Observation>, now: &Observation) -> Option<EventKind> {
    let note = note_of(plan, now);
    let (hook, name) = match note.as_ref().map(|note| note.phase) {
        None | Some(Phase::Claim | Phase::Pre) => (HookPhase::PreTraffic, plan.pre_hook.clone()?),
        // A hook that ended its rollout is told of on the terminal note.
        Some(Phase::Shift { .. }) => (HookPhase::Step, plan.step_hook.clone()?),
        Some(Phase::Post | Phase::Bake | Phase::Promoted | Phase::Back(_)) => (HookPhase::PostTraffic, plan.post_hook.clone()?),
    };
    let late = |seen: &Observation| not_answered(plan, note.as_ref(), seen);
    if let Some(reason) = late(now).filter(|_| earlier.is_none_or(|earlier| late(earlier).is_none())) {
        return Some(EventKind::HookFailed { hook, name, reason });
    }
    if earlier.is_some_and(|earlier| earlier.hook == now.hook) {
        return None;
    }
    let passed = note.as_ref().and_then(|note| note.hook).is_some_and(|attempt| attempt.passed);
    match &now.hook {
        Hook::NotInvoked => None,
        // An earlier turn has told.
        Hook::Succeeded if earlier.is_none() && passed => None,
        Hook::Running(_) => {
            let attempt = note.and_then(|note| note.hook).map_or(1, |attempt| attempt.number);
            Some(EventKind::HookStarted { hook, name, attempt })
        }
        Hook::Succeeded => {
            let asked = if let Some(Hook::Running(asked)) = earlier.map(|earlier| &earlier.hook) { *asked } else { now.now };
            let took_ms = u64::try_from(now.now.since(asked).as_millis()).unwrap_or(u64::MAX);
            Some(EventKind::HookSucceeded { hook, name, took_ms })
        }
        Hook::Failed(reason) => Some(EventKind::HookFailed { hook, name, reason: reason.clone() }),
    }
}

/// Checks whose answer comes to something else than the one before.
fn about_checks(earlier: Option<&Observation>, now: &Observation) -> Vec<EventKind> {
    let known = |name: &str| earlier?.checks.iter().find(|check| check.name == name)?.last.as_ref().map(|answer| answer.state);
    let answered = now.checks.iter().filter_map(|check| Some((&check.name, check.last.as_ref()?)));
    let changed = answered.filter(|(name, answer)| known(name) != Some(answer.state));
    changed.map(|(name, answer)| EventKind::Check { name: name.clone(), state: answer.state, why: answer.why.clone() }).collect()
}

fn about_alias(plan: &Plan, before: Option<&Round>, now: &Round) -> Vec<EventKind> {
    let Some(note) = note_of(plan, &now.seen) else { return Vec::new() };
    let earlier = before.and_then(|before| note_of(plan, &before.seen));
    // An id made from a CI run's may stand there from an earlier attempt: that end is told already.
    if earlier.is_none() && note.phase.is_terminal() && !now.seen.claimed {
        return Vec::new();
    }
    let mut events = Vec::new();
    let gone_on_with = matches!(plan.entry, Entry::TakeOver { .. });
    let moved = before.is_some_and(|before| is_moving(&before.seen));
    let rewritten = before.is_some_and(|before| before.action == Action::WriteAgain);
    match &earlier {
        // It was told by the process that began it.
        None if gone_on_with || moved || rewritten => {}
        None if note.stable.is_none() => events.extend(note.candidate.map(|version| EventKind::AliasCreated { version })),
        None => events.push(EventKind::Acquired { adopted: adopted(plan, now) }),
        Some(_) => {}
    }
    let holding = about_holding(earlier.as_ref(), &note, rewritten, || why_unreadable(plan, before.unwrap_or(now)));
    // A gate comes with its weight, and after it.
    let (holding, gate): (Vec<_>, Vec<_>) =
        holding.into_iter().partition(|what| !matches!(what, EventKind::Paused { gate: Some(_), .. }));
    events.extend(holding);
    let before_us = if gone_on_with || rewritten { note.phase.share() } else { Weight::ZERO };
    let from = earlier.as_ref().map_or(before_us, |earlier| earlier.phase.share());
    let to = note.phase.share();
    if to > from && note.stable.is_some() {
        events.push(shifted(plan, before, &note, from));
    }
    events.extend(gate);
    // A promotion that came too late is rolled back.
    let over =
        |earlier: &Note| earlier.phase.is_terminal() && (earlier.phase != Phase::Promoted || note.phase == Phase::Promoted);
    let was_over = earlier.as_ref().is_some_and(over);
    if !was_over && (note.phase != Phase::Promoted || note.candidate != plan.stable) {
        let promoted = earlier.as_ref().is_some_and(|earlier| earlier.phase == Phase::Promoted);
        events.extend(about_end(&note, promoted || moved || !from.is_zero()));
    }
    events
}

/// What was already there where another tool's rollout is taken over.
fn adopted(plan: &Plan, now: &Round) -> Option<Adopted> {
    let Entry::Adopt(version) = plan.entry else { return None };
    let weight = now.seen.alias.as_ref()?.share_of(version);
    Some(Adopted { version, weight })
}

/// What keeps the weight where it is, and the end of that: what one note has of it and the one before had not.
///
/// `by_itself` says that this process paused it, because its note had vanished.
pub fn about_holding(
    earlier: Option<&Note>,
    note: &Note,
    by_itself: bool,
    why_unreadable: impl FnOnce() -> String,
) -> Vec<EventKind> {
    let mut events = Vec::new();
    let live = !note.phase.is_terminal();
    match (earlier.and_then(|earlier| earlier.blind), note.blind) {
        (None, Some(_)) => events.push(EventKind::MonitoringLost { why: why_unreadable() }),
        (Some(_), None) if live => events.push(EventKind::MonitoringRestored),
        (None | Some(_), None | Some(_)) => {}
    }
    match (earlier.and_then(|earlier| earlier.pause), note.pause) {
        (known, Some(pause)) if known != Some(pause) => {
            let gate = pause.gate.then(|| note.phase.share());
            events.push(EventKind::Paused { until: pause.until, then: pause.then, by_itself, gate });
        }
        (Some(_), None) if live => events.push(EventKind::Resumed),
        (None | Some(_), None | Some(_)) => {}
    }
    events
}

/// The end that a terminal note tells of; `moved` says whether the candidate had any traffic.
pub fn about_end(note: &Note, moved: bool) -> Option<EventKind> {
    match note.phase {
        Phase::Promoted => note.candidate.map(|version| EventKind::Promoted { version, manually: note.promoted_manually }),
        Phase::Back(Cause::Unchanged | Cause::Rejected | Cause::Failed) => None,
        Phase::Back(_) => Some(EventKind::Restored { version: note.stable, moved }),
        Phase::Claim | Phase::Pre | Phase::Shift { .. } | Phase::Bake | Phase::Post => None,
    }
}

fn why_unreadable(plan: &Plan, now: &Round) -> String {
    let judged = match note_of(plan, &now.seen) {
        Some(note) => verdict(plan, &now.seen, &note),
        None => now.seen.health.verdict(plan, now.seen.now, now.seen.now),
    };
    match judged {
        Verdict::Unreadable { why, .. }
        | Verdict::NoData { why }
        | Verdict::HoldReason { why, .. }
        | Verdict::Fail { why, .. } => why,
        Verdict::Pass(_) => "CloudWatch could not be read for a moment".to_owned(),
    }
}

fn shifted(plan: &Plan, before: Option<&Round>, note: &Note, from: Weight) -> EventKind {
    let steps = plan.schedule.len();
    let step = step(plan, note.phase);
    let (because, by_configuration) = match before.map(|before| &before.action) {
        _ if note.promoted_manually => ("promoted manually".to_owned(), false),
        Some(Action::Shift { pass, .. }) => (pass.phrase(), pass.by_configuration()),
        Some(_) | None => ("written earlier".to_owned(), false),
    };
    let manually = note.promoted_manually;
    EventKind::WeightShifted { from, to: note.phase.share(), step, steps, next_at: note.due, because, by_configuration, manually }
}

fn about_action(plan: &Plan, before: Option<&Round>, now: &Round) -> Option<EventKind> {
    let earlier = before.map(|before| &before.action);
    if let Action::RollBack(cause) = &now.action {
        let known = matches!(earlier, Some(Action::RollBack(_))) || matches!(cause, Cause::Unchanged | Cause::Rejected);
        return (!known).then(|| rollback_started(plan, &now.seen, *cause));
    }
    if let Action::Extend { doubt, why, .. } = &now.action {
        // Every further minute of it is seen in the heartbeats.
        let known = note_of(plan, &now.seen).is_some_and(|note| match doubt {
            HoldReason::Suspicious => !note.held.is_zero(),
            HoldReason::NoCalls | HoldReason::TooFew | HoldReason::Unanswered => !note.waited.is_zero(),
        });
        return (!known).then(|| EventKind::HoldingStep { why: format!("{}{why}", doubt.phrase()) });
    }
    let Action::Wait { why, .. } = &now.action else { return None };
    let same = matches!(earlier, Some(Action::Wait { why: earlier, .. }) if earlier == why);
    held(plan, why).filter(|_| !same).map(|why| EventKind::HoldingStep { why })
}

fn moving(version: Version) -> String {
    let limit = exact(MOVING);
    format!("AWS is moving provisioned concurrency and keeps all traffic on {version} until that is done (at most {limit})")
}

/// The sentence for a wait that is not on the schedule; `None` for one that is.
fn held(plan: &Plan, why: &Reason) -> Option<String> {
    match why {
        Reason::SetByHand(weight) => {
            let limit = exact(plan.analysis.max_hold);
            Some(format!("traffic was set manually to {weight}: holding it for {limit} at most, still watching"))
        }
        Reason::Moving(version) => Some(moving(*version)),
        Reason::Blind(why) | Reason::NoData(why) => Some(why.clone()),
        Reason::Settling
        | Reason::Preparing
        | Reason::HookRunning
        | Reason::CheckRunning
        | Reason::Probing
        | Reason::FullMinute
        | Reason::NotDue
        | Reason::Baking
        // The note has told it.
        | Reason::Paused(_)
        | Reason::LookingAgain
        // How long that goes on is seen in the heartbeats.
        | Reason::SharedDegradation { .. } => None,
    }
}

/// Why it rolls back, and since when there was reason to.
fn rollback_started(plan: &Plan, seen: &Observation, cause: Cause) -> EventKind {
    let tell = |why, happened, alarm| EventKind::RollbackStarted { cause, why, happened, alarm };
    let note = note_of(plan, seen);
    let judged = match &note {
        Some(note) => verdict(plan, seen, note),
        None => seen.health.verdict(plan, seen.now, seen.now),
    };
    if let Verdict::HoldReason { why, .. } = &judged
        && matches!(cause, Cause::NoData | Cause::LowTraffic)
    {
        if matches!(seen.probe, Probe::Unsent(_)) {
            return tell(why.clone(), None, None);
        }
        let limit = exact(plan.analysis.max_hold);
        return tell(format!("{why}, although the step was extended by {limit}"), None, None);
    }
    if let Verdict::Fail { cause: found, why, alarm } = judged
        && found == cause
    {
        if cause == Cause::Analysis {
            // A probe that failed happened just now.
            let counted = counted(seen).filter(|(_, finding)| finding.opinion == AnalysisVerdict::RollBack);
            return tell(why, counted.and_then(|(_, finding)| finding.happened), None);
        }
        let in_alarm =
            alarms(seen).iter().find(|in_alarm| in_alarm.state != AlarmState::Ok && alarm.as_ref() == Some(&in_alarm.name));
        return tell(why, in_alarm.map(|in_alarm| in_alarm.since), alarm);
    }
    if let (Cause::Failed, Some(why)) = (cause, &seen.write_blocked) {
        return tell(why.clone(), None, None);
    }
    if let (Cause::Group, Some(called)) = (cause, seen.others.as_ref().and_then(|others| others.called.as_ref())) {
        return tell(called.phrase(), None, None);
    }
    let why = match (cause, &seen.candidate) {
        (Cause::PreHook | Cause::StepHook | Cause::PostHook, _) => {
            let hooks =
                [(Cause::PreHook, &plan.pre_hook), (Cause::StepHook, &plan.step_hook), (Cause::PostHook, &plan.post_hook)];
            let name = hooks.into_iter().find_map(|(of, name)| name.as_ref().filter(|_| of == cause));
            let late = not_answered(plan, note.as_ref(), seen);
            let reason = if let Hook::Failed(reason) = &seen.hook { Some(reason.clone()) } else { late };
            format!(
                "hook `{}` failed: {}",
                name.map_or("", String::as_str),
                reason.unwrap_or_else(|| "it did not answer".to_owned())
            )
        }
        (Cause::Failed, Candidate::Failed(why) | Candidate::Published(_, Readiness::Unfit(why))) => why.clone(),
        (Cause::Blind | Cause::NoData, _) => {
            let limit = exact(plan.blind_limit);
            format!(
                "nothing could be watched for {limit} (--blind-limit): {}",
                why_unreadable(plan, &Round { seen: seen.clone(), action: Action::Confirm })
            )
        }
        (Cause::Hand, _) if gate_over(note.as_ref(), seen) => {
            let share = note.as_ref().map_or(Weight::ZERO, |note| note.phase.share());
            format!("the gate at {share} was not approved in time")
        }
        _ => cause.phrase().to_owned(),
    };
    tell(why, None, None)
}

/// Whether a gate of the schedule has ended without an approval.
fn gate_over(note: Option<&Note>, seen: &Observation) -> bool {
    note.and_then(|note| note.pause).is_some_and(|pause| pause.gate && seen.now >= pause.until)
}

fn heartbeat(plan: &Plan, before: Option<&Round>, now: &Round) -> Option<EventKind> {
    let Action::Wait { until, why } = &now.action else { return None };
    let before = before?;
    let alias = now.seen.alias.as_ref()?;
    let found = alias_state(alias);
    let note = found.live()?;
    let minute = |seen: &Observation| seen.now.since(note.started_at).as_secs() / 60;
    if minute(&before.seen) == minute(&now.seen) {
        return None;
    }
    let weight = alias.canary().map_or(Weight::ZERO, |(_, weight)| weight);
    let next_at = Some(*until).filter(|_| matches!(why, Reason::NotDue | Reason::Baking));
    // What is extended may be extended again.
    let planned = plan.next_change(note.since + plan.dwell(note.phase));
    let extended = next_at.is_some() && note.due.is_some_and(|due| due > planned + plan.tolerance());
    let waiting_for = if extended { "more invocations, checked again".to_owned() } else { waiting_for(why) };
    let at_a_gate = matches!(why, Reason::Paused(_)) && note.pause.is_some_and(|pause| pause.gate);
    let waiting_for = if at_a_gate { "an approval of the gate".to_owned() } else { waiting_for };
    Some(EventKind::Heartbeat { weight, next_at, waiting_for })
}

/// What a wait is for, as a noun.
pub fn waiting_for(why: &Reason) -> String {
    let what = match why {
        Reason::Settling => return format!("`$LATEST` to finish its update (at most {})", exact(PREPARING)),
        Reason::Preparing => return format!("the version to become Active (at most {})", exact(PREPARING)),
        Reason::HookRunning => "the hook's answer",
        Reason::CheckRunning => "the answer of a check",
        Reason::FullMinute => "a full minute of metrics",
        Reason::Probing => "the new version's answers to test events",
        Reason::NotDue => "the next step",
        Reason::Baking => "the end of the bake",
        Reason::Paused(_) => "the end of the pause",
        Reason::SetByHand(_) => "the manually set traffic to be reset, or the rollout to be ended",
        Reason::Moving(version) => return moving(*version),
        Reason::Blind(_) => "CloudWatch",
        Reason::NoData(_) => "the alarms to have data",
        Reason::LookingAgain => "a second reading of the alias",
        Reason::SharedDegradation { stage, last } => return waits_for(*stage, last.as_deref()),
    };
    what.to_owned()
}
