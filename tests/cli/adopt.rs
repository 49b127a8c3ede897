//! `adopt`: what it prints, what it writes and what it does not, and that no request is sent.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::folder::Folder;
use crate::served::{canaryctl, expect, expect_all, text};

const TEMPLATE: &str = "Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler # shop
      AutoPublishAlias: live
      DeploymentPreference: {Type: Linear10PercentEvery1Minute}
";

fn piped(arguments: &str, input: &str) -> Output {
    let mut command = canaryctl();
    command.args(arguments.split_whitespace()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_change_is_printed_then_written_once() {
    let template = TEMPLATE;
    let folder = Folder::new("adopt-twice", &[("template.yaml", template)]);
    let file = folder.0.join("template.yaml");
    let printed = expect_all(
        folder.offline("adopt"),
        0,
        &[
            "template.yaml (SAM): Hello:live",
            "+      AutoPublishCodeSha256: canaryctl0",
            "migration deploy",
            "what moves",
            "check",
        ],
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), template, "nothing was asked to be written");
    // What is printed is a diff that other tools take.
    let patched = Folder::new("adopt-patched", &[("template.yaml", template)]);
    let mut patch = Command::new("patch");
    let there = patch.args(["-s", "template.yaml"]).current_dir(&patched.0).stdin(Stdio::piped()).spawn();
    let is_there = there.is_ok();
    if let Ok(mut patch) = there {
        patch.stdin.take().unwrap().write_all(&printed.stdout).unwrap();
        assert!(patch.wait().unwrap().success());
    }
    expect_all(folder.offline("adopt --write"), 0, &["template.yaml (SAM)", "written", "migration deploy"]);
    let written = fs::read_to_string(&file).unwrap();
    if is_there {
        assert_eq!(written, fs::read_to_string(patched.0.join("template.yaml")).unwrap());
    }
    let changed = template
        .replace("live\n", "live\n      AutoPublishCodeSha256: canaryctl0\n")
        .replace("Minute}", "Minute, Enabled: false}");
    assert_eq!(written, changed);
    for arguments in ["adopt --write", "adopt", "adopt template.yaml --write"] {
        let output = expect(folder.offline(arguments), 0, "already handed over");
        assert!(!text(&output).contains("migration deploy"), "{}", text(&output));
        assert_eq!(fs::read_to_string(&file).unwrap(), changed);
    }
    assert_eq!(folder.files(), ["template.yaml"]);
}

#[cfg(unix)]
#[test]
fn a_file_keeps_its_permissions_and_a_link_stays_a_link() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("adopt-mode", &[("template.yaml", TEMPLATE)]);
    let file = folder.0.join("template.yaml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    expect(folder.offline("adopt --write"), 0, "written");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(folder.files(), ["template.yaml"]);
    let linked = Folder::new("adopt-link", &[("real.txt", TEMPLATE)]);
    std::os::unix::fs::symlink("real.txt", linked.0.join("template.yaml")).unwrap();
    expect(linked.offline("adopt --write"), 0, "written");
    assert!(fs::symlink_metadata(linked.0.join("template.yaml")).unwrap().is_symlink());
    assert!(fs::read_to_string(linked.0.join("real.txt")).unwrap().contains("canaryctl0"));
}

#[test]
fn a_file_steers_no_terminal() {
    let folder = Folder::new("adopt-hostile", &[("template.yaml", &TEMPLATE.replace("shop", "##[error]x"))]);
    let printed = text(&expect(folder.offline("adopt"), 0, ""));
    assert!(!printed.contains("##[") && printed.contains("## [error]x"), "{printed}");
    let folder = Folder::new(
        "adopt-escape",
        &[("main.tf", "# \u{1b}[31m\nresource \"aws_lambda_alias\" \"live\" {\n\tname = \"live\"\n}\n")],
    );
    let printed = text(&expect(folder.offline("adopt"), 0, "ignore_changes"));
    assert!(!printed.contains('\u{1b}') && printed.contains("\n \tname"), "{printed}");
}

#[test]
fn what_cannot_be_written_safely_is_not_written() {
    let shared = "Resources:
  A: {Type: AWS::Serverless::Function, Properties: {AutoPublishAlias: live, DeploymentPreference: &p {Type: AllAtOnce}}}
  B: {Type: AWS::Serverless::StateMachine, Properties: {DeploymentPreference: *p}}
";
    let folder = Folder::new("adopt-unsafe", &[("template.yaml", shared)]);
    expect_all(folder.offline("adopt"), 3, &["write in Resources.A.Properties:", "AutoPublishCodeSha256: canaryctl0"]);
    expect_all(folder.offline("adopt --write"), 3, &["nothing was written", "write in Resources.A.Properties:"]);
    assert_eq!(fs::read_to_string(folder.0.join("template.yaml")).unwrap(), shared);
    // A program: the lines are what was asked for.
    let folder = Folder::new("adopt-cdk", &[("cdk.json", r#"{"app": "npx ts-node bin/app.ts"}"#)]);
    expect_all(folder.offline("adopt"), 0, &["cdk.json (CDK)", "new lambda.Version(this, 'CanaryctlBase'"]);
    expect(folder.offline("adopt --write"), 3, "nothing was written");
    let folder = Folder::new("adopt-pulumi", &[("Pulumi.yaml", "name: shop\nruntime: python\n")]);
    expect(folder.offline("adopt"), 0, "ignore_changes=[");
}

#[test]
fn one_file_is_written_or_none() {
    let alias = "resource \"aws_lambda_alias\" \"live\" {\n  name = \"live\"\n}\n";
    let folder = Folder::new("adopt-several", &[("a.tf", alias), ("b.tf", alias), ("c.tf", "locals {}\n")]);
    expect_all(folder.offline("adopt"), 0, &["a.tf (Terraform)", "b.tf (Terraform)"]);
    expect_all(folder.offline("adopt --write"), 2, &["a.tf --write", "b.tf --write"]);
    assert_eq!(fs::read_to_string(folder.0.join("a.tf")).unwrap(), alias);
    expect(folder.offline("adopt a.tf --write"), 0, "written");
    expect(folder.offline("adopt --write"), 0, "written");
    expect_all(folder.offline("adopt --write"), 0, &["a.tf", "b.tf", "already handed over"]);
}

#[test]
fn wrong_usage_says_what_is_right() {
    let folder = Folder::new("adopt-usage", &[("notes.yaml", "a: b\n"), ("bad.yaml", "a: [\n")]);
    for (arguments, words) in [
        ("adopt", "is here"),
        ("adopt nowhere", "does not exist"),
        ("adopt notes.yaml", "is not a SAM or CloudFormation template"),
        ("adopt bad.yaml", "bad.yaml:"),
        ("adopt --template notes.yaml", "is not a template"),
        ("adopt --template nowhere", "cannot read"),
        ("adopt --change-set notes.yaml", "is not a change set"),
        ("adopt --write --template x", "cannot be used with"),
    ] {
        expect(folder.offline(arguments), 2, words);
    }
}

#[test]
fn a_template_or_a_change_set_says_whether_a_deploy_moves_the_alias() {
    let template = |version: &str| {
        format!(
            "Resources:\n  Base: {{Type: AWS::Lambda::Version, DeletionPolicy: Retain, Properties: {{FunctionName: hello}}}}\n  Live: {{Type: \
             AWS::Lambda::Alias, Properties: {{FunctionName: hello, Name: live, FunctionVersion: {version}}}}}\n"
        )
    };
    expect(piped("adopt --template -", &template("!GetAtt Base.Version")), 0, "stays      Live: ");
    expect(piped("adopt --template -", &template("'$LATEST'")), 0, "stays      Live: ");
    expect_all(piped("adopt --template -", &template("'{{resolve:ssm:x}}'")), 3, &["moves      Live: ", "fix: "]);
    let answer = serde_json::json!({ "TemplateBody": template("!GetAtt Base.Version") }).to_string();
    expect(piped("adopt --template -", &answer), 0, "stays      Live: ");
    expect(piped("adopt --template -", TEMPLATE), 2, "--template-stage Processed");
    expect(piped("adopt --template -", "Resources: {A: {Type: AWS::S3::Bucket}}"), 0, "no alias");
    let change_set = |kind: &str, name: &str| {
        serde_json::json!({"Status": "CREATE_COMPLETE", "Changes": [{"ResourceChange": {
            "Action": "Modify", "LogicalResourceId": name, "ResourceType": kind, "Scope": ["Properties"]
        }}]})
        .to_string()
    };
    expect(piped("adopt --change-set -", &change_set("AWS::Lambda::Alias", "Live")), 3, "moves      Live: ");
    expect(piped("adopt --change-set -", &change_set("AWS::Lambda::Function", "Hello")), 0, "no alias is in this change set");
    let hostile = text(&piped("adopt --change-set -", &change_set("AWS::Lambda::Alias", "Live\\u001b[31m\n::error::x")));
    assert!(!hostile.contains('\u{1b}') && !hostile.contains("\n::error"), "{hostile}");
}

#[test]
fn no_request_is_sent() {
    let folder = Folder::new("adopt-offline", &[("template.yaml", TEMPLATE)]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let run = |arguments: &str| {
        let mut command = canaryctl();
        command.args(arguments.split_whitespace()).current_dir(&folder.0).env("AWS_REGION", "us-east-1");
        command.env("AWS_ENDPOINT_URL", format!("http://{}", listener.local_addr().unwrap()));
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        let asked = loop {
            let (asked, ended) = (listener.accept().is_ok(), child.try_wait().unwrap());
            if asked || ended.is_some() || begun.elapsed() > Duration::from_mins(1) {
                break asked;
            }
            thread::sleep(Duration::from_millis(5));
        };
        let _ = child.kill();
        child.wait().unwrap();
        asked
    };
    for arguments in ["adopt", "adopt --write", "adopt", "adopt --template template.yaml", "adopt --change-set template.yaml"] {
        assert!(!run(arguments), "{arguments}");
    }
    assert!(run("status hello"), "another command does send one");
}
