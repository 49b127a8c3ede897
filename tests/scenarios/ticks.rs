//! A detached rollout is driven by turns: each does what is due and leaves, from any machine, late, doubled or killed.

use std::time::Duration;

use controller::port::Cloud;
use controller::{Request, Ticked};
use rollout::note::AfterPause;
use rollout::operate::Operation;
use rollout::plan::Mode;
use rollout::turn::Turn;
use sim::{Effect, Fault};

use crate::stage::{Stage, play_on, request, short, subject};

const ONE_LOOK: Duration = Duration::ZERO;

/// The same rollout, left as soon as traffic moves.
fn detached(request: Request) -> Request {
    Request { turn: Some(Turn::Begin), ..request }
}

async fn begun(stage: &Stage, request: Request) {
    stage
        .rollout(detached(request))
        .await
        .exits_as(0, "detached")
        .says("run `canaryctl tick hello:Live` with the same options once a minute");
}

/// How often hooks were asked.
fn hooks(stage: &Stage) -> usize {
    stage.with(|world| world.log().iter().filter(|call| call.operation == "Invoke" && call.status == 200).count())
}

/// A story of half-minute steps with a hook after all of them, begun, and at 10% since just now.
async fn begun_short(stage: &Stage, post_hook: bool) -> Request {
    let request = Request { post_hook: post_hook.then(|| "postHook".parse().unwrap()), ..short() };
    begun(stage, request.clone()).await;
    request
}

/// Lets a hook take this long.
fn slow_hook(stage: &Stage, hook: &str, takes: Duration, answer: &str) {
    let request = http::Request::put(format!("/2015-03-31/functions/{hook}/configuration"));
    let request = request.body(r#"{"Timeout":900}"#.into()).unwrap();
    stage.with(|world| {
        world.schedule(world.now(), sim::Event::Call { caller: "CONSOLE".to_owned(), request });
        world.advance(world.now());
        let takes = takes.as_millis().to_string();
        world.set_environment(hook, &[("SIM_HOOK", answer), ("SIM_LATENCY_MS", &takes)]).unwrap();
    });
}

#[test]
fn turns_once_a_minute_do_what_a_process_that_stays_does() {
    for lasts in [ONE_LOOK, Duration::from_secs(55)] {
        play_on("hello", async |stage| {
            begun(&stage, request()).await;
            assert_eq!(stage.percents(), [10]);
            let ending = stage.ticks(request(), lasts).await;
            assert_eq!((ending.exit_code, ending.outcome.word()), (0, "promoted"), "{ending:?}");
            stage.assert_ended("42", "promoted");
            stage.assert_conditional();
            assert_eq!(stage.percents(), (1..=10).map(|ten| ten * 10).collect::<Vec<_>>());
            assert_eq!(hooks(&stage), 2, "each hook once");
        });
    }
}

#[test]
fn a_turn_that_finds_an_alarm_rolls_back_and_says_so_with_the_rollouts_own_code() {
    play_on("hello", async |stage| {
        begun(&stage, request()).await;
        stage.alarm_in(130);
        let ending = stage.ticks(request(), ONE_LOOK).await;
        assert_eq!((ending.exit_code, ending.reason.kind.word()), (10, "alarm"));
        assert!(ending.took_ms > 130_000, "since the rollout began: {}", ending.took_ms);
        stage.assert_ended("41", "back");
        let (ticked, _) = stage.tick(request(), ONE_LOOK).await;
        assert!(matches!(ticked, Ticked::Idle(Some(_))), "{ticked:?}");
    });
}

/// An alarm that went off and was OK again between two turns is found in its history.
#[test]
fn what_happened_between_two_turns_counts() {
    play_on("hello-idle", async |stage| {
        begun(&stage, request()).await;
        stage.sleep(5).await;
        stage.with(|world| world.set_alarm_state("HelloFooAlarm", "ALARM")).unwrap();
        stage.until_alarm("HelloFooAlarm", "OK").await;
        let (ticked, log) = stage.tick(request(), ONE_LOOK).await;
        assert!(matches!(&ticked, Ticked::Ended(summary) if summary.exit_code == 10), "{ticked:?}");
        assert!(log.contains("41 → 42") && log.contains("and has left it since"), "{log}");
        assert_eq!(stage.percents(), [10, 0]);
    });
}

#[test]
fn a_turn_says_what_comes_next_and_when() {
    play_on("hello-idle", async |stage| {
        begun(&stage, request()).await;
        let (ticked, log) = stage.tick(request(), ONE_LOOK).await;
        let Ticked::Goes(next, summary) = ticked else { panic!("{ticked:?}") };
        assert_eq!((next.waits_for.as_str(), summary.outcome.word()), ("the next step", "detached"));
        assert!((50..=60).contains(&next.until.since(stage.aws.time()).as_secs()), "{next:?}");
        assert_eq!(summary.traffic, "90% on 41, 10% on 42");
        assert_eq!(log, "", "nothing happened");
    });
}

/// A hook that takes longer than a turn: the turn that asked stays for the answer, the others go on watching, and none asks again.
#[test]
fn a_hook_that_takes_minutes_is_asked_once() {
    for fails in [false, true] {
        play_on("hello-idle", async |stage| {
            let request = begun_short(&stage, true).await;
            let answer = if fails { "Failed" } else { "Succeeded" };
            slow_hook(&stage, "postHook", Duration::from_secs(200), answer);
            let ended = std::cell::RefCell::new(Vec::new());
            let turns = async |stage: &Stage| {
                for _ in 0..9 {
                    match stage.tick(&request, ONE_LOOK).await.0 {
                        Ticked::Ended(summary) => ended.borrow_mut().push(summary.exit_code),
                        Ticked::Goes(..) => {}
                        Ticked::Idle(_) => return,
                        ticked @ Ticked::Refused(_) => panic!("{ticked:?}"),
                    }
                    stage.sleep(60).await;
                }
            };
            let other = stage.as_caller("OTHER").await;
            let later = async {
                other.sleep(20).await;
                turns(&other).await;
            };
            tokio::join!(turns(&stage), later);
            let endings = ended.into_inner();
            assert_eq!(endings, [if fails { 11 } else { 0 }]);
            assert_eq!(hooks(&stage), 1);
            let (version, word) = if fails { ("41", "back") } else { ("42", "promoted") };
            stage.assert_ended(version, word);
        });
    }
}

/// Whichever write's answers are lost, that of the announcement among them, and at whichever part of a second: what has landed is this turn's
/// own, and it asks.
#[test]
fn a_hook_whose_announcement_was_not_answered_is_asked_all_the_same() {
    for (first, later) in (1..=5).flat_map(|first| (0..5).map(move |fifth| (first, Duration::from_millis(fifth * 200)))) {
        play_on("hello-idle", async |stage| {
            let request = begun_short(&stage, true).await;
            stage.clock.0.sleep(later).await;
            stage.with(|world| world.add_fault(Fault::on("UpdateAlias", Effect::LostAnswer).calls(first..=first + 1)));
            let ending = stage.ticks(&request, ONE_LOOK).await;
            assert_eq!((ending.exit_code, hooks(&stage)), (0, 1), "{first} {later:?}: {ending:?}");
        });
    }
}

#[test]
fn a_hook_that_reports_later_is_heard_by_a_later_turn() {
    for (report, code) in [("Succeeded", 0), ("Failed:no-stock", 11)] {
        play_on("hello-idle", async |stage| {
            let request = begun_short(&stage, true).await;
            let job = format!("after=150s key=canaryctl/{{/LifecycleEventHookExecutionId}} value={report}");
            stage
                .with(|world| world.set_environment("postHook", &[("SIM_HOOK", "InProgress"), ("SIM_HOOK_REPORT", &job)]))
                .unwrap();
            let ending = stage.ticks(&request, ONE_LOOK).await;
            assert_eq!((ending.exit_code, hooks(&stage)), (code, 1), "{ending:?}");
            let took = Duration::from_millis(ending.took_ms);
            assert!(took > Duration::from_secs(150) && took < Duration::from_mins(7), "{took:?}");
        });
    }
}

/// The turn that asked died, and no report comes: the hook has its time, then it counts as failed.
#[test]
fn a_hook_whose_asker_died_fails_at_its_deadline() {
    play_on("hello-idle", async |stage| {
        let request = begun_short(&stage, true).await;
        let limited = crate::stage::with(request, |policy| policy.hook_limit = Duration::from_mins(5));
        slow_hook(&stage, "postHook", Duration::from_mins(10), "Succeeded");
        let before = stage.calls("Invoke");
        while stage.calls("Invoke") == before {
            tokio::select! {
                _ = stage.tick(&limited, ONE_LOOK) => stage.sleep(20).await,
                () = stage.until(|| stage.calls("Invoke") > before) => {}
            }
        }
        let ending = stage.ticks(&limited, ONE_LOOK).await;
        assert_eq!((ending.exit_code, ending.reason.kind.word()), (11, "post_hook"), "{ending:?}");
        assert_eq!(stage.calls("Invoke"), before + 1);
        stage.assert_ended("41", "back");
    });
}

#[test]
fn two_turns_at_once_do_what_one_does() {
    for apart in [0, 1, 3] {
        play_on("hello", async |stage| {
            begun(&stage, request()).await;
            let other = stage.as_caller("OTHER").await;
            let twice = async {
                other.sleep(apart).await;
                loop {
                    other.sleep(60).await;
                    let (ticked, _) = other.tick(request(), ONE_LOOK).await;
                    if !matches!(ticked, Ticked::Goes(..)) {
                        return;
                    }
                }
            };
            let turns = async {
                loop {
                    stage.sleep(60).await;
                    let (ticked, _) = stage.tick(request(), ONE_LOOK).await;
                    if !matches!(ticked, Ticked::Goes(..)) {
                        return;
                    }
                }
            };
            tokio::join!(turns, twice);
            stage.assert_ended("42", "promoted");
            stage.assert_conditional();
            assert_eq!(stage.percents(), (1..=10).map(|ten| ten * 10).collect::<Vec<_>>());
            assert_eq!(hooks(&stage), 2);
        });
    }
}

/// A process that is there is left alone; one that is not any more is taken over when its lease is over.
#[test]
fn a_turn_leaves_a_living_process_alone_and_goes_on_for_a_dead_one() {
    play_on("hello", async |stage| {
        let second = stage.as_caller("SECOND").await;
        let reached = async {
            stage.until(|| stage.shares("42").last().is_some_and(|last| last.1 >= 20)).await;
            let before = stage.writes().len();
            let (ticked, _) = second.tick(request(), ONE_LOOK).await;
            assert!(
                matches!(&ticked, Ticked::Goes(next, _) if next.waits_for.contains("which drives this rollout")),
                "{ticked:?}"
            );
            assert_eq!(stage.writes().len(), before);
        };
        stage.killed(request(), reached).await;
        let ending = second.ticks(request(), ONE_LOOK).await;
        assert_eq!(ending.exit_code, 0, "{ending:?}");
        stage.assert_ended("42", "promoted");
        assert_eq!(stage.percents(), (1..=10).map(|ten| ten * 10).collect::<Vec<_>>());
    });
}

#[test]
fn a_turn_never_begins_anything_and_touches_nothing_that_is_not_its_own() {
    play_on("hello-idle", async |stage| {
        let (ticked, _) = stage.tick(request(), ONE_LOOK).await;
        assert!(matches!(ticked, Ticked::Idle(Some(_))), "{ticked:?}");
        begun(&stage, request()).await;
        // Another plan is another rollout.
        let (ticked, _) = stage.tick(short(), ONE_LOOK).await;
        assert!(matches!(&ticked, Ticked::Refused(problems) if problems[0].text.contains("with a different plan")), "{ticked:?}");
        let before = stage.writes().len();
        // A person rolls back: there is nothing left to do.
        stage.rollback(None).await;
        let (ticked, _) = stage.tick(request(), ONE_LOOK).await;
        assert!(matches!(ticked, Ticked::Idle(Some(_))), "{ticked:?}");
        assert_eq!(stage.writes().len(), before + 1);
        stage.assert_ended("41", "back");
    });
}

/// What a person orders is done between turns, and by them.
#[test]
fn a_pause_is_kept_by_turns() {
    play_on("hello-idle", async |stage| {
        let request = begun_short(&stage, false).await;
        let pause = Operation::Pause { span: Duration::from_mins(10), then: AfterPause::Resume };
        stage.order(&subject(), pause).await;
        let (paused, ending) = (stage.now(), stage.ticks(&request, ONE_LOOK).await);
        assert_eq!(ending.exit_code, 0);
        let next = stage.writes().iter().find(|write| write.after().unwrap().share("42") > 0.1).unwrap().at;
        assert!(next.since(paused) >= Duration::from_mins(10), "{next:?}");
    });
}

/// Both versions are compared, and weights change on the full minute: a turn that comes late waits for the next one.
#[test]
fn turns_compare_the_versions_and_meet_the_full_minute() {
    let whole = Duration::from_secs(55);
    for (story, code, lasts) in
        [("hello", 0, ONE_LOOK), ("hello", 0, whole), ("hello-errors", 10, ONE_LOOK), ("hello-errors", 10, whole)]
    {
        play_on(story, async |stage| {
            let mut request = Request { alarms: Vec::new(), post_hook: None, pre_hook: None, ..request() };
            request.policy.analysis.mode = Mode::On;
            begun(&stage, request.clone()).await;
            stage.sleep(20).await;
            let ending = stage.ticks(&request, lasts).await;
            assert_eq!(ending.exit_code, code, "{ending:?}");
            let shifts = stage.shares("42");
            let first = stage.writes().iter().find(|write| write.after().unwrap().share("42") > 0.0).unwrap().at;
            let offset = first.since(sim::Time::from(std::time::UNIX_EPOCH)).as_secs() % 60;
            for (at, _) in shifts.iter().skip(1).filter(|_| code == 0) {
                assert!((at + offset + 2) % 60 < 4, "{shifts:?}");
            }
            // A look that comes too late for a full minute waits for the next one; whoever stays meets every one.
            let took = shifts.last().unwrap().0;
            assert!(code != 0 || took <= if lasts == ONE_LOOK { 1_100 } else { 560 }, "{took}");
        });
    }
}

/// An end that comes to a turn when it is told to go: the traffic stays, and the next one goes on.
#[test]
fn a_signal_ends_a_turn_and_moves_nothing() {
    play_on("hello-idle", async |stage| {
        begun(&stage, request()).await;
        let before = stage.writes().len();
        let (stop, heard) = tokio::sync::watch::channel(controller::Interrupt::None);
        let turn = Request { turn: Some(Turn::Tick(Duration::from_secs(40))), ..request() };
        let turns = [turn];
        let mut tell = |_: &rollout::event::Event| {};
        let tick = controller::tick(&stage.aws, &stage.clock, &turns, crate::harness::identity(), heard, &mut tell);
        let told = async {
            stage.sleep(10).await;
            stop.send(controller::Interrupt::Stop).unwrap();
        };
        let (ticked, ()) = tokio::join!(tick, told);
        assert!(matches!(ticked[0].1, Ticked::Goes(..)), "{ticked:?}");
        assert_eq!(stage.writes().len(), before);
        assert_eq!(stage.percents(), [10]);
    });
}
