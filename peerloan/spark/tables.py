"""Scores tables on Spark's workers, as Arrow's record batches: rows as they are, and their results. No PySpark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from batch_scoring.arrow_batches import scored_schema, valid_rows, with_results
from batch_scoring.results import WarningCounts, result_columns
from peerloan.spark.csv_blocks import rejects_batch
from peerloan.spark.pinned_version import PinnedVersion

# A table's columns that say where a row is from, beside the ten.
FILE, ROW = "_file", "_row"


def score_tables(version: PinnedVersion, *, has_warnings: bool, batches: Iterable[Any]) -> Iterator[Any]:
    """Yield the valid rows with their results."""
    scorer = version.load()
    added = result_columns(has_warnings=has_warnings)
    for batch in batches:
        valid, columns, _ = valid_rows(batch, 1)
        yield with_results(valid, columns, scored_schema(batch.schema, added), scorer, WarningCounts())


def reject_tables(batches: Iterable[Any]) -> Iterator[Any]:
    """Yield batches of the rejects output; ``ROW`` counts the rows of a file from 0."""
    for batch in batches:
        _, _, rejections = valid_rows(batch, 0)
        if rejections:
            files, rows = batch.column(FILE), batch.column(ROW)
            yield rejects_batch(
                [files[fault.line].as_py() for fault in rejections],
                [replace(fault, line=rows[fault.line].as_py() + 1) for fault in rejections],
            )
