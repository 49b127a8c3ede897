//! What cannot end well does not begin: every problem is reported at once, and nothing was written.

use controller::port::Code;
use controller::{Identity, Request};
use rollout::plan::{Analysis, Mode, OnLowTraffic, Preexisting};
use sim::{Effect, Fault};

use crate::harness::identity;
use crate::stage::{Stage, play, play_on, request, short, with};

/// Refused with 3, every word in the log, nothing written by the program.
async fn assert_refused(stage: &Stage, request: &Request, words: &[&str]) {
    let output = stage.rollout(request).await.exits_as(3, "refused");
    words.iter().fold(output, |output, word| output.says(word));
    let ours = stage.writes().iter().filter(|write| write.caller == "CONTROLLER").count();
    let changes = ["PublishVersion", "UpdateFunctionCode"].map(|operation| stage.done(operation));
    assert_eq!((ours, changes), (0, [0, 0]));
}

#[test]
fn every_problem_is_told_at_once() {
    play_on("hello", async |stage| {
        stage.with(|world| {
            world.describe_alias("hello", "Live", &"long ".repeat(25)).unwrap();
            world.set_alarm_state("HelloFooAlarm", "ALARM").unwrap();
        });
        let bad = Request {
            alarms: vec!["HelloFooAlarm".into(), "Missing".into()],
            pre_hook: Some("nobody".parse().unwrap()),
            ..request()
        };
        let words = ["leaves no room", "`HelloFooAlarm` has been in ALARM", "`Missing` does not exist", "hook `nobody`"];
        assert_refused(&stage, &bad, &words).await;
        stage.rollout(&bad).await.golden("every_problem_at_once");
    });
}

#[test]
fn weights_of_somebody_else_are_left_alone() {
    play_on("hello", async |stage| {
        stage.with(|world| {
            world.publish("hello", 42).unwrap();
            world.set_alias("hello", "Live", "41", Some(("42", 0.1))).unwrap();
        });
        assert_refused(&stage, &request(), &["42 already has 10% of the traffic of hello:Live"]).await;
    });
}

#[test]
fn a_missing_function_is_no_first_deployment() {
    play_on("hello", async |stage| {
        let create = with(request(), |policy| policy.create_alias = true);
        let missing = Request { subject: rollout::Subject::parse("helo:Live", None).unwrap(), ..create };
        assert_refused(&stage, &missing, &["Function not found"]).await;
        assert_eq!(stage.done("CreateAlias"), 0);
    });
}

#[test]
fn a_version_that_cannot_share_the_alias_is_refused() {
    play_on("hello", async |stage| {
        stage.with(|world| {
            world.set_role("hello", "arn:aws:iam::111111111111:role/other").unwrap();
            world.publish("hello", 42).unwrap();
        });
        let by_number = Request { version: rollout::Version::new(42), ..request() };
        assert_refused(&stage, &by_number, &["a different execution role"]).await;
        let missing = Request { version: rollout::Version::new(77), ..request() };
        assert_refused(&stage, &missing, &["77, cannot be read"]).await;
    });
}

#[test]
fn provisioned_concurrency_is_refused_unless_allowed() {
    play_on("hello", async |stage| {
        let body = r#"{"ProvisionedConcurrentExecutions":1}"#;
        let put =
            http::Request::put("/2019-09-30/functions/hello/provisioned-concurrency?Qualifier=Live").body(body.into()).unwrap();
        assert!(stage.account.call("SOMEBODY", put).await.unwrap().status().is_success());
        assert_refused(&stage, &request(), &["provisioned concurrency", "--allow-provisioned-concurrency"]).await;
        stage.rollout(with(short(), |policy| policy.allow_provisioned = true)).await.exits(0);
    });
}

#[test]
fn an_alarm_that_was_red_before_is_the_fixs_enemy_only_where_one_says_so() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.set_alarm_state("HelloFooAlarm", "ALARM")).unwrap();
        assert_refused(&stage, &short(), &["has been in ALARM since"]).await;
        let wait = with(short(), |policy| policy.preexisting_alarm = Preexisting::Wait);
        stage.rollout(wait).await.exits(0).says("waiting for HelloFooAlarm");
    });
}

#[test]
fn an_alarm_that_stays_red_is_ignored_where_asked_for_and_a_fresh_one_counts() {
    play_on("hello", async |stage| {
        // Stable itself fails: the alarm is red, and the new version is the fix.
        stage.with(|world| {
            world.create_function("broken", &[("SIM_ERROR_RATE", "1"), ("SIM_TRAFFIC_RPS", "5")]).unwrap();
            world.publish("broken", 1).unwrap();
            world.set_alias("broken", "Live", "1", None).unwrap();
            world.create_errors_alarm("Broken", "broken", 1.0).unwrap();
            world.set_environment("broken", &[("SIM_ERROR_RATE", "0")]).unwrap();
        });
        stage.until_alarm("Broken", "ALARM").await;
        let subject = rollout::Subject::parse("broken:Live", None).unwrap();
        let ignore = with(short(), |policy| policy.preexisting_alarm = Preexisting::Ignore);
        let output = stage.rollout(Request { subject, alarms: vec!["Broken".into()], ..ignore }).await.exits(0);
        output.says("10% of traffic to version 2 (1 in ALARM since before the rollout: ignored)");
        assert_eq!(stage.with(|world| world.alias("broken", "Live").unwrap().version.clone()), "2");
    });
}

#[test]
fn a_write_that_is_not_permitted_is_found_before_the_claim() {
    play(async {
        let code = Request { code: Some(Code::Zip(b"PK\x03\x04new".to_vec())), ..short() };
        let denied = [
            ("UpdateAlias", short(), "hello:Live may not be changed"),
            ("PublishVersion", short(), "no version of hello may be published"),
            ("UpdateFunctionCode", code, "the code of hello may not be changed"),
        ];
        for (operation, request, words) in denied {
            let stage = Stage::story("hello-idle").await;
            stage.with(|world| world.add_fault(Fault::on(operation, Effect::Deny)));
            let hint = format!("hint: lambda:{operation} on hello is needed");
            assert_refused(&stage, &request, &[words, "AccessDeniedException", &hint]).await;
            stage.with(sim::World::clear_faults);
            stage.rollout(&request).await.exits(0);
        }
    });
}

#[test]
fn what_is_not_going_to_be_written_need_not_be_permitted() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            world.publish("hello", 42).unwrap();
            for operation in ["PublishVersion", "UpdateFunctionCode", "CreateAlias"] {
                world.add_fault(Fault::on(operation, Effect::Deny));
            }
        });
        stage.rollout(Request { version: rollout::Version::new(42), ..short() }).await.exits(0);
    });
}

#[test]
fn not_knowing_whether_a_write_is_permitted_is_no_reason_to_refuse() {
    play(async {
        for effect in [Effect::Throttle, Effect::Conflict, Effect::ServerError(500), Effect::LostAnswer, Effect::Refuse] {
            let stage = Stage::story("hello-idle").await;
            stage.with(|world| {
                // Every attempt at asking.
                for operation in ["UpdateAlias", "PublishVersion"] {
                    world.add_fault(Fault::on(operation, effect).calls(1..=3));
                }
            });
            let output = stage.rollout(short()).await;
            assert_eq!(output.ending.exit_code, 0, "{effect:?}\n{}", output.log);
            stage.assert_conditional();
        }
    });
}

#[test]
fn a_first_deployment_asks_for_what_it_will_write() {
    play(async {
        for (operation, words) in
            [("CreateAlias", "hello:Live may not be created"), ("UpdateAlias", "hello:Live may not be changed")]
        {
            let stage = Stage::story("hello-first").await;
            stage.with(|world| world.add_fault(Fault::on(operation, Effect::Deny)));
            let hint = format!("lambda:{operation} on hello is needed");
            assert_refused(&stage, &request(), &[words, &hint]).await;
            assert!(stage.with(|world| world.alias("hello", "Live").is_none()));
        }
    });
}

#[test]
fn an_alias_on_what_every_publication_changes_is_refused() {
    play_on("hello-idle", async |stage| {
        let word = "$LATEST.PUBLISHED";
        stage.with(|world| world.force_alias("hello", "Live", word)).unwrap();
        assert_refused(&stage, &short(), &["points at $LATEST.PUBLISHED", "point it at a numbered version"]).await;
    });
}

fn configure(stage: &Stage, settings: &serde_json::Value) {
    stage.with(|world| world.arrange("PUT", "/2015-03-31/functions/hello/configuration", settings)).unwrap();
}

#[test]
fn test_events_are_refused_where_tenants_are_isolated() {
    play_on("hello-idle", async |stage| {
        configure(&stage, &serde_json::json!({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}));
        let probing = with(short(), |policy| policy.analysis.on_low_traffic = OnLowTraffic::Probe(2));
        assert_refused(&stage, &probing, &["hello isolates tenants"]).await;
        stage.rollout(short()).await.exits(0);
    });
}

#[test]
fn a_hook_that_isolates_tenants_is_refused() {
    play_on("hello-idle", async |stage| {
        let tenants = serde_json::json!({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}});
        stage.with(|world| world.arrange("PUT", "/2015-03-31/functions/preHook/configuration", &tenants)).unwrap();
        let hooked = Request { pre_hook: Some("preHook".parse().unwrap()), ..short() };
        assert_refused(&stage, &hooked, &["hook `preHook` cannot be invoked", "hooks get no tenant id"]).await;
    });
}

#[test]
fn a_version_that_failed_is_refused_before_and_after_it_has_a_number() {
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            world.set_environment("hello", &[("SIM_STATE", "Failed")]).unwrap();
            world.publish("hello", 42).unwrap();
        });
        stage.sleep(60).await;
        let named = Request { version: rollout::Version::new(42), ..short() };
        assert_refused(&stage, &named, &["the version to roll out, 42, is Failed: ", "roll out without `--version`"]).await;
        // A plan looks for it, whatever number it has, and says whether publishing gives it again.
        let again = "the version published last, 42, is Failed: An error occurred during function initialization";
        let found = planned(&stage, &short()).await;
        let problem = found.problems.first().unwrap();
        assert!(problem.text.starts_with(again) && problem.text.ends_with("publishing gives it again"), "{problem}");
        stage.with(|world| world.set_environment("hello", &[("SIM_STATE", ""), ("SIM_BODY", "mended")]).unwrap());
        let found = planned(&stage, &short()).await;
        assert_eq!((found.problems, found.warnings.iter().filter(|text| text.starts_with(again)).count()), (vec![], 1));
        // What cannot be looked at is not healthy.
        stage.with(|world| world.add_fault(Fault::on("ListVersionsByFunction", Effect::Deny)));
        let found = planned(&stage, &short()).await;
        assert!(found.callers.unseen.iter().any(|skipped| skipped.what.contains("published last")), "{:?}", found.callers.unseen);
    });
}

#[test]
fn a_plan_says_that_publishing_gives_a_rejected_version_again() {
    play_on("hello", async |stage| {
        stage.rollout(short()).await.exits(0);
        stage.rollback(None).await;
        let found = planned(&stage, &short()).await;
        let expected = "`$LATEST` has not changed since it was published as 42: 42 was rejected before: rolled back manually";
        assert!(found.problems.iter().any(|problem| problem.text == expected), "{:?}", found.problems);
        let mut again = short();
        again.policy.again = true;
        assert_eq!(planned(&stage, &again).await.problems, []);
        stage.with(|world| world.set_environment("hello", &[("SIM_BODY", "mended")]).unwrap());
        assert_eq!(planned(&stage, &short()).await.problems, []);
    });
}

/// What `plan` finds.
async fn planned(stage: &Stage, request: &Request) -> controller::Preflight {
    let Identity { id, owner } = identity();
    let mut found = controller::preflight(&stage.aws, &stage.clock, request, id, owner).await;
    controller::last_version(&stage.aws, request, &mut found).await;
    found
}

/// An execution goes on where it began, so that a rollback leaves it with the version that failed.
#[test]
fn a_rollback_of_a_durable_function_says_what_still_runs_on_the_candidate() {
    play_on("hello-idle", async |stage| {
        configure(&stage, &serde_json::json!({"DurableConfig": {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 7}}));
        stage.alarm_in(95);
        let output = stage.rollout(request()).await.exits(10);
        let output = output.says("42 is rejected: needs --again; executions that started on 42 still run on it");
        let list = "aws lambda list-durable-executions-by-function --statuses RUNNING --function-name hello --qualifier 42";
        assert!(output.ending.executions_stay && output.ending.next.iter().any(|next| next == list), "{:?}", output.ending);
    });
    // None began on a version that had no traffic, and none is left behind by a promotion.
    play_on("hello-idle", async |stage| {
        configure(&stage, &serde_json::json!({"DurableConfig": {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 7}}));
        stage.with(|world| world.set_environment("preHook", &[("SIM_HOOK", "Failed")]).unwrap());
        assert!(!stage.rollout(request()).await.exits(11).ending.executions_stay);
        assert!(!stage.rollout(short()).await.exits(0).ending.executions_stay);
    });
}

#[test]
fn a_durable_function_is_compared_for_the_record_only() {
    play_on("hello-errors", async |stage| {
        configure(&stage, &serde_json::json!({"DurableConfig": {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 7}}));
        let compared = Analysis { mode: Mode::On, ..Analysis::default() };
        let unwatched = Request { alarms: Vec::new(), ..with(request(), |policy| policy.analysis = compared) };
        let output = stage.rollout(&unwatched).await.exits(0);
        output.says("hello is a durable function").says("aws lambda list-durable-executions-by-function --function-name hello");
    });
}

#[test]
fn instances_of_ones_own_take_a_rollout_and_are_told() {
    play_on("hello-idle", async |stage| {
        let arn = "arn:aws:lambda:us-east-1:111111111111:capacity-provider:big";
        let provider = serde_json::json!({"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": arn}});
        configure(&stage, &serde_json::json!({"CapacityProviderConfig": provider}));
        stage.rollout(short()).await.exits(0).says("hello runs on Lambda Managed Instances").says("$LATEST.PUBLISHED");
    });
}
