//! After a rollback the end says what the new version logged: when all traffic is back, and never at the cost of anything else.

use controller::Request;
use rollout::logged_error::LoggedError;
use rollout::plan::Mode;
use sim::{CallRecord, Effect, Fault};

use crate::stage::{Stage, play_on, request, short, with};

fn queries(stage: &Stage) -> Vec<CallRecord> {
    let of_logs = |call: &&CallRecord| ["StartQuery", "GetQueryResults", "StopQuery"].contains(&call.operation.as_str());
    stage.with(|world| world.log().iter().filter(of_logs).cloned().collect())
}

#[test]
fn the_end_says_what_the_version_logged() {
    play_on("hello-errors", async |stage| {
        let output = stage.rollout(request()).await.golden("the_end_says_what_the_version_logged").exits(10);
        let [LoggedError { line, count, request_id, on_stable, first_at }] = &output.ending.evidence[..] else {
            panic!("{:?}", output.ending.evidence)
        };
        assert!(line.contains("ERROR"), "{line}");
        assert!(*count >= 3 && *on_stable == Some(0) && request_id.is_some(), "{:?}", output.ending.evidence);
        assert!(*first_at > output.events[0].at);
        // One query, after the write that brought the traffic back.
        let calls = queries(&stage);
        assert_eq!(calls.iter().filter(|call| call.operation == "StartQuery").count(), 1);
        assert!(calls[0].at > stage.writes().last().unwrap().at);
        stage.assert_ended("41", "back");
    });
}

#[test]
fn what_cannot_be_read_is_left_out_and_takes_no_time() {
    for (operation, effect, calls) in [
        ("StartQuery", Effect::Deny, 1),
        ("GetQueryResults", Effect::Deny, 2),
        ("StartQuery", Effect::Stall, 3),
        ("GetQueryResults", Effect::Stall, 3),
    ] {
        play_on("hello-errors", async |stage| {
            stage.with(|world| world.add_fault(Fault::on(operation, effect)));
            let output = stage.rollout(request()).await.exits_for(10, "alarm");
            assert_eq!(output.ending.evidence, []);
            let back = stage.writes().last().unwrap().at;
            let last = i64::try_from(output.events.last().unwrap().at.as_millis()).unwrap() - back.as_millis();
            assert!(last <= 16_000, "{operation} {effect:?}: {last} ms");
            assert!((1..=calls + 2).contains(&queries(&stage).len()), "{operation} {effect:?}: {:?}", queries(&stage));
            stage.assert_ended("41", "back");
        });
    }
}

#[test]
fn nobody_reads_logs_of_a_sound_rollout_or_where_that_is_not_wanted() {
    play_on("hello", async |stage| {
        stage.rollout(short()).await.exits(0);
        assert_eq!(queries(&stage), []);
    });
    play_on("hello-errors", async |stage| {
        let output = stage.rollout(with(request(), |policy| policy.no_logs = true)).await.exits(10);
        assert_eq!((queries(&stage), output.ending.evidence), (vec![], vec![]));
    });
}

/// Failures that Lambda does not count, found by a signal of either kind: the end has the three lines that explain them.
#[test]
fn a_signal_that_decides_is_explained_by_the_log() {
    for signal in ["5xx=logs:status >= 500", "http=Shop/Failures{Version=${version}}/Shop/Requests{Version=${version}}"] {
        play_on("hello-handled-errors", async |stage| {
            stage.sleep(600).await;
            let compared = with(request(), |policy| policy.analysis.mode = Mode::On);
            let output =
                stage.rollout(Request { signals: vec![signal.parse().unwrap()], ..compared }).await.exits_for(10, "analysis");
            let (name, _) = signal.split_once('=').unwrap();
            assert!(output.ending.reason.detail.starts_with(&format!("{name}: ")), "{:?}", output.ending.reason);
            for line in ["card service answered 503", "was not saved", "connect ECONNREFUSED"] {
                let found = output.ending.evidence.iter().find(|kind| kind.line.contains(line));
                assert!(found.is_some_and(|kind| kind.count > 3 && kind.on_stable == Some(0)), "{line}: {}", output.log);
            }
        });
    }
}
