//! The binary in the projects that people have: what their files say is what is rolled out, and nothing is written for canaryctl.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::folder::Folder;
use crate::served::{Served, assert_has, code, expect, expect_all, function, hook, json, json_lines, run, text};
use sim::{Effect, Fault, Stack, World};

/// A file of the readers' fixtures.
fn fixture(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/project/tests/fixtures").join(name)).unwrap()
}

/// How many calls of an operation succeeded.
fn calls(served: &Served, operation: &str) -> usize {
    served.account.with(|world| world.log().iter().filter(|call| call.operation == operation && call.succeeded()).count())
}

/// The plan that a command printed, before anything else.
fn planned(output: &Output) -> serde_json::Value {
    json_lines(String::from_utf8_lossy(&output.stdout).lines().next().unwrap()).remove(0)
}

const GREETING: &str = "arn:aws:lambda:us-east-1:111111111111:function:greetings-dev-hello:Live";

/// What the Serverless Framework has deployed of the canary plugin's example.
fn greetings() -> Served {
    Served::furnished(|world| {
        function(world, "greetings-dev-hello", "Live");
        hook(world, "greetings-dev-preHook");
        hook(world, "greetings-dev-postHook");
        world.create_errors_alarm("greetings-dev-hello-foo", "greetings-dev-hello", 1.0).unwrap();
        let stack = Stack::new("greetings-dev")
            .resource("HelloLambdaFunction", "AWS::Lambda::Function", "greetings-dev-hello")
            .resource("HelloLambdaFunctionAliasLive", "AWS::Lambda::Alias", GREETING)
            .resource("HelloFooAlarm", "AWS::CloudWatch::Alarm", "greetings-dev-hello-foo");
        world.create_stack(stack).unwrap();
    })
}

/// The plugin's example, in seconds instead of minutes.
fn example() -> String {
    fixture("serverless/plugin_example/serverless.yml").replace("Linear10PercentEvery1Minute", "Linear50PercentEvery1Second")
}

#[test]
fn the_canary_plugins_example_rolls_out_as_it_is() {
    let (served, folder) = (greetings(), Folder::new("example", &[("serverless.yml", &example())]));
    let output = folder.run(&served, "rollout hello --bake 1s");
    let words = [
        "settings   serverless.yml (the Serverless Framework), stage dev: `hello` is greetings-dev-hello:Live\n",
        "while it is installed, `serverless deploy` moves the aliases with CodeDeploy",
        "belongs to the CloudFormation stack `greetings-dev`",
        "▸ PROMOTED   greetings-dev-hello:Live is on 2, unobserved",
    ];
    expect_all(output, 0, &words);
    assert!(served.promoted("greetings-dev-hello", "Live"));
    assert_eq!(calls(&served, "DescribeStackResource"), 1, "the alarm has a logical id, and nothing else has");
    assert!(calls(&served, "DescribeAlarms") > 0);
    // The preflight asks with a dry run, which is answered with 204.
    let ran = |name: &str| {
        let invoked = |call: &&sim::CallRecord| call.operation == "Invoke" && call.status == 200 && call.resource.contains(name);
        served.account.with(|world| world.log().iter().filter(invoked).count())
    };
    assert_eq!(["greetings-dev-preHook", "greetings-dev-postHook"].map(ran), [1, 1]);
}

#[test]
fn the_whole_example_is_planned_as_the_plugin_has_it() {
    let served = greetings();
    let folder = Folder::new("planned", &[("serverless.yml", &fixture("serverless/plugin_example/serverless.yml"))]);
    let plan = planned(&expect(folder.run(&served, "plan hello --output json"), 0, ""));
    assert_eq!((&plan["function"], &plan["alias"]), (&"greetings-dev-hello".into(), &"Live".into()), "{plan}");
    assert_eq!(plan["alarms"], serde_json::json!(["greetings-dev-hello-foo"]), "{plan}");
    assert_eq!((&plan["pre_hook"], &plan["post_hook"]), (&"greetings-dev-preHook".into(), &"greetings-dev-postHook".into()));
    assert_eq!(plan["schedule"], "Linear10PercentEvery1Minute");
    // What is typed goes before the file.
    let typed = "plan hello:other --type AllAtOnce --alarm mine --pre-hook myHook --output json";
    let plan = planned(&folder.run(&served, typed));
    assert_eq!((&plan["alias"], &plan["schedule"]), (&"other".into(), &"AllAtOnce".into()), "{plan}");
    assert_eq!((&plan["alarms"], &plan["pre_hook"]), (&serde_json::json!(["mine"]), &"myHook".into()));
    assert_eq!(plan["post_hook"], "greetings-dev-postHook", "what is not typed stands");
}

#[test]
fn every_command_knows_the_function_by_its_key_and_by_its_name() {
    let (served, folder) = (greetings(), Folder::new("commands", &[("serverless.yml", &example())]));
    for name in ["hello", "greetings-dev-hello", "greetings-dev-hello:Live", "hello:Live"] {
        let status = json(&folder.run(&served, &format!("status {name} --output json")));
        assert_eq!((&status["function"], &status["alias"]), (&"greetings-dev-hello".into(), &"Live".into()), "{name}");
    }
    // No such function in AWS.
    expect(folder.run(&served, "status hello --no-config"), 3, "");
    // Not deployed there.
    expect(folder.run(&served, "status hello --stage prod"), 3, "");
    expect(folder.run(&served, "rollout hello --bake 1s"), 0, "");
    for arguments in ["pause hello", "resume hello", "promote hello", "abort hello"] {
        expect(folder.run(&served, arguments), 3, "greetings-dev-hello:Live");
    }
    expect(folder.run(&served, "rollback hello"), 0, "");
    assert!(!served.promoted("greetings-dev-hello", "Live"));
}

#[test]
fn a_broken_file_stops_everything_but_a_way_back() {
    let served = Served::functions(&["hello"], "live");
    let broken = Folder::new("broken", &[("canary.yml", "functions:\n  hello:\n    tipe: AllAtOnce\n    bake: soon\n")]);
    for command in ["rollout hello --type AllAtOnce", "plan hello --type AllAtOnce", "pause hello", "promote hello"] {
        let words = ["canary.yml:3:5: unknown key `tipe`", "did you mean `type`?", "canary.yml:4:11: ", "--no-config"];
        expect_all(broken.run(&served, command), 2, &words);
    }
    assert_eq!(served.account.with(|world| world.log().len()), 0, "something was sent");
    expect(broken.run(&served, "rollout hello --type AllAtOnce --bake 1s --no-config"), 0, "");
    expect(broken.run(&served, "rollback hello"), 0, "using the name as typed: hello:live");
    assert!(!served.promoted("hello", "live"));
    expect(broken.run(&served, "status hello"), 0, "");
}

#[cfg(unix)]
#[test]
fn a_file_that_never_comes_holds_no_way_back_up() {
    let served = Served::functions(&["hello"], "live");
    let folder = Folder::new("slow", &[]);
    // Opening a pipe waits for a writer.
    let made = std::process::Command::new("mkfifo").arg(folder.0.join("canary.yml")).status().unwrap();
    assert!(made.success());
    let began = std::time::Instant::now();
    let output = expect(folder.run(&served, "rollback hello --to 1"), 0, "");
    assert!(text(&output).contains("within 2s") && began.elapsed() < std::time::Duration::from_secs(8), "{}", text(&output));
}

#[test]
fn a_sam_template_rolls_out_with_names_that_only_the_stack_knows() {
    let template = fixture("sam/whole/template.yaml").replace("Canary10Percent10Minutes", "Canary10Percent1Second");
    let config = fixture("sam/whole/samconfig.toml").replace("eu-west-1", "us-east-1");
    let folder = Folder::new("sam", &[("template.yaml", &template), ("samconfig.toml", &config)]);
    let served = Served::furnished(|world| {
        function(world, "shop-dev-Hello-1A2B", "live");
        hook(world, "CodeDeployHook_before");
        hook(world, "shop-dev-After-3C4D");
        for alarm in ["shop-dev-HelloErrors-5E6F", "shop-dev-latency", "by-hand"] {
            world.create_errors_alarm(alarm, "shop-dev-Hello-1A2B", 1.0).unwrap();
        }
        let stack = Stack::new("shop-dev")
            .resource("Hello", "AWS::Lambda::Function", "shop-dev-Hello-1A2B")
            .resource("After", "AWS::Lambda::Function", "shop-dev-After-3C4D")
            .resource("HelloErrors", "AWS::CloudWatch::Alarm", "shop-dev-HelloErrors-5E6F");
        world.create_stack(stack).unwrap();
    });
    expect(folder.run(&served, "rollout Hello --bake 1s"), 0, "template.yaml (a SAM template)");
    assert!(served.promoted("shop-dev-Hello-1A2B", "live"));
    assert_eq!(calls(&served, "DescribeStackResource"), 3);
    expect(folder.run(&served, "rollback Hello"), 0, "");
    assert!(!served.promoted("shop-dev-Hello-1A2B", "live"));

    served.fault(Fault::on("DescribeStackResource", Effect::Deny));
    let words =
        ["template.yaml:4:3: `Hello` cannot be looked up in the stack `shop-dev`", "cloudformation:DescribeStackResource"];
    expect_all(folder.run(&served, "rollout Hello"), 3, &words);
    expect(folder.run(&served, "rollback Hello"), 3, "using the name as typed: Hello:live");
    // Its name is enough.
    expect(folder.run(&served, "rollback shop-dev-Hello-1A2B --to 1"), 0, "");
    served.account.with(World::clear_faults);
    expect(folder.run(&served, "rollout Hello --stack other"), 3, "`--stack` names another one");
}

#[test]
fn an_appspec_rolls_out_between_the_versions_that_it_names() {
    let folder = Folder::new("appspec", &[("appspec.yml", &fixture("appspec/whole/appspec.yml"))]);
    let served = Served::furnished(|world| {
        function(world, "hello", "live");
        world.publish("hello", 2).unwrap();
        hook(world, "checkBefore");
        hook(world, "checkAfter");
    });
    expect(folder.run(&served, "rollout hello"), 2, "no schedule given");
    expect(folder.run(&served, "rollout hello --type Canary10Percent1Second --bake 1s"), 0, "");
    assert!(served.promoted("hello", "live"));
    assert_eq!(calls(&served, "PublishVersion"), 0, "the version exists");
    expect(folder.run(&served, "rollout hello --type AllAtOnce"), 0, "nothing to roll out");
    served.account.with(|world| {
        world.set_environment("hello", &[("SIM_BODY", "newer")]).unwrap();
        world.publish("hello", 3).unwrap();
        world.set_alias("hello", "live", "3", None).unwrap();
    });
    expect(folder.run(&served, "rollout hello --type AllAtOnce"), 3, "hello:live is on 3, but `CurrentVersion` expects 1");
}

#[test]
fn a_function_that_the_file_does_not_have_is_said() {
    let served = Served::functions(&["hallo"], "live");
    let folder = Folder::new("stranger", &[("canary.yml", "functions: {hello: {type: AllAtOnce}}\n")]);
    let words = ["no schedule given: canary.yml has no function `hallo`", "did you mean `hello`?"];
    expect_all(folder.run(&served, "rollout hallo"), 2, &words);
    expect(folder.run(&served, "rollout hallo --type AllAtOnce --bake 1s"), 0, "canary.yml has no function `hallo`");
    expect(folder.run(&served, "rollout hallo --type AllAtOnce --config canary.yml"), 2, "did you mean `hello`?");
    expect(folder.run(&served, "rollout hallo --type AllAtOnce --config none.yml"), 2, "none.yml: the file does not exist");
    let elsewhere = Folder::new("elsewhere", &[]);
    let output = elsewhere.run(&served, "rollout hallo --type AllAtOnce --stage prod");
    expect(output, 2, "`--stage` needs a configuration file");
    expect(run("status hello --config canary.yml --no-config"), 2, "");
}

#[test]
fn import_writes_a_canary_yml_that_rolls_the_same_out() {
    let (served, folder) = (greetings(), Folder::new("import", &[("serverless.yml", &example())]));
    let output = expect(folder.run(&served, "import"), 0, "");
    let (written, notes) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(written.contains("# warning: serverless.yml:16:5: `serverless-plugin-canary-deployments`"), "{written}");
    assert_has(&notes, &["serverless.yml:16:5: ", "greetings-dev-hello belongs to the CloudFormation stack `greetings-dev`"]);
    let own = Folder::new("imported", &[("canary.yml", &written)]);
    let plan = |folder: &Folder| {
        let plan = planned(&folder.run(&served, "plan hello --output json"));
        ["function", "alias", "alarms", "pre_hook", "post_hook", "plan_hash"].map(|key| plan[key].clone())
    };
    assert_eq!(plan(&own), plan(&folder));
    assert_eq!(json(&folder.run(&served, "import --output json"))["functions"]["hello"]["alias"], "Live");

    // Without credentials everything is written all the same.
    let offline = served.command("import").env_remove("AWS_ACCESS_KEY_ID").current_dir(&folder.0).output().unwrap();
    assert!(code(&offline) == 0 && String::from_utf8_lossy(&offline.stdout) == written, "{}", text(&offline));
    assert_has(&text(&offline), &["could not check what else changes the aliases"]);
    let empty = Folder::new("empty", &[]);
    expect(empty.run(&served, "import"), 2, "no configuration file");
}

#[test]
fn the_schema_is_what_editors_are_given() {
    let schema = json(&expect(run("schema"), 0, ""));
    let kept = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/project/canary.schema.json")).unwrap();
    assert_eq!(schema, serde_json::from_slice::<serde_json::Value>(&kept).unwrap());
}

#[test]
fn an_alarm_that_a_canary_yml_defines_is_made_for_the_version_and_tagged() {
    let served = Served::functions(&["hello"], "live");
    let yaml = "functions:
  hello:
    type: Canary10Percent1Second
    insufficientData: ok
    alarms:
      - {name: hello-canary-errors, metric: Errors, threshold: 1}
";
    let folder = Folder::new("kept", &[("canary.yml", yaml)]);
    expect(folder.run(&served, "plan hello"), 0, "managed alarm hello-canary-errors: Sum of AWS/Lambda Errors");
    assert_eq!(calls(&served, "PutMetricAlarm"), 0, "a plan changes nothing");
    expect(folder.run(&served, "rollout hello --bake 1s"), 0, "");
    assert_eq!(calls(&served, "PutMetricAlarm"), 1);
    let again = folder.run(&served, "rollout hello --version 2 --bake 1s");
    assert!(code(&again) == 0 && calls(&served, "PutMetricAlarm") == 1, "{}", text(&again));
    expect(folder.run(&served, "plan hello --alias other --create-alias"), 3, "is managed for hello:live");
    let strict = Folder::new("strict", &[("canary.yml", &yaml.replace("insufficientData: ok", "insufficientData: rollback"))]);
    expect(strict.run(&served, "plan hello"), 2, "canary.yml:6:9: a managed alarm");
}

#[test]
fn the_example_in_the_guide_is_one() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("bin/canaryctl/guide/project.md")).unwrap();
    let example = page.split_once("    # canary.yml\n").unwrap().1.split_once("\nEvery key").unwrap().0;
    let served = Served::furnished(|world| {
        function(world, "shop-prod-hello", "live");
        hook(world, "checkEnvironment");
        hook(world, "smokeTest");
        world.create_errors_alarm("HelloErrors", "shop-prod-hello", 1.0).unwrap();
    });
    let words = ["canary.yml, stage prod: `hello` is shop-prod-hello:live", "Linear10PercentEvery1Minute", "HelloErrors"];
    expect_all(Folder::new("readme", &[("canary.yml", example)]).run(&served, "plan hello --stage prod"), 0, &words);
}

/// Only logical ids are asked for, and the policy says so.
#[test]
fn a_policy_knows_which_names_are_looked_up() {
    let (served, folder) = (greetings(), Folder::new("policy", &[("serverless.yml", &example())]));
    let output = expect(folder.run(&served, "iam-policy hello"), 0, "");
    let policy = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = [
        "\"cloudformation:DescribeStackResource\"",
        "\"arn:aws:cloudformation:us-east-1:*:stack/greetings-dev/*\"",
        "\"arn:aws:lambda:us-east-1:*:function:greetings-dev-preHook\"",
        "\"cloudwatch:DescribeAlarms\"",
    ];
    assert_has(&policy, &words);
    let asked: Vec<String> = served.account.with(|world| world.log().iter().map(|call| call.operation.clone()).collect());
    assert_eq!(asked, ["DescribeStackResource"]);
    let output = folder.run(&served, "iam-policy hello --alarm greetings-dev-hello-foo --rollback-only");
    assert!(!text(&output).contains("cloudformation"), "{}", text(&output));
}
