//! Several rollouts as one: what the members know of each other, and the rules by which they step together.

mod admission;
pub(crate) mod rules;
pub(crate) mod state;
mod tally;

pub use admission::{Joins, joins, taken_out, under_way};
pub use rules::{exit_code, member};
pub use state::{AtGate, Left, Member, Others, RollbackTrigger, Stage};
pub use tally::{News, Tally};
