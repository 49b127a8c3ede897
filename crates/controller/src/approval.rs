//! Who approved a gate? Whoever did leaves their name in a tag of the function; the rollout reads it and takes it away.
//!
//! The write that ends the pause is the approval. The name only says whose it was: without it the rollout goes on all the same.

use std::time::Duration;

use rollout::arn::unqualified;
use rollout::event::EventKind;
use rollout::gate::Approval;
use rollout::narrate::Round;
use rollout::note::{Note, RolloutId};
use rollout::target::Subject;
use rollout::turn::Turn;

use crate::driver::Driver;
use crate::hooks::tag_key;
use crate::port::{Clock, Cloud, CloudError};

/// How often the name is looked for, and how far apart: it is written right after the approval.
const LOOKS: u32 = 5;
const APART: Duration = Duration::from_secs(2);

/// The same in a turn that finds the gate approved: the next one looks again.
const LOOKS_OF_A_TURN: u32 = 2;

/// The longest value of a tag.
const LONGEST: usize = 256;

/// Leaves the caller's name for the rollout whose gate they have just approved; gives it.
///
/// # Errors
/// Where the name could not be read, or not be left.
pub async fn sign_approval<C: Cloud>(cloud: &C, subject: &Subject, id: RolloutId) -> Result<String, CloudError> {
    let who = cloud.caller().await?;
    let function = cloud.configuration(&subject.function, None).await?.arn;
    let value: String = who.chars().map(|letter| if is_in_tags(letter) { letter } else { '_' }).take(LONGEST).collect();
    cloud.tag(unqualified(&function), &key(id), &value).await?;
    Ok(who)
}

fn key(id: RolloutId) -> String {
    tag_key(&format!("{id}/gate"))
}

/// What AWS takes in a tag's value, as far as names need it.
fn is_in_tags(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_.:/=+-@ ".contains(letter)
}

impl<C: Cloud, K: Clock> Driver<'_, C, K> {
    /// Looks for who approved a gate, beside the loop, and tells it once it is known.
    ///
    /// A turn that finds one approved does not know whether an earlier one has told it: it does where the name is still there, which whoever
    /// tells it takes away.
    pub(crate) fn approvals(&mut self, before: Option<&Round>, now: &Round) {
        self.tell_approval();
        let note = |round: &Round| round.seen.alias.as_ref()?.note().filter(|note| note.id == self.plan.id);
        let approved = |round: &Round| note(round).is_some_and(|note: Note| note.approved);
        if !approved(now) || before.is_some_and(approved) {
            return;
        }
        let Some(function) = self.prepared.stable_arn() else { return };
        let known = before.is_none() && Turn::is_tick(self.io.request.turn);
        let looks = if known { LOOKS_OF_A_TURN } else { LOOKS };
        let (cloud, clock, key) = (self.io.cloud, self.io.clock, key(self.plan.id));
        self.jobs.look_for_approval(async move {
            let function = unqualified(&function);
            for look in 1..=looks {
                let found = cloud.tags(function).await.ok().and_then(|tags| tags.get(&key).cloned());
                if found.is_some() {
                    // Left there it would be taken for the next one's.
                    let _ = cloud.untag(function, &key).await;
                    return Some(Approval { by: found });
                }
                if look < looks {
                    clock.sleep(APART).await;
                }
            }
            (!known).then_some(Approval { by: None })
        });
    }

    /// Tells who approved a gate, where that is known by now.
    pub(crate) fn tell_approval(&mut self) {
        if let Some(approval) = self.jobs.approved.take() {
            self.announce(EventKind::GateApproved(approval));
        }
    }
}
