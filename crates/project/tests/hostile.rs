//! No file makes a reader panic, go on for ever, or take memory without end: whatever it is, it is read or refused within a time.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read has failed")]

mod as_text;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use as_text::as_text;
use project::adopt::{Answer, of_file};
use project::{File, Format, Lookup, Project};
use proptest::prelude::*;
use proptest::sample::Index;

const FORMATS: [Format; 5] = [Format::Canary, Format::Serverless, Format::ServerlessState, Format::Sam, Format::AppSpec];

/// What a file may cost: unoptimised code on a busy machine gets this long, most files take a thousandth.
const LIMIT: Duration = Duration::from_secs(20);

fn lookup() -> Lookup {
    Lookup { stage: Some("prod".to_owned()), parameters: [("Alias".to_owned(), "live".to_owned())].into(), ..Lookup::default() }
}

/// Reads it as this format, and writes what could be read as `canary.yml`.
#[expect(clippy::disallowed_methods, reason = "how long a reader takes is what is tested")]
fn survive_as(format: Format, bytes: &[u8], lookup: &Lookup) {
    let begun = Instant::now();
    match project::read(format, File { name: "file", bytes }, None, lookup) {
        Ok(project) => {
            assert!(project.functions.len() <= 1000);
            comes_back(&project);
        }
        Err(problems) => {
            let problems = problems.to_string();
            assert!(!problems.is_empty() && problems.len() < 200_000, "{} bytes of problems", problems.len());
        }
    }
    assert!(begun.elapsed() < LIMIT, "{format}: {:?}", begun.elapsed());
}

/// Whatever could be read means the same when it is written as `canary.yml` and read again.
fn comes_back(project: &Project) {
    let written = project::canary_yml(project);
    match project::read(Format::Canary, File { name: "written", bytes: written.as_bytes() }, None, &Lookup::default()) {
        Ok(again) => assert_eq!(as_text(&again, false), as_text(project, false), "{written}"),
        Err(problems) => panic!("{problems}\n{written}"),
    }
}

/// A pipeline may print it: names that attack are escaped, and mean the same.
#[test]
fn what_is_written_of_a_file_steers_no_terminal_and_commands_no_ci_system() {
    let attack = r"x ##vso[task]y ##[z] \u202e\u200b\u009b1m \U000e0041";
    let yaml = &format!(
        "functions: {{hello: {{type: AllAtOnce, alarms: [{{name: a, namespace: \"{attack}\", metric: Errors, threshold: 1}}]}}}}"
    );
    let read = |text: &str| {
        project::read(Format::Canary, File { name: "canary.yml", bytes: text.as_bytes() }, None, &Lookup::default()).unwrap()
    };
    let written = project::canary_yml(&read(yaml));
    assert!(
        !written.contains("##") && written.chars().all(|letter| letter == '\n' || (' '..='~').contains(&letter)),
        "{written}"
    );
    assert_eq!(as_text(&read(&written), false), as_text(&read(yaml), false));
}

/// Reads it as what stands beside a template.
fn as_samconfig(bytes: &[u8]) {
    let template = b"Resources: {A: {Type: AWS::Serverless::Function}}";
    for name in ["samconfig.toml", "samconfig.yaml"] {
        let beside = Some(File { name, bytes });
        let _ = project::read(Format::Sam, File { name: "template.yaml", bytes: template }, beside, &lookup());
    }
}

/// Reads it as YAML and as TOML: what is in it does not matter.
fn parse(bytes: &[u8]) {
    survive_as(Format::Canary, bytes, &Lookup::default());
    as_samconfig(bytes);
    adopt(bytes);
}

/// Reads it as every format, and as what stands beside a template.
fn survive(bytes: &[u8]) {
    for format in FORMATS {
        survive_as(format, bytes, &lookup());
        survive_as(format, bytes, &Lookup::default());
    }
    as_samconfig(bytes);
    let _ = project::format_of(File { name: "file", bytes });
    adopt(bytes);
}

/// Looks in it for an alias to hand over: what would be written is handed over.
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn adopt(bytes: &[u8]) {
    for name in ["template.yaml", "main.tf", "main.tf.json"] {
        let begun = Instant::now();
        if let Ok(Answer::Edited(after)) = of_file(File { name, bytes }).map(|found| found.answer) {
            let again = of_file(File { name, bytes: after.as_bytes() }).unwrap();
            assert_eq!(again.answer, Answer::HandedOver, "{after}");
        }
        assert!(begun.elapsed() < LIMIT, "{name}: {:?}", begun.elapsed());
    }
}

fn lines(many: usize, row: impl Fn(usize) -> String) -> String {
    (0..many).map(row).collect()
}

fn repeated(part: &str, bytes: usize) -> Vec<u8> {
    part.repeat(bytes / part.len()).into_bytes()
}

const TEN_MB: usize = 10 * 1024 * 1024;

#[test]
fn nesting_without_end() {
    for part in ["[", "{a: ", "- ", "? ", "[{a: ", "!If [", "a: {<<: ", "{\"Fn::If\": [A, "] {
        parse(&repeated(part, 300_000));
    }
    let stairs = (0..2000).fold(String::new(), |text, depth| text + &" ".repeat(depth) + "a:\n");
    parse(stairs.as_bytes());
    parse(&repeated("a.", 300_000));
    parse(&[b"a = ".to_vec(), repeated("[", 300_000)].concat());
}

#[test]
fn aliases_that_multiply() {
    let bomb = |row: fn(usize) -> String| (1..30).map(row).collect::<String>();
    let lists = bomb(|n| format!("a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9)));
    parse(format!("a0: &a0 x\n{lists}functions: *a29\n").as_bytes());
    let merges = bomb(|n| format!("a{n}: &a{n} {{<<: [*a{0}, *a{0}], k{n}: *a{0}}}\n", n - 1));
    parse(format!("a0: &a0 {{b: c}}\n{merges}functions: *a29\n").as_bytes());
    let nested = "&a [".repeat(50) + &"]".repeat(50);
    parse(nested.as_bytes());
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(100_000));
    parse(long.as_bytes());
}

#[test]
fn files_of_terraform_that_never_end() {
    let alias = "resource \"aws_lambda_alias\" \"a\" {\n";
    for part in
        ["a {", "a = [", "a = \"${", "a = \"", "<<A\n", "/*", "a = <<A\n", "lifecycle {\n", "a = {\n", "\\", "x = 1\n", "# \n"]
    {
        adopt(&[alias.as_bytes().to_vec(), repeated(part, 300_000)].concat());
    }
    let many = lines(3000, |n| format!("resource \"aws_lambda_alias\" \"a{n}\" {{\n  name = \"live\"\n}}\n"));
    adopt(many.as_bytes());
    let template =
        lines(1000, |n| format!("  F{n}: {{Type: AWS::Lambda::Alias, Properties: {{FunctionVersion: 1, Description: x}}}}\n"));
    adopt(format!("Resources:\n{template}").as_bytes());
}

#[test]
fn ten_megabytes() {
    for part in ["- a\n", "a", "\"", "# \n", "'a': b\n", "- {a: b}\n", "\n", "&a ", "!a ", "| \n", "${", "\u{feff}"] {
        parse(&repeated(part, TEN_MB));
    }
}

#[test]
fn many_of_everything() {
    let many = |row: fn(usize) -> String| lines(5_000, row);
    let functions = many(|n| {
        format!("  f{n}: {{type: AllAtOnc, alis: a, alarms: [{{nam: x}}], deploymentSettings: {{typ: x, alias: 1}}}}\n")
    });
    survive(format!("functions:\n{functions}").as_bytes());
    survive(format!("service: a\nfunctions:\n{}", many(|n| format!("  f{n}: *d\n")).replace("*d", "{}")).as_bytes());
    let alarms = "alarm, ".repeat(90);
    let few = lines(900, |n| format!("  f{n}: {{name: '{}'}}\n", "x".repeat(1500)));
    survive(format!("defaults: {{alarms: [{alarms}], bake: x}}\nfunctions:\n{few}").as_bytes());
    let resources =
        many(|n| format!("  R{n}: {{Type: AWS::Serverless::Function, Properties: {{AutoPublishAlias: !Ref A{n}}}}}\n"));
    let globals = "Globals: {Function: {DeploymentPreference: {Type: !Sub '${A}${B}', Hooks: {Pre: x}}}}\n";
    survive(format!("{globals}Resources:\n{resources}").as_bytes());
    let entries = many(|n| format!("  - R{n}: {{Type: AWS::Lambda::Function, Properties: {{Name: a b, Alias: 1}}}}\n"));
    survive(format!("Resources:\n{entries}").as_bytes());
    let alerts = format!("custom: {{alerts: {{alarms: [{}]}}}}\n", "functionErrors, ".repeat(20_000));
    survive(format!("service: a\n{alerts}functions:\n{}", lines(999, |n| format!("  f{n}: {{}}\n"))).as_bytes());
}

#[test]
fn variables_and_conditions_that_multiply() {
    let rows = lines(40, |n| format!("  a{n}: ${{self:custom.a{0}}}${{self:custom.a{0}, self:custom.a{0}}}\n", n + 1));
    let functions = "functions: {f: {deploymentSettings: {alias: '${self:custom.a20}', type: '${self:custom.a1}'}}}\n";
    survive(format!("service: a\ncustom:\n{rows}  a40: x\n{functions}").as_bytes());
    let conditions = lines(40, |n| format!("  C{n}: !And [!Condition C{0}, !Condition C{0}]\n", n + 1));
    let function = "Resources: {F: {Type: AWS::Serverless::Function, Condition: C0, Properties: {DeploymentPreference: {}}}}\n";
    survive(format!("Conditions:\n{conditions}  C40: !Equals [a, a]\n{function}").as_bytes());
    let subs = format!("!Sub ['{}', {{A: !Sub ['{}', {{A: x}}]}}]", "${A}".repeat(900), "${A}".repeat(900));
    survive(format!("Resources: {{F: {{Type: AWS::Serverless::Function, Properties: {{FunctionName: {subs}, AutoPublishAlias: a, DeploymentPreference: {{}}}}}}}}").as_bytes());
}

/// How many inputs of each kind.
const CASES: u32 = 300;

/// Every file among the fixtures.
static FIXTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut folders: Vec<PathBuf> = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap() != "expected" {
                files.push(path);
            }
        }
    }
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
});

/// Signs and words that mean something in one format or another.
const SIGNS: [&str; 26] = [
    "\n", "  ", "- ", ": ", "&a ", "*a", "<<: ", "!Ref ", "!Sub ", "!If ", "[", "]", "{", "}", "${", "}", "'", "\"", "|", ">",
    "#", "? ", "\t", "\u{0}", "---\n", "null",
];
const WORDS: [&str; 4] = ["\u{feff}", "\u{1f600}", "%YAML 9.9\n", "self:custom."];

fn piece() -> impl Strategy<Value = &'static str> {
    prop_oneof![26 => proptest::sample::select(&SIGNS[..]), 4 => proptest::sample::select(&WORDS[..])]
}

/// Changes of a file: where, how much, and to what.
fn change() -> impl Strategy<Value = (Index, usize, Vec<u8>)> {
    let put = prop_oneof![piece().prop_map(|piece| piece.as_bytes().to_vec()), proptest::collection::vec(any::<u8>(), 0..4)];
    (any::<Index>(), 0..12_usize, put)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        survive(&bytes);
    }

    #[test]
    fn any_pieces(pieces in proptest::collection::vec(piece(), 0..80)) {
        survive(pieces.concat().as_bytes());
    }

    #[test]
    fn fixtures_with_changes(which in any::<Index>(), changes in proptest::collection::vec(change(), 1..6)) {
        let mut bytes = which.get(&FIXTURES).clone();
        for (place, cut, put) in changes {
            let start = place.index(bytes.len() + 1);
            let end = (start + cut).min(bytes.len());
            bytes.splice(start..end, put);
        }
        survive(&bytes);
    }

    /// Two fixtures, one after the other, from somewhere to somewhere.
    #[test]
    fn fixtures_put_together(one in any::<Index>(), other in any::<Index>(), cut in any::<Index>(), join in any::<Index>()) {
        let (one, other) = (one.get(&FIXTURES), other.get(&FIXTURES));
        let head = &one[..cut.index(one.len() + 1)];
        let tail = &other[join.index(other.len() + 1)..];
        survive(&[head, tail].concat());
    }
}
