//! The simulated AWS as its callers see it: over its wire formats, through the SDK, and behind a socket.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails while a test is set up fails the test")]

mod faults;
mod hosted;
mod lambda;
mod logs;
mod messaging;
mod metrics;
mod reading;
mod recorded;
mod schedules;
mod sdk;
mod served;
mod stacks;
mod step_functions;
mod wire;
