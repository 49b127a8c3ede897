//! Many detached rollouts share one account: one invocation a minute continues all of them, within AWS' limits, and each ends as it would by itself.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use controller::port::{Clock, Cloud, SCHEDULE_RATE};
use controller::{Asked, Fleet, FleetTurns, Interrupt, Request, clock_event, clock_name, continue_all, lasts};
use futures_util::future::join_all;
use rollout::plan::{Analysis, Latency, Mode};
use rollout::policy::Policy;
use rollout::price::Price;
use rollout::{Schedule, Subject, Weight};
use serde_json::json;
use sim::{CallRecord, Ending, Invocation, Time, World};
use tokio::sync::watch;
use tokio::task::spawn_local;

use crate::detached::{CONTROLLER, by, detached, furnish, on};
use crate::stage::{Stage, short};

const ARN: &str = "arn:aws:lambda:us-east-1:111111111111:function:canaryctl-controller";

/// The function, as the clock invokes it: its processes, and which of its invocations do not come to their end.
#[derive(Default)]
struct Function {
    /// What its processes remember, those that are not at work.
    warm: RefCell<Vec<Fleet>>,
    /// Whether each invocation has a new process.
    cold: bool,
    /// From the second invocation on so many are killed, each after so many calls.
    kills: Cell<usize>,
    after: usize,
    invocations: Cell<usize>,
    done: RefCell<Vec<FleetTurns>>,
}

impl Function {
    /// Deploys it, with its clock.
    fn deploy(self, stage: &Stage) -> Rc<Self> {
        furnish(stage);
        put_clock(stage, "ENABLED");
        let (function, account) = (Rc::new(self), stage.account.clone());
        let this = function.clone();
        spawn_local(async move {
            loop {
                let one = account.invocation(CONTROLLER).await;
                let (account, this) = (account.clone(), this.clone());
                spawn_local(async move {
                    let stage = Stage::of_account(&account, CONTROLLER).await;
                    account.run(&one, this.invoked(&stage, &one)).await;
                });
            }
        });
        function
    }

    async fn invoked(&self, stage: &Stage, one: &Invocation) -> Ending {
        let number = self.invocations.replace(self.invocations.get() + 1);
        let (calls, before) = (|| stage.with(|world| by_function(world).count()), self.after);
        if number == 0 || self.kills.get() == 0 {
            return self.answer(stage, one).await;
        }
        self.kills.set(self.kills.get() - 1);
        let from = calls();
        tokio::select! {
            ending = self.answer(stage, one) => ending,
            () = stage.until_looking_every(Duration::from_millis(5), || calls() >= from + before) => Ending { answer: Ok("killed".into()), lines: Vec::new() },
        }
    }

    async fn answer(&self, stage: &Stage, one: &Invocation) -> Ending {
        let Ok(Asked::Turns(clocked)) = Asked::read(serde_json::from_slice(&one.event).unwrap()) else {
            panic!("only the clock invokes: {:?}", one.event)
        };
        let mut fleet = self.warm.borrow_mut().pop().unwrap_or_default();
        let now = stage.aws.time();
        let lasts = lasts(now, now + one.deadline.since(stage.now()));
        let (_untold, heard) = watch::channel(Interrupt::None);
        let asked = (&clocked, lasts, report::notice as controller::Notice);
        let turns = continue_all((&stage.aws, &stage.clock), &mut fleet, asked, heard, &mut |_| {}).await.unwrap();
        self.done.borrow_mut().push(turns);
        if !self.cold {
            self.warm.borrow_mut().push(fleet);
        }
        Ending { answer: Ok("done".into()), lines: Vec::new() }
    }
}

/// Deploys the controller's function and its clock.
pub(crate) fn deploy(stage: &Stage) {
    Function::default().deploy(stage);
}

/// How many rollouts have a schedule.
pub(crate) fn in_progress(stage: &Stage) -> usize {
    stage.with(|world| world.schedules()).iter().filter(|(_, name)| *name != clock_name(CONTROLLER)).count()
}

/// The clock, as the controller's template has it.
fn put_clock(stage: &Stage, switch: &str) {
    let role = "arn:aws:iam::111111111111:role/canaryctl-controller-scheduler-us-east-1";
    let target = json!({"Arn": ARN, "RoleArn": role, "Input": clock_event(ARN).to_string()});
    put_schedule(stage, &clock_name(CONTROLLER), switch, &target);
}

fn put_schedule(stage: &Stage, name: &str, switch: &str, target: &serde_json::Value) {
    let body = json!({
        "GroupName": "canaryctl", "ScheduleExpression": SCHEDULE_RATE, "FlexibleTimeWindow": {"Mode": "OFF"}, "State": switch, "Target": target,
    });
    let request = http::Request::post(format!("/schedules/{name}")).body(body.to_string().into()).unwrap();
    stage.with(|world| {
        world.schedule(world.now(), sim::Event::Call { caller: "CONSOLE".to_owned(), request });
        world.advance(world.now());
    });
    assert!(stage.with(|world| world.schedules()).iter().any(|(_, known)| known == name), "{name}");
}

fn by_function(world: &World) -> impl Iterator<Item = &CallRecord> {
    world.log().iter().filter(|call| call.caller == CONTROLLER)
}

fn name(index: usize) -> String {
    format!("function{index:04}")
}

fn alarm(index: usize) -> String {
    format!("alarm{index:04}")
}

/// What becomes of a rollout.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Good,
    /// Its alarm fires in mid-rollout.
    Alarmed,
    /// Both versions are compared.
    Compared,
    /// The same, and the new one fails.
    Worse,
}

fn fate(index: usize) -> Fate {
    match index % 10 {
        3 | 8 => Fate::Alarmed,
        5 if index % 20 == 5 => Fate::Worse,
        5 => Fate::Compared,
        _ => Fate::Good,
    }
}

/// A rollout for each of so many functions: 10%, 50%, 100%.
fn requests(stage: &Stage, many: usize, every: Duration) -> Vec<Request> {
    stage.with(|world| {
        for index in 0..many {
            let (traffic, failing) = match fate(index) {
                Fate::Good | Fate::Alarmed => ("0", "0"),
                Fate::Compared => ("4", "0"),
                Fate::Worse => ("4", "0.6"),
            };
            world.create_function(&name(index), &[("SIM_TRAFFIC_RPS", traffic)]).unwrap();
            world.publish(&name(index), 1).unwrap();
            world.set_alias(&name(index), "live", "1", None).unwrap();
            let new = [("SIM_TRAFFIC_RPS", traffic), ("SIM_BODY", "new"), ("SIM_ERROR_RATE", failing)];
            world.set_environment(&name(index), &new).unwrap();
            world.create_errors_alarm(&alarm(index), &name(index), 1e9).unwrap();
        }
    });
    let steps = [1000, 5000].map(|points| Weight::from_basis_points(points).unwrap());
    let schedule = Schedule::steps(&steps, every).unwrap();
    let request = |index: usize| {
        let compared = matches!(fate(index), Fate::Compared | Fate::Worse);
        let mode = if compared { Mode::On } else { Mode::Off };
        let analysis = Analysis { mode, latency: Latency::Ignore, ..Analysis::default() };
        let subject = Subject::parse(&name(index), None).unwrap();
        let policy = Policy { bake: Some(Duration::from_mins(2)), analysis, ..Policy::default() };
        let request =
            Request { subject, schedule: schedule.clone(), alarms: vec![alarm(index)], policy, observations: false, ..short() };
        detached(request)
    };
    (0..many).map(request).collect()
}

/// Begins one rollout after the other, this far apart, each by a job of its own; one that AWS answers too little is run again.
async fn begin(stage: &Stage, requests: &[Request], apart: Duration) {
    let jobs = requests.iter().enumerate().map(|(index, request)| async move {
        stage.clock.sleep(apart * u32::try_from(index).unwrap()).await;
        let stage = stage.as_caller(&format!("JOB{index}")).await;
        loop {
            let output = stage.rollout(request).await;
            if output.ending.outcome.word() == "detached" {
                break;
            }
            output.says("Rate exceeded");
            stage.sleep(17).await;
        }
    });
    join_all(jobs.map(Box::pin)).await;
}

/// Has the alarms fire of those whose fate that is, each so long after its version has traffic; until all are over.
async fn to_the_end(stage: &Stage, many: usize) {
    let fire = (0..many).filter(|index| fate(*index) == Fate::Alarmed).map(|index| async move {
        let shifted = || stage.with(|world| world.alias(&name(index), "live").unwrap().share("2")) > 0.0;
        stage.until_looking_every(Duration::from_secs(5), shifted).await;
        stage.sleep(20 + 7 * (index as u64 % 40)).await;
        stage.with(|world| world.set_alarm_state(&alarm(index), "ALARM")).unwrap();
    });
    join_all(fire).await;
    stage.until_looking_every(Duration::from_secs(5), || in_progress(stage) == 0).await;
}

/// The most of these calls in any second in which no job begins a rollout: each of those has a budget of its own, and makes AWS refuse calls,
/// which are made again.
fn busiest(stage: &Stage, counts: impl Fn(&CallRecord) -> bool) -> usize {
    let begun = stage.with(|world| world.log().iter().filter(|call| call.caller.starts_with("JOB")).map(|call| call.at).max());
    let counts = |call: &CallRecord| counts(call) && begun.is_none_or(|begun| call.at.since(begun) > Duration::from_secs(5));
    let mut times: Vec<Time> = stage.with(|world| by_function(world).filter(|call| counts(call)).map(|call| call.at).collect());
    times.sort();
    let within = |first: usize| times[first..].iter().take_while(|at| at.since(times[first]) < Duration::from_secs(1)).count();
    (0..times.len()).map(within).max().unwrap_or_default()
}

fn is_control(call: &CallRecord) -> bool {
    let others = ["DescribeAlarm", "GetMetricData", "Schedule", "ListMetrics", "Query", "Invoke"];
    !others.iter().any(|other| call.operation.contains(other))
}

/// How long after its alarm fired each was back.
fn latencies(stage: &Stage, many: usize) -> Vec<Duration> {
    let alarmed = (0..many).filter(|index| fate(*index) == Fate::Alarmed);
    let latency = |index: usize| {
        stage.with(|world| {
            let fired = world.alarm_transitions(&alarm(index)).into_iter().find(|(_, state)| state == "ALARM").unwrap().0;
            world.alias_writes(&name(index), "live").last().unwrap().at.since(fired)
        })
    };
    alarmed.map(latency).collect()
}

/// Everyone ended as it had to, and the account's limits were kept to; gives the longest time from an alarm to its rollback.
fn judge(stage: &Stage, many: usize) -> Duration {
    for index in 0..many {
        let alias = stage.with(|world| world.alias(&name(index), "live").cloned()).unwrap();
        let (version, word) = if matches!(fate(index), Fate::Good | Fate::Compared) { ("2", "promoted") } else { ("1", "back") };
        assert_eq!((alias.version.as_str(), alias.weights.len()), (version, 0), "{index} {:?}: {alias:?}", fate(index));
        assert!(alias.description.contains(&format!(" {word} ")), "{index} {:?}: {alias:?}", fate(index));
        let writes = stage.with(|world| world.alias_writes(&name(index), "live").cloned().collect::<Vec<_>>());
        assert!(writes.iter().filter(|write| write.operation == "UpdateAlias").all(|write| write.revision_sent.is_some()));
    }
    let [control, alarms] = [busiest(stage, is_control), busiest(stage, |call| call.operation == "DescribeAlarms")];
    let [lists, reads] = ["ListSchedules", "GetSchedule"].map(|name| busiest(stage, |call| call.operation == name));
    assert!(control < 15 && alarms <= 9 && lists <= 50 && reads <= 100, "in one second: {control} {alarms} {lists} {reads}");
    latencies(stage, many).into_iter().max().unwrap_or_default()
}

/// The busiest seconds, all calls, the price, and how late alarms were noticed.
fn figures(stage: &Stage, many: usize, function: &Function, began: Time) -> String {
    let mut operations: Vec<(usize, String)> = stage.with(|world| {
        let names: BTreeSet<String> = by_function(world).map(|call| call.operation.clone()).collect();
        names.into_iter().map(|name| (by_function(world).filter(|call| call.operation == name).count(), name)).collect()
    });
    operations.sort_by(|one, other| other.cmp(one));
    let operations: Vec<String> = operations.into_iter().map(|(count, name)| format!("{name} {count}")).collect();
    let mut late = latencies(stage, many);
    late.sort();
    let took = stage.now().since(began);
    let busiest =
        [("Lambda", busiest(stage, is_control)), ("DescribeAlarms", busiest(stage, |call| call.operation == "DescribeAlarms"))];
    let reads = busiest_of_schedules(stage);
    let throttled = stage.with(|world| by_function(world).filter(|call| call.status == 429).count());
    let turns: usize = function.done.borrow().iter().map(|done| done.turns).sum();
    format!(
        "{many} rollouts in {took:?}: {} invocations, {turns} turns\n  in the busiest second: {busiest:?}, schedules {reads:?}; {throttled} refused\n  \
         calls: {}\n  price: {} for all\n  from an alarm to 100% on stable: median {:?}, at most {:?}",
        function.invocations.get(),
        operations.join(", "),
        Price::of(took).dollars(),
        late[late.len() / 2],
        late[late.len() - 1],
    )
}

fn busiest_of_schedules(stage: &Stage) -> [usize; 2] {
    ["ListSchedules", "GetSchedule"].map(|name| busiest(stage, |call| call.operation == name))
}

/// Forty, or as many as `FLEET` says, with invocations that are late now and then.
#[test]
fn forty_rollouts_are_continued_by_one_clock() {
    let many = std::env::var("FLEET").map_or(40, |many| many.parse().unwrap());
    // As long as all are in progress at the same time.
    let every = Duration::from_secs(200 + 3 * many as u64);
    by("hello-idle", if many > 40 { 20 } else { 0 }, if many > 40 { 0.02 } else { 0.0 }, async |stage| {
        let began = stage.now();
        let function = Function::default().deploy(&stage);
        let requests = requests(&stage, many, every);
        tokio::join!(Box::pin(begin(&stage, &requests, Duration::from_secs(5))), to_the_end(&stage, many));
        println!("{}", figures(&stage, many, &function, began));
        let late = judge(&stage, many);
        assert!(late < Duration::from_secs(if many > 40 { 90 } else { 25 }), "{late:?}");
        // What the jobs took away is tried again.
        let problems: Vec<String> = function.done.borrow().iter().flat_map(|done| done.problems.clone()).collect();
        assert!(problems.iter().all(|problem| problem.contains("Rate exceeded")), "{problems:?}");
        // The steps of those that no one holds up are on time, within a look.
        for index in (0..many).filter(|index| fate(*index) == Fate::Good) {
            for (before, next) in [(0.1, 0.5), (0.5, 1.0)] {
                let late = off_by(&stage, (index, every), (before, next));
                assert!(late < if many > 40 { 90 } else { 15 }, "{index}: {late} s late to {next}");
            }
        }
    });
}

/// By how many seconds the time between these two shares differs from the plan's.
fn off_by(stage: &Stage, (index, every): (usize, Duration), (before, next): (f64, f64)) -> u64 {
    let at = |share: f64| {
        let reached = |write: &&CallRecord| write.after().unwrap().share("2") >= share;
        stage.with(|world| world.alias_writes(&name(index), "live").find(reached).unwrap().at)
    };
    at(next).since(at(before)).as_secs().abs_diff(every.as_secs())
}

/// A process that is new knows by the plans whose step is next: with so many it takes minutes to look at all.
#[test]
fn a_process_that_is_new_comes_to_each_step_in_time() {
    by("hello-idle", 0, 0.0, async |stage| {
        let (many, every) = (160, Duration::from_mins(7));
        Function { cold: true, ..Function::default() }.deploy(&stage);
        let requests = requests(&stage, many, every);
        Box::pin(begin(&stage, &requests, Duration::from_secs(3))).await;
        let good: Vec<usize> = (0..many).filter(|index| fate(*index) == Fate::Good).collect();
        let at_half = |index: &usize| stage.with(|world| world.alias(&name(*index), "live").unwrap().share("2")) >= 0.5;
        stage.until_looking_every(Duration::from_secs(5), || good.iter().all(at_half)).await;
        let mut late: Vec<u64> = good.iter().map(|index| off_by(&stage, (*index, every), (0.1, 0.5))).collect();
        late.sort_unstable();
        assert!(late.last().is_some_and(|late| *late < 30), "{late:?}");
    });
}

/// Invocations come late and twice, and each has a process that remembers nothing.
#[test]
fn a_clock_that_is_late_or_doubled_changes_nothing() {
    by("hello-idle", 59, 0.4, async |stage| {
        let many = 24;
        let function = Function { cold: true, ..Function::default() }.deploy(&stage);
        let requests = requests(&stage, many, Duration::from_mins(3));
        tokio::join!(Box::pin(begin(&stage, &requests, Duration::from_secs(5))), to_the_end(&stage, many));
        let late = judge(&stage, many);
        assert!(late < Duration::from_mins(3), "{late:?}");
        assert!(function.invocations.get() > 0);
    });
}

/// The function is killed after each of its first calls, twice in a row.
#[test]
fn a_function_that_is_killed_anywhere_is_made_up_for() {
    let ends = |many: usize, after: usize| {
        on("hello-idle", async |stage| {
            let function = Function { kills: Cell::new(2), after, ..Function::default() };
            let function = function.deploy(&stage);
            let requests = requests(&stage, many, Duration::from_mins(1));
            tokio::join!(Box::pin(begin(&stage, &requests, Duration::from_secs(2))), to_the_end(&stage, many));
            judge(&stage, many);
            assert_eq!(function.kills.get(), 0);
        });
    };
    (0..20).for_each(|after| ends(4, after));
    for after in [2, 11, 33] {
        ends(22, after);
    }
}

/// What another version wrote, what somebody else put there, and what invokes another function breaks none of the others.
#[test]
fn what_cannot_be_read_is_left_out_and_said() {
    on("hello-idle", async |stage| {
        let function = Function::default().deploy(&stage);
        let target =
            |arn: &str, input: &str| json!({"Arn": arn, "RoleArn": "arn:aws:iam::111111111111:role/any", "Input": input});
        put_schedule(&stage, "another-format", "DISABLED", &target(ARN, r#"{"v":2,"members":"otherwise"}"#));
        put_schedule(&stage, "no-rollout", "DISABLED", &target(ARN, r#"{"hello":"world"}"#));
        let other = ARN.replace("controller", "other");
        put_schedule(&stage, "of-another", "DISABLED", &target(&other, "{}"));
        let requests = requests(&stage, 2, Duration::from_mins(1));
        begin(&stage, &requests, Duration::from_secs(1)).await;
        stage.until_looking_every(Duration::from_secs(5), || in_progress(&stage) == 3).await;
        judge(&stage, 2);
        let done = function.done.borrow();
        let problems = &done.last().unwrap().problems;
        assert_eq!(problems.len(), 2, "{problems:?}");
        let said = |words: &str| problems.iter().any(|problem| problem.contains(words));
        assert!(said("another-format is left out: the event has the format 2") && said("no-rollout is left out"), "{problems:?}");
    });
}

/// Without a clock, or with one that is disabled or another function's, a rollout's schedule invokes the function itself.
#[test]
fn a_schedule_waits_for_the_clock_only_where_there_is_one() {
    for (clock, enabled) in [(None, true), (Some("DISABLED"), true), (Some("ENABLED"), false)] {
        on("hello-idle", async |stage| {
            furnish(&stage);
            if let Some(state) = clock {
                put_clock(&stage, state);
            }
            let requests = requests(&stage, 1, Duration::from_mins(1));
            begin(&stage, &requests, Duration::ZERO).await;
            let names = stage.with(|world| world.schedules());
            let own = names.iter().find(|(_, name)| *name != clock_name(CONTROLLER)).unwrap();
            let seen = stage.aws.schedule(&own.1).await.unwrap().unwrap();
            assert_eq!(seen.enabled, enabled, "{clock:?}");
            assert_eq!(stage.aws.disabled_schedules().await.unwrap().iter().any(|listed| listed.name == own.1), !enabled);
        });
    }
}
