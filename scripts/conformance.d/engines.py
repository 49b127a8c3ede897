"""Can boto3 work the two engines that act while canaryctl does not run? Step Functions with its guard, and EventBridge Scheduler."""

import datetime
import json
import time

from harness import ACCOUNT, ROLE, answer, package
from reading import refused

MACHINE = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:canaryctl-guard"


def guards(region, tally):
    """Starts, finds, lists and stops executions of the guard that a furnished account has."""
    machines = region.client("stepfunctions")
    told = lambda rollout: json.dumps({"function": region.arn("hello"), "alias": "Live", "rollout": rollout, "slack": 120})
    start = lambda name, rollout: answer(machines.start_execution, stateMachineArn=MACHINE, name=name, input=told(rollout))
    status, first = start("one", "7f3ac2e1")
    arn = MACHINE.replace(":stateMachine:", ":execution:") + ":one"
    tally.equal("StartExecution", (status, first.get("executionArn")), (200, arn))
    age = time.time() - first["startDate"].timestamp()
    tally.check("its startDate is a time of this minute", 0 <= age < 60, str(age))
    tally.equal("StartExecution of the same once more is the same", start("one", "7f3ac2e1"), (200, first))
    said = f"Execution Already Exists: '{arn}'"
    refused(tally, "StartExecution of another by that name: 400", start("one", "00000000"), 400, "ExecutionAlreadyExists", said)
    refused(tally, "StartExecution by a bad name: 400", start("o ne", "7f3ac2e1"), 400, "InvalidName", "Invalid Name: 'o ne'")
    found = answer(machines.start_execution, stateMachineArn=f"{MACHINE}s", name="one")
    said = f"State Machine Does Not Exist: '{MACHINE}s'"
    refused(tally, "StartExecution of no state machine: 400", found, 400, "StateMachineDoesNotExist", said)
    found = answer(machines.start_execution, stateMachineArn=MACHINE, name="two", input="{")
    said = "Invalid State Machine Execution Input"
    refused(tally, "StartExecution with an input that is not JSON: 400", found, 400, "InvalidExecutionInput", said)
    start("two", "7f3ac2e1")
    seen = machines.describe_execution(executionArn=arn)
    found = [seen[key] for key in ("name", "status", "stateMachineArn", "input", "startDate")]
    tally.equal("DescribeExecution", found, ["one", "RUNNING", MACHINE, told("7f3ac2e1"), first["startDate"]])
    found = answer(machines.describe_execution, executionArn=f"{arn}s")
    said = f"Execution Does Not Exist: '{arn}s'"
    refused(tally, "DescribeExecution of none: 400", found, 400, "ExecutionDoesNotExist", said)
    pages = machines.get_paginator("list_executions").paginate(stateMachineArn=MACHINE, PaginationConfig={"PageSize": 1})
    listed = [(one["name"], one["status"]) for page in pages for one in page["executions"]]
    tally.equal("ListExecutions in pages, the newest first", listed, [("two", "RUNNING"), ("one", "RUNNING")])
    stopped = machines.stop_execution(executionArn=arn, error="Enough", cause="seen")["stopDate"]
    seen = machines.describe_execution(executionArn=arn)
    tally.equal("StopExecution", [seen[key] for key in ("status", "stopDate", "error", "cause")], ["ABORTED", stopped, "Enough", "seen"])
    running = machines.list_executions(stateMachineArn=MACHINE, statusFilter="RUNNING")["executions"]
    tally.equal("ListExecutions by status", [one["name"] for one in running], ["two"])
    found = answer(machines.stop_execution, executionArn=f"{arn}s")
    refused(tally, "StopExecution of none: 400", found, 400, "ExecutionDoesNotExist", said)


def schedules(region, tally):
    """Makes groups and schedules in a Region that has nothing yet, and waits for one to invoke."""
    scheduler = region.client("scheduler")
    region.functions.create_function(
        FunctionName="f",
        Role=ROLE,
        Runtime="python3.12",
        Handler="index.handler",
        Code={"ZipFile": package("f")},
        Environment={"Variables": {"SIM_LOG": "invoked ${requestId}"}},
    )
    region.settle("f")
    groups(region, scheduler, tally)
    content(region, scheduler, tally)
    firing(region, scheduler, tally)


def groups(region, scheduler, tally):
    """Groups of schedules."""
    arn = f"arn:aws:scheduler:{region.name}:{ACCOUNT}:schedule-group/canaryctl"
    tally.equal("CreateScheduleGroup", answer(scheduler.create_schedule_group, Name="canaryctl"), (200, {"ScheduleGroupArn": arn}))
    found = answer(scheduler.create_schedule_group, Name="canaryctl")
    said = "Schedule group canaryctl already exists."
    refused(tally, "CreateScheduleGroup a second time: 409", found, 409, "ConflictException", said)
    seen = scheduler.get_schedule_group(Name="canaryctl")
    tally.equal("GetScheduleGroup", (seen["Arn"], seen["State"]), (arn, "ACTIVE"))
    found = answer(scheduler.get_schedule_group, Name="none")
    refused(tally, "GetScheduleGroup of none: 404", found, 404, "ResourceNotFoundException", "Schedule group none does not exist.")
    pages = scheduler.get_paginator("list_schedule_groups").paginate(PaginationConfig={"PageSize": 1})
    listed = [group["Name"] for page in pages for group in page["ScheduleGroups"]]
    tally.equal("ListScheduleGroups in pages has the default one, too", listed, ["canaryctl", "default"])


def content(region, scheduler, tally):
    """What a schedule must say, and what it is shown as."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    target = {"Arn": region.arn("f"), "RoleArn": ROLE, "Input": '{"rollout": "7f3ac2e1"}'}
    asked = {
        "Name": "one",
        "GroupName": "canaryctl",
        "ScheduleExpression": "rate(1 minute)",
        "StartDate": now + datetime.timedelta(hours=1),
        "EndDate": now + datetime.timedelta(hours=2),
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target | {"RetryPolicy": {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 2}},
        "ActionAfterCompletion": "DELETE",
        "ClientToken": "7f3ac2e1",
    }
    arn = f"arn:aws:scheduler:{region.name}:{ACCOUNT}:schedule/canaryctl/one"
    create = lambda **changed: answer(scheduler.create_schedule, **(asked | changed))
    tally.equal("CreateSchedule", create(), (200, {"ScheduleArn": arn}))
    tally.equal("CreateSchedule by the same token", create(), (200, {"ScheduleArn": arn}))
    said = "Schedule one already exists."
    refused(tally, "CreateSchedule by another token: 409", create(ClientToken="t"), 409, "ConflictException", said)
    found = create(Name="two", GroupName="none")
    said = "Schedule group none does not exist."
    refused(tally, "CreateSchedule in no group: 404", found, 404, "ResourceNotFoundException", said)
    for expression in ("rate(30 seconds)", "rate(0 minutes)", "every minute"):
        said = f"Invalid Schedule Expression {expression}."
        found = create(Name="two", ScheduleExpression=expression)
        refused(tally, f"CreateSchedule, {expression}: 400", found, 400, "ValidationException", said)
    seen = scheduler.get_schedule(Name="one", GroupName="canaryctl")
    shown = {key: value for key, value in asked.items() if key != "ClientToken"}
    tally.equal("GetSchedule", {key: seen.get(key) for key in shown}, shown)
    told = (seen["Arn"], seen["State"], seen["ScheduleExpressionTimezone"])
    tally.equal("GetSchedule says what was not asked for", told, (arn, "ENABLED", "UTC"))
    change = {key: asked[key] for key in ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow")}
    scheduler.update_schedule(**change, Target=target, State="DISABLED")
    seen = scheduler.get_schedule(Name="one", GroupName="canaryctl")
    told = (seen["State"], seen.get("EndDate"), seen["ActionAfterCompletion"], seen["Target"]["RetryPolicy"]["MaximumRetryAttempts"])
    tally.equal("UpdateSchedule resets what it does not say", told, ("DISABLED", None, "NONE", 185))
    create(Name="two")
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName="canaryctl", PaginationConfig={"PageSize": 1})
    listed = [(one["Name"], one["State"], one["Target"]["Arn"]) for page in pages for one in page["Schedules"]]
    tally.equal("ListSchedules in pages", listed, [("one", "DISABLED", region.arn("f")), ("two", "ENABLED", region.arn("f"))])
    listed = scheduler.list_schedules(GroupName="canaryctl", NamePrefix="t", State="ENABLED")["Schedules"]
    tally.equal("ListSchedules by prefix and state", [one["Name"] for one in listed], ["two"])
    listed = scheduler.list_schedules(GroupName="canaryctl", State="DISABLED")["Schedules"]
    shown = [(one["Name"], one["LastModificationDate"] >= one["CreationDate"]) for one in listed]
    tally.equal("ListSchedules of those that are disabled", shown, [("one", True)])
    tally.equal("DeleteSchedule", answer(scheduler.delete_schedule, Name="two", GroupName="canaryctl"), (200, {}))
    found = answer(scheduler.delete_schedule, Name="two", GroupName="canaryctl")
    said = "Schedule two does not exist."
    refused(tally, "DeleteSchedule a second time: 404", found, 404, "ResourceNotFoundException", said)
    found = answer(scheduler.get_schedule, Name="two", GroupName="canaryctl")
    refused(tally, "GetSchedule of none: 404", found, 404, "ResourceNotFoundException", said)


def firing(region, scheduler, tally):
    """A schedule that occurs once invokes once, not before its time, and is gone."""
    at = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(seconds=4)
    common = {
        "GroupName": "canaryctl",
        "ScheduleExpression": f"at({at:%Y-%m-%dT%H:%M:%S})",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": region.arn("f"), "RoleArn": ROLE},
    }
    scheduler.create_schedule(Name="once", ActionAfterCompletion="DELETE", **common)
    scheduler.create_schedule(Name="quiet", State="DISABLED", **common)
    events = []
    deadline = time.monotonic() + 15
    while not events and time.monotonic() < deadline:
        time.sleep(0.3)
        groups_seen = region.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/f")["logGroups"]
        if groups_seen:
            events = region.logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern="invoked")["events"]
    tally.equal("a schedule invokes its function, and one that is disabled does not", len(events), 1)
    late = events[0]["timestamp"] / 1000 - at.timestamp() if events else None
    tally.check("and not before its time", late is not None and 0 <= late < 5, str(late))
    found = answer(scheduler.get_schedule, Name="once", GroupName="canaryctl")
    said = "Schedule once does not exist."
    refused(tally, "one that is complete deletes itself if it is to", found, 404, "ResourceNotFoundException", said)
    scheduler.delete_schedule_group(Name="canaryctl")
    time.sleep(0.5)
    found = answer(scheduler.get_schedule_group, Name="canaryctl")
    said = "Schedule group canaryctl does not exist."
    refused(tally, "DeleteScheduleGroup", found, 404, "ResourceNotFoundException", said)
