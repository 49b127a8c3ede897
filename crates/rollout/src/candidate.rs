//! Can the version to roll out be had, and can it take traffic? From what a function or a version is, as AWS tells it.
//!
//! Who asks AWS is not said here.

use std::time::Duration;

use crate::Version;
use crate::alias::{AliasState, alias_state};
use crate::failure::Failure;
use crate::format::exact;
use crate::memory::Memory;
use crate::note::Phase;
use crate::observation::{Candidate, Readiness};
use crate::plan::{Entry, Plan, Source};
use crate::timing::PREPARING;

/// Whether a function can be invoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Being prepared.
    Pending,
    /// Ready.
    Active,
    /// Put to sleep after two weeks without a call.
    Inactive,
    /// Not usable: why.
    Failed(String),
}

/// How the last update is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// It is done.
    Successful,
    /// It is in progress.
    InProgress,
    /// It did not work: why.
    Failed(String),
}

/// What decides whether a version can take traffic.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// `$LATEST` or a number.
    pub version: &'a str,
    /// The hash of the code.
    pub code: &'a str,
    /// Whether it can be invoked.
    pub state: &'a State,
    /// How its last update is doing.
    pub update: &'a Update,
    /// The execution role's ARN.
    pub role: &'a str,
    /// The dead-letter queue or topic.
    pub dead_letter: Option<&'a str>,
}

impl Facts<'_> {
    /// Why two versions cannot share an alias, if they cannot: AWS wants one role and one dead-letter queue.
    pub fn incompatible(&self, stable: &Facts<'_>) -> Option<String> {
        let differs = |what: &str, new: &str, old: &str| {
            format!(
                "{} has a different {what} than {} ({new} instead of {old}): AWS does not let an alias split traffic between them",
                self.version, stable.version
            )
        };
        if stable.role != self.role {
            return Some(differs("execution role", self.role, stable.role));
        }
        let [new, old] = [self, stable].map(|facts| facts.dead_letter);
        (old != new).then(|| differs("dead-letter queue", new.unwrap_or("none"), old.unwrap_or("none")))
    }

    /// Whether a published version can take traffic beside the stable one.
    pub fn readiness(&self, stable: Option<&Facts<'_>>) -> Readiness {
        let version = self.version;
        match self.state {
            State::Pending => Readiness::Pending,
            State::Inactive => Readiness::Unfit(format!("{version} is Inactive; invoke it once, then try again")),
            State::Failed(why) => Readiness::Unfit(format!("{version} is Failed: {why}")),
            State::Active => stable.and_then(|stable| self.incompatible(stable)).map_or(Readiness::Ready, Readiness::Unfit),
        }
    }

    /// What `$LATEST` is to a rollout that is to publish it. `outdated` says that code is still to be put there, `ours` the hash of the
    /// code that it was last seen with, or was given.
    pub fn latest(&self, outdated: bool, ours: Option<&str>) -> Candidate {
        match (self.state, self.update) {
            (State::Pending, _) | (_, Update::InProgress) => Candidate::Settling,
            _ if outdated => Candidate::Outdated,
            (State::Failed(why), _) => Candidate::Failed(format!("`$LATEST` is Failed: {why}")),
            (_, Update::Failed(why)) => Candidate::Failed(format!("the last update of `$LATEST` failed: {why}")),
            _ if ours.is_some_and(|ours| ours != self.code) => {
                Candidate::Failed("something else changed `$LATEST` before this rollout published it".to_owned())
            }
            _ => Candidate::Ready,
        }
    }
}

/// Which version is to be looked at now, with `None` for `$LATEST`; nothing once there is nothing to learn from it.
pub fn to_look_at(plan: &Plan, memory: &Memory, known: &Candidate) -> Option<Option<Version>> {
    let note = memory.note(plan);
    let preparing = match memory.alias() {
        Some(alias) => matches!(alias_state(alias), AliasState::Claimed(note) if note.phase == Phase::Claim) && note.is_some(),
        None => plan.stable.is_none() && !memory.claimed(),
    };
    let superseding = matches!(plan.entry, Entry::Supersede(_)) && !memory.claimed();
    match known {
        _ if !preparing && !superseding => None,
        Candidate::Published(version, Readiness::Pending) => Some(Some(*version)),
        Candidate::Published(..) | Candidate::Failed(_) => None,
        Candidate::Unknown | Candidate::Settling | Candidate::Outdated | Candidate::Ready => Some(match plan.source {
            Source::Version(version) => Some(version),
            // Another process may have published it.
            Source::Publish | Source::Update(_) => note.and_then(|note| note.candidate),
        }),
    }
}

/// What a failed update or publication makes of the candidate. Both are harmless when made again, so anything that may pass is tried
/// again.
pub fn not_prepared(failure: Failure, why: String) -> Candidate {
    if failure.is_refusal() { Candidate::Failed(why) } else { Candidate::Settling }
}

/// What becomes of a candidate that has not been ready for so long, and where it could not be read, why: it is not waited for without end.
/// `None` while it may still come.
pub fn given_up(known: &Candidate, waited: Duration, unread: Option<&str>) -> Option<Candidate> {
    let limit = exact(PREPARING);
    let why = |what: String| unread.map_or_else(|| format!("{what} for {limit}"), |why| format!("{what} for {limit}: {why}"));
    match known {
        _ if waited < PREPARING => None,
        Candidate::Published(version, Readiness::Pending) => {
            let what = if unread.is_some() { "could not be read" } else { "has been Pending" };
            Some(Candidate::Published(*version, Readiness::Unfit(why(format!("{version} {what}")))))
        }
        Candidate::Unknown | Candidate::Settling => Some(Candidate::Failed(match unread {
            Some(_) => why("the version to roll out could not be read".to_owned()),
            None => why("an update of `$LATEST` has been in progress".to_owned()),
        })),
        Candidate::Published(..) | Candidate::Outdated | Candidate::Ready | Candidate::Failed(_) => None,
    }
}

/// What a candidate is that AWS will not show: what it refuses for good is not asked for again. `None` where it may still answer.
pub fn unreadable(known: &Candidate, failure: Failure, why: &str) -> Option<Candidate> {
    let why = || format!("the version to roll out cannot be read: {why}");
    match known {
        _ if !failure.is_refusal() => None,
        Candidate::Published(version, Readiness::Pending) => Some(Candidate::Published(*version, Readiness::Unfit(why()))),
        Candidate::Unknown
        | Candidate::Settling
        | Candidate::Outdated
        | Candidate::Ready
        | Candidate::Published(..)
        | Candidate::Failed(_) => Some(Candidate::Failed(why())),
    }
}
