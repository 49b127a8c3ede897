//! A rollout without a machine of its own: a schedule invokes the controller's function once a minute, late, twice or again, and the last turn
//! deletes the schedule.

use std::time::Duration;

use controller::port::Cloud;
use controller::{Continued, Detached, Identity, Request, Ticked, continue_detached, lasts};
use rollout::note::Owner;
use rollout::notify::{NoticeKind, Notification};
use rollout::turn::Turn;
use sim::{Ending, Fault, Invocation};
use tokio::task::spawn_local;

use crate::stage::{Output, Stage, play, request, short, subject};

pub(crate) const CONTROLLER: &str = "canaryctl-controller";

/// The same rollout, left to the controller's function.
pub(crate) fn detached(request: Request) -> Request {
    Request { turn: Some(Turn::Begin), controller: Some(CONTROLLER.to_owned()), ..request }
}

/// Plays something on the account of a built-in story, with the controller deployed, whose schedules invoke on the second.
pub(crate) fn on<T>(name: &str, story: impl AsyncFnOnce(Stage) -> T) -> T {
    by(name, 0, 0.0, story)
}

/// The same, with invocations up to so many seconds late, and so many of them doubled.
pub(crate) fn by<T>(name: &str, late: u64, doubles: f64, story: impl AsyncFnOnce(Stage) -> T) -> T {
    play(async {
        let settings = |settings: &mut sim::Settings| {
            settings.schedule_delay = Duration::ZERO..=Duration::from_secs(late);
            settings.schedule_doubles = doubles;
        };
        story(Stage::story_with(name, settings).await).await
    })
}

/// Deploys the controller's function, whose code is this process', and the group of its schedules.
pub(crate) fn deploy(stage: &Stage) {
    stage.with(|world| {
        world.create_function(CONTROLLER, &[]).unwrap();
        world.create_schedule_group("canaryctl");
        world.host(CONTROLLER);
    });
    let request = http::Request::put(format!("/2015-03-31/functions/{CONTROLLER}/configuration"));
    let request = request.body(r#"{"Timeout":900}"#.into()).unwrap();
    stage.with(|world| {
        world.schedule(world.now(), sim::Event::Call { caller: "CONSOLE".to_owned(), request });
        world.advance(world.now());
    });
    let account = stage.account.clone();
    spawn_local(async move {
        loop {
            let one = account.invocation(CONTROLLER).await;
            let account = account.clone();
            spawn_local(async move {
                let stage = Stage::of_account(&account, CONTROLLER).await;
                account.run(&one, turn(&stage, &one)).await;
            });
        }
    });
}

/// What the function does, as the binary does it.
async fn turn(stage: &Stage, one: &Invocation) -> Ending {
    let event = serde_json::from_slice(&one.event).unwrap();
    let detached = Detached::read(event).unwrap();
    let now = stage.aws.time();
    let lasts = lasts(now, now + one.deadline.since(stage.now()));
    let identity = Identity { id: detached.rollout_id, owner: Owner::from_random(fastrand::u32(..)) };
    let (_untold, heard) = tokio::sync::watch::channel(controller::Interrupt::None);
    let mut lines = Vec::new();
    let mut tell = |event: &rollout::event::Event| lines.push(serde_json::to_string(event).unwrap());
    let continued = continue_detached(&stage.aws, &stage.clock, (&detached, lasts, report::notice), identity, heard, &mut tell);
    let Continued { ticked, deleted } = Box::pin(continued).await.unwrap();
    assert!(!ticked.iter().any(|(_, ticked)| matches!(ticked, Ticked::Refused(_))), "{ticked:?}");
    let next = if deleted.is_some() { "done" } else { "wait" };
    Ending { answer: Ok(next.into()), lines }
}

/// Begins it, and waits until its schedule is gone; how many times the function was invoked by then.
async fn to_its_end(stage: &Stage, request: Request) -> (Output, usize) {
    let output = stage.rollout(detached(request)).await.exits_as(0, "detached");
    stage.until_looking_every(Duration::from_secs(5), || schedules(stage) == 0).await;
    let invoked = |call: &&sim::CallRecord| call.operation == "Invoke" && call.resource.contains(CONTROLLER);
    let invoked = stage.with(|world| world.log().iter().filter(invoked).count());
    (output, invoked)
}

pub(crate) fn schedules(stage: &Stage) -> usize {
    stage.with(|world| world.schedules().len())
}

#[test]
fn a_detached_rollout_is_promoted_by_its_schedule() {
    on("hello", async |stage| {
        deploy(&stage);
        let (output, invoked) = to_its_end(&stage, request()).await;
        // As many as its price is of: nine minutes of steps, and what it bakes.
        let lasts = Duration::from_mins(9) + request().bake.unwrap_or(rollout::timing::DEFAULT_BAKE);
        let priced = rollout::price::Price::of(lasts).invocations;
        assert!(priced.abs_diff(invoked as u64) <= 1, "{invoked} invocations, and {priced} in the price");
        output.golden("detached");
        stage.assert_ended("42", "promoted");
        assert_eq!(stage.percents(), (1..=10).map(|ten| ten * 10).collect::<Vec<_>>());
        // Each step in its minute, as by a process that stays.
        let took = stage.shares("42").last().unwrap().0;
        assert!((535..=570).contains(&took), "{took}");
    });
}

#[test]
fn an_alarm_is_noticed_as_quickly_as_by_a_process_that_stays() {
    for seconds in [70, 130, 159] {
        on("hello-idle", async |stage| {
            deploy(&stage);
            stage.alarm_in(seconds);
            to_its_end(&stage, request()).await;
            stage.assert_ended("41", "back");
            let red = stage
                .with(|world| world.alarm_transitions("HelloFooAlarm"))
                .iter()
                .find(|(_, state)| state == "ALARM")
                .unwrap()
                .0;
            let back = stage.writes().last().unwrap().at;
            assert!(back.since(red) < Duration::from_secs(15), "{:?}", back.since(red));
        });
    }
}

/// Invocations come late, and twice: normal.
#[test]
fn late_and_doubled_invocations_change_nothing() {
    by("hello", 59, 0.5, async |stage| {
        deploy(&stage);
        to_its_end(&stage, request()).await;
        stage.assert_ended("42", "promoted");
        stage.assert_conditional();
        assert_eq!(stage.percents(), (1..=10).map(|ten| ten * 10).collect::<Vec<_>>());
    });
}

#[test]
fn without_the_function_nothing_begins_and_what_cannot_be_scheduled_moves_nothing() {
    on("hello-idle", async |stage| {
        let output = stage.rollout(detached(short())).await.exits_as(3, "refused");
        output.because("canaryctl controller template");
        assert_eq!(stage.writes().len(), 0);
        deploy(&stage);
        stage.with(|world| world.add_fault(Fault::on("CreateSchedule", sim::Effect::Deny)));
        let output = stage.rollout(detached(short())).await.exits_as(1, "failed");
        output.because("the schedule could not be created");
        assert_eq!(stage.shares("42"), []);
        assert_eq!(schedules(&stage), 0);
    });
}

/// A person rolls back: the next turn finds nothing to do, and deletes the schedule.
#[test]
fn a_person_ends_it_and_the_schedule_goes() {
    on("hello-idle", async |stage| {
        deploy(&stage);
        stage.rollout(detached(request())).await.exits_as(0, "detached");
        stage.sleep(90).await;
        stage.rollback_of(subject(), None).await;
        stage.until(|| schedules(&stage) == 0).await;
        stage.assert_ended("41", "back");
    });
}

/// The process that detaches dies after it made the schedule: the turns go on when its lease is over.
#[test]
fn what_died_while_it_was_detached_is_finished_by_turns() {
    on("hello", async |stage| {
        deploy(&stage);
        stage.killed(detached(request()), stage.until_looking_every(Duration::from_millis(50), || schedules(&stage) > 0)).await;
        stage.until_looking_every(Duration::from_secs(5), || schedules(&stage) == 0).await;
        stage.assert_ended("42", "promoted");
    });
}

/// Everything that a plan and its request are made of comes through the event, and makes the same plan.
#[test]
fn the_event_holds_the_whole_plan() {
    on("hello-idle", async |stage| {
        deploy(&stage);
        let rich = Request {
            keep_previous: Some("before".to_owned()),
            notify: vec![Notification {
                recipient: "https://hooks.slack.com/services/secret".parse().unwrap(),
                kinds: NoticeKind::usual(),
                trigger: None,
            }],
            step_hook: Some("https://hooks.example.com/canary?token=secret".parse().unwrap()),
            post_hook: Some("arn:aws:lambda:us-east-1:111111111111:function:postHook".parse().unwrap()),
            probe_event: Some(b"{}".to_vec()),
            ..request()
        };
        stage.with(|world| drop(world.create_function("stepHook", &[("SIM_HOOK", "Succeeded")])));
        let output = stage.rollout(detached(rich.clone())).await.exits_as(0, "detached");
        assert!(!output.log.contains("secret"), "{}", output.log);
        let (_, name) = stage.with(|world| world.schedules()).pop().unwrap();
        let event = stage.aws.schedule(&name).await.unwrap().unwrap().input;
        let read = Detached::read(serde_json::from_str(&event).unwrap()).unwrap();
        let back = read.requests(Turn::Tick(Duration::ZERO)).unwrap().pop().unwrap();
        let hook = |hook: &Option<rollout::hook::HookTarget>| hook.as_ref().map(rollout::hook::HookTarget::whole);
        assert_eq!((hook(&back.step_hook), hook(&back.post_hook)), (hook(&rich.step_hook), hook(&rich.post_hook)));
        assert_eq!(
            (&back.probe_event, &back.keep_previous, &back.notify),
            (&rich.probe_event, &rich.keep_previous, &rich.notify)
        );
        assert_eq!((&back.gates, &back.managed, &back.subject), (&rich.gates, &rich.managed, &rich.subject));
        // The plan is the same, or the first turn would refuse it.
        stage.sleep(70).await;
        let note = stage.alias().await.note().unwrap();
        assert_eq!(note.id, read.rollout_id);
    });
}
