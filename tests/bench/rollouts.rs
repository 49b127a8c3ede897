//! How many whole rollouts a second go through the simulation on one core? The real SDK, controller and simulated AWS, virtual time.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark tells its figures")]

#[expect(dead_code, reason = "what the simulation needs besides")]
#[path = "../harness/mod.rs"]
mod harness;
#[expect(dead_code, reason = "the benchmark plays on the stories' stage and needs little of it")]
#[path = "../scenarios/stage.rs"]
mod stage;

use rollout::policy::Policy;
use std::time::{Duration, Instant};

use controller::Request;

use crate::stage::{Stage, play, request, short};

/// Plays rollouts for a few seconds; gives how many, their calls, their virtual time, and how long it really took.
fn measure(name: &str, story: &str, request: &Request) {
    let began = Instant::now();
    let (mut rollouts, mut calls, mut virtual_time) = (0_u32, 0, Duration::ZERO);
    while began.elapsed() < Duration::from_secs(4) {
        let (called, took) = play(async {
            let stage = Stage::story(story).await;
            let opened = stage.now();
            stage.rollout(request).await.exits(0);
            (stage.with(|world| world.log().len()), stage.now().since(opened))
        });
        rollouts += 1;
        calls += called;
        virtual_time += took;
    }
    let took = began.elapsed().as_secs_f64();
    let per_second = f64::from(rollouts) / took;
    println!(
        "{name}: {per_second:.0} rollouts a second ({} calls and {:.0} virtual seconds each)",
        calls / usize::try_from(rollouts).unwrap(),
        virtual_time.as_secs_f64() / f64::from(rollouts)
    );
}

fn main() {
    measure(
        "AllAtOnce, one alarm, 3m bake, idle  ",
        "hello-idle",
        &Request { schedule: "AllAtOnce".parse().unwrap(), ..short_idle() },
    );
    measure("Linear10PercentEvery1Minute, hooks, idle", "hello-idle", &request());
    measure("the same at 10 calls a second           ", "hello", &request());
}

fn short_idle() -> Request {
    Request { policy: Policy { bake: None, ..short().policy }, ..short() }
}
