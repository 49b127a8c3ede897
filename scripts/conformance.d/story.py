"""What is the story, and how does each client tell it? A function, its alias, its alarms and its hooks, and what is deployed next.

Nothing is rolled out from here.
"""

import json

from harness import ROLE, package

OLD = "Go Serverless v1.0! Your function executed successfully!"
NEW = "Wait, it is Serverless v1.26.11!"
TEXT = "Kept by Anna"
TAGS = {"team": "greeting", "stage": "test"}

RULE = 'ALARM("HelloFooAlarm")'
ALARM = {
    "AlarmName": "HelloFooAlarm",
    "Namespace": "AWS/Lambda",
    "MetricName": "Errors",
    "Dimensions": [{"Name": "FunctionName", "Value": "hello"}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "TreatMissingData": "notBreaching",
}

# Short, so that the whole of it takes 12 seconds.
SCHEDULE = ["--steps", "10,50", "--every", "5s", "--poll", "500ms"]
WATCHING = ["--alarm", "HelloFooAlarm", "--alarm", "HelloComposite"]
HOOKS = ["--pre-hook", "preHook", "--post-hook", "postHook"]


def furnish(region):
    """Sets the story up with boto3; gives the function's URL."""
    functions, alarms = region.functions, region.alarms
    for name, variables in [
        ("hello", {"SIM_BODY": OLD}),
        ("preHook", {"SIM_HOOK": "Succeeded"}),
        ("postHook", {"SIM_HOOK": "Succeeded"}),
    ]:
        functions.create_function(
            FunctionName=name,
            Role=ROLE,
            Runtime="python3.12",
            Handler="index.handler",
            Code={"ZipFile": package(OLD)},
            Environment={"Variables": variables},
        )
    region.settle("hello")
    functions.publish_version(FunctionName="hello")
    functions.create_alias(FunctionName="hello", Name="Live", FunctionVersion="1", Description=TEXT)
    functions.tag_resource(Resource=region.arn("hello"), Tags=TAGS)
    alarms.put_metric_alarm(**ALARM)
    alarms.put_composite_alarm(AlarmName="HelloComposite", AlarmRule=RULE)
    url = functions.create_function_url_config(FunctionName="hello", Qualifier="Live", AuthType="NONE")
    return url["FunctionUrl"]


def furnish_by_cli(region, tally, directory):
    """Sets the story up with the AWS CLI, and checks what it answers; gives the function's URL."""
    zipped = directory / "hello.zip"
    zipped.write_bytes(package(OLD))
    create = ["lambda", "create-function", "--role", ROLE, "--runtime", "python3.12", "--handler", "index.handler"]
    create += ["--zip-file", f"fileb://{zipped}"]
    for name, variable in [("hello", OLD), ("preHook", "Failed"), ("postHook", "Succeeded")]:
        variables = {"SIM_BODY" if name == "hello" else "SIM_HOOK": variable}
        made = region.cli(*create, "--function-name", name, "--environment", json.dumps({"Variables": variables}))
        tally.equal(f"aws lambda create-function {name}", made.get("FunctionArn", made), region.arn(name))
    region.cli("lambda", "wait", "function-active-v2", "--function-name", "hello")
    named = ["--function-name", "hello"]
    made = region.cli("lambda", "publish-version", *named)
    tally.equal("aws lambda publish-version", made.get("Version", made), "1")
    made = region.cli("lambda", "create-alias", *named, "--name", "Live", "--function-version", "1", "--description", TEXT)
    tally.equal("aws lambda create-alias", made.get("AliasArn", made), region.arn("hello", "Live"))
    tags = ",".join(f"{key}={value}" for key, value in TAGS.items())
    region.cli("lambda", "tag-resource", "--resource", region.arn("hello"), "--tags", tags)
    made = region.cli("lambda", "list-tags", "--resource", region.arn("hello"))
    tally.equal("aws lambda tag-resource, list-tags", made.get("Tags", made), TAGS)
    made = region.cli("lambda", "create-function-url-config", *named, "--qualifier", "Live", "--auth-type", "NONE")
    tally.equal("aws lambda create-function-url-config", made.get("FunctionArn", made), region.arn("hello", "Live"))
    alarms_by_cli(region, tally)
    return made.get("FunctionUrl", "")


def alarms_by_cli(region, tally):
    """Makes the alarms with the AWS CLI and reads them back."""
    region.cli(
        *["cloudwatch", "put-metric-alarm", "--alarm-name", "HelloFooAlarm", "--namespace", "AWS/Lambda"],
        *["--metric-name", "Errors", "--dimensions", "Name=FunctionName,Value=hello", "--statistic", "Sum"],
        *["--period", "60", "--evaluation-periods", "1", "--threshold", "1"],
        *["--comparison-operator", "GreaterThanOrEqualToThreshold", "--treat-missing-data", "notBreaching"],
    )
    region.cli("cloudwatch", "put-composite-alarm", "--alarm-name", "HelloComposite", "--alarm-rule", RULE)
    seen = region.cli("cloudwatch", "describe-alarms")
    found = [{key: alarm.get(key) for key in ALARM} for alarm in seen.get("MetricAlarms", [])]
    tally.equal("aws cloudwatch put-metric-alarm, describe-alarms", found, [ALARM])
    tally.equal("describe-alarms leaves composite alarms out", seen.get("CompositeAlarms"), [])
    seen = region.cli("cloudwatch", "describe-alarms", "--alarm-types", "CompositeAlarm", "MetricAlarm")
    found = [alarm["AlarmRule"] for alarm in seen.get("CompositeAlarms", [])]
    tally.equal("describe-alarms with both types shows them", found, [RULE])


def deploy(region, **variables):
    """Changes code and behaviour of `$LATEST`, as the next deployment would."""
    functions = region.functions
    functions.update_function_code(FunctionName="hello", ZipFile=package(NEW))
    region.settle("hello")
    environment = {"Variables": {"SIM_BODY": NEW} | variables}
    functions.update_function_configuration(FunctionName="hello", Environment=environment)
    region.settle("hello")


def answers_of(region, hook, answer):
    """Makes a hook answer so."""
    environment = {"Variables": {"SIM_HOOK": answer}}
    region.functions.update_function_configuration(FunctionName=hook, Environment=environment)
    region.settle(hook)
