"""Does boto3 see the very answers that AWS gives? Each is stated here, to the letter."""

import re

from harness import ROLE, answer, package

MISMATCH = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def run(region, tally):
    """Makes the calls in a Region that has nothing yet, and compares their answers."""
    functions = region.functions
    size = len(package("one"))
    created = functions.create_function(
        FunctionName="f", Role=ROLE, Runtime="python3.12", Handler="index.handler", Code={"ZipFile": package("one")}
    )
    region.settle("f")
    publishing(region, tally, created["CodeSha256"], size)
    functions.update_function_configuration(FunctionName="f", Timeout=4)
    region.settle("f")
    tally.equal("a change of configuration makes version 2", functions.publish_version(FunctionName="f")["Version"], "2")
    refused_weights(region, tally)
    aliases(region, tally)
    revisions(region, tally)


def user_error(code, message, spelt="message"):
    """An error as boto3 shows it, with the members that AWS' Lambda adds."""
    return {"Error": {"Code": code, "Message": message}, "Type": "User", spelt: message}


def same(tally, name, found, status, wanted):
    """Checks an answer; `RevisionId` only has to look like one."""
    code, seen = found
    if "RevisionId" in wanted:
        wanted = wanted | {"RevisionId": seen.get("RevisionId")}
        if not UUID.fullmatch(str(seen.get("RevisionId"))):
            tally.check(name, False, f"the RevisionId is no UUID: {seen!r}")
            return
    tally.equal(name, (code, seen), (status, wanted))


def publishing(region, tally, sha256, size):
    """PublishVersion with a wrong hash, a wrong revision and the right hash."""
    publish = region.functions.publish_version
    message = (
        f"CodeSHA256 (somenonexistentsha256) is different from current CodeSHA256 in $LATEST ({sha256}). "
        "Please try again with the CodeSHA256 in $LATEST."
    )
    found = answer(publish, FunctionName="f", CodeSha256="somenonexistentsha256")
    wanted = user_error("InvalidParameterValueException", message)
    same(tally, "PublishVersion with a wrong hash: 400", found, 400, wanted)
    found = answer(publish, FunctionName="f", RevisionId="wrong")
    wanted = user_error("PreconditionFailedException", MISMATCH)
    same(tally, "PublishVersion with a wrong revision: 412", found, 412, wanted)

    found = answer(publish, FunctionName="f", CodeSha256=sha256)
    modified = found[1].get("LastModified", "")
    runtime = found[1].get("RuntimeVersionConfig", {}).get("RuntimeVersionArn", "")
    looks = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", modified)
    looks = looks and runtime.startswith(f"arn:aws:lambda:{region.name}::runtime:")
    tally.check("LastModified and the runtime's ARN have their form", bool(looks), f"{modified!r}, {runtime!r}")
    wanted = {
        "Architectures": ["x86_64"],
        "CodeSha256": sha256,
        "CodeSize": size,
        "Description": "",
        "EphemeralStorage": {"Size": 512},
        "FunctionArn": region.arn("f", "1"),
        "FunctionName": "f",
        "Handler": "index.handler",
        "LastModified": modified,
        "LastUpdateStatus": "Successful",
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
        "MemorySize": 128,
        "PackageType": "Zip",
        "RevisionId": "",
        "Role": ROLE,
        "Runtime": "python3.12",
        "RuntimeVersionConfig": {"RuntimeVersionArn": runtime},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "State": "Active",
        "Timeout": 3,
        "TracingConfig": {"Mode": "PassThrough"},
        "Version": "1",
    }
    same(tally, "PublishVersion with the right hash: 201", found, 201, wanted)


def refused_weights(region, tally):
    """The weights that an alias may not have."""
    invalid, missing = "InvalidParameterValueException", "ResourceNotFoundException"
    unknown = f"Function not found: {region.arn('f', '10')}"
    too_many = "Number of items in AdditionalVersionWeights cannot be greater than 1"
    own = "Invalid function version 1. Function version 1 is already included in routing configuration."
    several = "$LATEST is not supported for an alias pointing to more than 1 version"
    value = (
        "value must satisfy constraint: [Member must have value less than or equal to 1.0, "
        "Member must have value greater than or equal to 0.0, Member must not be null]"
    )
    keys = (
        "keys must satisfy constraint: [Member must have length less than or equal to 1024, "
        "Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+]"
    )
    cases = [
        ("1", {"1": 0.8, "2": 0.2}, 400, user_error(invalid, too_many)),
        ("1", {"2": 2}, 400, constraint("{2=2.0}", value)),
        ("1", {"1": 0.5}, 400, user_error(invalid, own)),
        ("10", {"2": 0.5}, 404, user_error(missing, unknown, "Message")),
        ("1", {"10": 0.5}, 404, user_error(missing, unknown, "Message")),
        # The one refusal that has no `Type`.
        ("$LATEST", {"1": 0.5}, 400, {"Error": {"Code": invalid, "Message": several}, "message": several}),
        ("1", {"$LATEST": 0.5}, 400, constraint("{$LATEST=0.5}", keys)),
    ]
    for version, weights, status, wanted in cases:
        found = create(region, "custom", version, weights)
        same(tally, f"CreateAlias on {version} with {weights}: {status}", found, status, wanted)


def constraint(shown_weights, broken):
    """An error of the layer that validates before Lambda does: no `Type`, no second message."""
    message = (
        f"1 validation error detected: Value '{shown_weights}' at 'routingConfig.additionalVersionWeights' "
        f"failed to satisfy constraint: Map {broken}"
    )
    return {"Error": {"Code": "ValidationException", "Message": message}}


def create(region, name, version, weights):
    """CreateAlias with weights."""
    routing = {"AdditionalVersionWeights": weights}
    return answer(region.functions.create_alias, FunctionName="f", Name=name, FunctionVersion=version, RoutingConfig=routing)


def shown(region, name, description=""):
    """An alias on version 1, as every call shows it."""
    arn = region.arn("f", name)
    return {"AliasArn": arn, "Description": description, "FunctionVersion": "1", "Name": name, "RevisionId": ""}


def aliases(region, tally):
    """Aliases that are there, there already, and not there."""
    functions = region.functions
    wanted = shown(region, "custom") | {"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.5}}}
    same(tally, "CreateAlias with a weight: 201", create(region, "custom", "1", {"2": 0.5}), 201, wanted)
    wanted = user_error("ResourceConflictException", f"Alias already exists: {region.arn('f', 'custom')}")
    same(tally, "CreateAlias of a name that exists: 409", create(region, "custom", "1", {"2": 0.5}), 409, wanted)
    name = "custom-empty-routingconfig"
    same(tally, "CreateAlias with empty weights: 201", create(region, name, "1", {}), 201, shown(region, name))

    absent, code = {"FunctionName": "f", "Name": "non-existent"}, "ResourceNotFoundException"
    arn = region.arn("f", "non-existent")
    wanted = user_error(code, f"Cannot find alias arn: {arn}", "Message")
    same(tally, "GetAlias of a missing alias: 404", answer(functions.get_alias, **absent), 404, wanted)
    wanted = user_error(code, f"Alias not found: {arn}", "Message")
    same(tally, "UpdateAlias of a missing alias: 404", answer(functions.update_alias, **absent), 404, wanted)
    same(tally, "DeleteAlias of a missing alias: 204", answer(functions.delete_alias, **absent), 204, {})


def revisions(region, tally):
    """UpdateAlias on a wrong revision and on the right one."""
    functions, name = region.functions, "revision_alias"
    found = answer(functions.create_alias, FunctionName="f", Name=name, FunctionVersion="1")
    same(tally, "CreateAlias: 201", found, 201, shown(region, name))
    revision = found[1].get("RevisionId")
    update = lambda revision: answer(
        functions.update_alias, FunctionName="f", Name=name, RevisionId=revision, Description="something changed"
    )
    wanted = user_error("PreconditionFailedException", MISMATCH)
    same(tally, "UpdateAlias on a wrong revision: 412", update("wrong"), 412, wanted)
    same(tally, "UpdateAlias on the right revision: 200", update(revision), 200, shown(region, name, "something changed"))
    same(tally, "UpdateAlias on the revision of before: 412", update(revision), 412, wanted)
