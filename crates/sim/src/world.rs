//! What happens next in this AWS, and what does it answer? One account in one Region, as a pure machine that is given the time.
//!
//! It reads no clock, opens no connection and draws every chance from its seed: the same calls at the same times have the
//! same answers. How an answer travels is for the seams in `account` and `listener`.

mod about;
mod guarding;
mod hosting;
mod scheduling;
mod scripting;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::cloudformation::CloudFormation;
use crate::cloudwatch::CloudWatch;
use crate::fault::{Effect, Fault, Faults};
use crate::lambda::{Call, Lambda, Refusal, uuid};
use crate::log::{AliasChange, CallRecord, Delivery};
use crate::logs::Logs;
use crate::messaging::Messaging;
use crate::quota::Quotas;
use crate::scheduler::Scheduler;
use crate::settings::Settings;
use crate::step_functions::StepFunctions;
use crate::time::Time;
use crate::value;
use crate::web::Web;
use crate::wire::{self, Service};

/// One account in one Region.
#[derive(Debug)]
pub struct World {
    settings: Settings,
    now: Time,
    pub(crate) lambda: Lambda,
    pub(crate) cloudwatch: CloudWatch,
    pub(crate) cloudformation: CloudFormation,
    step_functions: StepFunctions,
    messaging: Messaging,
    scheduler: Scheduler,
    web: Web,
    quotas: Quotas,
    faults: Faults,
    /// By how many milliseconds the date of the answer in hand is off.
    dated: i64,
    agenda: BTreeMap<(Time, u64), Planned>,
    log: Vec<CallRecord>,
    sequence: u64,
    rng: fastrand::Rng,
}

/// The result of a call, and when its caller receives it.
#[derive(Debug)]
pub struct Reply {
    /// What comes back, if anything does.
    pub answer: Answer,
    /// How long after its arrival.
    pub delay: Duration,
}

/// What a caller receives.
#[derive(Debug)]
pub enum Answer {
    /// An HTTP response, be it an error.
    Response(http::Response<Bytes>),
    /// Nothing: it was applied, and then the connection fails.
    Lost,
    /// Nothing, and the connection stays open. It is applied, at once or later.
    Hangs,
    /// Nothing: the connection fails before anything has arrived.
    Refused,
    /// Nothing yet: what the code of a function answers, whose invocation this is. [`World::answer_to`] has it once it has ended.
    Runs(u64),
}

impl Answer {
    /// The response, if there is one.
    pub fn response(self) -> Option<http::Response<Bytes>> {
        match self {
            Self::Response(response) => Some(response),
            Self::Lost | Self::Hangs | Self::Refused | Self::Runs(_) => None,
        }
    }
}

/// Something that happens at a planned time without a call.
#[derive(Debug)]
pub enum Event {
    /// Adds to the environment of a function's `$LATEST`; an empty value removes a variable.
    SetEnvironment {
        /// The function's name.
        function: String,
        /// Names and values.
        variables: Vec<(String, String)>,
    },
    /// Another client sends this request; no fault or quota stops it.
    Call {
        /// The access key id that the log shows.
        caller: String,
        /// The request, as it would come over the wire.
        request: http::Request<Bytes>,
    },
    /// Forces an alarm's state until its next evaluation.
    SetAlarmState {
        /// The alarm's name.
        alarm: String,
        /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
        state: String,
    },
    /// Adds a rule for calls that go wrong.
    AddFault(Fault),
    /// Ends all rules for calls that go wrong.
    ClearFaults,
}

#[derive(Debug)]
enum Planned {
    Event(Event),
    /// A request whose sender has given up on it.
    Late {
        sent: Time,
        caller: String,
        request: http::Request<Bytes>,
    },
}

/// A call as it came, and what it asks for.
struct Asked<'a> {
    caller: &'a str,
    request: &'a http::Request<Bytes>,
    operation: wire::Operation,
}

impl<'a> Asked<'a> {
    fn of(caller: &'a str, request: &'a http::Request<Bytes>) -> Self {
        Self { caller, request, operation: wire::operation(request) }
    }
}

/// Why a call is refused, whatever the service.
#[derive(Clone, Copy, Debug)]
enum Cause {
    Throttled,
    Failed(u16),
    Busy,
    Denied,
    Expired,
}

impl World {
    /// An empty account at `start`.
    pub fn new(settings: Settings, seed: u64, start: Time) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        // Generators of their own: a fault more or less does not change whom the router picks.
        let lambda = Lambda::new(&settings, rng.fork());
        let cloudwatch = CloudWatch::new(&settings, rng.u64(..));
        Self {
            now: start,
            lambda,
            cloudwatch,
            cloudformation: CloudFormation::new(&settings.account, &settings.region),
            step_functions: StepFunctions::new(&settings.account, &settings.region),
            messaging: Messaging::new(&settings.account, &settings.region),
            // A generator of its own: schedules change nobody else's luck.
            scheduler: Scheduler::new(&settings, fastrand::Rng::with_seed(seed.rotate_left(17))),
            web: Web::default(),
            quotas: Quotas::default(),
            faults: Faults::default(),
            dated: 0,
            agenda: BTreeMap::new(),
            log: Vec::new(),
            sequence: 0,
            rng,
            settings,
        }
    }

    /// The time up to which everything has happened.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Lets everything happen that is due up to `to`, in order of time. Time never goes back.
    pub fn advance(&mut self, to: Time) {
        loop {
            let planned = self.agenda.first_key_value().map(|((at, _), _)| *at).filter(|at| *at <= to);
            let due = self.lambda.next_due(self.now).filter(|(at, _)| *at <= to);
            let others = [planned, due.as_ref().map(|(at, _)| *at)];
            let first = |at: &Time| *at <= to && others.iter().flatten().all(|other| at < other);
            let (guard, schedule) = (self.step_functions.next_due(), self.scheduler.next_due());
            if let Some(at) = guard.into_iter().chain(schedule).min().filter(first) {
                if guard == Some(at) {
                    self.take_guard_turn(at);
                } else {
                    self.take_schedule_turn(at);
                }
                continue;
            }
            match (planned, due) {
                (Some(at), due) if due.is_none_or(|(other, _)| at <= other) => self.carry_out(at),
                (_, Some((at, due))) => {
                    self.now = self.now.max(at);
                    self.lambda.happen(self.now, due, &mut self.cloudwatch);
                }
                (_, None) => break,
            }
        }
        self.now = self.now.max(to);
        self.cloudwatch.advance(self.now);
    }

    fn carry_out(&mut self, at: Time) {
        self.now = self.now.max(at);
        self.cloudwatch.advance(self.now);
        let Some((_, planned)) = self.agenda.pop_first() else { return };
        match planned {
            Planned::Event(Event::SetEnvironment { function, variables }) => {
                let variables: Vec<(&str, &str)> =
                    variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                // A script that names a function which is gone by then changes nothing.
                let _ = self.set_environment(&function, &variables);
            }
            Planned::Event(Event::Call { caller, request }) => {
                self.apply(&Asked::of(&caller, &request), None, Delivery::Answered);
            }
            Planned::Event(Event::SetAlarmState { alarm, state }) => {
                // As above: an alarm that is gone stays gone.
                let _ = self.set_alarm_state(&alarm, &state);
            }
            Planned::Event(Event::AddFault(fault)) => self.faults.add(fault),
            Planned::Event(Event::ClearFaults) => self.clear_faults(),
            Planned::Late { sent, caller, request } => {
                self.apply(&Asked::of(&caller, &request), None, Delivery::Late(sent));
            }
        }
    }

    /// Takes a request that arrives at `now` and says what comes back.
    pub fn answer(&mut self, now: Time, caller: &str, request: &http::Request<Bytes>) -> Reply {
        self.advance(now);
        let asked = Asked::of(caller, request);
        let operation = &asked.operation;
        // Few rules are about one resource: what a call is about is read for those only.
        let about =
            if self.faults.tell_resources_apart() { self.about(&asked, Delivery::Answered).resource } else { String::new() };
        let verdict = self.faults.judge((&operation.name, &about), caller, self.now, &mut self.rng);
        let mut delay = verdict.delay;
        if verdict.effect == Some(Effect::Refuse) {
            self.write_down(self.about(&asked, Delivery::Refused));
            return Reply { answer: Answer::Refused, delay: Duration::ZERO };
        }
        delay += self.latency();
        self.dated = verdict.dated;
        if let Some(Effect::Foreign(status)) = verdict.effect {
            self.write_down(self.about(&asked, Delivery::Refused));
            let mut response = wire::foreign(status);
            self.stamp(&mut response);
            return Reply { answer: Answer::Response(response), delay };
        }
        // Who may not ask is told so before anything is counted or looked up.
        if verdict.effect == Some(Effect::Deny) {
            return self.refuse(&asked, Cause::Denied, delay);
        }
        if verdict.effect == Some(Effect::Expire) {
            return self.refuse(&asked, Cause::Expired, delay);
        }
        if self.settings.quotas && !self.quotas.admit(&operation.name, operation.service == Service::Lambda, self.now) {
            return self.refuse(&asked, Cause::Throttled, delay);
        }
        let (stale, delivery) = match verdict.effect {
            Some(Effect::Throttle) => return self.refuse(&asked, Cause::Throttled, delay),
            Some(Effect::ServerError(status)) => return self.refuse(&asked, Cause::Failed(status), delay),
            Some(Effect::Conflict) => return self.refuse(&asked, Cause::Busy, delay),
            Some(Effect::LateWrite(after)) => {
                let at = self.now + after;
                self.write_down(self.about(&asked, Delivery::Held(at)));
                let late = Planned::Late { sent: self.now, caller: caller.to_owned(), request: request.clone() };
                self.plan(at, late);
                return Reply { answer: Answer::Hangs, delay };
            }
            Some(Effect::LostAnswer | Effect::Stall) => (None, Delivery::Lost),
            Some(Effect::StaleRead(age)) => (Some(age), Delivery::Answered),
            Some(Effect::Deny | Effect::Expire | Effect::Refuse | Effect::Foreign(_) | Effect::Latency(_) | Effect::Dated(_))
            | None => (None, Delivery::Answered),
        };
        let (response, ran, runs) = self.apply(&asked, stale, delivery);
        let answer = match (verdict.effect, runs) {
            (Some(Effect::LostAnswer), _) => Answer::Lost,
            (Some(Effect::Stall), _) => Answer::Hangs,
            (_, Some(id)) => Answer::Runs(id),
            (_, None) => Answer::Response(response),
        };
        Reply { answer, delay: delay + ran }
    }

    fn stamp(&self, response: &mut http::Response<Bytes>) {
        wire::stamp(response, self.now, self.settings.clock_skew_millis + self.dated);
    }

    /// Applies and logs a call; returns the response, how long a function ran, and the invocation whose end is the response instead.
    fn apply(
        &mut self,
        asked: &Asked<'_>,
        stale: Option<Duration>,
        delivery: Delivery,
    ) -> (http::Response<Bytes>, Duration, Option<u64>) {
        let request_id = uuid(&mut self.rng);
        let Asked { request, operation, .. } = asked;
        let mut record = self.record(asked, delivery);
        let (mut response, ran, runs) = match operation.service {
            Service::Lambda => {
                let call = Call::read(request, self.now, &request_id);
                let done = call.and_then(|call| self.ask_lambda(&call.reading(stale), &mut record));
                for errand in self.lambda.errands() {
                    self.schedule(errand.at, Event::Call { caller: errand.caller, request: errand.request });
                }
                let ran = done.as_ref().map(|done| done.delay).unwrap_or_default();
                record.error = done.as_ref().err().map(|refusal| refusal.code.to_owned());
                let runs = done.as_ref().ok().and_then(|done| done.runs);
                (wire::lambda_response(done, &request_id), ran, runs)
            }
            other @ (Service::CloudFormation
            | Service::CloudWatch
            | Service::Logs
            | Service::Messaging
            | Service::Scheduler
            | Service::StepFunctions) => {
                record.resource = self.resource(other, request);
                let (response, error) = match other {
                    Service::Logs => self.lambda.logs.answer(self.now, request, &request_id),
                    Service::CloudFormation => self.ask_cloudformation(request, &request_id),
                    Service::StepFunctions => self.step_functions.answer(self.now, request, &request_id),
                    Service::Messaging => self.messaging.answer(self.now, asked.caller, request, &request_id),
                    Service::Scheduler => self.scheduler.answer(self.now, request, &request_id),
                    Service::CloudWatch | Service::Lambda => self.cloudwatch.answer(self.now, request, &request_id),
                };
                record.error = error;
                (response, Duration::ZERO, None)
            }
        };
        record.status = response.status().as_u16();
        self.write_down(record);
        self.stamp(&mut response);
        (response, ran, runs)
    }

    fn ask_lambda(&mut self, call: &Call<'_>, record: &mut CallRecord) -> Result<crate::lambda::Done, Refusal> {
        record.resource = call.resource();
        record.revision_sent = call.revision_sent();
        self.lambda.end_moves(self.now);
        let named = if call.operation.changes_alias() { self.lambda.alias_named(call) } else { None };
        let before = named.as_ref().and_then(|(function, alias)| self.lambda.alias(function, alias).cloned());
        let done = self.lambda.answer(call, &mut self.cloudwatch);
        record.alias = named.map(|(function, alias)| {
            let after = self.lambda.alias(&function, &alias).cloned();
            Box::new(AliasChange { function, alias, before, after })
        });
        done
    }

    fn refuse(&mut self, asked: &Asked<'_>, cause: Cause, delay: Duration) -> Reply {
        let request_id = uuid(&mut self.rng);
        let Asked { request, operation, .. } = asked;
        let mut record = self.about(asked, Delivery::Answered);
        let mut response = if operation.service == Service::Lambda {
            let refusal = match cause {
                Cause::Throttled => Refusal::throttled(),
                Cause::Failed(status) => Refusal::fault(status),
                Cause::Busy => Refusal::busy(&self.lambda.arn(&record.resource)),
                Cause::Denied => Refusal::denied(self.denial(asked)),
                Cause::Expired => Refusal::expired(EXPIRED),
            };
            record.error = Some(refusal.code.to_owned());
            wire::lambda_response(Err(refusal), &request_id)
        } else {
            let (status, code, message) = match cause {
                Cause::Throttled => (400, "Throttling", "Rate exceeded".to_owned()),
                Cause::Failed(503) => (503, "ServiceUnavailable", "Service unavailable".to_owned()),
                Cause::Failed(status) => (status, "InternalServiceFault", "Internal failure".to_owned()),
                Cause::Busy => (409, "ConcurrentModificationException", "Another request is in progress".to_owned()),
                Cause::Denied => (403, "AccessDenied", self.denial(asked)),
                Cause::Expired => (403, "ExpiredToken", EXPIRED.to_owned()),
            };
            record.error = Some(code.to_owned());
            let fault = value::Fault { status, code: code.into(), message };
            match operation.service {
                Service::Logs => Logs::refuse(&fault, &request_id),
                Service::CloudFormation => CloudFormation::refuse(&fault, &request_id),
                Service::StepFunctions => StepFunctions::refuse(&fault, &request_id),
                Service::Messaging => Messaging::refuse(request, &fault, &request_id),
                Service::Scheduler => Scheduler::refuse(&fault, &request_id),
                Service::CloudWatch | Service::Lambda => CloudWatch::refuse(request, &fault, &request_id),
            }
        };
        record.status = response.status().as_u16();
        self.write_down(record);
        self.stamp(&mut response);
        Reply { answer: Answer::Response(response), delay }
    }

    fn denial(&self, Asked { caller, request, operation }: &Asked<'_>) -> String {
        let resource = match operation.service {
            Service::Lambda => {
                Call::read(request, self.now, "").map_or_else(|_| "*".to_owned(), |call| self.lambda.guarded(&call))
            }
            Service::CloudWatch => "*".to_owned(),
            Service::Logs => self.lambda.logs.guarded(&Logs::resource(request)),
            Service::CloudFormation => self.cloudformation.arn(&CloudFormation::resource(request)),
            Service::StepFunctions => StepFunctions::resource(request),
            Service::Messaging => self.messaging.resource(request),
            Service::Scheduler => self.scheduler.arn(&Scheduler::resource(request)),
        };
        let (account, action) = (&self.settings.account, operation.action());
        format!(
            "User: arn:aws:iam::{account}:user/{caller} is not authorized to perform: {action} on resource: {resource} \
             because no identity-based policy allows the {action} action",
        )
    }

    pub(crate) fn uuid(&mut self) -> String {
        uuid(&mut self.rng)
    }

    fn latency(&mut self) -> Duration {
        let micros = |span: &Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let (low, high) = (micros(self.settings.latency.start()), micros(self.settings.latency.end()));
        Duration::from_micros(self.rng.u64(low..=high.max(low)))
    }

    fn record(&self, asked: &Asked<'_>, delivery: Delivery) -> CallRecord {
        CallRecord {
            seq: 0,
            at: self.now,
            caller: asked.caller.to_owned(),
            operation: asked.operation.name.clone().into_owned(),
            resource: String::new(),
            status: 0,
            error: None,
            delivery,
            revision_sent: None,
            alias: None,
        }
    }

    /// The record of a call that is not applied, with its resource.
    fn about(&self, asked: &Asked<'_>, delivery: Delivery) -> CallRecord {
        let mut record = self.record(asked, delivery);
        match asked.operation.service {
            Service::Lambda => {
                if let Ok(call) = Call::read(asked.request, self.now, "") {
                    record.resource = call.resource();
                    record.revision_sent = call.revision_sent();
                }
            }
            other @ (Service::CloudFormation
            | Service::CloudWatch
            | Service::Logs
            | Service::Messaging
            | Service::Scheduler
            | Service::StepFunctions) => {
                record.resource = self.resource(other, asked.request);
            }
        }
        record
    }

    fn write_down(&mut self, record: CallRecord) {
        if self.log.len() >= LOG_LIMIT {
            self.log.drain(..LOG_LIMIT / 2);
        }
        self.sequence += 1;
        self.log.push(CallRecord { seq: self.sequence, ..record });
    }

    fn plan(&mut self, at: Time, planned: Planned) {
        self.sequence += 1;
        self.agenda.insert((at.max(self.now), self.sequence), planned);
    }

    /// Every call so far, oldest first; at most the last 200,000.
    pub fn log(&self) -> &[CallRecord] {
        &self.log
    }

    /// The successful writes to one alias, oldest first.
    pub fn alias_writes<'w>(&'w self, function: &'w str, alias: &'w str) -> impl Iterator<Item = &'w CallRecord> {
        self.log.iter().filter(move |record| record.wrote(function, alias))
    }
}

const EXPIRED: &str = "The security token included in the request is expired";

/// Records in the log: a served world may run for weeks.
const LOG_LIMIT: usize = 200_000;
