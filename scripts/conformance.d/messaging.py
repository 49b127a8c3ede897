"""Does boto3 read the answers of SNS, EventBridge and STS? A topic that boto3 makes, and what neither takes."""

from harness import ACCOUNT, answer


def run(region, tally):
    """Publishes, puts events, and asks who is asking."""
    topic = region.topics.create_topic(Name="deploys")["TopicArn"]
    tally.equal("CreateTopic", topic, f"arn:aws:sns:{region.name}:{ACCOUNT}:deploys")
    tally.equal("CreateTopic finds it again", region.topics.create_topic(Name="deploys")["TopicArn"], topic)
    attributes = {"kind": {"DataType": "String", "StringValue": "started"}}
    sent = region.topics.publish(TopicArn=topic, Subject="a & b", Message="{}", MessageAttributes=attributes)
    tally.check("Publish gives an id", bool(sent["MessageId"]), str(sent))
    for name, arguments, wanted in [
        ("to no topic", {"TopicArn": f"{topic}-2", "Message": "m"}, (404, "NotFound")),
        ("with a long subject", {"TopicArn": topic, "Subject": "x" * 101, "Message": "m"}, (400, "InvalidParameter")),
        ("of two lines in its subject", {"TopicArn": topic, "Subject": "a\nb", "Message": "m"}, (400, "InvalidParameter")),
        ("without a text", {"TopicArn": topic, "Message": ""}, (400, "InvalidParameter")),
    ]:
        status, seen = answer(region.topics.publish, **arguments)
        tally.equal(f"Publish {name}", (status, seen.get("Error", {}).get("Code")), wanted)
    good = {"Source": "me", "DetailType": "kind", "Detail": "{}"}
    entries = [good, good | {"Detail": "[]"}, good | {"Source": "aws.me"}, good | {"EventBusName": "none"}]
    put = region.buses.put_events(Entries=entries)
    codes = [entry.get("ErrorCode") for entry in put["Entries"]]
    wanted = [None, "MalformedDetail", "NotAuthorizedForSourceException", None]
    tally.equal("PutEvents, event by event", (put["FailedEntryCount"], codes), (2, wanted))
    who = region.tokens.get_caller_identity()
    found = [who[key] for key in ("Account", "UserId", "Arn")]
    tally.equal("GetCallerIdentity", found, [ACCOUNT, "any", f"arn:aws:iam::{ACCOUNT}:user/any"])
