//! The pure core of canaryctl: what an alias is, what a rollout does next, and how that is told.
//!
//! Nothing here reads a clock, a network, an environment or a random number. Time is an argument; the one function that
//! decides, [`decide::decide`], is enumerated in its tests.
//!
//! # Words
//! - **rollout**: one move of an alias from its *stable* version to a *candidate*
//! - **stable**: the alias' version; **candidate**: the version being rolled out, called the **canary** while it has traffic
//! - **weight**: the canary's weight, in basis points
//! - **plan**, **step**: what was chosen beforehand, and one rise of the weight in it
//! - **bake**: watching the canary at 100% before it is promoted
//! - **shift**: raise the weight by a step; **promote**: make the candidate the alias' version
//! - **roll back**: put all traffic on stable
//! - **alarm**, **health**, **blind**: what is watched, what it says, and not being able to read it
//! - **comparison**, **finding**, **opinion**: what the calls of both versions say of the canary
//! - **signal**: failures and requests that the user counts by version, in metrics or logs, compared like errors
//! - **hook**: a function or a URL that is asked before the first weight (pre-traffic) or before promoting (post-traffic)
//! - **note**: what the alias remembers, at the end of its description; **revision**: what a write is conditional on
//! - **owner**, **lease**: the process that drives a rollout, and until when it is taken to be alive
//! - **observation**, **action**, **outcome**: what is known, what is done next, how it ended
//! - **contended**: changed by another owner, and left alone
//! - **diagnosis**, **symptom**: all that makes a rollout less than it seems, and one such thing
//! - **event**, **reporter**, **report**: what happened, who tells it, the whole of it

pub mod action;
pub mod admission;
pub mod agenda;
pub mod alarms;
pub mod alias;
pub mod arn;
pub mod bulk_rollback;
pub mod candidate;
pub mod change_set;
pub mod check;
pub mod comparison;
pub mod decide;
pub mod diagnosis;
pub mod difference;
pub mod event;
pub mod failure;
mod first_deployment;
pub mod forecast;
pub mod format;
pub mod gate;
pub mod github;
pub mod group;
pub mod guarded;
pub mod health;
pub mod hook;
pub mod logged_error;
pub mod memory;
pub mod narrate;
pub mod note;
pub mod notify;
pub mod observation;
pub mod operate;
pub mod outcome;
pub mod pin;
pub mod plan;
pub mod policy;
mod position;
pub mod price;
pub mod report;
pub mod resumed;
pub mod schedule;
pub mod signal;
pub mod target;
pub mod template;
mod time;
pub mod timing;
pub mod turn;
mod verdict;
mod weight;
mod words;
pub mod write;

#[cfg(test)]
mod change_set_tests;
#[cfg(test)]
mod counts_tests;
#[cfg(test)]
mod decide_tests;
#[cfg(test)]
mod gate_tests;
#[cfg(test)]
mod group_model_tests;
#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod memory_tests;
#[cfg(test)]
mod note_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod signal_tests;
#[cfg(test)]
mod template_tests;
#[cfg(test)]
mod timeline_tests;
#[cfg(test)]
mod wire_tests;

pub use alias::Alias;
pub use arn::Arn;
pub use outcome::{Cause, Outcome, OutcomeKind, ReasonKind};
pub use schedule::Schedule;
pub use signal::Signal;
pub use target::Subject;
pub use time::Time;
pub use weight::{Version, VersionError, Weight};
