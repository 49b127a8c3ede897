"""A rollout's life on an emulator that nobody here wrote. Arguments: the canaryctl to check, and the emulator's command.

What the emulator does otherwise than AWS, and what is therefore not asked of it:
- Older versions of it do not compare `RevisionId`: of several writers the last one wins. Of three rollouts at once only the end is
  checked: all traffic is on one version, and no process hangs or crashes.
- It evaluates no alarms: their states are set.
- It counts no invocations by version: nothing is compared (`--analysis off`).
"""

import json
import os
import signal

from emulator import check, end, run, until

STEPS = ["--steps", "20,60", "--every", "3s", "--bake", "2s", "--poll", "500ms", "--analysis", "off", "--no-config"]
SLOW = ["--steps", "20,60", "--every", "30s", "--bake", "2s", "--poll", "500ms", "--analysis", "off", "--no-config"]


def ended(what, emulator, name, outcome, expected, version):
    """Checks an exit code and where the traffic is."""
    status, output = outcome
    check(f"{what}: exit code {expected}", status == expected, f"{status}\n{output}")
    check(f"{what}: all traffic on {version}", emulator.alias(name) == (version, {}), emulator.alias(name))


def stories(emulator):
    began = lambda name: until(lambda: emulator.alias(name)[1] == {"2": 0.2})

    emulator.function("first", alias=False)
    ended("first deployment", emulator, "first", emulator.run("rollout", "first", "--type", "AllAtOnce", *STEPS[-5:]), 0, "1")

    emulator.function("hello")
    status, output = emulator.run("plan", "hello", *STEPS)
    check("plan: exit code 0", status == 0, output)
    versions = [known["Version"] for known in emulator.aws.list_versions_by_function(FunctionName="hello")["Versions"]]
    check("plan: publishes nothing", versions == ["$LATEST", "1"], versions)
    ended("rollout", emulator, "hello", emulator.run("rollout", "hello", *STEPS), 0, "2")
    check("rollout: the user's own text is kept", emulator.aws.get_alias(FunctionName="hello", Name="live")["Description"].startswith("ours"))
    ended("rollout of nothing new", emulator, "hello", emulator.run("rollout", "hello", *STEPS), 0, "2")
    ended("rollback", emulator, "hello", emulator.run("rollback", "hello", "--no-config"), 0, "1")
    ended("rollback twice", emulator, "hello", emulator.run("rollback", "hello", "--no-config"), 0, "1")
    status, output = emulator.run("status", "hello", "--no-config", "--output", "json")
    check("status: says where traffic is", status == 0 and json.loads(output)["traffic"] == "100% on 1", output)

    emulator.function("alarmed")
    emulator.alarm("errors")
    process = emulator.start("rollout", "alarmed", "--alarm", "errors", *SLOW)
    check("alarm: it begins", began("alarmed"))
    emulator.alarms.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="Threshold Crossed")
    ended("alarm", emulator, "alarmed", end(process), 10, "1")
    emulator.alarms.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="quiet")

    emulator.function("ordered")
    process = emulator.start("rollout", "ordered", *SLOW)
    check("pause: it begins", began("ordered"))
    status, output = emulator.run("pause", "ordered", "--no-config")
    check("pause: exit code 0", status == 0, output)
    status, output = emulator.run("promote", "ordered", "--no-config")
    check("promote: exit code 0", status == 0, output)
    ended("promote", emulator, "ordered", end(process), 0, "2")

    emulator.function("aborted")
    process = emulator.start("rollout", "aborted", *SLOW)
    check("abort: it begins", began("aborted"))
    status, output = emulator.run("abort", "aborted", "--no-config")
    check("abort: exit code 0", status == 0, output)
    ended("abort", emulator, "aborted", end(process), 13, "1")

    emulator.function("killed")
    process = emulator.start("rollout", "killed", *STEPS)
    check("kill: it begins", began("killed"))
    process.send_signal(signal.SIGKILL)
    end(process)
    ended("resume", emulator, "killed", emulator.run("rollout", "killed", "--take-over", *STEPS), 0, "2")

    emulator.function("interrupted")
    process = emulator.start("rollout", "interrupted", *SLOW)
    check("signal: it begins", began("interrupted"))
    process.send_signal(signal.SIGHUP)
    ended("signal", emulator, "interrupted", end(process), 13, "1")

    emulator.function("raced")
    ends = [end(process) for process in [emulator.start("rollout", "raced", *STEPS) for _ in range(3)]]
    check("three at once: each ends and says how", all(status in (0, 3, 13, 21) for status, _ in ends), ends)
    check("three at once: all traffic on one version", emulator.alias("raced")[1] == {}, emulator.alias("raced"))

    for name in ("one", "two", "three"):
        emulator.function(name)
    with open(os.path.join(emulator.folder, "canary.yml"), "w", encoding="utf-8") as file:
        file.write("functions:\n  one: {}\n  two: {}\n  three: {}\n")
    outcome = emulator.run("rollout", *STEPS[:-1])
    for name in ("one", "two", "three"):
        ended(f"group, {name}", emulator, name, outcome, 0, "2")


run(stories)
