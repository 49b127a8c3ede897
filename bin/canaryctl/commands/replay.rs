//! `canaryctl replay`, `explain` and `verify`: show, explain and check a recorded rollout. No AWS.

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
use crate::ui::print::{print_error, print_json, print_out, read};
use crate::ui::reporters::{Screen, screen};

/// Replay a recorded rollout: as a live view in a terminal, as a log in a pipe
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl replay rollout.jsonl --speed 120
  canaryctl replay rollout.jsonl --report rollout.html")]
pub(crate) struct Replay {
    /// The events file that `--events` wrote; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How many times faster than real time [default: 60 in a terminal; no delay in a pipe]
    #[arg(long, value_name = "N", value_parser = speed)]
    speed: Option<f64>,
    /// The output format: `text` for people, `json` for programs (one object per line)
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
    #[command(flatten)]
    reports: Reports,
    #[command(flatten)]
    log: Log,
}

/// Explain why a recorded rollout ended as it did, and what would have changed the outcome
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl explain rollout.jsonl")]
pub(crate) struct Explain {
    /// The events file that `--events` wrote; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The output format: `text` for people, `json` for programs (one object per rollout)
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    output: Output,
}

/// Check that every decision of a recorded rollout follows from its input
///
/// Repeats every decision with the recorded input, and names the first line that does not match. The file needs the observations that
/// `rollout --events FILE --observations` writes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl verify rollout.jsonl")]
pub(crate) struct Verify {
    /// The events file that `--events` wrote; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

const FRAME: Duration = Duration::from_millis(100);

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
        // A closed output is not an error.
        let _ = reporter.event(event);
    }
    let _ = reporter.finish();
    if args.output == Output::Text {
        print_out(&saved.unfinished());
    }
    let mut code = 0;
    for (name, mut reporter) in args.reports.reporters(several) {
        let written: std::io::Result<()> = saved.events.iter().try_for_each(|event| reporter.event(event));
        if let Err(error) = written.and_then(|()| reporter.finish()) {
            print_error(&format!("cannot write `{}`: {error}", name.unwrap_or_default()));
            code = 1;
        }
    }
    Ok(code)
}

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
    match args.output {
        Output::Text => print_out(&report::explanation(&saved.events)),
        Output::Json => print_json(&report::explanation_json(&saved.events)),
    }
    Ok(0)
}

pub(crate) fn verify(args: &Verify) -> Result<u8, Failure> {
    let shown = args.file.display();
    let verified = report::verify(&read(&args.file)?).map_err(|error| {
        Failure::usage(format!(
            "cannot check `{shown}`: {error}\n  hint: record the rollout with `canaryctl rollout … --events FILE --observations`"
        ))
    })?;
    let decisions = verified.decisions;
    if let Some(fault) = verified.fault {
        return Err(Failure::unexpected(format!("`{shown}` does not match after {decisions} decisions\n  {fault}")));
    }
    print_out(&format!("✔ VERIFIED   {decisions} decisions follow from their input\n"));
    Ok(0)
}

fn saved(path: &Path) -> Result<Saved, Failure> {
    let shown = path.display();
    let saved = report::read(&read(path)?).map_err(|error| {
        Failure::usage(format!(
            "`{shown}` is not an events file: {error}\n  hint: `canaryctl rollout … --events FILE` writes one"
        ))
    })?;
    if saved.events.is_empty() {
        return Err(Failure::usage(format!("`{shown}` has no events")));
    }
    Ok(saved)
}
