"""Where the records of asynchronous invocations go: to functions, or as JSON lines into files.

Lambda also sends them to queues, topics, event buses and buckets. Here each of those is a file in the state's folder.
Source: Lambda developer guide, "Capturing records of Lambda asynchronous invocations" and "Adding a dead-letter queue".
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emulator.lambda_service.data_plane.event_queue.retries import EventPolicy, Outcome, QueuedEvent
from emulator.lambda_service.errors import LambdaApiError
from emulator.text_formats import in_milliseconds

FOLDER = "destinations"
SUCCESS = "Success"
_FUNCTION = re.compile(r"arn:[^:]+:lambda:")
# Of a dead letter whose function wasn't run.
_THROTTLED = ("429", "Rate Exceeded.")
_log = logging.getLogger(__name__)


def is_function(arn: str) -> bool:
    """Return whether an ARN is a function's, which is then called."""
    return _FUNCTION.match(arn) is not None


def file_of(state_dir: Path, arn: str) -> Path:
    """Return the file that gets what AWS would send to a queue, topic, event bus or bucket."""
    service, name = arn.split(":")[2:3], re.split("[:/]", arn)[-1]
    return state_dir / FOLDER / re.sub(r"[^\w.-]", "-", f"{'-'.join([*service, name])}.jsonl")


def invocation_record(event: QueuedEvent, outcome: Outcome, time: dt.datetime) -> dict[str, Any]:
    """Return Lambda's record of an asynchronous invocation that has ended."""
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": in_milliseconds(time),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": event.arn,
            "condition": outcome.condition,
            "approximateInvokeCount": outcome.attempts,
        },
        "requestPayload": json.loads(event.payload),
    }
    result = outcome.result
    if result is not None:
        error = {} if result.function_error is None else {"functionError": result.function_error}
        record["responseContext"] = {"statusCode": 200, "executedVersion": result.version, **error}
        record["responsePayload"] = json.loads(result.payload or b"null")
    return record


def dead_letter(event: QueuedEvent, outcome: Outcome) -> dict[str, Any]:
    """Return the message that Lambda sends to a dead-letter queue: the event, and the last error as attributes."""
    code, message = _THROTTLED
    if outcome.result is not None:
        error = json.loads(outcome.result.payload or b"null")
        code, message = "200", str(error.get("errorMessage", "")) if isinstance(error, dict) else ""
    values = {"RequestID": ("String", event.request_id), "ErrorCode": ("Number", code)}
    values["ErrorMessage"] = ("String", message[:1024])
    attributes = {name: {"Type": kind, "Value": value} for name, (kind, value) in values.items()}
    return {"Message": event.payload.decode(), "MessageAttributes": attributes}


class Destinations:
    """Sends the records of one emulator's asynchronous invocations.

    Parameters
    ----------
    state_dir : Path
        Its folder `FOLDER` gets the files.
    call : callable
        Queues an event for the function that an ARN names; raises `LambdaApiError` if that can't be.
    clock : callable
        Returns the time in UTC.
    """

    def __init__(
        self, state_dir: Path, call: Callable[[str, bytes, str], object], clock: Callable[[], dt.datetime]
    ) -> None:
        self._state_dir = state_dir
        self._call = call
        self._clock = clock

    async def send(self, event: QueuedEvent, policy: EventPolicy, outcome: Outcome) -> None:
        """Send the records of an event that has succeeded or was given up; log those that can't be sent."""
        is_success = outcome.condition == SUCCESS
        destination = policy.on_success if is_success else policy.on_failure
        if destination is not None:
            await self._deliver(event, destination, invocation_record(event, outcome, self._clock()))
        if policy.dead_letter is not None and not is_success:
            await self._deliver(event, policy.dead_letter, dead_letter(event, outcome))

    async def write(self, arn: str, document: object) -> None:
        """Append a document to the file that stands for an ARN; it is on disk when this returns."""
        await asyncio.to_thread(append_line, file_of(self._state_dir, arn), document)

    async def _deliver(self, event: QueuedEvent, arn: str, document: dict[str, Any]) -> None:
        try:
            if is_function(arn):
                self._call(arn, json.dumps(document).encode(), event.trace_id)
            else:
                await self.write(arn, document)
        except LambdaApiError as error:
            _log.warning("%s: the record of event %s is lost: %s", event.function, event.request_id, error.message)
        except OSError as error:
            _log.warning("%s: the record of event %s is lost: %s", event.function, event.request_id, error)


def append_line(path: Path, document: object) -> None:
    """Append a document as one line of JSON, in one write, so that lines never mix; a file is its owner's alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, json.dumps(document).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
