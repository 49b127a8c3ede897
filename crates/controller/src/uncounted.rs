//! Why is no invocation of the candidate counted? What `CloudWatch` and Lambda say of it.
//!
//! What they do not say, or not in time, is left out: nothing is decided on it.

use rollout::candidate::{State, Update};
use rollout::format::grouped;

use crate::expectation::whole;
use crate::port::{Cloud, Configuration, VersionPair};

/// What speaks for Lambda's refusing the candidate's invocations before they run; `None` where nothing does.
pub(crate) async fn reason_of_none<C: Cloud>(cloud: &C, pair: &VersionPair) -> Option<String> {
    let VersionPair { subject, candidate, from, .. } = pair;
    let function = &subject.function;
    let (refused, reserved, configuration) = tokio::join!(
        cloud.throttles(subject, *candidate, *from),
        cloud.reserved_concurrency(function),
        cloud.configuration(function, Some(*candidate)),
    );
    let refused = refused.ok().and_then(throttled);
    let reserved = matches!(reserved, Ok(Some(0))).then(|| "the function's reserved concurrency is 0".to_owned());
    let parts = refused.into_iter().chain(reserved).chain(configuration.iter().flat_map(unfit));
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn throttled((of_it, of_all): (f64, f64)) -> Option<String> {
    match (whole(of_it), whole(of_all)) {
        (0, 0) => None,
        (0, all) => Some(format!("{} invocations of the alias were throttled", grouped(all))),
        (some, _) => Some(format!("{} invocations of it were throttled", grouped(some))),
    }
}

/// What keeps a version from being run, by its configuration.
fn unfit(found: &Configuration) -> Vec<String> {
    let version = &found.version;
    let state = match &found.state {
        State::Active => None,
        State::Pending => Some(format!("{version} is Pending")),
        State::Inactive => Some(format!("{version} is Inactive")),
        State::Failed(why) => Some(format!("{version} is Failed: {why}")),
    };
    let update = match &found.update {
        Update::Successful => None,
        Update::InProgress => Some(format!("an update of {version} is in progress")),
        Update::Failed(why) => Some(format!("the last update of {version} failed: {why}")),
    };
    let key =
        found.frozen.environment.is_none().then(|| "its environment variables cannot be decrypted, check the KMS key".to_owned());
    state.into_iter().chain(update).chain(key).collect()
}
