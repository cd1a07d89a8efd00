"""Notes which hooks ran, where and when; initialising takes a while."""

import json
import logging
import os
import random
import time
import uuid

from snapshot_restore_py import register_after_restore, register_before_snapshot

time.sleep(float(os.environ.get("INIT_S", "0.7")))
INITIALISED_IN = os.getpid()
ran = []
random.seed(1)
logging.getLogger().setLevel("INFO")


@register_before_snapshot
def before_1():
    ran.append(["before 1", os.getpid() == INITIALISED_IN])


@register_before_snapshot
def before_2():
    ran.append(["before 2", os.getpid() == INITIALISED_IN])


@register_after_restore
def after_1():
    ran.append(["after 1", os.getpid() == INITIALISED_IN])


@register_after_restore
def after_2():
    ran.append(["after 2", os.getpid() == INITIALISED_IN])


def handler(event, context):
    query = event.get("queryStringParameters") or {}
    time.sleep(float(query.get("s", 0)))
    if "exit" in query:
        os._exit(4)
    logging.info("in the handler")
    facts = {
        "pid": os.getpid(),
        "parent": INITIALISED_IN,
        "ran": ran,
        "random": random.random(),
        "uuid": str(uuid.uuid4()),
        "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "log_variables": [name for name in os.environ if name.startswith("AWS_LAMBDA_LOG_") and name.endswith("_NAME")],
        "version": context.function_version,
        "request_id": context.aws_request_id,
        "arn": context.invoked_function_arn,
    }
    return {"statusCode": 200, "body": json.dumps(facts)}
