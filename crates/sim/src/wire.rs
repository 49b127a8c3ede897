//! How do answers look on the wire, and whose request is this? Headers, dates and callers; no service's own rules.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue};
use std::borrow::Cow;

use crate::calendar;
use crate::cloudformation::CloudFormation;
use crate::cloudwatch::CloudWatch;
use crate::lambda::{Call, Done, Refusal};
use crate::time::Time;

/// What a request asks for, as far as every service needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) name: Cow<'static, str>,
    pub(crate) service: Service,
}

impl Operation {
    /// The permission that it needs: for an invocation it has another name than the operation.
    pub(crate) fn action(&self) -> String {
        match (self.service, self.name.as_ref()) {
            (Service::Lambda, "Invoke") => "lambda:InvokeFunction".to_owned(),
            (Service::Lambda, "FunctionUrl") => "lambda:InvokeFunctionUrl".to_owned(),
            (Service::Lambda, name) => format!("lambda:{name}"),
            (Service::CloudWatch, name) => format!("cloudwatch:{name}"),
            (Service::CloudFormation, name) => format!("cloudformation:{name}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    CloudFormation,
    CloudWatch,
    Lambda,
}

pub(crate) fn operation(request: &http::Request<Bytes>) -> Operation {
    if let Some(name) = CloudWatch::operation(request) {
        return Operation { name: name.into(), service: Service::CloudWatch };
    }
    if let Some(name) = CloudFormation::operation(request) {
        return Operation { name: name.into(), service: Service::CloudFormation };
    }
    let name = Call::read(request, Time::default(), "").map_or("Unknown", |call| call.operation.name());
    Operation { name: name.into(), service: Service::Lambda }
}

/// The access key id that signed a request, or `anonymous`.
pub fn caller(headers: &HeaderMap) -> &str {
    scope(headers).and_then(|mut scope| scope.next()).filter(|key| !key.is_empty()).unwrap_or("anonymous")
}

pub(crate) fn region(headers: &HeaderMap) -> Option<&str> {
    scope(headers)?.nth(2).filter(|region| !region.is_empty())
}

/// The parts of the signature's credential: key id, date, Region, service, `aws4_request`.
fn scope(headers: &HeaderMap) -> Option<impl Iterator<Item = &str>> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = header.split_once("Credential=")?;
    Some(credential.split([',', ' ']).next()?.split('/'))
}

pub(crate) fn lambda_response(done: Result<Done, Refusal>, request_id: &str) -> http::Response<Bytes> {
    let (mut response, content_type) = match done {
        Ok(done) => {
            let mut response = http::Response::new(done.body);
            *response.status_mut() = status(done.status);
            for (name, value) in done.headers {
                put(response.headers_mut(), HeaderName::from_static(name), &value);
            }
            (response, done.content_type)
        }
        Err(refusal) => {
            let mut response = http::Response::new(Bytes::from(refusal.json().to_string()));
            *response.status_mut() = status(refusal.status);
            put(response.headers_mut(), HeaderName::from_static("x-amzn-errortype"), refusal.code);
            if refusal.status == 429 {
                put(response.headers_mut(), HeaderName::from_static("retry-after"), "1");
            }
            (response, Cow::Borrowed("application/json"))
        }
    };
    put(response.headers_mut(), CONTENT_TYPE, &content_type);
    put(response.headers_mut(), HeaderName::from_static("x-amzn-requestid"), request_id);
    response
}

/// What a proxy or a load balancer answers in AWS' place.
pub(crate) fn foreign(status_code: u16) -> http::Response<Bytes> {
    let mut response = http::Response::new(Bytes::from_static(b"<html><body><h1>not here</h1></body></html>"));
    *response.status_mut() = status(status_code);
    put(response.headers_mut(), CONTENT_TYPE, "text/html");
    response
}

/// Dates a response; a client may measure its own clock against it.
pub(crate) fn stamp(response: &mut http::Response<Bytes>, now: Time, skew_millis: i64) {
    put(response.headers_mut(), DATE, &calendar::http(Time::from_millis(now.as_millis() + skew_millis)));
}

/// The code of the error that a CloudWatch response carries.
pub(crate) fn error_code(response: &http::Response<Bytes>) -> Option<String> {
    if response.status().is_success() {
        return None;
    }
    let header = response.headers().get("x-amzn-query-error").and_then(|value| value.to_str().ok());
    let code = header.and_then(|value| value.split(';').next()).unwrap_or("unknown");
    Some(code.to_owned())
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // What a header cannot carry (a control character in an environment variable) is left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn status(code: u16) -> http::StatusCode {
    http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR)
}
