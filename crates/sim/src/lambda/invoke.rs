//! How is a function invoked? Routing, running, counting and measuring, each invocation by itself.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::behaviour::{Refused, Run};
use super::call::Call;
use super::counters::counter;
use super::function::{Qualified, Routed};
use super::name::LONGEST;
use super::refusal::{Refusal, Violations};
use super::report::Errand;
use super::{Done, Lambda};
use crate::cloudwatch::CloudWatch;
use crate::logs::{End, Invocation, Runner};
use crate::time::Time;

/// AWS' words for an invocation of a function that isolates tenants, without a tenant.
const NO_TENANT: &str =
    "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.";

impl Lambda {
    pub(super) fn invoke(&mut self, call: &Call<'_>, metrics: &mut CloudWatch) -> Result<Done, Refusal> {
        let named = self.place.parse_any(&call.target)?;
        Violations::check(|broken| broken.length(&named.name, "functionName", 1, LONGEST))?;
        let unqualified = named.qualifier.is_none() && call.query("Qualifier").is_none();
        // Recorded for what would run; a dry run names the function alone.
        let dry = call.header("x-amz-invocation-type") == Some("DryRun");
        if unqualified && !dry && !self.has(&named.name) {
            return Err(Refusal::function_not_found(&self.place.qualified(&named.name, "$LATEST")));
        }
        let (target, qualified) = self.target(call)?;
        // That a dry run is refused alike is a guess.
        let invoked = self.functions.get(&target.name).and_then(|function| function.version(&qualified));
        let tenancy = invoked.and_then(|version| version.configuration.tenancy_config.as_ref());
        let of_tenants = tenancy.is_some_and(|tenancy| tenancy["TenantIsolationMode"] == "PER_TENANT");
        if of_tenants && call.header("x-amz-tenant-id").is_none() {
            return Err(Refusal::invalid(NO_TENANT));
        }
        let kind = call.header("x-amz-invocation-type").unwrap_or("RequestResponse");
        let limit = if kind == "Event" { 1_048_576 } else { 6_291_556 };
        if call.body().len() > limit {
            return Err(Refusal::too_large(call.body().len(), limit));
        }
        if let (false, Err(error)) = (call.body().is_empty(), serde_json::from_slice::<serde::de::IgnoredAny>(call.body())) {
            return Err(Refusal::payload(format!("Could not parse request body into json: {error}")));
        }
        match kind {
            "RequestResponse" | "Event" if self.is_hosted(&target.name) => {
                self.hand_over(call, (&target.name, qualified), kind == "RequestResponse", metrics)
            }
            "RequestResponse" => self.respond(call, &target.name, &qualified, metrics),
            "Event" => {
                let (number, run, _) = self.execute(call.now, Some(call.request_id), &target.name, &qualified, metrics)?;
                self.set_out(call, &target.name, number, &run);
                Ok(Done::empty(202))
            }
            "DryRun" => Ok(Done::empty(204)),
            other => {
                Err(Refusal::invalid(format!("Value {other} at 'invocationType' is not one of: Event, RequestResponse, DryRun")))
            }
        }
    }

    fn respond(&mut self, call: &Call<'_>, name: &str, qualified: &Qualified, metrics: &mut CloudWatch) -> Result<Done, Refusal> {
        let (mut done, number, run, log) = self.run_for(call, name, qualified, metrics)?;
        self.set_out(call, name, number, &run);
        if run.end.is_error() {
            done.headers.push(("x-amz-function-error", "Unhandled".to_owned()));
        }
        if call.header("x-amz-log-type") == Some("Tail") {
            let tail = &log.as_bytes()[log.len().saturating_sub(4_096)..];
            done.headers.push(("x-amz-log-result", STANDARD.encode(tail)));
        }
        Ok(done)
    }

    /// Plans what a function does in the background after its answer.
    fn set_out(&mut self, call: &Call<'_>, name: &str, number: Option<u32>, run: &Run) {
        let version = self.functions.get(name).and_then(|function| function.numbered(number));
        let report = version.filter(|_| run.end == End::Answered).and_then(|version| version.serving.report.as_ref());
        let told = report.and_then(|report| report.of(call.body(), call.now + run.duration));
        if let Some((at, function, tag)) = told {
            self.errands.extend(Errand::tag(at, name, &self.arn(&function), tag));
        }
    }

    /// Runs one invocation; returns its payload, the version that ran, how it ended, and its log.
    fn run_for(
        &mut self,
        call: &Call<'_>,
        name: &str,
        qualified: &Qualified,
        metrics: &mut CloudWatch,
    ) -> Result<(Done, Option<u32>, Run, String), Refusal> {
        let (number, run, invocation) = self.execute(call.now, Some(call.request_id), name, qualified, metrics)?;
        let version = self.function(name)?.numbered(number).ok_or_else(Refusal::pending)?;
        let log = version.serving.output.tail(&invocation, Runner { function: name, version: &version.label() }, &[]);
        let mut done = Done::bytes(200, "application/json", version.serving.payload(run.end, call.request_id));
        done.headers.push(("x-amz-executed-version", version.label()));
        done.delay = run.duration;
        Ok((done, number, run, log))
    }

    pub(super) fn visit(&mut self, call: &Call<'_>, metrics: &mut CloudWatch) -> Result<Done, Refusal> {
        let found = self.functions.get(&call.target).and_then(|function| function.qualified(call.alias.as_deref()));
        let qualified = found.ok_or_else(Refusal::no_such_address)?;
        let (mut done, _, run, _) = self.run_for(call, &call.target, &qualified, metrics)?;
        if run.end.is_error() {
            done.status = 502;
            done.body = Bytes::from_static(b"Internal Server Error");
            done.content_type = "text/plain; charset=utf-8".into();
        } else {
            page(&mut done);
        }
        Ok(done)
    }

    /// Routes, runs, counts, measures and logs one invocation, if the version can run. One that nobody asked for gets its id here.
    pub(super) fn execute(
        &mut self,
        now: Time,
        request_id: Option<&str>,
        name: &str,
        qualified: &Qualified,
        metrics: &mut CloudWatch,
    ) -> Result<(Option<u32>, Run, Invocation), Refusal> {
        let routed = self.route(now, name, qualified)?;
        let function = self.functions.get(name).ok_or_else(Refusal::pending)?;
        let version = function.numbered(routed.number).ok_or_else(Refusal::pending)?;
        // Drawn, too, where nothing runs, so that nobody else's luck changes.
        let run = version.serving.run(&mut self.luck, function.incident(now));
        self.admit(now, name, qualified, routed, metrics)?;
        let invocation = self.record(now, request_id, (name, qualified), (routed, &run), &[], metrics);
        Ok((routed.number, run, invocation))
    }

    /// The version that an invocation runs, if that one is Active.
    pub(super) fn route(&mut self, now: Time, name: &str, qualified: &Qualified) -> Result<Routed, Refusal> {
        let function = self.functions.get(name).ok_or_else(Refusal::pending)?;
        let routed = match qualified {
            Qualified::Latest => Routed { number: None, weighted: false },
            Qualified::Version(number) => Routed { number: Some(*number), weighted: false },
            Qualified::Alias(alias) => {
                let routing = function.aliases.get(alias).ok_or_else(Refusal::pending)?.routing(now);
                let number = routing.choose(function.misrouting, &mut self.luck.errors);
                Routed { number, weighted: routing.additional.is_some() }
            }
        };
        let version = function.numbered(routed.number).ok_or_else(Refusal::pending)?;
        let (state, _) = version.state();
        // A new function is Pending; an update of it runs what was there before.
        if state != "Active" {
            counter(&mut self.counters, name, &through(qualified), routed.number).tally.refused += 1;
            self.wake(now, name, routed.number);
            return Err(Refusal::not_in(if state == "Failed" { state } else { "Pending" }));
        }
        Ok(routed)
    }

    /// Whether Lambda lets an invocation of this version run.
    pub(super) fn admit(
        &mut self,
        now: Time,
        name: &str,
        qualified: &Qualified,
        Routed { number, weighted }: Routed,
        metrics: &mut CloudWatch,
    ) -> Result<(), Refusal> {
        let function = self.functions.get(name).ok_or_else(Refusal::pending)?;
        let version = function.numbered(number).ok_or_else(Refusal::pending)?;
        let refused = if function.reserved == Some(0) { Some(Refused::Throttled) } else { version.serving.refused };
        let Some(refused) = refused else { return Ok(()) };
        let through = through(qualified);
        let counter = counter(&mut self.counters, name, &through, number);
        counter.tally.refused += 1;
        if refused == Refused::Throttled {
            let series = counter.series(name, &through, number, weighted, metrics);
            let sets = series.shared.iter().chain(series.executed.iter().filter(|_| weighted));
            let throttles: Vec<_> = sets.map(|set| (set[THROTTLES], 1.0)).collect();
            metrics.record_run(now, Duration::ZERO, &throttles);
        }
        Err(match refused {
            Refused::KmsAccessDenied => Refusal::kms(false),
            Refused::KmsDisabled => Refusal::kms(true),
            Refused::Throttled => Refusal::no_concurrency(),
        })
    }

    /// Counts, measures and logs an invocation that ran, and wrote these lines beside those of its environment.
    pub(super) fn record(
        &mut self,
        began: Time,
        request_id: Option<&str>,
        (name, qualified): (&str, &Qualified),
        (Routed { number, weighted }, run): (Routed, &Run),
        lines: &[String],
        metrics: &mut CloudWatch,
    ) -> Invocation {
        let (through, failed) = (through(qualified), run.end.is_error());
        let counter = counter(&mut self.counters, name, &through, number);
        counter.tally.invocations += 1;
        counter.tally.errors += u64::from(failed);
        let series = counter.series(name, &through, number, weighted, metrics);
        let values = [1.0, f64::from(u8::from(failed)), 0.0, run.duration.as_secs_f64() * 1_000.0];
        let sets = series.shared.iter().chain(series.executed.iter().filter(|_| weighted));
        let mut samples = [(series.shared[0][0], 0.0); 16];
        let mut count = 0;
        for (series, value) in sets.flat_map(|set| set.iter().zip(values)) {
            samples[count] = (*series, value);
            count += 1;
        }
        metrics.record_run(began, run.duration, &samples[..count]);
        let invocation = self.logs.invocation(request_id, began, run.duration, run.end);
        if let Some(version) = self.functions.get(name).and_then(|function| function.numbered(number)) {
            let samples = self.logs.write(name, number, &version.serving.output, invocation, lines);
            metrics.record_samples(began, run.duration, &samples);
        }
        invocation
    }
}

/// The qualifier by which it was invoked, empty for none.
fn through(qualified: &Qualified) -> Cow<'_, str> {
    match qualified {
        Qualified::Latest => Cow::Borrowed(""),
        Qualified::Version(number) => Cow::Owned(number.to_string()),
        Qualified::Alias(alias) => Cow::Borrowed(alias),
    }
}

/// The place of throttles among the measures.
const THROTTLES: usize = 2;

/// Turns a payload into what a browser gets: a text is itself, `statusCode` and `body` are obeyed.
fn page(done: &mut Done) {
    match serde_json::from_slice::<Value>(&done.body) {
        Ok(Value::String(text)) => {
            done.body = text.into();
            done.content_type = "text/plain; charset=utf-8".into();
        }
        Ok(Value::Object(members)) => {
            let Some(status) = members.get("statusCode").and_then(Value::as_u64) else { return };
            done.status = u16::try_from(status).unwrap_or(502);
            if let Some(kind) = members.get("headers").and_then(|headers| headers.get("content-type")).and_then(Value::as_str) {
                done.content_type = kind.to_owned().into();
            }
            done.body = match members.get("body") {
                Some(Value::String(text)) => text.clone().into(),
                Some(other) => other.to_string().into(),
                None => Bytes::new(),
            };
        }
        Ok(_) | Err(_) => {}
    }
}
