//! A simulation is held back to its speed and never raced: neither the speed nor a busy machine changes what happens in it.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::served::{assert_has, code, expect, run, text};

const SHORT: &str = "rollout hello --simulate --type AllAtOnce --bake 20s --analysis off";

fn printed(output: &Output) -> String {
    assert_eq!(code(output), 0, "{}", text(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn one_seed_is_one_story_at_every_speed() {
    let told = |speed: &str, form: &str| {
        let began = Instant::now();
        let told = printed(&run(&format!("{SHORT} --seed 7 --speed {speed} --output {form}")));
        (told, began.elapsed())
    };
    let (text, _) = told("max", "text");
    assert_has(&text, &["14:00:00  hello:Live  started", "PROMOTED"]);
    let events = told("max", "json").0;
    for speed in ["60", "5000"] {
        assert_eq!(told(speed, "text").0, text, "at speed {speed}");
        assert_eq!(told(speed, "json").0, events, "at speed {speed}");
    }
    assert_ne!(printed(&run(&format!("{SHORT} --seed 8 --speed max"))), text);
    // 28 simulated seconds.
    let (slow, took) = told("10", "text");
    assert!(took > Duration::from_millis(2_700), "{took:?}");
    assert_eq!(slow, text);
}

#[test]
fn a_failure_is_seen_at_the_same_moment_at_every_speed() {
    let told = |speed: &str| {
        let output = run(&format!("rollout --simulate=hello-errors --seed 3 --speed {speed} --output json"));
        assert_eq!(code(&output), 10, "{}", text(&output));
        output.stdout
    };
    assert_eq!(told("5000"), told("max"));
}

#[test]
fn a_busy_machine_rolls_no_good_version_back() {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        for _ in 0..cores {
            scope.spawn(|| {
                let began = Instant::now();
                while !over.load(Ordering::Relaxed) && began.elapsed() < Duration::from_secs(20) {
                    std::hint::spin_loop();
                }
            });
        }
        let output = run("rollout hello --simulate --speed 5000");
        over.store(true, Ordering::Relaxed);
        expect(output, 0, "✔ PROMOTED   hello:Live is on 42");
    });
}

#[test]
fn a_speed_that_no_machine_keeps_takes_no_more_memory() {
    // A gigabyte of addresses: a tenth of it is used.
    let limited = "ulimit -v 1000000 && exec \"$0\" rollout hello --simulate --speed";
    for speed in ["100000", "max"] {
        let output = Command::new("sh").args(["-c", &format!("{limited} {speed}"), env!("CARGO_BIN_EXE_canaryctl")]).output();
        expect(output.unwrap(), 0, "✔ PROMOTED   hello:Live is on 42");
    }
}

#[test]
fn other_commands_are_simulated_as_before() {
    expect(run("plan hello --simulate --speed max"), 0, "Linear10PercentEvery1Minute");
    expect(run("doctor hello --simulate --seed 1"), 0, "");
    expect(run("rollback hello --simulate"), 3, "");
    expect(run("status hello --simulate --watch"), 0, "hello:Live");
    for (arguments, words) in [
        ("plan hello --simulate --speed 0", "expected 0.1 to 100000, or `max`"),
        ("plan hello --simulate --seed x", "--seed"),
        ("plan hello --type AllAtOnce --seed 5", "--simulate"),
    ] {
        expect(run(arguments), 2, words);
    }
}
