"""Lambda's API as boto3 asks it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from botocore.config import Config

from processes import wait_until

ONE_ATTEMPT = Config(retries={"max_attempts": 0}, read_timeout=60)
NAMES = ["Changing", "Doomed", "Limited", "Plain", "Published"]
PATIENCE_S = 20


def package(source: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("app.py", source)
    return target.getvalue()


def saying(word: str) -> bytes:
    return package(f"def handler(event, context):\n    return {word!r}\n")


def invoke(client: Any, function: str, event: Any = None, **more: Any) -> tuple[Any, Any]:
    """Return the function's answer and Lambda's."""
    payload = {} if event is None else {"Payload": json.dumps(event)}
    answer = client.invoke(FunctionName=function, **payload, **more)
    content = answer["Payload"].read()
    return json.loads(content) if content else None, answer


def wait_for_version(client: Any, function: str, version: str) -> None:
    """Wait until a version that was just published is active; boto3's own waiter looks every five seconds."""
    waiter = client.get_waiter("published_version_active")
    waiter.wait(FunctionName=function, Qualifier=version, WaiterConfig={"Delay": 0.1, "MaxAttempts": 10 * PATIENCE_S})


def until(condition: Callable[[], bool]) -> None:
    assert wait_until(condition, PATIENCE_S), "it did not come to that"
