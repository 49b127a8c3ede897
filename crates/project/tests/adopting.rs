//! What hands an alias over to canaryctl: each tool's file before and after, and nothing else of it is different.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a fixture that cannot be read has failed")]

mod as_text;

use std::fs;
use std::path::{Path, PathBuf};

use as_text::as_text;
use project::adopt::{Answer, Handover, Tool, diff, of_file, of_folder};
use project::{File, Format, Lookup, Project, template_json};
use rollout::template::{Movement, overall, verdicts};

fn handover(name: &str, text: &str) -> Handover {
    of_file(File { name, bytes: text.as_bytes() }).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn edited(name: &str, text: &str) -> String {
    match handover(name, text).answer {
        Answer::Edited(after) => after,
        other => panic!("{other:?}\n{text}"),
    }
}

/// The file becomes exactly this, and then there is nothing to change.
fn becomes(name: &str, before: &str, after: &str) {
    let found = edited(name, before);
    assert_eq!(found, after, "{}", diff(name, after, &found));
    assert_eq!(handover(name, &found).answer, Answer::HandedOver, "{found}");
    // Line ends are the file's own, and so is a last line without one.
    let windows = |text: &str| text.replace('\n', "\r\n");
    assert_eq!(edited(name, &windows(before)), windows(after));
    assert_eq!(handover(name, &windows(after)).answer, Answer::HandedOver);
    assert_eq!(edited(name, before.trim_end()), after.trim_end());
    if !name.ends_with(".tf") {
        assert_eq!(edited(name, &format!("\u{feff}{before}")), format!("\u{feff}{after}"));
    }
}

/// What a person has to write, as `place: line`, and why.
fn unsafe_lines(name: &str, text: &str) -> (Vec<String>, String) {
    match handover(name, text).answer {
        Answer::Unsafe(lines) => {
            let all = lines.iter().flat_map(|lines| lines.lines.iter().map(move |line| format!("{}: {line}", lines.place)));
            (all.collect(), lines.iter().map(|lines| lines.why.clone()).collect::<Vec<_>>().join("; "))
        }
        other => panic!("{other:?}"),
    }
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
    // On one line.
    let one = r#"{"Resources":{"A":{"Type":"AWS::Serverless::Function","Properties":{"AutoPublishAlias":"live"}}}}"#;
    assert_eq!(edited("template.json", one), one.replace("\"live\"", "\"live\",\"AutoPublishCodeSha256\":\"canaryctl0\""));
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

#[test]
fn serverless_exchanges_the_plugins_name() {
    let rest = "\
service: shop # the shop
provider: {name: aws}
functions:
  hello:
    handler: h.hello
    deploymentSettings: {type: AllAtOnce, alias: live}
";
    for (before, after) in [
        (
            "plugins:\n  - a\n  - serverless-plugin-canary-deployments # canary\n",
            "plugins:\n  - a\n  - serverless-canaryctl # canary\n",
        ),
        ("plugins: ['serverless-plugin-canary-deployments', b]\n", "plugins: ['serverless-canaryctl', b]\n"),
        ("plugins: [\"@x/serverless-plugin-canary-deployments\"]\n", "plugins: [\"serverless-canaryctl\"]\n"),
        (
            "plugins:\n  modules:\n  - serverless-plugin-canary-deployments\n  - serverless-canaryctl\n",
            "plugins:\n  modules:\n  - serverless-canaryctl\n",
        ),
    ] {
        becomes("serverless.yml", &format!("{rest}{before}"), &format!("{rest}{after}"));
    }
    for plugins in ["", "plugins: ${file(plugins.yml)}\n", "plugins: [a]\n"] {
        assert_eq!(unsafe_lines("serverless.yml", &format!("{rest}{plugins}")).0, ["plugins: - serverless-canaryctl"]);
        let plain = rest.replace("    deploymentSettings: {type: AllAtOnce, alias: live}\n", "");
        assert_eq!(handover("serverless.yml", &format!("{plain}{plugins}")).answer, Answer::NoAlias);
    }
}

#[test]
fn terraform_ignores_all_three_and_keeps_the_alias() {
    let alias = |inside: &str| {
        format!("# x\nresource \"aws_lambda_alias\" \"live\" {{\n  name = \"li{{ve\" # }}\n{inside}}}\n\nlocals {{ a = 1 }}\n")
    };
    let whole = "\n  lifecycle {\n    ignore_changes  = [function_version, routing_config, description]\n    prevent_destroy = true\n  }\n";
    becomes("main.tf", &alias(""), &alias(whole));
    for (before, after) in [
        (
            "  lifecycle {\n    # why\n    ignore_changes = [function_version]\n  }\n",
            "  lifecycle {\n    # why\n    ignore_changes = [function_version, routing_config, description]\n    prevent_destroy = true\n  }\n",
        ),
        (
            "  lifecycle { prevent_destroy = false }\n",
            "  lifecycle {\n    prevent_destroy = true\n    ignore_changes  = [function_version, routing_config, description]\n  }\n",
        ),
        (
            "  lifecycle {}\n",
            "  lifecycle {\n    ignore_changes  = [function_version, routing_config, description]\n    prevent_destroy = true\n  }\n",
        ),
        (
            "  lifecycle {\n    ignore_changes = all\n  }\n",
            "  lifecycle {\n    ignore_changes = all\n    prevent_destroy = true\n  }\n",
        ),
        (
            "  lifecycle {\n    prevent_destroy = true\n    ignore_changes = [\n      description, # note\n      tags\n    ]\n  }\n",
            "  lifecycle {\n    prevent_destroy = true\n    ignore_changes = [\n      description, # note\n      tags,\n      function_version,\n      routing_config,\n    ]\n  }\n",
        ),
        (
            "  description = <<-EOT\n    } \"${jsonencode({a = \"}\"})}\n  EOT\n  lifecycle {\n    ignore_changes = [\"routing_config\"]\n    prevent_destroy = true\n  }\n",
            "  description = <<-EOT\n    } \"${jsonencode({a = \"}\"})}\n  EOT\n  lifecycle {\n    ignore_changes = [\"routing_config\", \"function_version\", \"description\"]\n    prevent_destroy = true\n  }\n",
        ),
    ] {
        becomes("main.tf", &alias(before), &alias(after));
    }
    becomes(
        "main.tf",
        &alias("").replace("  name", "\tname"),
        &alias(&whole.replace("    ", "\t\t").replace("  ", "\t").replace("changes\t=", "changes  ="))
            .replace("  name", "\tname"),
    );
}

#[test]
fn terraform_that_is_not_understood_is_not_touched() {
    let one_line = "resource \"aws_lambda_alias\" \"live\" { name = \"live\" }\n";
    assert!(unsafe_lines("main.tf", one_line).1.contains("one line"));
    let computed =
        "resource \"aws_lambda_alias\" \"live\" {\n  lifecycle {\n    ignore_changes = concat([description], local.x)\n  }\n}\n";
    assert!(unsafe_lines("main.tf", computed).1.contains("not a plain list"));
    let broken = "resource \"aws_lambda_alias\" \"live\" {\n  name = \"live\n}\n";
    let problems = of_file(File { name: "main.tf", bytes: broken.as_bytes() }).unwrap_err().to_string();
    assert!(problems.starts_with("main.tf:2:1: "), "{problems}");
    let module = "module \"alias\" {\n  source = \"terraform-aws-modules/lambda/aws//modules/alias\"\n}\n";
    let (lines, why) = unsafe_lines("main.tf", module);
    assert!(
        lines[0].starts_with("module.alias: resource \"aws_lambda_alias\"") && why.contains("terraform state mv"),
        "{lines:?} {why}"
    );
    let local = handover("main.tf", "module \"fn\" {\n  source = \"./modules/lambda\"\n}\n");
    assert_eq!((local.answer, local.notes.len()), (Answer::NoAlias, 1));
    let json = r#"{"resource": {"aws_lambda_alias": {"live": {"name": "live"}}}}"#;
    assert_eq!(unsafe_lines("main.tf.json", json).0.len(), 1);
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
fn a_program_gets_lines_to_paste() {
    let folder = std::env::temp_dir().join(format!("canaryctl-adopting-{}", std::process::id()));
    fs::create_dir_all(folder.join("cdk.out")).unwrap();
    let template = |version: &str| {
        format!(
            r#"{{"Resources": {{"Base": {{"Type": "AWS::Lambda::Version", "DeletionPolicy": "Retain", "Properties": {{"FunctionName": "hello"}}}},
            "Live848578DF": {{"Type": "AWS::Lambda::Alias", "Metadata": {{"aws:cdk:path": "Shop/Api/Live/Resource"}}, "Properties": {{
            "Name": "prod", "FunctionName": "hello", "FunctionVersion": {{"Fn::GetAtt": ["{version}", "Version"]}}}}}}}}}}"#
        )
    };
    let answer = |app: &str, version: &str| {
        fs::write(folder.join("cdk.json"), app).unwrap();
        let moving = "HelloCurrentVersionF236B96656610af208e8d72fc4ce78b980de3f35";
        let text = template(version).replace("\"Base\": ", &format!("\"{version}\": ")).replace("MOVING", moving);
        fs::write(folder.join("cdk.out/Shop.template.json"), text).unwrap();
        let found = of_folder(&folder).unwrap();
        assert_eq!((found.len(), found[0].tool), (1, Tool::Cdk));
        found[0].answer.clone()
    };
    let lines = |answer: Answer| match answer {
        Answer::Program(lines) => format!("{}\n{}", lines[0].place, lines[0].lines.join("\n")),
        other => panic!("{other:?}"),
    };
    let typescript = lines(answer(r#"{"app": "npx ts-node bin/shop.ts"}"#, "MOVING"));
    for words in ["Shop/Api/Live", "new lambda.Alias(this, 'Live', { aliasName: 'prod', version: base })", "'CanaryctlBase'"] {
        assert!(typescript.contains(words), "{typescript}");
    }
    let python = lines(answer(r#"{"app": "python3 app.py"}"#, "MOVING"));
    assert!(python.contains("lambda_.Alias(self, \"Live\", alias_name=\"prod\", version=base)"), "{python}");
    assert_eq!(answer("{}", "Base"), Answer::HandedOver);
    fs::remove_dir_all(&folder).unwrap();
}

/// What a tool wrote, it writes again: the change belongs in what it is made from.
#[test]
fn a_template_that_a_tool_wrote_is_not_edited() {
    let template = |version: &str, more: &str| {
        format!(
            "Resources:\n  {version}: {{Type: AWS::Lambda::Version, Properties: {{FunctionName: hello}}}}\n  Live: {{Type: AWS::Lambda::Alias, \
             Properties: {{FunctionName: hello, Name: live, FunctionVersion: !GetAtt {version}.Version}}}}\n{more}"
        )
    };
    let (lines, why) = unsafe_lines("t.yaml", &template("HelloVersione0c268820a", ""));
    assert!(lines[0].ends_with("AutoPublishCodeSha256: canaryctl0") && why.contains("writes it again"), "{lines:?} {why}");
    let (lines, _) = unsafe_lines("t.yaml", &template("Base", "Outputs: {ServerlessDeploymentBucketName: {Value: x}}\n"));
    assert!(lines[0].ends_with("- serverless-canaryctl"), "{lines:?}");
    let cdk = handover("t.yaml", &template("HelloCurrentVersionF236B96656610af208e8d72fc4ce78b980de3f35", ""));
    assert!(matches!(cdk.answer, Answer::Program(_)) && cdk.tool == Tool::Cdk);
}

#[test]
fn what_the_plugin_refuses_is_said_before() {
    let text = "service: s\nprovider: {name: aws}\nplugins: [serverless-plugin-canary-deployments]\nfunctions:\n  a: {deploymentSettings: {type: \
                AllAtOnce}, provisionedConcurrency: 1, events: [{cloudFront: {eventType: viewer-request}}]}\n  b: {provisionedConcurrency: 1}\n";
    let notes = handover("serverless.yml", text).notes.join("\n");
    for words in ["`a` has `provisionedConcurrency`", "`a` runs at the edge", "npm install --save-dev serverless-canaryctl"] {
        assert!(notes.contains(words), "{notes}");
    }
    assert!(!notes.contains("`b`"), "{notes}");
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
