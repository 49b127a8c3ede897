//! The guard's template, and what is said of a guard before and while there is one.

use serde_json::Value;

use crate::served::{Served, canaryctl, code, expect, function, json, kill, run, text};

#[test]
fn the_template_has_the_definition_and_a_role_for_these_functions_alone() {
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live";
    let printed =
        expect(run(&format!("guard template --function hello --function {arn} --name watch --notify {arn}")), 0, "watch");
    let template: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let resources = &template["Resources"];
    let definition: Value = serde_json::from_str(include_str!("../../bin/canaryctl/guard/watchdog.asl.json")).unwrap();
    assert_eq!(resources["Guard"]["Properties"]["Definition"], definition);
    assert_eq!(resources["Guard"]["Properties"]["StateMachineName"], "watch");
    let statements = &resources["GuardRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"];
    assert_eq!(statements[0]["Action"], serde_json::json!(["lambda:GetAlias", "lambda:UpdateAlias"]));
    let own = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:hello";
    let expected = serde_json::json!([
        {"Fn::Sub": own}, {"Fn::Sub": format!("{own}:*")}, arn.trim_end_matches(":live"), arn,
    ]);
    assert_eq!(statements[0]["Resource"], expected);
    expect(run("guard template"), 2, "--function");
    expect(run("guard template --function hello --name a/b"), 2, "use letters, digits");
    // No state of it may move traffic anywhere but to stable, and none does anything else.
    let states = definition["States"].as_object().unwrap();
    let calls: Vec<&str> = states.values().filter_map(|state| state["Resource"].as_str()).collect();
    assert_eq!(calls, ["arn:aws:states:::aws-sdk:lambda:updateAlias", "arn:aws:states:::aws-sdk:lambda:getAlias"]);
    assert_eq!(states["Back"]["Arguments"]["RoutingConfig"], serde_json::json!({"AdditionalVersionWeights": {}}));
    assert_eq!(states["Back"]["Arguments"]["RevisionId"], "{% $states.input.revision %}");
}

#[test]
fn a_plan_and_a_status_say_what_guards_the_rollout() {
    let served = Served::furnished(|world| {
        for name in ["hello", "orders"] {
            function(world, name, "live");
        }
    });
    let plan = "plan hello --type AllAtOnce --no-config --guard";
    expect(served.run(plan), 0, "canaryctl-guard rolls back if this process stops, 2m after its lease expires");
    let shown = served.run(&format!("{plan}=other --guard-optional --output json"));
    let plan: Value = serde_json::from_str(text(&shown).lines().find(|line| line.contains("\"plan\"")).unwrap()).unwrap();
    assert_eq!(plan["guard"], serde_json::json!({"state_machine": "other", "optional": true}));
    expect(served.run("rollout hello --type AllAtOnce --no-config --guard-optional"), 2, "--guard");
    let idle = served.run("status hello --no-config --guard");
    assert!(code(&idle) == 0 && !text(&idle).contains("guard"), "{}", text(&idle));
    let policy = run("iam-policy arn:aws:lambda:eu-west-1:123456789012:function:hello --no-config --guard=watch");
    expect(policy, 0, "arn:aws:states:eu-west-1:123456789012:stateMachine:watch");
}

#[test]
fn a_status_asks_the_guard_of_a_rollout_in_progress_where_that_is_asked_for() {
    let served = Served::furnished(|world| {
        function(world, "hello", "live");
        world.create_errors_alarm("errors", "hello", 1.0).unwrap();
        world.create_guard("canaryctl-guard");
    });
    let rollout = served.start_long("--guard");
    expect(served.run("status hello --no-config --guard"), 0, "guard     watches since ");
    let plain = text(&served.run("status hello --no-config"));
    assert!(!plain.contains("guard"), "{plain}");
    let asked = served.run("status hello --no-config --guard=other --output json");
    assert_eq!(json(&asked)["guard"]["status"], Value::Null);
    let asked = json(&served.run("status hello --no-config --guard --output json"));
    assert_eq!((asked["guard"]["status"].as_str(), asked["guard"]["since"].is_string()), (Some("RUNNING"), true));
    // By variables, Step Functions may be elsewhere than the rest.
    let by_variables = |of_its_own: &[(&str, &str)]| {
        let known = [("AWS_ENDPOINT_URL", served.url.as_str()), ("AWS_REGION", "us-east-1")];
        let credentials = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
        let words = "status hello --no-config --guard --output json".split(' ');
        let mut command = canaryctl();
        command.args(words).envs(known).envs(credentials).envs(of_its_own.iter().copied()).output().unwrap()
    };
    expect(by_variables(&[]), 0, "RUNNING");
    expect(by_variables(&[("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:1")]), 1, "DescribeExecution");
    kill(rollout);
}
