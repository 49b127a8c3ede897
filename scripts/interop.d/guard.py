"""The guard's definition, run by interpreters that nobody here wrote. Arguments: the canaryctl to check, and the emulator's command.

First its expressions, by JSONata's own test-driven port to Python, on every note of `guard-notes.json`, which a test of the project writes
from its codec. Then all of it, by the emulator's Step Functions, on aliases of its Lambda. Then the template, by cfn-lint.

What older versions of the emulator do otherwise than AWS, and what is therefore not asked of it: they do not compare `RevisionId`, so that
a write on a revision that somebody replaced is not refused. The project's own scenarios have that.
"""

import json
import os
import subprocess
import time

import boto3
import jsonata

from emulator import CANARYCTL, check, lint, run, until

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number):
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text or "0"


def template():
    arguments = ["guard", "template", "--function", "hello", "--function", "arn:aws:lambda:eu-west-1:123456789012:function:orders:live"]
    return subprocess.run([CANARYCTL, *arguments], check=True, capture_output=True, text=True).stdout


def notes(definition):
    """Every kind of note, by the definition's own expression."""
    with open(os.path.join(os.path.dirname(__file__), "guard-notes.json"), encoding="utf-8") as file:
        rows = json.load(file)
    expression = definition["States"]["Look"]["Output"][2:-2]
    wrong = []
    for row in rows:
        # The one thing that is not the alias': the time at which it is read.
        look = jsonata.Jsonata(expression.replace("$millis()", str(row["millis"])))
        frame = look.create_frame()
        context = {"Execution": {"Input": {"rollout": row["rollout"], "slack": 120}}}
        frame.bind("states", {"input": {}, "result": row["alias"], "context": context})
        seen = look.evaluate({}, frame)
        keys = ("final", "live", "lease", "stable", "description")
        if any(seen[key] != row[key] for key in keys):
            wrong.append((row["alias"], {key: (seen[key], row[key]) for key in keys if seen[key] != row[key]}))
    check(f"notes: all {len(rows)} are read as the codec reads them", not wrong, wrong)
    check("notes: there are enough of them, live and not", 12 < sum(row["live"] for row in rows) < len(rows) - 12, len(rows))


class Guarded:
    """Functions with a note on their alias, and executions of the guard."""

    def __init__(self, emulator, definition):
        self.emulator = emulator
        access = dict(
            endpoint_url=emulator.url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        self.steps = boto3.client("stepfunctions", **access)
        # Short waits, so that the stories take seconds: everything else is as it is.
        text = json.dumps(definition).replace("+ 30000", "+ 2000").replace("+ 60000", "+ 2000")
        made = self.steps.create_state_machine(name="canaryctl-guard", definition=text, roleArn=emulator.role)
        self.machine = made["stateMachineArn"]

    def note(self, name, phase, lease, weights, version="1", ending=""):
        """Writes a live note whose lease ends in so many seconds."""
        now = int(time.time())
        fields = f"t={base36(now)} s={base36(now)} l={base36(now + lease)}{ending}"
        self.emulator.aws.update_alias(
            FunctionName=name, Name="live", FunctionVersion=version, RoutingConfig={"AdditionalVersionWeights": weights},
            Description=f"ours l=zzz [canaryctl/1 7f3ac2e1 k4q9 {phase} {fields}]",
        )
        return now + lease

    def begin(self, name, phase, lease, weights):
        self.emulator.function(name)
        self.emulator.aws.publish_version(FunctionName=name)
        ends = self.note(name, phase, lease, weights)
        asked = {"function": name, "alias": "live", "rollout": "7f3ac2e1", "slack": 1}
        started = self.steps.start_execution(stateMachineArn=self.machine, name=f"{name}-1", input=json.dumps(asked))
        return started["executionArn"], ends

    def ended(self, arn):
        seen = lambda: self.steps.describe_execution(executionArn=arn)["status"]
        return seen() if until(lambda: seen() != "RUNNING") else "RUNNING"

    def described(self, name):
        return self.emulator.aws.get_alias(FunctionName=name, Name="live")["Description"]

    def stories(self):
        deaths = [
            ("shift", "shift 1>2 20% 1/2", {"2": 0.2}), ("bake", "bake 1>2", {"2": 1.0}), ("claim", "claim 1>-", {}),
        ]
        for name, phase, weights in deaths:
            arn, ends = self.begin(f"dead-{name}", phase, 4, weights)
            status, late = self.ended(arn), time.time() - ends
            check(f"killed in {name}: the guard succeeds", status == "SUCCEEDED", self.steps.get_execution_history(executionArn=arn)["events"][-3:])
            check(f"killed in {name}: not before its lease and slack", late >= 1, late)
            check(f"killed in {name}: all traffic on 1", self.emulator.alias(f"dead-{name}") == ("1", {}), self.emulator.alias(f"dead-{name}"))
            said = self.described(f"dead-{name}")
            check(f"killed in {name}: the note says so", " back 1>" in said and " abandoned t=" in said and " l=zzz " in said, said)
            code, shown = self.emulator.run("status", f"dead-{name}", "--no-config", "--output", "json")
            check(f"killed in {name}: canaryctl reads it", code == 0 and json.loads(shown)["last_cause"] == "abandoned", shown)

        arn, _ = self.begin("renewed", "shift 1>2 20% 1/2", 3, {"2": 0.2})
        for _ in range(4):
            time.sleep(2)
            self.note("renewed", "shift 1>2 20% 1/2", 3, {"2": 0.2})
        check("renewed: left alone", self.emulator.alias("renewed") == ("1", {"2": 0.2}), self.emulator.alias("renewed"))
        self.note("renewed", "promoted 1>2", 0, {}, version="2")
        check("promoted: the guard ends", self.ended(arn) == "SUCCEEDED")
        check("promoted: left alone", self.emulator.alias("renewed") == ("2", {}), self.emulator.alias("renewed"))

        arn, _ = self.begin("person", "shift 1>2 20% 1/2", 4, {"2": 0.2})
        code, shown = self.emulator.run("rollback", "person", "--no-config")
        check("person: rolls back", code == 0, shown)
        check("person: the guard ends", self.ended(arn) == "SUCCEEDED")
        check("person: the note stays theirs", " hand " in self.described("person"), self.described("person"))

        arn, _ = self.begin("taken", "shift 1>2 20% 1/2", 4, {"2": 0.2})
        self.emulator.aws.update_alias(FunctionName="taken", Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}})
        check("another version: the guard ends", self.ended(arn) == "SUCCEEDED")
        check("another version: left alone", self.emulator.alias("taken") == ("2", {}), self.emulator.alias("taken"))

        arn, _ = self.begin("paused", "shift 1>2 20% 1/2", 4, {"2": 0.2})
        self.note("paused", "shift 1>2 20% 1/2", 4, {"2": 0.2}, ending=f" u={base36(int(time.time()) + 3600)}.r")
        check("killed while paused: the guard succeeds", self.ended(arn) == "SUCCEEDED")
        check("killed while paused: all traffic on 1", self.emulator.alias("paused") == ("1", {}), self.emulator.alias("paused"))

        self.emulator.function("real")
        slow = ["--steps", "20,60", "--every", "30s", "--bake", "2s", "--analysis", "off", "--no-config"]
        process = self.emulator.start("rollout", "real", "--guard", *slow)
        check("a rollout: it begins", until(lambda: self.emulator.alias("real")[1] == {"2": 0.2}))
        running = self.steps.list_executions(stateMachineArn=self.machine, statusFilter="RUNNING")["executions"]
        check("a rollout: one guard runs, named after it", len(running) == 1 and running[0]["name"][:8] in self.described("real"), running)
        process.kill()
        process.communicate()
        arn = running[0]["executionArn"]
        asked = json.loads(self.steps.describe_execution(executionArn=arn)["input"])
        check("a rollout: what the guard is told", asked["alias"] == "live" and asked["slack"] == 120 and asked["function"].startswith("arn:"), asked)


def main(emulator):
    """All of it."""
    text = template()
    definition = json.loads(text)["Resources"]["Guard"]["Properties"]["Definition"]
    notes(definition)
    lint(text)
    Guarded(emulator, definition).stories()


run(main)
