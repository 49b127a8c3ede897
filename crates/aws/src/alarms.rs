//! What do alarms say of themselves? Descriptions by name, metric alarms and composites, and what each looks at.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::operation::describe_alarms::builders::DescribeAlarmsFluentBuilder;
use aws_sdk_cloudwatch::types::{AlarmType, CompositeAlarm, Dimension, MetricAlarm, Statistic};
use controller::port::{Answer, Call, Series, Watch};
use rollout::Arn;

use crate::connect::Aws;

impl Aws {
    /// Asks for alarms of both kinds: without the types, composite alarms are left out.
    pub(crate) fn describe_alarms(&self) -> DescribeAlarmsFluentBuilder {
        self.cloudwatch().describe_alarms().alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm)
    }

    /// The alarms of these names or ARNs; those that do not exist are left out.
    pub(crate) async fn describe(&self, names: &[String]) -> Answer<(Vec<MetricAlarm>, Vec<CompositeAlarm>)> {
        let asked: BTreeMap<&str, &str> = names.iter().map(|name| (alarm_name(name), name.as_str())).collect();
        let (mut metric, mut composite) = (Vec::new(), Vec::new());
        for batch in asked.keys().collect::<Vec<_>>().chunks(ALARMS_PER_CALL) {
            let request = self
                .describe_alarms()
                .set_alarm_names(Some(batch.iter().map(ToString::to_string).collect()))
                // AWS' own choice is pages of fifty.
                .max_records(ALARMS_PER_PAGE);
            for page in self.pages(Call::DescribeAlarms, request.into_paginator().send()).await? {
                metric.extend(page.metric_alarms.unwrap_or_default());
                composite.extend(page.composite_alarms.unwrap_or_default());
            }
        }
        // Asked for by ARN and found by name: in another account or Region it would be another alarm.
        let meant = |name: Option<&str>, arn: Option<&str>| {
            let asked = name.map_or(Some(&""), |name| asked.get(name));
            asked.is_some_and(|asked| !Arn::is_meant(asked) || Some(*asked) == arn)
        };
        metric.retain(|alarm: &MetricAlarm| meant(alarm.alarm_name(), alarm.alarm_arn()));
        composite.retain(|alarm: &CompositeAlarm| meant(alarm.alarm_name(), alarm.alarm_arn()));
        Ok((metric, composite))
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
        fires_after: fires_after(alarm),
    }
}

pub(crate) fn composite_watch(alarm: &CompositeAlarm) -> Watch {
    let children = names_in(alarm.alarm_rule().unwrap_or_default());
    Watch { name: alarm.alarm_name().unwrap_or_default().to_owned(), children, ..Watch::default() }
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
