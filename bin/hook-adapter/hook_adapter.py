"""Makes a hook that was written for CodeDeploy answer canaryctl. Copy this file beside the handler, and wrap the handler:

    from hook_adapter import adapt

    @adapt
    def handler(event, context): ...

CodeDeploy waits for the call put_lifecycle_event_hook_execution_status; canaryctl waits for the answer of the function. When canaryctl
invokes the hook, that call is not sent: its status becomes the answer. When CodeDeploy invokes it, nothing is changed.
"""

import functools

from botocore.client import BaseClient

OPERATION = "PutLifecycleEventHookExecutionStatus"

# The hooks that are running for canaryctl, by execution id, and the status that each has reported.
_running = {}
_send = BaseClient._make_api_call


def _make_api_call(client, operation, parameters):
    execution = parameters.get("lifecycleEventHookExecutionId")
    if operation != OPERATION or execution not in _running:
        return _send(client, operation, parameters)
    # CodeDeploy takes the first status and refuses a second one.
    _running[execution] = _running[execution] or parameters.get("status")
    return {"lifecycleEventHookExecutionId": execution, "ResponseMetadata": {"HTTPStatusCode": 200}}


BaseClient._make_api_call = _make_api_call


def adapt(handler):
    """The handler, which answers with the status that it reports."""

    @functools.wraps(handler)
    def adapted(event, context=None):
        if not (isinstance(event, dict) and event.get("canaryctl")):
            return handler(event, context)
        execution = event["LifecycleEventHookExecutionId"]
        _running[execution] = None
        why = ""
        try:
            handler(event, context)
        except Exception as error:
            if _running[execution] is None:
                raise
            why = f": {error}"
        finally:
            status = _running.pop(execution)
        if status == "Succeeded":
            return {"status": status}
        if status is None:
            return {"status": "Failed", "reason": f"the hook ended without {OPERATION}"}
        return {"status": "Failed", "reason": f"the hook reported {status}{why}"}

    return adapted
