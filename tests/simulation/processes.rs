//! What holds in virtual time holds for real processes: SIGKILL at any moment does no harm, and of three at once only one does anything.
//!
//! The binary itself, over a socket, in real time: few runs, all at the same time.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use sim::{Account, Accounts, SimClock, Time};

use crate::checks::judge;
use crate::record::{Ended, Record, Role, Run};
use crate::stage::{ALIAS, furnish, name};
use crate::story::{Act, Manner, Story, Wish};

/// A simulated AWS behind a socket.
struct Served {
    story: Story,
    account: Account,
    opened: Time,
    url: String,
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
    (story.weather, story.acts) = (Vec::new(), vec![(Duration::ZERO, Act::Start(0, Wish::Wait)), (Duration::ZERO, Act::Kill(0))]);
    story
}

impl Served {
    fn start(seed: u64) -> Self {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let story = story(seed);
                let clock = SimClock::new(SystemTime::now(), 1.0);
                let opened = Time::from(clock.now());
                let furnished = story.clone();
                let accounts = Accounts::new(clock, move |_| furnish(&furnished, opened));
                let account = accounts.region("us-east-1");
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let url = format!("http://{}", listener.local_addr().unwrap());
                tell.send(Self { story, account, opened, url }).unwrap();
                sim::serve(accounts, listener, std::future::pending()).await.unwrap();
            });
        });
        told.recv().unwrap()
    }

    fn now(&self) -> Time {
        Time::from(self.account.clock().now())
    }

    fn rollout(&self, caller: &'static str, more: &str) -> Process {
        let arguments = "rollout function00:live --steps 20,60 --every 1s --bake 1s --poll 200ms --alarm first00 \
                         --pre-hook preHook00 --post-hook postHook00";
        self.process(caller, Role::Rollout, &format!("{arguments}{more}"))
    }

    fn process(&self, caller: &'static str, role: Role, arguments: &str) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_canaryctl"));
        for name in ["AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"] {
            command.env_remove(name);
        }
        command
            .args(arguments.split_whitespace())
            .args(["--endpoint-url", &self.url, "--region", "us-east-1"])
            .env("AWS_ACCESS_KEY_ID", caller)
            .env("AWS_SECRET_ACCESS_KEY", "none")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Process { caller, role, began: self.now(), child: command.spawn().unwrap() }
    }

    /// Waits until a process has ended; one that was killed has no exit code.
    fn end(&self, process: Process) -> Run {
        let Process { caller, role, began, mut child } = process;
        let code = child.wait().unwrap().code();
        let ended = code.map(|code| Ended { at: self.now(), code: u8::try_from(code).unwrap(), left: Vec::new() });
        Run { member: Some(0), ..Run::of(caller, role, began, ended) }
    }

    fn record(&self, runs: Vec<Run>) -> Record {
        self.account.with(|world| Record::of(&self.story, self.opened, world, runs))
    }
}

fn assert_right(record: &Record) {
    let wrong = judge(record);
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", record.told());
}

/// Kills a rollout after so long, and lets somebody finish: the same command again, or a person who rolls back.
fn kill_and_finish(seed: u64, lives: Duration) {
    let served = Served::start(seed);
    let mut first = served.rollout("FIRST", "");
    thread::sleep(lives);
    // SIGKILL; one that has ended already has ended.
    let _ = first.child.kill();
    let mut runs = vec![served.end(first)];
    let goes_on = seed.is_multiple_of(2);
    let next = if goes_on {
        served.rollout("SECOND", " --take-over")
    } else {
        served.process("PERSON", Role::RollBack, "rollback function00:live")
    };
    runs.push(served.end(next));
    let record = served.record(runs);
    assert_right(&record);
    let finished = if goes_on { "42" } else { "41" };
    let right = record.last[0].version == finished && record.last[0].weights.is_empty();
    assert!(right, "killed after {lives:?}\n{}", record.told());
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
fn of_three_at_once_one_finishes_and_the_others_do_nothing() {
    let served = Served::start(1);
    let processes = ["ONE", "TWO", "THREE"].map(|caller| served.rollout(caller, ""));
    let runs: Vec<Run> = processes.into_iter().map(|process| served.end(process)).collect();
    let mut codes: Vec<u8> = runs.iter().filter_map(Run::code).collect();
    codes.sort_unstable();
    let record = served.record(runs);
    assert_right(&record);
    assert_eq!(codes, [0, 3, 3], "{}", record.told());
    assert_eq!(record.last[0].version, "42");
    for loser in record.runs.iter().filter(|run| run.code() == Some(3)) {
        let did = record.log.iter().filter(|call| call.caller == loser.caller && call.succeeded());
        let changed = did.filter(|call| {
            call.wrote(&name(0), ALIAS) || call.operation == "PublishVersion" || call.status == 200 && call.operation == "Invoke"
        });
        assert_eq!(changed.count(), 0, "{}", record.told());
    }
}
