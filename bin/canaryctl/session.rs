//! Which AWS, which clock? The real ones, or the simulated ones in their places; everything else is the same.

use std::fmt::Display;
use std::time::SystemTime;

use aws::{Aws, ClientOverrides, Credentials, Settings, SharedAsyncSleep, SharedTimeSource, connect};
use controller::Identity;
use controller::port::CloudError;
use rollout::Time;
use rollout::note::{Owner, RolloutId};
use rollout::plan::hash32;
use rollout::target::{Place, Subject};
use sim::{Account, Scenario};

use crate::cli::common::Common;
use crate::clock::RuntimeClock;
use crate::error::Failure;

pub(crate) struct Session {
    pub(crate) aws: Aws,
    pub(crate) clock: RuntimeClock,
}

impl Session {
    /// The identity of a new rollout and of this process. In a CI job the id comes from the job, so that its clean-up step finds it again;
    /// a simulation has none, and with a seed is the same everywhere.
    pub(crate) fn identity(&self, subject: &impl Display) -> Identity {
        let job = match self.clock {
            RuntimeClock::Real => job(subject),
            RuntimeClock::Simulated(_) => None,
        };
        let id = job.unwrap_or_else(|| RolloutId(fastrand::u32(..)));
        Identity { id, owner: Owner::from_random(fastrand::u32(..)) }
    }
}

pub(crate) fn scenario(common: &Common) -> Result<Option<Scenario>, Failure> {
    let Some(name) = &common.simulate else { return Ok(None) };
    let known = || Scenario::names().collect::<Vec<_>>().join(", ");
    Scenario::named(name)
        .map(Some)
        .ok_or_else(|| Failure::usage(format!("there is no scenario `{name}`\n  hint: the scenarios are {}", known())))
}

/// The function and alias, with the scenario's where they were left out.
pub(crate) fn subject(function: Option<&str>, common: &Common) -> Result<Subject, Failure> {
    let defaults = scenario(common)?.map(Scenario::defaults);
    let function = function.or(defaults.map(|defaults| defaults.function)).unwrap_or_default();
    let names_alias = function.parse::<rollout::target::Qualified>().is_ok_and(|named| named.qualifier.is_some());
    let alias = common.alias.as_deref().or(defaults.map(|defaults| defaults.alias).filter(|_| !names_alias));
    Subject::parse(function, alias).map_err(|error| Failure::usage(error.to_string()))
}

/// Connects to AWS, or to the scenario's simulated account. The Region is the one in the function's ARN, else the one on the command
/// line, else the project's.
pub(crate) async fn wire(common: &Common, place: Option<&Place>, project: Option<String>) -> Result<Session, Failure> {
    unused(common, place)?;
    // A Region in an ARN goes before the one of the profile.
    let region = place.map(|place| place.region.clone()).or_else(|| common.region.clone()).or(project);
    let settings = Settings {
        profile: common.profile.clone(),
        region,
        otherwise: common.anywhere.then(|| ANYWHERE.to_owned()),
        endpoint_url: common.endpoint_url.clone(),
        credentials_end: credentials_end(common),
    };
    let unset = |error: CloudError| Failure::usage(error.message);
    let (Some(scenario), RuntimeClock::Simulated(clock)) = (scenario(common)?, common.clock) else {
        let aws = connect(settings, ClientOverrides::default()).await.map_err(unset)?;
        return Ok(Session { aws, clock: RuntimeClock::Real });
    };
    let account = Account::new(scenario.build(fastrand::u64(..), clock.now()), clock);
    let overrides = ClientOverrides {
        http_client: Some(account.http_client()),
        time_source: Some(SharedTimeSource::new(clock)),
        sleep: Some(SharedAsyncSleep::new(clock)),
        credentials: Some(Credentials::new("SIMULATED", "none", None, None, "simulated")),
    };
    let settings = Settings { region: Some(SIMULATED.to_owned()), ..Settings::default() };
    Ok(Session { aws: connect(settings, overrides).await.map_err(unset)?, clock: common.clock })
}

/// What was typed and would not be used is an error.
fn unused(common: &Common, place: Option<&Place>) -> Result<(), Failure> {
    let Some(typed) = &common.region else { return Ok(()) };
    let (used, whose) = match (place, &common.simulate) {
        (_, Some(_)) => (SIMULATED, "the simulation is"),
        (Some(place), None) => (place.region.as_str(), "the function's ARN is"),
        (None, None) => return Ok(()),
    };
    if typed == used {
        return Ok(());
    }
    Err(Failure::usage(format!("{whose} in {used}, but `--region` is {typed}\n  hint: omit `--region`")))
}

/// The Region of a scenario.
const SIMULATED: &str = "us-east-1";

/// The placeholder for a Region that is not known.
pub(crate) const ANYWHERE: &str = "anywhere";

/// The subject of a rollout of several functions: the same for any set of functions, so that a clean-up step does not have to repeat it.
pub(crate) const SEVERAL: &str = "several functions";

/// The id of this CI job's rollout on this alias, or of several; `None` outside of CI.
pub(crate) fn job(subject: &impl Display) -> Option<RolloutId> {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    let names = JOBS.iter().find(|names| names.iter().all(|name| set(name)))?;
    let values: Vec<String> = names.iter().map(|name| std::env::var(name).unwrap_or_default()).collect();
    Some(RolloutId(hash32(format!("{} {subject}", values.join(" ")).as_bytes())))
}

/// The variables that identify a job of a CI system; the attempts of one job have the same values.
const JOBS: [&[&str]; 3] = [
    &["GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_JOB"],
    &["CI_PROJECT_PATH", "CI_PIPELINE_ID", "CI_JOB_NAME"],
    &["BUILD_TAG"],
];

/// When the credentials in the environment expire, where the environment says so.
///
/// No other source is reliable. For SSO, web identity, processes, containers and instances the SDK's expiry is the time of the next
/// refresh, and whether that succeeds is not known before. A rollout that is refused or rolled back because of an expiry that never
/// comes is worse than one that loses its monitoring. Static keys in a profile have no expiry.
fn credentials_end(common: &Common) -> Option<Time> {
    let in_use = common.profile.is_none() && std::env::var_os("AWS_ACCESS_KEY_ID").is_some();
    let end = std::env::var("AWS_CREDENTIAL_EXPIRATION").ok().filter(|_| in_use)?;
    let end = humantime::parse_rfc3339_weak(end.trim_end_matches("+00:00")).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Time::from_millis(u64::try_from(end.as_millis()).ok()?))
}
