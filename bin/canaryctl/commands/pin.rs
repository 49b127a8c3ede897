//! `canaryctl pin`: aliases on `$LATEST` on a version of the same code, and what became of each.

use clap::Args;
use controller::port::Cloud;
use controller::{Interrupt, Pinned, pin};
use serde_json::json;
use tokio::sync::watch;

use crate::cli::common::{Common, Output};
use crate::error::Failure;
use crate::target::needs::Needs;
use crate::target::resolve::{Located, locate, locate_all};
use crate::ui::print::{print_info, print_result};

/// Put an alias that is on `$LATEST` on a published version of the same code; traffic unchanged
///
/// For an alias that a stack has just created. Publishes `$LATEST` if its code or settings have no version yet, then points the alias at
/// that version. An alias on a version is not changed, and one with weights is refused. `rollout` does the same before it begins.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl pin hello
  canaryctl pin hello:live world:live
  canaryctl pin                                  (all functions in canary.yml)")]
pub(crate) struct Pin {
    /// The functions: `hello`, `hello:live`, an ARN, or a key in the configuration file [default: all functions in the file]
    #[arg(value_name = "FUNCTION[:ALIAS]")]
    pub(crate) functions: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Pins one after the other, each whatever became of the others. The exit code is the highest of theirs.
pub(crate) async fn run(args: Pin) -> Result<u8, Failure> {
    let mut located = Vec::new();
    if args.functions.is_empty() {
        located = locate_all(None, &[], &args.common, Needs::Name).await?.0;
    }
    for function in &args.functions {
        located.push(locate(Some(function), &args.common, Needs::Name).await?);
    }
    let mut code = 0;
    for one in &located {
        code = code.max(pin_one(one, args.common.output).await);
    }
    Ok(code)
}

async fn pin_one(Located { subject, session, .. }: &Located, output: Output) -> u8 {
    let (_uninterrupted, interrupt) = watch::channel(Interrupt::None);
    let mut tell = |_, why: String| print_info(&format!("{why}\n"));
    let pinned = pin(&session.aws, &session.clock, subject, &interrupt, &mut tell).await;
    let (code, outcome, text) = match &pinned {
        Pinned::Done(_, version) => {
            let what = format!("on {version}, published from `$LATEST`: the same code; traffic unchanged");
            (0, "pinned", format!("✔ PINNED   {subject}: {what}\n"))
        }
        Pinned::Already(alias, _) => {
            (0, "unchanged", format!("✔ NOTHING TO DO   {subject}: it is on a version already; {}\n", alias.traffic()))
        }
        Pinned::Refused(problem) => (3, "refused", format!("{subject} is not pinned; traffic unchanged: {problem}")),
        Pinned::GaveUp(why) => {
            let hint = format!("run `canaryctl pin {subject}` again");
            (1, "failed", format!("{subject} may not be pinned; traffic unchanged: {why}\n  hint: {hint}"))
        }
    };
    print_result(output, code, &text, || {
        let alias = if let Pinned::Done(alias, _) | Pinned::Already(alias, _) = &pinned { Some(alias) } else { None };
        let reason = json!({ "kind": outcome, "detail": text.trim_end() });
        let fields = json!({
            "outcome": outcome,
            "exit_code": code,
            "reason": reason,
            "stable": alias.and_then(|alias| alias.target.version()),
            "traffic": alias.map_or_else(|| "unchanged".to_owned(), rollout::Alias::traffic),
        });
        report::object("outcome", session.aws.time(), subject, fields)
    });
    code
}
