//! What lies between the SDK and the account? A client through which every request and answer passes, to be counted, changed or cut.
//!
//! Production code has no switch for tests: whatever is to go wrong inside it goes wrong here, outside it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use aws::SharedHttpClient;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

/// What an exchange comes to.
pub(crate) type Answered = Result<http::Response<Bytes>, ConnectorError>;

/// Whoever sits on the wire.
pub(crate) trait Meddler: fmt::Debug + Send + Sync {
    fn carry(self: Arc<Self>, request: http::Request<Bytes>, onward: Onward) -> Pin<Box<dyn Future<Output = Answered> + Send>>;
}

/// The client that goes through a meddler.
pub(crate) fn tapped(http: SharedHttpClient, meddler: Arc<dyn Meddler>) -> SharedHttpClient {
    SharedHttpClient::new(Tap { http, meddler })
}

#[derive(Clone, Debug)]
struct Tap {
    http: SharedHttpClient,
    meddler: Arc<dyn Meddler>,
}

impl HttpClient for Tap {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let onward = Onward(self.http.http_connector(settings, components));
        SharedHttpConnector::new(Line { onward, meddler: Arc::clone(&self.meddler) })
    }
}

#[derive(Debug)]
struct Line {
    onward: Onward,
    meddler: Arc<dyn Meddler>,
}

impl HttpConnector for Line {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (onward, meddler) = (self.onward.clone(), Arc::clone(&self.meddler));
        HttpConnectorFuture::new(async move {
            let (head, body) = request.try_into_http1x().unwrap().into_parts();
            let request = http::Request::from_parts(head, whole(&body));
            let response = meddler.carry(request, onward).await?;
            Ok(HttpResponse::try_from(response.map(SdkBody::from)).unwrap())
        })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Onward(SharedHttpConnector);

impl Onward {
    pub(crate) async fn send(&self, request: http::Request<Bytes>) -> Answered {
        let request = HttpRequest::try_from(request.map(SdkBody::from)).unwrap();
        let (head, body) = self.0.call(request).await?.try_into_http1x().unwrap().into_parts();
        Ok(http::Response::from_parts(head, whole(&body)))
    }

    /// Sends a request on, so that it arrives, and waits for nothing.
    pub(crate) async fn drop_off(&self, request: http::Request<Bytes>) {
        let mut sent = pin!(self.send(request));
        poll_fn(|context| {
            // It has arrived with the first poll; whether it is answered at once does not matter.
            let _ = sent.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
    }
}

fn whole(body: &SdkBody) -> Bytes {
    Bytes::copy_from_slice(body.bytes().unwrap())
}
