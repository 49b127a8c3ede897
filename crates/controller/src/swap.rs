//! How does a person's order reach an alias that another owner may be writing? Read, rule, write, by compare and swap, until a write
//! establishes it or there is nothing more to hope for.

use std::time::Duration;

use rollout::target::Subject;
use rollout::timing::{DEFAULT_POLL, HOPELESS, MOVING, SECOND_LOOK};
use rollout::{Alias, Time};

use crate::backoff::Backoff;
use crate::manual_command::update_alias;
use crate::port::{AliasSnapshot, Clock, Cloud, CloudError, Failure, Provisioned, Revision};

/// What is to be done about an alias as it was read.
pub(crate) enum Step<E> {
    /// Nothing: it ends so.
    End(E),
    /// Nothing, if two reads say so.
    Refuse(E),
    /// Nothing but another look: AWS has not done yet what was written.
    Wait(String),
    /// This is written on this revision.
    Write(Revision, Alias),
}

/// A change of an alias that is wanted, whoever else writes on it.
pub(crate) trait Change {
    type End;

    /// The pauses between two tries.
    const PAUSES: Backoff;

    /// Rules on what was read. `sent` is what was last tried to be written.
    fn rule(&mut self, now: Time, held: Option<&AliasSnapshot>, sent: Option<&Alias>) -> Step<Self::End>;

    /// Takes over that AWS moves no provisioned concurrency now, whatever the alias looks like. Whether there is anything to do but to look
    /// again: if so, one write is made.
    fn nothing_moves(&mut self) -> bool {
        false
    }

    /// The end that a write makes; `again` where it was not the first one.
    fn written(&mut self, alias: Alias, again: bool) -> Self::End;

    /// The end that a failure makes at once, of a read or of a write.
    fn failed(&mut self, error: &CloudError, writing: bool) -> Option<Self::End>;

    /// The end where nobody knows what stands: why, and the command to run manually.
    fn gave_up(&self, why: String, command: Option<String>) -> Self::End;
}

/// Makes the change, for as long as `limit` after the first failure, and tells of every trouble.
pub(crate) async fn swap<C: Cloud, K: Clock, T: Change>(
    (cloud, clock): (&C, &K),
    subject: &Subject,
    limit: Duration,
    mut change: T,
    tell: &mut dyn FnMut(Time, String),
) -> T::End {
    let (mut refused, mut failures, mut sent) = (false, 0, None::<Alias>);
    let (mut began, mut hopeless, mut moving) = (None, None, None);
    loop {
        let (error, writing) = match cloud.alias(subject).await {
            Ok(held) => match change.rule(cloud.time(), held.as_ref(), sent.as_ref()) {
                Step::End(end) => return end,
                Step::Refuse(end) if refused => return end,
                Step::Refuse(_) => {
                    refused = true;
                    clock.sleep(SECOND_LOOK).await;
                    continue;
                }
                Step::Wait(why) => {
                    let now = cloud.time();
                    if now.since(*moving.get_or_insert(now)) >= MOVING {
                        return change.gave_up(why, None);
                    }
                    // A person may have set what looks like it. Where that cannot be read, it is waited for.
                    let still = matches!(cloud.provisioned(subject).await, Ok(Provisioned::None | Provisioned::There));
                    if still && change.nothing_moves() {
                        continue;
                    }
                    tell(now, format!("waiting: {why}"));
                    clock.sleep(DEFAULT_POLL).await;
                    continue;
                }
                Step::Write(revision, alias) => {
                    let answer = cloud.update_alias(subject, &alias, &revision).await;
                    let again = sent.replace(alias).is_some();
                    match answer {
                        // The answer is what counts: it may not be what was asked for yet.
                        Ok(held) if held.alias.is_moving() => {
                            clock.sleep(SECOND_LOOK).await;
                            continue;
                        }
                        Ok(held) => return change.written(held.alias, again),
                        Err(error) => (error, true),
                    }
                }
            },
            Err(error) => (error, false),
        };
        if let Some(end) = change.failed(&error, writing) {
            return end;
        }
        let now = cloud.time();
        let passes = !matches!(error.failure, Failure::Denied | Failure::Expired | Failure::Invalid | Failure::Unsigned);
        hopeless = if passes { None } else { hopeless.or(Some(now)) };
        let over = now.since(*began.get_or_insert(now)) >= limit;
        if over || hopeless.is_some_and(|since| now.since(since) >= HOPELESS) {
            let command = sent.as_ref().map(|wanted| update_alias(subject, cloud.region(), wanted));
            return change.gave_up(error.to_string(), command);
        }
        if error.failure != Failure::Outdated {
            tell(now, format!("retrying: {error}"));
        }
        failures += 1;
        clock.sleep(T::PAUSES.after(failures)).await;
    }
}
