"""A schedule of the program's own, made by its own SDK, on an emulator that nobody here wrote. Arguments: as `main.py` has them.

What the emulator does otherwise than AWS, and what is therefore not asked of it:
- It knows no `ClientToken`: the same creation twice is a conflict there, and found to be the same by what is there.
- It invokes a minute after a schedule was made for the first time, wherever its start is.
"""

import json
import subprocess

import boto3
from emulator import ENVIRONMENT, check, code, run, until


def stories(emulator):
    access = dict(endpoint_url=emulator.url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    scheduler, logs = boto3.client("scheduler", **access), boto3.client("logs", **access)
    scheduler.create_schedule_group(Name="canaryctl")
    emulator.aws.create_function(
        FunctionName="scheduled", Runtime="python3.12", Role=emulator.role, Handler="index.handler", Code={"ZipFile": code("done")}
    )
    emulator.settle("scheduled")
    arn = emulator.aws.get_function_configuration(FunctionName="scheduled")["FunctionArn"]
    told = {"EMULATOR_URL": emulator.url, "SCHEDULED_FUNCTION": arn, "SCHEDULED_ROLE": emulator.role}
    test = ["cargo", "test", "--quiet", "-p", "aws", "-p", "canaryctl", "--test", "aws", "--", "--exact"]
    ended = subprocess.run(
        [*test, "emulated::a_schedule_is_made_once_seen_and_deleted_there_too"],
        env=ENVIRONMENT | told, capture_output=True, text=True, timeout=1800, check=False,
    )
    check("schedule: made once, seen and deleted by the program's own SDK", ended.returncode == 0, ended.stdout + ended.stderr)
    seen = scheduler.get_schedule(Name="kept", GroupName="canaryctl")
    found = [seen[key] for key in ("ScheduleExpression", "FlexibleTimeWindow", "ActionAfterCompletion", "State")]
    check("schedule: as boto3 reads it", found == ["rate(1 minute)", {"Mode": "OFF"}, "DELETE", "ENABLED"], found)
    policy = seen["Target"]["RetryPolicy"]
    check("schedule: its retries", policy == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 2}, policy)
    check("schedule: its input", json.loads(seen["Target"]["Input"]) == {"rollout": "7f3ac2e1"}, seen["Target"])

    def invoked():
        groups = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/scheduled")["logGroups"]
        return groups and logs.filter_log_events(logGroupName="/aws/lambda/scheduled", filterPattern="START")["events"]

    check("schedule: it invokes its function", until(invoked, limit=100))


run(stories)
