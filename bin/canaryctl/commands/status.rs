//! `canaryctl status`: one read, explained; a second one where AWS itself may change the alias.

use aws::Aws;
use clap::Args;
use controller::port::{Cloud, GuardSeen, Provisioned};
use controller::{GUARD, GuardExecution, OtherAliases};
use rollout::alias::{AliasState, alias_state};
use rollout::health::clock;
use rollout::{Alias, Subject, Time};
use serde_json::json;

use super::watch::{self, Watching};
use crate::cli::common::{Common, Output};
use crate::error::Failure;
use crate::target::needs::Needs;
use crate::target::resolve::{Located, locate_all};
use crate::ui::print::{print_json, print_out};

/// Show the state of an alias, and what to do next
///
/// Without a function, of all functions in the configuration file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl status hello
  canaryctl status hello --watch
  canaryctl status hello:live --output json")]
pub(crate) struct Status {
    /// The function: `hello`, `hello:live`, an ARN, or its key in the configuration file
    #[arg(value_name = "FUNCTION[:ALIAS]")]
    pub(crate) function: Option<String>,
    /// Watch the rollout in progress until it ends, wherever it runs: a live view, or one line per change in a pipe; changes nothing
    #[arg(long)]
    pub(crate) watch: bool,
    /// Also show whether a guard watches the rollout in progress: the state machine's name or ARN, `canaryctl-guard` if none is given
    #[arg(long, value_name = "STATE_MACHINE", num_args = 0..=1, require_equals = true, default_missing_value = GUARD)]
    guard: Option<String>,
    #[command(flatten)]
    watching: Watching,
    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) async fn run(args: Status) -> Result<u8, Failure> {
    let (located, missing) = locate_all(args.function.as_deref(), &[], &args.common, Needs::NameInAnIncident).await?;
    if args.watch && located.len() != 1 {
        return Err(Failure::usage("`--watch` shows one rollout\n  hint: name the function"));
    }
    let mut code = if missing > 0 { 3 } else { 0 };
    for located in &located {
        code = code.max(show(&args, located).await?);
    }
    Ok(code)
}

/// The alias in words. A missing permission to look at what else matters does not matter here.
async fn explained(subject: &Subject, aws: &Aws, alias: &Alias, now: Time) -> String {
    let foreign = matches!(alias_state(alias), AliasState::Foreign { .. });
    let provisioned = if foreign { aws.provisioned(subject).await.ok() } else { None };
    let provisioned = provisioned.map(|found| found != Provisioned::None);
    let undone = report::undone_to(alias).is_some();
    let existing = if undone { aws.versions(&subject.function).await.ok() } else { None };
    report::status_text(subject, alias, provisioned, existing.as_deref(), now)
}

async fn show(args: &Status, located: &Located) -> Result<u8, Failure> {
    let (subject, aws, output) = (&located.subject, &located.session.aws, args.common.output);
    let alias = aws.alias(subject).await?.map(|held| held.alias);
    if args.watch
        && let Some(code) = watch::run(located, alias.as_ref(), &args.watching, output).await?
    {
        return Ok(code);
    }
    let guard = match (&args.guard, alias.as_ref().map(alias_state)) {
        (Some(machine), Some(found)) => guard(aws, subject, machine, &found).await?,
        (Some(_) | None, _) => None,
    };
    let (alias, now) = (alias.as_ref(), aws.time());
    match output {
        Output::Text => {
            let text = if let Some(alias) = alias {
                explained(subject, aws, alias, now).await
            } else {
                let other = OtherAliases::of(aws, subject).await.ok().flatten();
                report::no_alias_text(subject, other.as_ref().map(|other| (other.text.as_str(), other.alike.as_str())))
            };
            print_out(&text);
            if let Some((execution, seen)) = &guard {
                print_out(&format!("  guard     {}\n", described(execution, seen.as_ref())));
            }
        }
        Output::Json => {
            let mut status = report::status_json(subject, alias, now);
            if let (Some((execution, seen)), Some(fields)) = (&guard, status.as_object_mut()) {
                let (state, since) = (seen.as_ref().map(|seen| &seen.status), seen.as_ref().map(|seen| seen.started_at));
                let shown = json!({"execution": execution.arn(), "status": state, "since": since});
                fields.insert("guard".to_owned(), shown);
            }
            print_json(&format!("{status}\n"));
        }
    }
    Ok(if alias.is_some() { 0 } else { 3 })
}

/// The execution that guards the rollout in progress, and how it is doing; `None` where no rollout is in progress.
async fn guard(
    aws: &Aws,
    subject: &Subject,
    machine: &str,
    found: &AliasState,
) -> Result<Option<(GuardExecution, Option<GuardSeen>)>, Failure> {
    let Some(note) = found.live() else { return Ok(None) };
    let function = aws.configuration(&subject.function, None).await?.arn;
    let Some(execution) = GuardExecution::new(machine, subject, &function, note.id, note.owner) else { return Ok(None) };
    let seen = aws.guard(&execution.arn()).await?;
    Ok(Some((execution, seen)))
}

fn described(execution: &GuardExecution, seen: Option<&GuardSeen>) -> String {
    let name = &execution.name;
    match seen {
        Some(seen) if seen.status == "RUNNING" => format!("watches since {} (execution {name})", clock(seen.started_at)),
        Some(seen) => format!("does not watch: execution {name} is {}", seen.status),
        None => format!("does not watch: there is no execution {name}"),
    }
}
