"""The commands ``predict``, which sends one JSON document or one API Gateway event, and ``token``."""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from model_registry import strict_json
from model_registry.strict_json import StrictJsonError
from peerloan.access import DEFAULT_SCOPE, find_access, local_tokens
from peerloan.api_client import ApiClient, json_bytes
from peerloan.errors import UsageError
from peerloan.output import JsonFlag, say, say_json

# The event's headers that are sent on. The client sets its own host and length.
_SENT_HEADERS = ("content-type", "accept", "idempotency-key", "x-request-id")


def predict(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(help="JSON, a JSON file, an event file, or - for JSON on stdin.")],
    url: Annotated[str | None, typer.Option(help="The API's address; the local stack's by default.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask the API about one record or one event. A CSV file is scored by `peerloan score`.

    Example: peerloan predict events/late-payer.json
    """
    if source.lower().endswith((".csv", ".parquet")):
        by_api = f" --url {url}" if url else ""
        raise UsageError(f"predict takes one record. Score a file with: peerloan score {source}{by_api}")
    document = read_document(source)
    address = ctx.obj.api_url(url)
    client = ApiClient(address, find_access(ctx.obj, address))
    if isinstance(document, dict) and "requestContext" in document:
        answer = client.send(*read_event(document))
    else:
        answer = client.predict(document)
    if as_json or not isinstance(answer, dict) or "predictions" not in answer:
        say_json(answer)
        return
    for prediction in answer["predictions"]:
        say(_sentence(prediction, answer["model"]))


def token(
    ctx: typer.Context,
    scope: Annotated[str, typer.Option(help="The token's scopes, with spaces between them.")] = DEFAULT_SCOPE,
    expires: Annotated[str, typer.Option(help="How long it is valid, such as 90s, 15m or 1h.")] = "1h",
    audience: Annotated[str | None, typer.Option(help="What it is for; the local API by default.")] = None,
) -> None:
    """Print a token of the local stack's own issuer, which an API with `make run AUTH=jwt` takes.

    Example: curl -H "Authorization: Bearer $(peerloan token)" http://127.0.0.1:3000/readyz
    """
    say(local_tokens(ctx.obj).issue(scope=scope, audience=audience, expires_s=_read_expiry(expires)))


def _read_expiry(text: str) -> float:
    from model_rollout.plan import InvalidPlanError, read_duration

    try:
        seconds = read_duration(text)
    except InvalidPlanError:
        seconds = 0
    if not seconds:
        raise UsageError(f"--expires {text!r}: write 90s, 15m or 1h; a token is valid for 30 days at most.")
    return seconds


def read_document(source: str) -> Any:
    """Return the JSON document that an argument is, that it names a file with, or (``-``) that stdin has.

    Raises
    ------
    UsageError
        If it isn't JSON in UTF-8 as the API reads it: each key once in an object, no NaN, nothing beyond float64.
    """
    try:
        document = strict_json.parse(source if source.lstrip().startswith(("{", "[")) else _read_text(source))
        json_bytes(document)  # Refuses 1e999, which Python reads as infinity.
    except UnicodeDecodeError as error:
        raise UsageError(f"{source!r} isn't UTF-8 ({error.reason}). Save it in UTF-8.") from error
    except StrictJsonError as error:
        raise UsageError(f"The text can't be sent as JSON: it {error}.") from error
    except ValueError as error:
        raise UsageError("The text can't be sent as JSON: it holds a number that is too large.") from error
    return document


def read_event(event: Mapping[str, Any]) -> tuple[str, str, bytes | None, dict[str, str]]:
    """Return the HTTP request that an API Gateway event (payload format 2.0) describes: method, path, body and headers.

    By default it is an empty POST to /predict. A part of the wrong type raises ``UsageError``, which names the part.
    """
    context = _part(event, "requestContext", dict) or {}
    http = _part(context, "http", dict) or {}
    path = _part(event, "rawPath", str) or "/predict"
    if not path.startswith("/"):
        raise UsageError("This event can't be sent: its 'rawPath' doesn't begin with a slash.")
    headers = {
        name: str(value).strip()
        for name, value in (_part(event, "headers", dict) or {}).items()
        if name.lower() in _SENT_HEADERS
    }
    if wrong := [name for name, value in headers.items() if not (value.isascii() and value.isprintable())]:
        raise UsageError(f"This event can't be sent: its header {wrong[0]!r} isn't printable ASCII.")
    return _part(http, "method", str) or "POST", path, _body(event), headers


def _part(parent: Mapping[str, Any], name: str, kind: type) -> Any:
    part = parent.get(name)
    if part is not None and not isinstance(part, kind):
        raise UsageError(f"This event can't be sent: its {name!r} isn't {'a text' if kind is str else 'an object'}.")
    return part


def _body(event: Mapping[str, Any]) -> bytes | None:
    body = _part(event, "body", str) or ""
    try:
        data = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode("utf-8")
    except ValueError as error:
        form = "base64, as isBase64Encoded says" if event.get("isBase64Encoded") else "UTF-8"
        raise UsageError(f"This event can't be sent: its body isn't {form}.") from error
    return data or None


def _read_text(source: str) -> str:
    if source == "-":
        return sys.stdin.buffer.read().decode("utf-8-sig")
    try:
        content = Path(source).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{source[:200]!r} is neither JSON nor a file that can be read ({why}).") from error
    return content.decode("utf-8-sig")


def _sentence(prediction: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    warnings = prediction.get("warnings", ())
    loan = f"Loan {prediction['loan_id']}" if prediction.get("loan_id") else f"Record {prediction['index']}"
    verdict = "late" if prediction["is_late"] else "on time"
    return (
        f"{loan}: {verdict}, probability {prediction['late_probability']:.4f} "
        f"(threshold {prediction['threshold']:.4f}, {model['name']} version {model['version']})"
        + "".join(f"\n  warning: {warning['pointer']} [{warning['code']}]" for warning in warnings)
    )
