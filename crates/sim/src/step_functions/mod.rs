//! What does Step Functions answer, and what do its executions do? State machines of one kind only: guards of canaryctl.
//!
//! Scenarios and tests say which state machines there are. It has no clock and makes no call: the world brings the time, and what came of
//! the calls that an execution makes. Which errors an operation has is in the service's model; the sentences of errors are a guess.

mod execution;
mod guard;

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use self::execution::Execution;
pub use self::execution::GuardRun;
use crate::response::response;
use crate::time::Time;
use crate::value::{Fault, present};

/// The state machines of an account, and their executions.
#[derive(Debug)]
pub(crate) struct StepFunctions {
    arn_prefix: String,
    machines: BTreeSet<String>,
    executions: Vec<Execution>,
}

impl StepFunctions {
    pub(crate) fn new(account: &str, region: &str) -> Self {
        let arn_prefix = format!("arn:aws:states:{region}:{account}:");
        Self { arn_prefix, machines: BTreeSet::new(), executions: Vec::new() }
    }

    /// Makes a state machine that is a guard; gives its ARN.
    pub(crate) fn create_guard(&mut self, name: &str) -> String {
        let arn = format!("{}stateMachine:{name}", self.arn_prefix);
        self.machines.insert(arn.clone());
        arn
    }

    /// When the next execution makes a call.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.executions.iter().filter_map(Execution::due).min()
    }

    /// The next call of an execution, and which.
    pub(crate) fn next_call(&mut self) -> Option<(usize, Request<Bytes>)> {
        let running = self.executions.iter().enumerate().filter_map(|(index, one)| Some((one.due()?, index)));
        let (_, index) = running.min()?;
        Some((index, self.executions.get_mut(index)?.request()?))
    }

    /// What came of a call of this execution: a body, or the name of an error.
    pub(crate) fn answered(&mut self, index: usize, now: Time, answer: Result<Value, &str>) {
        if let Some(execution) = self.executions.get_mut(index) {
            execution.answered(now, answer);
        }
    }

    /// What each execution watches, and when, oldest first.
    pub(crate) fn runs(&self) -> Vec<GuardRun> {
        self.executions.iter().map(Execution::run).collect()
    }

    /// Status, and number of events so far, of each execution, oldest first.
    pub(crate) fn executions(&self) -> impl Iterator<Item = (&str, &'static str, u32)> {
        self.executions.iter().map(|execution| (execution.name.as_str(), execution.status, execution.events))
    }

    /// The operation that a request asks for; `None` if it is not for this service.
    pub(crate) fn operation(request: &Request<Bytes>) -> Option<String> {
        request.headers().get("x-amz-target")?.to_str().ok()?.strip_prefix(TARGET_PREFIX).map(str::to_owned)
    }

    /// The state machine or the execution that a request names.
    pub(crate) fn resource(request: &Request<Bytes>) -> String {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let named = ["stateMachineArn", "executionArn"].into_iter().find_map(|member| body[member].as_str().map(str::to_owned));
        named.unwrap_or_default()
    }

    /// What comes back, and the code of the error if it is one.
    pub(crate) fn answer(&mut self, now: Time, request: &Request<Bytes>, id: &str) -> (Response<Bytes>, Option<String>) {
        let operation = Self::operation(request).unwrap_or_default();
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        match self.perform(now, &operation, &body, id) {
            Ok(value) => (written(200, &present(value), id), None),
            Err(fault) => (refusal(&fault, id), Some(fault.code.into_owned())),
        }
    }

    /// A refusal before the service handles the request.
    pub(crate) fn refuse(fault: &Fault, id: &str) -> Response<Bytes> {
        let (status, code) = match fault.code.as_ref() {
            "Throttling" => (400, "ThrottlingException"),
            "ServiceUnavailable" => (503, "ServiceUnavailable"),
            "ConcurrentModificationException" => (400, "ConflictException"),
            "AccessDenied" => (400, "AccessDeniedException"),
            "ExpiredToken" => (400, "ExpiredTokenException"),
            _ => (fault.status, "InternalFailure"),
        };
        refusal(&Fault { status, code: code.into(), message: fault.message.clone() }, id)
    }

    fn perform(&mut self, now: Time, operation: &str, body: &Value, id: &str) -> Result<Value, Fault> {
        match operation {
            "StartExecution" => self.start(now, body, id),
            "DescribeExecution" => Ok(described(self.named(body)?)),
            "StopExecution" => {
                let arn = text(body, "executionArn")?.to_owned();
                let running = self.executions.iter_mut().find(|execution| execution.arn == arn);
                let execution = running.ok_or_else(|| no_execution(&arn))?;
                // One that has ended stays as it ended.
                if execution.stopped.is_none() {
                    execution.end(now, "ABORTED", body["error"].as_str());
                    execution.cause = body["cause"].as_str().map(str::to_owned);
                }
                Ok(json!({"stopDate": execution.stopped}))
            }
            "ListExecutions" => self.list(body),
            other => Err(client("UnknownOperationException", format!("The operation {other} is unknown to this simulation."))),
        }
    }

    fn start(&mut self, now: Time, body: &Value, id: &str) -> Result<Value, Fault> {
        let machine = self.machine(body)?;
        // One without a name gets one that nothing else has.
        let (name, input) = (body["name"].as_str().unwrap_or(id), body["input"].as_str().unwrap_or("{}"));
        if name.is_empty()
            || name.len() > 80
            || name.contains(|letter: char| letter.is_whitespace() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(letter))
        {
            return Err(client("InvalidName", format!("Invalid Name: '{name}'")));
        }
        if serde_json::from_str::<Value>(input).is_err() {
            return Err(client("InvalidExecutionInput", "Invalid State Machine Execution Input".to_owned()));
        }
        let arn = format!("{}:{name}", machine.replacen(":stateMachine:", ":execution:", 1));
        if let Some(known) = self.executions.iter().find(|execution| execution.arn == arn) {
            // The same start while it runs is the same execution; a name is free again 90 days after its end.
            if known.status == "RUNNING" && known.input == input {
                return Ok(json!({"executionArn": arn, "startDate": known.started}));
            }
            return Err(client("ExecutionAlreadyExists", format!("Execution Already Exists: '{arn}'")));
        }
        self.executions.push(Execution::new(arn.clone(), &machine, name, input, now));
        Ok(json!({"executionArn": arn, "startDate": now}))
    }

    fn list(&self, body: &Value) -> Result<Value, Fault> {
        let machine = self.machine(body)?;
        let wanted = |execution: &&Execution| {
            execution.machine == machine && body["statusFilter"].as_str().is_none_or(|status| execution.status == status)
        };
        // The newest first, in pages of a hundred where nothing else is said.
        let all: Vec<Value> = self.executions.iter().rev().filter(wanted).map(listed).collect();
        let start = match body["nextToken"].as_str() {
            None => 0,
            Some(token) => token.parse().map_err(|_| client("InvalidToken", format!("Invalid Token: '{token}'")))?,
        };
        let size =
            body["maxResults"].as_u64().filter(|size| *size > 0).and_then(|size| usize::try_from(size).ok()).unwrap_or(100);
        let next = (start + size < all.len()).then(|| (start + size).to_string());
        Ok(json!({"executions": all.into_iter().skip(start).take(size).collect::<Value>(), "nextToken": next}))
    }

    fn machine(&self, body: &Value) -> Result<String, Fault> {
        let machine = text(body, "stateMachineArn")?;
        if !machine.starts_with("arn:") {
            return Err(client("InvalidArn", format!("Invalid Arn: '{machine}'")));
        }
        let missing = || client("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{machine}'"));
        self.machines.get(machine).cloned().ok_or_else(missing)
    }

    fn named(&self, body: &Value) -> Result<&Execution, Fault> {
        let arn = text(body, "executionArn")?;
        self.executions.iter().find(|execution| execution.arn == arn).ok_or_else(|| no_execution(arn))
    }
}

fn listed(execution: &Execution) -> Value {
    json!({
        "executionArn": execution.arn, "stateMachineArn": execution.machine, "name": execution.name, "status": execution.status,
        "startDate": execution.started, "stopDate": execution.stopped,
    })
}

fn described(execution: &Execution) -> Value {
    let more =
        json!({"input": execution.input, "inputDetails": {"included": true}, "error": execution.error, "cause": execution.cause});
    crate::value::merged(listed(execution), more)
}

fn text<'v>(body: &'v Value, member: &str) -> Result<&'v str, Fault> {
    let missing = || {
        client(
            "ValidationException",
            format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
            ),
        )
    };
    body[member].as_str().filter(|text| !text.is_empty()).ok_or_else(missing)
}

fn no_execution(arn: &str) -> Fault {
    client("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
}

fn client(code: &'static str, message: String) -> Fault {
    Fault { status: 400, code: code.into(), message }
}

fn refusal(fault: &Fault, id: &str) -> Response<Bytes> {
    written(fault.status, &json!({"__type": fault.code, "message": fault.message}), id)
}

fn written(status: u16, value: &Value, id: &str) -> Response<Bytes> {
    response(status, "application/x-amz-json-1.0", value.to_string(), id)
}

const TARGET_PREFIX: &str = "AWSStepFunctions.";

#[cfg(test)]
mod tests {
    use super::*;

    /// One row of the notes that the definition's own expressions are held against, too.
    #[derive(serde::Deserialize)]
    struct Row {
        alias: Value,
        rollout: String,
        millis: u64,
        #[serde(rename = "final")]
        is_final: bool,
        live: bool,
        lease: u64,
        stable: String,
        description: String,
    }

    #[test]
    fn a_guard_reads_every_note_as_the_program_does() {
        let rows: Vec<Row> = serde_json::from_str(include_str!("../../../../scripts/interop.d/guard-notes.json")).unwrap();
        assert!(rows.len() > 20);
        for row in rows {
            let look = guard::look(&row.alias, &row.rollout, row.millis);
            assert_eq!((look.is_final, look.is_live, look.lease), (row.is_final, row.live, row.lease), "{}", row.alias);
            assert_eq!((look.stable, look.description), (row.stable, row.description), "{}", row.alias);
        }
    }
}
