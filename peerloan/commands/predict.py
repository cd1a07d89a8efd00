"""The command ``predict``: a record, a CSV file or an API Gateway event, over HTTP."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, NoReturn, Protocol

import typer

from peerloan.api_client import ApiClient
from peerloan.errors import ServiceError, UsageError
from peerloan.event_file import read_event
from peerloan.loan_file import Loan, read_loans, write_rows, written_whole
from peerloan.output import JsonFlag, note, progress_bar, say, say_json
from peerloan.workplace import check_url

_BATCH_ROWS = 500


class BatchClient(Protocol):
    """What scores a CSV file; ``ApiClient`` is one."""

    def predict_records(self, records: Sequence[Mapping[str, object]], /) -> Any:
        """Return the API's answer to a batch."""


def predict(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(help="JSON, a JSON or CSV file, an event file, or - for JSON on stdin.")],
    url: Annotated[str | None, typer.Option(help="The API's address; the local stack's by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="For a CSV file: where to write the answers, as CSV.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask the API about one record or one event.

    A CSV file is checked as a whole before the first request, and held in memory.

    Examples: peerloan predict events/late-payer.json

    peerloan predict loans.csv --out scored.csv
    """
    client = ApiClient(check_url(url, "--url") if url is not None else ctx.obj.api_url())
    if source.lower().endswith(".csv"):
        score_csv(client, Path(source), out, as_json=as_json)
        return
    if out:
        raise UsageError("--out goes with a CSV file; redirect the output of anything else.")
    document = read_document(source)
    if isinstance(document, dict) and "requestContext" in document:
        request = read_event(document)
        answer = client.send(request.method, request.path, request.body, request.headers)
    else:
        answer = client.predict(document)
    if as_json or not isinstance(answer, dict) or "predictions" not in answer:
        say_json(answer)
        return
    for prediction in answer["predictions"]:
        say(_sentence(prediction, answer["model"]))


def read_document(source: str) -> Any:
    """Return the JSON document that an argument is, that it names a file with, or (``-``) that stdin has.

    Raises
    ------
    UsageError
        If it is no JSON in UTF-8, or has a number that JSON can't say.
    """
    try:
        text = source if source.lstrip().startswith(("{", "[")) else _read_text(source)
        return json.loads(text, parse_constant=_refuse_number, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise UsageError(f"{source!r} is not in UTF-8 ({error.reason}). Save it in UTF-8.") from error
    except ValueError as error:
        raise UsageError(f"This is not JSON: {error}.") from error
    except RecursionError as error:
        raise UsageError("This JSON is nested too deeply.") from error


def score_csv(client: BatchClient, source: Path, out: Path | None, *, as_json: bool) -> None:
    """Score a CSV file, batch by batch, and write its rows with their answers to ``out`` or to stdout.

    Raises
    ------
    UsageError
        If the file or ``out`` can't be used; nothing was asked then.
    ServiceError
        If the API refuses a batch; ``out`` is as it was.
    """
    loans = read_loans(source)
    with written_whole(out) if out else nullcontext(sys.stdout) as stream:
        scored, n_warned = _score(client, source.name, loans)
        if as_json and not out:
            say_json(scored)
        else:
            write_rows(stream, scored)
    if n_warned:
        note(f"{n_warned:,} of {len(scored):,} rows have values that the model has not seen.")
    if out:
        note(f"Wrote {len(scored):,} rows to {out}.")


def _read_text(source: str) -> str:
    if source == "-":
        return sys.stdin.buffer.read().decode("utf-8-sig")
    try:
        content = Path(source).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no path has a NUL
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{source[:200]!r} is neither JSON nor a file that can be read ({why}).") from error
    return content.decode("utf-8-sig")


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number that JSON has")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _score(client: BatchClient, name: str, loans: Sequence[Loan]) -> tuple[list[dict[str, object]], int]:
    """Return the rows with their answers, and how many of them have warnings."""
    scored: list[dict[str, object]] = []
    n_warned = 0
    with progress_bar() as progress:
        task = progress.add_task(name, total=len(loans))
        for start in range(0, len(loans), _BATCH_ROWS):
            batch = loans[start : start + _BATCH_ROWS]
            try:
                rows, n_in_batch = _score_batch(client, batch)
            except ServiceError as error:
                raise ServiceError(
                    f"Lines {batch[0].line} to {batch[-1].line} of {name}, the first at /instances/0: {error}"
                ) from error
            scored += rows
            n_warned += n_in_batch
            progress.advance(task, len(batch))
    return scored, n_warned


def _score_batch(client: BatchClient, batch: Sequence[Loan]) -> tuple[list[dict[str, object]], int]:
    answer = client.predict_records([loan.record for loan in batch])
    try:
        version = answer["model"]["version"]
        rows = [
            {
                **loan.cells,
                "late_probability": one["late_probability"],
                "predicted_is_late": int(one["is_late"]),
                "model_version": version,
            }
            for loan, one in zip(batch, answer["predictions"], strict=True)
        ]
        return rows, sum(bool(one.get("warnings")) for one in answer["predictions"])
    except (KeyError, TypeError, ValueError) as error:
        raise ServiceError("The answer is not this API's. Check the address.") from error


def _sentence(prediction: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    loan = f"Loan {prediction['loan_id']}" if prediction.get("loan_id") else f"Record {prediction['index']}"
    verdict = "late" if prediction["is_late"] else "on time"
    return (
        f"{loan}: {verdict}, probability {prediction['late_probability']:.4f} "
        f"(threshold {prediction['threshold']:.4f}, {model['name']} version {model['version']})"
        + "".join(f"\n  warning: {one['pointer']} [{one['code']}]" for one in prediction.get("warnings", ()))
    )
