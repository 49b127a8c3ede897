"""SAM: what CloudFormation gets of a template that `canaryctl adopt` changed. Argument: the canaryctl to check."""

import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")

from samtranslator.translator.transform import transform  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

# The translator reports which of its features are off.
logging.disable(logging.CRITICAL)
CANARYCTL = sys.argv[1]
failed = []

PLAIN = """\
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Errors:
    Type: AWS::CloudWatch::Alarm
    Properties: {Namespace: AWS/Lambda, MetricName: Errors, Statistic: Sum, Period: 60, EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: GreaterThanOrEqualToThreshold}
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: s3://bucket/code-1.zip # by `sam package`
      Handler: app.handler
      Runtime: python3.13
      MemorySize: 128
      Timeout: 3
      Environment: {Variables: {A: "1"}}
      Layers: ['arn:aws:lambda:eu-west-1:111111111111:layer:shared:1']
      AutoPublishAlias: live
      VersionDescription: build 1
      # slowly
      DeploymentPreference:
        Type: Linear10PercentEvery1Minute
        Alarms: [!Ref Errors]
      Events:
        Api: {Type: HttpApi, Properties: {Path: /, Method: get}}
        Sqs: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}
"""

SEVERAL = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Alias: {Type: String, Default: prod}
Globals:
  Function:
    Runtime: python3.13
    Handler: app.handler
    MemorySize: 128
    Timeout: 3
    AutoPublishAlias: !Ref Alias
    AutoPublishAliasAllProperties: true
    DeploymentPreference: {Type: AllAtOnce, Enabled: !Equals [a, a]}
Resources:
  Hello: {Type: AWS::Serverless::Function, Properties: {CodeUri: s3://bucket/code-1.zip, Environment: {Variables: {A: "1"}}}}
  Other:
    Type: AWS::Serverless::Function
    Properties: &other
      CodeUri: s3://bucket/code-1.zip
      Layers: ['arn:aws:lambda:eu-west-1:111111111111:layer:shared:1']
      AutoPublishAlias: other
      DeploymentPreference: &preference
        Enabled: true
  Third:
    Type: AWS::Serverless::Function
    Properties:
      <<: *other
      AutoPublishCodeSha256: 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
      DeploymentPreference: *preference
"""

IN_JSON = json.dumps(
    {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Hello": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "CodeUri": "s3://bucket/code-1.zip",
                    "Handler": "app.handler",
                    "Runtime": "python3.13",
                    "MemorySize": 128,
                    "AutoPublishAlias": "live",
                    "DeploymentPreference": {"Type": "AllAtOnce"},
                },
            }
        },
    },
    indent=4,
)

CHANGES = [
    ("code", "code-1.zip", "code-2.zip"),
    ("memory", "128", "256"),
    ("environment", 'A: "1"', 'A: "2"'),
    ("a layer", ":layer:shared:1", ":layer:shared:2"),
    ("timeout", "Timeout: 3", "Timeout: 4"),
]


def check(what, holds, seen=""):
    """One line for one check."""
    print(f"{'ok  ' if holds else 'FAIL'} {what}{'' if holds else f': {str(seen)[-800:]}'}", flush=True)
    if not holds:
        failed.append(what)


class NoPolicies:
    """No template here names a managed policy."""

    def load(self):
        return {}


def processed(text):
    """What CloudFormation gets."""
    return transform(yaml_parse(text), {}, NoPolicies())


def aliases(template):
    return {id: resource for id, resource in template["Resources"].items() if resource["Type"] == "AWS::Lambda::Alias"}


def of_kind(template, kind):
    return {id: resource for id, resource in template["Resources"].items() if resource["Type"] == kind}


def owned(template):
    """What must not change: each alias with its version, with everything that is said of them."""
    return json.dumps([aliases(template), of_kind(template, "AWS::Lambda::Version")], sort_keys=True)


def canaryctl(*arguments):
    return subprocess.run([CANARYCTL, "adopt", *arguments], capture_output=True, text=True)


def lint(text, folder, name):
    """What cfn-lint says, without the lines at which it says it."""
    path = pathlib.Path(folder, name)
    path.write_text(text)
    ran = subprocess.run(
        [pathlib.Path(sys.executable).with_name("cfn-lint"), "--format", "json", "--regions", "eu-west-1", "--", path],
        capture_output=True,
        text=True,
    )
    found = json.loads(ran.stdout or "[]")
    return {(match["Rule"]["Id"], match["Message"].replace(name, "")) for match in found}


def adopted(title, text, name, folder):
    path = pathlib.Path(folder, name)
    path.write_text(text)
    ran = canaryctl(str(path), "--write")
    check(f"{title}: the change is written", ran.returncode == 0, ran.stdout + ran.stderr)
    after = path.read_text()
    again = canaryctl(str(path), "--write")
    check(f"{title}: twice changes nothing", again.returncode == 0 and path.read_text() == after, again.stdout)
    return after


def story(title, text, name):
    with tempfile.TemporaryDirectory() as folder:
        after = adopted(title, text, name, folder)
        before, base = processed(text), processed(after)
        check(f"{title}: the same aliases", set(aliases(base)) == set(aliases(before)), set(aliases(base)))
        left = [id for kind in ("Application", "DeploymentGroup") for id in of_kind(base, f"AWS::CodeDeploy::{kind}")]
        check(f"{title}: nothing of CodeDeploy is left", not left, left)
        for what, old, new in CHANGES:
            if old not in text:
                continue
            changed = processed(after.replace(old, new))
            check(f"{title}: {what} changes the function", changed != base)
            check(f"{title}: {what} leaves alias and version as they are", owned(changed) == owned(base), owned(changed))
        moved = processed(text.replace("code-1.zip", "code-2.zip"))
        check(f"{title}: without the change, code moves the alias", aliases(moved) != aliases(before))
        for template, expected in ((base, 0), (before, 3)):
            file = pathlib.Path(folder, "processed.json")
            file.write_text(json.dumps(template))
            ran = canaryctl("--template", str(file))
            check(f"{title}: canaryctl says {'stays' if expected == 0 else 'moves'}", ran.returncode == expected, ran.stdout)
        for form in (lambda text: text, lambda text: json.dumps(processed(text))):
            new = lint(form(after), folder, f"after.{name}") - lint(form(text), folder, f"before.{name}")
            check(f"{title}: cfn-lint finds nothing new", not new, new)
        wrong = lint(after.replace("AutoPublishCodeSha256", "AutoPublishCodeSha257"), folder, f"wrong.{name}")
        check(f"{title}: cfn-lint finds what is wrong", any("257" in said for _, said in wrong), wrong)


story("one function", PLAIN, "template.yaml")
story("several functions", SEVERAL, "template.yaml")
story("in JSON", IN_JSON, "template.json")
story("line ends of Windows", PLAIN.replace("\n", "\r\n"), "template.yaml")
sys.exit(1 if failed else 0)
