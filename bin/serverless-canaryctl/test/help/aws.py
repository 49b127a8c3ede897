"""An AWS for `deploy`: `ministack`, an emulator from PyPI that nobody here wrote, for CloudFormation, S3, IAM, API Gateway, SNS and log
groups; and the simulated AWS of canaryctl for Lambda, alarms and queries of logs. One address for both.

Requests to Lambda and CloudWatch are passed on as they come. What a template says of a function, version, alias, permission or alarm is made
there by the calls that CloudFormation makes. API Gateway invokes there, what the integration names. Each request that the simulated AWS got
and answered is a line of the journal: tests judge by it.

Arguments: the simulated AWS, the journal. What a function does there is in its environment (SIM_BODY, SIM_ERROR_RATE …): no code is run."""

import asyncio
import contextlib
import json
import sys
import threading
import urllib.error
import urllib.request
from urllib.parse import quote, urlencode

import boto3
from botocore.config import Config

from ministack import app
from ministack.services import apigateway_v1, cloudwatch_logs, lambda_svc
from ministack.services.cloudformation import _stacks, handlers, provisioners

SIMULATED, JOURNAL = sys.argv[1:]
ACCESS = {"endpoint_url": SIMULATED, "region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
LAMBDA = boto3.client("lambda", **ACCESS, config=Config(user_agent_extra="cloudformation"))
CLOUDWATCH = boto3.client("cloudwatch", **ACCESS)
WRITING = threading.Lock()
# What CloudFormation says on a function of the stack it belongs to: by ARN, tags that no call may set.
STACK_TAGS = {}


# Requests of the framework and of canaryctl.


def passed_on(method, path, headers, body, query):
    """The answer of the simulated AWS."""
    url = SIMULATED + quote(path, safe="/:@$%") + ("?" + urlencode(query, doseq=True) if query else "")
    own = {name: value for name, value in headers.items() if name.lower() not in {"host", "content-length", "connection", "transfer-encoding"}}
    request = urllib.request.Request(url, data=body or None, headers=own, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, said, text = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        status, said, text = error.code, error.headers, error.read()
    if method != "GET" and "/functions/" in path:
        journal(method, path, body, status)
    arn = path.rpartition("/tags/")[2]
    if method == "GET" and status == 200 and arn in STACK_TAGS:
        text = json.dumps({"Tags": {**json.loads(text)["Tags"], **STACK_TAGS[arn]}}).encode()
    return status, {name: value for name, value in said.items() if name.lower() not in {"date", "content-length", "connection"}}, text


def journal(method, path, body, status):
    try:
        sent = json.loads(body or b"null")
    except ValueError:
        sent = None
    with WRITING, open(JOURNAL, "a") as file:
        print(json.dumps({"method": method, "path": path, "status": status, "sent": sent}), file=file)


async def simulated(method, path, headers, body, query):
    return await asyncio.to_thread(passed_on, method, path, headers, body, query)


async def logs(method, path, headers, body, query):
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    of_queries = operation in {"StartQuery", "GetQueryResults", "StopQuery"}
    return await (simulated if of_queries else cloudwatch_logs.handle_request)(method, path, headers, body, query)


async def invoked(function, event, **_):
    """What API Gateway gets of the function, version or alias that an integration names."""
    answer = await asyncio.to_thread(LAMBDA.invoke, FunctionName=function, Payload=json.dumps(event))
    return {"error": "FunctionError" in answer, "body": json.loads(answer["Payload"].read() or b"null")}, None


# What CloudFormation does with a template's resources.


def named(client, operation, properties):
    """Those of a resource's properties that a call takes."""
    takes = client.meta.service_model.operation_model(operation).input_shape.members
    return {name: value for name, value in properties.items() if name in takes}


def tags(properties):
    """Without those that CloudFormation sets itself: they begin with `aws:`, which no call allows."""
    return [tag for tag in properties.get("Tags", []) if not tag["Key"].startswith("aws:")]


def package(code):
    return lambda_svc._fetch_code_from_s3(code["S3Bucket"], code["S3Key"], version_id=code.get("S3ObjectVersion"))


def settled(name):
    LAMBDA.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1})
    LAMBDA.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1})


def create_function(logical_id, properties, stack):
    name = properties.get("FunctionName") or provisioners._physical_name(stack, logical_id, max_len=64)
    more = {"FunctionName": name, "Code": {"ZipFile": package(properties["Code"])}, "Tags": {tag["Key"]: tag["Value"] for tag in tags(properties)}}
    made = LAMBDA.create_function(**named(LAMBDA, "CreateFunction", {**properties, **more}))
    STACK_TAGS[made["FunctionArn"]] = {"aws:cloudformation:stack-name": stack, "aws:cloudformation:logical-id": logical_id}
    settled(name)
    return name, {"Arn": made["FunctionArn"]}


def update_function(name, old, new, _stack, _logical_id):
    if old["Code"] != new["Code"]:
        LAMBDA.update_function_code(FunctionName=name, ZipFile=package(new["Code"]))
        settled(name)
    settings = named(LAMBDA, "UpdateFunctionConfiguration", {**new, "FunctionName": name})
    made = LAMBDA.update_function_configuration(**{"Environment": {}, **settings})
    settled(name)
    return name, {"Arn": made["FunctionArn"]}


def create_version(_logical_id, properties, _stack):
    name = properties["FunctionName"]
    before = {version["Version"] for version in LAMBDA.list_versions_by_function(FunctionName=name)["Versions"]}
    made = LAMBDA.publish_version(**named(LAMBDA, "PublishVersion", properties))
    if made["Version"] in before:
        raise ValueError(f"A version for this Lambda function exists ( {made['Version']} ). Modify the function to create a new version.")
    return made["FunctionArn"], {"Version": made["Version"]}


def create_alias(_logical_id, properties, _stack):
    arn = LAMBDA.create_alias(**named(LAMBDA, "CreateAlias", properties))["AliasArn"]
    return arn, {"AliasArn": arn}


def update_alias(arn, old, new, _stack, _logical_id):
    if (old["FunctionName"], old["Name"]) != (new["FunctionName"], new["Name"]):
        raise ValueError("an alias gets no other name here")
    LAMBDA.update_alias(**named(LAMBDA, "UpdateAlias", {"Description": "", "RoutingConfig": {"AdditionalVersionWeights": {}}, **new}))
    return arn, {"AliasArn": arn}


def create_permission(logical_id, properties, stack):
    statement = provisioners._physical_name(stack, logical_id, max_len=100)
    LAMBDA.add_permission(**named(LAMBDA, "AddPermission", {**properties, "StatementId": statement}))
    return statement, {}


def update_permission(statement, old, new, stack, logical_id):
    delete_permission(statement, old)
    return create_permission(logical_id, new, stack)


def delete_permission(statement, properties):
    LAMBDA.remove_permission(FunctionName=properties["FunctionName"], StatementId=statement)


def put_alarm(name, properties):
    CLOUDWATCH.put_metric_alarm(**named(CLOUDWATCH, "PutMetricAlarm", {**properties, "AlarmName": name, "Tags": tags(properties)}))
    return name, {"Arn": CLOUDWATCH.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["AlarmArn"]}


def create_alarm(logical_id, properties, stack):
    return put_alarm(properties.get("AlarmName") or provisioners._physical_name(stack, logical_id, max_len=255), properties)


def gone(delete, missing):
    """Whoever deletes a resource that is deleted already is done: a function takes its aliases with it."""

    def deleted(physical_id, properties):
        with contextlib.suppress(*missing):
            delete(physical_id, properties)

    return deleted


def resource(create, update, delete):
    missing = (LAMBDA.exceptions.ResourceNotFoundException, CLOUDWATCH.exceptions.ResourceNotFound)
    return {"create": create, "update": update, "update_with_logical_id": True, "delete": gone(delete, missing)}


# A version is not changed: CloudFormation makes another.
RESOURCES = {
    "AWS::Lambda::Function": resource(create_function, update_function, lambda name, _: LAMBDA.delete_function(FunctionName=name)),
    "AWS::Lambda::Version": resource(
        create_version,
        lambda _, _old, new, stack, id: create_version(id, new, stack),
        lambda arn, _: LAMBDA.delete_function(FunctionName=arn),
    ),
    "AWS::Lambda::Alias": resource(
        create_alias,
        update_alias,
        lambda _, properties: LAMBDA.delete_alias(FunctionName=properties["FunctionName"], Name=properties["Name"]),
    ),
    "AWS::Lambda::Permission": resource(create_permission, update_permission, delete_permission),
    "AWS::CloudWatch::Alarm": resource(
        create_alarm,
        lambda name, _old, new, _stack, _id: put_alarm(name, new),
        lambda name, _: CLOUDWATCH.delete_alarms(AlarmNames=[name]),
    ),
}


def describe_stack_resources(params):
    """Finds the stack of a resource, too, as AWS does; ministack wants its name."""
    physical = params.get("PhysicalResourceId")
    if physical:
        stacks = [name for name, stack in _stacks.items() if any(it.get("PhysicalResourceId") in physical for it in stack.get("_resources", {}).values())]
        if not stacks:
            return handlers._error("ValidationError", f"Stack for {physical[0]} does not exist")
        params = {**params, "StackName": [stacks[0]]}
    return DESCRIBE(params)


DESCRIBE = handlers._ACTION_HANDLERS["DescribeStackResources"]
handlers._ACTION_HANDLERS["DescribeStackResources"] = describe_stack_resources
app.SERVICE_HANDLERS.update({"lambda": simulated, "monitoring": simulated, "logs": logs})
apigateway_v1._call_lambda_raw = invoked
provisioners._RESOURCE_HANDLERS.update(RESOURCES)
sys.argv[1:] = []
app.main()
