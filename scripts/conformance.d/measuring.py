"""Are both versions behind an alias measured call by call, and is what is asked answered in pages and within limits?"""

import time

from harness import answer
from reading import create


def run(region, tally):
    """Lets callers meet two versions, one of them bad and slow, and counts."""
    functions = region.functions
    create(region, "f", SIM_LATENCY_MS="20")
    functions.publish_version(FunctionName="f")
    bad = {"SIM_LATENCY_MS": "20", "SIM_ERROR_RATE": "0.3", "SIM_SLOW_SHARE": "0.2", "SIM_SLOW_MS": "800"}
    change(region, bad)
    functions.publish_version(FunctionName="f")
    functions.create_alias(
        FunctionName="f", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}}
    )
    change(region, bad | {"SIM_TRAFFIC_RPS": "100"})
    time.sleep(4)
    change(region, bad | {"SIM_TRAFFIC_RPS": "0"})
    # What still runs is not measured yet.
    time.sleep(2)
    versions(region, tally)
    pages(region, tally)


def change(region, variables):
    """Gives `$LATEST` these variables."""
    region.functions.update_function_configuration(FunctionName="f", Environment={"Variables": variables})
    region.settle("f")


def query(name, metric, stat, version):
    """A query for one version's metric."""
    dimensions = {"FunctionName": "f", "Resource": "f:live", "ExecutedVersion": version}
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metric = {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": named}
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}


def ask(region, queries, **more):
    """The values of each query over the last minutes, from all pages, and how many pages there were."""
    now = time.time()
    asked = region.alarms.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=now - 600, EndTime=now + 60, ScanBy="TimestampAscending", **more
    )
    found, count = {}, 0
    for page in asked:
        count += 1
        for result in page["MetricDataResults"]:
            found.setdefault(result["Id"], []).extend(result["Values"])
    return found, count


def versions(region, tally):
    """Every invocation is one sample of each metric of its version."""
    for version, errors, within in [("1", (0.0, 0.0), (100.0, 100.0)), ("2", (0.15, 0.45), (60.0, 95.0))]:
        found, _ = ask(
            region,
            [
                query("invocations", "Invocations", "Sum", version),
                query("samples", "Errors", "SampleCount", version),
                query("durations", "Duration", "SampleCount", version),
                query("errors", "Errors", "Sum", version),
                query("within", "Duration", "PR(:100)", version),
            ],
        )
        calls = sum(found["invocations"])
        tally.check(f"about half of 400 calls reached {version}", 100 < calls < 350, str(calls))
        tally.equal(f"{version}: SampleCount(Errors) is Invocations, minute by minute", found["samples"], found["invocations"])
        tally.equal(f"{version}: SampleCount(Duration) too", found["durations"], found["invocations"])
        rate = sum(found["errors"]) / max(calls, 1)
        tally.check(f"{version}: its own error rate", errors[0] <= rate <= errors[1], str(rate))
        # A minute's share counts by its calls.
        share = sum(rank * count for rank, count in zip(found["within"], found["invocations"])) / max(calls, 1)
        tally.check(f"{version}: its own share of calls within 100 ms", within[0] <= share <= within[1], str(share))


def pages(region, tally):
    """Pages that add up, and one query too many."""
    queries = [query(f"q{number}", "Invocations", "Sum", "1") for number in range(501)]
    whole, once = ask(region, queries[:500])
    points = sum(len(values) for values in whole.values())
    paged, count = ask(region, queries[:500], MaxDatapoints=150)
    tally.equal("500 queries fit into one answer", (len(whole), once), (500, 1))
    tally.equal("pages of 150 data points add up to the same", (paged, count), (whole, -(-points // 150)))
    now = time.time()
    found = answer(region.alarms.get_metric_data, MetricDataQueries=queries, StartTime=now - 600, EndTime=now)
    error = found[1].get("Error", {})
    message = "The collection MetricDataQueries must not have a size greater than 500."
    tally.equal("501 queries: 400", (found[0], error.get("Code"), error.get("Message")), (400, "ValidationError", message))
