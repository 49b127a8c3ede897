//! What hangs on a function and can be read from outside: who feeds it, who may call it, under which addresses.

use std::time::Duration;

use crate::wire::{Client, Seen};
use serde_json::{Value, json};
use sim::Settings;

const ARN: &str = "arn:aws:lambda:us-east-1:111111111111:function:f";
const QUEUE: &str = "arn:aws:sqs:us-east-1:111111111111:orders";
const NONE: (u16, &str, &str) = (404, "ResourceNotFoundException", "The resource you requested does not exist.");

fn map(client: &mut Client, function: &str, source: &str) -> Value {
    let seen = client.post("/event-source-mappings", &json!({"FunctionName": function, "EventSourceArn": source}));
    assert_eq!((seen.status, &seen.json["State"]), (202, &json!("Creating")), "{}", seen.json);
    seen.json
}

/// The targets of the mappings that this question finds, in the order of their ARNs.
fn targets(client: &mut Client, question: &str) -> Vec<String> {
    let seen = client.get(&format!("/event-source-mappings{question}"));
    assert_eq!(seen.status, 200, "{}", seen.json);
    let listed = seen.json["EventSourceMappings"].as_array().cloned().unwrap_or_default();
    let mut arns: Vec<_> = listed.iter().map(|mapping| mapping["FunctionArn"].as_str().unwrap_or_default().to_owned()).collect();
    arns.sort();
    arns
}

#[test]
fn a_mapping_shows_whether_it_feeds_the_function_a_version_or_an_alias() {
    let mut client = Client::furnished(Settings::served());
    client.create_function("g");
    for target in ["f", "f:1", "f:live", &format!("{ARN}:$LATEST"), "g"] {
        map(&mut client, target, QUEUE);
    }
    client.settle();
    let of = |qualifiers: &[&str]| qualifiers.iter().map(|qualifier| format!("{ARN}{qualifier}")).collect::<Vec<_>>();
    assert_eq!(targets(&mut client, "?FunctionName=f"), of(&["", ":$LATEST", ":1", ":live"]));
    assert_eq!(targets(&mut client, "?FunctionName=f:live"), of(&[":live"]));
    assert_eq!(targets(&mut client, &format!("?FunctionName={ARN}:1")), of(&[":1"]));
    assert_eq!(targets(&mut client, &format!("?EventSourceArn={QUEUE}")).len(), 5);
    assert_eq!(targets(&mut client, "?EventSourceArn=arn:aws:sqs:us-east-1:111111111111:others"), [""; 0]);
    let seen = client.get("/event-source-mappings?FunctionName=h");
    assert_eq!(seen.error(), (404, "ResourceNotFoundException", &*format!("Function not found: {}h", &ARN[..ARN.len() - 1])));

    let mut exact = Client::furnished(Settings { lists_mappings_exactly: true, ..Settings::served() });
    map(&mut exact, "f", QUEUE);
    map(&mut exact, "f:live", QUEUE);
    assert_eq!(targets(&mut exact, "?FunctionName=f"), of(&[""]));
}

#[test]
fn a_mapping_is_made_shown_and_deleted_in_its_time() {
    let mut client = Client::furnished(Settings::served());
    let made = map(&mut client, "f:live", QUEUE);
    let uuid = made["UUID"].as_str().unwrap_or_default().to_owned();
    assert!(crate::wire::is_uuid(&made["UUID"]), "{made}");
    assert_eq!((&made["BatchSize"], &made["FunctionArn"]), (&json!(10), &json!(format!("{ARN}:live"))));
    let path = format!("/event-source-mappings/{uuid}");
    let in_use = (400, "ResourceInUseException", "Cannot delete the event source mapping because it is in use.");
    assert_eq!(client.delete(&path).error(), in_use, "it is still being made");
    client.settle();
    assert_eq!(client.get(&path).json["State"], "Enabled");

    let again = client.post("/event-source-mappings", &json!({"FunctionName": "f:live", "EventSourceArn": QUEUE}));
    let message = format!(
        "An event source mapping with SQS arn (\" {QUEUE} \") and function (\" f \") already exists. \
         Please update or delete the existing mapping with UUID {uuid}"
    );
    assert_eq!(again.error(), (409, "ResourceConflictException", &*message));
    let deleted = client.delete(&path);
    assert_eq!((deleted.status, &deleted.json["State"]), (202, &json!("Deleting")));
    assert_eq!(client.get(&path).json["State"], "Deleting");
    client.settle();
    assert_eq!(client.get(&path).error(), NONE);
    assert_eq!(client.delete(&path).error(), NONE);
    assert_eq!(targets(&mut client, ""), [""; 0]);
    map(&mut client, "f:live", QUEUE);
}

#[test]
fn a_mapping_that_makes_no_sense_is_refused() {
    let mut client = Client::furnished(Settings::served());
    let stream = "arn:aws:kinesis:us-east-1:111111111111:stream/s";
    for (body, status, part) in [
        (json!({"EventSourceArn": QUEUE}), 400, "Value null at 'functionName'"),
        (json!({"FunctionName": "f"}), 400, "Unrecognized event source."),
        (json!({"FunctionName": "f", "EventSourceArn": stream}), 400, "Value null at 'startingPosition'"),
        (json!({"FunctionName": "f", "EventSourceArn": QUEUE, "BatchSize": 0}), 400, "'0' at 'batchSize'"),
        (json!({"FunctionName": "f:none", "EventSourceArn": QUEUE}), 404, "function:f:none"),
    ] {
        let seen = client.post("/event-source-mappings", &body);
        let (found, _, message) = seen.error();
        assert!(found == status && message.contains(part), "{body}: {}", seen.json);
    }
    let body = json!({"FunctionName": "f", "EventSourceArn": stream, "StartingPosition": "LATEST", "Enabled": false});
    let made = client.post("/event-source-mappings", &body).json;
    assert_eq!((&made["BatchSize"], &made["StartingPosition"]), (&json!(100), &json!("LATEST")));
    client.settle();
    let path = format!("/event-source-mappings/{}", made["UUID"].as_str().unwrap_or_default());
    assert_eq!(client.get(&path).json["State"], "Disabled");
}

#[test]
fn mappings_and_addresses_come_in_pages() {
    let mut client = Client::furnished(Settings::served());
    for number in 0..120 {
        map(&mut client, "f", &format!("{QUEUE}-{number}"));
    }
    let first = client.get("/event-source-mappings?MaxItems=500").json;
    assert_eq!(first["EventSourceMappings"].as_array().map(Vec::len), Some(100), "never more than a hundred");
    let marker = first["NextMarker"].as_str().unwrap_or_default();
    let second = client.get(&format!("/event-source-mappings?Marker={marker}")).json;
    assert_eq!((second["EventSourceMappings"].as_array().map(Vec::len), second.get("NextMarker")), (Some(20), None));

    let list = |client: &mut Client, question: &str| {
        client.send(&Client::request("GET", &format!("/2021-10-31/functions/f/urls{question}"), b""))
    };
    assert_eq!(list(&mut client, "").json, json!({"FunctionUrlConfigs": []}));
    for question in ["", "?Qualifier=live"] {
        let path = format!("/2021-10-31/functions/f/url{question}");
        let made = client.send(&Client::request("POST", &path, br#"{"AuthType":"NONE"}"#));
        assert_eq!(made.status, 201, "{}", made.json);
    }
    let all = list(&mut client, "").json;
    let arns: Vec<_> = [0, 1].map(|place| all["FunctionUrlConfigs"][place]["FunctionArn"].clone()).into();
    assert_eq!(arns, [json!(ARN), json!(format!("{ARN}:live"))]);
    let first = list(&mut client, "?MaxItems=1").json;
    let second = list(&mut client, &format!("?Marker={}", first["NextMarker"].as_str().unwrap_or_default())).json;
    assert_eq!(
        (first["FunctionUrlConfigs"][0].clone(), second["FunctionUrlConfigs"][0].clone()),
        (all["FunctionUrlConfigs"][0].clone(), all["FunctionUrlConfigs"][1].clone())
    );
    assert_eq!(list(&mut client, "?MaxItems=51").error().0, 400);
    let missing = client.send(&Client::request("GET", "/2021-10-31/functions/h/urls", b""));
    assert_eq!(missing.error().1, "ResourceNotFoundException");
}

fn permit(client: &mut Client, question: &str, body: &Value) -> Seen {
    client.post(&format!("/functions/f/policy{question}"), body)
}

fn statement(id: &str) -> Value {
    json!({"StatementId": id, "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"})
}

/// The statement ids of a policy and its revision.
fn policy(client: &mut Client, question: &str) -> (Vec<String>, Value) {
    let seen = client.get(&format!("/functions/f/policy{question}"));
    assert_eq!(seen.status, 200, "{}", seen.json);
    let policy: Value = serde_json::from_str(seen.json["Policy"].as_str().unwrap_or_default()).unwrap_or_default();
    assert_eq!((&policy["Version"], &policy["Id"]), (&json!("2012-10-17"), &json!("default")));
    let ids = policy["Statement"].as_array().cloned().unwrap_or_default();
    (
        ids.iter().map(|statement| statement["Sid"].as_str().unwrap_or_default().to_owned()).collect(),
        seen.json["RevisionId"].clone(),
    )
}

#[test]
fn each_qualifier_has_its_own_policy_or_none() {
    let mut client = Client::furnished(Settings::served());
    for question in ["", "?Qualifier=1", "?Qualifier=live"] {
        assert_eq!(client.get(&format!("/functions/f/policy{question}")).error(), NONE, "{question}");
    }
    let body = json!({"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "222222222222",
                      "SourceArn": "arn:aws:s3:::b", "SourceAccount": "333333333333"});
    let made = permit(&mut client, "?Qualifier=live", &body);
    let statement_made: Value = serde_json::from_str(made.json["Statement"].as_str().unwrap_or_default()).unwrap_or_default();
    let wanted = json!({
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
        "Action": "lambda:InvokeFunction",
        "Resource": format!("{ARN}:live"),
        "Condition": {"StringEquals": {"AWS:SourceAccount": "333333333333"}, "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"}},
    });
    assert_eq!((made.status, statement_made), (201, wanted));
    assert_eq!(permit(&mut client, "", &statement("a")).status, 201);
    assert_eq!(permit(&mut client, "", &statement("b")).status, 201);
    assert_eq!(policy(&mut client, "?Qualifier=live").0, ["s"]);
    assert_eq!(policy(&mut client, "").0, ["a", "b"]);
    assert_eq!(client.get("/functions/f/policy?Qualifier=1").error(), NONE);
    client.delete("/functions/f/aliases/live");
    let gone = client.get("/functions/f/policy?Qualifier=live");
    assert_eq!(gone.error(), NONE);
}

#[test]
fn a_statement_is_added_once_removed_once_and_checked() {
    let mut client = Client::furnished(Settings::served());
    permit(&mut client, "", &statement("a"));
    let twice = permit(&mut client, "", &statement("a"));
    let message =
        "The statement id (a) provided already exists. Please provide a new statement id, or remove the existing statement.";
    assert_eq!(twice.error(), (409, "ResourceConflictException", message));
    for (instead, part) in [
        (json!({"StatementId": "a b"}), "([a-zA-Z0-9-_]+)"),
        (json!({"Action": "s3:Get"}), "(lambda:[*]|lambda:[a-zA-Z]+|[*])"),
        (json!({"Principal": null}), "Value null at 'principal'"),
    ] {
        let mut body = statement("new");
        let members = instead.as_object().into_iter().flatten();
        members.for_each(|(name, value)| body[name] = value.clone());
        let seen = permit(&mut client, "", &body);
        assert!(seen.error().0 == 400 && seen.error().2.contains(part), "{}", seen.json);
    }
    let seen = permit(&mut client, "?Qualifier=$LATEST", &statement("new"));
    assert_eq!(seen.error().2, "We currently do not support adding policies for $LATEST.");
    let long = json!({"StatementId": "l", "Action": "*", "Principal": "*", "SourceArn": "x".repeat(20_480)});
    assert_eq!(permit(&mut client, "", &long).error().1, "PolicyLengthExceededException");

    let unknown = client.delete("/functions/f/policy/z");
    assert_eq!(unknown.error(), (404, "ResourceNotFoundException", "Statement z is not found in resource policy."));
    assert_eq!(client.delete("/functions/f/policy/a").status, 204);
    assert_eq!(client.get("/functions/f/policy").error(), NONE, "no policy is left behind without statements");
}

#[test]
fn a_changed_policy_makes_the_alias_another_revision() {
    let mut client = Client::furnished(Settings::served());
    let before = client.get("/functions/f/aliases/live").json["RevisionId"].clone();
    permit(&mut client, "?Qualifier=live", &statement("a"));
    let (_, revision) = policy(&mut client, "?Qualifier=live");
    assert_ne!(revision, before);
    assert_eq!(client.get("/functions/f/aliases/live").json["RevisionId"], revision);
    let mut stale = statement("b");
    stale["RevisionId"] = before.clone();
    let message = "The Revision Id provided does not match the latest Revision Id. \
                   Call the GetPolicy API to retrieve the latest Revision Id";
    assert_eq!(permit(&mut client, "?Qualifier=live", &stale).error(), (412, "PreconditionFailedException", message));
    let seen = client.put("/functions/f/aliases/live", &json!({"RevisionId": before, "Description": "d"}));
    assert_eq!(seen.status, 412, "whoever read the alias before does not know it any more");
}

#[test]
fn executions_can_be_kept_for_a_function_alone() {
    let mut client = Client::furnished(Settings::served());
    let ask = |client: &mut Client, method: &str, version: &str, body: &[u8]| {
        client.send(&Client::request(method, &format!("/{version}/functions/f/concurrency"), body))
    };
    assert_eq!(ask(&mut client, "GET", "2019-09-30", b"").json, json!({}));
    let kept = json!({"ReservedConcurrentExecutions": 7});
    assert_eq!(ask(&mut client, "PUT", "2017-10-31", kept.to_string().as_bytes()).json, kept);
    assert_eq!(ask(&mut client, "GET", "2019-09-30", b"").json, kept);
    assert_eq!(ask(&mut client, "DELETE", "2017-10-31", b"").status, 204);
    assert_eq!(ask(&mut client, "GET", "2019-09-30", b"").json, json!({}));
    let missing = client.send(&Client::request("GET", "/2019-09-30/functions/h/concurrency", b""));
    assert_eq!(missing.error().1, "ResourceNotFoundException");
    let none = json!({"ReservedConcurrentExecutions": -1}).to_string();
    let missing = client.send(&Client::request("PUT", "/2017-10-31/functions/h/concurrency", none.as_bytes()));
    assert_eq!(missing.error().1, "ResourceNotFoundException", "missed before its number is looked at");
    assert_eq!(ask(&mut client, "PUT", "2017-10-31", none.as_bytes()).error().1, "ValidationException");
    client.wait(Duration::from_secs(1));
}

#[test]
fn code_that_stays_in_s3_is_shown_where_it_is_and_takes_none_of_lambdas_storage() {
    let mut client = Client::furnished(Settings::served());
    let stored = |client: &mut Client| {
        let seen = client.send(&Client::request("GET", "/2016-08-19/account-settings", b""));
        seen.json["AccountUsage"]["TotalCodeSize"].as_u64().unwrap()
    };
    let before = stored(&mut client);
    let object = json!({"S3Bucket": "code", "S3Key": "f.zip", "S3ObjectVersion": "7"});
    let mut upload = object.clone();
    upload["S3ObjectStorageMode"] = "REFERENCE".into();
    assert_eq!(client.put("/functions/f/code", &upload).status, 200);
    client.settle();
    assert_eq!(client.get("/functions/f").json["Code"]["ResolvedS3Object"], object);
    assert_eq!(client.get("/functions/f?Qualifier=1").json["Code"].get("ResolvedS3Object"), None, "a version never changes");
    assert!(stored(&mut client) < before);
    upload["S3ObjectStorageMode"] = "COPY".into();
    assert_eq!(client.put("/functions/f/code", &upload).status, 200);
    client.settle();
    assert_eq!(client.get("/functions/f").json["Code"].get("ResolvedS3Object"), None);
    upload["S3ObjectStorageMode"] = "MOVE".into();
    let seen = client.put("/functions/f/code", &upload);
    let (status, code, message) = seen.error();
    assert_eq!((status, code), (400, "ValidationException"));
    assert!(message.contains("'MOVE' at 's3ObjectStorageMode'"), "{message}");
}
