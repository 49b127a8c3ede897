//! `canaryctl rollback`: two calls, and a word about what they did.

use std::time::Duration;

use clap::Args;
use controller::port::{AliasSnapshot, Clock, Cloud};
use controller::{Budget, Budgeted, Interrupt, Order, Ordered, Rollback as Ended, operate, rollback};
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
use crate::cli::values::limit;
use crate::error::Failure;
use crate::session::RuntimeClock;
use crate::target::resolve::{Located, OnConfigError, locate, locate_all};
use crate::ui::print::{print_error, print_info, print_out};
use crate::{session, signals};

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

/// The exit code where nobody knows where some of the traffic is.
const UNCONFIRMED: u8 = 20;

/// The exit code where there is nothing to act on.
const REFUSED: u8 = 3;

/// How long a trouble that repeats itself goes without saying.
const AGAIN: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: Rollback) -> Result<u8, Failure> {
    if args.common.stands_for_all(args.function.as_deref()) {
        return all(&args).await;
    }
    let Located { subject, session, .. } = locate(args.function.as_deref(), &args.common, OnConfigError::AsTyped).await?;
    let identity = session::identity(&subject);
    let order = Order { subject, to: args.to, limit: args.timeout, identity };
    let mut signals = signals::listen().subscribe();
    let (ended, told) = carry_out(&session.aws, session.clock, order, &mut signals).await;
    Ok(told.tell(&ended, args.common.output))
}

/// Rolls back by hand, and hears only a signal that insists.
async fn carry_out<C: Cloud>(
    aws: &C,
    clock: RuntimeClock,
    order: Order,
    signals: &mut watch::Receiver<Interrupt>,
) -> (Ended, Told) {
    let began = clock.now();
    let mut told: Option<(Time, String)> = None;
    let mut tell = |at: Time, why: String| {
        // The same trouble over and over says nothing new.
        let known = told.as_ref().is_some_and(|(then, last)| *last == why && at.since(*then) < AGAIN);
        if !known {
            print_error(&why);
            told = Some((at, why));
        }
    };
    // A signal does not stop a way back that is under way; only insisting does.
    let ended = tokio::select! {
        ended = rollback(aws, &clock, &order, &mut tell) => ended,
        () = insisted(signals) => Ended::Unconfirmed { why: "stopped at once".to_owned(), command: None },
    };
    let now = clock.now();
    (ended, Told { subject: order.subject, took: now.since(began).as_secs_f64(), now })
}

/// Which rollouts are to be brought back, of several functions.
pub(crate) struct BulkRollbackRun<'a> {
    pub(crate) located: &'a [Located],
    /// How many could not be found: nobody knows where their traffic is.
    pub(crate) lost: usize,
    /// For each function the rollouts that are meant; none where any is.
    pub(crate) meant: Vec<Vec<RolloutId>>,
    pub(crate) limit: Duration,
    pub(crate) output: Output,
}

async fn all(args: &Rollback) -> Result<u8, Failure> {
    let (located, lost) = locate_all(None, &args.only, &args.common, OnConfigError::AsTyped).await?;
    let meant = vec![Vec::new(); located.len()];
    let sweep = BulkRollbackRun { located: &located, lost, meant, limit: args.timeout, output: args.common.output };
    Ok(sweep.run().await)
}

impl BulkRollbackRun<'_> {
    /// Brings back every function that is under way, all at once, and says so for each. One that is final already is a part of a rollout
    /// that others of it are in the midst of, and comes back with them; any other that is finished is left alone.
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
                let (subject, identity) = (one.subject.clone(), session::identity(&one.subject));
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
        for (one, ended) in self.located.iter().zip(&carried_out) {
            match ended {
                Some((ended, told)) => codes.push(told.tell(ended, self.output)),
                None if self.output == Output::Text => {
                    print_out(&format!("· LEFT ALONE   {}: no such rollout is under way\n", one.subject));
                }
                None => print_info(&format!("{}: no such rollout is under way\n", one.subject)),
            }
        }
        codes.extend((self.lost > 0).then_some(UNCONFIRMED));
        if codes.is_empty() {
            print_error(
                "no rollout of any of them is under way\n  hint: `canaryctl rollback <FUNCTION>` undoes one that is finished",
            );
        }
        // That nothing was to be done for one is no more than that.
        codes.into_iter().filter(|code| *code != REFUSED).max().unwrap_or(REFUSED)
    }
}

/// Brings a function back if one of these rollouts of it, or any where none is named, turns out to be under way: a finished one is not
/// undone.
async fn if_under_way<C: Cloud>(
    aws: &C,
    clock: RuntimeClock,
    order: Order,
    meant: &[RolloutId],
    signals: &mut watch::Receiver<Interrupt>,
) -> (Ended, Told) {
    let began = clock.now();
    let aims: Vec<Option<RolloutId>> = if meant.is_empty() { vec![None] } else { meant.iter().copied().map(Some).collect() };
    let mut ended = Ended::Nothing("no such rollout is under way".to_owned());
    for rollout in aims {
        let aim = rollout::operate::Aim { rollout, step: None };
        let told = &mut |_, why: String| print_error(&why);
        let ordered = tokio::select! {
            ordered = operate(aws, &clock, &order.subject, (Operation::Abort, aim), order.identity, told) => ordered,
            () = insisted(signals) => Ordered::Unconfirmed("stopped at once".to_owned(), None),
            () = clock.sleep(order.limit) => Ordered::Unconfirmed("no answer in the time that was given".to_owned(), None),
        };
        ended = match ordered {
            Ordered::Done(alias, _) => Ended::Done { alias, from: None, changed: true },
            Ordered::Already(why) | Ordered::Refused(why, _) => Ended::Nothing(why),
            Ordered::Unconfirmed(why, command) => Ended::Unconfirmed { why, command },
        };
        if !matches!(ended, Ended::Nothing(_)) {
            break;
        }
    }
    // Somebody else was faster.
    if matches!(ended, Ended::Nothing(_))
        && let Ok(Some(AliasSnapshot { alias, .. })) = aws.alias(&order.subject).await
        && alias_state(&alias).live().is_none()
    {
        ended = Ended::Done { alias, from: None, changed: false };
    }
    let now = clock.now();
    (ended, Told { subject: order.subject, took: now.since(began).as_secs_f64(), now })
}

/// Ends when somebody insists that it stops at once.
async fn insisted(signals: &mut watch::Receiver<Interrupt>) {
    if signals.wait_for(|heard| *heard == Interrupt::AtOnce).await.is_err() {
        std::future::pending::<()>().await;
    }
}

struct Told {
    subject: Subject,
    took: f64,
    now: Time,
}

impl Told {
    /// Says what became of it, and gives the exit code for that.
    fn tell(&self, ended: &Ended, output: Output) -> u8 {
        match output {
            Output::Text => self.text(ended),
            Output::Json => self.json(ended),
        }
    }

    fn text(&self, ended: &Ended) -> u8 {
        let Self { subject, took, .. } = self;
        match ended {
            Ended::Done { alias, from, changed: true } => {
                let left = from.map_or_else(String::new, |from| format!("; {from} gets none and is marked as rolled back"));
                print_out(&format!("✔ ROLLED BACK   {subject}: {}, confirmed in {took:.1} s{left}\n", alias.traffic()));
                print_out(&format!("  next      canaryctl status {subject}\n"));
                0
            }
            Ended::Done { alias, from, .. } => {
                let none = from.map_or_else(String::new, |from| format!("; {from} gets none since it was taken back"));
                print_out(&format!("✔ NOTHING TO DO   {subject}: {}, confirmed{none}\n", alias.traffic()));
                print_out(&format!("  next      canaryctl rollback {subject} --to <N>   goes further back\n"));
                0
            }
            Ended::Nothing(why) => {
                print_error(&format!(
                    "nothing to roll back on {subject}: {why}\n  hint: `canaryctl status {subject}` explains it; `canaryctl rollback {subject} --to <N>` goes to a version of your choice"
                ));
                3
            }
            Ended::Missing(why) => {
                print_error(&format!("{why}\n  hint: is this the right Region and account, and the right alias?"));
                3
            }
            Ended::Unconfirmed { why, command } => {
                let by_hand = command.clone().unwrap_or_else(|| format!("canaryctl rollback {subject}"));
                print_error(&format!(
                    "the rollback of {subject} is NOT CONFIRMED: nobody knows where its traffic is\n  why: {why}\n  hint: page someone, and run this by hand:\n  {by_hand}"
                ));
                20
            }
        }
    }

    fn json(&self, ended: &Ended) -> u8 {
        let (outcome, code, kind, detail) = match ended {
            Ended::Done { changed: true, .. } => ("rolled_back", 0, "hand", "rolled back by hand".to_owned()),
            Ended::Done { .. } => ("unchanged", 0, "unchanged", "it was rolled back before".to_owned()),
            Ended::Nothing(why) | Ended::Missing(why) => ("refused", 3, "refused", why.clone()),
            Ended::Unconfirmed { why, .. } => ("rollback_unconfirmed", 20, "rollback_unconfirmed", why.clone()),
        };
        let (alias, from): (Option<&Alias>, Option<Version>) = match ended {
            Ended::Done { alias, from, .. } => (Some(alias), *from),
            Ended::Nothing(_) | Ended::Missing(_) | Ended::Unconfirmed { .. } => (None, None),
        };
        let again = format!("canaryctl rollback {}", self.subject);
        let next =
            if let Ended::Unconfirmed { command, .. } = ended { vec![command.clone().unwrap_or(again)] } else { Vec::new() };
        let event = json!({
            "v": rollout::event::FORMAT,
            "type": "outcome",
            "at": self.now,
            "function": self.subject.function.name,
            "alias": self.subject.alias,
            "outcome": outcome,
            "exit_code": code,
            "reason": { "kind": kind, "detail": detail },
            "stable": alias.and_then(|alias| alias.target.version()),
            "candidate": from,
            "traffic": alias.map_or_else(|| "unknown".to_owned(), Alias::traffic),
            "next": next,
        });
        print_out(&format!("{event}\n"));
        code
    }
}
