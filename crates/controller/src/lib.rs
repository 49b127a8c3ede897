//! The only loop of canaryctl: observe, decide, narrate, perform.
//!
//! What is decided, and in which words it is told, is the pure core's; what AWS is like is behind the [`cloud::Cloud`] port. What
//! stands here is the order of things, waiting, and what to do when a call fails.

mod act;
mod board;
mod budget;
mod by_hand;
mod callers;
mod checks;
pub mod cloud;
mod compare;
mod count;
pub mod differences;
mod doctor;
mod driver;
mod elsewhere;
mod end;
mod enter;
mod foresee;
mod gather;
mod group;
mod hooks;
mod interrupt;
mod jobs;
mod keep;
mod last_resort;
mod least;
mod look;
mod operate;
mod preflight;
mod prepared;
mod probe;
mod request;
mod surroundings;
mod teller;

pub use budget::{Budget, Budgeted};
pub use by_hand::{Order, Rollback, rollback};
pub use callers::{Bypass, Callers, Permit};
pub use checks::{managed_by, resets};
pub use doctor::doctor;
pub use elsewhere::compared_elsewhere;
pub use foresee::foresee;
pub use group::{GroupEnding, each, group, rollout};
pub use hooks::tag_key;
pub use interrupt::Interrupt;
pub use keep::{AlarmRule, KeptAlarm, TAG};
pub use last_resort::update_alias;
pub use least::{Grant, Place, least, least_to_roll_back};
pub use operate::{Ordered, operate};
pub use preflight::{Preflight, Problem, preflight};
pub use request::{Identity, Request, shortest_poll};
pub use rollout::memory::ROLLBACK_LIMIT;
