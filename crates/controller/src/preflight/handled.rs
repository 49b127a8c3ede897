//! Would anybody see failures that the function handles itself? Answers with status 500 are none to Lambda, and to those who called over
//! HTTP they are.

use std::time::Duration;

use rollout::format::grouped;
use rollout::plan::{Mode, Plan};
use rollout::target::{Qualified, Subject};

use super::callers::{is_on, statements};
use crate::expectation::{Reference, whole};

use crate::port::{Clock, Cloud, FunctionUrl};

/// The invocations of an hour in which one in a few hundred would have failed.
const MANY: f64 = 1_000.0;

/// How long to ask who calls the alias: nothing depends on it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The services that call a function for somebody who asks over HTTP, by their principals.
const HTTP: [(&str, &str); 3] = [
    ("apigateway.amazonaws.com", "API Gateway"),
    ("elasticloadbalancing.amazonaws.com", "a load balancer"),
    ("appsync.amazonaws.com", "AppSync"),
];

/// What cannot be seen of a rollout that compares nothing but Lambda's own errors: where the alias is called over HTTP, and has not had
/// one error in many invocations. AWS is asked for the alias' policy only then.
pub(crate) async fn handled<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    (subject, plan, baseline): (&Subject, &Plan, &Reference),
    urls: &[FunctionUrl],
) -> Option<String> {
    let blind = plan.comparing() != Mode::Off && plan.stable.is_some() && plan.signals.is_empty() && plan.checks.is_empty();
    let calls = baseline.as_ref().filter(|past| blind && past.calls >= MANY && past.errors <= 0.0)?.calls;
    let called_by = if urls.iter().any(|url| is_on(subject, &url.function)) {
        "a function URL"
    } else {
        tokio::select! {
            biased;
            found = service(cloud, subject) => found?,
            () = clock.sleep(PATIENCE) => return None,
        }
    };
    let calls = grouped(whole(calls));
    Some(format!(
        "FAILURES THAT THE FUNCTION HANDLES ITSELF CANNOT BE SEEN: {called_by} calls {subject}, and Lambda counted no error in {calls} \
         invocations; an answer with status 500 is none. To see them: `--signal` on a metric with the version as a dimension, \
         `--signal '5xx=logs:status >= 500'` on its log, or `--check` with your own monitoring"
    ))
}

async fn service<C: Cloud>(cloud: &C, subject: &Subject) -> Option<&'static str> {
    let alias = Qualified { function: subject.function.clone(), qualifier: Some(subject.alias.clone()) };
    let statements = statements(&cloud.policy(&alias).await.ok()??).ok()?;
    let lets = |principal: &str| statements.iter().any(|statement| statement.principals.iter().any(|known| known == principal));
    HTTP.into_iter().find(|(principal, _)| lets(principal)).map(|(_, name)| name)
}
