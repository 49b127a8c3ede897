//! `canaryctl rollback`: two API calls, and their result.

use std::time::Duration;

use clap::Args;
use controller::port::{AliasSnapshot, Clock, Cloud};
use controller::{
    Budget, Budgeted, Interrupt, Order, Ordered, OtherAliases, Pruned, Rollback as Ended, kept_version, operate, pruned, rollback,
};
use futures_util::future::join_all;
use rollout::alias::alias_state;
use rollout::bulk_rollback::{BulkRollback, Found, bulk_rollback};
use rollout::note::RolloutId;
use rollout::operate::Operation;
use rollout::target::Subject;
use rollout::{Alias, Time, Version};
use serde_json::json;
use tokio::sync::watch;

use crate::cli::common::{Common, Output};
use crate::cli::values::{alias_name, limit};
use crate::clock::RuntimeClock;
use crate::error::Failure;
use crate::signals;
use crate::target::needs::Needs;
use crate::target::resolve::{Located, locate, locate_all};
use crate::ui::print::{print_error, print_info, print_note, print_result};

/// Roll back now
///
/// If a rollout is in progress, moves all traffic back to the stable version. Otherwise undoes the last rollout, once. Makes two calls
/// to Lambda and retries until AWS has confirmed the result. A configuration file only provides name, alias and Region; where they cannot
/// be read, the name is used as typed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl rollback hello
  canaryctl rollback hello:live --to 40
  canaryctl rollback                             (all functions in canary.yml with a rollout in progress)")]
pub(crate) struct Rollback {
    /// The function: `hello`, `hello:live`, an ARN, or its key in the configuration file [default: all functions in the file with a
    /// rollout in progress]
    #[arg(value_name = "FUNCTION[:ALIAS]")]
    pub(crate) function: Option<String>,
    /// Only these functions of the configuration file
    #[arg(long, value_name = "NAME,NAME,…", value_delimiter = ',', conflicts_with_all = ["function", "to"])]
    pub(crate) only: Vec<String>,
    /// Roll back to this version, no matter what the last rollout was
    #[arg(long, value_name = "N", requires = "function")]
    pub(crate) to: Option<Version>,
    /// If there is no record of the last rollout: roll back to the version that this alias keeps [default: `keepPrevious` of the file]
    #[arg(long, value_name = "ALIAS", value_parser = alias_name)]
    pub(crate) previous: Option<String>,
    /// How long to retry
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = limit)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// The exit code where the traffic could not be confirmed.
const UNCONFIRMED: u8 = 20;

/// The exit code where there is nothing to roll back.
const REFUSED: u8 = 3;

/// How long a repeated warning is not printed again.
const AGAIN: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: Rollback) -> Result<u8, Failure> {
    if args.common.stands_for_all(args.function.as_deref()) {
        return all(&args).await;
    }
    let located = locate(args.function.as_deref(), &args.common, Needs::NameInAnIncident).await?;
    let said = located.settings().and_then(|said| said.keep_previous.as_ref()).map(|at| at.value.clone());
    let Located { subject, session, .. } = located;
    let identity = session.identity(&subject);
    let mut order = Order { subject, to: args.to, limit: args.timeout, identity };
    let mut signals = signals::listen().subscribe();
    let mut report = carry_out(&session.aws, session.clock, order.clone(), &mut signals).await;
    // Only where the alias itself does not say what the version before was.
    if let (Ended::Nothing(_), None, Some(name)) = (&report.ended, order.to, args.previous.or(said))
        && let Some(version) = kept_version(&session.aws, &order.subject, &name).await
    {
        print_info(&format!("no earlier rollout is recorded: rolling back to {version}, which the alias `{name}` keeps\n"));
        order.to = Some(version);
        report = carry_out(&session.aws, session.clock, order, &mut signals).await;
    }
    Ok(report.print(args.common.output))
}

/// Rolls back, and stops only at a second signal.
async fn carry_out<C: Cloud>(aws: &C, clock: RuntimeClock, order: Order, signals: &mut watch::Receiver<Interrupt>) -> Report {
    let began = clock.now();
    let mut warned: Option<(Time, String)> = None;
    let mut warn = |at: Time, why: String| {
        // A repeated warning is not printed again.
        let known = warned.as_ref().is_some_and(|(then, last)| *last == why && at.since(*then) < AGAIN);
        if !known {
            print_info(&format!("{why}\n"));
            warned = Some((at, why));
        }
    };
    // One signal does not stop a rollback in progress; a second one does.
    let ended = tokio::select! {
        ended = rollback(aws, &clock, &order, &mut warn) => ended,
        () = second_signal(signals) => Ended::Unconfirmed { why: "stopped by a second signal".to_owned(), command: None },
    };
    let pruned = if let Ended::Nothing(_) = ended { pruned(aws, &order).await } else { None };
    let missing = matches!(ended, Ended::Missing(_));
    // Where they may not be listed, nothing is lost.
    let other = if missing { OtherAliases::of(aws, &order.subject).await.ok().flatten() } else { None };
    Report { ended, pruned, other, began, now: clock.now(), region: aws.region().to_owned(), subject: order.subject }
}

pub(crate) struct BulkRollbackRun<'a> {
    pub(crate) located: &'a [Located],
    pub(crate) missing: usize,
    /// For each function the ids of its rollouts; empty means any rollout.
    pub(crate) meant: Vec<Vec<RolloutId>>,
    pub(crate) limit: Duration,
    pub(crate) output: Output,
}

async fn all(args: &Rollback) -> Result<u8, Failure> {
    let (located, missing) = locate_all(None, &args.only, &args.common, Needs::NameInAnIncident).await?;
    let meant = vec![Vec::new(); located.len()];
    let sweep = BulkRollbackRun { located: &located, missing, meant, limit: args.timeout, output: args.common.output };
    Ok(sweep.run().await)
}

impl BulkRollbackRun<'_> {
    /// Rolls back every function with a rollout in progress, all at once, and prints each result. A function that is promoted already is
    /// rolled back with the others of its group if they are in progress; any other finished one is skipped.
    pub(crate) async fn run(&self) -> u8 {
        let Some(Located { session, .. }) = self.located.first() else { return UNCONFIRMED };
        let budget = Budget::default();
        let cloud = Budgeted::new(&session.aws, &session.clock, &budget);
        let seen = join_all(self.located.iter().map(|one| cloud.alias(&one.subject))).await;
        let found: Vec<_> = seen
            .iter()
            .zip(&self.meant)
            .map(|(held, meant)| {
                let alias = held.as_ref().map(|held| held.as_ref().map(|held| &held.alias)).map_err(|error| error.failure);
                Found { alias, meant }
            })
            .collect();
        let signals = signals::listen();
        let limit = self.limit;
        let carried_out = join_all(self.located.iter().zip(bulk_rollback(&found)).map(|(one, sweep)| {
            let (cloud, signals) = (&cloud, &signals);
            async move {
                let (subject, identity) = (one.subject.clone(), session.identity(&one.subject));
                let order = Order { subject, to: None, limit, identity };
                match sweep {
                    BulkRollback::Nothing => None,
                    BulkRollback::IfUnderWay(meant) => {
                        Some(if_under_way(cloud, session.clock, order, &meant, &mut signals.subscribe()).await)
                    }
                    BulkRollback::Back => Some(carry_out(cloud, session.clock, order, &mut signals.subscribe()).await),
                }
            }
        }))
        .await;
        let mut codes = Vec::new();
        for (one, report) in self.located.iter().zip(&carried_out) {
            match report {
                Some(report) => codes.push(report.print(self.output)),
                None => print_note(self.output, &format!("· SKIPPED   {}: no such rollout is in progress\n", one.subject)),
            }
        }
        codes.extend((self.missing > 0).then_some(UNCONFIRMED));
        if codes.is_empty() {
            print_error(
                "none of the functions has a rollout in progress\n  hint: `canaryctl rollback <FUNCTION>` undoes a finished rollout",
            );
        }
        // A function with nothing to roll back does not change the exit code of the others.
        codes.into_iter().filter(|code| *code != REFUSED).max().unwrap_or(REFUSED)
    }
}

/// Rolls back a function if one of these rollouts of it (any, where none is named) is in progress. Does not undo a finished one.
async fn if_under_way<C: Cloud>(
    aws: &C,
    clock: RuntimeClock,
    order: Order,
    meant: &[RolloutId],
    signals: &mut watch::Receiver<Interrupt>,
) -> Report {
    let began = clock.now();
    let aims: Vec<Option<RolloutId>> = if meant.is_empty() { vec![None] } else { meant.iter().copied().map(Some).collect() };
    let mut ended = Ended::Nothing("no such rollout is in progress".to_owned());
    for rollout in aims {
        let aim = rollout::operate::Aim { rollout, step: None };
        let warn = &mut |_, why: String| print_info(&format!("{why}\n"));
        let ordered = tokio::select! {
            ordered = operate(aws, &clock, &order.subject, (Operation::Abort, aim), order.identity, warn) => ordered,
            () = second_signal(signals) => Ordered::Unconfirmed("stopped by a second signal".to_owned(), None),
            () = clock.sleep(order.limit) => Ordered::Unconfirmed("no confirmation within the time limit".to_owned(), None),
        };
        ended = match ordered {
            Ordered::Done(alias, _) => Ended::Done { alias, from: None, changed: true, assumed: false },
            Ordered::Already(why) | Ordered::Refused(why, _) => Ended::Nothing(why),
            Ordered::Unconfirmed(why, command) => Ended::Unconfirmed { why, command },
        };
        if !matches!(ended, Ended::Nothing(_)) {
            break;
        }
    }
    // Another process was faster.
    if matches!(ended, Ended::Nothing(_))
        && let Ok(Some(AliasSnapshot { alias, .. })) = aws.alias(&order.subject).await
        && alias_state(&alias).live().is_none()
    {
        ended = Ended::Done { alias, from: None, changed: false, assumed: false };
    }
    let (now, region) = (clock.now(), aws.region().to_owned());
    Report { subject: order.subject, ended, pruned: None, other: None, began, now, region }
}

async fn second_signal(signals: &mut watch::Receiver<Interrupt>) {
    if signals.wait_for(|heard| *heard == Interrupt::AtOnce).await.is_err() {
        std::future::pending::<()>().await;
    }
}

struct Report {
    subject: Subject,
    ended: Ended,
    /// That the version to roll back to was deleted, where that is why nothing was done.
    pruned: Option<Pruned>,
    /// What the function has instead of an alias that does not exist.
    other: Option<OtherAliases>,
    began: Time,
    now: Time,
    region: String,
}

/// What is said where nobody knows where the traffic is, and the command to run.
fn unconfirmed(subject: &Subject, region: &str, why: &str, command: Option<&str>) -> (String, String) {
    let again = || {
        let command = format!("canaryctl rollback {subject} --region {region}");
        ("once that is mended, or on a machine where it works, run this again", command)
    };
    let (what, command) = command.map_or_else(again, |command| ("run this manually", command.to_owned()));
    let hint = format!("hint: page someone, and {what}:\n  {command}");
    (format!("the rollback of {subject} is NOT CONFIRMED: its traffic is unknown\n  why: {why}\n  {hint}"), command)
}

impl Report {
    fn print(&self, output: Output) -> u8 {
        let (subject, took) = (&self.subject, rollout::format::duration(self.now.since(self.began)));
        let mut next = Vec::new();
        let (code, outcome, kind, detail, text) = match &self.ended {
            Ended::Done { alias, from, changed: true, assumed } => {
                let left =
                    from.map_or_else(String::new, |from| format!("; {from} gets no traffic and is rejected: needs --again"));
                let text = format!("✔ ROLLED BACK   {subject}: {}, confirmed in {took}{left}\n", alias.traffic());
                let stable = alias.target;
                let assumed = from.filter(|_| *assumed).map_or_else(String::new, |other| {
                    format!(
                        "  assumed   {stable} is stable: no rollout is recorded, and {stable} is the alias' version\n            to go to {other} instead: canaryctl rollback {subject} --to {other}\n"
                    )
                });
                (
                    0,
                    "rolled_back",
                    "hand",
                    "rolled back manually",
                    format!("{text}{assumed}  next      canaryctl status {subject}\n"),
                )
            }
            Ended::Done { alias, from, .. } => {
                let none = from.map_or_else(String::new, |from| format!("; {from} was rolled back before"));
                let text = format!("✔ NOTHING TO DO   {subject}: {}, confirmed{none}\n", alias.traffic());
                let next = format!("  next      canaryctl rollback {subject} --to <N>   rolls back further\n");
                (0, "unchanged", "unchanged", "already rolled back", format!("{text}{next}"))
            }
            Ended::Nothing(why) if self.pruned.is_none() => {
                let text = format!(
                    "nothing to roll back on {subject}: {why}\n  hint: `canaryctl status {subject}` shows the alias; \
                     `canaryctl rollback {subject} --to <N>` rolls back to a version that you choose"
                );
                (REFUSED, "refused", "refused", why.as_str(), text)
            }
            Ended::Nothing(_) => {
                let gone = |Pruned { version, alias, existing }: &Pruned| report::pruned_text(subject, *version, alias, existing);
                let text = self.pruned.as_ref().map(gone).unwrap_or_default();
                (REFUSED, "refused", "refused", "the version to roll back to does not exist", text)
            }
            Ended::Missing(why) => {
                let text = match &self.other {
                    Some(other) => format!("{}\n  hint: did you mean `canaryctl rollback {}`?", other.text, other.alike),
                    None => format!("{why}\n  hint: are Region, account and alias right?"),
                };
                (REFUSED, "refused", "refused", why.as_str(), text)
            }
            Ended::Unconfirmed { why, command } => {
                let (text, command) = unconfirmed(subject, &self.region, why, command.as_deref());
                next.push(command);
                (UNCONFIRMED, "rollback_unconfirmed", "rollback_unconfirmed", why.as_str(), text)
            }
        };
        let done = if let Ended::Done { alias, from, .. } = &self.ended { Some((alias, *from)) } else { None };
        let (alias, from) = done.unzip();
        print_result(output, code, &text, || {
            let fields = json!({
                "outcome": outcome,
                "exit_code": code,
                "reason": { "kind": kind, "detail": detail },
                "stable": alias.and_then(|alias| alias.target.version()),
                "candidate": from.flatten(),
                "traffic": alias.map_or_else(|| "unknown".to_owned(), Alias::traffic),
                "next": next,
            });
            report::object("outcome", self.now, subject, fields)
        });
        code
    }
}
