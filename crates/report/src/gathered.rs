//! Which events of one rollout stand in the log of the function that continues detached ones? Each turn of it wrote its own, between
//! Lambda's lines and those of other rollouts.

use std::collections::BTreeMap;
use std::time::Duration;

use rollout::Weight;
use rollout::event::{Event, EventKind, FORMAT, Started};

/// Which rollout is meant.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The function's name.
    pub function: &'a str,
    /// The alias' name.
    pub alias: &'a str,
    /// The rollout's id.
    pub rollout_id: &'a str,
}

/// The events of a rollout in the lines of a log, which come as the stream and the text of each, each stream's in its own order.
///
/// They are in order and end with the outcome, where there is one. What doubled turns wrote alike is there once, and the words with which
/// every turn begins only where they say something new. Lambda's lines, those of other rollouts and those that were cut are left out.
pub fn gathered<'l>(lines: impl IntoIterator<Item = (&'l str, &'l str)>, wanted: Wanted<'_>) -> Vec<Event> {
    let mut streams: BTreeMap<&str, Stream> = BTreeMap::new();
    for (name, text) in lines {
        if let Some(event) = read(text, wanted) {
            streams.entry(name).or_default().add(event, wanted);
        }
    }
    let mut found: Vec<Event> = streams.into_values().flat_map(|stream| stream.found).collect();
    found.sort_by_key(|event| event.at);
    let mut events: Vec<Event> = Vec::new();
    for event in found {
        let mut lately = events.iter().rev().take_while(|known| event.at.since(known.at) < TOGETHER);
        if !lately.any(|known| known.what == event.what) {
            events.push(event);
        }
    }
    if let Some(end) = events.iter().position(|event| event.ending().is_some()) {
        events.truncate(end + 1);
    }
    without_repeated_beginnings(events)
}

/// One execution environment: it runs one turn after the other, and each tells which rollout it continues before anything is done.
#[derive(Default)]
struct Stream {
    /// The rollout that is continued, once that is told.
    rollout: Option<String>,
    /// What was told before that: it belongs to the rollout that is told next.
    before: Vec<Event>,
    found: Vec<Event>,
}

impl Stream {
    fn add(&mut self, event: Event, wanted: Wanted<'_>) {
        if let EventKind::Started(started) = &event.what {
            self.rollout = Some(started.rollout_id.clone());
            let before = std::mem::take(&mut self.before);
            if started.rollout_id == wanted.rollout_id {
                self.found.extend(before);
            }
        }
        let ended = event.ending().map(|ending| ending.rollout_id.clone());
        let rollout = ended.as_ref().or(self.rollout.as_ref());
        match rollout {
            None => self.before.push(event),
            Some(rollout) if rollout == wanted.rollout_id => self.found.push(event),
            Some(_) => {}
        }
        if ended.is_some() {
            self.rollout = None;
        }
    }
}

/// The event in a line, where it is one about this alias that this version knows.
fn read(text: &str, wanted: Wanted<'_>) -> Option<Event> {
    let event: Event = serde_json::from_str(text.trim()).ok()?;
    let unknown = matches!(event.what, EventKind::Unknown | EventKind::Observed(_));
    (event.v == FORMAT && !unknown && event.function == wanted.function && event.alias == wanted.alias).then_some(event)
}

/// Without what turns at once tell of one another, and what each begins with: what the rollout is and where it stands. That is news once, and where a shift was not told. One that found less
/// traffic than was told by then looked before another turn's shift.
fn without_repeated_beginnings(events: Vec<Event>) -> Vec<Event> {
    let mut told: Option<Started> = None;
    let (mut most, mut shifted) = (None, None);
    let kept = events.into_iter().filter(|event| {
        let now = weight_after(event);
        let mut repeats = false;
        if let EventKind::Started(started) = &event.what {
            let plan = |started: &Started| Started { stands: None, ..started.clone() };
            repeats = told.as_ref().is_some_and(|told| plan(told) == plan(started)) && now <= most;
            told = Some(started.clone());
        }
        if let EventKind::WeightShifted { to, .. } = &event.what {
            // Both of two turns at once tell the shift that one of them made.
            repeats = shifted >= Some(*to);
            shifted = shifted.max(Some(*to));
        }
        most = most.max(now);
        !repeats
    });
    kept.collect()
}

/// The candidate's weight, as far as an event says it.
#[expect(clippy::wildcard_enum_match_arm, reason = "of all events these say a weight")]
fn weight_after(event: &Event) -> Option<Weight> {
    match &event.what {
        EventKind::Started(started) => started.stands.map(|stands| stands.weight),
        EventKind::WeightShifted { to, .. } => Some(*to),
        EventKind::Heartbeat { weight, .. } => Some(*weight),
        _ => None,
    }
}

/// How long two turns may run at once: what both tell within this time is one thing.
const TOGETHER: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted<'_> = Wanted { function: "hello", alias: "live", rollout_id: "7f3ac2e1" };

    fn line(second: u32, function: &str, what: &str) -> String {
        format!(r#"{{"v":1,"at":"2026-11-23T14:00:{second:02}.000Z","function":"{function}","alias":"live",{what}}}"#) + "\n"
    }

    fn started(second: u32, function: &str, id: &str, weight: f64) -> String {
        let what = format!(
            r#""type":"started","rollout_id":"{id}","stable":"41","candidate":"42","schedule":"x","weights":[0.1],"every_seconds":60,
            "bake_seconds":0,"alarms":[],"pre_hook":null,"post_hook":null,"resumes_at":{{"weight":{weight},"step":1,"next_at":null}}"#
        );
        line(second, function, &what.replace('\n', ""))
    }

    fn warning(second: u32, text: &str) -> String {
        line(second, "hello", &format!(r#""type":"warning","text":"{text}""#))
    }

    fn found(lines: &[(&str, String)]) -> Vec<String> {
        let events = gathered(lines.iter().map(|(stream, text)| (*stream, text.as_str())), WANTED);
        let short = |event: &Event| {
            let line = serde_json::to_value(event).unwrap();
            line["text"].as_str().or(line["type"].as_str()).unwrap().to_owned()
        };
        events.iter().map(short).collect()
    }

    #[test]
    fn the_lines_of_one_rollout_are_told_apart_from_everything_else() {
        let lines = [
            ("a", "START RequestId: 1 Version: $LATEST\n".to_owned()),
            ("a", warning(1, "early")),
            ("a", started(2, "hello", "7f3ac2e1", 0.1)),
            ("a", started(2, "other", "00000001", 0.1)),
            ("a", warning(3, "mine")),
            ("a", warning(4, "mine, cut")[..70].to_owned()),
            ("a", r#"{"time":"2026-11-23T14:00:05.000Z","type":"platform.report","record":{}}"#.to_owned()),
            ("a", line(5, "hello", r#""type":"danced""#)),
            // The same environment continues another rollout of the same function, later.
            ("a", started(6, "hello", "00000002", 0.1)),
            ("a", warning(7, "another's")),
        ];
        assert_eq!(found(&lines), ["early", "started", "mine"]);
    }

    #[test]
    fn doubled_turns_are_in_order_and_say_the_same_once() {
        let lines = [
            ("a", started(1, "hello", "7f3ac2e1", 0.1)),
            ("b", started(1, "hello", "7f3ac2e1", 0.1)),
            ("a", warning(5, "third")),
            ("b", warning(3, "first")),
            ("b", warning(4, "second")),
            ("b", warning(5, "third")),
            ("a", started(9, "hello", "7f3ac2e1", 0.1)),
            ("a", warning(10, "last")),
        ];
        assert_eq!(found(&lines), ["started", "first", "second", "third", "last"]);
    }

    #[test]
    fn a_beginning_that_stands_elsewhere_is_news() {
        let at = |second, weight| ("a", started(second, "hello", "7f3ac2e1", weight));
        assert_eq!(found(&[at(1, 0.1), at(2, 0.2), at(3, 0.1)]), ["started", "started"]);
    }
}
