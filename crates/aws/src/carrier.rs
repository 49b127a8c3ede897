//! Which way does a request take, and how much of its answer is read? Around every HTTP client, real or simulated.
//!
//! What stays on this machine or its own link never goes through a proxy. No answer, of AWS or of anything else, is read beyond
//! what the call can need: the limit holds while it is read.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// A client that reads bounded answers, and of two clients takes the one without a proxy where the address is near.
#[derive(Debug)]
pub(crate) struct Carrier {
    pub(crate) direct: SharedHttpClient,
    /// The one for everything that is not near; the same where there is no proxy.
    pub(crate) far: SharedHttpClient,
}

impl HttpClient for Carrier {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            direct: self.direct.http_connector(settings, components),
            far: self.far.http_connector(settings, components),
        })
    }

    fn validate_base_client_config(&self, components: &RuntimeComponentsBuilder, config: &ConfigBag) -> Result<(), BoxError> {
        HttpClient::validate_base_client_config(&self.far, components, config)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, config: &ConfigBag) -> Result<(), BoxError> {
        HttpClient::validate_final_config(&self.far, components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.far.connector_metadata()
    }
}

#[derive(Debug)]
struct Connector {
    direct: SharedHttpConnector,
    far: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let limit = limit(request.uri());
        let connector = if is_near(request.uri()) { &self.direct } else { &self.far };
        let answer = connector.call(request);
        HttpConnectorFuture::new(async move { answer.await.map(|response| dated(bounded(response, limit))) })
    }
}

/// Without a date that cannot be one: the SDK corrects by it what it signs with, and cannot sign for the year 9999.
fn dated(mut response: HttpResponse) -> HttpResponse {
    let date = response.headers().get("date").map(|date| DateTime::from_str(date, Format::HttpDate));
    if date.is_some_and(|date| !date.is_ok_and(|date| POSSIBLE.contains(&date.secs()))) {
        response.headers_mut().remove("date");
    }
    response
}

fn bounded(mut response: HttpResponse, limit: usize) -> HttpResponse {
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    // What is in memory already costs nothing more; nothing but the simulated AWS answers so.
    *response.body_mut() = if body.bytes().is_some_and(|bytes| bytes.len() <= limit) {
        body
    } else {
        SdkBody::from_body_1_x(Limited::new(body, limit).map_err(move |error| too_long(error, limit)))
    };
    response
}

fn too_long(error: BoxError, limit: usize) -> BoxError {
    if error.is::<LengthLimitError>() { Box::new(TooLong(limit)) } else { error }
}

/// An answer that is longer than any answer to that call.
#[derive(Debug)]
struct TooLong(usize);

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the response is longer than {} KiB", self.0 / 1024)
    }
}

impl std::error::Error for TooLong {}

/// How much of an answer is read, in bytes.
fn limit(uri: &str) -> usize {
    let path = uri.split('?').next().unwrap_or_default();
    let without_path = path.split_once("://").is_some_and(|(_, rest)| rest.trim_end_matches('/').find('/').is_none());
    if path.ends_with("/invocations") {
        INVOCATION
    } else if path.contains("/operation/") || without_path {
        METRICS
    } else {
        CONTROL
    }
}

/// Whether an address is this machine's own, or on its own link, where instances and containers have their metadata.
pub(crate) fn is_near(uri: &str) -> bool {
    let Ok(uri) = uri.parse::<http::Uri>() else { return false };
    let Some(host) = uri.host() else { return false };
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    match name.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(IpAddr::V4(address)) => is_near_v4(address),
        Ok(IpAddr::V6(address)) => is_near_v6(address),
        // `127.1` is an address, too, for whoever resolves it.
        Err(_) => name.starts_with("127.") && name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'),
    }
}

fn is_near_v4(address: Ipv4Addr) -> bool {
    address.is_loopback() || address.is_link_local() || address.is_unspecified()
}

fn is_near_v6(address: Ipv6Addr) -> bool {
    let mapped = address.to_ipv4_mapped().is_some_and(is_near_v4);
    // The address of the credentials of a pod is neither: it is one of AWS' own.
    let of_the_platform = address.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23];
    mapped || address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified() || of_the_platform
}

/// 2020 to 2100, in seconds.
const POSSIBLE: std::ops::Range<i64> = 1_577_836_800..4_102_444_800;

/// Lambda's control calls answer a page of at most 50 or 100 things of a few KiB; credentials are less than that.
const CONTROL: usize = 1024 * 1024;

/// The 6 MB that a function may answer, with what Lambda adds to it.
const INVOCATION: usize = 6 * 1024 * 1024 + 64 * 1024;

/// The 100,800 values that `CloudWatch` answers at once, at 27 bytes with their times; and 100 alarms with rules of 10 KiB; and
/// the lines of logs, which are asked for at no path.
const METRICS: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_takes_no_detour() {
        for near in [
            "http://localhost:4566/x",
            "http://LOCALHOST./x",
            "http://api.localhost/",
            "http://127.0.0.1:1/creds",
            "http://127.9.9.9/",
            "http://127.1/",
            "http://[::1]:80/",
            "http://[::ffff:127.0.0.1]/",
            "http://169.254.170.2/v2/credentials",
            "http://169.254.169.254/latest",
            "http://[fe80::1]/",
            "http://[fd00:ec2::23]/v1/credentials",
            "http://0.0.0.0:4566/",
        ] {
            assert!(is_near(near), "{near}");
        }
        for far in [
            "https://lambda.us-east-1.amazonaws.com/x",
            "http://10.0.0.1/",
            "http://127.example.com/",
            "http://localhost.example.com/",
            "http://[2001:db8::1]/",
            "/no/host",
            "not a URI",
        ] {
            assert!(!is_near(far), "{far}");
        }
    }

    #[test]
    fn an_answer_is_as_long_as_its_call_can_need() {
        let function = "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/hello";
        assert_eq!(limit(&format!("{function}/aliases/live")), CONTROL);
        assert_eq!(limit(&format!("{function}/invocations?Qualifier=2")), INVOCATION);
        assert_eq!(limit("https://monitoring.us-east-1.amazonaws.com/service/X/operation/GetMetricData"), METRICS);
        assert_eq!(limit("https://logs.us-east-1.amazonaws.com/"), METRICS);
    }

    #[test]
    fn a_date_that_cannot_be_is_none() {
        for (date, stays) in [
            ("Tue, 24 Nov 2026 18:00:00 GMT", true),
            ("Fri, 31 Dec 9999 23:59:59 GMT", false),
            ("Mon, 01 Jan 0001 00:00:00 GMT", false),
            ("yesterday", false),
        ] {
            let response = http::Response::builder().header("date", date).body(SdkBody::empty()).unwrap();
            let response = dated(HttpResponse::try_from(response).unwrap());
            assert_eq!(response.headers().get("date").is_some(), stays, "{date}");
        }
    }

    #[tokio::test]
    async fn no_more_than_the_limit_is_read() {
        let answer = |length: usize| {
            let response = http::Response::new(SdkBody::from(vec![b' '; length]));
            bounded(HttpResponse::try_from(response).unwrap(), 1024).into_body().collect()
        };
        assert_eq!(answer(1024).await.unwrap().to_bytes().len(), 1024);
        assert_eq!(answer(1025).await.unwrap_err().to_string(), "the response is longer than 1 KiB");
    }
}
