//! The live view in a terminal: its keys do what the commands do, the terminal is as it was afterwards, and what is to be seen is
//! what it was. Skipped, with a notice, where there is no tmux.

#![expect(clippy::unwrap_used, reason = "a terminal that cannot be used has failed")]

#[expect(dead_code, reason = "the stage of other tests, too")]
#[path = "../harness/served.rs"]
mod served;

mod frames;
mod tmux;

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use sim::{Effect, Fault};

use crate::served::{LONG, SHORT, Served, expect_end, json_lines};
use crate::tmux::Terminal;

/// Runs the command, with the terminal's settings taken down before and after.
const ONCE: &str = "stty -g > $FOLDER/before; $CANARYCTL; echo code $?; stty -g > $FOLDER/after; echo over; exec sleep 100";

fn run(served: &Served, arguments: &str) -> Option<Terminal> {
    Terminal::open((100, 30), &served.command(arguments), ONCE)
}

fn description(served: &Served) -> String {
    served.account.with(|world| world.alias("hello", "live").unwrap().description.clone())
}

fn await_description(served: &Served, what: &str, is_so: impl Fn(&str) -> bool) {
    let began = Instant::now();
    while !is_so(&description(served)) {
        assert!(began.elapsed() < Duration::from_secs(20), "never {what}: {}", description(served));
        thread::sleep(Duration::from_millis(20));
    }
}

/// The command has ended with this code, and the terminal is as it was before.
fn assert_over(terminal: &Terminal, code: i32) {
    let screen = terminal.await_text("over\n");
    assert!(screen.contains(&format!("code {code}\n")), "{screen}");
    let before = terminal.file("before");
    assert!(!before.is_empty());
    assert_eq!(terminal.file("after"), before, "the terminal's settings");
}

fn is_paused(note: &str) -> bool {
    note.contains(" u=")
}

#[test]
fn a_key_asks_before_it_does_anything_and_then_does_what_the_command_does() {
    let served = Served::start();
    let Some(terminal) = run(&served, LONG) else { return };
    terminal.await_text("p pause  a promote  r roll back  q stop watching  ^C roll back");
    served.await_share("2");
    let writes = served.writes();
    terminal.press("p");
    terminal.await_text("hold 10% on 2 for an hour?  y to confirm");
    terminal.press("x");
    terminal.await_text("nothing was done");
    // An answer to no question, keys without a letter, and what is pasted.
    for key in ["y", "Up", "ry", "z"] {
        terminal.press(key);
        thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(served.writes(), writes, "{}", terminal.screen());
    terminal.confirm("p", "y to confirm");
    terminal.await_text("traffic   set 10%   paused until ");
    assert!(is_paused(&description(&served)), "{}", description(&served));
    terminal.await_text("p resume");
    terminal.confirm("p", "end the pause of hello:live?");
    await_description(&served, "resumed", |note| !is_paused(note));
    terminal.await_text("   next 50% in ");
    terminal.await_text("r roll back");
    terminal.confirm("r", "roll hello:live back to 1?");
    let screen = terminal.await_text("✖ ROLLED BACK   hello:live stays on 1");
    assert!(screen.contains("100% on 1, confirmed"), "{screen}");
    assert!(served.share("2") == 0.0);
    assert_over(&terminal, 13);
}

#[test]
fn whoever_leaves_it_running_gives_the_lease_up() {
    let served = Served::start();
    let Some(terminal) = run(&served, LONG) else { return };
    served.await_share("2");
    terminal.await_text("q stop watching");
    terminal.confirm("q", "leave 10% on 2 and stop watching?");
    terminal.await_text("▸ LEFT IN PROGRESS   hello:live: 2 keeps 10% of traffic");
    assert_over(&terminal, 30);
    assert!((served.share("2") - 0.1).abs() < 1e-9);
    let note = description(&served);
    assert!(note.contains("shift 1>2 10%") && !note.contains(" l="), "{note}");
}

#[test]
fn a_promotion_is_made_and_one_that_nobody_would_watch_is_refused() {
    let served = Served::start();
    let Some(terminal) = run(&served, &format!("{LONG} --bake 2s")) else { return };
    served.await_share("2");
    served.fault(Fault::on("DescribeAlarms", Effect::Deny));
    terminal.await_text("holding: monitoring unavailable");
    await_description(&served, "blind", |note| note.contains(" b="));
    let promote = || {
        terminal.await_text("a promote");
        terminal.confirm("a", "shift 100% of traffic to 2 now?");
    };
    promote();
    terminal.await_text("✖ not promoted: monitoring is unavailable");
    assert!((served.share("2") - 0.1).abs() < 1e-9);
    served.account.with(sim::World::clear_faults);
    await_description(&served, "seeing", |note| !note.contains(" b="));
    promote();
    terminal.await_text("PROMOTED   hello:live is on 2");
    assert_over(&terminal, 0);
}

#[test]
fn a_signal_says_at_once_what_it_does() {
    for (policy, says, ends, code) in [
        ("rollback", "^C: rolling back to 1; ^C again exits at once", "ROLLED BACK", 13),
        ("hold", "^C: leaving 10% on 2, no longer watched; ^C again exits at once", "LEFT IN PROGRESS", 30),
    ] {
        let served = Served::start();
        let Some(terminal) = run(&served, &format!("{LONG} --on-interrupt {policy}")) else { return };
        terminal.await_text("shifted   10% of traffic to version 2");
        terminal.await_text("r roll back");
        served.fault(Fault::on("UpdateAlias", Effect::Latency(Duration::from_secs(2))));
        terminal.press("C-c");
        terminal.await_text(says);
        // Told to stop, it asks no more.
        terminal.press("p");
        terminal.await_text(ends);
        assert_over(&terminal, code);
    }
}

#[test]
fn a_simulation_that_is_held_back_hears_keys_and_signals_meanwhile() {
    let simulated = |speed: &str| {
        let mut command = served::canaryctl();
        command.args(["rollout", "hello", "--simulate", "--speed", speed]);
        Terminal::open((100, 30), &command, ONCE)
    };
    // The next event is seconds away.
    let Some(terminal) = simulated("1") else { return };
    terminal.await_text("acquired  the alias");
    terminal.await_text("r roll back");
    terminal.press("C-c");
    terminal.await_text("✖ ROLLED BACK   hello:Live stays on 41");
    assert_over(&terminal, 13);
    let Some(terminal) = simulated("20") else { return };
    terminal.await_text("set 10%");
    terminal.confirm("r", "roll hello:Live back to 41?");
    terminal.await_text("✖ ROLLED BACK   hello:Live stays on 41");
    assert_over(&terminal, 13);
}

#[test]
fn a_signal_from_elsewhere_gives_the_terminal_back_too() {
    let served = Served::start();
    let script = ONCE.replace("$CANARYCTL", "sh -c 'echo $$ > $FOLDER/pid; exec $CANARYCTL'");
    let Some(terminal) = Terminal::open((80, 24), &served.command(LONG), &script) else { return };
    served.await_share("2");
    terminal.await_text("r roll back");
    assert!(Command::new("sh").args(["-c", "kill -TERM \"$0\"", terminal.file("pid").trim()]).status().unwrap().success());
    assert_over(&terminal, 13);
}

#[test]
fn in_the_background_it_goes_on_and_reads_no_key() {
    let served = Served::start();
    let script = "set -m; $CANARYCTL & wait $!; echo code $?; exec sleep 100";
    let Some(terminal) = Terminal::open((80, 24), &served.command(SHORT), script) else { return };
    terminal.press("r");
    terminal.press("y");
    terminal.await_text("PROMOTED");
    terminal.await_text("code 0\n");
}

#[test]
fn suspended_it_gives_the_terminal_back_and_takes_it_again() {
    let served = Served::start();
    let Some(terminal) = Terminal::open((80, 24), &served.command(LONG), "exec bash --norc -i") else { return };
    thread::sleep(Duration::from_millis(500));
    terminal.press("stty -g > $FOLDER/before; $CANARYCTL; echo code $?");
    terminal.press("Enter");
    served.await_share("2");
    terminal.await_text("r roll back");
    terminal.press("C-z");
    terminal.await_text("Stopped");
    terminal.press("stty -a | grep -c ' icanon'; fg");
    terminal.press("Enter");
    terminal.await_text("\n1\n");
    terminal.await_text("r roll back");
    terminal.confirm("r", "y to confirm");
    terminal.await_text("✖ ROLLED BACK   hello:live stays on 1");
    assert!(served.share("2") == 0.0);
}

#[test]
fn without_a_terminal_to_read_from_there_are_no_keys() {
    let served = Served::start();
    let script = "$CANARYCTL < /dev/null; echo code $?; exec sleep 100";
    let Some(terminal) = Terminal::open((80, 24), &served.command(LONG), script) else { return };
    let screen = terminal.await_text("shifted   10% of traffic to version 2");
    assert!(!screen.contains("r roll back"), "{screen}");
    terminal.press("r");
    terminal.press("y");
    terminal.press("C-c");
    terminal.await_text("code 13\n");
}

#[test]
fn a_rollout_is_watched_from_elsewhere_until_it_ends() {
    let served = Served::start();
    let mut rollout = served.start_command(LONG);
    served.await_share("2");
    let Some(terminal) = run(&served, "status hello --watch --poll 200ms --alarm errors") else {
        served::signal(&rollout, "-INT");
        rollout.wait().unwrap();
        return;
    };
    let lines = served.start_command("status hello --watch --poll 200ms");
    let objects = served.start_command("status hello --watch --poll 200ms --output json");
    let screen = terminal.await_text("traffic   set 10%   next step in ");
    assert!(screen.contains("hello:live   1 ▸ 2   driven by another process"), "{screen}");
    terminal.await_text("alarms    ✔ errors OK ");
    terminal.await_text("^C stops watching; the rollout continues");
    let before = served.writes();
    thread::sleep(Duration::from_secs(1));
    assert_eq!(served.writes(), before, "watching writes nothing");
    assert!(served.run("pause hello").status.success());
    terminal.await_text("paused until ");
    // The other two look every fifth of a second, too.
    thread::sleep(Duration::from_secs(1));
    assert!(served.run("rollback hello").status.success());
    terminal.await_text("✖ ROLLED BACK   hello:live stays on 1");
    terminal.await_text("code 0\n");
    rollout.wait().unwrap();
    let text = expect_end(lines, 0);
    for line in ["10% of traffic to version 2 (step 1 of 3)", "manually until", "100% of traffic to 1", "✖ ROLLED BACK"] {
        assert_eq!(text.matches(line).count(), 1, "{line}: {text}");
    }
    let text = expect_end(objects, 0);
    let states = json_lines(&text).into_iter().map(|line| (line["alias_state"].clone(), line["paused"].clone()));
    let expected = [("running", false), ("running", true), ("idle", false)].map(|(state, paused)| (state.into(), paused.into()));
    assert_eq!(states.collect::<Vec<_>>(), expected, "{text}");
}
