//! What does a hook have to say? What it is asked, and how its answer is judged.

use std::time::Duration;

use rollout::event::HookPhase;
use rollout::plan::HOOK_LIMIT;
use rollout::subject::Qualified;
use rollout::{Version, Weight};
use serde_json::{Value, json};

use crate::cloud::{Clock, Cloud, CloudError, Failure, Reply};

/// How many lines of a hook's log are shown when it fails.
const LOG_LINES: usize = 8;

/// How often an invocation that AWS says it did not make is tried again, a growing pause between.
const TRIES: u32 = 5;

/// What a hook is told.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) hook: Qualified,
    pub(crate) phase: HookPhase,
    pub(crate) attempt: u8,
    pub(crate) rollout_id: String,
    pub(crate) function: String,
    pub(crate) alias: String,
    pub(crate) stable: Option<(Version, String)>,
    pub(crate) candidate: Option<(Version, String)>,
    pub(crate) weight: Weight,
    pub(crate) any_answer: bool,
}

impl Question {
    /// The event a hook gets. The first two fields are what hooks written for `CodeDeploy` read.
    fn payload(&self) -> Vec<u8> {
        let number = |version: &Option<(Version, String)>| version.as_ref().map(|(version, _)| version.to_string());
        let arn = |version: &Option<(Version, String)>| version.as_ref().map(|(_, arn)| arn.clone());
        let event = json!({
            "DeploymentId": self.rollout_id,
            "LifecycleEventHookExecutionId": format!("{}/{}/{}", self.rollout_id, self.phase.word(), self.attempt),
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
            },
        });
        event.to_string().into_bytes()
    }
}

/// Asks a hook, once, and judges its answer.
pub(crate) async fn ask<C: Cloud, K: Clock>(cloud: &C, clock: &K, question: &Question) -> Result<(), String> {
    match invoke(cloud, clock, &question.hook, &question.payload()).await {
        Ok(reply) => judge(&reply, question.any_answer),
        // It may have run: asking again could do its work twice, so it counts as failed.
        Err(error) if error.failure == Failure::Unanswered => Err(format!("no answer, and whether it ran is unknown ({error})")),
        Err(error) => Err(error.to_string()),
    }
}

/// Invokes a function once. An invocation that AWS says it did not make is made again, a few times.
pub(crate) async fn invoke<C: Cloud, K: Clock>(
    cloud: &C,
    clock: &K,
    function: &Qualified,
    payload: &[u8],
) -> Result<Reply, CloudError> {
    let mut pause = Duration::from_millis(500);
    let mut tried = 1;
    loop {
        match cloud.invoke(function, payload, HOOK_LIMIT).await {
            Err(error)
                if matches!(error.failure, Failure::NotExecuted | Failure::Throttled | Failure::Unsent) && tried < TRIES =>
            {
                clock.sleep(pause).await;
                (pause, tried) = (pause * 2, tried + 1);
            }
            answer => return answer,
        }
    }
}

/// Only `{"status":"Succeeded"}` passes; with `any`, every answer but an error does.
fn judge(reply: &Reply, any: bool) -> Result<(), String> {
    let text = String::from_utf8_lossy(&reply.payload);
    if let Some(kind) = &reply.function_error {
        return Err(format!("{} ({kind}){}{}", thrown(&text), legacy_hint(&text, &reply.log), tail(&reply.log)));
    }
    let answer: Option<Value> = serde_json::from_slice(&reply.payload).ok();
    let field = |name: &str| answer.as_ref().and_then(|answer| answer.get(name)).and_then(Value::as_str);
    match field("status") {
        Some("Succeeded") => Ok(()),
        _ if any => Ok(()),
        Some("Failed") => {
            Err(format!("{}{}", field("reason").unwrap_or("it answered Failed, and gave no reason"), tail(&reply.log)))
        }
        Some(other) => {
            let hint = "answer `Succeeded` or `Failed` when the check is done";
            Err(format!("it answered the status `{}`, which ends nothing\n  hint: {hint}{}", short(other), tail(&reply.log)))
        }
        None => {
            let hint = "return {\"status\":\"Succeeded\"} or {\"status\":\"Failed\",\"reason\":…}, or pass `--hook-answer any`";
            Err(format!("it answered without a status: {}\n  hint: {hint}{}", short(&text), tail(&reply.log)))
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

/// Hooks written for `CodeDeploy` report to it, and it knows no such deployment.
fn legacy_hint(payload: &str, log: &str) -> &'static str {
    let names = ["DeploymentDoesNotExistException", "InvalidDeploymentIdException"];
    if names.iter().any(|name| payload.contains(name) || log.contains(name)) {
        "\n  hint: this hook reports to CodeDeploy; drop its putLifecycleEventHookExecutionStatus call and return {\"status\":\"Succeeded\"} instead"
    } else {
        ""
    }
}

fn short(text: &str) -> String {
    let mut kept: String = text.chars().take(200).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

pub(crate) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let shown = &lines[lines.len().saturating_sub(LOG_LINES)..];
    shown.iter().flat_map(|line| ["\n  log: ", line.trim_end()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(payload: &str) -> Reply {
        Reply { payload: payload.as_bytes().to_vec(), function_error: None, log: "START\nlooked at it\nEND\n".to_owned() }
    }

    #[test]
    fn only_succeeded_passes() {
        assert_eq!(judge(&reply(r#"{"status":"Succeeded"}"#), false), Ok(()));
        for (answer, word) in [
            (r#"{"status":"Failed","reason":"no stock"}"#, "no stock"),
            (r#"{"status":"Failed"}"#, "no reason"),
            (r#"{"status":"succeeded"}"#, "`succeeded`"),
            (r#"{"status":"InProgress"}"#, "`InProgress`"),
            (r#"{"statusCode":200}"#, "--hook-answer any"),
            (r#""Succeeded""#, "without a status"),
            ("null", "without a status"),
            ("", "without a status"),
            ("\u{fffd}{", "without a status"),
        ] {
            let why = judge(&reply(answer), false).unwrap_err();
            assert!(why.contains(word), "{answer}: {why}");
            assert!(why.contains("log: looked at it"), "{why}");
        }
    }

    #[test]
    fn any_answer_passes_where_asked_for_but_no_error() {
        assert_eq!(judge(&reply("null"), true), Ok(()));
        let thrown = Reply {
            function_error: Some("Unhandled".into()),
            ..reply(r#"{"errorType":"TypeError","errorMessage":"x is undefined"}"#)
        };
        let why = judge(&thrown, true).unwrap_err();
        assert!(why.starts_with("it threw TypeError: x is undefined (Unhandled)"), "{why}");
    }

    #[test]
    fn a_hook_made_for_code_deploy_is_told_what_to_change() {
        let thrown = Reply {
            function_error: Some("Unhandled".into()),
            ..reply(r#"{"errorType":"DeploymentDoesNotExistException","errorMessage":"d-1"}"#)
        };
        assert!(judge(&thrown, false).unwrap_err().contains("putLifecycleEventHookExecutionStatus"));
    }
}
