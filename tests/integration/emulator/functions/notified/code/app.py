"""Notes each event in a file, and then does what the object's key asks for."""

import json
import os
import signal
import time
from pathlib import Path


def note(event, context):
    line = json.dumps({"event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn})
    with (Path(os.environ["NOTES"]) / context.function_name).open("a") as notes:
        notes.write(line + "\n")


def noting(event, context):
    while "until" in event and not Path(event["until"]).exists():
        time.sleep(0.02)
    note(event, context)
    if "fail" in json.dumps(event):
        raise RuntimeError("as asked")
    return "noted"


def looping(event, context):
    # Only here: the other functions start sooner without it.
    import boto3

    note(event, context)
    body = str(time.time()).encode()
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="loop/again", Body=body)


def resuming(event, context):
    """Is killed, then runs out of time, then finishes: each attempt goes on where the one before ended."""
    note(event, context)
    progress = Path(os.environ["NOTES"]) / "progress"
    done = progress.read_text() if progress.exists() else ""
    progress.write_text(done + "x")
    if not done:
        os.kill(os.getpid(), signal.SIGKILL)
    if done == "x":
        time.sleep(600)
    (Path(os.environ["NOTES"]) / "finished").write_text(done)
