//! Which scenarios are built in? Accounts with one function, `hello`, with and without problems.
//!
//! A scenario only sets an account up. Everything else follows from routed invocations and evaluated alarms.

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::cloudformation::Stack;
use crate::fault::{Effect, Fault};
use crate::settings::Settings;
use crate::setup::Unfit;
use crate::time::Time;
use crate::web::WebPage;
use crate::world::World;

/// A built-in scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about, in one line.
    pub description: &'static str,
    story: Story,
}

/// The rollout of a scenario, where the user does not say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The function's name.
    pub function: &'static str,
    /// The alias that callers use.
    pub alias: &'static str,
    /// The alarms that watch it.
    pub alarms: &'static [&'static str],
    /// The function to invoke before any traffic moves.
    pub pre_hook: Option<&'static str>,
    /// The function to invoke after all traffic has moved.
    pub post_hook: Option<&'static str>,
    /// The name of the schedule.
    pub schedule: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    Healthy,
    Errors,
    HandledErrors,
    PreHookFails,
    PostHookFails,
    First,
    Throttled,
    Idle,
    Slow,
    Incident,
    Stack,
    Traps,
}

impl Scenario {
    /// The scenario of that name.
    pub fn named(name: &str) -> Option<Self> {
        SCENARIOS.into_iter().find(|scenario| scenario.name == name)
    }

    /// All scenarios, the healthy one first.
    pub const fn all() -> [Self; 12] {
        SCENARIOS
    }

    /// The names of all scenarios, the healthy one first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SCENARIOS.into_iter().map(|scenario| scenario.name)
    }

    /// Its rollout, where the user does not say otherwise.
    pub const fn defaults(self) -> Defaults {
        Defaults {
            function: FUNCTION,
            alias: ALIAS,
            alarms: if matches!(self.story, Story::Traps) { &TRAPS } else { &[ALARM] },
            pre_hook: Some(PRE_HOOK),
            post_hook: Some(POST_HOOK),
            schedule: "Linear10PercentEvery1Minute",
        }
    }

    /// Sets up the account in `us-east-1`, with three minutes of history, so that it is `epoch` there.
    pub fn build(self, seed: u64, epoch: SystemTime) -> World {
        self.build_in(Settings::strict(), seed, epoch)
    }

    /// As `build`, with other settings.
    pub fn build_in(self, settings: Settings, seed: u64, epoch: SystemTime) -> World {
        let epoch = Time::from(epoch);
        let mut world = World::new(settings, seed, epoch - HISTORY);
        let furnished = self.furnish(&mut world);
        world.create_guard("canaryctl-guard");
        world.create_schedule_group("canaryctl");
        debug_assert_eq!(furnished, Ok(()), "the stories' own furniture fits");
        world.advance(epoch);
        if self.story == Story::Throttled {
            bad_weather(&mut world);
        }
        if self.story == Story::Incident {
            let hit = world.add_incident(FUNCTION, epoch + CALM, epoch + CALM + INCIDENT, 0.3);
            debug_assert_eq!(hit, Ok(()), "the function is there");
        }
        world
    }

    fn furnish(self, world: &mut World) -> Result<(), Unfit> {
        let traffic = if matches!(self.story, Story::Idle | Story::Traps) { "0" } else { "10" };
        world.create_function(FUNCTION, &[("SIM_BODY", BEFORE), ("SIM_TRAFFIC_RPS", traffic)])?;
        if self.story == Story::HandledErrors {
            world.set_environment(FUNCTION, &LOGGING)?;
        }
        if self.story != Story::First {
            world.publish(FUNCTION, 41)?;
            world.set_alias(FUNCTION, ALIAS, "41", None)?;
        }
        let error_rate = if self.story == Story::Errors { "0.05" } else { "" };
        world.set_environment(FUNCTION, &[("SIM_BODY", AFTER), ("SIM_ERROR_RATE", error_rate)])?;
        if self.story == Story::HandledErrors {
            let statement = json!({
                "StatementId": "shop-api", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
                "SourceArn": format!("arn:aws:execute-api:us-east-1:{}:shop/*", world.account()),
            });
            world.arrange("POST", &format!("/2015-03-31/functions/{FUNCTION}/policy?Qualifier={ALIAS}"), &statement)?;
            world.set_environment(FUNCTION, &[("SIM_HTTP_ERROR_RATE", "0.05")])?;
        }
        if self.story == Story::Slow {
            world.set_environment(FUNCTION, &[("SIM_SLOW_SHARE", "0.05"), ("SIM_SLOW_MS", "1000")])?;
        }
        world.create_errors_alarm(ALARM, FUNCTION, 1.0)?;
        for (path, answer) in PAGES {
            world.put_page(path, WebPage::new(200, answer).after(Duration::from_millis(300)));
        }
        for (hook, failing) in [(PRE_HOOK, Story::PreHookFails), (POST_HOOK, Story::PostHookFails)] {
            let answer = if self.story == failing { "Failed" } else { "Succeeded" };
            world.create_function(hook, &[("SIM_HOOK", answer), ("SIM_LATENCY_MS", "800")])?;
        }
        if matches!(self.story, Story::Stack | Story::Traps) {
            world.create_stack(stack(world))?;
        }
        if self.story == Story::Traps { traps(world) } else { Ok(()) }
    }
}

/// Everything in one stack, by logical ids.
fn stack(world: &World) -> Stack {
    Stack::new("hello-prod")
        .status("UPDATE_COMPLETE")
        .parameter("Stage", "prod")
        .output("FunctionName", FUNCTION)
        .tag("team", "greeting")
        .resource("HelloFunction", "AWS::Lambda::Function", FUNCTION)
        .resource("HelloFunctionAliasLive", "AWS::Lambda::Alias", &world.alias_arn(FUNCTION, ALIAS))
        .resource(VERSION, "AWS::Lambda::Version", &world.alias_arn(FUNCTION, "41"))
        .resource("HelloErrors", "AWS::CloudWatch::Alarm", ALARM)
        .resource("PreHook", "AWS::Lambda::Function", PRE_HOOK)
        .resource("PostHook", "AWS::Lambda::Function", POST_HOOK)
        .template(&template().to_string())
}

/// What the canary plugin of the Serverless Framework makes of the function and its alias, in short.
fn template() -> serde_json::Value {
    json!({
        "Outputs": {"ServerlessDeploymentBucketName": {"Value": "hello-prod-bucket"}},
        "Resources": {
            "HelloFunction": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": FUNCTION}},
            VERSION: {
                "Type": "AWS::Lambda::Version",
                "DeletionPolicy": "Retain",
                "Properties": {"FunctionName": {"Ref": "HelloFunction"}, "CodeSha256": "Hi1wMF4DVXNifwWvehjAMg1mnHHv8EWwm2gCv+ydcIE="},
            },
            "HelloFunctionAliasLive": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "FunctionName": {"Ref": "HelloFunction"},
                    "FunctionVersion": {"Fn::GetAtt": [VERSION, "Version"]},
                    "Name": ALIAS,
                },
                "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": {"ApplicationName": {"Ref": "HelloApplication"}}},
            },
        },
    })
}

/// Everything that weakens a rollout: callers that bypass the alias, alarms that see nothing, an idle version,
/// and a new version that differs in more than code.
fn traps(world: &mut World) -> Result<(), Unfit> {
    world.set_environment(FUNCTION, &[("SIM_DIRECT_RPS", "10"), ("TABLE", "greetings-2")])?;
    let queue = format!("arn:aws:sqs:us-east-1:{}:orders", world.account());
    world.arrange("POST", "/2015-03-31/event-source-mappings", &json!({"EventSourceArn": queue, "FunctionName": FUNCTION}))?;
    world.arrange("POST", &format!("/2021-10-31/functions/{FUNCTION}/url"), &json!({"AuthType": "AWS_IAM"}))?;
    let api = format!("arn:aws:execute-api:us-east-1:{}:shop/*", world.account());
    let statement = json!({
        "StatementId": "shop-api", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com", "SourceArn": api,
    });
    world.arrange("POST", &format!("/2015-03-31/functions/{FUNCTION}/policy"), &statement)?;
    let dimensions = |pairs: &[(&str, &str)]| -> Vec<serde_json::Value> {
        pairs.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect()
    };
    let [_, least, nobody, slow] = TRAPS;
    for (name, statistic, period, pairs) in [
        (least, "Minimum", 60, dimensions(&[("FunctionName", FUNCTION), ("Resource", "hello:Live")])),
        (nobody, "Sum", 60, dimensions(&[("Resource", "hello:Live")])),
        (slow, "Sum", 900, dimensions(&[("FunctionName", FUNCTION)])),
    ] {
        world.put_alarm(&json!({
            "AlarmName": name, "Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": statistic, "Dimensions": pairs,
            "Period": period, "EvaluationPeriods": 1, "Threshold": 1, "TreatMissingData": "notBreaching",
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        }))?;
    }
    world.put_to_sleep(FUNCTION, 41)?;
    world.set_role(FUNCTION, &format!("arn:aws:iam::{}:role/hello-2", world.account()))?;
    let other = json!({
        "Runtime": "nodejs24.x", "MemorySize": 256, "Timeout": 2,
        "Layers": ["arn:aws:lambda:us-east-1:111111111111:layer:shared:7"],
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    });
    world.arrange("PUT", &format!("/2015-03-31/functions/{FUNCTION}/configuration"), &other)
}

/// Throttles, failures and lost answers, often enough that every rollout meets some of each.
fn bad_weather(world: &mut World) {
    world.add_fault(Fault::everywhere(Effect::Latency(Duration::from_millis(400))).chance(0.2));
    world.add_fault(Fault::on("UpdateAlias", Effect::LostAnswer).chance(0.15));
    world.add_fault(Fault::on("Invoke", Effect::Throttle).chance(0.1));
    for operation in ["GetAlias", "UpdateAlias", "PublishVersion", "GetFunctionConfiguration", "DescribeAlarms"] {
        world.add_fault(Fault::on(operation, Effect::Throttle).chance(0.1));
        world.add_fault(Fault::on(operation, Effect::ServerError(500)).chance(0.05));
        world.add_fault(Fault::on(operation, Effect::ServerError(503)).chance(0.05));
    }
}

const SCENARIOS: [Scenario; 12] = [
    Scenario { name: "hello", description: "a healthy new version, 10 invocations per second", story: Story::Healthy },
    Scenario { name: "hello-errors", description: "5% of the invocations of the new version fail", story: Story::Errors },
    Scenario {
        name: "hello-handled-errors",
        description: "5% of the new version's answers have status 500, without a Lambda error; logs and EMF metrics show it",
        story: Story::HandledErrors,
    },
    Scenario { name: "hello-pre-hook-fails", description: "the pre-traffic hook fails", story: Story::PreHookFails },
    Scenario { name: "hello-post-hook-fails", description: "the post-traffic hook fails", story: Story::PostHookFails },
    Scenario { name: "hello-first", description: "the first deployment: no version, no alias", story: Story::First },
    Scenario {
        name: "hello-throttled",
        description: "AWS faults: throttling, server errors, lost responses",
        story: Story::Throttled,
    },
    Scenario { name: "hello-idle", description: "a healthy new version without invocations", story: Story::Idle },
    Scenario { name: "hello-slow", description: "5% of the invocations of the new version take 1s", story: Story::Slow },
    Scenario { name: "hello-incident", description: "an outside incident: both versions fail for 4m", story: Story::Incident },
    Scenario { name: "hello-stack", description: "function and alias belong to a CloudFormation stack", story: Story::Stack },
    Scenario { name: "hello-traps", description: "a setup with problems for `canaryctl doctor` to find", story: Story::Traps },
];

const FUNCTION: &str = "hello";
/// A version's logical id, which the framework makes of its content.
const VERSION: &str = "HelloLambdaVersionkPJIfMF0UpCatO8X7eHktp4wmGUdFdnqaSyIfI30I";
const ALIAS: &str = "Live";
const ALARM: &str = "HelloFooAlarm";
const TRAPS: [&str; 4] = [ALARM, "HelloErrorsLeast", "HelloErrorsOfNobody", "HelloErrorsSlow"];
const PRE_HOOK: &str = "preHook";
const POST_HOOK: &str = "postHook";
/// Hooks at a URL, in every scenario.
const PAGES: [(&str, &str); 2] = [
    ("https://hooks.example/succeeds", r#"{"status":"Succeeded"}"#),
    ("https://hooks.example/fails", r#"{"status":"Failed","reason":"not like this"}"#),
];
/// What both versions write where errors are handled; lines with an error differ in their ids and numbers only.
const LOGGING: [(&str, &str); 3] = [
    ("SIM_EMF", "Shop"),
    ("SIM_LOG", r#"{"level":"INFO","route":"GET /hello","status":${status},"requestId":"${requestId}","version":"${version}"}"#),
    (
        "SIM_LOG_ON_ERROR",
        "payment ${requestId} failed: card service answered 503 after ${number} ms\n\
         {\"level\":\"ERROR\",\"message\":\"order ${number} was not saved\",\"requestId\":\"${requestId}\"}\n\
         Error: connect ECONNREFUSED 10.0.3.17:5432, attempt ${number} of request ${requestId}",
    ),
];
const BEFORE: &str = "Go Serverless v1.0! Your function executed successfully!";
const AFTER: &str = "Wait, it is Serverless v1.26.11!";

/// Long enough for the first metrics to be seen and for the alarm to have found its state.
const HISTORY: Duration = Duration::from_mins(3);

/// What an incident leaves in peace before it comes, and how long it stays.
const CALM: Duration = Duration::from_mins(4);
const INCIDENT: Duration = Duration::from_mins(4);

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn epoch() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(490_000)
    }

    fn after(world: &mut World, minutes: u64) {
        world.advance(Time::from(epoch()) + Duration::from_mins(minutes));
    }

    /// What comes back for a request at this time, if anything does.
    fn ask(world: &mut World, at: Time, method: &str, path: &str, body: &'static str) -> Option<http::Response<bytes::Bytes>> {
        let request =
            http::Request::builder().method(method).uri(path).header("content-type", "application/x-www-form-urlencoded");
        world.answer(at, "ME", &request.body(body.into()).unwrap()).answer.response()
    }

    /// The story's world, with `hello` published as 42 and a share of the calls on it.
    fn shifted(name: &str, seed: u64, share: f64) -> World {
        let mut world = Scenario::named(name).unwrap().build(seed, epoch());
        world.publish("hello", 42).unwrap();
        world.set_alias("hello", "Live", "41", Some(("42", share))).unwrap();
        world
    }

    #[test]
    fn every_story_furnishes_what_its_defaults_name() {
        for scenario in Scenario::all() {
            let world = scenario.build(1, epoch());
            let defaults = scenario.defaults();
            assert_eq!(world.now(), Time::from(epoch()));
            assert_eq!(Scenario::named(scenario.name), Some(scenario));
            for function in [Some(defaults.function), defaults.pre_hook, defaults.post_hook].into_iter().flatten() {
                assert!(world.has_function(function), "{}: {function}", scenario.name);
            }
            assert_eq!(world.alias(defaults.function, defaults.alias).is_some(), scenario.name != "hello-first");
            for alarm in defaults.alarms {
                assert_eq!(world.alarm_state(alarm), Some("OK"), "{}: {alarm}", scenario.name);
            }
        }
        assert_eq!(Scenario::named("hallo"), None);
        assert!(Scenario::names().eq(Scenario::all().map(|scenario| scenario.name)));
    }

    #[test]
    fn callers_meet_both_versions_in_the_announced_proportion() {
        let mut world = shifted("hello", 1, 0.3);
        after(&mut world, 20);
        let (stable, candidate) = (world.tally("hello", "Live", "41"), world.tally("hello", "Live", "42"));
        let calls = 20.0 * 60.0 * 10.0;
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let share = candidate.invocations as f64 / calls;
        assert!((0.28..0.32).contains(&share), "{candidate:?} of {calls}");
        assert!(stable.invocations > 8_000, "{stable:?}");
        assert_eq!((stable.errors, candidate.errors), (0, 0));
        assert_eq!(world.alarm_state("HelloFooAlarm"), Some("OK"));
    }

    #[test]
    fn the_alarm_of_a_failing_version_fires_by_itself_and_within_minutes() {
        for seed in 0..20 {
            let mut world = shifted("hello-errors", seed, 0.1);
            after(&mut world, 6);
            let epoch = Time::from(epoch());
            let fired = world.alarm_transitions("HelloFooAlarm").into_iter().find(|(_, state)| state == "ALARM");
            let (at, _) = fired.unwrap_or_else(|| panic!("seed {seed}: never fired, {:?}", world.tally("hello", "Live", "42")));
            assert!(at > epoch + Duration::from_mins(1), "seed {seed}: metrics are not there at once");
            assert_eq!(world.tally("hello", "Live", "41").errors, 0);
        }
    }

    #[test]
    fn an_idle_story_has_no_callers_and_a_seed_is_a_story() {
        let mut idle = shifted("hello-idle", 1, 0.5);
        after(&mut idle, 5);
        assert_eq!(idle.tally("hello", "Live", "41").invocations + idle.tally("hello", "Live", "42").invocations, 0);
        let tally = |seed| {
            let mut world = shifted("hello", seed, 0.5);
            after(&mut world, 5);
            (world.tally("hello", "Live", "41"), world.tally("hello", "Live", "42"))
        };
        assert_eq!(tally(3), tally(3));
        assert_ne!(tally(3), tally(4));
    }

    #[test]
    fn handled_errors_are_in_logs_and_metrics_and_no_alarm_sees_them() {
        let mut world = shifted("hello-handled-errors", 1, 0.5);
        after(&mut world, 5);
        let tally = world.tally("hello", "Live", "42");
        assert!(tally.invocations > 1_300 && tally.errors == 0, "{tally:?}");
        assert_eq!(world.alarm_state("HelloFooAlarm"), Some("OK"));
        let mut ask = |operation: &str, body: serde_json::Value| -> serde_json::Value {
            let at = world.now() + Duration::from_secs(5);
            let request = http::Request::post("/").header("x-amz-target", operation).body(body.to_string().into()).unwrap();
            serde_json::from_slice(world.answer(at, "ME", &request).answer.response().unwrap().body()).unwrap()
        };
        let (from, to) = (Time::from(epoch()).as_millis() / 1_000, Time::from(epoch()).as_millis() / 1_000 + 300);
        let query = "filter status >= 500 | stats count(*) as n by version";
        let body = json!({"logGroupName": "/aws/lambda/hello", "startTime": from, "endTime": to, "queryString": query});
        let id = ask("Logs_20140328.StartQuery", body)["queryId"].clone();
        let rows = ask("Logs_20140328.GetQueryResults", json!({"queryId": id}))["results"].clone();
        assert_eq!((rows[0][0]["value"].as_str(), rows.as_array().map(Vec::len)), (Some("42"), Some(1)), "{rows}");
        let failed: f64 = rows[0][1]["value"].as_str().unwrap().parse().unwrap();
        assert!((45.0..110.0).contains(&failed), "{failed} of some 1500 at 5%");
        ask("Logs_20140328.GetQueryResults", json!({}));
        let metric = json!({"Namespace": "Shop", "MetricName": "Failures", "Dimensions": [{"Name": "Version", "Value": "42"}]});
        let stat = json!({"Metric": metric, "Period": 60, "Stat": "Sum"});
        let body = json!({"StartTime": from, "EndTime": to + 60, "MetricDataQueries": [{"Id": "q", "MetricStat": stat}]});
        let values = ask("GraniteServiceVersion20100801.GetMetricData", body)["MetricDataResults"][0]["Values"].clone();
        let counted: f64 = values.as_array().unwrap().iter().filter_map(serde_json::Value::as_f64).sum();
        assert!(counted > 20.0 && counted <= failed, "{counted} of {failed} can be seen by now");
    }

    #[test]
    fn an_incident_comes_to_both_versions_and_goes() {
        let mut world = shifted("hello-incident", 1, 0.5);
        let errors = |world: &World| ["41", "42"].map(|version| world.tally("hello", "Live", version).errors);
        after(&mut world, 4);
        assert_eq!(errors(&world), [0, 0]);
        after(&mut world, 8);
        let during = errors(&world);
        // Four minutes of ten calls a second, half of them each, of which three tenths fail.
        assert!(during.into_iter().all(|errors| (300..420).contains(&errors)), "{during:?}");
        after(&mut world, 20);
        assert_eq!(errors(&world), during);
    }

    #[test]
    fn a_stack_has_the_storys_functions_and_they_say_so() {
        let mut world = Scenario::named("hello-stack").unwrap().build(1, epoch());
        let form =
            "Version=2010-05-15&Action=DescribeStackResource&StackName=hello-prod&LogicalResourceId=HelloFunctionAliasLive";
        let response = ask(&mut world, Time::from(epoch()), "POST", "/", form).unwrap();
        let shown = String::from_utf8(response.body().to_vec()).unwrap();
        let physical = "<PhysicalResourceId>arn:aws:lambda:us-east-1:111111111111:function:hello:Live</PhysicalResourceId>";
        assert!(shown.contains(physical), "{shown}");
    }

    #[test]
    fn in_the_story_of_traps_nobody_calls_the_alias_and_the_stable_version_sleeps_until_somebody_does() {
        let mut world = Scenario::named("hello-traps").unwrap().build(1, epoch());
        after(&mut world, 2);
        let direct = world.tally("hello", "", "$LATEST");
        // Three minutes before the story and two in it, ten calls a second.
        assert!((2_800..3_200).contains(&direct.invocations), "{direct:?}");
        let shown = |world: &mut World| {
            let response = ask(world, world.now(), "GET", "/2015-03-31/functions/hello/configuration?Qualifier=41", "");
            let body: serde_json::Value = serde_json::from_slice(response.unwrap().body()).unwrap();
            body["State"].as_str().unwrap().to_owned()
        };
        let call = |world: &mut World| {
            let response = ask(world, world.now(), "POST", "/2015-03-31/functions/hello/invocations?Qualifier=Live", "{}");
            response.unwrap().status().as_u16()
        };
        assert_eq!(shown(&mut world), "Inactive");
        assert_eq!((call(&mut world), shown(&mut world).as_str()), (409, "Pending"));
        after(&mut world, 3);
        assert_eq!((call(&mut world), shown(&mut world).as_str()), (200, "Active"));
        assert_eq!(world.tally("hello", "Live", "41").invocations, 1);
    }

    #[test]
    fn bad_weather_throttles_fails_and_loses_answers() {
        let epoch = epoch();
        let mut world = Scenario::named("hello-throttled").unwrap().build(1, epoch);
        let mut at = |second, method: &str, body| {
            let path = "/2015-03-31/functions/hello/aliases/Live";
            ask(&mut world, Time::from(epoch) + Duration::from_secs(second), method, path, body)
        };
        let read = (1..200).filter_map(|second| Some(at(second, "GET", "")?.status().as_u16()));
        let statuses: std::collections::BTreeSet<u16> = read.collect();
        assert!(statuses.into_iter().eq([200, 429, 500, 503]));
        let lost = (200..400).filter(|second| at(*second, "PUT", "{}").is_none()).count();
        assert!((10..50).contains(&lost), "{lost} of 200 at 15%");
    }
}
