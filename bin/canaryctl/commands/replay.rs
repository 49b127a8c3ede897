//! `canaryctl replay`, `explain` and `verify`: a rollout that was kept, shown again, explained and checked. No AWS.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use report::{Reporter, Saved};
use rollout::Time;
use rollout::event::EventKind;

use crate::cli::artifact_args::{Log, Reports};
use crate::cli::common::Output;
use crate::cli::values::speed;
use crate::error::Failure;
use crate::ui::artifacts::Named;
use crate::ui::print::{print_error, print_out, read};
use crate::ui::reporters::{Screen, screen};

/// Show a kept rollout again: in a terminal as it was to be seen, in a pipe as its log
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl replay rollout.jsonl --speed 120
  canaryctl replay rollout.jsonl --report rollout.html")]
pub(crate) struct Replay {
    /// The file that `--events` wrote; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How many times faster than life; a pipe is not kept waiting where this is not given [default: 60]
    #[arg(long, value_name = "N", value_parser = speed)]
    speed: Option<f64>,
    /// How the output looks: `text` for people, `json` for programs (one object a line)
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
    #[command(flatten)]
    reports: Reports,
    #[command(flatten)]
    log: Log,
}

/// Explain why a kept rollout ended as it did, and what would have had to differ
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl explain rollout.jsonl")]
pub(crate) struct Explain {
    /// The file that `--events` wrote; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How the output looks: `text` for people, `json` for programs (one object a rollout)
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
}

/// Check that every decision of a kept rollout follows from what it rested on
///
/// Decides again on what was recorded, tells again, and names the first line that does not follow. The record needs the observations
/// that `rollout --events FILE --observations` writes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl verify rollout.jsonl")]
pub(crate) struct Verify {
    /// The file that `--events` wrote; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// How often a live view is drawn.
const FRAME: Duration = Duration::from_millis(100);

/// How much faster than life, where nothing else is said.
const SPEED: f64 = 60.0;

pub(crate) fn run(args: &Replay) -> Result<u8, Failure> {
    let saved = saved(&args.file)?;
    let several = saved.events.iter().any(|event| matches!(event.what, EventKind::GroupOutcome(_)));
    let Screen { mut reporter, live } = screen(args.output, args.log.system(), several);
    let speed = args.speed.or(live.then_some(SPEED));
    let mut now: Option<Time> = None;
    for event in &saved.events {
        if let Some(speed) = speed {
            pass(&mut *reporter, now, event.at, speed);
        }
        now = Some(event.at);
        // Nobody reading it is no reason to fail.
        let _ = reporter.event(event);
    }
    let _ = reporter.finish();
    if args.output == Output::Text {
        print_out(&saved.unfinished());
    }
    let mut code = 0;
    for Named { name, mut reporter } in args.reports.reporters(several) {
        let told: std::io::Result<()> = saved.events.iter().try_for_each(|event| reporter.event(event));
        if let Err(error) = told.and_then(|()| reporter.finish()) {
            print_error(&format!("`{name}` could not be written: {error}"));
            code = 1;
        }
    }
    Ok(code)
}

/// Lets the time between two events pass.
fn pass(reporter: &mut dyn Reporter, from: Option<Time>, until: Time, speed: f64) {
    let mut now = from.unwrap_or(until);
    while now < until {
        let left = until.since(now).div_f64(speed).min(FRAME);
        sleep(left);
        now = (now + left.mul_f64(speed).max(Duration::from_millis(1))).min(until);
        let _ = reporter.tick(now);
    }
}

pub(crate) fn explain(args: &Explain) -> Result<u8, Failure> {
    let saved = saved(&args.file)?;
    print_out(&match args.output {
        Output::Text => report::explanation(&saved.events),
        Output::Json => report::explanation_json(&saved.events)?,
    });
    Ok(0)
}

pub(crate) fn verify(args: &Verify) -> Result<u8, Failure> {
    let shown = args.file.display();
    let verified = report::verify(&read(&args.file)?).map_err(|error| {
        Failure::usage(format!("`{shown}` cannot be checked: {error}\n  hint: `canaryctl rollout … --events FILE --observations` records what is needed"))
    })?;
    match verified.fault {
        None => {
            print_out(&format!("✔ VERIFIED   {} decisions follow from what they rested on\n", verified.decisions));
            Ok(0)
        }
        Some(fault) => Err(Failure {
            code: 1,
            message: format!("`{shown}` does not follow after {} decisions\n  {fault}", verified.decisions),
        }),
    }
}

fn saved(path: &Path) -> Result<Saved, Failure> {
    let shown = path.display();
    let saved = report::read(&read(path)?).map_err(|error| {
        Failure::usage(format!("`{shown}` is no file of events: {error}\n  hint: `canaryctl rollout … --events FILE` writes one"))
    })?;
    if saved.events.is_empty() {
        return Err(Failure::usage(format!("`{shown}` holds no events")));
    }
    Ok(saved)
}
