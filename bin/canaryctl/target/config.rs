//! What does the configuration file say? Reads it, within a time limit.

use std::path::Path;
use std::time::Duration;

use project::{Lookup, Project, discover};

use crate::cli::common::Common;
use crate::cli::config_args::ConfigArgs;
use crate::error::Failure;

impl Common {
    /// Reads the file of `--config`, or the one in the working directory; `None` where there is none, or with `--no-config`.
    ///
    /// With a scenario, only a file of `--config` is read.
    pub(crate) async fn project(&self, limit: Duration) -> Result<Option<Project>, Failure> {
        let args = &self.config;
        if args.no_config || (self.simulate.is_some() && args.config.is_none()) {
            return args.none("`--simulate` reads only the file of `--config`");
        }
        let (path, lookup) = (args.config.clone(), args.lookup(self.region.clone()));
        // A file may be a pipe, or far away on a network.
        let reading = tokio::task::spawn_blocking(move || match path {
            Some(path) => discover::read_named(&path, &lookup).map(Some),
            None => discover::find(Path::new("."), &lookup),
        });
        match tokio::time::timeout(limit, reading).await {
            Ok(Ok(Ok(None))) => args.none("there is none in the working directory"),
            Ok(Ok(read)) => read
                .map_err(|problems| Failure::usage(format!("the configuration file cannot be used\n{problems}\n{DO_WITHOUT}"))),
            Ok(Err(_)) => Err(Failure::unexpected(format!("cannot read the configuration file\n  hint: {DO_WITHOUT}"))),
            Err(_) => {
                let limit = rollout::format::exact(limit);
                Err(Failure::usage(format!("the configuration file could not be read within {limit}\n  hint: {DO_WITHOUT}")))
            }
        }
    }
}

impl ConfigArgs {
    /// No project: an error where an option needs one.
    fn none(&self, why: &str) -> Result<Option<Project>, Failure> {
        let said =
            [("--stage", self.stage.is_some()), ("--stack", self.stack.is_some()), ("--param", !self.parameters.is_empty())];
        match said.iter().find(|(_, said)| *said) {
            Some((flag, _)) => Err(Failure::usage(format!(
                "`{flag}` needs a configuration file, and {why}\n  hint: name one with `--config FILE`"
            ))),
            None => Ok(None),
        }
    }

    fn lookup(&self, region: Option<String>) -> Lookup {
        // A file cannot refer to a variable that is not text.
        let text =
            |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Lookup {
            stage: self.stage.clone(),
            region,
            stack: self.stack.clone(),
            parameters: self.parameters.iter().cloned().collect(),
            environment: std::env::vars_os().filter_map(text).collect(),
        }
    }
}

const DO_WITHOUT: &str = "`--no-config` ignores the file; everything then has to be on the command line";

pub(crate) const LIMIT: Duration = Duration::from_secs(10);

pub(crate) const LIMIT_IN_AN_INCIDENT: Duration = Duration::from_secs(2);
