//! `canaryctl rollback`: two calls, and a word about what they did.

use controller::{Order, Rollback as Ended, rollback};
use rollout::subject::Subject;
use rollout::{Alias, Time, Version};
use serde_json::json;

use crate::args::{Output, Rollback};
use crate::failure::Failure;
use crate::located::{Located, Otherwise, locate};
use crate::{complain, say, signals, wiring};

/// How long a trouble that repeats itself goes without saying.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(30);

pub(crate) async fn run(args: Rollback) -> Result<u8, Failure> {
    let Located { subject, wired, .. } = locate(args.function.as_deref(), &args.common, Otherwise::AsTyped).await?;
    let identity = wiring::identity(&subject);
    let order = Order { subject, to: args.to, limit: args.timeout, identity };
    let began = wired.clock.now();
    let mut told: Option<(Time, String)> = None;
    let mut tell = |at: Time, why: String| {
        // The same trouble over and over says nothing new.
        let known = told.as_ref().is_some_and(|(then, last)| *last == why && at.since(*then) < AGAIN);
        if !known {
            complain(&why);
            told = Some((at, why));
        }
    };
    // A signal does not stop a way back that is under way; only insisting does.
    let mut signals = signals::listen().subscribe();
    let insisted = async {
        if signals.wait_for(|heard| *heard == controller::Interrupt::AtOnce).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let ended = tokio::select! {
        ended = rollback(&wired.aws, &wired.clock, &order, &mut tell) => ended,
        () = insisted => Ended::Unconfirmed { why: "stopped at once".to_owned(), command: None },
    };
    let now = wired.clock.now();
    let told = Told { subject: &order.subject, took: now.since(began).as_secs_f64(), now };
    Ok(match args.common.output {
        Output::Text => told.text(&ended),
        Output::Json => told.json(&ended),
    })
}

struct Told<'a> {
    subject: &'a Subject,
    took: f64,
    now: Time,
}

impl Told<'_> {
    fn text(&self, ended: &Ended) -> u8 {
        let Self { subject, took, .. } = self;
        match ended {
            Ended::Done { alias, from, changed: true } => {
                let left = from.map_or_else(String::new, |from| format!("; {from} gets none and is marked as rolled back"));
                say(&format!("✔ ROLLED BACK   {subject}: {}, confirmed in {took:.1} s{left}\n", alias.traffic()));
                say(&format!("  next      canaryctl status {subject}\n"));
                0
            }
            Ended::Done { alias, from, .. } => {
                let none = from.map_or_else(String::new, |from| format!("; {from} gets none since it was taken back"));
                say(&format!("✔ NOTHING TO DO   {subject}: {}, confirmed{none}\n", alias.traffic()));
                say(&format!("  next      canaryctl rollback {subject} --to <N>   goes further back\n"));
                0
            }
            Ended::Nothing(why) => {
                complain(&format!(
                    "nothing to roll back on {subject}: {why}\n  hint: `canaryctl status {subject}` explains it; `canaryctl rollback {subject} --to <N>` goes to a version of your choice"
                ));
                3
            }
            Ended::Missing(why) => {
                complain(&format!("{why}\n  hint: is this the right Region and account, and the right alias?"));
                3
            }
            Ended::Unconfirmed { why, command } => {
                let by_hand = command.clone().unwrap_or_else(|| format!("canaryctl rollback {subject}"));
                complain(&format!(
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
        say(&format!("{event}\n"));
        code
    }
}
