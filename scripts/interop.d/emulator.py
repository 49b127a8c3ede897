"""An emulator that nobody here wrote, on a port of its own, and what its checks share."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile

import boto3

CANARYCTL, MINISTACK = sys.argv[1:]
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("CI", "GITHUB_ACTIONS") and not name.startswith("AWS_")
} | {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
failed = []


def check(what, holds, seen=""):
    """One line for one check."""
    print(f"{'ok  ' if holds else 'FAIL'} {what}{'' if holds else f': {str(seen)[-800:]}'}", flush=True)
    if not holds:
        failed.append(what)


def lint(text, what="template"):
    """Checks a template by the rules of CloudFormation's own linter."""
    found = shutil.which("cfn-lint", path=os.path.dirname(sys.executable)) or shutil.which("cfn-lint")
    if not found:
        print("skipped: cfn-lint is not installed")
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(text)
        file.flush()
        linted = subprocess.run([found, file.name], capture_output=True, text=True)
        check(f"{what}: cfn-lint has nothing to say", linted.returncode == 0, linted.stdout)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def code(text):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as entries:
        entries.writestr("index.py", f"def handler(event, context):\n    return {text!r}\n")
    return archive.getvalue()


class Emulator:
    """The emulator on a port of its own, and clients for it."""

    def __init__(self, folder):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        settings = dict(ENVIRONMENT, GATEWAY_PORT=str(port), BIND_HOST="127.0.0.1", HOME=folder)
        self.process = subprocess.Popen([MINISTACK], env=settings, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                time.sleep(0.1)
        access = dict(endpoint_url=self.url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        self.aws, self.alarms = boto3.client("lambda", **access), boto3.client("cloudwatch", **access)
        iam = boto3.client("iam", **access)
        self.role = iam.create_role(RoleName="role", AssumeRolePolicyDocument='{"Version":"2012-10-17","Statement":[]}')["Role"]["Arn"]

    def function(self, name, alias=True):
        """A function with version 1 behind `live`, and newer code."""
        self.aws.create_function(
            FunctionName=name, Runtime="python3.12", Role=self.role, Handler="index.handler", Code={"ZipFile": code(name)}
        )
        self.settle(name)
        if alias:
            self.aws.publish_version(FunctionName=name)
            self.aws.create_alias(FunctionName=name, Name="live", FunctionVersion="1", Description="ours")
            self.change(name)

    def change(self, name):
        self.aws.update_function_code(FunctionName=name, ZipFile=code(f"{name} {time.time()}"))
        self.settle(name)

    def settle(self, name):
        for _ in range(100):
            known = self.aws.get_function_configuration(FunctionName=name)
            if known.get("State") == "Active" and known.get("LastUpdateStatus", "Successful") == "Successful":
                return
            time.sleep(0.1)

    def alias(self, name):
        alias = self.aws.get_alias(FunctionName=name, Name="live")
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        return alias["FunctionVersion"], {version: weight for version, weight in weights.items() if weight}

    def alarm(self, name):
        self.alarms.put_metric_alarm(
            AlarmName=name, Namespace="AWS/Lambda", MetricName="Errors", Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=1, ComparisonOperator="GreaterThanOrEqualToThreshold", TreatMissingData="notBreaching",
        )
        self.alarms.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="quiet")

    def start(self, *arguments):
        command = [CANARYCTL, *arguments, "--endpoint-url", self.url]
        return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.folder)

    def run(self, *arguments):
        return end(self.start(*arguments))

    folder = None


def end(process, limit=90):
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        return None, output
    return process.returncode, output


def until(holds, limit=40):
    deadline = time.time() + limit
    while time.time() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return False


def run(stories):
    """Tells the stories on an emulator of their own, and exits with 1 if a check failed."""
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
