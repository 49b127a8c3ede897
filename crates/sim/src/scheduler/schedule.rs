//! What is one schedule, and what does it give its function? Its request's members, checked, and the invocations it comes to.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::expression::Expression;
use super::refusal::{checked, constraint, invalid, named, number, one_of, text};
use crate::calendar;
use crate::time::Time;
use crate::value::{Fault, from_seconds};

/// One schedule.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) arn: String,
    pub(super) group: String,
    pub(super) name: String,
    pub(super) created: Time,
    pub(super) modified: Time,
    pub(super) token: Option<String>,
    /// What was asked for, without the token.
    pub(super) asked: Value,
    pub(super) expression: Expression,
    pub(super) start: Option<Time>,
    pub(super) end: Option<Time>,
    /// Whether it is deleted once it is complete.
    pub(super) goes: bool,
    pub(super) enabled: bool,
    /// How long after its time an invocation may come, because its window is flexible.
    pub(super) window: Duration,
    /// Whose occurrences are planned: those of an earlier content, or of an earlier schedule of this name, do not count.
    pub(super) edition: u64,
}

/// An invocation that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    target: String,
    input: Bytes,
    since: Time,
    attempt: u64,
    attempts: u64,
    age: Duration,
}

impl Schedule {
    /// Reads a schedule from the body of its creation or update.
    pub(super) fn read(arn: String, (group, name): (&str, &str), body: &Value, now: Time) -> Result<Self, Fault> {
        let mut asked = body.clone();
        let token = asked.as_object_mut().and_then(|members| members.remove("ClientToken"));
        let token = token.and_then(|token| token.as_str().map(str::to_owned));
        let said = checked(text(body, "ScheduleExpression")?, "scheduleExpression", 256)?;
        let refused = || invalid(format!("Invalid Schedule Expression {said}."));
        let expression = Expression::parse(said).ok_or_else(refused)?;
        let zone = body["ScheduleExpressionTimezone"].as_str().unwrap_or("UTC");
        if zone != "UTC" && matches!(expression, Expression::At(_)) {
            return Err(invalid(format!("This simulation knows no time zone but UTC: {zone}")));
        }
        let window = match one_of(&body["FlexibleTimeWindow"]["Mode"], "flexibleTimeWindow.mode", &["OFF", "FLEXIBLE"], None)? {
            "OFF" => 0,
            _ => {
                number(&body["FlexibleTimeWindow"]["MaximumWindowInMinutes"], "maximumWindowInMinutes", (1, 1_440))?.unwrap_or(1)
            }
        };
        let date = |member: &str| body[member].as_f64().map(from_seconds);
        let (start, end) = (date("StartDate"), date("EndDate"));
        // Recorded of one with a cron expression; that it is so for every recurring one is a guess.
        if start.is_some_and(|start| start < now - Duration::from_mins(5)) {
            return Err(invalid("The StartDate you specify cannot be earlier than 5 minutes ago."));
        }
        // The sentences are guesses.
        if end.is_some_and(|end| end <= now) {
            return Err(invalid("The EndDate you specify must be in the future."));
        }
        if let (Some(start), Some(end)) = (start, end)
            && end <= start
        {
            return Err(invalid("The StartDate you specify must be before the EndDate."));
        }
        if body["Description"].as_str().is_some_and(|said| said.chars().count() > 512) {
            return Err(constraint("description", "null", "Member must have length less than or equal to 512"));
        }
        let goes =
            one_of(&body["ActionAfterCompletion"], "actionAfterCompletion", &["NONE", "DELETE"], Some("NONE"))? == "DELETE";
        let enabled = one_of(&body["State"], "state", &["ENABLED", "DISABLED"], Some("ENABLED"))? == "ENABLED";
        check_target(&body["Target"])?;
        Ok(Self {
            arn,
            group: group.to_owned(),
            name: name.to_owned(),
            created: now,
            modified: now,
            token,
            asked,
            expression,
            start,
            end,
            goes,
            enabled,
            window: Duration::from_secs(60 * window),
            edition: 0,
        })
    }

    /// Everything that there is to say.
    pub(super) fn show(&self) -> Value {
        let Self { asked, .. } = self;
        let mut target = asked["Target"].clone();
        let policy = &asked["Target"]["RetryPolicy"];
        target["RetryPolicy"] = json!({
            "MaximumEventAgeInSeconds": policy["MaximumEventAgeInSeconds"].as_u64().unwrap_or(MOST_AGE),
            "MaximumRetryAttempts": policy["MaximumRetryAttempts"].as_u64().unwrap_or(MOST_RETRIES),
        });
        json!({
            "Arn": self.arn, "GroupName": self.group, "Name": self.name,
            "ScheduleExpression": asked["ScheduleExpression"],
            "ScheduleExpressionTimezone": asked["ScheduleExpressionTimezone"].as_str().unwrap_or("UTC"),
            "StartDate": self.start, "EndDate": self.end, "Description": asked["Description"],
            "State": self.state(), "KmsKeyArn": asked["KmsKeyArn"], "Target": target,
            "FlexibleTimeWindow": asked["FlexibleTimeWindow"],
            "ActionAfterCompletion": if self.goes { "DELETE" } else { "NONE" },
            "CreationDate": self.created, "LastModificationDate": self.modified,
        })
    }

    /// As a list has it.
    pub(super) fn summary(&self) -> Value {
        json!({
            "Arn": self.arn, "GroupName": self.group, "Name": self.name, "State": self.state(),
            "CreationDate": self.created, "LastModificationDate": self.modified, "Target": {"Arn": self.asked["Target"]["Arn"]},
        })
    }

    pub(super) const fn state(&self) -> &'static str {
        if self.enabled { "ENABLED" } else { "DISABLED" }
    }

    /// The first occurrence from `now` on, if there is one before its end.
    pub(super) fn first(&self, now: Time) -> Option<Time> {
        let start = self.start.unwrap_or(self.created);
        self.before_end(self.expression.first(start, now))
    }

    /// The occurrence after this one, if there is one before its end.
    pub(super) fn next(&self, at: Time) -> Option<Time> {
        self.before_end(self.expression.next(at))
    }

    /// A time, unless the schedule has ended by then. The end of one that occurs once is ignored.
    pub(super) fn before_end(&self, at: Option<Time>) -> Option<Time> {
        let once = matches!(self.expression, Expression::At(_));
        at.filter(|at| once || self.end.is_none_or(|end| *at < end))
    }

    /// The invocation of an occurrence, which is first made at `at`.
    pub(super) fn delivery(&self, scheduled: Time, at: Time, id: &str, account: &str, region: &str) -> Delivery {
        let target = &self.asked["Target"];
        let notice = || {
            json!({
                "version": "0", "id": id, "detail-type": "Scheduled Event", "source": "aws.scheduler", "account": account,
                "time": calendar::iso(scheduled).replace(".000Z", "Z"), "region": region, "resources": [self.arn], "detail": "{}",
            })
            .to_string()
        };
        let input = target["Input"].as_str().map_or_else(notice, str::to_owned);
        let input = input
            .replace("<aws.scheduler.schedule-arn>", &self.arn)
            .replace("<aws.scheduler.scheduled-time>", &calendar::iso(scheduled).replace(".000Z", "Z"))
            .replace("<aws.scheduler.execution-id>", id);
        let policy = &target["RetryPolicy"];
        Delivery {
            target: target["Arn"].as_str().unwrap_or_default().to_owned(),
            input: input.into(),
            since: at,
            attempt: 1,
            attempts: 1 + policy["MaximumRetryAttempts"].as_u64().unwrap_or(MOST_RETRIES),
            age: Duration::from_secs(policy["MaximumEventAgeInSeconds"].as_u64().unwrap_or(MOST_AGE)),
        }
    }
}

impl Delivery {
    /// The call that makes it: Lambda is asked to invoke, and does so by itself.
    pub(crate) fn request(&self) -> Option<Request<Bytes>> {
        let attempt = self.attempt.to_string();
        let body: Bytes = match std::str::from_utf8(&self.input) {
            Ok(input) if input.contains(ATTEMPT) => input.replace(ATTEMPT, &attempt).into(),
            _ => self.input.clone(),
        };
        let path = format!("/2015-03-31/functions/{}/invocations", self.target);
        Request::post(path).header("x-amz-invocation-type", "Event").body(body).ok()
    }

    /// The same again, and when; `None` where its attempts are used up, or its time. That the wait doubles, and from what on, is a guess: the
    /// documentation says that it grows exponentially.
    pub(super) fn again(self, now: Time) -> Option<(Time, Self)> {
        let wait = Duration::from_secs(1u64.checked_shl(u32::try_from(self.attempt).ok()?).unwrap_or(u64::MAX).min(3_600));
        let at = now + wait;
        let attempt = self.attempt + 1;
        (attempt <= self.attempts && at.since(self.since) <= self.age).then_some((at, Self { attempt, ..self }))
    }
}

fn check_target(target: &Value) -> Result<(), Fault> {
    let arn = named(target, "Arn", "target.arn")?;
    let role = named(target, "RoleArn", "target.roleArn")?;
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, "lambda", _, _, function] if function.starts_with("function:") => {}
        ["arn", _, "lambda" | "scheduler", ..] | ["arn", ..] if parts.len() == 6 => {
            return Err(invalid(format!("This simulation has no targets but functions of Lambda: {arn}")));
        }
        _ => return Err(invalid("Provided Arn is not in correct format.")),
    }
    let is_role = role.starts_with("arn:") && role.contains(":iam::") && role.contains(":role/");
    if !is_role {
        let pattern = "Member must satisfy regular expression pattern: ^arn:aws(-[a-z]+)?:iam::\\d{12}:role\\/[\\w+=,.@\\/-]+$";
        return Err(constraint("target.roleArn", role, pattern));
    }
    let input = target["Input"].as_str().unwrap_or("{}");
    // That it must be JSON is documented; the sentence is a guess, and so is that the length is counted in bytes.
    if serde_json::from_str::<serde::de::IgnoredAny>(input).is_err() {
        return Err(invalid("The Input of a target must be well-formed JSON."));
    }
    if input.len() > MOST_INPUT {
        return Err(invalid(format!("The Input of a target may have {MOST_INPUT} bytes.")));
    }
    let policy = &target["RetryPolicy"];
    number(&policy["MaximumEventAgeInSeconds"], "target.retryPolicy.maximumEventAgeInSeconds", (60, MOST_AGE))?;
    number(&policy["MaximumRetryAttempts"], "target.retryPolicy.maximumRetryAttempts", (0, MOST_RETRIES)).map(drop)
}

const MOST_AGE: u64 = 86_400;
const MOST_RETRIES: u64 = 185;
const MOST_INPUT: usize = 262_144;
const ATTEMPT: &str = "<aws.scheduler.attempt-number>";
