"""Scores tables by the API over HTTP."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from batch_scoring.row_rules import Columns
from batch_scoring.scores import Scores
from model_artifact.schema import FIELD_NAMES, LOAN_ID
from peerloan.api_client import ApiClient
from peerloan.errors import ServiceError

# The API takes 1,000 records and a body of 1 MiB in a request.
API_BATCH_ROWS = 1000
# The texts of a batch. JSON writes a character in at most 6 bytes, and the rest of a row in at most 300: together they
# stay below 1 MiB.
_API_BATCH_CHARACTERS = 120_000


class ApiScorer:
    """Scores by the API, batch by batch. Each batch is scored by the version that the API routes it to."""

    # Several full requests, and one that isn't.
    step_bytes = 1 << 20

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self.identity = f"api {client.url}"

    def score(self, columns: Columns) -> Iterator[Scores]:
        """See ``Scorer``; raises ``ServiceError`` if the API refuses a batch or can't be reached."""
        for batch in _batches(records_of(columns)):
            answer = self._client.predict({"instances": batch})
            try:
                predictions = answer["predictions"]
                scores = Scores(
                    [float(prediction["late_probability"]) for prediction in predictions],
                    [bool(prediction["is_late"]) for prediction in predictions],
                    int(answer["model"]["version"]),
                    _warned_rows(predictions),
                )
                is_complete = len(predictions) == len(batch)
            except (KeyError, TypeError, ValueError):
                is_complete = False
            if not is_complete:
                raise ServiceError("The answer isn't one of this project's API. Check the address.")
            yield scores


def records_of(columns: Columns) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as records, as a request would hold them."""
    loan_ids = columns.get(LOAN_ID)
    values = [
        columns[name].tolist() if isinstance(columns[name], np.ndarray) else columns[name] for name in FIELD_NAMES
    ]
    for place, row in enumerate(zip(*values, strict=True)):
        record = dict(zip(FIELD_NAMES, row, strict=True))
        # A missing number is NaN in a column, and null in JSON.
        record = {name: None if isinstance(cell, float) and math.isnan(cell) else cell for name, cell in record.items()}
        if loan_ids is not None and loan_ids[place] is not None:
            record[LOAN_ID] = loan_ids[place]
        yield record


def _warned_rows(predictions: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[int]]:
    rows: dict[tuple[str, str], list[int]] = {}
    for place, prediction in enumerate(predictions):
        for warning in prediction.get("warnings", ()):
            # The pointer is /instances/PLACE/COLUMN.
            column = str(warning["pointer"]).rpartition("/")[2]
            rows.setdefault((column, str(warning["code"])), []).append(place)
    return rows


def _batches(records: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    characters = 0
    for record in records:
        length = sum(len(value) for value in record.values() if isinstance(value, str))
        if batch and (len(batch) == API_BATCH_ROWS or characters + length > _API_BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(record)
        characters += length
    if batch:
        yield batch
