//! Which invocations wrote into a log group, and into which stream? The latest of them, and the lines they come to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::output::{Invocation, Output, Runner};
use crate::calendar;
use crate::time::Time;

/// What is kept of a group: its latest invocations and all of its streams.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) created: Time,
    records: VecDeque<Record>,
    places: Vec<Place>,
    pub(super) streams: Vec<Stream>,
    /// The longest of the invocations, which bounds how far before a moment one began that writes in it.
    longest: Duration,
}

#[derive(Debug)]
struct Record {
    invocation: Invocation,
    stream: u32,
    /// What was written beside what its version writes.
    lines: Box<[String]>,
}

/// A version in one configuration, with its execution environments of now.
#[derive(Debug)]
struct Place {
    function: String,
    version: Option<u32>,
    output: Arc<Output>,
    /// Their streams, and until when each is at work.
    environments: Vec<(u32, Time)>,
}

/// The log of one execution environment.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) name: String,
    pub(super) created: Time,
    pub(super) last: Time,
    place: usize,
}

/// A line in a group.
#[derive(Clone, Debug)]
pub(super) struct Event<'a> {
    pub(super) at: Time,
    pub(super) stream: &'a str,
    pub(super) message: String,
}

/// From when to when (both included), of what is written up to a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: Time,
    pub(super) to: Time,
    pub(super) written_by: Time,
}

impl Group {
    pub(super) fn new(created: Time) -> Self {
        let (records, places, streams) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { created, records, places, streams, longest: Duration::ZERO }
    }

    pub(super) fn write(
        &mut self,
        function: &str,
        version: Option<u32>,
        output: &Arc<Output>,
        (invocation, lines): (Invocation, &[String]),
        rng: &mut fastrand::Rng,
    ) {
        let same = |place: &Place| place.version == version && Arc::ptr_eq(&place.output, output) && place.function == function;
        let place = self.places.iter().rposition(same).unwrap_or_else(|| {
            self.places.push(Place {
                function: function.to_owned(),
                version,
                output: Arc::clone(output),
                environments: Vec::new(),
            });
            self.places.len() - 1
        });
        let stream = self.environment(place, &invocation, rng);
        self.longest = self.longest.max(invocation.took());
        if self.records.len() >= MOST_RECORDS {
            self.records.pop_front();
        }
        let record = Record { invocation, stream, lines: lines.into() };
        // In order of beginning, although a long one is written down when it ends.
        let place = self.records.partition_point(|known| known.invocation.at <= invocation.at);
        self.records.insert(place, record);
    }

    /// The stream of an idle environment; a new one if all are at work and there are few.
    fn environment(&mut self, place: usize, invocation: &Invocation, rng: &mut fastrand::Rng) -> u32 {
        let (at, until) = (invocation.at, invocation.at + invocation.took());
        let environments = &mut self.places[place].environments;
        let streams = &mut self.streams;
        environments.retain(|(stream, _)| at.since(streams[*stream as usize].created) < LIFE);
        let idle = environments.iter_mut().find(|(_, busy)| *busy <= at);
        if let Some((stream, busy)) = idle {
            *busy = until;
            streams[*stream as usize].last = until;
            return *stream;
        }
        if environments.len() >= MOST_ENVIRONMENTS {
            let (stream, busy) = &mut environments[rng.usize(..MOST_ENVIRONMENTS)];
            *busy = until.max(*busy);
            streams[*stream as usize].last = *busy;
            return *stream;
        }
        let label = label(self.places[place].version);
        let name = format!("{}/[{label}]{:032x}", calendar::day(at), rng.u128(..));
        let stream = u32::try_from(streams.len()).unwrap_or(u32::MAX);
        streams.push(Stream { name, created: at, last: until, place });
        self.places[place].environments.push((stream, until));
        stream
    }

    /// The lines of a span, the oldest first.
    pub(super) fn events(&self, span: Span) -> Vec<Event<'_>> {
        let first = self.records.partition_point(|record| record.invocation.at + self.longest < span.from);
        let records = self.records.range(first..).take_while(|record| record.invocation.at <= span.to);
        let mut events: Vec<Event<'_>> = records.flat_map(|record| self.lines(record, span)).collect();
        events.sort_by_key(|event| event.at);
        events
    }

    fn lines(&self, record: &Record, span: Span) -> impl Iterator<Item = Event<'_>> {
        let stream = &self.streams[record.stream as usize];
        let place = &self.places[stream.place];
        let version = label(place.version);
        let runner = Runner { function: &place.function, version: &version };
        let lines = place.output.lines(&record.invocation, runner, &record.lines).into_iter();
        let lines = lines.filter(move |line| (span.from..=span.to).contains(&line.at) && line.at <= span.written_by);
        lines.map(|line| Event { at: line.at, stream: &stream.name, message: line.message() })
    }
}

pub(super) fn label(version: Option<u32>) -> String {
    version.map_or_else(|| "$LATEST".to_owned(), |number| number.to_string())
}

/// Invocations kept of a group: some three hours at ten a second, in 5 MB.
const MOST_RECORDS: usize = 100_000;
/// Execution environments of a version at once; in AWS as many as run at the same time.
const MOST_ENVIRONMENTS: usize = 8;
/// How long an environment lives. AWS only says that it replaces them after some hours.
const LIFE: Duration = Duration::from_hours(2);
