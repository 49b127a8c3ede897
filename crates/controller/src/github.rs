//! How does GitHub show a rollout? As one deployment, with a status for each thing that is worth telling.
//!
//! Nothing is kept of the deployment: its task names the rollout, so that whoever has something to tell finds it, or makes it.

use std::time::Duration;

use rollout::github::{Deployments, LONGEST_DESCRIPTION, Repository};
use rollout::notify::Message;
use serde_json::{Value, json};

use crate::port::{Cloud, GitHubRequest};
use crate::refusal::Refusal;

/// Gives the deployment of the rollout with this id, of these functions, the state that the message tells; all within `limit`.
pub(crate) async fn show<C: Cloud>(
    cloud: &C,
    to: &Deployments,
    (id, names): (&str, &str),
    message: &Message,
    limit: Duration,
) -> Result<(), Refusal> {
    let Some(repository) = &to.repository else {
        let why = "only the job that begins a rollout knows the repository".to_owned();
        return Err(Refusal { why, for_good: true });
    };
    let until = cloud.time() + limit;
    let ask = async |path: String, body: Option<Value>| {
        let request = GitHubRequest { repository, path, body: body.map(|body| body.to_string()) };
        let answer = cloud.ask_github(&request, until.since(cloud.time())).await?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match Refusal::of_status(answer.status, &explained(answer.status, &said)) {
            Some(refusal) => Err(refusal),
            None => Ok(said),
        }
    };
    let task = format!("deploy:{id}");
    let made = format!("{DEPLOYMENTS}?task={}&environment={}&per_page=1", encoded(&task), encoded(&to.environment));
    let found = ask(made, None).await?;
    let known = found[0]["id"].as_u64();
    let deployment = if let Some(deployment) = known {
        deployment
    } else {
        let made = ask(DEPLOYMENTS.to_owned(), Some(deployment(repository, to, &task, (id, names)))).await?;
        let unknown = || Refusal { why: "its answer names no deployment".to_owned(), for_good: true };
        made["id"].as_u64().ok_or_else(unknown)?
    };
    let mut status = json!({ "state": message.subject, "description": message.body });
    if let Some(log) = &repository.log {
        status["log_url"] = log.as_str().into();
    }
    ask(format!("{DEPLOYMENTS}/{deployment}/statuses"), Some(status)).await.map(drop)
}

/// A deployment of what is there: nothing is merged for it, and no check has to have passed.
fn deployment(repository: &Repository, to: &Deployments, task: &str, (id, names): (&str, &str)) -> Value {
    let description: String = format!("canaryctl {id}: {names}").chars().take(LONGEST_DESCRIPTION).collect();
    json!({
        "ref": repository.reference, "task": task, "auto_merge": false, "required_contexts": [], "environment": to.environment,
        "description": description, "payload": { "canaryctl": id },
    })
}

/// What GitHub says of a refusal, and what helps.
fn explained(status: u16, said: &Value) -> String {
    let said = said["message"].as_str().map_or_else(String::new, |said| {
        let said: String = said.chars().filter(|letter| !letter.is_control()).take(200).collect();
        format!(": {said}")
    });
    match status {
        401 => format!("{said}; check `GITHUB_TOKEN`"),
        403 | 404 => format!("{said}; the token needs `permissions: {{ deployments: write }}` in the workflow"),
        _ => said,
    }
}

/// A text in a query.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

const DEPLOYMENTS: &str = "/deployments";
