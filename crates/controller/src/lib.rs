//! The only loop of canaryctl: observe, decide, narrate, perform.
//!
//! What is decided, and in which words it is told, is the pure core's; what AWS is like is behind the [`port::Cloud`] port. What
//! stands here is the order of things, waiting, and what to do when a call fails.

mod act;
mod backoff;
mod board;
mod budget;
mod by_hand;
mod compare;
mod count;
mod differences;
mod doctor;
mod driver;
mod elsewhere;
mod end;
mod enter;
mod foresee;
mod gather;
mod group;
mod hooks;
mod identity;
mod interrupt;
mod jobs;
mod keep;
mod last_resort;
mod least;
mod look;
mod operate;
pub mod port;
mod preflight;
mod prepared;
mod probe;
mod request;
mod swap;
mod teller;

pub use budget::{Budget, Budgeted};
pub use by_hand::{Order, Rollback, rollback};
pub use doctor::doctor;
pub use elsewhere::compared_elsewhere;
pub use foresee::foresee;
pub use group::{GroupEnding, each, group, rollout};
pub use hooks::tag_key;
pub use identity::Identity;
pub use interrupt::Interrupt;
pub use last_resort::update_alias;
pub use least::{Grant, Place, least, least_to_roll_back};
pub use operate::{Ordered, operate};
pub use port::{AlarmRule, KeptAlarm, TAG};
pub use preflight::callers::{Bypass, Callers, Permit};
pub use preflight::versions::{managed_by, resets};
pub use preflight::{Preflight, Problem, preflight};
pub use request::{Request, shortest_poll};
pub use rollout::timing::ROLLBACK_LIMIT;
