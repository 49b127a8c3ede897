//! Which commands are there? The whole command line, and which function runs each command.

mod adopt;
mod analyze;
mod bootstrap;
mod completions;
mod controller;
mod doctor;
mod events;
mod guard;
mod guide;
mod hook_report;
mod iam_policy;
mod import;
mod init;
mod install;
mod installed;
mod logs;
mod operate;
mod pin;
mod plan;
mod reference;
mod replay;
mod rollback;
mod rollout;
mod simulate;
mod stack;
mod status;
pub(crate) mod tick;
mod wait;
mod watch;

use std::fmt::Write;

use clap::{CommandFactory, Parser, Subcommand};

use self::adopt::Adopt;
use self::analyze::Analyze;
use self::completions::{Completions, Man};
use self::events::Events;
use self::guard::{Guard, GuardCommand};
use self::guide::Guide;
use self::hook_report::{Hook, HookCommand};
use self::iam_policy::IamPolicy;
use self::import::Import;
use self::init::Init;
use self::install::{Controller, ControllerCommand};
use self::logs::Logs;
use self::operate::{Abort, Pause, Promote, Resume};
use self::pin::Pin;
use self::replay::{Explain, Replay, Verify};
use self::rollback::Rollback;
use self::simulate::Simulate;
use self::stack::{Stack, StackCommand};
use self::status::Status;
use self::tick::Tick;
use crate::cli::common::Common;
use crate::cli::rollout::Rollout;
use crate::error::Failure;

/// Shifts an AWS Lambda alias to a new version step by step, watches it, and rolls back automatically if the version is worse.
#[derive(Debug, Parser)]
#[command(
    name = "canaryctl",
    version,
    about,
    max_term_width = 100,
    after_help = "\
Exit codes:
   0  done                           10  rolled back: alarm or comparison
   1  unexpected error               11  rolled back: hook or check
   2  wrong usage                    12  rolled back: no data, or too few invocations
   3  refused, traffic unchanged     13  rolled back: manually, interrupted, or by the guard
  20  rollback NOT CONFIRMED: page someone
  21  another owner has the alias    30  left in progress, as requested

Try it without AWS:  canaryctl rollout hello --simulate"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands by what people come for.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Roll out", &["rollout", "plan", "status"]),
    ("Stop, wait, continue", &["rollback", "abort", "pause", "resume", "promote", "tick"]),
    ("Set up", &["guide", "init", "adopt", "import", "doctor", "iam-policy", "pin", "guard", "controller", "completions"]),
    ("Look back", &["explain", "events", "logs", "analyze", "replay", "verify"]),
    ("For scripts and tests", &["hook", "stack", "schema", "simulate", "man"]),
];

/// The commands that take the options of `rollout`, and of these what their own help shows: sixty are too many to find one.
const AS_ROLLOUT: [&str; 3] = ["plan", "doctor", "iam-policy"];
const SHOWN: [&str; 17] = [
    "alias", "output", "help", "only", "type", "steps", "every", "bake", "version", "alarm", "detach", "config", "stage",
    "stack", "profile", "region", "simulate",
];

/// The command with the other options of `rollout` left out of its help. They are taken all the same.
fn brief(command: clap::Command, rollout: &[String]) -> clap::Command {
    let hidden = |arg: &clap::Arg| {
        let long = arg.get_long().unwrap_or_default();
        !arg.is_positional() && rollout.iter().any(|known| known == long) && !SHOWN.contains(&long)
    };
    let more = "All other options of `rollout` are taken, too: canaryctl rollout --help";
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    command
        .mut_args(|arg| if hidden(&arg) { arg.hide_short_help(true).hide_long_help(true) } else { arg })
        .after_help(format!("{more}\n\n{examples}"))
}

impl Cli {
    /// The command line, with the list of commands in groups.
    pub(crate) fn grouped() -> clap::Command {
        let mut command = Self::command();
        let rollout = command.find_subcommand("rollout").map(clap::Command::get_arguments).into_iter().flatten();
        let rollout: Vec<String> = rollout.filter_map(clap::Arg::get_long).map(str::to_owned).collect();
        for name in AS_ROLLOUT {
            command = command.mut_subcommand(name, |command| brief(command, &rollout));
        }
        let mut list = String::new();
        for (title, names) in GROUPS {
            // Writing to a string does not fail.
            let _ = write!(list, "\n{title}:\n");
            for name in names {
                let about = command.find_subcommand(name).and_then(clap::Command::get_about).map(ToString::to_string);
                let _ = writeln!(list, "  {name:<12} {}", about.unwrap_or_default());
            }
        }
        let template =
            format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{list}\nOptions:\n{{options}}{{after-help}}");
        command.help_template(template)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Rollout(Box<Rollout>),
    Tick(Box<Tick>),
    Rollback(Rollback),
    Status(Status),
    Pause(Pause),
    Resume(Resume),
    Promote(Promote),
    Abort(Abort),
    Pin(Pin),
    /// Show what a rollout would do, and everything that would block it; change nothing
    ///
    /// Takes the same options as `rollout`.
    #[command(after_help = "\
Examples:
  canaryctl plan hello --type Linear10PercentEvery1Minute --alarm HelloErrors
  canaryctl plan hello --simulate")]
    Plan(Box<Rollout>),
    /// Find what weakens a rollout, and show how to fix it; change nothing
    ///
    /// Checks everything that `plan` checks, and also callers that bypass the alias, a stack that owns it, alarms that can never fire or
    /// fire too late, and what a rollback would not undo. Takes the same options as `rollout`, and checks their alarms, hooks and
    /// schedule. Exits with 0 if nothing is wrong (notes do not count), else with 3.
    #[command(after_help = "\
Examples:
  canaryctl doctor hello --type Linear10PercentEvery1Minute --alarm HelloErrors
  canaryctl doctor hello --type AllAtOnce --output json
  canaryctl doctor --simulate=hello-traps")]
    Doctor(Box<Rollout>),
    IamPolicy(Box<IamPolicy>),
    Hook(Hook),
    Stack(Stack),
    Explain(Explain),
    Replay(Replay),
    Verify(Verify),
    Analyze(Box<Analyze>),
    Logs(Box<Logs>),
    Events(Box<Events>),
    Guard(Guard),
    Controller(Controller),
    Guide(Guide),
    Init(Init),
    Adopt(Adopt),
    Import(Box<Import>),
    /// Print the JSON Schema of canary.yml, for editors
    #[command(after_help = "Examples:\n  canaryctl schema > canary.schema.json")]
    Schema,
    Simulate(Simulate),
    Completions(Completions),
    Man(Man),
}

impl Command {
    /// The options of a command that talks to AWS.
    pub(crate) fn common(&mut self) -> Option<&mut Common> {
        Some(match self {
            Self::Rollout(args) | Self::Plan(args) | Self::Doctor(args) => &mut args.common,
            Self::IamPolicy(args) => &mut args.rollout.common,
            Self::Tick(args) => &mut args.rollout.common,
            Self::Rollback(args) => &mut args.common,
            Self::Status(args) => &mut args.common,
            Self::Pause(args) => &mut args.aim.common,
            Self::Resume(args) => &mut args.aim.common,
            Self::Promote(args) => &mut args.aim.common,
            Self::Abort(args) => &mut args.aim.common,
            Self::Pin(args) => &mut args.common,
            Self::Hook(Hook { command: HookCommand::Report(args) }) => &mut args.common,
            Self::Stack(Stack { command: StackCommand::Alias(args) }) => &mut args.common,
            Self::Analyze(args) => &mut args.common,
            Self::Logs(args) => &mut args.common,
            Self::Events(args) => &mut args.common,
            Self::Import(args) => &mut args.common,
            Self::Explain(_) | Self::Replay(_) | Self::Verify(_) | Self::Init(_) | Self::Schema | Self::Simulate(_) => {
                return None;
            }
            Self::Adopt(_) | Self::Completions(_) | Self::Man(_) => return None,
            Self::Controller(Controller { command: ControllerCommand::Install(args) }) => &mut args.common,
            Self::Controller(Controller { command: ControllerCommand::Uninstall(args) }) => &mut args.common,
            Self::Guard(_) | Self::Controller(_) | Self::Guide(_) => return None,
        })
    }

    pub(crate) async fn run(self) -> Result<u8, Failure> {
        match self {
            Self::Rollout(args) if args.dry_run => plan::run(*args).await,
            Self::Rollout(args) => rollout::run(*args).await,
            Self::Tick(args) => tick::run(*args).await,
            Self::Plan(args) => plan::run(*args).await,
            Self::Doctor(args) => doctor::run(*args).await,
            Self::IamPolicy(args) => iam_policy::run(*args).await,
            Self::Rollback(args) => rollback::run(args).await,
            Self::Status(args) => status::run(args).await,
            Self::Pause(args) => operate::pause(args).await,
            Self::Resume(args) => operate::resume(args).await,
            Self::Promote(args) => operate::promote(args).await,
            Self::Abort(args) => operate::abort(args).await,
            Self::Pin(args) => pin::run(args).await,
            Self::Hook(args) => match args.command {
                HookCommand::Report(args) => hook_report::run(&args).await,
            },
            Self::Stack(args) => match args.command {
                StackCommand::Alias(args) => stack::run(&args).await,
            },
            Self::Explain(args) => replay::explain(&args),
            Self::Replay(args) => replay::run(&args),
            Self::Verify(args) => replay::verify(&args),
            Self::Completions(args) => Ok(completions::script(&args, &mut Cli::command())),
            Self::Man(args) => completions::pages(&args, Cli::command()),
            Self::Analyze(args) => analyze::run(&args).await,
            Self::Logs(args) => logs::run(*args).await,
            Self::Events(args) => events::run(*args).await,
            Self::Import(args) => import::run(*args).await,
            Self::Init(args) => init::run(&args),
            Self::Guard(Guard { command: GuardCommand::Template(args) }) => guard::template(&args),
            Self::Controller(Controller { command }) => match command {
                ControllerCommand::Template(args) => controller::template(&args),
                ControllerCommand::Install(args) => install::install(*args).await,
                ControllerCommand::Uninstall(args) => install::uninstall(args).await,
            },
            Self::Guide(args) => guide::run(&args, Cli::command()),
            Self::Adopt(args) => adopt::run(&args),
            Self::Schema => Ok(import::schema()),
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

    #[test]
    fn every_command_is_in_one_group() {
        let mut listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        let command = Cli::command();
        let mut there: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        listed.sort_unstable();
        there.sort_unstable();
        assert_eq!(listed, there);
    }

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
