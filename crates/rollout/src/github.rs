//! Where does GitHub show a rollout? As a deployment of a repository to one of its environments, with the token that the job has.
//!
//! The token is sent and never shown.

use std::fmt;

use crate::hook::{HookError, HookUrl};

/// The deployments of a repository to one environment.
#[derive(Clone, PartialEq, Eq)]
pub struct Deployments {
    /// The environment's name, of 1 to 255 letters.
    pub environment: String,
    /// The repository; `None` until the job's environment was read.
    pub repository: Option<Box<Repository>>,
}

/// A repository, as a job of GitHub Actions knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Repository {
    /// `owner/name`.
    pub name: String,
    /// Where the API is.
    pub api: HookUrl,
    /// What is deployed: a commit, a branch or a tag.
    pub reference: String,
    /// Where the job's log is; `None` outside of a job.
    pub log: Option<String>,
    /// What every request is sent with.
    pub token: Token,
}

/// A secret, of which nothing is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// To be sent, and not to be shown.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why a job's environment names no repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RepositoryError {
    /// A variable is not set, or is empty.
    #[error(
        "the environment variable `{0}` is not set\n  hint: GitHub Actions sets all but the token; the job needs \
         `permissions: {{ deployments: write }}`, and the step `env: {{ GITHUB_TOKEN: ${{{{ github.token }}}} }}`"
    )]
    Missing(&'static str),
    /// Not a repository.
    #[error("`GITHUB_REPOSITORY` is not `OWNER/NAME`")]
    Name,
    /// Not an API.
    #[error("`GITHUB_API_URL`: {0}")]
    Api(#[from] HookError),
}

impl Repository {
    /// The repository that these variables of an environment name.
    ///
    /// # Errors
    /// Which of them is missing, or wrong.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self, RepositoryError> {
        let variable = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let needed = |name: &'static str| variable(name).ok_or(RepositoryError::Missing(name));
        let token = Token(needed("GITHUB_TOKEN")?);
        let name = needed("GITHUB_REPOSITORY")?;
        let reference = variable("GITHUB_SHA").map_or_else(|| needed("GITHUB_REF"), Ok);
        let reference = reference.map_err(|_| RepositoryError::Missing("GITHUB_SHA"))?;
        let sound =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !name.split_once('/').is_some_and(|(owner, own)| sound(owner) && sound(own)) {
            return Err(RepositoryError::Name);
        }
        let api = variable("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned()).parse()?;
        let server = variable("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned());
        let log = variable("GITHUB_RUN_ID").map(|run| format!("{server}/{name}/actions/runs/{run}"));
        Ok(Self { name, api, reference, log, token })
    }
}

/// What GitHub calls it where nothing else is said.
pub const USUAL: &str = "production";

/// The longest name of an environment, in letters.
pub const LONGEST_ENVIRONMENT: usize = 255;

/// The longest description that GitHub takes, of a deployment or a status, in letters.
/// Source: "Create a deployment status" of its REST API.
pub const LONGEST_DESCRIPTION: usize = 140;

#[cfg(test)]
mod tests {
    use super::*;

    fn job(without: &str, and: &[(&str, &str)]) -> Result<Repository, RepositoryError> {
        let usual = [
            ("GITHUB_TOKEN", "ghs_hush"),
            ("GITHUB_REPOSITORY", "acme/shop"),
            ("GITHUB_SHA", "abc"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_RUN_ID", "7"),
        ];
        let all: Vec<_> = and.iter().chain(&usual).filter(|(name, _)| *name != without).copied().collect();
        Repository::of(|name| all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_job_names_its_repository() {
        let known = job("", &[]).unwrap();
        assert_eq!((known.name.as_str(), known.reference.as_str(), known.token.secret()), ("acme/shop", "abc", "ghs_hush"));
        assert_eq!(known.log.as_deref(), Some("https://github.com/acme/shop/actions/runs/7"));
        assert_eq!(known.api.origin(), "https://api.github.com");
        let elsewhere = [("GITHUB_API_URL", "https://git.example.com/api/v3"), ("GITHUB_SERVER_URL", "https://git.example.com")];
        let known = job("GITHUB_SHA", &elsewhere).unwrap();
        assert_eq!((known.api.secret_path(), known.reference.as_str()), ("/api/v3", "refs/heads/main"));
        assert_eq!(job("GITHUB_RUN_ID", &[]).unwrap().log, None);
        assert!(!format!("{:?}", known.token).contains("hush"));
    }

    #[test]
    fn what_is_missing_is_named() {
        for name in ["GITHUB_TOKEN", "GITHUB_REPOSITORY"] {
            let error = job(name, &[]).err().unwrap();
            assert_eq!(error, RepositoryError::Missing(name));
            assert!(
                error.to_string().contains(&format!("`{name}` is not set")) && error.to_string().contains("deployments: write")
            );
        }
        assert_eq!(job("GITHUB_REF", &[("GITHUB_SHA", " ")]).err(), Some(RepositoryError::Missing("GITHUB_SHA")));
        assert_eq!(job("", &[("GITHUB_REPOSITORY", "shop")]).err(), Some(RepositoryError::Name));
        assert!(job("", &[("GITHUB_API_URL", "http://git.example.com")]).err().unwrap().to_string().contains("not encrypted"));
    }
}
