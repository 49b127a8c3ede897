//! What a change set does to an alias, in the words of `DescribeChangeSet`.

use serde_json::{Value, json};

use crate::change_set::touched;
use crate::template::Movement;

fn answer(changes: &Value) -> Value {
    json!({"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE", "Changes": changes})
}

fn change(resource: &Value) -> Value {
    let mut whole = json!({"LogicalResourceId": "HelloAliaslive", "ResourceType": "AWS::Lambda::Alias"});
    for (key, value) in resource.as_object().unwrap() {
        whole[key] = value.clone();
    }
    json!({"Type": "Resource", "ResourceChange": whole})
}

fn overall(answer: &Value) -> Movement {
    touched(answer).unwrap().overall()
}

fn detail(evaluation: &str) -> Value {
    json!({"Target": {"Attribute": "Properties", "Name": "FunctionVersion", "RequiresRecreation": "Never"}, "Evaluation": evaluation})
}

#[test]
fn a_change_of_an_alias_moves_it_where_it_is_certain() {
    for (resource, expected) in [
        (
            json!({"Action": "Modify", "Scope": ["Properties"], "Replacement": "False", "Details": [detail("Static")]}),
            Movement::Moves,
        ),
        (json!({"Action": "Modify", "Scope": ["Properties"], "Details": [detail("Dynamic")]}), Movement::MayMove),
        (json!({"Action": "Modify", "Scope": ["Properties"], "Details": [detail("Dynamic"), detail("Static")]}), Movement::Moves),
        (json!({"Action": "Modify"}), Movement::Moves),
        (json!({"Action": "Modify", "Replacement": "True", "Scope": ["Metadata"]}), Movement::Moves),
        (json!({"Action": "Modify", "Scope": ["DeletionPolicy", "UpdateReplacePolicy"]}), Movement::Stays),
        (json!({"Action": "Modify", "Scope": ["UpdatePolicy"]}), Movement::Stays),
        (json!({"Action": "Modify", "Scope": ["UpdatePolicy", "Properties"], "Details": [detail("Static")]}), Movement::Moves),
        (json!({"Action": "Remove"}), Movement::Moves),
        (json!({"Action": "Remove", "PolicyAction": "Retain"}), Movement::Stays),
        (json!({"Action": "Add"}), Movement::Stays),
        (json!({"Action": "Import"}), Movement::Stays),
        (json!({"Action": "Dynamic"}), Movement::Unknown),
    ] {
        assert_eq!(overall(&answer(&json!([change(&resource)]))), expected, "{resource}");
    }
}

#[test]
fn what_is_no_alias_moves_none() {
    let function = json!({"Action": "Modify", "LogicalResourceId": "Hello", "ResourceType": "AWS::Lambda::Function"});
    let found = touched(&answer(&json!([change(&function)]))).unwrap();
    assert_eq!((found.aliases.len(), found.overall()), (0, Movement::Stays));
}

#[test]
fn only_a_whole_and_ready_change_set_is_a_pass() {
    let nested = json!({"Action": "Modify", "LogicalResourceId": "Api", "ResourceType": "AWS::CloudFormation::Stack", "ChangeSetId": "arn:x"});
    let found = touched(&answer(&json!([change(&nested)]))).unwrap();
    assert_eq!(found.overall(), Movement::Unknown);
    assert!(found.unknown[0].contains("`Api`") && found.unknown[0].contains("`arn:x`"), "{found:?}");
    for (key, value) in [
        ("NextToken", json!("2")),
        ("Status", json!("CREATE_IN_PROGRESS")),
        ("Status", json!("FAILED")),
        ("Status", Value::Null),
        ("DeploymentMode", json!("REVERT_DRIFT")),
    ] {
        let mut answer = answer(&json!([]));
        answer[key] = value.clone();
        assert_eq!(overall(&answer), Movement::Unknown, "{key} {value}");
    }
    let reason = "The submitted information didn't contain changes. Submit different information to create a change set.";
    let empty = json!({"Status": "FAILED", "StatusReason": reason});
    assert_eq!(overall(&empty), Movement::Stays);
    assert_eq!(
        overall(&json!({"Status": "FAILED", "StatusReason": "No updates are to be performed.", "Changes": []})),
        Movement::Stays
    );
    // The worst counts.
    let two = json!([change(&json!({"Action": "Modify"})), change(&nested)]);
    assert_eq!(overall(&answer(&two)), Movement::Moves);
    for other in [json!({}), json!([]), json!({"Changes": {}}), json!({"Resources": {}})] {
        assert_eq!(touched(&other), None, "{other}");
    }
}
