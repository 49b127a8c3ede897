//! Is the canary worse than stable? A sequential test on the counts of both, with a promise about false alarms.
//!
//! The test may be looked at after every minute, or more often, and promises: a rollout whose canary fails no more often
//! than is tolerated is rolled back with a probability of at most [`Parameters::alpha`], **over the whole rollout**, however
//! often one looked, whatever the traffic did and however the error rates of both versions moved together. It needs no
//! history, no forecast and no configured weight: the split between the versions is taken from the counts themselves.
//!
//! Nothing here reads a clock, a network or a random number, and nothing here acts: this crate says what the counts say.
//!
//! # How it works
//! Minutes are gathered into **buckets** of enough invocations. Given how many errors a bucket has in all, a canary that is no worse
//! than tolerated has a known part of them, about its part of the invocations. A bet on an **alternative** ("the canary fails three
//! times as often") wins when the canary has more than that. Each bet is a factor whose mean is at most 1 as long as the canary
//! is good, so the product over the buckets, the **evidence** `E`, is large only with a small probability: at most `1/x` to
//! ever reach `x`. Several alternatives are bet on at once, and on each moment at which the trouble may begin.
//!
//! Several streams of counts, errors and whatever else counts as failed, are joined by the mean of their evidence: the promise is one for all
//! of them, however many there are and however they depend on each other ([`JoinedTest`]).
//!
//! # Words
//! - **minute**: the invocations of both versions that began in it, and how many of them were **bad** (failed, or slow)
//! - **bucket**: successive minutes with enough invocations together; **informative** where both versions have invocations
//! - **evidence**: `E`, as its natural logarithm; **threshold**: what it has to reach, `1/α` where the test has all of `α`
//! - **verdict**: what the counts say of the rollout, in a word

mod evidence;
pub mod expected;
mod explain;
pub mod factor;
mod guards;
mod joined;
mod latency;
mod minute;
mod parameters;
pub mod series;
mod test;

pub use evidence::Weighed;
pub use explain::{Explanation, RATIOS, Rate, shown_ratio};
pub use guards::{Dead, Together, dead, together};
pub use joined::JoinedTest;
pub use latency::{LatencyTest, SlowMinute};
pub use minute::{COLUMNS, CountError, MOST_CALLS, Minute};
pub use parameters::{Outage, ParameterError, Parameters};
pub use test::{Outlook, Test, Verdict};
