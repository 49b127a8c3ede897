//! What does GitHub keep of a repository's deployments? Enough of its REST API for whoever makes one and gives it statuses.
//!
//! Source: "REST API endpoints for deployments" and "… for deployment statuses" of GitHub's documentation, API version 2022-11-28. What a
//! refusal says besides its status is not looked at by anybody here.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::time::Time;

/// A deployment, as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// What was sent.
    pub asked: Value,
    /// The statuses that were sent, oldest first, with when.
    pub statuses: Vec<(Time, Value)>,
}

/// One repository.
#[derive(Debug)]
pub(crate) struct Repository {
    name: String,
    deployments: Vec<Deployment>,
}

impl Repository {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), deployments: Vec::new() }
    }

    pub(crate) fn deployments(&self) -> &[Deployment] {
        &self.deployments
    }

    /// What the API answers; `None` where it is asked for something else.
    pub(crate) fn answer(&mut self, request: &http::Request<Bytes>, at: Time) -> Option<(u16, Value)> {
        let path = request.uri().path().strip_prefix("/repos/")?.strip_prefix(&self.name)?.strip_prefix("/deployments")?;
        let signed = request.headers().get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if signed.and_then(|value| value.strip_prefix("Bearer ")).is_none_or(str::is_empty) {
            return Some((401, json!({ "message": "Bad credentials" })));
        }
        let sent: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        Some(match (request.method().as_str(), path) {
            ("GET", "") => (200, self.list(request.uri().query().unwrap_or_default())),
            ("POST", "") => self.create(sent),
            ("POST", path) => {
                let id = path.strip_prefix('/').and_then(|path| path.strip_suffix("/statuses"))?;
                self.status(id.parse().ok()?, sent, at)
            }
            _ => return None,
        })
    }

    /// Newest first, those that fit.
    fn list(&self, query: &str) -> Value {
        let given = |key: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(name, _)| *name == key).map(|(_, value)| decoded(value))
        };
        let fits = |asked: &Value, key: &str, usual: &str| {
            given(key).is_none_or(|wanted| asked[key].as_str().unwrap_or(usual) == wanted)
        };
        let all = self.deployments.iter().enumerate().rev();
        let found = all.filter(|(_, deployment)| {
            fits(&deployment.asked, "task", "deploy") && fits(&deployment.asked, "environment", "production")
        });
        let page = given("per_page").and_then(|count| count.parse().ok()).unwrap_or(30);
        found.take(page).map(|(index, deployment)| json!({ "id": id(index), "task": deployment.asked["task"] })).collect()
    }

    /// Without `auto_merge: false` GitHub merges first, and without `required_contexts` it looks at the checks of the commit: neither is
    /// what a rollout wants.
    fn create(&mut self, asked: Value) -> (u16, Value) {
        if !asked["ref"].is_string() || long(&asked) {
            return (422, json!({ "message": "Validation Failed" }));
        }
        if asked["auto_merge"] != false || asked["required_contexts"] != json!([]) {
            return (409, json!({ "message": "Conflict: Commit status checks failed" }));
        }
        self.deployments.push(Deployment { asked, statuses: Vec::new() });
        (201, json!({ "id": id(self.deployments.len() - 1) }))
    }

    fn status(&mut self, wanted: usize, sent: Value, at: Time) -> (u16, Value) {
        let found = (0..self.deployments.len()).find(|index| id(*index) == wanted);
        let Some(deployment) = found.and_then(|index| self.deployments.get_mut(index)) else {
            return (404, json!({ "message": "Not Found" }));
        };
        if !sent["state"].as_str().is_some_and(|state| STATES.contains(&state)) || long(&sent) {
            return (422, json!({ "message": "Validation Failed" }));
        }
        deployment.statuses.push((at, sent));
        (201, json!({ "id": 1 }))
    }
}

fn id(index: usize) -> usize {
    index + 1_000
}

/// Whether a description is longer than is taken: of a status as documented, of a deployment as a guess.
fn long(sent: &Value) -> bool {
    sent["description"].as_str().is_some_and(|text| text.chars().count() > 140)
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

const STATES: [&str; 7] = ["error", "failure", "inactive", "in_progress", "queued", "pending", "success"];
