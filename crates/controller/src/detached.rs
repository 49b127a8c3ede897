//! What does a turn need to know of a rollout that another process began? All of it, as the schedule that invokes the controller's function keeps
//! it: aliases and plans, and what plans only name.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rollout::hook::HookTarget;
use rollout::note::RolloutId;
use rollout::notify::{NoticeKind, Notification};
use rollout::plan::Plan;
use rollout::target::{Subject, SubjectError};
use rollout::turn::Turn;
use rollout::{Arn, Time};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::port::{AlarmRule, Call, Cloud, CloudError, Failure, ScheduleSpec};
use crate::request::Request;

/// The function that is meant where none is named.
pub const CONTROLLER: &str = "canaryctl-controller";

/// The format of the event; another one is refused.
const FORMAT: u16 = 1;

/// A detached rollout, of one function or of several as one: the event that the controller's function is invoked with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Detached {
    v: u16,
    /// Which rollout.
    pub rollout_id: RolloutId,
    /// The schedule that invokes the function for it.
    pub schedule: String,
    members: Vec<Member>,
}

/// One function of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Member {
    function: String,
    alias: String,
    plan: Plan,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    managed_alarms: Vec<AlarmRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pre_hook: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step_hook: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    post_hook: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    checks: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_previous: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notify: Vec<Told>,
    /// In base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    probe_event: Option<String>,
}

/// Who is told what of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Told {
    recipient: String,
    kinds: Vec<NoticeKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trigger: Option<String>,
}

/// Why an event is not one.
#[derive(Debug, thiserror::Error)]
pub enum NotDetached {
    /// It is not JSON of this shape.
    #[error("the event is not that of a detached rollout: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It is from another version of canaryctl.
    #[error("the event has the format {0}, and this version of canaryctl reads {FORMAT}: update the controller's function")]
    Format(u16),
    /// A function or an alias in it is none.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// A hook or a test event in it is none.
    #[error("the event has an unreadable {0}")]
    Unreadable(&'static str),
}

/// What an invocation of the controller's function asks for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A turn of one rollout.
    Turn(Box<Detached>),
    /// Turns of all rollouts: it comes from the clock.
    Turns(Clocked),
}

/// What an invocation by the clock asks for.
#[derive(Clone, Debug, Deserialize)]
pub struct Clocked {
    v: u16,
    /// The ARN of the function: meant are the rollouts whose own schedules are disabled and would invoke it.
    #[serde(rename = "turns")]
    pub function: String,
    /// For which minute it was made.
    at: serde_json::Value,
}

impl Clocked {
    /// When its minute is over, where that is known: whatever it comes too late for is the next one's.
    pub(crate) fn over(&self) -> Option<Time> {
        Time::deserialize(&self.at).ok().map(|at| at + Duration::from_mins(1))
    }
}

impl Asked {
    /// Reads an event.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(event: serde_json::Value) -> Result<Self, NotDetached> {
        match Clocked::deserialize(&event) {
            Ok(clocked) if clocked.v == FORMAT => Ok(Self::Turns(clocked)),
            Ok(_) | Err(_) => Ok(Self::Turn(Box::new(Detached::read(event)?))),
        }
    }
}

/// The event with which the clock invokes the controller's function of this ARN, as its schedule has it.
pub fn clock_event(controller: &str) -> serde_json::Value {
    json!({"v": FORMAT, "turns": controller, "at": "<aws.scheduler.scheduled-time>"})
}

/// The name of the clock, the one schedule that has all rollouts of this controller's function continue. No rollout's schedule has a dot in its name.
pub fn clock_name(controller: &str) -> String {
    // AWS allows 64 characters. Whose clock it is says its target.
    format!("clock.{controller}").chars().take(64).collect()
}

/// Whether the clock of this controller's function is there, by its ARN, so that a schedule need not invoke anything itself. Where that is not
/// known, it does.
pub(crate) async fn has_clock<C: Cloud>(cloud: &C, controller: &str) -> bool {
    let Some(at) = Arn::parse(controller) else { return false };
    let found = cloud.schedule(&clock_name(function_name(at))).await;
    let asks = |input: &str| serde_json::from_str(input).is_ok_and(|input: serde_json::Value| input == clock_event(controller));
    found.is_ok_and(|found| found.is_some_and(|seen| seen.enabled && seen.function == controller && asks(&seen.input)))
}

fn function_name(at: Arn<'_>) -> &str {
    at.resource.split(':').nth(1).unwrap_or_default()
}

impl Detached {
    /// A rollout of these functions by these plans.
    pub(crate) fn new<'a>(
        schedule: String,
        rollout_id: RolloutId,
        members: impl Iterator<Item = (&'a Request, &'a Plan)>,
    ) -> Self {
        Self { v: FORMAT, rollout_id, schedule, members: members.map(|(request, plan)| Member::new(request, plan)).collect() }
    }

    /// Reads an event.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(event: serde_json::Value) -> Result<Self, NotDetached> {
        // Another version's may differ in anything else.
        let format = event["v"].as_u64().and_then(|format| u16::try_from(format).ok());
        if let Some(other) = format.filter(|format| *format != FORMAT) {
            return Err(NotDetached::Format(other));
        }
        Ok(serde_json::from_value(event)?)
    }

    /// The alarms that it watches.
    pub(crate) fn alarms(&self) -> impl Iterator<Item = &String> {
        self.members.iter().flat_map(|member| &member.plan.alarms)
    }

    /// When its weights change by its plan, and when it has baked: how long after it began each time, where nothing holds it up.
    pub(crate) fn changes(&self) -> impl Iterator<Item = Duration> {
        let plans = self.members.iter().map(|member| &member.plan);
        plans.flat_map(|plan| (2..=plan.schedule.len()).map(|step| plan.begins(step)).chain([plan.duration()]))
    }

    /// How many functions it is of.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it is of none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// What a turn of it asks for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn requests(&self, turn: Turn) -> Result<Vec<Request>, NotDetached> {
        let requests = self.members.iter().map(|member| member.request(turn));
        requests.map(|request| Ok(Request { rollout: Some(self.rollout_id), ..request? })).collect()
    }
}

/// The schedule that has these rollouts continue, which are one: the same for each of them. One that is not enabled waits for the clock.
pub(crate) fn schedule<'a>(
    (controller, enabled): (&str, bool),
    now: Time,
    members: impl Iterator<Item = (&'a Request, &'a Plan)> + Clone,
) -> Result<ScheduleSpec, CloudError> {
    let invalid =
        |message: String| CloudError { failure: Failure::Invalid, operation: Call::CreateSchedule.name(), message, code: None };
    let at = Arn::parse(controller).ok_or_else(|| invalid(format!("`{controller}` is not the ARN of a function")))?;
    let role = format!("role/{}", scheduler_role(function_name(at), at.region));
    let role = Arn { service: "iam", region: "", resource: &role, ..at }.to_string();
    let (_, plan) = members.clone().next().ok_or_else(|| invalid("there is nothing to schedule".to_owned()))?;
    let schedule = plan.id.to_string();
    let event = Detached::new(schedule.clone(), plan.id, members);
    let input = serde_json::to_string(&event).map_err(|error| invalid(error.to_string()))?;
    let starts = Time::from_secs(now.as_secs());
    let ends = Time::from_secs((now + plan.duration() * 2 + OUTLASTS).as_secs());
    Ok(ScheduleSpec {
        name: schedule.clone(),
        starts,
        ends,
        function: controller.to_owned(),
        role,
        input,
        enabled,
        token: schedule,
    })
}

/// The role as which the schedules of this controller's function invoke it: one in each Region, for roles are of the account.
pub fn scheduler_role(controller: &str, region: &str) -> String {
    format!("{controller}-scheduler-{region}")
}

/// How long a schedule outlasts twice the plan: pauses, holds and hooks take their time, and the last turn deletes it long before.
const OUTLASTS: Duration = Duration::from_hours(7 * 24);

impl Member {
    fn new(request: &Request, plan: &Plan) -> Self {
        let whole = |hook: &Option<HookTarget>| hook.as_ref().map(HookTarget::whole);
        Self {
            function: request.subject.function.reference(),
            alias: request.subject.alias.clone(),
            plan: plan.clone(),
            managed_alarms: request.managed.clone(),
            pre_hook: whole(&request.pre_hook),
            step_hook: whole(&request.step_hook),
            post_hook: whole(&request.post_hook),
            checks: request.checks.iter().map(HookTarget::whole).collect(),
            keep_previous: request.keep_previous.clone(),
            notify: request.notify.iter().map(Told::new).collect(),
            probe_event: request.probe_event.as_ref().map(|event| BASE64_STANDARD.encode(event)),
        }
    }

    fn request(&self, turn: Turn) -> Result<Request, NotDetached> {
        let hook = |text: &String| text.parse::<HookTarget>().map_err(|_| NotDetached::Unreadable("hook"));
        let named = |text: &Option<String>| text.as_ref().map(hook).transpose();
        let decoded = self.probe_event.as_ref().map(|event| BASE64_STANDARD.decode(event)).transpose();
        let Plan { source, schedule, bake, alarms, signals, policy, group, gates, .. } = self.plan.clone();
        let subject = Subject::parse(&self.function, Some(&self.alias))?;
        Ok(Request {
            source: Some(source),
            alarms,
            managed: self.managed_alarms.clone(),
            signals,
            policy: rollout::policy::Policy { bake: Some(bake), ..policy },
            probe_event: decoded.map_err(|_| NotDetached::Unreadable("test event"))?,
            pre_hook: named(&self.pre_hook)?,
            step_hook: named(&self.step_hook)?,
            post_hook: named(&self.post_hook)?,
            checks: self.checks.iter().map(hook).collect::<Result<_, _>>()?,
            turn: Some(turn),
            group,
            gates,
            keep_previous: self.keep_previous.clone(),
            notify: self.notify.iter().map(Told::read).collect::<Result<_, _>>()?,
            ..Request::new(subject, schedule)
        })
    }
}

impl Told {
    fn new(Notification { recipient, kinds, trigger }: &Notification) -> Self {
        Self { recipient: recipient.whole(), kinds: kinds.clone(), trigger: trigger.clone() }
    }

    fn read(&self) -> Result<Notification, NotDetached> {
        let recipient = self.recipient.parse().map_err(|_| NotDetached::Unreadable("recipient of notifications"))?;
        Ok(Notification { recipient, kinds: self.kinds.clone(), trigger: self.trigger.clone() })
    }
}
