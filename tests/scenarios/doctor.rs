//! The doctor finds every trap in an account that has them, and nothing in one that has none; a rollout warns of what concerns all of
//! them, and is neither refused nor held up by looking.

use std::time::Duration;

use controller::{Identity, Request, doctor};
use rollout::diagnosis::{Diagnosis, DoctorReport, Severity};
use rollout::note::{Owner, RolloutId};
use rollout::plan::{Analysis, Mode};
use serde_json::json;
use sim::{Effect, Fault, World};

use crate::stage::{Stage, play, play_on, request, with};

async fn examine(stage: &Stage, request: &Request) -> DoctorReport {
    let identity = Identity { id: RolloutId(7), owner: Owner::from_random(7) };
    doctor(&stage.aws, &stage.clock, request, identity).await
}

/// The one symptom that says this.
fn saying<'a>(found: &'a DoctorReport, words: &str) -> &'a Diagnosis {
    let saying: Vec<&Diagnosis> = found.diagnoses.iter().filter(|symptom| symptom.text.contains(words)).collect();
    assert_eq!(saying.len(), 1, "`{words}` in {:#?}", found.diagnoses);
    saying[0]
}

fn on() -> Analysis {
    Analysis { mode: Mode::On, ..Analysis::default() }
}

/// An alarm on a metric of Lambda, 1 × 60 s.
fn alarm(name: &str, metric: &str, statistic: &str, dimensions: &[(&str, &str)]) -> serde_json::Value {
    let dimensions: Vec<_> = dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
    json!({
        "AlarmName": name, "Namespace": "AWS/Lambda", "MetricName": metric, "Statistic": statistic, "Dimensions": dimensions,
        "Period": 60, "EvaluationPeriods": 1, "Threshold": 1, "TreatMissingData": "notBreaching",
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    })
}

#[test]
fn every_trap_of_the_story_is_found() {
    for exactly in [false, true] {
        play(async move {
            let stage = Stage::story_with("hello-traps", |settings| settings.lists_mappings_exactly = exactly).await;
            let alarms = ["HelloFooAlarm", "HelloErrorsLeast", "HelloErrorsOfNobody", "HelloErrorsSlow"].map(str::to_owned);
            let found = examine(&stage, &Request { alarms: alarms.to_vec(), ..request() }).await;
            let invoke = "aws lambda invoke --function-name arn:aws:lambda:us-east-1:111111111111:function:hello:41 /dev/null";
            let add_url = "aws lambda create-function-url-config --function-name hello --qualifier Live --auth-type AWS_IAM";
            let permit = "aws lambda add-permission --function-name hello --qualifier Live --statement-id shop-api --action lambda:InvokeFunction --principal apigateway.amazonaws.com --source-arn 'arn:aws:execute-api:us-east-1:111111111111:shop/*'";
            let rows = [
                (Severity::Problem, "41, is Inactive", invoke),
                (Severity::Problem, "a different execution role than 41", ""),
                (Severity::Warning, "the CloudFormation stack `hello-prod`", ""),
                (Severity::Warning, "`orders` (sqs) invokes hello itself", "--function-name hello:Live"),
                (Severity::Warning, "the function URL http://", add_url),
                (Severity::Warning, "apigateway.amazonaws.com may invoke hello itself, by statement `shop-api`", permit),
                (Severity::Warning, "invocations in the last 24 hours were of hello itself", ""),
                (Severity::Warning, "alarm `HelloErrorsLeast` uses the Minimum of Errors", ""),
                (Severity::Warning, "alarm `HelloErrorsOfNobody` watches `Resource=hello:Live`", ""),
                (Severity::Warning, "alarm `HelloErrorsSlow` needs at least 15m", ""),
                (Severity::Note, "environment (+SIM_DIRECT_RPS, +TABLE, SIM_BODY changed), from 41 to $LATEST", ""),
                (Severity::Note, "runtime nodejs22.x → nodejs24.x", ""),
                (Severity::Note, "layers (+shared:7)", ""),
                (Severity::Note, "memory 128 MB → 256 MB", ""),
                (Severity::Note, "timeout 3s → 2s", ""),
                (Severity::Note, "subnets (+subnet-1)", ""),
                (Severity::Note, "security groups (+sg-1)", ""),
            ];
            for (severity, words, command) in rows {
                let symptom = saying(&found, words);
                assert_eq!(symptom.severity, severity, "{symptom:?}");
                assert!(symptom.commands.concat().contains(command), "`{command}` in {symptom:#?}");
                assert!(symptom.fix.is_some() || symptom.why.is_some() || words.contains("15m"), "{symptom:?}");
            }
            assert_eq!(found.diagnoses.len(), rows.len(), "{:#?}", found.diagnoses);
            assert_eq!((found.unseen.len(), found.exit_code()), (0, 3), "{:?}", found.unseen);
            assert!(found.diagnoses.is_sorted_by_key(|symptom| symptom.severity), "the worst first");
            assert_eq!(stage.writes().len(), 0);
        });
    }
}

const ORDERS: &str = "arn:aws:sqs:us-east-1:111111111111:orders";

fn map(world: &mut World, mapping: &serde_json::Value) {
    world.arrange("POST", "/2015-03-31/event-source-mappings", mapping).unwrap();
}

/// Everything that the doctor looks at is there, as it should be.
fn sound(world: &mut World) {
    world.create_function("hello", &[("SIM_BODY", "hi"), ("SIM_TRAFFIC_RPS", "5")]).unwrap();
    world.publish("hello", 41).unwrap();
    world.set_alias("hello", "Live", "41", None).unwrap();
    world.set_alias("hello", "beta", "41", None).unwrap();
    for hook in ["preHook", "postHook"] {
        world.create_function(hook, &[("SIM_HOOK", "Succeeded")]).unwrap();
    }
    map(world, &json!({"EventSourceArn": ORDERS, "FunctionName": "hello:Live"}));
    world.arrange("POST", "/2021-10-31/functions/hello/url?Qualifier=Live", &json!({"AuthType": "NONE"})).unwrap();
    let permit = json!({"StatementId": "api", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"});
    world.arrange("POST", "/2015-03-31/functions/hello/policy?Qualifier=Live", &permit).unwrap();
    // Whoever may read it does not call it.
    let reads = json!({"StatementId": "audit", "Action": "lambda:GetFunction", "Principal": "222222222222"});
    world.arrange("POST", "/2015-03-31/functions/hello/policy", &reads).unwrap();
    world.put_alarm(&alarm("HelloFooAlarm", "Errors", "Sum", &[("FunctionName", "hello"), ("Resource", "hello:Live")])).unwrap();
    world.arrange("PUT", "/2015-03-31/functions/hello/code", &json!({"ZipFile": "UEsDBA=="})).unwrap();
}

#[test]
fn an_account_without_any_is_met_with_silence() {
    for exactly in [false, true] {
        play(async move {
            let settings = sim::Settings { lists_mappings_exactly: exactly, ..sim::Settings::strict() };
            let stage = Stage::furnished(settings, 7, sound).await;
            stage.sleep(1_800).await;
            let found = examine(&stage, &with(request(), |policy| policy.analysis = on())).await;
            assert_eq!(found, DoctorReport::default());
            assert_eq!(found.exit_code(), 0);
        });
    }
}

#[test]
fn a_mapping_of_a_version_is_found_whatever_a_plain_name_lists() {
    for exactly in [false, true] {
        play(async move {
            let settings = sim::Settings { lists_mappings_exactly: exactly, ..sim::Settings::strict() };
            let stage = Stage::furnished(settings, 7, sound).await;
            stage.with(|world| {
                let arn = |queue: &str| format!("arn:aws:sqs:us-east-1:111111111111:{queue}");
                map(world, &json!({"EventSourceArn": arn("old"), "FunctionName": "hello:41"}));
                // One that is switched off invokes nothing.
                map(world, &json!({"EventSourceArn": arn("off"), "FunctionName": "hello", "Enabled": false}));
            });
            stage.sleep(60).await;
            let found = examine(&stage, &request()).await;
            let symptom = saying(&found, "`old` (sqs) invokes version 41 of hello");
            assert_eq!(symptom.why.as_deref(), Some("it stays on 41 forever: no rollout reaches it"));
            assert_eq!(found.diagnoses.len(), 1, "{:#?}", found.diagnoses);
        });
    }
}

#[test]
fn a_mapping_beside_one_on_the_alias_is_deleted_not_moved() {
    for exactly in [false, true] {
        play(async move {
            let settings = sim::Settings { lists_mappings_exactly: exactly, ..sim::Settings::strict() };
            let stage = Stage::furnished(settings, 7, sound).await;
            stage.with(|world| map(world, &json!({"EventSourceArn": ORDERS, "FunctionName": "hello"})));
            stage.sleep(60).await;
            let found = examine(&stage, &request()).await;
            let symptom =
                saying(&found, "`orders` (sqs) invokes hello itself, not the alias, in addition to a mapping on the alias");
            let [command] = symptom.commands.as_slice() else { panic!("{symptom:#?}") };
            let (proof, deletion) = command.split_once(" && ").unwrap();
            assert!(
                proof.starts_with("aws lambda get-event-source-mapping --uuid ") && proof.ends_with("grep -qx Enabled"),
                "{proof}"
            );
            let plain = deletion.strip_prefix("aws lambda delete-event-source-mapping --uuid ").unwrap();
            assert!(!proof.contains(plain), "{command}");
            assert!(!command.contains("update-event-source-mapping"), "{command}");
        });
    }
}

#[test]
fn a_fix_takes_nothing_away_before_it_has_shown_what_replaces_it() {
    for (scenario, alias) in [("hello-traps", "Live"), ("hello-traps", "missing")] {
        play_on(scenario, async |stage| {
            let subject = rollout::Subject::parse(&format!("hello:{alias}"), None).unwrap();
            let found = examine(&stage, &Request { subject, ..request() }).await;
            let commands: Vec<&String> = found.diagnoses.iter().flat_map(|symptom| &symptom.commands).collect();
            for (taken, proof) in [
                ("delete-function-url-config", "aws lambda get-function-url-config"),
                ("remove-permission", "aws lambda get-policy"),
                ("create-function-url-config", "aws lambda get-alias"),
                ("add-permission", "aws lambda get-alias"),
                ("update-event-source-mapping", "aws lambda get-alias"),
            ] {
                let mut with = commands.iter().filter(|command| command.contains(&format!("aws lambda {taken}"))).peekable();
                assert!(with.peek().is_some(), "{taken} in {commands:#?}");
                for command in with {
                    let steps: Vec<&str> = command.split(" && ").collect();
                    assert!(steps.len() > 1 && steps[0].starts_with(proof) && steps[0].contains(alias), "{command}");
                }
            }
        });
    }
}

#[test]
fn an_alarm_is_told_from_one_that_sees_nothing() {
    let resource = |resource: &'static str| [("FunctionName", "hello"), ("Resource", resource)];
    let (whole, hello) = (resource("hello:Live"), [("FunctionName", "hello")]);
    let with = |version: &'static str| [("FunctionName", "hello"), ("Resource", "hello:Live"), ("ExecutedVersion", version)];
    let other = |name: &'static str, value: &'static str| [("FunctionName", "hello"), (name, value)];
    let sum = |dimensions: &[(&str, &str)]| alarm("a", "Errors", "Sum", dimensions);
    let rows: Vec<(serde_json::Value, Option<&str>)> = vec![
        (sum(&whole), None),
        (alarm("a", "Errors", "Average", &hello), None),
        (sum(&[]), None),
        (sum(&[("FunctionName", "preHook")]), None),
        (alarm("a", "ConcurrentExecutions", "Maximum", &hello), None),
        (alarm("a", "Errors", "SampleCount", &whole), Some("uses the SampleCount of Errors")),
        (sum(&[("FunctionName", "hallo")]), Some("`FunctionName=hallo`, which does not exist")),
        (sum(&[("FunctionName", "hello:Live")]), Some("which is not a plain function name")),
        (sum(&resource("hello:live")), Some("hello has no such alias")),
        (sum(&resource("hello:beta")), Some("another alias than hello:Live")),
        (sum(&resource("hello")), Some("the invocations that use no alias")),
        (sum(&resource("hello:41")), Some("a version by its number")),
        (sum(&resource("preHook:Live")), Some("which does not belong to `hello`")),
        (sum(&other("Alias", "Live")), Some("no metric with these dimensions")),
        (sum(&other("ExecutedVersion", "42")), Some("no metric with these dimensions")),
        (sum(&with("41")), Some("`ExecutedVersion=41`, which is not the new version")),
        (alarm("a", "errors", "Sum", &whole), Some("Lambda's metric is called `Errors`")),
        (alarm("a", "Error", "Sum", &whole), Some("Lambda's metric is called `Errors`")),
    ];
    play(async move {
        let stage = Stage::furnished(sim::Settings::strict(), 7, sound).await;
        let watched = Request { alarms: vec!["a".to_owned()], ..request() };
        for (put, expected) in rows {
            stage.with(|world| world.put_alarm(&put).unwrap());
            let found = examine(&stage, &watched).await;
            match expected {
                Some(words) => assert_eq!(saying(&found, words).check, "alarm"),
                None => assert_eq!(found.diagnoses, [], "{put}"),
            }
            assert_eq!(found.diagnoses.len(), usize::from(expected.is_some()), "{put}: {:#?}", found.diagnoses);
        }
        let mut elsewhere = sum(&whole);
        elsewhere["Namespace"] = "AWS/lambda".into();
        stage.with(|world| world.put_alarm(&elsewhere).unwrap());
        saying(&examine(&stage, &watched).await, "`Errors` in the namespace `AWS/lambda`");
        // A number of its own is right where it is the one that is rolled out.
        stage.with(|world| {
            world.publish("hello", 42).unwrap();
            world.put_alarm(&sum(&with("42"))).unwrap();
        });
        let named = Request { version: rollout::Version::new(42), ..watched };
        assert_eq!(examine(&stage, &named).await.diagnoses, []);
    });
}

#[test]
fn alarms_are_looked_at_through_composite_ones_and_against_the_schedule() {
    play(async {
        let stage = Stage::furnished(sim::Settings::strict(), 7, sound).await;
        stage.with(|world| {
            world.put_alarm(&alarm("least", "Errors", "Minimum", &[("FunctionName", "hello")])).unwrap();
            world.put_alarm(&json!({"AlarmName": "inner", "AlarmRule": "ALARM(least)"})).unwrap();
            world.put_alarm(&json!({"AlarmName": "outer", "AlarmRule": "ALARM(\"inner\") OR ALARM(HelloFooAlarm)"})).unwrap();
        });
        let watched = Request { alarms: vec!["outer".to_owned()], ..request() };
        saying(&examine(&stage, &watched).await, "alarm `least` uses the Minimum");
        // One minute of trouble and two that CloudWatch is late, in two minutes.
        let hasty = Request { schedule: "AllAtOnce".parse().unwrap(), ..request() };
        let hasty = with(hasty, |policy| policy.bake = Some(Duration::from_mins(2)));
        saying(&examine(&stage, &hasty).await, "fires after 1m of errors plus about 2m of CloudWatch delay");
        let patient = with(hasty, |policy| policy.bake = Some(Duration::from_mins(3)));
        assert_eq!(examine(&stage, &patient).await.diagnoses, []);
    });
}

#[test]
fn secrets_are_compared_and_never_told() {
    play(async {
        let stage = Stage::furnished(sim::Settings::strict(), 7, sound).await;
        stage.with(|world| {
            world.set_environment("hello", &[("PASSWORD", "hunter2")]).unwrap();
            world.publish("hello", 42).unwrap();
            world.set_alias("hello", "Live", "42", None).unwrap();
            world.set_environment("hello", &[("PASSWORD", "correct-horse")]).unwrap();
        });
        let found = examine(&stage, &request()).await;
        saying(&found, "environment (PASSWORD changed), from 42 to $LATEST");
        let shown = format!("{found:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("correct-horse"), "{shown}");
    });
}

#[test]
fn a_hook_that_still_reports_to_code_deploy_is_told_by_its_last_invocation() {
    play(async {
        let stage = Stage::furnished(sim::Settings::strict(), 7, sound).await;
        let denied = "AccessDeniedException: User: arn:aws:sts::111111111111:assumed-role/hook/preHook is not authorized to perform: \
                      codedeploy:PutLifecycleEventHookExecutionStatus";
        assert_eq!(examine(&stage, &request()).await.diagnoses, [], "it has never run");
        stage.with(|world| world.set_environment("preHook", &[("SIM_HOOK", "Throw"), ("SIM_LOG_ON_ERROR", denied)]).unwrap());
        stage.sleep(60).await;
        let hint = "hint: this hook reports to CodeDeploy; wrap its handler with the adapter";
        stage.rollout(request()).await.exits(11).says(hint).says("`canaryctl guide hook-adapter.js`");
        stage.sleep(600).await;
        let found = examine(&stage, &request()).await;
        let symptom =
            saying(&found, "hook `preHook` still reports to CodeDeploy: its last invocation logged `ERROR AccessDenied");
        assert_eq!((symptom.severity, symptom.check), (Severity::Warning, "hook"));
        assert_eq!(symptom.commands, ["canaryctl guide hook-adapter.js > hook-adapter.js"]);
        assert_eq!(examine(&stage, &with(request(), |policy| policy.no_logs = true)).await.diagnoses, []);
        stage.with(|world| world.set_environment("preHook", &[("SIM_HOOK", "Succeeded")]).unwrap());
        stage.sleep(60).await;
        stage.rollout(with(request(), |policy| policy.again = true)).await.exits(0);
        stage.sleep(600).await;
        assert_eq!(examine(&stage, &request()).await.diagnoses, [], "it was changed since");
    });
}

#[test]
fn what_may_not_be_read_is_told_by_the_doctor_and_holds_no_rollout_up() {
    let operations = [
        ("ListEventSourceMappings", "lambda:ListEventSourceMappings"),
        ("ListFunctionUrlConfigs", "lambda:ListFunctionUrlConfigs"),
        ("GetPolicy", "lambda:GetPolicy"),
        ("ListTags", "lambda:ListTags"),
        ("ListAliases", "lambda:ListAliases"),
        ("GetMetricData", "cloudwatch:GetMetricData"),
        ("StartQuery", "logs:StartQuery"),
    ];
    for (operation, permission) in operations {
        play_on("hello-stack", async |stage| {
            stage.with(|world| world.add_fault(Fault::on(operation, Effect::Deny)));
            let found = examine(&stage, &request()).await;
            assert!(found.unseen.iter().any(|unseen| unseen.permission.as_deref() == Some(permission)), "{:#?}", found.unseen);
        });
    }
    play_on("hello", async |stage| {
        stage.with(|world| operations.iter().for_each(|(operation, _)| world.add_fault(Fault::on(operation, Effect::Deny))));
        stage.rollout(request()).await.exits(0).lacks("warning");
    });
}

#[test]
fn what_was_not_looked_at_is_never_taken_for_well() {
    play_on("hello-traps", async |stage| {
        let nobody = Request { subject: rollout::Subject::parse("nobody:Live", None).unwrap(), ..request() };
        let found = examine(&stage, &nobody).await;
        saying(&found, "Function not found");
        assert_eq!(found.unseen, [], "there is nothing to look at");
        // Who may not read the alias still learns who bypasses it.
        stage.with(|world| world.add_fault(Fault::on("GetAlias", Effect::Deny)));
        let found = examine(&stage, &request()).await;
        assert_eq!(saying(&found, "GetAlias: AccessDenied").severity, Severity::Problem);
        saying(&found, "`orders` (sqs) invokes hello itself");
    });
    play_on("hello", async |stage| {
        let asked = request();
        let rollout = stage.rollout(&asked);
        let looking = async {
            stage.sleep(90).await;
            examine(&stage, &request()).await
        };
        let (output, found) = tokio::join!(Box::pin(rollout), Box::pin(looking));
        output.exits(0);
        assert_eq!(saying(&found, "has been in progress on hello:Live").severity, Severity::Problem);
        assert!(found.unseen[0].why.contains("a rollout is in progress"), "{:?}", found.unseen);
    });
}

#[test]
fn a_rollout_warns_of_callers_that_bypass_the_alias_and_does_not_wait_long_to_know() {
    let direct = |world: &mut World| map(world, &json!({"EventSourceArn": ORDERS, "FunctionName": "hello"}));
    play_on("hello", async |stage| {
        stage.with(direct);
        let output = stage.rollout(request()).await.exits(0);
        let warning = "CALLERS BYPASS hello:Live: this rollout and its rollback do not reach them: \
                       the event source mapping of `orders` (sqs); `canaryctl doctor hello:Live` shows how to move them";
        assert_eq!(output.log.matches(warning).count(), 1, "{}", output.log);
        let (before, _) = output.log.split_once(warning).unwrap();
        assert!(!before.contains("claimed") && !before.contains("10%"), "before anything begins: {before}");
        let page = report::html(&output.events);
        assert!(page.contains("CALLERS BYPASS hello:Live"), "{page}");
        assert!(report::markdown(&output.events).contains("CALLERS BYPASS hello:Live"));
    });
    play_on("hello", async |stage| {
        stage.with(direct);
        let slow = Effect::Latency(Duration::from_secs(4));
        stage.with(|world| world.add_fault(Fault::on("GetPolicy", slow).calls(1..=9)));
        stage.with(|world| world.add_fault(Fault::on("GetPolicy", Effect::ServerError(503)).calls(1..=9)));
        let began = stage.now();
        stage.rollout(request()).await.exits(0);
        let claimed = stage.writes()[0].at.since(began);
        assert!(claimed < Duration::from_secs(7), "{claimed:?}");
    });
}

#[test]
fn code_that_lies_in_a_bucket_of_the_users_is_told_of_for_both_versions() {
    let in_s3 = |version: &str| json!({"S3Bucket": "code", "S3Key": "hello.zip", "S3ObjectVersion": version, "S3ObjectStorageMode": "REFERENCE"});
    play(async move {
        let stage = Stage::furnished(sim::Settings::strict(), 7, sound).await;
        stage.sleep(60).await;
        stage.with(|world| world.arrange("PUT", "/2015-03-31/functions/hello/code", &in_s3("two")).unwrap());
        stage.sleep(60).await;
        let found = examine(&stage, &request()).await;
        let symptom = saying(&found, "the code of the new version is read from s3://code/hello.zip, object version two");
        assert_eq!((symptom.severity, symptom.check), (Severity::Note, "code"));
        assert_eq!((found.diagnoses.len(), found.exit_code()), (1, 0), "{:#?}", found.diagnoses);
        // What is uploaded in its place, Lambda keeps.
        let upload = Request { code: Some(controller::port::Code::Zip(b"PK\x03\x04".to_vec())), ..request() };
        assert_eq!(examine(&stage, &upload).await.diagnoses, []);
        stage.with(|world| {
            world.publish("hello", 42).unwrap();
            world.set_alias("hello", "Live", "42", None).unwrap();
            world.arrange("PUT", "/2015-03-31/functions/hello/code", &json!({"ZipFile": "UEsDBA=="})).unwrap();
        });
        stage.sleep(60).await;
        let found = examine(&stage, &request()).await;
        let symptom = saying(&found, "the code of 42 is read from s3://code/hello.zip, object version two");
        assert_eq!(symptom.why.as_deref(), Some("a rollback needs this object: Lambda has no copy of it"));
        assert_eq!(found.diagnoses.len(), 1, "{:#?}", found.diagnoses);
        stage.with(|world| world.add_fault(Fault::on("GetFunction", Effect::Deny)));
        let found = examine(&stage, &request()).await;
        let [skipped] = found.unseen.as_slice() else { panic!("{:?}", found.unseen) };
        assert_eq!(skipped.permission.as_deref(), Some("lambda:GetFunction"));
        assert_eq!((found.diagnoses.len(), found.exit_code()), (0, 0), "{:#?}", found.diagnoses);
    });
}
