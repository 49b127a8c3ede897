"""Handlers as people wrote them for CodeDeploy, with the real boto3; what it would send goes to a server here."""

import json
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3

from hook_adapter import adapt

OURS = {"DeploymentId": "7f3ac2e1", "LifecycleEventHookExecutionId": "7f3ac2e1/pre-traffic/1", "canaryctl": {"phase": "pre-traffic"}}
THEIRS = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "theirs"}
SENT = []


class CodeDeploy(BaseHTTPRequestHandler):
    def do_POST(self):
        SENT.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["status"])
        body = b'{"lifecycleEventHookExecutionId":"theirs"}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Adapter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = HTTPServer(("127.0.0.1", 0), CodeDeploy)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{cls.server.server_port}"
        cls.client = boto3.client("codedeploy", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def setUp(self):
        SENT.clear()

    def put(self, event, status):
        return self.client.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"], lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"], status=status
        )

    def test_the_status_becomes_the_answer_and_nothing_is_sent(self):
        @adapt
        def passes(event, context):
            self.assertEqual(self.put(event, "Succeeded")["lifecycleEventHookExecutionId"], event["LifecycleEventHookExecutionId"])

        self.assertEqual(passes(OURS, None), {"status": "Succeeded"})
        fails = adapt(lambda event, context: self.put(event, "Failed"))
        self.assertEqual(fails(OURS, None), {"status": "Failed", "reason": "the hook reported Failed"})
        self.assertEqual(SENT, [])

    def test_code_deploys_own_invocations_reach_it(self):
        handler = adapt(lambda event, context: (self.put(event, "Succeeded"), context)[1])
        self.assertEqual(handler(THEIRS, "as ever"), "as ever")
        self.assertEqual(SENT, ["Succeeded"])

    def test_the_status_of_another_deployment_is_sent(self):
        handler = adapt(lambda event, context: (self.put(THEIRS, "Failed"), self.put(event, "Succeeded")))
        self.assertEqual(handler(OURS, None), {"status": "Succeeded"})
        self.assertEqual(SENT, ["Failed"])

    def test_the_first_status_counts_whatever_is_thrown_after_it(self):
        @adapt
        def handler(event, context):
            self.put(event, "Failed")
            self.put(event, "Succeeded")
            raise ValueError("three orders are missing")

        self.assertEqual(handler(OURS, None), {"status": "Failed", "reason": "the hook reported Failed: three orders are missing"})

    def test_one_that_reports_nothing_fails_and_one_that_throws_throws(self):
        answer = adapt(lambda event, context: "fine")(OURS, None)
        self.assertEqual(answer, {"status": "Failed", "reason": "the hook ended without PutLifecycleEventHookExecutionStatus"})
        with self.assertRaises(ZeroDivisionError):
            adapt(lambda event, context: 1 / 0)(OURS, None)


if __name__ == "__main__":
    unittest.main()
