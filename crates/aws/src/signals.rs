//! What do the metrics of signals count, and which exist? Custom metrics, by the dimensions that a signal fills in for a version.

use std::time::Duration;

use aws_sdk_cloudwatch::operation::list_metrics::ListMetricsOutput;
use aws_sdk_cloudwatch::types::{Dimension, DimensionFilter, MetricDataQuery};
use controller::port::{Answer, Call, KnownMetric, SignalCounts, SignalMinute, VersionPair};
use rollout::signal::{PLACEHOLDERS, SignalMetric, SignalSource};
use rollout::{Signal, Subject, Time, Version};

use crate::connect::Aws;
use crate::error::{failed, unreadable};
use crate::metric_data::{Asked, Values, ask, floor, stat};

/// The metrics of a signal: failures, and requests where they are not the invocations; none of one in logs.
fn metrics(signal: &Signal) -> impl Iterator<Item = &SignalMetric> {
    let metrics = match &signal.source {
        SignalSource::Metrics { failures, requests } => [Some(failures), requests.as_ref()],
        SignalSource::Logs { .. } => [None, None],
    };
    metrics.into_iter().flatten()
}

/// The questions about the signals of one version, in the order in which [`Taken::next`] takes their answers.
fn of_version<'a>(subject: &'a Subject, version: Version, signals: &'a [Signal]) -> impl Iterator<Item = Asked> + 'a {
    signals.iter().flat_map(metrics).map(move |metric| {
        let filled = metric.of(subject, version);
        let dimensions = filled.dimensions.into_iter().collect();
        Asked { namespace: filled.namespace, metric: filled.metric, dimensions, statistic: "Sum".to_owned() }
    })
}

/// The questions about a pair: those about stable, then those about the candidate.
pub(crate) fn of_pair(pair: &VersionPair) -> impl Iterator<Item = Asked> + '_ {
    [pair.stable, pair.candidate].into_iter().flat_map(|version| of_version(&pair.subject, version, &pair.signals))
}

/// What the answers say of a pair's signals, in their order.
pub(crate) fn counted(pair: &VersionPair, answers: Vec<Answer<Values>>) -> Answer<Vec<Vec<SignalMinute>>> {
    let answers = answers.into_iter().collect::<Answer<Vec<Values>>>()?;
    let (stable, candidate) = answers.split_at(answers.len() / 2);
    let (mut stable, mut candidate) = (stable.iter(), candidate.iter());
    let minutes = |signal: &Signal| {
        let count = metrics(signal).count();
        let series: [Vec<&Values>; 2] = [&mut stable, &mut candidate].map(|answers| answers.by_ref().take(count).collect());
        let mut starts: Vec<Time> = series.iter().flatten().flat_map(|values| values.keys()).copied().collect();
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|start| *start >= floor(pair.from));
        let minute = |start: Time| {
            let [stable, candidate] = [&series[0], &series[1]].map(|series| counts(series, start));
            Ok(SignalMinute { start, stable: stable?, candidate: candidate? })
        };
        starts.into_iter().map(minute).collect()
    };
    pair.signals.iter().map(minutes).collect()
}

fn counts(series: &[&Values], start: Time) -> Answer<SignalCounts> {
    let number = |place: usize| match series.get(place).and_then(|values| values.get(&start)).copied().unwrap_or_default() {
        number if number.is_finite() && number >= 0.0 => Ok(number),
        number => Err(unreadable(Call::GetMetricData, format!("a count of {number}"))),
    };
    Ok(SignalCounts { failures: number(0)?, requests: number(1)? })
}

pub(crate) async fn past(
    aws: &Aws,
    (subject, version): (&Subject, Version),
    signals: &[Signal],
    (from, to, every): (Time, Time, Duration),
) -> Answer<Vec<Vec<(Time, SignalCounts)>>> {
    let queries: Vec<MetricDataQuery> = of_version(subject, version, signals)
        .enumerate()
        .map(|(place, asked)| stat(&format!("s{place}"), asked, every))
        .collect();
    if queries.is_empty() {
        return Ok(vec![Vec::new(); signals.len()]);
    }
    let answers = ask(aws, queries, from, to).await?.into_iter().collect::<Answer<Vec<Values>>>()?;
    let mut answers = answers.iter();
    let parts = |signal: &Signal| {
        let series: Vec<&Values> = answers.by_ref().take(metrics(signal).count()).collect();
        let mut starts: Vec<Time> = series.iter().flat_map(|values| values.keys()).copied().collect();
        starts.sort_unstable();
        starts.dedup();
        starts.into_iter().map(|start| Ok((start, counts(&series, start)?))).collect()
    };
    signals.iter().map(parts).collect()
}

pub(crate) async fn known(aws: &Aws, of: Option<&SignalMetric>, name: &str) -> Answer<Vec<KnownMetric>> {
    let request = aws.cloudwatch().list_metrics().metric_name(name);
    let pages = match of {
        Some(SignalMetric { namespace, dimensions, .. }) => {
            let filter = |(name, value): (&String, &String)| {
                // What is filled in later may have any value.
                let value =
                    Some(value.clone()).filter(|value| !PLACEHOLDERS.iter().any(|placeholder| value.contains(placeholder)));
                DimensionFilter::builder().name(name).set_value(value).build()
            };
            let filters = dimensions.iter().map(filter).collect();
            let request = request.namespace(namespace).set_dimensions(Some(filters));
            aws.pages(Call::ListMetrics, request.into_paginator().send()).await?
        }
        None => vec![request.send().await.map_err(failed(Call::ListMetrics))?],
    };
    let metrics = pages.iter().flat_map(ListMetricsOutput::metrics);
    let pair = |dimension: &Dimension| Some((dimension.name()?.to_owned(), dimension.value()?.to_owned()));
    Ok(metrics
        .map(|metric| KnownMetric {
            namespace: metric.namespace().unwrap_or_default().to_owned(),
            dimensions: metric.dimensions().iter().filter_map(pair).collect(),
        })
        .collect())
}
