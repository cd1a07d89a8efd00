"""Scores a Parquet file, batch by batch.

A Parquet file can't be read until its last bytes are written, so an interrupted run begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from batch_scoring.results import REJECTS_HEADER, WarningCounts, rejections_as_csv
from batch_scoring.row_rules import Columns
from batch_scoring.scores import Scorer
from peerloan.files import sync_file, writing
from peerloan.scoring.parquet_files import import_pyarrow, open_parquet, read_batches
from peerloan.scoring.targets import Outcome, Targets, check_unchanged, locked, put_in_place

ROWS_A_STEP = 16_384


def score_parquet(
    source: Path,
    targets: Targets,
    scorer: Scorer,
    *,
    on_progress: Callable[[int], None] = lambda _: None,
    rows_a_step: int = ROWS_A_STEP,
) -> Outcome:
    """Score a file.

    Parameters
    ----------
    source : Path
        Parquet.
    targets : Targets
        The outputs. The rejects file is CSV; its lines have row numbers.
    scorer : Scorer
        A version or the API.
    on_progress : callable
        Gets the approximate number of the file's bytes that are done.
    rows_a_step : int
        The number of rows in memory at once.

    Raises
    ------
    UsageError
        If pyarrow isn't installed, or this isn't a Parquet file.
    UnusableFileError
        If the file doesn't have the ten columns.
    CommandError
        If the file is damaged or is changed meanwhile, or another run writes the outputs.
    """
    pyarrow, parquet = import_pyarrow()
    from batch_scoring.arrow_batches import check_schema, scored_schema, valid_rows, with_results

    before = source.stat()
    rows = rejected = 0
    file = open_parquet(pyarrow, parquet, source)
    check_schema(file.schema_arrow, targets.columns)
    schema = scored_schema(file.schema_arrow, targets.columns)
    with (
        writing(targets.scored),
        locked(targets),
        file,
        targets.part(targets.rejects).open("wb") as rejects,
        targets.part(targets.scored).open("wb") as scored,
    ):
        counts = WarningCounts()
        rejects.write(REJECTS_HEADER)
        with parquet.ParquetWriter(scored, schema) as writer:
            for batch in read_batches(pyarrow, file, source, rows_a_step):
                valid, columns, rejections = valid_rows(batch, rows + rejected + 1)
                rejects.write(rejections_as_csv(rejections))
                writer.write_batch(with_results(valid, columns, schema, scorer, counts))
                rows, rejected = rows + len(valid), rejected + len(batch) - len(valid)
                on_progress(before.st_size * (rows + rejected) // file.metadata.num_rows)
        for output in (scored, rejects):
            sync_file(output)
        check_unchanged(source, before)
        put_in_place(targets, rejected=rejected)
    return Outcome(rows, rejected, 0, counts.warned, dict(counts.by_warning))


def read_parquet(source: Path, *, rows_a_step: int = ROWS_A_STEP) -> Iterator[tuple[Any, Columns, int]]:
    """Yield the valid rows of a file as they are, their columns for the model, and how many others there were.

    Raises as ``score_parquet`` does.
    """
    pyarrow, parquet = import_pyarrow()
    from batch_scoring.arrow_batches import check_schema, valid_rows

    with open_parquet(pyarrow, parquet, source) as file:
        check_schema(file.schema_arrow, ())
        for batch in read_batches(pyarrow, file, source, rows_a_step):
            valid, columns, _ = valid_rows(batch, 1)
            yield valid, columns, len(batch) - len(valid)
