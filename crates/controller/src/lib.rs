//! The only loop of canaryctl: observe, decide, narrate, perform.
//!
//! What is decided, and in which words it is told, is the pure core's; what AWS is like is behind the [`port::Cloud`] port. What
//! stands here is the order of things, waiting, and what to do when a call fails.

mod admission;
mod backoff;
mod batch;
mod checks;
mod conclude;
mod config_diff;
mod doctor;
mod driver;
mod error_lines;
mod event_sink;
mod expectation;
mod forecast;
mod group;
mod group_board;
mod hooks;
mod iam;
mod identity;
mod interrupt;
mod jobs;
mod log_query;
mod log_signals;
mod managed_alarms;
mod manual_command;
mod manual_rollback;
mod metrics_analysis;
mod metrics_poll;
mod observe;
mod operate;
mod perform;
mod pin;
pub mod port;
mod preflight;
mod prepared;
mod probe;
mod rate_limit;
mod remote_analysis;
mod request;
mod signals_analysis;
mod swap;
mod uncounted;

pub use doctor::doctor;
pub use forecast::forecast;
pub use group::{GroupEnding, each, group, rollout};
pub use hooks::{awaited, tag_key};
pub use iam::{Grant, Place, permissions, rollback_permissions};
pub use identity::Identity;
pub use interrupt::Interrupt;
pub use log_query::{LogSearch, error_lines};
pub use manual_command::update_alias;
pub use manual_rollback::{Order, Pruned, Rollback, pruned, rollback};
pub use operate::{Ordered, operate};
pub use pin::{Pinned, pin};
pub use port::{AlarmRule, ManagedAlarm, TAG};
pub use preflight::callers::{Bypass, Callers, PolicyStatement};
pub use preflight::versions::{last_version, managed_by, resets};
pub use preflight::{Preflight, Problem, preflight};
pub use rate_limit::{Budget, Budgeted};
pub use remote_analysis::remote_analysis;
pub use request::{Request, shortest_poll};
pub use rollout::timing::ROLLBACK_LIMIT;
pub use signals_analysis::signal_minutes;
