//! What can be done about a failed call? The one place where the SDK's errors and AWS' codes become the port's failures.
//!
//! Only AWS' own codes decide; a status without one, and AWS' words, decide nothing. Where it is not certain that a request was
//! refused or never left, it counts as unanswered.

use std::error::Error;
use std::fmt::Display;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::dns::ResolveDnsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use controller::port::{Call, CloudError, Failure};

use crate::foreign::is_own;

pub(crate) fn failed<E>(operation: impl Into<&'static str>) -> impl Fn(SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let operation = operation.into();
    move |error| describe(operation, &error, by_answer)
}

/// The failure of an invocation, which AWS may also refuse for the moment.
pub(crate) fn not_invoked<E>(call: Call) -> impl Fn(SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    move |error| describe(call.name(), &error, by_answer_to_invocation)
}

/// An answer that came and cannot be read: what it was the answer to may well have been carried out.
pub(crate) fn unreadable(operation: impl Into<&'static str>, what: impl Display) -> CloudError {
    without_code(Failure::Unanswered, operation.into(), format!("unreadable response: {what}"))
}

/// A failure that AWS has no code for.
pub(crate) fn without_code(failure: Failure, operation: &'static str, message: impl Into<String>) -> CloudError {
    CloudError { failure, operation, message: message.into(), code: None }
}

fn describe<E>(operation: &'static str, error: &SdkError<E, HttpResponse>, judge: fn(&str, u16) -> Failure) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.code().filter(|code| is_own(code, status.unwrap_or_default())).map(str::to_owned);
    let failure = match error {
        SdkError::DispatchFailure(_) if error.source().is_some_and(unsigned) => Failure::Unsigned,
        SdkError::ConstructionFailure(_) => Failure::Unsent,
        SdkError::TimeoutError(_) => Failure::Unanswered,
        SdkError::DispatchFailure(dispatch) if dispatch.as_connector_error().is_some_and(never_left) => Failure::Unsent,
        SdkError::DispatchFailure(_) => Failure::Unanswered,
        SdkError::ResponseError(_) | SdkError::ServiceError(_) | _ => {
            judge(code.as_deref().unwrap_or_default(), status.unwrap_or_default())
        }
    };
    let message = match (error.message(), status) {
        (Some(message), _) if code.is_some() => message.to_owned(),
        (None, Some(status)) if code.is_some() => format!("HTTP status {status} without an explanation"),
        (said, Some(status)) if matches!(error, SdkError::ServiceError(_)) && !(200..300).contains(&status) => {
            let said = said.map_or_else(String::new, |said| format!(": {said}"));
            format!("HTTP status {status} without an AWS error code, probably from a proxy{said}")
        }
        (Some(message), _) => message.to_owned(),
        (None, Some(_)) if matches!(error, SdkError::ServiceError(_)) => "the response is not from AWS".to_owned(),
        (None, _) => explain(error),
    };
    CloudError { failure, operation, message, code }
}

/// A refusal that came with this code, which is AWS' own or none.
pub(crate) fn refused(operation: &'static str, code: &str, status: u16, message: &str) -> CloudError {
    let code = Some(code).filter(|code| is_own(code, status) || *code == NO_TOPIC).map(str::to_owned);
    let message = match (&code, message) {
        (None, _) => format!("HTTP status {status} without an AWS error code, probably from a proxy"),
        (Some(code), "") => code.clone(),
        (Some(_), message) => message.to_owned(),
    };
    let failure = if code.as_deref() == Some(NO_TOPIC) {
        Failure::NotFound
    } else {
        by_answer(code.as_deref().unwrap_or_default(), status)
    };
    CloudError { failure, operation, message, code }
}

/// A code of SNS that looks like the words of a status.
const NO_TOPIC: &str = "NotFound";

/// What AWS' refusal means. The code is empty where there was none of AWS' own.
fn by_answer(code: &str, status: u16) -> Failure {
    if code.is_empty() {
        // Who says that it was too much has passed nothing on; of everything else it is not known.
        return if status == 429 { Failure::Throttled } else { Failure::Unanswered };
    }
    // Services spell the same refusal with and without `Exception`, and put it under different statuses.
    match code.strip_suffix("Exception").unwrap_or(code) {
        "AccessDenied"
        | "AuthFailure"
        | "IncompleteSignature"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSignature"
        | "MissingAuthenticationToken"
        | "NotAuthorized"
        | "OptInRequired"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClient" => Failure::Denied,
        "RequestLimitExceeded" | "RequestThrottled" | "SlowDown" | "Throttled" | "Throttling" | "TooManyRequests" => {
            Failure::Throttled
        }
        "ExpiredToken" => Failure::Expired,
        "PreconditionFailed" => Failure::Outdated,
        "ResourceConflict" | "ResourceInUse" => Failure::Conflict,
        "ExecutionDoesNotExist" | "ProvisionedConcurrencyConfigNotFound" | "ResourceNotFound" | "StateMachineDoesNotExist" => {
            Failure::NotFound
        }
        "UnknownOperation" => Failure::Invalid,
        _ => by_status(status),
    }
}

/// What a code means that is not known here. That something is missing or outdated, only known codes say.
fn by_status(status: u16) -> Failure {
    match status {
        401 | 403 => Failure::Denied,
        // A request that came in too slowly may have come in.
        404 | 408 | 412 => Failure::Unanswered,
        409 => Failure::Conflict,
        429 => Failure::Throttled,
        400..500 => Failure::Invalid,
        _ => Failure::Unanswered,
    }
}

fn by_answer_to_invocation(code: &str, status: u16) -> Failure {
    match code.strip_suffix("Exception").unwrap_or(code) {
        // The function was not ready, or AWS had no room for it: another time it may be.
        "EC2Throttled"
        | "EC2Unexpected"
        | "EFSMountTimeout"
        | "ENILimitReached"
        | "ENINotReady"
        | "ResourceConflict"
        | "ResourceNotReady"
        | "SnapStartNotReady"
        | "SnapStartTimeout"
        | "SubnetIPAddressLimitReached" => Failure::NotExecuted,
        // Said with a status of 502, and yet about how the function is set up: it never started.
        "EC2AccessDenied"
        | "InvalidRuntime"
        | "InvalidSecurityGroupID"
        | "InvalidSubnetID"
        | "InvalidZipFile"
        | "KMSAccessDenied"
        | "KMSDisabled"
        | "KMSInvalidState"
        | "KMSNotFound" => Failure::Invalid,
        // Of what stands in between it is not known whether it has passed the invocation on.
        "" => Failure::Unanswered,
        _ if by_answer(code, status) == Failure::Throttled => Failure::NotExecuted,
        _ => by_answer(code, status),
    }
}

/// Whether it is certain that the request never left this machine.
fn never_left(error: &ConnectorError) -> bool {
    // The only time-out that connectors are given here is the one for connecting.
    error.is_user() || error.is_timeout() || causes(error).any(precedes_sending)
}

/// Whether there was nothing to sign the request with.
fn unsigned(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(<dyn Error>::is::<CredentialsError>)
}

fn precedes_sending(cause: &(dyn Error + 'static)) -> bool {
    // An unreachable network is not among them: a connection on which a request was sent can fail with that, too.
    let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    cause.is::<ResolveDnsError>() || cause.downcast_ref().is_some_and(refused)
}

/// In words, what went wrong where AWS said nothing.
fn explain<E: Error + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    let Some(source) = error.source() else { return error.to_string() };
    match causes(source).find_map(|cause| cause.downcast_ref::<CredentialsError>()) {
        Some(CredentialsError::CredentialsNotLoaded(_)) => NO_CREDENTIALS.to_owned(),
        Some(error) => no_credentials(&chain(error.source().unwrap_or(error))),
        None => with_hint(chain(source)),
    }
}

/// That there are no credentials, what to do, and why.
pub(crate) fn no_credentials(why: &str) -> String {
    format!("no AWS credentials (set AWS_PROFILE, or log in with `aws sso login`): {why}")
}

/// Certificates that are not trusted are those of a proxy, as a rule. Only the TLS library's words tell them from its other errors: its
/// own type is not one that the SDK gives away. Nothing but a hint hangs on it.
fn with_hint(said: String) -> String {
    if said.contains("certificate") { format!("{said}\n  hint: {CERTIFICATES}") } else { said }
}

/// An error and its causes on one line, each once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in causes(error).map(ToString::to_string) {
        let word = cause.trim_end_matches('.');
        // Wrappers often repeat what they wrap; one says no more than that it is one.
        if !word.is_empty() && word != "other" && !words.iter().any(|known| known.contains(word)) {
            words.push(word.to_owned());
        }
    }
    words.join(": ")
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        // Its `source` is the source of what it holds, and leaves that itself out.
        Some(error) => error.get_ref().map(|held| held as &(dyn Error + 'static)),
        None => error.source(),
    })
}

const CERTIFICATES: &str =
    "where a proxy inspects TLS, set AWS_CA_BUNDLE (or `ca_bundle` in the profile, or SSL_CERT_FILE) to a file with its CA";

const NO_CREDENTIALS: &str =
    "no AWS credentials were found\n  hint: set `--profile`, AWS_PROFILE, or AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY";

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_lambda::operation::update_alias::UpdateAliasError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;
    use aws_smithy_types::error::metadata::Builder;

    type Failed = SdkError<UpdateAliasError, HttpResponse>;

    fn response(status: u16) -> HttpResponse {
        HttpResponse::new(status.try_into().unwrap(), SdkBody::empty())
    }

    fn answered(status: u16, code: Option<&str>, message: Option<&str>) -> Failed {
        let metadata = code.into_iter().fold(ErrorMetadata::builder(), Builder::code);
        let metadata = message.into_iter().fold(metadata, Builder::message);
        SdkError::service_error(UpdateAliasError::generic(metadata.build()), response(status))
    }

    #[test]
    fn refusals_of_a_call() {
        let rows = [
            (404, "ResourceNotFoundException", Failure::NotFound),
            (404, "ProvisionedConcurrencyConfigNotFoundException", Failure::NotFound),
            (412, "PreconditionFailedException", Failure::Outdated),
            (409, "ResourceConflictException", Failure::Conflict),
            (429, "TooManyRequestsException", Failure::Throttled),
            (400, "Throttling", Failure::Throttled),
            (400, "ThrottlingException", Failure::Throttled),
            (503, "SlowDown", Failure::Throttled),
            (403, "AccessDeniedException", Failure::Denied),
            (400, "AccessDenied", Failure::Denied),
            (403, "UnrecognizedClientException", Failure::Denied),
            (403, "ExpiredTokenException", Failure::Expired),
            (400, "ExpiredToken", Failure::Expired),
            (403, "InvalidSignatureException", Failure::Denied),
            (400, "InvalidParameterValueException", Failure::Invalid),
            (400, "ValidationException", Failure::Invalid),
            (400, "CodeStorageExceededException", Failure::Invalid),
            (413, "RequestTooLargeException", Failure::Invalid),
            (404, "UnknownOperationException", Failure::Invalid),
            (500, "ServiceException", Failure::Unanswered),
            (503, "ServiceUnavailableException", Failure::Unanswered),
            (500, "InternalServiceFault", Failure::Unanswered),
        ];
        for (status, code, failure) in rows {
            let error = failed("UpdateAlias")(answered(status, Some(code), Some("why")));
            assert_eq!((error.failure, error.code.as_deref()), (failure, Some(code)), "{code}");
            assert_eq!(error.to_string(), format!("UpdateAlias: {code}: why"));
        }
    }

    #[test]
    fn answers_of_something_in_between_say_nothing_about_what_was_asked_for() {
        for status in [302, 400, 401, 403, 404, 407, 408, 409, 412, 413, 429, 502, 504] {
            let failure = if status == 429 { Failure::Throttled } else { Failure::Unanswered };
            for (code, message) in [(None, None), (Some("NOT_FOUND"), Some("no route")), (Some("404"), None)] {
                let error = failed("UpdateAlias")(answered(status, code, message));
                assert_eq!((error.failure, error.code), (failure, None), "{status}");
                let said = format!("HTTP status {status} without an AWS error code, probably from a proxy");
                assert!(error.message.starts_with(&said), "{}", error.message);
            }
        }
        for (status, code) in [(404, "NotFound"), (403, "Forbidden"), (400, "BadRequest"), (409, "Conflict")] {
            assert_eq!(failed("UpdateAlias")(answered(status, Some(code), None)).failure, Failure::Unanswered, "{code}");
        }
        // That something is missing or outdated, only the codes say that are known for it.
        for (status, code) in [(404, "RouteNotFoundException"), (412, "SomethingFailedException")] {
            assert_eq!(failed("UpdateAlias")(answered(status, Some(code), None)).failure, Failure::Unanswered, "{code}");
        }
        // A success that cannot be parsed was carried out all the same, or may have been.
        let error = failed("UpdateAlias")(Failed::response_error("expected `}`", response(200)));
        assert_eq!(error.failure, Failure::Unanswered);
    }

    #[test]
    fn refusals_of_an_invocation() {
        let rows = [
            (429, "TooManyRequestsException", Failure::NotExecuted),
            (409, "SnapStartNotReadyException", Failure::NotExecuted),
            (409, "ResourceConflictException", Failure::NotExecuted),
            (502, "ResourceNotReadyException", Failure::NotExecuted),
            (502, "EC2ThrottledException", Failure::NotExecuted),
            (502, "ENILimitReachedException", Failure::NotExecuted),
            (502, "KMSAccessDeniedException", Failure::Invalid),
            (502, "InvalidZipFileException", Failure::Invalid),
            (404, "ResourceNotFoundException", Failure::NotFound),
            (403, "AccessDeniedException", Failure::Denied),
            (400, "InvalidRequestContentException", Failure::Invalid),
            (413, "RequestTooLargeException", Failure::Invalid),
            (500, "ServiceException", Failure::Unanswered),
            (504, "", Failure::Unanswered),
            (429, "", Failure::Unanswered),
            (403, "", Failure::Unanswered),
        ];
        for (status, code, failure) in rows {
            let error = not_invoked(Call::Invoke)(answered(status, Some(code), None));
            assert_eq!(error.failure, failure, "{code}");
        }
    }

    #[test]
    fn what_never_left_and_what_may_have_arrived() {
        let not_sent = Failed::dispatch_failure;
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        let unreachable = io::Error::from(io::ErrorKind::NetworkUnreachable);
        let rows: [(&str, Failed, Failure); 10] = [
            ("construction", Failed::construction_failure("no such field"), Failure::Unsent),
            ("user", not_sent(ConnectorError::user("no URI".into())), Failure::Unsent),
            ("connecting", not_sent(ConnectorError::timeout("connect".into())), Failure::Unsent),
            ("refused", not_sent(ConnectorError::io(refused().into())), Failure::Unsent),
            ("refused, wrapped", not_sent(ConnectorError::io(io::Error::other(refused()).into())), Failure::Unsent),
            ("name", not_sent(ConnectorError::io(ResolveDnsError::new("no such host").into())), Failure::Unsent),
            ("reset", not_sent(ConnectorError::io(reset.into())), Failure::Unanswered),
            ("unreachable", not_sent(ConnectorError::io(unreachable.into())), Failure::Unanswered),
            ("other", not_sent(ConnectorError::other("half an answer".into(), None)), Failure::Unanswered),
            ("time-out", Failed::timeout_error("after 5 s"), Failure::Unanswered),
        ];
        for (name, error, failure) in rows {
            let error = failed("UpdateAlias")(error);
            assert_eq!((error.failure, error.code), (failure, None), "{name}");
            assert!(!error.message.is_empty(), "{name}");
        }
    }

    #[test]
    fn missing_credentials_are_said_plainly() {
        let none = CredentialsError::not_loaded("no providers in chain provided credentials");
        let expired = CredentialsError::provider_error("the SSO session has expired");
        let said = no_credentials("the SSO session has expired");
        for (cause, message) in [(none, NO_CREDENTIALS), (expired, said.as_str())] {
            let error = failed("GetAlias")(Failed::dispatch_failure(ConnectorError::other(cause.into(), None)));
            assert_eq!((error.failure, error.message.as_str()), (Failure::Unsigned, message));
        }
    }

    #[test]
    fn says_every_cause_once() {
        let cause = io::Error::other("connection reset by peer");
        let error = failed("GetAlias")(Failed::dispatch_failure(ConnectorError::io(cause.into())));
        assert_eq!(error.message, "io error: connection reset by peer");
    }
}
