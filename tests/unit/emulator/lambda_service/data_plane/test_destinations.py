"""The records of asynchronous invocations: their JSON, and where they go."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from emulator.lambda_service.data_plane.event_queue.destinations import (
    Destinations,
    dead_letter,
    file_of,
    invocation_record,
    is_function,
)
from emulator.lambda_service.data_plane.event_queue.retries import EventPolicy, Outcome, QueuedEvent
from emulator.lambda_service.errors import ResourceNotFoundError
from emulator.lambda_service.invocation import UNHANDLED, InvocationResult, error_payload

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=dt.UTC)
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f:live"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:failed"
FAILED = Outcome(
    "RetriesExhausted", 3, InvocationResult(error_payload("ValueError", "no"), UNHANDLED, "7"), "it failed 3 times"
)
SUCCEEDED = Outcome("Success", 1, InvocationResult(b'{"n": 1}', None, "7"))


async def never() -> InvocationResult:
    raise AssertionError


EVENT = QueuedEvent("f", "id-1", b'{\n"a": 1.5}', never, EventPolicy, ARN, "Root=1")


@pytest.mark.fidelity("invocation-records")
def test_the_record_of_an_invocation() -> None:
    assert invocation_record(EVENT, FAILED, NOW) == {
        "version": "1.0",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "requestContext": {
            "requestId": "id-1", "functionArn": ARN, "condition": "RetriesExhausted", "approximateInvokeCount": 3,
        },
        "requestPayload": {"a": 1.5},
        "responseContext": {"statusCode": 200, "executedVersion": "7", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "ValueError", "errorMessage": "no"},
    }  # fmt: skip
    record = invocation_record(EVENT, SUCCEEDED, NOW)
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "7"}
    assert "responseContext" not in invocation_record(EVENT, Outcome("EventAgeExceeded", 0), NOW)


@pytest.mark.fidelity("dead-letters")
def test_a_dead_letter_is_the_event_with_the_error_as_attributes() -> None:
    letter = dead_letter(EVENT, FAILED)
    assert json.loads(letter["Message"]) == {"a": 1.5}
    assert {name: attribute["Value"] for name, attribute in letter["MessageAttributes"].items()} == {
        "RequestID": "id-1", "ErrorCode": "200", "ErrorMessage": "no",
    }  # fmt: skip
    throttled = dead_letter(EVENT, Outcome("EventAgeExceeded", 0))["MessageAttributes"]
    assert throttled["ErrorCode"] == {"Type": "Number", "Value": "429"}
    assert dead_letter(EVENT, Outcome("RetriesExhausted", 1, InvocationResult(b'"no"', UNHANDLED, "7")))


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (QUEUE, "sqs-failed.jsonl"),
        ("arn:aws:s3:::my.bucket", "s3-my.bucket.jsonl"),
        ("arn:aws:events:r:1:event-bus/default", "events-default.jsonl"),
        ("../a b", "a-b.jsonl"),
    ],
)
def test_whatever_is_no_function_has_a_file(arn: str, name: str, tmp_path: Path) -> None:
    assert file_of(tmp_path, arn) == tmp_path / "destinations" / name
    assert not is_function(arn)
    assert is_function(ARN)


def sent(tmp_path: Path, policy: EventPolicy, outcome: Outcome) -> list[tuple[str, Any, str]]:
    calls: list[tuple[str, Any, str]] = []

    def call(arn: str, payload: bytes, trace_id: str) -> None:
        calls.append((arn, json.loads(payload), trace_id))
        if "gone" in arn:
            raise ResourceNotFoundError("Function not found: gone")

    asyncio.run(Destinations(tmp_path, call, lambda: NOW).send(EVENT, policy, outcome))
    return calls


@pytest.mark.fidelity("invocation-records", "dead-letters")
def test_records_go_to_functions_and_files(tmp_path: Path) -> None:
    policy = EventPolicy(on_success=ARN, on_failure=QUEUE, dead_letter=QUEUE.replace("failed", "dead"))
    ((arn, record, trace_id),) = sent(tmp_path, policy, SUCCEEDED)
    assert (arn, record["requestContext"]["condition"], trace_id) == (ARN, "Success", "Root=1")
    assert not (tmp_path / "destinations").exists()
    assert sent(tmp_path, policy, FAILED) == sent(tmp_path, policy, FAILED) == []
    for name in ("failed", "dead"):
        path = file_of(tmp_path, f"arn:aws:sqs:r:1:{name}")
        assert len([json.loads(line) for line in path.read_text().splitlines()]) == 2
        assert path.stat().st_mode & 0o777 == 0o600
    assert sent(tmp_path, EventPolicy(), FAILED) == []


def test_a_record_that_cannot_be_sent_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sent(tmp_path, EventPolicy(on_failure="arn:aws:lambda:r:1:function:gone"), FAILED)
    (tmp_path / "destinations").write_text("in the way")
    sent(tmp_path, EventPolicy(on_failure=QUEUE), FAILED)
    assert [message.partition(" is lost")[0] for message in caplog.messages] == ["f: the record of event id-1"] * 2
