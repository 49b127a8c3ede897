//! What the user counts as failed rolls back like Lambda's own errors, under the same promise; a signal that falls silent never passes.

use std::time::Duration;

use controller::Request;
use controller::port::{Cloud, VersionPair};
use rollout::Subject;
use rollout::note::{Owner, RolloutId};
use rollout::plan::{Analysis, Mode, OnInterrupt};
use rollout::policy::Policy;
use sim::{Effect, Fault};

use crate::groups;
use crate::stage::{Stage, play, play_on, request, subject, with};

/// Lambda counts by version only while the alias has weights: there is no such metric yet.
const THROWN: &str =
    "thrown=AWS/Lambda/Errors{FunctionName=${function},Resource=${function}:${alias},ExecutedVersion=${version}}";

fn watched(signals: &[&str]) -> Request {
    let analysis = Analysis { mode: Mode::On, ..Analysis::default() };
    let signals = signals.iter().map(|text| text.parse().unwrap()).collect();
    let policy = Policy { analysis, ..Policy::default() };
    Request { alarms: Vec::new(), pre_hook: None, post_hook: None, policy, signals, analysis_asked: true, ..request() }
}

#[test]
fn a_metric_that_never_was_is_refused_with_what_is_near() {
    play_on("hello", async |stage| {
        stage.sleep(300).await;
        let output = stage
            .rollout(watched(&[THROWN, "lost=aws/lambda/Errors{Version=${version}}", "no=Shop/Sold{Version=${version}}"]))
            .await;
        let output = output
            .exits(3)
            .says("metric `Errors` in `AWS/Lambda` with the dimensions ExecutedVersion, FunctionName, Resource had no data");
        output
            .says("there it has FunctionName; FunctionName, Resource")
            .says("did you mean the namespace `AWS/Lambda`?")
            .says("check its name");
        assert_eq!((stage.calls("ListMetrics"), stage.writes().len()), (6, 0));
    });
}

/// Requests and failures as the function counts them itself, in lines of its log; and its failures among all invocations.
const HTTP: &str = "http=Shop/Failures{Version=${version}}/Shop/Requests{Version=${version}}";
const OF_ALL: &str = "of-all=Shop/Failures{FunctionName=${function},Version=${version}}";

/// A version that answers 5% of its requests with an error that Lambda does not count; with this in its environment.
async fn handled_errors(variables: &[(&str, &str)]) -> Stage {
    let stage = Stage::story("hello-handled-errors").await;
    stage.sleep(600).await;
    stage.with(|world| world.set_environment("hello", variables).unwrap());
    stage
}

#[test]
fn failures_that_lambda_does_not_count_go_back_as_soon_as_the_plan_says() {
    play(async {
        let stage = handled_errors(&[]).await;
        let minutes = foretold(&stage, &watched(&[HTTP])).await;
        let output = stage.rollout(watched(&[HTTP])).await.golden("a_signal_decides").exits_for(10, "analysis");
        output.because("http: 42 fails at least").says("; signals http");
        let took = stage.shares("42").last().unwrap().0;
        assert!(took.abs_diff(minutes * 60) <= 60, "foretold for minute {minutes}, noticed after {took} s");
        stage.assert_ended("41", "back");
        stage.assert_conditional();
        assert!(stage.alias().await.description.contains("x=42n"), "it is remembered as rejected");
    });
}

/// After how many minutes the plan says that 5% failures are noticed.
async fn foretold(stage: &Stage, request: &Request) -> u64 {
    let identity = controller::Identity { id: RolloutId(1), owner: Owner::from_random(1) };
    let found = controller::preflight(&stage.aws, &stage.clock, request, identity.id, identity.owner).await;
    let forecast = controller::forecast(&stage.aws, &request.subject, &found.plan).await.unwrap().unwrap();
    let [signal] = forecast.signals.as_slice() else { panic!("{forecast:?}") };
    // Ten a second, but for the newest minutes, which are not counted yet.
    assert!((400.0..660.0).contains(&signal.requests_a_minute.to_f64()), "{signal:?}");
    signal.cost.minutes.unwrap().0.unsigned_abs().div_ceil(1000)
}

#[test]
fn errors_decide_beside_a_signal_that_sees_the_same_later() {
    play(async {
        let stage = handled_errors(&[("SIM_HTTP_ERROR_RATE", ""), ("SIM_ERROR_RATE", "0.05")]).await;
        let output = stage.rollout(watched(&[HTTP])).await.exits_for(10, "analysis");
        assert!(output.ending.reason.detail.starts_with("42 fails at least"), "{}", output.log);
    });
}

#[test]
fn a_good_version_with_two_signals_goes_through_on_one_question_a_minute() {
    play(async {
        let stage = handled_errors(&[("SIM_HTTP_ERROR_RATE", "")]).await;
        let output = stage.rollout(watched(&[HTTP, OF_ALL])).await.exits(0);
        output.says("; http 0% (0/").says("; of-all 0% (0/");
        // As without signals, and what they counted before.
        let asked = stage.calls("GetMetricData");
        assert!((13..=16).contains(&asked), "{asked}");
        assert_eq!(stage.calls("ListMetrics"), 3);
    });
}

/// A line of the log that a 5xx answer leaves.
const LOGGED: &str = "5xx=logs:status >= 500";

#[test]
fn failures_in_the_log_go_back_without_any_metric() {
    play(async {
        let stage = handled_errors(&[]).await;
        let output = stage.rollout(watched(&[LOGGED])).await.golden("a_signal_in_the_log_decides").exits_for(10, "analysis");
        output.because("5xx: 42 fails at least");
        stage.assert_ended("41", "back");
        assert!(stage.calls("StartQuery") <= 14 && stage.calls("StopQuery") == 0, "two queries a minute");
    });
}

#[test]
fn a_good_version_goes_through_beside_its_log() {
    play(async {
        let stage = handled_errors(&[("SIM_HTTP_ERROR_RATE", "")]).await;
        stage.rollout(watched(&[LOGGED, HTTP])).await.exits(0).says("; 5xx 0% (0/").says("; http 0% (0/");
    });
}

#[test]
fn a_log_that_cannot_be_read_holds_and_then_goes_back() {
    play(async {
        let stage = handled_errors(&[("SIM_HTTP_ERROR_RATE", "")]).await;
        let request = Request { version: rollout::Version::new(42), ..watched(&[LOGGED]) };
        stage.with(|world| world.publish("hello", 42).unwrap());
        let denied = async {
            stage.until(|| stage.shares("42").len() >= 2).await;
            stage.with(|world| world.add_fault(Fault::on("StartQuery", Effect::ServerError(500))));
        };
        let request = with(request, |policy| policy.blind_limit = Duration::from_mins(4));
        let output =
            stage.rollout_while(&request, denied).await.exits_for(12, "blind").because("the log could not be queried since");
        assert!(stage.percents().len() <= 8, "{:?}: {}", stage.percents(), output.log);
    });
}

/// Whoever counts failures in a log that the new version does not write to sees none.
#[test]
fn a_log_without_lines_of_the_new_version_never_passes() {
    play(async {
        let stage = handled_errors(&[("SIM_HTTP_ERROR_RATE", "")]).await;
        let body = r#"{"LoggingConfig":{"LogGroup":"/elsewhere"}}"#.to_owned();
        let request = http::Request::put("/2015-03-31/functions/hello/configuration").body(body.into()).unwrap();
        stage.with(|world| world.schedule(world.now(), sim::Event::Call { caller: "CONSOLE".to_owned(), request }));
        stage.sleep(5).await;
        let output = stage.rollout(watched(&[LOGGED])).await.exits_for(12, "no_data");
        output.because("5xx: 42 has no line in its log, although about");
        assert!(stage.percents().len() <= 7, "{:?}", stage.percents());
    });
}

#[test]
fn a_plan_says_what_signals_are_worth_and_what_their_log_costs() {
    play(async {
        let stage = handled_errors(&[]).await;
        let request = watched(&[HTTP, LOGGED]);
        let identity = controller::Identity { id: RolloutId(1), owner: Owner::from_random(1) };
        let found = controller::preflight(&stage.aws, &stage.clock, &request, identity.id, identity.owner).await;
        let forecast = controller::forecast(&stage.aws, &request.subject, &found.plan).await.unwrap();
        let text = report::plan_text(&request.subject, &found.plan, forecast.as_ref());
        for words in [
            "signal http=Shop/Failures{Version=${version}}/Shop/Requests{Version=${version}}",
            "signal 5xx=logs:status >= 500",
            "requests a minute, 0% of them fail; detects 1",
            "a version with 5% failures: detected after about",
            "signals in /aws/lambda/hello: 120 queries an hour, CloudWatch charges $0.005 for each GB in most Regions",
        ] {
            assert!(text.contains(words), "no `{words}` in\n{text}");
        }
    });
}

#[test]
fn only_what_signals_call_is_granted() {
    let actions = |signals: &[&str]| {
        let place = controller::Place { region: Some("eu-west-1".to_owned()), ..controller::Place::default() };
        let grants = controller::permissions(&watched(signals), &place, false);
        let signals = grants.into_iter().filter(|grant| grant.id.starts_with("Signals"));
        signals.map(|grant| (grant.id, grant.actions, grant.resources)).collect::<Vec<_>>()
    };
    assert!(actions(&[]).is_empty());
    let everything = || vec!["*".to_owned()];
    assert_eq!(actions(&[HTTP]), [("Signals", vec!["cloudwatch:ListMetrics"], everything())]);
    let group = "arn:aws:logs:eu-west-1:*:log-group:/aws/lambda/hello:*".to_owned();
    let answers = vec!["logs:GetQueryResults", "logs:StopQuery", "logs:DescribeLogGroups"];
    assert_eq!(
        actions(&[LOGGED]),
        [("SignalsInLogs", vec!["logs:StartQuery"], vec![group]), ("SignalsInLogsAnswers", answers, everything())]
    );
}

#[test]
fn a_log_that_does_not_exist_is_refused() {
    play_on("hello", async |stage| {
        let other = Request { subject: Subject::parse("never:live", None).unwrap(), ..watched(&[LOGGED]) };
        stage.with(|world| {
            world.create_function("never", &[]).unwrap();
            world.publish("never", 1).unwrap();
            world.set_alias("never", "live", "1", None).unwrap();
        });
        stage.rollout(other).await.exits(3).says("signal `5xx`: there is no log group `/aws/lambda/never`");
    });
}

/// A version that does not write the metric any more looks healthy to whoever counts its failures only.
#[test]
fn a_signal_without_requests_never_passes() {
    play(async {
        let stage = handled_errors(&[("SIM_EMF", "")]).await;
        let output = stage.rollout(watched(&[HTTP])).await.golden("a_signal_that_is_silent").exits_for(12, "no_data");
        output.because("http: 42 has no requests, although about");
        assert!(stage.percents().len() <= 7, "{:?}", stage.percents());
    });
}

#[test]
fn a_process_that_takes_over_finds_what_the_first_one_would_have() {
    for seconds in [61, 181] {
        play(async {
            let stage = handled_errors(&[]).await;
            let request = with(watched(&[HTTP]), |policy| policy.on_interrupt = OnInterrupt::Hold);
            stage.rollout_until(&request, stage.sleep(seconds)).await.exits(30);
            // While nobody looks, the evidence comes in.
            stage.sleep(300).await;
            let shares = stage.percents();
            stage.as_caller("SECOND").await.rollout(&request).await.exits_for(10, "analysis").because("http: 42 fails");
            assert_eq!(stage.percents(), [shares, vec![0]].concat(), "it is found before anything rises");
        });
    }
}

/// Another set of signals is another plan.
#[test]
fn a_rollout_is_known_by_its_signals() {
    play(async {
        let stage = handled_errors(&[("SIM_HTTP_ERROR_RATE", "")]).await;
        let request = |signals: &[&str]| with(watched(signals), |policy| policy.on_interrupt = OnInterrupt::Hold);
        stage.rollout_until(&request(&[HTTP]), stage.sleep(61)).await.exits(30);
        stage.as_caller("SECOND").await.rollout(request(&[OF_ALL])).await.exits(3).says("--replan");
        stage.as_caller("SECOND").await.rollout(request(&[HTTP])).await.exits(0);
    });
}

#[test]
fn one_member_of_a_group_whose_signal_gets_worse_takes_the_others_back() {
    play(async {
        let stage = groups::stage(2).await;
        stage.with(|world| {
            for index in 0..2 {
                let function = groups::name(index);
                let (traffic, counted) = (("SIM_TRAFFIC_RPS", "10"), ("SIM_EMF", "Shop"));
                world.set_environment(&function, &[traffic, counted]).unwrap();
                world.publish(&function, 2).unwrap();
                world.set_alias(&function, "live", "2", None).unwrap();
                let rate = if index == 1 { "0.1" } else { "" };
                world.set_environment(&function, &[("SIM_BODY", "newer"), ("SIM_HTTP_ERROR_RATE", rate)]).unwrap();
            }
        });
        stage.sleep(600).await;
        let signal = "http=Shop/Failures{FunctionName=${function},Version=${version}}/Shop/Requests{FunctionName=${function},Version=${version}}";
        let requests: Vec<Request> =
            (0..2).map(|index| Request { subject: groups::subject(index), ..watched(&[signal]) }).collect();
        let output = groups::run(&stage, &requests, 7).await.exits_for(10, &["group", "analysis"]);
        output.says(1, "http: 3 fails at least");
    });
}

#[test]
fn whoever_only_watches_sees_the_signals_that_were_named() {
    play(async {
        let stage = handled_errors(&[("SIM_HTTP_ERROR_RATE", "")]).await;
        let signals = watched(&[HTTP]).signals;
        let looking = async {
            stage.until(|| stage.shares("42").len() == 7).await;
            let held = stage.aws.alias(&subject()).await.unwrap().unwrap();
            let note = held.alias.note().unwrap();
            let seen = controller::remote_analysis(&stage.aws, &subject(), &note, &signals).await.unwrap().unwrap();
            let [of_http] = seen.numbers.signals.as_slice() else { panic!("{seen:?}") };
            assert_eq!(of_http.name, "http");
            assert!(of_http.candidate.calls > 0 && of_http.stable.calls > of_http.candidate.calls, "{of_http:?}");
        };
        stage.rollout_while(watched(&[HTTP]), looking).await.exits(0);
    });
}

#[test]
fn what_a_past_rollout_left_in_its_log_is_counted_again() {
    play(async {
        let stage = handled_errors(&[]).await;
        let request = watched(&[HTTP, LOGGED]);
        let output = stage.rollout(&request).await.exits(10);
        let from = output.events.first().unwrap().at;
        let [stable, candidate] = [41, 42].map(|number| rollout::Version::new(number).unwrap());
        let signals = request.signals.clone();
        let pair = VersionPair { subject: subject(), stable, candidate, from, limits: None, signals };
        let group = "/aws/lambda/hello".to_owned();
        let counted = controller::log_signal_minutes(&stage.aws, &stage.clock, &pair, group).await.unwrap();
        let [of_http, of_log] = counted.as_slice() else { panic!("{counted:?}") };
        assert!(of_http.is_empty(), "it is in metrics");
        let failed: f64 = of_log.iter().map(|minute| minute.candidate.failures).sum();
        let requests: f64 = of_log.iter().map(|minute| minute.candidate.requests).sum();
        assert!(failed >= 3.0 && (0.02..0.15).contains(&(failed / requests)), "{failed} of {requests}");
        assert!(of_log.iter().map(|minute| minute.stable.failures).sum::<f64>() < failed, "{of_log:?}");
    });
}
