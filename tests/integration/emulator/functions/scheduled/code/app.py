"""Notes each event in a file."""

import json
import os
from pathlib import Path


def handler(event, context):
    note = {"event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn}
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(json.dumps(note) + "\n")
    if event == "fail":
        raise RuntimeError("as asked")
