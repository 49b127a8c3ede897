"""Is what functions write found by a stock client, by reading and by queries, and do lines with metrics become metrics?"""

import time

from harness import answer
from reading import create

GROUP = "/aws/lambda/f"


def run(region, tally):
    """Invokes two versions, the second of which answers 500, and reads what they wrote."""
    variables = {"SIM_LOG": '{"status":${status},"version":"${version}"}', "SIM_EMF": "Shop"}
    create(region, "f", **variables)
    missing = answer(region.logs.start_query, logGroupName=GROUP, startTime=0, endTime=1, queryString="fields @message")
    tally.equal("no log group before the first invocation", refused(missing), (400, "ResourceNotFoundException"))
    region.functions.publish_version(FunctionName="f")
    more = {"SIM_HTTP_ERROR_RATE": "1", "SIM_LOG_ON_ERROR": "order ${number} lost"}
    region.functions.update_function_configuration(FunctionName="f", Environment={"Variables": variables | more})
    region.settle("f")
    region.functions.publish_version(FunctionName="f")
    seen = [region.functions.invoke(FunctionName="f", Qualifier=version) for version in ["1", "1", "2", "2", "2"]]
    tally.check("an answer with status 500 is no function error", not any("FunctionError" in one for one in seen))
    time.sleep(0.5)
    events(region, tally)
    queries(region, tally)
    metrics(region, tally)


def refused(seen):
    """Status and code of an error."""
    return seen[0], seen[1].get("Error", {}).get("Code")


def events(region, tally):
    """Groups, streams and events."""
    groups = region.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/f")["logGroups"]
    tally.equal("the function's log group", [group["logGroupName"] for group in groups], [GROUP])
    pages = region.logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 4})
    found = [event for page in pages for event in page["events"]]
    # START, a line, its metrics, END and REPORT of five; three of them complain.
    tally.equal("all lines, in pages", len(found), 5 * 5 + 3)
    tally.check("in order of time", [event["timestamp"] for event in found] == sorted(event["timestamp"] for event in found))
    streams = {event["logStreamName"].split("]")[0].split("[")[1] for event in found}
    tally.equal("each version has streams of its own", streams, {"1", "2"})
    lost = region.logs.filter_log_events(logGroupName=GROUP, filterPattern='"lost"')["events"]
    tally.check("a filter pattern", len(lost) == 3 and all(event["message"].startswith("order ") for event in lost), str(lost))
    failed = region.logs.filter_log_events(logGroupName=GROUP, filterPattern="{ $.status >= 500 }")["events"]
    tally.equal("a filter pattern for JSON", len(failed), 3)
    name = found[0]["logStreamName"]
    stream = region.logs.get_log_events(logGroupName=GROUP, logStreamName=name, startFromHead=True)["events"]
    tally.check("a stream begins with START", stream[0]["message"].startswith("START RequestId: "), str(stream[:1]))
    none = answer(region.logs.filter_log_events, logGroupName="/aws/lambda/none")
    tally.equal("no such log group", refused(none), (400, "ResourceNotFoundException"))


def queries(region, tally):
    """A query from its start to its rows, and those that are refused."""
    now = int(time.time())

    def ask(query, **more):
        span = {"startTime": now - 600, "endTime": now + 60}
        return answer(region.logs.start_query, **{"logGroupNames": [GROUP], "queryString": query} | span | more)

    def rows(query):
        _, seen = ask(query)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = region.logs.get_query_results(queryId=seen["queryId"])
            if found["status"] not in ("Scheduled", "Running"):
                break
            time.sleep(0.2)
        return [{field["field"]: field["value"] for field in row} for row in found["results"]], found["statistics"]

    counted, statistics = rows(
        'filter ispresent(status) | parse @logStream "*[*]*" as date, version, id'
        " | stats count(*) as n, max(status) as worst by version | sort version asc"
    )
    wanted = [{"version": "1", "n": "2", "worst": "200"}, {"version": "2", "n": "3", "worst": "500"}]
    tally.equal("a query counts by version", counted, wanted)
    tally.equal("and says what it has read", (statistics["recordsMatched"], statistics["recordsScanned"]), (5.0, 28.0))
    lines, _ = rows("fields @timestamp, @message | filter @message like /order \\d+ lost/ | sort @timestamp desc | limit 2")
    tally.equal("a query gives lines with their pointers", [sorted(line) for line in lines], [["@message", "@ptr", "@timestamp"]] * 2)
    requests, _ = rows("filter @type = 'REPORT' and @duration > 0 | stats count_distinct(@requestId) as n by bin(1d)")
    tally.equal("a query counts requests", [row["n"] for row in requests], ["5"])
    for query in ["count()", "fields @message | dance", "filter status >="]:
        tally.equal(f"`{query}` is malformed", refused(ask(query)), (400, "MalformedQueryException"))
    tally.equal("a limit beyond all limits", refused(ask("fields @message", limit=100_001)), (400, "InvalidParameterException"))
    _, seen = ask("fields @message")
    stopped = refused(answer(region.logs.stop_query, queryId=seen["queryId"]))
    tally.equal("a query that has ended cannot be stopped", stopped, (400, "InvalidParameterException"))


def metrics(region, tally):
    """Metrics by version: from log lines, and put by a client."""
    named = lambda version: [{"Name": "Version", "Value": version}]
    region.alarms.put_metric_data(
        Namespace="Shop",
        MetricData=[
            {"MetricName": "CheckoutFailed", "Dimensions": named("1"), "Value": 1.0, "Unit": "Count"},
            {"MetricName": "CheckoutFailed", "Dimensions": named("2"), "Values": [1.0, 2.0], "Counts": [1.0, 3.0]},
        ],
    )
    now = time.time()
    wanted = {("Requests", "1"): 2, ("Failures", "1"): 0, ("Requests", "2"): 3, ("Failures", "2"): 3}
    wanted |= {("CheckoutFailed", "1"): 1, ("CheckoutFailed", "2"): 7}
    for (metric, version), count in wanted.items():
        points = region.alarms.get_metric_statistics(
            Namespace="Shop", MetricName=metric, Dimensions=named(version), Period=60, Statistics=["Sum"],
            StartTime=now - 600, EndTime=now + 60,
        )["Datapoints"]
        tally.equal(f"{metric} of version {version}", sum(point["Sum"] for point in points), count)
    listed = region.alarms.list_metrics(Namespace="Shop", Dimensions=[{"Name": "FunctionName", "Value": "f"}])["Metrics"]
    found = sorted((one["MetricName"], *(pair["Value"] for pair in one["Dimensions"])) for one in listed)
    both = [(metric, "f", version) for metric in ("Failures", "Requests") for version in ("1", "2")]
    tally.equal("metrics by function and version", found, both)
