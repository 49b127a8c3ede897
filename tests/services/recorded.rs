//! The simulated Lambda gives the answers that were recorded against the real one, to the letter.

use crate::wire::{Client, Seen};
use serde_json::{Value, json};

fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:us-east-1:111111111111:function:{name}")
}

/// A function `f` with the published versions 1 and 2.
fn two_versions() -> Client {
    let mut client = Client::new();
    client.create_function("f");
    assert_eq!(client.post("/functions/f/versions", &json!({})).status, 201);
    client.put("/functions/f/configuration", &json!({"Timeout": 4}));
    client.settle();
    assert_eq!(client.post("/functions/f/versions", &json!({})).json["Version"], "2");
    client
}

fn create_alias(client: &mut Client, version: &str, weights: &Value) -> Seen {
    let routing = json!({"AdditionalVersionWeights": weights});
    client.post("/functions/f/aliases", &json!({"Name": "custom", "FunctionVersion": version, "RoutingConfig": routing}))
}

fn assert_error(seen: &Seen, status: u16, code: &str, body: &Value) {
    assert_eq!((seen.status, seen.header("x-amzn-errortype"), &seen.json), (status, Some(code), body));
    assert_eq!(seen.header("x-amzn-requestid").map(str::len), Some(36));
}

#[test]
fn weights_that_an_alias_may_not_have() {
    let mut client = two_versions();
    let (invalid, validation) = ("InvalidParameterValueException", "ValidationException");
    let too_many = "Number of items in AdditionalVersionWeights cannot be greater than 1";
    let too_much = "1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' failed to satisfy \
                    constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must \
                    have value greater than or equal to 0.0, Member must not be null]";
    let no_number = "1 validation error detected: Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights' failed to \
                     satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 1024, \
                     Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]";
    let twice = "Invalid function version 1. Function version 1 is already included in routing configuration.";
    let latest = "$LATEST is not supported for an alias pointing to more than 1 version";
    for (version, weights, code, body) in [
        ("1", json!({"1": 0.8, "2": 0.2}), invalid, json!({"Type": "User", "message": too_many})),
        ("1", json!({"2": 2}), validation, json!({ "message": too_much })),
        ("1", json!({"$LATEST": 0.5}), validation, json!({ "message": no_number })),
        ("1", json!({"1": 0.5}), invalid, json!({"Type": "User", "message": twice})),
        ("$LATEST", json!({"1": 0.5}), invalid, json!({ "message": latest })),
    ] {
        assert_error(&create_alias(&mut client, version, &weights), 400, code, &body);
    }
    for (version, weights) in [("10", json!({"2": 0.5})), ("1", json!({"10": 0.5}))] {
        let seen = create_alias(&mut client, version, &weights);
        let message = format!("Function not found: {}:10", function_arn("f"));
        assert_error(&seen, 404, "ResourceNotFoundException", &json!({"Type": "User", "Message": message}));
    }
}

#[test]
fn an_alias_with_weights_and_one_with_none() {
    let mut client = two_versions();
    let seen = create_alias(&mut client, "1", &json!({"2": 0.5}));
    let revision = seen.json["RevisionId"].clone();
    let expected = json!({
        "AliasArn": format!("{}:custom", function_arn("f")),
        "Description": "",
        "FunctionVersion": "1",
        "Name": "custom",
        "RevisionId": revision,
        "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.5}},
    });
    assert_eq!((seen.status, &seen.json), (201, &expected));
    assert!(crate::wire::is_uuid(&revision), "{revision}");

    let again = create_alias(&mut client, "1", &json!({"2": 0.5}));
    let message = format!("Alias already exists: {}:custom", function_arn("f"));
    assert_error(&again, 409, "ResourceConflictException", &json!({"Type": "User", "message": message}));

    let body =
        json!({"Name": "custom-empty-routingconfig", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {}}});
    let seen = client.post("/functions/f/aliases", &body);
    let expected = json!({
        "AliasArn": format!("{}:custom-empty-routingconfig", function_arn("f")),
        "Description": "",
        "FunctionVersion": "1",
        "Name": "custom-empty-routingconfig",
        "RevisionId": seen.json["RevisionId"],
    });
    assert_eq!((seen.status, &seen.json), (201, &expected));
}

#[test]
fn a_missing_alias_is_missed_in_three_ways() {
    let mut client = two_versions();
    let arn = format!("{}:non-existent", function_arn("f"));
    let missing = "ResourceNotFoundException";
    let seen = client.get("/functions/f/aliases/non-existent");
    assert_error(&seen, 404, missing, &json!({"Type": "User", "Message": format!("Cannot find alias arn: {arn}")}));
    let seen = client.put("/functions/f/aliases/non-existent", &json!({"FunctionVersion": "1"}));
    assert_error(&seen, 404, missing, &json!({"Type": "User", "Message": format!("Alias not found: {arn}")}));
    let seen = client.delete("/functions/f/aliases/non-existent");
    assert_eq!((seen.status, seen.body.is_empty()), (204, true));
}

#[test]
fn a_wrong_revision_and_a_right_one() {
    let mut client = two_versions();
    let body = json!({
        "Type": "User",
        "message": "The Revision Id provided does not match the latest Revision Id. \
                    Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
    });
    let seen = client.post("/functions/f/versions", &json!({"RevisionId": "wrong"}));
    assert_error(&seen, 412, "PreconditionFailedException", &body);

    let created = client.post("/functions/f/aliases", &json!({"Name": "revision_alias", "FunctionVersion": "1"}));
    assert_eq!(created.status, 201);
    let seen = client.put("/functions/f/aliases/revision_alias", &json!({"RevisionId": "wrong", "Description": "x"}));
    assert_error(&seen, 412, "PreconditionFailedException", &body);

    let right = &created.json["RevisionId"];
    let seen =
        client.put("/functions/f/aliases/revision_alias", &json!({"RevisionId": right, "Description": "something changed"}));
    let expected = json!({
        "AliasArn": format!("{}:revision_alias", function_arn("f")),
        "Description": "something changed",
        "FunctionVersion": "1",
        "Name": "revision_alias",
        "RevisionId": seen.json["RevisionId"],
    });
    assert_eq!((seen.status, &seen.json), (200, &expected));
    assert_ne!(seen.json["RevisionId"], *right);
}

#[test]
fn publishing_with_a_wrong_and_a_right_hash() {
    let mut client = Client::new();
    let created = client.create_function("f");
    let hash = created["CodeSha256"].as_str().unwrap();
    let seen = client.post("/functions/f/versions", &json!({"CodeSha256": "somenonexistentsha256"}));
    let message = format!(
        "CodeSHA256 (somenonexistentsha256) is different from current CodeSHA256 in $LATEST ({hash}). \
         Please try again with the CodeSHA256 in $LATEST."
    );
    assert_error(&seen, 400, "InvalidParameterValueException", &json!({"Type": "User", "message": message}));

    let seen = client.post("/functions/f/versions", &json!({"CodeSha256": hash}));
    let modified = seen.json["LastModified"].as_str().unwrap();
    assert!(modified.len() == 28 && modified.ends_with("+0000"), "{modified}");
    let runtime = seen.json["RuntimeVersionConfig"]["RuntimeVersionArn"].as_str().unwrap();
    assert!(runtime.starts_with("arn:aws:lambda:us-east-1::runtime:"), "{runtime}");
    let expected = json!({
        "Architectures": ["x86_64"],
        "CodeSha256": hash,
        "CodeSize": 4,
        "Description": "",
        "EphemeralStorage": {"Size": 512},
        "FunctionArn": format!("{}:1", function_arn("f")),
        "FunctionName": "f",
        "Handler": "index.handler",
        "LastModified": modified,
        "LastUpdateStatus": "Successful",
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
        "MemorySize": 128,
        "PackageType": "Zip",
        "RevisionId": seen.json["RevisionId"],
        "Role": "arn:aws:iam::111111111111:role/r",
        "Runtime": "python3.12",
        "RuntimeVersionConfig": {"RuntimeVersionArn": runtime},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "State": "Active",
        "Timeout": 3,
        "TracingConfig": {"Mode": "PassThrough"},
        "Version": "1",
    });
    assert_eq!((seen.status, &seen.json), (201, &expected));
}

#[test]
fn architectures_that_a_function_may_not_have() {
    let mut client = two_versions();
    let length = "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member must \
                  have length less than or equal to 1";
    let word = "1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy constraint: Member must satisfy \
                constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]";
    for (given, message) in [(json!(["x86_64", "arm64"]), length), (json!(["X86_64"]), word)] {
        let seen = client.put("/functions/f/code", &json!({"Architectures": given, "ZipFile": "UEsDBA=="}));
        assert_error(&seen, 400, "ValidationException", &json!({ "message": message }));
        let more = json!({"FunctionName": "g", "Role": "arn:aws:iam::111111111111:role/r", "Runtime": "python3.14", "Handler": "a.b",
            "Code": {"ZipFile": "UEsDBA=="}, "Architectures": given});
        assert_error(&client.post("/functions", &more), 400, "ValidationException", &json!({ "message": message }));
    }
}

#[test]
fn the_address_of_a_function_that_is_gone() {
    let mut client = two_versions();
    let seen = client.send(&Client::request("GET", "/url/f:gone/", b""));
    let message = "Forbidden. For troubleshooting Function URL authorization issues, see: \
                   https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html";
    assert_error(&seen, 403, "AccessDeniedException", &json!({ "Message": message }));
}
