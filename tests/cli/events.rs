//! `canaryctl events`: what turns wrote into the log of the controller's function, from the command line.

use serde_json::{Value, json};
use sim::{Effect, Fault};

use crate::folder::Folder;
use crate::served::{Served, code, expect, function, json, json_lines, text};

const CONTROLLER: &str = "canaryctl-controller";

/// A rollout that is left to turns, and its id.
fn detached(served: &Served) -> String {
    expect(served.run("rollout hello --steps 10,50 --every 10m --analysis off --no-config --detach=ticks"), 0, "DETACHED");
    json(&served.run("status hello --no-config --output json"))["rollout_id"].as_str().unwrap().to_owned()
}

/// Has the controller's function write these lines, one an invocation.
fn write(served: &Served, lines: &[String]) {
    for line in lines {
        served.account.with(|world| world.set_environment(CONTROLLER, &[("SIM_LOG", line)]).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(400));
        let request = http::Request::post(format!("/2015-03-31/functions/{CONTROLLER}/invocations"));
        let request = request.body("{}".into()).unwrap();
        let now = served.account.with(|world| world.now());
        let reply = served.account.with(|world| world.answer(now, "SCHEDULER", &request));
        assert!(matches!(reply.answer, sim::Answer::Response(response) if response.status() == 200));
    }
}

fn event(second: u8, what: &Value) -> String {
    let mut event = json!({"v": 1, "at": format!("2026-11-23T14:00:0{second}.000Z"), "function": "hello", "alias": "live"});
    event.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
    event.to_string()
}

#[test]
fn the_events_of_a_rollout_come_out_of_the_controllers_log() {
    let served = Served::furnished(|world| {
        function(world, "hello", "live");
        world.create_function(CONTROLLER, &[]).unwrap();
    });
    expect(served.run("events hello --no-config"), 3, "the alias hello:live has no record of a rollout");
    let id = detached(&served);
    expect(served.run("events hello --no-config"), 3, "there is no log group /aws/lambda/canaryctl-controller");
    let started = |id: &str| {
        json!({
            "type": "started", "rollout_id": id, "stable": "1", "candidate": "2", "schedule": "", "weights": [0.1], "every_seconds": 60,
            "bake_seconds": 0, "alarms": [], "pre_hook": null, "post_hook": null,
        })
    };
    write(&served, &[event(1, &started("00000001")), "not an event".to_owned()]);
    let nothing =
        expect(served.run("events hello --no-config"), 3, &format!("no events of rollout {id} of hello:live in /aws/lambda"));
    assert!(text(&nothing).contains("--controller NAME"), "{}", text(&nothing));
    write(&served, &[event(3, &started(&id)), event(2, &json!({"type": "warning", "text": "slow"}))]);
    let found = served.run("events hello --no-config");
    assert_eq!(code(&found), 0, "{}", text(&found));
    let kinds: Vec<Value> = json_lines(&text(&found)).into_iter().map(|line| line["type"].clone()).collect();
    // Written by another environment, which was never told which rollout it continues: it may be another one's.
    assert_eq!(kinds, ["started"]);
    // Another one than the last needs its start.
    expect(served.run("events hello --no-config --rollout 00000001"), 3, "--since 2d");
    expect(served.run("events hello --no-config --rollout 00000001 --since 1h"), 0, "00000001");
    expect(served.run(&format!("events hello --no-config --rollout {id} --controller other")), 3, "/aws/lambda/other");
    let folder = Folder::new("events", &[]);
    let path = folder.0.join("turns.jsonl");
    expect(served.run(&format!("events hello --no-config --to {}", path.display())), 0, ": 1, in `");
    expect(crate::served::run(&format!("explain {}", path.display())), 0, "hello:live");
    served.fault(Fault::on("FilterLogEvents", Effect::Deny));
    expect(served.run("events hello --no-config"), 3, "logs:FilterLogEvents");
    let policy = text(&served.run("iam-policy hello --type AllAtOnce --no-config --detach"));
    assert!(
        policy.contains("logs:FilterLogEvents") && policy.contains("log-group:/aws/lambda/canaryctl-controller:*"),
        "{policy}"
    );
}
