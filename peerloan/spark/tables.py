"""Scores tables on Spark's workers, as Arrow's record batches: rows as they are, and their results. No PySpark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from batch_scoring.arrow_batches import scored_schema, valid_rows, with_results
from batch_scoring.results import WarningCounts, result_columns
from batch_scoring.row_rules import Rejection
from peerloan.spark.csv_blocks import rejects_batch
from peerloan.spark.pinned_version import PinnedVersion
from peerloan.spark.reports import Report

# Columns that say where a row is from, at the end of a table: its file, and its number there from 0.
FILE, ROW = "_peerloan_file", "_peerloan_row"


def score_tables(
    version: PinnedVersion, report: Callable[[Report], object], batches: Iterable[Any], *, has_warnings: bool
) -> Iterator[Any]:
    """Yield the valid rows with their results. At the end, ``report`` what became of the rows."""
    scorer = version.load()
    added = result_columns(has_warnings=has_warnings)
    done = Report()
    for batch in batches:
        loans = batch.select(batch.schema.names[:-2])
        valid, columns, rejections = valid_rows(loans, 0)
        done.rows += len(valid)
        done.rejected += len(batch) - len(valid)
        done.reject(((file, 0), fault) for file, fault in _placed(batch, rejections))
        yield with_results(valid, columns, scored_schema(loans.schema, added), scorer, WarningCounts())
    report(done)


def reject_tables(batches: Iterable[Any]) -> Iterator[Any]:
    """Yield batches of the rejects output."""
    for batch in batches:
        _, _, rejections = valid_rows(batch, 0)
        if rejections:
            files, faults = zip(*_placed(batch, rejections), strict=True)
            yield rejects_batch(files, faults)


def _placed(batch: Any, rejections: Iterable[Rejection]) -> Iterator[tuple[str, Rejection]]:
    """Yield each rejection's file, and the rejection with its row's number there, counted from 1."""
    files, rows = batch.column(FILE), batch.column(ROW)
    for fault in rejections:
        yield files[fault.line].as_py(), replace(fault, line=rows[fault.line].as_py() + 1)
