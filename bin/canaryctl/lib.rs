//! The canaryctl command: what was typed, wired to what does it, and its outcome as an exit code. No logic.

mod analyze;
mod args;
mod comparing;
mod configuring;
mod console;
mod doctor;
mod failure;
mod files;
mod hook;
mod iam_policy;
mod import;
mod init;
mod keeping;
mod keys;
mod located;
mod manual;
mod operate;
mod plan;
mod replay;
mod rollback;
mod rollout_command;
mod settings;
mod several;
mod signals;
mod simulate;
mod status;
mod telling;
mod watch;
mod wiring;

use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tracing::Level;
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::args::{Cli, Command};
use crate::failure::Failure;

/// Runs the command that was typed and gives its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and are no error; clap knows which is which.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let quiet = EnvFilter::builder().with_default_directive(LevelFilter::OFF.into()).from_env_lossy();
    // At its most talkative the SDK writes whole requests, with what signs them and the tokens in hooks' URLs.
    let harmless =
        filter_fn(|told| *told.level() < Level::TRACE || !TALKATIVE.iter().any(|name| told.target().starts_with(name)));
    let log = fmt::layer().with_writer(io::stderr).with_filter(quiet.and(harmless));
    tracing_subscriber::registry().with(log).init();
    let code = catch_unwind(AssertUnwindSafe(|| run(cli.command))).unwrap_or_else(|_| {
        complain("canaryctl failed unexpectedly; this is a bug\n  hint: `canaryctl status` says where the traffic is, `canaryctl rollback` brings it back");
        1
    });
    ExitCode::from(code)
}

fn run(command: Command) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("the runtime could not be started: {error}"));
            return 1;
        }
    };
    let done = runtime.block_on(async {
        match command {
            Command::Rollout(args) if args.dry_run => plan::run(*args).await,
            Command::Rollout(args) if several::are_meant(&args) => several::run(*args).await,
            Command::Rollout(args) => rollout_command::run(*args).await,
            Command::Plan(args) => plan::run(*args).await,
            Command::Doctor(args) => doctor::run(*args).await,
            Command::IamPolicy(args) => iam_policy::run(*args).await,
            Command::Rollback(args) => rollback::run(args).await,
            Command::Status(args) => status::run(args).await,
            Command::Pause(args) => operate::pause(args).await,
            Command::Resume(args) => operate::resume(args).await,
            Command::Promote(args) => operate::promote(args).await,
            Command::Abort(args) => operate::abort(args).await,
            Command::Hook(args) => match args.command {
                hook::HookCommand::Report(args) => hook::report(&args).await,
            },
            Command::Explain(args) => replay::explain(&args),
            Command::Replay(args) => replay::run(&args),
            Command::Verify(args) => replay::verify(&args),
            Command::Completions(args) => Ok(manual::completions(&args)),
            Command::Man(args) => manual::pages(&args),
            Command::Analyze(args) => analyze::run(&args).await,
            Command::Import(args) => import::run(*args).await,
            Command::Init(args) => init::run(&args),
            Command::Schema(_) => import::schema(),
            Command::Simulate(args) => simulate::run(args).await,
        }
    });
    // A call that hangs in the background must not hold the exit up.
    runtime.shutdown_background();
    done.unwrap_or_else(|Failure { code, message }| {
        complain(&message);
        code
    })
}

/// An error for a person, on stderr.
fn complain(message: &str) {
    let _ = io::stderr().write_all(report::error_text(message, &[]).as_bytes());
}

/// Something for a person beside what a program reads, on stderr.
fn murmur(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Text for a person or a program, on stdout. Nobody reading it is no reason to fail.
fn say(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A text file that was named; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let unreadable = |error: io::Error| Failure::usage(format!("`{}` cannot be read: {error}", path.display()));
    if path == Path::new("-") { io::read_to_string(io::stdin()) } else { std::fs::read_to_string(path) }.map_err(unreadable)
}

/// Whose requests are not written down.
const TALKATIVE: [&str; 2] = ["aws_", "hyper"];
