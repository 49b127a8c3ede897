//! What would CloudWatch Logs say? What functions write, found by reading and by queries.
//!
//! It has no clock, does no I/O and knows no function: Lambda brings the invocations, the world the requests and the time. Of each
//! invocation the little is kept from which its lines are made when somebody reads them.

mod embedded;
mod evaluate;
mod fields;
mod grammar;
mod group;
mod groups;
mod output;
mod paging;
mod pattern;
mod queries;
mod reading;
mod refusal;
mod words;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use self::embedded::Sample;
use self::groups::Groups;
pub(crate) use self::output::{End, Invocation, Output, Runner};
use self::queries::Queries;
use self::refusal::Refusal;
use crate::response::response;
use crate::settings::Settings;
use crate::time::Time;
use crate::value::{Fault, present};

#[derive(Debug)]
pub(crate) struct Logs {
    groups: Groups,
    queries: Queries,
    /// How old a line is before it can be read.
    delay: Duration,
}

impl Logs {
    pub(crate) fn new(settings: &Settings, rng: fastrand::Rng) -> Self {
        Self {
            groups: Groups::new(&settings.account, &settings.region, rng),
            queries: Queries::new(settings.log_query_delay, settings.log_query_time),
            delay: settings.log_delay,
        }
    }

    /// An invocation with this request id, or with one that is drawn.
    pub(crate) fn invocation(&mut self, request_id: Option<&str>, at: Time, took: Duration, end: End) -> Invocation {
        let given = request_id.and_then(|id| u128::from_str_radix(&id.replace('-', ""), 16).ok());
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        Invocation { at, id: given.unwrap_or_else(|| self.groups.draw()), micros, end }
    }

    /// Takes what an invocation of this version (none: `$LATEST`) writes, and lines beside it; gives the metrics that are in the former.
    pub(crate) fn write(
        &mut self,
        function: &str,
        version: Option<u32>,
        output: &Arc<Output>,
        invocation: Invocation,
        lines: &[String],
    ) -> Vec<Sample> {
        self.groups.write(function, version, output, (invocation, lines));
        if output.is_silent() {
            return Vec::new();
        }
        let label = group::label(version);
        output.samples(&invocation, Runner { function, version: &label })
    }

    /// The operation that a request asks for; `None` if it is not for this service.
    pub(crate) fn operation(request: &Request<Bytes>) -> Option<String> {
        request.headers().get("x-amz-target")?.to_str().ok()?.strip_prefix(TARGET_PREFIX).map(str::to_owned)
    }

    /// The group that a request names, the first of several.
    pub(crate) fn resource(request: &Request<Bytes>) -> String {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let members = ["logGroupName", "logGroupIdentifier", "logGroupNames", "logGroupIdentifiers"];
        let named = members.into_iter().find_map(|member| {
            let value = &body[member];
            value.as_str().or_else(|| value[0].as_str()).map(groups::name_in)
        });
        named.unwrap_or_default().to_owned()
    }

    /// What a permission is needed on: the streams of a group, or of none.
    pub(crate) fn guarded(&self, group: &str) -> String {
        format!("{}:log-stream:", self.groups.arn(group))
    }

    /// What comes back, and the code of the error if it is one.
    pub(crate) fn answer(&mut self, now: Time, request: &Request<Bytes>, id: &str) -> (Response<Bytes>, Option<String>) {
        let operation = Self::operation(request).unwrap_or_default();
        match self.perform(now, &operation, request.body(), id) {
            Ok(value) => (written(200, &present(value), id), None),
            Err(refusal) => (written(refusal.status, &refusal.json(), id), Some(refusal.code)),
        }
    }

    /// A refusal before the service handles the request.
    pub(crate) fn refuse(fault: &Fault, request_id: &str) -> Response<Bytes> {
        let refusal = Refusal::of_account(fault);
        written(refusal.status, &refusal.json(), request_id)
    }

    fn perform(&mut self, now: Time, operation: &str, body: &[u8], id: &str) -> Result<Value, Refusal> {
        match operation {
            "StartQuery" => self.queries.start(now, &self.groups, id, &read(body)?),
            "GetQueryResults" => self.queries.results(now, &read(body)?),
            "StopQuery" => self.queries.stop(now, &read(body)?),
            "DescribeLogGroups" => reading::describe_groups(&self.groups, &read(body)?),
            "DescribeLogStreams" => reading::describe_streams(&self.groups, &read(body)?, self.delay),
            "FilterLogEvents" => reading::filter_events(&self.groups, &read(body)?, now, self.delay),
            "GetLogEvents" => reading::events(&self.groups, &read(body)?, now, self.delay),
            other => Err(Refusal::unknown_operation(other)),
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|_| Refusal::body())
}

fn written(status: u16, value: &Value, request_id: &str) -> Response<Bytes> {
    response(status, "application/x-amz-json-1.1", value.to_string(), request_id)
}

const TARGET_PREFIX: &str = "Logs_20140328.";
