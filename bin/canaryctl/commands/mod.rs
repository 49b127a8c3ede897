//! Which commands are there? The command line as a whole, and who carries out what was typed.

mod analyze;
mod completions;
mod doctor;
mod hook_report;
mod iam_policy;
mod import;
mod init;
mod operate;
mod plan;
mod replay;
mod rollback;
mod rollout;
mod simulate;
mod status;
mod watch;

use clap::{CommandFactory, Parser, Subcommand};

use self::analyze::Analyze;
use self::completions::{Completions, Man};
use self::hook_report::{Hook, HookCommand};
use self::iam_policy::IamPolicy;
use self::import::{Import, Schema};
use self::init::Init;
use self::operate::{Abort, Operator, Pause, Promote};
use self::replay::{Explain, Replay, Verify};
use self::rollback::Rollback;
use self::simulate::Simulate;
use self::status::Status;
use crate::cli::rollout::Rollout;
use crate::error::Failure;

/// Moves an AWS Lambda alias to a new version a little at a time, watches it, and goes back by itself when it is worse.
#[derive(Debug, Parser)]
#[command(
    name = "canaryctl",
    version,
    about,
    max_term_width = 100,
    after_help = "\
Exit codes:
   0  done                     10  back: an alarm           20  NOT CONFIRMED, page someone
   1  unexpected               11  back: a hook             21  somebody else's
   2  wrong usage              12  back: nothing readable   30  left in progress
   3  refused, nothing moved   13  back: a person, a signal     on purpose

Try it without AWS:  canaryctl rollout hello --simulate"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Rollout(Box<Rollout>),
    Rollback(Rollback),
    Status(Status),
    Pause(Pause),
    Resume(Operator),
    Promote(Promote),
    Abort(Abort),
    /// Show what a rollout would do and what would keep it from beginning; change nothing
    ///
    /// Takes the same options as `rollout`.
    #[command(after_help = "\
Examples:
  canaryctl plan hello --type Linear10PercentEvery1Minute --alarm HelloErrors
  canaryctl plan hello --simulate")]
    Plan(Box<Rollout>),
    /// Find what would make a rollout less than it seems, and say how to mend it; change nothing
    ///
    /// Everything that `plan` sees, and more: callers that bypass the alias, a stack that owns it, alarms that can never go off or go
    /// off too late, and what a rollback would not undo. Takes the same options as `rollout`, so that its alarms, hooks and schedule are
    /// those that are looked at. Exits 0 when nothing is wrong (notes are no harm), 3 when something is.
    #[command(after_help = "\
Examples:
  canaryctl doctor hello --type Linear10PercentEvery1Minute --alarm HelloErrors
  canaryctl doctor hello --type AllAtOnce --output json
  canaryctl doctor --simulate=hello-traps")]
    Doctor(Box<Rollout>),
    IamPolicy(Box<IamPolicy>),
    Hook(Hook),
    Explain(Explain),
    Replay(Replay),
    Verify(Verify),
    Analyze(Box<Analyze>),
    Init(Init),
    Import(Box<Import>),
    Schema(Schema),
    Simulate(Simulate),
    Completions(Completions),
    Man(Man),
}

impl Command {
    /// Carries it out, and gives its exit code.
    pub(crate) async fn run(self) -> Result<u8, Failure> {
        match self {
            Self::Rollout(args) if args.dry_run => plan::run(*args).await,
            Self::Rollout(args) => rollout::run(*args).await,
            Self::Plan(args) => plan::run(*args).await,
            Self::Doctor(args) => doctor::run(*args).await,
            Self::IamPolicy(args) => iam_policy::run(*args).await,
            Self::Rollback(args) => rollback::run(args).await,
            Self::Status(args) => status::run(args).await,
            Self::Pause(args) => operate::pause(args).await,
            Self::Resume(args) => operate::resume(args).await,
            Self::Promote(args) => operate::promote(args).await,
            Self::Abort(args) => operate::abort(args).await,
            Self::Hook(args) => match args.command {
                HookCommand::Report(args) => hook_report::run(&args).await,
            },
            Self::Explain(args) => replay::explain(&args),
            Self::Replay(args) => replay::run(&args),
            Self::Verify(args) => replay::verify(&args),
            Self::Completions(args) => Ok(completions::script(&args, &mut Cli::command())),
            Self::Man(args) => completions::pages(&args, Cli::command()),
            Self::Analyze(args) => analyze::run(&args).await,
            Self::Import(args) => import::run(*args).await,
            Self::Init(args) => init::run(&args),
            Self::Schema(_) => import::schema(),
            Self::Simulate(args) => simulate::run(args).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// Whoever looks a command up sees how it is typed.
    #[test]
    fn every_command_helps_with_an_example() {
        let mut count = 0;
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = format!("Examples:\n  canaryctl {}", command.get_name());
            assert!(help.contains(&example), "{}: {help}", command.get_name());
            assert!(command.get_about().is_some(), "{}", command.get_name());
            count += 1;
        }
        assert!(count >= 14, "{count}");
    }
}
