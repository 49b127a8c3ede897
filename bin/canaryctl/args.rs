//! What can be typed? The command line, and nothing behind it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rollout::{Arn, Schedule, Version, Weight};

use crate::analyze::Analyze;
use crate::comparing::Comparing;
use crate::configuring::Configuring;
use crate::hook::Hook;
use crate::iam_policy::IamPolicy;
use crate::import::{Import, Schema};
use crate::init::Init;
use crate::keeping::Keeping;
use crate::manual::{Completions, Man};
use crate::replay::{Explain, Replay, Verify};
use crate::several::Several;

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

/// Where AWS is, who asks, and how the answer is to look.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The alias; `live` where neither this nor the project's file names one
    #[arg(long, value_name = "NAME")]
    pub(crate) alias: Option<String>,
    /// How the output looks: `text` for people, `json` for programs (one object a line)
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) configuring: Configuring,
    /// The profile in the AWS configuration files
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub(crate) profile: Option<String>,
    /// The AWS Region
    #[arg(long, value_name = "REGION", help_heading = "AWS")]
    pub(crate) region: Option<String>,
    /// Send every request here instead of to AWS
    #[arg(long, value_name = "URL", help_heading = "AWS")]
    pub(crate) endpoint_url: Option<String>,
    /// Run on the embedded simulated AWS, in the story of this name; no credentials, no network
    #[arg(long, value_name = "STORY", num_args = 0..=1, default_missing_value = "hello", require_equals = true, help_heading = "Simulation")]
    pub(crate) simulate: Option<String>,
    /// How many times faster than life the simulation runs
    #[arg(long, value_name = "N", default_value_t = 60.0, value_parser = speed, help_heading = "Simulation")]
    pub(crate) speed: f64,
    /// Whether to do without a Region where none is set anywhere: for what sends nothing.
    #[arg(skip)]
    pub(crate) anywhere: bool,
}

impl Common {
    /// Whether all functions of the project's file are meant: none is named, and no story stands for one.
    pub(crate) fn stands_for_all(&self, function: Option<&String>) -> bool {
        function.is_none() && (self.simulate.is_none() || self.configuring.config.is_some())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    #[default]
    Text,
    Json,
}

/// Roll out a new version of a function, a little at a time
///
/// Publishes `$LATEST` (or takes a version that exists), asks the pre-traffic hook, moves the alias' traffic by the schedule while it
/// watches, bakes at 100 %, asks the post-traffic hook, and makes the version the alias' own. Whatever fails on the way, the traffic
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
    /// How long to watch at 100 % before it is final [default: 3m where anything is watched, else 0]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Schedule")]
    pub(crate) bake: Option<Duration>,
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
    /// Roll the version out although it was rejected before
    #[arg(long, help_heading = "Version")]
    pub(crate) again: bool,
    /// An alarm to watch, by name or ARN; may be given several times
    #[arg(long = "alarm", value_name = "NAME", value_parser = alarm, help_heading = "Watching")]
    pub(crate) alarms: Vec<Alarm>,
    /// How often to look
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = poll, help_heading = "Watching")]
    pub(crate) poll: Duration,
    /// An alarm that is red before anything begins: refuse, count only a fresh transition, or wait an hour at most [default: fail]
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Watching")]
    pub(crate) preexisting_alarm: Option<PreexistingAlarm>,
    /// An alarm without data: no complaint (as CodeDeploy has it), hold, or go back [default: ok]
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Watching")]
    pub(crate) insufficient_data: Option<InsufficientData>,
    /// How long to hold while nothing can be read, before going back [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = limit, help_heading = "Watching")]
    pub(crate) blind_limit: Option<Duration>,
    #[command(flatten)]
    pub(crate) comparing: Comparing,
    /// What to ask before any traffic moves: a function, by name or ARN, or an `https://` URL
    #[arg(long, value_name = "HOOK", help_heading = "Hooks")]
    pub(crate) pre_hook: Option<String>,
    /// What to ask before every further share: a function, by name or ARN, or an `https://` URL
    #[arg(long, value_name = "HOOK", help_heading = "Hooks")]
    pub(crate) step_hook: Option<String>,
    /// What to ask before the version is final: a function, by name or ARN, or an `https://` URL
    #[arg(long, value_name = "HOOK", help_heading = "Hooks")]
    pub(crate) post_hook: Option<String>,
    /// What counts as a hook's success: `{"status":"Succeeded"}`, or any answer but an error
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = "Hooks")]
    pub(crate) hook_answer: HookAnswer,
    /// How long a hook may take, one that answers `InProgress` and reports later included
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = limit, help_heading = "Hooks")]
    pub(crate) hook_timeout: Duration,
    /// On SIGINT or SIGTERM: bring the traffic back, or leave the share as it is
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub(crate) on_interrupt: OnInterrupt,
    /// Create the alias although the function has others
    #[arg(long)]
    pub(crate) create_alias: bool,
    /// Exit 3 where there is nothing to roll out, instead of 0
    #[arg(long)]
    pub(crate) require_change: bool,
    /// Go on although the alias has provisioned concurrency
    #[arg(long)]
    pub(crate) allow_provisioned_concurrency: bool,
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

/// Bring the traffic back, now
///
/// Takes the live candidate's traffic away; where none is live, undoes the last rollout, once. Two calls to Lambda; of a project's
/// file only the function's name counts, and where it cannot be read the name is taken as typed. Tries until AWS has confirmed it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl rollback hello
  canaryctl rollback hello:live --to 40
  canaryctl rollback                             (all functions of canary.yml that are under way)")]
pub(crate) struct Rollback {
    /// The function, as `hello`, `hello:live`, an ARN, or what the project's file calls it; without one, all of the file's that are
    /// under way
    #[arg(value_name = "FUNCTION[:ALIAS]")]
    pub(crate) function: Option<String>,
    /// Of the file's functions only these
    #[arg(long, value_name = "NAME,NAME,…", value_delimiter = ',', conflicts_with_all = ["function", "to"])]
    pub(crate) only: Vec<String>,
    /// Go back to this version, whatever the last rollout was
    #[arg(long, value_name = "N", requires = "function")]
    pub(crate) to: Option<Version>,
    /// How long to keep trying
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = limit)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Which rollout an order is for
#[derive(Debug, Args)]
pub(crate) struct Aim {
    /// The function, as `hello`, `hello:live`, an ARN, or what the project's file calls it
    #[arg(value_name = "FUNCTION[:ALIAS]")]
    pub(crate) function: Option<String>,
    /// Only while this step is in force, for scripts
    #[arg(long, value_name = "N")]
    pub(crate) expect_step: Option<u16>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Hold a rollout's share for a while; it stays watched, and a failure still brings it back
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl pause hello
  canaryctl pause hello --for 30m --then rollback")]
pub(crate) struct Pause {
    /// How long
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = limit)]
    pub(crate) span: Duration,
    /// What happens then
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub(crate) then: Then,
    #[command(flatten)]
    pub(crate) aim: Aim,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Then {
    #[default]
    Resume,
    Rollback,
}

/// End a rollout's pause
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl resume hello")]
pub(crate) struct Operator {
    #[command(flatten)]
    pub(crate) aim: Aim,
}

/// Give a rollout's candidate 100 % now; its process bakes it and makes it final
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl promote hello
  canaryctl promote hello --now --reason 'the fix must be out before the sale'")]
pub(crate) struct Promote {
    /// Make it final at once, without a bake, though nobody may be watching; a failure that came first still brings it back
    #[arg(long, requires = "reason")]
    pub(crate) now: bool,
    /// Why, for whoever reads the log
    #[arg(long, value_name = "TEXT", requires = "now")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) aim: Aim,
}

/// Bring one rollout's traffic back, if it is under way; any other is left alone
///
/// Made for clean-up steps in CI: unlike `rollback`, it never undoes a rollout that is finished, nor somebody else's.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl abort hello --mine
  canaryctl abort hello --rollout 7f3ac2e1
  canaryctl abort --mine                         (all functions of canary.yml that this job rolls out)")]
pub(crate) struct Abort {
    /// Only the rollout with this id
    #[arg(long, value_name = "ID", value_parser = rollout_id, conflicts_with = "mine")]
    pub(crate) rollout: Option<rollout::note::RolloutId>,
    /// Only the rollout that this CI job began
    #[arg(long)]
    pub(crate) mine: bool,
    /// Of the file's functions only these, as they were rolled out
    #[arg(long, value_name = "NAME,NAME,…", value_delimiter = ',', conflicts_with = "function")]
    pub(crate) only: Vec<String>,
    #[command(flatten)]
    pub(crate) aim: Aim,
}

/// Show what an alias is and what can be done about it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl status hello
  canaryctl status hello --watch
  canaryctl status hello:live --output json")]
pub(crate) struct Status {
    /// The function, as `hello`, `hello:live`, an ARN, or what the project's file calls it
    #[arg(value_name = "FUNCTION[:ALIAS]", required_unless_present = "simulate")]
    pub(crate) function: Option<String>,
    /// Watch the rollout under way until it ends, wherever it runs: a live view, in a pipe a line a change. Reads only
    #[arg(long)]
    pub(crate) watch: bool,
    /// An alarm to show, by name, besides those of the project's file; may be given several times
    #[arg(long = "alarm", value_name = "NAME", value_parser = alarm, requires = "watch")]
    pub(crate) alarms: Vec<Alarm>,
    /// How often to look
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = poll, requires = "watch")]
    pub(crate) poll: Duration,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Serve a simulated AWS to any AWS client, in real time
///
/// Lambda, CloudWatch and the stacks of CloudFormation, strict about revisions, weights and alarms. A client needs `AWS_ENDPOINT_URL` and any credentials. The account
/// is empty unless a story is named.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl simulate --listen 127.0.0.1:4566
  canaryctl simulate --scenario hello-errors
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 aws lambda list-functions")]
pub(crate) struct Simulate {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4566")]
    pub(crate) listen: std::net::SocketAddr,
    /// Furnish the account as in this story
    #[arg(long, value_name = "STORY", value_parser = clap::builder::PossibleValuesParser::new(sim::Scenario::names()))]
    pub(crate) scenario: Option<String>,
    /// What chance is drawn from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PreexistingAlarm {
    Fail,
    Ignore,
    Wait,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InsufficientData {
    Ok,
    Hold,
    Rollback,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum HookAnswer {
    #[default]
    Status,
    Any,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnInterrupt {
    #[default]
    Rollback,
    Hold,
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let span = humantime::parse_duration(text).map_err(|error| format!("{error}; such as `30s`, `5m`, `1h30m`"))?;
    let longest = Duration::from_hours(48);
    if span > longest { Err("48 hours are the longest".to_owned()) } else { Ok(span) }
}

fn poll(text: &str) -> Result<Duration, String> {
    let (span, shortest, longest) = (duration(text)?, Duration::from_millis(100), Duration::from_mins(1));
    if (shortest..=longest).contains(&span) { Ok(span) } else { Err("from 100ms to 1m".to_owned()) }
}

fn limit(text: &str) -> Result<Duration, String> {
    let span = duration(text)?;
    if span < Duration::from_secs(1) { Err("1s and more".to_owned()) } else { Ok(span) }
}

fn percent(text: &str) -> Result<Weight, String> {
    let weight = Weight::parse_percent(text.trim()).filter(|weight| !weight.is_zero());
    weight.ok_or_else(|| "a share lies above 0 and up to 100, with two decimals at most".to_owned())
}

pub(crate) fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "a number".to_owned())?;
    if (0.1..=100_000.0).contains(&speed) { Ok(speed) } else { Err("from 0.1 to 100000".to_owned()) }
}

fn image(text: &str) -> Result<String, String> {
    let sound = !text.is_empty() && text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if sound { Ok(text.to_owned()) } else { Err("the URI of an image, without blanks".to_owned()) }
}

fn rollout_id(text: &str) -> Result<rollout::note::RolloutId, String> {
    text.parse().map_err(|()| "eight hexadecimal digits, as `canaryctl status` shows them".to_owned())
}

/// AWS takes 256 characters.
fn version_description(text: &str) -> Result<String, String> {
    let length = rollout::note::length(text);
    if length <= 256 { Ok(text.to_owned()) } else { Err(format!("{length} characters; AWS takes 256")) }
}

/// An alarm, by name or by ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) name: String,
    /// Where its ARN says it is.
    pub(crate) region: Option<String>,
}

pub(crate) fn alarm(text: &str) -> Result<Alarm, String> {
    let (name, region) = match Arn::parse(text).and_then(|arn| Some((arn.alarm()?, arn.region))) {
        Some((name, region)) => (name, Some(region.to_owned())),
        None if Arn::is_meant(text) => {
            return Err("no ARN of an alarm, such as `arn:aws:cloudwatch:eu-west-1:123456789012:alarm:HelloErrors`".to_owned());
        }
        None => (text, None),
    };
    let sound = (1..=255).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if sound { Ok(Alarm { name: name.to_owned(), region }) } else { Err("1 to 255 characters".to_owned()) }
}
