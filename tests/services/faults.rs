//! Calls that go wrong, and the log that tells what really happened.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::wire::{Client, Seen};
use serde_json::{Value, json};
use sim::{Answer, Delivery, Effect, Event, Fault, Settings};

const LIVE: &str = "/functions/f/aliases/live";

fn with_fault(fault: Fault) -> Client {
    let mut client = Client::furnished(Settings::served());
    client.world.add_fault(fault);
    client
}

fn shift(client: &mut Client, weight: f64) -> Answer {
    let body = json!({"RoutingConfig": {"AdditionalVersionWeights": {"2": weight}}}).to_string();
    let request = Client::request("PUT", "/2015-03-31/functions/f/aliases/live", body.as_bytes());
    client.world.answer(client.now, "ME", &request).answer
}

fn share(client: &Client) -> f64 {
    client.world.alias("f", "live").unwrap().share("2")
}

fn assert_share(client: &Client, share_of_two: f64) {
    assert!((share(client) - share_of_two).abs() < 1e-9, "{}", share(client));
}

#[test]
fn the_log_tells_what_each_write_changed() {
    let mut client = Client::furnished(Settings::served());
    let revision = client.get(LIVE).json["RevisionId"].as_str().unwrap().to_owned();
    let body = json!({"RevisionId": revision, "Description": "d", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}});
    let after = client.put(LIVE, &body);
    client.put(LIVE, &json!({"RevisionId": "stale", "Description": "e"}));
    client.delete(LIVE);

    let operations: Vec<_> = client.world.log().iter().map(|record| (record.operation.as_str(), record.status)).collect();
    assert_eq!(operations, [("GetAlias", 200), ("UpdateAlias", 200), ("UpdateAlias", 412), ("DeleteAlias", 204)]);
    let [read, written, refused, deleted] = client.world.log() else { panic!("four calls") };
    assert_eq!((read.caller.as_str(), read.resource.as_str(), read.alias.as_ref()), ("TESTER", "f:live", None));
    assert_eq!(written.revision_sent.as_ref(), Some(&revision));
    assert_eq!((written.before().unwrap().share("2"), written.before().unwrap().revision.as_str()), (0.0, revision.as_str()));
    let now = written.after().unwrap();
    assert_eq!((now.share("1"), now.share("2"), now.share("3"), now.description.as_str()), (0.9, 0.1, 0.0, "d"));
    assert_eq!(now.revision, after.json["RevisionId"].as_str().unwrap());
    assert_eq!((refused.error.as_deref(), refused.before() == refused.after()), (Some("PreconditionFailedException"), true));
    assert_eq!((deleted.before().is_some(), deleted.after()), (true, None));
    assert_eq!(client.world.alias_writes("f", "live").count(), 2);
}

#[test]
fn throttles_failures_and_denials_change_nothing() {
    for (effect, status, code) in [
        (Effect::Throttle, 429, "TooManyRequestsException"),
        (Effect::ServerError(500), 500, "ServiceException"),
        (Effect::ServerError(503), 503, "ServiceUnavailableException"),
        (Effect::Conflict, 409, "ResourceConflictException"),
        (Effect::Deny, 403, "AccessDeniedException"),
    ] {
        let mut client = with_fault(Fault::on("UpdateAlias", effect));
        let seen = client.put(LIVE, &json!({"Description": "x"}));
        assert_eq!((seen.status, seen.header("x-amzn-errortype")), (status, Some(code)));
        assert_eq!(client.world.log().last().unwrap().error.as_deref(), Some(code));
        assert_eq!(client.get(LIVE).json["Description"], "", "{effect:?}");
    }
    let mut client = with_fault(Fault::everywhere(Effect::Throttle));
    let seen = client.get(LIVE);
    assert_eq!(seen.header("retry-after"), Some("1"));
    assert_eq!(seen.json, json!({"Reason": "CallerRateLimitExceeded", "Type": "User", "message": "Rate exceeded"}));
}

#[test]
fn a_denial_names_the_action_and_what_it_is_guarded_as() {
    let mut client = with_fault(Fault::everywhere(Effect::Deny));
    let mut denied = |method: &str, path: &str, body: &Value| {
        let seen = client.send(&Client::request(method, path, body.to_string().as_bytes()));
        assert_eq!((seen.status, seen.header("x-amzn-errortype")), (403, Some("AccessDeniedException")), "{path}");
        assert_eq!(seen.json.as_object().map(serde_json::Map::len), Some(1), "{}", seen.json);
        seen.json["Message"].as_str().unwrap().to_owned()
    };
    let words = |action: &str, resource: &str| {
        format!(
            "User: arn:aws:iam::111111111111:user/TESTER is not authorized to perform: lambda:{action} on resource: {resource} \
             because no identity-based policy allows the lambda:{action} action"
        )
    };
    let arn = |rest: &str| format!("arn:aws:lambda:us-east-1:111111111111:{rest}");
    let none = json!({});
    let f = "/2015-03-31/functions/f";
    for (method, path, action, resource) in [
        // An alias is guarded as part of its function, a version and an invocation as what they name.
        ("GET", format!("{f}/aliases/live"), "GetAlias", arn("function:f")),
        ("PUT", format!("{f}/aliases/live"), "UpdateAlias", arn("function:f")),
        ("POST", format!("{f}/versions"), "PublishVersion", arn("function:f")),
        ("GET", format!("{f}/configuration?Qualifier=2"), "GetFunctionConfiguration", arn("function:f:2")),
        ("POST", format!("{f}/invocations?Qualifier=live"), "InvokeFunction", arn("function:f:live")),
        ("GET", "/2015-03-31/functions".to_owned(), "ListFunctions", "*".to_owned()),
        ("GET", "/2015-03-31/event-source-mappings/u-1".to_owned(), "GetEventSourceMapping", arn("event-source-mapping:u-1")),
    ] {
        assert_eq!(denied(method, &path, &none), words(action, &resource));
    }
    // Neither a stale revision nor what is not there is noticed first.
    assert_eq!(
        denied("PUT", &format!("{f}/aliases/live"), &json!({"RevisionId": "stale"})),
        words("UpdateAlias", &arn("function:f"))
    );
    assert_eq!(denied("PUT", "/2015-03-31/functions/g/aliases/x", &none), words("UpdateAlias", &arn("function:g")));
    assert_eq!(
        denied("PUT", &format!("{f}/aliases/12"), &json!({"FunctionVersion": 7})),
        words("UpdateAlias", &arn("function:f"))
    );
}

#[test]
fn a_denied_call_costs_no_quota() {
    let mut client = Client::furnished(Settings { quotas: true, ..Settings::served() });
    client.world.add_fault(Fault::on("UpdateAlias", Effect::Deny));
    let statuses: BTreeSet<u16> = (0..40).map(|_| client.put(LIVE, &json!({})).status).collect();
    assert_eq!(statuses, BTreeSet::from([403]));
    assert_eq!((0..15).filter(|_| client.get(LIVE).status == 200).count(), 15);
}

#[test]
fn a_lost_answer_was_applied_and_a_refused_connection_was_not() {
    let mut client = with_fault(Fault::on("UpdateAlias", Effect::LostAnswer).nth(1));
    assert!(matches!(shift(&mut client, 0.3), Answer::Lost));
    assert_share(&client, 0.3);
    let record = client.world.log().last().unwrap();
    assert_eq!((record.delivery, record.status), (Delivery::Lost, 200));

    let mut client = with_fault(Fault::on("UpdateAlias", Effect::Refuse).nth(1));
    assert!(matches!(shift(&mut client, 0.3), Answer::Refused));
    assert_share(&client, 0.0);
    let record = client.world.log().last().unwrap();
    assert_eq!((record.delivery, record.status, record.resource.as_str()), (Delivery::Refused, 0, "f:live"));
    assert!(matches!(shift(&mut client, 0.4), Answer::Response(_)), "only the first");
    assert_share(&client, 0.4);
}

#[test]
fn a_late_write_is_applied_after_younger_ones() {
    let late = Duration::from_secs(20);
    let mut client = with_fault(Fault::on("UpdateAlias", Effect::LateWrite(late)).nth(1));
    let sent = client.now;
    assert!(matches!(shift(&mut client, 0.3), Answer::Hangs));
    client.wait(Duration::from_secs(10));
    assert!(matches!(shift(&mut client, 0.1), Answer::Response(_)));
    client.wait(Duration::from_secs(9));
    assert_share(&client, 0.1);
    client.wait(Duration::from_secs(1));
    assert_share(&client, 0.3);
    let deliveries: Vec<_> = client.world.log().iter().map(|record| (record.at, record.delivery)).collect();
    let middle = sent + Duration::from_secs(10);
    assert_eq!(
        deliveries,
        [(sent, Delivery::Held(sent + late)), (middle, Delivery::Answered), (sent + late, Delivery::Late(sent))]
    );
}

#[test]
fn a_stale_read_shows_what_stood_before_a_young_write() {
    let mut client = with_fault(Fault::on("GetAlias", Effect::StaleRead(Duration::from_secs(2))));
    client.wait(Duration::from_secs(10));
    let before = client.get(LIVE).json;
    client.put(LIVE, &json!({"Description": "new"}));
    client.wait(Duration::from_secs(1));
    assert_eq!(client.get(LIVE).json, before);
    client.wait(Duration::from_secs(1));
    assert_eq!(client.get(LIVE).json["Description"], "new");
}

#[test]
fn quotas_refuse_the_sixteenth_call_of_a_second_where_they_are_on() {
    let statuses = |quotas: bool| -> Vec<u16> {
        let mut client = Client::furnished(Settings { quotas, ..Settings::served() });
        (0..16).map(|_| client.get(LIVE).status).collect()
    };
    assert_eq!(statuses(true), [vec![200; 15], vec![429]].concat());
    assert_eq!(statuses(false), [200; 16]);
}

#[test]
fn cloudwatch_is_throttled_and_denied_in_its_own_words() {
    let mut client = with_fault(Fault::on("DescribeAlarms", Effect::Throttle).nth(1));
    client.world.add_fault(Fault::on("DescribeAlarms", Effect::Deny).nth(2));
    let request = http::Request::post("/")
        .header("x-amz-target", "GraniteServiceVersion20100801.DescribeAlarms")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amzn-query-mode", "true")
        .body(bytes::Bytes::from_static(b"{}"))
        .unwrap();
    let code = |seen: &Seen| seen.header("x-amzn-query-error").unwrap().split(';').next().unwrap().to_owned();
    let seen = client.send(&request);
    assert_eq!((seen.status, code(&seen)), (400, "Throttling".to_owned()));
    let seen = client.send(&request);
    assert_eq!((seen.status, code(&seen)), (403, "AccessDenied".to_owned()));
    let seen = client.send(&request);
    assert_eq!(seen.status, 200);
    let errors: Vec<_> = client.world.log().iter().map(|record| record.error.as_deref()).collect();
    assert_eq!(errors, [Some("Throttling"), Some("AccessDenied"), None]);
    assert_eq!(client.world.log()[0].caller, "anonymous");
}

#[test]
fn planned_events_happen_in_order_and_others_calls_are_logged_as_theirs() {
    let mut client = Client::furnished(Settings::served());
    let (start, second) = (client.now, Duration::from_secs(1));
    let body = br#"{"RoutingConfig":{"AdditionalVersionWeights":{"2":0.5}}}"#;
    let request = Client::request("PUT", "/2015-03-31/functions/f/aliases/live", body);
    client.world.schedule(start + second * 3, Event::AddFault(Fault::everywhere(Effect::Throttle)));
    client.world.schedule(start + second * 2, Event::Call { caller: "SOMEBODY".to_owned(), request });
    let variables = vec![("SIM_BODY".to_owned(), "changed".to_owned())];
    client.world.schedule(start + second, Event::SetEnvironment { function: "f".to_owned(), variables });
    client.wait(second);
    assert_eq!(client.post("/functions/f/invocations", &json!({})).json, "changed");
    assert_share(&client, 0.0);
    client.wait(second);
    assert_share(&client, 0.5);
    let theirs = client.world.log().last().unwrap();
    assert_eq!((theirs.caller.as_str(), theirs.at), ("SOMEBODY", start + second * 2));
    client.wait(second);
    assert_eq!(client.get(LIVE).status, 429);
}

#[test]
fn every_answer_carries_the_worlds_date_and_its_skew() {
    let mut client = Client::furnished(Settings { clock_skew_millis: -90_000, ..Settings::served() });
    assert_eq!(client.get(LIVE).header("date"), Some("Mon, 24 Nov 2025 15:58:30 GMT"));
}

#[test]
fn a_hooks_job_tags_the_function_when_it_is_done_and_no_sooner() {
    let mut client = Client::furnished(Settings::served());
    let report = "after=90s key=hook/{/LifecycleEventHookExecutionId} value=Succeeded";
    let variables = [("SIM_HOOK", "InProgress"), ("SIM_LATENCY_MS", "800"), ("SIM_HOOK_REPORT", report)];
    client.world.create_function("hook", &variables).unwrap();
    let event = json!({"LifecycleEventHookExecutionId": "r/pre/1", "told": {"function": "f", "alias": "live"}});
    let seen = client.post("/functions/hook/invocations", &event);
    assert_eq!(seen.json, json!({"status": "InProgress"}));
    let tags = |client: &mut Client| {
        let path = "/2017-03-31/tags/arn:aws:lambda:us-east-1:111111111111:function:f";
        client.send(&Client::request("GET", path, b"")).json["Tags"].clone()
    };
    client.wait(Duration::from_millis(90_799));
    assert_eq!(tags(&mut client), json!({}));
    client.wait(Duration::from_millis(1));
    assert_eq!(tags(&mut client), json!({"hook/r/pre/1": "Succeeded"}));
    let record = client.world.log().iter().find(|record| record.operation == "TagResource").unwrap();
    assert_eq!((record.caller.as_str(), record.status), ("hook", 204));

    client.world.set_environment("hook", &[("SIM_HOOK", "Throw")]).unwrap();
    client.post("/functions/hook/invocations", &event);
    client.wait(Duration::from_mins(5));
    let told = client.world.log().iter().filter(|record| record.operation == "TagResource").count();
    assert_eq!(told, 1, "what threw has started nothing");
}
