"""Tallies the prediction log on Spark's workers: all lines of a request in one part, in the log's order. No PySpark.

Delivery is at least once, so the same line may be in several objects. Each line goes to the part that its
invocation's id says. A part drops repeated lines and counts the others as one machine would; the parts' tallies add up.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Any

import pyarrow

from model_watch.folding.day_fold import fold_sorted
from model_watch.folding.single_record_lines import SingleRecordLines
from model_watch.log_objects import MOST_OBJECT_BYTES, Damage, unpack
from model_watch.prediction_log import DamagedLineError, read_line

# What an object becomes: its lines with the part that counts each; text is null for what can't be unpacked.
PART, FOLDER, KEY, NUMBER, TEXT = "part", "folder", "key", "number", "text"
LINES_SCHEMA = f"{PART} int, {FOLDER} string, {KEY} string, {NUMBER} long, {TEXT} binary"
TALLIES_SCHEMA = "tally string"
_FOLDER_START = "/log/dt="
_MOST_ROWS = 20_000


def key_of(path: str) -> str:
    """Return an object's key in the log's bucket, ``log/dt=2026-03-12/…``, from its path on Spark."""
    return path[path.rindex(_FOLDER_START) + 1 :]


def folder_of(key: str) -> str:
    """Return the day of an object's arrival."""
    return key[len(_FOLDER_START) - 1 :].partition("/")[0]


def split_objects(model: str, parts: int, batches: Iterable[Any]) -> Iterator[Any]:
    """Yield the lines of objects, which come as batches of ``path`` and ``content``."""
    single = SingleRecordLines(model)
    for batch in batches:
        for row in batch.to_pylist():
            key, damage = key_of(row["path"]), Damage()
            rows: list[tuple[int, bytes | None]] = []
            texts = unpack(row["content"], key, damage) if len(row["content"]) <= MOST_OBJECT_BYTES else iter(())
            number = 0
            for text in texts:
                rows.append((_part(single, model, text) % parts, text))
                if len(rows) == _MOST_ROWS:
                    yield _lines(key, number, rows)
                    number, rows = number + len(rows), []
            damaged = damage.lines + (len(row["content"]) > MOST_OBJECT_BYTES)
            yield _lines(key, number, [*rows, *[(0, None)] * damaged])


def tally_parts(model: str, days: Sequence[date], batches: Iterable[Any]) -> Iterator[Any]:
    """Yield the tallies of sorted lines, one a day, as documents."""
    lines = (
        line
        for batch in batches
        for line in zip(batch.column(FOLDER).to_pylist(), batch.column(TEXT).to_pylist(), strict=True)
    )
    folders = (
        (date.fromisoformat(folder), (text for _, text in group))
        for folder, group in groupby(lines, lambda line: line[0])
    )
    tallies = fold_sorted(model, days, folders)
    yield pyarrow.RecordBatch.from_pydict({"tally": [json.dumps(tally.to_document()) for tally in tallies]})


def _part(single: SingleRecordLines, model: str, text: bytes) -> int:
    """Return a number that all lines of an invocation share; any for a line that isn't counted as a request."""
    found = single.find(text)
    if found is not None:
        return zlib.crc32(found[1][1])
    try:
        line = read_line(text)
    except DamagedLineError:
        return 0
    return (
        0 if line is None or not line.is_of(model) else zlib.crc32(line.invocation_id.encode("utf-8", "surrogatepass"))
    )


def _lines(key: str, first: int, rows: Sequence[tuple[int, bytes | None]]) -> Any:
    arrays = [
        pyarrow.array([part for part, _ in rows], pyarrow.int32()),
        pyarrow.array([folder_of(key)] * len(rows), pyarrow.string()),
        pyarrow.array([key] * len(rows), pyarrow.string()),
        pyarrow.array(range(first, first + len(rows)), pyarrow.int64()),
        pyarrow.array([text for _, text in rows], pyarrow.binary()),
    ]
    return pyarrow.RecordBatch.from_arrays(arrays, [PART, FOLDER, KEY, NUMBER, TEXT])
