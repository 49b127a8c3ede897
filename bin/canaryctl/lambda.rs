//! The controller's function: the same binary, started by the Lambda runtime. Each invocation is one turn of a detached rollout, or
//! one of each.

use std::cell::RefCell;
use std::time::Duration;

use aws::{Aws, ClientOverrides, Settings, connect};
use controller::port::Cloud;
use controller::{
    Asked, Budget, Budgeted, Clocked, Continued, Detached, Fleet, FleetTurns, Identity, Interrupt, Notice, continue_all,
    continue_detached, lasts, shortest_poll,
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use report::{Json, Reporter};
use rollout::Time;
use rollout::event::Event;
use rollout::note::Owner;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::clock::RuntimeClock;
use crate::commands::tick::fields;
use crate::ui::print::{print_error, print_json};

/// Whether this process was started by the Lambda runtime, and by no command line.
pub(crate) fn is_runtime() -> bool {
    std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// Answers invocations until the runtime ends the process.
pub(crate) async fn run() -> u8 {
    let aws = match connect(Settings::default(), ClientOverrides::default()).await {
        Ok(aws) => aws,
        Err(error) => {
            print_error(&error.to_string());
            return 1;
        }
    };
    let fleet = RefCell::default();
    let answered = lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| answer(&aws, &fleet, event).await)).await;
    answered.map_or_else(
        |error| {
            print_error(&error.to_string());
            1
        },
        |()| 0,
    )
}

/// Does what the event asks for. The events of rollouts are lines of the function's log.
async fn answer(aws: &Aws, fleet: &RefCell<Fleet>, LambdaEvent { payload, context }: LambdaEvent<Value>) -> Result<Value, Error> {
    let lasts = lasts(aws.time(), Time::from_millis(context.deadline));
    match Asked::read(payload)? {
        Asked::Turn(detached) => Box::pin(one(aws, &detached, lasts)).await,
        Asked::Turns(clocked) => Box::pin(all(aws, fleet, &clocked, lasts)).await,
    }
}

fn tell(event: &Event) {
    let mut line = Vec::new();
    let _ = Json::new(&mut line).event(event);
    print_json(&String::from_utf8_lossy(&line));
}

/// Turns of all rollouts.
async fn all(aws: &Aws, fleet: &RefCell<Fleet>, clocked: &Clocked, lasts: Duration) -> Result<Value, Error> {
    let (_untold, interrupt) = watch::channel(Interrupt::None);
    // A process has one invocation at a time.
    let mut known = fleet.take();
    let asked = (clocked, lasts, report::notice as Notice);
    let turns = continue_all((aws, &RuntimeClock::Real), &mut known, asked, interrupt, &mut tell).await;
    fleet.replace(known);
    let FleetTurns { rollouts, turns, over, problems } = turns?;
    for problem in &problems {
        print_error(problem);
    }
    Ok(json!({ "rollouts": rollouts, "turns": turns, "over": over, "problems": problems }))
}

/// One turn of this rollout.
async fn one(aws: &Aws, detached: &Detached, lasts: Duration) -> Result<Value, Error> {
    let budget = Budget::looking_every(shortest_poll(detached.len()), detached.len());
    let clock = RuntimeClock::Real;
    let cloud = Budgeted::new(aws, &clock, &budget);
    let identity = Identity { id: detached.rollout_id, owner: Owner::from_random(fastrand::u32(..)) };
    let (_untold, interrupt) = watch::channel(Interrupt::None);
    let mut tell = tell;
    let turn = continue_detached(&cloud, &clock, (detached, lasts, report::notice), identity, interrupt, &mut tell);
    let Continued { ticked, deleted } = Box::pin(turn).await?;
    if let Some(Err(error)) = &deleted {
        print_error(&format!("the schedule {} could not be deleted; the next turn tries again: {error}", detached.schedule));
    }
    let members = ticked.iter().map(|(subject, ticked)| report::object("tick", aws.time(), subject, fields(ticked)));
    Ok(json!({ "next": if deleted.is_some() { "done" } else { "wait" }, "functions": members.collect::<Vec<_>>() }))
}
