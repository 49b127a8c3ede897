//! How does a function run whose code is not this simulation's? It is routed, refused, counted, measured and logged as every other one.
//!
//! What it does, and for how long, is said from outside: an invocation is taken, and ended; one that has not ended by its time-out has timed out.
//! An asynchronous one that fails is repeated as Lambda does it. That one which Lambda refuses then counts as failed is a simplification.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;

use super::behaviour::Run;
use super::call::Call;
use super::function::{Qualified, Version};
use super::hosting::{Answered, Due, Ending, Outstanding, Then};
use super::refusal::Refusal;
use super::{Done, Lambda};
use crate::cloudwatch::CloudWatch;
use crate::logs::{End, Runner};
use crate::time::Time;

impl Lambda {
    /// From now on the code of this function is somebody else's.
    pub(crate) fn host(&mut self, function: &str) {
        self.hosted.functions.insert(function.to_owned());
    }

    pub(super) fn is_hosted(&self, function: &str) -> bool {
        self.hosted.functions.contains(function)
    }

    /// Begins an invocation; gives what is answered now, which is nothing yet where the caller waits.
    pub(super) fn hand_over(
        &mut self,
        call: &Call<'_>,
        (name, qualified): (&str, Qualified),
        waits: bool,
        metrics: &mut CloudWatch,
    ) -> Result<Done, Refusal> {
        let tail = call.header("x-amz-log-type") == Some("Tail");
        let then = if waits { Then::Answer { tail } } else { Then::Repeat { accepted: call.now } };
        let (request_id, event) = (call.request_id.to_owned(), call.body().clone());
        let id = self.begin(call.now, (name, qualified), (request_id, event), (1, then), metrics)?;
        Ok(if waits { Done { runs: Some(id), ..Done::empty(200) } } else { Done::empty(202) })
    }

    fn begin(
        &mut self,
        now: Time,
        (name, qualified): (&str, Qualified),
        (request_id, event): (String, Bytes),
        (attempt, then): (u32, Then),
        metrics: &mut CloudWatch,
    ) -> Result<u64, Refusal> {
        let routed = self.route(now, name, &qualified)?;
        self.admit(now, name, &qualified, routed, metrics)?;
        let version = self.function(name)?.numbered(routed.number).ok_or_else(Refusal::pending)?;
        let (timeout, label) = (version.serving.output.timeout, version.label());
        let arn = match &qualified {
            Qualified::Latest => self.place.arn(name),
            Qualified::Version(_) | Qualified::Alias(_) => self.place.qualified(name, &qualified.written()),
        };
        let name = name.to_owned();
        let one = Outstanding { name, qualified, routed, request_id, event, began: now, timeout, attempt, then };
        Ok(self.hosted.begin(one, label, arn))
    }

    /// Ends an invocation as its code did; one that has ended already stays as it is.
    pub(crate) fn end(&mut self, now: Time, id: u64, ending: Ending, metrics: &mut CloudWatch) {
        if let Some(one) = self.hosted.end(id) {
            let end = if ending.answer.is_ok() { End::Answered } else { End::Threw };
            let run = Run { duration: now.since(one.began), end };
            self.conclude(now, id, (one, run), ending, metrics);
        }
    }

    /// Lets what is due first happen.
    pub(super) fn go_on(&mut self, now: Time, metrics: &mut CloudWatch) {
        match self.hosted.next() {
            Some(Due::Deadline(id)) => {
                let Some(one) = self.hosted.end(id) else { return };
                let said =
                    format!("RequestId: {} Error: Task timed out after {:.2} seconds", one.request_id, one.timeout.as_secs_f64());
                let run = Run { duration: one.timeout, end: End::TimedOut };
                self.conclude(now, id, (one, run), Ending { answer: Err(said), lines: Vec::new() }, metrics);
            }
            Some(Due::Again(one)) => {
                let Outstanding { name, qualified, request_id, event, attempt, then, .. } = (*one).clone();
                if self.begin(now, (&name, qualified), (request_id, event), (attempt, then), metrics).is_err() {
                    self.repeat(now, *one);
                }
            }
            None => {}
        }
    }

    fn conclude(&mut self, now: Time, id: u64, (one, run): (Outstanding, Run), ending: Ending, metrics: &mut CloudWatch) {
        let Ending { answer, lines } = ending;
        let invocation =
            self.record(one.began, Some(&one.request_id), (&one.name, &one.qualified), (one.routed, &run), &lines, metrics);
        let Then::Answer { tail } = one.then else {
            if answer.is_err() {
                self.repeat(now, one);
            }
            return;
        };
        let version = self.functions.get(&one.name).and_then(|function| function.numbered(one.routed.number));
        let label = version.map_or_else(String::new, Version::label);
        let runner = Runner { function: &one.name, version: &label };
        let log = version.map(|version| version.serving.output.tail(&invocation, runner, &lines));
        let failed = answer.is_err();
        let kind = if run.end == End::TimedOut { "Sandbox.Timedout" } else { "Error" };
        let payload = answer.unwrap_or_else(|said| json!({"errorType": kind, "errorMessage": said}).to_string().into());
        let tail = log.filter(|_| tail);
        self.hosted.keep(id, Answered { request_id: one.request_id, version: label, failed, payload, tail });
    }

    /// Plans the next of Lambda's own attempts, if there is one.
    fn repeat(&mut self, now: Time, one: Outstanding) {
        let Then::Repeat { accepted } = one.then else { return };
        let qualifier = if one.qualified == Qualified::Latest { String::new() } else { one.qualified.written() };
        let config = self.functions.get(&one.name).and_then(|function| function.invoke_configs.get(&qualifier));
        let (retries, age) =
            config.map_or((None, None), |(config, _)| (config.maximum_retry_attempts, config.maximum_event_age_in_seconds));
        let retries = retries.and_then(|retries| u32::try_from(retries).ok()).unwrap_or(2);
        let age = age.and_then(|age| u64::try_from(age).ok()).map_or(Duration::from_hours(6), Duration::from_secs);
        // "One minute between the first two attempts, and two minutes between the second and third attempts."
        let at = now + Duration::from_mins(if one.attempt == 1 { 1 } else { 2 });
        if one.attempt <= retries && at.since(accepted) <= age {
            self.hosted.plan(at, Outstanding { attempt: one.attempt + 1, ..one });
        }
    }

    /// What the caller of this invocation is answered, and the request's id; `None` while it runs.
    pub(crate) fn answer_to(&mut self, id: u64) -> Option<(Done, String)> {
        let Answered { request_id, version, failed, payload, tail } = self.hosted.answer(id)?;
        let mut done = Done::bytes(200, "application/json", payload);
        done.headers.push(("x-amz-executed-version", version));
        if failed {
            done.headers.push(("x-amz-function-error", "Unhandled".to_owned()));
        }
        if let Some(log) = tail {
            done.headers.push(("x-amz-log-result", STANDARD.encode(&log.as_bytes()[log.len().saturating_sub(4_096)..])));
        }
        Some((done, request_id))
    }
}
