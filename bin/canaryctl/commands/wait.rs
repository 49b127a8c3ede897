//! `rollout --detach --wait`: the exit code of a detached rollout, read from the alias.

use std::time::Duration;

use controller::Interrupt;
use controller::port::{Clock, Cloud};
use rollout::event::RolloutSummary;
use rollout::health::clock;
use rollout::note::RolloutId;
use rollout::turn::outcome;
use rollout::{Alias, Outcome, OutcomeKind, Subject};
use tokio::sync::watch;

use crate::session::Session;
use crate::ui::print::print_info;

/// Waits until all of these rollouts are over, and gives their exit code: 20 and 21 before the first other that is not 0. A signal ends the
/// wait, and no rollout.
pub(crate) async fn until_over(
    session: &Session,
    ended: &[(Subject, &RolloutSummary)],
    poll: Duration,
    stop: watch::Receiver<Interrupt>,
) -> u8 {
    let mut codes = Vec::new();
    for (subject, ending) in ended {
        codes.push(match (&ending.outcome, ending.rollout_id.parse::<RolloutId>()) {
            (OutcomeKind::Detached, Ok(id)) => one(session, subject, id, poll, stop.clone()).await,
            _ => ending.exit_code,
        });
    }
    let worst = [20, 21].into_iter().find(|worst| codes.contains(worst));
    worst.or_else(|| codes.into_iter().find(|code| *code != 0)).unwrap_or_default()
}

async fn one(session: &Session, subject: &Subject, id: RolloutId, poll: Duration, mut stop: watch::Receiver<Interrupt>) -> u8 {
    let (aws, clock) = (&session.aws, &session.clock);
    let mut gone = 0;
    loop {
        match aws.alias(subject).await {
            Ok(held) => {
                let alias = held.map(|held| held.alias);
                let note = alias.as_ref().and_then(Alias::note).filter(|note| note.id == id);
                if let Some(outcome) = note.as_ref().and_then(outcome) {
                    return over(session, subject, &outcome, alias.as_ref());
                }
                // Reads can be stale: another rollout has to show twice.
                gone = if note.is_none() { gone + 1 } else { 0 };
                if gone > 1 {
                    return over(session, subject, &Outcome::Superseded, alias.as_ref());
                }
            }
            Err(error) => print_info(&format!("{subject}: the alias cannot be read, trying again: {error}\n")),
        }
        tokio::select! {
            () = clock.sleep(poll) => {}
            _ = stop.wait_for(|heard| *heard != Interrupt::None) => {
                print_info(&format!("{subject}: the rollout continues; `canaryctl status {subject} --watch` follows it\n"));
                return Outcome::LeftInProgress.exit_code();
            }
        }
    }
}

fn over(session: &Session, subject: &Subject, outcome: &Outcome, alias: Option<&Alias>) -> u8 {
    let traffic = alias.map_or_else(|| "the alias does not exist".to_owned(), Alias::traffic);
    let word = if let Outcome::RolledBack(cause) = outcome { cause.phrase().to_owned() } else { outcome.to_string() };
    print_info(&format!("{}  {subject}: {word}; {traffic}\n", clock(session.aws.time())));
    outcome.exit_code()
}
