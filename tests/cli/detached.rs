//! A rollout that no process stays with, from the command line: it is left, continued by turns, and waited for.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::served::{Served, code, expect, expect_end, json_lines, text};

const PLAN: &str = "hello --steps 10,50 --every 1s --bake 1s --poll 200ms --no-config";

fn last(output: &std::process::Output) -> Value {
    json_lines(&text(output)).pop().unwrap()
}

#[test]
fn turns_from_a_shell_promote_what_was_left() {
    let served = Served::functions(&["hello"], "live");
    let begun = expect(served.run(&format!("rollout {PLAN} --detach=ticks")), 0, "DETACHED   hello:live");
    expect(begun, 0, "canaryctl pause hello:live");
    assert!((served.share("2") - 0.1).abs() < 0.001);
    let shown = served.run(&format!("tick {PLAN}"));
    expect(shown, 0, "hello:live: 90% on 1, 10% on 2");
    let mut turns = 0;
    let done = loop {
        let line = last(&served.run(&format!("tick {PLAN} --output json")));
        if line["next"] != "wait" {
            break line;
        }
        assert!(line["until"].is_string() && line["waits_for"].is_string(), "{line}");
        turns += 1;
        assert!(turns < 100, "{line}");
        thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(
        (done["next"].as_str(), done["outcome"].as_str(), done["exit_code"].as_u64()),
        (Some("done"), Some("promoted"), Some(0))
    );
    assert!(served.promoted("hello", "live"));
    expect(served.run(&format!("tick {PLAN}")), 0, "no rollout is in progress; 100% on 2");
    expect(served.run("tick hello --type AllAtOnce --no-config --output json"), 0, r#""next":"done""#);
}

#[test]
fn a_turn_with_another_plan_or_of_nothing_is_refused_and_moves_nothing() {
    let served = Served::functions(&["hello"], "live");
    expect(served.run(&format!("rollout {PLAN} --detach=ticks")), 0, "DETACHED");
    let writes = served.writes();
    expect(served.run("tick hello --type AllAtOnce --no-config"), 3, "with a different plan");
    expect(served.run(&format!("rollout {PLAN} --guard --detach=ticks")), 2, "cannot be used with");
    expect(served.run(&format!("rollout {PLAN} --wait")), 2, "--detach");
    assert_eq!(served.writes(), writes);
    // Run once more, it is detached already.
    expect(served.run(&format!("rollout {PLAN} --detach=ticks")), 0, "it continues by turns");
    assert_eq!(served.writes(), writes);
    expect(served.run("rollout other --type AllAtOnce --no-config --detach"), 3, "canaryctl controller template");
}

#[test]
fn whoever_waits_exits_as_the_rollout_ends() {
    for (ends, expected) in [("tick", 0), ("rollback hello --no-config", 13)] {
        let served = Served::functions(&["hello"], "live");
        let waiting = served.start_command(&format!("rollout {PLAN} --detach=ticks --wait"));
        served.await_share("2");
        for _ in 0..100 {
            let ended = match ends {
                "tick" => last(&served.run(&format!("tick {PLAN} --output json")))["next"] == "done",
                command => code(&served.run(command)) == 0,
            };
            if ended {
                break;
            }
            thread::sleep(Duration::from_millis(200));
        }
        let said = expect_end(waiting, expected);
        assert!(said.contains(if expected == 0 { "promoted; 100% on 2" } else { "rolled back manually; 100% on 1" }), "{said}");
    }
}
