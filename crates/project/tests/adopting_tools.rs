//! What hands an alias over to canaryctl with the Serverless Framework, Terraform, CDK: the file before and after, or lines to paste.

#![expect(clippy::panic, reason = "a fixture that cannot be read has failed")]

mod adopted;

use std::fs;

use adopted::{becomes, edited, handover, unsafe_lines};
use project::File;
use project::adopt::{Answer, Tool, of_file, of_folder};

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
            "  lifecycle {\n    # why\n    ignore_changes  = [function_version, routing_config, description]\n    prevent_destroy = true\n  }\n",
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
    let lines = |answer: Answer| {
        let Answer::Program(lines) = answer else { panic!("{answer:?}") };
        format!("{}\n{}", lines[0].place, lines[0].lines.join("\n"))
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
    let text = "service: s\nprovider: {name: aws}\nplugins: [serverless-plugin-canary-deployments, \
                serverless-prune-plugin]\nfunctions:\n  a: {url: true, deploymentSettings: {type: \
                AllAtOnce}, provisionedConcurrency: 1, events: [{cloudFront: {eventType: viewer-request}}]}\n  b: {url: true, provisionedConcurrency: 1}\n";
    let notes = handover("serverless.yml", text).notes.join("\n");
    for words in [
        "`a` has `provisionedConcurrency`",
        "`a` runs at the edge",
        "`a` has a function URL",
        "pruning looks",
        "npm install --save-dev serverless-canaryctl",
    ] {
        assert!(notes.contains(words), "{notes}");
    }
    assert!(!notes.contains("`b`"), "{notes}");
}

#[test]
fn an_alias_of_the_service_s_own_needs_a_constant_version() {
    let service = |version: &str, more: &str| {
        format!(
            "service: shop\nprovider: {{name: aws}}\nfunctions:\n  hello:\n    handler: a.b\n{more}resources:\n  Resources:\n    \
             Live:\n      Type: AWS::Lambda::Alias\n      Properties: {{FunctionName: shop-hello, Name: live, FunctionVersion: {version}}}\n"
        )
    };
    let moves = "!GetAtt HelloLambdaVersionAbc.Version";
    let line = "resources.Resources.Live.Properties: FunctionVersion: \"N\"";
    assert_eq!(unsafe_lines("serverless.yml", &service(moves, "")).0, [line]);
    for constant in ["'41'", "$LATEST"] {
        let found = handover("serverless.yml", &service(constant, ""));
        assert_eq!((found.answer, found.aliases), (Answer::HandedOver, vec!["Live".to_owned()]));
    }
    let settings = "    deploymentSettings: {alias: Live, type: AllAtOnce}\nplugins: [serverless-plugin-canary-deployments]\n";
    assert_eq!(unsafe_lines("serverless.yml", &service(moves, settings)).0, ["plugins: - serverless-canaryctl", line]);
    assert!(edited("serverless.yml", &service("'41'", settings)).contains("plugins: [serverless-canaryctl]"));
}
