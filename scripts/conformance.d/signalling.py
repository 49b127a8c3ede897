"""Does a rollout go back for what a foreign client counts? Failures that Lambda does not see, as metrics of boto3's, by version.

It takes about five minutes: a signal is used three minutes after each of its minutes has ended.
"""

import datetime
import threading

import story

SIGNAL = "checkout=Shop/CheckoutFailed{Version=${version}}/Shop/Checkout{Version=${version}}"
COMMAND = ["rollout", "hello:Live", "--type", "Canary10Percent10Minutes", "--signal", SIGNAL, "--output", "json"]

# Requests that each version makes in ten seconds, and how many of them fail.
COUNTS = {"1": (180, 0), "2": (20, 10)}
EVERY = 10.0
LIMIT = 600.0


class Shop:
    """What the function would write, from outside: requests and failures of both versions, again and again."""

    def __init__(self, region):
        self._over = threading.Event()
        self._region = region
        self._thread = threading.Thread(target=self._write)
        # The metric has to have been there before the rollout.
        self._put("1", datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=30))

    def _put(self, version, at):
        requests, failures = COUNTS[version]
        data = [("Checkout", requests), ("CheckoutFailed", failures)]
        by_version = [{"Name": "Version", "Value": version}]
        common = {"Dimensions": by_version, "Timestamp": at, "Unit": "Count"}
        data = [{"MetricName": name, "Value": value} | common for name, value in data]
        self._region.alarms.put_metric_data(Namespace="Shop", MetricData=data)

    def _write(self):
        while not self._over.wait(EVERY):
            target, weights = self._region.traffic()
            for version in [target, *weights]:
                self._put(version, datetime.datetime.now(datetime.timezone.utc))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def run(region, tally):
    """A version that fails half of its checkouts, none of which Lambda counts as an error."""
    story.furnish(region)
    story.deploy(region)
    with Shop(region):
        ended = region.canaryctl(*COMMAND, limit=LIMIT)
    tally.check("a signal that boto3 wrote: exit 10", ended.code == 10, ended.shown())
    outcome = ended.events()[-1]
    detail = outcome["reason"]["detail"]
    tally.check("it is named first, with its counts", detail.startswith("checkout: 2 fails"), detail)
    tally.equal("all traffic is back", region.traffic(), ("1", {}))
