//! The port to AWS: what its calls do, how they fail, and what stops them before anything is sent.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails while a test is set up fails the test")]

mod answers;
mod calls;
mod connecting;
mod emulated;
mod failures;
mod messaging;
mod simulated;
