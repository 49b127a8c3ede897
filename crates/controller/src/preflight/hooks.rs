//! Could hooks be asked, and test events be sent? Nothing is run.

use rollout::Version;
use rollout::hook::HookTarget;
use rollout::plan::OnLowTraffic;
use rollout::target::Qualified;

use super::problem::Problem;
use crate::port::{Call, Cloud, CloudError, Failure};
use crate::request::Request;

/// Whether a hook could be asked. A URL has no question that changes nothing: what it answers shows when it counts.
pub(crate) async fn hook<C: Cloud>(cloud: &C, hook: Option<&HookTarget>) -> Option<Problem> {
    let HookTarget::Function(function) = hook? else { return None };
    let error = cloud.invocable(function).await.err()?;
    let problem = refused(format!("hook `{}` cannot be invoked: {error}", hook?), &error);
    let tenants = error.failure == Failure::Invalid && error.message.to_lowercase().contains("tenant");
    Some(if tenants {
        problem.hint("hooks get no tenant id: use a function without tenant isolation as the hook")
    } else {
        problem
    })
}

/// Saved events are sent to the function itself, which takes the same permission as a hook does.
pub(crate) async fn probe<C: Cloud>(cloud: &C, request: &Request, stable: Option<Version>) -> Option<Problem> {
    let OnLowTraffic::Probe(_) = request.analysis.on_low_traffic else { return None };
    // By number, as the candidate will be.
    let qualifier = stable.map(|stable| stable.to_string());
    let function = Qualified { function: request.subject.function.clone(), qualifier };
    let error = cloud.invocable(&function).await.err()?;
    Some(refused(format!("test events cannot be sent to {}: {error}", request.subject.function), &error))
}

fn refused(text: String, error: &CloudError) -> Problem {
    Problem::new(text).if_denied(error, format!("{} on it is needed", Call::Invoke.permission()))
}
