//! Many rollouts in one process keep to AWS' limits together, and the one that goes back does not queue behind the others.

use std::time::Duration;

use aws::Aws;
use controller::port::{Cloud, Failure};
use controller::{Budget, Budgeted, Interrupt, Request};
use futures_util::future::join_all;
use rollout::event::{Event, EventKind};
use rollout::plan::{Latency, Mode};
use rollout::{Time, Version};
use sim::{CallRecord, Effect, Fault, World};
use tokio::sync::watch;

use crate::groups::{self, name, subject};
use crate::harness::{Sleeper, identity};
use crate::stage::{Stage, play, play_on, request, short, with};

const COUNT: usize = 12;

/// One rollout of the process, to its exit code.
async fn run(cloud: &Budgeted<'_, Aws, Sleeper>, stage: &Stage, request: &Request) -> u8 {
    let (_stop, heard) = watch::channel(Interrupt::None);
    controller::rollout(cloud, &stage.clock, request, identity(), heard, &mut |_: &Event| {}).await.exit_code
}

/// As many functions with this traffic, a version to roll out, and nothing but calls to judge it by.
fn furnish(stage: &Stage, many: usize, calls_a_second: &str) {
    stage.with(|world| {
        for index in 0..many {
            world.create_function(&name(index), &[("SIM_TRAFFIC_RPS", calls_a_second)]).unwrap();
            world.publish(&name(index), 1).unwrap();
            world.publish(&name(index), 2).unwrap();
            world.set_alias(&name(index), "live", "1", None).unwrap();
        }
    });
}

fn compared(index: usize, schedule: &str, poll: u64, latency: Latency) -> Request {
    let compared = with(short(), |policy| {
        (policy.poll, policy.bake) = (Duration::from_secs(poll), Some(Duration::ZERO));
        (policy.analysis.mode, policy.analysis.latency) = (Mode::On, latency);
    });
    let (subject, schedule) = (subject(index), schedule.parse().unwrap());
    Request { subject, version: Version::new(2), schedule, alarms: Vec::new(), ..compared }
}

/// Waits for all of these, side by side. Boxed: a rollout is much for the stack of a thread.
async fn all<F: Future<Output = u8>>(rollouts: impl Iterator<Item = F>) -> Vec<u8> {
    join_all(rollouts.map(Box::pin)).await
}

#[test]
fn twelve_rollouts_are_never_throttled_and_a_way_back_goes_first() {
    play(async {
        let stage = groups::stage(COUNT).await;
        let budget = Budget::looking_every(Duration::from_millis(500), COUNT);
        let cloud = Budgeted::new(&stage.aws, &stage.clock, &budget);
        let often = |request| with(request, |policy| policy.poll = Duration::from_millis(500));
        let requests: Vec<Request> = groups::requests(COUNT).into_iter().rev().map(often).collect();
        let run = |index: usize| run(&cloud, &stage, &requests[index]);
        let red = async {
            stage.until(|| stage.with(|world| world.alias("function05", "live").unwrap().share("2")) > 0.0).await;
            stage.sleep(10).await;
            stage.with(|world| world.set_alarm_state("alarm05", "ALARM")).unwrap();
            stage.now()
        };
        let (codes, red) = tokio::join!(all((0..COUNT).map(run)), red);
        let expected: Vec<u8> = (0..COUNT).map(|index| if index == 5 { 10 } else { 0 }).collect();
        assert_eq!(codes, expected);
        let refused = stage.with(|world| world.log().iter().filter(|call| call.status == 429).count());
        assert_eq!(refused, 0);
        let back = stage.with(|world| world.alias_writes("function05", "live").last().unwrap().at);
        // Twelve rollouts share five looks a second: one comes round in two and a half, and may just have looked.
        assert!(back.since(red) < Duration::from_secs(5), "{:?}", back.since(red));
    });
}

/// A question holds 500 series: 83 pairs of versions with three series each, 41 where slow calls are compared too.
#[test]
fn a_hundred_rollouts_count_their_calls_in_two_questions_a_minute() {
    for (latency, many) in [(Latency::Ignore, 100), (Latency::Report, 50)] {
        play_on("hello-idle", async |stage| {
            furnish(&stage, many, "10");
            // So much traffic that the limits of both percentiles are known, where it matters; then hardly any.
            stage.sleep(if latency == Latency::Ignore { 1 } else { 130 }).await;
            for index in 0..many {
                stage.with(|world| world.set_environment(&name(index), &[("SIM_TRAFFIC_RPS", "0.2")]).unwrap());
            }
            stage.sleep(150).await;
            let budget = Budget::default();
            let cloud = Budgeted::new(&stage.aws, &stage.clock, &budget);
            let requests: Vec<Request> = (0..many).map(|index| compared(index, "Canary10Percent6Minutes", 30, latency)).collect();
            let run = |index: usize| run(&cloud, &stage, &requests[index]);
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
            // The first minute may do with less: what somebody's first look has brought a moment before serves others too.
            let (first, later) = each.split_first().unwrap();
            assert!(*first <= 2 && later.iter().all(|count| *count == 2), "with {latency:?}: {each:?}");
        });
    }
}

/// CloudWatch answers nine questions about alarms a second, and each of a hundred members asks for its own before any traffic moves.
#[test]
fn a_group_of_a_hundred_is_not_refused_because_it_asks_for_its_alarms_too_fast() {
    play(async {
        let stage = groups::stage(100).await;
        let quick = |request| with(request, |policy| policy.bake = Some(Duration::ZERO));
        let quick = |request| Request { schedule: "AllAtOnce".parse().unwrap(), ..quick(request) };
        let requests: Vec<Request> = groups::requests(100).into_iter().map(quick).collect();
        groups::run(&stage, &requests, 7).await.exits(0);
        groups::all_are(&stage, 100, "2", "promoted");
        let throttled = |call: &&CallRecord| {
            call.error.as_deref().is_some_and(|error| ["Throttling", "TooManyRequestsException"].contains(&error))
        };
        assert_eq!(stage.with(|world| world.log().iter().filter(throttled).count()), 0);
    });
}

/// Of a hundred each alias comes round every 25 seconds; their alarms are read every five all the same, in one question.
#[test]
fn an_alarm_of_one_of_a_hundred_is_noticed_as_quickly_as_the_alarm_of_one() {
    play(async {
        let stage = groups::stage(100).await;
        let slow = |request| Request { schedule: "Canary10Percent10Minutes".parse().unwrap(), ..request };
        let slow = |request| slow(with(request, |policy| policy.poll = Duration::from_secs(5)));
        let requests: Vec<Request> = groups::requests(100).into_iter().map(slow).collect();
        let red = async {
            let weighted =
                || stage.with(|world| (0..100).all(|index| world.alias(&name(index), "live").unwrap().share("2") > 0.0));
            stage.until(weighted).await;
            stage.sleep(40).await;
            stage.with(|world| world.set_alarm_state("alarm37", "ALARM")).unwrap();
            stage.now()
        };
        let (ended, red) = tokio::join!(groups::run(&stage, &requests, 7), red);
        ended.exits(10);
        let back = |index: usize| stage.with(|world| world.alias_writes(&name(index), "live").last().unwrap().at.since(red));
        assert!(back(37) < Duration::from_secs(7), "{:?}", back(37));
        // The others go at the rate that the account has for them.
        let last = (0..100).map(back).max().unwrap();
        assert!(last < Duration::from_secs(20), "{last:?}");
        let asked = |call: &&CallRecord| call.operation == "DescribeAlarms" && call.at < red && red.since(call.at).as_secs() < 40;
        let asked = stage.with(|world| world.log().iter().filter(asked).count());
        assert!(asked <= 10, "{asked}");
    });
}

#[test]
fn what_fails_is_asked_again_by_one_for_all_and_not_for_ever() {
    play_on("hello-idle", async |stage| {
        furnish(&stage, COUNT, "0.2");
        let budget = Budget::default();
        let cloud = Budgeted::new(&stage.aws, &stage.clock, &budget);
        let requests: Vec<Request> =
            (0..COUNT).map(|index| compared(index, "Canary10Percent4Minutes", 5, Latency::Ignore)).collect();
        let run = |index: usize| run(&cloud, &stage, &requests[index]);
        let outage = async {
            stage.sleep(90).await;
            stage.with(|world| world.add_fault(Fault::on("GetMetricData", Effect::ServerError(500))));
            let before = stage.calls("GetMetricData");
            stage.sleep(60).await;
            stage.with(World::clear_faults);
            stage.calls("GetMetricData") - before
        };
        let (codes, asked) = tokio::join!(all((0..COUNT).map(run)), outage);
        assert_eq!(codes, vec![0; COUNT]);
        // Twelve of them, every five seconds, three attempts each, would be 432; one for all makes a third of a minute's seconds
        // at the most, with the three attempts.
        assert!((6..=60).contains(&asked), "{asked}");
    });
}

/// Each with a budget of its own, as of a matrix in CI: AWS refuses most of what they ask, and none of them gives up.
#[test]
fn jobs_that_begin_at_the_same_time_wait_until_the_account_has_calls_left() {
    play_on("hello-idle", async |stage| {
        let many = 30;
        furnish(&stage, many, "0");
        let began = stage.now();
        let jobs = (0..many).map(async |index| {
            let stage = stage.as_caller(&format!("JOB{index}")).await;
            let budget = Budget::default();
            let cloud = Budgeted::new(&stage.aws, &stage.clock, &budget);
            let request = Request { subject: subject(index), alarms: Vec::new(), version: Version::new(2), ..short() };
            let ((_stop, heard), mut told) = (watch::channel(Interrupt::None), false);
            let mut tell = |event: &Event| {
                told |= matches!(&event.what, EventKind::HoldingStep { why } if why.contains("the account makes more calls than AWS takes"));
            };
            let code = controller::rollout(&cloud, &stage.clock, &request, identity(), heard, &mut tell).await.exit_code;
            (code, told)
        });
        let ended = join_all(jobs.map(Box::pin)).await;
        assert!(ended.iter().all(|(code, _)| *code == 0) && ended.iter().any(|(_, told)| *told), "{ended:?}");
        stage.with(|world| {
            let refused = world.log().iter().filter(|call| call.status == 429).count();
            let shifts = |call: &&CallRecord| call.after().unwrap().share("2") > 0.0;
            let first = |index| world.alias_writes(&name(index), "live").find(shifts).unwrap().at;
            let last = (0..many).map(|index| first(index).since(began)).max().unwrap();
            assert!(refused > 500 && last < Duration::from_mins(1), "{refused}, the last at 10% after {last:?}");
        });
    });
}

/// Whoever looks at the same moment as too many others is refused at every look: it is answered only because chance moves its other attempts.
#[test]
fn a_read_has_three_attempts_however_often_the_ones_before_it_were_refused() {
    play_on("hello-idle", async |stage| {
        for operation in ["GetAlias", "DescribeAlarms"] {
            stage.with(|world| world.add_fault(Fault::on(operation, Effect::Throttle)));
        }
        let (subject, names) = (request().subject, ["HelloFooAlarm".to_owned()]);
        let looks = 120;
        for _ in 0..looks {
            let (alias, alarms) = tokio::join!(stage.aws.alias(&subject), stage.aws.alarms(&names, Time::default()));
            assert_eq!([alias.unwrap_err().failure, alarms.unwrap_err().failure], [Failure::Throttled; 2]);
        }
        assert_eq!([stage.calls("GetAlias"), stage.calls("DescribeAlarms")], [3 * looks; 2]);
    });
}
