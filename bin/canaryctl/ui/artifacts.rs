//! What is kept of a rollout, and for whom? Its events, reports, and what a CI system reads. No format is known here.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use report::{Recording, Reporter, System};
use rollout::event::Event;

use super::atomic_file::AtTheEnd;
use crate::cli::artifact_args::{CiSystem, Keeping, Log, Render, Reports};

impl Log {
    /// How the log is to look: as a system's where one is named or recognised; `plain` where no terminal is to be drawn on.
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

/// How the log is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// As this system folds it.
    Ci(System),
    /// Plain lines.
    Plain,
    /// As the terminal, or what is in its place, has it.
    Fitting,
}

/// A reporter and the name of what it writes, for whoever has to hear that it could not.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) reporter: Box<dyn Reporter + Send>,
}

impl Reports {
    /// The reporters that write them, of one rollout or of several.
    pub(crate) fn reporters(&self, several: bool) -> Vec<Named> {
        self.files.iter().map(|file| named(&file.path, AtTheEnd::whole(&file.path, several, file.render))).collect()
    }
}

impl Keeping {
    /// The reporters that write files, of one rollout or of several. The complaints are of those that could not even be opened.
    pub(crate) fn reporters(&self, several: bool) -> (Vec<Named>, Vec<String>) {
        let mut complaints = Vec::new();
        let mut reporters = Vec::new();
        if let Some(path) = &self.events {
            match File::create(path) {
                Ok(file) => reporters.push(named(path, Recording::new(file))),
                Err(error) => complaints.push(unwritten(&path.display().to_string(), &error)),
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
        (reporters, complaints)
    }
}

fn named(path: &Path, reporter: impl Reporter + Send + 'static) -> Named {
    Named { name: path.display().to_string(), reporter: Box::new(reporter) }
}

/// What is said of a file that could not be written.
pub(crate) fn unwritten(name: &str, error: &io::Error) -> String {
    format!("`{name}` could not be written: {error}; the rollout is not affected")
}

#[expect(clippy::unnecessary_wraps, reason = "as others render")]
fn outputs(events: &[Event]) -> io::Result<String> {
    Ok(report::last_ending(events).map(|ending| report::github_outputs(&ending)).unwrap_or_default())
}

#[expect(clippy::unnecessary_wraps, reason = "as others render")]
fn dotenv(events: &[Event]) -> io::Result<String> {
    Ok(report::last_ending(events).map(|ending| report::dotenv(&ending)).unwrap_or_default())
}
