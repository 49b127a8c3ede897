//! What is written about a rollout, and where? The options for it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rollout::event::Event;

pub(crate) type Render = fn(&[Event]) -> report::Safe;

const REPORTS: &str = "Reports and logs";

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ArtifactArgs {
    /// Write every event to this file as it happens, one JSON object per line; `replay` and `explain` read it
    #[arg(long, value_name = "FILE", help_heading = REPORTS)]
    pub(crate) events: Option<PathBuf>,
    /// Also write the input of every decision to the events file; `verify` checks the decisions
    #[arg(long, requires = "events", help_heading = REPORTS)]
    pub(crate) observations: bool,
    #[command(flatten)]
    pub(crate) reports: Reports,
    #[command(flatten)]
    pub(crate) log: Log,
    /// Write the outcome to this file as `CANARYCTL_…` variables, for GitLab's `artifacts:reports:dotenv`
    #[arg(long, value_name = "FILE", help_heading = REPORTS)]
    pub(crate) dotenv: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Reports {
    /// Write a report when the rollout has ended: `.html` (one self-contained page), `.md` or `.json`; may be given several times
    #[arg(long = "report", value_name = "FILE", value_parser = report, help_heading = REPORTS)]
    pub(crate) files: Vec<ReportFile>,
}

#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Log {
    /// The form of the log in CI: with the groups of GitHub or GitLab, or plain [default: detected from the environment]
    #[arg(long, value_enum, value_name = "SYSTEM", help_heading = REPORTS)]
    pub(crate) ci: Option<CiSystem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum CiSystem {
    GitHub,
    GitLab,
    Plain,
}

#[derive(Clone, Debug)]
pub(crate) struct ReportFile {
    pub(crate) path: PathBuf,
    pub(crate) render: Render,
}

fn report(text: &str) -> Result<ReportFile, String> {
    let path = PathBuf::from(text);
    let render: Render = match path.extension().and_then(|ending| ending.to_str()) {
        Some("html" | "htm") => report::html,
        Some("md") => report::markdown,
        Some("json") => report::document,
        Some(_) | None => return Err("expected a name that ends in .html, .md or .json".to_owned()),
    };
    Ok(ReportFile { path, render })
}
