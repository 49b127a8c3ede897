//! What does `EventBridge` Scheduler answer, and when does which schedule invoke its function? Schedules in groups, and what they come to.
//!
//! It has no clock and makes no call: the world brings the time, and makes the invocations. Which errors an operation has is in the service's model;
//! sentences that were not recorded are a guess. Targets other than Lambda's functions are unknown here, and so are cron expressions.

mod expression;
mod refusal;
mod schedule;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

pub(crate) use self::schedule::Delivery;
use self::schedule::Schedule;
use crate::response::{put, response};
use crate::settings::Settings;
use crate::time::Time;
use crate::value::{Fault, present};

/// The schedules of an account, in their groups.
#[derive(Debug)]
pub(crate) struct Scheduler {
    account: String,
    region: String,
    groups: BTreeMap<String, Group>,
    schedules: BTreeMap<Key, Schedule>,
    agenda: BTreeMap<(Time, u64), Due>,
    sequence: u64,
    /// How late an invocation comes.
    delay: RangeInclusive<Duration>,
    /// Which part of the invocations comes twice.
    doubles: f64,
    /// How long a group is being deleted.
    settle: Duration,
    rng: fastrand::Rng,
    /// Whether something was planned since this was last asked.
    news: bool,
}

/// Group and name.
pub(crate) type Key = (String, String);

#[derive(Debug)]
struct Group {
    created: Time,
    deleting: bool,
}

#[derive(Debug)]
enum Due {
    /// A schedule of this edition occurs.
    Occurrence(Key, u64),
    Delivery(Delivery),
    /// A schedule of this edition has invoked for the last time.
    Completion(Key, u64),
    /// A group that was deleted is gone.
    Group(String),
}

impl Scheduler {
    pub(crate) fn new(settings: &Settings, rng: fastrand::Rng) -> Self {
        // There in every account; that it shows no times is as recorded elsewhere.
        let default = Group { created: Time::default(), deleting: false };
        Self {
            account: settings.account.clone(),
            region: settings.region.clone(),
            groups: BTreeMap::from([(DEFAULT.to_owned(), default)]),
            schedules: BTreeMap::new(),
            agenda: BTreeMap::new(),
            sequence: 0,
            delay: settings.schedule_delay.clone(),
            doubles: settings.schedule_doubles,
            settle: settings.settle,
            rng,
            news: false,
        }
    }

    /// Makes a group, unless it is there.
    pub(crate) fn furnish_group(&mut self, now: Time, name: &str) {
        self.groups.entry(name.to_owned()).or_insert(Group { created: now, deleting: false });
    }

    pub(crate) fn has_group(&self, name: &str) -> bool {
        self.groups.contains_key(name)
    }

    /// Deletes a group with its schedules, at once.
    pub(crate) fn drop_group(&mut self, name: &str) {
        self.groups.remove(name);
        self.schedules.retain(|(group, _), _| group != name);
    }

    /// Group and name of every schedule.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Key> {
        self.schedules.keys()
    }

    /// When something happens next without a call.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// Whether something was planned since this was last asked.
    pub(crate) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    /// Lets what is due first happen; gives the invocation that it comes to, if it is one.
    pub(crate) fn happen(&mut self) -> Option<Delivery> {
        let ((at, _), due) = self.agenda.pop_first()?;
        match due {
            Due::Delivery(delivery) => return Some(delivery),
            Due::Occurrence(key, edition) => self.occur(&key, edition, at),
            Due::Completion(key, edition) => {
                if self.schedules.get(&key).is_some_and(|schedule| schedule.edition == edition) {
                    self.schedules.remove(&key);
                }
            }
            Due::Group(name) => {
                self.schedules.retain(|(group, _), _| *group != name);
                self.groups.remove(&name);
            }
        }
        None
    }

    fn occur(&mut self, key: &Key, edition: u64, at: Time) {
        let Some(schedule) = self.schedules.get(key).filter(|schedule| schedule.edition == edition).cloned() else { return };
        let mut last = at;
        let times = 1 + u32::from(self.rng.f64() < self.doubles);
        for _ in 0..times {
            let late = self.draw(self.delay.clone()) + self.draw(Duration::ZERO..=schedule.window);
            let id = format!("{:016x}", self.rng.u64(..));
            let comes = schedule.before_end(Some(at + late)).filter(|_| schedule.enabled);
            if let Some(comes) = comes {
                let delivery = schedule.delivery(at, comes, &id, &self.account, &self.region);
                self.plan(comes, Due::Delivery(delivery));
                last = last.max(comes);
            }
        }
        match schedule.next(at) {
            Some(next) => self.plan(next, Due::Occurrence(key.clone(), edition)),
            None if schedule.goes => self.plan(last, Due::Completion(key.clone(), edition)),
            None => {}
        }
    }

    /// Plans an invocation that was not accepted once more, if it may be made again.
    pub(crate) fn retry(&mut self, now: Time, delivery: Delivery) {
        if let Some((at, delivery)) = delivery.again(now) {
            self.plan(at, Due::Delivery(delivery));
        }
    }

    fn draw(&mut self, span: RangeInclusive<Duration>) -> Duration {
        let millis = |span: &Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let (low, high) = (millis(span.start()), millis(span.end()));
        Duration::from_millis(self.rng.u64(low..=high.max(low)))
    }

    fn plan(&mut self, at: Time, due: Due) {
        self.sequence += 1;
        self.news = true;
        self.agenda.insert((at, self.sequence), due);
    }

    /// The operation that a request asks for; `None` if it is not for this service.
    pub(crate) fn operation(request: &Request<Bytes>) -> Option<&'static str> {
        let (kind, name) = parts(request.uri().path())?;
        let method = request.method();
        Some(match (kind, name.is_some()) {
            ("schedules", true) if method == Method::POST => "CreateSchedule",
            ("schedules", true) if method == Method::PUT => "UpdateSchedule",
            ("schedules", true) if method == Method::GET => "GetSchedule",
            ("schedules", true) if method == Method::DELETE => "DeleteSchedule",
            ("schedules", false) if method == Method::GET => "ListSchedules",
            ("schedule-groups", true) if method == Method::POST => "CreateScheduleGroup",
            ("schedule-groups", true) if method == Method::GET => "GetScheduleGroup",
            ("schedule-groups", true) if method == Method::DELETE => "DeleteScheduleGroup",
            ("schedule-groups", false) if method == Method::GET => "ListScheduleGroups",
            _ => "Unknown",
        })
    }

    /// What a request names: `schedule/GROUP/NAME`, `schedule-group/NAME`, or nothing.
    pub(crate) fn resource(request: &Request<Bytes>) -> String {
        let asked = Asked::read(request);
        match (asked.kind, &asked.name) {
            ("schedules", Some(name)) => format!("schedule/{}/{name}", asked.group()),
            (_, Some(name)) => format!("schedule-group/{name}"),
            (_, None) => String::new(),
        }
    }

    /// The ARN of what a request names; `*` for nothing.
    pub(crate) fn arn(&self, resource: &str) -> String {
        if resource.is_empty() {
            "*".to_owned()
        } else {
            format!("arn:aws:scheduler:{}:{}:{resource}", self.region, self.account)
        }
    }

    /// What comes back, and the code of the error if it is one.
    pub(crate) fn answer(&mut self, now: Time, request: &Request<Bytes>, id: &str) -> (Response<Bytes>, Option<String>) {
        let operation = Self::operation(request).unwrap_or_default();
        match self.perform(now, operation, &Asked::read(request)) {
            Ok(value) => (response(200, "application/json", present(value).to_string(), id), None),
            Err(fault) => (refused(&fault, id), Some(fault.code.into_owned())),
        }
    }

    /// A refusal before the service handles the request.
    pub(crate) fn refuse(fault: &Fault, id: &str) -> Response<Bytes> {
        let (status, code) = match fault.code.as_ref() {
            "Throttling" => (429, "ThrottlingException"),
            "ServiceUnavailable" => (503, "ServiceUnavailableException"),
            "ConcurrentModificationException" => (409, "ConflictException"),
            "AccessDenied" => (403, "AccessDeniedException"),
            "ExpiredToken" => (403, "ExpiredTokenException"),
            _ => (fault.status, "InternalServerException"),
        };
        refused(&Fault { status, code: code.into(), message: fault.message.clone() }, id)
    }

    fn perform(&mut self, now: Time, operation: &str, asked: &Asked) -> Result<Value, Fault> {
        let name = asked.name.as_deref().unwrap_or_default();
        if !name.is_empty() {
            refusal::name(name, "name")?;
        }
        refusal::token(&asked.body)?;
        match operation {
            "CreateSchedule" => self.create(now, name, asked),
            "UpdateSchedule" => self.update(now, name, asked),
            "GetSchedule" => Ok(self.schedules.get(&self.key(name, asked)?).ok_or_else(|| no_schedule(name))?.show()),
            "DeleteSchedule" => {
                let key = self.key(name, asked)?;
                self.schedules.remove(&key).map(|_| json!({})).ok_or_else(|| no_schedule(name))
            }
            "ListSchedules" => self.list(asked),
            "CreateScheduleGroup" => self.create_group(now, name),
            "GetScheduleGroup" => {
                let group = self.groups.get(name).ok_or_else(|| no_group(name))?;
                Ok(self.show_group(name, group))
            }
            "DeleteScheduleGroup" => self.delete_group(now, name),
            "ListScheduleGroups" => {
                let shown = self.groups.iter().map(|(name, group)| self.show_group(name, group)).collect();
                asked.page("ScheduleGroups", shown)
            }
            other => Err(Fault::unknown_operation(other)),
        }
    }

    /// The schedule that is meant, in a group that is there.
    fn key(&self, name: &str, asked: &Asked) -> Result<Key, Fault> {
        let group = asked.group();
        refusal::name(group, "groupName")?;
        if self.groups.contains_key(group) { Ok((group.to_owned(), name.to_owned())) } else { Err(no_group(group)) }
    }

    fn create(&mut self, now: Time, name: &str, asked: &Asked) -> Result<Value, Fault> {
        let arn = self.arn(&format!("schedule/{}/{name}", asked.group()));
        let schedule = Schedule::read(arn.clone(), (asked.group(), name), &asked.body, now)?;
        let key = self.key(name, asked)?;
        if let Some(known) = self.schedules.get(&key) {
            // The same request once more. For how long a token is remembered is a guess: as long as its schedule is there.
            let same = known.token.is_some() && known.token == schedule.token && known.asked == schedule.asked;
            return if same { Ok(json!({"ScheduleArn": arn})) } else { Err(conflict(name)) };
        }
        if self.groups.get(&key.0).is_some_and(|group| group.deleting) {
            return Err(refusal::conflict(format!("Schedule group {} is being deleted.", key.0)));
        }
        if self.schedules.len() >= MOST_SCHEDULES {
            return Err(refusal::too_many("You have exceeded the number of schedules for this account."));
        }
        self.keep(now, key, schedule);
        Ok(json!({"ScheduleArn": arn}))
    }

    fn update(&mut self, now: Time, name: &str, asked: &Asked) -> Result<Value, Fault> {
        let key = self.key(name, asked)?;
        let known = self.schedules.get(&key).ok_or_else(|| no_schedule(name))?;
        let (arn, created, token) = (known.arn.clone(), known.created, known.token.clone());
        // What is left out is as if it had never been said.
        let schedule = Schedule::read(arn.clone(), (asked.group(), name), &asked.body, now)?;
        self.keep(now, key, Schedule { created, token, ..schedule });
        Ok(json!({"ScheduleArn": arn}))
    }

    fn keep(&mut self, now: Time, key: Key, schedule: Schedule) {
        let edition = self.sequence + 1;
        match schedule.first(now) {
            Some(first) => self.plan(first, Due::Occurrence(key.clone(), edition)),
            None if schedule.goes => self.plan(now, Due::Completion(key.clone(), edition)),
            None => self.sequence += 1,
        }
        self.schedules.insert(key, Schedule { edition, ..schedule });
    }

    fn list(&self, asked: &Asked) -> Result<Value, Fault> {
        let (group, prefix, state) = (asked.query("ScheduleGroup"), asked.query("NamePrefix"), asked.query("State"));
        if let Some(group) = group
            && !self.groups.contains_key(group)
        {
            return Err(no_group(group));
        }
        let wanted = self.schedules.values().filter(|schedule| {
            group.is_none_or(|group| schedule.group == group)
                && prefix.is_none_or(|prefix| schedule.name.starts_with(prefix))
                && state.is_none_or(|state| schedule.state() == state)
        });
        asked.page("Schedules", wanted.map(Schedule::summary).collect())
    }

    fn create_group(&mut self, now: Time, name: &str) -> Result<Value, Fault> {
        if self.groups.contains_key(name) {
            return Err(refusal::conflict(format!("Schedule group {name} already exists.")));
        }
        if self.groups.len() >= MOST_GROUPS {
            return Err(refusal::too_many("You have exceeded the number of schedule groups for this account."));
        }
        self.groups.insert(name.to_owned(), Group { created: now, deleting: false });
        Ok(json!({"ScheduleGroupArn": self.arn(&format!("schedule-group/{name}"))}))
    }

    fn delete_group(&mut self, now: Time, name: &str) -> Result<Value, Fault> {
        if name == DEFAULT {
            return Err(refusal::invalid("The default schedule group cannot be deleted."));
        }
        let group = self.groups.get_mut(name).ok_or_else(|| no_group(name))?;
        // Its schedules may go on invoking until it is gone.
        if !std::mem::replace(&mut group.deleting, true) {
            self.plan(now + self.settle, Due::Group(name.to_owned()));
        }
        Ok(json!({}))
    }

    fn show_group(&self, name: &str, group: &Group) -> Value {
        let at = (name != DEFAULT).then_some(group.created);
        json!({
            "Arn": self.arn(&format!("schedule-group/{name}")), "Name": name, "CreationDate": at, "LastModificationDate": at,
            "State": if group.deleting { "DELETING" } else { "ACTIVE" },
        })
    }
}

/// What a request says: its path, its query and its body.
struct Asked {
    kind: &'static str,
    name: Option<String>,
    query: Vec<(String, String)>,
    body: Value,
}

impl Asked {
    fn read(request: &Request<Bytes>) -> Self {
        let (kind, name) = parts(request.uri().path()).unwrap_or(("", None));
        let query = request.uri().query().unwrap_or_default();
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { kind, name, query, body: serde_json::from_slice(request.body()).unwrap_or_default() }
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn group(&self) -> &str {
        self.body["GroupName"].as_str().or_else(|| self.query("groupName")).unwrap_or(DEFAULT)
    }

    /// The part of a list that is asked for.
    fn page(&self, member: &str, all: Vec<Value>) -> Result<Value, Fault> {
        let number = |name: &str| self.query(name).map(str::parse::<usize>).transpose();
        let invalid = |_| refusal::invalid("Invalid NextToken or MaxResults.");
        let start = number("NextToken").map_err(invalid)?.unwrap_or(0);
        let size = number("MaxResults").map_err(invalid)?.unwrap_or(100).clamp(1, 100);
        let next = (start + size < all.len()).then(|| (start + size).to_string());
        Ok(json!({ member: all.into_iter().skip(start).take(size).collect::<Value>(), "NextToken": next }))
    }
}

/// `schedules` or `schedule-groups`, and the name behind it.
fn parts(path: &str) -> Option<(&'static str, Option<String>)> {
    let mut parts = path.strip_prefix('/')?.split('/');
    let kind = match parts.next()? {
        "schedules" => "schedules",
        "schedule-groups" => "schedule-groups",
        _ => return None,
    };
    let name = parts.next().filter(|name| !name.is_empty());
    Some((kind, name.map(|name| percent_decode_str(name).decode_utf8_lossy().into_owned())))
}

fn conflict(name: &str) -> Fault {
    refusal::conflict(format!("Schedule {name} already exists."))
}

fn no_schedule(name: &str) -> Fault {
    refusal::missing(format!("Schedule {name} does not exist."))
}

fn no_group(name: &str) -> Fault {
    refusal::missing(format!("Schedule group {name} does not exist."))
}

fn refused(fault: &Fault, id: &str) -> Response<Bytes> {
    let mut response = response(fault.status, "application/json", json!({"Message": fault.message}).to_string(), id);
    put(&mut response, "x-amzn-errortype", &fault.code);
    response
}

const DEFAULT: &str = "default";
/// The quotas of an account in a Region, where nobody has asked for others.
const MOST_SCHEDULES: usize = 1_000_000;
const MOST_GROUPS: usize = 500;
