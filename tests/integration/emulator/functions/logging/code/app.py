"""Says what the event says, among other lines; exits or sleeps if the event asks for it."""

import json
import os
import time


def handler(event, context):
    print("text")
    print(json.dumps({"kind": "whispered", **event}))
    print(json.dumps({"kind": "said", "pad": "x" * event.get("pad", 0), **event}))
    if event.get("act") == "exit":
        os._exit(1)
    if event.get("act") == "sleep":
        time.sleep(5)
    return os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
