//! Which function does a command act on? Its name, its project's settings, and the AWS it is in.

pub(crate) mod config;
pub(crate) mod needs;
pub(crate) mod past;
pub(crate) mod resolve;
