//! Many rollouts in one process keep to AWS' limits together, and the one that goes back does not queue behind the others.

use std::task::Poll;
use std::time::Duration;

use controller::{Budget, Budgeted, Identity, Interrupt, Request};
use rollout::event::Event;
use rollout::note::{Owner, RolloutId};
use rollout::plan::{Analysis, Latency, Mode};
use rollout::{Subject, Version};
use tokio::sync::watch;

use crate::stage::{Stage, play, short};

const COUNT: usize = 12;

fn name(index: usize) -> String {
    format!("function{index}")
}

/// Waits for all of these, side by side.
async fn all<F: Future<Output = u8>>(rollouts: impl Iterator<Item = F>) -> Vec<u8> {
    let mut running: Vec<_> = rollouts.map(Box::pin).collect();
    let mut codes = vec![None; running.len()];
    std::future::poll_fn(|context| {
        for (code, rollout) in codes.iter_mut().zip(&mut running).filter(|(code, _)| code.is_none()) {
            if let Poll::Ready(done) = rollout.as_mut().poll(context) {
                *code = Some(done);
            }
        }
        if codes.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    codes.into_iter().flatten().collect()
}

#[test]
fn twelve_rollouts_are_never_throttled_and_a_way_back_goes_first() {
    play(async {
        let stage = Stage::story("hello-idle").await;
        stage.with(|world| {
            for index in 0..COUNT {
                world.create_function(&name(index), &[("SIM_BODY", "old")]).unwrap();
                world.publish(&name(index), 1).unwrap();
                world.set_alias(&name(index), "live", "1", None).unwrap();
                world.set_environment(&name(index), &[("SIM_BODY", "new")]).unwrap();
                world.create_errors_alarm(&format!("alarm{index}"), &name(index), 1.0).unwrap();
            }
        });
        let budget = Budget::default();
        let cloud = Budgeted::new(&stage.aws, &stage.clock, &budget);
        let requests: Vec<Request> = (0..COUNT)
            .map(|index| Request {
                subject: Subject::parse(&name(index), None).unwrap(),
                alarms: vec![format!("alarm{index}")],
                poll: Duration::from_millis(500),
                ..short()
            })
            .collect();
        let run = async |index: usize| {
            let (_stop, heard) = watch::channel(Interrupt::None);
            let identity = Identity { id: RolloutId(fastrand::u32(..)), owner: Owner::from_random(fastrand::u32(..)) };
            let mut tell = |_: &Event| {};
            controller::rollout(&cloud, &stage.clock, &requests[index], identity, heard, &mut tell).await.exit_code
        };
        let red = async {
            while stage.with(|world| world.alias("function5", "live").unwrap().share("2")) == 0.0 {
                stage.sleep(1).await;
            }
            stage.sleep(10).await;
            stage.with(|world| world.set_alarm_state("alarm5", "ALARM")).unwrap();
            stage.now()
        };
        let (codes, red) = tokio::join!(all((0..COUNT).map(run)), red);
        let expected: Vec<u8> = (0..COUNT).map(|index| if index == 5 { 10 } else { 0 }).collect();
        assert_eq!(codes, expected);
        let refused = stage.with(|world| world.log().iter().filter(|call| call.status == 429).count());
        assert_eq!(refused, 0);
        let back = stage.with(|world| world.alias_writes("function5", "live").last().unwrap().at);
        // Twelve rollouts share five looks a second: one comes round in two and a half.
        assert!(back.since(red) < Duration::from_secs(4), "{:?}", back.since(red));
    });
}

/// A question holds 500 series: 83 pairs of versions with three series each, 41 where slow calls are compared too.
#[test]
fn a_hundred_rollouts_count_their_calls_in_two_questions_a_minute() {
    for (latency, many) in [(Latency::Ignore, 100), (Latency::Report, 50)] {
        play(async move {
            let stage = Stage::story("hello-idle").await;
            stage.with(|world| {
                for index in 0..many {
                    world.create_function(&name(index), &[("SIM_TRAFFIC_RPS", "10")]).unwrap();
                    world.publish(&name(index), 1).unwrap();
                    world.publish(&name(index), 2).unwrap();
                    world.set_alias(&name(index), "live", "1", None).unwrap();
                }
            });
            // So much traffic that the limits of both percentiles are known, where it matters; then hardly any.
            stage.sleep(if latency == Latency::Ignore { 1 } else { 130 }).await;
            for index in 0..many {
                stage.with(|world| world.set_environment(&name(index), &[("SIM_TRAFFIC_RPS", "0.2")]).unwrap());
            }
            stage.sleep(150).await;
            let budget = Budget::default();
            let cloud = Budgeted::new(&stage.aws, &stage.clock, &budget);
            let run = async |index: usize| {
                let (_stop, heard) = watch::channel(Interrupt::None);
                let identity = Identity { id: RolloutId(fastrand::u32(..)), owner: Owner::from_random(fastrand::u32(..)) };
                let request = Request {
                    subject: Subject::parse(&name(index), None).unwrap(),
                    version: Version::new(2),
                    schedule: "Canary10Percent6Minutes".parse().unwrap(),
                    alarms: Vec::new(),
                    poll: Duration::from_secs(30),
                    bake: Some(Duration::ZERO),
                    analysis: Analysis { mode: Mode::On, latency, ..Analysis::default() },
                    ..short()
                };
                let mut tell = |_: &Event| {};
                controller::rollout(&cloud, &stage.clock, &request, identity, heard, &mut tell).await.exit_code
            };
            assert_eq!(all((0..many).map(run)).await, vec![0; many]);
            let (begun, first_end) = stage.with(|world| {
                let first = |index: usize, meant: fn(f64) -> bool| {
                    let name = name(index);
                    world.alias_writes(&name, "live").find(|write| meant(write.after().unwrap().share("2"))).unwrap().at
                };
                let begun = (0..many).map(|index| first(index, |share| share > 0.0)).max();
                begun.zip((0..many).map(|index| first(index, |share| share >= 1.0)).min()).unwrap()
            });
            // From the first full minute on in which all of them are there, to the last one before they are counted for a step.
            let minute = |at: sim::Time| at.as_millis() / 60_000;
            let asked: Vec<i64> = stage.with(|world| {
                world.log().iter().filter(|call| call.operation == "GetMetricData").map(|call| minute(call.at)).collect()
            });
            let side_by_side = minute(begun) + 1..minute(first_end) - 1;
            assert!(side_by_side.clone().count() >= 3, "they did not run side by side: {begun:?} {first_end:?}");
            let of = |minute: i64| asked.iter().filter(|at| **at == minute).count();
            let each: Vec<usize> = side_by_side.map(of).collect();
            // What somebody's first look has brought a moment before serves the others too: a minute may do without.
            let every = each.iter().filter(|count| **count > 0).all(|count| *count == 2);
            assert!(every && each.iter().filter(|count| **count == 0).count() <= 1, "with {latency:?}: {each:?}");
        });
    }
}
