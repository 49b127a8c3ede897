//! How are alarms kept? What stands is read as a rule, and a rule is put, with the tag that says whose it is.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::{AlarmType, ComparisonOperator, Dimension, MetricAlarm, StateValue, Statistic, Tag};
use controller::port::{AlarmRule, Call, CloudError, ManagedAlarm, TAG};

use crate::connect::Aws;
use crate::error::failed;

impl Aws {
    pub(crate) async fn standing_alarm(&self, name: &str) -> Result<Option<ManagedAlarm>, CloudError> {
        let request = self
            .cloudwatch()
            .describe_alarms()
            .alarm_names(name)
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm);
        let found = request.send().await.map_err(failed(Call::DescribeAlarms))?;
        let (metric, composite) = (found.metric_alarms().first(), found.composite_alarms().first());
        let arn = metric.and_then(MetricAlarm::alarm_arn).or(composite.and_then(|alarm| alarm.alarm_arn()));
        let Some(arn) = arn else { return Ok(None) };
        let tags = self.cloudwatch().list_tags_for_resource().resource_arn(arn).send().await;
        let tags = tags.map_err(failed(Call::ListTagsForResource))?;
        let owner = tags.tags().iter().find(|tag| tag.key() == Some(TAG)).and_then(Tag::value).map(str::to_owned);
        let in_alarm = metric.and_then(MetricAlarm::state_value) == Some(&StateValue::Alarm);
        Ok(Some(ManagedAlarm { rule: metric.and_then(rule), owner, in_alarm }))
    }

    pub(crate) async fn put_rule(&self, rule: &AlarmRule, owner: &str) -> Result<(), CloudError> {
        let dimensions = rule.dimensions.iter().map(|(name, value)| Dimension::builder().name(name).value(value).build());
        let percentile = rule.statistic.starts_with('p');
        let request = self
            .cloudwatch()
            .put_metric_alarm()
            .alarm_name(&rule.name)
            .alarm_description(format!("managed by canaryctl for {owner}"))
            .namespace(&rule.namespace)
            .metric_name(&rule.metric)
            .set_statistic((!percentile).then(|| Statistic::from(rule.statistic.as_str())))
            .set_extended_statistic(percentile.then(|| rule.statistic.clone()))
            .set_dimensions(Some(dimensions.collect()))
            .period(whole(rule.period.as_secs()))
            .evaluation_periods(whole(u64::from(rule.evaluation_periods)))
            .datapoints_to_alarm(whole(u64::from(rule.datapoints)))
            .threshold(rule.threshold)
            .comparison_operator(ComparisonOperator::from(rule.comparison.as_str()))
            .treat_missing_data(&rule.missing_data)
            // Taken when the alarm is made; one that is changed has its tag.
            .tags(Tag::builder().key(TAG).value(owner).build());
        request.send().await.map(drop).map_err(failed(Call::PutMetricAlarm))
    }

    pub(crate) async fn clear_state(&self, name: &str) -> Result<(), CloudError> {
        let request = self
            .cloudwatch()
            .set_alarm_state()
            .alarm_name(name)
            .state_value(StateValue::InsufficientData)
            .state_reason("canaryctl now uses this alarm for another version");
        request.send().await.map(drop).map_err(failed(Call::SetAlarmState))
    }
}

/// What an alarm looks at, where that is one metric in the plain way.
fn rule(alarm: &MetricAlarm) -> Option<AlarmRule> {
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
fn whole(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
