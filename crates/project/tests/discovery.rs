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

#[test]
fn a_state_that_is_older_than_a_file_that_was_included_is_not_read() {
    let included = YAML.replace("{hello: {deploymentSettings: {type: AllAtOnce, alias: live}}}", "{hello: '${file(hello.yml)}'}");
    let hello = b"deploymentSettings: {type: AllAtOnce, alias: live}";
    let files: [(&str, &[u8]); 3] =
        [("serverless.yml", included.as_bytes()), (STATE_FILE, STATE.as_bytes()), ("hello.yml", hello)];
    let project = discover::find(&folder("included", &files), &Lookup::default()).unwrap().unwrap();
    assert_eq!((project.format, project.functions.len()), (Format::Serverless, 1));
    assert!(project.notes[0].message.contains("a file that it includes is newer"), "{:?}", project.notes);
    let files = [files[0], files[2], files[1]];
    let project = discover::find(&folder("included-fresh", &files), &Lookup::default()).unwrap().unwrap();
    assert_eq!(project.format, Format::ServerlessState);
}

#[test]
fn a_program_that_was_changed_since_is_a_warning() {
    let program: (&str, &[u8]) = ("serverless.ts", b"export default {}");
    let project = discover::find(&folder("program", &[(STATE_FILE, STATE.as_bytes()), program]), &Lookup::default());
    let project = project.unwrap().unwrap();
    assert_eq!(project.format, Format::ServerlessState);
    assert_eq!(
        project.notes[0].to_string(),
        ".serverless/serverless-state.json: `serverless.ts` was changed 60m after this was packaged\n  \
         hint: run `serverless package` again"
    );
    let project = discover::find(&folder("program-fresh", &[program, (STATE_FILE, STATE.as_bytes())]), &Lookup::default());
    assert!(project.unwrap().unwrap().notes.is_empty());
}

#[test]
fn any_case_of_a_name_is_found_and_the_usual_one_first() {
    let lambda: &[u8] = b"Resources: [{a: {Type: AWS::Lambda::Function, Properties: {Name: a, Alias: live}}}]";
    let project = discover::find(&folder("cases", &[("APPSPEC.yml", lambda), ("AppSpec.yml", lambda)]), &Lookup::default());
    assert_eq!(project.unwrap().unwrap().file, "APPSPEC.yml");
    let project = discover::find(&folder("usual", &[("AppSpec.yml", lambda), ("appspec.yml", lambda)]), &Lookup::default());
    assert_eq!(project.unwrap().unwrap().file, "appspec.yml");
    let folder = folder("beside", &[("app.yml", b"AutoPublishAlias: live"), ("serverless.cjs", b""), ("notes.yml", b"a: b")]);
    assert!(discover::find(&folder, &Lookup::default()).unwrap().is_none());
    let over: Vec<String> = discover::passed_over(&folder).iter().map(|note| note.place.to_string()).collect();
    assert_eq!(over, ["app.yml", "serverless.cjs"]);
}

#[test]
fn a_format_is_told_by_the_content_and_else_by_the_name() {
    let rows = [
        ("x.yml", "service: a", Format::Serverless),
        ("canary.yml", "service: a\nfunctions: {hello: {handler: a.b}}", Format::Serverless),
        ("x.yml", "functions: {hello: {handler: a.b, deploymentSettings: {}}}", Format::Serverless),
        ("x.yml", "functions: [{hello: {}}]", Format::Serverless),
        ("x.yml", "custom: {deploymentSettings: {}}", Format::Serverless),
        ("serverless.yml", "functions: {hello: {name: a}}", Format::Serverless),
        ("serverless.yml", "functions: {hello: {type: AllAtOnce}}", Format::Canary),
        ("x.yml", "functions: {hello: {name: a}}", Format::Canary),
        ("template.yaml", "resources: [{hello: {}}]", Format::AppSpec),
        ("serverless.yml", "version: 0.0\nos: linux", Format::AppSpec),
        ("x.json", "{\"Globals\": {}}", Format::Sam),
        ("x.json", "{\"AWSTemplateFormatVersion\": \"2010-09-09\"}", Format::Sam),
        ("../somewhere/template.yaml", "a: b", Format::Sam),
        ("x.yml", "", Format::Canary),
    ];
    for (name, text, expected) in rows {
        let file = project::File { name, bytes: text.as_bytes() };
        assert_eq!(project::format_of(file).unwrap(), expected, "{name}: {text}");
    }
}
