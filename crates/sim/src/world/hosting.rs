//! How does the code of a function run that is not this simulation's? Whoever has the code takes its invocations, and ends them.

use bytes::Bytes;

use super::World;
use crate::lambda::{Ending, Invocation};
use crate::time::Time;
use crate::wire;

impl World {
    /// From now on the code of this function is the caller's: [`World::take_invocation`] has its invocations, of every version.
    ///
    /// There need not be a function of this name yet. What its environment says of its behaviour no longer counts.
    pub fn host(&mut self, function: &str) {
        self.lambda.host(function);
    }

    /// The next invocation of a hosted function that nobody has taken yet. It has begun already, and runs until it is ended or its time is up.
    pub fn take_invocation(&mut self, function: &str) -> Option<Invocation> {
        self.lambda.hosted.take(function)
    }

    /// Ends an invocation as its code did. One whose time is up has ended before, and stays so.
    pub fn end_invocation(&mut self, id: u64, ending: Ending) {
        self.lambda.end(self.now, id, ending, &mut self.cloudwatch);
    }

    /// The response to a call whose answer is [`Answer::Runs`](super::Answer::Runs), once; `None` while the function runs.
    pub fn answer_to(&mut self, id: u64) -> Option<http::Response<Bytes>> {
        let (done, request_id) = self.lambda.answer_to(id)?;
        let mut response = wire::lambda_response(Ok(done), &request_id);
        self.stamp(&mut response);
        Some(response)
    }

    /// When a schedule or a hosted function does something next without a call.
    pub(crate) fn next_turn(&self) -> Option<Time> {
        self.scheduler.next_due().into_iter().chain(self.lambda.hosted.next_due()).min()
    }

    /// Whether there is something new for those who wait for invocations or answers, since this was last asked.
    pub(crate) fn take_news(&mut self) -> bool {
        // Both are asked, so that neither is news again.
        self.scheduler.take_news() | self.lambda.hosted.take_news()
    }
}
