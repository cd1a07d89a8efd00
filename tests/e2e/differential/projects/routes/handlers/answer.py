"""Answers what the request's body says, or by name what JSON can't say."""

import datetime
import decimal
import json

MEGABYTE = 1024 * 1024


class TeapotError(Exception):
    """An error of the function's own."""


def handler(event, context):
    if "requestContext" not in event:  # Invoked by name.
        return special(event["what"])
    what = event.get("pathParameters") or {}
    return special(what["what"]) if what else json.loads(event["body"])


def special(what):
    if what == "raise":
        raise TeapotError("I'm a teapot")
    if what == "recursion":
        return special(what)
    return SPECIAL[what]()


SPECIAL = {
    "none": lambda: None,
    "set": lambda: {"statusCode": 200, "body": "set", "extra": {1, 2}},
    "bytes": lambda: {"statusCode": 200, "body": b"bytes"},
    "bare-bytes": lambda: b"\x00\xff",
    "nan": lambda: {"statusCode": 200, "body": "nan", "extra": float("nan")},
    "bare-nan": lambda: float("nan"),
    "decimal": lambda: {"statusCode": decimal.Decimal(201), "body": "decimal"},
    "date": lambda: {"statusCode": 200, "body": datetime.date(2024, 2, 29)},
    "tuple": lambda: (1, "two", None),
    "integer-key": lambda: {1: "one"},
    "surrogate": lambda: {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": "\ud800"},
    "4-megabytes": lambda: {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": "x" * 4 * MEGABYTE},
    "7-megabytes": lambda: {"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": "x" * 7 * MEGABYTE},
    # The largest answer: its other keys and quotation marks take 26 bytes.
    "6-megabytes": lambda: {"statusCode": 200, "body": "x" * (6 * MEGABYTE - 26)},
}
