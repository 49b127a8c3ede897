//! May this rollout begin? Looks at everything that could stop it later, changes nothing, and reports every problem at once.

use std::fmt;
use std::time::Duration;

use rollout::alias::{Contention, Standing, Target, standing};
use rollout::health::AlarmState;
use rollout::note::{self, Note, Owner, RolloutId, TEXT_LIMIT};
use rollout::plan::{Plan, Preexisting};
use rollout::{Alias, Version};

use crate::cloud::{Clock, Cloud, CloudError, Configuration, Failure, State, Update};
use crate::request::{Request, shown};

/// Something that keeps a rollout from beginning, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Problem {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n  hint: {hint}"))
    }
}

/// What the preflight found.
#[derive(Clone, Debug)]
pub struct Preflight {
    /// The plan for what was found.
    pub plan: Plan,
    /// What keeps it from beginning; nothing where it may.
    pub problems: Vec<Problem>,
    /// What is worth knowing and stops nothing.
    pub warnings: Vec<String>,
    /// Alarms that are red and that the request says to wait for.
    pub red: Vec<String>,
    /// The alias as it was read.
    pub alias: Option<Alias>,
    /// What the stable version is, where there is one.
    pub stable: Option<Configuration>,
    /// Whether the version asked for is the stable one already.
    pub nothing_to_do: bool,
}

/// How long to wait before a second look at an alias that cannot be claimed: reads can be stale.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Looks at everything a rollout needs.
pub async fn preflight<C: Cloud, K: Clock>(cloud: &C, clock: &K, request: &Request, id: RolloutId, owner: Owner) -> Preflight {
    let subject = &request.subject;
    let mut read = cloud.alias(subject).await;
    if read.as_ref().is_ok_and(|held| held.as_ref().is_some_and(|held| !matches!(standing(&held.alias), Standing::Idle(_)))) {
        clock.sleep(SECOND_LOOK).await;
        read = cloud.alias(subject).await;
    }
    let mut problems = Vec::new();
    let alias = match read {
        Ok(held) => held.map(|held| held.alias),
        Err(error) => {
            problems.push(unreadable(&error));
            None
        }
    };
    let reachable = problems.is_empty();
    let stable = alias.as_ref().and_then(|alias| alias.target.version());
    let plan = request.plan(id, owner, stable);
    let mut found =
        Preflight { plan, problems, warnings: Vec::new(), red: Vec::new(), alias, stable: None, nothing_to_do: false };
    if reachable {
        let (versions, concurrency) = tokio::join!(versions(cloud, request, &found), provisioned(cloud, request, &found));
        about_alias(cloud, request, &mut found).await;
        found.add(versions);
        found.problems.extend(concurrency);
    }
    let (alarms, pre, post) =
        tokio::join!(alarms(cloud, request), hook(cloud, request.pre_hook.as_ref()), hook(cloud, request.post_hook.as_ref()));
    found.problems.extend(alarms.problems);
    found.red = alarms.red;
    found.problems.extend(pre);
    found.problems.extend(post);
    if !found.plan.watches() {
        found.warnings.push("nothing is watched: the schedule alone moves the traffic (name an alarm with `--alarm`)".to_owned());
    }
    found
}

impl Preflight {
    fn add(&mut self, versions: Versions) {
        self.stable = versions.stable;
        self.nothing_to_do = versions.nothing_to_do;
        self.problems.extend(versions.problems);
    }
}

fn unreadable(error: &CloudError) -> Problem {
    let problem = Problem::new(error.to_string());
    match error.failure {
        Failure::NotFound => problem.hint("is this the right Region and account?"),
        Failure::Denied => problem.hint("`canaryctl` needs lambda:GetAlias and lambda:UpdateAlias on this function"),
        Failure::Unsent => problem.hint("`--region`, `--profile` or the usual environment variables say where and as whom"),
        Failure::Outdated
        | Failure::Conflict
        | Failure::Throttled
        | Failure::Invalid
        | Failure::Unanswered
        | Failure::NotExecuted => problem,
    }
}

async fn about_alias<C: Cloud>(cloud: &C, request: &Request, found: &mut Preflight) {
    let subject = &request.subject;
    let (function, name) = (subject.function.reference(), &subject.alias);
    let Some(alias) = &found.alias else {
        found.problems.extend(about_creation(cloud, request).await);
        return;
    };
    if alias.target == Target::Latest {
        let text = format!("{subject} points at $LATEST: such an alias cannot split its traffic");
        let command = format!("aws lambda update-alias --function-name {function} --name {name} --function-version <N>");
        found.problems.push(Problem::new(text).hint(format!("point it at a published version, once: `{command}`")));
    }
    let length = note::length(alias.text());
    if length > TEXT_LIMIT {
        let text = format!("the description of {subject} has {length} characters, which leaves no room for the rollout's note");
        found.problems.push(Problem::new(text).hint(format!("shorten it to {TEXT_LIMIT} characters")));
    }
    let occupied = match standing(alias) {
        Standing::Idle(_) => None,
        Standing::Foreign { version, weight } => Some(
            Problem::new(format!("{weight} of {subject} is on {version} already, and not by canaryctl"))
                .hint("another tool's rollout, or AWS moving provisioned concurrency: let it end, or clear the weights by hand"),
        ),
        Standing::Claimed(note) | Standing::Running(note) | Standing::SetByHand(note, _) => {
            Some(under_way(request, alias, &note))
        }
        Standing::ClearedByHand(note) | Standing::PromotedElsewhere(note) => Some(
            Problem::new(format!("rollout {} of {subject} was ended by hand and its note still stands", note.id))
                .hint(format!("`canaryctl status {subject}` explains it; `canaryctl rollback {subject}` ends it cleanly")),
        ),
        Standing::Contended { id, why, .. } => Some(contended(request, &id.to_string(), why)),
    };
    found.problems.extend(occupied);
}

fn under_way(request: &Request, alias: &Alias, note: &Note) -> Problem {
    let subject = &request.subject;
    let candidate = note.candidate.map_or_else(String::new, |version| format!(" of {version}"));
    let text = format!("rollout {}{candidate} is under way on {subject} since {} ({})", note.id, note.begun, alias.traffic());
    Problem::new(text).hint(format!("`canaryctl status {subject}` shows it; `canaryctl rollback {subject}` ends it"))
}

fn contended(request: &Request, id: &str, why: Contention) -> Problem {
    let subject = &request.subject;
    match why {
        Contention::NewerFormat => Problem::new(format!("rollout {id} on {subject} was written by a newer canaryctl"))
            .hint("use that version, or a later one"),
        Contention::Changed => Problem::new(format!("{subject} was changed by something else during rollout {id}"))
            .hint(format!("`canaryctl status {subject}` explains it; `canaryctl rollback {subject} --to <N>` decides it")),
    }
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

#[derive(Default)]
struct Versions {
    stable: Option<Configuration>,
    nothing_to_do: bool,
    problems: Vec<Problem>,
}

async fn versions<C: Cloud>(cloud: &C, request: &Request, found: &Preflight) -> Versions {
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
    let Some(version) = request.version else {
        if let Ok(Configuration { update: Update::Failed(why), .. }) = cloud.configuration(function, None).await
            && request.code.is_none()
        {
            out.problems
                .push(Problem::new(format!("the last update of `$LATEST` failed: {why}")).hint("deploy the function again"));
        }
        return out;
    };
    if Some(version) == found.plan.stable {
        out.nothing_to_do = true;
        return out;
    }
    match cloud.configuration(function, Some(version)).await {
        Ok(configuration) => {
            out.problems.extend(unusable("the version to roll out", version, &configuration));
            let differs = out.stable.as_ref().and_then(|stable| incompatible(stable, &configuration));
            out.problems.extend(differs.map(Problem::new));
        }
        Err(error) => {
            out.problems.push(Problem::new(format!("the version to roll out, {version}, cannot be read: {error}")));
        }
    }
    let noted = found.alias.as_ref().map(standing).and_then(|standing| standing.note().cloned());
    let rejected = noted.iter().flat_map(|note| &note.rejected).find(|rejected| rejected.version == version);
    if let Some(rejected) = rejected.filter(|_| !request.again) {
        let text = format!("{version} was rejected before: {}", rejected.cause.phrase());
        out.problems.push(Problem::new(text).hint("roll out a fixed version, or this one with `--again`"));
    }
    out
}

fn unusable(what: &str, version: Version, configuration: &Configuration) -> Option<Problem> {
    match &configuration.state {
        State::Active | State::Pending => None,
        State::Inactive => Some(Problem::new(format!("{what}, {version}, is Inactive: it would fail its first calls")).hint(
            format!("invoke it once, then try again: `aws lambda invoke --function-name {} /dev/null`", configuration.arn),
        )),
        State::Failed(why) => Some(Problem::new(format!("{what}, {version}, is Failed: {why}"))),
    }
}

/// Why two versions cannot share an alias, if they cannot: AWS wants one role and one dead-letter queue.
pub(crate) fn incompatible(stable: &Configuration, candidate: &Configuration) -> Option<String> {
    let (old, new) = (&stable.version, &candidate.version);
    if stable.role != candidate.role {
        return Some(format!(
            "{new} has another execution role than {old} ({} instead of {}): AWS lets no alias split its traffic between them",
            candidate.role, stable.role
        ));
    }
    let queue = |configuration: &Configuration| configuration.dead_letter.clone().unwrap_or_else(|| "none".to_owned());
    (stable.dead_letter != candidate.dead_letter).then(|| {
        format!(
            "{new} has another dead-letter queue than {old} ({} instead of {}): AWS lets no alias split its traffic between them",
            queue(candidate),
            queue(stable)
        )
    })
}

async fn provisioned<C: Cloud>(cloud: &C, request: &Request, found: &Preflight) -> Option<Problem> {
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
struct Alarms {
    problems: Vec<Problem>,
    red: Vec<String>,
}

async fn alarms<C: Cloud>(cloud: &C, request: &Request) -> Alarms {
    let mut out = Alarms::default();
    if request.alarms.is_empty() {
        return out;
    }
    let alarms = match cloud.alarms(&request.alarms).await {
        Ok(alarms) => alarms,
        Err(error) => {
            out.problems.push(Problem::new(format!("the alarms cannot be read: {error}")));
            return out;
        }
    };
    for name in &request.alarms {
        let Some(alarm) = alarms.iter().find(|alarm| alarm.name == *name) else {
            out.problems.push(
                Problem::new(format!("alarm `{name}` does not exist"))
                    .hint("names are case-sensitive; is this the right Region?"),
            );
            continue;
        };
        match (alarm.state, request.preexisting) {
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

async fn hook<C: Cloud>(cloud: &C, hook: Option<&rollout::subject::Qualified>) -> Option<Problem> {
    let hook = hook?;
    let error = cloud.invocable(hook).await.err()?;
    let problem = Problem::new(format!("hook `{}` cannot be invoked: {error}", shown(hook)));
    Some(if error.failure == Failure::Denied { problem.hint("lambda:InvokeFunction on it is needed") } else { problem })
}
