//! The canaryctl command: parses the command line, runs the command, and gives its exit code. No logic.

mod cli;
mod clock;
mod commands;
mod error;
mod lambda;
mod multi;
mod notify;
mod request;
mod session;
mod signals;
mod target;
mod ui;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};
use std::process::{self, ExitCode};
use std::thread;

use clap::{CommandFactory, FromArgMatches};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::cli::common::Common;
use crate::cli::tips::with_tip;
use crate::commands::{Cli, Command};
use crate::error::Failure;
use crate::ui::keys;
use crate::ui::print::{LogLines, print_error};

/// Runs the command that was typed and gives its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    on_a_thread(|| typed(args))
}

/// Runs something on a stack of its own size: that of the first thread is whatever the shell or the system says.
fn on_a_thread(task: impl FnOnce() -> ExitCode + Send + 'static) -> ExitCode {
    panic::set_hook(Box::new(on_panic));
    let task = thread::Builder::new().name(NAME.to_owned()).stack_size(STACK).spawn(task);
    let code = task.map(|task| task.join().unwrap_or(ExitCode::FAILURE));
    code.unwrap_or_else(|error| {
        print_error(&format!("cannot start a thread: {error}"));
        ExitCode::FAILURE
    })
}

/// What a panic does, in every build: nothing is unwound, so that an optimized binary needs no tables for it.
///
/// A thread that only shows something stops where it is, and the rollout goes on without it. The one that drives it says where to look, and
/// ends the process: the next one resumes the rollout.
#[expect(clippy::exit, reason = "a panic that is over aborts, and the exit code is then a signal's")]
fn on_panic(info: &PanicHookInfo<'_>) {
    let failed = format!("canaryctl failed unexpectedly: this is a bug: {info}");
    if thread::current().name() != Some(NAME) {
        print_error(&format!("{failed}\n  hint: what it shows or writes may stop here; the command itself continues"));
        loop {
            thread::park();
        }
    }
    keys::give_back();
    print_error(&format!("{failed}\n  hint: `canaryctl status` shows where the traffic is; `canaryctl rollback` rolls it back"));
    process::exit(1)
}

fn typed(args: Vec<OsString>) -> ExitCode {
    if args.len() < 2 && lambda::is_runtime() {
        return ExitCode::from(on_runtime(lambda::run()));
    }
    let words: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let cli = match Cli::grouped().try_get_matches_from(args).and_then(|found| Cli::from_arg_matches(&found)) {
        Ok(cli) => cli,
        Err(error) => {
            let error = with_tip(error, Cli::command(), &words);
            // Help and version go to stdout and are no error; clap knows which is which.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let log = fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(|| LogLines).with_filter(asked_for());
    tracing_subscriber::registry().with(log).init();
    ExitCode::from(run(cli.command))
}

/// What `RUST_LOG` asks for, such as `debug` or `aws_config=debug,canaryctl=info`; nothing without it. What cannot be read in it is left out.
fn asked_for() -> Targets {
    let asked = std::env::var("RUST_LOG").unwrap_or_default();
    let parts: Vec<&str> =
        asked.split(',').map(str::trim).filter(|part| !part.is_empty() && part.parse::<Targets>().is_ok()).collect();
    // An empty text would ask for errors.
    if parts.is_empty() { Targets::new() } else { parts.join(",").parse().unwrap_or_default() }
}

fn run(mut command: Command) -> u8 {
    on_runtime(async {
        let clock = command.common().map(Common::start).unwrap_or_default();
        Box::pin(clock.run(command.run())).await.unwrap_or_else(|Failure { code, message }| {
            print_error(&message);
            code
        })
    })
}

/// Runs something to its end on a runtime of its own, and gives its exit code.
fn on_runtime(task: impl Future<Output = u8>) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print_error(&format!("cannot start the runtime: {error}"));
            return 1;
        }
    };
    let code = runtime.block_on(Box::pin(task));
    // A call that hangs in the background must not hold the exit up.
    runtime.shutdown_background();
    code
}

/// The thread that a command runs on.
const NAME: &str = "canaryctl";

/// Four times what the longest command takes without optimization, inputs nested as deeply as they may be; only what is used of it is
/// taken from the system.
const STACK: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    /// Not a test of its own: what the other one runs in a process of its own.
    #[test]
    #[expect(clippy::exit, reason = "it is the end of the process that is looked at")]
    fn a_process_with_a_panic() {
        let Ok(name) = std::env::var("PANICS") else { return };
        let ended = on_a_thread(move || {
            assert!(name != NAME, "on purpose");
            thread::Builder::new().name(name).spawn(|| panic!("on purpose")).unwrap();
            thread::sleep(Duration::from_millis(300));
            println!("it went on");
            ExitCode::SUCCESS
        });
        // The harness would wait for the hook, which a stopped thread keeps.
        process::exit(i32::from(ended != ExitCode::SUCCESS))
    }

    #[test]
    fn a_panic_ends_the_process_where_a_command_runs_and_stops_any_other_thread() {
        for (thread, code, goes_on) in [(NAME, 1, false), ("screen", 0, true)] {
            let mut child = Command::new(std::env::current_exe().unwrap());
            let child = child.args(["--exact", "tests::a_process_with_a_panic", "--nocapture"]).env("PANICS", thread);
            let output = child.output().unwrap();
            let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.status.code(), Some(code), "{thread}: {out}{err}");
            assert!(err.contains("canaryctl failed unexpectedly") && err.contains("on purpose"), "{err}");
            assert_eq!((out.contains("it went on"), err.contains("canaryctl rollback")), (goes_on, !goes_on), "{out}{err}");
        }
    }
}
