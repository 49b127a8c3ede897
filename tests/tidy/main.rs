//! The rules of the house, which no compiler knows.

#![expect(clippy::unwrap_used, reason = "a tree that cannot be read has failed")]

mod circles;
mod literals;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Every file below a folder of the repository with this extension, generated ones left out.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found
}

fn sources() -> Vec<PathBuf> {
    ["bin", "crates", "tests"].into_iter().flat_map(|folder| files(folder, "rs")).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(ROOT).unwrap().display().to_string()
}

/// The names in a manifest's `[dependencies]`.
fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(Path::new(ROOT).join("crates").join(name).join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let named = |line: &str| Some(line.split_once('=')?.0.trim().trim_end_matches(".workspace").to_owned());
    section.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(named).collect()
}

#[test]
fn a_file_is_one_room() {
    let long: Vec<String> = sources()
        .iter()
        .map(|path| (path, fs::read_to_string(path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > 500)
        .map(|(path, lines)| format!("{}: {lines} lines", shown(path)))
        .collect();
    assert!(long.is_empty(), "more than 500 lines: {long:#?}");
}

#[test]
fn a_function_fits_on_a_screen() {
    let mut long = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let mut begun: Option<(usize, String, usize)> = None;
        for (number, line) in text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let opens = line.trim_start().split(' ').any(|word| word == "fn") && !line.trim_start().starts_with("//");
            match &begun {
                None if opens && !line.trim_end().ends_with(';') => begun = Some((number, line.trim().to_owned(), indent)),
                Some((start, name, depth)) if line.trim() == "}" && indent == *depth => {
                    if number - start + 1 > 70 {
                        long.push(format!("{}:{} {name}: {} lines", shown(&path), start + 1, number - start + 1));
                    }
                    begun = None;
                }
                Some((_, _, depth)) if line.trim_end().ends_with(';') && indent == *depth => begun = None,
                Some((_, name, _)) if name.ends_with('}') => begun = None,
                None | Some(_) => {}
            }
        }
    }
    assert!(long.is_empty(), "more than 70 lines: {long:#?}");
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<String> =
        sources().iter().filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!")).map(|path| shown(path)).collect();
    assert!(silent.is_empty(), "no `//!` at the top: {silent:#?}");
}

/// Whatever AWS, hooks, alarms and files say is made harmless where it is written, not where it comes in: by the functions of
/// `report/safe.rs`, which these files call. So no other file may write. Macros that print are clippy's to find.
#[test]
fn only_these_files_write_what_people_and_ci_systems_read() {
    let (print, reporters) = ("bin/canaryctl/ui/print.rs", "bin/canaryctl/ui/reporters.rs");
    let rules: [(&[&str], &[&str]); 4] = [
        // Whether it is a terminal is asked for the log's colours, too.
        (&["stdout()", "io::Stdout"], &[print, reporters, "bin/canaryctl/ui/pager.rs"]),
        (&["stderr()", "io::Stderr"], &[print, "bin/canaryctl/lib.rs"]),
        // What nothing makes harmless: scripts of the binary's own.
        (&["report::script("], &["bin/canaryctl/commands/completions.rs"]),
        (
            &["fs::write(", "File::create", "OpenOptions", "File::options"],
            &["bin/canaryctl/ui/atomic_file.rs", "bin/canaryctl/commands/init.rs"],
        ),
    ];
    let program = sources().into_iter().filter(|path| {
        let path = shown(path);
        (path.starts_with("bin/") || path.contains("/src/")) && !path.ends_with("_tests.rs")
    });
    let mut found = Vec::new();
    for path in program {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (marks, files) in rules {
            let marked = marks.iter().filter(|mark| code.contains(**mark) && !files.contains(&shown(&path).as_str()));
            found.extend(marked.map(|mark| format!("{}: {mark}", shown(&path))));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn nothing_is_left_unfinished() {
    // Written in two parts, so that this file does not find itself.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ig", "nore"),
        concat!("#[al", "low("),
    ];
    let mut found = Vec::new();
    for path in sources() {
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            found.extend(
                marks.iter().filter(|mark| line.contains(**mark)).map(|mark| format!("{}:{}: {mark}", shown(&path), number + 1)),
            );
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// The scripts that are shipped, and their tests, are read by the same people.
#[test]
fn what_is_not_rust_keeps_the_rules() {
    let own = |path: &PathBuf| !shown(path).contains("node_modules");
    let mut found = Vec::new();
    for path in files("bin", "js").into_iter().chain(files("bin", "py")).filter(own) {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        let mut opening = text.lines().filter(|line| !line.is_empty() && !line.starts_with("#!") && *line != "'use strict';");
        let says = opening.next().is_some_and(|line| line.starts_with("//") || line.starts_with("\"\"\""));
        if lines > 500 {
            found.push(format!("{}: {lines} lines", shown(&path)));
        }
        if !says && !shown(&path).ends_with("/handler.js") {
            found.push(format!("{}: says nothing at the top", shown(&path)));
        }
        for mark in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("eslint", "-disable"), concat!("@ts", "-ignore")] {
            if text.contains(mark) {
                found.push(format!("{}: {mark}", shown(&path)));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_pure_core_stays_pure() {
    for (name, allowed) in [
        ("rollout", &["humantime", "serde", "serde_json", "strsim", "thiserror"][..]),
        ("analysis", &["serde", "serde_json", "thiserror"]),
    ] {
        let allowed = allowed.iter().map(|name| (*name).to_owned()).collect();
        let extra: Vec<String> = dependencies(name).difference(&allowed).cloned().collect();
        assert!(extra.is_empty(), "the pure crate {name} depends on {extra:?}");
    }
    for file in files("crates/rollout/src", "rs").into_iter().chain(files("crates/analysis/src", "rs")) {
        let text = fs::read_to_string(&file).unwrap();
        for banned in
            ["std::env", "std::fs", "std::net", "std::thread", "SystemTime::now", "Instant::now", "HashMap", "async fn", "tokio"]
        {
            assert!(!text.contains(banned), "{} uses {banned}", shown(&file));
        }
    }
}

#[test]
fn configuration_is_read_without_a_disk() {
    for file in files("crates/project/src", "rs").into_iter().filter(|file| !file.ends_with("discover.rs")) {
        let text = fs::read_to_string(&file).unwrap();
        for banned in ["std::env", "std::fs", "std::net", "std::thread", "HashMap", "async fn"] {
            assert!(!text.contains(banned), "{} uses {banned}", shown(&file));
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    let sisters = ["aws", "controller", "project", "report", "rollout", "analysis", "sim"];
    let rows: [(&str, &[&str]); 7] = [
        ("rollout", &[]),
        ("analysis", &[]),
        ("sim", &[]),
        ("controller", &["rollout", "analysis"]),
        ("project", &["rollout"]),
        ("report", &["rollout"]),
        ("aws", &["controller", "rollout"]),
    ];
    for (name, allowed) in rows {
        let wrong: Vec<String> = dependencies(name)
            .into_iter()
            .filter(|found| sisters.contains(&found.as_str()) && !allowed.contains(&found.as_str()))
            .collect();
        assert!(wrong.is_empty(), "{name} depends on {wrong:?}");
    }
}

#[test]
fn the_top_level_is_a_table_of_contents() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "action.yml",
        "Dockerfile",
        "bin",
        "crates",
        "tests",
        "scripts",
        "target",
    ];
    let extra: Vec<String> = fs::read_dir(ROOT)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && !allowed.contains(&name.as_str()))
        .collect();
    assert!(extra.is_empty(), "{extra:?}");
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest = fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).unwrap();
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let mut explained = false;
    for line in section.lines() {
        match line.trim() {
            "" => explained = false,
            line if line.starts_with('#') => explained = true,
            line => assert!(explained || line.contains("path = "), "no reason beside `{line}`"),
        }
    }
}

#[test]
fn there_is_one_tls_stack() {
    let lock = fs::read_to_string(Path::new(ROOT).join("Cargo.lock")).unwrap();
    let named = |name: &str| lock.lines().filter(|line| *line == format!("name = \"{name}\"")).count();
    assert_eq!((named("rustls"), named("openssl"), named("native-tls"), named("hyper")), (1, 0, 0, 1));
}
