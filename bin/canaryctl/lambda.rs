//! The controller's function: the same binary, started by the Lambda runtime. Each invocation is one turn of a detached rollout.

use std::error::Error;

use aws::{Aws, ClientOverrides, Invocation, Settings, connect};
use controller::port::{Answer, Cloud};
use controller::{Budget, Budgeted, Continued, Detached, Identity, Interrupt, continue_detached, lasts, shortest_poll};
use report::{Json, Reporter};
use rollout::event::Event;
use rollout::note::Owner;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::clock::RuntimeClock;
use crate::commands::tick::fields;
use crate::ui::print::{print_error, print_json};

/// Where the Lambda runtime is asked for invocations, if it started this process, and no command line did.
pub(crate) fn runtime() -> Option<String> {
    std::env::var("AWS_LAMBDA_RUNTIME_API").ok()
}

/// Answers invocations until the runtime ends the process.
pub(crate) async fn run(api: String) -> u8 {
    let error = match connect(Settings::default(), ClientOverrides::default()).await {
        Ok(aws) => loop {
            if let Err(error) = next(&aws, &api).await {
                break error;
            }
        },
        Err(error) => error,
    };
    print_error(&error.to_string());
    1
}

async fn next(aws: &Aws, api: &str) -> Answer<()> {
    let invocation = aws.next_invocation(api).await?;
    let answer = Box::pin(answer(aws, &invocation)).await;
    aws.answer_invocation(api, &invocation, answer.map_err(|error| error.to_string())).await
}

/// One turn of the rollout that the event tells of. Its events are lines of the function's log.
async fn answer(aws: &Aws, invocation: &Invocation) -> Result<Value, Box<dyn Error>> {
    let detached = Detached::read(serde_json::from_slice(&invocation.event)?)?;
    let lasts = lasts(aws.time(), invocation.deadline);
    let budget = Budget::looking_every(shortest_poll(detached.len()));
    let clock = RuntimeClock::Real;
    let cloud = Budgeted::new(aws, &clock, &budget);
    let mut tell = |event: &Event| {
        let mut line = Vec::new();
        let _ = Json::new(&mut line).event(event);
        print_json(&String::from_utf8_lossy(&line));
    };
    let identity = Identity { id: detached.rollout_id, owner: Owner::from_random(fastrand::u32(..)) };
    let (_untold, interrupt) = watch::channel(Interrupt::None);
    let turn = continue_detached(&cloud, &clock, (&detached, lasts, report::notice), identity, interrupt, &mut tell);
    let Continued { ticked, deleted } = turn.await?;
    if let Some(Err(error)) = &deleted {
        print_error(&format!("the schedule {} could not be deleted; the next turn tries again: {error}", detached.schedule));
    }
    let members = ticked.iter().map(|(subject, ticked)| report::object("tick", aws.time(), subject, fields(ticked)));
    Ok(json!({ "next": if deleted.is_some() { "done" } else { "wait" }, "functions": members.collect::<Vec<_>>() }))
}
