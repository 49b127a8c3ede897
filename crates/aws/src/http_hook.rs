//! What does a hook's URL answer? One question by the SDK's own HTTP client, signed by nobody.
//!
//! No redirect is followed, no more is read than can be shown, and what the server says of the time is not AWS' time.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_runtime_api::client::ser_de::DeserializeResponse;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use controller::port::{CloudError, Failure, HttpHookResponse};
use http_body_util::BodyExt;
use rollout::hook::HookUrl;

use crate::connect::Aws;
use crate::error::{failed, unreadable, without_code};
use crate::limits::CONNECT;

#[derive(Debug)]
struct Begun {
    status: u16,
    location: Option<String>,
    body: SdkBody,
}

/// A request, before anything is added to it that a connection needs.
pub(crate) struct Outgoing {
    pub(crate) method: &'static str,
    /// Scheme, host and port.
    pub(crate) origin: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Leaves the body unread: how much there is of it is for whoever answers to say.
#[derive(Debug)]
struct Unread;

impl DeserializeResponse for Unread {
    fn deserialize_streaming(&self, response: &mut HttpResponse) -> Option<Result<Output, OrchestratorError<Error>>> {
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        let location = response.headers().get("location").map(str::to_owned);
        Some(Ok(Output::erase(Begun { status: response.status().as_u16(), location, body })))
    }

    fn deserialize_nonstreaming(&self, _: &HttpResponse) -> Result<Output, OrchestratorError<Error>> {
        Err(OrchestratorError::other("it is read as it comes"))
    }
}

impl Aws {
    /// Sends `payload` to `url` and reads what it answers, all within `limit`.
    pub(crate) async fn send(&self, url: &HookUrl, payload: &[u8], limit: Duration) -> Result<HttpHookResponse, CloudError> {
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        let page = self.exchange(
            OPERATION,
            Outgoing {
                method: "POST",
                origin: url.origin().to_owned(),
                path: url.secret_path().to_owned(),
                headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
                body: payload.to_vec(),
            },
        );
        let page = self.within(OPERATION, limit, page).await??;
        if page.status == 429 {
            return Err(without_code(Failure::Throttled, OPERATION, "HTTP status 429: too many requests"));
        }
        Ok(page)
    }

    /// Sends one request as it is, and reads what comes back.
    pub(crate) async fn exchange(&self, name: &'static str, outgoing: Outgoing) -> Result<HttpHookResponse, CloudError> {
        let begun = self.begin(name, outgoing).await?;
        let body = read(begun.body).await.map_err(|error| unreadable(name, error))?;
        Ok(HttpHookResponse { status: begun.status, location: begun.location, body })
    }

    async fn begin(&self, name: &'static str, outgoing: Outgoing) -> Result<Begun, CloudError> {
        let (Some(http_client), Some(time_source), Some(sleep)) =
            (self.config.http_client(), self.config.time_source(), self.config.sleep_impl())
        else {
            return Err(without_code(Failure::Unsent, name, "no HTTP client is configured"));
        };
        let Outgoing { method, origin, path, headers, body } = outgoing;
        let request = move |()| -> Result<HttpRequest, BoxError> {
            let mut request = HttpRequest::new(SdkBody::from(body.clone()));
            request.set_method(method)?;
            request.set_uri(path.as_str())?;
            for (name, value) in &headers {
                request.headers_mut().try_insert(name.clone(), value.clone())?;
            }
            request.headers_mut().try_insert("user-agent", "canaryctl")?;
            request.headers_mut().try_insert("content-length", body.len().to_string())?;
            Ok(request)
        };
        let operation = Operation::builder()
            .service_name("hook")
            .operation_name(name)
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client)
            .time_source(time_source)
            .sleep_impl(sleep)
            .endpoint_url(&origin)
            .no_auth()
            .no_retry()
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build())
            .serializer(request)
            .deserializer_impl::<Begun, ErrorMetadata>(Unread)
            .build();
        let answered = operation.invoke(()).await;
        answered.map_err(|error| {
            if is_unfit(&error) {
                without_code(Failure::Unsent, name, "no request can be sent to this URL")
            } else {
                failed(name)(error)
            }
        })
    }
}

/// Whether a library does not take the request. What it says of that quotes all of it, and the query may hold a token.
fn is_unfit<E>(error: &SdkError<E, HttpResponse>) -> bool {
    if let SdkError::DispatchFailure(failure) = error {
        return failure.as_connector_error().is_some_and(ConnectorError::is_user);
    }
    matches!(error, SdkError::ConstructionFailure(_))
}

/// The beginning of a body: what comes after that is not asked for.
async fn read(mut body: SdkBody) -> Result<Vec<u8>, BoxError> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            read.extend_from_slice(&data[..data.len().min(LONGEST - read.len())]);
        }
        if read.len() == LONGEST {
            break;
        }
    }
    Ok(read)
}

const OPERATION: &str = "POST";

/// How much of an answer is read, in bytes: more than any hook has to say.
const LONGEST: usize = 64 * 1024;
