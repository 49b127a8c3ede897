//! `canaryctl guide`: the pages of the guide, in the binary, so that they are there at 3 a.m.

use clap::{Args, Command};

use super::reference::reference;
use crate::error::Failure;
use crate::ui::pager::read;

/// Read the guide: a page for each job, in this terminal
///
/// With words that are no page, lists the sections that have all of them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  canaryctl guide
  canaryctl guide incident
  canaryctl guide terraform")]
pub(crate) struct Guide {
    /// The page, or words to look for; without it, the list of pages
    #[arg(value_name = "PAGE")]
    page: Vec<String>,
}

/// The pages by name, in the order in which people meet them: who wants to … reads it.
const PAGES: &[(&str, &str, &str)] = &[
    ("install", "install it, and check what I installed", include_str!("../guide/install.md")),
    ("first-rollout", "roll out for the first time", include_str!("../guide/first-rollout.md")),
    ("project", "use my serverless.yml, SAM template or appspec.yml, or write a canary.yml", include_str!("../guide/project.md")),
    ("ci", "run it in GitHub Actions or GitLab CI", include_str!("../guide/ci.md")),
    ("guard", "roll back if the CI job dies", include_str!("../guide/guard.md")),
    ("detached", "roll out for hours or days, without a runner", include_str!("../guide/detached.md")),
    ("incident", "stop the damage now", include_str!("../guide/incident.md")),
    ("watching", "know what it watches, and see errors that Lambda does not count", include_str!("../guide/watching.md")),
    ("hooks", "test the version before and after", include_str!("../guide/hooks.md")),
    ("groups", "roll out several functions, all or none", include_str!("../guide/groups.md")),
    ("teams", "tell people, wait for an approval, keep the version before", include_str!("../guide/teams.md")),
    ("stacks", "keep SAM, CDK, Terraform or CloudFormation", include_str!("../guide/stacks.md")),
    ("serverless", "replace serverless-plugin-canary-deployments", include_str!("../guide/serverless.md")),
    ("permissions", "write the IAM policy", include_str!("../guide/permissions.md")),
    (
        "troubleshooting",
        "understand an exit code, a refusal, a killed job, or why nothing was rolled back",
        include_str!("../guide/troubleshooting.md"),
    ),
    ("how-it-works", "know how it works", include_str!("../guide/how-it-works.md")),
    ("simulated-aws", "test against the simulated AWS", include_str!("../guide/simulated-aws.md")),
];

/// The files that the page about hooks has people copy, under their own names.
const FILES: [(&str, &str); 2] = [
    ("hook-adapter.js", include_str!("../../hook-adapter/hook-adapter.js")),
    ("hook_adapter.py", include_str!("../../hook-adapter/hook_adapter.py")),
];

const REFERENCE: &str = "reference";
const REFERENCE_JOB: &str = "look up an option or a key";

pub(crate) fn run(args: &Guide, command: Command) -> Result<u8, Failure> {
    let text = match args.page.join(" ").as_str() {
        "" => contents(),
        REFERENCE => reference(command),
        name => {
            let mut texts = PAGES.iter().map(|(page, _, text)| (*page, *text)).chain(FILES);
            let page = texts.find(|(page, _)| *page == name).map(|(_, text)| linkless(text));
            match page.or_else(|| found(name)) {
                Some(text) => text,
                None => return Err(unknown(name)),
            }
        }
    };
    read(&text, styled);
    Ok(0)
}

fn contents() -> String {
    let pages = PAGES.iter().map(|(name, job, _)| (*name, *job)).chain([(REFERENCE, REFERENCE_JOB)]);
    let lines: Vec<String> = pages.map(|(name, job)| format!("  {:<34} {job}\n", format!("canaryctl guide {name}"))).collect();
    format!("# The guide: I want to …\n\n{}", lines.concat())
}

/// The words of a text, in small letters.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// How often a text has these words, in the singular or the plural; 0 where it lacks one.
fn count(text: &str, sought: &[String]) -> usize {
    let same = |word: &str, sought: &str| word.trim_end_matches('s') == sought.trim_end_matches('s');
    let counts = sought.iter().map(|sought| words(text).filter(|word| same(word, sought)).count());
    let counts: Vec<usize> = counts.collect();
    if counts.contains(&0) { 0 } else { counts.iter().sum() }
}

/// The sections that have all of these words, those with them in their titles first; `None` where no page has them.
fn found(phrase: &str) -> Option<String> {
    let sought: Vec<String> = words(phrase).collect();
    let mut hits: Vec<(bool, usize, String)> = Vec::new();
    for (page, _, text) in PAGES {
        for section in linkless(text).split("\n## ") {
            let title = section.lines().next().unwrap_or_default().trim_start_matches("# ");
            let count = count(section, &sought);
            if count > 0 {
                let named = self::count(title, &sought) > 0;
                hits.push((!named, usize::MAX - count, format!("  {:<34} {title}\n", format!("canaryctl guide {page}"))));
            }
        }
    }
    hits.sort();
    let lines: Vec<&str> = hits.iter().map(|(_, _, line)| line.as_str()).take(HITS).collect();
    if lines.is_empty() { None } else { Some(format!("# `{phrase}` is in these sections\n\n{}", lines.concat())) }
}

/// As many as a person reads.
const HITS: usize = 8;

fn unknown(name: &str) -> Failure {
    Failure::usage(format!(
        "the guide has no page `{name}`, and no section has these words\n  hint: `canaryctl guide` lists the pages"
    ))
}

/// Without the targets of links, which lead from page to page where they are read beside each other.
fn linkless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let target = after.split_once(".md)").filter(|(target, _)| !target.contains([' ', '\n', ')']));
        let label = before.rfind('[').filter(|at| !before[*at..].contains('\n'));
        rest = if let (Some((_, after)), Some(at)) = (target, label) {
            out.push_str(&before[..at]);
            out.push_str(&before[at + 1..]);
            after
        } else {
            out.push_str(before);
            out.push_str("](");
            after
        };
    }
    out + rest
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_their_labels() {
        let text = "see [`canaryctl guide stacks`](stacks.md), `a[0](b)` and [more](install.md)";
        assert_eq!(linkless(text), "see `canaryctl guide stacks`, `a[0](b)` and more");
    }

    #[test]
    fn a_word_is_found_where_it_is_in_a_title_first() {
        let first = |word: &str| found(word).unwrap().lines().nth(2).unwrap().trim().to_owned();
        assert!(first("terraform").starts_with("canaryctl guide stacks "), "{}", first("terraform"));
        assert!(first("SAM").starts_with("canaryctl guide stacks "), "{}", first("SAM"));
        assert!(first("slack").starts_with("canaryctl guide teams "), "{}", first("slack"));
        assert_eq!(found("cucumber"), None);
        assert_eq!(found("exit cucumber"), None);
        assert!(!found("sam").unwrap().contains("Many at once"), "`same` is another word");
        for phrase in ["exit codes", "exit-code", "Exit code 12"] {
            assert!(found(phrase).unwrap().contains("canaryctl guide troubleshooting "), "{phrase}: {}", found(phrase).unwrap());
        }
    }

    /// What the README's table says of each page is what the list of pages says.
    #[test]
    fn the_readme_names_every_page_with_the_same_job() {
        let readme = include_str!("../../../README.md");
        for (name, job) in PAGES.iter().map(|(name, job, _)| (*name, *job)).chain([(REFERENCE, REFERENCE_JOB)]) {
            let row = format!("| {job} | [");
            let found = readme.lines().find(|line| line.starts_with(&row));
            assert!(found.is_some_and(|line| line.ends_with(&format!("| `canaryctl guide {name}` |"))), "{name}: {found:?}");
        }
    }
}
