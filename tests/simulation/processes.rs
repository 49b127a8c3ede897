//! What holds in virtual time holds for real processes: SIGKILL at any moment does no harm, and of three at once only one does anything.
//!
//! The binary itself, over a socket, in real time: few runs, all at the same time.

use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use sim::Time;

use crate::checks::judge;
use crate::record::{Ended, Record, Role, Run};
use crate::served::Served;
use crate::stage::{ALIAS, furnish, name};
use crate::story::{Act, Guarding, Manner, Story, Wish};

/// A story that real processes play, and the simulated AWS they play it on.
struct Play {
    story: Story,
    served: Served,
    opened: Time,
}

/// A process, as the checks want to know it.
struct Process {
    caller: &'static str,
    role: Role,
    began: Time,
    child: Child,
}

fn story(seed: u64) -> Story {
    let mut story = Story::of(seed);
    let (scene, asked) = (&mut story.scene, &mut story.asked);
    scene.first = false;
    (scene.error_rate, scene.traffic, scene.text, scene.published) = (0.0, 2.0, "Anna's", false);
    (scene.pre_hook, scene.post_hook) = (Some(Manner::Succeeds), Some(Manner::Succeeds));
    scene.version_settle = Duration::from_millis(200);
    (asked.steps, asked.alarms, asked.ignore_red) = (vec![20, 60, 100], 1, false);
    (asked.every, asked.bake, asked.poll) = (Duration::from_secs(1), Duration::from_secs(1), Duration::from_millis(200));
    // The deaths are the tests' own; for the checks this is a story that somebody disturbs.
    (story.guard, story.turns) = (Guarding::No, None);
    (story.weather, story.acts) = (Vec::new(), vec![(Duration::ZERO, Act::Start(0, Wish::Wait)), (Duration::ZERO, Act::Kill(0))]);
    story
}

impl Play {
    fn start(seed: u64) -> Self {
        let story = story(seed);
        let furnished = story.clone();
        let served = Served::of(move |_, opened| furnish(&furnished, opened));
        let opened = Time::from(served.account.clock().now());
        Self { story, served, opened }
    }

    fn now(&self) -> Time {
        Time::from(self.served.account.clock().now())
    }

    fn rollout(&self, caller: &'static str, more: &str) -> Process {
        let arguments = "rollout function00:live --steps 20,60 --every 1s --bake 1s --poll 200ms --alarm first00 \
                         --pre-hook preHook00 --post-hook postHook00";
        self.process(caller, Role::Rollout, &format!("{arguments}{more}"))
    }

    fn process(&self, caller: &'static str, role: Role, arguments: &str) -> Process {
        let mut command = self.served.command(arguments);
        command.env("AWS_ACCESS_KEY_ID", caller).stdout(Stdio::null()).stderr(Stdio::null());
        Process { caller, role, began: self.now(), child: command.spawn().unwrap() }
    }

    /// Waits until a process has ended; one that was killed has no exit code.
    fn end(&self, process: Process) -> Run {
        let Process { caller, role, began, mut child } = process;
        let code = child.wait().unwrap().code();
        let ended = code.map(|code| Ended { at: self.now(), code: u8::try_from(code).unwrap(), left: Vec::new(), rollout: None });
        Run { member: Some(0), ..Run::of(caller, role, began, ended) }
    }

    fn record(&self, runs: Vec<Run>) -> Record {
        self.served.account.with(|world| Record::of(&self.story, self.opened, world, runs))
    }
}

fn assert_right(record: &Record) {
    let wrong = judge(record);
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", record.text());
}

/// Kills a rollout after so long, and lets somebody finish: the same command again, or a person who rolls back.
fn kill_and_finish(seed: u64, lives: Duration) {
    let play = Play::start(seed);
    let mut first = play.rollout("FIRST", "");
    thread::sleep(lives);
    // SIGKILL; one that has ended already has ended.
    let _ = first.child.kill();
    let mut runs = vec![play.end(first)];
    let resumes = seed.is_multiple_of(2);
    let next = if resumes {
        play.rollout("SECOND", " --take-over")
    } else {
        play.process("PERSON", Role::RollBack, "rollback function00:live")
    };
    runs.push(play.end(next));
    let record = play.record(runs);
    assert_right(&record);
    let finished = if resumes { "42" } else { "41" };
    assert!(record.all_on(finished), "killed after {lives:?}\n{}", record.text());
}

#[test]
fn sigkill_at_any_moment_does_no_harm() {
    let mut rng = fastrand::Rng::new();
    thread::scope(|scope| {
        for part in 0..10 {
            // All of the rollout's five seconds, from before its first call.
            let lives = Duration::from_millis(part * 600 + rng.u64(0..600));
            scope.spawn(move || kill_and_finish(part, lives));
        }
    });
}

#[test]
fn a_terminal_that_closes_ends_a_rollout_as_a_cancelled_job_does() {
    let mut play = Play::start(2);
    play.story.acts.push((Duration::ZERO, Act::Signal(0)));
    play.story.asked.hold_on_interrupt = false;
    let rollout = play.rollout("ONE", "");
    let shared = || play.served.account.with(|world| world.alias(&name(0), ALIAS).is_some_and(|alias| !alias.weights.is_empty()));
    while !shared() {
        thread::sleep(Duration::from_millis(20));
    }
    let sent = std::process::Command::new("kill").args(["-HUP", &rollout.child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    let run = play.end(rollout);
    let code = run.code();
    let record = play.record(vec![run]);
    assert_right(&record);
    assert_eq!((code, record.all_on("41")), (Some(13), true), "{}", record.text());
}

#[test]
fn of_three_at_once_one_finishes_and_the_others_do_nothing() {
    let play = Play::start(1);
    let processes = ["ONE", "TWO", "THREE"].map(|caller| play.rollout(caller, ""));
    let runs: Vec<Run> = processes.into_iter().map(|process| play.end(process)).collect();
    let mut codes: Vec<u8> = runs.iter().filter_map(Run::code).collect();
    codes.sort_unstable();
    let record = play.record(runs);
    assert_right(&record);
    assert_eq!(codes, [0, 3, 3], "{}", record.text());
    assert_eq!(record.last[0].version, "42");
    for loser in record.runs.iter().filter(|run| run.code() == Some(3)) {
        let did = record.log.iter().filter(|call| call.caller == loser.caller && call.succeeded());
        let changed = did.filter(|call| {
            call.wrote(&name(0), ALIAS) || call.operation == "PublishVersion" || call.status == 200 && call.operation == "Invoke"
        });
        assert_eq!(changed.count(), 0, "{}", record.text());
    }
}
