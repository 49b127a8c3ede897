//! What README and guide say to type can be typed, and the reference has every option and key.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::folder::Folder;
use crate::served::{Served, code, expect, function, hook, run, text};

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bin/canaryctl/guide")
}

/// README and every page, by name; not the reference, which types nothing.
fn pages() -> Vec<(String, String)> {
    let mut pages: Vec<(String, String)> = fs::read_dir(home())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .filter(|(name, _)| name != "reference")
        .collect();
    pages.push(("README".to_owned(), fs::read_to_string(home().join("../../../README.md")).unwrap()));
    pages
}

/// The lines of the indented blocks that run canaryctl, without their comments.
fn typed(page: &str) -> impl Iterator<Item = &str> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("    "));
    let lines = lines.map(|line| line.trim_start_matches("- run: exec ").trim_start_matches("  run: "));
    let lines = lines.map(|line| line.split("  #").next().unwrap().trim());
    lines.filter(|line| line.starts_with("canaryctl "))
}

const PROJECT: &str = "\
functions:
  hello: {type: Canary10Percent5Minutes}
  orders: {type: Canary10Percent5Minutes}
  mails: {type: Canary10Percent5Minutes}
";

/// An account with whatever the pages name.
fn account() -> Served {
    Served::furnished(|world| {
        for name in ["hello", "orders", "mails"] {
            function(world, name, "live");
            world.create_errors_alarm(&format!("{name}Errors"), name, 1.0).unwrap();
        }
        world.create_errors_alarm("HelloErrors", "hello", 1.0).unwrap();
        for name in ["preHook", "smokeTest", "datadogMonitor"] {
            hook(world, name);
        }
    })
}

/// Runs a line as it is typed. A rollout that is not simulated would take its minutes: its plan, which takes the same options, is shown.
fn ran(served: &Served, folder: &Folder, line: &str) -> Output {
    let line = if line.contains("--simulate") { line.to_owned() } else { line.replace("canaryctl rollout", "canaryctl plan") };
    let quick = line.contains("--simulate") && line.contains(" rollout ") && !line.contains("--speed");
    let line = if quick { format!("{line} --speed max") } else { line };
    let binary = Path::new(env!("CARGO_BIN_EXE_canaryctl")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).env_clear().env("PATH", path).current_dir(&folder.0);
    for (name, value) in [
        ("AWS_ENDPOINT_URL", served.url.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "any"),
        ("AWS_SECRET_ACCESS_KEY", "any"),
        // `--mine` is the rollout of this job.
        ("GITHUB_RUN_ID", "7"),
        ("GITHUB_REPOSITORY", "shop/hello"),
        ("GITHUB_JOB", "deploy"),
        ("GITHUB_SHA", "abc123"),
        ("GITHUB_TOKEN", "any"),
    ] {
        shell.env(name, value);
    }
    shell.output().unwrap()
}

#[test]
fn every_command_of_readme_and_guide_runs() {
    let served = account();
    // Its log exists once it has been invoked.
    served.visit("/url/hello:live/");
    let folder = Folder::new(
        "guide",
        &[
            ("canary.yml", PROJECT),
            ("event.json", "{}"),
            ("template.yaml", "Resources: {A: {Type: AWS::Serverless::Function, Properties: {AutoPublishAlias: live}}}\n"),
            ("minutes.csv", "canary_calls,canary_errors,stable_calls,stable_errors\n60,0,540,1\n60,0,540,0\n"),
        ],
    );
    let record = "canaryctl rollout hello --simulate --speed max --events rollout.jsonl --observations";
    assert_eq!(code(&ran(&served, &folder, record)), 0);
    let empty = Folder::new("guide-empty", &[]);
    let mut count = 0;
    for (page, text_of_page) in pages() {
        for line in typed(&text_of_page) {
            count += 1;
            // It serves until it is stopped.
            if line.starts_with("canaryctl simulate") {
                assert_eq!(code(&ran(&served, &folder, &format!("{line} --help"))), 0, "{page}: {line}");
                continue;
            }
            let at = if line.starts_with("canaryctl init") { &empty } else { &folder };
            let output = ran(&served, at, line);
            let _ = fs::remove_file(empty.0.join("canary.yml"));
            // There is no rollout to act on, no metric of the shop's, and no failure but that.
            let allowed: &[i32] = match line {
                line if line.contains("--simulate=hello-errors") => &[10],
                line if line.contains("--simulate=hello-traps") => &[3],
                _ => &[0, 3],
            };
            assert!(allowed.contains(&code(&output)), "{page}: {line}\n{} {}", code(&output), text(&output));
        }
    }
    assert!(count > 45, "{count}");
    assert_eq!(served.writes(), 0);
}

#[test]
fn the_guide_is_in_the_binary() {
    let listed = text(&expect(run("guide"), 0, "# The guide"));
    for (name, page) in pages().iter().filter(|(name, _)| name != "README") {
        assert!(listed.contains(&format!("canaryctl guide {name} ")), "{name}: {listed}");
        let shown = run(&format!("guide {name}"));
        // A link is its label.
        let names = pages().into_iter().map(|(name, _)| name).chain(["reference".to_owned()]);
        let unlinked = names.fold(page.clone(), |text, to| {
            let label = format!("`canaryctl guide {to}`");
            text.replace(&format!("[{label}]({to}.md)"), &label)
        });
        assert_eq!(String::from_utf8_lossy(&shown.stdout), unlinked);
        let readme = fs::read_to_string(home().join("../../../README.md")).unwrap();
        assert!(readme.contains(&format!("bin/canaryctl/guide/{name}.md")), "{name}");
    }
    for name in ["hook-adapter.js", "hook_adapter.py"] {
        let file = fs::read_to_string(home().join("../../hook-adapter").join(name)).unwrap();
        assert_eq!(String::from_utf8_lossy(&run(&format!("guide {name}")).stdout), file);
    }
    expect(run("guide terraform"), 0, "canaryctl guide stacks             Terraform");
    expect(
        run("guide cucumber"),
        2,
        "the guide has no page `cucumber`, and no section has these words\n  hint: `canaryctl guide` lists the pages",
    );
}

#[test]
fn a_long_page_is_read_in_the_pager_of_the_user() {
    let folder = Folder::new("pager", &[]);
    // `script` gives it a terminal, whose input has ended.
    let line = format!("{} guide watching", env!("CARGO_BIN_EXE_canaryctl"));
    let mut shown = Command::new("script");
    let shown = shown.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(&folder.0);
    let Ok(output) = shown.env("PAGER", "head -3").env_remove("NO_COLOR").env("TERM", "xterm").output() else { return };
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    assert!(text.starts_with("\u{1b}[1m# What it watches\u{1b}[0m\n\nA rollout looks at"), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn the_reference_is_the_binary_s_own_and_has_every_option_and_key() {
    let printed = String::from_utf8(run("guide reference").stdout).unwrap();
    let path = home().join("reference.md");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &printed).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), printed, "BLESS=1 writes it again");
    let mut count = 0;
    for command in
        ["rollout", "rollback", "status", "pause", "promote", "abort", "iam-policy", "hook report", "analyze", "logs", "init"]
    {
        let help = text(&expect(run(&format!("{command} --help")), 0, ""));
        let lines = help.lines().map(str::trim_start).filter_map(|line| line.strip_prefix("-h, ").or(Some(line)));
        for option in lines.filter(|line| line.starts_with("--")) {
            let name: String = option.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '-').collect();
            assert!(name == "--help" || printed.contains(&name), "{command} {name}");
            count += 1;
        }
    }
    assert!(count > 150, "{count}");
    let schema: Value = serde_json::from_slice(&run("schema").stdout).unwrap();
    let mut keys = BTreeSet::new();
    collect(&schema, &mut keys);
    assert!(keys.len() > 45, "{keys:?}");
    for key in keys {
        assert!(printed.contains(&format!("- `{key}`:")), "{key}");
    }
}

fn collect(schema: &Value, keys: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            keys.extend(fields.get("properties").and_then(Value::as_object).into_iter().flat_map(|found| found.keys().cloned()));
            fields.values().for_each(|value| collect(value, keys));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, keys)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_picture_of_the_readme_shows_what_the_binary_prints() {
    let script = home().join("../../../scripts/picture");
    let drawn = Command::new(script).env("CANARYCTL", env!("CARGO_BIN_EXE_canaryctl")).output().unwrap();
    let drawn = String::from_utf8(drawn.stdout).unwrap();
    let path = home().join("rollout.svg");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &drawn).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), drawn, "BLESS=1 draws it again");
    assert!(drawn.contains("ROLLED BACK") && drawn.contains("prefers-color-scheme: dark"));
}

#[test]
fn the_readme_is_read_in_a_minute() {
    let readme = fs::read_to_string(home().join("../../../README.md")).unwrap();
    assert!(readme.lines().count() <= 150, "{}", readme.lines().count());
}
