"""What can boto3 read of all that hangs on a function? Who feeds it, who may call it, its addresses, and what a late hook tells."""

import json
import time

from harness import ROLE, answer, package

GONE = "The resource you requested does not exist."


def run(region, tally):
    """Makes a function with an alias in a Region that has nothing yet, and hangs things on it."""
    functions = region.functions
    create(region, "f")
    functions.publish_version(FunctionName="f")
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    mappings(region, tally)
    urls(region, tally)
    policies(region, tally)
    concurrency(region, tally)
    late_hook(region, tally)


def create(region, name, **variables):
    """Makes a function and waits until it is Active."""
    region.functions.create_function(
        FunctionName=name,
        Role=ROLE,
        Runtime="python3.12",
        Handler="index.handler",
        Code={"ZipFile": package(name)},
        Environment={"Variables": variables},
    )
    region.settle(name)


def refused(tally, name, found, status, code, message):
    """Checks an error by its status, code and words."""
    error = found[1].get("Error", {})
    tally.equal(name, (found[0], error.get("Code"), error.get("Message")), (status, code, message))


def mappings(region, tally):
    """Event source mappings of the function, its version and its alias."""
    functions = region.functions
    queue = f"arn:aws:sqs:{region.name}:111111111111:orders"
    made = {}
    for target in ["f", "f:1", "f:live"]:
        seen = functions.create_event_source_mapping(FunctionName=target, EventSourceArn=queue)
        made[target] = seen["UUID"]
        tally.equal(f"CreateEventSourceMapping of {target}", (seen["State"], seen["BatchSize"]), ("Creating", 10))
    time.sleep(0.4)
    pages = functions.get_paginator("list_event_source_mappings").paginate(FunctionName="f", PaginationConfig={"PageSize": 2})
    found = sorted(mapping["FunctionArn"] for page in pages for mapping in page["EventSourceMappings"])
    arns = [region.arn("f"), region.arn("f", "1"), region.arn("f", "live")]
    tally.equal("ListEventSourceMappings by name, in pages, shows what each one targets", found, arns)
    listed = functions.list_event_source_mappings(FunctionName=region.arn("f", "live"))["EventSourceMappings"]
    tally.equal("ListEventSourceMappings of the alias", [one["UUID"] for one in listed], [made["f:live"]])
    seen = functions.get_event_source_mapping(UUID=made["f:live"])
    tally.equal("GetEventSourceMapping", (seen["State"], seen["EventSourceArn"]), ("Enabled", queue))
    age = time.time() - seen["LastModified"].timestamp()
    tally.check("its LastModified is a time of this minute", 0 <= age < 60, str(age))
    found = answer(functions.create_event_source_mapping, FunctionName="f", EventSourceArn=queue)
    message = (
        f'An event source mapping with SQS arn (" {queue} ") and function (" f ") already exists. '
        f"Please update or delete the existing mapping with UUID {made['f']}"
    )
    refused(tally, "CreateEventSourceMapping a second time: 409", found, 409, "ResourceConflictException", message)
    tally.equal("DeleteEventSourceMapping", functions.delete_event_source_mapping(UUID=made["f:1"])["State"], "Deleting")
    found = answer(functions.delete_event_source_mapping, UUID=made["f:1"])
    message = "Cannot delete the event source mapping because it is in use."
    refused(tally, "DeleteEventSourceMapping at once again: 400", found, 400, "ResourceInUseException", message)
    time.sleep(0.4)
    found = answer(functions.get_event_source_mapping, UUID=made["f:1"])
    refused(tally, "GetEventSourceMapping of a deleted one: 404", found, 404, "ResourceNotFoundException", GONE)
    found = answer(functions.list_event_source_mappings, FunctionName="none")
    message = f"Function not found: {region.arn('none')}"
    refused(tally, "ListEventSourceMappings of no function: 404", found, 404, "ResourceNotFoundException", message)


def urls(region, tally):
    """Function URLs, listed."""
    functions = region.functions
    tally.equal("ListFunctionUrlConfigs, none", functions.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"], [])
    functions.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")
    functions.create_function_url_config(FunctionName="f", Qualifier="live", AuthType="NONE")
    pages = functions.get_paginator("list_function_url_configs").paginate(FunctionName="f", PaginationConfig={"PageSize": 1})
    found = [(url["FunctionArn"], url["AuthType"]) for page in pages for url in page["FunctionUrlConfigs"]]
    wanted = [(region.arn("f"), "AWS_IAM"), (region.arn("f", "live"), "NONE")]
    tally.equal("ListFunctionUrlConfigs, in pages", found, wanted)


def policies(region, tally):
    """Resource policies, one a qualifier."""
    functions, live = region.functions, {"FunctionName": "f", "Qualifier": "live"}
    found = answer(functions.get_policy, **live)
    refused(tally, "GetPolicy without one: 404", found, 404, "ResourceNotFoundException", GONE)
    before = functions.get_alias(FunctionName="f", Name="live")["RevisionId"]
    grant = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    made = functions.add_permission(**live, **grant, SourceArn="arn:aws:s3:::b")
    statement = {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": region.arn("f", "live"),
        "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"}},
    }
    tally.equal("AddPermission gives its statement", json.loads(made["Statement"]), statement)
    seen = functions.get_policy(**live)
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    tally.equal("GetPolicy", json.loads(seen["Policy"]), policy)
    after = functions.get_alias(FunctionName="f", Name="live")["RevisionId"]
    tally.check("a changed policy is a new revision of the alias", before != after == seen["RevisionId"], f"{before} {after}")
    found = answer(functions.get_policy, FunctionName="f")
    refused(tally, "GetPolicy of the function itself: 404", found, 404, "ResourceNotFoundException", GONE)
    found = answer(functions.add_permission, **live, **grant)
    message = "The statement id (s) provided already exists. Please provide a new statement id, or remove the existing statement."
    refused(tally, "AddPermission a second time: 409", found, 409, "ResourceConflictException", message)
    found = answer(functions.remove_permission, **live, StatementId="t")
    message = "Statement t is not found in resource policy."
    refused(tally, "RemovePermission of no statement: 404", found, 404, "ResourceNotFoundException", message)
    tally.equal("RemovePermission: 204", answer(functions.remove_permission, **live, StatementId="s"), (204, {}))
    refused(tally, "GetPolicy after it: 404", answer(functions.get_policy, **live), 404, "ResourceNotFoundException", GONE)


def concurrency(region, tally):
    """Executions that are kept for the function."""
    functions = region.functions
    tally.equal("GetFunctionConcurrency, none", answer(functions.get_function_concurrency, FunctionName="f"), (200, {}))
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=5)
    kept = {"ReservedConcurrentExecutions": 5}
    tally.equal("GetFunctionConcurrency", answer(functions.get_function_concurrency, FunctionName="f"), (200, kept))


def late_hook(region, tally):
    """A hook that is in progress, and whose job tags the function when it is done."""
    functions = region.functions
    report = "after=500ms key=hook/{/LifecycleEventHookExecutionId} value=Succeeded"
    create(region, "hook", SIM_HOOK="InProgress", SIM_HOOK_REPORT=report)
    event = {"LifecycleEventHookExecutionId": "r/pre/1", "told": {"function": "f"}}
    seen = functions.invoke(FunctionName="hook", Payload=json.dumps(event))
    tally.equal("the hook is in progress", json.loads(seen["Payload"].read()), {"status": "InProgress"})
    tags = lambda: functions.list_tags(Resource=region.arn("f"))["Tags"]
    tally.equal("no tag at once", tags(), {})
    time.sleep(1)
    tally.equal("its job has tagged the function", tags(), {"hook/r/pre/1": "Succeeded"})
