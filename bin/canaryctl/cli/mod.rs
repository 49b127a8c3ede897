//! What can be typed? The options that several commands share. The options of a single command are in the command's file.

pub(crate) mod analysis_args;
pub(crate) mod artifact_args;
pub(crate) mod common;
pub(crate) mod config_args;
mod policy_args;
pub(crate) mod rollout;
pub(crate) mod team_args;
pub(crate) mod tips;
pub(crate) mod values;
