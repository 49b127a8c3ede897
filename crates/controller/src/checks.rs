//! What could stop a rollout later? One check each; none of them changes anything.

use std::time::Duration;

use rollout::alias::{Target, standing};
use rollout::health::AlarmState;
use rollout::hook::HookTarget;
use rollout::note::{self, Noted, TEXT_LIMIT};
use rollout::plan::{Entry, Latency, Mode, OnLowTraffic, Plan, Preexisting};
use rollout::subject::{FunctionName, Qualified};
use rollout::{Alias, Cause, Time, Version};

use crate::cloud::{Cloud, CloudError, Code, Configuration, Failure, State, Update, Usual, Write};
use crate::compare::{PAST, Reference, expected_calls, limits};
use crate::keep::{AlarmRule, about_kept};
use crate::preflight::{Preflight, Problem};
use crate::request::{Request, fingerprint};

pub(crate) fn unreadable(error: &CloudError) -> Problem {
    let problem = Problem::new(error.to_string());
    match error.failure {
        Failure::NotFound => problem.hint("is this the right Region and account?"),
        Failure::Denied => problem.hint("`canaryctl` needs lambda:GetAlias and lambda:UpdateAlias on this function"),
        Failure::Unsent => problem.hint("is AWS, or the endpoint that was given, within reach?"),
        // The message says what to do.
        Failure::Unsigned => problem,
        Failure::Outdated
        | Failure::Conflict
        | Failure::Throttled
        | Failure::Invalid
        | Failure::Unanswered
        | Failure::NotExecuted => problem,
    }
}

pub(crate) async fn about_alias<C: Cloud>(cloud: &C, request: &Request, found: &Preflight) -> Vec<Problem> {
    let subject = &request.subject;
    let (function, name) = (subject.function.reference(), &subject.alias);
    let Some(alias) = &found.alias else { return about_creation(cloud, request).await.into_iter().collect() };
    let mut problems = Vec::new();
    if alias.target == Target::Latest {
        let text = format!("{subject} points at $LATEST: such an alias cannot split its traffic");
        let command = format!("aws lambda update-alias --function-name {function} --name {name} --function-version <N>");
        problems.push(Problem::new(text).hint(format!("point it at a published version, once: `{command}`")));
    }
    problems.extend(unexpected(request, found));
    let length = note::length(alias.text());
    if length > TEXT_LIMIT {
        let text = format!("the description of {subject} has {length} characters, which leaves no room for the rollout's note");
        problems.push(Problem::new(text).hint(format!("shorten it to {TEXT_LIMIT} characters")));
    }
    problems
}

/// Whoever said which version to begin from did not mean another; but what is rolled out already needs no beginning.
fn unexpected(request: &Request, found: &Preflight) -> Option<Problem> {
    let (expected, stable) = request.expects.zip(found.plan.stable)?;
    let text = format!("{} is on {stable}, and {expected} is expected there (`CurrentVersion`)", request.subject);
    let problem = Problem::new(text).hint("was something else rolled out since this was written?");
    (stable != expected && request.version != Some(stable)).then_some(problem)
}

/// Where the alias does not exist: a first deployment, or a typo.
async fn about_creation<C: Cloud>(cloud: &C, request: &Request) -> Option<Problem> {
    let subject = &request.subject;
    let names = match cloud.alias_names(&subject.function).await {
        Ok(names) => names,
        Err(error) => return Some(unreadable(&error)),
    };
    if names.is_empty() || request.create_alias {
        return None;
    }
    let alike =
        names.iter().min_by_key(|name| strsim::damerau_levenshtein(&name.to_lowercase(), &subject.alias.to_lowercase()))?;
    let text = format!("{} has no alias `{}`; it has {}", subject.function, subject.alias, listed(&names));
    Some(Problem::new(text).hint(format!("did you mean `{}:{alike}`?  `--create-alias` makes a new one", subject.function)))
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What will have to be written, and may not be: better to know before there is a claim.
pub(crate) async fn permissions<C: Cloud>(cloud: &C, request: &Request, found: &Preflight) -> Vec<Problem> {
    let subject = &request.subject;
    let function = &subject.function;
    let begins = found.goes_on.as_ref().is_none_or(|note| note.candidate.is_none());
    let publishes = begins && request.version.is_none() && !matches!(found.plan.entry, Entry::Adopt(_));
    let ask = async |asked: bool, write: Write<'_>, text: String, permission: &str| {
        let error = if asked { cloud.may_write(subject, &write).await.err()? } else { return None };
        let problem = Problem::new(format!("{text}: {error}")).hint(format!("{permission} on {function} is needed"));
        (error.failure == Failure::Denied).then_some(problem)
    };
    // Without a post-traffic hook, a first deployment's alias is complete once it is created.
    let (creates, updates) = (found.alias.is_none(), found.alias.is_some() || request.post_hook.is_some());
    let (updates, creates, code, version) = tokio::join!(
        ask(updates, Write::Alias(found.alias.as_ref()), format!("{subject} may not be changed"), "lambda:UpdateAlias"),
        ask(creates, Write::NewAlias, format!("{subject} may not be created"), "lambda:CreateAlias"),
        ask(
            publishes && request.code.is_some(),
            Write::Code,
            format!("the code of {function} may not be changed"),
            "lambda:UpdateFunctionCode"
        ),
        ask(publishes, Write::Version, format!("no version of {function} may be published"), "lambda:PublishVersion"),
    );
    [updates, creates, code, version].into_iter().flatten().collect()
}

#[derive(Default)]
pub(crate) struct Versions {
    pub(crate) stable: Option<Configuration>,
    pub(crate) nothing_to_do: bool,
    pub(crate) problems: Vec<Problem>,
    /// That this command is for something else than what is under way: binding whatever else there is.
    pub(crate) mismatch: Option<Problem>,
}

/// The version to go back to, and what is to be rolled out.
pub(crate) async fn versions<C: Cloud>(cloud: &C, request: &Request, found: &Preflight) -> Versions {
    let function = &request.subject.function;
    let mut out = Versions::default();
    if let Some(stable) = found.plan.stable {
        match cloud.configuration(function, Some(stable)).await {
            Ok(configuration) => {
                out.problems.extend(unusable("the version to go back to", stable, &configuration));
                out.stable = Some(configuration);
            }
            Err(error) => {
                out.problems.push(Problem::new(format!("the version to go back to, {stable}, cannot be read: {error}")));
            }
        }
    }
    let goes_on = found
        .goes_on
        .as_ref()
        .and_then(|note| note.candidate.map(|candidate| (format!("rollout {} under way", note.id), candidate)));
    let adopts =
        if let Entry::Adopt(version) = found.plan.entry { Some(("the share to adopt".to_owned(), version)) } else { None };
    match (goes_on.or(adopts), request.version) {
        (Some((what, candidate)), version) => {
            out.mismatch = continued(cloud, request, &what, candidate, version).await;
            let adopts = matches!(found.plan.entry, Entry::Adopt(_));
            out.problems.extend(known_bad(found, candidate).filter(|_| adopts && !request.again));
        }
        (None, _) if found.goes_on.is_some() => {}
        (None, Some(version)) => by_number(cloud, request, found, version, &mut out).await,
        (None, None) => out.problems.extend(to_publish(cloud, request, out.stable.as_ref()).await),
    }
    out
}

/// What `$LATEST` is, before it is published: a failed update or another role would only be found after the claim.
async fn to_publish<C: Cloud>(cloud: &C, request: &Request, stable: Option<&Configuration>) -> Option<Problem> {
    let latest = cloud.configuration(&request.subject.function, None).await.ok()?;
    if let Update::Failed(why) = &latest.update
        && request.code.is_none()
    {
        return Some(Problem::new(format!("the last update of `$LATEST` failed: {why}")).hint("deploy the function again"));
    }
    latest.facts().incompatible(&stable?.facts()).map(split)
}

async fn by_number<C: Cloud>(cloud: &C, request: &Request, found: &Preflight, version: Version, out: &mut Versions) {
    if Some(version) == found.plan.stable {
        out.nothing_to_do = found.plan.entry == Entry::Fresh;
        if !out.nothing_to_do {
            let text = format!("{version} is stable already, and another rollout is under way");
            out.problems.push(Problem::new(text).hint(format!("`canaryctl rollback {}` ends that one", request.subject)));
        }
        return;
    }
    match cloud.configuration(&request.subject.function, Some(version)).await {
        Ok(configuration) => {
            out.problems.extend(unusable("the version to roll out", version, &configuration));
            let differs = out.stable.as_ref().and_then(|stable| configuration.facts().incompatible(&stable.facts()));
            out.problems.extend(differs.map(split));
        }
        Err(error) => {
            let list = format!("aws lambda list-versions-by-function --function-name {}", request.subject.function.reference());
            let problem = Problem::new(format!("the version to roll out, {version}, cannot be read: {error}"));
            out.problems.push(problem.hint(format!("`{list}` lists those there are")));
        }
    }
    out.problems.extend(known_bad(found, version).filter(|_| !request.again));
}

/// What the note on the alias, whatever else it says, knows against a version.
fn known_bad(found: &Preflight, version: Version) -> Option<Problem> {
    let Noted::Note(note) = found.alias.as_ref()?.noted() else { return None };
    let rejected = note.rejected.iter().find(|rejected| rejected.version == version)?;
    Some(rejected_before(version, rejected.cause))
}

/// The refusal of a version that was taken back before.
pub(crate) fn rejected_before(version: Version, cause: Cause) -> Problem {
    Problem::new(format!("{version} was rejected before: {}", cause.phrase()))
        .hint("roll out a fixed version, or this one with `--again`")
}

/// A rollout that is gone on with is of the version that this command would roll out, or it is another one.
async fn continued<C: Cloud>(
    cloud: &C,
    request: &Request,
    what: &str,
    candidate: Version,
    version: Option<Version>,
) -> Option<Problem> {
    let other = |but: String| {
        let text = format!("{what} is of {candidate}, and {but}");
        Some(Problem::new(text).hint(format!("`--version {candidate}` goes on with it, `--supersede` puts a rollout aside")))
    };
    if let Some(version) = version {
        return if version == candidate { None } else { other(format!("`--version` names {version}")) };
    }
    let published = cloud.configuration(&request.subject.function, Some(candidate)).await.ok()?;
    let theirs = published.code_sha256;
    match &request.code {
        // The hash of an image is not its URI's.
        Some(Code::Image(_)) => None,
        Some(code) if fingerprint(code) == theirs => None,
        Some(_) => other("the package given is another".to_owned()),
        None => match cloud.configuration(&request.subject.function, None).await {
            Ok(latest) if latest.code_sha256 != theirs => other("`$LATEST` has other code by now".to_owned()),
            Ok(latest) if latest.frozen != published.frozen => other("`$LATEST` has other settings by now".to_owned()),
            Ok(_) => None,
            Err(error) => Some(unreadable(&error)),
        },
    }
}

fn unusable(what: &str, version: Version, configuration: &Configuration) -> Option<Problem> {
    match &configuration.state {
        State::Active | State::Pending => None,
        State::Inactive => Some(
            Problem::new(format!("{what}, {version}, is Inactive: it would fail its first calls"))
                .hint("invoke it once, then try again")
                .command(format!("aws lambda invoke --function-name {} /dev/null", configuration.arn)),
        ),
        State::Failed(why) => Some(Problem::new(format!("{what}, {version}, is Failed: {why}"))),
    }
}

/// What to do about two versions that cannot share an alias.
fn split(text: String) -> Problem {
    Problem::new(text).hint("keep the role and the queue and change what they permit, or move the alias by hand, all at once")
}

/// The stack that the function belongs to: its tool resets the alias on its next deploy, whatever a rollout had reached by then.
pub(crate) async fn managed<C: Cloud>(cloud: &C, stable: Option<&Configuration>) -> Result<Option<String>, CloudError> {
    let Some((function, _)) = stable.and_then(|stable| stable.arn.rsplit_once(':')) else { return Ok(None) };
    Ok(cloud.tags(function).await?.remove(STACK))
}

/// The name of the stack that a function belongs to.
///
/// # Errors
/// There is no such function, or it may not be read.
pub async fn managed_by<C: Cloud>(cloud: &C, function: &FunctionName) -> Result<Option<String>, CloudError> {
    let configuration = cloud.configuration(function, None).await?;
    // `$LATEST` is read without a qualifier, so that this is its ARN.
    Ok(cloud.tags(configuration.arn.trim_end_matches(":$LATEST")).await?.remove(STACK))
}

/// The warning of a stack that a function belongs to.
pub fn resets(function: &FunctionName, stack: &str) -> String {
    format!("{function} belongs to the CloudFormation stack `{stack}`, whose next deploy resets the alias and any rollout on it")
}

pub(crate) async fn provisioned<C: Cloud>(cloud: &C, request: &Request, found: &Preflight) -> Option<Problem> {
    if request.allow_provisioned || found.alias.is_none() {
        return None;
    }
    match cloud.provisioned(&request.subject).await {
        Ok(false) => None,
        Ok(true) => Some(
            Problem::new(format!(
                "{} has provisioned concurrency: AWS writes weights of its own on it, and may refuse ours",
                request.subject
            ))
            .hint("`--allow-provisioned-concurrency` tries it all the same"),
        ),
        Err(error) => Some(Problem::new(error.to_string())),
    }
}

#[derive(Default)]
pub(crate) struct Alarms {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<String>,
    pub(crate) red: Vec<String>,
}

/// The alarms exist and are not red; red ones do not keep a process from going on with a rollout, which would bring it back.
pub(crate) async fn alarms<C: Cloud>(cloud: &C, request: &Request, plan: &Plan, goes_on: bool) -> Alarms {
    let mut out = Alarms::default();
    out.problems.extend(Box::pin(about_kept(cloud, request)).await);
    // What the alarms of the last version say is no matter; and those of the next one are not there yet.
    let of_the_candidate = |name: &&String| !request.kept.iter().any(|rule| rule.name == **name);
    let names: Vec<String> = request.alarms.iter().filter(of_the_candidate).cloned().collect();
    for AlarmRule { name, period, datapoints, .. } in &request.kept {
        out.warnings.extend(too_slow(name, *period * *datapoints, plan));
    }
    if names.is_empty() {
        return out;
    }
    let alarms = match cloud.alarms(&names, Time::default()).await {
        Ok(read) => read.answer,
        Err(error) => {
            out.problems.push(Problem::new(format!("the alarms cannot be read: {error}")));
            return out;
        }
    };
    // A gap between two looks is filled from the history: better to know now whether it may be read.
    if let Some(first) = alarms.first()
        && let Err(error) = cloud.last_red(&first.name, cloud.time()).await
        && error.failure == Failure::Denied
    {
        out.problems.push(
            Problem::new(format!("the alarms' history cannot be read: {error}"))
                .hint("cloudwatch:DescribeAlarmHistory is needed"),
        );
    }
    for name in &names {
        let Some(alarm) = alarms.iter().find(|alarm| alarm.name == *name) else {
            out.problems.push(missing_alarm(cloud, name).await);
            continue;
        };
        out.warnings.extend(alarm.fires_after.and_then(|needs| too_slow(name, needs, plan)));
        match (alarm.state, request.preexisting) {
            _ if goes_on => {}
            (AlarmState::Ok | AlarmState::InsufficientData, _) | (AlarmState::Alarm, Preexisting::Ignore) => {}
            (AlarmState::Alarm, Preexisting::Wait) => out.red.push(name.clone()),
            (AlarmState::Alarm, Preexisting::Fail) => out.problems.push(
                Problem::new(format!(
                    "alarm `{name}` is in ALARM since {}, before anything began: {}",
                    alarm.since, alarm.reason
                ))
                .hint("`--preexisting-alarm ignore` begins all the same, `wait` waits until it is green"),
            ),
        }
    }
    out
}

/// An alarm that needs more time than there is watches nothing.
fn too_slow(name: &str, needs: Duration, plan: &Plan) -> Option<String> {
    let lasts = plan.duration();
    let told = humantime::format_duration;
    (needs > lasts).then(|| {
        format!(
            "alarm `{name}` goes off after {} of trouble at the soonest, and the rollout with its bake lasts {}: it is over before; \
             a shorter period, or a longer `--bake`, lets it see something",
            told(needs),
            told(lasts)
        )
    })
}

/// Says where an alarm is missing, and which one may be meant.
async fn missing_alarm<C: Cloud>(cloud: &C, name: &str) -> Problem {
    let problem = Problem::new(format!("alarm `{name}` does not exist in {}", cloud.region()));
    let prefix: String = name.chars().take(3).collect();
    let names = cloud.alarm_names(&prefix).await.unwrap_or_default();
    let alike = names.iter().map(|found| (strsim::damerau_levenshtein(found, name), found)).min();
    match alike.filter(|(distance, _)| *distance <= 3) {
        Some((_, found)) => problem.hint(format!("did you mean `{found}`?")),
        None => problem.hint("names are case-sensitive; is this the right Region?"),
    }
}

/// Whether a hook could be asked. A URL has no question that changes nothing: what it answers shows when it counts.
pub(crate) async fn hook<C: Cloud>(cloud: &C, hook: Option<&HookTarget>) -> Option<Problem> {
    let HookTarget::Function(function) = hook? else { return None };
    let error = cloud.invocable(function).await.err()?;
    let problem = Problem::new(format!("hook `{}` cannot be invoked: {error}", hook?));
    Some(if error.failure == Failure::Denied { problem.hint("lambda:InvokeFunction on it is needed") } else { problem })
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<String>,
    pub(crate) usual: Reference,
    /// Calls may not be counted, and nobody asked for it.
    pub(crate) denied: bool,
}

/// What the alias was used to in the hour before the rollout, and whether calls may be counted at all.
pub(crate) async fn counts<C: Cloud>(cloud: &C, request: &Request, alias: Option<&Alias>, began: Time) -> Counts {
    let mut out = Counts::default();
    // A first deployment has nothing to compare with.
    let Some(alias) = alias.filter(|_| request.analysis.mode != Mode::Off) else { return out };
    let found = standing(alias);
    let start = found.live().map_or(began, |note| note.begun);
    match cloud.usual(&request.subject, start - PAST, start, PAST).await {
        // An hour that does not begin on the hour may come in two parts, of which the larger one's percentiles mean more.
        Ok(parts) => {
            let sum = |of: fn(&Usual) -> f64| parts.iter().map(of).fold(0.0, |sum, part| sum + part);
            let (calls, errors) = (sum(|part| part.calls), sum(|part| part.errors));
            let largest = parts.iter().copied().max_by(|one, other| one.calls.total_cmp(&other.calls));
            out.usual = Some(Usual { calls, errors, ..largest.unwrap_or_default() });
        }
        Err(error) if error.failure == Failure::Denied && request.analysis_asked => {
            let problem = Problem::new(format!("the calls of the versions cannot be counted: {error}"));
            out.problems.push(problem.hint("cloudwatch:GetMetricData is needed; `--analysis off` does without"));
        }
        Err(error) if error.failure == Failure::Denied => {
            out.denied = true;
            out.warnings.push(
                "the versions are not compared: cloudwatch:GetMetricData is not permitted; a bad version is noticed by alarms and hooks alone"
                    .to_owned(),
            );
        }
        // It passes, or counting later shows that it does not.
        Err(error) => out.warnings.push(format!("what the alias is used to could not be read, so nothing is expected: {error}")),
    }
    out
}

/// Slow calls cannot be told without knowing what was slow before.
pub(crate) fn slowness(request: &Request, plan: &Plan, usual: &Reference) -> Option<Problem> {
    let enforced = request.analysis.latency == Latency::Enforce && plan.comparing() != Mode::Off && plan.stable.is_some();
    if !enforced || limits(plan, usual).is_some() {
        return None;
    }
    let calls = usual.as_ref().map_or_else(|| "could not be read".to_owned(), |usual| format!("had {:.0} calls", usual.timed));
    let text = format!("what is slow cannot be told: the hour before {calls}, and 100 are needed");
    Some(Problem::new(text).hint("`--analysis latency=report` goes on without acting on it"))
}

/// The warning that hardly anything can be seen, where that is known beforehand.
pub(crate) fn low_power(plan: &Plan, usual: &Reference) -> Option<String> {
    let expected = expected_calls(plan, usual).filter(|expected| *expected < FEW && plan.comparing() != Mode::Off)?;
    if plan.schedule.len() == 1 {
        let text = "both versions never have calls at the same time, so that only one that answers nothing at all can be seen";
        return Some(format!("{}: {text}", plan.schedule));
    }
    Some(format!(
        "about {expected:.0} calls of the new version are expected while both have some: only one that fails nearly always can be \
         seen; `--min-requests` waits for calls, `--on-low-traffic probe` sends some"
    ))
}

/// Saved events are sent to the function itself, which takes the same permission as a hook does.
pub(crate) async fn probe<C: Cloud>(cloud: &C, request: &Request, stable: Option<Version>) -> Option<Problem> {
    let OnLowTraffic::Probe(_) = request.analysis.on_low_traffic else { return None };
    // By number, as the candidate will be.
    let qualifier = stable.map(|stable| stable.to_string());
    let function = Qualified { function: request.subject.function.clone(), qualifier };
    let error = cloud.invocable(&function).await.err()?;
    let problem = Problem::new(format!("saved events cannot be sent to {}: {error}", request.subject.function));
    Some(if error.failure == Failure::Denied { problem.hint("lambda:InvokeFunction on it is needed") } else { problem })
}

/// The calls below which only a dead canary can be seen.
const FEW: f64 = 30.0;

/// The tag that CloudFormation puts on what belongs to a stack.
const STACK: &str = "aws:cloudformation:stack-name";
