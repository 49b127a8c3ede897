//! What do the invocations say of a rollout that another process drives? The same comparison, from what the note tells, for whoever only
//! watches.
//!
//! How sensitive that process is, and what it takes for slow, is not in the note: the usual is taken, so its verdict may be another
//! one. The counts are the same. Nothing is decided on it.

use std::time::Duration;

use rollout::comparison::AnalysisResult;
use rollout::note::Note;
use rollout::plan::Plan;
use rollout::target::Subject;
use rollout::{Schedule, Signal, Time, Weight};

use crate::expectation::{Counted, SignalPast};
use crate::log_signals::LogCounts;
use crate::metrics_analysis::find;
use crate::port::{Cloud, CloudError, VersionPair};
use crate::request::Request;

const MINUTE: Duration = Duration::from_mins(1);

/// Counts the invocations of both versions since the rollout began, and these signals, of which none may be in a log; `None` while there are no two versions that share traffic.
///
/// # Errors
/// What the cloud gave.
pub async fn remote_analysis<C: Cloud>(
    cloud: &C,
    subject: &Subject,
    note: &Note,
    signals: &[Signal],
) -> Result<Option<AnalysisResult>, CloudError> {
    let (Some(stable), Some(candidate), Some(plan)) = (note.stable, note.candidate, usual_plan(subject, note)) else {
        return Ok(None);
    };
    let plan = Plan { signals: signals.to_vec(), ..plan };
    // The minute in which it began may have invocations of an earlier rollout of the same versions.
    let from = Time::from_secs(note.started_at.as_secs().div_ceil(60) * 60);
    let pair = VersionPair { subject: subject.clone(), stable, candidate, from, limits: None, signals: signals.to_vec() };
    let counted = cloud.counts(&[pair]).await.answer.pop().transpose()?.unwrap_or_default();
    let (minutes, past, logs, now) = (&counted.minutes, &SignalPast::default(), &LogCounts::default(), cloud.time());
    let of = Counted { plan: &plan, note, minutes, baseline: &None, signals: &counted.signals, past, logs, reason: None, now };
    Ok(find(&of).ok())
}

/// A plan that compares as usual; `None` before the first weight.
fn usual_plan(subject: &Subject, note: &Note) -> Option<Plan> {
    let share = note.phase.share();
    let steps: &[Weight] = if share < Weight::FULL { &[share] } else { &[] };
    let schedule = Schedule::steps(steps, MINUTE).ok().filter(|_| !share.is_zero())?;
    Some(Request::new(subject.clone(), schedule).plan(note.id, note.owner, note.started_at, note.stable))
}
