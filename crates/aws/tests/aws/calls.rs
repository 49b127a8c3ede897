//! What each call of the port does and answers, on a simulated account.

use std::time::Duration;

use crate::simulated::{Simulated, subject};
use controller::port::{Cloud, Code, Configuration, Failure, Provisioned, Revision, SCHEDULE_GROUP, ScheduleSpec, State, Update};
use controller::{AlarmRule, GuardExecution};
use rollout::alias::Target;
use rollout::health::AlarmState;
use rollout::note::{Owner, RolloutId};
use rollout::target::Qualified;
use rollout::{Alias, Time, Version, Weight};

fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

fn alias(target: u64, canary: Option<(u64, u16)>, description: &str) -> Alias {
    Alias {
        target: Target::Version(version(target)),
        weights: canary
            .into_iter()
            .map(|(number, points)| (version(number), Weight::from_basis_points(points).unwrap()))
            .collect(),
        description: description.to_owned(),
    }
}

/// A request of somebody else's, beside the SDK.
async fn somebody(simulated: &Simulated, request: http::request::Builder, body: &str) {
    let request = request.body(bytes::Bytes::copy_from_slice(body.as_bytes())).unwrap();
    let answer = simulated.account.call("SOMEBODY", request).await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

fn function(text: &str) -> Qualified {
    text.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn connecting_makes_no_call_and_a_read_makes_one() {
    let simulated = Simulated::new().await;
    assert_eq!(simulated.calls(), []);
    simulated.aws.alias(&subject("hello:live")).await.unwrap();
    assert_eq!(simulated.calls(), [("GetAlias".to_owned(), 200)]);
}

#[tokio::test(start_paused = true)]
async fn an_alias_is_read_and_written_whole() {
    let simulated = Simulated::new().await;
    let live = subject("hello:live");
    let first = simulated.aws.alias(&live).await.unwrap().unwrap();
    assert_eq!(first.alias, alias(1, None, ""));

    let shifted = alias(1, Some((2, 1_234)), "mine [note]");
    let written = simulated.aws.update_alias(&live, &shifted, &first.revision).await.unwrap();
    assert_eq!(written.alias, shifted);
    assert_ne!(written.revision, first.revision);
    assert_eq!(simulated.aws.alias(&live).await.unwrap(), Some(written.clone()));

    // Weights that are not asked for any more go away.
    let promoted = alias(2, None, "");
    let written = simulated.aws.update_alias(&live, &promoted, &written.revision).await.unwrap();
    assert_eq!(written.alias, promoted);
    let state = simulated.account.with(|world| world.alias("hello", "live").cloned()).unwrap();
    assert_eq!((state.version.as_str(), state.weights.len(), state.description.as_str()), ("2", 0, ""));
}

#[tokio::test(start_paused = true)]
async fn a_write_on_another_revision_is_outdated() {
    let simulated = Simulated::new().await;
    let stale = Revision("someone-elses".to_owned());
    let error = simulated.aws.update_alias(&subject("hello:live"), &alias(2, None, ""), &stale).await.unwrap_err();
    assert_eq!((error.failure, error.code.as_deref()), (Failure::Outdated, Some("PreconditionFailedException")));
    assert_eq!(simulated.count("UpdateAlias"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_missing_alias_is_none_and_a_missing_function_an_error() {
    let simulated = Simulated::new().await;
    assert_eq!(simulated.aws.alias(&subject("hello:absent")).await, Ok(None));
    let error = simulated.aws.alias(&subject("absent:live")).await.unwrap_err();
    assert_eq!(error.failure, Failure::NotFound);
    assert!(error.message.contains("function:absent"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_alias_of_the_unpublished_code_is_shown_as_such() {
    let simulated = Simulated::new().await;
    simulated.account.with(|world| world.set_alias("hello", "dev", "$LATEST", None)).unwrap();
    let held = simulated.aws.alias(&subject("hello:dev")).await.unwrap().unwrap();
    assert_eq!(held.alias.target, Target::Latest);
}

#[tokio::test(start_paused = true)]
async fn an_alias_is_created_once_and_then_listed() {
    let simulated = Simulated::new().await;
    let blue = subject("hello:fresh");
    let created = simulated.aws.create_alias(&blue, &alias(1, None, "[note]")).await.unwrap();
    assert_eq!(created.alias, alias(1, None, "[note]"));
    let again = simulated.aws.create_alias(&blue, &alias(1, None, "[note]")).await.unwrap_err();
    assert_eq!(again.failure, Failure::Conflict);
    for number in 0..60 {
        simulated.account.with(|world| world.set_alias("hello", &format!("a{number:02}"), "1", None)).unwrap();
    }
    let names = simulated.aws.alias_names(&blue.function).await.unwrap();
    assert_eq!(names.len(), 62, "all pages");
    assert!(names.contains(&"fresh".to_owned()) && names.contains(&"a59".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn publishing_gives_the_version_and_nothing_new_gives_it_again() {
    let simulated = Simulated::new().await;
    let hello = subject("hello").function;
    simulated.aws.update_code(&hello, &Code::Zip(b"PK\x03\x04new code".to_vec())).await.unwrap();
    let settling = simulated.aws.configuration(&hello, None).await.unwrap();
    assert_eq!((settling.version.as_str(), settling.update), ("$LATEST", Update::InProgress));
    let early = simulated.aws.publish(&hello, &simulated.aws.configuration(&hello, None).await.unwrap(), None).await.unwrap_err();
    assert_eq!(early.failure, Failure::Conflict);

    tokio::time::sleep(Duration::from_secs(1)).await;
    let ready = simulated.aws.configuration(&hello, None).await.unwrap();
    assert_eq!((&ready.state, &ready.update), (&State::Active, &Update::Successful));
    let changed = Configuration { revision: Revision("another".to_owned()), ..ready.clone() };
    assert_eq!(simulated.aws.publish(&hello, &changed, None).await.unwrap_err().failure, Failure::Outdated);
    assert_eq!(simulated.aws.publish(&hello, &ready, Some("words")).await, Ok(version(3)));
    let ready = simulated.aws.configuration(&hello, None).await.unwrap();
    assert_eq!(simulated.aws.publish(&hello, &ready, None).await, Ok(version(3)));

    let third = simulated.aws.configuration(&hello, Some(version(3))).await.unwrap();
    assert_eq!((third.version.as_str(), &third.code_sha256), ("3", &ready.code_sha256));
    assert!(third.arn.ends_with(":function:hello:3"), "{}", third.arn);
    assert_eq!(third.dead_letter, None);
    assert_eq!(simulated.aws.configuration(&hello, Some(version(9))).await.unwrap_err().failure, Failure::NotFound);
}

#[tokio::test(start_paused = true)]
async fn provisioned_concurrency_is_there_or_not() {
    let simulated = Simulated::new().await;
    let live = subject("hello:live");
    assert_eq!(simulated.aws.provisioned(&live).await, Ok(Provisioned::None));
    let put = http::Request::put("/2019-09-30/functions/hello/provisioned-concurrency?Qualifier=live");
    somebody(&simulated, put, r#"{"ProvisionedConcurrentExecutions":1}"#).await;
    assert_eq!(simulated.aws.provisioned(&live).await, Ok(Provisioned::Moving));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(simulated.aws.provisioned(&live).await, Ok(Provisioned::There));
}

#[tokio::test(start_paused = true)]
async fn alarms_of_both_kinds_are_read_by_name_and_by_arn() {
    let simulated = Simulated::new().await;
    assert_eq!(simulated.aws.alarms(&[], rollout::Time::default()).await.map(|read| read.answer), Ok(vec![]));
    assert_eq!(simulated.count("DescribeAlarms"), 0);

    simulated.account.with(|world| {
        world.create_errors_alarm("plain", "hello", 1.0).unwrap();
        world.create_errors_alarm("with: colons", "hello", 1.0).unwrap();
    });
    let put = http::Request::post("/")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "GraniteServiceVersion20100801.PutCompositeAlarm");
    somebody(&simulated, put, r#"{"AlarmName":"both","AlarmRule":"ALARM(plain)"}"#).await;
    simulated.account.with(|world| world.set_alarm_state("plain", "ALARM")).unwrap();

    let arn = |region: &str, name: &str| format!("arn:aws:cloudwatch:{region}:111111111111:alarm:{name}");
    let asked = ["plain".to_owned(), "absent".to_owned(), "both".to_owned(), arn("us-east-1", "with: colons")];
    let mut found = simulated.aws.alarms(&asked, rollout::Time::default()).await.unwrap().answer;
    found.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(found.iter().map(|alarm| alarm.name.as_str()).collect::<Vec<_>>(), ["both", "plain", "with: colons"]);
    assert_eq!((found[1].state, found[1].since), (AlarmState::Alarm, simulated.aws.time()));
    assert_eq!((found[1].metric.as_deref(), found[1].reason.as_str()), (Some("Errors"), "Set manually"));
    assert_eq!(found[0].metric, None);

    // An ARN of another Region names another alarm.
    let elsewhere = simulated.aws.alarms(&[arn("eu-west-1", "plain")], rollout::Time::default()).await;
    assert_eq!(elsewhere.map(|read| read.answer), Ok(vec![]));
}

#[tokio::test(start_paused = true)]
async fn many_alarms_are_read_a_hundred_at_a_time() {
    let simulated = Simulated::new().await;
    let names: Vec<String> = (0..201).map(|number| format!("alarm-{number:03}")).collect();
    for name in &names {
        simulated.account.with(|world| world.create_errors_alarm(name, "hello", 1.0)).unwrap();
    }
    let found = simulated.aws.alarms(&names, rollout::Time::default()).await.unwrap().answer;
    assert_eq!(found.len(), 201);
    assert_eq!(simulated.count("DescribeAlarms"), 3);
}

#[tokio::test(start_paused = true)]
async fn an_invocation_hands_back_answer_error_and_log() {
    let simulated = Simulated::new().await;
    simulated.account.with(|world| {
        world.create_function("pre", &[("SIM_HOOK", "Succeeded")]).unwrap();
        world.create_function("thrower", &[("SIM_HOOK", "Throw")]).unwrap();
    });
    let reply = simulated.aws.invoke(&function("pre"), b"{}", Duration::from_mins(1)).await.unwrap();
    assert_eq!((reply.payload.as_slice(), reply.function_error), (br#"{"status":"Succeeded"}"#.as_slice(), None));
    assert!(reply.log.contains("REPORT RequestId"), "{}", reply.log);
    let reply = simulated.aws.invoke(&function("thrower"), b"{}", Duration::from_mins(1)).await.unwrap();
    assert_eq!(reply.function_error.as_deref(), Some("Unhandled"));
    assert!(reply.log.contains("SIM_HOOK=Throw"), "{}", reply.log);
    let absent = simulated.aws.invoke(&function("absent"), b"{}", Duration::from_mins(1)).await.unwrap_err();
    assert_eq!(absent.failure, Failure::NotFound);
}

#[tokio::test(start_paused = true)]
async fn asking_whether_a_function_can_be_invoked_does_not_run_it() {
    let simulated = Simulated::new().await;
    assert_eq!(simulated.aws.invocable(&function("hello:live")).await, Ok(()));
    assert_eq!(simulated.aws.invocable(&function("hello:7")).await.unwrap_err().failure, Failure::NotFound);
    let tally = simulated.account.with(|world| world.tally("hello", "live", "1"));
    assert_eq!(tally.invocations, 0);
    simulated.fault(sim::Fault::on("Invoke", sim::Effect::Deny));
    assert_eq!(simulated.aws.invocable(&function("hello:live")).await.unwrap_err().failure, Failure::Denied);
}

#[tokio::test(start_paused = true)]
async fn a_logical_id_becomes_a_name_and_what_is_not_there_is_invalid() {
    let simulated = Simulated::new().await;
    let stack = sim::Stack::new("shop")
        .resource("Hello", "AWS::Lambda::Function", "hello")
        .unfinished_resource("Later", "AWS::Lambda::Function");
    simulated.account.with(|world| world.create_stack(stack)).unwrap();
    assert_eq!(simulated.aws.resource("shop", "Hello").await, Ok(Some("hello".to_owned())));
    assert_eq!(simulated.aws.resource("shop", "Later").await, Ok(None), "not made yet");
    for (stack, id) in [("shop", "Hallo"), ("other", "Hello")] {
        let error = simulated.aws.resource(stack, id).await.unwrap_err();
        assert_eq!((error.failure, error.operation), (Failure::Invalid, "DescribeStackResource"), "{error}");
    }
    simulated.fault(sim::Fault::on("DescribeStackResource", sim::Effect::Deny));
    assert_eq!(simulated.aws.resource("shop", "Hello").await.unwrap_err().failure, Failure::Denied);
}

#[tokio::test(start_paused = true)]
async fn a_rule_comes_back_as_it_was_put_with_its_tag() {
    let simulated = Simulated::new().await;
    let dimensions = [("FunctionName".to_owned(), "hello".to_owned())].into();
    let sum = AlarmRule {
        name: "kept".to_owned(),
        namespace: "AWS/Lambda".to_owned(),
        metric: "Errors".to_owned(),
        statistic: "Sum".to_owned(),
        threshold: 2.5,
        comparison: "GreaterThanThreshold".to_owned(),
        period: Duration::from_mins(1),
        evaluation_periods: 3,
        datapoints: 2,
        missing_data: "notBreaching".to_owned(),
        dimensions,
    };
    assert_eq!(simulated.aws.managed_alarm("kept").await, Ok(None));
    simulated.aws.put_alarm(&sum, "hello:live").await.unwrap();
    let found = simulated.aws.managed_alarm("kept").await.unwrap().unwrap();
    assert_eq!((found.rule.as_ref(), found.owner.as_deref(), found.in_alarm), (Some(&sum), Some("hello:live"), false));
    let percentile = AlarmRule { metric: "Duration".to_owned(), statistic: "p99.5".to_owned(), datapoints: 3, ..sum };
    simulated.aws.put_alarm(&percentile, "hello:live").await.unwrap();
    let found = simulated.aws.managed_alarm("kept").await.unwrap().unwrap();
    assert_eq!((found.rule.as_ref(), found.owner.as_deref()), (Some(&percentile), Some("hello:live")), "the tag stays");

    simulated.account.with(|world| world.set_alarm_state("kept", "ALARM")).unwrap();
    assert!(simulated.aws.managed_alarm("kept").await.unwrap().unwrap().in_alarm);
    simulated.aws.reset_alarm("kept").await.unwrap();
    assert!(!simulated.aws.managed_alarm("kept").await.unwrap().unwrap().in_alarm);
    simulated.account.with(|world| world.create_errors_alarm("theirs", "hello", 1.0)).unwrap();
    assert_eq!(simulated.aws.managed_alarm("theirs").await.unwrap().unwrap().owner, None);
}

#[tokio::test(start_paused = true)]
async fn code_is_lambdas_or_in_s3() {
    let simulated = Simulated::new().await;
    let hello = subject("hello:live").function;
    assert_eq!(simulated.aws.code_in_s3(&hello, None).await, Ok(None));
    let upload = r#"{"S3Bucket":"code","S3Key":"a/hello.zip","S3ObjectVersion":"7","S3ObjectStorageMode":"REFERENCE"}"#;
    somebody(&simulated, http::Request::put("/2015-03-31/functions/hello/code"), upload).await;
    let found = simulated.aws.code_in_s3(&hello, None).await.unwrap();
    assert_eq!(found.as_deref(), Some("s3://code/a/hello.zip, object version 7"));
    assert_eq!(simulated.aws.code_in_s3(&hello, Some(version(1))).await, Ok(None));
    let missing = simulated.aws.code_in_s3(&hello, Some(version(99))).await.unwrap_err();
    assert_eq!(missing.failure, Failure::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_guard_is_started_once_and_looked_at() {
    let simulated = Simulated::new().await;
    let machine = simulated.account.with(|world| world.create_guard("canaryctl-guard"));
    let function = "arn:aws:lambda:us-east-1:111111111111:function:hello:1";
    let (id, owner) = (RolloutId(7), Owner::from_random(8));
    let execution = GuardExecution::new("canaryctl-guard", &subject("hello:live"), function, id, owner).unwrap();
    assert_eq!((execution.machine.as_str(), execution.name.as_str()), (machine.as_str(), "00000007-0008"));
    assert_eq!(execution.arn(), "arn:aws:states:us-east-1:111111111111:execution:canaryctl-guard:00000007-0008");
    let told =
        r#"{"alias":"live","function":"arn:aws:lambda:us-east-1:111111111111:function:hello","rollout":"00000007","slack":120}"#;
    assert_eq!(execution.input, told);
    assert_eq!(simulated.aws.guard(&execution.arn()).await, Ok(None));
    simulated.aws.start_guard(&execution).await.unwrap();
    simulated.aws.start_guard(&execution).await.unwrap();
    let seen = simulated.aws.guard(&execution.arn()).await.unwrap().unwrap();
    assert_eq!((seen.status.as_str(), seen.started_at.as_secs()), ("RUNNING", simulated.aws.time().as_secs()));
    assert_eq!(simulated.account.with(|world| world.guards().len()), 1);
    let other = GuardExecution::new(&format!("{machine}s"), &subject("hello:live"), function, id, owner).unwrap();
    assert_eq!(simulated.aws.start_guard(&other).await.unwrap_err().failure, Failure::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_is_made_once_seen_and_deleted() {
    let simulated = Simulated::new().await;
    simulated.account.with(|world| world.create_schedule_group(SCHEDULE_GROUP));
    let now = simulated.aws.time();
    let spec = ScheduleSpec {
        name: "7f3ac2e1".to_owned(),
        starts: Time::from_secs(now.as_secs()),
        ends: Time::from_secs(now.as_secs()) + Duration::from_hours(2),
        function: "arn:aws:lambda:us-east-1:111111111111:function:canaryctl".to_owned(),
        role: "arn:aws:iam::111111111111:role/canaryctl-scheduler".to_owned(),
        input: r#"{"rollout":"7f3ac2e1"}"#.to_owned(),
        token: "7f3ac2e1".to_owned(),
        enabled: true,
    };
    let aws = &simulated.aws;
    assert_eq!(aws.schedule(&spec.name).await, Ok(None));
    aws.create_schedule(&spec).await.unwrap();
    aws.create_schedule(&spec).await.unwrap();
    // By another token, as AWS may no longer know the first.
    aws.create_schedule(&ScheduleSpec { token: "later".to_owned(), ..spec.clone() }).await.unwrap();
    let seen = aws.schedule(&spec.name).await.unwrap().unwrap();
    assert!(seen.is(&spec), "{seen:?}");
    assert_eq!(seen.created_at.as_secs(), now.as_secs());
    for other in [
        ScheduleSpec { input: "{}".to_owned(), ..spec.clone() },
        ScheduleSpec { ends: spec.ends + Duration::from_secs(1), ..spec.clone() },
        ScheduleSpec { role: format!("{}s", spec.role), ..spec.clone() },
        ScheduleSpec { enabled: false, ..spec.clone() },
    ] {
        assert_eq!(aws.create_schedule(&other).await.unwrap_err().failure, Failure::Conflict);
    }
    assert_eq!(simulated.account.with(|world| world.schedules()), [("canaryctl".to_owned(), "7f3ac2e1".to_owned())]);
    aws.delete_schedule(&spec.name).await.unwrap();
    aws.delete_schedule(&spec.name).await.unwrap();
    assert_eq!(aws.schedule(&spec.name).await, Ok(None));
    let past = ScheduleSpec { ends: Time::from_secs(now.as_secs() - 1), ..spec.clone() };
    assert_eq!(aws.create_schedule(&past).await.unwrap_err().failure, Failure::Invalid);
}

#[tokio::test(start_paused = true)]
async fn without_the_group_there_is_no_schedule() {
    let simulated = Simulated::new().await;
    let now = simulated.aws.time();
    let spec = ScheduleSpec {
        name: "one".to_owned(),
        starts: Time::from_secs(now.as_secs()),
        ends: now + Duration::from_hours(2),
        function: "arn:aws:lambda:us-east-1:111111111111:function:canaryctl".to_owned(),
        role: "arn:aws:iam::111111111111:role/canaryctl-scheduler".to_owned(),
        input: "{}".to_owned(),
        token: "one".to_owned(),
        enabled: true,
    };
    assert_eq!(simulated.aws.create_schedule(&spec).await.unwrap_err().failure, Failure::NotFound);
    assert_eq!(simulated.aws.schedule("one").await, Ok(None));
    assert_eq!(simulated.aws.delete_schedule("one").await, Ok(()));
}
