//! How does a schedule reach the function that it invokes? By calls like any other's, with the same faults; one that fails is made again.

use bytes::Bytes;
use http::{Request, Response};

use super::{Answer, World};
use crate::cloudformation::Around;
use crate::time::Time;

impl World {
    /// Lets what a schedule has planned for then happen: an invocation, as a rule.
    pub(super) fn take_schedule_turn(&mut self, at: Time) {
        self.now = self.now.max(at);
        self.cloudwatch.advance(self.now);
        let Some(delivery) = self.scheduler.happen() else { return };
        let Some(request) = delivery.request() else { return };
        let failed = match self.answer(self.now, CALLER, &request).answer {
            Answer::Response(response) => {
                let status = response.status();
                // That a refusal for good is not tried again is a guess.
                status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS
            }
            // It may have invoked the function: then the next attempt is the second invocation.
            Answer::Lost | Answer::Hangs | Answer::Refused => true,
            Answer::Runs(_) => false,
        };
        if failed {
            self.scheduler.retry(self.now, delivery);
        }
    }

    /// Answers a call of a stack, which may make and delete groups of schedules.
    pub(super) fn ask_cloudformation(&mut self, request: &Request<Bytes>, id: &str) -> (Response<Bytes>, Option<String>) {
        let around = Around { now: self.now, uuid: id, settle: self.settings.settle, scheduler: &mut self.scheduler };
        self.cloudformation.answer(request, id, around)
    }

    /// Makes a group of schedules, as whoever sets an account up does.
    pub fn create_schedule_group(&mut self, name: &str) {
        self.scheduler.furnish_group(self.now, name);
    }

    /// Group and name of every schedule that is there.
    pub fn schedules(&self) -> Vec<(String, String)> {
        self.scheduler.names().cloned().collect()
    }
}

/// The access key id that the log shows for the invocations of schedules.
const CALLER: &str = "SCHEDULER";
