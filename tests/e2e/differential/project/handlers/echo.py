"""Answers the event that it gets, so that events can be compared."""

import json


def handler(event, context):
    if "requestContext" not in event:  # Invoked by name.
        return event
    headers = {"content-type": "application/json", "x-echo": "event"}
    return {"statusCode": 200, "headers": headers, "body": json.dumps(event)}
