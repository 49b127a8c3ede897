"""A detached rollout, by the controller's template and the real binary as its function, on an emulator that nobody here wrote. Arguments: as
`main.py` has them.

The template goes through cfn-lint, and through the emulator's own CloudFormation; the emulator's scheduler fires the clock, whose invocations
find the schedule that the program made, and its Lambda runs the binary as `bootstrap`.

What the emulator does otherwise than AWS, and what is therefore not asked of it:
- It runs the function's code on this machine, and knows nothing of `provided.al2023` but the Runtime API.
- It refuses no call that the function's role does not permit. The project's own scenarios have that.
- Its Lambda sends the function to AWS itself, unless the function's environment says where else.
"""

import io
import json
import shutil
import subprocess
import time
import zipfile

import boto3
from emulator import CANARYCTL, check, end, lint, run, until

CONTROLLER = "canaryctl-controller"
FAR = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"


def template(*arguments):
    return subprocess.run([CANARYCTL, "controller", "template", *arguments], check=True, capture_output=True, text=True).stdout


def package(folder):
    """The binary as `bootstrap`, without what only a debugger reads."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as entries:
        entries.write(lean(folder), "bootstrap")
    return archive.getvalue()


def templates():
    lint(template("hello"), "template")
    lint(template("hello", FAR, "--hook", "smoke", "--managed-alarm", "bad", "--test-events", "--gates", "--keep-previous", "before", "--rollout-notify", "events:ours", "--s3", "shelf/code.zip"), "with --s3")
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/canaryctl:1"
    lint(template("hello", "--image", image, "--architecture", "arm64", "--with-guard"), "with --image and --with-guard")


def lean(folder):
    """The binary without what only a debugger reads: with it, it is larger than Lambda takes."""
    path = f"{folder}/canaryctl-lean"
    stripped = shutil.which("strip") and subprocess.run(["strip", "-o", path, CANARYCTL], check=False).returncode == 0
    return path if stripped else CANARYCTL


def install(emulator, access, *arguments):
    """Has the program install its controller; gives how that ended."""
    binary = lean(emulator.folder)
    return end(emulator.start("controller", "install", "direct", "--name", "direct-controller", "--binary", binary, *arguments), limit=600)


def installed(emulator, access):
    """Installs, rolls out, and uninstalls, without a stack of somebody else's."""
    iam, logs, scheduler = (boto3.client(service, **access) for service in ("iam", "logs", "scheduler"))
    name = "direct-controller"
    status, output = install(emulator, access)
    check("install: without a terminal it shows its plan and does nothing", status == 3 and "create  the function" in output, output)
    status, output = install(emulator, access, "--yes")
    check("install: it can be installed", status == 0, output)
    emulator.aws.update_function_configuration(FunctionName=name, Environment={"Variables": {"AWS_ENDPOINT_URL": emulator.url}})
    emulator.settle(name)
    status, output = install(emulator, access, "--yes")
    check("install: twice changes nothing", status == 0 and "nothing to do" in output, output)
    emulator.function("direct")
    steps = ["--steps", "20", "--every", "5s", "--bake", "5s", "--analysis", "off", "--no-config", f"--detach={name}"]
    status, output = emulator.run("rollout", "direct", *steps)
    check("install: a rollout is detached to it", status == 0, output)
    schedules = lambda: scheduler.list_schedules(GroupName="canaryctl", State="DISABLED")["Schedules"]
    status, output = emulator.run("controller", "uninstall", "--name", name, "--yes")
    check("uninstall: refused while a rollout is detached", status == 3 and schedules()[0]["Name"] in output, output)
    check("install: the rollout is promoted", until(lambda: emulator.alias("direct") == ("2", {}), limit=200), emulator.alias("direct"))
    check("install: its schedule is deleted", until(lambda: not schedules()), schedules())
    status, output = emulator.run("events", "direct", "--controller", name, "--no-config")
    kinds = [json.loads(line)["type"] for line in output.splitlines() if line.startswith("{")]
    check("events: they come out of the function's log", status == 0 and kinds[:1] == ["started"] and kinds[-1:] == ["outcome"], output)
    status, output = end(emulator.start("controller", "uninstall", "--name", name, "--yes"), limit=120)
    check("uninstall: it can be uninstalled", status == 0, output)
    functions = [one["FunctionName"] for one in emulator.aws.list_functions()["Functions"]]
    roles = [one["RoleName"] for one in iam.list_roles()["Roles"] if name in one["RoleName"]]
    groups = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
    alarms = [one["AlarmName"] for one in emulator.alarms.describe_alarms()["MetricAlarms"] if name in one["AlarmName"]]
    check("uninstall: nothing of it is left", name not in functions and not (roles or groups or alarms), (functions, roles, groups, alarms))
    check("uninstall: the group of schedules is gone", "canaryctl" not in [one["Name"] for one in scheduler.list_schedule_groups()["ScheduleGroups"]])
    status, output = emulator.run("controller", "uninstall", "--name", name, "--yes")
    check("uninstall: twice is fine", status == 0 and "nothing to do" in output, output)


def deploy(emulator, access):
    """The template as a stack, with the code in a bucket."""
    store, stacks = boto3.client("s3", **access), boto3.client("cloudformation", **access)
    store.create_bucket(Bucket="shelf")
    store.put_object(Bucket="shelf", Key="code.zip", Body=package(emulator.folder))
    stacks.create_stack(
        StackName=CONTROLLER, TemplateBody=template("detached", "--s3", "shelf/code.zip"), Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    seen = lambda: stacks.describe_stacks(StackName=CONTROLLER)["Stacks"][0]["StackStatus"]
    check("stack: it can be made", until(lambda: seen() == "CREATE_COMPLETE", limit=60), seen())
    emulator.settle(CONTROLLER)
    emulator.aws.update_function_configuration(FunctionName=CONTROLLER, Environment={"Variables": {"AWS_ENDPOINT_URL": emulator.url}})
    emulator.settle(CONTROLLER)


def stories(emulator):
    access = dict(endpoint_url=emulator.url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    scheduler, logs = boto3.client("scheduler", **access), boto3.client("logs", **access)
    installed(emulator, access)
    deploy(emulator, access)
    emulator.function("detached")
    # The first invocation comes after a minute, and takes the next step; the second one finds that it baked for long enough.
    steps = ["--steps", "20", "--every", "70s", "--bake", "50s", "--analysis", "off", "--no-config"]
    began = time.time()
    status, output = emulator.run("rollout", "detached", "--detach", *steps)
    check("detached: it leaves with exit code 0", status == 0 and time.time() - began < 30, f"{status}\n{output}")
    check("detached: its first step is taken", emulator.alias("detached") == ("1", {"2": 0.2}), emulator.alias("detached"))
    listed = lambda state: scheduler.list_schedules(GroupName="canaryctl", State=state)["Schedules"]
    schedules = lambda: listed("DISABLED")
    clock = [one["Name"] for one in listed("ENABLED")]
    check("stack: it has a clock", clock == [f"clock.{CONTROLLER}"], clock)
    check("detached: it has one schedule, which waits for the clock", len(schedules()) == 1, schedules())
    check("detached: it is taken to 100%", until(lambda: emulator.alias("detached")[1] == {"2": 1.0}, limit=150), emulator.alias("detached"))
    check("detached: it is promoted", until(lambda: emulator.alias("detached") == ("2", {}), limit=150), emulator.alias("detached"))
    check("detached: not before its time", time.time() - began >= 120, time.time() - began)
    check("detached: its last turn deletes the schedule", until(lambda: not schedules()), schedules())
    group = f"/aws/lambda/{CONTROLLER}"
    lines = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
    told = [json.loads(line) for line in lines if line.startswith("{")]
    ends = [line for line in told if line.get("type") == "outcome"]
    check("detached: its end is in the function's log", [end["outcome"] for end in ends] == ["promoted"], lines[-20:])


def main(emulator):
    """All of it."""
    templates()
    stories(emulator)


run(main)
