//! Which files are written about a rollout? Events, reports, and what a CI system reads. No format is known here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use report::{Recording, Reporter};
use rollout::event::Event;

use super::atomic_file::{AtTheEnd, fresh};
use crate::cli::artifact_args::{ArtifactArgs, CiSystem, Log, Render, Reports};

impl Log {
    /// The form of the log in CI, where a system is named or detected. Elsewhere it is a live view on a terminal, else plain lines.
    pub(crate) fn system(self) -> Option<CiSystem> {
        let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "false");
        let known = [("GITHUB_ACTIONS", CiSystem::GitHub), ("GITLAB_CI", CiSystem::GitLab), ("CI", CiSystem::Plain)];
        self.ci.or_else(|| known.into_iter().find(|(name, _)| set(name)).map(|(_, system)| system))
    }
}

/// Reporters, each with the name of its file if it has one.
pub(crate) type Outputs = Vec<(Option<String>, Box<dyn Reporter + Send>)>;

impl Reports {
    pub(crate) fn reporters(&self, several: bool) -> Outputs {
        self.files.iter().map(|file| named(&file.path, AtTheEnd::new(&file.path, several, file.render, false))).collect()
    }
}

impl ArtifactArgs {
    /// The reporters that write files, for one rollout or for several, and an error for each file that cannot be opened.
    pub(crate) fn reporters(&self, several: bool) -> (Outputs, Vec<String>) {
        let (mut reporters, mut errors) = (Vec::new(), Vec::new());
        let files = self.events.iter().chain(self.reports.files.iter().map(|file| &file.path)).chain(&self.dotenv);
        for folder in files.filter_map(|path| path.parent()) {
            // Where it cannot be made, its file cannot be written, and that is said.
            let _ = fs::create_dir_all(folder);
        }
        if let Some(path) = &self.events {
            match fresh(path) {
                Ok(file) => reporters.push(named(path, Recording::new(file))),
                Err(error) => errors.push(unwritten(&path.display().to_string(), &error)),
            }
        }
        reporters.extend(self.reports.reporters(several));
        if self.log.system() == Some(CiSystem::GitHub) {
            let rows: [(&str, Render); 2] = [("GITHUB_STEP_SUMMARY", report::markdown), ("GITHUB_OUTPUT", outputs)];
            for (name, render) in rows {
                if let Some(path) = std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from) {
                    reporters.push(named(&path, AtTheEnd::new(&path, several, render, true)));
                }
            }
        }
        reporters.extend(self.dotenv.as_deref().map(|path| named(path, AtTheEnd::new(path, several, dotenv, false))));
        (reporters, errors)
    }
}

fn named(path: &Path, reporter: impl Reporter + Send + 'static) -> (Option<String>, Box<dyn Reporter + Send>) {
    (Some(path.display().to_string()), Box::new(reporter))
}

pub(crate) fn unwritten(name: &str, error: &io::Error) -> String {
    format!("cannot write `{name}`: {error}; the rollout is not affected")
}

fn outputs(events: &[Event]) -> report::Safe {
    report::last_ending(events).map(|ending| report::github_outputs(&ending)).unwrap_or_default()
}

fn dotenv(events: &[Event]) -> report::Safe {
    report::last_ending(events).map(|ending| report::dotenv(&ending)).unwrap_or_default()
}
