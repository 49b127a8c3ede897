//! Several rollouts as one: what the members know of each other, and the rules by which they step together.

pub(crate) mod rules;
pub(crate) mod state;

pub use rules::{ended_within, exit_code, member, others, split, terminal};
pub use state::{Called, Left, Member, Others, Stage};
