//! What cannot be read of a project's file stops only who needs it, and never the way back of somebody else's function.

use crate::folder::Folder;
use crate::served::{Served, assert_has, canaryctl, code, expect, expect_all, text};

const ORDERS: &str = "service: orders
provider: {name: aws}
functions:
  place: {handler: a.b, deploymentSettings: {type: AllAtOnce, alias: Live}}
  cancel: {handler: a.b, deploymentSettings: {type: '${ssm:/schedule}', alias: Live}}
  refund: {handler: a.b, deploymentSettings: {type: AllAtOnce, alias: '${env:NOBODY_SETS_THIS}'}}
  audit: ${file(audit.js)}
";

#[test]
fn a_function_is_rolled_out_and_back_while_another_one_cannot_be_read() {
    let served = Served::functions(&["orders-dev-place"], "Live");
    let folder = Folder::new("one-of-many", &[("serverless.yml", ORDERS)]);
    expect(folder.run(&served, "rollout place --bake 0s"), 0, "`place` is orders-dev-place:Live");
    assert!(served.promoted("orders-dev-place", "Live"));
    let back = expect(folder.run(&served, "rollback place"), 0, "`place` is orders-dev-place:Live");
    assert!(!text(&back).contains("ssm"), "it is not about this function: {}", text(&back));
    assert!(!served.promoted("orders-dev-place", "Live"));
    expect(folder.run(&served, "status orders-dev-place"), 0, "orders-dev-place:Live");
}

#[test]
fn all_or_none_is_none_where_one_cannot_be_read() {
    let served = Served::functions(&["orders-dev-place"], "Live");
    let folder = Folder::new("all-or-none", &[("serverless.yml", ORDERS)]);
    let words = [
        "serverless.yml:5:53: `${ssm:/schedule}`",
        "serverless.yml:7:10: `${file(audit.js)}` cannot be resolved: audit.js is a program",
    ];
    expect_all(folder.run(&served, "rollout --bake 0s"), 2, &words);
    expect(folder.run(&served, "rollout --only place,cancel --bake 0s"), 2, "${ssm:/schedule}");
    assert!(!served.promoted("orders-dev-place", "Live"));
    expect(folder.run(&served, "rollout audit --type AllAtOnce"), 2, "audit.js is a program and is not run");
    // What is typed is not needed from the file.
    expect(folder.run(&served, "rollout --only place --type AllAtOnce --bake 0s"), 0, "");
    assert!(served.promoted("orders-dev-place", "Live"));
    // Back goes what can be read, and the rest is named.
    let swept = folder.run(&served, "rollback");
    assert_has(&text(&swept), &["the alias of `refund` cannot be read", "`refund` is skipped", "audit.js is a program"]);
    assert_ne!(code(&swept), 0);
}

/// What would make one tool refuse its whole file concerns one function here.
#[test]
fn a_key_that_is_there_twice_is_its_functions() {
    let yaml = "service: orders
provider: {name: aws}
functions:
  place: {handler: a.b, deploymentSettings: {type: AllAtOnce, alias: Live}}
  cancel: {handler: a.b, timeout: 3, timeout: 5, deploymentSettings: {type: AllAtOnce, alias: Live}}
";
    let served = Served::functions(&["orders-dev-place"], "Live");
    let folder = Folder::new("twice", &[("serverless.yml", yaml)]);
    expect(folder.run(&served, "plan place"), 0, "orders-dev-place:Live");
    expect(folder.run(&served, "plan cancel"), 2, "serverless.yml:5:38: `timeout` is a duplicate key");
    expect(folder.run(&served, "plan"), 2, "`timeout` is a duplicate key");
}

#[test]
fn what_is_typed_goes_before_the_file_is_judged() {
    let served = Served::functions(&["orders-dev-cancel", "orders-dev-refund"], "Live");
    let folder = Folder::new("typed", &[("serverless.yml", ORDERS)]);
    expect(folder.run(&served, "plan cancel"), 2, "`${ssm:/schedule}` cannot be resolved");
    let typed = ["AllAtOnce", "`${ssm:/schedule}` cannot be resolved; the command line is used instead"];
    expect_all(folder.run(&served, "plan cancel --type AllAtOnce"), 0, &typed);
    expect(folder.run(&served, "plan cancel --steps 10 --every 1m"), 0, "10%");
    let unread =
        ["the alias of `refund` cannot be read", "`${env:NOBODY_SETS_THIS}` is not set", "`--alias NAME`, or `refund:NAME`"];
    expect_all(folder.run(&served, "rollback refund"), 2, &unread);
    expect(folder.run(&served, "status refund --alias Live"), 0, "orders-dev-refund:Live");
    expect(folder.run(&served, "status refund:Live"), 0, "orders-dev-refund:Live");
    let yaml = "functions: {hello: {name: orders-dev-cancel, alias: Live, type: AllAtOnce, bake: soon, version: many}}\n";
    let folder = Folder::new("typed-too", &[("canary.yml", yaml)]);
    expect(folder.run(&served, "plan hello"), 2, "found `soon`");
    expect(folder.run(&served, "plan hello --bake 1m"), 2, "found `many`");
    expect(folder.run(&served, "plan hello --bake 1m --version 1"), 0, "found `many`; the command line is used instead");
    expect(folder.run(&served, "status hello"), 0, "orders-dev-cancel:Live");
    expect(folder.run(&served, "resume hello"), 3, "orders-dev-cancel:Live");
}

#[test]
fn a_file_that_ends_in_the_middle_still_says_what_comes_before() {
    let served = Served::functions(&["orders-dev-place", "other"], "Live");
    let broken = "service: orders
provider: {name: aws, region: us-east-1}
functions:
  place: {handler: a.b, deploymentSettings: {type: AllAtOnce, alias: Live}}
  cancel: {handler: a.b, deploymentSettings: {type: AllAtOnce, alias: Live}
  refund: {handler: a.b, deploymentSettings: {type: AllAtOnce, alias: Live}}
";
    let folder = Folder::new("cut", &[("serverless.yml", broken)]);
    expect(folder.run(&served, "plan place"), 2, "serverless.yml:6:3: invalid YAML");
    let words = ["using what the file says: orders-dev-place:Live", "serverless.yml:6:3: invalid YAML"];
    expect_all(folder.run(&served, "status place"), 0, &words);
    expect(folder.run(&served, "status other"), 0, "using the name as typed: other:Live");
    // The alias may be in the part that cannot be read.
    let cut = Folder::new("cut-too", &[("canary.yml", "functions:\n  other:\n    type: [\n    alias: Live\n")]);
    expect(cut.run(&served, "status other"), 2, "the alias of `other` cannot be read");
    let both = broken.replace("alias: Live}}\n  cancel", "alias: next}}\n  cancel");
    let folder = Folder::new("cut-both", &[("serverless.yml", &both)]);
    expect(folder.run(&served, "rollback other"), 2, "the alias of `other` cannot be read");
}

#[test]
fn what_is_typed_and_names_nothing_is_wrong_in_an_incident_too() {
    let template = "Transform: AWS::Serverless-2016-10-31
Parameters: {Stage: {Type: String, Default: dev}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: !Sub 'hello-${Stage}', AutoPublishAlias: live, DeploymentPreference: {Type: AllAtOnce}}
";
    let served = Served::functions(&["hello-dev", "hello-prod"], "live");
    let folder = Folder::new("vain", &[("template.yaml", template)]);
    for command in ["plan", "rollback", "status", "abort"] {
        expect(folder.run(&served, &format!("{command} Hello --stage prod")), 2, "`--param Stage=prod`");
        expect(folder.run(&served, &format!("{command} Hello --param Stge=prod")), 2, "did you mean `Stage`?");
    }
    expect(folder.run(&served, "status Hello --param Stage=prod"), 0, "hello-prod:live");
    assert!(served.account.with(|world| world.log().iter().all(|call| !call.operation.starts_with("Update"))));
}

/// A SAM template with these functions, each with some of its properties.
fn template(functions: &[(&str, &str)]) -> String {
    let resource = |(name, properties): &(&str, &str)| {
        let properties = format!("{{{properties}, DeploymentPreference: {{Type: AllAtOnce}}}}");
        format!("  {name}:\n    Type: AWS::Serverless::Function\n    Properties: {properties}\n")
    };
    format!("Transform: AWS::Serverless-2016-10-31\nResources:\n{}", functions.iter().map(resource).collect::<Vec<_>>().concat())
}

/// A name that a stack made is not in the file, but the file says which alias such a function has.
#[test]
fn no_alias_is_guessed_where_the_file_has_one() {
    let two = template(&[("Hello", "AutoPublishAlias: Live"), ("Other", "AutoPublishAlias: next")]);
    let served = Served::functions(&["shop-dev-Hello-1A2B"], "Live");
    let folder = Folder::new("guess", &[("template.yaml", &two)]);
    expect(folder.run(&served, "status shop-dev-Hello-1A2B"), 0, "shop-dev-Hello-1A2B:Live");
    let unnamed = folder.run(&served, "status Hello");
    assert_has(&text(&unnamed), &["`Hello` is a logical id, and no stack is given", "using the name as typed: Hello:Live"]);
    // With two aliases, none of them the usual one, any would be a guess.
    expect(folder.run(&served, "status other"), 2, "the alias of `other` cannot be read");
    expect(folder.run(&served, "status other --alias live"), 3, "function:other");
    let one = Folder::new("one-alias", &[("canary.yml", "functions: {hello: {alias: Live, type: AllAtOnce}}\n")]);
    expect(one.run(&served, "plan shop-dev-Hello-1A2B --type AllAtOnce"), 0, "the others have the alias `Live`");
    expect(folder.run(&served, "plan Hello"), 2, "name the stack with `stack_name` in `samconfig.toml`, or with `--stack`");
}

/// The stack is missed before the Region, which is in the same place.
#[test]
fn the_environments_that_name_a_stack_are_said_first() {
    let config = "version = 0.1\n[staging.deploy.parameters]\nstack_name = \"shop-staging\"\nregion = \"eu-west-1\"\n";
    let files = [("template.yaml", &*template(&[("Hello", "AutoPublishAlias: Live")])), ("samconfig.toml", config)];
    let folder = Folder::new("environments", &files);
    for command in ["plan Hello", "rollout", "pause Hello"] {
        expect(folder.offline(command), 2, "samconfig.toml names a stack for `--stage staging`");
    }
}

#[test]
fn import_needs_no_stack_and_nothing_else_that_is_not_in_the_file() {
    let both = template(&[("Named", "FunctionName: named, AutoPublishAlias: live"), ("Unnamed", "AutoPublishAlias: live")]);
    let served = Served::furnished(|_| {});
    let folder = Folder::new("unnamed", &[("template.yaml", &both)]);
    let imported = expect(folder.run(&served, "import"), 0, "");
    assert_has(
        &text(&imported),
        &["# stack: …    # to be filled in: the stack that has `Unnamed`", "logicalId: Unnamed", "name: named"],
    );
    let filled = String::from_utf8(imported.stdout).unwrap().replace("# stack: …", "stack: shop");
    let own = Folder::new("filled", &[("canary.yml", &filled)]);
    expect(own.run(&served, "import"), 0, "stack: shop");
    expect(folder.run(&served, "iam-policy Named"), 0, "function:named:live");
    expect(folder.run(&served, "iam-policy Unnamed"), 2, "no stack is given");
}

#[test]
fn files_that_are_not_read_are_named_with_the_way() {
    let served = Served::furnished(|_| {});
    let rows: [(&str, &str, &[&str]); 4] = [
        ("serverless.ts", "export default {}", &["serverless.ts: this is a program and is not read", "run `serverless package`"]),
        ("app.yaml", "AutoPublishAlias", &["app.yaml: this has `AutoPublishAlias`", "`--config app.yaml`"]),
        ("serverless.yml", "service: x", &["serverless.yml: this is not read: it has no `deploymentSettings`"]),
        ("Template.yaml", "Resources: {}", &["Template.yaml: this is not read: it has no `AWS::Serverless`"]),
    ];
    for (name, content, words) in rows {
        let folder = Folder::new(&format!("passed-{name}"), &[(name, content)]);
        for command in ["import", "rollout", "rollback"] {
            let output = expect(folder.run(&served, command), 2, "no configuration file in the working directory");
            assert_has(&text(&output), words);
        }
    }
    let yaml = "service: s\nplugins: [serverless-plugin-canary-deployments]\nfunctions: '${file(functions.js)}'\n";
    let folder = Folder::new("all-elsewhere", &[("serverless.yml", yaml)]);
    expect(folder.run(&served, "rollout"), 2, "serverless.yml:3:12: `${file(functions.js)}` cannot be resolved");
    expect(folder.run(&served, "rollout hello --type AllAtOnce"), 2, "functions.js is a program and is not run");
    let folder = Folder::new("named-program", &[("serverless.ts", "export default {}"), ("main.tf", "x = {")]);
    expect(folder.run(&served, "import --config serverless.ts"), 2, "run `serverless package`");
    expect(folder.run(&served, "import --config main.tf"), 2, "canaryctl init");
    expect(folder.run(&served, "status hello"), 3, "serverless.ts: this is a program and is not read");
}

#[test]
fn the_region_of_the_serverless_framework_is_not_the_environments() {
    let folder = Folder::new("region", &[("serverless.yml", ORDERS)]);
    let run = |arguments: &str| {
        let mut command = canaryctl();
        command.args(arguments.split_whitespace()).env("AWS_REGION", "eu-west-1").current_dir(&folder.0).output().unwrap()
    };
    expect(run("iam-policy place"), 0, "arn:aws:lambda:us-east-1:*:function:orders-dev-place");
    expect(run("iam-policy place --region eu-north-1"), 0, "arn:aws:lambda:eu-north-1:*:function:orders-dev-place");
}

/// A simulation has an account of its own, and no settings where a file has them.
#[test]
fn a_simulated_plan_of_a_file_is_the_files() {
    let yaml = "functions: {hello: {alias: Live, type: Canary10Percent5Minutes}}\n";
    let folder = Folder::new("simulated", &[("canary.yml", yaml), ("bare.yml", "functions: {hello: {alias: Live}}\n")]);
    let planned = expect(folder.offline("plan hello --config canary.yml --simulate"), 0, "Canary10Percent5Minutes");
    for strange in ["preHook", "postHook", "HelloFooAlarm"] {
        assert!(!text(&planned).contains(strange), "{strange} in {}", text(&planned));
    }
    expect(folder.offline("plan hello --config bare.yml --simulate"), 2, "no schedule given for `hello`");
    expect(folder.offline("plan hello --simulate"), 0, "HelloFooAlarm");
}

#[test]
fn one_that_is_not_rolled_out_is_told_from_one_that_is_not_there() {
    let template = "Transform: AWS::Serverless-2016-10-31
Resources:
  Flow: {Type: AWS::Serverless::StateMachine, Properties: {AutoPublishAlias: live}}
  Quiet: {Type: AWS::Serverless::Function, Properties: {AutoPublishAlias: live}}
";
    let served = Served::furnished(|_| {});
    let folder = Folder::new("not-rolled-out", &[("template.yaml", template)]);
    let none = expect(folder.run(&served, "rollout"), 2, "template.yaml has no function to roll out");
    assert_has(&text(&none), &["`Flow` is not rolled out: it is a state machine", "`Quiet` is not rolled out: it has an alias"]);
    expect(folder.run(&served, "plan Quiet --config template.yaml"), 2, "the file has `Quiet`, but it has an alias but no");
    expect(folder.run(&served, "plan Quite --config template.yaml"), 2, "the file has no functions to roll out");
}

#[test]
fn a_default_and_another_stage_stop_only_who_needs_them() {
    let yaml = "defaults: {alias: 'not one', type: AllAtOnce}
functions:
  place: {name: orders-place, alias: Live}
  cancel: {name: orders-cancel}
stages:
  prod:
    functions:
      place: {bake: soon}
  dev:
";
    let served = Served::functions(&["orders-place"], "Live");
    let folder = Folder::new("layers", &[("canary.yml", yaml)]);
    let planned = expect(folder.run(&served, "plan place --stage dev"), 0, "AllAtOnce");
    assert_has(
        &text(&planned),
        &["canary.yml:8:21: expected a time such as `90s`, `3m` or `1h`, found `soon`, in another stage"],
    );
    expect(folder.run(&served, "plan place --stage prod"), 2, "found `soon`");
    expect(folder.run(&served, "status place --stage prod"), 0, "orders-place:Live");
    expect(folder.run(&served, "plan cancel --stage dev"), 2, "`not one` is not an alias name");
    expect(folder.run(&served, "plan cancel --stage dev --alias Live"), 3, "orders-cancel");
    let misspelt = yaml.replace("name: orders-cancel", "name: orders-place, aliass: next");
    let folder = Folder::new("misspelt", &[("canary.yml", &misspelt)]);
    expect(folder.run(&served, "rollback cancel --stage dev"), 2, "the alias of `cancel` cannot be read");
}

#[test]
fn a_region_that_cannot_be_read_is_asked_for() {
    let yaml = ORDERS.replace("{name: aws}", "{name: aws, region: '${ssm:/region}'}");
    let folder = Folder::new("no-region", &[("serverless.yml", &yaml)]);
    expect(folder.offline("iam-policy place"), 2, "`${ssm:/region}` cannot be resolved: the Region");
    expect(folder.offline("status place"), 2, "`${ssm:/region}` cannot be resolved: the Region");
    expect(folder.offline("iam-policy place --region eu-north-1"), 0, "arn:aws:lambda:eu-north-1:*:function:orders-dev-place");
}
