//! Does the candidate answer a test event? What stands in for calls where nobody calls.

use rollout::comparison::Probe;
use rollout::target::Qualified;

use crate::hooks::{invoke, tail, thrown};
use crate::port::{Clock, Cloud};

/// Sends the event so many times, one after the other, and stops at the first that is not answered well.
pub(crate) async fn probe<C: Cloud, K: Clock>(cloud: &C, clock: &K, candidate: &Qualified, event: &[u8], count: u32) -> Probe {
    for number in 1..=count {
        let which = format!("test event {number} of {count}");
        let reply = match invoke(cloud, clock, candidate, event).await {
            Ok(reply) => reply,
            Err(error) => return Probe::Unsent(format!("{which} got no response: {error}")),
        };
        if let Some(kind) = &reply.function_error {
            let why = thrown(&String::from_utf8_lossy(&reply.payload));
            return Probe::Failed(format!("the new version failed on {which}: {why} ({kind}){}", tail(&reply.log)));
        }
    }
    Probe::Passed(count)
}
