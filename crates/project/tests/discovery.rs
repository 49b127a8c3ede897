//! Of several files in a folder, the one is read that says most surely what will run, and the others are named.

#![expect(clippy::unwrap_used, reason = "a folder that cannot be made has failed")]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use project::{Format, Lookup, discover};

const YAML: &str = "service: s\nfunctions: {hello: {deploymentSettings: {type: AllAtOnce, alias: live}}}\n";
const STATE: &str = r#"{"service": {"service": "s", "provider": {"stage": "dev"},
    "functions": {"hello": {"name": "s-dev-hello", "deploymentSettings": {"type": "AllAtOnce", "alias": "live"}}}}}"#;

/// A folder with these files, the later ones written later.
fn folder(name: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join(".serverless")).unwrap();
    for ((path, bytes), hours) in files.iter().zip(1..) {
        fs::write(folder.join(path), bytes).unwrap();
        let file = fs::File::options().append(true).open(folder.join(path)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_hours(hours)).unwrap();
    }
    folder
}

const STATE_FILE: &str = ".serverless/serverless-state.json";

#[test]
fn a_state_goes_before_the_file_it_was_packaged_from() {
    let folder = folder("fresh", &[("serverless.yml", YAML.as_bytes()), (STATE_FILE, STATE.as_bytes())]);
    let project = discover::find(&folder, &Lookup::default()).unwrap().unwrap();
    assert_eq!((project.format, project.notes.len()), (Format::ServerlessState, 0));
}

#[test]
fn a_state_that_is_older_does_not() {
    let folder = folder("stale", &[(STATE_FILE, STATE.as_bytes()), ("serverless.yml", YAML.as_bytes())]);
    let project = discover::find(&folder, &Lookup::default()).unwrap().unwrap();
    assert_eq!(project.format, Format::Serverless);
    assert_eq!(
        project.notes[0].to_string(),
        ".serverless/serverless-state.json: `serverless.yml` is read instead: it is newer than this package\n  \
         hint: run `serverless package` again"
    );
}

#[test]
fn an_empty_folder_says_nothing() {
    assert!(discover::find(&folder("empty", &[]), &Lookup::default()).unwrap().is_none());
    assert!(discover::find(&PathBuf::from("/nowhere/at/all"), &Lookup::default()).unwrap().is_none());
}

#[test]
fn a_named_file_is_read_by_what_stands_in_it() {
    let folder = folder(
        "named",
        &[("a.yml", YAML.as_bytes()), ("b.json", STATE.as_bytes()), ("c", b"functions: {hello: {type: AllAtOnce}}")],
    );
    let rows = [("a.yml", Format::Serverless), ("b.json", Format::ServerlessState), ("c", Format::Canary)];
    for (name, format) in rows {
        let project = discover::read_named(&folder.join(name), &Lookup::default()).unwrap();
        assert_eq!((project.format, project.functions.len()), (format, 1), "{name}");
        assert_eq!(project.file, folder.join(name).display().to_string());
    }
    let missing = discover::read_named(&folder.join("d"), &Lookup::default()).unwrap_err();
    assert_eq!(missing.to_string(), format!("{}: the file does not exist", folder.join("d").display()));
}

#[test]
fn what_is_no_text_or_too_long_is_refused() {
    let too_long = vec![b'#'; 11 * 1024 * 1024];
    for (name, bytes, problem) in [
        ("latin", &b"functions:\n  caf\xe9: {}\n"[..], "canary.yml:2:6: this is not UTF-8"),
        ("long", &too_long, "canary.yml: the file is larger than 10 MB"),
    ] {
        let problems = discover::find(&folder(name, &[("canary.yml", bytes)]), &Lookup::default()).unwrap_err();
        assert_eq!(problems.to_string(), problem);
    }
}
