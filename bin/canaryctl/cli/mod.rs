//! What can be typed? What several commands share of the command line, and nothing behind it. What one command has to itself stands
//! beside it.

pub(crate) mod analysis_args;
pub(crate) mod artifact_args;
pub(crate) mod common;
pub(crate) mod config_args;
mod policy_args;
pub(crate) mod rollout;
pub(crate) mod values;
