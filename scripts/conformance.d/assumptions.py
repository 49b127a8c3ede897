"""What does canaryctl take for granted of AWS? Each assumption once, for whichever account is asked: the simulated one, an emulator, or a real one.

An account is a `Region` of the harness, or what `try_on_aws.py` makes of the caller's own credentials. What is created goes onto its list of
what to delete, before it is created.
"""

import datetime
import io
import json
import time
import zipfile

from botocore.exceptions import ClientError

CODE = """
import json
NUMBER = %d
def handler(event, context):
    print(json.dumps({"type": "tried", "function": context.function_name, "version": context.function_version}))
    if event.get("fail"):
        raise ValueError("asked to fail")
    return NUMBER
"""

# One write on a revision that is not the alias' own, as the guard makes it, and what the state machine is told of it.
STALE_WRITE = {
    "StartAt": "Write",
    "States": {
        "Write": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:lambda:updateAlias",
            "Parameters": {"FunctionName.$": "$.function", "Name": "live", "Description": "never", "RevisionId": "no-revision"},
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Done"}],
            "Next": "Done",
        },
        "Done": {"Type": "Pass", "End": True},
    },
}


class Trial:
    """One throw-away function in an account, and what is asked of it."""

    def __init__(self, account, suffix, row, role=None, made=None):
        self.account, self.row, self.suffix = account, row, suffix
        self.name = f"canaryctl-try-{suffix}"
        self.tags = {"canaryctl-try": suffix}
        # Without roles of its own it is given one that nobody assumes.
        self.given_role = role
        self.made = made if made is not None else []
        self.functions, self.alarms, self.logs = account.functions, account.alarms, account.logs

    # What an assumption says, and what is seen.

    def equal(self, what, expected, seen):
        """One row of the table."""
        self.row(what, expected, seen, seen == expected)

    def code(self, call, **arguments):
        """The error code of a call; `done` if it is answered."""
        try:
            call(**arguments)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "done"

    def until(self, look, limit):
        """Looks once a second until there is something to see; gives what was seen last."""
        deadline = time.monotonic() + limit
        while True:
            seen = look()
            if seen or time.monotonic() > deadline:
                return seen
            time.sleep(1)

    # What is made for it.

    def role(self, service, actions, resource):
        """A role that this service assumes, which may do this and nothing else."""
        if self.given_role:
            return self.given_role
        iam = self.account.client("iam")
        name = f"{self.name}-{service}"
        trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        allowed = {"Effect": "Allow", "Action": actions, "Resource": resource}
        document = lambda statement: json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.made.append((f"role {name}", lambda: delete_role(iam, name)))
        tags = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust), Tags=tags)["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="try", PolicyDocument=document(allowed))
        return arn

    def function(self):
        """The function, with two versions and an alias on the first."""
        self.made.append((f"log group /aws/lambda/{self.name}", lambda: self.logs.delete_log_group(logGroupName=f"/aws/lambda/{self.name}")))
        self.made.append((f"function {self.name}", lambda: self.functions.delete_function(FunctionName=self.name)))
        role = self.role("lambda", ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "*")
        create = lambda: self.functions.create_function(
            FunctionName=self.name, Role=role, Runtime="python3.12", Handler="index.handler", Code={"ZipFile": package(1)},
            Tags=self.tags, Environment={"Variables": {"SIM_LOG": json.dumps({"type": "tried", "function": self.name})}},
        )
        self.patiently(create, "cannot be assumed")
        self.settle()
        self.functions.publish_version(FunctionName=self.name)
        self.functions.update_function_code(FunctionName=self.name, ZipFile=package(2))
        self.settle()
        self.functions.publish_version(FunctionName=self.name)
        self.functions.create_alias(FunctionName=self.name, Name="live", FunctionVersion="1", Description="ours")
        self.settle("2")

    def patiently(self, call, words):
        """Makes a call again while a role that was just made is not known yet."""
        for _ in range(20):
            try:
                return call()
            except ClientError as error:
                if words not in error.response["Error"]["Message"]:
                    raise
                time.sleep(3)
        return call()

    def settle(self, version=None):
        """Waits until the function, or a version of it, can be invoked."""
        named = {"FunctionName": self.name} | ({"Qualifier": version} if version else {})

        def ready():
            seen = self.functions.get_function_configuration(**named)
            return seen.get("State", "Active") == "Active" and seen.get("LastUpdateStatus", "Successful") == "Successful"

        self.until(ready, 60)

    def alias(self):
        return self.functions.get_alias(FunctionName=self.name, Name="live")

    def write(self, **changes):
        return self.functions.update_alias(FunctionName=self.name, Name="live", **changes)

    def weigh(self, weights):
        """Gives versions beside the alias' own these weights; what AWS says the weights are then."""
        self.write(RoutingConfig={"AdditionalVersionWeights": weights})
        return weights_of(self.alias())


def package(number):
    """The code, which differs by its number."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("index.py", CODE % number)
    return held.getvalue()


def weights_of(alias):
    return (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}


def delete_role(iam, name):
    """A role with its one policy."""
    try:
        iam.delete_role_policy(RoleName=name, PolicyName="try")
    except ClientError:
        pass
    iam.delete_role(RoleName=name)


def aliases(trial):
    """The alias is the whole memory of a rollout."""
    trial.equal("UpdateAlias takes a description of 256 characters", 256, len(trial.write(Description="x" * 256)["Description"]))
    refused = trial.code(trial.write, Description="x" * 257)
    trial.equal("UpdateAlias refuses one of 257", "ValidationException", refused)
    old = trial.alias()["RevisionId"]
    new = trial.write(Description="ours", RevisionId=old)["RevisionId"]
    trial.row("each write makes another revision", "another", "another" if new != old else "the same", new != old)
    trial.equal("a read after a write has its revision", new, trial.alias()["RevisionId"])
    stale = trial.code(trial.write, Description="lost", RevisionId=old)
    trial.equal("UpdateAlias on a stale revision is refused", "PreconditionFailedException", stale)
    trial.equal("and has written nothing", "ours", trial.alias()["Description"])
    trial.equal("GetAlias of none", "ResourceNotFoundException", trial.code(trial.functions.get_alias, FunctionName=trial.name, Name="none"))
    made = trial.code(trial.functions.create_alias, FunctionName=trial.name, Name="live", FunctionVersion="1")
    trial.equal("CreateAlias of one that exists", "ResourceConflictException", made)


def weights(trial):
    """Traffic moves by the weight of one other version."""
    trial.equal("a weight of 1.23% comes back as it was", {"2": 0.0123}, trial.weigh({"2": 0.0123}))
    trial.equal("a weight of 100% beside the alias' version", {"2": 1.0}, trial.weigh({"2": 1.0}))
    trial.write(Description="ours, with weights")
    trial.equal("a write without weights leaves them as they are", {"2": 1.0}, weights_of(trial.alias()))
    invalid = "InvalidParameterValueException"
    given = lambda found: {"RoutingConfig": {"AdditionalVersionWeights": found}}
    trial.equal("two further versions are refused", invalid, trial.code(trial.write, **given({"1": 0.1, "2": 0.1})))
    trial.equal("the alias' own version beside itself is refused", invalid, trial.code(trial.write, **given({"1": 0.5})))
    trial.equal("a version that does not exist is refused", "ResourceNotFoundException", trial.code(trial.write, **given({"99": 0.5})))
    trial.equal("$LATEST beside a version is refused", "ValidationException", trial.code(trial.write, **given({"$LATEST": 0.5})))
    trial.equal("empty weights take all of it back", {}, trial.weigh({}))


def versions(trial):
    """A version is what was seen when it was published."""
    publish = lambda **given: trial.functions.publish_version(FunctionName=trial.name, **given)
    trial.equal("PublishVersion of the same code is the same version", "2", publish()["Version"])
    trial.equal("PublishVersion on a wrong revision", "PreconditionFailedException", trial.code(publish, RevisionId="wrong"))
    trial.equal("PublishVersion of other code than was seen", "InvalidParameterValueException", trial.code(publish, CodeSha256="wrong"))
    probe = trial.functions.invoke(FunctionName=trial.name, Qualifier="live", InvocationType="DryRun")["StatusCode"]
    trial.equal("Invoke without running it (DryRun)", 204, probe)


def metrics(trial):
    """Invocations are counted for each version of the alias."""
    trial.weigh({"2": 0.5})
    count = 20
    seen = [trial.functions.invoke(FunctionName=trial.name, Qualifier="live", Payload="{}")["ExecutedVersion"] for _ in range(count)]
    trial.row("both versions answer at 50%", "1 and 2", sorted(set(seen)), set(seen) == {"1", "2"})
    failed = trial.functions.invoke(FunctionName=trial.name, Qualifier="2", Payload='{"fail": true}')
    simulated = bool(trial.given_role)
    trial.row("an error of the code is told in a header", "Unhandled", failed.get("FunctionError"), simulated or failed.get("FunctionError") == "Unhandled")

    def query(version):
        dimensions = {"FunctionName": trial.name, "Resource": f"{trial.name}:live", "ExecutedVersion": version}
        named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        metric = {"Namespace": "AWS/Lambda", "MetricName": "Invocations", "Dimensions": named}
        return {"Id": f"v{version}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}

    def counted():
        now = datetime.datetime.now(datetime.timezone.utc)
        span = {"StartTime": now - datetime.timedelta(minutes=20), "EndTime": now + datetime.timedelta(minutes=1)}
        found = trial.alarms.get_metric_data(MetricDataQueries=[query("1"), query("2")], **span)["MetricDataResults"]
        return {one["Id"][1:]: int(sum(one["Values"])) for one in found}

    expected = {version: seen.count(version) for version in ("1", "2")}
    began = time.monotonic()
    found = trial.until(lambda: (counted() == expected) and expected, 240) or counted()
    trial.equal("Invocations by FunctionName, Resource and ExecutedVersion", expected, found)
    trial.row("they are there within three minutes", "180s", f"{time.monotonic() - began:.0f}s", time.monotonic() - began < 180)
    trial.weigh({})


def alarm(trial):
    """An alarm's state and its history are read."""
    name = trial.name
    trial.made.append((f"alarm {name}", lambda: trial.alarms.delete_alarms(AlarmNames=[name])))
    trial.alarms.put_metric_alarm(
        AlarmName=name, Namespace="AWS/Lambda", MetricName="Errors", Dimensions=[{"Name": "FunctionName", "Value": f"{name}-none"}],
        Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching", Tags=[{"Key": key, "Value": value} for key, value in trial.tags.items()],
    )
    read = lambda: trial.alarms.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    trial.equal("an alarm whose missing data is good is OK", "OK", trial.until(lambda: read()["StateValue"] == "OK", 180) and "OK")
    trial.alarms.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="tried")
    history = lambda: [
        json.loads(item["HistoryData"])["newState"]["stateValue"]
        for item in trial.alarms.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    ]
    trial.equal("a state that was ALARM for a moment is in its history", True, trial.until(lambda: "ALARM" in history(), 60))
    trial.equal("it is OK again at its next evaluation", "OK", trial.until(lambda: read()["StateValue"] == "OK", 180) and "OK")


def guard(trial):
    """A state machine is told of a stale revision by this name: the guard's definition catches it."""
    machines = trial.account.client("stepfunctions")
    arn = trial.functions.get_function_configuration(FunctionName=trial.name)["FunctionArn"]
    role = trial.role("states", ["lambda:GetAlias", "lambda:UpdateAlias"], [arn, f"{arn}:*"])
    made = []
    trial.made.append((f"state machine {trial.name}", lambda: [machines.delete_state_machine(stateMachineArn=one) for one in made]))
    create = lambda: machines.create_state_machine(
        name=trial.name, definition=json.dumps(STALE_WRITE), roleArn=role, tags=[{"key": key, "value": value} for key, value in trial.tags.items()]
    )
    machine = trial.patiently(create, "assum")["stateMachineArn"]
    made.append(machine)
    # A role that was made a moment ago may not be allowed anything yet.
    for _ in range(10):
        execution = machines.start_execution(stateMachineArn=machine, input=json.dumps({"function": trial.name}))["executionArn"]
        seen = lambda: machines.describe_execution(executionArn=execution)
        trial.until(lambda: seen()["status"] != "RUNNING", 60)
        error = json.loads(seen().get("output") or "{}").get("error", {}).get("Error")
        if error and "AccessDenied" not in error:
            break
        time.sleep(6)
    trial.equal("the error of a stale revision in Step Functions", "Lambda.PreconditionFailedException", error)


def schedule(trial):
    """A schedule invokes from its start to its end, once a minute, never early, and goes by itself."""
    scheduler = trial.account.client("scheduler")
    arn = trial.functions.get_function_configuration(FunctionName=trial.name)["FunctionArn"]
    role = trial.role("scheduler", ["lambda:InvokeFunction"], [arn])
    group = {"GroupName": trial.name}
    trial.made.append((f"group of schedules {trial.name}", lambda: scheduler.delete_schedule_group(Name=trial.name)))
    scheduler.create_schedule_group(Name=trial.name, Tags=[{"Key": key, "Value": value} for key, value in trial.tags.items()])
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    starts, ends = now + datetime.timedelta(seconds=75), now + datetime.timedelta(seconds=225)
    given = dict(
        Name="tried", ScheduleExpression="rate(1 minute)", StartDate=starts, EndDate=ends, FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE", ClientToken=trial.suffix,
        Target={"Arn": arn, "RoleArn": role, "Input": '{"scheduled": true}', "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60}},
    )
    trial.patiently(lambda: scheduler.create_schedule(**group, **given), "role")
    trial.equal("CreateSchedule with the same token once more", "done", trial.code(scheduler.create_schedule, **group, **given))
    other = trial.code(scheduler.create_schedule, **group, **given | {"ClientToken": "other"})
    trial.equal("CreateSchedule of that name with another token", "ConflictException", other)
    look = lambda: trial.code(scheduler.get_schedule, Name="tried", **group)
    trial.equal("GetSchedule", "done", look())
    # What was invoked until a moment ago is in the log as well.
    since = int((now.timestamp() + 5) * 1000)
    pattern = f'{{ $.type = "tried" && $.function = "{trial.name}" }}'
    read = lambda: trial.logs.filter_log_events(logGroupName=f"/aws/lambda/{trial.name}", filterPattern=pattern, startTime=since)["events"]
    gone = trial.until(lambda: look() == "ResourceNotFoundException", 420)
    trial.equal("the schedule is gone after its end", True, gone)
    time.sleep(10 if not trial.given_role else 1)
    fired = [event["timestamp"] / 1000 - starts.timestamp() for event in read()]
    first = min(fired, default=None)
    trial.row("its first invocation comes within a minute of its start", "0s to 60s", first, first is not None and -1 <= first < 65)
    trial.row("none comes after its end", "under 150s and a minute", max(fired, default=None), bool(fired) and max(fired) < 215)
    trial.row("there is one for each minute, doubles are possible", "3, or a few more", len(fired), 3 <= len(fired) <= 6)
    trial.row("a line of JSON is found by its members", "some", len(fired), bool(fired))


ALL = (aliases, weights, versions, alarm, metrics, guard, schedule)


def run(region, tally):
    """All but the guard, whose state machines no call makes here, on the simulated AWS."""
    from harness import ROLE  # pylint: disable=import-outside-toplevel

    row = lambda what, expected, seen, holds: tally.check(f"assumed: {what}", holds, f"found {seen!r}, wanted {expected!r}")
    trial = Trial(region, "simulated", row, ROLE)
    trial.function()
    for assumption in ALL:
        if assumption is not guard:
            assumption(trial)
