//! What was reported, and what does it add up to? Every event of a rollout passes here once.

use rollout::timing::REPEATED;
use std::collections::BTreeMap;

use rollout::event::{Event, EventKind, FORMAT, RolloutSummary};
use rollout::logged_error::LoggedError;
use rollout::report::Report;
use rollout::{Alias, Outcome, Time};

use crate::preflight::Preflight;
use crate::request::Request;

pub(crate) struct EventSink<'a> {
    request: &'a Request,
    report: Report,
    tell: &'a mut dyn FnMut(&Event),
    /// What the first of this process' events follows, should there be any.
    introduction: Option<EventKind>,
    /// Which warnings were reported, and when.
    warned: BTreeMap<String, Time>,
}

impl<'a> EventSink<'a> {
    pub(crate) fn new(request: &'a Request, tell: &'a mut dyn FnMut(&Event)) -> Self {
        Self { request, report: Report::default(), tell, introduction: None, warned: BTreeMap::new() }
    }

    pub(crate) fn emit(&mut self, at: Time, what: EventKind) {
        // What a decision rested on is for a record, and no news.
        let news = !matches!(what, EventKind::Observed(_));
        if let Some(introduction) = self.introduction.take_if(|_| news) {
            let introduction = self.event(at, introduction);
            (self.tell)(&introduction);
        }
        let event = self.event(at, what);
        self.report.add(&event);
        (self.tell)(&event);
    }

    fn event(&self, at: Time, what: EventKind) -> Event {
        let subject = &self.request.subject;
        Event { v: FORMAT, at, function: subject.function.name.clone(), alias: subject.alias.clone(), what }
    }

    /// Takes into account what an earlier process told then, and tells it again once there is anything to tell.
    pub(crate) fn told_before(&mut self, at: Time, what: EventKind) {
        self.report.add(&self.event(at, what.clone()));
        self.introduction = Some(what);
    }

    /// Reports a warning, and one that repeats itself once a minute.
    pub(crate) fn warn(&mut self, at: Time, why: String) {
        self.warned.retain(|_, warned_at| at.since(*warned_at) < REPEATED);
        if !self.warned.contains_key(&why) {
            self.warned.insert(why.clone(), at);
            self.emit(at, EventKind::Warning { text: why, transient: true });
        }
    }

    /// To be told before the end of a member that could have begun, or gone on, had the others of its group.
    pub(crate) fn held_up(&mut self) {
        self.report.held_up();
    }

    /// To be told before the end of a rollout whose candidate logged these.
    pub(crate) fn logged(&mut self, evidence: Vec<LoggedError>) {
        self.report.logged(evidence);
    }

    /// To be told what a promotion does not rest on.
    pub(crate) fn cannot_see(&mut self, what: &'static str) {
        self.report.cannot_see(what);
    }

    /// To be told of a durable function.
    pub(crate) fn durable(&mut self) {
        self.report.durable();
    }

    pub(crate) fn end_before(&mut self, at: Time, found: &Preflight, outcome: &Outcome, detail: String) -> RolloutSummary {
        self.report.known(found.plan.id, found.plan.stable);
        let traffic = if found.read { traffic(found.alias.as_ref()) } else { unread(outcome) };
        self.end(at, outcome, Some(detail), traffic, None)
    }

    /// What came of a turn that found nothing to drive: no event.
    pub(crate) fn unchanged(&mut self, at: Time, found: &Preflight) -> RolloutSummary {
        self.report.known(found.plan.id, found.plan.stable);
        self.so_far(at, &Outcome::Unchanged, None, traffic(found.alias.as_ref()))
    }

    pub(crate) fn end(
        &mut self,
        at: Time,
        outcome: &Outcome,
        detail: Option<String>,
        traffic: String,
        command: Option<String>,
    ) -> RolloutSummary {
        let mut ending = self.so_far(at, outcome, detail, traffic);
        ending.next.splice(0..0, command);
        self.emit(at, EventKind::Outcome(Box::new(ending.clone())));
        ending
    }

    /// What came of it so far: no event.
    pub(crate) fn so_far(&self, at: Time, outcome: &Outcome, detail: Option<String>, traffic: String) -> RolloutSummary {
        self.report.ending(&self.request.subject.to_string(), outcome, detail, traffic, at)
    }
}

pub(crate) fn traffic(alias: Option<&Alias>) -> String {
    alias.map_or_else(|| "the alias does not exist".to_owned(), Alias::traffic)
}

/// The traffic of an alias that could not be read, where that was the end.
pub(crate) fn unread(outcome: &Outcome) -> String {
    let what = if *outcome == Outcome::Refused { "not changed by this run" } else { "unknown" };
    format!("{what}: the alias could not be read")
}
