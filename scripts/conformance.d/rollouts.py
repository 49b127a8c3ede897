"""What do rollouts do to the alias, and what do others see meanwhile? Each story in a Region of its own, over real HTTP."""

import http.client
import math
import re
import threading
import time
import urllib.parse

import story
from harness import Ended

ALIAS = {"FunctionName": "hello", "Name": "Live"}
COMMAND = ["rollout", "hello:Live", *story.SCHEDULE]


class Watch:
    """Reads the alias again and again while a rollout runs, and keeps every routing it sees, in order."""

    def __init__(self, region):
        self._over = threading.Event()
        self._region = region
        self.seen = [region.traffic()]
        self._thread = threading.Thread(target=self._look)

    def _look(self):
        while not self._over.wait(0.02):
            traffic = self._region.traffic()
            if traffic != self.seen[-1]:
                self.seen.append(traffic)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        # The end may lie between two looks.
        last = self._region.traffic()
        if last != self.seen[-1]:
            self.seen.append(last)


def good(region, tally):
    """A rollout to its end: who calls meets both answers in the announced proportion."""
    url = story.furnish(region)
    story.deploy(region)
    rollout = region.start(*COMMAND, *story.WATCHING, *story.HOOKS, "--bake", "2s", "--output", "json")
    with Watch(region) as watch:
        wait_for(region, {"2": 0.1})
        shows_status(region, tally)
        counts = {weight: call(region, url, weight) for weight in (0.1, 0.5)}
        ended = Ended(rollout)
    for weight, (old, new) in counts.items():
        within(tally, weight, old, new)
    tally.check("a good version: exit 0", ended.code == 0, ended.shown())
    shares = [("1", {}), ("1", {"2": 0.1}), ("1", {"2": 0.5}), ("1", {"2": 1.0}), ("2", {})]
    tally.equal("the alias went 10 %, 50 %, 100 %, and over", watch.seen, shares)
    kinds = [event["type"] for event in ended.events()]
    tally.check("one outcome, the last event of all", kinds.count("outcome") == 1 and kinds[-1] == "outcome", str(kinds))
    outcome = ended.events()[-1]
    found = [outcome[key] for key in ("outcome", "exit_code", "stable", "candidate", "function", "alias")]
    tally.equal("the outcome in JSON", found, ["promoted", 0, "1", "2", "hello", "Live"])
    described = region.functions.get_alias(**ALIAS)["Description"]
    tally.check("the alias keeps the user's text", described.startswith(story.TEXT + " "), described)
    tags = region.functions.list_tags(Resource=region.arn("hello"))["Tags"]
    tally.equal("the function keeps its tags", tags, story.TAGS)
    counted = invocations(region, "2")
    tally.equal("CloudWatch counted the calls of 2, one by one", counted, sum(new for _, new in counts.values()))
    tally.equal("the function URL gives the new answer", page(url), ("2", story.NEW))
    back_by_hand(region, tally)


def wait_for(region, weights):
    """Waits until the alias has these weights."""
    deadline = time.monotonic() + 20
    while region.traffic()[1] != weights:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the weights did not become {weights}")
        time.sleep(0.02)


def visit(connection, path):
    """Calls a function URL: the version that answered, and what."""
    connection.request("GET", path)
    response = connection.getresponse()
    return response.getheader("x-amz-executed-version"), response.read().decode()


def page(url):
    """What one call of the function URL gives."""
    parts = urllib.parse.urlsplit(url)
    return visit(http.client.HTTPConnection(parts.netloc, timeout=5), parts.path)


def call(region, url, weight):
    """Calls the function URL while the canary has this weight; how often 1 and 2 answered."""
    wait_for(region, {"2": weight})
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    counts = {"1": 0, "2": 0}
    bodies = {"1": story.OLD, "2": story.NEW}
    # Two seconds of a step that lasts five: what is set when it begins is set when it ends.
    until = time.monotonic() + 2
    while time.monotonic() < until:
        version, body = visit(connection, parts.path)
        if bodies[version] != body:
            raise ValueError(f"version {version} answered {body!r}")
        counts[version] += 1
    if region.traffic() != ("1", {"2": weight}):
        raise TimeoutError(f"the share of {weight} was over before it was measured")
    return counts["1"], counts["2"]


def within(tally, weight, old, new):
    """Checks a count against the binomial distribution: five standard deviations are met once in 1.7 million."""
    calls = old + new
    bound = 5 * math.sqrt(calls * weight * (1 - weight))
    name = f"at {weight:.0%} the function URL gives the new answer {new} times in {calls}"
    tally.check(name, calls >= 50 and abs(new - calls * weight) <= bound, f"expected {calls * weight:.0f} ± {bound:.0f}")


def shows_status(region, tally):
    """`status --output json` in the middle of the first step."""
    ended = region.canaryctl("status", "hello:Live", "--output", "json")
    tally.check("status in mid-rollout: exit 0", ended.code == 0, ended.shown())
    seen = ended.events()[0]
    wanted = {"function": "hello", "alias": "Live", "stable": "1", "candidate": "2", "weight": 0.1, "phase": "shift"}
    wanted |= {"step": 1, "steps": 3, "paused": False, "last_outcome": None}
    tally.equal("status in JSON", {key: seen.get(key) for key in wanted}, wanted)
    forms = {"rollout_id": r"[0-9a-f]{8}", "owner": r"[0-9a-z]{4}", "next_step_at": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"}
    odd = {key: seen.get(key) for key, form in forms.items() if not re.fullmatch(form, str(seen.get(key)))}
    tally.check("rollout, owner and next step in JSON have their form", not odd, str(odd))


def invocations(region, version):
    """What CloudWatch counted for one version, through the alias while it had weights."""
    dimensions = {"FunctionName": "hello", "Resource": "hello:Live", "ExecutedVersion": version}
    metric = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Invocations",
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
    }
    query = {"Id": "calls", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    now = time.time()
    seen = region.alarms.get_metric_data(MetricDataQueries=[query], StartTime=now - 600, EndTime=now + 120)
    return sum(seen["MetricDataResults"][0]["Values"])


def back_by_hand(region, tally):
    """`rollback` undoes the rollout once, and then nothing more; the version is not rolled out again unasked."""
    before = region.functions.get_alias(**ALIAS)
    tally.equal("after the rollout the alias is on 2", (before["FunctionVersion"], before.get("RoutingConfig")), ("2", None))
    ended = region.canaryctl("rollback", "hello:Live")
    tally.check("rollback: exit 0", ended.code == 0, ended.shown())
    tally.equal("rollback brought the traffic back", region.traffic(), ("1", {}))
    ended = region.canaryctl("rollback", "hello:Live", "--output", "json")
    outcome = ended.events()[-1].get("outcome")
    tally.equal("a second rollback does nothing: exit 0", (ended.code, outcome), (0, "unchanged"))
    tally.equal("a second rollback left the traffic alone", region.traffic(), ("1", {}))
    seen = region.canaryctl("status", "hello:Live", "--output", "json").events()[0]
    tally.equal("status remembers the rollback", (seen["last_outcome"], seen["rejected"]), ("rolled_back", ["2"]))
    with Watch(region) as watch:
        ended = region.canaryctl(*COMMAND)
    tally.check("what was rolled back is refused: exit 3", ended.code == 3, ended.shown())
    tally.check("the refusal says why, and how to insist", "--again" in ended.out + ended.err, ended.shown())
    tally.equal("a refused version gets no traffic", watch.seen, [("1", {})])


def red_by_itself(region, tally):
    """A version that fails 5 % of its calls: the alarm evaluates itself, and the traffic goes back."""
    story.furnish(region)
    story.deploy(region, SIM_ERROR_RATE="0.05", SIM_TRAFFIC_RPS="100")
    # An alarm is judged once a minute: baking for longer than that meets it whenever this begins.
    ended = region.canaryctl(*COMMAND, "--alarm", "HelloFooAlarm", "--bake", "70s", "--output", "json")
    gone_back(region, tally, "5 % errors", ended, 10, "alarm")
    seen = region.alarms.describe_alarm_history(AlarmName="HelloFooAlarm", HistoryItemType="StateUpdate")
    summaries = [item["HistorySummary"] for item in seen["AlarmHistoryItems"]]
    tally.check("the alarm's history tells it", "Alarm updated from OK to ALARM" in summaries, str(summaries))


def gone_back(region, tally, name, ended, code, kind):
    """Checks a rollout that went back: the exit code, the cause, and where the traffic is."""
    tally.check(f"{name}: exit {code}", ended.code == code, ended.shown())
    outcome = ended.events()[-1]
    found = (outcome["outcome"], outcome["exit_code"], outcome["reason"]["kind"])
    tally.equal(f"{name}: the outcome in JSON", found, ("rolled_back", code, kind))
    tally.equal(f"{name}: all traffic on 1", region.traffic(), ("1", {}))


def red_by_hand(region, tally):
    """An alarm that is set by hand turns a composite red, which alone is watched."""
    story.furnish(region)
    story.deploy(region, SIM_ERROR_RATE="1")
    rollout = region.start(*COMMAND, "--alarm", region_alarm(region), "--output", "json")
    wait_for(region, {"2": 0.1})
    set_at = time.monotonic()
    region.alarms.set_alarm_state(AlarmName="HelloFooAlarm", StateValue="ALARM", StateReason="a check")
    wait_for(region, {})
    took = time.monotonic() - set_at
    gone_back(region, tally, "a red composite", Ended(rollout), 10, "alarm")
    # Two polls and the way back take one; the rest is for a machine that is busy.
    tally.check("a red composite: gone back within 3 s", took <= 3, f"it took {took:.1f} s")


def region_alarm(region):
    """The composite alarm by its ARN."""
    seen = region.alarms.describe_alarms(AlarmNames=["HelloComposite"], AlarmTypes=["CompositeAlarm"])
    return seen["CompositeAlarms"][0]["AlarmArn"]


def failing_hooks(region, tally):
    """A pre-traffic hook that fails keeps every share from moving; a post-traffic hook brings all of it back."""
    story.furnish(region)
    story.deploy(region)
    for answer in ("Failed", "Throw", "InProgress"):
        story.answers_of(region, "preHook", answer)
        # One that is in progress and never reports is waited for until its time is up.
        limit = ["--hook-timeout", "3s"] if answer == "InProgress" else []
        with Watch(region) as watch:
            ended = region.canaryctl(*COMMAND, *story.HOOKS, *limit, "--output", "json")
        gone_back(region, tally, f"pre-traffic hook {answer}", ended, 11, "pre_hook")
        tally.equal(f"pre-traffic hook {answer}: no share moved", watch.seen, [("1", {})])
    story.answers_of(region, "preHook", "Succeeded")
    story.answers_of(region, "postHook", "Failed")
    with Watch(region) as watch:
        all_at_once = ["rollout", "hello:Live", "--type", "AllAtOnce", "--bake", "2s"]
        ended = region.canaryctl(*all_at_once, *story.HOOKS, "--output", "json")
    gone_back(region, tally, "post-traffic hook Failed", ended, 11, "post_hook")
    tally.equal("post-traffic hook Failed: there and back", watch.seen, [("1", {}), ("1", {"2": 1.0}), ("1", {})])


def by_cli(region, tally, directory):
    """The story in the hands of the AWS CLI: set up, deployed, watched and read with it."""
    url = story.furnish_by_cli(region, tally, directory)
    named = ["--function-name", "hello"]
    variables = f'{{"Variables":{{"SIM_BODY":"{story.NEW}"}}}}'
    region.cli("lambda", "update-function-configuration", *named, "--environment", variables)
    region.cli("lambda", "wait", "function-updated-v2", *named)
    with Watch(region) as watch:
        ended = region.canaryctl(*COMMAND, *story.WATCHING, *story.HOOKS, "--output", "json")
    gone_back(region, tally, "AWS CLI, failing pre-traffic hook", ended, 11, "pre_hook")
    tally.equal("AWS CLI, failing pre-traffic hook: no share moved", watch.seen, [("1", {})])
    variables = '{"Variables":{"SIM_HOOK":"Succeeded"}}'
    region.cli("lambda", "update-function-configuration", "--function-name", "preHook", "--environment", variables)
    region.cli("lambda", "wait", "function-updated-v2", "--function-name", "preHook")
    rollout = region.start(*COMMAND, *story.WATCHING, *story.HOOKS, "--bake", "2s")
    wait_for(region, {"2": 0.1})
    seen = region.cli("lambda", "get-alias", *named, "--name", "Live")
    share = (seen.get("FunctionVersion"), seen.get("RoutingConfig", {}).get("AdditionalVersionWeights"))
    tally.check("aws lambda get-alias in mid-rollout", share in (("1", {"2": 0.1}), ("1", {"2": 0.5})), str(seen))
    ended = Ended(rollout)
    tally.check("AWS CLI, a good version: exit 0", ended.code == 0, ended.shown())
    tally.check("without a terminal there are no escape codes", "\x1b" not in ended.out + ended.err, ended.shown())
    tally.equal("AWS CLI: the function URL gives the new answer", page(url), ("2", story.NEW))
    read_by_cli(region, tally, seen.get("RevisionId", ""))


def read_by_cli(region, tally, stale):
    """What the AWS CLI sees after the rollout, and a write of its own on an old revision."""
    named = ["--function-name", "hello"]
    seen = region.cli("lambda", "get-alias", *named, "--name", "Live")
    tally.equal("aws lambda get-alias at the end", (seen.get("FunctionVersion"), "RoutingConfig" in seen), ("2", False))
    seen = region.cli("lambda", "invoke", *named, "--qualifier", "Live", "answer.json")
    tally.equal("aws lambda invoke through the alias", (seen.get("StatusCode"), seen.get("ExecutedVersion")), (200, "2"))
    seen = region.cli("lambda", "list-versions-by-function", *named)
    found = [version["Version"] for version in seen.get("Versions", [])]
    tally.equal("aws lambda list-versions-by-function", found, ["$LATEST", "1", "2"])
    seen = region.cli("lambda", "update-alias", *named, "--name", "Live", "--function-version", "1", "--revision-id", stale)
    error = "An error occurred (PreconditionFailedException) when calling the UpdateAlias operation"
    tally.check("aws lambda update-alias on an old revision is refused", error in seen.get("error", ""), str(seen))
    seen = region.cli("cloudwatch", "describe-alarm-history", "--alarm-name", "HelloFooAlarm")
    found = {item["HistoryItemType"] for item in seen.get("AlarmHistoryItems", [])}
    tally.check("aws cloudwatch describe-alarm-history", "ConfigurationUpdate" in found, str(found))
