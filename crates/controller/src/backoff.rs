//! How long to pause after a failure? Twice as long as after the one before, up to a limit.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The pause after so many failures in a row, at least one.
    pub(crate) fn after(self, failures: u32) -> Duration {
        self.first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_however_many_failures() {
        let pauses = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(3) };
        let described: Vec<u128> = [1, 2, 3, 5, 6, 7, u32::MAX].map(|failures| pauses.after(failures).as_millis()).into();
        assert_eq!(described, [100, 200, 400, 1600, 3000, 3000, 3000]);
    }
}
