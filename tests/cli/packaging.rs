//! The action, the image, the packages and the pipelines in the guide match the binary.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::folder::Folder;
use crate::served::{SHORT, Served, expect, run, text};
use serde_json::Value;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn yaml(name: &str, text: &str) -> Value {
    project::as_json(name, text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn help(command: &str) -> String {
    text(&run(&format!("{command} --help")))
}

/// The commands of canaryctl in a text, with their options.
fn typed(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', '-'])) {
        for part in line.split("canaryctl ").skip(1) {
            let mut words = part.split(|letter: char| letter.is_whitespace() || "'\"`".contains(letter));
            let command = words.next().unwrap_or_default().to_owned();
            let options = words.filter(|word| word.starts_with("--")).map(|word| word.split('=').next().unwrap().to_owned());
            found.push((command, options.collect()));
        }
    }
    found
}

#[test]
fn the_action_uses_what_it_declares_and_what_there_is() {
    let text = read("action.yml");
    let action = yaml("action.yml", &text);
    let declared: BTreeSet<&str> = action["inputs"].as_object().unwrap().keys().map(String::as_str).collect();
    let used: BTreeSet<&str> = text
        .split("${{ inputs.")
        .skip(1)
        .map(|rest| rest.split(|letter: char| !letter.is_alphanumeric()).next().unwrap())
        .collect();
    assert_eq!(declared, used, "every input is used, and every one that is used is declared");
    // Every output is one that the binary writes.
    let written = std::env::temp_dir().join(format!("canaryctl-outputs-{}", std::process::id()));
    let output = Served::start().command(&format!("{SHORT} --ci github")).env("GITHUB_OUTPUT", &written).output().unwrap();
    expect(output, 0, "");
    let outputs = std::fs::read_to_string(&written).unwrap();
    std::fs::remove_file(written).unwrap();
    for (name, output) in action["outputs"].as_object().unwrap() {
        assert_eq!(output["value"], format!("${{{{ steps.rollout.outputs.{name} }}}}"));
        assert!(
            outputs.lines().any(|line| line.starts_with(&format!("{name}=")) || line.starts_with(&format!("{name}<<"))),
            "{name}: {outputs}"
        );
    }
    // `id: rollout` is the step that runs it, by `exec`; the one after it cleans up.
    let steps = action["runs"]["steps"].as_array().unwrap();
    let step = |of: &dyn Fn(&Value) -> bool| steps.iter().find(|step| of(step)).unwrap()["run"].as_str().unwrap();
    assert!(step(&|step| step["id"] == "rollout").contains("exec \"$COMMAND\" rollout ${FUNCTION:+\"$FUNCTION\"}"));
    assert!(step(&|step| step["if"] == "cancelled()").contains("\"$COMMAND\" abort ${FUNCTION:+\"$FUNCTION\"} --mine"));
    assert!(help("abort").contains("--mine"));
}

#[test]
fn the_pipelines_in_the_guide_can_be_copied() {
    let page = read("bin/canaryctl/guide/ci.md");
    let blocks: Vec<String> = page
        .split("\n\n")
        .filter(|block| block.lines().all(|line| line.starts_with("    ")))
        .map(|block| block.lines().map(|line| &line[4..]).collect::<Vec<_>>().join("\n"))
        .collect();
    let block = |word: &str| blocks.iter().find(|block| block.contains(word)).unwrap_or_else(|| panic!("no block with {word}"));
    let github = yaml("github", block("if: cancelled()"));
    assert!(github[0]["run"].as_str().unwrap().starts_with("exec canaryctl rollout "), "{github}");
    let gitlab = yaml("gitlab", block("after_script"));
    assert!(gitlab["deploy"]["script"].as_str().unwrap().starts_with("exec canaryctl rollout "), "{gitlab}");
    let action = yaml("uses", block("uses: ./canaryctl"));
    let inputs = yaml("action.yml", &read("action.yml"));
    for input in action[0]["with"].as_object().unwrap().keys() {
        assert!(inputs["inputs"].get(input).is_some(), "{input}");
    }
    let mut count = 0;
    for (command, options) in blocks.iter().flat_map(|block| typed(block)).filter(|(command, _)| !command.starts_with('[')) {
        let help = help(&command);
        assert!(help.contains("Usage: canaryctl"), "`canaryctl {command}`: {help}");
        for option in options {
            assert!(help.contains(&option), "`canaryctl {command} {option}`");
            count += 1;
        }
    }
    assert!(count >= 8, "{count}");
}

#[test]
fn the_image_is_built_from_what_is_here() {
    let dockerfile = read("Dockerfile");
    let manifest = read("Cargo.toml");
    let floor = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"').to_owned();
    let image = dockerfile.split("FROM rust:").nth(1).unwrap().split('-').next().unwrap();
    let number = |text: &str| text.split('.').take(2).map(|part| part.parse::<u32>().unwrap()).collect::<Vec<_>>();
    assert!(number(image) >= number(&floor), "rust {image} builds what asks for {floor}");
    assert!(dockerfile.contains("--bin canaryctl") && dockerfile.contains("ENTRYPOINT [\"/canaryctl\"]"));
}

#[test]
fn the_package_has_every_page_and_completion_that_the_binary_writes() {
    let (manifest, script) = (read("Cargo.toml"), read("scripts/package"));
    let assets = manifest.split("assets = [").nth(1).unwrap().split("\n]").next().unwrap();
    for (made, place) in [
        ("package/man/*.1.gz", "usr/share/man/man1/"),
        ("package/canaryctl.bash", "usr/share/bash-completion/completions/canaryctl"),
        ("package/canaryctl.zsh", "usr/share/zsh/vendor-completions/_canaryctl"),
        ("package/canaryctl.fish", "usr/share/fish/vendor_completions.d/canaryctl.fish"),
    ] {
        assert!(assets.contains(&format!("[\"target/release/{made}\", \"{place}\", \"644\"]")), "{made}: {assets}");
    }
    assert!(script.contains("for shell in bash zsh fish") && script.contains("man \"$made/man\""));
    for asset in assets.lines().filter_map(|line| line.trim().strip_prefix("[\"")).filter(|asset| !asset.starts_with("target/")) {
        let file = asset.split('"').next().unwrap();
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(file).is_file(), "{file}");
    }
}

/// The package for this machine, with a binary that ends at `exit 7`, in `folder`.
fn npm_binary(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("canaryctl"), "#!/bin/sh\necho \"$$ $*\"\nexit 7\n").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(folder.join("canaryctl")).status().unwrap().success());
}

#[test]
fn the_npm_package_becomes_the_binary_for_this_machine() {
    let folder = Folder::new("npm", &[]);
    let modules = folder.0.join("node_modules");
    let package = modules.join("canaryctl");
    std::fs::create_dir_all(modules.join(".bin")).unwrap();
    std::fs::create_dir_all(&package).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("bin/npm/canaryctl");
    std::fs::copy(shipped, package.join("canaryctl")).unwrap();
    std::os::unix::fs::symlink("../canaryctl/canaryctl", modules.join(".bin/canaryctl")).unwrap();
    let call =
        || Command::new(modules.join(".bin/canaryctl")).args(["rollout", "two words"]).stdout(Stdio::piped()).spawn().unwrap();
    let output = call().wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "there is no binary yet");
    let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let cpu = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    // Beside it, and below it, as `npm install --global` does.
    for beside in [modules.clone(), package.join("node_modules")] {
        let binary = beside.join(format!("canaryctl-{system}-{cpu}"));
        npm_binary(&binary);
        let process = call();
        let id = process.id();
        let output = process.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(7));
        // The same process: what is sent to it reaches the binary.
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{id} rollout two words\n"));
        std::fs::remove_dir_all(binary).unwrap();
    }
}

#[test]
fn every_package_has_the_binarys_version_and_every_platform_is_released() {
    let json = |name: &str| -> Value { serde_json::from_str(&read(name)).unwrap() };
    let npm = json("bin/npm/package.json");
    assert_eq!(npm["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json("bin/serverless-canaryctl/package.json")["version"], env!("CARGO_PKG_VERSION"));
    let script = read("bin/npm/canaryctl");
    for (name, version) in npm["optionalDependencies"].as_object().unwrap() {
        assert_eq!(version, env!("CARGO_PKG_VERSION"), "{name}");
        assert!(script.contains(&format!("package={name} ")), "{name}");
    }
    // What the action asks for is what the workflow builds and what `dist` is told of.
    let (action, manifest, workflow) =
        (read("scripts/install-release"), read("Cargo.toml"), read(".github/workflows/release.yml"));
    let targets = manifest.lines().find_map(|line| line.strip_prefix("targets = [")).unwrap().trim_end_matches(']');
    let targets: Vec<&str> = targets.split(", ").map(|target| target.trim_matches('"')).collect();
    assert_eq!(targets.len(), npm["optionalDependencies"].as_object().unwrap().len());
    for target in targets {
        assert!(action.contains(&format!("echo {target} ")) || action.contains(&format!("echo {target}\n")), "{target}");
        assert!(workflow.contains(target), "{target}");
    }
}
