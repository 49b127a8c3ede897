//! Is an error AWS' own? Only one with AWS' own code is; everything else is said by something in between: a proxy, a load balancer,
//! a page to log in at.
//!
//! What is not AWS' own says nothing about what was asked for: a read is tried again, and what became of a write is not known.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use http::StatusCode;

/// Whether AWS can have given this code with this status.
///
/// AWS' codes are words in camel case: `ResourceNotFoundException`, `Throttling.User`. One that only repeats the status in words
/// (`NotFound` with 404), a number or a phrase is something else's.
pub(crate) fn is_own(code: &str, status: u16) -> bool {
    let shaped = code.starts_with(|letter: char| letter.is_ascii_uppercase())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        && code.bytes().any(|byte| byte.is_ascii_lowercase());
    shaped && !repeats(code, status)
}

fn repeats(code: &str, status: u16) -> bool {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let letters = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    letters(reason).eq_ignore_ascii_case(code.strip_suffix("Error").unwrap_or(code))
}

/// Has a read tried again whose answer is not AWS' own. What is sent once is sent once all the same.
#[derive(Debug)]
pub(crate) struct Foreign;

impl ClassifyRetry for Foreign {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let (Some(Err(_)), Some(response)) = (context.output_or_error(), context.response()) else {
            return RetryAction::NoActionIndicated;
        };
        let body = response.body().bytes().unwrap_or_default();
        let says = |mark: &str| body.windows(mark.len()).any(|part| part == mark.as_bytes());
        let own = !response.status().is_success()
            && (response.headers().get("x-amzn-errortype").is_some() || CODES.into_iter().any(says));
        if own { RetryAction::NoActionIndicated } else { RetryAction::transient_error() }
    }

    fn name(&self) -> &'static str {
        "answers that are not AWS' own"
    }
}

/// How JSON, CBOR and XML name the code of an error.
const CODES: [&str; 3] = ["__type", "\"code\"", "<Code>"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_one_that_aws_can_have_given() {
        for (code, status) in [
            ("ResourceNotFoundException", 404),
            ("AccessDenied", 403),
            ("Throttling.User", 400),
            ("ValidationError", 400),
            ("InvalidParameterValue", 400),
            ("KMSAccessDeniedException", 502),
        ] {
            assert!(is_own(code, status), "{code}");
        }
        for (code, status) in [
            ("", 404),
            ("404", 404),
            ("NotFound", 404),
            ("NotFoundError", 404),
            ("Not Found", 404),
            ("NOT_FOUND", 404),
            ("not_found", 404),
            ("Forbidden", 403),
            ("BadRequest", 400),
            ("PayloadTooLarge", 413),
            ("ERR_ACCESS_DENIED", 403),
            ("<html>", 403),
        ] {
            assert!(!is_own(code, status), "{code}");
        }
    }
}
