//! Could hooks be asked, and test events be sent? Nothing is run.

use rollout::Version;
use rollout::hook::HookTarget;
use rollout::plan::OnLowTraffic;
use rollout::target::Qualified;

use super::problem::Problem;
use crate::port::{Call, Cloud, CloudError};
use crate::request::Request;

/// Whether a hook could be asked. A URL has no question that changes nothing: what it answers shows when it counts.
pub(crate) async fn hook<C: Cloud>(cloud: &C, hook: Option<&HookTarget>) -> Option<Problem> {
    let HookTarget::Function(function) = hook? else { return None };
    let error = cloud.invocable(function).await.err()?;
    Some(not_invocable(hook?, &error))
}

fn not_invocable(hook: &HookTarget, error: &CloudError) -> Problem {
    let problem = refused(format!("hook `{hook}` cannot be invoked: {error}"), error);
    // An empty event is refused for one reason: the function wants to know for which tenant it is.
    let tenants = error.code.as_deref() == Some("InvalidParameterValueException");
    if tenants { problem.hint("a function that isolates tenants cannot be a hook: hooks get no tenant id") } else { problem }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Failure;

    #[test]
    fn a_refusal_says_what_to_do_by_its_code() {
        for (failure, code, hint) in [
            (Failure::Invalid, "InvalidParameterValueException", "hooks get no tenant id"),
            (Failure::Denied, "AccessDeniedException", "lambda:InvokeFunction on it is needed"),
            (Failure::NotFound, "ResourceNotFoundException", ""),
        ] {
            // Whatever words AWS chooses.
            let error = CloudError { failure, operation: Call::Invoke.name(), message: "no".into(), code: Some(code.into()) };
            let problem = not_invocable(&"check".parse().unwrap(), &error);
            assert_eq!(problem.hint.is_some(), !hint.is_empty(), "{code}");
            assert!(problem.hint.unwrap_or_default().contains(hint), "{code}");
        }
    }
}
