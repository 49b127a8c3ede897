//! Has this account made too many calls? The service's request quotas, each a bucket of tokens that fills at its rate.

use std::collections::BTreeMap;

use crate::time::Time;

/// A bucket for each quota that was used.
#[derive(Debug, Default)]
pub(crate) struct Quotas(BTreeMap<&'static str, Bucket>);

impl Quotas {
    /// Whether one more call of this operation fits; it is counted if it does.
    pub(crate) fn admit(&mut self, operation: &str, lambda: bool, now: Time) -> bool {
        let (quota, rate) = match operation {
            "Invoke" | "FunctionUrl" => return true,
            "GetFunction" => ("functions", 100.0),
            "DescribeAlarms" => ("alarms", 9.0),
            "GetMetricData" => ("metrics", 50.0),
            // A guess: the quotas of CloudWatch Logs differ between Regions, and this is the least of them.
            "StartQuery" => ("queries", 5.0),
            "GetQueryResults" => ("query results", 5.0),
            "FilterLogEvents" => ("log events", 5.0),
            // A guess as well: those of EventBridge Scheduler are from 50 to 1,000, by Region, for each operation.
            "CreateSchedule" => ("schedule creations", 50.0),
            "GetSchedule" => ("schedule reads", 50.0),
            "ListSchedules" => ("schedule lists", 50.0),
            "UpdateSchedule" => ("schedule updates", 50.0),
            "DeleteSchedule" => ("schedule deletions", 50.0),
            _ if lambda => ("control", 15.0),
            _ => return true,
        };
        self.0.entry(quota).or_insert(Bucket { rate, tokens: rate, filled: now }).take(now)
    }
}

#[derive(Debug)]
struct Bucket {
    /// Tokens a second, and the most it holds.
    rate: f64,
    tokens: f64,
    filled: Time,
}

impl Bucket {
    fn take(&mut self, now: Time) -> bool {
        self.tokens = (self.tokens + now.since(self.filled).as_secs_f64() * self.rate).min(self.rate);
        self.filled = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_sixteenth_control_call_of_a_second_is_refused_and_time_brings_more() {
        let start = Time::from_millis(0);
        let mut quotas = Quotas::default();
        let admitted = (0..30).filter(|_| quotas.admit("UpdateAlias", true, start)).count();
        assert_eq!(admitted, 15);
        let later = start + Duration::from_millis(200);
        let admitted = (0..30).filter(|_| quotas.admit("GetAlias", true, later)).count();
        assert_eq!(admitted, 3, "a fifth of a second brings a fifth of 15");
    }

    #[test]
    fn invocations_are_free_and_the_others_have_quotas_of_their_own() {
        let start = Time::from_millis(0);
        let mut quotas = Quotas::default();
        let mut count = |operation, lambda| (0..200).filter(|_| quotas.admit(operation, lambda, start)).count();
        assert_eq!(count("Invoke", true), 200);
        assert_eq!(count("GetFunction", true), 100);
        assert_eq!(count("DescribeAlarms", false), 9);
        assert_eq!(count("GetMetricData", false), 50);
        assert_eq!(count("PutMetricAlarm", false), 200);
        assert_eq!(count("PublishVersion", true), 15);
    }
}
