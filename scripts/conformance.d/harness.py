"""How are the checks run and counted? A served account, stock clients for it, and canaryctl as a process.

It knows nothing of what is checked.
"""

import io
import json
import os
import re
import select
import subprocess
import sys
import threading
import time
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = "111111111111"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/hello"

# Seconds that one process may take, unless its story says more; the slowest rollout takes 82.
PROCESS_LIMIT = 84.0


class Tally:
    """Prints one line for each check, whichever thread makes it, and counts them."""

    def __init__(self):
        self._lock = threading.Lock()
        self.passed = 0
        self.failed = 0

    def check(self, name, holds, detail=""):
        """Counts a check that holds or not; `detail` is shown where it does not."""
        with self._lock:
            if holds:
                self.passed += 1
                line = f"ok    {name}"
            else:
                self.failed += 1
                line = f"FAIL  {name}" + (f": {detail}" if detail else "")
            print(line, flush=True)

    def equal(self, name, found, wanted):
        """Checks that two values are the same."""
        self.check(name, found == wanted, f"found {found!r}, wanted {wanted!r}")


class Processes:
    """Every process that was started, so that exactly these can be ended."""

    def __init__(self, binary, directory):
        self.binary = binary
        self.directory = directory
        self._lock = threading.Lock()
        self._running = []
        self.endpoint = None

    def environment(self, region):
        """The caller's environment without its own AWS and its proxies, pointing at the served account."""
        foreign = re.compile(r"^(AWS_.*|.*_proxy|CI|RUST_LOG)$", re.IGNORECASE)
        kept = {name: value for name, value in os.environ.items() if not foreign.match(name)}
        nowhere = os.path.join(self.directory, "absent")
        return kept | {
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint or "",
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "NO_COLOR": "1",
        }

    def start(self, command, region="us-east-1"):
        """Starts a process of the story."""
        process = subprocess.Popen(
            command,
            env=self.environment(region),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with self._lock:
            self._running.append(process)
        return process

    def serve(self, *arguments):
        """Serves the simulated AWS and reads its address from its first line."""
        process = self.start([self.binary, "simulate", "--listen", "127.0.0.1:0", *arguments])
        # Nobody reads what a server says later; it says nothing.
        ready, _, _ = select.select([process.stdout], [], [], 10)
        line = process.stdout.readline() if ready else ""
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        if not found:
            sys.exit(f"`canaryctl simulate` did not say where it listens: {line!r}")
        self.endpoint = found.group()

    def stop(self):
        """Ends whatever still runs, by its own process id."""
        with self._lock:
            running = [process for process in self._running if process.poll() is None]
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Ended:
    """A canaryctl process that has come to its end."""

    def __init__(self, process, limit=PROCESS_LIMIT):
        self.out, self.err = process.communicate(timeout=limit)
        self.code = process.returncode

    def events(self):
        """Its output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def shown(self):
        """What it said, for a check that fails."""
        return f"exit {self.code}, {(self.out + self.err)[-600:]!r}"


class Region:
    """One Region of the served AWS, as boto3, the AWS CLI and canaryctl see it."""

    def __init__(self, processes, name):
        self.processes = processes
        self.name = name
        session = boto3.session.Session("any", "any", region_name=name)
        config = Config(connect_timeout=5, read_timeout=30, proxies={}, retries={"total_max_attempts": 1})
        self.client = lambda service: session.client(service, endpoint_url=processes.endpoint, config=config)
        self.functions = self.client("lambda")
        self.alarms = self.client("cloudwatch")
        self.stacks = self.client("cloudformation")
        self.logs = self.client("logs")
        self.topics = self.client("sns")
        self.buses = self.client("events")
        self.tokens = self.client("sts")

    def arn(self, function, qualifier=None):
        """The ARN of a function, or of one of its versions or aliases."""
        arn = f"arn:aws:lambda:{self.name}:{ACCOUNT}:function:{function}"
        return f"{arn}:{qualifier}" if qualifier else arn

    def start(self, *arguments):
        """Starts canaryctl in this Region."""
        return self.processes.start([self.processes.binary, *arguments], self.name)

    def canaryctl(self, *arguments, limit=PROCESS_LIMIT):
        """Runs canaryctl in this Region to its end."""
        return Ended(self.start(*arguments), limit)

    def cli(self, *arguments):
        """Runs the AWS CLI in this Region; gives its answer, or its error."""
        ended = Ended(self.processes.start(["aws", *arguments], self.name))
        if ended.code != 0:
            return {"error": ended.err.strip()}
        return json.loads(ended.out) if ended.out.strip() else {}

    def traffic(self, function="hello", alias="Live"):
        """Where an alias sends its calls: the version, and the weights beside it."""
        seen = self.functions.get_alias(FunctionName=function, Name=alias)
        return seen["FunctionVersion"], seen.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})

    def settle(self, function):
        """Waits until `$LATEST` is Active and its last update is done."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            seen = self.functions.get_function_configuration(FunctionName=function)
            # What is just being created has no last update yet.
            if (seen["State"], seen.get("LastUpdateStatus")) == ("Active", "Successful"):
                return
            time.sleep(0.05)
        raise TimeoutError(f"{function} did not settle")


def package(text):
    """The smallest deployment package, which differs where the text does."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("index.py", text)
    return held.getvalue()


def answer(call, **arguments):
    """What a boto3 call gave, an error too, without what differs from call to call."""
    try:
        seen = dict(call(**arguments))
    except ClientError as error:
        seen = dict(error.response)
    status = seen.pop("ResponseMetadata")["HTTPStatusCode"]
    return status, seen
