//! Which groups, streams and events are there? `DescribeLogGroups`, `DescribeLogStreams`, `FilterLogEvents` and `GetLogEvents`.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::group::{Event, Group, Span};
use super::groups::Groups;
use super::paging::{page_start, page_token};
use super::pattern::Pattern;
use super::refusal::Refusal;
use crate::time::Time;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Reading {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_stream_name: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: Option<bool>,
    filter_pattern: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    start_from_head: Option<bool>,
    limit: Option<i64>,
    next_token: Option<String>,
}

impl Reading {
    fn group<'g>(&self, groups: &'g Groups) -> Result<(&'g str, &'g Group), Refusal> {
        let ((Some(named), None) | (None, Some(named))) = (&self.log_group_name, &self.log_group_identifier) else {
            // The sentence is a guess.
            return Err(Refusal::invalid("Exactly one of logGroupName and logGroupIdentifier must be given"));
        };
        groups.find(named).ok_or_else(Refusal::no_group)
    }

    fn size(&self, most: usize) -> Result<usize, Refusal> {
        let Some(limit) = self.limit else { return Ok(most) };
        let broken = |side: &str, bound: usize| {
            Refusal::constraint("limit", &limit.to_string(), &format!("Member must have value {side} than or equal to {bound}"))
        };
        match usize::try_from(limit) {
            Ok(0) | Err(_) => Err(broken("greater", 1)),
            Ok(size) if size > most => Err(broken("less", most)),
            Ok(size) => Ok(size),
        }
    }

    /// From when to when, of what is old enough. For `FilterLogEvents` the end is included, for `GetLogEvents` it is not.
    fn span(&self, written_by: Time, end_included: bool) -> Span {
        let to = self.end_time.map_or(i64::MAX, |end| if end_included { end } else { end.saturating_sub(1) });
        Span { from: Time::from_millis(self.start_time.unwrap_or(0)), to: Time::from_millis(to), written_by }
    }
}

/// One page of a list, as `member`.
fn listed(member: &str, items: &[Value], reading: &Reading) -> Result<Value, Refusal> {
    let (start, size) = (page_start(reading.next_token.as_deref(), items.len())?, reading.size(MOST_DESCRIBED)?);
    let end = start.saturating_add(size).min(items.len());
    Ok(json!({ member: items[start..end], "nextToken": page_token(end, items.len()) }))
}

pub(super) fn describe_groups(groups: &Groups, reading: &Reading) -> Result<Value, Refusal> {
    let (prefix, pattern) = (reading.log_group_name_prefix.as_deref(), reading.log_group_name_pattern.as_deref());
    if prefix.is_some() && pattern.is_some() {
        // Documented as mutually exclusive; the sentence is a guess.
        return Err(Refusal::invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."));
    }
    let meant = |name: &str| name.starts_with(prefix.unwrap_or_default()) && name.contains(pattern.unwrap_or_default());
    let shown = |(name, group): (&str, &Group)| {
        let arn = groups.arn(name);
        json!({
            "logGroupName": name,
            "creationTime": group.created.as_millis(),
            "metricFilterCount": 0,
            "arn": format!("{arn}:*"),
            // Counted now and then only, in AWS too.
            "storedBytes": 0,
            "logGroupClass": "STANDARD",
            "logGroupArn": arn,
        })
    };
    let items: Vec<Value> = groups.all().filter(|(name, _)| meant(name)).map(shown).collect();
    listed("logGroups", &items, reading)
}

pub(super) fn describe_streams(groups: &Groups, reading: &Reading, delay: Duration) -> Result<Value, Refusal> {
    let (name, group) = reading.group(groups)?;
    let by_time = reading.order_by.as_deref() == Some("LastEventTime");
    if by_time && reading.log_stream_name_prefix.is_some() {
        return Err(Refusal::invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let prefix = reading.log_stream_name_prefix.as_deref().unwrap_or_default();
    let mut streams: Vec<_> = group.streams.iter().filter(|stream| stream.name.starts_with(prefix)).collect();
    streams.sort_by(|one, other| if by_time { one.last.cmp(&other.last) } else { one.name.cmp(&other.name) });
    if reading.descending == Some(true) {
        streams.reverse();
    }
    let shown = |stream: &&super::group::Stream| {
        json!({
            "logStreamName": stream.name,
            "creationTime": stream.created.as_millis(),
            "firstEventTimestamp": stream.created.as_millis(),
            "lastEventTimestamp": stream.last.as_millis(),
            "lastIngestionTime": (stream.last + delay).as_millis(),
            "arn": format!("{}:log-stream:{}", groups.arn(name), stream.name),
            "storedBytes": 0,
        })
    };
    listed("logStreams", &streams.iter().map(shown).collect::<Vec<_>>(), reading)
}

pub(super) fn filter_events(groups: &Groups, reading: &Reading, now: Time, delay: Duration) -> Result<Value, Refusal> {
    let (_, group) = reading.group(groups)?;
    if reading.log_stream_names.is_some() && reading.log_stream_name_prefix.is_some() {
        return Err(Refusal::invalid("Only one of logStreamNames and logStreamNamePrefix may be given"));
    }
    let text = reading.filter_pattern.as_deref().unwrap_or_default();
    let pattern = Pattern::read(text).ok_or_else(|| Refusal::invalid("Invalid filter pattern"))?;
    let prefix = reading.log_stream_name_prefix.as_deref().unwrap_or_default();
    let meant = |stream: &str| {
        stream.starts_with(prefix)
            && reading.log_stream_names.as_ref().is_none_or(|names| names.iter().any(|name| name == stream))
    };
    let mut events: Vec<(usize, Event<'_>)> = group.events(reading.span(now - delay, true)).into_iter().enumerate().collect();
    events.retain(|(_, event)| meant(event.stream) && pattern.matches(&event.message));
    if reading.start_from_head == Some(false) {
        events.reverse();
    }
    let start = page_start(reading.next_token.as_deref(), events.len())?;
    let end = page_end(&events, start, reading.size(MOST_EVENTS)?, |(_, event)| event.message.len());
    let shown = |(number, event): &(usize, Event<'_>)| {
        let mut shown = told(event, delay);
        shown["logStreamName"] = event.stream.into();
        // Opaque; AWS' have 56 digits.
        shown["eventId"] = format!("{:032}{number:024}", event.at.as_millis()).into();
        shown
    };
    let shown: Value = events[start..end].iter().map(shown).collect();
    Ok(json!({"events": shown, "searchedLogStreams": [], "nextToken": page_token(end, events.len())}))
}

pub(super) fn events(groups: &Groups, reading: &Reading, now: Time, delay: Duration) -> Result<Value, Refusal> {
    let (_, group) = reading.group(groups)?;
    let name = reading.log_stream_name.as_deref().ok_or_else(|| Refusal::missing("logStreamName"))?;
    if !group.streams.iter().any(|stream| stream.name == name) {
        return Err(Refusal::no_stream());
    }
    let mut events = group.events(reading.span(now - delay, false));
    events.retain(|event| event.stream == name);
    let size = reading.size(MOST_EVENTS)?;
    let place = |token: &str| token.get(2..)?.parse::<usize>().ok().filter(|place| *place <= events.len());
    let (start, end) = match reading.next_token.as_deref() {
        Some(token) => {
            let place = place(token).ok_or_else(|| Refusal::invalid("The specified nextToken is invalid."))?;
            if token.starts_with("b/") {
                (place.saturating_sub(size), place)
            } else {
                (place, place.saturating_add(size).min(events.len()))
            }
        }
        None if reading.start_from_head == Some(true) => (0, size.min(events.len())),
        None => (events.len().saturating_sub(size), events.len()),
    };
    let shown: Value = events[start..end].iter().map(|event| told(event, delay)).collect();
    Ok(json!({"events": shown, "nextForwardToken": format!("f/{end}"), "nextBackwardToken": format!("b/{start}")}))
}

fn told(event: &Event<'_>, delay: Duration) -> Value {
    json!({
        "timestamp": event.at.as_millis(),
        "message": event.message,
        "ingestionTime": (event.at + delay).as_millis(),
    })
}

/// A page has so many events, and a megabyte.
fn page_end<T>(events: &[T], start: usize, size: usize, bytes: impl Fn(&T) -> usize) -> usize {
    let mut room = MOST_BYTES;
    let fits = |event: &&T| {
        let left = room.checked_sub(bytes(event));
        room = left.unwrap_or_default();
        left.is_some()
    };
    start + events[start..].iter().take(size).take_while(fits).count()
}

const MOST_DESCRIBED: usize = 50;
const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 1_000_000;
