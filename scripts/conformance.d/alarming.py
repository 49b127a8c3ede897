"""Do alarms keep what they are when they are put again, and do their tags come and go? Asked in JSON by boto3, and once as a form."""

import urllib.parse
import urllib.request

from harness import answer
from story import ALARM


def run(region, tally):
    """Makes one alarm, changes it, tags it and deletes it."""
    alarms, name = region.alarms, ALARM["AlarmName"]
    arn = f"arn:aws:cloudwatch:{region.name}:111111111111:alarm:{name}"
    tag = lambda key, value="é &<": {"Key": key, "Value": value}
    alarms.put_metric_alarm(**ALARM, Tags=[tag("a"), tag("b")])
    tags = lambda: {one["Key"]: one["Value"] for one in alarms.list_tags_for_resource(ResourceARN=arn)["Tags"]}
    tally.equal("PutMetricAlarm with Tags", tags(), {"a": "é &<", "b": "é &<"})
    alarms.tag_resource(ResourceARN=arn, Tags=[tag("b", ""), tag("c", "3")])
    alarms.untag_resource(ResourceARN=arn, TagKeys=["a", "none"])
    tally.equal("TagResource, UntagResource", tags(), {"b": "", "c": "3"})
    tally.equal("ListTagsForResource as a form", form(region, "ListTagsForResource", ResourceARN=arn).count("<Key>"), 2)

    before = described(region, name)
    alarms.put_metric_alarm(**ALARM, Tags=[tag("ignored")])
    alarms.put_metric_alarm(**ALARM | {"Threshold": 7.0})
    after = described(region, name)
    kept = ["AlarmArn", "StateValue", "StateTransitionedTimestamp"]
    tally.equal("an alarm put again keeps its state and since when it has it", [after[key] for key in kept], [before[key] for key in kept])
    tally.equal("and its tags", tags(), {"b": "", "c": "3"})
    tally.equal("and takes the new threshold", after["Threshold"], 7.0)
    items = alarms.describe_alarm_history(AlarmName=name, HistoryItemType="ConfigurationUpdate", ScanBy="TimestampAscending")
    found = [item["HistorySummary"] for item in items["AlarmHistoryItems"]]
    tally.equal("its history tells each change", found, [f'Alarm "{name}" {verb}' for verb in ("created", "updated", "updated")])
    wrongs(region, tally, name, arn)


def wrongs(region, tally, name, arn):
    """Deletes the alarm, and asks for it afterwards."""
    alarms = region.alarms
    code = lambda found: (found[0], found[1].get("Error", {}).get("Code"))
    found = answer(alarms.tag_resource, ResourceARN=arn, Tags=[{"Key": "aws:x", "Value": ""}])
    tally.equal("a tag of the service's own is refused", code(found), (400, "InvalidParameterValue"))
    found = answer(alarms.delete_alarms, AlarmNames=["none", name])
    tally.equal("DeleteAlarms with a name too many: 404", code(found), (404, "ResourceNotFound"))
    tally.equal("the others are deleted all the same", alarms.describe_alarms(AlarmNames=[name])["MetricAlarms"], [])
    tally.equal("ListTagsForResource of what is gone: none", alarms.list_tags_for_resource(ResourceARN=arn)["Tags"], [])


def described(region, name):
    """An alarm as DescribeAlarms shows it."""
    return region.alarms.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]


def form(region, action, **fields):
    """What an older client reads: a Query request, signed for this Region only in name."""
    body = urllib.parse.urlencode({"Action": action, "Version": "2010-08-01"} | fields).encode()
    scope = f"AWS4-HMAC-SHA256 Credential=any/20260101/{region.name}/monitoring/aws4_request, Signature=0"
    request = urllib.request.Request(region.processes.endpoint, body, {"Authorization": scope})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as response:
        return response.read().decode()
