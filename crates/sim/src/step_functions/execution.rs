//! How does one execution of the guard go on? From one answer of AWS to the next call, as its definition says.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::guard::{Look, look};
use crate::time::Time;

/// What an execution watches.
#[derive(Clone, Debug, serde::Deserialize)]
pub(super) struct Input {
    function: String,
    alias: String,
    rollout: String,
    /// Seconds after the lease.
    slack: u64,
}

/// An execution of a guard, as a test judges it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardRun {
    /// The id of the rollout that it watches; empty where its input makes no sense.
    pub rollout: String,
    /// How long after the end of a lease it waits.
    pub slack: Duration,
    /// When it began.
    pub began: Time,
    /// When it ended; `None` while it runs.
    pub ended: Option<Time>,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `ABORTED`.
    pub status: &'static str,
}

/// The call that comes next.
#[derive(Clone, Debug)]
enum Turn {
    Look,
    Back(Look),
}

/// One execution.
#[derive(Clone, Debug)]
pub(crate) struct Execution {
    pub(super) arn: String,
    pub(super) machine: String,
    pub(super) name: String,
    pub(super) input: String,
    pub(super) status: &'static str,
    pub(super) started: Time,
    pub(super) stopped: Option<Time>,
    pub(super) error: Option<String>,
    /// What whoever stopped it said.
    pub(super) cause: Option<String>,
    /// What its history holds, by AWS' way of counting: 25,000 are the end of an execution.
    pub(super) events: u32,
    watched: Option<Input>,
    next: Option<(Time, Turn)>,
    /// Whether its call is being made.
    calls: bool,
    waited: String,
    misses: u32,
    failures: u32,
    tries: u32,
}

impl Execution {
    pub(super) fn new(arn: String, machine: &str, name: &str, input: &str, now: Time) -> Self {
        let watched = serde_json::from_str(input).ok();
        let mut execution = Self {
            arn,
            machine: machine.to_owned(),
            name: name.to_owned(),
            input: input.to_owned(),
            status: "RUNNING",
            started: now,
            stopped: None,
            error: None,
            cause: None,
            events: 1,
            next: Some((now, Turn::Look)),
            watched,
            calls: false,
            waited: String::new(),
            misses: 0,
            failures: 0,
            tries: 0,
        };
        if execution.watched.is_none() {
            execution.end(now, "FAILED", Some("States.QueryEvaluationError"));
        }
        execution
    }

    pub(super) fn run(&self) -> GuardRun {
        let watched = self.watched.as_ref();
        GuardRun {
            rollout: watched.map(|watched| watched.rollout.clone()).unwrap_or_default(),
            slack: Duration::from_secs(watched.map_or(0, |watched| watched.slack)),
            began: self.started,
            ended: self.stopped,
            status: self.status,
        }
    }

    pub(super) fn end(&mut self, now: Time, status: &'static str, error: Option<&str>) {
        (self.status, self.stopped, self.next) = (status, Some(now), None);
        self.error = error.map(str::to_owned);
        self.events += 3;
    }

    pub(super) fn due(&self) -> Option<Time> {
        self.next.as_ref().filter(|_| !self.calls).map(|(at, _)| *at)
    }

    /// The request of its next call, as the service that it goes to takes it; it is being made from now on.
    pub(super) fn request(&mut self) -> Option<Request<Bytes>> {
        let (watched, (_, turn)) = (self.watched.as_ref()?, self.next.as_ref()?);
        self.calls = true;
        let path = format!("/2015-03-31/functions/{}/aliases/{}", watched.function, watched.alias);
        match turn {
            Turn::Look => Request::get(path).body(Bytes::new()).ok(),
            Turn::Back(seen) => {
                let body = json!({
                    "FunctionVersion": seen.stable, "RoutingConfig": {"AdditionalVersionWeights": {}},
                    "Description": seen.description, "RevisionId": seen.revision,
                });
                Request::put(path).body(Bytes::from(body.to_string())).ok()
            }
        }
    }

    /// Takes what came of its call: a body, or the name of an error.
    pub(super) fn answered(&mut self, now: Time, answer: Result<Value, &str>) {
        self.calls = false;
        let (Some(watched), Some((_, turn))) = (self.watched.clone(), self.next.take()) else { return };
        match turn {
            Turn::Look => self.looked(now, &watched, answer),
            Turn::Back(seen) => self.wrote(now, seen, answer.map(drop)),
        }
    }

    fn looked(&mut self, now: Time, watched: &Input, answer: Result<Value, &str>) {
        let alias = match answer {
            Ok(alias) => alias,
            Err("ResourceNotFoundException") => return self.end(now, "SUCCEEDED", None),
            Err(error) if error == "AccessDeniedException" || self.tries >= 60 => {
                return self.end(now, "FAILED", Some(&format!("Lambda.{error}")));
            }
            Err(_) => return self.again(now, Turn::Look, 60),
        };
        (self.tries, self.events) = (0, self.events + 7);
        let millis = u64::try_from(now.as_millis()).unwrap_or_default();
        let seen = look(&alias, &watched.rollout, millis);
        self.misses = if seen.is_live { 0 } else { self.misses + 1 };
        let expires = 1000 * (seen.lease + watched.slack);
        if seen.is_final || self.misses > 1 {
            return self.end(now, "SUCCEEDED", None);
        }
        if self.failures > 20 {
            return self.end(now, "FAILED", Some("CanaryctlGuard.NotRestored"));
        }
        if seen.is_live && self.waited == seen.revision && millis >= expires {
            self.next = Some((now, Turn::Back(seen)));
            return;
        }
        let until = if seen.is_live { expires.min(millis + 180_000).max(millis + 30_000) } else { millis + 60_000 };
        self.events += 2;
        self.waited = seen.revision;
        self.next = Some((now + Duration::from_millis(until - millis), Turn::Look));
    }

    fn wrote(&mut self, now: Time, seen: Look, answer: Result<(), &str>) {
        match answer {
            Ok(()) => return self.end(now, "SUCCEEDED", None),
            Err("PreconditionFailedException") => {}
            Err("TooManyRequestsException" | "ResourceConflictException" | "ServiceException" | "SdkClientException")
                if self.tries < 6 =>
            {
                return self.again(now, Turn::Back(seen), 10);
            }
            Err(_) => self.failures += 1,
        }
        (self.tries, self.misses, self.events) = (0, 0, self.events + 5);
        self.waited.clear();
        self.next = Some((now, Turn::Look));
    }

    /// The same call later: the wait doubles, up to so many seconds.
    fn again(&mut self, now: Time, turn: Turn, most: u64) {
        let wait = 1u64.checked_shl(self.tries).unwrap_or(most).min(most);
        (self.tries, self.events) = (self.tries + 1, self.events + 3);
        self.next = Some((now + Duration::from_secs(wait), turn));
    }
}
