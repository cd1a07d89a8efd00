"""One form for an answer, whichever door it came through: what has to be equal, and nothing else."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

# Dates, lengths, timings and the servers' own names differ by door; these say what the function meant.
_COMPARED_HEADERS = (
    "allow",
    "cache-control",
    "content-type",
    "retry-after",
    "x-content-type-options",
    "x-model-form",
    "x-model-version",
)


@dataclass(frozen=True)
class Answer:
    """Status, the headers that matter, and the body: parsed if it is JSON, with the request's id taken out of it."""

    status: int
    headers: Mapping[str, str]
    body: Any


def from_event_answer(answer: Mapping[str, Any]) -> Answer:
    """Return what the handler or ``sam local invoke`` returned, as an ``Answer``."""
    body = answer["body"]
    raw = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    return _normalise(answer["statusCode"], answer["headers"], raw)


def from_response(response: requests.Response) -> Answer:
    """Return what came over HTTP as an ``Answer``."""
    return _normalise(response.status_code, response.headers, response.content)


def send(url: str, event: Mapping[str, Any]) -> requests.Response:
    """Send the request that an event was made of."""
    body = event.get("body")
    raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else (body or "").encode()
    headers = {name: value for name, value in event["headers"].items() if name.lower() != "host"}
    method = event["requestContext"]["http"]["method"]
    return requests.request(method, url + event["rawPath"], data=raw or None, headers=headers, timeout=60)


def _normalise(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    lowered = {name.lower(): value for name, value in headers.items()}
    if body.startswith(b"\x1f\x8b"):
        body = gzip.decompress(body)
    request_id = lowered.get("x-request-id")
    text = body.decode()
    if request_id:
        text = text.replace(request_id, "<request id>")
    is_json = "json" in lowered.get("content-type", "")
    kept = {name: lowered[name] for name in _COMPARED_HEADERS if name in lowered}
    return Answer(status, kept, json.loads(text) if is_json and text else text)
