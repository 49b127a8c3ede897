//! Which samples has CloudWatch been given, and which of them can be seen by now?
//!
//! A sample becomes visible some time after it was given, so that a minute's numbers still grow after they first appear.
//! What is visible is kept as one summary a period and stream. It knows nothing of alarms and requests.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::statistic::{Statistic, Summary};
use crate::time::Time;

/// The stream of samples of one metric in one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SeriesId(usize);

#[derive(Debug)]
pub(super) struct Metric {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) dimensions: Vec<(String, String)>,
    streams: Vec<SeriesId>,
    pub(super) latest: Option<Time>,
}

impl Metric {
    fn is<S: AsRef<str>>(&self, namespace: &str, name: &str, dimensions: &[(S, S)]) -> bool {
        self.namespace == namespace
            && self.name == name
            && self.dimensions.len() == dimensions.len()
            && dimensions.iter().all(|(key, value)| self.dimensions.iter().any(|(k, v)| k == key.as_ref() && v == value.as_ref()))
    }
}

#[derive(Debug)]
struct Stream {
    metric: usize,
    unit: String,
    buckets: Vec<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    start: i64,
    summary: Summary,
    /// Values with their counts, in no order, equal ones merged now and then.
    values: Vec<(f64, f64)>,
    merge_at: usize,
    /// Some samples came as a set: their single values are not known.
    opaque: bool,
}

/// What one entry gives: a value, maybe several times, or a set of samples of which only a summary is known.
#[derive(Clone, Debug)]
pub(super) enum Datum {
    Value { value: f64, count: f64 },
    Set(Box<Summary>),
}

#[derive(Debug)]
struct Arrival {
    start: i64,
    series: SeriesId,
    datum: Datum,
}

/// One period of a metric, as a statistic sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) start: Time,
    pub(super) value: f64,
    pub(super) samples: f64,
}

#[derive(Debug)]
pub(super) struct Metrics {
    known: Vec<Metric>,
    streams: Vec<Stream>,
    index: BTreeMap<u64, Vec<usize>>,
    /// What cannot be seen yet, by the second from which it can.
    arriving: BTreeMap<i64, Vec<Arrival>>,
    /// Emptied lists of arrivals, to be filled again.
    spare: Vec<Vec<Arrival>>,
    lag: RangeInclusive<Duration>,
    draws: fastrand::Rng,
}

impl Metrics {
    pub(super) fn new(lag: RangeInclusive<Duration>, seed: u64) -> Self {
        Self {
            known: Vec::new(),
            streams: Vec::new(),
            index: BTreeMap::new(),
            arriving: BTreeMap::new(),
            spare: Vec::new(),
            lag,
            draws: fastrand::Rng::with_seed(seed),
        }
    }

    /// The stream of a metric in a unit, made if it is new.
    pub(super) fn series<S: AsRef<str>>(&mut self, namespace: &str, name: &str, dimensions: &[(S, S)], unit: &str) -> SeriesId {
        let metric = self.find(namespace, name, dimensions).unwrap_or_else(|| self.insert(namespace, name, dimensions));
        let stream = self.known[metric].streams.iter().copied().find(|&SeriesId(stream)| self.streams[stream].unit == unit);
        stream.unwrap_or_else(|| {
            let id = SeriesId(self.streams.len());
            self.streams.push(Stream { metric, unit: unit.to_owned(), buckets: Vec::new() });
            self.known[metric].streams.push(id);
            id
        })
    }

    fn find<S: AsRef<str>>(&self, namespace: &str, name: &str, dimensions: &[(S, S)]) -> Option<usize> {
        let same_hash = self.index.get(&fingerprint(namespace, name, dimensions))?;
        same_hash.iter().copied().find(|&metric| self.known[metric].is(namespace, name, dimensions))
    }

    fn insert<S: AsRef<str>>(&mut self, namespace: &str, name: &str, dimensions: &[(S, S)]) -> usize {
        let metric = self.known.len();
        self.known.push(Metric {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions: dimensions.iter().map(|(key, value)| (key.as_ref().to_owned(), value.as_ref().to_owned())).collect(),
            streams: Vec::new(),
            latest: None,
        });
        self.index.entry(fingerprint(namespace, name, dimensions)).or_default().push(metric);
        metric
    }

    /// Draws how long what is given together stays invisible.
    pub(super) fn draw_lag(&mut self) -> Duration {
        let millis = |lag: &Duration| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        let (least, most) = (millis(self.lag.start()), millis(self.lag.end()));
        Duration::from_millis(if least < most { self.draws.u64(least..=most) } else { least })
    }

    /// Takes data stamped `stamp`, given at `now`, visible `lag` later. `resolution` is the length of a period in seconds.
    pub(super) fn give(
        &mut self,
        now: Time,
        stamp: Time,
        lag: Duration,
        resolution: i64,
        data: impl Iterator<Item = (SeriesId, Datum)>,
    ) {
        let start = stamp.as_millis().div_euclid(1_000 * resolution) * resolution;
        let arrivals = data.map(|(series, datum)| Arrival { start, series, datum });
        if lag.is_zero() {
            arrivals.for_each(|arrival| fold(&mut self.streams, &mut self.known, arrival));
            return;
        }
        // Rounded up: nothing may be seen before its time.
        let visible = ((now + lag).as_millis() + 999).div_euclid(1_000);
        let spare = &mut self.spare;
        self.arriving.entry(visible).or_insert_with(|| spare.pop().unwrap_or_default()).extend(arrivals);
    }

    /// Makes visible what can be seen at `to`.
    pub(super) fn settle(&mut self, to: Time) {
        while let Some(slot) = self.arriving.first_entry() {
            if slot.key() * 1_000 > to.as_millis() {
                return;
            }
            let mut arrivals = slot.remove();
            arrivals.drain(..).for_each(|arrival| fold(&mut self.streams, &mut self.known, arrival));
            self.spare.push(arrivals);
        }
    }

    pub(super) fn visible(&self) -> impl Iterator<Item = &Metric> {
        self.known.iter().filter(|metric| metric.latest.is_some())
    }

    pub(super) fn units(&self, namespace: &str, name: &str, dimensions: &[(String, String)]) -> Vec<&str> {
        let Some(metric) = self.find(namespace, name, dimensions) else { return Vec::new() };
        self.known[metric].streams.iter().map(|&SeriesId(stream)| self.streams[stream].unit.as_str()).collect()
    }

    /// One period of a metric by each of several statistics; without a unit, samples in every unit count together.
    /// `None` where there are no samples at all.
    pub(super) fn period(&self, of: &Reading<'_>, start: Time, statistics: &[&Statistic]) -> Option<(f64, Vec<Option<f64>>)> {
        let metric = self.find(of.namespace, of.name, of.dimensions)?;
        let (from, to) = (start.as_millis().div_euclid(1_000), (start + of.period).as_millis().div_euclid(1_000));
        let wanted = statistics.iter().any(|statistic| statistic.needs_values());
        let (mut summary, mut values, mut opaque) = (Summary::EMPTY, Vec::new(), false);
        for &SeriesId(stream) in &self.known[metric].streams {
            let stream = &self.streams[stream];
            if of.unit.is_some_and(|unit| unit != stream.unit) {
                continue;
            }
            let first = stream.buckets.partition_point(|bucket| bucket.start < from);
            for bucket in stream.buckets[first..].iter().take_while(|bucket| bucket.start < to) {
                summary.add(&bucket.summary);
                opaque |= bucket.opaque;
                if wanted {
                    values.extend_from_slice(&bucket.values);
                }
            }
        }
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        let known =
            |statistic: &&Statistic| if opaque && statistic.needs_values() { None } else { statistic.of(&summary, &values) };
        (summary.count > 0.0).then(|| (summary.count, statistics.iter().map(known).collect()))
    }

    pub(super) fn point(&self, of: &Reading<'_>, start: Time, statistic: &Statistic) -> Option<Point> {
        let (samples, values) = self.period(of, start, &[statistic])?;
        Some(Point { start, value: values.first().copied()??, samples })
    }
}

/// Which samples are to be read: a metric, in one unit or any, in periods of a length.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) dimensions: &'a [(String, String)],
    pub(super) unit: Option<&'a str>,
    pub(super) period: Duration,
}

/// Equal for equal metrics whatever the order of their dimensions.
fn fingerprint<S: AsRef<str>>(namespace: &str, name: &str, dimensions: &[(S, S)]) -> u64 {
    let hash = |parts: (&str, &str)| {
        let mut hasher = DefaultHasher::new();
        parts.hash(&mut hasher);
        hasher.finish()
    };
    let of = |(key, value): &(S, S)| hash((key.as_ref(), value.as_ref())).rotate_left(1);
    dimensions.iter().fold(hash((namespace, name)), |sum, dimension| sum.wrapping_add(of(dimension)))
}

fn fold(streams: &mut [Stream], metrics: &mut [Metric], arrival: Arrival) {
    let Arrival { start, series: SeriesId(stream), datum } = arrival;
    let stream = &mut streams[stream];
    let metric = &mut metrics[stream.metric];
    metric.latest = metric.latest.max(Some(Time::from_millis(start.saturating_mul(1_000))));
    stream.bucket(start).add(datum);
}

impl Stream {
    fn bucket(&mut self, start: i64) -> &mut Bucket {
        let place = self.buckets.partition_point(|bucket| bucket.start < start);
        if self.buckets.get(place).is_none_or(|bucket| bucket.start != start) {
            let fresh = Bucket { start, summary: Summary::EMPTY, values: Vec::new(), merge_at: 16, opaque: false };
            self.buckets.insert(place, fresh);
        }
        &mut self.buckets[place]
    }
}

impl Bucket {
    fn add(&mut self, datum: Datum) {
        match datum {
            Datum::Value { value, count } => {
                self.summary.add(&Summary { count, sum: value * count, minimum: value, maximum: value });
                self.values.push((value, count));
                self.merge();
            }
            Datum::Set(set) => {
                // A set whose least and greatest sample agree hides nothing.
                if set.minimum < set.maximum {
                    self.opaque = true;
                } else {
                    self.values.push((set.minimum, set.count));
                }
                self.summary.add(&set);
            }
        }
    }

    /// Merges equal values whenever the list has doubled: most metrics have few different ones.
    fn merge(&mut self) {
        if self.values.len() < self.merge_at {
            return;
        }
        self.values.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.values.dedup_by(|next, kept| {
            let same = next.0.total_cmp(&kept.0).is_eq();
            if same {
                kept.1 += next.1;
            }
            same
        });
        self.merge_at = (self.values.len() * 2).max(16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn reading(dimensions: &[(String, String)]) -> Reading<'_> {
        Reading { namespace: "N", name: "M", dimensions, unit: None, period: MINUTE }
    }

    fn one(value: f64) -> Datum {
        Datum::Value { value, count: 1.0 }
    }

    fn at(seconds: i64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_minute_grows_after_it_first_appears() {
        let mut metrics = Metrics::new(Duration::ZERO..=Duration::ZERO, 1);
        let series = metrics.series("N", "M", &[("A", "1"), ("B", "2")], "Count");
        assert_eq!(series, metrics.series("N", "M", &[("B", "2"), ("A", "1")], "Count"));
        let dimensions = [("B", "2"), ("A", "1")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let counted = |metrics: &Metrics| metrics.point(&reading(&dimensions), at(60), &Statistic::Sum).map(|point| point.value);
        for (stamp, lag) in [(61, 60), (62, 120), (119, 90)] {
            metrics.give(at(stamp), at(stamp), Duration::from_secs(lag), 60, [(series, one(1.0))].into_iter());
        }
        assert_eq!(metrics.visible().count(), 0);
        for (now, expected) in [(120, None), (121, Some(1.0)), (181, Some(1.0)), (182, Some(2.0)), (209, Some(3.0))] {
            metrics.settle(at(now));
            assert_eq!(counted(&metrics), expected, "at {now}");
        }
        assert_eq!(metrics.visible().count(), 1);
    }

    #[test]
    fn the_lag_is_drawn_from_its_range_and_repeats_with_its_seed() {
        let draw = |seed| {
            let mut metrics = Metrics::new(Duration::from_mins(1)..=Duration::from_mins(3), seed);
            (0..100).map(|_| metrics.draw_lag()).collect::<Vec<_>>()
        };
        let lags = draw(7);
        assert_eq!(lags, draw(7));
        assert_ne!(lags, draw(8));
        assert!(lags.iter().all(|lag| (60..=180).contains(&lag.as_secs())));
        assert!(lags.iter().any(|lag| lag.as_secs() < 90) && lags.iter().any(|lag| lag.as_secs() > 150));
    }

    #[test]
    fn percentiles_survive_merging_but_not_sets() {
        let mut metrics = Metrics::new(Duration::ZERO..=Duration::ZERO, 1);
        let series = metrics.series::<&str>("N", "M", &[], "Count");
        let data = (0..1_000).map(|n| (series, one(f64::from(n % 100) + 1.0)));
        metrics.give(at(0), at(0), Duration::ZERO, 60, data);
        assert!(metrics.streams[0].buckets[0].values.len() <= 200);
        let p90 = Statistic::parse("p90").unwrap();
        assert_eq!(metrics.point(&reading(&[]), at(0), &p90), Some(Point { start: at(0), value: 90.0, samples: 1_000.0 }));
        let set = Summary { count: 4.0, sum: 10.0, minimum: 1.0, maximum: 4.0 };
        metrics.give(at(0), at(0), Duration::ZERO, 60, [(series, Datum::Set(Box::new(set)))].into_iter());
        assert_eq!(metrics.point(&reading(&[]), at(0), &p90), None);
        let count = metrics.point(&reading(&[]), at(0), &Statistic::SampleCount).unwrap().value;
        assert!((count - 1_004.0).abs() < 1e-9);
    }

    #[test]
    fn units_are_counted_apart_or_together() {
        let mut metrics = Metrics::new(Duration::ZERO..=Duration::ZERO, 1);
        let (count, bytes) = (metrics.series::<&str>("N", "M", &[], "Count"), metrics.series::<&str>("N", "M", &[], "Bytes"));
        metrics.give(at(0), at(0), Duration::ZERO, 60, [(count, one(1.0)), (bytes, one(2.0))].into_iter());
        let sum = |unit| {
            let reading = Reading { unit, ..reading(&[]) };
            metrics.point(&reading, at(0), &Statistic::Sum).map(|point| point.value)
        };
        assert_eq!((sum(None), sum(Some("Bytes")), sum(Some("Bits"))), (Some(3.0), Some(2.0), None));
        assert_eq!(metrics.units("N", "M", &[]), ["Count", "Bytes"]);
    }
}
