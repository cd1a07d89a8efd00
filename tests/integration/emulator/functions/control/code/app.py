"""Does what the event says, and tells what it was given."""

import os
import time
from pathlib import Path


def handler(event, context):
    parameters = event if isinstance(event, dict) else {}
    if "attempts" in parameters:
        return attempt(Path(parameters["attempts"]), parameters["failures"], context)
    match parameters.get("act"):
        case "null":
            return None
        case "raise":
            raise ValueError("as asked")
        case "sleep":
            time.sleep(parameters["s"])
        case "print":
            print(parameters["text"])
    client_context = context.client_context
    return {
        "event": event,
        "arn": context.invoked_function_arn,
        "version": context.function_version,
        "request_id": context.aws_request_id,
        "custom": client_context.custom if client_context else None,
        "greeting": os.environ.get("GREETING"),
        "region": os.environ["AWS_REGION"],
        "key": os.environ["AWS_ACCESS_KEY_ID"],
    }


def attempt(file, failures, context):
    """Fail so many times; each attempt leaves a line."""
    with file.open("a") as log:
        log.write(context.aws_request_id + "\n")
    if len(file.read_text().splitlines()) <= failures:
        raise RuntimeError("not yet")
