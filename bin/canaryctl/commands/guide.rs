//! `canaryctl guide`: the pages of the guide, in the binary, so that they are there at 3 a.m.

use clap::{Args, Command};

use super::reference::reference;
use crate::error::Failure;
use crate::ui::pager::read;

/// Read the guide: a page for each job, in this terminal
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl guide
  canaryctl guide incident")]
pub(crate) struct Guide {
    /// The page; without it, the list of pages
    #[arg(value_name = "PAGE")]
    page: Option<String>,
}

/// The pages by name, in the order in which people meet them.
const PAGES: &[(&str, &str)] = &[
    ("install", include_str!("../guide/install.md")),
    ("first-rollout", include_str!("../guide/first-rollout.md")),
    ("project", include_str!("../guide/project.md")),
    ("ci", include_str!("../guide/ci.md")),
    ("guard", include_str!("../guide/guard.md")),
    ("detached", include_str!("../guide/detached.md")),
    ("incident", include_str!("../guide/incident.md")),
    ("watching", include_str!("../guide/watching.md")),
    ("hooks", include_str!("../guide/hooks.md")),
    ("groups", include_str!("../guide/groups.md")),
    ("teams", include_str!("../guide/teams.md")),
    ("stacks", include_str!("../guide/stacks.md")),
    ("serverless", include_str!("../guide/serverless.md")),
    ("permissions", include_str!("../guide/permissions.md")),
    ("troubleshooting", include_str!("../guide/troubleshooting.md")),
    ("how-it-works", include_str!("../guide/how-it-works.md")),
    ("simulated-aws", include_str!("../guide/simulated-aws.md")),
];

/// The files that the page about hooks has people copy, under their own names.
const FILES: [(&str, &str); 2] = [
    ("hook-adapter.js", include_str!("../../hook-adapter/hook-adapter.js")),
    ("hook_adapter.py", include_str!("../../hook-adapter/hook_adapter.py")),
];

const REFERENCE: &str = "reference";

pub(crate) fn run(args: &Guide, command: Command) -> Result<u8, Failure> {
    let text = match args.page.as_deref() {
        None => contents(),
        Some(REFERENCE) => reference(command),
        Some(name) => {
            let mut texts = PAGES.iter().chain(&FILES);
            texts.find(|(text, _)| *text == name).map(|(_, text)| (*text).to_owned()).ok_or_else(|| unknown(name))?
        }
    };
    read(&text, styled);
    Ok(0)
}

fn contents() -> String {
    let title = |text: &str| text.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned();
    let pages = PAGES.iter().map(|(name, text)| (*name, title(text))).chain([(REFERENCE, "Every option and key".to_owned())]);
    let lines: Vec<String> = pages.map(|(name, title)| format!("  canaryctl guide {name:<16} {title}\n")).collect();
    format!("# The guide\n\n{}", lines.concat())
}

fn unknown(name: &str) -> Failure {
    let names: Vec<&str> = PAGES.iter().map(|(page, _)| *page).chain([REFERENCE]).collect();
    Failure::usage(format!("the guide has no page `{name}`\n  hint: {}", names.join(", ")))
}

/// Headings and code in colour, as they stand.
fn styled(text: &str) -> String {
    let line = |line: &str| match line {
        line if line.starts_with('#') => format!("\u{1b}[1m{line}\u{1b}[0m\n"),
        line if line.starts_with("    ") => format!("\u{1b}[32m{line}\u{1b}[0m\n"),
        line => format!("{line}\n"),
    };
    text.lines().map(line).collect::<Vec<_>>().concat()
}
