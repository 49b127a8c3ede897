//! What does the project's file say? The reading of it, which never takes long.

use std::path::Path;
use std::time::Duration;

use project::{Lookup, Problems, Project, discover};

use crate::cli::config_args::ConfigArgs;
use crate::error::Failure;

impl ConfigArgs {
    /// Reads the project that was named, or the one in the working directory; `None` where there is none, or none is wanted.
    ///
    /// A story is a project of its own: with it, only a file that was named is read.
    pub(crate) async fn project(&self, region: Option<&str>, story: bool, limit: Duration) -> Result<Option<Project>, Failure> {
        if self.no_config || (story && self.config.is_none()) {
            return self.none("a story reads no file but one that is named");
        }
        let (path, lookup) = (self.config.clone(), self.lookup(region));
        // A file may be a pipe, or far away on a network.
        let reading = tokio::task::spawn_blocking(move || read(path.as_deref(), &lookup));
        match tokio::time::timeout(limit, reading).await {
            Ok(Ok(Ok(None))) => self.none("there is none here"),
            Ok(Ok(read)) => read.map_err(|problems| unusable(&problems)),
            Ok(Err(_)) => {
                Err(Failure { code: 1, message: format!("the project's file could not be read\n  hint: {DO_WITHOUT}") })
            }
            Err(_) => {
                let limit = rollout::format::exact(limit);
                Err(Failure::usage(format!("the project's file could not be read within {limit}\n  hint: {DO_WITHOUT}")))
            }
        }
    }

    /// No project; which is a mistake where something was said that only a project can mean.
    fn none(&self, why: &str) -> Result<Option<Project>, Failure> {
        let said =
            [("--stage", self.stage.is_some()), ("--stack", self.stack.is_some()), ("--param", !self.parameters.is_empty())];
        match said.iter().find(|(_, said)| *said) {
            Some((flag, _)) => {
                Err(Failure::usage(format!("`{flag}` is for a project's file, and {why}\n  hint: `--config FILE` names one")))
            }
            None => Ok(None),
        }
    }

    fn lookup(&self, region: Option<&str>) -> Lookup {
        // A variable that is no text is none that a file could ask for.
        let text =
            |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Lookup {
            stage: self.stage.clone(),
            region: region.map(str::to_owned),
            stack: self.stack.clone(),
            parameters: self.parameters.iter().cloned().collect(),
            environment: std::env::vars_os().filter_map(text).collect(),
        }
    }
}

fn read(path: Option<&Path>, lookup: &Lookup) -> Result<Option<Project>, Problems> {
    match path {
        Some(path) => discover::read_named(path, lookup).map(Some),
        None => discover::find(Path::new("."), lookup),
    }
}

fn unusable(problems: &Problems) -> Failure {
    Failure::usage(format!("the project's file cannot be used\n{problems}\n{DO_WITHOUT}"))
}

const DO_WITHOUT: &str = "`--no-config` does without it, where the command line says everything";

/// How long a project's file may take to be read.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// How long it may take where traffic waits for it.
pub(crate) const LIMIT_IN_AN_INCIDENT: Duration = Duration::from_secs(2);
