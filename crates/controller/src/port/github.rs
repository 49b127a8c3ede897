//! What is GitHub asked? A request of the port that goes elsewhere than to AWS.

use rollout::github::Repository;

/// A request to the REST API of GitHub.
#[derive(Clone)]
pub struct GitHubRequest<'a> {
    /// Of which repository, and with which token.
    pub repository: &'a Repository,
    /// What comes behind the repository's own path, with a query.
    pub path: String,
    /// The JSON of a write; a read has none.
    pub body: Option<String>,
}
