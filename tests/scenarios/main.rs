//! Whole rollouts as stories: the real SDK, the real controller and reporters, on a simulated AWS in virtual time.
//!
//! Each file opens with the guarantee its stories show. They are judged by the simulated world's write log and by a golden log of
//! what a person reads; `BLESS=1 cargo test --test scenarios` writes the golden logs again, to be read before they are committed.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod analysis_attribution;
mod aws_faults;
mod by_hand;
mod checks;
mod comparing;
mod concurrent_rollouts;
mod detached;
mod doctor;
mod error_lines;
mod final_failures;
mod first_deployment;
mod fleet;
mod gates;
mod gathered;
mod github;
mod group_notices;
mod groups;
mod groups_again;
mod guard;
#[expect(dead_code, reason = "what the simulation needs besides")]
#[path = "../harness/mod.rs"]
mod harness;
mod hooks;
mod hooks_at_urls;
mod iam_policy;
mod interrupted;
mod keep_previous;
mod managed_alarms;
mod many_at_once;
mod no_change;
mod no_end;
mod notifications;
mod operators;
mod pinned;
mod provisioned;
mod refused;
mod schedules;
mod signals;
mod stacks;
mod stage;
mod takeover;
mod the_story;
mod ticks;
#[expect(dead_code, reason = "the stories need little of what the test's own simulation needs")]
#[path = "../../crates/analysis/tests/traffic/mod.rs"]
mod traffic;
mod unobserved;
mod vectors;
