//! What do the calls say of a rollout that another process drives? The same comparison, from what the note tells, for whoever only
//! watches.
//!
//! How sensitive that process is, and what it takes for slow, is not in the note: the usual is taken, so its verdict may be another
//! one. The counts are the same. Nothing is decided on it.

use std::time::Duration;

use rollout::comparison::Finding;
use rollout::note::Note;
use rollout::plan::{Analysis, Entry, HOOK_LIMIT, InsufficientData, OnInterrupt, Plan, Preexisting, Source};
use rollout::subject::Subject;
use rollout::{Schedule, Time, Weight};

use crate::cloud::{Cloud, CloudError, Pair};
use crate::compare::find;

const MINUTE: Duration = Duration::from_mins(1);

/// Counts the calls of both versions since the rollout began; `None` while there are no two versions that share traffic.
///
/// # Errors
/// What the cloud gave.
pub async fn compared_elsewhere<C: Cloud>(cloud: &C, subject: &Subject, note: &Note) -> Result<Option<Finding>, CloudError> {
    let (Some(stable), Some(candidate), Some(plan)) = (note.stable, note.candidate, usual_plan(note)) else { return Ok(None) };
    // The minute in which it began may have calls of an earlier rollout of the same versions.
    let from = Time::from_secs(note.begun.as_secs().div_ceil(60) * 60);
    let pair = Pair { subject: subject.clone(), stable, candidate, from, limits: None };
    let counted = cloud.counts(&[pair]).await.answer.pop().transpose()?.unwrap_or_default();
    Ok(find(&plan, note, &counted, &None, cloud.time()).ok())
}

/// A plan that compares as usual; `None` before the first share.
fn usual_plan(note: &Note) -> Option<Plan> {
    let share = note.phase.share();
    let steps: &[Weight] = if share < Weight::FULL { &[share] } else { &[] };
    Some(Plan {
        id: note.id,
        owner: note.owner,
        began: note.begun,
        entry: Entry::Fresh,
        stable: note.stable,
        source: Source::Version(note.candidate?),
        schedule: Schedule::steps(steps, MINUTE).ok().filter(|_| !share.is_zero())?,
        bake: Duration::ZERO,
        poll: MINUTE,
        alarms: Vec::new(),
        kept: Vec::new(),
        preexisting: Preexisting::default(),
        insufficient: InsufficientData::default(),
        blind_limit: MINUTE,
        analysis: Analysis::default(),
        countable: true,
        pre_hook: None,
        step_hook: None,
        post_hook: None,
        hook_limit: HOOK_LIMIT,
        on_interrupt: OnInterrupt::default(),
        again: false,
        require_change: false,
        group: Vec::new(),
    })
}
