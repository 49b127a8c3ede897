//! The calls of both versions speak for themselves: a worse one is rolled back in minutes without an alarm, a good one is not,
//! and what cannot be decided is reported and handled as configured.

use std::time::Duration;

use controller::Request;
use rollout::plan::{Analysis, Latency, Mode, OnInterrupt, OnLowTraffic};
use rollout::policy::Policy;
use rollout::{Schedule, Weight};
use sim::{Effect, Fault};

use crate::stage::{play_on, request, short, with};

fn compared(analysis: Analysis) -> Request {
    Request { alarms: Vec::new(), pre_hook: None, post_hook: None, policy: Policy { analysis, ..Policy::default() }, ..request() }
}

fn on() -> Analysis {
    Analysis { mode: Mode::On, ..Analysis::default() }
}

#[test]
fn a_version_that_fails_more_often_goes_back_without_any_alarm() {
    play_on("hello-errors", async |stage| {
        let output = stage.rollout(compared(on())).await.golden("a_worse_version_without_an_alarm").exits_for(10, "analysis");
        stage.assert_ended("41", "back");
        stage.assert_conditional();
        assert!(output.ending.reason.detail.contains("as often as 41"), "{}", output.log);
        assert!(output.ending.exposed.unwrap() > 0 && output.ending.extra_failures.unwrap().to_f64() > 0.0, "{}", output.log);
        assert!(stage.alias().await.description.contains("x=42n"), "it is remembered as rejected");
    });
}

#[test]
fn a_good_version_goes_through_on_one_question_a_minute() {
    play_on("hello", async |stage| {
        let output = stage.rollout(compared(on())).await.exits(0);
        assert_eq!(stage.percents(), (1..=10).map(|ten| ten * 10).collect::<Vec<_>>());
        // Nine minutes of steps, three of bake, the first look, and what the alias was used to.
        let asked = stage.calls("GetMetricData");
        assert!((12..=15).contains(&asked), "{asked}");
        assert_eq!(stage.calls("GetFunctionConcurrency"), 0, "why it is not invoked is asked only where it is not");
        output.says("errors 0%");
    });
}

#[test]
fn what_only_observes_never_acts() {
    play_on("hello-errors", async |stage| {
        let output = stage.rollout(compared(Analysis { mode: Mode::Observe, ..on() })).await.exits(0);
        assert_eq!(output.ending.reason.kind.word(), "promoted");
        assert!(output.ending.exposed.unwrap() > 0);
        stage.assert_ended("42", "promoted");
    });
}

#[test]
fn a_version_that_answers_nothing_goes_back_even_where_there_is_nothing_to_compare() {
    play_on("hello-errors", async |stage| {
        stage.with(|world| world.set_environment("hello", &[("SIM_ERROR_RATE", "1"), ("SIM_TRAFFIC_RPS", "1")]).unwrap());
        let output =
            stage.rollout(Request { schedule: "AllAtOnce".parse().unwrap(), ..compared(on()) }).await.exits_for(10, "analysis");
        output.because("failed all of its");
        stage.assert_ended("41", "back");
    });
}

/// A step waits for the calls that were asked for; then what was configured is done.
#[test]
fn a_function_that_nobody_calls_is_told_so_and_treated_as_configured() {
    let few = |on_low_traffic| Analysis { min_requests: 20, max_hold: Duration::from_mins(4), on_low_traffic, ..on() };
    play_on("hello-idle", async |stage| {
        stage.rollout(compared(few(OnLowTraffic::RollBack))).await.golden("nobody_calls").exits_for(12, "low_traffic");
        let shares = stage.shares("42");
        // A write takes 20 to 60 ms, the first as well as the last.
        assert!((299..310).contains(&shares[1].0) && shares.len() == 2, "one minute as planned and four more: {shares:?}");
        assert!(!stage.alias().await.description.contains(" x="), "nothing speaks against it");
    });
    play_on("hello-idle", async |stage| {
        stage.rollout(judged(short(), few(OnLowTraffic::Promote))).await.exits(0);
        let shares = stage.shares("42");
        assert!((270..280).contains(&shares[1].0) && (540..560).contains(&shares[2].0), "{shares:?}");
    });
    play_on("hello-idle", async |stage| {
        let output = stage.rollout(compared(on())).await;
        assert_eq!(output.ending.exit_code, 0, "without a number of calls to wait for, the schedule goes on: {}", output.log);
        output.says("almost no invocations of the new version are expected");
    });
}

fn judged(request: Request, analysis: Analysis) -> Request {
    Request { alarms: Vec::new(), policy: Policy { analysis, ..request.policy }, ..request }
}

#[test]
fn saved_events_stand_in_for_calls() {
    let probed = |count| {
        let on_low_traffic = OnLowTraffic::Probe(count);
        let analysis = Analysis { min_requests: 20, max_hold: Duration::ZERO, on_low_traffic, ..on() };
        Request { probe_event: Some(b"{\"ping\":true}".to_vec()), ..judged(short(), analysis) }
    };
    play_on("hello-idle", async |stage| {
        stage.rollout(probed(5)).await.exits(0);
        assert_eq!(stage.calls("Invoke"), 1 + 5, "a dry run, and five events once for all steps");
        assert_eq!(stage.with(|world| world.tally("hello", "42", "42")).invocations, 5);
        assert_eq!(stage.percents(), [10, 50, 100]);
    });
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.set_environment("hello", &[("SIM_ERROR_RATE", "1")]).unwrap());
        stage.rollout(probed(5)).await.golden("a_saved_event_that_fails").exits_for(10, "analysis");
        assert_eq!(stage.percents(), [10, 0]);
        assert_eq!(stage.with(|world| world.tally("hello", "42", "42")).invocations, 1, "the first failure is enough");
    });
}

#[test]
fn counts_that_may_not_be_read_are_a_warning_unless_they_were_asked_for() {
    play_on("hello", async |stage| {
        stage.with(|world| world.add_fault(Fault::on("GetMetricData", Effect::Deny)));
        let output = stage.rollout(judged(short(), on())).await.exits(0);
        assert_eq!(output.log.matches("cloudwatch:GetMetricData is not permitted").count(), 1, "{}", output.log);
        assert_eq!(stage.calls("GetMetricData"), 1);
    });
    play_on("hello", async |stage| {
        stage.with(|world| world.add_fault(Fault::on("GetMetricData", Effect::Deny)));
        let asked = Request { analysis_asked: true, ..judged(short(), on()) };
        stage.rollout(asked).await.exits(3).says("`--analysis off` disables the comparison");
        assert_eq!(stage.writes().len(), 0);
    });
}

#[test]
fn counts_that_cannot_be_read_any_more_hold_the_share_and_then_bring_it_back() {
    play_on("hello", async |stage| {
        let blind = async {
            stage.until(|| stage.shares("42").len() >= 2).await;
            stage.with(|world| world.add_fault(Fault::on("GetMetricData", Effect::ServerError(500))));
        };
        let request = with(compared(on()), |policy| policy.blind_limit = Duration::from_mins(4));
        stage.rollout_while(&request, blind).await.exits_for(12, "blind").because("the invocations cannot be counted");
        let shares = stage.percents();
        assert!(shares == [10, 20, 0] || shares == [10, 20, 30, 0], "one count may be missed: {shares:?}");
    });
}

/// The same counts, read by a process that began later: what was found before it is found again.
#[test]
fn a_process_that_takes_over_knows_what_the_first_one_knew() {
    play_on("hello-errors", async |stage| {
        let request = with(compared(on()), |policy| policy.on_interrupt = OnInterrupt::Hold);
        // Before CloudWatch has shown anything.
        stage.rollout_until(&request, stage.sleep(75)).await.exits(30);
        // While nobody looks, the evidence comes in.
        stage.sleep(180).await;
        let shares = stage.percents();
        stage.as_caller("SECOND").await.rollout(&request).await.exits_for(10, "analysis");
        assert_eq!(stage.percents(), [shares, vec![0]].concat(), "it is found before anything rises");
    });
}

#[test]
fn a_slower_version_is_reported_and_goes_back_where_that_is_enforced() {
    for (latency, code, reason, words) in
        [(Latency::Report, 0, "promoted", ""), (Latency::Enforce, 10, "analysis", "42 is slower than 41")]
    {
        play_on("hello", async |stage| {
            // Enough calls to know what is usual.
            stage.sleep(600).await;
            stage.with(|world| world.set_environment("hello", &[("SIM_LATENCY_MS", "400")]).unwrap());
            stage.rollout(compared(Analysis { latency, ..on() })).await.exits_for(code, reason).because(words);
        });
    }
}

#[test]
fn an_alarm_that_needs_longer_than_there_is_is_said_so() {
    play_on("hello", async |stage| {
        let short = Request { schedule: "AllAtOnce".parse().unwrap(), ..short() };
        let alone = |bake| with(short.clone(), |policy| policy.bake = Some(Duration::from_secs(bake)));
        stage.rollout(alone(30)).await.says("alarm `HelloFooAlarm` needs at least 1m of errors to fire");
        stage.rollout(with(alone(60), |policy| policy.again = true)).await.lacks("of errors to fire");
    });
}

#[test]
fn a_plan_tells_what_it_can_see_and_what_seeing_costs() {
    play_on("hello", async |stage| {
        stage.sleep(3_600).await;
        let plan = |schedule: &str| Request { schedule: schedule.parse().unwrap(), ..compared(on()) };
        let foresee = async |request: Request| {
            let identity = controller::Identity { id: rollout::note::RolloutId(1), owner: rollout::note::Owner::from_random(1) };
            let found = controller::preflight(&stage.aws, &stage.clock, &request, identity.id, identity.owner).await;
            controller::forecast(&stage.aws, &request.subject, &found.plan).await.unwrap().unwrap()
        };
        let linear = foresee(plan("Linear10PercentEvery1Minute")).await;
        let a_minute = linear.calls_a_minute.to_f64();
        assert!((500.0..660.0).contains(&a_minute), "10 a second: {a_minute}");
        let calls: Vec<u64> = linear.parts.iter().map(|part| part.canary_calls / 10).collect();
        assert!(calls.windows(2).all(|pair| pair[0] < pair[1]) && calls.len() == 9, "{calls:?}");
        let seen: Vec<f64> = linear.parts.iter().map(|part| part.smallest_percent.unwrap().to_f64()).collect();
        assert!(seen.windows(2).all(|pair| pair[0] >= pair[1]), "more is seen by and by: {seen:?}");
        let [five, all] = linear.costs.as_slice() else { panic!("two costs") };
        assert!((3.0..6.0).contains(&five.minutes.unwrap().to_f64()) && five.failed_calls <= 45, "{five:?}");
        assert!(all.failed_calls > five.failed_calls && all.minutes <= five.minutes, "{all:?}");
        // Of what has not come in yet, nothing is counted.
        let long = foresee(plan("Canary10Percent48Hours")).await.calls_a_minute.to_f64();
        assert!((500.0..660.0).contains(&long), "the same traffic: {long}");
        // Nothing was read twice, nothing was written.
        assert_eq!(stage.writes().len(), 0);
        let at_once = foresee(plan("AllAtOnce")).await;
        assert!(at_once.parts.is_empty());
        // Most of its time at a share that tells little: the same time at less is named instead.
        let steep = Request {
            schedule: Schedule::steps(&[Weight::from_basis_points(9_000).unwrap()], Duration::from_mins(10)).unwrap(),
            ..compared(on())
        };
        let better = foresee(steep).await.better.unwrap();
        assert!(better.schedule.starts_with("Canary") && better.schedule.ends_with("10Minutes"), "{better:?}");
    });
}
