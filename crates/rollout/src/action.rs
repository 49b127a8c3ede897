//! What can be done next, and what is waited for? One word each; which of them it is, is decided elsewhere.

use serde::Serialize;

use crate::group::state::Stage;
use crate::health::{HoldReason, Pass};
use crate::observation::Observation;
use crate::timing::SECOND_LOOK;
use crate::{Cause, Outcome, Time, Version, Weight};

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Action {
    /// Write the claim: a note, no weights.
    #[serde(rename = "acquire")]
    Claim,
    /// Put the given code into `$LATEST`.
    #[serde(rename = "update_code")]
    UpdateCode,
    /// Publish `$LATEST`.
    #[serde(rename = "publish")]
    Publish,
    /// Make the managed alarms, or change them, for the candidate.
    #[serde(rename = "update_managed_alarms")]
    ManageAlarms,
    /// Start what guards the rollout once this process is gone.
    #[serde(rename = "start_guard")]
    StartGuard,
    /// Write that the pre-traffic hook is about to be invoked.
    #[serde(rename = "announce_pre_hook")]
    AnnouncePreHook,
    /// Write that the post-traffic hook is about to be invoked.
    #[serde(rename = "announce_post_hook")]
    AnnouncePostHook,
    /// Write that the hook before a further weight is about to be invoked.
    #[serde(rename = "announce_step_hook")]
    AnnounceStepHook,
    /// Invoke the hook that is announced.
    #[serde(rename = "invoke_hook")]
    InvokeHook,
    /// Create the alias on the candidate: a first deployment.
    #[serde(rename = "create")]
    Create(Pass),
    /// Give the candidate the weight of this step, counted from 1.
    #[serde(rename = "shift")]
    Shift {
        /// Which step.
        step: usize,
        /// Since when the step counts as in force.
        since: Time,
        /// What allows it.
        pass: Pass,
    },
    /// Write that the step is in force only since then: its write was answered late.
    #[serde(rename = "postpone")]
    Postpone(Time),
    /// Write that the step lasts longer.
    #[serde(rename = "extend")]
    Extend {
        /// Until when.
        until: Time,
        /// Which doubt makes it last.
        #[serde(rename = "reason")]
        doubt: HoldReason,
        /// In words.
        why: String,
    },
    /// Send the candidate test events, for lack of invocations.
    #[serde(rename = "probe")]
    Probe,
    /// Write since when nothing can be read.
    #[serde(rename = "note_monitoring_lost")]
    GoBlind,
    /// Write that things can be read again.
    #[serde(rename = "note_monitoring_restored")]
    SeeAgain,
    /// Write a new lease, and into a claim which version was published.
    #[serde(rename = "renew")]
    Renew,
    /// Write this process' token into the note of an owner that is gone, or is to be replaced.
    #[serde(rename = "take_over")]
    TakeOver,
    /// Supersede another rollout: its canary's weight goes, our claim comes, in one write.
    #[serde(rename = "supersede")]
    Supersede,
    /// Write a note beside weights that have none.
    #[serde(rename = "adopt")]
    Adopt,
    /// Write the note that vanished once more, paused: whoever removed it may have meant something by it.
    #[serde(rename = "rewrite_note")]
    WriteAgain,
    /// Write that the pause is over.
    #[serde(rename = "resume")]
    Resume,
    /// Make the candidate the alias' version, for good.
    #[serde(rename = "promote")]
    Promote(Pass),
    /// Put all traffic on stable, and say why.
    #[serde(rename = "rollback")]
    RollBack(Cause),
    /// Write what stands there once more, to establish it.
    #[serde(rename = "confirm")]
    Confirm,
    /// Give the lease up, so that another process can go on at once.
    #[serde(rename = "release")]
    Release,
    /// Nothing until then, or until something happens.
    #[serde(rename = "wait")]
    Wait {
        /// When to look at the latest.
        until: Time,
        /// What for.
        #[serde(rename = "reason")]
        why: Reason,
    },
    /// It is over.
    #[serde(rename = "finish")]
    Finish(Outcome),
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Reason {
    /// `$LATEST` is being updated.
    #[serde(rename = "settling")]
    Settling,
    /// The version is being prepared.
    #[serde(rename = "preparing")]
    Preparing,
    /// A hook is running.
    #[serde(rename = "hook_running")]
    HookRunning,
    /// A check has not answered yet.
    #[serde(rename = "check_running")]
    CheckRunning,
    /// The step is not due yet.
    #[serde(rename = "not_due")]
    NotDue,
    /// The bake is not over.
    #[serde(rename = "baking")]
    Baking,
    /// A person paused the rollout, until then.
    #[serde(rename = "paused")]
    Paused(Time),
    /// A person set another weight.
    #[serde(rename = "set_by_hand")]
    SetByHand(Weight),
    /// AWS moves provisioned concurrency, and keeps all traffic on this version until that is done.
    #[serde(rename = "provisioned_concurrency")]
    Moving(Version),
    /// What is watched cannot be read: why.
    #[serde(rename = "monitoring_unavailable")]
    Blind(String),
    /// What is watched has no data: why.
    #[serde(rename = "no_data")]
    NoData(String),
    /// Weights change on the full minute, by which invocations are counted.
    #[serde(rename = "full_minute")]
    FullMinute,
    /// The candidate is being sent test events.
    #[serde(rename = "probing")]
    Probing,
    /// Something foreign was read; it takes a second look to believe it.
    #[serde(rename = "looking_again")]
    LookingAgain,
    /// The others of its group are not that far.
    #[serde(rename = "group")]
    SharedDegradation {
        /// What all of them have to reach, or to be ready for.
        stage: Stage,
        /// The one that is furthest from it.
        last: Option<String>,
    },
}

pub(crate) fn look_again(seen: &Observation) -> Action {
    Action::Wait { until: seen.now + SECOND_LOOK, why: Reason::LookingAgain }
}

pub(crate) fn wait(seen: &Observation, until: Time, why: Reason) -> Action {
    Action::Wait { until: until.max(seen.now), why }
}
