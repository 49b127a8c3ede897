//! Which files are written about a rollout? Events, reports, and what a CI system reads. No format is known here.

use std::io;
use std::path::{Path, PathBuf};

use report::{Recording, Reporter, System};
use rollout::event::Event;

use super::atomic_file::{AtTheEnd, fresh};
use crate::cli::artifact_args::{ArtifactArgs, CiSystem, Log, Render, Reports};

impl Log {
    /// The form of the log: a CI system's where one is named or detected, else the one that fits the terminal.
    pub(crate) fn system(self) -> Look {
        let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "false");
        match self.ci {
            Some(CiSystem::GitHub) => Look::Ci(System::GitHub),
            Some(CiSystem::GitLab) => Look::Ci(System::GitLab),
            Some(CiSystem::Plain) => Look::Plain,
            None if set("GITHUB_ACTIONS") => Look::Ci(System::GitHub),
            None if set("GITLAB_CI") => Look::Ci(System::GitLab),
            None if set("CI") => Look::Plain,
            None => Look::Fitting,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// With the groups of a CI system.
    Ci(System),
    Plain,
    /// A live view on a terminal, else plain lines.
    Fitting,
}

pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) reporter: Box<dyn Reporter + Send>,
}

impl Reports {
    pub(crate) fn reporters(&self, several: bool) -> Vec<Named> {
        self.files.iter().map(|file| named(&file.path, AtTheEnd::whole(&file.path, several, file.render))).collect()
    }
}

impl ArtifactArgs {
    /// The reporters that write files, for one rollout or for several, and an error for each file that cannot be opened.
    pub(crate) fn reporters(&self, several: bool) -> (Vec<Named>, Vec<String>) {
        let mut errors = Vec::new();
        let mut reporters = Vec::new();
        if let Some(path) = &self.events {
            match fresh(path) {
                Ok(file) => reporters.push(named(path, Recording::new(file))),
                Err(error) => errors.push(unwritten(&path.display().to_string(), &error)),
            }
        }
        reporters.extend(self.reports.reporters(several));
        if self.log.system() == Look::Ci(System::GitHub) {
            let rows: [(&str, Render); 2] =
                [("GITHUB_STEP_SUMMARY", |events| Ok(report::markdown(events))), ("GITHUB_OUTPUT", outputs)];
            for (name, render) in rows {
                if let Some(path) = std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from) {
                    reporters.push(named(&path, AtTheEnd::added(&path, several, render)));
                }
            }
        }
        reporters.extend(self.dotenv.as_deref().map(|path| named(path, AtTheEnd::whole(path, several, dotenv))));
        (reporters, errors)
    }
}

fn named(path: &Path, reporter: impl Reporter + Send + 'static) -> Named {
    Named { name: path.display().to_string(), reporter: Box::new(reporter) }
}

pub(crate) fn unwritten(name: &str, error: &io::Error) -> String {
    format!("cannot write `{name}`: {error}; the rollout is not affected")
}

#[expect(clippy::unnecessary_wraps, reason = "has to fit `Render`")]
fn outputs(events: &[Event]) -> io::Result<String> {
    Ok(report::last_ending(events).map(|ending| report::github_outputs(&ending)).unwrap_or_default())
}

#[expect(clippy::unnecessary_wraps, reason = "has to fit `Render`")]
fn dotenv(events: &[Event]) -> io::Result<String> {
    Ok(report::last_ending(events).map(|ending| report::dotenv(&ending)).unwrap_or_default())
}
