//! A signal brings the traffic back, confirmed within seconds; or leaves the share where it is, where that was asked for.

use std::time::Duration;

use controller::Interrupt;
use rollout::event::{Event, EventKind};
use rollout::note::AfterPause;
use rollout::operate::Operation;
use rollout::plan::OnInterrupt;
use sim::{Effect, Fault};

use crate::stage::{Stage, play_on, request, short, subject, verified, with};

async fn moving(stage: &Stage) {
    stage.until(|| !stage.shares("42").is_empty()).await;
    stage.sleep(100).await;
}

#[test]
fn a_signal_brings_everything_back() {
    play_on("hello", async |stage| {
        let asked = std::cell::Cell::new(None);
        stage
            .rollout_until(request(), async {
                moving(&stage).await;
                asked.set(Some(stage.now()));
            })
            .await
            .golden("a_signal_brings_everything_back")
            .exits(13);
        stage.assert_ended("41", "back");
        let confirmed = stage.writes().last().unwrap().at.since(asked.get().unwrap());
        assert!(confirmed.as_secs() < 5, "{confirmed:?}");
        // A cancelled job must be re-runnable: the version is not rejected.
        assert!(!stage.alias().await.description.contains(" x="));
        stage.rollout(request()).await.exits(0);
    });
}

#[test]
fn a_signal_before_anything_moved_ends_with_a_terminal_note() {
    play_on("hello", async |stage| {
        stage
            .rollout_until(request(), async {
                stage.until(|| !stage.writes().is_empty()).await;
            })
            .await
            .exits(13);
        assert_eq!(stage.shares("42"), []);
        stage.assert_ended("41", "back");
    });
}

#[test]
fn a_signal_before_the_alias_was_acquired_is_named_whenever_it_comes() {
    let mut before = 0;
    for millis in (0..600).step_by(15) {
        play_on("hello", async |stage| {
            let (looked, span) = (std::cell::Cell::new(false), Duration::from_millis(millis));
            let output = stage.rollout_until(request(), stage.until_looking_every(span, || looked.replace(true))).await;
            if stage.writes().is_empty() {
                output.exits(3).says("interrupted before the ");
                before += 1;
            }
        });
    }
    assert!(before > 5, "{before}");
}

#[test]
fn a_signal_holds_the_share_where_that_was_asked_for() {
    play_on("hello", async |stage| {
        let request = with(request(), |policy| policy.on_interrupt = OnInterrupt::Hold);
        stage.rollout_until(&request, moving(&stage)).await.golden("a_signal_holds_the_share").exits_as(30, "held");
        let alias = stage.alias().await;
        assert_eq!(alias.traffic(), "80% on 41, 20% on 42");
        // The lease is given up.
        let note = alias.description;
        assert!(note.contains("shift 41>42 20% 2/10") && !note.contains(" l="), "{note}");
    });
}

#[test]
fn whoever_leaves_it_running_leaves_the_share_whatever_a_signal_would_do() {
    play_on("hello", async |stage| {
        stage.rollout_interrupted(request(), Interrupt::Leave, moving(&stage)).await.exits_as(30, "held");
        let alias = stage.alias().await;
        assert_eq!(alias.traffic(), "80% on 41, 20% on 42");
        assert!(!alias.description.contains(" l="), "the lease is given up: {}", alias.description);
        // The same plan goes on with it at once.
        stage.rollout(request()).await.exits(0);
    });
}

#[test]
fn a_way_back_that_aws_does_not_take_is_a_call_for_help() {
    play_on("hello", async |stage| {
        let output = stage
            .rollout_until(request(), async {
                moving(&stage).await;
                stage.with(|world| world.add_fault(Fault::on("UpdateAlias", Effect::ServerError(500))));
            })
            .await
            .exits_as(20, "rollback_unconfirmed");
        let command = output.ending.next.first().unwrap();
        let update = "aws lambda update-alias --function-name hello --name Live --function-version 41";
        assert!(command.starts_with(update) && command.contains("back 41>42"), "{command}");
        // It was tried for its quarter of an hour.
        assert!(output.ending.took_ms > 15 * 60 * 1000);
        // A record that gives up sooner is not of one piece.
        let began = output.events.iter().find(|event| matches!(event.what, EventKind::RollbackStarted { .. })).unwrap().at;
        let early =
            |event: &&Event| !matches!(event.what, EventKind::Observed(_)) || event.at.since(began) < Duration::from_mins(14);
        let verified = verified(output.events.iter().filter(early));
        assert!(verified.fault.as_ref().is_some_and(|fault| fault.contains("the rollout ends here")), "{verified:?}");
    });
}

#[test]
fn credentials_that_end_too_soon_are_refused_before_anything_begins() {
    play_on("hello-idle", async |stage| {
        stage
            .expiring("SHORT", Duration::from_mins(6))
            .await
            .rollout(short())
            .await
            .exits(3)
            .says("the credentials expire at 14:06:00, before the rollout can end")
            .says("hint: use credentials that last longer");
        assert_eq!(stage.writes().len(), 0);
    });
}

/// Long enough for the plan, and then a person holds it up.
#[test]
fn two_minutes_before_credentials_end_it_does_what_a_signal_would() {
    for (on_interrupt, code, share) in [(OnInterrupt::RollBack, 13, 0), (OnInterrupt::Hold, 30, 10)] {
        play_on("hello-idle", async |stage| {
            let short_lived = stage.expiring("SHORT", Duration::from_mins(10)).await;
            let paused = async {
                stage.until(|| !stage.shares("42").is_empty()).await;
                let pause = Operation::Pause { span: Duration::from_hours(1), then: AfterPause::Resume };
                stage.order(&subject(), pause).await
            };
            let asked = with(short(), |policy| policy.on_interrupt = on_interrupt);
            let (output, _) = tokio::join!(short_lived.rollout(&asked), paused);
            output.exits(code).says("the credentials expire at 14:10:00; two minutes before");
            assert_eq!(stage.shares("42").last().unwrap().1, share);
            let last = stage.writes().last().unwrap().at.since(stage.writes()[0].at).as_secs();
            assert!((475..=480).contains(&last), "{last} s after its claim");
        });
    }
}
