//! How is the guard of a rollout started, and how is it doing? Step Functions, which is asked once for each.

use controller::port::{Answer, Call, Failure, GuardExecution, GuardSeen};
use rollout::Time;
use serde_json::json;

use crate::connect::Aws;
use crate::error::unreadable;

impl Aws {
    pub(crate) async fn begin_guard(&self, execution: &GuardExecution) -> Answer<()> {
        let GuardExecution { machine, name, input } = execution;
        let asked = json!({"stateMachineArn": machine, "name": name, "input": input});
        self.step_functions(Call::StartExecution, &asked).await.map(drop)
    }

    pub(crate) async fn find_guard(&self, execution: &str) -> Answer<Option<GuardSeen>> {
        let operation = Call::DescribeExecution;
        match self.step_functions(operation, &json!({"executionArn": execution})).await {
            Ok(found) => {
                // Seconds since 1970, with a fraction.
                let started = found["startDate"].as_f64().ok_or_else(|| unreadable(operation, "it says no start"))?;
                let status = found["status"].as_str().ok_or_else(|| unreadable(operation, "it says no status"))?;
                Ok(Some(GuardSeen { status: status.to_owned(), started_at: Time::from_secs(whole(started)) }))
            }
            Err(error) if error.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
fn whole(seconds: f64) -> u64 {
    seconds as u64
}
