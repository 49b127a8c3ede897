//! What stacks make of an alias: `stack alias` answers tools that write templates, and `pin` puts what a stack has made on a version.

use serde_json::{Value, json};
use sim::{Effect, Fault, Stack, World};

use crate::folder::Folder;
use crate::served::{Served, expect, expect_all, function, json, text};

const LIVE: &str = "arn:aws:lambda:us-east-1:111111111111:function:hello-dev-hello:live";

/// A stack with an alias, as a plugin deployed it, and one that is about nothing.
fn deployed(world: &mut World) {
    deployed_on(world, &json!("$LATEST"));
}

/// The same, with this version in its template.
fn deployed_on(world: &mut World, version: &Value) {
    function(world, "hello-dev-hello", "live");
    let template = json!({"Resources": {
        "HelloAliasLive": {"Type": "AWS::Lambda::Alias", "Properties": {
            "FunctionName": {"Ref": "Hello"}, "FunctionVersion": version, "Name": "live",
        }},
        "Later": {"Type": "AWS::Lambda::Alias"},
    }});
    let stack = Stack::new("hello-dev")
        .template(&template.to_string())
        .resource("Hello", "AWS::Lambda::Function", "hello-dev-hello")
        .resource("HelloAliasLive", "AWS::Lambda::Alias", LIVE)
        .unfinished_resource("Later", "AWS::Lambda::Alias");
    world.create_stack(stack).unwrap();
}

fn answer(served: &Served, arguments: &str) -> Value {
    json(&expect(served.run(&format!("stack alias {arguments}")), 0, ""))
}

#[test]
fn an_alias_is_shown_as_the_template_has_it_and_as_it_is() {
    let served = Served::furnished(deployed);
    let wanted = json!({"stack": "hello-dev", "exists": true, "alias": {
        "logical_id": "HelloAliasLive", "name": "live", "function": "hello-dev-hello",
        "definition": {"Type": "AWS::Lambda::Alias", "Properties": {
            "FunctionName": {"Ref": "Hello"}, "FunctionVersion": "$LATEST", "Name": "live",
        }},
        "version": "1", "weights": {},
    }});
    assert_eq!(answer(&served, "hello-dev HelloAliasLive --json"), wanted);
    served.account.with(|world| {
        world.publish("hello-dev-hello", 2).unwrap();
        world.set_alias("hello-dev-hello", "live", "1", Some(("2", 0.25))).unwrap();
    });
    assert_eq!(answer(&served, "hello-dev HelloAliasLive --output json")["alias"]["weights"], json!({"2": 0.25}));
    served.account.with(|world| world.set_alias("hello-dev-hello", "live", "$LATEST", None).unwrap());
    assert_eq!(answer(&served, "hello-dev HelloAliasLive --json")["alias"]["version"], "$LATEST");
    let words = ["hello-dev-hello:live of the stack `hello-dev` is on $LATEST", "in the template: \"$LATEST\""];
    expect_all(served.run("stack alias hello-dev HelloAliasLive"), 0, &words);
    assert_eq!(served.writes(), 0);
}

#[test]
fn import_warns_of_a_stack_by_its_template() {
    let service = "service: hello\nprovider: {name: aws, region: us-east-1}\nfunctions:\n  hello: {handler: a.b, deploymentSettings: {type: \
                   AllAtOnce, alias: live}}\n";
    let folder = Folder::new("import-of-a-stack", &[("serverless.yml", service)]);
    let moves = json!("{{resolve:ssm:/hello/version}}");
    let words =
        "hello-dev-hello belongs to the CloudFormation stack `hello-dev`: its next deploy moves the alias and ends any rollout";
    for (version, warned) in [(moves, true), (json!("$LATEST"), false), (json!("1"), false)] {
        let served = Served::furnished(|world| deployed_on(world, &version));
        let output = text(&expect(folder.run(&served, "import"), 0, ""));
        assert_eq!((output.contains(words), output.contains("belongs to")), (warned, warned), "{output}");
    }
}

#[test]
fn what_is_missing_is_an_answer_and_what_is_refused_is_none() {
    let served = Served::furnished(deployed);
    for (asked, wanted) in [
        (
            "hello-dev Nothing",
            json!({"stack": "hello-dev", "exists": true, "alias": null, "others": ["HelloAliasLive", "Later"]}),
        ),
        ("hello-dev Later", json!({"stack": "hello-dev", "exists": true, "alias": null, "others": ["HelloAliasLive"]})),
        ("none HelloAliasLive", json!({"stack": "none", "exists": false, "alias": null})),
    ] {
        assert_eq!(answer(&served, &format!("{asked} --json")), wanted, "{asked}");
    }
    expect(served.run("stack alias none HelloAliasLive"), 0, "there is no stack `none`");
    expect(served.run("stack alias hello-dev Hello --json"), 1, "is not an alias: it is `hello-dev-hello`");
    served.fault(Fault::on("GetTemplate", Effect::Deny));
    let refused = expect(served.run("stack alias hello-dev HelloAliasLive --json"), 1, "GetTemplate: AccessDenied");
    assert!(refused.stdout.is_empty());
}

#[test]
fn an_alias_that_a_stack_made_is_pinned_by_command() {
    let served = Served::furnished(|world| {
        deployed(world);
        world.set_alias("hello-dev-hello", "live", "$LATEST", None).unwrap();
        function(world, "second", "live");
        function(world, "third", "live");
        world.publish("third", 9).unwrap();
        world.set_alias("third", "live", "1", Some(("9", 0.1))).unwrap();
    });
    let words = ["✔ PINNED   hello-dev-hello:live: on 2", "✔ NOTHING TO DO   second:live: it is on a version already; 100% on 1"];
    expect_all(served.run("pin hello-dev-hello second"), 0, &words);
    let refused = ["third:live is not pinned", "has weights: 10% of its traffic is on 9", "hint: "];
    expect_all(served.run("pin third second:live"), 3, &refused);
    let done = json(&expect(served.run("pin hello-dev-hello:live --output json"), 0, ""));
    assert_eq!((&done["outcome"], &done["stable"], &done["exit_code"]), (&"unchanged".into(), &"2".into(), &0.into()), "{done}");
    served.fault(Fault::on("GetAlias", Effect::Deny));
    expect(served.run("pin second"), 3, "lambda:GetAlias is needed");
}
