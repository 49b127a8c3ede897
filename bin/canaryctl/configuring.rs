//! Which project file is read, and what for? The options for it, and the reading, which never takes long.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use project::{Lookup, Problems, Project, discover};

use crate::failure::Failure;

/// Where the settings of a project stand.
#[derive(Debug, Args)]
pub(crate) struct Configuring {
    /// The project's file [default: `canary.yml`, `serverless.yml`, `template.yaml` or `appspec.yml` in the working directory]
    #[arg(long, value_name = "FILE", conflicts_with = "no_config", help_heading = "Project")]
    pub(crate) config: Option<PathBuf>,
    /// Read no project's file
    #[arg(long, conflicts_with_all = ["stage", "stack", "parameters"], help_heading = "Project")]
    no_config: bool,
    /// The stage, or the environment in `samconfig.toml`
    #[arg(long, value_name = "NAME", help_heading = "Project")]
    stage: Option<String>,
    /// The CloudFormation stack that logical ids in the file belong to
    #[arg(long, value_name = "NAME", help_heading = "Project")]
    stack: Option<String>,
    /// A parameter that the file asks for; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter, help_heading = "Project")]
    parameters: Vec<(String, String)>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("a name, `=` and a value")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Configuring {
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
