//! What hands an alias of a template over to canaryctl: the file before and after, and nothing else of it is different.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a fixture that cannot be read has failed")]

mod adopted;
mod as_text;

use std::fs;
use std::path::{Path, PathBuf};

use adopted::{becomes, edited, handover, unsafe_lines};
use as_text::as_text;
use project::adopt::{Answer, diff, of_file, of_folder};
use project::{File, Format, Lookup, Project, template_json};
use rollout::template::{Movement, overall, verdicts};

#[test]
fn hooks_that_were_written_for_codedeploy_are_named() {
    let notes = |preference: &str| {
        let text = format!(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n  A:\n    Type: AWS::Serverless::Function\n    Properties:\n      AutoPublishAlias: live\n      DeploymentPreference: {preference}\n"
        );
        handover("template.yaml", &text).notes.concat()
    };
    assert!(notes("{Type: AllAtOnce, Hooks: {PreTraffic: !Ref Pre}}").contains("canaryctl guide hooks"));
    assert!(!notes("{Type: AllAtOnce}").contains("canaryctl guide hooks"));
}

#[test]
fn a_function_of_sam_changes_two_lines() {
    becomes(
        "template.yaml",
        "\
# shop
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler   # the handler
      AutoPublishAlias: live # the alias
      # how it is shifted
      DeploymentPreference:
        # slowly
        Type: Linear10PercentEvery1Minute # steps

        Alarms: [!Ref Errors]
      Environment: {Variables: {A: \"1\"}}
",
        "\
# shop
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler   # the handler
      AutoPublishAlias: live # the alias
      AutoPublishCodeSha256: canaryctl0
      # how it is shifted
      DeploymentPreference:
        # slowly
        Type: Linear10PercentEvery1Minute # steps
        Enabled: false

        Alarms: [!Ref Errors]
      Environment: {Variables: {A: \"1\"}}
",
    );
}

#[test]
fn globals_hold_the_alias_and_each_function_the_constant() {
    becomes(
        "template.yaml",
        "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    AutoPublishAlias: !Ref Alias
    AutoPublishAliasAllProperties: true
    DeploymentPreference: {Type: AllAtOnce, Enabled: !Ref Shift}
Resources:
  First: {Type: AWS::Serverless::Function, Properties: {Handler: a.b}}
  Second:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context): pass

      VersionDescription: !Sub \"build ${Build}\" # of the pipeline
      # its own
      DeploymentPreference:
        Enabled: true
  Third:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        x
  Own:
    Type: AWS::Serverless::Function
    IgnoreGlobals: [AutoPublishAlias]
    Properties:
      Handler: a.b
",
        "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    AutoPublishAlias: !Ref Alias
    DeploymentPreference: {Type: AllAtOnce, Enabled: false}
Resources:
  First: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, AutoPublishCodeSha256: canaryctl0}}
  Second:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        def handler(event, context): pass

      AutoPublishCodeSha256: canaryctl0
      # its own
      DeploymentPreference:
        Enabled: false
  Third:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishCodeSha256: canaryctl0
      InlineCode: |
        x
  Own:
    Type: AWS::Serverless::Function
    IgnoreGlobals: [AutoPublishAlias]
    Properties:
      Handler: a.b
",
    );
}

#[test]
fn anchors_are_changed_where_they_are_and_only_where_all_who_share_them_want_it() {
    becomes(
        "template.yaml",
        "\
Transform: AWS::Serverless-2016-10-31
Resources:
  A:
    Type: AWS::Serverless::Function
    Properties: &all
      AutoPublishAlias: live
      DeploymentPreference: &slowly
        Type: Linear10PercentEvery1Minute
  B:
    Type: AWS::Serverless::Function
    Properties:
      <<: *all
      Handler: b.c
      DeploymentPreference: *slowly
  C: {Type: AWS::Serverless::Function, Properties: *all}
",
        "\
Transform: AWS::Serverless-2016-10-31
Resources:
  A:
    Type: AWS::Serverless::Function
    Properties: &all
      AutoPublishAlias: live
      AutoPublishCodeSha256: canaryctl0
      DeploymentPreference: &slowly
        Type: Linear10PercentEvery1Minute
        Enabled: false
  B:
    Type: AWS::Serverless::Function
    Properties:
      <<: *all
      Handler: b.c
      DeploymentPreference: *slowly
      AutoPublishCodeSha256: canaryctl0
  C: {Type: AWS::Serverless::Function, Properties: *all}
",
    );
    let shared = "\
Resources:
  A:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      DeploymentPreference: &slowly {Type: AllAtOnce}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties: {DeploymentPreference: *slowly}
";
    let (lines, _) = unsafe_lines("template.yaml", shared);
    assert_eq!(
        lines,
        [
            "Resources.A.Properties: AutoPublishCodeSha256: canaryctl0",
            "Resources.A.Properties.DeploymentPreference: Enabled: false"
        ]
    );
}

#[test]
fn json_keeps_its_tabs_and_its_spaces() {
    becomes(
        "template.json",
        "{\n\t\"Transform\": \"AWS::Serverless-2016-10-31\",\n\t\"Resources\": {\n\t\t\"A\": {\n\t\t\t\"Type\" : \"AWS::Serverless::Function\",\n\t\t\t\
         \"Properties\": {\n\t\t\t\t\"AutoPublishAlias\" : \"live\",\n\t\t\t\t\"DeploymentPreference\": {\"Type\":\"AllAtOnce\"},\n\t\t\t\t\
         \"VersionDescription\": {\"Ref\": \"B\"}\n\t\t\t}\n\t\t}\n\t}\n}\n",
        "{\n\t\"Transform\": \"AWS::Serverless-2016-10-31\",\n\t\"Resources\": {\n\t\t\"A\": {\n\t\t\t\"Type\" : \"AWS::Serverless::Function\",\n\t\t\t\
         \"Properties\": {\n\t\t\t\t\"AutoPublishAlias\" : \"live\",\n\t\t\t\t\"AutoPublishCodeSha256\" : \"canaryctl0\",\n\t\t\t\t\
         \"DeploymentPreference\": {\"Type\":\"AllAtOnce\",\"Enabled\":false}\n\t\t\t}\n\t\t}\n\t}\n}\n",
    );
    let empty = r#"{"Globals": {"Function": {"AutoPublishAlias": "live"}}, "Resources": {"A": {"Type": "AWS::Serverless::Function", "Properties": {}}}}"#;
    assert_eq!(edited("template.json", empty), empty.replace("{}", r#"{"AutoPublishCodeSha256": "canaryctl0"}"#));
    // On one line.
    let one = r#"{"Resources":{"A":{"Type":"AWS::Serverless::Function","Properties":{"AutoPublishAlias":"live"}}}}"#;
    assert_eq!(edited("template.json", one), one.replace("\"live\"", "\"live\",\"AutoPublishCodeSha256\":\"canaryctl0\""));
}

#[test]
fn odd_notations_are_kept() {
    becomes(
        "template.yaml",
        "\
Resources:
  A:
    Type: AWS::Serverless::Function
    Properties:   # comment
        \"AutoPublishAlias\" :\tlive\t# x
        ? DeploymentPreference
        : !!map
            Type : AllAtOnce
            Alarms:
            - a
            # end

# tail
  B:
    Type: AWS::Serverless::Function
    Properties: {
      AutoPublishAlias: live, # one
      Handler: a.b # two
    }
  C:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias:
        Fn::Sub: x
      AutoPublishCodeSha256:
        Ref: Sha # sha
",
        "\
Resources:
  A:
    Type: AWS::Serverless::Function
    Properties:   # comment
        \"AutoPublishAlias\" :\tlive\t# x
        AutoPublishCodeSha256: canaryctl0
        ? DeploymentPreference
        : !!map
            Type : AllAtOnce
            Enabled: false
            Alarms:
            - a
            # end

# tail
  B:
    Type: AWS::Serverless::Function
    Properties: {
      AutoPublishAlias: live, # one
      AutoPublishCodeSha256: canaryctl0,
      Handler: a.b # two
    }
  C:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias:
        Fn::Sub: x
      AutoPublishCodeSha256: canaryctl0 # sha
",
    );
}

#[test]
fn what_sam_computes_is_left_to_a_person() {
    let template = |preference: &str| {
        format!(
            "Resources:\n  A:\n    Type: AWS::Serverless::Function\n    Properties:\n      AutoPublishAlias: live\n      \
             DeploymentPreference: {preference}\n"
        )
    };
    let (lines, why) = unsafe_lines("template.yaml", &template("!If [IsProd, {Type: AllAtOnce}, !Ref AWS::NoValue]"));
    assert!(lines.contains(&"Resources.A.Properties: DeploymentPreference: {Enabled: false}".to_owned()), "{lines:?}");
    assert!(why.contains("canaryctl import"), "{why}");
    // A disabled one stays.
    let after = edited("template.yaml", &template("{Type: AllAtOnce, Enabled: No}"));
    assert_eq!(after.matches("Enabled: ").count(), 1, "{after}");
}

#[test]
fn what_no_edit_can_help_is_said() {
    let notes = |text: &str| handover("template.yaml", text).notes.join("\n");
    let with = |more: &str| {
        format!(
            "Resources:\n  Fn::ForEach::F: [N, [A], {{A: {{Type: AWS::Lambda::Alias}}}}]\n  Nested: {{Type: AWS::Serverless::Application}}\n  Bare: {{Type: \
             AWS::Serverless::Function}}\n  A:\n    Type: AWS::Serverless::Function\n    Properties: {{AutoPublishAlias: live, {more}}}\n"
        )
    };
    let said =
        notes(&with("ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 1}, AutoPublishCodeSha256: !Ref Sha"));
    for words in [
        "refuses weights",
        "`Fn::ForEach::F` is not expanded: check",
        "`Nested` is another stack",
        "`Bare` has no alias",
        "another value",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let none = handover("template.yaml", "Resources: {Bare: {Type: AWS::Serverless::Function, Properties: {Handler: a.b}}}\n");
    assert_eq!(none.answer, Answer::NoAlias);
    let repeated = |more: &str| {
        format!(
            "Resources: {{'Fn::ForEach::F': [N, [A], {{'${{N}}': {{Type: AWS::Serverless::Function, Properties: {{{more}}}}}}}]}}"
        )
    };
    let (lines, _) = unsafe_lines("template.yaml", &repeated("AutoPublishAlias: live"));
    assert_eq!(lines[0], "the functions of `Fn::ForEach::F`: AutoPublishCodeSha256: canaryctl0");
    for done in ["AutoPublishAlias: live, AutoPublishCodeSha256: canaryctl0", "Handler: a.b"] {
        assert_eq!(handover("template.yaml", &repeated(done)).answer, Answer::NoAlias);
    }
}

const BY_HAND: &str = "\
Resources:
  Hello:
    Type: AWS::Lambda::Function
    Properties:
      Handler: a.b
      Description: checkout # shown in the console
      Code: {ZipFile: x}
  HelloVersion:
    Type: AWS::Lambda::Version
    Properties: {FunctionName: !Ref Hello, CodeSha256: !Ref Sha, Description: build 7}
  HelloLive:
    # the alias
    Type: AWS::Lambda::Alias
    UpdatePolicy:
      CodeDeployLambdaAliasUpdate:
        ApplicationName: !Ref App
        DeploymentGroupName: !Ref Group
    Properties:
      FunctionName: !Ref Hello
      Description: the alias
      Name: live
      RoutingConfig:
        AdditionalVersionWeights:
        - {FunctionVersion: \"3\", FunctionWeight: 0.1}
      FunctionVersion: !GetAtt HelloVersion.Version
";

#[test]
fn a_plain_alias_gets_a_version_that_stays() {
    becomes(
        "stack.yaml",
        BY_HAND,
        "\
Resources:
  Hello:
    Type: AWS::Lambda::Function
    Properties:
      Handler: a.b
      Description: \"checkout; canaryctl owns the alias\" # shown in the console
      Code: {ZipFile: x}
  HelloVersion:
    Type: AWS::Lambda::Version
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties: {FunctionName: !Ref Hello}
  HelloLive:
    # the alias
    Type: AWS::Lambda::Alias
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties:
      FunctionName: !Ref Hello
      Name: live
      FunctionVersion: !GetAtt HelloVersion.Version
",
    );
    assert!(handover("stack.yaml", BY_HAND).notes.iter().any(|note| note.contains("only the lines with `Retain` first")));
}

#[test]
fn a_version_from_elsewhere_needs_its_number() {
    for (version, why) in [
        ("!Ref Version", "parameter `Version`"),
        ("'{{resolve:ssm:/hello}}'", "looked up at each deploy"),
        ("!GetAtt Made.Version", "taken from `Made.Version`"),
        ("!If [Prod, !Ref Version, \"3\"]", "parameter `Version`"),
    ] {
        let text = BY_HAND.replace("!GetAtt HelloVersion.Version", version);
        let text = format!("Parameters: {{Version: {{Type: String}}}}\n{text}");
        let (lines, found) = unsafe_lines("stack.yaml", &text);
        assert!(lines.contains(&"Resources.HelloLive.Properties: FunctionVersion: \"N\"".to_owned()), "{lines:?}");
        assert!(lines.contains(&"Resources.HelloLive: (remove `UpdatePolicy`)".to_owned()), "{lines:?}");
        assert!(found.contains(why), "{version}: {found}");
    }
    let number = BY_HAND.replace("!GetAtt HelloVersion.Version", "\"42\"");
    assert!(matches!(handover("stack.yaml", &number).answer, Answer::Edited(_)));
}

fn folders(format: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format);
    let mut folders: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// Schedule, alarms and hooks stay in the template, and canaryctl still reads them.
#[test]
fn a_handed_over_template_says_the_same_and_no_longer_warns() {
    let mut compared = 0;
    for folder in folders("sam") {
        let Ok(found) = of_folder(&folder) else { continue };
        for handover in found {
            let Answer::Edited(after) = &handover.answer else { continue };
            let before = fs::read(folder.join(&handover.file)).unwrap();
            let config = fs::read(folder.join("samconfig.toml")).ok();
            let read = |bytes: &[u8]| {
                let beside = config.as_ref().map(|bytes| File { name: "samconfig.toml", bytes });
                project::read(Format::Sam, File { name: &handover.file, bytes }, beside, &Lookup::default()).ok()
            };
            let (Some(before), Some(after)) = (read(&before), read(after.as_bytes())) else { continue };
            for function in &before.functions {
                let same = after.functions.iter().find(|other| other.key.value == function.key.value);
                let same = same.unwrap_or_else(|| panic!("{}: {} is lost", folder.display(), function.key.value));
                let shown = |settings: &project::FunctionSettings| {
                    let one = Project { functions: vec![settings.clone()], ..before.clone() };
                    as_text(&one, false)
                };
                assert_eq!(shown(same), shown(function));
                compared += 1;
            }
            let warns = |project: &Project| project.notes.iter().any(|note| note.message.contains("moves the alias itself"));
            assert!(!warns(&after), "{}", folder.display());
        }
    }
    assert!(compared >= 10, "{compared}");
    // A preference that says nothing but that it is disabled is none.
    let template = "Resources:\n  A:\n    Type: AWS::Serverless::Function\n    Properties: {AutoPublishAlias: live, AutoPublishCodeSha256: \
                    canaryctl0, DeploymentPreference: {Enabled: false}}\n";
    let read = project::read(Format::Sam, File { name: "t.yaml", bytes: template.as_bytes() }, None, &Lookup::default()).unwrap();
    assert!(read.functions.is_empty());
}

/// Every shape of file that the other tests have.
#[test]
fn real_shapes_are_handed_over_once_and_keep_every_other_line() {
    let (mut edits, mut others) = (0, 0);
    for folder in folders("sam").into_iter().chain(folders("serverless")) {
        let Ok(found) = of_folder(&folder) else { continue };
        for handover in found {
            let Answer::Edited(after) = &handover.answer else {
                others += 1;
                continue;
            };
            edits += 1;
            let before = fs::read_to_string(folder.join(&handover.file)).unwrap();
            let again = of_file(File { name: &handover.file, bytes: after.as_bytes() }).unwrap();
            assert_eq!(again.answer, Answer::HandedOver, "{}", folder.display());
            // Comments are all there.
            let comments = |text: &str| text.matches(" #").count();
            assert_eq!(comments(after), comments(&before), "{}\n{}", folder.display(), diff("", &before, after));
            // Every line that goes is one of a key that changes.
            for line in diff("", &before, after).lines().skip(2).filter(|line| line.starts_with('-')) {
                let known = ["Enabled", "DeploymentPreference", "AutoPublish", "Version", "Properties", "canary-deployments"];
                assert!(known.iter().any(|word| line.contains(word)), "{}: {line}", folder.display());
            }
            becomes(&handover.file, &before.replace("\r\n", "\n"), &after.replace("\r\n", "\n"));
        }
    }
    assert!(edits >= 20 && others >= 5, "{edits} {others}");
}

#[test]
fn short_tags_are_written_out_for_the_rules() {
    let after = edited("stack.yaml", BY_HAND);
    let judged = |text: &str| {
        let template = template_json(File { name: "stack.yaml", bytes: text.as_bytes() }).unwrap();
        overall(&verdicts(&template, "HelloLive"))
    };
    assert_eq!((judged(BY_HAND), judged(&after)), (Movement::Moves, Movement::Stays));
    let answer = serde_json::json!({"TemplateBody": after, "StagesAvailable": ["Processed"]}).to_string();
    assert_eq!(judged(&answer), Movement::Stays);
}
