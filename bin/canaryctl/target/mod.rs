//! Which function is meant? A name, what its project says about it, and the AWS that both are about.

pub(crate) mod config;
pub(crate) mod resolve;
