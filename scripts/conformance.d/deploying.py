"""Can boto3 create, update and delete a stack, as `canaryctl controller install` does it?"""

import json
import time

from harness import ACCOUNT, answer
from reading import refused

ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}}
GROUP = {"Type": "AWS::Scheduler::ScheduleGroup", "Properties": {"Name": "deployed"}}


def template(**resources):
    """A template of these resources, which says the ARN of its role."""
    return json.dumps({"Resources": resources, "Outputs": {"Role": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}}})


def run(region, tally):
    """A stack's life, and what is refused."""
    stacks, scheduler = region.stacks, region.client("scheduler")
    status = lambda name: stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]

    def settled(name):
        deadline = time.monotonic() + 20
        while status(name).endswith("_IN_PROGRESS") and time.monotonic() < deadline:
            time.sleep(0.05)
        return status(name)

    both = template(Role=ROLE, Group=GROUP)
    said = "Requires capabilities : [CAPABILITY_IAM]"
    found = answer(stacks.create_stack, StackName="ours", TemplateBody=both)
    refused(tally, "CreateStack of a role that nobody agreed to: 400", found, 400, "InsufficientCapabilitiesException", said)
    options = {"StackName": "ours", "Capabilities": ["CAPABILITY_NAMED_IAM"], "Tags": [{"Key": "canaryctl", "Value": "controller"}]}
    stack = stacks.create_stack(TemplateBody=both, OnFailure="DELETE", **options)["StackId"]
    tally.equal("CreateStack begins", status("ours"), "CREATE_IN_PROGRESS")
    tally.equal("CreateStack", settled("ours"), "CREATE_COMPLETE")
    seen = stacks.describe_stacks(StackName="ours")["Stacks"][0]
    role = f"arn:aws:iam::{ACCOUNT}:role/ours-Role-"
    tally.check("its output is the role's ARN", seen["Outputs"][0]["OutputValue"].startswith(role), str(seen["Outputs"]))
    tally.equal("its tags", seen["Tags"], options["Tags"])
    tally.equal("its group of schedules", scheduler.get_schedule_group(Name="deployed")["State"], "ACTIVE")
    found = answer(stacks.create_stack, TemplateBody=both, **options)
    refused(tally, "CreateStack once more: 400", found, 400, "AlreadyExistsException", "Stack [ours] already exists")
    found = answer(stacks.update_stack, TemplateBody=both, **options)
    refused(tally, "UpdateStack to the same: 400", found, 400, "ValidationError", "No updates are to be performed.")
    found = answer(stacks.update_stack, TemplateBody=both, **options | {"StackName": "none"})
    refused(tally, "UpdateStack of none: 400", found, 400, "ValidationError", "Stack [none] does not exist")
    stacks.create_stack(TemplateBody=both, OnFailure="DELETE", **options | {"StackName": "second"})
    reasons = [event.get("ResourceStatusReason", "") for event in stacks.describe_stack_events(StackName="second")["StackEvents"]]
    tally.check("what fails says why", any("already exists" in reason for reason in reasons), str(reasons))
    stacks.update_stack(TemplateBody=template(Role=ROLE), **options)
    tally.equal("UpdateStack", settled("ours"), "UPDATE_COMPLETE")
    tally.equal("what it does not have any more is gone", answer(scheduler.get_schedule_group, Name="deployed")[0], 404)
    tally.equal("DeleteStack", answer(stacks.delete_stack, StackName="ours")[0], 200)
    tally.equal("a deleted stack is found by its id", settled(stack), "DELETE_COMPLETE")
    tally.equal("DeleteStack of none", answer(stacks.delete_stack, StackName="ours")[0], 200)
