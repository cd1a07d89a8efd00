"""Opens a connection at init, which every environment finds in its pool."""

import json
import os

import urllib3

pool = urllib3.PoolManager(maxsize=1)
if url := os.environ.get("ECHO_URL"):
    pool.request("GET", f"{url}/at-init")


def handler(event, context):
    word = event["queryStringParameters"]["word"]
    heard = [pool.request("GET", f"{url}/{word}-{n}").data.decode() for n in range(20)]
    wrong = [path for number, path in enumerate(heard) if path != f"/{word}-{number}"]
    return {"statusCode": 200, "body": json.dumps({"wrong": wrong, "pid": os.getpid()})}
