//! Several functions rolled out as one become final together or not at all, whatever befalls one of them, and step together.

use std::time::Duration;

use controller::{Budget, Budgeted, GroupEnding, Identity, Interrupt, Request};
use rollout::Subject;
use rollout::event::{Event, EventKind};
use rollout::note::{AfterPause, Owner, RolloutId};
use rollout::operate::Operation;
use rollout::plan::{Analysis, Latency, Mode, OnInterrupt};
use sim::{CallRecord, Effect, Fault, World};
use tokio::sync::watch;

use crate::stage::{Stage, play, short, with};

pub(crate) fn name(index: usize) -> String {
    format!("function{index:02}")
}

pub(crate) fn subject(index: usize) -> Subject {
    Subject::parse(&name(index), None).unwrap()
}

fn pause(seconds: u64) -> Operation {
    Operation::Pause { span: Duration::from_secs(seconds), then: AfterPause::Resume }
}

/// Functions with an alias on 1, something new in `$LATEST`, and an alarm of their own.
pub(crate) fn furnish(world: &mut World, many: usize) {
    for index in 0..many {
        world.create_function(&name(index), &[("SIM_BODY", "old")]).unwrap();
        world.publish(&name(index), 1).unwrap();
        world.set_alias(&name(index), "live", "1", None).unwrap();
        world.set_environment(&name(index), &[("SIM_BODY", "new")]).unwrap();
        world.create_errors_alarm(&format!("alarm{index:02}"), &name(index), 1.0).unwrap();
    }
}

pub(crate) async fn stage(many: usize) -> Stage {
    let stage = Stage::story("hello-idle").await;
    stage.with(|world| furnish(world, many));
    stage
}

pub(crate) fn requests(many: usize) -> Vec<Request> {
    let request = |index: usize| Request { subject: subject(index), alarms: vec![format!("alarm{index:02}")], ..short() };
    // The order of a file is not the order of names.
    (0..many).rev().map(request).collect()
}

/// How a group ended, and its events.
pub(crate) struct Output {
    pub(crate) ended: GroupEnding,
    pub(crate) events: Vec<Event>,
}

impl Output {
    /// It ended with this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: u8) -> Self {
        assert_eq!(self.ended.exit_code, code, "{:#?}", self.ended.endings);
        self
    }

    /// It ended with this exit code, and its members with these.
    #[track_caller]
    pub(crate) fn exits_each(self, code: u8, members: &[u8]) -> Self {
        let codes: Vec<u8> = self.ended.endings.iter().map(|ending| ending.exit_code).collect();
        assert_eq!((self.ended.exit_code, codes.as_slice()), (code, members), "{:#?}", self.ended.endings);
        self
    }

    /// It ended with this exit code, and its members for these kinds of reasons.
    #[track_caller]
    pub(crate) fn exits_for(self, code: u8, members: &[&str]) -> Self {
        let kinds: Vec<&str> = self.ended.endings.iter().map(|ending| ending.reason.kind.word()).collect();
        assert_eq!((self.ended.exit_code, kinds.as_slice()), (code, members), "{:#?}", self.ended.endings);
        self
    }

    /// The reason of this member has these words.
    #[track_caller]
    pub(crate) fn says(self, index: usize, words: &str) -> Self {
        assert!(self.ended.endings[index].reason.detail.contains(words), "no `{words}` in {:#?}", self.ended.endings);
        self
    }
}

pub(crate) async fn run(stage: &Stage, requests: &[Request], id: u32) -> Output {
    let (_stop, heard) = watch::channel(Interrupt::None);
    run_heard(stage, requests, id, heard).await
}

pub(crate) async fn run_heard(stage: &Stage, requests: &[Request], id: u32, heard: watch::Receiver<Interrupt>) -> Output {
    let budget = Budget::looking_every(requests[0].poll, requests.len());
    let cloud = Budgeted::new(&stage.aws, &stage.clock, &budget);
    let identity = Identity { id: RolloutId(id), owner: Owner::from_random(fastrand::u32(..)) };
    let mut events = Vec::new();
    let mut tell = |event: &Event| events.push(event.clone());
    let ended = controller::group(&cloud, &stage.clock, requests, identity, heard, &mut tell).await;
    Output { ended, events }
}

pub(crate) fn writes(stage: &Stage, index: usize) -> Vec<CallRecord> {
    stage.with(|world| {
        world.alias_writes(&name(index), "live").filter(|write| write.operation == "UpdateAlias").cloned().collect()
    })
}

/// Calls of an operation that are about this member go wrong.
pub(crate) fn about(index: usize, operation: &str, effect: Effect) -> Fault {
    Fault::on(operation, effect).about(&format!("{}:live", name(index)))
}

/// Version, whether it has weights, and the note's phase.
pub(crate) fn ended(stage: &Stage, index: usize) -> (String, bool, String) {
    let alias = stage.with(|world| world.alias(&name(index), "live").cloned()).unwrap();
    let phase = alias.description.split(' ').nth(3).unwrap_or_default().to_owned();
    (alias.version, !alias.weights.is_empty(), phase)
}

pub(crate) fn all_are(stage: &Stage, many: usize, version: &str, phase: &str) {
    for index in 0..many {
        assert_eq!(ended(stage, index), (version.to_owned(), false, phase.to_owned()), "{}", name(index));
    }
}

/// Waits until this member's candidate has at least this weight.
pub(crate) async fn until_share(stage: &Stage, index: usize, share: f64) {
    stage.until(|| stage.with(|world| world.alias(&name(index), "live").unwrap().share("2")) >= share).await;
}

/// The moments at which each member was given this share.
pub(crate) fn moments(stage: &Stage, many: usize, share: f64) -> Vec<sim::Time> {
    let reached = |write: &&CallRecord| (write.after().unwrap().share("2") - share).abs() < 1e-9;
    (0..many).map(|index| writes(stage, index).iter().find(reached).unwrap().at).collect()
}

#[test]
fn all_step_together_and_become_final_together() {
    play(async {
        let stage = stage(5).await;
        let Output { ended, events } = run(&stage, &requests(5), 7).await;
        assert_eq!(ended.exit_code, 0, "{:#?}", ended.endings);
        all_are(&stage, 5, "2", "promoted");
        for share in [0.1, 0.5, 1.0] {
            let moments = moments(&stage, 5, share);
            let (first, last) = (moments.iter().min().unwrap(), moments.iter().max().unwrap());
            assert!(last.since(*first) < Duration::from_secs(2), "{share}: {:?}", last.since(*first));
        }
        // The commit: nothing is final before all have passed everything, and then everything is at once.
        let promoted: Vec<_> = (0..5).map(|index| writes(&stage, index).last().unwrap().at).collect();
        let baked = moments(&stage, 5, 1.0).into_iter().max().unwrap() + Duration::from_secs(30);
        let first = *promoted.iter().min().unwrap();
        // A step counts from when it was due, which its write may come after.
        assert!(first + Duration::from_secs(1) >= baked, "{first:?} {baked:?}");
        assert!(promoted.iter().max().unwrap().since(first) < Duration::from_secs(2), "{promoted:?}");
        assert_eq!(promoted[0], first, "the first of them makes the commit");
        // Claims are made in the order of names, each before the next.
        let claimed: Vec<_> = (0..5).map(|index| writes(&stage, index)[0].at).collect();
        assert!(claimed.is_sorted(), "{claimed:?}");
        let endings = events.iter().filter(|event| event.ending().is_some()).count();
        assert_eq!(endings, 5);
        let refused = stage.with(|world| world.log().iter().filter(|call| call.status == 429).count());
        assert_eq!(refused, 0);
    });
}

#[test]
fn one_alarm_brings_all_twenty_back() {
    play(async {
        let stage = stage(20).await;
        let requests = requests(20);
        let red = async {
            until_share(&stage, 0, 0.5).await;
            stage.sleep(7).await;
            stage.with(|world| world.set_alarm_state("alarm13", "ALARM")).unwrap();
            stage.now()
        };
        let (output, red) = tokio::join!(run(&stage, &requests, 7), red);
        assert_eq!(output.ended.exit_code, 10, "{:#?}", output.ended.endings);
        all_are(&stage, 20, "1", "back");
        let back: Vec<_> = (0..20).map(|index| writes(&stage, index).last().unwrap().at.since(red)).collect();
        // A poll to see it, and fifteen calls a second for twenty writes.
        assert!(back.iter().max().unwrap() < &Duration::from_secs(9), "{back:?}");
        let of = |index: usize| output.ended.endings[index].reason.clone();
        assert_eq!(of(13).kind.word(), "alarm");
        assert_eq!(of(4).kind.word(), "group");
        assert!(of(4).detail.contains("function13:live"), "{}", of(4).detail);
        // Only the one that was bad is not to be rolled out again.
        for index in 0..20 {
            let rejected = stage.with(|world| world.alias(&name(index), "live").unwrap().description.contains(" x=2"));
            assert_eq!(rejected, index == 13, "{index}");
        }
    });
}

#[test]
fn who_loses_one_claim_releases_all() {
    play(async {
        let stage = stage(3).await;
        let other = async {
            stage.until_looking_every(Duration::from_millis(1), || !writes(&stage, 0).is_empty()).await;
            // Somebody else is faster on the next one.
            stage.with(|world| world.describe_alias(&name(1), "live", "mine")).unwrap();
        };
        let (requests, published) = (requests(3), stage.done("PublishVersion"));
        tokio::join!(run(&stage, &requests, 7), other).0.exits(3);
        // The claim is taken back, what was there before stands again, and the third was never touched.
        assert_eq!(ended(&stage, 0).2, "back");
        assert_eq!(stage.with(|world| world.alias(&name(1), "live").unwrap().description.clone()), "mine");
        assert!(writes(&stage, 2).is_empty());
        assert_eq!(stage.done("PublishVersion"), published, "nothing is published before all are claimed");
    });
}

#[test]
fn what_keeps_one_from_beginning_keeps_all() {
    play(async {
        let stage = stage(3).await;
        let mut requests = requests(3);
        requests[1].alarms = vec!["missing".to_owned()];
        let output = run(&stage, &requests, 7).await.exits_for(3, &["held_up", "refused", "held_up"]);
        output.says(1, "`missing` does not exist").says(0, "function01:live of its group cannot start");
        assert!((0..3).all(|index| writes(&stage, index).is_empty()));
    });
}

#[test]
fn a_function_without_anything_new_holds_nobody_up() {
    play(async {
        let stage = stage(3).await;
        stage.with(|world| world.set_environment(&name(1), &[("SIM_BODY", "old")])).unwrap();
        let output = run(&stage, &requests(3), 7).await.exits(0);
        let outcomes: Vec<&str> = output.ended.endings.iter().map(|ending| ending.outcome.word()).collect();
        assert_eq!(outcomes, ["promoted", "unchanged", "promoted"]);
        assert_eq!(ended(&stage, 1).0, "1");
    });
}

#[test]
fn a_rollback_by_hand_of_one_brings_all_back() {
    play(async {
        let stage = stage(4).await;
        let by_hand = async {
            until_share(&stage, 2, 1.0).await;
            stage.sleep(3).await;
            stage.rollback_of(subject(2), None).await
        };
        let requests = requests(4);
        tokio::join!(run(&stage, &requests, 7), by_hand).0.exits(13);
        all_are(&stage, 4, "1", "back");
    });
}

#[test]
fn a_rollback_that_is_not_confirmed_is_never_hidden() {
    play(async {
        let stage = stage(3).await;
        let red = async {
            until_share(&stage, 1, 0.1).await;
            stage.with(|world| {
                world.set_alarm_state("alarm00", "ALARM").unwrap();
                world.add_fault(about(2, "UpdateAlias", Effect::Deny));
            });
        };
        let requests = requests(3);
        tokio::join!(run(&stage, &requests, 7), red).0.exits_each(20, &[10, 10, 20]);
        assert_eq!(ended(&stage, 1).2, "back");
    });
}

#[test]
fn a_signal_brings_all_back_or_leaves_all_as_they_are() {
    for (on_interrupt, code, phase) in [(OnInterrupt::RollBack, 13, "back"), (OnInterrupt::Hold, 30, "shift")] {
        play(async move {
            let stage = stage(3).await;
            let requests: Vec<Request> =
                requests(3).into_iter().map(|request| with(request, |policy| policy.on_interrupt = on_interrupt)).collect();
            let (stop, heard) = watch::channel(Interrupt::None);
            let signal = async {
                until_share(&stage, 0, 0.1).await;
                stop.send(Interrupt::Stop).unwrap();
            };
            tokio::join!(run_heard(&stage, &requests, 7, heard), signal).0.exits(code);
            assert!((0..3).all(|index| ended(&stage, index).2 == phase));
            if on_interrupt == OnInterrupt::Hold {
                run(&stage, &requests, 8).await.exits(0);
                all_are(&stage, 3, "2", "promoted");
            }
        });
    }
}

#[test]
fn a_pause_of_one_holds_all_and_a_failure_still_counts() {
    play(async {
        let stage = stage(3).await;
        let paused = async {
            until_share(&stage, 1, 0.1).await;
            stage.order(&subject(1), pause(180)).await;
            stage.now()
        };
        let requests = requests(3);
        let (output, paused) = tokio::join!(run(&stage, &requests, 7), paused);
        assert_eq!(output.ended.exit_code, 0);
        for moment in moments(&stage, 3, 0.5) {
            assert!(moment.since(paused) >= Duration::from_mins(3), "{moment:?}");
        }
        // Whoever waits says for whom, once a minute.
        let waits = output.events.iter().any(|event| {
            event.function == name(0)
                && matches!(&event.what, EventKind::Heartbeat { waiting_for, .. } if waiting_for.contains("function01:live to be ready for step 2"))
        });
        assert!(waits, "{:#?}", output.events);
    });
}

#[test]
fn an_alias_that_does_not_exist_yet_is_no_part_of_a_group() {
    play(async {
        let stage = stage(2).await;
        stage.with(|world| world.create_function("function02", &[])).unwrap();
        let mut requests = requests(2);
        requests.push(Request { subject: subject(2), alarms: Vec::new(), ..short() });
        run(&stage, &requests, 7).await.exits(3).says(2, "roll it out alone first");
    });
}

/// One question about all alarms, a hundred names in each call, in every poll: however many functions ask.
#[test]
fn alarms_are_asked_for_once_for_all() {
    for (many, each, calls_a_poll) in [(2, 1, 1), (20, 1, 1), (20, 6, 2)] {
        play(async move {
            let stage = stage(many).await;
            let mut requests = requests(many);
            for request in &mut requests {
                let function = request.subject.function.name.clone();
                request.alarms = (0..each).map(|index| format!("{function}-alarm{index}")).collect();
                for alarm in &request.alarms {
                    stage.with(|world| world.create_errors_alarm(alarm, &function, 1.0)).unwrap();
                }
                request.schedule = "Canary10Percent5Minutes".parse().unwrap();
            }
            let counted = async {
                for index in 0..many {
                    until_share(&stage, index, 0.1).await;
                }
                stage.sleep(20).await;
                let before = stage.calls("DescribeAlarms");
                stage.sleep(100).await;
                stage.calls("DescribeAlarms") - before
            };
            let (output, counted) = tokio::join!(run(&stage, &requests, 7), counted);
            assert_eq!(output.ended.exit_code, 0, "{:#?}", output.ended.endings);
            // Twenty polls of five seconds.
            let expected = 20 * calls_a_poll;
            assert!((expected - 2..=expected + 2).contains(&counted), "{many} functions, {each} alarms each: {counted}");
        });
    }
}

/// Where calls are compared, shares change on the full minute: whoever has waited for another one longer than that waits for the next.
#[test]
fn all_step_on_the_full_minute_though_one_was_paused() {
    play(async {
        let stage = Stage::furnished(sim::Settings::served(), 7, |world| furnish(world, 3)).await;
        let mut requests = requests(3);
        for request in &mut requests {
            request.schedule = "Linear50PercentEvery1Minute".parse().unwrap();
            request.policy.analysis = Analysis { mode: Mode::On, latency: Latency::Ignore, ..Analysis::default() };
            stage.with(|world| {
                world.set_environment(&request.subject.function.name, &[("SIM_TRAFFIC_RPS", "5"), ("SIM_BODY", "new")]).unwrap();
            });
        }
        let paused = async {
            until_share(&stage, 1, 0.5).await;
            stage.order(&subject(1), pause(150)).await;
        };
        tokio::join!(run(&stage, &requests, 7), paused).0.exits(0);
        for moment in moments(&stage, 3, 1.0) {
            assert!(moment.as_millis() % 60_000 < 5_000, "{moment:?}");
        }
    });
}
