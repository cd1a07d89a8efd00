"""``python -m emulator fire NAME``: lets a running emulator fire a schedule, rule or notification."""

from __future__ import annotations

import http.client
import json
import sys
import urllib.error
import urllib.request
from typing import Any

from emulator.cli.flags import Options
from emulator.template.errors import ProjectError

# Where an emulator answers by default: its HTTP API, and Lambda's.
_URLS = ("http://127.0.0.1:3000", "http://127.0.0.1:3001")
_LIMIT_S = 30.0


def fire(options: Options) -> list[str]:
    """Return a line for each function that is called; raise `ProjectError` if none is."""
    event = None
    if options.event is not None:
        # Imported here, since it takes longer than all the rest.
        from emulator.cli.settings.options import read_event

        event = read_event(options.event, sys.stdin.buffer).decode()
    document = {"name": options.name, "key": options.key, "bucket": options.fire_bucket, "event": event}
    urls = _URLS if options.url is None else (options.url.rstrip("/"),)
    for url in urls:
        answer = _post(f"{url}/_emulator/fire", document)
        if answer is not None:
            return [f"{call['function']}: event {call['requestId']} is queued" for call in answer["fired"]]
    raise ProjectError(f"no emulator answers at {' or '.join(urls)}: start one, or name its address with --url")


def _post(url: str, document: dict[str, Any]) -> dict[str, Any] | None:
    """Return the answer of an emulator; None if nobody answers there, or something else does."""
    # A proxy of the machine's settings doesn't know this machine's own addresses.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})  # noqa: S310
        try:
            with opener.open(request, timeout=_LIMIT_S) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            answer = json.load(error)
    except (OSError, ValueError, http.client.HTTPException):
        return None
    if not isinstance(answer, dict) or "fired" not in answer:
        return None
    if "message" in answer:
        raise ProjectError(str(answer["message"]))
    return answer
