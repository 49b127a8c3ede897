//! How do answers look on the wire, and whose request is this? Headers, dates and callers; no service's own rules.

use bytes::Bytes;
use http::header::{AUTHORIZATION, DATE, HeaderMap};
use std::borrow::Cow;

use crate::calendar;
use crate::cloudformation::CloudFormation;
use crate::cloudwatch::CloudWatch;
use crate::lambda::{Call, Done, Refusal};
use crate::logs::Logs;
use crate::messaging::Messaging;
use crate::response::{put, response};
use crate::scheduler::Scheduler;
use crate::step_functions::StepFunctions;
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
            (Service::Logs, name) => format!("logs:{name}"),
            (Service::Messaging, name) => Messaging::action(name),
            (Service::StepFunctions, name) => format!("states:{name}"),
            (Service::Scheduler, name) => format!("scheduler:{name}"),
            (Service::CloudFormation, name) => format!("cloudformation:{name}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    CloudFormation,
    CloudWatch,
    Lambda,
    Logs,
    /// SNS, `EventBridge` and STS.
    Messaging,
    Scheduler,
    StepFunctions,
}

pub(crate) fn operation(request: &http::Request<Bytes>) -> Operation {
    if let Some(name) = CloudWatch::operation(request) {
        return Operation { name: name.into(), service: Service::CloudWatch };
    }
    if let Some(name) = Logs::operation(request) {
        return Operation { name: name.into(), service: Service::Logs };
    }
    if let Some(name) = StepFunctions::operation(request) {
        return Operation { name: name.into(), service: Service::StepFunctions };
    }
    if let Some(name) = Messaging::operation(request) {
        return Operation { name: name.into(), service: Service::Messaging };
    }
    if let Some(name) = Scheduler::operation(request) {
        return Operation { name: name.into(), service: Service::Scheduler };
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
    match done {
        Ok(done) => {
            let mut response = response(done.status, &done.content_type, done.body, request_id);
            done.headers.iter().for_each(|(name, value)| put(&mut response, *name, value));
            response
        }
        Err(refusal) => {
            let mut response = response(refusal.status, "application/json", refusal.json().to_string(), request_id);
            put(&mut response, "x-amzn-errortype", refusal.code);
            if refusal.status == 429 {
                put(&mut response, "retry-after", "1");
            }
            response
        }
    }
}

/// What a proxy or a load balancer answers in AWS' place.
pub(crate) fn foreign(status: u16) -> http::Response<Bytes> {
    let mut response = response(status, "text/html", &b"<html><body><h1>not here</h1></body></html>"[..], "");
    response.headers_mut().remove("x-amzn-requestid");
    response
}

/// Dates a response; a client may measure its own clock against it.
pub(crate) fn stamp(response: &mut http::Response<Bytes>, now: Time, skew_millis: i64) {
    put(response, DATE, &calendar::http(Time::from_millis(now.as_millis() + skew_millis)));
}
