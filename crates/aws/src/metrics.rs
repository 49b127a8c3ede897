//! What has `CloudWatch` counted? Lambda's own metrics of an alias and its versions, many series in one call.
//!
//! What AWS gives in part, or with a reservation, is no answer: what would rest on it may be a decision.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::MetricDataQuery;
use controller::port::{Answer, Baseline, Call, Limits, MinuteCounts, PairCounts, VersionCounts, VersionPair};
use rollout::target::{FunctionName, Subject};
use rollout::{Time, Version};

use crate::connect::Aws;
use crate::error::unreadable;
use crate::metric_data::{Asked, MINUTE, Values, ask, floor, stat};
use crate::signals;

/// What is asked of one version, or of the whole alias: a metric and a statistic.
type Question = (&'static str, String);

pub(crate) async fn counts(aws: &Aws, pairs: &[VersionPair]) -> Vec<Answer<PairCounts>> {
    let mut counted = Vec::new();
    let mut rest = pairs;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(in_one_call(rest));
        counted.extend(counts_of(aws, now).await);
        rest = later;
    }
    counted
}

/// How many of these pairs, from the first one on, fit into one call.
fn in_one_call(pairs: &[VersionPair]) -> usize {
    let mut queries = 0;
    let fits = pairs.iter().take_while(|pair| {
        queries += 2 * questions(pair.limits.as_ref(), true).len() + signals::of_pair(pair).count();
        queries <= QUERIES
    });
    fits.count().max(1)
}

async fn counts_of(aws: &Aws, pairs: &[VersionPair]) -> Vec<Answer<PairCounts>> {
    let mut queries = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        for (letter, version, candidate) in [('s', pair.stable, false), ('c', pair.candidate, true)] {
            for (place, (metric, statistic)) in questions(pair.limits.as_ref(), candidate).iter().enumerate() {
                let id = format!("p{index}{letter}{place}");
                queries.push(query(&id, &pair.subject, Some(version), (metric, statistic), MINUTE));
            }
        }
        let of_signals = signals::of_pair(pair).enumerate();
        queries.extend(of_signals.map(|(place, asked)| stat(&format!("p{index}x{place}"), asked, MINUTE)));
    }
    let from = pairs.iter().map(|pair| pair.from).min().unwrap_or_default();
    let mut answered = match ask(aws, queries, from, aws.clock.now() + MINUTE).await {
        Ok(answered) => answered.into_iter(),
        Err(error) => return pairs.iter().map(|_| Err(error.clone())).collect(),
    };
    let one_pair = |pair: &VersionPair| {
        let count = questions(pair.limits.as_ref(), true).len();
        let mut take = |count: usize| answered.by_ref().take(count).collect::<Vec<_>>();
        let [stable, candidate, of_signals] = [count, count, signals::of_pair(pair).count()].map(&mut take);
        Ok(PairCounts { minutes: counted(pair, stable, candidate)?, signals: signals::counted(pair, of_signals)? })
    };
    pairs.iter().map(one_pair).collect()
}

/// The questions about one version, in the order in which [`tally`] takes their answers.
fn questions(limits: Option<&Limits>, candidate: bool) -> Vec<Question> {
    // Errors has a sample for every call, so that calls and errors come from one series and cannot be out of step.
    let mut asked = vec![("Errors", "SampleCount".to_owned()), ("Errors", "Sum".to_owned()), ("Duration", "Maximum".to_owned())];
    if let Some(Limits { p90, p99, .. }) = limits {
        asked.push(("Duration", "SampleCount".to_owned()));
        for limit in [Some(p90), p99.as_ref()].into_iter().flatten() {
            let at = if candidate { limit.candidate } else { limit.stable };
            asked.push(("Duration", format!("PR(:{at:.3})")));
        }
    }
    asked
}

fn counted(pair: &VersionPair, stable: Vec<Answer<Values>>, candidate: Vec<Answer<Values>>) -> Answer<Vec<MinuteCounts>> {
    let needed = |place: usize| place < DURATIONS || pair.limits.is_some_and(|limits| limits.decide);
    let one = |(place, values): (usize, Answer<Values>)| if needed(place) { values } else { Ok(values.unwrap_or_default()) };
    let series = |answered: Vec<_>| answered.into_iter().enumerate().map(one).collect::<Answer<Vec<Values>>>();
    let (stable, candidate) = (series(stable)?, series(candidate)?);
    let mut minutes: Vec<Time> = stable.iter().chain(&candidate).flat_map(BTreeMap::keys).copied().collect();
    minutes.sort_unstable();
    minutes.dedup();
    minutes.retain(|start| *start >= floor(pair.from));
    minutes
        .into_iter()
        .map(|start| Ok(MinuteCounts { start, stable: tally(&stable, start)?, candidate: tally(&candidate, start)? }))
        .collect()
}

fn tally(series: &[Values], start: Time) -> Answer<VersionCounts> {
    let value = |place: usize| series.get(place).and_then(|values| values.get(&start)).copied();
    let number = |place: usize| match value(place).unwrap_or_default() {
        number if number.is_finite() && number >= 0.0 => Ok(number),
        number => Err(unreadable(OPERATION, format!("a count of {number}"))),
    };
    let (calls, errors) = (number(0)?, number(1)?);
    // Both are statistics of the same samples, each 0 or 1; one of them may have been looked at a moment later.
    let errors = errors.min(calls);
    Ok(VersionCounts { calls, errors, longest: number(2)?, timed: number(3)?, within: [value(4), value(5)] })
}

pub(crate) async fn baseline(aws: &Aws, subject: &Subject, from: Time, to: Time, every: Duration) -> Answer<Vec<Baseline>> {
    let asked =
        [("Errors", "SampleCount"), ("Errors", "Sum"), ("Duration", "SampleCount"), ("Duration", "p90"), ("Duration", "p99")];
    let queries = asked.into_iter().enumerate();
    let queries = queries.map(|(place, asked)| query(&format!("u{place}"), subject, None, asked, every));
    let by_minute = query("m", subject, None, ("Errors", "SampleCount"), MINUTE);
    let series = ask(aws, queries.chain([by_minute]).collect(), from, to).await?.into_iter().collect::<Answer<Vec<Values>>>()?;
    let value = |place: usize, start: &Time| series.get(place).and_then(|values| values.get(start)).copied();
    let calls = series.first().into_iter().flatten();
    Ok(calls
        .map(|(start, calls)| Baseline {
            start: *start,
            calls: *calls,
            minutes: series
                .last()
                .into_iter()
                .flat_map(|minutes| minutes.range(*start..*start + every))
                .map(|(at, calls)| (*at, *calls))
                .collect(),
            errors: value(1, start).unwrap_or_default().clamp(0.0, *calls),
            timed: value(2, start).unwrap_or_default(),
            p90: value(3, start),
            p99: value(4, start),
        })
        .collect())
}

pub(crate) async fn calls(aws: &Aws, function: &FunctionName, by: &[Option<String>], from: Time, to: Time) -> Answer<Vec<f64>> {
    let queries = by.iter().enumerate().map(|(place, resource)| {
        let resource = resource.iter().map(|resource| ("Resource", resource.clone()));
        let dimensions = [("FunctionName", function.name.clone())].into_iter().chain(resource).collect();
        stat(&format!("r{place}"), of_lambda(dimensions, ("Invocations", "Sum")), HOUR)
    });
    let answered = ask(aws, queries.collect(), from, to).await?;
    answered.into_iter().map(|values| values.map(|values| sum(&values))).collect()
}

pub(crate) async fn throttles(aws: &Aws, subject: &Subject, version: Version, from: Time) -> Answer<(f64, f64)> {
    let asked = ("Throttles", "Sum");
    let queries = vec![query("v", subject, Some(version), asked, MINUTE), query("a", subject, None, asked, MINUTE)];
    let answered = ask(aws, queries, from, aws.clock.now()).await?.into_iter().map(|values| values.map(|values| sum(&values)));
    let sums = answered.collect::<Answer<Vec<f64>>>()?;
    Ok((sums.first().copied().unwrap_or_default(), sums.last().copied().unwrap_or_default()))
}

fn sum(values: &Values) -> f64 {
    values.values().fold(0.0, |sum, value| sum + value)
}

fn query(id: &str, subject: &Subject, version: Option<Version>, asked: (&str, &str), period: Duration) -> MetricDataQuery {
    let function = &subject.function.name;
    let mut dimensions = vec![("FunctionName", function.clone()), ("Resource", format!("{function}:{}", subject.alias))];
    // Counted by version only while the alias has weights, and only for calls through it.
    dimensions.extend(version.map(|version| ("ExecutedVersion", version.to_string())));
    stat(id, of_lambda(dimensions, asked), period)
}

fn of_lambda(dimensions: Vec<(&str, String)>, (metric, statistic): (&str, &str)) -> Asked {
    let dimensions = dimensions.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Asked { namespace: "AWS/Lambda".to_owned(), metric: metric.to_owned(), dimensions, statistic: statistic.to_owned() }
}

const OPERATION: Call = Call::GetMetricData;

/// `CloudWatch` takes no more queries in one call: 83 pairs where only errors are counted, 41 with slow calls.
const QUERIES: usize = 500;

/// From this question on, it is about durations: where they are only reported, they are no reason to see nothing.
const DURATIONS: usize = 3;

const HOUR: Duration = Duration::from_hours(1);
