"""Answers the event that it gets, so that events can be compared."""

import json


def handler(event, context):
    if isinstance(event, dict) and "requestContext" in event:
        headers = {"content-type": "application/json", "x-echo": "event"}
        return {"statusCode": 200, "headers": headers, "body": json.dumps(event)}
    return event  # Invoked by name.
