//! What can be said about a rollout? The options that `rollout`, `plan`, `doctor` and `iam-policy` share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use rollout::{Schedule, Version, Weight};

use super::analysis_args::AnalysisArgs;
use super::artifact_args::Keeping;
use super::common::Common;
use super::policy_args::PolicyArgs;
use super::values::{Alarm, alarm, duration, image, percent, version_description};

/// Roll out a new version of a function, a little at a time
///
/// Publishes `$LATEST` (or takes a version that exists), asks the pre-traffic hook, moves the alias' traffic by the schedule while it
/// watches, bakes at 100%, asks the post-traffic hook, and makes the version the alias' own. Whatever fails on the way, the traffic
/// goes back.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[command(after_help = "\
Examples:
  canaryctl rollout hello --type Linear10PercentEvery1Minute --alarm HelloErrors
  canaryctl rollout hello:live --steps 1,5,25,50 --every 5m --pre-hook preHook --post-hook postHook
  canaryctl rollout hello --type Canary10Percent5Minutes --zip build/hello.zip
  canaryctl rollout                              (all functions of canary.yml, all or none)
  canaryctl rollout hello --simulate=hello-errors")]
pub(crate) struct Rollout {
    /// The function, as `hello`, `hello:live`, an ARN, or what the project's file calls it; without one, all of the file's as one
    #[arg(value_name = "FUNCTION[:ALIAS]")]
    pub(crate) function: Option<String>,
    #[command(flatten)]
    pub(crate) several: Several,
    /// The schedule: one of CodeDeploy's names, or `Canary<P>Percent<N>Minutes`, `Linear<P>PercentEvery<N>Minutes`
    #[arg(long = "type", value_name = "NAME", help_heading = "Schedule")]
    pub(crate) schedule: Option<Schedule>,
    /// The shares in per cent, one after the other; 100 follows by itself
    #[arg(long, value_name = "P,P,…", value_delimiter = ',', value_parser = percent, conflicts_with = "schedule", requires = "every", help_heading = "Schedule")]
    pub(crate) steps: Vec<Weight>,
    /// The time between two steps
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "steps", help_heading = "Schedule")]
    pub(crate) every: Option<Duration>,
    /// Roll out this version instead of publishing one
    #[arg(long = "version", value_name = "N", conflicts_with_all = ["zip", "image", "description"], help_heading = "Version")]
    pub(crate) version_number: Option<Version>,
    /// Put this deployment package into the function first
    #[arg(long, value_name = "FILE", conflicts_with = "image", help_heading = "Version")]
    pub(crate) zip: Option<PathBuf>,
    /// Put this container image into the function first
    #[arg(long, value_name = "URI", value_parser = image, help_heading = "Version")]
    pub(crate) image: Option<String>,
    /// The description of the version that is published
    #[arg(long, value_name = "TEXT", value_parser = version_description, help_heading = "Version")]
    pub(crate) description: Option<String>,
    /// An alarm to watch, by name or ARN; may be given several times
    #[arg(long = "alarm", value_name = "NAME", value_parser = alarm, help_heading = "Watching")]
    pub(crate) alarms: Vec<Alarm>,
    #[command(flatten)]
    pub(crate) comparing: AnalysisArgs,
    /// What to ask before any traffic moves: a function, by name or ARN, or an `https://` URL
    #[arg(long, value_name = "HOOK", help_heading = "Hooks")]
    pub(crate) pre_hook: Option<String>,
    /// What to ask before every further share: a function, by name or ARN, or an `https://` URL
    #[arg(long, value_name = "HOOK", help_heading = "Hooks")]
    pub(crate) step_hook: Option<String>,
    /// What to ask before the version is final: a function, by name or ARN, or an `https://` URL
    #[arg(long, value_name = "HOOK", help_heading = "Hooks")]
    pub(crate) post_hook: Option<String>,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// Go on with a rollout under way although its process may still be there
    #[arg(long, help_heading = "Under way already")]
    pub(crate) take_over: bool,
    /// Go on with a rollout under way by this plan instead of its own
    #[arg(long, help_heading = "Under way already")]
    pub(crate) replan: bool,
    /// Take weights that no note explains for this rollout's own
    #[arg(long, help_heading = "Under way already")]
    pub(crate) adopt: bool,
    /// Put a rollout under way aside, once the new version is ready
    #[arg(long, conflicts_with_all = ["take_over", "replan", "adopt"], help_heading = "Under way already")]
    pub(crate) supersede: bool,
    /// Show the plan and what would keep it from beginning; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) keeping: Keeping,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Where the help lists these.
const SEVERAL: &str = "Several functions (where none is named)";

/// Which functions of a file are meant, and how they go together.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Several {
    /// Of the file's functions only these
    #[arg(long, value_name = "NAME,NAME,…", value_delimiter = ',', conflicts_with = "function", help_heading = SEVERAL)]
    pub(crate) only: Vec<String>,
    /// Each by itself: one that goes back leaves the others alone [default: all together, all or none]
    #[arg(long, conflicts_with = "function", help_heading = SEVERAL)]
    pub(crate) each: bool,
    /// With `--each`, how many at a time [default: all]
    #[arg(long, value_name = "N", requires = "each", value_parser = clap::value_parser!(u16).range(1..), help_heading = SEVERAL)]
    pub(crate) max_parallel: Option<u16>,
}
