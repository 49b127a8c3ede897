//! How does a guard reach the account that it is in? By calls like any other's, with the same quotas and the same faults.

use serde_json::Value;

use super::{Answer, Reply, World};
use crate::step_functions::GuardRun;
use crate::time::Time;

impl World {
    /// Makes the call of an execution that is due then.
    pub(super) fn take_guard_turn(&mut self, at: Time) {
        self.now = self.now.max(at);
        self.cloudwatch.advance(self.now);
        let Some((index, request)) = self.step_functions.next_call() else { return };
        let Reply { answer, delay } = self.answer(self.now, CALLER, &request);
        let answered = match &answer {
            Answer::Response(response) if response.status().is_success() => {
                serde_json::from_slice::<Value>(response.body()).map_err(|_| "SdkClientException")
            }
            Answer::Response(response) => {
                let code = response.headers().get("x-amzn-errortype").and_then(|code| code.to_str().ok());
                Err(code.unwrap_or("SdkClientException"))
            }
            Answer::Lost | Answer::Hangs | Answer::Refused | Answer::Runs(_) => Err("SdkClientException"),
        };
        self.step_functions.answered(index, self.now + delay, answered);
    }

    /// Makes a state machine that is a guard of canaryctl; gives its ARN.
    pub fn create_guard(&mut self, name: &str) -> String {
        self.step_functions.create_guard(name)
    }

    /// Every execution so far, oldest first.
    pub fn guard_runs(&self) -> Vec<GuardRun> {
        self.step_functions.runs()
    }

    /// Name, status and number of events of every execution so far, oldest first.
    pub fn guards(&self) -> Vec<(String, &'static str, u32)> {
        self.step_functions.executions().map(|(name, status, events)| (name.to_owned(), status, events)).collect()
    }
}

/// The access key id that the log shows for the calls of guards.
const CALLER: &str = "GUARD";
