"""Answer events with the function's own handler in a fresh process, with no gateway and no emulation around it.

    python in_process_handler.py ANSWERS.json < EVENTS.json

Reads a JSON list of events and writes a JSON list of answers to a file: stdout is the function's log.
"""

from __future__ import annotations

import json
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Context:
    """What Lambda's runtime hands the handler besides the event, as far as anybody reads it."""

    function_name: str = "PredictFunction"
    function_version: str = "$LATEST"
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:PredictFunction"
    memory_limit_in_mb: str = "1769"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def main() -> None:
    from predict_api.main import handler

    answers = [handler(event, Context()) for event in json.load(sys.stdin)]
    Path(sys.argv[1]).write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
