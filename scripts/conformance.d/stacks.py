"""Does boto3 read CloudFormation's answers? A stack that the story `hello-stack` has furnished."""

from harness import answer

STACK = "hello-prod"


def run(region, tally):
    """Follows a logical id to its function and back, and asks for what is not there."""
    stacks = region.stacks
    detail = stacks.describe_stack_resource(StackName=STACK, LogicalResourceId="HelloFunction")["StackResourceDetail"]
    found = [detail[key] for key in ("PhysicalResourceId", "ResourceType", "ResourceStatus", "StackName")]
    tally.equal("DescribeStackResource", found, ["hello", "AWS::Lambda::Function", "CREATE_COMPLETE", STACK])
    tags = region.functions.list_tags(Resource=region.arn("hello"))["Tags"]
    wanted = {
        "aws:cloudformation:stack-name": STACK,
        "aws:cloudformation:stack-id": detail["StackId"],
        "aws:cloudformation:logical-id": "HelloFunction",
        "team": "greeting",
    }
    tally.equal("the function carries the stack's tags", tags, wanted)
    listed = stacks.describe_stack_resources(StackName=detail["StackId"])["StackResources"]
    found = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in listed}
    tally.equal("DescribeStackResources by id", found.get("HelloFunctionAliasLive"), region.arn("hello", "Live"))
    owned = stacks.describe_stack_resources(PhysicalResourceId="hello")["StackResources"]
    tally.equal("DescribeStackResources by a physical id", owned, listed)
    template = stacks.get_template(StackName=STACK, TemplateStage="Processed")
    kind = template["TemplateBody"]["Resources"]["HelloFunctionAliasLive"]["Type"]
    tally.equal("GetTemplate", (kind, template["StagesAvailable"]), ("AWS::Lambda::Alias", ["Original", "Processed"]))
    described = stacks.describe_stacks(StackName=STACK)["Stacks"][0]
    found = (described["StackStatus"], described["Parameters"], described["Outputs"], described["Tags"])
    wanted = (
        "UPDATE_COMPLETE",
        [{"ParameterKey": "Stage", "ParameterValue": "prod"}],
        [{"OutputKey": "FunctionName", "OutputValue": "hello"}],
        [{"Key": "team", "Value": "greeting"}],
    )
    tally.equal("DescribeStacks", found, wanted)
    every = [stack["StackName"] for page in stacks.get_paginator("describe_stacks").paginate() for stack in page["Stacks"]]
    tally.equal("DescribeStacks without a name", every, [STACK])
    missing(region, tally)


def missing(region, tally):
    """What is not there, in the words of each operation."""
    stacks = region.stacks
    for name, call, arguments, message in [
        (
            "DescribeStackResource in no stack",
            stacks.describe_stack_resource,
            {"StackName": "none", "LogicalResourceId": "X"},
            "Stack 'none' does not exist",
        ),
        (
            "DescribeStackResource of no resource",
            stacks.describe_stack_resource,
            {"StackName": STACK, "LogicalResourceId": "X"},
            f"Resource X does not exist for stack {STACK}",
        ),
        (
            "DescribeStackResources of no stack",
            stacks.describe_stack_resources,
            {"StackName": "none"},
            "Stack with id none does not exist",
        ),
        ("GetTemplate of no stack", stacks.get_template, {"StackName": "none"}, "Stack with id none does not exist"),
        ("DescribeStacks of no stack", stacks.describe_stacks, {"StackName": "none"}, "Stack with id none does not exist"),
    ]:
        status, seen = answer(call, **arguments)
        error = seen.get("Error", {})
        tally.equal(f"{name}: 400", (status, error.get("Code"), error.get("Message")), (400, "ValidationError", message))
