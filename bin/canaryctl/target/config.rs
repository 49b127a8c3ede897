//! What does the configuration file say? Reads it, within a time limit.

use std::path::Path;
use std::time::Duration;

use project::{Lookup, Note, Problems, Project, discover};

use crate::cli::config_args::ConfigArgs;
use crate::error::Failure;

impl ConfigArgs {
    /// Reads what can be read of the file of `--config`, or of the one in the working directory; `None` where there is none, or with
    /// `--no-config`.
    ///
    /// With a scenario, only a file of `--config` is read.
    pub(crate) async fn project(
        &self,
        region: Option<&str>,
        simulated: bool,
        limit: Duration,
    ) -> Result<Option<Project>, Failure> {
        if self.no_config || (simulated && self.config.is_none()) {
            return self.none("`--simulate` reads only the file of `--config`");
        }
        let (path, lookup) = (self.config.clone(), self.lookup(region));
        // A file may be a pipe, or far away on a network.
        let reading = tokio::task::spawn_blocking(move || read(path.as_deref(), &lookup));
        match tokio::time::timeout(limit, reading).await {
            Ok(Ok(Ok(None))) => self.none("there is none in the working directory"),
            Ok(Ok(read)) => read.map_err(|problems| unusable(&problems)),
            Ok(Err(_)) => Err(Failure { code: 1, message: format!("cannot read the configuration file\n  hint: {DO_WITHOUT}") }),
            Err(_) => {
                let limit = rollout::format::exact(limit);
                Err(Failure::usage(format!("the configuration file could not be read within {limit}\n  hint: {DO_WITHOUT}")))
            }
        }
    }

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

    fn lookup(&self, region: Option<&str>) -> Lookup {
        // A file cannot refer to a variable that is not text.
        let text =
            |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Lookup {
            stage: self.stage.clone(),
            region: region.map(str::to_owned),
            stack: self.stack.clone(),
            parameters: self.parameters.iter().cloned().collect(),
            environment: std::env::vars_os().filter_map(text).collect(),
            folder: None,
        }
    }
}

fn read(path: Option<&Path>, lookup: &Lookup) -> Result<Option<Project>, Problems> {
    match path {
        Some(path) => discover::survey_named(path, lookup).map(Some),
        None => discover::survey(Path::new("."), lookup),
    }
}

/// The files in the working directory that would say more, and are not read.
pub(crate) fn unread() -> Vec<Note> {
    discover::programs(Path::new("."))
}

/// The configuration file in the working directory, if there is one that can be read.
pub(crate) fn there() -> Option<String> {
    discover::look(Path::new(".")).ok()?.map(|(name, _)| name)
}

/// That a command needs a file, and there is none: which files are there, and why each is not read.
pub(crate) fn no_file(what: &str, hint: &str) -> Failure {
    let there = discover::passed_over(Path::new("."));
    let hint = match there.as_slice() {
        [one] => one.hint.as_deref().unwrap_or(hint),
        _ => hint,
    };
    let detail =
        |note: &Note| note.hint.as_ref().filter(|_| there.len() > 1).map(|hint| format!(" ({hint})")).unwrap_or_default();
    let listed: Vec<String> = there.iter().map(|note| format!("\n  {}: {}{}", note.place, note.message, detail(note))).collect();
    Failure::usage(format!("{what}{}\n  hint: {hint}", listed.concat()))
}

pub(crate) fn unusable(problems: &Problems) -> Failure {
    Failure::usage(format!("the configuration file cannot be used\n{problems}\n{DO_WITHOUT}"))
}

const DO_WITHOUT: &str = "`--no-config` ignores the file; everything then has to be on the command line";

pub(crate) const LIMIT: Duration = Duration::from_secs(10);

pub(crate) const LIMIT_IN_AN_INCIDENT: Duration = Duration::from_secs(2);
