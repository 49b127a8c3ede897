//! What is an alarm as a rule? Read from what AWS describes, and the numbers of one that is put.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::{MetricAlarm, Statistic};
use controller::port::AlarmRule;

/// What an alarm looks at, where that is one metric in the plain way.
pub(crate) fn rule(alarm: &MetricAlarm) -> Option<AlarmRule> {
    let periods = u32::try_from(alarm.evaluation_periods()?).ok()?;
    let dimensions = alarm.dimensions().iter().map(|pair| Some((pair.name()?.to_owned(), pair.value()?.to_owned())));
    Some(AlarmRule {
        name: alarm.alarm_name()?.to_owned(),
        namespace: alarm.namespace()?.to_owned(),
        metric: alarm.metric_name()?.to_owned(),
        statistic: alarm.extended_statistic().or(alarm.statistic().map(Statistic::as_str))?.to_owned(),
        threshold: alarm.threshold()?,
        comparison: alarm.comparison_operator()?.as_str().to_owned(),
        period: Duration::from_secs(u64::try_from(alarm.period()?).ok()?),
        evaluation_periods: periods,
        datapoints: alarm.datapoints_to_alarm().map_or(Some(periods), |datapoints| u32::try_from(datapoints).ok())?,
        missing_data: alarm.treat_missing_data().unwrap_or("missing").to_owned(),
        dimensions: dimensions.collect::<Option<BTreeMap<_, _>>>()?,
    })
}

/// A number of seconds or data points: AWS takes none that an `i32` cannot hold.
pub(crate) fn whole(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
