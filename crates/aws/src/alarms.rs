//! What do alarms say of themselves? Descriptions by name, metric alarms and composites, and what each looks at.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::operation::describe_alarms::builders::DescribeAlarmsFluentBuilder;
use aws_sdk_cloudwatch::types::{
    AlarmType, CompositeAlarm, Dimension, LogAlarm, MetricAlarm, ScheduledQueryConfiguration, Statistic,
};
use controller::port::{Answer, Call, CloudError, Failure, Series, Watch};
use rollout::Arn;

use crate::connect::Aws;

/// Alarms as AWS describes them, by their kind.
#[derive(Debug, Default)]
pub(crate) struct Described {
    pub(crate) metric: Vec<MetricAlarm>,
    pub(crate) composite: Vec<CompositeAlarm>,
    pub(crate) log: Vec<LogAlarm>,
}

/// All kinds of alarms: only metric alarms are given to those who do not ask for the others.
pub(crate) const KINDS: [AlarmType; 3] = [AlarmType::MetricAlarm, AlarmType::CompositeAlarm, AlarmType::LogAlarm];

/// Whether `CloudWatch` finds something wrong with the question, as in Regions that have no log alarms yet. Where it was something
/// else, asking without them is refused again.
pub(crate) fn has_no_log_alarms(error: &CloudError) -> bool {
    error.failure == Failure::Invalid
}

impl Aws {
    /// Asks for alarms, of all kinds that there are here.
    pub(crate) async fn describe_alarms(
        &self,
        asked: impl Fn(DescribeAlarmsFluentBuilder) -> DescribeAlarmsFluentBuilder,
    ) -> Answer<Described> {
        let mut found = self.describe_kinds(&KINDS, &asked).await;
        if found.as_ref().is_err_and(has_no_log_alarms) {
            found = self.describe_kinds(&KINDS[..2], &asked).await;
        }
        found
    }

    async fn describe_kinds(
        &self,
        kinds: &[AlarmType],
        asked: impl Fn(DescribeAlarmsFluentBuilder) -> DescribeAlarmsFluentBuilder,
    ) -> Answer<Described> {
        let mut found = Described::default();
        let request = asked(self.cloudwatch().describe_alarms()).set_alarm_types(Some(kinds.to_vec()));
        for page in self.pages(Call::DescribeAlarms, request.into_paginator().send()).await? {
            found.metric.extend(page.metric_alarms.unwrap_or_default());
            found.composite.extend(page.composite_alarms.unwrap_or_default());
            found.log.extend(page.log_alarms.unwrap_or_default());
        }
        Ok(found)
    }

    /// The alarms of these names or ARNs; those that do not exist are left out.
    pub(crate) async fn describe(&self, names: &[String]) -> Answer<Described> {
        let asked: BTreeMap<&str, &str> = names.iter().map(|name| (alarm_name(name), name.as_str())).collect();
        let mut found = Described::default();
        for batch in asked.keys().collect::<Vec<_>>().chunks(ALARMS_PER_CALL) {
            let names: Vec<String> = batch.iter().map(ToString::to_string).collect();
            // AWS' own choice is pages of fifty.
            let more =
                |request: DescribeAlarmsFluentBuilder| request.set_alarm_names(Some(names.clone())).max_records(ALARMS_PER_PAGE);
            let more = self.describe_alarms(more).await?;
            found.metric.extend(more.metric);
            found.composite.extend(more.composite);
            found.log.extend(more.log);
        }
        // Asked for by ARN and found by name: in another account or Region it would be another alarm.
        let meant = |name: Option<&str>, arn: Option<&str>| {
            let asked = name.map_or(Some(&""), |name| asked.get(name));
            asked.is_some_and(|asked| !Arn::is_meant(asked) || Some(*asked) == arn)
        };
        found.metric.retain(|alarm| meant(alarm.alarm_name(), alarm.alarm_arn()));
        found.composite.retain(|alarm| meant(alarm.alarm_name(), alarm.alarm_arn()));
        found.log.retain(|alarm| meant(alarm.alarm_name(), alarm.alarm_arn()));
        Ok(found)
    }
}

/// As many periods as have to be bad.
pub(crate) fn fires_after(alarm: &MetricAlarm) -> Option<Duration> {
    let periods = alarm.datapoints_to_alarm().or(alarm.evaluation_periods())?;
    let (period, periods) = (u64::try_from(alarm.period()?).ok()?, u64::try_from(periods).ok()?);
    Some(Duration::from_secs(period.checked_mul(periods)?))
}

pub(crate) fn metric_watch(alarm: &MetricAlarm) -> Watch {
    let statistic = alarm.extended_statistic().or(alarm.statistic().map(Statistic::as_str));
    let own = alarm.metric_name().map(|metric| series(alarm.namespace(), Some(metric), statistic, alarm.dimensions()));
    let calculated = alarm.metrics().iter().filter_map(|query| query.metric_stat()).filter_map(|stat| {
        let metric = stat.metric()?;
        Some(series(metric.namespace(), metric.metric_name(), stat.stat(), metric.dimensions()))
    });
    Watch {
        name: alarm.alarm_name().unwrap_or_default().to_owned(),
        series: own.into_iter().chain(calculated).collect(),
        children: Vec::new(),
        log_groups: Vec::new(),
        fires_after: fires_after(alarm),
    }
}

pub(crate) fn composite_watch(alarm: &CompositeAlarm) -> Watch {
    let children = names_in(alarm.alarm_rule().unwrap_or_default());
    Watch { name: alarm.alarm_name().unwrap_or_default().to_owned(), children, ..Watch::default() }
}

/// A log alarm looks at no metric: at what a query finds in log groups.
pub(crate) fn log_watch(alarm: &LogAlarm) -> Watch {
    let query = alarm.scheduled_query_configuration();
    let groups = query.map(ScheduledQueryConfiguration::log_group_identifiers).unwrap_or_default();
    Watch { name: alarm.alarm_name().unwrap_or_default().to_owned(), log_groups: groups.to_vec(), ..Watch::default() }
}

fn series(namespace: Option<&str>, metric: Option<&str>, statistic: Option<&str>, dimensions: &[Dimension]) -> Series {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let dimensions = dimensions.iter().map(|pair| (text(pair.name()), text(pair.value()))).collect();
    Series { namespace: text(namespace), metric: text(metric), statistic: text(statistic), dimensions }
}

/// The alarms that a composite one's rule names, each once: `ALARM(name)`, `OK("name")`, also by ARN.
fn names_in(rule: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut rest = rule;
    while let Some(open) = rest.find('(') {
        let (before, inside) = (rest[..open].trim_end(), rest[open + 1..].trim_start());
        rest = inside;
        if !["ALARM", "OK", "INSUFFICIENT_DATA"].iter().any(|word| before.ends_with(word)) {
            continue;
        }
        let quoted = inside.strip_prefix('"');
        let end = quoted.unwrap_or(inside).find(if quoted.is_some() { '"' } else { ')' });
        let Some((name, after)) = end.map(|end| quoted.unwrap_or(inside).split_at(end)) else { break };
        rest = after;
        if !names.iter().any(|known| known == name.trim()) {
            names.push(name.trim().to_owned());
        }
    }
    names
}

/// The name of an alarm that was given by name or by ARN. A name may contain colons.
pub(crate) fn alarm_name(given: &str) -> &str {
    Arn::parse(given).and_then(Arn::alarm).unwrap_or(given)
}

/// `CloudWatch` takes no more names in one call …
const ALARMS_PER_CALL: usize = 100;
/// … and answers no more alarms on one page.
const ALARMS_PER_PAGE: i32 = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudwatch::types::{Metric, MetricDataQuery, MetricStat};

    #[test]
    fn the_metrics_behind_an_expression() {
        let metric = Metric::builder().namespace("AWS/Lambda").metric_name("Errors");
        let metric = metric.dimensions(Dimension::builder().name("FunctionName").value("hello").build()).build();
        let stat = MetricStat::builder().metric(metric).stat("Sum").period(60).build();
        let query = |id: &str| MetricDataQuery::builder().id(id);
        let alarm = MetricAlarm::builder()
            .alarm_name("rate")
            .metrics(query("rate").expression("100 * errors / calls").build())
            .metrics(query("errors").metric_stat(stat).build())
            .build();
        let watch = metric_watch(&alarm);
        let [series] = watch.series.as_slice() else { panic!("{watch:?}") };
        assert_eq!((series.metric.as_str(), series.statistic.as_str()), ("Errors", "Sum"));
        assert_eq!((series.dimensions["FunctionName"].as_str(), watch.fires_after), ("hello", None));
        let opaque =
            MetricAlarm::builder().alarm_name("query").metrics(query("q").expression("SELECT SUM(Errors)").build()).build();
        assert_eq!(metric_watch(&opaque), Watch { name: "query".to_owned(), ..Watch::default() });
    }

    #[test]
    fn the_names_in_a_rule() {
        let rows: [(&str, &[&str]); 6] = [
            ("ALARM(a)", &["a"]),
            ("ALARM(\"a (b)\") AND NOT OK( c ) OR (INSUFFICIENT_DATA(\"a (b)\"))", &["a (b)", "c"]),
            (
                "(ALARM(arn:aws:cloudwatch:us-east-1:111111111111:alarm:x) OR TRUE)",
                &["arn:aws:cloudwatch:us-east-1:111111111111:alarm:x"],
            ),
            ("TRUE", &[]),
            ("NOT (FALSE)", &[]),
            ("ALARM(", &[]),
        ];
        for (rule, names) in rows {
            assert_eq!(names_in(rule), names, "{rule}");
        }
    }
}
