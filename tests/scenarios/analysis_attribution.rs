//! The comparison blames the candidate for what it does itself, and for nothing else: no outage, no split, no restart, no missing data.

use std::time::Duration;

use rollout::event::EventKind;
use rollout::plan::{Analysis, Mode};
use sim::{Event, MetricFault, Shortfall, Time};

use crate::concurrent_rollouts::{AT_ONCE, Kind, LATE, Played, errors_only, expected, failed, finding, watched};
use crate::stage::{Output, Stage, play, taking};

/// The shares of the candidate as they were written: when, in seconds since the first one, and per cent.
fn way(stage: &Stage) -> Vec<(u64, u64)> {
    stage.shares("42")
}

/// One whose process is killed at this moment; another one goes on at once.
async fn killed(kind: &Kind, stage: &Stage, at: Duration) -> Output {
    let request = kind.request();
    tokio::select! {
        output = stage.rollout(&request) => return output,
        () = stage.clock.0.sleep(at) => {}
    }
    stage.as_caller("SECOND").await.rollout(taking(kind.request(), |takeover| takeover.take_over = true)).await
}

/// A process that takes over counts again from the first minute: whenever it comes, it ends as the calls of all minutes say, which is
/// how one that was never killed ends. (A write more draws another luck here, so that it cannot be the same calls in both.)
#[test]
fn a_restart_in_any_minute_changes_nothing() {
    let mut restarted_before = 0;
    for candidate_rate in [0.001, 0.008] {
        for minute in 0..9 {
            for seed in 1..=2 {
                let kind = Kind::linear(0.001, candidate_rate);
                let killed_at = Duration::from_secs(60 * minute + 1);
                let (Played { minutes, noticed, output }, way) = play(async {
                    let stage = kind.stage(100 * seed + minute).await;
                    (watched(&stage, killed(&kind, &stage, killed_at)).await, way(&stage))
                });
                let what = format!("{candidate_rate}, seed {seed}, killed in minute {minute}: {}", output.log);
                let found = expected(&minutes, 0.01);
                assert_eq!(noticed.map(|it| it.0), found, "{what}");
                assert_eq!(output.ending.exit_code, if found.is_some() { 10 } else { 0 }, "{what}");
                // It goes back in the minute in which it is found, and until then every step is on the minute.
                let (last, steps) = way.split_last().unwrap();
                assert!(found.is_none_or(|found| *last == (60 * u64::try_from(found).unwrap(), 0)), "{way:?}, {what}");
                assert!(steps.iter().all(|(at, _)| at % 60 == 0), "{way:?}, {what}");
                restarted_before += u32::from(found.is_some_and(|found| found > usize::try_from(minute).unwrap()));
            }
        }
    }
    assert!(restarted_before >= 6, "a restart came before the finding only {restarted_before} times");
}

fn minutes_later(stage: &Stage, minutes: u64) -> Time {
    stage.now() + Duration::from_mins(minutes)
}

#[test]
fn an_outage_of_both_rolls_nothing_back_and_is_told() {
    for (rate, from, until) in [(0.3, 2, 5), (1.0, 3, 6), (1.0, 0, 3)] {
        for seed in 1..=4 {
            let kind = Kind { lag: LATE, ..Kind::linear(0.001, 0.001) };
            let played = play(async {
                let stage = kind.stage(seed).await;
                let (start, end) = (minutes_later(&stage, from), minutes_later(&stage, until));
                kind.play_on(&stage, |world| world.add_incident("hello", start, end, rate).unwrap()).await
            });
            assert_eq!(played.output.ending.exit_code, 0, "{rate} from minute {from}, seed {seed}: {}", played.output.log);
            assert!(failed(&played.minutes) > 20.0, "there was no outage: {:?}", played.minutes);
            // What has always been so is nothing that began.
            let output = played.output.events.iter().any(|event| matches!(event.what, EventKind::SharedDegradation { .. }));
            assert_eq!(output, from > 0, "{}", played.output.log);
        }
    }
}

#[test]
fn a_share_that_does_not_arrive_is_held_and_goes_back_as_no_data() {
    let analysis = Analysis { max_hold: Duration::from_mins(4), ..errors_only(Mode::On, false) };
    play(async move {
        let kind = Kind { analysis, lag: LATE, ..Kind::linear(0.001, 0.0) };
        let stage = kind.stage(3).await;
        let played = kind.play_on(&stage, |world| world.misroute("hello", 0.0).unwrap()).await;
        let Output { ending, log, .. } = &played.output;
        assert_eq!((ending.exit_code, ending.reason.kind.word()), (12, "no_data"), "{log}");
        assert!(ending.reason.detail.contains("its traffic does not arrive"), "{log}");
        // The first minutes are not finished: until they are, nobody can know. It never gets far, and never to the end.
        let shares: Vec<u64> = way(&stage).into_iter().map(|share| share.1).collect();
        assert!(shares.len() <= 6 && shares.last() == Some(&0), "{shares:?}");
        let held = played
            .output
            .events
            .iter()
            .any(|event| matches!(&event.what, EventKind::HoldingStep { why } if why.contains("no invocations")));
        assert!(held, "{log}");
    });
}

/// A third of the share that was set, and three times as much, while the errors of both versions rise fourfold.
#[test]
fn a_wrong_split_neither_blames_a_good_version_nor_hides_a_bad_one() {
    for factor in [0.3, 3.0] {
        for (seed, candidate_rate) in [(1, 0.002), (2, 0.002), (3, 0.002), (1, 0.1), (2, 0.1)] {
            let kind = Kind { lag: LATE, bake: Duration::from_mins(3), ..Kind::linear(0.002, candidate_rate) };
            let played = play(async {
                let stage = kind.stage(seed).await;
                kind.play_on(&stage, |world| {
                    world.misroute("hello", factor).unwrap();
                    for minute in 2..9_u32 {
                        let start = world.now() + Duration::from_mins(minute.into());
                        let rate = 0.002 * f64::from(minute);
                        world.add_incident("hello", start, start + Duration::from_mins(1), rate).unwrap();
                    }
                })
                .await
            });
            let split = played.minutes.first().unwrap();
            let seen = split.canary_calls() / split.calls();
            assert!((seen - 0.1 * factor).abs() < 0.06, "the split is {seen}");
            let code = if candidate_rate > 0.05 { 10 } else { 0 };
            assert_eq!(played.output.ending.exit_code, code, "{factor}, seed {seed}: {}", played.output.log);
        }
    }
}

/// Sets what no variable says: how long a call may take.
fn patient(stage: &Stage) {
    let body = r#"{"Timeout":60}"#.to_owned();
    let request = http::Request::put("/2015-03-31/functions/hello/configuration").body(body.into()).unwrap();
    stage.with(|world| world.schedule(world.now(), Event::Call { caller: "CONSOLE".to_owned(), request }));
}

/// Stable's calls take 25 seconds, or the candidate's, or both: the newest minutes lack some of them, and are not looked at.
#[test]
fn versions_that_take_long_are_judged_by_finished_calls_only() {
    for (stable_takes, candidate_takes) in [("25000", "25000"), ("25000", "5"), ("5", "25000")] {
        for (candidate_rate, code) in [("0.02", 0), ("0.3", 10)] {
            let kind = Kind { lag: AT_ONCE, bake: Duration::from_mins(3), ..Kind::linear(0.02, 0.0) };
            let played = play(async {
                let stage = kind.stage(5).await;
                patient(&stage);
                stage.sleep(5).await;
                stage.with(|world| {
                    let latest = |rate, takes| [("SIM_ERROR_RATE", rate), ("SIM_LATENCY_MS", takes)];
                    world.set_environment("hello", &latest("0.02", stable_takes)).unwrap();
                    world.publish("hello", 51).unwrap();
                    world.set_alias("hello", "Live", "51", None).unwrap();
                    world.set_environment("hello", &latest(candidate_rate, candidate_takes)).unwrap();
                    world.publish("hello", 52).unwrap();
                });
                stage.sleep(55).await;
                let request = controller::Request { version: rollout::Version::new(52), ..kind.request() };
                stage.rollout(&request).await
            });
            let what = format!("{stable_takes} and {candidate_takes} ms, {candidate_rate}");
            assert_eq!(played.ending.exit_code, code, "{what}: {}", played.log);
            let findings: Vec<_> = played.events.iter().filter_map(|event| Some((event.at, finding(event)?.1))).collect();
            assert!(findings.len() > 1, "{}", played.log);
            for (at, numbers) in findings {
                let young = numbers.counted_to.is_some_and(|end| at.since(end) < Duration::from_secs(40));
                assert!(!young, "{what}: counted to {:?} at {at:?}", numbers.counted_to);
            }
        }
    }
}

#[test]
fn an_answer_in_part_is_no_answer() {
    for shortfall in [Shortfall::PartialData, Shortfall::InternalError, Shortfall::Forbidden] {
        for (metric, version) in [("Errors", "41"), ("Errors", "42"), ("Duration", "42")] {
            let fault = |from: Time, until: Time| {
                MetricFault::on(metric, shortfall).with("ExecutedVersion", version).between(from, until)
            };
            // From the first count on: the share never rises, and goes back as blind.
            let kind = Kind::linear(0.001, 0.001);
            let (played, way) = play(async {
                let stage = kind.stage(4).await;
                let (from, until) = (stage.now(), minutes_later(&stage, 600));
                (kind.play_on(&stage, |world| world.add_metric_fault(fault(from, until))).await, way(&stage))
            });
            let Output { ending, log, events } = &played.output;
            let what = format!("{shortfall:?} of {metric} of {version}");
            assert_eq!((ending.exit_code, ending.reason.kind.word()), (12, "blind"), "{what}: {log}");
            assert_eq!(way.iter().map(|share| share.1).collect::<Vec<_>>(), [10, 0], "{what}: {log}");
            assert!(events.iter().all(|event| finding(event).is_none()), "{what}: {log}");
            // For a while: one count may be missed, then it is held, and goes on later.
            let played = play(async {
                let stage = kind.stage(4).await;
                let (from, until) = (minutes_later(&stage, 2) - Duration::from_secs(5), minutes_later(&stage, 4));
                kind.play_on(&stage, |world| world.add_metric_fault(fault(from, until))).await
            });
            assert_eq!(played.output.ending.exit_code, 0, "{what}: {}", played.output.log);
            let seen = |what: &EventKind| matches!(what, EventKind::MonitoringLost { .. } | EventKind::MonitoringRestored);
            assert_eq!(played.output.events.iter().filter(|event| seen(&event.what)).count(), 2, "{what}: {}", played.output.log);
        }
    }
}

/// Calls and errors are counted from the samples of one series: from two, which `CloudWatch` shows at moments of their own, the newest
/// minutes would have errors whose calls are missing.
#[test]
fn calls_and_errors_come_from_one_series() {
    for shortfall in [Shortfall::PartialData, Shortfall::InternalError] {
        let kind = Kind::linear(0.001, 0.001);
        let played = play(async {
            let stage = kind.stage(6).await;
            kind.play_on(&stage, |world| world.add_metric_fault(MetricFault::on("Invocations", shortfall))).await
        });
        let Output { ending, log, events } = &played.output;
        assert_eq!(ending.exit_code, 0, "{log}");
        assert!(
            !events
                .iter()
                .any(|event| matches!(event.what, EventKind::MonitoringLost { .. } | EventKind::Warning { transient: true, .. })),
            "{log}"
        );
        let counted = events.iter().filter_map(finding).map(|(_, numbers)| numbers.candidate.calls).max().unwrap();
        assert!(counted > 2_000, "{counted} calls were counted: {log}");
    }
}

/// Whatever is held for, the calls of the minutes before it keep their weight: suspicion is not forgotten at a step.
#[test]
fn what_is_found_is_what_all_minutes_together_say() {
    let kind = Kind { schedule: "Linear10PercentEvery2Minutes", calls_a_second: 3.0, ..Kind::linear(0.0, 0.02) };
    let mut later = 0;
    for seed in 1..=12 {
        let Played { minutes, noticed, output } = kind.play(seed);
        let minute = noticed.map(|it| it.0);
        assert_eq!(minute, expected(&minutes, 0.01), "seed {seed}: {}", output.log);
        // No step alone would have sufficed.
        let step = |minute: usize| minutes[minute.saturating_sub(2)..minute].to_vec();
        later += usize::from(minute.is_some_and(|minute| expected(&step(minute), 0.01).is_none()));
    }
    assert!(later >= 3, "evidence of several steps was needed only {later} times");
}
