//! The binary itself: its exit codes, each produced on purpose, what it prints, and what it refuses before anything is sent.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sim::{Effect, Fault};

use crate::served::{
    LONG, SHORT, Served, assert_has, canaryctl, code, expect, expect_all, expect_end, json, json_lines, kill, run, signal, start,
    text,
};

#[test]
fn exit_0_promoted_and_again_nothing_to_do() {
    let served = Served::start();
    let output = served.run(&format!("{SHORT} --pre-hook preHook --post-hook postHook"));
    let output = expect(output, 0, "▸ PROMOTED   hello:live is on 2, unobserved: no invocation of it was counted");
    assert!(!text(&output).contains('\u{1b}'), "a pipe gets no escape codes");
    assert!((served.share("2") - 1.0).abs() < f64::EPSILON);
    expect(served.run(SHORT), 0, "");
    expect(served.run(&format!("{SHORT} --require-change")), 3, "");
}

#[test]
fn exit_2_bad_values_are_refused_before_anything_is_sent() {
    let served = Served::start();
    let rows = [
        ("rollout hello", "no schedule given"),
        ("rollout hello --type Linear10PercentEvery1Minuet", "did you mean `Linear10PercentEvery1Minute`?"),
        ("rollout hello --type Canary0Percent5Minutes", "above 0%"),
        ("rollout hello --type Canary100Percent5Minutes", "below 100%"),
        ("rollout hello --type Canary101Percent5Minutes", "below 100%"),
        ("rollout hello --type Linear10PercentEvery0Minutes", "between 1 second and 2,880 minutes"),
        ("rollout hello --steps 50,10 --every 1m", "steps must rise"),
        ("rollout hello --steps 0,10 --every 1m", "above 0"),
        ("rollout hello --steps ten --every 1m", "above 0"),
        ("rollout hello --steps 10", "--every"),
        ("rollout hello --type AllAtOnce --poll 50ms", "expected 100ms"),
        ("rollout hello --type AllAtOnce --bake soon", "write `30s`"),
        ("rollout hello --type AllAtOnce --version 0", "not the number of a published version"),
        ("rollout hello --type AllAtOnce --version $LATEST", "not the number of a published version"),
        ("rollout hello --type AllAtOnce --alias 42", "is not an alias name"),
        ("rollout hello:a.b --type AllAtOnce", "is not an alias name"),
        ("rollout he/llo --type AllAtOnce", "is not a function"),
        ("rollout hello:live --alias other --type AllAtOnce", "omit one of them"),
        ("rollout hello --type AllAtOnce --zip no-such.zip", "cannot be read"),
        ("rollout hello --type AllAtOnce --zip Cargo.toml", "not a zip file"),
        ("rollout hello --type AllAtOnce --version 2 --zip Cargo.toml", "cannot be used with"),
        ("rollout hello --type AllAtOnce --alarm arn:aws:s3:::x", "expected the ARN of an alarm"),
        ("rollout hello --type AllAtOnce --pre-hook a:b:c", "is not a function"),
        ("rollout hello --type AllAtOnce --on-interrupt maybe", "possible values"),
        ("rollout hello --type AllAtOnce --analysis maybe", "latency=enforce"),
        ("rollback hello --to zero", "not the number of a published version"),
        ("status", "no function given"),
        ("rolout hello", "rollout"),
    ];
    for (arguments, word) in rows {
        let output = served.run(arguments);
        assert_eq!(code(&output), 2, "{arguments}: {}", text(&output));
        assert!(String::from_utf8_lossy(&output.stderr).contains(word), "{arguments}: no `{word}` in {}", text(&output));
    }
    assert_eq!(served.account.with(|world| world.log().len()), 0, "something was sent");
    expect(run("rollout hello --simulate=nonsense"), 2, "the scenarios are hello,");
    let unsigned = served.command("status hello").env_remove("AWS_ACCESS_KEY_ID").output().unwrap();
    expect(unsigned, 2, "no AWS credentials");
    expect(run("status hello"), 2, "--region");
}

#[test]
fn exit_3_refused_with_every_problem_and_nothing_moved() {
    let served = Served::start();
    let output = served.run("rollout hello --type AllAtOnce --alarm missing --pre-hook nobody");
    expect_all(output, 3, &["alarm `missing` does not exist", "hook `nobody`", "✖ REFUSED", "100% on 1"]);
    assert_eq!(served.writes(), 0);
    for arguments in ["rollback hello", "rollback nobody", "status hello:nobody", "status nobody"] {
        expect(served.run(arguments), 3, "");
    }
}

#[test]
fn exit_10_11_on_the_embedded_simulation() {
    for (story, expected) in [("hello-errors", 10), ("hello-pre-hook-fails", 11), ("hello-post-hook-fails", 11)] {
        expect(run(&format!("rollout --simulate={story} --speed max")), expected, "✖ ROLLED BACK   hello:Live stays on 41");
    }
}

#[test]
fn exit_13_a_signal_and_a_rollback() {
    for name in ["-INT", "-TERM"] {
        let served = Served::start();
        let child = served.start_long("");
        let asked = Instant::now();
        signal(&child, name);
        expect_end(child, 13);
        assert!(asked.elapsed() < Duration::from_secs(5));
        assert!(served.share("2") == 0.0);
    }
    let served = Served::start();
    let child = served.start_long("");
    expect(served.run("rollback hello"), 0, "");
    expect_end(child, 13);
    assert_eq!(self::code(&served.run("rollback hello")), 0, "a second one is a no-op");
    assert!(served.share("2") == 0.0);
}

#[test]
fn exit_20_not_confirmed() {
    let served = Served::start();
    let child = served.start_long("");
    served.fault(Fault::on("UpdateAlias", Effect::ServerError(500)));
    let command = "aws lambda update-alias --function-name hello --name live --function-version 1 ";
    expect(served.run("rollback hello --timeout 1s"), 20, command);
    // The first SIGINT asks, SIGTERM does not insist, the second SIGINT does.
    signal(&child, "-INT");
    thread::sleep(Duration::from_millis(300));
    signal(&child, "-TERM");
    thread::sleep(Duration::from_millis(700));
    signal(&child, "-INT");
    let out = expect_end(child, 20);
    assert!(out.contains("rollback"), "{out}");
}

#[test]
fn exit_30_left_in_progress() {
    let served = Served::start();
    let child = served.start_long("--on-interrupt hold");
    signal(&child, "-TERM");
    expect_end(child, 30);
    assert!((served.share("2") - 0.1).abs() < 1e-9);
    let status = json(&served.run("status hello --output json"));
    assert_eq!((&status["phase"], &status["step"], &status["weight"]), (&"shift".into(), &1.into(), &0.1.into()), "{status}");
}

#[test]
fn operators_act_from_another_process() {
    let served = Served::start();
    for arguments in ["pause hello", "resume hello", "promote hello", "abort hello"] {
        expect(served.run(arguments), 3, "");
    }
    let child = served.start_long("");
    for order in ["pause hello --for 30m", "promote hello", "abort hello"] {
        let late = text(&served.run(&format!("{order} --expect-step 7")));
        assert!(late.contains("the rollout is now at step 1"), "{late}");
    }
    expect(served.run("pause hello --for 30m --expect-step 1"), 0, "");
    let status = json(&served.run("status hello --output json"));
    assert_eq!(status["paused"], true, "{status}");
    expect(served.run("resume hello"), 0, "");
    assert_eq!(code(&served.run("promote hello --now")), 2, "a reason is wanted");
    let outcome = json(&expect(served.run("promote hello --now --reason urgent --output json"), 0, ""));
    assert_eq!((&outcome["type"], &outcome["outcome"]), (&"outcome".into(), &"done".into()));
    expect_end(child, 0);
    assert!((served.share("2") - 1.0).abs() < f64::EPSILON);
}

/// A command in this run of a CI job.
fn of_job(served: &Served, arguments: &str, run: &str) -> Command {
    let mut command = served.command(arguments);
    command.env("GITHUB_REPOSITORY", "shop/checkout").env("GITHUB_RUN_ID", run).env("GITHUB_JOB", "deploy");
    command
}

#[test]
fn a_clean_up_step_ends_its_own_jobs_rollout_and_no_other() {
    let served = Served::start();
    let child = start(&mut of_job(&served, LONG, "1"));
    served.await_share("2");
    // As the runner does.
    kill(child);
    let abort = |run: &str| of_job(&served, "abort hello --mine", run).output().unwrap();
    assert_eq!(code(&abort("2")), 3, "another run's");
    assert!(served.share("2") > 0.0);
    assert_eq!(code(&abort("1")), 0);
    assert!(served.share("2") == 0.0);
    assert_eq!(code(&abort("1")), 0, "done before is done");
    assert_eq!(code(&served.run("abort hello --mine")), 2, "no CI job");
}

#[test]
fn a_jobs_second_rollout_is_not_taken_for_its_first() {
    let served = Served::start();
    for version in ["2", "3"] {
        let output = expect(of_job(&served, SHORT, "1").output().unwrap(), 0, "");
        assert!((served.share(version) - 1.0).abs() < f64::EPSILON, "{}", text(&output));
        served.account.with(|world| world.set_environment("hello", &[("SIM_BODY", "newer")])).unwrap();
    }
}

#[test]
fn json_is_one_flat_object_a_line_and_the_outcome_is_last() {
    let served = Served::start();
    let output = expect(served.run(&format!("{SHORT} --output json")), 0, "");
    let lines = json_lines(&String::from_utf8(output.stdout).unwrap());
    for line in &lines {
        for key in ["v", "type", "at", "function", "alias"] {
            assert!(!line[key].is_null(), "no `{key}` in {line}");
        }
    }
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["outcome"], &last["exit_code"]), (&"outcome".into(), &"promoted".into(), &0.into()));
    assert_eq!((&last["stable"], &last["candidate"]), (&"1".into(), &"2".into()));
    assert_eq!(lines.iter().filter(|line| line["type"] == "outcome").count(), 1);
    assert!(last["reason"]["kind"].is_string() && last["reason"]["detail"].is_string());
}

#[test]
fn a_closed_pipe_never_ends_a_rollout() {
    let served = Served::start();
    let mut child = served.start_command(SHORT);
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!((served.share("2") - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_plan_and_a_dry_run_change_nothing() {
    let served = Served::start();
    for arguments in ["plan hello --type Linear10PercentEvery1Minute --alarm errors", "rollout hello --dry-run --type AllAtOnce"]
    {
        expect(served.run(arguments), 0, "");
    }
    expect(served.run("plan hello --type AllAtOnce --alarm missing"), 3, "");
    served.fault(Fault::on("UpdateAlias", Effect::Deny));
    expect(served.run("plan hello --type AllAtOnce"), 3, "lambda:UpdateAlias on hello is needed");
    // Writes are asked about, and never done.
    let changing =
        |operation: &str| !operation.starts_with("Get") && !operation.starts_with("Describe") && !operation.starts_with("List");
    assert!(!served.account.with(|world| world.log().iter().any(|call| changing(&call.operation) && call.succeeded())),);
}

#[test]
fn weights_that_aws_sets_while_it_moves_provisioned_concurrency_are_told_apart() {
    let served = Served::start();
    served.account.with(|world| {
        world.publish("hello", 2).unwrap();
        world.set_alias("hello", "live", "2", Some(("1", 1.0))).unwrap();
    });
    let foreign = served.run("status hello");
    assert!(code(&foreign) == 0 && !text(&foreign).contains("provisioned"), "{}", text(&foreign));
    let config = http::Request::put("/2019-09-30/functions/hello/provisioned-concurrency?Qualifier=live");
    let config = config.body(r#"{"ProvisionedConcurrentExecutions":1}"#.into()).unwrap();
    served.account.with(|world| {
        world.schedule(world.now(), sim::Event::Call { caller: "SOMEBODY".to_owned(), request: config });
    });
    let moving = text(&served.run("status hello"));
    assert!(moving.contains("AWS is moving this alias' provisioned concurrency"), "{moving}");
    assert!(moving.contains("next      canaryctl status hello ") && moving.lines().count() <= 12, "{moving}");
    // Not being allowed to know takes nothing away.
    served.fault(Fault::on("GetProvisionedConcurrencyConfig", Effect::Deny));
    expect(served.run("status hello"), 0, "or AWS is moving provisioned concurrency");
}

#[test]
fn a_package_is_put_into_the_function_first() {
    let served = Served::start();
    let package = std::env::temp_dir().join(format!("canaryctl-{}.zip", std::process::id()));
    std::fs::write(&package, b"PK\x03\x04 a package").unwrap();
    let output = served.run(&format!("{SHORT} --zip {}", package.display()));
    std::fs::remove_file(&package).unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output));
    let done = |call: &&sim::CallRecord| call.operation == "UpdateFunctionCode" && call.succeeded();
    assert_eq!(served.account.with(|world| world.log().iter().filter(done).count()), 1);
}

#[test]
fn every_command_helps_with_an_example() {
    let help = text(&run("--help"));
    let listed = help.split("\nRoll out:\n").nth(1).unwrap().split("\nOptions:").next().unwrap();
    let named = |line: &str| line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split(' ').next().map(String::from);
    let commands: Vec<String> = listed.lines().filter_map(named).filter(|name| name != "help").collect();
    assert!(commands.len() >= 14, "{commands:?}");
    for command in &commands {
        expect(run(&format!("{command} --help")), 0, "Examples:\n  canaryctl ");
    }
    let output = run("--version");
    assert_eq!(text(&output), format!("canaryctl {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn counts_from_a_file_are_tested_minute_by_minute() {
    let analyze = |text: &str, arguments: &[&str]| {
        let mut child = start(canaryctl().args(["analyze", "-"]).args(arguments).stdin(Stdio::piped()));
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        child
    };
    let out = expect_end(analyze("60,3,540,1\n60,3,540,1\n60,0,540,1\n", &["--output", "json"]), 0);
    let lines = json_lines(&out);
    let verdicts: Vec<&str> = lines.iter().map(|line| line["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["hold", "rollback", "rollback"], "latched");
    assert_eq!((&lines[2]["minute"], lines[2]["components"].as_array().unwrap().len()), (&3.into(), 6));
    let counts = r#"{"canary_calls":60,"canary_errors":0,"stable_calls":540,"stable_errors":9}"#;
    assert_has(&expect_end(analyze(counts, &[]), 0), &["verdict   pass"]);
    for (text, arguments, word) in [
        ("60,70,540,1", &[][..], "line 1"),
        ("a,b,c,d", &[], "line 1"),
        ("", &["--alpha", "2"], "false rollbacks"),
        ("", &["--tolerance-ratio", "nan"], "ratio"),
    ] {
        assert_has(&expect_end(analyze(text, arguments), 2), &[word]);
    }
}

/// What CloudWatch still has of a rollout is tested like a file; without calls, and without a rollout, that is said.
#[test]
fn analyze_reads_a_past_rollout_from_cloudwatch() {
    let served = Served::start();
    expect(served.run("analyze --from-cloudwatch hello:live"), 3, "the alias hello:live has no record of a rollout");
    served.account.with(|world| {
        world.set_environment("hello", &[("SIM_ERROR_RATE", "1")]).unwrap();
        world.publish("hello", 2).unwrap();
        world.set_alias("hello", "live", "1", Some(("2", 0.5))).unwrap();
    });
    let past = "analyze --from-cloudwatch hello:live --versions 1,2 --since 5m";
    expect(served.run(past), 3, "has no invocations of 1 and 2");
    for _ in 0..60 {
        served.visit("/url/hello:live/");
    }
    // A call is counted when it has ended.
    thread::sleep(Duration::from_millis(1_500));
    let output = served.run(&format!("{past} --output json"));
    let out = text(&output);
    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap_or_else(|_| panic!("{out}"));
    assert_eq!((code(&output), last["verdict"].as_str()), (0, Some("rollback")), "{out}");
    assert_has(&text(&served.run(past)), &["times as often as stable"]);
}

#[test]
fn signals_on_the_command_line_are_checked_before_anything_is_written() {
    let served = Served::start();
    let plan = "plan hello --type Canary10Percent5Minutes --alarm errors --signal";
    for (signal, code, word) in [
        ("checkout", 2, "`checkout`"),
        ("a=Shop/Failed{Stage=prod}", 2, "${version}"),
        ("a=Shop/Failed{Version=${version}}", 3, "metric `Failed` in `Shop`"),
        ("a=logs:status>=500", 3, "/aws/lambda/hello"),
    ] {
        expect(served.run(&format!("{plan} {signal}")), code, word);
    }
    let logged = "status hello --watch --signal 5xx=logs:status>=500";
    expect(served.run(logged), 2, "signal `5xx` is in a log: `--watch` compares metrics only");
    assert_eq!(served.writes(), 0);
}

#[test]
fn the_doctor_exits_3_for_traps_and_0_for_notes() {
    let served = Served::start();
    let doctor = "doctor hello --type Canary10Percent5Minutes --alarm errors --analysis off";
    // The code of this one is its environment.
    expect(served.run(doctor), 0, "hello:live   1 note\n");
    served.account.with(|world| {
        let mapping = serde_json::json!({"EventSourceArn": "arn:aws:sqs:us-east-1:111111111111:orders", "FunctionName": "hello"});
        world.arrange("POST", "/2015-03-31/event-source-mappings", &mapping).unwrap();
    });
    let output = expect(served.run(&format!("{doctor} --output json")), 3, "");
    let lines = json_lines(&String::from_utf8_lossy(&output.stdout));
    let checks: Vec<&str> = lines.iter().filter_map(|line| line["check"].as_str()).collect();
    assert_eq!(checks, ["event-source-mapping", "one-way-door"]);
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["warnings"], &last["exit_code"]), (&"diagnosis".into(), &1.into(), &3.into()));
    assert_eq!(served.writes(), 0);
    assert_has(&text(&served.run("plan hello --type Canary10Percent5Minutes")), &["CALLERS BYPASS hello:live"]);
}

#[test]
fn a_policy_is_printed_without_asking_anybody() {
    // What is needed, and what a note on stderr calls optional, by the statement's name.
    let actions = |arguments: &str| {
        let output = expect(run(arguments), 0, "");
        let policy = json(&output);
        let notes = String::from_utf8_lossy(&output.stderr).into_owned();
        let statements = policy["Statement"].as_array().unwrap();
        let is_optional = |statement: &&Value| {
            let named = statement["Sid"].as_str().unwrap();
            ["Warnings", "ErrorLines"].iter().any(|optional| named.starts_with(optional))
        };
        let actions = |statement: &Value| {
            let actions = statement["Action"].as_array().unwrap().iter();
            actions.map(|action| action.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (optional, needed): (Vec<&Value>, Vec<&Value>) = statements.iter().partition(is_optional);
        let of = |statements: Vec<&Value>| statements.into_iter().flat_map(actions).collect::<Vec<String>>();
        (of(needed), of(optional), String::from_utf8_lossy(&output.stdout).into_owned(), notes)
    };
    // Neither a Region nor credentials are set.
    let (rollback, optional, policy, notes) = actions("iam-policy hello --rollback-only");
    assert_eq!(rollback, ["lambda:GetAlias", "lambda:UpdateAlias"]);
    assert_eq!(optional, ["lambda:ListVersionsByFunction", "lambda:GetProvisionedConcurrencyConfig"]);
    assert_has(&notes, &["the `WarningsOfDeletedVersions` statement is optional"]);
    assert!(policy.contains("\"arn:aws:lambda:*:*:function:hello:live\""), "{policy}");
    assert_has(&notes, &["the account is not known", "the Region is not known"]);
    let (rollout, optional, policy, notes) = actions(
        "iam-policy arn:aws:lambda:eu-west-1:123456789012:function:hello:Live --alarm HelloErrors --post-hook smokeTest --image uri",
    );
    for action in ["lambda:UpdateFunctionCode", "lambda:InvokeFunction", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"]
    {
        assert!(rollout.iter().any(|granted| granted == action), "{action} in {rollout:?}");
    }
    assert!(policy.contains("\"arn:aws:lambda:eu-west-1:123456789012:function:smokeTest\""), "{policy}");
    assert!(!policy.contains(":*:"), "nothing is left open: {policy}");
    for action in ["lambda:ListVersionsByFunction", "lambda:GetPolicy", "logs:StartQuery", "logs:GetQueryResults"] {
        assert!(optional.iter().any(|granted| granted == action), "{action} in {optional:?}");
        assert!(!rollout.iter().any(|granted| granted == action), "{action} is not needed");
    }
    assert_has(&notes, &["ecr:SetRepositoryPolicy", "--create-alias"]);
    assert_has(&notes, &["the `Warnings…` statements are optional", "the `ErrorLines…` statements are optional"]);
    assert!(!notes.contains("not known"), "{notes}");
    let (_, optional, _, notes) = actions("iam-policy hello --no-logs");
    assert!(optional.iter().all(|action| action.starts_with("lambda:")) && !notes.contains("ErrorLines"), "{notes}");
}

#[test]
fn what_is_typed_and_would_not_be_used_is_an_error() {
    let served = Served::start();
    let alarm = |partition: &str, region: &str, account: &str| {
        format!("plan hello --type AllAtOnce --alarm arn:{partition}:cloudwatch:{region}:{account}:alarm:errors")
    };
    expect(served.run(&alarm("aws", "us-east-1", "111111111111")), 0, "1 ▸ new version");
    let home = "but the function is in account 111111111111";
    expect(served.run(&alarm("aws", "us-east-1", "222222222222")), 2, home);
    expect(served.run(&alarm("aws", "eu-west-1", "111111111111")), 2, "but the function is in us-east-1");
    expect(served.run(&alarm("aws-cn", "us-east-1", "111111111111")), 2, "but the function is in partition aws");
    let watched = "status hello --watch --alarm arn:aws:cloudwatch:us-east-1:222222222222:alarm:errors";
    let child = served.start_long("");
    expect(served.run(watched), 2, home);
    kill(child);
    let elsewhere = "status arn:aws:lambda:eu-west-1:111111111111:function:hello";
    expect(served.run(elsewhere), 2, "the function's ARN is in eu-west-1, but `--region` is us-east-1");
    expect(served.run("status function:hello"), 0, "hello:live");
    for (arguments, words) in [
        ("plan --simulate --region eu-west-1", "the simulation is in us-east-1, but `--region` is eu-west-1"),
        ("plan --simulate --profile production", "cannot be used with"),
        ("plan --simulate --endpoint-url http://127.0.0.1:1", "cannot be used with"),
        ("plan hello --type AllAtOnce --speed 5", "--simulate"),
        ("plan --simulate --bake 1500us", "expected whole milliseconds"),
    ] {
        expect(run(arguments), 2, words);
    }
    // A reason may be given for either way.
    expect(served.run("promote hello --reason fixed"), 0, "DONE");
}

#[test]
fn a_version_to_roll_back_to_that_was_deleted_is_named_with_those_there_are() {
    let served = Served::start();
    let by_hand = "rollout hello --type AllAtOnce --bake 0s --analysis off";
    expect(served.run(by_hand), 0, "PROMOTED");
    served
        .account
        .with(|world| world.arrange("DELETE", "/2015-03-31/functions/hello?Qualifier=1", &serde_json::Value::Null))
        .unwrap();
    let shown = expect_all(served.run("status hello"), 0, &["version 1 no longer exists", "the versions that exist are 2"]);
    assert!(!text(&shown).contains("canaryctl rollback"), "{}", text(&shown));
    for command in ["rollback hello", "rollback hello --to 1"] {
        let gone = "version 1 does not exist";
        let ended = expect_all(served.run(command), 3, &[gone, "the versions that exist are 2", "canaryctl rollout hello:live"]);
        assert!(!text(&ended).contains("canaryctl status"), "{}", text(&ended));
    }
    served.account.with(|world| world.publish("hello", 3)).unwrap();
    let other = "canaryctl rollback hello --to 3";
    expect(served.run("status hello"), 0, other);
    expect(served.run("rollback hello"), 3, "canaryctl rollback hello:live --to 3");
    expect(served.run("rollback hello --to 3"), 0, "ROLLED BACK");
}

#[test]
fn a_session_of_unknown_end_is_warned_of_where_the_rollout_is_long() {
    let served = Served::start();
    let with_token = |arguments: &str| served.command(arguments).env("AWS_SESSION_TOKEN", "any").output().unwrap();
    let said = "the credentials are a session token";
    for (command, code) in [("plan", 0), ("doctor", 3)] {
        let long = format!("{command} hello --type Linear10PercentEvery10Minutes");
        expect(with_token(&long), code, said);
        assert!(!text(&served.run(&long)).contains(said));
        assert!(!text(&with_token(&format!("{command} hello --type AllAtOnce"))).contains(said));
    }
}
