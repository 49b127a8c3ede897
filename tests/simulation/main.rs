//! Safe under anything: whole rollouts under kills, lost answers, two operators and blind spots, judged by the world they happened in.
//!
//! The real SDK, the real controller, a simulated AWS, virtual time. Every story is one of one function or of
//! several that are rolled out as one, and grows out of a seed; `SEED=n cargo test --test simulation` replays both and prints their
//! worlds' logs. What is right is said by the checkers, which read that log and exit codes
//! and share no code with the program.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a story that cannot go on has failed, and says so")]

mod breakages;
mod checks;
mod crash_points;
mod draw;
mod endings;
mod gates;
mod guarded;
#[path = "../harness/mod.rs"]
mod harness;
mod limits;
mod note;
mod play;
mod processes;
mod record;
mod seeds;
#[expect(dead_code, reason = "the stage of other tests, too")]
#[path = "../harness/served.rs"]
mod served;
mod stage;
mod story;
mod together;
mod turns;
mod twenty;
mod unfit;
