//! What does a group cost, in calls, memory and processor time? Groups of 1, 10, 100 and 1,000 functions with an alarm each, calls compared,
//! are rolled out to the end, each in a process of its own. Calls are counted in the simulated AWS' log: those of each operation in the
//! minutes in which all stand at one share. Memory and time are those of the whole process, the simulated AWS included.

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

/// Invocations a second: hardly any, because what the simulated AWS keeps of each is no memory of canaryctl.
const RARELY: &str = "0.001";

/// What goes to CloudWatch; everything else that a group calls is Lambda.
const CLOUDWATCH: [&str; 3] = ["DescribeAlarms", "DescribeAlarmHistory", "GetMetricData"];

fn name(index: usize) -> String {
    format!("function{index:04}")
}

/// What a group's rollout took.
struct Cost {
    poll: Duration,
    /// The calls of each operation in some minutes in the middle.
    calls: BTreeMap<String, usize>,
    /// The calls of Lambda in the ten seconds that have most of them.
    busiest: usize,
    /// How long it took until all had their first weight, and until the end.
    weighted: Duration,
    ended: Duration,
}

fn cost(many: usize) -> Cost {
    play(async {
        let stage = Stage::story("hello-idle").await;
        stage.with(|world| {
            for index in 0..many {
                world.create_function(&name(index), &[("SIM_TRAFFIC_RPS", RARELY)]).unwrap();
                world.publish(&name(index), 1).unwrap();
                world.set_alias(&name(index), "live", "1", None).unwrap();
                world.set_environment(&name(index), &[("SIM_TRAFFIC_RPS", RARELY), ("SIM_BODY", "new")]).unwrap();
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
        let budget = Budget::looking_every(requests[0].poll, many);
        let cloud = Budgeted::new(&stage.aws, &stage.clock, &budget);
        let identity = Identity { id: RolloutId(7), owner: Owner::from_random(7) };
        let (_stop, heard) = watch::channel(Interrupt::None);
        let mut tell = |_: &Event| {};
        let began = stage.now();
        // Judged at its end: of a group that has failed there is no minute to wait for.
        let rollout = async {
            let ended = group(&cloud, &stage.clock, &requests, identity, heard, &mut tell).await;
            assert_eq!(ended.exit_code, 0, "{:?}", ended.endings.iter().map(|ending| &ending.reason).collect::<Vec<_>>());
            stage.now().since(began)
        };
        let counted = async {
            while stage.with(|world| (0..many).any(|index| world.alias(&name(index), "live").unwrap().share("2") == 0.0)) {
                stage.sleep(1).await;
            }
            let weighted = stage.now().since(began);
            stage.sleep(60).await;
            let from = stage.now();
            stage.sleep(60 * MINUTES).await;
            let mut calls: BTreeMap<String, usize> = BTreeMap::new();
            stage.with(|world| {
                for call in world.log().iter().filter(|call| call.at >= from) {
                    *calls.entry(call.operation.clone()).or_default() += 1;
                }
            });
            (calls, weighted)
        };
        let (ended, (calls, weighted)) = tokio::join!(rollout, counted);
        let busiest = stage.with(|world| {
            assert!((0..many).all(|index| world.alias(&name(index), "live").unwrap().version == "2"), "not all are promoted");
            let mut spans: BTreeMap<i64, usize> = BTreeMap::new();
            for call in world.log().iter().filter(|call| !CLOUDWATCH.contains(&call.operation.as_str())) {
                *spans.entry(call.at.as_millis() / 10_000).or_default() += 1;
            }
            spans.into_values().max().unwrap_or_default()
        });
        Cost { poll, calls, busiest, weighted, ended }
    })
}

/// The most memory that this process has had, in MiB, and the seconds that it has computed; only Linux says so.
fn used() -> Option<(f64, f64)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak: f64 = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()?;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name before may have spaces; then come the state, ten other numbers, and the time in user and system mode, in hundredths.
    let ticks = stat.rsplit(')').next()?.split_whitespace().skip(11).take(2).map(|number| number.parse::<f64>().unwrap());
    Some((peak / 1_024.0, ticks.sum::<f64>() / 100.0))
}

fn tell(many: usize) {
    let Cost { poll, calls, busiest, weighted, ended } = cost(many);
    let a_minute = |calls: usize| f64::from(u32::try_from(calls).unwrap()) / f64::from(u32::try_from(MINUTES).unwrap());
    let shown: Vec<String> = calls.iter().map(|(name, calls)| format!("{name} {:.1}", a_minute(*calls))).collect();
    println!("{many:>5} functions, an alias is read every {} s: {}", poll.as_secs_f64(), shown.join(", "));
    let (weighted, ended) = (weighted.as_secs(), ended.as_secs());
    println!(
        "      at most {busiest} calls of Lambda in ten seconds; all at 10% after {weighted} s, all promoted after {ended} s"
    );
    if let Some((peak, computed)) = used() {
        println!("      {peak:.0} MiB at most, {computed:.2} s of processor time");
    }
}

fn main() {
    if let Some(many) = std::env::var_os("FUNCTIONS") {
        return tell(many.to_str().unwrap().parse().unwrap());
    }
    println!("calls a minute while all stand at one share, an alarm each, calls compared:");
    for many in ["1", "10", "100", "1000"] {
        let itself = std::env::current_exe().unwrap();
        assert!(std::process::Command::new(itself).env("FUNCTIONS", many).status().unwrap().success());
    }
}
