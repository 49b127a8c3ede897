//! Templates as real tools write them, in short, and what a deploy does to their alias. One constant changed flips each.

use serde_json::{Value, json};

use crate::template::{Movement, Tool, aliases, overall, tool, verdicts, versions_it_deletes};
use Movement::{Latest, MayMove, Moves, Stays, Unknown};

/// A stack of one function with one alias: what stands at `FunctionVersion`, what else is in the resource, and further resources.
#[expect(clippy::needless_pass_by_value, reason = "rows of a table, written where they are used")]
fn stack(version: Value, alias: Value, others: Value) -> Value {
    let mut live = json!({
        "Type": "AWS::Lambda::Alias",
        "Properties": { "FunctionName": { "Ref": "Hello" }, "FunctionVersion": version, "Name": "live" },
    });
    merge(&mut live, alias);
    let mut resources = json!({ "Hello": { "Type": "AWS::Lambda::Function" }, "Live": live });
    merge(&mut resources, others);
    json!({ "Resources": resources })
}

/// Puts what the second has into the first, map by map.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// A version that a template keeps, by its logical id.
fn version(id: &str, properties: Value) -> Value {
    let mut all = json!({ "FunctionName": { "Ref": "Hello" } });
    merge(&mut all, properties);
    json!({ id: { "Type": "AWS::Lambda::Version", "DeletionPolicy": "Retain", "Properties": all } })
}

fn of(id: &str) -> Value {
    json!({ "Fn::GetAtt": [id, "Version"] })
}

fn with(mut template: Value, more: Value) -> Value {
    merge(&mut template, more);
    template
}

fn shifted() -> Value {
    json!({ "UpdatePolicy": { "CodeDeployLambdaAliasUpdate": { "ApplicationName": { "Ref": "App" } } } })
}

/// Parameters and conditions of which one decides by a parameter, one by another condition, and one by the Region.
fn conditions() -> Value {
    json!({
        "Parameters": { "Stage": { "Type": "String" }, "Number": { "Type": "AWS::SSM::Parameter::Value<String>" } },
        "Conditions": {
            "IsProd": { "Fn::Equals": [{ "Ref": "Stage" }, "prod"] },
            "IsNotProd": { "Fn::Not": [{ "Condition": "IsProd" }] },
            "IsIreland": { "Fn::Equals": [{ "Ref": "AWS::Region" }, "eu-west-1"] },
        },
    })
}

fn sam() -> Value {
    json!({ "Resources": { "Hello": { "Properties": { "Tags": [{ "Key": "lambda:createdBy", "Value": "SAM" }] } } } })
}

fn cdk() -> Value {
    json!({ "Resources": { "Hello": { "Metadata": { "aws:cdk:path": "Shop/Hello/Resource" } } } })
}

fn serverless() -> Value {
    json!({ "Outputs": { "ServerlessDeploymentBucketName": { "Value": "bucket" } } })
}

const SERVERLESS_3: &str = "HelloLambdaVersionkPJIfMF0UpCatO8X7eHktp4wmGUdFdnqaSyIfI30I";
const OSLS_4: &str = "HelloLambdaVersiondyuNSqMp1QAjLuVrqkyA2UcR1UMxp2SmlQJnOc6AzY";
const CDK_2: &str = "HelloCurrentVersionF236B96656610af208e8d72fc4ce78b980de3f35";

/// By tool and version: what it is, the template, what a deploy does, and what wrote it.
#[rustfmt::skip]
fn rows() -> Vec<(&'static str, Value, Movement, Tool)> {
    use Tool::{Cdk, CloudFormation, Sam, Serverless};
    let none = || json!({});
    let base = || version("Base", json!({}));
    let by_hand = |properties: Value| stack(of("Base"), none(), version("Base", properties));
    let conditional = |value: Value| with(stack(value, none(), none()), conditions());
    vec![
        ("SAM 1.115: AutoPublishAlias with DeploymentPreference", with(stack(of("HelloVersione0c268820a"), shifted(), version("HelloVersione0c268820a", none())), sam()), Moves, Sam),
        ("SAM 1.115: AutoPublishAlias alone", with(stack(of("HelloVersion781cdb2a03"), none(), version("HelloVersion781cdb2a03", none())), sam()), Moves, Sam),
        ("SAM 1.115: AutoPublishCodeSha256", with(stack(of("HelloVersioncanaryctl0"), none(), version("HelloVersioncanaryctl0", none())), sam()), Stays, Sam),
        ("SAM 1.115: AutoPublishCodeSha256 with VersionDescription", with(stack(of("HelloVersioncanaryctl0"), none(), version("HelloVersioncanaryctl0", json!({ "Description": "build 7" }))), sam()), MayMove, Sam),
        ("SAM 1.115: AutoPublishCodeSha256 with ProvisionedConcurrencyConfig", with(stack(of("HelloVersioncanaryctl0"), json!({ "Properties": { "ProvisionedConcurrencyConfig": { "ProvisionedConcurrentExecutions": 1 } } }), version("HelloVersioncanaryctl0", none())), sam()), MayMove, Sam),
        ("SAM 1.115: DeploymentPreference behind a condition", with(with(stack(of("HelloVersioncanaryctl0"), json!({ "UpdatePolicy": { "Fn::If": ["IsProd", shifted()["UpdatePolicy"], { "Ref": "AWS::NoValue" }] } }), version("HelloVersioncanaryctl0", none())), sam()), conditions()), Moves, Sam),
        ("CDK 2.276: currentVersion with LambdaDeploymentGroup", stack(of(CDK_2), shifted(), version(CDK_2, none())), Moves, Cdk),
        ("CDK 2.276: currentVersion", stack(of(CDK_2), none(), version(CDK_2, none())), Moves, Cdk),
        ("CDK 2.276: a Version of its own, kept", with(stack(of("CanaryctlBase851397DF"), none(), version("CanaryctlBase851397DF", none())), cdk()), Stays, Cdk),
        ("CDK 2.276: a Version of its own, by default deleted", with(stack(of("CanaryctlBase851397DF"), none(), json!({ "CanaryctlBase851397DF": { "Type": "AWS::Lambda::Version", "Properties": {} } })), cdk()), MayMove, Cdk),
        ("Serverless 3.40: the old plugin", with(stack(of(SERVERLESS_3), shifted(), version(SERVERLESS_3, json!({ "CodeSha256": "Hi1w" }))), serverless()), Moves, Serverless),
        ("osls 4.3: an alias of snapStart", with(stack(of(OSLS_4), none(), version(OSLS_4, json!({ "CodeSha256": "Hi1w" }))), serverless()), Moves, Serverless),
        ("Serverless 3.40: the new plugin, first deploy", with(stack(json!("$LATEST"), json!({ "DeletionPolicy": "RetainExceptOnCreate" }), version(SERVERLESS_3, json!({ "CodeSha256": "Hi1w" }))), serverless()), Latest, Serverless),
        ("Serverless 3.40: the new plugin where the old one was", with(stack(json!("12"), none(), version(SERVERLESS_3, none())), serverless()), Stays, Serverless),
        ("Serverless 3.40: a version with a fixed id", with(stack(of("HelloLambdaFunctionVersionCanaryctl0"), none(), version("HelloLambdaFunctionVersionCanaryctl0", none())), serverless()), Stays, Serverless),
        ("manual: a version that never changes", by_hand(none()), Stays, CloudFormation),
        ("manual: the same, in the dotted notation", stack(json!({ "Fn::GetAtt": "Base.Version" }), none(), base()), Stays, CloudFormation),
        ("manual: a number of YAML", stack(json!(41), none(), none()), Stays, CloudFormation),
        ("manual: CodeSha256", by_hand(json!({ "CodeSha256": { "Ref": "Sha" } })), Moves, CloudFormation),
        ("manual: the version's Description", by_hand(json!({ "Description": "first" })), MayMove, CloudFormation),
        ("manual: the version's RuntimePolicy", by_hand(json!({ "RuntimePolicy": { "UpdateRuntimeOn": "Auto" } })), MayMove, CloudFormation),
        ("manual: the version's provisioned concurrency", by_hand(json!({ "ProvisionedConcurrencyConfig": { "ProvisionedConcurrentExecutions": 1 } })), MayMove, CloudFormation),
        ("manual: the version's scaling", by_hand(json!({ "FunctionScalingConfig": { "MinExecutionEnvironments": 3 } })), Stays, CloudFormation),
        ("manual: what is no value is not there", stack(of("Base"), json!({ "Properties": { "Description": { "Ref": "AWS::NoValue" } } }), version("Base", json!({ "CodeSha256": { "Ref": "AWS::NoValue" } }))), Stays, CloudFormation),
        ("manual: RoutingConfig", stack(json!("41"), json!({ "Properties": { "RoutingConfig": { "AdditionalVersionWeights": [] } } }), none()), Moves, CloudFormation),
        ("manual: the alias' Description", stack(json!("41"), json!({ "Properties": { "Description": "live" } }), none()), MayMove, CloudFormation),
        ("manual: a parameter", conditional(json!({ "Ref": "Number" })), MayMove, CloudFormation),
        ("manual: a parameter by Fn::Sub", conditional(json!({ "Fn::Sub": "${Number}" })), MayMove, CloudFormation),
        ("manual: Fn::Sub without variables", conditional(json!({ "Fn::Sub": "41" })), Stays, CloudFormation),
        ("manual: Fn::Sub with its own variable", stack(json!({ "Fn::Sub": ["${V}", { "V": of("Base") }] }), none(), base()), Stays, CloudFormation),
        ("manual: Fn::Sub of an attribute", stack(json!({ "Fn::Sub": "${Base.Version}" }), none(), base()), Stays, CloudFormation),
        ("manual: Fn::Sub of two", stack(json!({ "Fn::Sub": "${A}${B}" }), none(), none()), Unknown, CloudFormation),
        ("manual: Parameter Store", stack(json!("{{resolve:ssm:/hello/version}}"), none(), none()), Moves, CloudFormation),
        ("manual: two versions and a parameter", conditional(json!({ "Fn::If": ["IsNotProd", "41", "42"] })), MayMove, CloudFormation),
        ("manual: two versions and a Region", conditional(json!({ "Fn::If": ["IsIreland", "41", "42"] })), Stays, CloudFormation),
        ("manual: the same version either way", conditional(json!({ "Fn::If": ["IsProd", "41", "41"] })), Stays, CloudFormation),
        ("manual: a version that moves on one side", with(stack(json!({ "Fn::If": ["IsIreland", "41", of(CDK_2)] }), none(), version(CDK_2, none())), conditions()), Moves, CloudFormation),
        ("manual: an alias that a parameter deletes", with(stack(json!("41"), json!({ "Condition": "IsProd" }), none()), conditions()), MayMove, CloudFormation),
        ("manual: an alias of one Region", with(stack(json!("41"), json!({ "Condition": "IsIreland" }), none()), conditions()), Stays, CloudFormation),
        ("manual: a custom resource", stack(json!({ "Fn::GetAtt": "Publish.Version" }), none(), json!({ "Publish": { "Type": "Custom::Publish" } })), Unknown, CloudFormation),
        ("manual: another attribute of a version", stack(json!({ "Fn::GetAtt": "Base.FunctionArn" }), none(), base()), Unknown, CloudFormation),
        ("manual: another stack's version", stack(json!({ "Fn::ImportValue": "version" }), none(), none()), Unknown, CloudFormation),
        ("manual: a nested stack's version", stack(json!({ "Fn::GetAtt": "Nested.Outputs.Version" }), none(), json!({ "Nested": { "Type": "AWS::CloudFormation::Stack" } })), Unknown, CloudFormation),
        ("Managed Instances", stack(json!("$LATEST.PUBLISHED"), none(), none()), Unknown, CloudFormation),
        ("manual: no version at all", stack(Value::Null, none(), none()), Unknown, CloudFormation),
    ]
}

#[test]
fn every_tool_by_its_templates() {
    let rows = rows();
    assert!(rows.len() >= 40, "{}", rows.len());
    for (what, template, expected, by) in rows {
        let found = verdicts(&template, "Live");
        assert_eq!(overall(&found), expected, "{what}: {found:#?}");
        assert_eq!(tool(&template, "Live"), by, "{what}");
        assert!(found.is_sorted_by_key(|verdict| verdict.kind), "{what}: {found:#?}");
        for verdict in &found {
            assert!(!verdict.why.is_empty() && !verdict.why.contains("{id}"), "{what}: {verdict:?}");
            assert_eq!(verdict.fix.is_some(), verdict.kind < Latest, "{what}: {verdict:?}");
        }
    }
}

/// Where nothing moves an alias, a change at one place of its definition is seen; where something does, so is its absence.
#[test]
fn one_constant_changed_flips_it() {
    let rows = rows();
    let find = |what: &str| rows.iter().find(|(row, ..)| *row == what).unwrap().1.clone();
    let live = "/Resources/Live/Properties/FunctionVersion";
    for (what, place, value, expected) in [
        ("SAM 1.115: AutoPublishCodeSha256", live, of("HelloVersione0c268820a"), Unknown),
        ("SAM 1.115: AutoPublishCodeSha256", "/Resources/HelloVersioncanaryctl0/DeletionPolicy", json!("Delete"), MayMove),
        ("SAM 1.115: AutoPublishCodeSha256", "/Resources/HelloVersioncanaryctl0/Type", json!("Custom::Version"), Unknown),
        ("CDK 2.276: a Version of its own, kept", "/Resources/CanaryctlBase851397DF/DeletionPolicy", Value::Null, MayMove),
        ("Serverless 3.40: the new plugin, first deploy", live, of(SERVERLESS_3), Moves),
        ("Serverless 3.40: the new plugin, first deploy", live, json!("7"), Stays),
        ("Serverless 3.40: the new plugin where the old one was", live, json!("$LATEST"), Latest),
        ("Serverless 3.40: the new plugin where the old one was", live, json!("12a"), Unknown),
        ("manual: a number of YAML", live, json!(true), Unknown),
        ("manual: a number of YAML", "/Resources/Live/Type", json!("AWS::Lambda::Version"), Unknown),
        ("manual: the same, in the dotted notation", live, json!({ "Fn::GetAtt": "Base.FunctionArn" }), Unknown),
        ("manual: the alias' Description", "/Resources/Live/Properties/Description", json!({ "Ref": "AWS::NoValue" }), Stays),
        ("manual: RoutingConfig", "/Resources/Live/Properties/RoutingConfig", Value::Null, Stays),
        ("manual: CodeSha256", "/Resources/Base/Properties/CodeSha256", Value::Null, Stays),
        (
            "manual: two versions and a Region",
            "/Conditions/IsIreland",
            json!({ "Fn::Equals": [{ "Ref": "Stage" }, "x"] }),
            MayMove,
        ),
        ("manual: two versions and a parameter", "/Conditions/IsProd", json!({ "Fn::Equals": ["a", "b"] }), Stays),
        ("manual: the same version either way", "/Resources/Live/Properties/FunctionVersion/Fn::If/2", json!("42"), MayMove),
        ("manual: a version that moves on one side", "/Resources/Live/Properties/FunctionVersion/Fn::If/2", json!("42"), Stays),
        ("manual: an alias of one Region", "/Resources/Live/Condition", json!("IsProd"), MayMove),
        ("manual: Fn::Sub of an attribute", live, json!({ "Fn::Sub": "v${Base.Version}" }), Unknown),
        ("manual: Parameter Store", live, json!("41"), Stays),
    ] {
        let mut template = find(what);
        let before = overall(&verdicts(&template, "Live"));
        *template.pointer_mut(place).unwrap() = value;
        let found = verdicts(&template, "Live");
        assert_eq!(overall(&found), expected, "{what}, {place}: {found:#?}");
        assert_ne!(before, expected, "{what}, {place}");
    }
}

/// Only the whole pattern of a tool counts: a person's own name for a version stays a name.
#[test]
fn a_name_that_only_looks_generated_is_a_name() {
    for (id, expected) in [
        ("HelloVersion0123456789", Moves),
        ("HelloVersion012345678", Stays),
        ("HelloVersion01234567890", Stays),
        ("HelloVersion012345678G", Stays),
        ("HelloVersion012345678A", Stays),
        ("Version0123456789", Moves),
        ("HelloCurrentVersionF236B966e4c36a598fb3f1300b68608557a048d2", Moves),
        ("HelloCurrentVersionF236B966e4c36a598fb3f1300b68608557a048D2", Stays),
        ("HelloVersionF236B966e4c36a598fb3f1300b68608557a048d2", Stays),
        ("HelloLambdaVersionABCDEFGHIJKLMNOPQRSTUVWXYZabcd", Moves),
        ("HelloLambdaVersionABCDEFGHIJKLMNOPQRSTUVWXYZabc", Stays),
    ] {
        let template = stack(of(id), json!({}), version(id, json!({})));
        assert_eq!(overall(&verdicts(&template, "Live")), expected, "{id}");
    }
}

#[test]
fn what_is_no_template_is_unknown_and_an_alias_is_found_by_its_name() {
    let deep = (0..60).fold(json!("41"), |inner, _| json!({ "Fn::If": ["C", inner, "41"] }));
    for template in [json!(null), json!("text"), json!({ "Resources": [] }), json!({ "Resources": { "Live": 1 } })] {
        assert_eq!(overall(&verdicts(&template, "Live")), Unknown, "{template}");
    }
    assert_eq!(overall(&verdicts(&stack(deep, json!({}), json!({})), "Live")), Unknown);
    assert_eq!(overall(&[]), Unknown);
    let two = with(
        stack(json!("41"), json!({}), json!({})),
        json!({ "Resources": { "Other": { "Type": "AWS::Lambda::Alias", "Properties": { "Name": "beta" } } } }),
    );
    assert_eq!((aliases(&two, "live"), aliases(&two, "beta"), aliases(&two, "x").len()), (vec!["Live"], vec!["Other"], 0));
    // Conditions in a circle have no end.
    let circle = json!({ "Parameters": { "P": {} }, "Conditions": { "A": { "Fn::Not": [{ "Condition": "B" }] }, "B": { "Fn::Not": [{ "Condition": "A" }] } } });
    let round = with(stack(json!({ "Fn::If": ["A", "41", "42"] }), json!({}), json!({})), circle);
    assert_eq!(overall(&verdicts(&round, "Live")), Stays);
}

/// SAM and Serverless keep what leaves the template, CDK's `currentVersion` does not; what is written once stays.
#[test]
fn versions_that_a_later_deploy_deletes() {
    let cdk = "HelloCurrentVersionF236B96656610af208e8d72fc4ce78b980de3f35";
    let retain = json!({ "DeletionPolicy": "Retain" });
    let destroy = json!({ "DeletionPolicy": "Delete" });
    let replaced = json!({ "UpdateReplacePolicy": "Retain" });
    let none = json!({});
    for (id, properties, policies, deleted) in [
        (cdk, &none, &destroy, true),
        (cdk, &none, &retain, false),
        (cdk, &none, &json!({ "DeletionPolicy": "RetainExceptOnCreate" }), false),
        ("HelloVersione0c268820a", &none, &retain, false),
        ("HelloVersione0c268820a", &none, &destroy, true),
        ("HelloLambdaVersionkPJIfMF0UpCatO8X7eHktp4wmGUdFdnqaSyIfI30I", &none, &retain, false),
        ("HelloVersioncanaryctl0", &none, &destroy, false),
        ("V", &json!({ "CodeSha256": "abc" }), &retain, true),
        ("V", &json!({ "CodeSha256": "abc" }), &replaced, false),
        ("V", &json!({ "CodeSha256": { "Ref": "AWS::NoValue" } }), &retain, false),
    ] {
        let mut template = stack(of(id), json!({}), version(id, properties.clone()));
        merge(&mut template, json!({ "Resources": { id: policies } }));
        assert_eq!(versions_it_deletes(&template), if deleted { vec![id] } else { Vec::new() }, "{id} {properties} {policies}");
    }
}
