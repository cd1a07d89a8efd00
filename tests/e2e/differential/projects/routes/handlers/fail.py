"""Ends in other ways than by an answer."""

import os
import signal
import sys
import time

ENDINGS = {
    "os-exit-0": lambda: os._exit(0),
    "os-exit-7": lambda: os._exit(7),
    "sys-exit-0": lambda: sys.exit(0),
    "sys-exit-3": lambda: sys.exit(3),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "sleep": lambda: time.sleep(60),
    "alive": lambda: None,
}


def handler(event, context):
    ENDINGS[event["pathParameters"]["how"] if "pathParameters" in event else event["what"]]()
    return {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": "alive"}
