//! Which options does a rollout have? `rollout`, `plan`, `doctor` and `iam-policy` share them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use controller::{CONTROLLER, GUARD};
use rollout::policy::OPTIONS;
use rollout::{Schedule, Signal, Version, Weight};

use super::analysis_args::AnalysisArgs;
use super::artifact_args::ArtifactArgs;
use super::common::Common;
use super::policy_args::PolicyArgs;
use super::team_args::TeamArgs;
use super::values::{Alarm, alarm, duration, image, percent, version_description};

/// Roll out a new version of a function step by step
///
/// Publishes `$LATEST` (or uses an existing version), invokes the pre-traffic hook, shifts the alias' traffic to the version by the
/// schedule, bakes at 100%, invokes the post-traffic hook, and makes the version the alias' version. Watches alarms and compares both
/// versions all the time. If anything fails, all traffic returns to the previous version.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[command(after_help = "\
Examples:
  canaryctl rollout hello --type Linear10PercentEvery1Minute --alarm HelloErrors
  canaryctl rollout hello:live --steps 1,5,25,50 --every 5m --pre-hook preHook --post-hook postHook
  canaryctl rollout hello --type Canary10Percent5Minutes --zip build/hello.zip
  canaryctl rollout                              (all functions in canary.yml, all or none)
  canaryctl rollout hello --simulate=hello-errors")]
pub(crate) struct Rollout {
    /// The function: `hello`, `hello:live`, an ARN, or its key in the configuration file [default: all functions in the file, together]
    #[arg(value_name = "FUNCTION[:ALIAS]")]
    pub(crate) function: Option<String>,
    #[command(flatten)]
    pub(crate) several: Several,
    /// The schedule: a CodeDeploy name, or any `Canary<P>Percent<N>Minutes` or `Linear<P>PercentEvery<N>Minutes`
    #[arg(long = "type", value_name = "NAME", help_heading = "Schedule")]
    pub(crate) schedule: Option<Schedule>,
    /// The schedule where nothing else says one: for a command that only examines.
    #[arg(skip)]
    pub(crate) otherwise: Option<Schedule>,
    /// The traffic of each step in percent, such as `1,5,25,50`; 100 is added at the end
    #[arg(long, value_name = "P,P,…", value_delimiter = ',', value_parser = percent, conflicts_with = "schedule", requires = "every", help_heading = "Schedule")]
    pub(crate) steps: Vec<Weight>,
    /// The time between two steps
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "steps", help_heading = "Schedule")]
    pub(crate) every: Option<Duration>,
    /// Roll out this existing version instead of publishing a new one
    #[arg(long = "version", value_name = "N", conflicts_with_all = ["zip", "image", "description"], help_heading = "Version")]
    pub(crate) version_number: Option<Version>,
    /// Upload this deployment package to the function first
    #[arg(long, value_name = "FILE", conflicts_with = "image", help_heading = "Version")]
    pub(crate) zip: Option<PathBuf>,
    /// Set this container image on the function first
    #[arg(long, value_name = "URI", value_parser = image, help_heading = "Version")]
    pub(crate) image: Option<String>,
    /// The description of the published version
    #[arg(long, value_name = "TEXT", value_parser = version_description, help_heading = "Version")]
    pub(crate) description: Option<String>,
    /// A CloudWatch alarm to watch, by name or ARN; may be given several times
    #[arg(long = "alarm", value_name = "NAME", value_parser = alarm, help_heading = "Watching")]
    pub(crate) alarms: Vec<Alarm>,
    #[command(flatten)]
    pub(crate) comparing: AnalysisArgs,
    /// What else counts as failed, by version: `NAME=NAMESPACE/FAILURES{Version=${version}}`, with `/NAMESPACE/REQUESTS{Version=${version}}` if
    /// it is not all invocations, or `NAME=logs:FILTER` for the function's log; may be given several times
    #[arg(long = "signal", value_name = "NAME=…", help_heading = "Comparing the versions")]
    pub(crate) signals: Vec<Signal>,
    /// The hook before the first traffic shift: a function name or ARN, or an `https://` URL
    #[arg(long, value_name = "HOOK", help_heading = "Hooks")]
    pub(crate) pre_hook: Option<String>,
    /// The hook before each later traffic shift: a function name or ARN, or an `https://` URL
    #[arg(long, value_name = "HOOK", help_heading = "Hooks")]
    pub(crate) step_hook: Option<String>,
    /// The hook before the version is promoted: a function name or ARN, or an `https://` URL
    #[arg(long, value_name = "HOOK", help_heading = "Hooks")]
    pub(crate) post_hook: Option<String>,
    /// A hook that is invoked once a minute while the version has traffic, for example whether another monitoring system has an alert;
    /// may be given several times
    #[arg(long = "check", value_name = "HOOK", help_heading = "Hooks")]
    pub(crate) checks: Vec<String>,
    #[command(flatten)]
    pub(crate) teams: TeamArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// Let a state machine of AWS Step Functions roll back if this process stops; its name or ARN, `canaryctl-guard` if none is given.
    /// `canaryctl guard template` prints what to deploy
    #[arg(long, value_name = "STATE_MACHINE", num_args = 0..=1, require_equals = true, default_missing_value = GUARD, help_heading = "Guard")]
    pub(crate) guard: Option<String>,
    /// Roll out without the guard if it cannot be started
    #[arg(long, requires = "guard", help_heading = "Guard")]
    pub(crate) guard_optional: bool,
    /// Exit with 0 as soon as the new version has its first traffic, and let the rollout continue without this process: by a function in the
    /// account, `canaryctl-controller` if none is given (`canaryctl controller template` prints what to deploy); or, with `ticks`, by
    /// whatever runs `canaryctl tick` with the same options once a minute
    #[arg(long, value_name = "FUNCTION", num_args = 0..=1, require_equals = true, default_missing_value = CONTROLLER, conflicts_with = "guard", help_heading = "Detached rollouts")]
    pub(crate) detach: Option<String>,
    /// With `--detach`, wait until the rollout is over, and exit with its code; this process may stop at any time
    #[arg(long, requires = "detach", help_heading = "Detached rollouts")]
    pub(crate) wait: bool,
    /// Continue an existing rollout even if its process may still be running
    #[arg(long, help_heading = "Existing rollouts")]
    pub(crate) take_over: bool,
    /// Continue an existing rollout with this plan instead of its own
    #[arg(long, help_heading = "Existing rollouts")]
    pub(crate) replan: bool,
    /// Continue from weights on the alias that canaryctl did not set
    #[arg(long, help_heading = "Existing rollouts")]
    pub(crate) adopt: bool,
    /// Replace an existing rollout as soon as the new version is ready
    #[arg(long, conflicts_with_all = ["take_over", "replan", "adopt"], help_heading = "Existing rollouts")]
    pub(crate) supersede: bool,
    /// Show the plan and everything that would block it; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) artifacts: ArtifactArgs,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Rollout {
    /// The settings of a configuration file that the command line replaces, by their keys in `canary.yml`.
    pub(crate) fn typed(&self) -> Vec<&'static str> {
        let code = self.zip.is_some() || self.image.is_some() || self.description.is_some();
        let rows: [(bool, &[&'static str]); 12] = [
            (self.schedule.is_some() || self.every.is_some(), &["type", "steps", "every"]),
            (!self.alarms.is_empty(), &["alarms"]),
            (!self.signals.is_empty(), &["signals"]),
            (self.pre_hook.is_some(), &["preTrafficHook"]),
            (self.step_hook.is_some(), &["stepHook"]),
            (self.post_hook.is_some(), &["postTrafficHook"]),
            (!self.checks.is_empty(), &["check"]),
            (!self.teams.notify.is_empty(), &["notify"]),
            (!self.teams.gates.is_empty(), &["gates"]),
            (self.teams.keep_previous.is_some(), &["keepPrevious"]),
            (code || self.version_number.is_some(), &["version"]),
            (self.version_number.is_some(), &["currentVersion"]),
        ];
        let typed = rows.into_iter().filter(|(typed, _)| *typed).flat_map(|(_, keys)| keys.iter().copied());
        let options = OPTIONS.iter().filter(|choice| self.policy.0.contains_key(choice.name));
        typed.chain(options.filter_map(|choice| choice.key.as_ref()).map(|key| key.name)).collect()
    }
}

/// The word that means no function: somebody runs the turns.
pub(crate) const TICKS: &str = "ticks";

const SEVERAL: &str = "Multiple functions";

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Several {
    /// Only these functions of the configuration file
    #[arg(long, value_name = "NAME,NAME,…", value_delimiter = ',', conflicts_with = "function", help_heading = SEVERAL)]
    pub(crate) only: Vec<String>,
    /// Roll out each function separately: one rollback does not affect the others [default: all together, all or none]
    #[arg(long, conflicts_with = "function", help_heading = SEVERAL)]
    pub(crate) each: bool,
    /// With `--each`, the number of rollouts at the same time [default: all]
    #[arg(long, value_name = "N", requires = "each", value_parser = clap::value_parser!(u16).range(1..), help_heading = SEVERAL)]
    pub(crate) max_parallel: Option<u16>,
}
