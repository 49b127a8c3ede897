//! `canaryctl pause`, `resume`, `promote`, `abort`: act on a rollout in progress, and print the result.

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use controller::port::Cloud;
use controller::{Ordered, ROLLBACK_LIMIT, operate, sign_approval};
use rollout::Alias;
use rollout::health::clock;
use rollout::note::{AfterPause, RolloutId};
use rollout::operate::Operation;
use rollout::target::Subject;
use rollout::turn::detached_owner;
use serde_json::json;

use super::rollback::BulkRollbackRun;
use crate::cli::common::Common;
use crate::cli::values::{limit, rollout_id};
use crate::error::Failure;
use crate::session::{self, Session};
use crate::target::needs::Needs;
use crate::target::resolve::{Located, locate, locate_all};
use crate::ui::print::{print_info, print_result};

/// Which rollout to act on
#[derive(Debug, Args)]
pub(crate) struct Aim {
    /// The function: `hello`, `hello:live`, an ARN, or its key in the configuration file
    #[arg(value_name = "FUNCTION[:ALIAS]")]
    pub(crate) function: Option<String>,
    /// Only if the rollout is at this step; for scripts
    #[arg(long, value_name = "N")]
    pub(crate) expect_step: Option<u16>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Pause a rollout; it is still watched, and a failure still rolls it back
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl pause hello
  canaryctl pause hello --for 30m --then rollback")]
pub(crate) struct Pause {
    /// How long to pause
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = limit)]
    pub(crate) span: Duration,
    /// What to do after the pause
    #[arg(long, value_name = "WHAT", default_value = "resume", value_parser = PossibleValuesParser::new(AfterPause::WORDS).map(|word| AfterPause::named(&word).unwrap_or(AfterPause::Resume)))]
    pub(crate) then: AfterPause,
    #[command(flatten)]
    pub(crate) aim: Aim,
}

/// Resume a paused rollout, or approve a gate
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl resume hello
  canaryctl resume hello --gate")]
pub(crate) struct Resume {
    /// Approve the gate at which the rollout waits; a manual pause is not ended
    #[arg(long)]
    pub(crate) gate: bool,
    #[command(flatten)]
    pub(crate) aim: Aim,
}

/// Shift 100% of traffic to the new version now; the rollout's process then watches it and promotes it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl promote hello
  canaryctl promote hello --now --reason 'the fix must be out before the sale'")]
pub(crate) struct Promote {
    /// Promote the version at once, without a bake, even if no process watches it; an earlier failure still rolls it back
    #[arg(long, requires = "reason")]
    pub(crate) now: bool,
    /// The reason, for the log
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) aim: Aim,
}

/// Roll back a rollout in progress; never undo a finished one
///
/// For clean-up steps in CI. Unlike `rollback`, it never undoes a finished rollout. `--mine` and `--rollout` exclude all other rollouts.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl abort hello --mine
  canaryctl abort hello --rollout 7f3ac2e1
  canaryctl abort --mine                         (all functions in canary.yml that this job rolls out)")]
pub(crate) struct Abort {
    /// Only the rollout with this id
    #[arg(long, value_name = "ID", value_parser = rollout_id, conflicts_with = "mine")]
    pub(crate) rollout: Option<RolloutId>,
    /// Only the rollout that this CI job started
    #[arg(long)]
    pub(crate) mine: bool,
    /// Only these functions of the configuration file
    #[arg(long, value_name = "NAME,NAME,…", value_delimiter = ',', conflicts_with = "function")]
    pub(crate) only: Vec<String>,
    #[command(flatten)]
    pub(crate) aim: Aim,
}

pub(crate) async fn pause(args: Pause) -> Result<u8, Failure> {
    carry_out(Operation::Pause { span: args.span, then: args.then }, args.aim, None).await
}

pub(crate) async fn resume(args: Resume) -> Result<u8, Failure> {
    carry_out(if args.gate { Operation::Approve } else { Operation::Resume }, args.aim, None).await
}

pub(crate) async fn promote(args: Promote) -> Result<u8, Failure> {
    let operation = if args.now { Operation::PromoteNow } else { Operation::Promote };
    if let Some(reason) = &args.reason {
        tracing::warn!(%reason, at_once = args.now, "promoted");
    }
    carry_out(operation, args.aim, None).await
}

pub(crate) async fn abort(args: Abort) -> Result<u8, Failure> {
    if args.aim.common.stands_for_all(args.aim.function.as_deref()) {
        return abort_all(&args).await;
    }
    let target = args.rollout.map(|id| vec![id]).or(args.mine.then(Vec::new));
    carry_out(Operation::Abort, args.aim, target).await
}

/// Aborts this job's rollout (or the one with the given id) of all functions in the configuration file.
async fn abort_all(args: &Abort) -> Result<u8, Failure> {
    if !args.mine && args.rollout.is_none() {
        return Err(Failure::usage(
            "no function given\n  hint: `abort <FUNCTION>`; or, for all functions in the configuration file, `abort --mine` or `abort --rollout ID`",
        ));
    }
    let common = &args.aim.common;
    let (located, missing) = locate_all(None, &args.only, common, Needs::NameInAnIncident).await?;
    let meant = |one: &Located| args.rollout.map_or_else(|| job(&one.subject).collect(), |id| vec![id]);
    let meant: Vec<Vec<RolloutId>> = located.iter().map(meant).collect();
    if meant.iter().any(Vec::is_empty) {
        return Err(no_job());
    }
    Ok(BulkRollbackRun { located: &located, missing, meant, limit: ROLLBACK_LIMIT, output: common.output }.run().await)
}

/// The ids of this CI job's rollouts of a function: separately, or as one of several.
fn job(subject: &Subject) -> impl Iterator<Item = RolloutId> + use<> {
    session::job(subject).into_iter().chain(session::job(&session::SEVERAL))
}

fn no_job() -> Failure {
    Failure::usage("`--mine` needs a CI job, and none was detected\n  hint: use `--rollout ID`; `canaryctl status` shows the id")
}

/// Acts on any rollout, on those in `target`, or on this CI job's where that is empty.
async fn carry_out(operation: Operation, args: Aim, target: Option<Vec<RolloutId>>) -> Result<u8, Failure> {
    if args.common.stands_for_all(args.function.as_deref()) {
        return Err(Failure::usage("no function given\n  hint: name one; `canaryctl status <FUNCTION>` shows its rollout"));
    }
    // An abort is safe: it moves traffic to stable.
    let needs = if operation == Operation::Abort { Needs::NameInAnIncident } else { Needs::Name };
    let Located { subject, session, .. } = locate(args.function.as_deref(), &args.common, needs).await?;
    let mut meant = match target {
        None => vec![None],
        Some(ids) if ids.is_empty() => job(&subject).map(Some).collect(),
        Some(ids) => ids.into_iter().map(Some).collect(),
    }
    .into_iter();
    let identity = session.identity(&subject);
    let order = async |rollout| {
        let aim = rollout::operate::Aim { rollout, step: args.expect_step };
        operate(&session.aws, &session.clock, &subject, (operation, aim), identity, &mut |_, why| print_info(&format!("{why}\n")))
            .await
    };
    let mut ordered = order(meant.next().ok_or_else(no_job)?).await;
    while let (Ordered::Refused(..), Some(another)) = (&ordered, meant.next()) {
        ordered = order(another).await;
    }
    let by = match &ordered {
        Ordered::Done(alias, _) if operation == Operation::Approve => approved(&session, &subject, alias).await,
        Ordered::Done(..) | Ordered::Already(_) | Ordered::Refused(..) | Ordered::Unconfirmed(..) => None,
    };
    let (code, outcome, text) = match &ordered {
        Ordered::Done(alias, does) => {
            let unwatched = if operation == Operation::Promote { if_nobody_watches(alias) } else { String::new() };
            (0, "done", format!("✔ DONE   {subject}: {does}; {}{unwatched}\n", alias.traffic()))
        }
        Ordered::Already(why) => (0, "unchanged", format!("✔ NOTHING TO DO   {subject}: {why}\n")),
        Ordered::Refused(why, hint) => (3, "refused", format!("{subject}: {why}\n  hint: {hint}")),
        Ordered::Unconfirmed(why, command) => {
            let hint = command.clone().unwrap_or_else(|| format!("canaryctl status {subject}"));
            (20, "unconfirmed", format!("{subject}: NOT CONFIRMED: {why}\n  hint: run this manually:\n  {hint}"))
        }
    };
    print_result(args.common.output, code, &text, || {
        let reason = json!({ "kind": outcome, "detail": text.trim_end() });
        let mut fields = json!({ "outcome": outcome, "exit_code": code, "reason": reason });
        if let Some(by) = &by {
            fields["approved_by"] = by.as_str().into();
        }
        report::object("outcome", session.aws.time(), &subject, fields)
    });
    Ok(code)
}

/// What becomes of it if the process was killed that is to watch it.
fn if_nobody_watches(alias: &Alias) -> String {
    let driven = alias.note().filter(|note| note.owner != detached_owner(note.id));
    let shown = driven.and_then(|note| note.lease).map(clock);
    shown.map_or_else(String::new, |until| {
        format!("\n  hint: if its process was killed, `canaryctl status` says so from {until} on")
    })
}

/// Leaves the name of whoever approved a gate for its rollout; that it could not is no failure of the approval.
async fn approved(session: &Session, subject: &Subject, alias: &Alias) -> Option<String> {
    match sign_approval(&session.aws, subject, alias.note()?.id).await {
        Ok(who) => {
            print_info(&format!("approved by {who}\n"));
            Some(who)
        }
        Err(error) => {
            print_info(&format!("the rollout's record does not have who approved it: {error}\n"));
            None
        }
    }
}
