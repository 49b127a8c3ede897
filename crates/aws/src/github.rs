//! What does GitHub answer? One request to its REST API, with the job's token.

use std::time::Duration;

use controller::port::{CloudError, GitHubRequest, HttpHookResponse};

use crate::connect::Aws;
use crate::http_hook::Outgoing;

impl Aws {
    /// Sends one request and reads what it answers, all within `limit`.
    pub(crate) async fn github(&self, ask: &GitHubRequest<'_>, limit: Duration) -> Result<HttpHookResponse, CloudError> {
        let GitHubRequest { repository, path, body } = ask;
        let bearer = format!("Bearer {}", repository.token.secret());
        let headers = [
            ("accept", "application/vnd.github+json"),
            ("authorization", &bearer),
            ("content-type", "application/json"),
            ("x-github-api-version", VERSION),
        ];
        let api = repository.api.secret_path().trim_end_matches('/');
        let outgoing = Outgoing {
            method: if body.is_some() { "POST" } else { "GET" },
            origin: repository.api.origin().to_owned(),
            path: format!("{api}/repos/{}{path}", repository.name),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            body: body.clone().unwrap_or_default().into_bytes(),
        };
        self.within(OPERATION, limit, self.exchange(OPERATION, outgoing)).await?
    }
}

const OPERATION: &str = "GitHub";

/// The version of the API that this is written for.
const VERSION: &str = "2022-11-28";
