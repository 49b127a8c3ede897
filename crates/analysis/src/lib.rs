//! Is the canary worse than stable? A sequential test on the counts of both.
