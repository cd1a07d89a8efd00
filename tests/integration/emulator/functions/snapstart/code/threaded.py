"""Leaves a thread behind at init, which no fork would have; the handler needs it."""

import os
import queue
import threading

tasks, answers = queue.Queue(), queue.Queue()


def work():
    while True:
        answers.put(tasks.get() * 2)


threading.Thread(target=work, daemon=True, name="needed").start()


def handler(event, context):
    tasks.put(21)
    return {"statusCode": 200, "body": f"{answers.get(timeout=2)} {os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']}"}
