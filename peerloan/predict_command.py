"""The command ``predict``: a record, a CSV file or an API Gateway event, over HTTP."""

from __future__ import annotations

import base64
import csv
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from model_artifact.schema import FIELDS
from peerloan.api_client import ApiClient
from peerloan.errors import ServiceError, UsageError
from peerloan.output import JsonFlag, note, progress_bar, say, say_json

_BATCH_ROWS = 500
_NUMBERS = {field.name for field in FIELDS if field.type == "number"}
_COLUMNS = {field.name for field in FIELDS}


def predict(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(help="JSON, a JSON or CSV file, an event file, or - for standard input.")],
    url: Annotated[str | None, typer.Option(help="The API's address; the local stack's by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="For a CSV file: where to write the answers, as CSV.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask the API for predictions.

    Examples: peerloan predict events/late-payer.json

    peerloan predict loans.csv --out scored.csv
    """
    client = ApiClient(url or ctx.obj.api_url())
    if source.endswith(".csv"):
        _predict_csv(client, Path(source), out, as_json=as_json)
        return
    document = _read_json(source)
    if isinstance(document, dict) and "requestContext" in document:
        answer = _send_event(client, document)
    else:
        answer = client.predict(document)
    if as_json or "predictions" not in answer:
        say_json(answer)
        return
    for prediction in answer["predictions"]:
        say(_sentence(prediction, answer["model"]))


def _read_json(source: str) -> Any:
    if source.lstrip().startswith(("{", "[")):
        text = source
    elif source == "-":
        text = sys.stdin.read()
    else:
        try:
            text = Path(source).read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{source!r} is neither JSON nor a file that can be read ({error.strerror}).") from error
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"This is not JSON: {error}.") from error


def _send_event(client: ApiClient, event: Mapping[str, Any]) -> Any:
    body = str(event.get("body") or "")
    data = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8")
    http = event["requestContext"].get("http", {})
    # The client makes its own host and length; what the event's request said of itself goes along.
    headers = {name: value for name, value in event.get("headers", {}).items() if name.lower() in _SENT_HEADERS}
    return client.send(http.get("method", "POST"), str(event.get("rawPath", "/predict")), data or None, headers)


_SENT_HEADERS = ("content-type", "accept", "idempotency-key", "x-request-id")


def _predict_csv(client: ApiClient, source: Path, out: Path | None, *, as_json: bool) -> None:
    rows = list(_read_csv(source))
    scored: list[dict[str, Any]] = []
    with progress_bar() as progress:
        task = progress.add_task(source.name, total=len(rows))
        for start in range(0, len(rows), _BATCH_ROWS):
            batch = rows[start : start + _BATCH_ROWS]
            try:
                answer = client.predict_records([_record(row) for row in batch])
            except ServiceError as error:
                first, last = start + 2, start + len(batch) + 1
                raise ServiceError(
                    f"Lines {first} to {last} of {source.name}, the first at /instances/0: {error}"
                ) from error
            version = answer["model"]["version"]
            scored += [
                {
                    **row,
                    "late_probability": one["late_probability"],
                    "predicted_is_late": int(one["is_late"]),
                    "model_version": version,
                }
                for row, one in zip(batch, answer["predictions"], strict=True)
            ]
            progress.advance(task, len(batch))
    if out:
        _write_csv(out, scored)
        note(f"Wrote {len(scored):,} rows to {out}.")
    elif as_json:
        say_json(scored)
    else:
        _write_rows(sys.stdout, scored)


def _read_csv(source: Path) -> Iterator[dict[str, str]]:
    try:
        with source.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            if missing := [field.name for field in FIELDS if field.name not in (reader.fieldnames or ())]:
                raise UsageError(f"{source} lacks the column {', '.join(missing)}.")
            yield from reader
    except OSError as error:
        raise UsageError(f"{source} can't be read ({error.strerror}).") from error


def _record(row: Mapping[str, str]) -> dict[str, object]:
    """Return the record of a CSV row: the ten columns (and ``loan_id``), an empty cell as null."""
    record: dict[str, object] = {name: _cell(name, row[name]) for name in row if name in _COLUMNS}
    if row.get("loan_id"):
        record["loan_id"] = row["loan_id"]
    return record


def _cell(name: str, cell: str) -> object:
    if not cell:
        return None
    if name not in _NUMBERS:
        return cell
    try:
        number = float(cell)
    except ValueError:
        return cell  # Left as it is: the API says where and why it is no number.
    return int(number) if number.is_integer() else number


def _write_csv(out: Path, rows: list[dict[str, Any]]) -> None:
    draft = out.with_name(out.name + ".part")
    with draft.open("w", newline="", encoding="utf-8") as stream:
        _write_rows(stream, rows)
    draft.replace(out)


def _write_rows(stream: Any, rows: list[dict[str, Any]]) -> None:
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)


def _sentence(prediction: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    loan = f"Loan {prediction['loan_id']}" if prediction.get("loan_id") else f"Record {prediction['index']}"
    verdict = "late" if prediction["is_late"] else "on time"
    return (
        f"{loan}: {verdict}, probability {prediction['late_probability']:.4f} "
        f"(threshold {prediction['threshold']:.4f}, {model['name']} version {model['version']})"
    )
