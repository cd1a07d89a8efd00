"""What inline code answers a custom resource's request with."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.template.source import cfnresponse

CONTEXT = SimpleNamespace(log_stream_name="stream")
EVENT = {"StackId": "s", "RequestId": "r", "LogicalResourceId": "L"}


class _Bucket(BaseHTTPRequestHandler):
    received: dict[str, Any]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).received = {"type": self.headers["Content-Type"], **json.loads(body)}
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.mark.fidelity("inline-code")
def test_the_response_is_put_at_the_address_of_the_event() -> None:
    with HTTPServer(("127.0.0.1", 0), _Bucket) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        event = {**EVENT, "ResponseURL": f"http://127.0.0.1:{server.server_port}/answer"}
        cfnresponse.send(event, CONTEXT, cfnresponse.SUCCESS, {"a": 1})
        thread.join()
    assert _Bucket.received == {
        "type": "", "Status": "SUCCESS", "Reason": "See the log stream stream", "PhysicalResourceId": "stream",
        "StackId": "s", "RequestId": "r", "LogicalResourceId": "L", "NoEcho": False, "Data": {"a": 1},
    }  # fmt: skip


@pytest.mark.fidelity("inline-code")
def test_a_response_that_can_not_be_sent_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    cfnresponse.send({**EVENT, "ResponseURL": "nowhere"}, CONTEXT, cfnresponse.FAILED, {}, "id", reason="why")
    assert capsys.readouterr().out.startswith("cfnresponse: the response can't be sent: ")
