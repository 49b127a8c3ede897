//! What does a hook have to say? What it is asked, and how its answer is judged.

use std::collections::BTreeSet;
use std::time::Duration;

use rollout::arn::unqualified;
use rollout::check::{CheckAnswer, CheckState};
use rollout::event::HookPhase;
use rollout::format::exact;
use rollout::hook::{HookTarget, HookUrl};
use rollout::note::{Note, Phase};
use rollout::target::Qualified;
use rollout::timing::{CHECK_LIMIT, INVOCATION_LIMIT, PAGE_LIMIT};
use rollout::{Version, Weight};
use serde_json::{Value, json};

use crate::backoff::Backoff;
use crate::jobs::Heard;
use crate::port::{Clock, Cloud, CloudError, Failure, HttpHookResponse, InvocationResult};
use crate::request::Request;

const LOG_LINES: usize = 8;

/// How often a question that certainly was not heard is sent again, a growing pause between.
const TRIES: u32 = 5;

const PAUSES: Backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(4) };

const LATER: &str = "a hook that takes longer answers {\"status\":\"InProgress\"} and reports with `canaryctl hook report`";

/// The names of the functions among the hooks and checks.
pub(crate) fn functions(request: &Request) -> BTreeSet<&str> {
    let hooks = [&request.pre_hook, &request.step_hook, &request.post_hook].into_iter().flatten().chain(&request.checks);
    let names = hooks.filter_map(|hook| match hook {
        HookTarget::Function(named) => Some(named.function.name.as_str()),
        HookTarget::Url(_) => None,
    });
    names.collect()
}

#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) hook: HookTarget,
    pub(crate) phase: HookPhase,
    pub(crate) attempt: u8,
    /// The step in force, where it is asked between two of them; of a check the minute.
    pub(crate) step: Option<u16>,
    pub(crate) rollout_id: String,
    pub(crate) function: String,
    pub(crate) alias: String,
    pub(crate) stable: Option<(Version, String)>,
    pub(crate) candidate: Option<(Version, String)>,
    pub(crate) weight: Weight,
    pub(crate) any_answer: bool,
    /// Whether this process stays until a hook that reports later has done so.
    pub(crate) stays: bool,
    /// How often to read the alarms whether a hook that answers later has done so.
    pub(crate) look: Duration,
}

impl Question {
    fn execution_id(&self) -> String {
        execution_id(&self.rollout_id, self.phase, self.step, self.attempt)
    }

    /// The resource and the tag in which a hook that takes its time answers.
    pub(crate) fn report_to(&self) -> Option<(String, String)> {
        Some((self.function_arn()?.to_owned(), tag_key(&self.execution_id())))
    }

    /// The function's own ARN, which is where a hook that takes its time leaves its answer.
    fn function_arn(&self) -> Option<&str> {
        let (_, arn) = self.stable.as_ref().or(self.candidate.as_ref())?;
        Some(unqualified(arn))
    }

    /// The event a hook gets. The first two fields are what hooks written for `CodeDeploy` read.
    fn payload(&self) -> Vec<u8> {
        let number = |version: &Option<(Version, String)>| version.as_ref().map(|(version, _)| version.to_string());
        let arn = |version: &Option<(Version, String)>| version.as_ref().map(|(_, arn)| arn.clone());
        let event = json!({
            "DeploymentId": self.rollout_id,
            "LifecycleEventHookExecutionId": self.execution_id(),
            "canaryctl": {
                "rollout_id": self.rollout_id,
                "function": self.function,
                "alias": self.alias,
                "phase": self.phase.word(),
                "stable_version": number(&self.stable),
                "stable_arn": arn(&self.stable),
                "candidate_version": number(&self.candidate),
                "candidate_arn": arn(&self.candidate),
                "weight": self.weight.fraction(),
                "execution_id": self.execution_id(),
                "report_to": { "resource": self.function_arn(), "tag": tag_key(&self.execution_id()) },
            },
        });
        event.to_string().into_bytes()
    }
}

/// The key of the tag in which a hook that takes its time answers: `Succeeded`, `Failed`, or `Failed` and a reason.
pub fn tag_key(execution_id: &str) -> String {
    format!("canaryctl/{execution_id}")
}

/// The execution that a hook's event names: rollout, phase with the step between two of them, and attempt.
fn execution_id(rollout_id: &str, phase: HookPhase, step: Option<u16>, attempt: u8) -> String {
    let step =
        step.filter(|_| matches!(phase, HookPhase::Step | HookPhase::Check)).map_or_else(String::new, |step| format!("-{step}"));
    format!("{rollout_id}/{}{step}/{attempt}", phase.word())
}

/// The executions of a hook that a rollout is waiting for, by its note: whoever takes it over counts one more attempt, and the answer may
/// still be about one before.
pub fn awaited(note: &Note) -> Vec<String> {
    let (phase, step) = match note.phase {
        Phase::Pre => (HookPhase::PreTraffic, None),
        Phase::Shift { step, .. } => (HookPhase::Step, Some(step)),
        Phase::Post => (HookPhase::PostTraffic, None),
        Phase::Claim | Phase::Bake | Phase::Promoted | Phase::Back(_) => return Vec::new(),
    };
    let attempts = note.hook.map_or(0, |hook| hook.number);
    (1..=attempts).rev().map(|attempt| execution_id(&note.id.to_string(), phase, step, attempt)).collect()
}

/// Asks a hook, once, and judges its answer; waits for one that comes later for as long as it is let. What was reported on an attempt
/// before, while no process was there to hear it, is the answer.
pub(crate) async fn ask<C: Cloud, K: Clock>(cloud: &C, clock: &K, question: &Question) -> Result<Heard, String> {
    if let Some(before) = question.attempt.checked_sub(1).filter(|before| *before > 0)
        && let Ok(Some(answer)) = report(cloud, question, before).await
    {
        return answer.map(|()| Heard::Succeeded);
    }
    let answer = answer(cloud, clock, question).await.map_err(|error| match (error.failure, &question.hook) {
        // It may have run: asking again could do its work twice, so it counts as failed.
        (Failure::Unanswered, HookTarget::Function(_)) => format!("no answer; it is not known whether it ran ({error})"),
        (Failure::Unanswered, HookTarget::Url(_)) => {
            format!("no answer; it is not known whether it ran ({error})\n  hint: {LATER}")
        }
        _ => error.to_string(),
    })?;
    match answer.judged(question.any_answer) {
        Judged::Passed => Ok(Heard::Succeeded),
        Judged::Failed(why) => Err(why),
        Judged::Later if question.stays => later(cloud, clock, question).await.map(|()| Heard::Succeeded),
        Judged::Later => Ok(Heard::Later),
    }
}

/// What was reported on an attempt of this question's hook, this one or one before it; `None` where nothing was yet.
///
/// # Errors
/// The tags could not be read.
pub(crate) async fn report<C: Cloud>(
    cloud: &C,
    question: &Question,
    attempt: u8,
) -> Result<Option<Result<(), String>>, CloudError> {
    let Some(arn) = question.function_arn() else { return Ok(None) };
    let tags = cloud.tags(arn).await?;
    let keys = (1..=attempt).rev().map(|attempt| tag_key(&Question { attempt, ..question.clone() }.execution_id()));
    for key in keys {
        if let Some(answer) = tags.get(&key) {
            return Ok(Some(reported(cloud, arn, &key, answer).await));
        }
    }
    Ok(None)
}

/// Asks a check, and judges its answer as a hook's. What says neither yes nor no says nothing: no answer within its minute, one that is to come
/// later, an error of the server or of the call.
pub(crate) async fn check<C: Cloud, K: Clock>(cloud: &C, clock: &K, question: &Question) -> CheckAnswer {
    let unsure = |why: String| CheckAnswer { state: CheckState::Unsure, why };
    tokio::select! {
        biased;
        answer = answer(cloud, clock, question) => match answer {
            Ok(Answer::Page(page)) if page.status >= 500 => unsure(format!("it answered with HTTP status {}", page.status)),
            Ok(answer) => match answer.judged(question.any_answer) {
                Judged::Passed => CheckAnswer { state: CheckState::Passed, why: String::new() },
                Judged::Failed(why) => CheckAnswer { state: CheckState::Failed, why },
                Judged::Later => unsure("it answered `InProgress`; a check answers within its minute".to_owned()),
            },
            Err(error) => unsure(error.to_string()),
        },
        () = clock.sleep(CHECK_LIMIT) => unsure(format!("no answer within {}", exact(CHECK_LIMIT))),
    }
}

/// What was answered, before anything is made of it.
enum Answer {
    Reply(InvocationResult),
    Page(HttpHookResponse),
}

impl Answer {
    fn judged(self, any: bool) -> Judged {
        match self {
            Self::Reply(reply) => judge(&reply, any),
            Self::Page(page) => judge_page(page, any),
        }
    }
}

async fn answer<C: Cloud, K: Clock>(cloud: &C, clock: &K, question: &Question) -> Result<Answer, CloudError> {
    match &question.hook {
        HookTarget::Function(function) => invoke(cloud, clock, function, &question.payload()).await.map(Answer::Reply),
        HookTarget::Url(url) => post(cloud, clock, url, &question.payload()).await.map(Answer::Page),
    }
}

/// Looks for the tag in which the hook's own job answers, and takes it away when it has. Whoever waits for this says how long.
async fn later<C: Cloud, K: Clock>(cloud: &C, clock: &K, question: &Question) -> Result<(), String> {
    let key = tag_key(&question.execution_id());
    let Some(arn) = question.function_arn() else {
        return Err("it answered `InProgress`, but there is no function on which it could report".to_owned());
    };
    loop {
        clock.sleep(question.look).await;
        let answer = match cloud.tags(arn).await {
            Ok(mut tags) => tags.remove(&key),
            Err(error) if error.failure == Failure::Denied => return Err(unreadable(&error)),
            Err(_) => None,
        };
        if let Some(answer) = answer {
            return reported(cloud, arn, &key, &answer).await;
        }
    }
}

/// Why a report is given up that may not be read.
pub(crate) fn unreadable(error: &CloudError) -> String {
    format!("what it reports cannot be read: {error}\n  hint: lambda:ListTags on the function is needed")
}

/// Takes a report away from where it was left, and reads it.
async fn reported<C: Cloud>(cloud: &C, arn: &str, key: &str, answer: &str) -> Result<(), String> {
    // A tag that stays does no harm: no other asking has its key.
    let _ = cloud.untag(arn, key).await;
    let reason = answer.strip_prefix("Failed").map(|reason| reason.trim_start_matches([':', ' ']));
    match reason {
        None if answer == "Succeeded" => Ok(()),
        Some("") => Err("it reported Failed and gave no reason".to_owned()),
        Some(reason) => Err(short(reason)),
        None => Err(format!("it reported `{}`, which is neither Succeeded nor Failed", short(answer))),
    }
}

/// Invokes a function once. An invocation that AWS says it did not make is made again, a few times.
pub(crate) async fn invoke<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    function: &Qualified,
    payload: &[u8],
) -> Result<InvocationResult, CloudError> {
    until_heard(clock, async || cloud.invoke(function, payload, INVOCATION_LIMIT).await).await
}

/// Asks at a URL once, and again a few times while nobody is there to hear it.
async fn post<C: Cloud, K: Clock>(cloud: &C, clock: &K, url: &HookUrl, payload: &[u8]) -> Result<HttpHookResponse, CloudError> {
    until_heard(clock, async || cloud.post(url, payload, PAGE_LIMIT).await).await
}

async fn until_heard<T, K: Clock>(clock: &K, send: impl AsyncFn() -> Result<T, CloudError>) -> Result<T, CloudError> {
    let mut tried = 0;
    loop {
        tried += 1;
        match send().await {
            Err(error)
                if matches!(error.failure, Failure::NotExecuted | Failure::Throttled | Failure::Unsent) && tried < TRIES =>
            {
                clock.sleep(PAUSES.after(tried)).await;
            }
            answer => return answer,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Judged {
    Passed,
    Failed(String),
    /// Its own job goes on and will report.
    Later,
}

/// A page that was found answers as a function does; any other status is a failure, whatever stands below it.
fn judge_page(page: HttpHookResponse, any: bool) -> Judged {
    let HttpHookResponse { status, location, body } = page;
    match (status, location) {
        (200..300, _) => judge(&InvocationResult { payload: body, function_error: None, log: String::new() }, any),
        (300..400, Some(location)) => {
            let hint = "redirects are not followed; use the URL that answers";
            Judged::Failed(format!("it redirects to {} (HTTP status {status})\n  hint: {hint}", host(&location)))
        }
        _ => {
            let text = String::from_utf8_lossy(&body);
            let said = text.lines().map(str::trim).find(|line| !line.is_empty()).map(short);
            let said = said.map_or_else(String::new, |said| format!(": {said}"));
            let hint = "answer with status 200 and {\"status\":\"Succeeded\"} or {\"status\":\"Failed\",\"reason\":…}";
            Judged::Failed(format!("it answered with HTTP status {status}{said}\n  hint: {hint}"))
        }
    }
}

/// Whom a redirect names. Its path and query may hold what is nobody's business.
fn host(location: &str) -> String {
    let authority = location.split_once("//").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let host = authority.map(|authority| authority.rsplit('@').next().unwrap_or_default());
    host.filter(|host| !host.is_empty()).map_or_else(|| "another path".to_owned(), |host| format!("`{}`", short(host)))
}

/// Only `{"status":"Succeeded"}` passes; with `any`, every answer but an error does.
fn judge(reply: &InvocationResult, any: bool) -> Judged {
    let text = String::from_utf8_lossy(&reply.payload);
    if let Some(kind) = &reply.function_error {
        return Judged::Failed(format!(
            "{} ({kind}){}{}",
            thrown(&text),
            legacy_hint(&text, &reply.log).unwrap_or_default(),
            tail(&reply.log)
        ));
    }
    let answer: Option<Value> = serde_json::from_slice(&reply.payload).ok();
    let field = |name: &str| answer.as_ref().and_then(|answer| answer.get(name)).and_then(Value::as_str);
    match field("status") {
        Some("Succeeded") => Judged::Passed,
        Some("InProgress") => Judged::Later,
        _ if any => Judged::Passed,
        Some("Failed") => {
            Judged::Failed(format!("{}{}", field("reason").unwrap_or("it answered Failed and gave no reason"), tail(&reply.log)))
        }
        Some(other) => {
            let hint = "answer `Succeeded` or `Failed`, or `InProgress` to report later";
            Judged::Failed(format!("it answered the status `{}`\n  hint: {hint}{}", short(other), tail(&reply.log)))
        }
        None => {
            let hint = "\n  hint: return {\"status\":\"Succeeded\"} or {\"status\":\"Failed\",\"reason\":…}, or pass `--hook-answer any`; one written for CodeDeploy: `canaryctl guide hooks`";
            let hint = legacy_hint(&text, &reply.log).unwrap_or_else(|| hint.to_owned());
            Judged::Failed(format!("it answered without a status: {}{hint}{}", short(&text), tail(&reply.log)))
        }
    }
}

pub(crate) fn thrown(payload: &str) -> String {
    let error: Option<Value> = serde_json::from_str(payload).ok();
    let field = |name: &str| error.as_ref().and_then(|error| error.get(name)).and_then(Value::as_str);
    match (field("errorType"), field("errorMessage")) {
        (Some(kind), Some(message)) => format!("it threw {kind}: {}", short(message)),
        (None, Some(message)) => format!("it failed: {}", short(message)),
        (_, None) => format!("it failed: {}", short(payload)),
    }
}

/// What the log or the error of a hook says that reports to `CodeDeploy`, in small letters: the call by its name, as the SDKs print what may not
/// be called, or `CodeDeploy`'s own errors, for it knows no such deployment and no such execution.
pub(crate) const CODE_DEPLOY: [&str; 4] = [
    "putlifecycleeventhookexecutionstatus",
    "deploymentdoesnotexistexception",
    "invaliddeploymentidexception",
    "invalidlifecycleeventhookexecutionid",
];

/// What to do about such a hook.
pub(crate) const ADAPTER: &str = "wrap its handler with the adapter, one file that makes that call the answer: `canaryctl guide hook-adapter.js`, for Python `hook_adapter.py`";

/// Hooks written for `CodeDeploy` report to it, and it knows no such deployment.
fn legacy_hint(payload: &str, log: &str) -> Option<String> {
    let said = format!("{payload}\n{log}").to_ascii_lowercase();
    CODE_DEPLOY.iter().any(|name| said.contains(name)).then(|| format!("\n  hint: this hook reports to CodeDeploy; {ADAPTER}"))
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(200).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

pub(crate) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let shown = &lines[lines.len().saturating_sub(LOG_LINES)..];
    shown.iter().flat_map(|line| ["\n  log: ", line.trim_end()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(payload: &str) -> InvocationResult {
        InvocationResult {
            payload: payload.as_bytes().to_vec(),
            function_error: None,
            log: "START\nlooked at it\nEND\n".to_owned(),
        }
    }

    fn why(reply: &InvocationResult, any: bool) -> String {
        match judge(reply, any) {
            Judged::Failed(why) => why,
            Judged::Passed | Judged::Later => panic!("no failure"),
        }
    }

    #[test]
    fn only_succeeded_passes() {
        assert_eq!(judge(&reply(r#"{"status":"Succeeded"}"#), false), Judged::Passed);
        for any in [false, true] {
            assert_eq!(judge(&reply(r#"{"status":"InProgress"}"#), any), Judged::Later);
        }
        for (answer, word) in [
            (r#"{"status":"Failed","reason":"no stock"}"#, "no stock"),
            (r#"{"status":"Failed"}"#, "no reason"),
            (r#"{"status":"succeeded"}"#, "`succeeded`"),
            (r#"{"statusCode":200}"#, "--hook-answer any"),
            (r#""Succeeded""#, "without a status"),
            ("null", "without a status"),
            ("", "without a status"),
            ("\u{fffd}{", "without a status"),
        ] {
            let why = why(&reply(answer), false);
            assert!(why.contains(word), "{answer}: {why}");
            assert!(why.contains("log: looked at it"), "{why}");
        }
    }

    #[test]
    fn any_answer_passes_where_asked_for_but_no_error() {
        assert_eq!(judge(&reply("null"), true), Judged::Passed);
        let thrown = InvocationResult {
            function_error: Some("Unhandled".into()),
            ..reply(r#"{"errorType":"TypeError","errorMessage":"x is undefined"}"#)
        };
        let why = why(&thrown, true);
        assert!(why.starts_with("it threw TypeError: x is undefined (Unhandled)"), "{why}");
    }

    #[test]
    fn a_hook_made_for_code_deploy_is_told_what_to_change() {
        let thrown = InvocationResult {
            function_error: Some("Unhandled".into()),
            ..reply(r#"{"errorType":"DeploymentDoesNotExistException","errorMessage":"d-1"}"#)
        };
        assert!(why(&thrown, false).contains("\n  hint: this hook reports to CodeDeploy; wrap its handler with the adapter"));
        // One that swallows the refusal has nothing to answer.
        let log = "User: arn:aws:sts::1:assumed-role/hook is not authorized to perform: codedeploy:PutLifecycleEventHookExecutionStatus";
        let silent = InvocationResult { log: log.to_owned(), ..reply("null") };
        assert!(why(&silent, false).contains("`canaryctl guide hook-adapter.js`"));
        assert!(!why(&reply("null"), false).contains("reports to CodeDeploy"));
    }
}
