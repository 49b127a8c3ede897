//! How many calls a minute does a group cost? Counted in the simulated AWS' log for 1, 10 and 100 functions with an alarm each, calls
//! compared, in the minutes in which all stand at one share.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark tells its figures")]

#[expect(dead_code, reason = "what the simulation needs besides")]
#[path = "../harness/mod.rs"]
mod harness;
#[expect(dead_code, reason = "the benchmark plays on the stories' stage and needs little of it")]
#[path = "../scenarios/stage.rs"]
mod stage;

use std::collections::BTreeMap;
use std::time::Duration;

use controller::{Budget, Budgeted, Identity, Interrupt, Request, group, shortest_poll};
use rollout::Subject;
use rollout::event::Event;
use rollout::note::{Owner, RolloutId};
use rollout::plan::{Analysis, Latency, Mode};
use rollout::policy::Policy;
use tokio::sync::watch;

use crate::stage::{Stage, play, short};

const MINUTES: u64 = 5;

fn name(index: usize) -> String {
    format!("function{index:03}")
}

/// The calls of each operation in some minutes in the middle of a group's rollout.
fn count(many: usize) -> (Duration, BTreeMap<String, usize>) {
    play(async {
        let stage = Stage::story("hello-idle").await;
        stage.with(|world| {
            for index in 0..many {
                world.create_function(&name(index), &[("SIM_TRAFFIC_RPS", "1")]).unwrap();
                world.publish(&name(index), 1).unwrap();
                world.set_alias(&name(index), "live", "1", None).unwrap();
                world.set_environment(&name(index), &[("SIM_TRAFFIC_RPS", "1"), ("SIM_BODY", "new")]).unwrap();
                world.create_errors_alarm(&format!("alarm{index:03}"), &name(index), 1.0).unwrap();
            }
        });
        stage.sleep(120).await;
        let analysis = Analysis { mode: Mode::On, latency: Latency::Ignore, ..Analysis::default() };
        let request = |index: usize| Request {
            subject: Subject::parse(&name(index), None).unwrap(),
            alarms: vec![format!("alarm{index:03}")],
            schedule: "Canary10Percent10Minutes".parse().unwrap(),
            observations: false,
            policy: Policy { analysis, ..short().policy },
            ..short()
        };
        let requests: Vec<Request> = (0..many).map(request).collect();
        let poll = requests[0].poll.max(shortest_poll(many));
        let budget = Budget::looking_every(poll);
        let cloud = Budgeted::new(&stage.aws, &stage.clock, &budget);
        let identity = Identity { id: RolloutId(7), owner: Owner::from_random(7) };
        let (_stop, heard) = watch::channel(Interrupt::None);
        let mut tell = |_: &Event| {};
        let rollout = group(&cloud, &stage.clock, &requests, identity, heard, &mut tell);
        let counted = async {
            while stage.with(|world| (0..many).any(|index| world.alias(&name(index), "live").unwrap().share("2") == 0.0)) {
                stage.sleep(1).await;
            }
            stage.sleep(60).await;
            let from = stage.now();
            stage.sleep(60 * MINUTES).await;
            let mut calls: BTreeMap<String, usize> = BTreeMap::new();
            stage.with(|world| {
                for call in world.log().iter().filter(|call| call.at >= from) {
                    *calls.entry(call.operation.clone()).or_default() += 1;
                }
            });
            calls
        };
        let (ended, calls) = tokio::join!(rollout, counted);
        assert_eq!(ended.exit_code, 0);
        (poll, calls)
    })
}

fn main() {
    println!("calls a minute while all stand at one share, an alarm each, calls compared:");
    for many in [1, 10, 100] {
        let (poll, calls) = count(many);
        let a_minute = |calls: usize| f64::from(u32::try_from(calls).unwrap()) / f64::from(u32::try_from(MINUTES).unwrap());
        let shown: Vec<String> = calls.iter().map(|(name, calls)| format!("{name} {:.1}", a_minute(*calls))).collect();
        println!("{many:>4} functions, a look every {} s: {}", poll.as_secs_f64(), shown.join(", "));
    }
}
