//! What is to be kept of a rollout, and for whom? The options for it.

use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rollout::event::Event;

/// What a file holds, made of all events.
pub(crate) type Render = fn(&[Event]) -> io::Result<String>;

/// Where the help lists all of this.
const KEEPING: &str = "Keeping what happened";

/// What is to be kept.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Keeping {
    /// Write every event to this file as it happens, one JSON object a line; `replay` and `explain` read it
    #[arg(long, value_name = "FILE", help_heading = KEEPING)]
    pub(crate) events: Option<PathBuf>,
    /// Write into it, too, what every decision rested on; `verify` checks them
    #[arg(long, requires = "events", help_heading = KEEPING)]
    pub(crate) observations: bool,
    #[command(flatten)]
    pub(crate) reports: Reports,
    #[command(flatten)]
    pub(crate) log: Log,
    /// Write the outcome to this file as `CANARYCTL_…` variables, for GitLab's `artifacts:reports:dotenv`
    #[arg(long, value_name = "FILE", help_heading = KEEPING)]
    pub(crate) dotenv: Option<PathBuf>,
}

/// Reports of the whole.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Reports {
    /// Write a report of the whole rollout when it has ended: `.html` (one page, for anybody), `.md` or `.json`; may be given several times
    #[arg(long = "report", value_name = "FILE", value_parser = report, help_heading = KEEPING)]
    pub(crate) files: Vec<ReportFile>,
}

/// Whose log it is.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Log {
    /// How the log looks in CI: as GitHub or GitLab folds it, or plain [default: as the environment says]
    #[arg(long, value_enum, value_name = "SYSTEM", help_heading = KEEPING)]
    pub(crate) ci: Option<CiSystem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum CiSystem {
    GitHub,
    GitLab,
    Plain,
}

/// A report, and its form.
#[derive(Clone, Debug)]
pub(crate) struct ReportFile {
    pub(crate) path: PathBuf,
    pub(crate) render: Render,
}

fn report(text: &str) -> Result<ReportFile, String> {
    let path = PathBuf::from(text);
    let render: Render = match path.extension().and_then(|ending| ending.to_str()) {
        Some("html" | "htm") => |events| Ok(report::html(events)),
        Some("md") => |events| Ok(report::markdown(events)),
        Some("json") => |events| Ok(report::document(events)?),
        Some(_) | None => return Err("a name that ends in .html, .md or .json".to_owned()),
    };
    Ok(ReportFile { path, render })
}
