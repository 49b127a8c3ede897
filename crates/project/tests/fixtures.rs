//! Real shapes of each format: a folder each, with what is read from it, or what is wrong with it, beside it in `expected`.
//!
//! `lookup` holds what comes from outside: `stage=prod`, `region=eu-west-1`, `stack=shop`, `param NAME=VALUE`, `env NAME=VALUE`, a line each.
//! `BLESS=1` writes every `expected` anew.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read has failed")]

mod as_text;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use as_text::as_text;
use project::{Format, Lookup, Project, discover};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The folders of a format's fixtures, in order.
fn cases(format: &str) -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = fs::read_dir(root().join(format)).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn lookup(case: &Path) -> Lookup {
    let mut lookup = Lookup::default();
    for line in fs::read_to_string(case.join("lookup")).unwrap_or_default().lines() {
        let (name, value) = line.split_once('=').unwrap();
        let value = value.to_owned();
        match name.split_once(' ') {
            Some(("param", name)) => drop(lookup.parameters.insert(name.to_owned(), value)),
            Some(("env", name)) => drop(lookup.environment.insert(name.to_owned(), value)),
            _ if name == "stage" => lookup.stage = Some(value),
            _ if name == "region" => lookup.region = Some(value),
            _ if name == "stack" => lookup.stack = Some(value),
            _ => panic!("{}: what is `{line}`?", case.display()),
        }
    }
    lookup
}

/// The rest: what the file defines beside the functions, and what is worth knowing.
fn notes_as_text(project: &Project) -> String {
    let mut out = format!("format: {}, file: {}\n", project.format, project.file);
    for (id, definition) in &project.definitions {
        writeln!(out, "definition {id}: {}: {} @ {}", definition.value.name, definition.value, definition.place).unwrap();
    }
    for note in &project.notes {
        let about = note.function.as_deref().map(|key| format!(" ({key})")).unwrap_or_default();
        writeln!(out, "{:?}{about}: {note}", note.kind).unwrap();
    }
    out
}

/// What is written as `canary.yml` means the same when it is read again.
fn comes_back(case: &Path, project: &Project) {
    let written = project::canary_yml(project);
    let file = project::File { name: "canary.yml", bytes: written.as_bytes() };
    let again = project::read(Format::Canary, file, None, &Lookup::default());
    let again = again.unwrap_or_else(|problems| panic!("{}\n{written}\n{problems}", case.display()));
    assert_eq!(as_text(&again, false), as_text(project, false), "{}\n{written}", case.display());
    for note in &project.notes {
        assert!(written.contains(&note.message), "{}: no comment says: {note}", case.display());
    }
}

fn text(case: &Path) -> (String, Option<Project>) {
    match discover::find(case, &lookup(case)) {
        Ok(Some(project)) => (format!("{}\n{}", as_text(&project, true), notes_as_text(&project)), Some(project)),
        Ok(None) => ("nothing\n".to_owned(), None),
        Err(problems) => (format!("{problems}\n"), None),
    }
}

/// Compares what is read from each fixture of a format, and says how many could be used and how many could not.
fn check(format: &str) -> (usize, usize) {
    let (mut used, mut refused) = (0, 0);
    let mut wrong = Vec::new();
    for case in cases(format) {
        let (text, project) = text(&case);
        *(if project.is_some() { &mut used } else { &mut refused }) += 1;
        let golden = case.join("expected");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&golden, &text).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if let Some(project) = &project {
            comes_back(&case, project);
        }
        if expected != text {
            wrong.push(format!("{}\n--- expected\n{expected}\n--- now\n{text}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "BLESS=1 writes them anew\n{}", wrong.join("\n"));
    (used, refused)
}

/// One of each format, written out.
#[test]
fn the_same_as_canary_yml() {
    for (format, case) in [
        ("serverless", "plugin_example"),
        ("serverless", "triggers_and_strangers"),
        ("sam", "globals"),
        ("appspec", "whole"),
        ("canary", "everything"),
    ] {
        let case = root().join(format).join(case);
        let written = project::canary_yml(&text(&case).1.unwrap());
        if std::env::var_os("BLESS").is_some() {
            fs::write(case.join("imported"), &written).unwrap();
        }
        assert_eq!(fs::read_to_string(case.join("imported")).unwrap_or_default(), written, "BLESS=1 writes it anew");
    }
}

#[test]
fn every_fixture_is_read_as_expected() {
    for format in ["canary", "appspec", "sam", "serverless"] {
        let (used, refused) = check(format);
        assert!(used >= 12 && refused >= 6, "{format}: {used} {refused}");
    }
}
