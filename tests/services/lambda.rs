//! The rules that a function, its versions and its aliases live by.

use std::time::Duration;

use crate::wire::Client;
use serde_json::{Value, json};
use sim::{Settings, Tally};

fn published(client: &mut Client) -> Value {
    client.create_function("f");
    let seen = client.post("/functions/f/versions", &json!({}));
    assert_eq!((seen.status, &seen.json["Version"]), (201, &json!("1")), "{}", seen.json);
    client.settle();
    seen.json
}

fn set(client: &mut Client, variables: &Value) {
    let seen = client.put("/functions/f/configuration", &json!({"Environment": {"Variables": variables}}));
    assert_eq!(seen.status, 200, "{}", seen.json);
    client.settle();
}

#[test]
fn a_new_function_is_pending_and_an_update_in_progress_for_a_while() {
    let mut client = Client::new();
    client.create_function("other");
    let created = client.begin_function("f");
    assert_eq!(created["State"], "Pending");
    for (path, body) in [("/functions/f/versions", json!({})), ("/functions/f/invocations", json!({}))] {
        let seen = client.post(path, &body);
        assert_eq!((seen.status, seen.header("x-amzn-errortype")), (409, Some("ResourceConflictException")), "{path}");
    }
    client.wait(Duration::from_millis(300));
    let active = client.get("/functions/f/configuration").json;
    assert_eq!((&active["State"], &active["LastUpdateStatus"]), (&json!("Active"), &json!("Successful")));
    assert_ne!(active["RevisionId"], created["RevisionId"], "finishing the creation issues a revision");

    let updating = client.put("/functions/f/configuration", &json!({"Timeout": 9})).json;
    assert_eq!((&updating["State"], &updating["LastUpdateStatus"]), (&json!("Active"), &json!("InProgress")));
    let refused = client.put("/functions/f/code", &json!({"ZipFile": "UEsDBA=="}));
    let (status, _, message) = refused.error();
    assert!(status == 409 && message.contains("An update is in progress for resource: arn:"), "{}", refused.json);
    client.wait(Duration::from_millis(300));
    let updated = client.get("/functions/f/configuration").json;
    assert_eq!((&updated["LastUpdateStatus"], &updated["Timeout"]), (&json!("Successful"), &json!(9)));
    assert_ne!(updated["RevisionId"], updating["RevisionId"], "finishing the update issues another one");
}

#[test]
fn a_version_is_pending_first_where_that_takes_time_and_keeps_its_revision() {
    let mut client = Client::with(Settings { version_settle: Duration::from_secs(2), ..Settings::served() });
    client.create_function("f");
    let fresh = client.post("/functions/f/versions", &json!({})).json;
    assert_eq!(fresh["State"], "Pending");
    client.post("/functions/f/aliases", &json!({"Name": "live", "FunctionVersion": "1"}));
    assert_eq!(client.post("/functions/f:live/invocations", &json!({})).status, 409);
    assert_eq!(client.world.tally("f", "live", "1"), Tally { invocations: 0, errors: 0, refused: 1 });
    client.wait(Duration::from_secs(2));
    let active = client.get("/functions/f/configuration?Qualifier=1").json;
    assert_eq!((&active["State"], &active["RevisionId"]), (&json!("Active"), &fresh["RevisionId"]));
    assert_eq!(client.post("/functions/f:live/invocations", &json!({})).status, 200);
}

#[test]
fn publishing_makes_a_number_only_when_something_changed() {
    let mut client = Client::new();
    let first = published(&mut client);
    let before = client.get("/functions/f").json["Configuration"]["RevisionId"].clone();
    let again = client.post("/functions/f/versions", &json!({"Description": "another"}));
    assert_eq!((again.status, &again.json), (201, &first), "nothing changed: the version that is there");
    assert_eq!(client.get("/functions/f").json["Configuration"]["RevisionId"], before);

    set(&mut client, &json!({"SIM_BODY": "2"}));
    let before = client.get("/functions/f").json["Configuration"]["RevisionId"].clone();
    let second = client.post("/functions/f/versions", &json!({"RevisionId": before})).json;
    assert_eq!((&second["Version"], &second["CodeSha256"]), (&json!("2"), &first["CodeSha256"]));
    assert_ne!(client.get("/functions/f").json["Configuration"]["RevisionId"], before, "publishing changes $LATEST's revision");
    let listed = client.get("/functions/f/versions").json;
    let numbers: Vec<_> =
        listed["Versions"].as_array().unwrap().iter().map(|version| version["Version"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["$LATEST", "1", "2"]);
}

#[test]
fn an_alias_keeps_what_is_left_out_and_changes_its_revision_every_time() {
    let mut client = Client::new();
    published(&mut client);
    set(&mut client, &json!({"SIM_BODY": "2"}));
    client.post("/functions/f/versions", &json!({}));
    let latest = client.get("/functions/f").json["Configuration"]["RevisionId"].clone();
    client.post("/functions/f/aliases", &json!({"Name": "live", "FunctionVersion": "1", "Description": "mine"}));
    assert_eq!(client.get("/functions/f").json["Configuration"]["RevisionId"], latest, "an alias leaves $LATEST alone");

    let path = "/functions/f/aliases/live";
    let weighted = client.put(path, &json!({"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.25}}})).json;
    assert_eq!((&weighted["FunctionVersion"], &weighted["Description"]), (&json!("1"), &json!("mine")));
    let same = client.put(path, &json!({"Description": "mine"})).json;
    assert_eq!(same["RoutingConfig"], json!({"AdditionalVersionWeights": {"2": 0.25}}));
    assert_ne!(same["RevisionId"], weighted["RevisionId"], "even when nothing changes");
    let cleared = client.put(path, &json!({"RoutingConfig": {}})).json;
    assert_eq!(cleared.get("RoutingConfig"), None);
    client.put(path, &json!({"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.25}}}));

    let moved = client.put(path, &json!({"FunctionVersion": "2"}));
    assert_eq!(moved.status, 400, "the primary alone cannot become the additional version");
    let moved = client.put(path, &json!({"FunctionVersion": "2", "RoutingConfig": {"AdditionalVersionWeights": {}}}));
    assert_eq!((moved.status, &moved.json["FunctionVersion"], moved.json.get("RoutingConfig")), (200, &json!("2"), None));
    let whole = client.put(path, &json!({"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 1.0}}}));
    assert_eq!(whole.status, 200, "a weight of one is a weight");
}

#[test]
fn what_an_alias_may_not_be_is_said_before_anything_changes() {
    let mut client = Client::furnished(Settings::served());
    let path = "/functions/f/aliases/live";
    let umlauts = "ü".repeat(256);
    assert_eq!(client.put(path, &json!({"Description": umlauts})).status, 200, "256 characters, not bytes");
    for (body, message) in [
        (json!({"Description": "ü".repeat(257)}), "Member must have length less than or equal to 256"),
        (json!({"FunctionVersion": "one"}), "Member must satisfy regular expression pattern: (\\$LATEST|[0-9]+)"),
        (json!({"RoutingConfig": {"AdditionalVersionWeights": {"1": -0.1}}}), "Value '{1=-0.1}'"),
    ] {
        let seen = client.put(path, &body);
        assert_eq!((seen.status, seen.header("x-amzn-errortype")), (400, Some("ValidationException")), "{body}");
        assert!(seen.error().2.contains(message), "{}", seen.json);
    }
    let wrong = client.put(path, &json!({"FunctionVersion": 1}));
    assert_eq!(wrong.header("x-amzn-errortype"), Some("SerializationException"));
    let numeric = client.post("/functions/f/aliases", &json!({"Name": "12", "FunctionVersion": "1"}));
    assert!(numeric.json["message"].as_str().unwrap().contains("'12' at 'name'"), "{}", numeric.json);
    assert_eq!(client.world.alias("f", "live").unwrap().description, umlauts);
    // A stale revision is noticed before a version that does not exist.
    let seen = client.put(path, &json!({"FunctionVersion": "99", "RevisionId": "stale"}));
    assert_eq!(seen.status, 412);
}

#[test]
fn two_versions_of_one_alias_must_share_their_role() {
    let mut client = Client::new();
    published(&mut client);
    client.put("/functions/f/configuration", &json!({"Role": "arn:aws:iam::111111111111:role/other"}));
    client.settle();
    client.post("/functions/f/versions", &json!({}));
    let routing = json!({"AdditionalVersionWeights": {"2": 0.1}});
    let seen = client.post("/functions/f/aliases", &json!({"Name": "a", "FunctionVersion": "1", "RoutingConfig": routing}));
    assert_eq!(
        (seen.status, &seen.json["message"]),
        (400, &json!("Specified versions must be associated with the same execution role"))
    );
}

#[test]
fn each_call_is_routed_by_itself_counted_and_named() {
    let failing = [("SIM_BODY", "two"), ("SIM_ERROR_RATE", "1")];
    let mut client = Client::behaving(Settings::served(), &[], &failing, Some(0.2));
    let mut second = 0;
    for _ in 0..2_000 {
        let seen = client.post("/functions/f/invocations?Qualifier=live", &json!({}));
        let failed = seen.header("x-amz-function-error") == Some("Unhandled");
        let executed = seen.header("x-amz-executed-version").unwrap();
        assert_eq!((seen.status, failed), (200, executed == "2"), "a function's failure is no HTTP error");
        second += u64::from(executed == "2");
    }
    assert!((340..460).contains(&second), "{second} of 2000 at 20%");
    assert_eq!(client.world.tally("f", "live", "2"), Tally { invocations: second, errors: second, refused: 0 });
    assert_eq!(client.world.tally("f", "live", "1"), Tally { invocations: 2_000 - second, errors: 0, refused: 0 });
    assert_eq!(client.world.tally("f", "", "$LATEST"), Tally::default());
}

#[test]
fn a_changed_alias_routes_anew_only_after_a_moment() {
    let mut client = Client::with(Settings { routing_delay: Duration::from_millis(400), ..Settings::served() });
    published(&mut client);
    client.post("/functions/f/aliases", &json!({"Name": "live", "FunctionVersion": "$LATEST"}));
    client.put("/functions/f/aliases/live", &json!({"FunctionVersion": "1"}));
    let executed = |client: &mut Client| {
        client.post("/functions/f:live/invocations", &json!({})).header("x-amz-executed-version").unwrap().to_owned()
    };
    assert_eq!(executed(&mut client), "$LATEST");
    client.wait(Duration::from_millis(400));
    assert_eq!(executed(&mut client), "1");
}

#[test]
fn kinds_of_invocation_and_the_log_tail() {
    let mut client = Client::new();
    published(&mut client);
    let mut invoke = |kind: &str, body: &[u8]| {
        let mut request = Client::request("POST", "/2015-03-31/functions/f/invocations", body);
        request.headers_mut().insert("x-amz-invocation-type", kind.parse().unwrap());
        request.headers_mut().insert("x-amz-log-type", "Tail".parse().unwrap());
        client.send(&request)
    };
    let seen = invoke("RequestResponse", b"{}");
    assert_eq!((seen.status, &seen.json, seen.header("x-amz-executed-version")), (200, &json!("ok"), Some("$LATEST")));
    assert!(seen.header("x-amz-log-result").unwrap().starts_with("U1RBUlQgUmVxdWVzdElkOi"), "base64 of `START RequestId:`");
    assert_eq!(invoke("Event", b"{}").status, 202);
    assert_eq!(invoke("DryRun", b"").status, 204);
    let broken = invoke("RequestResponse", b"{");
    assert_eq!((broken.status, broken.header("x-amzn-errortype")), (400, Some("InvalidRequestContentException")));
    assert_eq!(client.world.tally("f", "", "$LATEST").invocations, 2, "a dry run and a broken payload run nothing");
}

#[test]
fn a_function_is_found_under_all_its_names_and_missed_by_its_arn() {
    let mut client = Client::furnished(Settings::served());
    let arn = "arn:aws:lambda:us-east-1:111111111111:function:f";
    let encoded = format!("{arn}:live").replace(':', "%3A");
    let shown = client.get(&format!("/functions/{encoded}")).json["Configuration"].clone();
    assert_eq!((&shown["FunctionArn"], &shown["Version"]), (&json!(format!("{arn}:live")), &json!("1")));
    let seen = client.get("/functions/f?Qualifier=nope");
    assert_eq!((seen.status, &seen.json["Message"]), (404, &json!(format!("Function not found: {arn}:nope"))));
    let seen = client.post("/functions/g/aliases", &json!({"Name": "live", "FunctionVersion": "1"}));
    let missing = "Function not found: arn:aws:lambda:us-east-1:111111111111:function:g:1";
    assert_eq!((seen.status, &seen.json["Message"]), (404, &json!(missing)));
    let used = client.delete("/functions/f?Qualifier=1");
    assert_eq!((used.status, used.header("x-amzn-errortype")), (409, Some("ResourceConflictException")));
}

#[test]
fn lists_come_in_parts() {
    let mut client = Client::new();
    published(&mut client);
    for name in ["a", "b", "c"] {
        client.post("/functions/f/aliases", &json!({"Name": name, "FunctionVersion": if name == "b" { "$LATEST" } else { "1" }}));
    }
    let names = |seen: &Value| -> Vec<String> {
        seen["Aliases"].as_array().unwrap().iter().map(|alias| alias["Name"].as_str().unwrap().to_owned()).collect()
    };
    let first = client.get("/functions/f/aliases?MaxItems=2").json;
    assert_eq!(names(&first), ["a", "b"]);
    let rest = client.get(&format!("/functions/f/aliases?MaxItems=2&Marker={}", first["NextMarker"].as_str().unwrap())).json;
    assert_eq!((names(&rest), rest.get("NextMarker")), (vec!["c".to_owned()], None));
    assert_eq!(names(&client.get("/functions/f/aliases?FunctionVersion=1").json), ["a", "c"]);
    assert_eq!(client.get("/functions/f/aliases?MaxItems=0").status, 400);
}

#[test]
fn tags_and_provisioned_concurrency_can_be_set_up_and_seen() {
    let mut client = Client::furnished(Settings::served());
    let tags = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A111111111111%3Afunction%3Af";
    let mut send = |method, path: &str, body: &str| client.send(&Client::request(method, path, body.as_bytes()));
    assert_eq!(send("POST", tags, r#"{"Tags":{"team":"shop","a":"b"}}"#).status, 204);
    assert_eq!(send("DELETE", &format!("{tags}?tagKeys=a"), "").status, 204);
    assert_eq!(send("GET", tags, "").json, json!({"Tags": {"team": "shop"}}));
    assert_eq!(send("POST", tags, r#"{"Tags":{"aws:cloudformation:stack-name":"s"}}"#).status, 400);

    let path = "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=live";
    let none = send("GET", path, "");
    assert_eq!((none.status, none.header("x-amzn-errortype")), (404, Some("ProvisionedConcurrencyConfigNotFoundException")));
    assert_eq!(send("PUT", path, r#"{"ProvisionedConcurrentExecutions":5}"#).status, 202);
    assert_eq!(send("GET", path, "").json["RequestedProvisionedConcurrentExecutions"], 5);
    assert_eq!(send("DELETE", path, "").status, 204);
    assert_eq!(send("GET", path, "").status, 404);
}

#[test]
fn a_function_url_shows_text_as_text_and_failures_as_bad_gateway() {
    let mut client = Client::new();
    published(&mut client);
    client.post("/functions/f/aliases", &json!({"Name": "live", "FunctionVersion": "$LATEST"}));
    let visit = |client: &mut Client| client.send(&Client::request("GET", "/url/f:live/any/where?x=1", b""));
    let seen = visit(&mut client);
    assert_eq!((seen.status, &seen.body[..], seen.header("x-amz-executed-version")), (200, &b"ok"[..], Some("$LATEST")));
    set(&mut client, &json!({"SIM_BODY": r#"{"statusCode":418,"body":"teapot"}"#}));
    let seen = visit(&mut client);
    assert_eq!((seen.status, &seen.body[..]), (418, &b"teapot"[..]));
    set(&mut client, &json!({"SIM_HOOK": "Throw"}));
    let seen = visit(&mut client);
    assert_eq!((seen.status, &seen.body[..]), (502, &b"Internal Server Error"[..]));
}
