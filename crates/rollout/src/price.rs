//! What does a detached rollout cost? What AWS charges for the invocations of the controller's function and of its schedule.
//!
//! Not in it: what every rollout costs, such as reads of alarms and metrics, the function's log, and AWS' free tier.

use std::time::Duration;

use crate::timing::TURN;

/// The memory of the controller's function, in MB: 0.5 GB-seconds would be the price of two, and a turn only waits for answers.
pub const MEMORY_MB: u64 = 256;

/// Where the prices are, and of when.
pub const PRICES: &str = "us-east-1 list prices of May 2026";

/// What a GB-second of Lambda costs on `x86_64`: $0.0000166667 (<https://aws.amazon.com/lambda/pricing/>, May 2026; arm64 costs a fifth less).
const GB_SECOND: u64 = 16_666_700;

/// What a request to Lambda costs: $0.20 a million (the same page).
const REQUEST: u64 = 200_000;

/// What an invocation by a schedule costs: $1.00 a million (<https://aws.amazon.com/eventbridge/pricing/>, May 2026).
const SCHEDULED: u64 = 1_000_000;

/// A dollar, in what the prices are in.
const DOLLAR: u64 = 1_000_000_000_000;

/// What is charged for a detached rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// How often the schedule invokes the function.
    pub invocations: u64,
    /// How long that takes, times the function's memory.
    pub gb_seconds: u64,
    /// What both cost together, in millionths of a US dollar.
    pub micro_dollars: u64,
}

impl Price {
    /// Of a rollout that lasts so long: one invocation a minute, and the one that finds it over.
    pub fn of(lasts: Duration) -> Self {
        let invocations = lasts.as_secs().div_ceil(60).saturating_add(1);
        let mb_seconds = invocations.saturating_mul(TURN.as_secs() * MEMORY_MB);
        let computing = u128::from(mb_seconds) * u128::from(GB_SECOND) / 1024;
        let cost = computing + u128::from(invocations) * u128::from(REQUEST + SCHEDULED);
        let micro_dollars = u64::try_from(cost.div_ceil(u128::from(DOLLAR / 1_000_000))).unwrap_or(u64::MAX);
        Self { invocations, gb_seconds: mb_seconds.div_ceil(1024), micro_dollars }
    }

    /// In dollars, rounded up to a cent.
    pub fn dollars(&self) -> String {
        let cents = self.micro_dollars.div_ceil(10_000);
        format!("${}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_minutes_and_two_days() {
        // 101 × 13.75 GB-seconds are 1388.75, which cost $0.02315; 101 × $0.0000012 are the rest.
        let hundred_minutes = Price { invocations: 101, gb_seconds: 1_389, micro_dollars: 23_268 };
        assert_eq!(Price::of(Duration::from_mins(100)), hundred_minutes);
        let two_days = Price { invocations: 2_881, gb_seconds: 39_614, micro_dollars: 663_688 };
        assert_eq!(Price::of(Duration::from_hours(48)), two_days);
        assert_eq!((hundred_minutes.dollars(), two_days.dollars()), ("$0.03".to_owned(), "$0.67".to_owned()));
        assert_eq!(Price::of(Duration::ZERO).invocations, 1);
    }
}
