//! Whether a stack's next deploy moves the alias is read from its template: said where it does, proven where it does not, and never a
//! reason not to roll out.

use std::time::Duration;

use controller::{Request, doctor};
use rollout::diagnosis::{Diagnosis, DoctorReport, Severity};
use serde_json::{Value, json};
use sim::{Effect, Fault, Stack, World};

use crate::groups;
use crate::harness::identity;
use crate::stage::{Stage, play, play_on, short};

fn arn(qualifier: &str) -> String {
    format!("arn:aws:lambda:us-east-1:111111111111:function:hello:{qualifier}")
}

/// A template with the alias on a version that is named and made so, as SAM writes it.
fn sam(version: &str, properties: &Value) -> Value {
    let mut live = json!({"Type": "AWS::Lambda::Alias", "Properties": {
        "FunctionName": {"Ref": "Hello"}, "FunctionVersion": {"Fn::GetAtt": [version, "Version"]}, "Name": "Live",
    }});
    for (key, value) in properties.as_object().unwrap() {
        live["Properties"][key] = value.clone();
    }
    json!({"Resources": {
        "Hello": {"Type": "AWS::Lambda::Function", "Properties": {"Tags": [{"Key": "lambda:createdBy", "Value": "SAM"}]}},
        version: {"Type": "AWS::Lambda::Version", "DeletionPolicy": "Retain", "Properties": {"FunctionName": {"Ref": "Hello"}}},
        "HelloAliasLive": live,
    }})
}

/// The stack of the function and its alias, whose version was made under that name.
fn shop(version: &str, template: &str) -> Stack {
    Stack::new("shop")
        .resource("Hello", "AWS::Lambda::Function", "hello")
        .resource(version, "AWS::Lambda::Version", &arn("41"))
        .resource("HelloAliasLive", "AWS::Lambda::Alias", &arn("Live"))
        .template(template)
}

/// The request as the program makes it: templates may be YAML.
fn asked() -> Request {
    Request { read_template: |text| project::template(text.as_bytes()).ok(), ..short() }
}

async fn examine(stage: &Stage) -> DoctorReport {
    Box::pin(doctor(&stage.aws, &stage.clock, &asked(), identity())).await
}

/// What the doctor says of the stack: one thing.
fn of_stack(found: &DoctorReport) -> &Diagnosis {
    let all: Vec<&Diagnosis> = found.diagnoses.iter().filter(|diagnosis| diagnosis.check == "stack").collect();
    assert_eq!(all.len(), 1, "{:#?}", found.diagnoses);
    all[0]
}

/// How often `CloudFormation` was asked for the resources, for templates, and for stacks.
fn asked_for(stage: &Stage) -> [usize; 3] {
    ["DescribeStackResources", "GetTemplate", "DescribeStacks"].map(|operation| stage.calls(operation))
}

#[test]
fn a_deploy_that_moves_the_alias_or_may_is_said_with_what_to_write_instead() {
    let none = json!({});
    let condition = json!({"FunctionVersion": {"Ref": "Number"}});
    let mut parameter = sam("HelloVersioncanaryctl0", &condition);
    parameter["Parameters"] = json!({"Number": {"Type": "String"}});
    for (version, template, words, fix) in [
        (
            "HelloVersione0c268820a",
            sam("HelloVersione0c268820a", &none),
            "its next deploy moves the alias and ends any rollout on it: each deploy of new code makes another version",
            "set `AutoPublishCodeSha256: canaryctl0`",
        ),
        (
            "HelloVersioncanaryctl0",
            sam("HelloVersioncanaryctl0", &json!({"Description": "live"})),
            "a deploy may move the alias and end any rollout on it: a change of its `Description`",
            "remove `Description` from the alias",
        ),
        (
            "HelloVersioncanaryctl0",
            parameter,
            "a deploy may move the alias and end any rollout on it: another value of the parameter `Number`",
            "`AutoPublishCodeSha256",
        ),
        (
            "HelloVersioncanaryctl0",
            sam("HelloVersioncanaryctl0", &json!({"FunctionVersion": {"Fn::ImportValue": "x"}})),
            "its template does not say whether a deploy moves the alias: its version is computed by `Fn::ImportValue`",
            "",
        ),
    ] {
        play_on("hello-idle", async |stage| {
            stage.with(|world| world.create_stack(shop(version, &template.to_string()))).unwrap();
            let words = format!("hello belongs to the CloudFormation stack `shop`: {words}");
            stage.rollout(asked()).await.exits(0).says(&format!("warning   {words}"));
            assert_eq!(asked_for(&stage), [1, 1, 0]);
            let found = examine(&stage).await;
            let found = of_stack(&found);
            assert_eq!(found.severity, Severity::Warning);
            assert!(found.text.starts_with(&words), "{found:#?}");
            assert!(found.fix.as_ref().is_some_and(|text| text.contains(fix)), "{found:#?}");
        });
    }
}

#[test]
fn an_alias_that_no_deploy_moves_is_proven_and_no_warning() {
    let by_hand = "Resources:\n  Hello: {Type: AWS::Lambda::Function}\n  Base: {Type: AWS::Lambda::Version, DeletionPolicy: Retain}\n  \
                   HelloAliasLive:\n    Type: AWS::Lambda::Alias\n    Properties: {FunctionName: !Ref Hello, FunctionVersion: !GetAtt Base.Version, Name: Live}\n";
    for (version, template) in
        [("HelloVersioncanaryctl0", sam("HelloVersioncanaryctl0", &json!({})).to_string()), ("Base", by_hand.to_owned())]
    {
        play_on("hello-idle", async |stage| {
            let made = stage.now() - Duration::from_hours(72);
            let stack = Stack::new("shop")
                .resource("HelloAliasLive", "AWS::Lambda::Alias", &arn("Live"))
                .changed(made)
                .resource("Hello", "AWS::Lambda::Function", "hello")
                .resource(version, "AWS::Lambda::Version", &arn("41"))
                .template(&template);
            stage.with(|world| world.create_stack(stack)).unwrap();
            stage.rollout(asked()).await.exits(0).lacks("CloudFormation").lacks("warning");
            let found = examine(&stage).await;
            let note = of_stack(&found);
            let words = "hello belongs to the CloudFormation stack `shop`, and no deploy moves the alias: made once on 41, not moved since";
            assert_eq!((note.severity, note.text.as_str()), (Severity::Note, words));
            let why = note.why.as_ref().unwrap();
            assert!(why.ends_with("the stack last changed it on 2026-11-20, and other resources since"), "{why}");
            assert_eq!(asked_for(&stage), [2, 2, 1]);
        });
    }
}

#[test]
fn a_nested_stack_and_another_one_than_the_functions_are_named() {
    let template = sam("HelloVersione0c268820a", &json!({})).to_string();
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            world.create_stack(Stack::new("root")).unwrap();
            world.create_stack(shop("HelloVersione0c268820a", &template).nested_in("root")).unwrap();
        });
        let found = examine(&stage).await;
        let text = &of_stack(&found).text;
        assert!(
            text.starts_with("hello belongs to the CloudFormation stack `shop`, nested in `root`: its next deploy"),
            "{text}"
        );
    });
    play_on("hello-idle", async |stage| {
        stage.with(|world| {
            world.create_stack(Stack::new("functions").resource("Hello", "AWS::Lambda::Function", "hello")).unwrap();
            let aliases = Stack::new("aliases").resource("HelloAliasLive", "AWS::Lambda::Alias", &arn("Live"));
            world.create_stack(aliases.template(&template)).unwrap();
        });
        let words =
            "hello belongs to the CloudFormation stack `functions`, and its alias to the stack `aliases`: its next deploy";
        stage.rollout(asked()).await.exits(0).says(words);
    });
    play_on("hello-idle", async |stage| {
        stage.with(|world| world.create_stack(Stack::new("shop").resource("Hello", "AWS::Lambda::Function", "hello"))).unwrap();
        stage.rollout(asked()).await.exits(0).lacks("CloudFormation");
        assert_eq!(asked_for(&stage), [1, 0, 0]);
        let found = examine(&stage).await;
        let note = of_stack(&found);
        let words = "hello belongs to the CloudFormation stack `shop`, and its alias to none: no deploy moves it";
        assert_eq!((note.severity, note.text.as_str()), (Severity::Note, words));
    });
}

#[test]
fn a_template_that_may_not_be_read_is_no_reason_not_to_roll_out() {
    let template = sam("HelloVersioncanaryctl0", &json!({})).to_string();
    for operation in ["DescribeStackResources", "GetTemplate"] {
        play_on("hello-idle", async |stage| {
            stage.with(|world| {
                world.create_stack(shop("HelloVersioncanaryctl0", &template)).unwrap();
                world.add_fault(Fault::on(operation, Effect::Deny));
            });
            let words =
                "its next deploy may reset the alias and end any rollout on it; whether it does could not be checked without";
            stage.rollout(asked()).await.exits(0).says(&format!("{words} cloudformation:{operation}"));
            let found = examine(&stage).await;
            assert_eq!(of_stack(&found).severity, Severity::Warning);
            let permission = Some(format!("cloudformation:{operation}"));
            assert!(found.unseen.iter().any(|unseen| unseen.permission == permission), "{:#?}", found.unseen);
        });
    }
    for effect in [Effect::Stall, Effect::ServerError(500), Effect::Refuse, Effect::Throttle] {
        play_on("hello-idle", async |stage| {
            stage.with(|world| {
                world.create_stack(shop("HelloVersioncanaryctl0", &template)).unwrap();
                world.add_fault(Fault::on("DescribeStackResources", effect));
            });
            let began = stage.now();
            let output = stage.rollout(asked()).await.exits(0).says("its next deploy may reset the alias");
            let claimed = stage.writes()[0].at.since(began);
            assert!(claimed < Duration::from_secs(12), "{effect:?}: {claimed:?}\n{}", output.log);
        });
    }
}

#[test]
fn without_a_stack_nobody_is_asked() {
    play_on("hello-idle", async |stage| {
        stage.rollout(asked()).await.exits(0);
        examine(&stage).await;
        assert_eq!(asked_for(&stage), [0, 0, 0]);
    });
}

#[test]
fn each_of_a_group_is_judged_by_its_own_stack() {
    play(async {
        let stage = groups::stage(3).await;
        let belongs = |world: &mut World, index: usize, version: &str| {
            let (name, logical) = (groups::name(index), "HelloAliasLive");
            let alias = format!("arn:aws:lambda:us-east-1:111111111111:function:{name}:live");
            let stack = Stack::new(&format!("stack-{index}")).resource("Hello", "AWS::Lambda::Function", &name);
            let template = sam(version, &json!({"Name": "live"})).to_string();
            world.create_stack(stack.resource(logical, "AWS::Lambda::Alias", &alias).template(&template)).unwrap();
        };
        stage.with(|world| {
            belongs(world, 0, "HelloVersione0c268820a");
            belongs(world, 1, "HelloVersioncanaryctl0");
        });
        let output = groups::run(&stage, &groups::requests(3), 7).await.exits(0);
        let warned = |index: usize| {
            let of = |event: &&rollout::event::Event| event.function == groups::name(index);
            let events = output.events.iter().filter(of);
            events.filter(|event| matches!(&event.what, rollout::event::EventKind::Warning { text, .. } if text.contains("CloudFormation"))).count()
        };
        assert_eq!([warned(0), warned(1), warned(2)], [1, 0, 0]);
        assert_eq!(asked_for(&stage), [2, 2, 0]);
    });
}

/// CDK's `currentVersion` is deleted with the next one; where an alias keeps it, that is said instead.
#[test]
fn what_would_take_the_target_of_a_rollback_is_said() {
    let version = "HelloCurrentVersionF236B96656610af208e8d72fc4ce78b980de3f35";
    let made = |policy: &str| {
        let mut template = sam(version, &json!({}));
        template["Resources"][version]["DeletionPolicy"] = policy.into();
        template
    };
    let pruned = || Some("serverless.yml:9:5: `custom.prune` deletes all versions but the newest 3 after each deploy".to_owned());
    for (policy, prunes, words) in [
        ("Delete", None, vec!["a deploy of new code deletes 41: it is `HelloCurrentVersionF236B966"]),
        ("Delete", pruned(), vec!["a deploy of new code deletes 41", "serverless.yml:9:5: `custom.prune` deletes"]),
        ("Retain", pruned(), vec!["serverless.yml:9:5: `custom.prune` deletes"]),
        ("Retain", None, vec![]),
    ] {
        for keep in [None, Some("previous".to_owned())] {
            play_on("hello-idle", async |stage| {
                stage.with(|world| world.create_stack(shop(version, &made(policy).to_string()))).unwrap();
                let request = Request { prunes: prunes.clone(), keep_previous: keep.clone(), ..asked() };
                let found = Box::pin(doctor(&stage.aws, &stage.clock, &request, identity())).await;
                let found: Vec<_> = found.diagnoses.iter().filter(|diagnosis| diagnosis.check == "versions").collect();
                assert_eq!(found.len(), words.len(), "{found:#?}");
                for words in &words {
                    let one = found.iter().find(|one| one.text.contains(words)).unwrap_or_else(|| panic!("{words}: {found:#?}"));
                    let (severity, says) = match keep {
                        None => (Severity::Warning, "after a promotion no alias names 41 any more"),
                        Some(_) => (Severity::Note, "the alias `previous` keeps 41"),
                    };
                    assert_eq!(one.severity, severity);
                    assert!(one.why.as_ref().is_some_and(|why| why.contains(says)), "{one:#?}");
                    assert_eq!(one.fix.as_ref().is_some_and(|fix| fix.contains("--keep-previous")), keep.is_none(), "{one:#?}");
                }
            });
        }
    }
}
