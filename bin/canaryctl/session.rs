//! Which AWS, which clock? The real ones, or the simulated ones in their places; everything else is the same.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use aws::{AccessKey, Aws, ClientOverrides, Settings, SharedAsyncSleep, SharedTimeSource, connect};
use controller::Identity;
use controller::port::{Clock, CloudError};
use rollout::Time;
use rollout::note::{Owner, RolloutId};
use rollout::plan::hash32;
use rollout::target::{Place, Subject};
use sim::{Account, Scenario, SimClock};

use crate::cli::common::Common;
use crate::error::Failure;

/// AWS as this process is to see it.
pub(crate) struct Session {
    pub(crate) aws: Aws,
    pub(crate) clock: RuntimeClock,
}

/// The clock that the controller sleeps by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RuntimeClock {
    Real,
    Simulated(SimClock),
}

impl Clock for RuntimeClock {
    async fn sleep(&self, span: Duration) {
        match self {
            Self::Real => tokio::time::sleep(span).await,
            Self::Simulated(clock) => clock.sleep(span).await,
        }
    }
}

impl RuntimeClock {
    /// The time for whoever only draws it.
    pub(crate) fn now(self) -> Time {
        let now = match self {
            Self::Real => SystemTime::now(),
            Self::Simulated(clock) => clock.now(),
        };
        let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Time::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The story that `--simulate` names.
pub(crate) fn scenario(common: &Common) -> Result<Option<Scenario>, Failure> {
    let Some(name) = &common.simulate else { return Ok(None) };
    let known = || Scenario::names().collect::<Vec<_>>().join(", ");
    Scenario::named(name)
        .map(Some)
        .ok_or_else(|| Failure::usage(format!("there is no story `{name}`\n  hint: the stories are {}", known())))
}

/// The function and alias that are meant, filled from the story where they were left out.
pub(crate) fn subject(function: Option<&str>, common: &Common, scenario: Option<Scenario>) -> Result<Subject, Failure> {
    let told = scenario.map(Scenario::defaults);
    let function = function.or(told.map(|told| told.function)).unwrap_or_default();
    let names_alias = function.parse::<rollout::target::Qualified>().is_ok_and(|named| named.qualifier.is_some());
    let alias = common.alias.as_deref().or(told.map(|told| told.alias).filter(|_| !names_alias));
    Subject::parse(function, alias).map_err(|error| Failure::usage(error.to_string()))
}

/// Connects to AWS, or puts the story's account in its place. The Region is the function's own, where that was said; else the one on
/// the command line, or the project's.
pub(crate) async fn wire(
    common: &Common,
    place: Option<&Place>,
    project: Option<String>,
    scenario: Option<Scenario>,
) -> Result<Session, Failure> {
    // A Region in an ARN is meant; what the profile says would be somewhere else.
    let region = place.map(|place| place.region.clone()).or_else(|| common.region.clone()).or(project);
    let endpoint_url = common.endpoint_url.clone();
    let settings = Settings {
        profile: common.profile.clone(),
        region,
        otherwise: common.anywhere.then(|| ANYWHERE.to_owned()),
        endpoint_url,
        credentials_end: credentials_end(common),
    };
    let Some(story) = scenario else {
        return Ok(Session {
            aws: connect(settings, ClientOverrides::default()).await.map_err(unset)?,
            clock: RuntimeClock::Real,
        });
    };
    let clock = SimClock::new(SystemTime::now(), common.speed);
    let account = Account::new(story.build(seed(), clock.now()), clock);
    let seams = ClientOverrides {
        http_client: Some(account.http_client()),
        time_source: Some(SharedTimeSource::new(clock)),
        sleep: Some(SharedAsyncSleep::new(clock)),
        credentials: Some(AccessKey { id: "SIMULATED".to_owned(), secret: "none".to_owned() }),
    };
    let settings = Settings { region: Some("us-east-1".to_owned()), ..Settings::default() };
    Ok(Session { aws: connect(settings, seams).await.map_err(unset)?, clock: RuntimeClock::Simulated(clock) })
}

/// The Region that stands for none.
pub(crate) const ANYWHERE: &str = "anywhere";

/// A setting that is missing or makes no sense.
fn unset(error: CloudError) -> Failure {
    Failure::usage(error.message)
}

/// A story is told anew every time.
fn seed() -> u64 {
    fastrand::u64(..)
}

/// A new rollout's identity, and this process'. In a CI job the id is the job's, so that its clean-up step finds it again.
pub(crate) fn identity(subject: &impl Display) -> Identity {
    let id = job(subject).unwrap_or_else(|| RolloutId(fastrand::u32(..)));
    Identity { id, owner: Owner::from_random(fastrand::u32(..)) }
}

/// What several functions that are rolled out as one are called together, whichever they are: so that the clean-up step of a job need
/// not say it again.
pub(crate) const SEVERAL: &str = "several functions";

/// The id of what this CI job rolls out on this alias, or on these; `None` outside of CI.
pub(crate) fn job(subject: &impl Display) -> Option<RolloutId> {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    let names = JOBS.iter().find(|names| names.iter().all(|name| set(name)))?;
    let values: Vec<String> = names.iter().map(|name| std::env::var(name).unwrap_or_default()).collect();
    Some(RolloutId(hash32(format!("{} {subject}", values.join(" ")).as_bytes())))
}

/// What tells one job of a CI system from any other, the attempts of one and the same not from each other.
const JOBS: [&[&str]; 3] = [
    &["GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_JOB"],
    &["CI_PROJECT_PATH", "CI_PIPELINE_ID", "CI_JOB_NAME"],
    &["BUILD_TAG"],
];

/// When the credentials in the environment end, where whoever set them said so.
///
/// Nothing else tells soundly. The expiry that the SDK gives the credentials of SSO, web identity, a process, a container or an
/// instance is when it asks for new ones. Whether it will get them depends on an SSO session, on a token file that somebody may
/// write anew, or on a person beside a process: nobody knows before asking, and a rollout refused or brought back for an end that
/// never comes is worse than one that goes blind. Static keys in a profile carry no end.
fn credentials_end(common: &Common) -> Option<Time> {
    let in_use = common.profile.is_none() && std::env::var_os("AWS_ACCESS_KEY_ID").is_some();
    let end = std::env::var("AWS_CREDENTIAL_EXPIRATION").ok().filter(|_| in_use)?;
    let end = humantime::parse_rfc3339_weak(end.trim_end_matches("+00:00")).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Time::from_millis(u64::try_from(end.as_millis()).ok()?))
}
