//! `canaryctl status`: one read, explained; a second one where AWS itself may change the alias.

use clap::Args;
use controller::port::Cloud;
use rollout::alias::{AliasState, alias_state};

use super::watch::{self, Watching};
use crate::cli::common::{Common, Output};
use crate::error::Failure;
use crate::target::needs::Needs;
use crate::target::resolve::locate;
use crate::ui::print::{print_json, print_out};

/// Show the state of an alias, and what to do next
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl status hello
  canaryctl status hello --watch
  canaryctl status hello:live --output json")]
pub(crate) struct Status {
    /// The function: `hello`, `hello:live`, an ARN, or its key in the configuration file
    #[arg(value_name = "FUNCTION[:ALIAS]", required_unless_present = "simulate")]
    pub(crate) function: Option<String>,
    /// Watch the rollout in progress until it ends, wherever it runs: a live view, or one line per change in a pipe; changes nothing
    #[arg(long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    watching: Watching,
    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) async fn run(args: Status) -> Result<u8, Failure> {
    let located = locate(args.function.as_deref(), &args.common, Needs::NameInAnIncident).await?;
    let (subject, aws, output) = (&located.subject, &located.session.aws, args.common.output);
    let alias = aws.alias(subject).await?.map(|held| held.alias);
    if args.watch
        && let Some(code) = watch::run(&located, alias.as_ref(), &args.watching, output).await?
    {
        return Ok(code);
    }
    let (alias, now) = (alias.as_ref(), aws.time());
    match output {
        Output::Text => {
            let foreign = alias.is_some_and(|alias| matches!(alias_state(alias), AliasState::Foreign { .. }));
            // A missing permission does not matter here.
            let provisioned = if foreign { aws.provisioned(subject).await.ok() } else { None };
            let undone = alias.and_then(report::undone_to).is_some();
            let existing = if undone { aws.versions(&subject.function).await.ok() } else { None };
            print_out(&report::status_text(subject, alias, provisioned, existing.as_deref(), now));
        }
        Output::Json => print_json(&format!("{}\n", report::status_json(subject, alias, now))),
    }
    Ok(if alias.is_some() { 0 } else { 3 })
}
