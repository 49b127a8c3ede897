//! May this rollout begin? Looks at everything that could stop it later, changes nothing, and reports every problem at once.

pub(crate) mod alarms;
pub(crate) mod alias;
pub(crate) mod callers;
pub(crate) mod features;
mod handled;
mod hooks;
mod metrics;
pub(crate) mod problem;
mod signals;
pub(crate) mod versions;

use futures_util::future::join_all;
use rollout::Time;
use rollout::admission::{Admission, TakeoverOptions, admission};
use rollout::alias::{AliasState, alias_state};
use rollout::format::exact;
use rollout::health::clock;
use rollout::note::{Owner, RolloutId};
use rollout::pin::{PinDecision, pin};
use rollout::plan::{Entry, Plan};
use rollout::target::{Qualified, Subject};
use rollout::timing::{CREDENTIALS_MARGIN, GUARD_LASTS, MOVING, SECOND_LOOK, SHORT_SESSION};
use rollout::turn::{Next, Turn, detached_owner};

use crate::expectation::SignalPast;
use crate::port::{AliasSnapshot, Answer, Call, Clock, Cloud, Configuration, default_log_group};
use crate::request::Request;

use alarms::alarms;
use alias::{about_alias, permissions, provisioned};
use callers::{Callers, callers, unseen};
use features::{features, unpinnable};
use handled::handled;
use hooks::{hook, probe};
use metrics::{counts, low_power, slowness};
use problem::unreadable;
pub use problem::{Preflight, Problem};
use signals::{log_of_signals, signals};
use versions::{owning_stack, versions};

impl Preflight {
    /// Whether nothing that was found keeps it from beginning.
    pub(crate) fn may_begin(&self) -> bool {
        self.problems.is_empty() && self.in_alarm.is_empty()
    }

    /// Whether a turn goes on with what was found: a rollout in progress, or its group's.
    pub(crate) fn goes_on(&self) -> bool {
        self.problems.is_empty() && self.lease_holder.is_none() && (self.resumes.is_some() || self.joins)
    }

    /// When a turn may find more to do than this one, where another process drives what is in progress, or AWS has not moved the traffic yet.
    pub(crate) fn waits(&self, now: Time) -> Option<Next> {
        if let Some(AliasState::Moving(note, _)) = self.alias.as_ref().map(alias_state) {
            let until = note.since + MOVING;
            return (now < until).then(|| Next { until, waits_for: "AWS to move provisioned concurrency".to_owned() });
        }
        let note = self.lease_holder.as_ref()?;
        let waits_for = format!("process {}, which drives this rollout, to end it or to stop reporting", note.owner);
        Some(Next { until: note.lease?, waits_for })
    }

    /// Whether turns drive the rollout that this process was to begin.
    pub(crate) fn is_detached(&self) -> bool {
        self.lease_holder.as_ref().is_some_and(|note| note.owner == detached_owner(note.id))
    }

    /// All that is worth knowing and stops nothing, the loudest first.
    pub fn describe_warnings(&self, subject: &Subject) -> Vec<String> {
        let stack = self.stack.as_ref().and_then(|stack| stack.warning(subject));
        self.pins
            .then(|| pins_first(subject))
            .into_iter()
            .chain(self.callers.warning(subject))
            .chain(stack)
            .chain(self.handled_unseen.clone())
            .chain(self.warnings.iter().cloned())
            .collect()
    }
}

/// What a rollout does first on an alias that it pins.
pub(crate) fn pins_first(subject: &Subject) -> String {
    format!(
        "{subject} is on `$LATEST`: a rollout first publishes what is there and puts the alias on that version; traffic unchanged"
    )
}

/// Looks at everything a rollout needs.
pub async fn preflight<C: Cloud, K: Clock>(cloud: &C, clock: &K, request: &Request, id: RolloutId, owner: Owner) -> Preflight {
    let subject = &request.subject;
    // Before anything has begun there is time until the account has calls left.
    let patient = cloud.patient().filter(|_| !Turn::is_tick(request.turn));
    let (held, problems, read) = match first_look(patient.as_ref().unwrap_or(cloud), clock, request).await {
        Ok(held) => (held, Vec::new(), true),
        Err(error) => (None, vec![unreadable(&error)], false),
    };
    let (alias, revision) = held.map(|AliasSnapshot { alias, revision }| (alias, revision)).unzip();
    let stable = alias.as_ref().and_then(|alias| alias.target.version());
    let mut plan = request.plan(id, owner, cloud.time(), stable);
    // What has traffic in progress has nobody to watch it meanwhile.
    let patient = patient.filter(|_| alias.as_ref().is_none_or(|alias| matches!(alias_state(alias), AliasState::Idle(_))));
    let counts = counts(patient.as_ref().unwrap_or(cloud), request, alias.as_ref(), plan.began).await;
    if counts.denied {
        plan.countable = false;
    }
    let mut found = Preflight {
        plan,
        problems,
        warnings: [request.notes.clone(), counts.warnings].concat(),
        callers: Callers::default(),
        stack: None,
        in_alarm: Vec::new(),
        pins: alias.as_ref().is_some_and(|alias| pin(subject, alias) == PinDecision::Publish),
        alias,
        revision,
        read,
        stable: None,
        nothing_to_do: false,
        resumes: None,
        baseline: counts.baseline,
        signal_past: SignalPast::default(),
        lease_holder: None,
        controller: None,
        joins: false,
        handled_unseen: None,
    };
    find_way_in(cloud, request, &mut found);
    if found.lease_holder.is_some() {
        return found;
    }
    if Turn::is_tick(request.turn) {
        Box::pin(resume_turn(cloud, request, &mut found)).await;
        return found;
    }
    look_further((cloud, patient.as_ref().unwrap_or(cloud), clock), request, counts.problems, &mut found).await;
    found
}

/// Everything but the alias and who drives it. What looks for a few seconds only does not wait for the account's calls.
async fn look_further<C: Cloud, K: Clock>(
    (brief, cloud, clock): (&C, &C, &K),
    request: &Request,
    of_counts: Vec<Problem>,
    found: &mut Preflight,
) {
    found.problems.extend(outlasts_guard(request, &found.plan));
    found.warnings.extend(low_power(&found.plan, &found.baseline));
    let began = found.resumes.as_ref().map_or(found.plan.began, |note| note.started_at);
    let signals = Box::pin(signals(cloud, request, &found.plan, &found.baseline, began)).await;
    found.warnings.extend(signals.warnings);
    found.signal_past = signals.past;
    let (problems, callers) =
        tokio::join!(Box::pin(look_around(cloud, request, found)), Box::pin(callers(brief, clock, &request.subject)));
    found.callers.unseen.extend(callers.unseen);
    (found.callers.bypass, found.callers.urls) = (callers.bypass, callers.urls);
    let comparison = (&request.subject, &found.plan, &found.baseline);
    found.handled_unseen = Box::pin(handled(brief, clock, comparison, &found.callers.urls)).await;
    let group = found.stable.as_ref().map_or_else(|| default_log_group(&request.subject.function.name), Configuration::log_group);
    let no_log = Box::pin(log_of_signals(cloud, &found.plan, &group)).await;
    let problems = [of_counts, signals.problems, no_log.into_iter().collect(), problems].concat();
    // A weight that nobody watches is worse than any of these: what would keep a rollout from beginning is told of one in progress.
    if found.resumes.is_some() {
        found.warnings.extend(problems.iter().map(ToString::to_string));
    } else {
        found.problems.extend(problems);
    }
}

/// Reads the alias, and again where one read is not enough to go by: whoever begins has to be sure that nobody is there, and a turn that
/// nothing is left to do.
async fn first_look<C: Cloud, K: Clock>(cloud: &C, clock: &K, request: &Request) -> Answer<Option<AliasSnapshot>> {
    let read = cloud.alias(&request.subject).await?;
    let unsure = |held: &AliasSnapshot| {
        let state = alias_state(&held.alias);
        if Turn::is_tick(request.turn) { state.live().is_none() } else { !matches!(state, AliasState::Idle(_)) }
    };
    if read.as_ref().is_some_and(unsure) {
        clock.sleep(SECOND_LOOK).await;
        return cloud.alias(&request.subject).await;
    }
    Ok(read)
}

/// What a turn needs to go on with a rollout that another process began, and looked at everything for: nothing that could stop it.
async fn resume_turn<C: Cloud>(cloud: &C, request: &Request, found: &mut Preflight) {
    let Some(note) = found.resumes.clone() else { return };
    // Began in this process' place: so long is what is searched in the log, and watched.
    found.plan.began = note.started_at;
    let signals = Box::pin(signals(cloud, request, &found.plan, &found.baseline, note.started_at)).await;
    found.signal_past = signals.past;
    // What it is called is needed only where it is told, and what it is where that decides what may be compared.
    let Ok(stable) = cloud.configuration(&request.subject.function, note.stable).await else { return };
    found.plan.durable = features(request, Some(&stable), None).durable;
    found.stable = Some(stable);
}

/// Everything that the alias alone does not tell: versions, permissions, alarms, hooks, credentials.
async fn look_around<C: Cloud>(cloud: &C, request: &Request, found: &mut Preflight) -> Vec<Problem> {
    let mut problems: Vec<Problem> = slowness(request, &found.plan, &found.baseline).into_iter().collect();
    if found.read {
        let (versions, concurrency, denied) = tokio::join!(
            versions(cloud, request, found),
            provisioned(cloud, request, found),
            // Four calls at once are too much for the stack of a test's thread.
            Box::pin(permissions(cloud, request, found))
        );
        problems.extend(about_alias(cloud, request, found).await);
        let features = features(request, versions.stable.as_ref(), versions.candidate.as_ref());
        found.plan.durable = features.durable;
        found.warnings.extend(features.warnings);
        problems.extend(features.problems);
        if let Some(latest) = versions.stable.as_ref().filter(|_| found.pins) {
            problems.extend(unpinnable(&request.subject, latest));
        }
        found.stable = versions.stable;
        found.nothing_to_do = versions.nothing_to_do;
        found.problems.extend(versions.mismatch);
        problems.extend(versions.problems.into_iter().chain(concurrency).chain(denied));
        match owning_stack(cloud, found.stable.as_ref()).await {
            Ok(stack) => found.stack = stack,
            Err(error) => found.callers.unseen.push(unseen("the stack that the function belongs to", Call::ListTags, &error)),
        }
    }
    let (alarms, pre, step, post, probe) = tokio::join!(
        alarms(cloud, request, &found.plan, found.resumes.is_some()),
        hook(cloud, request.pre_hook.as_ref()),
        hook(cloud, request.step_hook.as_ref()),
        hook(cloud, request.post_hook.as_ref()),
        probe(cloud, request, found.plan.stable)
    );
    problems.extend(alarms.problems);
    found.in_alarm = alarms.in_alarm;
    found.warnings.extend(alarms.warnings);
    let checks = join_all(request.checks.iter().map(|check| hook(cloud, Some(check)))).await;
    problems.extend([pre, step, post, probe].into_iter().chain(checks).flatten());
    if request.turn == Some(Turn::Begin) {
        problems.extend(Box::pin(about_detaching(cloud, request, found)).await);
        return problems;
    }
    problems.extend(about_credentials(cloud, &found.plan));
    found.warnings.extend(about_session(cloud, &found.plan).await);
    problems
}

/// Whether the function is there that goes on with a detached rollout, and nothing is asked for that only a process that stays can see.
async fn about_detaching<C: Cloud>(cloud: &C, request: &Request, found: &mut Preflight) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(signal) = request.signals.iter().find(|signal| signal.is_in_logs()) {
        let text = format!("the signal `{}` is counted in the function's log, which takes a process that stays", signal.name);
        problems.push(Problem::new(text).hint("count it in a metric, or omit `--detach`"));
    }
    let Some(controller) = &request.controller else { return problems };
    match controller.parse::<Qualified>() {
        Ok(named) => match cloud.configuration(&named.function, None).await {
            Ok(configuration) => found.controller = Some(configuration.arn),
            Err(error) => {
                let text = format!("the controller's function `{controller}` cannot be read: {error}");
                let hint = "`canaryctl controller template` prints what to deploy; `--detach=ticks` needs no function";
                problems.push(Problem::new(text).hint(hint));
            }
        },
        Err(error) => problems.push(Problem::new(error.to_string())),
    }
    problems
}

/// Whether this process may drive a rollout here, and which: a new one, or one that another process left.
fn find_way_in<C: Cloud>(cloud: &C, request: &Request, found: &mut Preflight) {
    let Some(alias) = &found.alias else { return };
    let state = alias_state(alias);
    // A turn is for one rollout only, where it says which.
    if request.rollout.is_some() && request.rollout != state.live().map(|note| note.id) {
        return;
    }
    // No process drives what is detached: every turn of it does. What was asked for at the beginning has been done by then.
    let detached = state.live().is_some_and(|note| note.owner == detached_owner(note.id));
    let takeover = if Turn::is_tick(request.turn) {
        TakeoverOptions { take_over: detached, ..TakeoverOptions::default() }
    } else {
        request.takeover
    };
    match admission(&request.subject, &state, found.plan.hash(), takeover, cloud.time()) {
        Admission::In(entry, note) => {
            found.plan.entry = entry;
            let Some(note) = note else { return };
            found.plan.stable = note.stable;
            let (id, traffic) = (note.id, alias.traffic());
            // Who goes on as the same owner goes on with what it began.
            let own = Turn::is_tick(request.turn) && note.owner == detached_owner(id);
            let what = match entry {
                Entry::TakeOver { .. } => format!("resumes rollout {id}, which another process began: {traffic}"),
                Entry::Supersede(_) | Entry::Adopt(_) | Entry::Fresh => {
                    format!("supersedes rollout {id} once the new version is ready: {traffic}")
                }
            };
            found.warnings.extend((!own).then_some(what));
            if matches!(entry, Entry::TakeOver { .. }) {
                found.plan.id = note.id;
                if Turn::is_tick(request.turn) {
                    found.plan.owner = detached_owner(note.id);
                }
                found.resumes = Some(note);
            }
        }
        Admission::Wait { note, .. } => found.lease_holder = Some(note),
        Admission::No { why, hint } => found.problems.push(Problem::new(why).hint(hint)),
    }
}

/// A plan that is longer than a guard lasts.
fn outlasts_guard(request: &Request, plan: &Plan) -> Option<Problem> {
    let (lasts, most) = (exact(plan.duration()), exact(GUARD_LASTS));
    let text = format!("the rollout lasts at least {lasts}, and a guard lasts for {most}");
    (request.guard.is_some() && plan.duration() > GUARD_LASTS)
        .then(|| Problem::new(text).hint("use a shorter schedule, or omit `--guard`"))
}

/// A session token may end before the rollout does; nothing says when.
async fn about_session<C: Cloud>(cloud: &C, plan: &Plan) -> Option<String> {
    let lasts = plan.duration();
    let unknown = lasts > SHORT_SESSION && cloud.ends_unannounced().await;
    unknown.then(|| {
        format!(
            "the credentials are a session token, and nothing says when it expires; the rollout lasts at least {}, and without \
             credentials nothing can roll it back: use credentials that renew themselves, ask for a longer session (such as \
             `role-duration-seconds` in GitHub Actions), or set AWS_CREDENTIAL_EXPIRATION to its end",
            exact(lasts)
        )
    })
}

/// Credentials that are known to end before the rollout does would leave it without anybody to bring it back.
fn about_credentials<C: Cloud>(cloud: &C, plan: &Plan) -> Option<Problem> {
    let (end, now) = (cloud.expiry()?, cloud.time());
    let needed = plan.duration() + CREDENTIALS_MARGIN;
    (now + needed >= end).then(|| {
        let text = format!("the credentials expire at {}, before the rollout can end ({} from now)", clock(end), exact(needed));
        Problem::new(text).hint("use credentials that last longer or renew themselves, or a shorter schedule")
    })
}
