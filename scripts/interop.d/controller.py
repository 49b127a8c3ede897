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
import sys
import tempfile
import time
import zipfile

import boto3
from emulator import CANARYCTL, Emulator, check, failed, lint, until

CONTROLLER = "canaryctl-controller"
FAR = "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"


def template(*arguments):
    return subprocess.run([CANARYCTL, "controller", "template", *arguments], check=True, capture_output=True, text=True).stdout


def package(folder):
    """The binary as `bootstrap`, without what only a debugger reads."""
    lean = f"{folder}/bootstrap"
    if not (shutil.which("strip") and subprocess.run(["strip", "-o", lean, CANARYCTL], check=False).returncode == 0):
        lean = CANARYCTL
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as entries:
        entries.write(lean, "bootstrap")
    return archive.getvalue()


def templates():
    lint(template("hello"), "template")
    lint(template("hello", FAR, "--hook", "smoke", "--managed-alarm", "bad", "--test-events", "--gates", "--keep-previous", "before", "--rollout-notify", "events:ours", "--s3", "shelf/code.zip"), "with --s3")
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/canaryctl:1"
    lint(template("hello", "--image", image, "--architecture", "arm64", "--with-guard"), "with --image and --with-guard")


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


def main():
    templates()
    with tempfile.TemporaryDirectory() as folder:
        Emulator.folder = folder
        emulator = Emulator(folder)
        try:
            stories(emulator)
        finally:
            emulator.process.terminate()
            emulator.process.wait(10)
    print(f"{len(failed)} failed" if failed else "all hold")
    sys.exit(1 if failed else 0)


main()
