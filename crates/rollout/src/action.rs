//! What can be done next, and what is waited for? One word each; which of them it is, is decided elsewhere.

use std::time::Duration;

use crate::group::state::Stage;
use crate::health::{Doubt, Pass};
use crate::observation::Observation;
use crate::{Cause, Outcome, Time, Weight};

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Write the claim: a note, no weights.
    Claim,
    /// Put the given code into `$LATEST`.
    UpdateCode,
    /// Publish `$LATEST`.
    Publish,
    /// Make the alarms that are kept, or change them, for the candidate.
    KeepAlarms,
    /// Write that the pre-traffic hook is about to be invoked.
    AnnouncePreHook,
    /// Write that the post-traffic hook is about to be invoked.
    AnnouncePostHook,
    /// Write that the hook before a further share is about to be invoked.
    AnnounceStepHook,
    /// Invoke the hook that is announced.
    InvokeHook,
    /// Create the alias on the candidate: a first deployment.
    Create(Pass),
    /// Give the candidate the share of this step, counted from 1.
    Shift {
        /// Which step.
        step: usize,
        /// Since when the step counts as in force.
        since: Time,
        /// What allows it.
        pass: Pass,
    },
    /// Write that the step is in force only since then: its write was answered late.
    Postpone(Time),
    /// Write that the step lasts longer.
    Extend {
        /// Until when.
        until: Time,
        /// Which doubt makes it last.
        doubt: Doubt,
        /// In words.
        why: String,
    },
    /// Send the candidate saved events, for want of calls.
    Probe,
    /// Write since when nothing can be read.
    GoBlind,
    /// Write that things can be read again.
    SeeAgain,
    /// Write a new lease, and into a claim which version was published.
    Renew,
    /// Write this process' token into the note of an owner that is gone, or is to be replaced.
    TakeOver,
    /// Put another rollout aside: its canary's share goes, our claim comes, in one write.
    Supersede,
    /// Write a note beside weights that have none.
    Adopt,
    /// Write the note that vanished once more, paused: whoever removed it may have meant something by it.
    WriteAgain,
    /// Write that the pause is over.
    Resume,
    /// Make the candidate the alias' version, for good.
    Promote(Pass),
    /// Put all traffic on stable, and say why.
    RollBack(Cause),
    /// Write what stands there once more, to establish it.
    Confirm,
    /// Give the lease up, so that another process can go on at once.
    Release,
    /// Nothing until then, or until something happens.
    Wait {
        /// When to look at the latest.
        until: Time,
        /// What for.
        why: Reason,
    },
    /// It is over.
    Finish(Outcome),
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `$LATEST` is being updated.
    Settling,
    /// The version is being prepared.
    Preparing,
    /// A hook is running.
    HookRunning,
    /// The step is not due yet.
    NotDue,
    /// The bake is not over.
    Baking,
    /// A person paused the rollout, until then.
    Paused(Time),
    /// A person set another share.
    SetByHand(Weight),
    /// What is watched cannot be read: why.
    Blind(String),
    /// What is watched has no data: why.
    NoData(String),
    /// Shares change on the full minute, by which calls are counted.
    FullMinute,
    /// The candidate is being sent saved events.
    Probing,
    /// Something foreign was read; it takes a second look to believe it.
    LookingAgain,
    /// The others of its group are not that far.
    Together {
        /// What all of them have to reach, or to be ready for.
        stage: Stage,
        /// The one that is furthest from it.
        last: Option<String>,
    },
}

/// How long to wait before a second look at something foreign.
pub const SECOND_LOOK: Duration = Duration::from_secs(1);

pub(crate) fn look_again(seen: &Observation) -> Action {
    Action::Wait { until: seen.now + SECOND_LOOK, why: Reason::LookingAgain }
}

pub(crate) fn wait(seen: &Observation, until: Time, why: Reason) -> Action {
    Action::Wait { until: until.max(seen.now), why }
}
