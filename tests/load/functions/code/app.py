"""Functions that do next to nothing: what a call of them takes is the emulator's own time, or SAM's."""

from __future__ import annotations

import json
import time
from typing import Any


def empty(event: Any, context: Any) -> dict[str, Any]:
    """Send back what came."""
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": event.get("body", "")}


def one_second(event: Any, context: Any) -> dict[str, Any]:
    """Wait, and say when this call began."""
    began = time.time()
    time.sleep(1)
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps({"began": began})}
