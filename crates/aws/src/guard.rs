//! How is an execution of the guard doing? Step Functions, which is asked once.

use controller::port::{Answer, Call, Failure, GuardSeen};
use rollout::Time;

use crate::connect::Aws;
use crate::error::failed;

impl Aws {
    pub(crate) async fn find_guard(&self, execution: &str) -> Answer<Option<GuardSeen>> {
        let request = self.step_functions().describe_execution().execution_arn(execution);
        match request.send().await.map_err(failed(Call::DescribeExecution)) {
            Ok(found) => Ok(Some(GuardSeen {
                status: found.status().as_str().to_owned(),
                started_at: Time::from_secs(u64::try_from(found.start_date().secs()).unwrap_or_default()),
            })),
            Err(error) if error.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
