//! Throttles, lost answers and blindness never move traffic the wrong way: hold, look again, and in the end go back.

use std::time::Duration;

use sim::{Effect, Event, Fault};

use crate::stage::{play_on, request, with};

#[test]
fn throttles_errors_and_lost_answers_delay_a_good_version_and_nothing_else() {
    play_on("hello-throttled", async |stage| {
        stage.rollout(request()).await.exits(0);
        stage.assert_ended("42", "promoted");
        assert_eq!(stage.percents(), (1..=10).map(|ten| ten * 10).collect::<Vec<_>>());
    });
}

#[test]
fn alarms_that_cannot_be_read_hold_the_share_and_then_bring_it_back() {
    play_on("hello", async |stage| {
        let blind = async {
            stage.until(|| stage.shares("42").len() >= 2).await;
            stage.with(|world| world.add_fault(Fault::on("DescribeAlarms", Effect::Deny)));
            stage.now()
        };
        let request = with(request(), |policy| policy.blind_limit = Duration::from_mins(4));
        let (output, since) = tokio::join!(stage.rollout(&request), blind);
        output.golden("alarms_that_cannot_be_read").exits(12);
        assert_eq!(stage.percents(), [10, 20, 0]);
        let held = stage.writes().last().unwrap().at.since(since);
        assert!((240..270).contains(&held.as_secs()), "{held:?}");
        // Blindness says nothing against the version.
        assert!(!stage.alias().await.description.contains(" x="));
    });
}

#[test]
fn an_alarm_that_cloudwatch_cannot_evaluate_is_not_ok() {
    play_on("hello", async |stage| {
        let broken = async {
            stage.until(|| stage.shares("42").len() >= 2).await;
            stage.with(|world| world.set_evaluation_state("HelloFooAlarm", Some("EVALUATION_ERROR"))).unwrap();
        };
        let request = with(request(), |policy| policy.blind_limit = Duration::from_mins(4));
        let (output, ()) = tokio::join!(stage.rollout(&request), broken);
        let why =
            "alarm `HelloFooAlarm` cannot be evaluated by CloudWatch: its settings or permissions are wrong (EVALUATION_ERROR";
        output.exits(12).says(why);
        assert_eq!(stage.percents(), [10, 20, 0]);
        // The next one does not begin.
        stage.rollout(&request).await.exits_as(3, "refused").says(why);
    });
}

/// A throttle comes from the account's own calls and passes: it is met with three times the patience.
#[test]
fn throttled_alarms_are_waited_for_longer_than_unreadable_ones() {
    for (minutes, code) in [(11, 0), (60, 12)] {
        play_on("hello-idle", async |stage| {
            let throttled = async {
                stage.until(|| stage.shares("42").len() >= 2).await;
                let now = stage.now();
                let fault = Fault::on("DescribeAlarms", Effect::Throttle).between(now, now + Duration::from_mins(minutes));
                stage.with(|world| world.add_fault(fault));
                now
            };
            let request = with(request(), |policy| policy.blind_limit = Duration::from_mins(4));
            let (output, since) = tokio::join!(stage.rollout(&request), throttled);
            output.exits(code);
            let held = stage.writes().last().unwrap().at.since(since).as_secs();
            assert!(code == 0 || (720..=760).contains(&held), "{held} s");
        });
    }
}

#[test]
fn a_short_blindness_only_delays() {
    play_on("hello-idle", async |stage| {
        let now = stage.now();
        let (start, end) = (now + Duration::from_mins(2), now + Duration::from_mins(5));
        stage.with(|world| world.add_fault(Fault::on("DescribeAlarms", Effect::ServerError(503)).between(start, end)));
        stage.rollout(request()).await.exits(0);
        stage.assert_ended("42", "promoted");
        // Nothing rose in the dark.
        for write in stage.writes() {
            let rose = write.after().unwrap().share("42") > write.before().unwrap().share("42")
                && write.after().unwrap().version == "41";
            assert!(!(rose && start + Duration::from_secs(12) < write.at && write.at < end), "{write:?}");
        }
    });
}

#[test]
fn a_deleted_alarm_is_blindness_not_health() {
    play_on("hello-idle", async |stage| {
        let deleted = async {
            stage.until(|| !stage.shares("42").is_empty()).await;
            let body = r#"{"AlarmNames":["HelloFooAlarm"]}"#;
            let request = http::Request::post("/")
                .header("x-amz-target", "GraniteServiceVersion20100801.DeleteAlarms")
                .header("content-type", "application/x-amz-json-1.0")
                .body(body.into())
                .unwrap();
            stage.with(|world| world.schedule(world.now(), Event::Call { caller: "CONSOLE".to_owned(), request }));
        };
        stage.rollout_while(request(), deleted).await.exits(12).says("`HelloFooAlarm` no longer exists");
        stage.assert_ended("41", "back");
    });
}

#[test]
fn stale_reads_and_late_writes_do_not_confuse_it() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            world.add_fault(Fault::on("GetAlias", Effect::StaleRead(Duration::from_millis(900))).chance(0.5));
            world.add_fault(Fault::on("UpdateAlias", Effect::LateWrite(Duration::from_secs(8))).chance(0.2));
        });
        stage.rollout(request()).await.exits(0);
        assert_eq!(stage.percents(), (1..=10).map(|ten| ten * 10).collect::<Vec<_>>());
    });
}

#[test]
fn permission_that_is_taken_away_in_mid_rollout_is_not_guessed_around() {
    play_on("hello-idle", async |stage| {
        let denied = async {
            stage.until(|| !stage.shares("42").is_empty()).await;
            stage.with(|world| world.add_fault(Fault::on("UpdateAlias", Effect::Deny)));
            stage.sleep(300).await;
            stage.with(sim::World::clear_faults);
        };
        let output = stage.rollout_while(request(), denied).await;
        // The rollout is given up as soon as AWS has refused its writes again and again, and goes back once it may.
        output.exits(1);
        stage.assert_ended("41", "back");
    });
}

/// A proxy's page says nothing about the alias: neither that it is gone nor that it may not be read.
#[test]
fn pages_of_something_in_between_hold_a_good_version_up_and_nothing_else() {
    for status in [403, 404, 502] {
        play_on("hello-idle", async |stage| {
            let disturbed = async {
                stage.until(|| stage.shares("42").len() >= 2).await;
                let now = stage.now();
                for operation in ["GetAlias", "UpdateAlias", "DescribeAlarms"] {
                    let fault = Fault::on(operation, Effect::Foreign(status)).between(now, now + Duration::from_secs(75));
                    stage.with(|world| world.add_fault(fault));
                }
            };
            let request = request();
            let (told, ()) = tokio::join!(stage.rollout(&request), disturbed);
            assert_eq!(told.ending.exit_code, 0, "{status}: {}", told.log);
            stage.assert_ended("42", "promoted");
        });
    }
}

#[test]
fn a_date_that_jumps_moves_no_step_early() {
    for seconds in [-86_400, -60, 60, 3_600, 366 * 86_400] {
        for (operation, lasts) in [(None, 5), (None, 1_800), (Some("DescribeAlarms"), 1_800), (Some("GetAlias"), 1_800)] {
            play_on("hello-idle", async |stage| {
                let disturbed = async {
                    stage.until(|| stage.shares("42").len() >= 2).await;
                    let dated = Effect::Dated(seconds);
                    let fault = operation.map_or(Fault::everywhere(dated), |operation| Fault::on(operation, dated));
                    let now = stage.now();
                    stage.with(|world| world.add_fault(fault.between(now, now + Duration::from_secs(lasts))));
                };
                let request = request();
                let (told, ()) = tokio::join!(stage.rollout(&request), disturbed);
                assert_eq!(told.ending.exit_code, 0, "{seconds} s: {}", told.log);
                let shares = stage.shares("42");
                let early = shares.windows(2).find(|pair| pair[1].0 - pair[0].0 < 59);
                assert_eq!(early, None, "{seconds} s off {operation:?} for {lasts} s: {shares:?}");
            });
        }
    }
}

#[test]
fn an_alarm_does_not_wait_for_calls_that_stall() {
    for operation in ["GetAlias", "GetMetricData", "DescribeAlarmHistory", "GetFunctionConfiguration"] {
        play_on("hello-idle", async |stage| {
            let red = async {
                stage.until(|| stage.shares("42").len() >= 2).await;
                stage.with(|world| world.add_fault(Fault::on(operation, Effect::Latency(Duration::from_mins(10)))));
                stage.sleep(30).await;
                stage.with(|world| world.set_alarm_state("HelloFooAlarm", "ALARM")).unwrap();
                stage.now()
            };
            let request = request();
            let (told, since) = tokio::join!(stage.rollout(&request), red);
            assert_eq!(told.ending.exit_code, 10, "{operation}: {}", told.log);
            // A poll, one call that is in progress, and the write.
            let back =
                stage.writes().iter().find(|write| write.after().is_some_and(|alias| alias.weights.is_empty())).unwrap().at;
            assert!(back.since(since).as_secs() <= 27, "{operation}: back after {:?}", back.since(since));
        });
    }
}

/// What the first answers say of the time is impossible, and this machine's clock is three minutes ahead.
#[test]
fn an_alarm_does_not_wait_for_a_clock_that_was_ahead() {
    play_on("hello-idle", async |stage| {
        let decades = Effect::Dated(-30 * 366 * 86_400);
        let until = stage.now() + Duration::from_secs(40);
        stage.with(|world| world.add_fault(Fault::everywhere(decades).between(world.now(), until)));
        let red = async {
            stage.sleep(75).await;
            stage.with(|world| world.set_alarm_state("HelloFooAlarm", "ALARM")).unwrap();
            stage.now()
        };
        let ahead = stage.ahead("AHEAD", 180).await;
        let (told, since) = tokio::join!(ahead.rollout(request()), red);
        assert_eq!(told.ending.exit_code, 10, "{}", told.log);
        let back = stage.writes().last().unwrap().at;
        assert!(back.since(since).as_secs() <= 12, "back after {:?}", back.since(since));
    });
}

/// Nobody waits for ever: not for the account's calls either.
#[test]
fn a_rollout_that_aws_gives_no_call_is_refused_after_minutes() {
    for operation in ["GetAlias", "GetFunctionConfiguration", "DescribeAlarms"] {
        play_on("hello-idle", async |stage| {
            stage.with(|world| world.add_fault(Fault::on(operation, Effect::Throttle)));
            let began = stage.now();
            let told = stage.rollout(request()).await.exits_as(3, "refused").says("Rate exceeded").says("the checks take long");
            let took = stage.now().since(began).as_secs();
            assert!((300..=330).contains(&took) && stage.writes().is_empty(), "{took} s: {}", told.log);
        });
    }
}
