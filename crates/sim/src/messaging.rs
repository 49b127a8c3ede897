//! What do SNS, `EventBridge` and STS answer? Topics and buses that keep what they are sent, and who is asking.
//!
//! Operations, members, limits and codes of errors are in the services' models and documentation; the sentences of errors are a guess.
//! Nothing is delivered to anybody: tests look at what came.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use crate::query::{self, Dialect};
use crate::response::response;
use crate::time::Time;
use crate::value::Fault;

/// Something that was published to a topic, or put on a bus.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// When.
    pub at: Time,
    /// The topic's ARN, or the name of the bus.
    pub to: String,
    /// A message's subject, where it has one; an event's detail type.
    pub subject: Option<String>,
    /// A message's text; an event's detail.
    pub body: String,
    /// An event's source.
    pub source: Option<String>,
}

/// The topics and buses of an account.
#[derive(Debug)]
pub(crate) struct Messaging {
    account: String,
    region: String,
    topics: BTreeSet<String>,
    buses: BTreeSet<String>,
    sent: Vec<Sent>,
}

impl Messaging {
    pub(crate) fn new(account: &str, region: &str) -> Self {
        let buses = ["default".to_owned()].into();
        Self { account: account.to_owned(), region: region.to_owned(), topics: BTreeSet::new(), buses, sent: Vec::new() }
    }

    /// Makes a topic, or finds it; gives its ARN.
    pub(crate) fn create_topic(&mut self, name: &str) -> String {
        let arn = format!("arn:aws:sns:{}:{}:{name}", self.region, self.account);
        self.topics.insert(arn.clone());
        arn
    }

    pub(crate) fn create_bus(&mut self, name: &str) {
        self.buses.insert(name.to_owned());
    }

    pub(crate) fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// The operation that a request asks for; `None` if it is for none of the three.
    pub(crate) fn operation(request: &Request<Bytes>) -> Option<String> {
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        if let Some(target) = target {
            return target.strip_prefix(EVENTS_PREFIX).map(str::to_owned);
        }
        query::recognise(&SNS, request).or_else(|| query::recognise(&STS, request))
    }

    /// The permission that an operation needs.
    pub(crate) fn action(operation: &str) -> String {
        let service = match operation {
            "PutEvents" => "events",
            "GetCallerIdentity" => "sts",
            _ => "sns",
        };
        format!("{service}:{operation}")
    }

    /// The topic or the bus that a request names.
    pub(crate) fn resource(&self, request: &Request<Bytes>) -> String {
        let body = read(request).unwrap_or_default();
        let named = ["TopicArn", "TargetArn"].into_iter().find_map(|member| body[member].as_str());
        if let Some(topic) = named {
            return topic.to_owned();
        }
        let bus = body["Entries"][0]["EventBusName"].as_str().unwrap_or("default");
        let is_event = body["Entries"].is_array();
        if is_event { format!("arn:aws:events:{}:{}:event-bus/{bus}", self.region, self.account) } else { String::new() }
    }

    /// What comes back, and the code of the error if it is one.
    pub(crate) fn answer(
        &mut self,
        now: Time,
        caller: &str,
        request: &Request<Bytes>,
        id: &str,
    ) -> (Response<Bytes>, Option<String>) {
        let operation = Self::operation(request).unwrap_or_default();
        let answered = read(request).and_then(|body| self.perform(now, (&operation, caller), &body, id));
        match (answered, dialect(request)) {
            (Ok(value), Some(dialect)) => {
                let text = query::answer(dialect, &operation, Some(&value), id);
                (response(200, "text/xml", text, id), None)
            }
            (Ok(value), None) => (response(200, JSON, value.to_string(), id), None),
            (Err(fault), _) => (Self::refuse(request, &fault, id), Some(fault.code.into_owned())),
        }
    }

    /// A refusal, in the protocol of the request.
    pub(crate) fn refuse(request: &Request<Bytes>, fault: &Fault, id: &str) -> Response<Bytes> {
        if let Some(dialect) = dialect(request) {
            // SNS has words of its own for what every service says.
            let code = match fault.code.as_ref() {
                "AccessDenied" if dialect.version == SNS.version => "AuthorizationError",
                code => code,
            };
            let fault = Fault { code: code.to_owned().into(), ..fault.clone() };
            return response(fault.status, "text/xml", query::refusal(dialect, &fault, id), id);
        }
        let (status, code) = match fault.code.as_ref() {
            "Throttling" => (400, "ThrottlingException"),
            "AccessDenied" => (400, "AccessDeniedException"),
            "ExpiredToken" => (400, "ExpiredTokenException"),
            "InternalServiceFault" => (fault.status, "InternalException"),
            code => (fault.status, code),
        };
        response(status, JSON, json!({"__type": code, "message": fault.message}).to_string(), id)
    }

    fn perform(&mut self, now: Time, (operation, caller): (&str, &str), body: &Value, id: &str) -> Result<Value, Fault> {
        match operation {
            "CreateTopic" => Ok(json!({"TopicArn": self.create_topic(text(body, "Name")?)})),
            "Publish" => self.publish(now, body, id),
            "PutEvents" => self.put_events(now, body, id),
            "GetCallerIdentity" => {
                let account = &self.account;
                // Whoever signed is a user of that name here, as in the texts of refusals.
                Ok(json!({"Arn": format!("arn:aws:iam::{account}:user/{caller}"), "UserId": caller, "Account": account}))
            }
            other => Err(client("InvalidAction", format!("The operation {other} is unknown to this simulation."))),
        }
    }

    fn publish(&mut self, now: Time, body: &Value, id: &str) -> Result<Value, Fault> {
        let invalid = |what: &str| client("InvalidParameter", format!("Invalid parameter: {what}"));
        let topic = body["TopicArn"].as_str().or_else(|| body["TargetArn"].as_str());
        let topic = topic.ok_or_else(|| invalid("TopicArn or TargetArn Reason: no value for required parameter"))?;
        if topic.split(':').count() != 6 || !topic.starts_with("arn:") {
            return Err(invalid("TopicArn"));
        }
        if !self.topics.contains(topic) {
            return Err(Fault { status: 404, ..client("NotFound", "Topic does not exist".to_owned()) });
        }
        let message = body["Message"].as_str().unwrap_or_default();
        if message.is_empty() {
            return Err(invalid("Empty message"));
        }
        let subject = body["Subject"].as_str();
        // Up to a hundred printable letters of ASCII, and not a space first.
        let sound = |text: &str| {
            (1..=100).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !text.starts_with(' ')
        };
        if subject.is_some_and(|subject| !sound(subject)) {
            return Err(invalid("Subject"));
        }
        if message.len() + subject.map_or(0, str::len) > LONGEST {
            return Err(invalid("Message too long"));
        }
        let sent =
            Sent { at: now, to: topic.to_owned(), subject: subject.map(str::to_owned), body: message.to_owned(), source: None };
        self.keep(sent);
        Ok(json!({"MessageId": id}))
    }

    fn put_events(&mut self, now: Time, body: &Value, id: &str) -> Result<Value, Fault> {
        let entries = body["Entries"].as_array().filter(|entries| (1..=10).contains(&entries.len()));
        let entries = entries.ok_or_else(|| {
            client(
                "ValidationException",
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length between 1 and 10"
                    .to_owned(),
            )
        })?;
        let answers: Vec<Value> =
            entries.iter().enumerate().map(|(index, entry)| self.put(now, entry, &format!("{id}-{index}"))).collect();
        let failed = answers.iter().filter(|answer| answer["ErrorCode"].is_string()).count();
        Ok(json!({"FailedEntryCount": failed, "Entries": answers}))
    }

    /// One event: what is wrong with it is in its own answer.
    fn put(&mut self, now: Time, entry: &Value, id: &str) -> Value {
        let wrong = |code: &str, message: &str| json!({"ErrorCode": code, "ErrorMessage": message});
        for member in ["Source", "DetailType", "Detail"] {
            if entry[member].as_str().is_none_or(str::is_empty) {
                let message = format!("Parameter {member} is not valid. Reason: {member} is a required argument.");
                return wrong("InvalidArgument", &message);
            }
        }
        let member = |name: &str| entry[name].as_str().unwrap_or_default();
        if member("Source").starts_with("aws.") {
            return wrong("NotAuthorizedForSourceException", "Not authorized for the source.");
        }
        if !serde_json::from_str::<Value>(member("Detail")).is_ok_and(|detail| detail.is_object()) {
            return wrong("MalformedDetail", "Detail is malformed.");
        }
        let bus = entry["EventBusName"].as_str().unwrap_or("default");
        let bus = bus.rsplit_once("event-bus/").map_or(bus, |(_, name)| name).to_owned();
        // A bus that does not exist takes what it is sent, and loses it.
        if self.buses.contains(&bus) {
            self.keep(Sent {
                at: now,
                to: bus,
                subject: Some(member("DetailType").to_owned()),
                body: member("Detail").to_owned(),
                source: Some(member("Source").to_owned()),
            });
        }
        json!({"EventId": id})
    }

    fn keep(&mut self, sent: Sent) {
        if self.sent.len() < MOST {
            self.sent.push(sent);
        }
    }
}

/// The members of a request, whichever protocol it came by.
fn read(request: &Request<Bytes>) -> Result<Value, Fault> {
    match query::form(request) {
        Some(form) => query::decode(form),
        None => serde_json::from_slice(request.body())
            .map_err(|_| client("SerializationException", "The request is not JSON.".to_owned())),
    }
}

fn dialect(request: &Request<Bytes>) -> Option<&'static Dialect> {
    [&SNS, &STS].into_iter().find(|dialect| query::recognise(dialect, request).is_some())
}

fn text<'v>(body: &'v Value, member: &str) -> Result<&'v str, Fault> {
    let missing = || client("InvalidParameter", format!("Invalid parameter: {member}"));
    body[member].as_str().filter(|text| !text.is_empty()).ok_or_else(missing)
}

fn client(code: &'static str, message: String) -> Fault {
    Fault { status: 400, code: code.into(), message }
}

const SNS: Dialect = Dialect { version: "2010-03-31", namespace: "http://sns.amazonaws.com/doc/2010-03-31/" };
const STS: Dialect = Dialect { version: "2011-06-15", namespace: "https://sts.amazonaws.com/doc/2011-06-15/" };
const EVENTS_PREFIX: &str = "AWSEvents.";
const JSON: &str = "application/x-amz-json-1.1";

/// The longest message, with everything that counts to it, in bytes.
const LONGEST: usize = 256 * 1024;

/// What is remembered at most.
const MOST: usize = 10_000;
