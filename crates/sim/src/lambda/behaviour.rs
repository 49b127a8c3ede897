//! What does a version do when it is invoked? Read from its environment variables; it routes and counts nothing.
//!
//! - `SIM_BODY`: what it answers. `SIM_HOOK` (`Succeeded`, `Failed`, `InProgress`, `Throw`) answers as a hook instead.
//! - `SIM_ERROR_RATE` (0 to 1): the part of the invocations that fail.
//! - `SIM_HTTP_ERROR_RATE` (0 to 1): the part of the others that answer with a 5xx status, which is no error for Lambda.
//! - `SIM_LATENCY_MS`: how long an invocation takes; `SIM_SLOW_SHARE` (0 to 1) of them take `SIM_SLOW_MS` instead.
//! - `SIM_LOG`: a line that each invocation writes into its log; `SIM_LOG_ON_ERROR`: a line, or several, of one that throws or answers
//!   5xx. In both `${status}`, `${requestId}`, `${version}` and `${number}` (some number of four digits) are replaced. One that times
//!   out writes neither.
//! - `SIM_EMF`: a namespace; each invocation counts itself there as `Requests` and `Failures` by `Version`, with a line in the embedded
//!   metric format.
//! - `SIM_HOOK_REPORT`: what its background job reports later (see `report`).
//! - `SIM_REFUSED` (`KMSAccessDenied`, `KMSDisabled`, `Throttled`): no invocation is run; of throttled ones alone there is a metric.
//! - `SIM_STATE` (`Pending`, `Failed`): what a version stays or becomes that is published of this.
//! - `SIM_UPDATE` (`InProgress`, `Failed`): what the last update of `$LATEST` stays or becomes.
//! - `SIM_TRAFFIC_RPS`: invocations per second of each alias, from `$LATEST`; `SIM_DIRECT_RPS`: those of the function itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::report::Report;
use crate::logs::{End, Output};

/// What one version answers, how often it fails and how long it takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Behaviour {
    payload: Bytes,
    error_rate: f64,
    /// The part of the invocations that answer 5xx.
    http_error_rate: f64,
    throws: bool,
    duration: Duration,
    /// Which part of the invocations is slow, and how slow.
    slow: (f64, Duration),
    timeout: Duration,
    /// What its invocations write.
    pub(crate) output: Arc<Output>,
    /// What its background job reports later.
    pub(crate) report: Option<Report>,
    /// Why no invocation of it is run.
    pub(crate) refused: Option<Refused>,
    /// What a published version stays or becomes, if not Active.
    pub(crate) state: Option<Fate>,
    /// What an update of `$LATEST` stays or becomes, if not Successful.
    pub(crate) update: Option<Fate>,
    /// Synthetic invocations per second of each alias.
    pub(crate) traffic: f64,
    /// Those of the function itself.
    pub(crate) direct: f64,
}

/// Why an invocation is refused before it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    KmsAccessDenied,
    KmsDisabled,
    Throttled,
}

/// How something ends that never succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It does not end.
    Stays,
    Fails,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) duration: Duration,
    pub(crate) end: End,
}

/// The random numbers of invocations.
#[derive(Debug)]
pub(crate) struct Luck {
    /// Shared with everything else that is random, such as routing.
    pub(crate) errors: fastrand::Rng,
    /// A generator of its own: a slow version more or less does not change whom the router picks.
    tails: fastrand::Rng,
    /// For the same reason: whose answers are 5xx.
    answers: fastrand::Rng,
}

impl Luck {
    pub(crate) fn new(rng: fastrand::Rng) -> Self {
        let mut others = rng.clone();
        let (tails, answers) = (others.fork(), others.fork());
        Self { errors: rng, tails, answers }
    }
}

impl Behaviour {
    pub(crate) fn read(environment: &BTreeMap<String, String>, timeout: Duration) -> Result<Self, Refusal> {
        let variable = |name: &str| environment.get(name).map(String::as_str);
        let number =
            |name: &'static str, default: f64, max: f64| match variable(name).map(str::trim).filter(|text| !text.is_empty()) {
                None => Ok(default),
                Some(text) => match text.parse::<f64>() {
                    Ok(number) if (0.0..=max).contains(&number) => Ok(number),
                    Ok(_) | Err(_) => Err(Refusal::invalid(format!("{name} must be a number from 0 to {max}, not {text}"))),
                },
            };
        let body = variable("SIM_BODY").unwrap_or("ok");
        let (payload, throws) = match variable("SIM_HOOK") {
            None | Some("") => (body_as_json(body), false),
            Some("Succeeded") => (json!({"status": "Succeeded"}).to_string(), false),
            Some("Failed") => (json!({"status": "Failed", "reason": "SIM_HOOK=Failed"}).to_string(), false),
            Some("InProgress") => (json!({"status": "InProgress"}).to_string(), false),
            Some("Throw") => (String::new(), true),
            Some(other) => {
                return Err(Refusal::invalid(format!("SIM_HOOK must be Succeeded, Failed, InProgress or Throw, not {other}")));
            }
        };
        let refused = choice(environment, "SIM_REFUSED", REFUSED)?;
        let error_rate = number("SIM_ERROR_RATE", 0.0, 1.0)?;
        let text = |name| variable(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let output = Output {
            memory: 128,
            timeout,
            reason: reason(throws, error_rate),
            line: text("SIM_LOG"),
            on_error: variable("SIM_LOG_ON_ERROR").into_iter().flat_map(str::lines).map(str::to_owned).collect(),
            embedded: text("SIM_EMF"),
            ..Output::default()
        };
        let millis = |name, default| Ok(Duration::from_secs_f64(number(name, default, 3_600_000.0)? / 1_000.0));
        Ok(Self {
            payload: payload.into(),
            error_rate,
            http_error_rate: number("SIM_HTTP_ERROR_RATE", 0.0, 1.0)?,
            output: Arc::new(output),
            throws,
            duration: millis("SIM_LATENCY_MS", 5.0)?,
            slow: (number("SIM_SLOW_SHARE", 0.0, 1.0)?, millis("SIM_SLOW_MS", 1_000.0)?),
            timeout,
            report: variable("SIM_HOOK_REPORT").filter(|text| !text.is_empty()).map(Report::read).transpose()?,
            refused,
            state: choice(environment, "SIM_STATE", [("Pending", Fate::Stays), ("Failed", Fate::Fails)])?,
            update: choice(environment, "SIM_UPDATE", [("InProgress", Fate::Stays), ("Failed", Fate::Fails)])?,
            traffic: number("SIM_TRAFFIC_RPS", 0.0, 10_000.0)?,
            direct: number("SIM_DIRECT_RPS", 0.0, 10_000.0)?,
        })
    }

    /// One invocation, while an incident makes this part of all invocations fail.
    pub(crate) fn run(&self, luck: &mut Luck, incident: f64) -> Run {
        // Drawn for every call, so that changing one version's rate does not change everyone else's luck.
        let fails = luck.errors.f64() < self.error_rate + (1.0 - self.error_rate) * incident;
        let apologises = luck.answers.f64() < self.http_error_rate;
        let (slow_share, slow) = self.slow;
        let duration = if luck.tails.f64() < slow_share { slow } else { self.duration };
        if duration > self.timeout {
            Run { duration: self.timeout, end: End::TimedOut }
        } else {
            let end = match (fails || self.throws, apologises) {
                (true, _) => End::Threw,
                (false, true) => End::AnsweredError,
                (false, false) => End::Answered,
            };
            Run { duration, end }
        }
    }

    pub(crate) fn payload(&self, end: End, request_id: &str) -> Bytes {
        let error = match end {
            End::Answered => return self.payload.clone(),
            End::AnsweredError => json!({"statusCode": 500, "body": "{\"message\":\"Internal Server Error\"}"}),
            End::TimedOut => json!({
                "errorType": "Sandbox.Timedout",
                "errorMessage": format!("RequestId: {request_id} Error: Task timed out after {:.2} seconds", self.timeout.as_secs_f64()),
            }),
            End::Threw => json!({
                "errorType": "Error",
                "errorMessage": self.output.reason,
                "trace": [format!("Error: {}", self.output.reason), "    at Runtime.handler (file:///var/task/index.mjs:3:9)"],
            }),
        };
        error.to_string().into()
    }
}

/// What an error says.
fn reason(throws: bool, error_rate: f64) -> String {
    match (throws, error_rate > 0.0) {
        (true, _) => "SIM_HOOK=Throw".to_owned(),
        (false, true) => format!("SIM_ERROR_RATE={error_rate}"),
        (false, false) => "an incident".to_owned(),
    }
}

/// What one of these words stands for, if the variable is set.
fn choice<T, const N: usize>(
    environment: &BTreeMap<String, String>,
    name: &str,
    words: [(&str, T); N],
) -> Result<Option<T>, Refusal> {
    let Some(given) = environment.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let known = words.each_ref().map(|(word, _)| *word).join(", ");
    let found = words.into_iter().find(|(word, _)| word == given).map(|(_, meant)| meant);
    found.map(Some).ok_or_else(|| Refusal::invalid(format!("{name} must be one of {known}, not {given}")))
}

const REFUSED: [(&str, Refused); 3] =
    [("KMSAccessDenied", Refused::KmsAccessDenied), ("KMSDisabled", Refused::KmsDisabled), ("Throttled", Refused::Throttled)];

fn body_as_json(body: &str) -> String {
    if serde_json::from_str::<Value>(body).is_ok() { body.to_owned() } else { Value::from(body).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{Invocation, Runner};
    use crate::time::Time;

    fn behaviour(variables: &[(&str, &str)]) -> Result<Behaviour, Refusal> {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Behaviour::read(&environment, Duration::from_secs(3))
    }

    fn luck() -> Luck {
        Luck::new(fastrand::Rng::with_seed(1))
    }

    fn answer(variables: &[(&str, &str)]) -> (End, String) {
        let behaviour = behaviour(variables).unwrap();
        let run = behaviour.run(&mut luck(), 0.0);
        (run.end, String::from_utf8(behaviour.payload(run.end, "id").to_vec()).unwrap())
    }

    #[test]
    fn a_body_is_json_or_becomes_a_json_text() {
        assert_eq!(answer(&[]), (End::Answered, "\"ok\"".to_owned()));
        assert_eq!(answer(&[("SIM_BODY", "{\"a\":1}")]), (End::Answered, "{\"a\":1}".to_owned()));
        assert_eq!(answer(&[("SIM_BODY", "say \"hi\"")]), (End::Answered, "\"say \\\"hi\\\"\"".to_owned()));
    }

    #[test]
    fn hooks_answer_as_told() {
        assert_eq!(answer(&[("SIM_HOOK", "Succeeded")]).1, r#"{"status":"Succeeded"}"#);
        let failed: Value = serde_json::from_str(&answer(&[("SIM_HOOK", "Failed")]).1).unwrap();
        assert_eq!(failed, json!({"status": "Failed", "reason": "SIM_HOOK=Failed"}));
        assert_eq!(answer(&[("SIM_HOOK", "InProgress")]).1, r#"{"status":"InProgress"}"#);
        let (end, thrown) = answer(&[("SIM_HOOK", "Throw")]);
        assert_eq!(end, End::Threw);
        assert!(thrown.contains("errorMessage") && thrown.contains("errorType") && thrown.contains("trace"), "{thrown}");
    }

    #[test]
    fn slower_than_the_timeout_is_a_timeout() {
        let behaviour = behaviour(&[("SIM_LATENCY_MS", "3001")]).unwrap();
        let run = behaviour.run(&mut luck(), 0.0);
        assert_eq!(run, Run { duration: Duration::from_secs(3), end: End::TimedOut });
        let invocation = Invocation { at: Time::from_millis(0), id: 7, micros: 3_000_000, end: run.end };
        let log = behaviour.output.tail(&invocation, Runner { function: "f", version: "7" }, &[]);
        assert!(log.contains("Task timed out after 3.00 seconds"), "{log}");
    }

    #[test]
    fn a_share_of_the_calls_is_slow_and_nobody_elses_luck_changes() {
        let tail = behaviour(&[("SIM_LATENCY_MS", "40"), ("SIM_SLOW_SHARE", "0.05"), ("SIM_SLOW_MS", "900")]).unwrap();
        let plain = behaviour(&[("SIM_LATENCY_MS", "40"), ("SIM_ERROR_RATE", "0.5")]).unwrap();
        let (mut one, mut other) = (luck(), luck());
        let slow = (0..10_000).filter(|_| tail.run(&mut one, 0.0).duration == Duration::from_millis(900)).count();
        assert!((400..600).contains(&slow), "{slow} of 10000 at 5%");
        (0..10_000).for_each(|_| assert_eq!(plain.run(&mut other, 0.0).duration, Duration::from_millis(40)));
        assert_eq!(one.errors.u64(..), other.errors.u64(..));
        let timed_out = behaviour(&[("SIM_SLOW_SHARE", "1"), ("SIM_SLOW_MS", "3001")]).unwrap();
        assert_eq!(timed_out.run(&mut one, 0.0).end, End::TimedOut);
    }

    #[test]
    fn an_incident_fails_its_share_of_what_would_have_worked() {
        let failed = |rate: &str, incident: f64| {
            let behaviour = behaviour(&[("SIM_ERROR_RATE", rate)]).unwrap();
            let mut luck = luck();
            (0..10_000).filter(|_| behaviour.run(&mut luck, incident).end == End::Threw).count()
        };
        assert_eq!((failed("0", 0.0), failed("0", 1.0), failed("1", 0.0)), (0, 10_000, 10_000));
        let both = failed("0.2", 0.5);
        assert!((5_800..6_200).contains(&both), "{both} of 10000 at 60%");
    }

    #[test]
    fn a_5xx_answer_is_no_error_and_changes_nobody_elses_luck() {
        let apologetic = behaviour(&[("SIM_HTTP_ERROR_RATE", "0.05"), ("SIM_ERROR_RATE", "0.1")]).unwrap();
        let plain = behaviour(&[("SIM_ERROR_RATE", "0.1")]).unwrap();
        let (mut one, mut other) = (luck(), luck());
        let ends: Vec<End> = (0..10_000).map(|_| apologetic.run(&mut one, 0.0).end).collect();
        let thrown: Vec<bool> = (0..10_000).map(|_| plain.run(&mut other, 0.0).end.is_error()).collect();
        assert!(ends.iter().map(|end| end.is_error()).eq(thrown));
        let answered = ends.iter().filter(|end| **end == End::AnsweredError).count();
        assert!((380..520).contains(&answered), "{answered} of 9000 at 5%");
        let (end, payload) = answer(&[("SIM_HTTP_ERROR_RATE", "1")]);
        assert_eq!((end, payload.contains("\"statusCode\":500")), (End::AnsweredError, true));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (name, value) in [
            ("SIM_ERROR_RATE", "1.5"),
            ("SIM_ERROR_RATE", "often"),
            ("SIM_HTTP_ERROR_RATE", "2"),
            ("SIM_HOOK", "maybe"),
            ("SIM_TRAFFIC_RPS", "-1"),
            ("SIM_STATE", "Odd"),
        ] {
            let refusal = behaviour(&[(name, value)]).unwrap_err();
            assert!(refusal.message.starts_with(name), "{}", refusal.message);
        }
    }
}
