"""Does what the query or the event says, and tells about its environment."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

counts = {"calls": 0, "inside": 0}


def handler(event, context):
    parameters = event.get("queryStringParameters") or event
    assert counts["inside"] == 0, "two requests in one environment"
    counts["inside"] += 1
    try:
        counts["calls"] += 1
        return act(parameters, event, context)
    finally:
        counts["inside"] -= 1


def act(parameters, event, context):
    match parameters.get("act"):
        case "sleep":
            time.sleep(float(parameters["s"]))
        case "exit":
            os._exit(int(parameters["status"]))
        case "exit_after":
            threading.Timer(0.05, os._exit, (3,)).start()
        case "kill":
            os.kill(os.getpid(), 9)
        case "raise":
            raise ValueError("as asked")
        case "print":
            print(parameters["text"])
            print("an error line", file=sys.stderr)
        case "big":
            return {"statusCode": 200, "body": "x" * int(parameters["size"])}
        case "answer":
            return json.loads(parameters["json"])
        case "unserialisable":
            return {"statusCode": 200, "body": object()}
        case "echo":
            return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(event)}
        case "child":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            return {"statusCode": 200, "body": json.dumps([os.getpid(), child.pid])}
        case "store":
            import boto3

            s3 = boto3.client("s3")
            s3.put_object(Bucket=os.environ["BUCKET"], Key="k", Body=b"from the function")
            return {
                "statusCode": 200,
                "body": s3.get_object(Bucket=os.environ["BUCKET"], Key="k")["Body"].read().decode(),
            }
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(facts(context))}


def facts(context):
    try:
        import shared_by_layer as layer
    except ImportError:
        layer = None
    return {
        "pid": os.getpid(),
        "calls": counts["calls"],
        "threads": threading.active_count(),
        "layer": getattr(layer, "NAME", None),
        "environ": dict(os.environ),
        "cwd": str(Path.cwd()),
        "path": sys.path,
        "arn": context.invoked_function_arn,
        "version": context.function_version,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "request_id": context.aws_request_id,
        "emulator_loaded": [name for name in sys.modules if name.startswith("emulator")],
    }
