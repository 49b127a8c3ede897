//! Does the candidate answer a saved event? What stands in for calls where nobody calls.

use rollout::subject::Qualified;

use crate::cloud::{Clock, Cloud};
use crate::hooks::{invoke, tail, thrown};

/// Sends the event so many times, one after the other, and stops at the first that is not answered well.
pub(crate) async fn probe<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    candidate: &Qualified,
    event: &[u8],
    count: u32,
) -> Result<u32, String> {
    for number in 1..=count {
        let which = format!("saved event {number} of {count}");
        let reply = invoke(cloud, clock, candidate, event).await.map_err(|error| format!("{which} had no answer: {error}"))?;
        if let Some(kind) = &reply.function_error {
            let why = thrown(&String::from_utf8_lossy(&reply.payload));
            return Err(format!("the candidate failed at {which}: {why} ({kind}){}", tail(&reply.log)));
        }
    }
    Ok(count)
}
