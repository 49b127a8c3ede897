//! How is `CloudWatch` asked for series of numbers? Many in one call, each of them whole, or an error.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, MessageData, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode,
};
use controller::port::{Answer, Call, CloudError};
use rollout::Time;

use crate::connect::Aws;
use crate::error::unreadable;

/// A metric, and which statistic of it.
pub(crate) struct Asked {
    pub(crate) namespace: String,
    pub(crate) metric: String,
    pub(crate) dimensions: Vec<(String, String)>,
    pub(crate) statistic: String,
}

/// The values of one series, by the start of their period.
pub(crate) type Values = BTreeMap<Time, f64>;

pub(crate) fn stat(id: &str, asked: Asked, period: Duration) -> MetricDataQuery {
    let Asked { namespace, metric, dimensions, statistic } = asked;
    let dimensions = dimensions.into_iter().map(|(name, value)| Dimension::builder().name(name).value(value).build()).collect();
    let metric = Metric::builder().namespace(namespace).metric_name(metric).set_dimensions(Some(dimensions)).build();
    let period = i32::try_from(period.as_secs()).unwrap_or(i32::MAX);
    let statistic = MetricStat::builder().metric(metric).period(period).stat(statistic).build();
    MetricDataQuery::builder().id(id).metric_stat(statistic).return_data(true).build()
}

/// Asks for all of these series, and gives them in this order. Each of them is whole, or an error.
pub(crate) async fn ask(aws: &Aws, queries: Vec<MetricDataQuery>, from: Time, to: Time) -> Answer<Vec<Answer<Values>>> {
    let ids: Vec<String> = queries.iter().filter_map(|query| query.id.clone()).collect();
    let request = aws
        .cloudwatch()
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        .start_time(moment(floor(from)))
        .end_time(moment(floor(to) + MINUTE))
        .scan_by(ScanBy::TimestampAscending);
    let pages = aws.pages(OPERATION, request.into_paginator().send()).await?;
    let mut values: BTreeMap<String, (Values, Option<CloudError>)> = BTreeMap::new();
    for page in pages {
        if let Some(message) = page.messages().first() {
            return Err(unreadable(OPERATION, described(message)));
        }
        for result in page.metric_data_results() {
            let (series, reservation) = values.entry(result.id().unwrap_or_default().to_owned()).or_default();
            // More of it may be on the next page: the last word counts.
            *reservation = reserved(result);
            for (at, value) in result.timestamps().iter().zip(result.values()) {
                let millis = at.to_millis().ok().and_then(|millis| u64::try_from(millis).ok());
                let start = millis.ok_or_else(|| unreadable(OPERATION, "a time before 1970"))?;
                series.insert(Time::from_millis(start), *value);
            }
        }
    }
    let whole = |id: &String| match values.remove(id) {
        Some((series, reservation)) => reservation.map_or(Ok(series), Err),
        None => Err(unreadable(OPERATION, "a requested series is missing")),
    };
    Ok(ids.iter().map(whole).collect())
}

/// Why a series is not to be relied on, if it is not.
fn reserved(result: &MetricDataResult) -> Option<CloudError> {
    let status = result.status_code();
    let message = result.messages().first().map(described);
    if status == Some(&StatusCode::Complete) && message.is_none() {
        return None;
    }
    let status = status.map_or("no status", StatusCode::as_str);
    Some(unreadable(OPERATION, format!("{status}{}", message.map_or_else(String::new, |text| format!(": {text}")))))
}

fn described(message: &MessageData) -> String {
    [message.code(), message.value()].into_iter().flatten().collect::<Vec<_>>().join(": ")
}

pub(crate) fn floor(at: Time) -> Time {
    Time::from_secs(at.as_secs() / 60 * 60)
}

fn moment(at: Time) -> DateTime {
    DateTime::from_secs(i64::try_from(at.as_secs()).unwrap_or(i64::MAX))
}

const OPERATION: Call = Call::GetMetricData;

/// The span of one data point, where nothing else is asked for.
pub(crate) const MINUTE: Duration = Duration::from_mins(1);
