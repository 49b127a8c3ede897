//! Can the version to roll back to and the one to roll out share an alias, and is this command for what is in progress?

use rollout::arn::unqualified;
use rollout::note::NoteParse;
use rollout::plan::Entry;
use rollout::target::Subject;
use rollout::{Cause, Version};

use super::callers::unseen;
use super::problem::{Preflight, Problem, unreadable};
use crate::alias_stack::{OwningStack, ReadTemplate};
use crate::port::{Call, Cloud, CloudError, Code, Configuration, State, Update};
use crate::request::{Request, fingerprint};

#[derive(Default)]
pub(crate) struct Versions {
    pub(crate) stable: Option<Configuration>,
    /// The version to roll out, or `$LATEST`, where it was looked at.
    pub(crate) candidate: Option<Configuration>,
    pub(crate) nothing_to_do: bool,
    pub(crate) problems: Vec<Problem>,
    /// That this command is for something else than what is in progress: binding whatever else there is.
    pub(crate) mismatch: Option<Problem>,
}

/// The version to roll back to, and what is to be rolled out.
pub(crate) async fn versions<C: Cloud>(cloud: &C, request: &Request, found: &Preflight) -> Versions {
    let function = &request.subject.function;
    let mut out = Versions::default();
    if let Some(stable) = found.plan.stable {
        match cloud.configuration(function, Some(stable)).await {
            Ok(configuration) => {
                out.problems.extend(unusable(Part::Stable, stable, &configuration));
                out.stable = Some(configuration);
            }
            Err(error) => {
                out.problems.push(Problem::new(format!("{}, {stable}, cannot be read: {error}", Part::Stable.named())));
            }
        }
    }
    if found.pins {
        match cloud.configuration(function, None).await {
            Ok(latest) => out.stable = Some(latest),
            Err(error) => out.problems.push(Problem::new(format!("`$LATEST` cannot be read: {error}"))),
        }
    }
    let resumes =
        found.resumes.as_ref().and_then(|note| note.candidate.map(|candidate| (format!("rollout {}", note.id), candidate)));
    let adopts =
        if let Entry::Adopt(version) = found.plan.entry { Some(("the rollout to adopt".to_owned(), version)) } else { None };
    match (resumes.or(adopts), request.version) {
        (Some((what, candidate)), version) => {
            out.mismatch = continued(cloud, request, &what, candidate, version).await;
            let adopts = matches!(found.plan.entry, Entry::Adopt(_));
            let rejected = rejects(found, candidate).filter(|_| adopts && !request.again);
            out.problems.extend(rejected.map(|cause| rejected_before(candidate, cause)));
        }
        (None, _) if found.resumes.is_some() => {}
        (None, Some(version)) => by_number(cloud, request, found, version, &mut out).await,
        (None, None) => {
            let known = out.stable.clone().filter(|_| found.pins);
            out.candidate = if known.is_some() { known } else { cloud.configuration(function, None).await.ok() };
            let latest = out.candidate.as_ref();
            out.problems.extend(latest.and_then(|latest| to_publish(request, latest, out.stable.as_ref())));
        }
    }
    out
}

/// What `$LATEST` is, before it is published: a failed update or another role would only be found after the claim.
fn to_publish(request: &Request, latest: &Configuration, stable: Option<&Configuration>) -> Option<Problem> {
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
            let text = format!("{version} is already stable, but another rollout is in progress");
            out.problems.push(Problem::new(text).hint(format!("`canaryctl rollback {}` ends that rollout", request.subject)));
        }
        return;
    }
    match cloud.configuration(&request.subject.function, Some(version)).await {
        Ok(configuration) => {
            out.problems.extend(unusable(Part::Candidate, version, &configuration));
            let differs = out.stable.as_ref().and_then(|stable| configuration.facts().incompatible(&stable.facts()));
            out.problems.extend(differs.map(split));
            out.candidate = Some(configuration);
        }
        Err(error) => {
            let list = format!("aws lambda list-versions-by-function --function-name {}", request.subject.function.reference());
            let problem = Problem::new(format!("{}, {version}, cannot be read: {error}", Part::Candidate.named()));
            out.problems.push(problem.hint(format!("`{list}` lists the existing versions")));
        }
    }
    let rejected = rejects(found, version).filter(|_| !request.again);
    out.problems.extend(rejected.map(|cause| rejected_before(version, cause)));
}

/// Why the note on the alias, whatever else it says, rejects a version.
fn rejects(found: &Preflight, version: Version) -> Option<Cause> {
    let NoteParse::Note(note) = found.alias.as_ref()?.noted() else { return None };
    note.rejected.iter().find(|rejected| rejected.version == version).map(|rejected| rejected.cause)
}

pub(crate) fn rejected_before(version: Version, cause: Cause) -> Problem {
    Problem::new(format!("{version} was rejected before: {}", cause.phrase()))
        .hint("roll out a fixed version, or this one with `--again`")
}

/// A rollout that is resumed is of the version that this command would roll out, or it is another one.
async fn continued<C: Cloud>(
    cloud: &C,
    request: &Request,
    what: &str,
    candidate: Version,
    version: Option<Version>,
) -> Option<Problem> {
    let other = |but: String| {
        let text = format!("{what} rolls out {candidate}, but {but}");
        Some(
            Problem::new(text)
                .hint(format!("`--version {candidate}` resumes it, `--supersede` starts a new rollout in its place")),
        )
    };
    if let Some(version) = version {
        return if version == candidate { None } else { other(format!("`--version` is {version}")) };
    }
    let published = cloud.configuration(&request.subject.function, Some(candidate)).await.ok()?;
    let theirs = published.code_sha256;
    match &request.code {
        // The hash of an image is not its URI's.
        Some(Code::Image(_)) => None,
        Some(code) if fingerprint(code) == theirs => None,
        Some(_) => other("the given package has other code".to_owned()),
        None => match cloud.configuration(&request.subject.function, None).await {
            Ok(latest) if latest.code_sha256 != theirs => other("`$LATEST` now has other code".to_owned()),
            Ok(latest) if latest.frozen != published.frozen => other("`$LATEST` now has other settings".to_owned()),
            Ok(_) => None,
            Err(error) => Some(unreadable(&error)),
        },
    }
}

/// What a version is to the rollout.
#[derive(Clone, Copy)]
enum Part {
    Stable,
    Candidate,
}

impl Part {
    fn named(self) -> &'static str {
        match self {
            Self::Stable => "the stable version",
            Self::Candidate => "the version to roll out",
        }
    }
}

fn unusable(part: Part, version: Version, configuration: &Configuration) -> Option<Problem> {
    let what = part.named();
    match &configuration.state {
        State::Active | State::Pending => None,
        State::Inactive => Some(
            Problem::new(format!("{what}, {version}, is Inactive: its first invocations would fail"))
                .hint("invoke it once, then try again")
                .command(format!("aws lambda invoke --function-name {} /dev/null", configuration.arn)),
        ),
        State::Failed(why) => {
            let problem = Problem::new(format!("{what}, {version}, is Failed: {why}"));
            let anew =
                "a version never changes: change what failed in the code or the settings, then roll out without `--version`";
            Some(match part {
                Part::Candidate => problem.hint(anew),
                Part::Stable => problem,
            })
        }
    }
}

/// Adds what is wrong with the version that was published last. Where nothing has changed since, publishing gives it again.
///
/// For a plan and for the doctor: it takes a call for every 50 versions that there are.
pub async fn last_version<C: Cloud>(cloud: &C, request: &Request, found: &mut Preflight) {
    let publishes = request.version.is_none() && matches!(found.plan.entry, Entry::Fresh | Entry::Supersede(_));
    if !found.read || found.lease_holder.is_some() || !publishes {
        return;
    }
    if let Err((call, error)) = judge_last(cloud, request, found).await {
        found.callers.unseen.push(unseen("the version that was published last", call, &error));
    }
}

/// Whether the version published last is Failed or was rejected, which matters most where publishing would give it again.
async fn judge_last<C: Cloud>(cloud: &C, request: &Request, found: &mut Preflight) -> Result<(), (Call, CloudError)> {
    let function = &request.subject.function;
    let versions = cloud.versions(function).await.map_err(|error| (Call::ListVersionsByFunction, error))?;
    let Some(last) = versions.last().copied().filter(|last| Some(*last) != found.plan.stable) else { return Ok(()) };
    let read =
        async |version| cloud.configuration(function, version).await.map_err(|error| (Call::GetFunctionConfiguration, error));
    let published = read(Some(last)).await?;
    let rejected = rejects(found, last).filter(|_| !request.again);
    let failed = if let State::Failed(why) = &published.state { Some(why) } else { None };
    if rejected.is_none() && failed.is_none() {
        return Ok(());
    }
    let latest = read(None).await?;
    let made_of = |of: &Configuration| (of.code_sha256.clone(), of.role.clone(), of.dead_letter.clone(), of.frozen.clone());
    let unchanged = request.code.is_none() && made_of(&published) == made_of(&latest);
    if let Some(why) = failed {
        let text = format!("the version published last, {last}, is Failed: {why}");
        if unchanged {
            let text = format!("{text}; nothing has changed since, so that publishing gives it again");
            found.problems.push(Problem::new(text).hint("change what failed in the code or the settings"));
        } else {
            found.warnings.push(text);
        }
    } else if unchanged && let Some(cause) = rejected {
        let Problem { text, hint, command } = rejected_before(last, cause);
        found.problems.push(Problem {
            text: format!("`$LATEST` has not changed since it was published as {last}: {text}"),
            hint,
            command,
        });
    }
    Ok(())
}

/// What to do about two versions that cannot share an alias.
fn split(text: String) -> Problem {
    Problem::new(text)
        .hint("keep the execution role and the dead-letter queue of the stable version and change their permissions instead, or update the alias manually, all at once")
}

/// The stack that the function belongs to. Whether its tool moves the alias on its next deploy, whatever a rollout has reached by then, is
/// not known yet.
pub(crate) async fn owning_stack<C: Cloud>(cloud: &C, stable: Option<&Configuration>) -> Result<Option<OwningStack>, CloudError> {
    let Some(stable) = stable else { return Ok(None) };
    Ok(cloud.tags(unqualified(&stable.arn)).await?.remove(STACK).map(OwningStack::named))
}

/// Adds whether a deploy of the stack that has the alias moves it, where the function belongs to a stack: two calls to CloudFormation, and
/// with `nested` a third one, which finds the stack that this one is nested in.
pub async fn judge_stack<C: Cloud>(cloud: &C, request: &Request, found: &mut Preflight, nested: bool) {
    if let (Some(stack), Some(stable)) = (&mut found.stack, &found.stable) {
        stack.look(cloud, &request.subject.alias, &stable.arn, request.read_template, nested).await;
    }
}

/// The warning of the stack that a function belongs to, where a deploy of it moves the alias, may, or it is not known.
///
/// # Errors
/// There is no such function, or it may not be read.
pub async fn stack_warning<C: Cloud>(cloud: &C, subject: &Subject, read: ReadTemplate) -> Result<Option<String>, CloudError> {
    let configuration = cloud.configuration(&subject.function, None).await?;
    let Some(mut stack) = owning_stack(cloud, Some(&configuration)).await? else { return Ok(None) };
    stack.look(cloud, &subject.alias, &configuration.arn, read, false).await;
    Ok(stack.warning(subject))
}

/// The tag that CloudFormation puts on what belongs to a stack.
const STACK: &str = "aws:cloudformation:stack-name";
