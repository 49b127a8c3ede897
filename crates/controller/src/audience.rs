//! Who is told what of one rollout, or of several as one? People once for all of them, programs of each.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use rollout::event::{Event, EventKind, FORMAT, GroupOutcome, MemberEnding};
use rollout::group::exit_code;
use rollout::notify::{NoticeKind, Notification, Recipient};
use rollout::{Names, ReasonKind, Time, Weight};

use crate::delivery::Line;
use crate::request::{Notice, Request};

/// A function and its alias.
pub(crate) type Whose = (String, String);

/// One recipient, and the rollouts that it is told of as one.
pub(crate) struct Audience {
    pub(crate) to: Notification,
    pub(crate) notice: Notice,
    pub(crate) members: Vec<Whose>,
    /// All of these, where they are several as one.
    pub(crate) group: Names,
    /// Where only the last state counts.
    pub(crate) line: Option<Rc<Line>>,
    heard: RefCell<Heard>,
}

/// What was heard of a group, and not told yet, or told a moment ago.
#[derive(Default)]
struct Heard {
    beginnings: Vec<Event>,
    ends: Vec<Event>,
    lately: BTreeMap<(NoticeKind, Option<Weight>), Time>,
}

impl Audience {
    /// Everybody who is told of these rollouts.
    pub(crate) fn of(requests: &[Request]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let told = requests.iter().flat_map(|request| request.notify.iter().map(move |to| (request, to)));
        for (request, to) in told {
            let as_one = request.group.len() > 1 && to.recipient.is_for_people();
            if as_one && all.iter().any(|known| known.to == *to) {
                continue;
            }
            let members: Vec<Whose> = if as_one { requests.iter().map(whose).collect() } else { vec![whose(request)] };
            let line = matches!(to.recipient, Recipient::GitHub(_)).then(Rc::default);
            let group = if as_one { request.group.clone() } else { Names::default() };
            all.push(Self { to: to.clone(), notice: request.notice, members, group, line, heard: RefCell::default() });
        }
        all
    }

    /// What there is to tell after this event, once each; `known` says of whom a beginning or an end was heard by now, this one included.
    pub(crate) fn hear(&self, event: &Event, known: impl Fn(&Whose) -> bool) -> Vec<Vec<Event>> {
        let kind = NoticeKind::of(&event.what);
        if self.group.is_empty() {
            return kind.map(|_| vec![vec![event.clone()]]).unwrap_or_default();
        }
        let mut heard = self.heard.borrow_mut();
        let mut news = Vec::new();
        let began = kind == Some(NoticeKind::Started);
        if began {
            heard.beginnings.push(event.clone());
        }
        let all_known = self.members.iter().all(known);
        if !heard.beginnings.is_empty() && (all_known || kind.is_some() && !began && event.ending().is_none()) {
            news.push(std::mem::take(&mut heard.beginnings));
        }
        if event.ending().is_some() {
            heard.ends.push(event.clone());
            if heard.ends.len() == self.members.len() {
                news.push(vec![end_of_all(&heard.ends, event.at)]);
            }
        } else if let Some(kind) = kind.filter(|_| !began) {
            // What several of them say is said once.
            let last = heard.lately.insert((kind, weight(&event.what)), event.at);
            news.extend(last.is_none_or(|last| event.at.since(last) > LATELY).then(|| vec![event.clone()]));
        }
        news
    }
}

fn whose(request: &Request) -> Whose {
    (request.subject.function.name.clone(), request.subject.alias.clone())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "few events have a weight that is worth telling")]
fn weight(what: &EventKind) -> Option<Weight> {
    match what {
        EventKind::WeightShifted { to, .. } => Some(*to),
        EventKind::Paused { gate, .. } => *gate,
        _ => None,
    }
}

/// The end of all of them, of theirs in the order in which they ended.
fn end_of_all(ends: &[Event], at: Time) -> Event {
    let member = |event: &Event| {
        let (function, alias) = (event.function.clone(), event.alias.clone());
        event.ending().map(|ending| MemberEnding { function, alias, ending: ending.clone() })
    };
    let mut members: Vec<MemberEnding> = ends.iter().filter_map(member).collect();
    let codes: Vec<(u8, &ReasonKind)> =
        members.iter().map(|member| (member.ending.exit_code, &member.ending.reason.kind)).collect();
    let left: Vec<usize> = (0..codes.len()).filter(|place| codes[*place].0 != 0).collect();
    let exit_code = exit_code(&codes, &left);
    members.sort_by(|one, other| (&one.function, &one.alias).cmp(&(&other.function, &other.alias)));
    let outcome = GroupOutcome { exit_code, together: true, members };
    let (function, alias) = (String::new(), String::new());
    Event { v: FORMAT, at, function, alias, what: EventKind::GroupOutcome(Box::new(outcome)) }
}

/// How close the same news of several members is: their steps and gates are one write each.
const LATELY: Duration = Duration::from_mins(1);
