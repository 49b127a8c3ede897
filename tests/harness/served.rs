//! A simulated AWS behind a real socket, the binary as a process beside it, and a way to look inside.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use sim::{Account, Accounts, Fault, Settings, SimClock, Time, World};

/// A simulated AWS behind a real socket, and a way to look inside.
pub(crate) struct Served {
    pub(crate) account: Account,
    pub(crate) url: String,
}

impl Served {
    /// `hello:live` on version 1, with new code waiting in `$LATEST`, an alarm and two hooks.
    pub(crate) fn start() -> Self {
        Self::furnished(|world| {
            function(world, "hello", "live");
            world.create_errors_alarm("errors", "hello", 1.0).unwrap();
            hook(world, "preHook");
            hook(world, "postHook");
        })
    }

    /// An account furnished like this.
    pub(crate) fn furnished(furnish: impl FnOnce(&mut World)) -> Self {
        let served = Self::of(|region, now| World::new(Settings::served().in_region(region), 7, now));
        served.account.with(furnish);
        served
    }

    /// Functions on version 1 of this alias, with new code waiting.
    pub(crate) fn functions(names: &[&str], alias: &str) -> Self {
        Self::furnished(|world| names.iter().for_each(|name| function(world, name, alias)))
    }

    /// Accounts that are made like this, one a Region, when they are first called.
    pub(crate) fn of(make: impl Fn(&str, Time) -> World + Send + Sync + 'static) -> Self {
        let (started, served) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let clock = SimClock::new(SystemTime::now());
                let accounts = Accounts::new(clock, move |region| make(region, Time::from(clock.now())));
                let account = accounts.region("us-east-1");
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                let url = format!("http://{}", listener.local_addr().unwrap());
                started.send(Self { account, url }).unwrap();
                sim::serve(accounts, listener, std::future::pending()).await.unwrap();
            });
        });
        served.recv().unwrap()
    }

    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = canaryctl();
        command.args(arguments.split_whitespace()).args(["--endpoint-url", &self.url, "--region", "us-east-1"]);
        command.env("AWS_ACCESS_KEY_ID", "any").env("AWS_SECRET_ACCESS_KEY", "any");
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Calls a function as its callers do, and waits for the answer.
    pub(crate) fn visit(&self, path: &str) {
        let host = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    }

    pub(crate) fn start_command(&self, arguments: &str) -> Child {
        start(&mut self.command(arguments))
    }

    /// A rollout that stays at its first weight until something happens, once it has come there.
    pub(crate) fn start_long(&self, options: &str) -> Child {
        let child = self.start_command(&format!("{LONG} {options}"));
        self.await_share("2");
        child
    }

    pub(crate) fn share(&self, version: &str) -> f64 {
        self.share_of("hello", version)
    }

    pub(crate) fn share_of(&self, function: &str, version: &str) -> f64 {
        self.account.with(|world| world.alias(function, "live").unwrap().share(version))
    }

    /// Whether all traffic is on version 2.
    pub(crate) fn promoted(&self, function: &str, alias: &str) -> bool {
        self.account.with(|world| (world.alias(function, alias).unwrap().share("2") - 1.0).abs() < f64::EPSILON)
    }

    pub(crate) fn await_share(&self, version: &str) {
        self.await_share_of("hello", version);
    }

    pub(crate) fn await_share_of(&self, function: &str, version: &str) {
        let began = Instant::now();
        while self.share_of(function, version) == 0.0 {
            assert!(began.elapsed() < Duration::from_secs(30), "{version} of {function} never got traffic");
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.account.with(|world| world.add_fault(fault));
    }

    pub(crate) fn writes(&self) -> usize {
        self.account.with(|world| world.alias_writes("hello", "live").count())
    }
}

/// A function on version 1, with new code waiting in `$LATEST`.
pub(crate) fn function(world: &mut World, name: &str, alias: &str) {
    world.create_function(name, &[("SIM_BODY", "old")]).unwrap();
    world.publish(name, 1).unwrap();
    world.set_alias(name, alias, "1", None).unwrap();
    world.set_environment(name, &[("SIM_BODY", "new")]).unwrap();
}

pub(crate) fn hook(world: &mut World, name: &str) {
    world.create_function(name, &[("SIM_HOOK", "Succeeded")]).unwrap();
}

pub(crate) fn canaryctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_canaryctl"));
    let of_aws =
        ["AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    // The CI system that runs this test is not the one that it is about.
    let of_ci = ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"];
    let of_network = ["AWS_CA_BUNDLE", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    for name in of_aws.into_iter().chain(of_ci).chain(of_network) {
        command.env_remove(name);
    }
    command.envs(["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"].map(|name| (name, "/dev/null")));
    command.env("AWS_EC2_METADATA_DISABLED", "true").stdin(Stdio::null());
    command
}

/// Runs the binary with these arguments, far from any AWS.
pub(crate) fn run(arguments: &str) -> Output {
    canaryctl().args(arguments.split_whitespace()).output().unwrap()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("killed: {output:?}"))
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The output of a command that ended with this exit code and printed this.
#[track_caller]
pub(crate) fn expect(output: Output, expected: i32, words: &str) -> Output {
    expect_all(output, expected, &[words])
}

/// The output of a command that ended with this exit code and printed all of this.
#[track_caller]
pub(crate) fn expect_all(output: Output, expected: i32, words: &[impl AsRef<str>]) -> Output {
    assert_eq!(code(&output), expected, "{}", text(&output));
    assert_has(&text(&output), words);
    output
}

/// A text has all of these words.
#[track_caller]
pub(crate) fn assert_has(text: &str, words: &[impl AsRef<str>]) {
    for word in words.iter().map(AsRef::as_ref) {
        assert!(text.contains(word), "no `{word}` in {text}");
    }
}

/// The one JSON document that a command printed.
pub(crate) fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

/// Every line that a command printed, as JSON.
pub(crate) fn json_lines(printed: &str) -> Vec<serde_json::Value> {
    printed.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// What a process printed that ends with this exit code.
#[track_caller]
pub(crate) fn expect_end(child: Child, expected: i32) -> String {
    let (code, printed) = finish(child);
    assert_eq!(code, expected, "{printed}");
    printed
}

pub(crate) fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Kills a process, so that nothing of it can act any more.
pub(crate) fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

pub(crate) fn signal(child: &Child, name: &str) {
    assert!(Command::new("sh").args(["-c", "kill \"$0\" \"$1\"", name, &child.id().to_string()]).status().unwrap().success());
}

pub(crate) fn finish(mut child: Child) -> (i32, String) {
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut out).unwrap();
    (child.wait().unwrap().code().unwrap(), out)
}

pub(crate) const SHORT: &str = "rollout hello --steps 10,50 --every 1s --bake 1s --poll 200ms --alarm errors";
pub(crate) const LONG: &str = "rollout hello --steps 10,50 --every 10m --poll 200ms --alarm errors --analysis off";
