//! Which alarms are there, in which states, and when do those change?
//!
//! Alarms change state when they are evaluated, by `SetAlarmState`, or because an alarm in their rule changed. What a
//! request or an answer looks like is not known here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::alarm::{Alarm, Watch};
use super::evaluation;
use super::history::{self, Edit, HistoryItem, ItemKind, Verdict};
use super::metrics::{Metrics, Reading};
use super::reason;
use super::state::AlarmState;
use crate::time::Time;
use crate::value::Fault;

const CHILDREN: usize = 100;

#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) alarm: Alarm,
    pub(super) verdict: Verdict,
    pub(super) configured: Time,
    pub(super) updated: Time,
    pub(super) transitioned: Time,
    pub(super) tags: Vec<(String, String)>,
    /// Why the last evaluation was not whole, in the service's word.
    pub(super) evaluation: Option<String>,
    due: Option<Time>,
}

#[derive(Debug)]
pub(super) struct Alarms {
    standing: BTreeMap<String, Standing>,
    history: Vec<HistoryItem>,
    arn_prefix: String,
    delay: Duration,
    next_due: Option<Time>,
}

impl Alarms {
    pub(super) const fn new(arn_prefix: String, delay: Duration) -> Self {
        Self { standing: BTreeMap::new(), history: Vec::new(), arn_prefix, delay, next_due: None }
    }

    pub(super) fn arn(&self, name: &str) -> String {
        format!("{}{name}", self.arn_prefix)
    }

    pub(super) fn find(&self, name: &str) -> Option<&Standing> {
        self.standing.get(name)
    }

    pub(super) fn tagged(&mut self, arn: &str) -> Result<&mut Standing, Fault> {
        let standing = arn.strip_prefix(&self.arn_prefix).and_then(|name| self.standing.get_mut(name));
        standing.ok_or_else(|| Fault::unknown_resource(arn))
    }

    /// Whether this is the ARN of an alarm here, be it there or not.
    pub(super) fn is_alarm(&self, arn: &str) -> bool {
        arn.starts_with(&self.arn_prefix)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Standing> {
        self.standing.values()
    }

    pub(super) fn history(&self) -> &[HistoryItem] {
        &self.history
    }

    pub(super) const fn next_due(&self) -> Option<Time> {
        self.next_due
    }

    /// Creates an alarm, or changes one that keeps its state until it is evaluated again. Tags count at creation only.
    pub(super) fn put(&mut self, now: Time, alarm: Alarm, tags: Vec<(String, String)>) -> Result<(), Fault> {
        self.check_rule(&alarm)?;
        let (name, due) = (alarm.name.clone(), Some(now + self.delay));
        let edit = match self.standing.get_mut(&name) {
            Some(known) if known.alarm.kind() != alarm.kind() => {
                return Err(Fault::validation(format!("An alarm of another type with the name {name} already exists")));
            }
            Some(known) => {
                (known.alarm, known.configured, known.due) = (alarm, now, due);
                Edit::Update
            }
            None => {
                let verdict =
                    Verdict { state: AlarmState::InsufficientData, reason: reason::CREATED.to_owned(), reason_data: None };
                let standing =
                    Standing { alarm, verdict, configured: now, updated: now, transitioned: now, tags, evaluation: None, due };
                self.standing.insert(name.clone(), standing);
                Edit::Create
            }
        };
        self.note_edit(now, &name, edit);
        self.schedule();
        Ok(())
    }

    fn check_rule(&self, alarm: &Alarm) -> Result<(), Fault> {
        let Some(rule) = alarm.rule() else { return Ok(()) };
        let children = rule.children();
        if children.len() > CHILDREN {
            return Err(Fault::limit(format!("A composite alarm may be made of at most {CHILDREN} alarms")));
        }
        let unknown: Vec<_> = children.iter().copied().filter(|child| !self.standing.contains_key(*child)).collect();
        if !unknown.is_empty() {
            let unknown = unknown.join(", ");
            return Err(Fault::validation(format!(
                "Could not save the composite alarm as alarms [{unknown}] in the alarm rule do not exist"
            )));
        }
        let (mut open, mut seen) = (children, Vec::new());
        while let Some(child) = open.pop() {
            if child == alarm.name {
                return Err(Fault::validation("Could not save the composite alarm as its rule refers to the alarm itself"));
            }
            if !seen.contains(&child) {
                seen.push(child);
                open.extend(
                    self.standing.get(child).and_then(|standing| standing.alarm.rule()).into_iter().flat_map(|r| r.children()),
                );
            }
        }
        Ok(())
    }

    /// Deletes alarms; those that exist are deleted even if others do not.
    pub(super) fn delete(&mut self, now: Time, names: &[&str]) -> Result<(), Fault> {
        let composites = names.iter().filter(|name| self.find(name).is_some_and(|standing| standing.alarm.rule().is_some()));
        if composites.count() > 1 {
            return Err(Fault::validation("At most one composite alarm can be deleted in one operation"));
        }
        for name in names {
            let users: Vec<_> = self.parents(name).into_iter().filter(|user| !names.contains(&user.as_str())).collect();
            if !users.is_empty() {
                let users = users.join(", ");
                return Err(Fault::validation(format!(
                    "Cannot delete {name} as there are composite alarm(s) depending on it: {users}"
                )));
            }
        }
        let mut unknown = Vec::new();
        for name in names {
            self.note_edit(now, name, Edit::Delete);
            if self.standing.remove(*name).is_none() {
                unknown.push(*name);
            }
        }
        self.schedule();
        if unknown.is_empty() {
            Ok(())
        } else {
            Err(Fault::unknown_alarm(format!("The following alarms do not exist: {}", unknown.join(", "))))
        }
    }

    /// The composite alarms made of an alarm.
    pub(super) fn parents(&self, name: &str) -> Vec<String> {
        let uses = |standing: &&Standing| standing.alarm.rule().is_some_and(|rule| rule.children().contains(&name));
        self.standing.values().filter(uses).map(|standing| standing.alarm.name.clone()).collect()
    }

    /// Lets alarms act or not; names that do not exist are passed over.
    pub(super) fn enable_actions(&mut self, now: Time, names: &[&str], enabled: bool) {
        for name in names {
            let Some(standing) = self.standing.get_mut(*name) else { continue };
            (standing.alarm.actions.enabled, standing.configured) = (enabled, now);
            self.note_edit(now, name, Edit::Update);
        }
    }

    /// Sets an alarm's state until its next evaluation.
    pub(super) fn set_state(&mut self, now: Time, name: &str, change: Verdict) -> Result<(), Fault> {
        let Some(standing) = self.standing.get_mut(name) else {
            return Err(Fault::unknown_alarm(""));
        };
        if standing.verdict.state == change.state {
            (standing.verdict, standing.updated) = (change, now);
        } else {
            self.change(now, name, change);
        }
        Ok(())
    }

    /// Says how an alarm's evaluations go; none: they are whole.
    pub(super) fn set_evaluation(&mut self, name: &str, state: Option<&str>) -> Option<()> {
        self.standing.get_mut(name)?.evaluation = state.map(str::to_owned);
        Some(())
    }

    /// Evaluates what is due at `at`, of which the metrics show what can be seen at that time.
    pub(super) fn evaluate(&mut self, at: Time, metrics: &Metrics) {
        let due = |standing: &&Standing| standing.due.is_some_and(|due| due <= at);
        let names: Vec<_> = self.standing.values().filter(due).map(|standing| standing.alarm.name.clone()).collect();
        for name in names {
            let Some(standing) = self.standing.get_mut(&name) else { continue };
            standing.updated = at;
            standing.due =
                standing.alarm.watch().map(|watch| (at - self.delay).floor(watch.rhythm()) + watch.rhythm() + self.delay);
            let change = match standing.alarm.watch() {
                Some(watch) => look(watch, at, metrics),
                None => self.consult(&name),
            };
            match change {
                Some(change) if self.standing.get(&name).is_some_and(|standing| standing.verdict.state != change.state) => {
                    self.change(at, &name, change);
                }
                Some(_) | None => {}
            }
        }
        self.schedule();
    }

    /// What a new or changed composite alarm's rule says; the child that changed last is its reason.
    fn consult(&self, name: &str) -> Option<Verdict> {
        let rule = self.find(name)?.alarm.rule()?;
        let state = self.outcome(name)?;
        let latest = rule.children().into_iter().filter_map(|child| self.find(child)).max_by_key(|child| child.transitioned);
        Some(match latest {
            Some(child) => self.caused(child, state),
            None => Verdict { state, reason: format!("Alarm rule evaluates to {}", state.name()), reason_data: None },
        })
    }

    fn caused(&self, child: &Standing, state: AlarmState) -> Verdict {
        let arn = self.arn(&child.alarm.name);
        Verdict {
            state,
            reason: reason::of_composite(&arn, child.verdict.state, child.transitioned),
            reason_data: Some(reason::data_of_composite(&arn, child.verdict.state, child.transitioned)),
        }
    }

    fn outcome(&self, composite: &str) -> Option<AlarmState> {
        let rule = self.find(composite)?.alarm.rule()?;
        let goes_off = rule.holds(&|name| self.find(name).map(|standing| standing.verdict.state));
        Some(if goes_off { AlarmState::Alarm } else { AlarmState::Ok })
    }

    /// Changes a state, and at once those of the composite alarms that follow from it.
    fn change(&mut self, at: Time, name: &str, change: Verdict) {
        let mut open = vec![(name.to_owned(), change)];
        while let Some((name, change)) = open.pop() {
            let Some(standing) = self.standing.get_mut(&name) else { continue };
            let items = history::state_change(&standing.verdict, &change);
            (standing.verdict, standing.updated, standing.transitioned) = (change, at, at);
            let actions = &standing.alarm.actions;
            let told_to = if actions.enabled { actions.on(standing.verdict.state).to_vec() } else { Vec::new() };
            self.note(at, &name, ItemKind::StateUpdate, items);
            for resource in told_to {
                self.note(at, &name, ItemKind::Action, history::action(&resource, at));
            }
            for parent in self.parents(&name) {
                let state = self.outcome(&parent);
                let moved = state.filter(|state| self.find(&parent).is_some_and(|standing| standing.verdict.state != *state));
                if let (Some(state), Some(child)) = (moved, self.find(&name)) {
                    open.push((parent, self.caused(child, state)));
                }
            }
        }
    }

    /// Notes a change of configuration; nothing of an alarm that is not there.
    fn note_edit(&mut self, at: Time, name: &str, edit: Edit) {
        let Some(configured) = self.find(name).map(|standing| standing.alarm.shown_with(json!({}))) else { return };
        self.note(at, name, ItemKind::ConfigurationUpdate, history::configuration_change(name, edit, &configured));
    }

    fn note(&mut self, at: Time, name: &str, kind: ItemKind, (summary, data): (String, String)) {
        let Some(alarm_type) = self.find(name).map(|standing| standing.alarm.kind()) else { return };
        self.history.push(HistoryItem { at, alarm: name.to_owned(), alarm_type, kind, summary, data });
    }

    fn schedule(&mut self) {
        self.next_due = self.standing.values().filter_map(|standing| standing.due).min();
    }
}

/// What the metric says, in the periods that end at the last boundary before `at`; `None` where the state stays.
fn look(watch: &Watch, at: Time, metrics: &Metrics) -> Option<Verdict> {
    let boundary = if watch.period < 60 { watch.rhythm() } else { Duration::from_mins(1) };
    let end = at.floor(boundary);
    let reading = Reading {
        namespace: &watch.namespace,
        name: &watch.metric,
        dimensions: &watch.dimensions,
        unit: watch.unit.as_deref(),
        period: watch.length(),
    };
    let range = evaluation::range(watch);
    // Data that were given without seconds stand at the beginning of their minute, and count for all of it.
    let minute = Duration::from_mins(1);
    let coarse = Reading { period: minute, ..reading };
    let point = |start: Time| {
        let found = metrics.point(&reading, start, &watch.statistic);
        let first = || metrics.point(&reading, start.floor(minute), &watch.statistic).filter(|_| watch.period < 60);
        found.or_else(|| {
            let whole = metrics.point(&coarse, start.floor(minute), &watch.statistic)?;
            first().filter(|first| (first.samples - whole.samples).abs() < f64::EPSILON)
        })
    };
    let retrieved: Vec<_> = (1..=range).rev().map(|back| point(end - watch.length() * back)).collect();
    let finding = evaluation::evaluate(watch, &retrieved);
    let window = watch.length() * watch.evaluation_periods;
    finding.state.map(|state| Verdict {
        state,
        reason: reason::of_metric(watch, &finding, state),
        reason_data: Some(reason::data_of_metric(watch, &finding, at, window, end)),
    })
}
