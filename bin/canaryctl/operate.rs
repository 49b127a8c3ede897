//! `canaryctl pause`, `resume`, `promote`, `abort`: an order to a rollout under way, and what became of it.

use controller::cloud::Cloud;
use controller::{Ordered, ROLLBACK_LIMIT, operate};
use rollout::event::FORMAT;
use rollout::note::{AfterPause, RolloutId};
use rollout::operate::Operation;
use serde_json::json;

use crate::args::{Abort, Aim, Operator, Output, Pause, Promote, Then};
use crate::failure::Failure;
use crate::located::{Located, Otherwise, locate, locate_all};
use crate::rollback::Sweeping;
use crate::{complain, say, wiring};

pub(crate) async fn pause(args: Pause) -> Result<u8, Failure> {
    let then = match args.then {
        Then::Resume => AfterPause::Resume,
        Then::Rollback => AfterPause::RollBack,
    };
    carry_out(Operation::Pause { span: args.span, then }, args.aim, Target::Any).await
}

pub(crate) async fn resume(args: Operator) -> Result<u8, Failure> {
    carry_out(Operation::Resume, args.aim, Target::Any).await
}

pub(crate) async fn promote(args: Promote) -> Result<u8, Failure> {
    let operation = if args.now { Operation::PromoteNow } else { Operation::Promote };
    if let Some(reason) = &args.reason {
        tracing::warn!(%reason, "promoted at once");
    }
    carry_out(operation, args.aim, Target::Any).await
}

pub(crate) async fn abort(args: Abort) -> Result<u8, Failure> {
    if args.aim.common.stands_for_all(args.aim.function.as_ref()) {
        return abort_all(&args).await;
    }
    let target = match (args.mine, args.rollout) {
        (true, _) => Target::Mine,
        (false, Some(id)) => Target::Only(id),
        (false, None) => Target::Any,
    };
    carry_out(Operation::Abort, args.aim, target).await
}

/// Aborts the rollouts of all of the file's functions that this job, or the one of this id, is in the midst of.
async fn abort_all(args: &Abort) -> Result<u8, Failure> {
    if !args.mine && args.rollout.is_none() {
        return Err(Failure::usage(
            "no function is named\n  hint: `abort <FUNCTION>`, or `abort --mine` or `--rollout ID` for all of the file's",
        ));
    }
    let common = &args.aim.common;
    let (located, lost) = locate_all(&args.only, common, Otherwise::AsTyped).await?;
    let names: Vec<String> = located.iter().map(|one| one.subject.to_string()).collect();
    // As one, or each by itself.
    let mine = |name: &String| wiring::job(&wiring::SEVERAL).into_iter().chain(wiring::job(name)).collect();
    let meant = |name: &String| args.rollout.map_or_else(|| mine(name), |id| vec![id]);
    let meant: Vec<Vec<RolloutId>> = names.iter().map(meant).collect();
    if meant.iter().any(Vec::is_empty) {
        return Err(no_job());
    }
    Ok(Sweeping { located: &located, lost, meant, limit: ROLLBACK_LIMIT, output: common.output }.run().await)
}

fn no_job() -> Failure {
    Failure::usage(
        "`--mine` means this CI job's rollout, and no CI job was recognised\n  hint: `--rollout ID`, as `canaryctl status` shows it",
    )
}

/// Which rollout is meant.
enum Target {
    Any,
    Only(rollout::note::RolloutId),
    Mine,
}

async fn carry_out(operation: Operation, args: Aim, target: Target) -> Result<u8, Failure> {
    if args.common.stands_for_all(args.function.as_ref()) {
        return Err(Failure::usage(
            "no function is named\n  hint: an order is for one; `canaryctl status <FUNCTION>` shows what is under way",
        ));
    }
    // An abort moves towards stable.
    let otherwise = if operation == Operation::Abort { Otherwise::AsTyped } else { Otherwise::Fail };
    let Located { subject, wired, .. } = locate(args.function.as_deref(), &args.common, otherwise).await?;
    let mut meant = match target {
        Target::Any => vec![None],
        Target::Only(id) => vec![Some(id)],
        // By itself, or as one of several.
        Target::Mine => wiring::job(&subject).into_iter().chain(wiring::job(&wiring::SEVERAL)).map(Some).collect(),
    }
    .into_iter();
    let identity = wiring::identity(&subject);
    let order = async |rollout| {
        let aim = rollout::operate::Aim { rollout, step: args.expect_step };
        operate(&wired.aws, &wired.clock, &subject, (operation, aim), identity, &mut |_, why| complain(&why)).await
    };
    let mut ordered = order(meant.next().ok_or_else(no_job)?).await;
    while let (Ordered::Refused(..), Some(another)) = (&ordered, meant.next()) {
        ordered = order(another).await;
    }
    let (code, outcome, text) = match &ordered {
        Ordered::Done(alias, does) => (0, "done", format!("✔ DONE   {subject}: {does}; {}", alias.traffic())),
        Ordered::Already(why) => (0, "unchanged", format!("✔ NOTHING TO DO   {subject}: {why}")),
        Ordered::Refused(why, hint) => (3, "refused", format!("{subject}: {why}\n  hint: {hint}")),
        Ordered::Unconfirmed(why, by_hand) => {
            let hint = by_hand.clone().unwrap_or_else(|| format!("canaryctl status {subject}"));
            (20, "unconfirmed", format!("{subject}: NOT CONFIRMED: {why}\n  hint: run this by hand:\n  {hint}"))
        }
    };
    match args.common.output {
        Output::Text if code == 0 => say(&format!("{text}\n")),
        Output::Text => complain(&text),
        Output::Json => {
            let (function, alias) = (&subject.function.name, &subject.alias);
            let line = json!({ "v": FORMAT, "type": "outcome", "at": wired.aws.time(), "function": function, "alias": alias,
                "outcome": outcome, "exit_code": code, "reason": { "kind": outcome, "detail": text } });
            say(&format!("{line}\n"));
        }
    }
    Ok(code)
}
